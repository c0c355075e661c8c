/* The simplifier: inlines, folds, shares common values, drops what is dead and moves invariant code
   out of loops.

   In: a module of settled types. Out: the same, smaller; functions that no entry reaches are gone.
   Results do not change, but that a fault of a value nobody uses is gone. */
#include "simplify.h"

#include "../lang/image.h"

enum { MAX_ROUNDS = 4 };

void simplify_func(Compiler *c, IrFunc *f) {
    int size = ir_size(f, f->body);
    for (int round = 0; round < MAX_ROUNDS; round++) {
        Arena scratch = {0};
        simplify_rebuild(c, &scratch, f);
        arena_free(&scratch);
        int now = ir_size(f, f->body);
        if (round > 0 && now == size)
            break;
        size = now;
    }
}

/* ---- functions that nobody calls ---- */

static bool contains(const IrModule *m, int n, const IrFunc *f) {
    for (int i = 0; i < n; i++)
        if (m->funcs.at[i] == f)
            return true;
    return false;
}

/* Reached functions stand first: 0 … reached - 1. */
static void reach(IrModule *m, int *reached, IrFunc *f) {
    if (contains(m, *reached, f))
        return;
    for (int i = *reached; i < m->funcs.len; i++)
        if (m->funcs.at[i] == f) {
            m->funcs.at[i] = m->funcs.at[*reached];
            m->funcs.at[(*reached)++] = f;
            return;
        }
}

/* Who is spawned may get every message. */
static void reach_actor(IrModule *m, int *reached, IrActor *actor) {
    actor->is_spawned = true;
    reach(m, reached, actor->init);
    for (int i = 0; i < actor->messages.len; i++)
        reach(m, reached, actor->messages.at[i]->func);
}

static void reach_calls(IrModule *m, int *reached, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        int64_t actor;
        if (op->kind == IR_CALL)
            reach(m, reached, op->callee);
        if (op->kind == IR_RT && op->imm == RT_SPAWN && ir_const_int(f, op->args[0], &actor) &&
            actor < m->actors.len)
            reach_actor(m, reached, m->actors.at[actor]);
        for (int r = 0; r < op->nregions; r++)
            reach_calls(m, reached, f, op->regions[r]);
    }
}

static void drop_unreachable(IrModule *m) {
    int reached = 0;
    if (m->entries.len == 0)
        return; /* a module of functions alone: any may be wanted */
    for (int i = 0; i < m->entries.len; i++)
        reach(m, &reached, m->entries.at[i]->func);
    for (int i = 0; i < reached; i++)
        reach_calls(m, &reached, m->funcs.at[i], m->funcs.at[i]->body);
    for (int i = reached; i < m->funcs.len; i++)
        m->funcs.at[i]->is_inlined = true;
    m->funcs.len = reached;
}

void simplify_module(Compiler *c) {
    simplify_inline(c, simplify_func);
    drop_unreachable(c->ir);
}
