/* What is known of kernels: how long an element takes, for the pool's decision, and the profile.
   Rows are found by the address of the kernel's info in a table of fixed size with open addressing;
   they are found without a lock and stay until profile_reset. A round is one run of several: what a
   kernel took in it is the difference between its counts. */
#include "device/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 4096, PROBES = 64 };

bool profile_on;
static KernelStat rows[ROWS];
static KernelStat rest = {.name = "(others)", .ops = ""};
static Spread whole; /* of the rounds */
static pthread_mutex_t row_lock = PTHREAD_MUTEX_INITIALIZER;
/* The info of a row whose image is closed. */
static const GactKernelInfo forgotten;

int64_t clock_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static size_t row_hash(const GactKernelInfo *info) {
    return (size_t)(((uintptr_t)info >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

static KernelStat *row_add(const GactKernelInfo *info) {
    pthread_mutex_lock(&row_lock);
    KernelStat *found = &rest;
    for (size_t i = 0; i < PROBES; i++) {
        KernelStat *row = &rows[(row_hash(info) + i) % ROWS];
        const GactKernelInfo *own = atomic_load(&row->info);
        if (own && own != info)
            continue;
        if (!own) {
            row->name = strdup(info->name ? info->name : "?");
            row->ops = strdup(info->ops ? info->ops : "");
            /* Release pairs with profile_kernel's acquire: the names are there. */
            atomic_store_explicit(&row->info, info, memory_order_release);
        }
        found = row;
        break;
    }
    pthread_mutex_unlock(&row_lock);
    return found;
}

KernelStat *profile_kernel(const GactKernelInfo *info) {
    if (!info)
        return &rest;
    for (size_t i = 0; i < PROBES; i++) {
        KernelStat *row = &rows[(row_hash(info) + i) % ROWS];
        const GactKernelInfo *own = atomic_load_explicit(&row->info, memory_order_acquire);
        if (own == info)
            return row;
        if (!own)
            break;
    }
    return row_add(info);
}

void profile_count(const Thread *t, KernelStat *stat, const char *category, int64_t begin_ns,
                   int64_t work, int64_t bytes, int64_t flops) {
    if (trace_on)
        trace_event(category, stat->name, t->id, begin_ns);
    if (!profile_on)
        return;
    side_count(&stat->host, clock_ns() - begin_ns, work, bytes, flops);
}

void profile_call(const Thread *t, const GactKernelInfo *info, int64_t begin_ns, int64_t work,
                  int64_t bytes) {
    if (profile_wants(t))
        profile_count(t, profile_kernel(info), "runtime", begin_ns, work, bytes, info ? work * info->flops : 0);
}

void profile_forget(const void *from, const void *to) {
    pthread_mutex_lock(&row_lock);
    for (int i = 0; i < ROWS; i++) {
        const char *info = (const char *)atomic_load(&rows[i].info);
        if (info && info >= (const char *)from && info < (const char *)to)
            atomic_store(&rows[i].info, &forgotten);
    }
    pthread_mutex_unlock(&row_lock);
}

void profile_reset(void) {
    pthread_mutex_lock(&row_lock);
    for (int i = 0; i < ROWS; i++) {
        free(rows[i].name);
        free(rows[i].ops);
    }
    memset(rows, 0, sizeof rows);
    rest = (KernelStat){.name = "(others)", .ops = ""};
    whole = (Spread){0};
    pthread_mutex_unlock(&row_lock);
}

KernelStat **profile_rows(int *count) {
    KernelStat **list = malloc((ROWS + 1) * sizeof *list);
    *count = 0;
    for (int i = 0; list && i <= ROWS; i++) {
        KernelStat *row = i < ROWS ? &rows[i] : &rest;
        if (atomic_load(&row->host.calls) || atomic_load(&row->device.calls) ||
            atomic_load(&row->chosen[0]) || atomic_load(&row->chosen[1]))
            list[(*count)++] = row;
    }
    return list;
}

/* ---- rounds ---- */

void spread_add(Spread *s, double x) {
    double off = x - s->mean;
    s->least = s->count && s->least < x ? s->least : x;
    s->most = s->count && s->most > x ? s->most : x;
    s->mean += off / (double)++s->count;
    s->squares += off * (x - s->mean);
}

double spread_deviation(const Spread *s) {
    return s->count > 1 ? sqrt(s->squares / (double)(s->count - 1)) : 0;
}

static void side_round(KernelSide *side) {
    int64_t calls = atomic_load(&side->calls), ns = atomic_load(&side->ns);
    if (calls != side->seen_calls)
        spread_add(&side->rounds, (double)(ns - side->seen_ns));
    side->seen_calls = calls;
    side->seen_ns = ns;
}

void profile_round(int64_t ns) {
    pthread_mutex_lock(&row_lock);
    for (int i = 0; i <= ROWS; i++) {
        KernelStat *row = i < ROWS ? &rows[i] : &rest;
        side_round(&row->host);
        side_round(&row->device);
    }
    spread_add(&whole, (double)ns);
    pthread_mutex_unlock(&row_lock);
}

const Spread *profile_rounds(void) {
    return &whole;
}

void profile_restart(void) {
    pthread_mutex_lock(&row_lock);
    for (int i = 0; i <= ROWS; i++) {
        KernelStat *row = i < ROWS ? &rows[i] : &rest;
        row->host = row->device = (KernelSide){0};
        row->chosen[0] = row->chosen[1] = 0;
    }
    whole = (Spread){0};
    pthread_mutex_unlock(&row_lock);
    metrics_restart();
}
