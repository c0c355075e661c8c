/* What the formatter promises: format SEED EDITS FILE…. For each file that parses: the result is the
   same program (format_source() compares trees and comments) and formatted again it stays as it is; the
   same program with other blanks and other indentation gives the same result. Then EDITS times a file
   is changed at random: a piece dropped, doubled, or swapped with the next, a line broken or joined, a
   comment put in. What still parses must be formatted as well. */
#include "compiler/compiler.h"
#include "tools/format.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path, *text;
    size_t len;
} Program;

/* Pieces of a text: words, blanks, strings, comments, other characters. */
typedef struct {
    size_t from, to;
} Piece;
typedef VEC(Piece) PieceList;

static uint64_t random_state;

/* xorshift64*: the same edits for the same seed. */
static uint64_t random_below(uint64_t n) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1DULL >> 32) % n;
}

/* ---- pieces ---- */

/* The end of a string, with the strings in its holes. */
static size_t string_end(const char *text, size_t at) {
    int holes = 0;
    for (at++; text[at] && text[at] != '\n'; at++) {
        if (text[at] == '\\' && text[at + 1])
            at++;
        else if (text[at] == '{')
            holes++;
        else if (text[at] == '}')
            holes -= holes > 0;
        else if (text[at] == '"' && holes)
            at = string_end(text, at) - 1;
        else if (text[at] == '"')
            return at + 1;
    }
    return at;
}

static size_t comment_end(const char *text, size_t at) {
    if (text[at + 1] == '/')
        return at + strcspn(text + at, "\n");
    int depth = 0;
    do {
        bool opens = !strncmp(text + at, "/*", 2), closes = !strncmp(text + at, "*/", 2);
        depth += opens - closes;
        at += opens || closes ? 2 : 1;
    } while (depth && text[at]);
    return at;
}

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static size_t piece_end(const char *text, size_t at) {
    size_t end = at + 1;
    if (text[at] == '/' && (text[end] == '/' || text[end] == '*'))
        return comment_end(text, at);
    if (text[at] == '"')
        return string_end(text, at);
    if (is_word(text[at]))
        while (is_word(text[end]))
            end++;
    else if (text[at] == ' ' || text[at] == '\t')
        end = at + strspn(text + at, " \t");
    return end;
}

static PieceList find_pieces(Arena *arena, const char *text) {
    PieceList pieces = {0};
    for (size_t at = 0; text[at];) {
        size_t end = piece_end(text, at);
        vec_push(arena, &pieces, (Piece){at, end});
        at = end;
    }
    return pieces;
}

/* ---- formatting ---- */

static FormatStatus format(Arena *arena, const Program *p, const char *text, size_t len, Buf *out) {
    Sources sources = {.arena = arena, .next = 1};
    Diags diags = {.arena = arena, .sources = &sources};
    Source *source = source_add(&sources, p->path, text, len);
    return format_source(arena, names_new(arena), &diags, source, out);
}

static int fail(const Program *p, const char *what, const char *text) {
    printf("%s: %s\n", p->path, what);
    FILE *out = fopen("build/format.gact", "w");
    if (out) {
        fputs(text, out);
        fclose(out);
        printf("the program is in build/format.gact\n");
    }
    return 1;
}

/* Formats a text and the result; *parses tells whether there was one. Returns 1 after a message. */
static int try_text(Arena *arena, const Program *p, Buf *text, bool *parses, Buf *result) {
    const char *bytes = buf_text(text);
    FormatStatus status = format(arena, p, bytes, text->len, result);
    *parses = status != FORMAT_ERRORS;
    if (!*parses)
        return 0;
    if (status == FORMAT_BROKEN)
        return fail(p, "the result is another program", bytes);
    Buf again = {.arena = arena};
    status = format(arena, p, buf_text(result), result->len, &again);
    if (status != FORMAT_DONE || strcmp(buf_text(result), buf_text(&again)) != 0)
        return fail(p, "formatted again it changes", bytes);
    return 0;
}

/* ---- other blanks ---- */

/* The text with other blanks where there are some, and more of them where they mean nothing. */
static void respace(Arena *arena, const char *text, Buf *out) {
    PieceList pieces = find_pieces(arena, text);
    bool line_starts = true;
    for (int k = 0; k < pieces.len; k++) {
        Piece piece = pieces.at[k];
        char c = text[piece.from];
        bool blank = c == ' ' || c == '\t', after_range = piece.from && text[piece.from - 1] == '.';
        if (line_starts || (strchr("([,;{", c) && !after_range))
            buf_printf(out, "%*s", (int)random_below(5), "");
        if (blank && !line_starts)
            buf_puts(out, random_below(4) ? "  " : " ");
        else if (!blank)
            buf_add(out, text + piece.from, piece.to - piece.from);
        if (strchr("([,", c))
            buf_printf(out, "%*s", (int)random_below(3), "");
        line_starts = c == '\n';
    }
}

static int try_respaced(Arena *arena, const Program *p, Buf *expected) {
    Buf text = {.arena = arena}, result = {.arena = arena};
    respace(arena, p->text, &text);
    bool parses;
    if (try_text(arena, p, &text, &parses, &result))
        return 1;
    if (!parses || strcmp(buf_text(&result), buf_text(expected)) != 0)
        return fail(p, "with other blanks it gives another result", buf_text(&text));
    return 0;
}

/* ---- edits ---- */

static void put_piece(Buf *out, const char *text, Piece piece) {
    buf_add(out, text + piece.from, piece.to - piece.from);
}

static void edit(Arena *arena, const char *text, Buf *out) {
    static const char *const inserted[] = {"\n", " ", ";", " /* a */ ", " // b\n", "\n\n", "(", ")", "\n/// c\n"};
    PieceList pieces = find_pieces(arena, text);
    if (pieces.len < 2) {
        buf_puts(out, text);
        return;
    }
    int at = (int)random_below((uint64_t)pieces.len - 1), kind = (int)random_below(5);
    for (int k = 0; k < pieces.len; k++) {
        if (k != at) {
            put_piece(out, text, pieces.at[k]);
            continue;
        }
        switch (kind) {
        case 0: break; /* dropped */
        case 1:
            put_piece(out, text, pieces.at[k]);
            put_piece(out, text, pieces.at[k]);
            break;
        case 2:
            put_piece(out, text, pieces.at[k + 1]);
            put_piece(out, text, pieces.at[k]);
            k++;
            break;
        default:
            put_piece(out, text, pieces.at[k]);
            buf_puts(out, inserted[random_below(ARRAY_LEN(inserted))]);
        }
    }
}

/* Changes a program up to four times, as long as it parses. */
static int try_edits(const Program *p, int *parsed) {
    Arena arena = {0};
    const char *text = p->text;
    int failed = 0;
    bool parses = true;
    for (int k = 0; k < 4 && parses && !failed; k++) {
        Buf edited = {.arena = &arena}, result = {.arena = &arena};
        edit(&arena, text, &edited);
        text = buf_text(&edited);
        failed = try_text(&arena, p, &edited, &parses, &result);
        *parsed += parses;
    }
    arena_free(&arena);
    return failed;
}

static int try_program(const Program *p, bool *parses) {
    Arena arena = {0};
    Buf text = {.arena = &arena}, result = {.arena = &arena};
    buf_add(&text, p->text, p->len);
    int failed = try_text(&arena, p, &text, parses, &result);
    if (!failed && *parses && strlen(p->text) == p->len && *p->text != '#')
        failed = try_respaced(&arena, p, &result);
    arena_free(&arena);
    return failed;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fputs("usage: format SEED EDITS FILE...\n", stderr);
        return 2;
    }
    random_state = strtoull(argv[1], NULL, 10) * 2 + 1;
    Arena arena = {0};
    Sources sources = {.arena = &arena, .next = 1};
    VEC(Program) programs = {0};
    int failures = 0, edits = atoi(argv[2]), parsed = 0;
    for (int k = 3; k < argc; k++) {
        Source *source = source_read(&sources, argv[k]);
        if (!source) {
            perror(argv[k]);
            return 2;
        }
        Program p = {argv[k], source->text, source->len};
        bool parses;
        failures += try_program(&p, &parses);
        if (parses && p.len > 20 && strlen(p.text) == p.len)
            vec_push(&arena, &programs, p);
    }
    for (int k = 0; k < edits && !failures; k++)
        failures += try_edits(&programs.at[random_below((uint64_t)programs.len)], &parsed);
    printf("%d of %d files parse, %d changed ones; %d failures\n", programs.len, argc - 3, parsed, failures);
    bool enough = programs.len > 0 && (edits < 100 || parsed > edits / 4);
    arena_free(&arena);
    return failures || !enough;
}
