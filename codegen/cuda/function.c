/* Called functions and the operators of sums, each as a function of its own; operators inside of a point are
   lambdas, as they see what the point has computed. */
#include "text.h"

#include <string.h>

/* How often each value is used in a region; a use in a loop counts as many. */
void cu_count_uses(Cu *cu, const IrRegion *region, int weight) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(cu->ir, region->ops.at[k]);
        const IrPutIn *call = cu->library[region->ops.at[k]];
        for (int i = 0; call && i < call->nargs && call->value == region->ops.at[k]; i++)
            cu->uses[call->args[i]] += weight;
        if (call)
            continue;
        for (int i = 0; i < op->nargs; i++)
            cu->uses[op->args[i]] += weight;
        for (int r = 0; r < op->nregions; r++)
            cu_count_uses(cu, op->regions[r], 2);
    }
    for (int k = 0; k < region->results.len; k++)
        cu->uses[region->results.at[k]] += weight;
}

/* The state for writing a function of its own, whose code goes to a text of its own. */
Cu cu_enter(Cu *cu, const IrFunc *ir, Buf *code) {
    Cu inner = *cu;
    inner.code = code;
    inner.lists = NULL;
    inner.indent = 1;
    inner.is_wide = inner.is_warp = false;
    if (ir == cu->ir)
        return inner;
    inner.ir = ir;
    inner.is_function = true;
    inner.row = IR_NONE;
    inner.heap = "m";
    inner.side = "side";
    inner.other = "(1 - side)";
    inner.fail = "return false;";
    inner.in_loop = inner.is_nested = false;
    inner.values = NEW_ARRAY(cu->arena, Text, ir->ops.len + 1);
    inner.uses = NEW_ARRAY(cu->arena, int, ir->ops.len + 1);
    inner.inner = NEW_ARRAY(cu->arena, char, ir->ops.len + 1);
    inner.owned = NEW_ARRAY(cu->arena, char, ir->ops.len + 1);
    inner.is_given = NEW_ARRAY(cu->arena, bool, ir->ops.len + 1);
    memset(inner.inner, 1, (size_t)ir->ops.len);
    cu_find_library(&inner, (IrRegion *const[]){ir->body}, 1);
    cu_count_uses(&inner, ir->body, 1);
    cu_find_owned(&inner, ir->body);
    return inner;
}

void cu_leave(Cu *cu, Cu *inner) {
    cu->fields = inner->fields;
    cu->helpers = inner->helpers;
    cu->types = inner->types;
    cu->functions.at = inner->functions.at;
    cu->functions.len = inner->functions.len;
    cu->functions.cap = inner->functions.cap;
    cu->counter = inner->counter;
    cu->fault = inner->fault;
}

/* ---- functions ---- */

static bool is_written(Cu *cu, const char *name) {
    for (int k = 0; k < cu->functions.len; k++)
        if (!strcmp(cu->functions.at[k], name))
            return true;
    vec_push(cu->arena, &cu->functions, name);
    return false;
}

/* The parameters of a function, as text and as values of `inner`. */
static void write_parameters(Cu *inner, const IrFunc *callee, Buf *head) {
    for (int k = 0; k < callee->body->params.len; k++) {
        IrId p = callee->body->params.at[k];
        Layout *l = cu_layout(inner, p);
        const char **s = cu_slots(inner, l->nslots), **types = cu_types(inner, l);
        for (int i = 0; i < l->nslots; i++) {
            if (!types[i])
                continue;
            s[i] = cu_name(inner, "x");
            buf_printf(head, "%s%s%s%s", head->len ? ", " : "", types[i],
                       l->slots[i].kind == SLOT_DATA ? "" : " ", s[i]);
        }
        cu_set(inner, p, s, l->nslots);
    }
}

static bool is_plain(const IrFunc *callee);

static bool is_simple(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++) {
        const IrOp *op = ir_op(ir, region->ops.at[k]);
        if (op->kind == IR_KERNEL || op->kind == IR_UPDATE || op->kind == IR_CONCAT || op->kind == IR_SORT)
            return false;
        if (op->kind == IR_CALL ? !is_plain(op->callee) : ir_may_fault(ir, region->ops.at[k]))
            return false;
        for (int r = 0; r < op->nregions; r++)
            if (!is_simple(ir, op->regions[r]))
                return false;
    }
    return true;
}

/* Can it be a plain function of numbers, that cannot fail? */
static bool is_plain(const IrFunc *callee) {
    for (int k = 0; k < callee->body->params.len; k++)
        if (!type_is_flat(ir_type(callee, callee->body->params.at[k])))
            return false;
    return callee->is_lanewise || (!callee->is_recursive && is_simple(callee, callee->body));
}

static const char *function_name(Cu *cu, const IrFunc *callee) {
    const char *name = "gact_";
    for (const char *c = callee->name + (*callee->name == '_'); *c; c++)
        name = arena_printf(cu->arena, "%s%c", name, *c == '.' ? '_' : *c);
    return name;
}

const char *cu_function(Cu *cu, const IrFunc *callee, Span where) {
    const char *name = function_name(cu, callee);
    if (is_written(cu, name))
        return name;
    if (callee->is_recursive || callee->has_effect) {
        cu_no(cu, where, callee->is_recursive ? "it calls %s, which is recursive" : "it calls %s, which has effects",
              callee->name);
        return name;
    }
    Buf code = {.arena = cu->arena}, head = {.arena = cu->arena};
    Cu inner = cu_enter(cu, callee, &code);
    inner.counter = 0; /* so that all kernels have the same text */
    Layout *r = layout_of(cu->e, callee->result);
    bool plain = is_plain(callee), could = cu->out->can_fault;
    int took = cu->out->takes;
    inner.outlives = !type_is_flat(r->type);
    if (!plain)
        buf_puts(&head, "gx_arena &m, const int side");
    write_parameters(&inner, callee, &head);
    const char *type = cu_struct(&inner, r);
    for (int k = 0; k < callee->body->results.len; k++)
        inner.owned[callee->body->results.at[k]] |= !type_is_flat(r->type);
    cu_find_owned(&inner, callee->body);
    cu_ops(&inner, callee->body);
    const char *const *s = cu->out->why ? NULL : cu_handed_over(&inner, callee->body, 0);
    if (plain && cu->out->takes > took)
        cu_no(cu, where, "it calls %s, which makes arrays", callee->name);
    if (s) {
        cu_line(&inner, plain ? "return %s;" : "result = %s;", cu_bare(&inner, cu_make(&inner, r, s)));
        if (!plain)
            cu_line(&inner, "return true;");
        buf_printf(&inner.helpers, "#ifndef GX_HAS_%s\n#define GX_HAS_%s\nGX_DEV %s %s(%s%s%s%s) {\n%s}\n#endif\n\n",
                   name, name, plain ? type : "bool", name, buf_text(&head), plain ? "" : ", ", plain ? "" : type,
                   plain ? "" : " &result", buf_text(&code));
    }
    cu->out->can_fault = could;
    cu->out->takes = took;
    inner.counter = cu->counter;
    cu_leave(cu, &inner);
    return name;
}

/* Plain functions are called wherever their value is wanted, others before. */
void cu_call(Cu *cu, IrId id) {
    const IrOp *op = ir_op(cu->ir, id);
    Layout *l = cu_layout(cu, id);
    const char *name = cu_function(cu, op->callee, op->span), *v = cu_name(cu, "v");
    bool plain = is_plain(op->callee);
    Buf text = {.arena = cu->arena};
    buf_printf(&text, "%s(", name);
    if (!plain)
        buf_printf(&text, "%s, %s", cu->heap, cu->side);
    for (int k = 0, n = !plain; k < op->nargs; k++) {
        Text *x = cu_value(cu, op->args[k]);
        for (int i = 0; x->s && i < x->n; i++)
            if (x->s[i])
                buf_printf(&text, "%s%s", n++ ? ", " : "", cu_bare(cu, x->s[i]));
    }
    if (cu->out->why)
        return;
    if (plain) {
        cu_line(cu, "const %s %s = %s);", cu_struct(cu, l), v, buf_text(&text));
    } else {
        cu_line(cu, "%s %s;", cu_struct(cu, l), v);
        cu_need(cu, arena_printf(cu->arena, "%s, %s)", buf_text(&text), v));
        cu->out->takes++;
    }
    const char **s = cu_slots(cu, l->nslots);
    for (int k = 0; k < l->nslots; k++)
        s[k] = cu_member(cu, l, v, k);
    cu_set(cu, id, s, l->nslots);
}

void cu_library_call(Cu *cu, const IrPutIn *call) {
    const IrOp *op = ir_op(cu->ir, call->value);
    Buf text = {.arena = cu->arena};
    buf_printf(&text, "%s(", cu_function(cu, call->func, op->span));
    for (int k = 0; k < call->nargs; k++)
        buf_printf(&text, "%s%s", k ? ", " : "", cu_bare(cu, cu_scalar(cu, call->args[k])));
    buf_puts(&text, ")");
    if (cu->out->why)
        return;
    const char **s = cu_slots(cu, 1);
    s[0] = cu_keep(cu, call->value, cu_type(cu, op->type), buf_text(&text));
    cu_set(cu, call->value, s, 1);
}

/* ---- operators ---- */

static void bind_sides(Cu *inner, const IrRegion *op, const Layout *l, const char *const *sides) {
    for (int k = 0; k < 2; k++) {
        const char **s = cu_slots(inner, l->nslots);
        for (int i = 0; i < l->nslots; i++)
            s[i] = cu_member(inner, l, sides[k], i);
        cu_set(inner, op->params.at[k], s, l->nslots);
    }
}

static bool may_fault(const IrFunc *ir, const IrRegion *region) {
    for (int k = 0; k < region->ops.len; k++)
        if (ir_may_fault(ir, region->ops.at[k]))
            return true;
    return false;
}

const char *cu_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool) {
    bool may = may_fault(cu->ir, op);
    if (may && !cu->fault)
        cu->fault = cu_field(cu, "i32 *", "fault", (GactDeviceArg){.kind = GACT_ARG_FAULT});
    Buf code = {.arena = cu->arena};
    const char *name = arena_printf(cu->arena, "%s_op%d", cu->name, ++cu->counter);
    const char *type = cu_struct(cu, l);
    static const char *const sides[] = {"x", "y"};
    Cu inner = cu_enter(cu, cu->ir, &code);
    bind_sides(&inner, op, l, sides);
    bool could = cu->out->can_fault;
    int took = cu->out->takes;
    if (may) /* it gives anything, as the host runs the kernel again */
        inner.fail = arena_printf(cu->arena, "{ *%s = 1; return %s; }", cu->fault, is_bool ? "false" : "x");
    cu_ops(&inner, op);
    if (cu->out->takes > took)
        cu_no(cu, (Span){0}, "its operator makes arrays");
    cu->out->can_fault = could;
    if (!cu->out->why) {
        Text *v = cu_value(&inner, op->results.at[0]);
        cu_line(&inner, "return %s;", is_bool ? v->s[0] : cu_make(&inner, l, v->s));
        buf_printf(&inner.helpers, "GX_DEV %s %s(const %s_args &a, const %s x, const %s y) {\n%s}\n\n",
                   is_bool ? "bool" : type, name, cu->name, type, type, buf_text(&code));
    }
    cu_leave(cu, &inner);
    return name;
}

const char *cu_inner_operator(Cu *cu, const IrRegion *op, const Layout *l, bool is_bool, const char *fail) {
    const char *name = cu_name(cu, "op"), *type = cu_struct(cu, l);
    const char *const sides[] = {cu_name(cu, "x"), cu_name(cu, "y")};
    cu_line(cu, "const auto %s = [&](const %s &%s, const %s &%s) -> %s {", name, type, sides[0], type, sides[1],
            is_bool ? "bool" : type);
    Cu inner = *cu;
    inner.is_wide = false;
    inner.is_nested = true;
    inner.lists = NULL;
    inner.outlives = !type_is_flat(l->type);
    inner.indent++;
    inner.fail = arena_printf(cu->arena, "%s return %s; }", fail, is_bool ? "false" : sides[0]);
    if (cu->is_warp)
        inner.heap = "own";
    bind_sides(&inner, op, l, sides);
    CuScope scope;
    bool is_flat = type_is_flat(l->type);
    if (is_flat)
        cu_open_scope(&inner, &scope);
    cu_ops(&inner, op);
    const char *const *s = cu->out->why ? NULL : cu_value(&inner, op->results.at[0])->s;
    if (is_flat)
        cu_close_scope(&inner, &scope);
    if (s)
        cu_line(&inner, "return %s;", is_bool ? s[0] : cu_make(&inner, l, s));
    cu_leave(cu, &inner);
    cu_line(cu, "};");
    return name;
}
