/* Measures how far the results of gact's mathematical functions are from the exact ones:

       accuracy IMAGE [--points=N] [--stride=N] [--check] [FUNCTION…]

   IMAGE is functions.gact compiled: a dag NAME_f32 and NAME_f64 for each row of functions.def.
   All are measured on N inputs drawn at random in several manners and compared with MPFR. f32
   functions of one number are also measured on every stride-th of the 2^32 inputs (0: not), where
   they are compared with the C library's f64 function, whose own error is 1e-8 ulp of an f32; each
   error that is larger than all before is computed again with MPFR.

   An error is |result - exact| in units of the last place of the exact value; infinity counts as
   the power of 2 that is too large. A NaN, an infinity, a zero or a sign in the wrong place is an
   infinite error. --check prints nothing but what exceeds the bounds of functions.def, and exits
   with status 1 if anything does. */
#include "runtime/gact.h"
#include "plain.h"

#include <math.h>
#include <mpfr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* ---- functions ---- */

typedef int Exact1(mpfr_ptr, mpfr_srcptr, mpfr_rnd_t);
typedef int Exact2(mpfr_ptr, mpfr_srcptr, mpfr_srcptr, mpfr_rnd_t);
enum { PAIRS_NONE, PAIRS_NEAR, PAIRS_POWER };
enum { ANY = -10000 }; /* an exponent */

typedef struct {
    const char *name;
    Exact1 *exact1;
    Exact2 *exact2;
    int pairs;
    double from, to, near_from, near_to;
    int least; /* the exponent below which the unit of an f64 does not shrink */
    double bound32, bound64;
} Function;

static int exact_lgamma(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t round) {
    int sign;
    return mpfr_lgamma(r, &sign, x, round);
}

/* IEEE 754 gives -0 a negative result. */
static int exact_rsqrt(mpfr_ptr r, mpfr_srcptr x, mpfr_rnd_t round) {
    int inexact = mpfr_rec_sqrt(r, x, round);
    if (mpfr_zero_p(x))
        mpfr_set_inf(r, mpfr_signbit(x) ? -1 : 1);
    return inexact;
}

static const Function functions[] = {
#define FN(id, mpfr, libm, lo, hi, near_lo, near_hi, exponent, f32, f64)                           \
    {.name = #id, .exact1 = mpfr, .from = lo, .to = hi, .near_from = near_lo, .near_to = near_hi,  \
     .least = exponent, .bound32 = f32, .bound64 = f64},
#define FN2(id, mpfr, how, f32, f64)                                                               \
    {.name = #id, .exact2 = mpfr, .pairs = how, .from = -INFINITY, .to = INFINITY, .least = ANY,   \
     .bound32 = f32, .bound64 = f64},
#include "functions.def"
};
enum { FUNCTION_COUNT = sizeof functions / sizeof functions[0] };

/* ---- types ---- */

typedef struct {
    const char *name;
    int32_t kind;
    int digits;       /* of the significand */
    int least, great; /* exponents, as MPFR counts them, of the least normal number and the largest */
} Format;

static const Format f32_format = {"f32", GACT_F32, 24, -125, 128};
static const Format f64_format = {"f64", GACT_F64, 53, -1021, 1024};

/* ---- errors ---- */

typedef struct {
    int64_t inputs;
    double error; /* the largest */
    double x, y, result;
} Measure;

static void note(Measure *m, double error, double x, double y, double result) {
    if (error > m->error)
        *m = (Measure){m->inputs, error, x, y, result};
}

/* The unit in the last place of a value whose exponent (mpfr's) is e. */
static double unit(const Format *f, long e) {
    if (e < f->least)
        e = f->least;
    if (e > f->great)
        e = f->great;
    return ldexp(1, (int)e - f->digits);
}

static double exact_error(const Format *f, int least, mpfr_srcptr want, double got) {
    static mpfr_t difference;
    if (mpfr_nan_p(want) || isnan(got))
        return mpfr_nan_p(want) && isnan(got) ? 0 : INFINITY;
    if (!mpfr_signbit(want) != !signbit(got))
        return INFINITY;
    if (mpfr_inf_p(want) || mpfr_zero_p(want))
        return mpfr_cmp_d(want, got) == 0 ? 0 : INFINITY;
    long e = mpfr_get_exp(want);
    if (isinf(got) && e > f->great)
        return 0;
    if (!difference->_mpfr_d)
        mpfr_init2(difference, 192);
    mpfr_set_d(difference, isinf(got) ? copysign(1, got) : got, MPFR_RNDN);
    if (isinf(got))
        mpfr_mul_2ui(difference, difference, (unsigned long)f->great, MPFR_RNDN);
    mpfr_sub(difference, difference, want, MPFR_RNDN);
    mpfr_div_d(difference, difference, unit(f, e < least ? least : e), MPFR_RNDN);
    return fabs(mpfr_get_d(difference, MPFR_RNDN));
}

/* The error of an f32 whose exact value is near the f64 want; infinite where that is special. */
static double quick_error(double want, float got) {
    int e;
    frexp(want, &e);
    double error = fabs(want - (double)got) / unit(&f32_format, e);
    return isfinite(error) ? error : INFINITY;
}

static double exact_error_of(const Function *fn, const Format *f, double x, double y, double got) {
    static mpfr_t a, b, want;
    if (!want->_mpfr_d)
        mpfr_inits2(128, a, b, want, (mpfr_ptr)0);
    mpfr_set_d(a, x, MPFR_RNDN);
    mpfr_set_d(b, y, MPFR_RNDN);
    if (fn->exact1)
        fn->exact1(want, a, MPFR_RNDN);
    else
        fn->exact2(want, a, b, MPFR_RNDN);
    return exact_error(f, f == &f64_format ? fn->least : ANY, want, got);
}

/* ---- inputs ---- */

static uint64_t random_state = 1;

/* splitmix64 */
static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double uniform(double from, double to) {
    return from + (to - from) * ((double)(random_bits() >> 11) * 0x1p-53);
}

static double of_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double any_number(void) {
    return of_bits(random_bits());
}

/* With an exponent in -limit..limit. */
static double any_of_size(int limit) {
    double x = ldexp(uniform(1, 2), (int)uniform(-limit, limit));
    return random_bits() & 1 ? -x : x;
}

/* Near a multiple of what zeros, poles and ends of ranges are multiples of. */
static double near_multiple(int limit) {
    static const double steps[] = {0.78539816339744830962, 0.34657359027997265471, 0.5, 0.125};
    double x = steps[random_bits() & 3] * round(exp2(uniform(0, limit)));
    for (int k = (int)(random_bits() & 7); k > 3; k--)
        x = nextafter(x, random_bits() & 1 ? INFINITY : 0);
    return random_bits() & 1 ? -x : x;
}

static double draw(const Function *fn) {
    switch (random_bits() & 7) {
    case 0: return any_number();
    case 1: return any_of_size(1000);
    case 2: return any_of_size(30);
    case 3: return near_multiple(20);
    case 4: return near_multiple(fn->exact1 == mpfr_sin || fn->exact1 == mpfr_tan ? 1000 : 8);
    case 5: return any_of_size(4);
    default: return uniform(fn->near_from, fn->near_to);
    }
}

/* Numbers that are special to some function, and the hardest ones for the reduction by pi/2. */
static const double specials[] = {
    0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 0.5, -0.5, 2, -2, 3, -3, 170, 171, 172, -170, -171,
    0x1p-1074, -0x1p-1074, 0x1p-1022, -0x1p-1022, 0x1.fffffffffffffp1023, -0x1.fffffffffffffp1023,
    0x1p-149, -0x1p-149, 0x1p-126, -0x1p-126, 0x1.fffffep127, -0x1.fffffep127, 0x1p-53, 0x1p-25,
    0x1.6ac5b262ca1ffp849, 0x1.67c66p84, 0x1.f9cbe2p57, 710.4758600739439, 709.782712893384,
    -745.1332191019412, 26.543258, 27.2260170, 88.72284, -103.97208, 171.624376956302,
};
enum { SPECIAL_COUNT = sizeof specials / sizeof specials[0] };

static void draw_pair(const Function *fn, double *x, double *y) {
    switch (random_bits() & 3) {
    case 0:
        *x = any_number();
        *y = any_number();
        return;
    case 1:
        *x = specials[random_bits() % SPECIAL_COUNT];
        *y = random_bits() & 1 ? specials[random_bits() % SPECIAL_COUNT] : any_of_size(8);
        return;
    default:
        *x = any_of_size(random_bits() & 1 ? 1000 : 2);
        *y = fn->pairs == PAIRS_POWER ? uniform(-1080, 1030) / log2(fabs(*x))
                                      : *x * any_of_size(random_bits() & 1 ? 60 : 2);
    }
}

/* ---- running ---- */

enum { BLOCK = 1 << 16 };

typedef struct {
    const Function *fn;
    const Format *format;
    GactCall *call;
    GactError error;
    union {
        float f32[2][BLOCK];
        double f64[2][BLOCK];
    } in;
    Measure measure;
} Run;

static double input(const Run *r, int which, int k) {
    return r->format == &f32_format ? r->in.f32[which][k] : r->in.f64[which][k];
}

static void set_input(Run *r, int which, int k, double value) {
    if (r->format == &f32_format)
        r->in.f32[which][k] = (float)value;
    else
        r->in.f64[which][k] = value;
}

static bool is_f32(const Run *r) {
    return r->format == &f32_format;
}

static bool is_in_domain(const Run *r, double x) {
    return !(x < r->fn->from || x > r->fn->to);
}

static void measure_one(Run *r, int k, double got) {
    double x = input(r, 0, k), y = r->fn->exact2 ? input(r, 1, k) : 0;
    note(&r->measure, exact_error_of(r->fn, r->format, x, y, got), x, y, got);
}

static bool same_bits(float a, float b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Leaves to MPFR what is further off than all before. Where the result is the f64 one rounded, its
   error is 1 / 2 at most. */
static void measure_f32(Run *r, const float *got, int n) {
    static double want[BLOCK];
    plain_row((int)(r->fn - functions), r->in.f32[0], want, n);
    for (int k = 0; k < n; k++) {
        if (!is_in_domain(r, r->in.f32[0][k]))
            continue;
        r->measure.inputs++;
        bool is_best = same_bits((float)want[k], got[k]) || (isnan(want[k]) && isnan(got[k]));
        if (is_best && r->measure.error >= 0.5)
            continue;
        if (quick_error(want[k], got[k]) > r->measure.error)
            measure_one(r, k, got[k]);
    }
}

static void measure_exactly(Run *r, const GactView *out, int n) {
    for (int k = 0; k < n; k++)
        if (is_in_domain(r, input(r, 0, k))) {
            r->measure.inputs++;
            measure_one(r, k, is_f32(r) ? ((float *)out->data)[k] : ((double *)out->data)[k]);
        }
}

/* Runs the first n inputs. */
static bool run_block(Run *r, int64_t n, bool quickly) {
    static const char *const names[] = {"x", "y"};
    int32_t kind = r->format->kind;
    for (int k = 0; k < (r->fn->exact2 ? 2 : 1); k++) {
        void *data = is_f32(r) ? (void *)r->in.f32[k] : (void *)r->in.f64[k];
        GactView view = {.kind = kind, .rank = 1, .dims = {n}, .data = data};
        if (gact_call_set_view(r->call, names[k], &view, &r->error))
            return false;
    }
    GactView out;
    if (gact_call_run(r->call, &r->error) ||
        gact_call_get_view(r->call, "result", &out, &r->error))
        return false;
    if (quickly)
        measure_f32(r, out.data, (int)n);
    else
        measure_exactly(r, &out, (int)n);
    return true;
}

/* The numbers of all bits, in steps. */
static bool run_stride(Run *r, int64_t stride) {
    int n = 0;
    for (int64_t bits = random_bits() % (uint64_t)stride; bits < 1LL << 32; bits += stride) {
        uint32_t low = (uint32_t)bits;
        memcpy(&r->in.f32[0][n++], &low, sizeof low);
        if (n == BLOCK || bits + stride >= 1LL << 32) {
            if (!run_block(r, n, true))
                return false;
            n = 0;
        }
    }
    return true;
}

static bool run_random(Run *r, int64_t points) {
    for (int64_t done = 0; done < points; done += BLOCK) {
        int n = (int)(points - done < BLOCK ? points - done : BLOCK);
        for (int k = 0; k < n; k++) {
            double x, y = 0;
            if (r->fn->exact2)
                draw_pair(r->fn, &x, &y);
            else
                x = done + k < SPECIAL_COUNT ? specials[k] : draw(r->fn);
            set_input(r, 0, k, x);
            set_input(r, 1, k, y);
        }
        if (!run_block(r, n, false))
            return false;
    }
    return true;
}

/* ---- the table ---- */

typedef struct {
    GactProgram *program;
    int64_t points, stride;
    bool check;
    char **only;
    int nonly;
} Options;

static bool is_wanted(const Options *o, const char *name) {
    bool wanted = o->nonly == 0;
    for (int k = 0; k < o->nonly; k++)
        wanted |= strcmp(o->only[k], name) == 0;
    return wanted;
}

static void print_domain(const Function *fn) {
    if (isinf(fn->from) && isinf(fn->to))
        printf("all");
    else if (isinf(fn->to))
        printf("from %g", fn->from);
    else if (isinf(fn->from))
        printf("to %g", fn->to);
    else
        printf("%g to %g", fn->from, fn->to);
}

static void print_row(const Run *r) {
    const Measure *m = &r->measure;
    printf("| `%s` | %s | ", r->fn->name, r->format->name);
    print_domain(r->fn);
    printf(" | %lld | %.4f | ", (long long)m->inputs, m->error);
    printf(r->fn->exact2 ? "%.17g, %.17g" : "%.17g", m->x, m->y);
    printf(" | %.17g |\n", m->result);
    fflush(stdout);
}

/* False if a bound is exceeded or the program does not run. */
static bool measure(const Options *o, const Function *fn, const Format *format) {
    static Run r;
    char name[64];
    snprintf(name, sizeof name, "%s_%s", fn->name, format->name);
    const GactEntry *entry = gact_image_find(o->program, GACT_ENTRY_DAG, name);
    if (!entry)
        return true;
    r.fn = fn;
    r.format = format;
    r.measure = (Measure){.error = -1};
    bool whole = format == &f32_format && fn->exact1 && o->stride > 0;
    bool ran = gact_call_open(o->program, entry, &r.call, &r.error) == GACT_OK &&
               (!whole || run_stride(&r, o->stride)) && run_random(&r, o->points);
    gact_call_close(r.call);
    r.call = NULL;
    if (!ran) {
        fprintf(stderr, "accuracy: %s: %s\n", name, r.error.text);
        return false;
    }
    bool holds = r.measure.error <= (format == &f32_format ? fn->bound32 : fn->bound64);
    if (!o->check || !holds)
        print_row(&r);
    return holds;
}

static bool measure_all(const Options *o) {
    bool holds = true;
    if (!o->check)
        printf("| function | type | domain | inputs | largest error (ulp) | at | result there |\n"
               "|---|---|---|---|---|---|---|\n");
    for (int k = 0; k < FUNCTION_COUNT; k++) {
        if (!is_wanted(o, functions[k].name))
            continue;
        holds &= measure(o, &functions[k], &f32_format);
        holds &= measure(o, &functions[k], &f64_format);
    }
    return holds;
}

static int usage(void) {
    fputs("usage: accuracy IMAGE [--points=N] [--stride=N] [--check] [FUNCTION…]\n", stderr);
    return 2;
}

int main(int argc, char **argv) {
    Options o = {.points = 1000000, .stride = 1021};
    GactError error;
    if (argc < 2)
        return usage();
    int at = 2;
    for (; at < argc && argv[at][0] == '-'; at++)
        if (strcmp(argv[at], "--check") == 0)
            o.check = true;
        else if (sscanf(argv[at], "--points=%lld", (long long *)&o.points) != 1 &&
                 sscanf(argv[at], "--stride=%lld", (long long *)&o.stride) != 1)
            return usage();
    o.only = argv + at;
    o.nonly = argc - at;
    GactOptions settings = {.threads = 1};
    if (gact_configure(&settings, &error) ||
        gact_image_open(argv[1], &o.program, &error)) {
        fprintf(stderr, "accuracy: %s\n", error.text);
        return 2;
    }
    bool holds = measure_all(&o);
    gact_image_close(o.program);
    mpfr_free_cache();
    return gact_shutdown(&error) == GACT_OK && holds ? 0 : 1;
}
