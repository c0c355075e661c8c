/* What the files of the IR share among themselves: constants and the parts of folding. */
#ifndef GACT_IR_BUILD_H
#define GACT_IR_BUILD_H

#include "ir.h"

/* The scalar part of ir_fold. */
IrId ir_fold_scalar(IrBuilder *b, IrOp *op);
/* The value of an op with these results: the only one, or a tuple of type. */
IrId ir_region_values(IrBuilder *b, Type *type, const IrId *values, int n);
/* A number brought to the range of an integer-like type: what IR_CONST keeps in imm. */
int64_t ir_wrap(TypeKind kind, int64_t value);
/* bool, integers, hlc, duration. */
bool ir_is_intlike(TypeKind kind);
/* The result of a scalar op on constants; false where it is left to run time (it faults, or its
   result is not the same everywhere). kinds: of the first and second operand. */
typedef struct {
    TypeKind kind;
    int64_t bits;
} IrConst;
bool ir_eval(IrKind op, TypeKind result, const IrConst *args, int nargs, int64_t *bits);
/* Is this i64 surely at least 0? */
bool ir_is_non_negative(const IrFunc *f, IrId id);

/* The dim of carried value k of a FOR or LOOP, if it is the same before and after every iteration;
   else IR_NONE. */
IrId ir_carried_dim(IrBuilder *b, IrId loop, int k, int axis);
/* How many numbers stand among an op's operands in the text form, and whether before them. */
int ir_text_numbers(IrKind kind, bool *before);
const char *ir_sink_name(SinkKind kind);

#endif
