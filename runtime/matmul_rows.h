/* Matrix products row by row, for the kinds without tiles; a template. c's row i is the sum over k,
   in order, of a[i, k] times b's row k, and the loop over columns vectorises. Included with
     ROWS_NAME(x)       the name of a function of this instance
     ROWS_TARGET        its target attribute, or nothing
     ROWS_T             the type of the elements
     ROWS_STEP(a, b, c) c plus a times b */

ROWS_TARGET static void ROWS_NAME(rows)(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    const Product *p = env;
    (void)ctx;
    for (int64_t i = lo; i < hi; i++) {
        const ROWS_T *a = (const ROWS_T *)p->a + i * p->k;
        ROWS_T *restrict c = (ROWS_T *)p->c + i * p->m;
        for (int64_t from = 0; from < p->m; from += ROWS_COLS) {
            int64_t to = from + ROWS_COLS < p->m ? from + ROWS_COLS : p->m;
            for (int64_t j = from; j < to; j++)
                c[j] = 0;
            for (int64_t q = 0; q < p->k; q++) {
                const ROWS_T *restrict b = (const ROWS_T *)p->b + q * p->m;
                ROWS_T left = a[q];
                for (int64_t j = from; j < to; j++)
                    c[j] = ROWS_STEP(left, b[j], c[j]);
            }
        }
    }
}

#undef ROWS_NAME
#undef ROWS_TARGET
#undef ROWS_T
#undef ROWS_STEP
