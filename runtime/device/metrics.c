/* The counters, and their three forms: lines of the profile, JSON and Prometheus's text. The rows
   of metrics.def say what each is called and how it is shown. */
#include "metrics.h"

#include <ctype.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>

typedef enum { COUNT, BYTES, NS, LEVEL, LEVEL_BYTES } Kind;

static const struct {
    const char *id, *name, *labels, *help;
    Kind kind;
} rows[METRIC_COUNT] = {
#define METRIC(id, name, labels, kind, help) [METRIC_##id] = {#id, name, labels, help, kind},
#include "metrics.def"
};

_Atomic int64_t metric_counters[METRIC_COUNT];

enum { MOST_POOLS = 16 };
static struct {
    pthread_mutex_t lock;
    DevicePool *pools[MOST_POOLS];
    int32_t count;
    DevicePoolStats past; /* of pools that are closed */
    int64_t base[METRIC_COUNT];
} watched = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- pools ---- */

static void add_growing(DevicePoolStats *sum, const DevicePoolStats *s) {
    sum->hits += s->hits;
    sum->misses += s->misses;
    sum->evictions += s->evictions;
    sum->evicted_bytes += s->evicted_bytes;
    sum->spills += s->spills;
    sum->spilled_bytes += s->spilled_bytes;
    sum->failures += s->failures;
    sum->peak_bytes = sum->peak_bytes > s->peak_bytes ? sum->peak_bytes : s->peak_bytes;
}

static void add_levels(DevicePoolStats *sum, const DevicePoolStats *s) {
    sum->live_blocks += s->live_blocks;
    sum->live_bytes += s->live_bytes;
    sum->kept_bytes += s->kept_bytes;
}

void metrics_watch(DevicePool *pool) {
    pthread_mutex_lock(&watched.lock);
    if (watched.count < MOST_POOLS)
        watched.pools[watched.count++] = pool;
    pthread_mutex_unlock(&watched.lock);
}

void metrics_unwatch(DevicePool *pool) {
    DevicePoolStats stats;
    pthread_mutex_lock(&watched.lock);
    for (int32_t k = 0; k < watched.count; k++)
        if (watched.pools[k] == pool) {
            device_pool_stats(pool, &stats);
            add_growing(&watched.past, &stats);
            watched.pools[k] = watched.pools[--watched.count];
            break;
        }
    pthread_mutex_unlock(&watched.lock);
}

/* The sum over all pools, and the greatest pressure. */
static DevicePoolStats pools_read(int64_t *pressure) {
    pthread_mutex_lock(&watched.lock);
    DevicePoolStats sum = watched.past, stats;
    *pressure = 0;
    for (int32_t k = 0; k < watched.count; k++) {
        device_pool_stats(watched.pools[k], &stats);
        add_growing(&sum, &stats);
        add_levels(&sum, &stats);
        int64_t own = device_pool_pressure(watched.pools[k]);
        *pressure = *pressure > own ? *pressure : own;
    }
    pthread_mutex_unlock(&watched.lock);
    return sum;
}

/* ---- reading ---- */

static void read_pools(int64_t values[METRIC_COUNT]) {
    DevicePoolStats s = pools_read(&values[METRIC_PRESSURE]);
    values[METRIC_POOL_HITS] = s.hits;
    values[METRIC_POOL_MISSES] = s.misses;
    values[METRIC_POOL_FAILURES] = s.failures;
    values[METRIC_EVICTIONS] = s.evictions;
    values[METRIC_EVICTED_BYTES] = s.evicted_bytes;
    values[METRIC_SPILLS] = s.spills;
    values[METRIC_SPILLED_BYTES] = s.spilled_bytes;
    values[METRIC_LIVE_BLOCKS] = s.live_blocks;
    values[METRIC_LIVE_BYTES] = s.live_bytes;
    values[METRIC_PEAK_BYTES] = s.peak_bytes;
    values[METRIC_KEPT_BYTES] = s.kept_bytes;
}

static void read_code(int64_t values[METRIC_COUNT]) {
    DeviceCodeStats s;
    device_code_stats(&s);
    values[METRIC_COMPILES] = s.misses;
    values[METRIC_CODE_HITS] = s.hits;
    values[METRIC_CODE_MADE] = s.made;
    values[METRIC_COMPILE_NS] = s.compile_ns;
}

static void read_host(int64_t values[METRIC_COUNT]) {
    GactMemoryStats s;
    gact_memory_stats(&s);
    values[METRIC_HOST_HITS] = s.hits;
    values[METRIC_HOST_MISSES] = s.misses;
    values[METRIC_HOST_LIVE] = s.live_bytes;
    values[METRIC_HOST_PEAK] = s.peak_bytes;
    values[METRIC_HOST_KEPT] = s.kept_bytes;
    values[METRIC_THREADS] = pool_threads();
}

void metrics_read(int64_t values[METRIC_COUNT]) {
    for (int k = 0; k < METRIC_COUNT; k++)
        values[k] = atomic_load_explicit(&metric_counters[k], memory_order_relaxed);
    read_code(values);
    read_pools(values);
    read_host(values);
}

static bool grows(int k) {
    return rows[k].kind < LEVEL;
}

void metrics_restart(void) {
    int64_t values[METRIC_COUNT];
    metrics_read(values);
    memcpy(watched.base, values, sizeof values);
}

/* The values, where they grow since metrics_restart. */
static void read_since(int64_t values[METRIC_COUNT]) {
    metrics_read(values);
    for (int k = 0; k < METRIC_COUNT; k++)
        if (grows(k))
            values[k] -= watched.base[k];
}

/* ---- the profile ---- */

static double mb(int64_t bytes) {
    return (double)bytes / 1e6;
}

static double ratio(int64_t a, int64_t b) {
    return b ? (double)a / (double)b : 0;
}

static void print_copies(FILE *out, const char *what, const int64_t *v, Metric count, Metric bytes,
                         Metric ns) {
    if (!v[count])
        return;
    fprintf(out, "%-24s %8" PRId64 " %11.3f ms %14.3f MB %8.2f GB/s\n", what, v[count],
            (double)v[ns] / 1e6, mb(v[bytes]), ratio(v[bytes], v[ns]));
}

void metrics_print(FILE *out) {
    int64_t v[METRIC_COUNT];
    read_since(v);
    if (!v[METRIC_LAUNCHES] && !v[METRIC_COPIES_IN] && !v[METRIC_COMPILES])
        return;
    print_copies(out, "copied to the device", v, METRIC_COPIES_IN, METRIC_BYTES_IN, METRIC_NS_IN);
    print_copies(out, "copied from it", v, METRIC_COPIES_OUT, METRIC_BYTES_OUT, METRIC_NS_OUT);
    print_copies(out, "copied on it", v, METRIC_COPIES_WITHIN, METRIC_BYTES_WITHIN,
                 METRIC_NS_WITHIN);
    print_copies(out, "filled on it", v, METRIC_FILLS, METRIC_FILL_BYTES, METRIC_FILL_NS);
    fprintf(out, "launches: %" PRId64 " in %.3f ms; waits: %" PRId64 " in %.3f ms\n",
            v[METRIC_LAUNCHES], (double)v[METRIC_KERNEL_NS] / 1e6, v[METRIC_WAITS],
            (double)v[METRIC_WAIT_NS] / 1e6);
    if (v[METRIC_PIECES])
        fprintf(out, "pieces: %" PRId64 " of launches that did not fit the device's memory\n", v[METRIC_PIECES]);
    if (v[METRIC_GRAPH_RUNS])
        fprintf(out, "graphs: %" PRId64 " made, %" PRId64 " run with %" PRId64 " launches and fills\n",
                v[METRIC_GRAPHS], v[METRIC_GRAPH_RUNS], v[METRIC_GRAPH_STEPS]);
    fprintf(out, "code: %" PRId64 " modules compiled in %.3f ms, %" PRId64 " kept from before\n",
            v[METRIC_COMPILES], (double)v[METRIC_COMPILE_NS] / 1e6, v[METRIC_CODE_HITS]);
    int64_t hits = v[METRIC_POOL_HITS], misses = v[METRIC_POOL_MISSES];
    fprintf(out,
            "device memory: %.1f %% of %" PRId64 " allocations from kept blocks, %.3f MB at most, "
            "%.3f MB kept, %" PRId64 " evictions, %" PRId64 " spills, pressure %s\n",
            100 * ratio(hits, hits + misses), hits + misses, mb(v[METRIC_PEAK_BYTES]),
            mb(v[METRIC_KEPT_BYTES]), v[METRIC_EVICTIONS], v[METRIC_SPILLS],
            device_pressure_name((DevicePressure)v[METRIC_PRESSURE]));
}

/* ---- JSON ---- */

void metrics_print_json(FILE *out) {
    int64_t values[METRIC_COUNT];
    read_since(values);
    for (int k = 0; k < METRIC_COUNT; k++) {
        fputs(k ? ", \"" : "\"", out);
        for (const char *c = rows[k].id; *c; c++)
            fputc(tolower((unsigned char)*c), out);
        fprintf(out, "\": %" PRId64, values[k]);
    }
}

/* ---- Prometheus ---- */

static const char *const suffixes[] = {[COUNT] = "_total",
                                       [BYTES] = "_bytes_total",
                                       [NS] = "_seconds_total",
                                       [LEVEL] = "",
                                       [LEVEL_BYTES] = "_bytes"};

void metrics_print_prometheus(FILE *out) {
    int64_t values[METRIC_COUNT];
    metrics_read(values);
    for (int k = 0; k < METRIC_COUNT; k++) {
        const char *name = rows[k].name, *suffix = suffixes[rows[k].kind], *labels = rows[k].labels;
        if (!k || strcmp(name, rows[k - 1].name))
            fprintf(out, "# HELP gact_%s%s %s.\n# TYPE gact_%s%s %s\n", name, suffix, rows[k].help,
                    name, suffix, grows(k) ? "counter" : "gauge");
        fprintf(out, "gact_%s%s", name, suffix);
        if (*labels)
            fprintf(out, "{%s}", labels);
        if (rows[k].kind == NS)
            fprintf(out, " %.9f\n", (double)values[k] / 1e9);
        else
            fprintf(out, " %" PRId64 "\n", values[k]);
    }
}
