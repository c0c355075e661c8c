/* Two loops. */
#include "harness.h"

#include <math.h>

enum { N = 10000000, NUMBERS = 100000000 };
static double *speeds;

void prepare(void) {
    speeds = array(N, sizeof *speeds);
    for (int i = 0; i < N; i++)
        speeds[i] = 4 * uniform((uint64_t)i) - 2;
}

double run(int k) {
    double before = speeds[k], total = 0;
    int64_t odious = 0;
    speeds[k] = 3;
    for (int64_t i = 0; i < NUMBERS + k; i++)
        odious += __builtin_popcountll((uint64_t)i) % 2;
    for (int i = 0; i < N; i++)
        total += fabs(speeds[i]) > 1 ? speeds[i] * speeds[i] : 0;
    speeds[k] = before;
    return (double)odious + total;
}
