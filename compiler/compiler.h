/* One compilation: its memory, tables and the pipeline of passes.def. */
#ifndef GACT_COMPILER_H
#define GACT_COMPILER_H

#include "ast.h"
#include "diag.h"
#include "ir.h"

/* What a pass did or left undone, for --explain. */
typedef enum { REMARK_FUSED, REMARK_NOT_FUSED, REMARK_COPY, REMARK_IN_PLACE, REMARK_CHECK,
               REMARK_INLINE, REMARK_PLACE, REMARK_SORT, REMARK_PEEL, REMARK_SWEEP,
               REMARK_BITS, REMARK_COUNT } RemarkKind;
typedef struct {
    RemarkKind kind;
    Span span;
    const char *text;
} Remark;

/* What an editor wants to know of the checker: the type of what stands at a place (several, where a
   template is checked several times) with the sizes of an array, "[n, 3]", or NULL; and where what a
   member's name means is declared. */
typedef struct {
    Span within; /* the file that is looked at */
    void *data;
    void (*typed)(void *data, Span span, Type *type, const char *dims);
    void (*refers)(void *data, Span use, Span target);
} CheckNotes;

typedef struct Compiler {
    Arena *arena;
    NameTable *names;
    Sources sources;
    Diags diags;
    Types *types;
    IrModule *ir;
    VEC(Module *) modules; /* modules.at[0] is the program, in order of first import */
    VEC(Remark) remarks;
    VEC(const char *) typings; /* "fn mean([]f32) -> f32" of each instance, for --emit=types */
    /* settings */
    const char *stdlib_dir; /* or NULL: the embedded library */
    const char *base_dir;   /* of the program, for imports of modules beside it */
    int opt_level;
    bool want_tests; /* compile test blocks */
    bool main_alone; /* where there is a main, no dag of itself */
    const CheckNotes *notes; /* or NULL */
    const char *each; /* "DAG:x,y": make the form of a dag for many instances, of which x and y differ
                         ("" for DAG: of every one); or NULL */
    bool is_broken;  /* a pass broke the rules of the IR: our mistake, and reported */
} Compiler;

void compiler_remark(Compiler *c, RemarkKind kind, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Parses the file at path, then the prelude and what these import, each module once. False, with
   errno set, if the file cannot be read; what is wrong with an import is a diagnostic. */
bool compiler_load(Compiler *c, const char *path);
/* Parses a module of the library that no import names ("math_exp.gact"), once; NULL without it. */
Module *compiler_library(Compiler *c, const char *file);
/* The names of all files read so far, a line each, without those of the embedded library. */
void compiler_print_deps(Buf *out, const Compiler *c);

typedef enum {
#define PASS(id, function, level, needs, gives) PASS_##id,
#include "passes.def"
    PASS_COUNT
} PassId;
/* The pass of a name, or PASS_COUNT. */
PassId pass_find(const char *name);
const char *pass_name(PassId pass);

/* How compiler_run goes; no pass is PASS_COUNT. */
typedef struct {
    PassId last;       /* stop after this one */
    PassId dump_after; /* append the program's text to `dump` after this one */
    Buf *dump;
    FILE *times; /* or NULL: print what each pass took */
} RunOptions;
/* Runs the passes on what compiler_load left. False after errors. A program that breaks the rules
   of the IR after a pass is our mistake: it is printed and the process aborts. */
bool compiler_run(Compiler *c, const RunOptions *options);
/* Appends the remarks in order of place (--explain). */
void explain_print(Buf *out, Compiler *c);
/* The passes, in order; passes.def names them. Each takes the whole compilation. */
void check_program(Compiler *c);    /* modules -> c->ir, unless there were errors */
void contract_module(Compiler *c);  /* a * b + c on floats -> fma; the same at every level */
void simplify_module(Compiler *c);  /* folding, CSE, dead code, inlining, loop-invariant motion */
void fuse_module(Compiler *c);      /* vertical, sibling and horizontal fusion of kernels */
void math_module(Compiler *c);      /* functions of floats -> the library's code for them */
void range_module(Compiler *c);     /* proves bounds and zero checks: clears IRF_CHECKED… */
void peel_module(Compiler *c);      /* kernels get bodies without their borders' conditions */
void sweep_module(Compiler *c);     /* marks loops over stencils */
void bits_module(Compiler *c);      /* packs the arrays of such loops that hold bits */
void plan_module(Compiler *c);      /* owners, releases, in-place updates */
/* An IR function of a library function whose parameters all have written types, settled; NULL if
   there is none, or after a report. */
IrFunc *check_library_function(Compiler *c, Module *m, const char *name);
/* Folds, shares and drops within one function, until it gets no smaller. */
void simplify_func(Compiler *c, IrFunc *f);
/* What --emit=types prints: the entries and functions with their types. */
void check_print_types(Buf *out, Compiler *c);
/* What --emit=graph prints: the dags in DOT. */
void graph_print(Buf *out, const IrModule *m);
/* Embedded library file: "prelude.gact" -> text, or NULL. */
const char *stdlib_text(const char *name, size_t *len);
/* The embedded files by number, NULL after the last. */
const char *stdlib_name(int index);

#endif
