/* Tables whose values are combined in the order of their points: histograms and scatters by operators that
   round or need not commute. The host's chunks (codegen/host/table.c) have a table each, and the tables
   are joined in the order of the chunks, so every device gives the same bits.

   A block evaluates the points of a chunk, a tile of them at a time, and leaves bins and values in shared
   memory. Each bin belongs to one warp of one of the blocks that do the same chunk; a warp goes through the
   tile 32 points at a time, and of its own ones the first lane of each bin combines them in order.
   So bins are independent of each other, and a bin that has most points costs a shuffle for each. */

template <class T> struct gx_tables {
    T *rows;  /* of all chunks: a value a bin, */
    u8 *seen; /* where it has one */
    i64 bins, chunk, count; /* points of a chunk; chunks, at least 1 */
};

GX_DEV i64 gx_table_count(i64 total, i64 chunk) {
    return total > 0 ? (total - 1) / chunk + 1 : 1;
}

template <class T> struct gx_table_block {
    enum { POINTS = sizeof(T) <= 16 ? 1024 : 256 };
    i64 bins[POINTS]; /* -1: none */
    T values[POINTS];
};

/* Which of n owners has the bin. */
GX_DEV i64 gx_owner(i64 bin, i64 n) {
    return (i64)((u64)((u32)bin * 2654435761u) * (u64)n >> 32);
}

/* 32 points, in order, into the bins that the warp owns. first: what stands before the first value of a
   bin, unless it is not there. */
template <class T, class First, class Op>
GX_DEV void gx_table_lanes(T *rows, u8 *seen, i64 bin, const T &value, bool is_own, First first, Op op) {
    const u32 own = gx_ballot(is_own);
    if (!own)
        return;
    u32 rest = gx_match((u64)bin) & own;
    const bool leads = is_own && gx_first_one(rest) == (i32)gx_lane();
    T sum{};
    bool has = false;
    if (!leads) {
        rest = 0;
    } else if (seen[bin]) {
        sum = rows[bin];
        has = true;
    } else {
        has = first(bin, &sum);
    }
    while (gx_any(rest != 0)) {
        const T next = gx_lane_at(value, rest ? gx_first_one(rest) : gx_lane());
        if (rest) {
            sum = has ? op(sum, next) : next;
            has = true;
            rest &= rest - 1;
        }
    }
    if (leads) {
        rows[bin] = sum;
        seen[bin] = 1;
    }
    gx_sync_warp();
}

/* All chunks. load(p, &value) gives the bin of point p, or -1; start(bin): what the table begins with. */
template <class T, class Load, class Start, class Op>
GX_DEV void gx_table_fold(gx_table_block<T> &shared, const gx_tables<T> &t, i64 total, Load load, Start start,
                          Op op) {
    const int POINTS = gx_table_block<T>::POINTS, warps = GX_BLOCK / 32;
    const i64 tiles = (gx_min(t.chunk, total) + POINTS - 1) / POINTS;
    const i64 most = gx_min(tiles, (t.bins + warps - 1) / warps); /* blocks that have work in a chunk */
    const i64 team = gx_max(gx_min((i64)gridDim.x / t.count, most), (i64)1), step = (i64)gridDim.x / team;
    const i64 own = (i64)blockIdx.x % team * warps + threadIdx.x / 32;
    GX_UNROLL1
    for (i64 c = (i64)blockIdx.x / team; c < t.count; c += step) {
        const i64 hi = gx_min((c + 1) * t.chunk, total);
        const auto first = [&](i64 bin, T *sum) {
            if (c == 0)
                *sum = start(bin);
            return c == 0;
        };
        GX_UNROLL1
        for (i64 from = c * t.chunk; from < hi; from += POINTS) {
            gx_sync();
            GX_UNROLL1
            for (int j = threadIdx.x; j < POINTS; j += GX_BLOCK) {
                T value{};
                shared.bins[j] = from + j < hi ? load(from + j, &value) : (i64)-1;
                shared.values[j] = value;
            }
            gx_sync();
            GX_UNROLL1
            for (int j = gx_lane(); j < POINTS; j += 32) {
                const i64 bin = shared.bins[j];
                const bool is_own = bin >= 0 && gx_owner(bin, team * warps) == own;
                gx_table_lanes(t.rows + c * t.bins, t.seen + c * t.bins, bin, shared.values[j], is_own, first,
                               op);
            }
        }
    }
}

/* Then the tables of all chunks are joined. */
template <class T, class Start, class Store, class Op>
GX_DEV void gx_table_join(const gx_tables<T> &t, Start start, Store store, Op op) {
    GX_UNROLL1
    for (i64 bin = gx_thread(); bin < t.bins; bin += gx_threads()) {
        T sum = t.seen[bin] ? t.rows[bin] : start(bin);
        GX_UNROLL1
        for (i64 at = bin + t.bins; at < t.count * t.bins; at += t.bins)
            if (t.seen[at])
                sum = op(sum, t.rows[at]);
        store(bin, sum);
    }
}
