/* Range analysis by the checks that it leaves. Run in the project's root; the cases are
   tests/golden/range/ *.ir. */
#include "ir_cases.h"

static int checks_in(const IrFunc *f, const IrRegion *region) {
    int count = 0;
    for (int i = 0; i < region->ops.len; i++) {
        const IrOp *op = ir_op(f, region->ops.at[i]);
        count += (op->flags & (IRF_CHECKED | IRF_CHECKED_ZERO)) != 0 || op->kind == IR_CHECK;
        for (int r = 0; r < op->nregions; r++)
            count += checks_in(f, op->regions[r]);
    }
    return count;
}

static void check_left(IrCase *k) {
    range_module(&k->c);
    case_verify(k);
    int wanted;
    assert_int_equal(sscanf(k->expected, "checks %d", &wanted), 1);
    const IrFunc *f = k->c.ir->funcs.at[0];
    int left = checks_in(f, f->body);
    if (left != wanted) {
        Buf out = {.arena = &k->arena};
        ir_print(&out, k->c.ir);
        fail_msg("%s: expected %d checks, got %d\n%s", k->path, wanted, left, buf_text(&out));
    }
}

static void test_checks_left(void **state) {
    (void)state;
    assert_true(each_case("tests/golden/range", check_left) >= 20);
}

/* A check that stays in a kernel is said; the two of this case have no places and are alike. */
static void test_remark(void **state) {
    (void)state;
    IrCase k;
    case_open(&k, "tests/golden/range/gather.ir");
    range_module(&k.c);
    int said = 0;
    for (int i = 0; i < k.c.remarks.len; i++)
        said += k.c.remarks.at[i].kind == REMARK_CHECK;
    assert_int_equal(said, 1);
    arena_free(&k.arena);
}

/* Inputs that share a declared size: the runtime has compared them. */
static void test_inputs(void **state) {
    (void)state;
    IrCase k;
    case_open(&k, "tests/golden/range/other_size.ir");
    IrEntry *entry = k.c.ir->entries.at[0];
    IrDim dims[2] = {{.symbol = 0, .scale = 1}, {.symbol = 0, .scale = 1, .offset = 1}};
    entry->nsymbols = 1;
    for (int i = 0; i < 2; i++)
        entry->inputs[i].dims = &dims[i];
    range_module(&k.c);
    case_verify(&k);
    assert_int_equal(checks_in(entry->func, entry->func->body), 0);
    arena_free(&k.arena);
    case_open(&k, "tests/golden/range/other_size.ir");
    entry = k.c.ir->entries.at[0];
    entry->nsymbols = 1;
    dims[1].offset = -1; /* one element fewer */
    for (int i = 0; i < 2; i++)
        entry->inputs[i].dims = &dims[i];
    range_module(&k.c);
    assert_int_equal(checks_in(entry->func, entry->func->body), 1);
    arena_free(&k.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks_left),
        cmocka_unit_test(test_remark),
        cmocka_unit_test(test_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
