/* What the names of a module mean, found without types: for editors, whose texts are often wrong. The
   checker has a resolution of its own that knows types; this one always has an answer and takes no longer
   than parsing. What needs a type (the field of a value, the message of an actor) is looked up by its
   name and only known where one declaration has it. */
#ifndef GACT_NAMES_H
#define GACT_NAMES_H

#include "../compiler/compiler.h"

typedef enum {
    DEF_LET,
    DEF_PARAM,
    DEF_SIZE, /* a name in the shape of a parameter */
    DEF_TYPE_PARAM,
    DEF_FN, /* fn, dag; all overloads of a module are one */
    DEF_CONST,
    DEF_TYPE,
    DEF_CTOR,
    DEF_FIELD, /* of a record, or a named part of a constructor */
    DEF_ACTOR,
    DEF_MESSAGE,
    DEF_STATE,
    DEF_MODULE,
    DEF_BUILTIN, /* a function of the prelude without a text */
    DEF_BASIC,   /* a basic type */
    DEF_KIND_COUNT
} DefKind;

typedef struct Def {
    DefKind kind;
    Name name;
    Span span;            /* of the name; of a module its start; {0, 0} for builtins */
    const Decl *decl;     /* the declaration, or the one around it */
    const Param *param;   /* DEF_PARAM of a declaration, or NULL */
    const TypeExpr *type; /* as written, or NULL */
    const Ctor *ctor;     /* DEF_CTOR of a sum */
    Module *module;       /* it stands in; of DEF_MODULE: it is */
    const char *text;     /* DEF_BUILTIN, DEF_BASIC: a signature or an explanation */
    Span scope;           /* of locals: where the name means this */
    bool is_var;
} Def;

typedef struct {
    Span at;
    const Def *def;    /* NULL: unknown, or a member that only types can tell */
    Name name;
    const Expr *base;  /* of a member: its value or its actor */
    bool declares, is_message;
    int args; /* of a call, -1: it is none */
} Use;

typedef struct Names {
    Arena *arena;
    Compiler *c;
    Module *module;
    VEC(Def *) defs;    /* all that were met, */
    VEC(Def *) globals; /* and those of them that no scope ends */
    VEC(Use) uses;   /* in order of place */
} Names;

/* The names of one of c's modules. */
Names *names_resolve(Compiler *c, Module *module);
/* The use that a position lies in or behind, or NULL. */
const Use *names_use_at(const Names *names, uint32_t position);
/* The definition whose name stands at a place, or NULL. */
const Def *names_def_at(Names *names, Span span);
/* The meaning of a name that a file shows to all of itself, or NULL. */
const Def *names_global(Names *names, Name name);
/* A module imported under this name, or NULL. */
Module *names_import(Names *names, Name as);
/* A type or actor by the text of its name, which may have a module before it. */
const Decl *names_type(Names *names, const char *text);
/* The definition of a declaration, of a field or a handler of one. */
const Def *names_of_decl(Names *names, const Decl *decl);
const Def *names_of_item(Names *names, const Decl *decl, const TypeItem *item);
/* The parameters of a fn, dag, actor or handler. */
const ParamList *names_params(const Decl *decl);
/* The name an import gives its module. */
Name names_of_import(Compiler *c, const Decl *import);

#endif
