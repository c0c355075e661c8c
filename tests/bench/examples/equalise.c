/* One pass to count, one through the table. */
#include "harness.h"

enum { N = 2048 };
static uint8_t *picture, *even;

void prepare(void) {
    picture = array(N * N, 1);
    even = array(N * N, 1);
    for (uint64_t i = 0; i < N; i++)
        for (uint64_t j = 0; j < N; j++)
            picture[i * N + j] = (uint8_t)(100 + 50 * uniform(i * N + j) * uniform(i));
}

static void make_table(uint8_t table[256]) {
    int64_t count[256] = {0}, below = 0, least = -1;
    for (int i = 0; i < N * N; i++)
        count[picture[i]]++;
    for (int v = 0; v < 256; v++) {
        if (least < 0 && count[v])
            least = count[v];
        below += count[v];
        int64_t rest = N * N - least > 0 ? N * N - least : 1;
        table[v] = below < least ? 0 : (uint8_t)((255 * (below - least) + rest / 2) / rest);
    }
}

double run(int k) {
    uint8_t table[256], first = picture[k];
    int64_t total = 0;
    picture[k] = 0;
    make_table(table);
    for (int i = 0; i < N * N; i++)
        even[i] = table[picture[i]];
    for (int i = 0; i < N * N; i++)
        total += even[i];
    picture[k] = first;
    return (double)total;
}
