/* Functions of floats (exp, log, …) become the library's code for them: the rows of lang/ops.def that
   say MATH(file) name a function of stdlib/math_FILE.gact for each of f32 and f64; f16 and bf16 are
   computed in f32. All back ends and all levels thus run one implementation, made of operations that
   round alike everywhere.

   In: a module where such a function is one op, so that fusion and remarks see it under its name.
   Out: the same without these ops: a small function's code stands in their place, a large one that
   is needed more than once is called. The functions are not contracted: their rounding is as
   written. */
#include "compiler.h"

#include <string.h>

enum { SMALL = 100 }; /* ops of a function that is put in wherever it is needed */

static const char *const files[IR_CONST] = {
#define BIN(...)   NULL
#define CMP(...)   NULL
#define INTR(...)  NULL
#define SPECIAL    NULL
#define MATH(file) "math_" #file ".gact"
#define OP(id, text, n, result, flags, cuda, llvm, doc) [IR_##id] = llvm,
#include "../lang/ops.def"
};

/* The function of an op for one format. */
typedef struct {
    IrFunc *func; /* NULL: not needed so far */
    int size;
    int uses;
    bool is_ready;  /* what it needs itself is put in */
    bool is_listed; /* among the module's functions, as it is called */
} Entry;

typedef struct {
    Compiler *c;
    Entry entries[IR_CONST][2]; /* for f32 and f64 */
} Math;

typedef struct {
    Math *math;
    IrBuilder b;
    IrId *subst; /* by id of an op that was replaced: its value */
    int known;   /* length of subst */
} Walk;

static bool is_function(const IrFunc *f, const IrOp *op) {
    return ir_is_scalar_op(op->kind) && files[op->kind] && type_is_float(ir_type(f, op->args[0]));
}

/* The format that a function of this type is computed in. */
static Type *wide_type(const Compiler *c, const Type *type) {
    return type_basic(c->types, type->kind == TYPE_F64 ? TYPE_F64 : TYPE_F32);
}

static Entry *entry_of(Math *m, IrKind kind, const Type *type) {
    return &m->entries[kind][type->kind == TYPE_F64];
}

/* ---- rare branches ---- */

/* A branch that is hardly ever taken becomes a function of its own, so that its code stands once and
   not wherever the function around it is put in. */
typedef VEC(IrId) IrIds;
typedef struct {
    IrFunc *f;
    bool *known; /* by id: defined in the branch, or captured */
    IrIds captured;
    bool is_plain; /* all are scalars, and nothing is called */
} Branch;

enum { FEW = 48 }; /* ops of a branch that stays */

static void capture(Branch *x, IrId id) {
    if (x->known[id])
        return;
    x->known[id] = true;
    x->is_plain &= type_is_scalar(ir_type(x->f, id));
    vec_push(x->f->arena, &x->captured, id);
}

static void capture_region(Branch *x, const IrRegion *region) {
    for (int i = 0; i < region->params.len; i++)
        x->known[region->params.at[i]] = true;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(x->f, region->ops.at[i]);
        x->known[region->ops.at[i]] = true;
        x->is_plain &= op->kind != IR_CALL && !is_function(x->f, op);
        for (int k = 0; k < op->nargs; k++)
            capture(x, op->args[k]);
        for (int r = 0; r < op->nregions; r++)
            capture_region(x, op->regions[r]);
    }
    for (int i = 0; i < region->results.len; i++)
        capture(x, region->results.at[i]);
}

/* The branch as a function of what it captures; constants are made anew. args: what to call it with. */
static IrFunc *branch_function(Compiler *c, Branch *x, const IrRegion *region, Type *type,
                               IrIds *args) {
    IrFunc *g = ir_func_new(c->ir, arena_printf(c->arena, "%s_rare", x->f->name), x->f->span);
    IrBuilder b = {.module = c->ir, .func = g, .region = g->body, .span = x->f->span};
    IrId *map = NEW_ARRAY(c->arena, IrId, x->f->ops.len);
    for (int i = 0; i < x->captured.len; i++) {
        IrId id = x->captured.at[i];
        const IrOp *op = ir_op(x->f, id);
        map[id] = op->kind == IR_CONST ? ir_emit(&b, *op) : ir_param(g, g->body, op->type);
        if (op->kind != IR_CONST)
            vec_push(c->arena, args, id);
    }
    ir_clone_ops(&b, x->f, region, map);
    IrId *values = NEW_ARRAY(c->arena, IrId, region->results.len);
    for (int i = 0; i < region->results.len; i++)
        values[i] = map[region->results.at[i]];
    bool one = region->results.len == 1;
    IrId value = one ? values[0] : ir_tuple(&b, type, values, region->results.len);
    vec_push(c->arena, &g->body->results, value);
    g->result = type;
    g->is_lanewise = g->is_rare = true;
    return g;
}

static void call_branch(Compiler *c, IrFunc *f, IrRegion *region, Type *type) {
    Branch x = {.f = f, .is_plain = true};
    x.known = NEW_ARRAY(c->arena, bool, f->ops.len);
    capture_region(&x, region);
    if (!x.is_plain || ir_size(f, region) <= FEW)
        return;
    IrIds args = {0};
    IrFunc *g = branch_function(c, &x, region, type, &args);
    region->ops.len = 0;
    IrBuilder b = {.module = c->ir, .func = f, .region = region, .span = f->span};
    IrId value = ir_call(&b, g, args.at, args.len);
    for (int k = 0; k < region->results.len; k++)
        region->results.at[k] = region->results.len == 1 ? value : ir_get(&b, value, k);
}

static void call_rare_branches(Compiler *c, IrFunc *f, IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp op = *ir_op(f, region->ops.at[i]);
        for (int r = 0; r < op.nregions; r++)
            call_rare_branches(c, f, op.regions[r]);
        if (op.kind == IR_IF && ir_op(f, op.args[0])->kind == IR_RARE)
            call_branch(c, f, op.regions[0], op.type);
    }
}

/* ---- what is needed ---- */

static void count_uses(Math *m, const IrFunc *f, const IrRegion *region);

/* Checks the function of an op; it is not among the module's. */
static IrFunc *library_function(Compiler *c, IrKind kind, const Type *type) {
    Module *module = compiler_library(c, files[kind]);
    const char *name = arena_printf(c->arena, "_%s_%s", ir_kind_name(kind),
                                    type->kind == TYPE_F64 ? "f64" : "f32");
    int listed = c->ir->funcs.len;
    IrFunc *func = module ? check_library_function(c, module, name) : NULL;
    if (!func && !c->diags.errors)
        diag_report(&c->diags, DIAG_UNKNOWN_NAME, (Span){0, 0}, "the library has no %s in %s", name,
                    files[kind]);
    c->ir->funcs.len = listed;
    if (func) {
        simplify_func(c, func);
        call_rare_branches(c, func, func->body);
    }
    return func;
}

static void note_use(Math *m, const IrFunc *f, const IrOp *op) {
    Type *type = ir_type(f, op->args[0]);
    Entry *entry = entry_of(m, op->kind, type);
    if (entry->uses++ > 0 || m->c->diags.errors)
        return;
    entry->func = library_function(m->c, op->kind, type);
    if (!entry->func)
        return;
    entry->size = ir_size(entry->func, entry->func->body);
    count_uses(m, entry->func, entry->func->body);
}

static void count_uses(Math *m, const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        if (is_function(f, op))
            note_use(m, f, op);
        for (int r = 0; r < op->nregions; r++)
            count_uses(m, f, op->regions[r]);
    }
}

/* ---- putting them in ---- */

static void expand_func(Math *m, IrFunc *f);

/* The function's value at the builder's place, where it is of constants and one itself; IR_NONE
   otherwise. */
static IrId fold(Walk *w, const Entry *entry, const IrId *args, int n) {
    IrFunc *f = w->b.func;
    IrRegion scratch = {0};
    IrBuilder b = w->b;
    int64_t bits;
    for (int k = 0; k < n; k++)
        if (ir_op(f, args[k])->kind != IR_CONST)
            return IR_NONE;
    b.region = &scratch;
    IrId value = ir_inline(&b, entry->func, args);
    return ir_const_bits(f, value, &bits) ? ir_bits_const(&w->b, ir_type(f, value), bits) : IR_NONE;
}

static IrId put_in_code(Walk *w, IrFunc *func, const IrId *args, int n) {
    IrFunc *f = w->b.func;
    IrPutIn p = {.from = f->ops.len, .func = func, .nargs = n};
    p.value = ir_inline(&w->b, func, args);
    p.to = f->ops.len;
    memcpy(p.args, args, (size_t)n * sizeof *args);
    if (p.value >= p.from)
        vec_push(f->arena, &f->put_in, p);
    return p.value;
}

/* The function's value at the builder's place. */
static IrId put_in(Walk *w, Entry *entry, const IrId *args, int n) {
    Math *m = w->math;
    if (!entry->is_ready) {
        entry->is_ready = true;
        expand_func(m, entry->func);
        entry->size = ir_size(entry->func, entry->func->body);
    }
    IrId folded = fold(w, entry, args, n);
    if (folded)
        return folded;
    if (entry->size <= SMALL || entry->uses == 1)
        return put_in_code(w, entry->func, args, n);
    entry->func->is_lanewise = true;
    if (!entry->is_listed)
        vec_push(m->c->arena, &m->c->ir->funcs, entry->func);
    entry->is_listed = true;
    return ir_call(&w->b, entry->func, args, n);
}

static IrId expand_op(Walk *w, IrRegion *region, const IrOp *op) {
    IrId args[3];
    Type *type = ir_type(w->b.func, op->args[0]), *wide = wide_type(w->math->c, type);
    w->b.region = region;
    w->b.span = op->span;
    w->b.node = op->node;
    for (int k = 0; k < op->nargs; k++)
        args[k] = ir_convert(&w->b, wide, op->args[k]);
    IrId value = put_in(w, entry_of(w->math, op->kind, type), args, op->nargs);
    return ir_convert(&w->b, op->type, value);
}

static void replace_all(const Walk *w, IrId *values, int n) {
    for (int i = 0; i < n; i++)
        if ((int)values[i] < w->known && w->subst[values[i]])
            values[i] = w->subst[values[i]];
}

/* An operator that was one of these ops is no single op any more. */
static void reset_sinks(const IrFunc *f, const IrOp *op) {
    for (int i = 0; op->kind == IR_KERNEL && i < op->kernel->nsinks; i++)
        if (op->kernel->sinks[i].region > 0)
            op->kernel->sinks[i].op = ir_region_op(f, op->regions[op->kernel->sinks[i].region]);
}

static void expand_region(Walk *w, IrRegion *region) {
    IrRegion old = *region;
    region->ops.at = NULL;
    region->ops.len = region->ops.cap = 0;
    for (int i = 0; i < old.ops.len; i++) {
        IrId id = old.ops.at[i];
        IrOp op = *ir_op(w->b.func, id);
        replace_all(w, op.args, op.nargs);
        if (is_function(w->b.func, &op)) {
            w->subst[id] = expand_op(w, region, &op);
            continue;
        }
        for (int r = 0; r < op.nregions; r++)
            expand_region(w, op.regions[r]);
        reset_sinks(w->b.func, &op);
        vec_push(w->b.func->arena, &region->ops, id);
    }
    replace_all(w, region->results.at, region->results.len);
}

static void expand_func(Math *m, IrFunc *f) {
    Arena scratch = {0};
    Walk w = {.math = m, .known = f->ops.len};
    w.b = (IrBuilder){.module = m->c->ir, .func = f};
    w.subst = NEW_ARRAY(&scratch, IrId, w.known);
    expand_region(&w, f->body);
    arena_free(&scratch);
}

void math_module(Compiler *c) {
    Math m = {.c = c};
    IrModule *ir = c->ir;
    int n = ir->funcs.len;
    for (int i = 0; i < n; i++)
        count_uses(&m, ir->funcs.at[i], ir->funcs.at[i]->body);
    bool any = false;
    for (int k = 0; k < IR_CONST; k++)
        any |= m.entries[k][0].uses + m.entries[k][1].uses > 0;
    for (int i = 0; any && !c->diags.errors && i < n; i++)
        expand_func(&m, ir->funcs.at[i]);
}
