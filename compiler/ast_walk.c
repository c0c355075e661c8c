/* Walking the syntax tree. */
#include "check.h"


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
