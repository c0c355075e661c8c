/* The host back end's entry: an LLVM module from an IR module, optimised, as text, object or image.
 */
#include "emit.h"

#include "../cuda/cuda.h"
#include "../image/link.h"
#include "parts.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Support.h>
#include <llvm-c/TargetMachine.h>
#include <llvm-c/Transforms/PassBuilder.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- the target ---- */

typedef struct {
    LLVMTargetRef target;
    LLVMTargetMachineRef machine; /* for code that is optimised, unless -O0 */
    const char *triple, *cpu, *features;
} Target;

static const char *copy_message(Arena *arena, char *text) {
    const char *copy = arena_printf(arena, "%s", text);
    LLVMDisposeMessage(text);
    return copy;
}

static LLVMTargetMachineRef machine_open(const Target *t, LLVMCodeGenOptLevel level) {
    return LLVMCreateTargetMachine(t->target, t->triple, t->cpu, t->features, level, LLVMRelocPIC,
                                   LLVMCodeModelDefault);
}

/* Rewriting the addresses of loops takes a tenth of all time and gains nothing here: the emitter
   counts in elements, which addresses of x86 scale. The setting is one of the process. */
static void skip_loop_reduction(void) {
    static bool is_done;
    const char *const args[] = {"gactc", "-disable-lsr"};
    if (!is_done)
        LLVMParseCommandLineOptions(ARRAY_LEN(args), args, NULL);
    is_done = true;
}

/* Features without arithmetic on f16: it is never used, as f16 is computed in f32, and LLVM 19 swaps
   the operands of masked comparisons (vcmpph) without turning the comparison over. */
static const char *usable_features(Arena *arena, const char *features) {
    char *copy = arena_printf(arena, "%s", features);
    char *at = strstr(copy, "+avx512fp16");
    if (!at)
        return arena_printf(arena, "%s%s-avx512fp16", copy, *copy ? "," : "");
    *at = '-';
    return copy;
}

static const char *target_open(Arena *arena, const CodegenOptions *options, Target *t) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    if (options->opt_level < 3)
        skip_loop_reduction();
    t->triple = copy_message(arena, LLVMGetDefaultTargetTriple());
    bool is_native = !options->cpu || strcmp(options->cpu, "native") == 0;
    t->cpu = is_native ? copy_message(arena, LLVMGetHostCPUName()) : options->cpu;
    t->features = is_native ? copy_message(arena, LLVMGetHostCPUFeatures())
                            : image_cpu_features(arena, t->cpu);
    t->features = usable_features(arena, t->features);
    char *error = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &t->target, &error))
        return copy_message(arena, error);
    t->machine = machine_open(t, options->opt_level == 0   ? LLVMCodeGenLevelNone
                                 : options->opt_level == 1 ? LLVMCodeGenLevelLess
                                                           : LLVMCodeGenLevelDefault);
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
    e->info_type = named(e, "info", (LLVMTypeRef[]){p, p, i, i, i, i, i}, 7);
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
                         .has_f16c = strstr(t->features, "+f16c") != NULL,
                         .has_avx512 = strstr(t->features, "+avx512f") != NULL,
                         .has_avx512vl = strstr(t->features, "+avx512vl") != NULL};
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

/* ---- optimising ---- */

/* Bodies come out of the emitter vectorised, so that a few passes do. Those that improve scalar
   loops cost most and run where there are some. Inlining looks at the whole module; the rest at a
   function at a time, so that parts can go apart. */
static const char fast_tier[] =
    "function(sroa,early-cse,instcombine<no-verify-fixpoint>,simplifycfg)";
static const char vector_tier[] =
    "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-simplify,lcssa,loop-mssa(loop-rotate,licm),early-cse,simplifycfg)";
static const char loop_tier[] =
    "function(sroa,early-cse<memssa>,simplifycfg,instcombine<no-verify-fixpoint>,"
    "loop-simplify,lcssa,"
    "loop-mssa(loop-rotate,licm),gvn,loop-vectorize,loop-unroll,sroa,early-cse,"
    "instcombine<no-verify-fixpoint>,simplifycfg)";

static const char *run_passes(Emit *e, const Target *t, const char *passes) {
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

/* What wants all functions at once. */
static const char *optimise_module(Emit *e, const Target *t) {
    int level = e->options->opt_level;
    if (level < 3 && e->has_coroutines)
        return run_passes(e, t, level == 0 ? "coro-early,cgscc(coro-split),coro-cleanup"
                                           : "coro-early,cgscc(inline,coro-split),coro-cleanup");
    return level == 0 ? NULL : run_passes(e, t, level < 3 ? "cgscc(inline)" : "default<O3>");
}

static bool has_loops(LLVMValueRef fn) {
    return LLVMGetStringAttributeAtIndex(fn, LLVMAttributeFunctionIndex, loops_mark,
                                         (unsigned)strlen(loops_mark)) != NULL;
}

/* Runs passes on the functions with loops, or on those without, but never on cold ones. */
static const char *run_some(Emit *e, const Target *t, const char *passes, bool with_loops) {
    unsigned kind = LLVMGetEnumAttributeKindForName("optnone", strlen("optnone"));
    VEC(LLVMValueRef) others = {0};
    for (LLVMValueRef fn = LLVMGetFirstFunction(e->M); fn; fn = LLVMGetNextFunction(fn)) {
        if (LLVMIsDeclaration(fn) || has_loops(fn) == with_loops || parts_is_cold(fn))
            continue;
        vec_push(e->arena, &others, fn);
        fn_attribute(e, fn, "optnone");
    }
    const char *error = run_passes(e, t, passes);
    for (int k = 0; k < others.len; k++)
        LLVMRemoveEnumAttributeAtIndex(others.at[k], LLVMAttributeFunctionIndex, kind);
    return error;
}

/* And the functions one by one. */
static const char *optimise_functions(Emit *e, const Target *t) {
    int level = e->options->opt_level;
    if (level == 0 || level == 3)
        return level == 0 ? run_passes(e, t, fast_tier) : NULL;
    const char *error = run_some(e, t, vector_tier, false);
    return error ? error : run_some(e, t, loop_tier, true);
}

/* ---- writing ---- */

static const char *write_bytes(Arena *arena, int fd, const char *path, const char *bytes,
                               size_t len) {
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, bytes + done, len - done);
        if (n < 0 && errno != EINTR)
            return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
    return NULL;
}

static const char *write_file(Arena *arena, const char *path, const char *bytes, size_t len) {
    bool is_output = strcmp(path, "-") == 0;
    int fd = is_output ? STDOUT_FILENO : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    const char *error = write_bytes(arena, fd, path, bytes, len);
    if (!is_output && close(fd) != 0 && !error)
        error = arena_printf(arena, "cannot write %s: %s", path, strerror(errno));
    return error;
}

/* The kernels for devices as text or code. */
static const char *write_cuda(Emit *e) {
    Buf out = {.arena = e->arena};
    const char *error = cuda_print_code(&out, e);
    return error ? error : write_file(e->arena, e->options->path, buf_text(&out), out.len);
}

static const char *write_text(Emit *e) {
    char *text = LLVMPrintModuleToString(e->M);
    const char *error = write_file(e->arena, e->options->path, text, strlen(text));
    LLVMDisposeMessage(text);
    return error;
}

/* Code for the module; the caller disposes of the buffer. */
static const char *generate(Emit *e, LLVMTargetMachineRef machine, LLVMCodeGenFileType type,
                            LLVMMemoryBufferRef *buffer) {
    char *message = NULL;
    if (!LLVMTargetMachineEmitToMemoryBuffer(machine, e->M, type, &message, buffer))
        return NULL;
    return arena_printf(e->arena, "internal error: %s", copy_message(e->arena, message));
}

/* Assembly text or an object, of the whole module. */
static const char *write_code(Emit *e, const Target *t) {
    LLVMMemoryBufferRef buffer;
    bool is_text = e->options->emit == EMIT_ASM;
    const char *error =
        generate(e, t->machine, is_text ? LLVMAssemblyFile : LLVMObjectFile, &buffer);
    if (error)
        return error;
    error = write_file(e->arena, e->options->path, LLVMGetBufferStart(buffer),
                       LLVMGetBufferSize(buffer));
    LLVMDisposeMemoryBuffer(buffer);
    return error;
}

/* ---- the image ---- */

typedef struct {
    Emit *e;
    const Target *t;
} Job;

/* Prints what a step took, for --time-report; the next one begins. */
static void note_time(const CodegenOptions *options, const char *step, double *start) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    double now = (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
    if (options->times && step) {
        fprintf(options->times, "%-10s %8.2f ms\n", step, now - *start);
        fflush(options->times);
    }
    *start = now;
}

/* One part of the image: a PartFn. Cold code is left as it is. */
static const char *compile_part(void *data, bool is_cold, int object) {
    const Job *job = data;
    Emit *e = job->e;
    double start;
    note_time(e->options, NULL, &start);
    const char *error = is_cold && e->options->opt_level > 0 ? NULL : optimise_functions(e, job->t);
    if (error)
        return error;
    if (!is_cold)
        note_time(e->options, "- optimise", &start);
    LLVMTargetMachineRef machine =
        is_cold ? machine_open(job->t, LLVMCodeGenLevelNone) : job->t->machine;
    LLVMMemoryBufferRef buffer;
    error = generate(e, machine, LLVMObjectFile, &buffer);
    if (!error) {
        error = write_bytes(e->arena, object, "an object", LLVMGetBufferStart(buffer),
                            LLVMGetBufferSize(buffer));
        LLVMDisposeMemoryBuffer(buffer);
    }
    if (is_cold)
        LLVMDisposeTargetMachine(machine);
    note_time(e->options, is_cold ? "- cold" : "- generate", &start);
    return error;
}

static const char *write_image(Emit *e, const Target *t, double *start) {
    Job job = {e, t};
    Parts parts = parts_cut(e->arena, e->M);
    int *objects = NEW_ARRAY(e->arena, int, parts.nparts);
    const char *error = parts_compile(e->arena, &parts, compile_part, &job, objects);
    note_time(e->options, "code", start);
    if (!error)
        error = image_link(e->arena, objects, parts.nparts, e->options->path,
                           image_features(e->arena, t->cpu, t->features));
    for (int k = 0; k < parts.nparts; k++)
        if (objects[k] >= 0)
            close(objects[k]);
    note_time(e->options, "link", start);
    return error;
}

static const char *compile(Emit *e, const Target *t) {
    double start;
    note_time(e->options, NULL, &start);
    emit_image(e);
#ifndef NDEBUG
    char *message = NULL;
    if (LLVMVerifyModule(e->M, LLVMReturnStatusAction, &message)) {
        return arena_printf(e->arena, "internal error: %s", copy_message(e->arena, message));
    }
    LLVMDisposeMessage(message);
#endif
    note_time(e->options, "emit", &start);
    if (e->options->emit == EMIT_PLACES)
        return NULL;
    if (e->options->emit >= EMIT_CUDA)
        return write_cuda(e);
    const char *error = optimise_module(e, t);
    note_time(e->options, "inline", &start);
    if (!error && e->options->emit == EMIT_IMAGE)
        return write_image(e, t, &start);
    if (!error)
        error = optimise_functions(e, t);
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
