/* Scans and filters as phases. Filters and scans whose order does not show take one pass over tiles that
   look back at each other (lang/device/lookback.cuh), all of a kernel together, with its maps; scans whose
   order shows keep the host's tree in two phases: what each chunk adds up to and then, by the last block,
   what is before each; and the points with that. */
#include "writer.h"

#include <string.h>

enum {
    BLOCK = 256,        /* threads, GX_BLOCK */
    MOST_ROWS = 16,     /* of 32 points that a warp has of a tile: then a tile is a chunk */
    ROW_BYTES = 12,     /* that a lane keeps of a point, for so many rows */
    HEAVY = 40,         /* ops of a point that is written out few times */
    LEAST_ROWS = 4
};

/* A filter whose elements have a place each. */
static bool is_packed(const Out *o) {
    return o->sink->kind == SINK_FILTER && !o->is_built;
}

bool pass_takes(const Out *o) {
    bool is_exact = o->sink->kind == SINK_SCAN && o->fold.mode == FOLD_ANY;
    return is_packed(o) || is_exact;
}

static bool is_ordered(const Out *o) {
    return o->sink->kind == SINK_SCAN && !pass_takes(o);
}

bool pass_takes_maps(const Writer *w) {
    int n = 0;
    for (int i = 0; i < w->nouts; i++) {
        SinkKind kind = w->outs[i].sink->kind;
        n += kind == SINK_SCAN || kind == SINK_FILTER;
        if (w->outs[i].is_built || (kind != SINK_SCAN && kind != SINK_FILTER && kind != SINK_MAP))
            return false;
    }
    return n > 0;
}

/* ---- one pass ---- */

/* Words of status a tile. */
static int status_words(const Out *o) {
    return o->sink->kind == SINK_FILTER ? 2 : (type_bytes(o->yield->type) + 3) / 4;
}

/* How many rows a warp has of a tile: as many as there are registers for, few of heavy points. */
static int row_count(const Writer *w) {
    int bytes = 0, rows = MOST_ROWS;
    for (int i = 0; i < w->nouts; i++)
        if (pass_takes(&w->outs[i]))
            bytes += 8 * w->outs[i].yield->nslots + (w->outs[i].sink->kind == SINK_FILTER ? 4 : 0);
    while (rows > LEAST_ROWS && rows * bytes > MOST_ROWS * ROW_BYTES)
        rows /= 2;
    return writer_weight(w) > HEAVY ? LEAST_ROWS : rows;
}

/* The memory in which tiles look back: the ticket, then the status of each tile, sink by sink. */
void pass_open(Writer *w) {
    int words = 0;
    for (int i = 0; i < w->nouts; i++)
        if (pass_takes(&w->outs[i]))
            words += status_words(&w->outs[i]);
    if (words == 0)
        return;
    GactDeviceArg arg = {.bytes = 8 * (1 + words * (MOST_ROWS / row_count(w))),
                         .unit = GACT_UNIT_CHUNK,
                         .zeroed = 1,
                         .one_more = 1};
    w->tiles = writer_scratch(w, "u64", "tiles", arg);
}

/* What a point that is not there gives: it is not kept, and changes no sum. */
static const char *initial(Writer *w, const Out *o, int slot) {
    (void)w;
    if (o->sink->kind == SINK_FILTER)
        return slot == 0 ? "false" : "{}";
    return o->sink->kind == SINK_SCAN && pass_takes(o) ? o->fold.identity : "{}";
}

static void declare_pass(Writer *w) {
    Cu *cu = &w->cu;
    cu_line(cu, "enum { ROWS = %d };", row_count(w));
    cu_line(cu, "GX_SHARED(u32, ticket);");
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!pass_takes(o))
            continue;
        cu_line(cu, "GX_SHARED(gx_lookback<%s>, sums%d);", o->fold.op ? o->fold.type : "i64", i);
        if (o->fold.op)
            cu_line(cu, "const auto op%d = %s;", i, o->fold.op);
    }
    cu_line(cu, "const int warp = threadIdx.x / 32;");
    cu_line(cu, "const i64 tiles = gx_tiles<ROWS>(%s);", w->total);
}

/* The values of the tile's points, of each sink. */
static void load_rows(Writer *w) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!pass_takes(o))
            continue;
        if (o->sink->kind == SINK_FILTER)
            cu_line(cu, "u32 kept%d[ROWS];", i);
        cu_line(cu, "%s v%d[ROWS];", cu_struct(cu, o->yield), i);
    }
    cu_line(cu, "GX_UNROLL");
    cu_line(cu, "for (int k = 0; k < ROWS; k++) {");
    cu->indent++;
    cu_line(cu, "const i64 p = gx_tile_point<ROWS>(tile, k);");
    writer_declare(w, initial);
    cu_line(cu, "if (p < %s) {", w->total);
    cu->indent++;
    writer_call(w, NULL);
    if (pass_takes_maps(w))
        writer_store_maps(w);
    cu->indent--;
    cu_line(cu, "}");
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!pass_takes(o))
            continue;
        bool is_filter = o->sink->kind == SINK_FILTER;
        if (is_filter)
            cu_line(cu, "kept%d[k] = gx_ballot(y%d);", i, o->first);
        cu_line(cu, "v%d[k] = %s;", i, writer_result(w, o, is_filter));
    }
    cu->indent--;
    cu_line(cu, "}");
}

/* What is before each warp, a warp of the block for each sink. */
static void look_back(Writer *w) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++)
        if (pass_takes(&w->outs[i]))
            cu_line(cu, w->outs[i].fold.op ? "sums%d.warps[warp] = gx_rows_scan<ROWS>(v%d, op%d);"
                                           : "sums%d.warps[warp] = gx_rows_count<ROWS>(kept%d);",
                    i, i, i);
    cu_line(cu, "gx_sync();");
    for (int i = 0, n = 0, words = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!pass_takes(o))
            continue;
        const char *status = arena_printf(cu->arena, "%s + 1", w->tiles);
        if (words)
            status = arena_printf(cu->arena, "%s + %d * tiles", status, words);
        const char *op = o->fold.op ? arena_printf(cu->arena, "op%d", i) : "gx_plus()";
        cu_line(cu, "if (warp == %d) gx_lookback_warps(sums%d, %s, tile, %s, %s);", n++ % (BLOCK / 32), i,
                status, o->fold.op ? o->zero : "(i64)0", op);
        words += status_words(o);
    }
    cu_line(cu, "gx_sync();");
}

/* Row k of a sink: a point kept goes behind what is kept before it, a sum to its place. */
static void store_row(Writer *w, const Out *o, int i) {
    Cu *cu = &w->cu;
    const char **s = cu_slots(cu, o->yield->nslots), *v = arena_printf(cu->arena, "v%d[k]", i);
    bool is_filter = o->sink->kind == SINK_FILTER;
    for (int n = 0; n < o->yield->nslots; n++)
        s[n] = cu_member(cu, o->yield, v, n);
    if (is_filter)
        cu_line(cu, "if (gx_is_kept(kept%d[k])) {", i);
    else
        cu_line(cu, "if (p < %s) {", w->total);
    cu->indent++;
    if (is_filter)
        cu_line(cu, "const i64 at = at%d + gx_kept_before(kept%d[k]);", i, i);
    cu_store(cu, o->l->elem, o->data, is_filter ? "at" : "p", s);
    cu->indent--;
    cu_line(cu, "}");
    if (is_filter)
        cu_line(cu, "at%d += gx_count_ones(kept%d[k]);", i, i);
}

static void store_rows(Writer *w) {
    Cu *cu = &w->cu;
    bool has_scans = false;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (is_packed(o))
            cu_line(cu, "i64 at%d = sums%d.warps[warp];", i, i);
        else if (pass_takes(o))
            cu_line(cu, "gx_rows_finish<%s, ROWS>(v%d, sums%d.warps[warp], op%d);",
                    o->sink->imm ? "true" : "false", i, i, i);
        has_scans |= o->sink->kind == SINK_SCAN && pass_takes(o);
    }
    cu_line(cu, "GX_UNROLL");
    cu_line(cu, "for (int k = 0; k < ROWS; k++) {");
    cu->indent++;
    if (has_scans)
        cu_line(cu, "const i64 p = gx_tile_point<ROWS>(tile, k);");
    for (int i = 0; i < w->nouts; i++)
        if (pass_takes(&w->outs[i]))
            store_row(w, &w->outs[i], i);
    cu->indent--;
    cu_line(cu, "}");
}

/* How many each filter has kept, known in the last tile. */
static void store_counts(Writer *w) {
    Cu *cu = &w->cu;
    bool has_filters = false;
    for (int i = 0; i < w->nouts; i++)
        has_filters |= is_packed(&w->outs[i]);
    if (!has_filters)
        return;
    cu_line(cu, "if (tile == tiles - 1 && threadIdx.x == 0) {");
    for (int i = 0; i < w->nouts; i++)
        if (is_packed(&w->outs[i]))
            cu_line(cu, "    %s[%d] = (u64)sums%d.total;", w->result, w->outs[i].result, i);
    cu_line(cu, "}");
}

static void write_pass(Writer *w) {
    Cu *cu = &w->cu;
    writer_open_phase(w, KERNEL_WAITS, "_pass", GACT_GRID_BLOCKS);
    declare_pass(w);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 tile; (tile = gx_next_tile(&ticket, (u32 *)%s)) < tiles;) {", w->tiles);
    cu->indent++;
    load_rows(w);
    look_back(w);
    store_rows(w);
    store_counts(w);
    cu->indent--;
    cu_line(cu, "}");
    writer_close_phase(w);
}

/* ---- scans whose order shows ---- */

/* The function of a point's value. */
static void write_load(Writer *w, const Out *o, bool with_maps) {
    Cu *cu = &w->cu;
    cu_line(cu, "const auto load = [&](const i64 p) -> %s {", o->fold.type);
    cu->indent++;
    writer_point(w, arena_printf(cu->arena, "return %s;", o->zero));
    if (with_maps)
        writer_store_maps(w);
    cu_line(cu, "return %s;", writer_result(w, o, 0));
    cu->indent--;
    cu_line(cu, "};");
    cu_line(cu, "const auto op = %s;", o->fold.op);
}

static void write_store(Writer *w, const Out *o) {
    Cu *cu = &w->cu;
    const char **s = cu_slots(cu, o->fold.l->nslots);
    for (int i = 0; i < o->fold.l->nslots; i++)
        s[i] = cu_member(cu, o->fold.l, "v", i);
    cu_line(cu, "const auto store = [&](const i64 p, const %s &v) {", o->fold.type);
    cu->indent++;
    cu_store(cu, o->l->elem, o->data, "p", s);
    cu->indent--;
    cu_line(cu, "};");
}

static void write_ordered(Writer *w, const Out *o, const char *number, bool with_maps) {
    Cu *cu = &w->cu;
    int flight = writer_flight(w, FLIGHT);
    writer_open_phase(w, KERNEL_WAITS, arena_printf(cu->arena, "_sums%s", number), GACT_GRID_BLOCKS);
    cu_line(cu, "GX_SHARED(gx_scan_block<%s>, shared);", o->fold.type);
    write_load(w, o, with_maps);
    cu_line(cu, "const %s zero = %s;", o->fold.type, o->zero);
    cu_line(cu, "gx_scan_sums<%d>(shared, %s, %s, load, op);", flight, o->rows, w->total);
    cu_line(cu, "if (gx_last_block(%s)) gx_scan_before(%s, %s, zero, op);", w->done, o->rows, w->chunks);
    writer_close_phase(w);
    writer_open_phase(w, KERNEL_WAITS, arena_printf(cu->arena, "_scan%s", number), GACT_GRID_BLOCKS);
    cu_line(cu, "GX_SHARED(gx_scan_block<%s>, shared);", o->fold.type);
    write_load(w, o, false);
    write_store(w, o);
    cu_line(cu, "gx_scan_points<%s, %d>(shared, %s, %s, load, store, op);", o->sink->imm ? "true" : "false",
            flight, o->rows, w->total);
    writer_close_phase(w);
}

/* ---- all ---- */

void pass_write(Writer *w) {
    bool with_maps = pass_takes_maps(w) && !w->tiles;
    if (w->tiles)
        write_pass(w);
    for (int i = 0; i < w->nouts; i++) {
        if (!is_ordered(&w->outs[i]))
            continue;
        write_ordered(w, &w->outs[i], w->nouts == 1 ? "" : arena_printf(w->cu.arena, "%d", i), with_maps);
        with_maps = false;
    }
}
