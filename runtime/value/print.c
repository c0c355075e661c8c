/* Printing; see print.h. */
#include "print.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const Format plain = {.digits = -1};

/* ---- formats ---- */

bool format_parse(const char *text, size_t len, Format *out) {
    const char *s = text, *end = text + len;
    *out = plain;
    if (s < end && strchr("<>^", *s) && *s)
        out->align = *s++;
    for (; s < end && isdigit((unsigned char)*s); s++)
        if ((out->width = out->width * 10 + (*s - '0')) > 100000)
            return false;
    if (s < end && *s == '.') {
        out->digits = 0;
        if (++s == end || !isdigit((unsigned char)*s))
            return false;
        for (; s < end && isdigit((unsigned char)*s); s++)
            if ((out->digits = out->digits * 10 + (*s - '0')) > 1000)
                return false;
    }
    if (s < end && (*s == 'x' || *s == 'e'))
        out->form = *s++;
    return s == end && !(out->form == 'x' && out->digits >= 0);
}

static bool is_number(int32_t kind) {
    return kind >= GACT_I8 && kind <= GACT_F64;
}

/* Is there a number that the format's digits or form can be applied to, and none that refuses? */
static const char *refuses(const Format *f, const GactType *t, bool *applies) {
    const char *why = NULL;
    if (is_number(t->kind)) {
        *applies = true;
        if (f->form == 'x' && kind_is_float(t->kind))
            return "hexadecimal digits are for integers";
        if (f->form != 'x' && !kind_is_float(t->kind))
            return "digits after the point are for floats";
    } else if (t->kind == GACT_ARRAY) {
        why = refuses(f, t->elem, applies);
    } else if (t->kind == GACT_PRODUCT) {
        for (int k = 0; k < t->count && !why; k++)
            why = refuses(f, t->items[k], applies);
    } else if (t->kind == GACT_SUM) {
        for (int k = 0; k < t->count && !why; k++)
            why = refuses(f, t->ctors[k].payload, applies);
    }
    return why;
}

const char *format_refuses(const Format *f, const GactType *t) {
    bool applies = false;
    if (!f->form && f->digits < 0)
        return NULL;
    /* Structures take a format where their numbers can: a mixed one keeps its integers plain. */
    const char *why = refuses(f, t, &applies);
    if (why && (is_number(t->kind) || t->kind == GACT_ARRAY))
        return why;
    return applies ? NULL : "it has no numbers";
}

/* ---- values ---- */

typedef struct {
    Text *text;
    const Format *format;
} Printer;

void text_quote(Text *text, const char *bytes, size_t len) {
    text_char(text, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        switch (c) {
        case '"': text_puts(text, "\\\""); break;
        case '\\': text_puts(text, "\\\\"); break;
        case '\n': text_puts(text, "\\n"); break;
        case '\t': text_puts(text, "\\t"); break;
        case '\r': text_puts(text, "\\r"); break;
        default:
            if (c < 32)
                text_printf(text, "\\u%04x", c);
            else
                text_char(text, (char)c);
        }
    }
    text_char(text, '"');
}

static void print_scalar(Printer *p, int32_t kind, GactSlot slot) {
    const Format *f = p->format;
    if (f->form == 'x' && is_number(kind) && !kind_is_float(kind)) {
        uint64_t mask = UINT64_MAX >> (64 - 8 * kind_size(kind));
        text_printf(p->text, "%llx", (unsigned long long)(slot.u & mask));
    } else if (kind_is_float(kind) && !isfinite(scalar_float(kind, slot))) {
        scalar_print(p->text, kind, slot);
    } else if (kind_is_float(kind) && f->digits >= 0) {
        text_printf(p->text, f->form == 'e' ? "%.*e" : "%.*f", f->digits, scalar_float(kind, slot));
    } else if (kind_is_float(kind) && f->form == 'e') {
        scalar_print_exponent(p->text, kind, slot);
    } else {
        scalar_print(p->text, kind, slot);
    }
}

static void print(Printer *p, const GactType *t, const GactSlot *s, bool top);

static void print_axis(Printer *p, const GactType *t, const GactSlot *s, int axis, int64_t from,
                       GactSlot *elem) {
    int rank = type_rank(t);
    int64_t stride = 1;
    for (int k = axis + 1; k < rank; k++)
        stride *= s[k].i;
    text_char(p->text, '[');
    for (int64_t i = 0; i < s[axis].i; i++) {
        if (i)
            text_puts(p->text, ", ");
        if (axis + 1 < rank) {
            print_axis(p, t, s, axis + 1, from + i * stride, elem);
            continue;
        }
        value_element(t->elem, s + rank, from + i, elem);
        print(p, t->elem, elem, false);
    }
    text_char(p->text, ']');
}

static void print_array(Printer *p, const GactType *t, const GactSlot *s) {
    GactSlot small[SMALL_SLOTS], *elem = slots_borrow(t->elem, small);
    print_axis(p, t, s, 0, 0, elem);
    slots_return(elem, small);
}

/* The members of a product between parentheses. */
static void print_members(Printer *p, const GactType *t, const GactSlot *s) {
    text_char(p->text, '(');
    for (int k = 0; k < t->count; s += t->items[k++]->slots) {
        if (k)
            text_puts(p->text, ", ");
        if (t->names && t->names[k])
            text_printf(p->text, "%s = ", t->names[k]);
        print(p, t->items[k], s, false);
    }
    text_char(p->text, ')');
}

/* A set: {1, 2}; a map, with values beside its keys: {1: "a", 2: "b"}. */
static void print_braces(Printer *p, const GactType *t, const GactSlot *s) {
    const GactType *keys = t->items[0], *values = t->count == 2 ? t->items[1] : NULL;
    GactSlot small[SMALL_SLOTS], more[SMALL_SLOTS];
    GactSlot *key = slots_borrow(keys->elem, small);
    GactSlot *value = values ? slots_borrow(values->elem, more) : more;
    text_char(p->text, '{');
    for (int64_t i = 0; i < s[0].i; i++) {
        if (i)
            text_puts(p->text, ", ");
        value_element(keys->elem, s + type_rank(keys), i, key);
        print(p, keys->elem, key, false);
        if (values) {
            text_puts(p->text, ": ");
            value_element(values->elem, s + keys->slots + type_rank(values), i, value);
            print(p, values->elem, value, false);
        }
    }
    text_char(p->text, '}');
    slots_return(value, more);
    slots_return(key, small);
}

/* Is the member an array by one axis, so that braces can list its elements? */
static bool lists(const GactType *t) {
    return t->kind == GACT_ARRAY && t->rank == 1;
}

static void print_product(Printer *p, const GactType *t, const GactSlot *s) {
    if (t->flags & GACT_TYPE_VIEW) {
        bool map = t->count == 2 && lists(t->items[1]);
        if (lists(t->items[0]) && (t->count == 1 || map))
            print_braces(p, t, s);
        else
            print(p, t->items[0], s, false);
        return;
    }
    if (t->name)
        text_add(p->text, t->name, (size_t)type_name_len(t));
    print_members(p, t, s);
}

static void print(Printer *p, const GactType *t, const GactSlot *s, bool top) {
    switch (t->kind) {
    case GACT_STRING:
        if (top)
            text_add(p->text, string_data(s), (size_t)s[0].i);
        else
            text_quote(p->text, string_data(s), (size_t)s[0].i);
        return;
    case GACT_ARRAY: print_array(p, t, s); return;
    case GACT_PRODUCT: print_product(p, t, s); return;
    case GACT_SUM: {
        const GactCtor *ctor = &t->ctors[s[0].i];
        text_puts(p->text, ctor->name);
        if (ctor->payload->count)
            print_members(p, ctor->payload, s + sum_slot(t, (int)s[0].i));
        return;
    }
    default: print_scalar(p, t->kind, *s); return;
    }
}

void value_print(Text *text, const GactType *t, const GactSlot *slots) {
    print(&(Printer){text, &plain}, t, slots, true);
}

/* Characters of a UTF-8 text: bytes that do not continue one. */
static int64_t characters(const char *s, size_t len) {
    int64_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += (s[i] & 0xc0) != 0x80;
    return n;
}

void value_print_format(Text *text, const Format *format, const GactType *t,
                        const GactSlot *slots) {
    Text part = {.region = text->region};
    print(&(Printer){&part, format}, t, slots, true);
    int64_t room = format->width - characters(part.at, part.len);
    char align = format->align ? format->align : is_number(t->kind) ? '>' : '<';
    int64_t before = room <= 0 || align == '<' ? 0 : align == '>' ? room : room / 2;
    for (int64_t i = 0; i < before; i++)
        text_char(text, ' ');
    text_add(text, part.at, part.len);
    for (int64_t i = before; i < room; i++)
        text_char(text, ' ');
}

/* ---- short forms ---- */

enum { SMALL_COUNT = 64, FIRST_COUNT = 8 };

/* Elements in all, irregular lists by their first level only. */
static int64_t weight(const GactType *t, const GactSlot *s) {
    int64_t n = 1;
    if (t->kind == GACT_STRING)
        return 1 + s[0].i / 64;
    if (t->kind == GACT_ARRAY)
        return array_count(t, s) * (kind_is_scalar(t->elem->kind) ? 1 : 4);
    if (t->kind == GACT_PRODUCT)
        for (int k = 0; k < t->count; s += t->items[k++]->slots)
            n += weight(t->items[k], s);
    if (t->kind == GACT_SUM)
        return 1 + weight(t->ctors[s[0].i].payload, s + sum_slot(t, (int)s[0].i));
    return n;
}

void value_print_type(Text *text, const GactType *t, const GactSlot *slots) {
    if (t->kind != GACT_ARRAY) {
        text_puts(text, t->text);
        return;
    }
    text_char(text, '[');
    for (int k = 0; k < t->rank; k++)
        text_printf(text, "%s%lld", k ? ", " : "", (long long)slots[k].i);
    text_printf(text, "]%s", t->elem->text);
}

void value_print_short(Text *text, const GactType *t, const GactSlot *slots) {
    if (t->kind != GACT_ARRAY || weight(t, slots) <= SMALL_COUNT) {
        value_print(text, t, slots);
        return;
    }
    int64_t n = array_count(t, slots), shown = n < FIRST_COUNT ? n : FIRST_COUNT;
    GactSlot small[SMALL_SLOTS], *elem = slots_borrow(t->elem, small);
    value_print_type(text, t, slots);
    text_puts(text, " [");
    for (int64_t i = 0; i < shown; i++) {
        value_element(t->elem, slots + t->rank, i, elem);
        text_puts(text, i ? ", " : "");
        value_print_short(text, t->elem, elem);
    }
    text_puts(text, shown < n ? ", …]" : "]");
    slots_return(elem, small);
}
