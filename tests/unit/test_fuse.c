/* Fusion by its results: how many kernels, array reads and array writes it leaves. Run in the
   project's root; the cases are tests/golden/fuse/ *.ir. */
#include "ir_cases.h"

#include "../../compiler/fuse.h"

/* The counts that fused_print says of the first entry. */
static const char *counts(IrCase *k) {
    Buf out = {.arena = &k->arena};
    fused_print(&out, k->c.ir);
    const char *at = strstr(buf_text(&out), ": kernels ");
    assert_non_null(at);
    return arena_copy(&k->arena, at + 2, strcspn(at + 2, "\n"));
}

static void check_counts(IrCase *k) {
    fuse_module(&k->c);
    case_verify(k);
    if (strcmp(counts(k), k->expected) != 0) {
        Buf out = {.arena = &k->arena};
        fused_print(&out, k->c.ir);
        fail_msg("%s: expected %s\n%s", k->path, k->expected, buf_text(&out));
    }
    range_module(&k->c);
    case_verify(k);
    fuse_module(&k->c); /* nothing is left to do */
    case_verify(k);
    assert_string_equal(counts(k), k->expected);
}

static void test_counts(void **state) {
    (void)state;
    assert_true(each_case("tests/golden/fuse", check_counts) >= 35);
}

static void check_graph(IrCase *k) {
    fuse_module(&k->c);
    Buf out = {.arena = &k->arena};
    graph_print(&out, k->c.ir);
    const char *text = buf_text(&out);
    assert_true(strncmp(text, "digraph ", 8) == 0);
    int depth = 0;
    for (const char *at = text; *at; at++)
        depth += (*at == '{') - (*at == '}');
    assert_int_equal(depth, 0);
    assert_non_null(strstr(text, "in0"));
    assert_non_null(strstr(text, "-> out0"));
}

static void test_graph(void **state) {
    (void)state;
    each_case("tests/golden/fuse", check_graph);
}

static bool has_remark(const IrCase *k, RemarkKind kind, const char *part) {
    for (int i = 0; i < k->c.remarks.len; i++)
        if (k->c.remarks.at[i].kind == kind && strstr(k->c.remarks.at[i].text, part))
            return true;
    return false;
}

static void test_remarks(void **state) {
    (void)state;
    IrCase k;
    case_open(&k, "tests/golden/fuse/gather_part.ir");
    fuse_module(&k.c);
    assert_true(has_remark(&k, REMARK_NOT_FUSED, "may fault"));
    arena_free(&k.arena);
    case_open(&k, "tests/golden/fuse/dot.ir");
    fuse_module(&k.c);
    assert_true(has_remark(&k, REMARK_FUSED, "is fused into"));
    assert_false(has_remark(&k, REMARK_NOT_FUSED, ""));
    arena_free(&k.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_graph),
        cmocka_unit_test(test_remarks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
