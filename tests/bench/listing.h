/* The pages of ListObjects and ListObjectsV2 that the null server answers with: a query in, text out. No I/O. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef long long number;

enum { OBJECT = 1024, PAGE = 1000, ENTRY = 2048, NAME = 1100 };

typedef struct {
    char *text;
    size_t room;
} page_buffer;

static int hex(char digit) {
    return digit <= '9' ? digit - '0' : (digit | 32) - 'a' + 10;
}

/* The value of a query parameter, decoded, "" if it has none; NULL if the parameter is absent. */
static char *parameter(const char *query, const char *name, char *value, size_t room) {
    size_t length = strlen(name), used = 0;
    for (const char *at = query; *at; at = *at ? at + 1 : at) {
        if (!strncmp(at, name, length) && (at[length] == '=' || at[length] == '&' || !at[length])) {
            for (at += length + (at[length] == '='); *at && *at != '&' && used + 1 < room; used++)
                if (*at == '%' && at[1] && at[2]) value[used] = hex(at[1]) << 4 | hex(at[2]), at += 3;
                else value[used] = *at == '+' ? ' ' : *at, at++;
            value[used] = 0;
            return value;
        }
        while (*at && *at != '&') at++;
    }
    return NULL;
}

/* How many keys lie below prefix; it gets the slash that it lacks, and *whole says that it lacked none. */
static number keys_below(char *prefix, int *whole) {
    char *end, *leaf = strrchr(prefix, '/');
    if (strncmp(prefix, "list-", 5) || (leaf && !strncmp(leaf, "/key-", 5))) return 0;
    number count = strtoll(prefix + 5, &end, 10);
    if (end == prefix + 5 || (*end && *end != '/')) return 0;
    *whole = prefix[strlen(prefix) - 1] == '/';
    if (!*whole) strcat(prefix, "/");
    return count;
}

static number after(const char *key) {
    const char *found = key ? strstr(key, "/key-") : NULL;
    return found ? atoll(found + 5) + 1 : 0;
}

static char *add(char *at, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    at += vsprintf(at, format, arguments);
    va_end(arguments);
    return at;
}

static char *add_entries(char *at, const char *prefix, number from, number to) {
    char entry[ENTRY], *digits;
    int length = snprintf(entry, sizeof entry,
                          "<Contents><Key>%skey-0000000</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                          "<ETag>&quot;00000000000000000000000000000001&quot;</ETag><Size>%d</Size>"
                          "<StorageClass>STANDARD</StorageClass></Contents>", prefix, OBJECT);
    digits = strstr(entry, "</Key>") - 1;
    for (number index = from; index < to; index++, at += length) {
        char *digit = digits;
        for (number rest = index; digit > digits - 7; rest /= 10) *digit-- = '0' + rest % 10;
        memcpy(at, entry, length);
    }
    return at;
}

/* Writes the page that query asks for into page, which grows as it must. The length of the text. */
static size_t list_page(page_buffer *page, const char *query) {
    char prefix[NAME + 1] = "", text[NAME], *found;
    int whole = 1, v2 = parameter(query, "list-type", text, sizeof text) != NULL;
    found = parameter(query, "max-keys", text, sizeof text);
    number most = found && *found ? atoll(found) : PAGE;
    if (most > PAGE || most < 0) most = PAGE;
    number from = after(parameter(query, v2 ? "start-after" : "marker", text, sizeof text));
    found = parameter(query, "continuation-token", text, sizeof text);
    if (found && *found) from = atoll(found);
    parameter(query, "prefix", prefix, NAME);
    number count = keys_below(prefix, &whole);
    int folded = count && !whole && parameter(query, "delimiter", text, sizeof text) && *text;
    number to = folded ? from : from + most < count ? from + most : count;
    if (to < from) to = from;
    size_t room = PAGE * (strlen(prefix) + 256) + 2 * ENTRY + NAME;
    if (room > page->room) page->text = realloc(page->text, page->room = room);
    char *at = add(page->text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com"
                   "/doc/2006-03-01/\"><Name>bench</Name><Prefix>%s</Prefix><MaxKeys>%lld</MaxKeys>", prefix, most);
    if (parameter(query, "encoding-type", text, sizeof text)) at = add(at, "<EncodingType>url</EncodingType>");
    if (v2) at = add(at, "<KeyCount>%lld</KeyCount>", to - from + folded);
    at = add(at, "<IsTruncated>%s</IsTruncated>", !folded && to < count ? "true" : "false");
    if (!folded && to < count && v2) at = add(at, "<NextContinuationToken>%lld</NextContinuationToken>", to);
    at = add_entries(at, prefix, from, to);
    if (folded) at = add(at, "<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>", prefix);
    return add(at, "</ListBucketResult>") - page->text;
}
