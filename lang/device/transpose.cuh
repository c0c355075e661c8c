/* Transposes of many matrices of one shape: from[b, n, m] to to[b, m, n], of elements of 1, 2, 4 or 8
   bytes. A block moves a square through shared memory, so that it reads and writes memory by rows; a row
   of the square there is one element longer, so that its columns lie in different banks. Short elements
   take a word each there for the same reason. */

enum { TRANSPOSE_SIDE = 32, TRANSPOSE_ROWS = 8 }; /* of the square; rows that a block moves at once */

struct TransposeArgs {
    const void *from;
    void *to;
    i64 n, m;
    i64 down, across; /* squares of one matrix */
};

template <class U> struct TransposeWord { typedef u32 type; };
template <> struct TransposeWord<u64> { typedef u64 type; };

/* One block a square of a matrix. */
template <class U> GX_DEV void transpose_square(const TransposeArgs &a) {
    typedef typename TransposeWord<U>::type Word;
    struct Square { Word at[TRANSPOSE_SIDE][TRANSPOSE_SIDE + 1]; };
    GX_SHARED(Square, square);
    i64 matrix = blockIdx.x / (a.down * a.across), within = blockIdx.x % (a.down * a.across);
    i64 top = within / a.across * TRANSPOSE_SIDE, left = within % a.across * TRANSPOSE_SIDE;
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

#define TRANSPOSE_KERNEL(U)                                                                     \
    GX_KERNEL(transpose, TransposeArgs, TRANSPOSE_SIDE * TRANSPOSE_ROWS) { transpose_square<U>(a); }
