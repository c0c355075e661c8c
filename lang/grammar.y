/* The grammar of gact: LALR(1), without conflicts. Each action makes one node or grows one list.

   Newlines come as NL from the scanner (lexer.re), only where they end something. A list of
   things in braces and the file itself have an `error` alternative, `bad`: after a syntax error
   the scanner skips to the end of the statement, field, arm or declaration that is given up, so
   that the next token either separates or closes. */
%define api.pure full
%define api.location.type {Span}
%define api.value.type {Value}
%define parse.error custom
%define parse.lac full
%locations
%expect 0
%param { Parser *p }

%code requires { #include "parse.h" }
%code {
#include <stdlib.h>
#include <string.h>


/* yyerror() is called by Bison itself only when its stack is full. */
static void yyerror(const Span *at, Parser *p, const char *text);

#define EXPR(k, at, ...)    ast_expr(p, (Expr){.kind = EXPR_##k, .span = (at), __VA_ARGS__})
#define TYPEX(k, at, ...)   ast_type(p, (TypeExpr){.kind = TE_##k, .span = (at), __VA_ARGS__})
#define PATTERN(k, at, ...) ast_pattern(p, (Pattern){.kind = PAT_##k, .span = (at), __VA_ARGS__})
#define DECL(k, at, n, n_at, ...) \
    ast_decl(p, (Decl){.kind = DECL_##k, .span = (at), .name = (n), .name_span = (n_at), __VA_ARGS__})
#define BINARY(o, at, op_at, l, r) EXPR(BINARY, at, .binary = {OP_##o, op_at, l, r})
#define UNARY(o, at, e)     EXPR(UNARY, at, .unary = {OP_##o, e})
#define PUSH(list, ...)     vec_push(p->arena, &(list), __VA_ARGS__)
/* After `error`: the scanner has been told where to go on, unless the parser is there already. */
#define RECOVER \
    do { yyerrok; if (p->stuck && p->history[0].kind == YYEOF) YYABORT; if (!p->at_sync) yyclearin; } while (0)
}

%token NL "end of line"
%token <name> ID "name"
%token <expr> INT "integer" FLOAT "number" DURATION "duration"
%token <number> FIELD_NUM "field number"
%token <text> STR "string" STR_HEAD "start of a string" STR_MID "middle of a string"
%token <text> STR_TAIL "end of a string" FORMAT "format"
%token <op> OPEQ "assignment operator"
%token ACTOR "actor" AND "and" ASSERT "assert" BREAK "break" CONST "const" CONTINUE "continue"
%token DAG "dag" ELSE "else" FALSE "false" FN "fn" FOR "for" IF "if" IMPORT "import" IN "in"
%token LET "let" LOOP "loop" MATCH "match" NOT "not" OR "or" RETURN "return" SELF "self"
%token SPAWN "spawn" TRUE "true" TRY "try" VAR "var" WHILE "while" WITH "with"
%token BY "by" WITHIN "within" AFTER "after"
%token <name> STATE "state" ON "on" TEST "test" MAIN "main" AS "as" TYPE "type" STOP "stop"
%token ARROW "->" ARM "=>" PIPE "|>" EQ "==" NE "!=" LE "<=" GE ">=" SHL "<<" SHR ">>"
%token POW "**" DOTDOT ".." DOTEQ "..=" DOTSTAR ".*"

/* An else belongs to the nearest if: try if a { b } else { c } else d. */
%precedence THEN
%precedence ELSE
/* Operators, weakest first. */
%left OR
%left AND
%precedence NOT
%nonassoc EQ NE '<' LE '>' GE IN
%left '|'
%left '^'
%left '&'
%left SHL SHR
%nonassoc DOTDOT DOTEQ
%precedence BY
%left '+' '-'
%left '*' '/' '%'
%precedence UNARY
%right POW

%type <decls> decls actor_items some_items
%type <decl> decl decl_body import const type_decl typedef fn dag actor main test actor_item
%type <attrs> attrs some_attrs
%type <attr> attr
%type <name> path word name fn_name
%type <op> operator
%type <type_items> fields payload
%type <type_item> field payload_item
%type <ctors> ctors
%type <ctor> ctor ctor_args
%type <names> names type_params
%type <params> params param_list
%type <param> param plain_param
%type <type> result type tuple_type
%type <types> types
%type <exprs> dims some_dims stmts some_stmts items
%type <expr> body block stmt simple brief binding expr pipe update bin post primary item slice
%type <expr> comprehension if match loop string pat_number
%type <args> args some_args named
%type <arg> arg
%type <clauses> clauses
%type <clause> clause
%type <pattern> pattern alternatives
%type <name> dotted
%type <patterns> patterns
%type <pattern_items> ctor_patterns
%type <pattern_item> ctor_pattern
%type <paren> paren paren_items
%type <paren_item> paren_item
%type <arms> arms
%type <arm> arm
%type <loop_vars> loop_vars
%type <loop_var> loop_var
%type <parts> holes
%type <part> hole

%%
file: decls | decls bad ;
decls: %empty                   { $$ = (DeclList){0}; }
    | decls decl sep            { p->module->decls = $1; PUSH(p->module->decls, $2); $$ = p->module->decls; }
    | decls bad sep             { $$ = $1; } ;
sep: NL | ';' ;
sep_opt: %empty | sep ;
bad: error                      { RECOVER; } ;

/* ---- declarations ---- */
decl: attrs decl_body           { $$ = ast_declare(p, @$, $1, $2); } ;
decl_body: import | const | type_decl | fn | dag | actor | main | test ;
attrs: %empty                   { $$ = (AttrList){0}; } | some_attrs ;
some_attrs: attr                { $$ = (AttrList){0}; PUSH($$, $1); }
    | some_attrs attr           { $$ = $1; PUSH($$, $2); } ;
attr: '@' ID nl_opt             { $$ = (Attr){.name = $2, .span = {@1.from, @2.to}}; }
    | '@' ID '(' args ')' nl_opt { $$ = (Attr){$2, {@1.from, @5.to}, $4}; } ; /* keywords are names here */
nl_opt: %empty | NL ;

path: ID | path '.' ID          { $$ = ast_join(p, $1, $3); } ;
word: ID | STATE | ON | TEST | MAIN | AS | TYPE ; /* these keywords are names inside expressions */
name: word | STOP ;             /* …and `stop` where no expression may stand */

import: IMPORT path             { $$ = DECL(IMPORT, @$, NULL, @2, .import = {.path = $2}); }
    | IMPORT path AS ID         { $$ = DECL(IMPORT, @$, NULL, @2, .import = {.path = $2, .as = $4}); }
    | IMPORT path DOTSTAR       { $$ = DECL(IMPORT, @$, NULL, @2, .import = {.path = $2, .all = true}); }
    | IMPORT STR                { $$ = DECL(IMPORT, @$, NULL, @2, .import = {.path = $2.text, .is_file = true}); }
    | IMPORT STR AS ID          { $$ = DECL(IMPORT, @$, NULL, @2, .import = {.path = $2.text, .is_file = true, .as = $4}); } ;

const: CONST ID '=' expr        { $$ = DECL(CONST, @$, $2, @2, .constant = {NULL, $4}); }
    | CONST ID ':' type '=' expr { $$ = DECL(CONST, @$, $2, @2, .constant = {$4, $6}); } ;

type_decl: TYPE ID type_params '=' typedef { $$ = $5; $$->span = @$; $$->name = $2; $$->name_span = @2; $$->type.params = $3; } ;
type_params: %empty             { $$ = (NameList){0}; } | '[' names comma_opt ']' { $$ = $2; } ;
names: ID                       { $$ = (NameList){0}; PUSH($$, $1); }
    | names ',' ID              { $$ = $1; PUSH($$, $3); } ;
typedef: type                   { $$ = DECL(TYPE, @$, NULL, @$, .type = {.kind = TYPEDEF_ALIAS, .alias = $1}); }
    | '{' fields field_sep_opt '}' { $$ = DECL(TYPE, @$, NULL, @$, .type = {.kind = TYPEDEF_RECORD, .fields = $2}); }
    | ctor_args                 { $$ = DECL(TYPE, @$, NULL, @$, .type = {.kind = TYPEDEF_SUM}); PUSH($$->type.ctors, $1); }
    | ctor '|' ctors            { $$ = DECL(TYPE, @$, NULL, @$, .type = {.kind = TYPEDEF_SUM}); ast_sum(p, $$, &$1, $3); }
    | '|' ctors                 { $$ = DECL(TYPE, @$, NULL, @$, .type = {.kind = TYPEDEF_SUM}); ast_sum(p, $$, NULL, $2); } ;
fields: field                   { $$ = (TypeItemList){0}; PUSH($$, $1); }
    | bad                       { $$ = (TypeItemList){0}; }
    | fields field_sep field    { $$ = $1; PUSH($$, $3); }
    | fields field_sep bad      { $$ = $1; } ;
field_sep: ',' | sep | ',' sep ;
field_sep_opt: %empty | field_sep ;
field: name ':' type            { $$ = (TypeItem){$1, @1, $3}; } ;
ctors: ctor                     { $$ = (CtorList){0}; PUSH($$, $1); }
    | ctors '|' ctor            { $$ = $1; PUSH($$, $3); } ;
ctor: ID                        { $$ = (Ctor){.name = $1, .span = @1}; } | ctor_args ;
ctor_args: ID '(' payload comma_opt ')' { $$ = (Ctor){$1, @1, $3}; } ;
payload: payload_item           { $$ = (TypeItemList){0}; PUSH($$, $1); }
    | payload ',' payload_item  { $$ = $1; PUSH($$, $3); } ;
payload_item: type              { $$ = (TypeItem){NULL, {0, 0}, $1}; }
    | name ':' type             { $$ = (TypeItem){$1, @1, $3}; } ;

fn: FN fn_name type_params '(' params ')' result body { $$ = DECL(FN, @$, $2, @2, .fn = {$3, $5, $7, $8, .op = OP_COUNT}); }
    | FN '(' operator ')' type_params '(' params ')' result body {
        $$ = DECL(FN, @$, name_cstr(p->names, operator_spelling($3)), @3, .fn = {$5, $7, $9, $10, .op = $3}); } ;
fn_name: name ;
params: %empty                  { $$ = (ParamList){0}; } | param_list comma_opt { $$ = $1; } ;
comma_opt: %empty | ',' ;
param_list: param               { $$ = (ParamList){0}; PUSH($$, $1); }
    | param_list ',' param      { $$ = $1; PUSH($$, $3); } ;
param: plain_param
    | CONST plain_param         { $$ = $2; $$.is_const = true; $$.span = @$; } ;
plain_param: name               { $$ = ast_param(p, @$, $1, @1, NULL, NULL); }
    | name ':' type             { $$ = ast_param(p, @$, $1, @1, $3, NULL); }
    | name '=' expr             { $$ = ast_param(p, @$, $1, @1, NULL, $3); }
    | name ':' type '=' expr    { $$ = ast_param(p, @$, $1, @1, $3, $5); } ;
result: %empty                  { $$ = NULL; } | ARROW type { $$ = $2; } ;
body: '=' expr                  { $$ = $2; } | block ;

dag: DAG name '(' params ')' result body { $$ = DECL(DAG, @$, $2, @2, .fn = {{0}, $4, $6, $7, .op = OP_COUNT}); } ;
main: MAIN block                { $$ = DECL(MAIN, @$, NULL, @1, .fn = {.body = $2, .op = OP_COUNT}); }
    | MAIN '(' params ')' block { $$ = DECL(MAIN, @$, NULL, @1, .fn = {.params = $3, .body = $5, .op = OP_COUNT}); } ;
test: TEST STR block            { $$ = DECL(TEST, @$, NULL, @2, .fn = {.title = $2.text, .body = $3, .op = OP_COUNT}); } ;

actor: ACTOR ID type_params actor_items { $$ = ast_actor(p, (Decl){.span = @$, .name = $2, .name_span = @2, .actor = {$3, {0}, $4}}); }
    | ACTOR ID type_params '(' params ')' actor_items {
        $$ = ast_actor(p, (Decl){.span = @$, .name = $2, .name_span = @2, .actor = {$3, $5, $7}}); } ;
actor_items: '{' '}'            { $$ = (DeclList){0}; } | '{' some_items sep_opt '}' { $$ = $2; } ;
some_items: actor_item          { $$ = (DeclList){0}; PUSH($$, $1); }
    | bad                       { $$ = (DeclList){0}; }
    | some_items sep actor_item { $$ = $1; PUSH($$, $3); }
    | some_items sep bad        { $$ = $1; } ;
actor_item: STATE name ':' type '=' expr { $$ = ast_declare(p, @$, (AttrList){0}, DECL(STATE, @$, $2, @2, .constant = {$4, $6})); }
    | STATE name '=' expr       { $$ = ast_declare(p, @$, (AttrList){0}, DECL(STATE, @$, $2, @2, .constant = {NULL, $4})); }
    | attrs ON name '(' params ')' result body {
        $$ = ast_declare(p, @$, $1, ast_handler(p, @$, @3, $3, (Decl){.fn = {{0}, $5, $7, $8, .op = OP_COUNT}})); }
    | attrs ON name block       { $$ = ast_declare(p, @$, $1, ast_handler(p, @$, @3, $3, (Decl){.fn = {.body = $4, .op = OP_COUNT}})); }
    | attrs fn                  { $$ = ast_declare(p, @$, $1, $2); }
    | ID expr block             { $$ = ast_declare(p, @$, (AttrList){0}, ast_timer(p, @$, @1, $1, $2, $3)); } ; /* every, after */

/* ---- types ---- */
type: path                      { $$ = ast_path_type(p, @$, $1, (TypeExprList){0}); }
    | path '[' types comma_opt ']' { $$ = ast_path_type(p, @$, $1, $3); }
    | '[' dims ']' type         { $$ = TYPEX(ARRAY, @$, .array = {$2, $4}); }
    | tuple_type                { $$ = ast_group_type($1); }
    | tuple_type ARROW type     { $$ = TYPEX(FN, @$, .fn = {$1->tuple, $3}); } ;
types: type                     { $$ = (TypeExprList){0}; PUSH($$, $1); }
    | types ',' type            { $$ = $1; PUSH($$, $3); } ;
tuple_type: '(' ')'             { $$ = TYPEX(TUPLE, @$, .tuple = {0}); }
    | '(' payload comma_opt ')' { $$ = TYPEX(TUPLE, @$, .tuple = $2); } ;
dims: %empty                    { $$ = (ExprList){0}; PUSH($$, EXPR(HOLE, @$)); } | some_dims ;
some_dims: bin                  { $$ = (ExprList){0}; PUSH($$, ast_size(p, $1)); }
    | some_dims ',' bin         { $$ = $1; PUSH($$, ast_size(p, $3)); } ;

/* ---- statements ---- */
block: '{' stmts '}'            { $$ = EXPR(BLOCK, @$, .block = $2); } ;
stmts: %empty                   { $$ = (ExprList){0}; } | some_stmts sep_opt { $$ = $1; } ;
some_stmts: stmt                { $$ = (ExprList){0}; PUSH($$, $1); }
    | bad                       { $$ = (ExprList){0}; PUSH($$, EXPR(ERROR, @1)); }
    | some_stmts sep stmt       { $$ = $1; PUSH($$, $3); }
    | some_stmts sep bad        { $$ = $1; PUSH($$, EXPR(ERROR, @3)); } ;
stmt: simple
    | binding
    | some_attrs binding        { $$ = $2; $$->span = @$; $$->let.attrs = $1; }
    | FOR clauses block         { $$ = EXPR(FOR, @$, .for_loop = {$2, $3}); }
    | WHILE expr block          { $$ = EXPR(WHILE, @$, .while_loop = {$2, $3}); } ;
binding: LET pattern '=' expr   { $$ = EXPR(LET, @$, .let = {.pattern = $2, .value = $4}); }
    | LET pattern ':' type '=' expr { $$ = EXPR(LET, @$, .let = {.pattern = $2, .type = $4, .value = $6}); }
    | VAR pattern '=' expr      { $$ = EXPR(LET, @$, .let = {.pattern = $2, .value = $4, .is_var = true}); }
    | VAR pattern ':' type '=' expr { $$ = EXPR(LET, @$, .let = {.pattern = $2, .type = $4, .value = $6, .is_var = true}); } ;
simple: brief
    | ASSERT expr               { $$ = EXPR(ASSERT, @$, .assertion = {$2, NULL}); }
    | ASSERT expr ',' expr      { $$ = EXPR(ASSERT, @$, .assertion = {$2, $4}); } ;
brief: expr /* the statements that may also be the body of a match arm */
    | expr '=' expr             { $$ = EXPR(ASSIGN, @$, .assign = {$1, OP_COUNT, @2, $3}); }
    | expr OPEQ expr            { $$ = EXPR(ASSIGN, @$, .assign = {$1, $2, @2, $3}); }
    | RETURN                    { $$ = EXPR(RETURN, @$, .value = NULL); }
    | RETURN expr               { $$ = EXPR(RETURN, @$, .value = $2); }
    | BREAK                     { $$ = EXPR(BREAK, @$); }
    | CONTINUE                  { $$ = EXPR(CONTINUE, @$); }
    | STOP expr                 { $$ = EXPR(STOP, @$, .value = $2); } ;

clauses: clause                 { $$ = (ClauseList){0}; PUSH($$, $1); }
    | clauses ',' clause        { $$ = $1; PUSH($$, $3); } ;
clause: pattern IN expr         { $$ = (Clause){$1, $3}; } ;

/* ---- patterns ---- */
pattern: word                   { $$ = ast_name_pattern(p, @$, $1); }
    | pat_number                { $$ = PATTERN(LITERAL, @$, .literal = $1); }
    | FLOAT                     { $$ = PATTERN(LITERAL, @$, .literal = $1); }
    | '-' FLOAT                 { $$ = PATTERN(LITERAL, @$, .literal = UNARY(NEG, @$, $2)); }
    | DURATION                  { $$ = PATTERN(LITERAL, @$, .literal = $1); }
    | STR                       { $$ = PATTERN(LITERAL, @$, .literal = ast_string(p, @$, $1)); }
    | TRUE                      { $$ = PATTERN(LITERAL, @$, .literal = EXPR(BOOL, @$, .boolean = true)); }
    | FALSE                     { $$ = PATTERN(LITERAL, @$, .literal = EXPR(BOOL, @$, .boolean = false)); }
    | pat_number DOTDOT pat_number { $$ = PATTERN(RANGE, @$, .range = {$1, $3, false}); }
    | pat_number DOTEQ pat_number { $$ = PATTERN(RANGE, @$, .range = {$1, $3, true}); }
    | dotted                    { $$ = ast_path_pattern(p, @$, $1, (PatternItemList){0}, false); }
    | dotted '(' ctor_patterns comma_opt ')' { $$ = ast_path_pattern(p, @$, $1, $3, true); }
    | word '(' ctor_patterns comma_opt ')' { $$ = ast_path_pattern(p, @$, $1, $3, true); }
    | '(' pattern ')'           { $$ = $2; }
    | '(' pattern ',' patterns comma_opt ')' { $$ = ast_tuple_pattern(p, @$, $2, $4); } ;
pat_number: INT | '-' INT       { $$ = UNARY(NEG, @$, $2); } ;
dotted: word '.' ID             { $$ = ast_join(p, $1, $3); } | dotted '.' ID { $$ = ast_join(p, $1, $3); } ;
patterns: pattern               { $$ = (PatternList){0}; PUSH($$, $1); }
    | patterns ',' pattern      { $$ = $1; PUSH($$, $3); } ;
ctor_patterns: ctor_pattern     { $$ = (PatternItemList){0}; PUSH($$, $1); }
    | ctor_patterns ',' ctor_pattern { $$ = $1; PUSH($$, $3); } ;
ctor_pattern: pattern           { $$ = (PatternItem){NULL, {0, 0}, $1}; }
    | name '=' pattern          { $$ = (PatternItem){$1, @1, $3}; } ;
alternatives: pattern | alternatives '|' pattern { $$ = ast_or_pattern(p, @$, $1, $3); } ;

/* ---- expressions ---- */
expr: pipe
    | word ARROW expr           { $$ = ast_name_lambda(p, @$, @1, $1, $3); }
    | paren ARROW expr          { $$ = ast_lambda(p, @$, $1, $3); }
    | TRY expr ELSE expr        { $$ = EXPR(TRY, @$, .attempt = {$2, $4}); } ;
pipe: update | pipe PIPE post   { $$ = ast_pipe(p, @$, $1, $3); } ;
update: bin
    | update WITH '(' named comma_opt ')' { $$ = EXPR(WITH_FIELDS, @$, .with_fields = {$1, $4}); }
    | update WITH '[' items ']' '=' bin { $$ = EXPR(WITH_AT, @$, .with_at = {$1, $4, $7}); }
    | bin WITHIN bin            { $$ = EXPR(WITHIN, @$, .timed = {$1, $3}); }  /* an ask's time limit */
    | bin AFTER bin             { $$ = EXPR(AFTER, @$, .timed = {$1, $3}); } ; /* a send that is delivered later */
named: name '=' expr            { $$ = (ArgList){0}; PUSH($$, (Arg){$1, @1, $3}); }
    | named ',' name '=' expr   { $$ = $1; PUSH($$, (Arg){$3, @3, $5}); } ;

bin: post
    | bin OR bin                { $$ = BINARY(OR, @$, @2, $1, $3); }
    | bin AND bin               { $$ = BINARY(AND, @$, @2, $1, $3); }
    | NOT bin                   { $$ = UNARY(NOT, @$, $2); }
    | bin EQ bin                { $$ = BINARY(EQ, @$, @2, $1, $3); }
    | bin NE bin                { $$ = BINARY(NE, @$, @2, $1, $3); }
    | bin '<' bin               { $$ = BINARY(LT, @$, @2, $1, $3); }
    | bin LE bin                { $$ = BINARY(LE, @$, @2, $1, $3); }
    | bin '>' bin               { $$ = BINARY(GT, @$, @2, $1, $3); }
    | bin GE bin                { $$ = BINARY(GE, @$, @2, $1, $3); }
    | bin IN bin                { $$ = BINARY(IN, @$, @2, $1, $3); }
    | bin '|' bin               { $$ = BINARY(BITOR, @$, @2, $1, $3); }
    | bin '^' bin               { $$ = BINARY(BITXOR, @$, @2, $1, $3); }
    | bin '&' bin               { $$ = BINARY(BITAND, @$, @2, $1, $3); }
    | bin SHL bin               { $$ = BINARY(SHL, @$, @2, $1, $3); }
    | bin SHR bin               { $$ = BINARY(SHR, @$, @2, $1, $3); }
    | bin DOTDOT bin            { $$ = EXPR(RANGE, @$, .range = {$1, $3, NULL, false}); }
    | bin DOTEQ bin             { $$ = EXPR(RANGE, @$, .range = {$1, $3, NULL, true}); }
    | bin DOTDOT bin BY bin     { $$ = EXPR(RANGE, @$, .range = {$1, $3, $5, false}); }
    | bin DOTEQ bin BY bin      { $$ = EXPR(RANGE, @$, .range = {$1, $3, $5, true}); }
    | bin '+' bin               { $$ = BINARY(ADD, @$, @2, $1, $3); }
    | bin '-' bin               { $$ = BINARY(SUB, @$, @2, $1, $3); }
    | bin '*' bin               { $$ = BINARY(MUL, @$, @2, $1, $3); }
    | bin '/' bin               { $$ = BINARY(DIV, @$, @2, $1, $3); }
    | bin '%' bin               { $$ = BINARY(MOD, @$, @2, $1, $3); }
    | bin POW bin               { $$ = BINARY(POW, @$, @2, $1, $3); }
    | '-' bin %prec UNARY       { $$ = UNARY(NEG, @$, $2); }
    | '~' bin %prec UNARY       { $$ = UNARY(INVERT, @$, $2); } ;

post: primary
    | post '.' ID               { $$ = EXPR(FIELD, @$, .field = {$1, $3, @3}); }
    | post FIELD_NUM            { $$ = EXPR(TUPLE_FIELD, @$, .tuple_field = {$1, $2}); }
    | post '(' args ')'         { $$ = ast_call(p, @$, $1, $3); }
    | post '(' expr comprehension ')' { $$ = ast_call_of(p, @$, $1, ast_comprehension(@3, @4, $3, $4)); }
    | post '[' items ']'        { $$ = EXPR(INDEX, @$, .index = {$1, $3}); }
    | post '!' name '(' args ')' { $$ = EXPR(SEND, @$, .send = {$1, $3, @3, $5}); }
    | post '?' name '(' args ')' { $$ = EXPR(ASK, @$, .send = {$1, $3, @3, $5}); } ;

args: %empty                    { $$ = (ArgList){0}; } | some_args comma_opt { $$ = $1; } ;
some_args: arg                  { $$ = (ArgList){0}; PUSH($$, $1); }
    | some_args ',' arg         { $$ = $1; PUSH($$, $3); } ;
arg: expr                       { $$ = (Arg){NULL, {0, 0}, $1}; }
    | name '=' expr             { $$ = (Arg){$1, @1, $3}; } ;

items: item                     { $$ = (ExprList){0}; PUSH($$, $1); }
    | items ',' item            { $$ = $1; PUSH($$, $3); } ;
item: expr | slice ;
slice: DOTDOT                   { $$ = EXPR(RANGE, @$, .range = {0}); }
    | bin DOTDOT                { $$ = EXPR(RANGE, @$, .range = {.lo = $1}); }
    | DOTDOT bin                { $$ = EXPR(RANGE, @$, .range = {.hi = $2}); }
    | DOTEQ bin                 { $$ = EXPR(RANGE, @$, .range = {.hi = $2, .inclusive = true}); }
    | DOTDOT BY bin             { $$ = EXPR(RANGE, @$, .range = {.by = $3}); }
    | bin DOTDOT BY bin         { $$ = EXPR(RANGE, @$, .range = {.lo = $1, .by = $4}); }
    | DOTDOT bin BY bin         { $$ = EXPR(RANGE, @$, .range = {.hi = $2, .by = $4}); }
    | DOTEQ bin BY bin          { $$ = EXPR(RANGE, @$, .range = {.hi = $2, .by = $4, .inclusive = true}); } ;

primary: word                   { $$ = ast_name(p, @$, $1); }
    | INT | FLOAT | DURATION | string
    | TRUE                      { $$ = EXPR(BOOL, @$, .boolean = true); }
    | FALSE                     { $$ = EXPR(BOOL, @$, .boolean = false); }
    | SELF                      { $$ = EXPR(SELF, @$); }
    | paren                     { $$ = ast_paren(p, @$, $1); }
    | '(' operator ')'          { $$ = EXPR(OPERATOR, @$, .op = $2); }
    | '[' ']'                   { $$ = EXPR(LIST, @$, .list = {0}); }
    | '[' some_args comma_opt ']' { $$ = ast_list(p, @$, $2); }
    | '[' expr comprehension ']' { $$ = ast_comprehension(@1, @4, $2, $3); }
    | block | if | match | loop
    | SPAWN path '(' args ')'   { $$ = ast_spawn(p, @$, @2, $2, $4); } ;

/* A tuple, a named tuple, something in parentheses, or the parameters of a lambda: which one is
   known after the `)`, so all four are read alike and told apart by what follows. */
paren: '(' ')'                  { $$ = (Paren){0}; }
    | '(' paren_items ')'       { $$ = $2; }
    | '(' paren_items ',' ')'   { $$ = $2; $$.comma = true; } ;
paren_items: paren_item         { $$ = (Paren){0}; PUSH($$.items, $1); }
    | paren_items ',' paren_item { $$ = $1; PUSH($$.items, $3); } ;
paren_item: expr                { $$ = (ParenItem){.span = @$, .value = $1}; }
    | name '=' expr             { $$ = (ParenItem){$1, @1, @$, $3, NULL}; }
    | name ':' type             { $$ = (ParenItem){$1, @1, @$, NULL, $3}; } ;

operator: '+' { $$ = OP_ADD; } | '-' { $$ = OP_SUB; } | '*' { $$ = OP_MUL; } | '/' { $$ = OP_DIV; }
    | '%' { $$ = OP_MOD; } | POW { $$ = OP_POW; } | '&' { $$ = OP_BITAND; } | '|' { $$ = OP_BITOR; }
    | '^' { $$ = OP_BITXOR; } | SHL { $$ = OP_SHL; } | SHR { $$ = OP_SHR; } | EQ { $$ = OP_EQ; }
    | NE { $$ = OP_NE; } | '<' { $$ = OP_LT; } | LE { $$ = OP_LE; } | '>' { $$ = OP_GT; }
    | GE { $$ = OP_GE; } | AND { $$ = OP_AND; } | OR { $$ = OP_OR; } | NOT { $$ = OP_NOT; }
    | '~' { $$ = OP_INVERT; } ;

comprehension: FOR clauses      { $$ = EXPR(COMPREHENSION, @$, .comp = {NULL, $2, NULL}); }
    | FOR clauses IF expr       { $$ = EXPR(COMPREHENSION, @$, .comp = {NULL, $2, $4}); } ;

if: IF expr block %prec THEN    { $$ = EXPR(IF, @$, .branch = {$2, $3, NULL}); }
    | IF expr block ELSE block  { $$ = EXPR(IF, @$, .branch = {$2, $3, $5}); }
    | IF expr block ELSE if     { $$ = EXPR(IF, @$, .branch = {$2, $3, $5}); } ;
match: MATCH expr '{' arms field_sep_opt '}' { $$ = EXPR(MATCH, @$, .match = {$2, $4}); } ;
arms: arm                       { $$ = (ArmList){0}; PUSH($$, $1); }
    | bad                       { $$ = (ArmList){0}; }
    | arms field_sep arm        { $$ = $1; PUSH($$, $3); }
    | arms field_sep bad        { $$ = $1; } ;
arm: alternatives ARM brief     { $$ = (Arm){$1, NULL, $3, @$}; }
    | alternatives IF expr ARM brief { $$ = (Arm){$1, $3, $5, @$}; } ;
loop: LOOP '(' loop_vars comma_opt ')' FOR clause block { $$ = EXPR(LOOP, @$, .loop = {$3, $7.pattern, $7.source, NULL, $8}); }
    | LOOP '(' loop_vars comma_opt ')' WHILE expr block { $$ = EXPR(LOOP, @$, .loop = {$3, NULL, NULL, $7, $8}); } ;
loop_vars: loop_var             { $$ = (LoopVarList){0}; PUSH($$, $1); }
    | loop_vars ',' loop_var    { $$ = $1; PUSH($$, $3); } ;
loop_var: pattern '=' expr      { $$ = (LoopVar){$1, NULL, $3}; }
    | pattern ':' type '=' expr { $$ = (LoopVar){$1, $3, $5}; } ;

string: STR                     { $$ = ast_string(p, @$, $1); }
    | STR_HEAD holes STR_TAIL   { $$ = ast_string_of(p, @$, $1, $2, $3); } ;
holes: hole                     { $$ = (StringPartList){0}; PUSH($$, $1); }
    | holes STR_MID hole        { $$ = $1; PUSH($$, (StringPart){.text = $2.text, .len = $2.len}); PUSH($$, $3); } ;
hole: expr                      { $$ = (StringPart){.hole = $1, .format = "", .format_span = {@1.to, @1.to}}; }
    | expr FORMAT               { $$ = (StringPart){.hole = $1, .format = $2.text, .format_span = @2}; } ;
%%

/* ---- errors: what was expected, and slips with messages of their own ---- */

/* What the parser knows about an unexpected token. */
typedef struct {
    Parser *p;
    const Token *found;
    const bool *expected; /* by symbol */
    bool after_operand;   /* an operator could follow */
} Unexpected;

#define EXPECTS(u, kind) ((u)->expected[YYTRANSLATE(kind)])

static const Token *token_before(const Unexpected *u, int n) {
    return &u->p->history[n];
}

static bool text_is(const Unexpected *u, const Token *t, const char *word) {
    int len;
    const char *text = parse_text(u->p, t->span, &len);
    return (size_t)len == strlen(word) && !memcmp(text, word, (size_t)len);
}

static bool begins_line(const Unexpected *u, int n) {
    int kind = n + 1 < HISTORY ? token_before(u, n + 1)->kind : NL;
    return kind == NL || kind == ';' || kind == '{' || kind == YYEOF;
}

static bool is_keyword(const Unexpected *u) {
    return u->found->kind >= ACTOR && u->found->kind <= WITH;
}

static bool slip_ternary(const Unexpected *u) {
    int question = 0;
    for (int i = 1; i < HISTORY && !question; i++)
        if (token_before(u, i)->kind == '?')
            question = i;
    if (!question || (question > 2 && u->found->kind != ':'))
        return false;
    Diag *d = FAIL(u->p, TERNARY, token_before(u, question)->span, "`?` asks an actor; it does not choose a value");
    diag_help(u->p->diags, d, "choose with `if c { a } else { b }`");
    return true;
}

static bool slip_let_mut(const Unexpected *u) {
    const Token *word = token_before(u, 1);
    if (token_before(u, 2)->kind != LET || word->kind != ID || !text_is(u, word, "mut"))
        return false;
    Span at = {token_before(u, 2)->span.from, word->span.to};
    Diag *d = FAIL(u->p, LET_MUT, at, "a variable that changes is declared with `var`");
    diag_fix(u->p->diags, d, at, "var", true);
    return true;
}

static bool slip_c_for(const Unexpected *u) {
    if (u->found->kind != '=' || token_before(u, 2)->kind != '(' || token_before(u, 3)->kind != FOR)
        return false;
    Diag *d = FAIL(u->p, C_FOR, token_before(u, 3)->span, "`for` runs over the elements of a range or an array");
    diag_help(u->p->diags, d, "write `for i in 0..n { … }`");
    return true;
}

static bool slip_missing_in(const Unexpected *u) {
    if (!EXPECTS(u, IN) || u->after_operand)
        return false;
    bool replaces = u->found->kind == '=' || u->found->kind == ':';
    Diag *d = FAIL(u->p, MISSING_IN, u->found->span, "expected `in` after the names of `for`");
    Span before = {u->found->span.from, u->found->span.from};
    diag_fix(u->p->diags, d, replaces ? u->found->span : before, replaces ? "in" : "in ", true);
    return true;
}

static bool slip_brace_on_next_line(const Unexpected *u) {
    const Parser *p = u->p;
    if (u->found->kind != NL || !EXPECTS(u, '{') || p->taken == p->queue.len ||
        p->queue.at[p->taken].kind != '{')
        return false;
    Diag *d = FAIL(u->p, BRACE_ON_NEXT_LINE, p->queue.at[p->taken].span, "this `{` stands on a line of its own");
    diag_span(u->p->diags, d, u->found->span, "the line ends before its body");
    diag_help(u->p->diags, d, "move the `{` to the end of the line before");
    return true;
}

static bool slip_assignment(const Unexpected *u) {
    if (u->found->kind != '=' || !u->after_operand)
        return false;
    Diag *d = FAIL(u->p, ASSIGN_IN_CONDITION, u->found->span, "`=` assigns and cannot stand in an expression");
    diag_fix(u->p->diags, d, u->found->span, "==", false);
    return true;
}

/* Words of other languages and what gact says. */
static const struct { const char *word, *meant; } foreign_words[] = {
    {"def", "fn"}, {"func", "fn"}, {"function", "fn"}, {"fun", "fn"}, {"proc", "fn"},
    {"sub", "fn"}, {"kernel", "dag"}, {"class", "type"}, {"struct", "type"}, {"enum", "type"},
    {"record", "type"}, {"data", "type"}, {"typedef", "type"}, {"use", "import"},
    {"using", "import"}, {"include", "import"}, {"from", "import"}, {"require", "import"},
};

static bool slip_foreign_word(const Unexpected *u) {
    bool at_found = EXPECTS(u, IMPORT) && u->found->kind == ID;
    const Token *t = at_found ? u->found : token_before(u, 1);
    if (t->kind != ID || (!at_found && (u->found->kind != ID || !begins_line(u, 1))))
        return false;
    for (int i = 0; i < ARRAY_LEN(foreign_words); i++)
        if (text_is(u, t, foreign_words[i].word)) {
            Diag *d = FAIL(u->p, FOREIGN_WORD, t->span, "`%s` is written `%s`", foreign_words[i].word,
                           foreign_words[i].meant);
            diag_fix(u->p->diags, d, t->span, foreign_words[i].meant, false);
            return true;
        }
    return false;
}

static bool is_type_word(const Unexpected *u, const Token *t) {
    static const char *const words[] = {"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16",
                                        "bf16", "f32", "f64", "bool", "string", "int", "float",
                                        "double", "long", "char", "size_t", "auto"};
    for (int i = 0; i < ARRAY_LEN(words); i++)
        if (t->kind == ID && text_is(u, t, words[i]))
            return true;
    return false;
}

static bool slip_c_declaration(const Unexpected *u) {
    const Token *type = token_before(u, 1);
    if (u->found->kind != ID || !is_type_word(u, type) || !begins_line(u, 1))
        return false;
    int len;
    const char *name = parse_text(u->p, u->found->span, &len);
    Diag *d = FAIL(u->p, C_DECLARATION, type->span, "a name is declared with `let` or `var`, its type stands after it");
    diag_help(u->p->diags, d, "write `let %.*s = …` or `let %.*s: T = …`", len, name, len, name);
    return true;
}

static bool slip_cast(const Unexpected *u) {
    int kind = u->found->kind;
    if (token_before(u, 1)->kind != ')' || !is_type_word(u, token_before(u, 2)) ||
        token_before(u, 3)->kind != '(' || (kind != ID && kind != INT && kind != FLOAT))
        return false;
    Span at = {token_before(u, 3)->span.from, token_before(u, 1)->span.to};
    int type_len, len;
    const char *type = parse_text(u->p, token_before(u, 2)->span, &type_len);
    const char *operand = parse_text(u->p, u->found->span, &len);
    Diag *d = FAIL(u->p, C_CAST, at, "a conversion is written like a call");
    diag_fix(u->p->diags, d, (Span){at.from, u->found->span.to},
             arena_printf(u->p->arena, "%.*s(%.*s)", type_len, type, len, operand), false);
    return true;
}

static bool is_comparison(int kind) {
    return kind == EQ || kind == NE || kind == '<' || kind == LE || kind == '>' || kind == GE || kind == IN;
}

static bool slip_chained_comparison(const Unexpected *u) {
    if (!is_comparison(u->found->kind) || !EXPECTS(u, AND) || EXPECTS(u, EQ))
        return false;
    Diag *d = FAIL(u->p, CHAINED_COMPARISON, u->found->span, "comparisons cannot be chained");
    diag_help(u->p->diags, d, "write `a < b and b < c`");
    return true;
}

static bool slip_fat_arrow(const Unexpected *u) {
    if (u->found->kind != ARM || !EXPECTS(u, ARROW))
        return false;
    Diag *d = FAIL(u->p, FAT_ARROW, u->found->span, "a lambda is written with `->`");
    diag_fix(u->p->diags, d, u->found->span, "->", true);
    return true;
}

static bool slip_colon_result(const Unexpected *u) {
    if (u->found->kind != ':' || !EXPECTS(u, ARROW) || !EXPECTS(u, '{') || u->after_operand)
        return false;
    Diag *d = FAIL(u->p, COLON_RESULT, u->found->span, "the type of a result stands after `->`");
    diag_fix(u->p->diags, d, u->found->span, " ->", true);
    return true;
}

static bool slip_missing_braces(const Unexpected *u) {
    bool word = u->found->kind == ID && (text_is(u, u->found, "then") || text_is(u, u->found, "do"));
    if (!EXPECTS(u, '{') || EXPECTS(u, LOOP) || (!word && u->found->kind != ':'))
        return false;
    int len;
    const char *text = parse_text(u->p, u->found->span, &len);
    FAIL(u->p, MISSING_BRACES, u->found->span, "a body stands in braces; there is no `%.*s`", len, text);
    return true;
}

static bool slip_nested_declaration(const Unexpected *u) {
    int kind = u->found->kind;
    if (!EXPECTS(u, LET) || (kind != FN && kind != DAG && kind != ACTOR && kind != IMPORT && kind != CONST))
        return false;
    Diag *d = FAIL(u->p, NESTED_DECLARATION, u->found->span, "`%s` cannot stand inside a body", token_name(kind));
    if (kind == FN)
        diag_help(u->p->diags, d, "bind a lambda: `let f = x -> x + 1`");
    else if (kind == CONST)
        diag_help(u->p->diags, d, "inside a body a name is bound with `let`");
    else
        diag_help(u->p->diags, d, "it stands outside of all braces");
    return true;
}

static bool slip_statement_as_value(const Unexpected *u) {
    int kind = u->found->kind;
    bool statement = kind == LET || kind == VAR || kind == ASSERT || kind == WHILE || kind == FOR ||
                     kind == RETURN || kind == BREAK || kind == CONTINUE || kind == STOP;
    if (!statement || !EXPECTS(u, LOOP) || EXPECTS(u, LET))
        return false;
    Diag *d = FAIL(u->p, STATEMENT_AS_VALUE, u->found->span, "`%s` is a statement and has no value", token_name(kind));
    diag_help(u->p->diags, d, "put it into a block: `{ %s … }`", token_name(kind));
    return true;
}

static bool slip_keyword_as_name(const Unexpected *u) {
    bool actor_item = EXPECTS(u, STATE) && EXPECTS(u, FN);
    if (!is_keyword(u) || actor_item || !EXPECTS(u, ID) || EXPECTS(u, LOOP) || EXPECTS(u, IMPORT) || u->after_operand)
        return false;
    FAIL(u->p, KEYWORD_AS_NAME, u->found->span, "`%s` is a keyword and cannot be a name", token_name(u->found->kind));
    return true;
}

static bool slip_decrement(const Unexpected *u) {
    const Token *first = token_before(u, 2), *second = token_before(u, 1);
    if (first->kind != '-' || second->kind != '-' || first->span.to != second->span.from)
        return false;
    Diag *d = FAIL(u->p, INCREMENT, (Span){first->span.from, second->span.to}, "there is no operator `--`");
    diag_help(u->p->diags, d, "write `x -= 1`");
    return true;
}

/* A body begins, or another string, where a bracket had to be closed. */
static bool slip_unclosed(const Unexpected *u) {
    const Parser *p = u->p;
    bool string = (u->found->kind == STR || u->found->kind == STR_HEAD) && EXPECTS(u, STR_TAIL);
    bool body = u->found->kind == '{' && (EXPECTS(u, ')') || EXPECTS(u, ']')) && !EXPECTS(u, LOOP);
    int i = p->depth;
    while (i && p->open[i - 1].span.from >= u->found->span.from)
        i--;
    if ((!string && !body) || !i || p->open[i - 1].kind == '{')
        return false;
    const Bracket *open = &p->open[i - 1];
    Diag *d = FAIL(u->p, UNCLOSED_BRACKET, open->span, "this `%s` is never closed",
                   open->kind == '"' ? "{" : open->kind == '[' ? "[" : "(");
    diag_span(p->diags, d, u->found->span, "it is still open here");
    return true;
}

static bool (*const slips[])(const Unexpected *) = {
    slip_unclosed, slip_ternary, slip_let_mut, slip_c_for, slip_missing_in, slip_brace_on_next_line,
    slip_cast, slip_decrement, slip_assignment, slip_foreign_word, slip_c_declaration,
    slip_chained_comparison, slip_fat_arrow, slip_colon_result, slip_missing_braces,
    slip_nested_declaration, slip_statement_as_value, slip_keyword_as_name,
};

/* What could begin here, as one phrase, or NULL. */
static const char *expected_phrase(const Unexpected *u) {
    if (u->after_operand)
        return NULL;
    if (EXPECTS(u, LET))
        return "a statement";
    if (EXPECTS(u, LOOP))
        return "an expression";
    if (EXPECTS(u, INT))
        return "a pattern";
    if (EXPECTS(u, IMPORT))
        return "a declaration";
    if (EXPECTS(u, STATE) && EXPECTS(u, FN))
        return "an item of the actor";
    if (EXPECTS(u, ID) && EXPECTS(u, '[') && EXPECTS(u, '('))
        return "a type";
    return EXPECTS(u, ID) ? "a name" : NULL;
}

static void add_phrase(Buf *buf, const char **pending, int *count, const char *phrase) {
    if (*pending) {
        buf_puts(buf, (*count)++ ? ", " : "");
        buf_puts(buf, *pending);
    }
    *pending = phrase;
}

/* "an expression", "`,` or `)`" … in words; operators are left out. */
static const char *expected_text(const Unexpected *u) {
    static const int shown[] = {
        ',', ')', ']', '}', '{', '=', ':', '(', ARROW, ARM, IN, ELSE, ON, FN, STR, NL,
    };
    Buf buf = {.arena = u->p->arena};
    const char *pending = expected_phrase(u);
    bool starts = pending != NULL;
    int count = 0;
    for (int i = 0; i < ARRAY_LEN(shown); i++) {
        int kind = shown[i];
        bool skip = !u->expected[YYTRANSLATE(kind)];
        skip |= starts && (kind == '{' || kind == '(' || kind == ON || kind == FN || kind == STR);
        skip |= u->after_operand && (kind == '(' || kind == ARROW || kind == IN || kind == '=');
        if (skip)
            continue;
        const char *phrase = kind == NL ? "the end of the line" : kind == STR ? "a string"
                           : arena_printf(u->p->arena, "`%s`", token_name(kind));
        add_phrase(&buf, &pending, &count, phrase);
    }
    if (pending) {
        buf_puts(&buf, count ? " or " : "");
        buf_puts(&buf, pending);
    }
    return buf_text(&buf);
}

static const char *found_text(const Unexpected *u) {
    int len;
    const char *text = parse_text(u->p, u->found->span, &len);
    switch (u->found->kind) {
    case NL: return "the end of the line";
    case YYEOF: return "the end of the file";
    case STR: return "a string";
    case STR_HEAD: return "a string";
    case STR_MID: case STR_TAIL: return "the rest of the string";
    default: return arena_printf(u->p->arena, "`%.*s`%s", len > 40 ? 40 : len, text, len > 40 ? "…" : "");
    }
}

static void report_unexpected(const Unexpected *u) {
    for (int i = 0; i < ARRAY_LEN(slips); i++)
        if (slips[i](u))
            return;
    const char *expected = expected_text(u), *found = found_text(u);
    if (!*expected) {
        const char *noun = strncmp(found, "a ", 2) ? found : found + 2;
        FAIL(u->p, UNEXPECTED_TOKEN, u->found->span, "unexpected %s", noun);
        return;
    }
    Diag *d = FAIL(u->p, UNEXPECTED_TOKEN, u->found->span, "expected %s, found %s", expected, found);
    diag_label(u->p->diags, d, "expected %s", expected);
    if (EXPECTS(u, NL) && u->after_operand && u->found->kind != NL && u->found->block == u->found->depth)
        diag_help(u->p->diags, d, "a new statement begins on a new line or after `;`");
}

/* A second error at the same token: where the parser went on nothing takes it. Such a token is
   dropped; at the end of the file the parser ends, too (RECOVER). */
static void drop_if_stuck(Parser *p, const Token *found) {
    const Token *last = &p->stopped_at;
    p->stuck = p->module->errors > 1 && last->kind == found->kind && last->depth == found->depth &&
               last->span.from == found->span.from && last->span.to == found->span.to;
    if (p->stuck)
        p->at_sync = p->skipping = false;
    p->stopped_at = *found;
}

/* Sets what the scanner skips: the parser gives up what stands in the innermost braces around the
   token, up to the end of its line or of the lines that belong to it. */
static void skip_from(Parser *p, const Token *found) {
    parse_mark_error(p, found->span);
    bool body_follows = found->kind == NL && p->taken < p->queue.len &&
                        p->queue.at[p->taken].kind == '{';
    bool line_ends = found->kind == NL && !body_follows && !parse_line_goes_on(p, found);
    p->at_sync = found->kind == YYEOF || line_ends || found->kind == '}' ||
                 (found->kind == ';' && found->depth == found->block);
    p->sync_block = found->block;
    p->skipping = !p->at_sync;
    drop_if_stuck(p, found);
}

/* After an error the next one is only reported when three tokens were good, or when the parser
   found its way to a line that began something new. Brackets that the scanner supplied are
   reported already. */
static bool is_cascade(const Parser *p, const Token *found) {
    bool supplied = found->span.from == found->span.to && found->kind != NL && found->kind != YYEOF;
    return supplied || p->aborted || (p->module->errors && p->good <= 3);
}

static int yyreport_syntax_error(const yypcontext_t *context, Parser *p) {
    bool expected[YYNTOKENS] = {false};
    yysymbol_kind_t symbols[YYNTOKENS];
    int count = yypcontext_expected_tokens(context, symbols, YYNTOKENS);
    for (int i = 0; i < count; i++)
        expected[symbols[i]] = true;
    Token found = p->history[0];
    Unexpected u = {p, &found, expected, expected[YYTRANSLATE(FIELD_NUM)] || (expected[YYTRANSLATE('+')] && !expected[YYTRANSLATE(INT)])};
    p->holes.len = 0;
    p->missed_brace = EXPECTS(&u, '{') && !EXPECTS(&u, LOOP);
    if (parse_insert_brace(p)) {
        parse_mark_error(p, found.span);
        p->at_sync = p->skipping = false;
        p->good = HISTORY;
        return 0;
    }
    if (!is_cascade(p, &found))
        report_unexpected(&u);
    else
        p->module->errors++;
    p->good = found.kind == NL ? HISTORY : 0;
    skip_from(p, &found);
    return 0;
}

static void yyerror(const Span *at, Parser *p, const char *text) {
    (void)text;
    FAIL(p, TOO_DEEP, *at, "this is nested too deep");
    p->aborted = true;
}

const char *token_name(int kind) {
    static char characters[128][2];
    if (kind == YYEOF)
        return "end of file";
    if (kind >= 128)
        return yysymbol_name(YYTRANSLATE(kind));
    characters[kind][0] = (char)kind;
    return characters[kind];
}

/* ---- the parser ---- */

/* Where a program begins: after a byte order mark and a line that names its interpreter. */
static const char *text_start(const Source *source) {
    const char *text = source->text;
    if (!strncmp(text, "\xef\xbb\xbf", 3))
        text += 3;
    if (!strncmp(text, "#!", 2))
        text += strcspn(text, "\n");
    return text;
}

Parser *parser_new(Arena *arena, NameTable *names, Diags *diags, Module *module) {
    Parser *p = NEW(arena, Parser);
    Source *source = module->source;
    const char *start = text_start(source);
    *p = (Parser){.arena = arena, .names = names, .diags = diags, .source = source, .module = module,
                  .wildcard = name_cstr(names, "_"), .cur = start, .tok = start,
                  .end = source->text + source->len, .doc = {.arena = arena}};
    return p;
}

/* "lib/stats.gact" -> stats */
static Name module_name(NameTable *names, const char *path) {
    const char *slash = strrchr(path, '/'), *from = slash ? slash + 1 : path;
    size_t len = strlen(from);
    if (len > 5 && !strcmp(from + len - 5, ".gact"))
        len -= 5;
    return name_of(names, from, len);
}

Module *parse_source(Arena *arena, NameTable *names, Diags *diags, Source *source) {
    Module *module = NEW(arena, Module);
    *module = (Module){.source = source, .name = module_name(names, source->path)};
    Parser *p = parser_new(arena, names, diags, module);
    yyparse(p);
    ast_check_holes(p);
    return module;
}
