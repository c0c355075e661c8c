/* Maps over planes: a block does squares of points, so that indices come without divisions and neighbours in
   both directions are in its cache. What is read across, x[j, i] at the point [i, j], comes through shared
   memory: a square of x is fetched by rows and read by columns, and is a parameter of the point's
   function. Spaces that are thinner than half a square, and parts of
   one, are done point by point. */
#include "writer.h"

#include <string.h>

enum {
    SIDE = 32,
    ROOM = 40 << 10, /* bytes of shared memory for squares */
    HEAVY = 60       /* ops that do not notice a division */
};

/* Is it x[j, i] of an array from outside, at the point [i, j]? */
static bool reads_across(const Writer *w, IrId id) {
    const Cu *cu = &w->cu;
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *body = cu->k->body;
    if (op->kind != IR_INDEX || op->nargs != 3 || op->flags & IRF_CHECKED || cu->inner[op->args[0]] ||
        op->args[1] != body->params.at[1] || op->args[2] != body->params.at[0])
        return false;
    return writer_is_plain(w, op->args[0], op->nargs - 1);
}

static int square_bytes(const Writer *w, IrId id) {
    Layout *l = layout_of(w->cu.e, ir_type(w->cu.ir, ir_op(w->cu.ir, id)->args[0]));
    int bytes = 0;
    for (int c = 0; c < l->ncols; c++)
        bytes += SIDE * (SIDE + 1) * l->cols[c].bytes;
    return bytes;
}

void plane_open(Writer *w) {
    Cu *cu = &w->cu;
    const Kernel *k = cu->k;
    if (k->rank != 2 || !writer_is_flat(w))
        return;
    for (int n = 0, bytes = 0; n < k->body->ops.len && !cu->out->why; n++) {
        IrId id = k->body->ops.at[n];
        Text *x = reads_across(w, id) ? cu_value(cu, ir_op(cu->ir, id)->args[0]) : NULL;
        bytes += x ? square_bytes(w, id) : 0;
        if (x && x->s && bytes <= ROOM)
            writer_add_reads(w, id, "_ji", "_square.at[threadIdx.x % 32][row]",
                             arena_printf(cu->arena, "[j * %s + i]", x->s[1]));
    }
    w->is_plane = w->reads.len > 0 || writer_weight(w) <= HEAVY;
}

/* The squares of what is read across; all threads of the block call. */
static void load_squares(Writer *w) {
    Cu *cu = &w->cu;
    if (w->reads.len == 0)
        return;
    cu_line(cu, "gx_sync();");
    for (int k = 0; k < w->reads.len; k++) {
        const PointRead *r = &w->reads.at[k];
        cu_line(cu, "gx_load_square(%s_square, %s, %s, left, top, %s, %s);", r->name, r->data, r->row, w->dims[1],
                w->dims[0]);
    }
    cu_line(cu, "gx_sync();");
}

static void write_square(Writer *w) {
    Cu *cu = &w->cu;
    cu_line(cu, "const i64 top = tile / across * %d, left = tile %% across * %d;", SIDE, SIDE);
    load_squares(w);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (int row = threadIdx.x / %d; row < %d; row += GX_BLOCK / %d) {", SIDE, SIDE, SIDE);
    cu->indent++;
    cu_line(cu, "const i64 i = top + row, j = left + threadIdx.x %% %d;", SIDE);
    cu_line(cu, "if (i >= %s || j >= %s) continue;", w->dims[0], w->dims[1]);
    w->in_pack = true;
    writer_point(w, "continue;");
    w->in_pack = false;
    cu_line(cu, "const i64 p = i * %s + j;", w->dims[1]);
    writer_store_maps(w);
    cu->indent--;
    cu_line(cu, "}");
}

void plane_write(Writer *w) {
    Cu *cu = &w->cu;
    writer_open_phase(w, w->reads.len ? KERNEL_WAITS : KERNEL_PLAIN, "", GACT_GRID_POINTS);
    for (int k = 0; k < w->reads.len; k++)
        cu_line(cu, "GX_SHARED(gx_square<%s>, %s_square);", w->reads.at[k].type, w->reads.at[k].name);
    cu_line(cu, "const i64 across = (%s + %d) / %d, down = (%s + %d) / %d;", w->dims[1], SIDE - 1, SIDE,
            w->dims[0], SIDE - 1, SIDE);
    cu_line(cu, "const bool is_thin = gx_min(%s, %s) < %d, is_part = %s - %s < %s;", w->dims[0], w->dims[1], SIDE / 2,
            w->to, w->from, w->total);
    cu_line(cu, "const i64 squares = is_thin || is_part ? 0 : across * down;");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 tile = blockIdx.x; tile < squares; tile += gridDim.x) {");
    cu->indent++;
    write_square(w);
    cu->indent--;
    cu_line(cu, "}");
    cu_line(cu, "if (squares > 0) return;");
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 p = %s + gx_thread(); p < %s; p += gx_threads()) {", w->from, w->to);
    cu->indent++;
    cu_line(cu, "i64 i, j;");
    cu_line(cu, "gx_split(p, %s, i, j);", w->dims[1]);
    writer_point(w, "continue;");
    writer_store_maps(w);
    cu->indent--;
    cu_line(cu, "}");
    writer_close_phase(w);
}
