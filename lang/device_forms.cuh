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

enum { GX_CHUNK = 4096, GX_PIECE = 128, GX_GROUP = 16, GX_BLOCK = 256 };

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

/* ---- scans whose order shows: a block of 256 threads does a chunk, a thread a group of 16 points ---- */

/* What a block needs of shared memory. Points are read and written by neighbouring threads at
   neighbouring places and meet their groups in `stage`, where a group is one longer, so that those of
   a warp are in different banks; values that are too large for that are read where they are. */
template <class T> struct gx_scan_block {
    static constexpr bool is_staged = sizeof(T) <= 8;
    T sums[GX_CHUNK / GX_GROUP];
    T stage[is_staged ? GX_CHUNK / GX_GROUP * (GX_GROUP + 1) : 1];
};

/* The prefixes of a group of n <= 16 values, combined in pairs. */
template <class T, class Op> GX_DEV void gx_group_scan(T *v, int n, Op op) {
    if constexpr (gx_scan_block<T>::is_staged) { /* in registers */
        GX_UNROLL
        for (int bit = 1; bit < GX_GROUP; bit *= 2)
            GX_UNROLL
            for (int k = GX_GROUP - 1; k >= 0; k--)
                if (k & bit && k < n)
                    v[k] = op(v[(k & ~(2 * bit - 1)) + bit - 1], v[k]);
    } else {
        GX_UNROLL1
        for (int bit = 1; bit < GX_GROUP; bit *= 2)
            GX_UNROLL1
            for (int k = n - 1; k >= 0; k--)
                if (k & bit)
                    v[k] = op(v[(k & ~(2 * bit - 1)) + bit - 1], v[k]);
    }
}

/* v[k] = what stands before it, or that with it, for k from `from` to n - 1; by one thread, from left to
   right. Gives what all add up to. Some values are read at once, as only the operator has to wait. */
template <bool exclusive, class T, class Op>
GX_DEV T gx_fold_in_order(T *v, int from, int n, T sum, Op op) {
    const int ahead = gx_scan_block<T>::is_staged ? 8 : 1;
    GX_UNROLL1
    for (int k = from; k < n; k += ahead) {
        T part[ahead];
        GX_UNROLL
        for (int j = 0; j < ahead; j++)
            if (k + j < n)
                part[j] = v[k + j];
        GX_UNROLL
        for (int j = 0; j < ahead; j++)
            if (k + j < n) {
                T upto = op(sum, part[j]);
                v[k + j] = exclusive ? sum : upto;
                sum = upto;
            }
    }
    return sum;
}

/* The prefixes inside of this thread's group of points lo … hi - 1 in v, and in shared.sums what groups
   0 … g add up to; how many points the thread has. `flight` loads are under way at a time. */
template <int flight, class T, class Load, class Op>
GX_DEV int gx_scan_groups(gx_scan_block<T> &shared, i64 lo, i64 hi, T *v, Load load, Op op) {
    const int first = threadIdx.x * GX_GROUP, count = (int)(hi - lo);
    const int n = gx_max(gx_min(count - first, (int)GX_GROUP), 0);
    gx_sync();
    if constexpr (gx_scan_block<T>::is_staged) {
        GX_UNROLL_BY(flight)
        for (int j = threadIdx.x; j < count; j += blockDim.x)
            shared.stage[j + j / GX_GROUP] = load(lo + j);
        gx_sync();
        GX_UNROLL
        for (int k = 0; k < GX_GROUP; k++)
            if (k < n)
                v[k] = shared.stage[threadIdx.x * (GX_GROUP + 1) + k];
    } else {
        GX_UNROLL1
        for (int k = 0; k < n; k++)
            v[k] = load(lo + first + k);
    }
    gx_group_scan(v, n, op);
    GX_UNROLL
    for (int k = 0; k < GX_GROUP; k++)
        if (k == n - 1)
            shared.sums[threadIdx.x] = v[k];
    gx_sync();
    if (threadIdx.x == 0)
        gx_fold_in_order<false>(shared.sums, 1, (count + GX_GROUP - 1) / GX_GROUP, shared.sums[0], op);
    gx_sync();
    return n;
}

/* First phase: rows[c] = what chunk c adds up to. */
template <int flight, class T, class Load, class Op>
GX_DEV void gx_scan_sums(gx_scan_block<T> &shared, T *rows, i64 total, Load load, Op op) {
    GX_UNROLL1
    for (i64 lo = (i64)blockIdx.x * GX_CHUNK; lo < total; lo += (i64)gridDim.x * GX_CHUNK) {
        const i64 hi = gx_min(lo + (i64)GX_CHUNK, total);
        T v[GX_GROUP];
        gx_scan_groups<flight>(shared, lo, hi, v, load, op);
        if (threadIdx.x == 0)
            rows[lo / GX_CHUNK] = shared.sums[(hi - lo - 1) / GX_GROUP];
    }
}

/* Then, by one block: rows[c] = zero and the chunks before c, from left to right. All threads
   move them, one adds. */
template <class T, class Op> GX_DEV void gx_scan_before(T *rows, i64 n, T zero, Op op) {
    const int room = sizeof(T) < 64 ? 8192 / sizeof(T) : 128;
    GX_SHARED_ARRAY(T, stage, room);
    GX_UNROLL1
    for (i64 lo = 0; lo < n; lo += room) {
        const int count = (int)gx_min(n - lo, (i64)room);
        for (int j = threadIdx.x; j < count; j += blockDim.x)
            stage[j] = rows[lo + j];
        gx_sync();
        if (threadIdx.x == 0)
            zero = gx_fold_in_order<true>(stage, 0, count, zero, op);
        gx_sync();
        for (int j = threadIdx.x; j < count; j += blockDim.x)
            rows[lo + j] = stage[j];
        gx_sync();
    }
}

/* Second phase: each point gets op(op(before its chunk, groups before), prefix in its group). */
template <bool exclusive, int flight, class T, class Load, class Store, class Op>
GX_DEV void gx_scan_points(gx_scan_block<T> &shared, const T *rows, i64 total, Load load, Store store, Op op) {
    GX_UNROLL1
    for (i64 lo = (i64)blockIdx.x * GX_CHUNK; lo < total; lo += (i64)gridDim.x * GX_CHUNK) {
        const i64 hi = gx_min(lo + (i64)GX_CHUNK, total);
        const T base = rows[lo / GX_CHUNK];
        T v[GX_GROUP];
        const int n = gx_scan_groups<flight>(shared, lo, hi, v, load, op);
        const T before = n == 0 || threadIdx.x == 0 ? base : op(base, shared.sums[threadIdx.x - 1]);
        if constexpr (gx_scan_block<T>::is_staged) {
            T *const own = shared.stage + threadIdx.x * (GX_GROUP + 1);
            GX_UNROLL
            for (int k = 0; k < GX_GROUP; k++)
                if (k < n)
                    own[k] = !exclusive ? op(before, v[k]) : k ? op(before, v[k - 1]) : before;
            gx_sync();
            GX_UNROLL1
            for (int j = threadIdx.x; j < (int)(hi - lo); j += blockDim.x)
                store(lo + j, shared.stage[j + j / GX_GROUP]);
        } else {
            const i64 from = lo + (i64)threadIdx.x * GX_GROUP;
            GX_UNROLL1
            for (int k = 0; k < n; k++)
                store(from + k, exclusive && k == 0 ? before : op(before, v[exclusive ? k - 1 : k]));
        }
        gx_sync();
    }
}

/* ---- neighbouring elements, 16 bytes or less at a time ---- */

struct alignas(16) gx_quad { u32 x, y, z, w; };
template <int bytes> struct gx_pack_word { typedef gx_quad type; };
template <> struct gx_pack_word<8> { typedef u64 type; };
template <> struct gx_pack_word<4> { typedef u32 type; };

template <class T, int n> union gx_pack {
    typedef typename gx_pack_word<n * sizeof(T)>::type Access;
    static constexpr int accesses = n * sizeof(T) / sizeof(Access);
    Access words[accesses];
    T at[n];
    GX_DEV_MEMBER gx_pack() {}
};
/* p is a multiple of 16, or of all of its bytes where these are fewer. */
template <int n, class T> GX_DEV gx_pack<T, n> gx_load_pack(const T *p) {
    gx_pack<T, n> pack;
    GX_UNROLL
    for (int k = 0; k < pack.accesses; k++)
        pack.words[k] = ((const typename gx_pack<T, n>::Access *)p)[k];
    return pack;
}
template <int n, class T> GX_DEV void gx_store_pack(T *p, const gx_pack<T, n> &pack) {
    GX_UNROLL
    for (int k = 0; k < pack.accesses; k++)
        ((typename gx_pack<T, n>::Access *)p)[k] = pack.words[k];
}

/* ---- squares of a matrix ---- */

/* Rows of a square are one longer, so that a column lies in different banks. */
template <class T> struct gx_square {
    T at[32][33];
};

/* Rows top … top + 31, of n, and columns left … left + 31, of m, of a matrix with rows of `row` elements;
   by a block. */
template <class T>
GX_DEV void gx_load_square(gx_square<T> &square, const T *from, i64 row, i64 top, i64 left, i64 n, i64 m) {
    const i64 j = left + gx_lane();
    GX_UNROLL
    for (int k = 0; k < 32; k += GX_BLOCK / 32) {
        const int y = k + threadIdx.x / 32;
        if (top + y < n && j < m)
            square.at[y][gx_lane()] = from[(top + y) * row + j];
    }
}

/* ---- results, as the host has them in slots ---- */

template <class T> GX_DEV u64 gx_slot(T v) {
    if constexpr (GX_IS(T, GX_SIGNED))
        return (u64)(i64)v;
    else
        return (u64)gx_to_word(v);
}

/* ---- tables of exact operators ---- */

enum { GX_FEW_BINS = 1024 }; /* that are combined in shared memory first */

template <class T> GX_DEV void gx_atomic_add(T *p, T v) { gx_fetch_add(p, v); }
template <class T> GX_DEV void gx_atomic_min(T *p, T v) { gx_fetch_min(p, v); }
template <class T> GX_DEV void gx_atomic_max(T *p, T v) { gx_fetch_max(p, v); }
template <class T> GX_DEV void gx_atomic_and(T *p, T v) { gx_fetch_and(p, v); }
template <class T> GX_DEV void gx_atomic_or(T *p, T v) { gx_fetch_or(p, v); }
template <class T> GX_DEV void gx_atomic_xor(T *p, T v) { gx_fetch_xor(p, v); }
