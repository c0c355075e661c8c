/* Expressions and types as a program writes them, for messages. Parentheses are nodes of the tree,
   so nothing has to be put in; bodies of blocks are left out as `…`. */
#include "ast_text.h"

#include <inttypes.h>

static void write_pattern(Buf *out, const Pattern *n);

/* `, ` between the items of a list. */
static void separate(Buf *out, int i) {
    if (i)
        buf_puts(out, ", ");
}

/* A parameter that stands for a hole has a name that no program can spell. */
static void write_name(Buf *out, Name name) {
    buf_puts(out, name[0] == '#' ? "_" : name);
}

static void write_path(Buf *out, Name module, Name name) {
    if (module)
        buf_printf(out, "%s.", module);
    write_name(out, name);
}

static void write_list(Buf *out, const ExprList *list) {
    for (int i = 0; i < list->len; i++) {
        separate(out, i);
        ast_print_expr(out, list->at[i]);
    }
}

static void write_args(Buf *out, const ArgList *args) {
    buf_puts(out, "(");
    for (int i = 0; i < args->len; i++) {
        separate(out, i);
        if (args->at[i].name)
            buf_printf(out, "%s = ", args->at[i].name);
        ast_print_expr(out, args->at[i].value);
    }
    buf_puts(out, ")");
}

/* ---- types ---- */

static void write_type_items(Buf *out, const TypeItemList *items) {
    buf_puts(out, "(");
    for (int i = 0; i < items->len; i++) {
        separate(out, i);
        if (items->at[i].name)
            buf_printf(out, "%s: ", items->at[i].name);
        ast_print_type(out, items->at[i].type);
    }
    buf_puts(out, ")");
}

static void write_type_name(Buf *out, const TypeExpr *type) {
    write_path(out, type->name.module, type->name.name);
    if (!type->name.args.len)
        return;
    buf_puts(out, "[");
    for (int i = 0; i < type->name.args.len; i++) {
        separate(out, i);
        ast_print_type(out, type->name.args.at[i]);
    }
    buf_puts(out, "]");
}

void ast_print_type(Buf *out, const TypeExpr *type) {
    switch (type->kind) {
    case TE_NAME: write_type_name(out, type); return;
    case TE_ARRAY:
        buf_puts(out, "[");
        write_list(out, &type->array.dims);
        buf_puts(out, "]");
        ast_print_type(out, type->array.elem);
        return;
    case TE_TUPLE: write_type_items(out, &type->tuple); return;
    case TE_FN:
        write_type_items(out, &type->fn.params);
        buf_puts(out, " -> ");
        ast_print_type(out, type->fn.result);
        return;
    }
    UNREACHABLE();
}

/* ---- patterns ---- */

static void write_patterns(Buf *out, const PatternList *items, const char *between) {
    for (int i = 0; i < items->len; i++) {
        buf_puts(out, i ? between : "");
        write_pattern(out, items->at[i]);
    }
}

static void write_ctor_pattern(Buf *out, const Pattern *n) {
    write_path(out, n->ctor.module, n->ctor.name);
    if (!n->ctor.has_args)
        return;
    buf_puts(out, "(");
    for (int i = 0; i < n->ctor.items.len; i++) {
        separate(out, i);
        if (n->ctor.items.at[i].name)
            buf_printf(out, "%s = ", n->ctor.items.at[i].name);
        write_pattern(out, n->ctor.items.at[i].pattern);
    }
    buf_puts(out, ")");
}

static void write_pattern(Buf *out, const Pattern *n) {
    switch (n->kind) {
    case PAT_WILD: buf_puts(out, "_"); return;
    case PAT_NAME: write_name(out, n->name); return;
    case PAT_LITERAL: ast_print_expr(out, n->literal); return;
    case PAT_RANGE:
        ast_print_expr(out, n->range.lo);
        buf_puts(out, n->range.inclusive ? "..=" : "..");
        ast_print_expr(out, n->range.hi);
        return;
    case PAT_TUPLE:
        buf_puts(out, "(");
        write_patterns(out, &n->items, ", ");
        buf_puts(out, ")");
        return;
    case PAT_CTOR: write_ctor_pattern(out, n); return;
    case PAT_OR: write_patterns(out, &n->items, " | "); return;
    case PAT_ERROR: buf_puts(out, "…"); return;
    }
    UNREACHABLE();
}

/* ---- expressions ---- */

static void write_string(Buf *out, const StringPartList *parts) {
    buf_puts(out, "\"");
    for (int i = 0; i < parts->len; i++) {
        const StringPart *part = &parts->at[i];
        if (!part->hole) {
            ast_print_text(out, part->text, part->len);
            continue;
        }
        buf_puts(out, "{");
        ast_print_expr(out, part->hole);
        buf_printf(out, "%s%s}", *part->format ? ":" : "", part->format);
    }
    buf_puts(out, "\"");
}

static void write_clauses(Buf *out, const ClauseList *clauses) {
    buf_puts(out, " for ");
    for (int i = 0; i < clauses->len; i++) {
        separate(out, i);
        write_pattern(out, clauses->at[i].pattern);
        buf_puts(out, " in ");
        ast_print_expr(out, clauses->at[i].source);
    }
}

/* Without its brackets, which stand around a list and not around an argument. */
static void write_comprehension(Buf *out, const Expr *e) {
    ast_print_expr(out, e->comp.body);
    write_clauses(out, &e->comp.clauses);
    if (e->comp.cond) {
        buf_puts(out, " if ");
        ast_print_expr(out, e->comp.cond);
    }
}

static void write_call(Buf *out, const Expr *e) {
    ast_print_expr(out, e->call.fn);
    const ArgList *args = &e->call.args;
    const Expr *first = args->len == 1 ? args->at[0].value : NULL;
    /* A bare comprehension begins with its body, one in brackets before it. */
    if (!first || first->kind != EXPR_COMPREHENSION ||
        first->span.from < first->comp.body->span.from) {
        write_args(out, args);
        return;
    }
    buf_puts(out, "(");
    write_comprehension(out, first);
    buf_puts(out, ")");
}

static void write_range(Buf *out, const Expr *e) {
    if (e->range.lo)
        ast_print_expr(out, e->range.lo);
    buf_puts(out, e->range.inclusive ? "..=" : "..");
    if (e->range.hi)
        ast_print_expr(out, e->range.hi);
    if (e->range.by) {
        buf_puts(out, " by ");
        ast_print_expr(out, e->range.by);
    }
}

static void write_unary(Buf *out, const Expr *e) {
    buf_printf(out, e->unary.op == OP_NOT ? "%s " : "%s", operator_spelling(e->unary.op));
    ast_print_expr(out, e->unary.operand);
}

/* Two expressions with something between them. */
static void write_pair(Buf *out, const Expr *a, const char *between, const Expr *b) {
    ast_print_expr(out, a);
    buf_puts(out, between);
    ast_print_expr(out, b);
}

static void write_binary(Buf *out, const Expr *e) {
    ast_print_expr(out, e->binary.lhs);
    buf_printf(out, " %s ", operator_spelling(e->binary.op));
    ast_print_expr(out, e->binary.rhs);
}

static void write_bracketed(Buf *out, const ExprList *items) {
    buf_puts(out, "[");
    write_list(out, items);
    buf_puts(out, "]");
}

static void write_if(Buf *out, const Expr *e) {
    buf_puts(out, "if ");
    ast_print_expr(out, e->branch.cond);
    buf_puts(out, " ");
    ast_print_expr(out, e->branch.then);
    if (e->branch.otherwise) {
        buf_puts(out, " else ");
        ast_print_expr(out, e->branch.otherwise);
    }
}

/* A block of one expression is shown, a longer one is not. */
static void write_block(Buf *out, const Expr *e) {
    if (e->block.len == 0) {
        buf_puts(out, "{ }");
    } else if (e->block.len == 1) {
        buf_puts(out, "{ ");
        ast_print_expr(out, e->block.at[0]);
        buf_puts(out, " }");
    } else {
        buf_puts(out, "{ … }");
    }
}

static void write_loop(Buf *out, const Expr *e) {
    buf_puts(out, "loop (");
    for (int i = 0; i < e->loop.vars.len; i++) {
        const LoopVar *var = &e->loop.vars.at[i];
        separate(out, i);
        write_pattern(out, var->pattern);
        if (var->type) {
            buf_puts(out, ": ");
            ast_print_type(out, var->type);
        }
        buf_puts(out, " = ");
        ast_print_expr(out, var->init);
    }
    buf_puts(out, e->loop.pattern ? ") for " : ") while ");
    if (e->loop.pattern) {
        write_pattern(out, e->loop.pattern);
        buf_puts(out, " in ");
    }
    ast_print_expr(out, e->loop.pattern ? e->loop.source : e->loop.cond);
    buf_puts(out, " { … }");
}

static void write_lambda(Buf *out, const Expr *e) {
    const ParamList *params = &e->lambda.params;
    if (e->lambda.is_partial) {
        ast_print_expr(out, e->lambda.body);
        return;
    }
    bool bare = params->len == 1 && !params->at[0].type && params->at[0].name;
    buf_puts(out, bare ? "" : "(");
    for (int i = 0; i < params->len; i++) {
        separate(out, i);
        write_pattern(out, params->at[i].pattern);
        if (params->at[i].type) {
            buf_puts(out, ": ");
            ast_print_type(out, params->at[i].type);
        }
    }
    buf_puts(out, bare ? " -> " : ") -> ");
    ast_print_expr(out, e->lambda.body);
}

static void write_message(Buf *out, const Expr *e) {
    ast_print_expr(out, e->send.to);
    buf_printf(out, " %s %s", e->kind == EXPR_SEND ? "!" : "?", e->send.message);
    write_args(out, &e->send.args);
}

static void write_spawn(Buf *out, const Expr *e) {
    buf_puts(out, "spawn ");
    write_path(out, e->spawn.module, e->spawn.actor);
    write_args(out, &e->spawn.args);
}

static void write_let(Buf *out, const Expr *e) {
    buf_puts(out, e->let.is_var ? "var " : "let ");
    write_pattern(out, e->let.pattern);
    if (e->let.type) {
        buf_puts(out, ": ");
        ast_print_type(out, e->let.type);
    }
    buf_puts(out, " = ");
    ast_print_expr(out, e->let.value);
}

static void write_assign(Buf *out, const Expr *e) {
    ast_print_expr(out, e->assign.place);
    buf_printf(out, " %s= ", e->assign.op == OP_COUNT ? "" : operator_spelling(e->assign.op));
    ast_print_expr(out, e->assign.value);
}

static void write_with_at(Buf *out, const Expr *e) {
    ast_print_expr(out, e->with_at.base);
    buf_puts(out, " with ");
    write_bracketed(out, &e->with_at.items);
    buf_puts(out, " = ");
    ast_print_expr(out, e->with_at.value);
}

static void write_with_fields(Buf *out, const Expr *e) {
    ast_print_expr(out, e->with_fields.base);
    buf_puts(out, " with ");
    write_args(out, &e->with_fields.fields);
}

/* A word and, if there is one, an expression after it. */
static void write_word(Buf *out, const char *word, const Expr *e) {
    buf_puts(out, word);
    if (e) {
        buf_puts(out, " ");
        ast_print_expr(out, e);
    }
}

static void write_attempt(Buf *out, const Expr *e) {
    buf_puts(out, "try ");
    write_pair(out, e->attempt.tried, " else ", e->attempt.otherwise);
}

static void write_index(Buf *out, const Expr *e) {
    ast_print_expr(out, e->index.base);
    write_bracketed(out, &e->index.items);
}

static void write_field(Buf *out, const Expr *e) {
    ast_print_expr(out, e->field.base);
    buf_printf(out, ".%s", e->field.name);
}

static void write_tuple_field(Buf *out, const Expr *e) {
    ast_print_expr(out, e->tuple_field.base);
    buf_printf(out, ".%" PRId64, e->tuple_field.number);
}

static void write_paren(Buf *out, const Expr *e) {
    buf_puts(out, "(");
    ast_print_expr(out, e->inner);
    buf_puts(out, ")");
}

static void write_list_of(Buf *out, const Expr *e) {
    buf_puts(out, "[");
    write_comprehension(out, e);
    buf_puts(out, "]");
}

/* The head of a statement with a body. */
static void write_headed(Buf *out, const char *word, const Expr *head) {
    write_word(out, word, head);
    buf_puts(out, " { … }");
}

static void write_for(Buf *out, const Expr *e) {
    Buf clauses = {.arena = out->arena};
    write_clauses(&clauses, &e->for_loop.clauses);
    buf_printf(out, "%s { … }", buf_text(&clauses) + 1);
}

void ast_print_expr(Buf *out, const Expr *e) {
    switch (e->kind) {
    case EXPR_ERROR: buf_puts(out, "…"); return;
    case EXPR_INT: ast_print_literal(out, e); return;
    case EXPR_FLOAT: ast_print_literal(out, e); return;
    case EXPR_DURATION: ast_print_literal(out, e); return;
    case EXPR_BOOL: ast_print_literal(out, e); return;
    case EXPR_STRING: write_string(out, &e->string); return;
    case EXPR_NAME: write_name(out, e->name); return;
    case EXPR_HOLE: buf_puts(out, "_"); return;
    case EXPR_SELF: buf_puts(out, "self"); return;
    case EXPR_OPERATOR: buf_printf(out, "(%s)", operator_spelling(e->op)); return;
    case EXPR_TUPLE: write_args(out, &e->tuple); return;
    case EXPR_PAREN: write_paren(out, e); return;
    case EXPR_LIST: write_bracketed(out, &e->list); return;
    case EXPR_COMPREHENSION: write_list_of(out, e); return;
    case EXPR_RANGE: write_range(out, e); return;
    case EXPR_UNARY: write_unary(out, e); return;
    case EXPR_BINARY: write_binary(out, e); return;
    case EXPR_INDEX: write_index(out, e); return;
    case EXPR_FIELD: write_field(out, e); return;
    case EXPR_TUPLE_FIELD: write_tuple_field(out, e); return;
    case EXPR_CALL: write_call(out, e); return;
    case EXPR_PIPE: write_pair(out, e->pipe.lhs, " |> ", e->pipe.rhs); return;
    case EXPR_WITH_FIELDS: write_with_fields(out, e); return;
    case EXPR_WITH_AT: write_with_at(out, e); return;
    case EXPR_IF: write_if(out, e); return;
    case EXPR_MATCH: write_headed(out, "match", e->match.subject); return;
    case EXPR_BLOCK: write_block(out, e); return;
    case EXPR_LOOP: write_loop(out, e); return;
    case EXPR_LAMBDA: write_lambda(out, e); return;
    case EXPR_TRY: write_attempt(out, e); return;
    case EXPR_SEND: write_message(out, e); return;
    case EXPR_ASK: write_message(out, e); return;
    case EXPR_WITHIN: write_pair(out, e->timed.message, " within ", e->timed.time); return;
    case EXPR_AFTER: write_pair(out, e->timed.message, " after ", e->timed.time); return;
    case EXPR_SPAWN: write_spawn(out, e); return;
    case EXPR_LET: write_let(out, e); return;
    case EXPR_ASSIGN: write_assign(out, e); return;
    case EXPR_FOR: write_for(out, e); return;
    case EXPR_WHILE: write_headed(out, "while", e->while_loop.cond); return;
    case EXPR_ASSERT: write_word(out, "assert", e->assertion.cond); return;
    case EXPR_RETURN: write_word(out, "return", e->value); return;
    case EXPR_BREAK: buf_puts(out, "break"); return;
    case EXPR_CONTINUE: buf_puts(out, "continue"); return;
    case EXPR_STOP: write_word(out, "stop", e->value); return;
    case EXPR_KIND_COUNT: break;
    }
    UNREACHABLE();
}
