/* LLVM code for the scalar ops of lang/ops.def, on one value or on a vector of them.

   In registers a bool is an i1, an f16 and a bf16 are their bits in an i16 (so nothing is left to
   the target's half support), every other scalar is the LLVM type of its width. In memory a bool is
   an i8 of 0 or 1 and everything else is as in registers. Vectors are <lanes x T> of these.

   A vector op gives each lane the very bits that the scalar op gives, and never traps in a lane,
   whatever inactive lanes hold. */
#ifndef GACT_SCALAR_H
#define GACT_SCALAR_H

#include "../../compiler/ir.h"

#include <llvm-c/Core.h>

typedef struct {
    LLVMContextRef context;
    LLVMModuleRef module;
    LLVMBuilderRef builder; /* at the end of a block; some ops add blocks and move on */
    bool has_f16c;          /* the target converts between half and float */
    bool has_avx512, has_avx512vl;
    LLVMValueRef active;    /* <lanes x i1>: lanes whose results matter, or NULL: all. Saves calls
                               of libm in the others */
} Scalar;

typedef struct {
    IrKind kind;
    unsigned flags;     /* of the IrOp: IRF_FAST */
    bool safe;          /* integer DIV, MOD, FDIV, FMOD: a zero divisor gives any value instead of a
                           trap (vectors are always safe) */
    int lanes;          /* 1: scalars; else the vector's length */
    const Type *type;   /* of the result */
    const Type *args[3]; /* of the operands */
} ScalarOp;

/* Describes op `id` of func, to be emitted for `lanes`. */
ScalarOp scalar_op(const IrFunc *func, IrId id, int lanes);
/* Emits an op. With lanes > 1 an arg may be a scalar, which then stands for all lanes. Integer POW
   with a negative exponent gives some value: the caller checks it, as it checks zero divisors. */
LLVMValueRef scalar_emit(Scalar *s, const ScalarOp *op, LLVMValueRef const *args);
/* The same for an op whose operands all have one type. */
LLVMValueRef scalar_emit_same(Scalar *s, IrKind kind, const Type *type, LLVMValueRef a,
                              LLVMValueRef b, int lanes);

/* The type in registers, and in memory. */
LLVMTypeRef scalar_type(const Scalar *s, const Type *type, int lanes);
LLVMTypeRef scalar_memory_type(const Scalar *s, const Type *type, int lanes);
/* Between the two. Nothing but a bool changes. */
LLVMValueRef scalar_to_memory(Scalar *s, const Type *type, LLVMValueRef value);
LLVMValueRef scalar_from_memory(Scalar *s, const Type *type, LLVMValueRef value);
/* A constant from the bits of an IR_CONST. */
LLVMValueRef scalar_const(const Scalar *s, const Type *type, int64_t bits);
/* lanes copies of a scalar; a vector is returned as it is. */
LLVMValueRef scalar_splat(Scalar *s, LLVMValueRef value, int lanes);
bool scalar_is_vector(LLVMValueRef value);
/* May reductions by this op stride over lanes? Then the value that changes no operand (-0.0 for a
   float sum, NaN for float min and max); NULL otherwise. */
LLVMValueRef scalar_identity(const Scalar *s, IrKind kind, const Type *type);
bool scalar_identity_bits(IrKind kind, const Type *type, int64_t *bits);

#endif
