/* Reads the text form of the IR (ir_text.c). The first mistake ends the reading: it is kept with
   its line and the rest of the text is skipped. Ids are kept as written; whether they are used
   rightly is for ir_verify to say. */
#include "ast.h"
#include "ir_build.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ID = 1 << 24 };

typedef struct {
    const char *text;
    Type *type;
} NamedType;

typedef struct {
    IrModule *m;
    IrFunc *f; /* being read */
    const char *at, *start;
    const char *error;
    VEC(NamedType) nominals; /* sums and actors by their text */
    VEC(IrFunc *) mentioned; /* functions that were called or defined */
} Parser;

static void fail(Parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void fail(Parser *p, const char *fmt, ...) {
    if (p->error)
        return;
    char text[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    int line = 1;
    for (const char *c = p->start; c < p->at; c++)
        line += *c == '\n';
    p->error = arena_printf(p->m->arena, "%d: %s", line, text);
    p->at = "";
}

/* ---- tokens ---- */

static void skip_space(Parser *p) {
    for (;;) {
        while (isspace((unsigned char)*p->at))
            p->at++;
        if (p->at[0] != '/' || p->at[1] != '/')
            return;
        while (*p->at && *p->at != '\n')
            p->at++;
    }
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Takes `text` if it comes next; a word must end there. */
static bool accept(Parser *p, const char *text) {
    skip_space(p);
    size_t len = strlen(text);
    if (strncmp(p->at, text, len) != 0 || (is_word(text[len - 1]) && is_word(p->at[len])))
        return false;
    p->at += len;
    return true;
}

static void expect(Parser *p, const char *text) {
    if (!accept(p, text))
        fail(p, "expected '%s' before '%.20s'", text, p->at);
}

static Name word(Parser *p) {
    skip_space(p);
    size_t len = 0;
    while (is_word(p->at[len]))
        len++;
    if (!len)
        fail(p, "expected a word before '%.20s'", p->at);
    Name name = name_of(p->m->names, p->at, len);
    p->at += len;
    return name;
}

static int64_t number(Parser *p) {
    skip_space(p);
    char *end;
    int64_t value = strtoll(p->at, &end, 10);
    if (end == p->at)
        fail(p, "expected a number before '%.20s'", p->at);
    else
        p->at = end;
    return value;
}

static char unescape(Parser *p) {
    if (*p->at != 'x')
        return *p->at++;
    char digits[3] = {p->at[1], p->at[1] ? p->at[2] : '\0', '\0'};
    p->at += 1 + strlen(digits);
    return (char)strtol(digits, NULL, 16);
}

static const char *quoted(Parser *p, size_t *len) {
    Buf buf = {.arena = p->m->arena};
    expect(p, "\"");
    while (*p->at && *p->at != '"') {
        char c = *p->at++;
        if (c == '\\' && *p->at)
            c = unescape(p);
        buf_add(&buf, &c, 1);
    }
    if (*p->at == '"')
        p->at++;
    else
        fail(p, "a text does not end");
    if (len)
        *len = buf.len;
    return buf_text(&buf);
}

/* A function's name, plain or quoted. */
static Name func_name(Parser *p) {
    skip_space(p);
    if (*p->at == '"')
        return name_cstr(p->m->names, quoted(p, NULL));
    size_t len = 0;
    while (is_word(p->at[len]) || p->at[len] == '.')
        len++;
    Name name = name_of(p->m->names, p->at, len);
    p->at += len;
    return name;
}

/* ---- types ---- */

static Type *parse_type(Parser *p);

typedef VEC(Type *) TypeList;
typedef VEC(Name) NameVec;

/* (A, x: B) */
static void parse_items(Parser *p, TypeList *types, NameVec *names) {
    Arena *arena = p->m->arena;
    expect(p, "(");
    while (!p->error && !accept(p, ")")) {
        if (types->len)
            expect(p, ",");
        const char *before = (skip_space(p), p->at);
        Name name = is_word(*p->at) ? word(p) : NULL;
        if (!name || !accept(p, ":")) {
            name = NULL;
            p->at = before;
        }
        vec_push(arena, names, name);
        vec_push(arena, types, parse_type(p));
    }
}

static Type *named_type(Parser *p, TypeKind kind, const char *text, Name name) {
    for (int i = 0; i < p->nominals.len; i++)
        if (strcmp(p->nominals.at[i].text, text) == 0)
            return p->nominals.at[i].type;
    Decl *decl = NEW(p->m->arena, Decl);
    decl->name = name;
    Type *type = type_nominal(p->m->types, kind, decl, NULL, 0);
    vec_push(p->m->arena, &p->nominals, (NamedType){text, type});
    return type;
}

static Type *parse_sum(Parser *p) {
    Arena *arena = p->m->arena;
    const char *from = p->at;
    VEC(TypeCtor) ctors = {0};
    expect(p, "{");
    do {
        TypeCtor ctor = {.name = word(p)};
        skip_space(p);
        if (*p->at == '(') {
            TypeList items = {0};
            NameVec names = {0};
            parse_items(p, &items, &names);
            ctor.items = items.at;
            ctor.names = names.at;
            ctor.count = items.len;
        }
        vec_push(arena, &ctors, ctor);
    } while (!p->error && accept(p, "|"));
    expect(p, "}");
    if (p->error)
        return type_basic(p->m->types, TYPE_POISON);
    const char *text = arena_copy(arena, from, (size_t)(p->at - from));
    Type *type = named_type(p, TYPE_SUM, text, name_cstr(p->m->names, text));
    type->ctors = ctors.at;
    type->nctors = ctors.len;
    return type;
}

static Type *parse_basic(Parser *p) {
    static const char *const spellings[] = {
#define TYPE(id, spelling, bytes, flags, doc) [TYPE_##id] = spelling,
#include "../lang/types.def"
    };
    for (int kind = 0; kind < ARRAY_LEN(spellings); kind++)
        if (accept(p, spellings[kind]))
            return type_basic(p->m->types, (TypeKind)kind);
    fail(p, "expected a type before '%.20s'", p->at);
    return type_basic(p->m->types, TYPE_POISON);
}

static Type *parse_array(Parser *p) {
    int rank = 0;
    do {
        expect(p, "_");
        rank++;
    } while (!p->error && accept(p, ","));
    expect(p, "]");
    return type_array(p->m->types, parse_type(p), rank);
}

static Type *parse_type(Parser *p) {
    skip_space(p);
    if (*p->at == '(') {
        TypeList items = {0};
        NameVec names = {0};
        parse_items(p, &items, &names);
        return type_tuple(p->m->types, items.at, names.at, items.len);
    }
    if (*p->at == '{')
        return parse_sum(p);
    if (accept(p, "["))
        return parse_array(p);
    if (accept(p, "actor")) {
        Name name = word(p);
        return named_type(p, TYPE_ACTOR, arena_printf(p->m->arena, "actor %s", name), name);
    }
    return parse_basic(p);
}

/* ---- values ---- */

/* Makes the id exist in the function's table. */
static IrId reserve(Parser *p, int64_t id) {
    if (id <= 0 || id >= MAX_ID) {
        fail(p, "no such value: %%%lld", (long long)id);
        return IR_NONE;
    }
    while (p->f->ops.len <= id)
        vec_push(p->f->arena, &p->f->ops, (IrOp){0});
    return (IrId)id;
}

static IrId value(Parser *p) {
    expect(p, "%");
    return p->error ? IR_NONE : reserve(p, number(p));
}

typedef struct {
    VEC(IrId) ids;
    uint64_t marked; /* bit k: ids.at[k] was written with ^ */
} ValueList;

static bool at_value(Parser *p) {
    skip_space(p);
    return *p->at == '%' || *p->at == '^' || (*p->at == '_' && !is_word(p->at[1]));
}

static void add_value(Parser *p, ValueList *list) {
    if (accept(p, "^") && list->ids.len < 64)
        list->marked |= (uint64_t)1 << list->ids.len;
    IrId id = accept(p, "_") ? IR_NONE : value(p);
    vec_push(p->m->arena, &list->ids, id);
}

/* Values separated by commas; a comma that no value follows is not taken. */
static void add_values(Parser *p, ValueList *list) {
    while (!p->error && at_value(p)) {
        add_value(p, list);
        const char *before = p->at;
        if (!accept(p, ","))
            return;
        if (!at_value(p)) {
            p->at = before;
            return;
        }
    }
}

/* ---- regions ---- */

static void parse_op(Parser *p, IrRegion *region);

static void parse_params(Parser *p, IrRegion *region) {
    expect(p, "(");
    while (!p->error && !accept(p, ")")) {
        if (region->params.len)
            expect(p, ",");
        IrId id = value(p);
        expect(p, ":");
        Type *type = parse_type(p);
        p->f->ops.at[id] = (IrOp){.kind = IR_PARAM, .type = type};
        vec_push(p->m->arena, &region->params, id);
    }
}

static void parse_release(Parser *p, IrRegion *region, int after) {
    IrRelease release = {after, value(p)};
    vec_push(p->m->arena, &region->releases, release);
}

static void parse_block(Parser *p, IrRegion *region) {
    expect(p, "{");
    while (!p->error && !accept(p, "yield")) {
        if (accept(p, "release"))
            parse_release(p, region, region->ops.len - 1);
        else
            parse_op(p, region);
    }
    ValueList results = {0};
    add_values(p, &results);
    region->results.at = results.ids.at;
    region->results.len = results.ids.len;
    region->results.cap = results.ids.cap;
    region->moved = results.marked;
    while (!p->error && accept(p, "release"))
        parse_release(p, region, region->ops.len);
    expect(p, "}");
}

static IrRegion *parse_region(Parser *p, bool params) {
    IrRegion *region = ir_region_new(p->m);
    if (params)
        parse_params(p, region);
    parse_block(p, region);
    return region;
}

/* ---- ops ---- */

typedef struct {
    IrOp op;
    ValueList args;
    VEC(IrRegion *) regions;
} Draft;

static void add_region(Parser *p, Draft *d, bool params) {
    IrRegion *region = parse_region(p, params);
    vec_push(p->m->arena, &d->regions, region);
}

static IrKind parse_kind(Parser *p) {
    Name name = word(p);
    for (int kind = 1; kind < IR_KIND_COUNT; kind++)
        if (name && strcmp(ir_kind_name((IrKind)kind), name) == 0)
            return (IrKind)kind;
    fail(p, "no op is called '%s'", name ? name : "");
    return IR_INVALID;
}

static uint16_t parse_flags(Parser *p, IrKind kind) {
    int flags = 0;
    while (*p->at == '.') {
        if (accept(p, ".checked"))
            flags |= ir_is_scalar_op(kind) ? IRF_CHECKED_ZERO : IRF_CHECKED;
        else if (accept(p, ".pinned"))
            flags |= IRF_PINNED;
        else if (accept(p, ".fast"))
            flags |= IRF_FAST;
        else
            fail(p, "no such flag: '%.20s'", p->at);
    }
    return (uint16_t)flags;
}

static IrFunc *mention(Parser *p, Name name) {
    for (int i = 0; i < p->mentioned.len; i++)
        if (p->mentioned.at[i]->name == name)
            return p->mentioned.at[i];
    IrFunc *f = NEW(p->m->arena, IrFunc);
    f->name = name;
    f->arena = p->m->arena;
    f->body = ir_region_new(p->m);
    vec_push(f->arena, &f->ops, (IrOp){0});
    vec_push(f->arena, &f->nodes, (IrNode){0});
    vec_push(f->arena, &p->mentioned, f);
    return f;
}

static void parse_sink(Parser *p, Draft *d, IrSink *sink, int yields) {
    Name name = word(p);
    int kind = 0;
    while (name && kind < SINK_KIND_COUNT && strcmp(ir_sink_name((SinkKind)kind), name) != 0)
        kind++;
    if (kind == SINK_KIND_COUNT)
        fail(p, "no sink is called '%s'", name);
    *sink = (IrSink){.kind = (SinkKind)kind, .yield = yields, .region = -1};
    sink->arg = d->args.ids.len;
    if (*p->at == '.') {
        p->at++;
        sink->imm = (int)number(p);
    }
    if (accept(p, "from"))
        sink->yield = (int)number(p);
    if (accept(p, "of"))
        add_values(p, &d->args);
    if (accept(p, "by")) {
        sink->region = d->regions.len;
        add_region(p, d, true);
        if (!p->error)
            sink->op = ir_region_op(p->f, d->regions.at[sink->region]);
    }
    expect(p, ":");
    sink->type = parse_type(p);
}

static void parse_box(Parser *p, Draft *d, IrKernel *k) {
    k->is_narrow = accept(p, "narrow");
    if (!accept(p, "box"))
        return;
    k->box = d->args.ids.len;
    expect(p, "[");
    add_values(p, &d->args);
    expect(p, "]");
    k->inner = d->regions.len;
    add_region(p, d, true);
    bool is_apart = accept(p, "edge"), is_body = is_apart && accept(p, "body");
    k->edge = is_body ? 0 : is_apart ? d->regions.len : k->inner;
    if (is_apart && !is_body)
        add_region(p, d, true);
}

static void parse_kernel(Parser *p, Draft *d) {
    VEC(IrSink) sinks = {0};
    IrKernel *k = NEW(p->m->arena, IrKernel);
    expect(p, "[");
    add_values(p, &d->args);
    expect(p, "]");
    k->rank = d->args.ids.len;
    add_region(p, d, true);
    int yields = 0;
    do {
        IrSink sink;
        parse_sink(p, d, &sink, yields);
        if (p->error)
            return;
        yields = sink.yield + ir_sink_yields(sink.kind);
        vec_push(p->m->arena, &sinks, sink);
    } while (accept(p, ","));
    k->sinks = sinks.at;
    k->nsinks = sinks.len;
    parse_box(p, d, k);
    d->op.kernel = k;
    TypeList types = {0};
    for (int i = 0; i < sinks.len; i++)
        vec_push(p->m->arena, &types, sinks.at[i].type);
    d->op.type = sinks.len == 1 ? types.at[0] : type_tuple(p->m->types, types.at, NULL, types.len);
}

static void parse_control(Parser *p, Draft *d) {
    if (d->op.kind == IR_FOR && accept(p, "near"))
        d->op.imm = number(p);
    add_values(p, &d->args);
    switch (d->op.kind) {
    case IR_FOR: add_region(p, d, true); return;
    case IR_LOOP:
        expect(p, "while");
        add_region(p, d, true);
        expect(p, "do");
        add_region(p, d, true);
        return;
    default:
        add_region(p, d, false);
        expect(p, "else");
        add_region(p, d, false);
        return;
    }
}

static void parse_rt(Parser *p, Draft *d) {
    Name name = word(p);
    int rt = 0;
    while (name && ir_rt_name(rt) && strcmp(ir_rt_name(rt), name) != 0)
        rt++;
    if (!ir_rt_name(rt))
        fail(p, "the runtime has no '%s'", name ? name : "");
    d->op.imm = rt;
    if (accept(p, ","))
        add_values(p, &d->args);
}

static void parse_operands(Parser *p, Draft *d) {
    bool before;
    int numbers = ir_text_numbers(d->op.kind, &before);
    if (d->op.kind == IR_CALL) {
        expect(p, "@");
        d->op.callee = mention(p, func_name(p));
        accept(p, ",");
    } else if (before) {
        d->op.imm = number(p);
        accept(p, ",");
    }
    add_values(p, &d->args);
    if (numbers && !before) {
        expect(p, ",");
        d->op.imm = number(p);
    }
    if (numbers == 2) {
        expect(p, ",");
        d->op.imm2 = number(p);
    }
}

/* A number, true or false as written; what it means depends on the type that follows. */
static const char *const_text(Parser *p) {
    skip_space(p);
    size_t len = strcspn(p->at, " \n\t:");
    const char *text = arena_copy(p->m->arena, p->at, len);
    p->at += len;
    return text;
}

static int64_t const_bits(const char *text, const Type *type) {
    if (type->kind == TYPE_BOOL)
        return strcmp(text, "true") == 0;
    if (type_is_float(type) && strncmp(text, "0x", 2) != 0)
        return ir_float_bits(type->kind, strtod(text, NULL));
    if (text[0] == '-')
        return strtoll(text, NULL, 0);
    return (int64_t)strtoull(text, NULL, 0);
}

static void parse_fault(Parser *p, Draft *d) {
    IrFault *fault = NEW(p->m->arena, IrFault);
    fault->kind = quoted(p, NULL);
    fault->text = quoted(p, NULL);
    d->op.fault = fault;
}

static void parse_rest(Parser *p, Draft *d, const char *literal) {
    if (accept(p, "fault"))
        parse_fault(p, d);
    if (d->op.kind != IR_KERNEL) {
        expect(p, ":");
        d->op.type = parse_type(p);
    }
    if (literal && !p->error)
        d->op.imm = const_bits(literal, d->op.type);
    if (accept(p, "#"))
        d->op.node = (int)number(p);
}

static void parse_op(Parser *p, IrRegion *region) {
    Draft d = {0};
    const char *literal = NULL;
    IrId id = value(p);
    if (p->f->ops.at[id].kind != IR_INVALID)
        fail(p, "%%%u is defined twice", id);
    expect(p, "=");
    d.op.kind = parse_kind(p);
    d.op.flags = parse_flags(p, d.op.kind);
    switch (d.op.kind) {
    case IR_INVALID: return;
    case IR_CONST: literal = const_text(p); break;
    case IR_STRING: d.op.text = quoted(p, &d.op.text_len); break;
    case IR_KERNEL: parse_kernel(p, &d); break;
    case IR_IF:
    case IR_FOR:
    case IR_LOOP:
    case IR_TRY: parse_control(p, &d); break;
    case IR_RT: parse_rt(p, &d); break;
    default: parse_operands(p, &d); break;
    }
    parse_rest(p, &d, literal);
    d.op.args = d.args.ids.at;
    d.op.nargs = d.args.ids.len;
    d.op.consumed = d.args.marked;
    d.op.regions = d.regions.at;
    d.op.nregions = d.regions.len;
    if (p->error)
        return;
    p->f->ops.at[id] = d.op;
    vec_push(p->m->arena, &region->ops, id);
}

/* ---- functions and entries ---- */

static void parse_node(Parser *p) {
    IrNode node = {.name = name_cstr(p->m->names, quoted(p, NULL))};
    if (accept(p, "host"))
        node.place = PLACE_HOST;
    else if (accept(p, "gpu"))
        node.place = PLACE_GPU;
    else
        expect(p, "auto");
    vec_push(p->f->arena, &p->f->nodes, node);
}

static void parse_func(Parser *p) {
    IrFunc *f = mention(p, func_name(p));
    if (f->result)
        fail(p, "fn %s is defined twice", f->name);
    p->f = f;
    vec_push(p->m->arena, &p->m->funcs, f);
    parse_params(p, f->body);
    expect(p, "->");
    f->result = parse_type(p);
    f->is_recursive = accept(p, "recursive");
    f->has_effect = accept(p, "effect");
    f->is_rare = accept(p, "rare");
    f->is_lanewise = f->is_rare || accept(p, "lanewise");
    while (accept(p, "node"))
        parse_node(p);
    parse_block(p, f->body);
}

static IrPort *parse_ports(Parser *p, int *count) {
    VEC(IrPort) ports = {0};
    expect(p, "(");
    while (!p->error && !accept(p, ")")) {
        if (ports.len)
            expect(p, ",");
        IrPort port = {.name = word(p)};
        expect(p, ":");
        port.type = parse_type(p);
        port.has_default = accept(p, "default");
        port.text = type_text(p->m->arena, port.type);
        port.dims = NEW_ARRAY(p->m->arena, IrDim, port.type->rank + 1);
        for (int axis = 0; axis < port.type->rank; axis++)
            port.dims[axis].symbol = -2;
        vec_push(p->m->arena, &ports, port);
    }
    *count = ports.len;
    return ports.at;
}

static void parse_entry(Parser *p) {
    IrEntry *e = NEW(p->m->arena, IrEntry);
    if (accept(p, "main"))
        e->kind = ENTRY_MAIN;
    else if (accept(p, "test"))
        e->kind = ENTRY_TEST;
    else
        expect(p, "dag");
    e->name = name_cstr(p->m->names, quoted(p, NULL));
    e->of_many = accept(p, "many");
    expect(p, "@");
    e->func = mention(p, func_name(p));
    e->inputs = parse_ports(p, &e->ninputs);
    expect(p, "->");
    e->outputs = parse_ports(p, &e->noutputs);
    vec_push(p->m->arena, &p->m->entries, e);
}

IrModule *ir_parse(Arena *arena, NameTable *names, const char *text, const char **error) {
    IrModule *m = NEW(arena, IrModule);
    *m = (IrModule){.arena = arena, .names = names, .types = types_new(arena, names)};
    Parser p = {.m = m, .at = text, .start = text};
    while (!p.error && (skip_space(&p), *p.at)) {
        if (accept(&p, "fn"))
            parse_func(&p);
        else if (accept(&p, "entry"))
            parse_entry(&p);
        else
            fail(&p, "expected fn or entry before '%.20s'", p.at);
    }
    for (int i = 0; i < p.mentioned.len && !p.error; i++)
        if (!p.mentioned.at[i]->result)
            fail(&p, "fn %s is not defined", p.mentioned.at[i]->name);
    *error = p.error;
    return p.error ? NULL : m;
}
