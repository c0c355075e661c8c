/* A layer in front of a device that turns launches which come again into graphs, so that the driver is called once for
   all of them.

   What is launched and filled on stream 0 between two other calls is a sequence. A sequence that has come twice
   becomes a graph: when it is due again, which the sequence before it tells, its steps are held back as they come, with
   the arguments they have this time, and go to the device at once when the last has come. If something else
   comes instead, those that were held back are issued one by one. Steps count as the same by their functions; grids and
   arguments may differ each time.

   Marks are calls, too, so nothing is held back while every launch is measured. */
#include "graphs.h"

#include "metrics.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 32, FEWEST_STEPS = 3, MOST_SEQUENCES = 32, TIMES = 2 };

typedef struct {
    DeviceStep step; /* its args are those here */
    alignas(8) char args[DEVICE_ARGS];
} Held;

typedef struct {
    int32_t n;
    DeviceStep keys[MOST_STEPS]; /* without arguments */
    Held *held;                  /* what the graph was run with last, or NULL */
    DeviceGraph *graph;
    int32_t seen, next; /* how often it came; what followed last, or -1 */
    int64_t used;       /* when it came last */
} Sequence;

typedef struct DeviceGraphs {
    DeviceTable table;
    const DeviceTable *real;
    Sequence *sequences[MOST_SEQUENCES];
    DeviceStep trail[MOST_STEPS]; /* the keys since the last other call */
    int32_t n;
    int32_t before;  /* the sequence that was the last to end, or -1 */
    int32_t due, at; /* the one that is held back, or -1; how many of its steps */
    Held *fresh;     /* MOST_STEPS of them */
    bool is_off;     /* the device makes no graphs */
    int64_t clock;
} DeviceGraphs;

/* ---- steps ---- */

static bool is_same(const DeviceStep *a, const DeviceStep *b) {
    return a->f == b->f && a->bytes == b->bytes && (a->f || (a->byte == b->byte && a->stretch == b->stretch));
}

static bool is_unchanged(const Held *a, const Held *b) {
    return a->step.to == b->step.to && a->step.stretch == b->step.stretch &&
           !memcmp(&a->step.grid, &b->step.grid, sizeof a->step.grid) &&
           !memcmp(a->args, b->args, (size_t)a->step.bytes);
}

static DeviceStatus issue(Device *d, const DeviceStep *s) {
    const DeviceTable *real = d->graphs->real;
    return s->f ? real->launch(d, 0, s->f, &s->grid, s->args, (size_t)s->bytes)
                : real->fill(d, 0, s->to, s->byte, s->stretch);
}

/* ---- sequences ---- */

static void drop_graph(Device *d, Sequence *s) {
    if (s->graph)
        d->graphs->real->graph_free(d, s->graph);
    free(s->held);
    s->graph = NULL;
    s->held = NULL;
}

static void drop_all(Device *d) {
    DeviceGraphs *g = d->graphs;
    for (int32_t k = 0; k < MOST_SEQUENCES; k++) {
        if (g->sequences[k])
            drop_graph(d, g->sequences[k]);
        free(g->sequences[k]);
        g->sequences[k] = NULL;
    }
    g->before = g->due = -1;
    g->n = g->at = 0;
}

static bool is_trail(const DeviceGraphs *g, const Sequence *s) {
    if (!s || s->n != g->n)
        return false;
    for (int32_t k = 0; k < s->n; k++)
        if (!is_same(&s->keys[k], &g->trail[k]))
            return false;
    return true;
}

/* A place for a sequence: a free one, else that of what was used longest ago. */
static int32_t place_for(Device *d) {
    DeviceGraphs *g = d->graphs;
    int32_t oldest = 0;
    for (int32_t k = 0; k < MOST_SEQUENCES; k++) {
        if (!g->sequences[k])
            return k;
        if (g->sequences[k]->used < g->sequences[oldest]->used)
            oldest = k;
    }
    for (int32_t k = 0; k < MOST_SEQUENCES; k++)
        if (g->sequences[k]->next == oldest)
            g->sequences[k]->next = -1;
    if (g->before == oldest)
        g->before = -1;
    drop_graph(d, g->sequences[oldest]);
    free(g->sequences[oldest]);
    g->sequences[oldest] = NULL;
    return oldest;
}

/* The trail as a sequence, which is noted if it is new; -1: no memory. */
static int32_t sequence_of_trail(Device *d) {
    DeviceGraphs *g = d->graphs;
    for (int32_t k = 0; k < MOST_SEQUENCES; k++)
        if (is_trail(g, g->sequences[k]))
            return k;
    int32_t at = place_for(d);
    Sequence *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    *s = (Sequence){.n = g->n, .next = -1};
    memcpy(s->keys, g->trail, (size_t)g->n * sizeof *g->trail);
    g->sequences[at] = s;
    return at;
}

/* Sequence k has come, and tells what is due. */
static void note_end(Device *d, int32_t k) {
    DeviceGraphs *g = d->graphs;
    Sequence *s = k < 0 ? NULL : g->sequences[k];
    if (s) {
        s->seen++;
        s->used = ++g->clock;
    }
    if (g->before >= 0 && g->sequences[g->before])
        g->sequences[g->before]->next = k;
    g->before = k;
    g->n = g->at = 0;
    int32_t next = s ? s->next : -1;
    bool is_due = next >= 0 && g->sequences[next] && g->sequences[next]->seen >= TIMES &&
                  g->sequences[next]->n >= FEWEST_STEPS;
    g->due = is_due && !g->is_off ? next : -1;
}

/* ---- holding back ---- */

/* Issues what was held back. */
static DeviceStatus flush(Device *d) {
    DeviceGraphs *g = d->graphs;
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < g->at && !status; k++)
        status = issue(d, &g->fresh[k].step);
    g->at = 0;
    g->due = -1;
    return status;
}

/* Another call than a launch or a fill on stream 0 is next. */
static DeviceStatus end_trail(Device *d) {
    DeviceGraphs *g = d->graphs;
    if (!g->n)
        return DEVICE_OK;
    DeviceStatus status = flush(d);
    note_end(d, sequence_of_trail(d));
    return status;
}

/* A graph for the sequence that was held back; false: it was issued step by step. */
static bool has_graph(Device *d, Sequence *s) {
    DeviceGraphs *g = d->graphs;
    DeviceStep steps[MOST_STEPS];
    if (s->graph)
        return true;
    s->held = malloc((size_t)s->n * sizeof *s->held);
    for (int32_t k = 0; k < s->n; k++)
        steps[k] = g->fresh[k].step;
    if (!s->held || g->real->graph_make(d, steps, s->n, &s->graph)) {
        free(s->held);
        s->held = NULL;
        g->is_off = true;
        return false;
    }
    memcpy(s->held, g->fresh, (size_t)s->n * sizeof *s->held);
    metric_add(METRIC_GRAPHS, 1);
    return true;
}

/* All steps of what is due have come. */
static DeviceStatus run_graph(Device *d) {
    DeviceGraphs *g = d->graphs;
    int32_t due = g->due;
    Sequence *s = g->sequences[due];
    DeviceStep steps[MOST_STEPS];
    bool changed[MOST_STEPS];
    if (!has_graph(d, s)) {
        DeviceStatus status = flush(d);
        note_end(d, due);
        return status;
    }
    for (int32_t k = 0; k < s->n; k++) {
        changed[k] = !is_unchanged(&s->held[k], &g->fresh[k]);
        s->held[k].step = g->fresh[k].step;
        memcpy(s->held[k].args, g->fresh[k].args, (size_t)g->fresh[k].step.bytes);
        steps[k] = s->held[k].step;
        steps[k].args = s->held[k].args;
    }
    DeviceStatus status = g->real->graph_run(d, 0, s->graph, steps, changed);
    metric_add(METRIC_GRAPH_RUNS, 1);
    metric_add(METRIC_GRAPH_STEPS, s->n);
    note_end(d, due);
    return status;
}

/* A launch or fill on stream 0. */
static DeviceStatus take_step(Device *d, const DeviceStep *step) {
    DeviceGraphs *g = d->graphs;
    DeviceStatus status = DEVICE_OK;
    if (g->due >= 0 && !is_same(step, &g->sequences[g->due]->keys[g->at]))
        status = flush(d);
    g->trail[g->n++] = *step;
    if (g->due < 0) {
        if (!status)
            status = issue(d, step);
        if (g->n == MOST_STEPS)
            note_end(d, sequence_of_trail(d));
        return status;
    }
    Held *held = &g->fresh[g->at++];
    held->step = *step;
    if (step->bytes)
        memcpy(held->args, step->args, (size_t)step->bytes);
    held->step.args = held->args;
    return g->at == g->sequences[g->due]->n ? run_graph(d) : status;
}

/* ---- the calls ---- */

static DeviceStatus graphs_launch(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                                  const void *args, size_t bytes) {
    if (stream == 0 && bytes <= DEVICE_ARGS)
        return take_step(d, &(DeviceStep){.f = f, .grid = *grid, .args = args, .bytes = (int64_t)bytes});
    DeviceStatus status = end_trail(d);
    return status ? status : d->graphs->real->launch(d, stream, f, grid, args, bytes);
}

static DeviceStatus graphs_fill(Device *d, int32_t stream, DevicePtr to, uint8_t byte, int64_t bytes) {
    if (stream == 0)
        return take_step(d, &(DeviceStep){.to = to, .byte = byte, .stretch = bytes});
    DeviceStatus status = end_trail(d);
    return status ? status : d->graphs->real->fill(d, stream, to, byte, bytes);
}

/* What was held back first. */
#define AFTER(call, ...)                                                                           \
    DeviceStatus status = end_trail(d);                                                            \
    return status ? status : d->graphs->real->call(d, __VA_ARGS__)

static DeviceStatus graphs_copy_in(Device *d, int32_t stream, DevicePtr to, const void *from,
                                   int64_t bytes) {
    AFTER(copy_in, stream, to, from, bytes);
}

static DeviceStatus graphs_copy_out(Device *d, int32_t stream, void *to, DevicePtr from, int64_t bytes) {
    AFTER(copy_out, stream, to, from, bytes);
}

static DeviceStatus graphs_copy(Device *d, int32_t stream, DevicePtr to, DevicePtr from, int64_t bytes) {
    AFTER(copy, stream, to, from, bytes);
}

static DeviceStatus graphs_order(Device *d, int32_t a, int32_t b) {
    AFTER(order, a, b);
}

static DeviceStatus graphs_mark(Device *d, int32_t stream, int32_t mark) {
    AFTER(mark, stream, mark);
}

static DeviceStatus graphs_between(Device *d, int32_t from, int32_t to, int64_t *ns) {
    AFTER(between, from, to, ns);
}

/* A wait is waited for, whatever becomes of what was held back. */
static DeviceStatus graphs_sync(Device *d, int32_t stream) {
    DeviceStatus status = end_trail(d), waited = d->graphs->real->sync(d, stream);
    return status ? status : waited;
}

/* The block may be one that a step uses which is held back. A failure shows at the next wait. */
static void graphs_free(Device *d, DevicePtr p) {
    if (d->graphs->at)
        end_trail(d);
    d->graphs->real->free(d, p);
}

/* Graphs may have functions of the module. */
static void graphs_unload(Device *d, DeviceModule *module) {
    end_trail(d);
    drop_all(d);
    d->graphs->real->unload(d, module);
}

static void graphs_close(Device *d) {
    DeviceGraphs *g = d->graphs;
    end_trail(d);
    drop_all(d);
    d->table = g->real;
    d->graphs = NULL;
    free(g->fresh);
    free(g);
    d->table->close(d);
}

void device_graphs(Device *d) {
    DeviceGraphs *g = d->table->graph_make ? calloc(1, sizeof *g) : NULL;
    Held *fresh = g ? malloc(MOST_STEPS * sizeof *fresh) : NULL;
    if (!fresh) {
        free(g);
        return;
    }
    *g = (DeviceGraphs){.table = *d->table, .real = d->table, .fresh = fresh, .before = -1, .due = -1};
    g->table.launch = graphs_launch;
    g->table.fill = graphs_fill;
    g->table.copy_in = graphs_copy_in;
    g->table.copy_out = graphs_copy_out;
    g->table.copy = graphs_copy;
    g->table.order = graphs_order;
    g->table.mark = graphs_mark;
    g->table.between = graphs_between;
    g->table.sync = graphs_sync;
    g->table.free = graphs_free;
    g->table.unload = graphs_unload;
    g->table.close = graphs_close;
    d->graphs = g;
    d->table = &g->table;
}
