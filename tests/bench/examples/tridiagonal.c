/* Thomas' algorithm. */
#include "harness.h"

#include <math.h>

enum { N = 1000000 };
static double *lower, *middle, *upper, *right, *p, *x;

void prepare(void) {
    double **arrays[] = {&lower, &middle, &upper, &right, &p, &x};
    for (int a = 0; a < 6; a++)
        *arrays[a] = array(N, sizeof(double));
    for (int i = 0; i < N; i++) {
        lower[i] = -2.0 - sin(i);
        middle[i] = 5.0 + sin(i) + sin(i + 1);
        upper[i] = -2.0 - sin(i + 1);
        right[i] = cos((double)i / 100);
    }
}

double run(int k) {
    double squares = 0;
    right[0] = k;
    p[0] = middle[0];
    x[0] = right[0];
    for (int i = 1; i < N; i++) {
        double factor = lower[i] / p[i - 1];
        p[i] = middle[i] - factor * upper[i - 1];
        x[i] = right[i] - factor * x[i - 1];
    }
    x[N - 1] /= p[N - 1];
    for (int i = N - 2; i >= 0; i--)
        x[i] = (x[i] - upper[i] * x[i + 1]) / p[i];
    for (int i = 0; i < N; i++)
        squares += x[i] * x[i];
    return squares;
}
