/* Checks that a module keeps the rules of ir.h: every value is defined before it is used in a place
   that may see it, and every op has the operands, regions and type its kind asks for. Takes
   settled types; finds a mistake of the compiler, never of a program. */
#include "ir_build.h"

#include <stdarg.h>
#include <stdio.h>

typedef struct {
    const IrModule *m;
    const IrFunc *f;
    IrId op;        /* being checked */
    uint8_t *state; /* by id: 0 not seen, 1 visible, 2 out of sight */
    const char *error;
} Verify;

static void fail(Verify *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Keeps the first mistake. */
static void fail(Verify *v, const char *fmt, ...) {
    if (v->error)
        return;
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const char *where = v->op ? arena_printf(v->m->arena, "%%%u (%s)", v->op,
                                             ir_kind_name(ir_op(v->f, v->op)->kind))
                              : "its body";
    v->error = arena_printf(v->m->arena, "fn %s: %s: %s", v->f->name, where, text);
}

static const char *text_of(const Verify *v, const Type *type) {
    return type_text(v->m->arena, type);
}

static void expect(Verify *v, bool ok, const char *rule) {
    if (!ok)
        fail(v, "%s", rule);
}

static void expect_type(Verify *v, const char *what, Type *got, Type *want) {
    if (!v->error && ir_follow(got) != ir_follow(want))
        fail(v, "%s is %s, not %s", what, text_of(v, got), text_of(v, want));
}

static Type *arg_type(const Verify *v, const IrOp *op, int k) {
    return ir_type(v->f, op->args[k]);
}

static Type *i64_type(const Verify *v) {
    return type_basic(v->m->types, TYPE_I64);
}

static bool is_array(const Type *type) {
    return type->kind == TYPE_ARRAY || type->kind == TYPE_STRING;
}

static int rank_of(const Type *type) {
    return type->kind == TYPE_STRING ? 1 : type->rank;
}

static void expect_i64s(Verify *v, const IrOp *op, int from, int to) {
    for (int k = from; k < to && !v->error; k++)
        expect_type(v, "a size or index", arg_type(v, op, k), i64_type(v));
}

static bool has_args(Verify *v, const IrOp *op, int least, int most) {
    if (op->nargs < least || op->nargs > most)
        fail(v, "has %d operands", op->nargs);
    return !v->error;
}

/* ---- groups of kinds ---- */

/* References are compared, chosen and made of numbers. */
static bool is_word(const Type *type) {
    return type_is_scalar(type) || type->kind == TYPE_ACTOR;
}

static void check_scalar(Verify *v, const IrOp *op) {
    if (!has_args(v, op, ir_scalar_arity(op->kind), ir_scalar_arity(op->kind)))
        return;
    for (int k = 0; k < op->nargs; k++)
        expect(v, is_word(arg_type(v, op, k)) && is_word(ir_follow(op->type)), "works on scalars");
    switch (op->kind) {
    case IR_SELECT:
        expect(v, arg_type(v, op, 0)->kind == TYPE_BOOL, "the condition is no bool");
        expect_type(v, "the second operand", arg_type(v, op, 1), op->type);
        expect_type(v, "the third operand", arg_type(v, op, 2), op->type);
        return;
    case IR_CONVERT:
    case IR_BITS: return;
    case IR_SHL:
    case IR_SHR:
    case IR_POW: expect_type(v, "the first operand", arg_type(v, op, 0), op->type); return;
    default: break;
    }
    for (int k = 1; k < op->nargs; k++)
        expect_type(v, "an operand", arg_type(v, op, k), arg_type(v, op, 0));
    if (ir_follow(op->type)->kind != TYPE_BOOL)
        expect_type(v, "the first operand", arg_type(v, op, 0), op->type);
}

static void check_members(Verify *v, const IrOp *op, Type *const *items, int n) {
    if (!has_args(v, op, n, n))
        return;
    for (int k = 0; k < n; k++)
        expect_type(v, "a member", arg_type(v, op, k), items[k]);
}

static void check_get(Verify *v, const IrOp *op) {
    if (!has_args(v, op, 1, 1))
        return;
    Type *of = arg_type(v, op, 0), *type = ir_follow(op->type);
    Type *product = of->kind == TYPE_ARRAY ? of->elem : of;
    expect(v, type_is_product(product), "its operand is no product");
    expect(v, op->imm >= 0 && op->imm < product->count, "no such member");
    if (v->error)
        return;
    expect_type(v, "the value",
                of->kind == TYPE_ARRAY && type->kind == TYPE_ARRAY ? type->elem : type,
                product->items[op->imm]);
}

static void check_zip(Verify *v, const IrOp *op) {
    Type *type = ir_follow(op->type);
    expect(v, type->kind == TYPE_ARRAY && type_is_product(type->elem),
           "makes an array of products");
    if (v->error || !has_args(v, op, type->elem->count, type->elem->count))
        return;
    for (int k = 0; k < op->nargs && !v->error; k++) {
        Type *column = arg_type(v, op, k);
        expect(v, column->kind == TYPE_ARRAY && column->rank == type->rank,
               "a column's rank differs");
        expect_type(v, "a column's element", column->elem, type->elem->items[k]);
    }
}

static void check_variant(Verify *v, const IrOp *op) {
    Type *type = ir_follow(op->type);
    expect(v, type_is_sum(type) && op->imm >= 0 && op->imm < type->nctors, "no such constructor");
    if (!v->error)
        check_members(v, op, type->ctors[op->imm].items, type->ctors[op->imm].count);
}

static void check_of_sum(Verify *v, const IrOp *op) {
    if (!has_args(v, op, 1, 1))
        return;
    Type *of = arg_type(v, op, 0), *sum = of->kind == TYPE_ARRAY ? of->elem : of;
    expect(v, type_is_sum(sum), "its operand is no sum");
    if (op->kind == IR_PAYLOAD && !v->error)
        expect(v,
               op->imm >= 0 && op->imm < sum->nctors && op->imm2 >= 0 &&
                   op->imm2 < sum->ctors[op->imm].count,
               "no such payload");
}

/* The sub-array or element that n indices leave. */
static void check_indexed(Verify *v, Type *array, int n, Type *got) {
    expect(v, is_array(array) && n <= rank_of(array), "too many indices");
    if (v->error || n == 0)
        return;
    Type *elem = array->kind == TYPE_STRING ? type_basic(v->m->types, TYPE_U8) : array->elem;
    if (n == rank_of(array))
        expect_type(v, "the element", got, elem);
    else
        expect_type(v, "the sub-array", got, type_array(v->m->types, elem, array->rank - n));
}

static void check_list(Verify *v, const IrOp *op) {
    Type *type = ir_follow(op->type);
    expect(v, type->kind == TYPE_ARRAY, "is no array");
    for (int k = 0; k < op->nargs && !v->error; k++) {
        Type *item = arg_type(v, op, k);
        if (type->rank == 1)
            expect_type(v, "an element", item, type->elem);
        else
            expect_type(v, "a row", item, type_array(v->m->types, type->elem, type->rank - 1));
    }
}

static void check_array_op(Verify *v, const IrOp *op) {
    if (!has_args(v, op, 1, 1 << 24))
        return;
    Type *array = arg_type(v, op, 0), *type = ir_follow(op->type);
    expect(v, is_array(array), "its operand is no array");
    if (v->error)
        return;
    switch (op->kind) {
    case IR_DIM:
        expect(v, op->imm >= 0 && op->imm < rank_of(array), "no such axis");
        expect_type(v, "the value", type, i64_type(v));
        break;
    case IR_INDEX:
        expect_i64s(v, op, 1, op->nargs);
        check_indexed(v, array, op->nargs - 1, type);
        break;
    case IR_PACK:
    case IR_BIT:
        expect_i64s(v, op, 1, op->nargs);
        expect(v, op->nargs - 1 == rank_of(array), "has an index for each axis");
        expect(v, op->kind == IR_PACK ? type->kind == TYPE_U64 : type->kind == TYPE_BOOL,
               "gives a word or a bit");
        break;
    case IR_SLICE:
        if (has_args(v, op, 3, 3))
            expect_i64s(v, op, 1, 3);
        expect_type(v, "the value", type, array);
        break;
    case IR_RESHAPE:
        if (has_args(v, op, rank_of(type) + 1, rank_of(type) + 1))
            expect_i64s(v, op, 1, op->nargs);
        break;
    case IR_UPDATE:
        if (!has_args(v, op, 2, 1 << 24))
            return;
        expect_i64s(v, op, 2, op->nargs);
        check_indexed(v, array, op->nargs - 2, arg_type(v, op, 1));
        expect_type(v, "the value", type, array);
        break;
    case IR_CONCAT:
        for (int k = 0; k < op->nargs; k++)
            expect_type(v, "an operand", arg_type(v, op, k), type);
        break;
    case IR_FLAT:
        expect(v, array->kind == TYPE_ARRAY && is_array(array->elem), "takes an irregular list");
        break;
    case IR_SORT: expect(v, rank_of(array) == 1, "sorts rank 1"); break;
    case IR_MATMUL:
        if (has_args(v, op, 2, 2) && (array->rank != 2 || arg_type(v, op, 1) != array))
            fail(v, "multiplies two matrices of one type");
        break;
    default: UNREACHABLE();
    }
}

/* ---- regions ---- */

static bool results_are(Verify *v, const IrRegion *region, Type *type) {
    int n = region->results.len;
    Type *tuple = ir_follow(type);
    if (n == 1) {
        expect_type(v, "a region's result", ir_type(v->f, region->results.at[0]), type);
        return !v->error;
    }
    expect(v, tuple->kind == TYPE_TUPLE && tuple->count == n,
           "a region's results do not fit its type");
    for (int k = 0; k < n && !v->error; k++)
        expect_type(v, "a region's result", ir_type(v->f, region->results.at[k]), tuple->items[k]);
    return !v->error;
}

static bool has_regions(Verify *v, const IrOp *op, int n) {
    expect(v, op->nregions == n, "a wrong number of regions");
    return !v->error;
}

/* Parameters from `first` on take what args from `arg` on give. */
static void check_carried(Verify *v, const IrOp *op, const IrRegion *region, int first, int arg) {
    expect(v, region->params.len - first == op->nargs - arg, "a wrong number of parameters");
    for (int k = 0; k + arg < op->nargs && !v->error; k++)
        expect_type(v, "a parameter", ir_type(v->f, region->params.at[first + k]),
                    arg_type(v, op, arg + k));
}

static void check_control(Verify *v, const IrOp *op) {
    switch (op->kind) {
    case IR_IF:
        if (has_args(v, op, 1, 1) && has_regions(v, op, 2))
            expect(v, arg_type(v, op, 0)->kind == TYPE_BOOL, "the condition is no bool");
        break;
    case IR_TRY:
        if (has_args(v, op, 0, 0))
            has_regions(v, op, 2);
        break;
    case IR_FOR:
        if (!has_args(v, op, 2, 1 << 24) || !has_regions(v, op, 1))
            return;
        expect_i64s(v, op, 0, 2);
        check_carried(v, op, op->regions[0], 1, 2);
        break;
    case IR_LOOP:
        if (!has_regions(v, op, 2))
            return;
        check_carried(v, op, op->regions[0], 0, 0);
        check_carried(v, op, op->regions[1], 0, 0);
        expect(v, op->regions[0]->results.len == 1, "a condition has one result");
        break;
    default: UNREACHABLE();
    }
    for (int r = op->kind == IR_LOOP; r < op->nregions && !v->error; r++)
        results_are(v, op->regions[r], op->type);
}

static void check_operator(Verify *v, const IrOp *op, const IrSink *sink, Type *value) {
    if (sink->region < 0) {
        expect(v,
               sink->kind != SINK_REDUCE && sink->kind != SINK_PICK && sink->kind != SINK_SCAN &&
                   sink->kind != SINK_HIST,
               "a sink lacks its operator");
        return;
    }
    expect(v, sink->region > 0 && sink->region < op->nregions, "no such operator region");
    if (v->error)
        return;
    const IrRegion *by = op->regions[sink->region];
    expect(v, by->params.len == 2 && by->results.len == 1, "an operator takes two and gives one");
    if (v->error)
        return;
    for (int k = 0; k < 2; k++)
        expect_type(v, "an operator's operand", ir_type(v->f, by->params.at[k]), value);
    Type *result = ir_type(v->f, by->results.at[0]);
    if (sink->kind == SINK_PICK)
        expect(v, result->kind == TYPE_BOOL, "what picks is no bool");
    else
        expect_type(v, "an operator's result", result, value);
    expect(v, sink->op == IR_INVALID || sink->op == ir_region_op(v->f, by),
           "a sink's scalar op is not its operator's");
}

static void check_sink(Verify *v, const IrOp *op, const IrSink *sink) {
    const IrRegion *body = op->regions[0];
    int yields = ir_sink_yields(sink->kind);
    expect(v, sink->yield >= 0 && sink->yield + yields <= body->results.len, "no such yield");
    int own = ir_sink_own(sink);
    expect(v, sink->arg >= op->kernel->rank && sink->arg + own <= op->nargs,
           "no such sink operand");
    if (v->error)
        return;
    Type *first = ir_type(v->f, body->results.at[sink->yield]);
    Type *value = ir_type(v->f, body->results.at[sink->yield + yields - 1]);
    if (sink->kind == SINK_FILTER)
        expect(v, first->kind == TYPE_BOOL, "a filter's first yield is no bool");
    if (sink->kind == SINK_HIST || sink->kind == SINK_SCATTER)
        expect_type(v, "a sink's place", first, i64_type(v));
    bool is_one = sink->kind == SINK_REDUCE || sink->kind == SINK_PICK;
    if (is_one || sink->kind == SINK_SCAN)
        expect_type(v, "the zero", arg_type(v, op, sink->arg), value);
    if (is_one)
        expect_type(v, "the output", sink->type, value);
    if (sink->kind == SINK_SCATTER)
        expect_type(v, "the output", sink->type, arg_type(v, op, sink->arg));
    else if (!is_one)
        expect(v,
               ir_follow(sink->type)->kind == TYPE_ARRAY ||
                   ir_follow(sink->type)->kind == TYPE_STRING,
               "the output is no array");
    bool one_axis = sink->kind == SINK_LIST || sink->kind == SINK_SCAN;
    expect(v, !one_axis || op->kernel->rank == 1, "this sink wants one axis");
    check_operator(v, op, sink, value);
}

/* A body for a part of the space: as the first. */
static void check_part(Verify *v, const IrOp *op, int which) {
    const IrRegion *body = op->regions[0], *part = op->regions[which];
    expect(v, part->params.len == body->params.len && part->results.len == body->results.len,
           "a body of a part of the space has another shape");
    for (int i = 0; i < part->params.len && !v->error; i++)
        expect_type(v, "an index", ir_type(v->f, part->params.at[i]), i64_type(v));
    for (int i = 0; i < part->results.len && !v->error; i++)
        expect_type(v, "a yield", ir_type(v->f, part->results.at[i]),
                    ir_type(v->f, body->results.at[i]));
}

static void check_box(Verify *v, const IrOp *op) {
    const IrKernel *k = op->kernel;
    expect(v, k->box + 2 * k->rank <= op->nargs && k->inner < op->nregions && k->edge < op->nregions,
           "its box is malformed");
    if (v->error)
        return;
    expect_i64s(v, op, k->box, k->box + 2 * k->rank);
    check_part(v, op, k->inner);
    check_part(v, op, k->edge);
}

static void check_kernel(Verify *v, const IrOp *op) {
    const IrKernel *k = op->kernel;
    expect(v, k && k->rank >= 0 && k->rank <= op->nargs && op->nregions >= 1 && k->nsinks >= 1,
           "is malformed");
    if (v->error)
        return;
    const IrRegion *body = op->regions[0];
    expect_i64s(v, op, 0, k->rank);
    expect(v, body->params.len == k->rank, "its body takes one index an axis");
    for (int i = 0; i < body->params.len; i++)
        expect_type(v, "an index", ir_type(v->f, body->params.at[i]), i64_type(v));
    for (int i = 0; i < k->nsinks && !v->error; i++)
        check_sink(v, op, &k->sinks[i]);
    if (k->inner)
        check_box(v, op);
    if (v->error)
        return;
    Type *type = ir_follow(op->type);
    if (k->nsinks == 1)
        expect_type(v, "the value", type, k->sinks[0].type);
    else
        expect(v, type->kind == TYPE_TUPLE && type->count == k->nsinks,
               "its value is no tuple of sinks");
    for (int i = 0; k->nsinks > 1 && i < k->nsinks && !v->error; i++)
        expect_type(v, "an output", type->items[i], k->sinks[i].type);
}

/* ---- calls, checks ---- */

static bool in_module(const Verify *v, const IrFunc *f) {
    for (int i = 0; i < v->m->funcs.len; i++)
        if (v->m->funcs.at[i] == f)
            return true;
    return false;
}

static void check_call(Verify *v, const IrOp *op) {
    const IrFunc *callee = op->callee;
    expect(v, callee && in_module(v, callee), "calls what is not in the module");
    if (v->error || !has_args(v, op, callee->body->params.len, callee->body->params.len))
        return;
    for (int k = 0; k < op->nargs; k++)
        expect_type(v, "an argument", arg_type(v, op, k),
                    ir_type(callee, callee->body->params.at[k]));
    expect_type(v, "the value", op->type, callee->result);
}

static void check_check(Verify *v, const IrOp *op) {
    if (!has_args(v, op, 2, 1 << 24))
        return;
    expect(v, op->args[1] && arg_type(v, op, 1)->kind == TYPE_BOOL, "the condition is no bool");
    if (op->args[0])
        expect_type(v, "the value", op->type, arg_type(v, op, 0));
    else
        expect(v, op->flags & IRF_PINNED, "a check without a value is pinned");
    for (int k = 2; k < op->nargs && !v->error; k++)
        expect(v, type_is_scalar(arg_type(v, op, k)), "a number of the message is no scalar");
}

static void check_op(Verify *v, const IrOp *op) {
    Type *type = ir_follow(op->type);
    if (ir_is_scalar_op(op->kind)) {
        check_scalar(v, op);
        return;
    }
    switch (op->kind) {
    case IR_CONST: expect(v, type_is_scalar(type) && op->imm2 == 0, "no settled scalar"); return;
    case IR_STRING: expect(v, type->kind == TYPE_STRING, "is no string"); return;
    case IR_UNDEF: return;
    case IR_TUPLE:
        expect(v, type_is_product(type), "makes a product");
        check_members(v, op, type->items, type->count);
        return;
    case IR_GET: check_get(v, op); return;
    case IR_ZIP: check_zip(v, op); return;
    case IR_VARIANT: check_variant(v, op); return;
    case IR_TAG:
    case IR_PAYLOAD: check_of_sum(v, op); return;
    case IR_LIST: check_list(v, op); return;
    case IR_DIM:
    case IR_INDEX:
    case IR_PACK:
    case IR_BIT:
    case IR_SLICE:
    case IR_RESHAPE:
    case IR_FLAT:
    case IR_UPDATE:
    case IR_CONCAT:
    case IR_SORT:
    case IR_MATMUL: check_array_op(v, op); return;
    case IR_KERNEL: check_kernel(v, op); return;
    case IR_IF:
    case IR_FOR:
    case IR_LOOP:
    case IR_TRY: check_control(v, op); return;
    case IR_CALL: check_call(v, op); return;
    case IR_CHECK: check_check(v, op); return;
    case IR_RT: expect(v, ir_rt_name((int)op->imm) != NULL, "no such call"); return;
    default: fail(v, "no op of this kind stands in a region");
    }
}

/* ---- dominance ---- */

static void check_region(Verify *v, const IrRegion *region);

static void check_visible(Verify *v, IrId id) {
    if (id >= (IrId)v->f->ops.len || id == IR_NONE)
        fail(v, "uses %%%u, which does not exist", id);
    else if (v->state[id] != 1)
        fail(v, "uses %%%u, which is not defined here", id);
}

static void define(Verify *v, IrId id) {
    if (id >= (IrId)v->f->ops.len || id == IR_NONE) {
        fail(v, "holds %%%u, which does not exist", id);
        return;
    }
    if (v->state[id])
        fail(v, "%%%u is defined twice", id);
    v->state[id] = 1;
    Type *type = v->f->ops.at[id].type;
    if (!type || type->has_var)
        fail(v, "%%%u has no settled type", id);
}

static void check_one(Verify *v, IrId id) {
    const IrOp *op = ir_op(v->f, id);
    v->op = id;
    for (int k = 0; k < op->nargs && !v->error; k++)
        if (op->args[k] || op->kind != IR_CHECK || k > 0)
            check_visible(v, op->args[k]);
    for (int r = 0; r < op->nregions && !v->error; r++)
        check_region(v, op->regions[r]);
    v->op = id;
    if (!v->error)
        check_op(v, op);
    if (!v->error)
        define(v, id);
}

static void check_region(Verify *v, const IrRegion *region) {
    for (int i = 0; i < region->params.len && !v->error; i++) {
        define(v, region->params.at[i]);
        if (!v->error)
            expect(v, ir_op(v->f, region->params.at[i])->kind == IR_PARAM, "a parameter is none");
    }
    for (int i = 0; i < region->ops.len && !v->error; i++) {
        IrId id = region->ops.at[i];
        if (id >= (IrId)v->f->ops.len || id == IR_NONE)
            fail(v, "holds %%%u, which does not exist", id);
        else
            check_one(v, id);
    }
    for (int i = 0; i < region->results.len && !v->error; i++)
        check_visible(v, region->results.at[i]);
    for (int i = 0; i < region->releases.len && !v->error; i++)
        check_visible(v, region->releases.at[i].value);
    for (int i = 0; i < region->params.len && !v->error; i++)
        v->state[region->params.at[i]] = 2;
    for (int i = 0; i < region->ops.len && !v->error; i++)
        v->state[region->ops.at[i]] = 2;
}

static const char *verify_func(const IrModule *m, const IrFunc *f) {
    Verify v = {.m = m, .f = f};
    v.state = NEW_ARRAY(m->arena, uint8_t, f->ops.len);
    check_region(&v, f->body);
    v.op = IR_NONE;
    if (!v.error && f->body->results.len != 1)
        fail(&v, "a function has one result");
    if (!v.error)
        expect_type(&v, "the result", ir_type(f, f->body->results.at[0]), f->result);
    return v.error;
}

const char *ir_verify(const IrModule *m) {
    for (int i = 0; i < m->funcs.len; i++) {
        const char *error = verify_func(m, m->funcs.at[i]);
        if (error)
            return error;
    }
    return NULL;
}
