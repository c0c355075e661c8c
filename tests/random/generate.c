/* Writes a random gact program to the standard output: generate SEED [DAGS]. The program is typed,
   ends, and prints what it computes; lines that begin with "check" must end in "true". With a number
   it is one of so many dags and a test block for each.

   Array sizes are symbolic classes, so that arrays which are combined have equal shapes; what may
   fault stands in a try. A budget on the product of loop counts keeps programs short-running. */
#include "generate.h"

#include <stdio.h>
#include <stdlib.h>

static void choose_shapes(void) {
    Shapes *s = &st.shapes;
    for (int i = 0; i < 3; i++) {
        s->record[i] = (Elem)pick(SCALARS);
        s->sum[i] = (Elem)pick(SCALARS);
    }
    s->tuple[0] = (Elem)pick(SCALARS);
    s->tuple[1] = (Elem)pick(SCALARS);
    s->option = (Elem)pick(SCALARS);
    printf("type R = { a: %s, b: %s, c: %s }\n", elem_name(s->record[0]), elem_name(s->record[1]),
           elem_name(s->record[2]));
    printf("type S = A(%s) | B(x: %s, y: %s) | C\n\n", elem_name(s->sum[0]), elem_name(s->sum[1]),
           elem_name(s->sum[2]));
}

/* Parameters named p0, p1, …; the arrays are of one size, n. */
static char *parameters(Function *f, int size, bool dag) {
    char *s = "";
    f->param_count = 1 + pick(4);
    for (int i = 0; i < f->param_count; i++) {
        Elem e = chance(80) ? (Elem)pick(SCALARS) : (Elem)(E_REC + pick(E_COUNT - E_REC));
        f->params[i] = (i == 0 && dag) || chance(50) ? array1(e, size) : scalar(e);
        char *name = fresh("p");
        bool typed = dag || f->params[i].rank > 0 || chance(75);
        s = text("%s%s%s%s%s", s, i ? ", " : "", name, typed ? ": " : "",
                 typed ? type_name(f->params[i]) : "");
        declare(name, f->params[i], false, ANY);
    }
    return s;
}

static bool has_array(const Function *f) {
    for (int i = 0; i < f->param_count; i++) {
        if (f->params[i].rank > 0) {
            return true;
        }
    }
    return false;
}

static void write_function(int number) {
    int mark = st.name_count, n = new_class("n", 5000);
    Function f = {.name = text("f%d", number)};
    char *params = parameters(&f, n, false);
    Elem e = (Elem)pick(E_COUNT);
    f.result = has_array(&f) && chance(50) ? array1(e, n) : scalar(e);
    st.floor = mark;
    st.cost = 0;
    st.in_function = true;
    st.result = f.result;
    char *body = statements(1 + pick(5), 3, "  ");
    st.in_function = false;
    printf("fn %s(%s) -> %s {\n%s  return %s\n}\n\n", f.name, params, type_name(f.result), body,
           expr(&f.result, 3));
    f.cost = st.cost + 10;
    st.name_count = mark;
    st.functions[st.function_count++] = f;
}

/* A dag with one to three outputs over arrays of one size; only bindings. */
static Function write_dag(int number, int *outputs, Type results[3]) {
    int mark = st.name_count, n = new_class("n", 5000);
    Function f = {.name = text("d%d", number)};
    char *params = parameters(&f, n, true), *types = "", *values = "", *body = "";
    st.floor = st.name_count;
    st.cost = 0;
    for (int i = 0, count = 1 + pick(4); i < count; i++) {
        Type t = chance(70) ? array1((Elem)pick(SCALARS), chance(80) ? n : ANY)
                            : scalar((Elem)pick(SCALARS));
        char *value = expr(&t, 3), *name = fresh("x");
        if (t.rank > 0 && !st.classes[t.dims[0]].size) {
            t.dims[0] = new_class(text("len(%s)", name), st.classes[t.dims[0]].estimate);
        }
        declare(name, t, false, ANY);
        body = text("%s  let %s = %s\n", body, name, value);
    }
    *outputs = 1 + pick(3);
    for (int i = 0; i < *outputs; i++) {
        Type t = chance(60) ? array1((Elem)pick(SCALARS), n) : scalar((Elem)pick(SCALARS));
        values = text("%s%sr%d = %s", values, i ? ", " : "", i, expr(&t, 2));
        types = text("%s%sr%d: %s", types, i ? ", " : "", i, type_name(t));
        results[i] = t;
    }
    f.cost = st.cost;
    printf("dag %s(%s) -> (%s) {\n%s  return (%s)\n}\n\n", f.name, params, types, body, values);
    st.name_count = mark;
    return f;
}

/* Prints a value: an array whole if it is short, and a digest of it. */
static void print_value(const char *name, Type t) {
    if (t.rank == 0) {
        printf("  print(\"%s\", %s)\n", name, name);
    } else if (t.rank == 1) {
        printf("  print(\"%s\", len(%s), digest(%s), take(%s, 8))\n", name, name, name, name);
    } else {
        printf("  print(\"%s\", shape(%s), digest(flatten(%s)))\n", name, name, name);
    }
}

static void write_digest(void) {
    printf("fn maybe(c: bool, v: %s) -> %s = if c { Some(v) } else { None }\n",
           elem_name(st.shapes.option), elem_name(E_OPT));
    printf("fn number(v: bool) -> i64 = i64(v)\n");
    for (Elem e = E_I8; e <= E_U64; e++) {
        printf("fn number(v: %s) -> i64 = i64(v)\n", elem_name(e));
    }
    printf(
        "fn number(v: f16) -> i64 = i64(f32(v) * 1000)\n"
        "fn number(v: bf16) -> i64 = i64(f32(v) * 1000)\n"
        "fn number(v: f32) -> i64 = i64(v * 1000)\n"
        "fn number(v: f64) -> i64 = i64(v * 1000)\n"
        "fn number(v: R) -> i64 = number(v.a) * 7 + number(v.b) * 5 + number(v.c)\n"
        "fn number(v: (_, _)) -> i64 = number(v.0) * 7 + number(v.1)\n"
        "fn number(v: S) -> i64 =\n"
        "  match v { A(a) => number(a) * 3, B(a, b) => number(a) * 5 + number(b), C => -1 }\n"
        "fn number(v: Option[%s]) -> i64 = match v { Some(a) => number(a) + 1, None => 0 }\n"
        "fn digest(x) {\n  var s = 17\n  for v in x { s = s * 31 + number(v) }\n  return s\n}\n\n",
        elem_name(st.shapes.option));
}

static void write_dag_call(const Function *dag, int outputs, const Type results[3]) {
    static const int sizes[] = {0, 1, 7, 100, 4999};
    int n = sizes[pick(5)], class_id = new_class(text("(%d + z)", n), n);
    char *args = "", *name = fresh("r");
    int seen = st.name_count;
    for (int i = 0; i < dag->param_count; i++) {
        Type t = dag->params[i];
        if (t.rank > 0) {
            t.dims[0] = class_id;
        }
        char *arg = fresh("x");
        printf("  let %s = %s\n", arg, expr(&t, 2));
        args = text("%s%s%s", args, i ? ", " : "", arg);
    }
    st.name_count = seen;
    printf("  let %s = %s(%s)\n", name, dag->name, args);
    for (int i = 0; i < outputs; i++) {
        print_value(text("%s.r%d", name, i), results[i]);
    }
}

static void write_main(const Function *dags, const int *outputs, Type results[][3], int dag_count) {
    static const int sizes[] = {0, 1, 5, 13, 101, 4999};
    printf("main(args: []string) {\n  let z = len(args)\n");
    st.floor = st.name_count = 0;
    st.cost = 0;
    for (Elem e = 0; e < SCALARS; e++) {
        char *name = fresh("s");
        printf("  let %s = %s(z + %d)\n", name, elem_name(e), pick(20));
        declare(name, scalar(e), false, ANY);
    }
    for (int i = 0; i < 3; i++) {
        int n = sizes[pick(6)], class_id = new_class(text("(%d + z)", n), n);
        for (int k = 0; k < 2; k++) {
            Type t = array1((Elem)pick(k ? E_COUNT : SCALARS), class_id);
            char *name = fresh("m"), *value = expr(&t, 3);
            printf("  var %s = %s\n", name, value);
            declare(name, t, true, ANY);
        }
    }
    for (int i = 0, count = 6 + pick(6); i < count; i++) {
        printf("%s", statements(1, 4, "  "));
    }
    for (int i = 0; i < st.name_count; i++) {
        print_value(st.names[i].name, st.names[i].type);
    }
    for (int i = 0; i < dag_count; i++) {
        write_dag_call(&dags[i], outputs[i], results[i]);
    }
    printf("%s}\n", relations());
}

int main(int argc, char **argv) {
    if (argc != 2 && argc != 3) {
        fprintf(stderr, "usage: generate SEED [DAGS]\n");
        return 2;
    }
    start_choices(strtoull(argv[1], NULL, 0) * 0x2545f4914f6cdd1du);
    for (int i = 0; i < 5; i++) {
        static const int sizes[] = {0, 1, 3, 5, 8};
        new_class(text("%d", sizes[i]), sizes[i]);
    }
    choose_shapes();
    write_digest();
    for (int i = 0, count = 1 + pick(3); i < count; i++) {
        write_function(i);
    }
    if (argc == 3) {
        write_dags(atoi(argv[2]));
        return 0;
    }
    enum { MAX_DAGS = 2 };
    Function dags[MAX_DAGS];
    int outputs[MAX_DAGS], dag_count = pick(MAX_DAGS + 1);
    Type results[MAX_DAGS][3];
    for (int i = 0; i < dag_count; i++) {
        dags[i] = write_dag(i, &outputs[i], results[i]);
    }
    write_main(dags, outputs, results, dag_count);
    return 0;
}
