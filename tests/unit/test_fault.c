/* How faults look and travel. */
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char text[] = "fn f(x) = x\n"
                           "let café = [1, 2, 3]\n"
                           "\n"
                           "\tlet y = café[at] + 1\n"
                           "let z = {\n"
                           "  1\n"
                           "}";
static const GactSource sources[] = {{"prog.gact", text, sizeof text - 1},
                                     {"other.gact", "let n = 4\n", 10},
                                     {"bare.gact", NULL, 0}};
static const GactImage image = {.nsources = 3, .sources = sources};
static Run run;

static int open_run(void **state) {
    (void)state;
    return !run_open(&run, NULL);
}

static int close_run(void **state) {
    (void)state;
    run_close(&run);
    gact_shutdown(NULL);
    return 0;
}

static uint32_t offset_of(const char *part) {
    return (uint32_t)(strstr(text, part) - text);
}

static void shows(const Fault *fault, GactFaultFormat format, const char *wanted) {
    char *got = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&got, &len);
    fault_print(out, &image, fault, format);
    fclose(out);
    assert_string_equal(got, wanted);
    free(got);
}

static GactSite index_site(void) {
    return (GactSite){.kind = "index",
                      .text = "index {} is out of bounds for size {}",
                      .node = "y",
                      .from = offset_of("[at]") + 1,
                      .to = offset_of("[at]") + 3,
                      .other_file = -1};
}

static void fills_numbers(void **state) {
    GactSite site = index_site();
    (void)state;
    shows(&(Fault){.site = &site, .kind = "index", .nums = {-5, 3}, .count = 2}, GACT_FAULT_MESSAGE,
          "index -5 is out of bounds for size 3\n");
    shows(&(Fault){.site = &site, .kind = "index", .nums = {7}, .count = 1}, GACT_FAULT_MESSAGE,
          "index 7 is out of bounds for size {}\n");
    shows(&(Fault){.site = &site, .kind = "io", .text = (char *)"no {} here"}, GACT_FAULT_MESSAGE,
          "no {} here\n");
}

static void points_at_the_source(void **state) {
    GactSite site = index_site();
    (void)state;
    shows(&(Fault){.site = &site, .kind = "index", .nums = {5, 3}, .count = 2}, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "4 |     let y = café[at] + 1\n"
          "  |                  ^^\n"
          "  |\n"
          "  = note: in node `y`\n");
}

static void points_at_two_places(void **state) {
    GactSite site = index_site();
    Fault fault = {.site = &site, .kind = "index", .nums = {5, 3}, .count = 2};
    (void)state;
    site.node = "";
    site.other_text = "of size 3";
    site.other_file = 0;
    site.other_from = offset_of("[1,");
    site.other_to = offset_of("[1,") + 9;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "2 | let café = [1, 2, 3]\n"
          "  |            --------- of size 3\n"
          "3 |\n"
          "4 |     let y = café[at] + 1\n"
          "  |                  ^^\n");
    site.other_file = 1;
    site.other_from = 8;
    site.other_to = 9;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "4 |     let y = café[at] + 1\n"
          "  |                  ^^\n"
          " ::: other.gact:1:9\n"
          "  |\n"
          "1 | let n = 4\n"
          "  |         - of size 3\n");
}

static void points_twice_into_a_line(void **state) {
    GactSite site = index_site();
    Fault fault = {.site = &site, .kind = "index", .nums = {5, 3}, .count = 2};
    (void)state;
    site.node = "";
    site.other_text = "of size 3";
    site.other_file = 0;
    site.other_from = offset_of("café[at]");
    site.other_to = offset_of("[at]");
    shows(&fault, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "4 |     let y = café[at] + 1\n"
          "  |             ---- ^^\n"
          "  |             |\n"
          "  |             of size 3\n");
    site.other_from = offset_of("+ 1");
    site.other_to = site.other_from + 1;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "4 |     let y = café[at] + 1\n"
          "  |                  ^^  - of size 3\n");
    site.other_from = 0;
    site.other_to = 2;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[index]: index 5 is out of bounds for size 3\n"
          " --> prog.gact:4:16\n"
          "  |\n"
          "1 | fn f(x) = x\n"
          "  | -- of size 3\n"
          "...\n"
          "4 |     let y = café[at] + 1\n"
          "  |                  ^^\n");
}

static void points_at_many_lines_and_none(void **state) {
    GactSite site = {.kind = "assert",
                     .text = "no",
                     .from = offset_of("{\n"),
                     .to = sizeof text - 1,
                     .other_file = -1};
    Fault fault = {.site = &site, .kind = "assert"};
    (void)state;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[assert]: no\n"
          " --> prog.gact:5:9\n"
          "  |\n"
          "5 | let z = {\n"
          "  |         ^\n");
    site.from = site.to = sizeof text - 1;
    shows(&fault, GACT_FAULT_TEXT,
          "fault[assert]: no\n"
          " --> prog.gact:7:2\n"
          "  |\n"
          "7 | }\n"
          "  |  ^\n");
    site.file = 2;
    shows(&fault, GACT_FAULT_TEXT, "fault[assert]: no\n --> bare.gact\n");
    site.file = -1;
    shows(&fault, GACT_FAULT_TEXT, "fault[assert]: no\n");
    shows(&(Fault){.kind = "depth", .text = (char *)"too deep"}, GACT_FAULT_TEXT,
          "fault[depth]: too deep\n");
}

static void speaks_json(void **state) {
    GactSite site = index_site();
    (void)state;
    shows(
        &(Fault){.site = &site, .kind = "index", .text = (char *)"a \"b\"\n"}, GACT_FAULT_JSON,
        "{\"severity\":\"fault\",\"kind\":\"index\",\"message\":\"a \\\"b\\\"\\n\",\"node\":\"y\","
        "\"file\":\"prog.gact\",\"from\":50,\"to\":52,\"line\":4,\"column\":16,\"end_line\":4}\n");
}

/* ---- travel ---- */

static void inner(GactCtx *ctx, void *env) {
    ctx->depth += 5;
    runtime_api.alloc(ctx, NULL, 100);
    *(int *)env += 1;
    fault_raise(ctx, NULL, "io", "no file %d", 7);
}

static void outer(GactCtx *ctx, void *env) {
    runtime_api.alloc(ctx, NULL, 100);
    assert_int_equal(rt_try_call(ctx, inner, env), 1);
    assert_int_equal(ctx->depth, 3);
    inner(ctx, env);
}

static void unwinds_to_the_innermost(void **state) {
    int calls = 0;
    (void)state;
    run.main.ctx.depth = 3;
    assert_int_equal(rt_guard(&run.main.ctx, outer, &calls), 1);
    assert_int_equal(calls, 2);
    assert_int_equal(run.main.ctx.depth, 3);
    assert_null(run.main.landing);
    assert_null(run.lists[0].head);
    assert_int_equal(run.nfaults, 1);
    shows(&run.faults[0], GACT_FAULT_MESSAGE, "no file 7\n");
}

static void whole(GactCtx *ctx, void *env) {
    *(GactBuf **)env = runtime_api.alloc(ctx, NULL, 100);
}

static void keeps_what_did_not_fault(void **state) {
    GactBuf *buf = NULL;
    int calls = 0;
    (void)state;
    assert_int_equal(rt_try_call(&run.main.ctx, whole, &buf), 0);
    assert_int_equal(rt_try_call(&run.main.ctx, inner, &calls), 1);
    assert_ptr_equal(run.lists[0].head, buf);
    heap_release(&run.main, buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_numbers),
        cmocka_unit_test(points_at_the_source),
        cmocka_unit_test(points_at_two_places),
        cmocka_unit_test(points_at_many_lines_and_none),
        cmocka_unit_test(points_twice_into_a_line),
        cmocka_unit_test(speaks_json),
        cmocka_unit_test(unwinds_to_the_innermost),
        cmocka_unit_test(keeps_what_did_not_fault),
    };
    return cmocka_run_group_tests(tests, open_run, close_run);
}
