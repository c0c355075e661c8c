/* Point by point. */
#include "harness.h"

enum { W = 480, H = 320, LIMIT = 256 };

void prepare(void) {
}

static int steps(double re, double im) {
    double x = 0, y = 0;
    int n = 0;
    for (; n < LIMIT && x * x + y * y <= 4; n++) {
        double next = x * x - y * y + re;
        y = 2 * x * y + im;
        x = next;
    }
    return n;
}

double run(int k) {
    int64_t total = 0;
    double pixel = 3.2 / W;
    for (int i = 0; i < H; i++)
        for (int j = 0; j < W; j++)
            total +=
                steps(-0.6 + (j + 0.5 - W / 2) * pixel, k / 1024.0 - (i + 0.5 - H / 2) * pixel);
    return (double)total;
}
