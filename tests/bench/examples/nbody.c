/* Pairs of bodies, arrays of coordinates. */
#include "harness.h"

#include <math.h>
#include <string.h>

enum { N = 5, STEPS = 10000 };
typedef struct {
    double at[3], v[3], mass;
} Body;

/* As in nbody.gact: AU, AU a day, solar masses. */
static const double table[N - 1][7] = {
    {4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
     1.66007664274403694e-03, 7.69901118419740425e-03, -6.90460016972063023e-05,
     9.54791938424326609e-04},
    {8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
     -2.76742510726411454e-03, 4.99852801234917238e-03, 2.30417297573763929e-05,
     2.85885980666130812e-04},
    {1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
     2.96460137564761618e-03, 2.37847173959480950e-03, -2.96589568540237556e-05,
     4.36624404335156298e-05},
    {1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
     2.68067772490389322e-03, 1.62824170038242295e-03, -9.51592254519715870e-05,
     5.15138902046611451e-05},
};
static Body start[N], bodies[N];

void prepare(void) {
    double sun = 4 * M_PI * M_PI;
    start[0].mass = sun;
    for (int b = 1; b < N; b++) {
        start[b].mass = table[b - 1][6] * sun;
        for (int c = 0; c < 3; c++) {
            start[b].at[c] = table[b - 1][c];
            start[b].v[c] = table[b - 1][3 + c] * 365.24;
            start[0].v[c] -= start[b].v[c] * start[b].mass / sun;
        }
    }
}

static void kick(double dt) {
    for (int i = 0; i < N; i++)
        for (int j = i + 1; j < N; j++) {
            double d[3], d2 = 0;
            for (int c = 0; c < 3; c++) {
                d[c] = bodies[j].at[c] - bodies[i].at[c];
                d2 += d[c] * d[c];
            }
            double f = dt / (d2 * sqrt(d2));
            for (int c = 0; c < 3; c++) {
                bodies[i].v[c] += d[c] * f * bodies[j].mass;
                bodies[j].v[c] -= d[c] * f * bodies[i].mass;
            }
        }
}

double run(int k) {
    double dt = 0.01, squares = 0;
    memcpy(bodies, start, sizeof bodies);
    bodies[0].at[0] = k / 1e6;
    for (int s = 0; s < STEPS; s++) {
        kick(dt / 2);
        for (int b = 0; b < N; b++)
            for (int c = 0; c < 3; c++)
                bodies[b].at[c] += dt * bodies[b].v[c];
        kick(dt / 2);
    }
    for (int b = 0; b < N; b++)
        for (int c = 0; c < 3; c++)
            squares += bodies[b].at[c] * bodies[b].at[c];
    return squares;
}
