/* Draws a diagnostic with excerpts of the source, in the manner of rustc:

       error[G0123]: message
         --> prog.gact:2:11
          |
        1 | fn f(x: i32) -> f32 {
          |         --- this is an `i32`
        2 |     return x
          |            ^ expected an `f32`
          |
          = help: …

   A file's lines are drawn one after the other; each is followed by rows that mark the spans in
   it. Columns are display columns: tabs are widened, wide characters take two. Spans over several
   lines are drawn at the side, each in a column of its own (its lane). A line that is wider than
   the terminal is cut around what is marked in it. */
#include "diag_parts.h"
#include "width.h"

#include <stdlib.h>
#include <string.h>

enum { TAB = 4, ELISION_GAP = 1, LANE_LINES = 4 };

typedef enum { STYLE_PLAIN, STYLE_GUTTER, STYLE_PRIMARY, STYLE_SECONDARY, STYLE_BOLD } Style;

/* A span to be marked in the file at hand. */
typedef struct {
    int line, end_line; /* from 1 */
    int from, to;       /* display columns in line and in end_line */
    int lane;           /* of a span over several lines, else -1 */
    bool primary;
    const char *text;
} Mark;
typedef VEC(Mark) MarkList;

/* A row under a line: a character and a style for each column. */
typedef struct {
    uint32_t c;
    Style style;
} Cell;
typedef VEC(Cell) Row;

typedef struct {
    Diags *diags;
    const Diag *diag;
    Buf *out;
    int gutter; /* digits of the largest line number */
    /* the file at hand */
    Source *source;
    MarkList marks;
    int lanes;
    int shift; /* columns cut off at the left of the line at hand */
} Renderer;

/* ---- styled text ---- */

static const char *style_code(const Renderer *r, Style style) {
    switch (style) {
    case STYLE_PLAIN: return "\033[0m";
    case STYLE_GUTTER: return "\033[1;34m";
    case STYLE_PRIMARY:
        return r->diag->severity == SEVERITY_ERROR     ? "\033[1;31m"
               : r->diag->severity == SEVERITY_WARNING ? "\033[1;33m"
                                                       : "\033[1;32m";
    case STYLE_SECONDARY: return "\033[1;34m";
    case STYLE_BOLD: return "\033[1m";
    }
    UNREACHABLE();
}

static void set_style(Renderer *r, Style style) {
    if (r->diags->color)
        buf_puts(r->out, style_code(r, style));
}

/* Text of a message: no control characters, in ASCII mode nothing but ASCII. */
static void put_text(Renderer *r, const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        uint32_t c;
        int bytes = utf8_decode(text + i, len - i, &c);
        if (c == 0x2026 && r->diags->ascii)
            buf_puts(r->out, "...");
        else if (c == 0xfffd && bytes == 1)
            buf_puts(r->out, r->diags->ascii ? "?" : "\xef\xbf\xbd");
        else if ((c >= 0x80 && r->diags->ascii) || (c < 0x20 && c != '\n' && c != '\t') ||
                 c == 0x7f)
            buf_puts(r->out, "?");
        else
            buf_add(r->out, text + i, (size_t)bytes);
        i += (size_t)bytes;
    }
}

static void put_styled(Renderer *r, Style style, const char *text) {
    set_style(r, style);
    put_text(r, text, strlen(text));
    set_style(r, STYLE_PLAIN);
}

/* The gutter: a line number or none, and a bar or another sign. */
static void put_gutter(Renderer *r, int line, const char *sign) {
    set_style(r, STYLE_GUTTER);
    if (line)
        buf_printf(r->out, "%*d %s", r->gutter, line, sign);
    else
        buf_printf(r->out, "%*s %s", r->gutter, "", sign);
    set_style(r, STYLE_PLAIN);
}

/* ---- columns ---- */

static int glyph_width(uint32_t c, int column) {
    if (c == '\t')
        return TAB - column % TAB;
    return c < 0x20 || c == 0x7f ? 1 : char_width(c);
}

/* The display column of a byte of a line, from 0. */
static int display_column(const char *text, int len, int byte) {
    int column = 0;
    for (int i = 0; i < byte && i < len;) {
        uint32_t c;
        i += utf8_decode(text + i, (size_t)(len - i), &c);
        column += glyph_width(c, column);
    }
    return column;
}

/* Columns of the terminal that are left for the text of a line. */
static int room(const Renderer *r) {
    if (!r->diags->width)
        return 1 << 20;
    int left = r->diags->width - r->gutter - 3 - (r->lanes ? r->lanes + 1 : 0);
    return left < 20 ? 20 : left;
}

static const char *ellipsis(const Renderer *r) {
    return r->diags->ascii ? "..." : "\xe2\x80\xa6";
}

/* ---- lines of the source ---- */

/* The columns of a line that its marks cover. */
static void marked_columns(const Renderer *r, int line, int *from, int *to) {
    *from = 1 << 20;
    *to = 0;
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        bool begins = m->line == line, ends = m->end_line == line;
        if (!begins && !ends)
            continue;
        int a = begins ? m->from : m->to - 1, b = ends ? m->to : m->from + 1;
        *from = a < *from ? a : *from;
        *to = b > *to ? b : *to;
    }
    if (*from > *to)
        *from = *to = 0;
}

/* Where the window over a wide line begins, so that what is marked lies in its middle. */
static int window_start(const Renderer *r, int line, int columns) {
    int from, to, space = room(r);
    if (columns <= space)
        return 0;
    marked_columns(r, line, &from, &to);
    if (to <= space - 2)
        return 0;
    int start = to - from >= space - 4 ? from - 2 : from - (space - (to - from)) / 2;
    int last = columns - space + 2;
    if (start > last)
        start = last;
    return start < 0 ? 0 : start;
}

static void put_glyph(Renderer *r, const char *text, int bytes, uint32_t c, int width) {
    bool replaced = c == 0xfffd && bytes == 1;
    if (c == '\t')
        buf_printf(r->out, "%*s", width, "");
    else if (c < 0x20 || c == 0x7f || replaced)
        buf_puts(r->out, r->diags->ascii ? "?" : "\xef\xbf\xbd");
    else if (c >= 0x80 && r->diags->ascii)
        buf_printf(r->out, "%.*s", width, "??");
    else
        buf_add(r->out, text, (size_t)bytes);
}

/* The text of a line from the column r->shift on, as much as there is room for. */
static void put_window(Renderer *r, const char *text, int len, int columns) {
    int column = 0, left = r->shift, right = left + room(r) - (left ? 1 : 0);
    bool cut = columns > right;
    if (left)
        buf_puts(r->out, ellipsis(r));
    int first = left ? left + (r->diags->ascii ? 3 : 1) : 0;
    for (int i = 0; i < len;) {
        uint32_t c;
        int bytes = utf8_decode(text + i, (size_t)(len - i), &c);
        int width = glyph_width(c, column);
        if (cut && column + width > right - (r->diags->ascii ? 3 : 1))
            break;
        if (column >= first)
            put_glyph(r, text + i, bytes, c, width);
        else if (column + width > first)
            buf_printf(r->out, "%*s", column + width - first, "");
        column += width;
        i += bytes;
    }
    if (cut)
        buf_puts(r->out, ellipsis(r));
}

/* ---- rows of marks ---- */

static Style mark_style(const Mark *m) {
    return m->primary ? STYLE_PRIMARY : STYLE_SECONDARY;
}

static void set_cell(Renderer *r, Row *row, int column, uint32_t c, Style style) {
    if (column < 0)
        return;
    while (row->len <= column)
        vec_push(r->diags->arena, row, (Cell){' ', STYLE_PLAIN});
    row->at[column] = (Cell){c, style};
}

/* Writes a label into a row; what stands there is hidden. */
static void set_label(Renderer *r, Row *row, int column, const char *text, Style style) {
    for (size_t i = 0, len = strlen(text); i < len;) {
        uint32_t c;
        i += (size_t)utf8_decode(text + i, len - i, &c);
        set_cell(r, row, column++, c, style);
    }
}

static void put_code_point(Buf *out, uint32_t c) {
    char bytes[5] = {0};
    if (c < 0x80)
        bytes[0] = (char)c;
    else if (c < 0x800)
        bytes[0] = (char)(0xc0 | c >> 6), bytes[1] = (char)(0x80 | (c & 0x3f));
    else if (c < 0x10000)
        bytes[0] = (char)(0xe0 | c >> 12), bytes[1] = (char)(0x80 | (c >> 6 & 0x3f)),
        bytes[2] = (char)(0x80 | (c & 0x3f));
    else
        bytes[0] = (char)(0xf0 | c >> 18), bytes[1] = (char)(0x80 | (c >> 12 & 0x3f)),
        bytes[2] = (char)(0x80 | (c >> 6 & 0x3f)), bytes[3] = (char)(0x80 | (c & 0x3f));
    buf_puts(out, bytes);
}

static void put_cells(Renderer *r, const Row *row) {
    int len = row->len;
    while (len && row->at[len - 1].c == ' ')
        len--;
    Style style = STYLE_PLAIN;
    for (int i = 0; i < len; i++) {
        if (row->at[i].style != style && row->at[i].c != ' ')
            set_style(r, style = row->at[i].style);
        if (row->at[i].c < 0x80 || !r->diags->ascii)
            put_code_point(r->out, row->at[i].c);
        else
            buf_puts(r->out, "?");
    }
    if (style != STYLE_PLAIN)
        set_style(r, STYLE_PLAIN);
}

/* First column of a row for the column of the text; lanes stand before it. */
static int text_start(const Renderer *r) {
    return 1 + (r->lanes ? r->lanes + 1 : 0);
}

static int cell_column(const Renderer *r, int column) {
    column -= r->shift;
    return text_start(r) + (column < 0 ? 0 : column);
}

/* Draws the bars of the lanes that pass by this line: those begun before it, and, under the line
   (`below`), those that begin in it. */
static void draw_lanes(Renderer *r, Row *row, int line, bool below) {
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        if (m->lane < 0 || line > m->end_line)
            continue;
        if (line > m->line && (!below || line < m->end_line))
            set_cell(r, row, 1 + m->lane, '|', mark_style(m));
    }
}

static void put_row(Renderer *r, const Row *row) {
    put_gutter(r, 0, "|");
    put_cells(r, row);
    buf_puts(r->out, "\n");
}

/* The row where a span over several lines begins (its first character) or ends. */
static void put_lane_row(Renderer *r, int line, const Mark *mark, bool begins,
                         const MarkList *begun) {
    Row row = {0};
    draw_lanes(r, &row, line, true);
    for (int i = 0; i < begun->len; i++)
        set_cell(r, &row, 1 + begun->at[i].lane, '|', mark_style(&begun->at[i]));
    int at = cell_column(r, begins ? mark->from : mark->to > 0 ? mark->to - 1 : 0);
    Style style = mark_style(mark);
    if (!begins)
        set_cell(r, &row, 1 + mark->lane, '|', style);
    for (int c = 2 + mark->lane; c < at; c++)
        set_cell(r, &row, c, '_', style);
    set_cell(r, &row, at, mark->primary ? '^' : '-', style);
    if (!begins)
        set_label(r, &row, at + 2, mark->text, style);
    put_row(r, &row);
}

/* Lanes that begin or end in a line, those that begin first. */
static void put_lane_rows(Renderer *r, int line) {
    MarkList begun = {0};
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        if (m->lane < 0 || m->end_line != line)
            continue;
        MarkList open = {0};
        for (int j = 0; j < r->marks.len; j++) {
            const Mark *other = &r->marks.at[j];
            if (other->lane >= 0 && other->end_line == line && j > i)
                vec_push(r->diags->arena, &open, *other);
        }
        put_lane_row(r, line, m, false, &open);
    }
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        if (m->lane < 0 || m->line != line)
            continue;
        put_lane_row(r, line, m, true, &begun);
        vec_push(r->diags->arena, &begun, *m);
    }
}

/* The one-line marks of a line, from right to left; at one place secondary ones first. */
static int right_to_left(const void *a, const void *b) {
    const Mark *x = a, *y = b;
    if (x->from != y->from)
        return y->from - x->from;
    return x->primary - y->primary;
}

static void draw_underlines(Renderer *r, Row *row, const MarkList *marks) {
    for (int pass = 0; pass < 2; pass++) /* the primary mark lies above the others */
        for (int i = 0; i < marks->len; i++) {
            const Mark *m = &marks->at[i];
            if (m->primary != (pass == 1))
                continue;
            for (int c = m->from; c < m->to || c == m->from; c++)
                set_cell(r, row, cell_column(r, c), m->primary ? '^' : '-', mark_style(m));
        }
}

/* May the label of the rightmost mark stand beside its underline? */
static bool label_fits_beside(const MarkList *marks) {
    for (int i = 1; i < marks->len; i++)
        if (marks->at[i].to > marks->at[0].from && marks->at[i].to > marks->at[0].to)
            return false;
    return true;
}

/* Labels that hang under their marks, the rightmost highest. */
static void put_hanging_labels(Renderer *r, int line, const MarkList *marks, int first) {
    bool bars = true;
    for (int i = first; i < marks->len; i++) {
        if (!*marks->at[i].text)
            continue;
        for (int step = bars ? 0 : 1; step < 2; step++) {
            Row row = {0};
            draw_lanes(r, &row, line, false);
            for (int j = marks->len; j-- > i + (step == 1);)
                if (*marks->at[j].text)
                    set_cell(r, &row, cell_column(r, marks->at[j].from), '|',
                             mark_style(&marks->at[j]));
            if (step == 1)
                set_label(r, &row, cell_column(r, marks->at[i].from), marks->at[i].text,
                          mark_style(&marks->at[i]));
            put_row(r, &row);
        }
        bars = false;
    }
}

static void put_underlines(Renderer *r, int line) {
    MarkList marks = {0};
    for (int i = 0; i < r->marks.len; i++)
        if (r->marks.at[i].lane < 0 && r->marks.at[i].line == line)
            vec_push(r->diags->arena, &marks, r->marks.at[i]);
    if (!marks.len)
        return;
    qsort(marks.at, (size_t)marks.len, sizeof *marks.at, right_to_left);
    Row row = {0};
    draw_lanes(r, &row, line, false);
    draw_underlines(r, &row, &marks);
    bool beside = label_fits_beside(&marks);
    if (beside) {
        const Mark *m = &marks.at[0];
        int end = m->to > m->from ? m->to : m->from + 1;
        set_label(r, &row, cell_column(r, end) + 1, m->text, mark_style(m));
    }
    put_row(r, &row);
    put_hanging_labels(r, line, &marks, beside ? 1 : 0);
}

static void put_line(Renderer *r, int line) {
    int len;
    const char *text = source_line(r->source, line, &len);
    int columns = display_column(text, len, len);
    r->shift = window_start(r, line, columns);
    put_gutter(r, line, "|");
    Row lanes = {0};
    if (r->lanes)
        draw_lanes(r, &lanes, line, false);
    int used = lanes.len;
    put_cells(r, &lanes);
    while (used && lanes.at[used - 1].c == ' ')
        used--;
    if (columns)
        buf_printf(r->out, "%*s", text_start(r) - used, "");
    put_window(r, text, len, columns);
    buf_puts(r->out, "\n");
    put_underlines(r, line);
    put_lane_rows(r, line);
}

/* ---- files ---- */

static void add_mark(Renderer *r, const DiagLabel *label, bool primary) {
    if (source_at(r->diags->sources, label->span.from) != r->source ||
        (!label->span.from && !label->span.to))
        return;
    Span span = label->span;
    uint32_t end = r->source->base + (uint32_t)r->source->len;
    span.to = span.to > end ? end : span.to < span.from ? span.from : span.to;
    Mark m = {.lane = -1, .primary = primary, .text = label->text};
    int column, len;
    source_locate(r->source, span.from, &m.line, &column);
    const char *text = source_line(r->source, m.line, &len);
    m.from = display_column(text, len, column - 1);
    source_locate(r->source, span.to, &m.end_line, &column);
    if (column == 1 && m.end_line > m.line) /* ends with the line before */
        source_locate(r->source, span.to - 1, &m.end_line, &column);
    text = source_line(r->source, m.end_line, &len);
    m.to = display_column(text, len, column - 1);
    if (m.end_line > m.line)
        m.lane = r->lanes++;
    vec_push(r->diags->arena, &r->marks, m);
}

static int by_number(const void *a, const void *b) {
    return *(const int *)a - *(const int *)b;
}

/* The lines that are drawn, ascending: those where a mark begins or ends, and the whole of short
   spans. */
static int *shown_lines(Renderer *r, int *count) {
    VEC(int) lines = {0};
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        bool whole = m->end_line - m->line < LANE_LINES;
        for (int line = m->line; line <= m->end_line; line++)
            if (whole || line <= m->line + 1 || line == m->end_line)
                vec_push(r->diags->arena, &lines, line);
            else
                line = m->end_line - 1;
    }
    if (lines.len)
        qsort(lines.at, (size_t)lines.len, sizeof *lines.at, by_number);
    int kept = 0;
    for (int i = 0; i < lines.len; i++)
        if (!kept || lines.at[kept - 1] != lines.at[i])
            lines.at[kept++] = lines.at[i];
    *count = kept;
    return lines.at;
}

/* What stands for lines that are left out. */
static void put_gap(Renderer *r, int line) {
    Row row = {0};
    set_label(r, &row, 0, "...", STYLE_GUTTER);
    int shift = r->gutter + 2; /* the dots stand in the gutter */
    for (int i = 0; i < r->marks.len; i++) {
        const Mark *m = &r->marks.at[i];
        if (m->lane >= 0 && m->line < line && line <= m->end_line)
            set_cell(r, &row, shift + 1 + m->lane, '|', mark_style(m));
    }
    put_cells(r, &row);
    buf_puts(r->out, "\n");
}

static void put_file(Renderer *r, Source *source, const char *arrow, Span place) {
    r->source = source;
    r->marks.len = r->lanes = 0;
    add_mark(r, &r->diag->primary, true);
    for (int i = 0; i < r->diag->spans.len; i++)
        add_mark(r, &r->diag->spans.at[i], false);
    set_style(r, STYLE_GUTTER);
    buf_printf(r->out, "%*s%s ", r->gutter, "", arrow);
    set_style(r, STYLE_PLAIN);
    const char *path = diag_place(r->diags, place);
    put_text(r, path, strlen(path));
    buf_puts(r->out, "\n");
    put_gutter(r, 0, "|");
    buf_puts(r->out, "\n");
    int count, *lines = shown_lines(r, &count);
    for (int i = 0; i < count; i++) {
        int before = i ? lines[i - 1] : lines[i];
        if (lines[i] - before == 1 + ELISION_GAP)
            put_line(r, before + 1);
        else if (lines[i] - before > 1 + ELISION_GAP)
            put_gap(r, lines[i]);
        put_line(r, lines[i]);
    }
}

/* The number of digits of the largest line number that is drawn. */
static int gutter_width(const Diags *diags, const Diag *d) {
    int most = 1;
    for (int i = -1; i < d->spans.len; i++) {
        Span span = i < 0 ? d->primary.span : d->spans.at[i].span;
        Source *source = source_at(diags->sources, span.from);
        int line, column;
        if (!source)
            continue;
        source_locate(source, span.to, &line, &column);
        most = line > most ? line : most;
    }
    int digits = 1;
    while (most /= 10)
        digits++;
    return digits;
}

static void put_files(Renderer *r) {
    const Diag *d = r->diag;
    Source *first = source_at(r->diags->sources, d->primary.span.from);
    if (!first)
        return;
    put_file(r, first, "-->", d->primary.span);
    for (int i = 0; i < d->spans.len; i++) {
        Source *source = source_at(r->diags->sources, d->spans.at[i].span.from);
        bool drawn = !source || source == first;
        for (int j = 0; j < i && !drawn; j++)
            drawn = source_at(r->diags->sources, d->spans.at[j].span.from) == source;
        if (!drawn)
            put_file(r, source, ":::", d->spans.at[i].span);
    }
}

/* A line under the excerpt; further lines of the text are indented like its first. */
static void put_note(Renderer *r, const char *kind, const char *text) {
    put_gutter(r, 0, "= ");
    put_styled(r, STYLE_BOLD, kind);
    buf_puts(r->out, *kind ? ": " : "");
    for (;;) {
        size_t len = strcspn(text, "\n");
        put_text(r, text, len);
        buf_puts(r->out, "\n");
        if (!text[len])
            return;
        text += len + 1;
        buf_printf(r->out, "%*s", r->gutter + 3 + (int)strlen(kind) + (*kind ? 2 : 0), "");
    }
}

static void put_notes(Renderer *r) {
    const Diag *d = r->diag;
    if (d->notes.len + d->fixes.len + d->frames.len) {
        put_gutter(r, 0, "|");
        buf_puts(r->out, "\n");
    }
    for (int i = 0; i < d->notes.len; i++)
        put_note(r, severity_name(d->notes.at[i].severity), d->notes.at[i].text);
    for (int i = 0; i < d->fixes.len; i++)
        put_note(r, "help", diag_fix_text(r->diags, &d->fixes.at[i]));
    for (int i = 0; i < d->frames.len; i++) {
        const char *place = diag_place(r->diags, d->frames.at[i].call);
        const char *text = d->frames.at[i].text;
        put_note(r, "",
                 place ? arena_printf(r->diags->arena, "%s, called at %s", text, place) : text);
    }
}

void diag_render(Diags *diags, const Diag *diag, Buf *out) {
    Renderer r = {.diags = diags, .diag = diag, .out = out, .gutter = gutter_width(diags, diag)};
    set_style(&r, STYLE_PRIMARY);
    buf_printf(out, "%s[%s]", severity_name(diag->severity), diag_code_text(diag->code));
    set_style(&r, STYLE_PLAIN);
    put_styled(&r, STYLE_BOLD, arena_printf(diags->arena, ": %s", diag->message));
    buf_puts(out, "\n");
    put_files(&r);
    put_notes(&r);
}
