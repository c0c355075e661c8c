/* Patterns and match. Exhaustiveness follows L. Maranget, "Warnings for pattern matching" (2007):
   a row of wildcards is tried against the matrix of arms, and what it still matches is reported. */
#include "check.h"

#include <string.h>

/* ---- what a pattern is, once the type it meets is known ---- */

typedef enum { NP_ANY, NP_CTOR, NP_LITERAL, NP_OR } NormalKind;
typedef struct Normal Normal;
struct Normal {
    NormalKind kind;
    int ctor; /* of a sum; 0 of a product; of bool 0 false, 1 true */
    Normal **items;
    int count;
};

static Type *member_type(Checker *ck, Type *type, int ctor, int k) {
    return type_resolve(ck->ts, type_is_sum(type) ? type->ctors[ctor].items[k] : type->items[k]);
}

static int ctor_named(const Type *type, Name name) {
    for (int c = 0; type->kind == TYPE_SUM && c < type->nctors; c++)
        if (type->ctors[c].name == name)
            return c;
    return -1;
}

static Decl *const_named(Checker *ck, Name name) {
    return find_decl(ck, ck->fn->module, name, DECL_CONST);
}

/* Does a bare name in a pattern name a constructor or a constant, or does it bind? */
static bool binds(Checker *ck, const Pattern *p, Type *type) {
    int ctor;
    return p->kind == PAT_NAME && ctor_named(type, p->name) < 0 && !const_named(ck, p->name) &&
           !(type->kind != TYPE_SUM && find_ctor(ck, ck->fn->module, NULL, p->name, &ctor));
}

static Name *pattern_names(const Type *type, int ctor) {
    return type_is_sum(type) ? type->ctors[ctor].names : type->names;
}

/* The member that item i of a constructor pattern stands for, or -1. */
static int item_index(const Pattern *p, int i, const Type *type, int ctor, int count) {
    if (!p->ctor.items.at[i].name)
        return i < count ? i : -1;
    Name *names = pattern_names(type, ctor);
    for (int k = 0; names && k < count; k++)
        if (names[k] == p->ctor.items.at[i].name)
            return k;
    return -1;
}

/* The constructor of `type` that a PAT_CTOR or PAT_NAME names, reported if there is none. */
static int resolve_ctor(Checker *ck, const Pattern *p, Type *type, bool report) {
    Name name = p->kind == PAT_NAME ? p->name : p->ctor.name;
    if (type->kind == TYPE_RECORD && type->decl->name == name)
        return 0;
    int c = ctor_named(type, name);
    if (c >= 0 || !report || type->kind == TYPE_POISON)
        return c;
    Diag *d = ck_error(ck, DIAG_PATTERN, p->span, "%s has no constructor `%s`",
                       text_of(ck, type), name);
    if (type->kind == TYPE_SUM) {
        Name *names = NEW_ARRAY(ck->arena, Name, type->nctors + 1);
        for (int i = 0; i < type->nctors; i++)
            names[i] = type->ctors[i].name;
        Name near = nearest_name(name, names, type->nctors);
        if (near)
            diag_help(ck->diags, d, "did you mean `%s`?", near);
    }
    return -1;
}

static int ctor_count(const Type *type, int ctor) {
    return type_is_sum(type) ? type->ctors[ctor].count : type->count;
}

static Normal *normal_new(Checker *ck, NormalKind kind, int ctor, int count) {
    Normal *n = NEW(ck->arena, Normal);
    *n = (Normal){.kind = kind, .ctor = ctor, .count = count,
                  .items = NEW_ARRAY(ck->arena, Normal *, count + 1)};
    return n;
}

static Normal *any_pattern(Checker *ck) {
    return normal_new(ck, NP_ANY, 0, 0);
}

/* *bad: the pattern does not fit the type, which is reported where it is tested. */
static Normal *normalise(Checker *ck, const Pattern *p, Type *type, bool *bad) {
    type = type_resolve(ck->ts, type);
    switch (p->kind) {
    case PAT_WILD:
    case PAT_ERROR: return any_pattern(ck);
    case PAT_NAME:
    case PAT_CTOR: {
        if (binds(ck, p, type))
            return any_pattern(ck);
        if (p->kind == PAT_NAME && const_named(ck, p->name) && ctor_named(type, p->name) < 0)
            return normal_new(ck, NP_LITERAL, 0, 0);
        int c = resolve_ctor(ck, p, type, false);
        if (c < 0)
            return *bad = true, any_pattern(ck);
        int count = ctor_count(type, c);
        Normal *n = normal_new(ck, NP_CTOR, c, count);
        for (int k = 0; k < count; k++)
            n->items[k] = any_pattern(ck);
        for (int i = 0; p->kind == PAT_CTOR && i < p->ctor.items.len; i++) {
            int k = item_index(p, i, type, c, count);
            if (k >= 0)
                n->items[k] = normalise(ck, p->ctor.items.at[i].pattern,
                                        member_type(ck, type, c, k), bad);
            else
                *bad = true;
        }
        return n;
    }
    case PAT_LITERAL:
        if (p->literal->kind == EXPR_BOOL)
            return normal_new(ck, NP_CTOR, p->literal->boolean, 0);
        return normal_new(ck, NP_LITERAL, 0, 0);
    case PAT_RANGE: return normal_new(ck, NP_LITERAL, 0, 0);
    case PAT_TUPLE: {
        Normal *n = normal_new(ck, NP_CTOR, 0, p->items.len);
        for (int k = 0; k < p->items.len; k++)
            n->items[k] = type->kind == TYPE_TUPLE && k < type->count
                              ? normalise(ck, p->items.at[k], type->items[k], bad)
                              : any_pattern(ck);
        *bad |= type->kind != TYPE_TUPLE || type->count != p->items.len;
        return n;
    }
    case PAT_OR: {
        Normal *n = normal_new(ck, NP_OR, 0, p->items.len);
        for (int k = 0; k < p->items.len; k++)
            n->items[k] = normalise(ck, p->items.at[k], type, bad);
        return n;
    }
    }
    UNREACHABLE();
}

/* ---- exhaustiveness ---- */

typedef struct {
    Normal **cells; /* one a column */
} Row;
typedef VEC(Row) Matrix;

static bool is_finite(const Type *type, int *ctors) {
    if (type->kind == TYPE_SUM)
        return *ctors = type->nctors, true;
    if (type->kind == TYPE_BOOL)
        return *ctors = 2, true;
    if (type->kind == TYPE_TUPLE || type->kind == TYPE_RECORD)
        return *ctors = 1, true;
    return false;
}

static int width_of(const Type *type, int ctor) {
    if (type->kind == TYPE_BOOL)
        return 0;
    return ctor_count(type, ctor);
}

static void specialise_row(Checker *ck, Row row, int columns, int ctor, int width, Matrix *out) {
    Normal *first = row.cells[0];
    if (first->kind == NP_OR) {
        for (int k = 0; k < first->count; k++) {
            Row alternative = {NEW_ARRAY(ck->arena, Normal *, columns)};
            memcpy(alternative.cells, row.cells, sizeof *row.cells * (size_t)columns);
            alternative.cells[0] = first->items[k];
            specialise_row(ck, alternative, columns, ctor, width, out);
        }
        return;
    }
    if (first->kind == NP_LITERAL || (first->kind == NP_CTOR && first->ctor != ctor))
        return;
    Row wide = {NEW_ARRAY(ck->arena, Normal *, columns - 1 + width + 1)};
    for (int k = 0; k < width; k++)
        wide.cells[k] = first->kind == NP_CTOR && k < first->count ? first->items[k]
                                                                  : any_pattern(ck);
    memcpy(wide.cells + width, row.cells + 1, sizeof *row.cells * (size_t)(columns - 1));
    vec_push(ck->arena, out, wide);
}

static void default_row(Checker *ck, Row row, int columns, Matrix *out) {
    Normal *first = row.cells[0];
    if (first->kind == NP_OR) {
        for (int k = 0; k < first->count; k++) {
            Row alternative = {NEW_ARRAY(ck->arena, Normal *, columns)};
            memcpy(alternative.cells, row.cells, sizeof *row.cells * (size_t)columns);
            alternative.cells[0] = first->items[k];
            default_row(ck, alternative, columns, out);
        }
    } else if (first->kind == NP_ANY) {
        vec_push(ck->arena, out, (Row){row.cells + 1});
    }
}

static const char *ctor_text(Checker *ck, const Type *type, int ctor, const char **items, int n) {
    Buf out = {.arena = ck->arena};
    if (type->kind == TYPE_BOOL)
        return ctor ? "true" : "false";
    if (type->kind == TYPE_SUM)
        buf_puts(&out, type->ctors[ctor].name);
    else if (type->kind == TYPE_RECORD)
        buf_puts(&out, type->decl->name);
    if (n || type->kind == TYPE_TUPLE) {
        buf_puts(&out, "(");
        for (int k = 0; k < n; k++)
            buf_printf(&out, "%s%s", k ? ", " : "", items[k]);
        buf_puts(&out, ")");
    }
    return buf_text(&out);
}

static bool all_any(Row row, int columns) {
    for (int k = 0; k < columns; k++)
        if (row.cells[k]->kind != NP_ANY)
            return false;
    return true;
}

static bool names_ctor(const Normal *n, int ctor) {
    for (int k = 0; n->kind == NP_OR && k < n->count; k++)
        if (names_ctor(n->items[k], ctor))
            return true;
    return n->kind == NP_CTOR && n->ctor == ctor;
}

/* Does a pattern in the first column name this constructor? Those that none names are alike. */
static bool column_names(const Matrix *m, int ctor) {
    for (int r = 0; r < m->len; r++)
        if (names_ctor(m->at[r].cells[0], ctor))
            return true;
    return false;
}

/* A row of patterns (as texts) that no row of the matrix matches, or NULL. */
static const char **missing(Checker *ck, const Matrix *m, Type *const *types, int columns,
                            int depth) {
    if (columns == 0)
        return m->len ? NULL : NEW_ARRAY(ck->arena, const char *, 1);
    Type *type = type_resolve(ck->ts, types[0]);
    int ctors = 0;
    bool tested = false, other = false;
    for (int r = 0; r < m->len; r++)
        if (all_any(m->at[r], columns))
            return NULL;
    for (int r = 0; r < m->len; r++)
        tested |= m->at[r].cells[0]->kind != NP_ANY;
    if (is_finite(type, &ctors) && tested && depth < 40) {
        for (int c = 0; c < ctors; c++) {
            bool named = column_names(m, c);
            if (!named && other)
                continue;
            other |= !named;
            int width = width_of(type, c);
            Matrix inner = {0};
            for (int r = 0; r < m->len; r++)
                specialise_row(ck, m->at[r], columns, c, width, &inner);
            Type **wide = NEW_ARRAY(ck->arena, Type *, columns - 1 + width + 1);
            for (int k = 0; k < width; k++)
                wide[k] = member_type(ck, type, c, k);
            memcpy(wide + width, types + 1, sizeof *types * (size_t)(columns - 1));
            const char **w = missing(ck, &inner, wide, columns - 1 + width, depth + 1);
            if (!w)
                continue;
            const char **out = NEW_ARRAY(ck->arena, const char *, columns);
            out[0] = ctor_text(ck, type, c, w, width);
            memcpy(out + 1, w + width, sizeof *w * (size_t)(columns - 1));
            return out;
        }
        return NULL;
    }
    Matrix rest = {0};
    for (int r = 0; r < m->len; r++)
        default_row(ck, m->at[r], columns, &rest);
    const char **w = missing(ck, &rest, types + 1, columns - 1, depth + 1);
    if (!w)
        return NULL;
    const char **out = NEW_ARRAY(ck->arena, const char *, columns);
    out[0] = "_";
    memcpy(out + 1, w, sizeof *w * (size_t)(columns - 1));
    return out;
}

/* Reports missing cases, all of them for a plain sum, and arms that never match. */
static bool check_exhaustive(Checker *ck, const Expr *e, Type *type) {
    Matrix m = {0};
    bool bad = false;
    for (int i = 0; i < e->match.arms.len; i++) {
        const Arm *arm = &e->match.arms.at[i];
        Row row = {NEW_ARRAY(ck->arena, Normal *, 1)};
        row.cells[0] = normalise(ck, arm->pattern, type, &bad);
        if (bad)
            return true;
        if (m.len && !missing(ck, &m, &type, 1, 0))
            diag_report(ck->diags, DIAG_UNREACHABLE_ARM, arm->pattern->span,
                        "no value reaches this arm");
        if (!arm->guard)
            vec_push(ck->arena, &m, row);
    }
    VEC(const char *) cases = {0};
    for (const char **w; cases.len < 8 && (w = missing(ck, &m, &type, 1, 0)) != NULL;) {
        vec_push(ck->arena, &cases, w[0]);
        int c = ctor_named(type, ck_name(ck, w[0]));
        if (type->kind != TYPE_SUM || strchr(w[0], '('))
            c = -1;
        if (c < 0)
            break;
        Row row = {NEW_ARRAY(ck->arena, Normal *, 1)};
        row.cells[0] = normal_new(ck, NP_CTOR, c, 0);
        vec_push(ck->arena, &m, row);
    }
    if (!cases.len)
        return true;
    Buf list = {.arena = ck->arena};
    for (int i = 0; i < cases.len; i++)
        buf_printf(&list, "%s`%s`", i ? ", " : "", cases.at[i]);
    bool others = !strcmp(cases.at[0], "_");
    Diag *d = ck_error(ck, DIAG_NOT_EXHAUSTIVE, e->match.subject->span,
                       "this match does not cover %s", others ? "all values" : buf_text(&list));
    if (type->kind == TYPE_SUM && type->decl)
        diag_span(ck->diags, d, type->decl->name_span, "%s is declared here", type->decl->name);
    Buf arms = {.arena = ck->arena};
    for (int i = 0; i < cases.len; i++)
        buf_printf(&arms, "%s%s => …", i ? ", " : "", cases.at[i]);
    if (others)
        diag_help(ck->diags, d, "add the arm `_ => …`");
    else
        diag_help(ck->diags, d, "add the arm%s %s, or `_ => …`", cases.len > 1 ? "s" : "",
                  buf_text(&arms));
    return false;
}

/* ---- tests and bindings ---- */

static Val member_of(Checker *ck, Val v, Type *type, int ctor, int k) {
    if (type_is_sum(type))
        return val(type->ctors[ctor].items[k], ir_payload(&ck->b, v.id, ctor, k));
    return get_member(ck, v, k);
}

static IrId both(Checker *ck, IrId a, IrId b) {
    return !a ? b : !b ? a : ir_binary(&ck->b, IR_BITAND, a, b);
}

static void pattern_mismatch(Checker *ck, const Pattern *p, Type *type) {
    if (type->kind != TYPE_POISON)
        ck_error(ck, DIAG_PATTERN, p->span, "this pattern does not fit %s", text_of(ck, type));
}

static IrId test_pattern(Checker *ck, const Pattern *p, Val v);

static IrId test_ctor(Checker *ck, const Pattern *p, Val v, Type *type) {
    int c = resolve_ctor(ck, p, type, true);
    if (c < 0)
        return IR_NONE;
    int count = ctor_count(type, c);
    IrId here = IR_NONE;
    if (type_is_sum(type) && type->nctors > 1)
        here = ir_binary(&ck->b, IR_EQ, ir_tag(&ck->b, v.id),
                         ir_int(&ck->b, basic(ck, TYPE_I64), c));
    if (p->kind == PAT_NAME)
        return here;
    if (p->ctor.has_args && p->ctor.items.len > count)
        ck_error(ck, DIAG_PATTERN, p->span, "%s has %d value%s, not %d", p->ctor.name, count,
                 count == 1 ? "" : "s", p->ctor.items.len);
    for (int i = 0; i < p->ctor.items.len; i++) {
        int k = item_index(p, i, type, c, count);
        if (k < 0) {
            if (p->ctor.items.at[i].name)
                ck_error(ck, DIAG_UNKNOWN_FIELD, p->ctor.items.at[i].name_span,
                         "%s has no field `%s`", p->ctor.name, p->ctor.items.at[i].name);
            continue;
        }
        here = both(ck, here, test_pattern(ck, p->ctor.items.at[i].pattern,
                                           member_of(ck, v, type, c, k)));
    }
    return here;
}

static IrId test_value(Checker *ck, Val v, Val want, Span span) {
    if (!type_unify(ck->ts, v.type, want.type)) {
        report_mismatch(ck, v.type, want.type, span, "this pattern");
        return IR_NONE;
    }
    return equal_vals(ck, v, want, span).id;
}

static IrId test_range(Checker *ck, const Pattern *p, Val v) {
    Val lo = check_expr(ck, p->range.lo), hi = check_expr(ck, p->range.hi);
    if (!type_unify(ck->ts, v.type, lo.type) || !type_unify(ck->ts, v.type, hi.type)) {
        pattern_mismatch(ck, p, type_of(ck, v));
        return IR_NONE;
    }
    IrId above = ir_binary(&ck->b, IR_GE, v.id, lo.id);
    IrId below = ir_binary(&ck->b, p->range.inclusive ? IR_LE : IR_LT, v.id, hi.id);
    return ir_binary(&ck->b, IR_BITAND, above, below);
}

/* A bool that tells whether v matches, or IR_NONE if it always does. */
static IrId test_pattern(Checker *ck, const Pattern *p, Val v) {
    Type *type = type_of(ck, v);
    switch (p->kind) {
    case PAT_WILD:
    case PAT_ERROR: return IR_NONE;
    case PAT_NAME:
        if (binds(ck, p, type))
            return IR_NONE;
        if (ctor_named(type, p->name) < 0 && const_named(ck, p->name))
            return test_value(ck, v, check_name(ck, p->name, p->span), p->span);
        return test_ctor(ck, p, v, type);
    case PAT_CTOR: return test_ctor(ck, p, v, type);
    case PAT_LITERAL: return test_value(ck, v, check_expr(ck, p->literal), p->span);
    case PAT_RANGE: return test_range(ck, p, v);
    case PAT_TUPLE: {
        if (type->kind != TYPE_TUPLE || type->count != p->items.len) {
            pattern_mismatch(ck, p, type);
            return IR_NONE;
        }
        IrId all = IR_NONE;
        for (int k = 0; k < p->items.len; k++)
            all = both(ck, all, test_pattern(ck, p->items.at[k], get_member(ck, v, k)));
        return all;
    }
    case PAT_OR: {
        IrId any = IR_NONE;
        for (int k = 0; k < p->items.len; k++) {
            IrId one = test_pattern(ck, p->items.at[k], v);
            if (!one)
                return IR_NONE;
            any = any ? ir_binary(&ck->b, IR_BITOR, any, one) : one;
        }
        return any;
    }
    }
    UNREACHABLE();
}

/* The first name that a pattern binds, or NULL. */
static const Pattern *bound_name(Checker *ck, const Pattern *p, Type *type) {
    type = type_resolve(ck->ts, type);
    const Pattern *found = binds(ck, p, type) ? p : NULL;
    if (p->kind == PAT_TUPLE || p->kind == PAT_OR)
        for (int k = 0; k < p->items.len && !found; k++)
            found = bound_name(ck, p->items.at[k],
                               p->kind == PAT_OR ? type
                               : type->kind == TYPE_TUPLE && k < type->count ? type->items[k]
                                                                            : basic(ck, TYPE_POISON));
    int c = p->kind == PAT_CTOR ? resolve_ctor(ck, p, type, false) : -1;
    for (int i = 0; c >= 0 && i < p->ctor.items.len && !found; i++) {
        int k = item_index(p, i, type, c, ctor_count(type, c));
        if (k >= 0)
            found = bound_name(ck, p->ctor.items.at[i].pattern, member_type(ck, type, c, k));
    }
    return found;
}

static void bind(Checker *ck, const Pattern *p, Val v, bool is_var, bool may_fail) {
    Type *type = type_of(ck, v);
    switch (p->kind) {
    case PAT_WILD:
    case PAT_ERROR: return;
    case PAT_LITERAL:
    case PAT_RANGE:
        if (!may_fail)
            ck_error(ck, DIAG_PATTERN, p->span, "this pattern can fail; use match");
        return;
    case PAT_NAME:
        if (may_fail && !binds(ck, p, type))
            return;
        local_add(ck, p->name, v, p->span, is_var);
        return;
    case PAT_TUPLE:
        if (type->kind != TYPE_TUPLE && type->kind != TYPE_RECORD) {
            if (!may_fail)
                pattern_mismatch(ck, p, type);
        } else if (type->count != p->items.len && !may_fail) {
            ck_error(ck, DIAG_PATTERN, p->span, "this pattern has %d parts, but the value has %d",
                     p->items.len, type->count);
        }
        for (int k = 0; k < p->items.len; k++)
            bind(ck, p->items.at[k],
                 type_is_product(type) && k < type->count ? get_member(ck, v, k) : val_poison(ck),
                 is_var, may_fail);
        return;
    case PAT_CTOR: {
        int c = resolve_ctor(ck, p, type, !may_fail);
        if (!may_fail && type->kind == TYPE_SUM && type->nctors > 1)
            ck_error(ck, DIAG_PATTERN, p->span, "this pattern can fail; use match");
        for (int i = 0; i < p->ctor.items.len; i++) {
            int k = c < 0 ? -1 : item_index(p, i, type, c, ctor_count(type, c));
            bind(ck, p->ctor.items.at[i].pattern,
                 k < 0 ? val_poison(ck) : member_of(ck, v, type, c, k), is_var, may_fail);
        }
        return;
    }
    case PAT_OR: {
        const Pattern *name = NULL;
        for (int k = 0; k < p->items.len && !name; k++)
            name = bound_name(ck, p->items.at[k], type);
        if (name) {
            Diag *d = ck_error(ck, DIAG_PATTERN, name->span, "alternatives cannot bind names");
            diag_help(ck->diags, d, "write an arm for each alternative, or `_` for `%s`", name->name);
        }
        for (int k = 0; name && k < p->items.len; k++)
            bind(ck, p->items.at[k], val_poison(ck), is_var, true);
        return;
    }
    }
    UNREACHABLE();
}

void bind_pattern(Checker *ck, const Pattern *p, Val v, bool is_var) {
    bind(ck, p, v, is_var, false);
}

/* ---- match ---- */

typedef struct {
    const Expr *e;
    Val subject;
    bool want, tail;
} Match;

static Val arm_value(Checker *ck, const Match *m, const Expr *body) {
    if (m->tail) {
        check_tail(ck, body);
        return (Val){0};
    }
    if (m->want)
        return check_expr(ck, body);
    check_statement(ck, body);
    return (Val){0};
}

static Val arm_body(Checker *ck, const Match *m, const Arm *arm) {
    int locals = ck->locals.len;
    bind(ck, arm->pattern, m->subject, false, true);
    Val v = arm_value(ck, m, arm->body);
    ck->locals.len = locals;
    return v;
}

static IrId guard_test(Checker *ck, const Match *m, const Arm *arm) {
    int locals = ck->locals.len;
    bind(ck, arm->pattern, m->subject, false, true);
    Val g = condition(ck, check_expr(ck, arm->guard), arm->guard->span, "this guard");
    ck->locals.len = locals;
    return g.id;
}

/* Does the pattern match and the guard hold? IR_NONE: always. */
static IrId arm_test(Checker *ck, const Match *m, const Arm *arm) {
    IrId c = test_pattern(ck, arm->pattern, m->subject);
    if (!arm->guard)
        return c;
    if (!c)
        return guard_test(ck, m, arm);
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, val(basic(ck, TYPE_BOOL), guard_test(ck, m, arm)));
    branch_begin(ck, &f, &b);
    branch_end(ck, &f, &b, val_bool(ck, false));
    return fork_join(ck, &f, c, &a, &b, true, arm->span).id;
}

static Val match_arms(Checker *ck, const Match *m, int i) {
    const Arm *arm = &m->e->match.arms.at[i];
    bool last = i + 1 == m->e->match.arms.len;
    IrId c = arm_test(ck, m, arm);
    int64_t known;
    if (c && ir_const_int(ck->b.func, c, &known)) {
        if (!known && !last)
            return match_arms(ck, m, i + 1);
        c = IR_NONE;
    }
    if (last || !c)
        return arm_body(ck, m, arm);
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, arm_body(ck, m, arm));
    branch_begin(ck, &f, &b);
    branch_end(ck, &f, &b, match_arms(ck, m, i + 1));
    return fork_join(ck, &f, c, &a, &b, m->want && !m->tail, m->e->span);
}

Val check_match(Checker *ck, const Expr *e, bool want, bool tail) {
    Match m = {e, check_expr(ck, e->match.subject), want, tail};
    if (is_poison(ck, m.subject) || !e->match.arms.len)
        return val_poison(ck);
    Type *type = type_of(ck, m.subject);
    if (is_view_record(type))
        return ck_fail(ck, DIAG_PATTERN, e->match.subject->span, "a set cannot be matched");
    if (!check_exhaustive(ck, e, type))
        return val_poison(ck);
    Val v = match_arms(ck, &m, 0);
    return want && !v.type && !ck->dead ? val_unit(ck) : v;
}
