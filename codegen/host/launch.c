/* Kernels that a device may run. The host code of one fills words and asks the runtime to launch it; where
   the runtime declines, the usual code follows. A buffer's newest content may then be on the device
   alone, so host code at the top brings what it reads: every op that looks into arrays, once before a loop
   in which nothing is launched. Inside of kernels nothing has to be brought, as nothing is launched there
   (ctx->device is NULL). */
#include "kernel.h"

#include "../cuda/cuda.h"

#include <stddef.h>
#include <string.h>

#define B (f->e->B)

static LLVMValueRef device_at(Fn *f) {
    return fn_at_index(f, f->e->i8, f->ctx, fn_int(f, offsetof(GactCtx, device)));
}

/* ---- bringing ---- */

static void bring_buffer(Fn *f, LLVMValueRef buf, bool is_written, bool more) {
    Emit *e = f->e;
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i32, e->i32};
    LLVMValueRef args[] = {f->ctx, buf, LLVMConstInt(e->i32, is_written, 0), LLVMConstInt(e->i32, more, 0)};
    api_call(f, offsetof(GactApi, to_host), LLVMFunctionType(e->vd, params, 4, 0), args, 4);
}

/* Begins to bring a value; launch_bring_all ends it. */
static void bring_value(Fn *f, IrId id, bool is_written) {
    Value *v = value_of(f, id);
    Layout *l = value_layout(f, id);
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF && !LLVMIsNull(v->s[k]))
            bring_buffer(f, v->s[k], is_written, true);
}

/* Values of an op, regions included, that come from outside of it. */
static void outside(Fn *f, const IrOp *op, const char *inner, char *seen) {
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] && !inner[op->args[k]])
            seen[op->args[k]] = 1;
    for (int r = 0; r < op->nregions; r++) {
        const IrRegion *region = op->regions[r];
        for (int k = 0; k < region->results.len; k++)
            if (!inner[region->results.at[k]])
                seen[region->results.at[k]] = 1;
        for (int k = 0; k < region->ops.len; k++)
            outside(f, ir_op(f->ir, region->ops.at[k]), inner, seen);
    }
}

static bool has_buffers(Fn *f, IrId id) {
    Layout *l = value_layout(f, id);
    for (int k = 0; k < l->nslots; k++)
        if (l->slots[k].kind == SLOT_BUF)
            return true;
    return false;
}

void launch_bring_all(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    int n = f->ir->ops.len;
    char *inner = NEW_ARRAY(f->e->arena, char, n + 1), *seen = NEW_ARRAY(f->e->arena, char, n + 1);
    for (int r = 0; r < op->nregions; r++) {
        char *part = region_inner(f, op->regions[r]);
        for (int k = 0; k < n; k++)
            inner[k] |= part[k];
    }
    outside(f, op, inner, seen);
    LLVMBasicBlockRef bring = fn_block(f, "bring"), go = fn_block(f, "brought");
    LLVMValueRef device = fn_get(f, f->e->ptr, device_at(f));
    fn_cond(f, fn_cmp(f, LLVMIntNE, device, LLVMConstNull(f->e->ptr)), bring, go);
    fn_at(f, bring);
    for (int v = 1; v < n; v++) {
        if (!seen[v] || !value_of(f, (IrId)v)->s || !has_buffers(f, (IrId)v))
            continue;
        bool is_written = false;
        for (int k = 0; k < op->nargs; k++)
            is_written |= op->args[k] == (IrId)v && op_consumes(f, op, k);
        bring_value(f, (IrId)v, is_written);
    }
    bring_buffer(f, LLVMConstNull(f->e->ptr), false, false);
    fn_br(f, go);
    fn_at(f, go);
}

/* Can anything in the region be launched? */
static bool launches(Fn *f, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(f->ir, region->ops.at[k]);
        if (op->kind == IR_KERNEL || (op->kind == IR_CALL && !op->callee->is_lanewise) ||
            library_takes(f, region->ops.at[k]))
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (launches(f, op->regions[r]))
                return true;
    }
    return false;
}

/* Does the code of an op look into arrays? */
static bool looks(Fn *f, const IrOp *op) {
    switch ((int)op->kind) {
    case IR_INDEX: return op->nargs - 1 == value_layout(f, op->args[0])->rank;
    case IR_TAG: return layout_is_array(value_type(f, op->args[0]));
    case IR_FLAT:
    case IR_LIST:
    case IR_UPDATE:
    case IR_CONCAT:
    case IR_SORT:
    case IR_MATMUL:
    case IR_RT: return true;
    default: return false;
    }
}

void launch_bring(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    if (f->in_kernel || f->is_host || !f->e->options->has_device)
        return;
    if (looks(f, op) && !library_takes(f, id))
        launch_bring_all(f, id);
}

bool launch_is_host_loop(Fn *f, IrId id) {
    const IrOp *op = ir_op(f->ir, id);
    if (f->in_kernel || f->is_host || !f->e->options->has_device)
        return false;
    if (op->kind != IR_FOR && op->kind != IR_LOOP)
        return false;
    for (int r = 0; r < op->nregions; r++)
        if (launches(f, op->regions[r]))
            return false;
    launch_bring_all(f, id);
    return true;
}

/* ---- tables ---- */

static LLVMValueRef i32(Emit *e, int64_t value) {
    return LLVMConstInt(e->i32, (uint64_t)value, 0);
}

static LLVMValueRef strukt(Emit *e, LLVMValueRef *fields, int n) {
    return LLVMConstStructInContext(e->C, fields, (unsigned)n, 0);
}

static LLVMValueRef array_of(Emit *e, LLVMValueRef *rows, int n, const char *name) {
    if (n == 0)
        return LLVMConstNull(e->ptr);
    return table_global(e, LLVMConstArray2(LLVMTypeOf(rows[0]), rows, (uint64_t)n), name);
}

static LLVMValueRef args_table(Emit *e, const CudaKernel *c) {
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, c->args.len + 1);
    for (int k = 0; k < c->args.len; k++) {
        const GactDeviceArg *a = &c->args.at[k];
        LLVMValueRef fields[] = {i32(e, a->kind),  i32(e, a->at),   i32(e, a->count),
                                 i32(e, a->bytes), i32(e, a->unit), i32(e, a->zeroed),
                                 i32(e, a->one_more), i32(e, a->is_cut)};
        rows[k] = strukt(e, fields, 8);
    }
    return array_of(e, rows, c->args.len, "args");
}

static LLVMValueRef phases_table(Emit *e, const CudaKernel *c) {
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, c->phases.len + 1);
    for (int k = 0; k < c->phases.len; k++) {
        const GactDevicePhase *p = &c->phases.at[k];
        LLVMValueRef fields[] = {table_string(e, p->name), i32(e, p->grid), i32(e, p->has_points), i32(e, p->each),
                                 i32(e, 0)};
        rows[k] = strukt(e, fields, ARRAY_LEN(fields));
    }
    return array_of(e, rows, c->phases.len, "phases");
}

static int word_index(const CudaKernel *c, CudaWordKind kind) {
    for (int k = 0; k < c->words.len; k++)
        if (c->words.at[k].kind == kind)
            return k;
    return 0;
}

static LLVMValueRef kernel_row(Kernel *k, const CudaKernel *c, bool is_later) {
    Emit *e = k->f->e;
    const IrNode *node = &k->f->ir->nodes.at[k->op->node];
    int pinned = k->op->node ? (int)node->place : PLACE_AUTO;
    k->info = table_info(e, k->f->ir, k->op);
    LLVMValueRef fields[] = {
        table_string(e, c->name),
        table_string(e, c->text),
        k->info,
        site_memory(k->f, k->op),
        args_table(e, c),
        phases_table(e, c),
        i32(e, c->args.len),
        i32(e, c->phases.len),
        i32(e, c->nresults),
        i32(e, c->can_fault),
        i32(e, word_index(c, WORD_TOTAL)),
        i32(e, word_index(c, WORD_CHUNKS)),
        i32(e, pinned),
        i32(e, kernel_point_bytes(k)),
        i32(e, e->kernels.len),
        i32(e, is_later),
        i32(e, c->is_cut),
        i32(e, c->sized),
    };
    LLVMValueRef row = table_global(e, strukt(e, fields, ARRAY_LEN(fields)), "device_kernel");
    vec_push(e->arena, &e->kernels, (struct CudaKernel *)c);
    vec_push(e->arena, &e->kernel_rows, row);
    return row;
}

LLVMValueRef launch_table(Emit *e) {
    return array_of(e, e->kernel_rows.at, e->kernel_rows.len, "kernels");
}

/* ---- words ---- */

typedef struct {
    Kernel *k;
    Fn *f;
    const CudaKernel *c;
    LLVMValueRef **outs; /* of each sink: the slots of its output */
    LLVMValueRef *parts; /* elements of a row, where it has rows */
    LLVMValueRef results;
    bool is_later; /* its sums stay in `results` until they are needed */
} Launch;

/* A slot as a word: what is narrower stands in the low bytes. */
static LLVMValueRef word_of(Fn *f, LLVMValueRef v) {
    LLVMTypeRef type = LLVMTypeOf(v), i64 = f->e->i64;
    switch (LLVMGetTypeKind(type)) {
    case LLVMPointerTypeKind: return LLVMBuildPtrToInt(B, v, i64, "");
    case LLVMFloatTypeKind: return LLVMBuildZExt(B, LLVMBuildBitCast(B, v, f->e->i32, ""), i64, "");
    case LLVMDoubleTypeKind: return LLVMBuildBitCast(B, v, i64, "");
    default: return LLVMBuildZExtOrBitCast(B, v, i64, "");
    }
}

/* Points of a chunk of a table that is made in order; *cells: bins of the tables of all chunks. A scatter has
   one chunk. */
static LLVMValueRef table_word(Launch *l, int sink, LLVMValueRef *cells) {
    Fn *f = l->f;
    Sink s = l->k->sinks[sink];
    s.fold = FOLD_PIECES;
    LLVMValueRef one = fn_int(f, 1), size = fn_max(f, l->k->total, one), n = one;
    LLVMValueRef bins = value_of(f, l->k->op->args[s.sink->arg])->s[0];
    if (s.sink->kind == SINK_HIST) {
        size = table_chunk(l->k, &s);
        n = LLVMBuildUDiv(B, fn_add(f, l->k->total, fn_sub(f, size, one)), size, "");
    }
    *cells = kernel_product(f, fn_max(f, bins, fn_int(f, 0)), fn_max(f, n, one), s.site);
    return size;
}

/* NULL: it is not known before the kernel runs. */
static LLVMValueRef word_value(Launch *l, const CudaWord *w) {
    Fn *f = l->f;
    Kernel *k = l->k;
    LLVMValueRef most;
    switch (w->kind) {
    case WORD_SLOT: return value_of(f, w->id)->s[w->slot];
    case WORD_DIM: return k->dims[w->slot];
    case WORD_TOTAL: return k->total;
    case WORD_CHUNKS:
        most = fn_add(f, k->total, fn_int(f, CHUNK - 1));
        return LLVMBuildUDiv(B, most, fn_int(f, CHUNK), "");
    case WORD_COUNT: return array_total(f, w->l, value_of(f, w->id)->s + w->slot);
    case WORD_LATER: return later_place(f, w->id, w->slot);
    case WORD_ROWS: return hoist_total(f, k->body, w->id);
    case WORD_PART: return l->parts[w->sink];
    case WORD_TABLE: return table_word(l, w->sink, &most);
    case WORD_CELLS: table_word(l, w->sink, &most); return most;
    case WORD_ROOM:
        return array_total(f, layout_of(f->e, k->sinks[w->sink].sink->type), l->outs[w->sink]);
    case WORD_BUF:
    case WORD_DATA: {
        Layout *out = layout_of(f->e, k->sinks[w->sink].sink->type);
        return l->outs[w->sink][layout_col_slot(out, w->slot) + (w->kind == WORD_DATA)];
    }
    }
    UNREACHABLE();
}

static LLVMValueRef fill_words(Launch *l) {
    Fn *f = l->f;
    int n = l->c->words.len;
    LLVMValueRef words = fn_alloca(f, LLVMArrayType2(f->e->i64, (uint64_t)n), "words");
    for (int k = 0; k < n; k++) {
        LLVMValueRef v = word_value(l, &l->c->words.at[k]);
        if (!v)
            return NULL;
        fn_set(f, fn_at_index(f, f->e->i64, words, fn_int(f, k)), word_of(f, v));
    }
    return words;
}

/* ---- outputs ---- */

/* The dims of a sink's output; false if one is not known before. */
static bool output_dims(Launch *l, int i, const Layout *out, LLVMValueRef *dims) {
    Fn *f = l->f;
    Kernel *k = l->k;
    const IrSink *sink = k->sinks[i].sink;
    if (sink->kind == SINK_SCATTER) {
        for (int d = 0; d < out->rank; d++)
            dims[d] = value_of(f, k->op->args[sink->arg])->s[d];
        return true;
    }
    int nspace = sink->kind == SINK_FILTER || sink->kind == SINK_HIST ? 1 : k->rank;
    for (int d = 0; d < nspace; d++)
        dims[d] = k->dims[d];
    if (sink->kind == SINK_FILTER)
        dims[0] = k->total;
    if (sink->kind == SINK_HIST)
        dims[0] = fn_max(f, value_scalar(f, k->op->args[sink->arg]), fn_int(f, 0));
    l->parts[i] = fn_int(f, 1);
    for (int d = nspace; d < out->rank; d++) {
        dims[d] = hoist_dim(f, k->body, k->body->results.at[sink->yield], d - nspace);
        if (!dims[d])
            return false;
        l->parts[i] = kernel_product(f, l->parts[i], dims[d], k->sinks[i].site);
    }
    return true;
}

/* Columns for an output; a filter's are only room. */
static void make_output(Launch *l, int i) {
    Fn *f = l->f;
    Emit *e = f->e;
    Sink *s = &l->k->sinks[i];
    Layout *out = layout_of(e, s->sink->type);
    LLVMValueRef count = fn_int(f, 1);
    for (int d = 0; d < out->rank; d++)
        count = kernel_product(f, count, l->outs[i][d], s->site);
    if (s->sink->kind != SINK_FILTER) {
        array_alloc(f, out, s->site, count, l->outs[i] + out->rank);
        return;
    }
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->ptr, params, 3, 0);
    for (int c = 0; c < out->ncols; c++) {
        LLVMValueRef room = kernel_product(f, count, fn_int(f, out->cols[c].bytes), s->site);
        LLVMValueRef args[] = {f->ctx, s->site, room}, *col = l->outs[i] + layout_col_slot(out, c);
        col[0] = api_call(f, offsetof(GactApi, reserve), type, args, 3);
        col[1] = api_data(f, col[0]);
    }
}

static bool is_sum(const Sink *s) {
    return s->sink->kind == SINK_REDUCE || s->sink->kind == SINK_PICK;
}

/* Is it made by the runtime, once the launch has found its size? As codegen/cuda/lists.c has it. */
static bool is_built(const Sink *s) {
    SinkKind kind = s->sink->kind;
    return kind == SINK_LIST || kind == SINK_FLATMAP ||
           (!s->l->is_regular && (kind == SINK_MAP || kind == SINK_FILTER));
}

/* Is its array made before the launch? */
static bool is_array_sink(const Sink *s) {
    return !is_sum(s) && !is_built(s);
}

static LLVMValueRef result_word(Launch *l, int at) {
    return fn_get(l->f, l->f->e->i64, fn_at_index(l->f, l->f->e->i64, l->results, fn_int(l->f, at)));
}

/* The results of a list: how many elements each level has, then the buffers of the columns. */
static LLVMValueRef *read_built(Launch *l, int i, int *at) {
    Fn *f = l->f;
    const Sink *sink = &l->k->sinks[i];
    Layout *out = sink->l;
    LLVMValueRef *s = slots_new(f, out->nslots);
    bool is_space = sink->sink->kind == SINK_MAP || sink->sink->kind == SINK_LIST;
    for (int d = 0; d < out->rank; d++)
        s[d] = is_space ? l->k->dims[d] : result_word(l, *at);
    for (int c = 0; c < out->ncols; c++) {
        LLVMValueRef *col = s + layout_col_slot(out, c);
        col[0] = LLVMBuildIntToPtr(B, result_word(l, *at + out->nlevels + c), f->e->ptr, "");
        col[1] = api_data(f, col[0]);
    }
    *at += out->nlevels + out->ncols;
    return s;
}

/* Results of sums come as words. */
static LLVMValueRef *read_results(Launch *l, int i, int *at) {
    Fn *f = l->f;
    Layout *y = layout_of(f->e, l->k->sinks[i].sink->type);
    LLVMValueRef *s = slots_load_abi(f, y, l->results, *at);
    *at += y->nslots;
    return s;
}

/* How many a filter kept: its size, and what its room has become. */
static void settle_filter(Launch *l, int i, int *at) {
    Fn *f = l->f;
    Emit *e = f->e;
    Layout *out = layout_of(e, l->k->sinks[i].sink->type);
    LLVMValueRef kept = fn_get(f, e->i64, fn_at_index(f, e->i64, l->results, fn_int(f, (*at)++)));
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->i64, e->i64};
    LLVMTypeRef type = LLVMFunctionType(e->vd, params, 4, 0);
    l->outs[i][0] = kept;
    for (int c = 0; c < out->ncols; c++) {
        LLVMValueRef bytes = fn_mul(f, kept, fn_int(f, out->cols[c].bytes));
        LLVMValueRef args[] = {f->ctx, l->outs[i][layout_col_slot(out, c)], bytes, bytes};
        api_call(f, offsetof(GactApi, settle), type, args, 4);
    }
}

/* The slots of the kernel's value after a launch. */
static LLVMValueRef *launched(Launch *l) {
    Fn *f = l->f;
    Kernel *k = l->k;
    LLVMValueRef *s = slots_new(f, value_layout(f, k->id)->nslots);
    for (int i = 0, n = 0, at = 0; i < k->nsinks; i++) {
        Layout *out = layout_of(f->e, k->sinks[i].sink->type);
        const Sink *sink = &k->sinks[i];
        if (sink->sink->kind == SINK_FILTER && !is_built(sink))
            settle_filter(l, i, &at);
        LLVMValueRef *from = is_array_sink(sink) ? l->outs[i]
                             : is_built(sink)    ? read_built(l, i, &at)
                             : l->is_later       ? slots_new(f, out->nslots)
                                                 : read_results(l, i, &at);
        for (int j = 0; j < out->nslots; j++)
            s[n++] = from[j];
        bool is_taken = k->sinks[i].sink->kind == SINK_SCATTER && op_consumes(f, k->op, k->sinks[i].sink->arg);
        if (is_taken || sink_writes_over(k, &k->sinks[i])) /* a fresh array took its place */
            slots_release(f, value_layout(f, k->op->args[k->sinks[i].sink->arg]),
                          value_of(f, k->op->args[k->sinks[i].sink->arg])->s);
    }
    return s;
}

/* ---- a kernel ---- */

/* Fills the words and calls the runtime: an i1, has it run? false where sizes are not known. */
static LLVMValueRef call_launch(Launch *l) {
    Fn *f = l->f;
    Emit *e = f->e;
    LLVMValueRef words = fill_words(l);
    if (!words)
        return LLVMConstNull(e->i1);
    LLVMValueRef row = kernel_row(l->k, l->c, l->is_later);
    LLVMTypeRef params[] = {e->ptr, e->ptr, e->ptr, e->ptr};
    LLVMTypeRef type = LLVMFunctionType(e->i32, params, 4, 0);
    LLVMValueRef args[] = {f->ctx, row, words, l->results};
    LLVMValueRef ran = api_call(f, offsetof(GactApi, launch), type, args, 4);
    return fn_cmp(f, LLVMIntNE, ran, LLVMConstNull(e->i32));
}

static void release_outputs(Launch *l) {
    for (int i = 0; i < l->k->nsinks; i++)
        if (is_array_sink(&l->k->sinks[i]))
            slots_release(l->f, layout_of(l->f->e, l->k->sinks[i].sink->type), l->outs[i]);
}

/* Are the sizes of all rows known? Then the dims of the outputs are set. */
static bool open_outputs(Launch *l) {
    Fn *f = l->f;
    for (int i = 0; i < l->k->nsinks; i++) {
        Sink *s = &l->k->sinks[i];
        Layout *out = s->l = layout_of(f->e, s->sink->type);
        s->site = site_memory(f, l->k->op);
        if (!is_array_sink(s))
            continue;
        l->outs[i] = slots_new(f, out->nslots);
        if (!output_dims(l, i, out, l->outs[i]))
            return false;
    }
    return true;
}

/* The kernel's host code, with nothing launched inside. */
static LLVMValueRef *host_code(Fn *f, Kernel *k) {
    LLVMValueRef device = fn_get(f, f->e->ptr, device_at(f)), *s;
    launch_bring_all(f, k->id);
    fn_set(f, device_at(f), LLVMConstNull(f->e->ptr));
    bool was_host = f->is_host;
    f->is_host = true;
    s = emit_kernel_here(f, k);
    f->is_host = was_host;
    fn_set(f, device_at(f), device);
    return s;
}

/* Stores the sums that the host's code has found where those of a launch would come. */
static void store_results(Launch *l, LLVMValueRef const *s) {
    for (int i = 0, n = 0, at = 0; i < l->k->nsinks; i++) {
        Layout *y = layout_of(l->f->e, l->k->sinks[i].sink->type);
        if (is_sum(&l->k->sinks[i])) {
            slots_store_abi(l->f, y, l->results, at, s + n);
            at += y->nslots;
        }
        n += y->nslots;
    }
}

/* Slots that are not known on the way from[0] stay so. */
static void join(Fn *f, IrId id, LLVMValueRef **from, LLVMBasicBlockRef *ends) {
    int n = value_layout(f, id)->nslots;
    LLVMValueRef *s = slots_new(f, n);
    for (int k = 0; k < n; k++) {
        if (!from[0][k])
            continue;
        s[k] = LLVMBuildPhi(B, LLVMTypeOf(from[1][k]), "");
        LLVMAddIncoming(s[k], (LLVMValueRef[]){from[0][k], from[1][k]}, ends, 2);
    }
    value_set(f, id, s, n);
}

/* Host code of an op with nothing launched inside. */
static LLVMValueRef *host_op(Fn *f, IrId id, void (*host)(Fn *f, IrId id)) {
    LLVMValueRef device = fn_get(f, f->e->ptr, device_at(f));
    launch_bring_all(f, id);
    fn_set(f, device_at(f), LLVMConstNull(f->e->ptr));
    f->is_host = true;
    host(f, id);
    f->is_host = false;
    fn_set(f, device_at(f), device);
    return value_of(f, id)->s;
}

void launch_either(Fn *f, IrId id, LLVMValueRef points, void (*on_device)(Fn *f, IrId id),
                   void (*on_host)(Fn *f, IrId id)) {
    if (f->in_kernel || f->is_host || !f->e->options->has_device) {
        on_host(f, id);
        return;
    }
    LLVMBasicBlockRef device = fn_block(f, "device"), host = fn_block(f, "host"), done = fn_block(f, "done");
    LLVMBasicBlockRef ends[2], ask = fn_block(f, "ask");
    LLVMValueRef *slots[2], some = fn_get(f, f->e->ptr, device_at(f));
    fn_cond(f, fn_cmp(f, LLVMIntNE, some, LLVMConstNull(f->e->ptr)), ask, host);
    fn_at(f, ask);
    LLVMTypeRef type = LLVMFunctionType(f->e->i32, (LLVMTypeRef[]){f->e->ptr, f->e->i64}, 2, 0);
    LLVMValueRef args[] = {f->ctx, points};
    LLVMValueRef pays = api_call(f, offsetof(GactApi, on_device), type, args, 2);
    fn_cond(f, fn_cmp(f, LLVMIntNE, pays, LLVMConstNull(f->e->i32)), device, host);
    fn_at(f, device);
    bool was_spare = f->is_spare;
    f->is_spare = true;
    on_device(f, id);
    f->is_spare = was_spare;
    slots[0] = value_of(f, id)->s;
    ends[0] = fn_here(f);
    fn_br(f, done);
    fn_at(f, host);
    slots[1] = host_op(f, id, on_host);
    ends[1] = fn_here(f);
    fn_br(f, done);
    fn_at(f, done);
    join(f, id, slots, ends);
}

/* Tells whoever asks where the kernel can run. */
static void tell_place(const Launch *l) {
    const CodegenOptions *options = l->f->e->options;
    if (!options->place)
        return;
    CodegenPlace place = {.why = l->c->why,
                          .where = l->c->where,
                          .ops = kernel_weight(l->f->ir, l->k->op).ops,
                          .bytes = kernel_point_bytes(l->k)};
    options->place(options->place_data, l->f->ir, l->k->op, &place);
}

bool launch_kernel(Fn *f, IrId id) {
    Emit *e = f->e;
    if (f->in_kernel || f->is_host || !e->options->has_device)
        return false;
    Kernel kernel;
    kernel_open(&kernel, f, id);
    Launch launch = {.k = &kernel, .f = f, .c = cuda_kernel(&kernel)}, *l = &launch;
    tell_place(l);
    if (l->c->why) {
        later_need(f, id);
        e->nhost_kernels++;
        value_set(f, id, host_code(f, &kernel), value_layout(f, id)->nslots);
        return true;
    }
    l->is_later = later_may(&kernel, l->c);
    l->results = fn_alloca(f, LLVMArrayType2(e->i64, (uint64_t)(l->c->nresults ? l->c->nresults : 1)), "results");
    l->outs = NEW_ARRAY(e->arena, LLVMValueRef *, kernel.nsinks);
    l->parts = slots_new(f, kernel.nsinks);
    LLVMBasicBlockRef ask = fn_block(f, "ask"), ran = fn_block(f, "launched"),
                      declined = fn_block(f, "declined"), host = fn_block(f, "host"),
                      done = fn_block(f, "done"), ends[2];
    LLVMValueRef device = fn_get(f, e->ptr, device_at(f)), *slots[2];
    fn_cond(f, fn_cmp(f, LLVMIntNE, device, LLVMConstNull(e->ptr)), ask, host);
    fn_at(f, ask);
    if (open_outputs(l)) {
        for (int i = 0; i < kernel.nsinks; i++)
            if (is_array_sink(&kernel.sinks[i]))
                make_output(l, i);
        fn_cond(f, call_launch(l), ran, declined);
        fn_at(f, declined);
        release_outputs(l);
        fn_br(f, host);
        fn_at(f, ran);
        slots[0] = launched(l);
    } else { /* only when it runs */
        e->nhost_kernels++;
        fn_br(f, host);
        fn_at(f, declined);
        fn_br(f, host);
        fn_at(f, ran);
        slots[0] = slots_empty(f, value_layout(f, id));
    }
    ends[0] = fn_here(f);
    fn_br(f, done);
    fn_at(f, host);
    Kernel again;
    kernel_open(&again, f, id);
    again.info = kernel.info; /* so that both places have one row in the profile */
    bool peeks = later_peek(f, id);
    slots[1] = host_code(f, &again);
    if (peeks)
        later_unpeek(f);
    if (l->is_later)
        store_results(l, slots[1]);
    ends[1] = fn_here(f);
    fn_br(f, done);
    fn_at(f, done);
    join(f, id, slots, ends);
    if (l->is_later)
        later_add(&kernel, l->results, value_of(f, id)->s);
    return true;
}
