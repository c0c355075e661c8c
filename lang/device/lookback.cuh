/* One pass over memory for what depends on everything before it: scans, filters, partitions. After
   Merrill and Garland, "Single-pass Parallel Prefix Scan with Decoupled Look-back" (NVIDIA, 2016).
   A grid cuts the input into tiles; a block scans its tile, publishes the tile's aggregate, and
   adds up what the tiles before it have published until it meets one that knows its whole prefix.

   Operators must be exact (integers, min, max and what is made of these), as it depends on timing
   how tiles are grouped on the way back. Operands keep their order, so an operator need not
   commute.

   Forward progress: tiles are numbered by a ticket in the order in which blocks begin, so a tile
   waits only for tiles whose blocks run already, however few blocks are resident.

   What a tile publishes is cut into 64-bit words that hold 32 bits of the value and a flag. A tile
   writes each state once, so words with the same flag belong together; a reader that meets
   different flags reads again. So a value of any size needs no fence and no wider store than 8
   bytes.

   Kernels use `gx_scan_tiles` and `gx_filter_tiles`; the rest is theirs. A kernel's scratch is a
   ticket (u32) and gx_lookback_words<T>() words of status a tile (for filters T is i64), which
   begin as 0. */

enum { GX_LOOKBACK_PARTIAL = 1, GX_LOOKBACK_PREFIX = 2 };

/* ---- values as words ---- */

template <class T> GX_DEV constexpr int gx_lookback_words() {
    return (sizeof(T) + 3) / 4;
}

template <class T> GX_DEV gx_words<T> gx_words_of(T value) {
    gx_words<T> w;
    w.at[gx_lookback_words<T>() - 1] = 0;
    w.v = value;
    return w;
}

/* The value of the lane that is `by` lower; the lowest lanes keep theirs. */
template <class T> GX_DEV T gx_lane_up(T value, u32 by) {
    gx_words<T> w = gx_words_of(value);
    GX_UNROLL
    for (int k = 0; k < gx_lookback_words<T>(); k++)
        w.at[k] = gx_shfl_up(w.at[k], by);
    return w.v;
}

template <class T> GX_DEV T gx_lane_at(T value, u32 lane) {
    gx_words<T> w = gx_words_of(value);
    GX_UNROLL
    for (int k = 0; k < gx_lookback_words<T>(); k++)
        w.at[k] = gx_shfl(w.at[k], lane);
    return w.v;
}

/* The inclusive scan over the lanes of a warp. */
template <class T, class Op> GX_DEV T gx_warp_scan(T value, Op op) {
    int lane = gx_lane();
    GX_UNROLL
    for (int by = 1; by < 32; by *= 2) {
        T left = gx_lane_up(value, by);
        if (lane >= by)
            value = op(left, value);
    }
    return value;
}

/* ---- the look back ---- */

template <class T> GX_DEV void gx_lookback_publish(u64 *status, u32 flag, T value) {
    gx_words<T> w = gx_words_of(value);
    GX_UNROLL
    for (int k = 0; k < gx_lookback_words<T>(); k++)
        gx_store_relaxed(status + k, (u64)flag << 32 | w.at[k]);
}

/* Waits until a tile has published something, and gives its flag. */
template <class T> GX_DEV u32 gx_lookback_read(const u64 *status, T *value) {
    for (;;) {
        gx_words<T> w;
        u64 first = gx_load_relaxed(status);
        u32 flag = (u32)(first >> 32);
        bool same = flag != 0;
        w.at[0] = (u32)first;
        GX_UNROLL
        for (int k = 1; k < gx_lookback_words<T>(); k++) {
            u64 word = gx_load_relaxed(status + k);
            same &= (u32)(word >> 32) == flag;
            w.at[k] = (u32)word;
        }
        if (same) {
            *value = w.v;
            return flag;
        }
        gx_pause();
    }
}

/* What all tiles before `tile` (> 0) sum up to: a warp looks at 32 of them at a time, lane 0 at the
   nearest. All lanes get it. */
template <class T, class Op> GX_DEV T gx_lookback_prefix(const u64 *status, i64 tile, Op op) {
    int lane = gx_lane();
    T sum{};
    for (i64 nearest = tile - 1;; nearest -= 32) {
        u32 flag = GX_LOOKBACK_PREFIX; /* of the places before tile 0, which has a prefix itself */
        T value{};
        if (nearest >= lane)
            flag = gx_lookback_read(status + (nearest - lane) * gx_lookback_words<T>(), &value);
        u32 whole = gx_ballot(flag == GX_LOOKBACK_PREFIX);
        int last = whole ? gx_first_one(whole) : 31;
        GX_UNROLL
        for (int by = 1; by < 32; by *= 2) {
            T left = gx_lane_down(value, by);
            if (lane + by <= last)
                value = op(left, value);
        }
        value = gx_lane_at(value, 0);
        sum = nearest == tile - 1 ? value : op(value, sum);
        if (whole)
            return sum;
    }
}

/* ---- a block's part ---- */

/* Belongs to one block; a barrier stands between two uses. */
template <class T, int THREADS> struct gx_lookback {
    T warps[THREADS / 32]; /* what each sums up to; then what stands before it */
    T prefix, total;       /* before the tile, and with it */
    u32 tile;
};

template <class T, int THREADS>
GX_DEV i64 gx_lookback_tile(gx_lookback<T, THREADS> &shared, u32 *ticket) {
    if (threadIdx.x == 0)
        shared.tile = gx_fetch_add(ticket, 1u);
    gx_sync();
    return shared.tile;
}

/* Publishes the tile and leaves in shared.warps what stands before each warp, whose sums it finds
   there. */
template <class T, int THREADS, class Op>
GX_DEV void gx_lookback_warps(gx_lookback<T, THREADS> &shared, u64 *status, i64 tile, T zero,
                              Op op) {
    const int warps = THREADS / 32;
    int lane = gx_lane();
    u64 *own = status + tile * gx_lookback_words<T>();
    T upto{}; /* what higher lanes have changes nothing below them */
    if (lane < warps)
        upto = shared.warps[lane];
    upto = gx_warp_scan(upto, op);
    T all = gx_lane_at(upto, warps - 1), left = gx_lane_up(upto, 1), prefix = zero;
    if (tile > 0) {
        if (lane == 0)
            gx_lookback_publish(own, GX_LOOKBACK_PARTIAL, all);
        prefix = gx_lookback_prefix<T>(status, tile, op);
    }
    T total = op(prefix, all);
    if (lane == 0) {
        gx_lookback_publish(own, GX_LOOKBACK_PREFIX, total);
        shared.prefix = prefix;
        shared.total = total;
    }
    if (lane < warps)
        shared.warps[lane] = lane == 0 ? prefix : op(prefix, left);
}

/* What stands before this thread, whose own values sum up to `mine`; zero stands before all. */
template <class T, int THREADS, class Op>
GX_DEV T gx_lookback_before(gx_lookback<T, THREADS> &shared, u64 *status, i64 tile, T mine, T zero,
                            Op op) {
    int lane = gx_lane(), warp = threadIdx.x / 32;
    T upto = gx_warp_scan(mine, op);
    if (lane == 31)
        shared.warps[warp] = upto;
    gx_sync();
    if (warp == 0)
        gx_lookback_warps(shared, status, tile, zero, op);
    gx_sync();
    T left = gx_lane_up(upto, 1), before = shared.warps[warp];
    return lane == 0 ? before : op(before, left);
}

/* ---- scans ---- */

/* Memory is read and written by neighbouring threads at neighbouring places, but a thread sums up K
   neighbouring values; the two arrangements meet in `stage`. K is odd, so that the threads of a
   warp are in different banks. */
template <class T, int THREADS, int K> struct gx_scan_shared {
    static_assert(K % 2 == 1, "an odd number of values a thread");
    gx_lookback<T, THREADS> lookback;
    T stage[THREADS * K];
};

/* One tile of THREADS * K places of the scan of load(0) ... load(n - 1) that begins with zero.
   store(i, before, upto) gets what stands before i, and that with i. Each place below n is loaded
   once and stored once, by the same thread. There are as many blocks as tiles, at least one. */
template <class T, int THREADS, int K, class Load, class Store, class Op>
GX_DEV void gx_scan_tiles(gx_scan_shared<T, THREADS, K> &shared, u32 *ticket, u64 *status, i64 n,
                          T zero, Op op, Load load, Store store) {
    const int TILE = THREADS * K;
    i64 tile = gx_lookback_tile(shared.lookback, ticket), from = tile * TILE;
    int t = threadIdx.x, count = n - from < TILE ? (int)(n - from) : TILE;
    GX_UNROLL
    for (int j = t; j < TILE; j += THREADS) /* what follows place n - 1 changes nothing before it */
        shared.stage[j] = j < count ? load(from + j) : zero;
    gx_sync();
    T upto[K];
    GX_UNROLL
    for (int k = 0; k < K; k++)
        upto[k] = k ? op(upto[k - 1], shared.stage[t * K + k]) : shared.stage[t * K];
    T before = gx_lookback_before(shared.lookback, status, tile, upto[K - 1], zero, op);
    GX_UNROLL
    for (int k = 0; k < K; k++)
        shared.stage[t * K + k] = op(before, upto[k]);
    gx_sync();
    GX_UNROLL
    for (int j = t; j < TILE; j += THREADS)
        if (j < count)
            store(from + j, j ? shared.stage[j - 1] : shared.lookback.prefix, shared.stage[j]);
}

/* ---- filters and partitions ---- */

/* One tile of THREADS * K places of a filter of the places 0 ... n - 1. load(i, &value) tells
   whether place i is kept and may leave a value of type V; store(kept, place, value) gets it back
   with its place among the kept, or among the others, in order. *count becomes how many are kept. A
   warp's 32 * K places are neighbours, so what it keeps is written to neighbouring places. There
   are as many blocks as tiles, at least one. */
template <class V, int THREADS, int K, class Load, class Store>
GX_DEV void gx_filter_tiles(gx_lookback<i64, THREADS> &shared, u32 *ticket, u64 *status, i64 n,
                            i64 *count, Load load, Store store) {
    i64 tile = gx_lookback_tile(shared, ticket), from = tile * (THREADS * K);
    int lane = gx_lane(), warp = threadIdx.x / 32;
    u32 lower = (1u << lane) - 1, kept[K];
    V values[K];
    i64 mine = 0, first = from + warp * (32 * K) + lane;
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        bool keep = first + k * 32 < n && load(first + k * 32, &values[k]);
        kept[k] = gx_ballot(keep);
        mine += gx_count_ones(kept[k]);
    }
    if (lane == 0)
        shared.warps[warp] = mine;
    gx_sync();
    if (warp == 0)
        gx_lookback_warps(shared, status, tile, (i64)0, [](i64 a, i64 b) { return a + b; });
    gx_sync();
    i64 place = shared.warps[warp];
    GX_UNROLL
    for (int k = 0; k < K; k++) {
        i64 i = first + k * 32, before = place + gx_count_ones(kept[k] & lower);
        bool keep = kept[k] >> lane & 1;
        if (i < n)
            store(keep, keep ? before : i - before, values[k]);
        place += gx_count_ones(kept[k]);
    }
    if (threadIdx.x == 0 && from + THREADS * K >= n)
        *count = shared.total;
}
