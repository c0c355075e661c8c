/* Products of matrices four rows at a time, heads one after the other, rows of weights as they are
 * needed. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 512, D = 256, HEADS = 8, W = D / HEADS };
static float *x, *normal, *weights[4], *part[3], *mixed, *y;

static float *numbers(uint64_t seed, int h, float scale) {
    float *m = array((size_t)h * D, sizeof *m);
    for (int i = 0; i < h * D; i++)
        m[i] = (float)(uniform(seed * 1000000 + (uint64_t)i) - 0.5) * scale;
    return m;
}

void prepare(void) {
    x = numbers(0, N, 1);
    for (int m = 0; m < 4; m++)
        weights[m] = numbers((uint64_t)m + 1, D, 0.2f);
    for (int m = 0; m < 3; m++)
        part[m] = array(N * D, sizeof(float));
    normal = array(N * D, sizeof *normal);
    mixed = array(N * D, sizeof *mixed);
    y = array(N * D, sizeof *y);
}

static void normalise(void) {
    for (int i = 0; i < N; i++) {
        const float *row = x + i * D;
        float mean = 0, square = 0;
        for (int j = 0; j < D; j++)
            mean += row[j] / D;
        for (int j = 0; j < D; j++)
            square += (row[j] - mean) * (row[j] - mean) / D;
        for (int j = 0; j < D; j++)
            normal[i * D + j] = (row[j] - mean) / sqrtf(square + 1e-5f);
    }
}

/* to = a b, for a of N rows and a square b. */
static void multiply(const float *restrict a, const float *restrict b, float *restrict to) {
    memset(to, 0, N * D * sizeof *to);
    for (int i = 0; i < N; i += 4)
        for (int k = 0; k < D; k++)
            for (int j = 0; j < D; j++)
                for (int r = 0; r < 4; r++)
                    to[(i + r) * D + j] += a[(i + r) * D + k] * b[k * D + j];
}

/* The head's part of row i of `mixed`; keys: the head's keys, one row for each of its columns. */
static void attend(int head, int i, const float (*restrict keys)[N]) {
    float fit[N] = {0}, top = -INFINITY, total = 0, out[W] = {0};
    for (int c = 0; c < W; c++)
        for (int j = 0; j <= i; j++)
            fit[j] += part[0][i * D + head * W + c] * keys[c][j];
    for (int j = 0; j <= i; j++)
        top = fit[j] > top ? fit[j] : top;
    for (int j = 0; j <= i; j++) {
        fit[j] = expf((fit[j] - top) / sqrtf(W));
        total += fit[j];
    }
    for (int j = 0; j <= i; j++)
        for (int c = 0; c < W; c++)
            out[c] += fit[j] * part[2][j * D + head * W + c];
    for (int c = 0; c < W; c++)
        mixed[i * D + head * W + c] = out[c] / total;
}

double run(int k) {
    static float keys[W][N];
    double squares = 0;
    float before = x[k];
    x[k] = 1;
    normalise();
    for (int m = 0; m < 3; m++)
        multiply(normal, weights[m], part[m]);
    for (int head = 0; head < HEADS; head++) {
        for (int j = 0; j < N; j++)
            for (int c = 0; c < W; c++)
                keys[c][j] = part[1][j * D + head * W + c];
        for (int i = 0; i < N; i++)
            attend(head, i, keys);
    }
    multiply(mixed, weights[3], y);
    for (int i = 0; i < N * D; i++)
        squares += ((double)x[i] + y[i]) * ((double)x[i] + y[i]);
    x[k] = before;
    return squares;
}
