/* Keeps the processors from sleeping: on each, a loop that runs when nothing else does. Linux only.
 *
 * To wake a processor that sleeps, a virtual one above all, takes longer than a small request: between two processes that
 * wait for each other in turn, one would measure that. Ends when its standard input does.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

static void spin(int processor) {
    struct sched_param none = {0};
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(processor, &only);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (sched_setaffinity(0, sizeof only, &only) || sched_setscheduler(0, SCHED_IDLE, &none)) _exit(1);
    for (;;) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause(); /* leaves a sibling of the same core its share */
#endif
    }
}

int main(void) {
    cpu_set_t ours;
    char byte;
    if (sched_getaffinity(0, sizeof ours, &ours)) return perror("sched_getaffinity"), 1;
    for (int processor = 0; processor < CPU_SETSIZE; processor++)
        if (CPU_ISSET(processor, &ours) && !fork()) spin(processor);
    puts("awake");
    fflush(stdout);
    while (read(0, &byte, 1) > 0) {}
    return 0; /* the loops die with it */
}
