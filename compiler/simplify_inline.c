/* Inlining, callees first: a call of a small function, or the only call of any, becomes its body.
   What is left are recursive functions and those that would make a caller too large. */
#include "simplify.h"

#include <stdlib.h>

enum {
    SMALL = 400,     /* ops of a callee that is inlined wherever it is called */
    LARGEST = 50000, /* ops of a caller that nothing more is inlined into */
};

typedef struct {
    IrFunc *f;
    int calls; /* in the whole module */
    enum { NOT_SEEN, UNDER_WAY, DONE } state;
    int size;
} Callee;

typedef struct {
    Compiler *c;
    Arena scratch;
    Callee *all; /* sorted by address */
    int count;
    void (*done)(Compiler *c, IrFunc *f);
} Graph;

typedef struct {
    Graph *graph;
    IrBuilder b;
    IrId *subst; /* by id of an inlined call: its value */
    int known;   /* length of subst */
    int size;    /* of the caller */
} Inliner;

static int by_address(const void *a, const void *b) {
    const Callee *x = a, *y = b;
    return x->f < y->f ? -1 : x->f > y->f;
}

static Callee *callee_of(const Graph *g, const IrFunc *f) {
    Callee key = {.f = (IrFunc *)f};
    return bsearch(&key, g->all, (size_t)g->count, sizeof key, by_address);
}

/* ---- one function ---- */

static void replace_all(const Inliner *in, IrId *values, int n) {
    for (int i = 0; i < n; i++)
        if ((int)values[i] < in->known && in->subst[values[i]])
            values[i] = in->subst[values[i]];
}

static bool wants_inlining(Inliner *in, const IrOp *call) {
    const Callee *callee = callee_of(in->graph, call->callee);
    if (!callee || callee->state != DONE || callee->f->is_recursive)
        return false;
    if (callee->f->is_shared && callee->calls > 1)
        return false;
    if (callee->size > SMALL && callee->calls > 1) {
        compiler_remark(in->graph->c, REMARK_INLINE, call->span,
                        "%s is not inlined: it is large (%d operations) and called %d times",
                        callee->f->name, callee->size, callee->calls);
        return false;
    }
    if (in->size + callee->size > LARGEST) {
        compiler_remark(in->graph->c, REMARK_INLINE, call->span,
                        "%s is not inlined: %s would get too large (%d operations)",
                        callee->f->name, in->b.func->name, in->size + callee->size);
        return false;
    }
    in->size += callee->size;
    return true;
}

static IrId inline_call(Inliner *in, IrRegion *region, const IrOp *call) {
    in->b.region = region;
    in->b.span = call->span;
    in->b.node = call->node;
    in->b.fast = call->flags & IRF_FAST;
    return ir_inline(&in->b, call->callee, call->args);
}

static void inline_region(Inliner *in, IrRegion *region) {
    IrRegion old = *region;
    region->ops.at = NULL;
    region->ops.len = region->ops.cap = 0;
    for (int i = 0; i < old.ops.len; i++) {
        IrId id = old.ops.at[i];
        IrOp op = *ir_op(in->b.func, id);
        replace_all(in, op.args, op.nargs);
        if (op.kind == IR_CALL && wants_inlining(in, &op)) {
            in->subst[id] = inline_call(in, region, &op);
            continue;
        }
        for (int r = 0; r < op.nregions; r++)
            inline_region(in, op.regions[r]);
        vec_push(in->b.func->arena, &region->ops, id);
    }
    replace_all(in, region->results.at, region->results.len);
}

static void inline_into(Graph *g, IrFunc *f) {
    Inliner in = {.graph = g, .known = f->ops.len, .size = ir_size(f, f->body)};
    in.b = (IrBuilder){.module = g->c->ir, .func = f};
    in.subst = NEW_ARRAY(&g->scratch, IrId, in.known);
    inline_region(&in, f->body);
}

/* ---- the module ---- */

static void visit(Graph *g, Callee *callee);

static void visit_calls(Graph *g, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (op->kind == IR_CALL)
            visit(g, callee_of(g, op->callee));
        for (int r = 0; r < op->nregions; r++)
            visit_calls(g, f, op->regions[r]);
    }
}

static void visit(Graph *g, Callee *callee) {
    if (callee->state == UNDER_WAY)
        callee->f->is_recursive = true;
    if (callee->state != NOT_SEEN)
        return;
    callee->state = UNDER_WAY;
    visit_calls(g, callee->f, callee->f->body);
    inline_into(g, callee->f);
    g->done(g->c, callee->f);
    callee->size = ir_size(callee->f, callee->f->body);
    callee->state = DONE;
}

static void count_calls(const Graph *g, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (op->kind == IR_CALL)
            callee_of(g, op->callee)->calls++;
        for (int r = 0; r < op->nregions; r++)
            count_calls(g, f, op->regions[r]);
    }
}

void simplify_inline(Compiler *c, void (*done)(Compiler *c, IrFunc *f)) {
    Graph g = {.c = c, .count = c->ir->funcs.len, .done = done};
    g.all = NEW_ARRAY(&g.scratch, Callee, g.count);
    for (int i = 0; i < g.count; i++)
        g.all[i].f = c->ir->funcs.at[i];
    qsort(g.all, (size_t)g.count, sizeof *g.all, by_address);
    for (int i = 0; i < g.count; i++)
        count_calls(&g, g.all[i].f, g.all[i].f->body);
    for (int i = 0; i < c->ir->funcs.len; i++)
        visit(&g, callee_of(&g, c->ir->funcs.at[i]));
    arena_free(&g.scratch);
}
