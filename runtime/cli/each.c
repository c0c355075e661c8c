/* --each: a dag for every element of a list. Instances run many at a time, each as if alone; a
   faulted one stops no other. Results are collected as lists of optional values, then narrowed:
   to plain lists when all are there, to dense arrays when all have one shape. */
#include "cli.h"

#include <string.h>

enum { BATCH = 256 };

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

/* The list for one input. */
typedef struct {
    int port;
    const GactType *type;
    GactSlot *slots;
} Source;

typedef struct {
    Region *region;
    const GactEntry *entry;
    GactError *error;
    Inputs inputs; /* slots of the sources' ports are those of one instance */
    Source *sources;
    int nsources;
    int64_t count;
    Builder *results; /* for each output, of Option[T] */
    bool *complete;   /* no null among them */
    int64_t faults;
} Each;

static GactStatus read_source(Each *e, const Assignment *a, Source *s) {
    s->port = port_named(e->entry->inputs, e->entry->ninputs, a->name);
    const GactPort *p = &e->entry->inputs[s->port];
    s->type = list_of(e->region, p->type);
    s->slots = region_zero(e->region, (size_t)s->type->slots, sizeof *s->slots);
    e->inputs.slots[s->port] = region_zero(e->region, (size_t)p->type->slots, sizeof(GactSlot));
    e->inputs.specs[s->port] = a->spec;
    Reader r = {.region = e->region,
                .error = e->error,
                .source = a->spec,
                .type = s->type,
                .wanted = region_printf(e->region, "a list of %s", p->text),
                .what = region_printf(e->region, "input %s", p->name)};
    if (!spec_read(&r, a->spec, s->slots))
        return GACT_BAD_INPUT;
    if (s != e->sources && s->slots[0].i != e->count)
        return error_set(e->error, GACT_BAD_INPUT, "input %s has %lld instances, input %s has %lld",
                         p->name, (long long)s->slots[0].i, e->entry->inputs[e->sources->port].name,
                         (long long)e->count);
    e->count = s->slots[0].i;
    return GACT_OK;
}

/* Moves the sources' inputs to instance i. */
static void select_instance(Each *e, int64_t i) {
    for (int k = 0; k < e->nsources; k++) {
        const Source *s = &e->sources[k];
        value_element(s->type->elem, s->slots + 1, i, e->inputs.slots[s->port]);
    }
}

/* Checks the sizes of every instance before any runs. */
static GactStatus check_instances(Each *e) {
    for (int64_t i = 0; i < e->count; i++) {
        Region scratch = {0};
        GactError why = {0};
        select_instance(e, i);
        GactStatus status = inputs_check(&scratch, &e->inputs, &why);
        region_free(&scratch);
        if (status)
            return error_set(e->error, status, "instance %lld: %s", (long long)i, why.text);
    }
    return GACT_OK;
}

static GactStatus read_sources(Each *e, const Settings *s) {
    GactStatus status = inputs_read(e->region, e->entry, &s->in, &s->each, &e->inputs, e->error);
    e->sources = region_zero(e->region, (size_t)s->each.count, sizeof *e->sources);
    for (int k = 0; k < s->each.count && !status; k++, e->nsources++)
        status = read_source(e, &s->each.at[k], &e->sources[k]);
    return status ? status : check_instances(e);
}

/* ---- running ---- */

static GactStatus give_inputs(Each *e, GactCall *call, int64_t instance) {
    GactStatus status = GACT_OK;
    gact_call_clear(call);
    select_instance(e, instance);
    for (int k = 0; k < e->entry->ninputs && !status; k++)
        if (e->inputs.slots[k])
            status = gact_call_set(call, k, e->inputs.slots[k], e->error);
    return status;
}

static void collect_outputs(Each *e, const GactCall *call, bool usable) {
    for (int k = 0; k < e->entry->noutputs; k++) {
        Builder *b = &e->results[k];
        const GactSlot *slots = usable ? gact_call_output(call, k) : NULL;
        GactSlot small[SMALL_SLOTS], *option = slots_borrow(b->elem, small);
        memset(option, 0, sizeof *option * (size_t)b->elem->slots);
        option[0].i = slots == NULL;
        if (slots)
            memcpy(option + 1, slots, sizeof *option * (size_t)(b->elem->slots - 1));
        else
            e->complete[k] = false;
        builder_push(b, option);
        slots_return(option, small);
    }
}

/* What went wrong in an instance, on stderr. */
static void report_instance(Each *e, GactCall *call, int64_t instance, GactStatus status) {
    GactError why = {0};
    e->faults++;
    fprintf(stderr, "instance %lld:\n", (long long)instance);
    if (status != GACT_FAULTED)
        status = gact_call_run(call, &why); /* alone, it says why it is refused */
    if (status == GACT_FAULTED)
        gact_call_print_faults(call, stderr, gact_fault_format_for(stderr));
    else
        fprintf(stderr, "%s\n", why.text);
}

static GactStatus run_batch(Each *e, GactCall **calls, int64_t from, int32_t n) {
    GactStatus statuses[BATCH] = {0};
    for (int32_t i = 0; i < n; i++) {
        GactStatus status = give_inputs(e, calls[i], from + i);
        if (status)
            return status;
    }
    gact_call_run_many(calls, n, statuses);
    for (int32_t i = 0; i < n; i++) {
        if (statuses[i])
            report_instance(e, calls[i], from + i, statuses[i]);
        collect_outputs(e, calls[i], statuses[i] == GACT_OK || statuses[i] == GACT_FAULTED);
    }
    return GACT_OK;
}

static GactStatus run_instances(Each *e, GactProgram *program) {
    GactCall *calls[BATCH] = {0};
    GactStatus status = GACT_OK;
    int32_t ncalls = e->count < BATCH ? (int32_t)e->count : BATCH;
    for (int32_t i = 0; i < ncalls && !status; i++)
        status = gact_call_open(program, e->entry, &calls[i], e->error);
    progress_start(e->entry->name);
    for (int64_t from = 0; from < e->count && !status; from += ncalls) {
        int64_t left = e->count - from;
        status = run_batch(e, calls, from, left < ncalls ? (int32_t)left : ncalls);
        progress_set(from + ncalls, e->count);
    }
    progress_stop();
    for (int32_t i = 0; i < ncalls; i++)
        gact_call_close(calls[i]);
    return status;
}

/* ---- results ---- */

typedef struct {
    const GactType *type;
    GactSlot *slots;
} Result;

/* []T of arrays that all have one shape, as one dense array; unchanged otherwise. */
static Result dense_result(Region *region, Result list) {
    const GactType *t = list.type->elem;
    int64_t n = list.slots[0].i, same = 0;
    GactSlot first[SMALL_SLOTS], other[SMALL_SLOTS];
    if (t->kind != GACT_ARRAY || t->slots > SMALL_SLOTS || !n)
        return list;
    value_element(t, list.slots + 1, 0, first);
    while (same < n) {
        value_element(t, list.slots + 1, same, other);
        if (memcmp(first, other, sizeof *first * (size_t)t->rank))
            return list;
        same++;
    }
    GactType *dense = region_zero(region, 1, sizeof *dense);
    *dense = (GactType){.kind = GACT_ARRAY,
                        .rank = t->rank + 1,
                        .elem = t->elem,
                        .text = list.type->text,
                        .columns = t->rank + 2 + t->elem->columns};
    dense->slots = dense->rank + 2 * t->elem->columns;
    Result out = {dense, region_zero(region, (size_t)dense->slots, sizeof *out.slots)};
    out.slots[0].i = n;
    memcpy(out.slots + 1, first, sizeof *first * (size_t)t->slots);
    return out;
}

static Result result_of(Each *e, int k) {
    Builder *b = &e->results[k];
    const GactType *list = list_of(e->region, b->elem);
    GactSlot *slots = region_zero(e->region, (size_t)list->slots, sizeof *slots);
    builder_finish(b, &b->count, 1, slots);
    if (!e->complete[k])
        return (Result){list, slots};
    /* Nothing is missing: the column of tags, which is the first, goes. */
    slots[2] = slots[0];
    Result plain = {list_of(e->region, e->entry->outputs[k].type), slots + 2};
    return dense_result(e->region, plain);
}

static GactStatus deliver(Each *e, const Settings *s) {
    Outputs outputs = {.region = e->region};
    Text text = {.region = e->region, .file = stdout};
    GactStatus status = GACT_OK;
    for (int k = 0; k < s->out.count && !status; k++) {
        Result r =
            result_of(e, port_named(e->entry->outputs, e->entry->noutputs, s->out.at[k].name));
        status =
            outputs_add(&outputs, s->out.at[k].spec, s->out.at[k].name, r.type, r.slots, e->error);
    }
    if (s->out.count)
        return status ? status : outputs_write(&outputs, e->error);
    for (int k = 0; k < e->entry->noutputs; k++) {
        Result r = result_of(e, k);
        text_printf(&text, "%s = ", e->entry->outputs[k].name);
        value_print_short(&text, r.type, r.slots);
        text_char(&text, '\n');
    }
    text_flush(&text);
    return GACT_OK;
}

static void start_results(Each *e) {
    int n = e->entry->noutputs;
    e->results = region_zero(e->region, (size_t)n, sizeof *e->results);
    e->complete = region_zero(e->region, (size_t)n, sizeof *e->complete);
    for (int k = 0; k < n; k++) {
        e->complete[k] = true;
        builder_init(&e->results[k], e->region, option_of(e->region, e->entry->outputs[k].type));
    }
}

GactStatus run_each(Region *region, GactProgram *program, const GactEntry *entry, const Settings *s,
                    Times *times, GactError *error) {
    Each e = {.region = region, .entry = entry, .error = error};
    double start = seconds_now();
    GactStatus status = outputs_check(region, entry, &s->out, error);
    if (!status)
        status = read_sources(&e, s);
    times->load += seconds_now() - start;
    if (status)
        return status;
    start = seconds_now();
    start_results(&e);
    status = run_instances(&e, program);
    times->run = seconds_now() - start;
    start = seconds_now();
    if (!status)
        status = deliver(&e, s);
    times->store = seconds_now() - start;
    if (!status && e.faults)
        status = GACT_FAULTED;
    return status;
}
