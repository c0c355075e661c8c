/* Several steps of a stencil loop in one sweep over its arrays. Two sets of buffers, one of the
   even and one of the odd steps, are cut into bands of chunks. A band does its steps staggered, so
   that what they hand on is still in the cache: step k stays `radius` chunks further from the
   band's ends and behind step k - 1. What is left around the ends, a wedge that grows with the
   steps, comes after all bands. So nothing is computed twice, and a chunk is overwritten only when
   both its neighbours' next steps have read it. Bands lie on a ring: arrays that wrap around need
   nothing of their own. */
#include "runtime.h"

#include <unistd.h>

enum {
    MAX_DEPTH = 32,             /* steps of a sweep */
    DEFAULT_CACHE = 1024 * 1024, /* bytes, where the system does not tell */
    BANDS = 4,                  /* for each thread, if they are high enough */
};

typedef struct {
    GactRangeFn fn;
    void **envs; /* of the first step of all, of odd steps, of even ones */
    int64_t n, radius, bands;
    int64_t base, depth; /* the steps of this sweep are base + 1 … base + depth */
} Sweep;

static void run_step(const Sweep *s, GactCtx *ctx, int64_t k, int64_t lo, int64_t hi) {
    int64_t step = s->base + k;
    if (lo < hi)
        s->fn(ctx, s->envs[step == 1 ? 0 : 2 - step % 2], lo, hi);
}

static int64_t band_start(const Sweep *s, int64_t band) {
    return s->n / s->bands * band + (band < s->n % s->bands ? band : s->n % s->bands);
}

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The inside of a band: step k of chunks lo + (k - 1) * radius …, in a wave. */
static void run_band(const Sweep *s, GactCtx *ctx, int64_t lo, int64_t hi) {
    for (int64_t front = lo; front < hi; front++)
        for (int64_t k = 1; k <= s->depth; k++) {
            int64_t in = (k - 1) * s->radius, at = front - in;
            if (at >= lo + in && at < hi - in)
                run_step(s, ctx, k, at, at + 1);
        }
}

static void run_bands(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Sweep *s = env;
    for (int64_t band = lo; band < hi; band++) {
        int64_t from = band_start(s, band), to = band_start(s, band + 1);
        if (s->depth == 1)
            run_step(s, ctx, 1, from, to);
        else
            run_band(s, ctx, from, to);
    }
}

/* Around the start of a band: what it and the band before it have left out. */
static void run_wedges(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Sweep *s = env;
    for (int64_t band = lo; band < hi; band++)
        for (int64_t k = 2; k <= s->depth; k++) {
            int64_t at = band_start(s, band), out = (k - 1) * s->radius;
            run_step(s, ctx, k, at, least(at + out, s->n));
            run_step(s, ctx, k, at ? at - out : s->n - out, at ? at : s->n);
        }
}

static int64_t cache_bytes(void) {
    static _Atomic int64_t known;
    if (known == 0) {
        int64_t bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
        known = bytes > 0 ? bytes : DEFAULT_CACHE;
    }
    return known;
}

/* As many steps as keep their window in half of the cache, and as a band has room for. */
static int64_t depth_of(const Sweep *s, int64_t chunk_bytes) {
    int64_t chunks = cache_bytes() / 2 / (chunk_bytes > 0 ? chunk_bytes : 1);
    int64_t depth = chunks / s->radius - 2;
    int64_t room = s->n / s->bands / (2 * s->radius);
    depth = least(least(depth, room), MAX_DEPTH);
    return depth > 1 ? depth : 1;
}

/* More bands than threads, if they are many steps high. */
static int64_t bands_of(GactCtx *ctx, int64_t n, int64_t radius, int64_t work) {
    int64_t threads = rt_workers(ctx, work), most = n / (2 * MAX_DEPTH * radius);
    if (threads <= 1)
        return 1;
    return least(n, most > threads ? least(most, BANDS * threads) : threads);
}

void rt_sweep(GactCtx *ctx, const GactKernelInfo *info, GactRangeFn fn, void **envs,
              const GactSweep *space) {
    Sweep s = {.fn = fn, .envs = envs, .n = space->chunks, .radius = space->radius};
    if (s.n <= 0)
        return;
    s.bands = bands_of(ctx, s.n, s.radius, space->work);
    int64_t depth = depth_of(&s, space->chunk_bytes);
    for (s.base = 0; s.base < space->steps; s.base += s.depth) {
        s.depth = least(depth, space->steps - s.base);
        int64_t work = space->work * s.depth, bytes = space->chunk_bytes * s.n * s.depth;
        rt_parallel(ctx, info, run_bands, &s, s.bands, work, bytes);
        if (s.depth > 1)
            rt_parallel(ctx, info, run_wedges, &s, s.bands, work, bytes);
    }
}
