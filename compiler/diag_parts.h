/* What a diagnostic consists of: shared by its collector (diag.c) and the drawing of excerpts
   (diag_render.c). */
#ifndef GACT_DIAG_PARTS_H
#define GACT_DIAG_PARTS_H

#include "diag.h"

typedef struct {
    Span span;
    const char *text; /* "" without a label */
} DiagLabel;

typedef struct {
    Severity severity; /* note or help */
    const char *text;
} DiagNote;

typedef struct {
    Span span;
    const char *text;
    bool sure;
} DiagFix;

typedef struct {
    Span call;
    const char *text;
} DiagFrame;

struct Diag {
    DiagCode code;
    Severity severity;
    const char *message;
    DiagLabel primary;
    VEC(DiagLabel) spans;
    VEC(DiagNote) notes;
    VEC(DiagFix) fixes;
    VEC(DiagFrame) frames;
    int order;     /* of reporting */
    uint64_t hash; /* of code, place and message */
};

const char *severity_name(Severity severity);
/* "path:line:column", the column counted in characters; NULL if the span is no place. */
const char *diag_place(const Diags *diags, Span span);
/* Line and column of a position, the column counted in characters. */
void diag_locate(Source *source, uint32_t position, int *line, int *column);
/* Draws one diagnostic for people to read. */
void diag_render(Diags *diags, const Diag *diag, Buf *out);
/* A suggested edit in words. */
const char *diag_fix_text(const Diags *diags, const DiagFix *fix);

#endif
