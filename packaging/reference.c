/* The generated parts of the documentation.

     reference check FILE     compares each part of FILE with what the tables say
     reference write FILE     writes the parts of FILE anew
     reference library FILE   writes a page with every module of the library

   A part of a page stands between `<!-- generated: NAME -->` and `<!-- end -->`, on lines of their
   own; the rest of the page is written by hand and never changed. */
#include "../compiler/compiler.h"

#include <stdlib.h>
#include <string.h>

/* Text of a table's cell: `|` would end the cell, and a line ends the row. */
static void put_cell(Buf *out, const char *text) {
    for (; *text; text++) {
        if (*text == '|')
            buf_puts(out, "\\|");
        else
            buf_add(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_row(Buf *out, const char *name, const char *text) {
    buf_puts(out, "| `");
    put_cell(out, name);
    buf_puts(out, "` | ");
    put_cell(out, text);
    buf_puts(out, " |\n");
}

static void put_head(Buf *out, const char *first, const char *second) {
    buf_printf(out, "| %s | %s |\n|---|---|\n", first, second);
}

/* ---- the tables of lang/ ---- */

static void put_types(Buf *out) {
    put_head(out, "type", "values");
#define TYPE(id, spelling, bytes, flags, doc) put_row(out, spelling, doc);
#include "../lang/types.def"
}

static void put_operators(Buf *out) {
    put_head(out, "operator", "value");
#define OPERATOR(id, spelling, doc) put_row(out, spelling, doc);
#include "../lang/operators.def"
}

static void put_attributes(Buf *out) {
    buf_puts(out, "| attribute | stands before | arguments | meaning |\n|---|---|---|---|\n");
#define ATTRIBUTE(name, places, args, doc)                                                         \
    buf_printf(out, "| `@%s` | %s | %s | %s |\n", name, places,                                    \
               strcmp(args, "*") == 0 ? "a word or a text" : args, doc);
#include "../lang/attributes.def"
}

/* Every scalar op has a doc; those that programs can call have a name in the checker's table. */
static void put_scalars(Buf *out) {
    static const char *const names[] = {
#define OP(id, name, ...) [IR_##id] = name,
#include "../lang/ops.def"
    };
    static const char *const docs[] = {
#define OP(id, name, arity, result, flags, cuda, llvm, doc) [IR_##id] = doc,
#include "../lang/ops.def"
    };
    put_head(out, "function", "value");
    for (int k = IR_ABS; k <= IR_CTZ; k++)
        if (names[k])
            put_row(out, names[k], docs[k]);
}

static void put_diagnostics(Buf *out) {
    put_head(out, "code", "reported for");
#define DIAGNOSTIC(code, id, severity, title, ...)                                                 \
    buf_printf(out, "| G%04d | %s%s |\n", code, title,                                             \
               severity == SEVERITY_WARNING ? " (a warning)" : "");
#include "../lang/diagnostics.def"
}

typedef struct {
    const char *name;
    void (*put)(Buf *out);
} Part;
static const Part parts[] = {
    {"types", put_types},           {"operators", put_operators},     {"scalars", put_scalars},
    {"attributes", put_attributes}, {"diagnostics", put_diagnostics},
};

/* ---- pages with generated parts ---- */

static char *read_page(Arena *arena, const char *path) {
    Buf text = {.arena = arena};
    char piece[4096];
    size_t n;
    FILE *in = fopen(path, "rb");
    if (!in)
        return NULL;
    while ((n = fread(piece, 1, sizeof piece, in)) > 0)
        buf_add(&text, piece, n);
    fclose(in);
    buf_puts(&text, "");
    return (char *)buf_text(&text);
}

static bool write_page(const char *path, const char *text) {
    FILE *out = fopen(path, "wb");
    bool good = out && fputs(text, out) >= 0;
    return out && fclose(out) == 0 && good;
}

static const Part *find_part(const char *name, size_t len) {
    for (int k = 0; k < ARRAY_LEN(parts); k++)
        if (strlen(parts[k].name) == len && strncmp(parts[k].name, name, len) == 0)
            return &parts[k];
    return NULL;
}

/* Copies page with its parts made anew to out; returns how many of them were stale, -1 if a part is
   unknown or has no end. */
static int renew(Buf *out, const char *page) {
    static const char begin[] = "<!-- generated: ", end[] = "<!-- end -->";
    int stale = 0;
    for (const char *at; (at = strstr(page, begin)); page = strstr(at, end)) {
        const char *name = at + strlen(begin), *stop = strstr(name, " -->\n"), *last;
        const Part *part = stop ? find_part(name, (size_t)(stop - name)) : NULL;
        if (!part || !(last = strstr(stop, end))) {
            fprintf(stderr, "reference: no such part, or no end: %.40s\n", at);
            return -1;
        }
        const char *body = stop + strlen(" -->\n");
        Buf text = {.arena = out->arena};
        part->put(&text);
        if (text.len != (size_t)(last - body) || memcmp(buf_text(&text), body, text.len) != 0)
            stale += fprintf(stderr, "reference: the part `%s` is stale\n", part->name) > 0;
        buf_add(out, page, (size_t)(body - page));
        buf_add(out, buf_text(&text), text.len);
    }
    buf_puts(out, page);
    return stale;
}

/* ---- the library ---- */

/* The comment that a module begins with, or NULL. */
static const char *module_doc(Arena *arena, const char *text) {
    Buf doc = {.arena = arena};
    while (strncmp(text, "// ", 3) == 0) {
        size_t len = strcspn(text, "\n");
        buf_puts(&doc, doc.len ? " " : "");
        buf_add(&doc, text + 3, len - 3);
        text += len + (text[len] == '\n');
    }
    return doc.len ? buf_text(&doc) : NULL;
}

static bool is_public(const Decl *d) {
    bool has_kind = d->kind == DECL_FN || d->kind == DECL_TYPE || d->kind == DECL_CONST ||
                    d->kind == DECL_ACTOR || d->kind == DECL_DAG;
    return has_kind && d->name && d->name[0] != '_';
}

/* Where the body of a function begins in its first line, or the line's end. */
static size_t head_length(const char *line, size_t len) {
    int depth = 0;
    for (size_t k = 0; k < len; k++) {
        depth += (strchr("([", line[k]) != NULL) - (strchr(")]", line[k]) != NULL);
        if (depth == 0 && (line[k] == '{' || strncmp(line + k, " = ", 3) == 0))
            return k;
    }
    return len;
}

/* The line with the declaration's name, without a body. */
static void put_signature(Buf *out, const Source *source, const Decl *d) {
    size_t at = d->name_span.from - source->base;
    while (at > 0 && source->text[at - 1] != '\n')
        at--;
    const char *line = source->text + at;
    size_t len = strcspn(line, "\n");
    if (d->kind != DECL_TYPE && d->kind != DECL_CONST)
        len = head_length(line, len);
    while (len > 0 && line[len - 1] == ' ')
        len--;
    buf_add(out, line, len);
    buf_puts(out, "\n");
}

static void put_declarations(Buf *out, const Module *m) {
    bool open = false;
    for (int k = 0; k < m->decls.len; k++) {
        const Decl *d = m->decls.at[k];
        if (!is_public(d))
            continue;
        if (d->doc || !open) {
            buf_puts(out, open ? "```\n\n" : "\n");
            buf_printf(out, "%s\n```gact\n", d->doc ? d->doc : "");
            open = true;
        }
        put_signature(out, m->source, d);
    }
    buf_puts(out, open ? "```\n" : "");
}

static void put_library(Arena *arena, Buf *out) {
    NameTable *names = names_new(arena);
    Sources sources = {.arena = arena, .next = 1};
    Diags diags = {.arena = arena, .sources = &sources};
    buf_puts(out,
             "# The library of gact\n\nThe prelude is part of every program; the other modules are "
             "imported: `import stats`.\n");
    for (int k = 0; stdlib_name(k); k++) {
        size_t len;
        const char *name = stdlib_name(k), *text = stdlib_text(name, &len);
        Source *source = source_add(&sources, name, text, len);
        Module *m = parse_source(arena, names, &diags, source);
        const char *doc = module_doc(arena, text);
        buf_printf(out, "\n## %.*s\n\n%s\n", (int)strcspn(name, "."), name, doc ? doc : "");
        put_declarations(out, m);
    }
}

/* ---- */

static int renew_page(Arena *arena, const char *path, bool write) {
    Buf out = {.arena = arena};
    const char *page = read_page(arena, path);
    if (!page) {
        perror(path);
        return 2;
    }
    int stale = renew(&out, page);
    if (stale < 0)
        return 2;
    if (write)
        return stale && !write_page(path, buf_text(&out)) ? 2 : 0;
    return stale ? 1 : 0;
}

int main(int argc, char **argv) {
    Arena arena = {0};
    Buf out = {.arena = &arena};
    int status = 2;
    if (argc == 3 && strcmp(argv[1], "library") == 0) {
        put_library(&arena, &out);
        status = write_page(argv[2], buf_text(&out)) ? 0 : 2;
    } else if (argc == 3 && (strcmp(argv[1], "check") == 0 || strcmp(argv[1], "write") == 0)) {
        status = renew_page(&arena, argv[2], argv[1][0] == 'w');
    } else {
        fputs("usage: reference check|write|library FILE\n", stderr);
    }
    arena_free(&arena);
    return status;
}
