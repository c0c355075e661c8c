/* Types: interned, so that equal types are equal pointers (but for literals that nothing has
   settled yet, see type_resolve). */
#ifndef GACT_TYPE_H
#define GACT_TYPE_H

#include "arena.h"
#include "source.h"

#include <stdbool.h>

typedef enum {
#define TYPE(id, spelling, bytes, flags, doc) TYPE_##id,
#include "../lang/types.def"
    TYPE_POISON,  /* of something already reported */
    TYPE_VAR,     /* of a literal: an int, a float or, for the element of [], anything */
    TYPE_TUPLE,   /* (A, B), (x: A, y: B); () is the type of what has no value */
    TYPE_RECORD,
    TYPE_SUM,
    TYPE_ARRAY,   /* an array whose element is an array is an irregular list */
    TYPE_ACTOR,   /* a reference */
    TYPE_CLOSURE, /* its values are what it captured */
    TYPE_CHOICE,  /* one of several closures, told apart by a tag */
    TYPE_FNSET,   /* the name of a fn, all overloads; no data */
    TYPE_TYPENAME, /* the name of a scalar type used as a function: f32(x); no data */
    TYPE_KIND_COUNT
} TypeKind;

enum { TYF_INT = 1, TYF_SIGNED = 2, TYF_FLOAT = 4, TYF_HOST = 8 };

typedef struct Type Type;
typedef struct Decl Decl;

/* A constructor of a sum, or an alternative of a choice (one item: the closure). */
typedef struct {
    Name name;
    Type **items;
    Name *names; /* NULL each when positional */
    int count;
} TypeCtor;

typedef enum { VAR_ANY, VAR_INT, VAR_FLOAT } VarKind;

struct Type {
    TypeKind kind;
    uint32_t id;      /* small, dense: orders and hashes types */
    bool has_var;     /* contains an unsolved TYPE_VAR */
    bool has_closure; /* contains a TYPE_CLOSURE, _CHOICE or _FNSET */
    int parts;        /* types inside, itself included, however often shared; see type_count */
    Decl *decl;       /* of a RECORD, SUM, ACTOR */
    Type **args;      /* type arguments of a generic RECORD, SUM, ACTOR */
    int nargs;
    /* TUPLE, RECORD, CLOSURE: the members; names may be NULL as a whole (plain tuple) */
    Type **items;
    Name *names;
    int count;
    /* SUM, CHOICE */
    TypeCtor *ctors;
    int nctors;
    /* ARRAY */
    Type *elem;
    int rank;
    /* VAR */
    VarKind var;
    Type *solution; /* or NULL */
    Span origin;    /* the literal */
    /* CLOSURE, FNSET: owned by the checker */
    const void *code;
    const void *code2;
};

typedef struct Types Types;
Types *types_new(Arena *arena, NameTable *names);

/* A scalar, string, hlc, duration or poison. */
Type *type_basic(Types *ts, TypeKind kind);
Type *type_tuple(Types *ts, Type **items, Name *names, int count);
Type *type_unit(Types *ts);
/* rank + the rank of elem if `dense` and elem is an array, else an array of elem. */
Type *type_array(Types *ts, Type *elem, int rank);
Type *type_nominal(Types *ts, TypeKind kind, Decl *decl, Type **args, int nargs);
Type *type_closure(Types *ts, const void *code, const void *code2, Type **captured, int count);
Type *type_choice(Types *ts, Type **closures, int count);
Type *type_fnset(Types *ts, const void *code, const void *code2);
Type *type_typename(Types *ts, Type *scalar);
/* A fresh variable for a literal at origin. */
Type *type_var(Types *ts, VarKind kind, Span origin);

/* Follows solved variables, inside composite types too. */
Type *type_resolve(Types *ts, Type *type);
/* Makes a and b one type; literals adapt. False if they cannot be. Nothing is undone on failure
   but what a fresh literal took. */
bool type_unify(Types *ts, Type *a, Type *b);

bool type_is_int(const Type *type);   /* integer types, not variables */
bool type_is_float(const Type *type);
bool type_is_number(const Type *type);
bool type_is_scalar(const Type *type); /* bool, numbers, hlc, duration */
bool type_is_signed(const Type *type);
int type_bytes(const Type *type);      /* of a scalar */
bool type_is_product(const Type *type); /* TUPLE, RECORD, CLOSURE, FNSET, TYPENAME */
bool type_is_sum(const Type *type);     /* SUM, CHOICE */
/* A value that lives in registers alone: no array or string inside. */
bool type_is_flat(const Type *type);

/* Counts the parts of a type whose members are there: a RECORD or SUM gets them after it is made. The
   count stops at TYPE_MOST_PARTS + 1; code walks a type part by part, so that is too large. */
enum { TYPE_MOST_PARTS = 2048 };
void type_count(Type *type);

/* As the user would write it: "[_, _]f32", "(i64, string)", "Option[f32]". */
void type_print(Buf *out, const Type *type);
const char *type_text(Arena *arena, const Type *type);

#endif
