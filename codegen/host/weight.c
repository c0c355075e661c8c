/* How much work a point of a kernel is, by estimate: what the runtime goes by until it has measured the
   kernel. Sizes that are not known when compiling count as SOME. */
#include "kernel.h"

enum { SOME = 32, DEEPEST = 4, HEAVIEST = 1 << 24 };

typedef struct {
    int64_t ops, flops;
    bool is_guess; /* a size was not known */
} Weight;

static Weight weight_of(const IrFunc *ir, const IrRegion *region, int depth);

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void add(Weight *sum, Weight w, int64_t times) {
    sum->ops = least(sum->ops + w.ops * least(times, HEAVIEST), HEAVIEST);
    sum->flops = least(sum->flops + w.flops * least(times, HEAVIEST), HEAVIEST);
    sum->is_guess |= w.is_guess;
}

/* A size that stands in the text, or SOME. */
static int64_t size_of(const IrFunc *ir, IrId id, Weight *w) {
    int64_t n;
    if (ir_const_int(ir, id, &n))
        return n > 0 ? least(n, HEAVIEST) : 0;
    w->is_guess = true;
    return SOME;
}

static int64_t points_of(const IrFunc *ir, const IrOp *op, Weight *w) {
    int64_t points = 1;
    for (int d = 0; d < op->kernel->rank; d++)
        points = least(points * size_of(ir, op->args[d], w), HEAVIEST);
    return points;
}

/* Of the branches of an `if` half of all. */
static Weight branches(const IrFunc *ir, const IrOp *op, int depth) {
    Weight sum = {0};
    for (int r = 0; r < op->nregions; r++)
        add(&sum, weight_of(ir, op->regions[r], depth), 1);
    return (Weight){sum.ops / 2 + 1, sum.flops / 2, sum.is_guess};
}

/* What a scalar op costs beside an addition. */
static Weight scalar(const IrOp *op) {
    bool is_float = type_is_float(op->type);
    switch ((int)op->kind) {
    case IR_DIV:
    case IR_MOD:
    case IR_FDIV:
    case IR_FMOD:
    case IR_SQRT: return (Weight){8, is_float, false};
    case IR_FMA: return (Weight){1, is_float ? 2 : 0, false};
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: return (Weight){1, is_float, false};
    default: return (Weight){op->kind < IR_CONST, 0, false};
    }
}

static Weight loop(const IrFunc *ir, const IrOp *op, int depth) {
    Weight sum = {.ops = 1};
    int64_t lo, hi, times = SOME;
    bool is_known = op->kind == IR_FOR && ir_const_int(ir, op->args[0], &lo) &&
                    ir_const_int(ir, op->args[1], &hi);
    if (is_known)
        times = hi > lo ? hi - lo : 0;
    for (int r = 0; r < op->nregions; r++)
        add(&sum, weight_of(ir, op->regions[r], depth), times);
    sum.is_guess |= !is_known;
    return sum;
}

static Weight matmul(void) {
    return (Weight){(int64_t)SOME * SOME * SOME, 0, true};
}

static Weight op_weight(const IrFunc *ir, const IrOp *op, int depth) {
    Weight sum = {0};
    switch ((int)op->kind) {
    case IR_IF: return branches(ir, op, depth);
    case IR_FOR:
    case IR_LOOP: return loop(ir, op, depth);
    case IR_MATMUL: return matmul();
    case IR_KERNEL: {
        int64_t points = points_of(ir, op, &sum);
        add(&sum, weight_of(ir, op->regions[0], depth), points);
        return sum;
    }
    case IR_CALL:
        if (depth < DEEPEST)
            return weight_of(op->callee, op->callee->body, depth + 1);
        return (Weight){SOME, 0, true};
    case IR_INDEX: return (Weight){1, 0, false};
    default: return type_is_scalar(op->type) ? scalar(op) : sum;
    }
}

static Weight weight_of(const IrFunc *ir, const IrRegion *region, int depth) {
    Weight sum = {0};
    for (int k = 0; k < region->ops.len; k++)
        add(&sum, op_weight(ir, ir_op(ir, region->ops.at[k]), depth), 1);
    return sum;
}

/* Sums add the operator of their sinks to each point. */
static Weight sink_weight(const IrFunc *ir, const IrOp *op, const IrSink *sink) {
    return sink->region < 0 ? (Weight){0} : weight_of(ir, op->regions[sink->region], 0);
}

KernelWeight kernel_weight(const IrFunc *ir, const IrOp *op) {
    Weight sum = weight_of(ir, op->regions[0], 0);
    for (int i = 0; i < op->kernel->nsinks; i++)
        add(&sum, sink_weight(ir, op, &op->kernel->sinks[i]), 1);
    return (KernelWeight){.ops = (int)sum.ops + 1, .flops = sum.is_guess ? 0 : (int)sum.flops};
}
