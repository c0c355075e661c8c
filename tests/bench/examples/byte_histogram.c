/* Four tables, so that equal neighbours do not wait for each other. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 67108864 };
static uint8_t *bytes;

void prepare(void) {
    bytes = array(N, 1);
    for (uint64_t i = 0; i < N; i++)
        bytes[i] = (uint8_t)(256 * (uniform(i) * uniform(i)));
}

double run(int k) {
    int64_t count[4][256];
    uint8_t before = bytes[k];
    double bits = 0;
    bytes[k] = 255;
    memset(count, 0, sizeof count);
    for (int i = 0; i < N; i += 4)
        for (int t = 0; t < 4; t++)
            count[t][bytes[i + t]]++;
    for (int b = 0; b < 256; b++) {
        double p = (double)(count[0][b] + count[1][b] + count[2][b] + count[3][b]) / N;
        bits -= p > 0 ? p * log2(p) : 0;
    }
    bytes[k] = before;
    return bits;
}
