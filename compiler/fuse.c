/* Fusion: fewer kernels, fewer arrays in memory, the same results. In comes simplified IR; out goes
   IR in which producers stand inside their consumers (fuse_vertical.c), kernels over one space are
   one kernel (fuse_merge.c), spaces are as large as they can be (fuse_spaces.c) and integers as
   narrow (fuse_narrow.c). The steps repeat until none of them finds anything; each makes the number
   of kernels, of reads of intermediate arrays, or of their bytes smaller, so this ends. Then short
   loops become straight code (fuse_unroll.c), the least of roots the root of the least (fuse_roots.c),
   and loops in bodies move out of the axes they do not depend on (fuse_split.c). Bounds that can be proven are proven first, since
   code that cannot fault moves freely.

   The arithmetic of every element stays the same, and so does the tree of every reduction that
   rounds: a program computes the same bits with fusion and without. */
#include "fuse.h"

enum { MAX_ROUNDS = 64 };

static bool is_dag_body(const IrModule *m, const IrFunc *f) {
    for (int i = 0; i < m->entries.len; i++)
        if (m->entries.at[i]->kind == ENTRY_DAG && m->entries.at[i]->func == f)
            return true;
    return false;
}

static bool has_kernel(const IrFunc *f) {
    for (int i = 1; i < f->ops.len; i++)
        if (f->ops.at[i].kind == IR_KERNEL)
            return true;
    return false;
}

static void fuse_func(Compiler *c, IrFunc *f) {
    Fuse z = {.c = c, .m = c->ir, .f = f, .is_dag = is_dag_body(c->ir, f)};
    bool changed = true;
    fuse_sweep(&z);
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        changed = false;
        while (fuse_vertical(&z))
            changed = true;
        changed |= fuse_spaces(&z);
        if (!changed)
            changed = fuse_narrow(&z);
        if (!changed)
            changed = fuse_merge(&z);
    }
    fuse_unroll(&z);
    fuse_roots(&z);
    fuse_split(&z);
    z.said_len = f->ops.len;
    z.said = NEW_ARRAY(c->arena, uint8_t, f->ops.len);
    fuse_explain(&z);
    arena_free(&z.look);
}

void fuse_module(Compiler *c) {
    for (int i = 0; i < c->ir->funcs.len; i++) {
        IrFunc *f = c->ir->funcs.at[i];
        if (f->is_inlined || !has_kernel(f))
            continue;
        range_func(c, f, false);
        fuse_func(c, f);
    }
}
