/* Checking in a forked process. It prints what it finds to a pipe, a line each:
     T FROM TO VARIES [DIMS] TYPE    a type, places in bytes of the document
     R FROM TO TARGET PATH           what a member's name means
     D JSON                          last: {"uri": [diagnostics of the protocol]}
   The process has limits of time and memory and may die of them; without a `D` line nothing is taken. */
#include "lsp.h"

#include "../compiler/diag_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHECK_SECONDS = 20, CHECK_MEMORY_MB = 4096 };

/* ---- diagnostics of the protocol ---- */

static Span shown_span(const Compiler *c, Span span, const Snapshot *snap) {
    if (span.to || !c->modules.len)
        return span;
    return (Span){snap->source->base, snap->source->base};
}

static void add_related(Server *s, Compiler *c, cJSON *list, Span span, const char *text) {
    cJSON *location = span.to ? json_location(s, c, span) : NULL;
    if (!location)
        return;
    cJSON *item = cJSON_CreateObject();
    cJSON_AddItemToObject(item, "location", location);
    cJSON_AddStringToObject(item, "message", text);
    cJSON_AddItemToArray(list, item);
}

static cJSON *json_fixes(Server *s, Compiler *c, const Diag *d) {
    cJSON *fixes = cJSON_CreateArray();
    for (int i = 0; i < d->fixes.len; i++) {
        const DiagFix *fix = &d->fixes.at[i];
        cJSON *edit = json_location(s, c, fix->span);
        if (!edit)
            continue;
        cJSON *item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "title", diag_fix_text(&c->diags, fix));
        cJSON_AddStringToObject(item, "text", fix->text);
        cJSON_AddBoolToObject(item, "sure", fix->sure);
        cJSON_AddItemToObject(item, "at", edit);
        cJSON_AddItemToArray(fixes, item);
    }
    return fixes;
}

static int severity_number(Severity severity) {
    switch (severity) {
    case SEVERITY_ERROR: return 1;
    case SEVERITY_WARNING: return 2;
    case SEVERITY_NOTE: return 3;
    case SEVERITY_HELP: return 4;
    }
    UNREACHABLE();
}

static const char *message_text(Compiler *c, const Diag *d) {
    Buf out = {.arena = c->arena};
    buf_puts(&out, d->message);
    if (*d->primary.text && strcmp(d->primary.text, d->message) != 0)
        buf_printf(&out, "\n%s", d->primary.text);
    for (int i = 0; i < d->notes.len; i++)
        buf_printf(&out, "\n%s: %s", severity_name(d->notes.at[i].severity), d->notes.at[i].text);
    return buf_text(&out);
}

static cJSON *json_diagnostic(Server *s, Compiler *c, const Diag *d, Source *source, Span span) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "range", json_range(s, source, span));
    cJSON_AddNumberToObject(json, "severity", severity_number(d->severity));
    cJSON_AddStringToObject(json, "code", diag_code_text(d->code));
    cJSON_AddStringToObject(json, "source", "gact");
    cJSON_AddStringToObject(json, "message", message_text(c, d));
    cJSON *related = cJSON_CreateArray();
    for (int i = 0; i < d->spans.len; i++)
        add_related(s, c, related, d->spans.at[i].span, d->spans.at[i].text);
    for (int i = 0; i < d->frames.len; i++)
        add_related(s, c, related, d->frames.at[i].call, arena_printf(c->arena, "in %s", d->frames.at[i].text));
    if (cJSON_GetArraySize(related))
        cJSON_AddItemToObject(json, "relatedInformation", related);
    else
        cJSON_Delete(related);
    cJSON *data = cJSON_AddObjectToObject(json, "data");
    cJSON_AddItemToObject(data, "fixes", json_fixes(s, c, d));
    return json;
}

/* All diagnostics by the files they are in; the document itself always has a list. */
static cJSON *json_diagnostics(Server *s, const Document *d, Snapshot *snap) {
    Compiler *c = &snap->c;
    cJSON *files = cJSON_CreateObject();
    cJSON_AddArrayToObject(files, d->uri);
    for (int i = 0; i < c->diags.all.len; i++) {
        const Diag *diag = c->diags.all.at[i];
        Span span = shown_span(c, diag->primary.span, snap);
        Source *source = source_at(&c->sources, span.from);
        const char *uri = source == snap->source ? d->uri : source ? uri_of(s, c->arena, source) : NULL;
        if (!uri)
            continue;
        cJSON *list = cJSON_GetObjectItemCaseSensitive(files, uri);
        if (!list)
            list = cJSON_AddArrayToObject(files, uri);
        cJSON_AddItemToArray(list, json_diagnostic(s, c, diag, source, span));
    }
    return files;
}

static void publish(Server *s, const char *uri, int64_t version, const cJSON *list) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddStringToObject(params, "uri", uri);
    if (version >= 0)
        cJSON_AddNumberToObject(params, "version", (double)version);
    cJSON_AddItemToObject(params, "diagnostics", cJSON_Duplicate(list, true));
    server_notify(s, "textDocument/publishDiagnostics", params);
}

cJSON *syntax_diagnostics(Server *s, Document *d) {
    cJSON *files = json_diagnostics(s, d, document_snapshot(s, d));
    cJSON *list = cJSON_DetachItemFromObjectCaseSensitive(files, d->uri);
    cJSON_Delete(files);
    return list;
}

void publish_syntax(Server *s, Document *d) {
    Snapshot *snap = document_snapshot(s, d);
    if (!snap || !snap->is_broken)
        return; /* what the check will say replaces what stands there */
    cJSON *list = syntax_diagnostics(s, d);
    publish(s, d->uri, d->version, list);
    cJSON_Delete(list);
}

/* ---- the process ---- */

typedef struct {
    uint32_t from, to;
    Type *type;
    const char *dims;
    bool varies;
} Found;

/* What the checker told, each place once. */
typedef struct {
    Snapshot *snap;
    VEC(Found) found;
    int *slots; /* hash table of `found`, by place; -1: empty */
    int nslots;
    FILE *out;
} Gather;

static int *slot_of(Gather *g, uint32_t from, uint32_t to) {
    uint32_t at = (from * 2654435761u) ^ (to * 40503u);
    for (;; at++) {
        int *slot = &g->slots[at % (uint32_t)g->nslots];
        if (*slot < 0 || (g->found.at[*slot].from == from && g->found.at[*slot].to == to))
            return slot;
    }
}

static void grow_slots(Gather *g) {
    g->nslots = g->nslots ? g->nslots * 2 : 4096;
    g->slots = NEW_ARRAY(g->snap->c.arena, int, g->nslots);
    memset(g->slots, -1, sizeof *g->slots * (size_t)g->nslots);
    for (int i = 0; i < g->found.len; i++)
        *slot_of(g, g->found.at[i].from, g->found.at[i].to) = i;
}

static void gather_type(void *data, Span span, Type *type, const char *dims) {
    Gather *g = data;
    if (2 * g->found.len >= g->nslots)
        grow_slots(g);
    int *slot = slot_of(g, span.from, span.to);
    if (*slot < 0) {
        *slot = g->found.len;
        vec_push(g->snap->c.arena, &g->found, (Found){span.from, span.to, type, dims, false});
        return;
    }
    Found *f = &g->found.at[*slot];
    f->varies |= type_resolve(g->snap->c.types, f->type) != type_resolve(g->snap->c.types, type);
    if (!f->dims && !f->varies)
        f->dims = dims;
    else if (f->dims && dims && strcmp(f->dims, dims) != 0)
        f->dims = NULL;
}

static void gather_member(void *data, Span use, Span target) {
    Gather *g = data;
    const Source *at = source_at(&g->snap->c.sources, target.from);
    uint32_t base = g->snap->source->base;
    if (at)
        fprintf(g->out, "R %u %u %u %s\n", use.from - base, use.to - base, target.from - at->base, at->path);
}

static int by_place(const void *a, const void *b) {
    const Found *x = a, *y = b;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

static void print_types(Gather *g) {
    Types *types = g->snap->c.types;
    uint32_t base = g->snap->source->base;
    if (g->found.len)
        qsort(g->found.at, (size_t)g->found.len, sizeof *g->found.at, by_place);
    for (int i = 0; i < g->found.len; i++) {
        const Found *f = &g->found.at[i];
        Type *type = type_resolve(types, f->type);
        if (type->kind == TYPE_POISON)
            continue;
        fprintf(g->out, "T %u %u %d %s%s%s\n", f->from - base, f->to - base, f->varies,
                f->dims ? f->dims : "", f->dims ? "\t" : "\t", type_text(g->snap->c.arena, type));
    }
}

/* Checks a document and reports to a pipe. */
static void check_document(Server *s, const Document *d, int fd) {
    Arena arena = {0};
    FILE *out = fdopen(fd, "w");
    Snapshot *snap = out ? snapshot_new(s, &arena, d->path) : NULL;
    if (!snap)
        return;
    Gather g = {.snap = snap, .out = out};
    Span within = {snap->source->base, snap->source->base + (uint32_t)snap->source->len};
    CheckNotes notes = {within, &g, gather_type, gather_member};
    snap->c.notes = &notes;
    if (!snap->c.diags.errors)
        check_program(&snap->c);
    print_types(&g);
    char *text = cJSON_PrintUnformatted(json_diagnostics(s, d, snap));
    fprintf(out, "D %s\n", text);
    fclose(out);
}

static void limit(int resource, rlim_t most) {
    struct rlimit r = {most, most};
    setrlimit(resource, &r);
}

/* The forked process; it never returns. */
_Noreturn static void be_child(Server *s, const Document *d, int fd) {
    signal(SIGABRT, SIG_DFL);
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
    }
    limit(RLIMIT_CPU, CHECK_SECONDS);
    limit(RLIMIT_CORE, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    limit(RLIMIT_AS, (rlim_t)CHECK_MEMORY_MB << 20);
#endif
    check_document(s, d, fd);
    _exit(0);
}

/* ---- in the server ---- */

void checking_stop(Server *s) {
    if (!s->child)
        return;
    kill(s->child, SIGKILL);
    while (waitpid(s->child, NULL, 0) < 0 && errno == EINTR)
        ;
    close(s->child_fd);
    arena_free(&s->report_arena);
    s->child = 0;
    s->checking = NULL;
}

int checking_wait(const Server *s, int64_t now_ms) {
    int64_t wait = -1;
    for (int i = 0; i < s->documents.len && !s->child; i++) {
        const Document *d = s->documents.at[i];
        int64_t left = d->due_ms > now_ms ? d->due_ms - now_ms : 0;
        if (d->is_due && (wait < 0 || left < wait))
            wait = left;
    }
    return (int)wait;
}

void checking_start(Server *s, int64_t now_ms) {
    Document *next = NULL;
    for (int i = 0; i < s->documents.len; i++) {
        Document *d = s->documents.at[i];
        if (d->is_due && d->due_ms <= now_ms && (!next || d->due_ms < next->due_ms))
            next = d;
    }
    int ends[2];
    if (!next || s->child || pipe(ends) != 0)
        return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(s, next, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return;
    }
    next->is_due = false;
    s->child = child;
    s->child_fd = ends[0];
    s->checking = next;
    s->report = (Buf){.arena = &s->report_arena};
}

void checked_free(Checked *checked) {
    if (!checked)
        return;
    cJSON_Delete(checked->diagnostics);
    arena_free(&checked->arena);
    free(checked);
}

/* `T` lines and `R` lines; false for anything else. */
static bool take_line(Checked *c, char *line) {
    char *at = line + 1;
    uint32_t from = (uint32_t)strtoul(at, &at, 10), to = (uint32_t)strtoul(at, &at, 10);
    uint32_t number = (uint32_t)strtoul(at, &at, 10);
    if (*at != ' ')
        return false;
    at++;
    if (*line == 'R') {
        vec_push(&c->arena, &c->refers, (Refers){from, to, arena_copy(&c->arena, at, strlen(at)), number});
        return true;
    }
    char *tab = strchr(at, '\t');
    if (*line != 'T' || !tab)
        return false;
    *tab = '\0';
    vec_push(&c->arena, &c->typed,
             (Typed){from, to, arena_copy(&c->arena, tab + 1, strlen(tab + 1)),
                     *at ? arena_copy(&c->arena, at, strlen(at)) : NULL, number != 0});
    return true;
}

static Checked *read_report(const Document *d, char *text) {
    Checked *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->text = arena_copy(&c->arena, d->text, d->len);
    c->len = d->len;
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        if (!end)
            break;
        *end = '\0';
        if (*line == 'D')
            c->diagnostics = cJSON_Parse(line + 2);
        else if (!take_line(c, line))
            break;
    }
    if (c->diagnostics)
        return c;
    checked_free(c);
    return NULL;
}

/* Other files of which the last check told something and this one does not are without mistakes. */
static void clear_others(Server *s, const Document *d, const Checked *now) {
    const cJSON *list;
    const cJSON *before = d->checked ? d->checked->diagnostics : NULL;
    cJSON_ArrayForEach(list, before) {
        bool still = now && cJSON_GetObjectItemCaseSensitive(now->diagnostics, list->string);
        if (still || document_find(s, list->string))
            continue;
        cJSON *none = cJSON_CreateArray();
        publish(s, list->string, -1, none);
        cJSON_Delete(none);
    }
}

static void report_failure(Server *s, const Document *d) {
    cJSON *params = cJSON_CreateObject();
    cJSON_AddNumberToObject(params, "type", 1);
    cJSON_AddStringToObject(params, "message", arena_printf(&s->report_arena, "the check of %s has ended early", d->path));
    server_notify(s, "window/logMessage", params);
}

static void take_report(Server *s, Document *d) {
    Checked *checked = read_report(d, (char *)buf_text(&s->report));
    if (!checked) {
        report_failure(s, d);
        return;
    }
    clear_others(s, d, checked);
    checked_free(d->checked);
    d->checked = checked;
    d->same_front = d->same_back = d->len;
    const cJSON *list;
    cJSON_ArrayForEach(list, checked->diagnostics) {
        Document *other = document_find(s, list->string);
        if (other == d)
            publish(s, d->uri, d->version, list);
        else if (!other) /* an open one is checked itself */
            publish(s, list->string, -1, list);
    }
}

void checking_read(Server *s) {
    char chunk[65536];
    ssize_t n = read(s->child_fd, chunk, sizeof chunk);
    if (n > 0) {
        buf_add(&s->report, chunk, (size_t)n);
        return;
    }
    if (n < 0 && errno == EINTR)
        return;
    take_report(s, s->checking);
    checking_stop(s); /* it has ended, or is about to */
}

/* A place of the text as it was checked; false if the text around it has changed since. */
static bool old_place(const Document *d, uint32_t *from, uint32_t *to) {
    if (!d->checked)
        return false;
    if (*to <= d->same_front)
        return true;
    if (*from < d->len - d->same_back)
        return false;
    *from = (uint32_t)(*from + d->checked->len - d->len);
    *to = (uint32_t)(*to + d->checked->len - d->len);
    return true;
}

const Typed *typed_at(const Document *d, uint32_t from, uint32_t to) {
    if (!old_place(d, &from, &to))
        return NULL;
    int lo = 0, hi = d->checked->typed.len;
    while (lo < hi) {
        int mid = (lo + hi) / 2;
        const Typed *t = &d->checked->typed.at[mid];
        if (t->from < from || (t->from == from && t->to < to))
            lo = mid + 1;
        else
            hi = mid;
    }
    const Typed *t = lo < d->checked->typed.len ? &d->checked->typed.at[lo] : NULL;
    return t && t->from == from && t->to == to ? t : NULL;
}

const Refers *refers_at(const Document *d, uint32_t from, uint32_t to) {
    if (!old_place(d, &from, &to))
        return NULL;
    for (int i = 0; i < d->checked->refers.len; i++)
        if (d->checked->refers.at[i].from == from && d->checked->refers.at[i].to == to)
            return &d->checked->refers.at[i];
    return NULL;
}
