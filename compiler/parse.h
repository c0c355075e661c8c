/* Inside of the syntax front end: the state shared by the scanner (lang/lexer.re), the grammar
   (lang/grammar.y) and the constructors of the tree (ast.c).

   The scanner keeps the stack of open brackets: it decides where a newline ends a statement, it
   closes what the program forgot to close, and after a syntax error it skips to the end of the
   statement or declaration that the parser gives up. So the parser always sees balanced
   brackets, and an error never changes how the text after its statement is read. */
#ifndef GACT_PARSE_H
#define GACT_PARSE_H

#include "ast.h"
#include "diag.h"

/* An empty rule has an empty span; empty parts do not widen a construct. */
Span ast_rule_span(const Span *parts, int count);
#define YYLLOC_DEFAULT(current, rhs, n)                                                            \
    ((current) = (n) ? ast_rule_span(&YYRHSLOC(rhs, 1), (n))                                       \
                     : (Span){YYRHSLOC(rhs, 0).to, YYRHSLOC(rhs, 0).to})

/* One item between parentheses, before it is known whether they hold a tuple or parameters. */
typedef struct {
    Name name; /* of `name = value` and `name: type`, else NULL */
    Span name_span, span;
    Expr *value;    /* NULL for `name: type` */
    TypeExpr *type; /* NULL but for `name: type` */
} ParenItem;
typedef struct {
    VEC(ParenItem) items;
    bool comma; /* a comma stands after the last item */
} Paren;

/* A piece of a string as it was scanned. */
typedef struct {
    const char *text;
    size_t len;
} Text;

/* The value of a token or of a rule. */
typedef union {
    Name name;
    Expr *expr;
    TypeExpr *type;
    Pattern *pattern;
    Decl *decl;
    Text text;
    int64_t number;
    Operator op;
    ExprList exprs;
    TypeExprList types;
    TypeItem type_item;
    TypeItemList type_items;
    NameList names;
    PatternList patterns;
    PatternItem pattern_item;
    PatternItemList pattern_items;
    Arg arg;
    ArgList args;
    StringPart part;
    StringPartList parts;
    Clause clause;
    ClauseList clauses;
    Arm arm;
    ArmList arms;
    LoopVar loop_var;
    LoopVarList loop_vars;
    Attr attr;
    AttrList attrs;
    Param param;
    ParamList params;
    DeclList decls;
    Ctor ctor;
    CtorList ctors;
    ParenItem paren_item;
    Paren paren;
} Value;

typedef struct {
    int kind; /* a token kind of grammar.tab.h */
    Span span;
    Value value;
    int block; /* brackets open around it, up to the innermost brace */
    int depth; /* brackets open around it */
} Token;
typedef VEC(Token) TokenList;

/* An open bracket: `(` `[` `{`, '"' for the hole of a string, '@' for `@name(`, and 'A' for the
   brace of an actor. */
typedef struct {
    char kind;
    Span span;
    int indent; /* of the line it stands in, in bytes */
} Bracket;

/* A doc comment and the place of the token that follows it. */
typedef struct {
    const char *text;
    uint32_t before;
} Doc;

enum { BRACKETS_MAX = 200, TREE_DEPTH_MAX = 1000, HISTORY = 8 };

/* An expression that no other contains yet, and how deep it is. */
typedef struct {
    uint32_t from;
    int depth;
} Built;

typedef struct Parser {
    /* fixed after the start */
    Arena *arena;
    NameTable *names;
    Diags *diags;
    Source *source;
    Module *module;
    Name wildcard; /* "_" */
    /* scanner */
    const char *cur, *tok, *end; /* its place, the start of the token, the end of the text */
    TokenList queue;             /* scanned and not yet given to the parser */
    int taken;                   /* tokens of the queue that the parser has */
    Token last;                  /* the newest in the queue so far */
    int before_last;             /* the kind before that */
    Bracket open[BRACKETS_MAX];
    int depth;
    bool in_actor_head;          /* the next brace is an actor's */
    Span suspect, suspect_close; /* a brace whose `}` is indented like an outer one's */
    VEC(Doc) docs;
    Buf doc;         /* lines of the doc comment that is being read */
    bool quiet;      /* printing tokens: nothing is skipped */
    Span lost_line;  /* a string without an end took the rest of this line */
    bool hole_ended; /* the string just scanned ends a hole that has no `}` */
    bool aborted;    /* nested too deep: the text ends here */
    /* the parser's errors */
    Token history[HISTORY]; /* what the parser got, the newest first */
    bool skipping;          /* to the end of what the parser gives up */
    bool at_sync;           /* the unexpected token itself ends it */
    Token stopped_at;       /* the token of the last error */
    bool stuck;             /* this error is at that token again */
    int sync_block;
    Span last_error;
    int error_indent;  /* of its line */
    uint32_t inserted_at; /* where parse_insert_brace() last put a brace */
    bool missed_brace; /* it stands where a `{` had to be */
    int good;          /* tokens since the last error */
    /* constructors */
    VEC(Built) built;  /* since the declaration began, by place */
    VEC(Expr *) holes; /* `_` that no call, parameter or shape has taken yet */
} Parser;

/* Reports a syntax error and counts it. */
#define FAIL(p, code, at, ...)                                                                     \
    ((p)->module->errors++, diag_report((p)->diags, DIAG_##code, at, __VA_ARGS__))

/* ---- lang/lexer.re ---- */

int yylex(Value *value, Span *span, Parser *p);
/* A parser at the start of a module's source. */
Parser *parser_new(Arena *arena, NameTable *names, Diags *diags, Module *module);
/* The text that a span covers. */
const char *parse_text(const Parser *p, Span span, int *len);

/* For tools: all tokens up to the end of the file; may an operand end with this token; does a newline
   between these two end a statement (where the innermost bracket is a brace or none)? */
TokenList tokens_read(Parser *p);
bool token_ends_operand(int kind);
bool token_ends_line(int kind, int next);

/* A syntax error stands at a place. */
void parse_mark_error(Parser *p, Span at);
/* Does the line after this NL belong to the construct with the error? */
bool parse_line_goes_on(const Parser *p, const Token *newline);
/* If the layout shows that a `}` is missing before the line of the unexpected token, reports it and
   lets the parser read that line again after a `}`. */
bool parse_insert_brace(Parser *p);

/* ---- lang/grammar.y ---- */

int yyparse(Parser *p);
/* A token's kind as messages name it. */
const char *token_name(int kind);

/* ---- ast.c: constructors; each returns a node in the parser's arena ---- */

Expr *ast_expr(Parser *p, Expr expr);
TypeExpr *ast_type(Parser *p, TypeExpr type);
Pattern *ast_pattern(Parser *p, Pattern pattern);
Decl *ast_decl(Parser *p, Decl decl);
/* A name; `_` becomes a hole that something around it must take. */
Expr *ast_name(Parser *p, Span span, Name name);
Expr *ast_string(Parser *p, Span span, Text text);
/* f(args); with holes among them a lambda. */
Expr *ast_call(Parser *p, Span span, Expr *fn, ArgList args);
/* A call whose holes stay: the right side of a pipe. */
Expr *ast_pipe(Parser *p, Span span, Expr *lhs, Expr *rhs);
/* f(e for x in xs) */
Expr *ast_call_of(Parser *p, Span span, Expr *fn, Expr *comprehension);
Expr *ast_list(Parser *p, Span span, ArgList items);
/* A string with holes: the text before them, the holes and texts between, the text after. */
Expr *ast_string_of(Parser *p, Span span, Text head, StringPartList parts, Text tail);
Expr *ast_paren(Parser *p, Span span, Paren paren);
Expr *ast_lambda(Parser *p, Span span, Paren params, Expr *body);
/* `name -> e` */
Expr *ast_name_lambda(Parser *p, Span span, Span name_span, Name name, Expr *body);
/* Completes `for … if …` by its body; it spans from first to last. */
Expr *ast_comprehension(Span first, Span last, Expr *body, Expr *clauses);
Expr *ast_spawn(Parser *p, Span span, Span path_span, Name path, ArgList args);
/* Takes a size: `_` may stand there. */
Expr *ast_size(Parser *p, Expr *size);
/* (T) is T; other tuples stay. */
TypeExpr *ast_group_type(TypeExpr *tuple);
TypeExpr *ast_path_type(Parser *p, Span span, Name path, TypeExprList args);
Pattern *ast_name_pattern(Parser *p, Span span, Name name);
Pattern *ast_path_pattern(Parser *p, Span span, Name path, PatternItemList items, bool has_args);
Pattern *ast_tuple_pattern(Parser *p, Span span, Pattern *first, PatternList rest);
Pattern *ast_or_pattern(Parser *p, Span span, Pattern *lhs, Pattern *rhs);
Param ast_param(Parser *p, Span span, Name name, Span name_span, TypeExpr *type, Expr *init);
Name ast_join(Parser *p, Name path, Name last);
/* Adds the constructors of a sum type: `first` unless it is NULL, and the rest. */
void ast_sum(Parser *p, Decl *decl, const Ctor *first, CtorList rest);
/* Gives a declaration its attributes, doc comment and module. */
Decl *ast_declare(Parser *p, Span span, AttrList attrs, Decl *decl);
Decl *ast_handler(Parser *p, Span span, Span name_span, Name name, Decl decl);
Decl *ast_timer(Parser *p, Span span, Span word_span, Name word, Expr *period, Expr *body);
Decl *ast_actor(Parser *p, Decl actor);
/* Reports the holes that nothing took. */
void ast_check_holes(Parser *p);

#endif
