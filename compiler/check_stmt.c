/* Blocks, branches, loops, returns, assertions. Assignment makes a new value of a local; branches and
   loops join what their bodies changed. `return`, `break` and `continue` set hidden locals, and what
   follows a statement that may have set one runs only if it has not. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>


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

Exits exits_of(const Expr *e) {
    Exits x = {0};
    walk_expr(e, visit_exits, &x);
    return x;
}

bool may_exit(const Expr *e) {
    Exits x = exits_of(e);
    return x.returns || x.breaks || x.continues;
}

/* ---- return ---- */

int pseudo(Checker *ck, const char *name, Val v) {
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
IrId exit_flag(Checker *ck) {
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

void clear_flags(Checker *ck) {
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
            if (!last)
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

/* Is a type argument or an element still unknown, as of None and []? The library prunes branches by the
   rank of its arguments, so there nothing is inferred from them. */
static bool is_open(Checker *ck, Type *type) {
    type = type_resolve(ck->ts, type);
    if (ck->fn->module->is_stdlib)
        return false;
    if (type->kind == TYPE_VAR)
        return type->var == VAR_ANY;
    for (int i = 0; i < type->nargs; i++)
        if (is_open(ck, type->args[i]))
            return true;
    return type->kind == TYPE_ARRAY && is_open(ck, type->elem);
}

/* The branch that is not taken still says what type an empty list or None of the other one has. */
static void infer_from(Checker *ck, const Expr *branch, Val v) {
    Fork f = fork_begin(ck);
    Branch unused;
    branch_begin(ck, &f, &unused);
    Val other = check_expr(ck, branch);
    branch_end(ck, &f, &unused, other);
    if (other.type && !unused.dead)
        type_unify(ck->ts, v.type, other.type);
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
        const Expr *other = known ? e->branch.otherwise : e->branch.then;
        if (want && !tail && other && v.type && is_open(ck, v.type))
            infer_from(ck, other, v);
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

/* ---- other statements ---- */

/* A binding of a dag is a node, which keeps its name. */
int node_of(Checker *ck, Name name, Span span, const AttrList *attrs) {
    IrNode node = {.name = name, .span = span};
    if (attrs && find_attr(attrs, "gpu"))
        node.place = PLACE_GPU;
    if (attrs && find_attr(attrs, "host"))
        node.place = PLACE_HOST;
    if (!ck->b.func->nodes.len)
        vec_push(ck->arena, &ck->b.func->nodes, (IrNode){0});
    vec_push(ck->arena, &ck->b.func->nodes, node);
    return ck->b.func->nodes.len - 1;
}

bool in_dag(Checker *ck) {
    return ck->fn->decl && ck->fn->decl->kind == DECL_DAG && !ck->fn->is_lambda;
}

static void check_let(Checker *ck, const Expr *e) {
    const Pattern *p = e->let.pattern;
    int node = ck->b.node;
    check_attrs(ck, &e->let.attrs, "let");
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
