/* Cutting a module: which function goes where, and a module that holds one part alone. */
#include "parts.h"

#include "../image/link.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PART_WEIGHT = 2500, /* of hot code that is worth a part of its own */
    MOST_PARTS = 8,     /* of hot code */
};

/* ---- weights ---- */

/* About how many instructions of the machine it becomes. */
static int64_t instruction_weight(LLVMValueRef at) {
    bool is_store = LLVMGetInstructionOpcode(at) == LLVMStore;
    LLVMTypeRef type = LLVMTypeOf(is_store ? LLVMGetOperand(at, 0) : at);
    return LLVMGetTypeKind(type) == LLVMVectorTypeKind ? 1 + LLVMGetVectorSize(type) / 8 : 1;
}

static int64_t function_weight(LLVMValueRef fn) {
    int64_t weight = 0;
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef at = LLVMGetFirstInstruction(b); at; at = LLVMGetNextInstruction(at))
            weight += instruction_weight(at);
    return weight;
}

bool parts_is_cold(LLVMValueRef fn) {
    unsigned kind = LLVMGetEnumAttributeKindForName("optnone", strlen("optnone"));
    return LLVMGetEnumAttributeAtIndex(fn, LLVMAttributeFunctionIndex, kind) != NULL;
}

/* ---- the cut ---- */

static void find_functions(Arena *arena, Parts *p) {
    int n = 0;
    for (LLVMValueRef fn = LLVMGetFirstFunction(p->module); fn; fn = LLVMGetNextFunction(fn))
        n++;
    p->funcs = NEW_ARRAY(arena, LLVMValueRef, n + 1);
    p->part_of = NEW_ARRAY(arena, int, n + 1);
    for (LLVMValueRef fn = LLVMGetFirstFunction(p->module); fn; fn = LLVMGetNextFunction(fn))
        if (!LLVMIsDeclaration(fn))
            p->funcs[p->nfuncs++] = fn;
}

static int lightest(const int64_t *loads, int n) {
    int best = 0;
    for (int k = 1; k < n; k++)
        if (loads[k] < loads[best])
            best = k;
    return best;
}

/* The heaviest first, each to the part with the least. */
static void deal(Parts *p, int64_t *weights, int nhot) {
    int64_t loads[MOST_PARTS] = {0};
    for (;;) {
        int next = -1;
        for (int k = 0; k < p->nfuncs; k++)
            if (weights[k] > 0 && (next < 0 || weights[k] > weights[next]))
                next = k;
        if (next < 0)
            return;
        p->part_of[next] = lightest(loads, nhot);
        loads[p->part_of[next]] += weights[next];
        weights[next] = 0;
    }
}

Parts parts_cut(Arena *arena, LLVMModuleRef module) {
    Parts parts = {.module = module, .cold = -1}, *p = &parts;
    find_functions(arena, p);
    int64_t *weights = NEW_ARRAY(arena, int64_t, p->nfuncs + 1), total = 0;
    int ncold = 0;
    for (int k = 0; k < p->nfuncs; k++) {
        if (parts_is_cold(p->funcs[k]))
            ncold++;
        else
            total += weights[k] = function_weight(p->funcs[k]);
    }
    int64_t nhot = (total + PART_WEIGHT - 1) / PART_WEIGHT;
    nhot = nhot < MOST_PARTS ? nhot : MOST_PARTS;
    p->nparts = (int)nhot + (ncold > 0 || nhot == 0);
    p->cold = nhot < p->nparts ? p->nparts - 1 : -1;
    for (int k = 0; k < p->nfuncs; k++)
        p->part_of[k] = p->cold;
    deal(p, weights, (int)nhot);
    return parts;
}

/* ---- one part ---- */

/* Leaves a declaration. */
static void drop_body(LLVMValueRef fn) {
    for (LLVMBasicBlockRef b = LLVMGetFirstBasicBlock(fn); b; b = LLVMGetNextBasicBlock(b))
        for (LLVMValueRef at; (at = LLVMGetLastInstruction(b));) {
            LLVMTypeRef type = LLVMTypeOf(at);
            if (LLVMGetTypeKind(type) != LLVMVoidTypeKind)
                LLVMReplaceAllUsesWith(at, LLVMGetPoison(type));
            LLVMInstructionEraseFromParent(at);
        }
    for (LLVMBasicBlockRef b; (b = LLVMGetFirstBasicBlock(fn));)
        LLVMDeleteBasicBlock(b);
}

/* Parts see one another's functions and tables; nobody else does. */
static void share(LLVMValueRef value) {
    if (LLVMGetLinkage(value) == LLVMExternalLinkage)
        return;
    LLVMSetLinkage(value, LLVMExternalLinkage);
    LLVMSetVisibility(value, LLVMHiddenVisibility);
}

/* Takes all other parts out of the module. */
static void keep_part(const Parts *p, int part) {
    for (LLVMValueRef g = LLVMGetFirstGlobal(p->module); g; g = LLVMGetNextGlobal(g)) {
        share(g);
        if (part > 0 && LLVMGetInitializer(g))
            LLVMSetLinkage(g, LLVMAvailableExternallyLinkage);
    }
    for (int k = 0; k < p->nfuncs; k++) {
        share(p->funcs[k]);
        if (p->part_of[k] != part)
            drop_body(p->funcs[k]);
    }
}

/* ---- processes ---- */

/* In a process of its own. The file takes the object, or the message if there is none. */
static _Noreturn void compile_child(Parts *p, int part, PartFn compile, void *data, int object) {
    keep_part(p, part);
    const char *error = compile(data, part == p->cold, object);
    if (error && (ftruncate(object, 0) != 0 || pwrite(object, error, strlen(error), 0) < 0))
        _exit(2);
    _exit(error ? 1 : 0);
}

static const char *await(Arena *arena, pid_t child, int object) {
    int status = 0;
    char text[512] = "";
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0)
        return NULL;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1 ||
        pread(object, text, sizeof text - 1, 0) <= 0)
        return "internal error: a process that generated code broke down";
    return arena_printf(arena, "%s", text);
}

const char *parts_compile(Arena *arena, Parts *p, PartFn compile, void *data, int *objects) {
    pid_t children[MOST_PARTS + 1];
    const char *error = NULL;
    int n = 0;
    for (; n < p->nparts && !error; n++) {
        objects[n] = image_memory_file();
        children[n] = objects[n] >= 0 && n > 0 ? fork() : 1;
        if (children[n] == 0)
            compile_child(p, n, compile, data, objects[n]);
        if (objects[n] < 0 || children[n] < 0)
            error = arena_printf(arena, "cannot start generating code: %s", strerror(errno));
    }
    for (int k = n; k < p->nparts; k++)
        objects[k] = -1;
    if (!error) {
        keep_part(p, 0);
        error = compile(data, p->cold == 0, objects[0]);
    }
    for (int k = 1; k < n; k++) {
        const char *failure = children[k] > 0 ? await(arena, children[k], objects[k]) : NULL;
        error = error ? error : failure;
    }
    return error;
}
