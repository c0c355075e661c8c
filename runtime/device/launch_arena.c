/* What a launch cannot know before: how large the arenas of its points must be (lang/device_arena.cuh), and how
   large the lists are that they add up to. A launch whose arenas are too small runs again with larger ones; arrays
   are made between its phases. */
#include "launch.h"

#include "metrics.h"

#include <stdlib.h>

enum {
    ARENA_THREAD = 1 << 12, /* bytes of a slot at first */
    ARENA_WARP = 1 << 16,
    ARENA_UNIT = 1 << 10,
    ARENA_GROWTH = 4,
    ARENA_SHARE = 32, /* of the device's memory, that all slots may take at first */
    BLOCK = 256,
    WARPS = BLOCK / 32
};

/* ---- arenas ---- */

/* What a test wants: GACT_DEVICE_ARENA=BYTES or BYTES,MOST, of a slot at first and at most. */
static void wanted_arena(int64_t *first, int64_t *limit) {
    const char *text = getenv("GACT_DEVICE_ARENA");
    char *end = NULL;
    long long bytes = text ? strtoll(text, &end, 10) : 0;
    if (bytes <= 0)
        return;
    *first = (bytes + ARENA_UNIT - 1) / ARENA_UNIT * ARENA_UNIT;
    if (*end == ',')
        *limit = strtoll(end + 1, NULL, 10);
}

static bool has_arena(const GactDeviceKernel *kernel) {
    for (int32_t k = 0; k < kernel->nargs; k++)
        if (kernel->args[k].kind == GACT_ARG_ARENA)
            return true;
    return false;
}

static bool takes_warps(const GactDeviceKernel *kernel) {
    for (int32_t p = 0; p < kernel->nphases; p++)
        if (kernel->phases[p].has_points && kernel->phases[p].grid == GACT_GRID_WARPS)
            return true;
    return false;
}

void launch_open_arena(Launch *l) {
    int64_t first = takes_warps(l->kernel) ? ARENA_WARP : ARENA_THREAD, limit;
    if (!has_arena(l->kernel))
        return;
    wanted_arena(&first, &limit);
    l->arena = *l->learnt ? *l->learnt : first;
    l->room = l->r->info.memory / ARENA_SHARE;
}

bool launch_grow_arena(Launch *l) {
    int64_t first, limit = INT64_MAX, block = takes_warps(l->kernel) ? WARPS : BLOCK;
    wanted_arena(&first, &limit);
    l->arena *= ARENA_GROWTH;
    l->room = device_pool_available(l->r->pool) / 2;
    bool fits = l->arena <= limit && l->arena * block <= l->room;
    metric_add(fits ? METRIC_ARENA_RETRIES : METRIC_ARENA_FALLS, 1);
    if (fits)
        *l->learnt = l->arena;
    return fits;
}

/* ---- arrays ---- */

DeviceStatus launch_make_arrays(Launch *l) {
    DeviceStatus status = DEVICE_OK;
    for (int32_t k = 0; k < l->kernel->nargs && !status; k++) {
        const GactDeviceArg *arg = &l->kernel->args[k];
        if (arg->kind != GACT_ARG_NEW)
            continue;
        int64_t n = l->results[arg->at].i + arg->one_more;
        GactBuf *buf = n <= INT64_MAX / 16 / arg->bytes ? heap_alloc(l->thread, n * arg->bytes) : NULL;
        if (!buf)
            return DEVICE_NO_MEMORY;
        l->made[k] = l->results[arg->count].p = buf;
        status = residence_write(l->r, buf, buf + 1, n * arg->bytes, &l->args[k]);
    }
    return status;
}

bool launch_has_made(const Launch *l, int32_t result) {
    for (int32_t i = 0; i < l->kernel->nargs; i++)
        if (l->made[i] && l->kernel->args[i].count == result)
            return true;
    return false;
}

void launch_drop_made(Launch *l) {
    for (int32_t k = 0; k < l->kernel->nargs; k++)
        if (l->made[k])
            heap_release(l->thread, l->made[k]);
}
