/* Radix 2 in place with a table of roots, which every run makes anew, as the program does. */
#include "harness.h"

#include <complex.h>
#include <math.h>

enum { LOG = 18, N = 1 << LOG };
static double *samples;
static double complex *z, *roots;

void prepare(void) {
    samples = array(N, sizeof *samples);
    z = array(N, sizeof *z);
    roots = array(N / 2, sizeof *roots);
    for (int i = 0; i < N; i++)
        samples[i] = uniform((uint64_t)i) - 0.5;
}

static unsigned reversed(unsigned i) {
    unsigned r = 0;
    for (int b = 0; b < LOG; b++)
        r |= (i >> b & 1) << (LOG - 1 - b);
    return r;
}

static void transform(void) {
    for (int k = 0; k < N / 2; k++)
        roots[k] = cos(2 * M_PI * k / N) - I * sin(2 * M_PI * k / N);
    for (int half = 1; half < N; half *= 2)
        for (int at = 0; at < N; at += 2 * half)
            for (int j = 0; j < half; j++) {
                double complex a = z[at + j], b = z[at + j + half] * roots[N / 2 / half * j];
                z[at + j] = a + b;
                z[at + j + half] = a - b;
            }
}

double run(int k) {
    double total = 0, before = samples[k];
    samples[k] = 1;
    for (unsigned i = 0; i < N; i++)
        z[reversed(i)] = samples[i] * (0.5 - 0.5 * cos(2 * M_PI * i / N));
    transform();
    for (int i = 0; i <= N / 2; i++)
        total += cabs(z[i]) * 4 / N;
    samples[k] = before;
    return total;
}
