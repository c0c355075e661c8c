/* Maps that are bound by memory: a thread does some neighbouring points at a time, whose elements it reads and
   writes 16 bytes at once. So the function of a point takes what its point reads of arrays as parameters.
   Where an array begins at an odd place, as views may, and for the last points, a thread does one point. */
#include "writer.h"

#include <string.h>

enum {
    ACCESS = 16, /* bytes */
    LEAST = 8    /* that are worth while */
};

/* ---- what is read at the point itself ---- */

/* Is it element p of an array from outside? */
static bool reads_point(const Writer *w, IrId id) {
    const Cu *cu = &w->cu;
    const IrOp *op = ir_op(cu->ir, id);
    return op->kind == IR_INDEX && op->nargs == 2 && !(op->flags & IRF_CHECKED) && !cu->inner[op->args[0]] &&
           op->args[1] == cu->k->body->params.at[0] && writer_is_plain(w, op->args[0], op->nargs - 1);
}

/* The least bytes of an element that is read at the point or written. */
static int least_bytes(const Writer *w) {
    int least = ACCESS;
    const IrRegion *body = w->cu.k->body;
    for (int k = 0; k < body->ops.len; k++) {
        Layout *l = reads_point(w, body->ops.at[k])
                        ? layout_of(w->cu.e, ir_type(w->cu.ir, ir_op(w->cu.ir, body->ops.at[k])->args[0]))
                        : NULL;
        for (int c = 0; l && c < l->ncols; c++)
            least = l->cols[c].bytes < least ? l->cols[c].bytes : least;
    }
    for (int i = 0; i < w->nouts; i++)
        for (int c = 0; c < w->outs[i].l->ncols; c++)
            least = w->outs[i].l->cols[c].bytes < least ? w->outs[i].l->cols[c].bytes : least;
    return least;
}

void wide_open(Writer *w) {
    const Kernel *k = w->cu.k;
    if (k->rank != 1 || !writer_is_flat(w))
        return;
    int least = least_bytes(w), points = writer_flight(w, 16);
    points = points < ACCESS / least ? points : ACCESS / least;
    if (points < 2 || points * least < LEAST)
        return;
    w->wide = points;
    for (int i = 0; i < k->body->ops.len && !w->cu.out->why; i++)
        if (reads_point(w, k->body->ops.at[i]))
            writer_add_reads(w, k->body->ops.at[i], "_p", ".at[k]", "[p]");
}

/* ---- the loop ---- */

static void open_packs(Writer *w) {
    Cu *cu = &w->cu;
    Buf all = {.arena = cu->arena};
    for (int i = 0; i < w->nouts; i++)
        for (int c = 0; c < w->outs[i].l->ncols; c++)
            buf_printf(&all, "%s(u64)%s", all.len ? " | " : "", w->outs[i].data[c]);
    for (int k = 0; k < w->reads.len; k++)
        buf_printf(&all, " | (u64)%s", w->reads.at[k].data);
    cu_line(cu, "const bool is_aligned = (%s) %% %d == 0;", buf_text(&all), ACCESS);
    cu_line(cu, "const i64 packs = is_aligned ? (%s - %s) / %d : 0;", w->to, w->from, w->wide);
}

/* Of output i, column c. */
static const char *pack_name(Writer *w, int i, int c) {
    int columns = w->outs[i].l->ncols;
    return columns == 1 ? arena_printf(w->cu.arena, "out%d", i) : arena_printf(w->cu.arena, "out%d_%d", i, c);
}

static void each_pack(Writer *w, void (*visit)(Writer *w, const Out *o, int c, const char *pack)) {
    for (int i = 0; i < w->nouts; i++)
        for (int c = 0; c < w->outs[i].l->ncols; c++)
            visit(w, &w->outs[i], c, pack_name(w, i, c));
}

static void declare_pack(Writer *w, const Out *o, int c, const char *pack) {
    cu_line(&w->cu, "gx_pack<%s, %d> %s;", cu_col_type(&w->cu, &o->l->cols[c]), w->wide, pack);
}

static void fill_pack(Writer *w, const Out *o, int c, const char *pack) {
    bool is_tag = o->l->cols[c].kind == COL_TAG;
    cu_line(&w->cu, "%s.at[k] = %sy%d;", pack, is_tag ? "(u8)" : "", o->first + c);
}

static void store_pack(Writer *w, const Out *o, int c, const char *pack) {
    cu_line(&w->cu, "gx_store_pack(%s + at, %s);", o->data[c], pack);
}

void wide_write(Writer *w) {
    Cu *cu = &w->cu;
    open_packs(w);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 pack = gx_thread(); pack < packs; pack += gx_threads()) {");
    cu->indent++;
    cu_line(cu, "const i64 at = %s + pack * %d;", w->from, w->wide);
    for (int k = 0; k < w->reads.len; k++)
        cu_line(cu, "const auto %s = gx_load_pack<%d>(%s + at);", w->reads.at[k].name, w->wide, w->reads.at[k].data);
    each_pack(w, declare_pack);
    cu_line(cu, "GX_UNROLL");
    cu_line(cu, "for (int k = 0; k < %d; k++) {", w->wide);
    cu->indent++;
    cu_line(cu, "const i64 p = at + k;");
    w->in_pack = true;
    writer_point(w, "return;");
    w->in_pack = false;
    each_pack(w, fill_pack);
    cu->indent--;
    cu_line(cu, "}");
    each_pack(w, store_pack);
    cu->indent--;
    cu_line(cu, "}");
}
