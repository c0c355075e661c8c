/* One loop. */
#include "harness.h"

#include <math.h>

enum { N = 2000000 };
static float *spot, *strike, *years, *call, *put;

void prepare(void) {
    float **arrays[] = {&spot, &strike, &years, &call, &put};
    for (int a = 0; a < 5; a++)
        *arrays[a] = array(N, sizeof(float));
    for (int i = 0; i < N; i++) {
        spot[i] = 80 + (float)(i % 41);
        strike[i] = 90 + (float)(i % 23);
        years[i] = 0.25f + (float)(i % 8) / 4;
    }
}

static inline float cdf(float x) {
    return 0.5f * erfcf(-x * sqrtf(0.5f));
}

double run(int k) {
    const float rate = 0.02f, vol = 0.3f;
    float before = spot[k];
    double total = 0;
    spot[k] = 100;
    for (int i = 0; i < N; i++) {
        float root = vol * sqrtf(years[i]);
        float d1 = (logf(spot[i] / strike[i]) + (rate + vol * vol / 2) * years[i]) / root;
        float d2 = d1 - root, discount = strike[i] * expf(-rate * years[i]);
        call[i] = spot[i] * cdf(d1) - discount * cdf(d2);
        put[i] = discount * cdf(-d2) - spot[i] * cdf(-d1);
    }
    for (int i = 0; i < N; i++)
        total += (double)call[i] + put[i];
    spot[k] = before;
    return total;
}
