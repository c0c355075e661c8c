/* One pass over the torus a generation: the columns at the border apart, so that the rest is
 * vectorised. */
#include "harness.h"

#include <string.h>

enum { N = 1024, GENERATIONS = 20 };
static uint8_t *soup, *now, *next;

void prepare(void) {
    soup = array(N * N, 1);
    now = array(N * N, 1);
    next = array(N * N, 1);
    for (int i = 0; i < N * N; i++)
        soup[i] = uniform((uint64_t)i) < 0.35;
}

static uint8_t lives(const uint8_t *up, const uint8_t *row, const uint8_t *down, int left, int j,
                     int right) {
    uint8_t around = (uint8_t)(up[left] + up[j] + up[right] + row[left] + row[right] + down[left] +
                               down[j] + down[right]);
    return around == 3 | (around == 2 & row[j]);
}

static void step(const uint8_t *restrict from, uint8_t *restrict to) {
    for (int i = 0; i < N; i++) {
        const uint8_t *up = from + (i + N - 1) % N * N, *row = from + i * N;
        const uint8_t *down = from + (i + 1) % N * N;
        to[i * N] = lives(up, row, down, N - 1, 0, 1);
        for (int j = 1; j < N - 1; j++)
            to[i * N + j] = lives(up, row, down, j - 1, j, j + 1);
        to[i * N + N - 1] = lives(up, row, down, N - 2, N - 1, 0);
    }
}

double run(int k) {
    int64_t total = 0;
    memcpy(now, soup, N * N);
    now[k] = 1;
    for (int g = 0; g < GENERATIONS; g++) {
        step(now, next);
        uint8_t *free = now;
        now = next;
        next = free;
    }
    for (int i = 0; i < N * N; i++)
        total += now[i];
    return (double)total;
}
