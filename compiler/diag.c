/* Collecting diagnostics and printing them in one of three formats. What people read is drawn by
   diag_render.c; here are the table of codes, the order, the limit and the machine's formats. */
#include "diag.h"

#include "diag_parts.h"
#include "width.h"

#include <ctype.h>
#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

typedef struct {
    int code;
    Severity severity;
    const char *title, *explanation, *wrong, *right;
} DiagRow;

static const DiagRow rows[DIAG_COUNT] = {
#define DIAGNOSTIC(number, id, level, name, text, bad, good)                                       \
    [DIAG_##id] = {.code = number,                                                                 \
                   .severity = level,                                                              \
                   .title = name,                                                                  \
                   .explanation = text,                                                            \
                   .wrong = bad,                                                                   \
                   .right = good},
#include "../lang/diagnostics.def"
};

const char *diag_code_text(DiagCode code) {
    static char texts[DIAG_COUNT][8];
    snprintf(texts[code], sizeof texts[code], "G%04d", rows[code].code % 10000);
    return texts[code];
}

const char *severity_name(Severity severity) {
    switch (severity) {
    case SEVERITY_ERROR: return "error";
    case SEVERITY_WARNING: return "warning";
    case SEVERITY_NOTE: return "note";
    case SEVERITY_HELP: return "help";
    }
    UNREACHABLE();
}

static void print_program(FILE *out, const char *title, const char *program) {
    if (!*program)
        return;
    fprintf(out, "\n%s\n\n", title);
    for (const char *line = program; *line;) {
        size_t len = strcspn(line, "\n");
        fprintf(out, len ? "    %.*s\n" : "%.*s\n", (int)len, line);
        line += len + (line[len] == '\n');
    }
}

bool diag_explain(FILE *out, const char *code) {
    for (int i = 0; i < DIAG_COUNT; i++) {
        if (strcmp(diag_code_text((DiagCode)i), code))
            continue;
        fprintf(out, "%s[%s]: %s\n\n%s\n", severity_name(rows[i].severity), code, rows[i].title,
                rows[i].explanation);
        print_program(out, "This is wrong:", rows[i].wrong);
        print_program(out, "This is right:", rows[i].right);
        return true;
    }
    return false;
}

/* ---- collecting ---- */

static const char *text_of(Diags *diags, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    char *text = arena_alloc(diags->arena, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

/* FNV-1a over what makes two diagnostics the same. */
static uint64_t hash_of(const Diag *d) {
    uint64_t h = 14695981039346656037u;
    uint32_t numbers[] = {(uint32_t)d->code, d->primary.span.from, d->primary.span.to};
    for (int i = 0; i < ARRAY_LEN(numbers); i++)
        h = (h ^ numbers[i]) * 1099511628211u;
    for (const char *c = d->message; *c; c++)
        h = (h ^ (unsigned char)*c) * 1099511628211u;
    return h ^ h >> 29;
}

static bool same(const Diag *a, const Diag *b) {
    return a->hash == b->hash && a->code == b->code &&
           a->primary.span.from == b->primary.span.from &&
           a->primary.span.to == b->primary.span.to && !strcmp(a->message, b->message);
}

/* The slot of an equal diagnostic, or the free slot for this one. */
static Diag **seen_slot(Diags *diags, const Diag *d) {
    size_t i = d->hash & (size_t)(diags->seen_cap - 1);
    while (diags->seen[i] && !same(diags->seen[i], d))
        i = (i + 1) & (size_t)(diags->seen_cap - 1);
    return &diags->seen[i];
}

static void seen_grow(Diags *diags) {
    diags->seen_cap = diags->seen_cap ? diags->seen_cap * 2 : 64;
    diags->seen = NEW_ARRAY(diags->arena, Diag *, diags->seen_cap);
    for (int i = 0; i < diags->all.len; i++)
        *seen_slot(diags, diags->all.at[i]) = diags->all.at[i];
}

Diag *diag_report(Diags *diags, DiagCode code, Span span, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    Diag *d = NEW(diags->arena, Diag);
    *d = (Diag){.code = code,
                .severity = rows[code].severity,
                .message = text_of(diags, fmt, args),
                .primary = {span, ""},
                .order = diags->all.len};
    va_end(args);
    d->hash = hash_of(d);
    if (diags->all.len * 2 >= diags->seen_cap)
        seen_grow(diags);
    Diag **slot = seen_slot(diags, d);
    if (*slot)
        return d; /* reported already: what is added to this one is never printed */
    *slot = d;
    vec_push(diags->arena, &diags->all, d);
    diags->errors += d->severity == SEVERITY_ERROR;
    diags->warnings += d->severity == SEVERITY_WARNING;
    return d;
}

void diag_label(Diags *diags, Diag *diag, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    diag->primary.text = text_of(diags, fmt, args);
    va_end(args);
}

void diag_span(Diags *diags, Diag *diag, Span span, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vec_push(diags->arena, &diag->spans, (DiagLabel){span, text_of(diags, fmt, args)});
    va_end(args);
}

void diag_note(Diags *diags, Diag *diag, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vec_push(diags->arena, &diag->notes, (DiagNote){SEVERITY_NOTE, text_of(diags, fmt, args)});
    va_end(args);
}

void diag_help(Diags *diags, Diag *diag, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vec_push(diags->arena, &diag->notes, (DiagNote){SEVERITY_HELP, text_of(diags, fmt, args)});
    va_end(args);
}

void diag_fix(Diags *diags, Diag *diag, Span span, const char *text, bool sure) {
    const char *copy = arena_copy(diags->arena, text, strlen(text));
    vec_push(diags->arena, &diag->fixes, (DiagFix){span, copy, sure});
}

void diag_frame(Diags *diags, Diag *diag, Span call, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vec_push(diags->arena, &diag->frames, (DiagFrame){call, text_of(diags, fmt, args)});
    va_end(args);
}

/* ---- places ---- */

static bool is_place(Span span) {
    return span.from || span.to;
}

void diag_locate(Source *source, uint32_t position, int *line, int *column) {
    source_locate(source, position, line, column);
    int len, bytes = *column - 1;
    const char *text = source_line(source, *line, &len);
    *column = 1;
    for (int i = 0; i < bytes && i < len; ++*column) {
        uint32_t c;
        i += utf8_decode(text + i, (size_t)(len - i), &c);
    }
}

const char *diag_place(const Diags *diags, Span span) {
    Source *source = is_place(span) ? source_at(diags->sources, span.from) : NULL;
    if (!source)
        return NULL;
    int line, column;
    diag_locate(source, span.from, &line, &column);
    return arena_printf(diags->arena, "%s:%d:%d", source->path, line, column);
}

const char *diag_fix_text(const Diags *diags, const DiagFix *fix) {
    Source *source = source_at(diags->sources, fix->span.from);
    int len = (int)(fix->span.to - fix->span.from);
    if (!source || !len)
        return arena_printf(diags->arena, "insert `%s`", fix->text);
    const char *old = source->text + (fix->span.from - source->base);
    if (!*fix->text)
        return arena_printf(diags->arena, "remove `%.*s`", len, old);
    return arena_printf(diags->arena, "replace `%.*s` by `%s`", len, old, fix->text);
}

/* ---- formats for machines ---- */

static void print_short(const Diags *diags, const Diag *d, FILE *out) {
    const char *place = diag_place(diags, d->primary.span);
    if (place)
        fprintf(out, "%s: ", place);
    fprintf(out, "%s[%s]: %s\n", severity_name(d->severity), diag_code_text(d->code), d->message);
}

/* Text that is valid UTF-8, as JSON wants it. */
static cJSON *json_text(Arena *arena, const char *text) {
    Buf buf = {.arena = arena};
    for (size_t i = 0, len = strlen(text); i < len;) {
        uint32_t c;
        int bytes = utf8_decode(text + i, len - i, &c);
        if (c == 0xfffd && bytes == 1)
            buf_puts(&buf, "\xef\xbf\xbd");
        else
            buf_add(&buf, text + i, (size_t)bytes);
        i += (size_t)bytes;
    }
    return cJSON_CreateString(buf_text(&buf));
}

/* {"path", "from", "to": bytes from the start of the file, "line", "column", "end_line",
   "end_column"}; null for no place. */
static cJSON *json_span(const Diags *diags, Span span) {
    Source *source = is_place(span) ? source_at(diags->sources, span.from) : NULL;
    if (!source)
        return cJSON_CreateNull();
    cJSON *json = cJSON_CreateObject();
    int line, column;
    cJSON_AddItemToObject(json, "path", json_text(diags->arena, source->path));
    cJSON_AddNumberToObject(json, "from", span.from - source->base);
    cJSON_AddNumberToObject(json, "to", span.to - source->base);
    diag_locate(source, span.from, &line, &column);
    cJSON_AddNumberToObject(json, "line", line);
    cJSON_AddNumberToObject(json, "column", column);
    diag_locate(source, span.to, &line, &column);
    cJSON_AddNumberToObject(json, "end_line", line);
    cJSON_AddNumberToObject(json, "end_column", column);
    return json;
}

static void json_add_label(const Diags *diags, cJSON *spans, const DiagLabel *label, bool primary) {
    cJSON *json = json_span(diags, label->span);
    if (cJSON_IsNull(json)) {
        cJSON_Delete(json);
        return;
    }
    cJSON_AddBoolToObject(json, "primary", primary);
    cJSON_AddItemToObject(json, "label", json_text(diags->arena, label->text));
    cJSON_AddItemToArray(spans, json);
}

static void json_add_spans(const Diags *diags, const Diag *d, cJSON *json) {
    cJSON *spans = cJSON_AddArrayToObject(json, "spans");
    json_add_label(diags, spans, &d->primary, true);
    for (int i = 0; i < d->spans.len; i++)
        json_add_label(diags, spans, &d->spans.at[i], false);
}

static void json_add_notes(const Diags *diags, const Diag *d, cJSON *json) {
    cJSON *notes = cJSON_AddArrayToObject(json, "notes");
    for (int i = 0; i < d->notes.len; i++) {
        cJSON *note = cJSON_CreateObject();
        cJSON_AddStringToObject(note, "severity", severity_name(d->notes.at[i].severity));
        cJSON_AddItemToObject(note, "message", json_text(diags->arena, d->notes.at[i].text));
        cJSON_AddItemToArray(notes, note);
    }
}

static void json_add_fixes(const Diags *diags, const Diag *d, cJSON *json) {
    cJSON *fixes = cJSON_AddArrayToObject(json, "fixes");
    for (int i = 0; i < d->fixes.len; i++) {
        cJSON *fix = cJSON_CreateObject();
        cJSON_AddItemToObject(fix, "span", json_span(diags, d->fixes.at[i].span));
        cJSON_AddItemToObject(fix, "text", json_text(diags->arena, d->fixes.at[i].text));
        cJSON_AddBoolToObject(fix, "sure", d->fixes.at[i].sure);
        cJSON_AddItemToArray(fixes, fix);
    }
}

static void json_add_frames(const Diags *diags, const Diag *d, cJSON *json) {
    cJSON *frames = cJSON_AddArrayToObject(json, "frames");
    for (int i = 0; i < d->frames.len; i++) {
        cJSON *frame = cJSON_CreateObject();
        cJSON_AddItemToObject(frame, "call", json_span(diags, d->frames.at[i].call));
        cJSON_AddItemToObject(frame, "text", json_text(diags->arena, d->frames.at[i].text));
        cJSON_AddItemToArray(frames, frame);
    }
}

static void print_json(const Diags *diags, const Diag *d, FILE *out) {
    cJSON *json = cJSON_CreateObject();
    Source *source =
        is_place(d->primary.span) ? source_at(diags->sources, d->primary.span.from) : NULL;
    cJSON_AddStringToObject(json, "code", diag_code_text(d->code));
    cJSON_AddStringToObject(json, "severity", severity_name(d->severity));
    cJSON_AddItemToObject(json, "message", json_text(diags->arena, d->message));
    cJSON_AddItemToObject(json, "path",
                          source ? json_text(diags->arena, source->path) : cJSON_CreateNull());
    json_add_spans(diags, d, json);
    json_add_notes(diags, d, json);
    json_add_fixes(diags, d, json);
    json_add_frames(diags, d, json);
    char *text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    fprintf(out, "%s\n", text ? text : "{}");
    cJSON_free(text);
}

/* ---- printing ---- */

static int by_place(const void *a, const void *b) {
    const Diag *x = *(Diag *const *)a, *y = *(Diag *const *)b;
    if (x->primary.span.from != y->primary.span.from)
        return x->primary.span.from < y->primary.span.from ? -1 : 1;
    return x->order - y->order;
}

static void print_human(Diags *diags, const Diag *d, FILE *out) {
    Buf buf = {.arena = diags->arena};
    diag_render(diags, d, &buf);
    buf_puts(&buf, "\n");
    fwrite(buf_text(&buf), 1, buf.len, out);
}

static void print_count(FILE *out, int count, const char *noun) {
    fprintf(out, "%d %s%s", count, noun, count == 1 ? "" : "s");
}

static void print_closing(const Diags *diags, bool cut, FILE *out) {
    if (!diags->errors && !diags->warnings)
        return;
    const char *color = !diags->color ? "" : diags->errors ? "\033[1;31m" : "\033[1;33m";
    fprintf(out, "%s%s%s: ", color, diags->errors ? "error" : "warning",
            diags->color ? "\033[0m" : "");
    if (diags->errors)
        print_count(out, diags->errors, "error");
    fputs(diags->errors && diags->warnings ? ", " : "", out);
    if (diags->warnings)
        print_count(out, diags->warnings, "warning");
    if (cut && diags->error_limit == 1)
        fputs("; only the first is shown", out);
    else if (cut)
        fprintf(out, "; only the first %d errors are shown", diags->error_limit);
    fputs("\n", out);
}

void diags_print(Diags *diags, FILE *out) {
    if (diags->all.len)
        qsort(diags->all.at, (size_t)diags->all.len, sizeof *diags->all.at, by_place);
    int errors = 0;
    bool cut = false;
    for (int i = 0; i < diags->all.len && !cut; i++) {
        const Diag *d = diags->all.at[i];
        errors += d->severity == SEVERITY_ERROR;
        if (diags->error_limit && errors > diags->error_limit) {
            cut = true;
            break;
        }
        switch (diags->format) {
        case FORMAT_HUMAN: print_human(diags, d, out); break;
        case FORMAT_SHORT: print_short(diags, d, out); break;
        case FORMAT_JSON: print_json(diags, d, out); break;
        }
    }
    if (diags->format == FORMAT_HUMAN)
        print_closing(diags, cut, out);
}

/* ---- names that are near ---- */

enum { NAME_LENGTH_MAX = 64 };

static int least(int a, int b, int c) {
    int ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Damerau-Levenshtein distance, a swap of neighbours counting as one edit. */
static int edit_distance(const char *a, int a_len, const char *b, int b_len) {
    int d[NAME_LENGTH_MAX + 1][NAME_LENGTH_MAX + 1];
    for (int i = 0; i <= a_len; i++)
        d[i][0] = i;
    for (int j = 0; j <= b_len; j++)
        d[0][j] = j;
    for (int i = 1; i <= a_len; i++)
        for (int j = 1; j <= b_len; j++) {
            int change = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
            d[i][j] = least(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[a_len][b_len];
}

Name nearest_name(const char *name, const Name *candidates, int count) {
    int len = (int)strlen(name);
    int best = (len + 2) / 3 + 1; /* at least one edit, about a third of the name */
    Name nearest = NULL;
    if (len > NAME_LENGTH_MAX)
        return NULL;
    for (int i = 0; i < count; i++) {
        int other = (int)strlen(candidates[i]);
        if (other > NAME_LENGTH_MAX || abs(other - len) >= best)
            continue;
        int distance = edit_distance(name, len, candidates[i], other);
        if (distance < best && distance < len && distance < other) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}
