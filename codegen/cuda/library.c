/* Functions of floats are written as calls of device functions that stand once in a text, though the IR has their
   code wherever the pass math has put it in: the ops that came with one are passed over, and where the last of
   them stands, the function is called. Where anything else looks at an op in the midst of them, or what they are
   computed from is gone, the code is written out as it is. */
#include "text.h"

#define OUTSIDE 0 /* the number of no put-in function; others count from 1 */

typedef struct {
    Cu *cu;
    int *number;   /* by IrId: of the function that the op came with */
    char *present; /* by IrId */
    bool *broken;  /* by number */
} Scan;

static void see(Scan *s, int user, IrId id) {
    int number = s->number[id];
    if (number != OUTSIDE && number != user && id != s->cu->ir->put_in.at[number - 1].value)
        s->broken[number] = true;
}

static void scan(Scan *s, const IrRegion *region, int user) {
    for (int k = 0; k < region->params.len; k++)
        s->present[region->params.at[k]] = 1;
    for (int k = 0; k < region->ops.len; k++) {
        IrId id = region->ops.at[k];
        const IrOp *op = ir_op(s->cu->ir, id);
        int own = s->number[id] != OUTSIDE ? s->number[id] : user;
        s->present[id] = 1;
        for (int i = 0; i < op->nargs; i++)
            see(s, own, op->args[i]);
        for (int r = 0; r < op->nregions; r++)
            scan(s, op->regions[r], own);
    }
    for (int k = 0; k < region->results.len; k++)
        see(s, user, region->results.at[k]);
}

void cu_find_library(Cu *cu, IrRegion *const *regions, int nregions) {
    const IrFunc *ir = cu->ir;
    size_t n = (size_t)ir->ops.len + 1;
    cu->library = NEW_ARRAY(cu->arena, const IrPutIn *, n);
    Scan s = {.cu = cu, .number = NEW_ARRAY(cu->arena, int, n), .present = NEW_ARRAY(cu->arena, char, n),
              .broken = NEW_ARRAY(cu->arena, bool, ir->put_in.len + 1)};
    for (int i = 0; i < ir->put_in.len; i++)
        for (IrId id = ir->put_in.at[i].from; id < ir->put_in.at[i].to; id++)
            s.number[id] = ir_op(ir, id)->kind == IR_CONST ? OUTSIDE : i + 1;
    for (int r = 0; r < nregions; r++)
        scan(&s, regions[r], OUTSIDE);
    for (int i = 0; i < ir->put_in.len; i++) {
        const IrPutIn *p = &ir->put_in.at[i];
        bool broken = s.broken[i + 1];
        for (int k = 0; k < p->nargs; k++)
            broken |= cu->inner[p->args[k]] && !s.present[p->args[k]];
        for (IrId id = p->from; !broken && id < p->to; id++)
            cu->library[id] = s.number[id] != OUTSIDE ? p : NULL;
    }
}
