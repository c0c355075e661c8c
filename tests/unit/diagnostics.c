/* The examples of lang/diagnostics.def: a wrong program of the syntax is reported with its own
   code and no other, a right one is parsed without a message, and no code stands twice. */
#include "ast.h"
#include "diag.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int code;
    const char *text, *wrong, *right;
} Row;

static const Row rows[] = {
#define DIAGNOSTIC(number, id, severity, title, explanation, bad, good)                            \
    {number, explanation, bad, good},
#include "../../lang/diagnostics.def"
};

/* The codes that parsing a program reports, in order, and a space after each. */
static const char *codes_of(Arena *arena, const char *program) {
    Sources sources = {.arena = arena};
    Diags diags = {.arena = arena, .sources = &sources, .format = FORMAT_SHORT};
    Source *source = source_add(&sources, "p", program, strlen(program));
    parse_source(arena, names_new(arena), &diags, source);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    diags_print(&diags, out);
    fclose(out);
    Buf codes = {.arena = arena};
    for (const char *at = text; (at = strstr(at, ": error[")); at += 13)
        buf_printf(&codes, "%.5s ", at + 8);
    free(text);
    return buf_text(&codes);
}

/* Every message has the row's code, and there is one. */
static bool reports_only(const char *codes, int code) {
    char own[16];
    snprintf(own, sizeof own, "G%04d ", code);
    if (!*codes)
        return false;
    for (; *codes; codes += strlen(own))
        if (strncmp(codes, own, strlen(own)))
            return false;
    return true;
}

static int check_row(Arena *arena, int i) {
    const Row *row = &rows[i];
    int bad = 0;
    for (int j = 0; j < i; j++)
        if (rows[j].code == row->code)
            bad += printf("G%04d stands twice\n", row->code) > 0;
    const char *right = codes_of(arena, row->right);
    if (*right)
        bad += printf("G%04d: the right program is reported: %s\n", row->code, right) > 0;
    const char *wrong = codes_of(arena, row->wrong);
    if (row->code < 100 ? !reports_only(wrong, row->code) : *wrong != '\0')
        bad += printf("G%04d: the wrong program is reported as: %s\n", row->code, wrong) > 0;
    if (!*row->text || !*row->wrong || !*row->right)
        bad += printf("G%04d lacks a text or an example\n", row->code) > 0;
    return bad;
}

int main(void) {
    Arena arena = {0};
    int bad = 0, count = ARRAY_LEN(rows);
    for (int i = 0; i < count; i++)
        bad += check_row(&arena, i);
    arena_free(&arena);
    printf("%d codes, %d wrong\n", count, bad);
    return bad ? 1 : 0;
}
