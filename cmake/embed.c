/* Writes files into a C source: embed OUTPUT FILE…, run in the folder that the names are relative
   to. The result defines stdlib_text() and stdlib_name() of compiler/compiler.h. */
#include <stdio.h>
#include <stdlib.h>

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
    fputs("0", out);
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

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("usage: embed OUTPUT FILE...\n", stderr);
        return 2;
    }
    FILE *out = fopen(argv[1], "w");
    if (!out)
        fail(argv[1]);
    fputs("#include \"compiler/compiler.h\"\n\n#include <string.h>\n\n", out);
    for (int k = 2; k < argc; k++) {
        fprintf(out, "static const unsigned char file%d[] = {\n", k);
        write_bytes(out, argv[k]);
        fputs("};\n", out);
    }
    fputs("static const struct {\n    const char *name;\n    const unsigned char *text;\n"
          "    size_t len;\n} files[] = {\n",
          out);
    for (int k = 2; k < argc; k++)
        fprintf(out, "    {\"%s\", file%d, sizeof file%d - 1},\n", argv[k], k, k);
    fprintf(out, "    {NULL, NULL, 0},\n};\n\n%s", lookup);
    if (fclose(out) != 0)
        fail(argv[1]);
    return 0;
}
