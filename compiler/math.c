/* Functions of floats (exp, log, …) become the library's code for them: the rows of lang/ops.def that
   say MATH(file) name a function of stdlib/math_FILE.gact for each of f32 and f64; f16 and bf16 are
   computed in f32. All back ends and all levels thus run one implementation, made of operations that
   round alike everywhere.

   In: a module where such a function is one op, so that fusion and remarks see it under its name.
   Out: the same without these ops: a small function's code stands in their place, a large one that
   is needed more than once is called. The functions are not contracted: their rounding is as
   written. */
#include "compiler.h"

enum { SMALL = 4000 }; /* ops of a function that is put in wherever it is needed */

static const char *const files[IR_CONST] = {
#define BIN(...)   NULL
#define CMP(...)   NULL
#define INTR(...)  NULL
#define LIBM(...)  NULL
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
    if (func)
        simplify_func(c, func);
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

/* The function's value at the builder's place. */
static IrId put_in(Walk *w, Entry *entry, const IrId *args, int n) {
    Math *m = w->math;
    if (!entry->is_ready) {
        entry->is_ready = true;
        expand_func(m, entry->func);
        entry->size = ir_size(entry->func, entry->func->body);
    }
    if (entry->size <= SMALL || entry->uses == 1)
        return ir_inline(&w->b, entry->func, args);
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
