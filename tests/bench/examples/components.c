/* Two passes with a union-find whose roots are the least numbers. */
#include "harness.h"

enum { N = 1024 };
static uint8_t *open;
static int64_t *label;

void prepare(void) {
    open = array(N * N, 1);
    label = array(N * N, sizeof *label);
    for (int i = 0; i < N * N; i++)
        open[i] = uniform((uint64_t)i) < 0.6;
}

static int64_t root(int64_t c) {
    while (label[c] != c) {
        label[c] = label[label[c]];
        c = label[c];
    }
    return c;
}

static void join(int64_t a, int64_t b) {
    a = root(a);
    b = root(b);
    if (a < b)
        label[b] = a;
    else
        label[a] = b;
}

double run(int k) {
    int64_t total = 0;
    uint8_t before = open[k];
    open[k] = 1;
    for (int64_t c = 0; c < N * N; c++) {
        label[c] = c;
        if (open[c] && c % N && open[c - 1])
            join(c, c - 1);
        if (open[c] && c >= N && open[c - N])
            join(c, c - N);
    }
    for (int64_t c = 0; c < N * N; c++)
        total += label[c] = root(c);
    open[k] = before;
    return (double)total;
}
