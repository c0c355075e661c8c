/* Writes the examples of every diagnostic into a folder: snippets DIR makes
   DIR/G0123.wrong/program.gact, which shows the mistake, and DIR/G0123.right/program.gact, without
   it. Empty examples are left out. */
#include "compiler/diag.h"

#include <stdlib.h>
#include <sys/stat.h>

typedef struct {
    const char *wrong, *right;
} Snippet;

static const Snippet snippets[DIAG_COUNT] = {
#define DIAGNOSTIC(code, id, severity, title, explanation, wrong, right)                           \
    [DIAG_##id] = {wrong, right},
#include "lang/diagnostics.def"
};

static void write_snippet(const char *folder, int k, const char *kind, const char *text) {
    if (!text || !*text)
        return;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/%s.%s", folder, diag_code_text((DiagCode)k), kind);
    mkdir(path, 0777);
    snprintf(path + n, sizeof path - (size_t)n, "/program.gact");
    FILE *out = fopen(path, "w");
    if (!out || fprintf(out, "%s\n", text) < 0 || fclose(out) != 0) {
        perror(path);
        exit(1);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: snippets DIR\n", stderr);
        return 2;
    }
    for (int k = 0; k < DIAG_COUNT; k++) {
        write_snippet(argv[1], k, "wrong", snippets[k].wrong);
        write_snippet(argv[1], k, "right", snippets[k].right);
    }
    return 0;
}
