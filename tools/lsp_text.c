/* The texts that are open, positions in them, and names of files. */
#include "lsp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names of files ---- */

static int hex_value(char c) {
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower(c) - 'a' + 10 : -1;
}

const char *path_of_uri(Arena *arena, const char *uri) {
    if (strncmp(uri, "file://", 7) != 0)
        return uri;
    char *path = arena_copy(arena, uri + 7, strlen(uri + 7)), *to = path;
    for (const char *from = path; *from; from++) {
        if (*from == '%' && hex_value(from[1]) >= 0 && hex_value(from[2]) >= 0) {
            *to++ = (char)(hex_value(from[1]) * 16 + hex_value(from[2]));
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return path;
}

static const char *file_uri(Arena *arena, const char *path) {
    Buf out = {.arena = arena};
    buf_puts(&out, "file://");
    for (const char *c = path; *c; c++) {
        if (isalnum((unsigned char)*c) || strchr("/-._~", *c))
            buf_add(&out, c, 1);
        else
            buf_printf(&out, "%%%02X", (unsigned char)*c);
    }
    return buf_text(&out);
}

/* Writes a module of the embedded library to the cache, for editors to show; NULL if it cannot. */
static const char *library_file(Arena *arena, const Source *source) {
    const char *home = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
    if (!(home && *home) && !(user && *user))
        return NULL;
    const char *base = home && *home ? home : arena_printf(arena, "%s/.cache", user);
    const char *folder = base;
    static const char *const parts[] = {"", "/gact-library"};
    for (int k = 0; k < ARRAY_LEN(parts); k++) {
        folder = arena_printf(arena, "%s%s", folder, parts[k]);
        if (mkdir(folder, 0777) != 0 && errno != EEXIST)
            return NULL;
    }
    const char *path = arena_printf(arena, "%s/%s", folder, strrchr(source->path, '/') + 1);
    Sources sources = {.arena = arena, .next = 1};
    Source *old = source_read(&sources, path);
    if (old && old->len == source->len && !memcmp(old->text, source->text, old->len))
        return path;
    const char *temporary = arena_printf(arena, "%s.%d", path, (int)getpid());
    FILE *out = fopen(temporary, "wb");
    bool good = out && fwrite(source->text, 1, source->len, out) == source->len;
    if (out)
        good = fclose(out) == 0 && good;
    return good && rename(temporary, path) == 0 ? path : NULL;
}

const char *uri_of(Server *s, Arena *arena, const Source *source) {
    for (int i = 0; i < s->documents.len; i++)
        if (!strcmp(s->documents.at[i]->path, source->path))
            return s->documents.at[i]->uri;
    const char *path = source->path;
    if (*path == '<')
        path = library_file(arena, source);
    char *real = path ? realpath(path, NULL) : NULL;
    if (!real)
        return NULL;
    const char *uri = file_uri(arena, real);
    free(real);
    for (int i = 0; i < s->documents.len; i++) { /* as the editor spells it */
        char *own = realpath(s->documents.at[i]->path, NULL);
        bool same = own && !strcmp(file_uri(arena, own), uri);
        free(own);
        if (same)
            return s->documents.at[i]->uri;
    }
    return uri;
}

/* ---- positions ---- */

/* Units of the protocol's columns in some bytes. */
static int units_of(const Server *s, const char *text, size_t len) {
    int units = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        units += s->utf8 || (c & 0xc0) != 0x80;
        units += !s->utf8 && c >= 0xf0;
    }
    return units;
}

cJSON *json_position(const Server *s, Source *source, uint32_t position) {
    int line, column, len;
    source_locate(source, position, &line, &column);
    const char *text = source_line(source, line, &len);
    size_t bytes = (size_t)(column - 1 < len ? column - 1 : len);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "line", line - 1);
    cJSON_AddNumberToObject(json, "character", units_of(s, text, bytes));
    return json;
}

cJSON *json_range(const Server *s, Source *source, Span span) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "start", json_position(s, source, span.from));
    cJSON_AddItemToObject(json, "end", json_position(s, source, span.to));
    return json;
}

cJSON *json_location(Server *s, Compiler *c, Span span) {
    Source *source = source_at(&c->sources, span.from);
    const char *uri = source ? uri_of(s, c->arena, source) : NULL;
    if (!uri)
        return NULL;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "uri", uri);
    cJSON_AddItemToObject(json, "range", json_range(s, source, span));
    return json;
}

static double number_of(const cJSON *object, const char *name) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsNumber(item) && item->valuedouble >= 0 ? item->valuedouble : 0;
}

size_t offset_of(const Server *s, const char *text, size_t len, const cJSON *position) {
    double line = number_of(position, "line"), column = number_of(position, "character");
    size_t at = 0;
    for (; line > 0; line--) {
        const char *end = memchr(text + at, '\n', len - at);
        if (!end)
            return len;
        at = (size_t)(end - text) + 1;
    }
    while (at < len && text[at] != '\n' && column > 0) {
        size_t next = at + 1;
        while (next < len && ((unsigned char)text[next] & 0xc0) == 0x80)
            next++;
        int units = units_of(s, text + at, next - at);
        if (column < units)
            break;
        column -= units;
        at = next;
    }
    return at;
}

cJSON *json_text(const char *text, size_t len) {
    char *copy = malloc(len + 1);
    if (!copy)
        return cJSON_CreateString("");
    memcpy(copy, text, len);
    copy[len] = '\0';
    cJSON *json = cJSON_CreateString(copy);
    free(copy);
    return json;
}

/* ---- documents ---- */

Document *document_find(Server *s, const char *uri) {
    for (int i = 0; uri && i < s->documents.len; i++)
        if (!strcmp(s->documents.at[i]->uri, uri))
            return s->documents.at[i];
    return NULL;
}

/* How much of the text is as it was when it was checked. */
static void compare_checked(Document *d) {
    d->same_front = d->same_back = 0;
    if (!d->checked)
        return;
    const char *a = d->text, *b = d->checked->text;
    size_t n = d->len, m = d->checked->len, most = n < m ? n : m;
    while (d->same_front < most && a[d->same_front] == b[d->same_front])
        d->same_front++;
    while (d->same_back < most - d->same_front && a[n - d->same_back - 1] == b[m - d->same_back - 1])
        d->same_back++;
}

void document_set(Server *s, Document *d, const char *text, size_t len, int64_t version) {
    (void)s;
    Arena arena = {0};
    const char *copy = arena_copy(&arena, text, len);
    arena_free(&d->arena);
    d->arena = arena;
    d->text = copy;
    d->len = len;
    d->version = version;
    d->snapshot = NULL;
    compare_checked(d);
}

Document *document_open(Server *s, const char *uri, const char *text, int64_t version) {
    Document *d = document_find(s, uri);
    if (!d) {
        d = NEW(&s->arena, Document);
        d->uri = arena_copy(&s->arena, uri, strlen(uri));
        const char *path = path_of_uri(&s->arena, uri);
        d->path = arena_copy(&s->arena, path, strlen(path));
        vec_push(&s->arena, &s->documents, d);
    }
    document_set(s, d, text, strlen(text), version);
    return d;
}

void document_close(Server *s, Document *d) {
    if (s->checking == d)
        checking_stop(s);
    arena_free(&d->arena);
    checked_free(d->checked);
    for (int i = 0; i < s->documents.len; i++)
        if (s->documents.at[i] == d) {
            s->documents.at[i] = s->documents.at[--s->documents.len];
            return;
        }
}

static bool apply_change(Server *s, Document *d, const cJSON *change, int64_t version) {
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(change, "text");
    const cJSON *range = cJSON_GetObjectItemCaseSensitive(change, "range");
    if (!cJSON_IsString(text))
        return false;
    size_t added = strlen(text->valuestring);
    if (!range) {
        document_set(s, d, text->valuestring, added, version);
        return true;
    }
    size_t from = offset_of(s, d->text, d->len, cJSON_GetObjectItemCaseSensitive(range, "start"));
    size_t to = offset_of(s, d->text, d->len, cJSON_GetObjectItemCaseSensitive(range, "end"));
    if (to < from)
        return false;
    Arena arena = {0};
    Buf out = {.arena = &arena};
    buf_add(&out, d->text, from);
    buf_add(&out, text->valuestring, added);
    buf_add(&out, d->text + to, d->len - to);
    document_set(s, d, buf_text(&out), out.len, version);
    arena_free(&arena);
    return true;
}

bool document_change(Server *s, Document *d, const cJSON *changes, int64_t version) {
    const cJSON *change;
    bool good = cJSON_IsArray(changes);
    cJSON_ArrayForEach(change, changes)
        good = good && apply_change(s, d, change, version);
    return good;
}

/* ---- what parsing tells ---- */

Snapshot *snapshot_new(Server *s, Arena *arena, const char *path) {
    Snapshot *snap = NEW(arena, Snapshot);
    snap->c = (Compiler){.arena = arena,
                         .sources = {.arena = arena, .overlay = &s->overlay, .next = 1},
                         .stdlib_dir = s->stdlib_dir,
                         .want_tests = true};
    Compiler *c = &snap->c;
    c->names = names_new(arena);
    c->types = types_new(arena, c->names);
    c->diags = (Diags){.arena = arena, .sources = &c->sources};
    if (!compiler_load(c, path))
        return NULL;
    snap->module = c->modules.at[0];
    snap->source = snap->module->source;
    snap->is_broken = snap->module->errors > 0;
    return snap;
}

Snapshot *document_snapshot(Server *s, Document *d) {
    if (!d->snapshot) {
        d->snapshot = snapshot_new(s, &d->arena, d->path);
        if (d->snapshot)
            d->snapshot->names = names_resolve(&d->snapshot->c, d->snapshot->module);
    }
    return d->snapshot;
}
