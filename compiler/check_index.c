/* Indexing, slicing, gathering, filtering, and their counterparts on the left of `=`. A selection is
   a list of items, one an axis: a number, a slice, an array of numbers, or one mask for all. */
#include "check.h"


typedef enum { SEL_AT, SEL_SLICE, SEL_LIST, SEL_MASK } SelKind;

typedef struct {
    SelKind kind;
    IrId at;             /* AT: i64 */
    IrId lo, count, step; /* SLICE: checked; step IR_NONE is 1 */
    bool whole;          /* SLICE: all of the axis */
    Val list;            /* LIST, MASK */
    Span span;
} Sel;

/* ---- reading a selection ---- */

static IrId int_of(Checker *ck, int64_t n) {
    return ir_int(&ck->b, basic(ck, TYPE_I64), n);
}

static bool slice_item(Checker *ck, const Expr *e, IrId size, Sel *sel) {
    sel->kind = SEL_SLICE;
    sel->whole = !e->range.lo && !e->range.hi && !e->range.by;
    sel->lo = int_of(ck, 0);
    sel->count = size;
    if (sel->whole)
        return true;
    IrId hi = size;
    if (e->range.lo)
        sel->lo = as_index(ck, check_expr(ck, e->range.lo), e->range.lo->span);
    if (e->range.hi)
        hi = as_index(ck, check_expr(ck, e->range.hi), e->range.hi->span);
    if (e->range.inclusive)
        hi = ir_binary(&ck->b, IR_ADD, hi, int_of(ck, 1));
    IrId ok = ir_bool(&ck->b, true);
    if (e->range.lo)
        ok = ir_binary(&ck->b, IR_BITAND, ir_binary(&ck->b, IR_LE, int_of(ck, 0), sel->lo),
                       ir_binary(&ck->b, IR_LE, sel->lo, hi));
    else
        ok = ir_binary(&ck->b, IR_LE, int_of(ck, 0), hi);
    if (e->range.hi || e->range.inclusive)
        ok = ir_binary(&ck->b, IR_BITAND, ok, ir_binary(&ck->b, IR_LE, hi, size));
    IrFault *fault = ck_fault(ck, "index", e->span, "slice {}..{} is out of bounds for size {}");
    IrId nums[] = {sel->lo, hi, size};
    IrId count = ir_binary(&ck->b, IR_SUB, hi, sel->lo);
    sel->count = ir_check(&ck->b, count, ok, fault, nums, 3);
    if (e->range.by) {
        Val by = check_expr(ck, e->range.by);
        sel->step = as_index(ck, by, e->range.by->span);
        IrId positive = ir_binary(&ck->b, IR_LT, int_of(ck, 0), sel->step);
        IrFault *bad = ck_fault(ck, "range", e->range.by->span, "a slice's step is at least 1, not {}");
        sel->step = ir_check(&ck->b, sel->step, positive, bad, &sel->step, 1);
        IrId more = ir_binary(&ck->b, IR_ADD, sel->count,
                              ir_binary(&ck->b, IR_SUB, sel->step, int_of(ck, 1)));
        sel->count = ir_binary(&ck->b, IR_DIV, more, sel->step);
    }
    return true;
}

static bool value_item(Checker *ck, Val v, Span span, Sel *sel) {
    v = as_array(ck, v);
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_POISON)
        return false;
    sel->list = v;
    if (type->kind != TYPE_ARRAY) {
        sel->kind = SEL_AT;
        sel->at = as_index(ck, v, span);
        return true;
    }
    Type *elem = type_resolve(ck->ts, type->elem);
    sel->kind = elem->kind == TYPE_BOOL ? SEL_MASK : SEL_LIST;
    if (sel->kind == SEL_LIST && !type_is_int(elem) && elem->kind != TYPE_VAR) {
        ck_error(ck, DIAG_BAD_INDEX, span, "an index is an integer, a slice, an array of integers "
                 "or a mask of bool, not %s", text_of(ck, type));
        return false;
    }
    return true;
}

static bool read_items(Checker *ck, Val base, const ExprList *items, Sel *sels) {
    Type *type = type_of(ck, base);
    for (int k = 0; k < items->len; k++) {
        const Expr *e = items->at[k];
        while (e->kind == EXPR_PAREN)
            e = e->inner;
        sels[k].span = e->span;
        if (k >= type->rank && !(k == 0)) {
            ck_error(ck, DIAG_BAD_INDEX, e->span, "%s has %d ax%s, and this is index %d",
                     text_of(ck, type), type->rank, type->rank == 1 ? "is" : "es", k + 1);
            return false;
        }
        bool ok = e->kind == EXPR_RANGE
                      ? slice_item(ck, e, ck_dim(ck, base.id, k), &sels[k])
                      : value_item(ck, check_expr(ck, e), e->span, &sels[k]);
        if (!ok)
            return false;
        if (sels[k].kind == SEL_MASK && items->len > 1) {
            ck_error(ck, DIAG_BAD_INDEX, e->span, "a mask stands alone in an index");
            return false;
        }
    }
    return true;
}

/* ---- reading elements ---- */

/* The place in the array that a point of the selection's space stands for. */
typedef struct {
    Val base;
    Sel *sels;
    int n;      /* items */
    int rank;   /* of the array */
    int space;  /* axes of the selection's space */
    Type *result;
} Selection;

static int space_of(Checker *ck, const Selection *s, IrId *dims) {
    int d = 0;
    for (int k = 0; k < s->n; k++) {
        if (s->sels[k].kind == SEL_SLICE)
            dims[d++] = s->sels[k].count;
        else if (s->sels[k].kind == SEL_LIST)
            for (int x = 0; x < type_of(ck, s->sels[k].list)->rank; x++)
                dims[d++] = ck_dim(ck, s->sels[k].list.id, x);
    }
    for (int k = s->n; k < s->rank; k++)
        dims[d++] = ck_dim(ck, s->base.id, k);
    return d;
}

/* Indices into the array for indices of the space; *checked: whether some may be out of bounds. */
static void place_of(Checker *ck, const Selection *s, const IrId *at, IrId *place, bool *checked) {
    int d = 0;
    *checked = false;
    for (int k = 0; k < s->n; k++) {
        const Sel *sel = &s->sels[k];
        if (sel->kind == SEL_AT) {
            place[k] = sel->at;
            *checked = true;
        } else if (sel->kind == SEL_SLICE) {
            IrId i = at[d++];
            if (sel->step)
                i = ir_binary(&ck->b, IR_MUL, i, sel->step);
            place[k] = ir_binary(&ck->b, IR_ADD, i, sel->lo);
        } else {
            Type *type = type_of(ck, sel->list);
            Val i = val(type_resolve(ck->ts, type->elem),
                        ir_index(&ck->b, sel->list.id, at + d, type->rank, false));
            place[k] = as_index(ck, i, sel->span);
            d += type->rank;
            *checked = true;
        }
    }
    for (int k = s->n; k < s->rank; k++)
        place[k] = at[d++];
}

static Val gather_body(Checker *ck, const IrId *at, void *ctx) {
    Selection *s = ctx;
    IrId place[16];
    bool checked;
    place_of(ck, s, at, place, &checked);
    Type *type = type_of(ck, s->base);
    return val(type_resolve(ck->ts, type->elem),
               ir_index(&ck->b, s->base.id, place, s->rank, checked));
}

static Val filter_by_mask(Checker *ck, Val base, const Sel *sel, Span span) {
    Type *type = type_of(ck, base), *mask = type_of(ck, sel->list);
    if (mask->rank > type->rank)
        return ck_fail(ck, DIAG_BAD_INDEX, sel->span, "this mask has more axes than the array");
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId dims[16], at[16];
    for (int k = 0; k < mask->rank; k++) {
        dims[k] = ck_same_size(ck, ck_dim(ck, base.id, k), ck_dim(ck, sel->list.id, k), span, span,
                               sel->span, "the array and its mask");
        at[k] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    }
    ck->b.region = body;
    IrId keep = ir_index(&ck->b, sel->list.id, at, mask->rank, false);
    IrId v = ir_index(&ck->b, base.id, at, mask->rank, false);
    vec_push(ck->arena, &body->results, keep);
    vec_push(ck->arena, &body->results, v);
    ck->b.region = outer;
    Type *elem = type_resolve(ck->ts, type->elem);
    if (mask->rank < type->rank)
        return val(type_array(ck->ts, type->elem, type->rank - mask->rank + 1),
                   ir_kernel(&ck->b, mask->rank, dims, body, SINK_FILTER, 0, NULL, 0, NULL));
    return val(type_array(ck->ts, elem, 1),
               ir_kernel(&ck->b, mask->rank, dims, body, SINK_FILTER, 0, NULL, 0, NULL));
}

static Val select_vals(Checker *ck, Val base, Sel *sels, int n, Span span) {
    Type *type = type_of(ck, base);
    if (n == 1 && sels[0].kind == SEL_MASK)
        return filter_by_mask(ck, base, &sels[0], span);
    bool all_at = true;
    for (int k = 0; k < n; k++)
        all_at &= sels[k].kind == SEL_AT;
    if (all_at) {
        IrId at[16];
        for (int k = 0; k < n; k++)
            at[k] = sels[k].at;
        Type *result = n == type->rank ? type_resolve(ck->ts, type->elem)
                                       : type_array(ck->ts, type->elem, type->rank - n);
        return val(result, ir_index(&ck->b, base.id, at, n, true));
    }
    bool rows = sels[0].kind == SEL_SLICE && !sels[0].step;
    for (int k = 1; k < n; k++)
        rows &= sels[k].kind == SEL_SLICE && sels[k].whole;
    if (rows) {
        if (sels[0].whole)
            return base;
        IrId hi = ir_binary(&ck->b, IR_ADD, sels[0].lo, sels[0].count);
        IrId id = ir_slice(&ck->b, base.id, sels[0].lo, hi, false);
        ck_assume_dim(ck, id, 0, 0, sels[0].count);
        return val(type, id);
    }
    Selection s = {.base = base, .sels = sels, .n = n, .rank = type->rank};
    IrId *dims = NEW_ARRAY(ck->arena, IrId, 32);
    s.space = space_of(ck, &s, dims);
    return map_space(ck, s.space, dims, gather_body, &s, span);
}

/* x[i][j] on a list of lists and matrices alike; strings have no index. */
static bool indexable(Checker *ck, Val *base, Span span) {
    *base = as_array(ck, *base);
    Type *type = type_of(ck, *base);
    if (type->kind == TYPE_TUPLE) {
        *base = tuple_as_list(ck, *base);
        type = type_of(ck, *base);
    }
    if (type->kind == TYPE_ARRAY)
        return true;
    if (type->kind != TYPE_POISON) {
        Diag *d = ck_error(ck, DIAG_BAD_INDEX, span, "%s has no index", text_of(ck, type));
        if (type->kind == TYPE_TUPLE)
            diag_help(ck->diags, d, "members of a tuple are .0, .1, …");
    }
    return false;
}

/* Account[42u64]: the reference of a virtual actor. */
static bool virtual_actor(Checker *ck, const Expr *e, Val *out) {
    const Expr *base = e->index.base;
    if (base->kind != EXPR_NAME || local_find(ck, base->name))
        return false;
    Decl *d = find_decl(ck, ck->fn->module, base->name, DECL_ACTOR);
    if (!d)
        return false;
    if (!find_attr(&d->attrs, "virtual") || e->index.items.len != 1 || !d->actor.params.len) {
        *out = ck_fail(ck, DIAG_BAD_INDEX, e->span,
                       "only a @virtual actor is addressed so, by its first parameter");
        return true;
    }
    *out = check_virtual(ck, d, e->index.items.at[0], e->span);
    return true;
}

Val check_index(Checker *ck, const Expr *e) {
    Val base;
    if (virtual_actor(ck, e, &base))
        return base;
    base = check_expr(ck, e->index.base);
    if (!indexable(ck, &base, e->index.base->span))
        return val_poison(ck);
    if (e->index.items.len > 15)
        return ck_fail(ck, DIAG_BAD_INDEX, e->span, "too many indices");
    Sel *sels = NEW_ARRAY(ck->arena, Sel, e->index.items.len + 1);
    if (!read_items(ck, base, &e->index.items, sels))
        return val_poison(ck);
    return select_vals(ck, base, sels, e->index.items.len, e->span);
}

Val index_vals(Checker *ck, Val base, Val *at, const Span *spans, int n, Span span) {
    if (!indexable(ck, &base, span))
        return val_poison(ck);
    Sel *sels = NEW_ARRAY(ck->arena, Sel, n + 1);
    for (int k = 0; k < n; k++) {
        sels[k].span = spans[k];
        if (!value_item(ck, at[k], spans[k], &sels[k]))
            return val_poison(ck);
    }
    return select_vals(ck, base, sels, n, span);
}

/* ---- writing ---- */

/* The linear index of a place in a row-major array, with bounds checked where they are not known. */
static IrId linear_place(Checker *ck, const Selection *s, const IrId *place) {
    IrId linear = IR_NONE;
    for (int k = 0; k < s->rank; k++) {
        IrId i = place[k], size = ck_dim(ck, s->base.id, k);
        if (k < s->n && s->sels[k].kind != SEL_SLICE) {
            IrFault *fault = ck_fault(ck, "index", s->sels[k].span,
                                      "index {} is out of bounds for size {}");
            IrId ok = ir_binary(&ck->b, IR_BITAND, ir_binary(&ck->b, IR_LE, int_of(ck, 0), i),
                                ir_binary(&ck->b, IR_LT, i, size));
            i = ir_check(&ck->b, i, ok, fault, (IrId[]){i, size}, 2);
        }
        linear = linear ? ir_binary(&ck->b, IR_ADD, ir_binary(&ck->b, IR_MUL, linear, size), i) : i;
    }
    return linear;
}

/* The value for a point of the space: v's element, aligned at its last axis, or v itself. */
static Val value_at(Checker *ck, Val v, const IrId *at, int space) {
    Type *type = type_of(ck, v);
    if (type->kind != TYPE_ARRAY)
        return v;
    return val(type_resolve(ck->ts, type->elem),
               ir_index(&ck->b, v.id, at + (space - type->rank), type->rank, false));
}

/* base with the selected places taken from v, in order; written as a scatter into the flat array. */
static Val scatter_update(Checker *ck, Selection *s, Val v, Span span, Span vspan) {
    Type *type = type_of(ck, s->base), *elem = type_resolve(ck->ts, type->elem);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, 32), *at = NEW_ARRAY(ck->arena, IrId, 32);
    s->space = space_of(ck, s, dims);
    Type *given = type_of(ck, v);
    if (given->kind == TYPE_ARRAY) {
        if (given->rank > s->space)
            return ck_fail(ck, DIAG_SHAPE_MISMATCH, vspan, "this value has more axes than the place");
        for (int k = 0; k < given->rank; k++) {
            int axis = s->space - given->rank + k;
            dims[axis] = ck_same_size(ck, dims[axis], ck_dim(ck, v.id, k), span, span, vspan,
                                      "the place and its value");
        }
    }
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    for (int k = 0; k < s->space; k++)
        at[k] = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    IrId total = ck_dim(ck, s->base.id, 0);
    for (int k = 1; k < s->rank; k++)
        total = ir_binary(&ck->b, IR_MUL, total, ck_dim(ck, s->base.id, k));
    Type *flat = type_array(ck->ts, elem, 1);
    IrId dest = s->rank == 1 ? s->base.id : ir_reshape(&ck->b, flat, s->base.id, &total);
    ck->b.region = body;
    IrId place[16];
    bool checked;
    place_of(ck, s, at, place, &checked);
    IrId linear = linear_place(ck, s, place);
    Val item = coerce(ck, value_at(ck, v, at, s->space), elem, vspan, "the value");
    vec_push(ck->arena, &body->results, linear);
    vec_push(ck->arena, &body->results, item.id);
    ck->b.region = outer;
    IrId id = ir_kernel(&ck->b, s->space, dims, body, SINK_SCATTER, 0, &dest, 1, NULL);
    if (s->rank > 1) {
        IrId *shape = NEW_ARRAY(ck->arena, IrId, s->rank);
        for (int k = 0; k < s->rank; k++)
            shape[k] = ck_dim(ck, s->base.id, k);
        id = ir_reshape(&ck->b, type, id, shape);
        for (int k = 0; k < s->rank; k++)
            ck_assume_dim(ck, id, 0, k, shape[k]);
    } else {
        ck_assume_dim(ck, id, 0, 0, ck_dim(ck, s->base.id, 0));
    }
    return val(type, id);
}

static Val masked_update_body(Checker *ck, const IrId *at, void *ctx) {
    Selection *s = ctx;
    Type *type = type_of(ck, s->base);
    Val old = val(type_resolve(ck->ts, type->elem),
                  ir_index(&ck->b, s->base.id, at, type->rank, false));
    int rank = type_of(ck, s->sels[0].list)->rank;
    IrId keep = ir_index(&ck->b, s->sels[0].list.id, at, rank, false);
    return val(old.type, ir_select(&ck->b, keep, s->sels[1].list.id, old.id));
}

/* a[mask] = scalar, or an array with one element for each true. */
static Val mask_update(Checker *ck, Val base, Sel *sel, Val v, Span span, Span vspan) {
    Type *type = type_of(ck, base), *elem = type_resolve(ck->ts, type->elem);
    Type *mask = type_of(ck, sel->list);
    for (int k = 0; k < mask->rank && k < type->rank; k++) {
        IrId size = ck_dim(ck, base.id, k);
        IrId checked = ck_same_size(ck, size, ck_dim(ck, sel->list.id, k), span, span, sel->span,
                                    "the array and its mask");
        sel->list = ck_after_check(ck, sel->list, size, checked);
    }
    if (type_of(ck, v)->kind != TYPE_ARRAY && type_is_flat(elem)) {
        v = coerce(ck, v, elem, vspan, "the value");
        Sel sels[2] = {*sel, {.list = v}};
        Selection s = {.base = base, .sels = sels, .n = 1, .rank = type->rank};
        IrId dims[16];
        for (int k = 0; k < type->rank; k++)
            dims[k] = ck_dim(ck, base.id, k);
        return map_space(ck, type->rank, dims, masked_update_body, &s, span);
    }
    /* positions of the true elements, then as an array of indices */
    if (mask->rank != 1)
        return ck_fail(ck, DIAG_BAD_INDEX, sel->span,
                       "writing an array through a mask needs a mask of one axis");
    IrRegion *outer = ck->b.region, *body = ck_region(ck);
    IrId n = ck_dim(ck, sel->list.id, 0), i = ir_param(ck->b.func, body, basic(ck, TYPE_I64));
    ck->b.region = body;
    vec_push(ck->arena, &body->results, ir_index(&ck->b, sel->list.id, &i, 1, false));
    vec_push(ck->arena, &body->results, i);
    ck->b.region = outer;
    Sel list = {.kind = SEL_LIST, .span = sel->span};
    list.list = val(type_array(ck->ts, basic(ck, TYPE_I64), 1),
                    ir_kernel(&ck->b, 1, &n, body, SINK_FILTER, 0, NULL, 0, NULL));
    Selection s = {.base = base, .sels = &list, .n = 1, .rank = type->rank};
    return scatter_update(ck, &s, v, span, vspan);
}

static Val update_vals(Checker *ck, Val base, Sel *sels, int n, Val v, Span span, Span vspan) {
    Type *type = type_of(ck, base);
    if (is_poison(ck, v))
        return v;
    if (n == 1 && sels[0].kind == SEL_MASK)
        return mask_update(ck, base, &sels[0], v, span, vspan);
    bool all_at = true;
    for (int k = 0; k < n; k++)
        all_at &= sels[k].kind == SEL_AT;
    if (!all_at || (n < type->rank && type_of(ck, v)->kind != TYPE_ARRAY)) {
        Selection s = {.base = base, .sels = sels, .n = n, .rank = type->rank};
        return scatter_update(ck, &s, v, span, vspan);
    }
    Type *part = n == type->rank ? type_resolve(ck->ts, type->elem)
                                 : type_array(ck->ts, type->elem, type->rank - n);
    v = coerce(ck, v, part, vspan, "the value");
    if (is_poison(ck, v))
        return v;
    for (int k = n; k < type->rank; k++) {
        IrId size = ck_dim(ck, base.id, k);
        IrId checked = ck_same_size(ck, size, ck_dim(ck, v.id, k - n), span, span, vspan,
                                    "the row and its value");
        v = ck_after_check(ck, v, size, checked);
    }
    IrId at[16];
    for (int k = 0; k < n; k++)
        at[k] = sels[k].at;
    return val(type, ir_update(&ck->b, base.id, v.id, at, n, true));
}

Val check_with_at(Checker *ck, const Expr *e) {
    Val base = check_expr(ck, e->with_at.base);
    Sel *sels = NEW_ARRAY(ck->arena, Sel, e->with_at.items.len + 1);
    if (!indexable(ck, &base, e->with_at.base->span) ||
        !read_items(ck, base, &e->with_at.items, sels))
        return val_poison(ck);
    Val v = check_expr(ck, e->with_at.value);
    return update_vals(ck, base, sels, e->with_at.items.len, v, e->span, e->with_at.value->span);
}

static Val with_member(Checker *ck, Val base, int k, Val v) {
    Type *type = type_of(ck, base);
    IrId *ids = NEW_ARRAY(ck->arena, IrId, type->count + 1);
    for (int i = 0; i < type->count; i++)
        ids[i] = i == k ? v.id : ir_get(&ck->b, base.id, i);
    return val(type, ir_tuple(&ck->b, type, ids, type->count));
}

static int field_index(Checker *ck, Type *type, Name name, Span span) {
    for (int k = 0; type_is_product(type) && type->names && k < type->count; k++)
        if (type->names[k] == name)
            return k;
    if (type->kind != TYPE_POISON) {
        Diag *d = ck_error(ck, DIAG_UNKNOWN_FIELD, span, "%s has no field `%s`",
                           text_of(ck, type), name);
        Name near = type_is_product(type) && type->names
                        ? nearest_name(name, type->names, type->count) : NULL;
        if (near)
            diag_help(ck->diags, d, "did you mean `%s`?", near);
    }
    return -1;
}

Val check_with_fields(Checker *ck, const Expr *e) {
    Val base = check_expr(ck, e->with_fields.base);
    for (int i = 0; i < e->with_fields.fields.len; i++) {
        const Arg *a = &e->with_fields.fields.at[i];
        Val v = check_expr(ck, a->value);
        Type *type = type_of(ck, base);
        int k = field_index(ck, type, a->name, a->name_span);
        if (k < 0 || is_poison(ck, v))
            return val_poison(ck);
        v = coerce(ck, v, type->items[k], a->value->span, "this field");
        base = with_member(ck, base, k, v);
    }
    return base;
}

/* ---- assignment ---- */

typedef Val (*NewValue)(Checker *ck, Val old, void *ctx);

/* What is assigned, at the end of a chain of places. */
typedef struct {
    const Expr *assign;
    Val value;
    Span span;
} AssignCtx;

static void assign_name(Checker *ck, const Expr *place, NewValue make, void *ctx) {
    Local *local = local_find(ck, place->name);
    if (!local) {
        check_name(ck, place->name, place->span); /* reports an unknown name */
        if (find_decl(ck, ck->fn->module, place->name, DECL_CONST))
            ck_error(ck, DIAG_NOT_ASSIGNABLE, place->span, "`%s` is a constant and cannot be assigned", place->name);
        return;
    }
    if (!local->is_var) {
        Diag *d = ck_error(ck, DIAG_NOT_ASSIGNABLE, place->span,
                           "`%s` cannot be assigned: it is no var", place->name);
        if (local->span.to)
            diag_span(ck->diags, d, local->span, "bound here; only what `var` declares may change");
        return;
    }
    int index = (int)(local - ck->locals.at);
    Val old = local->val;
    Val v = make(ck, old, ctx);
    if (!v.type || is_poison(ck, v))
        return;
    v = coerce(ck, v, old.type, place->span, "the value");
    if (!is_poison(ck, v))
        ck->locals.at[index].val = v;
}

/* A place inside another: what its new value is made by. */
typedef struct {
    const Expr *assign, *place;
    Span span;
    NewValue make;
    void *ctx;
} Chain;

static Val chain_index(Checker *ck, Val base, void *ctx) {
    Chain *c = ctx;
    const Expr *e = c->place;
    if (!indexable(ck, &base, e->index.base->span))
        return val_poison(ck);
    int n = e->index.items.len;
    Sel *sels = NEW_ARRAY(ck->arena, Sel, n + 1);
    if (n > 15 || !read_items(ck, base, &e->index.items, sels))
        return val_poison(ck);
    bool plain = e == c->assign->assign.place && c->assign->assign.op == OP_COUNT;
    Val old = plain ? (Val){0} : select_vals(ck, base, sels, n, e->span);
    Val v = c->make(ck, old, c->ctx);
    return update_vals(ck, base, sels, n, v, e->span, c->span);
}

static Val chain_field(Checker *ck, Val base, void *ctx) {
    Chain *c = ctx;
    Type *type = type_of(ck, base);
    const Expr *e = c->place;
    if (type->kind == TYPE_ARRAY && type_is_product(type_resolve(ck->ts, type->elem)))
        return ck_fail(ck, DIAG_NOT_ASSIGNABLE, e->span,
                       "a column cannot be assigned: write a[i].field = … or build a new array");
    int k = e->kind == EXPR_FIELD ? field_index(ck, type, e->field.name, e->field.name_span)
                                  : (int)e->tuple_field.number;
    if (k < 0 || is_poison(ck, base))
        return val_poison(ck);
    if (!type_is_product(type) || k >= type->count)
        return ck_fail(ck, DIAG_UNKNOWN_FIELD, e->span, "%s has no such member",
                       text_of(ck, type));
    Val v = c->make(ck, get_member(ck, base, k), c->ctx);
    v = coerce(ck, v, type->items[k], c->span, "the value");
    return is_poison(ck, v) ? v : with_member(ck, base, k, v);
}

static void assign_chain(Checker *ck, const Expr *place, const Expr *assign, NewValue make,
                         void *ctx, Span span) {
    while (place->kind == EXPR_PAREN)
        place = place->inner;
    Chain *c = NEW(ck->arena, Chain);
    *c = (Chain){assign, place, span, make, ctx};
    switch ((int)place->kind) {
    case EXPR_NAME: assign_name(ck, place, make, ctx); return;
    case EXPR_INDEX: assign_chain(ck, place->index.base, assign, chain_index, c, span); return;
    case EXPR_FIELD: assign_chain(ck, place->field.base, assign, chain_field, c, span); return;
    case EXPR_TUPLE_FIELD:
        assign_chain(ck, place->tuple_field.base, assign, chain_field, c, span);
        return;
    case EXPR_ERROR: return;
    default:
        ck_error(ck, DIAG_NOT_ASSIGNABLE, place->span,
                 "this is no place: a var, a part of one, or a tuple of places can be assigned");
    }
}

static Val plain_value(Checker *ck, Val old, void *ctx) {
    (void)ck;
    (void)old;
    return ((AssignCtx *)ctx)->value;
}

static Val updated_value(Checker *ck, Val old, void *ctx) {
    AssignCtx *a = ctx;
    const Expr *e = a->assign;
    if (is_poison(ck, old))
        return old;
    return apply_binary(ck, e->assign.op, old, a->value, e->span, e->assign.place->span,
                        e->assign.value->span);
}

static void assign_tuple(Checker *ck, const Expr *e, const Expr *place, Val v) {
    Type *type = type_of(ck, v);
    int n = place->tuple.len;
    if (type->kind == TYPE_POISON)
        return;
    if (type->kind != TYPE_TUPLE || type->count != n) {
        ck_error(ck, DIAG_TYPE_MISMATCH, e->assign.value->span,
                 "a tuple of %d values is needed here, not %s", n, text_of(ck, type));
        return;
    }
    for (int k = 0; k < n; k++) {
        const Expr *part = place->tuple.at[k].value;
        Val item = get_member(ck, v, k);
        while (part->kind == EXPR_PAREN)
            part = part->inner;
        if (part->kind == EXPR_TUPLE) {
            assign_tuple(ck, e, part, item);
            continue;
        }
        AssignCtx a = {e, item, e->assign.value->span};
        assign_chain(ck, part, e, plain_value, &a, a.span);
    }
}

void check_assign(Checker *ck, const Expr *e) {
    Val v = check_expr(ck, e->assign.value);
    const Expr *place = e->assign.place;
    while (place->kind == EXPR_PAREN)
        place = place->inner;
    if (place->kind == EXPR_TUPLE && e->assign.op == OP_COUNT) {
        assign_tuple(ck, e, place, v);
        return;
    }
    AssignCtx a = {e, v, e->assign.value->span};
    assign_chain(ck, place, e, e->assign.op == OP_COUNT ? plain_value : updated_value, &a, a.span);
}
