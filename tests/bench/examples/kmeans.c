/* Distances, then sums by cluster. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 200000, K = 8, ROUNDS = 10 };
static double *points, centre[K][2];
static int64_t *cluster;

void prepare(void) {
    points = array(2 * N, sizeof *points);
    cluster = array(N, sizeof *cluster);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 2; j++)
            points[2 * i + j] = uniform((uint64_t)(2 * i + j)) + i % 8 * (j + 1) % 5;
}

static int assign(void) {
    int moved = 0;
    for (int i = 0; i < N; i++) {
        double best = INFINITY, x = points[2 * i], y = points[2 * i + 1];
        int64_t found = 0;
        for (int c = 0; c < K; c++) {
            double dx = centre[c][0] - x, dy = centre[c][1] - y, d = dx * dx + dy * dy;
            found = d < best ? c : found;
            best = d < best ? d : best;
        }
        moved |= found != cluster[i];
        cluster[i] = found;
    }
    return moved;
}

static void move_centres(void) {
    double total[K][2] = {0};
    int64_t size[K] = {0};
    for (int i = 0; i < N; i++) {
        size[cluster[i]]++;
        total[cluster[i]][0] += points[2 * i];
        total[cluster[i]][1] += points[2 * i + 1];
    }
    for (int c = 0; c < K; c++)
        for (int j = 0; j < 2 && size[c]; j++)
            centre[c][j] = total[c][j] / (double)size[c];
}

double run(int k) {
    double before = points[0], result = 0;
    int moved = 1;
    points[0] = k;
    memcpy(centre, points + 2, sizeof centre);
    assign();
    for (int round = 0; moved && round < ROUNDS; round++) {
        move_centres();
        moved = assign();
    }
    for (int c = 0; c < K; c++)
        result += centre[c][0] * centre[c][0] + centre[c][1] * centre[c][1];
    for (int i = 0; i < N; i++)
        result += (double)cluster[i];
    points[0] = before;
    return result;
}
