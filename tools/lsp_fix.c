/* Code actions: the fixes that diagnostics bring, imports for names that a module of the library has, and
   types that can be written down. */
#include "lsp.h"

#include <string.h>

static const cJSON *item_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static int number_in(const cJSON *object, const char *name) {
    const cJSON *item = item_of(object, name);
    return cJSON_IsNumber(item) ? item->valueint : 0;
}

/* ---- fixes of diagnostics ---- */

static bool overlaps(const cJSON *a, const cJSON *b) {
    const cJSON *a_start = item_of(a, "start"), *a_end = item_of(a, "end");
    const cJSON *b_start = item_of(b, "start"), *b_end = item_of(b, "end");
    if (!a_start || !a_end || !b_start || !b_end)
        return false;
    return number_in(a_start, "line") <= number_in(b_end, "line") &&
           number_in(b_start, "line") <= number_in(a_end, "line");
}

static void add_edit(cJSON *changes, const cJSON *fix) {
    const cJSON *at = item_of(fix, "at");
    const char *uri = cJSON_GetStringValue(item_of(at, "uri"));
    cJSON *edits = cJSON_GetObjectItemCaseSensitive(changes, uri);
    if (!edits)
        edits = cJSON_AddArrayToObject(changes, uri);
    cJSON *edit = cJSON_CreateObject();
    cJSON_AddItemToObject(edit, "range", cJSON_Duplicate(item_of(at, "range"), true));
    cJSON_AddStringToObject(edit, "newText", cJSON_GetStringValue(item_of(fix, "text")));
    cJSON_AddItemToArray(edits, edit);
}

static void add_action(cJSON *list, const cJSON *diagnostic, const cJSON *fix) {
    cJSON *action = cJSON_CreateObject();
    cJSON_AddStringToObject(action, "title", cJSON_GetStringValue(item_of(fix, "title")));
    cJSON_AddStringToObject(action, "kind", "quickfix");
    cJSON_AddBoolToObject(action, "isPreferred", cJSON_IsTrue(item_of(fix, "sure")));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(action, "diagnostics"), cJSON_Duplicate(diagnostic, true));
    add_edit(cJSON_AddObjectToObject(cJSON_AddObjectToObject(action, "edit"), "changes"), fix);
    cJSON_AddItemToArray(list, action);
}

/* ---- edits of our own ---- */

/* An action with an empty list of edits for the document, which is returned. */
static cJSON *start_action(cJSON *list, const Document *d, const char *title, const char *kind) {
    cJSON *action = cJSON_CreateObject();
    cJSON_AddStringToObject(action, "title", title);
    cJSON_AddStringToObject(action, "kind", kind);
    cJSON_AddItemToArray(list, action);
    return cJSON_AddArrayToObject(cJSON_AddObjectToObject(cJSON_AddObjectToObject(action, "edit"), "changes"), d->uri);
}

static void put_edit(const Server *s, Source *source, cJSON *edits, size_t from, size_t to, const char *text) {
    cJSON *edit = cJSON_CreateObject();
    Span span = {source->base + (uint32_t)from, source->base + (uint32_t)to};
    cJSON_AddItemToObject(edit, "range", json_range(s, source, span));
    cJSON_AddStringToObject(edit, "newText", text);
    cJSON_AddItemToArray(edits, edit);
}

/* ---- imports ---- */

/* Does a module of the library have a public declaration of this name? */
static bool declares(Arena *arena, const char *file, const char *name) {
    size_t len;
    const char *text = stdlib_text(file, &len);
    if (!text || !strstr(text, name))
        return false;
    Sources sources = {.arena = arena, .next = 1};
    Diags diags = {.arena = arena, .sources = &sources};
    Module *m = parse_source(arena, names_new(arena), &diags, source_add(&sources, file, text, len));
    for (int i = 0; i < m->decls.len; i++)
        if (m->decls.at[i]->name && !strcmp(m->decls.at[i]->name, name))
            return true;
    return false;
}

/* Where a line with another import goes: behind the last one, or before the first declaration and the
   comment that belongs to it. */
static size_t import_place(const Document *d, const Snapshot *snap, bool *first) {
    size_t at = 0;
    *first = true;
    for (int i = 0; i < snap->module->decls.len; i++) {
        const Decl *decl = snap->module->decls.at[i];
        if (decl->kind != DECL_IMPORT)
            continue;
        const char *end = memchr(d->text + (decl->span.to - snap->source->base), '\n',
                                 d->len - (decl->span.to - snap->source->base));
        at = end ? (size_t)(end - d->text) + 1 : d->len;
        *first = false;
    }
    if (!*first || !snap->module->decls.len)
        return at;
    at = snap->module->decls.at[0]->span.from - snap->source->base;
    for (;;) {
        while (at && d->text[at - 1] != '\n')
            at--;
        size_t before = at ? at - 1 : 0;
        while (before && d->text[before - 1] != '\n')
            before--;
        if (!at || strncmp(d->text + before, "//", 2) != 0)
            return at;
        at = before;
    }
}

/* For an unknown name: the modules that have it. */
static void add_imports(Server *s, Document *d, const cJSON *diagnostic, cJSON *list) {
    Snapshot *snap = document_snapshot(s, d);
    const char *code = cJSON_GetStringValue(item_of(diagnostic, "code"));
    if (!snap || !code || strcmp(code, diag_code_text(DIAG_UNKNOWN_NAME)) != 0)
        return;
    const cJSON *range = item_of(diagnostic, "range");
    size_t from = offset_of(s, d->text, d->len, item_of(range, "start"));
    size_t to = offset_of(s, d->text, d->len, item_of(range, "end"));
    const char *name = arena_copy(&d->arena, d->text + from, to > from ? to - from : 0);
    if (!*name || *name == '_' || (from && d->text[from - 1] == '.'))
        return;
    for (int k = 0; stdlib_name(k); k++) {
        const char *file = stdlib_name(k);
        Arena arena = {0};
        bool has = strncmp(file, "math_", 5) != 0 && strcmp(file, "prelude.gact") != 0 && declares(&arena, file, name);
        arena_free(&arena);
        if (!has)
            continue;
        const char *module = arena_copy(&d->arena, file, strlen(file) - strlen(".gact"));
        const char *title = arena_printf(&d->arena, "Import `%s` and write `%s.%s`", module, module, name);
        bool first;
        size_t place = import_place(d, snap, &first);
        cJSON *edits = start_action(list, d, title, "quickfix");
        if (!names_import(snap->names, name_cstr(snap->c.names, module)))
            put_edit(s, snap->source, edits, place, place,
                     arena_printf(&d->arena, first ? "import %s\n\n" : "import %s\n", module));
        put_edit(s, snap->source, edits, from, from, arena_printf(&d->arena, "%s.", module));
    }
}

/* ---- types ---- */

/* `let name = ` in the text, without a type? */
static bool is_plain_binding(const Document *d, size_t from, size_t to) {
    while (from && d->text[from - 1] == ' ')
        from--;
    while (to < d->len && d->text[to] == ' ')
        to++;
    bool binds = from > 3 && (!strncmp(d->text + from - 3, "let", 3) || !strncmp(d->text + from - 3, "var", 3));
    return binds && d->text[to] == '=' && d->text[to + 1] != '=';
}

/* At the name of a binding: its type, written down. */
static void add_type(Server *s, Document *d, const cJSON *params, cJSON *list) {
    Snapshot *snap = document_snapshot(s, d);
    const cJSON *start = item_of(item_of(params, "range"), "start");
    if (!snap || snap->is_broken || !start)
        return;
    uint32_t base = snap->source->base;
    const Use *use = names_use_at(snap->names, base + (uint32_t)offset_of(s, d->text, d->len, start));
    if (!use || !use->declares || !use->def || use->def->kind != DEF_LET || use->def->type ||
        !is_plain_binding(d, use->at.from - base, use->at.to - base))
        return;
    const Typed *t = typed_at(d, use->at.from - base, use->at.to - base);
    const char *type = t && !t->varies ? type_text_of(&d->arena, d, snap, use->def) : NULL;
    if (!type || strpbrk(type, "<{`") || strstr(type, "fn "))
        return; /* functions have types that no program can write */
    cJSON *edits = start_action(list, d, arena_printf(&d->arena, "Write the type `%s`", type), "refactor.rewrite");
    put_edit(s, snap->source, edits, use->at.to - base, use->at.to - base, arena_printf(&d->arena, ": %s", type));
}

/* ---- the request ---- */

/* The diagnostics of the document as it is: of a text with syntax errors those, else what was checked,
   if that is this text. */
static cJSON *current_diagnostics(Server *s, Document *d) {
    Snapshot *snap = document_snapshot(s, d);
    if (snap && snap->is_broken)
        return syntax_diagnostics(s, d);
    bool same = d->checked && d->len == d->checked->len && !memcmp(d->text, d->checked->text, d->len);
    const cJSON *list = same ? item_of(d->checked->diagnostics, d->uri) : NULL;
    return list ? cJSON_Duplicate(list, true) : cJSON_CreateArray();
}

cJSON *answer_actions(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    cJSON *list = cJSON_CreateArray(), *found = current_diagnostics(s, d);
    cJSON *all = cJSON_CreateObject();
    cJSON *changes = cJSON_AddObjectToObject(cJSON_AddObjectToObject(all, "edit"), "changes");
    const cJSON *diagnostic, *fix;
    int sure = 0;
    cJSON_ArrayForEach(diagnostic, found) {
        bool here = overlaps(item_of(diagnostic, "range"), item_of(params, "range"));
        if (here)
            add_imports(s, d, diagnostic, list);
        cJSON_ArrayForEach(fix, item_of(item_of(diagnostic, "data"), "fixes")) {
            if (here)
                add_action(list, diagnostic, fix);
            if (!cJSON_IsTrue(item_of(fix, "sure")))
                continue;
            add_edit(changes, fix);
            sure++;
        }
    }
    cJSON_AddStringToObject(all, "title", "Fix all that has one sure fix");
    cJSON_AddStringToObject(all, "kind", "source.fixAll");
    if (sure)
        cJSON_AddItemToArray(list, all);
    else
        cJSON_Delete(all);
    cJSON_Delete(found);
    add_type(s, d, params, list);
    return list;
}
