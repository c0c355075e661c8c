/* Writes files into a C source. `embed OUTPUT FILE…`, run in the folder that the names are relative
   to, defines stdlib_text() and stdlib_name() of compiler/compiler.h. `embed --text NAME OUTPUT
   FILE…` defines the files after one another as the string NAME. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *path) {
    perror(path);
    exit(1);
}

static void write_bytes(FILE *out, const char *path) {
    FILE *in = fopen(path, "rb");
    if (!in)
        fail(path);
    int column = 0;
    for (int c; (c = getc(in)) != EOF;) {
        fprintf(out, "%d,", c);
        if (++column % 24 == 0)
            putc('\n', out);
    }
    if (ferror(in))
        fail(path);
    fclose(in);
}

static const char lookup[] =
    "const char *stdlib_text(const char *name, size_t *len) {\n"
    "    for (int k = 0; files[k].name; k++)\n"
    "        if (strcmp(files[k].name, name) == 0) {\n"
    "            *len = files[k].len;\n"
    "            return (const char *)files[k].text;\n"
    "        }\n"
    "    return NULL;\n"
    "}\n\n"
    "const char *stdlib_name(int index) {\n"
    "    return index < 0 || index >= (int)(sizeof files / sizeof *files) ? NULL\n"
    "                                                                     : files[index].name;\n"
    "}\n";

static FILE *create(const char *path) {
    FILE *out = fopen(path, "w");
    if (!out)
        fail(path);
    return out;
}

static void finish(FILE *out, const char *path) {
    if (fclose(out) != 0)
        fail(path);
}

static void embed_text(const char *name, const char *path, char *const *files, int n) {
    FILE *out = create(path);
    fprintf(out, "extern const char %s[];\nconst char %s[] = {\n", name, name);
    for (int k = 0; k < n; k++)
        write_bytes(out, files[k]);
    fputs("0};\n", out);
    finish(out, path);
}

static void embed_library(const char *path, char *const *files, int n) {
    FILE *out = create(path);
    fputs("#include \"compiler/compiler.h\"\n\n#include <string.h>\n\n", out);
    for (int k = 0; k < n; k++) {
        fprintf(out, "static const unsigned char file%d[] = {\n", k);
        write_bytes(out, files[k]);
        fputs("0};\n", out);
    }
    fputs("static const struct {\n    const char *name;\n    const unsigned char *text;\n"
          "    size_t len;\n} files[] = {\n",
          out);
    for (int k = 0; k < n; k++)
        fprintf(out, "    {\"%s\", file%d, sizeof file%d - 1},\n", files[k], k, k);
    fprintf(out, "    {NULL, NULL, 0},\n};\n\n%s", lookup);
    finish(out, path);
}

int main(int argc, char **argv) {
    if (argc > 3 && strcmp(argv[1], "--text") == 0) {
        embed_text(argv[2], argv[3], argv + 4, argc - 4);
    } else if (argc > 1) {
        embed_library(argv[1], argv + 2, argc - 2);
    } else {
        fputs("usage: embed [--text NAME] OUTPUT FILE...\n", stderr);
        return 2;
    }
    return 0;
}
