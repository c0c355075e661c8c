/* Branches, loops and `try` in a point. What they decide are variables, one for each slot; arrays among them
   are pointers into the arena, into what the point reads, or to what a thread keeps. */
#include "text.h"

#include <string.h>

/* Variables for the slots of a value that control decides; init NULL: they are set later. */
static const char **declare(Cu *cu, const Layout *l, const char *const *init) {
    const char **names = cu_slots(cu, l->nslots), **types = cu_types(cu, l);
    for (int k = 0; k < l->nslots; k++) {
        if (!types[k])
            continue;
        const char *blank = l->slots[k].kind == SLOT_DATA ? "" : " ";
        names[k] = cu_name(cu, "c");
        if (init)
            cu_line(cu, "%s%s%s = %s;", types[k], blank, names[k], init[k]);
        else
            cu_line(cu, "%s%s%s;", types[k], blank, names[k]);
    }
    return names;
}

/* Sets variables to the results of a region, all at once where one may depend on another. */
static void assign(Cu *cu, const IrRegion *region, const char **const *names) {
    const char ***values = NEW_ARRAY(cu->arena, const char **, region->results.len + 1);
    bool is_single = region->results.len == 1 && cu_layout(cu, region->results.at[0])->nslots == 1;
    for (int k = 0; k < region->results.len; k++) {
        int n = cu_layout(cu, region->results.at[k])->nslots;
        const char *const *s = cu_handed_over(cu, region, k);
        values[k] = cu_slots(cu, n);
        for (int i = 0; s && i < n; i++) {
            values[k][i] = s[i];
            if (!s[i] || !names[k][i] || is_single || !strcmp(s[i], names[k][i]))
                continue;
            values[k][i] = cu_name(cu, "t");
            cu_line(cu, "const auto %s = %s;", values[k][i], s[i]);
        }
    }
    for (int k = 0; k < region->results.len; k++) {
        int n = cu_layout(cu, region->results.at[k])->nslots;
        for (int i = 0; i < n; i++)
            if (names[k][i] && values[k][i] && strcmp(values[k][i], names[k][i]))
                cu_line(cu, "%s = %s;", names[k][i], cu_bare(cu, values[k][i]));
    }
}

static void block(Cu *cu, const IrRegion *region, const char **const *names) {
    cu->indent++;
    cu_ops(cu, region);
    if (!cu->out->why)
        assign(cu, region, names);
    cu->indent--;
}

/* The value of a control op: its variables, all in a row. */
static void set_joined(Cu *cu, IrId id, const char **const *names, const IrId *like, int n) {
    Layout *l = cu_layout(cu, id);
    const char **s = cu_slots(cu, l->nslots);
    int at = 0;
    for (int k = 0; k < n; k++)
        for (int i = 0; i < cu_layout(cu, like[k])->nslots; i++)
            s[at++] = names[k][i];
    cu_set(cu, id, s, l->nslots);
}

static const char ***declare_results(Cu *cu, const IrRegion *region) {
    int n = region->results.len;
    const char ***names = NEW_ARRAY(cu->arena, const char **, n + 1);
    for (int k = 0; k < n; k++)
        names[k] = declare(cu, cu_layout(cu, region->results.at[k]), NULL);
    return names;
}

/* ---- branches ---- */

static void branches(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *then = op->regions[0];
    const char *cond = cu_scalar(cu, op->args[0]);
    const char ***names = declare_results(cu, then);
    cu_line(cu, "if (%s) {", cond);
    block(cu, then, (const char **const *)names);
    cu_line(cu, "} else {");
    block(cu, op->regions[1], (const char **const *)names);
    cu_line(cu, "}");
    set_joined(cu, id, (const char **const *)names, then->results.at, then->results.len);
}

/* The lists that the branches of the outermost `if` make outlive them: they are declared before it. */
void cu_if(Cu *cu, IrId id) {
    Buf code = {.arena = cu->arena}, lists = {.arena = cu->arena}, *outer = cu->code;
    if (cu->lists) {
        branches(cu, id);
        return;
    }
    cu->code = &code;
    cu->lists = &lists;
    cu->lists_indent = cu->indent;
    branches(cu, id);
    cu->code = outer;
    cu->lists = NULL;
    buf_printf(outer, "%s%s", lists.len ? buf_text(&lists) : "", code.len ? buf_text(&code) : "");
}

/* ---- loops ---- */

typedef struct {
    int n;
    Type **types;
    const char ***names;
    bool has_arrays;
    bool outlives, in_loop; /* of the code around it */
    Buf *lists;
    CuKeep keep;
} Carried;

/* Variables with the initial values of a loop, bound to the parameters of a region. */
static bool carry(Cu *cu, IrId id, const IrId *init, const IrRegion *region, int first, Carried *c) {
    const IrOp *op = ir_op(cu->ir, id);
    c->names = NEW_ARRAY(cu->arena, const char **, c->n + 1);
    c->types = NEW_ARRAY(cu->arena, Type *, c->n + 1);
    for (int k = 0; k < c->n; k++) {
        Text *v = cu_value(cu, init[k]);
        IrId param = region->params.at[first + k];
        if (!v->s)
            return false;
        c->types[k] = ir_type(cu->ir, init[k]);
        c->has_arrays |= !type_is_flat(c->types[k]);
        int arg = (int)(init - op->args) + k;
        bool is_moved = arg < 64 && op->consumed >> arg & 1;
        const char *const *s = cu->owned[param] && !is_moved ? cu_copy(cu, c->types[k], v->s) : v->s;
        Layout *l = layout_of(cu->e, c->types[k]);
        c->names[k] = declare(cu, l, s);
        cu_set(cu, param, c->names[k], l->nslots);
    }
    return !cu->out->why;
}

static void open_rounds(Cu *cu, Carried *c) {
    if (c->has_arrays)
        cu_keep_open(cu, &c->keep);
    c->outlives = cu->outlives;
    c->in_loop = cu->in_loop;
    c->lists = cu->lists;
    cu->outlives |= c->has_arrays;
    cu->in_loop = true;
}

/* The end of a round. */
static void close_rounds(Cu *cu, Carried *c) {
    if (c->has_arrays && !cu->out->why) {
        cu->indent++;
        cu_keep_close(cu, &c->keep, c->types, (const char **const *)c->names, c->n);
        cu->indent--;
    }
    cu->outlives = c->outlives;
    cu->in_loop = c->in_loop;
    cu_line(cu, "}");
}

void cu_for(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *body = op->regions[0];
    const char *lo = cu_scalar(cu, op->args[0]), *hi = cu_scalar(cu, op->args[1]);
    Carried c = {.n = op->nargs - 2};
    if (!carry(cu, id, op->args + 2, body, 1, &c))
        return;
    const char **i = cu_slots(cu, 1);
    i[0] = cu_name(cu, "i");
    cu_set(cu, body->params.at[0], i, 1);
    open_rounds(cu, &c);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (i64 %s = %s; %s < %s; %s++) {", i[0], lo, i[0], hi, i[0]);
    block(cu, body, (const char **const *)c.names);
    close_rounds(cu, &c);
    set_joined(cu, id, (const char **const *)c.names, op->args + 2, c.n);
}

void cu_loop(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *cond = op->regions[0], *body = op->regions[1];
    Carried c = {.n = op->nargs};
    if (!carry(cu, id, op->args, body, 0, &c))
        return;
    for (int k = 0; k < op->nargs; k++)
        cu_set(cu, cond->params.at[k], c.names[k], cu_layout(cu, op->args[k])->nslots);
    open_rounds(cu, &c);
    cu_line(cu, "GX_UNROLL1");
    cu_line(cu, "for (;;) {");
    cu->indent++;
    cu_ops(cu, cond);
    if (!cu->out->why)
        cu_line(cu, "if (!%s) break;", cu_scalar(cu, cond->results.at[0]));
    cu->indent--;
    if (!cu->out->why)
        block(cu, body, (const char **const *)c.names);
    close_rounds(cu, &c);
    set_joined(cu, id, (const char **const *)c.names, op->args, c.n);
}

/* ---- try ---- */

/* The tried part is a lambda, which its faults leave; an arena that is too small ends all of the point. */
void cu_try(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    const IrRegion *tried = op->regions[0];
    const char ***names = declare_results(cu, tried), *ok = cu_name(cu, "ok"), *fail = cu->fail;
    bool outlives = cu->outlives, could = cu->out->can_fault;
    int took = cu->out->takes;
    Buf *lists = cu->lists;
    cu_line(cu, "const bool %s = [&]() -> bool {", ok);
    cu->outlives = true;
    cu->lists = NULL;
    cu->fail = "return false;";
    block(cu, tried, (const char **const *)names);
    cu->fail = fail;
    cu->outlives = outlives;
    cu->lists = lists;
    cu->out->can_fault = could;
    cu->indent++;
    cu_line(cu, "return true;");
    cu->indent--;
    cu_line(cu, "}();");
    cu_line(cu, "if (!%s) {", ok);
    cu->indent++;
    if (cu->out->takes > took)
        cu_need(cu, arena_printf(cu->arena, "!%s.over", cu->heap));
    cu->indent--;
    block(cu, op->regions[1], (const char **const *)names);
    cu_line(cu, "}");
    set_joined(cu, id, (const char **const *)names, tried->results.at, tried->results.len);
}
