/* Kernels on the device: which of them, their arguments, their phases and their results. */
#include "launch.h"

#include "later.h"
#include "metrics.h"
#include "nvtx.h"
#include "units.h"

#include "../../lang/store.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 256, WARPS = BLOCK / 32, WAVES = 8, SCRATCH_BYTES = 1 << 28,
       FAULTED = 1, TOO_SMALL = 2 /* what a report says */ };

/* ---- code ---- */

/* What is known of a program's kernels on a device. */
typedef struct DeviceCode {
    GactProgram *program;
    Device *d;
    struct DeviceCode *next;
    DeviceUnits *units;    /* NULL: nothing was launched yet */
    CostKernel *costs;     /* by kernel, or NULL */
    int64_t *arenas;       /* by kernel: bytes of a slot that were enough, or 0 */
    char kept[STORE_NAME]; /* what they are kept under */
} DeviceCode;

/* Of all programs, on all devices; what is of one device is used under the lock of its residence. */
static struct {
    pthread_mutex_t lock;
    DeviceCode *first;
} codes = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void code_free(DeviceCode *code) {
    Residence *r = residence_enter(code->d, NULL);
    if (r && code->costs) {
        device_meter_settle(code->d);
        residence_forget(r, code->costs, code->program->image->nkernels);
        place_keep(code->costs, code->program->image, code->kept);
    }
    if (code->units)
        units_close(code->units);
    if (r)
        residence_leave(r);
    free(code->costs);
    free(code->arenas);
    free(code);
}

/* Takes one out of the list that is a program's (NULL: any) on a device (NULL: any). */
static DeviceCode *take_code(const GactProgram *program, const Device *d) {
    pthread_mutex_lock(&codes.lock);
    DeviceCode **link = &codes.first, *code;
    while ((code = *link) && ((program && code->program != program) || (d && code->d != d)))
        link = &code->next;
    if (code)
        *link = code->next;
    pthread_mutex_unlock(&codes.lock);
    return code;
}

void device_code_free(GactProgram *program) {
    for (DeviceCode *code; (code = take_code(program, NULL));)
        code_free(code);
}

void device_code_stop(Device *d) {
    for (DeviceCode *code; (code = take_code(NULL, d));)
        code_free(code);
}

static DeviceCode *new_code(const Launch *l) {
    DeviceCode *code = calloc(1, sizeof *code);
    if (!code)
        return NULL;
    *code = (DeviceCode){.program = (GactProgram *)l->run->program, .d = l->r->d, .next = codes.first};
    codes.first = code;
    if (!runtime_device_is_forced())
        code->costs = place_load(code->d, code->program->image, code->kept);
    return code;
}

/* The code of the launch's program, nothing of which is compiled at first; NULL: no memory. */
static DeviceCode *code_of(const Launch *l) {
    pthread_mutex_lock(&codes.lock);
    DeviceCode *code = codes.first;
    while (code && (code->program != l->run->program || code->d != l->r->d))
        code = code->next;
    if (!code)
        code = new_code(l);
    pthread_mutex_unlock(&codes.lock);
    return code;
}

static DeviceStatus functions_of(Launch *l, DeviceFunc ***funcs) {
    DeviceCode *code = code_of(l);
    if (code && !code->arenas)
        code->arenas = calloc((size_t)code->program->image->nkernels, sizeof *code->arenas);
    if (!code || !code->arenas)
        return DEVICE_NO_MEMORY;
    l->learnt = &code->arenas[l->kernel->index];
    if (!code->units)
        code->units = units_open(code->d, code->program->image);
    return code->units ? units_functions(code->units, l->kernel->index, funcs) : DEVICE_NO_MEMORY;
}

/* ---- grids ---- */

static int64_t most(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Bytes that one thread or warp of the largest grid keeps in scratch memory. */
static int64_t slot_bytes(const Launch *l) {
    int64_t bytes = l->arena;
    for (int32_t k = 0; k < l->kernel->nargs; k++) {
        const GactDeviceArg *arg = &l->kernel->args[k];
        if (arg->kind == GACT_ARG_SCRATCH && arg->unit == GACT_UNIT_SLOT)
            bytes += arg->bytes * l->words[arg->count].i;
    }
    return bytes;
}

/* How many blocks the device runs at a time. */
static int64_t full_blocks(const Launch *l) {
    return (int64_t)l->r->info.units * l->r->info.threads_per_unit / BLOCK;
}

/* The most blocks: enough to fill the device some times over, fewer where each takes scratch memory. */
static int64_t most_blocks(const Launch *l, bool is_warps) {
    int64_t full = full_blocks(l) * WAVES;
    int64_t bytes = slot_bytes(l) * (is_warps ? WARPS : BLOCK), room = most(l->room, SCRATCH_BYTES);
    if (bytes > 0 && full > room / bytes)
        full = room / bytes;
    return most(full, 1);
}

/* Where single warps have the work, one block has no more of them than that. */
static DeviceGrid grid_of(const Launch *l, const GactDevicePhase *phase) {
    GactGridKind kind = (GactGridKind)phase->grid;
    enum { CHUNK = 4096 };
    int64_t total = l->to - l->from, chunks = (total + CHUNK - 1) / CHUNK;
    int64_t full = most_blocks(l, kind == GACT_GRID_WARPS), blocks = 1, warps = WARPS;
    switch (kind) {
    case GACT_GRID_POINTS:
        total /= most(phase->each, 1);
        blocks = (total + BLOCK - 1) / BLOCK;
        break;
    case GACT_GRID_WARPS:
    case GACT_GRID_CHUNKS:
        warps = most(kind == GACT_GRID_WARPS ? total : chunks, 1);
        blocks = (warps + WARPS - 1) / WARPS;
        break;
    case GACT_GRID_BLOCKS: blocks = chunks; break;
    case GACT_GRID_FULL:
        blocks = (total + BLOCK - 1) / BLOCK;
        full = full_blocks(l);
        break;
    }
    blocks = blocks < full ? most(blocks, 1) : full;
    return (DeviceGrid){.blocks = {(int32_t)blocks, 1, 1}, .threads = warps < WARPS ? (int32_t)warps * 32 : BLOCK};
}

/* The most threads that a phase has, or warps where a point takes one. */
static int64_t slots_of(const Launch *l) {
    int64_t slots = 1;
    for (int32_t p = 0; p < l->kernel->nphases; p++) {
        const GactDevicePhase *phase = &l->kernel->phases[p];
        if (!phase->has_points)
            continue;
        int64_t n = (int64_t)grid_of(l, phase).blocks[0] * (phase->grid == GACT_GRID_WARPS ? WARPS : BLOCK);
        slots = most(slots, n);
    }
    return slots;
}

/* ---- arguments ---- */

static DeviceStatus take_scratch(Launch *l, int64_t bytes, bool zeroed, DevicePtr *p) {
    Device *d = l->r->d;
    if (l->nscratch == MOST_SCRATCH)
        return DEVICE_NO_MEMORY;
    DeviceStatus status = device_pool_alloc(l->r->pool, NULL, bytes > 0 ? bytes : 1, p);
    if (status)
        return status;
    l->scratch[l->nscratch] = *p;
    l->scratch_bytes[l->nscratch++] = bytes > 0 ? bytes : 1;
    return zeroed ? d->table->fill(d, 0, *p, 0, bytes) : DEVICE_OK;
}

/* Elements of an array that is read. What lies in lists is counted by their offsets, which only matters
   for memory of the host, as buffers know their sizes. */
static int64_t elements_of(const Launch *l, const GactDeviceArg *arg) {
    if (!arg->unit)
        return l->words[arg->count].i;
    const GactDeviceArg *lists = &l->kernel->args[arg->unit - 1];
    const GactBuf *buf = l->words[arg->at].p;
    const int64_t *offsets = l->words[lists->at + 1].p;
    if (buf && __atomic_load_n(&buf->count, __ATOMIC_RELAXED) >= 0)
        return 0;
    int64_t n = elements_of(l, lists);
    return n > 0 ? offsets[n] : 0;
}

int64_t launch_bytes(const Launch *l, const GactDeviceArg *arg) {
    int64_t n = arg->kind == GACT_ARG_IN ? elements_of(l, arg) : l->words[arg->count].i;
    return (n + (arg->one_more && n > 0)) * arg->bytes;
}

static DeviceStatus fill_array(Launch *l, const GactDeviceArg *arg, uint64_t *at) {
    if (l->is_in_pieces && launch_cuts(l, arg))
        return DEVICE_OK;
    GactBuf *buf = l->words[arg->at].p;
    void *data = l->words[arg->at + 1].p;
    int64_t bytes = launch_bytes(l, arg);
    return arg->kind == GACT_ARG_IN ? residence_read(l->r, l->run, buf, data, bytes, at)
                                    : residence_write(l->r, buf, data, bytes, at);
}

/* How many of its bytes scratch memory has. */
static int64_t units_of(const Launch *l, const GactDeviceArg *arg) {
    switch ((GactUnit)arg->unit) {
    case GACT_UNIT_CHUNK: return l->words[l->kernel->chunks].i;
    case GACT_UNIT_WORD: return l->words[arg->count].i;
    case GACT_UNIT_SLOT: return l->words[arg->count].i * slots_of(l);
    case GACT_UNIT_ONE: break;
    }
    return 1;
}

/* Where a result of an earlier kernel is; what the host has already is brought. */
static DeviceStatus fill_later(Launch *l, const void *place, uint64_t *at) {
    Device *d = l->r->d;
    *at = later_find(l->run, place);
    if (*at)
        return DEVICE_OK;
    DeviceStatus status = take_scratch(l, 8, false, at);
    return status ? status : d->table->copy_in(d, 0, *at, place, 8);
}

DeviceStatus launch_fill_args(Launch *l) {
    const GactDeviceKernel *kernel = l->kernel;
    DeviceStatus status = take_scratch(l, 8 * (1 + (int64_t)kernel->nresults), kernel->can_fault, &l->report);
    for (int32_t k = 0; k < kernel->nargs && !status; k++) {
        const GactDeviceArg *arg = &kernel->args[k];
        uint64_t *at = &l->args[k];
        switch ((GactArgKind)arg->kind) {
        case GACT_ARG_WORD: *at = l->words[arg->at].u; break;
        case GACT_ARG_IN:
        case GACT_ARG_OUT: status = fill_array(l, arg, at); break;
        case GACT_ARG_SCRATCH:
            status = take_scratch(l, arg->bytes * (units_of(l, arg) + arg->one_more), arg->zeroed != 0, at);
            break;
        case GACT_ARG_LATER: status = fill_later(l, l->words[arg->at].p, at); break;
        case GACT_ARG_FROM: *at = (uint64_t)l->from; break;
        case GACT_ARG_TO: *at = (uint64_t)l->to; break;
        case GACT_ARG_ARENA: status = take_scratch(l, l->arena * slots_of(l), false, at); break;
        case GACT_ARG_ARENA_BYTES: *at = (uint64_t)l->arena; break;
        case GACT_ARG_NEW: break; /* once it can be made */
        case GACT_ARG_RESULT: *at = l->report + 8; break;
        case GACT_ARG_FAULT: *at = l->report; break;
        case GACT_ARG_DONE: *at = residence_zero(l->r); break;
        }
    }
    return status;
}

/* ---- placement ---- */

/* What the launch is to placement. */
static CostCall describe(const Launch *l) {
    const GactDeviceKernel *kernel = l->kernel;
    int64_t total = l->words[kernel->total].i;
    CostCall call = {.points = total,
                     .bytes = total * kernel->bytes,
                     .ops = total * kernel->info->work,
                     .launches = kernel->nphases,
                     .waits = (kernel->nresults && !kernel->is_later) || kernel->can_fault};
    for (int32_t k = 0; k < kernel->nargs; k++) {
        const GactDeviceArg *arg = &kernel->args[k];
        if (arg->kind == GACT_ARG_OUT)
            call.out_bytes += launch_bytes(l, arg);
        else if (arg->kind == GACT_ARG_IN)
            residence_where(l->r, l->run, l->words[arg->at].p, l->words[arg->at + 1].p, launch_bytes(l, arg),
                            &call.in_bytes, &call.away_bytes);
    }
    return call;
}

/* Does the device win? */
static bool pays(Launch *l, Thread *t) {
    const DeviceCode *code;
    if (l->kernel->pinned)
        return l->kernel->pinned == 2;
    if (runtime_device_is_forced())
        return true;
    code = code_of(l);
    if (!code || !code->costs)
        return false;
    CostCall call = describe(l);
    l->cost = &code->costs[l->kernel->index];
    return place_wins(&l->r->placement, t, l->cost, l->kernel->info, &call);
}

int32_t rt_on_device(GactCtx *ctx, int64_t points) {
    if (runtime_device_is_forced())
        return 1;
    Residence *r = residence_enter(ctx->device, NULL);
    bool wins = r && place_would_win(&r->placement, points);
    if (r)
        residence_leave(r);
    return wins;
}

/* ---- phases ---- */

/* Phases first … end - 1. */
static DeviceStatus some_phases(Launch *l, int32_t stream, DeviceFunc **funcs, int32_t first, int32_t end) {
    Device *d = l->r->d;
    DeviceStatus status = DEVICE_OK;
    int64_t total = l->to - l->from;
    int64_t begin = l->cost ? clock_ns() : 0;
    device_meter_cost(d, l->cost, total);
    for (int32_t p = first; p < end && !status; p++) {
        DeviceGrid grid = grid_of(l, &l->kernel->phases[p]);
        status = d->table->launch(d, stream, funcs[p], &grid, l->args, 8 * (size_t)l->kernel->nargs);
    }
    device_meter_cost(d, NULL, 0);
    if (l->cost)
        cost_issued(&l->r->placement.machine, end - first, clock_ns() - begin);
    return status;
}

DeviceStatus launch_phases(Launch *l, int32_t stream, DeviceFunc **funcs) {
    const GactDeviceKernel *kernel = l->kernel;
    int64_t total = l->to - l->from;
    device_meter_kernel(l->r->d, kernel->info, total, total * kernel->bytes, total * kernel->info->flops);
    return some_phases(l, stream, funcs, 0, kernel->sized ? kernel->sized : kernel->nphases);
}

/* The results, where the host needs them at once; *report: has a point faulted, was its arena too small? */
static DeviceStatus read_report(Launch *l, int *report) {
    Device *d = l->r->d;
    const GactDeviceKernel *kernel = l->kernel;
    int64_t words[64];
    *report = 0;
    if (!kernel->nresults && !kernel->can_fault)
        return DEVICE_OK;
    if (kernel->is_later && later_add(l->r, l->run, kernel, l->results, l->report)) {
        l->is_later = true;
        return DEVICE_OK;
    }
    int64_t n = 1 + (int64_t)kernel->nresults;
    DeviceStatus status = d->table->copy_out(d, 0, words, l->report, 8 * n);
    if (!status)
        status = d->table->sync(d, 0);
    if (status)
        return status;
    if (kernel->can_fault)
        *report = (words[0] & UINT32_MAX ? FAULTED : 0) | (words[0] >> 32 ? TOO_SMALL : 0);
    for (int32_t k = 0; k < kernel->nresults; k++)
        if (!launch_has_made(l, k))
            l->results[k].i = words[1 + k];
    return DEVICE_OK;
}

static void note_written(const Launch *l) {
    for (int32_t k = 0; k < l->kernel->nargs; k++)
        if (l->made[k])
            residence_written(l->made[k], l->cost);
        else if (l->kernel->args[k].kind == GACT_ARG_OUT && !(l->is_in_pieces && launch_cuts(l, &l->kernel->args[k])))
            residence_written(l->words[l->kernel->args[k].at].p, l->cost);
}

void launch_give_back(Launch *l) {
    for (int32_t k = l->is_later; k < l->nscratch; k++)
        device_pool_free(l->r->pool, NULL, l->scratch[k], l->scratch_bytes[k]);
    l->nscratch = 0;
    residence_unpin(l->r);
}

/* In one piece, or, where there is no room for that, in several. */
static DeviceStatus run(Launch *l, DeviceFunc **funcs) {
    DeviceStatus status = DEVICE_NO_MEMORY;
    if (!launch_is_large(l)) {
        status = launch_fill_args(l);
        if (!status)
            return launch_phases(l, 0, funcs);
    }
    if (status != DEVICE_NO_MEMORY || !l->kernel->is_cut)
        return status;
    launch_give_back(l);
    return launch_pieces(l, funcs);
}

/* All phases; what they find out of sizes makes arrays on the way. */
static DeviceStatus run_sized(Launch *l, DeviceFunc **funcs, int *report) {
    const GactDeviceKernel *kernel = l->kernel;
    *report = 0;
    DeviceStatus status = run(l, funcs);
    if (!status)
        status = read_report(l, report);
    if (status || *report || !kernel->sized)
        return status;
    status = launch_make_arrays(l);
    if (!status)
        status = some_phases(l, 0, funcs, kernel->sized, kernel->nphases);
    return status ? status : read_report(l, report);
}

/* *runs: it has run, and no point has faulted. */
static DeviceStatus launch(Launch *l, bool *runs) {
    DeviceFunc **funcs;
    int report = 0;
    DeviceStatus status = functions_of(l, &funcs);
    if (!status) {
        launch_open_arena(l);
        status = run_sized(l, funcs, &report);
    }
    while (!status && report == TOO_SMALL) {
        launch_give_back(l);
        if (!launch_grow_arena(l))
            break;
        status = run_sized(l, funcs, &report);
    }
    *runs = !status && !report;
    if (*runs)
        note_written(l);
    launch_give_back(l);
    return status;
}

int32_t rt_launch(GactCtx *ctx, const GactDeviceKernel *kernel, const GactSlot *words, GactSlot *results) {
    Thread *t = thread_of(ctx);
    Launch l = {.thread = t, .run = t->run, .kernel = kernel, .words = words, .results = results};
    GactError error = {0};
    bool has_run = false;
    char text[DEVICE_ERROR] = "";
    l.to = words[kernel->total].i;
    if (kernel->nargs > DEVICE_ARGS / 8 || kernel->nresults > 63)
        return 0;
    l.r = residence_enter(ctx->device, &error);
    DeviceStatus status = DEVICE_OK;
    bool runs = l.r && pays(&l, t);
    if (runs) {
        nvtx_push(kernel->name);
        status = launch(&l, &has_run);
        nvtx_pop();
        if (status == DEVICE_FAILED)
            snprintf(text, sizeof text, "%s", l.r->d->error);
    }
    if (l.r)
        residence_leave(l.r);
    if (!has_run)
        launch_drop_made(&l);
    if (status == DEVICE_FAILED)
        fault_raise(ctx, kernel->site, "device", "the device failed: %s", text);
    return has_run;
}
