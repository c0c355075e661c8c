/* The inner part of a matrix product for one instruction set and one float type; a template. A tile
   is ROWS by COLS elements of c that stay in registers while k runs; a's and b's panels are packed
   so that it reads both forwards. Included with TILE_NAME(x)            the name of a function of
   this instance TILE_TARGET             its target attribute, or nothing TILE_T float or double
     TILE_VEC, TILE_LANES    a vector of that many elements
     TILE_LOAD(p) TILE_STORE(p, v) TILE_SPLAT(x) TILE_FMA(a, b, c)
     TILE_LOAD_PART(p, n) TILE_STORE_PART(p, n, v)    of the first n < TILE_LANES elements
     TILE_ROWS, TILE_VECS    the tile: rows, and vectors a row
   and leaves TILE_NAME(kernel), a TileKernel. */

#define TILE_COLS (TILE_VECS * TILE_LANES)

/* Adds `depth` products to the first `rows` rows of a tile; rows is a constant where it is inlined.
 */
TILE_TARGET static inline __attribute__((always_inline)) void
TILE_NAME(rows)(const int rows, int64_t depth, const TILE_T *a, const TILE_T *b, TILE_T *c,
                int64_t c_row, bool first) {
    TILE_VEC sum[TILE_ROWS][TILE_VECS];
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_VECS; v++)
            sum[i][v] = first ? TILE_SPLAT(0) : TILE_LOAD(c + i * c_row + v * TILE_LANES);
    for (int64_t p = 0; p < depth; p++, a += TILE_ROWS, b += TILE_COLS) {
        TILE_VEC right[TILE_VECS];
#pragma GCC unroll 16
        for (int v = 0; v < TILE_VECS; v++)
            right[v] = TILE_LOAD(b + v * TILE_LANES);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            TILE_VEC left = TILE_SPLAT(a[i]);
#pragma GCC unroll 16
            for (int v = 0; v < TILE_VECS; v++)
                sum[i][v] = TILE_FMA(left, right[v], sum[i][v]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 16
        for (int v = 0; v < TILE_VECS; v++)
            TILE_STORE(c + i * c_row + v * TILE_LANES, sum[i][v]);
}

TILE_TARGET static void TILE_NAME(tile)(int rows, int64_t depth, const void *a, const void *b,
                                        void *c, int64_t c_row, bool first) {
    if (rows == 1)
        TILE_NAME(rows)(1, depth, a, b, c, c_row, first);
    else if (rows <= TILE_ROWS / 2)
        TILE_NAME(rows)(TILE_ROWS / 2, depth, a, b, c, c_row, first);
    else
        TILE_NAME(rows)(TILE_ROWS, depth, a, b, c, c_row, first);
}

/* Columns of a small product, four rows at a time; past the last row the last one is computed again.
   They are `vecs` vectors, a constant where it is inlined, or part of one: `part` columns, if that is
   not 0. b and c begin at these columns and have m elements a row. */
TILE_TARGET static inline __attribute__((always_inline)) void
TILE_NAME(columns)(const int vecs, int part, int64_t n, int64_t k, int64_t m, const TILE_T *a,
                   const TILE_T *b, TILE_T *c) {
    for (int64_t i = 0; i < n; i += 4) {
        int64_t row[4];
        for (int r = 0; r < 4; r++)
            row[r] = i + r < n ? i + r : n - 1;
        TILE_VEC sum[4][2];
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
            sum[r][0] = sum[r][1] = TILE_SPLAT(0);
        for (int64_t q = 0; q < k; q++)
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) {
                const TILE_T *at = b + q * m + v * TILE_LANES;
                TILE_VEC right = part ? TILE_LOAD_PART(at, part) : TILE_LOAD(at);
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++)
                    sum[r][v] = TILE_FMA(TILE_SPLAT(a[row[r] * k + q]), right, sum[r][v]);
            }
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++)
#pragma GCC unroll 2
            for (int v = 0; v < vecs; v++) {
                TILE_T *at = c + row[r] * m + v * TILE_LANES;
                if (part)
                    TILE_STORE_PART(at, part, sum[r][v]);
                else
                    TILE_STORE(at, sum[r][v]);
            }
    }
}

/* A small product without packing. */
TILE_TARGET static void TILE_NAME(small)(int64_t n, int64_t k, int64_t m, const void *left,
                                         const void *right, void *result) {
    const TILE_T *a = left, *b = right;
    TILE_T *c = result;
    int64_t j = 0;
    for (; j + 2 * TILE_LANES <= m; j += 2 * TILE_LANES)
        TILE_NAME(columns)(2, 0, n, k, m, a, b + j, c + j);
    if (j + TILE_LANES <= m) {
        TILE_NAME(columns)(1, 0, n, k, m, a, b + j, c + j);
        j += TILE_LANES;
    }
    if (j < m)
        TILE_NAME(columns)(1, (int)(m - j), n, k, m, a, b + j, c + j);
}

static const TileKernel TILE_NAME(kernel) = {.rows = TILE_ROWS,
                                             .cols = TILE_COLS,
                                             .size = sizeof(TILE_T),
                                             .tile = TILE_NAME(tile),
                                             .small = TILE_NAME(small)};

#undef TILE_COLS
#undef TILE_NAME
#undef TILE_TARGET
#undef TILE_T
#undef TILE_VEC
#undef TILE_LANES
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_LOAD_PART
#undef TILE_STORE_PART
#undef TILE_SPLAT
#undef TILE_FMA
#undef TILE_ROWS
#undef TILE_VECS
