/* Loops. What a body may assign is carried from round to round; sizes that a round keeps are known in
   the body and afterwards. */
#include "check.h"

#include <string.h>

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
    bool exits;   /* break or return: the exit flags are tested before each round */
    bool returns; /* return, so that its flag and value are carried */
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
    Attempt at = {.cond = ck_region(ck), .body = ck_region(ck)};
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
    int n = loop->carried.len, returned = ck->fn->returned;
    Val has_returned = returned >= 0 ? ck->locals.at[returned].val : (Val){0};
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
        if (loop->returns && typed && !carried && ck->fn->retval >= 0)
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
    IrKind kind = ir_op(ck->b.func, done)->kind;
    bool stays = kind == IR_FOR || kind == IR_LOOP; /* else its results are values from elsewhere */
    for (int k = 0; k < n; k++) {
        IrId id = n + extra == 1 ? done : ir_get(&ck->b, done, k + extra);
        Val init = loop->init[k];
        ck->locals.at[loop->carried.at[k]].val = val(init.type, id);
        if (stays && !type_is_flat(type_of(ck, init)))
            assume_kept(ck, loop, k, id, 0, init.type, init.id);
    }
    if (returned >= 0 && !loop->exits) /* loops inside have tested it, but no round sets it */
        ck->locals.at[returned].val = has_returned;
}

/* The locals a body may change: what it assigns, an actor's state, and the flags of its exits. A flag
   that it does not set stays that of the code around, which does not know of this loop. */
static IntList carried_locals(Checker *ck, const Expr *body, const Expr *cond, Exits exits) {
    Assigned a = {.ck = ck};
    walk_expr(body, visit_assigned, &a);
    walk_expr(cond, visit_assigned, &a);
    FnCtx *fn = ck->fn;
    for (int i = fn->base; fn->actor && i < ck->locals.len; i++)
        if (ck->locals.at[i].is_var && ck->locals.at[i].val.type)
            add_assigned(&a, i);
    if (exits.returns && fn->returned >= 0)
        add_assigned(&a, fn->returned);
    if (exits.returns && fn->retval >= 0 && ck->locals.at[fn->retval].val.type)
        add_assigned(&a, fn->retval);
    if (exits.breaks && fn->brk >= 0)
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

/* What a loop's pattern meets in round i. */
static Val round_value(Checker *ck, const ForCtx *c, IrId i) {
    if (!c->range)
        return element(ck, c->source, i);
    IrId offset = c->step ? ir_binary(&ck->b, IR_MUL, i, c->step) : i;
    Type *type = type_of(ck, c->lo);
    return val(type, ir_binary(&ck->b, IR_ADD, ir_convert(&ck->b, type, offset), c->lo.id));
}

static void for_body(Checker *ck, Loop *loop, IrId i) {
    const ForCtx *c = loop->ctx;
    const Expr *e = c->e;
    Val v = round_value(ck, c, i);
    int locals = ck->locals.len;
    bind_pattern(ck, e->for_loop.clauses.at[c->clause].pattern, v, false);
    if (c->clause + 1 < e->for_loop.clauses.len)
        for_clause(ck, e, c->clause + 1);
    else
        check_statement(ck, e->for_loop.body);
    ck->locals.len = locals;
}

const Expr *strip(const Expr *e) {
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
                 .exits = x.returns || x.breaks, .returns = x.returns};
    loop.carried = carried_locals(ck, e->for_loop.body, NULL, x);
    run_loop(ck, &loop);
}

/* Runs a loop statement with a `break` flag of its own. */
void with_break(Checker *ck, const Expr *e, void (*run)(Checker *ck, const Expr *e)) {
    int brk = ck->fn->brk, cont = ck->fn->cont, locals = ck->locals.len;
    ck->fn->brk = pseudo(ck, "$break", val_bool(ck, false));
    ck->fn->cont = -1;
    run(ck, e);
    ck->fn->brk = brk;
    ck->fn->cont = cont;
    ck->locals.len = locals;
}

void run_for(Checker *ck, const Expr *e) {
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

void run_while(Checker *ck, const Expr *e) {
    Exits x = exits_of(e->while_loop.body);
    Loop loop = {.cond = while_cond, .body = while_body, .ctx = e, .span = e->span,
                 .exits = x.returns || x.breaks, .returns = x.returns};
    loop.carried = carried_locals(ck, e->while_loop.body, e->while_loop.cond, x);
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
        Val v = round_value(ck, &l->source, i);
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
    for (int k = 0; k < n; k++) {
        int local = pseudo(ck, "$var", inits[k]); /* may move the locals */
        ck->locals.at[local].is_var = true;
    }
    Loop loop = {.body = loop_body, .ctx = &l, .span = e->span};
    if (e->loop.source && !for_source(ck, e->loop.source, &l.source, &loop.count))
        return val_poison(ck);
    if (e->loop.cond)
        loop.cond = loop_cond;
    loop.carried = carried_locals(ck, e->loop.body, e->loop.cond, (Exits){0});
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
