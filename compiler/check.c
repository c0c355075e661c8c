/* The checker's foundation: values, messages with their chain of instantiations, sizes, locals, and
   the joining of branches. See check.h for the idea. */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

Type *basic(Checker *ck, TypeKind kind) {
    return type_basic(ck->ts, kind);
}

Val val_poison(Checker *ck) {
    Type *poison = basic(ck, TYPE_POISON);
    return val(poison, ir_undef(&ck->b, poison));
}

Val val_unit(Checker *ck) {
    return val(type_unit(ck->ts), ir_unit(&ck->b));
}

Type *type_of(Checker *ck, Val v) {
    return type_resolve(ck->ts, v.type);
}

bool is_poison(Checker *ck, Val v) {
    return !v.type || type_of(ck, v)->kind == TYPE_POISON;
}

Val val_int(Checker *ck, TypeKind kind, int64_t value) {
    Type *type = basic(ck, kind);
    return val(type, ir_int(&ck->b, type, value));
}

Val val_bool(Checker *ck, bool value) {
    return val(basic(ck, TYPE_BOOL), ir_bool(&ck->b, value));
}

const char *text_of(Checker *ck, Type *type) {
    return type_text(ck->arena, type_resolve(ck->ts, type));
}

Name ck_name(Checker *ck, const char *text) {
    return name_cstr(ck->c->names, text);
}

static Module *module_at(Checker *ck, Span span) {
    Source *source = source_at(&ck->c->sources, span.from);
    for (int i = 0; source && i < ck->c->modules.len; i++)
        if (ck->c->modules.at[i]->source == source)
            return ck->c->modules.at[i];
    return NULL;
}

/* The innermost call that stands in the user's own files: a message about a place inside the library
   is shown there. */
static Span user_place(Checker *ck, Span span, bool *moved) {
    Module *m = module_at(ck, span);
    *moved = false;
    for (Frame *f = ck->frames; f && m && m->is_stdlib; f = f->outer) {
        m = module_at(ck, f->call);
        *moved = true;
        span = f->call;
    }
    return span;
}

static Diag *report(Checker *ck, DiagCode code, Span span, const char *text) {
    bool moved;
    Span place = user_place(ck, span, &moved);
    Diag *d = diag_report(ck->diags, code, place, "%s", text);
    if (moved)
        diag_span(ck->diags, d, span, "required here, in the library");
    int shown = 0;
    for (Frame *f = ck->frames; f; f = f->outer) {
        Module *m = module_at(ck, f->call);
        bool lone = f->decl && f->call.from == f->decl->name_span.from; /* nobody called it */
        if (shown < 3 && f->call.to && m && !m->is_stdlib && !lone) {
            diag_frame(ck->diags, d, f->call, "in %s", f->text);
            shown++;
        }
    }
    return d;
}

Diag *ck_error(Checker *ck, DiagCode code, Span span, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return report(ck, code, span, text);
}

Val ck_fail(Checker *ck, DiagCode code, Span span, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    report(ck, code, span, text);
    return val_poison(ck);
}

IrFault *ck_fault(Checker *ck, const char *kind, Span span, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    IrFault *fault = NEW(ck->arena, IrFault);
    *fault = (IrFault){.kind = kind, .text = arena_copy(ck->arena, text, strlen(text)), .span = span};
    if (ck->called_at.to) {
        fault->span = ck->called_at;
        fault->other = span;
        fault->other_text = "in the library";
    }
    return fault;
}

Type *literal_var(Checker *ck, VarKind kind, Span span) {
    Type *var = type_var(ck->ts, kind, span);
    vec_push(ck->arena, &ck->vars, var);
    return var;
}

/* ---- sizes ---- */

/* The op that a chain of GETs starts from, and the chain as a number. */
static IrId root_of(const IrFunc *f, IrId id, uint64_t *path) {
    *path = 0;
    for (uint64_t shift = 1; ir_op(f, id)->kind == IR_GET; shift *= 64) {
        *path += shift * (uint64_t)(ir_op(f, id)->imm + 1);
        id = ir_op(f, id)->args[0];
    }
    return id;
}

IrRegion *ck_region(Checker *ck) {
    IrRegion *region = ir_region_new(ck->c->ir);
    region->outer = ck->b.region;
    return region;
}

/* Does code that is evaluated now come after code of that region, with nothing in between that may
   have skipped it? */
static bool is_open(const Checker *ck, const IrRegion *region) {
    for (const IrRegion *at = ck->b.region; at; at = at->outer)
        if (at == region)
            return true;
    return false;
}

static IrId assumed_dim(Checker *ck, IrId array, int axis) {
    uint64_t path;
    IrId root = root_of(ck->b.func, array, &path);
    for (int i = ck->assumed.len - 1; i >= 0; i--) {
        const Assumed *a = &ck->assumed.at[i];
        if (a->func == ck->b.func && a->root == root && a->path == path && a->axis == axis &&
            (!a->region || is_open(ck, a->region)))
            return a->dim;
    }
    return IR_NONE;
}

IrId ck_dim(Checker *ck, IrId array, int axis) {
    IrId known = assumed_dim(ck, array, axis);
    if (known)
        return known;
    IrId dim = ir_dim(&ck->b, array, axis);
    for (int hops = 0; hops < 16; hops++) {
        const IrOp *op = ir_op(ck->b.func, dim);
        if (op->kind != IR_DIM)
            break;
        known = assumed_dim(ck, op->args[0], (int)op->imm);
        if (!known || known == dim)
            break;
        dim = known;
    }
    return dim;
}

void ck_assume_dim(Checker *ck, IrId root, uint64_t path, int axis, IrId dim) {
    uint64_t more;
    IrId base = root_of(ck->b.func, root, &more);
    uint64_t shift = 1;
    for (uint64_t m = path; m; m /= 64)
        shift *= 64;
    vec_push(ck->arena, &ck->assumed,
             (Assumed){.func = ck->b.func, .root = base, .path = path + more * shift, .axis = axis,
                       .dim = dim});
}

void ck_assume_checked(Checker *ck, IrId array, int axis, IrId dim) {
    ck_assume_dim(ck, array, 0, axis, dim);
    ck->assumed.at[ck->assumed.len - 1].region = ck->b.region;
}

void ck_assume_like(Checker *ck, IrId root, uint64_t path, Type *type, IrId from) {
    type = type_resolve(ck->ts, type);
    if (type->kind == TYPE_ARRAY) {
        for (int k = 0; k < type->rank; k++)
            ck_assume_dim(ck, root, path, k, ck_dim(ck, from, k));
        return;
    }
    if (!type_is_product(type) || type_is_flat(type))
        return;
    for (int k = 0; k < type->count; k++) {
        uint64_t step = (uint64_t)k + 1;
        /* The last GET is the lowest digit. */
        ck_assume_like(ck, root, path * 64 + step, type->items[k], ir_get(&ck->b, from, k));
    }
}

/* A size inside the elements of an array is kept under the negative axes. */
void ck_assume_member_dim(Checker *ck, IrId root, uint64_t path, int axis, IrId dim) {
    ck_assume_dim(ck, root, path, -1 - axis, dim);
}

void ck_assume_zipped(Checker *ck, IrId root, int k, IrId member) {
    uint64_t path, shift;
    IrId from = root_of(ck->b.func, member, &path);
    for (int i = 0, n = ck->assumed.len; path == 0 && i < n; i++) {
        Assumed a = ck->assumed.at[i];
        if (a.func != ck->b.func || a.root != from || a.axis >= 0)
            continue;
        for (shift = 1; shift <= a.path; shift *= 64)
            ;
        ck_assume_dim(ck, root, a.path + ((uint64_t)k + 1) * shift, a.axis, a.dim);
    }
}

void ck_assume_element(Checker *ck, IrId array, IrId element) {
    uint64_t path;
    IrId root = root_of(ck->b.func, array, &path);
    for (int i = 0, n = ck->assumed.len; path == 0 && i < n; i++) {
        Assumed a = ck->assumed.at[i];
        if (a.func == ck->b.func && a.root == root && a.axis < 0)
            ck_assume_dim(ck, element, a.path, -1 - a.axis, a.dim);
    }
}

IrId ck_mark(Checker *ck) {
    return (IrId)ck->b.func->ops.len;
}

/* Ops that may be computed elsewhere: pure, cheap, and never faulting. */
static bool is_movable(const IrOp *op) {
    if (op->flags & (IRF_PINNED | IRF_CHECKED | IRF_CHECKED_ZERO))
        return false;
    return ir_is_scalar_op(op->kind) || op->kind == IR_CONST || op->kind == IR_DIM ||
           op->kind == IR_GET || op->kind == IR_TUPLE || op->kind == IR_UNDEF;
}

static IrId outside(Checker *ck, IrId id, IrId mark, int depth) {
    if (id < mark)
        return id;
    const IrOp *op = ir_op(ck->b.func, id);
    if (depth > 40)
        return IR_NONE;
    if (op->kind == IR_CHECK && op->nargs && op->args[0])
        return outside(ck, op->args[0], mark, depth + 1);
    if (!is_movable(op))
        return IR_NONE;
    if (op->kind == IR_DIM) { /* the size of something inside may still be known outside */
        IrId known = assumed_dim(ck, op->args[0], (int)op->imm);
        if (known && known != id)
            return outside(ck, known, mark, depth + 1);
    }
    IrId args[8];
    if (op->nargs > ARRAY_LEN(args))
        return IR_NONE;
    int n = op->nargs;
    for (int i = 0; i < n; i++) {
        args[i] = outside(ck, ir_op(ck->b.func, id)->args[i], mark, depth + 1);
        if (!args[i])
            return IR_NONE;
    }
    IrOp copy = *ir_op(ck->b.func, id);
    copy.args = n ? NEW_ARRAY(ck->arena, IrId, n) : NULL;
    if (n)
        memcpy(copy.args, args, sizeof *args * (size_t)n);
    return ir_append(&ck->b, copy);
}

IrId ck_outside(Checker *ck, IrId id, IrId mark) {
    return outside(ck, id, mark, 0);
}

IrId ck_same_size(Checker *ck, IrId a, IrId b, Span span, Span aspan, Span bspan,
                  const char *what) {
    int64_t difference;
    if (ir_difference(ck->b.func, a, b, &difference)) {
        if (difference == 0)
            return a;
        int64_t na, nb;
        Diag *d;
        if (ir_const_int(ck->b.func, a, &na) && ir_const_int(ck->b.func, b, &nb)) {
            d = ck_error(ck, DIAG_SHAPE_MISMATCH, span, "%s differ in size: %lld and %lld", what,
                         (long long)na, (long long)nb);
            diag_span(ck->diags, d, aspan, "this has %lld", (long long)na);
            diag_span(ck->diags, d, bspan, "this has %lld", (long long)nb);
        } else {
            d = ck_error(ck, DIAG_SHAPE_MISMATCH, span, "%s always differ in size, by %lld", what,
                         (long long)(difference < 0 ? -difference : difference));
            diag_span(ck->diags, d, aspan, "this size comes from here");
            diag_span(ck->diags, d, bspan, "and this one from here");
        }
        return a;
    }
    IrFault *fault = ck_fault(ck, "shape", span, "%s differ in size: {} and {}", what);
    fault->other = bspan;
    fault->other_text = "the second one";
    IrId same = ir_binary(&ck->b, IR_EQ, a, b);
    return ir_check(&ck->b, a, same, fault, (IrId[]){a, b}, 2);
}

Val ck_after_check(Checker *ck, Val v, IrId have, IrId checked) {
    if (checked == have || ir_op(ck->b.func, checked)->kind != IR_CHECK)
        return v;
    IrOp op = *ir_op(ck->b.func, checked);
    const IrId *args = op.args;
    op.type = type_of(ck, v);
    op.args = NEW_ARRAY(ck->arena, IrId, op.nargs);
    memcpy(op.args, args, sizeof *args * (size_t)op.nargs);
    op.args[0] = v.id;
    Val out = val(v.type, ir_append(&ck->b, op));
    ck_assume_like(ck, out.id, 0, op.type, v.id);
    return out;
}

/* ---- locals ---- */

int local_add(Checker *ck, Name name, Val v, Span span, bool is_var) {
    vec_push(ck->arena, &ck->locals,
             (Local){.name = name, .val = v, .span = span, .is_var = is_var});
    note_local(ck, span, v);
    return ck->locals.len - 1;
}

Local *local_find(Checker *ck, Name name) {
    int base = ck->fn ? ck->fn->base : 0;
    for (int i = ck->locals.len - 1; i >= base; i--)
        if (ck->locals.at[i].name == name && !ck->locals.at[i].is_pseudo)
            return &ck->locals.at[i];
    return NULL;
}

/* ---- joining branches ---- */

static Val *snapshot(Checker *ck, int n) {
    Val *vals = NEW_ARRAY(ck->arena, Val, n ? n : 1);
    for (int i = 0; i < n; i++)
        vals[i] = ck->locals.at[i].val;
    return vals;
}

static void restore(Checker *ck, const Val *vals, int n) {
    ck->locals.len = n;
    for (int i = 0; i < n; i++)
        ck->locals.at[i].val = vals[i];
}

Fork fork_begin(Checker *ck) {
    return (Fork){.outer = ck->b.region, .before = snapshot(ck, ck->locals.len),
                  .nlocals = ck->locals.len, .mark = ck_mark(ck)};
}

void branch_begin(Checker *ck, Fork *f, Branch *br) {
    restore(ck, f->before, f->nlocals);
    *br = (Branch){.region = ck_region(ck)};
    ck->b.region = br->region;
    ck->dead = false;
}

void branch_end(Checker *ck, Fork *f, Branch *br, Val value) {
    br->value = value;
    br->after = snapshot(ck, f->nlocals);
    br->dead = ck->dead;
    restore(ck, f->before, f->nlocals);
    ck->b.region = f->outer;
    ck->dead = false;
}

/* Evaluates f's conversion inside a branch: converted ops must stand in its region. */
static void join_in_branches(Checker *ck, Fork *f, Branch *a, Branch *b, Val *va, Val *vb,
                             Span span) {
    if (!va->type && !vb->type)
        return;
    bool lacks_a = !va->type || (vb->type && is_poison(ck, *va));
    bool lacks_b = !vb->type || (va->type && is_poison(ck, *vb));
    if (lacks_a || lacks_b) { /* set on one side only: never looked at on the other; or in error */
        Val *unset = lacks_a ? va : vb;
        Branch *br = lacks_a ? a : b;
        Type *type = lacks_a ? vb->type : va->type;
        ck->b.region = br->region;
        *unset = val(type, ir_undef(&ck->b, type));
        ck->b.region = f->outer;
        return;
    }
    if (type_unify(ck->ts, va->type, vb->type))
        return;
    /* join_vals converts one side or both; conversions of each go to its own region */
    Val ca = *va, cb = *vb;
    Type *ta = type_of(ck, ca), *tb = type_of(ck, cb);
    bool ok = true;
    ck->b.region = b->region;
    Val converted = convert_to(ck, cb, ta, &ok);
    ck->b.region = f->outer;
    if (ok) {
        *vb = converted;
        return;
    }
    ck->b.region = a->region;
    converted = convert_to(ck, ca, tb, &ok);
    ck->b.region = f->outer;
    if (ok) {
        *va = converted;
        return;
    }
    if (is_function(ta) && is_function(tb)) {
        Type *choice = type_choice(ck->ts, (Type *[]){ta, tb}, 2);
        ck->b.region = a->region;
        *va = val(choice, ir_variant(&ck->b, choice, 0, &ca.id, 1));
        ck->b.region = b->region;
        *vb = val(choice, ir_variant(&ck->b, choice, 1, &cb.id, 1));
        ck->b.region = f->outer;
        return;
    }
    if (!is_poison(ck, ca) && !is_poison(ck, cb)) {
        ck_error(ck, DIAG_TYPE_MISMATCH, span, "the branches have different types: %s and %s",
                 text_of(ck, ta), text_of(ck, tb));
    }
    ck->b.region = b->region;
    *vb = val(ta, ir_undef(&ck->b, ta));
    ck->b.region = f->outer;
}

/* Two values that were computed in the branches of a fork. */
typedef struct {
    IrRegion *outer, *a, *b;
    IrId mark; /* ids below were there before the branches */
} Joint;

/* A size computed at the end of a branch, as a value from before it; IR_NONE if it is not one. */
static IrId size_before(Checker *ck, const Joint *j, IrRegion *branch, IrId array, int axis) {
    ck->b.region = branch;
    IrId dim = ck_dim(ck, array, axis);
    ck->b.region = j->outer;
    return ck_outside(ck, dim, j->mark);
}

static IrId member_in(Checker *ck, const Joint *j, IrRegion *branch, IrId v, int k) {
    ck->b.region = branch;
    IrId id = ir_get(&ck->b, v, k);
    ck->b.region = j->outer;
    return id;
}

/* Sizes that are the same in both branches, and known outside, are known of the joined value. */
static void assume_joined(Checker *ck, const Joint *j, IrId joined, uint64_t path, Type *type,
                          IrId a, IrId b) {
    type = type_resolve(ck->ts, type);
    if (type->kind == TYPE_ARRAY)
        for (int k = 0; k < type->rank; k++) {
            IrId da = size_before(ck, j, j->a, a, k);
            IrId db = da ? size_before(ck, j, j->b, b, k) : IR_NONE;
            int64_t difference;
            if (da && db && ir_difference(ck->b.func, da, db, &difference) && difference == 0)
                ck_assume_dim(ck, joined, path, k, da);
        }
    else if (type_is_product(type) && !type_is_flat(type))
        for (int k = 0; k < type->count; k++)
            assume_joined(ck, j, joined, path * 64 + (uint64_t)k + 1, type->items[k],
                          member_in(ck, j, j->a, a, k), member_in(ck, j, j->b, b, k));
}

/* bool from two constants: the condition itself or its opposite. */
static bool join_flags(Checker *ck, IrId cond, Val a, Val b, Val *out) {
    int64_t x, y;
    if (!cond || type_of(ck, a)->kind != TYPE_BOOL || !ir_const_int(ck->b.func, a.id, &x) ||
        !ir_const_int(ck->b.func, b.id, &y))
        return false;
    if (x == y)
        *out = val_bool(ck, x); /* a's constant lies inside its branch */
    else
        *out = val(a.type, x ? cond : ir_unary(&ck->b, IR_BITNOT, cond));
    return true;
}

typedef struct {
    int local; /* -1: the value */
    Val a, b;
} Joined;

Val fork_join(Checker *ck, Fork *f, IrId cond, Branch *a, Branch *b, bool want, Span span) {
    VEC(Joined) list = {0};
    ck->b.region = f->outer;
    restore(ck, f->before, f->nlocals);
    if (want) {
        Val va = a->dead ? (Val){0} : a->value, vb = b->dead ? (Val){0} : b->value;
        join_in_branches(ck, f, a, b, &va, &vb, span);
        if (va.type)
            vec_push(ck->arena, &list, (Joined){-1, va, vb});
    }
    for (int i = 0; i < f->nlocals; i++) {
        Val va = a->after[i], vb = b->after[i];
        if (va.id == vb.id && va.type == vb.type) {
            ck->locals.at[i].val = va;
            continue;
        }
        Val flag;
        if (va.type && vb.type && ck->locals.at[i].is_pseudo && join_flags(ck, cond, va, vb, &flag)) {
            ck->locals.at[i].val = flag;
            continue;
        }
        join_in_branches(ck, f, a, b, &va, &vb, span);
        vec_push(ck->arena, &list, (Joined){i, va, vb});
    }
    for (int i = 0; i < list.len; i++) {
        vec_push(ck->arena, &a->region->results, list.at[i].a.id);
        vec_push(ck->arena, &b->region->results, list.at[i].b.id);
    }
    Joint joint = {f->outer, a->region, b->region, f->mark};
    IrId joined = cond ? ir_if(&ck->b, cond, a->region, b->region)
                       : ir_try(&ck->b, a->region, b->region);
    ck->dead = a->dead && b->dead;
    Val value = (Val){0};
    for (int i = 0; i < list.len; i++) {
        Joined *j = &list.at[i];
        IrId id = list.len == 1 ? joined : ir_get(&ck->b, joined, i);
        if (!type_of(ck, j->a)->has_var && !type_is_flat(type_of(ck, j->a)))
            assume_joined(ck, &joint, id, 0, j->a.type, j->a.id, j->b.id);
        if (j->local < 0)
            value = val(j->a.type, id);
        else
            ck->locals.at[j->local].val = val(j->a.type, id);
    }
    if (want && !value.type)
        value = ck->dead ? (Val){0} : val_unit(ck);
    return value;
}

/* ---- roots ---- */

void root_begin(Checker *ck) {
    ck->vars.len = 0;
    ck->literals.len = 0;
    ck->locals.len = 0;
    ck->assumed.len = 0;
    ck->unknown.len = 0;
    ck->dead = false;
}

static void check_float_range(Checker *ck, const LiteralCheck *l, Type *type) {
    double top = type->kind == TYPE_F16    ? 0x1.ffcp15
                 : type->kind == TYPE_BF16 ? 0x1.fep127
                 : type->kind == TYPE_F32  ? 0x1.fffffep127
                                           : 0x1.fffffffffffffp1023;
    if (l->real <= top)
        return;
    Diag *d = ck_error(ck, DIAG_LITERAL_RANGE, l->span, "%s%g does not fit in %s",
                       l->negative ? "-" : "", l->real, text_of(ck, type));
    diag_note(ck->diags, d, "the greatest %s is %g", text_of(ck, type), top);
}

static void check_literal_range(Checker *ck, const LiteralCheck *l) {
    Type *type = type_resolve(ck->ts, l->type);
    if (type_is_float(type))
        check_float_range(ck, l, type);
    if (!type_is_int(type))
        return;
    int bits = type_bytes(type) * 8;
    bool sign = type_is_signed(type);
    uint64_t top = sign ? ((uint64_t)1 << (bits - 1)) - (l->negative ? 0 : 1)
                        : bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    if (l->negative && !sign && l->value)
        top = 0;
    if (l->value <= top)
        return;
    Diag *d = ck_error(ck, DIAG_LITERAL_RANGE, l->span, "%s%llu does not fit in %s",
                       l->negative ? "-" : "", (unsigned long long)l->value, text_of(ck, type));
    if (sign)
        diag_note(ck->diags, d, "%s holds -%llu to %llu", text_of(ck, type),
                  1ull << (bits - 1), (1ull << (bits - 1)) - 1);
    else
        diag_note(ck->diags, d, "%s holds 0 to %llu", text_of(ck, type),
                  bits == 64 ? (unsigned long long)UINT64_MAX : (1ull << bits) - 1);
}

void root_end(Checker *ck) {
    for (int i = 0; i < ck->vars.len; i++) {
        Type *var = type_resolve(ck->ts, ck->vars.at[i]);
        if (var->kind != TYPE_VAR)
            continue;
        if (var->var == VAR_ANY) {
            if (!ck->diags->errors && !ck->lone)
                ck_error(ck, DIAG_CANNOT_INFER, var->origin,
                         "nothing says what type the elements here have");
            var->solution = basic(ck, TYPE_POISON);
        } else {
            var->solution = basic(ck, var->var == VAR_INT ? TYPE_I64 : TYPE_F64);
        }
    }
    for (int i = 0; i < ck->literals.len; i++)
        check_literal_range(ck, &ck->literals.at[i]);
    ck->vars.len = 0;
    ck->literals.len = 0;
}

void root_discard(Checker *ck, const IrFunc *func) {
    IrModule *m = ck->c->ir;
    int kept = 0;
    for (int i = 0; i < m->funcs.len; i++)
        if (m->funcs.at[i] != func)
            m->funcs.at[kept++] = m->funcs.at[i];
    m->funcs.len = kept;
}
