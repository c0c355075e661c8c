/* A new project: a folder with a program that has a dag, a main and a test. */
#include "tools.h"

#include "../compiler/arena.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char program[] =
    "// The mean and the spread of a row of numbers.\n"
    "\n"
    "/// How far each number is from the mean of all, and that mean.\n"
    "dag spread(x: [n]f32) -> (mean: f32, away: [n]f32) {\n"
    "  let mean = sum(x) / f32(n)\n"
    "  let away = abs(x - mean)\n"
    "  return (mean = mean, away = away)\n"
    "}\n"
    "\n"
    "main(args: []string) {\n"
    "  let numbers = [1, 2, 4, 9]\n"
    "  let found = spread(numbers)\n"
    "  print(\"mean {found.mean:.2}, furthest {max(found.away):.2}\")\n"
    "}\n"
    "\n"
    "test \"the mean of equal numbers is theirs\" {\n"
    "  assert spread([3, 3, 3]).mean == 3\n"
    "}\n";

static bool is_name(const char *name) {
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return false;
    return *name && *name != '-';
}

static bool write_file(const char *path, const char *text) {
    FILE *out = fopen(path, "wx");
    bool good = out && fputs(text, out) >= 0;
    if (out)
        good = fclose(out) == 0 && good;
    return good;
}

const char *init_project(Arena *arena, const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (!is_name(name))
        return arena_printf(arena, "`%s` cannot be the name of a project: it may have letters, digits, `_` and `-`", name);
    if (mkdir(path, 0777) != 0)
        return arena_printf(arena, "cannot make %s: %s", path, strerror(errno));
    const char *file = arena_printf(arena, "%s/%s.gact", path, name);
    const char *ignore = arena_printf(arena, "%s/.gitignore", path);
    if (!write_file(file, program) || !write_file(ignore, "*.gactx\n"))
        return arena_printf(arena, "cannot write into %s: %s", path, strerror(errno));
    printf("made %s\n\n  gactrun %s\n  gactrun %s spread --in 'x=[1, 5]'\n  gactc test %s\n", file, file, file, file);
    return NULL;
}
