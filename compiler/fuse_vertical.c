/* Vertical fusion: the body of a MAP kernel takes the place of each read of its result. Reads are
   INDEX ops on the result or on views of it (slices, columns, zips, partial indices, reshapes of
   rank 1). What comes in and goes out is plain IR; a producer that nobody reads any more is
   removed.

   Legal: the producer has no effect, and if it may fault, every read covers its whole space, so
   that the same faults occur. Profitable: each element is computed once, or recomputing it costs
   less than storing it. */
#include "fuse.h"

#include <string.h>

enum {
    CHEAP_LOOP = 6,    /* recomputed by a loop any number of times: a load and two operations */
    CHEAP_GATHER = 24, /* read through an index that may repeat */
    CHEAP_COPIES = 48, /* all that several reads recompute */
    CHEAP_ESCAPED = 1, /* the result is stored as well, but is cheaper than a load */
    MAX_INDEX = 16,
};

/* How often a read site asks for an element. */
typedef enum { READ_ONCE, READ_SEQUENTIAL, READ_GATHER, READ_REPEATED } ReadClass;

typedef struct {
    IrId kernel, value; /* the kernel, and the value that is its MAP output */
    const IrSink *sink;
    int place;
    int cost;
    bool faults;
    bool escapes; /* somebody needs the whole array */
    bool stays;   /* another output of the kernel needs the same computation */
    bool jumps;   /* some site reads elements in no order */
    VEC(IrId) views, sites, dims;
    VEC(IrId) groups; /* one site of each set that reads the same element at the same place */
    IrId *guarded;    /* by view: its checked first index or lower bound, made at commit */
} Pull;

/* ---- who reads it ---- */

static void collect(Fuse *z, Pull *p, IrId v, bool direct);

static void collect_index(Fuse *z, Pull *p, IrId v, IrId user, bool direct) {
    const IrOp *op = ir_op(z->f, user);
    int n = op->nargs - 1, rank = ir_op(z->f, v)->type->rank;
    int own = ir_op(z->f, p->kernel)->kernel->rank;
    if (n == rank || (direct && n >= own)) {
        vec_push(&z->look, &p->sites, user);
        return;
    }
    if ((op->flags & IRF_CHECKED) && n > 1) {
        p->escapes = true; /* a view's guard is one value */
        return;
    }
    vec_push(&z->look, &p->views, user);
    collect(z, p, user, false);
}

static void collect_use(Fuse *z, Pull *p, IrId v, const Use *use, bool direct) {
    const IrOp *op = use->op ? ir_op(z->f, use->op) : NULL;
    int own = ir_op(z->f, p->kernel)->kernel->rank;
    int rank = ir_op(z->f, v)->type->rank;
    bool first = op && use->arg == 0;
    if (first && op->kind == IR_DIM) {
        vec_push(&z->look, &p->dims, use->op);
    } else if (first && op->kind == IR_INDEX) {
        collect_index(z, p, v, use->op, direct);
    } else if ((op && op->kind == IR_ZIP) ||
               (first && (op->kind == IR_SLICE || op->kind == IR_GET || op->kind == IR_TAG ||
                          op->kind == IR_PAYLOAD))) {
        vec_push(&z->look, &p->views, use->op);
        collect(z, p, use->op, direct);
    } else if (first && op->kind == IR_RESHAPE && own == 1 && rank == 1) {
        vec_push(&z->look, &p->views, use->op);
        collect(z, p, use->op, false);
    } else {
        p->escapes = true;
    }
}

static void collect(Fuse *z, Pull *p, IrId v, bool direct) {
    for (int i = z->first[v]; i < z->first[v + 1]; i++)
        collect_use(z, p, v, &z->uses[i], direct);
}

static bool same_site(Fuse *z, IrId a, IrId b) {
    const IrOp *x = ir_op(z->f, a), *y = ir_op(z->f, b);
    if (z->home[a] != z->home[b] || x->nargs != y->nargs || x->args[0] != y->args[0])
        return false;
    for (int i = 1; i < x->nargs; i++)
        if (!fuse_same(z->f, x->args[i], y->args[i]))
            return false;
    return true;
}

static void group_sites(Fuse *z, Pull *p) {
    for (int i = 0; i < p->sites.len; i++) {
        bool known = false;
        for (int k = 0; k < p->groups.len && !known; k++)
            known = same_site(z, p->sites.at[i], p->groups.at[k]);
        if (!known)
            vec_push(&z->look, &p->groups, p->sites.at[i]);
    }
}

/* The site that computes the element for its whole group. */
static IrId first_of_group(Fuse *z, const Pull *p, IrId site) {
    for (int i = 0; i < p->groups.len; i++)
        if (same_site(z, site, p->groups.at[i]))
            return p->groups.at[i];
    UNREACHABLE();
}

/* ---- how often a site reads ---- */

typedef struct {
    bool *seen; /* by id */
    int site;   /* the place of the site */
    bool gathers;
    bool jumps; /* each point of the innermost loop reads its index from memory */
} Trace;

static bool is_affine(IrKind kind) {
    switch (kind) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL:
    case IR_NEG:
    case IR_MIN:
    case IR_MAX:
    case IR_SELECT:
    case IR_MOD:
    case IR_FMOD:
    case IR_CHECK:
    case IR_CONVERT:
    case IR_CONST:
    case IR_PARAM:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE:
    case IR_EQ:
    case IR_NE:
    case IR_BITAND:
    case IR_DIM: return true;
    default: return false;
    }
}

static void trace(Fuse *z, Trace *t, IrId id, int place);

static void trace_region(Fuse *z, Trace *t, const IrRegion *region, int place) {
    for (int i = 0; i < region->ops.len; i++)
        trace(z, t, region->ops.at[i], place);
    for (int i = 0; i < region->results.len; i++)
        trace(z, t, region->results.at[i], place);
}

/* Marks what id is computed from, as far as it is inside of `place`. */
static void trace(Fuse *z, Trace *t, IrId id, int place) {
    if (t->seen[id] || z->home[id] == place || !fuse_inside(z, z->home[id], place))
        return;
    t->seen[id] = true;
    const IrOp *op = ir_op(z->f, id);
    if (!is_affine(op->kind))
        t->gathers = true;
    t->jumps |= op->kind == IR_INDEX && fuse_inside(z, z->home[id], t->site);
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k])
            trace(z, t, op->args[k], place);
    for (int r = 0; r < op->nregions; r++)
        trace_region(z, t, op->regions[r], place);
}

static bool is_view(const Pull *p, IrId id) {
    if (id == p->value)
        return true;
    for (int i = 0; i < p->views.len; i++)
        if (p->views.at[i] == id)
            return true;
    return false;
}

/* What a view looks at, one step nearer to the producer's value. */
static IrId viewed(Fuse *z, const Pull *p, IrId v) {
    const IrOp *op = ir_op(z->f, v);
    for (int k = 0; k < op->nargs && op->kind == IR_ZIP; k++)
        if (is_view(p, op->args[k]))
            return op->args[k];
    return op->args[0];
}

/* Traces the indices of a site and of the partial indices it goes through; gives their number. */
static int trace_indices(Fuse *z, const Pull *p, Trace *t, IrId site) {
    int count = 0;
    for (IrId v = site; v != p->value && v != p->kernel; v = viewed(z, p, v)) {
        const IrOp *op = ir_op(z->f, v);
        if (op->kind != IR_INDEX)
            continue;
        count += op->nargs - 1;
        for (int k = 1; k < op->nargs; k++)
            trace(z, t, op->args[k], p->place);
    }
    return count;
}

static ReadClass class_of_site(Fuse *z, Pull *p, IrId site) {
    Trace t = {.seen = NEW_ARRAY(&z->look, bool, z->len), .site = z->home[site]};
    int indices = trace_indices(z, p, &t, site);
    p->jumps |= t.jumps;
    int params = 0;
    bool sequential = false;
    for (int at = z->home[site]; at != p->place; at = z->places.at[at].parent) {
        const Place *place = &z->places.at[at];
        IrKind kind = ir_op(z->f, place->owner)->kind;
        if (kind == IR_IF || kind == IR_TRY)
            continue;
        if (kind == IR_LOOP || (kind == IR_KERNEL && place->which > 0))
            return READ_REPEATED;
        sequential |=
            kind == IR_FOR || (kind == IR_KERNEL && fuse_is_serial(ir_op(z->f, place->owner)));
        int n = kind == IR_FOR ? 1 : place->region->params.len;
        params += n;
        for (int k = 0; k < n; k++)
            if (!t.seen[place->region->params.at[k]])
                return READ_REPEATED;
    }
    if (params > indices)
        return READ_REPEATED;
    return t.gathers ? READ_GATHER : sequential ? READ_SEQUENTIAL : READ_ONCE;
}

/* ---- whether to fuse ---- */

/* Does a site read exactly the point its kernel is at, over the producer's space, at each of them?
 */
static bool covers(Fuse *z, const Pull *p, IrId site) {
    const Place *place = &z->places.at[z->home[site]];
    const IrOp *consumer = place->owner ? ir_op(z->f, place->owner) : NULL;
    const IrOp *producer = ir_op(z->f, p->kernel), *op = ir_op(z->f, site);
    if (!consumer || consumer->kind != IR_KERNEL || place->which != 0 ||
        place->parent != p->place || !fuse_same_space(z->f, consumer, producer) ||
        op->nargs - 1 < producer->kernel->rank)
        return false;
    for (IrId v = op->args[0]; v != p->value; v = ir_op(z->f, v)->args[0]) {
        IrKind kind = ir_op(z->f, v)->kind;
        if (kind != IR_GET && kind != IR_TAG && kind != IR_PAYLOAD)
            return false;
    }
    for (int i = 0; i < producer->kernel->rank; i++)
        if (op->args[1 + i] != place->region->params.at[i])
            return false;
    return true;
}

static const char *place_reason(Fuse *z, const Pull *p) {
    const IrOp *producer = ir_op(z->f, p->kernel);
    for (int i = 0; i < p->sites.len; i++) {
        IrId user = fuse_lift(z, z->home[p->sites.at[i]], p->sites.at[i], p->place);
        if (!fuse_place_fits(z->f, producer, ir_op(z->f, user)))
            return "it and its reader have different places";
        if (fuse_overwrites(z, user, p->kernel))
            return "it reads the array that its reader writes to";
    }
    return NULL;
}

/* Does a site ask for parts of elements that are arrays, other than row by row in a map, where fuse_split.c
   computes what a row needs in front of it? */
static bool reads_parts(Fuse *z, const Pull *p, IrId site) {
    const IrKernel *own = ir_op(z->f, p->kernel)->kernel;
    int indices = 0;
    for (IrId v = site; v != p->value && v != p->kernel; v = viewed(z, p, v))
        indices += ir_op(z->f, v)->kind == IR_INDEX ? ir_op(z->f, v)->nargs - 1 : 0;
    if (indices <= own->rank)
        return false;
    const Place *place = &z->places.at[z->home[site]];
    const IrOp *consumer = place->owner ? ir_op(z->f, place->owner) : NULL, *op = ir_op(z->f, site);
    if (!consumer || consumer->kind != IR_KERNEL || place->parent != p->place ||
        op->args[0] != p->value)
        return true;
    for (int s = 0; s < consumer->kernel->nsinks; s++)
        if (consumer->kernel->sinks[s].kind != SINK_MAP)
            return true;
    for (int i = 0; i < own->rank; i++)
        if (op->args[1 + i] != place->region->params.at[i])
            return true;
    return false;
}

/* Does the body make an array with a loop before the map that gives the parts of its element? */
static bool makes_arrays(Fuse *z, const Pull *p) {
    const IrRegion *body = ir_op(z->f, p->kernel)->regions[0];
    IrId yield = body->results.at[p->sink->yield];
    const bool *needed = fuse_needed(z, body, yield);
    bool *counted = NEW_ARRAY(&z->look, bool, body->ops.len + 1);
    for (int i = 0; i < body->ops.len; i++) {
        IrId id = body->ops.at[i];
        const IrOp *op = ir_op(z->f, id);
        bool gives = id == yield && op->kind == IR_KERNEL && op->kernel->sinks[0].kind == SINK_MAP;
        counted[i] = needed[i] && !gives && !type_is_flat(op->type);
    }
    return fuse_cost(z->f, body, counted) >= COST_NESTED;
}

/* Would the arrays that the producer's elements are be computed again for each of their parts? */
static bool repeats_arrays(Fuse *z, const Pull *p) {
    bool parts = false;
    for (int i = 0; i < p->groups.len; i++)
        parts |= reads_parts(z, p, p->groups.at[i]);
    return parts && makes_arrays(z, p);
}

/* How many elements of arrays the producer reads for one of its own. */
static int count_loads(Fuse *z, const Pull *p) {
    const IrRegion *body = ir_op(z->f, p->kernel)->regions[0];
    bool *needed = fuse_needed(z, body, body->results.at[p->sink->yield]);
    int loads = 0;
    for (int i = 0; i < body->ops.len; i++) {
        const IrOp *op = ir_op(z->f, body->ops.at[i]);
        loads += needed[i] && op->kind == IR_INDEX && op->type->kind != TYPE_ARRAY;
    }
    return loads;
}

static const char *cost_reason(Fuse *z, Pull *p) {
    Arena *arena = z->c->arena;
    int n = p->groups.len;
    bool nested = p->cost >= COST_NESTED;
    ReadClass worst = READ_ONCE;
    for (int i = 0; i < n; i++) {
        ReadClass class = class_of_site(z, p, p->groups.at[i]);
        worst = class > worst ? class : worst;
    }
    if (nested && (n > 1 || p->stays || worst != READ_ONCE))
        return n > 1 || p->stays
                   ? "its body has a loop and its result is read in several places"
                   : "its body has a loop and would run more than once for an element";
    if (nested)
        return repeats_arrays(z, p)
                   ? "its elements are arrays that would be computed again for each of their parts"
                   : NULL;
    if (p->jumps && count_loads(z, p) > 1)
        return "its elements are read in no order, and each takes several reads";
    if (worst == READ_REPEATED && p->cost > CHEAP_LOOP)
        return "its elements are read again and again by an inner loop";
    if (worst == READ_GATHER && p->cost > CHEAP_GATHER)
        return "it is read through an index that may repeat";
    if (worst == READ_SEQUENTIAL && p->cost > CHEAP_GATHER)
        return "it is read one element after the other, but can be computed in parallel";
    if (p->stays && p->cost > CHEAP_COPIES)
        return "another output of its kernel needs the same computation";
    if ((n - !p->stays) * p->cost > CHEAP_COPIES)
        return arena_printf(arena, "its result is read in %d places and costs about %d operations",
                            n, (p->cost + 1) / 2);
    return NULL;
}

/* NULL: fuse. */
static const char *reason_against(Fuse *z, Pull *p) {
    if (ir_has_effect(z->f, p->kernel))
        return "it has an effect";
    if (p->escapes && p->cost > CHEAP_ESCAPED)
        return "the whole array is needed";
    for (int i = 0; i < p->sites.len && p->faults; i++)
        if (!covers(z, p, p->sites.at[i]))
            return "it may fault and not every element is read";
    const char *reason = place_reason(z, p);
    return reason ? reason : cost_reason(z, p);
}

/* ---- the rewrite ---- */

static const IrFault index_fault = {.kind = "index",
                                    .text = "index {} is out of bounds for size {}"};
static const IrFault slice_fault = {.kind = "slice",
                                    .text = "slice {}..{} is out of bounds for size {}"};

static IrId both(IrBuilder *b, IrId x, IrId y) {
    return ir_binary(b, IR_BITAND, x, y);
}

static IrFault *fault_at(Fuse *z, const IrOp *op, const IrFault *standard) {
    if (op->fault)
        return op->fault;
    IrFault *fault = NEW(z->m->arena, IrFault);
    *fault = *standard;
    fault->span = op->span;
    return fault;
}

static IrId checked_index(Fuse *z, IrBuilder *b, const IrOp *op, IrId i, IrId dim) {
    IrId zero = ir_int(b, ir_op(z->f, i)->type, 0);
    IrId ok = both(b, ir_binary(b, IR_GE, i, zero), ir_binary(b, IR_LT, i, dim));
    return ir_check(b, i, ok, fault_at(z, op, &index_fault), (IrId[]){i, dim}, 2);
}

/* The lower bound of a checked slice, guarded by what the slice checks. */
static IrId checked_lo(Fuse *z, IrBuilder *b, const IrOp *op) {
    IrId lo = op->args[1], hi = op->args[2], dim = ir_dim(b, op->args[0], 0);
    IrId zero = ir_int(b, ir_op(z->f, lo)->type, 0);
    IrId ok = both(b, ir_binary(b, IR_GE, lo, zero),
                   both(b, ir_binary(b, IR_LE, lo, hi), ir_binary(b, IR_LE, hi, dim)));
    return ir_check(b, lo, ok, fault_at(z, op, &slice_fault), (IrId[]){lo, hi, dim}, 3);
}

/* Makes the guards of views that check, in front of them. */
static void guard_views(Fuse *z, Pull *p) {
    p->guarded = NEW_ARRAY(&z->look, IrId, z->len);
    for (int i = 0; i < p->views.len; i++) {
        IrId view = p->views.at[i];
        IrOp op = *ir_op(z->f, view);
        if (!(op.flags & IRF_CHECKED))
            continue;
        IrRegion code = {0}, *home = z->places.at[z->home[view]].region;
        IrBuilder b = fuse_builder(z, &code, &op);
        p->guarded[view] = op.kind == IR_SLICE
                               ? checked_lo(z, &b, &op)
                               : checked_index(z, &b, &op, op.args[1], ir_dim(&b, op.args[0], 0));
        fuse_splice(z->m, home, fuse_position(home, view), &code);
    }
}

static IrId body_at(Fuse *z, const Pull *p, IrBuilder *b, const IrId *at, int n, bool checked) {
    const IrOp *kernel = ir_op(z->f, p->kernel);
    const IrRegion *body = kernel->regions[0];
    int rank = kernel->kernel->rank;
    IrId yield = body->results.at[p->sink->yield];
    IrId *map = fuse_identity(z);
    for (int i = 0; i < rank; i++)
        map[body->params.at[i]] = at[i];
    ir_clone_ops(b, z->f, body, map);
    return n > rank ? ir_index(b, map[yield], at + rank, n - rank, checked) : map[yield];
}

static IrId element(Fuse *z, const Pull *p, IrBuilder *b, IrId v, const IrId *at, int n,
                    bool checked);

static IrId zip_element(Fuse *z, const Pull *p, IrBuilder *b, const IrOp *zip, const IrId *at,
                        int n) {
    IrId *parts = NEW_ARRAY(z->m->arena, IrId, zip->nargs);
    for (int k = 0; k < zip->nargs; k++)
        parts[k] = is_view(p, zip->args[k]) ? element(z, p, b, zip->args[k], at, n, false)
                                            : ir_index(b, zip->args[k], at, n, false);
    if (n == zip->type->rank)
        return ir_tuple(b, zip->type->elem, parts, zip->nargs);
    return ir_zip(b, zip->type->elem, parts, zip->nargs);
}

static IrId linear_index(IrBuilder *b, const IrOp *reshape, const IrId *at, int n) {
    IrId sum = at[0];
    for (int i = 1; i < n; i++)
        sum = ir_binary(b, IR_ADD, ir_binary(b, IR_MUL, sum, reshape->args[1 + i]), at[i]);
    return sum;
}

/* Code for v[at…], where v is the producer's value or a view of it. */
static IrId element(Fuse *z, const Pull *p, IrBuilder *b, IrId v, const IrId *at, int n,
                    bool checked) {
    if (v == p->value)
        return body_at(z, p, b, at, n, checked);
    IrOp op = *ir_op(z->f, v);
    IrId moved[2 * MAX_INDEX];
    switch (op.kind) {
    case IR_GET: return ir_get(b, element(z, p, b, op.args[0], at, n, checked), (int)op.imm);
    case IR_TAG: return ir_tag(b, element(z, p, b, op.args[0], at, n, checked));
    case IR_PAYLOAD:
        return ir_payload(b, element(z, p, b, op.args[0], at, n, checked), (int)op.imm,
                          (int)op.imm2);
    case IR_ZIP: return zip_element(z, p, b, &op, at, n);
    case IR_RESHAPE:
        moved[0] = linear_index(b, &op, at, n);
        return element(z, p, b, op.args[0], moved, 1, checked);
    case IR_SLICE:
        memcpy(moved, at, sizeof *at * (size_t)n);
        moved[0] = ir_binary(b, IR_ADD, p->guarded[v] ? p->guarded[v] : op.args[1], at[0]);
        return element(z, p, b, op.args[0], moved, n, checked);
    case IR_INDEX:
        memcpy(moved, op.args + 1, sizeof *at * (size_t)(op.nargs - 1));
        if (p->guarded[v])
            moved[0] = p->guarded[v];
        memcpy(moved + op.nargs - 1, at, sizeof *at * (size_t)n);
        return element(z, p, b, op.args[0], moved, op.nargs - 1 + n, checked);
    default: UNREACHABLE();
    }
}

/* Does every part of v need the check? Only ops that this commit made can. */
static bool hangs_on(const Fuse *z, IrId v, IrId check);

static bool region_hangs_on(const Fuse *z, const IrRegion *region, IrId check) {
    for (int i = 0; i < region->results.len; i++)
        if (hangs_on(z, region->results.at[i], check))
            return true;
    for (int i = 0; i < region->ops.len; i++)
        if (hangs_on(z, region->ops.at[i], check))
            return true;
    return false;
}

static bool hangs_on(const Fuse *z, IrId v, IrId check) {
    const IrOp *op = ir_op(z->f, v);
    if (v == check)
        return true;
    if ((int)v < z->len || op->kind == IR_PARAM)
        return false;
    int hanging = 0;
    for (int k = 0; k < op->nargs; k++)
        hanging += op->args[k] && hangs_on(z, op->args[k], check);
    if (op->kind == IR_TUPLE)
        return hanging == op->nargs;
    for (int r = 0; r < op->nregions && !hanging; r++)
        hanging += region_hangs_on(z, op->regions[r], check);
    return hanging > 0;
}

/* v, which faults where the check does, even if v does not use the index that the check guards. */
static IrId keep_check(Fuse *z, IrBuilder *b, IrId v, IrId check) {
    const IrOp op = *ir_op(z->f, check);
    if (op.kind != IR_CHECK || hangs_on(z, v, check))
        return v;
    return ir_check(b, v, op.args[1], op.fault, op.args + 2, op.nargs - 2);
}

/* v, which faults where computing the indices of op, an INDEX or a SLICE that needs no check, does.
 */
static IrId keep_faults(Fuse *z, IrBuilder *b, IrId v, const IrOp *op) {
    for (int k = 1; k < op->nargs; k++) {
        IrId at = op->args[k];
        if (!ir_made_with_faults(z->f, at) || hangs_on(z, v, at))
            continue;
        IrId ok = ir_binary(b, IR_GE, at, ir_int(b, ir_op(z->f, at)->type, 0));
        IrId nums[] = {at, ir_dim(b, op->args[0], op->kind == IR_INDEX ? k - 1 : 0)};
        v = keep_check(z, b, v, ir_check(b, at, ok, fault_at(z, op, &index_fault), nums, 2));
    }
    return v;
}

static IrId site_value(Fuse *z, const Pull *p, IrBuilder *b, IrId site, bool exact) {
    IrOp op = *ir_op(z->f, site);
    bool checked = (op.flags & IRF_CHECKED) != 0;
    int n = op.nargs - 1, rank = ir_op(z->f, p->kernel)->kernel->rank;
    bool guards = checked && !exact;
    IrId at[MAX_INDEX];
    for (int i = 0; i < n; i++) {
        at[i] = op.args[1 + i];
        if (guards && i < rank)
            at[i] = checked_index(z, b, &op, at[i], ir_dim(b, op.args[0], i));
    }
    IrId value = element(z, p, b, op.args[0], at, n, checked);
    for (int i = 0; i < n && i < rank && guards; i++)
        value = keep_check(z, b, value, at[i]);
    if (!guards && !exact)
        value = keep_faults(z, b, value, &op);
    for (IrId v = op.args[0]; v != p->value && v != p->kernel; v = viewed(z, p, v)) {
        const IrOp view = *ir_op(z->f, v);
        if (p->guarded[v])
            value = keep_check(z, b, value, p->guarded[v]);
        else if (view.kind == IR_INDEX || view.kind == IR_SLICE)
            value = keep_faults(z, b, value, &view);
    }
    return value;
}

static void replace_op(Fuse *z, IrId *map, IrId old, IrId value, const IrRegion *code) {
    IrRegion *home = z->places.at[z->home[old]].region;
    fuse_splice(z->m, home, fuse_position(home, old), code);
    map[old] = value;
}

static void commit(Fuse *z, Pull *p) {
    IrId *map = NEW_ARRAY(&z->look, IrId, z->len);
    guard_views(z, p);
    for (int i = 0; i < p->sites.len; i++) {
        IrId site = p->sites.at[i], first = first_of_group(z, p, site);
        if (first != site) {
            map[site] = first;
            continue;
        }
        IrRegion code = {0};
        IrBuilder b = fuse_builder(z, &code, ir_op(z->f, site));
        IrId value = site_value(z, p, &b, site, covers(z, p, site));
        replace_op(z, map, site, value, &code);
    }
    for (int i = 0; i < p->dims.len; i++) {
        IrId dim = p->dims.at[i];
        IrOp op = *ir_op(z->f, dim);
        IrRegion code = {0};
        IrBuilder b = fuse_builder(z, &code, &op);
        IrId value = ir_dim(&b, op.args[0], (int)op.imm);
        if (ir_op(z->f, value)->kind != IR_DIM || !is_view(p, ir_op(z->f, value)->args[0]))
            replace_op(z, map, dim, value, &code);
    }
    fuse_substitute(z->f, map, z->len);
}

/* ---- producers ---- */

/* Does another output need what this one is computed from? Loads and indices do not count. */
static bool is_shared(Fuse *z, const IrOp *op, const IrSink *sink, const bool *needed) {
    const IrRegion *body = op->regions[0];
    for (int s = 0; s < op->kernel->nsinks; s++) {
        const IrSink *other = &op->kernel->sinks[s];
        for (int y = 0; y < ir_sink_yields(other->kind) && other != sink; y++) {
            bool *also = fuse_needed(z, body, body->results.at[other->yield + y]);
            for (int i = 0; i < body->ops.len; i++)
                also[i] &= needed[i];
            if (fuse_cost(z->f, body, also) > CHEAP_GATHER)
                return true;
        }
    }
    return false;
}

static bool look_at(Fuse *z, IrId value, Pull *p) {
    *p = (Pull){.value = value};
    p->sink = fuse_sink_of(z, value, &p->kernel);
    if (!p->sink || p->sink->kind != SINK_MAP)
        return false;
    const IrOp *op = ir_op(z->f, p->kernel);
    if (op->flags & IRF_PINNED || op->kernel->rank > MAX_INDEX)
        return false;
    p->place = z->home[p->kernel];
    collect(z, p, value, true);
    for (int i = 0; i < p->sites.len; i++)
        if (ir_op(z->f, p->sites.at[i])->nargs > MAX_INDEX)
            return false;
    const IrRegion *body = op->regions[0];
    bool *needed = fuse_needed(z, body, body->results.at[p->sink->yield]);
    p->cost = fuse_cost(z->f, body, needed);
    for (int i = 0; i < body->ops.len; i++)
        p->faults |= needed[i] && ir_may_fault(z->f, body->ops.at[i]);
    p->stays = is_shared(z, op, p->sink, needed);
    group_sites(z, p);
    return p->sites.len > 0;
}

static void say_not(Fuse *z, const Pull *p, const char *reason) {
    if ((int)p->kernel >= z->said_len || z->said[p->kernel])
        return;
    z->said[p->kernel] = 1;
    compiler_remark(z->c, REMARK_NOT_FUSED, ir_op(z->f, p->kernel)->span,
                    "%s is computed on its own: %s", fuse_describe(z, p->kernel), reason);
}

static void say_fused(Fuse *z, const Pull *p) {
    IrId site = p->sites.at[0];
    IrId user = fuse_lift(z, z->home[site], site, p->place);
    compiler_remark(z->c, REMARK_FUSED, ir_op(z->f, p->kernel)->span, "%s is fused into %s",
                    fuse_describe(z, p->kernel), fuse_describe(z, user));
}

/* Values that kernels give, outer regions first. */
static IrId *kernel_values(Fuse *z, int *count) {
    IrId *values = NEW_ARRAY(z->m->arena, IrId, z->len);
    *count = 0;
    for (int p = 1; p < z->places.len; p++) {
        const IrRegion *region = z->places.at[p].region;
        for (int i = 0; i < region->ops.len; i++) {
            IrId kernel;
            if (fuse_sink_of(z, region->ops.at[i], &kernel))
                values[(*count)++] = region->ops.at[i];
        }
    }
    return values;
}

bool fuse_vertical(Fuse *z) {
    int count;
    bool changed = false;
    IrId *values = kernel_values(z, &count);
    for (int i = 0; i < count; i++) {
        Pull p;
        if (!z->home[values[i]] || !look_at(z, values[i], &p) || reason_against(z, &p))
            continue;
        say_fused(z, &p);
        commit(z, &p);
        fuse_sweep(z);
        changed = true;
        if (fuse_compact(z))
            break; /* `values` are old ids */
    }
    return changed;
}

void fuse_explain(Fuse *z) {
    int count;
    IrId *values = kernel_values(z, &count);
    for (int i = 0; i < count; i++) {
        Pull p;
        if (!look_at(z, values[i], &p))
            continue;
        const char *reason = reason_against(z, &p);
        if (reason)
            say_not(z, &p, reason);
    }
}
