/* The program as a whole: scopes, attributes, dags, main, tests, and functions nobody calls. */
#include "check.h"

#include <string.h>

/* ---- scopes ---- */

Scope *scope_of(Checker *ck, Module *m) {
    if (m->scope)
        return m->scope;
    Scope *s = NEW(ck->arena, Scope);
    *s = (Scope){.module = m, .next = ck->scopes};
    m->scope = ck->scopes = s;
    for (int i = 0; i < m->decls.len; i++) {
        Decl *d = m->decls.at[i];
        d->module = m;
        if (d->kind == DECL_IMPORT)
            vec_push(ck->arena, &s->imports, d);
        else
            vec_push(ck->arena, &s->decls, d);
        if (d->kind == DECL_ACTOR)
            for (int k = 0; k < d->actor.items.len; k++) {
                d->actor.items.at[k]->module = m;
                d->actor.items.at[k]->owner = d;
            }
    }
    return s;
}

static Name import_name(Checker *ck, const Decl *d) {
    if (d->import.as)
        return d->import.as;
    const char *path = d->import.path, *start = path;
    for (const char *c = path; *c; c++)
        if (*c == '/' || (*c == '.' && !d->import.is_file))
            start = c + 1;
    size_t len = strlen(start);
    if (d->import.is_file && len > 5 && !strcmp(start + len - 5, ".gact"))
        len -= 5;
    return name_of(ck->c->names, start, len);
}

Module *find_import(Checker *ck, Module *m, Name as) {
    Scope *s = scope_of(ck, m);
    for (int i = 0; i < s->imports.len; i++)
        if (!s->imports.at[i]->import.all && import_name(ck, s->imports.at[i]) == as)
            return s->imports.at[i]->import.module;
    return NULL;
}

Module *prelude_module(Checker *ck) {
    for (int i = 0; i < ck->c->modules.len; i++)
        if (ck->c->modules.at[i]->is_prelude)
            return ck->c->modules.at[i];
    return NULL;
}

static Decl *decl_in(Checker *ck, Module *m, Name name, DeclKind kind) {
    Scope *s = scope_of(ck, m);
    for (int i = 0; i < s->decls.len; i++)
        if (s->decls.at[i]->kind == kind && s->decls.at[i]->name == name)
            return s->decls.at[i];
    return NULL;
}

typedef Decl *(*Search)(Checker *ck, Module *m, Name name, int arg, int *out);

/* The file's own, then what `import m.*` brings, then the prelude's. */
static Decl *search_tiers(Checker *ck, Module *m, Name name, Search search, int arg, int *out) {
    Decl *d = search(ck, m, name, arg, out);
    Scope *s = scope_of(ck, m);
    for (int i = 0; !d && i < s->imports.len; i++)
        if (s->imports.at[i]->import.all && s->imports.at[i]->import.module && name[0] != '_')
            d = search(ck, s->imports.at[i]->import.module, name, arg, out);
    Module *prelude = prelude_module(ck);
    if (!d && prelude && prelude != m)
        d = search(ck, prelude, name, arg, out);
    return d;
}

static Decl *search_kind(Checker *ck, Module *m, Name name, int kind, int *out) {
    (void)out;
    return decl_in(ck, m, name, (DeclKind)kind);
}

Decl *find_decl(Checker *ck, Module *m, Name name, DeclKind kind) {
    return search_tiers(ck, m, name, search_kind, kind, NULL);
}

static Decl *search_ctor(Checker *ck, Module *m, Name name, int arg, int *out) {
    (void)arg;
    Scope *s = scope_of(ck, m);
    for (int i = 0; i < s->decls.len; i++) {
        Decl *d = s->decls.at[i];
        if (d->kind != DECL_TYPE)
            continue;
        if (d->type.kind == TYPEDEF_RECORD && d->name == name)
            return *out = 0, d;
        for (int c = 0; d->type.kind == TYPEDEF_SUM && c < d->type.ctors.len; c++)
            if (d->type.ctors.at[c].name == name)
                return *out = c, d;
    }
    return NULL;
}

Decl *find_ctor(Checker *ck, Module *m, Name module, Name name, int *ctor) {
    if (module) {
        Module *other = find_import(ck, m, module);
        return other ? search_ctor(ck, other, name, 0, ctor) : NULL;
    }
    return search_tiers(ck, m, name, search_ctor, 0, ctor);
}

static Decl *search_type(Checker *ck, Module *m, Name name, int arg, int *out) {
    (void)arg;
    (void)out;
    Decl *d = decl_in(ck, m, name, DECL_TYPE);
    return d ? d : decl_in(ck, m, name, DECL_ACTOR);
}

Decl *find_type_decl(Checker *ck, Name module, Name name, Span span) {
    Module *m = ck->fn ? ck->fn->module : ck->c->modules.at[0];
    Decl *d = NULL;
    if (module) {
        Module *other = find_import(ck, m, module);
        if (!other) {
            ck_error(ck, DIAG_UNKNOWN_TYPE, span, "unknown module `%s`", module);
            return NULL;
        }
        d = search_type(ck, other, name, 0, NULL);
    } else {
        d = search_tiers(ck, m, name, search_type, 0, NULL);
    }
    if (d)
        return d;
    VEC(Name) names = {0};
    for (TypeKind k = TYPE_BOOL; k < TYPE_POISON; k++)
        vec_push(ck->arena, &names, ck_name(ck, text_of(ck, basic(ck, k))));
    for (int i = 0; i < ck->c->modules.len; i++)
        for (int k = 0; k < ck->c->modules.at[i]->decls.len; k++) {
            Decl *other = ck->c->modules.at[i]->decls.at[k];
            if (other->kind == DECL_TYPE || other->kind == DECL_ACTOR)
                vec_push(ck->arena, &names, other->name);
        }
    Diag *e = ck_error(ck, DIAG_UNKNOWN_TYPE, span, "unknown type `%s`", name);
    static const char *const foreign[][2] = {{"int", "i64"}, {"float", "f32"}, {"double", "f64"},
                                             {"str", "string"}, {"String", "string"},
                                             {"usize", "i64"}, {"char", "u8"}, {"byte", "u8"}};
    for (int i = 0; i < ARRAY_LEN(foreign); i++)
        if (!strcmp(foreign[i][0], name)) {
            diag_help(ck->diags, e, "did you mean `%s`?", foreign[i][1]);
            return NULL;
        }
    Name near = nearest_name(name, names.at, names.len);
    if (near)
        diag_help(ck->diags, e, "did you mean `%s`?", near);
    return NULL;
}

/* ---- attributes ---- */

static const struct {
    const char *name, *places, *args;
} attributes[] = {
#define ATTRIBUTE(name, places, args, doc) {name, places, args},
#include "../lang/attributes.def"
};

const Attr *find_attr(const AttrList *attrs, const char *name) {
    for (int i = 0; i < attrs->len; i++)
        if (!strcmp(attrs->at[i].name, name))
            return &attrs->at[i];
    return NULL;
}

static bool has_word(const char *words, const char *word) {
    size_t len = strlen(word);
    for (const char *w = words; (w = strstr(w, word)); w += len)
        if ((w == words || w[-1] == ' ') && (w[len] == ' ' || !w[len]))
            return true;
    return false;
}

/* "a b" as "a, b". */
static const char *commas(Checker *ck, const char *words) {
    Buf out = {.arena = ck->arena};
    for (const char *p = words; *p; p++)
        buf_printf(&out, *p == ' ' ? ", " : "%c", *p);
    return buf_text(&out);
}

static void unknown_argument(Checker *ck, const Attr *a, const Arg *arg, const char *known) {
    Span span = arg->name ? arg->name_span : arg->value->span;
    Diag *d = arg->name ? ck_error(ck, DIAG_ATTRIBUTE, span, "@%s has no argument `%s`", a->name,
                                   arg->name)
                        : ck_error(ck, DIAG_ATTRIBUTE, span, "@%s takes no such argument", a->name);
    if (*known && *known != '*')
        diag_help(ck->diags, d, "it takes: %s", commas(ck, known));
}

static void check_attr(Checker *ck, const Attr *a, const char *where) {
    Name names[ARRAY_LEN(attributes)];
    for (int i = 0; i < ARRAY_LEN(attributes); i++) {
        names[i] = ck_name(ck, attributes[i].name);
        if (names[i] != a->name)
            continue;
        if (!has_word(attributes[i].places, where))
            ck_error(ck, DIAG_ATTRIBUTE, a->span, "@%s cannot stand on a %s, only on: %s", a->name,
                     where, commas(ck, attributes[i].places));
        for (int k = 0; k < a->args.len; k++) {
            const char *arg = a->args.at[k].name ? a->args.at[k].name : "*";
            if (!has_word(attributes[i].args, arg))
                unknown_argument(ck, a, &a->args.at[k], attributes[i].args);
            else
                check_attr_value(ck, a, &a->args.at[k]);
        }
        return;
    }
    Diag *d = ck_error(ck, DIAG_ATTRIBUTE, a->span, "unknown attribute @%s", a->name);
    Name near = nearest_name(a->name, names, ARRAY_LEN(attributes));
    if (near)
        diag_help(ck->diags, d, "did you mean @%s?", near);
}

void check_attrs(Checker *ck, const AttrList *attrs, const char *where) {
    for (int i = 0; i < attrs->len; i++)
        check_attr(ck, &attrs->at[i], where);
}

/* ---- dags ---- */

typedef struct {
    IrEntry *entry;
    VEC(Name) symbols;
    IrId *sizes; /* of the symbols */
} Ports;

static int symbol_index(Checker *ck, Ports *p, Name name) {
    for (int i = 0; i < p->symbols.len; i++)
        if (p->symbols.at[i] == name)
            return i;
    vec_push(ck->arena, &p->symbols, name);
    return p->symbols.len - 1;
}

static bool is_param(const Decl *d, Name name) {
    for (int k = 0; k < d->fn.params.len; k++)
        if (d->fn.params.at[k].name == name)
            return true;
    return false;
}

/* One declared size: a symbol, a symbol plus or minus a number, a constant, or anything else. */
static IrDim declared_dim(Checker *ck, const Decl *d, const Expr *e, Ports *p) {
    int64_t offset = 0, known;
    if (e->kind == EXPR_HOLE)
        return (IrDim){.symbol = -2};
    const Expr *name = e;
    if (e->kind == EXPR_BINARY && (e->binary.op == OP_ADD || e->binary.op == OP_SUB) &&
        e->binary.rhs->kind == EXPR_INT) {
        offset = (int64_t)e->binary.rhs->integer.value * (e->binary.op == OP_SUB ? -1 : 1);
        name = e->binary.lhs;
    }
    bool lower = name->kind == EXPR_NAME && name->name[0] >= 'a' && name->name[0] <= 'z';
    if (lower && !is_param(d, name->name) && !find_decl(ck, d->module, name->name, DECL_CONST))
        return (IrDim){.symbol = symbol_index(ck, p, name->name), .scale = 1, .offset = offset};
    if (e->kind == EXPR_INT || (e->kind == EXPR_NAME && !lower)) {
        Val v = check_expr(ck, e);
        if (!is_poison(ck, v) && fold_const(ck, v, &known))
            return (IrDim){.symbol = -1, .offset = known};
    }
    return (IrDim){.symbol = -2};
}

static void declare_dims(Checker *ck, const Decl *d, const Param *param, IrPort *port, Ports *p) {
    Type *type = port->type;
    if (type->kind != TYPE_ARRAY)
        return;
    port->dims = NEW_ARRAY(ck->arena, IrDim, type->rank);
    const TypeExpr *te = param->type;
    int axis = 0;
    for (; te->kind == TE_ARRAY && axis < type->rank; te = te->array.elem)
        for (int i = 0; i < te->array.dims.len && axis < type->rank; i++)
            port->dims[axis++] = declared_dim(ck, d, te->array.dims.at[i], p);
    for (; axis < type->rank; axis++)
        port->dims[axis] = (IrDim){.symbol = -2};
}

/* The runtime has compared the sizes of inputs that share a symbol: here they are one value. */
static void bind_symbols(Checker *ck, const IrPort *port, IrId param, Ports *p) {
    for (int k = 0; port->dims && k < port->type->rank; k++) {
        const IrDim *dim = &port->dims[k];
        Type *i64 = basic(ck, TYPE_I64);
        if (dim->symbol == -1)
            ck_assume_dim(ck, param, 0, k, ir_int(&ck->b, i64, dim->offset));
        if (dim->symbol < 0)
            continue;
        Name name = p->symbols.at[dim->symbol];
        Local *size = local_find(ck, name);
        IrId offset = ir_int(&ck->b, i64, dim->offset);
        if (size)
            ck_assume_dim(ck, param, 0, k, ir_binary(&ck->b, IR_ADD, size->val.id, offset));
        else
            local_add(ck, name, val(i64, ir_binary(&ck->b, IR_SUB, ck_dim(ck, param, k), offset)),
                      port->span, false);
    }
}

static Val with_default(Checker *ck, const Param *param, Val given, IrId present, int k) {
    IrId bit = ir_int(&ck->b, basic(ck, TYPE_I64), (int64_t)1 << k);
    IrId zero = ir_int(&ck->b, basic(ck, TYPE_I64), 0);
    IrId has = ir_binary(&ck->b, IR_NE, ir_binary(&ck->b, IR_BITAND, present, bit), zero);
    Fork f = fork_begin(ck);
    Branch a, b;
    branch_begin(ck, &f, &a);
    branch_end(ck, &f, &a, given);
    branch_begin(ck, &f, &b);
    Val v = check_expr(ck, param->init);
    v = coerce(ck, v, given.type, param->init->span, "this default");
    branch_end(ck, &f, &b, v);
    return fork_join(ck, &f, has, &a, &b, true, param->span);
}

static void dag_inputs(Checker *ck, const Decl *d, Ports *p, IrId present) {
    int n = d->fn.params.len;
    IrEntry *entry = p->entry;
    entry->ninputs = n;
    entry->inputs = NEW_ARRAY(ck->arena, IrPort, n + 1);
    IrId *params = NEW_ARRAY(ck->arena, IrId, n + 1);
    for (int k = 0; k < n; k++) {
        const Param *param = &d->fn.params.at[k];
        IrPort *port = &entry->inputs[k];
        *port = (IrPort){.name = param->name, .span = param->span, .type = basic(ck, TYPE_POISON),
                         .has_default = param->init != NULL};
        if (!param->type) {
            ck_error(ck, DIAG_ENTRY_TYPE, param->span, "input `%s` of a dag needs a type",
                     param->name ? param->name : "_");
            continue;
        }
        Buf text = {.arena = ck->arena};
        ast_print_type(&text, param->type);
        port->text = buf_text(&text);
        port->type = type_resolve(ck->ts, eval_type(ck, param->type));
        params[k] = ir_param(ck->b.func, ck->b.func->body, port->type);
        declare_dims(ck, d, param, port, p);
        bind_symbols(ck, port, params[k], p);
    }
    for (int k = 0; k < n; k++) {
        const Param *param = &d->fn.params.at[k];
        Val v = params[k] ? val(entry->inputs[k].type, params[k]) : val_poison(ck);
        if (params[k] && param->init)
            v = with_default(ck, param, v, present, k);
        int at = local_add(ck, param->name, v, param->span, false);
        ck->locals.at[at].used = true;
    }
    for (int k = 0; k < n; k++)
        if (params[k] && d->fn.params.at[k].type->kind != TE_NAME)
            coerce_written(ck, local_find(ck, d->fn.params.at[k].name)->val,
                           d->fn.params.at[k].type, d->fn.params.at[k].span, true, "this input");
}

/* `return O` names a single output after its variable. */
static Name single_output(Checker *ck, const Decl *d) {
    const Expr *body = d->fn.body;
    if (body->kind == EXPR_BLOCK && body->block.len) {
        const Expr *last = body->block.at[body->block.len - 1];
        if (last->kind == EXPR_RETURN && last->value)
            last = last->value;
        if (last->kind == EXPR_NAME)
            return last->name;
    }
    return ck_name(ck, "result");
}

/* How an output's type was written, or NULL. */
static const char *written_output(Checker *ck, const Decl *d, Name name) {
    const TypeExpr *te = d->fn.result;
    for (int i = 0; te && te->kind == TE_TUPLE && i < te->tuple.len; i++)
        if (te->tuple.at[i].name == name) {
            te = te->tuple.at[i].type;
            break;
        }
    if (!te || te->kind == TE_TUPLE)
        return NULL;
    Buf text = {.arena = ck->arena};
    ast_print_type(&text, te);
    return buf_text(&text);
}

static void dag_outputs(Checker *ck, const Decl *d, IrEntry *entry, Type *type) {
    bool named = type->kind == TYPE_TUPLE && type->names && type->count;
    entry->noutputs = named ? type->count : 1;
    entry->outputs = NEW_ARRAY(ck->arena, IrPort, entry->noutputs);
    for (int k = 0; k < entry->noutputs; k++) {
        Type *port = named ? type_resolve(ck->ts, type->items[k]) : type;
        Name name = named ? type->names[k] : single_output(ck, d);
        entry->outputs[k] = (IrPort){.name = name ? name : ck_name(ck, "result"), .type = port,
                                     .span = d->name_span};
        const char *written = written_output(ck, d, named ? name : NULL);
        entry->outputs[k].text = written ? written : text_of(ck, port);
        if (port->has_closure)
            ck_error(ck, DIAG_CLOSURE_ESCAPES, d->name_span, "an output of a dag cannot hold a function");
    }
}

static IrEntry *entry_new(Checker *ck, const Decl *d, IrEntryKind kind, const char *name) {
    IrEntry *entry = NEW(ck->arena, IrEntry);
    *entry = (IrEntry){.kind = kind, .name = ck_name(ck, name), .doc = d->doc, .span = d->span};
    entry->func = ir_func_new(ck->c->ir, name, d->span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = entry->func, .region = entry->func->body,
                        .span = d->span, .fast = find_attr(&d->attrs, "fast") != NULL};
    return entry;
}

static void finish(Checker *ck, IrEntry *entry, Val v) {
    if (!v.type)
        v = val_unit(ck);
    vec_push(ck->arena, &entry->func->body->results, v.id);
    root_end(ck);
    entry->func->result = type_resolve(ck->ts, v.type);
}

static IrEntry *check_dag(Checker *ck, const Decl *d) {
    root_begin(ck);
    check_attrs(ck, &d->attrs, "dag");
    IrEntry *entry = entry_new(ck, d, ENTRY_DAG, d->name);
    FnCtx ctx = {.decl = d, .what = "dag", .module = d->module, .returned = -1, .retval = -1,
                 .brk = -1, .cont = -1};
    ck->fn = &ctx;
    Ports ports = {.entry = entry};
    IrId present = ir_param(entry->func, entry->func->body, basic(ck, TYPE_I64));
    dag_inputs(ck, d, &ports, present);
    if (d->fn.result)
        ctx.result = eval_type(ck, d->fn.result);
    int errors = ck->diags->errors;
    Val v = check_body(ck, d->fn.body, d->fn.body->span);
    if (d->fn.result && !is_poison(ck, v))
        v = coerce_written(ck, v, d->fn.result, d->fn.body->span, false, "the result");
    finish(ck, entry, v);
    if (ck->diags->errors == errors)
        dag_outputs(ck, d, entry, entry->func->result);
    entry->symbols = ports.symbols.at;
    entry->nsymbols = ports.symbols.len;
    vec_push(ck->arena, &ck->c->ir->entries, entry);
    ck->fn = NULL;
    return entry;
}

/* The form of a dag for many instances. Its diagnostics are nobody's: with an error there is none. */
static void check_many(Checker *ck, const Decl *d, const IrEntry *entry) {
    const Decl *many = each_decl(ck, d, entry);
    Diags *heard = ck->diags, unheard = {.arena = heard->arena, .sources = heard->sources};
    if (!many)
        return;
    ck->diags = &unheard;
    IrEntry *form = check_dag(ck, many);
    ck->diags = heard;
    form->of_many = true;
    if (!unheard.errors)
        return;
    compiler_remark(ck->c, REMARK_PLACE, d->name_span,
                    "instances run on the host, as their types do not fit together");
    ck->c->ir->entries.len--;
    root_discard(ck, form->func);
}

/* A dag and, where it is asked for, its form for many instances. */
static void check_dag_forms(Checker *ck, const Decl *d) {
    int errors = ck->diags->errors;
    const IrEntry *entry = check_dag(ck, d);
    if (each_wants(ck, d) && ck->diags->errors == errors)
        check_many(ck, d, entry);
}

/* ---- main, tests, lone functions ---- */

static void check_host_entry(Checker *ck, const Decl *d) {
    bool is_main = d->kind == DECL_MAIN;
    root_begin(ck);
    check_attrs(ck, &d->attrs, is_main ? "main" : "test");
    IrEntry *entry = entry_new(ck, d, is_main ? ENTRY_MAIN : ENTRY_TEST,
                               is_main ? "main" : d->fn.title);
    FnCtx ctx = {.decl = d, .what = is_main ? "main" : "test", .module = d->module,
                 .returned = -1, .retval = -1, .brk = -1, .cont = -1, .effects = true};
    ck->fn = &ctx;
    ctx.result = type_unit(ck->ts);
    if (d->fn.params.len) {
        Type *args = type_array(ck->ts, basic(ck, TYPE_STRING), 1);
        IrId id = ir_param(entry->func, entry->func->body, args);
        const Param *p = &d->fn.params.at[0];
        if (d->fn.params.len > 1 || (p->type && type_resolve(ck->ts, eval_type(ck, p->type)) != args))
            ck_error(ck, DIAG_ENTRY_TYPE, p->span, "main takes nothing or (args: []string)");
        if (p->name)
            local_add(ck, p->name, val(args, id), p->span, false);
    }
    const Attr *faults = find_attr(&d->attrs, "faults");
    if (faults && faults->args.len && faults->args.at[0].value->kind == EXPR_STRING &&
        faults->args.at[0].value->string.len)
        entry->faults = faults->args.at[0].value->string.at[0].text;
    if (faults && !entry->faults)
        ck_error(ck, DIAG_ATTRIBUTE, faults->span, "@faults takes a text");
    if (d->fn.body->kind == EXPR_BLOCK && !may_exit(d->fn.body))
        check_statement(ck, d->fn.body);
    else
        check_body(ck, d->fn.body, d->fn.body->span);
    finish(ck, entry, (Val){0});
    entry->func->has_effect = true;
    if (is_main || ck->c->want_tests)
        vec_push(ck->arena, &ck->c->ir->entries, entry);
    else
        root_discard(ck, entry->func);
    ck->fn = NULL;
}

/* Does the type leave nothing open, as `_` in Option[_] does? */
static bool is_closed(const TypeExpr *te) {
    while (te && te->kind == TE_ARRAY)
        te = te->array.elem;
    if (!te || te->kind != TE_NAME || !strcmp(te->name.name, "_"))
        return false;
    for (int i = 0; i < te->name.args.len; i++)
        if (!is_closed(te->name.args.at[i]))
            return false;
    return true;
}

static bool fully_annotated(const Decl *d) {
    if (d->fn.type_params.len)
        return false;
    for (int k = 0; k < d->fn.params.len; k++)
        if (d->fn.params.at[k].is_const || !is_closed(d->fn.params.at[k].type))
            return false;
    return true;
}

static bool was_called(Checker *ck, const Decl *d) {
    for (int i = 0; i < ck->called.len; i++)
        if (ck->called.at[i] == d)
            return true;
    return false;
}

/* Checks a function nobody calls for its written types, in a function that is thrown away. */
static void check_lone(Checker *ck, const Decl *d) {
    root_begin(ck);
    IrFunc *func = ir_func_new(ck->c->ir, d->name, d->span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = func, .region = func->body, .span = d->span};
    FnCtx ctx = {.what = "fn", .module = d->module, .returned = -1, .retval = -1, .brk = -1,
                 .cont = -1, .effects = true};
    ck->fn = &ctx;
    Args args = args_make(ck, d->fn.params.len, d->name_span);
    for (int k = 0; k < args.n; k++) {
        Type *type = eval_type(ck, d->fn.params.at[k].type);
        args.vals[k] = val(type, ir_param(func, func->body, type));
        args.spans[k] = d->fn.params.at[k].span;
    }
    Val v = inline_decl(ck, d, &args, NULL);
    vec_push(ck->arena, &func->body->results, v.type ? v.id : ir_unit(&ck->b));
    ck->lone = true;
    root_end(ck);
    ck->lone = false;
    root_discard(ck, func);
    ck->fn = NULL;
}

static void check_type_decl(Checker *ck, const Decl *d) {
    check_attrs(ck, &d->attrs, "type");
    if (d->type.params.len)
        return;
    FnCtx ctx = {.module = d->module, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    if (d->type.kind == TYPEDEF_ALIAS)
        eval_type(ck, d->type.alias);
    else
        nominal_instance(ck, d, NULL, 0);
    ck->fn = NULL;
}

static void check_const_decl(Checker *ck, const Decl *d) {
    root_begin(ck);
    IrFunc *func = ir_func_new(ck->c->ir, d->name, d->span);
    ck->b = (IrBuilder){.module = ck->c->ir, .func = func, .region = func->body, .span = d->span};
    FnCtx ctx = {.module = d->module, .returned = -1, .retval = -1, .brk = -1, .cont = -1};
    ck->fn = &ctx;
    Val v = check_name(ck, d->name, d->name_span);
    vec_push(ck->arena, &func->body->results, v.id);
    ck->lone = true;
    root_end(ck);
    ck->lone = false;
    root_discard(ck, func);
    ck->fn = NULL;
}

static void check_module(Checker *ck, Module *m, bool is_program) {
    Scope *s = scope_of(ck, m);
    check_duplicates(ck, m);
    for (int i = 0; i < s->decls.len; i++) {
        const Decl *d = s->decls.at[i];
        switch ((int)d->kind) {
        case DECL_TYPE: check_type_decl(ck, d); break;
        case DECL_CONST: check_const_decl(ck, d); break;
        case DECL_DAG:
            if (is_program)
                check_dag_forms(ck, d);
            break;
        case DECL_MAIN:
        case DECL_TEST:
            if (is_program)
                check_host_entry(ck, d);
            break;
        case DECL_ACTOR: check_actor_decl(ck, d); break;
        default: break;
        }
    }
    for (int i = 0; i < s->decls.len; i++) {
        const Decl *d = s->decls.at[i];
        if (d->kind != DECL_FN)
            continue;
        check_attrs(ck, &d->attrs, "fn");
        if (was_called(ck, d) || m->is_prelude)
            continue;
        if (fully_annotated(d))
            check_lone(ck, d);
        else
            resolve_uncalled(ck, d);
    }
}

/* Drops the dags of a program that has a main. */
static void keep_main(IrModule *m) {
    int kept = 0;
    bool has_main = false;
    for (int i = 0; i < m->entries.len; i++)
        has_main |= m->entries.at[i]->kind == ENTRY_MAIN;
    for (int i = 0; i < m->entries.len; i++)
        if (!has_main || m->entries.at[i]->kind != ENTRY_DAG)
            m->entries.at[kept++] = m->entries.at[i];
    m->entries.len = kept;
}

void check_program(Compiler *c) {
    c->ir = NEW(c->arena, IrModule);
    *c->ir = (IrModule){.arena = c->arena, .names = c->names, .types = c->types,
                        .sources = &c->sources};
    Checker *ck = NEW(c->arena, Checker);
    *ck = (Checker){.c = c, .arena = c->arena, .ts = c->types, .diags = &c->diags};
    for (int i = 0; i < c->modules.len; i++)
        scope_of(ck, c->modules.at[i]);
    for (int i = 0; i < c->modules.len; i++)
        if (i == 0 || !c->modules.at[i]->is_stdlib)
            check_module(ck, c->modules.at[i], i == 0);
    check_known_actors(ck);
    if (!c->diags.errors)
        ir_settle(c->ir);
    if (c->main_alone)
        keep_main(c->ir);
}

/* ---- --emit=types ---- */

static void print_ports(Buf *out, const IrPort *ports, int n) {
    for (int k = 0; k < n; k++) {
        buf_printf(out, "%s%s: ", k ? ", " : "", ports[k].name ? ports[k].name : "_");
        if (ports[k].dims)
            buf_puts(out, ports[k].text);
        else
            type_print(out, ports[k].type);
    }
}

void check_print_types(Buf *out, Compiler *c);
void check_print_types(Buf *out, Compiler *c) {
    for (int i = 0; i < c->ir->entries.len; i++) {
        const IrEntry *e = c->ir->entries.at[i];
        if (e->kind == ENTRY_TEST)
            continue;
        buf_printf(out, "%s %s(", e->kind == ENTRY_DAG ? "dag" : "host", e->name);
        print_ports(out, e->inputs, e->ninputs);
        buf_puts(out, ")");
        if (e->noutputs) {
            buf_puts(out, " -> (");
            print_ports(out, e->outputs, e->noutputs);
            buf_puts(out, ")");
        }
        buf_puts(out, "\n");
    }
    for (int i = 0; i < c->typings.len; i++)
        buf_printf(out, "%s\n", c->typings.at[i]);
}
