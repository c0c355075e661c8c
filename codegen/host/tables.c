/* The constant tables of an image: texts, type descriptors, fault sites, kernel infos, sources. */
#include "emit.h"

#include "../../compiler/ast.h"

#include <string.h>

LLVMValueRef table_global(Emit *e, LLVMValueRef init, const char *name) {
    LLVMValueRef g = LLVMAddGlobal(e->M, LLVMTypeOf(init), name);
    LLVMSetInitializer(g, init);
    LLVMSetGlobalConstant(g, 1);
    LLVMSetLinkage(g, LLVMPrivateLinkage);
    return g;
}

LLVMValueRef table_bytes(Emit *e, const char *bytes, size_t len) {
    LLVMValueRef g = table_global(e, LLVMConstStringInContext2(e->C, bytes, len, 0), "text");
    LLVMSetUnnamedAddress(g, LLVMGlobalUnnamedAddr);
    return g;
}

/* Equal texts share one constant: most are kinds and messages of faults. */
static LLVMValueRef *string_place(Emit *e, Name name) {
    if (2 * e->nstrings >= e->string_room) {
        StringEntry *old = e->strings;
        int n = e->string_room;
        e->string_room = n ? 2 * n : 256;
        e->strings = NEW_ARRAY(e->arena, StringEntry, e->string_room);
        e->nstrings = 0;
        for (int k = 0; k < n; k++)
            if (old[k].name)
                *string_place(e, old[k].name) = old[k].global;
    }
    unsigned mask = (unsigned)e->string_room - 1;
    unsigned at = (unsigned)((uintptr_t)name >> 4) * 2654435761u & mask;
    while (e->strings[at].name && e->strings[at].name != name)
        at = (at + 1) & mask;
    e->nstrings += !e->strings[at].name;
    e->strings[at].name = name;
    return &e->strings[at].global;
}

LLVMValueRef table_string(Emit *e, const char *text) {
    if (!text)
        return LLVMConstNull(e->ptr);
    LLVMValueRef *global = string_place(e, name_cstr(e->m->names, text));
    if (!*global)
        *global = table_bytes(e, text, strlen(text));
    return *global;
}

static LLVMValueRef i32(Emit *e, int64_t value) {
    return LLVMConstInt(e->i32, (uint64_t)value, 0);
}

static LLVMValueRef strukt(Emit *e, LLVMTypeRef type, LLVMValueRef *fields) {
    (void)e;
    return LLVMConstNamedStruct(type, fields, LLVMCountStructElementTypes(type));
}

static LLVMValueRef pointers(Emit *e, LLVMValueRef *items, int n) {
    if (n == 0)
        return LLVMConstNull(e->ptr);
    return table_global(e, LLVMConstArray2(e->ptr, items, (uint64_t)n), "items");
}

LLVMValueRef table_zeros(Emit *e) {
    if (!e->zeros)
        e->zeros = table_global(e, LLVMConstNull(LLVMArrayType2(e->i64, 8)), "zeros");
    return e->zeros;
}

/* ---- types ---- */

int table_kind(const Type *t) {
    static const int kinds[] = {
        [TYPE_BOOL] = GACT_BOOL,     [TYPE_I8] = GACT_I8,     [TYPE_I16] = GACT_I16,
        [TYPE_I32] = GACT_I32,       [TYPE_I64] = GACT_I64,   [TYPE_U8] = GACT_U8,
        [TYPE_U16] = GACT_U16,       [TYPE_U32] = GACT_U32,   [TYPE_U64] = GACT_U64,
        [TYPE_F16] = GACT_F16,       [TYPE_BF16] = GACT_BF16, [TYPE_F32] = GACT_F32,
        [TYPE_F64] = GACT_F64,       [TYPE_HLC] = GACT_HLC,   [TYPE_DURATION] = GACT_DURATION,
        [TYPE_STRING] = GACT_STRING,
    };
    if (t->kind == TYPE_ARRAY)
        return GACT_ARRAY;
    if (type_is_product(t))
        return GACT_PRODUCT;
    return type_is_sum(t) ? GACT_SUM : kinds[t->kind];
}

/* Is this the record `name` of the library's module of the same subject? */
static bool is_library(const Type *t, const char *name) {
    if (t->kind != TYPE_RECORD || !t->decl || strcmp(t->decl->name, name) != 0)
        return false;
    const Module *m = t->decl->module;
    return m && m->is_stdlib;
}

static const char *type_name(const Type *t) {
    if (is_library(t, "Set") || is_library(t, "Map"))
        return "{}";
    bool is_named = t->decl && (t->kind == TYPE_RECORD || t->kind == TYPE_SUM);
    return is_named ? t->decl->name : "";
}

static LLVMValueRef names_of(Emit *e, const Name *names, int n) {
    LLVMValueRef *row = NEW_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int k = 0; k < n; k++)
        row[k] = table_string(e, names ? names[k] : NULL);
    return pointers(e, row, names ? n : 0);
}

static LLVMValueRef types_of(Emit *e, Type *const *items, int n) {
    LLVMValueRef *row = NEW_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int k = 0; k < n; k++)
        row[k] = table_type(e, items[k]);
    return pointers(e, row, n);
}

static LLVMValueRef ctors_of(Emit *e, const Type *t) {
    LLVMValueRef *row = NEW_ARRAY(e->arena, LLVMValueRef, t->nctors + 1);
    for (int k = 0; k < t->nctors; k++) {
        const TypeCtor *c = &t->ctors[k];
        Type *payload = type_tuple(e->m->types, c->items, c->names, c->count);
        LLVMValueRef fields[] = {table_string(e, c->name ? c->name : ""), table_type(e, payload)};
        row[k] = strukt(e, e->ctor_type, fields);
    }
    if (t->nctors == 0)
        return LLVMConstNull(e->ptr);
    return table_global(e, LLVMConstArray2(e->ctor_type, row, (uint64_t)t->nctors), "ctors");
}

LLVMValueRef table_type(Emit *e, Type *type) {
    Layout *l = layout_of(e, type);
    if (l->descriptor)
        return l->descriptor;
    Type *t = l->type;
    bool is_product = type_is_product(t), is_sum = type_is_sum(t);
    int count = is_product ? layout_members(t) : is_sum ? t->nctors : 0;
    LLVMValueRef null = LLVMConstNull(e->ptr);
    LLVMValueRef fields[] = {
        i32(e, table_kind(t)),
        i32(e, l->rank),
        table_string(e, type_text(e->arena, type)),
        table_string(e, type_name(t)),
        t->kind == TYPE_ARRAY ? table_type(e, l->elem) : null,
        i32(e, count),
        i32(e, l->nslots),
        i32(e, layout_elem_cols(e, t)),
        i32(e, is_library(t, "Set") ? GACT_TYPE_VIEW : 0),
        is_product ? types_of(e, t->items, count) : null,
        is_product ? names_of(e, t->names, count) : null,
        is_sum ? ctors_of(e, t) : null,
    };
    return l->descriptor = table_global(e, strukt(e, e->type_type, fields), "type");
}

/* ---- places ---- */

void table_place(Emit *e, Span span, int *file, uint32_t *from, uint32_t *to) {
    *file = -1;
    *from = *to = 0;
    Source *source = span.from ? source_at(e->m->sources, span.from) : NULL;
    if (!source)
        return;
    int k = 0;
    while (k < e->used_sources.len && e->used_sources.at[k] != source)
        k++;
    if (k == e->used_sources.len)
        vec_push(e->arena, &e->used_sources, source);
    *file = k;
    *from = span.from - source->base;
    *to = span.to - source->base;
}

static const char *node_name(const IrFunc *f, const IrOp *op) {
    if (!f || !op || op->node <= 0 || op->node >= f->nodes.len || !f->nodes.at[op->node].name)
        return "";
    return f->nodes.at[op->node].name;
}

LLVMValueRef table_site(Emit *e, const char *kind, const char *text, const IrFunc *f,
                        const IrOp *op) {
    const IrFault *fault =
        op && op->kind != IR_KERNEL && op->kind != IR_CALL && op->kind != IR_STRING ? op->fault
                                                                                    : NULL;
    if (fault) {
        kind = fault->kind;
        text = fault->text;
    }
    Span span = fault && fault->span.from ? fault->span : op ? op->span : f ? f->span : (Span){0};
    int file, other_file;
    uint32_t from, to, other_from, other_to;
    table_place(e, span, &file, &from, &to);
    table_place(e, fault ? fault->other : (Span){0}, &other_file, &other_from, &other_to);
    LLVMValueRef fields[] = {
        table_string(e, kind),
        table_string(e, text),
        table_string(e, node_name(f, op)),
        i32(e, file),
        i32(e, from),
        i32(e, to),
        i32(e, other_file),
        i32(e, other_from),
        i32(e, other_to),
        table_string(e, fault ? fault->other_text : NULL),
    };
    return table_global(e, strukt(e, e->site_type, fields), "site");
}

static const char *const sink_names[] = {
    [SINK_MAP] = "map",        [SINK_LIST] = "list",       [SINK_REDUCE] = "reduce",
    [SINK_SCAN] = "scan",      [SINK_FILTER] = "filter",   [SINK_FLATMAP] = "flatmap",
    [SINK_HIST] = "histogram", [SINK_SCATTER] = "scatter", [SINK_PICK] = "pick",
};

LLVMValueRef table_info(Emit *e, const IrFunc *f, const IrOp *op) {
    Buf ops = {.arena = e->arena};
    for (int k = 0; k < op->kernel->nsinks; k++)
        buf_printf(&ops, "%s%s", k ? " " : "", sink_names[op->kernel->sinks[k].kind]);
    const char *name = node_name(f, op);
    int file;
    uint32_t from, to;
    table_place(e, op->span, &file, &from, &to);
    KernelWeight weight = kernel_weight(f, op);
    LLVMValueRef fields[] = {
        table_string(e, *name ? name : f->name),
        table_string(e, buf_text(&ops)),
        i32(e, file),
        i32(e, from),
        i32(e, to),
        i32(e, weight.ops),
        i32(e, weight.flops),
    };
    return table_global(e, strukt(e, e->info_type, fields), "info");
}

LLVMValueRef table_sources(Emit *e) {
    int n = e->used_sources.len;
    LLVMTypeRef type = LLVMStructTypeInContext(e->C, (LLVMTypeRef[]){e->ptr, e->ptr, e->i64}, 3, 0);
    LLVMValueRef *rows = NEW_ARRAY(e->arena, LLVMValueRef, n + 1);
    for (int k = 0; k < n; k++) {
        Source *s = e->used_sources.at[k];
        LLVMValueRef fields[] = {table_string(e, s->path), table_bytes(e, s->text, s->len),
                                 LLVMConstInt(e->i64, s->len, 0)};
        rows[k] = LLVMConstStructInContext(e->C, fields, 3, 0);
    }
    if (n == 0)
        return LLVMConstNull(e->ptr);
    return table_global(e, LLVMConstArray2(type, rows, (uint64_t)n), "sources");
}
