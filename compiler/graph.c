/* --emit=graph: each dag as Graphviz text. What runs as one kernel is a cluster that holds the
   bindings it computes; scalar glue between kernels is left out and edges go through it. Edges say
   the type that flows and its bytes an element; inputs and outputs are boxes. */
#include "fuse.h"

typedef struct {
    Buf *out;
    const IrEntry *entry;
    const IrFunc *f;
    Arena scratch;
    bool *shown; /* by id: is a node (or cluster) of the picture */
} Graph;

typedef struct {
    IrId *at;
    int len;
} Origins;

/* ---- what is shown ---- */

static bool is_heavy(const IrFunc *f, const IrRegion *region);

static bool is_shown(const IrFunc *f, const IrOp *op) {
    switch (op->kind) {
    case IR_KERNEL:
    case IR_SORT:
    case IR_MATMUL:
    case IR_CALL:
    case IR_RT:
    case IR_CONCAT:
    case IR_UPDATE:
    case IR_FOR:
    case IR_LOOP:
    case IR_TRY: return true;
    case IR_IF: return is_heavy(f, op->regions[0]) || is_heavy(f, op->regions[1]);
    default: return false;
    }
}

static bool is_heavy(const IrFunc *f, const IrRegion *region) {
    for (int i = 0; i < region->ops.len; i++)
        if (is_shown(f, ir_op(f, region->ops.at[i])))
            return true;
    return false;
}

/* Bytes of a value, of an element where it is an array; 0 if that varies. */
static int bytes_of(const Type *type) {
    if (type->kind == TYPE_ARRAY)
        return type->elem->kind == TYPE_ARRAY ? 0 : bytes_of(type->elem);
    if (type_is_scalar(type))
        return type_bytes(type);
    int sum = 0;
    for (int i = 0; type_is_product(type) && i < type->count; i++)
        sum += bytes_of(type->items[i]);
    return sum;
}

/* ---- names ---- */

static const char *name_of_op(const Graph *g, const IrOp *op) {
    if (op->node && g->f->nodes.at[op->node].name)
        return g->f->nodes.at[op->node].name;
    return op->kind == IR_CALL ? op->callee->name : ir_kind_name(op->kind);
}

static void quote(Graph *g, const char *text) {
    buf_puts(g->out, "\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_puts(g->out, "\\");
        if (*text == '\n')
            buf_puts(g->out, "\\n");
        else
            buf_add(g->out, text, 1);
    }
    buf_puts(g->out, "\"");
}

/* Marks the bindings that the ops of a region were made for. */
static void mark_nodes(const IrFunc *f, const IrRegion *region, bool *marked) {
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        marked[op->node] |= op->kind != IR_CONST;
        for (int r = 0; r < op->nregions; r++)
            mark_nodes(f, op->regions[r], marked);
    }
}

/* ---- nodes ---- */

static const char *sink_words(Graph *g, const IrOp *op) {
    static const char *const words[SINK_KIND_COUNT] = {
        [SINK_MAP] = "map",        [SINK_LIST] = "list",       [SINK_REDUCE] = "reduce",
        [SINK_SCAN] = "scan",      [SINK_FILTER] = "filter",   [SINK_FLATMAP] = "flat map",
        [SINK_HIST] = "histogram", [SINK_SCATTER] = "scatter", [SINK_PICK] = "pick",
    };
    const char *text = "";
    for (int s = 0; s < op->kernel->nsinks; s++)
        text = arena_printf(&g->scratch, "%s%s%s", text, s ? " + " : "",
                            words[op->kernel->sinks[s].kind]);
    return text;
}

static void print_kernel(Graph *g, IrId id, const IrOp *op) {
    bool *marked = NEW_ARRAY(&g->scratch, bool, g->f->nodes.len + 1);
    mark_nodes(g->f, op->regions[0], marked);
    marked[op->node] = true;
    buf_printf(g->out, "    subgraph cluster_%u {\n      label=", id);
    quote(g, sink_words(g, op));
    buf_printf(g->out, ";\n      style=rounded;\n");
    buf_printf(g->out, "      k%u [label=", id);
    quote(g, op->node ? name_of_op(g, op) : "kernel");
    buf_puts(g->out, "];\n");
    for (int n = 1; n < g->f->nodes.len; n++) {
        if (!marked[n] || n == op->node || !g->f->nodes.at[n].name)
            continue;
        buf_printf(g->out, "      k%u_%d [label=", id, n);
        quote(g, g->f->nodes.at[n].name);
        buf_puts(g->out, "];\n");
    }
    buf_puts(g->out, "    }\n");
}

static void print_node(Graph *g, IrId id) {
    const IrOp *op = ir_op(g->f, id);
    if (op->kind == IR_KERNEL) {
        print_kernel(g, id, op);
        return;
    }
    buf_printf(g->out, "    k%u [label=", id);
    quote(g, name_of_op(g, op));
    buf_puts(g->out, "];\n");
}

static void print_ports(Graph *g, const IrPort *ports, int n, const char *prefix) {
    for (int i = 0; i < n; i++) {
        buf_printf(g->out, "    %s%d [shape=box, label=", prefix, i);
        const char *type = ports[i].text ? ports[i].text : type_text(&g->scratch, ports[i].type);
        quote(g,
              arena_printf(&g->scratch, "%s: %s", ports[i].name ? ports[i].name : "result", type));
        buf_puts(g->out, "];\n");
    }
}

/* ---- edges ---- */

static void add_source(Origins *s, IrId id) {
    for (int i = 0; i < s->len; i++)
        if (s->at[i] == id)
            return;
    s->at[s->len++] = id;
}

/* Collects the shown ops, outputs of them and inputs that v comes from. */
static void trace(Graph *g, IrId v, bool *seen, Origins *s);

static void trace_region(Graph *g, const IrRegion *region, bool *seen, Origins *s) {
    for (int i = 0; i < region->params.len; i++)
        seen[region->params.at[i]] = true;
    for (int i = 0; i < region->ops.len; i++)
        seen[region->ops.at[i]] = true;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(g->f, region->ops.at[i]);
        for (int r = 0; r < op->nregions; r++)
            trace_region(g, op->regions[r], seen, s);
        for (int k = 0; k < op->nargs; k++)
            trace(g, op->args[k], seen, s);
    }
    for (int i = 0; i < region->results.len; i++)
        trace(g, region->results.at[i], seen, s);
}

static void trace(Graph *g, IrId v, bool *seen, Origins *s) {
    if (!v || seen[v])
        return;
    seen[v] = true;
    const IrOp *op = ir_op(g->f, v);
    bool output =
        op->kind == IR_GET && g->shown[op->args[0]] && ir_op(g->f, op->args[0])->kind == IR_KERNEL;
    if (g->shown[v] || output || op->kind == IR_PARAM) {
        add_source(s, v);
        return;
    }
    for (int k = 0; k < op->nargs; k++)
        trace(g, op->args[k], seen, s);
    for (int r = 0; r < op->nregions; r++)
        trace_region(g, op->regions[r], seen, s);
}

static int input_of(const Graph *g, IrId id) {
    for (int i = 0; i < g->f->body->params.len; i++)
        if (g->f->body->params.at[i] == id)
            return i;
    return -1;
}

static void print_edge(Graph *g, IrId source, const char *to, bool cluster) {
    const IrOp *value = ir_op(g->f, source);
    IrId from = value->kind == IR_GET ? value->args[0] : source;
    const IrOp *op = ir_op(g->f, from);
    int input = input_of(g, from);
    if (input == 0)
        return; /* which inputs were given */
    if (input > 0)
        buf_printf(g->out, "    in%d -> %s [", input - 1, to);
    else
        buf_printf(g->out, "    k%u -> %s [", from, to);
    if (input < 0 && op->kind == IR_KERNEL)
        buf_printf(g->out, "ltail=cluster_%u, ", from);
    if (cluster)
        buf_printf(g->out, "lhead=cluster_%s, ", to + 1);
    int bytes = bytes_of(value->type);
    buf_puts(g->out, "label=");
    quote(g, bytes
                 ? arena_printf(&g->scratch, "%s\n%d B", type_text(&g->scratch, value->type), bytes)
                 : type_text(&g->scratch, value->type));
    buf_puts(g->out, "];\n");
}

static Origins new_origins(Graph *g) {
    return (Origins){NEW_ARRAY(&g->scratch, IrId, g->f->ops.len), 0};
}

static void print_edges_into(Graph *g, IrId id) {
    const IrOp *op = ir_op(g->f, id);
    Origins s = new_origins(g);
    bool *seen = NEW_ARRAY(&g->scratch, bool, g->f->ops.len);
    for (int k = 0; k < op->nargs; k++)
        trace(g, op->args[k], seen, &s);
    for (int r = 0; r < op->nregions; r++)
        trace_region(g, op->regions[r], seen, &s);
    const char *to = arena_printf(&g->scratch, "k%u", id);
    for (int i = 0; i < s.len; i++)
        print_edge(g, s.at[i], to, op->kind == IR_KERNEL);
}

static void print_edges_out(Graph *g) {
    IrId result = g->f->body->results.at[0];
    const IrOp *op = ir_op(g->f, result);
    bool several = g->entry->noutputs > 1 && op->kind == IR_TUPLE;
    for (int i = 0; i < g->entry->noutputs; i++) {
        Origins s = new_origins(g);
        trace(g, several ? op->args[i] : result, NEW_ARRAY(&g->scratch, bool, g->f->ops.len), &s);
        for (int k = 0; k < s.len; k++)
            print_edge(g, s.at[k], arena_printf(&g->scratch, "out%d", i), false);
    }
}

/* ---- a dag ---- */

static void print_dag(Buf *out, const IrEntry *entry) {
    Graph g = {.out = out, .entry = entry, .f = entry->func};
    const IrRegion *body = g.f->body;
    g.shown = NEW_ARRAY(&g.scratch, bool, g.f->ops.len);
    for (int i = 0; i < body->ops.len; i++)
        g.shown[body->ops.at[i]] = is_shown(g.f, ir_op(g.f, body->ops.at[i]));
    buf_puts(out, "digraph ");
    quote(&g, entry->name);
    buf_puts(out, " {\n    compound=true;\n    node [shape=ellipse];\n");
    print_ports(&g, entry->inputs, entry->ninputs, "in");
    for (int i = 0; i < body->ops.len; i++)
        if (g.shown[body->ops.at[i]])
            print_node(&g, body->ops.at[i]);
    print_ports(&g, entry->outputs, entry->noutputs, "out");
    for (int i = 0; i < body->ops.len; i++)
        if (g.shown[body->ops.at[i]])
            print_edges_into(&g, body->ops.at[i]);
    print_edges_out(&g);
    buf_puts(out, "}\n");
    arena_free(&g.scratch);
}

void graph_print(Buf *out, const IrModule *m) {
    for (int i = 0; i < m->entries.len; i++)
        if (m->entries.at[i]->kind == ENTRY_DAG)
            print_dag(out, m->entries.at[i]);
}
