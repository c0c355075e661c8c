/* The progress line: a thread that wakes up twice a second and writes to a terminal only. */
#include "cli.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stop; /* under lock */
    const char *what;
    double start;
    const GactBatch *batch; /* or NULL */
    int64_t total;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static void show(double elapsed) {
    if (progress.batch)
        fprintf(stderr, "\r\033[K%s: %lld of %lld, %.0f s", progress.what,
                (long long)gact_batch_done(progress.batch), (long long)progress.total, elapsed);
    else
        fprintf(stderr, "\r\033[K%s: %.0f s", progress.what, elapsed);
    fflush(stderr);
}

static void *watch(void *arg) {
    bool shown = false;
    (void)arg;
    pthread_mutex_lock(&progress.lock);
    while (!progress.stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 500000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        int timed_out = pthread_cond_timedwait(&progress.wake, &progress.lock, &until);
        double elapsed = seconds_now() - progress.start;
        if (timed_out == ETIMEDOUT && !progress.stop && elapsed > 1) {
            show(elapsed);
            shown = true;
        }
    }
    pthread_mutex_unlock(&progress.lock);
    if (shown)
        fputs("\r\033[K", stderr);
    return NULL;
}

void progress_start(const char *what, const GactBatch *batch, int64_t total) {
    if (!isatty(STDERR_FILENO))
        return;
    progress.what = what;
    progress.start = seconds_now();
    progress.batch = batch;
    progress.total = total;
    progress.stop = false;
    progress.running = !pthread_create(&progress.thread, NULL, watch, NULL);
}

void progress_stop(void) {
    if (!progress.running)
        return;
    pthread_mutex_lock(&progress.lock);
    progress.stop = true;
    pthread_cond_signal(&progress.wake);
    pthread_mutex_unlock(&progress.lock);
    pthread_join(progress.thread, NULL);
    progress.running = false;
}
