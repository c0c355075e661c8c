/* Sorts and products on the device, as a whole: GactApi.library. Like a launch, but the kernels are
   the library's (lib.h). The library of a device is opened at the first call. */
#include "lib.h"
#include "metrics.h"
#include "nvtx.h"
#include "resident.h"

static const int8_t kind_bytes[] = {
    [GACT_BOOL] = 1, [GACT_I8] = 1,  [GACT_I16] = 2, [GACT_I32] = 4, [GACT_I64] = 8,
    [GACT_U8] = 1,   [GACT_U16] = 2, [GACT_U32] = 4, [GACT_U64] = 8, [GACT_F16] = 2,
    [GACT_BF16] = 2, [GACT_F32] = 4, [GACT_F64] = 8, [GACT_HLC] = 8, [GACT_DURATION] = 8};

static const GactKernelInfo infos[] = {
    [GACT_LIBRARY_SORT] = {.name = "sort", .ops = "radix", .file = -1},
    [GACT_LIBRARY_ARGSORT] = {.name = "argsort", .ops = "radix", .file = -1},
    [GACT_LIBRARY_MATMUL] = {.name = "matmul", .ops = "fma", .file = -1},
};

/* A call under way. */
typedef struct {
    Residence *r;
    Run *run;
    const GactLibraryCall *call;
    int64_t width; /* bytes of an element */
    CostKernel *cost; /* NULL: it is not asked what it costs */
    int64_t points;
} Call;

static DeviceStatus take_scratch(void *env, int64_t bytes, DevicePtr *p) {
    return device_pool_alloc(((Residence *)env)->pool, NULL, bytes, p);
}

static void give_scratch(void *env, DevicePtr p, int64_t bytes) {
    device_pool_free(((Residence *)env)->pool, NULL, p, bytes);
}

/* About the bytes that the call reads and writes: of a sort, a sweep for each byte of a key. */
static int64_t bytes_moved(const Call *c) {
    const GactLibraryCall *l = c->call;
    if (l->op == GACT_LIBRARY_MATMUL)
        return (l->n * l->k + l->k * l->m + l->n * l->m) * c->width;
    return l->n * 2 * c->width * c->width;
}

static int64_t operations(const Call *c) {
    const GactLibraryCall *l = c->call;
    return l->op == GACT_LIBRARY_MATMUL ? 2 * l->n * l->k * l->m : 0;
}

/* What the call is to placement. */
static CostCall describe(const Call *c) {
    const GactLibraryCall *l = c->call;
    bool is_product = l->op == GACT_LIBRARY_MATMUL;
    int64_t points = is_product ? l->n * l->k * l->m : l->n;
    CostCall call = {.points = points,
                     .bytes = bytes_moved(c),
                     .ops = is_product ? 2 * points : points * c->width,
                     .out_bytes = is_product ? l->n * l->m * c->width : l->n * c->width,
                     .launches = is_product ? 1 : 2 + (int32_t)c->width};
    int64_t a = is_product ? l->n * l->k : l->n;
    residence_where(c->r, c->run, l->a.buf, l->a.data, a * c->width, &call.in_bytes, &call.away_bytes);
    if (is_product)
        residence_where(c->r, c->run, l->b.buf, l->b.data, l->k * l->m * c->width, &call.in_bytes, &call.away_bytes);
    return call;
}

/* Does the device win? */
static bool pays(Call *c, Thread *t) {
    if (c->call->pinned)
        return c->call->pinned == 2;
    if (runtime_device_is_forced())
        return true;
    CostCall call = describe(c);
    c->points = call.points;
    c->cost = &c->r->placement.library[c->call->op][c->call->kind];
    return place_wins(&c->r->placement, t, c->cost, NULL, &call);
}

static DeviceStatus run_sort(const Call *c) {
    const GactLibraryCall *call = c->call;
    bool is_perm = call->op == GACT_LIBRARY_ARGSORT;
    DeviceSort sort = {
        .kind = (int32_t)call->kind, .descending = call->descending != 0, .n = call->n};
    DevicePtr out;
    DeviceStatus st =
        residence_read(c->r, c->run, call->a.buf, call->a.data, call->n * c->width, &sort.keys);
    if (!st)
        st = residence_write(c->r, call->out.buf, call->out.data,
                             call->n * (is_perm ? 8 : c->width), &out);
    if (st)
        return st;
    *(is_perm ? &sort.perm : &sort.sorted) = out;
    return device_sort(c->r->library, 0, &sort);
}

static DeviceStatus run_matmul(const Call *c) {
    const GactLibraryCall *call = c->call;
    DeviceMatmul p = {.kind = (int32_t)call->kind, .n = call->n, .k = call->k, .m = call->m};
    int64_t w = c->width;
    DeviceStatus st = residence_read(c->r, c->run, call->a.buf, call->a.data, p.n * p.k * w, &p.a);
    if (!st)
        st = residence_read(c->r, c->run, call->b.buf, call->b.data, p.k * p.m * w, &p.b);
    if (!st)
        st = residence_write(c->r, call->out.buf, call->out.data, p.n * p.m * w, &p.c);
    return st ? st : device_matmul(c->r->library, 0, &p);
}

static DeviceStatus run_call(const Call *c) {
    Residence *r = c->r;
    DeviceScratch scratch = {take_scratch, give_scratch, r};
    DeviceStatus st = r->library ? DEVICE_OK : device_lib_open(r->d, &scratch, NULL, &r->library);
    if (st)
        return st;
    device_meter_kernel(r->d, &infos[c->call->op], c->call->n, bytes_moved(c), operations(c));
    device_meter_cost(r->d, c->cost, c->points);
    st = c->call->op == GACT_LIBRARY_MATMUL ? run_matmul(c) : run_sort(c);
    device_meter_cost(r->d, NULL, 0);
    if (!st)
        residence_written(c->call->out.buf, c->cost);
    residence_unpin(r);
    return st;
}

int32_t rt_library(GactCtx *ctx, const GactSite *site, const GactLibraryCall *call) {
    Call c = {.run = thread_of(ctx)->run, .call = call, .width = kind_bytes[call->kind]};
    GactError error = {0};
    char text[DEVICE_ERROR] = "";
    DeviceStatus st = DEVICE_OK;
    if (call->n <= 0 || (call->op == GACT_LIBRARY_MATMUL && call->m <= 0))
        return 0;
    c.r = residence_enter(ctx->device, &error);
    bool runs = c.r && pays(&c, thread_of(ctx));
    if (runs) {
        nvtx_push(infos[call->op].name);
        st = run_call(&c);
        nvtx_pop();
    }
    if (st == DEVICE_FAILED)
        snprintf(text, sizeof text, "%s", c.r->d->error);
    if (c.r)
        residence_leave(c.r);
    if (st) /* the host writes it: what the device has is no copy */
        mirror_free(call->out.buf);
    if (st == DEVICE_FAILED)
        fault_raise(ctx, site, "device", "the device failed: %s", text);
    return runs && !st;
}
