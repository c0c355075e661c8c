/* Sums inside a vectorised body: each lane takes the same points of an inner space, one after the
   other. The tree is that of reduce.c: 32 accumulators stride over the points and are then combined
   16, 8, 4, 2, 1 apart; here each is a vector. One accumulator is enough where the order cannot be
   told from the result. Spaces of more than one chunk are left to the scalar body, which vectorises
   the sum itself. */
#include "vector_body.h"

#define B (v->f->e->B)

enum { ACCUMULATORS = 32, CHUNK_POINTS = 4096 };

typedef struct {
    const IrSink *sink;
    Type *type;
    bool is_exact;
    LLVMValueRef accs; /* memory of one accumulator, or of all */
} Sum;

/* May the sum be taken in any order without a change of the result? */
static bool is_exact(const IrOp *kernel, const IrSink *sink, const Type *type) {
    return !type_is_float(type) || sink->op == IR_MIN || sink->op == IR_MAX ||
           kernel->flags & IRF_FAST;
}

static LLVMTypeRef acc_type(Vec *v, const Sum *s) {
    return scalar_type(&v->f->e->scalar, s->type, v->lanes);
}

static LLVMValueRef combine(Vec *v, const Sum *s, LLVMValueRef a, LLVMValueRef b) {
    return scalar_emit_same(&v->f->e->scalar, s->sink->op, s->type, a, b, v->lanes);
}

static LLVMValueRef acc_at(Vec *v, const Sum *s, LLVMValueRef number) {
    return s->is_exact ? s->accs : fn_at_index(v->f, acc_type(v, s), s->accs, number);
}

static Sum sum_begin(Vec *v, const IrOp *op, const IrSink *sink) {
    Fn *f = v->f;
    Sum s = {.sink = sink};
    s.type = value_layout(f, op->regions[0]->results.at[sink->yield])->type;
    s.is_exact = is_exact(op, sink, s.type);
    int n = s.is_exact ? 1 : ACCUMULATORS;
    s.accs = fn_alloca(f, LLVMArrayType2(acc_type(v, &s), (uint64_t)n), "sums");
    LLVMValueRef identity = vec_splat(v, scalar_identity(&f->e->scalar, sink->op, s.type));
    for (int k = 0; k < n; k++)
        fn_set(f, acc_at(v, &s, fn_int(f, k)), identity);
    return s;
}

static void sum_point(Vec *v, const Sum *s, const IrRegion *body, LLVMValueRef point) {
    Fn *f = v->f;
    LLVMValueRef number = fn_bin(f, LLVMAnd, point, fn_int(f, ACCUMULATORS - 1));
    LLVMValueRef p = acc_at(v, s, number), old = fn_get(f, acc_type(v, s), p);
    LLVMValueRef y = vec_splat(v, region_result(f, body, s->sink->yield)[0]);
    fn_set(f, p, combine(v, s, old, y));
}

/* op(zero, all points). */
static LLVMValueRef sum_end(Vec *v, const Sum *s, LLVMValueRef zero) {
    Fn *f = v->f;
    LLVMValueRef accs[ACCUMULATORS];
    int n = s->is_exact ? 1 : ACCUMULATORS;
    for (int k = 0; k < n; k++)
        accs[k] = fn_get(f, acc_type(v, s), acc_at(v, s, fn_int(f, k)));
    for (n /= 2; n >= 1; n /= 2)
        for (int k = 0; k < n; k++)
            accs[k] = combine(v, s, accs[k], accs[k + n]);
    return combine(v, s, vec_splat(v, zero), accs[0]);
}

typedef struct {
    const IrOp *op;
    Sum *sums;
    LLVMValueRef dims[8], at[8];
} Nest;

/* The loops over axis `axis` and those inside it; point: the number of the row so far. */
static void emit_axis(Vec *v, Nest *nest, int axis, LLVMValueRef point) {
    Fn *f = v->f;
    const IrRegion *body = nest->op->regions[0];
    if (axis == nest->op->kernel->rank) {
        for (int k = 0; k < axis; k++) {
            LLVMValueRef *s = slots_new(f, 1);
            s[0] = nest->at[k];
            value_set(f, body->params.at[k], s, 1);
        }
        vec_ops(v, body);
        for (int k = 0; k < nest->op->kernel->nsinks; k++)
            sum_point(v, &nest->sums[k], body, point);
        return;
    }
    Loop loop = loop_begin(f, fn_int(f, 0), nest->dims[axis], "sum");
    nest->at[axis] = loop.i;
    LLVMValueRef row = axis ? fn_mul(f, point, nest->dims[axis]) : point;
    emit_axis(v, nest, axis + 1, fn_add(f, row, loop.i));
    loop_end(f, &loop);
}

static bool needs_one_chunk(const Nest *nest) {
    for (int k = 0; k < nest->op->kernel->nsinks; k++)
        if (!nest->sums[k].is_exact)
            return true;
    return false;
}

void vec_nested(Vec *v, IrId id) {
    Fn *f = v->f;
    const IrOp *op = ir_op(f->ir, id);
    int n = op->kernel->nsinks;
    Nest nest = {.op = op, .sums = NEW_ARRAY(f->e->arena, Sum, n + 1)};
    LLVMValueRef total = fn_int(f, 1);
    for (int k = 0; k < op->kernel->rank; k++) {
        nest.dims[k] = fn_max(f, value_scalar(f, op->args[k]), fn_int(f, 0));
        LLVMValueRef size = fn_min(f, nest.dims[k], fn_int(f, CHUNK_POINTS + 1));
        total = fn_mul(f, fn_min(f, total, fn_int(f, CHUNK_POINTS + 1)), size);
    }
    for (int k = 0; k < n; k++)
        nest.sums[k] = sum_begin(v, op, &op->kernel->sinks[k]);
    if (needs_one_chunk(&nest))
        vec_need(v, fn_cmp(f, LLVMIntSLE, total, fn_int(f, CHUNK_POINTS)));
    emit_axis(v, &nest, 0, fn_int(f, 0));
    LLVMValueRef *s = slots_new(f, n);
    for (int k = 0; k < n; k++) {
        IrId zero = op->args[op->kernel->sinks[k].arg];
        s[k] = sum_end(v, &nest.sums[k], value_scalar(f, zero));
    }
    value_set(f, id, s, n);
}
