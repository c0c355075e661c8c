/* A pass for each stage with the border's cells taken from rows that are lengthened first; a stack
 * for what is joined. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 1024, R = 5, P = N + 2 * R, PAD = R * P + R };
static uint8_t *picture, *edges;
static float *in, *down, *blurred, *right, *below, *steep, weights[2 * R + 1];
static int32_t *stack;

void prepare(void) {
    float **arrays[] = {&in, &down, &blurred, &right, &below, &steep};
    float total = 0;
    for (int a = 0; a < 6; a++)
        *arrays[a] = array(P * P, sizeof(float));
    picture = array(N * N, 1);
    edges = array(P * P, 1);
    stack = array(N * N, sizeof *stack);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            picture[i * N + j] = (uint8_t)((hypot(i % 256 - 128, j % 256 - 128) < 90 ? 150 : 90) +
                                           20 * uniform((uint64_t)(i * N + j)));
    for (int k = -R; k <= R; k++)
        total += weights[k + R] = expf(-(float)(k * k) / (2 * 1.4f * 1.4f));
    for (int k = 0; k <= 2 * R; k++)
        weights[k] /= total;
}

/* Copies the border of the picture inside x outwards. */
static void lengthen(float *x) {
    for (int i = R; i < R + N; i++)
        for (int j = 0; j < R; j++) {
            x[i * P + j] = x[i * P + R];
            x[i * P + R + N + j] = x[i * P + R + N - 1];
        }
    for (int i = 0; i < R; i++) {
        memcpy(x + i * P, x + R * P, P * sizeof *x);
        memcpy(x + (R + N + i) * P, x + (R + N - 1) * P, P * sizeof *x);
    }
}

/* Each element the weighted sum of those `stride` apart around it. */
static void blur(const float *restrict from, float *restrict to, int stride) {
    for (int i = R; i < R + N; i++)
        for (int j = R; j < R + N; j++) {
            float total = 0;
            for (int k = -R; k <= R; k++)
                total += weights[k + R] * from[i * P + j + k * stride];
            to[i * P + j] = total;
        }
}

static void find_slopes(const float *restrict x) {
    for (int i = R; i < R + N; i++)
        for (int j = R; j < R + N; j++) {
            const float *u = x + (i - 1) * P + j, *c = u + P, *d = c + P;
            float across = u[1] - u[-1] + 2 * (c[1] - c[-1]) + d[1] - d[-1];
            float along = d[-1] - u[-1] + 2 * (d[0] - u[0]) + d[1] - u[1];
            right[i * P + j] = across;
            below[i * P + j] = along;
            steep[i * P + j] = sqrtf(across * across + along * along);
        }
}

static int is_ridge(int at) {
    float x = right[at], y = below[at];
    int step = fabsf(y) <= 0.41421356f * fabsf(x)   ? 1
               : fabsf(x) <= 0.41421356f * fabsf(y) ? P
               : x * y > 0                          ? P + 1
                                                    : P - 1;
    return steep[at] > steep[at - step] && steep[at] >= steep[at + step];
}

/* Marks weak ridges 1 and strong ones 2, then what is joined to strong ones 2. */
static int join_edges(void) {
    int top = 0, total = 0;
    memset(edges, 0, P * P);
    for (int i = R; i < R + N; i++)
        for (int j = R; j < R + N; j++) {
            int at = i * P + j;
            if (steep[at] < 40 || !is_ridge(at))
                continue;
            edges[at] = 1 + (steep[at] >= 100);
            if (edges[at] == 2)
                stack[top++] = at;
        }
    while (top) {
        int at = stack[--top];
        total++;
        for (int i = -P; i <= P; i += P)
            for (int j = -1; j <= 1; j++)
                if (edges[at + i + j] == 1) {
                    edges[at + i + j] = 2;
                    stack[top++] = at + i + j;
                }
    }
    return total;
}

double run(int k) {
    uint8_t before = picture[k];
    picture[k] = 255;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            in[(i + R) * P + j + R] = picture[i * N + j];
    lengthen(in);
    blur(in, down, P);
    lengthen(down);
    blur(down, blurred, 1);
    lengthen(blurred);
    find_slopes(blurred);
    picture[k] = before;
    return join_edges();
}
