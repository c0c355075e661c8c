/* Every scalar op of lang/ops.def on every type it takes, over edge values: LLVM code for one lane,
   for 8 and for 16 must give what plain C gives here, bit for bit (any NaN equals any NaN). Runs
   with the target's own half conversions and without. */
#include "../../codegen/host/scalar.h"
#include "scalar_cases.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/LLJIT.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

/* ---- compiled code ---- */

typedef void (*Fn)(const void *a, const void *b, const void *c, void *out);
static const int widths[] = {1, 8, 16};
enum { WIDTHS = 3 };

static Type types[TYPE_STRING];

static void build_case(Scalar *s, const Case *c, const char *name, int lanes) {
    LLVMTypeRef ptr = LLVMPointerTypeInContext(s->context, 0), params[] = {ptr, ptr, ptr, ptr};
    LLVMTypeRef type = LLVMFunctionType(LLVMVoidTypeInContext(s->context), params, 4, false);
    LLVMValueRef fn = LLVMAddFunction(s->module, name, type), args[3];
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(s->context, fn, "entry");
    LLVMPositionBuilderAtEnd(s->builder, entry);
    ScalarOp op = {.kind = c->kind, .lanes = lanes, .type = &types[c->result]};
    for (int k = 0; k < ops[c->kind].arity; k++) {
        op.args[k] = &types[c->args[k]];
        LLVMTypeRef memory = scalar_memory_type(s, op.args[k], lanes);
        LLVMValueRef v = LLVMBuildLoad2(s->builder, memory, LLVMGetParam(fn, (unsigned)k), "");
        LLVMSetAlignment(v, (unsigned)kinds[c->args[k]].bytes);
        args[k] = scalar_from_memory(s, op.args[k], v);
    }
    LLVMValueRef r = scalar_to_memory(s, op.type, scalar_emit(s, &op, args));
    LLVMValueRef store = LLVMBuildStore(s->builder, r, LLVMGetParam(fn, 3));
    LLVMSetAlignment(store, (unsigned)kinds[c->result].bytes);
    LLVMBuildRetVoid(s->builder);
}

static void check_error(LLVMErrorRef error) {
    if (error)
        fail_msg("LLVM: %s", LLVMGetErrorMessage(error));
}

typedef struct {
    LLVMOrcLLJITRef jit;
    Fn fns[MAX_CASES][WIDTHS];
} Compiled;

static LLVMTargetMachineRef host_machine(void) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    char *triple = LLVMGetDefaultTargetTriple(), *error;
    LLVMTargetRef target;
    if (LLVMGetTargetFromTriple(triple, &target, &error))
        fail_msg("LLVM: %s", error);
    return LLVMCreateTargetMachine(target, triple, LLVMGetHostCPUName(), LLVMGetHostCPUFeatures(),
                                   LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
}

static void compile(Compiled *out, const Case *cases, int ncases, bool is_native) {
    LLVMTargetMachineRef machine = host_machine();
    LLVMOrcThreadSafeContextRef safe = LLVMOrcCreateNewThreadSafeContext();
    Scalar s = {.context = LLVMOrcThreadSafeContextGetContext(safe),
                .has_f16c = is_native && __builtin_cpu_supports("f16c"),
                .has_avx512 = is_native && __builtin_cpu_supports("avx512f"),
                .has_avx512vl = is_native && __builtin_cpu_supports("avx512vl")};
    s.module = LLVMModuleCreateWithNameInContext("test", s.context);
    s.builder = LLVMCreateBuilderInContext(s.context);
    char name[64], *message = NULL;
    for (int k = 0; k < ncases; k++)
        for (int w = 0; w < WIDTHS; w++) {
            snprintf(name, sizeof name, "case.%d.%d", k, w);
            build_case(&s, &cases[k], name, widths[w]);
        }
    if (LLVMVerifyModule(s.module, LLVMReturnStatusAction, &message))
        fail_msg("LLVM: %s", message);
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    check_error(LLVMRunPasses(s.module, "default<O1>", machine, options));
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(
        builder, LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    check_error(LLVMOrcCreateLLJIT(&out->jit, builder));
    LLVMOrcJITDylibRef lib = LLVMOrcLLJITGetMainJITDylib(out->jit);
    LLVMOrcDefinitionGeneratorRef process;
    check_error(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&process, 0, NULL, NULL));
    LLVMOrcJITDylibAddGenerator(lib, process);
    check_error(LLVMOrcLLJITAddLLVMIRModule(
        out->jit, lib, LLVMOrcCreateNewThreadSafeModule(s.module, safe)));
    for (int k = 0; k < ncases; k++)
        for (int w = 0; w < WIDTHS; w++) {
            LLVMOrcExecutorAddress at;
            snprintf(name, sizeof name, "case.%d.%d", k, w);
            check_error(LLVMOrcLLJITLookup(out->jit, &at, name));
            out->fns[k][w] = (Fn)at;
        }
    LLVMDisposeBuilder(s.builder);
    LLVMDisposePassBuilderOptions(options);
}

/* ---- comparing ---- */

static int check_case(const Case *c, Rows *rows, Fn fn, int lanes) {
    int bytes[3], size = kinds[c->result].bytes;
    char how[16];
    for (int k = 0; k < 3; k++)
        bytes[k] = k < ops[c->kind].arity ? kinds[c->args[k]].bytes : 0;
    for (int i = 0; i < rows->n; i += lanes)
        fn(rows->args[0] + i * bytes[0], rows->args[1] + i * bytes[1], rows->args[2] + i * bytes[2],
           rows->out + i * size);
    snprintf(how, sizeof how, "%d lanes", lanes);
    return count_wrong(c, rows, how);
}

static void check_all(bool is_native) {
    static Case cases[MAX_CASES];
    static Compiled compiled;
    static Rows rows;
    int n = list_cases(cases), wrong = 0;
    compile(&compiled, cases, n, is_native);
    for (int k = 0; k < n; k++) {
        make_rows(&cases[k], &rows);
        for (int w = 0; w < WIDTHS; w++)
            wrong += check_case(&cases[k], &rows, compiled.fns[k][w], widths[w]);
    }
    LLVMOrcDisposeLLJIT(compiled.jit);
    assert_int_equal(wrong, 0);
}

static void with_target_instructions(void **state) {
    (void)state;
    check_all(true);
}

static void with_arithmetic_alone(void **state) {
    (void)state;
    check_all(false);
}

int main(void) {
    for (TypeKind t = 0; t < TYPE_STRING; t++)
        types[t].kind = t;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_target_instructions),
        cmocka_unit_test(with_arithmetic_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
