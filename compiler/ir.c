/* The IR's tables and its builder: one function a kind of op. Each fills an IrOp and hands it to
   ir_emit, which folds (ir_fold.c) or appends. What an op's type is, is decided here and nowhere
   else. Pointers into func->ops die with the next op that is built. */
#include "ir.h"

#include "../lang/image.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { OPF_COMM = 1, OPF_FAULTS = 2 };
typedef enum { RESULT_SAME, RESULT_BOOL, RESULT_OWN } ResultRule;

static const struct {
    const char *name;
    int arity;
    ResultRule result;
    int flags;
} scalar_ops[] = {
#define OP(id, name, arity, result, flags, ...) [IR_##id] = {name, arity, RESULT_##result, flags},
#include "../lang/ops.def"
};

static const char *const other_names[] = {
    [IR_INVALID] = "invalid", [IR_CONST] = "const",     [IR_STRING] = "string",
    [IR_UNDEF] = "undef",     [IR_PARAM] = "param",     [IR_TUPLE] = "tuple",
    [IR_GET] = "get",         [IR_ZIP] = "zip",         [IR_VARIANT] = "variant",
    [IR_TAG] = "tag",         [IR_PAYLOAD] = "payload", [IR_DIM] = "dim",
    [IR_INDEX] = "index",     [IR_PACK] = "pack",       [IR_BIT] = "bit",
    [IR_SLICE] = "slice",     [IR_LIST] = "list",       [IR_RESHAPE] = "reshape",
    [IR_FLAT] = "flat",       [IR_UPDATE] = "update",   [IR_CONCAT] = "concat",
    [IR_KERNEL] = "kernel",   [IR_SORT] = "sort",       [IR_MATMUL] = "matmul",
    [IR_IF] = "if",           [IR_FOR] = "for",         [IR_LOOP] = "loop",
    [IR_CALL] = "call",       [IR_TRY] = "try",         [IR_CHECK] = "check",
    [IR_RT] = "rt",
};
static_assert(ARRAY_LEN(other_names) == IR_KIND_COUNT, "a kind has no name");
static_assert(ARRAY_LEN(scalar_ops) == IR_CONST, "scalar ops come first");

static const struct {
    const char *name;
    bool effect;
} rt_calls[] = {
#define RT(id, name, effect, doc) [RT_##id] = {name, effect},
#define RT_ACTOR(id, name, effect, doc) [RT_##id] = {name, effect},
#include "../lang/abi.def"
};

bool ir_is_scalar_op(IrKind kind) {
    return kind > IR_INVALID && kind < IR_CONST;
}

const char *ir_kind_name(IrKind kind) {
    return ir_is_scalar_op(kind) ? scalar_ops[kind].name : other_names[kind];
}

int ir_scalar_arity(IrKind kind) {
    return scalar_ops[kind].arity;
}

bool ir_is_commutative(IrKind kind) {
    return ir_is_scalar_op(kind) && (scalar_ops[kind].flags & OPF_COMM);
}

/* Halves the way as it goes, as a chain of literals can be long. */
Type *ir_follow(Type *type) {
    while (type->kind == TYPE_VAR && type->solution) {
        Type *next = type->solution;
        if (next->kind == TYPE_VAR && next->solution)
            type->solution = next->solution;
        type = next;
    }
    return type;
}

Type *ir_type(const IrFunc *f, IrId id) {
    return ir_follow(f->ops.at[id].type);
}

/* ---- tables ---- */

static bool name_taken(const IrModule *m, Name name) {
    for (int i = 0; i < m->funcs.len; i++)
        if (m->funcs.at[i]->name == name)
            return true;
    return false;
}

static Name unique_name(IrModule *m, const char *name) {
    Name unique = name_cstr(m->names, name);
    for (int k = m->funcs.len; name_taken(m, unique); k++)
        unique = name_cstr(m->names, arena_printf(m->arena, "%s.%d", name, k));
    return unique;
}

IrFunc *ir_func_new(IrModule *m, const char *name, Span span) {
    IrFunc *f = NEW(m->arena, IrFunc);
    f->name = unique_name(m, name);
    f->span = span;
    f->arena = m->arena;
    f->body = ir_region_new(m);
    f->result = type_unit(m->types);
    vec_push(m->arena, &f->ops, (IrOp){0});
    vec_push(m->arena, &f->nodes, (IrNode){0});
    vec_push(m->arena, &m->funcs, f);
    return f;
}

IrRegion *ir_region_new(IrModule *m) {
    return NEW(m->arena, IrRegion);
}

IrId ir_param(IrFunc *f, IrRegion *region, Type *type) {
    IrId id = (IrId)f->ops.len;
    vec_push(f->arena, &f->ops, (IrOp){.kind = IR_PARAM, .type = type});
    vec_push(f->arena, &region->params, id);
    return id;
}

static IrOp with_place(const IrBuilder *b, IrOp op) {
    if (!op.span.to)
        op.span = b->span;
    if (!op.node)
        op.node = b->node;
    if (b->fast)
        op.flags |= IRF_FAST;
    return op;
}

IrId ir_append_plain(IrBuilder *b, IrOp op) {
    IrId id = (IrId)b->func->ops.len;
    vec_push(b->func->arena, &b->func->ops, with_place(b, op));
    vec_push(b->func->arena, &b->region->ops, id);
    return id;
}

IrId ir_append(IrBuilder *b, IrOp op) {
    return b->append ? b->append(b, with_place(b, op)) : ir_append_plain(b, op);
}

IrId ir_emit(IrBuilder *b, IrOp op) {
    IrId folded = b->no_fold ? IR_NONE : ir_fold(b, &op);
    if (folded)
        return folded;
    IrId *args = NEW_ARRAY(b->func->arena, IrId, op.nargs);
    for (int i = 0; i < op.nargs; i++)
        args[i] = op.args[i];
    op.args = args;
    return ir_append(b, op);
}

/* Builds an op of args that may lie on the stack. */
static IrId emit(IrBuilder *b, IrOp op, const IrId *args, int n) {
    op.args = (IrId *)args; /* only read: ir_emit copies them */
    op.nargs = n;
    return ir_emit(b, op);
}

static IrId *join(IrBuilder *b, const IrId *head, int nhead, const IrId *tail, int ntail) {
    IrId *all = NEW_ARRAY(b->func->arena, IrId, nhead + ntail);
    for (int i = 0; i < nhead; i++)
        all[i] = head[i];
    for (int i = 0; i < ntail; i++)
        all[nhead + i] = tail[i];
    return all;
}

/* ---- types of results ---- */

/* An array of `rank` axes over values of type elem: their own axes become trailing ones. */
static Type *dense_array(Types *ts, Type *elem, int rank) {
    elem = ir_follow(elem);
    if (elem->kind == TYPE_ARRAY)
        return type_array(ts, elem->elem, rank + elem->rank);
    return type_array(ts, elem, rank);
}

static Type *elem_type(Types *ts, Type *array) {
    return array->kind == TYPE_STRING ? type_basic(ts, TYPE_U8) : array->elem;
}

/* The type of `like` with another element: for columns. */
static Type *column_type(Types *ts, Type *of, Type *member) {
    return of->kind == TYPE_ARRAY ? type_array(ts, member, of->rank) : member;
}

Type *ir_values_type(IrBuilder *b, const IrId *values, int n) {
    if (n == 1)
        return b->func->ops.at[values[0]].type;
    Type **items = NEW_ARRAY(b->func->arena, Type *, n);
    for (int i = 0; i < n; i++)
        items[i] = b->func->ops.at[values[i]].type;
    return type_tuple(b->module->types, items, NULL, n);
}

Type *ir_sink_type(IrBuilder *b, SinkKind kind, int rank, Type *yield, Type *value, Type *own) {
    Types *ts = b->module->types;
    switch (kind) {
    case SINK_MAP: return dense_array(ts, yield, rank);
    case SINK_LIST: return type_array(ts, yield, 1);
    case SINK_REDUCE:
    case SINK_PICK: return own;
    case SINK_SCAN: return dense_array(ts, yield, 1);
    case SINK_FILTER: return dense_array(ts, value, 1);
    case SINK_FLATMAP: return yield;
    case SINK_HIST: return dense_array(ts, value, 1);
    case SINK_SCATTER: return own;
    case SINK_KIND_COUNT: break;
    }
    UNREACHABLE();
}

int ir_sink_yields(SinkKind kind) {
    return kind == SINK_FILTER || kind == SINK_HIST || kind == SINK_SCATTER ? 2 : 1;
}

int ir_sink_own(const IrSink *sink) {
    return ir_sink_args(sink->kind) + (sink->kind == SINK_MAP && sink->imm);
}

int ir_sink_args(SinkKind kind) {
    switch (kind) {
    case SINK_REDUCE:
    case SINK_PICK:
    case SINK_SCAN:
    case SINK_SCATTER: return 1;
    case SINK_HIST: return 2;
    case SINK_MAP:
    case SINK_LIST:
    case SINK_FILTER:
    case SINK_FLATMAP:
    case SINK_KIND_COUNT: return 0;
    }
    UNREACHABLE();
}

/* ---- constants ---- */

IrId ir_int(IrBuilder *b, Type *type, int64_t value) {
    Type *t = ir_follow(type);
    IrOp op = {.kind = IR_CONST, .type = type, .imm = value, .imm2 = LITERAL_INT};
    if (t->kind != TYPE_VAR)
        ir_settle_literal(&op);
    return emit(b, op, NULL, 0);
}

IrId ir_float(IrBuilder *b, Type *type, double value) {
    Type *t = ir_follow(type);
    IrOp op = {.kind = IR_CONST, .type = type, .imm2 = LITERAL_FLOAT};
    memcpy(&op.imm, &value, sizeof value);
    if (t->kind != TYPE_VAR)
        ir_settle_literal(&op);
    return emit(b, op, NULL, 0);
}

IrId ir_bits_const(IrBuilder *b, Type *type, int64_t bits) {
    return emit(b, (IrOp){.kind = IR_CONST, .type = type, .imm = bits}, NULL, 0);
}

IrId ir_bool(IrBuilder *b, bool value) {
    return ir_bits_const(b, type_basic(b->module->types, TYPE_BOOL), value);
}

IrId ir_i64(IrBuilder *b, int64_t value) {
    return ir_bits_const(b, type_basic(b->module->types, TYPE_I64), value);
}

IrId ir_string(IrBuilder *b, const char *text, size_t len) {
    IrOp op = {.kind = IR_STRING, .type = type_basic(b->module->types, TYPE_STRING)};
    op.text = arena_copy(b->func->arena, text, len);
    op.text_len = len;
    return emit(b, op, NULL, 0);
}

IrId ir_undef(IrBuilder *b, Type *type) {
    return emit(b, (IrOp){.kind = IR_UNDEF, .type = type}, NULL, 0);
}

IrId ir_unit(IrBuilder *b) {
    return ir_tuple(b, type_unit(b->module->types), NULL, 0);
}

/* ---- scalars ---- */

static Type *scalar_type(IrBuilder *b, IrKind kind, IrId first) {
    assert(ir_is_scalar_op(kind) && scalar_ops[kind].result != RESULT_OWN);
    if (scalar_ops[kind].result == RESULT_BOOL)
        return type_basic(b->module->types, TYPE_BOOL);
    return b->func->ops.at[first].type;
}

IrId ir_unary(IrBuilder *b, IrKind kind, IrId a) {
    return emit(b, (IrOp){.kind = kind, .type = scalar_type(b, kind, a)}, &a, 1);
}

IrId ir_binary(IrBuilder *b, IrKind kind, IrId a, IrId c) {
    IrOp op = {.kind = kind, .type = scalar_type(b, kind, a)};
    if ((scalar_ops[kind].flags & OPF_FAULTS) && !type_is_float(ir_follow(op.type)))
        op.flags |= IRF_CHECKED_ZERO;
    return emit(b, op, (IrId[]){a, c}, 2);
}

IrId ir_select(IrBuilder *b, IrId cond, IrId a, IrId c) {
    IrOp op = {.kind = IR_SELECT, .type = b->func->ops.at[a].type};
    return emit(b, op, (IrId[]){cond, a, c}, 3);
}

IrId ir_convert(IrBuilder *b, Type *type, IrId a) {
    return emit(b, (IrOp){.kind = IR_CONVERT, .type = type}, &a, 1);
}

/* ---- products and sums ---- */

IrId ir_tuple(IrBuilder *b, Type *type, const IrId *args, int n) {
    return emit(b, (IrOp){.kind = IR_TUPLE, .type = type}, args, n);
}

IrId ir_get(IrBuilder *b, IrId v, int k) {
    Type *of = ir_type(b->func, v);
    Type *product = of->kind == TYPE_ARRAY ? ir_follow(of->elem) : of;
    assert(type_is_product(product) && k < product->count);
    IrOp op = {.kind = IR_GET, .imm = k};
    op.type = column_type(b->module->types, of, product->items[k]);
    return emit(b, op, &v, 1);
}

IrId ir_zip(IrBuilder *b, Type *product, const IrId *args, int n) {
    assert(n > 0);
    int rank = ir_type(b->func, args[0])->rank;
    IrOp op = {.kind = IR_ZIP, .type = type_array(b->module->types, product, rank)};
    return emit(b, op, args, n);
}

IrId ir_variant(IrBuilder *b, Type *sum, int ctor, const IrId *args, int n) {
    return emit(b, (IrOp){.kind = IR_VARIANT, .type = sum, .imm = ctor}, args, n);
}

IrId ir_tag(IrBuilder *b, IrId v) {
    Types *ts = b->module->types;
    IrOp op = {.kind = IR_TAG};
    op.type = column_type(ts, ir_type(b->func, v), type_basic(ts, TYPE_I64));
    return emit(b, op, &v, 1);
}

IrId ir_payload(IrBuilder *b, IrId v, int ctor, int k) {
    Type *of = ir_type(b->func, v);
    Type *sum = of->kind == TYPE_ARRAY ? ir_follow(of->elem) : of;
    assert(type_is_sum(sum) && ctor < sum->nctors && k < sum->ctors[ctor].count);
    IrOp op = {.kind = IR_PAYLOAD, .imm = ctor, .imm2 = k};
    op.type = column_type(b->module->types, of, sum->ctors[ctor].items[k]);
    return emit(b, op, &v, 1);
}

/* ---- arrays ---- */

IrId ir_dim(IrBuilder *b, IrId array, int axis) {
    IrOp op = {.kind = IR_DIM, .imm = axis, .type = type_basic(b->module->types, TYPE_I64)};
    return emit(b, op, &array, 1);
}

/* What n indices leave of an array. */
static Type *indexed_type(Types *ts, Type *array, int n) {
    int rank = array->kind == TYPE_STRING ? 1 : array->rank;
    assert(n <= rank);
    if (n == 0)
        return array;
    return n == rank ? elem_type(ts, array) : type_array(ts, elem_type(ts, array), rank - n);
}

IrId ir_index(IrBuilder *b, IrId array, const IrId *at, int n, bool checked) {
    IrOp op = {.kind = IR_INDEX, .flags = checked ? IRF_CHECKED : 0};
    op.type = indexed_type(b->module->types, ir_type(b->func, array), n);
    return emit(b, op, join(b, &array, 1, at, n), n + 1);
}

IrId ir_pack(IrBuilder *b, IrId array, const IrId *at, int n, int bit, bool or_above) {
    IrOp op = {.kind = IR_PACK, .imm = bit, .imm2 = or_above};
    op.type = type_basic(b->module->types, TYPE_U64);
    return emit(b, op, join(b, &array, 1, at, n), n + 1);
}

IrId ir_bit(IrBuilder *b, IrId words, const IrId *at, int n) {
    IrOp op = {.kind = IR_BIT, .type = type_basic(b->module->types, TYPE_BOOL)};
    return emit(b, op, join(b, &words, 1, at, n), n + 1);
}

IrId ir_slice(IrBuilder *b, IrId array, IrId lo, IrId hi, bool checked) {
    IrOp op = {.kind = IR_SLICE, .flags = checked ? IRF_CHECKED : 0};
    op.type = b->func->ops.at[array].type;
    return emit(b, op, (IrId[]){array, lo, hi}, 3);
}

IrId ir_list(IrBuilder *b, Type *array, const IrId *args, int n) {
    return emit(b, (IrOp){.kind = IR_LIST, .type = array}, args, n);
}

IrId ir_reshape(IrBuilder *b, Type *array, IrId a, const IrId *dims) {
    Type *type = ir_follow(array);
    int rank = type->kind == TYPE_STRING ? 1 : type->rank;
    IrOp op = {.kind = IR_RESHAPE, .type = array};
    return emit(b, op, join(b, &a, 1, dims, rank), rank + 1);
}

IrId ir_flat(IrBuilder *b, IrId list) {
    Types *ts = b->module->types;
    Type *inner = ir_follow(ir_type(b->func, list)->elem);
    IrOp op = {.kind = IR_FLAT, .type = inner};
    if (inner->kind == TYPE_ARRAY)
        op.type = type_array(ts, inner->elem, 1);
    return emit(b, op, &list, 1);
}

IrId ir_update(IrBuilder *b, IrId array, IrId value, const IrId *at, int n, bool checked) {
    IrOp op = {.kind = IR_UPDATE, .flags = checked ? IRF_CHECKED : 0};
    op.type = b->func->ops.at[array].type;
    return emit(b, op, join(b, (IrId[]){array, value}, 2, at, n), n + 2);
}

IrId ir_concat(IrBuilder *b, const IrId *args, int n) {
    assert(n > 0);
    return emit(b, (IrOp){.kind = IR_CONCAT, .type = b->func->ops.at[args[0]].type}, args, n);
}

IrId ir_sort(IrBuilder *b, IrId keys, int flags) {
    Types *ts = b->module->types;
    IrOp op = {.kind = IR_SORT, .imm = flags, .type = b->func->ops.at[keys].type};
    if (flags & SORT_PERMUTATION)
        op.type = type_array(ts, type_basic(ts, TYPE_I64), 1);
    return emit(b, op, &keys, 1);
}

IrId ir_matmul(IrBuilder *b, IrId a, IrId c) {
    IrOp op = {.kind = IR_MATMUL, .type = b->func->ops.at[a].type};
    return emit(b, op, (IrId[]){a, c}, 2);
}

/* The scalar op that an operator's region consists of, in the order of its parameters. */
IrKind ir_region_op(const IrFunc *f, const IrRegion *region) {
    if (region->ops.len != 1 || region->params.len != 2 || region->results.len != 1)
        return IR_INVALID;
    const IrOp *op = ir_op(f, region->ops.at[0]);
    bool whole = region->results.at[0] == region->ops.at[0] && ir_is_scalar_op(op->kind) &&
                 op->nargs == 2 && op->type == ir_op(f, region->params.at[0])->type;
    if (!whole)
        return IR_INVALID;
    IrId x = region->params.at[0], y = region->params.at[1];
    bool direct = op->args[0] == x && op->args[1] == y;
    bool swapped = op->args[0] == y && op->args[1] == x && ir_is_commutative(op->kind);
    return direct || swapped ? op->kind : IR_INVALID;
}

IrId ir_kernel(IrBuilder *b, int rank, const IrId *dims, IrRegion *body, SinkKind sink, int imm,
               const IrId *args, int nargs, IrRegion *op_region) {
    Arena *arena = b->func->arena;
    assert(nargs == ir_sink_args(sink) && body->results.len == ir_sink_yields(sink));
    Type *yields[2] = {NULL, NULL};
    for (int i = 0; i < body->results.len; i++)
        yields[i] = b->func->ops.at[body->results.at[i]].type;
    Type *own = nargs ? b->func->ops.at[args[0]].type : NULL;

    IrKernel *k = NEW(arena, IrKernel);
    k->rank = rank;
    k->nsinks = 1;
    k->sinks = NEW(arena, IrSink);
    k->sinks[0] = (IrSink){.kind = sink, .arg = rank, .region = op_region ? 1 : -1, .imm = imm};
    k->sinks[0].op = op_region ? ir_region_op(b->func, op_region) : IR_INVALID;
    k->sinks[0].type = ir_sink_type(b, sink, rank, yields[0], yields[1], own);

    IrOp op = {.kind = IR_KERNEL, .type = k->sinks[0].type, .kernel = k};
    op.nregions = op_region ? 2 : 1;
    op.regions = NEW_ARRAY(arena, IrRegion *, 2);
    op.regions[0] = body;
    op.regions[1] = op_region;
    return emit(b, op, join(b, dims, rank, args, nargs), rank + nargs);
}

/* ---- control ---- */

static IrRegion **two_regions(IrBuilder *b, IrRegion *first, IrRegion *second) {
    IrRegion **regions = NEW_ARRAY(b->func->arena, IrRegion *, 2);
    regions[0] = first;
    regions[1] = second;
    return regions;
}

IrId ir_if(IrBuilder *b, IrId cond, IrRegion *then, IrRegion *otherwise) {
    IrOp op = {.kind = IR_IF, .nregions = 2, .regions = two_regions(b, then, otherwise)};
    op.type = ir_values_type(b, then->results.at, then->results.len);
    return emit(b, op, &cond, 1);
}

IrId ir_for(IrBuilder *b, IrId lo, IrId hi, const IrId *init, int n, IrRegion *body) {
    IrOp op = {.kind = IR_FOR, .nregions = 1, .regions = two_regions(b, body, NULL)};
    op.type = ir_values_type(b, init, n);
    return emit(b, op, join(b, (IrId[]){lo, hi}, 2, init, n), n + 2);
}

IrId ir_loop(IrBuilder *b, const IrId *init, int n, IrRegion *cond, IrRegion *body) {
    IrOp op = {.kind = IR_LOOP, .nregions = 2, .regions = two_regions(b, cond, body)};
    op.type = ir_values_type(b, init, n);
    return emit(b, op, init, n);
}

IrId ir_call(IrBuilder *b, IrFunc *callee, const IrId *args, int n) {
    return emit(b, (IrOp){.kind = IR_CALL, .callee = callee, .type = callee->result}, args, n);
}

IrId ir_try(IrBuilder *b, IrRegion *tried, IrRegion *otherwise) {
    IrOp op = {.kind = IR_TRY, .nregions = 2, .regions = two_regions(b, tried, otherwise)};
    op.type = ir_values_type(b, tried->results.at, tried->results.len);
    return emit(b, op, NULL, 0);
}

static IrFault *copy_fault(IrBuilder *b, const IrFault *fault) {
    if (!fault)
        return NULL;
    IrFault *copy = NEW(b->func->arena, IrFault);
    *copy = *fault;
    return copy;
}

IrId ir_check(IrBuilder *b, IrId value, IrId cond, const IrFault *fault, const IrId *nums, int n) {
    IrOp op = {.kind = IR_CHECK, .fault = copy_fault(b, fault)};
    op.type = b->func->ops.at[value].type;
    return emit(b, op, join(b, (IrId[]){value, cond}, 2, nums, n), n + 2);
}

IrId ir_assert(IrBuilder *b, IrId cond, const IrFault *fault, const IrId *nums, int n) {
    IrOp op = {.kind = IR_CHECK, .flags = IRF_PINNED, .fault = copy_fault(b, fault)};
    op.type = type_unit(b->module->types);
    return emit(b, op, join(b, (IrId[]){IR_NONE, cond}, 2, nums, n), n + 2);
}

IrId ir_rt(IrBuilder *b, int rt, Type *type, const IrId *args, int n) {
    IrOp op = {.kind = IR_RT, .imm = rt, .type = type};
    op.flags = rt_calls[rt].effect ? IRF_PINNED : 0;
    return emit(b, op, args, n);
}

const char *ir_rt_name(int rt) {
    return rt >= 0 && rt < RT_COUNT ? rt_calls[rt].name : NULL;
}

/* ---- asking ---- */

static bool region_may_fault(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++)
        if (ir_may_fault(f, region->ops.at[i]))
            return true;
    return false;
}

static bool kernel_may_fault(const IrKernel *k) {
    for (int i = 0; i < k->nsinks; i++)
        if (k->sinks[i].kind == SINK_HIST || k->sinks[i].kind == SINK_SCATTER)
            return true;
    return false;
}

static bool rt_may_fault(int rt) {
    switch ((RtCall)rt) {
    case RT_LOAD:
    case RT_SAVE:
    case RT_READ_TEXT:
    case RT_WRITE_TEXT:
    case RT_PARSE_I64:
    case RT_PARSE_F64:
    case RT_FAIL:
    case RT_AWAIT:
    case RT_WRITE_PNG: return true;
    default: return false; /* the others are described as total */
    }
}

bool ir_op_may_fault(const IrFunc *f, const IrOp *op) {
    if (op->flags & (IRF_CHECKED | IRF_CHECKED_ZERO))
        return true;
    if (op->kind == IR_CHECK || (op->kind == IR_CALL && !op->callee->is_lanewise))
        return true;
    if (op->kind == IR_RT)
        return rt_may_fault((int)op->imm);
    if (op->kind == IR_KERNEL && kernel_may_fault(op->kernel))
        return true;
    if (op->kind == IR_TRY)
        return region_may_fault(f, op->regions[1]);
    for (int r = 0; r < op->nregions; r++)
        if (region_may_fault(f, op->regions[r]))
            return true;
    return false;
}

bool ir_may_fault(const IrFunc *f, IrId id) {
    return ir_op_may_fault(f, ir_op(f, id));
}

static bool made_with_faults(const IrFunc *f, IrId v, int *budget) {
    const IrOp *op = ir_op(f, v);
    if (ir_type(f, v)->kind == TYPE_ARRAY || op->kind == IR_DIM || op->kind == IR_PARAM)
        return false;
    if (--*budget <= 0 || ir_op_may_fault(f, op))
        return true;
    for (int k = 0; k < op->nargs; k++)
        if (op->args[k] && made_with_faults(f, op->args[k], budget))
            return true;
    return false;
}

bool ir_made_with_faults(const IrFunc *f, IrId v) {
    enum { MOST_OPS = 32 };
    return made_with_faults(f, v, &(int){MOST_OPS});
}

bool ir_has_effect(const IrFunc *f, IrId id) {
    const IrOp *op = ir_op(f, id);
    if (op->kind == IR_CALL && op->callee->has_effect)
        return true;
    if (op->kind != IR_CHECK && (op->flags & IRF_PINNED))
        return true;
    for (int r = 0; r < op->nregions; r++)
        for (int i = 0; i < op->regions[r]->ops.len; i++)
            if (ir_has_effect(f, op->regions[r]->ops.at[i]))
                return true;
    return false;
}

/* How deep the calls are that are looked into; what is deeper stays. */
enum { PINNED_CALLS = 3 };

static bool region_stays(const IrFunc *f, const IrRegion *region, int depth);

static bool call_stays(const IrFunc *callee, int depth) {
    return callee->has_effect || depth == 0 || region_stays(callee, callee->body, depth - 1);
}

static bool region_stays(const IrFunc *f, const IrRegion *region, int depth) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if ((op->flags & IRF_PINNED) || (op->kind == IR_CALL && call_stays(op->callee, depth)))
            return true;
        for (int r = 0; r < op->nregions; r++)
            if (region_stays(f, op->regions[r], depth))
                return true;
    }
    return false;
}

bool ir_is_pinned(const IrFunc *f, IrId id) {
    const IrOp *op = ir_op(f, id);
    return (op->flags & IRF_PINNED) || (op->kind == IR_CALL && call_stays(op->callee, PINNED_CALLS));
}

bool ir_must_stay(const IrFunc *f, IrId id) {
    const IrOp *op = ir_op(f, id);
    bool stays = ir_is_pinned(f, id);
    for (int r = 0; r < op->nregions && !stays; r++)
        stays = region_stays(f, op->regions[r], PINNED_CALLS);
    return stays;
}

int ir_size(const IrFunc *f, const IrRegion *region) {
    int size = region->ops.len;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        for (int r = 0; r < op->nregions; r++)
            size += ir_size(f, op->regions[r]);
    }
    return size;
}
