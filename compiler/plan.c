/* Ownership for a back end that counts references: who releases what, and where an op may change
   its operand in place. The rules are in ir.h at IrRelease.

   A value that holds buffers falls into *parts*: one for each array, string or sum in its product.
   What is owned is a *unit*: a part of the value of an op that makes new buffers (or of a parameter
   that a loop body owns). Every part of every value knows the units whose buffers it shows; it is
   exact if it shows all of their buffers, so that handing it over hands over the units. First every
   value gets its parts (in order of definition); then each region settles the units it owns by
   their last use. Where that is an `if`, its branches own them and are settled in turn.

   In: any verified module. Out: releases, moved and consumed are filled; values do not change, but
   GETs are added where a unit had no name of its own. */
#include "compiler.h"

#include "../lang/image.h"

#include <stdlib.h>

typedef struct {
    int *units;
    int count;
    bool exact;
} Part;

typedef struct {
    Part *at;
    int count;
} Parts;

typedef struct {
    IrId name;              /* a value that is this unit; IR_NONE until one is found */
    IrId root;              /* the value it is a part of */
    int part;               /* which */
    const IrRegion *region; /* who owns it now; NULL: borrowed or handed over */
    int last, uses;         /* position of the last use in that region, and references there */
} Unit;

typedef struct {
    Compiler *c;
    IrFunc *f;
    IrModule *m;
    Parts *parts; /* by id */
    int known;    /* length of parts */
    VEC(Unit) units;
} Plan;

typedef VEC(int) UnitList;

/* ---- parts ---- */

static int part_count(const Type *type) {
    if (!type_is_product(type))
        return type_is_flat(type) ? 0 : 1;
    int count = 0;
    for (int i = 0; i < type->count; i++)
        count += part_count(type->items[i]);
    return count;
}

static Parts new_parts(Plan *p, int count) {
    return (Parts){NEW_ARRAY(p->f->arena, Part, count), count};
}

static Part single_part(Plan *p, int unit) {
    Part part = {NEW_ARRAY(p->f->arena, int, 1), 1, true};
    part.units[0] = unit;
    return part;
}

/* Units for every part of a value; region NULL: borrowed. */
static Parts fresh_parts(Plan *p, IrId id, const IrRegion *region) {
    Parts parts = new_parts(p, part_count(ir_type(p->f, id)));
    for (int k = 0; k < parts.count; k++) {
        Unit unit = {.root = id, .part = k, .region = region};
        unit.name = parts.count == 1 ? id : IR_NONE;
        parts.at[k] = single_part(p, p->units.len);
        vec_push(p->f->arena, &p->units, unit);
    }
    return parts;
}

static Part join_parts(Plan *p, const IrId *args, int n, bool exact) {
    Part joined = {.exact = exact};
    for (int i = 0; i < n; i++)
        for (int k = 0; args[i] && k < p->parts[args[i]].count; k++)
            joined.count += p->parts[args[i]].at[k].count;
    joined.units = NEW_ARRAY(p->f->arena, int, joined.count);
    int next = 0;
    for (int i = 0; i < n; i++)
        for (int k = 0; args[i] && k < p->parts[args[i]].count; k++) {
            const Part *part = &p->parts[args[i]].at[k];
            joined.exact = joined.exact && part->exact;
            for (int u = 0; u < part->count; u++)
                joined.units[next++] = part->units[u];
        }
    return joined;
}

/* A view of all its operands as one part; none where the view is flat. */
static Parts view(Plan *p, IrId id, const IrId *args, int n, bool exact) {
    int count = part_count(ir_type(p->f, id));
    Parts parts = new_parts(p, count);
    for (int k = 0; k < count; k++) /* a product out of an array or sum: each part may be any */
        parts.at[k] = join_parts(p, args, n, exact && count == 1);
    return parts;
}

static Parts tuple_parts(Plan *p, const IrOp *op) {
    int count = 0, next = 0;
    for (int i = 0; i < op->nargs; i++)
        count += p->parts[op->args[i]].count;
    Parts parts = new_parts(p, count);
    for (int i = 0; i < op->nargs; i++)
        for (int k = 0; k < p->parts[op->args[i]].count; k++)
            parts.at[next++] = p->parts[op->args[i]].at[k];
    return parts;
}

static Parts member_parts(Plan *p, IrId id, const IrOp *op) {
    const Type *of = ir_type(p->f, op->args[0]);
    if (!type_is_product(of))
        return view(p, id, op->args, 1, false); /* a column */
    int first = 0;
    for (int i = 0; i < op->imm; i++)
        first += part_count(of->items[i]);
    return (Parts){p->parts[op->args[0]].at + first, part_count(of->items[op->imm])};
}

/* Has an array all its buffers in columns of its own elements? Then each view of it has them too.
 */
static bool is_plain_array(const Type *type) {
    return type->kind == TYPE_STRING || (type->kind == TYPE_ARRAY && type_is_flat(type->elem));
}

static Parts parts_of(Plan *p, IrId id, const IrRegion *region) {
    const IrOp *op = ir_op(p->f, id);
    switch (op->kind) {
    case IR_TUPLE: return tuple_parts(p, op);
    case IR_GET: return member_parts(p, id, op);
    case IR_CHECK: return op->args[0] ? p->parts[op->args[0]] : new_parts(p, 0);
    case IR_ZIP:
    case IR_VARIANT: return view(p, id, op->args, op->nargs, true);
    case IR_INDEX:
    case IR_SLICE: return view(p, id, op->args, 1, is_plain_array(ir_type(p->f, op->args[0])));
    case IR_RESHAPE: return view(p, id, op->args, 1, true);
    case IR_TAG: /* of an array: its tags, widened */
        return op->type->kind == TYPE_ARRAY ? fresh_parts(p, id, region)
                                            : view(p, id, op->args, 1, false);
    case IR_PAYLOAD:
    case IR_FLAT: return view(p, id, op->args, 1, false);
    case IR_RT: return fresh_parts(p, id, op->imm == RT_FIELD ? NULL : region);
    default: return fresh_parts(p, id, region);
    }
}

/* ---- giving every value its parts ---- */

static void find_parts(Plan *p, IrRegion *region, bool owns_params);

/* The body of a FOR or LOOP owns what it carries. */
static bool owns_params(const IrOp *op, int r) {
    return op->kind == IR_FOR || (op->kind == IR_LOOP && r == 1);
}

static void find_nested_parts(Plan *p, IrId id) {
    const IrOp *op = ir_op(p->f, id);
    for (int r = 0; r < op->nregions; r++)
        find_parts(p, op->regions[r], owns_params(op, r));
}

/* A GET of a whole unit can name it. */
static void try_name(Plan *p, IrId id, const IrRegion *region) {
    const Parts *parts = &p->parts[id];
    if (parts->count != 1 || parts->at[0].count != 1 || !parts->at[0].exact)
        return;
    Unit *unit = &p->units.at[parts->at[0].units[0]];
    if (!unit->name && unit->region == region)
        unit->name = id;
}

/* Appends `get id, k` (after id in the new order of the region's ops). */
static IrId add_get(Plan *p, IrRegion *region, IrId id, int k) {
    Type *type = ir_type(p->f, id)->items[k];
    IrBuilder b = {.module = p->m, .func = p->f, .region = region};
    IrOp op = {.kind = IR_GET, .type = type, .imm = k, .nargs = 1, .span = ir_op(p->f, id)->span};
    op.node = ir_op(p->f, id)->node;
    op.args = NEW(p->f->arena, IrId);
    op.args[0] = id;
    return ir_append_plain(&b, op);
}

/* Names part `part` of id by GETs. */
static IrId name_part(Plan *p, IrRegion *region, IrId id, int part) {
    for (;;) {
        const Type *type = ir_type(p->f, id);
        if (!type_is_product(type))
            return id;
        int k = 0;
        for (; part >= part_count(type->items[k]); k++)
            part -= part_count(type->items[k]);
        id = add_get(p, region, id, k);
    }
}

static int by_root(const Plan *p, int unit, IrId root) {
    return unit < p->units.len && p->units.at[unit].root == root;
}

static int first_unit(const Plan *p, IrId id) {
    const Parts *parts = &p->parts[id];
    if (parts->count == 0 || parts->at[0].count == 0)
        return -1;
    int unit = parts->at[0].units[0];
    return p->units.at[unit].root == id ? unit : -1;
}

/* Names the units that start at id and have no name yet. */
static void name_units(Plan *p, IrRegion *region, IrId id) {
    int unit = first_unit(p, id);
    for (; unit >= 0 && by_root(p, unit, id); unit++)
        if (!p->units.at[unit].name && p->units.at[unit].region == region)
            p->units.at[unit].name = name_part(p, region, id, p->units.at[unit].part);
}

static bool all_named(const Plan *p, const IrRegion *region, int from) {
    for (int u = from; u < p->units.len; u++)
        if (p->units.at[u].region == region && !p->units.at[u].name)
            return false;
    return true;
}

/* Adds the GETs that the region's units still need, each right after its root. */
static void name_all(Plan *p, IrRegion *region) {
    IrRegion old = *region;
    region->ops.at = NULL;
    region->ops.len = region->ops.cap = 0;
    for (int i = 0; i < old.params.len; i++)
        name_units(p, region, old.params.at[i]);
    for (int i = 0; i < old.ops.len; i++) {
        vec_push(p->f->arena, &region->ops, old.ops.at[i]);
        name_units(p, region, old.ops.at[i]);
    }
}

static void find_parts(Plan *p, IrRegion *region, bool owned_params) {
    int from = p->units.len;
    for (int i = 0; i < region->params.len; i++) {
        IrId id = region->params.at[i];
        p->parts[id] = fresh_parts(p, id, owned_params ? region : NULL);
    }
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        find_nested_parts(p, id);
        p->parts[id] = parts_of(p, id, region);
        if (ir_op(p->f, id)->kind == IR_GET)
            try_name(p, id, region);
    }
    if (!all_named(p, region, from))
        name_all(p, region);
}

/* ---- uses ---- */

static void note_unit(Plan *p, int unit, const IrRegion *region, int at) {
    Unit *u = &p->units.at[unit];
    if (u->region != region)
        return;
    if (at > u->last) {
        u->last = at;
        u->uses = 0;
    }
    u->uses++;
}

static void note_value(Plan *p, IrId id, const IrRegion *region, int at) {
    if (id == IR_NONE || id >= (IrId)p->known)
        return; /* a GET added for naming is used by releases alone */
    const Parts *parts = &p->parts[id];
    for (int k = 0; k < parts->count; k++)
        for (int u = 0; u < parts->at[k].count; u++)
            note_unit(p, parts->at[k].units[u], region, at);
}

/* What `inner`, somewhere inside the op at `at`, uses of region's units. */
static void note_nested(Plan *p, const IrRegion *inner, const IrRegion *region, int at) {
    for (int i = 0; i < inner->ops.len; i++) {
        const IrOp *op = ir_op(p->f, inner->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            note_value(p, op->args[k], region, at);
        for (int r = 0; r < op->nregions; r++)
            note_nested(p, op->regions[r], region, at);
    }
    for (int i = 0; i < inner->results.len; i++)
        note_value(p, inner->results.at[i], region, at);
}

static void note_uses(Plan *p, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(p->f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            note_value(p, op->args[k], region, i);
        for (int r = 0; r < op->nregions; r++)
            note_nested(p, op->regions[r], region, i);
    }
    for (int i = 0; i < region->results.len; i++)
        note_value(p, region->results.at[i], region, region->ops.len);
}

/* ---- handing over ---- */

/* Is this the one reference to each of the value's units at their last use? */
static bool may_hand_over(const Plan *p, IrId id, const IrRegion *region, int at) {
    if (id == IR_NONE || id >= (IrId)p->known || p->parts[id].count == 0)
        return false;
    const Parts *parts = &p->parts[id];
    for (int k = 0; k < parts->count; k++) {
        if (!parts->at[k].exact)
            return false;
        for (int u = 0; u < parts->at[k].count; u++) {
            const Unit *unit = &p->units.at[parts->at[k].units[u]];
            if (unit->region != region || unit->last != at || unit->uses != 1)
                return false;
        }
    }
    return true;
}

static void hand_over(Plan *p, IrId id) {
    for (int k = 0; k < p->parts[id].count; k++)
        for (int u = 0; u < p->parts[id].at[k].count; u++)
            p->units.at[p->parts[id].at[k].units[u]].region = NULL;
}

/* May the op take over args[k]? */
static bool takes_over(const IrOp *op, int k) {
    switch (op->kind) {
    case IR_UPDATE:
    case IR_CONCAT:
    case IR_SORT: return k == 0;
    case IR_FOR: return k >= 2;
    case IR_LOOP: return true;
    case IR_RT: return op->imm >= RT_FIELD; /* state and messages hold what they get */
    case IR_KERNEL:
        for (int s = 0; s < op->kernel->nsinks; s++)
            if (op->kernel->sinks[s].kind == SINK_SCATTER && op->kernel->sinks[s].arg == k)
                return true;
        return false;
    default: return false;
    }
}

/* Why an op cannot work in place, for the reader of --explain. */
static const char *copy_reason(const Plan *p, IrId id, const IrRegion *region, int at) {
    const Parts *parts = &p->parts[id];
    for (int k = 0; k < parts->count; k++)
        for (int u = 0; u < parts->at[k].count; u++) {
            const Unit *unit = &p->units.at[parts->at[k].units[u]];
            if (unit->region != region)
                return "it belongs to the caller or to the code around";
            if (unit->last != at)
                return "it is used again later";
            if (unit->uses != 1)
                return "it is also another operand here";
        }
    return "it is a part of something larger";
}

static void remark_update(Plan *p, const IrOp *op, int k, const IrRegion *region, int at) {
    if (op->consumed >> k & 1) {
        compiler_remark(p->c, REMARK_IN_PLACE, op->span, "changed in place");
        return;
    }
    IrId id = op->args[k];
    const char *why = copy_reason(p, id, region, at);
    int line = 0, column = 0;
    const Parts *parts = &p->parts[id];
    int unit = parts->count && parts->at[0].count ? parts->at[0].units[0] : -1;
    const Unit *u = unit >= 0 ? &p->units.at[unit] : NULL;
    if (u && u->region == region && u->last > at && u->last < region->ops.len && p->m->sources) {
        Span span = ir_op(p->f, region->ops.at[u->last])->span;
        Source *source = span.to ? source_at(p->m->sources, span.from) : NULL;
        if (source)
            source_locate(source, span.from, &line, &column);
        if (source) {
            compiler_remark(p->c, REMARK_COPY, op->span,
                            "the array is copied: it is still used at %s:%d:%d", source->path, line,
                            column);
            return;
        }
    }
    compiler_remark(p->c, REMARK_COPY, op->span, "the array is copied: %s", why);
}

/* ---- maps over an array that dies ---- */

/* A kernel and an array whose elements it may read at its own point alone. */
typedef struct {
    Plan *p;
    const IrRegion *body;
    IrId array;
    int unit;
} OwnPoint;

static bool shows(const OwnPoint *o, IrId id) {
    if (id == IR_NONE || id >= (IrId)o->p->known)
        return false;
    const Parts *parts = &o->p->parts[id];
    for (int k = 0; k < parts->count; k++)
        for (int u = 0; u < parts->at[k].count; u++)
            if (parts->at[k].units[u] == o->unit)
                return true;
    return false;
}

/* The array that v is a column of, or v. */
static IrId whole_array(const IrFunc *f, IrId v) {
    while (ir_op(f, v)->kind == IR_GET && ir_type(f, ir_op(f, v)->args[0])->kind == TYPE_ARRAY)
        v = ir_op(f, v)->args[0];
    return v;
}

static bool reads_own_point(const OwnPoint *o, const IrOp *op) {
    bool is_column = op->kind == IR_GET && op->type->kind == TYPE_ARRAY;
    if (op->kind == IR_DIM || is_column)
        return true;
    if (op->kind != IR_INDEX || whole_array(o->p->f, op->args[0]) != o->array ||
        op->nargs - 1 != o->body->params.len)
        return false;
    for (int i = 1; i < op->nargs; i++)
        if (op->args[i] != o->body->params.at[i - 1])
            return false;
    return true;
}

static bool all_own_point(const OwnPoint *o, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(o->p->f, region->ops.at[i]);
        for (int k = 0; k < op->nargs; k++)
            if (shows(o, op->args[k]) && !reads_own_point(o, op))
                return false;
        for (int r = 0; r < op->nregions; r++)
            if (!all_own_point(o, op->regions[r]))
                return false;
    }
    for (int i = 0; i < region->results.len; i++)
        if (shows(o, region->results.at[i]))
            return false;
    return true;
}

/* Are elements of the one as large as those of the other? */
static bool same_elements(const Type *a, const Type *b) {
    return a == b || (type_is_scalar(a) && type_is_scalar(b) && type_bytes(a) == type_bytes(b));
}

/* Can the output of a sink of the kernel at `at` be written over `array`? */
static bool may_write_over(Plan *p, const IrRegion *region, int at, const IrSink *sink,
                           IrId array) {
    const IrOp *op = ir_op(p->f, region->ops.at[at]);
    const Type *out = sink->type, *in = ir_type(p->f, array);
    if (array >= (IrId)p->known || in->kind != TYPE_ARRAY || out->kind != TYPE_ARRAY ||
        in->rank != op->kernel->rank || out->rank != op->kernel->rank ||
        !type_is_flat(in->elem) || !same_elements(in->elem, out->elem))
        return false;
    const Parts *parts = &p->parts[array];
    if (parts->count != 1 || parts->at[0].count != 1 || !parts->at[0].exact)
        return false;
    OwnPoint o = {p, op->regions[0], array, parts->at[0].units[0]};
    const Unit *unit = &p->units.at[o.unit];
    if (unit->region != region || unit->last != at)
        return false;
    for (int k = 0; k < op->nargs; k++)
        if (shows(&o, op->args[k]))
            return false;
    for (int r = 0; r < op->nregions; r++)
        if (!all_own_point(&o, op->regions[r]))
            return false;
    return true;
}

/* The first array that some code reads an element of and that the sink's output can be written on,
   or IR_NONE. */
static IrId find_array(Plan *p, const IrRegion *region, int at, const IrSink *sink,
                       const IrRegion *code) {
    for (int i = 0; i < code->ops.len; i++) {
        const IrOp *op = ir_op(p->f, code->ops.at[i]);
        IrId array = op->kind == IR_INDEX ? whole_array(p->f, op->args[0]) : IR_NONE;
        if (array && may_write_over(p, region, at, sink, array))
            return array;
        for (int r = 0; r < op->nregions; r++) {
            IrId found = find_array(p, region, at, sink, op->regions[r]);
            if (found)
                return found;
        }
    }
    return IR_NONE;
}

/* Kernels whose bodies run once for each point, and whose outputs nothing reads meanwhile. */
static bool has_plain_sinks(const IrOp *op) {
    for (int s = 0; s < op->kernel->nsinks; s++) {
        SinkKind kind = op->kernel->sinks[s].kind;
        if (kind != SINK_MAP && kind != SINK_REDUCE && kind != SINK_FILTER)
            return false;
    }
    return true;
}

static void add_arg(Plan *p, IrOp *op, IrSink *sink, IrId array) {
    IrId *args = NEW_ARRAY(p->f->arena, IrId, op->nargs + 1);
    for (int k = 0; k < op->nargs; k++)
        args[k] = op->args[k];
    args[op->nargs] = array;
    op->args = args;
    sink->arg = op->nargs++;
    sink->imm = 1;
    op->consumed |= (uint64_t)1 << sink->arg;
}

/* Lets MAP outputs take over arrays whose last use is this kernel. */
static void write_over(Plan *p, const IrRegion *region, int at) {
    IrOp *op = &p->f->ops.at[region->ops.at[at]];
    if (op->kind != IR_KERNEL || !has_plain_sinks(op))
        return;
    for (int s = 0; s < op->kernel->nsinks && op->nargs < 64; s++) {
        IrSink *sink = &op->kernel->sinks[s];
        if (sink->kind != SINK_MAP || sink->imm)
            continue;
        IrId array = find_array(p, region, at, sink, op->regions[0]);
        if (!array)
            continue;
        add_arg(p, op, sink, array);
        hand_over(p, array);
        compiler_remark(p->c, REMARK_IN_PLACE, op->span, "written over an array that ends here");
    }
}

static void consume_args(Plan *p, const IrRegion *region, int at) {
    IrOp *op = &p->f->ops.at[region->ops.at[at]];
    op->consumed = 0;
    for (int k = 0; k < op->nargs && k < 64; k++) {
        if (!takes_over(op, k))
            continue;
        bool over = may_hand_over(p, op->args[k], region, at);
        if (over)
            op->consumed |= (uint64_t)1 << k;
        if (op->kind == IR_UPDATE || op->kind == IR_KERNEL)
            remark_update(p, op, k, region, at);
        if (over)
            hand_over(p, op->args[k]);
    }
    write_over(p, region, at);
}

static void move_results(Plan *p, IrRegion *region) {
    region->moved = 0;
    for (int k = 0; k < region->results.len && k < 64; k++)
        if (may_hand_over(p, region->results.at[k], region, region->ops.len)) {
            region->moved |= (uint64_t)1 << k;
            hand_over(p, region->results.at[k]);
        }
}

/* ---- regions ---- */

static void settle(Plan *p, IrRegion *region, const UnitList *owned);

static void own(Plan *p, UnitList *owned, IrId id, const IrRegion *region, int at) {
    int unit = id < (IrId)p->known ? first_unit(p, id) : -1;
    for (; unit >= 0 && by_root(p, unit, id); unit++)
        if (p->units.at[unit].region == region) {
            p->units.at[unit].last = at;
            p->units.at[unit].uses = 0;
            vec_push(p->f->arena, owned, unit);
        }
}

/* The units that die in the `if` at `at`: its branches own them. */
static UnitList given_to(Plan *p, const UnitList *owned, const IrRegion *region, int at) {
    UnitList given = {0};
    for (int i = 0; i < owned->len; i++) {
        const Unit *unit = &p->units.at[owned->at[i]];
        bool is_its_own = unit->root == region->ops.at[at];
        if (unit->region == region && unit->last == at && !is_its_own)
            vec_push(p->f->arena, &given, owned->at[i]);
    }
    return given;
}

static void settle_branches(Plan *p, IrId id, const UnitList *given) {
    for (int r = 0; r < 2; r++) {
        IrRegion *branch = ir_op(p->f, id)->regions[r];
        for (int i = 0; i < given->len; i++) {
            Unit *unit = &p->units.at[given->at[i]];
            unit->region = branch;
            unit->last = -1;
            unit->uses = 0;
        }
        settle(p, branch, given);
    }
    for (int i = 0; i < given->len; i++)
        p->units.at[given->at[i]].region = NULL;
}

static int by_place(const void *a, const void *b) {
    const IrRelease *x = a, *y = b;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    return x->value < y->value ? -1 : x->value > y->value;
}

static void release_rest(Plan *p, IrRegion *region, const UnitList *owned) {
    region->releases.len = 0;
    for (int i = 0; i < owned->len; i++) {
        const Unit *unit = &p->units.at[owned->at[i]];
        if (unit->region != region)
            continue;
        IrRelease release = {unit->last, unit->name};
        vec_push(p->f->arena, &region->releases, release);
    }
    if (region->releases.len)
        qsort(region->releases.at, (size_t)region->releases.len, sizeof(IrRelease), by_place);
}

/* Settles a region that owns what its ops and parameters make, and the units in `given`. */
static void settle(Plan *p, IrRegion *region, const UnitList *given) {
    UnitList owned = {0};
    for (int i = 0; given && i < given->len; i++)
        vec_push(p->f->arena, &owned, given->at[i]);
    for (int i = 0; i < region->params.len; i++)
        own(p, &owned, region->params.at[i], region, -1);
    for (int i = 0; i < region->ops.len; i++)
        own(p, &owned, region->ops.at[i], region, i);
    note_uses(p, region);
    for (int i = 0; i < region->ops.len; i++)
        consume_args(p, region, i);
    move_results(p, region);
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp *op = ir_op(p->f, id);
        if (op->kind == IR_IF) {
            UnitList passed = given_to(p, &owned, region, i);
            settle_branches(p, id, &passed);
            continue;
        }
        for (int r = 0; r < op->nregions; r++)
            settle(p, op->regions[r], NULL);
    }
    release_rest(p, region, &owned);
}

static void plan_func(Plan *p) {
    p->known = p->f->ops.len;
    p->parts = NEW_ARRAY(p->f->arena, Parts, p->known);
    find_parts(p, p->f->body, false);
    settle(p, p->f->body, NULL);
}

void plan_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++) {
        Plan p = {.c = c, .m = c->ir, .f = c->ir->funcs.at[i]};
        plan_func(&p);
    }
}
