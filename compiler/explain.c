/* --explain: the remarks of the passes, in order of place. Remarks without a place come last. */
#include "compiler.h"

#include <stdlib.h>

static const char *const kind_names[REMARK_COUNT] = {
    [REMARK_FUSED] = "fused",       [REMARK_NOT_FUSED] = "not fused", [REMARK_COPY] = "copy",
    [REMARK_IN_PLACE] = "in place", [REMARK_CHECK] = "check",         [REMARK_INLINE] = "inlined",
    [REMARK_PLACE] = "place",       [REMARK_SORT] = "sort",
    [REMARK_PEEL] = "peeled",
    [REMARK_SWEEP] = "swept",       [REMARK_BITS] = "bits",
};

/* A remark with its rank among all, which keeps the sort stable. */
typedef struct {
    const Remark *remark;
    int rank;
} Ranked;

static int by_place(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    uint32_t p = x->remark->span.from, q = y->remark->span.from;
    if (p != q)
        return !p - !q ? !p - !q : p < q ? -1 : 1;
    return x->rank - y->rank;
}

void explain_print(Buf *out, Compiler *c) {
    int n = c->remarks.len;
    Ranked *order = NEW_ARRAY(c->arena, Ranked, n);
    for (int k = 0; k < n; k++)
        order[k] = (Ranked){&c->remarks.at[k], k};
    if (n)
        qsort(order, (size_t)n, sizeof *order, by_place);
    for (int k = 0; k < n; k++) {
        const Remark *r = order[k].remark;
        Source *source = r->span.from ? source_at(&c->sources, r->span.from) : NULL;
        if (source) {
            int line, column;
            source_locate(source, r->span.from, &line, &column);
            buf_printf(out, "%s:%d:%d: ", source->path, line, column);
        }
        buf_printf(out, "%s: %s\n", kind_names[r->kind], r->text);
    }
}
