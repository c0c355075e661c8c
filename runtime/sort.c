/* Sorting. Scalars: their bits are coded as unsigned integers whose order is the total order (-0
   before 0, NaN last), and sorted by vectorised quicksort or by radix; an argsort carries the index
   in the record, below the key where both fit a word. By comparison: a merge sort of indices, whose
   merges are cut into pieces of equal length for the threads. Both are stable, and descending is
   the reverse order with ties as they stood. */
#include "runtime.h"
#include "sort_coding.h"
#include "stream.h"

#include <string.h>

#include "sort_quick.h"

enum {
    DIGIT_BITS = 8,
    WIDE_BITS = 11,
    WIDE_MIN = 1 << 11,   /* records that are worth wide digits, if two of these suffice */
    MAX_PLACES = 1 << 12, /* of all digits together */
    BUCKET_BITS = 11,
    BUCKETS = 1 << BUCKET_BITS,
    CACHE_BYTES = 1 << 19, /* of records that are sorted without buckets */
    INSERTION_MAX = 20,
    COUNTED_MIN = 1 << 18, /* keys of two bytes that are counted */
    BLOCK_MIN = 1 << 15,   /* records that are worth a block of their own */
    RUN = 16               /* indices that a comparison sort begins with */
};

static GactBuf *scratch(Thread *t, int64_t count, size_t size) {
    GactBuf *buf = heap_alloc(t, count * (int64_t)size);
    if (!buf)
        fault_raise(&t->ctx, NULL, "memory", "memory is exhausted: a sort wanted %lld more bytes",
                    (long long)(count * (int64_t)size));
    return buf;
}

/* ---- keys ---- */

SortCoding sort_coding(int32_t kind, bool descending, bool nan_equal) {
    static const struct {
        int8_t width, is_signed;
        uint64_t infinity;
    } table[] = {
        [GACT_BOOL] = {1, 0, 0},      [GACT_I8] = {1, 1, 0},
        [GACT_I16] = {2, 1, 0},       [GACT_I32] = {4, 1, 0},
        [GACT_I64] = {8, 1, 0},       [GACT_U8] = {1, 0, 0},
        [GACT_U16] = {2, 0, 0},       [GACT_U32] = {4, 0, 0},
        [GACT_U64] = {8, 0, 0},       [GACT_F16] = {2, 1, 0x7c00},
        [GACT_BF16] = {2, 1, 0x7f80}, [GACT_F32] = {4, 1, 0x7f800000},
        [GACT_HLC] = {8, 0, 0},       [GACT_F64] = {8, 1, 0x7ff0000000000000},
        [GACT_DURATION] = {8, 1, 0},
    };
    SortCoding c = {
        .width = table[kind].width, .infinity = table[kind].infinity, .nan_equal = nan_equal};
    c.mask = c.width == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * c.width) - 1;
    c.sign = table[kind].is_signed ? c.mask ^ c.mask >> 1 : 0;
    c.flip = descending ? c.mask : 0;
    c.below = c.infinity ? (c.mask >> 1) - c.infinity : 0;
    return c;
}

static inline uint64_t encode(const SortCoding *c, uint64_t x) {
    if (!c->infinity)
        return x ^ c->sign ^ c->flip;
    uint64_t negative = -(x >> (8 * c->width - 1)); /* all ones or zeros, and no branch */
    uint64_t code = x ^ ((negative & c->mask) | c->sign);
    code = (code - c->below) & c->mask;
    if (c->nan_equal && (x & ~c->sign) > c->infinity)
        code = c->mask;
    return code ^ c->flip;
}

static inline uint64_t decode(const SortCoding *c, uint64_t code) {
    code ^= c->flip;
    if (!c->infinity)
        return code ^ c->sign;
    code = (code + c->below) & c->mask;
    uint64_t negative = (code >> (8 * c->width - 1)) - 1;
    return code ^ ((negative & c->mask) | c->sign);
}

static inline uint64_t key_load(const void *keys, int width, int64_t i) {
    switch (width) {
    case 1: return ((const uint8_t *)keys)[i];
    case 2: return ((const uint16_t *)keys)[i];
    case 4: return ((const uint32_t *)keys)[i];
    }
    return ((const uint64_t *)keys)[i];
}

static inline void key_store(void *keys, int width, int64_t i, uint64_t x) {
    switch (width) {
    case 1: ((uint8_t *)keys)[i] = (uint8_t)x; return;
    case 2: ((uint16_t *)keys)[i] = (uint16_t)x; return;
    case 4: ((uint32_t *)keys)[i] = (uint32_t)x; return;
    }
    ((uint64_t *)keys)[i] = x;
}

/* ---- radix ---- */

/* The cut into buckets. */
typedef struct {
    void *from, *to;
    int64_t *counts; /* BUCKETS for each block: first counts, then places */
    int64_t n, blocks;
    int from_bit, shift;     /* the lowest bit of the keys, and of the bucket's number */
    _Atomic uint64_t differ; /* the bits in which keys differ */
} Radix;

static void radix_block(const Radix *radix, int64_t block, int64_t *from, int64_t *to) {
    int64_t each = radix->n / radix->blocks, more = radix->n % radix->blocks;
    *from = each * block + (block < more ? block : more);
    *to = *from + each + (block < more);
}

/* How many blocks n records are cut into for the threads. */
static int64_t radix_blocks(Thread *t, int64_t n, int64_t size) {
    int64_t blocks = pool_pays(t, n, n * size) ? pool_threads() : 1, most = n / BLOCK_MIN + 1;
    return blocks > most ? most : blocks;
}

/* The counts' memory is the caller's to release. */
static GactBuf *radix_open(Thread *t, Radix *radix, int64_t n, int64_t blocks) {
    GactBuf *buf = scratch(t, blocks * BUCKETS, sizeof(int64_t));
    *radix = (Radix){.counts = (int64_t *)(buf + 1), .n = n, .blocks = blocks};
    memset(radix->counts, 0, (size_t)(blocks * BUCKETS) * sizeof(int64_t));
    return buf;
}

/* Takes the highest bits that differ for the bucket's number. Bits above them are equal, so that
   they need not be masked off in an order of their own. */
static void radix_choose(Radix *radix) {
    uint64_t differ = atomic_load(&radix->differ);
    int top = differ ? 64 - __builtin_clzll(differ) : 0;
    radix->shift = top - BUCKET_BITS > radix->from_bit ? top - BUCKET_BITS : radix->from_bit;
}

/* Turns counts, `size` for each block, into the places where each block puts its first record of
   each kind. False when one kind has all n records. */
static bool counts_to_places(int64_t *counts, int64_t size, int64_t blocks, int64_t n) {
    int64_t place = 0;
    for (int64_t d = 0; d < size; d++) {
        int64_t before = place;
        for (int64_t b = 0; b < blocks; b++) {
            int64_t count = counts[b * size + d];
            counts[b * size + d] = place;
            place += count;
        }
        if (place - before == n)
            return false;
    }
    return true;
}

/* How some bits of a key are cut into digits. */
typedef struct {
    int count, bits;
} Digits;

static Digits digits_of(int64_t n, int bits) {
    int most = n >= WIDE_MIN && bits <= 2 * WIDE_BITS ? WIDE_BITS : DIGIT_BITS;
    int count = (bits + most - 1) / most;
    return (Digits){count, count ? (bits + count - 1) / count : 0};
}

typedef struct {
    uint64_t key, index;
} Pair;

/* Cuts at keys that bring nearly every order to the end. */
static int quick_cuts(int64_t n) {
    return 2 * (64 - __builtin_clzll((uint64_t)n));
}

static bool try_quick_u32(uint32_t *records, int64_t n) {
    if (!has_quick())
        return false;
    quick_u32(records, n, quick_cuts(n));
    return true;
}

static bool try_quick_u64(uint64_t *records, int64_t n) {
    if (!has_quick())
        return false;
    quick_u64(records, n, quick_cuts(n));
    return true;
}

#define RADIX_NAME(x)      x##_u32
#define RADIX_RECORD       uint32_t
#define RADIX_KEY(r)       (r)
#define RADIX_QUICK(at, n) try_quick_u32((at), (n))
#include "sort_radix.h"

#define RADIX_NAME(x)      x##_u64
#define RADIX_RECORD       uint64_t
#define RADIX_KEY(r)       (r)
#define RADIX_QUICK(at, n) try_quick_u64((at), (n))
#include "sort_radix.h"

#define RADIX_NAME(x)      x##_pair
#define RADIX_RECORD       Pair
#define RADIX_KEY(r)       ((r).key)
#define RADIX_QUICK(at, n) ((void)(at), (void)(n), false)
#include "sort_radix.h"

/* ---- keys in place ---- */

/* A pass over all keys, by threads. */
typedef struct {
    SortCoding coding;
    void *keys;    /* as they stand in the array */
    void *records; /* coded */
    int64_t *perm;
    int64_t n;
    bool wide;                     /* records are Pairs; otherwise keys above their indices */
    int index_bits;                /* of an index */
    uint64_t base;                 /* what is taken off each key */
    _Atomic uint64_t least, below; /* of the keys seen, and of their complements */
} Pass;

enum { PASS_BLOCK = 1 << 16 };

/* Are the codes the keys? */
static bool is_plain(const SortCoding *c) {
    return c->width >= 4 && !c->sign && !c->flip && !c->infinity;
}

static void pass_run(Thread *t, Pass *pass, GactRangeFn fn) {
    int64_t blocks = (pass->n + PASS_BLOCK - 1) / PASS_BLOCK;
    if (pool_pays(t, pass->n, pass->n * pass->coding.width))
        pool_run(t, "sort: code", fn, pass, blocks);
    else
        fn(&t->ctx, pass, 0, blocks);
}

static int64_t pass_end(const Pass *pass, int64_t hi) {
    return hi * PASS_BLOCK < pass->n ? hi * PASS_BLOCK : pass->n;
}

/* Loops that code the keys lo … hi - 1 of type T as records of type R and back: what `encode` and
   `decode` do, without a branch, as vectors do it. */
#define CODE_LOOPS(T, R)                                                                           \
    static void encode_##T(const Pass *pass, int64_t lo, int64_t hi) {                             \
        const T *keys = pass->keys, sign = (T)pass->coding.sign;                                   \
        const T flip = (T)pass->coding.flip, below = (T)pass->coding.below;                        \
        const T floats = (T)(pass->coding.infinity ? pass->coding.mask : 0);                       \
        R *records = pass->records;                                                                \
        for (int64_t i = lo; i < hi; i++) {                                                        \
            T negative = (T)(-(keys[i] >> (8 * sizeof(T) - 1)) & floats);                          \
            records[i] = (T)(((keys[i] ^ (negative | sign)) - below) ^ flip);                      \
        }                                                                                          \
    }                                                                                              \
    static void decode_##T(const Pass *pass, int64_t lo, int64_t hi) {                             \
        const T sign = (T)pass->coding.sign, flip = (T)pass->coding.flip;                          \
        const T below = (T)pass->coding.below;                                                     \
        const T floats = (T)(pass->coding.infinity ? pass->coding.mask : 0);                       \
        const R *records = pass->records;                                                          \
        T *keys = pass->keys;                                                                      \
        for (int64_t i = lo; i < hi; i++) {                                                        \
            T code = (T)(((T)records[i] ^ flip) + below);                                          \
            T negative = (T)(((code >> (8 * sizeof(T) - 1)) - 1) & floats);                        \
            keys[i] = (T)(code ^ (negative | sign));                                               \
        }                                                                                          \
    }

CODE_LOOPS(uint16_t, uint32_t)
CODE_LOOPS(uint32_t, uint32_t)
CODE_LOOPS(uint64_t, uint64_t)

static void encode_keys(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Pass *pass = env;
    int64_t from = lo * PASS_BLOCK, to = pass_end(pass, hi);
    (void)ctx;
    switch (pass->coding.width) {
    case 2: encode_uint16_t(pass, from, to); return;
    case 4: encode_uint32_t(pass, from, to); return;
    case 8: encode_uint64_t(pass, from, to); return;
    }
}

static void decode_keys(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Pass *pass = env;
    int64_t from = lo * PASS_BLOCK, to = pass_end(pass, hi);
    (void)ctx;
    switch (pass->coding.width) {
    case 2: decode_uint16_t(pass, from, to); return;
    case 4: decode_uint32_t(pass, from, to); return;
    case 8: decode_uint64_t(pass, from, to); return;
    }
}

static void count_keys(const void *keys, int width, int64_t n, int64_t *counts) {
    if (width == 1)
        for (int64_t i = 0; i < n; i++)
            counts[((const uint8_t *)keys)[i]]++;
    else
        for (int64_t i = 0; i < n; i++)
            counts[((const uint16_t *)keys)[i]]++;
}

/* Keys of so few bits that each has a count. */
static void sort_by_counts(Thread *t, const SortCoding *c, void *keys, int64_t n) {
    int64_t patterns = INT64_C(1) << 8 * c->width, at = 0;
    GactBuf *buf = scratch(t, patterns, sizeof(int64_t));
    int64_t *counts = (int64_t *)(buf + 1);
    memset(counts, 0, (size_t)patterns * sizeof *counts);
    count_keys(keys, c->width, n, counts);
    for (int64_t code = 0; code < patterns; code++) {
        uint64_t key = decode(c, (uint64_t)code);
        for (int64_t end = at + counts[key]; at < end; at++)
            key_store(keys, c->width, at, key);
    }
    heap_release(t, buf);
}

/* Records of 4 or 8 bytes; keys of 4 and 8 bytes are coded where they stand. */
static void sort_keys(Thread *t, SortCoding coding, void *keys, int64_t n) {
    GactBuf *narrow = coding.width < 4 ? scratch(t, n, sizeof(uint32_t)) : NULL;
    Pass pass = {.coding = coding, .keys = keys, .n = n};
    pass.records = narrow ? (void *)(narrow + 1) : keys;
    if (!is_plain(&coding))
        pass_run(t, &pass, encode_keys);
    if (coding.width == 8)
        sort_u64(t, pass.records, n, 0, 64);
    else
        sort_u32(t, pass.records, n, 0, 8 * coding.width);
    if (!is_plain(&coding))
        pass_run(t, &pass, decode_keys);
    heap_release(t, narrow);
}

/* ---- permutations ---- */

static void keep_least(_Atomic uint64_t *least, uint64_t key) {
    uint64_t seen = atomic_load(least);
    while (key < seen && !atomic_compare_exchange_weak(least, &seen, key))
        ;
}

/* Finds the least key and the least complement of a key, so the greatest key. */
static void find_ends(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Pass *pass = env;
    SortCoding c = pass->coding;
    uint64_t least = UINT64_MAX, below = UINT64_MAX;
    (void)ctx;
    for (int64_t i = lo * PASS_BLOCK; i < pass_end(pass, hi); i++) {
        uint64_t key = encode(&c, key_load(pass->keys, c.width, i));
        least = key < least ? key : least;
        below = ~key < below ? ~key : below;
    }
    keep_least(&pass->least, least);
    keep_least(&pass->below, below);
}

static void encode_records(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Pass *pass = env;
    SortCoding c = pass->coding;
    (void)ctx;
    for (int64_t i = lo * PASS_BLOCK; i < pass_end(pass, hi); i++) {
        uint64_t key = encode(&c, key_load(pass->keys, c.width, i)) - pass->base;
        if (pass->wide)
            ((Pair *)pass->records)[i] = (Pair){key, (uint64_t)i};
        else
            ((uint64_t *)pass->records)[i] = key << pass->index_bits | (uint64_t)i;
    }
}

/* The records may stand where the permutation goes. */
static void take_indices(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Pass *pass = env;
    uint64_t mask = (UINT64_C(1) << pass->index_bits) - 1;
    (void)ctx;
    for (int64_t i = lo * PASS_BLOCK; i < pass_end(pass, hi); i++)
        pass->perm[i] = (int64_t)(pass->wide ? ((Pair *)pass->records)[i].index
                                             : ((uint64_t *)pass->records)[i] & mask);
}

static int bits_of(uint64_t x) {
    return x ? 64 - __builtin_clzll(x) : 0;
}

/* Keys that span few enough values share a word with their indices. Gives how many bits they take.
 */
static int choose_records(Thread *t, Pass *pass) {
    int bits = 8 * pass->coding.width;
    pass->index_bits = bits_of((uint64_t)pass->n - 1);
    if (bits + pass->index_bits > 64) {
        pass->least = pass->below = UINT64_MAX;
        pass_run(t, pass, find_ends);
        pass->base = pass->least;
        bits = bits_of(~pass->below - pass->base);
    }
    pass->wide = bits + pass->index_bits > 64;
    return bits;
}

static void sort_indices(Thread *t, SortCoding coding, void *keys, int64_t n, int64_t *perm) {
    Pass pass = {.coding = coding, .keys = keys, .perm = perm, .n = n};
    int bits = choose_records(t, &pass);
    GactBuf *pairs = pass.wide ? scratch(t, n, sizeof(Pair)) : NULL;
    pass.records = pairs ? (void *)(pairs + 1) : perm;
    pass_run(t, &pass, encode_records);
    if (pass.wide)
        sort_pair(t, pass.records, n, 0, bits);
    else
        sort_u64(t, pass.records, n, pass.index_bits, pass.index_bits + bits);
    pass_run(t, &pass, take_indices);
    heap_release(t, pairs);
}

static const GactKernelInfo info_sort = {.name = "sort", .ops = "radix", .file = -1};
static const GactKernelInfo info_sort_by = {.name = "sort_by", .ops = "merge", .file = -1};

void rt_sort(GactCtx *ctx, int32_t kind, void *keys, int64_t n, int32_t descending, int64_t *perm) {
    Thread *t = thread_of(ctx);
    SortCoding coding = sort_coding(kind, descending, perm != NULL);
    int64_t begin = profile_wants(t) || t->declined.cost ? clock_ns() : 0;
    if (n <= 0)
        return;
    if (perm)
        sort_indices(t, coding, keys, n, perm);
    else if (coding.width == 1 || (coding.width == 2 && n >= COUNTED_MIN))
        sort_by_counts(t, &coding, keys, n);
    else
        sort_keys(t, coding, keys, n);
    if (t->declined.cost)
        place_host_ran(t, NULL, clock_ns() - begin);
    profile_call(t, &info_sort, begin, n, n * (perm ? coding.width + 8 : 2 * coding.width));
}

/* ---- by comparison ---- */

typedef struct {
    GactLessFn less;
    void *env;
    const int64_t *from; /* sorted runs of `width` indices */
    int64_t *to;
    int64_t n, width, piece;
} Merge;

/* Sorts [lo, hi) of indices by insertion. */
static void run_sort(GactCtx *ctx, const Merge *m, int64_t *at, int64_t lo, int64_t hi) {
    for (int64_t i = lo + 1; i < hi; i++) {
        int64_t index = at[i], k = i;
        for (; k > lo && m->less(ctx, m->env, index, at[k - 1]); k--)
            at[k] = at[k - 1];
        at[k] = index;
    }
}

/* Merges a[0, na) and b[0, nb) until `count` indices are out. Of equals, a's come first. */
static void merge_some(GactCtx *ctx, const Merge *m, const int64_t *a, int64_t na, const int64_t *b,
                       int64_t nb, int64_t *out, int64_t count) {
    int64_t i = 0, j = 0;
    for (int64_t k = 0; k < count; k++) {
        bool right = i == na || (j < nb && m->less(ctx, m->env, b[j], a[i]));
        out[k] = right ? b[j++] : a[i++];
    }
}

/* How many of the first `count` merged indices come from a. */
static int64_t merge_split(GactCtx *ctx, const Merge *m, const int64_t *a, int64_t na,
                           const int64_t *b, int64_t nb, int64_t count) {
    int64_t low = count > nb ? count - nb : 0, high = count < na ? count : na;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (m->less(ctx, m->env, b[count - mid - 1], a[mid]))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

/* The part [from, to) of the output of the merge of two neighbouring runs that begins at base. */
static void merge_piece(GactCtx *ctx, const Merge *m, int64_t base, int64_t from, int64_t to) {
    int64_t middle = base + m->width < m->n ? base + m->width : m->n;
    int64_t end = middle + m->width < m->n ? middle + m->width : m->n;
    const int64_t *a = m->from + base, *b = m->from + middle;
    int64_t na = middle - base, nb = end - middle;
    if (!nb || !m->less(ctx, m->env, b[0], a[na - 1])) { /* in order as they stand */
        memcpy(m->to + from, m->from + from, (size_t)(to - from) * sizeof *m->to);
        return;
    }
    int64_t i = merge_split(ctx, m, a, na, b, nb, from - base);
    int64_t j = from - base - i;
    merge_some(ctx, m, a + i, na - i, b + j, nb - j, m->to + from, to - from);
}

/* Merges the pieces lo … hi - 1 of the whole output. */
static void merge_range(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Merge *m = env;
    int64_t end = hi * m->piece < m->n ? hi * m->piece : m->n;
    for (int64_t at = lo * m->piece; at < end;) {
        int64_t base = at / (2 * m->width) * (2 * m->width);
        int64_t stop = base + 2 * m->width < end ? base + 2 * m->width : end;
        merge_piece(ctx, m, base, at, stop);
        at = stop;
    }
}

static void first_runs(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Merge *m = env;
    int64_t end = hi * m->piece < m->n ? hi * m->piece : m->n;
    for (int64_t at = lo * m->piece; at < end; at += RUN) {
        int64_t stop = at + RUN < end ? at + RUN : end;
        for (int64_t i = at; i < stop; i++)
            m->to[i] = i;
        run_sort(ctx, m, m->to, at, stop);
    }
}

void rt_sort_by(GactCtx *ctx, GactLessFn less, void *env, int64_t n, int64_t *perm) {
    Thread *t = thread_of(ctx);
    int64_t begin = profile_wants(t) ? clock_ns() : 0;
    if (n <= 0)
        return;
    bool pays = pool_pays(t, 64 * n, 0);
    int64_t pieces = pays ? 8 * (int64_t)pool_threads() : 1;
    GactBuf *spare = scratch(t, n, sizeof *perm);
    Merge m = {.less = less, .env = env, .n = n, .width = RUN, .to = perm};
    m.piece = ((n + pieces - 1) / pieces + RUN - 1) / RUN * RUN;
    pieces = (n + m.piece - 1) / m.piece;
    pool_run(t, "sort_by: runs", first_runs, &m, pieces);
    int64_t *there = (int64_t *)(spare + 1);
    for (m.from = perm; m.width < n; m.width *= 2) {
        m.to = m.from == perm ? there : perm;
        pool_run(t, "sort_by: merge", merge_range, &m, pieces);
        m.from = m.to;
    }
    if (m.from != perm)
        memcpy(perm, there, (size_t)n * sizeof *perm);
    heap_release(t, spare);
    profile_call(t, &info_sort_by, begin, n, n * (int64_t)sizeof *perm);
}
