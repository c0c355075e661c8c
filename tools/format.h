/* The one style of gact programs: `gactc fmt`, and formatting in editors. */
#ifndef GACT_FORMAT_H
#define GACT_FORMAT_H

#include "../compiler/ast.h"
#include "../compiler/diag.h"

typedef enum {
    FORMAT_DONE,
    FORMAT_ERRORS, /* the text does not parse; reported to diags */
    FORMAT_BROKEN  /* our mistake: the result would not be the same program */
} FormatStatus;

/* Appends the program in the one style. A result is given only if it has the tree and the comments of
   the source. */
FormatStatus format_source(Arena *arena, NameTable *names, Diags *diags, Source *source, Buf *out);
/* Gives a file that exists another text, at once and with the same mode; false with errno set if it
   cannot. */
bool replace_file(Arena *arena, const char *path, const char *text, size_t len);

#endif
