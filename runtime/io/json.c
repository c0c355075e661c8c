/* Writing JSON. Records and named tuples are objects, sums "Name" or {"Name": payload}, Option the
   value or null, a NaN null, an infinity 1e999, durations and stamps texts. */
#include "io.h"

#include <math.h>
#include <string.h>

static void print_scalar(Text *text, int32_t kind, GactSlot slot) {
    if (kind_is_float(kind)) {
        double x = scalar_float(kind, slot);
        if (isnan(x))
            text_puts(text, "null");
        else if (isinf(x))
            text_puts(text, x < 0 ? "-1e999" : "1e999");
        else
            scalar_print(text, kind, slot);
        return;
    }
    bool quoted = kind == GACT_HLC || kind == GACT_DURATION;
    text_puts(text, quoted ? "\"" : "");
    scalar_print(text, kind, slot);
    text_puts(text, quoted ? "\"" : "");
}

/* Is the number written as its digits alone? */
static bool is_whole(int32_t kind) {
    return kind > GACT_BOOL && kind < GACT_F16;
}

/* "1, 2, 3": whole numbers that lie side by side, some at a time. */
static void print_whole(Text *text, int32_t kind, const char *data, int64_t n) {
    enum { SOME = 64, WIDTH = WHOLE_DIGITS + 2 };
    int size = kind_size(kind);
    for (int64_t from = 0; from < n; from += SOME) {
        char *start = text_room(text, SOME * WIDTH), *at = start;
        for (int64_t i = from; i < n && i < from + SOME; i++) {
            if (i) {
                *at++ = ',';
                *at++ = ' ';
            }
            at = whole_print(at, kind, scalar_load(kind, data + i * size));
        }
        text->len += (size_t)(at - start);
    }
}

static void print_axis(Text *text, const GactType *t, const GactSlot *s, int axis, int64_t from,
                       GactSlot *elem) {
    int64_t stride = 1;
    for (int k = axis + 1; k < t->rank; k++)
        stride *= s[k].i;
    text_char(text, '[');
    if (axis + 1 == t->rank && is_whole(t->elem->kind)) {
        const char *data = s[t->rank + 1].p;
        print_whole(text, t->elem->kind, data ? data + from * kind_size(t->elem->kind) : NULL,
                    s[axis].i);
        text_char(text, ']');
        return;
    }
    for (int64_t i = 0; i < s[axis].i; i++) {
        if (i)
            text_puts(text, ", ");
        if (axis + 1 < t->rank) {
            print_axis(text, t, s, axis + 1, from + i * stride, elem);
            continue;
        }
        value_element(t->elem, s + t->rank, from + i, elem);
        json_print(text, t->elem, elem);
    }
    text_char(text, ']');
}

static void print_product(Text *text, const GactType *t, const GactSlot *s) {
    bool names = type_has_names(t);
    if (t->flags & GACT_TYPE_VIEW && t->count == 1) {
        json_print(text, t->items[0], s);
        return;
    }
    text_char(text, names ? '{' : '[');
    for (int k = 0; k < t->count; s += t->items[k++]->slots) {
        if (k)
            text_puts(text, ", ");
        if (names) {
            text_quote(text, t->names[k], strlen(t->names[k]));
            text_puts(text, ": ");
        }
        json_print(text, t->items[k], s);
    }
    text_char(text, names ? '}' : ']');
}

static void print_sum(Text *text, const GactType *t, const GactSlot *s) {
    const GactType *some;
    const GactCtor *ctor = &t->ctors[s[0].i];
    const GactSlot *payload = s + sum_slot(t, (int)s[0].i);
    if (type_is_option(t, &some)) {
        if (ctor->payload->count)
            json_print(text, some, payload);
        else
            text_puts(text, "null");
        return;
    }
    if (!ctor->payload->count) {
        text_printf(text, "\"%s\"", ctor->name);
        return;
    }
    text_printf(text, "{\"%s\": ", ctor->name);
    if (ctor->payload->count == 1 && !type_has_names(ctor->payload))
        json_print(text, ctor->payload->items[0], payload);
    else
        print_product(text, ctor->payload, payload);
    text_char(text, '}');
}

void json_print(Text *text, const GactType *t, const GactSlot *s) {
    GactSlot small[SMALL_SLOTS], *elem;
    switch (t->kind) {
    case GACT_STRING: text_quote(text, string_data(s), (size_t)s[0].i); return;
    case GACT_PRODUCT: print_product(text, t, s); return;
    case GACT_SUM: print_sum(text, t, s); return;
    case GACT_ARRAY:
        elem = slots_borrow(t->elem, small);
        print_axis(text, t, s, 0, 0, elem);
        slots_return(elem, small);
        return;
    default: print_scalar(text, t->kind, *s); return;
    }
}

/* One value, or an object of all by name; a value without slots is null. */
bool json_write(Text *out, const WriteItem *items, int n, GactError *error) {
    (void)error;
    bool object = n > 1 || items->part;
    for (int k = 0; k < n; k++) {
        const char *name = items[k].part ? items[k].part : items[k].name;
        if (object) {
            text_puts(out, k ? ", " : "{");
            text_quote(out, name, strlen(name));
            text_puts(out, ": ");
        }
        if (items[k].slots)
            json_print(out, items[k].type, items[k].slots);
        else
            text_puts(out, "null");
    }
    text_puts(out, object ? "}\n" : "\n");
    return true;
}
