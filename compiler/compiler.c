/* The pipeline: loading a program with what it imports, and running the passes of passes.def.

   A module is known by its key: the real path of its file, or "<stdlib>/name" for a module of the
   library, so that each is loaded once however it is spelled. A file with the very text of the
   library module of its name is that module: working on the library itself gives no second copy. */
#include "compiler.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIBRARY "<stdlib>/"

/* A module while the program is loaded. */
typedef struct Loaded Loaded;
struct Loaded {
    const char *key;
    const char *path; /* the real path of its file, NULL if embedded */
    const char *dir;  /* where the modules beside it are, NULL in the library */
    Module *module;
    const Loaded *importer;
    bool open; /* its imports are being loaded */
    Loaded *next;
};

typedef struct {
    Compiler *c;
    Loaded *all;
} Loader;

static Module *load(Loader *l, Source *source, const char *key, const Loaded *importer);

/* ---- names of files ---- */

static bool is_library(const char *key) {
    return strncmp(key, LIBRARY, strlen(LIBRARY)) == 0;
}

/* The path up to its last slash, "" without one. */
static const char *folder_of(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? arena_copy(arena, path, (size_t)(slash - path) + 1) : "";
}

/* The last part of a path, without .gact. */
static Name stem_of(NameTable *names, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base);
    if (len > 5 && strcmp(base + len - 5, ".gact") == 0)
        len -= 5;
    return name_of(names, base, len);
}

static const char *real_path(Arena *arena, const char *path) {
    char *found = realpath(path, NULL);
    if (!found)
        return NULL;
    char *copy = arena_copy(arena, found, strlen(found));
    free(found);
    return copy;
}

/* "a.b" -> "a/b.gact" */
static const char *module_file(Arena *arena, const char *dotted) {
    char *file = arena_printf(arena, "%s.gact", dotted);
    for (size_t k = 0; k < strlen(dotted); k++)
        if (file[k] == '.')
            file[k] = '/';
    return file;
}

/* ---- the library ---- */

/* The source of a library module ("stats.gact"), or NULL. */
static Source *library_source(Compiler *c, const char *name) {
    if (c->stdlib_dir)
        return source_read(&c->sources, arena_printf(c->arena, "%s/%s", c->stdlib_dir, name));
    size_t len;
    const char *text = stdlib_text(name, &len);
    return text ? source_add(&c->sources, arena_printf(c->arena, LIBRARY "%s", name), text, len)
                : NULL;
}

/* The library's name of a file that is one of its modules, or NULL. */
static const char *library_name(const Compiler *c, const char *path, const Source *source) {
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (c->stdlib_dir) {
        const char *own = real_path(c->arena, c->stdlib_dir);
        size_t len = own ? strlen(own) : 0;
        return len && strncmp(path, own, len) == 0 && path[len] == '/' ? path + len + 1 : NULL;
    }
    size_t len;
    const char *text = stdlib_text(name, &len);
    return text && len == source->len && memcmp(text, source->text, len) == 0 ? name : NULL;
}

/* What a file that was read is known by. */
static const char *key_of(const Compiler *c, const Source *source) {
    const char *path = real_path(c->arena, source->path);
    if (!path)
        return source->path;
    const char *name = library_name(c, path, source);
    return name ? arena_printf(c->arena, LIBRARY "%s", name) : path;
}

/* ---- imports ---- */

static const Loaded *find_key(const Loader *l, const char *key) {
    for (const Loaded *k = l->all; k; k = k->next)
        if (strcmp(k->key, key) == 0)
            return k;
    return NULL;
}

static const Loaded *find_path(const Loader *l, const char *path) {
    for (const Loaded *k = l->all; k; k = k->next)
        if (k->path && strcmp(k->path, path) == 0)
            return k;
    return NULL;
}

/* `at` imports `target`, which is still open: names every module of the circle. */
static void report_circle(Compiler *c, const Decl *import, const Loaded *at, const Loaded *target) {
    const char *chain = target->module->name;
    for (const Loaded *k = at; k != target; k = k->importer)
        chain = arena_printf(c->arena, "%s -> %s", k->module->name, chain);
    Diag *d = diag_report(&c->diags, DIAG_CIRCULAR_IMPORT, import->span,
                          "circular import: %s -> %s", target->module->name, chain);
    diag_label(&c->diags, d,
               at == target ? "a module cannot import itself" : "this import closes the circle");
}

/* The name of a library module that is nearly `wanted`, or NULL. */
static const char *near_module(Compiler *c, const char *wanted) {
    VEC(Name) names = {0};
    for (int k = 0; stdlib_name(k); k++)
        vec_push(c->arena, &names, stem_of(c->names, stdlib_name(k)));
    return nearest_name(wanted, names.at, names.len);
}

static void report_missing(Compiler *c, const Decl *import, const char *tried, int error) {
    const char *path = import->import.path;
    Diag *d = diag_report(&c->diags, DIAG_MODULE_NOT_FOUND, import->span,
                          import->import.is_file ? "cannot read \"%s\"" : "there is no module `%s`",
                          path);
    if (tried && error != ENOENT)
        diag_note(&c->diags, d, "%s: %s", tried, strerror(error));
    else if (import->import.is_file)
        diag_note(&c->diags, d, "there is no file %s", tried);
    else if (tried)
        diag_note(&c->diags, d, "there is no file %s, and the library has no such module", tried);
    const char *near = import->import.is_file ? NULL : near_module(c, path);
    if (near)
        diag_help(&c->diags, d, "the library has a module `%s`", near);
}

/* What an import was looked for as, and what was found. */
typedef struct {
    const char *beside; /* the file tried first, NULL in the library */
    int error;          /* errno of reading it */
    const Loaded *known;
    Source *source;  /* of a module that is not loaded yet, */
    const char *key; /* and its key */
} Found;

static void look_beside(Loader *l, const char *name, const Loaded *from, Found *found) {
    Compiler *c = l->c;
    found->beside = name[0] == '/' ? name : arena_printf(c->arena, "%s%s", from->dir, name);
    const char *path = real_path(c->arena, found->beside);
    found->known = path ? find_path(l, path) : NULL;
    if (found->known)
        return;
    found->source = source_read(&c->sources, found->beside);
    if (!found->source)
        found->error = errno;
    else
        found->key = key_of(c, found->source);
}

static void look_in_library(Loader *l, const char *name, Found *found) {
    found->key = arena_printf(l->c->arena, LIBRARY "%s", name);
    found->known = find_key(l, found->key);
    if (!found->known)
        found->source = library_source(l->c, name);
}

/* The module an import means, loaded; NULL after a report. */
static Module *load_import(Loader *l, const Decl *import, const Loaded *from) {
    Compiler *c = l->c;
    bool is_file = import->import.is_file;
    const char *name = is_file ? import->import.path : module_file(c->arena, import->import.path);
    Found found = {.error = ENOENT};
    if (from->dir)
        look_beside(l, name, from, &found);
    if (!found.known && !found.source && !is_file)
        look_in_library(l, name, &found);
    if (found.source && !found.known)
        found.known = find_key(l, found.key);
    if (found.known && found.known->open)
        report_circle(c, import, from, found.known);
    else if (found.known)
        return found.known->module;
    else if (found.source)
        return load(l, found.source, found.key, from);
    else
        report_missing(c, import, found.beside, found.error);
    return NULL;
}

/* Parses a source and loads what it imports. */
static Module *load(Loader *l, Source *source, const char *key, const Loaded *importer) {
    Compiler *c = l->c;
    Module *m = parse_source(c->arena, c->names, &c->diags, source);
    m->is_stdlib = is_library(key);
    m->is_prelude = strcmp(key, LIBRARY "prelude.gact") == 0;
    m->name = stem_of(c->names, source->path);
    vec_push(c->arena, &c->modules, m);

    Loaded *own = NEW(c->arena, Loaded);
    bool embedded = is_library(source->path) || (m->is_stdlib && c->stdlib_dir);
    *own = (Loaded){.key = key,
                    .path = is_library(source->path) ? NULL : real_path(c->arena, source->path),
                    .dir = embedded ? NULL : folder_of(c->arena, source->path),
                    .module = m,
                    .importer = importer,
                    .open = true,
                    .next = l->all};
    l->all = own;
    for (int k = 0; k < m->decls.len; k++) {
        Decl *d = m->decls.at[k];
        if (d->kind == DECL_IMPORT)
            d->import.module = load_import(l, d, own);
    }
    own->open = false;
    return m;
}

/* Loads the prelude unless the program is, or imports, the prelude itself. */
static void load_prelude(Loader *l) {
    const char *key = LIBRARY "prelude.gact";
    if (find_key(l, key))
        return;
    Source *source = library_source(l->c, "prelude.gact");
    if (source)
        load(l, source, key, NULL);
    else
        diag_report(&l->c->diags, DIAG_MODULE_NOT_FOUND, (Span){0, 0},
                    "the library has no prelude.gact");
}

bool compiler_load(Compiler *c, const char *path) {
    Loader l = {.c = c};
    Source *source = source_read(&c->sources, path);
    if (!source)
        return false;
    c->base_dir = folder_of(c->arena, path);
    load(&l, source, key_of(c, source), NULL);
    load_prelude(&l);
    return true;
}

Module *compiler_library(Compiler *c, const char *file) {
    Loader l = {.c = c};
    Name name = stem_of(c->names, file);
    for (int k = 0; k < c->modules.len; k++)
        if (c->modules.at[k]->is_stdlib && c->modules.at[k]->name == name)
            return c->modules.at[k];
    Source *source = library_source(c, file);
    return source ? load(&l, source, arena_printf(c->arena, LIBRARY "%s", file), NULL) : NULL;
}

void compiler_print_deps(Buf *out, const Compiler *c) {
    for (int k = 0; k < c->sources.all.len; k++) {
        const char *path = c->sources.all.at[k]->path;
        if (!is_library(path))
            buf_printf(out, "%s\n", path);
    }
}

void compiler_remark(Compiler *c, RemarkKind kind, Span span, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    assert(len >= 0);
    for (int i = 0; i < c->remarks.len; i++) { /* the same code may be compiled several times */
        const Remark *r = &c->remarks.at[i];
        if (r->kind == kind && r->span.from == span.from && r->span.to == span.to &&
            strcmp(r->text, text) == 0) {
            free(text);
            return;
        }
    }
    vec_push(c->arena, &c->remarks,
             (Remark){.kind = kind, .span = span, .text = arena_copy(c->arena, text, (size_t)len)});
    free(text);
}

/* ---- passes ---- */

enum { HAS_SYNTAX = 1, HAS_IR = 2, IS_SIMPLE = 4, IS_FUSED = 8, HAS_RANGES = 16, IS_PLANNED = 32 };

typedef struct {
    const char *name;
    void (*run)(Compiler *c);
    int level, needs, gives;
} Pass;

static const Pass passes[PASS_COUNT] = {
#define PASS(id, function, level, needs, gives) [PASS_##id] = {#id, function, level, needs, gives},
#include "passes.def"
};

PassId pass_find(const char *name) {
    int k = 0;
    while (k < PASS_COUNT && strcmp(passes[k].name, name) != 0)
        k++;
    return (PassId)k;
}

const char *pass_name(PassId pass) {
    return passes[pass].name;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#ifdef NDEBUG
enum { VERIFIES = false };
#else
enum { VERIFIES = true };
#endif

/* Notes whether a pass left a program that breaks the rules of the IR. */
static void verify(Compiler *c, const Pass *pass) {
    const char *broken = ir_verify(c->ir);
    if (!broken)
        return;
    char path[] = "/tmp/gactc-bug-XXXXXX";
    int fd = mkstemp(path);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    if (out) {
        Buf text = {.arena = c->arena};
        ir_print(&text, c->ir);
        fputs(buf_text(&text), out);
        fclose(out);
    }
    fprintf(stderr, "gactc: internal error: after the pass %s: %s\n", pass->name, broken);
    if (out)
        fprintf(stderr, "gactc: the program as it stood is in %s\n", path);
    c->is_broken = true;
}

bool compiler_run(Compiler *c, const RunOptions *options) {
    int have = HAS_SYNTAX;
    for (int k = 0; k < PASS_COUNT && !c->diags.errors && !c->is_broken; k++) {
        const Pass *pass = &passes[k];
        if (pass->level <= c->opt_level) {
            assert((have & pass->needs) == pass->needs);
            double start = now_ms();
            pass->run(c);
            have |= pass->gives;
            if (options->times)
                fprintf(options->times, "%-10s %8.2f ms\n", pass->name, now_ms() - start);
            if (VERIFIES && !c->diags.errors)
                verify(c, pass);
        }
        if (!c->diags.errors && options->dump_after == (PassId)k)
            ir_print(options->dump, c->ir);
        if (options->last == (PassId)k)
            break;
    }
    return c->diags.errors == 0 && !c->is_broken;
}
