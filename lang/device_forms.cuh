/* How the points of a kernel are combined: the trees of codegen/host/reduce.c and prefix.h, so that every
   device gives the host's bits. Stands behind device.cuh.

   A chunk is 4096 points. Sums whose order shows (floats) take 32 lanes that stride over a chunk and are
   then combined 16, 8, 4, 2, 1 apart; operators that need not commute take pieces of 128 points in order
   and combine neighbours in pairs; chunks are combined as neighbours in pairs. W is 32 where a warp does it
   together, all of its lanes calling, and 1 where a thread does it alone. */

#ifdef GX_EMU
#define GX_DEV_MEMBER inline
#else
#define GX_DEV_MEMBER __device__ __forceinline__
#endif

enum { GX_CHUNK = 4096, GX_PIECE = 128, GX_GROUP = 16 };

#define GX_ARG alignas(8) /* of arguments and of members of records: a word each */

GX_DEV i64 gx_warp() { return ((i64)blockIdx.x * blockDim.x + threadIdx.x) >> 5; }
GX_DEV i64 gx_warps() { return (i64)gridDim.x * blockDim.x >> 5; }
GX_DEV i64 gx_thread() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
GX_DEV i64 gx_threads() { return (i64)gridDim.x * blockDim.x; }

/* p = q * n + r, quickly where all of it fits into 32 bits. */
GX_DEV void gx_split(i64 p, i64 n, i64 &q, i64 &r) {
    if (((u64)p | (u64)n) >> 32 == 0) {
        q = (i64)((u32)p / (u32)n);
        r = (i64)((u32)p % (u32)n);
    } else {
        q = p / n;
        r = p % n;
    }
}

/* Values of any size between the lanes of a warp. */
template <class T> union gx_words {
    T v;
    u32 at[(sizeof(T) + 3) / 4];
    GX_DEV_MEMBER gx_words() {}
};
template <class T> GX_DEV T gx_lane_down(T v, u32 by) {
    gx_words<T> words;
    words.at[(sizeof(T) + 3) / 4 - 1] = 0;
    words.v = v;
    for (int k = 0; k < (int)((sizeof(T) + 3) / 4); k++)
        words.at[k] = gx_shfl_down(words.at[k], by);
    return words.v;
}
template <class T> GX_DEV T gx_lane_first(T v) {
    gx_words<T> words;
    words.at[(sizeof(T) + 3) / 4 - 1] = 0;
    words.v = v;
    for (int k = 0; k < (int)((sizeof(T) + 3) / 4); k++)
        words.at[k] = gx_shfl(words.at[k], 0);
    return words.v;
}

/* Combines neighbours in pairs, an odd last one moving up, of values that come in order. */
template <class T> struct gx_pairs {
    T kept[40];
    u64 count;
    template <class Op> GX_DEV_MEMBER void add(T v, Op op) {
        int level = 0;
        GX_UNROLL1
        for (u64 c = count; c & 1; c >>= 1, level++)
            v = op(kept[level], v);
        kept[level] = v;
        count++;
    }
    template <class Op> GX_DEV_MEMBER T all(Op op) {
        int level = 0;
        while (!(count >> level & 1))
            level++;
        T v = kept[level];
        GX_UNROLL1
        for (level++; count >> level; level++)
            if (count >> level & 1)
                v = op(kept[level], v);
        return v;
    }
};

/* ---- by a warp ---- */

/* Lanes 16, 8, 4, 2, 1 apart, the lower on the left; lane 0 has the result. */
template <class T, class Op> GX_DEV T gx_butterfly(T v, Op op) {
    for (int d = 16; d > 0; d /= 2)
        v = op(v, gx_lane_down(v, d));
    return v;
}

/* Neighbours in pairs of the first n lanes; lane 0 has the result. */
template <class T, class Op> GX_DEV T gx_lane_pairs(T v, int n, Op op) {
    for (int d = 1; d < 32; d *= 2) {
        T right = gx_lane_down(v, d);
        if ((int)gx_lane() % (2 * d) == 0 && (int)gx_lane() + d < n)
            v = op(v, right);
    }
    return v;
}

/* Points lo … hi - 1 of one chunk, in 32 strides; in lane 0. */
template <class T, class Value, class Op>
GX_DEV T gx_chunk_lanes(i64 lo, i64 hi, T identity, Value value, Op op) {
    T sum = identity;
    GX_UNROLL1
    for (i64 p = lo + gx_lane(); p < hi; p += 32)
        sum = op(sum, value(p));
    return gx_butterfly(sum, op);
}

/* The same in pieces of 128 points in order. */
template <class T, class Value, class Op> GX_DEV T gx_chunk_pieces(i64 lo, i64 hi, Value value, Op op) {
    i64 from = lo + (i64)gx_lane() * GX_PIECE, to = gx_min(from + GX_PIECE, hi);
    T sum{};
    GX_UNROLL1
    for (i64 p = from; p < to; p++) {
        T v = value(p);
        sum = p == from ? v : op(sum, v);
    }
    return gx_lane_pairs(sum, (int)((hi - lo + GX_PIECE - 1) / GX_PIECE), op);
}

/* A value and the number of its point; -1: it is the zero. */
template <class T> struct gx_picked {
    T v;
    i64 at;
};
template <class T, class Beats>
GX_DEV gx_picked<T> gx_better(const gx_picked<T> &x, const gx_picked<T> &y, Beats beats) {
    if (beats(x.v, y.v))
        return y;
    return beats(y.v, x.v) || x.at <= y.at ? x : y;
}
template <class Beats> struct gx_better_of {
    Beats beats;
    GX_DEV_MEMBER gx_better_of(Beats b) : beats(b) {}
    template <class T> GX_DEV_MEMBER gx_picked<T> operator()(const gx_picked<T> &x, const gx_picked<T> &y) const {
        return gx_better(x, y, beats);
    }
};
template <class T, class Value, class Beats>
GX_DEV gx_picked<T> gx_chunk_pick(i64 lo, i64 hi, gx_picked<T> best, Value value, Beats beats, int stride,
                                  int first) {
    GX_UNROLL1
    for (i64 p = lo + first; p < hi; p += stride) {
        T v = value(p);
        if (beats(best.v, v))
            best = gx_picked<T>{v, p};
    }
    return best;
}

/* ---- folds inside of a point: n points, then the zero at the left ---- */

template <int W, class T, class Value, class Op>
GX_DEV T gx_fold_any(i64 n, T zero, T identity, Value value, Op op) {
    T sum = identity;
    GX_UNROLL1
    for (i64 p = W == 1 ? 0 : gx_lane(); p < n; p += W)
        sum = op(sum, value(p));
    if constexpr (W > 1)
        sum = gx_lane_first(gx_butterfly(sum, op));
    return op(zero, sum);
}

/* One chunk by one thread: lanes in the order in which the butterfly meets them. */
template <class T, class Value, class Op>
GX_DEV T gx_alone_lanes(i64 lo, i64 hi, T identity, Value value, Op op) {
    gx_pairs<T> lanes;
    lanes.count = 0;
    GX_UNROLL1
    for (int k = 0; k < 32; k++) {
        int lane = (k & 1) << 4 | (k & 2) << 2 | (k & 4) | (k & 8) >> 2 | (k & 16) >> 4;
        T sum = identity;
        GX_UNROLL1
        for (i64 p = lo + lane; p < hi; p += 32)
            sum = op(sum, value(p));
        lanes.add(sum, op);
    }
    return lanes.kept[5];
}

template <int W, class T, class Value, class Op>
GX_DEV T gx_fold_lanes(i64 n, T zero, T identity, Value value, Op op) {
    if (n <= 0)
        return zero;
    gx_pairs<T> chunks;
    chunks.count = 0;
    GX_UNROLL1
    for (i64 lo = 0; lo < n; lo += GX_CHUNK) {
        i64 hi = gx_min(lo + (i64)GX_CHUNK, n);
        T sum;
        if constexpr (W == 1)
            sum = gx_alone_lanes(lo, hi, identity, value, op);
        else
            sum = gx_lane_first(gx_chunk_lanes(lo, hi, identity, value, op));
        if (n <= GX_CHUNK)
            return op(zero, sum);
        chunks.add(sum, op);
    }
    return op(zero, chunks.all(op));
}

template <class T, class Value, class Op> GX_DEV T gx_alone_pieces(i64 lo, i64 hi, Value value, Op op) {
    gx_pairs<T> pieces;
    pieces.count = 0;
    GX_UNROLL1
    for (i64 from = lo; from < hi; from += GX_PIECE) {
        i64 to = gx_min(from + (i64)GX_PIECE, hi);
        T sum{};
        GX_UNROLL1
        for (i64 p = from; p < to; p++) {
            T v = value(p);
            sum = p == from ? v : op(sum, v);
        }
        pieces.add(sum, op);
    }
    return pieces.all(op);
}

template <int W, class T, class Value, class Op> GX_DEV T gx_fold_pieces(i64 n, T zero, Value value, Op op) {
    if (n <= 0)
        return zero;
    gx_pairs<T> chunks;
    chunks.count = 0;
    GX_UNROLL1
    for (i64 lo = 0; lo < n; lo += GX_CHUNK) {
        i64 hi = gx_min(lo + (i64)GX_CHUNK, n);
        T sum;
        if constexpr (W == 1)
            sum = gx_alone_pieces<T>(lo, hi, value, op);
        else
            sum = gx_lane_first(gx_chunk_pieces<T>(lo, hi, value, op));
        if (n <= GX_CHUNK)
            return op(zero, sum);
        chunks.add(sum, op);
    }
    return op(zero, chunks.all(op));
}

template <int W, class T, class Value, class Beats> GX_DEV T gx_fold_pick(i64 n, T zero, Value value, Beats beats) {
    gx_picked<T> best = {zero, -1};
    best = gx_chunk_pick(0, n, best, value, beats, W, W == 1 ? 0 : (int)gx_lane());
    if constexpr (W > 1)
        best = gx_lane_first(gx_butterfly(best, gx_better_of<Beats>(beats)));
    return best.v;
}

template <class T> GX_DEV T gx_multiply_add(T a, T b, T c) {
    if constexpr (GX_IS(T, GX_FLOAT) || GX_IS(T, GX_HALF))
        return gx_fma(a, b, c);
    else
        return gx_add(gx_mul(a, b), c);
}

/* A row times a column whose elements are `step` apart, added in order. */
template <class T> GX_DEV T gx_dot(const T *row, const T *column, i64 n, i64 step) {
    T sum = gx_convert<T>((i32)0);
    GX_UNROLL1
    for (i64 k = 0; k < n; k++)
        sum = gx_multiply_add(row[k], column[k * step], sum);
    return sum;
}

/* ---- a kernel's chunks ---- */

/* Is this the last block of the grid to come here? It sees what all others have written. `done` counts
   them and is 0 again after the last. (Threadfence reduction.) */
GX_DEV bool gx_last_block(u32 *done) {
    GX_SHARED(u32, before);
    gx_fence();
    gx_sync();
    if (threadIdx.x == 0) {
        before = gx_fetch_add(done, 1u);
        if (before + 1 == gridDim.x)
            *done = 0;
    }
    gx_sync();
    gx_fence();
    return before + 1 == gridDim.x;
}

/* Rows 0 … n - 1, n > 0, as neighbours in pairs, by the threads of one block; the result is row 0. */
template <class T, class Op> GX_DEV void gx_tree(T *rows, i64 n, Op op) {
    GX_UNROLL1
    for (i64 d = 1; d < n; d *= 2) {
        GX_UNROLL1
        for (i64 k = threadIdx.x; k * 2 * d + d < n; k += blockDim.x)
            rows[k * 2 * d] = op(rows[k * 2 * d], rows[k * 2 * d + d]);
        gx_sync();
    }
}

/* ---- scans: a block of 256 threads does a chunk, a thread a group of 16 points ---- */

/* The prefixes of a group of up to 16 values, combined in pairs. */
template <class T, class Op> GX_DEV void gx_group_scan(T *v, int n, Op op) {
    for (int bit = 1; bit < GX_GROUP; bit *= 2)
        GX_UNROLL1
        for (int k = n - 1; k >= 0; k--)
            if (k & bit)
                v[k] = op(v[(k & ~(2 * bit - 1)) + bit - 1], v[k]);
}

/* sums[g] = op of groups 0 … g, from left to right, by thread 0. */
template <class T, class Op> GX_DEV void gx_fold_groups(T *sums, int n, Op op) {
    gx_sync();
    if (threadIdx.x == 0)
        GX_UNROLL1
        for (int g = 1; g < n; g++)
            sums[g] = op(sums[g - 1], sums[g]);
    gx_sync();
}

/* The sum of v over the threads before this one in a block of 256, and of all in *total. */
GX_DEV i32 gx_count_before(i32 v, i32 *total) {
    GX_SHARED_ARRAY(i32, warps, 8);
    i32 sum = v;
    for (int d = 1; d < 32; d *= 2) {
        i32 left = gx_shfl_up(sum, (u32)d);
        if ((int)gx_lane() >= d)
            sum += left;
    }
    gx_sync();
    if (gx_lane() == 31)
        warps[threadIdx.x >> 5] = sum;
    gx_sync();
    i32 before = 0, all = 0;
    for (int w = 0; w < 8; w++) {
        if (w == (int)(threadIdx.x >> 5))
            before = all;
        all += warps[w];
    }
    *total = all;
    return before + sum - v;
}

/* ---- results, as the host has them in slots ---- */

template <class T> GX_DEV u64 gx_slot(T v) {
    if constexpr (GX_IS(T, GX_SIGNED))
        return (u64)(i64)v;
    else
        return (u64)gx_to_word(v);
}

/* ---- tables of exact operators ---- */

template <class T> GX_DEV void gx_atomic_add(T *p, T v) { gx_fetch_add(p, v); }
template <class T> GX_DEV void gx_atomic_min(T *p, T v) { gx_fetch_min(p, v); }
template <class T> GX_DEV void gx_atomic_max(T *p, T v) { gx_fetch_max(p, v); }
template <class T> GX_DEV void gx_atomic_and(T *p, T v) { gx_fetch_and(p, v); }
template <class T> GX_DEV void gx_atomic_or(T *p, T v) { gx_fetch_or(p, v); }
template <class T> GX_DEV void gx_atomic_xor(T *p, T v) { gx_fetch_xor(p, v); }
