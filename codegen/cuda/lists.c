/* Lists of all points, whose sizes are known when the points have run: they run twice. First each counts what
   it adds to each level of its list; counts become places by chunks, and the host makes the arrays; then the points
   store what they add at their places. */
#include "writer.h"

bool lists_take(const Out *o) {
    SinkKind kind = o->sink->kind;
    return kind == SINK_LIST || kind == SINK_FLATMAP ||
           (!o->l->is_regular && !o->is_row && (kind == SINK_MAP || kind == SINK_FILTER));
}

bool lists_are(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].is_built)
            return true;
    return false;
}

void lists_open(Writer *w, Out *o) {
    Cu *cu = &w->cu;
    o->counts = cu_slots(cu, o->l->nlevels);
    o->sums = cu_slots(cu, o->l->nlevels);
    for (int v = 0; v < o->l->nlevels; v++) {
        GactDeviceArg arg = {.bytes = 8,
                             .unit = GACT_UNIT_WORD,
                             .count = cu_word(cu, WORD_TOTAL, 0, 0, -1)};
        o->counts[v] = writer_scratch(w, "i64", "counts", arg);
        o->sums[v] = writer_scratch(w, "i64", "sums", (GactDeviceArg){.bytes = 8, .unit = GACT_UNIT_CHUNK});
    }
}

void lists_add_columns(Writer *w, Out *o) {
    Cu *cu = &w->cu;
    o->data = cu_slots(cu, o->l->ncols);
    for (int c = 0; c < o->l->ncols; c++) {
        const Column *col = &o->l->cols[c];
        GactDeviceArg arg = {.kind = GACT_ARG_NEW,
                             .at = o->result + col->level,
                             .count = o->result + o->l->nlevels + c,
                             .bytes = col->bytes,
                             .one_more = col->kind == COL_OFFSETS};
        o->data[c] = cu_field(cu, arena_printf(cu->arena, "%s *", cu_col_type(cu, col)), "out", arg);
    }
}

/* Where the last list ends, which is one more than there are lists. lens: by level; NULL: nothing is there. */
static void end_offsets(Writer *w, const Out *o, const char *n, const char *condition, const char *const *lens) {
    for (int c = 0; o->is_built && c < o->l->ncols; c++) {
        const Column *col = &o->l->cols[c];
        if (col->kind == COL_OFFSETS)
            cu_line(&w->cu, "if (%s) %s[%s] = %s;", condition, o->data[c], lens ? lens[col->level] : n,
                    lens ? lens[col->inner] : "0");
    }
}

/* Adds what the point gives to a list: to the counts, or to the columns at the point's places. */
static void build_point(Writer *w, const Out *o, CuBuilder *b) {
    Cu *cu = &w->cu;
    SinkKind kind = o->sink->kind;
    IrId id = cu->k->body->results.at[o->sink->yield + (kind == SINK_FILTER)];
    Layout *l = cu_layout(cu, id);
    const char **s = cu_slots(cu, l->nslots);
    for (int i = 0; i < l->nslots; i++)
        s[i] = l->slots[i].kind == SLOT_BUF ? NULL : arena_printf(cu->arena, "y%d", o->first + (kind == SINK_FILTER) + i);
    if (kind == SINK_FILTER)
        cu_line(cu, "if (y%d) {", o->first);
    cu->indent += kind == SINK_FILTER;
    if (kind == SINK_FLATMAP)
        cu_append(cu, b, s + l->rank, s[0]);
    else
        cu_push(cu, b, s);
    cu->indent -= kind == SINK_FILTER;
    if (kind == SINK_FILTER)
        cu_line(cu, "}");
}

/* A loop over all points with a builder for each list. */
static void write_counted(Writer *w, const char *suffix, bool is_fixed) {
    Cu *cu = &w->cu;
    writer_open_phase(w, KERNEL_PLAIN, suffix, GACT_GRID_POINTS);
    for (int i = 0; is_fixed && i < w->nouts; i++)
        end_offsets(w, &w->outs[i], "0", arena_printf(cu->arena, "%s <= 0 && gx_thread() == 0", w->total), NULL);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 p = gx_thread(); p < %s; p += gx_threads()) {", w->total);
    cu->indent++;
    writer_declare(w, NULL);
    writer_call(w, "return;");
    for (int i = 0; i < w->nouts; i++) {
        Out *o = &w->outs[i];
        if (!o->is_built)
            continue;
        CuBuilder b = {o->l, is_fixed ? BUILD_FIXED : BUILD_COUNT, cu_slots(cu, o->l->nlevels), o->data};
        for (int v = 0; v < o->l->nlevels; v++) {
            b.len[v] = cu_name(cu, "len");
            cu_line(cu, is_fixed ? "i64 %s = %s[p];" : "i64 %s = 0;", b.len[v], o->counts[v]);
        }
        build_point(w, o, &b);
        for (int v = 0; !is_fixed && v < o->l->nlevels; v++)
            cu_line(cu, "%s[p] = %s;", o->counts[v], b.len[v]);
        if (is_fixed)
            end_offsets(w, o, b.len[0], arena_printf(cu->arena, "p == %s - 1", w->total), b.len);
    }
    cu->indent--;
    cu_line(cu, "}");
    writer_close_phase(w);
}

/* A warp a chunk: sums of the counts, or the points' places. */
static void write_count_chunks(Writer *w, const char *suffix, const char *each) {
    Cu *cu = &w->cu;
    writer_open_phase(w, KERNEL_WAITS, suffix, GACT_GRID_CHUNKS);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 c = gx_warp(); c < %s; c += gx_warps()) {", w->chunks);
    cu->indent++;
    cu_line(cu, "const i64 lo = c * GX_CHUNK, hi = gx_min(lo + (i64)GX_CHUNK, %s);", w->total);
    for (int i = 0; i < w->nouts; i++)
        for (int v = 0; w->outs[i].is_built && v < w->outs[i].l->nlevels; v++)
            cu_line(cu, each, w->outs[i].counts[v], w->outs[i].sums[v]);
    cu->indent--;
    cu_line(cu, "}");
    writer_close_phase(w);
}

void lists_write(Writer *w) {
    Cu *cu = &w->cu;
    write_counted(w, "_counts", false);
    write_count_chunks(w, "_sums", "{ const i64 sum = gx_count_chunk(%1$s, lo, hi); if (gx_lane() == 0) %2$s[c] = sum; }");
    writer_open_phase(w, KERNEL_PLAIN, "_total", GACT_GRID_FULL);
    cu_line(cu, "if (gx_thread() != 0) return;");
    for (int i = 0; i < w->nouts; i++)
        for (int v = 0; w->outs[i].is_built && v < w->outs[i].l->nlevels; v++)
            cu_line(cu, "%s[%d] = (u64)gx_sums_before(%s, %s);", w->result, w->outs[i].result + v,
                    w->outs[i].sums[v], w->chunks);
    writer_close_phase(w);
    cu->out->sized = cu->out->phases.len;
    write_count_chunks(w, "_places", "gx_place_chunk(%1$s, lo, hi, %2$s[c]);");
    write_counted(w, "_fill", true);
}
