/* The forms of the profile: a table, JSON and Prometheus's text. A kernel has a line for each place
   where it ran. The table is for people, so it says what share of the time and of the machine's
   bandwidth a kernel took. */
#include "device/metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* ---- lines ---- */

/* A kernel in one place. */
typedef struct {
    const KernelStat *row;
    const KernelSide *side;
    const char *place;
    int64_t calls, ns, work, bytes, flops;
} Line;

typedef struct {
    Line *lines;
    int count;
    int64_t ns; /* of all */
} Lines;

static void lines_add(Lines *l, const KernelStat *row, const KernelSide *side, const char *place) {
    if (!atomic_load(&side->calls))
        return;
    Line *line = &l->lines[l->count++];
    *line = (Line){row,
                   side,
                   place,
                   atomic_load(&side->calls),
                   atomic_load(&side->ns),
                   atomic_load(&side->work),
                   atomic_load(&side->bytes),
                   atomic_load(&side->flops)};
    l->ns += line->ns;
}

/* No lines when there is no memory for them. */
static Lines lines_take(int (*order)(const void *a, const void *b)) {
    Lines l = {0};
    int count;
    KernelStat **rows = profile_rows(&count);
    if (rows)
        l.lines = malloc((2 * (size_t)count + 1) * sizeof *l.lines);
    for (int i = 0; l.lines && i < count; i++) {
        lines_add(&l, rows[i], &rows[i]->host, "host");
        lines_add(&l, rows[i], &rows[i]->device, "device");
    }
    if (l.count)
        qsort(l.lines, (size_t)l.count, sizeof *l.lines, order);
    free(rows);
    return l;
}

static int by_time(const void *a, const void *b) {
    const Line *x = a, *y = b;
    return (x->ns < y->ns) - (x->ns > y->ns);
}

static int by_name(const void *a, const void *b) {
    const Line *x = a, *y = b;
    int order = strcmp(x->row->name, y->row->name);
    return order ? order : strcmp(x->place, y->place);
}

static double rate(int64_t amount, int64_t ns) {
    return ns ? (double)amount / (double)ns : 0;
}

/* ---- the table ---- */

typedef struct {
    FILE *out;
    int64_t ns;
    double peak; /* of the host's bandwidth, GB/s; 0: not known */
    bool flops, rounds;
} Table;

static void print_head(const Table *t, const char *title) {
    fprintf(t->out, "%-24s %8s", title, "calls");
    if (t->rounds)
        fprintf(t->out, " %11s %11s %11s %11s %6s", "min ms", "mean ms", "max ms", "deviation",
                "share");
    else
        fprintf(t->out, " %11s %6s %14s %14s", "ms", "share", "elements", "bytes");
    fprintf(t->out, " %8s", "GB/s");
    if (t->flops)
        fprintf(t->out, " %8s", "GFLOP/s");
    fprintf(t->out, " %6s  %s\n", "of max", "fused");
}

static void print_spread(FILE *out, const Spread *s) {
    fprintf(out, " %11.3f %11.3f %11.3f %11.3f", s->least / 1e6, s->mean / 1e6, s->most / 1e6,
            spread_deviation(s) / 1e6);
}

static void print_line(const Table *t, const Line *line, double peak) {
    double share = t->ns ? 100.0 * (double)line->ns / (double)t->ns : 0;
    double speed = rate(line->bytes, line->ns);
    const Spread *rounds = &line->side->rounds;
    fprintf(t->out, "%-24.24s", line->row->name);
    if (t->rounds) {
        fprintf(t->out, " %8" PRId64, line->calls / (rounds->count ? rounds->count : 1));
        print_spread(t->out, rounds);
        fprintf(t->out, " %5.1f%%", share);
    } else {
        fprintf(t->out, " %8" PRId64 " %11.3f %5.1f%% %14" PRId64 " %14" PRId64, line->calls,
                (double)line->ns / 1e6, share, line->work, line->bytes);
    }
    fprintf(t->out, " %8.2f", speed);
    if (t->flops)
        fprintf(t->out, " %8.2f", rate(line->flops, line->ns));
    if (peak > 0)
        fprintf(t->out, " %5.0f%%", 100 * speed / peak);
    else
        fprintf(t->out, " %6s", "");
    fprintf(t->out, "  %s\n", line->row->ops);
}

/* The lines of a place; none and no head when nothing ran there, unless it must have a head. */
static void print_place(Table *t, const Lines *l, const char *place, const char *title,
                        bool must_head) {
    int count = 0;
    t->flops = false;
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->lines[i].place, place)) {
            count++;
            t->flops |= l->lines[i].flops != 0;
        }
    if (count || must_head)
        print_head(t, title);
    for (int i = 0; i < l->count; i++)
        if (!strcmp(l->lines[i].place, place))
            print_line(t, &l->lines[i], strcmp(place, "host") ? 0 : t->peak);
}

/* Where kernels were put and what they were thought to take; nothing where nobody chose. */
static void print_choices(FILE *out) {
    int count, printed = 0;
    KernelStat **rows = profile_rows(&count);
    for (int i = 0; rows && i < count; i++) {
        const KernelStat *row = rows[i];
        if (!row->chosen[0] && !row->chosen[1])
            continue;
        if (!printed++)
            fprintf(out, "%-24s %8s %8s %14s %14s\n", "placed by cost", "host", "device", "ms on host",
                    "ms on device");
        fprintf(out, "%-24.24s %8" PRId64 " %8" PRId64 " %14.3f %14.3f  %s\n", row->name, row->chosen[0],
                row->chosen[1], (double)row->estimate[0] / 1e6, (double)row->estimate[1] / 1e6, row->ops);
    }
    free(rows);
}

/* Instances of batches, if there were any: their kernels are no rows, as each has its part of a
   thread alone. */
static void print_instances(FILE *out) {
    int64_t values[METRIC_COUNT];
    metrics_read(values);
    if (!values[METRIC_INSTANCES])
        return;
    fprintf(out, "instances: %" PRId64 " in %.3f ms, %.0f a second", values[METRIC_INSTANCES],
            (double)values[METRIC_INSTANCE_NS] / 1e6,
            1e9 * rate(values[METRIC_INSTANCES], values[METRIC_INSTANCE_NS]));
    if (values[METRIC_INSTANCES_AT_ONCE] || values[METRIC_INSTANCES_AGAIN])
        fprintf(out, "; %" PRId64 " many at once, %" PRId64 " again after faults",
                values[METRIC_INSTANCES_AT_ONCE], values[METRIC_INSTANCES_AGAIN]);
    fputc('\n', out);
}

void profile_print(FILE *out) {
    double read, copy;
    const Spread *whole = profile_rounds();
    machine_rates(&read, &copy);
    Lines l = lines_take(by_time);
    Table t = {
        .out = out, .ns = l.ns, .peak = read > copy ? read : copy, .rounds = whole->count > 1};
    print_place(&t, &l, "host", "kernel", !l.count);
    print_place(&t, &l, "device", "kernel on the device", false);
    if (t.rounds) {
        fprintf(out, "%-24s %8" PRId64, "(whole run)", whole->count);
        print_spread(out, whole);
        fputc('\n', out);
    }
    print_choices(out);
    metrics_print(out);
    print_instances(out);
    fprintf(out, "machine: %.1f GB/s read, %.1f GB/s copied, %d threads\n", read, copy,
            pool_threads());
    free(l.lines);
}

void gact_profile_print(FILE *out) {
    profile_print(out);
}

/* ---- JSON ---- */

static void json_spread(FILE *out, const Spread *s) {
    fprintf(out,
            "\"rounds\": %" PRId64 ", \"min_ns\": %.0f, \"mean_ns\": %.1f, "
            "\"max_ns\": %.0f, \"deviation_ns\": %.1f",
            s->count, s->least, s->mean, s->most, spread_deviation(s));
}

static void json_line(FILE *out, const Line *line) {
    fputs("{\"name\": ", out);
    json_print_string(out, line->row->name, strlen(line->row->name));
    fputs(", \"ops\": ", out);
    json_print_string(out, line->row->ops, strlen(line->row->ops));
    fprintf(out,
            ", \"place\": \"%s\", \"calls\": %" PRId64 ", \"ns\": %" PRId64
            ", \"elements\": %" PRId64 ", \"bytes\": %" PRId64 ", \"flops\": %" PRId64 ", ",
            line->place, line->calls, line->ns, line->work, line->bytes, line->flops);
    fprintf(out, "\"gb_per_s\": %.4g, \"gflop_per_s\": %.4g, ", rate(line->bytes, line->ns),
            rate(line->flops, line->ns));
    if (line->row->chosen[0] || line->row->chosen[1])
        fprintf(out, "\"host_estimate_ns\": %" PRId64 ", \"device_estimate_ns\": %" PRId64 ", ",
                line->row->estimate[0], line->row->estimate[1]);
    json_spread(out, &line->side->rounds);
    fputc('}', out);
}

void profile_print_json(FILE *out) {
    double read, copy;
    Lines l = lines_take(by_time);
    fputs("{\"run\": {", out);
    json_spread(out, profile_rounds());
    fputs("},\n\"kernels\": [", out);
    for (int i = 0; i < l.count; i++) {
        fputs(i ? ",\n" : "\n", out);
        json_line(out, &l.lines[i]);
    }
    fputs("],\n\"metrics\": {", out);
    metrics_print_json(out);
    machine_rates(&read, &copy); /* last, as it takes memory */
    fprintf(out,
            "},\n\"machine\": {\"read_gb_per_s\": %.3f, \"copy_gb_per_s\": %.3f, "
            "\"threads\": %d}}\n",
            read, copy, pool_threads());
    free(l.lines);
}

/* ---- Prometheus ---- */

/* Adds up the lines of one name and place. */
static void lines_merge(Lines *l) {
    int count = 0;
    for (int i = 0; i < l->count; i++) {
        Line *to = &l->lines[count - 1], *from = &l->lines[i];
        if (!count || by_name(to, from)) {
            l->lines[count++] = *from;
            continue;
        }
        to->calls += from->calls;
        to->ns += from->ns;
        to->bytes += from->bytes;
        to->flops += from->flops;
    }
    l->count = count;
}

static void print_label(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text == '\n' ? ' ' : *text, out);
    }
}

static void print_samples(FILE *out, const Lines *l, const char *name, const char *help,
                          double (*value)(const Line *line), int digits) {
    fprintf(out, "# HELP gact_kernel_%s %s.\n# TYPE gact_kernel_%s counter\n", name, help, name);
    for (int i = 0; i < l->count; i++) {
        fprintf(out, "gact_kernel_%s{kernel=\"", name);
        print_label(out, l->lines[i].row->name);
        fprintf(out, "\",place=\"%s\"} %.*f\n", l->lines[i].place, digits, value(&l->lines[i]));
    }
}

static double line_calls(const Line *line) {
    return (double)line->calls;
}

static double line_seconds(const Line *line) {
    return (double)line->ns / 1e9;
}

static double line_bytes(const Line *line) {
    return (double)line->bytes;
}

static double line_flops(const Line *line) {
    return (double)line->flops;
}

void profile_print_prometheus(FILE *out) {
    Lines l = lines_take(by_name);
    lines_merge(&l);
    if (l.count) {
        print_samples(out, &l, "calls_total", "Calls of kernels", line_calls, 0);
        print_samples(out, &l, "seconds_total", "Time spent in kernels", line_seconds, 9);
        print_samples(out, &l, "bytes_total", "Bytes that kernels moved, by estimate", line_bytes,
                      0);
        print_samples(out, &l, "flops_total", "Operations on floats in kernels, by estimate", line_flops,
                      0);
    }
    free(l.lines);
}

void gact_metrics_print(FILE *out) {
    metrics_print_prometheus(out);
    profile_print_prometheus(out);
}
