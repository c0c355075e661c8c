/* Nearly exact results of f32 functions, quickly. */
#ifndef GACT_PLAIN_H
#define GACT_PLAIN_H

/* y[k] = the function of that row of functions.def at x[k], by the C library in f64. */
void plain_row(int row, const float *x, double *y, int n);

#endif
