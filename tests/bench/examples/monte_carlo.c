/* The same Philox 4x32-10 and the same steps; exp, log and cos in the vector form of libm where gcc
 * finds it. */
#include "harness.h"

#include <math.h>

enum { PATHS = 100000, STEPS = 12 };
static const double spot = 50, strike = 50, rate = 0.1, vol = 0.4;
static double *arithmetic, *geometric;

void prepare(void) {
    arithmetic = array(PATHS, sizeof *arithmetic);
    geometric = array(PATHS, sizeof *geometric);
}

static inline double normal(uint64_t seed, uint64_t i) {
    uint32_t c0 = (uint32_t)i, c1 = (uint32_t)(i >> 32), c2 = 0, c3 = 0;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
        uint64_t a = 0xD2511F53ul * c0, b = 0xCD9E8D57ul * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)b;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)a;
    }
    uint64_t u = c0 | (uint64_t)c1 << 32, v = c2 | (uint64_t)c3 << 32;
    return sqrt(-2 * log((double)(int64_t)((u >> 11) + 1) * 0x1p-53)) *
           cos(2 * M_PI * ((double)(int64_t)(v >> 11) * 0x1p-53));
}

static double payoff(double s) {
    return exp(-rate) * (s > strike ? s - strike : 0);
}

static void simulate(uint64_t seed) {
    double drift = (rate - vol * vol / 2) / STEPS, shake = vol * sqrt(1.0 / STEPS);
    for (uint64_t path = 0; path < PATHS; path++) {
        double z[STEPS], x = log(spot), total = 0, logs = 0;
        for (uint64_t k = 0; k < STEPS; k++)
            z[k] = normal(seed, path * STEPS + k);
        for (int k = 0; k < STEPS; k++)
            logs += z[k] = x += drift + shake * z[k];
        for (int k = 0; k < STEPS; k++)
            total += exp(z[k]);
        arithmetic[path] = payoff(total / STEPS);
        geometric[path] = payoff(exp(logs / STEPS));
    }
}

static double mean(const double *x) {
    double total = 0;
    for (int i = 0; i < PATHS; i++)
        total += x[i];
    return total / PATHS;
}

static double cdf(double x) {
    return 0.5 * erfc(-x / sqrt(2));
}

static double geometric_call(void) {
    double m = STEPS, centre = log(spot) + (rate - vol * vol / 2) * (m + 1) / (2 * m);
    double deviation = vol * sqrt((m + 1) * (2 * m + 1) / 6) / m;
    double d = (centre - log(strike)) / deviation;
    return exp(-rate) *
           (exp(centre + deviation * deviation / 2) * cdf(d + deviation) - strike * cdf(d));
}

double run(int k) {
    double both = 0, own = 0, squares = 0;
    simulate((uint64_t)k);
    double x = mean(arithmetic), y = mean(geometric);
    for (int i = 0; i < PATHS; i++) {
        both += (arithmetic[i] - x) * (geometric[i] - y);
        own += (geometric[i] - y) * (geometric[i] - y);
    }
    double slope = both / own, price = x - slope * (y - geometric_call());
    for (int i = 0; i < PATHS; i++) {
        double rest = arithmetic[i] - x - slope * (geometric[i] - y);
        squares += rest * rest;
    }
    return x + 1000 * sqrt(squares / (PATHS - 1) / PATHS) + price;
}
