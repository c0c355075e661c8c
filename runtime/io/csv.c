/* Tables: .csv and .tsv after RFC 4180, with CRLF or LF, quoted cells that may span lines, a header
   line of names. A part names a column or gives its number, #0. Without a part the whole table is
   an array of records (columns by name), of tuples (by position), a matrix, or its only column. */
#include "io.h"

#include <string.h>

/* ---- rows ---- */

typedef struct {
    const char *text;
    size_t len;
} Cell;

typedef struct {
    const Reader *r;
    const char *at, *end;
    char separator;
    int64_t line, row_line; /* of the text; where the row began */
    Cell *cells;
    int count, cap;
} Table;

static void add_cell(Table *t, const char *text, size_t len) {
    if (t->count == t->cap) {
        Cell *more = region_zero(t->r->region, (size_t)t->cap * 2 + 16, sizeof *more);
        if (t->count)
            memcpy(more, t->cells, sizeof *more * (size_t)t->count);
        t->cells = more;
        t->cap = t->cap * 2 + 16;
    }
    t->cells[t->count++] = (Cell){text, len};
}

/* A quoted cell; the quote is at the start. Doubled quotes are one. */
static bool quoted_cell(Table *t) {
    const char *from = ++t->at;
    Text text = {.region = t->r->region};
    bool doubled = false;
    for (;; t->at++) {
        if (t->at == t->end)
            return read_fail(t->r, "%s: a quote that opens on line %lld is never closed",
                             t->r->source, (long long)t->row_line);
        t->line += *t->at == '\n';
        if (*t->at != '"')
            continue;
        if (t->at + 1 == t->end || t->at[1] != '"')
            break;
        text_add(&text, from, (size_t)(t->at + 1 - from));
        from = ++t->at + 1;
        doubled = true;
    }
    if (doubled) {
        text_add(&text, from, (size_t)(t->at - from));
        add_cell(t, text.at, text.len);
    } else {
        add_cell(t, from, (size_t)(t->at - from));
    }
    t->at++;
    return true;
}

static bool ends_cell(const Table *t) {
    return t->at == t->end || *t->at == t->separator || *t->at == '\n' ||
           (*t->at == '\r' && (t->at + 1 == t->end || t->at[1] == '\n'));
}

static bool next_cell(Table *t) {
    if (t->at < t->end && *t->at == '"') {
        if (!quoted_cell(t))
            return false;
        return ends_cell(t) || read_fail(t->r, "%s, line %lld: text follows a closing quote",
                                         t->r->source, (long long)t->line);
    }
    const char *from = t->at;
    while (!ends_cell(t))
        t->at++;
    add_cell(t, from, (size_t)(t->at - from));
    return true;
}

/* The next row that is not empty. False at the end, or after a message: *failed. */
static bool next_row(Table *t, bool *failed) {
    *failed = false;
    do {
        t->count = 0;
        if (t->at == t->end)
            return false;
        t->row_line = t->line;
        for (;;) {
            if (!next_cell(t)) {
                *failed = true;
                return false;
            }
            if (t->at == t->end || *t->at != t->separator)
                break;
            t->at++;
        }
        t->at += t->at < t->end && *t->at == '\r';
        if (t->at < t->end) {
            t->at++;
            t->line++;
        }
    } while (t->count == 1 && !t->cells[0].len);
    return true;
}

/* ---- columns ---- */

/* Which column feeds which member. */
typedef struct {
    const GactType *elem; /* of the array that is built */
    int members;          /* of elem; 1 when it is no product */
    int *columns;
    int width; /* cells of every row */
} Plan;

static bool is_plain(const GactType *t) {
    const GactType *some;
    if (type_is_option(t, &some))
        return is_plain(some);
    if (t->kind == GACT_SUM) {
        for (int k = 0; k < t->count; k++)
            if (t->ctors[k].payload->count)
                return false;
        return true;
    }
    return t->kind == GACT_STRING || kind_is_scalar(t->kind);
}

static const GactType *member_type(const Plan *p, int k) {
    return p->elem->kind == GACT_PRODUCT ? p->elem->items[k] : p->elem;
}

static const char *header_text(const Table *t) {
    Text text = {.region = t->r->region};
    for (int k = 0; k < t->count && k < 30; k++)
        text_printf(&text, "%s%.*s", k ? ", " : "", (int)t->cells[k].len, t->cells[k].text);
    return text_string(&text);
}

static int column_named(const Table *t, const char *name) {
    for (int k = 0; k < t->count; k++)
        if (strlen(name) == t->cells[k].len && !memcmp(name, t->cells[k].text, t->cells[k].len))
            return k;
    return -1;
}

/* "#3", or a name of the header. */
static bool find_column(const Table *t, const char *name, int *out) {
    Number n;
    *out = column_named(t, name);
    if (*out < 0 && *name == '#' && number_parse(name + 1, strlen(name + 1), &n) && !n.is_float &&
        n.whole < (uint64_t)t->count)
        *out = (int)n.whole;
    return *out >= 0 || read_fail(t->r, "%s: there is no column %s; the columns are %s",
                                  t->r->source, name, header_text(t));
}

static bool all_numbers(const Table *t) {
    for (int k = 0; k < t->count; k++) {
        Number n;
        if (!number_parse(t->cells[k].text, t->cells[k].len, &n))
            return false;
    }
    return true;
}

static bool refuse(const Table *t) {
    return read_mismatch(t->r, "a table of the columns %s", header_text(t));
}

static bool plan_columns(const Table *t, const char *part, Plan *p) {
    p->width = t->count;
    p->members = p->elem->kind == GACT_PRODUCT ? p->elem->count : 1;
    for (int k = 0; k < p->members; k++)
        if (!is_plain(member_type(p, k)))
            return refuse(t);
    p->columns = region_zero(t->r->region, (size_t)p->members, sizeof *p->columns);
    if (p->elem->kind != GACT_PRODUCT) {
        if (part)
            return find_column(t, part, p->columns);
        return t->count == 1 ||
               read_fail(t->r, "%s: say which column, as in %s:NAME; the columns are %s",
                         t->r->source, t->r->source, header_text(t));
    }
    if (part || (!type_has_names(p->elem) && p->members != t->count))
        return refuse(t);
    for (int k = 0; k < p->members; k++) {
        p->columns[k] = k;
        if (type_has_names(p->elem) && !find_column(t, p->elem->names[k], &p->columns[k]))
            return false;
    }
    return true;
}

static bool refuse_cell(const Table *t, const Plan *p, int k, const char *header, const char *why) {
    Cell c = t->cells[p->columns[k]];
    return read_fail(t->r, "expected %s, but %s, line %lld%s%s, holds `%.*s`, which %s %s",
                     t->r->wanted, t->r->source, (long long)t->row_line, *header ? ", column " : "",
                     header, (int)(c.len < 40 ? c.len : 40), c.text, why, member_type(p, k)->text);
}

static bool read_row(Table *t, const Plan *p, const char *const *headers, GactSlot *elem) {
    if (t->count != p->width)
        return read_fail(t->r, "%s, line %lld, has %d cells; the lines before have %d",
                         t->r->source, (long long)t->row_line, t->count, p->width);
    for (int k = 0; k < p->members; k++) {
        const char *why = "";
        Cell c = t->cells[p->columns[k]];
        if (!cell_parse(t->r->region, member_type(p, k), c.text, c.len, elem, &why))
            return refuse_cell(t, p, k, headers[k], why);
        elem += member_type(p, k)->slots;
    }
    return true;
}

/* Every row from here on into the builder; the first one is read already if `have`. */
static bool read_rows(Table *t, const Plan *p, bool have, const char *const *headers, Builder *b) {
    GactSlot small[SMALL_SLOTS], *elem = slots_borrow(p->elem, small);
    bool failed = false, ok = true;
    while (ok && (have || next_row(t, &failed))) {
        have = false;
        ok = read_row(t, p, headers, elem);
        if (ok)
            builder_push(b, elem);
    }
    slots_return(elem, small);
    return ok && !failed;
}

static bool read_columns(Table *t, const char *part, GactSlot *out) {
    Plan p = {.elem = t->r->type->elem};
    Builder b;
    bool by_number = !part && (p.elem->kind != GACT_PRODUCT || !type_has_names(p.elem));
    if (part && *part == '#' && column_named(t, part) < 0)
        by_number = true;
    if (!plan_columns(t, part, &p))
        return false;
    /* A first line of nothing but numbers is no header where names are not asked for. */
    bool headless = by_number && all_numbers(t);
    const char **headers = region_zero(t->r->region, (size_t)p.members, sizeof *headers);
    for (int k = 0; k < p.members; k++)
        headers[k] = headless ? ""
                              : region_copy(t->r->region, t->cells[p.columns[k]].text,
                                            t->cells[p.columns[k]].len);
    builder_init(&b, t->r->region, p.elem);
    if (!read_rows(t, &p, headless, headers, &b))
        return false;
    builder_finish(&b, &b.count, 1, out);
    return true;
}

/* All cells as numbers. */
static bool read_matrix(Table *t, GactSlot *out) {
    const GactType *elem = t->r->type->elem;
    Builder b;
    bool failed = false, have = all_numbers(t);
    int64_t dims[2] = {0, t->count};
    Plan p = {.elem = elem, .members = 1, .width = t->count};
    builder_init(&b, t->r->region, elem);
    while (have || next_row(t, &failed)) {
        have = false;
        if (t->count != p.width)
            return read_row(t, &p, NULL, NULL);
        for (int k = 0; k < p.width; k++) {
            const char *why = "";
            GactSlot slot;
            p.columns = &k;
            if (!cell_parse(t->r->region, elem, t->cells[k].text, t->cells[k].len, &slot, &why))
                return refuse_cell(t, &p, 0, "", why);
            builder_push(&b, &slot);
        }
        dims[0]++;
    }
    builder_finish(&b, dims, 2, out);
    return !failed;
}

static bool table_read(const Reader *r, Bytes file, char separator, const char *part,
                       GactSlot *out) {
    Table t = {
        .r = r, .at = file.data, .end = file.data + file.size, .separator = separator, .line = 1};
    bool failed, matrix = r->type->kind == GACT_ARRAY && r->type->rank == 2 && !part &&
                          kind_is_scalar(r->type->elem->kind);
    if (!matrix && !(r->type->kind == GACT_ARRAY && r->type->rank == 1))
        return read_mismatch(r, "a table");
    if (file.size >= 3 && !memcmp(t.at, "\xef\xbb\xbf", 3))
        t.at += 3;
    if (!next_row(&t, &failed))
        return failed ? false : read_mismatch(r, "nothing");
    return matrix ? read_matrix(&t, out) : read_columns(&t, part, out);
}

bool csv_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    return table_read(r, file, ',', part, out);
}

bool tsv_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    return table_read(r, file, '\t', part, out);
}

/* ---- writing ---- */

/* One column of the table that is written. */
typedef struct {
    const char *name;
    const GactType *type;
    const GactSlot *columns;
} Source;

typedef struct {
    Text *out;
    char separator;
    Source *sources;
    int count;
    int64_t rows;
} Sheet;

static void write_cell(Sheet *s, const char *text, size_t len) {
    bool quote = false;
    for (size_t i = 0; i < len && !quote; i++)
        quote = text[i] == s->separator || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    if (!quote) {
        text_add(s->out, text, len);
        return;
    }
    text_char(s->out, '"');
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            text_char(s->out, '"');
        text_char(s->out, text[i]);
    }
    text_char(s->out, '"');
}

static void write_value(Sheet *s, const GactType *t, const GactSlot *slots, Text *scratch) {
    const GactType *some;
    if (type_is_option(t, &some)) {
        int none = !strcmp(t->ctors[0].name, "Some");
        if (slots[0].i != none)
            write_value(s, some, slots + sum_slot(t, !none), scratch);
        return;
    }
    scratch->len = 0;
    value_print(scratch, t, slots);
    write_cell(s, scratch->at, scratch->len);
}

static void write_rows(Sheet *s) {
    Text scratch = {.region = s->out->region};
    for (int k = 0; k < s->count; k++) {
        if (k)
            text_char(s->out, s->separator);
        write_cell(s, s->sources[k].name, strlen(s->sources[k].name));
    }
    text_char(s->out, '\n');
    for (int64_t i = 0; i < s->rows; i++)
        for (int k = 0; k < s->count; k++) {
            GactSlot small[SMALL_SLOTS], *elem = slots_borrow(s->sources[k].type, small);
            value_element(s->sources[k].type, s->sources[k].columns, i, elem);
            write_value(s, s->sources[k].type, elem, &scratch);
            text_char(s->out, k + 1 < s->count ? s->separator : '\n');
            slots_return(elem, small);
        }
}

static void add_source(Sheet *s, const char *name, const GactType *t, const GactSlot *columns) {
    Source *more = region_zero(s->out->region, (size_t)s->count + 1, sizeof *more);
    if (s->count)
        memcpy(more, s->sources, sizeof *more * (size_t)s->count);
    more[s->count++] = (Source){name, t, columns};
    s->sources = more;
}

/* The columns of an array of records, or one column. */
static bool add_item(Sheet *s, const WriteItem *item) {
    const GactType *elem = item->type->elem;
    const GactSlot *columns = array_columns(item->type, item->slots);
    if (elem->kind != GACT_PRODUCT) {
        add_source(s, item->part ? item->part : item->name, elem, columns);
        return is_plain(elem);
    }
    for (int k = 0; k < elem->count; columns += 2 * elem->items[k++]->columns) {
        const char *name =
            type_has_names(elem) ? elem->names[k] : region_printf(s->out->region, "%d", k);
        add_source(s, name, elem->items[k], columns);
        if (!is_plain(elem->items[k]))
            return false;
    }
    return true;
}

/* A matrix of numbers: no header, so that it reads back as one. */
static void write_matrix(Sheet *s, const WriteItem *item) {
    Text scratch = {.region = s->out->region};
    int64_t width = item->slots[1].i;
    for (int64_t i = 0, n = array_count(item->type, item->slots); i < n; i++) {
        GactSlot slot;
        value_element(item->type->elem, item->slots + 2, i, &slot);
        write_value(s, item->type->elem, &slot, &scratch);
        text_char(s->out, (i + 1) % width ? s->separator : '\n');
    }
}

static bool table_write(Sheet *s, const WriteItem *items, int n, GactError *error) {
    const GactType *t = items[0].type;
    if (n == 1 && t->kind == GACT_ARRAY && t->rank == 2 && kind_is_scalar(t->elem->kind)) {
        write_matrix(s, items);
        return true;
    }
    for (int k = 0; k < n; k++) {
        bool column = items[k].type->kind == GACT_ARRAY && items[k].type->rank == 1;
        if (!column || !add_item(s, &items[k])) {
            error_set(error, GACT_BAD_INPUT, "output %s: a table cannot hold %s; use .json",
                      items[k].name, items[k].type->text);
            return false;
        }
        if (k && items[k].slots[0].i != s->rows) {
            error_set(error, GACT_BAD_INPUT,
                      "output %s: it has %lld elements, the others in this table have %lld",
                      items[k].name, (long long)items[k].slots[0].i, (long long)s->rows);
            return false;
        }
        s->rows = items[k].slots[0].i;
    }
    write_rows(s);
    return true;
}

bool csv_write(Text *out, const WriteItem *items, int n, GactError *error) {
    return table_write(&(Sheet){.out = out, .separator = ','}, items, n, error);
}

bool tsv_write(Text *out, const WriteItem *items, int n, GactError *error) {
    return table_write(&(Sheet){.out = out, .separator = '\t'}, items, n, error);
}
