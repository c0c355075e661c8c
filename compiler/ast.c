/* Constructors of the syntax tree. The grammar calls one for each rule; what a rule alone cannot
   decide is decided here: tuples against parameters, holes against names, message handlers
   against lifecycle handlers. */
#include "ast.h"

#include "parse.h"

#include <string.h>

const char *operator_spelling(Operator op) {
    static const char *const spellings[OP_COUNT] = {
#define OPERATOR(id, spelling, doc) [OP_##id] = spelling,
#include "../lang/operators.def"
    };
    return spellings[op];
}

Span ast_rule_span(const Span *parts, int count) {
    Span span = {parts[0].to, parts[0].to};
    bool any = false;
    for (int i = 0; i < count; i++) {
        if (parts[i].from == parts[i].to)
            continue;
        if (!any)
            span.from = parts[i].from;
        span.to = parts[i].to;
        any = true;
    }
    return span;
}

/* Keeps the depth of the tree below what recursive passes can bear. Nodes are built from the
   leaves up, so those that begin inside of a new one are its parts. */
static void count_depth(Parser *p, Span span) {
    int depth = 0;
    while (p->built.len && p->built.at[p->built.len - 1].from >= span.from) {
        int part = p->built.at[--p->built.len].depth;
        depth = part > depth ? part : depth;
    }
    vec_push(p->arena, &p->built, (Built){span.from, depth + 1});
    if (depth < TREE_DEPTH_MAX || p->aborted)
        return;
    FAIL(p, TOO_DEEP, (Span){span.from, span.from}, "this expression is nested deeper than %d",
         TREE_DEPTH_MAX);
    p->aborted = true;
}

Expr *ast_expr(Parser *p, Expr expr) {
    count_depth(p, expr.span);
    Expr *e = NEW(p->arena, Expr);
    *e = expr;
    return e;
}

TypeExpr *ast_type(Parser *p, TypeExpr type) {
    TypeExpr *t = NEW(p->arena, TypeExpr);
    *t = type;
    return t;
}

Pattern *ast_pattern(Parser *p, Pattern pattern) {
    Pattern *n = NEW(p->arena, Pattern);
    *n = pattern;
    return n;
}

Decl *ast_decl(Parser *p, Decl decl) {
    Decl *d = NEW(p->arena, Decl);
    *d = decl;
    d->module = p->module;
    return d;
}

/* ---- names and holes ---- */

Expr *ast_name(Parser *p, Span span, Name name) {
    if (name != p->wildcard)
        return ast_expr(p, (Expr){.kind = EXPR_NAME, .span = span, .name = name});
    Expr *hole = ast_expr(p, (Expr){.kind = EXPR_HOLE, .span = span});
    vec_push(p->arena, &p->holes, hole);
    return hole;
}

/* A place where `_` may stand takes it. */
static bool take_hole(Parser *p, const Expr *expr) {
    if (expr->kind != EXPR_HOLE)
        return false;
    for (int i = p->holes.len; i-- > 0;)
        if (p->holes.at[i] == expr) {
            p->holes.at[i] = p->holes.at[--p->holes.len];
            break;
        }
    return true;
}

void ast_check_holes(Parser *p) {
    for (int i = 0; i < p->holes.len; i++) {
        Diag *d = FAIL(p, MISPLACED_HOLE, p->holes.at[i]->span, "`_` is no value");
        diag_help(p->diags, d,
                  "`_` stands for an argument of a call, `f(_, 1)`, or for a size, `[_]f32`");
    }
    p->holes.len = 0;
}

Name ast_join(Parser *p, Name path, Name last) {
    return name_cstr(p->names, arena_printf(p->arena, "%s.%s", path, last));
}

/* Cuts a path at its last dot. */
static Name split_path(Parser *p, Name path, Name *module) {
    const char *dot = strrchr(path, '.');
    *module = dot ? name_of(p->names, path, (size_t)(dot - path)) : NULL;
    return dot ? name_cstr(p->names, dot + 1) : path;
}

/* ---- strings ---- */

static void add_text(Parser *p, Expr *string, Text text) {
    if (text.len)
        vec_push(p->arena, &string->string, (StringPart){.text = text.text, .len = text.len});
}

Expr *ast_string(Parser *p, Span span, Text text) {
    Expr *string = ast_expr(p, (Expr){.kind = EXPR_STRING, .span = span});
    add_text(p, string, text);
    return string;
}

Expr *ast_string_of(Parser *p, Span span, Text head, StringPartList parts, Text tail) {
    Expr *string = ast_string(p, span, head);
    for (int i = 0; i < parts.len; i++)
        if (parts.at[i].hole || parts.at[i].len)
            vec_push(p->arena, &string->string, parts.at[i]);
    add_text(p, string, tail);
    return string;
}

/* ---- calls ---- */

static void check_argument_order(Parser *p, const ArgList *args) {
    for (int i = 1; i < args->len; i++)
        if (args->at[i - 1].name && !args->at[i].name) {
            Diag *d = FAIL(p, POSITIONAL_AFTER_NAMED, args->at[i].value->span,
                           "an argument without a name stands after a named one");
            diag_span(p->diags, d, args->at[i - 1].name_span, "this one is named");
            return;
        }
}

/* The parameter that stands for the n-th hole; no program can spell its name. */
static Name hole_name(Parser *p, int n) {
    return name_cstr(p->names, arena_printf(p->arena, "#%d", n));
}

static bool is_hole_name(Name name) {
    return name[0] == '#';
}

static Param hole_param(Parser *p, Span span, Name name) {
    Pattern *pattern = ast_pattern(p, (Pattern){.kind = PAT_NAME, .span = span, .name = name});
    return (Param){.pattern = pattern, .name = name, .span = span};
}

Expr *ast_call(Parser *p, Span span, Expr *fn, ArgList args) {
    check_argument_order(p, &args);
    Expr *call = ast_expr(p, (Expr){.kind = EXPR_CALL, .span = span, .call = {fn, args}});
    ParamList params = {0};
    for (int i = 0; i < args.len; i++) {
        Expr *value = args.at[i].value;
        if (!take_hole(p, value))
            continue;
        Name name = hole_name(p, params.len + 1);
        *value = (Expr){.kind = EXPR_NAME, .span = value->span, .name = name};
        vec_push(p->arena, &params, hole_param(p, value->span, name));
    }
    if (!params.len)
        return call;
    return ast_expr(p, (Expr){.kind = EXPR_LAMBDA, .span = span, .lambda = {params, call, true}});
}

Expr *ast_pipe(Parser *p, Span span, Expr *lhs, Expr *rhs) {
    if (rhs->kind == EXPR_LAMBDA && rhs->lambda.is_partial) {
        rhs = rhs->lambda.body;
        for (int i = 0; i < rhs->call.args.len; i++) {
            Expr *value = rhs->call.args.at[i].value;
            if (value->kind == EXPR_NAME && is_hole_name(value->name))
                *value = (Expr){.kind = EXPR_HOLE, .span = value->span};
        }
    }
    return ast_expr(p, (Expr){.kind = EXPR_PIPE, .span = span, .pipe = {lhs, rhs}});
}

Expr *ast_comprehension(Span first, Span last, Expr *body, Expr *clauses) {
    clauses->span = (Span){first.from, last.to};
    clauses->comp.body = body;
    return clauses;
}

Expr *ast_call_of(Parser *p, Span span, Expr *fn, Expr *comprehension) {
    ArgList args = {0};
    vec_push(p->arena, &args, (Arg){.value = comprehension});
    return ast_call(p, span, fn, args);
}

Expr *ast_list(Parser *p, Span span, ArgList items) {
    Expr *list = ast_expr(p, (Expr){.kind = EXPR_LIST, .span = span});
    for (int i = 0; i < items.len; i++) {
        if (items.at[i].name)
            FAIL(p, NAMED_ELEMENT, items.at[i].name_span, "the elements of a list have no names");
        vec_push(p->arena, &list->list, items.at[i].value);
    }
    return list;
}

Expr *ast_spawn(Parser *p, Span span, Span path_span, Name path, ArgList args) {
    check_argument_order(p, &args);
    Expr *e = ast_expr(p, (Expr){.kind = EXPR_SPAWN, .span = span});
    e->spawn.actor = split_path(p, path, &e->spawn.module);
    e->spawn.actor_span = path_span;
    e->spawn.args = args;
    return e;
}

Expr *ast_size(Parser *p, Expr *size) {
    take_hole(p, size);
    return size;
}

/* ---- parentheses and lambdas ---- */

static void check_tuple(Parser *p, Span span, const Paren *paren) {
    if (paren->items.len == 1 && paren->comma)
        FAIL(p, ONE_TUPLE, span, "a tuple has at least two elements");
    for (int i = 0; i < paren->items.len; i++) {
        const ParenItem *item = &paren->items.at[i];
        if (item->type) {
            Diag *d =
                FAIL(p, TYPE_IN_TUPLE, item->span, "only a parameter of a lambda has a type here");
            diag_help(p->diags, d,
                      "a lambda goes on with `->`; a value's type stands in its `let`");
            return;
        }
        if (!item->name != !paren->items.at[0].name) {
            FAIL(p, MIXED_TUPLE, item->span, "all elements of a tuple have names, or none has");
            return;
        }
    }
}

Expr *ast_paren(Parser *p, Span span, Paren paren) {
    check_tuple(p, span, &paren);
    if (paren.items.len == 1 && !paren.items.at[0].name)
        return ast_expr(p,
                        (Expr){.kind = EXPR_PAREN, .span = span, .inner = paren.items.at[0].value});
    Expr *tuple = ast_expr(p, (Expr){.kind = EXPR_TUPLE, .span = span});
    for (int i = 0; i < paren.items.len; i++) {
        const ParenItem *item = &paren.items.at[i];
        Expr *value = item->value;
        if (!value)
            value = ast_expr(p, (Expr){.kind = EXPR_ERROR, .span = item->span});
        vec_push(p->arena, &tuple->tuple, (Arg){item->name, item->name_span, value});
    }
    return tuple;
}

/* What was read as an expression, as a pattern: names, `_` and tuples of them. */
static Pattern *pattern_of(Parser *p, Expr *expr) {
    if (take_hole(p, expr))
        return ast_pattern(p, (Pattern){.kind = PAT_WILD, .span = expr->span});
    if (expr->kind == EXPR_NAME)
        return ast_pattern(p, (Pattern){.kind = PAT_NAME, .span = expr->span, .name = expr->name});
    if (expr->kind == EXPR_PAREN)
        return pattern_of(p, expr->inner);
    if (expr->kind == EXPR_TUPLE && expr->tuple.len && !expr->tuple.at[0].name) {
        Pattern *tuple = ast_pattern(p, (Pattern){.kind = PAT_TUPLE, .span = expr->span});
        for (int i = 0; i < expr->tuple.len; i++)
            vec_push(p->arena, &tuple->items, pattern_of(p, expr->tuple.at[i].value));
        return tuple;
    }
    if (expr->kind != EXPR_ERROR)
        FAIL(p, LAMBDA_PARAMETER, expr->span, "expected a parameter's name before `->`");
    return ast_pattern(p, (Pattern){.kind = PAT_ERROR, .span = expr->span});
}

static Param lambda_param(Parser *p, const ParenItem *item) {
    if (item->type)
        return ast_param(p, item->span, item->name, item->name_span, item->type, NULL);
    if (item->name)
        FAIL(p, LAMBDA_PARAMETER, item->span, "a parameter of a lambda has no default value");
    Pattern *pattern = pattern_of(p, item->value);
    Name name = pattern->kind == PAT_NAME ? pattern->name : NULL;
    return (Param){.pattern = pattern, .name = name, .span = item->span};
}

Expr *ast_lambda(Parser *p, Span span, Paren paren, Expr *body) {
    ParamList params = {0};
    for (int i = 0; i < paren.items.len; i++)
        vec_push(p->arena, &params, lambda_param(p, &paren.items.at[i]));
    return ast_expr(p, (Expr){.kind = EXPR_LAMBDA, .span = span, .lambda = {params, body, false}});
}

Expr *ast_name_lambda(Parser *p, Span span, Span name_span, Name name, Expr *body) {
    ParamList params = {0};
    vec_push(p->arena, &params, ast_param(p, name_span, name, name_span, NULL, NULL));
    return ast_expr(p, (Expr){.kind = EXPR_LAMBDA, .span = span, .lambda = {params, body, false}});
}

/* ---- types and patterns ---- */

TypeExpr *ast_group_type(TypeExpr *tuple) {
    if (tuple->tuple.len != 1 || tuple->tuple.at[0].name)
        return tuple;
    return tuple->tuple.at[0].type;
}

TypeExpr *ast_path_type(Parser *p, Span span, Name path, TypeExprList args) {
    TypeExpr *type = ast_type(p, (TypeExpr){.kind = TE_NAME, .span = span});
    type->name.name = split_path(p, path, &type->name.module);
    type->name.args = args;
    return type;
}

Pattern *ast_name_pattern(Parser *p, Span span, Name name) {
    if (name == p->wildcard)
        return ast_pattern(p, (Pattern){.kind = PAT_WILD, .span = span});
    return ast_pattern(p, (Pattern){.kind = PAT_NAME, .span = span, .name = name});
}

Pattern *ast_path_pattern(Parser *p, Span span, Name path, PatternItemList items, bool has_args) {
    Pattern *ctor = ast_pattern(p, (Pattern){.kind = PAT_CTOR, .span = span});
    ctor->ctor.name = split_path(p, path, &ctor->ctor.module);
    ctor->ctor.items = items;
    ctor->ctor.has_args = has_args;
    return ctor;
}

Pattern *ast_tuple_pattern(Parser *p, Span span, Pattern *first, PatternList rest) {
    Pattern *tuple = ast_pattern(p, (Pattern){.kind = PAT_TUPLE, .span = span});
    vec_push(p->arena, &tuple->items, first);
    for (int i = 0; i < rest.len; i++)
        vec_push(p->arena, &tuple->items, rest.at[i]);
    return tuple;
}

Pattern *ast_or_pattern(Parser *p, Span span, Pattern *lhs, Pattern *rhs) {
    if (lhs->kind != PAT_OR) {
        Pattern *alternatives = ast_pattern(p, (Pattern){.kind = PAT_OR});
        vec_push(p->arena, &alternatives->items, lhs);
        lhs = alternatives;
    }
    lhs->span = span;
    vec_push(p->arena, &lhs->items, rhs);
    return lhs;
}

Param ast_param(Parser *p, Span span, Name name, Span name_span, TypeExpr *type, Expr *init) {
    Pattern *pattern = ast_name_pattern(p, name_span, name);
    return (Param){.pattern = pattern,
                   .name = pattern->kind == PAT_NAME ? name : NULL,
                   .type = type,
                   .init = init,
                   .span = span};
}

/* ---- declarations ---- */

/* The doc comment that stands before a place. */
static const char *doc_before(const Parser *p, uint32_t place) {
    for (int i = p->docs.len; i-- > 0 && p->docs.at[i].before >= place;)
        if (p->docs.at[i].before == place)
            return p->docs.at[i].text;
    return NULL;
}

Decl *ast_declare(Parser *p, Span span, AttrList attrs, Decl *decl) {
    p->built.len = 0;
    decl->span = span;
    decl->attrs = attrs;
    decl->doc = doc_before(p, span.from);
    return decl;
}

void ast_sum(Parser *p, Decl *decl, const Ctor *first, CtorList rest) {
    if (first)
        vec_push(p->arena, &decl->type.ctors, *first);
    for (int i = 0; i < rest.len; i++)
        vec_push(p->arena, &decl->type.ctors, rest.at[i]);
}

Decl *ast_handler(Parser *p, Span span, Span name_span, Name name, Decl decl) {
    bool lifecycle = !strcmp(name, "start") || !strcmp(name, "stop") || !strcmp(name, "fault");
    decl.kind = lifecycle ? DECL_LIFECYCLE : DECL_HANDLER;
    decl.span = span;
    decl.name = lifecycle ? NULL : name;
    decl.name_span = name_span;
    decl.fn.title = lifecycle ? name : NULL;
    return ast_decl(p, decl);
}

Decl *ast_timer(Parser *p, Span span, Span word_span, Name word, Expr *period, Expr *body) {
    if (strcmp(word, "every") && strcmp(word, "after")) {
        Diag *d = FAIL(p, ACTOR_ITEM, word_span,
                       "expected `state`, `on`, `fn`, `every` or `after`, found `%s`", word);
        diag_help(p->diags, d, "a message is handled by `on %s(…) { … }`", word);
    }
    return ast_decl(p,
                    (Decl){.kind = DECL_TIMER,
                           .span = span,
                           .name_span = word_span,
                           .fn = {.title = word, .period = period, .body = body, .op = OP_COUNT}});
}

Decl *ast_actor(Parser *p, Decl actor) {
    actor.kind = DECL_ACTOR;
    Decl *decl = ast_decl(p, actor);
    for (int i = 0; i < decl->actor.items.len; i++)
        decl->actor.items.at[i]->owner = decl;
    return decl;
}
