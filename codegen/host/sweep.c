/* A FOR whose steps are one kernel of neighbours (IrOp.imm: how far away on the first axis). The
   kernel becomes the usual function of a range of chunks, here whole rows of the first axis, and
   the runtime runs it for all steps in an order that keeps to the cache. What a step reads and
   writes is in the environment of the function; there are three: the first step reads the initial
   values, the others go to and fro between two sets of buffers. Where the plan has each array
   written over itself, a point reads no other point, and one set does, which may be that of the
   initial values. */
#include "kernel.h"

#include <assert.h>
#include <stddef.h>

#define B (f->e->B)

enum { LEAST_POINTS = 4096 }; /* of a chunk, so that a call is little of it */

typedef struct {
    Fn *f;
    IrOp *op;
    IrRegion *body;
    Kernel k;
    int n;               /* carried arrays */
    int *sink;           /* of each: the sink that makes it */
    LLVMValueRef **init; /* its slots before the loop */
    LLVMValueRef **from; /* the data pointers that the kernel's code reads, by column */
    LLVMValueRef **even; /* columns (pairs) of what even steps write */
    bool is_over;        /* each step is written over the one before */
    LLVMValueRef rows, points, steps; /* rows of a chunk, points of a row */
} Sweep;

static Layout *layout_at(Sweep *s, int k) {
    return value_layout(s->f, s->op->args[2 + k]);
}

/* Is the initial value handed over to the sink that is written over it? */
static bool hands_over(const Sweep *s, int k) {
    return s->is_over && op_consumes(s->f, s->op, 2 + k);
}

/* The carried values in the kernel's code: the sizes stay, the data is of the step. */
static void bind_carried(Sweep *s) {
    Fn *f = s->f;
    LLVMValueRef *t = slots_new(f, 1);
    t[0] = value_scalar(f, s->op->args[0]);
    value_set(f, s->body->params.at[0], t, 1);
    for (int k = 0; k < s->n; k++) {
        Layout *l = layout_at(s, k);
        LLVMValueRef *slots = slots_new(f, l->nslots);
        s->init[k] = value_of(f, s->op->args[2 + k])->s;
        s->from[k] = slots_new(f, l->ncols);
        for (int i = 0; i < l->nslots; i++)
            slots[i] = s->init[k][i];
        for (int c = 0; c < l->ncols; c++) { /* a value of its own, to be found again */
            int at = layout_col_slot(l, c);
            LLVMValueRef p = fn_alloca(f, f->e->ptr, "from");
            fn_set(f, p, slots[at + 1]);
            if (!hands_over(s, k))
                slots[at] = LLVMConstNull(f->e->ptr);
            slots[at + 1] = s->from[k][c] = fn_get(f, f->e->ptr, p);
        }
        value_set(f, s->body->params.at[1 + k], slots, l->nslots);
    }
}

static IrId kernel_of(const Sweep *s) {
    for (int i = 0; i < s->body->ops.len; i++)
        if (ir_op(s->f->ir, s->body->ops.at[i])->kind == IR_KERNEL)
            return s->body->ops.at[i];
    UNREACHABLE();
}

/* What stands beside the kernel in the loop's body does not change from step to step. */
static void emit_invariants(Sweep *s, IrId kernel) {
    for (int i = 0; i < s->body->ops.len; i++) {
        IrId id = s->body->ops.at[i];
        const IrOp *op = ir_op(s->f->ir, id);
        if (id != kernel && (op->kind != IR_GET || op->args[0] != kernel))
            emit_op(s->f, id);
    }
}

static void find_sinks(Sweep *s, const IrOp *kernel) {
    s->is_over = true;
    for (int k = 0; k < s->n; k++) {
        const IrOp *op = ir_op(s->f->ir, s->body->results.at[k]);
        s->sink[k] = op->kind == IR_GET ? (int)op->imm : 0;
        const IrSink *sink = &kernel->kernel->sinks[s->sink[k]];
        s->is_over &= sink->imm && op_consumes(s->f, kernel, sink->arg) &&
                      kernel->args[sink->arg] == s->body->params.at[1 + k];
    }
}

/* Chunks of whole rows. */
static void cut(Sweep *s) {
    Fn *f = s->f;
    Kernel *k = &s->k;
    s->points = fn_int(f, 1);
    for (int i = 1; i < k->rank; i++)
        s->points = fn_mul(f, s->points, k->dims[i]);
    LLVMValueRef least = fn_max(f, s->points, fn_int(f, 1));
    s->rows = fn_bin(f, LLVMUDiv, fn_add(f, least, fn_int(f, LEAST_POINTS - 1)), least);
    k->chunk = fn_mul(f, least, s->rows);
    LLVMValueRef most = fn_add(f, k->total, fn_sub(f, k->chunk, fn_int(f, 1)));
    k->nchunks = fn_bin(f, LLVMUDiv, most, k->chunk);
}

/* Buffers of the odd steps are those of the sinks; those of the even ones are the same, or not
   needed for one step alone. */
static void make_buffers(Sweep *s) {
    Fn *f = s->f;
    for (int i = 0; i < s->k.nsinks; i++)
        sink_prepare(&s->k, &s->k.sinks[i]);
    LLVMValueRef several = fn_cmp(f, LLVMIntSGT, s->steps, fn_int(f, 1));
    LLVMValueRef count = fn_select(f, several, s->k.total, fn_int(f, 0));
    for (int k = 0; k < s->n; k++) {
        s->even[k] = slots_new(f, 2 * layout_at(s, k)->ncols);
        const Sink *sink = &s->k.sinks[s->sink[k]];
        for (int c = 0; s->is_over && c < sink->l->ncols; c++) {
            s->even[k][2 * c] = sink->bufs[c];
            s->even[k][2 * c + 1] = sink->data[c];
        }
        if (!s->is_over)
            array_alloc(f, layout_at(s, k), s->k.sinks[0].site, count, s->even[k]);
    }
}

/* A copy of the environment in which these pointers stand for those. */
static LLVMValueRef env_copy(Sweep *s, const Env *env, bool reads_odd) {
    Fn *f = s->f;
    LLVMValueRef copy = fn_alloca(f, env->type, "env");
    for (int i = 0; i < env->fields.len; i++) {
        LLVMValueRef v = env->fields.at[i];
        for (int k = 0; k < s->n; k++) {
            const Sink *sink = &s->k.sinks[s->sink[k]];
            for (int c = 0; c < sink->l->ncols; c++) {
                LLVMValueRef odd = sink->data[c], even = s->even[k][2 * c + 1];
                if (env->fields.at[i] == s->from[k][c])
                    v = reads_odd ? odd : even;
                else if (env->fields.at[i] == odd)
                    v = reads_odd ? even : odd;
            }
        }
        fn_set(f, LLVMBuildStructGEP2(B, env->type, copy, (unsigned)i, ""), v);
    }
    return copy;
}

static int chunk_bytes(Sweep *s) {
    int bytes = 0;
    for (int k = 0; k < s->n; k++)
        for (int c = 0; c < layout_at(s, k)->ncols; c++)
            bytes += (s->is_over ? 1 : 2) * layout_at(s, k)->cols[c].bytes;
    return bytes;
}

static void run(Sweep *s, LLVMValueRef fn, const Env *env) {
    Fn *f = s->f;
    Emit *e = f->e;
    LLVMValueRef near = fn_int(f, s->op->imm - 1);
    LLVMValueRef radius = fn_bin(f, LLVMUDiv, fn_add(f, near, s->rows), s->rows);
    LLVMValueRef space[] = {s->k.nchunks, s->steps, radius,
                            fn_mul(f, s->k.chunk, fn_int(f, chunk_bytes(s))), s->k.total};
    LLVMValueRef p = fn_alloca(f, LLVMArrayType2(e->i64, 5), "sweep");
    static_assert(sizeof(GactSweep) == sizeof(int64_t[5]), "a GactSweep is five numbers");
    for (int i = 0; i < 5; i++)
        fn_set(f, fn_at_index(f, e->i64, p, fn_int(f, i)), space[i]);
    LLVMValueRef envs[] = {env->p, env_copy(s, env, false), env_copy(s, env, true)};
    LLVMValueRef all = fn_alloca(f, LLVMArrayType2(e->ptr, 3), "envs");
    for (int i = 0; i < 3; i++)
        fn_set(f, fn_at_index(f, e->ptr, all, fn_int(f, i)), envs[i]);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->ptr, e->ptr};
    LLVMValueRef args[] = {f->ctx, table_info(e, f->ir, s->k.op), fn, all, p};
    api_call(f, offsetof(GactApi, sweep), LLVMFunctionType(e->vd, params, 5, 0), args, 5);
}

/* After the steps: of the two sets of buffers, the last one written is the value. */
static LLVMValueRef *results(Sweep *s, int n) {
    Fn *f = s->f;
    LLVMValueRef *out = slots_new(f, n);
    LLVMValueRef odd = LLVMBuildTrunc(B, s->steps, f->e->i1, "");
    for (int k = 0, at = 0; k < s->n; k++) {
        Layout *l = layout_at(s, k);
        const Sink *sink = &s->k.sinks[s->sink[k]];
        for (int i = 0; i < l->rank; i++)
            out[at++] = s->init[k][i];
        for (int c = 0; c < l->ncols; c++) {
            LLVMValueRef buf = s->even[k][2 * c], data = s->even[k][2 * c + 1];
            if (!s->is_over)
                api_release(f, fn_select(f, odd, buf, sink->bufs[c]));
            out[at++] = fn_select(f, odd, sink->bufs[c], buf);
            out[at++] = fn_select(f, odd, sink->data[c], data);
        }
    }
    return out;
}

/* The initial values that are handed over to the loop, as far as no sink has taken them. */
static void release_initial(Sweep *s) {
    Fn *f = s->f;
    for (int k = 0; k < s->n; k++) {
        const Sink *sink = &s->k.sinks[s->sink[k]];
        if (!s->is_over && op_consumes(f, s->op, 2 + k))
            slots_release(f, layout_at(s, k), s->init[k]);
        for (int c = 0; hands_over(s, k) && c < sink->l->ncols; c++)
            api_release(f, sink->taken[c]);
    }
}

static LLVMValueRef *emit_steps(Sweep *s, int n) {
    Fn *f = s->f;
    IrId kernel = kernel_of(s);
    find_sinks(s, ir_op(f->ir, kernel));
    bind_carried(s);
    emit_invariants(s, kernel);
    kernel_open(&s->k, f, kernel);
    s->k.is_outlined = s->k.is_swept = true;
    cut(s);
    make_buffers(s);
    Env env = {0};
    LLVMValueRef fn = kernel_range_fn(&s->k, &env, NULL);
    run(s, fn, &env);
    LLVMValueRef *out = results(s, n);
    release_initial(s);
    return out;
}

/* No steps: the initial values, retained where they are not handed over. */
static LLVMValueRef *emit_none(Sweep *s, int n) {
    Fn *f = s->f;
    LLVMValueRef *out = slots_new(f, n);
    for (int k = 0, at = 0; k < s->n; k++) {
        if (!op_consumes(f, s->op, 2 + k))
            slots_retain(f, layout_at(s, k), s->init[k]);
        for (int i = 0; i < layout_at(s, k)->nslots; i++)
            out[at++] = s->init[k][i];
    }
    return out;
}

void emit_sweep(Fn *f, IrId id) {
    Sweep sweep = {.f = f, .op = ir_op(f->ir, id)}, *s = &sweep;
    s->body = s->op->regions[0];
    s->n = s->op->nargs - 2;
    s->sink = NEW_ARRAY(f->e->arena, int, s->n);
    s->init = NEW_ARRAY(f->e->arena, LLVMValueRef *, s->n);
    s->from = NEW_ARRAY(f->e->arena, LLVMValueRef *, s->n);
    s->even = NEW_ARRAY(f->e->arena, LLVMValueRef *, s->n);
    s->steps = fn_sub(f, value_scalar(f, s->op->args[1]), value_scalar(f, s->op->args[0]));
    int n = 0;
    for (int k = 0; k < s->n; k++)
        n += layout_at(s, k)->nslots;
    LLVMBasicBlockRef ends[2], join = fn_block(f, "swept");
    LLVMBasicBlockRef steps = fn_block(f, "steps"), none = fn_block(f, "none");
    LLVMValueRef *out[2], *both = slots_new(f, n);
    fn_cond(f, fn_cmp(f, LLVMIntSGT, s->steps, fn_int(f, 0)), steps, none);
    fn_at(f, steps);
    out[0] = emit_steps(s, n);
    ends[0] = fn_here(f);
    fn_br(f, join);
    fn_at(f, none);
    out[1] = emit_none(s, n);
    ends[1] = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    for (int i = 0; i < n; i++) {
        both[i] = LLVMBuildPhi(B, LLVMTypeOf(out[0][i]), "");
        LLVMAddIncoming(both[i], (LLVMValueRef[]){out[0][i], out[1][i]}, ends, 2);
    }
    value_set(f, id, both, n);
}
