/* The host back end's entry: an LLVM module from an IR module, optimised, as text, object or image.
 */
#include "emit.h"

#include "../image/link.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- the target ---- */

typedef struct {
    LLVMTargetMachineRef machine;
    const char *triple, *cpu, *features;
} Target;

static const char *copy_message(Arena *arena, char *text) {
    const char *copy = arena_printf(arena, "%s", text);
    LLVMDisposeMessage(text);
    return copy;
}

static const char *target_open(Arena *arena, const CodegenOptions *options, Target *t) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    t->triple = copy_message(arena, LLVMGetDefaultTargetTriple());
    bool is_native = !options->cpu || strcmp(options->cpu, "native") == 0;
    t->cpu = is_native ? copy_message(arena, LLVMGetHostCPUName()) : options->cpu;
    t->features = is_native ? copy_message(arena, LLVMGetHostCPUFeatures())
                            : image_cpu_features(arena, t->cpu);
    LLVMTargetRef target;
    char *error = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &error))
        return copy_message(arena, error);
    LLVMCodeGenOptLevel level = options->opt_level == 0   ? LLVMCodeGenLevelNone
                                : options->opt_level == 1 ? LLVMCodeGenLevelLess
                                                          : LLVMCodeGenLevelDefault;
    t->machine = LLVMCreateTargetMachine(target, t->triple, t->cpu, t->features, level,
                                         LLVMRelocPIC, LLVMCodeModelDefault);
    return t->machine ? NULL : "LLVM knows no such target";
}

/* ---- the module ---- */

static LLVMTypeRef named(Emit *e, const char *name, LLVMTypeRef *fields, int n) {
    LLVMTypeRef type = LLVMStructCreateNamed(e->C, name);
    LLVMStructSetBody(type, fields, (unsigned)n, 0);
    return type;
}

static void make_types(Emit *e) {
    LLVMTypeRef i = e->i32, p = e->ptr;
    e->site_type = named(e, "site", (LLVMTypeRef[]){p, p, p, i, i, i, i, i, i, p}, 10);
    e->type_type = named(e, "type", (LLVMTypeRef[]){i, i, p, p, p, i, i, i, i, p, p, p}, 12);
    e->ctor_type = named(e, "ctor", (LLVMTypeRef[]){p, p}, 2);
    e->value_type = named(e, "value", (LLVMTypeRef[]){p, p}, 2);
    e->info_type = named(e, "info", (LLVMTypeRef[]){p, p, i, i, i}, 5);
    e->rt_fn = LLVMFunctionType(e->vd, (LLVMTypeRef[]){p, p, p, i, p, p}, 6, 0);
    e->range_fn = LLVMFunctionType(e->vd, (LLVMTypeRef[]){p, p, e->i64, e->i64}, 4, 0);
    e->body_fn = LLVMFunctionType(e->vd, (LLVMTypeRef[]){p, p}, 2, 0);
}

static void make_metadata(Emit *e) {
    LLVMContextRef C = e->C;
    e->md_invariant = LLVMGetMDKindIDInContext(C, "invariant.load", 14);
    e->md_noalias = LLVMGetMDKindIDInContext(C, "noalias", 7);
    e->md_scope = LLVMGetMDKindIDInContext(C, "alias.scope", 11);
    e->md_prof = LLVMGetMDKindIDInContext(C, "prof", 4);
    e->md_loop = LLVMGetMDKindIDInContext(C, "llvm.loop", 9);
    e->empty_md = LLVMMetadataAsValue(C, LLVMMDNodeInContext2(C, NULL, 0));
    LLVMMetadataRef weights[] = {
        LLVMMDStringInContext2(C, "branch_weights", 14),
        LLVMValueAsMetadata(LLVMConstInt(e->i32, 1 << 20, 0)),
        LLVMValueAsMetadata(LLVMConstInt(e->i32, 1, 0)),
    };
    e->unlikely = LLVMMetadataAsValue(C, LLVMMDNodeInContext2(C, weights, 3));
    LLVMMetadataRef domain = LLVMMDStringInContext2(C, "gact", 4);
    e->scope_domain = LLVMMDNodeInContext2(C, &domain, 1);
}

static void emit_open(Emit *e, const IrModule *m, const CodegenOptions *options, Arena *arena,
                      const Target *t) {
    *e = (Emit){.m = m, .options = options, .arena = arena, .C = LLVMContextCreate()};
    e->M = LLVMModuleCreateWithNameInContext("gact", e->C);
    e->B = LLVMCreateBuilderInContext(e->C);
    LLVMSetTarget(e->M, t->triple);
    e->layout = LLVMCreateTargetDataLayout(t->machine);
    LLVMSetModuleDataLayout(e->M, e->layout);
    e->cpu = t->cpu;
    e->features = t->features;
    e->i1 = LLVMInt1TypeInContext(e->C);
    e->i8 = LLVMInt8TypeInContext(e->C);
    e->i32 = LLVMInt32TypeInContext(e->C);
    e->i64 = LLVMInt64TypeInContext(e->C);
    e->ptr = LLVMPointerTypeInContext(e->C, 0);
    e->vd = LLVMVoidTypeInContext(e->C);
    e->scalar = (Scalar){.context = e->C,
                         .module = e->M,
                         .builder = e->B,
                         .has_f16c = strstr(t->features, "+f16c") != NULL};
    e->funcs = NEW_ARRAY(arena, LLVMValueRef, m->funcs.len + 1);
    e->needed = NEW_ARRAY(arena, int, m->funcs.len + 1);
    make_types(e);
    make_metadata(e);
}

static void emit_close(Emit *e) {
    LLVMDisposeBuilder(e->B);
    LLVMDisposeTargetData(e->layout);
    LLVMDisposeModule(e->M);
    LLVMContextDispose(e->C);
}

/* ---- optimising and writing ---- */

/* Bodies come out of the emitter vectorised, so that a few passes do: they cost a third of
   default<O2> and give the same loops. */
static const char fast_tier[] =
    "function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg)";
static const char standard_tier[] =
    "cgscc(inline),function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-simplify,lcssa,"
    "loop-mssa(loop-rotate,licm),indvars,gvn,loop-vectorize,loop-unroll,sroa,early-cse,"
    "instcombine<no-verify-fixpoint>,simplifycfg)";

static const char *optimise(Emit *e, const Target *t) {
    const char *passes = e->options->opt_level == 0  ? fast_tier
                         : e->options->opt_level < 3 ? standard_tier
                                                     : "default<O3>";
    LLVMPassBuilderOptionsRef options = LLVMCreatePassBuilderOptions();
    LLVMPassBuilderOptionsSetLoopVectorization(options, 1);
    LLVMPassBuilderOptionsSetSLPVectorization(options, 1);
    LLVMPassBuilderOptionsSetLoopUnrolling(options, 1);
    LLVMErrorRef error = LLVMRunPasses(e->M, passes, t->machine, options);
    LLVMDisposePassBuilderOptions(options);
    if (!error)
        return NULL;
    char *text = LLVMGetErrorMessage(error);
    const char *message = arena_printf(e->arena, "internal error: %s", text);
    LLVMDisposeErrorMessage(text);
    return message;
}

static const char *write_file(Arena *arena, const char *path, const char *bytes, size_t len) {
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (!out)
        return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    bool is_written = fwrite(bytes, 1, len, out) == len && fflush(out) == 0;
    const char *error =
        is_written ? NULL : arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    if (out != stdout && fclose(out) != 0 && !error)
        error = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    return error;
}

static const char *write_text(Emit *e) {
    char *text = LLVMPrintModuleToString(e->M);
    const char *error = write_file(e->arena, e->options->path, text, strlen(text));
    LLVMDisposeMessage(text);
    return error;
}

static const char *write_code(Emit *e, const Target *t) {
    LLVMMemoryBufferRef buffer;
    char *message = NULL;
    CodegenEmit what = e->options->emit;
    LLVMCodeGenFileType type = what == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(t->machine, e->M, type, &message, &buffer))
        return arena_printf(e->arena, "internal error: %s", copy_message(e->arena, message));
    const char *bytes = LLVMGetBufferStart(buffer), *path = e->options->path, *error;
    size_t len = LLVMGetBufferSize(buffer);
    if (what == EMIT_IMAGE)
        error =
            image_link(e->arena, bytes, len, path, image_features(e->arena, t->cpu, t->features));
    else
        error = write_file(e->arena, path, bytes, len);
    LLVMDisposeMemoryBuffer(buffer);
    return error;
}

static const char *compile(Emit *e, const Target *t) {
    emit_image(e);
#ifndef NDEBUG
    char *message = NULL;
    if (LLVMVerifyModule(e->M, LLVMReturnStatusAction, &message)) {
        return arena_printf(e->arena, "internal error: %s", copy_message(e->arena, message));
    }
    LLVMDisposeMessage(message);
#endif
    const char *error = optimise(e, t);
    if (error)
        return error;
    return e->options->emit == EMIT_LLVM ? write_text(e) : write_code(e, t);
}

const char *gact_codegen_host(const IrModule *m, const CodegenOptions *options) {
    Arena *arena = m->arena;
    Target target = {0};
    const char *error = target_open(arena, options, &target);
    if (error)
        return error;
    Emit emit;
    emit_open(&emit, m, options, arena, &target);
    error = compile(&emit, &target);
    emit_close(&emit);
    LLVMDisposeTargetMachine(target.machine);
    return error;
}
