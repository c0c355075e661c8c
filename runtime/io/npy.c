/* NumPy's .npy files, versions 1 to 3. Reading: booleans, integers, floats, complex numbers (as
   pairs), spans of ns, texts (S, U) and structured records, either byte order, C and Fortran order.
   Writing: dense arrays of these in version 1. */
#include "npy.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the header: a Python literal ---- */

typedef struct {
    const Reader *r;
    const char *at, *end;
    Tensor *t;
    int64_t item; /* bytes of an element */
    bool fortran, has_descr, has_order, has_shape, complex;
} Header;

static bool damaged(const Header *h, const char *what) {
    return read_fail(h->r, "expected %s, but %s is no valid .npy file: %s", h->r->wanted,
                     h->r->source, what);
}

static void skip_blanks(Header *h) {
    while (h->at < h->end && isspace((unsigned char)*h->at))
        h->at++;
}

static bool accept(Header *h, char c) {
    skip_blanks(h);
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

/* A quoted text without escapes. */
static bool parse_text(Header *h, const char **text, size_t *len) {
    skip_blanks(h);
    if (h->at == h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    char quote = *h->at++;
    *text = h->at;
    while (h->at < h->end && *h->at != quote)
        h->at++;
    *len = (size_t)(h->at - *text);
    return h->at++ < h->end;
}

static bool parse_size(Header *h, int64_t *out) {
    skip_blanks(h);
    if (h->at == h->end || !isdigit((unsigned char)*h->at))
        return false;
    for (*out = 0; h->at < h->end && isdigit((unsigned char)*h->at); h->at++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, *h->at - '0', out))
            return false;
    if (h->at < h->end && *h->at == 'L')
        h->at++;
    return true;
}

static bool parse_shape(Header *h, int64_t *dims, int *rank) {
    if (!accept(h, '('))
        return damaged(h, "its shape is no tuple");
    for (*rank = 0; !accept(h, ')');) {
        if (*rank == IO_MAX_RANK)
            return damaged(h, "it has too many axes");
        if (!parse_size(h, &dims[(*rank)++]))
            return damaged(h, "its shape is no tuple of sizes");
        if (!accept(h, ',') && (h->at == h->end || *h->at != ')'))
            return damaged(h, "its shape is no tuple of sizes");
    }
    return true;
}

/* The kind of a letter and a size, or -1. */
static int32_t kind_of(char letter, int64_t size) {
    static const struct {
        char letter;
        int8_t size;
        int8_t kind;
    } codes[] = {
        {'b', 1, GACT_BOOL}, {'i', 1, GACT_I8},   {'i', 2, GACT_I16},      {'i', 4, GACT_I32},
        {'i', 8, GACT_I64},  {'u', 1, GACT_U8},   {'u', 2, GACT_U16},      {'u', 4, GACT_U32},
        {'u', 8, GACT_U64},  {'f', 2, GACT_F16},  {'f', 4, GACT_F32},      {'f', 8, GACT_F64},
        {'c', 8, GACT_F32},  {'c', 16, GACT_F64}, {'m', 8, GACT_DURATION},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i].letter == letter && codes[i].size == size)
            return codes[i].kind;
    return -1;
}

static bool refuse_dtype(const Header *h, const char *code, size_t len) {
    return read_mismatch(h->r, "elements of the NumPy type %.*s, which gact does not read",
                         (int)(len < 40 ? len : 40), code);
}

static bool parse_code(Header *h, TensorField *f) {
    const char *code;
    size_t len;
    if (!parse_text(h, &code, &len))
        return damaged(h, "its element type is no text");
    if (len < 3 || len > 30 || !strchr("<>|=", code[0]))
        return refuse_dtype(h, code, len);
    char number[32], *stop;
    memcpy(number, code + 2, len - 2);
    number[len - 2] = 0;
    errno = 0;
    long size = strtol(number, &stop, 10);
    bool unit = *stop != 0;
    if (errno || size < 0 || size > 1 << 24 || !isdigit((unsigned char)number[0]) ||
        (unit && (code[1] != 'm' || strcmp(stop, "[ns]"))))
        return refuse_dtype(h, code, len);
    f->swap = code[0] == '>';
    f->size = size;
    if (code[1] == 'S' || code[1] == 'U') {
        f->kind = GACT_STRING;
        f->wide = code[1] == 'U';
        f->size = f->wide ? 4 * size : size;
        return true;
    }
    f->kind = kind_of(code[1], size);
    h->complex = code[1] == 'c';
    return f->kind >= 0 || refuse_dtype(h, code, len);
}

/* ('name', '<f4') */
static bool parse_field(Header *h, TensorField *f) {
    const char *name;
    size_t len;
    if (!accept(h, '(') || !parse_text(h, &name, &len) || !accept(h, ','))
        return damaged(h, "its record type cannot be read");
    f->name = region_copy(h->r->region, name, len);
    f->offset = h->item;
    if (!parse_code(h, f))
        return false;
    if (h->complex || !accept(h, ')'))
        return read_mismatch(h->r, "records with members that are no plain numbers or texts");
    h->item += f->size;
    return true;
}

static bool parse_fields(Header *h) {
    int cap = 0;
    Tensor *t = h->t;
    for (t->nfields = 0; !accept(h, ']'); accept(h, ',')) {
        if (t->nfields == cap) {
            TensorField *more = region_zero(h->r->region, (size_t)cap * 2 + 4, sizeof *more);
            if (cap)
                memcpy(more, t->fields, sizeof *more * (size_t)cap);
            t->fields = more;
            cap = cap * 2 + 4;
        }
        if (!parse_field(h, &t->fields[t->nfields++]))
            return false;
    }
    return t->nfields > 0 || damaged(h, "its records have no fields");
}

static const char *field_type_text(const TensorField *f) {
    return f->kind == GACT_STRING ? "string" : kind_name(f->kind);
}

static bool parse_descr(Header *h) {
    Tensor *t = h->t;
    Text text = {.region = h->r->region};
    if (accept(h, '[')) {
        if (!parse_fields(h))
            return false;
        for (int k = 0; k < t->nfields; k++)
            text_printf(&text, "%s%s: %s", k ? ", " : "(", t->fields[k].name,
                        field_type_text(&t->fields[k]));
        text_char(&text, ')');
    } else {
        t->nfields = 1;
        t->fields = region_zero(h->r->region, 1, sizeof *t->fields);
        if (!parse_code(h, t->fields))
            return false;
        h->item = t->fields->size;
        text_printf(&text, h->complex ? "(%1$s, %1$s)" : "%1$s", field_type_text(t->fields));
    }
    t->elem_text = text_string(&text);
    return true;
}

static bool parse_bool(Header *h, bool *out) {
    static const char *const words[] = {"False", "True"};
    skip_blanks(h);
    for (int k = 0; k < 2; k++) {
        size_t len = strlen(words[k]);
        if ((size_t)(h->end - h->at) >= len && !memcmp(h->at, words[k], len)) {
            h->at += len;
            *out = k;
            return true;
        }
    }
    return damaged(h, "fortran_order is neither True nor False");
}

static bool parse_entry(Header *h) {
    const char *key;
    size_t len;
    if (!parse_text(h, &key, &len) || !accept(h, ':'))
        return damaged(h, "its header is no dictionary");
    if (len == 5 && !memcmp(key, "descr", 5))
        return h->has_descr = true, parse_descr(h);
    if (len == 13 && !memcmp(key, "fortran_order", 13))
        return h->has_order = true, parse_bool(h, &h->fortran);
    if (len == 5 && !memcmp(key, "shape", 5))
        return h->has_shape = true, parse_shape(h, h->t->dims, &h->t->rank);
    return damaged(h, "its header has an unknown key");
}

static bool parse_header(Header *h) {
    if (!accept(h, '{'))
        return damaged(h, "its header is no dictionary");
    while (!accept(h, '}')) {
        if (!parse_entry(h))
            return false;
        if (!accept(h, ',') && (h->at == h->end || *h->at != '}'))
            return damaged(h, "its header is cut off");
    }
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return damaged(h, "its header lacks descr, fortran_order or shape");
    return true;
}

/* ---- the block ---- */

/* Strides, and the bytes of the whole block; false when those overflow. */
static bool lay_out(Header *h, uint64_t *bytes) {
    Tensor *t = h->t;
    int64_t stride = h->item;
    for (int i = 0; i < t->rank; i++) {
        int k = h->fortran ? i : t->rank - 1 - i;
        t->strides[k] = stride;
        if (__builtin_mul_overflow(stride, t->dims[k] ? t->dims[k] : 1, &stride))
            return false;
    }
    *bytes = tensor_count(t) ? (uint64_t)stride : 0;
    return true;
}

bool npy_tensor(const Reader *r, Bytes file, Tensor *t) {
    Header h = {.r = r, .t = t};
    const uint8_t *u = (const uint8_t *)file.data;
    *t = (Tensor){0};
    if (file.size < 10 || memcmp(u, "\x93NUMPY", 6))
        return damaged(&h, file.size ? "it does not begin like one" : "it is empty");
    if (u[6] < 1 || u[6] > 3)
        return damaged(&h, "its version is none of 1, 2, 3");
    size_t start = u[6] == 1 ? 10 : 12, len = u[8] | (size_t)u[9] << 8;
    if (u[6] > 1 && file.size >= 12)
        len |= (size_t)u[10] << 16 | (size_t)u[11] << 24;
    if (file.size < start || file.size - start < len)
        return damaged(&h, "its header is cut off");
    h.at = file.data + start;
    h.end = h.at + len;
    uint64_t bytes = 0;
    if (!parse_header(&h))
        return false;
    if (!lay_out(&h, &bytes))
        return damaged(&h, "its shape is impossible");
    if (file.size - start - len < bytes)
        return read_fail(r,
                         "expected %s, but %s is cut off: it should hold %llu bytes of data and "
                         "has %llu",
                         r->wanted, r->source, (unsigned long long)bytes,
                         (unsigned long long)(file.size - start - len));
    t->data = file.data + start + len;
    if (h.complex) {
        if (t->rank == IO_MAX_RANK)
            return damaged(&h, "it has too many axes");
        t->fields->size /= 2;
        t->dims[t->rank] = 2;
        t->strides[t->rank++] = t->fields->size;
        t->elem_text = kind_name(t->fields->kind);
    }
    return true;
}

bool npy_read(const Reader *r, Bytes file, const char *part, GactSlot *out) {
    Tensor t;
    if (part)
        return read_fail(r, "%s: a .npy file has no parts", r->source);
    return npy_tensor(r, file, &t) && tensor_to_value(r, &t, out);
}

/* ---- writing ---- */

/* The NumPy code of an element type; "" when there is none. */
static const char *code_of(int32_t kind) {
    static const char *const codes[] = {
        [GACT_BOOL] = "|b1", [GACT_I8] = "|i1",  [GACT_I16] = "<i2",          [GACT_I32] = "<i4",
        [GACT_I64] = "<i8",  [GACT_U8] = "|u1",  [GACT_U16] = "<u2",          [GACT_U32] = "<u4",
        [GACT_U64] = "<u8",  [GACT_F16] = "<f2", [GACT_BF16] = "<f4",         [GACT_F32] = "<f4",
        [GACT_F64] = "<f8",  [GACT_HLC] = "<u8", [GACT_DURATION] = "<m8[ns]",
    };
    return codes[kind];
}

/* A column of an element: a scalar, or texts of at most `width` bytes. */
typedef struct {
    Text *descr;
    const GactType *elem;
    const GactSlot *columns;
    int64_t n;
} Writing;

static int64_t longest_text(const GactType *t, const GactSlot *columns, int64_t n) {
    int64_t longest = 1;
    GactSlot s[3];
    for (int64_t i = 0; i < n; i++) {
        value_element(t, columns, i, s);
        longest = s[0].i > longest ? s[0].i : longest;
    }
    return longest;
}

/* Appends the element's descr; false when NumPy has no such type. */
static bool describe(Writing *w, const GactType *t, const GactSlot *columns, const char *name) {
    if (t->kind == GACT_PRODUCT) {
        text_char(w->descr, '[');
        for (int k = 0; k < t->count; columns += 2 * t->items[k++]->columns) {
            char number[16];
            snprintf(number, sizeof number, "f%d", k);
            if (t->items[k]->kind == GACT_PRODUCT ||
                !describe(w, t->items[k], columns, type_has_names(t) ? t->names[k] : number))
                return false;
        }
        text_char(w->descr, ']');
        return t->count > 0;
    }
    if (t->kind != GACT_STRING && !kind_is_scalar(t->kind))
        return false;
    if (name)
        text_printf(w->descr, "('%s', ", name);
    if (t->kind == GACT_STRING)
        text_printf(w->descr, "'|S%lld'", (long long)longest_text(t, columns, w->n));
    else
        text_printf(w->descr, "'%s'", code_of(t->kind));
    if (name)
        text_puts(w->descr, "), ");
    return true;
}

static void write_element(Text *out, const GactType *t, const GactSlot *columns, int64_t i,
                          const int64_t *widths) {
    GactSlot s[3];
    char bytes[8];
    value_element(t, columns, i, s);
    if (t->kind == GACT_STRING) {
        text_add(out, string_data(s), (size_t)s[0].i);
        for (int64_t k = s[0].i; k < *widths; k++)
            text_char(out, 0);
        return;
    }
    if (t->kind == GACT_BF16)
        s[0] = scalar_of_float(GACT_F32, scalar_float(GACT_BF16, s[0]));
    int32_t kind = t->kind == GACT_BF16 ? GACT_F32 : t->kind;
    scalar_store(kind, bytes, s[0]);
    text_add(out, bytes, (size_t)kind_size(kind));
}

static void write_elements(Text *out, const Writing *w) {
    const GactType *t = w->elem;
    if (kind_is_scalar(t->kind) && t->kind != GACT_BF16 && t->kind != GACT_BOOL) {
        text_add(out, w->n ? w->columns[1].p : NULL, (size_t)(w->n * kind_size(t->kind)));
        return;
    }
    int count = t->kind == GACT_PRODUCT ? t->count : 1;
    const GactType *const *items = t->kind == GACT_PRODUCT ? t->items : &t;
    int64_t *widths = region_zero(out->region, (size_t)count, sizeof *widths);
    const GactSlot *columns = w->columns;
    for (int k = 0; k < count; columns += 2 * items[k++]->columns)
        if (items[k]->kind == GACT_STRING)
            widths[k] = longest_text(items[k], columns, w->n);
    for (int64_t i = 0; i < w->n; i++) {
        columns = w->columns;
        for (int k = 0; k < count; columns += 2 * items[k++]->columns)
            write_element(out, items[k], columns, i, &widths[k]);
    }
}

/* A value that is no array, as columns of one element. */
static const GactSlot *single_columns(Region *region, const GactType *t, const GactSlot *slots) {
    GactSlot *columns = region_zero(region, 2 * (size_t)t->columns, sizeof *columns);
    Builder b;
    builder_init(&b, region, t);
    builder_push(&b, slots);
    builder_finish(&b, NULL, 0, columns);
    return columns;
}

bool npy_write_value(Text *out, const WriteItem *item, GactError *error) {
    bool array = item->type->kind == GACT_ARRAY;
    Text descr = {.region = out->region}, shape = {.region = out->region};
    Writing w = {.descr = &descr, .elem = item->type, .n = 1};
    if (array) {
        w.elem = item->type->elem;
        w.n = array_count(item->type, item->slots);
        w.columns = array_columns(item->type, item->slots);
    } else {
        w.columns = single_columns(out->region, w.elem, item->slots);
    }
    if (!describe(&w, w.elem, w.columns, NULL)) {
        error_set(error, GACT_BAD_INPUT, "output %s: a .npy file cannot hold %s; use .json",
                  item->name, item->type->text);
        return false;
    }
    for (int k = 0; array && k < item->type->rank; k++)
        text_printf(&shape, "%lld,", (long long)item->slots[k].i);
    Text head = {.region = out->region};
    text_printf(&head, "{'descr': %s, 'fortran_order': False, 'shape': (%s), }",
                text_string(&descr), text_string(&shape));
    size_t start = head.len + 11 > 65535 ? 12 : 10; /* version 2 for a very long header */
    while ((start + head.len + 1) % 64)
        text_char(&head, ' ');
    text_char(&head, '\n');
    text_add(out, start == 10 ? "\x93NUMPY\1\0" : "\x93NUMPY\2\0", 8);
    for (size_t k = 0; k < start - 8; k++)
        text_char(out, (char)(head.len >> 8 * k));
    text_add(out, head.at, head.len);
    write_elements(out, &w);
    return true;
}

bool npy_write(Text *out, const WriteItem *items, int n, GactError *error) {
    if (n > 1 || items->part) {
        error_set(error, GACT_BAD_INPUT, "output %s: a .npy file holds one array; use .npz",
                  items[n > 1].name);
        return false;
    }
    return npy_write_value(out, items, error);
}
