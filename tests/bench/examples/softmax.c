/* Row by row, three passes. */
#include "harness.h"

#include <math.h>

enum { N = 4096, M = 1024 };
static float *x, *p;

void prepare(void) {
    x = array(N * M, sizeof *x);
    p = array(N * M, sizeof *p);
    for (int i = 0; i < N * M; i++)
        x[i] = (float)(10 * uniform((uint64_t)i));
}

static void softmax(const float *restrict row, float *restrict out) {
    float top = row[0], total = 0;
    for (int j = 1; j < M; j++)
        top = row[j] > top ? row[j] : top;
    for (int j = 0; j < M; j++)
        total += out[j] = expf(row[j] - top);
    for (int j = 0; j < M; j++)
        out[j] /= total;
}

double run(int k) {
    float before = x[k];
    double squares = 0;
    x[k] = 20;
    for (int i = 0; i < N; i++)
        softmax(x + i * M, p + i * M);
    for (int i = 0; i < N * M; i++)
        squares += (double)p[i] * p[i];
    x[k] = before;
    return squares;
}
