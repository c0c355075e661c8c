/* The clock of the machine. */
#include "actor.h"

#include <errno.h>
#include <time.h>

static int64_t now_ns(void *data) {
    struct timespec t;
    (void)data;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint64_t wall_us(void *data) {
    struct timespec t;
    (void)data;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void sleep_until(void *data, int64_t ns) {
    struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    (void)data;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

const Clock real_clock = {now_ns, wall_us, sleep_until, NULL};
