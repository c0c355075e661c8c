/* --emit=fused: the IR after fusion and, for each entry, how many kernels it starts and how many
   arrays they read and write. The counts are what fusion is for, so tests look at them. */
#include "fuse.h"

typedef struct {
    const IrFunc *f;
    Arena *scratch;
    int kernels, nested, reads, writes;
} Count;

typedef struct {
    IrId *at;
    int len;
} Roots;

static void add_root(Roots *roots, IrId root) {
    for (int i = 0; i < roots->len; i++)
        if (roots->at[i] == root)
            return;
    roots->at[roots->len++] = root;
}

/* The arrays that code reads elements of, kernels inside of it left out. */
static void element_reads(const Count *n, const IrRegion *region, Roots *roots) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(n->f, region->ops.at[i]);
        if (op->kind == IR_INDEX && op->type->kind != TYPE_ARRAY)
            add_root(roots, fuse_root(n->f, op->args[0]));
        for (int r = 0; r < op->nregions && op->kind != IR_KERNEL; r++)
            element_reads(n, op->regions[r], roots);
    }
}

static void count_region(Count *n, const IrRegion *region, int depth);

/* Rows that an inner kernel wrote are not counted a second time. */
static bool writes_array(const IrFunc *f, const IrOp *op, const IrSink *sink) {
    IrId yield = op->regions[0]->results.at[sink->yield];
    return sink->type->kind == TYPE_ARRAY && ir_op(f, yield)->type->kind != TYPE_ARRAY;
}

static void count_kernel(Count *n, const IrOp *op, int depth) {
    Roots roots = {NEW_ARRAY(n->scratch, IrId, n->f->ops.len), 0};
    for (int r = 0; r < op->nregions; r++)
        element_reads(n, op->regions[r], &roots);
    n->reads += roots.len;
    for (int s = 0; s < op->kernel->nsinks; s++)
        n->writes += writes_array(n->f, op, &op->kernel->sinks[s]);
    for (int r = 0; r < op->nregions; r++)
        count_region(n, op->regions[r], depth + 1);
}

/* Of the branches of an `if` the one that has more to do counts. */
static void count_branches(Count *n, const IrOp *op, int depth) {
    Count branch[2] = {*n, *n};
    for (int r = 0; r < 2; r++)
        count_region(&branch[r], op->regions[r], depth);
    bool second = branch[1].kernels + branch[1].nested > branch[0].kernels + branch[0].nested;
    *n = branch[second];
}

static void count_region(Count *n, const IrRegion *region, int depth) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(n->f, region->ops.at[i]);
        bool runs = op->kind == IR_KERNEL || op->kind == IR_SORT || op->kind == IR_MATMUL;
        n->kernels += runs && depth == 0;
        n->nested += runs && depth > 0;
        if (op->kind == IR_KERNEL) {
            count_kernel(n, op, depth);
            continue;
        }
        if (op->kind == IR_IF) {
            count_branches(n, op, depth);
            continue;
        }
        n->reads += runs || op->kind == IR_CONCAT ? op->nargs : 0;
        n->writes += runs || op->kind == IR_CONCAT;
        for (int r = 0; r < op->nregions; r++)
            count_region(n, op->regions[r], depth);
    }
}

static void print_counts(Buf *out, const IrEntry *entry) {
    Arena scratch = {0};
    Count n = {.f = entry->func, .scratch = &scratch};
    count_region(&n, entry->func->body, 0);
    buf_printf(out, "// %s: kernels %d", entry->name, n.kernels);
    if (n.nested)
        buf_printf(out, " (%d inside)", n.nested);
    buf_printf(out, ", array reads %d, array writes %d\n", n.reads, n.writes);
    arena_free(&scratch);
}

void fused_print(Buf *out, const IrModule *m) {
    ir_print(out, m);
    for (int i = 0; i < m->entries.len; i++)
        print_counts(out, m->entries.at[i]);
}
