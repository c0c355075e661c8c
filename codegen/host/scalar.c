/* Scalar ops as LLVM code; see scalar.h for how values look. What the LLVM column of lang/ops.def
   says is emitted from the table; SPECIAL ops have a function each. f16 and bf16 are computed in
   f32 and rounded after every op.

   Everything is branch-free but integer powers (a loop) and libm's fmod on vectors (a call of a helper
   function that loops over the active lanes). */
#include "scalar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define B (s->builder)

/* ---- tables ---- */

typedef enum { HOW_NONE, HOW_SPECIAL, HOW_BIN, HOW_CMP, HOW_INTR } How;
typedef struct {
    How how;
    int on_signed, on_unsigned, on_float; /* BIN: LLVMOpcode; CMP: predicates */
    const char *name;                     /* INTR */
    int arity;
} Row;

static const Row rows[IR_KIND_COUNT] = {
#define BIN(si, ui, fl)                                                                            \
    .how = HOW_BIN, .on_signed = LLVM##si, .on_unsigned = LLVM##ui, .on_float = LLVM##fl
#define CMP(si, ui, fl)                                                                            \
    .how = HOW_CMP, .on_signed = LLVMInt##si, .on_unsigned = LLVMInt##ui, .on_float = LLVMReal##fl
#define INTR(text)       .how = HOW_INTR, .name = "llvm." #text
#define MATH(file)       .how = HOW_SPECIAL
#define SPECIAL          .how = HOW_SPECIAL
#define OP(id, text, n, result, flags, cuda, llvm, doc) [IR_##id] = {llvm, .arity = n},
#include "../../lang/ops.def"
#undef BIN
#undef CMP
#undef INTR
#undef MATH
#undef SPECIAL
};

static const struct {
    int bytes, flags;
} basics[] = {
#define TYPE(id, spelling, size, typeflags, doc) [TYPE_##id] = {size, typeflags},
#include "../../lang/types.def"
};

static int bits_of(const Type *t) {
    assert(t->kind < TYPE_STRING);
    return t->kind == TYPE_BOOL ? 1 : basics[t->kind].bytes * 8;
}

static bool is_float(const Type *t) {
    return basics[t->kind].flags & TYF_FLOAT;
}

static bool is_signed(const Type *t) {
    return basics[t->kind].flags & TYF_SIGNED || t->kind == TYPE_DURATION;
}

static bool is_half(const Type *t) {
    return t->kind == TYPE_F16 || t->kind == TYPE_BF16;
}

static const Type type_f32 = {.kind = TYPE_F32}, type_f64 = {.kind = TYPE_F64};
static const Type type_i64 = {.kind = TYPE_I64}, type_u64 = {.kind = TYPE_U64};

/* ---- types and constants ---- */

static LLVMTypeRef widen(LLVMTypeRef type, int lanes) {
    return lanes > 1 ? LLVMVectorType(type, (unsigned)lanes) : type;
}

static LLVMTypeRef int_type(const Scalar *s, int bits, int lanes) {
    return widen(LLVMIntTypeInContext(s->context, (unsigned)bits), lanes);
}

LLVMTypeRef scalar_type(const Scalar *s, const Type *type, int lanes) {
    switch (type->kind) {
    case TYPE_F32: return widen(LLVMFloatTypeInContext(s->context), lanes);
    case TYPE_F64: return widen(LLVMDoubleTypeInContext(s->context), lanes);
    default: return int_type(s, bits_of(type), lanes);
    }
}

LLVMTypeRef scalar_memory_type(const Scalar *s, const Type *type, int lanes) {
    return type->kind == TYPE_BOOL ? int_type(s, 8, lanes) : scalar_type(s, type, lanes);
}

bool scalar_is_vector(LLVMValueRef value) {
    return LLVMGetTypeKind(LLVMTypeOf(value)) == LLVMVectorTypeKind;
}

static int lanes_of(LLVMValueRef value) {
    return scalar_is_vector(value) ? (int)LLVMGetVectorSize(LLVMTypeOf(value)) : 1;
}

/* The integer type of value's shape. */
static LLVMTypeRef ints_like(const Scalar *s, LLVMValueRef value, int bits) {
    return int_type(s, bits, lanes_of(value));
}

LLVMValueRef scalar_to_memory(Scalar *s, const Type *type, LLVMValueRef value) {
    if (type->kind != TYPE_BOOL)
        return value;
    return LLVMBuildZExt(B, value, ints_like(s, value, 8), "");
}

LLVMValueRef scalar_from_memory(Scalar *s, const Type *type, LLVMValueRef value) {
    if (type->kind != TYPE_BOOL)
        return value;
    return LLVMBuildTrunc(B, value, ints_like(s, value, 1), "");
}

LLVMValueRef scalar_const(const Scalar *s, const Type *type, int64_t bits) {
    LLVMTypeRef word = int_type(s, bits_of(type), 1);
    uint64_t low = (uint64_t)bits;
    int width = bits_of(type);
    if (width < 64)
        low &= ((uint64_t)1 << width) - 1;
    LLVMValueRef value = LLVMConstInt(word, low, false);
    return is_float(type) ? LLVMConstBitCast(value, scalar_type(s, type, 1)) : value;
}

LLVMValueRef scalar_splat(Scalar *s, LLVMValueRef value, int lanes) {
    if (lanes == 1 || scalar_is_vector(value))
        return value;
    LLVMTypeRef type = widen(LLVMTypeOf(value), lanes);
    LLVMValueRef zero = LLVMConstInt(LLVMInt32TypeInContext(s->context), 0, false);
    LLVMValueRef first = LLVMBuildInsertElement(B, LLVMGetPoison(type), value, zero, "");
    return LLVMBuildShuffleVector(B, first, LLVMGetPoison(type),
                                  LLVMConstNull(int_type(s, 32, lanes)), "splat");
}

/* A constant of value's type. */
static LLVMValueRef const_like(Scalar *s, LLVMValueRef value, int64_t number) {
    LLVMTypeRef type = LLVMTypeOf(value);
    int lanes = lanes_of(value);
    LLVMTypeRef elem = lanes > 1 ? LLVMGetElementType(type) : type;
    bool is_int = LLVMGetTypeKind(elem) == LLVMIntegerTypeKind;
    LLVMValueRef one = is_int ? LLVMConstInt(elem, (unsigned long long)number, true)
                              : LLVMConstReal(elem, (double)number);
    return scalar_splat(s, one, lanes);
}

/* ---- small builders ---- */

static LLVMValueRef intrinsic(Scalar *s, const char *name, LLVMTypeRef *over, int nover,
                              LLVMValueRef *args, int nargs) {
    unsigned id = LLVMLookupIntrinsicID(name, strlen(name));
    assert(id);
    LLVMValueRef fn = LLVMGetIntrinsicDeclaration(s->module, id, over, (size_t)nover);
    LLVMTypeRef type = LLVMIntrinsicGetType(s->context, id, over, (size_t)nover);
    return LLVMBuildCall2(B, type, fn, args, (unsigned)nargs, "");
}

static LLVMValueRef intrinsic_like(Scalar *s, const char *name, LLVMValueRef *args, int nargs) {
    LLVMTypeRef type = LLVMTypeOf(args[0]);
    return intrinsic(s, name, &type, 1, args, nargs);
}

/* llvm.abs, ctlz and cttz: with a flag that asks for a defined result everywhere. */
static LLVMValueRef intrinsic_defined(Scalar *s, const char *name, LLVMValueRef a) {
    LLVMValueRef args[] = {a, LLVMConstInt(LLVMInt1TypeInContext(s->context), 0, false)};
    return intrinsic_like(s, name, args, 2);
}

static LLVMValueRef select_of(Scalar *s, LLVMValueRef cond, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildSelect(B, cond, a, b, "");
}

static LLVMValueRef icmp(Scalar *s, LLVMIntPredicate p, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildICmp(B, p, a, b, "");
}

static LLVMValueRef fcmp(Scalar *s, LLVMRealPredicate p, LLVMValueRef a, LLVMValueRef b) {
    return LLVMBuildFCmp(B, p, a, b, "");
}

static LLVMValueRef is_nan(Scalar *s, LLVMValueRef a) {
    return fcmp(s, LLVMRealUNO, a, a);
}

/* The bits of a float, and back. */
static LLVMValueRef to_bits(Scalar *s, const Type *t, LLVMValueRef a) {
    return LLVMBuildBitCast(B, a, ints_like(s, a, bits_of(t)), "");
}

static LLVMValueRef of_bits(Scalar *s, const Type *t, LLVMValueRef a) {
    return LLVMBuildBitCast(B, a, scalar_type(s, t, lanes_of(a)), "");
}

/* a op constant, on integers. */
static LLVMValueRef with(Scalar *s, LLVMOpcode op, LLVMValueRef a, int64_t number) {
    return LLVMBuildBinOp(B, op, a, const_like(s, a, number), "");
}

static LLVMValueRef is(Scalar *s, LLVMIntPredicate p, LLVMValueRef a, int64_t number) {
    return icmp(s, p, a, const_like(s, a, number));
}

/* ---- f16 and bf16 ---- */

static LLVMValueRef bf16_to_f32(Scalar *s, LLVMValueRef a) {
    LLVMValueRef wide = LLVMBuildZExt(B, a, ints_like(s, a, 32), "");
    return of_bits(s, &type_f32, with(s, LLVMShl, wide, 16));
}

static LLVMValueRef f32_to_bf16(Scalar *s, LLVMValueRef a) {
    LLVMValueRef u = to_bits(s, &type_f32, a);
    LLVMValueRef odd = with(s, LLVMAnd, with(s, LLVMLShr, u, 16), 1);
    LLVMValueRef rounded = LLVMBuildAdd(B, with(s, LLVMAdd, u, 0x7fff), odd, "");
    LLVMValueRef quiet = with(s, LLVMOr, u, 0x400000);
    LLVMValueRef all = select_of(s, is_nan(s, a), quiet, rounded);
    return LLVMBuildTrunc(B, with(s, LLVMLShr, all, 16), ints_like(s, a, 16), "");
}

/* By arithmetic: exponent and mantissa move to their places; a subnormal is renormalised by a
   float subtraction. */
static LLVMValueRef f16_to_f32_soft(Scalar *s, LLVMValueRef a) {
    LLVMValueRef h = LLVMBuildZExt(B, a, ints_like(s, a, 32), "");
    LLVMValueRef moved = with(s, LLVMShl, with(s, LLVMAnd, h, 0x7fff), 13);
    LLVMValueRef exponent = with(s, LLVMAnd, moved, 0x7c00 << 13);
    LLVMValueRef normal = with(s, LLVMAdd, moved, (127 - 15) << 23);
    LLVMValueRef special = with(s, LLVMAdd, normal, (128 - 16) << 23);
    LLVMValueRef small = of_bits(s, &type_f32, with(s, LLVMAdd, normal, 1 << 23));
    LLVMValueRef magic = of_bits(s, &type_f32, const_like(s, h, 113 << 23));
    small = to_bits(s, &type_f32, LLVMBuildFSub(B, small, magic, ""));
    LLVMValueRef size = select_of(s, is(s, LLVMIntEQ, exponent, 0x7c00 << 13), special, normal);
    size = select_of(s, is(s, LLVMIntEQ, exponent, 0), small, size);
    LLVMValueRef sign = with(s, LLVMShl, with(s, LLVMAnd, h, 0x8000), 16);
    return of_bits(s, &type_f32, LLVMBuildOr(B, size, sign, ""));
}

/* The reverse: a float addition rounds what becomes subnormal, an integer one the rest. */
static LLVMValueRef f32_to_f16_soft(Scalar *s, LLVMValueRef a) {
    const int64_t infinity = 255LL << 23, least_normal = 113LL << 23, too_large = 143LL << 23;
    LLVMValueRef u = to_bits(s, &type_f32, a);
    LLVMValueRef sign = with(s, LLVMAnd, with(s, LLVMLShr, u, 16), 0x8000);
    LLVMValueRef size = with(s, LLVMAnd, u, 0x7fffffff);
    LLVMValueRef magic = const_like(s, u, ((127 - 15) + (23 - 10) + 1) << 23);
    LLVMValueRef small = LLVMBuildFAdd(B, of_bits(s, &type_f32, size),
                                       of_bits(s, &type_f32, magic), "");
    small = LLVMBuildSub(B, to_bits(s, &type_f32, small), magic, "");
    LLVMValueRef odd = with(s, LLVMAnd, with(s, LLVMLShr, size, 13), 1);
    LLVMValueRef normal = with(s, LLVMAdd, size, -((127 - 15LL) << 23) + 0xfff);
    normal = with(s, LLVMLShr, LLVMBuildAdd(B, normal, odd, ""), 13);
    LLVMValueRef out = select_of(s, is(s, LLVMIntULT, size, least_normal), small, normal);
    LLVMValueRef payload = with(s, LLVMAnd, with(s, LLVMLShr, size, 13), 0x3ff);
    LLVMValueRef nan = with(s, LLVMOr, payload, 0x7e00);
    out = select_of(s, is(s, LLVMIntUGE, size, too_large), const_like(s, u, 0x7c00), out);
    out = select_of(s, is(s, LLVMIntUGT, size, infinity), nan, out);
    return LLVMBuildTrunc(B, LLVMBuildOr(B, out, sign, ""), ints_like(s, a, 16), "");
}

static LLVMTypeRef halves_like(Scalar *s, LLVMValueRef a) {
    return widen(LLVMHalfTypeInContext(s->context), lanes_of(a));
}

static LLVMValueRef half_to_f32(Scalar *s, const Type *t, LLVMValueRef a) {
    if (t->kind == TYPE_BF16)
        return bf16_to_f32(s, a);
    if (!s->has_f16c)
        return f16_to_f32_soft(s, a);
    LLVMTypeRef f32 = scalar_type(s, &type_f32, lanes_of(a));
    return LLVMBuildFPExt(B, LLVMBuildBitCast(B, a, halves_like(s, a), ""), f32, "");
}

static LLVMValueRef half_of_f32(Scalar *s, const Type *t, LLVMValueRef a) {
    if (t->kind == TYPE_BF16)
        return f32_to_bf16(s, a);
    if (!s->has_f16c)
        return f32_to_f16_soft(s, a);
    LLVMValueRef h = LLVMBuildFPTrunc(B, a, halves_like(s, a), "");
    return LLVMBuildBitCast(B, h, ints_like(s, a, 16), "");
}

/* f64 to f32, rounding to odd: a second rounding to a shorter format is then correct. */
static LLVMValueRef f64_to_odd_f32(Scalar *s, LLVMValueRef a) {
    LLVMValueRef f = LLVMBuildFPTrunc(B, a, scalar_type(s, &type_f32, lanes_of(a)), "");
    LLVMValueRef back = LLVMBuildFPExt(B, f, LLVMTypeOf(a), "");
    LLVMValueRef u = to_bits(s, &type_f32, f);
    LLVMValueRef above = fcmp(s, LLVMRealOGT, intrinsic_like(s, "llvm.fabs", &back, 1),
                              intrinsic_like(s, "llvm.fabs", &a, 1));
    u = select_of(s, above, with(s, LLVMSub, u, 1), u);
    LLVMValueRef inexact = fcmp(s, LLVMRealONE, back, a);
    u = select_of(s, inexact, with(s, LLVMOr, u, 1), u);
    return of_bits(s, &type_f32, u);
}

/* ---- conversions ---- */

static LLVMValueRef int_to_int(Scalar *s, const Type *to, const Type *from, LLVMValueRef a) {
    LLVMTypeRef type = scalar_type(s, to, lanes_of(a));
    int have = bits_of(from), want = bits_of(to);
    if (want == 1)
        return is(s, LLVMIntNE, a, 0);
    if (want <= have)
        return want == have ? a : LLVMBuildTrunc(B, a, type, "");
    return is_signed(from) ? LLVMBuildSExt(B, a, type, "") : LLVMBuildZExt(B, a, type, "");
}

/* Keeps 53 significant bits of a 64-bit integer, the last one odd if any bit was lost. */
static LLVMValueRef squeeze(Scalar *s, const Type *from, LLVMValueRef a) {
    LLVMValueRef lost = is(s, LLVMIntNE, with(s, LLVMAnd, a, 0x7ff), 0);
    LLVMValueRef sticky = LLVMBuildZExt(B, lost, LLVMTypeOf(a), "");
    LLVMValueRef kept = with(s, LLVMAnd, a, -0x800);
    LLVMValueRef squeezed = LLVMBuildOr(B, kept, with(s, LLVMShl, sticky, 11), "");
    LLVMValueRef size = is_signed(from) ? intrinsic_defined(s, "llvm.abs", a) : a;
    return select_of(s, is(s, LLVMIntUGE, size, 1LL << 53), squeezed, a);
}

static LLVMValueRef int_to_float(Scalar *s, const Type *to, const Type *from, LLVMValueRef a) {
    if (is_half(to) && bits_of(from) > 16) {
        LLVMValueRef exact = bits_of(from) == 64 ? squeeze(s, from, a) : a;
        exact = int_to_float(s, &type_f64, from, exact);
        return half_of_f32(s, to, f64_to_odd_f32(s, exact));
    }
    const Type *via = is_half(to) ? &type_f32 : to;
    LLVMTypeRef type = scalar_type(s, via, lanes_of(a));
    LLVMValueRef f = is_signed(from) ? LLVMBuildSIToFP(B, a, type, "")
                                     : LLVMBuildUIToFP(B, a, type, "");
    return is_half(to) ? half_of_f32(s, to, f) : f;
}

static LLVMValueRef float_to_float(Scalar *s, const Type *to, const Type *from, LLVMValueRef a) {
    if (to->kind == from->kind)
        return a;
    if (is_half(from))
        return float_to_float(s, to, &type_f32, half_to_f32(s, from, a));
    if (is_half(to))
        return half_of_f32(s, to, from->kind == TYPE_F64 ? f64_to_odd_f32(s, a) : a);
    LLVMTypeRef type = scalar_type(s, to, lanes_of(a));
    return to->kind == TYPE_F64 ? LLVMBuildFPExt(B, a, type, "") : LLVMBuildFPTrunc(B, a, type, "");
}

static LLVMValueRef float_to_int(Scalar *s, const Type *to, const Type *from, LLVMValueRef a) {
    if (is_half(from))
        return float_to_int(s, to, &type_f32, half_to_f32(s, from, a));
    if (to->kind == TYPE_BOOL)
        return fcmp(s, LLVMRealUNE, a, LLVMConstNull(LLVMTypeOf(a)));
    LLVMTypeRef over[] = {scalar_type(s, to, lanes_of(a)), LLVMTypeOf(a)};
    return intrinsic(s, is_signed(to) ? "llvm.fptosi.sat" : "llvm.fptoui.sat", over, 2, &a, 1);
}

static LLVMValueRef convert(Scalar *s, const Type *to, const Type *from, LLVMValueRef a) {
    if (is_float(to))
        return is_float(from) ? float_to_float(s, to, from, a) : int_to_float(s, to, from, a);
    return is_float(from) ? float_to_int(s, to, from, a) : int_to_int(s, to, from, a);
}

/* ---- libm ---- */

static LLVMValueRef libm_function(Scalar *s, const char *name, LLVMTypeRef type, int arity) {
    char symbol[32];
    bool single = LLVMGetTypeKind(type) == LLVMFloatTypeKind;
    snprintf(symbol, sizeof symbol, "%s%s", name, single ? "f" : "");
    LLVMValueRef fn = LLVMGetNamedFunction(s->module, symbol);
    if (fn)
        return fn;
    LLVMTypeRef params[] = {type, type, type};
    fn = LLVMAddFunction(s->module, symbol, LLVMFunctionType(type, params, (unsigned)arity, false));
    /* No builtin: LLVM must not evaluate or rewrite calls its own way, which would round
       differently from the same call with a value that it does not know. */
    static const char *const names[] = {"nounwind", "willreturn", "nobuiltin", "memory"};
    for (int k = 0; k < ARRAY_LEN(names); k++) {
        unsigned id = LLVMGetEnumAttributeKindForName(names[k], strlen(names[k]));
        LLVMAddAttributeAtIndex(fn, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                                LLVMCreateEnumAttribute(s->context, id, 0));
    }
    return fn;
}

static LLVMValueRef libm_scalar(Scalar *s, const char *name, LLVMValueRef *args, int arity) {
    LLVMValueRef fn = libm_function(s, name, LLVMTypeOf(args[0]), arity);
    return LLVMBuildCall2(B, LLVMGlobalGetValueType(fn), fn, args, (unsigned)arity, "");
}

/* The body of a helper: while (mask) { take its lowest lane; call; put the result; }. */
static void libm_lanes_body(Scalar *s, LLVMValueRef helper, const char *name, int arity) {
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(s->context, helper, "entry");
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(s->context, helper, "lane");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(s->context, helper, "done");
    LLVMValueRef mask = LLVMGetParam(helper, (unsigned)arity), rows_at[3], values[3];
    LLVMTypeRef vector = LLVMTypeOf(LLVMGetParam(helper, 0)), elem = LLVMGetElementType(vector);
    LLVMPositionBuilderAtEnd(B, entry);
    for (int k = 0; k < arity; k++) {
        rows_at[k] = LLVMBuildAlloca(B, vector, "");
        LLVMBuildStore(B, LLVMGetParam(helper, (unsigned)k), rows_at[k]);
    }
    LLVMBuildCondBr(B, is(s, LLVMIntEQ, mask, 0), done, loop);
    LLVMPositionBuilderAtEnd(B, loop);
    LLVMValueRef left = LLVMBuildPhi(B, LLVMTypeOf(mask), "");
    LLVMValueRef lane = intrinsic_defined(s, "llvm.cttz", left);
    for (int k = 0; k < arity; k++) {
        rows_at[k] = LLVMBuildInBoundsGEP2(B, elem, rows_at[k], &lane, 1, "");
        values[k] = LLVMBuildLoad2(B, elem, rows_at[k], "");
    }
    LLVMBuildStore(B, libm_scalar(s, name, values, arity), rows_at[0]);
    LLVMValueRef rest = LLVMBuildAnd(B, left, with(s, LLVMSub, left, 1), "");
    LLVMBuildCondBr(B, is(s, LLVMIntEQ, rest, 0), done, loop);
    LLVMAddIncoming(left, (LLVMValueRef[]){mask, rest}, (LLVMBasicBlockRef[]){entry, loop}, 2);
    LLVMPositionBuilderAtEnd(B, done);
    LLVMValueRef first = LLVMGetFirstInstruction(entry);
    LLVMBuildRet(B, LLVMBuildLoad2(B, vector, first, ""));
}

/* A function (vectors…, mask: i64) -> vector, made once a module. */
static LLVMValueRef libm_lanes_function(Scalar *s, const char *name, LLVMTypeRef vector,
                                        int arity) {
    char symbol[64];
    bool single = LLVMGetTypeKind(LLVMGetElementType(vector)) == LLVMFloatTypeKind;
    snprintf(symbol, sizeof symbol, "gact.%s%s.%u", name, single ? "f" : "",
             LLVMGetVectorSize(vector));
    LLVMValueRef helper = LLVMGetNamedFunction(s->module, symbol);
    if (helper)
        return helper;
    LLVMTypeRef params[] = {vector, vector, vector};
    params[arity] = LLVMInt64TypeInContext(s->context);
    LLVMTypeRef type = LLVMFunctionType(vector, params, (unsigned)arity + 1, false);
    helper = LLVMAddFunction(s->module, symbol, type);
    LLVMSetLinkage(helper, LLVMInternalLinkage);
    unsigned id = LLVMGetEnumAttributeKindForName("noinline", 8);
    LLVMAddAttributeAtIndex(helper, (LLVMAttributeIndex)LLVMAttributeFunctionIndex,
                            LLVMCreateEnumAttribute(s->context, id, 0));
    LLVMBasicBlockRef here = LLVMGetInsertBlock(B);
    libm_lanes_body(s, helper, name, arity);
    LLVMPositionBuilderAtEnd(B, here);
    return helper;
}

static LLVMValueRef libm(Scalar *s, const char *name, LLVMValueRef *args, int arity, int lanes) {
    if (lanes == 1)
        return libm_scalar(s, name, args, arity);
    LLVMValueRef helper = libm_lanes_function(s, name, LLVMTypeOf(args[0]), arity);
    LLVMTypeRef word = LLVMInt64TypeInContext(s->context);
    LLVMValueRef call_args[3] = {args[0], arity > 1 ? args[1] : NULL};
    if (s->active) {
        LLVMValueRef bits = LLVMBuildBitCast(B, s->active, int_type(s, lanes, 1), "");
        call_args[arity] = lanes < 64 ? LLVMBuildZExt(B, bits, word, "") : bits;
    } else {
        call_args[arity] = LLVMConstInt(word, lanes < 64 ? (1ULL << lanes) - 1 : ~0ULL, false);
    }
    LLVMTypeRef type = LLVMGlobalGetValueType(helper);
    return LLVMBuildCall2(B, type, helper, call_args, (unsigned)arity + 1, "");
}

/* ---- division ---- */

/* A quotient of vectors of at most 32 bits, exact through a wider float. No divisor is 0 or -1. */
static LLVMValueRef quotient_by_float(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef d) {
    const Type *via = bits_of(t) <= 16 ? &type_f32 : &type_f64;
    LLVMValueRef q = LLVMBuildFDiv(B, int_to_float(s, via, t, a), int_to_float(s, via, t, d), "");
    LLVMTypeRef type = LLVMTypeOf(a);
    return is_signed(t) ? LLVMBuildFPToSI(B, q, type, "") : LLVMBuildFPToUI(B, q, type, "");
}

typedef struct {
    LLVMValueRef quotient, rest;
} Division;

/* Truncated. A divisor of -1, and of 0 where that may be, is replaced by 1 before dividing. */
static Division divide(Scalar *s, const ScalarOp *op, LLVMValueRef a, LLVMValueRef d) {
    const Type *t = op->type;
    Division r;
    LLVMValueRef by = d, minus = NULL;
    if (is_signed(t)) {
        minus = is(s, LLVMIntEQ, d, -1);
        by = select_of(s, minus, const_like(s, d, 1), by);
    }
    if (op->safe || op->lanes > 1)
        by = select_of(s, is(s, LLVMIntEQ, d, 0), const_like(s, d, 1), by);
    if (op->lanes > 1 && bits_of(t) <= 32 && !LLVMIsConstant(by))
        r.quotient = quotient_by_float(s, t, a, by);
    else
        r.quotient = is_signed(t) ? LLVMBuildSDiv(B, a, by, "") : LLVMBuildUDiv(B, a, by, "");
    r.rest = LLVMBuildSub(B, a, LLVMBuildMul(B, r.quotient, by, ""), "");
    if (minus)
        r.quotient = select_of(s, minus, LLVMBuildNeg(B, a, ""), r.quotient);
    return r;
}

static LLVMValueRef int_division(Scalar *s, const ScalarOp *op, LLVMValueRef a, LLVMValueRef d) {
    Division r = divide(s, op, a, d);
    bool wants_rest = op->kind == IR_MOD || op->kind == IR_FMOD;
    if (op->kind == IR_DIV || op->kind == IR_MOD || !is_signed(op->type))
        return wants_rest ? r.rest : r.quotient;
    LLVMValueRef differ = is(s, LLVMIntSLT, LLVMBuildXor(B, r.rest, d, ""), 0);
    LLVMValueRef off = LLVMBuildAnd(B, differ, is(s, LLVMIntNE, r.rest, 0), "");
    if (wants_rest)
        return select_of(s, off, LLVMBuildAdd(B, r.rest, d, ""), r.rest);
    return select_of(s, off, with(s, LLVMSub, r.quotient, 1), r.quotient);
}

static LLVMValueRef floored(Scalar *s, LLVMValueRef a) {
    return intrinsic_like(s, "llvm.floor", &a, 1);
}

/* On f32 and f64. The floored remainder is exact but for the last addition, and has the sign of
   the divisor. */
static LLVMValueRef float_division(Scalar *s, const ScalarOp *op, LLVMValueRef a, LLVMValueRef d) {
    if (op->kind == IR_DIV)
        return LLVMBuildFDiv(B, a, d, "");
    if (op->kind == IR_FDIV)
        return floored(s, LLVMBuildFDiv(B, a, d, ""));
    LLVMValueRef args[] = {a, d};
    LLVMValueRef m = libm(s, "fmod", args, 2, op->lanes);
    if (op->kind == IR_MOD)
        return m;
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(a));
    LLVMValueRef differ = LLVMBuildXor(B, fcmp(s, LLVMRealOLT, m, zero),
                                       fcmp(s, LLVMRealOLT, d, zero), "");
    LLVMValueRef moved = select_of(s, differ, LLVMBuildFAdd(B, m, d, ""), m);
    LLVMValueRef signed_zero[] = {zero, d};
    return select_of(s, fcmp(s, LLVMRealOEQ, m, zero),
                     intrinsic_like(s, "llvm.copysign", signed_zero, 2), moved);
}

/* ---- powers and shifts ---- */

static LLVMValueRef any_lane(Scalar *s, LLVMValueRef mask) {
    return scalar_is_vector(mask) ? intrinsic_like(s, "llvm.vector.reduce.or", &mask, 1) : mask;
}

/* A small constant power: the products that the loop would make. */
static LLVMValueRef constant_power(Scalar *s, LLVMValueRef base, uint64_t n) {
    LLVMValueRef power = NULL;
    for (;; base = LLVMBuildMul(B, base, base, "")) {
        if (n & 1)
            power = power ? LLVMBuildMul(B, power, base, "") : base;
        n >>= 1;
        if (!n)
            return power ? power : const_like(s, base, 1);
    }
}

/* By squaring, in a loop until no lane has a bit of the exponent left. */
static LLVMValueRef int_power(Scalar *s, LLVMValueRef base, LLVMValueRef n, LLVMValueRef scalar_n) {
    if (LLVMIsAConstantInt(scalar_n) && LLVMConstIntGetZExtValue(scalar_n) <= 64)
        return constant_power(s, base, LLVMConstIntGetZExtValue(scalar_n));
    LLVMBasicBlockRef before = LLVMGetInsertBlock(B);
    LLVMValueRef func = LLVMGetBasicBlockParent(before);
    LLVMBasicBlockRef loop = LLVMAppendBasicBlockInContext(s->context, func, "pow");
    LLVMBasicBlockRef done = LLVMAppendBasicBlockInContext(s->context, func, "pow.done");
    LLVMValueRef one = const_like(s, base, 1);
    LLVMBuildBr(B, loop);
    LLVMPositionBuilderAtEnd(B, loop);
    LLVMValueRef power = LLVMBuildPhi(B, LLVMTypeOf(base), "");
    LLVMValueRef square = LLVMBuildPhi(B, LLVMTypeOf(base), "");
    LLVMValueRef left = LLVMBuildPhi(B, LLVMTypeOf(n), "");
    LLVMValueRef odd = is(s, LLVMIntNE, with(s, LLVMAnd, left, 1), 0);
    LLVMValueRef power2 = select_of(s, odd, LLVMBuildMul(B, power, square, ""), power);
    LLVMValueRef square2 = LLVMBuildMul(B, square, square, "");
    LLVMValueRef left2 = with(s, LLVMLShr, left, 1);
    LLVMBuildCondBr(B, any_lane(s, is(s, LLVMIntNE, left2, 0)), loop, done);
    LLVMBasicBlockRef from[] = {before, loop};
    LLVMAddIncoming(power, (LLVMValueRef[]){one, power2}, from, 2);
    LLVMAddIncoming(square, (LLVMValueRef[]){base, square2}, from, 2);
    LLVMAddIncoming(left, (LLVMValueRef[]){n, left2}, from, 2);
    LLVMPositionBuilderAtEnd(B, done);
    return power2;
}

static LLVMValueRef shift(Scalar *s, const ScalarOp *op, LLVMValueRef a, LLVMValueRef n) {
    int width = bits_of(op->type);
    LLVMValueRef outside = is(s, LLVMIntUGE, n, width);
    static const Type widths[] = {{.kind = TYPE_U8}, {.kind = TYPE_U16}, {.kind = TYPE_U32},
                                  {.kind = TYPE_U64}};
    const Type *unsigned_type = &widths[width == 8 ? 0 : width == 16 ? 1 : width == 32 ? 2 : 3];
    LLVMValueRef by = int_to_int(s, unsigned_type, op->args[1], n);
    if (op->kind == IR_SHR && is_signed(op->type)) {
        by = select_of(s, outside, const_like(s, a, width - 1), by);
        return LLVMBuildAShr(B, a, by, "");
    }
    by = with(s, LLVMAnd, by, width - 1);
    LLVMValueRef shifted = op->kind == IR_SHL ? LLVMBuildShl(B, a, by, "")
                                              : LLVMBuildLShr(B, a, by, "");
    return select_of(s, outside, LLVMConstNull(LLVMTypeOf(a)), shifted);
}

/* ---- order ---- */

/* Equal operands differ at most in the sign of a zero: or-ing their bits makes the smaller. */
static LLVMValueRef least(Scalar *s, const ScalarOp *op, LLVMValueRef a, LLVMValueRef b) {
    bool is_min = op->kind == IR_MIN;
    const Type *t = op->type;
    if (!is_float(t)) {
        LLVMIntPredicate p = is_signed(t) ? LLVMIntSLT : LLVMIntULT;
        return is_min ? select_of(s, icmp(s, p, a, b), a, b)
                      : select_of(s, icmp(s, p, a, b), b, a);
    }
    LLVMValueRef ua = to_bits(s, t, a), ub = to_bits(s, t, b);
    LLVMValueRef both = is_min ? LLVMBuildOr(B, ua, ub, "") : LLVMBuildAnd(B, ua, ub, "");
    LLVMRealPredicate p = is_min ? LLVMRealOLT : LLVMRealOGT;
    LLVMValueRef r = select_of(s, fcmp(s, p, a, b), a, b);
    r = select_of(s, fcmp(s, LLVMRealOEQ, a, b), of_bits(s, t, both), r);
    return select_of(s, is_nan(s, b), a, r);
}

/* Bits of a float as an integer that orders as the numbers do, NaN above all. */
static LLVMValueRef order_key(Scalar *s, const Type *t, LLVMValueRef a) {
    int width = bits_of(t);
    int64_t most = (int64_t)(~0ULL >> (65 - width));
    LLVMValueRef u = to_bits(s, t, a);
    LLVMValueRef flip = with(s, LLVMAnd, with(s, LLVMAShr, u, width - 1), most);
    LLVMValueRef key = LLVMBuildXor(B, u, flip, "");
    return select_of(s, is_nan(s, a), const_like(s, u, most), key);
}

static LLVMValueRef before(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef b) {
    if (is_float(t))
        return icmp(s, LLVMIntSLT, order_key(s, t, a), order_key(s, t, b));
    return icmp(s, is_signed(t) ? LLVMIntSLT : LLVMIntULT, a, b);
}

/* ---- one operand ---- */

static LLVMValueRef absolute(Scalar *s, const Type *t, LLVMValueRef a) {
    if (is_float(t))
        return intrinsic_like(s, "llvm.fabs", &a, 1);
    return is_signed(t) ? intrinsic_defined(s, "llvm.abs", a) : a;
}

static LLVMValueRef sign(Scalar *s, const Type *t, LLVMValueRef a) {
    LLVMValueRef zero = LLVMConstNull(LLVMTypeOf(a)), one = const_like(s, a, 1);
    LLVMValueRef minus = const_like(s, a, -1);
    if (!is_float(t)) {
        LLVMValueRef positive = select_of(s, icmp(s, LLVMIntNE, a, zero), one, zero);
        if (!is_signed(t))
            return positive;
        return select_of(s, icmp(s, LLVMIntSLT, a, zero), minus, positive);
    }
    LLVMValueRef r = select_of(s, is_nan(s, a), a, zero);
    r = select_of(s, fcmp(s, LLVMRealOLT, a, zero), minus, r);
    return select_of(s, fcmp(s, LLVMRealOGT, a, zero), one, r);
}

/* ---- scaling by powers of two ---- */

/* One instruction of AVX-512, on a register's worth of lanes; a scalar is lane 0 of one. */
static LLVMValueRef scale_register(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef k) {
    int bits = bits_of(t), lanes = lanes_of(a);
    LLVMTypeRef i32 = LLVMInt32TypeInContext(s->context), i8 = LLVMInt8TypeInContext(s->context);
    LLVMValueRef rounding = LLVMConstInt(i32, 4, false); /* the current one */
    const char *suffix = bits == 32 ? "ps" : "pd", *scalar = bits == 32 ? "ss" : "sd";
    char name[64];
    if (lanes == 1) {
        LLVMValueRef zero = LLVMConstInt(i32, 0, false);
        LLVMValueRef none = LLVMGetPoison(scalar_type(s, t, 128 / bits));
        LLVMValueRef args[] = {LLVMBuildInsertElement(B, none, a, zero, ""),
                               LLVMBuildInsertElement(B, none, k, zero, ""),
                               LLVMConstNull(LLVMTypeOf(none)), LLVMConstInt(i8, 1, false),
                               rounding};
        snprintf(name, sizeof name, "llvm.x86.avx512.mask.scalef.%s", scalar);
        return LLVMBuildExtractElement(B, intrinsic(s, name, NULL, 0, args, 5), zero, "");
    }
    LLVMTypeRef mask = lanes > 8 ? LLVMInt16TypeInContext(s->context) : i8;
    LLVMValueRef args[] = {a, k, LLVMConstNull(LLVMTypeOf(a)), LLVMConstAllOnes(mask), rounding};
    snprintf(name, sizeof name, "llvm.x86.avx512.mask.scalef.%s.%d", suffix, lanes * bits);
    return intrinsic(s, name, NULL, 0, args, lanes * bits == 512 ? 5 : 4);
}

/* Lanes from … from + n - 1 of a vector. */
static LLVMValueRef some_lanes(Scalar *s, LLVMValueRef a, int from, int n) {
    LLVMValueRef which[64];
    for (int k = 0; k < n; k++)
        which[k] = LLVMConstInt(LLVMInt32TypeInContext(s->context), (unsigned)(from + k), false);
    return LLVMBuildShuffleVector(B, a, LLVMGetPoison(LLVMTypeOf(a)),
                                  LLVMConstVector(which, (unsigned)n), "");
}

/* Halves of what is longer than a register, one after the other. */
static LLVMValueRef scale_registers(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef k) {
    int lanes = lanes_of(a), half = lanes / 2;
    if (lanes * bits_of(t) <= 512)
        return scale_register(s, t, a, k);
    LLVMValueRef low = scale_registers(s, t, some_lanes(s, a, 0, half), some_lanes(s, k, 0, half));
    LLVMValueRef high =
        scale_registers(s, t, some_lanes(s, a, half, half), some_lanes(s, k, half, half));
    LLVMValueRef all[64];
    for (int i = 0; i < lanes; i++)
        all[i] = LLVMConstInt(LLVMInt32TypeInContext(s->context), (unsigned)i, false);
    return LLVMBuildShuffleVector(B, low, high, LLVMConstVector(all, (unsigned)lanes), "");
}

/* The power of two with an exponent that a normal number has. */
static LLVMValueRef power_of_two(Scalar *s, const Type *t, LLVMValueRef exponent) {
    int mantissa = bits_of(t) == 32 ? 23 : 52, bias = bits_of(t) == 32 ? 127 : 1023;
    return of_bits(s, t, with(s, LLVMShl, with(s, LLVMAdd, exponent, bias), mantissa));
}

/* By two products, of which at most the last one rounds: k is cut to where the result is infinite or
   0 whatever x is, and halved. */
static LLVMValueRef scale_by_products(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef k) {
    const int most = bits_of(t) == 32 ? 250 : 2000;
    LLVMValueRef high = const_like(s, k, most), low = const_like(s, k, -most);
    k = select_of(s, fcmp(s, LLVMRealOLT, k, low), low, k);
    k = select_of(s, fcmp(s, LLVMRealOGT, k, high), high, k);
    LLVMTypeRef over[] = {ints_like(s, k, bits_of(t)), LLVMTypeOf(k)};
    LLVMValueRef n = intrinsic(s, "llvm.fptosi.sat", over, 2, &k, 1);
    LLVMValueRef half = with(s, LLVMAShr, n, 1);
    LLVMValueRef once = LLVMBuildFMul(B, a, power_of_two(s, t, half), "");
    return LLVMBuildFMul(B, once, power_of_two(s, t, LLVMBuildSub(B, n, half, "")), "");
}

static LLVMValueRef scale(Scalar *s, const Type *t, LLVMValueRef a, LLVMValueRef k) {
    int size = bits_of(t) * lanes_of(a);
    bool fits = size >= 512 || lanes_of(a) == 1 || (s->has_avx512vl && size >= 128);
    return s->has_avx512 && fits ? scale_registers(s, t, a, k) : scale_by_products(s, t, a, k);
}

/* ---- dispatch ---- */

static LLVMValueRef special(Scalar *s, const ScalarOp *op, LLVMValueRef *a, LLVMValueRef scalar_n) {
    const Type *t = op->args[0];
    switch (op->kind) {
    case IR_DIV: case IR_MOD: case IR_FDIV: case IR_FMOD:
        return is_float(t) ? float_division(s, op, a[0], a[1]) : int_division(s, op, a[0], a[1]);
    case IR_POW: return int_power(s, a[0], a[1], scalar_n); /* of floats: the library's code */
    case IR_NEG: return is_float(t) ? LLVMBuildFNeg(B, a[0], "") : LLVMBuildNeg(B, a[0], "");
    case IR_BITNOT: return LLVMBuildNot(B, a[0], "");
    case IR_SHL: case IR_SHR: return shift(s, op, a[0], a[1]);
    case IR_BEFORE: return before(s, t, a[0], a[1]);
    case IR_MIN: case IR_MAX: return least(s, op, a[0], a[1]);
    case IR_SELECT: return select_of(s, a[0], a[1], a[2]);
    case IR_ABS: return absolute(s, t, a[0]);
    case IR_SIGN: return sign(s, t, a[0]);
    case IR_SCALE: return scale(s, t, a[0], a[1]);
    case IR_RARE: return a[0];
    case IR_IS_NAN: return is_float(t) ? is_nan(s, a[0])
                                       : LLVMConstNull(ints_like(s, a[0], 1));
    case IR_CLZ: return intrinsic_defined(s, "llvm.ctlz", a[0]);
    case IR_CTZ: return intrinsic_defined(s, "llvm.cttz", a[0]);
    case IR_CONVERT: return convert(s, op->type, t, a[0]);
    case IR_BITS: return LLVMBuildBitCast(B, a[0], scalar_type(s, op->type, op->lanes), "");
    default: UNREACHABLE();
    }
}

/* On integers, f32 and f64; args have the op's lanes. */
static LLVMValueRef emit_plain(Scalar *s, const ScalarOp *op, LLVMValueRef *a,
                               LLVMValueRef scalar_n) {
    const Row *row = &rows[op->kind];
    const Type *t = op->args[0];
    int which = is_float(t) ? row->on_float : is_signed(t) ? row->on_signed : row->on_unsigned;
    switch (row->how) {
    case HOW_BIN: return LLVMBuildBinOp(B, (LLVMOpcode)which, a[0], a[1], "");
    case HOW_CMP:
        return is_float(t) ? fcmp(s, (LLVMRealPredicate)which, a[0], a[1])
                           : icmp(s, (LLVMIntPredicate)which, a[0], a[1]);
    case HOW_INTR:
        if (is_float(t) || op->kind == IR_POPCOUNT)
            return intrinsic_like(s, row->name, a, row->arity);
        return op->kind == IR_FMA ? LLVMBuildAdd(B, LLVMBuildMul(B, a[0], a[1], ""), a[2], "")
                                  : a[0]; /* rounding an integer */
    case HOW_SPECIAL: return special(s, op, a, scalar_n);
    case HOW_NONE: break;
    }
    UNREACHABLE();
}

static bool works_on_bits(IrKind kind) {
    return kind == IR_SELECT || kind == IR_CONVERT || kind == IR_BITS;
}

/* f16 and bf16: widen, compute, round. */
static LLVMValueRef emit_half(Scalar *s, const ScalarOp *op, LLVMValueRef *a) {
    ScalarOp wide = *op;
    for (int k = 0; k < rows[op->kind].arity; k++)
        if (is_half(op->args[k])) {
            a[k] = half_to_f32(s, op->args[k], a[k]);
            wide.args[k] = &type_f32;
        }
    if (!is_half(op->type))
        return emit_plain(s, &wide, a, NULL);
    wide.type = &type_f32;
    return half_of_f32(s, op->type, emit_plain(s, &wide, a, NULL));
}

static void allow_fast(LLVMValueRef value) {
    LLVMFastMathFlags fast = LLVMFastMathAllowReassoc | LLVMFastMathAllowContract |
                             LLVMFastMathAllowReciprocal | LLVMFastMathNoSignedZeros;
    if (LLVMIsAInstruction(value) && LLVMCanValueUseFastMathFlags(value))
        LLVMSetFastMathFlags(value, fast);
}

LLVMValueRef scalar_emit(Scalar *s, const ScalarOp *op, LLVMValueRef const *args) {
    LLVMValueRef a[3], result;
    int arity = rows[op->kind].arity;
    for (int k = 0; k < arity; k++) {
        bool shared = op->kind == IR_SELECT && k == 0 && !scalar_is_vector(args[0]);
        a[k] = shared ? args[k] : scalar_splat(s, args[k], op->lanes);
    }
    if (is_half(op->args[0]) && !works_on_bits(op->kind))
        result = emit_half(s, op, a);
    else
        result = emit_plain(s, op, a, arity > 1 ? args[1] : NULL);
    if (op->flags & IRF_FAST && is_float(op->args[0]))
        allow_fast(result);
    return result;
}

LLVMValueRef scalar_emit_same(Scalar *s, IrKind kind, const Type *type, LLVMValueRef a,
                              LLVMValueRef b, int lanes) {
    ScalarOp op = {.kind = kind, .safe = true, .lanes = lanes, .type = type,
                   .args = {type, type, type}};
    return scalar_emit(s, &op, (LLVMValueRef[]){a, b});
}

/* The type that a literal's variable stands for; a reference is a number. */
static const Type *settled(const Type *type) {
    while (type->kind == TYPE_VAR && type->solution)
        type = type->solution;
    if (type->kind == TYPE_VAR)
        return type->var == VAR_FLOAT ? &type_f64 : &type_i64;
    return type->kind == TYPE_ACTOR ? &type_u64 : type;
}

ScalarOp scalar_op(const IrFunc *func, IrId id, int lanes) {
    const IrOp *op = ir_op(func, id);
    ScalarOp out = {.kind = op->kind, .flags = op->flags, .lanes = lanes,
                    .type = settled(op->type)};
    for (int k = 0; k < op->nargs && k < 3; k++)
        out.args[k] = settled(ir_op(func, op->args[k])->type);
    return out;
}

/* ---- reductions ---- */

static bool float_identity(IrKind kind, const Type *type, int64_t *bits) {
    static const struct {
        int64_t minus_zero, one, nan;
    } floats[] = {
        [TYPE_F16] = {0x8000, 0x3c00, 0x7e00},
        [TYPE_BF16] = {0x8000, 0x3f80, 0x7fc0},
        [TYPE_F32] = {0x80000000, 0x3f800000, 0x7fc00000},
        [TYPE_F64] = {INT64_MIN, 0x3ff0000000000000, 0x7ff8000000000000},
    };
    switch (kind) {
    case IR_ADD: *bits = floats[type->kind].minus_zero; return true;
    case IR_MUL: *bits = floats[type->kind].one; return true;
    case IR_MIN: case IR_MAX: *bits = floats[type->kind].nan; return true;
    default: return false;
    }
}

bool scalar_identity_bits(IrKind kind, const Type *type, int64_t *bits) {
    if (is_float(type))
        return float_identity(kind, type, bits);
    int width = bits_of(type);
    int64_t least_value = is_signed(type) ? (int64_t)(~0ULL << (width - 1)) : 0;
    switch (kind) {
    case IR_ADD: case IR_BITOR: case IR_BITXOR: *bits = 0; return true;
    case IR_MUL: *bits = 1; return true;
    case IR_BITAND: *bits = -1; return true;
    case IR_MIN: *bits = ~least_value; return true;
    case IR_MAX: *bits = least_value; return true;
    default: return false;
    }
}

LLVMValueRef scalar_identity(const Scalar *s, IrKind kind, const Type *type) {
    int64_t bits;
    return scalar_identity_bits(kind, type, &bits) ? scalar_const(s, type, bits) : NULL;
}
