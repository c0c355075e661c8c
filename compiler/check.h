/* Inside the checker. Checking, specialising and lowering are one walk: an expression is evaluated
   in an environment of locals and gives a Val, a type and the IR value that computes it. A call of a
   template walks the callee's body again for the argument types at hand, in the caller's place, so
   sizes, literals, constants and closures flow through calls; recursive functions and large ones
   that are called again become IR functions, one for each list of argument types.

   Sizes are IR values: two sizes are equal if ir_difference says so, and everything else becomes a
   check in the IR. Rows of a comprehension are dense if their size can be computed outside of it. */
#ifndef GACT_CHECK_H
#define GACT_CHECK_H

#include "compiler.h"

typedef struct {
    Type *type; /* NULL: no value (a variable not yet set) */
    IrId id;
} Val;

typedef struct Local {
    Name name;
    Val val;
    Span span;
    bool is_var, used, is_pseudo;
} Local;

/* What type parameters stand for. Interned: equal lists are one pointer. */
typedef struct TypeEnv {
    Name name;
    Type *type;
    const struct TypeEnv *next;
} TypeEnv;

/* All that a name may mean when it is called: overloads of one tier, or a builtin. */
typedef struct Builtin Builtin;
typedef struct FnSet {
    Name name;
    Module *module; /* whose imports decide */
    VEC(Decl *) own, imported, prelude; /* tiers */
    const Builtin *builtin;
    Type *scalar; /* the type whose conversion has this name, or NULL */
    bool is_ctor; /* a constructor: own.at[0] is the type, ctor the constructor's number */
    int ctor;
    bool is_operator;
    Operator op;
    struct FnSet *next;
} FnSet;

/* The code of a closure: a lambda and what its free names are. */
typedef struct Lambda {
    const Expr *expr;
    Name *names;
    int count;
    const TypeEnv *types;
    Module *module;
    struct Lambda *next;
} Lambda;

/* A check of a parameter's written size that waits for the function's result to hang on it. */
typedef struct {
    IrId cond;
    const IrFault *fault;
    IrId nums[2];
} SizeCheck;

typedef struct FnCtx {
    struct FnCtx *outer;
    const Decl *decl;
    const char *what; /* for messages: "dag", "fn", … */
    Module *module;
    const TypeEnv *types;
    int base;         /* locals below are invisible */
    Type *result;     /* as written, or NULL */
    int returned;     /* pseudo locals, -1: none */
    int retval;
    int brk, cont;    /* of the innermost loop, -1: none */
    bool effects;     /* may print, read, spawn, send and ask */
    bool is_lambda;
    const Decl *actor; /* inside an actor's handler or helper */
    const Decl *handler;
    VEC(SizeCheck) checks;
} FnCtx;

/* A frame of the chain of instantiations, for messages. */
typedef struct Frame {
    struct Frame *outer;
    const char *text; /* "`mean` for ([]f32)" */
    Span call;
    const Decl *decl;
    Type **types; /* of the arguments */
    int ntypes;
} Frame;

typedef struct Instance {
    const Decl *decl;
    Type **types;
    int64_t *consts; /* of const parameters, in order */
    int ntypes, nconsts;
    IrFunc *func;
    Type *result; /* NULL while it is being checked and no type was written */
    bool busy;
    int size; /* ops of the last inlined evaluation; 0: not yet */
    struct Instance *next;
} Instance;

/* A size that is known although the IR alone cannot tell: of a parameter, a loop's value. */
typedef struct {
    const IrFunc *func;
    IrId root;
    uint64_t path;
    int axis;
    IrId dim;
    const IrRegion *region; /* in which a check makes it true; NULL: wherever the root is */
} Assumed;

/* A literal whose value must fit the type it gets in the end. */
typedef struct {
    Type *type;
    uint64_t value; /* without the sign; of a float literal 0 */
    double real;
    bool negative;
    Span span;
} LiteralCheck;

typedef struct Scope Scope; /* of a module */

typedef struct Checker {
    Compiler *c;
    Arena *arena;
    Types *ts;
    Diags *diags;
    IrBuilder b;
    VEC(Local) locals;
    FnCtx *fn;
    Frame *frames;
    int depth; /* of frames */
    int calls; /* evaluated for the outermost call at hand */
    int type_depth; /* of the written types that are being evaluated */
    bool dead; /* the code being evaluated cannot be reached */
    VEC(Assumed) assumed;
    VEC(Type *) vars; /* literals of the current root */
    VEC(LiteralCheck) literals;
    Instance *instances;
    FnSet *fnsets;
    Lambda *lambdas;
    VEC(const TypeEnv *) type_envs;
    Scope *scopes;
    int loop_depth; /* of kernels and loops, for cost decisions */
    Span called_at; /* inside a library function: the user's call, where its faults are shown */
    bool lone;      /* a function nobody calls: what its callers would decide stays open */
    VEC(Name) unknown; /* names reported as unknown in the current root */
    struct Part *part; /* the handler that is being checked, see check_actor.c; or NULL */
    VEC(const Decl *) called; /* templates that were checked at least once */
} Checker;

/* ---- check.c: helpers ---- */

static inline Val val(Type *type, IrId id) {
    return (Val){type, id};
}
Val val_poison(Checker *ck);
Val val_unit(Checker *ck);
bool is_poison(Checker *ck, Val v);
/* Follows solved variables. */
Type *type_of(Checker *ck, Val v);
Type *basic(Checker *ck, TypeKind kind);
Val val_int(Checker *ck, TypeKind kind, int64_t value);
Val val_bool(Checker *ck, bool value);
const char *text_of(Checker *ck, Type *type);
/* Reports at span, with the chain of instantiations. */
Diag *ck_error(Checker *ck, DiagCode code, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
Val ck_fail(Checker *ck, DiagCode code, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
Type *literal_var(Checker *ck, VarKind kind, Span span);
/* Every literal's type inside a type becomes its default. */
void settle_literals(Checker *ck, Type *type);
IrFault *ck_fault(Checker *ck, const char *kind, Span span, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
Name ck_name(Checker *ck, const char *text);
/* A region of an op to be made at the place at hand. */
IrRegion *ck_region(Checker *ck);

/* Sizes. */
IrId ck_dim(Checker *ck, IrId array, int axis);
void ck_assume_dim(Checker *ck, IrId root, uint64_t path, int axis, IrId dim);
/* The same of an array that may have been there before, in whose place a check stands: true until
   the region at hand ends. */
void ck_assume_checked(Checker *ck, IrId array, int axis, IrId dim);
/* The dims inside `to` are those of `from`, member by member. */
void ck_assume_like(Checker *ck, IrId root, uint64_t path, Type *type, IrId from);
/* What path leads to in every element of root has the size dim along axis; ck_assume_element tells
   an element. */
void ck_assume_member_dim(Checker *ck, IrId root, uint64_t path, int axis, IrId dim);
void ck_assume_element(Checker *ck, IrId array, IrId element);
/* Member k of the elements of root is as the elements of `member`. */
void ck_assume_zipped(Checker *ck, IrId root, int k, IrId member);
/* id as a value computed before op number `mark`, or IR_NONE. New ops go to the current place. */
IrId ck_outside(Checker *ck, IrId id, IrId mark);
IrId ck_mark(Checker *ck);
/* a, checked to equal b; what: "these arrays"; spans say where each comes from. */
IrId ck_same_size(Checker *ck, IrId a, IrId b, Span span, Span aspan, Span bspan, const char *what);

/* v, usable only where the check holds that ck_same_size made of the size `have`: for values whose
   use does not ask for the checked size. */
Val ck_after_check(Checker *ck, Val v, IrId have, IrId checked);

/* Locals. */
int local_add(Checker *ck, Name name, Val v, Span span, bool is_var);
Local *local_find(Checker *ck, Name name);

/* Regions and joins. */
typedef struct {
    IrRegion *outer;
    Val *before;
    int nlocals;
    IrId mark; /* ids below were there before the branches */
} Fork;
typedef struct {
    IrRegion *region;
    Val value; /* type NULL: none */
    Val *after;
    bool dead;
} Branch;
Fork fork_begin(Checker *ck);
void branch_begin(Checker *ck, Fork *f, Branch *br);
void branch_end(Checker *ck, Fork *f, Branch *br, Val value);
/* if cond { a } else { b }; merges locals; `want`: the value as well. try: cond IR_NONE. */
Val fork_join(Checker *ck, Fork *f, IrId cond, Branch *a, Branch *b, bool want, Span span);

/* ---- notes.c: for editors; nothing where nobody asks ---- */

void note_typed(Checker *ck, Span span, Val v);
/* With the sizes of an array. */
void note_local(Checker *ck, Span span, Val v);
void note_refers(Checker *ck, Span use, Span target);
void note_field(Checker *ck, const Type *type, Name name, Span use);

/* ---- check_type.c ---- */

const TypeEnv *type_env(Checker *ck, const TypeEnv *next, Name name, Type *type);
Type *eval_type(Checker *ck, const TypeExpr *te);
/* Reports a type of too many parts: of a record that holds two of a record that holds two of … */
bool type_too_large(Checker *ck, const Type *type, Span span);
/* The members of a record or sum whose arguments are known. */
Type *nominal_instance(Checker *ck, const Decl *decl, Type **args, int nargs);
/* How well an argument fits a written type: 0 no, 1 generic, 2 a literal adapts, 3 exact. */
int type_fit(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics);
/* Is a written type only a name for any type: `_` or one of the generics? */
bool is_generic(const NameList *generics, const TypeExpr *te);
/* Binds generics of te by type. */
void type_bind(Checker *ck, const TypeExpr *te, Type *type, const NameList *generics,
               const TypeEnv **env);
/* Makes v a value of the type written, binding and checking sizes. `bind`: new names in its shape
   become locals (a parameter's type); otherwise they stay open (a result's). */
Val coerce_written(Checker *ck, Val v, const TypeExpr *te, Span span, bool bind, const char *what);
/* v as a value of type; *ok false (nothing reported) if it is not one. */
Val convert_to(Checker *ck, Val v, Type *type, bool *ok);
/* As convert_to; reports a mismatch. */
Val coerce(Checker *ck, Val v, Type *type, Span span, const char *what);
/* One type for both; *a and *b are converted to it. */
bool join_vals(Checker *ck, Val *a, Val *b);
Decl *find_type_decl(Checker *ck, Name module, Name name, Span span);
void report_mismatch(Checker *ck, Type *want, Type *got, Span span, const char *what);
/* A set is seen as its array, a string stays. */
Val as_array(Checker *ck, Val v);
bool is_view_record(const Type *type);

/* ---- check_expr.c ---- */

Val check_expr(Checker *ck, const Expr *e);
Val check_name(Checker *ck, Name name, Span span);
FnSet *find_fnset(Checker *ck, Module *module, Name name);
FnSet *operator_fnset(Checker *ck, Operator op);
Val check_comprehension(Checker *ck, const Expr *e);
/* A tuple of values of one type, or of functions, as a list; another value unchanged. */
Val tuple_as_list(Checker *ck, Val v);
/* A kernel over dims whose body the callback evaluates at the indices. Dense or irregular. */
typedef Val (*BodyFn)(Checker *ck, const IrId *at, void *ctx);
Val map_space(Checker *ck, int rank, const IrId *dims, BodyFn body, void *ctx, Span span);
/* The element (or row) of an array at i along its first axis, unchecked. */
Val element(Checker *ck, Val array, IrId i);
/* Length along the first axis of an array, set or string. */
IrId length(Checker *ck, Val array);
/* How many there are of `count`, which may be negative: then none. */
IrId ck_clamp_count(Checker *ck, IrId count);
Type *element_type(Checker *ck, Type *array);
Val check_field(Checker *ck, Val base, Name name, Span span);
Val get_member(Checker *ck, Val base, int k);
Val make_lambda(Checker *ck, const Expr *e);
Val check_range(Checker *ck, const Expr *e);
/* lo, hi (exclusive) and step of a range as values of one type; step IR_NONE for 1. */
bool range_parts(Checker *ck, const Expr *e, Val *lo, IrId *count, IrId *step);
Val check_string(Checker *ck, const Expr *e);
bool fold_const(Checker *ck, Val v, int64_t *out);

/* ---- check_op.c ---- */

Val check_binary(Checker *ck, const Expr *e);
Val apply_binary(Checker *ck, Operator op, Val a, Val b, Span span, Span aspan, Span bspan);
Val apply_unary(Checker *ck, Operator op, Val a, Span span);
/* A scalar IR op applied elementwise to up to three operands of one type. */
typedef Val (*ScalarFn)(Checker *ck, Val *args, int n, void *ctx);
Val lift(Checker *ck, ScalarFn fn, Val *args, const Span *spans, int n, void *ctx, Span span);
Val equal_vals(Checker *ck, Val a, Val b, Span span);  /* one bool */
Val before_vals(Checker *ck, Val a, Val b, Span span); /* one bool, the total order */
Val convert_scalar(Checker *ck, Val v, Type *to, Span span);
IrId as_index(Checker *ck, Val v, Span span);
Val condition(Checker *ck, Val v, Span span, const char *what);

/* ---- check_call.c ---- */

typedef struct {
    Val *vals;
    Name *names; /* NULL: positional */
    Span *spans;
    const Expr **exprs; /* may hold NULL */
    int n;
    Span span; /* of the call */
} Args;
Args args_make(Checker *ck, int n, Span span);
Val check_call(Checker *ck, const Expr *e);
Val check_pipe(Checker *ck, const Expr *e);
Val call_value(Checker *ck, Val fn, Args *args);
Val call_fnset(Checker *ck, const FnSet *set, Args *args);
/* Does an overload take these arguments as they are? */
bool fnset_fits(Checker *ck, const FnSet *set, Args *args);
/* Calls with values alone. */
Val call_vals(Checker *ck, Val fn, Val *vals, int n, Span span);
Val construct(Checker *ck, const Decl *decl, int ctor, Args *args);
bool is_function(const Type *type);
int function_arity(Checker *ck, Type *type, bool *any); /* for (_, _) -> _ */
Val check_spawn(Checker *ck, const Expr *e);
Val check_send(Checker *ck, const Expr *e);
Val check_timed(Checker *ck, const Expr *e);
void check_stop(Checker *ck, const Expr *e);
/* A comprehension whose elements are spawned. */
Val check_population(Checker *ck, const Expr *e);
/* The @virtual actor of a key, made if there is none. */
Val check_virtual(Checker *ck, const Decl *d, const Expr *key, Span span);
Val inline_decl(Checker *ck, const Decl *decl, Args *args, const TypeEnv *env);

/* ---- check_builtin.c ---- */

/* What a scalar function takes. */
enum { ANY_NUMBER, FLOATS, INTEGERS };

struct Builtin {
    const char *name;
    int min, max; /* number of arguments */
    Val (*call)(Checker *ck, const Builtin *self, Args *args);
    IrKind op;
    int kind;
    const char *signature;
};
const Builtin *builtin_find(const char *name);
extern const Builtin builtins[];
extern const int builtin_count;
/* Does the current place allow effects? Reports if not. */
bool effect_allowed(Checker *ck, Span span, const char *what);

/* ---- check_stmt.c ---- */

/* How an expression may leave what it stands in, and whether it talks to actors. */
typedef struct {
    bool returns, breaks, continues, asks;
} Exits;


Val check_block(Checker *ck, const Expr *e, bool want);
Val check_if(Checker *ck, const Expr *e, bool want, bool tail);
Val check_loop(Checker *ck, const Expr *e);
void check_statement(Checker *ck, const Expr *e);
Val check_try(Checker *ck, const Expr *e);
/* Evaluates a function's body, returns included. */
Val check_body(Checker *ck, const Expr *body, Span span);
void check_tail(Checker *ck, const Expr *e);
bool may_exit(const Expr *e);
void do_return(Checker *ck, Val v, Span span);
bool walk_expr(const Expr *e, bool (*visit)(const Expr *e, void *ctx), void *ctx);

/* ---- check_match.c ---- */

Val check_match(Checker *ck, const Expr *e, bool want, bool tail);
/* Binds a pattern that cannot fail. */
void bind_pattern(Checker *ck, const Pattern *p, Val v, bool is_var);

/* ---- check_index.c ---- */

Val check_index(Checker *ck, const Expr *e);
Val check_with_at(Checker *ck, const Expr *e);
Val check_with_fields(Checker *ck, const Expr *e);
void check_assign(Checker *ck, const Expr *e);
Val index_vals(Checker *ck, Val base, Val *at, const Span *spans, int n, Span span);

/* ---- check_duplicate.c ---- */

void check_duplicates(Checker *ck, Module *m);

/* ---- check_each.c ---- */

/* Is the dag's form for many instances asked for? */
bool each_wants(const Checker *ck, const Decl *dag);
/* That form of a dag, which has been checked to this entry; NULL, with a remark, where there is none. */
Decl *each_decl(Checker *ck, const Decl *dag, const IrEntry *entry);

/* ---- check_actor.c, check_message.c, check_entry.c, check_attr.c ---- */

void check_actor_decl(Checker *ck, const Decl *d);
void check_known_actors(Checker *ck);
/* What is known of the actor that references of this type mean. */
IrActor *actor_known(Checker *ck, Type *type);
/* Around an ask: the state that a handler has changed becomes the actor's, and what others may have
   changed meanwhile is taken again. */
void state_commit(Checker *ck);
void state_retake(Checker *ck);
/* Reports an ask where a handler cannot wait. */
void check_waits(Checker *ck, const IrFunc *f);
/* A reference by its number. */
Val reference_of(Checker *ck, Type *type, IrId number);
void check_entries(Checker *ck);
/* Reports attributes that are unknown or do not stand on a `where`. */
void check_attrs(Checker *ck, const AttrList *attrs, const char *where);
const Attr *find_attr(const AttrList *attrs, const char *name);
/* check_attribute.c: reports a value that an attribute's argument cannot have; reads one (a word's number
   among those it may be). */
void check_attr_value(Checker *ck, const Attr *a, const Arg *arg);
int64_t attr_value(const AttrList *attrs, const char *attr, const char *arg, int64_t otherwise);
void resolve_uncalled(Checker *ck, const Decl *d);
/* Adds the names that a pattern binds, or may bind. */
void bound_names(Checker *ck, const Pattern *p, NameList *out);
/* Ends a root: defaults what no context decided and checks that literals fit. */
void root_begin(Checker *ck);
void root_end(Checker *ck);
/* Takes a function that was made for checking alone out of the module. */
void root_discard(Checker *ck, const IrFunc *func);

/* Scopes. */
struct Scope {
    Module *module;
    struct Scope *next;
    VEC(Decl *) decls;           /* of the file */
    VEC(const Decl *) imports;   /* DECL_IMPORT */
};
Scope *scope_of(Checker *ck, Module *m);
Module *find_import(Checker *ck, Module *m, Name as);
Module *prelude_module(Checker *ck);
/* A constructor by name in a module's view; fills *ctor. */
Decl *find_ctor(Checker *ck, Module *m, Name module, Name name, int *ctor);
Decl *find_decl(Checker *ck, Module *m, Name name, DeclKind kind);

/* ---- shared between the files of the checker ---- */

/* check_name.c: t.0 and p.x, module.name */
Val check_tuple_field(Checker *ck, const Expr *e);
Val check_field_expr(Checker *ck, const Expr *e);

/* check_stmt.c: bindings of a dag are nodes */
bool in_dag(Checker *ck);
int node_of(Checker *ck, Name name, Span span, const AttrList *attrs);

/* check_stmt.c: hidden locals for what `return`, `break` and `continue` do; exit_flag is the bool that
   tells whether one of them has been set, IR_NONE if surely none. */
int pseudo(Checker *ck, const char *name, Val v);
Exits exits_of(const Expr *e);
void clear_flags(Checker *ck);
IrId exit_flag(Checker *ck);

/* check_loop.c: the loop statements; strip takes parentheses off. */
const Expr *strip(const Expr *e);
void with_break(Checker *ck, const Expr *e, void (*run)(Checker *ck, const Expr *e));
void run_while(Checker *ck, const Expr *e);
void run_for(Checker *ck, const Expr *e);

/* check_call.c: at[k] is the argument of parameter k, or -1 for its default. */
const ParamList *params_of(const Decl *d);
bool has_fn_type(const TypeExpr *te);
void wrong_count(Checker *ck, const Decl *d, const Args *args);
bool place_args(const Decl *d, const Args *args, int *at);
FnCtx signature_ctx(Checker *ck, const Decl *d);
bool too_deep(Checker *ck, const Decl *d, const Args *args);
Val evaluate_callee(Checker *ck, const Decl *d, const Args *args, const int *at,
                    const TypeEnv *env);

/* check_builtin.c: arguments of builtins, and the regions of operators (T, T) -> T */
bool const_arg(Checker *ck, Args *args, int k, int64_t *out);
IrRegion *element_body(Checker *ck, Val x, IrId *index);
Type *unify_element(Checker *ck, Val x, Val *zero, Span span);
Val array_arg(Checker *ck, const Builtin *self, Args *args, int k);
void also_yield(Checker *ck, IrRegion *body, Val x, IrId index);
IrRegion *operator_region(Checker *ck, Val op, Type *type, Span span, Val *sample);
bool takes(Type *type, int kind);
IrId zero_index(Checker *ck);

/* check_array.c: what the table of builtins calls */
Val call_along(Checker *ck, const Builtin *self, Args *args);
Val call_rank(Checker *ck, const Builtin *self, Args *args);
Val call_transpose(Checker *ck, const Builtin *self, Args *args);
Val call_is_list(Checker *ck, const Builtin *self, Args *args);
Val call_unzip(Checker *ck, const Builtin *self, Args *args);
Val call_argsort(Checker *ck, const Builtin *self, Args *args);
Val call_dim(Checker *ck, const Builtin *self, Args *args);
Val call_zip(Checker *ck, const Builtin *self, Args *args);
Val call_reshape(Checker *ck, const Builtin *self, Args *args);
Val call_flatten(Checker *ck, const Builtin *self, Args *args);
Val call_shape(Checker *ck, const Builtin *self, Args *args);
Val call_len(Checker *ck, const Builtin *self, Args *args);
Val call_scan(Checker *ck, const Builtin *self, Args *args);
Val call_sort(Checker *ck, const Builtin *self, Args *args);
Val call_matmul(Checker *ck, const Builtin *self, Args *args);
Val call_reduce(Checker *ck, const Builtin *self, Args *args);
Val call_concat(Checker *ck, const Builtin *self, Args *args);
Val call_scatter(Checker *ck, const Builtin *self, Args *args);
Val call_histogram(Checker *ck, const Builtin *self, Args *args);
Val call_is_float(Checker *ck, const Builtin *self, Args *args);
Val call_alike(Checker *ck, const Builtin *self, Args *args);
Val call_known(Checker *ck, const Builtin *self, Args *args);

#endif
