/* A text that grows in a region, or streams to a file. */
#ifndef GACT_TEXT_H
#define GACT_TEXT_H

#include "region.h"

#include <stdio.h>

typedef struct Text {
    Region *region;
    char *at;
    size_t len, cap;
    FILE *file; /* not NULL: what is complete goes there; text_flush() sends the rest */
} Text;

/* Room for so many bytes behind the text, of which text->len may then count some. */
char *text_room(Text *text, size_t bytes);
void text_add(Text *text, const char *bytes, size_t len);
void text_puts(Text *text, const char *string);
void text_char(Text *text, char c);
void text_printf(Text *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The text so far, NUL-terminated; valid until the next call. */
const char *text_string(Text *text);
/* Sends what is buffered to the file; false when the file has an error. */
bool text_flush(Text *text);

#endif
