/* Every scalar op of lang/ops.def on every type it takes, over edge values, and what plain C says that
   they give: the reference that code for the host and for devices is compared with. */
#ifndef GACT_SCALAR_CASES_H
#define GACT_SCALAR_CASES_H

#include "../../compiler/ir.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef enum { ON_INT = 1, ON_FLOAT = 2, ON_BOOL = 4, ON_NUMBER = 3, ON_ALL = 7 } Domain;

static const struct {
    const char *name;
    int arity;
    bool gives_bool;
} ops[IR_KIND_COUNT] = {
#define SAME false
#define BOOL true
#define OWN  false
#define OP(id, text, n, result, ...) [IR_##id] = {text, n, result},
#include "../../lang/ops.def"
#undef SAME
#undef BOOL
#undef OWN
};

static const struct {
    const char *name;
    int bytes, flags;
} kinds[] = {
#define TYPE(id, spelling, size, typeflags, doc) [TYPE_##id] = {spelling, size, typeflags},
#include "../../lang/types.def"
};

static bool is_float(TypeKind t) {
    return kinds[t].flags & TYF_FLOAT;
}

static bool is_signed(TypeKind t) {
    return kinds[t].flags & TYF_SIGNED || t == TYPE_DURATION;
}

static int width_of(TypeKind t) {
    return t == TYPE_BOOL ? 1 : kinds[t].bytes * 8;
}

/* On floats, these are code of the library by the time they are emitted. */
static const bool is_library[IR_KIND_COUNT] = {
#define BIN(...)   false
#define CMP(...)   false
#define INTR(...)  false
#define SPECIAL    false
#define MATH(file) true
#define OP(id, text, n, result, flags, cuda, llvm, doc) [IR_##id] = llvm,
#include "../../lang/ops.def"
#undef BIN
#undef CMP
#undef INTR
#undef SPECIAL
#undef MATH
};

/* Which types an op takes. */
static Domain domain_of(IrKind kind) {
    switch (kind) {
    case IR_RARE: return ON_BOOL;
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_DIV: case IR_MOD: case IR_FDIV: case IR_FMOD:
    case IR_POW: case IR_NEG: case IR_ABS: case IR_SIGN: return ON_NUMBER;
    case IR_BITAND: case IR_BITOR: case IR_BITXOR: case IR_BITNOT: return ON_INT | ON_BOOL;
    case IR_SHL: case IR_SHR: case IR_POPCOUNT: case IR_CLZ: case IR_CTZ: return ON_INT;
    case IR_EQ: case IR_NE: case IR_LT: case IR_LE: case IR_GT: case IR_GE: case IR_BEFORE:
    case IR_MIN: case IR_MAX: case IR_SELECT: case IR_CONVERT: case IR_BITS: return ON_ALL;
    case IR_FMA: case IR_FLOOR: case IR_CEIL: case IR_ROUND: case IR_TRUNC: return ON_NUMBER;
    default: return ON_FLOAT;
    }
}

static bool takes(IrKind kind, TypeKind t) {
    Domain d = domain_of(kind);
    if (is_float(t) && (is_library[kind] || (kind == IR_SCALE && width_of(t) == 16)))
        return false;
    return d & (is_float(t) ? ON_FLOAT : t == TYPE_BOOL ? ON_BOOL : ON_INT);
}

/* ---- reference ---- */

/* Rounds x to a binary format with `digits` significant bits and least exponent `least`. */
static double round_format(double x, int digits, int least, double largest) {
    if (x == 0 || isnan(x) || isinf(x))
        return x;
    int e;
    frexp(x, &e);
    int scale = digits - (e - 1 < least ? least : e - 1) - 1;
    double r = ldexp(nearbyint(ldexp(x, scale)), -scale);
    return fabs(r) > largest ? copysign(INFINITY, x) : r;
}

/* The bits of a value of a half format: `digits` and exponent bias as given. */
static uint64_t half_bits(double x, int digits, int bias) {
    double largest = ldexp(2 - ldexp(1, 1 - digits), bias);
    double r = round_format(x, digits, 1 - bias, largest);
    uint64_t sign = signbit(x) ? 0x8000 : 0, all_ones = (uint64_t)(2 * bias + 1) << (digits - 1);
    if (isnan(r))
        return sign | all_ones | 1ULL << (digits - 2);
    if (isinf(r))
        return sign | all_ones;
    r = fabs(r);
    if (r < ldexp(1, 1 - bias))
        return sign | (uint64_t)ldexp(r, digits - 1 + bias - 1);
    int e;
    double m = frexp(r, &e);
    uint64_t mantissa = (uint64_t)ldexp(m, digits) & ((1ULL << (digits - 1)) - 1);
    return sign | (uint64_t)(e - 1 + bias) << (digits - 1) | mantissa;
}

static double half_value(uint64_t bits, int digits, int bias) {
    int exponent = (int)(bits >> (digits - 1)) & (2 * bias + 1);
    double mantissa = (double)(bits & ((1ULL << (digits - 1)) - 1));
    double size;
    if (exponent == 2 * bias + 1)
        size = mantissa != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        size = ldexp(mantissa, 1 - bias - (digits - 1));
    else
        size = ldexp(mantissa + ldexp(1, digits - 1), exponent - bias - (digits - 1));
    return bits & 0x8000 ? -size : size;
}

/* A float of any type as a double; exact. */
static double float_of(TypeKind t, uint64_t bits) {
    float f;
    double d;
    uint32_t low = (uint32_t)bits;
    switch (t) {
    case TYPE_F16: return half_value(bits, 11, 15);
    case TYPE_BF16: return half_value(bits, 8, 127);
    case TYPE_F32: memcpy(&f, &low, 4); return f;
    default: memcpy(&d, &bits, 8); return d;
    }
}

static uint64_t float_bits(TypeKind t, double x) {
    float f = (float)x;
    uint32_t low;
    uint64_t all;
    switch (t) {
    case TYPE_F16: return half_bits(x, 11, 15);
    case TYPE_BF16: return half_bits(x, 8, 127);
    case TYPE_F32: memcpy(&low, &f, 4); return low;
    default: memcpy(&all, &x, 8); return all;
    }
}

/* An integer of any type, in range of __int128. */
static __int128 int_of(TypeKind t, uint64_t bits) {
    int shift = 64 - width_of(t);
    return is_signed(t) ? (__int128)((int64_t)(bits << shift) >> shift)
                        : (__int128)(bits << shift >> shift);
}

static uint64_t int_bits(TypeKind t, __int128 x) {
    return (uint64_t)x << (64 - width_of(t)) >> (64 - width_of(t));
}

/* 128-bit integer to the nearest float type, through long double with 64 exact bits. */
static uint64_t float_from_int(TypeKind t, __int128 x) {
    long double exact = (long double)x;
    if (t == TYPE_F32) {
        float f = (float)exact;
        uint32_t low;
        memcpy(&low, &f, 4);
        return low;
    }
    if (t == TYPE_F64)
        return float_bits(t, (double)exact);
    int e;
    if (x == 0)
        return 0;
    frexpl(exact, &e);
    int drop = e - 30; /* 30 bits and a sticky one are enough for a half */
    if (drop <= 0)
        return float_bits(t, (double)exact);
    long double kept = truncl(ldexpl(exact, -drop));
    double sticky = ldexpl(kept, drop) != exact ? (exact < 0 ? -0.5 : 0.5) : 0;
    return float_bits(t, ldexp((double)kept + sticky, drop));
}

static uint64_t int_from_float(TypeKind t, double x) {
    if (t == TYPE_BOOL)
        return x != 0;
    int width = width_of(t);
    if (isnan(x))
        return 0;
    double high = ldexp(1, is_signed(t) ? width - 1 : width), low = is_signed(t) ? -high : 0;
    if (x >= high)
        return int_bits(t, ((__int128)1 << (is_signed(t) ? width - 1 : width)) - 1);
    if (x <= low)
        return int_bits(t, is_signed(t) ? -((__int128)1 << (width - 1)) : 0);
    return int_bits(t, (__int128)x);
}

static uint64_t convert(TypeKind to, TypeKind from, uint64_t a) {
    if (is_float(from))
        return is_float(to) ? float_bits(to, float_of(from, a))
                            : int_from_float(to, float_of(from, a));
    if (is_float(to))
        return float_from_int(to, int_of(from, a));
    return to == TYPE_BOOL ? int_of(from, a) != 0 : int_bits(to, int_of(from, a));
}

static __int128 floor_div(__int128 a, __int128 b) {
    __int128 q = a / b;
    return a % b != 0 && (a % b < 0) != (b < 0) ? q - 1 : q;
}

static uint64_t power(TypeKind t, uint64_t base, uint64_t n) {
    uint64_t r = 1;
    for (; n; n >>= 1, base *= base)
        if (n & 1)
            r *= base;
    return int_bits(t, (__int128)r);
}

static int leading_zeros(TypeKind t, uint64_t a) {
    return a ? __builtin_clzll(a) - (64 - width_of(t)) : width_of(t);
}

static uint64_t ref_shift(IrKind kind, TypeKind t, __int128 a, __int128 n) {
    bool outside = n < 0 || n >= width_of(t);
    if (kind == IR_SHL)
        return outside ? 0 : int_bits(t, (__int128)((unsigned __int128)a << (int)n));
    if (outside)
        return is_signed(t) && a < 0 ? int_bits(t, -1) : 0;
    return int_bits(t, a >> (int)n);
}

static uint64_t ref_int(IrKind kind, TypeKind t, TypeKind t1, const uint64_t *bits) {
    __int128 a = int_of(t, bits[0]), b = int_of(t1, bits[1]);
    switch (kind) {
    case IR_ADD: return int_bits(t, a + b);
    case IR_SUB: return int_bits(t, a - b);
    case IR_MUL: return int_bits(t, (__int128)((unsigned __int128)a * (unsigned __int128)b));
    case IR_DIV: return int_bits(t, a / b);
    case IR_MOD: return int_bits(t, a % b);
    case IR_FDIV: return int_bits(t, floor_div(a, b));
    case IR_FMOD: return int_bits(t, a - floor_div(a, b) * b);
    case IR_POW: return power(t, (uint64_t)a, (uint64_t)b);
    case IR_NEG: return int_bits(t, -a);
    case IR_BITAND: return bits[0] & bits[1];
    case IR_BITOR: return bits[0] | bits[1];
    case IR_BITXOR: return bits[0] ^ bits[1];
    case IR_BITNOT: return int_bits(t, ~a);
    case IR_SHL: case IR_SHR: return ref_shift(kind, t, a, b);
    case IR_EQ: return a == b;
    case IR_NE: return a != b;
    case IR_LT: case IR_BEFORE: return a < b;
    case IR_LE: return a <= b;
    case IR_GT: return a > b;
    case IR_GE: return a >= b;
    case IR_MIN: return a < b ? bits[0] : bits[1];
    case IR_MAX: return a > b ? bits[0] : bits[1];
    case IR_FMA:
        return int_bits(t, (__int128)((uint64_t)a * (uint64_t)b + (uint64_t)int_of(t, bits[2])));
    case IR_FLOOR: case IR_CEIL: case IR_ROUND: case IR_TRUNC: return bits[0];
    case IR_ABS: return int_bits(t, a < 0 ? -a : a);
    case IR_SIGN: return int_bits(t, (a > 0) - (a < 0));
    case IR_POPCOUNT: return (uint64_t)__builtin_popcountll(bits[0]);
    case IR_CLZ: return (uint64_t)leading_zeros(t, bits[0]);
    case IR_CTZ: return bits[0] ? (uint64_t)__builtin_ctzll(bits[0]) : (uint64_t)width_of(t);
    default: fail_msg("no reference for %s of integers", ops[kind].name); return 0;
    }
}

static int rank_of(double x) {
    return isnan(x) ? 2 : x == 0 ? (signbit(x) ? 0 : 1) : -1;
}

static bool ref_before(double a, double b) {
    if (rank_of(a) >= 0 && rank_of(b) >= 0)
        return rank_of(a) < rank_of(b);
    return isnan(b) ? !isnan(a) : a < b;
}

static double ref_least(bool is_min, double a, double b) {
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    return ref_before(a, b) == is_min ? a : b;
}

static uint64_t ref_compare(IrKind kind, double a, double b) {
    switch (kind) {
    case IR_EQ: return a == b;
    case IR_NE: return a != b;
    case IR_LT: return a < b;
    case IR_LE: return a <= b;
    case IR_GT: return a > b;
    case IR_GE: return a >= b;
    case IR_BEFORE: return ref_before(a, b);
    case IR_IS_NAN: return isnan(a);
    default: fail_msg("no reference for %s of floats", ops[kind].name); return 0;
    }
}

static double ref_exact(IrKind kind, double a, double b) {
    double m = fmod(a, b);
    switch (kind) {
    case IR_MOD: return m;
    case IR_FMOD:
        if (m == 0)
            return copysign(0, b);
        return (m < 0 && b > 0) || (m > 0 && b < 0) ? m + b : m;
    case IR_NEG: return -a;
    case IR_MIN: return ref_least(true, a, b);
    case IR_MAX: return ref_least(false, a, b);
    case IR_ABS: return fabs(a);
    case IR_SIGN: return isnan(a) ? a : (a > 0) - (a < 0);
    case IR_FLOOR: return floor(a);
    case IR_CEIL: return ceil(a);
    case IR_ROUND: return rint(a);
    case IR_TRUNC: return trunc(a);
    case IR_SCALE: return isnan(b) ? b : ldexp(a, (int)fmax(fmin(b, 1e4), -1e4));
    default: return 0;
    }
}

/* Arithmetic in f32; halves are computed so, too. */
static float ref_f32(IrKind kind, float a, float b, float c) {
    switch (kind) {
    case IR_ADD: return a + b;
    case IR_SUB: return a - b;
    case IR_MUL: return a * b;
    case IR_DIV: return a / b;
    case IR_FDIV: return floorf(a / b);
    case IR_FMA: return fmaf(a, b, c);
    case IR_SQRT: return sqrtf(a);
    case IR_RSQRT: return 1 / sqrtf(a);
    default: break;
    }
    return (float)ref_exact(kind, a, b);
}

static double ref_f64(IrKind kind, double a, double b, double c) {
    switch (kind) {
    case IR_ADD: return a + b;
    case IR_SUB: return a - b;
    case IR_MUL: return a * b;
    case IR_DIV: return a / b;
    case IR_FDIV: return floor(a / b);
    case IR_FMA: return fma(a, b, c);
    case IR_SQRT: return sqrt(a);
    case IR_RSQRT: return 1 / sqrt(a);
    default: break;
    }
    return ref_exact(kind, a, b);
}

static uint64_t ref_float(IrKind kind, TypeKind t, const uint64_t *bits) {
    double a = float_of(t, bits[0]), b = float_of(t, bits[1]), c = float_of(t, bits[2]);
    if (ops[kind].gives_bool)
        return ref_compare(kind, a, b);
    if (t == TYPE_F64)
        return float_bits(t, ref_f64(kind, a, b, c));
    return float_bits(t, ref_f32(kind, (float)a, (float)b, (float)c));
}

typedef struct {
    IrKind kind;
    TypeKind result, args[3];
} Case;

static uint64_t reference(const Case *c, const uint64_t *bits) {
    if (c->kind == IR_SELECT)
        return bits[0] ? bits[1] : bits[2];
    if (c->kind == IR_CONVERT)
        return convert(c->result, c->args[0], bits[0]);
    if (c->kind == IR_BITS || c->kind == IR_RARE)
        return bits[0];
    return is_float(c->args[0]) ? ref_float(c->kind, c->args[0], bits)
                                : ref_int(c->kind, c->args[0], c->args[1], bits);
}

/* ---- values ---- */

enum { MAX_VALUES = 44 };

static int edge_values(TypeKind t, uint64_t *out) {
    static const double floats[] = {
        0.0, -0.0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3, 7, -7, 10.25, 0.1, -0.3, 1e-3, 65504, 65519,
        65520, 1e5, -3e4, 5.9604644775390625e-8, 3e-8, 6.2e-5, 2147483648.0, 4294967296.0, 9.3e18,
        -9.3e18, 3.4e38, 1e-40, 1e300, 5e-324, INFINITY, -INFINITY, NAN, 127.6, 255.5, 16777217.0,
        -140, -1066, 0x1.00200000001p0, 0x1.0100000001p0, -0x1.00dffffffffp0, 0x1.004p-15};
    static const int64_t ints[] = {
        0, 1, 2, 3, 5, 7, 10, 63, 64, 100, 127, 128, 255, 256, 32767, 32768, 65535, 65536,
        INT32_MAX, 1LL << 31, UINT32_MAX, 1LL << 53, (1LL << 53) + 1, INT64_MAX, INT64_MIN,
        -1, -2, -3, -7, -64, -128, -32768, INT32_MIN, (1LL << 62) + 1, 65519, 65521,
        (1LL << 62) + (1LL << 54) + 1, -(1LL << 62) - (3LL << 54) + 1, (1 << 30) + (1 << 22) + 1};
    int n = is_float(t) ? ARRAY_LEN(floats) : t == TYPE_BOOL ? 2 : ARRAY_LEN(ints);
    for (int k = 0; k < n; k++)
        out[k] = is_float(t) ? float_bits(t, floats[k]) : int_bits(t, ints[k]);
    return n;
}

/* Operands that the caller of the op rules out. */
static bool excluded(const Case *c, const uint64_t *bits) {
    if (c->kind == IR_SCALE) {
        double x = float_of(c->args[0], bits[0]), k = float_of(c->args[1], bits[1]);
        bool in_range = x == 0 || isinf(x) || (fabs(x) >= 0x1p-60 && fabs(x) <= 0x1p60);
        return isinf(k) || (!isnan(x) && (!in_range || k != trunc(k)));
    }
    if (is_float(c->args[0]))
        return false;
    if (c->kind == IR_DIV || c->kind == IR_MOD || c->kind == IR_FDIV || c->kind == IR_FMOD)
        return bits[1] == 0;
    return c->kind == IR_POW && int_of(c->args[1], bits[1]) < 0;
}

/* ---- cases ---- */

enum { MAX_CASES = 4096 };

static int list_cases(Case *out) {
    int n = 0;
    for (IrKind kind = IR_ADD; kind <= IR_BITS; kind++)
        for (TypeKind t = 0; t < TYPE_STRING; t++) {
            if (!takes(kind, t))
                continue;
            if (kind == IR_SELECT) {
                out[n++] = (Case){kind, t, {TYPE_BOOL, t, t}};
            } else if (kind == IR_CONVERT || kind == IR_BITS) {
                for (TypeKind to = 0; to < TYPE_STRING; to++)
                    if (kind == IR_CONVERT || width_of(to) == width_of(t))
                        out[n++] = (Case){kind, to, {t}};
            } else if (kind == IR_SHL || kind == IR_SHR || (kind == IR_POW && !is_float(t))) {
                for (TypeKind to = TYPE_I8; to <= TYPE_U64; to++)
                    out[n++] = (Case){kind, t, {t, to}};
            } else {
                out[n++] = (Case){kind, ops[kind].gives_bool ? TYPE_BOOL : t, {t, t, t}};
            }
        }
    return n;
}

/* ---- rows ---- */

enum { BLOCK = 16 }; /* the number of rows is a multiple of it */

/* Packed operands and wanted results of one case. */
typedef struct {
    char args[3][MAX_VALUES * MAX_VALUES * 8 * 2];
    uint64_t bits[MAX_VALUES * MAX_VALUES * 2][3];
    char out[MAX_VALUES * MAX_VALUES * 8 * 2];
    int n;
} Rows;

static void add_row(const Case *c, Rows *rows, const uint64_t *bits) {
    if (excluded(c, bits))
        return;
    for (int k = 0; k < ops[c->kind].arity; k++) {
        int bytes = kinds[c->args[k]].bytes;
        memcpy(rows->args[k] + rows->n * bytes, &bits[k], (size_t)bytes);
    }
    memcpy(rows->bits[rows->n++], bits, 3 * sizeof *bits);
}

static void make_rows(const Case *c, Rows *rows) {
    uint64_t values[3][MAX_VALUES] = {{0}};
    int counts[3] = {1, 1, 1}, arity = ops[c->kind].arity;
    rows->n = 0;
    for (int k = 0; k < arity; k++)
        counts[k] = edge_values(c->args[k], values[k]);
    for (int i = 0; i < counts[0]; i++)
        for (int j = 0; j < counts[1]; j++) {
            int third = (i * 7 + j * 3) % counts[2];
            add_row(c, rows, (uint64_t[]){values[0][i], values[1][j], values[2][third]});
        }
    while (rows->n % BLOCK)
        add_row(c, rows, rows->bits[rows->n - 1]);
}

static bool same(TypeKind t, uint64_t a, uint64_t b) {
    return a == b || (is_float(t) && isnan(float_of(t, a)) && isnan(float_of(t, b)));
}

/* Compares out with what the reference says and reports some differences. */
static int count_wrong(const Case *c, const Rows *rows, const char *how) {
    int size = kinds[c->result].bytes, wrong = 0;
    for (int i = 0; i < rows->n; i++) {
        uint64_t got = 0, want = reference(c, rows->bits[i]);
        memcpy(&got, rows->out + i * size, (size_t)size);
        if (same(c->result, got, want) || wrong++ > 2)
            continue;
        print_error("%s %s %s -> %s, %s: (%#llx, %#llx, %#llx) gives %#llx, not %#llx\n",
                    ops[c->kind].name, kinds[c->args[0]].name, kinds[c->args[1]].name,
                    kinds[c->result].name, how, (long long)rows->bits[i][0],
                    (long long)rows->bits[i][1], (long long)rows->bits[i][2], (long long)got,
                    (long long)want);
    }
    return wrong;
}

#endif
