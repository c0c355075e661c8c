/* Operations against a second implementation. `ops write DIR` makes, for each basic type, a program
   TYPE/ops.gact whose dags apply every operation to their inputs, and for each shape a folder
   TYPE/CASE with the dag's name, the inputs in.NAME.npy and the results want.NAME.ULPS.npy as
   computed here. `ops compare CASE…` compares got.NAME.npy with them: bit for bit, any NaN for a
   NaN, where ULPS is 0, else up to so many units in the last place.

   Integers are computed in 128 bits and wrapped, floats in double (exact enough to round once to
   the narrower types) or long double. Float sums are of small integers, so that every order of
   adding gives the same. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef __int128 Wide;

/* ---- types ---- */

typedef enum {
    T_BOOL, T_I8, T_I16, T_I32, T_I64, T_U8, T_U16, T_U32, T_U64, T_F16, T_BF16, T_F32, T_F64,
    T_COUNT
} Type;

typedef struct {
    const char *name;
    char kind; /* b, i, u, f */
    int bytes;
    int digits;        /* of a float: bits of the significand */
    const char *descr; /* in a .npy file; bf16 travels as f32 */
} TypeInfo;

static const TypeInfo types[T_COUNT] = {
    [T_BOOL] = {"bool", 'b', 1, 0, "|b1"}, [T_I8] = {"i8", 'i', 1, 0, "|i1"},
    [T_I16] = {"i16", 'i', 2, 0, "<i2"},   [T_I32] = {"i32", 'i', 4, 0, "<i4"},
    [T_I64] = {"i64", 'i', 8, 0, "<i8"},   [T_U8] = {"u8", 'u', 1, 0, "|u1"},
    [T_U16] = {"u16", 'u', 2, 0, "<u2"},   [T_U32] = {"u32", 'u', 4, 0, "<u4"},
    [T_U64] = {"u64", 'u', 8, 0, "<u8"},   [T_F16] = {"f16", 'f', 2, 11, "<f2"},
    [T_BF16] = {"bf16", 'f', 4, 8, "<f4"}, [T_F32] = {"f32", 'f', 4, 24, "<f4"},
    [T_F64] = {"f64", 'f', 8, 53, "<f8"},
};

/* Integers and bools in i, floats in f. */
typedef struct {
    Wide i;
    double f;
} Value;

static bool is_float(Type t) {
    return types[t].kind == 'f';
}

static int width(Type t) {
    return t == T_BOOL ? 1 : 8 * types[t].bytes;
}

static Wide least_int(Type t) {
    return types[t].kind == 'i' ? -((Wide)1 << (width(t) - 1)) : 0;
}

static Wide greatest_int(Type t) {
    return types[t].kind == 'i' ? ((Wide)1 << (width(t) - 1)) - 1 : ((Wide)1 << width(t)) - 1;
}

static Wide wrap(Type t, Wide v) {
    Wide modulus = (Wide)1 << width(t);
    v &= modulus - 1;
    return v > greatest_int(t) ? v - modulus : v;
}

/* x rounded to nearest, ties to even, with so many digits and the exponents from least on. */
static double round_to(long double x, int digits, int least_exponent, double greatest) {
    if (x == 0 || isnan(x) || isinf(x))
        return (double)x;
    int e;
    frexpl(x, &e);
    int scale = digits - e;
    if (e < least_exponent)
        scale = digits - least_exponent;
    long double r = ldexpl(rintl(ldexpl(x, scale)), -scale);
    if (fabsl(r) > greatest)
        return copysign(INFINITY, (double)x);
    return (double)r;
}

static double round_float(Type t, long double x) {
    switch (t) {
    case T_F16: return round_to(x, 11, -13, 65504.0);
    case T_BF16: return round_to(x, 8, -125, 0x1.fep127);
    case T_F32: return (float)x;
    default: return (double)x;
    }
}

static Value int_value(Type t, Wide v) {
    return (Value){.i = wrap(t, v)};
}

static Value float_value(Type t, long double x) {
    return (Value){.f = round_float(t, x)};
}

static Value convert(Type from, Type to, Value v) {
    if (to == T_BOOL)
        return (Value){.i = is_float(from) ? v.f != 0 : v.i != 0};
    if (is_float(to))
        return float_value(to, is_float(from) ? (long double)v.f : (long double)v.i);
    if (!is_float(from))
        return int_value(to, v.i);
    if (isnan(v.f))
        return (Value){.i = 0};
    if (v.f >= (double)greatest_int(to))
        return (Value){.i = greatest_int(to)};
    if (v.f <= (double)least_int(to))
        return (Value){.i = least_int(to)};
    return (Value){.i = (Wide)v.f};
}

/* ---- elements in memory ---- */

static uint16_t half_bits(double x) {
    _Float16 h = (_Float16)x;
    uint16_t bits;
    memcpy(&bits, &h, sizeof bits);
    return bits;
}

static void store(Type t, Value v, unsigned char *at) {
    float single = (float)v.f;
    uint16_t half = half_bits(v.f);
    uint64_t bits = (uint64_t)v.i;
    switch (t) {
    case T_F16: memcpy(at, &half, 2); return;
    case T_BF16:
    case T_F32: memcpy(at, &single, 4); return;
    case T_F64: memcpy(at, &v.f, 8); return;
    default: memcpy(at, &bits, (size_t)types[t].bytes); return;
    }
}

/* ---- arrays ---- */

typedef struct {
    Type type;
    int rank, dims[3];
    int n;
    Value *at;
} Array;

static Array array_new(Type t, int rank, const int *dims) {
    Array a = {.type = t, .rank = rank, .n = 1};
    for (int k = 0; k < rank; k++) {
        a.dims[k] = dims[k];
        a.n *= dims[k];
    }
    a.at = calloc((size_t)a.n + 1, sizeof *a.at);
    return a;
}

static Array list_new(Type t, int n) {
    return array_new(t, 1, &n);
}

static Array scalar_new(Type t, Value v) {
    Array a = array_new(t, 0, NULL);
    a.at[0] = v;
    return a;
}

static void array_write(const char *path, const Array *a) {
    char shape[64] = "", header[192];
    for (int k = 0, used = 0; k < a->rank; k++)
        used += snprintf(shape + used, sizeof shape - (size_t)used, "%d%s", a->dims[k],
                         a->rank == 1 ? "," : k + 1 < a->rank ? ", " : "");
    snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
             types[a->type].descr, shape);
    unsigned char prefix[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(2);
    }
    fwrite(prefix, 1, sizeof prefix, f);
    fprintf(f, "%-117s\n", header);
    for (int i = 0; i < a->n; i++) {
        unsigned char bytes[8];
        store(a->type, a->at[i], bytes);
        fwrite(bytes, 1, (size_t)types[a->type].bytes, f);
    }
    fclose(f);
}

/* ---- scalar operations ---- */

/* OP(name, gact, kinds, result, ulps): of a, b; d (b without zeros); e, amounts from 0 to twice the
   width; and the scalar c. result: S the same type, B bool. ulps: of f32 and f64. */
#define OPS(OP) \
    OP(add, "a + b", "iuf", 'S', 0) \
    OP(sub, "a - b", "iuf", 'S', 0) \
    OP(mul, "a * b", "iuf", 'S', 0) \
    OP(mul_add, "a * b + a", "iuf", 'S', 0) \
    OP(quo, "a / d", "iuf", 'S', 0) \
    OP(rem, "a % d", "iuf", 'S', 0) \
    OP(floored_quo, "div(a, d)", "iu", 'S', 0) \
    OP(floored_rem, "mod(a, d)", "iu", 'S', 0) \
    OP(pow_int, "a ** e", "iu", 'S', 0) \
    OP(square, "a ** 2", "iu", 'S', 0) \
    OP(shl, "a << e", "iu", 'S', 0) \
    OP(shr, "a >> e", "iu", 'S', 0) \
    OP(shr_three, "a >> 3", "iu", 'S', 0) \
    OP(band, "a & b", "iu", 'S', 0) \
    OP(bor, "a | b", "iu", 'S', 0) \
    OP(bxor, "a ^ b", "iu", 'S', 0) \
    OP(inv, "~a", "iu", 'S', 0) \
    OP(land, "a and b", "b", 'B', 0) \
    OP(lor, "a or b", "b", 'B', 0) \
    OP(lnot, "not a", "b", 'B', 0) \
    OP(neg, "-a", "iuf", 'S', 0) \
    OP(eq, "a == b", "biuf", 'B', 0) \
    OP(ne, "a != b", "biuf", 'B', 0) \
    OP(lt, "a < b", "iuf", 'B', 0) \
    OP(le, "a <= b", "iuf", 'B', 0) \
    OP(gt, "a > b", "iuf", 'B', 0) \
    OP(ge, "a >= b", "iuf", 'B', 0) \
    OP(least, "min(a, b)", "iuf", 'S', 0) \
    OP(most, "max(a, b)", "iuf", 'S', 0) \
    OP(chosen, "where(a == b, b, c)", "iuf", 'S', 0) \
    OP(scalar_left, "c - a", "iuf", 'S', 0) \
    OP(scalar_right, "a * c", "iuf", 'S', 0) \
    OP(absolute, "abs(a)", "iuf", 'S', 0) \
    OP(signum, "sign(a)", "iuf", 'S', 1) \
    OP(ones, "popcount(a)", "iu", 'S', 0) \
    OP(leading, "clz(a)", "iu", 'S', 0) \
    OP(trailing, "ctz(a)", "iu", 'S', 0) \
    OP(no_number, "is_nan(a)", "f", 'B', 0) \
    OP(down, "floor(a)", "f", 'S', 0) \
    OP(up, "ceil(a)", "f", 'S', 0) \
    OP(nearest, "round(a)", "f", 'S', 0) \
    OP(whole, "trunc(a)", "f", 'S', 0) \
    OP(root, "sqrt(a)", "f", 'S', 0) \
    OP(inverse_root, "rsqrt(a)", "f", 'S', 1) \
    OP(cube_root, "cbrt(a)", "f", 'S', 4) \
    OP(e_to, "exp(a)", "f", 'S', 1) \
    OP(two_to, "exp2(a)", "f", 'S', 1) \
    OP(e_to_less, "expm1(a)", "f", 'S', 2) \
    OP(ln, "log(a)", "f", 'S', 1) \
    OP(ln_two, "log2(a)", "f", 'S', 1) \
    OP(ln_ten, "log10(a)", "f", 'S', 2) \
    OP(ln_more, "log1p(a)", "f", 'S', 2) \
    OP(sine, "sin(a)", "f", 'S', 1) \
    OP(cosine, "cos(a)", "f", 'S', 1) \
    OP(tangent, "tan(a)", "f", 'S', 2) \
    OP(arc_sine, "asin(a)", "f", 'S', 2) \
    OP(arc_cosine, "acos(a)", "f", 'S', 2) \
    OP(arc_tangent, "atan(a)", "f", 'S', 2) \
    OP(angle, "atan2(a, b)", "f", 'S', 2) \
    OP(sine_h, "sinh(a)", "f", 'S', 2) \
    OP(cosine_h, "cosh(a)", "f", 'S', 2) \
    OP(tangent_h, "tanh(a)", "f", 'S', 2) \
    OP(error, "erf(a)", "f", 'S', 2) \
    OP(error_c, "erfc(a)", "f", 'S', 5) \
    OP(gamma_of, "gamma(a)", "f", 'S', 10) \
    OP(log_gamma, "lgamma(abs(a))", "f", 'S', 10) \
    OP(power, "pow(a, b)", "f", 'S', 1) \
    OP(length, "hypot(a, b)", "f", 'S', 1) \
    OP(fused, "fma(a, b, d)", "f", 'S', 0)

typedef enum {
#define OP(name, ...) OP_##name,
    OPS(OP)
#undef OP
    OP_COUNT
} Op;

static const struct {
    const char *name, *gact, *kinds;
    char result;
    int ulps;
} ops[OP_COUNT] = {
#define OP(name, gact, kinds, result, ulps) {#name, gact, kinds, result, ulps},
    OPS(OP)
#undef OP
};

typedef struct {
    Value a, b, c, d;
    int e;
} Operands;

static Wide floor_div(Wide a, Wide b) {
    Wide q = a / b;
    return q * b != a && (a < 0) != (b < 0) ? q - 1 : q;
}

static Wide wrapped_power(Type t, Wide a, int e) {
    Wide r = 1;
    for (int k = 0; k < e; k++)
        r = wrap(t, r * a);
    return r;
}

static int leading_zeros(Type t, Wide v) {
    int n = 0;
    while (n < width(t) && !((v >> (width(t) - 1 - n)) & 1))
        n++;
    return n;
}

static int trailing_zeros(Type t, Wide v) {
    int n = 0;
    while (n < width(t) && !((v >> n) & 1))
        n++;
    return n;
}

static Wide eval_int(Op op, Type t, const Operands *o) {
    Wide a = o->a.i, b = o->b.i, c = o->c.i, d = o->d.i;
    switch (op) {
    case OP_add: return a + b;
    case OP_sub: return a - b;
    case OP_mul: return wrap(t, a) * wrap(t, b);
    case OP_mul_add: return wrap(t, a * b) + a;
    case OP_quo: return a / d;
    case OP_rem: return a % d;
    case OP_floored_quo: return floor_div(a, d);
    case OP_floored_rem: return a - floor_div(a, d) * d;
    case OP_pow_int: return wrapped_power(t, a, o->e);
    case OP_square: return a * a;
    case OP_shl: return o->e >= width(t) ? 0 : wrap(t, a) << o->e;
    case OP_shr: return a >> (o->e >= width(t) ? 100 : o->e);
    case OP_shr_three: return a >> 3;
    case OP_land:
    case OP_band: return a & b;
    case OP_lor:
    case OP_bor: return a | b;
    case OP_bxor: return a ^ b;
    case OP_inv: return ~a;
    case OP_lnot: return !a;
    case OP_neg: return -a;
    case OP_eq: return a == b;
    case OP_ne: return a != b;
    case OP_lt: return a < b;
    case OP_le: return a <= b;
    case OP_gt: return a > b;
    case OP_ge: return a >= b;
    case OP_least: return a < b ? a : b;
    case OP_most: return a > b ? a : b;
    case OP_chosen: return a == b ? b : c;
    case OP_scalar_left: return c - a;
    case OP_scalar_right: return a * c;
    case OP_absolute: return a < 0 ? -a : a;
    case OP_signum: return (a > 0) - (a < 0);
    case OP_ones: return __builtin_popcountll((uint64_t)a & (uint64_t)(((Wide)1 << width(t)) - 1));
    case OP_leading: return leading_zeros(t, a);
    case OP_trailing: return trailing_zeros(t, a);
    default: abort();
    }
}

static double least_float(double a, double b) {
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    return a < b || (a == b && signbit(a)) ? a : b;
}

static long double fused(Type t, double a, double b, double c) {
    if (t == T_F64)
        return fma(a, b, c);
    if (t == T_F32)
        return fmaf((float)a, (float)b, (float)c);
    return (long double)a * b + c;
}

/* Floats that are rounded once from an exact or a longer result. */
static long double eval_float(Op op, Type t, const Operands *o) {
    double a = o->a.f, b = o->b.f, c = o->c.f, d = o->d.f;
    switch (op) {
    case OP_add: return t == T_F64 ? a + b : (long double)a + b;
    case OP_sub: return t == T_F64 ? a - b : (long double)a - b;
    case OP_mul: return t == T_F64 ? a * b : (long double)a * b;
    case OP_mul_add: {
        double product = t == T_F64 ? a * b : round_float(t, (long double)a * b);
        return t == T_F64 ? product + a : (long double)product + a;
    }
    case OP_quo: return t == T_F64 || t == T_F32 ? a / d : (long double)a / d;
    case OP_rem: return fmod(a, d);
    case OP_neg: return -a;
    case OP_least: return least_float(a, b);
    case OP_most: return isnan(a) ? b : isnan(b) ? a : -least_float(-a, -b);
    case OP_chosen: return a == b ? b : c;
    case OP_scalar_left: return t == T_F64 ? c - a : (long double)c - a;
    case OP_scalar_right: return t == T_F64 ? a * c : (long double)a * c;
    case OP_absolute: return fabs(a);
    case OP_signum: return isnan(a) ? a : (a > 0) - (a < 0);
    case OP_down: return floor(a);
    case OP_up: return ceil(a);
    case OP_nearest: return rint(a);
    case OP_whole: return trunc(a);
    case OP_root: return sqrt(a);
    case OP_inverse_root: return 1 / sqrtl(a);
    case OP_cube_root: return cbrtl(a);
    case OP_e_to: return expl(a);
    case OP_two_to: return exp2l(a);
    case OP_e_to_less: return expm1l(a);
    case OP_ln: return logl(a);
    case OP_ln_two: return log2l(a);
    case OP_ln_ten: return log10l(a);
    case OP_ln_more: return log1pl(a);
    case OP_sine: return sinl(a);
    case OP_cosine: return cosl(a);
    case OP_tangent: return tanl(a);
    case OP_arc_sine: return asinl(a);
    case OP_arc_cosine: return acosl(a);
    case OP_arc_tangent: return atanl(a);
    case OP_angle: return atan2l(a, b);
    case OP_sine_h: return sinhl(a);
    case OP_cosine_h: return coshl(a);
    case OP_tangent_h: return tanhl(a);
    case OP_error: return erfl(a);
    case OP_error_c: return erfcl(a);
    case OP_gamma_of: return tgammal(a);
    case OP_log_gamma: return lgammal(fabs(a));
    case OP_power: return powl(a, b);
    case OP_length: return hypotl(a, b);
    case OP_fused: return fused(t, a, b, d);
    default: abort();
    }
}

static Wide compare_floats(Op op, double a, double b) {
    switch (op) {
    case OP_eq: return a == b;
    case OP_ne: return a != b;
    case OP_lt: return a < b;
    case OP_le: return a <= b;
    case OP_gt: return a > b;
    case OP_ge: return a >= b;
    case OP_no_number: return isnan(a);
    default: abort();
    }
}

static Value eval(Op op, Type t, const Operands *o) {
    if (!is_float(t))
        return (Value){.i = ops[op].result == 'B' ? eval_int(op, t, o)
                                                  : wrap(t, eval_int(op, t, o))};
    if (ops[op].result == 'B')
        return (Value){.i = compare_floats(op, o->a.f, o->b.f)};
    return float_value(t, eval_float(op, t, o));
}

static bool op_takes(Op op, Type t) {
    return strchr(ops[op].kinds, types[t].kind);
}

/* The narrow floats may compute a function in f32 and round again. */
static int op_ulps(Op op, Type t) {
    bool narrow = t == T_F16 || t == T_BF16;
    return narrow && (ops[op].ulps || op == OP_fused) ? 1 : ops[op].ulps;
}

/* ---- inputs ---- */

static uint64_t seed;

static uint64_t random_bits(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * 0x2545f4914f6cdd1dull;
}

static Value special(Type t, int k) {
    static const int ints[16] = {0, 1, 2, 3, 5, -1, -2, -7, 7, 64, 100, -100, 0, 0, 0, 0};
    static const double floats[16] = {0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -1000,
                                      0, 0, 0, 0, 0};
    Wide lo = least_int(t), hi = greatest_int(t);
    if (!is_float(t))
        return int_value(t, k < 12 ? ints[k] : k == 12 ? lo : k == 13 ? hi : k == 14 ? lo + 1 : hi / 2);
    double least = t == T_F16 ? 0x1p-24 : t == T_BF16 ? 0x1p-133 : t == T_F32 ? 0x1p-149 : 0x1p-1074;
    double most = t == T_F16 ? 65504 : t == T_BF16 ? 0x1.fep127 : t == T_F32 ? 0x1.fffffep127
                                                                             : 0x1.fffffffffffffp1023;
    double big[5] = {INFINITY, -INFINITY, NAN, least, most};
    return float_value(t, k < 11 ? floats[k] : big[k - 11]);
}

static Value random_value(Type t) {
    uint64_t bits = random_bits();
    if (!is_float(t))
        return int_value(t, bits & 1 ? (Wide)(bits >> 8) : (Wide)((bits >> 8) % 41) - 20);
    double unit = (double)(bits >> 12) * 0x1p-52 - 0.5;
    int e = (int)(random_bits() % (t == T_F16 ? 12 : 40)) - (t == T_F16 ? 6 : 20);
    return float_value(t, ldexp(unit, e));
}

/* Element i of the first or second input: all pairs of special values, then random ones. */
static Value input(Type t, int i, int n, bool second) {
    if (n > 256 && i < 256)
        return special(t, second ? i % 16 : i / 16);
    return random_value(t);
}

static Value without_zero(Type t, Value v) {
    return !is_float(t) && v.i == 0 ? (Value){.i = 1} : v;
}

/* ---- cases ---- */

static const char *root_dir;

typedef struct {
    char dir[512];
} Case;

static Case case_new(Type t, const char *name, const char *dag) {
    Case c;
    snprintf(c.dir, sizeof c.dir, "%s/%s/%s", root_dir, types[t].name, name);
    mkdir(c.dir, 0777);
    char path[600];
    snprintf(path, sizeof path, "%s/dag", c.dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "%s\n", dag);
    fclose(f);
    return c;
}

static void put_input(const Case *c, const char *name, const Array *a) {
    char path[600];
    snprintf(path, sizeof path, "%s/in.%s.npy", c->dir, name);
    array_write(path, a);
}

static void put_want(const Case *c, const char *name, int ulps, Array a) {
    char path[600];
    snprintf(path, sizeof path, "%s/want.%s.%d.npy", c->dir, name, ulps);
    array_write(path, &a);
    free(a.at);
}

/* ---- elementwise: dag elements1, elements2, elements3 by rank ---- */

static void write_outputs(FILE *f, Type t, const char *shape) {
    const char *edge = t == T_BF16 ? "f32" : types[t].name;
    fprintf(f, "    -> (");
    for (Op op = 0; op < OP_COUNT; op++)
        if (op_takes(op, t))
            fprintf(f, "%s: %s%s, ", ops[op].name, shape, ops[op].result == 'B' ? "bool" : edge);
    for (Type to = 0; to < T_COUNT; to++)
        fprintf(f, "%sto_%s: %s%s", to ? ", " : "", types[to].name, shape,
                to == T_BF16 ? "f32" : types[to].name);
    fprintf(f, ") {\n");
}

static void write_elements(FILE *f, Type t, int rank) {
    static const char *const shapes[] = {"", "[n]", "[n, m]", "[n, m, l]"};
    const char *edge = t == T_BF16 ? "f32" : types[t].name, *s = shapes[rank];
    fprintf(f, "dag elements%d(a0: %s%s, b0: %s%s, c0: %s, d0: %s%s, e: %su8)\n", rank, s, edge, s,
            edge, edge, s, edge, s);
    write_outputs(f, t, s);
    for (const char *p = "abcd"; *p; p++)
        fprintf(f, "  let %c = %s(%c0)\n", *p, types[t].name, *p);
    fprintf(f, "  return (");
    for (Op op = 0; op < OP_COUNT; op++)
        if (op_takes(op, t))
            fprintf(f, "%s = %s(%s),\n    ", ops[op].name,
                    ops[op].result == 'B' ? "" : t == T_BF16 ? "f32" : "", ops[op].gact);
    for (Type to = 0; to < T_COUNT; to++)
        fprintf(f, "to_%s = %s(%s(a))%s", types[to].name, to == T_BF16 ? "f32" : "", types[to].name,
                to + 1 < T_COUNT ? ", " : ")\n}\n\n");
}

static void elements_case(Type t, int rank, const int *dims) {
    char name[64], dag[16];
    snprintf(name, sizeof name, "elements%d_%d_%d_%d", rank, dims[0], rank > 1 ? dims[1] : 0,
             rank > 2 ? dims[2] : 0);
    snprintf(dag, sizeof dag, "elements%d", rank);
    Case c = case_new(t, name, dag);
    Array in[5];
    for (int k = 0; k < 5; k++)
        in[k] = array_new(k == 4 ? T_U8 : t, k == 2 ? 0 : rank, dims);
    int n = in[0].n;
    in[2].at[0] = random_value(t);
    for (int i = 0; i < n; i++) {
        in[0].at[i] = input(t, i, n, false);
        in[1].at[i] = input(t, i, n, true);
        in[3].at[i] = without_zero(t, in[1].at[i]);
        in[4].at[i].i = (Wide)(random_bits() % (uint64_t)(2 * width(t) + 1));
    }
    static const char *const names[] = {"a0", "b0", "c0", "d0", "e"};
    for (int k = 0; k < 5; k++)
        put_input(&c, names[k], &in[k]);
    for (Op op = 0; op < OP_COUNT; op++) {
        if (!op_takes(op, t))
            continue;
        Array out = array_new(ops[op].result == 'B' ? T_BOOL : t, rank, dims);
        for (int i = 0; i < n; i++)
            out.at[i] = eval(op, t, &(Operands){in[0].at[i], in[1].at[i], in[2].at[0], in[3].at[i],
                                                (int)in[4].at[i].i});
        put_want(&c, ops[op].name, op_ulps(op, t), out);
    }
    for (Type to = 0; to < T_COUNT; to++) {
        char out_name[16];
        snprintf(out_name, sizeof out_name, "to_%s", types[to].name);
        Array out = array_new(to, rank, dims);
        for (int i = 0; i < n; i++)
            out.at[i] = convert(t, to, in[0].at[i]);
        put_want(&c, out_name, 0, out);
    }
    for (int k = 0; k < 5; k++)
        free(in[k].at);
}

/* ---- order: sorting and what moves elements, on every value ---- */

static Type order_type; /* of what compare_places compares */
static const Value *order_values;

/* The total order: -0 before 0, NaN last and each the same. */
static int order(Type t, Value a, Value b) {
    if (!is_float(t))
        return (a.i > b.i) - (a.i < b.i);
    if (isnan(a.f) || isnan(b.f))
        return isnan(a.f) - isnan(b.f);
    if (a.f == b.f)
        return (signbit(b.f) != 0) - (signbit(a.f) != 0);
    return a.f > b.f ? 1 : -1;
}

static int compare_places(const void *x, const void *y) {
    int i = *(const int *)x, j = *(const int *)y;
    int by_value = order(order_type, order_values[i], order_values[j]);
    return by_value ? by_value : (i > j) - (i < j);
}

static int compare_down(const void *x, const void *y) {
    int i = *(const int *)x, j = *(const int *)y;
    int by_value = order(order_type, order_values[j], order_values[i]);
    return by_value ? by_value : (i > j) - (i < j);
}

static int *sorted_places(const Array *a, int (*compare)(const void *, const void *)) {
    int *places = malloc(sizeof *places * (size_t)(a->n + 1));
    for (int i = 0; i < a->n; i++)
        places[i] = i;
    order_type = a->type;
    order_values = a->at;
    qsort(places, (size_t)a->n, sizeof *places, compare);
    return places;
}

static const char *const order_outputs[] = {
    "sorted", "sort(a)", "S", "falling", "sort(a, descending = true)", "S",
    "places", "argsort(a)", "I", "falling_places", "argsort(a, descending = true)", "I",
    "different", "unique(a)", "S", "reversed", "reverse(a)", "S",
    "turned", "rotate(a, 3)", "S", "begin", "take(a, 5)", "S", "rest", "drop(a, 5)", "S",
    "joined", "concat(a, b)", "S", "gathered", "a[reverse(0..len(a))]", "S",
    "kept", "a[e > 99]", "S", "middle", "a[len(a) / 3..2 * len(a) / 3]", "S",
    "every_third", "a[.. by 3]", "S", NULL};

static void write_order(FILE *f, Type t) {
    const char *edge = t == T_BF16 ? "f32" : types[t].name;
    fprintf(f, "dag order(a0: [n]%s, b0: [n]%s, e: [n]u8) -> (", edge, edge);
    for (int k = 0; order_outputs[k]; k += 3)
        fprintf(f, "%s%s: [_]%s", k ? ", " : "", order_outputs[k],
                order_outputs[k + 2][0] == 'I' ? "i64" : edge);
    fprintf(f, ") {\n  let a = %s(a0)\n  let b = %s(b0)\n  return (", types[t].name, types[t].name);
    for (int k = 0; order_outputs[k]; k += 3)
        fprintf(f, "%s%s = %s(%s)", k ? ",\n    " : "", order_outputs[k],
                t == T_BF16 && order_outputs[k + 2][0] == 'S' ? "f32" : "", order_outputs[k + 1]);
    fprintf(f, ")\n}\n\n");
}

/* Elements of a (or places) in the order of `at`. */
static Array picked(const Array *a, const int *at, int n) {
    Array out = list_new(a->type, n);
    for (int i = 0; i < n; i++)
        out.at[i] = a->at[at[i]];
    return out;
}

static Array places_array(const int *at, int n) {
    Array out = list_new(T_I64, n);
    for (int i = 0; i < n; i++)
        out.at[i].i = at[i];
    return out;
}

static void order_sorts(const Case *c, const Array *a) {
    int n = a->n, *up = sorted_places(a, compare_places), *down = sorted_places(a, compare_down);
    put_want(c, "sorted", 0, picked(a, up, n));
    put_want(c, "falling", 0, picked(a, down, n));
    put_want(c, "places", 0, places_array(up, n));
    put_want(c, "falling_places", 0, places_array(down, n));
    int k = 0;
    for (int i = 0; i < n; i++)
        if (i == 0 || order(a->type, a->at[up[i - 1]], a->at[up[i]]) != 0)
            up[k++] = up[i];
    put_want(c, "different", 0, picked(a, up, k));
    free(up);
    free(down);
}

static void order_moves(const Case *c, const Array *a, const Array *b, const Array *e) {
    int n = a->n, *at = malloc(sizeof *at * (size_t)(2 * n + 1)), k;
    for (int i = 0; i < n; i++)
        at[i] = n - 1 - i;
    put_want(c, "reversed", 0, picked(a, at, n));
    put_want(c, "gathered", 0, picked(a, at, n));
    for (int i = 0; i < n; i++)
        at[i] = (i + 3) % n;
    put_want(c, "turned", 0, picked(a, at, n));
    for (int i = 0; i < n; i++)
        at[i] = i;
    put_want(c, "begin", 0, picked(a, at, n < 5 ? n : 5));
    put_want(c, "rest", 0, picked(a, at + (n < 5 ? n : 5), n < 5 ? 0 : n - 5));
    put_want(c, "middle", 0, picked(a, at + n / 3, 2 * n / 3 - n / 3));
    for (int i = k = 0; i < n; i += 3)
        at[k++] = i;
    put_want(c, "every_third", 0, picked(a, at, k));
    for (int i = k = 0; i < n; i++)
        if (e->at[i].i > 99)
            at[k++] = i;
    put_want(c, "kept", 0, picked(a, at, k));
    Array both = list_new(a->type, 2 * n);
    memcpy(both.at, a->at, sizeof *a->at * (size_t)n);
    memcpy(both.at + n, b->at, sizeof *b->at * (size_t)n);
    put_want(c, "joined", 0, both);
    free(at);
}

static void order_case(Type t, int n) {
    char name[32];
    snprintf(name, sizeof name, "order_%d", n);
    Case c = case_new(t, name, "order");
    Array a = list_new(t, n), b = list_new(t, n), e = list_new(T_U8, n);
    for (int i = 0; i < n; i++) {
        a.at[i] = input(t, i, n, true);
        b.at[i] = random_value(t);
        e.at[i].i = (Wide)(random_bits() % 200);
    }
    put_input(&c, "a0", &a);
    put_input(&c, "b0", &b);
    put_input(&c, "e", &e);
    order_sorts(&c, &a);
    order_moves(&c, &a, &b, &e);
    free(a.at);
    free(b.at);
    free(e.at);
}

/* ---- sums: reductions, scans and sums by key, of small whole numbers ---- */

static const char sums_dag[] =
    "dag sums(a0: [n]%1$s, k: [n]i64) -> (total: %1$s, times: %1$s, running: [_]%1$s, before: [_]%1$s,\n"
    "    most_so_far: [_]%1$s, bins: [_]i64, sums: [_]%1$s, last: [_]%1$s, added: [_]%1$s, keys: [_]i64,\n"
    "    values: [_]%1$s, many: i64, segments: [_]%1$s) {\n"
    "  let a = %2$s(a0)\n"
    "  let by = reduce_by_key(k, a, 0, (+))\n"
    "  return (total = %3$s(sum(a)), times = %3$s(product(abs(sign(a)) * 2 - 1)),\n"
    "    running = %3$s(cumsum(a)), before = %3$s(exscan(a, 1, (+))),\n"
    "    most_so_far = %3$s(scan(a, 1, (x, y) -> max(x, y))),\n"
    "    bins = histogram(k, 16), sums = %3$s(histogram(k, 16, a, 0, (+))),\n"
    "    last = %3$s(scatter(fill(16, %2$s(3)), k, a)),\n"
    "    added = %3$s(scatter(fill(16, %2$s(3)), k, a, (+))),\n"
    "    keys = by.keys, values = %3$s(by.values), many = count(a > 1),\n"
    "    segments = %3$s(segmented_reduce(a, [i * len(a) / 8 for i in 0..9], 1, (+))))\n"
    "}\n\n"
    "dag extremes(a0: [n]%1$s) -> (least: %1$s, most: %1$s, least_at: i64, most_at: i64, one: %1$s) {\n"
    "  let a = %2$s(a0)\n"
    "  return (least = %3$s(min(a)), most = %3$s(max(a)), least_at = argmin(a), most_at = argmax(a),\n"
    "    one = %3$s(last(a)))\n"
    "}\n\n"
    "dag axes(a0: [n, m]%1$s) -> (down: [m]%1$s, across: [n]%1$s, total: %1$s, turned: [m, n]%1$s,\n"
    "    flat: [_]%1$s, upside: [n, m]%1$s, rows: [n]%1$s) {\n"
    "  let a = %2$s(a0)\n"
    "  return (down = %3$s(sum(a, axis = 0)), across = %3$s(sum(a, axis = 1)), total = %3$s(sum(a)),\n"
    "    turned = %3$s(transpose(a)), flat = %3$s(flatten(a)), upside = %3$s(reverse(a)),\n"
    "    rows = %3$s(map(a, r -> sum(r * r))))\n"
    "}\n";

static Value add(Type t, Value a, Value b) {
    return eval(OP_add, t, &(Operands){.a = a, .b = b});
}

static Value whole(Type t, int v) {
    return is_float(t) ? (Value){.f = v} : int_value(t, v);
}

static int small(void) {
    return (int)(random_bits() % 3) - 1;
}

static Array sums_by_key(Type t, int bins, Value zero, const Array *keys, const Array *a, bool last) {
    Array out = list_new(t, bins);
    for (int i = 0; i < bins; i++)
        out.at[i] = zero;
    for (int i = 0; i < a->n; i++) {
        Value *at = &out.at[keys->at[i].i];
        *at = last ? a->at[i] : add(t, *at, a->at[i]);
    }
    return out;
}

static void put_runs(const Case *c, const Array *a) {
    Type t = a->type;
    Array running = list_new(t, a->n), before = list_new(t, a->n), most = list_new(t, a->n);
    Value sum = whole(t, 0), shifted = whole(t, 1), top = whole(t, 1), times = whole(t, 1);
    int64_t many = 0;
    for (int i = 0; i < a->n; i++) {
        Value v = a->at[i];
        before.at[i] = shifted;
        running.at[i] = sum = add(t, sum, v);
        shifted = add(t, shifted, v);
        top = eval(OP_most, t, &(Operands){.a = top, .b = v});
        most.at[i] = top;
        bool zero = is_float(t) ? v.f == 0 : v.i == 0;
        bool more = is_float(t) ? v.f > 1 : v.i > 1;
        times = zero ? eval(OP_neg, t, &(Operands){.a = times}) : times;
        many += more;
    }
    put_want(c, "total", 0, scalar_new(t, sum));
    put_want(c, "times", 0, scalar_new(t, times));
    put_want(c, "running", 0, running);
    put_want(c, "before", 0, before);
    put_want(c, "most_so_far", 0, most);
    put_want(c, "many", 0, scalar_new(T_I64, (Value){.i = many}));
}

static void put_keyed(const Case *c, const Array *a, const Array *k) {
    Type t = a->type;
    Array bins = list_new(T_I64, 16), keys = list_new(T_I64, 16), values = list_new(t, 16);
    Array sums = sums_by_key(t, 16, whole(t, 0), k, a, false);
    for (int i = 0; i < a->n; i++)
        bins.at[k->at[i].i].i++;
    int n = 0;
    for (int b = 0; b < 16; b++) {
        if (!bins.at[b].i)
            continue;
        keys.at[n].i = b;
        values.at[n++] = sums.at[b];
    }
    keys.n = keys.dims[0] = values.n = values.dims[0] = n;
    Array segments = list_new(t, 8);
    for (int s = 0; s < 8; s++) {
        segments.at[s] = whole(t, 1);
        for (int i = s * a->n / 8; i < (s + 1) * a->n / 8; i++)
            segments.at[s] = add(t, segments.at[s], a->at[i]);
    }
    put_want(c, "bins", 0, bins);
    put_want(c, "sums", 0, sums);
    put_want(c, "keys", 0, keys);
    put_want(c, "values", 0, values);
    put_want(c, "segments", 0, segments);
    put_want(c, "last", 0, sums_by_key(t, 16, whole(t, 3), k, a, true));
    put_want(c, "added", 0, sums_by_key(t, 16, whole(t, 3), k, a, false));
}

static void sums_case(Type t, int n) {
    char name[32];
    snprintf(name, sizeof name, "sums_%d", n);
    Case c = case_new(t, name, "sums");
    Array a = list_new(t, n), k = list_new(T_I64, n);
    for (int i = 0; i < n; i++) {
        a.at[i] = is_float(t) ? whole(t, i % 4 < 2 ? small() : (int)-a.at[i - 2].f) : random_value(t);
        k.at[i].i = (Wide)(random_bits() % 16);
    }
    put_input(&c, "a0", &a);
    put_input(&c, "k", &k);
    put_runs(&c, &a);
    put_keyed(&c, &a, &k);
    free(a.at);
    free(k.at);
}

static void extremes_case(Type t, int n) {
    char name[32];
    snprintf(name, sizeof name, "extremes_%d", n);
    Case c = case_new(t, name, "extremes");
    Array a = list_new(t, n);
    int lo = 0, hi = 0;
    for (int i = 0; i < n; i++)
        a.at[i] = input(t, i, n, i & 1);
    for (int i = 1; i < n; i++) {
        bool nan = is_float(t) && isnan(a.at[i].f), was = is_float(t) && isnan(a.at[hi].f);
        if (order(t, a.at[i], a.at[lo]) < 0)
            lo = i;
        if (!nan && (was || order(t, a.at[i], a.at[hi]) > 0))
            hi = i;
    }
    put_input(&c, "a0", &a);
    put_want(&c, "least", 0, scalar_new(t, a.at[lo]));
    put_want(&c, "most", 0, scalar_new(t, a.at[hi]));
    put_want(&c, "least_at", 0, scalar_new(T_I64, (Value){.i = lo}));
    put_want(&c, "most_at", 0, scalar_new(T_I64, (Value){.i = hi}));
    put_want(&c, "one", 0, scalar_new(t, a.at[n - 1]));
    free(a.at);
}

static void axes_case(Type t, int n, int m) {
    char name[48];
    snprintf(name, sizeof name, "axes_%d_%d", n, m);
    Case c = case_new(t, name, "axes");
    int dims[2] = {n, m}, turned_dims[2] = {m, n};
    Array a = array_new(t, 2, dims), down = list_new(t, m), across = list_new(t, n);
    Array turned = array_new(t, 2, turned_dims), flat = list_new(t, n * m);
    Array upside = array_new(t, 2, dims), rows = list_new(t, n);
    Value total = whole(t, 0);
    for (int i = 0; i < n * m; i++)
        a.at[i] = flat.at[i] = is_float(t) ? whole(t, i % 2 ? (int)-a.at[i - 1].f : small())
                                           : random_value(t);
    for (int j = 0; j < m; j++)
        down.at[j] = whole(t, 0);
    for (int i = 0; i < n; i++) {
        across.at[i] = rows.at[i] = whole(t, 0);
        for (int j = 0; j < m; j++) {
            Value v = a.at[i * m + j];
            down.at[j] = add(t, down.at[j], v);
            across.at[i] = add(t, across.at[i], v);
            rows.at[i] = add(t, rows.at[i], eval(OP_mul, t, &(Operands){.a = v, .b = v}));
            total = add(t, total, v);
            turned.at[j * n + i] = v;
            upside.at[(n - 1 - i) * m + j] = v;
        }
    }
    put_input(&c, "a0", &a);
    put_want(&c, "down", 0, down);
    put_want(&c, "across", 0, across);
    put_want(&c, "total", 0, scalar_new(t, total));
    put_want(&c, "turned", 0, turned);
    put_want(&c, "flat", 0, flat);
    put_want(&c, "upside", 0, upside);
    put_want(&c, "rows", 0, rows);
    free(a.at);
}

/* ---- writing and comparing ---- */

static void write_type(Type t) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", root_dir, types[t].name);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/%s/ops.gact", root_dir, types[t].name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(2);
    }
    for (int rank = 1; rank <= 3; rank++)
        write_elements(f, t, rank);
    write_order(f, t);
    if (t != T_BOOL)
        fprintf(f, sums_dag, t == T_BF16 ? "f32" : types[t].name, types[t].name,
                t == T_BF16 ? "f32" : "");
    fclose(f);
    static const int shapes[][3] = {{0}, {1}, {7}, {10007}}, planes[][3] = {{0, 5}, {3, 1}, {53, 101}},
                     boxes[][3] = {{2, 0, 3}, {1, 1, 1}, {11, 19, 29}};
    for (int k = 0; k < 4; k++)
        elements_case(t, 1, shapes[k]);
    for (int k = 0; k < 3; k++) {
        elements_case(t, 2, planes[k]);
        elements_case(t, 3, boxes[k]);
    }
    static const int sizes[] = {0, 1, 9, 3000, 4096, 10007};
    for (int k = 0; k < 6; k++) {
        int n = sizes[k];
        order_case(t, n);
        if (t != T_BOOL)
            sums_case(t, n);
        if (t != T_BOOL && n > 0)
            extremes_case(t, n);
    }
    for (int k = 0; k < 3 && t != T_BOOL; k++)
        axes_case(t, planes[k][0], planes[k][1]);
}

typedef struct {
    char header[160];
    unsigned char *data;
    long bytes;
} File;

/* The header without what does not matter: blanks, and commas that end a list. */
static void tidy(char *text) {
    char *out = text;
    for (char *p = text; *p; p++) {
        if (strchr(")}", *p) && out > text && out[-1] == ',')
            out--;
        if (!strchr(" \n", *p))
            *out++ = *p;
    }
    *out = 0;
}

static bool file_read(const char *path, File *file) {
    FILE *f = fopen(path, "rb");
    unsigned char prefix[10];
    if (!f || fread(prefix, 1, 10, f) != 10) {
        fprintf(stderr, "%s is missing or short\n", path);
        return false;
    }
    int length = prefix[8] | prefix[9] << 8;
    int kept = length < 159 ? length : 159;
    if (fread(file->header, 1, (size_t)kept, f) != (size_t)kept)
        kept = 0;
    file->header[kept] = 0;
    tidy(file->header);
    fseek(f, 0, SEEK_END);
    file->bytes = ftell(f) - 10 - length;
    fseek(f, 10 + length, SEEK_SET);
    file->data = malloc((size_t)file->bytes + 1);
    bool ok = fread(file->data, 1, (size_t)file->bytes, f) == (size_t)file->bytes;
    fclose(f);
    return ok;
}

static double float_at(const unsigned char *at, int bytes) {
    _Float16 half;
    float single;
    double number;
    switch (bytes) {
    case 2: memcpy(&half, at, 2); return half;
    case 4: memcpy(&single, at, 4); return single;
    default: memcpy(&number, at, 8); return number;
    }
}

/* The bits of a float as a number whose differences count units in the last place. */
static int64_t ordinal(const unsigned char *at, int bytes) {
    uint64_t bits = 0, sign = 1ull << (8 * bytes - 1);
    memcpy(&bits, at, (size_t)bytes);
    return bits & sign ? -(int64_t)(bits & (sign - 1)) : (int64_t)bits;
}

/* `step`: how many units in the last place of the file's type one of the computed type is. */
static bool same_element(const unsigned char *want, const unsigned char *got, int bytes, bool floats,
                         int ulps, int64_t step) {
    if (!memcmp(want, got, (size_t)bytes))
        return true;
    if (!floats)
        return false;
    double a = float_at(want, bytes), b = float_at(got, bytes);
    if (isnan(a) || isnan(b))
        return isnan(a) && isnan(b);
    return ulps && llabs(ordinal(want, bytes) - ordinal(got, bytes)) <= ulps * step;
}

static bool compare_file(const char *dir, const char *name, int ulps) {
    char path[600];
    File want, got;
    snprintf(path, sizeof path, "%s/want.%s.%d.npy", dir, name, ulps);
    if (!file_read(path, &want))
        return false;
    snprintf(path, sizeof path, "%s/got.%s.npy", dir, name);
    if (!file_read(path, &got))
        return false;
    if (strcmp(want.header, got.header) || want.bytes != got.bytes) {
        printf("%s: %s should be %s and is %s\n", dir, name, want.header, got.header);
        return false;
    }
    const char *descr = strchr(want.header, ':') + 2;
    int bytes = descr[2] - '0';
    int64_t step = strstr(dir, "/bf16/") ? 1 << 16 : 1;
    for (long i = 0; i < want.bytes / bytes; i++)
        if (!same_element(want.data + i * bytes, got.data + i * bytes, bytes, descr[1] == 'f', ulps,
                          step)) {
            bool floats = descr[1] == 'f';
            printf("%s: %s[%ld] should be %.17g and is %.17g\n", dir, name, i,
                   floats ? float_at(want.data + i * bytes, bytes)
                          : (double)ordinal(want.data + i * bytes, bytes),
                   floats ? float_at(got.data + i * bytes, bytes)
                          : (double)ordinal(got.data + i * bytes, bytes));
            return false;
        }
    free(want.data);
    free(got.data);
    return true;
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "write")) {
        root_dir = argv[2];
        seed = 88172645463325252ull;
        for (Type t = 0; t < T_COUNT; t++)
            write_type(t);
        return 0;
    }
    if (argc < 4 || strcmp(argv[1], "compare")) {
        fprintf(stderr, "usage: ops write DIR | ops compare CASE NAME.ULPS…\n");
        return 2;
    }
    bool ok = true;
    for (int i = 3; i < argc; i++) {
        char *dot = strchr(argv[i], '.');
        *dot = 0;
        ok &= compare_file(argv[2], argv[i], atoi(dot + 1));
    }
    return !ok;
}
