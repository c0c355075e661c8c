/* Sorts on a device: lang/device/sort.cuh. One block sorts few keys; otherwise a pass counts the
   digits, a block plans the sweeps, and each digit that tells keys apart takes a sweep from one
   buffer to another. Which those are is decided on the device, so nothing here waits for it. */
#include "lib_unit.h"

#include "../sort_coding.h"

enum { THREADS = 384, BINS = 256, EACH = 8, SWEEPS = 8, PLAN_BYTES = 24, COUNT_WAVES = 8 };

/* The struct of the kernels. */
typedef struct {
    DevicePtr keys, sorted, perm;
    DevicePtr codes[2], places[2];
    DevicePtr bins, tickets, plan;
    DevicePtr status[2];
    int64_t n;
    uint64_t even, sweep;
    uint64_t sign, infinity, flip, below, nan_equal;
} SortArgs;

/* A sort under way, and the types of its unit. */
typedef struct {
    DeviceLib *lib;
    int32_t stream;
    const DeviceSort *sort;
    int32_t width, place, count; /* bytes of a key, of a place (0: none), of what tiles publish */
    int64_t tiles;
    LibUnit unit;
    SortArgs args;
} Sort;

static const char *word_of(int32_t width) {
    return width == 0   ? "Nothing"
           : width == 1 ? "u8"
           : width == 2 ? "u16"
           : width == 4 ? "u32"
                        : "u64";
}

static int64_t round_up(int64_t bytes) {
    return (bytes + 255) / 256 * 256;
}

/* ---- scratch ---- */

/* Lays out what a sort in sweeps needs in one block of memory that begins at `base`, which may be 0
   to learn its size. What must be 0 at the start comes first; *zeros is how much that is. */
static int64_t lay_out(Sort *s, DevicePtr base, int64_t *zeros) {
    SortArgs *a = &s->args;
    int64_t n = s->sort->n, at = 0, status = round_up(s->tiles * BINS * s->count);
    bool sweeps = s->place || s->width > 1;
    int buffers = s->width == 1 ? 0 : s->width == 2 ? 1 : 2;
#define TAKE(field, bytes) (a->field = base + (DevicePtr)at, at += round_up(bytes))
    TAKE(bins, s->width * BINS * (int64_t)sizeof(uint64_t));
    TAKE(tickets, SWEEPS * (int64_t)sizeof(uint32_t));
    if (sweeps)
        TAKE(status[0], status);
    *zeros = at;
    TAKE(plan, SWEEPS * PLAN_BYTES);
    if (sweeps)
        TAKE(status[1], status);
    if (buffers > 0) {
        TAKE(codes[0], n * s->width);
        TAKE(places[0], n * s->place);
    }
    if (buffers > 1 && s->place)
        TAKE(codes[1], n * s->width);
#undef TAKE
    if (!s->place)
        a->codes[1] = s->sort->sorted;
    a->places[1] = s->sort->perm;
    return at;
}

/* ---- launches ---- */

static DeviceStatus run(const Sort *s, const char *kernel, int64_t blocks) {
    DeviceFunc *f;
    DeviceStatus st = lib_kernel(s->lib, &s->unit, kernel, &f);
    return st != DEVICE_OK
               ? st
               : lib_launch(s->lib, s->stream, f, blocks, THREADS, &s->args, sizeof s->args);
}

static DeviceStatus run_sweeps(Sort *s) {
    if (s->width == 1 &&
        !s->place) /* 16 bytes a thread, of which the first may lie before the keys */
        return run(s, "sort_bytes", lib_blocks(s->sort->n + 15, THREADS * 16));
    for (s->args.sweep = 0; s->args.sweep < (uint64_t)s->width; s->args.sweep++) {
        DeviceStatus st = run(s, "sort_sweep", s->tiles);
        if (st != DEVICE_OK)
            return st;
    }
    return DEVICE_OK;
}

static DeviceStatus sort_in_sweeps(Sort *s) {
    Device *d = s->lib->device;
    int64_t zeros, bytes = lay_out(s, 0, &zeros);
    int64_t most = (int64_t)s->lib->multiprocessors * COUNT_WAVES;
    int64_t blocks = lib_blocks(s->sort->n, THREADS * EACH);
    DevicePtr scratch;
    DeviceStatus st = lib_alloc(s->lib, bytes, &scratch);
    if (st != DEVICE_OK)
        return st;
    lay_out(s, scratch, &zeros);
    st = d->table->fill(d, s->stream, scratch, 0, zeros);
    if (st == DEVICE_OK)
        st = run(s, "sort_count", blocks < most ? blocks : most);
    if (st == DEVICE_OK)
        st = run(s, "sort_plan", 1);
    if (st == DEVICE_OK)
        st = run_sweeps(s);
    lib_free(s->lib, scratch, bytes);
    return st;
}

/* ---- the whole ---- */

static void set_coding(Sort *s) {
    SortCoding c = sort_coding(s->sort->kind, s->sort->descending, s->sort->perm != 0);
    s->width = c.width;
    s->args.sign = c.sign;
    s->args.infinity = c.infinity;
    s->args.flip = c.flip;
    s->args.below = c.below;
    s->args.nan_equal = c.nan_equal;
}

static bool few_keys(const Sort *s) {
    return s->sort->n <= s->lib->limits.block_sort && (s->width > 1 || s->sort->perm);
}

/* The types of the unit, and how many keys a tile has: sort_keys of sort.cuh. */
static void choose_unit(Sort *s) {
    const DeviceLimits *limits = &s->lib->limits;
    int64_t n = s->sort->n;
    s->place = !s->sort->perm ? 0 : n <= limits->short_places || few_keys(s) ? 4 : 8;
    s->count = n < limits->short_counts ? 4 : 8;
    s->tiles = lib_blocks(n, THREADS * (s->width == 8 || s->place == 8 ? 10 : 21));
    if (s->width == 1 && !s->place)
        snprintf(s->unit.make, sizeof s->unit.make, "SORT_BYTES_KERNELS\n");
    else if (few_keys(s))
        snprintf(s->unit.make, sizeof s->unit.make, "SORT_FEW_KERNELS(%s, %s)\n", word_of(s->width),
                 word_of(s->place));
    else
        snprintf(s->unit.make, sizeof s->unit.make, "SORT_KERNELS(%s, %s, %s)\n", word_of(s->width),
                 word_of(s->place), word_of(s->count));
}

DeviceStatus device_sort(DeviceLib *lib, int32_t stream, const DeviceSort *sort) {
    Sort s = {.lib = lib, .stream = stream, .sort = sort, .unit = {.text = device_text_sort}};
    if (sort->n <= 0)
        return DEVICE_OK;
    s.args.keys = sort->keys;
    s.args.sorted = sort->sorted;
    s.args.perm = sort->perm;
    s.args.n = sort->n;
    s.args.even = sort->keys == sort->sorted;
    set_coding(&s);
    choose_unit(&s);
    return few_keys(&s) ? run(&s, "sort_few", 1) : sort_in_sweeps(&s);
}
