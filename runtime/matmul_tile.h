/* The inner part of a matrix product for one instruction set and one float type; a template. A tile
   is ROWS by COLS elements of c that stay in registers while k runs; a's and b's panels are packed
   so that it reads both forwards. Included with TILE_NAME(x)            the name of a function of
   this instance TILE_TARGET             its target attribute, or nothing TILE_T float or double
     TILE_VEC, TILE_LANES    a vector of that many elements
     TILE_LOAD(p) TILE_STORE(p, v) TILE_SPLAT(x) TILE_FMA(a, b, c)
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

/* A small product without packing: b and c have `pitch` elements a row, a multiple of TILE_LANES.
   Four rows at a time; past the last row the last one is computed again. */
TILE_TARGET static void TILE_NAME(small)(int64_t n, int64_t k, int64_t pitch, const void *left,
                                         const void *right, void *result) {
    const TILE_T *a = left, *b = right;
    TILE_T *c = result;
    for (int64_t i = 0; i < n; i += 4) {
        int64_t row[4];
        for (int r = 0; r < 4; r++)
            row[r] = i + r < n ? i + r : n - 1;
        for (int64_t j = 0; j < pitch; j += TILE_LANES) {
            TILE_VEC sum[4] = {TILE_SPLAT(0), TILE_SPLAT(0), TILE_SPLAT(0), TILE_SPLAT(0)};
            for (int64_t q = 0; q < k; q++) {
                TILE_VEC columns = TILE_LOAD(b + q * pitch + j);
#pragma GCC unroll 4
                for (int r = 0; r < 4; r++)
                    sum[r] = TILE_FMA(TILE_SPLAT(a[row[r] * k + q]), columns, sum[r]);
            }
#pragma GCC unroll 4
            for (int r = 0; r < 4; r++)
                TILE_STORE(c + row[r] * pitch + j, sum[r]);
        }
    }
}

static const TileKernel TILE_NAME(kernel) = {.rows = TILE_ROWS,
                                             .cols = TILE_COLS,
                                             .lanes = TILE_LANES,
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
#undef TILE_SPLAT
#undef TILE_FMA
#undef TILE_ROWS
#undef TILE_VECS
