/* Relations that hold for every array of integers: each is printed as a line that must end in true. */
#include "generate.h"

#include <stddef.h>
#include <string.h>

/* $x is the array, $n its size, $e an expression over the element v, $p a condition on it, $k an
   integer, $T the type of the elements. A value of several statements is a block. */
static const char *const templates[] = {
    "sum(map($x, v -> $e)) == { var s = $T(0)\n for v in $x { s += $e }\n s }",
    "same(map($x, v -> $e), { var y = $x\n for i in 0..len(y) { let v = y[i]\n y[i] = $e }\n y })",
    "same(sort($x), $x[argsort($x)])",
    "same(sort($x, descending = true), $x[argsort($x, descending = true)])",
    "same(reverse(reverse($x)), $x)",
    "same(reverse(sort($x)), sort($x, descending = true))",
    "same(filter($x, v -> $p), [v for v in $x if $p])",
    "same(filter($x, v -> $p), $x[map($x, v -> $p)])",
    "same(concat(take($x, $k), drop($x, $k)), $x)",
    "same(rotate(rotate($x, $k), -$k), $x)",
    "same(flatten([[v] for v in $x]), $x)",
    "same(cumsum($x), { var s = $T(0)\n var y = $x\n for i in 0..$n { s += $x[i]\n y[i] = s }\n y })",
    "same(exscan($x, $T(3), (+)), cumsum($x) - $x + $T(3))",
    "same(unique($x), [a.key for a in group_by($x, v -> v)])",
    "same(unique($x), reduce_by_key($x, $x, $T(0), (+)).keys)",
    "same(reduce_by_key($x, $x, $T(0), (+)).values, [sum(a.values) for a in group_by($x, v -> v)])",
    "sum([len(a.values) for a in group_by($x, v -> $p)]) == $n",
    "count($x, v -> $p) == len(filter($x, v -> $p))",
    "same(unzip(zip($x, reverse($x))).1, reverse($x))",
    "same(map(enumerate($x), a -> a.1), $x)",
    "same(scatter($x, argsort($x), sort($x)), $x)",
    "same(histogram(map($x, v -> mod(i64(v), 5)), 5), "
    "{ var h = fill(5, 0)\n for v in $x { h[mod(i64(v), 5)] += 1 }\n h })",
    "same(segmented_reduce($x, [0, $n / 3, $n / 2, $n], $T(0), (+)), "
    "[sum($x[..$n / 3]), sum($x[$n / 3..$n / 2]), sum($x[$n / 2..])])",
    "same(partition($x, v -> $p).1, filter($x, v -> not $p))",
    "same(transpose(transpose(outer(take($x, 9), $x, (a, b) -> a - b))), "
    "outer(take($x, 9), $x, (a, b) -> a - b))",
    "dot($x, $x) == sum($x * $x)",
    "same(windows($x, 1)[.., 0], $x)",
    "same(pad($x, 2, $T(1))[2..$n + 2], $x)",
    "same({ var y = $x\n let z2 = y\n for i in 0..$n { y[i] += $T(1) }\n y - z2 }, fill($n, $T(1)))",
    "same({ var y = $x\n y[reverse(0..$n)] = $x\n y }, reverse($x))",
    "same(loop (y = $x) for i in 0..$n { y with [i] = y[i] * $T(2) }, $x + $x)",
    "same(sum(outer($x, fill(3, $T(2)), (a, b) -> a * b), axis = 1), $x * $T(6))",
    "reduce($x, $T(0), (a, b) -> a ^ b) == (loop (a = $T(0)) for b in $x { a ^ b })",
    "(try first($x) else $T(0)) == (if $n > 0 { $x[0] } else { $T(0) })",
    "(try max($x) else $T(0)) == (try last(sort($x)) else $T(0))",
    "same(flatten(reshape($x, ($n, 1))), $x)",
    "same($x[0..$n by 2], [$x[i] for i in 0..$n if i % 2 == 0])",
    "same(dense([[v, v] for v in $x])[.., 1], $x)",
    "same(map(sort_by(zip($x, 0..$n), a -> a.0), a -> a.1), argsort($x))",
    "same(flatten([0..i for i in 0..min($n, 40)]), [j for i in 0..min($n, 40), j in 0..i])",
};

/* The template with its placeholders filled in. */
static char *fill_in(const char *from, const Name *x) {
    Elem e = x->type.elem;
    int mark = st.name_count;
    declare("v", scalar(e), false, ANY);
    st.times *= 5000;
    char *element = expr_of(e, 2), *condition = expr_of(E_BOOL, 2);
    st.times /= 5000;
    st.name_count = mark;
    char *s = "";
    for (const char *p = from; *p; p++) {
        const char *with = NULL;
        if (*p == '$') {
            p++;
            with = *p == 'x' ? x->name
                 : *p == 'n' ? st.classes[x->type.dims[0]].size
                 : *p == 'e' ? element
                 : *p == 'p' ? condition
                 : *p == 'T' ? elem_name(e)
                             : "7";
        }
        s = with ? text("%s%s", s, with) : text("%s%c", s, *p);
    }
    return s;
}

char *relations(void) {
    char *s = "";
    st.cost = 0;
    for (int i = 0; i < 12; i++) {
        Name *found = find_name(array1((Elem)(E_I8 + pick(E_U64 - E_I8 + 1)), ANY), false);
        if (!found || !st.classes[found->type.dims[0]].size) {
            continue;
        }
        Name x = *found;
        int k = pick((int)(sizeof templates / sizeof *templates));
        s = text("%s  print(\"check %d\", %s)\n", s, k, fill_in(templates[k], &x));
    }
    return s;
}
