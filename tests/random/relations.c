/* Relations that hold for every array of integers: each is printed as a line that must end in true.
 */
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
    "same(cumsum($x), { var s = $T(0)\n var y = $x\n for i in 0..$n { s += $x[i]\n y[i] = s }\n y "
    "})",
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
    "same({ var y = $x\n let z2 = y\n for i in 0..$n { y[i] += $T(1) }\n y - z2 }, fill($n, "
    "$T(1)))",
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
    "same({ var y = [$x, $x]\n let w = y\n if $n > 0 { y[1, 0] += $T(1)\n y[0] = y[1] }\n "
    "y[0] - w[1] }, [if i == 0 { $T(1) } else { $T(0) } for i in 0..$n])",
    "same({ var t = ($x, $x)\n for i in 0..$n { t.0[i] = t.1[$n - 1 - i] }\n t.0 }, reverse(({ var "
    "t = ($x, "
    "$x)\n for i in 0..$n { t.0[i] -= $T(1) }\n t.1 })))",
    "same({ var y = $x\n let g = i -> y[i]\n for i in 0..$n { y[i] = $T(0) }\n [g(i) for i in "
    "0..$n] }, $x)",
    "same({ var y = $x\n var i = 0\n while i < $n { if i % 3 == 1 { i += 1\n continue }\n "
    "if i > 60 { break }\n y[i] = $T(7)\n i += 1 }\n y }, "
    "[if i % 3 == 1 or i > 60 { $x[i] } else { $T(7) } for i in 0..$n])",
    "same(flatten([[v for j in 0..i % 3] for (i, v) in enumerate($x)]), "
    "[v for (i, v) in enumerate($x), j in 0..i % 3])",
    "same([sum(a) for a in [$x[..i] for i in 0..min($n, 30)]], take(exscan($x, $T(0), (+)), 30))",
    "same({ var y = $x\n for i in 1..$n { y[i] += y[i - 1] }\n y }, cumsum($x))",
    "same({ var y = $x\n for i in 1..$n { let a = y[i - 1]\n (y[i - 1], y[i]) = (y[i], a) }\n y }, "
    "rotate($x, 1))",
    "same({ var y = reshape(concat($x, $x, $x, $x), (2, 2, $n))\n let w = y[1]\n y[1, 0] = "
    "fill($n, $T(1))\n "
    "y[0] = w\n concat(y[0, 1], y[1, 0]) }, concat($x, fill($n, $T(1))))",
    "same(transpose(reshape(concat($x, $x, $x, $x), (2, 2, $n)), (2, 0, 1))[.., 1, 0], $x)",
    "same([i for i in 0..$n if (match $x[i] { 0 | 1 => false, 2..9 => true, _ => true })], "
    "[i for i in 0..$n if not ($x[i] == 0 or $x[i] == 1)])",
    "{ let h = reduce([(v, 1) for v in $x], ($T(0), 0), (a, b) -> (a.0 + b.0, a.1 + b.1))\n "
    "h.0 == sum($x) and h.1 == $n }",
    "same(scan([(v, v) for v in $x], ($T(1), $T(0)), (a, b) -> (b.0, a.1 + b.1)).1, cumsum($x))",
    "same(segmented_scan($x, [i for i in 0..$n + 1], $T(5), (a, b) -> a - b), [$T(5) - v for v in "
    "$x])",
    "same({ var y = $x\n y[map(0..$n, i -> i / 2)] = $x\n y }, "
    "[if 2 * i + 1 < $n { $x[2 * i + 1] } else if 2 * i < $n { $x[2 * i] } else { $x[i] } for i in "
    "0..$n])",
    "same([first(w) for w in windows($x, 1)], $x)",
    "same(map(windows(pad($x, 1, $T(0)), 3), w -> w[1]), $x)",
    "\"{sum($x)} {len($x):>5}\" == \"{reduce($x, $T(0), (a, b) -> a + b)} {$n:>5}\"",
    "same(sort(concat($x, $x))[0..2 * $n by 2], sort($x))",
    "same(map(group_by(zip($x, 0..$n), a -> a.0), g -> first(g.values).1), "
    "[argsort($x)[i] for i in 0..$n if i == 0 or sort($x)[i] != sort($x)[max(i - 1, 0)]])",
    "same(matmul([[i64(v)] for v in $x], [[1, 2]])[.., 1], i64($x) * 2)",
    "same(loop (y = $x) for i in 0..3 { let w = y\n map(y, w, (a, b) -> a + b) }, $x * $T(8))",
    "same(flatten(dense([take($x, 2) for i in 0..4])), "
    "concat(take($x, 2), take($x, 2), take($x, 2), take($x, 2)))",
    "(try { assert sum($x) != sum($x), \"no {$n}\"\n 1 } else 2) == 2",
    "(loop (a = 0, b = $x) while a < 3 { (a + 1, reverse(b)) }).1 |> same(reverse($x))",
    "same(scatter(fill(3, $T(0)), map(0..$n, i -> i % 3), $x, (a, b) -> a * $T(3) + b), "
    "{ var y = fill(3, $T(0))\n for i in 0..$n { y[i % 3] = y[i % 3] * $T(3) + $x[i] }\n y })",
    "same(histogram(map(0..$n, i -> i % 3), 3, $x, $T(1), (a, b) -> b - a), "
    "{ var y = fill(3, $T(1))\n for i in 0..$n { y[i % 3] = $x[i] - y[i % 3] }\n y })",
    "reduce($x, $T(9), (a, b) -> b) == (if $n > 0 { $x[$n - 1] } else { $T(9) })",
    "same(scan($x, $T(9), (a, b) -> a), fill($n, $T(9)))",
    "same(reduce_by_key(map(0..$n, i -> i % 2), $x, $T(0), (a, b) -> b).values, "
    "if $n > 1 { sort_by([$n - 1, $n - 2], i -> i % 2) |> map(i -> $x[i]) } else { $x })",
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
            with = *p == 'x'   ? x->name
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
    for (int i = 0; i < 24; i++) {
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
