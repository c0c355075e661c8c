/* --each: a dag for every element of a list, run as a batch (gact.h). A file for people gets null
   where a result is missing; one for numbers alone, what stands in its place. */
#include "cli.h"

#include <string.h>

/* ---- types of lists ---- */

/* []T */
static const GactType *list_of(Region *region, const GactType *elem) {
    GactType *t = region_zero(region, 1, sizeof *t);
    *t = (GactType){.kind = GACT_ARRAY, .rank = 1, .elem = elem, .slots = 1 + 2 * elem->columns};
    t->columns = 1 + elem->columns;
    t->text = region_printf(region, "[]%s", elem->text);
    return t;
}

/* Option[T] */
static const GactType *option_of(Region *region, const GactType *some) {
    GactType *t = region_zero(region, 3, sizeof *t), *payload = t + 1, *none = t + 2;
    GactCtor *ctors = region_zero(region, 2, sizeof *ctors);
    const GactType **items = region_zero(region, 1, sizeof *items);
    const char **names = region_zero(region, 1, sizeof *names);
    items[0] = some;
    *payload = (GactType){.kind = GACT_PRODUCT,
                          .text = "",
                          .name = "",
                          .count = 1,
                          .slots = some->slots,
                          .columns = some->columns,
                          .items = items,
                          .names = names};
    *none = (GactType){.kind = GACT_PRODUCT, .text = "", .name = ""};
    ctors[0] = (GactCtor){"Some", payload};
    ctors[1] = (GactCtor){"None", none};
    *t = (GactType){.kind = GACT_SUM,
                    .name = "Option",
                    .count = 2,
                    .slots = 1 + some->slots,
                    .columns = 1 + some->columns,
                    .ctors = ctors};
    t->text = region_printf(region, "Option[%s]", some->text);
    return t;
}

/* ---- inputs ---- */

typedef struct {
    Region *region;
    const GactEntry *entry;
    GactError *error;
    Inputs inputs;            /* slots of the sources' ports are those of one instance */
    const GactSlot **columns; /* of each source's list; NULL: the same for all */
    int64_t count;
    const char *first; /* the input that told the count */
    GactBatch *batch;
} Each;

static GactStatus read_source(Each *e, const Assignment *a) {
    int port = port_named(e->entry->inputs, e->entry->ninputs, a->name);
    const GactPort *p = &e->entry->inputs[port];
    const GactType *list = list_of(e->region, p->type);
    GactSlot *slots = region_zero(e->region, (size_t)list->slots, sizeof *slots);
    Reader r = {.region = e->region,
                .error = e->error,
                .source = a->spec,
                .type = list,
                .wanted = region_printf(e->region, "[]%s", p->text),
                .what = region_printf(e->region, "input %s", p->name)};
    if (!spec_read(&r, a->spec, slots))
        return GACT_BAD_INPUT;
    if (e->first && slots[0].i != e->count)
        return error_set(e->error, GACT_BAD_INPUT, "input %s has %lld instances, input %s has %lld",
                         p->name, (long long)slots[0].i, e->first, (long long)e->count);
    e->inputs.slots[port] = region_zero(e->region, (size_t)p->type->slots, sizeof(GactSlot));
    e->inputs.specs[port] = a->spec;
    e->columns[port] = slots + 1;
    e->count = slots[0].i;
    e->first = p->name;
    return GACT_OK;
}

static GactStatus read_sources(Each *e, const Settings *s) {
    GactStatus status = inputs_read(e->region, e->entry, &s->in, &s->each, &e->inputs, e->error);
    e->columns = region_zero(e->region, (size_t)e->entry->ninputs + 1, sizeof *e->columns);
    for (int k = 0; k < s->each.count && !status; k++)
        status = read_source(e, &s->each.at[k]);
    return status;
}

static GactStatus give_inputs(Each *e) {
    GactStatus status = GACT_OK;
    for (int k = 0; k < e->entry->ninputs && !status; k++)
        if (e->columns[k])
            status = gact_batch_set_each(e->batch, k, e->columns[k], e->error);
        else if (e->inputs.slots[k])
            status = gact_batch_set(e->batch, k, e->inputs.slots[k], e->error);
    return status;
}

/* ---- running ---- */

/* Says of a refused instance which files' sizes do not agree. */
static GactStatus refuse_instance(Each *e, int64_t i) {
    GactError why = {0};
    for (int k = 0; k < e->entry->ninputs; k++)
        if (e->columns[k])
            value_element(e->entry->inputs[k].type, e->columns[k], i, e->inputs.slots[k]);
    if (inputs_check(e->region, &e->inputs, &why))
        error_set(e->error, GACT_BAD_INPUT, "instance %lld: %s", (long long)i, why.text);
    return GACT_BAD_INPUT;
}

static GactStatus run_instances(Each *e) {
    progress_start(e->entry->name, e->batch, e->count);
    GactStatus status = gact_batch_run(e->batch, e->error);
    progress_stop();
    if (status == GACT_FAULTED)
        gact_batch_print_faults(e->batch, stderr, gact_fault_format_for(stderr));
    if (status == GACT_BAD_INPUT && gact_batch_refused(e->batch) >= 0)
        return refuse_instance(e, gact_batch_refused(e->batch));
    return status;
}

/* ---- results ---- */

typedef struct {
    const GactType *type;
    GactSlot *slots;
} Result;

static Result result_new(Region *region, const GactType *type, int64_t count,
                         const GactSlot *columns) {
    Result r = {type, region_zero(region, (size_t)type->slots, sizeof *r.slots)};
    r.slots[0].i = count;
    memcpy(r.slots + type->rank, columns, 2 * sizeof *columns * (size_t)type->elem->columns);
    return r;
}

/* One array with one more axis in front. */
static Result dense_result(Region *region, const GactType *t, int64_t count,
                           const GactBatchOutput *out) {
    GactType *dense = region_zero(region, 1, sizeof *dense);
    *dense = (GactType){.kind = GACT_ARRAY,
                        .rank = t->rank + 1,
                        .elem = t->elem,
                        .text = region_printf(region, "[]%s", t->text),
                        .columns = t->rank + 2 + t->elem->columns};
    dense->slots = dense->rank + 2 * t->elem->columns;
    Result r = result_new(region, dense, count, out->columns);
    for (int k = 0; k < t->rank; k++)
        r.slots[k + 1].i = out->shape[k];
    return r;
}

/* The columns of a list of arrays that all have one shape. */
static const GactSlot *shaped_columns(Region *region, const GactType *t, int64_t count,
                                      const GactBatchOutput *out) {
    GactSlot *columns = region_zero(region, 2 * (size_t)t->columns, sizeof *columns);
    GactSlot *at = columns + 2;
    int64_t size = 1, *offsets = region_alloc(region, (size_t)(count + 1) * 8);
    for (int k = 0; k < t->rank; k++)
        size *= out->shape[k];
    for (int64_t i = 0; i <= count; i++)
        offsets[i] = i * size;
    columns[1].p = offsets;
    for (int k = 0; t->rank > 1 && k < t->rank; k++, at += 2) {
        int64_t *dims = at[1].p = region_alloc(region, (size_t)(count + 1) * 8);
        for (int64_t i = 0; i < count; i++)
            dims[i] = out->shape[k];
    }
    memcpy(at, out->columns, 2 * sizeof *at * (size_t)t->elem->columns);
    return columns;
}

/* A list of optional values: their tags are whether they are absent. */
static Result optional_result(Region *region, const GactType *t, int64_t count,
                              const GactBatchOutput *out) {
    const GactType *option = option_of(region, t);
    const GactSlot *columns = out->shape ? shaped_columns(region, t, count, out) : out->columns;
    GactSlot *all = region_zero(region, 2 * (size_t)option->columns, sizeof *all);
    all[1].p = (void *)(uintptr_t)out->absent;
    memcpy(all + 2, columns, 2 * sizeof *all * (size_t)t->columns);
    return result_new(region, list_of(region, option), count, all);
}

/* numbers: for a file that has no null. */
static Result result_of(const Each *e, int k, bool numbers) {
    const GactType *t = e->entry->outputs[k].type;
    GactBatchOutput out;
    gact_batch_output(e->batch, k, &out);
    if (out.absent_count && !numbers)
        return optional_result(e->region, t, e->count, &out);
    return out.shape ? dense_result(e->region, t, e->count, &out)
                     : result_new(e->region, list_of(e->region, t), e->count, out.columns);
}

/* Are the instances of an array output of several sizes, and the file one of dense arrays? */
static GactStatus refuse_ragged(const Each *e, int k, const char *spec) {
    const GactType *t = e->entry->outputs[k].type;
    GactBatchOutput out;
    gact_batch_output(e->batch, k, &out);
    if (t->kind != GACT_ARRAY || out.shape || !format_is_numbers(spec))
        return GACT_OK;
    return error_set(e->error, GACT_BAD_INPUT,
                     "output %s: %s cannot hold %s of several sizes; use .json",
                     e->entry->outputs[k].name, spec, t->text);
}

/* Tells what a file has in the place of what is missing. */
static void note_absent(const Each *e, int k, const char *spec) {
    GactBatchOutput out;
    gact_batch_output(e->batch, k, &out);
    if (out.absent_count && format_is_numbers(spec))
        fprintf(stderr,
                "output %s: %s has NaN or 0 where an instance has no result: %lld of %lld\n",
                e->entry->outputs[k].name, spec, (long long)out.absent_count, (long long)e->count);
}

static GactStatus store(Each *e, const Settings *s) {
    Outputs outputs = {.region = e->region};
    GactStatus status = GACT_OK;
    for (int k = 0; k < s->out.count && !status; k++) {
        const Assignment *a = &s->out.at[k];
        int port = port_named(e->entry->outputs, e->entry->noutputs, a->name);
        status = refuse_ragged(e, port, a->spec);
        if (status)
            return status;
        note_absent(e, port, a->spec);
        Result r = result_of(e, port, format_is_numbers(a->spec));
        status = outputs_add(&outputs, a->spec, a->name, r.type, r.slots, e->error);
    }
    return status ? status : outputs_write(&outputs, e->error);
}

static void print_results(const Each *e) {
    Text text = {.region = e->region, .file = stdout};
    for (int k = 0; k < e->entry->noutputs; k++) {
        Result r = result_of(e, k, false);
        text_printf(&text, "%s = ", e->entry->outputs[k].name);
        value_print_short(&text, r.type, r.slots);
        text_char(&text, '\n');
    }
    text_flush(&text);
}

static GactStatus run_and_deliver(Each *e, const Settings *s, Times *times) {
    double start = seconds_now();
    GactStatus ran = give_inputs(e);
    if (!ran)
        ran = run_instances(e);
    times->run = seconds_now() - start;
    if (ran && ran != GACT_FAULTED)
        return ran;
    start = seconds_now();
    GactStatus status = GACT_OK;
    if (s->out.count)
        status = store(e, s);
    else
        print_results(e);
    times->store = seconds_now() - start;
    return status ? status : ran;
}

GactStatus run_each(Region *region, GactProgram *program, const GactEntry *entry, const Settings *s,
                    Times *times, GactError *error) {
    Each e = {.region = region, .entry = entry, .error = error};
    double start = seconds_now();
    GactStatus status = outputs_check(region, entry, &s->out, error);
    if (!status)
        status = read_sources(&e, s);
    times->load += seconds_now() - start;
    if (!status)
        status = gact_batch_open(program, entry, e.count, &e.batch, error);
    if (!status)
        status = run_and_deliver(&e, s, times);
    gact_batch_close(e.batch);
    return status;
}
