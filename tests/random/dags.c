/* Programs of many dags, each made of the forms that devices run: maps over one to three axes, sums, selections, scans,
   filters, tables, gathers, stencils, rows, loops and views. A test block calls each dag and prints all it gives, exactly.
   A few places are not guarded, so that some dags fault; what is printed then must be the same everywhere, too. */
#include "generate.h"

#include <stdio.h>

/* The sizes that parameters bind: of lists, and of a matrix's rows and columns. */
typedef struct {
    int n, m, rows, columns;
    int next_output;
    char *body;
} Dag;

static Elem any_number(void) {
    return (Elem)(E_I8 + pick(SCALARS - E_I8));
}

static Elem any_int(void) {
    return (Elem)(E_I8 + pick(E_U64 - E_I8 + 1));
}

static Elem any_elem(void) {
    return chance(80) ? (Elem)pick(SCALARS) : (Elem)(SCALARS + pick(E_COUNT - SCALARS));
}

static char *size_of(int class_id) {
    return st.classes[class_id].size;
}

/* A list's name of the class, which is bound for it if there is none. */
static char *list(Dag *d, Elem e, int class_id) {
    Name *name = find_name(array1(e, class_id), false);
    if (name) {
        return name->name;
    }
    char *i = fresh("k"), *x = fresh("x");
    d->body = text("%s  let %s = [%s for %s in 0..%s]\n", d->body, x, varied(e, i), i, size_of(class_id));
    declare(x, array1(e, class_id), false, ANY);
    return x;
}

static char *matrix(Dag *d, Elem e) {
    Name *name = find_name(array2(e, d->rows, d->columns), false);
    if (name) {
        return name->name;
    }
    char *i = fresh("k"), *j = fresh("j"), *x = fresh("x");
    d->body = text("%s  let %s = [%s for %s in 0..%s, %s in 0..%s]\n", d->body, x,
                   varied(e, text("(%s * 5 + %s * 3)", i, j)), i, size_of(d->rows), j, size_of(d->columns));
    declare(x, array2(e, d->rows, d->columns), false, ANY);
    return x;
}

/* The body of a point, with so many names of the types given in scope. */
static char *point(Elem result, const char *const *names, const Type *types, int n, double count, int depth) {
    if (!enter(count)) {
        return literal(result);
    }
    int mark = st.name_count, floor = st.floor;
    st.floor = mark;
    for (int k = 0; k < n; k++) {
        declare((char *)names[k], types[k], false, ANY);
    }
    char *body = expr_of(result, depth);
    st.name_count = mark;
    st.floor = floor;
    leave(count);
    return body;
}

/* An index for the class made of a number: in its range but for a few. */
static char *index_text(const char *number, int class_id) {
    return chance(6) ? text("(%s)", number) : text("mod(i64(%s), max(%s, 1))", number, size_of(class_id));
}

/* ---- forms that give a list of class n ---- */

static char *mapped(Dag *d, Elem e) {
    Elem a = any_elem(), b = (Elem)pick(SCALARS);
    char *x = list(d, a, d->n), *y = list(d, b, d->n);
    const char *names[] = {fresh("v"), fresh("w")};
    Type types[] = {scalar(a), scalar(b)};
    char *body = point(e, names, types, 2, 1000, 2);
    return chance(50) ? text("[%s for (%s, %s) in zip(%s, %s)]", body, names[0], names[1], x, y)
                      : text("map(%s, %s, (%s, %s) -> %s)", x, y, names[0], names[1], body);
}

static char *gathered(Dag *d, Elem e) {
    Elem a = any_int();
    char *x = list(d, e, d->n), *at = list(d, a, d->n), *v = fresh("v");
    if (chance(30)) {
        return text("%s[map(%s, %s -> %s)]", x, at, v, index_text(v, d->n));
    }
    return text("[%s[%s] for %s in %s]", x, index_text(v, d->n), v, at);
}

static char *stencil(Dag *d, Elem e) {
    static const char *const borders[] = {"clamp_at", "wrap_at", "zero_at"};
    char *x = list(d, e, d->n), *i = fresh("k"), *n = size_of(d->n);
    if (e >= E_REC || e == E_BOOL) {
        return text("[if %s > 0 { %s[%s - 1] } else { %s[%s] } for %s in 0..%s]", i, x, i, x, i, i, n);
    }
    if (chance(50)) {
        const char *border = borders[pick(e < SCALARS ? 3 : 2)];
        return text("[%s(%s, %s - %d) + %s[%s] - %s(%s, %s + %d) for %s in 0..%s]", border, x, i, 1 + pick(4), x, i,
                    border, x, i, 1 + pick(4), i, n);
    }
    return text("[%s[max(%s - %d, 0)] * 3 + %s[min(%s + %d, %s - 1)] for %s in 0..%s]", x, i, 1 + pick(40), x, i,
                1 + pick(40), n, i, n);
}

static char *scanned(Dag *d, Elem e) {
    const char *how = chance(60) ? "scan" : "exscan";
    if (e == E_BOOL) {
        return text("%s(%s, false, (a, b) -> a != b)", how, list(d, e, d->n));
    }
    if (e >= E_REC) {
        return text("scan(%s, %s, (a, b) -> b)", list(d, e, d->n), literal(e));
    }
    char *x = list(d, e, d->n);
    switch (pick(5)) {
    case 0: return text("cumsum(%s)", x);
    case 1: return text("%s(%s, %s, (a, b) -> max(a, b))", how, x, literal(e));
    case 2:
        if (is_int(e)) {
            return text("map(%s(map(%s, v -> (v, v * 3 + 1)), (1, 0), (a, b) -> (a.0 * b.0, b.0 * a.1 + b.1)), p -> p.0 - p.1)",
                        how, x);
        }
        return text("%s(%s * 0.5, %s, (+))", how, x, literal(e));
    default: return text("%s(%s, %s, (+))", how, x, literal(e));
    }
}

/* Loops whose count depends on the point. */
static char *looped(Dag *d, Elem e) {
    Elem a = any_int(), c = e < SCALARS ? e : E_I64;
    char *x = list(d, a, d->n), *v = fresh("v"), *s = fresh("s"), *k = fresh("k");
    const char *names[] = {s, k};
    Type types[] = {scalar(c), scalar(E_I64)};
    char *body = point(c, names, types, 2, 8000, 1);
    char *loop = chance(50) ? text("(loop (%s = %s) for %s in 0..mod(i64(%s), 9) { %s })", s, literal(c), k, v, body)
                            : text("(loop (%s = %s, %s = i64(%s) & 15) while %s > 0 { (%s, %s / 2) }).0", s, literal(c), k,
                                   v, k, body, k);
    return e < SCALARS ? text("[%s for %s in %s]", loop, v, x)
                       : text("[%s for %s in %s]", varied(e, text("(%s & 1023)", loop)), v, x);
}

/* A reduction of a row or a part for each point. */
static char *row_sums(Dag *d, Elem e) {
    Elem a = e == E_BOOL || e >= E_REC ? E_I32 : e;
    char *x = list(d, a, d->n), *i = fresh("k"), *j = fresh("j"), *n = size_of(d->n);
    static const char *const folds[] = {"sum", "product", "max", "min"};
    int fold = pick(4);
    char *range = chance(50) ? text("%s..min(%s + %d, %s)", i, i, 1 + pick(50), n)
                             : text("max(%s - %d, 0)..%s + 1", i, 1 + pick(40), i);
    char *whole = text("%s(%s[%s] for %s in %s)", folds[fold], x, j, j, range);
    if (chance(30)) {
        whole = text("%s(%s[%s])", folds[fold], x, range);
    }
    if (e == E_BOOL) {
        whole = text("(%s > 0)", whole);
    } else if (e >= E_REC) {
        whole = varied(e, text("(%s & 1023)", whole));
    }
    return text("[%s for %s in 0..%s]", whole, i, n);
}

static char *tabled(Dag *d, Elem e) {
    char *n = size_of(d->n), *v = fresh("v"), *keys = list(d, any_int(), d->m);
    char *at = chance(6) ? text("i64(%s)", keys) : text("map(%s, %s -> %s)", keys, v, text("mod(i64(%s), max(%s, 1))", v, n));
    if (e == E_I64 && chance(50)) {
        return text("histogram(%s, %s)", at, n);
    }
    if (e == E_BOOL || e >= E_REC) {
        return text("scatter(%s, %s, %s)", list(d, e, d->n), at, list(d, e, d->m));
    }
    const char *op = chance(60) ? "(+)" : chance(50) ? "(a, b) -> max(a, b)" : "(a, b) -> min(a, b)";
    return text("histogram(%s, %s, %s, %s, %s)", at, n, list(d, e, d->m), literal(e), op);
}

/* The same list seen otherwise. */
static char *viewed(Dag *d, Elem e) {
    char *x = list(d, e, d->n), *n = size_of(d->n);
    switch (pick(5)) {
    case 0: return text("reverse(%s)", x);
    case 1: return text("rotate(%s, %d)", x, pick(50) - 25);
    case 2: return text("concat(%s[%s / 3..], %s[0..%s / 3])", x, n, x, n);
    case 3: return text("flatten(transpose(reshape(%s, (%s, 1))))", x, n);
    default: return text("reshape(%s, (1, %s))[0]", x, n);
    }
}

/* ---- forms of other sizes ---- */

static char *filtered(Dag *d, Elem e) {
    char *x = list(d, e, d->n), *v = fresh("v"), *w = fresh("w");
    const char *names[] = {v, w};
    Elem b = (Elem)pick(SCALARS);
    Type types[] = {scalar(e), scalar(b)};
    if (chance(40)) {
        return text("filter(%s, %s -> %s)", x, v, point(E_BOOL, names, types, 1, 1000, 2));
    }
    char *keep = point(E_BOOL, names, types, 2, 1000, 2), *value = point(e, names, types, 2, 1000, 2);
    return text("[%s for (%s, %s) in zip(%s, %s) if %s]", value, v, w, x, list(d, b, d->n), keep);
}

static char *part(Dag *d, Elem e) {
    char *x = list(d, e, d->n), *n = size_of(d->n);
    switch (pick(4)) {
    case 0: return text("%s[%s / 5..%s by %d]", x, n, n, 1 + pick(5));
    case 1: return text("flatten(transpose(reshape(%s[0..%s / 3 * 3], (%s / 3, 3))))", x, n, n);
    case 2: return text("pad(%s, %d, %s)", x, pick(4), literal(e));
    default: return text("[%s[%d] for %s in windows(%s, 3)]", "w", pick(3), "w", x);
    }
}

/* Maps over two and three axes, flat. */
static char *of_axes(Dag *d, Elem e) {
    char *x = matrix(d, e), *i = fresh("k"), *j = fresh("j"), *l = fresh("l");
    const char *names[] = {i, j, l};
    Type types[] = {scalar(E_I64), scalar(E_I64), scalar(E_I64)};
    char *rows = size_of(d->rows), *columns = size_of(d->columns);
    switch (pick(4)) {
    case 0:
        return text("flatten([%s for %s in 0..%s, %s in 0..%s])", point(e, names, types, 2, 2000, 2), i, rows, j, columns);
    case 1:
        return text("flatten([%s for %s in 0..%s, %s in 0..%s, %s in 0..3])", point(e, names, types, 3, 6000, 1), i, rows,
                    j, columns, l);
    case 2: return text("flatten([%s[%s, %s] for %s in 0..%s, %s in 0..%s])", x, i, j, j, columns, i, rows);
    default: return text("flatten(transpose(map(%s, r -> reverse(r))))", x);
    }
}

/* Points that make arrays of sizes of their own. */
static char *of_arrays(Dag *d, Elem e) {
    char *x = matrix(d, e), *low = literal(e);
    switch (pick(5)) {
    case 0: return text("map(%s, r -> sum(sort([v for v in r if v > %s])))", x, low);
    case 1: return text("flatten(map(%s, r -> [v for v in r if v > %s]))", x, low);
    case 2:
        return text("map(%s, r -> sum(loop (a = r) while len(a) > 1 { [a[k] + a[k + 1] for k in 0..len(a) - 1 if k %% 3 != 1] }))",
                    x);
    case 3:
        return text("flatten(map(%s, r -> { var a = r; for k in 0..len(a) / 2 { a[k] = a[len(a) - 1 - k] + %s }; "
                    "concat(a, r[0..len(r) / 2]) }))",
                    x, low);
    default: return text("map(%s, r -> sum(flatten([[v, v] for v in cumsum(r) if v != %s])))", x, low);
    }
}

static char *of_rows(Dag *d, Elem e) {
    if (e == E_BOOL || e >= E_REC) {
        return text("map(%s, r -> %s)", matrix(d, E_I64), e == E_BOOL ? "sum(r) > 3" : literal(e));
    }
    if (chance(40)) {
        return of_arrays(d, e);
    }
    char *x = matrix(d, e), *y = list(d, e, d->columns), *i = fresh("k"), *j = fresh("j");
    switch (pick(5)) {
    case 0:
        return text("[sum(%s[%s, %s] * %s[%s] for %s in 0..%s) for %s in 0..%s]", x, i, j, y, j, j, size_of(d->columns), i,
                    size_of(d->rows));
    case 1: return text("sum(%s, axis = %d)", x, pick(2));
    case 2: return text("map(%s, r -> reduce(r, %s, (a, b) -> min(a, b)))", x, literal(e));
    case 3: return text("flatten(map(%s, r -> cumsum(r)))", x);
    default: return text("flatten(map(%s, r -> r - %s))", x, y);
    }
}

/* ---- numbers ---- */

static char *reduced(Dag *d, Elem e) {
    char *x = list(d, e, d->n), *v = fresh("v");
    const char *names[] = {v};
    Type types[] = {scalar(e)};
    if (e == E_BOOL) {
        return text("%s(%s)", chance(50) ? "any" : "all", x);
    }
    if (e >= E_REC) {
        return text("reduce(%s, %s, (a, b) -> %s)", x, literal(e), chance(50) ? "a" : "b");
    }
    switch (pick(7)) {
    case 0: return text("%s(%s)", chance(50) ? "sum" : "product", x);
    case 1: return text("sum(%s for %s in %s)", point(e, names, types, 1, 1000, 2), v, x);
    case 2: return chance(12) ? text("max(%s)", x) : text("reduce(%s, %s, (a, b) -> max(a, b))", x, literal(e));
    case 3: return text("sum(%s)", matrix(d, e));
    case 4:
        return text("sum(%s for %s in %s if %s)", v, v, x, point(E_BOOL, names, types, 1, 1000, 1));
    case 5:
        if (is_int(e)) {
            return text("reduce(map(%s, v -> (v, v * 5 + 1)), (1, 0), (a, b) -> (a.0 * b.0, b.0 * a.1 + b.1)).1", x);
        }
        return text("reduce(%s, %s, (a, b) -> b)", x, literal(e));
    default: return text("dot(%s, %s)", x, x);
    }
}

static char *place(Dag *d) {
    char *x = list(d, any_number(), d->n);
    const char *how = chance(50) ? "argmin" : "argmax";
    return chance(10) ? text("%s(%s)", how, x) : text("(if %s > 0 { %s(%s) } else { -1 })", size_of(d->n), how, x);
}

/* ---- dags ---- */

static void bind(Dag *d, Type t, char *value) {
    char *name = fresh("x");
    d->body = text("%s  let %s = %s\n", d->body, name, value);
    if (t.rank > 0 && t.dims[0] == ANY) {
        t.dims[0] = new_class(text("len(%s)", name), 1000);
    }
    declare(name, t, false, ANY);
}

static void bind_form(Dag *d) {
    Elem e = any_elem();
    Type same = array1(e, d->n), other = array1(e, ANY);
    switch (pick(16)) {
    case 0: case 1: bind(d, same, mapped(d, e)); break;
    case 2: bind(d, same, gathered(d, e)); break;
    case 3: bind(d, same, stencil(d, e)); break;
    case 4: case 5: bind(d, same, scanned(d, e)); break;
    case 6: bind(d, same, looped(d, e)); break;
    case 7: bind(d, same, row_sums(d, e)); break;
    case 8: bind(d, same, tabled(d, e)); break;
    case 9: bind(d, same, viewed(d, e)); break;
    case 10: bind(d, other, filtered(d, e)); break;
    case 11: bind(d, other, part(d, e)); break;
    case 12: bind(d, other, of_axes(d, e)); break;
    case 13: bind(d, other, of_rows(d, e)); break;
    case 14: bind(d, scalar(e), reduced(d, e)); break;
    default: bind(d, scalar(E_I64), place(d)); break;
    }
}

/* Parameters: three lists of n, one of m, a matrix and two numbers. */
static char *parameters(Dag *d, Type types[7]) {
    types[0] = array1((Elem)pick(SCALARS), d->n);
    types[1] = array1(any_number(), d->n);
    types[2] = array1(any_elem(), d->n);
    types[3] = array1(any_int(), d->m);
    types[4] = array2(any_number(), d->rows, d->columns);
    types[5] = scalar((Elem)pick(SCALARS));
    types[6] = scalar(E_I64);
    char *s = "";
    for (int k = 0; k < 7; k++) {
        char *name = fresh("p");
        s = text("%s%s%s: %s", s, k ? ", " : "", name, type_name(types[k]));
        declare(name, types[k], false, ANY);
    }
    return s;
}

static void write_call(int number, const Type types[7], int outputs) {
    static const int lists[] = {0, 1, 33, 500, 4097, 9000}, rows[] = {0, 1, 7, 40}, columns[] = {1, 5, 33, 70};
    int n = lists[pick(6)], m = lists[pick(5)], r = rows[pick(4)], c = columns[pick(4)];
    printf("test \"d%d\" {\n", number);
    for (int k = 0; k < 7; k++) {
        Elem e = types[k].elem;
        int size = k < 3 ? n : m;
        if (types[k].rank == 0) {
            printf("  let a%d = %s\n", k, literal(e));
        } else if (types[k].rank == 1) {
            printf("  let a%d = [%s for k in 0..%d]\n", k, varied(e, "k"), size);
        } else {
            printf("  let a%d = [%s for k in 0..%d, j in 0..%d]\n", k, varied(e, "(k * 3 + j)"), r, c);
        }
    }
    printf("  let r = d%d(a0, a1, a2, a3, a4, a5, a6)\n", number);
    for (int k = 0; k < outputs; k++) {
        printf("  print(\"r%d\", r.r%d)\n", k, k);
    }
    printf("}\n\n");
}

/* All that was bound last, and some of the rest, goes out. */
static void write_one(int number) {
    int mark = st.name_count;
    Dag d = {.n = new_class("n", 1000), .m = new_class("m", 1000), .rows = new_class("r", 30),
             .columns = new_class("c", 40), .body = ""};
    Type types[7];
    char *params = parameters(&d, types), *outs = "", *values = "";
    int bound = st.name_count, outputs = 0;
    st.cost = 0;
    st.floor = bound;
    for (int k = 0, count = 2 + pick(4); k < count; k++) {
        bind_form(&d);
    }
    for (int k = st.name_count - 1; k >= bound && outputs < 5; k--) {
        const Name *name = &st.names[k];
        if (k < st.name_count - 2 && chance(40)) {
            continue;
        }
        Type t = name->type;
        char *type = t.rank == 0 ? type_name(t) : text(t.rank == 1 ? "[_]%s" : "[_, _]%s", elem_name(t.elem));
        outs = text("%s%sr%d: %s", outs, outputs ? ", " : "", outputs, type);
        values = text("%s%sr%d = %s", values, outputs ? ", " : "", outputs, name->name);
        outputs++;
    }
    printf("dag d%d(%s) -> (%s) {\n%s  return (%s)\n}\n\n", number, params, outs, d.body, values);
    st.name_count = mark;
    write_call(number, types, outputs);
}

void write_dags(int count) {
    for (int k = 0; k < count; k++) {
        write_one(k);
    }
}
