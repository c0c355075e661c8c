/* Batches: a dag for each element of lists. Every thread of the pool has a lane, a run of its own
   whose buffers no other thread sees; it takes ranges of instances, and what it allocates for one
   serves the next. A fault ends its instance alone. Where there are fewer instances than threads
   they run one after the other, each on all threads and on the device. Nothing depends on which
   thread runs an instance: outputs have their places by number (gather.h), faults are sorted. */
#include "batch.h"

#include "device/metrics.h"
#include "device/resident.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

GactStatus gact_batch_open(GactProgram *program, const GactEntry *entry, int64_t count,
                           GactBatch **batch, GactError *error) {
    *batch = NULL;
    if (!entry || entry->kind != GACT_ENTRY_DAG)
        return error_set(error, GACT_BAD_INPUT, "a batch wants a dag");
    if (entry->ninputs > MAX_INPUTS)
        return error_set(error, GACT_BAD_INPUT, "%s: more than %d inputs", entry->name, MAX_INPUTS);
    if (count < 0)
        return error_set(error, GACT_BAD_INPUT, "%s: %lld instances", entry->name,
                         (long long)count);
    GactBatch *b = calloc(1, sizeof *b);
    if (!b)
        return error_set(error, GACT_INTERNAL, "no memory for a batch");
    b->program = program;
    b->entry = entry;
    b->count = count;
    b->refused = -1;
    b->in = region_zero(&b->region, (size_t)entry->in_slots + 8, sizeof *b->in);
    b->columns = region_zero(&b->region, (size_t)entry->ninputs + 1, sizeof *b->columns);
    *batch = b;
    return GACT_OK;
}

static void drop_faults(GactBatch *b) {
    for (int64_t k = 0; k < b->nfaults; k++)
        fault_drop(&b->faults[k]);
    free(b->faults);
    b->faults = NULL;
    b->nfaults = 0;
}

void gact_batch_close(GactBatch *batch) {
    if (!batch)
        return;
    drop_faults(batch);
    if (batch->opened)
        gathering_close(&batch->results);
    region_free(&batch->scratch);
    region_free(&batch->region);
    free(batch);
}

/* ---- inputs ---- */

static GactStatus check_number(const GactBatch *b, int32_t k, GactError *error) {
    if (k >= 0 && k < b->entry->ninputs)
        return GACT_OK;
    return error_set(error, GACT_BAD_INPUT, "%s has no input number %d", b->entry->name, k);
}

GactStatus gact_batch_set(GactBatch *batch, int32_t k, const GactSlot *slots, GactError *error) {
    GactStatus status = check_number(batch, k, error);
    if (status)
        return status;
    const GactPort *port = &batch->entry->inputs[k];
    memcpy(batch->in + port->slot, slots, (size_t)port->type->slots * sizeof *slots);
    batch->in[0].u |= UINT64_C(1) << k;
    batch->columns[k] = NULL;
    return GACT_OK;
}

GactStatus gact_batch_set_each(GactBatch *batch, int32_t k, const GactSlot *columns,
                               GactError *error) {
    GactStatus status = check_number(batch, k, error);
    if (status)
        return status;
    size_t bytes = 2 * (size_t)batch->entry->inputs[k].type->columns * sizeof *columns;
    GactSlot *own = region_alloc(&batch->region, bytes);
    memcpy(own, columns, bytes);
    batch->in[0].u |= UINT64_C(1) << k;
    batch->columns[k] = own;
    return GACT_OK;
}

/* Offsets and dims for arrays that lie one behind the other. */
static void set_array_of(GactBatch *b, int32_t k, const GactView *view) {
    int rank = view->rank - 1;
    int64_t size = 1;
    GactSlot columns[2 * (GACT_MAX_RANK + 2)] = {0}, *at = columns + 2;
    int64_t *offsets = region_alloc(&b->region, (size_t)(b->count + 1) * 8);
    for (int i = 1; i <= rank; i++)
        size *= view->dims[i];
    for (int64_t i = 0; i <= b->count; i++)
        offsets[i] = i * size;
    columns[1].p = offsets;
    for (int i = 0; rank > 1 && i < rank; i++, at += 2) {
        int64_t *dims = region_alloc(&b->region, (size_t)(b->count + 1) * 8);
        for (int64_t j = 0; j < b->count; j++)
            dims[j] = view->dims[1 + i];
        at[1].p = dims;
    }
    at[1].p = view->data;
    gact_batch_set_each(b, k, columns, NULL);
}

GactStatus gact_batch_set_view(GactBatch *batch, const char *name, const GactView *view,
                               GactError *error) {
    int32_t k = port_find(batch->entry->inputs, batch->entry->ninputs, name);
    if (k < 0)
        return error_set(error, GACT_BAD_INPUT, "%s has no input %s", batch->entry->name, name);
    const GactPort *port = &batch->entry->inputs[k];
    int32_t kind, rank;
    bool is_each = view_shape(port->type, &kind, &rank) && view->rank == rank + 1;
    GactView one = *view;
    if (is_each) {
        one.rank--;
        memmove(one.dims, view->dims + 1, sizeof *view->dims * (size_t)rank);
    }
    GactStatus status = view_check(port, &one, error);
    if (status)
        return status;
    if (!is_each) {
        GactSlot slots[GACT_MAX_RANK + 2];
        view_slots(view, slots);
        return gact_batch_set(batch, k, slots, error);
    }
    if (view->dims[0] != batch->count)
        return error_set(error, GACT_BAD_INPUT, "input %s has %lld instances, the batch has %lld",
                         name, (long long)view->dims[0], (long long)batch->count);
    if (!rank)
        return gact_batch_set_each(batch, k, (GactSlot[]){{0}, {.p = view->data}}, error);
    set_array_of(batch, k, view);
    return GACT_OK;
}

/* ---- sizes ---- */

/* The sizes that an instance's inputs must have, as rows that are checked one after the other. */
static void find_checks(GactBatch *b) {
    const GactEntry *e = b->entry;
    b->checks = region_zero(&b->scratch, (size_t)e->in_slots + 1, sizeof *b->checks);
    b->nchecks = 0;
    for (int32_t k = 0; k < e->ninputs; k++) {
        const GactPort *p = &e->inputs[k];
        if (!(b->in[0].u >> k & 1) || p->type->kind != GACT_ARRAY || !p->dims)
            continue;
        for (int32_t axis = 0; axis < p->type->rank; axis++)
            b->checks[b->nchecks++] = (SizeCheck){&p->dims[axis], p->slot, axis};
    }
}

/* Is the size in an array that is empty further out, so that nothing told it? */
static bool is_untold(const GactSlot *slots, int32_t axis) {
    for (int32_t k = 0; k < axis; k++)
        if (slots[k].i == 0)
            return slots[axis].i == 0;
    return false;
}

/* Does the size fit? A symbol's first size is the symbol's; a size that nothing told becomes what
   it must be. */
static bool size_fits(Lane *lane, const SizeCheck *c) {
    const GactDim *d = c->dim;
    GactSlot *slots = lane->in + c->slot;
    int64_t *sizes = lane->sizes;
    int64_t size = slots[c->axis].i, rest = size - d->offset;
    bool known = d->symbol == -1 || (d->symbol >= 0 && sizes[d->symbol] >= 0);
    if (d->symbol == -2)
        return true;
    if (known) {
        int64_t want = d->offset + (d->symbol >= 0 ? d->scale * sizes[d->symbol] : 0);
        if (size != want && is_untold(slots, c->axis)) {
            size = slots[c->axis].i = want;
            lane->tells = true;
        }
        return size == want;
    }
    if (is_untold(slots, c->axis))
        return true;
    if (d->scale != 1) { /* dividing takes as long as a small instance's whole check */
        if (!d->scale || rest % d->scale)
            return false;
        rest /= d->scale;
    }
    sizes[d->symbol] = rest;
    return rest >= 0;
}

static bool sizes_fit(const GactBatch *b, Lane *lane) {
    for (int32_t k = 0; k < b->entry->nsymbols; k++)
        lane->sizes[k] = -1;
    for (int32_t k = 0; k < b->nchecks; k++)
        if (!size_fits(lane, &b->checks[k]))
            return false;
    return true;
}

/* Are the kind's bytes in a column its slot? */
static bool is_word(int32_t kind) {
    return kind_is_scalar(kind) && kind_size(kind) == sizeof(GactSlot);
}

/* The inputs that differ from instance to instance. */
static void find_varying(GactBatch *b) {
    const GactEntry *e = b->entry;
    b->varying = region_zero(&b->scratch, (size_t)e->ninputs + 1, sizeof *b->varying);
    b->nvarying = 0;
    for (int32_t k = 0; k < e->ninputs; k++)
        if (b->columns[k])
            b->varying[b->nvarying++] = (Varying){.type = e->inputs[k].type,
                                                  .columns = b->columns[k],
                                                  .slot = e->inputs[k].slot,
                                                  .is_word = is_word(e->inputs[k].type->kind)};
}

/* Moves the lane's inputs to instance i. */
static inline void select_instance(const GactBatch *b, Lane *lane, int64_t i) {
    for (int32_t k = 0; k < b->nvarying; k++) {
        const Varying *v = &b->varying[k];
        if (v->is_word)
            lane->in[v->slot] = ((const GactSlot *)v->columns[1].p)[i];
        else
            value_element(v->type, v->columns, i, lane->in + v->slot);
    }
}

static void check_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    GactBatch *b = env;
    Lane *lane = &b->lanes[thread_of(ctx)->id];
    for (int64_t i = lo; i < hi && i < lane->refused; i++) {
        select_instance(b, lane, i);
        if (!sizes_fit(b, lane))
            lane->refused = i;
    }
}

/* Refuses the batch for its first instance whose sizes do not fit. */
static GactStatus check_instances(GactBatch *b, Thread *t, GactError *error) {
    b->refused = b->count;
    b->tells = false;
    if (b->nchecks)
        pool_run(t, "check instances", check_range, b, b->count);
    for (int32_t k = 0; k < b->nlanes; k++) {
        b->refused = b->lanes[k].refused < b->refused ? b->lanes[k].refused : b->refused;
        b->tells |= b->lanes[k].tells;
    }
    if (b->refused == b->count)
        return GACT_OK;
    GactError why = {.text = "the sizes of its inputs do not fit"};
    select_instance(b, &b->lanes[0], b->refused);
    shapes_check(b->entry, b->lanes[0].in, &why);
    return error_set(error, GACT_BAD_INPUT, "instance %lld: %s", (long long)b->refused, why.text);
}

static GactStatus check_given(const GactBatch *b, GactError *error) {
    const GactEntry *e = b->entry;
    for (int32_t k = 0; k < e->ninputs; k++)
        if (!(b->in[0].u >> k & 1) && !e->inputs[k].has_default)
            return error_set(error, GACT_BAD_INPUT, "%s: input %s (%s) is missing", e->name,
                             e->inputs[k].name, e->inputs[k].text);
    return GACT_OK;
}

/* ---- running ---- */

static void bring_buffer(void *arg, GactBuf *buf) {
    rt_to_host(arg, buf, 0, true);
}

/* Notes whose the faults since the instance before are. */
static void number_faults(Lane *lane, int64_t i) {
    for (; lane->seen < lane->run.nfaults; lane->seen++)
        lane->run.faults[lane->seen].instance = i + 1;
}

static void end_instance(Lane *lane) {
    run_free_since(&lane->run, 0);
    if (lane->run.main.ctx.device)
        residence_end_run(&lane->run);
    lane->at++;
}

/* Takes the outputs of an instance that many_run did; false if it did not. */
static bool take_done(GactBatch *b, Lane *lane) {
    for (int32_t k = 0; k < b->entry->noutputs; k++) {
        GactSlot *slots = lane->out + b->entry->outputs[k].slot;
        if (!many_output(b->many, lane->at, k, slots))
            return false;
        part_take(&b->results, lane->part, k, lane->at, slots);
    }
    lane->at++;
    return true;
}

static void run_instance(GactBatch *b, Lane *lane) {
    const GactEntry *e = b->entry;
    Thread *t = &lane->run.main;
    int64_t i = lane->at;
    if (b->many && take_done(b, lane))
        return;
    select_instance(b, lane, i);
    if (b->tells)
        sizes_fit(b, lane);
    for (int32_t k = 0; k < e->noutputs; k++)
        lane->out[k].i = 1;
    e->run(&t->ctx, lane->in, lane->out);
    for (int32_t k = 0; t->ctx.device && k < e->noutputs; k++)
        if (!lane->out[k].i)
            value_each_buffer(e->outputs[k].type, lane->out + e->outputs[k].slot, bring_buffer,
                              &t->ctx);
    if (t->ctx.device)
        rt_to_host(&t->ctx, NULL, 0, false);
    for (int32_t k = 0; k < e->noutputs; k++)
        part_take(&b->results, lane->part, k, i,
                  lane->out[k].i ? NULL : lane->out + e->outputs[k].slot);
    number_faults(lane, i);
    end_instance(lane);
}

/* An instance that no guard stopped: it has no outputs. */
static void lose_instance(GactBatch *b, Lane *lane) {
    run_keep_fault(&lane->run, &lane->run.main.pending);
    number_faults(lane, lane->at);
    for (int32_t k = 0; k < b->entry->noutputs; k++)
        part_take(&b->results, lane->part, k, lane->at, NULL);
    end_instance(lane);
}

enum { DONE_STEP = 64 }; /* small instances between two notes of progress */

/* Runs the lane's range until an instance leaves by the landing here. */
static void run_instances(GactBatch *b, Lane *lane) {
    Landing landing;
    landing_push(&lane->run.main, &landing);
    if (_setjmp(landing.jump)) {
        lose_instance(b, lane);
        return;
    }
    int64_t step = b->is_wide ? 1 : DONE_STEP;
    while (lane->at < lane->part->hi) {
        run_instance(b, lane);
        if (lane->at % step == 0)
            atomic_fetch_add_explicit(&b->done, step, memory_order_relaxed);
    }
    landing_pop(&lane->run.main, &landing);
}

static void run_lane(void *arg) {
    Lane *lane = arg;
    while (lane->at < lane->part->hi)
        run_instances(lane->batch, lane);
}

static Part *lane_part(Lane *lane) {
    if (lane->nparts == lane->cap) {
        int64_t cap = lane->cap ? 2 * lane->cap : 16;
        Part *grown = region_alloc(&lane->region, (size_t)cap * sizeof *grown);
        if (lane->nparts)
            memcpy(grown, lane->parts, (size_t)lane->nparts * sizeof *grown);
        lane->parts = grown;
        lane->cap = cap;
    }
    return &lane->parts[lane->nparts++];
}

static void run_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    GactBatch *b = env;
    Thread *t = thread_of(ctx);
    Lane *lane = &b->lanes[t->id];
    Thread *own = &lane->run.main;
    HeapCache *kept = own->cache;
    if (lo >= hi)
        return;
    lo += b->from;
    hi += b->from;
    lane->part = lane_part(lane);
    lane->at = lo;
    part_open(&b->results, lane->part, &lane->region, lo, hi);
    own->cache = t->cache;
    bool ran = stack_call(own, run_lane, lane);
    own->cache = kept;
    if (!ran)
        lane->failed = true;
}

/* ---- lanes ---- */

static bool lane_open(GactBatch *b, Lane *lane, bool alone) {
    const GactEntry *e = b->entry;
    bool opened = alone ? run_open_alone(&lane->run, b->program) : run_open(&lane->run, b->program);
    lane->batch = b;
    lane->refused = b->count;
    lane->in = region_zero(&lane->region, (size_t)e->in_slots + 8, sizeof *lane->in);
    lane->out =
        region_zero(&lane->region, (size_t)(e->out_slots + e->noutputs) + 1, sizeof *lane->out);
    lane->sizes = region_zero(&lane->region, (size_t)e->nsymbols + 1, sizeof *lane->sizes);
    memcpy(lane->in, b->in, (size_t)e->in_slots * sizeof *lane->in);
    lane->run.main.ctx.serial = alone;
    lane->run.main.ctx.device = alone ? NULL : runtime_device();
    return opened;
}

/* As many as there are threads; the first is there in any case. */
static bool lanes_open(GactBatch *b) {
    b->is_wide = b->count < pool_threads();
    b->nlanes = pool_threads();
    b->lanes = aligned_alloc(alignof(Lane), (size_t)b->nlanes * sizeof *b->lanes);
    if (!b->lanes)
        return false;
    memset(b->lanes, 0, (size_t)b->nlanes * sizeof *b->lanes);
    bool opened = true;
    for (int32_t k = 0; k < b->nlanes; k++)
        opened &= lane_open(b, &b->lanes[k], !b->is_wide);
    return opened;
}

static void lanes_close(GactBatch *b) {
    for (int32_t k = 0; b->lanes && k < b->nlanes; k++) {
        b->lanes[k].run.nfaults = 0; /* the batch has them */
        run_close(&b->lanes[k].run);
        region_free(&b->lanes[k].region);
    }
    free(b->lanes);
    b->lanes = NULL;
}

/* ---- results ---- */

static int by_place(const void *x, const void *y) {
    const Part *a = x, *b = y;
    return (a->lo > b->lo) - (a->lo < b->lo);
}

static bool gather_parts(GactBatch *b, Thread *t) {
    int64_t count = 0, at = 0;
    for (int32_t k = 0; k < b->nlanes; k++)
        count += b->lanes[k].nparts;
    Part *parts = malloc((size_t)(count + 1) * sizeof *parts);
    if (!parts)
        return false;
    for (int32_t k = 0; k < b->nlanes; k++)
        for (int64_t p = 0; p < b->lanes[k].nparts; p++)
            parts[at++] = b->lanes[k].parts[p];
    qsort(parts, (size_t)count, sizeof *parts, by_place);
    gathering_finish(&b->results, t, parts, count);
    free(parts);
    return true;
}

/* An instance's faults are in the order in which they were met. */
static int by_instance(const void *x, const void *y) {
    const Fault *a = x, *b = y;
    int order = (a->instance > b->instance) - (a->instance < b->instance);
    return order ? order : (a->serial > b->serial) - (a->serial < b->serial);
}

static bool gather_faults(GactBatch *b) {
    int64_t count = 0;
    for (int32_t k = 0; k < b->nlanes; k++)
        count += b->lanes[k].run.nfaults;
    b->faults = malloc((size_t)(count + 1) * sizeof *b->faults);
    if (!b->faults)
        return false;
    for (int32_t k = 0; k < b->nlanes; k++)
        for (int32_t f = 0; f < b->lanes[k].run.nfaults; f++) {
            Fault *fault = &b->faults[b->nfaults++];
            *fault = b->lanes[k].run.faults[f];
            fault->serial = f;
        }
    qsort(b->faults, (size_t)count, sizeof *b->faults, by_instance);
    return true;
}

/* ---- the whole ---- */

typedef struct {
    GactBatch *batch;
    Run run; /* starts the jobs */
    GactError *error;
    GactStatus status;
} Job;

/* All instances; where there is a form for many, as many at a time as it takes. */
static void run_pieces(GactBatch *b, Thread *t) {
    b->many = many_open(b->program, b->entry, b->count, b->in, b->columns);
    int64_t room = b->many ? many_room(b->many) : b->count;
    for (b->from = 0; b->from < b->count; b->from += room) {
        int64_t left = b->count - b->from, n = left < room ? left : room;
        if (b->many)
            many_run(b->many, t, b->from, b->from + n);
        if (b->is_wide)
            run_range(&t->ctx, b, 0, n);
        else
            pool_run(t, "instances", run_range, b, n);
    }
    many_close(b->many);
    b->many = NULL;
}

static void run_all(void *arg) {
    Job *job = arg;
    GactBatch *b = job->batch;
    Thread *t = &job->run.main;
    job->status = check_instances(b, t, job->error);
    if (job->status)
        return;
    int64_t begin = clock_ns();
    run_pieces(b, t);
    atomic_store(&b->done, b->count);
    bool failed = false;
    for (int32_t k = 0; k < b->nlanes; k++)
        failed |= b->lanes[k].failed;
    if (failed || !gather_parts(b, t) || !gather_faults(b))
        job->status = error_set(job->error, GACT_INTERNAL, "no memory to run a batch");
    metric_add(METRIC_INSTANCES, b->count);
    metric_add(METRIC_INSTANCE_NS, clock_ns() - begin);
}

static GactStatus run_job(Job *job) {
    GactBatch *b = job->batch;
    bool opened = run_open(&job->run, NULL);
    if (b->opened)
        gathering_restart(&b->results);
    else
        b->opened = gathering_open(&b->results, b->entry, b->count);
    if (!opened || !b->opened || !lanes_open(b) || !stack_call(&job->run.main, run_all, job))
        job->status = error_set(job->error, GACT_INTERNAL, "no memory to run a batch");
    lanes_close(b);
    if (opened)
        run_close(&job->run);
    return job->status;
}

static GactStatus report_faults(const GactBatch *b, GactError *error) {
    if (!b->nfaults)
        return GACT_OK;
    if (error) {
        char *text = gact_batch_fault_text(b, 0, GACT_FAULT_MESSAGE);
        error_set(error, GACT_FAULTED, "instance %lld: %.*s", (long long)b->faults[0].instance - 1,
                  text ? (int)strcspn(text, "\n") : 0, text ? text : "");
        free(text);
    }
    return GACT_FAULTED;
}

GactStatus gact_batch_run(GactBatch *batch, GactError *error) {
    Job job = {.batch = batch, .error = error};
    int64_t begin = trace_on ? clock_ns() : 0;
    drop_faults(batch);
    batch->ran = false;
    atomic_store(&batch->done, 0);
    batch->refused = -1;
    GactStatus status = check_given(batch, error);
    if (!status)
        status = device_ensure(error);
    if (status)
        return status;
    region_free(&batch->scratch);
    find_checks(batch);
    find_varying(batch);
    status = run_job(&job);
    if (trace_on)
        trace_event("entry", batch->entry->name, 0, begin);
    batch->ran = !status;
    return status ? status : report_faults(batch, error);
}

int64_t gact_batch_done(const GactBatch *batch) {
    return atomic_load_explicit(&batch->done, memory_order_relaxed);
}

int64_t gact_batch_refused(const GactBatch *batch) {
    return batch->refused < batch->count ? batch->refused : -1;
}

GactStatus gact_batch_output(const GactBatch *batch, int32_t k, GactBatchOutput *out) {
    *out = (GactBatchOutput){0};
    if (!batch->ran || k < 0 || k >= batch->entry->noutputs)
        return GACT_BAD_INPUT;
    const Gather *g = &batch->results.outputs[k];
    *out = (GactBatchOutput){.columns = g->slots,
                             .shape = g->is_dense ? g->shape : NULL,
                             .absent = g->absent,
                             .absent_count = atomic_load(&g->nabsent)};
    return GACT_OK;
}

GactStatus gact_batch_get_view(const GactBatch *batch, const char *name, GactView *view,
                               GactError *error) {
    const GactEntry *e = batch->entry;
    int32_t k = port_find(e->outputs, e->noutputs, name), rank;
    GactBatchOutput out;
    *view = (GactView){0};
    if (k < 0)
        return error_set(error, GACT_BAD_INPUT, "%s has no output %s", e->name, name);
    if (gact_batch_output(batch, k, &out))
        return error_set(error, GACT_FAULTED, "output %s was not delivered", name);
    if (!view_shape(e->outputs[k].type, &view->kind, &rank) || rank >= GACT_MAX_RANK)
        return error_set(error, GACT_BAD_INPUT, "output %s: a %s cannot be shown as a view", name,
                         e->outputs[k].text);
    if (rank && !out.shape)
        return error_set(error, GACT_BAD_INPUT,
                         "output %s: its instances differ in size, which no view can show", name);
    view->rank = rank + 1;
    view->dims[0] = batch->count;
    for (int32_t i = 0; i < rank; i++)
        view->dims[i + 1] = out.shape[i];
    view->data = out.columns[1].p;
    return GACT_OK;
}

/* ---- faults ---- */

int64_t gact_batch_fault_count(const GactBatch *batch) {
    return batch->nfaults;
}

int64_t gact_batch_fault_instance(const GactBatch *batch, int64_t k) {
    return k < 0 || k >= batch->nfaults ? -1 : batch->faults[k].instance - 1;
}

char *gact_batch_fault_text(const GactBatch *batch, int64_t k, GactFaultFormat format) {
    if (k < 0 || k >= batch->nfaults)
        return NULL;
    return fault_text(batch->program->image, &batch->faults[k], format);
}

void gact_batch_print_faults(const GactBatch *batch, FILE *out, GactFaultFormat format) {
    for (int64_t k = 0; k < batch->nfaults; k++) {
        const Fault *fault = &batch->faults[k];
        bool is_first = !k || fault[-1].instance != fault->instance;
        if (is_first && format != GACT_FAULT_JSON)
            fprintf(out, "instance %lld:\n", (long long)fault->instance - 1);
        fault_print(out, batch->program->image, fault, format);
    }
}
