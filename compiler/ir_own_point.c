/* Which elements of an array some code reads: what may be written where the array stands. */
#include "ir.h"

/* What is asked about. */
typedef struct {
    const IrFunc *f;
    IrId array;
    IrId kernel;     /* whose body may read the element of its own point alone */
    bool is_written; /* the kernel has run: nothing may be read any more */
} Reads;

static bool reads_own_point(const Reads *r, const IrOp *op) {
    const IrOp *kernel = ir_op(r->f, r->kernel);
    const IrRegion *body = kernel->regions[0];
    if (op->nargs - 1 != kernel->kernel->rank)
        return false;
    for (int i = 1; i < op->nargs; i++)
        if (op->args[i] != body->params.at[i - 1])
            return false;
    return true;
}

/* May op use the array the way it does? */
static bool use_fits(const Reads *r, const IrOp *op, bool in_kernel) {
    bool is_used = false;
    for (int k = 0; k < op->nargs; k++)
        is_used |= op->args[k] == r->array;
    if (!is_used || op->kind == IR_DIM)
        return true;
    if (op->kind != IR_INDEX || r->is_written)
        return false;
    for (int k = 1; k < op->nargs; k++)
        if (op->args[k] == r->array)
            return false;
    return in_kernel ? reads_own_point(r, op) : op->nargs - 1 == ir_type(r->f, r->array)->rank;
}

static bool region_fits(Reads *r, const IrRegion *region, bool in_kernel) {
    for (int i = 0; i < region->ops.len; i++) {
        IrId id = region->ops.at[i];
        const IrOp *op = ir_op(r->f, id);
        if (!use_fits(r, op, in_kernel))
            return false;
        for (int k = 0; k < op->nregions; k++)
            if (!region_fits(r, op->regions[k], in_kernel || id == r->kernel))
                return false;
        r->is_written |= id == r->kernel;
    }
    for (int i = 0; i < region->results.len; i++)
        if (region->results.at[i] == r->array)
            return false;
    return true;
}

bool ir_reads_own_point(const IrFunc *f, const IrRegion *region, IrId kernel, IrId array) {
    Reads r = {.f = f, .array = array, .kernel = kernel};
    return region_fits(&r, region, false);
}
