/* The formatter on arbitrary bytes: a text that parses gives the same program (format_source() compares
   them), and formatted again it stays as it is. */
#include "compiler/compiler.h"
#include "tools/format.h"

#include <stdlib.h>
#include <string.h>

static FormatStatus format(Arena *arena, const char *text, size_t len, Buf *out) {
    Sources sources = {.arena = arena, .next = 1};
    Diags diags = {.arena = arena, .sources = &sources};
    return format_source(arena, names_new(arena), &diags, source_add(&sources, "fuzz.gact", text, len), out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena = {0};
    Buf once = {.arena = &arena}, twice = {.arena = &arena};
    FormatStatus status = format(&arena, (const char *)data, size, &once);
    if (status == FORMAT_BROKEN)
        abort();
    if (status == FORMAT_DONE) {
        status = format(&arena, buf_text(&once), once.len, &twice);
        if (status != FORMAT_DONE || once.len != twice.len || memcmp(buf_text(&once), buf_text(&twice), once.len) != 0)
            abort();
    }
    arena_free(&arena);
    return 0;
}
