/* Scalar ops on constants, bit for bit as they come out at run time. What has no single answer on
   every device (NaN payloads, transcendental functions, 16-bit float arithmetic) and what faults is
   left to run time. */
#include "ir_build.h"

#include <math.h>
#include <string.h>

/* ---- floats as bits ---- */

/* Rounds to a binary format with `mant` stored mantissa bits and `bits` in all, halves to even. */
static int64_t narrow_float(double value, int bits, int mant) {
    int exp_bits = bits - 1 - mant, bias = (1 << (exp_bits - 1)) - 1;
    int64_t sign = (int64_t)signbit(value) << (bits - 1);
    int64_t inf = (((int64_t)1 << exp_bits) - 1) << mant;
    if (isnan(value))
        return inf | (int64_t)1 << (mant - 1);
    value = fabs(value);
    if (isinf(value))
        return sign | inf;
    int exp;
    frexp(value, &exp); /* value = m * 2^exp with 0.5 <= m < 1 */
    int scale = exp - 1 < 1 - bias ? 1 - bias : exp - 1;
    int64_t units = (int64_t)rint(ldexp(value, mant - scale));   /* exact but for this rounding */
    int64_t out = ((int64_t)(scale + bias - 1) << mant) + units; /* a carry raises the exponent */
    if (units < (int64_t)1 << mant)
        out = units; /* subnormal or zero */
    return sign | (out > inf ? inf : out);
}

static double widen_float(int64_t stored, int bits, int mant) {
    int exp_bits = bits - 1 - mant, bias = (1 << (exp_bits - 1)) - 1;
    int64_t fraction = stored & (((int64_t)1 << mant) - 1);
    int64_t exp = (stored >> mant) & (((int64_t)1 << exp_bits) - 1);
    double value;
    if (exp == ((int64_t)1 << exp_bits) - 1)
        value = fraction ? (double)NAN : (double)INFINITY;
    else if (exp == 0)
        value = ldexp((double)fraction, 1 - bias - mant);
    else
        value = ldexp((double)(fraction | (int64_t)1 << mant), (int)exp - bias - mant);
    return stored >> (bits - 1) & 1 ? -value : value;
}

static int64_t f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float f32_value(int64_t bits) {
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

static int64_t f64_bits(double value) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static double f64_value(int64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

int64_t ir_float_bits(TypeKind kind, double value) {
    switch (kind) {
    case TYPE_F16: return narrow_float(value, 16, 10);
    case TYPE_BF16: return narrow_float(value, 16, 7);
    case TYPE_F32: return f32_bits((float)value);
    case TYPE_F64: return f64_bits(value);
    default: UNREACHABLE();
    }
}

double ir_float_value(TypeKind kind, int64_t bits) {
    switch (kind) {
    case TYPE_F16: return widen_float(bits, 16, 10);
    case TYPE_BF16: return widen_float(bits, 16, 7);
    case TYPE_F32: return (double)f32_value(bits);
    case TYPE_F64: return f64_value(bits);
    default: UNREACHABLE();
    }
}

/* ---- kinds ---- */

static const struct {
    int bytes, flags;
} basics[TYPE_KIND_COUNT] = {
#define TYPE(id, spelling, bytes, flags, doc) [TYPE_##id] = {bytes, flags},
#include "../lang/types.def"
};

static bool is_int(TypeKind kind) {
    return basics[kind].flags & TYF_INT;
}

static bool is_float(TypeKind kind) {
    return basics[kind].flags & TYF_FLOAT;
}

static bool is_signed(TypeKind kind) {
    return (basics[kind].flags & TYF_SIGNED) || kind == TYPE_DURATION;
}

bool ir_is_intlike(TypeKind kind) {
    return is_int(kind) || kind == TYPE_BOOL || kind == TYPE_HLC || kind == TYPE_DURATION;
}

static int width_of(TypeKind kind) {
    return 8 * basics[kind].bytes;
}

int64_t ir_wrap(TypeKind kind, int64_t value) {
    if (kind == TYPE_BOOL)
        return value != 0;
    int unused = 64 - width_of(kind);
    if (unused == 0)
        return value;
    uint64_t top = (uint64_t)value << unused;
    return is_signed(kind) ? (int64_t)top >> unused : (int64_t)(top >> unused);
}

/* ---- literals ---- */

static int64_t int_as(TypeKind kind, int64_t value) {
    if (kind == TYPE_F32)
        return f32_bits((float)value);
    return is_float(kind) ? ir_float_bits(kind, (double)value) : ir_wrap(kind, value);
}

void ir_settle_literal(IrOp *op) {
    Type *type = ir_follow(op->type);
    bool scalar = is_float(type->kind) || ir_is_intlike(type->kind);
    if (op->imm2 == LITERAL_INT && scalar)
        op->imm = int_as(type->kind, op->imm);
    if (op->imm2 == LITERAL_FLOAT && is_float(type->kind))
        op->imm = ir_float_bits(type->kind, f64_value(op->imm));
    if (type->kind != TYPE_VAR)
        op->imm2 = 0;
}

bool ir_const_bits(const IrFunc *f, IrId id, int64_t *bits) {
    IrOp op = *ir_op(f, id);
    if (op.kind != IR_CONST || ir_follow(op.type)->kind == TYPE_VAR)
        return false;
    ir_settle_literal(&op);
    *bits = op.imm;
    return true;
}

bool ir_const_int(const IrFunc *f, IrId id, int64_t *value) {
    const IrOp *op = ir_op(f, id);
    if (op->kind != IR_CONST)
        return false;
    Type *type = ir_follow(op->type);
    if (type->kind == TYPE_VAR && type->var != VAR_FLOAT && op->imm2 == LITERAL_INT) {
        *value = op->imm;
        return true;
    }
    return ir_is_intlike(type->kind) && ir_const_bits(f, id, value);
}

/* ---- integers ---- */

static bool int_before(TypeKind kind, int64_t a, int64_t b) {
    return is_signed(kind) ? a < b : (uint64_t)a < (uint64_t)b;
}

static bool divide(IrKind op, TypeKind kind, int64_t a, int64_t b, int64_t *out) {
    if (b == 0)
        return false;
    if (!is_signed(kind)) {
        bool quotient = op == IR_DIV || op == IR_FDIV;
        *out = (int64_t)(quotient ? (uint64_t)a / (uint64_t)b : (uint64_t)a % (uint64_t)b);
        return true;
    }
    int64_t q = b == -1 ? (int64_t)(0 - (uint64_t)a) : a / b;
    int64_t r = b == -1 ? 0 : a % b;
    bool below = r != 0 && (r < 0) != (b < 0);
    switch (op) {
    case IR_DIV: *out = q; break;
    case IR_MOD: *out = r; break;
    case IR_FDIV: *out = q - below; break;
    case IR_FMOD: *out = below ? r + b : r; break;
    default: UNREACHABLE();
    }
    return true;
}

static bool int_power(int64_t a, IrConst exponent, int64_t *out) {
    if (is_signed(exponent.kind) && exponent.bits < 0)
        return false;
    uint64_t power = 1, base = (uint64_t)a;
    for (uint64_t n = (uint64_t)exponent.bits; n; n >>= 1, base *= base)
        if (n & 1)
            power *= base;
    *out = (int64_t)power;
    return true;
}

static bool shift(IrKind op, TypeKind kind, int64_t a, IrConst by, int64_t *out) {
    bool negative = is_signed(by.kind) && by.bits < 0;
    if (negative && op == IR_SHR)
        return false;
    bool all = negative || (uint64_t)by.bits >= (uint64_t)width_of(kind);
    if (op == IR_SHL)
        *out = all ? 0 : (int64_t)((uint64_t)a << by.bits);
    else if (is_signed(kind))
        *out = a >> (all ? 63 : by.bits);
    else
        *out = all ? 0 : (int64_t)((uint64_t)a >> by.bits);
    return true;
}

static int64_t count_bits(IrKind op, TypeKind kind, int64_t a) {
    int width = width_of(kind);
    uint64_t bits = (uint64_t)a & (width == 64 ? ~(uint64_t)0 : ((uint64_t)1 << width) - 1);
    if (op == IR_POPCOUNT)
        return __builtin_popcountll(bits);
    if (!bits)
        return width;
    return op == IR_CTZ ? __builtin_ctzll(bits) : __builtin_clzll(bits) - (64 - width);
}

static bool eval_int(IrKind op, const IrConst *args, int64_t *out) {
    TypeKind kind = args[0].kind;
    int64_t a = args[0].bits, b = args[1].bits;
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case IR_ADD: *out = (int64_t)(ua + ub); break;
    case IR_SUB: *out = (int64_t)(ua - ub); break;
    case IR_MUL: *out = (int64_t)(ua * ub); break;
    case IR_FMA: *out = (int64_t)(ua * ub + (uint64_t)args[2].bits); break;
    case IR_DIV:
    case IR_MOD:
    case IR_FDIV:
    case IR_FMOD: return divide(op, kind, a, b, out);
    case IR_POW: return int_power(a, args[1], out);
    case IR_NEG: *out = (int64_t)(0 - ua); break;
    case IR_BITAND: *out = a & b; break;
    case IR_BITOR: *out = a | b; break;
    case IR_BITXOR: *out = a ^ b; break;
    case IR_BITNOT: *out = kind == TYPE_BOOL ? !a : ~a; break;
    case IR_SHL:
    case IR_SHR: return shift(op, kind, a, args[1], out);
    case IR_EQ: *out = a == b; break;
    case IR_NE: *out = a != b; break;
    case IR_LT:
    case IR_BEFORE: *out = int_before(kind, a, b); break;
    case IR_LE: *out = !int_before(kind, b, a); break;
    case IR_GT: *out = int_before(kind, b, a); break;
    case IR_GE: *out = !int_before(kind, a, b); break;
    case IR_MIN: *out = int_before(kind, b, a) ? b : a; break;
    case IR_MAX: *out = int_before(kind, a, b) ? b : a; break;
    case IR_ABS: *out = is_signed(kind) && a < 0 ? (int64_t)(0 - ua) : a; break;
    case IR_SIGN: *out = is_signed(kind) && a < 0 ? -1 : a != 0; break;
    case IR_FLOOR:
    case IR_CEIL:
    case IR_ROUND:
    case IR_TRUNC: *out = a; break;
    case IR_POPCOUNT:
    case IR_CLZ:
    case IR_CTZ: *out = count_bits(op, kind, a); break;
    default: return false;
    }
    return true;
}

/* ---- floats ---- */

static bool compare_floats(IrKind op, double a, double b, int64_t *out) {
    switch (op) {
    case IR_EQ: *out = a == b; return true;
    case IR_NE: *out = a != b; return true;
    case IR_LT: *out = a < b; return true;
    case IR_LE: *out = a <= b; return true;
    case IR_GT: *out = a > b; return true;
    case IR_GE: *out = a >= b; return true;
    case IR_IS_NAN: *out = isnan(a); return true;
    case IR_BEFORE:
        *out = isnan(a) ? false : isnan(b) ? true : a < b || (a == b && signbit(a) && !signbit(b));
        return true;
    default: return false;
    }
}

static double pick(IrKind op, double a, double b) {
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    bool a_first = a < b || (a == b && signbit(a));
    return (op == IR_MIN) == a_first ? a : b;
}

/* Ops that are exact, so that the precision they are done in does not matter. */
static bool exact_float(IrKind op, double a, double b, double *out) {
    switch (op) {
    case IR_NEG: *out = -a; return true;
    case IR_ABS: *out = fabs(a); return true;
    case IR_FLOOR: *out = floor(a); return true;
    case IR_CEIL: *out = ceil(a); return true;
    case IR_ROUND: *out = rint(a); return true;
    case IR_TRUNC: *out = trunc(a); return true;
    case IR_MIN:
    case IR_MAX: *out = pick(op, a, b); return true;
    case IR_MOD: *out = fmod(a, b); return true;
    case IR_SIGN: *out = a < 0 ? -1 : 1; return a != 0;
    default: return false;
    }
}

/* x * 2^k; beyond these exponents nothing changes any more. */
static double scale(double x, double k) {
    return ldexp(x, (int)fmax(fmin(k, 3000), -3000));
}

static bool eval_f32(IrKind op, float a, float b, float c, float *out) {
    switch (op) {
    case IR_ADD: *out = a + b; return true;
    case IR_SUB: *out = a - b; return true;
    case IR_MUL: *out = a * b; return true;
    case IR_DIV: *out = a / b; return true;
    case IR_SQRT: *out = sqrtf(a); return true;
    case IR_FMA: *out = fmaf(a, b, c); return true;
    case IR_SCALE: *out = (float)scale((double)a, (double)b); return true;
    default: return false;
    }
}

static bool eval_f64(IrKind op, double a, double b, double c, double *out) {
    switch (op) {
    case IR_ADD: *out = a + b; return true;
    case IR_SUB: *out = a - b; return true;
    case IR_MUL: *out = a * b; return true;
    case IR_DIV: *out = a / b; return true;
    case IR_SQRT: *out = sqrt(a); return true;
    case IR_FMA: *out = fma(a, b, c); return true;
    case IR_SCALE: *out = scale(a, b); return true;
    default: return false;
    }
}

static bool eval_float(IrKind op, const IrConst *args, int64_t *out) {
    TypeKind kind = args[0].kind;
    double v[3], result = 0;
    for (int i = 0; i < 3; i++)
        v[i] = args[i].kind == kind ? ir_float_value(kind, args[i].bits) : 0;
    if (compare_floats(op, v[0], v[1], out))
        return true;
    if (isnan(v[0]) || isnan(v[1]) || isnan(v[2]))
        return false; /* whose payload survives differs */
    bool done = exact_float(op, v[0], v[1], &result);
    if (!done && kind == TYPE_F32) {
        float narrow = 0;
        done = eval_f32(op, (float)v[0], (float)v[1], (float)v[2], &narrow);
        if (done)
            result = (double)narrow;
    }
    if (!done && kind == TYPE_F64)
        done = eval_f64(op, v[0], v[1], v[2], &result);
    if (!done || isnan(result))
        return false;
    *out = ir_float_bits(kind, result);
    return true;
}

/* ---- conversions ---- */

static int64_t float_to_int(TypeKind to, double value) {
    if (isnan(value))
        return 0;
    value = trunc(value);
    int width = width_of(to);
    double above = ldexp(1, is_signed(to) ? width - 1 : width);
    double least = is_signed(to) ? -above : 0;
    if (value <= least)
        return ir_wrap(to, is_signed(to) ? (int64_t)((uint64_t)-1 << (width - 1)) : 0);
    if (value >= above)
        return is_signed(to) ? (int64_t)(((uint64_t)1 << (width - 1)) - 1) : ir_wrap(to, -1);
    return ir_wrap(to, is_signed(to) ? (int64_t)value : (int64_t)(uint64_t)value);
}

static bool int_to_float(TypeKind to, IrConst from, int64_t *out) {
    bool fits = from.bits >= -((int64_t)1 << 53) && from.bits <= (int64_t)1 << 53;
    if (!is_signed(from.kind) && from.bits < 0) { /* a large u64 */
        if (to != TYPE_F32 && to != TYPE_F64)
            return false;
        *out = to == TYPE_F32 ? f32_bits((float)(uint64_t)from.bits)
                              : f64_bits((double)(uint64_t)from.bits);
        return true;
    }
    if (!fits && to != TYPE_F32 && to != TYPE_F64)
        return false; /* would round twice */
    *out = int_as(to, from.bits);
    return true;
}

static bool convert(TypeKind to, IrConst from, int64_t *out) {
    if (ir_is_intlike(from.kind) && ir_is_intlike(to)) {
        *out = ir_wrap(to, from.bits);
        return true;
    }
    if (ir_is_intlike(from.kind))
        return is_float(to) && int_to_float(to, from, out);
    if (!is_float(from.kind))
        return false;
    double value = ir_float_value(from.kind, from.bits);
    if (to == TYPE_BOOL) {
        *out = value != 0;
        return true;
    }
    if (is_float(to)) {
        *out = ir_float_bits(to, value);
        return !isnan(value);
    }
    *out = ir_is_intlike(to) ? float_to_int(to, value) : 0;
    return ir_is_intlike(to);
}

static int64_t reinterpret(TypeKind to, IrConst from) {
    if (ir_is_intlike(to))
        return ir_wrap(to, from.bits);
    int width = width_of(to);
    return width == 64 ? from.bits : from.bits & (((int64_t)1 << width) - 1);
}

bool ir_eval(IrKind op, TypeKind result, const IrConst *args, int nargs, int64_t *bits) {
    IrConst all[3] = {{TYPE_POISON, 0}, {TYPE_POISON, 0}, {TYPE_POISON, 0}};
    for (int i = 0; i < nargs && i < 3; i++)
        all[i] = args[i];
    if (op == IR_CONVERT)
        return convert(result, all[0], bits);
    if (op == IR_BITS) {
        *bits = reinterpret(result, all[0]);
        return true;
    }
    if (op == IR_SELECT) {
        *bits = all[0].bits ? all[1].bits : all[2].bits;
        return true;
    }
    if (ir_is_intlike(all[0].kind)) {
        if (!eval_int(op, all, bits))
            return false;
        *bits = ir_wrap(result, *bits);
        return true;
    }
    return is_float(all[0].kind) && (op != IR_POW) && eval_float(op, all, bits);
}
