/* IFs and loops of a vectorised body.

   A varying IF runs each side under its own mask, if any lane wants it, and selects. A loop with a
   varying trip count runs while any lane is active. Copies of the body go through it together: they
   share its branches, so a loop goes on while a lane of any copy is active, and the ops of one
   copy fill the time that another's take.

   A lane that has left a loop keeps the carried values that are looked at afterwards; the others
   go on changing, which nobody sees: masks guard whatever could fault. */
#include "vector_body.h"

#define B (v->f->e->B)

/* All slots of some values, one after the other, of each copy. */
typedef struct {
    LLVMValueRef *s[VEC_COPIES];
    int n;
} Rows;

static Rows rows_of(Vec *v, const IrId *ids, int n) {
    Rows rows = {.n = 0};
    for (int k = 0; k < n; k++)
        rows.n += value_of(v->f, ids[k])->n;
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        rows.s[c] = slots_new(v->f, rows.n);
        for (int k = 0, at = 0; k < n; k++)
            for (int i = 0; i < value_of(v->f, ids[k])->n; i++)
                rows.s[c][at++] = value_of(v->f, ids[k])->s[i];
    }
    vec_at(v, 0);
    return rows;
}

static void set_rows(Vec *v, IrId id, const Rows *rows) {
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        value_set(v->f, id, rows->s[c], rows->n);
    }
    vec_at(v, 0);
}

/* Does any lane of any copy want it? */
static LLVMValueRef any_of(Vec *v, LLVMValueRef const *masks) {
    LLVMValueRef all = masks[0];
    for (int c = 1; c < v->ncopies; c++)
        all = LLVMBuildOr(B, all, masks[c], "");
    return vec_any(v, all);
}

/* ---- if ---- */

/* Joins what the side gives with nothing, where the side was skipped. */
static void join_skipped(Vec *v, Rows *rows, LLVMBasicBlockRef end, LLVMBasicBlockRef before) {
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < rows->n; k++) {
            LLVMValueRef value = rows->s[c][k], none = LLVMConstNull(LLVMTypeOf(value));
            rows->s[c][k] = LLVMBuildPhi(B, LLVMTypeOf(value), "");
            LLVMAddIncoming(rows->s[c][k], (LLVMValueRef[]){value, none},
                            (LLVMBasicBlockRef[]){end, before}, 2);
        }
}

static void enter_side(Vec *v, LLVMValueRef const *masks) {
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        v->mask = masks[c];
    }
    vec_at(v, 0);
    v->is_nested = true;
}

/* One side of a varying IF, under its masks. Skipped by a branch where that may pay or where it must
   not run for no lane at all. */
static Rows emit_side(Vec *v, const IrRegion *region, LLVMValueRef const *masks) {
    Vec outer = *v;
    Fn *f = v->f;
    enter_side(v, masks);
    LLVMBasicBlockRef before = fn_here(f), side = NULL, join = NULL;
    bool branches = !vector_is_cheap(f, region);
    if (branches) {
        side = fn_block(f, "side");
        join = fn_block(f, "join");
        fn_cond(f, any_of(v, masks), side, join);
        fn_at(f, side);
    }
    vec_ops(v, region);
    Rows rows = rows_of(v, region->results.at, region->results.len);
    if (branches) {
        LLVMBasicBlockRef end = fn_here(f);
        fn_br(f, join);
        fn_at(f, join);
        join_skipped(v, &rows, end, before);
    }
    vec_restore(v, &outer);
    return rows;
}

/* The side that is said to be rare, after the other one: where a lane wants it, it is run, and its
   values replace those of the other side. */
static Rows emit_rare_side(Vec *v, const IrRegion *region, LLVMValueRef const *masks,
                           LLVMValueRef const *conds, Rows other) {
    Vec outer = *v;
    Fn *f = v->f;
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < other.n; k++)
            other.s[c][k] = vec_splat(v, other.s[c][k]);
    LLVMBasicBlockRef before = fn_here(f), side = fn_block(f, "rare"), join = fn_block(f, "join");
    fn_unlikely(f, LLVMBuildNot(B, any_of(v, masks), ""), join, side);
    fn_at(f, side);
    enter_side(v, masks);
    vec_ops(v, region);
    Rows rows = rows_of(v, region->results.at, region->results.len);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < rows.n; k++)
            rows.s[c][k] = vec_blend(v, conds[c], rows.s[c][k], other.s[c][k]);
    LLVMBasicBlockRef end = fn_here(f);
    fn_br(f, join);
    fn_at(f, join);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < rows.n; k++) {
            LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(other.s[c][k]), "");
            LLVMAddIncoming(phi, (LLVMValueRef[]){rows.s[c][k], other.s[c][k]},
                            (LLVMBasicBlockRef[]){end, before}, 2);
            rows.s[c][k] = phi;
        }
    vec_restore(v, &outer);
    return rows;
}

static void emit_varying_if(Vec *v, IrId id) {
    IrOp *op = ir_op(v->f->ir, id);
    LLVMValueRef conds[VEC_COPIES], then_masks[VEC_COPIES], other_masks[VEC_COPIES];
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        conds[c] = vec_splat(v, value_scalar(v->f, op->args[0]));
        then_masks[c] = vec_masked(v, v->mask, conds[c]);
        other_masks[c] = vec_masked(v, v->mask, LLVMBuildNot(B, conds[c], ""));
    }
    vec_at(v, 0);
    if (ir_op(v->f->ir, op->args[0])->kind == IR_RARE) {
        Rows other = emit_side(v, op->regions[1], other_masks);
        Rows rows = emit_rare_side(v, op->regions[0], then_masks, conds, other);
        set_rows(v, id, &rows);
        return;
    }
    Rows then = emit_side(v, op->regions[0], then_masks);
    Rows otherwise = emit_side(v, op->regions[1], other_masks);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < then.n; k++)
            then.s[c][k] = vec_blend(v, conds[c], then.s[c][k], otherwise.s[c][k]);
    set_rows(v, id, &then);
}

static void emit_uniform_if(Vec *v, IrId id, LLVMValueRef cond) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    LLVMBasicBlockRef starts[] = {fn_block(f, "then"), fn_block(f, "else")}, ends[2];
    LLVMBasicBlockRef join = fn_block(f, "join");
    Rows rows[2];
    fn_cond(f, cond, starts[0], starts[1]);
    for (int side = 0; side < 2; side++) {
        fn_at(f, starts[side]);
        vec_ops(v, op->regions[side]);
        rows[side] = rows_of(v, op->regions[side]->results.at, op->regions[side]->results.len);
        for (int c = 0; c < v->ncopies; c++)
            for (int k = 0; v->plan->varying[id] && k < rows[side].n; k++)
                rows[side].s[c][k] = vec_splat(v, rows[side].s[c][k]);
        ends[side] = fn_here(f);
        fn_br(f, join);
    }
    fn_at(f, join);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0; k < rows[0].n; k++) {
            LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(rows[0].s[c][k]), "");
            LLVMAddIncoming(phi, (LLVMValueRef[]){rows[0].s[c][k], rows[1].s[c][k]}, ends, 2);
            rows[0].s[c][k] = phi;
        }
    set_rows(v, id, &rows[0]);
}

void vec_if(Vec *v, IrId id) {
    LLVMValueRef cond = value_scalar(v->f, ir_op(v->f->ir, id)->args[0]);
    if (scalar_is_vector(cond))
        emit_varying_if(v, id);
    else
        emit_uniform_if(v, id, cond);
}

/* ---- loops ---- */

static LLVMValueRef head_phi(Vec *v, LLVMValueRef init, LLVMBasicBlockRef before) {
    LLVMValueRef phi = LLVMBuildPhi(B, LLVMTypeOf(init), "");
    LLVMAddIncoming(phi, &init, &before, 1);
    return phi;
}

static void add_back(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from) {
    LLVMAddIncoming(phi, &value, &from, 1);
}

/* Initial values as the phis want them: vectors where the parameter varies. Before the branch to
   the loop. */
static Rows initial(Vec *v, const IrId *init, const IrId *params, int n) {
    Rows rows = rows_of(v, init, n);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0, at = 0; k < n; k++)
            for (int i = 0; i < value_of(v->f, init[k])->n; i++, at++)
                if (v->plan->varying[params[k]])
                    rows.s[c][at] = vec_splat(v, rows.s[c][at]);
    return rows;
}

/* Phis at the head of a loop; copies share those of scalars. */
static Rows phis_of(Vec *v, const Rows *init, LLVMBasicBlockRef before) {
    Rows phis = {.n = init->n};
    for (int c = 0; c < v->ncopies; c++) {
        phis.s[c] = slots_new(v->f, init->n);
        for (int k = 0; k < init->n; k++)
            phis.s[c][k] = c > 0 && !scalar_is_vector(init->s[c][k])
                               ? phis.s[0][k]
                               : head_phi(v, init->s[c][k], before);
    }
    return phis;
}

static void bind(Vec *v, const IrId *params, int n, const Rows *rows) {
    for (int c = 0; c < v->ncopies; c++) {
        vec_at(v, c);
        for (int k = 0, at = 0; k < n; k++) {
            int count = value_layout(v->f, params[k])->nslots;
            value_set(v->f, params[k], rows->s[c] + at, count);
            v->linear[params[k]] = (Linear){NULL, 0};
            at += count;
        }
    }
    vec_at(v, 0);
}

/* The results of a loop's body become the next carried values. Lanes out of `active` (NULL: there
   are none) keep theirs where the loop's value `id` is looked at for them. */
static void carry_back(Vec *v, IrId id, const IrRegion *body, const Rows *phis,
                       LLVMValueRef const *active) {
    Rows next = rows_of(v, body->results.at, body->results.len);
    for (int c = 0; c < v->ncopies; c++)
        for (int k = 0, at = 0; k < body->results.len; k++) {
            bool keeps = active && v->plan->wanted[id] >> (k < 63 ? k : 63) & 1;
            for (int i = 0; i < value_of(v->f, body->results.at[k])->n; i++, at++) {
                LLVMValueRef phi = phis->s[c][at], value = next.s[c][at];
                if (!scalar_is_vector(phi)) {
                    if (c == 0)
                        add_back(phi, value, fn_here(v->f));
                    continue;
                }
                value = keeps ? vec_blend(v, active[c], value, phi) : vec_splat(v, value);
                add_back(phi, value, fn_here(v->f));
            }
        }
}

/* Enters the body while the condition holds; where it varies, for the lanes where it holds. Gives
   whether it varies, and the active lanes of each copy. */
static bool enter_body(Vec *v, LLVMValueRef const *conds, LLVMBasicBlockRef run,
                       LLVMBasicBlockRef exit, LLVMValueRef *active) {
    bool varies = scalar_is_vector(conds[0]);
    for (int c = 0; varies && c < v->ncopies; c++) {
        vec_at(v, c);
        v->mask = active[c] = vec_masked(v, v->mask, conds[c]);
        v->is_nested = true;
    }
    vec_at(v, 0);
    fn_cond(v->f, varies ? any_of(v, active) : conds[0], run, exit);
    fn_at(v->f, run);
    return varies;
}

typedef struct {
    LLVMBasicBlockRef before, head, run, exit;
} Blocks;

static Blocks open_loop(Vec *v, const char *name) {
    Fn *f = v->f;
    Blocks b = {fn_here(f), fn_block(f, name), fn_block(f, "body"), fn_block(f, "done")};
    fn_br(f, b.head);
    fn_at(f, b.head);
    return b;
}

static void close_loop(Vec *v, const Blocks *b, const Vec *outer) {
    fn_br(v->f, b->head);
    fn_at(v->f, b->exit);
    vec_restore(v, outer);
}

/* i < hi in each copy. */
static void before_end(Vec *v, const Rows *i, const Rows *hi, LLVMValueRef *conds) {
    for (int c = 0; c < v->ncopies; c++) {
        LLVMValueRef left = i->s[c][0], right = hi->s[c][0];
        bool wide = scalar_is_vector(left) || scalar_is_vector(right);
        conds[c] = LLVMBuildICmp(B, LLVMIntSLT, wide ? vec_splat(v, left) : left,
                                 wide ? vec_splat(v, right) : right, "");
    }
}

void vec_for(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    IrRegion *body = op->regions[0];
    int n = op->nargs - 2;
    LLVMValueRef conds[VEC_COPIES], active[VEC_COPIES];
    Rows lo = rows_of(v, op->args, 1), hi = rows_of(v, op->args + 1, 1);
    Rows init = initial(v, op->args + 2, body->params.at + 1, n);
    Vec outer = *v;
    Blocks blocks = open_loop(v, "for");
    Rows i = phis_of(v, &lo, blocks.before), phis = phis_of(v, &init, blocks.before);
    before_end(v, &i, &hi, conds);
    bool diverges = enter_body(v, conds, blocks.run, blocks.exit, active);
    bind(v, body->params.at, 1, &i);
    bind(v, body->params.at + 1, n, &phis);
    vec_ops(v, body);
    bool wide = scalar_is_vector(i.s[0][0]);
    for (int c = 0; c < (wide ? v->ncopies : 1); c++) {
        LLVMValueRef one = wide ? vec_splat(v, fn_int(f, 1)) : fn_int(f, 1);
        add_back(i.s[c][0], fn_add(f, i.s[c][0], one), fn_here(f));
    }
    carry_back(v, id, body, &phis, diverges ? active : NULL);
    close_loop(v, &blocks, &outer);
    set_rows(v, id, &phis);
}

/* The masks are carried too: a lane that has left a loop never comes back. */
void vec_loop(Vec *v, IrId id) {
    Fn *f = v->f;
    IrOp *op = ir_op(f->ir, id);
    IrRegion *test = op->regions[0], *body = op->regions[1];
    bool diverges = v->plan->varying[test->results.at[0]];
    LLVMValueRef conds[VEC_COPIES], active[VEC_COPIES], masks[VEC_COPIES];
    Rows init = initial(v, op->args, body->params.at, op->nargs);
    Vec outer = *v;
    Blocks blocks = open_loop(v, "while");
    Rows phis = phis_of(v, &init, blocks.before);
    for (int c = 0; diverges && c < v->ncopies; c++) {
        vec_at(v, c);
        LLVMValueRef all = LLVMConstAllOnes(LLVMVectorType(f->e->i1, (unsigned)v->lanes));
        v->mask = masks[c] = head_phi(v, v->mask ? v->mask : all, blocks.before);
        v->is_nested = true;
    }
    vec_at(v, 0);
    bind(v, test->params.at, op->nargs, &phis);
    vec_ops(v, test);
    Rows cond = rows_of(v, test->results.at, 1);
    for (int c = 0; c < v->ncopies; c++)
        conds[c] = diverges ? vec_splat(v, cond.s[c][0]) : cond.s[c][0];
    enter_body(v, conds, blocks.run, blocks.exit, active);
    bind(v, body->params.at, op->nargs, &phis);
    vec_ops(v, body);
    carry_back(v, id, body, &phis, diverges ? active : NULL);
    for (int c = 0; diverges && c < v->ncopies; c++)
        add_back(masks[c], active[c], fn_here(f));
    close_loop(v, &blocks, &outer);
    set_rows(v, id, &phis);
}
