/* Pages in HTML. A signature is the text of the program, with a link at each name that one of the pages
   declares; a doc comment is text with `code`, lists and blocks of code. The search needs no server: the
   names of all pages are in search.js. */
#include "doc.h"

#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    Arena *arena;
    const DocModule *modules;
    int count;
    const char *folder;
    const Module *module; /* whose page is written */
    Names *names;
    Buf index; /* of search.js */
} Doc;

static const char style[] =
    ":root{--text:#1c2733;--dim:#5f6f7f;--line:#d9e0e6;--code:#f4f6f8;--link:#0b6a94;--back:#fff}\n"
    "@media(prefers-color-scheme:dark){:root{--text:#dde5ec;--dim:#92a2b2;--line:#34414d;--code:#1e2730;"
    "--link:#6cc0e5;--back:#151b21}}\n"
    "body{font:16px/1.5 system-ui,sans-serif;color:var(--text);background:var(--back);margin:0 auto;"
    "max-width:60rem;padding:1rem 1.5rem 4rem}\n"
    "a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}\n"
    "pre,code{font:0.9rem/1.45 ui-monospace,monospace;background:var(--code);border-radius:4px}\n"
    "code{padding:0 0.2em}pre{padding:0.5rem 0.8rem;overflow-x:auto;margin:0 0 0.4rem}pre code{padding:0}\n"
    "header{display:flex;gap:1rem;align-items:baseline;border-bottom:1px solid var(--line)}\n"
    "#search{margin-left:auto;width:16rem;max-width:45vw;font:inherit;padding:0.2rem 0.5rem;color:inherit;"
    "background:var(--code);border:1px solid var(--line);border-radius:4px}\n"
    "#found{list-style:none;padding:0}#found:empty{display:none}\n"
    "section{margin:1.4rem 0;border-top:1px solid var(--line);padding-top:0.8rem}\n"
    "section section{margin-left:1.5rem;border:0;padding:0}\n"
    ".kind{color:var(--dim)}nav{columns:4 12rem;margin:1rem 0}nav a{display:block}\n"
    "dt{font-weight:600}dd{margin:0 0 0.6rem 1.5rem}\n";

static const char script[] =
    "const box = document.getElementById('search'), found = document.getElementById('found');\n"
    "box.addEventListener('input', () => {\n"
    "  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);\n"
    "  found.replaceChildren();\n"
    "  if (!words.length) return;\n"
    "  const rank = (e) => words.reduce((sum, w) => {\n"
    "    const name = e.name.toLowerCase();\n"
    "    const points = name === w ? 8 : name.startsWith(w) ? 4 : name.includes(w) ? 2\n"
    "      : (e.module + ' ' + e.text).toLowerCase().includes(w) ? 1 : -100;\n"
    "    return sum + points;\n"
    "  }, 0);\n"
    "  const hits = index.map((e) => [rank(e), e]).filter((h) => h[0] > 0).sort((a, b) => b[0] - a[0]);\n"
    "  for (const [, e] of hits.slice(0, 40)) {\n"
    "    const item = document.createElement('li'), link = document.createElement('a');\n"
    "    link.href = e.page;\n"
    "    link.textContent = `${e.module}.${e.name}`;\n"
    "    item.append(link, ` ${e.text}`);\n"
    "    found.append(item);\n"
    "  }\n"
    "});\n";

/* ---- text ---- */

static void put_html(Buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        switch (text[i]) {
        case '<': buf_puts(out, "&lt;"); break;
        case '>': buf_puts(out, "&gt;"); break;
        case '&': buf_puts(out, "&amp;"); break;
        case '"': buf_puts(out, "&quot;"); break;
        default: buf_add(out, text + i, 1);
        }
    }
}

static void put_json(Buf *out, const char *text, size_t len) {
    buf_puts(out, "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_puts(out, " ");
        else if (c == '<') /* no tag may end the script */
            buf_puts(out, "\\u003c");
        else
            buf_add(out, text + i, 1);
    }
    buf_puts(out, "\"");
}

static size_t first_sentence(const char *text) {
    size_t len = 0;
    while (text[len] && !(text[len] == '.' && (text[len + 1] == ' ' || text[len + 1] == '\n' || !text[len + 1])) &&
           !(text[len] == '\n' && text[len + 1] == '\n'))
        len++;
    return len + (text[len] == '.');
}

/* ---- links ---- */

static bool is_documented(const Decl *d) {
    bool has_page = d->kind == DECL_FN || d->kind == DECL_DAG || d->kind == DECL_TYPE || d->kind == DECL_CONST ||
                    d->kind == DECL_ACTOR || d->kind == DECL_HANDLER;
    return has_page && d->name && d->name[0] != '_';
}

static bool has_page(const Doc *doc, const Module *m) {
    for (int i = 0; m && i < doc->count; i++)
        if (doc->modules[i].module->name == m->name || !strcmp(doc->modules[i].module->name, m->name))
            return true;
    return false;
}

/* Where a declaration is on its page: its name, with a number from the second of the name on. */
static const char *anchor_of(Arena *arena, const Decl *d) {
    const DeclList *all = d->owner ? &d->owner->actor.items : &d->module->decls;
    int number = 1;
    for (int i = 0; i < all->len && all->at[i] != d; i++)
        number += all->at[i]->name == d->name && is_documented(all->at[i]);
    Buf out = {.arena = arena};
    if (d->owner)
        buf_printf(&out, "%s.", d->owner->name);
    for (const char *c = d->name; *c; c++) {
        if (strchr("+-*/%&|^~<>=!", *c))
            buf_printf(&out, "op%02x", (unsigned char)*c);
        else
            buf_add(&out, c, 1);
    }
    if (number > 1)
        buf_printf(&out, "-%d", number);
    return buf_text(&out);
}

/* "page.html#name" of what a name means, or NULL. */
static const char *link_to(const Doc *doc, const Def *def) {
    if (!def || !def->decl || def->scope.to || !has_page(doc, def->module))
        return NULL;
    if (!is_documented(def->decl))
        return NULL;
    return arena_printf(doc->arena, "%s.html#%s", def->module->name, anchor_of(doc->arena, def->decl));
}

static const char *link_to_name(const Doc *doc, const char *text, size_t len) {
    Name name = name_of(doc->names->c->names, text, len);
    const Def *def = names_global(doc->names, name);
    return link_to(doc, def);
}

/* A span of the module's text with links at the names in it. */
static void put_linked(const Doc *doc, Buf *out, Span span) {
    const Source *source = doc->module->source;
    uint32_t at = span.from;
    for (int i = 0; i < doc->names->uses.len; i++) {
        const Use *use = &doc->names->uses.at[i];
        const char *link = use->at.from >= at && use->at.to <= span.to && !use->declares ? link_to(doc, use->def) : NULL;
        if (!link)
            continue;
        put_html(out, source->text + (at - source->base), use->at.from - at);
        buf_printf(out, "<a href=\"%s\">", link);
        put_html(out, source->text + (use->at.from - source->base), use->at.to - use->at.from);
        buf_puts(out, "</a>");
        at = use->at.to;
    }
    put_html(out, source->text + (at - source->base), span.to - at);
}

/* ---- doc comments ---- */

/* `code` in a line of text; a name of a declaration is a link. */
static void put_inline(const Doc *doc, Buf *out, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        const char *close = text[i] == '`' ? memchr(text + i + 1, '`', len - i - 1) : NULL;
        if (!close) {
            put_html(out, text + i, 1);
            i++;
            continue;
        }
        const char *code = text + i + 1;
        size_t n = (size_t)(close - code);
        const char *link = link_to_name(doc, code, n);
        if (link)
            buf_printf(out, "<a href=\"%s\">", link);
        buf_puts(out, "<code>");
        put_html(out, code, n);
        buf_puts(out, link ? "</code></a>" : "</code>");
        i = (size_t)(close - text) + 1;
    }
}

/* What a line of a doc comment is part of. */
typedef enum { PART_NONE, PART_TEXT, PART_LIST, PART_CODE } Part;

static void change_part(Buf *out, Part *part, Part to) {
    static const char *const ends[] = {"", "</p>\n", "</li></ul>\n", "</code></pre>\n"};
    static const char *const starts[] = {"", "<p>", "<ul><li>", "<pre><code>"};
    buf_puts(out, ends[*part]);
    buf_puts(out, starts[to]);
    *part = to;
}

static void put_doc_line(const Doc *doc, Buf *out, Part *part, const char *line, size_t len) {
    if (len >= 3 && !strncmp(line, "```", 3)) {
        change_part(out, part, *part == PART_CODE ? PART_NONE : PART_CODE);
        return;
    }
    if (*part == PART_CODE) {
        put_html(out, line, len);
        buf_puts(out, "\n");
    } else if (len == strspn(line, " ") || !len) {
        change_part(out, part, PART_NONE);
    } else if (len > 2 && !strncmp(line, "- ", 2)) {
        if (*part == PART_LIST)
            buf_puts(out, "</li>\n<li>");
        else
            change_part(out, part, PART_LIST);
        put_inline(doc, out, line + 2, len - 2);
    } else {
        if (*part == PART_NONE)
            change_part(out, part, PART_TEXT);
        else
            buf_puts(out, "\n");
        put_inline(doc, out, line, len);
    }
}

static void put_doc(const Doc *doc, Buf *out, const char *text) {
    Part part = PART_NONE;
    while (text && *text) {
        size_t len = strcspn(text, "\n");
        put_doc_line(doc, out, &part, text, len);
        text += len + (text[len] == '\n');
    }
    change_part(out, &part, PART_NONE);
}

/* The comment a file begins with, without slashes. */
static const char *module_doc(Arena *arena, const Module *m) {
    const char *text = m->source->text;
    Buf out = {.arena = arena};
    if (!strncmp(text, "#!", 2))
        text += strcspn(text, "\n") + 1;
    while (!strncmp(text, "//", 2)) {
        size_t len = strcspn(text, "\n"), skip = 2;
        skip += skip < len && text[skip] == '/';
        skip += skip < len && text[skip] == ' ';
        buf_add(&out, text + skip, len - skip);
        buf_puts(&out, "\n");
        text += len + (text[len] == '\n');
    }
    return out.len ? buf_text(&out) : "";
}

/* ---- pages ---- */

static void put_head(Buf *out, const char *title) {
    buf_puts(out, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    put_html(out, title, strlen(title));
    buf_puts(out, "</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n<header><h1>");
    put_html(out, title, strlen(title));
    buf_puts(out, "</h1><a href=\"index.html\">all modules</a>"
                  "<input id=\"search\" type=\"search\" placeholder=\"search\" aria-label=\"search\"></header>\n"
                  "<ul id=\"found\"></ul>\n");
}

static void put_foot(Buf *out) {
    buf_puts(out, "<script src=\"search.js\"></script>\n</html>\n");
}

static void index_decl(Doc *doc, const Decl *d) {
    const char *name = d->owner ? arena_printf(doc->arena, "%s.%s", d->owner->name, d->name) : d->name;
    buf_puts(&doc->index, doc->index.len ? ",\n" : "");
    buf_puts(&doc->index, "{\"name\":");
    put_json(&doc->index, name, strlen(name));
    buf_puts(&doc->index, ",\"module\":");
    put_json(&doc->index, doc->module->name, strlen(doc->module->name));
    buf_printf(&doc->index, ",\"page\":\"%s.html#%s\",\"text\":", doc->module->name, anchor_of(doc->arena, d));
    const char *text = d->doc ? d->doc : "";
    put_json(&doc->index, text, first_sentence(text));
    buf_puts(&doc->index, "}");
}

/* From the attributes to the body; of a type or a constant all of it. */
static Span signature_span(const Doc *doc, const Decl *d) {
    Span span = d->span;
    if (d->kind == DECL_FN || d->kind == DECL_DAG || d->kind == DECL_HANDLER)
        span.to = d->fn.body ? d->fn.body->span.from : span.to;
    if (d->kind == DECL_ACTOR)
        span.to = d->actor.params.len ? d->actor.params.at[d->actor.params.len - 1].span.to + 1 : d->name_span.to;
    const Source *source = doc->module->source;
    while (span.to > span.from && strchr(" \t\r\n={", source->text[span.to - 1 - source->base]) &&
           d->kind != DECL_TYPE)
        span.to--;
    return span;
}

static void put_decl(Doc *doc, Buf *out, const Decl *d) {
    buf_printf(out, "<section id=\"%s\">\n<pre><code>", anchor_of(doc->arena, d));
    put_linked(doc, out, signature_span(doc, d));
    buf_puts(out, "</code></pre>\n");
    put_doc(doc, out, d->doc);
    index_decl(doc, d);
    for (int i = 0; d->kind == DECL_ACTOR && i < d->actor.items.len; i++)
        if (is_documented(d->actor.items.at[i]) && d->actor.items.at[i]->kind == DECL_HANDLER)
            put_decl(doc, out, d->actor.items.at[i]);
    buf_puts(out, "</section>\n");
}

static const char *write_file(const Doc *doc, const char *name, const char *text, size_t len) {
    const char *path = arena_printf(doc->arena, "%s/%s", doc->folder, name);
    FILE *out = fopen(path, "wb");
    bool good = out && fwrite(text, 1, len, out) == len;
    if (out)
        good = fclose(out) == 0 && good;
    return good ? NULL : arena_printf(doc->arena, "cannot write %s: %s", path, strerror(errno));
}

static const char *write_page(Doc *doc, const DocModule *m) {
    doc->module = m->module;
    doc->names = names_resolve(m->c, m->module);
    Buf out = {.arena = doc->arena};
    put_head(&out, m->module->name);
    put_doc(doc, &out, module_doc(doc->arena, m->module));
    buf_puts(&out, "<nav>\n");
    const DeclList *decls = &m->module->decls;
    for (int i = 0; i < decls->len; i++) {
        const Decl *d = decls->at[i];
        if (!is_documented(d) || names_of_decl(doc->names, d)->decl != d)
            continue; /* overloads are listed once */
        buf_printf(&out, "<a href=\"#%s\">", anchor_of(doc->arena, d));
        put_html(&out, d->name, strlen(d->name));
        buf_puts(&out, "</a>\n");
    }
    buf_puts(&out, "</nav>\n");
    for (int i = 0; i < decls->len; i++)
        if (is_documented(decls->at[i]))
            put_decl(doc, &out, decls->at[i]);
    put_foot(&out);
    return write_file(doc, arena_printf(doc->arena, "%s.html", m->module->name), buf_text(&out), out.len);
}

static const char *write_index(Doc *doc) {
    Buf out = {.arena = doc->arena};
    put_head(&out, "Modules");
    buf_puts(&out, "<dl>\n");
    for (int i = 0; i < doc->count; i++) {
        const Module *m = doc->modules[i].module;
        doc->module = m;
        doc->names = names_resolve(doc->modules[i].c, doc->modules[i].module);
        buf_printf(&out, "<dt><a href=\"%s.html\">%s</a></dt>\n<dd>", m->name, m->name);
        const char *text = module_doc(doc->arena, m);
        put_inline(doc, &out, text, first_sentence(text));
        buf_puts(&out, "</dd>\n");
    }
    buf_puts(&out, "</dl>\n");
    put_foot(&out);
    return write_file(doc, "index.html", buf_text(&out), out.len);
}

const char *doc_write(Arena *arena, const DocModule *modules, int count, const char *folder) {
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return arena_printf(arena, "cannot make %s: %s", folder, strerror(errno));
    Doc doc = {.arena = arena, .modules = modules, .count = count, .folder = folder, .index = {.arena = arena}};
    const char *failure = NULL;
    for (int i = 0; i < count && !failure; i++)
        failure = write_page(&doc, &modules[i]);
    Buf search = {.arena = arena};
    buf_printf(&search, "const index = [\n%s\n];\n%s", buf_text(&doc.index), script);
    failure = failure ? failure : write_index(&doc);
    failure = failure ? failure : write_file(&doc, "style.css", style, sizeof style - 1);
    return failure ? failure : write_file(&doc, "search.js", buf_text(&search), search.len);
}
