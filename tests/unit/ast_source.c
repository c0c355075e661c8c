/* Expressions and types print as they are written: each text is parsed, printed and compared. */
#include "ast.h"
#include "diag.h"

#include <string.h>

static const char *const exprs[] = {
    "a + b * c ** -d",
    "not a and ~b | c in d",
    "f(x, _, b = 1.5f32)(2)",
    "x |> g(2, _) |> (h(1)) |> m.k(3)",
    "map(xs, (a, (_, b)) -> x -> a + x)",
    "sum(x[i] * y[i] for i in 0..n, j in ys if i > 0)",
    "g([e for (i, x) in xs])",
    "[[1, 2u8], [3]]",
    "a[1.., ..=2, .., lo..hi by 2][idx]",
    "(a, b).0.1 + (x = 1, y = 2).x + ()",
    "a with [i, 0..2] = 3 with (x = 1)",
    "if a { b } else if c { d } else { }",
    "loop (a = 0, b: i32 = 1) for i in 0..n { … }",
    "try a ? m(1) within 50ms else 1h",
    "\"a {x:>8.2}\\{\\n{\"b\"}\"",
    "reduce(xs, 0, (+)) + self + true",
    "spawn m.Account(id = 3)",
    "match s { … }",
};

static const char *const types[] = {
    "[n + 1, _]f32", "(a: i32, b: [_]T)", "(f32, _) -> sets.Set[(i32, A)]", "()", "Pair[A, B]",
};

static int failures;

static Module *parse(Arena *arena, const char *program) {
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources};
    Source *source = source_add(&sources, "a.gact", program, strlen(program));
    Module *module = parse_source(arena, names_new(arena), &diags, source);
    if (module->errors)
        diags_print(&diags, stdout);
    return module;
}

static void compare(const char *want, Buf *got) {
    if (!strcmp(want, buf_text(got)))
        return;
    failures++;
    printf("want %s\ngot  %s\n", want, buf_text(got));
}

int main(void) {
    Arena arena = {0};
    for (int i = 0; i < ARRAY_LEN(exprs); i++) {
        /* The bodies of loops and matches are not printed, so any will do. */
        const char *body = strstr(exprs[i], "{ … }");
        const char *rest = exprs[i][0] == 'm' && body ? "{ _ => 1 }" : "{ 1 }";
        int len = body ? (int)(body - exprs[i]) : (int)strlen(exprs[i]);
        Module *m = parse(
            &arena, arena_printf(&arena, "fn f() = %.*s%s\n", len, exprs[i], body ? rest : ""));
        Buf got = {.arena = &arena};
        ast_print_expr(&got, m->decls.at[0]->fn.body);
        compare(exprs[i], &got);
    }
    for (int i = 0; i < ARRAY_LEN(types); i++) {
        Module *m = parse(&arena, arena_printf(&arena, "type T = %s\n", types[i]));
        Buf got = {.arena = &arena};
        ast_print_type(&got, m->decls.at[0]->type.alias);
        compare(types[i], &got);
    }
    arena_free(&arena);
    return failures ? 1 : 0;
}
