/* Batches of small instances in turn by the dags of each.gact and by loops in C over the same
   arrays: nanoseconds of processor time an instance on one thread, each the best of many rounds,
   their ratio, and how many instances a second all threads do. Results must agree. */
#include "runtime/gact.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT = 20000, ROUNDS = 15, SIDE = 10, CELLS = SIDE * SIDE, SHORT = 16 };

static double line_a[COUNT], line_b[COUNT];
static int64_t grids[COUNT][SIDE][SIDE];
static double numbers[COUNT][SHORT], systems[COUNT][4][4], sides[COUNT][4];

/* What the loops make. */
static double lines[COUNT], sorted[COUNT][SHORT], sums[COUNT][SHORT], solutions[COUNT][4];
static int64_t recoloured[COUNT][SIDE][SIDE], pairs[COUNT * SIDE], pairs_from[COUNT + 1];

/* ---- the loops ---- */

static void loop_line(void) {
    for (int i = 0; i < COUNT; i++)
        lines[i] = fma(line_a[i], line_b[i], 1);
}

static void loop_recolour(void) {
    for (int i = 0; i < COUNT; i++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int64_t c = grids[i][SIDE - 1 - x][y];
                recoloured[i][y][x] = c == 1 ? 2 : c == 2 ? 1 : c;
            }
}

static void loop_ranks(void) {
    for (int i = 0; i < COUNT; i++) {
        double *to = sorted[i], sum = 0;
        for (int k = 0; k < SHORT; k++) {
            double v = numbers[i][k];
            int at = k;
            for (; at > 0 && to[at - 1] > v; at--)
                to[at] = to[at - 1];
            to[at] = v;
        }
        for (int k = 0; k < SHORT; k++)
            sums[i][k] = sum += to[k];
    }
}

/* Elimination with the largest pivot of each column. */
static void solve_one(double a[4][4], double *b) {
    for (int k = 0; k < 4; k++) {
        int best = k;
        for (int r = k + 1; r < 4; r++)
            if (fabs(a[r][k]) > fabs(a[best][k]))
                best = r;
        for (int c = 0; c < 4; c++) {
            double t = a[k][c];
            a[k][c] = a[best][c];
            a[best][c] = t;
        }
        double t = b[k];
        b[k] = b[best];
        b[best] = t;
        for (int r = k + 1; r < 4; r++) {
            double f = a[r][k] / a[k][k];
            for (int c = k; c < 4; c++)
                a[r][c] -= f * a[k][c];
            b[r] -= f * b[k];
        }
    }
    for (int k = 3; k >= 0; k--) {
        for (int c = k + 1; c < 4; c++)
            b[k] -= a[k][c] * b[c];
        b[k] /= a[k][k];
    }
}

static void loop_solve(void) {
    for (int i = 0; i < COUNT; i++) {
        double a[4][4];
        memcpy(a, systems[i], sizeof a);
        memcpy(solutions[i], sides[i], sizeof sides[i]);
        solve_one(a, solutions[i]);
    }
}

static void loop_pairs(void) {
    int64_t at = 0;
    for (int i = 0; i < COUNT; i++) {
        pairs_from[i] = at;
        for (int y = 0; y < SIDE; y++) {
            int64_t n = 0;
            for (int x = 0; x + 1 < SIDE; x++)
                n += grids[i][y][x] == grids[i][y][x + 1];
            if (n > 0)
                pairs[at++] = n;
        }
    }
    pairs_from[COUNT] = at;
}

/* ---- what is compared ---- */

static bool same_bytes(const GactBatchOutput *out, const void *expected, size_t size) {
    return !memcmp(out->columns[1].p, expected, size);
}

static bool near_solutions(const GactBatchOutput *out) {
    const double *x = out->columns[1].p, *y = solutions[0];
    for (int i = 0; i < COUNT * 4; i++)
        if (fabs(x[i] - y[i]) > 1e-6 * (1 + fabs(y[i])))
            return false;
    return true;
}

static bool check_line(const GactBatchOutput *out) {
    return same_bytes(out, lines, sizeof lines);
}

static bool check_recolour(const GactBatchOutput *out) {
    return same_bytes(out, recoloured, sizeof recoloured);
}

static bool check_ranks(const GactBatchOutput *out) {
    return same_bytes(out, sorted, sizeof sorted);
}

static bool check_pairs(const GactBatchOutput *out) {
    return same_bytes(out, pairs_from, sizeof pairs_from) &&
           !memcmp(out->columns[3].p, pairs, (size_t)pairs_from[COUNT] * 8);
}

typedef struct {
    const char *name;
    void (*loop)(void);
    bool (*check)(const GactBatchOutput *out); /* of the first output */
    struct {
        const char *name;
        GactView view;
    } in[2];
} Case;

#define EACH(kind, rank, array, ...)                                                               \
    { kind, rank, {COUNT, __VA_ARGS__}, array }
static const Case cases[] = {
    {"line",
     loop_line,
     check_line,
     {{"a", EACH(GACT_F64, 1, line_a, 0)}, {"b", EACH(GACT_F64, 1, line_b, 0)}}},
    {"recolour", loop_recolour, check_recolour, {{"grid", EACH(GACT_I64, 3, grids, SIDE, SIDE)}}},
    {"ranks", loop_ranks, check_ranks, {{"x", EACH(GACT_F64, 2, numbers, SHORT)}}},
    {"solve",
     loop_solve,
     near_solutions,
     {{"a", EACH(GACT_F64, 3, systems, 4, 4)}, {"b", EACH(GACT_F64, 2, sides, 4)}}},
    {"pairs", loop_pairs, check_pairs, {{"grid", EACH(GACT_I64, 3, grids, SIDE, SIDE)}}},
};

static void fill(void) {
    srand(1);
    for (int i = 0; i < COUNT; i++) {
        line_a[i] = rand();
        line_b[i] = rand();
        for (int k = 0; k < CELLS; k++)
            grids[i][k / SIDE][k % SIDE] = rand() % 10;
        for (int k = 0; k < SHORT; k++)
            numbers[i][k] = rand() / 1e3;
        for (int k = 0; k < 16; k++)
            systems[i][k / 4][k % 4] = rand() / 1e9;
        for (int k = 0; k < 4; k++)
            sides[i][k] = rand() / 1e9;
    }
}

/* ---- measuring ---- */

static void fail(const char *text) {
    fprintf(stderr, "each: %s\n", text);
    exit(1);
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_batch(GactBatch *batch, clockid_t clock) {
    GactError error;
    double start = now(clock);
    if (gact_batch_run(batch, &error))
        fail(error.text);
    return now(clock) - start;
}

static double time_loop(void (*loop)(void)) {
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    loop();
    return now(CLOCK_PROCESS_CPUTIME_ID) - start;
}

static GactBatch *open_batch(GactProgram *program, const Case *c) {
    GactError error;
    GactBatch *batch;
    const GactEntry *entry = gact_image_find(program, GACT_ENTRY_DAG, c->name);
    if (!entry)
        fail("the image lacks a dag");
    if (gact_batch_open(program, entry, COUNT, &batch, &error))
        fail(error.text);
    for (int k = 0; k < 2 && c->in[k].name; k++)
        if (gact_batch_set_view(batch, c->in[k].name, &c->in[k].view, &error))
            fail(error.text);
    return batch;
}

static void set_threads(int32_t threads) {
    GactError error;
    if (gact_configure(&(GactOptions){.threads = threads}, &error))
        fail(error.text);
}

static void measure(GactProgram *program, const Case *c) {
    GactBatch *batch = open_batch(program, c);
    GactBatchOutput out;
    double own = INFINITY, peer = INFINITY, wall = INFINITY;
    set_threads(1);
    for (int round = 0; round < ROUNDS; round++) {
        own = fmin(own, time_batch(batch, CLOCK_PROCESS_CPUTIME_ID));
        peer = fmin(peer, time_loop(c->loop));
    }
    set_threads(0);
    for (int round = 0; round < ROUNDS; round++)
        wall = fmin(wall, time_batch(batch, CLOCK_MONOTONIC));
    gact_batch_output(batch, 0, &out);
    if (!c->check(&out))
        fail("results differ");
    printf("each: %-10s %8.1f ns, C %8.1f ns, ratio %6.2f, %8.2f M/s on all threads\n", c->name,
           own / COUNT, peer / COUNT, own / peer, COUNT / wall * 1e3);
    gact_batch_close(batch);
}

/* Without names all are measured. */
static bool is_wanted(const char *name, int argc, char **argv) {
    for (int k = 2; k < argc; k++)
        if (!strcmp(name, argv[k]))
            return true;
    return argc <= 2;
}

int main(int argc, char **argv) {
    GactError error;
    GactProgram *program;
    fill();
    if (argc < 2 || gact_image_open(argv[1], &program, &error))
        fail(argc < 2 ? "which image?" : error.text);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        if (is_wanted(cases[k].name, argc, argv))
            measure(program, &cases[k]);
    gact_image_close(program);
    gact_shutdown(NULL);
    return 0;
}
