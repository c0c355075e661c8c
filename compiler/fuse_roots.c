/* The least square root is the root of the least number: a root is rounded correctly, so it never falls
   where its operand rises, and a reduction by min or max of roots becomes the root of one of what is
   below them. Of a negative number, which has no root, min would make another choice; so what is below
   must be seen to be none, as a sum of squares is. NaN stays NaN and loses in both forms. */
#include "fuse.h"

enum { MAX_DEPTH = 64 };

/* Is a float never below zero, -0 included where a root is taken of it? It may be NaN. */
static bool is_not_negative(const IrFunc *f, IrId id, int depth) {
    const IrOp *op = ir_op(f, id);
    int64_t bits;
    if (depth > MAX_DEPTH || !type_is_float(ir_type(f, id)))
        return false;
    switch ((int)op->kind) {
    case IR_CONST:
        return ir_const_bits(f, id, &bits) && ir_float_value(ir_type(f, id)->kind, bits) >= 0;
    case IR_MUL: return op->args[0] == op->args[1];
    case IR_FMA: return op->args[0] == op->args[1] && is_not_negative(f, op->args[2], depth + 1);
    case IR_ADD:
        return is_not_negative(f, op->args[0], depth + 1) &&
               is_not_negative(f, op->args[1], depth + 1);
    case IR_ABS: return true;
    case IR_KERNEL: {
        const IrSink *sink = &op->kernel->sinks[0];
        return op->kernel->nsinks == 1 && sink->kind == SINK_REDUCE && sink->op == IR_ADD &&
               is_not_negative(f, op->args[sink->arg], depth + 1) &&
               is_not_negative(f, op->regions[0]->results.at[sink->yield], depth + 1);
    }
    default: return false;
    }
}

/* Is it the neutral value of min and max? */
static bool is_nan(const IrFunc *f, IrId id) {
    int64_t bits;
    double value = ir_const_bits(f, id, &bits) ? ir_float_value(ir_type(f, id)->kind, bits) : 0;
    return value != value;
}

static bool is_extreme_of_roots(const IrFunc *f, const IrOp *op) {
    if (op->kind != IR_KERNEL || op->kernel->nsinks != 1 || op->flags & IRF_PINNED)
        return false;
    const IrSink *sink = &op->kernel->sinks[0];
    if (sink->kind != SINK_REDUCE || (sink->op != IR_MIN && sink->op != IR_MAX))
        return false;
    IrId yield = op->regions[0]->results.at[sink->yield];
    const IrOp *root = ir_op(f, yield);
    return type_is_float(ir_type(f, yield)) && root->kind == IR_SQRT &&
           is_nan(f, op->args[sink->arg]) && is_not_negative(f, root->args[0], 0);
}

static void move_root(Fuse *z, IrId id) {
    IrOp kernel = *ir_op(z->f, id);
    IrRegion *body = kernel.regions[0], code = {0};
    IrId *yield = &body->results.at[kernel.kernel->sinks[0].yield];
    *yield = ir_op(z->f, *yield)->args[0];
    IrBuilder b = fuse_builder(z, &code, &kernel);
    IrId *map = NEW_ARRAY(&z->tmp, IrId, z->len);
    IrId extreme = ir_append_plain(&b, kernel), root = ir_unary(&b, IR_SQRT, extreme);
    IrRegion *home = z->places.at[z->home[id]].region;
    int at = fuse_position(home, id);
    fuse_splice(z->m, home, at, &code);
    for (int i = at + code.ops.len; i + 1 < home->ops.len; i++) /* the regions are the new kernel's */
        home->ops.at[i] = home->ops.at[i + 1];
    home->ops.len--;
    map[id] = root;
    fuse_substitute(z->f, map, z->len);
    arena_free(&z->tmp);
}

static bool step(Fuse *z) {
    for (int p = z->places.len - 1; p >= 1; p--) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++)
            if (is_extreme_of_roots(z->f, ir_op(z->f, region->ops.at[i]))) {
                move_root(z, region->ops.at[i]);
                return true;
            }
    }
    return false;
}

bool fuse_roots(Fuse *z) {
    bool changed = false;
    while (step(z)) {
        fuse_sweep(z);
        changed = true;
    }
    return changed;
}
