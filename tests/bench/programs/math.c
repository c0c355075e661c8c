/* The functions of math.def on arrays that stay in the cache, in turn by a dag of the image given and by
   gcc's loop with libmvec: nanoseconds of processor time an element, each the best of many short
   runs. */
#include "runtime/gact.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { COUNT = 65536, REPEAT = 2, ROUNDS = 40 };

typedef void (*Peer)(void *r, const void *x, const void *y, long n);
#define ONE(name, lo, hi)                                                                          \
    void peer_##name##_f32(void *r, const void *x, const void *y, long n);                         \
    void peer_##name##_f64(void *r, const void *x, const void *y, long n);
#define TWO(name, lo, hi) ONE(name, lo, hi)
#include "math.def"

static const struct {
    const char *name;
    Peer peer32, peer64;
    double lo, hi;
    int arity;
} functions[] = {
#define ONE(name, lo, hi) {#name, peer_##name##_f32, peer_##name##_f64, lo, hi, 1},
#define TWO(name, lo, hi) {#name, peer_##name##_f32, peer_##name##_f64, lo, hi, 2},
#include "math.def"
};

static union {
    float f32[COUNT];
    double f64[COUNT];
} x, y, out;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void fail(const GactError *error) {
    fprintf(stderr, "%s\n", error->text);
    exit(1);
}

static void fill(double lo, double hi, int kind) {
    srand(1);
    for (int i = 0; i < COUNT; i++) {
        double a = lo + (hi - lo) * rand() / RAND_MAX, b = -10 + 20.0 * rand() / RAND_MAX;
        if (kind == GACT_F32) {
            x.f32[i] = (float)a;
            y.f32[i] = (float)b;
        } else {
            x.f64[i] = a;
            y.f64[i] = b;
        }
    }
}

static GactCall *open_call(GactProgram *program, const char *name, int arity, int kind) {
    GactError error;
    GactCall *call;
    GactView in = {.kind = kind, .rank = 1, .dims = {COUNT}, .data = &x}, other = in;
    other.data = &y;
    if (gact_call_open(program, gact_image_find(program, GACT_ENTRY_DAG, name), &call, &error) ||
        gact_call_set_view(call, "x", &in, &error) ||
        (arity > 1 && gact_call_set_view(call, "y", &other, &error)))
        fail(&error);
    return call;
}

static double time_gact(GactCall *call) {
    GactError error;
    double start = now();
    for (int k = 0; k < REPEAT; k++)
        if (gact_call_run(call, &error))
            fail(&error);
    return (now() - start) / (REPEAT * (double)COUNT);
}

static double time_peer(Peer peer) {
    double start = now();
    for (int k = 0; k < REPEAT; k++)
        peer(&out, &x, &y, COUNT);
    return (now() - start) / (REPEAT * (double)COUNT);
}

static void compare(GactProgram *program, int which, int kind) {
    char name[32], label[48];
    snprintf(name, sizeof name, "%s_%s", functions[which].name, kind == GACT_F32 ? "f32" : "f64");
    fill(functions[which].lo, functions[which].hi, kind);
    GactCall *call = open_call(program, name, functions[which].arity, kind);
    double ours = INFINITY, theirs = INFINITY;
    for (int k = 0; k < ROUNDS; k++) {
        ours = fmin(ours, time_gact(call));
        theirs = fmin(theirs, time_peer(kind == GACT_F32 ? functions[which].peer32
                                                         : functions[which].peer64));
    }
    gact_call_close(call);
    snprintf(label, sizeof label, "math: %s", name);
    printf("%-24s %7.3f ns, libmvec %7.3f ns, ratio %6.3f\n", label, ours, theirs, ours / theirs);
}

int main(int argc, char **argv) {
    GactError error;
    GactProgram *program;
    GactOptions options = {.threads = 1};
    if (argc < 2 || gact_configure(&options, &error) ||
        gact_image_open(argv[1], &program, &error))
        fail(&error);
    for (int k = 0; k < (int)(sizeof functions / sizeof *functions); k++) {
        bool wanted = argc == 2;
        for (int i = 2; i < argc; i++)
            wanted |= strcmp(argv[i], functions[k].name) == 0;
        if (!wanted)
            continue;
        compare(program, k, GACT_F32);
        compare(program, k, GACT_F64);
    }
    gact_image_close(program);
    return 0;
}
