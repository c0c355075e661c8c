/* Faults as texts: like the compiler's diagnostics, with an excerpt of the source, or as JSON.

       fault[index]: index 5 is out of bounds for size 3
        --> prog.gact:7:12
         |
       7 |   let y = x[5]
         |            ^^^
         |
         = note: in node `y`

   Columns count characters; tabs are widened. */
#include "runtime.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TAB = 4, MARKS = 2 };

typedef struct {
    const char *error, *bold, *gutter, *off;
} Palette;

static const Palette plain = {"", "", "", ""};
static const Palette colored = {"\033[1;31m", "\033[1m", "\033[1;34m", "\033[0m"};

/* ---- places ---- */

/* A range of a source, found. Lines and columns from 1, columns in bytes. */
typedef struct {
    const GactSource *source;
    const char *path, *label;
    bool primary, has_text;
    int line, column;
    int end_line, end_column; /* end_column: in the first line */
} Place;

/* The text of a line; its length into *len. */
static const char *line_text(const GactSource *source, int line, int *len) {
    const char *at = source->text, *end = source->text + source->len;
    while (--line > 0)
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    *len = (int)((stop ? stop : end) - at);
    return at;
}

static bool place_find(const GactImage *image, int32_t file, uint32_t from, uint32_t to, Place *p) {
    if (!image || file < 0 || file >= image->nsources)
        return false;
    const GactSource *source = &image->sources[file];
    *p = (Place){.source = source, .path = source->path ? source->path : "?"};
    if (!source->text || (int64_t)from > source->len)
        return true;
    int64_t end = (int64_t)to < source->len ? to : source->len;
    end = end < (int64_t)from ? from : end;
    p->has_text = true;
    p->line = p->end_line = p->column = 1;
    for (int64_t i = 0; i < end; i++) {
        bool before = i < (int64_t)from, newline = source->text[i] == '\n';
        p->end_line += newline;
        if (before)
            p->column = newline ? 1 : p->column + 1;
        if (before)
            p->line += newline;
    }
    int len;
    line_text(source, p->line, &len);
    p->end_column = p->end_line == p->line ? p->column + (int)(end - from) : len + 1;
    return true;
}

/* ---- drawing ---- */

static bool utf8_continues(char c) {
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* The display column, from 0, of a byte column, from 1. */
static int display_column(const char *text, int len, int column) {
    int at = 0;
    for (int i = 0; i + 1 < column && i < len; i++)
        at += utf8_continues(text[i]) ? 0 : text[i] == '\t' ? TAB - at % TAB : 1;
    return at;
}

/* What is drawn under the lines of one file. */
typedef struct {
    FILE *out;
    const Palette *c;
    int gutter; /* digits of the largest line number */
    Place marks[MARKS];
    int count;
} Drawing;

static void put_gutter(const Drawing *d, int line) {
    if (line)
        fprintf(d->out, "%s%*d |%s", d->c->gutter, d->gutter, line, d->c->off);
    else
        fprintf(d->out, "%s%*s |%s", d->c->gutter, d->gutter, "", d->c->off);
}

static void put_blanks(const Drawing *d, int n) {
    fprintf(d->out, "%*s", n > 0 ? n : 0, "");
}

/* The marks in a line, from left to right. */
static int marks_in_line(const Drawing *d, int line, const Place *marks[MARKS]) {
    int count = 0;
    for (int i = 0; i < d->count; i++)
        if (d->marks[i].line == line)
            marks[count++] = &d->marks[i];
    if (count == 2 && marks[1]->column < marks[0]->column) {
        const Place *left = marks[1];
        marks[1] = marks[0];
        marks[0] = left;
    }
    return count;
}

/* A label under its mark, where there is no room beside it. */
static void put_hanging_label(const Drawing *d, int column, const Place *mark) {
    const char *color = mark->primary ? d->c->error : d->c->gutter;
    put_gutter(d, 0);
    put_blanks(d, column + 1);
    fprintf(d->out, "%s|%s\n", color, d->c->off);
    put_gutter(d, 0);
    put_blanks(d, column + 1);
    fprintf(d->out, "%s%s%s\n", color, mark->label, d->c->off);
}

static void put_marks(const Drawing *d, int line, const char *text, int len) {
    const Place *marks[MARKS];
    int count = marks_in_line(d, line, marks), at = -1;
    put_gutter(d, 0);
    for (int i = 0; i < count; i++) {
        int from = display_column(text, len, marks[i]->column);
        int to = display_column(text, len, marks[i]->end_column);
        to = to > from ? to : from + 1;
        from = from > at ? from : at; /* an overlap shows what is at its left */
        put_blanks(d, from - at);
        fputs(marks[i]->primary ? d->c->error : d->c->gutter, d->out);
        for (int k = from; k < to; k++)
            fputc(marks[i]->primary ? '^' : '-', d->out);
        if (i == count - 1 && marks[i]->label)
            fprintf(d->out, " %s", marks[i]->label);
        fputs(d->c->off, d->out);
        at = to > at ? to : at;
    }
    fputc('\n', d->out);
    for (int i = count - 2; i >= 0; i--)
        if (marks[i]->label)
            put_hanging_label(d, display_column(text, len, marks[i]->column), marks[i]);
}

static void put_line(const Drawing *d, int line) {
    int len, at = 0;
    const char *text = line_text(d->marks[0].source, line, &len);
    while (len > 0 && (text[len - 1] == '\r' || text[len - 1] == ' '))
        len--;
    put_gutter(d, line);
    if (len)
        fputc(' ', d->out);
    for (int i = 0; i < len; i++) {
        int width = text[i] == '\t' ? TAB - at % TAB : !utf8_continues(text[i]);
        at += width;
        if (text[i] == '\t')
            put_blanks(d, width);
        else
            fputc((unsigned char)text[i] < 0x20 ? '?' : text[i], d->out);
    }
    fputc('\n', d->out);
    const Place *marks[MARKS];
    if (marks_in_line(d, line, marks))
        put_marks(d, line, text, len);
}

/* The lines with marks; a single line between them is shown, more are dots. */
static void put_file(const Drawing *d, const char *arrow) {
    const Place *p = &d->marks[0];
    fprintf(d->out, "%s%*s%s%s %s", d->c->gutter, d->gutter, "", arrow, d->c->off, p->path);
    if (p->has_text)
        fprintf(d->out, ":%d:%d", p->line, p->column);
    fputc('\n', d->out);
    if (!p->has_text)
        return;
    int first = p->line, last = p->line;
    if (d->count == 2) {
        first = d->marks[1].line < first ? d->marks[1].line : first;
        last = d->marks[1].line > last ? d->marks[1].line : last;
    }
    put_gutter(d, 0);
    fputc('\n', d->out);
    put_line(d, first);
    if (last == first + 2)
        put_line(d, first + 1);
    else if (last > first + 2)
        fprintf(d->out, "%s...%s\n", d->c->gutter, d->c->off);
    if (last > first)
        put_line(d, last);
}

static int digits(int n) {
    int count = 1;
    while (n >= 10) {
        n /= 10;
        count++;
    }
    return count;
}

/* ---- the look of compiler errors ---- */

static void print_text(FILE *out, const GactImage *image, const Fault *fault, const Palette *c) {
    const GactSite *site = fault->site;
    fprintf(out, "%sfault[%s]%s%s: ", c->error, fault->kind, c->off, c->bold);
    fault_print_message(out, fault);
    fprintf(out, "%s\n", c->off);
    Place other;
    Drawing d = {.out = out, .c = c, .count = 1};
    if (!site || !place_find(image, site->file, site->from, site->to, &d.marks[0]))
        return;
    d.marks[0].primary = true;
    bool two = site->other_text &&
               place_find(image, site->other_file, site->other_from, site->other_to, &other);
    d.gutter = digits(two && other.line > d.marks[0].line ? other.line : d.marks[0].line);
    bool same = two && other.source == d.marks[0].source && other.has_text && d.marks[0].has_text;
    if (two)
        other.label = site->other_text;
    if (same)
        d.marks[d.count++] = other;
    put_file(&d, "-->");
    if (two && !same)
        put_file(&(Drawing){out, c, d.gutter, {other}, 1}, ":::");
    if (!site->node || !*site->node)
        return;
    put_gutter(&d, 0);
    fprintf(out, "\n%s%*s = %s%snote%s: in node `%s`\n", c->gutter, d.gutter, "", c->off, c->bold,
            c->off, site->node);
}

/* ---- JSON ---- */

void json_print_string(FILE *out, const char *text, size_t len) {
    fputc('"', out);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fputc(c, out);
    }
    fputc('"', out);
}

static void json_field(FILE *out, const char *name, const char *text) {
    fprintf(out, ",\"%s\":", name);
    json_print_string(out, text, strlen(text));
}

static void json_place(FILE *out, const Place *p, uint32_t from, uint32_t to) {
    json_field(out, "file", p->path);
    fprintf(out, ",\"from\":%u,\"to\":%u", from, to);
    if (p->has_text)
        fprintf(out, ",\"line\":%d,\"column\":%d,\"end_line\":%d", p->line, p->column, p->end_line);
}

static void json_message(FILE *out, const Fault *fault) {
    char *text = NULL;
    size_t len = 0;
    FILE *message = open_memstream(&text, &len);
    if (message) {
        fault_print_message(message, fault);
        fclose(message);
    }
    fputs(",\"message\":", out);
    json_print_string(out, text ? text : "", text ? len : 0);
    free(text);
}

static void print_json(FILE *out, const GactImage *image, const Fault *fault) {
    const GactSite *site = fault->site;
    fputs("{\"severity\":\"fault\"", out);
    if (fault->instance)
        fprintf(out, ",\"instance\":%lld", (long long)fault->instance - 1);
    json_field(out, "kind", fault->kind);
    json_message(out, fault);
    Place p;
    if (site && site->node && *site->node)
        json_field(out, "node", site->node);
    if (site && place_find(image, site->file, site->from, site->to, &p))
        json_place(out, &p, site->from, site->to);
    if (site && site->other_text &&
        place_find(image, site->other_file, site->other_from, site->other_to, &p)) {
        fputs(",\"related\":{\"label\":", out);
        json_print_string(out, site->other_text, strlen(site->other_text));
        json_place(out, &p, site->other_from, site->other_to);
        fputc('}', out);
    }
    fputs("}\n", out);
}

/* ---- all ---- */

void fault_print(FILE *out, const GactImage *image, const Fault *fault, GactFaultFormat format) {
    switch (format) {
    case GACT_FAULT_MESSAGE:
        fault_print_message(out, fault);
        fputc('\n', out);
        return;
    case GACT_FAULT_TEXT: print_text(out, image, fault, &plain); return;
    case GACT_FAULT_COLOR: print_text(out, image, fault, &colored); return;
    case GACT_FAULT_JSON: print_json(out, image, fault); return;
    }
    abort();
}

char *fault_text(const GactImage *image, const Fault *fault, GactFaultFormat format) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    fault_print(out, image, fault, format);
    fclose(out);
    return text;
}

GactFaultFormat gact_fault_format_for(FILE *out) {
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    bool color =
        isatty(fileno(out)) && !(no_color && *no_color) && !(kind && !strcmp(kind, "dumb"));
    return color ? GACT_FAULT_COLOR : GACT_FAULT_TEXT;
}
