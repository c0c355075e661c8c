/* The syntax tree: what the grammar builds, before any name is resolved. Nodes live in the
   compilation's arena and are never changed after parsing: a template is checked many times,
   so types are no part of the tree. */
#ifndef GACT_AST_H
#define GACT_AST_H

#include "arena.h"
#include "source.h"

#include <stdbool.h>

typedef struct Expr Expr;
typedef struct TypeExpr TypeExpr;
typedef struct Pattern Pattern;
typedef struct Decl Decl;

/* Binary and unary operators; the spelling is in lang/operators.def. */
typedef enum {
#define OPERATOR(id, spelling, doc) OP_##id,
#include "../lang/operators.def"
    OP_COUNT
} Operator;
const char *operator_spelling(Operator op);

typedef VEC(Expr *) ExprList;
typedef VEC(TypeExpr *) TypeExprList;
typedef VEC(Pattern *) PatternList;
typedef VEC(Name) NameList;

/* ---- types as written ---- */

typedef struct {
    Name name; /* NULL when positional */
    Span name_span;
    TypeExpr *type;
} TypeItem;
typedef VEC(TypeItem) TypeItemList;

typedef enum { TE_NAME, TE_ARRAY, TE_TUPLE, TE_FN } TypeExprKind;

struct TypeExpr {
    TypeExprKind kind;
    Span span;
    union {
        struct {
            Name module; /* NULL, or `sets` of sets.Set; a longer path keeps its last dot apart */
            Name name;   /* `_` is a free type */
            TypeExprList args;
        } name;
        struct {
            ExprList dims; /* one for each axis; EXPR_HOLE for `_` and for a missing size */
            TypeExpr *elem;
        } array;
        TypeItemList tuple; /* () is the unit type */
        struct {
            TypeItemList params;
            TypeExpr *result;
        } fn;
    };
};

/* ---- patterns ---- */

typedef enum {
    PAT_WILD,    /* _ */
    PAT_NAME,    /* binds, or names a constructor or constant: decided by what is in scope */
    PAT_LITERAL, /* an EXPR_INT, _FLOAT, _BOOL, _STRING or _DURATION, negated or not */
    PAT_RANGE,   /* 1..9, 1..=9 */
    PAT_TUPLE,
    PAT_CTOR, /* Circle(r), m.Rect(width = w), and m.Side without arguments */
    PAT_OR,   /* A | B */
    PAT_ERROR
} PatternKind;

typedef struct {
    Name name; /* NULL when positional */
    Span name_span;
    Pattern *pattern;
} PatternItem;
typedef VEC(PatternItem) PatternItemList;

struct Pattern {
    PatternKind kind;
    Span span;
    union {
        Name name;     /* PAT_NAME */
        Expr *literal; /* PAT_LITERAL */
        struct {
            Expr *lo, *hi;
            bool inclusive;
        } range;
        PatternList items; /* PAT_TUPLE, PAT_OR */
        struct {
            Name module; /* NULL if not qualified */
            Name name;
            PatternItemList items;
            bool has_args;
        } ctor;
    };
};

/* ---- expressions and statements ---- */

typedef enum {
    EXPR_ERROR, /* a place where the parser recovered; already reported */
    EXPR_INT,
    EXPR_FLOAT,
    EXPR_BOOL,
    EXPR_DURATION,
    EXPR_STRING,
    EXPR_NAME,
    EXPR_HOLE, /* `_` as an argument, or a size left open */
    EXPR_SELF,
    EXPR_OPERATOR, /* (+) */
    EXPR_TUPLE,    /* (), (a, b), (x = a, y = b) */
    EXPR_PAREN,
    EXPR_LIST,          /* [a, b] */
    EXPR_COMPREHENSION, /* [e for x in xs if c], also as the bare argument of a call */
    EXPR_RANGE,         /* lo..hi by step; in an index lo and hi may be missing */
    EXPR_UNARY,
    EXPR_BINARY, /* includes and, or, in */
    EXPR_INDEX,
    EXPR_FIELD,
    EXPR_TUPLE_FIELD,
    EXPR_CALL,
    EXPR_PIPE,
    EXPR_WITH_FIELDS,
    EXPR_WITH_AT,
    EXPR_IF,
    EXPR_MATCH,
    EXPR_BLOCK,
    EXPR_LOOP,
    EXPR_LAMBDA,
    EXPR_TRY,
    EXPR_SEND,
    EXPR_ASK,
    EXPR_WITHIN, /* an ask with a time limit */
    EXPR_AFTER,  /* a send that is delivered later */
    EXPR_SPAWN,
    /* statements */
    EXPR_LET, /* let and var */
    EXPR_ASSIGN,
    EXPR_FOR,
    EXPR_WHILE,
    EXPR_ASSERT,
    EXPR_RETURN,
    EXPR_BREAK,
    EXPR_CONTINUE,
    EXPR_STOP,
    EXPR_KIND_COUNT
} ExprKind;

typedef struct {
    Name name; /* NULL when positional */
    Span name_span;
    Expr *value;
} Arg;
typedef VEC(Arg) ArgList;

/* A piece of a string: text with its escapes undone, or a hole with its format. */
typedef struct {
    const char *text;
    size_t len;
    Expr *hole;         /* NULL for text */
    const char *format; /* "" without one, else what follows the colon: ">8.2" */
    Span format_span;
} StringPart;
typedef VEC(StringPart) StringPartList;

typedef struct {
    Pattern *pattern;
    Expr *source; /* a range, array, set … */
} Clause;
typedef VEC(Clause) ClauseList;

typedef struct {
    Pattern *pattern;
    Expr *guard; /* or NULL */
    Expr *body;
    Span span;
} Arm;
typedef VEC(Arm) ArmList;

typedef struct {
    Pattern *pattern;
    TypeExpr *type; /* or NULL */
    Expr *init;
} LoopVar;
typedef VEC(LoopVar) LoopVarList;

/* @name or @name(args) */
typedef struct {
    Name name;
    Span span;
    ArgList args;
} Attr;
typedef VEC(Attr) AttrList;

/* A parameter of a fn, dag, actor, message or lambda. */
typedef struct {
    Pattern *pattern; /* PAT_NAME; of a lambda also PAT_WILD and PAT_TUPLE */
    Name name;        /* NULL unless PAT_NAME */
    TypeExpr *type;   /* or NULL: generic */
    Expr *init;       /* default value or NULL */
    bool is_const;
    Span span;
} Param;
typedef VEC(Param) ParamList;

struct Expr {
    ExprKind kind;
    Span span;
    union {
        struct {
            uint64_t value;
            Name suffix; /* "u8" or NULL */
        } integer;
        struct {
            double value;
            const char *text; /* digits without _ and suffix, for exact conversion to f32 */
            Name suffix;
        } real;
        bool boolean;
        int64_t duration_ns;
        StringPartList string;
        Name name;
        Operator op; /* EXPR_OPERATOR */
        ArgList tuple;
        Expr *inner; /* EXPR_PAREN */
        ExprList list;
        struct {
            Expr *body;
            ClauseList clauses;
            Expr *cond; /* or NULL */
        } comp;
        struct {
            Expr *lo, *hi, *by; /* each may be NULL */
            bool inclusive;
        } range;
        struct {
            Operator op; /* OP_NEG, OP_INVERT, OP_NOT */
            Expr *operand;
        } unary;
        struct {
            Operator op;
            Span op_span;
            Expr *lhs, *rhs;
        } binary;
        struct {
            Expr *base;
            ExprList items; /* expressions and EXPR_RANGEs */
        } index;
        struct {
            Expr *base;
            Name name;
            Span name_span;
        } field;
        struct {
            Expr *base;
            int64_t number;
        } tuple_field;
        struct {
            Expr *fn;
            ArgList args;
        } call;
        struct {
            Expr *lhs, *rhs;
        } pipe;
        struct {
            Expr *base;
            ArgList fields;
        } with_fields;
        struct {
            Expr *base;
            ExprList items;
            Expr *value;
        } with_at;
        struct {
            Expr *cond, *then, *otherwise; /* otherwise: EXPR_BLOCK, EXPR_IF or NULL */
        } branch;
        struct {
            Expr *subject;
            ArmList arms;
        } match;
        ExprList block; /* statements; the last one is the value */
        struct {
            LoopVarList vars;
            Pattern *pattern; /* for PATTERN in SOURCE, or NULL */
            Expr *source;
            Expr *cond; /* while COND, or NULL */
            Expr *body;
        } loop;
        struct {
            ParamList params;
            Expr *body;
            bool is_partial; /* made of f(_, 1): body is the call, its holes are the parameters */
        } lambda;
        struct {
            Expr *tried, *otherwise;
        } attempt;
        struct { /* EXPR_SEND, EXPR_ASK */
            Expr *to;
            Name message;
            Span message_span;
            ArgList args;
        } send;
        struct {
            Expr *message; /* an EXPR_ASK or EXPR_SEND, checked later */
            Expr *time;
        } timed;
        struct {
            Name module; /* or NULL */
            Name actor;
            Span actor_span;
            ArgList args;
        } spawn;
        struct {
            Pattern *pattern;
            TypeExpr *type; /* or NULL */
            Expr *value;
            AttrList attrs;
            bool is_var;
        } let;
        struct {
            Expr *place;
            Operator op; /* OP_COUNT for plain = */
            Span op_span;
            Expr *value;
        } assign;
        struct {
            ClauseList clauses;
            Expr *body;
        } for_loop;
        struct {
            Expr *cond, *body;
        } while_loop;
        struct {
            Expr *cond, *message; /* message: EXPR_STRING or NULL */
        } assertion;
        Expr *value; /* EXPR_RETURN (or NULL), EXPR_STOP */
    };
};

/* ---- declarations ---- */

typedef enum {
    DECL_IMPORT,
    DECL_CONST,
    DECL_TYPE,
    DECL_FN,
    DECL_DAG,
    DECL_ACTOR,
    DECL_MAIN,
    DECL_TEST,
    /* inside an actor */
    DECL_STATE,
    DECL_HANDLER, /* on message(…) */
    DECL_LIFECYCLE, /* on start, on stop, on fault(f) */
    DECL_TIMER
} DeclKind;
typedef VEC(Decl *) DeclList;

/* A constructor of a sum type. */
typedef struct {
    Name name;
    Span span;
    TypeItemList payload;
} Ctor;
typedef VEC(Ctor) CtorList;

typedef enum { TYPEDEF_ALIAS, TYPEDEF_RECORD, TYPEDEF_SUM } TypedefKind;
typedef struct Module Module;

struct Decl {
    DeclKind kind;
    Span span;      /* the whole declaration */
    Name name;      /* of an operator its spelling; NULL for import, main, lifecycle, timer */
    Span name_span; /* an empty span where there is no name */
    const char *doc; /* lines of ///, without the slashes; or NULL */
    AttrList attrs;
    Module *module; /* the file it stands in */
    Decl *owner;    /* the actor of a state field, handler or helper; else NULL */
    union {
        struct {
            const char *path; /* stats, arc.more, or the file as written */
            bool is_file;
            bool all;     /* .* */
            Name as;      /* or NULL */
            Module *module; /* filled by name resolution */
        } import;
        struct {
            TypeExpr *type; /* or NULL */
            Expr *value;
        } constant; /* also DECL_STATE */
        struct {
            NameList params;
            TypedefKind kind;
            TypeExpr *alias;
            TypeItemList fields; /* TYPEDEF_RECORD: every item has a name */
            CtorList ctors;
        } type;
        struct { /* DECL_FN, _DAG, _MAIN, _TEST, _HANDLER, _LIFECYCLE, _TIMER */
            NameList type_params;
            ParamList params;
            TypeExpr *result; /* or NULL */
            Expr *body;       /* an expression or an EXPR_BLOCK */
            Operator op;      /* fn (+): the operator, else OP_COUNT */
            const char *title; /* of a test; of a lifecycle handler start, stop or fault; of a timer
                                  every or after */
            Expr *period;     /* of a timer */
        } fn;
        struct {
            NameList type_params;
            ParamList params;
            DeclList items; /* DECL_STATE, _HANDLER, _LIFECYCLE, _TIMER, _FN in order */
        } actor;
    };
};

/* One parsed file. */
struct Module {
    Source *source;
    Name name;      /* last part of its path, without .gact */
    DeclList decls;
    bool is_stdlib;
    bool is_prelude;
    int errors;     /* syntax errors reported while parsing it */
    void *scope;    /* its names; owned by the checker */
    int state;      /* 0 new, 1 being resolved, 2 done: finds circular imports */
};

/* Parses a source. Syntax errors are reported to diags; what could be read is returned. */
typedef struct Diags Diags;
Module *parse_source(Arena *arena, NameTable *names, Diags *diags, Source *source);
/* Appends the tokens of a source, a line each: line:column, kind, text. */
void tokens_print(Buf *out, Arena *arena, NameTable *names, Diags *diags, Source *source);
/* Appends a module as an S-expression, a declaration after the other (--emit=ast). */
void ast_print(Buf *out, const Module *module);
/* Appends an expression or a type as one would write it, for messages. */
void ast_print_expr(Buf *out, const Expr *expr);
void ast_print_type(Buf *out, const TypeExpr *type);

#endif
