/* Transposes of many matrices of one shape: from[b, n, m] to to[b, m, n], of elements of 1, 2, 4 or
   8 bytes. Matrices of some size: a block moves a square through shared memory, so that it reads
   and writes memory by rows; a row of the square there is one element longer, so that its columns
   lie in different banks, and short elements take a word each for the same reason. Small and thin
   ones: a thread fetches its element of the result, as what a warp reads lies close together and is
   read again from L1. The driver, runtime/device/lib_transpose.c, chooses. */

enum { TRANSPOSE_SIDE = 32, TRANSPOSE_ROWS = 8 }; /* of a square; rows that a block moves at once */
enum { TRANSPOSE_THREADS = TRANSPOSE_SIDE * TRANSPOSE_ROWS };

struct TransposeArgs {
    const void *from;
    void *to;
    i64 count, n, m; /* matrices; rows and columns of `from` */
};

template <class U> struct TransposeWord { typedef u32 type; };
template <> struct TransposeWord<u64> { typedef u64 type; };

/* One block a square of a matrix. */
template <class U> GX_DEV void transpose_square(const TransposeArgs &a) {
    typedef typename TransposeWord<U>::type Word;
    struct Square {
        Word at[TRANSPOSE_SIDE][TRANSPOSE_SIDE + 1];
    };
    GX_SHARED(Square, square);
    i64 down = (a.n + TRANSPOSE_SIDE - 1) / TRANSPOSE_SIDE;
    i64 across = (a.m + TRANSPOSE_SIDE - 1) / TRANSPOSE_SIDE;
    i64 matrix = blockIdx.x / (down * across), within = blockIdx.x % (down * across);
    i64 top = within / across * TRANSPOSE_SIDE, left = within % across * TRANSPOSE_SIDE;
    const U *from = (const U *)a.from + matrix * a.n * a.m;
    U *to = (U *)a.to + matrix * a.n * a.m;
    int x = threadIdx.x % TRANSPOSE_SIDE, y = threadIdx.x / TRANSPOSE_SIDE;
    GX_UNROLL
    for (int row = 0; row < TRANSPOSE_SIDE; row += TRANSPOSE_ROWS)
        if (top + y + row < a.n && left + x < a.m)
            square.at[y + row][x] = from[(top + y + row) * a.m + left + x];
    gx_sync();
    GX_UNROLL
    for (int row = 0; row < TRANSPOSE_SIDE; row += TRANSPOSE_ROWS)
        if (left + y + row < a.m && top + x < a.n)
            to[(left + y + row) * a.n + top + x] = (U)square.at[x][y + row];
}

/* Blocks stride over the elements of the result; Index counts all of them. */
template <class U, class Index> GX_DEV void transpose_elements(const TransposeArgs &a) {
    Index n = (Index)a.n, m = (Index)a.m, size = n * m, total = (Index)a.count * size;
    Index step = (Index)gridDim.x * TRANSPOSE_THREADS;
    Index first = (Index)blockIdx.x * TRANSPOSE_THREADS + threadIdx.x;
    GX_UNROLL1
    for (Index at = first; at < total; at += step) {
        Index within = at % size;
        ((U *)a.to)[at] = ((const U *)a.from)[at - within + within % n * m + within / n];
        if (total - at <= step) /* at + step could wrap */
            break;
    }
}

#define TRANSPOSE_SQUARES(U)                                                                    \
    GX_KERNEL(transpose, TransposeArgs, TRANSPOSE_THREADS) { transpose_square<U>(a); }
#define TRANSPOSE_ELEMENTS(U, Index)                                                            \
    GX_KERNEL_PLAIN(transpose, TransposeArgs, TRANSPOSE_THREADS) { transpose_elements<U, Index>(a); }
