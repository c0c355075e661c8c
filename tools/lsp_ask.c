/* Questions about the name at a place: what it is, where it is declared, where it is used, and giving
   it another name. */
#include "lsp.h"

#include "../compiler/check.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const cJSON *item_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

bool is_word_byte(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* ---- what stands at a place ---- */

static bool has_text(Span span) {
    return span.to > span.from;
}

/* The definition whose name begins at an offset of a file. */
static const Def *def_at_target(Snapshot *snap, const Refers *r) {
    for (int i = 0; i < snap->c.modules.len; i++) {
        Module *m = snap->c.modules.at[i];
        if (strcmp(m->source->path, r->path) != 0)
            continue;
        uint32_t at = m->source->base + r->target;
        for (int k = 0; k < m->decls.len; k++) {
            const Decl *d = m->decls.at[k];
            bool record = d->kind == DECL_TYPE && d->type.kind == TYPEDEF_RECORD;
            for (int f = 0; record && f < d->type.fields.len; f++)
                if (d->type.fields.at[f].name_span.from == at)
                    return names_of_item(snap->names, d, &d->type.fields.at[f]);
            for (int f = 0; d->kind == DECL_ACTOR && f < d->actor.items.len; f++)
                if (d->actor.items.at[f]->name && d->actor.items.at[f]->name_span.from == at)
                    return names_of_decl(snap->names, d->actor.items.at[f]);
        }
    }
    return NULL;
}

const Def *meaning_of(Document *d, Snapshot *snap, const Use *use) {
    if (!use || !use->base)
        return use ? use->def : NULL;
    uint32_t base = snap->source->base;
    const Refers *r = d ? refers_at(d, use->at.from - base, use->at.to - base) : NULL;
    const Def *def = r ? def_at_target(snap, r) : NULL;
    return def ? def : use->def;
}

Place place_of(Server *s, Document *d, const cJSON *params) {
    Place p = {.snapshot = document_snapshot(s, d)};
    if (!p.snapshot)
        return p;
    size_t offset = offset_of(s, d->text, d->len, item_of(params, "position"));
    p.position = p.snapshot->source->base + (uint32_t)offset;
    p.use = names_use_at(p.snapshot->names, p.position);
    p.def = meaning_of(d, p.snapshot, p.use);
    return p;
}

/* ---- texts ---- */

static const char *source_text(const Snapshot *snap, Span span, int *len) {
    const Source *source = source_at(&snap->c.sources, span.from);
    *len = source && span.to >= span.from ? (int)(span.to - span.from) : 0;
    return source ? source->text + (span.from - source->base) : "";
}

static const char *word_of(const Decl *decl) {
    switch (decl->kind) {
    case DECL_FN: return "fn ";
    case DECL_DAG: return "dag ";
    case DECL_ACTOR: return "actor ";
    case DECL_HANDLER: return "on ";
    case DECL_CONST: return "const ";
    case DECL_STATE: return "state ";
    case DECL_TYPE: return "type ";
    case DECL_MAIN: return "main";
    case DECL_TEST: return "test ";
    case DECL_IMPORT: case DECL_LIFECYCLE: case DECL_TIMER: return "";
    }
    UNREACHABLE();
}

/* Runs of white space as one blank. */
static const char *on_one_line(Arena *arena, const char *text, int len) {
    Buf out = {.arena = arena};
    for (int i = 0; i < len; i++) {
        bool space = isspace((unsigned char)text[i]);
        if (!space)
            buf_add(&out, text + i, 1);
        else if (out.len && out.at[out.len - 1] != ' ' && out.at[out.len - 1] != '(')
            buf_puts(&out, " ");
    }
    return buf_text(&out);
}

/* From the name up to where the body begins. */
static Span head_of(const Decl *decl) {
    Span head = {decl->name_span.from, decl->span.to};
    if (decl->kind == DECL_ACTOR)
        head.to = decl->actor.params.len ? decl->actor.params.at[decl->actor.params.len - 1].span.to
                                         : decl->name_span.to;
    else if (decl->kind == DECL_FN || decl->kind == DECL_DAG || decl->kind == DECL_HANDLER)
        head.to = decl->fn.body ? decl->fn.body->span.from : decl->span.to;
    return head;
}

const char *signature_of(Arena *arena, const Snapshot *snap, const Decl *decl) {
    int len;
    const char *text = source_text(snap, head_of(decl), &len);
    bool is_operator = decl->kind == DECL_FN && decl->fn.op != OP_COUNT;
    bool is_type = decl->kind == DECL_TYPE;
    while (len && !is_type && strchr(" \t\r\n={", text[len - 1]))
        len--;
    const char *shown = is_type ? arena_copy(arena, text, (size_t)len) : on_one_line(arena, text, len);
    bool closes = decl->kind == DECL_ACTOR && decl->actor.params.len;
    return arena_printf(arena, "%s%s%s%s", word_of(decl), is_operator ? "(" : "", shown, closes ? ")" : "");
}

/* `[n, 3]f32` of the dims and the type that were found. */
static const char *checked_text(Arena *arena, const Typed *t) {
    const char *end = t->dims && t->type[0] == '[' ? strchr(t->type, ']') : NULL;
    const char *text = end ? arena_printf(arena, "%s%s", t->dims, end + 1) : t->type;
    return t->varies ? arena_printf(arena, "%s, for one", text) : text;
}

const char *type_text_of(Arena *arena, Document *d, const Snapshot *snap, const Def *def) {
    uint32_t base = snap->source->base;
    const Typed *t = d && def->module == snap->module && has_text(def->span)
                         ? typed_at(d, def->span.from - base, def->span.to - base) : NULL;
    if (def->type) {
        Buf out = {.arena = arena};
        ast_print_type(&out, def->type);
        return buf_text(&out);
    }
    return t ? checked_text(arena, t) : def->kind == DEF_SIZE ? "i64" : NULL;
}

/* ---- hover ---- */

static bool has_attr(const AttrList *attrs, const char *name) {
    return find_attr(attrs, name) != NULL;
}

/* Where a dag, a node of one or an actor runs. */
static const char *place_text(const AttrList *attrs) {
    if (has_attr(attrs, "gpu"))
        return "Runs on the GPU (`@gpu`).";
    if (has_attr(attrs, "host"))
        return "Runs on the host (`@host`).";
    return "Runs on the host, or on a GPU where there is one and it pays.";
}

static void hover_decl(Buf *out, const Snapshot *snap, const Decl *decl) {
    buf_printf(out, "```gact\n%s\n```\n", signature_of(out->arena, snap, decl));
    if (decl->doc)
        buf_printf(out, "\n%s\n", decl->doc);
    if (decl->kind == DECL_DAG || decl->kind == DECL_ACTOR)
        buf_printf(out, "\n%s\n", place_text(&decl->attrs));
}

/* All overloads in the module of the first. */
static void hover_overloads(Buf *out, const Snapshot *snap, const Decl *first) {
    enum { MOST = 8 };
    int shown = 0;
    for (int i = 0; i < first->module->decls.len && !first->owner; i++) {
        const Decl *d = first->module->decls.at[i];
        if ((d->kind == DECL_FN || d->kind == DECL_DAG) && d->name == first->name && shown++ < MOST)
            hover_decl(out, snap, d);
    }
    if (!shown)
        hover_decl(out, snap, first);
}

static void hover_actor(Buf *out, const Snapshot *snap, const Decl *actor) {
    hover_decl(out, snap, actor);
    buf_puts(out, "\n```gact\n");
    for (int i = 0; i < actor->actor.items.len; i++)
        if (actor->actor.items.at[i]->kind == DECL_HANDLER)
            buf_printf(out, "%s\n", signature_of(out->arena, snap, actor->actor.items.at[i]));
    buf_puts(out, "```\n");
}

/* The `let` whose pattern holds a place, to find its attributes. */
typedef struct {
    uint32_t at;
    const Expr *found;
} FindLet;

static bool visit_let(const Expr *e, void *ctx) {
    FindLet *f = ctx;
    if (e->kind == EXPR_LET && e->let.pattern->span.from <= f->at && f->at < e->let.pattern->span.to)
        f->found = e;
    return e->span.from <= f->at && f->at < e->span.to;
}

static void hover_local(Buf *out, Document *d, const Snapshot *snap, const Def *def, const Use *use) {
    uint32_t base = snap->source->base;
    const Typed *here = use && def->module == snap->module
                            ? typed_at(d, use->at.from - base, use->at.to - base) : NULL;
    const char *declared = type_text_of(out->arena, d, snap, def);
    const char *found = here ? checked_text(out->arena, here) : NULL;
    const char *word = def->is_var ? "var " : def->kind == DEF_LET ? "let " : "";
    const char *shown = declared ? declared : found;
    buf_printf(out, "```gact\n%s%s%s%s\n```\n", word, def->name, shown ? ": " : "", shown ? shown : "");
    if (found && declared && strcmp(found, declared) != 0 && def->type)
        buf_printf(out, "\nHere `%s`.\n", found);
    if (def->kind == DEF_SIZE)
        buf_puts(out, "\nThe size of an argument along an axis.\n");
    if (def->kind == DEF_TYPE_PARAM)
        buf_puts(out, "\nAny type.\n");
    const Decl *dag = def->decl;
    if (def->kind == DEF_LET && dag && dag->kind == DECL_DAG && dag->fn.body) {
        FindLet find = {.at = def->span.from};
        walk_expr(dag->fn.body, visit_let, &find);
        if (find.found)
            buf_printf(out, "\nA node of `%s`. %s\n", dag->name, place_text(&find.found->let.attrs));
    }
}

static const char *module_doc(Arena *arena, const Module *m) {
    const char *text = m->source->text;
    Buf out = {.arena = arena};
    while (!strncmp(text, "//", 2)) {
        size_t len = strcspn(text, "\n");
        size_t skip = 2 + (text[2] == '/') + (text[2 + (text[2] == '/')] == ' ');
        buf_add(&out, text + (skip < len ? skip : len), len - (skip < len ? skip : len));
        buf_puts(&out, "\n");
        text += len + (text[len] == '\n');
    }
    return out.len ? buf_text(&out) : "";
}

static void hover_def(Buf *out, Document *d, const Snapshot *snap, const Def *def, const Use *use) {
    switch (def->kind) {
    case DEF_FN: hover_overloads(out, snap, def->decl); return;
    case DEF_CONST: case DEF_TYPE: case DEF_MESSAGE: case DEF_STATE: hover_decl(out, snap, def->decl); return;
    case DEF_CTOR: hover_decl(out, snap, def->decl); return;
    case DEF_ACTOR: hover_actor(out, snap, def->decl); return;
    case DEF_FIELD: {
        const char *type = type_text_of(out->arena, NULL, snap, def);
        buf_printf(out, "```gact\n%s.%s: %s\n```\n", def->decl->name, def->name, type);
        return;
    }
    case DEF_MODULE:
        buf_printf(out, "```gact\nimport %s\n```\n\n%s\n", def->module->name, module_doc(out->arena, def->module));
        return;
    case DEF_BUILTIN: case DEF_BASIC: buf_printf(out, "```gact\n%s\n```\n\n%s\n", def->name, def->text ? def->text : ""); return;
    case DEF_LET: case DEF_PARAM: case DEF_SIZE: case DEF_TYPE_PARAM: hover_local(out, d, snap, def, use); return;
    case DEF_KIND_COUNT: break;
    }
    UNREACHABLE();
}

cJSON *answer_hover(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Place p = place_of(s, d, params);
    if (!p.use)
        return NULL;
    Buf out = {.arena = &d->arena};
    uint32_t base = p.snapshot->source->base;
    const Typed *t = typed_at(d, p.use->at.from - base, p.use->at.to - base);
    if (p.def)
        hover_def(&out, d, p.snapshot, p.def, p.use);
    else if (t)
        buf_printf(&out, "```gact\n%s: %s\n```\n", p.use->name, checked_text(&d->arena, t));
    else
        return NULL;
    cJSON *json = cJSON_CreateObject(), *contents = cJSON_AddObjectToObject(json, "contents");
    cJSON_AddStringToObject(contents, "kind", "markdown");
    cJSON_AddStringToObject(contents, "value", buf_text(&out));
    cJSON_AddItemToObject(json, "range", json_range(s, p.snapshot->source, p.use->at));
    return json;
}

/* ---- definitions ---- */

static void add_location(Server *s, Compiler *c, cJSON *list, Span span) {
    cJSON *location = json_location(s, c, span);
    if (location)
        cJSON_AddItemToArray(list, location);
}

/* May a call with this many arguments mean this overload? */
static bool may_take(const Decl *decl, int args) {
    const ParamList *params = names_params(decl);
    int needed = 0;
    for (int i = 0; i < params->len; i++)
        needed += !params->at[i].init;
    return args < 0 || (args >= needed && args <= params->len);
}

static void add_overloads(Server *s, Compiler *c, cJSON *list, const Def *def, int args) {
    const DeclList *all = &def->decl->module->decls;
    for (int pass = 0; pass < 2 && !cJSON_GetArraySize(list); pass++)
        for (int i = 0; i < all->len; i++) {
            const Decl *d = all->at[i];
            if ((d->kind == DECL_FN || d->kind == DECL_DAG) && d->name == def->name && (pass || may_take(d, args)))
                add_location(s, c, list, d->name_span);
        }
}

cJSON *answer_definition(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Place p = place_of(s, d, params);
    if (!p.def || !p.def->module)
        return NULL;
    cJSON *list = cJSON_CreateArray();
    if (p.def->kind == DEF_FN && !p.def->decl->owner && p.def->decl->fn.op == OP_COUNT)
        add_overloads(s, &p.snapshot->c, list, p.def, p.use->args);
    else
        add_location(s, &p.snapshot->c, list, p.def->span);
    return list;
}

/* ---- uses ---- */

/* Where a definition stands, the same in all programs that load its file. */
typedef struct {
    const char *path;
    uint32_t offset;
    Name text;
    bool is_module;
} Target;

static Target target_of(const Compiler *c, const Def *def) {
    const Source *source = source_at(&c->sources, def->span.from);
    return (Target){source ? source->path : "", source ? def->span.from - source->base : 0, def->name,
                    def->kind == DEF_MODULE};
}

static bool same_file(const char *a, const char *b) {
    if (!strcmp(a, b))
        return true;
    char *x = realpath(a, NULL), *y = realpath(b, NULL);
    bool same = x && y && !strcmp(x, y);
    free(x);
    free(y);
    return same;
}

static bool is_target(const Compiler *c, const Def *def, const Target *t) {
    if (!def || strcmp(def->name, t->text) != 0 || !def->module)
        return false;
    Target other = target_of(c, def);
    return other.offset == t->offset && other.is_module == t->is_module && same_file(other.path, t->path);
}

/* What is done with each use in a file: `maybe` tells a member whose type nobody knows. */
typedef struct {
    Server *s;
    Target target;
    cJSON *list;  /* of locations, or of edits for `changes` */
    cJSON *changes; /* {"uri": [edits]}, or NULL */
    const char *new_text;
    bool declarations;
    bool unsure; /* a use may or may not mean it */
} Search;

static void found_use(Search *f, Snapshot *snap, const Use *use) {
    cJSON *location = json_location(f->s, &snap->c, use->at);
    if (!location)
        return;
    if (!f->changes) {
        cJSON_AddItemToArray(f->list, location);
        return;
    }
    const char *uri = cJSON_GetObjectItemCaseSensitive(location, "uri")->valuestring;
    cJSON *edits = cJSON_GetObjectItemCaseSensitive(f->changes, uri);
    if (!edits)
        edits = cJSON_AddArrayToObject(f->changes, uri);
    cJSON *edit = cJSON_CreateObject();
    cJSON_AddItemToObject(edit, "range", cJSON_DetachItemFromObject(location, "range"));
    cJSON_AddStringToObject(edit, "newText", f->new_text);
    cJSON_AddItemToArray(edits, edit);
    cJSON_Delete(location);
}

static void search_snapshot(Search *f, Document *d, Snapshot *snap, bool is_member) {
    for (int i = 0; i < snap->names->uses.len; i++) {
        const Use *use = &snap->names->uses.at[i];
        const Def *def = meaning_of(d, snap, use);
        if (is_target(&snap->c, def, &f->target) && (f->declarations || !use->declares))
            found_use(f, snap, use);
        else if (!def && use->base && is_member && !strcmp(use->name, f->target.text))
            f->unsure = true;
    }
}

/* Overloads are named apart from their first one: adds the other declarations. */
static void search_overloads(Search *f, Snapshot *snap, const Def *def) {
    if (def->kind != DEF_FN || def->decl->owner || !f->declarations)
        return;
    const DeclList *all = &def->decl->module->decls;
    for (int i = 0; i < all->len; i++)
        if ((all->at[i]->kind == DECL_FN || all->at[i]->kind == DECL_DAG) && all->at[i]->name == def->name &&
            all->at[i] != def->decl && def->decl->module != snap->module)
            found_use(f, snap, &(Use){.at = all->at[i]->name_span});
}

/* The programs under a folder, up to a number of them. */
static void find_programs(Arena *arena, const char *folder, int depth, PathList *out) {
    enum { MOST = 2000, DEPTH = 8 };
    DIR *dir = depth < DEPTH ? opendir(folder) : NULL;
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir)) && out->len < MOST;) {
        size_t len = strlen(e->d_name);
        if (e->d_name[0] == '.')
            continue;
        const char *path = arena_printf(arena, "%s/%s", folder, e->d_name);
        struct stat info;
        if (len > 5 && !strcmp(e->d_name + len - 5, ".gact"))
            vec_push(arena, out, path);
        else if (lstat(path, &info) == 0 && S_ISDIR(info.st_mode) && strcmp(e->d_name, "node_modules") != 0 &&
                 strcmp(e->d_name, "build") != 0)
            find_programs(arena, path, depth + 1, out);
    }
    closedir(dir);
}

PathList workspace_programs(const Server *s, Arena *arena) {
    PathList paths = {0};
    if (s->root)
        find_programs(arena, s->root, 0, &paths);
    int found = paths.len;
    for (int i = 0; i < s->documents.len; i++) {
        bool listed = false;
        for (int k = 0; k < found && !listed; k++)
            listed = same_file(paths.at[k], s->documents.at[i]->path);
        if (!listed)
            vec_push(arena, &paths, s->documents.at[i]->path);
    }
    return paths;
}

/* Searches the other files of the workspace that contain the name at all. */
static void search_workspace(Search *f, const char *own, bool is_member) {
    Arena list = {0};
    PathList paths = workspace_programs(f->s, &list);
    for (int i = 0; i < paths.len; i++) {
        Arena arena = {0};
        Sources sources = {.arena = &arena, .overlay = &f->s->overlay, .next = 1};
        const Source *source = same_file(paths.at[i], own) ? NULL : source_read(&sources, paths.at[i]);
        Snapshot *snap = source && strstr(source->text, f->target.text)
                             ? snapshot_new(f->s, &arena, paths.at[i]) : NULL;
        if (snap) {
            snap->names = names_resolve(&snap->c, snap->module);
            search_snapshot(f, NULL, snap, is_member);
        }
        arena_free(&arena);
    }
    arena_free(&list);
}

static bool is_local(const Def *def) {
    return def->scope.to && !def->param;
}

static void search_all(Search *f, Document *d, const Place *p) {
    f->target = target_of(&p->snapshot->c, p->def);
    f->target.path = arena_copy(&d->arena, f->target.path, strlen(f->target.path));
    bool is_member = p->def->kind == DEF_FIELD || p->def->kind == DEF_MESSAGE;
    search_snapshot(f, d, p->snapshot, is_member);
    search_overloads(f, p->snapshot, p->def);
    if (!is_local(p->def))
        search_workspace(f, d->path, is_member);
}

cJSON *answer_references(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Place p = place_of(s, d, params);
    if (!p.def)
        return NULL;
    bool declarations = cJSON_IsTrue(item_of(item_of(params, "context"), "includeDeclaration"));
    Search f = {.s = s, .list = cJSON_CreateArray(), .declarations = declarations};
    if (!p.def->module) {
        for (int i = 0; i < p.snapshot->names->uses.len; i++)
            if (p.snapshot->names->uses.at[i].def == p.def)
                found_use(&f, p.snapshot, &p.snapshot->names->uses.at[i]);
        return f.list;
    }
    search_all(&f, d, &p);
    return f.list;
}

cJSON *answer_highlight(Server *s, Document *d, const cJSON *params, const char **error) {
    (void)error;
    Place p = place_of(s, d, params);
    if (!p.def)
        return NULL;
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < p.snapshot->names->uses.len; i++) {
        const Use *use = &p.snapshot->names->uses.at[i];
        if (meaning_of(d, p.snapshot, use) != p.def)
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddItemToObject(item, "range", json_range(s, p.snapshot->source, use->at));
        cJSON_AddNumberToObject(item, "kind", use->declares ? 3 : 2);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

/* ---- rename ---- */

static bool is_keyword(const char *word) {
    static const char *const words[] = {
        "_",
#define KEYWORD(text, token, group) text,
#define SOFT_KEYWORD(text, token, group)
#define INFIX_KEYWORD(text, token, group)
#define ACTOR_WORD(text)
#include "../lang/keywords.def"
    };
    for (int i = 0; i < ARRAY_LEN(words); i++)
        if (!strcmp(words[i], word))
            return true;
    return false;
}

static bool is_name(const char *text) {
    if (!text || !*text || isdigit((unsigned char)*text) || is_keyword(text))
        return false;
    for (const char *c = text; *c; c++)
        if (!is_word_byte(*c))
            return false;
    return true;
}

/* Why a definition cannot get another name, or NULL. */
static const char *fixed_name(const Place *p) {
    if (!p->def)
        return "there is no name here that could be changed";
    if (!p->def->module || p->def->kind == DEF_MODULE)
        return "this name cannot be changed";
    if (p->def->module->is_stdlib && p->def->module != p->snapshot->module)
        return "names of the standard library cannot be changed";
    return NULL;
}

/* Does a name already mean something where the definition is seen? */
static bool is_taken(const Place *p, Name name) {
    const Names *n = p->snapshot->names;
    bool is_member = p->def->kind == DEF_FIELD || p->def->kind == DEF_MESSAGE;
    for (int i = 0; i < n->uses.len; i++) {
        const Use *use = &n->uses.at[i];
        if (use->name != name || !use->def || use->base || use->def == p->def)
            continue;
        bool other_member = use->def->kind == DEF_FIELD || use->def->kind == DEF_MESSAGE;
        bool shared = is_member ? other_member && use->def->decl == p->def->decl
                                : !other_member && (!is_local(p->def) || !is_local(use->def) ||
                                                    use->def->decl == p->def->decl);
        if (shared)
            return true;
    }
    const Def *global = is_member ? NULL : names_global(p->snapshot->names, name);
    return global && global->module == p->snapshot->module;
}

cJSON *answer_prepare_rename(Server *s, Document *d, const cJSON *params, const char **error) {
    Place p = place_of(s, d, params);
    *error = fixed_name(&p);
    return *error ? NULL : json_range(s, p.snapshot->source, p.use->at);
}

cJSON *answer_rename(Server *s, Document *d, const cJSON *params, const char **error) {
    Place p = place_of(s, d, params);
    const cJSON *name = item_of(params, "newName");
    *error = fixed_name(&p);
    if (!*error && !is_name(cJSON_GetStringValue(name)))
        *error = "this cannot be a name";
    if (!*error && is_taken(&p, name_cstr(p.snapshot->c.names, name->valuestring)))
        *error = "this name already means something here";
    if (*error)
        return NULL;
    cJSON *json = cJSON_CreateObject();
    Search f = {.s = s, .changes = cJSON_AddObjectToObject(json, "changes"), .new_text = name->valuestring,
                .declarations = true};
    search_all(&f, d, &p);
    if (f.unsure) {
        *error = "the types of some values with a member of this name are not known";
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}
