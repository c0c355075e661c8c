/* Vectorised quicksort for one type of keys; a template. Keys are cut at a pivot by compressing
   vectors to both ends of the array (Bramas 2017; Blacher et al. 2022); a short part is sorted in
   registers, as a matrix whose columns are sorted by a network and then merged. Included with
   - QUICK_NAME(x)                 the name of a function of this instance
   - QUICK_KEY, QUICK_LANES        the type of a key, and how many are in a vector
   - QUICK_MASK                    a mask of lanes
   - QUICK_OP(op)                  the intrinsic for such lanes
   - QUICK_IOTA, QUICK_SPLAT(x)    the lanes' numbers, and a key in all lanes
   - QUICK_FIRST(v)                the key in the first lane
   - QUICK_MIN, QUICK_MAX(a, b)    of keys
   - QUICK_PICK(upper, a, b)       the minimum, in the lanes `upper` the maximum
   - QUICK_CUT(lanes, a, b)        in which of some lanes a <= b
   and leaves QUICK_NAME(quick). */

enum {
    QUICK_NAME(BASE) = QUICK_ROWS * QUICK_LANES, /* keys that are sorted in registers */
    QUICK_NAME(BLOCK) = 4 * QUICK_LANES          /* keys that are cut together */
};

/* Each lane's key goes to the lane whose number differs in these bits. */
QUICK_INLINE __m512i QUICK_NAME(exchange)(__m512i v, int bits) {
    return QUICK_OP(permutexvar)(_mm512_xor_si512(QUICK_IOTA, QUICK_SPLAT(bits)), v);
}

/* Lanes whose number has this bit. */
QUICK_INLINE QUICK_MASK QUICK_NAME(lanes_with)(int bit) {
    return (QUICK_MASK)(0xffff / ((1 << bit) + 1) << bit);
}

QUICK_INLINE QUICK_MASK QUICK_NAME(first_lanes)(int64_t count) {
    int64_t lanes = count < 0 ? 0 : count < QUICK_LANES ? count : QUICK_LANES;
    return (QUICK_MASK)((1u << lanes) - 1);
}

QUICK_INLINE void QUICK_NAME(order)(__m512i *a, __m512i *b) {
    __m512i least = QUICK_MIN(*a, *b);
    *b = QUICK_MAX(*a, *b);
    *a = least;
}

/* ---- few keys ---- */

QUICK_INLINE void QUICK_NAME(sort_columns)(__m512i v[QUICK_ROWS]) {
#define ORDER(a, b) QUICK_NAME(order)(&v[a], &v[b]);
    QUICK_NETWORK(ORDER)
#undef ORDER
}

/* Orders rows that are so far apart. */
QUICK_INLINE void QUICK_NAME(order_rows)(__m512i v[QUICK_ROWS], int distance) {
#pragma GCC unroll 16
    for (int r = 0; r < QUICK_ROWS; r++)
        if (!(r & distance))
            QUICK_NAME(order)(&v[r], &v[r + distance]);
}

/* Orders columns that are so far apart. */
QUICK_INLINE void QUICK_NAME(order_columns)(__m512i v[QUICK_ROWS], int distance) {
    QUICK_MASK upper = QUICK_NAME(lanes_with)(distance);
#pragma GCC unroll 16
    for (int r = 0; r < QUICK_ROWS; r++)
        v[r] = QUICK_PICK(upper, v[r], QUICK_NAME(exchange)(v[r], distance));
}

/* Orders each key of a block of columns and the one at the place of its mirror image. */
QUICK_INLINE void QUICK_NAME(order_mirrored)(__m512i v[QUICK_ROWS], int block) {
    QUICK_MASK upper = QUICK_NAME(lanes_with)(block / 2);
#pragma GCC unroll 8
    for (int r = 0; r < QUICK_ROWS / 2; r++) {
        __m512i *a = &v[r], *b = &v[QUICK_ROWS - 1 - r];
        __m512i mirrored = QUICK_NAME(exchange)(*b, block - 1);
        *b = QUICK_PICK(upper, *b, QUICK_NAME(exchange)(*a, block - 1));
        *a = QUICK_PICK(upper, *a, mirrored);
    }
}

/* Merges the sorted halves of each block of columns, where keys are in order column by column. */
QUICK_INLINE void QUICK_NAME(merge_columns)(__m512i v[QUICK_ROWS], int block) {
    QUICK_NAME(order_mirrored)(v, block);
    if (block > 8)
        QUICK_NAME(order_columns)(v, 4);
    if (block > 4)
        QUICK_NAME(order_columns)(v, 2);
    if (block > 2)
        QUICK_NAME(order_columns)(v, 1);
    QUICK_NAME(order_rows)(v, 8);
    QUICK_NAME(order_rows)(v, 4);
    QUICK_NAME(order_rows)(v, 2);
    QUICK_NAME(order_rows)(v, 1);
}

/* At most BASE keys, in as many columns as they need. */
static QUICK_TARGET void QUICK_NAME(sort_few)(QUICK_KEY *keys, int64_t n) {
    __m512i v[QUICK_ROWS], greatest = QUICK_SPLAT(-1);
    int64_t columns = 2;
    while (columns * QUICK_ROWS < n)
        columns *= 2;
#pragma GCC unroll 16
    for (int r = 0; r < QUICK_ROWS; r++) {
        int64_t left = n - r * columns;
        QUICK_MASK lanes = QUICK_NAME(first_lanes)(left < columns ? left : columns);
        v[r] = QUICK_OP(mask_loadu)(greatest, lanes, keys + r * columns);
    }
    QUICK_NAME(sort_columns)(v);
    QUICK_NAME(merge_columns)(v, 2);
    if (columns > 2)
        QUICK_NAME(merge_columns)(v, 4);
    if (columns > 4)
        QUICK_NAME(merge_columns)(v, 8);
    if (QUICK_LANES > 8 && columns > 8)
        QUICK_NAME(merge_columns)(v, 16);
    QUICK_NAME(transpose)(v);
#pragma GCC unroll 16
    for (int r = 0; r < QUICK_ROWS; r++)
        QUICK_OP(mask_storeu)
        (keys + r * QUICK_LANES, QUICK_NAME(first_lanes)(n - r * QUICK_LANES), v[r]);
}

/* ---- many keys ---- */

/* Between low and high is room; the keys outside of it are cut. */
typedef struct {
    QUICK_KEY *low, *high;
} QUICK_NAME(Room);

QUICK_INLINE void QUICK_NAME(cut_vector)(QUICK_NAME(Room) * room, __m512i v, QUICK_MASK lanes,
                                         __m512i pivot) {
    QUICK_MASK below = QUICK_CUT(lanes, v, pivot), above = (QUICK_MASK)(lanes & ~below);
    int nbelow = __builtin_popcount(below), nabove = __builtin_popcount(above);
    room->high -= nabove;
    QUICK_OP(mask_storeu)
    (room->low, (QUICK_MASK)((1u << nbelow) - 1), QUICK_OP(maskz_compress)(below, v));
    QUICK_OP(mask_storeu)
    (room->high, (QUICK_MASK)((1u << nabove) - 1), QUICK_OP(maskz_compress)(above, v));
    room->low += nbelow;
}

QUICK_INLINE void QUICK_NAME(copy)(QUICK_KEY *to, const QUICK_KEY *from, int64_t n) {
    for (int64_t i = 0; i < n; i += QUICK_LANES)
        _mm512_storeu_si512(to + i,
                            QUICK_OP(maskz_loadu)(QUICK_NAME(first_lanes)(n - i), from + i));
}

/* Puts keys up to the pivot before the others; returns how many they are. The first and the last
   block and the rest are kept aside; so a block is read from the end where there is less room, and
   then both ends have room for it. */
static QUICK_TARGET int64_t QUICK_NAME(cut)(QUICK_KEY *keys, int64_t n, QUICK_KEY at) {
    enum { BLOCK = QUICK_NAME(BLOCK) };
    const __m512i pivot = QUICK_SPLAT(at);
    int64_t rest = n % BLOCK, nkept = 2 * BLOCK + rest;
    const QUICK_KEY *from = keys + BLOCK, *to = keys + n - rest - BLOCK;
    QUICK_NAME(Room) room = {keys, keys + n};
    QUICK_KEY kept[3 * BLOCK];
    QUICK_NAME(copy)(kept, keys, BLOCK);
    QUICK_NAME(copy)(kept + BLOCK, to, BLOCK + rest);
    while (from < to) {
        bool forward = from - room.low <= room.high - to;
        const QUICK_KEY *block = forward ? from : to - BLOCK;
        const QUICK_KEY *next = forward ? from + QUICK_AHEAD * BLOCK : to - QUICK_AHEAD * BLOCK;
        __m512i v[4];
        from += forward ? BLOCK : 0;
        to -= forward ? 0 : BLOCK;
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            v[i] = _mm512_loadu_si512(block + i * QUICK_LANES);
            __builtin_prefetch(next + i * QUICK_LANES);
        }
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            QUICK_NAME(cut_vector)(&room, v[i], (QUICK_MASK)-1, pivot);
    }
    for (int64_t i = 0; i < nkept; i += QUICK_LANES) {
        QUICK_MASK lanes = QUICK_NAME(first_lanes)(nkept - i);
        QUICK_NAME(cut_vector)(&room, QUICK_OP(maskz_loadu)(lanes, kept + i), lanes, pivot);
    }
    return room.low - keys;
}

QUICK_INLINE __m512i QUICK_NAME(median)(__m512i a, __m512i b, __m512i c) {
    QUICK_NAME(order)(&a, &b);
    return QUICK_MAX(a, QUICK_MIN(b, c));
}

/* The median of three vectors that are so far apart, lane by lane. */
QUICK_INLINE __m512i QUICK_NAME(medians)(const QUICK_KEY *at, int64_t step) {
    return QUICK_NAME(median)(_mm512_loadu_si512(at), _mm512_loadu_si512(at + step),
                              _mm512_loadu_si512(at + 2 * step));
}

/* A median of medians of keys from nine places. These lie away from the ends, where a cut leaves
   keys of both of its ends. */
QUICK_INLINE QUICK_KEY QUICK_NAME(choose)(const QUICK_KEY *keys, int64_t n) {
    int64_t step = (n - QUICK_LANES) / 9;
    const QUICK_KEY *at = keys + step / 2;
    __m512i m =
        QUICK_NAME(median)(QUICK_NAME(medians)(at, step), QUICK_NAME(medians)(at + 3 * step, step),
                           QUICK_NAME(medians)(at + 6 * step, step));
    m = QUICK_NAME(median)(m, QUICK_OP(alignr)(m, m, 3), QUICK_OP(alignr)(m, m, 6));
    m = QUICK_NAME(median)(m, QUICK_OP(alignr)(m, m, 1), QUICK_OP(alignr)(m, m, 2));
    return QUICK_FIRST(m);
}

/* Sorts keys that lie from low to high. Below so many cuts at chosen keys it halves the range of
   values, so that the depth is bounded by that number and the bits of a key in every case. */
static QUICK_TARGET void QUICK_NAME(quick_range)(QUICK_KEY *keys, int64_t n, QUICK_KEY low,
                                                 QUICK_KEY high, int cuts) {
    for (; n > QUICK_NAME(BASE) && low < high; cuts--) {
        QUICK_KEY pivot = cuts > 0 ? QUICK_NAME(choose)(keys, n) : low + (high - low) / 2;
        if (pivot == high)
            pivot--; /* the keys above are equal, then */
        int64_t below = QUICK_NAME(cut)(keys, n, pivot);
        if (below < n - below) {
            QUICK_NAME(quick_range)(keys, below, low, pivot, cuts - 1);
            low = pivot + 1;
            keys += below;
            n -= below;
        } else {
            QUICK_NAME(quick_range)(keys + below, n - below, pivot + 1, high, cuts - 1);
            high = pivot;
            n = below;
        }
    }
    if (n > 1 && low < high)
        QUICK_NAME(sort_few)(keys, n);
}

static void QUICK_NAME(quick)(QUICK_KEY *keys, int64_t n, int cuts) {
    QUICK_NAME(quick_range)(keys, n, 0, (QUICK_KEY)-1, cuts);
}

#undef QUICK_NAME
#undef QUICK_KEY
#undef QUICK_LANES
#undef QUICK_MASK
#undef QUICK_IOTA
#undef QUICK_SPLAT
#undef QUICK_FIRST
#undef QUICK_OP
#undef QUICK_CUT
#undef QUICK_MIN
#undef QUICK_MAX
#undef QUICK_PICK
