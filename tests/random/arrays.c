/* Expressions whose value is an array. exact() makes one of a given size class; any_sized() one
   whose size only the running program knows. */
#include "generate.h"

#include <stddef.h>

static char *size_text(int class_id) {
    return st.classes[class_id].size;
}

static double estimate(int class_id) {
    return st.classes[class_id].estimate;
}

static char *array_literal(Type t) {
    char *i = fresh("k");
    if (t.rank == 1 && chance(70)) {
        return text("[%s for %s in 0..%s]", varied(t.elem, i), i, size_text(t.dims[0]));
    }
    if (chance(50) && t.rank == 2) {
        char *j = fresh("j");
        return text("[%s for %s in 0..%s, %s in 0..%s]",
                    varied(t.elem, text("(%s * 3 + %s)", i, j)), i, size_text(t.dims[0]), j,
                    size_text(t.dims[1]));
    }
    if (t.rank == 1) {
        return text("fill(%s, %s)", size_text(t.dims[0]), literal(t.elem));
    }
    return text("fill((%s, %s), %s)", size_text(t.dims[0]), size_text(t.dims[1]), literal(t.elem));
}

/* An expression over an index that counts the elements of a class. */
static char *indexed(Elem e, char *i, int class_id, int depth) {
    if (!enter(estimate(class_id))) {
        return literal(e);
    }
    int mark = st.name_count, floor = st.floor;
    st.floor = mark;
    declare(i, scalar(E_I64), false, class_id);
    char *body = NULL;
    Name *x = find_name(array1(e, class_id), false);
    if (x && chance(50)) {
        body = text("%s[%s]", x->name, i);
        if (is_int(e) || is_float(e)) {
            body = text("(%s + %s)", body, expr_of(e, depth));
        }
    } else {
        body = expr_of(e, depth);
    }
    st.name_count = mark;
    st.floor = floor;
    leave(estimate(class_id));
    return body;
}

static char *comprehension(Elem e, int class_id, int depth) {
    char *i = fresh("k");
    return text("[%s for %s in 0..%s]", indexed(e, i, class_id, depth), i, size_text(class_id));
}

static char *mapped(Elem e, int class_id, int depth) {
    Type from = array1((Elem)pick(E_COUNT), class_id);
    char *x = expr(&from, depth);
    if (chance(50)) {
        return text("map(%s, %s)", x, lambda(scalar(from.elem), e, estimate(class_id), depth));
    }
    Type second = array1((Elem)pick(SCALARS), class_id);
    char *y = expr(&second, depth), *a = fresh("w"), *b = fresh("w");
    if (!enter(estimate(class_id))) {
        return array_literal(array1(e, class_id));
    }
    int mark = st.name_count, floor = st.floor;
    st.floor = mark;
    declare(a, scalar(from.elem), false, ANY);
    declare(b, scalar(second.elem), false, ANY);
    char *body = expr_of(e, depth);
    st.name_count = mark;
    st.floor = floor;
    leave(estimate(class_id));
    switch (pick(3)) {
    case 0: return text("map(%s, %s, (%s, %s) -> %s)", x, y, a, b, body);
    case 1: return text("(zip(%s, %s) |> map((%s, %s) -> %s))", x, y, a, b, body);
    default: return text("[%s for (%s, %s) in zip(%s, %s)]", body, a, b, x, y);
    }
}

static char *elementwise(Type t, int depth) {
    static const char *const operators[] = {"+", "-", "*", "+"};
    char *x = expr(&t, depth);
    if (t.elem == E_BOOL) {
        return chance(30) ? text("(not %s)", x)
                          : text("(%s %s %s)", x, chance(50) ? "and" : "or", expr(&t, depth));
    }
    char *y = chance(70) ? expr(&t, depth) : expr_of(t.elem, depth);
    switch (pick(4)) {
    case 0: return text("%s(%s, %s)", chance(50) ? "min" : "max", x, y);
    case 1: return is_int(t.elem) ? text("(%s / (%s | 1))", x, y) : text("(%s / %s)", x, y);
    default: return text("(%s %s %s)", x, operators[pick(4)], y);
    }
}

static char *scanned(Type t, int depth) {
    char *x = expr(&t, depth);
    switch (pick(t.elem == E_BOOL ? 1 : 5)) {
    case 0: return t.elem == E_BOOL ? text("scan(%s, false, (|))", x) : text("cumsum(%s)", x);
    case 1: return text("scan(%s, %s, (a, b) -> max(a, b))", x, literal(t.elem));
    case 2: return text("exscan(%s, %s, (+))", x, literal(t.elem));
    case 3: return text("scan(%s, %s, (a, b) -> min(b, a))", x, literal(t.elem));
    default: return text("scan(%s, 0, (+))", x);
    }
}

/* Places for the elements of a class: each in range. */
static char *places(int class_id, int depth) {
    Type t = array1(chance(70) ? E_I64 : E_I32, class_id);
    if (chance(30)) {
        Type keys = array1((Elem)pick(SCALARS), class_id);
        return text("argsort(%s)", expr(&keys, depth));
    }
    char *v = fresh("v");
    return text("map(%s, %s -> mod(i64(%s), %s))", expr(&t, depth), v, v, size_text(class_id));
}

static char *scattered(Type t, int depth) {
    char *x = expr(&t, depth), *at = places(t.dims[0], depth), *y = expr(&t, depth);
    switch (pick(is_int(t.elem) || is_float(t.elem) ? 5 : 3)) {
    case 0: return text("%s[%s]", x, at);
    case 1: return text("scatter(%s, %s, %s)", x, at, y);
    case 2: return text("gather(%s, %s)", x, at);
    case 3: return text("scatter(%s, %s, %s, (a, b) -> a + b)", x, at, y);
    default:
        return text("histogram(%s, %s, %s, %s, (a, b) -> %s)", at, size_text(t.dims[0]), x,
                    literal(t.elem), chance(50) ? "a + b" : "max(a, b)");
    }
}

/* Part of a matrix, or a reduction along one axis. */
static char *of_matrix(Type t, int depth) {
    int other = chance(50) ? pick(5) : known_class();
    bool columns = chance(50);
    Type m = columns ? array2(t.elem, t.dims[0], other) : array2(t.elem, other, t.dims[0]);
    if (estimate(other) * estimate(t.dims[0]) > 100000) {
        return array_literal(t);
    }
    char *x = expr(&m, depth);
    if (is_int(t.elem) && chance(40)) {
        return text("sum(%s, axis = %d)", x, columns ? 1 : 0);
    }
    if (columns && chance(50)) {
        char *row = fresh("w");
        return text("map(%s, %s -> (try %s[%d] else %s))", x, row, row, pick(3), literal(t.elem));
    }
    char *k = expr_of(E_I64, 1);
    char *part = columns ? text("%s[.., %s]", x, k) : text("%s[%s]", x, k);
    return text("(try %s else %s)", part, array_literal(t));
}

static char *block_array(Type t, int depth) {
    int mark = st.name_count, floor = st.floor, loops = st.loop_depth;
    bool in_function = st.in_function;
    st.floor = mark;
    st.loop_depth = 0;
    st.in_function = false;
    char *name = fresh("a"), *start = expr(&t, depth);
    declare(name, t, true, ANY);
    char *body = statements(2 + pick(3), depth, "      ");
    char *s = text("{\n      var %s = %s\n%s      %s\n    }", name, start, body, name);
    st.name_count = mark;
    st.floor = floor;
    st.loop_depth = loops;
    st.in_function = in_function;
    return s;
}

static char *loop_array(Type t, int depth) {
    char *a = fresh("a"), *start = expr(&t, depth);
    int count = 1 + pick(4);
    if (!enter(count)) {
        return start;
    }
    int mark = st.name_count, floor = st.floor;
    st.floor = mark;
    declare(a, t, false, ANY);
    char *body = chance(50) ? expr(&t, depth)
                            : text("(try (%s with [%s] = %s) else %s)", a, expr_of(E_I64, 1),
                                   expr_of(t.elem, depth), a);
    st.name_count = mark;
    st.floor = floor;
    leave(count);
    return text("(loop (%s = %s) for %s in 0..%d { %s })", a, start, fresh("k"), count, body);
}

static char *call_array(Type t, int depth) {
    for (int tries = 0; tries < 4 && st.function_count > 0; tries++) {
        const Function *f = &st.functions[pick(st.function_count)];
        if (f->result.elem == t.elem && f->result.rank == 1 && st.times * f->cost < 300000) {
            st.cost += st.times * f->cost;
            return call(f, t.dims[0], depth);
        }
    }
    return NULL;
}

static char *moved(Type t, int depth) {
    char *x = expr(&t, depth);
    switch (pick(5)) {
    case 0: return text("reverse(%s)", x);
    case 1: return text("rotate(%s, %s)", x, expr_of(E_I32, depth));
    case 2: return text("sort(%s%s)", x, chance(30) ? ", descending = true" : "");
    case 3:
        return text("sort_by(%s, %s)", x,
                    lambda(scalar(t.elem), (Elem)pick(SCALARS), estimate(t.dims[0]), depth));
    default: {
        char *k = expr_of(E_I8, depth);
        return text("concat(take(%s, %s), drop(%s, %s))", x, k, x, k);
    }
    }
}

static char *other_element(Type t, int depth) {
    if (t.elem >= SCALARS) {
        return NULL;
    }
    Elem composite = chance(50) ? E_REC : E_TUP;
    const Elem *parts = composite == E_REC ? st.shapes.record : st.shapes.tuple;
    int k = pick(composite == E_REC ? 3 : 2);
    if (parts[k] == t.elem) {
        Type from = array1(composite, t.dims[0]);
        char *x = expr(&from, depth);
        return composite == E_REC ? text("%s.%c", x, 'a' + k) : text("%s.%d", x, k);
    }
    Type from = array1((Elem)pick(SCALARS), t.dims[0]);
    return text("%s(%s)", elem_name(t.elem), expr(&from, depth));
}

static char *segmented(Type t, int depth) {
    char *x = expr(&t, depth), *n = size_text(t.dims[0]);
    if (!is_int(t.elem)) {
        return text("try (%s with [0] = %s) else %s", x, expr_of(t.elem, depth), array_literal(t));
    }
    return text("segmented_scan(%s, [0, %s / 3, %s / 2, %s], 0, (+))", x, n, n, n);
}

static char *exact(Type t, int depth) {
    char *s = NULL;
    switch (pick(16)) {
    case 0:
    case 1: s = comprehension(t.elem, t.dims[0], depth); break;
    case 2:
    case 3: s = mapped(t.elem, t.dims[0], depth); break;
    case 4: s = t.elem < SCALARS ? elementwise(t, depth) : NULL; break;
    case 5: s = t.elem < SCALARS ? scanned(t, depth) : NULL; break;
    case 6: s = scattered(t, depth); break;
    case 7: s = of_matrix(t, depth); break;
    case 8: s = block_array(t, depth); break;
    case 9: s = loop_array(t, depth); break;
    case 10: s = call_array(t, depth); break;
    case 11: s = moved(t, depth); break;
    case 12: s = other_element(t, depth); break;
    case 13: s = text("(%s)", segmented(t, depth)); break;
    case 14:
        s = text("(if %s { %s } else { %s })", expr_of(E_BOOL, depth), expr(&t, depth),
                 expr(&t, depth));
        break;
    default: break;
    }
    if (s) {
        return s;
    }
    Name *name = find_name(t, false);
    return name ? name->name : comprehension(t.elem, t.dims[0], depth);
}

/* Groups: the keys, or what a reduction gives for each. */
static char *grouped(Elem e, char *x, int class_id, int depth) {
    Elem key = (Elem)pick(SCALARS);
    char *by = lambda(scalar(e), key, estimate(class_id), depth);
    if (!is_int(e)) {
        return text("map(group_by(%s, %s), g -> g.values[0])", x, by);
    }
    switch (pick(3)) {
    case 0: return text("map(group_by(%s, %s), g -> sum(g.values))", x, by);
    case 1: return text("map(group_by(%s, %s).values, g -> sum(g))", x, by);
    default: return text("reduce_by_key(map(%s, %s), %s, 0, (+)).values", x, by, x);
    }
}

/* An array whose size is not known: its class is new and has no expression. */
static char *any_sized(Type *t, int depth) {
    int from = known_class();
    Type source = array1(t->elem, from);
    char *x = expr(&source, depth), *v = fresh("v"), *n = size_text(from);
    double size = estimate(from);
    t->dims[0] = new_class(NULL, (int)size * 2 + 10);
    switch (pick(10)) {
    case 0: return text("filter(%s, %s)", x, lambda(scalar(t->elem), E_BOOL, size, depth));
    case 1: {
        Type mask = array1(E_BOOL, from);
        return text("%s[%s]", x, expr(&mask, depth));
    }
    case 2: return text("[%s for %s in %s if %s]", v, v, x, expr_of(E_BOOL, depth));
    case 3: return text("%s[%s / 3..%s / 2 + %s / 4]", x, n, n, n);
    case 4: return text("unique(%s)", x);
    case 5: return text("%s(%s, %s)", chance(50) ? "take" : "drop", x, expr_of(E_I64, depth));
    case 6: return text("concat(%s, %s)", x, expr(&source, depth));
    case 7: return text("pad(%s, %d, %s)", x, pick(3), literal(t->elem));
    case 8: return grouped(t->elem, x, from, depth);
    default: {
        char *i = fresh("k"), *j = fresh("j");
        if (size > 1000) {
            return text("%s[%s / 5.. by 3]", x, n);
        }
        t->dims[0] = new_class(NULL, (int)size * 4 + 10);
        return text("[%s[%s] for %s in 0..%s, %s in %s..min(%s + 3, %s)%s]", x, j, i, n, j, i, i, n,
                    chance(50) ? text(" if %s %% 2 == 0", j) : "");
    }
    }
}

char *array_expr(Type *t, int depth) {
    if (t->dims[0] == ANY) {
        Name *name = find_name(*t, false);
        if (name && (depth <= 0 || chance(30))) {
            *t = name->type;
            return name->name;
        }
        if (depth > 0 && chance(50)) {
            return any_sized(t, depth - 1);
        }
        t->dims[0] = known_class();
    }
    if (depth <= 0 || chance(15) || !size_text(t->dims[0])) {
        Name *name = find_name(*t, false);
        return name ? name->name : array_literal(*t);
    }
    return exact(*t, depth - 1);
}

static char *matrix_exact(Type t, int depth) {
    Type row = array1(t.elem, t.dims[1]);
    Type column = array1(t.elem, t.dims[0]);
    char *i = fresh("k"), *j = fresh("j");
    switch (pick(t.elem < SCALARS ? 8 : 4)) {
    case 0: {
        Type turned = array2(t.elem, t.dims[1], t.dims[0]);
        return text("transpose(%s)", expr(&turned, depth));
    }
    case 1: {
        char *x = expr(&row, depth);
        return text("[reverse(%s) for %s in 0..%s]", x, i, size_text(t.dims[0]));
    }
    case 2: return text("reverse(%s)", expr(&t, depth));
    case 3: {
        char *v = fresh("w"), *x = expr(&t, depth);
        return text("map(%s, %s -> %s(%s))", x, v, chance(50) ? "reverse" : "sort", v);
    }
    case 4: {
        char *x = expr(&column, depth), *y = expr(&row, depth);
        return t.elem == E_BOOL ? text("outer(%s, %s, (a, b) -> a == b)", x, y)
                                : text("outer(%s, %s, (a, b) -> a * b + a)", x, y);
    }
    case 5: return elementwise(t, depth);
    case 6: {
        char *x = expr(&t, depth), *y = expr(&row, depth);
        return t.elem == E_BOOL ? text("(%s and not %s)", x, x) : text("(%s + %s)", x, y);
    }
    default:
        return text("[(%s) for %s in 0..%s, %s in 0..%s]", indexed(t.elem, i, t.dims[0], 1), i,
                    size_text(t.dims[0]), j, size_text(t.dims[1]));
    }
}

char *matrix_expr(Type *t, int depth) {
    for (int i = 0; i < 2; i++) {
        if (t->dims[i] == ANY) {
            Name *name = find_name(*t, false);
            if (name) {
                *t = name->type;
                return name->name;
            }
            t->dims[i] = pick(5);
        }
    }
    double size = estimate(t->dims[0]) * estimate(t->dims[1]);
    bool named = size_text(t->dims[0]) && size_text(t->dims[1]);
    if (depth <= 0 || chance(25) || !named || size > 100000 || !enter(size)) {
        Name *name = find_name(*t, false);
        return name ? name->name : array_literal(*t);
    }
    leave(size);
    return matrix_exact(*t, depth - 1);
}
