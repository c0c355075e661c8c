/* Expressions: literals, names, tuples, lists, ranges, comprehensions, strings, fields, lambdas. */
#include "check.h"

#include "../lang/image.h"

#include <string.h>

/* ---- literals ---- */

static Type *suffix_type(Checker *ck, Name suffix) {
    static const TypeKind kinds[] = {TYPE_I8,  TYPE_I16, TYPE_I32,  TYPE_I64, TYPE_U8,  TYPE_U16,
                                     TYPE_U32, TYPE_U64, TYPE_F16, TYPE_BF16, TYPE_F32, TYPE_F64};
    for (int i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(text_of(ck, basic(ck, kinds[i])), suffix))
            return basic(ck, kinds[i]);
    return basic(ck, TYPE_I64);
}

static Val int_literal(Checker *ck, uint64_t value, Name suffix, bool negative, Span span) {
    Type *type = suffix ? suffix_type(ck, suffix) : literal_var(ck, VAR_INT, span);
    vec_push(ck->arena, &ck->literals, (LiteralCheck){type, value, (double)value, negative, span});
    if (type_is_float(type))
        return val(type, ir_float(&ck->b, type, negative ? -(double)value : (double)value));
    return val(type, ir_int(&ck->b, type, (int64_t)(negative ? 0 - value : value)));
}

static Val float_literal(Checker *ck, const Expr *e, bool negative) {
    Type *type = e->real.suffix ? suffix_type(ck, e->real.suffix)
                                : literal_var(ck, VAR_FLOAT, e->span);
    double value = negative ? -e->real.value : e->real.value;
    vec_push(ck->arena, &ck->literals, (LiteralCheck){type, 0, e->real.value, negative, e->span});
    return val(type, ir_float(&ck->b, type, value));
}

/* ---- tuples and lists ---- */

/* The output of the dag being checked that member k of a tuple would be, or NULL. */
static Name output_name(Checker *ck, const Expr *e, int k) {
    if (!in_dag(ck))
        return NULL;
    if (e->tuple.at[k].name)
        return e->tuple.at[k].name;
    const TypeExpr *result = ck->fn->decl->fn.result;
    bool fits = result && result->kind == TE_TUPLE && result->tuple.len == e->tuple.len;
    return fits ? result->tuple.at[k].name : NULL;
}

static Val check_tuple(Checker *ck, const Expr *e) {
    int n = e->tuple.len, node = ck->b.node;
    Type **types = NEW_ARRAY(ck->arena, Type *, n + 1);
    Name *names = NEW_ARRAY(ck->arena, Name, n + 1);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n + 1);
    for (int i = 0; i < n; i++) {
        const Expr *value = e->tuple.at[i].value;
        Name output = node == 0 ? output_name(ck, e, i) : NULL;
        if (output && value->kind != EXPR_NAME) /* what stands in a return belongs to its output */
            ck->b.node = node_of(ck, output, value->span, NULL);
        Val v = check_expr(ck, value);
        ck->b.node = node;
        types[i] = type_of(ck, v);
        names[i] = e->tuple.at[i].name;
        ids[i] = v.id;
    }
    Type *type = type_tuple(ck->ts, types, names, n);
    return val(type, ir_tuple(&ck->b, type, ids, n));
}

/* One type for all of n values: they are converted in place. */
static bool join_all(Checker *ck, Val *vals, const Span *spans, int n) {
    for (int i = 1; i < n; i++) {
        Val first = vals[0];
        if (join_vals(ck, &first, &vals[i])) {
            if (first.id != vals[0].id)
                for (int k = 0; k < i; k++) {
                    bool ok = true;
                    vals[k] = convert_to(ck, vals[k], first.type, &ok);
                }
            continue;
        }
        Type *a = type_of(ck, vals[0]), *b = type_of(ck, vals[i]);
        Diag *d = ck_error(ck, DIAG_TYPE_MISMATCH, spans[i],
                           "the elements of a list have one type: this is %s, the first is %s",
                           text_of(ck, b), text_of(ck, a));
        diag_span(ck->diags, d, spans[0], "this is %s", text_of(ck, a));
        return false;
    }
    return true;
}

/* Different closures become alternatives of one choice. */
static void join_functions(Checker *ck, Val *vals, int n) {
    VEC(Type *) kinds = {0};
    for (int i = 0; i < n; i++) {
        Type *t = type_of(ck, vals[i]);
        int k = 0;
        while (k < kinds.len && kinds.at[k] != t)
            k++;
        if (k == kinds.len)
            vec_push(ck->arena, &kinds, t);
    }
    if (kinds.len < 2)
        return;
    Type *choice = type_choice(ck->ts, kinds.at, kinds.len);
    for (int i = 0; i < n; i++) {
        bool ok = true;
        vals[i] = convert_to(ck, vals[i], choice, &ok);
    }
}

/* Are the rows of a list of arrays known to have one shape? */
static bool rows_agree(Checker *ck, const Val *rows, int n, int rank) {
    for (int i = 1; i < n; i++)
        for (int k = 0; k < rank; k++) {
            int64_t difference;
            if (!ir_difference(ck->b.func, ck_dim(ck, rows[0].id, k), ck_dim(ck, rows[i].id, k),
                               &difference) ||
                difference)
                return false;
        }
    return true;
}

static Val list_of(Checker *ck, Val *vals, const Span *spans, int n, Span span) {
    IrId *ids = NEW_ARRAY(ck->arena, IrId, n + 1);
    if (n == 0) {
        Type *type = type_array(ck->ts, literal_var(ck, VAR_ANY, span), 1);
        return val(type, ir_list(&ck->b, type, NULL, 0));
    }
    if (is_function(type_of(ck, vals[0])))
        join_functions(ck, vals, n);
    if (!join_all(ck, vals, spans, n))
        return val_poison(ck);
    Type *elem = type_of(ck, vals[0]);
    for (int i = 0; i < n; i++)
        ids[i] = vals[i].id;
    bool dense = elem->kind == TYPE_ARRAY && rows_agree(ck, vals, n, elem->rank);
    Type *type = dense ? type_array(ck->ts, elem->elem, elem->rank + 1)
                       : type_array(ck->ts, elem, 1);
    IrId list = ir_list(&ck->b, type, ids, n);
    if (dense)
        for (int k = 0; k < elem->rank; k++)
            ck_assume_dim(ck, list, 0, k + 1, ck_dim(ck, ids[0], k));
    return val(type, list);
}

Val tuple_as_list(Checker *ck, Val v) {
    Type *type = type_of(ck, v);
    if (type->kind != TYPE_TUPLE || !type->count)
        return v;
    Val *vals = NEW_ARRAY(ck->arena, Val, type->count);
    Span *spans = NEW_ARRAY(ck->arena, Span, type->count);
    bool functions = true, alike = true;
    for (int k = 0; k < type->count; k++) {
        vals[k] = get_member(ck, v, k);
        spans[k] = ck->b.span;
        functions &= is_function(type_of(ck, vals[k]));
        alike &= type_unify(ck->ts, vals[0].type, vals[k].type);
    }
    return alike || functions ? list_of(ck, vals, spans, type->count, ck->b.span) : v;
}

static Val check_list(Checker *ck, const Expr *e) {
    int n = e->list.len;
    Val *vals = NEW_ARRAY(ck->arena, Val, n + 1);
    Span *spans = NEW_ARRAY(ck->arena, Span, n + 1);
    for (int i = 0; i < n; i++) {
        vals[i] = check_expr(ck, e->list.at[i]);
        spans[i] = e->list.at[i]->span;
        if (is_poison(ck, vals[i]))
            return val_poison(ck);
    }
    return list_of(ck, vals, spans, n, e->span);
}

/* ---- strings ---- */

/* Why a format does not suit a scalar, or NULL. Other values are looked at when they are shown. */
static const char *format_misfit(const char *format, const Type *type) {
    bool digits = strchr(format, '.') || strchr(format, 'e'), hex = strchr(format, 'x');
    if ((digits || hex) && (type->kind == TYPE_BOOL || type->kind == TYPE_STRING))
        return "it has no digits";
    if (digits && type_is_int(type))
        return "`.` and digits, and `e`, are for floats";
    if (hex && (type_is_float(type) || (type->kind == TYPE_VAR && type->var == VAR_FLOAT)))
        return "hexadecimal digits are for integers";
    return NULL;
}

/* The scanner lets only well-formed formats through. */
static IrId format_part(Checker *ck, const StringPart *part) {
    Val v = check_expr(ck, part->hole);
    Type *string = basic(ck, TYPE_STRING);
    if (is_poison(ck, v))
        return ir_undef(&ck->b, string);
    const char *why = format_misfit(part->format, type_of(ck, v));
    if (why)
        ck_error(ck, DIAG_FORMAT_OF_TYPE, part->hole->span, "the format `%s` does not suit %s: %s",
                 part->format, text_of(ck, v.type), why);
    if (type_of(ck, v)->kind == TYPE_STRING && !*part->format)
        return v.id;
    IrId spec = ir_string(&ck->b, part->format, strlen(part->format));
    return ir_rt(&ck->b, RT_FORMAT, string,
                 (IrId[]){v.id, spec}, 2);
}

Val check_string(Checker *ck, const Expr *e) {
    Type *string = basic(ck, TYPE_STRING);
    VEC(IrId) parts = {0};
    for (int i = 0; i < e->string.len; i++) {
        const StringPart *part = &e->string.at[i];
        if (part->hole)
            vec_push(ck->arena, &parts, format_part(ck, part));
        else if (part->len || e->string.len == 1)
            vec_push(ck->arena, &parts, ir_string(&ck->b, part->text, part->len));
    }
    if (!parts.len)
        return val(string, ir_string(&ck->b, "", 0));
    return val(string, parts.len == 1 ? parts.at[0] : ir_concat(&ck->b, parts.at, parts.len));
}

/* ---- lambdas ---- */

typedef struct {
    Checker *ck;
    NameList names;
} Free;

static void add_free(Free *f, Name name) {
    for (int i = 0; i < f->names.len; i++)
        if (f->names.at[i] == name)
            return;
    if (local_find(f->ck, name))
        vec_push(f->ck->arena, &f->names, name);
}

static bool visit_free(const Expr *e, void *ctx);

static void free_in_type(const TypeExpr *te, Free *f) {
    if (!te)
        return;
    if (te->kind == TE_ARRAY) {
        for (int i = 0; i < te->array.dims.len; i++)
            walk_expr(te->array.dims.at[i], visit_free, f);
        free_in_type(te->array.elem, f);
    }
    for (int i = 0; te->kind == TE_TUPLE && i < te->tuple.len; i++)
        free_in_type(te->tuple.at[i].type, f);
}

static bool visit_free(const Expr *e, void *ctx) {
    Free *f = ctx;
    if (e->kind == EXPR_NAME)
        add_free(f, e->name);
    if (e->kind == EXPR_LET)
        free_in_type(e->let.type, f);
    for (int i = 0; e->kind == EXPR_LAMBDA && i < e->lambda.params.len; i++)
        free_in_type(e->lambda.params.at[i].type, f);
    return true;
}

static Lambda *lambda_code(Checker *ck, const Expr *e, NameList *names) {
    const TypeEnv *types = ck->fn ? ck->fn->types : NULL;
    for (Lambda *l = ck->lambdas; l; l = l->next)
        if (l->expr == e && l->types == types && l->count == names->len) {
            bool same = true;
            for (int i = 0; i < l->count; i++)
                same &= l->names[i] == names->at[i];
            if (same)
                return l;
        }
    Lambda *l = NEW(ck->arena, Lambda);
    *l = (Lambda){.expr = e, .names = names->at, .count = names->len, .types = types,
                  .module = ck->fn ? ck->fn->module : ck->c->modules.at[0], .next = ck->lambdas};
    return ck->lambdas = l;
}

Val make_lambda(Checker *ck, const Expr *e) {
    Free f = {.ck = ck};
    for (int i = 0; i < e->lambda.params.len; i++)
        free_in_type(e->lambda.params.at[i].type, &f);
    walk_expr(e->lambda.body, visit_free, &f);
    Lambda *code = lambda_code(ck, e, &f.names);
    Type **types = NEW_ARRAY(ck->arena, Type *, code->count + 1);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, code->count + 1);
    for (int i = 0; i < code->count; i++) {
        Local *local = local_find(ck, code->names[i]);
        local->used = true;
        Val v = local->val.type ? local->val : val_poison(ck);
        types[i] = type_of(ck, v);
        ids[i] = v.id;
    }
    Type *type = type_closure(ck->ts, code, code->types, types, code->count);
    return val(type, ir_tuple(&ck->b, type, ids, code->count));
}

/* ---- dispatch ---- */

bool fold_const(Checker *ck, Val v, int64_t *out) {
    return ir_const_int(ck->b.func, v.id, out);
}

static Val check_unary(Checker *ck, const Expr *e) {
    const Expr *operand = e->unary.operand;
    while (operand->kind == EXPR_PAREN)
        operand = operand->inner;
    if (e->unary.op == OP_NEG && operand->kind == EXPR_INT)
        return int_literal(ck, operand->integer.value, operand->integer.suffix, true, e->span);
    if (e->unary.op == OP_NEG && operand->kind == EXPR_FLOAT)
        return float_literal(ck, operand, true);
    return apply_unary(ck, e->unary.op, check_expr(ck, e->unary.operand), e->span);
}

static Val check_operator_value(Checker *ck, const Expr *e) {
    FnSet *set = operator_fnset(ck, e->op);
    Type *type = type_fnset(ck->ts, set, NULL);
    return val(type, ir_tuple(&ck->b, type, NULL, 0));
}

static Val check_self(Checker *ck, const Expr *e) {
    Local *self = local_find(ck, ck_name(ck, "self"));
    if (self)
        return self->val;
    return ck_fail(ck, DIAG_OUT_OF_PLACE, e->span, "there is no self outside of an actor");
}

static Val statement_value(Checker *ck, const Expr *e) {
    check_statement(ck, e);
    return val_unit(ck);
}

static Val check_kind(Checker *ck, const Expr *e) {
    switch (e->kind) {
    case EXPR_ERROR: return val_poison(ck);
    case EXPR_INT: return int_literal(ck, e->integer.value, e->integer.suffix, false, e->span);
    case EXPR_FLOAT: return float_literal(ck, e, false);
    case EXPR_BOOL: return val_bool(ck, e->boolean);
    case EXPR_DURATION: return val_int(ck, TYPE_DURATION, e->duration_ns);
    case EXPR_STRING: return check_string(ck, e);
    case EXPR_NAME: return check_name(ck, e->name, e->span);
    case EXPR_HOLE:
        return ck_fail(ck, DIAG_OUT_OF_PLACE, e->span,
                       "`_` stands for an argument of a call or a part of a pattern");
    case EXPR_SELF: return check_self(ck, e);
    case EXPR_OPERATOR: return check_operator_value(ck, e);
    case EXPR_TUPLE: return check_tuple(ck, e);
    case EXPR_PAREN: return check_expr(ck, e->inner);
    case EXPR_LIST: return check_list(ck, e);
    case EXPR_COMPREHENSION: return check_comprehension(ck, e);
    case EXPR_RANGE: return check_range(ck, e);
    case EXPR_UNARY: return check_unary(ck, e);
    case EXPR_BINARY: return check_binary(ck, e);
    case EXPR_INDEX: return check_index(ck, e);
    case EXPR_FIELD: return check_field_expr(ck, e);
    case EXPR_TUPLE_FIELD: return check_tuple_field(ck, e);
    case EXPR_CALL: return check_call(ck, e);
    case EXPR_PIPE: return check_pipe(ck, e);
    case EXPR_WITH_FIELDS: return check_with_fields(ck, e);
    case EXPR_WITH_AT: return check_with_at(ck, e);
    case EXPR_IF: return check_if(ck, e, true, false);
    case EXPR_MATCH: return check_match(ck, e, true, false);
    case EXPR_BLOCK: return check_block(ck, e, true);
    case EXPR_LOOP: return check_loop(ck, e);
    case EXPR_LAMBDA: return make_lambda(ck, e);
    case EXPR_TRY: return check_try(ck, e);
    case EXPR_SEND:
    case EXPR_ASK: return check_send(ck, e);
    case EXPR_WITHIN:
    case EXPR_AFTER: return check_timed(ck, e);
    case EXPR_SPAWN: return check_spawn(ck, e);
    case EXPR_LET:
    case EXPR_ASSIGN:
    case EXPR_FOR:
    case EXPR_WHILE:
    case EXPR_ASSERT:
    case EXPR_RETURN:
    case EXPR_BREAK:
    case EXPR_CONTINUE:
    case EXPR_STOP: return statement_value(ck, e);
    case EXPR_KIND_COUNT: break;
    }
    UNREACHABLE();
}

Val check_expr(Checker *ck, const Expr *e) {
    Span outer = ck->b.span;
    ck->b.span = ck->called_at.to ? ck->called_at : e->span;
    Val v = check_kind(ck, e);
    ck->b.span = outer;
    note_typed(ck, e->span, v);
    if (v.type && type_too_large(ck, type_of(ck, v), e->span))
        return val_poison(ck);
    return v;
}
