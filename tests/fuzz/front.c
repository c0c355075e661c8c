/* Fuzzes the front end and the passes: any text is a program. It must end without a crash, and what
   compiles must keep the rules of the IR after every pass (compiler_run verifies in debug builds).
 */
#include "compiler/compiler.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compile(const char *path) {
    Arena arena = {0};
    Compiler c = {.arena = &arena,
                  .sources = {.arena = &arena, .next = 1},
                  .opt_level = 2,
                  .want_tests = true};
    c.names = names_new(&arena);
    c.types = types_new(&arena, c.names);
    c.diags = (Diags){.arena = &arena, .sources = &c.sources, .format = FORMAT_HUMAN};
    RunOptions run = {.last = PASS_plan, .dump_after = PASS_COUNT};
    if (!compiler_load(&c, path))
        abort();
    compiler_run(&c, &run);
    if (c.is_broken)
        abort();
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    diags_print(&c.diags, out);
    fclose(out);
    free(text);
    arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("program", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    compile(path);
    return 0;
}
