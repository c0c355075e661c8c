/* Values as texts: what print shows, by a format or in short. */
#ifndef GACT_PRINT_H
#define GACT_PRINT_H

#include "value.h"

/* A format of a hole in a string: alignment, width, digits, x or e. */
typedef struct {
    char align; /* '<' '>' '^', 0: by the type */
    char form;  /* 'x' 'e', 0: plain */
    int width;  /* in characters, 0: none */
    int digits; /* after the point, -1: the shortest */
} Format;

/* False when the text is no format. */
bool format_parse(const char *text, size_t len, Format *out);
/* NULL, or why values of this type cannot be shown in this format. */
const char *format_refuses(const Format *format, const GactType *t);

/* As print shows it: a string plain at the top, quoted inside. */
void value_print(Text *text, const GactType *t, const GactSlot *slots);
/* The same by a format: width for the whole text, the rest for every number in it. */
void value_print_format(Text *text, const Format *format, const GactType *t, const GactSlot *slots);
/* In full when the value is small; of a large array the shape, type and first values. */
void value_print_short(Text *text, const GactType *t, const GactSlot *slots);
/* A type with the sizes of a value, [3, 4]f32, as messages name what came. */
void value_print_type(Text *text, const GactType *t, const GactSlot *slots);
/* A text in quotes with escapes. */
void text_quote(Text *text, const char *bytes, size_t len);

#endif
