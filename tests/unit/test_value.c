/* Values: texts of scalars, formats, literals that print as they were read, and every layout
   through JSON and back. */
#include "../io/types.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *shown(Region *region, int kind, GactSlot slot) {
    Text text = {.region = region};
    scalar_print(&text, kind, slot);
    return text_string(&text);
}

static void shows_float(int kind, double x, const char *wanted) {
    Region region = {0};
    assert_string_equal(shown(&region, kind, scalar_of_float(kind, x)), wanted);
    region_free(&region);
}

static void test_float_texts(void **state) {
    (void)state;
    shows_float(GACT_F64, 2, "2.0");
    shows_float(GACT_F64, 0.1, "0.1");
    shows_float(GACT_F64, 0.1 + 0.2, "0.30000000000000004");
    shows_float(GACT_F64, -0.0, "-0.0");
    shows_float(GACT_F64, 1e15, "1000000000000000.0");
    shows_float(GACT_F64, 1e16, "1e16");
    shows_float(GACT_F64, 1.5e-7, "1.5e-7");
    shows_float(GACT_F64, 0.00001, "0.00001");
    shows_float(GACT_F64, 5e-324, "5e-324");
    shows_float(GACT_F64, 1.7976931348623157e308, "1.7976931348623157e308");
    shows_float(GACT_F64, 123456.789, "123456.789");
    shows_float(GACT_F64, INFINITY, "inf");
    shows_float(GACT_F64, -INFINITY, "-inf");
    shows_float(GACT_F64, NAN, "nan");
    shows_float(GACT_F32, 0.1, "0.1");
    shows_float(GACT_F32, 16777216, "16777216.0");
    shows_float(GACT_F32, 3.4028234663852886e38, "3.4028235e38");
    shows_float(GACT_F32, 1.401298464324817e-45, "1e-45");
    shows_float(GACT_F16, 0.1, "0.1");
    shows_float(GACT_F16, 65504, "65500.0");
    shows_float(GACT_F16, 0x1p-24, "6e-8");
    shows_float(GACT_BF16, 3.140625, "3.14");
}

/* Every value of the half types, and random ones of the others, read back as themselves. */
static void reads_back(Region *region, int kind, uint64_t bits) {
    GactSlot slot = {.u = bits}, back = {0};
    Number n;
    if (isnan(scalar_float(kind, slot)))
        return;
    const char *text = shown(region, kind, slot);
    assert_true(number_parse(text, strlen(text), &n));
    assert_true(number_to(n, kind, &back));
    if (back.u != bits)
        fail_msg("%s of kind %d reads as another value", text, kind);
}

static void test_floats_read_back(void **state) {
    uint64_t seed = 1;
    (void)state;
    for (uint32_t half = 0; half < 65536; half++) {
        Region region = {0};
        reads_back(&region, GACT_F16, half);
        reads_back(&region, GACT_BF16, half);
        for (int k = 0; k < 2; k++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            reads_back(&region, GACT_F32, seed >> 32);
            reads_back(&region, GACT_F64, seed ^ seed >> 29);
            GactSlot price = {.f = (double)(seed >> 40) / 100};
            reads_back(&region, GACT_F64, price.u);
        }
        region_free(&region);
    }
}

static void test_half_rounding(void **state) {
    (void)state;
    assert_int_equal(scalar_of_float(GACT_F16, 65519.99).u, 0x7bff);
    assert_int_equal(scalar_of_float(GACT_F16, 65520).u, 0x7c00);
    assert_int_equal(scalar_of_float(GACT_F16, 1 + 0x1p-11).u, 0x3c00);
    assert_int_equal(scalar_of_float(GACT_F16, 1 + 3 * 0x1p-11).u, 0x3c02);
    assert_int_equal(scalar_of_float(GACT_F16, 0x1p-25).u, 0);
    assert_int_equal(scalar_of_float(GACT_F16, 0x1.8p-25).u, 1);
    assert_int_equal(scalar_of_float(GACT_F16, 0x1.ffep-15).u,
                     0x03ff + (0x1.ffep-15 * 0x1p24 > 1023.5));
    assert_int_equal(scalar_of_float(GACT_BF16, 1 + 0x1p-8).u, 0x3f80);
    assert_int_equal(scalar_of_float(GACT_BF16, 1 + 0x1p-8 + 0x1p-40).u, 0x3f81);
    assert_int_equal(scalar_of_float(GACT_BF16, 1 + 3 * 0x1p-8).u, 0x3f82);
    assert_int_equal(scalar_of_float(GACT_BF16, 1 + 3 * 0x1p-8 - 0x1p-40).u, 0x3f81);
}

static void test_durations(void **state) {
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {{0, "0s"},
                 {1, "1ns"},
                 {1500, "1.5us"},
                 {10000, "10us"},
                 {1500000000, "1.5s"},
                 {90000000000, "1.5min"},
                 {100000000000, "100s"},
                 {7200000000000, "2h"},
                 {-2500000, "-2.5ms"},
                 {1000000001, "1.000000001s"}};
    Region region = {0};
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        int64_t back;
        assert_string_equal(shown(&region, GACT_DURATION, (GactSlot){.i = cases[k].ns}),
                            cases[k].text);
        assert_true(duration_parse(cases[k].text, strlen(cases[k].text), &back));
        assert_int_equal(back, cases[k].ns);
    }
    region_free(&region);
}

static void test_stamps(void **state) {
    Region region = {0};
    uint64_t bits = (uint64_t)1700000000123456 << 12 | 7, back;
    (void)state;
    const char *text = shown(&region, GACT_HLC, (GactSlot){.u = bits});
    assert_string_equal(text, "2023-11-14T22:13:20.123456Z+7");
    assert_true(hlc_parse(text, strlen(text), &back));
    assert_int_equal(back, bits);
    region_free(&region);
}

/* ---- literals ---- */

static const char *read_and_show(Region *region, const GactType *t, const char *literal) {
    GactError error = {0};
    Text text = {.region = region};
    Reader r = {.region = region,
                .error = &error,
                .what = "input x",
                .source = "the literal",
                .type = t,
                .wanted = t->text};
    GactSlot *slots = region_zero(region, (size_t)t->slots, sizeof *slots);
    if (!literal_read(&r, literal, strlen(literal), slots))
        return region_printf(region, "%s", error.text);
    value_print(&text, t, slots);
    return text_string(&text);
}

static void reads_as(const GactType *t, const char *literal, const char *wanted) {
    Region region = {0};
    assert_string_equal(read_and_show(&region, t, literal), wanted);
    region_free(&region);
}

static void same(const GactType *t, const char *literal) {
    reads_as(t, literal, literal);
}

static void test_literals(void **state) {
    const GactType *i32 = scalar_type(GACT_I32), *f32 = scalar_type(GACT_F32);
    (void)state;
    same(i32, "-12");
    reads_as(i32, "1_000", "1000");
    reads_as(i32, "0xff", "255");
    reads_as(i32, "3.0", "3");
    reads_as(f32, "3", "3.0");
    same(scalar_type(GACT_BOOL), "true");
    same(scalar_type(GACT_DURATION), "1.5s");
    same(scalar_type(GACT_HLC), "2023-11-14T22:13:20.123456Z+7");
    reads_as(&string_type, "plain text", "plain text");
    reads_as(&string_type, "\"a\\n\\u00e4\\ud83d\\ude00\"", "a\nä😀");
    same(array_type(1, i32), "[1, 2, 3]");
    same(array_type(1, i32), "[]");
    same(array_type(2, i32), "[[1, 2], [3, 4]]");
    same(array_type(1, array_type(1, i32)), "[[1, 2], [], [3]]");
    same(array_type(1, &string_type), "[\"a\", \"\", \"b\\\"c\"]");
    same(product_type("", "", 2, ITEMS(i32, f32)), "(1, 2.5)");
    same(product_type("", "call put", 2, ITEMS(f32, f32)), "(call = 1.0, put = 2.0)");
    same(order_type(), "Order(id = 1, price = 2.5, side = Buy, note = \"x\")");
    same(shape_type(), "Circle(2.0)");
    same(shape_type(), "Rect(width = 1.0, height = 2.0)");
    same(shape_type(), "Path(\"p\", [1, 2])");
    same(shape_type(), "Empty");
    same(option_type(i32), "Some(3)");
    same(option_type(i32), "None");
    same(array_type(1, option_type(i32)), "[Some(3), None]");
    same(set_type(i32), "{1, 2}");
    same(array_type(1, set_type(i32)), "[{1, 2}, {}]");
}

/* A set is read in any order, repetitions too, and is in the total order. */
static void test_sets(void **state) {
    const GactType *i32 = scalar_type(GACT_I32), *f64 = scalar_type(GACT_F64);
    (void)state;
    reads_as(set_type(i32), "[3, 1, 2, 1]", "{1, 2, 3}");
    reads_as(set_type(f64), "[nan, 1, -0.0, 0, -inf, nan]", "{-inf, -0.0, 0.0, 1.0, nan}");
    reads_as(set_type(&string_type), "[\"b\", \"ab\", \"a\", \"\"]",
             "{\"\", \"a\", \"ab\", \"b\"}");
    reads_as(set_type(array_type(1, i32)), "[[2], [1, 5], [1], []]", "{[], [1], [1, 5], [2]}");
    reads_as(set_type(set_type(i32)), "[[2, 1], [1, 2], []]", "{{}, {1, 2}}");
    reads_as(set_type(shape_type()), "[Empty, Circle(2), Circle(1)]",
             "{Circle(1.0), Circle(2.0), Empty}");
    reads_as(set_type(array_type(2, i32)), "[[[1, 3]], [[1, 2], [0, 0]], [[1, 2]]]",
             "{[[1, 2]], [[1, 2], [0, 0]], [[1, 3]]}");
}

static void test_refused_literals(void **state) {
    const GactType *i32 = scalar_type(GACT_I32), *u8 = scalar_type(GACT_U8);
    (void)state;
    reads_as(u8, "256",
             "input x: expected u8, but the literal has `256` where a number that fits u8 "
             "should be");
    reads_as(i32, "1.5",
             "input x: expected i32, but the literal has `1.5` where a number that fits "
             "i32 should be");
    reads_as(i32, "nan",
             "input x: expected i32, but the literal has `nan` where a number that fits "
             "i32 should be");
    reads_as(array_type(1, i32), "[1, 2",
             "input x: expected [_]i32, but the literal has the end "
             "where `,` or `]` should be");
    reads_as(array_type(2, i32), "[[1, 2], [3]]",
             "input x: expected [_, _]i32, but the literal has "
             "lists of 2 and of 1 elements on one axis");
    reads_as(side_type(), "Bye",
             "input x: expected Side, but the literal has `Bye` where Buy or "
             "Sell should be");
    reads_as(i32, "1 2", "input x: expected i32, but the literal has `2` where the end should be");
}

/* ---- formats ---- */

static const char *formatted(Region *region, const char *format, const GactType *t,
                             const char *literal) {
    GactError error = {0};
    Format f;
    Text text = {.region = region};
    Reader r = {.region = region,
                .error = &error,
                .what = "x",
                .source = "x",
                .type = t,
                .wanted = t->text};
    GactSlot *slots = region_zero(region, (size_t)t->slots, sizeof *slots);
    if (!literal_read(&r, literal, strlen(literal), slots))
        return "no literal";
    if (!format_parse(format, strlen(format), &f))
        return "no format";
    const char *why = format_refuses(&f, t);
    if (why)
        return why;
    value_print_format(&text, &f, t, slots);
    return text_string(&text);
}

static void formats_as(const char *format, const GactType *t, const char *literal,
                       const char *wanted) {
    Region region = {0};
    assert_string_equal(formatted(&region, format, t, literal), wanted);
    region_free(&region);
}

static void test_formats(void **state) {
    const GactType *f64 = scalar_type(GACT_F64), *i32 = scalar_type(GACT_I32);
    (void)state;
    formats_as(">8.2", f64, "3.14159", "    3.14");
    formats_as("8.2", f64, "3.14159", "    3.14");
    formats_as("<8.2", f64, "3.14159", "3.14    ");
    formats_as("^8", i32, "42", "   42   ");
    formats_as(".3e", f64, "12345.678", "1.235e+04");
    formats_as("e", f64, "1500", "1.5e3");
    formats_as("x", i32, "255", "ff");
    formats_as("x", i32, "-1", "ffffffff");
    formats_as("6", &string_type, "ab", "ab    ");
    formats_as(">4", &string_type, "ä", "   ä");
    formats_as(".1", array_type(1, f64), "[1, 2.25]", "[1.0, 2.2]");
    formats_as(".1", f64, "nan", "nan");
    formats_as(".2", i32, "1", "digits after the point are for floats");
    formats_as("x", f64, "1", "hexadecimal digits are for integers");
    formats_as(".2", &string_type, "a", "it has no numbers");
    formats_as("?", i32, "1", "no format");
    formats_as(".", i32, "1", "no format");
}

/* ---- every layout through JSON and back, as elements of lists ---- */

static const char *const samples[] = {
    "[true, false]",
    "[-128, 127]",
    "[-32768]",
    "[2147483647]",
    "[-9223372036854775808, 9223372036854775807]",
    "[255]",
    "[65535]",
    "[4294967295]",
    "[18446744073709551615]",
    "[0.1, -65500.0]",
    "[0.1]",
    "[0.1, inf, -inf]",
    "[0.1, 1e300]",
    "[2023-11-14T22:13:20.123456Z+7]",
    "[1.5s, -3ns]",
    "[\"a\", \"\", \"ü\\n\"]",
    "[[1.0], []]",
    "[[[1.0, 2.0], [3.0, 4.0]], []]",
    "[[[[1, 2]], [[3, 4]]]]",
    "[[[1], [], [2, 3]], []]",
    "[[[[1, 2], [3, 4]], [[5, 6]]], []]",
    "[[\"a\", \"bc\"], []]",
    "[[[[\"a\"], []], [[\"b\", \"c\"], [\"d\"]]]]",
    "[Order(id = 1, price = 2.5, side = Sell, note = \"x\"), Order(id = 2, price = 0.0, side = "
    "Buy, "
    "note = \"\")]",
    "[[Order(id = 1, price = 2.5, side = Sell, note = \"x\")], []]",
    "[Circle(1.0), Path(\"p\", [1, 2]), Rect(width = 1.0, height = 2.0), Empty, Path(\"\", [3])]",
    "[[Path(\"p\", [1, 2]), Empty], [], [Path(\"q\", [4])]]",
    "[Some(1), None]",
    "[[Some([\"a\", \"b\"]), None, Some([])], []]",
    "[(1, 2.5)]",
    "[(call = [1.0, 2.0], put = 3.0), (call = [], put = 0.5)]",
    "[{1, 2}, {}, {3}]",
    "[[true], [false, true]]",
    "[[1s, 2h]]",
    "[[(1.0, 2.0)], []]",
    "[[[[Path(\"p\", [1])], []], []], [[[Circle(2.0), Empty]]]]",
    "[[0.5, 65500.0]]",
    "[[Row(name = \"a\", at = 1)], []]",
};
_Static_assert(sizeof samples / sizeof *samples == SAMPLE_TYPES, "a sample for every type");

static void test_layouts_through_json(void **state) {
    (void)state;
    for (int k = 0; k < SAMPLE_TYPES; k++) {
        Region region = {0};
        GactError error = {0};
        const GactType *t = array_type(1, sample_type(k));
        Reader r = {.region = &region,
                    .error = &error,
                    .what = "x",
                    .source = "x.json",
                    .type = t,
                    .wanted = t->text};
        GactSlot *slots = region_zero(&region, (size_t)t->slots, sizeof *slots);
        Text json = {.region = &region}, text = {.region = &region};
        if (!literal_read(&r, samples[k], strlen(samples[k]), slots))
            fail_msg("%s", error.text);
        json_print(&json, t, slots);
        if (!json_read(&r, (Bytes){text_string(&json), json.len}, NULL, slots))
            fail_msg("%s: %s", text_string(&json), error.text);
        value_print(&text, t, slots);
        assert_string_equal(text_string(&text), samples[k]);
        region_free(&region);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_texts),   cmocka_unit_test(test_floats_read_back),
        cmocka_unit_test(test_half_rounding), cmocka_unit_test(test_durations),
        cmocka_unit_test(test_stamps),        cmocka_unit_test(test_literals),
        cmocka_unit_test(test_sets),          cmocka_unit_test(test_refused_literals),
        cmocka_unit_test(test_formats),       cmocka_unit_test(test_layouts_through_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
