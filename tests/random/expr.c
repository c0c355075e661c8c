/* Expressions whose value is no array. Every composite is in parentheses, so precedence is not
 * asked. */
#include "generate.h"

#include <stddef.h>

static Elem any_scalar(void) {
    return (Elem)pick(SCALARS);
}

static Elem any_int(void) {
    return (Elem)(E_I8 + pick(E_U64 - E_I8 + 1));
}

char *literal(Elem e) {
    switch (e) {
    case E_BOOL: return chance(50) ? "true" : "false";
    case E_REC:
        return text("R(%s, %s, %s)", literal(st.shapes.record[0]), literal(st.shapes.record[1]),
                    literal(st.shapes.record[2]));
    case E_TUP: return text("(%s, %s)", literal(st.shapes.tuple[0]), literal(st.shapes.tuple[1]));
    case E_SUM: return chance(30) ? "C" : text("A(%s)", literal(st.shapes.sum[0]));
    case E_OPT: return text("Some(%s)", literal(st.shapes.option));
    default: break;
    }
    if (is_float(e)) {
        static const char *const floats[] = {"0.0", "1.5", "0.1", "3.25", "1e3", "7.0", "1e-3"};
        const char *minus = chance(20) ? "-" : "";
        return text("(%s%s%s)", minus, floats[pick(7)], elem_name(e));
    }
    int value = chance(60) ? pick(10) : pick(120);
    return text("(%s%d%s)", is_signed(e) && chance(25) ? "-" : "", value, elem_name(e));
}

/* A value that depends on an integer in scope. */
char *varied(Elem e, const char *i) {
    const Shapes *s = &st.shapes;
    switch (e) {
    case E_BOOL: return text("(%s %% %d == 0)", i, 2 + pick(3));
    case E_REC:
        return text("R(%s, %s, %s)", varied(s->record[0], i), varied(s->record[1], i),
                    varied(s->record[2], i));
    case E_TUP: return text("(%s, %s)", varied(s->tuple[0], i), varied(s->tuple[1], i));
    case E_SUM:
        return text("(if %s %% 3 == 1 { A(%s) } else { B(%s, %s) })", i, varied(s->sum[0], i),
                    varied(s->sum[1], i), varied(s->sum[2], i));
    case E_OPT: return text("maybe(%s %% 2 == 1, %s)", i, varied(s->option, i));
    default:
        return text("%s((%s * %d + %d) %% %d)", elem_name(e), i, 1 + pick(40), pick(10),
                    2 + pick(300));
    }
}

/* A comparison, or two joined. */
static char *bool_expr(int depth) {
    static const char *const comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
    Elem e = any_scalar();
    switch (pick(8)) {
    case 0: return text("(%s and %s)", expr_of(E_BOOL, depth), expr_of(E_BOOL, depth));
    case 1: return text("(%s or %s)", expr_of(E_BOOL, depth), expr_of(E_BOOL, depth));
    case 2: return text("(not %s)", expr_of(E_BOOL, depth));
    case 3:
        e = (Elem)pick(E_COUNT);
        return text("(%s %s %s)", expr_of(e, depth), chance(50) ? "==" : "!=", expr_of(e, depth));
    default:
        if (e == E_BOOL) {
            e = E_I32;
        }
        return text("(%s %s %s)", expr_of(e, depth), comparisons[pick(6)], expr_of(e, depth));
    }
}

static char *int_expr(Elem e, int depth) {
    static const char *const operators[] = {"+", "-", "*", "+", "-", "&", "|", "^"};
    char *a = expr_of(e, depth);
    switch (pick(12)) {
    case 0: return text("(%s %s (%s | 1))", a, chance(50) ? "/" : "%", expr_of(e, depth));
    case 1:
        return text("(%s %s (%s & 63))", a, chance(50) ? "<<" : ">>", expr_of(any_int(), depth));
    case 2: return text("%s(%s, (%s | 1))", chance(50) ? "div" : "mod", a, expr_of(e, depth));
    case 3: return text("%s(%s)", is_signed(e) && chance(50) ? "-" : "abs", a);
    case 4: return text("%s(%s)", chance(50) ? "popcount" : "~", a);
    case 5: return text("%s(%s, %s)", chance(50) ? "min" : "max", a, expr_of(e, depth));
    case 6: return text("(%s %s %d)", a, operators[pick(8)], pick(100));
    case 7: return text("(try (%s / %s) else %s)", a, expr_of(e, depth), literal(e));
    case 8: return text("(%s ** %d)", a, pick(4));
    case 9: return text("gcd(%s, %s)", a, expr_of(e, depth));
    default: return text("(%s %s %s)", a, operators[pick(8)], expr_of(e, depth));
    }
}

static char *float_expr(Elem e, int depth) {
    static const char *const operators[] = {"+", "-", "*", "/"};
    static const char *const functions[] = {"abs",  "floor", "ceil", "round", "trunc",
                                            "sqrt", "exp",   "sin",  "sign",  "-"};
    char *a = expr_of(e, depth);
    switch (pick(8)) {
    case 0:
    case 1: return text("%s(%s)", functions[pick(10)], a);
    case 2: return text("%s(%s, %s)", chance(50) ? "min" : "max", a, expr_of(e, depth));
    case 3: return text("fma(%s, %s, %s)", a, expr_of(e, depth), expr_of(e, depth));
    case 4: return text("(%s %s %d)", a, operators[pick(4)], 1 + pick(9));
    default: return text("(%s %s %s)", a, operators[pick(4)], expr_of(e, depth));
    }
}

static char *composite(Elem e, int depth) {
    const Shapes *s = &st.shapes;
    switch (e) {
    case E_REC:
        if (chance(25)) {
            return text("(%s with (b = %s))", expr_of(e, depth), expr_of(s->record[1], depth));
        }
        return text(chance(50) ? "R(%s, %s, %s)" : "R(a = %s, b = %s, c = %s)",
                    expr_of(s->record[0], depth), expr_of(s->record[1], depth),
                    expr_of(s->record[2], depth));
    case E_TUP: return text("(%s, %s)", expr_of(s->tuple[0], depth), expr_of(s->tuple[1], depth));
    case E_SUM:
        switch (pick(3)) {
        case 0: return text("A(%s)", expr_of(s->sum[0], depth));
        case 1: return text("B(%s, y = %s)", expr_of(s->sum[1], depth), expr_of(s->sum[2], depth));
        default: return "C";
        }
    default:
        if (chance(60)) {
            return text("Some(%s)", expr_of(s->option, depth));
        }
        return text("maybe(%s, %s)", expr_of(E_BOOL, depth), expr_of(s->option, depth));
    }
}

/* An expression with one or two more names in scope. */
static char *with_names(Elem e, int depth, char *a, Elem ea, char *b, Elem eb) {
    int mark = st.name_count;
    declare(a, scalar(ea), false, ANY);
    if (b) {
        declare(b, scalar(eb), false, ANY);
    }
    char *body = expr_of(e, depth);
    st.name_count = mark;
    return body;
}

static char *match_expr(Elem e, int depth) {
    const Shapes *s = &st.shapes;
    char *a = fresh("p"), *b = fresh("p");
    if (chance(40)) {
        return text("(match %s { Some(%s) => %s, None => %s })", expr_of(E_OPT, depth), a,
                    with_names(e, depth, a, s->option, NULL, 0), expr_of(e, depth));
    }
    if (chance(20)) {
        return text("(match %s { 0 => %s, 1..5 | 9 => %s, _ => %s })", expr_of(any_int(), depth),
                    expr_of(e, depth), expr_of(e, depth), expr_of(e, depth));
    }
    char *guarded = "";
    if (chance(40)) {
        guarded = text("A(%s) if %s => %s, ", a, with_names(E_BOOL, depth, a, s->sum[0], NULL, 0),
                       with_names(e, depth, a, s->sum[0], NULL, 0));
    }
    return text("(match %s { %sA(%s) => %s, B(%s, %s) => %s, C => %s })", expr_of(E_SUM, depth),
                guarded, a, with_names(e, depth, a, s->sum[0], NULL, 0), a, b,
                with_names(e, depth, a, s->sum[1], b, s->sum[2]), expr_of(e, depth));
}

/* A field of a record or a member of a tuple that has the type, or NULL. */
static char *part_expr(Elem e, int depth) {
    int k = pick(3);
    if (st.shapes.record[k] == e) {
        return text("%s.%c", expr_of(E_REC, depth), 'a' + k);
    }
    k = pick(2);
    return st.shapes.tuple[k] == e ? text("%s.%d", expr_of(E_TUP, depth), k) : NULL;
}

char *lambda(Type param, Elem result, double count, int depth) {
    char *name = fresh("v");
    if (!enter(count)) {
        return text("%s -> %s", name, literal(result));
    }
    int mark = st.name_count, floor = st.floor;
    st.floor = mark;
    declare(name, param, false, ANY);
    char *body = expr_of(result, depth);
    st.name_count = mark;
    st.floor = floor;
    leave(count);
    return text("%s -> %s", name, body);
}

static double size_of(Type t) {
    double n = 1;
    for (int i = 0; i < t.rank; i++) {
        n *= st.classes[t.dims[i]].estimate;
    }
    return n;
}

/* What one array gives: an element, a reduction, a question about it. */
static char *of_array(Elem e, int depth) {
    Type t = chance(75) ? array1(e, ANY) : (Type){.elem = e, .rank = 2, .dims = {ANY, ANY}};
    char *x = expr(&t, depth);
    if (!enter(size_of(t))) {
        return literal(e);
    }
    leave(size_of(t));
    if (t.rank == 2) {
        if (is_int(e) && chance(50)) {
            return text("sum(%s)", x);
        }
        return text("(try %s[%s, %s] else %s)", x, expr_of(E_I64, depth), expr_of(E_U8, depth),
                    literal(e));
    }
    switch (pick(is_int(e) || is_float(e) ? 12 : 4)) {
    case 0: return text("(try %s[%s] else %s)", x, expr_of(any_int(), depth), literal(e));
    case 1: return text("(try %s(%s) else %s)", chance(50) ? "first" : "last", x, literal(e));
    case 2: return text("(try wrap_at(%s, %s) else %s)", x, expr_of(E_I32, depth), literal(e));
    case 3: return text("(try clamp_at(%s, %s) else %s)", x, expr_of(E_I64, depth), literal(e));
    case 4: return text("sum(%s)", x);
    case 5: return text("product(%s)", x);
    case 6: return text("(try %s(%s) else %s)", chance(50) ? "min" : "max", x, literal(e));
    case 7: return text("reduce(%s, %s, (+))", x, literal(e));
    case 8: return text("reduce(%s, %s, (a, b) -> max(a, b))", x, literal(e));
    case 9: return text("sum(map(%s, %s))", x, lambda(scalar(e), e, size_of(t), depth));
    case 10:
        return st.classes[t.dims[0]].size ? text("dot(%s, %s)", x, expr(&t, depth))
                                          : text("sum(%s)", x);
    default: return text("sum(%s)", x);
    }
}

/* A number or truth of an array of another type. */
static char *about_array(Elem e, int depth) {
    Type t = array1(any_scalar(), ANY);
    char *x = expr(&t, depth);
    double n = size_of(t);
    if (e == E_BOOL) {
        switch (pick(3)) {
        case 0: return text("any(map(%s, %s))", x, lambda(scalar(t.elem), e, n, depth));
        case 1: return text("all(map(%s, %s))", x, lambda(scalar(t.elem), e, n, depth));
        default: return text("(%s in %s)", expr_of(t.elem, depth), x);
        }
    }
    char *number = NULL;
    switch (pick(4)) {
    case 0: number = text("len(%s)", x); break;
    case 1: number = text("count(%s, %s)", x, lambda(scalar(t.elem), E_BOOL, n, depth)); break;
    case 2: number = text("(try argmin(%s) else -1)", x); break;
    default: number = text("(try argmax(%s) else -2)", x); break;
    }
    return e == E_I64 ? number : text("%s(%s)", elem_name(e), number);
}

/* Loops as expressions. */
static char *loop_expr(Elem e, int depth) {
    char *a = fresh("a"), *i = fresh("k");
    char *start = expr_of(e, depth);
    int count = 1 + pick(6), mark = st.name_count, floor = st.floor;
    if (!enter(count)) {
        return start;
    }
    st.floor = mark;
    declare(a, scalar(e), false, ANY);
    char *s = NULL;
    if (chance(50)) {
        declare(i, scalar(E_I64), false, ANY);
        s = text("(loop (%s = %s) for %s in 0..%d { %s })", a, start, i, count, expr_of(e, depth));
    } else {
        declare(i, scalar(E_I32), false, ANY);
        s = text("(loop (%s = %s, %s = %di32) while %s > 0 { (%s, %s - 1) }).0", a, start, i, count,
                 i, expr_of(e, depth), i);
    }
    st.name_count = mark;
    st.floor = floor;
    leave(count);
    return s;
}

static char *block_expr(Elem e, int depth) {
    int mark = st.name_count, floor = st.floor, loops = st.loop_depth;
    bool in_function = st.in_function;
    st.floor = mark;
    st.loop_depth = 0;
    st.in_function = false;
    char *body = statements(1 + pick(3), depth, "      ");
    char *s = text("{\n%s      %s\n    }", body, expr_of(e, depth));
    st.name_count = mark;
    st.floor = floor;
    st.loop_depth = loops;
    st.in_function = in_function;
    return s;
}

/* A call of a function of the program that gives the type, or NULL. */
static char *call_expr(Elem e, int depth) {
    for (int tries = 0; tries < 4 && st.function_count > 0; tries++) {
        const Function *f = &st.functions[pick(st.function_count)];
        if (f->result.elem == e && f->result.rank == 0 && st.times * f->cost < 300000) {
            st.cost += st.times * f->cost;
            return call(f, ANY, depth);
        }
    }
    return NULL;
}

char *call(const Function *f, int class_id, int depth) {
    char *args = "";
    if (class_id == ANY) {
        class_id = known_class();
    }
    for (int i = 0; i < f->param_count; i++) {
        Type t = f->params[i];
        if (t.rank > 0) {
            t.dims[0] = class_id;
        }
        char *arg = expr(&t, depth);
        if (t.rank > 0) {
            class_id = t.dims[0];
        }
        args = text("%s%s%s", args, i ? ", " : "", arg);
    }
    return text("%s(%s)", f->name, args);
}

static char *conversion(Elem e, int depth) {
    return text("%s(%s)", elem_name(e), expr_of(any_scalar(), depth));
}

static char *choice(Elem e, int depth) {
    if (chance(20) && e < SCALARS) {
        return text("where(%s, %s, %s)", expr_of(E_BOOL, depth), expr_of(e, depth),
                    expr_of(e, depth));
    }
    return text("(if %s { %s } else { %s })", expr_of(E_BOOL, depth), expr_of(e, depth),
                expr_of(e, depth));
}

/* A name of the type, or of another one converted, or a literal. */
static char *leaf(Elem e) {
    Name *name = find_name(scalar(e), false);
    if (name && chance(85)) {
        return name->name;
    }
    for (int tries = 0; e < SCALARS && tries < 4; tries++) {
        name = find_name(scalar(any_scalar()), false);
        if (name) {
            return text("%s(%s)", elem_name(e), name->name);
        }
    }
    return literal(e);
}

char *expr_of(Elem e, int depth) {
    if (depth <= 0 || chance(15)) {
        return leaf(e);
    }
    char *s = NULL;
    depth--;
    switch (pick(14)) {
    case 0: s = choice(e, depth); break;
    case 1: s = match_expr(e, depth); break;
    case 2: s = call_expr(e, depth); break;
    case 3: s = of_array(e, depth); break;
    case 4: s = e < SCALARS ? part_expr(e, depth) : of_array(e, depth); break;
    case 5: s = e < SCALARS ? about_array(e, depth) : NULL; break;
    case 6: s = e < SCALARS ? conversion(e, depth) : NULL; break;
    case 7: s = loop_expr(e, depth); break;
    case 8: s = chance(60) ? block_expr(e, depth) : NULL; break;
    case 9: s = part_expr(e, depth); break;
    default: break;
    }
    if (s) {
        return s;
    }
    return e == E_BOOL   ? bool_expr(depth)
           : is_int(e)   ? int_expr(e, depth)
           : is_float(e) ? float_expr(e, depth)
                         : composite(e, depth);
}

char *expr(Type *t, int depth) {
    return t->rank == 0   ? expr_of(t->elem, depth)
           : t->rank == 1 ? array_expr(t, depth)
                          : matrix_expr(t, depth);
}
