/* A device around another that counts the calls and lets one of them, or all from one on, fail
   without being done; only a wait is done nevertheless. Calls that return no status are not
   counted. */
#include "inject.h"

#include <stdlib.h>

typedef struct {
    DeviceTable table;
    Device *inner;
    int64_t at;
    bool lasting;
    _Atomic int64_t calls;
} Inject;

static Inject *inject_of(Device *d) {
    return d->state;
}

static Device *inner(Device *d) {
    return inject_of(d)->inner;
}

/* Counts a call; true where it is to fail. */
static bool fails(Device *d, const char *call) {
    Inject *i = inject_of(d);
    int64_t number = atomic_fetch_add(&i->calls, 1) + 1;
    if (number < i->at || (number > i->at && !i->lasting))
        return false;
    snprintf(d->error, sizeof d->error, "%s: call %lld of the device fails, as was asked for", call,
             (long long)number);
    return true;
}

static DeviceStatus pass(Device *d, DeviceStatus status) {
    if (status)
        snprintf(d->error, sizeof d->error, "%s", inner(d)->error);
    return status;
}

/* The call, or the status if it is to fail. */
#define FORWARD_OR(status, call, ...)                                                              \
    (fails(d, #call) ? (status) : pass(d, inner(d)->table->call(inner(d), __VA_ARGS__)))
#define FORWARD(call, ...) FORWARD_OR(DEVICE_FAILED, call, __VA_ARGS__)

/* Says so where no call has failed, which ends a test that goes through them all. */
static void inject_close(Device *d) {
    const Inject *i = inject_of(d);
    if (i->calls < i->at)
        fprintf(stderr, "device: call %lld was not reached, there were %lld\n", (long long)i->at,
                (long long)i->calls);
    device_close(inner(d));
    free(d->state);
    free(d);
}

static DeviceStatus inject_info(Device *d, DeviceInfo *info) {
    return FORWARD(info, info);
}

static DeviceStatus inject_alloc(Device *d, int64_t bytes, DevicePtr *p) {
    *p = 0;
    return FORWARD_OR(DEVICE_NO_MEMORY, alloc, bytes, p);
}

static void inject_free(Device *d, DevicePtr p) {
    inner(d)->table->free(inner(d), p);
}

static DeviceStatus inject_copy_in(Device *d, int32_t stream, DevicePtr to, const void *from,
                                   int64_t bytes) {
    return FORWARD(copy_in, stream, to, from, bytes);
}

static DeviceStatus inject_copy_out(Device *d, int32_t stream, void *to, DevicePtr from,
                                    int64_t bytes) {
    return FORWARD(copy_out, stream, to, from, bytes);
}

static DeviceStatus inject_copy(Device *d, int32_t stream, DevicePtr to, DevicePtr from,
                                int64_t bytes) {
    return FORWARD(copy, stream, to, from, bytes);
}

static DeviceStatus inject_fill(Device *d, int32_t stream, DevicePtr to, uint8_t byte,
                                int64_t bytes) {
    return FORWARD(fill, stream, to, byte, bytes);
}

static DeviceStatus inject_load(Device *d, const void *code, size_t len, DeviceModule **module) {
    *module = NULL;
    return FORWARD(load, code, len, module);
}

static void inject_unload(Device *d, DeviceModule *module) {
    inner(d)->table->unload(inner(d), module);
}

static DeviceStatus inject_compile(Device *d, const char *text, size_t len, void **code,
                                   size_t *code_len, char **log) {
    *code = NULL;
    if (log)
        *log = NULL;
    return FORWARD(compile, text, len, code, code_len, log);
}

static const char *inject_compile_key(Device *d) {
    return inner(d)->table->compile_key(inner(d));
}

static DeviceStatus inject_function(Device *d, DeviceModule *module, const char *name,
                                    DeviceFunc **f) {
    return FORWARD(function, module, name, f);
}

static DeviceStatus inject_launch(Device *d, int32_t stream, DeviceFunc *f, const DeviceGrid *grid,
                                  const void *args, size_t bytes) {
    return FORWARD(launch, stream, f, grid, args, bytes);
}

static DeviceStatus inject_graph_make(Device *d, const DeviceStep *steps, int32_t n, DeviceGraph **graph) {
    return FORWARD(graph_make, steps, n, graph);
}

static DeviceStatus inject_graph_run(Device *d, int32_t stream, DeviceGraph *graph,
                                     const DeviceStep *steps, const bool *changed) {
    return FORWARD(graph_run, stream, graph, steps, changed);
}

static void inject_graph_free(Device *d, DeviceGraph *graph) {
    inner(d)->table->graph_free(inner(d), graph);
}

static DeviceStatus inject_sync(Device *d, int32_t stream) {
    DeviceStatus status = pass(d, inner(d)->table->sync(inner(d), stream));
    return fails(d, "sync") ? DEVICE_FAILED : status;
}

static DeviceStatus inject_order(Device *d, int32_t a, int32_t b) {
    return FORWARD(order, a, b);
}

static DeviceStatus inject_mark(Device *d, int32_t stream, int32_t mark) {
    return FORWARD(mark, stream, mark);
}

static DeviceStatus inject_between(Device *d, int32_t from, int32_t to, int64_t *ns) {
    *ns = 0;
    return FORWARD(between, from, to, ns);
}

/* The name, count and open of the device inside stand beside these. */
static const DeviceTable functions = {.close = inject_close,
                                      .info = inject_info,
                                      .alloc = inject_alloc,
                                      .free = inject_free,
                                      .copy_in = inject_copy_in,
                                      .copy_out = inject_copy_out,
                                      .copy = inject_copy,
                                      .fill = inject_fill,
                                      .load = inject_load,
                                      .unload = inject_unload,
                                      .compile = inject_compile,
                                      .compile_key = inject_compile_key,
                                      .function = inject_function,
                                      .launch = inject_launch,
                                      .graph_make = inject_graph_make,
                                      .graph_run = inject_graph_run,
                                      .graph_free = inject_graph_free,
                                      .sync = inject_sync,
                                      .order = inject_order,
                                      .mark = inject_mark,
                                      .between = inject_between};

DeviceStatus device_inject(Device **d, GactError *error) {
    const char *text = getenv("GACT_DEVICE_FAIL_AT");
    char *end = NULL;
    long long at = text ? strtoll(text, &end, 10) : 0;
    if (at <= 0 || (*end && *end != '+'))
        return DEVICE_OK;
    Device *outer = calloc(1, sizeof *outer);
    Inject *i = calloc(1, sizeof *i);
    if (!outer || !i) {
        free(outer);
        free(i);
        device_close(*d);
        *d = NULL;
        error_set(error, GACT_INTERNAL, "no memory for a device");
        return DEVICE_NO_MEMORY;
    }
    const DeviceTable *inside = (*d)->table;
    *i = (Inject){.table = functions, .inner = *d, .at = at, .lasting = *end == '+'};
    i->table.name = inside->name;
    i->table.count = inside->count;
    i->table.open = inside->open;
    *outer = (Device){.table = &i->table, .ordinal = (*d)->ordinal, .state = i};
    *d = outer;
    return DEVICE_OK;
}
