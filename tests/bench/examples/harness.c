/* Times the floor of an example: prints milliseconds and the result of each repetition. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double uniform(uint64_t i) {
    uint64_t h = (i + 1) * 0x9e3779b97f4a7c15u;
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return (double)((h ^ h >> 33) >> 11) * 0x1p-53;
}

void *array(size_t n, size_t size) {
    void *at = calloc(n + 1, size);
    if (!at)
        abort();
    return at;
}

static double now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec * 1e-6;
}

int main(int argc, char **argv) {
    int repetitions = argc > 1 ? atoi(argv[1]) : 1;
    prepare();
    for (int k = 0; k < repetitions; k++) {
        double start = now_ms(), result = run(k), took = now_ms() - start;
        printf("%.6f %.17g\n", took, result);
    }
    return 0;
}
