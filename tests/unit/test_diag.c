/* How diagnostics are drawn: each case reports something about a small text and compares all that
   is printed. */
#include "diag.h"

#include <stdlib.h>
#include <string.h>

static Arena arena;
static Sources sources;
static Diags diags;
static int failures;

/* Starts a case with one source. */
static Source *begin(const char *text) {
    arena_free(&arena);
    sources = (Sources){.arena = &arena};
    diags = (Diags){.arena = &arena, .sources = &sources};
    return source_add(&sources, "a.gact", text, strlen(text));
}

/* The span of the n-th place, from 0, where a text stands. */
static Span find(const Source *source, const char *text, int n) {
    const char *at = strstr(source->text, text);
    while (n-- && at)
        at = strstr(at + 1, text);
    if (!at)
        abort();
    uint32_t from = source->base + (uint32_t)(at - source->text);
    return (Span){from, from + (uint32_t)strlen(text)};
}

static Span join(Span a, Span b) {
    return (Span){a.from, b.to};
}

static void expect(const char *name, const char *want) {
    char *got = NULL;
    size_t len;
    FILE *out = open_memstream(&got, &len);
    diags_print(&diags, out);
    fclose(out);
    if (strcmp(got, want)) {
        failures++;
        printf("%s: want\n%s\ngot\n%s\n", name, want, got);
    }
    free(got);
}

static void test_labels(void) {
    Source *s = begin("let x = a + b * c\n");
    Diag *d = diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "+", 0), "cannot add");
    diag_label(&diags, d, "here");
    diag_span(&diags, d, find(s, "a", 0), "an `i32`");
    diag_span(&diags, d, find(s, "b * c", 0), "an `f32`");
    diag_note(&diags, d, "one\ntwo");
    diag_help(&diags, d, "convert it");
    diag_fix(&diags, d, find(s, "a", 0), "f32(a)", true);
    diag_frame(&diags, d, find(s, "x", 0), "in `add` for (i32)");
    expect("labels", "error[G0001]: cannot add\n"
                     " --> a.gact:1:11\n"
                     "  |\n"
                     "1 | let x = a + b * c\n"
                     "  |         - ^ ----- an `f32`\n"
                     "  |         | |\n"
                     "  |         | here\n"
                     "  |         an `i32`\n"
                     "  |\n"
                     "  = note: one\n"
                     "          two\n"
                     "  = help: convert it\n"
                     "  = help: replace `a` by `f32(a)`\n"
                     "  = in `add` for (i32), called at a.gact:1:5\n"
                     "\n"
                     "error: 1 error\n");
}

static void test_lines(void) {
    Source *s = begin("one {\n  two\n  three\n  four\n  five\n  six\n}\n");
    Diag *d =
        diag_report(&diags, DIAG_UNEXPECTED_TOKEN, join(find(s, "{", 0), find(s, "}", 0)), "long");
    diag_label(&diags, d, "all of it");
    diag_span(&diags, d, join(find(s, "two", 0), find(s, "three", 0)), "a part");
    expect("lines", "error[G0001]: long\n"
                    " --> a.gact:1:5\n"
                    "  |\n"
                    "1 |    one {\n"
                    "  |  ______^\n"
                    "2 | |    two\n"
                    "  | | ___-\n"
                    "3 | ||   three\n"
                    "  | ||_______- a part\n"
                    "... |\n"
                    "7 | |  }\n"
                    "  | |__^ all of it\n"
                    "\n"
                    "error: 1 error\n");
}

static void test_other_file(void) {
    Source *s = begin("call(x)\n");
    Source *other = source_add(&sources, "b.gact", "\n\nfn call(y: f32)\n", 17);
    Diag *d = diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "x", 0), "wrong type");
    diag_span(&diags, d, find(other, "f32", 0), "wants an `f32`");
    expect("other file", "error[G0001]: wrong type\n"
                         " --> a.gact:1:6\n"
                         "  |\n"
                         "1 | call(x)\n"
                         "  |      ^\n"
                         " ::: b.gact:3:12\n"
                         "  |\n"
                         "3 | fn call(y: f32)\n"
                         "  |            --- wants an `f32`\n"
                         "\n"
                         "error: 1 error\n");
}

static void test_columns(void) {
    Source *s = begin("\tx \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 y\n");
    Diag *d = diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "y", 0), "wide");
    diag_span(&diags, d, find(s, "\xe6\x9c\xac", 0), "two columns");
    expect("columns", "error[G0001]: wide\n"
                      " --> a.gact:1:10\n"
                      "  |\n"
                      "1 |     x \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81 y\n"
                      "  |         --   ^\n"
                      "  |         |\n"
                      "  |         two columns\n"
                      "\n"
                      "error: 1 error\n");
    diags.ascii = true;
    expect("ascii", "error[G0001]: wide\n"
                    " --> a.gact:1:10\n"
                    "  |\n"
                    "1 |     x ???? e y\n"
                    "  |         --   ^\n"
                    "  |         |\n"
                    "  |         two columns\n"
                    "\n"
                    "error: 1 error\n");
}

static void test_width(void) {
    Source *s = begin("0123456789 0123456789 0123456789 here 0123456789 0123456789 0123456789\n");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "here", 0), "cut");
    diags.width = 34;
    expect("width", "error[G0001]: cut\n"
                    " --> a.gact:1:34\n"
                    "  |\n"
                    "1 | \xe2\x80\xa6"
                    " 0123456789 here 0123456789\xe2\x80\xa6\n"
                    "  |              ^^^^\n"
                    "\n"
                    "error: 1 error\n");
}

static void test_machine_formats(void) {
    Source *s = begin("a\nb\n");
    Diag *d = diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "b", 0), "second");
    diag_label(&diags, d, "this");
    diag_fix(&diags, d, find(s, "b", 0), "c", true);
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "a", 0), "first");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "a", 0), "first");
    diags.format = FORMAT_SHORT;
    expect("short", "a.gact:1:1: error[G0001]: first\na.gact:2:1: error[G0001]: second\n");
    diags.format = FORMAT_JSON;
    expect("json",
           "{\"code\":\"G0001\",\"severity\":\"error\",\"message\":\"first\",\"path\":\"a.gact\","
           "\"spans\":[{\"path\":\"a.gact\",\"from\":0,\"to\":1,\"line\":1,\"column\":1,\"end_"
           "line\":1,"
           "\"end_column\":2,\"primary\":true,\"label\":\"\"}],\"notes\":[],\"fixes\":[],"
           "\"frames\":[]}\n"
           "{\"code\":\"G0001\",\"severity\":\"error\",\"message\":\"second\",\"path\":\"a.gact\","
           "\"spans\":[{\"path\":\"a.gact\",\"from\":2,\"to\":3,\"line\":2,\"column\":1,\"end_"
           "line\":2,"
           "\"end_column\":2,\"primary\":true,\"label\":\"this\"}],\"notes\":[],"
           "\"fixes\":[{\"span\":{\"path\":\"a.gact\",\"from\":2,\"to\":3,\"line\":2,\"column\":1,"
           "\"end_line\":2,\"end_column\":2},\"text\":\"c\",\"sure\":true}],\"frames\":[]}\n");
}

static void test_limit(void) {
    Source *s = begin("a\nb\n");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "a", 0), "first");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "b", 0), "second");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, (Span){0, 0}, "nowhere");
    diags.error_limit = 1;
    expect("limit", "error[G0001]: nowhere\n\n"
                    "error: 3 errors; only the first is shown\n");
}

static void test_color(void) {
    Source *s = begin("a\n");
    diag_report(&diags, DIAG_UNEXPECTED_TOKEN, find(s, "a", 0), "first");
    diags.color = true;
    expect("color", "\033[1;31merror[G0001]\033[0m\033[1m: first\033[0m\n"
                    "\033[1;34m --> \033[0ma.gact:1:1\n"
                    "\033[1;34m  |\033[0m\n"
                    "\033[1;34m1 |\033[0m a\n"
                    "\033[1;34m  |\033[0m \033[1;31m^\033[0m\n"
                    "\n"
                    "\033[1;31merror\033[0m: 1 error\n");
}

static void test_nearest(void) {
    static const Name names[] = {"length", "transpose", "sum", "sort"};
    static const struct {
        const char *name, *want;
    } cases[] = {
        {"lenght", "length"}, {"transpse", "transpose"}, {"smu", "sum"}, {"srot", "sort"},
        {"x", NULL},          {"reduce", NULL},          {"", NULL},
    };
    for (int i = 0; i < ARRAY_LEN(cases); i++) {
        Name got = nearest_name(cases[i].name, names, ARRAY_LEN(names));
        if (!got != !cases[i].want || (got && strcmp(got, cases[i].want))) {
            failures++;
            printf("nearest to %s: %s\n", cases[i].name, got ? got : "none");
        }
    }
}

int main(void) {
    test_labels();
    test_lines();
    test_other_file();
    test_columns();
    test_width();
    test_machine_formats();
    test_limit();
    test_color();
    test_nearest();
    arena_free(&arena);
    return failures ? 1 : 0;
}
