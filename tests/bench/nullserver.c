/* An S3 server that stores nothing and checks nothing, as fast as one can answer: the benchmark's other end.
 *
 *     nullserver FIRST_BYTE_MS BYTES_PER_SECOND
 *
 * Listens on 127.0.0.1, on a port the kernel picked, which it prints. Ends when its standard input does, so it never
 * outlives who started it. FIRST_BYTE_MS: the wait before each answer. BYTES_PER_SECOND: the pace of each connection,
 * both ways; 0 is unbounded.
 *
 * What is there, in every bucket: hit/... (1 KiB each), size-N/... (N bytes), list-N/.../key-I (1 KiB, I below N).
 * Every directory below list-N/ lists N keys, key-0000000 on. All other keys are absent, whatever was put there; whoever
 * puts, copies or deletes is told that it went well. Content is lines of 80 bytes, the same at an offset whichever way
 * it is asked for. Linux only: sendfile from a memfd, and recv with MSG_TRUNC, which drops bytes without copying them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "listing.h"

enum { HEAD_LIMIT = 64 << 10, LINE = 80, PATTERN = LINE << 17, SMALL = 16 << 10, GRANULE = 256 << 10, STACK = 128 << 10 };

static number first_byte_ns, bytes_per_second;
static int pattern_fd;
static char *pattern;

typedef struct {
    int fd;
    size_t held;          /* bytes in head[] */
    page_buffer page;     /* kept from one listing to the next */
    char head[HEAD_LIMIT + 1];
} connection;

typedef struct {
    char method[8], *path, *query;
    number length, first, last;   /* first: -1 without Range; last: -1 to the end */
    int expects, copies, closes, chunked;
} request;

/* ------------------------------------------------------------------------------------------------------- the pace */

static number now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(number moment) {
    struct timespec t = {moment / 1000000000LL, moment % 1000000000LL};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

static void wait_first_byte(void) {
    if (first_byte_ns) sleep_until(now_ns() + first_byte_ns);
}

static void keep_pace(number start, number done) {
    if (bytes_per_second) sleep_until(start + (number)(done * (1e9 / bytes_per_second)));
}

static size_t granule(number left) {
    number most = bytes_per_second ? GRANULE : 1 << 30;
    return left < most ? left : most;
}

/* ---------------------------------------------------------------------------------------------------- the sockets */

static int send_all(int fd, const char *bytes, size_t length, int flags) {
    while (length) {
        ssize_t sent = send(fd, bytes, length, flags | MSG_NOSIGNAL);
        if (sent <= 0) return -1;
        bytes += sent;
        length -= sent;
    }
    return 0;
}

static int drop_body(connection *c, number length) {
    number start = now_ns(), done = (number)c->held < length ? (number)c->held : length;
    c->held -= done;
    memmove(c->head, c->head + done, c->held);
    while (done < length) {
        ssize_t got = recv(c->fd, NULL, granule(length - done), MSG_TRUNC);
        if (got <= 0) return -1;
        done += got;
        keep_pace(start, done);
    }
    return 0;
}

static int answer(int fd, const char *status, const char *headers, const char *body, size_t length, int with_body) {
    char head[SMALL], date[40];
    struct tm tm;
    time_t now = time(NULL);
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    int used = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nServer: null\r\nDate: %s\r\nx-amz-request-id: 0123456789ABCDEF\r\n%s"
                        "Content-Length: %zu\r\n\r\n", status, date, headers, length);
    wait_first_byte();
    if (!with_body || !body) return send_all(fd, head, used, with_body && length ? MSG_MORE : 0);
    if (used + length <= sizeof head) {
        memcpy(head + used, body, length);
        return send_all(fd, head, used + length, 0);
    }
    return send_all(fd, head, used, MSG_MORE) || send_all(fd, body, length, 0) ? -1 : 0;
}

static int answer_xml(int fd, const char *status, const char *format, ...) {
    char body[4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(body, sizeof body, format, arguments);
    va_end(arguments);
    if (length >= (int)sizeof body) return -1;
    return answer(fd, status, "Content-Type: application/xml\r\n", body, length, 1);
}

static int answer_error(int fd, const request *r, const char *status, const char *code) {
    if (!strcmp(r->method, "HEAD")) return answer(fd, status, "", NULL, 0, 0);
    return answer_xml(fd, status, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message>"
                      "<RequestId>0123456789ABCDEF</RequestId></Error>", code, code);
}

/* --------------------------------------------------------------------------------------------------------- GetObject */

/* The size of what is at a key, -1 if nothing is. */
static number object_size(const char *key) {
    const char *slash = strchr(key, '/');
    char *end;
    if (!slash || !slash[1] || key[strlen(key) - 1] == '/') return -1;
    if (!strncmp(key, "hit/", 4)) return OBJECT;
    if (!strncmp(key, "list-", 5)) {
        const char *leaf = strrchr(key, '/') + 1;
        number most = strtoll(key + 5, &end, 10);
        return end == slash && !strncmp(leaf, "key-", 4) && atoll(leaf + 4) < most ? OBJECT : -1;
    }
    if (strncmp(key, "size-", 5)) return -1;
    number size = strtoll(key + 5, &end, 10);
    return end == slash ? size : -1;
}

static int send_content(int fd, number offset, number length) {
    number start = now_ns(), done = 0;
    while (done < length) {
        off_t at = (offset + done) % PATTERN;
        number piece = granule(length - done);
        if (piece > PATTERN - at) piece = PATTERN - at;
        keep_pace(start, done + piece); /* sent when the last byte of it would be through */
        ssize_t sent = sendfile(fd, pattern_fd, &at, piece);
        if (sent <= 0) return -1;
        done += sent;
    }
    return 0;
}

static int serve_object(int fd, const request *r, const char *key) {
    number size = object_size(key), first = r->first, last = r->last;
    char headers[512], range[128] = "";
    const char *status = "200 OK";
    if (size < 0) return answer_error(fd, r, "404 Not Found", "NoSuchKey");
    if (first == -2) first = size > last ? size - last : 0, last = size - 1; /* the last so many bytes */
    if (first >= 0) {
        if (first >= size) return answer_error(fd, r, "416 Requested Range Not Satisfiable", "InvalidRange");
        if (last < 0 || last >= size) last = size - 1;
        snprintf(range, sizeof range, "Content-Range: bytes %lld-%lld/%lld\r\n", first, last, size);
        status = "206 Partial Content";
    } else
        first = 0, last = size - 1;
    number length = last - first + 1;
    snprintf(headers, sizeof headers,
             "%sLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"00000000000000000000000000000001-1\"\r\n"
             "Accept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\n", range);
    if (!strcmp(r->method, "HEAD")) return answer(fd, status, headers, NULL, length, 0);
    if (length <= SMALL / 2 && first % PATTERN + length <= PATTERN)
        return answer(fd, status, headers, pattern + first % PATTERN, length, 1);
    return answer(fd, status, headers, NULL, length, 1) || send_content(fd, first, length) ? -1 : 0;
}

/* -------------------------------------------------------------------------------------------- which call it is */

#define E_TAG "ETag: \"00000000000000000000000000000001\"\r\n"
/* Of one key, not of all: object_store takes a result without any for a broken one. */
#define DELETED "<DeleteResult><Deleted><Key>key</Key></Deleted></DeleteResult>"
#define COPIED "<ETag>&quot;00000000000000000000000000000001&quot;</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified>"

static int serve_put(int fd, const request *r) {
    char text[64];
    if (r->copies && parameter(r->query, "partNumber", text, sizeof text))
        return answer_xml(fd, "200 OK", "<CopyPartResult>" COPIED "</CopyPartResult>");
    if (r->copies) return answer_xml(fd, "200 OK", "<CopyObjectResult>" COPIED "</CopyObjectResult>");
    return answer(fd, "200 OK", E_TAG, NULL, 0, 0);
}

static int serve_post(int fd, const request *r, const char *bucket, const char *key) {
    char text[64];
    if (parameter(r->query, "delete", text, sizeof text)) return answer_xml(fd, "200 OK", DELETED);
    if (parameter(r->query, "uploads", text, sizeof text))
        return answer_xml(fd, "200 OK", "<InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key><UploadId>"
                          "upload-1</UploadId></InitiateMultipartUploadResult>", bucket, key);
    return answer_xml(fd, "200 OK", "<CompleteMultipartUploadResult><Location>http://127.0.0.1/%s/%s</Location><Bucket>%s"
                      "</Bucket><Key>%s</Key><ETag>&quot;00000000000000000000000000000001-1&quot;</ETag>"
                      "</CompleteMultipartUploadResult>", bucket, key, bucket, key);
}

static int serve(connection *c, const request *r) {
    char *bucket = r->path + 1, *key = strchr(bucket, '/'), text[64];
    if (key) *key++ = 0;
    else key = bucket + strlen(bucket);
    switch (r->method[0] == 'P' ? r->method[1] : r->method[0]) {
    case 'U': return serve_put(c->fd, r);
    case 'O': return serve_post(c->fd, r, bucket, key);
    case 'D': return answer(c->fd, "204 No Content", "", NULL, 0, 0);
    }
    if (parameter(r->query, "tagging", text, sizeof text))
        return answer_xml(c->fd, "200 OK", "<Tagging><TagSet></TagSet></Tagging>");
    if (*key) return serve_object(c->fd, r, key);
    if (r->method[0] == 'H') return answer(c->fd, "200 OK", "x-amz-bucket-region: us-east-1\r\n", NULL, 0, 0);
    if (parameter(r->query, "location", text, sizeof text))
        return answer_xml(c->fd, "200 OK", "<LocationConstraint></LocationConstraint>");
    size_t length = list_page(&c->page, r->query);
    return answer(c->fd, "200 OK", "Content-Type: application/xml\r\n", c->page.text, length, 1);
}

/* ------------------------------------------------------------------------------------------------------ one request */

static const char *value_of(const char *line, const char *name) {
    size_t length = strlen(name);
    if (strncasecmp(line, name, length) || line[length] != ':') return NULL;
    for (line += length + 1; *line == ' '; line++) {}
    return line;
}

static void read_header(request *r, const char *line) {
    const char *value;
    switch (line[0] | 32) {
    case 'c':
        if ((value = value_of(line, "content-length"))) r->length = atoll(value);
        else if ((value = value_of(line, "connection"))) r->closes = !strncasecmp(value, "close", 5);
        break;
    case 'e':
        if (value_of(line, "expect")) r->expects = 1;
        break;
    case 'r':
        if (!(value = value_of(line, "range")) || strncmp(value, "bytes=", 6)) break;
        if (value[6] == '-') r->first = -2, r->last = atoll(value + 7);
        else {
            r->first = atoll(value + 6);
            value = strchr(value, '-');
            if (value && value[1] >= '0' && value[1] <= '9') r->last = atoll(value + 1);
        }
        break;
    case 't':
        if (value_of(line, "transfer-encoding")) r->chunked = 1;
        break;
    case 'x':
        if (value_of(line, "x-amz-copy-source")) r->copies = 1;
    }
}

/* Reads head[] up to `end`, the blank line, whose text it cuts into strings. */
static int read_head(request *r, char *head, char *end) {
    *r = (request){.first = -1, .last = -1};
    *end = 0;
    char *line = strstr(head, "\r\n"), *space = strchr(head, ' ');
    if (!space || space - head >= (long)sizeof r->method) return -1;
    memcpy(r->method, head, space - head);
    r->path = space + 1;
    if (!(space = strchr(r->path, ' ')) || r->path[0] != '/') return -1;
    *space = 0;
    r->query = strchr(r->path, '?');
    if (r->query) *r->query++ = 0;
    else r->query = space;
    for (; line; line = strstr(line, "\r\n")) {
        line += 2;
        read_header(r, line);
    }
    return 0;
}

static int exchange(connection *c) {
    static __thread char text[HEAD_LIMIT + 1];
    char *end;
    request r;
    while (c->head[c->held] = 0, !(end = memmem(c->head, c->held, "\r\n\r\n", 4))) {
        ssize_t got = c->held < HEAD_LIMIT ? recv(c->fd, c->head + c->held, HEAD_LIMIT - c->held, 0) : -1;
        if (got <= 0) return -1;
        c->held += got;
    }
    size_t length = end + 4 - c->head;
    memcpy(text, c->head, length);
    c->held -= length;
    memmove(c->head, c->head + length, c->held);
    if (read_head(&r, text, text + length - 4)) return -1;
    if (r.chunked) {
        answer_error(c->fd, &r, "501 Not Implemented", "NotImplemented");
        return -1;
    }
    if (r.expects && (number)c->held < r.length) {
        wait_first_byte();
        if (send_all(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, 0)) return -1;
    }
    if (drop_body(c, r.length) || serve(c, &r)) return -1;
    return r.closes ? -1 : 0;
}

static void *converse(void *argument) {
    connection *c = argument;
    while (exchange(c) == 0) {}
    close(c->fd);
    free(c->page.text);
    free(c);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------------ the process */

static void make_pattern(void) {
    pattern_fd = memfd_create("pattern", 0);
    if (pattern_fd < 0 || ftruncate(pattern_fd, PATTERN)) exit(1);
    pattern = mmap(NULL, PATTERN, PROT_READ | PROT_WRITE, MAP_SHARED, pattern_fd, 0);
    if (pattern == MAP_FAILED) exit(1);
    for (int at = 0; at < PATTERN; at += LINE) {
        char line[LINE + 1];
        snprintf(line, sizeof line, "%07d,the quick brown fox jumps over the lazy dog,%07d,4711.08", at, at / 7);
        memset(pattern + at, 'x', LINE);
        memcpy(pattern + at, line, strlen(line));
        pattern[at + LINE - 1] = '\n';
    }
}

static void *accept_all(void *argument) {
    int listener = *(int *)argument, yes = 1;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK + HEAD_LIMIT);
    for (;;) {
        pthread_t thread;
        connection *c;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        c = malloc(sizeof *c);
        c->fd = fd, c->held = 0, c->page = (page_buffer){0};
        if (pthread_create(&thread, &attributes, converse, c)) close(fd), free(c);
    }
    return NULL;
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    char ignored[64];
    if (count != 3) return fprintf(stderr, "usage: nullserver FIRST_BYTE_MS BYTES_PER_SECOND\n"), 2;
    first_byte_ns = (number)(atof(words[1]) * 1e6);
    bytes_per_second = atoll(words[2]);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    make_pattern();
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) return perror("bind"), 1;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    if (pthread_create(&thread, NULL, accept_all, &listener)) return perror("thread"), 1;
    while (read(0, ignored, sizeof ignored) > 0) {}
    return 0;
}
