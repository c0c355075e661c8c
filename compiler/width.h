/* Characters of UTF-8 and the columns they take in a terminal. */
#ifndef GACT_WIDTH_H
#define GACT_WIDTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 for combining marks and format characters, 2 for wide ones, else 1. */
int char_width(uint32_t c);
/* Decodes the character at text, of which len > 0 bytes are there, and returns its length in
   bytes. A byte that is no UTF-8 is one byte of U+FFFD. */
int utf8_decode(const char *text, size_t len, uint32_t *c);

#endif
