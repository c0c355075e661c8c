/* Blocks, branches, loops, returns, assertions. Assignment makes a new value of a local; branches and
   loops join what their bodies changed. `return`, `break` and `continue` set hidden locals, and what
   follows a statement that may have set one runs only if it has not. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* ---- walking the tree ---- */

typedef bool (*Visit)(const Expr *e, void *ctx);

static void walk_args(const ArgList *args, Visit visit, void *ctx) {
    for (int i = 0; i < args->len; i++)
        walk_expr(args->at[i].value, visit, ctx);
}

static void walk_list(const ExprList *list, Visit visit, void *ctx) {
    for (int i = 0; i < list->len; i++)
        walk_expr(list->at[i], visit, ctx);
}

static void walk_clauses(const ClauseList *clauses, Visit visit, void *ctx) {
    for (int i = 0; i < clauses->len; i++)
        walk_expr(clauses->at[i].source, visit, ctx);
}

/* Visits e and what it contains; false from visit skips the inside. */
bool walk_expr(const Expr *e, Visit visit, void *ctx) {
    if (!e || !visit(e, ctx))
        return false;
    switch (e->kind) {
    case EXPR_STRING:
        for (int i = 0; i < e->string.len; i++)
            walk_expr(e->string.at[i].hole, visit, ctx);
        return true;
    case EXPR_TUPLE: walk_args(&e->tuple, visit, ctx); return true;
    case EXPR_PAREN: walk_expr(e->inner, visit, ctx); return true;
    case EXPR_LIST: walk_list(&e->list, visit, ctx); return true;
    case EXPR_COMPREHENSION:
        walk_clauses(&e->comp.clauses, visit, ctx);
        walk_expr(e->comp.cond, visit, ctx);
        walk_expr(e->comp.body, visit, ctx);
        return true;
    case EXPR_RANGE:
        walk_expr(e->range.lo, visit, ctx);
        walk_expr(e->range.hi, visit, ctx);
        walk_expr(e->range.by, visit, ctx);
        return true;
    case EXPR_UNARY: walk_expr(e->unary.operand, visit, ctx); return true;
    case EXPR_BINARY:
        walk_expr(e->binary.lhs, visit, ctx);
        walk_expr(e->binary.rhs, visit, ctx);
        return true;
    case EXPR_INDEX:
        walk_expr(e->index.base, visit, ctx);
        walk_list(&e->index.items, visit, ctx);
        return true;
    case EXPR_FIELD: walk_expr(e->field.base, visit, ctx); return true;
    case EXPR_TUPLE_FIELD: walk_expr(e->tuple_field.base, visit, ctx); return true;
    case EXPR_CALL:
        walk_expr(e->call.fn, visit, ctx);
        walk_args(&e->call.args, visit, ctx);
        return true;
    case EXPR_PIPE:
        walk_expr(e->pipe.lhs, visit, ctx);
        walk_expr(e->pipe.rhs, visit, ctx);
        return true;
    case EXPR_WITH_FIELDS:
        walk_expr(e->with_fields.base, visit, ctx);
        walk_args(&e->with_fields.fields, visit, ctx);
        return true;
    case EXPR_WITH_AT:
        walk_expr(e->with_at.base, visit, ctx);
        walk_list(&e->with_at.items, visit, ctx);
        walk_expr(e->with_at.value, visit, ctx);
        return true;
    case EXPR_IF:
        walk_expr(e->branch.cond, visit, ctx);
        walk_expr(e->branch.then, visit, ctx);
        walk_expr(e->branch.otherwise, visit, ctx);
        return true;
    case EXPR_MATCH:
        walk_expr(e->match.subject, visit, ctx);
        for (int i = 0; i < e->match.arms.len; i++) {
            walk_expr(e->match.arms.at[i].guard, visit, ctx);
            walk_expr(e->match.arms.at[i].body, visit, ctx);
        }
        return true;
    case EXPR_BLOCK: walk_list(&e->block, visit, ctx); return true;
    case EXPR_LOOP:
        for (int i = 0; i < e->loop.vars.len; i++)
            walk_expr(e->loop.vars.at[i].init, visit, ctx);
        walk_expr(e->loop.source, visit, ctx);
        walk_expr(e->loop.cond, visit, ctx);
        walk_expr(e->loop.body, visit, ctx);
        return true;
    case EXPR_LAMBDA: walk_expr(e->lambda.body, visit, ctx); return true;
    case EXPR_TRY:
        walk_expr(e->attempt.tried, visit, ctx);
        walk_expr(e->attempt.otherwise, visit, ctx);
        return true;
    case EXPR_SEND:
    case EXPR_ASK:
        walk_expr(e->send.to, visit, ctx);
        walk_args(&e->send.args, visit, ctx);
        return true;
    case EXPR_WITHIN:
    case EXPR_AFTER:
        walk_expr(e->timed.message, visit, ctx);
        walk_expr(e->timed.time, visit, ctx);
        return true;
    case EXPR_SPAWN: walk_args(&e->spawn.args, visit, ctx); return true;
    case EXPR_LET: walk_expr(e->let.value, visit, ctx); return true;
    case EXPR_ASSIGN:
        walk_expr(e->assign.place, visit, ctx);
        walk_expr(e->assign.value, visit, ctx);
        return true;
    case EXPR_FOR:
        walk_clauses(&e->for_loop.clauses, visit, ctx);
        walk_expr(e->for_loop.body, visit, ctx);
        return true;
    case EXPR_WHILE:
        walk_expr(e->while_loop.cond, visit, ctx);
        walk_expr(e->while_loop.body, visit, ctx);
        return true;
    case EXPR_ASSERT:
        walk_expr(e->assertion.cond, visit, ctx);
        walk_expr(e->assertion.message, visit, ctx);
        return true;
    case EXPR_RETURN:
    case EXPR_STOP: walk_expr(e->value, visit, ctx); return true;
    case EXPR_ERROR:
    case EXPR_INT:
    case EXPR_FLOAT:
    case EXPR_BOOL:
    case EXPR_DURATION:
    case EXPR_NAME:
    case EXPR_HOLE:
    case EXPR_SELF:
    case EXPR_OPERATOR:
    case EXPR_BREAK:
    case EXPR_CONTINUE:
    case EXPR_KIND_COUNT: return true;
    }
    UNREACHABLE();
}

typedef struct {
    bool returns, breaks, continues, asks;
} Exits;

/* Loops keep their own breaks; lambdas keep all. */
static bool visit_exits(const Expr *e, void *ctx) {
    Exits *x = ctx;
    if (e->kind == EXPR_LAMBDA)
        return false;
    x->returns |= e->kind == EXPR_RETURN;
    x->breaks |= e->kind == EXPR_BREAK;
    x->continues |= e->kind == EXPR_CONTINUE;
    x->asks |= e->kind == EXPR_ASK || e->kind == EXPR_SEND || e->kind == EXPR_SPAWN;
    if (e->kind == EXPR_FOR || e->kind == EXPR_WHILE || e->kind == EXPR_LOOP) {
        Exits inner = {0};
        const Expr *body = e->kind == EXPR_FOR     ? e->for_loop.body
                           : e->kind == EXPR_WHILE ? e->while_loop.body
                                                   : e->loop.body;
        walk_expr(body, visit_exits, &inner);
        x->returns |= inner.returns;
        x->asks |= inner.asks;
        return false;
    }
    return true;
}

static Exits exits_of(const Expr *e) {
    Exits x = {0};
    walk_expr(e, visit_exits, &x);
    return x;
}

bool may_exit(const Expr *e) {
    Exits x = exits_of(e);
    return x.returns || x.breaks || x.continues;
}

/* ---- return ---- */

static int pseudo(Checker *ck, const char *name, Val v) {
    int at = local_add(ck, ck_name(ck, name), v, (Span){0}, false);
    ck->locals.at[at].is_pseudo = true;
    return at;
}

void do_return(Checker *ck, Val v, Span span) {
    FnCtx *fn = ck->fn;
    if (fn->returned < 0) {
        ck_error(ck, DIAG_OUT_OF_PLACE, span, "nothing to return from here");
        return;
    }
    if (!v.type)
        v = val_unit(ck);
    if (fn->result)
        v = coerce(ck, v, fn->result, span, "the result");
    Local *retval = &ck->locals.at[fn->retval];
    if (retval->val.type && !fn->result) {
        Val old = retval->val;
        if (!type_unify(ck->ts, old.type, v.type)) {
            bool ok = true;
            Val converted = convert_to(ck, v, old.type, &ok);
            if (ok)
                v = converted;
        }
    }
    retval->val = v;
    ck->locals.at[fn->returned].val = val_bool(ck, true);
    ck->dead = true;
}

Val check_body(Checker *ck, const Expr *body, Span span) {
    bool dead = ck->dead;
    ck->dead = false;
    int locals = ck->locals.len;
    Val v;
    if (!exits_of(body).returns) {
        v = check_expr(ck, body);
        if (ck->fn->result && v.type)
            v = coerce(ck, v, ck->fn->result, body->span, "the result");
    } else {
        ck->fn->returned = pseudo(ck, "$returned", val_bool(ck, false));
        ck->fn->retval = pseudo(ck, "$retval", (Val){0});
        check_tail(ck, body);
        if (!ck->dead)
            do_return(ck, val_unit(ck), span);
        v = ck->locals.at[ck->fn->retval].val;
    }
    ck->locals.len = locals;
    ck->dead = dead;
    return v.type ? v : val_unit(ck);
}

/* ---- blocks ---- */

static Val check_stmts(Checker *ck, const ExprList *list, int from, bool tail, bool want);

static void unused_value(Checker *ck, const Expr *e, Val v) {
    Type *type = v.type ? type_of(ck, v) : NULL;
    if (!type || type->kind == TYPE_POISON || (type->kind == TYPE_TUPLE && type->count == 0))
        return;
    Diag *d = ck_error(ck, DIAG_UNUSED_VALUE, e->span, "this value is not used");
    diag_label(ck->diags, d, "%s", text_of(ck, type));
    if (e->kind == EXPR_UNARY && e->unary.op == OP_NEG)
        diag_help(ck->diags, d, "a line that begins with `-` is a statement of its own: end the "
                                "line before it with the `-`");
    else if (e->kind == EXPR_BINARY && e->binary.op == OP_EQ)
        diag_help(ck->diags, d, "`=` assigns, `==` compares");
    else
        diag_help(ck->diags, d, "`let _ = …` drops it");
}

/* The value at the end of a function's body. */
void check_tail(Checker *ck, const Expr *e) {
    if (e->kind == EXPR_BLOCK) {
        int locals = ck->locals.len;
        check_stmts(ck, &e->block, 0, true, true);
        ck->locals.len = locals;
        return;
    }
    if (e->kind == EXPR_IF && e->branch.otherwise && may_exit(e)) {
        check_if(ck, e, true, true);
        return;
    }
    if (e->kind == EXPR_MATCH && may_exit(e)) {
        check_match(ck, e, true, true);
        return;
    }
    Val v = check_expr(ck, e);
    if (!ck->dead)
        do_return(ck, v, e->span);
}

/* Is any of the exits of the current function or loop set? IR_NONE: surely none. */
static IrId exit_flag(Checker *ck) {
    IrId any = IR_NONE;
    int flags[] = {ck->fn->returned, ck->fn->brk, ck->fn->cont};
    for (int i = 0; i < ARRAY_LEN(flags); i++) {
        int64_t known;
        if (flags[i] < 0)
            continue;
        Val v = ck->locals.at[flags[i]].val;
        if (fold_const(ck, v, &known) && !known)
            continue;
        any = any ? ir_binary(&ck->b, IR_BITOR, any, v.id) : v.id;
    }
    return any;
}

static void clear_flags(Checker *ck) {
    int flags[] = {ck->fn->returned, ck->fn->brk, ck->fn->cont};
    for (int i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i] >= 0)
            ck->locals.at[flags[i]].val = val_bool(ck, false);
}

/* The rest of a block after a statement that may have left it. */
static Val check_rest(Checker *ck, const ExprList *list, int from, bool tail, bool want,
                      IrId exited) {
    Fork f = fork_begin(ck);
    Branch on, left;
    IrId go = ir_unary(&ck->b, IR_BITNOT, exited);
    branch_begin(ck, &f, &on);
    clear_flags(ck);
    Val v = check_stmts(ck, list, from, tail, want);
    branch_end(ck, &f, &on, v);
    branch_begin(ck, &f, &left);
    ck->dead = true;
    branch_end(ck, &f, &left, (Val){0});
    return fork_join(ck, &f, go, &on, &left, want, list->at[from]->span);
}

/* `if c { … return x }` and then the rest: the rest stands in the other branch. */
static Val check_guard(Checker *ck, const ExprList *list, int i, bool tail, bool want) {
    const Expr *e = list->at[i];
    Val c = condition(ck, check_expr(ck, e->branch.cond), e->branch.cond->span, "the condition");
    int64_t known;
    if (is_poison(ck, c))
        c = val_bool(ck, true), known = 1;
    if (fold_const(ck, c, &known)) {
        const Expr *taken = known ? e->branch.then : e->branch.otherwise;
        if (taken)
            check_statement(ck, taken);
        return ck->dead ? (Val){0} : check_stmts(ck, list, i + 1, tail, want);
    }
    Fork f = fork_begin(ck);
    Branch a, b;
    const Expr *sides[] = {e->branch.then, e->branch.otherwise};
    Branch *branches[] = {&a, &b};
    for (int k = 0; k < 2; k++) {
        branch_begin(ck, &f, branches[k]);
        if (sides[k])
            check_statement(ck, sides[k]);
        Val v = {0};
        if (!ck->dead) {
            IrId exited = exit_flag(ck);
            v = exited ? check_rest(ck, list, i + 1, tail, want, exited)
                       : check_stmts(ck, list, i + 1, tail, want);
        }
        branch_end(ck, &f, branches[k], v);
    }
    return fork_join(ck, &f, c.id, &a, &b, want, e->span);
}

/* Does this side surely leave? Then the rest stands on one side only, not twice. */
static bool surely_leaves(const Expr *e) {
    if (!e)
        return false;
    switch ((int)e->kind) {
    case EXPR_RETURN:
    case EXPR_BREAK:
    case EXPR_CONTINUE: return true;
    case EXPR_BLOCK:
        for (int i = 0; i < e->block.len; i++)
            if (surely_leaves(e->block.at[i]))
                return true;
        return false;
    case EXPR_IF: return surely_leaves(e->branch.then) && surely_leaves(e->branch.otherwise);
    default: return false;
    }
}

static Val check_stmts(Checker *ck, const ExprList *list, int from, bool tail, bool want) {
    for (int i = from; i < list->len; i++) {
        const Expr *e = list->at[i];
        bool last = i + 1 == list->len;
        if (last && tail) {
            check_tail(ck, e);
            return (Val){0};
        }
        if (last && want)
            return check_expr(ck, e);
        if (!last && e->kind == EXPR_IF && may_exit(e) &&
            (surely_leaves(e->branch.then) || surely_leaves(e->branch.otherwise)))
            return check_guard(ck, list, i, tail, want);
        check_statement(ck, e);
        if (ck->dead) {
            if (!last && !ck->quiet)
                diag_report(ck->diags, DIAG_UNREACHABLE, list->at[i + 1]->span,
                            "this is never reached");
            return (Val){0};
        }
        IrId exited = !last && may_exit(e) ? exit_flag(ck) : IR_NONE;
        if (exited)
            return check_rest(ck, list, i + 1, tail, want, exited);
    }
    if (tail && !ck->dead)
        do_return(ck, val_unit(ck), (Span){0});
    return ck->dead ? (Val){0} : val_unit(ck);
}

Val check_block(Checker *ck, const Expr *e, bool want) {
    int locals = ck->locals.len;
    Val v = check_stmts(ck, &e->block, 0, false, want);
    ck->locals.len = locals;
    return v;
}

/* ---- if and try ---- */

static Val branch_value(Checker *ck, const Expr *e, bool want, bool tail) {
    if (tail) {
        check_tail(ck, e);
        return (Val){0};
    }
    if (want)
        return check_expr(ck, e);
    check_statement(ck, e);
    return (Val){0};
}

Val check_if(Checker *ck, const Expr *e, bool want, bool tail) {
    Val c = condition(ck, check_expr(ck, e->branch.cond), e->branch.cond->span, "the condition");
    int64_t known;
    if (is_poison(ck, c)) {
        branch_value(ck, e->branch.then, want || tail, false);
        return val_poison(ck);
    }
    if (fold_const(ck, c, &known)) {
        const Expr *taken = known ? e->branch.then : e->branch.otherwise;
        Val v = taken ? branch_value(ck, taken, want, tail) : val_unit(ck);
        return want && !v.type && !ck->dead ? val_unit(ck) : v;
    }
    bool value = want && e->branch.otherwise && !tail;
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, branch_value(ck, e->branch.then, value, tail));
    branch_begin(ck, &f, &b);
    Val v = e->branch.otherwise ? branch_value(ck, e->branch.otherwise, value, tail) : (Val){0};
    branch_end(ck, &f, &b, v);
    v = fork_join(ck, &f, c.id, &a, &b, value, e->span);
    return want && !v.type && !ck->dead ? val_unit(ck) : v;
}

Val check_try(Checker *ck, const Expr *e) {
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, check_expr(ck, e->attempt.tried));
    branch_begin(ck, &f, &b);
    branch_end(ck, &f, &b, check_expr(ck, e->attempt.otherwise));
    return fork_join(ck, &f, IR_NONE, &a, &b, true, e->span);
}

/* ---- loops ---- */

typedef VEC(int) IntList;

/* A size of a carried value that a round may change. */
typedef struct {
    int k; /* which of the carried values */
    uint64_t path;
    int axis;
} Changed;

typedef struct {
    Checker *ck;
    IntList list;
} Assigned;

static void add_assigned(Assigned *a, int local) {
    for (int i = 0; i < a->list.len; i++)
        if (a->list.at[i] == local)
            return;
    vec_push(a->ck->arena, &a->list, local);
}

static void assigned_place(Assigned *a, const Expr *place) {
    switch ((int)place->kind) {
    case EXPR_NAME: {
        Local *local = local_find(a->ck, place->name);
        if (local && local->is_var)
            add_assigned(a, (int)(local - a->ck->locals.at));
        return;
    }
    case EXPR_PAREN: assigned_place(a, place->inner); return;
    case EXPR_INDEX: assigned_place(a, place->index.base); return;
    case EXPR_FIELD: assigned_place(a, place->field.base); return;
    case EXPR_TUPLE_FIELD: assigned_place(a, place->tuple_field.base); return;
    case EXPR_TUPLE:
        for (int i = 0; i < place->tuple.len; i++)
            assigned_place(a, place->tuple.at[i].value);
        return;
    default: return;
    }
}

static bool visit_assigned(const Expr *e, void *ctx) {
    if (e->kind == EXPR_ASSIGN)
        assigned_place(ctx, e->assign.place);
    return e->kind != EXPR_LAMBDA;
}

/* What a loop runs: a body over carried locals, counted or while a condition holds. */
typedef struct Loop Loop;
struct Loop {
    IrId count;                              /* counted, or IR_NONE */
    IrId (*cond)(Checker *ck, Loop *loop);   /* while */
    void (*body)(Checker *ck, Loop *loop, IrId i);
    const void *ctx;
    IntList carried;                         /* locals */
    bool exits; /* break or return: the exit flags are tested before each round */
    Span span;
    VEC(Changed) changed; /* the other sizes stay as they are at the start */
    Val *init;
    int extra;    /* first local of this loop's own values (loop expression) */
};

static bool has_changed(const Loop *loop, int k, uint64_t path, int axis) {
    for (int i = 0; i < loop->changed.len; i++) {
        const Changed *c = &loop->changed.at[i];
        if (c->k == k && c->path == path && c->axis == axis)
            return true;
    }
    return false;
}

/* The sizes of carried value k, now called id, are those of `from` but for the changed ones. */
static void assume_kept(Checker *ck, const Loop *loop, int k, IrId id, uint64_t path, Type *type,
                        IrId from) {
    type = type_resolve(ck->ts, type);
    for (int axis = 0; type->kind == TYPE_ARRAY && axis < type->rank; axis++)
        if (!has_changed(loop, k, path, axis))
            ck_assume_dim(ck, id, path, axis, ck_dim(ck, from, axis));
    for (int i = 0; type_is_product(type) && !type_is_flat(type) && i < type->count; i++)
        assume_kept(ck, loop, k, id, path * 64 + (uint64_t)i + 1, type->items[i],
                    ir_get(&ck->b, from, i));
}

static void set_carried(Checker *ck, const Loop *loop, IrRegion *region) {
    for (int k = 0; k < loop->carried.len; k++) {
        Val init = loop->init[k];
        IrId param = ir_param(ck->b.func, region, init.type);
        ck->locals.at[loop->carried.at[k]].val = val(init.type, param);
        assume_kept(ck, loop, k, param, 0, init.type, init.id);
    }
}

static void yield_carried(Checker *ck, const Loop *loop, IrRegion *region) {
    for (int k = 0; k < loop->carried.len; k++) {
        Local *local = &ck->locals.at[loop->carried.at[k]];
        Val v = coerce(ck, local->val, loop->init[k].type, local->span, "a loop's variable");
        vec_push(ck->arena, &region->results, v.id);
    }
}

/* Notes the sizes of a carried value that a round changes, or that it cannot be seen to keep. */
static void note_changes(Checker *ck, Loop *loop, int k, uint64_t path, Type *type, IrId before,
                         IrId after, IrId mark) {
    type = type_resolve(ck->ts, type);
    for (int axis = 0; type->kind == TYPE_ARRAY && axis < type->rank; axis++) {
        int64_t difference;
        IrId now = ck_outside(ck, ck_dim(ck, after, axis), mark);
        bool kept = now && ir_difference(ck->b.func, ck_dim(ck, before, axis), now, &difference) &&
                    difference == 0;
        if (!kept && !has_changed(loop, k, path, axis))
            vec_push(ck->arena, &loop->changed, (Changed){k, path, axis});
    }
    for (int i = 0; type_is_product(type) && !type_is_flat(type) && i < type->count; i++)
        note_changes(ck, loop, k, path * 64 + (uint64_t)i + 1, type->items[i],
                     ir_get(&ck->b, before, i), ir_get(&ck->b, after, i), mark);
}

/* True if a size that was taken as fixed is not. */
static bool sizes_change(Checker *ck, Loop *loop, const IrRegion *body, int first, IrId mark) {
    int before = loop->changed.len;
    for (int k = 0; k < loop->carried.len; k++)
        note_changes(ck, loop, k, 0, loop->init[k].type, loop->init[k].id,
                     body->results.at[first + k], mark);
    return loop->changed.len > before;
}

static IrId loop_go(Checker *ck, Loop *loop, IrId i) {
    IrId go = i ? ir_binary(&ck->b, IR_LT, i, loop->count) : IR_NONE;
    IrId exited = loop->exits ? exit_flag(ck) : IR_NONE;
    if (exited) {
        IrId on = ir_unary(&ck->b, IR_BITNOT, exited);
        go = go ? ir_binary(&ck->b, IR_BITAND, go, on) : on;
    }
    if (!loop->cond)
        return go ? go : ir_bool(&ck->b, true);
    if (!go)
        return loop->cond(ck, loop);
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, val(basic(ck, TYPE_BOOL), loop->cond(ck, loop)));
    branch_begin(ck, &f, &b);
    branch_end(ck, &f, &b, val_bool(ck, false));
    return fork_join(ck, &f, go, &a, &b, true, loop->span).id;
}

typedef struct {
    IrRegion *cond, *body;
    bool again;  /* sizes changed or a value got its type: evaluate again */
    IrId first;
} Attempt;

static Attempt loop_attempt(Checker *ck, Loop *loop, bool counted) {
    Attempt at = {.cond = ir_region_new(ck->c->ir), .body = ir_region_new(ck->c->ir)};
    IrRegion *outer = ck->b.region;
    Type *i64 = basic(ck, TYPE_I64);
    bool index = counted || loop->count; /* is the first carried value a counter? */
    IrId mark = ck_mark(ck);
    FnCtx *fn = ck->fn;
    if (!counted) {
        ck->b.region = at.cond;
        IrId i = index ? ir_param(ck->b.func, at.cond, i64) : IR_NONE;
        set_carried(ck, loop, at.cond);
        vec_push(ck->arena, &at.cond->results, loop_go(ck, loop, i));
    }
    ck->b.region = at.body;
    IrId i = index ? ir_param(ck->b.func, at.body, i64) : IR_NONE;
    set_carried(ck, loop, at.body);
    if (loop->exits)
        clear_flags(ck);
    Val retval = fn->retval >= 0 ? ck->locals.at[fn->retval].val : (Val){0};
    int locals = ck->locals.len, cont = fn->cont;
    fn->cont = pseudo(ck, "$continue", val_bool(ck, false));
    ck->loop_depth++;
    loop->body(ck, loop, i);
    ck->loop_depth--;
    fn->cont = cont;
    ck->locals.len = locals;
    ck->dead = false;
    at.again = fn->retval >= 0 && !retval.type && ck->locals.at[fn->retval].val.type;
    if (index && !counted)
        vec_push(ck->arena, &at.body->results,
                 ir_binary(&ck->b, IR_ADD, i, ir_int(&ck->b, i64, 1)));
    yield_carried(ck, loop, at.body);
    if (!at.again)
        at.again = sizes_change(ck, loop, at.body, index && !counted, mark);
    ck->b.region = outer;
    return at;
}

static void restore_init(Checker *ck, const Loop *loop) {
    for (int k = 0; k < loop->carried.len; k++)
        ck->locals.at[loop->carried.at[k]].val = loop->init[k];
}

/* A value set by `return` inside the loop is carried, too, once its type is known. */
static void carry_retval(Checker *ck, Loop *loop) {
    int at = ck->fn->retval;
    Type *type = type_of(ck, ck->locals.at[at].val);
    Val *init = NEW_ARRAY(ck->arena, Val, loop->carried.len + 1);
    memcpy(init, loop->init, sizeof *init * (size_t)loop->carried.len);
    init[loop->carried.len] = val(type, ir_undef(&ck->b, type));
    vec_push(ck->arena, &loop->carried, at);
    loop->init = init;
}

static void run_loop(Checker *ck, Loop *loop) {
    int n = loop->carried.len;
    loop->init = NEW_ARRAY(ck->arena, Val, n + 2);
    for (int k = 0; k < n; k++)
        loop->init[k] = ck->locals.at[loop->carried.at[k]].val;
    bool counted = loop->count && !loop->exits && !loop->cond;
    Attempt at = loop_attempt(ck, loop, counted);
    for (int tries = 0; at.again && tries < 8; tries++) {
        bool typed = ck->fn->retval >= 0 && ck->locals.at[ck->fn->retval].val.type;
        bool carried = false;
        for (int k = 0; k < loop->carried.len; k++)
            carried |= loop->carried.at[k] == ck->fn->retval;
        if (loop->exits && typed && !carried && ck->fn->retval >= 0)
            carry_retval(ck, loop);
        restore_init(ck, loop);
        at = loop_attempt(ck, loop, counted);
    }
    n = loop->carried.len;
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n + 2);
    bool index = loop->count && !counted;
    int extra = index;
    if (index)
        ids[0] = ir_int(&ck->b, basic(ck, TYPE_I64), 0);
    for (int k = 0; k < n; k++)
        ids[k + extra] = loop->init[k].id;
    IrId zero = counted ? ir_int(&ck->b, basic(ck, TYPE_I64), 0) : IR_NONE;
    IrId done = counted ? ir_for(&ck->b, zero, loop->count, ids, n, at.body)
                        : ir_loop(&ck->b, ids, n + extra, at.cond, at.body);
    for (int k = 0; k < n; k++) {
        IrId id = n + extra == 1 ? done : ir_get(&ck->b, done, k + extra);
        Val init = loop->init[k];
        ck->locals.at[loop->carried.at[k]].val = val(init.type, id);
        if (!type_is_flat(type_of(ck, init)))
            assume_kept(ck, loop, k, id, 0, init.type, init.id);
    }
}

/* The locals a body may change: what it assigns, an actor's state, and the exit flags. */
static IntList carried_locals(Checker *ck, const Expr *body, const Expr *cond, bool exits) {
    Assigned a = {.ck = ck};
    walk_expr(body, visit_assigned, &a);
    walk_expr(cond, visit_assigned, &a);
    FnCtx *fn = ck->fn;
    for (int i = fn->base; fn->actor && i < ck->locals.len; i++)
        if (ck->locals.at[i].is_var && ck->locals.at[i].val.type)
            add_assigned(&a, i);
    if (exits && fn->returned >= 0)
        add_assigned(&a, fn->returned);
    if (exits && fn->retval >= 0 && ck->locals.at[fn->retval].val.type)
        add_assigned(&a, fn->retval);
    if (exits && fn->brk >= 0)
        add_assigned(&a, fn->brk);
    return a.list;
}

typedef struct {
    const Expr *e;
    int clause; /* of a for statement */
    Val source; /* array */
    const Expr *range;
    Val lo;
    IrId step;
} ForCtx;

static void for_clause(Checker *ck, const Expr *e, int clause);

static void for_body(Checker *ck, Loop *loop, IrId i) {
    const ForCtx *c = loop->ctx;
    const Expr *e = c->e;
    Val v;
    if (c->range) {
        IrId offset = c->step ? ir_binary(&ck->b, IR_MUL, i, c->step) : i;
        Type *type = type_of(ck, c->lo);
        IrId value = ir_convert(&ck->b, type, offset);
        v = val(type, ir_binary(&ck->b, IR_ADD, value, c->lo.id));
    } else {
        v = element(ck, c->source, i);
    }
    int locals = ck->locals.len;
    bind_pattern(ck, e->for_loop.clauses.at[c->clause].pattern, v, false);
    if (c->clause + 1 < e->for_loop.clauses.len)
        for_clause(ck, e, c->clause + 1);
    else
        check_statement(ck, e->for_loop.body);
    ck->locals.len = locals;
}

static const Expr *strip(const Expr *e) {
    while (e->kind == EXPR_PAREN)
        e = e->inner;
    return e;
}

/* Fills count and what a round's value comes from. */
static bool for_source(Checker *ck, const Expr *source, ForCtx *c, IrId *count) {
    source = strip(source);
    if (source->kind == EXPR_RANGE && source->range.lo && source->range.hi) {
        c->range = source;
        return range_parts(ck, source, &c->lo, count, &c->step);
    }
    c->source = as_array(ck, check_expr(ck, source));
    Type *type = type_of(ck, c->source);
    if (type->kind == TYPE_TUPLE) {
        c->source = tuple_as_list(ck, c->source);
        type = type_of(ck, c->source);
    }
    if (type->kind == TYPE_ARRAY) {
        *count = ck_dim(ck, c->source.id, 0);
        return true;
    }
    if (type->kind != TYPE_POISON)
        ck_error(ck, DIAG_TYPE_MISMATCH, source->span,
                 "this is %s; one can go over arrays, lists, sets and ranges", text_of(ck, type));
    return false;
}

static void for_clause(Checker *ck, const Expr *e, int clause) {
    ForCtx *c = NEW(ck->arena, ForCtx);
    *c = (ForCtx){.e = e, .clause = clause};
    IrId count;
    if (!for_source(ck, e->for_loop.clauses.at[clause].source, c, &count))
        return;
    Exits x = exits_of(e->for_loop.body);
    Loop loop = {.count = count, .body = for_body, .ctx = c, .span = e->span,
                 .exits = x.returns || x.breaks};
    loop.carried = carried_locals(ck, e->for_loop.body, NULL, loop.exits);
    run_loop(ck, &loop);
}

/* Runs a loop statement with a `break` flag of its own. */
static void with_break(Checker *ck, const Expr *e, void (*run)(Checker *ck, const Expr *e)) {
    int brk = ck->fn->brk, cont = ck->fn->cont, locals = ck->locals.len;
    ck->fn->brk = pseudo(ck, "$break", val_bool(ck, false));
    ck->fn->cont = -1;
    run(ck, e);
    ck->fn->brk = brk;
    ck->fn->cont = cont;
    ck->locals.len = locals;
}

static void run_for(Checker *ck, const Expr *e) {
    for_clause(ck, e, 0);
}

static IrId while_cond(Checker *ck, Loop *loop) {
    const Expr *e = loop->ctx;
    return condition(ck, check_expr(ck, e->while_loop.cond), e->while_loop.cond->span,
                     "the condition").id;
}

static void while_body(Checker *ck, Loop *loop, IrId i) {
    (void)i;
    check_statement(ck, ((const Expr *)loop->ctx)->while_loop.body);
}

static void run_while(Checker *ck, const Expr *e) {
    Exits x = exits_of(e->while_loop.body);
    Loop loop = {.cond = while_cond, .body = while_body, .ctx = e, .span = e->span,
                 .exits = x.returns || x.breaks};
    loop.carried = carried_locals(ck, e->while_loop.body, e->while_loop.cond, loop.exits);
    run_loop(ck, &loop);
}

/* ---- loop expressions ---- */

typedef struct {
    const Expr *e;
    ForCtx source;
    int hidden; /* first of the hidden locals that hold the values, one a variable */
} LoopExpr;

static void bind_loop_vars(Checker *ck, const LoopExpr *l) {
    for (int k = 0; k < l->e->loop.vars.len; k++)
        bind_pattern(ck, l->e->loop.vars.at[k].pattern, ck->locals.at[l->hidden + k].val, false);
}

static IrId loop_cond(Checker *ck, Loop *loop) {
    const LoopExpr *l = loop->ctx;
    int locals = ck->locals.len;
    bind_loop_vars(ck, l);
    Val c = condition(ck, check_expr(ck, l->e->loop.cond), l->e->loop.cond->span,
                      "the condition");
    ck->locals.len = locals;
    return c.id;
}

static void loop_body(Checker *ck, Loop *loop, IrId i) {
    const LoopExpr *l = loop->ctx;
    int locals = ck->locals.len, n = l->e->loop.vars.len;
    bind_loop_vars(ck, l);
    if (l->e->loop.pattern) {
        Val v;
        if (l->source.range) {
            IrId offset = l->source.step ? ir_binary(&ck->b, IR_MUL, i, l->source.step) : i;
            Type *type = type_of(ck, l->source.lo);
            v = val(type, ir_binary(&ck->b, IR_ADD, ir_convert(&ck->b, type, offset),
                                    l->source.lo.id));
        } else {
            v = element(ck, l->source.source, i);
        }
        bind_pattern(ck, l->e->loop.pattern, v, false);
    }
    Val next = check_expr(ck, l->e->loop.body);
    ck->locals.len = locals;
    if (is_poison(ck, next))
        return;
    Type *type = type_of(ck, next);
    if (n > 1 && (type->kind != TYPE_TUPLE || type->count != n)) {
        ck_error(ck, DIAG_TYPE_MISMATCH, l->e->loop.body->span,
                 "the body should give a tuple of the %d loop variables, but this is %s", n,
                 text_of(ck, type));
        return;
    }
    for (int k = 0; k < n; k++) {
        Val v = n > 1 ? get_member(ck, next, k) : next;
        Local *var = &ck->locals.at[l->hidden + k];
        var->val = coerce(ck, v, var->val.type, l->e->loop.body->span, "the next value");
    }
}

Val check_loop(Checker *ck, const Expr *e) {
    LoopExpr l = {.e = e};
    int locals = ck->locals.len, n = e->loop.vars.len;
    Val *inits = NEW_ARRAY(ck->arena, Val, n);
    for (int k = 0; k < n; k++) {
        const LoopVar *var = &e->loop.vars.at[k];
        inits[k] = check_expr(ck, var->init);
        if (var->type)
            inits[k] = coerce_written(ck, inits[k], var->type, var->init->span, true,
                                      "this variable");
        if (is_poison(ck, inits[k]))
            return inits[k];
        if (is_function(type_of(ck, inits[k])))
            return ck_fail(ck, DIAG_CLOSURE_ESCAPES, var->init->span,
                           "a loop cannot carry a function");
    }
    l.hidden = ck->locals.len;
    for (int k = 0; k < n; k++)
        ck->locals.at[pseudo(ck, "$var", inits[k])].is_var = true;
    Loop loop = {.body = loop_body, .ctx = &l, .span = e->span};
    if (e->loop.source && !for_source(ck, e->loop.source, &l.source, &loop.count))
        return val_poison(ck);
    if (e->loop.cond)
        loop.cond = loop_cond;
    loop.carried = carried_locals(ck, e->loop.body, e->loop.cond, false);
    for (int k = 0; k < n; k++)
        vec_push(ck->arena, &loop.carried, l.hidden + k);
    int brk = ck->fn->brk;
    ck->fn->brk = -1;
    run_loop(ck, &loop);
    ck->fn->brk = brk;
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n);
    Type **types = NEW_ARRAY(ck->arena, Type *, n);
    for (int k = 0; k < n; k++) {
        ids[k] = ck->locals.at[l.hidden + k].val.id;
        types[k] = type_of(ck, ck->locals.at[l.hidden + k].val);
    }
    ck->locals.len = locals;
    if (n == 1)
        return val(types[0], ids[0]);
    Type *type = type_tuple(ck->ts, types, NULL, n);
    return val(type, ir_tuple(&ck->b, type, ids, n));
}

/* ---- other statements ---- */

/* A binding of a dag is a node, which keeps its name. */
static int node_of(Checker *ck, Name name, Span span, const AttrList *attrs) {
    IrNode node = {.name = name, .span = span};
    if (find_attr(attrs, "gpu"))
        node.place = PLACE_GPU;
    if (find_attr(attrs, "host"))
        node.place = PLACE_HOST;
    if (!ck->b.func->nodes.len)
        vec_push(ck->arena, &ck->b.func->nodes, (IrNode){0});
    vec_push(ck->arena, &ck->b.func->nodes, node);
    return ck->b.func->nodes.len - 1;
}

static bool in_dag(Checker *ck) {
    return ck->fn->decl && ck->fn->decl->kind == DECL_DAG && !ck->fn->is_lambda;
}

static void check_let(Checker *ck, const Expr *e) {
    const Pattern *p = e->let.pattern;
    int node = ck->b.node;
    check_attrs(ck, &e->let.attrs, "let", e->span);
    if (in_dag(ck) && p->kind == PAT_NAME && !e->let.is_var)
        ck->b.node = node_of(ck, p->name, e->span, &e->let.attrs);
    Val v = check_expr(ck, e->let.value);
    if (e->let.type)
        v = coerce_written(ck, v, e->let.type, e->let.value->span, true, "this value");
    ck->b.node = node;
    if (ck->dead)
        v = val_poison(ck);
    if (p->kind == PAT_WILD) { /* dropped, but its fault is not */
        Type *type = v.type ? type_of(ck, v) : NULL;
        if (type && ck->fn->effects && type->kind != TYPE_POISON && !is_function(type))
            ir_rt(&ck->b, RT_KEEP, type_unit(ck->ts), &v.id, 1);
        return;
    }
    bind_pattern(ck, p, v, e->let.is_var);
}

static const Expr *compared(const Expr *cond) {
    cond = strip(cond);
    if (cond->kind == EXPR_CALL && cond->call.fn->kind == EXPR_NAME && cond->call.args.len == 1 &&
        !strcmp(cond->call.fn->name, "all"))
        return compared(cond->call.args.at[0].value);
    bool compares = cond->kind == EXPR_BINARY && cond->binary.op >= OP_EQ && cond->binary.op <= OP_GE;
    return compares ? cond : NULL;
}

static bool two_args(const Expr *cond) {
    cond = strip(cond);
    return cond->kind == EXPR_CALL && cond->call.fn->kind == EXPR_NAME && cond->call.args.len >= 2 &&
           (!strcmp(cond->call.fn->name, "near") || !strcmp(cond->call.fn->name, "same"));
}

static IrId format_value(Checker *ck, Val v) {
    Type *string = basic(ck, TYPE_STRING);
    if (type_of(ck, v)->kind == TYPE_POISON || is_function(type_of(ck, v)))
        return ir_string(&ck->b, "?", 1);
    IrId spec = ir_string(&ck->b, "", 0);
    return ir_rt(&ck->b, RT_FORMAT, string, (IrId[]){v.id, spec}, 2);
}

static IrId text_const(Checker *ck, const char *text) {
    return ir_string(&ck->b, text, strlen(text));
}

/* The text of a failed assertion, with the values of both sides of a comparison. */
static IrId assert_text(Checker *ck, const Expr *e, const Val *sides) {
    if (e->assertion.message)
        return check_expr(ck, e->assertion.message).id;
    const Expr *cmp = compared(e->assertion.cond);
    bool asks = exits_of(e->assertion.cond).asks;
    Val l = {0}, r = {0};
    if (sides) {
        l = sides[0];
        r = sides[1];
    } else if (cmp && !asks) {
        l = check_expr(ck, cmp->binary.lhs);
        r = check_expr(ck, cmp->binary.rhs);
    } else if (two_args(e->assertion.cond) && !asks) {
        l = check_expr(ck, strip(e->assertion.cond)->call.args.at[0].value);
        r = check_expr(ck, strip(e->assertion.cond)->call.args.at[1].value);
    }
    if (!l.type)
        return text_const(ck, "the assertion does not hold");
    IrId parts[] = {text_const(ck, "the assertion does not hold\n  left:  "), format_value(ck, l),
                    text_const(ck, "\n  right: "), format_value(ck, r)};
    return ir_concat(&ck->b, parts, 4);
}

/* In main, tests and handlers: any values may be shown. */
static void assert_host(Checker *ck, const Expr *e, Val c, const Val *sides) {
    Fork f = fork_begin(ck);
    Branch ok, bad;
    branch_begin(ck, &f, &ok);
    branch_end(ck, &f, &ok, (Val){0});
    branch_begin(ck, &f, &bad);
    IrId text = assert_text(ck, e, sides);
    ir_rt(&ck->b, RT_FAIL, type_unit(ck->ts), &text, 1);
    branch_end(ck, &f, &bad, (Val){0});
    fork_join(ck, &f, c.id, &ok, &bad, false, e->span);
}

static IrId number_bits(Checker *ck, Val v, const char **hole) {
    Type *type = type_of(ck, v), *i64 = basic(ck, TYPE_I64), *f64 = basic(ck, TYPE_F64);
    *hole = "{}";
    if (type_is_float(type) || (type->kind == TYPE_VAR && type->var == VAR_FLOAT)) {
        *hole = "{f}";
        IrId wide = ir_convert(&ck->b, f64, v.id);
        return ir_append(&ck->b, (IrOp){.kind = IR_BITS, .type = i64, .nargs = 1, .span = ck->b.span,
                                        .args = memcpy(NEW(ck->arena, IrId), &wide, sizeof wide)});
    }
    if (type->kind == TYPE_BOOL)
        *hole = "{b}";
    return ir_convert(&ck->b, i64, v.id);
}

/* In pure code: a check whose text shows numbers only. */
static void assert_pure(Checker *ck, const Expr *e, Val c, const Val *sides) {
    Buf text = {.arena = ck->arena};
    VEC(IrId) nums = {0};
    const Expr *m = e->assertion.message;
    if (!m)
        buf_puts(&text, "the assertion does not hold");
    for (int i = 0; m && m->kind == EXPR_STRING && i < m->string.len; i++) {
        const StringPart *part = &m->string.at[i];
        if (!part->hole) {
            buf_add(&text, part->text, part->len);
            continue;
        }
        Val v = check_expr(ck, part->hole);
        Type *type = type_of(ck, v);
        const char *hole = "…";
        if (type_is_scalar(type) || type->kind == TYPE_VAR)
            vec_push(ck->arena, &nums, number_bits(ck, v, &hole));
        buf_puts(&text, hole);
    }
    for (int i = 0; !m && sides && i < 2; i++) {
        Type *type = type_of(ck, sides[i]);
        if (!type_is_scalar(type) && type->kind != TYPE_VAR)
            break;
        const char *hole;
        vec_push(ck->arena, &nums, number_bits(ck, sides[i], &hole));
        buf_printf(&text, "%s%s", i ? ", right: " : ", left: ", hole);
    }
    IrFault *fault = ck_fault(ck, "assert", e->span, "%s", buf_text(&text));
    ir_assert(&ck->b, c.id, fault, nums.at, nums.len);
}

static void check_assert(Checker *ck, const Expr *e) {
    const Expr *cond = strip(e->assertion.cond);
    Val c, sides[2], *both = NULL;
    bool compares = cond->kind == EXPR_BINARY && cond->binary.op >= OP_EQ && cond->binary.op <= OP_GE;
    if (compares) {
        sides[0] = check_expr(ck, cond->binary.lhs);
        sides[1] = check_expr(ck, cond->binary.rhs);
        both = sides;
        c = apply_binary(ck, cond->binary.op, sides[0], sides[1], cond->span,
                         cond->binary.lhs->span, cond->binary.rhs->span);
    } else {
        c = check_expr(ck, cond);
    }
    c = condition(ck, c, cond->span, "what is asserted");
    int64_t known;
    if (e->assertion.message && e->assertion.message->kind != EXPR_STRING) {
        Val text = check_expr(ck, e->assertion.message);
        coerce(ck, text, basic(ck, TYPE_STRING), e->assertion.message->span, "this text");
    }
    if (is_poison(ck, c) || (fold_const(ck, c, &known) && known))
        return;
    Span outer = ck->b.span;
    ck->b.span = e->span;
    if (ck->fn->effects && !ck->loop_depth)
        assert_host(ck, e, c, both);
    else
        assert_pure(ck, e, c, both);
    ck->b.span = outer;
}

static void leave(Checker *ck, const Expr *e, int flag, const char *word) {
    if (flag < 0) {
        ck_error(ck, DIAG_OUT_OF_PLACE, e->span, "%s stands outside of a loop", word);
        return;
    }
    ck->locals.at[flag].val = val_bool(ck, true);
    ck->dead = true;
}

static void check_stop(Checker *ck, const Expr *e) {
    Val v = check_expr(ck, e->value);
    effect_allowed(ck, e->span, "stop");
    Type *type = type_of(ck, v);
    Type *elem = type->kind == TYPE_ARRAY ? type_resolve(ck->ts, type->elem) : type;
    if (elem->kind != TYPE_ACTOR && elem->kind != TYPE_POISON)
        ck_error(ck, DIAG_TYPE_MISMATCH, e->value->span, "only actors stop; this is %s",
                 text_of(ck, type));
}

static bool has_no_value(const Expr *e) {
    switch ((int)e->kind) {
    case EXPR_IF:
    case EXPR_BLOCK:
    case EXPR_MATCH: return true;
    default: return false;
    }
}

void check_statement(Checker *ck, const Expr *e) {
    Span outer = ck->b.span;
    ck->b.span = ck->called_at.to ? ck->called_at : e->span;
    switch ((int)e->kind) {
    case EXPR_LET: check_let(ck, e); break;
    case EXPR_ASSIGN: check_assign(ck, e); break;
    case EXPR_FOR: with_break(ck, e, run_for); break;
    case EXPR_WHILE: with_break(ck, e, run_while); break;
    case EXPR_ASSERT: check_assert(ck, e); break;
    case EXPR_RETURN:
        do_return(ck, e->value ? check_expr(ck, e->value) : val_unit(ck),
                  e->value ? e->value->span : e->span);
        break;
    case EXPR_BREAK: leave(ck, e, ck->fn->brk, "break"); break;
    case EXPR_CONTINUE: leave(ck, e, ck->fn->cont, "continue"); break;
    case EXPR_STOP: check_stop(ck, e); break;
    case EXPR_IF: check_if(ck, e, false, false); break;
    case EXPR_BLOCK: check_block(ck, e, false); break;
    case EXPR_MATCH: check_match(ck, e, false, false); break;
    default: {
        Val v = check_expr(ck, e);
        if (!has_no_value(e) && !ck->dead)
            unused_value(ck, e, v);
    }
    }
    ck->b.span = outer;
}
