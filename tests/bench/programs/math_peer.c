/* Loops over functions of floats that gcc makes calls of glibc's vector library (libmvec): compiled
   with -O3 -march=native -ffast-math, but linked without, as that would set the mode of subnormals for
   the whole process. */
#include <math.h>

#define LOOP(type, id, call)                                                                       \
    void peer_##id(type *r, const type *x, const type *y, long n) {                                \
        (void)y;                                                                                   \
        for (long i = 0; i < n; i++)                                                               \
            r[i] = call;                                                                           \
    }
#define ONE(name, lo, hi) LOOP(float, name##_f32, name##f(x[i])) LOOP(double, name##_f64, name(x[i]))
#define TWO(name, lo, hi)                                                                          \
    LOOP(float, name##_f32, name##f(x[i], y[i])) LOOP(double, name##_f64, name(x[i], y[i]))
#include "math.def"
