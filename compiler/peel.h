/* What the files of the peel pass share. */
#ifndef GACT_PEEL_H
#define GACT_PEEL_H

#include "range.h"

/* Copies a region of r's function (a kernel's body; its parameters stand for `kernel`'s indices, or
   NULL for any other region) as it is where `facts` hold of the new parameters in addition to
   r->facts: comparisons, clamps, remainders, choices and checks that are decided are gone. bounds:
   facts over the old parameters. *decided counts what was. */
IrRegion *peel_copy(Range *r, const IrOp *kernel, const IrRegion *body, const Lin *bounds,
                    int nbounds, int *decided);

#endif
