/* Scalars of the language: their bytes, their conversion, their texts. */
#ifndef GACT_SCALAR_H
#define GACT_SCALAR_H

#include "../../lang/image.h"
#include "text.h"

static inline bool kind_is_scalar(int32_t kind) {
    return kind <= GACT_DURATION;
}
static inline bool kind_is_float(int32_t kind) {
    return kind >= GACT_F16 && kind <= GACT_F64;
}
static inline bool kind_is_signed(int32_t kind) {
    return (kind >= GACT_I8 && kind <= GACT_I64) || kind == GACT_DURATION;
}

/* Bytes in a column; name as the language spells it. */
int kind_size(int32_t kind);
const char *kind_name(int32_t kind);

/* Between a column's bytes and a slot. */
GactSlot scalar_load(int32_t kind, const void *at);
void scalar_store(int32_t kind, void *at, GactSlot slot);
/* A float slot's number; the slot of the nearest number of a float kind. */
double scalar_float(int32_t kind, GactSlot slot);
GactSlot scalar_of_float(int32_t kind, double x);

/* A number as read: a whole number with a sign beside it, or a float. */
typedef struct {
    bool is_float, negative;
    uint64_t whole; /* its magnitude */
    double number;
} Number;

Number number_of(int32_t kind, GactSlot slot);
/* Without loss but for the rounding of a float to a narrower float; false when the number does not
   fit the kind. */
bool number_to(Number number, int32_t kind, GactSlot *out);

/* Reads a number that fills the whole text: 12, -1_000, 0xff, 0b101, 1.5e-3, inf, nan. */
bool number_parse(const char *text, size_t len, Number *out);
/* Reads 10us, 1.5s, -2h; the result in nanoseconds. */
bool duration_parse(const char *text, size_t len, int64_t *out);
/* Reads what scalar_print writes for a stamp. */
bool hlc_parse(const char *text, size_t len, uint64_t *out);

/* The shortest text that reads back as the same value of the kind. */
void scalar_print(Text *text, int32_t kind, GactSlot slot);
/* Writes the digits of a whole number, with a sign if it is of a signed kind; returns their end.
   There is room for WHOLE_DIGITS. */
enum { WHOLE_DIGITS = 20 };
char *whole_print(char *out, int32_t kind, GactSlot slot);
/* The shortest digits in exponent form, 1.5e-7. */
void scalar_print_exponent(Text *text, int32_t kind, GactSlot slot);

#endif
