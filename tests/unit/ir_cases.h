/* Cases for passes over the IR: files of IR text whose comments say what to expect. */
#ifndef GACT_IR_CASES_H
#define GACT_IR_CASES_H

#include "../../compiler/compiler.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    Arena arena;
    Compiler c;
    const char *path, *expected; /* the text after "// expect: " */
} IrCase;

static char *case_text(Arena *arena, const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = arena_alloc(arena, 1 << 18);
    size_t len = fread(text, 1, (1 << 18) - 1, file);
    fclose(file);
    text[len] = 0;
    return text;
}

/* Reads and verifies a case; the compilation in it is ready for passes. */
static void case_open(IrCase *k, const char *path) {
    *k = (IrCase){.path = path};
    char *text = case_text(&k->arena, path);
    char *expect = strstr(text, "// expect: ");
    if (!expect)
        fail_msg("%s expects nothing", path);
    expect += strlen("// expect: ");
    k->expected = arena_copy(&k->arena, expect, strcspn(expect, "\n"));
    const char *error = NULL;
    NameTable *names = names_new(&k->arena);
    IrModule *m = ir_parse(&k->arena, names, text, &error);
    if (!m)
        fail_msg("%s:%s", path, error);
    k->c = (Compiler){.arena = &k->arena, .names = names, .types = m->types, .ir = m};
    k->c.sources.arena = &k->arena;
    m->sources = &k->c.sources;
    if (ir_verify(m))
        fail_msg("%s: %s", path, ir_verify(m));
}

static void case_verify(const IrCase *k) {
    const char *broken = ir_verify(k->c.ir);
    if (broken) {
        Buf out = {.arena = k->c.arena};
        ir_print(&out, k->c.ir);
        fail_msg("%s: %s\n%s", k->path, broken, buf_text(&out));
    }
}

/* Runs fn on every .ir file of a folder; gives their number. */
static int each_case(const char *folder, void (*fn)(IrCase *k)) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int count = 0;
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);
        if (len < 4 || strcmp(e->d_name + len - 3, ".ir") != 0)
            continue;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        IrCase k;
        case_open(&k, path);
        fn(&k);
        arena_free(&k.arena);
        count++;
    }
    closedir(dir);
    return count;
}

#endif
