/* Histograms and scatters as phases. Where the order cannot be told from the result and memory has the
   operation, points combine their values by atomics, first in shared memory where bins are few. Where it can, the host's chunks have tables of their
   own, which are made in order and joined (lang/device/table.cuh). A scatter without an operator notes for
   each place its last point, and those points store. */
#include "writer.h"

bool bins_is(const Out *o) {
    return o->sink->kind == SINK_HIST || o->sink->kind == SINK_SCATTER;
}

/* Can memory of this type be combined by atomics, with the same result in any order? */
static bool has_atomics(const Type *type) {
    return type_is_int(type) && type_bytes(type) >= 4;
}

static bool is_atomic(const IrSink *sink, const Layout *yield) {
    return sink->op != IR_INVALID && ir_is_commutative(sink->op) && type_is_scalar(yield->type) &&
           has_atomics(yield->type);
}

const char *bins_refuses(const Sink *s) {
    if (!layout_is_array(s->yield->type))
        return NULL;
    if (s->sink->kind == SINK_HIST)
        return "its table has rows";
    return s->op ? "it combines rows" : NULL;
}

/* ---- arguments ---- */

/* Its rows are those of the array that is scattered to. */
static void open_rows(Writer *w, Out *o, const Text *dest) {
    o->part = dest->s[1];
    for (int d = 2; d < o->l->rank; d++)
        o->part = arena_printf(w->cu.arena, "%s * %s", o->part, dest->s[d]);
}

static void open_last(Writer *w, Out *o, IrId dest) {
    GactDeviceArg arg = {.bytes = 8,
                         .unit = GACT_UNIT_WORD,
                         .zeroed = 1,
                         .count = cu_add_word(&w->cu, (CudaWord){WORD_COUNT, dest, 0, -1, o->l})};
    o->last = writer_scratch(w, "u64", "last", arg);
}

static void open_ordered(Writer *w, Out *o, int i) {
    Cu *cu = &w->cu;
    for (int k = 0; k < w->nouts; k++) {
        SinkKind kind = cu->k->sinks[k].sink->kind;
        if (kind != SINK_HIST && kind != SINK_SCATTER && kind != SINK_MAP) /* their chunks would differ */
            cu_no(cu, cu->k->op->span, "its table is made beside sums");
    }
    int cells = cu_word(cu, WORD_CELLS, 0, 0, i);
    GactDeviceArg rows = {.bytes = 8 * (o->fold.l->nslots > 0 ? o->fold.l->nslots : 1), .unit = GACT_UNIT_WORD, .count = cells};
    GactDeviceArg seen = {.bytes = 1, .unit = GACT_UNIT_WORD, .zeroed = 1, .count = cells};
    o->is_ordered = true;
    o->chunk = cu_word_field(cu, "chunk", "i64", WORD_TABLE, 0, 0, i);
    o->rows = writer_scratch(w, o->fold.type, "rows", rows);
    o->seen = writer_scratch(w, "u8", "seen", seen);
    cu->is_warp = false;
}

void bins_open(Writer *w, Out *o, int i) {
    Cu *cu = &w->cu;
    const IrOp *op = cu->k->op;
    bool is_scatter = o->sink->kind == SINK_SCATTER, has_op = !is_scatter || cu->k->sinks[i].op;
    Text *arg = cu_value(cu, op->args[o->sink->arg]);
    if (!arg->s)
        return;
    o->bins = arg->s[0];
    if (!is_scatter && ir_op(cu->ir, op->args[o->sink->arg])->kind != IR_CONST)
        o->bins = arena_printf(cu->arena, "gx_max(%s, (i64)0)", o->bins);
    if (is_scatter && o->l->rank > 1)
        open_rows(w, o, arg);
    if (!has_op) {
        open_last(w, o, op->args[o->sink->arg]);
        return;
    }
    o->fold = cu_fold(cu, op, o->sink, NULL);
    Text *zero = is_scatter ? NULL : cu_value(cu, op->args[o->sink->arg + 1]);
    if (cu->out->why || (zero && !zero->s))
        return;
    if (zero)
        o->zero = cu_make(cu, o->fold.l, zero->s);
    if (!is_atomic(o->sink, o->yield))
        open_ordered(w, o, i);
}

/* ---- the points ---- */

bool bins_have_points(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (bins_is(&w->outs[i]) && !w->outs[i].is_ordered)
            return true;
    return false;
}

static void check_place(Writer *w, const Out *o, const char *leave) {
    Cu *cu = &w->cu;
    cu_line(cu, "if ((u64)y%d >= (u64)%s) {", o->first, o->bins);
    cu_line(cu, "    *%s = 1;", cu->fault);
    cu_line(cu, "    %s", leave);
    cu_line(cu, "}");
}

/* A histogram of few bins is made in shared memory first; its number, for names, or -1. Counts are of 32
   bits there, as no block has more points. */
static int number_in_shared(const Writer *w, const Out *o) {
    enum { MOST = 4 };
    int n = 0;
    if (o->sink->kind != SINK_HIST || o->is_ordered)
        return -1;
    for (const Out *other = w->outs; other < o; other++)
        n += other->sink->kind == SINK_HIST && !other->is_ordered;
    return n < MOST ? n : -1;
}

static bool is_count(Writer *w, const Out *o) {
    int64_t one;
    IrId value = w->cu.k->body->results.at[o->sink->yield + 1];
    return o->sink->op == IR_ADD && ir_const_int(w->cu.ir, value, &one) && one == 1;
}

bool bins_are_shared(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (number_in_shared(w, &w->outs[i]) >= 0)
            return true;
    return false;
}

void bins_open_shared(Writer *w) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        int n = number_in_shared(w, o);
        if (n < 0)
            continue;
        bool counts = is_count(w, o);
        cu_line(cu, "GX_SHARED_ARRAY(%s, bins%d, GX_FEW_BINS);", counts ? "u32" : o->fold.type, n);
        cu_line(cu, "const i64 few%d = %s <= GX_FEW_BINS ? %s : 0;", n, o->bins, o->bins);
        cu_line(cu, "for (i64 bin = threadIdx.x; bin < few%d; bin += blockDim.x) bins%d[bin] = %s;", n, n,
                counts ? "0" : o->fold.identity);
    }
    if (bins_are_shared(w))
        cu_line(cu, "gx_sync();");
}

void bins_close_shared(Writer *w) {
    Cu *cu = &w->cu;
    if (bins_are_shared(w))
        cu_line(cu, "gx_sync();");
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        int n = number_in_shared(w, o);
        if (n < 0)
            continue;
        cu_line(cu, "for (i64 bin = threadIdx.x; bin < few%d; bin += blockDim.x)", n);
        cu_line(cu, "    if (bins%d[bin] != %s) gx_atomic_%s(&%s[bin], (%s)bins%d[bin]);", n,
                is_count(w, o) ? "0" : o->fold.identity, ir_kind_name(o->sink->op), o->data[0], o->fold.type, n);
    }
}

static void put_by_atomic(Writer *w, const Out *o) {
    Cu *cu = &w->cu;
    const char *op = ir_kind_name(o->sink->op);
    int n = number_in_shared(w, o), bin = o->first;
    if (n >= 0) {
        const char *value = is_count(w, o) ? "1u" : arena_printf(cu->arena, "y%d", bin + 1);
        cu_line(cu, "if (few%d) gx_atomic_%s(&bins%d[y%d], %s);", n, op, n, bin, value);
    }
    cu_line(cu, "%sgx_atomic_%s(&%s[y%d], y%d);", n < 0 ? "" : "else ", op, o->data[0], bin, bin + 1);
}

void bins_put(Writer *w, const char *leave) {
    Cu *cu = &w->cu;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!bins_is(o) || o->is_ordered)
            continue;
        check_place(w, o, leave);
        if (o->last)
            cu_line(cu, "gx_fetch_max(&%s[y%d], (u64)p + 1);", o->last, o->first);
        else
            put_by_atomic(w, o);
    }
}

/* Begins memory: tables of zeros, copies of what is scattered to. */
void bins_begin(Writer *w) {
    Cu *cu = &w->cu;
    if (!bins_have_points(w))
        return;
    writer_open_phase(w, KERNEL_PLAIN, "_tables", GACT_GRID_POINTS);
    for (int i = 0; i < w->nouts; i++) {
        Out *o = &w->outs[i];
        if (!bins_is(o) || o->is_ordered)
            continue;
        bool is_scatter = o->sink->kind == SINK_SCATTER;
        Text *arg = cu_value(cu, cu->k->op->args[o->sink->arg]);
        const char *n = o->is_row ? arena_printf(cu->arena, "%s * %s", o->bins, o->part) : o->bins;
        cu_line(cu, "GX_UNROLL1");
        cu_line(cu, "for (i64 p = gx_thread(); p < %s; p += gx_threads()) {", n);
        for (int c = 0; c < o->l->ncols; c++)
            cu_line(cu, "    %s[p] = %s;", o->data[c],
                    is_scatter ? arena_printf(cu->arena, "%s[p]", arg->s[layout_col_slot(o->l, c) + 1])
                               : o->zero);
        cu_line(cu, "}");
    }
    writer_close_phase(w);
}

/* ---- scatters: the last write ---- */

/* The condition that point p is the one that stays at `place`. */
static const char *is_last(Writer *w, const Out *o, const char *place) {
    return arena_printf(w->cu.arena, "(u64)%s < (u64)%s && %s[%s] == (u64)p + 1", place, o->bins, o->last, place);
}

void bins_row(Writer *w, const Out *o, const char *place, IrId row) {
    Cu *cu = &w->cu;
    Text *v = cu_value(cu, row);
    Layout *l = cu_layout(cu, row);
    if (!v->s)
        return;
    const char *n = v->s[0], *p = cu_name(cu, "p");
    for (int d = 1; d < l->rank; d++)
        n = arena_printf(cu->arena, "%s * %s", n, v->s[d]);
    cu_line(cu, "if (%s != %s) %s", n, o->part, cu->fail);
    cu->out->can_fault = true;
    cu_line(cu, "if (stores && %s) {", is_last(w, o, place));
    cu_line(cu, "    GX_UNROLL1");
    cu_line(cu, "    for (i64 %s = 0; %s < %s; %s++) {", p, p, o->part, p);
    for (int c = 0; c < o->l->ncols; c++)
        cu_line(cu, "        %s[%s * %s + %s] = %s[%s];", o->data[c], place, o->part, p,
                v->s[layout_col_slot(l, c) + 1], p);
    cu_line(cu, "    }");
    cu_line(cu, "}");
}

static bool has_last(const Writer *w) {
    for (int i = 0; i < w->nouts; i++)
        if (w->outs[i].last)
            return true;
    return false;
}

static void write_last(Writer *w) {
    Cu *cu = &w->cu;
    writer_open_phase(w, KERNEL_PLAIN, "_last", GACT_GRID_POINTS);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 p = gx_thread(); p < %s; p += gx_threads()) {", w->total);
    cu->indent++;
    w->stores = true;
    writer_point(w, "return;");
    w->stores = false;
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        if (!o->last || o->is_row)
            continue;
        const char *place = arena_printf(cu->arena, "y%d", o->first);
        cu_line(cu, "if (%s) {", is_last(w, o, place));
        cu->indent++;
        writer_store(w, o, place, 1);
        cu->indent--;
        cu_line(cu, "}");
    }
    cu->indent--;
    cu_line(cu, "}");
    writer_close_phase(w);
}

/* ---- in order ---- */

/* What a bin begins with, and the operator. */
static void write_start(Writer *w, const Out *o) {
    Cu *cu = &w->cu;
    const char *type = o->fold.type;
    cu_line(cu, "const gx_tables<%s> tables = {%s, %s, %s, %s, gx_table_count(%s, %s)};", type, o->rows, o->seen,
            o->bins, o->chunk, w->total, o->chunk);
    cu_line(cu, "const auto op = %s;", o->fold.op);
    if (o->zero) {
        cu_line(cu, "const auto start = [&](const i64) -> %s { return %s; };", type, o->zero);
        return;
    }
    const Text *dest = cu_value(cu, cu->k->op->args[o->sink->arg]);
    const char **s = cu_slots(cu, o->fold.l->nslots);
    cu_line(cu, "const auto start = [&](const i64 bin) -> %s {", type);
    cu->indent++;
    cu_load(cu, o->l->elem, dest->s + o->l->rank, "bin", "old_", s);
    cu_line(cu, "return %s;", cu_make(cu, o->fold.l, s));
    cu->indent--;
    cu_line(cu, "};");
}

static void write_fold(Writer *w, const Out *o, const char *number) {
    Cu *cu = &w->cu;
    writer_open_phase(w, KERNEL_WAITS, arena_printf(cu->arena, "_fold%s", number), GACT_GRID_FULL);
    cu_line(cu, "GX_SHARED(gx_table_block<%s>, shared);", o->fold.type);
    write_start(w, o);
    cu_line(cu, "const auto load = [&](const i64 p, %s *const value) -> i64 {", o->fold.type);
    cu->indent++;
    writer_point(w, "return -1;");
    check_place(w, o, "return -1;");
    cu_line(cu, "*value = %s;", writer_result(w, o, 1));
    cu_line(cu, "return y%d;", o->first);
    cu->indent--;
    cu_line(cu, "};");
    cu_line(cu, "gx_table_fold(shared, tables, %s, load, start, op);", w->total);
    writer_close_phase(w);
}

static void write_join(Writer *w, const Out *o, const char *number) {
    Cu *cu = &w->cu;
    const char **s = cu_slots(cu, o->fold.l->nslots);
    for (int i = 0; i < o->fold.l->nslots; i++)
        s[i] = cu_member(cu, o->fold.l, "v", i);
    writer_open_phase(w, KERNEL_PLAIN, arena_printf(cu->arena, "_join%s", number), GACT_GRID_POINTS);
    write_start(w, o);
    cu_line(cu, "const auto store = [&](const i64 bin, const %s &v) {", o->fold.type);
    cu->indent++;
    cu_store(cu, o->l->elem, o->data, "bin", s);
    cu->indent--;
    cu_line(cu, "};");
    cu_line(cu, "gx_table_join(tables, start, store, op);");
    writer_close_phase(w);
}

void bins_end(Writer *w) {
    if (has_last(w))
        write_last(w);
    for (int i = 0; i < w->nouts; i++) {
        const Out *o = &w->outs[i];
        const char *number = w->nouts == 1 ? "" : arena_printf(w->cu.arena, "%d", i);
        if (!o->is_ordered)
            continue;
        write_fold(w, o, number);
        write_join(w, o, number);
    }
}
