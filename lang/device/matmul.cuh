/* Matrix products c[n, m] = a[n, k] b[k, m], by rows. Every element is one chain of fma over k in
   order from 0, as on the host (runtime/matmul.c), so its bits do not depend on the blocking and k
   is never split; halves run in f32 and round after each step, integers wrap and are computed in
   u32 or u64.

   A block computes a tile of BM * BN elements, a thread TM * TN of them in registers. Slices of BK
   of the depth go through shared memory, a's by columns, in two buffers: while one is multiplied
   the next slice is on its way in registers, so there is one barrier a slice. A thread's elements
   lie in groups of 16 bytes side by side, so that a warp reads shared memory in whole vectors from
   different banks. Elements outside the matrices are read as 0, and never multiplied along the
   depth: a product with 0 could turn a sum of -0 to 0. The driver, runtime/device/lib_matmul.c,
   chooses the tile.

   Tensor cores round differently and are for what is marked @fast; they are no part of this file.
 */

struct MatmulArgs {
    const void *a, *b;
    void *c;
    i64 n, k, m;
    i64 down, across; /* tiles */
};

enum { MATMUL_GROUP = 8 }; /* rows of tiles that are computed together, so that they share b in L2 */

/* ---- elements ---- */

/* What elements of memory are computed in. */
template <class T> struct MatmulSum { typedef u32 type; };
template <> struct MatmulSum<u64> { typedef u64 type; };
template <> struct MatmulSum<f32> { typedef f32 type; };
template <> struct MatmulSum<f64> { typedef f64 type; };
template <> struct MatmulSum<f16> { typedef f32 type; };
template <> struct MatmulSum<bf16> { typedef f32 type; };

/* One step of the chain of elements of T. */
template <class T, class A> GX_DEV A matmul_step(A a, A b, A sum) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_wide(gx_narrow<T>(gx_fused(a, b, sum)));
    else
        return gx_fma(a, b, sum);
}

template <class A, class T> GX_DEV A matmul_widen(T x) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_wide(x);
    else
        return (A)x;
}

template <class T, class A> GX_DEV T matmul_narrow(A x) {
    if constexpr (GX_IS(T, GX_HALF))
        return gx_narrow<T>(x);
    else
        return (T)x;
}

/* ---- a block ---- */

/* The shape of a block's work and of a thread's. */
template <class T, int BM_, int BN_, int BK_, int TM_, int TN_> struct MatmulShape {
    typedef T Element;
    typedef typename MatmulSum<T>::type Sum;
    static constexpr int BM = BM_, BN = BN_, BK = BK_, TM = TM_, TN = TN_;
    static constexpr int THREADS = BM / TM * (BN / TN), COLUMNS = BN / TN; /* of threads */
    static constexpr int A_EACH = BM * BK / THREADS, B_EACH = BK * BN / THREADS;
    static constexpr int VECTOR = 16 / (int)sizeof(Sum);
    static constexpr int ROW = TM < VECTOR ? TM : VECTOR, COL = TN < VECTOR ? TN : VECTOR;
    static constexpr int PAD = VECTOR; /* rows of a's slice begin in different banks */
    static_assert(BM * BK % THREADS == 0 && BK * BN % THREADS == 0, "slices are loaded evenly");
    static_assert(THREADS % BK == 0 && THREADS % BN == 0,
                  "a thread loads one column of each slice");
    static_assert(TM % ROW == 0 && TN % COL == 0, "threads have whole vectors");
};

template <class Shape> struct alignas(16) MatmulShared {
    typename Shape::Sum a[2][Shape::BK][Shape::BM + Shape::PAD];
    typename Shape::Sum b[2][Shape::BK][Shape::BN];
};

template <class A, int size> struct alignas(sizeof(A) * size) MatmulVector { A at[size]; };

/* Where a block's tile begins: blocks go down MATMUL_GROUP tiles before they go across. */
template <class Shape> GX_DEV void matmul_place(const MatmulArgs &a, i64 *row, i64 *col) {
    i64 block = blockIdx.x, group = block / (MATMUL_GROUP * a.across) * MATMUL_GROUP;
    i64 rows = a.down - group < MATMUL_GROUP ? a.down - group : MATMUL_GROUP;
    i64 within = block - group * a.across;
    *row = (group + within % rows) * Shape::BM;
    *col = within / rows * Shape::BN;
}

/* A slice on its way from memory to shared memory. */
template <class Shape> struct MatmulSlice {
    typename Shape::Element a[Shape::A_EACH], b[Shape::B_EACH];
};

/* What a thread loads of the next slice: every A_STEP-th row of a, every B_STEP-th row of b. */
template <class Shape> struct MatmulCursor {
    static constexpr int A_STEP = Shape::THREADS / Shape::BK, B_STEP = Shape::THREADS / Shape::BN;
    const typename Shape::Element *a, *b;
    u32 a_rows; /* a bit for each row of a that there is */
    bool b_col;
};

template <class Shape>
GX_DEV MatmulCursor<Shape> matmul_begin(const MatmulArgs &m, i64 row, i64 col) {
    typedef typename Shape::Element T;
    typedef MatmulCursor<Shape> Cursor;
    i64 a_row = row + threadIdx.x / Shape::BK, b_col = col + threadIdx.x % Shape::BN;
    Cursor c;
    c.a = (const T *)m.a + a_row * m.k + threadIdx.x % Shape::BK;
    c.b = (const T *)m.b + threadIdx.x / Shape::BN * m.m + b_col;
    c.a_rows = 0;
    GX_UNROLL
    for (int i = 0; i < Shape::A_EACH; i++)
        c.a_rows |= a_row + i * Cursor::A_STEP < m.n ? 1u << i : 0;
    c.b_col = b_col < m.m;
    return c;
}

/* The next slice, of which `left` of the depth are inside. */
template <class Shape>
GX_DEV void matmul_load(const MatmulArgs &m, MatmulCursor<Shape> &c, i64 left,
                        MatmulSlice<Shape> &slice) {
    typedef typename Shape::Element T;
    typedef MatmulCursor<Shape> Cursor;
    int depth = left < Shape::BK ? (int)left : Shape::BK;
    bool a_col = (int)threadIdx.x % Shape::BK < depth;
    GX_UNROLL
    for (int i = 0; i < Shape::A_EACH; i++)
        slice.a[i] = a_col && c.a_rows >> i & 1 ? c.a[i * Cursor::A_STEP * m.k] : T();
    GX_UNROLL
    for (int i = 0; i < Shape::B_EACH; i++) {
        bool inside = c.b_col && (int)threadIdx.x / Shape::BN + i * Cursor::B_STEP < depth;
        slice.b[i] = inside ? c.b[i * Cursor::B_STEP * m.m] : T();
    }
    c.a += Shape::BK;
    c.b += Shape::BK * m.m;
}

template <class Shape>
GX_DEV void matmul_put(MatmulShared<Shape> &shared, int buffer, const MatmulSlice<Shape> &slice) {
    typedef typename Shape::Sum A;
    typedef MatmulCursor<Shape> Cursor;
    int t = threadIdx.x;
    GX_UNROLL
    for (int i = 0; i < Shape::A_EACH; i++)
        shared.a[buffer][t % Shape::BK][t / Shape::BK + i * Cursor::A_STEP] =
            matmul_widen<A>(slice.a[i]);
    GX_UNROLL
    for (int i = 0; i < Shape::B_EACH; i++)
        shared.b[buffer][t / Shape::BN + i * Cursor::B_STEP][t % Shape::BN] =
            matmul_widen<A>(slice.b[i]);
}

/* Where element `e` of a thread's `each` lies in the tile, on one axis: vectors of the threads side
   by side, then their next vectors. */
template <int VECTOR> GX_DEV int matmul_at(int thread, int threads, int e) {
    return (e / VECTOR * threads + thread) * VECTOR + e % VECTOR;
}

/* One step of all chains of a thread. */
template <class Shape>
GX_DEV void matmul_deeper(const MatmulShared<Shape> &shared, int buffer, int depth,
                          typename Shape::Sum (*sum)[Shape::TN]) {
    typedef typename Shape::Sum A;
    typedef MatmulVector<A, Shape::ROW> Rows;
    typedef MatmulVector<A, Shape::COL> Cols;
    const int ROWS = Shape::BM / Shape::TM, COLS = Shape::COLUMNS;
    int y = threadIdx.x / COLS, x = threadIdx.x % COLS;
    Rows a[Shape::TM / Shape::ROW];
    Cols b[Shape::TN / Shape::COL];
    GX_UNROLL
    for (int g = 0; g < Shape::TM / Shape::ROW; g++)
        a[g] =
            *(const Rows *)&shared.a[buffer][depth][matmul_at<Shape::ROW>(y, ROWS, g * Shape::ROW)];
    GX_UNROLL
    for (int g = 0; g < Shape::TN / Shape::COL; g++)
        b[g] =
            *(const Cols *)&shared.b[buffer][depth][matmul_at<Shape::COL>(x, COLS, g * Shape::COL)];
    GX_UNROLL
    for (int i = 0; i < Shape::TM; i++) {
        GX_UNROLL
        for (int j = 0; j < Shape::TN; j++)
            sum[i][j] = matmul_step<typename Shape::Element>(a[i / Shape::ROW].at[i % Shape::ROW],
                                                             b[j / Shape::COL].at[j % Shape::COL],
                                                             sum[i][j]);
    }
}

template <class Shape>
GX_DEV void matmul_store(const MatmulArgs &m, i64 row, i64 col,
                         const typename Shape::Sum (*sum)[Shape::TN]) {
    typedef typename Shape::Element T;
    const int ROWS = Shape::BM / Shape::TM, COLS = Shape::COLUMNS;
    int y = threadIdx.x / COLS, x = threadIdx.x % COLS;
    T *c = (T *)m.c;
    GX_UNROLL
    for (int i = 0; i < Shape::TM; i++) {
        i64 at_row = row + matmul_at<Shape::ROW>(y, ROWS, i);
        GX_UNROLL
        for (int j = 0; j < Shape::TN; j++) {
            i64 at_col = col + matmul_at<Shape::COL>(x, COLS, j);
            if (at_row < m.n && at_col < m.m)
                c[at_row * m.m + at_col] = matmul_narrow<T>(sum[i][j]);
        }
    }
}

template <class Shape> GX_DEV void matmul_tile(const MatmulArgs &m) {
    GX_SHARED(MatmulShared<Shape>, shared);
    typename Shape::Sum sum[Shape::TM][Shape::TN];
    MatmulSlice<Shape> slice;
    i64 row, col;
    int buffer = 0;
    matmul_place<Shape>(m, &row, &col);
    GX_UNROLL
    for (int i = 0; i < Shape::TM; i++) {
        GX_UNROLL
        for (int j = 0; j < Shape::TN; j++)
            sum[i][j] = 0;
    }
    MatmulCursor<Shape> cursor = matmul_begin<Shape>(m, row, col);
    matmul_load(m, cursor, m.k, slice);
    matmul_put(shared, 0, slice);
    gx_sync();
    GX_UNROLL1
    for (i64 left = m.k; left > 0; left -= Shape::BK, buffer ^= 1) {
        if (left > Shape::BK)
            matmul_load(m, cursor, left - Shape::BK, slice);
        if (left >= Shape::BK) {
            GX_UNROLL
            for (int depth = 0; depth < Shape::BK; depth++)
                matmul_deeper(shared, buffer, depth, sum);
        } else {
            GX_UNROLL1
            for (int depth = 0; depth < (int)left; depth++)
                matmul_deeper(shared, buffer, depth, sum);
        }
        if (left > Shape::BK)
            matmul_put(shared, buffer ^ 1, slice);
        gx_sync();
    }
    matmul_store<Shape>(m, row, col, sum);
}

#define MATMUL_KERNEL(T, BM, BN, BK, TM, TN)                                                    \
    typedef MatmulShape<T, BM, BN, BK, TM, TN> MatmulUnit;                                      \
    GX_KERNEL(matmul, MatmulArgs, MatmulUnit::THREADS, 2) { matmul_tile<MatmulUnit>(a); }
