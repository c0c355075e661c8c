/* Diagnostics: collected, sorted by place, printed once. Every one has a code of
   lang/diagnostics.def. A value of poison type is silent, so one mistake gives one message. */
#ifndef GACT_DIAG_H
#define GACT_DIAG_H

#include "source.h"

#include <stdio.h>

typedef enum {
#define DIAGNOSTIC(code, id, severity, title, explanation, wrong, right) DIAG_##id,
#include "../lang/diagnostics.def"
    DIAG_COUNT
} DiagCode;

typedef enum { SEVERITY_ERROR, SEVERITY_WARNING, SEVERITY_NOTE, SEVERITY_HELP } Severity;
typedef enum { FORMAT_HUMAN, FORMAT_SHORT, FORMAT_JSON } DiagFormat;

typedef struct Diag Diag;

typedef struct Diags {
    Arena *arena;
    Sources *sources;
    VEC(Diag *) all;
    int errors, warnings; /* counted as reported, duplicates not */
    DiagFormat format;
    bool color, ascii;
    int width;       /* of the terminal; 0: unlimited */
    int error_limit; /* 0: none */
    Diag **seen;     /* hash table of `all`, to find duplicates */
    int seen_cap;
} Diags;

/* Reports at span; severity comes from the table. The same code at the same place with the same
   text is reported once. Returns the diagnostic, to which labels and notes may be added; never
   NULL. */
Diag *diag_report(Diags *diags, DiagCode code, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* Text under the primary caret. */
void diag_label(Diags *diags, Diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A secondary span with a label: "this size comes from here". */
void diag_span(Diags *diags, Diag *diag, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A line of `= note: …` or `= help: …` under the excerpt. */
void diag_note(Diags *diags, Diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void diag_help(Diags *diags, Diag *diag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A suggested edit: replace span by text. `sure`: may be applied by a machine. */
void diag_fix(Diags *diags, Diag *diag, Span span, const char *text, bool sure);
/* A frame of a chain of template instantiations, innermost first, printed like rustc's:
   "in `mean` for ([n]f32), called at prog.gact:7:12". */
void diag_frame(Diags *diags, Diag *diag, Span call, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Prints all that was reported, in order of place, and the closing line ("2 errors"). */
void diags_print(Diags *diags, FILE *out);
/* "G0123" of a code; NULL-terminated texts of the table. */
const char *diag_code_text(DiagCode code);
/* Prints the explanation of a code like "G0123"; false if there is none. */
bool diag_explain(FILE *out, const char *code);

/* The candidate nearest to name by edit distance, or NULL if none is near. */
Name nearest_name(const char *name, const Name *candidates, int count);

#endif
