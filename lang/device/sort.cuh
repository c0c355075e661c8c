/* Stable radix sort of scalars in the language's total order (-0 before 0, NaN last, descending
   with ties as they stood): of the keys, or of their places as a permutation. After Adinets and
   Merrill, "Onesweep: A Faster Least Significant Digit Radix Sort for GPUs" (2022), and CUB's form
   of it.

   Keys are coded as unsigned integers U of their width whose order is the total order
   (runtime/sort.c codes in the same way, so results agree in every bit), and sorted by digits of 8
   bits from the lowest. sort_count counts the digits of all sweeps in one pass, sort_plan turns
   counts to first places and decides which sweeps are needed, and each sort_sweep moves the keys by
   one digit: a block ranks a tile of keys, learns from the tiles before it where its own keys of
   each digit go, and writes those of one digit to neighbouring places. The first sweep codes, the
   last one decodes. Few keys are sorted by one block (sort_few); bytes alone are written from their
   counts (sort_bytes).

   A place is an I: u32 where the numbers of keys fit, else u64, or Nothing when keys alone are
   sorted. What tiles publish is an S: a count, and a flag in the two highest bits. A unit has the
   kernels of one U, I and S; the driver is runtime/device/lib_sort.c. */

enum {
    SORT_THREADS = 384, /* of all kernels */
    SORT_WARPS = SORT_THREADS / 32,
    SORT_BINS = 256,
    SORT_FEW = 11, /* keys a thread that one block sorts */
    SORT_EACH = 8  /* keys that a thread counts at a time */
};

struct Nothing {};
template <class I> struct Places { static constexpr bool kept = true, wide = sizeof(I) == 8; };
template <> struct Places<Nothing> { static constexpr bool kept = false, wide = false; };

/* ---- codes ---- */

/* How the bits of a kind become a code. */
struct SortCoding {
    u64 sign;      /* the sign bit, or 0 */
    u64 infinity;  /* of a float; 0: an integer */
    u64 flip;      /* all ones when descending */
    u64 below;     /* of a float: how many patterns lie before -infinity: NaNs with a sign */
    u64 nan_equal; /* all NaNs get one code; otherwise codes can be decoded */
};

template <class U> GX_DEV U sort_encode(const SortCoding &c, U x) {
    U sign = (U)c.sign, flip = (U)c.flip;
    if (!c.infinity)
        return x ^ sign ^ flip;
    U code = (U)((x & sign ? ~x : x | sign) - c.below);
    if (c.nan_equal && (U)(x & ~sign) > (U)c.infinity)
        code = (U)~(U)0;
    return code ^ flip;
}

template <class U> GX_DEV U sort_decode(const SortCoding &c, U code) {
    U sign = (U)c.sign;
    code ^= (U)c.flip;
    if (!c.infinity)
        return code ^ sign;
    code = (U)(code + c.below);
    return (U)(code & sign ? code ^ sign : ~code);
}

template <class U> GX_DEV u32 sort_digit(U code, int sweep) {
    return (u32)(code >> 8 * sweep) & (SORT_BINS - 1);
}

/* ---- a sort under way ---- */

/* What a sweep has to do. */
struct SortSweep {
    u32 active;      /* 0: all keys have the same digit */
    u32 first, last; /* of the active ones: from the keys, to the result */
    u32 from, to;    /* otherwise: buffers of codes and places */
    u32 status;      /* which words of status; the others are made 0 for the next sweep */
};

/* The argument of all kernels. Buffers 1 may be where the result goes. */
struct SortArgs {
    const void *keys; /* U, as they stand in the array */
    void *sorted;     /* U, or NULL */
    i64 *perm;        /* or NULL */
    void *codes[2];   /* U */
    void *places[2];  /* I */
    u64 *bins;        /* SORT_BINS a sweep, 0 at first; then where each digit begins */
    u32 *tickets;     /* one a sweep, 0 at first */
    SortSweep *plan;  /* one a sweep */
    void *status[2];  /* S, SORT_BINS a tile; the first ones are 0 at first */
    i64 n;
    u64 even;  /* an even number of sweeps, as the keys are sorted where they stand */
    u64 sweep; /* of sort_sweep */
    SortCoding coding;
};

/* Keys of a thread in a sweep's tile. */
template <class U, class I> GX_DEV constexpr int sort_keys() {
    return sizeof(U) == 8 || Places<I>::wide ? 10 : 21;
}

/* ---- counting ---- */

/* Blocks stride over the keys. */
template <class U> GX_DEV void count_digits(const SortArgs &a) {
    const int SWEEPS = sizeof(U), BINS = SWEEPS * SORT_BINS;
    const i64 STEP = SORT_THREADS * SORT_EACH;
    GX_SHARED_ARRAY(u32, bins, BINS);
    const U *keys = (const U *)a.keys;
    for (int d = threadIdx.x; d < BINS; d += SORT_THREADS)
        bins[d] = 0;
    gx_sync();
    GX_UNROLL1
    for (i64 from = blockIdx.x * STEP; from < a.n; from += gridDim.x * STEP) {
        U code[SORT_EACH];
        i64 own = from + threadIdx.x;
        GX_UNROLL
        for (int k = 0; k < SORT_EACH; k++)
            if (own + k * SORT_THREADS < a.n)
                code[k] = sort_encode(a.coding, keys[own + k * SORT_THREADS]);
        GX_UNROLL
        for (int k = 0; k < SORT_EACH; k++) {
            GX_UNROLL
            for (int s = 0; s < SWEEPS; s++)
                if (own + k * SORT_THREADS < a.n)
                    gx_fetch_add(&bins[s * SORT_BINS + sort_digit(code[k], s)], 1u);
        }
    }
    gx_sync();
    for (int d = threadIdx.x; d < BINS; d += SORT_THREADS)
        if (bins[d])
            gx_fetch_add(&a.bins[d], (u64)bins[d]);
}

/* The sum of what the threads before this one bring, of the first SORT_BINS. All threads of the
   block come; a barrier stands between two uses of `warps`. */
template <class T> GX_DEV T sort_before(T count, T *warps) {
    int lane = gx_lane(), warp = threadIdx.x / 32;
    T upto = count;
    if (threadIdx.x < SORT_BINS) {
        GX_UNROLL
        for (int by = 1; by < 32; by *= 2) {
            T left = gx_shfl_up(upto, by);
            upto += lane >= by ? left : 0;
        }
        if (lane == 31)
            warps[warp] = upto;
    }
    gx_sync();
    T before = upto - count;
    if (threadIdx.x < SORT_BINS) {
        GX_UNROLL
        for (int w = 0; w < SORT_BINS / 32; w++)
            before += w < warp ? warps[w] : 0;
    }
    return before;
}

/* ---- planning ---- */

/* active has a bit for each sweep. An even number of sweeps leads from where the keys stand back to
   there; one that is not needed makes it even. */
GX_DEV void plan_sweeps(const SortArgs &a, u32 active, int sweeps) {
    u32 count = gx_count_ones(active), done = 0;
    if (a.even ? count % 2 : count == 0) {
        active |= (active + 1) & ~active;
        count++;
    }
    for (int s = 0; s < sweeps; s++) {
        SortSweep *sweep = &a.plan[s];
        sweep->active = active >> s & 1;
        sweep->first = done == 0;
        sweep->last = done + 1 == count;
        sweep->from = (count - 1 - done) & 1;
        sweep->to = (count - done) & 1;
        sweep->status = done & 1;
        done += sweep->active;
    }
}

/* One block. */
template <class U> GX_DEV void plan_sort(const SortArgs &a) {
    GX_SHARED_ARRAY(u64, warps, SORT_BINS / 32);
    int t = threadIdx.x;
    u32 active = 0;
    GX_UNROLL1
    for (int s = 0; s < (int)sizeof(U); s++) {
        u64 *bin = &a.bins[s * SORT_BINS + t];
        u64 count = t < SORT_BINS ? *bin : 0, before = sort_before(count, warps);
        if (t < SORT_BINS)
            *bin = before;
        if (!gx_sync_or(count == (u64)a.n))
            active |= 1u << s;
    }
    if (t == 0)
        plan_sweeps(a, active, sizeof(U));
}

/* ---- ranking a tile ---- */

/* A warp has 32 * K neighbouring codes, a lane every 32nd of them. Each warp has a row of counts,
   and codes of one digit rank by warp, then by number, so that the sort is stable. */
template <class U, class I, int K> struct SortTile {
    u32 counts[SORT_WARPS][SORT_BINS];
    union {
        U codes[SORT_THREADS * K];
        I places[SORT_THREADS * K];
    };
    u32 warps[SORT_BINS / 32];
};

/* The lanes of the warp that have this digit. */
GX_DEV u32 sort_equals(u32 digit) {
    u32 equal = ~0u;
    GX_UNROLL
    for (int bit = 0; bit < 8; bit++) {
        u32 set = gx_ballot(digit >> bit & 1);
        equal &= digit >> bit & 1 ? set : ~set;
    }
    return equal;
}

GX_DEV void clear_counts(u32 (*counts)[SORT_BINS]) {
    for (int d = threadIdx.x; d < SORT_WARPS * SORT_BINS; d += SORT_THREADS)
        counts[d / SORT_BINS][d % SORT_BINS] = 0;
}

/* Counts the codes of each warp and turns its row into what the rows above it count. Gives the
   thread of a digit how many codes of the tile have it. */
template <int K, class U>
GX_DEV u32 count_tile(u32 (*counts)[SORT_BINS], const U *code, int sweep) {
    int t = threadIdx.x;
    GX_UNROLL
    for (int k = 0; k < K; k++)
        gx_fetch_add(&counts[t / 32][sort_digit(code[k], sweep)], 1u);
    gx_sync();
    u32 total = 0;
    if (t < SORT_BINS) {
        GX_UNROLL
        for (int w = 0; w < SORT_WARPS; w++) {
            u32 count = counts[w][t];
            counts[w][t] = total;
            total += count;
        }
    }
    return total;
}

/* The places of a thread's codes in the sorted tile, given where the tile's codes of each digit
   begin (in the thread of the digit). */
template <int K, class U>
GX_DEV void rank_tile(u32 (*counts)[SORT_BINS], const U *code, int sweep, u32 begin, u32 *rank) {
    int t = threadIdx.x;
    u32 lane = gx_lane(), *row = counts[t / 32];
    if (t < SORT_BINS) {
        GX_UNROLL
        for (int w = 0; w < SORT_WARPS; w++)
            counts[w][t] += begin;
    }
    gx_sync();
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        u32 digit = sort_digit(code[k], sweep), equal = sort_equals(digit), before = 0;
        u32 leader = 31 - gx_leading_zeros(equal);
        if (lane == leader)
            before = gx_fetch_add(&row[digit], (u32)gx_count_ones(equal));
        rank[k] = gx_shfl(before, leader) + gx_count_ones(equal & ((1u << lane) - 1));
    }
}

/* ---- a sweep ---- */

/* How many codes of a digit lie before the tile, where `own` of its codes have it; status begins at
   the digit's word. Four words are on their way at a time. */
template <class S> GX_DEV S sort_look_back(S *status, i64 tile, S own) {
    const S PARTIAL = (S)1 << (8 * sizeof(S) - 2), PREFIX = PARTIAL << 1, VALUE = PARTIAL - 1;
    S before = 0, word = 0;
    for (i64 nearest = tile - 1; !(word & PREFIX); nearest -= 4) {
        S words[4];
        GX_UNROLL
        for (int k = 0; k < 4; k++)
            words[k] = nearest >= k ? gx_load_relaxed(status + (nearest - k) * SORT_BINS) : PREFIX;
        GX_UNROLL
        for (int k = 0; k < 4; k++)
            if (!(word & PREFIX)) {
                for (word = words[k]; !(word & ~VALUE);) {
                    gx_pause();
                    word = gx_load_relaxed(status + (nearest - k) * SORT_BINS);
                }
                before += word & VALUE;
            }
    }
    gx_store_relaxed(status + tile * SORT_BINS, (S)(PREFIX | (before + own)));
    return before;
}

/* Where a digit's codes of this tile begin in the output; the thread of the digit calls. */
template <class S> GX_DEV S sort_base(const SortArgs &a, const SortSweep &sweep, i64 tile, S own) {
    S *status = (S *)a.status[sweep.status] + threadIdx.x;
    S *next = (S *)a.status[1 - sweep.status] + threadIdx.x;
    next[tile * SORT_BINS] = 0;
    if (tile > 0)
        return sort_look_back(status, tile, own);
    S first = (S)a.bins[a.sweep * SORT_BINS + threadIdx.x];
    gx_store_relaxed(status, (S)((S)2 << (8 * sizeof(S) - 2) | (first + own)));
    return first;
}

/* Lets the tiles behind this one count what they wait for, before it knows its own prefix. */
template <class S>
GX_DEV void sort_publish(const SortArgs &a, const SortSweep &sweep, i64 tile, S own) {
    S *status = (S *)a.status[sweep.status] + threadIdx.x;
    if (threadIdx.x < SORT_BINS && tile > 0)
        gx_store_relaxed(status + tile * SORT_BINS, (S)((S)1 << (8 * sizeof(S) - 2) | own));
}

/* Codes from where the sweep finds them; behind the end the greatest, which stay behind. */
template <int K, class U>
GX_DEV void load_codes(const SortArgs &a, const SortSweep &sweep, i64 first, U *code) {
    const U *keys = (const U *)a.keys, *codes = (const U *)a.codes[sweep.from];
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        i64 i = first + k * 32;
        code[k] = i >= a.n ? (U)~(U)0 : sweep.first ? sort_encode(a.coding, keys[i]) : codes[i];
    }
}

/* Writes the sorted tile's codes; at: where this thread's part of the tile goes. */
template <int K, class U, class S>
GX_DEV void store_codes(const SortArgs &a, const SortSweep &sweep, const U *codes, const S *base,
                        int count, S *at) {
    U *to = (U *)(sweep.last ? a.sorted : a.codes[sweep.to]);
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        int j = threadIdx.x + k * SORT_THREADS;
        if (j >= count)
            continue;
        U code = codes[j];
        at[k] = base[sort_digit(code, (int)a.sweep)] + (S)j;
        if (to)
            to[at[k]] = sweep.last ? sort_decode(a.coding, code) : code;
    }
}

/* Moves the tile's places through `places`, shared memory that codes have left. */
template <int K, class I, class S>
GX_DEV void move_places(const SortArgs &a, const SortSweep &sweep, i64 first, I *places, int count,
                        const u32 *rank, const S *at) {
    const I *from = (const I *)a.places[sweep.from];
    I *to = (I *)a.places[sweep.to];
    gx_sync();
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        i64 i = first + k * 32;
        if (i < a.n)
            places[rank[k]] = sweep.first ? (I)i : from[i];
    }
    gx_sync();
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        int j = threadIdx.x + k * SORT_THREADS;
        if (j < count && sweep.last)
            a.perm[at[k]] = (i64)places[j];
        else if (j < count)
            to[at[k]] = places[j];
    }
}

/* As many blocks as tiles. Tiles are numbered in the order in which blocks begin, so that a tile
   waits only for tiles that run already. */
template <class U, class I, class S> GX_DEV void sweep_tile(const SortArgs &a) {
    const int K = sort_keys<U, I>(), TILE = SORT_THREADS * K, t = threadIdx.x;
    typedef SortTile<U, I, K> Tile;
    GX_SHARED(Tile, shared);
    GX_SHARED_ARRAY(S, base, SORT_BINS);
    GX_SHARED(u32, ticket);
    const SortSweep sweep = a.plan[a.sweep];
    if (!sweep.active)
        return;
    if (t == 0)
        ticket = gx_fetch_add(&a.tickets[a.sweep], 1u);
    clear_counts(shared.counts);
    gx_sync();
    i64 tile = ticket, from = tile * TILE, first = from + t / 32 * (32 * K) + gx_lane();
    int count = a.n - from < TILE ? (int)(a.n - from) : TILE;
    U code[K];
    u32 rank[K];
    S at[K];
    load_codes<K>(a, sweep, first, code);
    u32 own = count_tile<K>(shared.counts, code, (int)a.sweep);
    sort_publish(a, sweep, tile, (S)own);
    u32 begin = sort_before(own, shared.warps);
    rank_tile<K>(shared.counts, code, (int)a.sweep, begin, rank);
    GX_UNROLL
    for (int k = 0; k < K; k++)
        shared.codes[rank[k]] = code[k];
    if (t < SORT_BINS)
        base[t] = sort_base(a, sweep, tile, (S)own) - (S)begin;
    gx_sync();
    store_codes<K>(a, sweep, shared.codes, base, count, at);
    if constexpr (Places<I>::kept)
        move_places<K>(a, sweep, first, shared.places, count, rank, at);
}

/* ---- few keys ---- */

/* Moves what lanes have to where it ranks, through shared memory. */
template <int K, class T> GX_DEV void move_tile(T *shared, int own, const u32 *rank, T *mine) {
    gx_sync();
    GX_UNROLL
    for (int k = 0; k < K; k++)
        shared[rank[k]] = mine[k];
    gx_sync();
    GX_UNROLL
    for (int k = 0; k < K; k++)
        mine[k] = shared[own + k * 32];
}

/* One block sorts SORT_THREADS * SORT_FEW keys at most, by the digits in which they differ. */
template <class U, class I> GX_DEV void sort_block(const SortArgs &a) {
    const int K = SORT_FEW, own = threadIdx.x / 32 * (32 * K) + gx_lane();
    typedef SortTile<U, I, K> Tile;
    GX_SHARED(Tile, shared);
    GX_SHARED(u64, differ);
    const SortSweep whole = {1, 1, 1, 0, 0, 0};
    U code[K], head = sort_encode(a.coding, *(const U *)a.keys);
    I place[K];
    u32 rank[K];
    u64 mine = 0;
    if (threadIdx.x == 0)
        differ = 0;
    load_codes<K>(a, whole, own, code);
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        if constexpr (Places<I>::kept)
            place[k] = (I)(own + k * 32);
        mine |= own + k * 32 < a.n ? code[k] ^ head : 0;
    }
    gx_sync();
    gx_fetch_or(&differ, mine);
    gx_sync();
    GX_UNROLL1
    for (int s = 0; s < (int)sizeof(U); s++) {
        if (!sort_digit(differ, s))
            continue;
        clear_counts(shared.counts);
        gx_sync();
        u32 count = count_tile<K>(shared.counts, code, s);
        rank_tile<K>(shared.counts, code, s, sort_before(count, shared.warps), rank);
        move_tile<K>(shared.codes, own, rank, code);
        if constexpr (Places<I>::kept)
            move_tile<K>(shared.places, own, rank, place);
    }
    GX_UNROLL
    for (int k = 0; k < K; k++)
        if (own + k * 32 < a.n) {
            if constexpr (Places<I>::kept)
                a.perm[own + k * 32] = (i64)place[k];
            else
                ((U *)a.sorted)[own + k * 32] = sort_decode(a.coding, code[k]);
        }
}

/* ---- bytes alone ---- */

/* The byte of place i, which is at least `code`: the last one that begins no later. */
GX_DEV u32 byte_at(const u64 *begins, u32 code, u64 i) {
    while (code < SORT_BINS - 1 && begins[code + 1] <= i)
        code++;
    return code;
}

GX_DEV u32 first_byte_at(const u64 *begins, u64 i) {
    u32 code = 0;
    GX_UNROLL
    for (u32 by = SORT_BINS / 2; by; by /= 2)
        if (begins[code + by] <= i)
            code += by;
    return code;
}

/* Writes what sort_plan has made of the counts. A thread has 16 bytes that lie in one line. */
GX_DEV void write_bytes(const SortArgs &a) {
    struct alignas(16) Sixteen {
        u64 half[2];
    };
    GX_SHARED_ARRAY(u64, begins, SORT_BINS);
    if (threadIdx.x < SORT_BINS)
        begins[threadIdx.x] = a.bins[threadIdx.x];
    gx_sync();
    u8 *to = (u8 *)a.sorted;
    i64 skew = (i64)((u64)to & 15);
    i64 from = ((i64)blockIdx.x * SORT_THREADS + threadIdx.x) * 16 - skew;
    if (from >= a.n)
        return;
    Sixteen out = {{0, 0}};
    u32 code = first_byte_at(begins, from < 0 ? 0 : (u64)from);
    GX_UNROLL
    for (int k = 0; k < 16; k++)
        if (from + k >= 0 && from + k < a.n) {
            code = byte_at(begins, code, (u64)(from + k));
            out.half[k / 8] |= (u64)sort_decode(a.coding, (u8)code) << k % 8 * 8;
        }
    if (from >= 0 && from + 16 <= a.n)
        *(Sixteen *)(to + from) = out;
    else
        for (int k = 0; k < 16; k++)
            if (from + k >= 0 && from + k < a.n)
                to[from + k] = (u8)(out.half[k / 8] >> k % 8 * 8);
}

/* ---- units ---- */

#define SORT_KERNELS(U, I, S)                                                                   \
    GX_KERNEL(sort_count, SortArgs, SORT_THREADS) { count_digits<U>(a); }                       \
    GX_KERNEL(sort_plan, SortArgs, SORT_THREADS) { plan_sort<U>(a); }                           \
    GX_KERNEL(sort_sweep, SortArgs, SORT_THREADS) { sweep_tile<U, I, S>(a); }
#define SORT_FEW_KERNELS(U, I)                                                                  \
    GX_KERNEL(sort_few, SortArgs, SORT_THREADS) { sort_block<U, I>(a); }
#define SORT_BYTES_KERNELS                                                                      \
    GX_KERNEL(sort_count, SortArgs, SORT_THREADS) { count_digits<u8>(a); }                      \
    GX_KERNEL(sort_plan, SortArgs, SORT_THREADS) { plan_sort<u8>(a); }                          \
    GX_KERNEL(sort_bytes, SortArgs, SORT_THREADS) { write_bytes(a); }
