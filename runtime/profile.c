/* What is known of kernels: how long an element takes, for the pool's decision, and the profile.
   Rows are found by the address of the kernel's info in a table of fixed size with open addressing;
   they are added without a lock and stay until profile_reset. */
#include "runtime.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROWS = 4096, PROBES = 64 };

bool profile_on;
static KernelStat rows[ROWS];
static KernelStat rest = {.name = "(others)", .ops = ""};
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
                   int64_t work, int64_t bytes) {
    if (trace_on)
        trace_event(category, stat->name, t->id, begin_ns);
    if (!profile_on)
        return;
    atomic_fetch_add_explicit(&stat->calls, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stat->ns, clock_ns() - begin_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&stat->work, work, memory_order_relaxed);
    atomic_fetch_add_explicit(&stat->bytes, bytes, memory_order_relaxed);
}

void profile_call(const Thread *t, const GactKernelInfo *info, int64_t begin_ns, int64_t work,
                  int64_t bytes) {
    if (profile_wants(t))
        profile_count(t, profile_kernel(info), "runtime", begin_ns, work, bytes);
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
    pthread_mutex_unlock(&row_lock);
}

/* ---- the machine's bandwidth ---- */

enum { PROBE_BYTES = 1 << 26, PROBE_CHUNKS = 256, PROBE_REPEATS = 3 };

typedef struct {
    uint64_t *from, *to;
    _Atomic uint64_t sum;
} Probe;

static void probe_read(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Probe *probe = env;
    int64_t step = PROBE_BYTES / 8 / PROBE_CHUNKS;
    uint64_t sums[8] = {0};
    (void)ctx;
    for (int64_t i = lo * step; i < hi * step; i += 8)
        for (int k = 0; k < 8; k++)
            sums[k] += probe->from[i + k];
    for (int k = 1; k < 8; k++)
        sums[0] += sums[k];
    atomic_fetch_add(&probe->sum, sums[0]);
}

static void probe_copy(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Probe *probe = env;
    int64_t step = PROBE_BYTES / 8 / PROBE_CHUNKS;
    (void)ctx;
    memcpy(probe->to + lo * step, probe->from + lo * step, (size_t)((hi - lo) * step * 8));
}

static double probe_rate(Thread *t, GactRangeFn fn, Probe *probe, int64_t bytes) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < PROBE_REPEATS; i++) {
        int64_t begin = clock_ns();
        pool_run(t, NULL, fn, probe, PROBE_CHUNKS);
        int64_t ns = clock_ns() - begin;
        best = ns < best ? ns : best;
    }
    return (double)bytes / (double)(best > 0 ? best : 1);
}

/* GB/s of reading and of copying with all threads; zeros when there is no memory for it. */
static void machine_rates(double *read, double *copy) {
    Run run;
    *read = *copy = 0;
    if (!run_open(&run, NULL))
        return;
    GactBuf *from = heap_alloc(&run.main, PROBE_BYTES), *to = heap_alloc(&run.main, PROBE_BYTES);
    if (from && to) {
        Probe probe = {(uint64_t *)(from + 1), (uint64_t *)(to + 1), 0};
        memset(probe.from, 1, PROBE_BYTES);
        memset(probe.to, 1, PROBE_BYTES);
        *copy = probe_rate(&run.main, probe_copy, &probe, 2 * (int64_t)PROBE_BYTES);
        *read = probe_rate(&run.main, probe_read, &probe, PROBE_BYTES);
    }
    run_close(&run);
}

/* ---- the table ---- */

static int by_time(const void *a, const void *b) {
    int64_t x = atomic_load(&(*(KernelStat *const *)a)->ns);
    int64_t y = atomic_load(&(*(KernelStat *const *)b)->ns);
    return (x < y) - (x > y);
}

static void print_row(FILE *out, KernelStat *row, int64_t total, double peak) {
    int64_t ns = atomic_load(&row->ns), bytes = atomic_load(&row->bytes);
    double rate = ns ? (double)bytes / (double)ns : 0;
    fprintf(out, "%-24.24s %8lld %11.3f %5.1f%% %14lld %14lld %8.2f", row->name,
            (long long)atomic_load(&row->calls), (double)ns / 1e6,
            total ? 100.0 * (double)ns / (double)total : 0, (long long)atomic_load(&row->work),
            (long long)bytes, rate);
    if (peak > 0)
        fprintf(out, " %5.0f%%", 100 * rate / peak);
    fprintf(out, "  %s\n", row->ops);
}

void profile_print(FILE *out) {
    KernelStat **list = malloc((ROWS + 1) * sizeof *list);
    if (!list)
        return;
    int count = 0;
    int64_t total = 0;
    for (int i = 0; i <= ROWS; i++) {
        KernelStat *row = i < ROWS ? &rows[i] : &rest;
        if (!atomic_load(&row->calls))
            continue;
        list[count++] = row;
        total += atomic_load(&row->ns);
    }
    double read, copy;
    machine_rates(&read, &copy);
    double peak = read > copy ? read : copy;
    qsort(list, (size_t)count, sizeof *list, by_time);
    fprintf(out, "%-24s %8s %11s %6s %14s %14s %8s %6s  %s\n", "kernel", "calls", "ms", "share",
            "elements", "bytes", "GB/s", "of max", "fused");
    for (int i = 0; i < count; i++)
        print_row(out, list[i], total, peak);
    fprintf(out, "machine: %.1f GB/s read, %.1f GB/s copied, %d threads\n", read, copy,
            pool_threads());
    free(list);
}

void gact_profile_print(FILE *out) {
    profile_print(out);
}
