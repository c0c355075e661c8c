/* Blocks of 64 columns, all loops along rows. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 768, B = 64 };
static double *given, *right, *a, *x;

void prepare(void) {
    given = array(N * N, sizeof *given);
    a = array(N * N, sizeof *a);
    right = array(N, sizeof *right);
    x = array(N, sizeof *x);
    for (int i = 0; i < N * N; i++)
        given[i] = uniform((uint64_t)i) - 0.5;
    for (int i = 0; i < N; i++)
        right[i] = uniform(N * N + (uint64_t)i);
}

static void exchange(int i, int j) {
    for (int k = 0; k < N; k++) {
        double t = a[i * N + k];
        a[i * N + k] = a[j * N + k];
        a[j * N + k] = t;
    }
    double t = x[i];
    x[i] = x[j];
    x[j] = t;
}

/* Row i of a minus factor times row k, columns from..to. */
static inline void subtract(double *restrict row, const double *restrict other, double factor,
                            int from, int to) {
    for (int j = from; j < to; j++)
        row[j] -= factor * other[j];
}

static void panel(int k, int next) {
    for (int c = k; c < next; c++) {
        int p = c;
        for (int i = c + 1; i < N; i++)
            if (fabs(a[i * N + c]) > fabs(a[p * N + c]))
                p = i;
        if (p != c)
            exchange(c, p);
        for (int i = c + 1; i < N; i++) {
            a[i * N + c] /= a[c * N + c];
            subtract(a + i * N, a + c * N, a[i * N + c], c + 1, next);
        }
    }
}

/* Rows i..i + 4 minus their factors in columns k..next times the rows there, in pieces that stay in
 * the cache. */
static void update(int i, int k, int next) {
    double *restrict r = a + i * N;
    for (int c = k; c < next; c++) {
        const double *restrict u = a + c * N;
        double f0 = r[c], f1 = r[N + c], f2 = r[2 * N + c], f3 = r[3 * N + c];
        for (int j = next; j < N; j++) {
            r[j] -= f0 * u[j];
            r[N + j] -= f1 * u[j];
            r[2 * N + j] -= f2 * u[j];
            r[3 * N + j] -= f3 * u[j];
        }
    }
}

double run(int k) {
    double squares = 0;
    memcpy(a, given, N * N * sizeof *a);
    memcpy(x, right, N * sizeof *x);
    a[k * N + k] = 1;
    for (int at = 0; at < N; at += B) {
        int next = at + B;
        panel(at, next);
        for (int i = at + 1; i < next; i++)
            for (int c = at; c < i; c++)
                subtract(a + i * N, a + c * N, a[i * N + c], next, N);
        for (int i = next; i < N; i += 4)
            update(i, at, next);
    }
    for (int i = 1; i < N; i++)
        for (int j = 0; j < i; j++)
            x[i] -= a[i * N + j] * x[j];
    for (int i = N - 1; i >= 0; i--) {
        for (int j = i + 1; j < N; j++)
            x[i] -= a[i * N + j] * x[j];
        x[i] /= a[i * N + i];
    }
    for (int i = 0; i < N; i++)
        squares += x[i] * x[i];
    return squares;
}
