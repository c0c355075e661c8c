/* The halves of products of two numbers of 32 bits, which random numbers and hashes are made of. In the
   IR they are u32(x) and u32(x >> 32) of a product x of 64 bits. The processor multiplies the even
   lanes of two vectors, so the odd ones are multiplied apart, and both halves of all lanes are mixed
   from the two: lanes are never widened. */
#include "vector_body.h"

#define B (v->f->e->B)

/* The vector of 32 bits whose zero extension a value of 64 bits is; NULL: it is none. */
static LLVMValueRef narrow_of(Vec *v, IrId id) {
    const IrOp *op = ir_op(v->f->ir, id);
    int64_t number;
    if (ir_const_int(v->f->ir, id, &number) && number >= 0 && number <= UINT32_MAX)
        return vec_splat(v, LLVMConstInt(v->f->e->i32, (uint64_t)number, 0));
    if (op->kind == IR_CONVERT && value_type(v->f, op->args[0])->kind == TYPE_U32)
        return vec_splat(v, value_scalar(v->f, op->args[0]));
    return NULL;
}

static bool is_wide(Vec *v, IrId id) {
    const Type *type = value_type(v->f, id);
    return type->kind == TYPE_U64 || type->kind == TYPE_I64;
}

/* The product of the lanes of one parity, in lanes of 64 bits. */
static LLVMValueRef product(Vec *v, LLVMValueRef a, LLVMValueRef b, bool odd) {
    LLVMTypeRef wide = LLVMVectorType(v->f->e->i64, (unsigned)v->lanes / 2);
    LLVMValueRef factors[2] = {LLVMBuildBitCast(B, a, wide, ""), LLVMBuildBitCast(B, b, wide, "")};
    for (int k = 0; k < 2; k++) {
        LLVMValueRef by = fn_int(v->f, odd ? 32 : UINT32_MAX);
        by = scalar_splat(&v->f->e->scalar, by, v->lanes / 2);
        factors[k] = odd ? LLVMBuildLShr(B, factors[k], by, "") : LLVMBuildAnd(B, factors[k], by, "");
    }
    LLVMTypeRef narrow = LLVMVectorType(v->f->e->i32, (unsigned)v->lanes);
    return LLVMBuildBitCast(B, LLVMBuildMul(B, factors[0], factors[1], ""), narrow, "");
}

bool vec_half_product(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    TypeKind kind = value_type(f, id)->kind;
    if (op->kind != IR_CONVERT || (kind != TYPE_U32 && kind != TYPE_I32) || v->lanes % 4 != 0 ||
        !v->plan->varying[id])
        return false;
    const IrOp *of = ir_op(f->ir, op->args[0]);
    int64_t shift;
    bool upper = of->kind == IR_SHR && ir_const_int(f->ir, of->args[1], &shift) && shift == 32;
    IrId from = upper ? of->args[0] : op->args[0];
    const IrOp *mul = ir_op(f->ir, from);
    if (mul->kind != IR_MUL || !is_wide(v, from) || !is_wide(v, op->args[0]))
        return false;
    LLVMValueRef a = narrow_of(v, mul->args[0]), b = narrow_of(v, mul->args[1]), mix[64];
    if (!a || !b)
        return false;
    for (int k = 0; k < v->lanes; k++) {
        int lane = (k & ~1) + upper + (k & 1 ? v->lanes : 0);
        mix[k] = LLVMConstInt(f->e->i32, (unsigned)lane, 0);
    }
    LLVMValueRef *s = slots_new(f, 1);
    s[0] = LLVMBuildShuffleVector(B, product(v, a, b, false), product(v, a, b, true),
                                  LLVMConstVector(mix, (unsigned)v->lanes), "");
    value_set(f, id, s, 1);
    return true;
}
