/* Names that are declared twice: declarations of a file, overloads with the same parameters, the
   parameters of a function, the fields of a record and the constructors of a sum. */
#include "check.h"

static void report(Checker *ck, Name name, Span span, Span first) {
    Diag *d = ck_error(ck, DIAG_DUPLICATE_NAME, span, "%s is declared twice", name);
    if (first.to)
        diag_span(ck->diags, d, first, "first declared here");
}

/* ---- written types ---- */

static bool same_written(const TypeExpr *a, const TypeExpr *b);

static bool same_items(const TypeItemList *a, const TypeItemList *b) {
    if (a->len != b->len)
        return false;
    for (int i = 0; i < a->len; i++)
        if (!same_written(a->at[i].type, b->at[i].type))
            return false;
    return true;
}

static bool same_named(const TypeExpr *a, const TypeExpr *b) {
    if (a->name.module != b->name.module || a->name.name != b->name.name ||
        a->name.args.len != b->name.args.len)
        return false;
    for (int i = 0; i < a->name.args.len; i++)
        if (!same_written(a->name.args.at[i], b->name.args.at[i]))
            return false;
    return true;
}

/* Do two types as written say the same to the choice of an overload? Sizes do not count. */
static bool same_written(const TypeExpr *a, const TypeExpr *b) {
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case TE_NAME: return same_named(a, b);
    case TE_ARRAY:
        return a->array.dims.len == b->array.dims.len && same_written(a->array.elem, b->array.elem);
    case TE_TUPLE: return same_items(&a->tuple, &b->tuple);
    case TE_FN: return a->fn.params.len == b->fn.params.len;
    }
    UNREACHABLE();
}

static bool same_params(const Decl *a, const Decl *b) {
    if (a->fn.params.len != b->fn.params.len || a->fn.type_params.len || b->fn.type_params.len)
        return false;
    for (int i = 0; i < a->fn.params.len; i++)
        if (!same_written(a->fn.params.at[i].type, b->fn.params.at[i].type))
            return false;
    return true;
}

/* ---- inside a declaration ---- */

static void check_params(Checker *ck, const Decl *d) {
    const ParamList *params = &d->fn.params;
    for (int i = 0; i < params->len; i++)
        for (int k = 0; k < i; k++)
            if (params->at[i].name && params->at[i].name == params->at[k].name) {
                report(ck, params->at[i].name, params->at[i].span, params->at[k].span);
                break;
            }
}

static void check_items(Checker *ck, const TypeItemList *items) {
    for (int i = 0; i < items->len; i++)
        for (int k = 0; k < i; k++)
            if (items->at[i].name && items->at[i].name == items->at[k].name) {
                report(ck, items->at[i].name, items->at[i].name_span, items->at[k].name_span);
                break;
            }
}

static void check_type_parts(Checker *ck, const Decl *d) {
    if (d->type.kind == TYPEDEF_RECORD)
        check_items(ck, &d->type.fields);
    if (d->type.kind != TYPEDEF_SUM)
        return;
    const CtorList *ctors = &d->type.ctors;
    for (int i = 0; i < ctors->len; i++) {
        check_items(ck, &ctors->at[i].payload);
        for (int k = 0; k < i; k++)
            if (ctors->at[i].name == ctors->at[k].name) {
                report(ck, ctors->at[i].name, ctors->at[i].span, ctors->at[k].span);
                break;
            }
    }
}

/* ---- between declarations ---- */

static bool is_type(const Decl *d) {
    return d->kind == DECL_TYPE || d->kind == DECL_ACTOR;
}

static bool collide(const Decl *a, const Decl *b) {
    if (!a->name || a->name != b->name || is_type(a) != is_type(b))
        return false;
    if (a->kind == DECL_FN && b->kind == DECL_FN)
        return same_params(a, b);
    return a->kind != DECL_FN && b->kind != DECL_FN;
}

void check_duplicates(Checker *ck, Module *m) {
    Scope *s = scope_of(ck, m);
    for (int i = 0; i < s->decls.len; i++) {
        const Decl *d = s->decls.at[i];
        if (d->kind == DECL_FN || d->kind == DECL_DAG)
            check_params(ck, d);
        if (d->kind == DECL_TYPE)
            check_type_parts(ck, d);
        for (int k = 0; k < i; k++)
            if (collide(d, s->decls.at[k])) {
                report(ck, d->name, d->name_span, s->decls.at[k]->name_span);
                break;
            }
    }
}
