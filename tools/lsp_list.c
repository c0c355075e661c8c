/* Lists of all there is in a file: symbols, tokens with their meaning, types that nobody wrote, places
   to fold; and whole-file edits. */
#include "lsp.h"

#include "format.h"

#include <stdlib.h>
#include <string.h>

static const cJSON *item_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* ---- symbols ---- */

enum { SYMBOL_MODULE = 2, SYMBOL_CLASS = 5, SYMBOL_METHOD = 6, SYMBOL_FIELD = 8, SYMBOL_ENUM = 10, SYMBOL_FUNCTION = 12,
       SYMBOL_VARIABLE = 13, SYMBOL_CONSTANT = 14, SYMBOL_MEMBER = 22, SYMBOL_STRUCT = 23, SYMBOL_EVENT = 24,
       SYMBOL_OPERATOR = 25 };

static int symbol_kind(const Decl *d) {
    switch (d->kind) {
    case DECL_IMPORT: return SYMBOL_MODULE;
    case DECL_CONST: return SYMBOL_CONSTANT;
    case DECL_TYPE: return d->type.kind == TYPEDEF_SUM ? SYMBOL_ENUM : SYMBOL_STRUCT;
    case DECL_FN: return d->fn.op == OP_COUNT ? SYMBOL_FUNCTION : SYMBOL_OPERATOR;
    case DECL_DAG: case DECL_MAIN: return SYMBOL_FUNCTION;
    case DECL_ACTOR: return SYMBOL_CLASS;
    case DECL_TEST: return SYMBOL_METHOD;
    case DECL_STATE: return SYMBOL_FIELD;
    case DECL_HANDLER: return SYMBOL_METHOD;
    case DECL_LIFECYCLE: case DECL_TIMER: return SYMBOL_EVENT;
    }
    UNREACHABLE();
}

static const char *symbol_name(Arena *arena, const Decl *d) {
    if (d->kind == DECL_TEST)
        return arena_printf(arena, "test \"%s\"", d->fn.title);
    if (d->kind == DECL_LIFECYCLE)
        return arena_printf(arena, "on %s", d->fn.title);
    return d->kind == DECL_TIMER ? d->fn.title : d->name ? d->name : "main";
}

static cJSON *json_symbol(const Server *s, Source *source, const char *name, int kind, Span whole, Span own) {
    cJSON *json = cJSON_CreateObject();
    if (own.to <= own.from || own.from < whole.from || own.to > whole.to)
        own = (Span){whole.from, whole.from};
    cJSON_AddStringToObject(json, "name", *name ? name : "_");
    cJSON_AddNumberToObject(json, "kind", kind);
    cJSON_AddItemToObject(json, "range", json_range(s, source, whole));
    cJSON_AddItemToObject(json, "selectionRange", json_range(s, source, own));
    return json;
}

static void add_type_parts(const Server *s, Source *source, const Decl *d, cJSON *children) {
    for (int i = 0; d->type.kind == TYPEDEF_RECORD && i < d->type.fields.len; i++) {
        const TypeItem *f = &d->type.fields.at[i];
        Span whole = {f->name_span.from, f->type->span.to};
        cJSON_AddItemToArray(children, json_symbol(s, source, f->name, SYMBOL_FIELD, whole, f->name_span));
    }
    for (int i = 0; d->type.kind == TYPEDEF_SUM && i < d->type.ctors.len; i++) {
        const Ctor *c = &d->type.ctors.at[i];
        cJSON_AddItemToArray(children, json_symbol(s, source, c->name, SYMBOL_MEMBER, c->span, c->span));
    }
}

static cJSON *symbol_of(const Server *s, Arena *arena, Source *source, const Decl *d) {
    cJSON *json = json_symbol(s, source, symbol_name(arena, d), symbol_kind(d), d->span, d->name_span);
    cJSON *children = cJSON_CreateArray();
    if (d->kind == DECL_TYPE)
        add_type_parts(s, source, d, children);
    for (int i = 0; d->kind == DECL_ACTOR && i < d->actor.items.len; i++)
        cJSON_AddItemToArray(children, symbol_of(s, arena, source, d->actor.items.at[i]));
    if (cJSON_GetArraySize(children))
        cJSON_AddItemToObject(json, "children", children);
    else
        cJSON_Delete(children);
    return json;
}

cJSON *answer_symbols(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)params, (void)error;
    cJSON *list = cJSON_CreateArray();
    Snapshot *snap = document_snapshot(s, d);
    for (int i = 0; snap && i < snap->module->decls.len; i++)
        if (snap->module->decls.at[i]->kind != DECL_IMPORT)
            cJSON_AddItemToArray(list, symbol_of(s, &d->arena, snap->source, snap->module->decls.at[i]));
    return list;
}

/* Do the letters of the query stand in the name, in this order? */
static bool matches(const char *name, const char *query) {
    for (; *query; name++) {
        if (!*name)
            return false;
        if ((*name | 32) == (*query | 32))
            query++;
    }
    return true;
}

static void add_workspace_symbol(Server *s, Arena *arena, cJSON *list, const Decl *d, Source *source,
                                 const char *query, const char *container) {
    const char *name = symbol_name(arena, d);
    if (d->kind == DECL_IMPORT || !matches(name, query))
        return;
    const char *uri = uri_of(s, arena, source);
    if (!uri)
        return;
    cJSON *json = cJSON_CreateObject(), *location = cJSON_AddObjectToObject(json, "location");
    cJSON_AddStringToObject(json, "name", name);
    cJSON_AddNumberToObject(json, "kind", symbol_kind(d));
    if (container)
        cJSON_AddStringToObject(json, "containerName", container);
    cJSON_AddStringToObject(location, "uri", uri);
    cJSON_AddItemToObject(location, "range", json_range(s, source, d->name_span.to ? d->name_span : d->span));
    cJSON_AddItemToArray(list, json);
}

cJSON *answer_workspace_symbols(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)d, (void)error;
    enum { MOST = 500 };
    const char *query = cJSON_GetStringValue(item_of(params, "query"));
    cJSON *list = cJSON_CreateArray();
    Arena paths_arena = {0};
    PathList paths = workspace_programs(s, &paths_arena);
    for (int i = 0; i < paths.len && cJSON_GetArraySize(list) < MOST; i++) {
        Arena arena = {0};
        Sources sources = {.arena = &arena, .overlay = &s->overlay, .next = 1};
        Diags diags = {.arena = &arena, .sources = &sources};
        Source *source = source_read(&sources, paths.at[i]);
        Module *m = source ? parse_source(&arena, names_new(&arena), &diags, source) : NULL;
        for (int k = 0; m && k < m->decls.len; k++) {
            const Decl *decl = m->decls.at[k];
            add_workspace_symbol(s, &arena, list, decl, source, query ? query : "", NULL);
            for (int j = 0; decl->kind == DECL_ACTOR && j < decl->actor.items.len; j++)
                add_workspace_symbol(s, &arena, list, decl->actor.items.at[j], source, query ? query : "",
                                     decl->name);
        }
        arena_free(&arena);
    }
    arena_free(&paths_arena);
    return list;
}

/* ---- semantic tokens ---- */

enum { TOKEN_NAMESPACE, TOKEN_TYPE, TOKEN_CLASS, TOKEN_TYPE_PARAMETER, TOKEN_PARAMETER, TOKEN_VARIABLE,
       TOKEN_PROPERTY, TOKEN_MEMBER, TOKEN_FUNCTION, TOKEN_METHOD };
static const char *const token_types[] = {"namespace", "type", "class", "typeParameter", "parameter", "variable",
                                          "property", "enumMember", "function", "method"};
enum { MODIFIER_DECLARATION = 1, MODIFIER_READONLY = 2, MODIFIER_LIBRARY = 4 };
static const char *const token_modifiers[] = {"declaration", "readonly", "defaultLibrary"};

cJSON *tokens_legend(void) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "tokenTypes", cJSON_CreateStringArray(token_types, ARRAY_LEN(token_types)));
    cJSON_AddItemToObject(json, "tokenModifiers",
                          cJSON_CreateStringArray(token_modifiers, ARRAY_LEN(token_modifiers)));
    return json;
}

static int token_type(const Def *def) {
    switch (def->kind) {
    case DEF_LET: return TOKEN_VARIABLE;
    case DEF_PARAM: return TOKEN_PARAMETER;
    case DEF_SIZE: return TOKEN_PARAMETER;
    case DEF_TYPE_PARAM: return TOKEN_TYPE_PARAMETER;
    case DEF_FN: return TOKEN_FUNCTION;
    case DEF_CONST: return TOKEN_VARIABLE;
    case DEF_TYPE: return TOKEN_TYPE;
    case DEF_CTOR: return TOKEN_MEMBER;
    case DEF_FIELD: return TOKEN_PROPERTY;
    case DEF_ACTOR: return TOKEN_CLASS;
    case DEF_MESSAGE: return TOKEN_METHOD;
    case DEF_STATE: return TOKEN_PROPERTY;
    case DEF_MODULE: return TOKEN_NAMESPACE;
    case DEF_BUILTIN: return TOKEN_FUNCTION;
    case DEF_BASIC: return TOKEN_TYPE;
    case DEF_KIND_COUNT: break;
    }
    UNREACHABLE();
}

static int modifiers_of(const Use *use, const Def *def) {
    bool fixed = def->kind == DEF_CONST || def->kind == DEF_PARAM || def->kind == DEF_SIZE ||
                 (def->kind == DEF_LET && !def->is_var);
    bool library = !def->module || def->module->is_stdlib;
    return (use->declares ? MODIFIER_DECLARATION : 0) | (fixed ? MODIFIER_READONLY : 0) |
           (library ? MODIFIER_LIBRARY : 0);
}

static int number_in(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name)->valueint;
}

cJSON *answer_tokens(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)params, (void)error;
    Snapshot *snap = document_snapshot(s, d);
    VEC(int) data = {0};
    int line = 0, column = 0;
    uint32_t last = 0;
    for (int i = 0; snap && i < snap->names->uses.len; i++) {
        const Use *use = &snap->names->uses.at[i];
        const Def *def = meaning_of(d, snap, use);
        if (!def || use->at.from < last)
            continue;
        cJSON *from = json_position(s, snap->source, use->at.from), *to = json_position(s, snap->source, use->at.to);
        int at_line = number_in(from, "line"), at = number_in(from, "character");
        int row[] = {at_line - line, at_line == line ? at - column : at, number_in(to, "character") - at,
                     token_type(def), modifiers_of(use, def)};
        for (int k = 0; k < ARRAY_LEN(row); k++)
            vec_push(&d->arena, &data, row[k]);
        line = at_line;
        column = at;
        last = use->at.to;
        cJSON_Delete(from);
        cJSON_Delete(to);
    }
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "data", cJSON_CreateIntArray(data.at, data.len));
    return json;
}

/* ---- inlay hints ---- */

cJSON *answer_hints(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Snapshot *snap = document_snapshot(s, d);
    const cJSON *range = item_of(params, "range");
    size_t from = offset_of(s, d->text, d->len, item_of(range, "start"));
    size_t to = range ? offset_of(s, d->text, d->len, item_of(range, "end")) : d->len;
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; snap && i < snap->names->uses.len; i++) {
        const Use *use = &snap->names->uses.at[i];
        size_t at = use->at.from - snap->source->base;
        if (!use->declares || !use->def || use->def->type || at < from || at > to ||
            (use->def->kind != DEF_LET && use->def->kind != DEF_PARAM))
            continue;
        const Typed *t = typed_at(d, (uint32_t)at, use->at.to - snap->source->base);
        const char *type = t && !t->varies ? type_text_of(&d->arena, d, snap, use->def) : NULL;
        if (!type || strlen(type) > 60)
            continue;
        cJSON *hint = cJSON_CreateObject();
        cJSON_AddItemToObject(hint, "position", json_position(s, snap->source, use->at.to));
        cJSON_AddStringToObject(hint, "label", arena_printf(&d->arena, ": %s", type));
        cJSON_AddNumberToObject(hint, "kind", 1);
        cJSON_AddItemToArray(list, hint);
    }
    return list;
}

/* ---- folding ---- */

static void add_fold(const Server *s, Source *source, cJSON *list, Span span) {
    cJSON *range = json_range(s, source, span);
    int first = number_in(item_of(range, "start"), "line"), last = number_in(item_of(range, "end"), "line");
    cJSON_Delete(range);
    if (last <= first)
        return;
    cJSON *fold = cJSON_CreateObject();
    cJSON_AddNumberToObject(fold, "startLine", first);
    cJSON_AddNumberToObject(fold, "endLine", last);
    cJSON_AddItemToArray(list, fold);
}

cJSON *answer_folding(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)params, (void)error;
    Snapshot *snap = document_snapshot(s, d);
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; snap && i < snap->module->decls.len; i++) {
        const Decl *decl = snap->module->decls.at[i];
        add_fold(s, snap->source, list, decl->span);
        for (int k = 0; decl->kind == DECL_ACTOR && k < decl->actor.items.len; k++)
            add_fold(s, snap->source, list, decl->actor.items.at[k]->span);
    }
    return list;
}

/* ---- formatting ---- */

cJSON *answer_formatting(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)params;
    Arena arena = {0};
    Sources sources = {.arena = &arena, .next = 1};
    Diags diags = {.arena = &arena, .sources = &sources};
    Source *source = source_add(&sources, d->path, d->text, d->len);
    Buf out = {.arena = &arena};
    FormatStatus status = source ? format_source(&arena, names_new(&arena), &diags, source, &out) : FORMAT_BROKEN;
    cJSON *list = NULL;
    if (status == FORMAT_DONE) {
        list = cJSON_CreateArray();
        if (out.len != d->len || memcmp(out.at, d->text, d->len) != 0) {
            cJSON *edit = cJSON_CreateObject();
            Span whole = {source->base, source->base + (uint32_t)source->len};
            cJSON_AddItemToObject(edit, "range", json_range(s, source, whole));
            cJSON_AddItemToObject(edit, "newText", json_text(buf_text(&out), out.len));
            cJSON_AddItemToArray(list, edit);
        }
    } else if (status == FORMAT_BROKEN) {
        *error = "the formatted text would not be the same program";
    }
    arena_free(&arena);
    return list;
}
