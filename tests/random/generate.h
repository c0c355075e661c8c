/* What the parts of the generator of random programs share: text in an arena, random choices,
   types, names in scope, and the budget that keeps programs short-running. */
#ifndef GACT_TESTS_GENERATE_H
#define GACT_TESTS_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

/* ---- text and choices ---- */

/* Formatted text that lives until the program ends. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void start_choices(uint64_t from);
/* A number from 0 to n - 1. */
int pick(int n);
bool chance(int percent);

/* ---- types ---- */

typedef enum {
    E_BOOL,
    E_I8,
    E_I16,
    E_I32,
    E_I64,
    E_U8,
    E_U16,
    E_U32,
    E_U64,
    E_F16,
    E_BF16,
    E_F32,
    E_F64,
    E_REC,
    E_TUP,
    E_SUM,
    E_OPT, /* composites */
    E_COUNT,
    SCALARS = E_REC
} Elem;

enum { MAX_RANK = 3, ANY = -1 };

/* An element with up to three dimensions, each a size class. */
typedef struct {
    Elem elem;
    int rank;
    int dims[MAX_RANK];
} Type;

/* Arrays of one class have the same size. The expression is NULL where none names it. */
typedef struct {
    char *size;
    int estimate;
} SizeClass;

/* The scalar types of the fields of the program's record, tuple, sum and Option. */
typedef struct {
    Elem record[3], tuple[2], sum[3], option;
} Shapes;

typedef struct {
    char *name;
    Type type;
    bool is_var;
    int bound; /* of an index: the class whose elements it counts, else ANY */
} Name;

typedef struct {
    char *name;
    Type params[4];
    int param_count;
    Type result;
    double cost;
} Function;

enum { MAX_CLASSES = 4096, MAX_NAMES = 512, MAX_FUNCTIONS = 16 };

typedef struct {
    SizeClass classes[MAX_CLASSES];
    int class_count;
    Name names[MAX_NAMES];
    int name_count;
    int floor; /* names from here on may be assigned to */
    Function functions[MAX_FUNCTIONS];
    int function_count;
    Shapes shapes;
    double times; /* how often the text now generated runs */
    double cost;  /* what the function so far costs */
    int next_name;
    int loop_depth; /* of loops in which break and continue may stand */
    bool in_function;
    Type result;
} State;

extern State st;

bool is_int(Elem e);
bool is_float(Elem e);
bool is_signed(Elem e);
/* The type's name in a program, such as i32 or R. */
const char *elem_name(Elem e);
char *type_name(Type t);
Type scalar(Elem e);
Type array1(Elem e, int class_id);
Type array2(Elem e, int rows, int columns);

int new_class(char *size, int estimate);
/* A class whose size an expression in scope names. */
int known_class(void);
char *fresh(const char *prefix);
/* Names added after mark are forgotten by forget(mark). */
void declare(char *name, Type t, bool is_var, int bound);
/* A random name of the type (class ANY: of any size), or NULL. */
Name *find_name(Type t, bool writable);
/* Enters a loop over so many elements; false where the budget forbids it. */
bool enter(double count);
void leave(double count);

/* ---- expressions, in expr.c and arrays.c ---- */

char *literal(Elem e);
/* A value of the type that depends on the integer i, an operand. */
char *varied(Elem e, const char *i);
/* An expression of the type; of array types with class ANY, the class it has is stored in the type.
 */
char *expr(Type *t, int depth);
char *expr_of(Elem e, int depth);
char *array_expr(Type *t, int depth);
char *matrix_expr(Type *t, int depth);
/* A lambda's body over a parameter of the type, called so often. */
char *lambda(Type param, Elem result, double count, int depth);
char *call(const Function *f, int class_id, int depth);

/* ---- statements, in statements.c ---- */

/* So many statements, each on lines of its own. */
char *statements(int count, int depth, const char *indent);
/* Checks that must print true, over an array of integers. */
char *relations(void);

/* ---- dags, in dags.c ---- */

/* So many dags, and a test block for each. */
void write_dags(int count);

#endif
