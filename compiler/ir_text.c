/* The text form of the IR; ir_parse.c reads it back. One op a line:

     %4 = index.checked %1, %3 : f32

   Numbers that are part of an op stand among its operands (`get %1, 0`), an operand or result that
   the plan pass hands over is marked ^, `_` is no value, #2 the node it was made for. Spans and
   what ports know beyond their types are not written. */
#include "ast.h"
#include "ir_build.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Buf *out;
    const IrFunc *f;
    int indent;
} Printer;

/* ---- types ---- */

static void print_type(Buf *out, const Type *type);

static void print_items(Buf *out, Type *const *items, const Name *names, int n) {
    buf_puts(out, "(");
    for (int i = 0; i < n; i++) {
        if (i)
            buf_puts(out, ", ");
        if (names && names[i])
            buf_printf(out, "%s: ", names[i]);
        print_type(out, items[i]);
    }
    buf_puts(out, ")");
}

static void print_sum(Buf *out, const Type *type) {
    buf_puts(out, "{");
    for (int i = 0; i < type->nctors; i++) {
        const TypeCtor *ctor = &type->ctors[i];
        buf_printf(out, "%s%s", i ? " | " : "", ctor->name);
        if (ctor->count)
            print_items(out, ctor->items, ctor->names, ctor->count);
    }
    buf_puts(out, "}");
}

static void print_type(Buf *out, const Type *type) {
    while (type->kind == TYPE_VAR && type->solution)
        type = type->solution;
    if (type->kind == TYPE_VAR)
        buf_puts(out, "?");
    else if (type->kind == TYPE_ACTOR)
        buf_printf(out, "actor %s", type->decl ? type->decl->name : "_");
    else if (type_is_product(type))
        print_items(out, type->items, type->names, type->count);
    else if (type_is_sum(type))
        print_sum(out, type);
    else if (type->kind == TYPE_ARRAY) {
        buf_puts(out, "[_");
        for (int i = 1; i < type->rank; i++)
            buf_puts(out, ", _");
        buf_puts(out, "]");
        print_type(out, type->elem);
    } else
        type_print(out, type);
}

/* ---- pieces ---- */

static void print_quoted(Buf *out, const char *text, size_t len) {
    buf_puts(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 32 || c == 127)
            buf_printf(out, "\\x%02x", c);
        else
            buf_add(out, text + i, 1);
    }
    buf_puts(out, "\"");
}

/* A function's name; quoted where it is not just letters, digits, _ and dots. */
static void print_name(Buf *out, const char *name) {
    size_t plain = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.");
    if (plain && !name[plain])
        buf_puts(out, name);
    else
        print_quoted(out, name, strlen(name));
}

static void print_value(Buf *out, IrId id, bool handed_over) {
    if (id)
        buf_printf(out, "%s%%%u", handed_over ? "^" : "", id);
    else
        buf_puts(out, "_");
}

static bool has_bit(uint64_t bits, int k) {
    return k < 64 && bits >> k & 1;
}

static void print_args(Printer *p, const IrOp *op, int from, int to) {
    for (int i = from; i < to; i++) {
        if (i > from)
            buf_puts(p->out, ", ");
        print_value(p->out, op->args[i], has_bit(op->consumed, i));
    }
}

/* The shortest decimal that reads back as the same bits. */
static void print_float(Buf *out, TypeKind kind, int64_t bits) {
    double value = ir_float_value(kind, bits);
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (ir_float_bits(kind, strtod(text, NULL)) == bits) {
            buf_puts(out, text);
            return;
        }
    }
    buf_printf(out, "0x%" PRIx64, (uint64_t)bits); /* a NaN with a payload */
}

static void print_const(Buf *out, const IrOp *op) {
    Type *type = ir_follow(op->type);
    if (type_is_float(type) && !op->imm2)
        print_float(out, type->kind, op->imm);
    else if (type->kind == TYPE_BOOL)
        buf_puts(out, op->imm ? "true" : "false");
    else
        buf_printf(out, "%" PRId64, op->imm);
}

/* ---- regions ---- */

static void print_ops(Printer *p, const IrRegion *region);

static void newline(Printer *p) {
    buf_puts(p->out, "\n");
    for (int i = 0; i < p->indent; i++)
        buf_puts(p->out, "  ");
}

static void print_params(Printer *p, const IrRegion *region) {
    buf_puts(p->out, "(");
    for (int i = 0; i < region->params.len; i++) {
        IrId id = region->params.at[i];
        buf_printf(p->out, "%s%%%u: ", i ? ", " : "", id);
        print_type(p->out, ir_op(p->f, id)->type);
    }
    buf_puts(p->out, ")");
}

/* Those after the yield are the ones at the region's end. */
static void print_releases(Printer *p, const IrRegion *region, int after) {
    int i = 0, n = region->releases.len;
    while (i < n && region->releases.at[i].after < after)
        i++;
    for (; i < n && region->releases.at[i].after == after; i++) {
        newline(p);
        buf_printf(p->out, "release %%%u", region->releases.at[i].value);
    }
}

static void print_block(Printer *p, const IrRegion *region) {
    buf_puts(p->out, "{");
    p->indent++;
    print_ops(p, region);
    newline(p);
    buf_puts(p->out, "yield");
    for (int i = 0; i < region->results.len; i++) {
        buf_puts(p->out, i ? ", " : " ");
        print_value(p->out, region->results.at[i], has_bit(region->moved, i));
    }
    print_releases(p, region, region->ops.len);
    p->indent--;
    newline(p);
    buf_puts(p->out, "}");
}

static void print_region(Printer *p, const IrRegion *region) {
    print_params(p, region);
    buf_puts(p->out, " ");
    print_block(p, region);
}

/* ---- ops ---- */

static const char *const sink_names[] = {
    [SINK_MAP] = "map",   [SINK_LIST] = "list",       [SINK_REDUCE] = "reduce",
    [SINK_SCAN] = "scan", [SINK_FILTER] = "filter",   [SINK_FLATMAP] = "flatmap",
    [SINK_HIST] = "hist", [SINK_SCATTER] = "scatter",   [SINK_PICK] = "pick",
};

const char *ir_sink_name(SinkKind kind) {
    return sink_names[kind];
}

static void print_kernel(Printer *p, const IrOp *op) {
    const IrKernel *k = op->kernel;
    buf_puts(p->out, " [");
    print_args(p, op, 0, k->rank);
    buf_puts(p->out, "] ");
    print_region(p, op->regions[0]);
    int yields = 0;
    for (int i = 0; i < k->nsinks; i++) {
        const IrSink *sink = &k->sinks[i];
        buf_printf(p->out, "%s %s", i ? "," : "", sink_names[sink->kind]);
        if (sink->imm)
            buf_printf(p->out, ".%d", sink->imm);
        if (sink->yield != yields)
            buf_printf(p->out, " from %d", sink->yield);
        yields = sink->yield + ir_sink_yields(sink->kind);
        int own = ir_sink_own(sink);
        if (own) {
            buf_puts(p->out, " of ");
            print_args(p, op, sink->arg, sink->arg + own);
        }
        if (sink->region >= 0) {
            buf_puts(p->out, " by ");
            print_region(p, op->regions[sink->region]);
        }
        buf_puts(p->out, " : ");
        print_type(p->out, sink->type);
    }
    if (!k->inner)
        return;
    buf_puts(p->out, k->is_narrow ? " narrow box [" : " box [");
    print_args(p, op, k->box, k->box + 2 * k->rank);
    buf_puts(p->out, "] ");
    print_region(p, op->regions[k->inner]);
    if (k->edge == k->inner)
        return;
    buf_puts(p->out, k->edge ? " edge " : " edge body");
    if (k->edge)
        print_region(p, op->regions[k->edge]);
}

static void print_control(Printer *p, const IrOp *op) {
    if (op->kind == IR_FOR && op->imm)
        buf_printf(p->out, " near %" PRId64, op->imm);
    if (op->nargs) {
        buf_puts(p->out, " ");
        print_args(p, op, 0, op->nargs);
    }
    buf_puts(p->out, " ");
    switch (op->kind) {
    case IR_FOR: print_region(p, op->regions[0]); return;
    case IR_LOOP:
        buf_puts(p->out, "while ");
        print_region(p, op->regions[0]);
        buf_puts(p->out, " do ");
        print_region(p, op->regions[1]);
        return;
    case IR_IF:
    case IR_TRY:
        print_block(p, op->regions[0]);
        buf_puts(p->out, " else ");
        print_block(p, op->regions[1]);
        return;
    default: UNREACHABLE();
    }
}

/* How many numbers stand among an op's operands, and whether before them. */
int ir_text_numbers(IrKind kind, bool *before) {
    *before = kind == IR_VARIANT;
    switch (kind) {
    case IR_PACK:
    case IR_PAYLOAD: return 2;
    case IR_VARIANT:
    case IR_GET:
    case IR_DIM:
    case IR_SORT: return 1;
    default: return 0;
    }
}

static void print_operands(Printer *p, const IrOp *op) {
    Buf *out = p->out;
    bool before;
    int numbers = ir_text_numbers(op->kind, &before);
    const char *sep = " ";
    if (op->kind == IR_CALL) {
        buf_puts(out, " @");
        print_name(out, op->callee->name);
        sep = ", ";
    } else if (op->kind == IR_RT) {
        buf_printf(out, " %s", ir_rt_name((int)op->imm));
        sep = ", ";
    } else if (before) {
        buf_printf(out, " %" PRId64, op->imm);
        sep = ", ";
    }
    if (op->nargs)
        buf_puts(out, sep);
    print_args(p, op, 0, op->nargs);
    if (numbers && !before)
        buf_printf(out, ", %" PRId64, op->imm);
    if (numbers == 2)
        buf_printf(out, ", %" PRId64, op->imm2);
}

static bool holds_fault(const IrOp *op) {
    switch (op->kind) {
    case IR_CHECK:
    case IR_INDEX:
    case IR_SLICE:
    case IR_UPDATE: return op->fault != NULL;
    default: return ir_is_scalar_op(op->kind) && op->fault != NULL;
    }
}

static void print_fault(Printer *p, const IrFault *fault) {
    const char *kind = fault->kind ? fault->kind : "", *text = fault->text ? fault->text : "";
    buf_puts(p->out, " fault ");
    print_quoted(p->out, kind, strlen(kind));
    buf_puts(p->out, " ");
    print_quoted(p->out, text, strlen(text));
}

static void print_flags(Buf *out, int flags) {
    if (flags & (IRF_CHECKED | IRF_CHECKED_ZERO))
        buf_puts(out, ".checked");
    if (flags & IRF_PINNED)
        buf_puts(out, ".pinned");
    if (flags & IRF_FAST)
        buf_puts(out, ".fast");
}

static void print_op(Printer *p, IrId id) {
    const IrOp *op = ir_op(p->f, id);
    newline(p);
    buf_printf(p->out, "%%%u = %s", id, ir_kind_name(op->kind));
    print_flags(p->out, op->flags);
    switch (op->kind) {
    case IR_CONST:
        buf_puts(p->out, " ");
        print_const(p->out, op);
        break;
    case IR_STRING:
        buf_puts(p->out, " ");
        print_quoted(p->out, op->text, op->text_len);
        break;
    case IR_KERNEL: print_kernel(p, op); break;
    case IR_IF:
    case IR_FOR:
    case IR_LOOP:
    case IR_TRY: print_control(p, op); break;
    default: print_operands(p, op); break;
    }
    if (holds_fault(op))
        print_fault(p, op->fault);
    if (op->kind != IR_KERNEL) {
        buf_puts(p->out, " : ");
        print_type(p->out, op->type);
    }
    if (op->node)
        buf_printf(p->out, " #%d", op->node);
}

static void print_ops(Printer *p, const IrRegion *region) {
    print_releases(p, region, -1);
    for (int i = 0; i < region->ops.len; i++) {
        print_op(p, region->ops.at[i]);
        print_releases(p, region, i);
    }
}

/* ---- functions and entries ---- */

static void print_nodes(Buf *out, const IrFunc *f) {
    static const char *const places[] = {
        [PLACE_AUTO] = "auto", [PLACE_HOST] = "host", [PLACE_GPU] = "gpu"};
    for (int i = 1; i < f->nodes.len; i++) {
        const char *name = f->nodes.at[i].name ? f->nodes.at[i].name : "";
        buf_puts(out, " node ");
        print_quoted(out, name, strlen(name));
        buf_printf(out, " %s", places[f->nodes.at[i].place]);
    }
}

void ir_print_func(Buf *out, const IrFunc *f) {
    Printer p = {.out = out, .f = f};
    buf_puts(out, "fn ");
    print_name(out, f->name);
    print_params(&p, f->body);
    buf_puts(out, " -> ");
    print_type(out, f->result);
    if (f->is_recursive)
        buf_puts(out, " recursive");
    if (f->has_effect)
        buf_puts(out, " effect");
    if (f->is_rare)
        buf_puts(out, " rare");
    else if (f->is_lanewise)
        buf_puts(out, " lanewise");
    print_nodes(out, f);
    buf_puts(out, " ");
    print_block(&p, f->body);
    buf_puts(out, "\n");
}

static void print_ports(Buf *out, const IrPort *ports, int n) {
    buf_puts(out, "(");
    for (int i = 0; i < n; i++) {
        buf_printf(out, "%s%s: ", i ? ", " : "", ports[i].name ? ports[i].name : "_");
        print_type(out, ports[i].type);
        if (ports[i].has_default)
            buf_puts(out, " default");
    }
    buf_puts(out, ")");
}

static void print_entry(Buf *out, const IrEntry *e) {
    static const char *const kinds[] = {
        [ENTRY_DAG] = "dag", [ENTRY_MAIN] = "main", [ENTRY_TEST] = "test"};
    buf_printf(out, "entry %s ", kinds[e->kind]);
    print_quoted(out, e->name, strlen(e->name));
    buf_puts(out, e->of_many ? " many @" : " @");
    print_name(out, e->func->name);
    print_ports(out, e->inputs, e->ninputs);
    buf_puts(out, " -> ");
    print_ports(out, e->outputs, e->noutputs);
    buf_puts(out, "\n");
}

void ir_print(Buf *out, const IrModule *m) {
    for (int i = 0; i < m->funcs.len; i++) {
        if (i)
            buf_puts(out, "\n");
        ir_print_func(out, m->funcs.at[i]);
    }
    if (m->entries.len)
        buf_puts(out, "\n");
    for (int i = 0; i < m->entries.len; i++)
        print_entry(out, m->entries.at[i]);
}
