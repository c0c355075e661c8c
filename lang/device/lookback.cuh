/* One pass over memory for what depends on everything before it: scans and filters, several at once.
   After Merrill and Garland, "Single-pass Parallel Prefix Scan with Decoupled Look-back" (NVIDIA,
   2016). A grid cuts the input into tiles; a block does its tile, publishes what it adds up to, and
   adds up what the tiles before it have published until it meets one that knows its whole prefix.

   Operators must be exact (integers, min, max and what is made of these), as it depends on timing
   how tiles are grouped on the way back. Operands keep their order, so an operator need not
   commute.

   Forward progress: blocks take tiles by a ticket, one after the other, so a tile waits only for
   tiles whose blocks run already, however few blocks are resident.

   What a tile publishes is cut into 64-bit words that hold 32 bits of the value and a flag. A tile
   writes each state once, so words with the same flag belong together; a reader that meets
   different flags reads again. So a value of any size needs no fence and no wider store than 8
   bytes.

   A warp has ROWS rows of 32 neighbouring points of a tile, a lane one of each row, so memory is read
   and written by neighbouring lanes at neighbouring places. A kernel goes through its tiles like
   this, in memory that begins as 0 (a ticket, and for each sink gx_lookback_words<T>() words a tile;
   for filters T is i64):

       for (i64 tile; (tile = gx_next_tile(&ticket, a.ticket)) < tiles;) {
           each row: the values of its points, or which are kept, by gx_ballot
           shared.warps[warp] = gx_rows_scan<ROWS>(v, op) or gx_rows_count<ROWS>(kept)
           gx_sync();
           one warp of the block: gx_lookback_warps(shared, status, tile, zero, op)
           gx_sync();
           each row: stored behind shared.warps[warp], which now stands before the warp
       } */

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

/* Of one sink; belongs to one block of GX_BLOCK threads. */
template <class T> struct gx_lookback {
    T warps[GX_BLOCK / 32]; /* what each sums up to; then what stands before it */
    T prefix, total;       /* before the tile, and with it */
};

/* The next tile, for all threads of a block; shared memory may be used anew. */
GX_DEV i64 gx_next_tile(u32 *shared, u32 *ticket) {
    gx_sync();
    if (threadIdx.x == 0)
        *shared = gx_fetch_add(ticket, 1u);
    gx_sync();
    return *shared;
}

/* Publishes the tile and leaves in shared.warps what stands before each warp, whose sums it finds
   there. One warp calls; zero stands before all. */
template <class T, class Op>
GX_DEV void gx_lookback_warps(gx_lookback<T> &shared, u64 *status, i64 tile, T zero, Op op) {
    const int warps = GX_BLOCK / 32;
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

/* ---- rows ---- */

/* How many tiles n points are: at least one, which tells how many are kept of none. */
template <int ROWS> GX_DEV i64 gx_tiles(i64 n) {
    return n > 0 ? (n - 1) / (GX_BLOCK * ROWS) + 1 : 1;
}

/* The number of this lane's point in row `row` of its warp. */
template <int ROWS> GX_DEV i64 gx_tile_point(i64 tile, int row) {
    return tile * (GX_BLOCK * ROWS) + (threadIdx.x / 32 * ROWS + row) * 32 + gx_lane();
}

/* Each value becomes what it and all before it in the warp sum up to; all of them. */
template <int ROWS, class T, class Op> GX_DEV T gx_rows_scan(T *v, Op op) {
    T all{};
    GX_UNROLL
    for (int k = 0; k < ROWS; k++) {
        v[k] = gx_warp_scan(v[k], op);
        if (k)
            v[k] = op(all, v[k]);
        all = gx_lane_at(v[k], 31);
    }
    return all;
}

/* Puts what stands before the warp in front of that; exclusive: each value gets what stands before
   it. */
template <bool exclusive, int ROWS, class T, class Op>
GX_DEV void gx_rows_finish(T *v, T before, Op op) {
    T left = before;
    GX_UNROLL
    for (int k = 0; k < ROWS; k++) {
        T upto = op(before, v[k]);
        if constexpr (exclusive) {
            T one_less = gx_lane_up(upto, 1);
            v[k] = gx_lane() == 0 ? left : one_less;
            left = gx_lane_at(upto, 31);
        } else {
            v[k] = upto;
        }
    }
}

struct gx_plus {
    GX_DEV_MEMBER i64 operator()(i64 a, i64 b) const { return a + b; }
};

/* How many points of the warp are kept; kept: a bit a lane. */
template <int ROWS> GX_DEV i64 gx_rows_count(const u32 *kept) {
    i64 all = 0;
    GX_UNROLL
    for (int k = 0; k < ROWS; k++)
        all += gx_count_ones(kept[k]);
    return all;
}

GX_DEV bool gx_is_kept(u32 kept) {
    return kept >> gx_lane() & 1;
}

/* How many lanes below this one are kept. */
GX_DEV i32 gx_kept_before(u32 kept) {
    return gx_count_ones(kept & ((1u << gx_lane()) - 1));
}
