/* libFuzzer target: any text goes through the scanner, the parser, the printers of tokens and of
   the tree, and every format of diagnostics. The first byte chooses how diagnostics are drawn. */
#include "compiler/ast.h"
#include "compiler/diag.h"

#include <stdlib.h>

static void check(bool holds) {
    if (!holds)
        abort();
}

/* Every span lies in the source, and a tree without errors has none marked. */
static void run(Arena *arena, FILE *sink, uint8_t choice, const char *text, size_t len) {
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena,
                   .sources = &sources,
                   .format = (DiagFormat)(choice % 3),
                   .color = choice & 4,
                   .ascii = choice & 8,
                   .width = choice & 16 ? 40 : 0,
                   .error_limit = choice & 32 ? 3 : 0};
    NameTable *names = names_new(arena);
    source_add(&sources, "before.gact", "fn f() = 1\n", 11);
    Source *source = source_add(&sources, "fuzz.gact", text, len);
    Module *module = parse_source(arena, names, &diags, source);
    check((module->errors == 0) == (diags.errors == 0));
    Buf out = {.arena = arena};
    ast_print(&out, module);
    for (int i = 0; i < module->decls.len; i++) {
        Span span = module->decls.at[i]->span;
        check(span.from >= source->base && span.to <= source->base + len && span.from <= span.to);
    }
    diags_print(&diags, sink);
    Diags ignored = {.arena = arena, .sources = &sources};
    tokens_print(&out, arena, names, &ignored, source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static FILE *sink;
    if (!sink)
        sink = fopen("/dev/null", "w");
    if (size == 0)
        return 0;
    Arena arena = {0};
    run(&arena, sink, data[0], (const char *)data + 1, size - 1);
    arena_free(&arena);
    return 0;
}
