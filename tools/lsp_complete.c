/* Completion and signature help. Both look at the tokens before the place, as the text there is
   seldom whole: what the last ones are says what may follow. */
#include "lsp.h"

#include "../compiler/check.h"
#include "../compiler/diag_parts.h"
#include "../compiler/parse.h"

#include "grammar.tab.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *item_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

enum { KIND_METHOD = 2, KIND_FUNCTION = 3, KIND_CONSTRUCTOR = 4, KIND_FIELD = 5, KIND_VARIABLE = 6, KIND_CLASS = 7,
       KIND_MODULE = 9, KIND_PROPERTY = 10, KIND_KEYWORD = 14, KIND_MEMBER = 20, KIND_CONSTANT = 21,
       KIND_STRUCT = 22, KIND_TYPE_PARAMETER = 25 };

/* The tokens before a place, without those the scanner supplied, and the word that is being written. */
typedef struct {
    Server *s;
    Document *d;
    Snapshot *snap;
    Arena *arena;
    Parser *p;
    TokenList tokens;
    size_t word_from, offset;
    bool in_text; /* in a comment or a string */
    cJSON *items;
    VEC(Name) seen;
} Context;

static const char *text_of_token(const Context *x, int back, int *len) {
    static const char none[] = "";
    int i = x->tokens.len - 1 - back;
    *len = 0;
    return i < 0 ? none : parse_text(x->p, x->tokens.at[i].span, len);
}

static int kind_of_token(const Context *x, int back) {
    int i = x->tokens.len - 1 - back;
    return i < 0 ? NL : x->tokens.at[i].kind;
}

static Name name_of_token(const Context *x, int back) {
    int len;
    const char *text = text_of_token(x, back, &len);
    return name_of(x->snap->c.names, text, (size_t)len);
}

/* Does the text end in a comment or in a string? */
static bool ends_in_text(const Context *x, const Diags *diags) {
    const Source *source = x->p->source;
    for (int i = 0; i < diags->all.len; i++) {
        const Diag *d = diags->all.at[i];
        if (d->code == DIAG_UNTERMINATED_COMMENT ||
            (d->code == DIAG_UNTERMINATED_STRING && d->primary.span.to == source->base + source->len))
            return true;
    }
    size_t at = x->tokens.len ? x->tokens.at[x->tokens.len - 1].span.to - source->base : 0;
    bool comment = false;
    for (; at < source->len; at++)
        comment = source->text[at] != '\n' && (comment || !strncmp(source->text + at, "//", 2));
    return comment;
}

static bool context_begin(Context *x, Server *s, Document *d, const cJSON *params) {
    *x = (Context){.s = s, .d = d, .arena = &d->arena, .snap = document_snapshot(s, d)};
    if (!x->snap)
        return false;
    x->offset = x->word_from = offset_of(s, d->text, d->len, item_of(params, "position"));
    while (x->word_from && is_word_byte(d->text[x->word_from - 1]))
        x->word_from--;
    Sources *sources = NEW(x->arena, Sources);
    *sources = (Sources){.arena = x->arena, .next = 1};
    Diags *diags = NEW(x->arena, Diags);
    *diags = (Diags){.arena = x->arena, .sources = sources};
    Module *module = NEW(x->arena, Module);
    module->source = source_add(sources, d->path, d->text, x->word_from);
    x->p = parser_new(x->arena, x->snap->c.names, diags, module);
    TokenList all = tokens_read(x->p);
    for (int i = 0; i < all.len; i++)
        if (all.at[i].span.to > all.at[i].span.from)
            vec_push(x->arena, &x->tokens, all.at[i]);
    x->in_text = ends_in_text(x, diags);
    return true;
}

/* ---- types of what stands before ---- */

/* The local of a name that is seen at the place: the one bound last before it. */
static const Def *visible_local(const Context *x, Name name) {
    uint32_t at = x->snap->source->base + (uint32_t)x->word_from;
    const Def *found = NULL;
    const Names *n = x->snap->names;
    for (int i = 0; i < n->defs.len; i++) {
        const Def *def = n->defs.at[i];
        bool local = def->scope.to && def->module == x->snap->module;
        bool seen = def->param ? def->decl->span.from <= at && at <= def->decl->span.to
                               : def->scope.from <= at && at <= def->scope.to;
        if (local && seen && def->name == name && (!found || def->span.from >= found->span.from))
            found = def;
    }
    return found;
}

/* The definition of a name at the place; state fields are seen in their actor. */
static const Def *meaning_here(const Context *x, Name name) {
    const Def *def = visible_local(x, name);
    uint32_t at = x->snap->source->base + (uint32_t)x->word_from;
    for (int i = 0; !def && i < x->snap->module->decls.len; i++) {
        const Decl *d = x->snap->module->decls.at[i];
        for (int k = 0; d->kind == DECL_ACTOR && d->span.from <= at && at <= d->span.to && k < d->actor.items.len; k++)
            if (d->actor.items.at[k]->kind == DECL_STATE && d->actor.items.at[k]->name == name)
                def = names_of_decl(x->snap->names, d->actor.items.at[k]);
    }
    return def ? def : names_global(x->snap->names, name);
}

/* The type of the expression that ends `back` tokens before the place: of a name or of what was checked
   there. NULL: unknown. */
static const char *type_before(Context *x, int back) {
    int i = x->tokens.len - 1 - back;
    if (i < 0)
        return NULL;
    uint32_t base = x->p->source->base;
    uint32_t to = x->tokens.at[i].span.to - base;
    if (kind_of_token(x, back) == ID && kind_of_token(x, back + 1) != '.') {
        const Def *def = meaning_here(x, name_of_token(x, back));
        const char *type = def ? type_text_of(x->arena, x->d, x->snap, def) : NULL;
        if (type)
            return type;
    }
    if (kind_of_token(x, back) == SELF) {
        for (int k = 0; k < x->snap->module->decls.len; k++) {
            const Decl *d = x->snap->module->decls.at[k];
            uint32_t at = x->snap->source->base + to;
            if (d->kind == DECL_ACTOR && d->span.from <= at && at <= d->span.to)
                return d->name;
        }
    }
    const Checked *c = x->d->checked; /* the longest expression that ends there */
    for (int k = 0; c && to <= x->d->same_front && k < c->typed.len; k++)
        if (c->typed.at[k].to == to)
            return c->typed.at[k].type;
    return NULL;
}

/* "[n, m]Order[T]" -> "Order"; of a tuple its text. */
static const char *element_name(Arena *arena, const char *type) {
    while (type && *type == '[') {
        type = strchr(type, ']');
        type = type ? type + 1 : NULL;
    }
    if (!type || *type == '(')
        return type;
    size_t len = 0;
    while (is_word_byte(type[len]) || type[len] == '.')
        len++;
    return arena_copy(arena, type, len);
}

/* ---- items ---- */

static bool is_new(Context *x, const char *label) {
    Name name = name_cstr(x->snap->c.names, label);
    for (int i = 0; i < x->seen.len; i++)
        if (x->seen.at[i] == name)
            return false;
    vec_push(x->arena, &x->seen, name);
    return true;
}

static cJSON *add_item(Context *x, const char *label, int kind, const char *detail, const char *doc) {
    if (!is_new(x, label))
        return NULL;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "label", label);
    cJSON_AddNumberToObject(item, "kind", kind);
    if (detail && *detail)
        cJSON_AddStringToObject(item, "detail", detail);
    if (doc && *doc) {
        cJSON *json = cJSON_AddObjectToObject(item, "documentation");
        cJSON_AddStringToObject(json, "kind", "markdown");
        cJSON_AddStringToObject(json, "value", doc);
    }
    cJSON_AddItemToArray(x->items, item);
    return item;
}

static void add_decl_item(Context *x, const Decl *d, bool own) {
    if (!d->name || (!own && d->name[0] == '_') || (d->kind == DECL_FN && d->fn.op != OP_COUNT))
        return;
    int kind = d->kind == DECL_CONST ? KIND_CONSTANT : d->kind == DECL_TYPE ? KIND_STRUCT
               : d->kind == DECL_ACTOR ? KIND_CLASS : KIND_FUNCTION;
    if (d->kind == DECL_FN || d->kind == DECL_DAG || d->kind == DECL_CONST || d->kind == DECL_ACTOR ||
        d->kind == DECL_TYPE)
        add_item(x, d->name, kind, signature_of(x->arena, x->snap, d), d->doc);
    for (int i = 0; d->kind == DECL_TYPE && d->type.kind == TYPEDEF_SUM && i < d->type.ctors.len; i++)
        add_item(x, d->type.ctors.at[i].name, KIND_MEMBER, d->name, d->doc);
}

static void add_module_items(Context *x, const Module *m, bool own) {
    for (int i = 0; i < m->decls.len; i++)
        add_decl_item(x, m->decls.at[i], own);
}

/* "(call: [n]f32, put: [n]f32)" -> its names. */
static void add_tuple_fields(Context *x, const char *type) {
    int depth = 0;
    const char *start = type + 1;
    for (const char *c = type; *c; c++) {
        depth += (*c == '(' || *c == '[') - (*c == ')' || *c == ']');
        if (depth == 1 && *c == ':' && c > start)
            add_item(x, arena_copy(x->arena, start, (size_t)(c - start)), KIND_FIELD, NULL, NULL);
        if (depth == 1 && *c == ',')
            start = c + 2;
    }
}

static void add_members(Context *x, const char *type) {
    const char *name = element_name(x->arena, type);
    if (!name)
        return;
    if (*name == '(') {
        add_tuple_fields(x, name);
        return;
    }
    const Decl *d = names_type(x->snap->names, name);
    for (int i = 0; d && d->kind == DECL_TYPE && d->type.kind == TYPEDEF_RECORD && i < d->type.fields.len; i++) {
        const TypeItem *f = &d->type.fields.at[i];
        Buf text = {.arena = x->arena};
        ast_print_type(&text, f->type);
        add_item(x, f->name, KIND_FIELD, buf_text(&text), NULL);
    }
}

static void add_messages(Context *x, const char *type) {
    const char *name = element_name(x->arena, type);
    const Decl *actor = name ? names_type(x->snap->names, name) : NULL;
    for (int i = 0; i < x->snap->c.modules.len; i++) { /* of an unknown one those of all actors */
        const Module *m = x->snap->c.modules.at[i];
        for (int k = 0; k < m->decls.len; k++) {
            const Decl *d = m->decls.at[k];
            if (d->kind != DECL_ACTOR || (actor && d != actor))
                continue;
            for (int j = 0; j < d->actor.items.len; j++)
                if (d->actor.items.at[j]->kind == DECL_HANDLER)
                    add_item(x, d->actor.items.at[j]->name, KIND_METHOD,
                             signature_of(x->arena, x->snap, d->actor.items.at[j]), d->actor.items.at[j]->doc);
        }
    }
}

static void add_attributes(Context *x) {
    static const struct { const char *name, *places, *doc; } rows[] = {
#define ATTRIBUTE(name, places, args, doc) {name, places, doc},
#include "../lang/attributes.def"
    };
    for (int i = 0; i < ARRAY_LEN(rows); i++)
        add_item(x, rows[i].name, KIND_PROPERTY, rows[i].places, rows[i].doc);
}

static void add_module_name(Context *x, const char *file) {
    size_t len = strlen(file);
    if (len > 5 && !strcmp(file + len - 5, ".gact"))
        add_item(x, arena_copy(x->arena, file, len - 5), KIND_MODULE, NULL, NULL);
}

/* The library's modules and those beside the document. */
static void add_modules(Context *x) {
    for (int i = 0; stdlib_name(i); i++)
        if (strcmp(stdlib_name(i), "prelude.gact") != 0 && strncmp(stdlib_name(i), "math_", 5) != 0)
            add_module_name(x, stdlib_name(i));
    const char *slash = strrchr(x->d->path, '/');
    DIR *dir = slash ? opendir(arena_copy(x->arena, x->d->path, (size_t)(slash - x->d->path) + 1)) : NULL;
    for (const struct dirent *e; dir && (e = readdir(dir));)
        if (strcmp(e->d_name, slash + 1) != 0)
            add_module_name(x, e->d_name);
    if (dir)
        closedir(dir);
}

static void add_keywords(Context *x) {
    static const char *const words[] = {
#define KEYWORD(text, token, group) text,
#define SOFT_KEYWORD KEYWORD
#define INFIX_KEYWORD KEYWORD
#define ACTOR_WORD(text) text,
#include "../lang/keywords.def"
    };
    for (int i = 0; i < ARRAY_LEN(words); i++)
        add_item(x, words[i], KIND_KEYWORD, NULL, NULL);
    static const struct { const char *name, *doc; } types[] = {
#define TYPE(id, spelling, bytes, flags, doc) {spelling, doc},
#include "../lang/types.def"
    };
    for (int i = 0; i < ARRAY_LEN(types); i++)
        add_item(x, types[i].name, KIND_STRUCT, types[i].doc, NULL);
}

static void add_locals(Context *x) {
    const Names *n = x->snap->names;
    for (int i = n->defs.len; i-- > 0;) {
        const Def *def = n->defs.at[i];
        if (def->scope.to && def->module == x->snap->module && def->name[0] != '#' &&
            visible_local(x, def->name) == def)
            add_item(x, def->name, def->kind == DEF_TYPE_PARAM ? KIND_TYPE_PARAMETER : KIND_VARIABLE,
                     type_text_of(x->arena, x->d, x->snap, def), NULL);
    }
    uint32_t at = x->snap->source->base + (uint32_t)x->word_from;
    for (int i = 0; i < x->snap->module->decls.len; i++) {
        const Decl *d = x->snap->module->decls.at[i];
        bool inside = d->kind == DECL_ACTOR && d->span.from <= at && at <= d->span.to;
        for (int k = 0; inside && k < d->actor.items.len; k++)
            if (d->actor.items.at[k]->kind == DECL_STATE || d->actor.items.at[k]->kind == DECL_FN)
                add_item(x, d->actor.items.at[k]->name, KIND_FIELD,
                         signature_of(x->arena, x->snap, d->actor.items.at[k]), d->actor.items.at[k]->doc);
    }
}

static void add_globals(Context *x) {
    const Module *m = x->snap->module;
    add_module_items(x, m, true);
    for (int i = 0; i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        if (d->kind != DECL_IMPORT || !d->import.module)
            continue;
        if (d->import.all)
            add_module_items(x, d->import.module, false);
        else
            add_item(x, names_of_import(&x->snap->c, d), KIND_MODULE, NULL, NULL);
    }
    for (int i = 0; i < x->snap->c.modules.len; i++)
        if (x->snap->c.modules.at[i]->is_prelude)
            add_module_items(x, x->snap->c.modules.at[i], false);
    for (int i = 0; i < builtin_count; i++)
        if (builtins[i].name[0] != '_')
            add_item(x, builtins[i].name, KIND_FUNCTION, builtins[i].signature, NULL);
}

/* ---- the call around the place ---- */

typedef struct {
    const Def *callee; /* or NULL */
    int args;          /* commas before the place */
    Name named;        /* `name =` before the place, or NULL */
} Call;

/* A message of an actor, of an unknown one the first of this name. */
static const Def *find_message(Context *x, const char *type, Name name) {
    const char *known = element_name(x->arena, type);
    const Decl *actor = known ? names_type(x->snap->names, known) : NULL;
    for (int i = 0; i < x->snap->c.modules.len; i++)
        for (int k = 0; k < x->snap->c.modules.at[i]->decls.len; k++) {
            const Decl *d = x->snap->c.modules.at[i]->decls.at[k];
            for (int j = 0; d->kind == DECL_ACTOR && (!actor || d == actor) && j < d->actor.items.len; j++)
                if (d->actor.items.at[j]->kind == DECL_HANDLER && d->actor.items.at[j]->name == name)
                    return names_of_decl(x->snap->names, d->actor.items.at[j]);
        }
    return NULL;
}

/* What is called by the `(` at token i: a name, `module.name`, `! message` or `spawn Actor`. */
static const Def *callee_at(Context *x, int i) {
    if (i < 1 || x->tokens.at[i - 1].kind != ID)
        return NULL;
    int back = x->tokens.len - i;
    Name name = name_of_token(x, back);
    int before = kind_of_token(x, back + 1);
    if (before == '!' || before == '?')
        return find_message(x, type_before(x, back + 2), name);
    if (before == '.') {
        Module *m = names_import(x->snap->names, name_of_token(x, back + 2));
        for (int k = 0; m && k < m->decls.len; k++)
            if (m->decls.at[k]->name == name && m->decls.at[k]->kind != DECL_IMPORT)
                return names_of_decl(x->snap->names, m->decls.at[k]);
        return NULL;
    }
    if (before == FN || before == DAG || before == ON || before == ACTOR)
        return NULL;
    return names_global(x->snap->names, name);
}

static Call call_around(Context *x) {
    Call call = {0};
    int depth = 0;
    for (int i = x->tokens.len - 1; i >= 0; i--) {
        int kind = x->tokens.at[i].kind;
        if (kind == ')' || kind == ']' || kind == '}' || kind == STR_TAIL) {
            depth++;
        } else if (kind == '(' || kind == '[' || kind == '{' || kind == STR_HEAD) {
            if (depth-- > 0)
                continue;
            if (kind == '(')
                call.callee = callee_at(x, i);
            return call;
        } else if (!depth && kind == ',') {
            call.args++;
        } else if (!depth && kind == '=' && !call.args && i && x->tokens.at[i - 1].kind == ID && !call.named) {
            call.named = name_of_token(x, x->tokens.len - i);
        } else if (!depth && (kind == NL || kind == ';' || kind == LET || kind == VAR)) {
            return call;
        }
    }
    return call;
}

static void add_named_argument(Context *x, Name name, const TypeExpr *type) {
    Buf text = {.arena = x->arena};
    if (type)
        ast_print_type(&text, type);
    cJSON *item = name ? add_item(x, arena_printf(x->arena, "%s =", name), KIND_PROPERTY, buf_text(&text), NULL) : NULL;
    if (item)
        cJSON_AddStringToObject(item, "insertText", arena_printf(x->arena, "%s = ", name));
    if (item)
        cJSON_AddStringToObject(item, "sortText", arena_printf(x->arena, "!%s", name));
}

static void add_named_arguments(Context *x, const Def *callee) {
    const Decl *d = callee ? callee->decl : NULL;
    if (!d)
        return;
    const TypeItemList *items = callee->ctor ? &callee->ctor->payload
                                : d->kind == DECL_TYPE && d->type.kind == TYPEDEF_RECORD ? &d->type.fields : NULL;
    for (int i = 0; items && i < items->len; i++)
        add_named_argument(x, items->at[i].name, items->at[i].type);
    const DeclList *all = d->owner ? &d->owner->actor.items : &d->module->decls;
    for (int k = 0; k < all->len; k++) {
        bool same = all->at[k] == d || (callee->kind == DEF_FN && all->at[k]->name == d->name);
        const ParamList *params = names_params(all->at[k]);
        for (int i = 0; same && i < params->len; i++)
            add_named_argument(x, params->at[i].name, params->at[i].type);
    }
}

/* ---- completion ---- */

static void complete(Context *x) {
    int last = kind_of_token(x, 0);
    if (last == '.') {
        Module *m = kind_of_token(x, 1) == ID ? names_import(x->snap->names, name_of_token(x, 1)) : NULL;
        if (m && !visible_local(x, name_of_token(x, 1)))
            add_module_items(x, m, false);
        else
            add_members(x, type_before(x, 1));
    } else if (last == '!' || last == '?') {
        add_messages(x, type_before(x, 1));
    } else if (last == '@') {
        add_attributes(x);
    } else if (last == IMPORT) {
        add_modules(x);
    } else if (last != FN && last != DAG && last != ACTOR && last != TYPE && last != LET && last != VAR &&
               last != CONST && last != AS && last != STATE && last != ON) { /* a new name follows those */
        add_named_arguments(x, call_around(x).callee);
        add_locals(x);
        add_globals(x);
        add_keywords(x);
    }
}

cJSON *answer_completion(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Context x;
    if (!context_begin(&x, s, d, params) || x.in_text)
        return NULL;
    const char *trigger = cJSON_GetStringValue(item_of(item_of(params, "context"), "triggerCharacter"));
    int last = kind_of_token(&x, 0);
    if (trigger && *trigger == ' ' && last != '!' && last != '?' && last != IMPORT)
        return NULL; /* a blank asks only behind these */
    x.items = cJSON_CreateArray();
    complete(&x);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddBoolToObject(json, "isIncomplete", false);
    cJSON_AddItemToObject(json, "items", x.items);
    return json;
}

/* ---- signature help ---- */

static cJSON *json_signature(Context *x, const Decl *d) {
    cJSON *json = cJSON_CreateObject(), *list = cJSON_CreateArray();
    cJSON_AddStringToObject(json, "label", signature_of(x->arena, x->snap, d));
    if (d->doc)
        cJSON_AddStringToObject(json, "documentation", d->doc);
    const ParamList *params = names_params(d);
    for (int i = 0; i < params->len; i++) {
        cJSON *param = cJSON_CreateObject();
        const Source *source = source_at(&x->snap->c.sources, params->at[i].span.from);
        const char *text = source ? source->text + (params->at[i].span.from - source->base) : "";
        size_t len = source ? params->at[i].span.to - params->at[i].span.from : 0;
        cJSON_AddItemToObject(param, "label", json_text(text, len));
        cJSON_AddItemToArray(list, param);
    }
    cJSON_AddItemToObject(json, "parameters", list);
    return json;
}

/* Which parameter the place is at, by name or by number. */
static int active_parameter(const Decl *d, const Call *call) {
    const ParamList *params = names_params(d);
    for (int i = 0; call->named && i < params->len; i++)
        if (params->at[i].name == call->named)
            return i;
    return call->args;
}

static void add_signatures(Context *x, const Call *call, cJSON *list, int *active) {
    const Decl *d = call->callee->decl;
    bool overloaded = call->callee->kind == DEF_FN && !d->owner;
    const DeclList *all = overloaded ? &d->module->decls : NULL;
    if (!overloaded) {
        cJSON_AddItemToArray(list, json_signature(x, d));
        return;
    }
    for (int i = 0; i < all->len; i++) {
        const Decl *other = all->at[i];
        if ((other->kind != DECL_FN && other->kind != DECL_DAG) || other->name != d->name)
            continue;
        if (*active < 0 && names_params(other)->len > call->args)
            *active = cJSON_GetArraySize(list);
        cJSON_AddItemToArray(list, json_signature(x, other));
    }
}

cJSON *answer_signature(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Context x;
    if (!context_begin(&x, s, d, params) || x.in_text)
        return NULL;
    Call call = call_around(&x);
    if (!call.callee)
        return NULL;
    cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "signatures");
    int active = -1, parameter = call.args;
    if (call.callee->decl) {
        add_signatures(&x, &call, list, &active);
        parameter = active_parameter(call.callee->decl, &call);
    } else if (call.callee->text) {
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "label", call.callee->text);
        cJSON_AddItemToArray(list, item);
    }
    cJSON_AddNumberToObject(json, "activeSignature", active < 0 ? 0 : active);
    cJSON_AddNumberToObject(json, "activeParameter", parameter);
    return json;
}
