/* Contraction, the only place where it happens: a float product whose one use is an operand of a
   sum in the same region becomes a fused multiply-add, so that every back end rounds alike. a * b +
   c -> fma(a, b, c); a * b - c -> fma(a, b, -c); c - a * b -> fma(-a, b, c). Before that, squares
   of floats that are written as powers become products.

   Runs on what the checker made, at every level and before anything else: what is contracted
   depends on how the program is written, not on what is inlined, shared or fused later. Of a sum of
   two products the left one is contracted. Types are settled. */
#include "compiler.h"

typedef struct {
    IrModule *m;
    IrFunc *f;
    int *uses;               /* by id, of the ops there were at the start */
    const IrRegion **region; /* by id: where it stands */
    bool *dead;
    int known;
} Contract;

static void count_uses(Contract *x, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp *op = ir_op(x->f, id);
        x->region[id] = region;
        for (int k = 0; k < op->nargs; k++)
            x->uses[op->args[k]]++;
        for (int r = 0; r < op->nregions; r++)
            count_uses(x, op->regions[r]);
    }
    for (int i = 0; i < region->results.len; i++)
        x->uses[region->results.at[i]]++;
}

static bool is_product(const Contract *x, IrId id, const IrRegion *region) {
    return (int)id < x->known && ir_op(x->f, id)->kind == IR_MUL && x->uses[id] == 1 &&
           x->region[id] == region;
}

static IrId negate(Contract *x, IrRegion *region, IrId value, const IrOp *like) {
    IrBuilder b = {.module = x->m, .func = x->f, .region = region, .span = like->span};
    b.node = like->node;
    return ir_unary(&b, IR_NEG, value);
}

/* The operand of a sum that is a product: 0, 1, or -1. */
static int product_operand(const Contract *x, const IrOp *op, const IrRegion *region) {
    for (int k = 0; k < 2; k++)
        if (is_product(x, op->args[k], region))
            return k;
    return -1;
}

static void contract_op(Contract *x, IrRegion *region, IrId id) {
    IrOp op = *ir_op(x->f, id);
    TypeKind kind = ir_follow(op.type)->kind;
    if ((op.kind != IR_ADD && op.kind != IR_SUB) || (kind != TYPE_F32 && kind != TYPE_F64))
        return;
    int k = product_operand(x, &op, region);
    if (k < 0)
        return;
    IrId product = op.args[k], addend = op.args[1 - k];
    IrOp mul = *ir_op(x->f, product);
    IrId *args = NEW_ARRAY(x->f->arena, IrId, 3);
    bool subtract = op.kind == IR_SUB;
    args[0] = subtract && k == 1 ? negate(x, region, mul.args[0], &op) : mul.args[0];
    args[1] = mul.args[1];
    args[2] = subtract && k == 0 ? negate(x, region, addend, &op) : addend;
    IrOp *sum = &x->f->ops.at[id];
    sum->kind = IR_FMA;
    sum->args = args;
    sum->nargs = 3;
    x->dead[product] = true;
}

/* x ** 2 -> x * x, which is rounded correctly; a cube as two products would not stay within 1 ulp. */
static void expand_square(Contract *x, IrId id) {
    IrOp op = *ir_op(x->f, id);
    int64_t bits;
    if (op.kind != IR_POW || !type_is_float(ir_follow(op.type)) ||
        !ir_const_bits(x->f, op.args[1], &bits) ||
        ir_float_value(ir_follow(op.type)->kind, bits) != 2)
        return;
    IrId *args = NEW_ARRAY(x->f->arena, IrId, 2);
    args[0] = args[1] = op.args[0];
    IrOp *product = ir_op(x->f, id);
    product->kind = IR_MUL;
    product->args = args;
    product->flags &= (uint16_t)~IRF_CHECKED_ZERO;
}

static void contract_region(Contract *x, IrRegion *region) {
    IrRegion old = *region;
    region->ops.at = NULL;
    region->ops.len = region->ops.cap = 0;
    for (int i = 0; i < old.ops.len; i++) {
        IrId id = old.ops.at[i];
        expand_square(x, id);
        contract_op(x, region, id);
        const IrOp *op = ir_op(x->f, id);
        for (int r = 0; r < op->nregions; r++)
            contract_region(x, op->regions[r]);
        vec_push(x->f->arena, &region->ops, id);
    }
    int kept = 0;
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        if ((int)id >= x->known || !x->dead[id])
            region->ops.at[kept++] = id;
    }
    region->ops.len = kept;
}

/* An operator that is one sum of its parameters stays one: they are no products. */
static void contract_func(IrModule *m, IrFunc *f) {
    Arena scratch = {0};
    Contract x = {.m = m, .f = f, .known = f->ops.len};
    x.uses = NEW_ARRAY(&scratch, int, x.known);
    x.region = NEW_ARRAY(&scratch, const IrRegion *, x.known);
    x.dead = NEW_ARRAY(&scratch, bool, x.known);
    count_uses(&x, f->body);
    contract_region(&x, f->body);
    arena_free(&scratch);
}

void contract_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++)
        contract_func(c->ir, c->ir->funcs.at[i]);
}
