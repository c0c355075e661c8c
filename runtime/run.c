/* Runs and calls: an entry with its inputs and outputs, run on a big stack inside the outermost
   landing. What a run allocates hangs on its lists; outputs are taken off them, the rest is freed
   when it ends. */
#include "runtime.h"

#include "actor/actor.h"
#include "device/nvtx.h"
#include "device/resident.h"
#include "value/scalar.h"

#include <stdlib.h>
#include <string.h>

struct GactCall {
    Run run;
    GactProgram *program;
    const GactEntry *entry;
    GactSlot *in, *out;
    char *args; /* the text that main's arguments point into, offsets first */
    bool ran;
    GactStatus status; /* of the last run */
};

/* ---- runs ---- */

static bool run_make_lists(Run *run, int32_t n) {
    if (run->nlists >= n)
        return true;
    BufList *lists = aligned_alloc(alignof(BufList), (size_t)n * sizeof *lists);
    if (!lists)
        return false;
    memset(lists, 0, (size_t)n * sizeof *lists);
    free(run->lists);
    run->lists = lists;
    run->nlists = n;
    return true;
}

/* Lists for that many threads; they are empty between runs. */
static bool run_prepare(Run *run, int32_t threads) {
    if (!run_make_lists(run, threads))
        return false;
    Thread *t = &run->main;
    t->live = &run->lists[0];
    t->landing = NULL;
    t->ctx.api = &runtime_api;
    t->ctx.depth = 0;
    return true;
}

static bool run_open_for(Run *run, const GactProgram *program, int32_t threads) {
    memset(run, 0, sizeof *run);
    run->program = program;
    run->main.run = run;
    run->main.cache = &run->main.own;
    run->main.ctx.max_depth = INT64_MAX;
    return run_prepare(run, threads);
}

bool run_open(Run *run, const GactProgram *program) {
    return run_open_for(run, program, pool_threads());
}

bool run_open_alone(Run *run, const GactProgram *program) {
    bool opened = run_open_for(run, program, 1);
    if (opened)
        run->lists[0].alone = true;
    return opened;
}

static void drop_faults(Run *run) {
    for (int32_t i = 0; i < run->nfaults; i++)
        fault_drop(&run->faults[i]);
    run->nfaults = 0;
}

void run_free_since(Run *run, int64_t stamp) {
    for (int32_t i = 0; i < run->nlists; i++)
        heap_free_since(&run->main, &run->lists[i], stamp);
}

void run_close(Run *run) {
    run_free_since(run, 0);
    drop_faults(run);
    free(run->faults);
    free(run->later);
    heap_flush(&run->main.own);
    free(run->lists);
}

/* When there is no memory for the fault it is counted as kept all the same, by its kind. */
void run_keep_fault(Run *run, const Fault *fault) {
    if (run->nfaults == run->cap) {
        int32_t cap = run->cap ? run->cap * 2 : 8;
        Fault *grown = realloc(run->faults, (size_t)cap * sizeof *grown);
        if (!grown) {
            fputs("gact: no memory to keep a fault\n", stderr);
            abort();
        }
        run->faults = grown;
        run->cap = cap;
    }
    run->faults[run->nfaults++] = *fault;
}

/* ---- values ---- */

void value_each_buffer(const GactType *type, GactSlot *slots,
                       void (*visit)(void *arg, GactBuf *buf), void *arg) {
    if (type->kind == GACT_PRODUCT) {
        for (int32_t i = 0; i < type->count; slots += type->items[i++]->slots)
            value_each_buffer(type->items[i], slots, visit, arg);
    } else if (type->kind == GACT_SUM) {
        slots++;
        for (int32_t i = 0; i < type->count; slots += type->ctors[i++].payload->slots)
            value_each_buffer(type->ctors[i].payload, slots, visit, arg);
    } else if (type->kind == GACT_ARRAY || type->kind == GACT_STRING) {
        int32_t rank = type->kind == GACT_STRING ? 1 : type->rank;
        for (int32_t at = rank; at + 1 < type->slots; at += 2)
            if (slots[at].p)
                visit(arg, slots[at].p);
    }
}

static void detach_buffer(void *arg, GactBuf *buf) {
    (void)arg;
    if (buf->count >= 0)
        heap_detach(buf);
}

static void bring_buffer(void *arg, GactBuf *buf) {
    rt_to_host(arg, buf, 0, true);
}

static void release_buffer(void *arg, GactBuf *buf) {
    heap_release(arg, buf);
}

/* Calls visit for the buffers of every delivered output. */
static void each_output(GactCall *call, void (*visit)(void *arg, GactBuf *buf), void *arg) {
    const GactEntry *entry = call->entry;
    for (int32_t k = 0; k < entry->noutputs; k++)
        if (call->out[k].i == 0)
            value_each_buffer(entry->outputs[k].type, call->out + entry->outputs[k].slot, visit,
                              arg);
}

/* ---- calls ---- */

GactStatus gact_call_open(GactProgram *program, const GactEntry *entry, GactCall **call,
                          GactError *error) {
    *call = NULL;
    if (!entry)
        return error_set(error, GACT_BAD_INPUT, "there is no such entry");
    if (entry->ninputs > MAX_INPUTS)
        return error_set(error, GACT_BAD_INPUT, "%s: more than %d inputs", entry->name, MAX_INPUTS);
    GactCall *opened = calloc(1, sizeof *opened);
    if (!opened)
        return error_set(error, GACT_INTERNAL, "no memory for a call");
    opened->program = program;
    opened->entry = entry;
    opened->in = calloc((size_t)entry->in_slots + 8, sizeof(GactSlot));
    opened->out = calloc((size_t)entry->out_slots + (size_t)entry->noutputs + 1, sizeof(GactSlot));
    if (!run_open(&opened->run, program) || !opened->in || !opened->out) {
        gact_call_close(opened);
        return error_set(error, GACT_INTERNAL, "no memory for a call");
    }
    *call = opened;
    return GACT_OK;
}

static void drop_outputs(GactCall *call) {
    if (call->ran)
        each_output(call, release_buffer, &call->run.main);
    call->ran = false;
}

void gact_call_close(GactCall *call) {
    if (!call)
        return;
    drop_outputs(call);
    run_close(&call->run);
    free(call->in);
    free(call->out);
    free(call->args);
    free(call);
}

/* ---- inputs ---- */

static void mark_present(GactCall *call, int32_t k) {
    call->in[0].u |= UINT64_C(1) << k;
}

static bool is_present(const GactCall *call, int32_t k) {
    return call->in[0].u >> k & 1;
}

GactStatus gact_call_set(GactCall *call, int32_t k, const GactSlot *slots, GactError *error) {
    const GactEntry *entry = call->entry;
    if (k < 0 || k >= entry->ninputs)
        return error_set(error, GACT_BAD_INPUT, "%s has no input number %d", entry->name, k);
    const GactPort *port = &entry->inputs[k];
    memcpy(call->in + port->slot, slots, (size_t)port->type->slots * sizeof *slots);
    mark_present(call, k);
    return GACT_OK;
}

void gact_call_clear(GactCall *call) {
    call->in[0].u = 0;
}

int32_t port_find(const GactPort *ports, int32_t n, const char *name) {
    for (int32_t k = 0; k < n; k++)
        if (!strcmp(ports[k].name, name))
            return k;
    return -1;
}

bool view_shape(const GactType *type, int32_t *kind, int32_t *rank) {
    *rank = 0;
    *kind = type->kind;
    if (type->kind == GACT_STRING) {
        *kind = GACT_U8;
        *rank = 1;
    } else if (type->kind == GACT_ARRAY) {
        *kind = type->elem->kind;
        *rank = type->rank;
    }
    return *kind < GACT_STRING && *rank <= GACT_MAX_RANK;
}

GactStatus view_check(const GactPort *port, const GactView *view, GactError *error) {
    int32_t kind, rank;
    if (!view_shape(port->type, &kind, &rank))
        return error_set(error, GACT_BAD_INPUT, "input %s: a %s cannot be given as a view",
                         port->name, port->text);
    if (view->kind < 0 || view->kind >= GACT_STRING)
        return error_set(error, GACT_BAD_INPUT, "input %s: the view's kind is no scalar kind",
                         port->name);
    if (view->kind != kind || view->rank != rank)
        return error_set(error, GACT_BAD_INPUT, "input %s: expected %s, got rank %d of %s",
                         port->name, port->text, view->rank, kind_name(view->kind));
    for (int32_t i = 0; i < rank; i++)
        if (view->dims[i] < 0)
            return error_set(error, GACT_BAD_INPUT, "input %s: size %lld is negative", port->name,
                             (long long)view->dims[i]);
    return GACT_OK;
}

void view_slots(const GactView *view, GactSlot *slots) {
    if (view->rank == 0) {
        slots[0] = scalar_load(view->kind, view->data);
        return;
    }
    for (int32_t i = 0; i < view->rank; i++)
        slots[i].i = view->dims[i];
    slots[view->rank].p = NULL;
    slots[view->rank + 1].p = view->data;
}

GactStatus gact_call_set_view(GactCall *call, const char *name, const GactView *view,
                              GactError *error) {
    const GactEntry *entry = call->entry;
    int32_t k = port_find(entry->inputs, entry->ninputs, name);
    if (k < 0)
        return error_set(error, GACT_BAD_INPUT, "%s has no input %s", entry->name, name);
    GactStatus status = view_check(&entry->inputs[k], view, error);
    if (status)
        return status;
    view_slots(view, call->in + entry->inputs[k].slot);
    mark_present(call, k);
    return GACT_OK;
}

/* An [n]string: offsets and then the bytes, in one block that the call owns. */
GactStatus gact_call_set_args(GactCall *call, int32_t argc, char *const *argv, GactError *error) {
    if (!call->entry->takes_args)
        return argc == 0 ? GACT_OK
                         : error_set(error, GACT_BAD_INPUT, "this main takes no arguments");
    size_t bytes = 0, table = ((size_t)argc + 1) * sizeof(int64_t);
    for (int32_t i = 0; i < argc; i++)
        bytes += strlen(argv[i]);
    char *block = malloc(table + bytes + 1);
    if (!block)
        return error_set(error, GACT_INTERNAL, "no memory for the arguments");
    int64_t *offsets = (int64_t *)block;
    offsets[0] = 0;
    for (int32_t i = 0; i < argc; i++) {
        size_t len = strlen(argv[i]);
        memcpy(block + table + offsets[i], argv[i], len);
        offsets[i + 1] = offsets[i] + (int64_t)len;
    }
    free(call->args);
    call->args = block;
    GactSlot *slots = call->in + 1;
    slots[0].i = argc;
    slots[1].p = slots[3].p = NULL;
    slots[2].p = offsets;
    slots[4].p = block + table;
    mark_present(call, 0);
    return GACT_OK;
}

/* ---- shapes ---- */

/* The size a symbol has been given, and by which input. */
typedef struct {
    int64_t size;
    const char *input;
} Binding;

static GactStatus check_dim(const GactEntry *entry, const GactPort *port, int32_t axis,
                            int64_t size, Binding *bindings, GactError *error) {
    const GactDim *dim = &port->dims[axis];
    if (dim->symbol == -2)
        return GACT_OK;
    if (dim->symbol == -1) {
        if (size == dim->offset)
            return GACT_OK;
        return error_set(error, GACT_BAD_INPUT,
                         "input %s: axis %d of %s has size %lld, expected %lld", port->name, axis,
                         port->text, (long long)size, (long long)dim->offset);
    }
    Binding *b = &bindings[dim->symbol];
    const char *symbol = entry->symbols[dim->symbol];
    if (b->input) {
        int64_t wanted = dim->scale * b->size + dim->offset;
        if (size == wanted)
            return GACT_OK;
        return error_set(
            error, GACT_BAD_INPUT,
            "input %s: axis %d of %s has size %lld, expected %lld, since %s is %lld by "
            "input %s",
            port->name, axis, port->text, (long long)size, (long long)wanted, symbol,
            (long long)b->size, b->input);
    }
    int64_t rest = size - dim->offset;
    if (dim->scale == 0 || rest % dim->scale != 0 || rest / dim->scale < 0)
        return error_set(error, GACT_BAD_INPUT,
                         "input %s: axis %d of %s has size %lld, which fits no %s", port->name,
                         axis, port->text, (long long)size, symbol);
    *b = (Binding){rest / dim->scale, port->name};
    return GACT_OK;
}

GactStatus shapes_check(const GactEntry *entry, const GactSlot *in, GactError *error) {
    Binding *bindings = calloc((size_t)entry->nsymbols + 1, sizeof *bindings);
    if (!bindings)
        return error_set(error, GACT_INTERNAL, "no memory to check the inputs");
    GactStatus status = GACT_OK;
    for (int32_t k = 0; k < entry->ninputs && !status; k++) {
        const GactPort *port = &entry->inputs[k];
        if (!(in[0].u >> k & 1) || port->type->kind != GACT_ARRAY || !port->dims)
            continue;
        for (int32_t axis = 0; axis < port->type->rank && !status; axis++)
            status = check_dim(entry, port, axis, in[port->slot + axis].i, bindings, error);
    }
    free(bindings);
    return status;
}

static GactStatus check_inputs(const GactCall *call, GactError *error) {
    const GactEntry *entry = call->entry;
    if (entry->takes_args && !entry->ninputs && !is_present(call, 0))
        return error_set(error, GACT_BAD_INPUT, "%s: its arguments are missing", entry->name);
    for (int32_t k = 0; k < entry->ninputs; k++)
        if (!is_present(call, k) && !entry->inputs[k].has_default)
            return error_set(error, GACT_BAD_INPUT, "%s: input %s (%s) is missing", entry->name,
                             entry->inputs[k].name, entry->inputs[k].text);
    return shapes_check(entry, call->in, error);
}

/* ---- running ---- */

/* The outermost landing: a fault that no guard caught leaves no output. */
static void run_entry(void *arg) {
    GactCall *call = arg;
    Run *run = &call->run;
    Landing landing;
    landing_push(&run->main, &landing);
    if (_setjmp(landing.jump)) {
        if (run->main.pending.is_exit)
            run->exited = true;
        else
            run_keep_fault(run, &run->main.pending);
        for (int32_t k = 0; k < call->entry->noutputs; k++)
            call->out[k].i = 1;
        return;
    }
    call->entry->run(&run->main.ctx, call->in, call->out);
    if (run->world)
        work_all(run->world, true);
    each_output(call, bring_buffer, &run->main.ctx);
    rt_to_host(&run->main.ctx, NULL, 0, false);
    landing_pop(&run->main, &landing);
}

static void reset_for_run(GactCall *call) {
    Run *run = &call->run;
    drop_outputs(call);
    drop_faults(run);
    run->exited = false;
    run->main.stamp = 0;
    atomic_store(&run->worker_stamp, 0);
    for (int32_t i = 0; i < run->nlists; i++)
        run->lists[i].stamp = 0;
    memset(call->out, 0,
           (size_t)(call->entry->out_slots + call->entry->noutputs) * sizeof *call->out);
    for (int32_t k = 0; k < call->entry->noutputs; k++)
        call->out[k].i = 1;
}

/* cache: of the thread that runs the call, or NULL for the call's own. device: for its kernels,
   NULL: the process's. */
static GactStatus call_run(GactCall *call, HeapCache *cache, bool serial, void *device,
                           GactError *error) {
    Run *run = &call->run;
    int64_t begin = trace_on ? clock_ns() : 0;
    GactStatus status = check_inputs(call, error);
    if (!status)
        status = device_ensure(error);
    if (status)
        return call->status = status;
    if (!run_prepare(run, pool_threads()))
        return call->status = error_set(error, GACT_INTERNAL, "no memory for a run");
    run->main.cache = cache ? cache : &run->main.own;
    run->main.ctx.serial = serial;
    run->main.ctx.device = serial ? NULL : device ? device : runtime_device();
    reset_for_run(call);
    if (run->main.ctx.device)
        nvtx_push(call->entry->name);
    bool ran = stack_call(&run->main, run_entry, call);
    if (run->main.ctx.device)
        nvtx_pop();
    call->ran = ran;
    world_close(run->world);
    if (ran)
        each_output(call, detach_buffer, NULL);
    run_free_since(run, 0);
    if (run->main.ctx.device) {
        place_end_run(&run->main);
        launch_forget_since(run, 0);
        residence_end_run(run);
    }
    run->main.cache = &run->main.own;
    if (trace_on)
        trace_event("entry", call->entry->name, 0, begin);
    if (!ran)
        return call->status = error_set(error, GACT_INTERNAL, "no memory for a stack");
    if (run->nfaults == 0)
        return call->status = GACT_OK;
    if (error) {
        char *text = gact_call_fault_text(call, 0, GACT_FAULT_MESSAGE);
        error_set(error, GACT_FAULTED, "%.*s", text ? (int)strcspn(text, "\n") : 0,
                  text ? text : "");
        free(text);
    }
    return call->status = GACT_FAULTED;
}

GactStatus gact_call_run(GactCall *call, GactError *error) {
    return call_run(call, NULL, false, NULL, error);
}

GactStatus call_run_on(GactCall *call, void *device) {
    return call_run(call, NULL, false, device, NULL);
}

/* ---- many ---- */

typedef struct {
    Run run;
    GactCall *const *calls;
    int32_t n;
    GactStatus *statuses;
} Many;

static void many_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Many *many = env;
    for (int64_t i = lo; i < hi; i++)
        many->statuses[i] = call_run(many->calls[i], thread_of(ctx)->cache, true, NULL, NULL);
}

static void many_run(void *arg) {
    Many *many = arg;
    pool_run(&many->run.main, "instances", many_range, many, many->n);
}

void gact_call_run_many(GactCall *const *calls, int32_t n, GactStatus *statuses) {
    Many many = {.calls = calls, .n = n, .statuses = statuses};
    bool ready = run_open(&many.run, NULL);
    if (!ready || !stack_call(&many.run.main, many_run, &many))
        for (int32_t i = 0; i < n; i++)
            statuses[i] = GACT_INTERNAL;
    if (ready)
        run_close(&many.run);
}

/* ---- results ---- */

int32_t gact_call_exited(const GactCall *call, int32_t *status) {
    if (call->run.exited && status)
        *status = call->run.exit_status;
    return call->run.exited;
}

const GactSlot *gact_call_output(const GactCall *call, int32_t k) {
    if (!call->ran || k < 0 || k >= call->entry->noutputs || call->out[k].i != 0)
        return NULL;
    return call->out + call->entry->outputs[k].slot;
}

GactStatus gact_call_get_view(const GactCall *call, const char *name, GactView *view,
                              GactError *error) {
    const GactEntry *entry = call->entry;
    int32_t k = port_find(entry->outputs, entry->noutputs, name);
    if (k < 0)
        return error_set(error, GACT_BAD_INPUT, "%s has no output %s", entry->name, name);
    const GactSlot *slots = gact_call_output(call, k);
    if (!slots)
        return error_set(error, GACT_FAULTED, "output %s was not delivered", name);
    *view = (GactView){0};
    if (!view_shape(entry->outputs[k].type, &view->kind, &view->rank))
        return error_set(error, GACT_BAD_INPUT, "output %s: a %s cannot be shown as a view", name,
                         entry->outputs[k].text);
    for (int32_t i = 0; i < view->rank; i++)
        view->dims[i] = slots[i].i;
    view->data = view->rank ? slots[view->rank + 1].p : (void *)slots;
    return GACT_OK;
}

int32_t gact_call_fault_count(const GactCall *call) {
    return call->run.nfaults;
}

char *gact_call_fault_text(const GactCall *call, int32_t k, GactFaultFormat format) {
    if (k < 0 || k >= call->run.nfaults)
        return NULL;
    return fault_text(call->program->image, &call->run.faults[k], format);
}

void gact_call_print_faults(const GactCall *call, FILE *out, GactFaultFormat format) {
    for (int32_t k = 0; k < call->run.nfaults; k++)
        fault_print(out, call->program->image, &call->run.faults[k], format);
}

/* ---- the process ---- */

GactStatus gact_configure(const GactOptions *options, GactError *error) {
    if (options->memory_limit < 0 || options->device_memory < 0)
        return error_set(error, GACT_BAD_INPUT, "the memory limit must not be negative");
    GactStatus status = pool_configure(options->threads, options->pin, error);
    device_code_stop(NULL); /* the device that has these may be closed */
    residence_stop();
    residence_limit(options->device_memory);
    if (!status)
        status = device_use(options->device, error);
    if (status)
        return status;
    heap_limit(options->memory_limit);
    profile_on = options->profile;
    if (options->trace_path && !trace_on)
        status = trace_start(options->trace_path, error);
    return status;
}

GactStatus gact_shutdown(GactError *error) {
    pool_stop();
    device_code_stop(NULL);
    residence_stop();
    device_stop();
    GactStatus status = trace_write(error);
    profile_on = false;
    profile_reset();
    stack_trim();
    heap_trim();
    return status;
}

void gact_memory_stats(GactMemoryStats *stats) {
    heap_stats(stats);
}
