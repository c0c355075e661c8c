/* The IR: folding while it is built, differences, the text form, the verifier, and the passes that
   work on it alone (contract, simplify, plan), on modules written as text. */
#include "compiler/compiler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    Compiler c;
    Arena arena;
    IrBuilder b;
} Fixture;

static int set_up(void **state) {
    Fixture *x = calloc(1, sizeof *x);
    x->c.arena = &x->arena;
    x->c.names = names_new(&x->arena);
    *state = x;
    return 0;
}

static int tear_down(void **state) {
    Fixture *x = *state;
    arena_free(&x->arena);
    free(x);
    return 0;
}

/* ---- modules as text ---- */

static IrModule *parse(Fixture *x, const char *text) {
    const char *error;
    IrModule *m = ir_parse(&x->arena, x->c.names, text, &error);
    if (!m)
        fail_msg("%s", error);
    x->c.ir = m;
    x->c.types = m->types;
    return m;
}

static const char *print(Fixture *x) {
    Buf out = {.arena = &x->arena};
    ir_print(&out, x->c.ir);
    return buf_text(&out);
}

static void expect_valid(Fixture *x) {
    const char *error = ir_verify(x->c.ir);
    if (error)
        fail_msg("%s\n%s", error, print(x));
}

static void expect_pass(Fixture *x, void (*pass)(Compiler *c), const char *before,
                        const char *after) {
    parse(x, before);
    expect_valid(x);
    pass(&x->c);
    expect_valid(x);
    assert_string_equal(print(x), after);
}

/* ---- the builder ---- */

static void open_builder(Fixture *x) {
    IrModule *m = NEW(&x->arena, IrModule);
    *m = (IrModule){.arena = &x->arena, .names = x->c.names};
    m->types = types_new(&x->arena, x->c.names);
    IrFunc *f = ir_func_new(m, "f", (Span){0});
    x->b = (IrBuilder){.module = m, .func = f, .region = f->body};
}

static Type *basic(Fixture *x, TypeKind kind) {
    return type_basic(x->b.module->types, kind);
}

static IrId param(Fixture *x, Type *type) {
    return ir_param(x->b.func, x->b.func->body, type);
}

static IrId number(Fixture *x, TypeKind kind, double value) {
    Type *type = basic(x, kind);
    return type_is_float(type) ? ir_float(&x->b, type, value) : ir_int(&x->b, type, (int64_t)value);
}

static void expect_const(Fixture *x, IrId id, TypeKind kind, int64_t bits) {
    int64_t got;
    assert_true(ir_const_bits(x->b.func, id, &got));
    assert_int_equal(ir_type(x->b.func, id)->kind, kind);
    assert_int_equal(got, bits);
}

static void integers_wrap_in_their_width(void **state) {
    Fixture *x = *state;
    static const struct {
        IrKind op;
        TypeKind kind;
        double a, b;
        int64_t result;
    } rows[] = {
        {IR_ADD, TYPE_I8, 127, 1, -128},   {IR_ADD, TYPE_U8, 255, 1, 0},
        {IR_SUB, TYPE_U16, 0, 1, 65535},   {IR_MUL, TYPE_I32, 65536, 65536, 0},
        {IR_DIV, TYPE_I8, -128, -1, -128}, {IR_DIV, TYPE_I64, -7, 2, -3},
        {IR_MOD, TYPE_I64, -7, 2, -1},     {IR_FDIV, TYPE_I64, -7, 2, -4},
        {IR_FMOD, TYPE_I64, -7, 2, 1},     {IR_POW, TYPE_I32, 3, 4, 81},
        {IR_SHL, TYPE_I32, 1, 32, 0},      {IR_SHL, TYPE_I32, 1, 31, INT32_MIN},
        {IR_SHR, TYPE_I32, -8, 1, -4},     {IR_SHR, TYPE_I32, -8, 99, -1},
        {IR_SHR, TYPE_U8, 128, 7, 1},      {IR_MIN, TYPE_U8, 255, 1, 1},
        {IR_MAX, TYPE_I8, -1, 1, 1},
    };
    open_builder(x);
    for (int i = 0; i < ARRAY_LEN(rows); i++) {
        IrId a = number(x, rows[i].kind, rows[i].a), b = number(x, rows[i].kind, rows[i].b);
        expect_const(x, ir_binary(&x->b, rows[i].op, a, b), rows[i].kind, rows[i].result);
    }
}

static void what_faults_is_not_folded(void **state) {
    Fixture *x = *state;
    open_builder(x);
    IrId one = number(x, TYPE_I32, 1), zero = number(x, TYPE_I32, 0);
    IrId minus = number(x, TYPE_I32, -1), n = param(x, basic(x, TYPE_I32));
    assert_true(ir_may_fault(x->b.func, ir_binary(&x->b, IR_DIV, one, zero)));
    assert_true(ir_may_fault(x->b.func, ir_binary(&x->b, IR_POW, one, minus)));
    assert_true(ir_may_fault(x->b.func, ir_binary(&x->b, IR_MOD, one, n)));
    assert_false(ir_may_fault(x->b.func, ir_binary(&x->b, IR_MOD, n, number(x, TYPE_I32, 3))));
}

static void floats_keep_their_precision(void **state) {
    Fixture *x = *state;
    open_builder(x);
    IrId sum = ir_binary(&x->b, IR_ADD, number(x, TYPE_F32, 16777216), number(x, TYPE_F32, 1));
    expect_const(x, sum, TYPE_F32, ir_float_bits(TYPE_F32, 16777216));
    IrId third = ir_binary(&x->b, IR_DIV, number(x, TYPE_F64, 1), number(x, TYPE_F64, 3));
    expect_const(x, third, TYPE_F64, ir_float_bits(TYPE_F64, 1.0 / 3));
    IrId v = param(x, basic(x, TYPE_F32)), zero = number(x, TYPE_F32, 0);
    assert_int_not_equal(ir_binary(&x->b, IR_ADD, v, zero), v); /* -0 + 0 is 0 */
    assert_int_not_equal(ir_binary(&x->b, IR_MUL, v, zero), zero);
    assert_int_equal(ir_binary(&x->b, IR_SUB, v, zero), v);
    assert_int_equal(ir_binary(&x->b, IR_MUL, v, number(x, TYPE_F32, 1)), v);
    IrId nan = ir_binary(&x->b, IR_DIV, zero, zero);
    assert_int_equal(ir_op(x->b.func, nan)->kind, IR_DIV);
    expect_const(x, ir_convert(&x->b, basic(x, TYPE_U8), number(x, TYPE_F32, -3)), TYPE_U8, 0);
    expect_const(x, ir_convert(&x->b, basic(x, TYPE_I8), number(x, TYPE_F64, 1e9)), TYPE_I8, 127);
    expect_const(x, ir_convert(&x->b, basic(x, TYPE_I64), number(x, TYPE_F64, -1e30)), TYPE_I64,
                 INT64_MIN);
}

static void sixteen_bit_floats_round_once(void **state) {
    (void)state;
    assert_int_equal(ir_float_bits(TYPE_F16, 1), 0x3c00);
    assert_int_equal(ir_float_bits(TYPE_F16, 65519.99), 0x7bff);
    assert_int_equal(ir_float_bits(TYPE_F16, 65520), 0x7c00);
    assert_int_equal(ir_float_bits(TYPE_F16, ldexp(1, -24)), 1);
    assert_int_equal(ir_float_bits(TYPE_F16, ldexp(1, -25)), 0);
    assert_int_equal(ir_float_bits(TYPE_F16, ldexp(1.5, -25)), 1);
    assert_int_equal(ir_float_bits(TYPE_F16, 2049), 0x6800);
    assert_int_equal(ir_float_bits(TYPE_F16, -0.0), 0x8000);
    assert_int_equal(ir_float_bits(TYPE_BF16, 1), 0x3f80);
    assert_int_equal(ir_float_bits(TYPE_BF16, 1.00390625), 0x3f80);
    assert_int_equal(ir_float_bits(TYPE_BF16, 1.01171875), 0x3f82);
    for (int bits = 0; bits < 0x10000; bits++) {
        double half = ir_float_value(TYPE_F16, bits), brain = ir_float_value(TYPE_BF16, bits);
        assert_true(isnan(half) || ir_float_bits(TYPE_F16, half) == bits);
        assert_true(isnan(brain) || ir_float_bits(TYPE_BF16, brain) == bits);
    }
}

static void integer_sums_get_short(void **state) {
    Fixture *x = *state;
    open_builder(x);
    IrBuilder *b = &x->b;
    IrId n = param(x, basic(x, TYPE_I64)), m = param(x, basic(x, TYPE_I64));
    IrId one = ir_i64(b, 1);
    assert_int_equal(ir_binary(b, IR_SUB, ir_binary(b, IR_ADD, n, one), one), n);
    assert_int_equal(ir_binary(b, IR_ADD, one, ir_binary(b, IR_SUB, n, one)), n);
    assert_int_equal(ir_binary(b, IR_SUB, ir_binary(b, IR_ADD, n, m), n), m);
    assert_int_equal(ir_binary(b, IR_ADD, ir_binary(b, IR_SUB, n, m), m), n);
    expect_const(x, ir_binary(b, IR_SUB, n, n), TYPE_I64, 0);
    expect_const(x, ir_binary(b, IR_MUL, n, ir_i64(b, 0)), TYPE_I64, 0);
    int64_t difference;
    IrId twice = ir_binary(b, IR_MUL, n, ir_i64(b, 2));
    IrId sum = ir_binary(b, IR_ADD, ir_binary(b, IR_ADD, n, ir_i64(b, 5)), n);
    assert_true(ir_difference(b->func, sum, twice, &difference));
    assert_int_equal(difference, 5);
    assert_false(ir_difference(b->func, n, m, &difference));
    expect_const(x, ir_binary(b, IR_EQ, sum, twice), TYPE_BOOL, 0);
}

static void equal_sizes_are_equal(void **state) {
    Fixture *x = *state;
    open_builder(x);
    IrBuilder *b = &x->b;
    Types *ts = b->module->types;
    IrId a = param(x, type_array(ts, basic(x, TYPE_F32), 2));
    IrId d = ir_dim(b, a, 1), e = ir_dim(b, a, 1);
    assert_int_not_equal(d, e);
    expect_const(x, ir_binary(b, IR_EQ, d, e), TYPE_BOOL, 1);
    assert_int_equal(ir_dim(b, ir_slice(b, a, ir_i64(b, 0), d, true), 0), d);
    IrId row = ir_index(b, a, (IrId[]){ir_i64(b, 3)}, 1, true);
    int64_t difference;
    assert_true(ir_difference(b->func, ir_dim(b, row, 0), d, &difference) && difference == 0);
    IrId list = ir_list(b, type_array(ts, basic(x, TYPE_F32), 2), (IrId[]){row, row}, 2);
    expect_const(x, ir_dim(b, list, 0), TYPE_I64, 2);
    assert_int_equal(ir_index(b, list, (IrId[]){ir_i64(b, 1)}, 1, true), row);
    IrFault fault = {.kind = "shape", .text = ""};
    assert_int_equal(ir_check(b, a, ir_binary(b, IR_EQ, d, e), &fault, NULL, 0), a);
    IrId pair =
        ir_tuple(b, type_tuple(ts, (Type *[]){ir_type(b->func, a), basic(x, TYPE_I64)}, NULL, 2),
                 (IrId[]){a, d}, 2);
    assert_int_equal(ir_get(b, pair, 1), d);
}

static void literals_take_their_type_late(void **state) {
    Fixture *x = *state;
    open_builder(x);
    Types *ts = x->b.module->types;
    Type *whole = type_var(ts, VAR_INT, (Span){0}), *real = type_var(ts, VAR_FLOAT, (Span){0});
    IrId one = ir_int(&x->b, whole, 1), tenth = ir_float(&x->b, real, 0.1);
    int64_t value;
    assert_true(ir_const_int(x->b.func, one, &value) && value == 1);
    assert_int_equal(ir_op(x->b.func, ir_binary(&x->b, IR_ADD, one, one))->kind, IR_ADD);
    assert_true(type_unify(ts, whole, real));
    assert_true(type_unify(ts, real, basic(x, TYPE_F32)));
    ir_settle(x->b.module);
    expect_const(x, one, TYPE_F32, ir_float_bits(TYPE_F32, 1));
    expect_const(x, tenth, TYPE_F32, ir_float_bits(TYPE_F32, 0.1));
}

/* ---- text ---- */

static const char everything[] =
    "fn \"(+)\"(%1: {Buy | Sell(f32, x: [_][_]i32)}, %2: (a: i32, (bool, actor Foo))) -> () effect "
    "{\n"
    "  %3 = const -0.1 : f32\n"
    "  %4 = const 5 : u8\n"
    "  %5 = string \"a\\\"\\x0ab\\\\\" : string\n"
    "  %6 = rt.pinned print, %5, %3 : ()\n"
    "  %7 = payload %1, 1, 1 : [_][_]i32\n"
    "  %8 = const true : bool\n"
    "  %9 = check.pinned _, %8, %4 fault \"assert\" \"x {}\" : ()\n"
    "  %10 = call @count.3, %7 : i64\n"
    "  %11 = variant 0 : {Buy | Sell(f32, x: [_][_]i32)}\n"
    "  yield %9\n"
    "}\n"
    "\n"
    "fn count.3(%1: [_][_]i32) -> i64 node \"n\" gpu node \"\" auto {\n"
    "  %2 = dim %1, 0 : i64\n"
    "  %5 = const 0 : i64\n"
    "  %6 = kernel [%2] (%3: i64) {\n"
    "    %4 = index.checked %1, %3 : [_]i32\n"
    "    %7 = dim %4, 0 : i64\n"
    "    release %4\n"
    "    yield %7, ^%4\n"
    "  } reduce of %5 by (%8: i64, %9: i64) {\n"
    "    %10 = add.fast %8, %9 : i64\n"
    "    yield %10\n"
    "  } : i64, list : [_][_]i32, map from 0 : [_]i64 #1\n"
    "  %11 = get %6, 0 : i64\n"
    "  %12 = loop ^%11, %5 while (%13: i64, %14: i64) {\n"
    "    %15 = gt %13, %5 : bool\n"
    "    yield %15\n"
    "  } do (%16: i64, %17: i64) {\n"
    "    yield %17, %16\n"
    "    release %17\n"
    "  } : (i64, i64) #2\n"
    "  %18 = get %12, 1 : i64\n"
    "  yield %18\n"
    "}\n"
    "\n"
    "entry dag \"d\" @count.3(x: [_][_]i32 default) -> (result: i64)\n";

static void text_reads_back(void **state) {
    Fixture *x = *state;
    parse(x, everything);
    assert_string_equal(print(x), everything);
}

static void constants_read_back(void **state) {
    Fixture *x = *state;
    open_builder(x);
    static const double values[] = {0,        -0.0,      1,     0.1,    1e-45,    3.4028235e38,
                                    INFINITY, -INFINITY, 1e300, 5e-324, 123456789};
    static const TypeKind kinds[] = {TYPE_F16, TYPE_BF16, TYPE_F32, TYPE_F64};
    for (int k = 0; k < ARRAY_LEN(kinds); k++)
        for (int i = 0; i < ARRAY_LEN(values); i++)
            number(x, kinds[k], values[i]);
    ir_bits_const(&x->b, basic(x, TYPE_F32), 0x7fc00001);
    ir_bits_const(&x->b, basic(x, TYPE_U64), -1);
    ir_bits_const(&x->b, basic(x, TYPE_I64), INT64_MIN);
    vec_push(&x->arena, &x->b.func->body->results, ir_unit(&x->b));
    IrFunc *f = x->b.func;
    x->c.ir = x->b.module;
    const IrFunc *g = parse(x, print(x))->funcs.at[0];
    assert_int_equal(g->ops.len, f->ops.len);
    for (int id = 1; id < f->ops.len - 1; id++)
        assert_int_equal(ir_op(g, (IrId)id)->imm, ir_op(f, (IrId)id)->imm);
}

static void mistakes_name_their_line(void **state) {
    Fixture *x = *state;
    static const char *const rows[][2] = {
        {"fn f() -> () {\n  %1 = foo : i64\n  yield %1\n}\n", "2: no op is called 'foo'"},
        {"fn f() -> i64 {\n  yield\n", "3: expected '}' before ''"},
        {"fn f() -> what {\n}", "1: expected a type before 'what {\n}'"},
        {"fn f() -> i64 {\n  %1 = const 1 : i64\n  %1 = const 2 : i64\n  yield %1\n}",
         "3: %1 is defined twice"},
        {"fn f() -> i64 {\n  %1 = call @g : i64\n  yield %1\n}", "3: fn g is not defined"},
        {"hello", "1: expected fn or entry before 'hello'"},
    };
    for (int i = 0; i < ARRAY_LEN(rows); i++) {
        const char *error = NULL;
        assert_null(ir_parse(&x->arena, x->c.names, rows[i][0], &error));
        if (i != 4)
            assert_string_equal(error, rows[i][1]);
        else
            assert_non_null(strstr(error, "fn g is not defined"));
    }
}

/* ---- the verifier ---- */

static void broken_rules_are_found(void **state) {
    Fixture *x = *state;
    static const char *const rows[][2] = {
        {"yield %2", "uses %2, which is not defined here"},
        {"%2 = add %1, %3 : i64\n %3 = const 1 : i64\n yield %2",
         "uses %3, which is not defined here"},
        {"%2 = const 1 : i32\n %3 = add %1, %2 : i64\n yield %3", "an operand is i32, not i64"},
        {"%2 = const 1 : f32\n yield %2", "the result is f32, not i64"},
        {"%2 = if %1 {\n yield %1 } else { yield %1 } : i64\n yield %2",
         "the condition is no bool"},
        {"%2 = for %1, %1, %1 (%3: i64, %4: f32) {\n yield %1 } : i64\n yield %2",
         "a parameter is f32, not i64"},
        {"%2 = for %1, %1, %1 (%3: i64, %4: i64) {\n yield %4 } : i64\n yield %4",
         "uses %4, which is not defined here"},
        {"%2 = kernel [%1] (%3: i64) {\n yield %3 } filter : [_]i64\n yield %1", "no such yield"},
        {"%2 = kernel [%1] (%3: i64) {\n yield %3 } reduce of %1 : i64\n yield %2",
         "a sink lacks its operator"},
        {"%2 = call @f, %1, %1 : i64\n yield %2", "has 2 operands"},
        {"%2 = dim %1, 0 : i64\n yield %2", "its operand is no array"},
        {"%2 = add %1 : i64\n yield %2", "has 1 operands"},
    };
    for (int i = 0; i < ARRAY_LEN(rows); i++) {
        parse(x, arena_printf(&x->arena, "fn f(%%1: i64) -> i64 {\n%s\n}\n", rows[i][0]));
        const char *error = ir_verify(x->c.ir);
        assert_non_null(error);
        if (!strstr(error, rows[i][1]))
            fail_msg("%s: expected %s", error, rows[i][1]);
    }
}

/* ---- passes ---- */

static void products_in_sums_become_fma(void **state) {
    expect_pass(*state, contract_module,
                "fn f(%1: f32, %2: f32, %3: f32) -> f32 {\n"
                "  %4 = mul %1, %2 : f32\n"
                "  %5 = add %3, %4 : f32\n"
                "  %6 = mul %1, %5 : f32\n"
                "  %7 = sub %6, %2 : f32\n"
                "  %8 = mul %7, %7 : f32\n"
                "  %9 = sub %3, %8 : f32\n"
                "  %10 = mul %9, %9 : f32\n"
                "  %11 = add %10, %10 : f32\n"
                "  yield %11\n"
                "}\n",
                "fn f(%1: f32, %2: f32, %3: f32) -> f32 {\n"
                "  %5 = fma %1, %2, %3 : f32\n"
                "  %12 = neg %2 : f32\n"
                "  %7 = fma %1, %5, %12 : f32\n"
                "  %13 = neg %7 : f32\n"
                "  %9 = fma %13, %7, %3 : f32\n"
                "  %10 = mul %9, %9 : f32\n"
                "  %11 = add %10, %10 : f32\n"
                "  yield %11\n"
                "}\n");
}

static void calls_are_inlined_and_invariants_move(void **state) {
    expect_pass(*state, simplify_module,
                "fn sum(%1: [_]f32) -> f32 {\n"
                "  %2 = dim %1, 0 : i64\n"
                "  %5 = const 0 : f32\n"
                "  %6 = kernel [%2] (%3: i64) {\n"
                "    %4 = index %1, %3 : f32\n"
                "    yield %4\n"
                "  } reduce of %5 by (%7: f32, %8: f32) {\n"
                "    %9 = add %7, %8 : f32\n"
                "    yield %9\n"
                "  } : f32\n"
                "  yield %6\n"
                "}\n"
                "fn d(%1: [_]f32) -> ([_]f32, f32) {\n"
                "  %2 = dim %1, 0 : i64\n"
                "  %3 = kernel [%2] (%4: i64) {\n"
                "    %5 = index %1, %4 : f32\n"
                "    %6 = call @sum, %1 : f32\n"
                "    %7 = div %5, %6 : f32\n"
                "    yield %7\n"
                "  } map : [_]f32\n"
                "  %8 = call @sum, %1 : f32\n"
                "  %9 = tuple %3, %8 : ([_]f32, f32)\n"
                "  yield %9\n"
                "}\n"
                "entry dag \"d\" @d(x: [_]f32) -> (a: [_]f32, b: f32)\n",
                "fn d(%1: [_]f32) -> ([_]f32, f32) {\n"
                "  %2 = dim %1, 0 : i64\n"
                "  %3 = const 0 : f32\n"
                "  %9 = kernel [%2] (%4: i64) {\n"
                "    %5 = index %1, %4 : f32\n"
                "    yield %5\n"
                "  } reduce of %3 by (%6: f32, %7: f32) {\n"
                "    %8 = add %6, %7 : f32\n"
                "    yield %8\n"
                "  } : f32\n"
                "  %13 = kernel [%2] (%10: i64) {\n"
                "    %11 = index %1, %10 : f32\n"
                "    %12 = div %11, %9 : f32\n"
                "    yield %12\n"
                "  } map : [_]f32\n"
                "  %14 = tuple %13, %9 : ([_]f32, f32)\n"
                "  yield %14\n"
                "}\n"
                "\n"
                "entry dag \"d\" @d(x: [_]f32) -> (a: [_]f32, b: f32)\n");
}

static void loops_keep_what_changes(void **state) {
    expect_pass(*state, simplify_module,
                "fn f(%1: i64, %2: [_]f32) -> [_]f32 {\n"
                "  %3 = const 0 : i64\n"
                "  %7 = for %3, %1, %2, %3, %1 (%8: i64, %9: [_]f32, %10: i64, %11: i64) {\n"
                "    %13 = dim %9, 0 : i64\n"
                "    %14 = dim %2, 0 : i64\n"
                "    %15 = eq %13, %14 : bool\n"
                "    %16 = check %8, %15 fault \"shape\" \"\" : i64\n"
                "    %17 = index.checked %9, %16 : f32\n"
                "    %18 = add %17, %17 : f32\n"
                "    %19 = update.checked %9, %18, %16 : [_]f32\n"
                "    %20 = add %10, %8 : i64\n"
                "    yield %19, %20, %11\n"
                "  } : ([_]f32, i64, i64)\n"
                "  %25 = get %7, 0 : [_]f32\n"
                "  yield %25\n"
                "}\n",
                "fn f(%1: i64, %2: [_]f32) -> [_]f32 {\n"
                "  %3 = const 0 : i64\n"
                "  %9 = for %3, %1, %2 (%4: i64, %5: [_]f32) {\n"
                "    %6 = index.checked %5, %4 : f32\n"
                "    %7 = add %6, %6 : f32\n"
                "    %8 = update.checked %5, %7, %4 : [_]f32\n"
                "    yield %8\n"
                "  } : [_]f32\n"
                "  yield %9\n"
                "}\n");
}

static void faults_stay_where_they_are(void **state) {
    static const char text[] = "fn f(%1: i64, %2: i64) -> i64 {\n"
                               "  %3 = const 0 : i64\n"
                               "  %7 = for %3, %1, %3 (%4: i64, %5: i64) {\n"
                               "    %6 = div.checked %1, %2 : i64\n"
                               "    yield %6\n"
                               "  } : i64\n"
                               "  %8 = eq %2, %3 : bool\n"
                               "  %9 = check.pinned _, %8 fault \"assert\" \"\" : ()\n"
                               "  yield %7\n"
                               "}\n";
    expect_pass(*state, simplify_module, text, text);
}

static void branches_that_agree_are_no_branches(void **state) {
    expect_pass(*state, simplify_module,
                "fn f(%1: bool, %2: [_]i64, %3: i64) -> ([_]i64, i64) {\n"
                "  %4 = if %1 {\n"
                "    yield %2, %3\n"
                "  } else {\n"
                "    %5 = const 1 : i64\n"
                "    %6 = add %3, %5 : i64\n"
                "    yield %2, %6\n"
                "  } : ([_]i64, i64)\n"
                "  yield %4\n"
                "}\n",
                "fn f(%1: bool, %2: [_]i64, %3: i64) -> ([_]i64, i64) {\n"
                "  %4 = const 1 : i64\n"
                "  %5 = add %3, %4 : i64\n"
                "  %6 = select %1, %3, %5 : i64\n"
                "  %7 = tuple %2, %6 : ([_]i64, i64)\n"
                "  yield %7\n"
                "}\n");
}

static void updates_are_in_place_at_the_last_use(void **state) {
    expect_pass(*state, plan_module,
                "fn f(%1: [_]i64, %2: i64) -> ([_]i64, i64) {\n"
                "  %3 = const 0 : i64\n"
                "  %4 = update.checked %1, %3, %3 : [_]i64\n"
                "  %5 = update.checked %4, %2, %3 : [_]i64\n"
                "  %6 = update.checked %5, %3, %2 : [_]i64\n"
                "  %7 = index.checked %5, %3 : i64\n"
                "  %8 = tuple %6, %7 : ([_]i64, i64)\n"
                "  yield %8\n"
                "}\n",
                "fn f(%1: [_]i64, %2: i64) -> ([_]i64, i64) {\n"
                "  %3 = const 0 : i64\n"
                "  %4 = update.checked %1, %3, %3 : [_]i64\n"
                "  %5 = update.checked ^%4, %2, %3 : [_]i64\n"
                "  %6 = update.checked %5, %3, %2 : [_]i64\n"
                "  %7 = index.checked %5, %3 : i64\n"
                "  release %5\n"
                "  %8 = tuple %6, %7 : ([_]i64, i64)\n"
                "  yield ^%8\n"
                "}\n");
}

static void branches_take_over_what_dies_in_them(void **state) {
    expect_pass(*state, plan_module,
                "fn f(%1: i64, %2: [_]i64) -> [_]i64 {\n"
                "  %3 = const 0 : i64\n"
                "  %4 = concat %2, %2 : [_]i64\n"
                "  %5 = for %3, %1, %4 (%6: i64, %7: [_]i64) {\n"
                "    %8 = gt %6, %3 : bool\n"
                "    %9 = if %8 {\n"
                "      %10 = update.checked %7, %3, %6 : [_]i64\n"
                "      yield %10\n"
                "    } else {\n"
                "      %11 = concat %2, %2 : [_]i64\n"
                "      yield %11\n"
                "    } : [_]i64\n"
                "    yield %9\n"
                "  } : [_]i64\n"
                "  yield %5\n"
                "}\n",
                "fn f(%1: i64, %2: [_]i64) -> [_]i64 {\n"
                "  %3 = const 0 : i64\n"
                "  %4 = concat %2, %2 : [_]i64\n"
                "  %5 = for %3, %1, ^%4 (%6: i64, %7: [_]i64) {\n"
                "    %8 = gt %6, %3 : bool\n"
                "    %9 = if %8 {\n"
                "      %10 = update.checked ^%7, %3, %6 : [_]i64\n"
                "      yield ^%10\n"
                "    } else {\n"
                "      release %7\n"
                "      %11 = concat %2, %2 : [_]i64\n"
                "      yield ^%11\n"
                "    } : [_]i64\n"
                "    yield ^%9\n"
                "  } : [_]i64\n"
                "  yield ^%5\n"
                "}\n");
}

static void views_keep_what_they_look_at(void **state) {
    expect_pass(*state, plan_module,
                "fn f(%1: [_]i64, %2: i64) -> ([_]i64, [_]i64) {\n"
                "  %3 = concat %1, %1 : [_]i64\n"
                "  %4 = concat %1, %1 : [_]i64\n"
                "  %5 = slice.checked %3, %2, %2 : [_]i64\n"
                "  %6 = tuple %5, %4 : ([_]i64, [_]i64)\n"
                "  %7 = get %6, 1 : [_]i64\n"
                "  %8 = update.checked %7, %2, %2 : [_]i64\n"
                "  %9 = tuple %5, %3 : ([_]i64, [_]i64)\n"
                "  yield %9\n"
                "}\n",
                "fn f(%1: [_]i64, %2: i64) -> ([_]i64, [_]i64) {\n"
                "  %3 = concat %1, %1 : [_]i64\n"
                "  %4 = concat %1, %1 : [_]i64\n"
                "  %5 = slice.checked %3, %2, %2 : [_]i64\n"
                "  %6 = tuple %5, %4 : ([_]i64, [_]i64)\n"
                "  %7 = get %6, 1 : [_]i64\n"
                "  %8 = update.checked ^%7, %2, %2 : [_]i64\n"
                "  release %8\n"
                "  %9 = tuple %5, %3 : ([_]i64, [_]i64)\n"
                "  yield %9\n"
                "  release %3\n"
                "}\n");
}

static void kernels_borrow_and_parts_get_names(void **state) {
    expect_pass(*state, plan_module,
                "fn f(%1: [_]i64, %2: i64) -> [_][_]i64 {\n"
                "  %3 = call @two, %1 : ([_]i64, [_]i64)\n"
                "  %4 = get %3, 0 : [_]i64\n"
                "  %5 = kernel [%2] (%6: i64) {\n"
                "    %7 = update.checked %4, %6, %2 : [_]i64\n"
                "    %8 = concat %7, %4 : [_]i64\n"
                "    yield %8\n"
                "  } list : [_][_]i64\n"
                "  yield %5\n"
                "}\n"
                "fn two(%1: [_]i64) -> ([_]i64, [_]i64) {\n"
                "  %2 = tuple %1, %1 : ([_]i64, [_]i64)\n"
                "  yield %2\n"
                "}\n",
                "fn f(%1: [_]i64, %2: i64) -> [_][_]i64 {\n"
                "  %3 = call @two, %1 : ([_]i64, [_]i64)\n"
                "  %9 = get %3, 1 : [_]i64\n"
                "  %4 = get %3, 0 : [_]i64\n"
                "  release %9\n"
                "  %5 = kernel [%2] (%6: i64) {\n"
                "    %7 = update.checked %4, %6, %2 : [_]i64\n"
                "    %8 = concat ^%7, %4 : [_]i64\n"
                "    yield ^%8\n"
                "  } list : [_][_]i64\n"
                "  release %4\n"
                "  yield ^%5\n"
                "}\n"
                "\n"
                "fn two(%1: [_]i64) -> ([_]i64, [_]i64) {\n"
                "  %2 = tuple %1, %1 : ([_]i64, [_]i64)\n"
                "  yield %2\n"
                "}\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(integers_wrap_in_their_width),
        TEST(what_faults_is_not_folded),
        TEST(floats_keep_their_precision),
        TEST(sixteen_bit_floats_round_once),
        TEST(integer_sums_get_short),
        TEST(equal_sizes_are_equal),
        TEST(literals_take_their_type_late),
        TEST(text_reads_back),
        TEST(constants_read_back),
        TEST(mistakes_name_their_line),
        TEST(broken_rules_are_found),
        TEST(products_in_sums_become_fma),
        TEST(calls_are_inlined_and_invariants_move),
        TEST(loops_keep_what_changes),
        TEST(faults_stay_where_they_are),
        TEST(branches_that_agree_are_no_branches),
        TEST(updates_are_in_place_at_the_last_use),
        TEST(branches_take_over_what_dies_in_them),
        TEST(views_keep_what_they_look_at),
        TEST(kernels_borrow_and_parts_get_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
