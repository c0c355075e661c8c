/* Histograms: values combined by an exact operator into the bin that each point names. Bins that
   fit are counted in shared memory, a copy for each warp where they are few (as in Podlozhnyuk,
   "Histogram calculation in CUDA", NVIDIA 2007), and each block adds what it has to the result;
   more bins are combined in the result itself. Both by atomics, so the operator must be exact and
   commute: sums of integers, min, max, and, or, xor of integers. The result begins as the caller
   wants, and bins that no point names stay so.

   load(i, &value) gives the bin of point i, which is in range, or -1 for none. Blocks stride over
   the points. S is the type in shared memory, T that of the result: counts may be u32 there and i64
   in the result, as a block has fewer than 2^32 points; otherwise they are equal. Both have 4 or 8
   bytes. */

template <class T> GX_DEV T gx_histogram_most() {
    return (T)((GX_U)~(GX_U)0 >> GX_IS(T, GX_SIGNED));
}

/* Operators: the value that changes nothing, the operator on two values, and in memory. */
#define GX_HISTOGRAM_OP(name, neutral_value, expression, fetch)                                 \
    struct name {                                                                               \
        template <class T> GX_DEV T neutral() { return neutral_value; }                         \
        template <class T> GX_DEV T of(T a, T b) { return expression; }                         \
        template <class T> GX_DEV void put(T *p, T v) { fetch; }                                \
    };
#define GX_HISTOGRAM_BITS(f) gx_fetch_##f((GX_U *)p, (GX_U)v)
GX_HISTOGRAM_OP(gx_bins_add, (T)0, (T)((GX_U)a + (GX_U)b), GX_HISTOGRAM_BITS(add))
GX_HISTOGRAM_OP(gx_bins_min, gx_histogram_most<T>(), a < b ? a : b, gx_fetch_min(p, v))
GX_HISTOGRAM_OP(gx_bins_max, (T)~gx_histogram_most<T>(), a < b ? b : a, gx_fetch_max(p, v))
GX_HISTOGRAM_OP(gx_bins_and, (T)~(T)0, a & b, GX_HISTOGRAM_BITS(and))
GX_HISTOGRAM_OP(gx_bins_or, (T)0, a | b, GX_HISTOGRAM_BITS(or))
GX_HISTOGRAM_OP(gx_bins_xor, (T)0, a ^ b, GX_HISTOGRAM_BITS(xor))

/* `bins` is shared memory for copies * k values; a block has at least `copies` warps. */
template <class Op, class S, class T, class Load>
GX_DEV void gx_histogram_shared(S *bins, int k, int copies, T *out, i64 n, Load load) {
    S *own = bins + threadIdx.x / 32 % copies * k;
    for (int j = threadIdx.x; j < copies * k; j += blockDim.x)
        bins[j] = Op::template neutral<S>();
    gx_sync();
    GX_UNROLL1
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n;
         i += (i64)gridDim.x * blockDim.x) {
        S value;
        i64 bin = load(i, &value);
        if (bin >= 0)
            Op::put(&own[bin], value);
    }
    gx_sync();
    for (int j = threadIdx.x; j < k; j += blockDim.x) {
        S all = bins[j];
        for (int copy = 1; copy < copies; copy++)
            all = Op::of(all, bins[copy * k + j]);
        if (all != Op::template neutral<S>())
            Op::put(&out[j], (T)all);
    }
}

template <class Op, class T, class Load> GX_DEV void gx_histogram_global(T *out, i64 n, Load load) {
    GX_UNROLL1
    for (i64 i = (i64)blockIdx.x * blockDim.x + threadIdx.x; i < n;
         i += (i64)gridDim.x * blockDim.x) {
        T value;
        i64 bin = load(i, &value);
        if (bin >= 0)
            Op::put(&out[bin], value);
    }
}
