/* Files and places in them. All sources of a compilation share one space of byte positions, so
   that a span is two numbers and says its file as well. */
#ifndef GACT_SOURCE_H
#define GACT_SOURCE_H

#include "arena.h"

#include <stdbool.h>

/* A half-open range of positions. {0, 0} is no place at all. */
typedef struct {
    uint32_t from, to;
} Span;

typedef struct Source {
    const char *path; /* as the user named it; "<prelude>/…" style names for the library */
    const char *text; /* NUL-terminated, may contain NULs before its end */
    size_t len;
    uint32_t base;         /* position of text[0]; the first source starts at 1 */
    uint32_t *line_starts; /* byte offsets, filled on first use */
    int lines;
} Source;

/* Texts that stand for files, as an editor has them open. Gives NULL for other files. */
typedef struct {
    const char *(*text)(void *data, const char *path, size_t *len);
    void *data;
} Overlay;

typedef struct Sources {
    Arena *arena;
    const Overlay *overlay; /* or NULL */
    VEC(Source *) all;
    uint32_t next; /* base of the next source */
} Sources;

/* Reads a file ("-": standard input). NULL with errno set when it cannot be read. */
Source *source_read(Sources *sources, const char *path);
/* Adds a text under a name; the text is copied. */
Source *source_add(Sources *sources, const char *path, const char *text, size_t len);
/* The source that a position lies in, or NULL. */
Source *source_at(const Sources *sources, uint32_t position);
/* Line and column (in bytes), both from 1. */
void source_locate(Source *source, uint32_t position, int *line, int *column);
/* A line's text without its end, and its length. */
const char *source_line(Source *source, int line, int *len);

#endif
