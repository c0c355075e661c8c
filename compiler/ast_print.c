/* The tree as S-expressions, for --emit=ast. A declaration is first written as one line; lay_out()
   then breaks what is wider than a page, so that no printer of a node cares for lines. */
#include "ast_text.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE = 100 };

static void put_expr(Buf *out, const Expr *e);
static void put_type(Buf *out, const TypeExpr *t);
static void put_pattern(Buf *out, const Pattern *n);

/* ---- leaves ---- */

void ast_print_text(Buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\' || c == '{' || c == '}')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c < 0x20)
            buf_printf(out, "\\u{%x}", c);
        else
            buf_add(out, text + i, 1);
    }
}

static void put_quoted(Buf *out, const char *text, size_t len) {
    buf_puts(out, "\"");
    ast_print_text(out, text, len);
    buf_puts(out, "\"");
}

/* a.b.C as nested fields. */
static void put_path(Buf *out, Name module, Name name) {
    if (module)
        buf_printf(out, "(. %s %s)", module, name);
    else
        buf_puts(out, name);
}

/* The largest unit that divides the time. */
static void put_duration(Buf *out, int64_t ns) {
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"h", 3600000000000}, {"min", 60000000000}, {"s", 1000000000},
                 {"ms", 1000000},      {"us", 1000},         {"ns", 1}};
    for (int i = 0; i < ARRAY_LEN(units); i++)
        if (ns % units[i].ns == 0 && (ns || units[i].ns == 1)) {
            buf_printf(out, "%" PRId64 "%s", ns / units[i].ns, units[i].unit);
            return;
        }
}

void ast_print_literal(Buf *out, const Expr *e) {
    if (e->kind == EXPR_INT)
        buf_printf(out, "%" PRIu64 "%s", e->integer.value,
                   e->integer.suffix ? e->integer.suffix : "");
    else if (e->kind == EXPR_FLOAT)
        buf_printf(out, "%s%s", e->real.text, e->real.suffix ? e->real.suffix : "");
    else if (e->kind == EXPR_DURATION)
        put_duration(out, e->duration_ns);
    else
        buf_puts(out, e->boolean ? "true" : "false");
}

/* A parameter that stands for a hole has a name that no program can spell. */
static const char *shown_name(Name name) {
    return name[0] == '#' ? "_" : name;
}

/* ---- S-expressions ---- */

static void put_optional(Buf *out, const Expr *e) {
    if (!e)
        return;
    buf_puts(out, " ");
    put_expr(out, e);
}

static void put_list(Buf *out, const char *head, const ExprList *list) {
    buf_printf(out, "(%s", head);
    for (int i = 0; i < list->len; i++)
        put_optional(out, list->at[i]);
    buf_puts(out, ")");
}

static void put_args(Buf *out, const ArgList *args) {
    for (int i = 0; i < args->len; i++) {
        const Arg *arg = &args->at[i];
        if (arg->name)
            buf_printf(out, " (= %s", arg->name);
        put_optional(out, arg->value);
        if (arg->name)
            buf_puts(out, ")");
    }
}

static void put_type_items(Buf *out, const TypeItemList *items) {
    for (int i = 0; i < items->len; i++) {
        buf_puts(out, " ");
        if (items->at[i].name)
            buf_printf(out, "(: %s ", items->at[i].name);
        put_type(out, items->at[i].type);
        if (items->at[i].name)
            buf_puts(out, ")");
    }
}

static void put_type_name(Buf *out, const TypeExpr *t) {
    if (!t->name.args.len) {
        put_path(out, t->name.module, t->name.name);
        return;
    }
    buf_puts(out, "(of ");
    put_path(out, t->name.module, t->name.name);
    for (int i = 0; i < t->name.args.len; i++) {
        buf_puts(out, " ");
        put_type(out, t->name.args.at[i]);
    }
    buf_puts(out, ")");
}

static void put_type(Buf *out, const TypeExpr *t) {
    switch (t->kind) {
    case TE_NAME: put_type_name(out, t); return;
    case TE_ARRAY:
        buf_puts(out, "(array ");
        put_type(out, t->array.elem);
        for (int i = 0; i < t->array.dims.len; i++)
            put_optional(out, t->array.dims.at[i]);
        buf_puts(out, ")");
        return;
    case TE_TUPLE:
        buf_puts(out, "(tuple");
        put_type_items(out, &t->tuple);
        buf_puts(out, ")");
        return;
    case TE_FN:
        buf_puts(out, "(fn-type (tuple");
        put_type_items(out, &t->fn.params);
        buf_puts(out, ") ");
        put_type(out, t->fn.result);
        buf_puts(out, ")");
        return;
    }
    UNREACHABLE();
}

static void put_patterns(Buf *out, const char *head, const PatternList *items) {
    buf_printf(out, "(%s", head);
    for (int i = 0; i < items->len; i++) {
        buf_puts(out, " ");
        put_pattern(out, items->at[i]);
    }
    buf_puts(out, ")");
}

static void put_ctor_pattern(Buf *out, const Pattern *n) {
    if (!n->ctor.has_args) {
        put_path(out, n->ctor.module, n->ctor.name);
        return;
    }
    buf_puts(out, "(ctor ");
    put_path(out, n->ctor.module, n->ctor.name);
    for (int i = 0; i < n->ctor.items.len; i++) {
        const PatternItem *item = &n->ctor.items.at[i];
        buf_puts(out, " ");
        if (item->name)
            buf_printf(out, "(= %s ", item->name);
        put_pattern(out, item->pattern);
        if (item->name)
            buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

static void put_pattern(Buf *out, const Pattern *n) {
    switch (n->kind) {
    case PAT_WILD: buf_puts(out, "_"); return;
    case PAT_NAME: buf_puts(out, shown_name(n->name)); return;
    case PAT_LITERAL: put_expr(out, n->literal); return;
    case PAT_RANGE:
        buf_puts(out, n->range.inclusive ? "(..=" : "(..");
        put_optional(out, n->range.lo);
        put_optional(out, n->range.hi);
        buf_puts(out, ")");
        return;
    case PAT_TUPLE: put_patterns(out, "tuple", &n->items); return;
    case PAT_CTOR: put_ctor_pattern(out, n); return;
    case PAT_OR: put_patterns(out, "|", &n->items); return;
    case PAT_ERROR: buf_puts(out, "(error)"); return;
    }
    UNREACHABLE();
}

/* (: pattern type), or the pattern alone. */
static void put_typed(Buf *out, const Pattern *n, const TypeExpr *t) {
    if (t)
        buf_puts(out, "(: ");
    put_pattern(out, n);
    if (t) {
        buf_puts(out, " ");
        put_type(out, t);
        buf_puts(out, ")");
    }
}

static void put_param(Buf *out, const Param *param) {
    if (param->is_const)
        buf_puts(out, "(const ");
    if (param->type || param->init)
        buf_puts(out, param->type ? "(: " : "(= ");
    put_pattern(out, param->pattern);
    if (param->type) {
        buf_puts(out, " ");
        put_type(out, param->type);
    }
    put_optional(out, param->init);
    if (param->type || param->init)
        buf_puts(out, ")");
    if (param->is_const)
        buf_puts(out, ")");
}

static void put_params(Buf *out, const ParamList *params) {
    buf_puts(out, "(params");
    for (int i = 0; i < params->len; i++) {
        buf_puts(out, " ");
        put_param(out, &params->at[i]);
    }
    buf_puts(out, ")");
}

static void put_clause(Buf *out, const Pattern *pattern, const Expr *source) {
    buf_puts(out, "(in ");
    put_pattern(out, pattern);
    put_optional(out, source);
    buf_puts(out, ")");
}

static void put_clauses(Buf *out, const ClauseList *clauses) {
    buf_puts(out, " (clauses");
    for (int i = 0; i < clauses->len; i++) {
        buf_puts(out, " ");
        put_clause(out, clauses->at[i].pattern, clauses->at[i].source);
    }
    buf_puts(out, ")");
}

static void put_attrs(Buf *out, const AttrList *attrs) {
    if (!attrs->len)
        return;
    buf_puts(out, " (attrs");
    for (int i = 0; i < attrs->len; i++) {
        const Attr *attr = &attrs->at[i];
        buf_printf(out, attr->args.len ? " (@ %s" : " %s", attr->name);
        put_args(out, &attr->args);
        if (attr->args.len)
            buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

/* As written; a wrong one, already reported, may hold what the layout takes for structure. */
static void put_format(Buf *out, const char *format) {
    buf_puts(out, " ");
    if (strpbrk(format, "\"() "))
        put_quoted(out, format, strlen(format));
    else
        buf_puts(out, format);
    buf_puts(out, ")");
}

static void put_string(Buf *out, const StringPartList *parts) {
    if (!parts->len) {
        buf_puts(out, "\"\"");
        return;
    }
    bool plain = parts->len == 1 && !parts->at[0].hole;
    buf_puts(out, plain ? "" : "(string");
    for (int i = 0; i < parts->len; i++) {
        const StringPart *part = &parts->at[i];
        buf_puts(out, plain ? "" : " ");
        if (!part->hole) {
            put_quoted(out, part->text, part->len);
        } else if (*part->format) {
            buf_puts(out, "(format");
            put_optional(out, part->hole);
            put_format(out, part->format);
        } else {
            put_expr(out, part->hole);
        }
    }
    buf_puts(out, plain ? "" : ")");
}

static const char *range_head(const Expr *e) {
    if (e->range.lo && e->range.hi)
        return e->range.inclusive ? "..=" : "..";
    if (e->range.lo)
        return "from";
    if (e->range.hi)
        return e->range.inclusive ? "to=" : "to";
    return e->range.by ? "by" : "..";
}

static void put_node(Buf *out, const char *head, const Expr *a, const Expr *b, const Expr *c) {
    buf_printf(out, "(%s", head);
    put_optional(out, a);
    put_optional(out, b);
    put_optional(out, c);
    buf_puts(out, ")");
}

static void put_match(Buf *out, const Expr *e) {
    buf_puts(out, "(match");
    put_optional(out, e->match.subject);
    for (int i = 0; i < e->match.arms.len; i++) {
        const Arm *arm = &e->match.arms.at[i];
        buf_puts(out, " (=> ");
        put_pattern(out, arm->pattern);
        if (arm->guard) {
            buf_puts(out, " ");
            put_node(out, "if", arm->guard, NULL, NULL);
        }
        put_optional(out, arm->body);
        buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

static void put_loop(Buf *out, const Expr *e) {
    buf_puts(out, "(loop (vars");
    for (int i = 0; i < e->loop.vars.len; i++) {
        buf_puts(out, " (= ");
        put_typed(out, e->loop.vars.at[i].pattern, e->loop.vars.at[i].type);
        put_optional(out, e->loop.vars.at[i].init);
        buf_puts(out, ")");
    }
    buf_puts(out, ") ");
    if (e->loop.pattern)
        put_clause(out, e->loop.pattern, e->loop.source);
    else
        put_expr(out, e->loop.cond);
    put_optional(out, e->loop.body);
    buf_puts(out, ")");
}

static void put_message(Buf *out, const char *head, const Expr *e) {
    buf_printf(out, "(%s", head);
    put_optional(out, e->send.to);
    buf_printf(out, " (message %s", e->send.message);
    put_args(out, &e->send.args);
    buf_puts(out, "))");
}

static void put_let(Buf *out, const Expr *e) {
    buf_puts(out, e->let.is_var ? "(var " : "(let ");
    put_typed(out, e->let.pattern, e->let.type);
    put_optional(out, e->let.value);
    put_attrs(out, &e->let.attrs);
    buf_puts(out, ")");
}

static void put_with_at(Buf *out, const Expr *e) {
    buf_puts(out, "(with-at");
    put_optional(out, e->with_at.base);
    buf_puts(out, " ");
    put_list(out, "at", &e->with_at.items);
    put_optional(out, e->with_at.value);
    buf_puts(out, ")");
}

static void put_assign(Buf *out, const Expr *e) {
    if (e->assign.op == OP_COUNT)
        buf_puts(out, "(set");
    else
        buf_printf(out, "(update %s=", operator_spelling(e->assign.op));
    put_optional(out, e->assign.place);
    put_optional(out, e->assign.value);
    buf_puts(out, ")");
}

/* A head, an expression before the arguments, and the arguments. */
static void put_applied(Buf *out, const char *head, const Expr *first, const ArgList *args) {
    buf_printf(out, "(%s", head);
    put_optional(out, first);
    put_args(out, args);
    buf_puts(out, ")");
}

static void put_index(Buf *out, const Expr *e) {
    buf_puts(out, "(at");
    put_optional(out, e->index.base);
    for (int i = 0; i < e->index.items.len; i++)
        put_optional(out, e->index.items.at[i]);
    buf_puts(out, ")");
}

static void put_lambda(Buf *out, const Expr *e) {
    if (e->lambda.is_partial) {
        put_node(out, "partial", e->lambda.body, NULL, NULL);
        return;
    }
    buf_puts(out, "(\\ ");
    put_params(out, &e->lambda.params);
    put_optional(out, e->lambda.body);
    buf_puts(out, ")");
}

static void put_comprehension(Buf *out, const Expr *e) {
    buf_puts(out, "(list-of");
    put_optional(out, e->comp.body);
    put_clauses(out, &e->comp.clauses);
    put_optional(out, e->comp.cond);
    buf_puts(out, ")");
}

static void put_for(Buf *out, const Expr *e) {
    buf_puts(out, "(for");
    put_clauses(out, &e->for_loop.clauses);
    put_optional(out, e->for_loop.body);
    buf_puts(out, ")");
}

static void put_spawn(Buf *out, const Expr *e) {
    buf_puts(out, "(spawn ");
    put_path(out, e->spawn.module, e->spawn.actor);
    put_args(out, &e->spawn.args);
    buf_puts(out, ")");
}

static void put_field(Buf *out, const Expr *base, const char *name) {
    buf_puts(out, "(.");
    put_optional(out, base);
    buf_printf(out, " %s)", name);
}

static void put_tuple_field(Buf *out, const Expr *e) {
    buf_puts(out, "(.");
    put_optional(out, e->tuple_field.base);
    buf_printf(out, " .%" PRId64 ")", e->tuple_field.number);
}

static void put_expr(Buf *out, const Expr *e) {
    switch (e->kind) {
    case EXPR_ERROR: buf_puts(out, "(error)"); return;
    case EXPR_INT: ast_print_literal(out, e); return;
    case EXPR_FLOAT: ast_print_literal(out, e); return;
    case EXPR_BOOL: ast_print_literal(out, e); return;
    case EXPR_DURATION: ast_print_literal(out, e); return;
    case EXPR_STRING: put_string(out, &e->string); return;
    case EXPR_NAME: buf_puts(out, shown_name(e->name)); return;
    case EXPR_HOLE: buf_puts(out, "_"); return;
    case EXPR_SELF: buf_puts(out, "self"); return;
    case EXPR_OPERATOR: buf_printf(out, "(op %s)", operator_spelling(e->op)); return;
    case EXPR_TUPLE: put_applied(out, "tuple", NULL, &e->tuple); return;
    case EXPR_PAREN: put_node(out, "()", e->inner, NULL, NULL); return;
    case EXPR_LIST: put_list(out, "list", &e->list); return;
    case EXPR_COMPREHENSION: put_comprehension(out, e); return;
    case EXPR_RANGE: put_node(out, range_head(e), e->range.lo, e->range.hi, e->range.by); return;
    case EXPR_UNARY:
        put_node(out, operator_spelling(e->unary.op), e->unary.operand, NULL, NULL);
        return;
    case EXPR_BINARY:
        put_node(out, operator_spelling(e->binary.op), e->binary.lhs, e->binary.rhs, NULL);
        return;
    case EXPR_INDEX: put_index(out, e); return;
    case EXPR_FIELD: put_field(out, e->field.base, e->field.name); return;
    case EXPR_TUPLE_FIELD: put_tuple_field(out, e); return;
    case EXPR_CALL: put_applied(out, "call", e->call.fn, &e->call.args); return;
    case EXPR_PIPE: put_node(out, "|>", e->pipe.lhs, e->pipe.rhs, NULL); return;
    case EXPR_WITH_FIELDS:
        put_applied(out, "with", e->with_fields.base, &e->with_fields.fields);
        return;
    case EXPR_WITH_AT: put_with_at(out, e); return;
    case EXPR_IF: put_node(out, "if", e->branch.cond, e->branch.then, e->branch.otherwise); return;
    case EXPR_MATCH: put_match(out, e); return;
    case EXPR_BLOCK: put_list(out, "block", &e->block); return;
    case EXPR_LOOP: put_loop(out, e); return;
    case EXPR_LAMBDA: put_lambda(out, e); return;
    case EXPR_TRY: put_node(out, "try", e->attempt.tried, e->attempt.otherwise, NULL); return;
    case EXPR_SEND: put_message(out, "!", e); return;
    case EXPR_ASK: put_message(out, "?", e); return;
    case EXPR_WITHIN: put_node(out, "within", e->timed.message, e->timed.time, NULL); return;
    case EXPR_AFTER: put_node(out, "after", e->timed.message, e->timed.time, NULL); return;
    case EXPR_SPAWN: put_spawn(out, e); return;
    case EXPR_LET: put_let(out, e); return;
    case EXPR_ASSIGN: put_assign(out, e); return;
    case EXPR_FOR: put_for(out, e); return;
    case EXPR_WHILE: put_node(out, "while", e->while_loop.cond, e->while_loop.body, NULL); return;
    case EXPR_ASSERT:
        put_node(out, "assert", e->assertion.cond, e->assertion.message, NULL);
        return;
    case EXPR_RETURN: put_node(out, "return", e->value, NULL, NULL); return;
    case EXPR_BREAK: buf_puts(out, "(break)"); return;
    case EXPR_CONTINUE: buf_puts(out, "(continue)"); return;
    case EXPR_STOP: put_node(out, "stop", e->value, NULL, NULL); return;
    case EXPR_KIND_COUNT: break;
    }
    UNREACHABLE();
}

/* ---- declarations ---- */

static void put_names(Buf *out, const NameList *names) {
    if (!names->len)
        return;
    buf_puts(out, " (params");
    for (int i = 0; i < names->len; i++)
        buf_printf(out, " %s", names->at[i]);
    buf_puts(out, ")");
}

static void put_import(Buf *out, const Decl *d) {
    buf_puts(out, "import ");
    if (d->import.is_file)
        put_quoted(out, d->import.path, strlen(d->import.path));
    else
        buf_puts(out, d->import.path);
    if (d->import.all)
        buf_puts(out, " *");
    if (d->import.as)
        buf_printf(out, " %s", d->import.as);
}

static void put_constant(Buf *out, const char *head, const Decl *d) {
    buf_printf(out, "%s %s", head, d->name);
    if (d->constant.type) {
        buf_puts(out, " ");
        put_type(out, d->constant.type);
    }
    put_optional(out, d->constant.value);
}

static void put_ctors(Buf *out, const CtorList *ctors) {
    buf_puts(out, " (sum");
    for (int i = 0; i < ctors->len; i++) {
        const Ctor *ctor = &ctors->at[i];
        buf_printf(out, ctor->payload.len ? " (ctor %s" : " %s", ctor->name);
        put_type_items(out, &ctor->payload);
        if (ctor->payload.len)
            buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

static void put_typedef(Buf *out, const Decl *d) {
    buf_printf(out, "type %s", d->name);
    put_names(out, &d->type.params);
    switch (d->type.kind) {
    case TYPEDEF_ALIAS:
        buf_puts(out, " ");
        put_type(out, d->type.alias);
        return;
    case TYPEDEF_RECORD:
        buf_puts(out, " (record");
        put_type_items(out, &d->type.fields);
        buf_puts(out, ")");
        return;
    case TYPEDEF_SUM: put_ctors(out, &d->type.ctors); return;
    }
    UNREACHABLE();
}

/* Parameters, result and body. */
static void put_function(Buf *out, const Decl *d, bool has_params) {
    put_names(out, &d->fn.type_params);
    if (has_params || d->fn.params.len) {
        buf_puts(out, " ");
        put_params(out, &d->fn.params);
    }
    if (d->fn.result) {
        buf_puts(out, " (-> ");
        put_type(out, d->fn.result);
        buf_puts(out, ")");
    }
    put_optional(out, d->fn.body);
}

static void put_decl(Buf *out, const Decl *d);

static void put_actor(Buf *out, const Decl *d) {
    buf_printf(out, "actor %s", d->name);
    put_names(out, &d->actor.type_params);
    if (d->actor.params.len) {
        buf_puts(out, " ");
        put_params(out, &d->actor.params);
    }
    for (int i = 0; i < d->actor.items.len; i++) {
        buf_puts(out, " ");
        put_decl(out, d->actor.items.at[i]);
    }
}

static void put_decl_kind(Buf *out, const Decl *d) {
    switch (d->kind) {
    case DECL_IMPORT: put_import(out, d); return;
    case DECL_CONST: put_constant(out, "const", d); return;
    case DECL_STATE: put_constant(out, "state", d); return;
    case DECL_TYPE: put_typedef(out, d); return;
    case DECL_ACTOR: put_actor(out, d); return;
    case DECL_FN: buf_printf(out, "fn %s", d->name); break;
    case DECL_DAG: buf_printf(out, "dag %s", d->name); break;
    case DECL_HANDLER: buf_printf(out, "on %s", d->name); break;
    case DECL_LIFECYCLE: buf_printf(out, "on %s", d->fn.title); break;
    case DECL_MAIN: buf_puts(out, "main"); break;
    case DECL_TEST:
        buf_puts(out, "test ");
        put_quoted(out, d->fn.title, strlen(d->fn.title));
        break;
    case DECL_TIMER:
        buf_puts(out, d->fn.title);
        put_optional(out, d->fn.period);
        break;
    }
    put_function(out, d, d->kind == DECL_FN || d->kind == DECL_DAG || d->kind == DECL_HANDLER);
}

static void put_decl(Buf *out, const Decl *d) {
    buf_puts(out, "(");
    put_decl_kind(out, d);
    put_attrs(out, &d->attrs);
    if (d->doc) {
        buf_puts(out, " (doc ");
        put_quoted(out, d->doc, strlen(d->doc));
        buf_puts(out, ")");
    }
    buf_puts(out, ")");
}

/* ---- lines ---- */

/* The end of the atom, string or list that begins at `at`. */
static const char *item_end(const char *at) {
    int depth = 0;
    do {
        if (*at == '"') {
            for (at++; *at != '"'; at++)
                at += *at == '\\';
        } else if (*at == '(') {
            depth++;
        } else if (*at == ')') {
            depth--;
        }
        at++;
    } while (depth || (*at && *at != ' ' && *at != ')'));
    return at;
}

/* Copies one item; a list that is too wide gets a line for each of its lists. */
static void lay_out(Buf *out, const char *from, const char *to, int indent) {
    if (*from != '(' || to - from + indent <= PAGE) {
        buf_add(out, from, (size_t)(to - from));
        return;
    }
    buf_puts(out, "(");
    const char *at = from + 1, *end;
    for (bool broken = false; at < to - 1; at = end + (*end == ' ')) {
        end = item_end(at);
        broken |= *at == '(' && at != from + 1;
        if (broken)
            buf_printf(out, "\n%*s", indent + 2, "");
        else if (at != from + 1)
            buf_puts(out, " ");
        lay_out(out, at, end, indent + 2);
    }
    buf_puts(out, ")");
}

void ast_print(Buf *out, const Module *module) {
    for (int i = 0; i < module->decls.len; i++) {
        Buf line = {.arena = out->arena};
        put_decl(&line, module->decls.at[i]);
        const char *text = buf_text(&line);
        lay_out(out, text, text + line.len, 0);
        buf_puts(out, "\n");
    }
}
