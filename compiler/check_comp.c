/* Ranges, index spaces and comprehensions: kernels whose rows are dense if their size can be computed
   outside of the body, and lists otherwise. */
#include "check.h"

#include <string.h>

static bool nonnegative(const IrFunc *f, IrId id, int depth) {
    const IrOp *op = ir_op(f, id);
    int64_t c;
    if (ir_const_int(f, id, &c))
        return c >= 0;
    if (depth > 8)
        return false;
    switch ((int)op->kind) {
    case IR_DIM: return true;
    case IR_MAX:
        return nonnegative(f, op->args[0], depth + 1) || nonnegative(f, op->args[1], depth + 1);
    case IR_ADD:
    case IR_MUL:
    case IR_DIV:
    case IR_MIN:
        return nonnegative(f, op->args[0], depth + 1) && nonnegative(f, op->args[1], depth + 1);
    case IR_CHECK: return nonnegative(f, op->args[0], depth + 1);
    case IR_CONVERT: {
        TypeKind from = ir_op(f, op->args[0])->type->kind;
        return from == TYPE_U8 || from == TYPE_U16 || from == TYPE_U32 ||
               nonnegative(f, op->args[0], depth + 1);
    }
    default: return false;
    }
}

IrId ck_clamp_count(Checker *ck, IrId count) {
    if (nonnegative(ck->b.func, count, 0))
        return count;
    return ir_binary(&ck->b, IR_MAX, count, ir_int(&ck->b, basic(ck, TYPE_I64), 0));
}

/* ceil(distance / step), never negative, for any step but 0. */
static IrId stepped_count(Checker *ck, IrId distance, IrId step, Span span) {
    IrBuilder *b = &ck->b;
    Type *i64 = basic(ck, TYPE_I64);
    IrId zero = ir_int(b, i64, 0), one = ir_int(b, i64, 1);
    int64_t known = 0;
    if (!ir_const_int(b->func, step, &known)) {
        IrFault *fault = ck_fault(ck, "range", span, "a range with step 0");
        step = ir_check(b, step, ir_binary(b, IR_NE, step, zero), fault, NULL, 0);
    } else if (known == 0) {
        ck_error(ck, DIAG_LITERAL_RANGE, span, "a range cannot have step 0");
        return zero;
    }
    IrId down = ir_binary(b, IR_LT, step, zero);
    IrId size = ir_select(b, down, ir_unary(b, IR_NEG, step), step);
    IrId way = ir_select(b, down, ir_unary(b, IR_NEG, distance), distance);
    way = ck_clamp_count(ck, way);
    return ir_binary(b, IR_DIV, ir_binary(b, IR_ADD, way, ir_binary(b, IR_SUB, size, one)), size);
}

static bool is_int_like(Type *t) {
    return type_is_int(t) || (t->kind == TYPE_VAR && t->var != VAR_FLOAT);
}

bool range_parts(Checker *ck, const Expr *e, Val *lo, IrId *count, IrId *step) {
    *lo = check_expr(ck, e->range.lo);
    Val hi = check_expr(ck, e->range.hi);
    Val by = e->range.by ? check_expr(ck, e->range.by) : (Val){0};
    if (is_poison(ck, *lo) || is_poison(ck, hi) || (by.type && is_poison(ck, by)))
        return false;
    Val ends[] = {*lo, hi, by};
    for (int i = 0; i < (by.type ? 3 : 2); i++)
        if (!is_int_like(type_of(ck, ends[i])) ||
            !type_unify(ck->ts, lo->type, ends[i].type)) {
            const Expr *part = i == 0 ? e->range.lo : i == 1 ? e->range.hi : e->range.by;
            if (is_int_like(type_of(ck, ends[i])))
                report_mismatch(ck, lo->type, ends[i].type, part->span, "the end of this range");
            else
                ck_error(ck, DIAG_TYPE_MISMATCH, part->span, "a range goes over integers, not %s",
                         text_of(ck, ends[i].type));
            return false;
        }
    IrId from = as_index(ck, *lo, e->range.lo->span), to = as_index(ck, hi, e->range.hi->span);
    if (e->range.inclusive)
        to = ir_binary(&ck->b, IR_ADD, to, ir_int(&ck->b, basic(ck, TYPE_I64), 1));
    IrId distance = ir_binary(&ck->b, IR_SUB, to, from);
    *step = IR_NONE;
    if (by.type) {
        *step = as_index(ck, by, e->range.by->span);
        if (e->range.inclusive) { /* downwards the end is one lower, not higher */
            IrId down = ir_binary(&ck->b, IR_LT, *step, ir_int(&ck->b, basic(ck, TYPE_I64), 0));
            IrId two = ir_int(&ck->b, basic(ck, TYPE_I64), 2);
            distance = ir_select(&ck->b, down, ir_binary(&ck->b, IR_SUB, distance, two), distance);
        }
        *count = stepped_count(ck, distance, *step, e->span);
    } else {
        *count = ck_clamp_count(ck, distance);
    }
    return true;
}

/* What a clause runs over. */
typedef struct {
    bool is_range;
    Val lo;    /* of a range */
    IrId step; /* IR_NONE: 1 */
    Val array;
    IrId count;
    bool ok;
} Iteration;

static Iteration iteration_of(Checker *ck, const Expr *source) {
    Iteration it = {0};
    while (source->kind == EXPR_PAREN)
        source = source->inner;
    if (source->kind == EXPR_RANGE && source->range.lo && source->range.hi) {
        it.is_range = true;
        it.ok = range_parts(ck, source, &it.lo, &it.count, &it.step);
        return it;
    }
    Val v = as_array(ck, check_expr(ck, source));
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_TUPLE) {
        v = tuple_as_list(ck, v);
        type = type_of(ck, v);
    }
    if (type->kind == TYPE_POISON)
        return it;
    if (type->kind != TYPE_ARRAY) {
        ck_error(ck, DIAG_TYPE_MISMATCH, source->span,
                 "this is %s; one can go over arrays, lists, sets and ranges", text_of(ck, type));
        return it;
    }
    it.array = v;
    it.count = ck_dim(ck, v.id, 0);
    it.ok = true;
    return it;
}

static Val iteration_value(Checker *ck, const Iteration *it, IrId i) {
    if (!it->is_range)
        return element(ck, it->array, i);
    IrBuilder *b = &ck->b;
    IrId offset = i;
    if (it->step)
        offset = ir_binary(b, IR_MUL, i, it->step);
    Type *type = type_of(ck, it->lo);
    IrId value = ir_convert(b, type, offset);
    int64_t zero;
    if (!ir_const_int(b->func, it->lo.id, &zero) || zero != 0)
        value = ir_binary(b, IR_ADD, value, it->lo.id);
    return val(type, value);
}

static Val range_body(Checker *ck, const IrId *at, void *ctx) {
    return iteration_value(ck, ctx, at[0]);
}

Val check_range(Checker *ck, const Expr *e) {
    if (!e->range.lo || !e->range.hi)
        return ck_fail(ck, DIAG_BAD_INDEX, e->span,
                       "a range without an end can only stand in an index");
    Iteration it = {.is_range = true};
    if (!range_parts(ck, e, &it.lo, &it.count, &it.step))
        return val_poison(ck);
    return map_space(ck, 1, &it.count, range_body, &it, e->span);
}

/* ---- elements and spaces ---- */

Type *element_type(Checker *ck, Type *array) {
    array = type_resolve(ck->ts, array);
    if (array->rank > 1)
        return type_array(ck->ts, array->elem, array->rank - 1);
    return type_resolve(ck->ts, array->elem);
}

Val element(Checker *ck, Val array, IrId i) {
    Type *type = element_type(ck, array.type);
    IrId id = ir_index(&ck->b, array.id, &i, 1, false);
    ck_assume_element(ck, array.id, id);
    return val(type, id);
}

IrId length(Checker *ck, Val array) {
    return ck_dim(ck, as_array(ck, array).id, 0);
}

typedef struct {
    BodyFn body;
    void *ctx;
    IrId outer;
    int rank;
    const IrId *dims;
    Span span;
} Nested;

static Val nested_inner(Checker *ck, const IrId *at, void *ctx) {
    Nested *n = ctx;
    IrId *all = NEW_ARRAY(ck->arena, IrId, n->rank);
    all[0] = n->outer;
    memcpy(all + 1, at, sizeof *all * (size_t)(n->rank - 1));
    return n->body(ck, all, n->ctx);
}

static Val nested_outer(Checker *ck, const IrId *at, void *ctx) {
    Nested inner = *(Nested *)ctx;
    inner.outer = at[0];
    return map_space(ck, inner.rank - 1, inner.dims + 1, nested_inner, &inner, inner.span);
}

/* Moving ops out of a body, to before it. */
typedef struct {
    Checker *ck;
    IrRegion *body;
    IrId mark; /* ids below are outside */
} Hoist;

static int place_in(const IrRegion *region, IrId id) {
    for (int i = region->ops.len - 1; i >= 0; i--)
        if (region->ops.at[i] == id)
            return i;
    return -1;
}

static bool hoist_value(Hoist *h, IrId id);

static bool defines(const IrFunc *f, const IrRegion *region, IrId id) {
    for (int i = 0; i < region->params.len; i++)
        if (region->params.at[i] == id)
            return true;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (region->ops.at[i] == id)
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (defines(f, op->regions[r], id))
                return true;
    }
    return false;
}

/* What the region at the top uses from outside of it is outside of the body. */
static bool hoist_uses(Hoist *h, const IrOp *top, const IrRegion *region) {
    const IrFunc *f = h->ck->b.func;
    VEC(IrId) uses = {0};
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            vec_push(h->ck->arena, &uses, op->args[k]);
        for (int r = 0; r < op->nregions; r++)
            if (!hoist_uses(h, top, op->regions[r]))
                return false;
    }
    for (int i = 0; i < region->results.len; i++)
        vec_push(h->ck->arena, &uses, region->results.at[i]);
    for (int i = 0; i < uses.len; i++) {
        bool inside = false;
        for (int r = 0; r < top->nregions && uses.at[i] >= h->mark && !inside; r++)
            inside = defines(f, top->regions[r], uses.at[i]);
        if (!inside && !hoist_value(h, uses.at[i]))
            return false;
    }
    return true;
}

/* Moves a pure op, and what it needs, from the body to the current region; false if it depends on
   the body's parameters. */
static bool hoist_value(Hoist *h, IrId id) {
    Checker *ck = h->ck;
    if (id < h->mark || place_in(ck->b.region, id) >= 0)
        return true;
    const IrOp op = *ir_op(ck->b.func, id);
    if (place_in(h->body, id) < 0 || ir_has_effect(ck->b.func, id) || (op.flags & IRF_PINNED))
        return false;
    for (int k = 0; k < op.nargs; k++)
        if (!hoist_value(h, op.args[k]))
            return false;
    for (int r = 0; r < op.nregions; r++)
        if (!hoist_uses(h, &op, op.regions[r]))
            return false;
    int at = place_in(h->body, id);
    memmove(h->body->ops.at + at, h->body->ops.at + at + 1,
            sizeof *h->body->ops.at * (size_t)(h->body->ops.len - at - 1));
    h->body->ops.len--;
    vec_push(ck->arena, &ck->b.region->ops, id);
    return true;
}

/* The dims of an array that a body yields as values from before it, or false: it is irregular. */
static bool hoisted_dims(Checker *ck, IrRegion *body, Val v, int rank, IrId mark, IrId *out) {
    IrRegion *outer = ck->b.region;
    Hoist h = {ck, body, mark};
    for (int k = 0; k < rank; k++) {
        ck->b.region = body;
        IrId inner = ck_dim(ck, v.id, k);
        ck->b.region = outer;
        out[k] = ck_outside(ck, inner, mark);
        if (!out[k] && hoist_value(&h, inner))
            out[k] = inner;
        if (!out[k])
            return false;
    }
    return true;
}

/* The sizes of the arrays inside a tuple or record, seen from within the region that makes it. */
typedef struct {
    uint64_t path;
    int axis;
    IrId dim;
} MemberDim;

typedef VEC(MemberDim) MemberDims;

static void find_member_dims(Checker *ck, uint64_t path, Type *type, IrId from, MemberDims *out) {
    type = type_resolve(ck->ts, type);
    for (int k = 0; path && type->kind == TYPE_ARRAY && k < type->rank; k++)
        vec_push(ck->arena, out, ((MemberDim){path, k, ck_dim(ck, from, k)}));
    if (!type_is_product(type) || type_is_flat(type))
        return;
    for (int k = 0; k < type->count; k++)
        find_member_dims(ck, path * 64 + (uint64_t)k + 1, type->items[k],
                         ir_get(&ck->b, from, k), out);
}

Val map_space(Checker *ck, int rank, const IrId *dims, BodyFn body, void *ctx, Span span) {
    IrRegion *outer = ck->b.region, *region = ck_region(ck);
    IrId *at = NEW_ARRAY(ck->arena, IrId, rank);
    IrId mark = ck_mark(ck);
    for (int k = 0; k < rank; k++)
        at[k] = ir_param(ck->b.func, region, basic(ck, TYPE_I64));
    ck->b.region = region;
    ck->loop_depth++;
    Val v = body(ck, at, ctx);
    MemberDims members = {0};
    if (rank == 1 && !is_poison(ck, v))
        find_member_dims(ck, 0, type_of(ck, v), v.id, &members);
    ck->loop_depth--;
    ck->b.region = outer;
    Type *type = type_of(ck, v);
    if (type->kind == TYPE_POISON)
        return val_poison(ck);
    SinkKind sink = SINK_MAP;
    Type *result = type_array(ck->ts, type, rank);
    IrId *inner = NEW_ARRAY(ck->arena, IrId, type->rank + 1);
    if (type->kind == TYPE_ARRAY) {
        if (hoisted_dims(ck, region, v, type->rank, mark, inner)) {
            result = type_array(ck->ts, type->elem, rank + type->rank);
        } else if (rank > 1) {
            Nested nested = {.body = body, .ctx = ctx, .rank = rank, .dims = dims, .span = span};
            return map_space(ck, 1, dims, nested_outer, &nested, span);
        } else {
            sink = SINK_LIST;
        }
    }
    vec_push(ck->arena, &region->results, v.id);
    IrId id = ir_kernel(&ck->b, rank, dims, region, sink, 0, NULL, 0, NULL);
    if (type->kind == TYPE_ARRAY && sink == SINK_MAP)
        for (int k = 0; k < type->rank; k++)
            ck_assume_dim(ck, id, 0, rank + k, inner[k]);
    for (int k = 0; k < members.len; k++) {
        const MemberDim *m = &members.at[k];
        IrId dim = ck_outside(ck, m->dim, mark);
        if (dim)
            ck_assume_member_dim(ck, id, m->path, m->axis, dim);
    }
    return val(result, id);
}

/* ---- comprehensions ---- */

typedef struct {
    const Expr *e;
    Iteration *its;
    int first; /* clause */
} Comp;

static void bind_clause(Checker *ck, const Comp *c, int k, IrId i) {
    bind_pattern(ck, c->e->comp.clauses.at[k].pattern, iteration_value(ck, &c->its[k], i), false);
}

static Val comp_body(Checker *ck, const IrId *at, void *ctx) {
    Comp *c = ctx;
    int locals = ck->locals.len;
    for (int k = 0; k < c->e->comp.clauses.len; k++)
        bind_clause(ck, c, k, at[k]);
    Val v = check_expr(ck, c->e->comp.body);
    ck->locals.len = locals;
    return v;
}

typedef struct {
    const Name *names;
    int count;
    bool found;
} Mention;

static bool visit_mention(const Expr *e, void *ctx) {
    Mention *m = ctx;
    for (int i = 0; e->kind == EXPR_NAME && i < m->count; i++)
        m->found |= m->names[i] == e->name;
    return !m->found;
}

/* Does any range of clauses first… use a name that an earlier one binds? */
static bool is_rectangular(Checker *ck, const Expr *e, int first) {
    NameList names = {0};
    for (int k = first; k < e->comp.clauses.len; k++) {
        Mention m = {names.at, names.len, false};
        walk_expr(e->comp.clauses.at[k].source, visit_mention, &m);
        if (m.found)
            return false;
        bound_names(ck, e->comp.clauses.at[k].pattern, &names);
    }
    return true;
}

/* A region that runs over the space of clauses `first` on, entered with their names bound. */
typedef struct {
    IrRegion *outer, *region;
    IrId mark;
    IrId *dims, *at;
    int rank, locals;
} Space;

static Space space_begin(Checker *ck, const Comp *c) {
    int rank = c->e->comp.clauses.len - c->first;
    Space s = {.outer = ck->b.region, .region = ck_region(ck), .mark = ck_mark(ck),
               .dims = NEW_ARRAY(ck->arena, IrId, rank), .at = NEW_ARRAY(ck->arena, IrId, rank),
               .rank = rank, .locals = ck->locals.len};
    for (int k = 0; k < rank; k++) {
        s.dims[k] = c->its[c->first + k].count;
        s.at[k] = ir_param(ck->b.func, s.region, basic(ck, TYPE_I64));
    }
    ck->b.region = s.region;
    ck->loop_depth++;
    for (int k = 0; k < rank; k++)
        bind_clause(ck, c, c->first + k, s.at[k]);
    return s;
}

static void space_end(Checker *ck, const Space *s) {
    ck->loop_depth--;
    ck->locals.len = s->locals;
    ck->b.region = s->outer;
}

/* What a comprehension gives where its condition holds: the element is evaluated only there. */
static Val kept_element(Checker *ck, const Expr *e, Val *keep) {
    *keep = val_bool(ck, true);
    if (!e->comp.cond)
        return check_expr(ck, e->comp.body);
    *keep = condition(ck, check_expr(ck, e->comp.cond), e->comp.cond->span, "this condition");
    if (is_poison(ck, *keep))
        return *keep;
    Branch then, otherwise;
    Fork f = fork_begin(ck);
    branch_begin(ck, &f, &then);
    branch_end(ck, &f, &then, check_expr(ck, e->comp.body));
    branch_begin(ck, &f, &otherwise);
    ck->dead = true;
    branch_end(ck, &f, &otherwise, (Val){0});
    return fork_join(ck, &f, keep->id, &then, &otherwise, true, e->span);
}

typedef struct {
    Comp *comp;
    Val places; /* indices of the kept points: i64, or tuples of them */
    int rank;
} Kept;

static Val kept_body(Checker *ck, const IrId *at, void *ctx) {
    Kept *kept = ctx;
    int locals = ck->locals.len;
    Val place = element(ck, kept->places, at[0]);
    for (int k = 0; k < kept->rank; k++)
        bind_clause(ck, kept->comp, kept->comp->first + k,
                    kept->rank == 1 ? place.id : ir_get(&ck->b, place.id, k));
    Val v = check_expr(ck, kept->comp->e->comp.body);
    ck->locals.len = locals;
    return v;
}

/* Elements that are arrays of different sizes: first where they are, then a list of them. */
static Val filter_lists(Checker *ck, Comp *c) {
    Space s = space_begin(ck, c);
    Val keep = val_bool(ck, true);
    if (c->e->comp.cond)
        keep = condition(ck, check_expr(ck, c->e->comp.cond), c->e->comp.cond->span,
                         "this condition");
    Type *type = basic(ck, TYPE_I64);
    IrId place = s.at[0];
    if (s.rank > 1) {
        Type **types = NEW_ARRAY(ck->arena, Type *, s.rank);
        for (int k = 0; k < s.rank; k++)
            types[k] = basic(ck, TYPE_I64);
        type = type_tuple(ck->ts, types, NULL, s.rank);
        place = ir_tuple(&ck->b, type, s.at, s.rank);
    }
    vec_push(ck->arena, &s.region->results, keep.id);
    vec_push(ck->arena, &s.region->results, place);
    space_end(ck, &s);
    Kept kept = {c, {0}, s.rank};
    kept.places = val(type_array(ck->ts, type, 1),
                      ir_kernel(&ck->b, s.rank, s.dims, s.region, SINK_FILTER, 0, NULL, 0, NULL));
    IrId n = ck_dim(ck, kept.places.id, 0);
    return map_space(ck, 1, &n, kept_body, &kept, c->e->span);
}

/* The kept elements of a rectangular space, from clause `first` on. */
static Val filter_space(Checker *ck, Comp *c) {
    Space s = space_begin(ck, c);
    Val keep, v = kept_element(ck, c->e, &keep);
    space_end(ck, &s);
    if (is_poison(ck, v) || is_poison(ck, keep))
        return val_poison(ck);
    Type *type = type_of(ck, v);
    IrId *rows = NEW_ARRAY(ck->arena, IrId, type->rank + 1);
    if (type->kind == TYPE_ARRAY && !hoisted_dims(ck, s.region, v, type->rank, s.mark, rows))
        return filter_lists(ck, c);
    bool keeps_all = !c->e->comp.cond && s.rank == 1;
    if (!keeps_all)
        vec_push(ck->arena, &s.region->results, keep.id);
    vec_push(ck->arena, &s.region->results, v.id);
    IrId id = ir_kernel(&ck->b, s.rank, s.dims, s.region, keeps_all ? SINK_MAP : SINK_FILTER, 0,
                        NULL, 0, NULL);
    if (type->kind != TYPE_ARRAY)
        return val(type_array(ck->ts, type, 1), id);
    for (int k = 0; k < type->rank; k++)
        ck_assume_dim(ck, id, 0, k + 1, rows[k]);
    return val(type_array(ck->ts, type->elem, type->rank + 1), id);
}

static Val flat_comprehension(Checker *ck, Comp *c);

/* Rows that are joined with those of other rounds, which may differ in length. */
static Val list_of_rows(Checker *ck, Val v) {
    Type *type = type_of(ck, v);
    bool ok = true;
    if (type->kind != TYPE_ARRAY || type->rank == 1)
        return v;
    return convert_to(ck, v, type_array(ck->ts, element_type(ck, type), 1), &ok);
}

/* One clause outside, the rest as a list inside, joined. */
static Val flatmap_clause(Checker *ck, Comp *c) {
    IrRegion *outer = ck->b.region, *region = ck_region(ck);
    IrId i = ir_param(ck->b.func, region, basic(ck, TYPE_I64));
    IrId count = c->its[c->first].count;
    int locals = ck->locals.len;
    ck->b.region = region;
    ck->loop_depth++;
    bind_clause(ck, c, c->first, i);
    Comp rest = *c;
    rest.first++;
    Val v = list_of_rows(ck, flat_comprehension(ck, &rest));
    ck->loop_depth--;
    ck->locals.len = locals;
    ck->b.region = outer;
    if (is_poison(ck, v))
        return v;
    vec_push(ck->arena, &region->results, v.id);
    return val(v.type, ir_kernel(&ck->b, 1, &count, region, SINK_FLATMAP, 0, NULL, 0, NULL));
}

static Val flat_comprehension(Checker *ck, Comp *c) {
    int n = c->e->comp.clauses.len;
    if (is_rectangular(ck, c->e, c->first)) {
        for (int k = c->first; k < n; k++) {
            c->its[k] = iteration_of(ck, c->e->comp.clauses.at[k].source);
            if (!c->its[k].ok)
                return val_poison(ck);
        }
        return filter_space(ck, c);
    }
    c->its[c->first] = iteration_of(ck, c->e->comp.clauses.at[c->first].source);
    return c->its[c->first].ok ? flatmap_clause(ck, c) : val_poison(ck);
}

Val check_comprehension(Checker *ck, const Expr *e) {
    if (strip(e->comp.body)->kind == EXPR_SPAWN)
        return check_population(ck, e);
    int n = e->comp.clauses.len;
    Comp c = {.e = e, .its = NEW_ARRAY(ck->arena, Iteration, n)};
    if (e->comp.cond || !is_rectangular(ck, e, 0))
        return flat_comprehension(ck, &c);
    IrId *dims = NEW_ARRAY(ck->arena, IrId, n);
    for (int k = 0; k < n; k++) {
        c.its[k] = iteration_of(ck, e->comp.clauses.at[k].source);
        if (!c.its[k].ok)
            return val_poison(ck);
        dims[k] = c.its[k].count;
    }
    return map_space(ck, n, dims, comp_body, &c, e->span);
}
