/* Types as an image's tables have them, for tests and fuzzers of values, readers and writers. */
#ifndef GACT_TEST_TYPES_H
#define GACT_TEST_TYPES_H

#include "../../runtime/io/io.h"

#include <stdlib.h>
#include <string.h>

static const GactType scalar_types[] = {
#define TYPE(id, spelling, bytes, flags, doc)                                                      \
    [GACT_##id] = {.kind = GACT_##id, .text = spelling, .name = spelling, .slots = 1, .columns = 1},
#include "../../lang/types.def"
};
static const GactType string_type = {
    .kind = GACT_STRING, .text = "string", .name = "string", .slots = 3, .columns = 2};

/* What types are made of; lives as long as the test. */
static Region type_memory;

static inline const GactType *scalar_type(int kind) {
    return &scalar_types[kind];
}

/* [_, _]T */
static inline const GactType *array_type(int rank, const GactType *elem) {
    GactType *t = region_zero(&type_memory, 1, sizeof *t);
    char text[400] = "[_";
    for (int k = 1; k < rank; k++)
        strcat(text, ", _");
    snprintf(text + strlen(text), 300, "]%s", elem->text);
    *t = (GactType){.kind = GACT_ARRAY,
                    .rank = rank,
                    .text = region_copy(&type_memory, text, strlen(text)),
                    .elem = elem,
                    .slots = rank + 2 * elem->columns,
                    .columns = 1 + (rank > 1 ? rank : 0) + elem->columns};
    return t;
}

/* names: "" for a tuple, else "a b c". */
static inline const GactType *product_type(const char *name, const char *names, int count,
                                           const GactType *const *items) {
    GactType *t = region_zero(&type_memory, 1, sizeof *t);
    const GactType **copy = region_zero(&type_memory, (size_t)count + 1, sizeof *copy);
    const char **list = region_zero(&type_memory, (size_t)count + 1, sizeof *list);
    char *words = region_copy(&type_memory, names, strlen(names)), *next = NULL;
    *t = (GactType){.kind = GACT_PRODUCT,
                    .text = *name ? name : "a tuple",
                    .name = name,
                    .count = count,
                    .items = copy,
                    .names = list};
    for (int k = 0; k < count; k++) {
        copy[k] = items[k];
        list[k] = strtok_r(k ? NULL : words, " ", &next);
        t->slots += items[k]->slots;
        t->columns += items[k]->columns;
    }
    return t;
}

static inline const GactType *sum_type(const char *name, int count, const char *const *ctors,
                                       const GactType *const *payloads) {
    GactType *t = region_zero(&type_memory, 1, sizeof *t);
    GactCtor *list = region_zero(&type_memory, (size_t)count, sizeof *list);
    *t = (GactType){.kind = GACT_SUM,
                    .text = name,
                    .name = name,
                    .count = count,
                    .slots = 1,
                    .columns = 1,
                    .ctors = list};
    for (int k = 0; k < count; k++) {
        list[k] = (GactCtor){ctors[k], payloads[k]};
        t->slots += payloads[k]->slots;
        t->columns += payloads[k]->columns;
    }
    return t;
}

#define ITEMS(...) ((const GactType *[]){__VA_ARGS__})

static inline const GactType *option_type(const GactType *some) {
    return sum_type("Option", 2, (const char *[]){"Some", "None"},
                    ITEMS(product_type("", "", 1, ITEMS(some)), product_type("", "", 0, NULL)));
}

static inline const GactType *side_type(void) {
    const GactType *none = product_type("", "", 0, NULL);
    return sum_type("Side", 2, (const char *[]){"Buy", "Sell"}, ITEMS(none, none));
}

/* Circle(f32) | Rect(width: f32, height: f32) | Path(string, []i32) | Empty */
static inline const GactType *shape_type(void) {
    const GactType *f = scalar_type(GACT_F32);
    return sum_type(
        "Shape", 4, (const char *[]){"Circle", "Rect", "Path", "Empty"},
        ITEMS(product_type("", "", 1, ITEMS(f)), product_type("", "width height", 2, ITEMS(f, f)),
              product_type("", "", 2, ITEMS(&string_type, array_type(1, scalar_type(GACT_I32)))),
              product_type("", "", 0, NULL)));
}

/* { id: u64, price: f32, side: Side, note: string } */
static inline const GactType *order_type(void) {
    return product_type(
        "Order", "id price side note", 4,
        ITEMS(scalar_type(GACT_U64), scalar_type(GACT_F32), side_type(), &string_type));
}

/* A set as the library has it: shown as its only member. */
static inline const GactType *set_type(const GactType *elem) {
    GactType *t = (GactType *)product_type("{}", "items", 1, ITEMS(array_type(1, elem)));
    t->flags = GACT_TYPE_VIEW;
    return t;
}

/* Types that exercise every layout, one a number; NULL after the last. */
static inline const GactType *sample_type(int k) {
    const GactType *i32 = scalar_type(GACT_I32), *f64 = scalar_type(GACT_F64);
    if (k <= GACT_DURATION)
        return scalar_type(k);
    switch (k - GACT_DURATION) {
    case 1: return &string_type;
    case 2: return array_type(1, f64);
    case 3: return array_type(2, scalar_type(GACT_F32));
    case 4: return array_type(3, scalar_type(GACT_U8));
    case 5: return array_type(1, array_type(1, i32));
    case 6: return array_type(1, array_type(2, i32));
    case 7: return array_type(1, &string_type);
    case 8: return array_type(2, array_type(1, &string_type));
    case 9: return order_type();
    case 10: return array_type(1, order_type());
    case 11: return shape_type();
    case 12: return array_type(1, shape_type());
    case 13: return option_type(scalar_type(GACT_I64));
    case 14: return array_type(1, option_type(array_type(1, &string_type)));
    case 15: return product_type("", "", 2, ITEMS(i32, f64));
    case 16: return product_type("", "call put", 2, ITEMS(array_type(1, f64), f64));
    case 17: return set_type(i32);
    case 18: return array_type(1, scalar_type(GACT_BOOL));
    case 19: return array_type(1, scalar_type(GACT_DURATION));
    case 20: return array_type(1, product_type("", "", 2, ITEMS(f64, f64)));
    case 21: return array_type(1, array_type(1, array_type(1, shape_type())));
    case 22: return array_type(1, scalar_type(GACT_F16));
    case 23: return array_type(1, product_type("Row", "name at", 2, ITEMS(&string_type, i32)));
    default: return NULL;
    }
}
enum { SAMPLE_TYPES = GACT_DURATION + 24 };

#endif
