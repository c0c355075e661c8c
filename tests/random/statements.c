/* Statements: bindings, updates in place, loops and branches. */
#include "generate.h"

#include <stddef.h>

static char *deeper(const char *indent) {
    return text("%s  ", indent);
}

static Elem any_elem(void) {
    return chance(75) ? (Elem)pick(SCALARS) : (Elem)(E_REC + pick(E_COUNT - E_REC));
}

static Type any_type(void) {
    int rank = pick(10);
    if (rank < 4) {
        return scalar(any_elem());
    }
    if (rank < 9) {
        return array1(any_elem(), chance(40) ? ANY : known_class());
    }
    return array2(chance(80) ? E_I64 : (Elem)pick(SCALARS), pick(5),
                  chance(70) ? pick(5) : known_class());
}

static char *binding(int depth, const char *indent, bool is_var) {
    Type t = any_type();
    char *value = expr(&t, depth), *name = fresh(is_var ? "m" : "x");
    if (t.rank == 1 && !st.classes[t.dims[0]].size) {
        t.dims[0] = new_class(text("len(%s)", name), st.classes[t.dims[0]].estimate);
    }
    declare(name, t, is_var, ANY);
    return text("%s%s %s = %s\n", indent, is_var ? "var" : "let", name, value);
}

/* A name that may be written: its type, or false. */
static Name *any_var(int rank) {
    for (int tries = 0; tries < 12; tries++) {
        Type t = {.elem = (Elem)pick(E_COUNT), .rank = rank, .dims = {ANY, ANY, ANY}};
        Name *name = find_name(t, true);
        if (name) {
            return name;
        }
    }
    return NULL;
}

static char *update_scalar(int depth, const char *indent) {
    static const char *const operators[] = {"+=", "-=", "*=", "="};
    Name *v = any_var(0);
    if (!v) {
        return binding(depth, indent, true);
    }
    Name to = *v;
    if (to.type.elem == E_REC && chance(60)) {
        return text("%s%s.b = %s\n", indent, to.name, expr_of(st.shapes.record[1], depth));
    }
    bool number = is_int(to.type.elem) || is_float(to.type.elem);
    return text("%s%s %s %s\n", indent, to.name, number ? operators[pick(4)] : "=",
                expr_of(to.type.elem, depth));
}

/* One element, all elements in turn, a swap, places, a slice, or all at once. */
static char *update_array(int depth, const char *indent) {
    Name *v = any_var(1);
    if (!v) {
        return binding(depth, indent, true);
    }
    Name a = *v;
    int class_id = a.type.dims[0];
    const SizeClass *c = &st.classes[class_id];
    bool number = is_int(a.type.elem) || is_float(a.type.elem);
    char *i = fresh("k"), *value = NULL;
    switch (pick(7)) {
    case 0:
        return text("%sif %s > %d { %s[%d] %s %s }\n", indent, c->size, 2, a.name, pick(3),
                    number && chance(50) ? "+=" : "=", expr_of(a.type.elem, depth));
    case 1:
    case 2: {
        if (!enter(c->estimate)) {
            return "";
        }
        int mark = st.name_count;
        declare(i, scalar(E_I64), false, class_id);
        value = expr_of(a.type.elem, depth);
        st.name_count = mark;
        leave(c->estimate);
        char *place =
            chance(70) ? text("%s[%s]", a.name, i) : text("%s[%s - 1 - %s]", a.name, c->size, i);
        return text("%sfor %s in 0..%s { %s %s %s }\n", indent, i, c->size, place,
                    number && chance(50) ? "+=" : "=", value);
    }
    case 3:
        return text("%sif %s > 3 { (%s[0], %s[%d]) = (%s[%d], %s[0]) }\n", indent, c->size, a.name,
                    a.name, 1, a.name, 1, a.name);
    case 4:
        value = expr(&a.type, depth);
        return text("%s%s[argsort(%s)] = %s\n", indent, a.name, value, expr(&a.type, depth));
    case 5:
        value = expr(&a.type, depth);
        return text("%s%s[0..%s / 2] = (%s)[%s - %s / 2..]\n", indent, a.name, c->size, value,
                    c->size, c->size);
    default: return text("%s%s = %s\n", indent, a.name, expr(&a.type, depth));
    }
}

static char *update_matrix(int depth, const char *indent) {
    Name *v = any_var(2);
    if (!v) {
        return text("%slet _ = 0\n", indent);
    }
    Name m = *v;
    char *rows = st.classes[m.type.dims[0]].size, *columns = st.classes[m.type.dims[1]].size;
    Type row = array1(m.type.elem, m.type.dims[1]);
    switch (pick(4)) {
    case 0: return text("%sif %s > 1 { %s[1] = %s }\n", indent, rows, m.name, expr(&row, depth));
    case 1:
        return text("%sif %s > 1 and %s > 2 { %s[1, 2] = %s }\n", indent, rows, columns, m.name,
                    expr_of(m.type.elem, depth));
    case 2: return text("%sif %s > 2 { %s[0] = %s[2] }\n", indent, rows, m.name, m.name);
    default: {
        char *i = fresh("k"), *j = fresh("j");
        return text("%sfor %s in 0..%s, %s in 0..%s { %s[%s, %s] = %s }\n", indent, i, rows, j,
                    columns, m.name, i, j, expr_of(m.type.elem, 1));
    }
    }
}

/* Two names for one array, one of them written; or an array in a tuple or a closure. */
static char *alias(int depth, const char *indent) {
    Name *v = any_var(1);
    if (!v) {
        return binding(depth, indent, true);
    }
    Name a = *v;
    char *b = fresh("m"), *c = fresh("x");
    char *size = st.classes[a.type.dims[0]].size, *value = expr_of(a.type.elem, depth);
    char *s = NULL;
    switch (pick(3)) {
    case 0:
        s = text("%svar %s = %s\n%sif %s > 1 { %s[1] = %s }\n", indent, b, a.name, indent, size,
                 chance(50) ? a.name : b, value);
        declare(b, a.type, true, ANY);
        return s;
    case 1:
        s = text("%svar %s = (%s, %s)\n%sif %s > 1 { %s.0[0] = %s }\n%slet %s = %s.%d\n", indent, b,
                 a.name, a.name, indent, size, b, value, indent, c, b, pick(2));
        declare(c, a.type, false, ANY);
        return s;
    default:
        s = text(
            "%slet %s = k -> try %s[k] else %s\n%sif %s > 1 { %s[1] = %s }\n%slet %s = %s(1)\n",
            indent, b, a.name, literal(a.type.elem), indent, size, a.name, value, indent, c, b);
        declare(c, scalar(a.type.elem), false, ANY);
        return s;
    }
}

static char *leave_loop(int depth, const char *indent) {
    if (st.loop_depth > 0) {
        return text("%sif %s { %s }\n", indent, expr_of(E_BOOL, depth),
                    chance(50) ? "break" : "continue");
    }
    if (!st.in_function) {
        return update_scalar(depth, indent);
    }
    return text("%sif %s { return %s }\n", indent, expr_of(E_BOOL, depth), expr(&st.result, depth));
}

static char *branch(int depth, const char *indent) {
    int mark = st.name_count;
    char *condition = expr_of(E_BOOL, depth);
    char *yes = statements(1 + pick(2), depth, deeper(indent));
    st.name_count = mark;
    if (chance(50)) {
        return text("%sif %s {\n%s%s}\n", indent, condition, yes, indent);
    }
    char *no = statements(1 + pick(2), depth, deeper(indent));
    st.name_count = mark;
    return text("%sif %s {\n%s%s} else {\n%s%s}\n", indent, condition, yes, indent, no, indent);
}

static char *for_loop(int depth, const char *indent) {
    int class_id = known_class(), mark = st.name_count;
    double count = st.classes[class_id].estimate;
    char *size = st.classes[class_id].size;
    bool over_values = chance(40);
    Type over = array1((Elem)pick(E_COUNT), class_id);
    char *range = over_values ? expr(&over, depth) : text("0..%s", size), *i = fresh("k");
    if (!enter(count)) {
        return text("%slet _ = 1\n", indent);
    }
    declare(i, scalar(over_values ? over.elem : E_I64), false, over_values ? ANY : class_id);
    st.loop_depth++;
    char *body = statements(1 + pick(3), depth, deeper(indent));
    st.loop_depth--;
    st.name_count = mark;
    leave(count);
    return text("%sfor %s in %s {\n%s%s}\n", indent, i, range, body, indent);
}

static char *while_loop(int depth, const char *indent) {
    int mark = st.name_count, count = 2 + pick(8);
    if (!enter(count)) {
        return text("%slet _ = 2\n", indent);
    }
    char *fuel = fresh("fuel"), *inner = deeper(indent);
    st.loop_depth++;
    char *condition = expr_of(E_BOOL, depth), *body = statements(1 + pick(3), depth, inner);
    st.loop_depth--;
    st.name_count = mark;
    leave(count);
    return text("%svar %s = %d\n%swhile %s > 0%s {\n%s%s -= 1\n%s%s}\n", indent, fuel, count,
                indent, fuel, chance(50) ? text(" and %s", condition) : "", inner, fuel, body,
                indent);
}

static char *statement(int depth, const char *indent) {
    switch (pick(14)) {
    case 0:
    case 1: return binding(depth, indent, false);
    case 2:
    case 3: return binding(depth, indent, true);
    case 4:
    case 5: return update_scalar(depth, indent);
    case 6:
    case 7: return update_array(depth, indent);
    case 8: return update_matrix(depth, indent);
    case 9: return alias(depth, indent);
    case 10: return leave_loop(depth, indent);
    case 11: return branch(depth, indent);
    case 12: return for_loop(depth, indent);
    default: return while_loop(depth, indent);
    }
}

char *statements(int count, int depth, const char *indent) {
    char *s = "";
    for (int i = 0; i < count; i++) {
        char *next = statement(depth > 0 ? depth - 1 : 0, indent);
        s = text("%s%s", s, next);
    }
    return s;
}
