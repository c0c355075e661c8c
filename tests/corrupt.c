/* Programs with one mistake: corrupt SEED SECONDS LIBRARY FILE…. Drops, swaps or renames one token
   at random places and checks the result. LIBRARY is the folder of the standard library, whose
   modules may be among the files; the files are changed in place and restored, so they are copies.
   The compiler must neither crash nor hang; an edit may leave a program that compiles, otherwise
   the first error marks a line within two of the edit, or speaks of the token that was changed (a
   use of a name whose declaration is gone), and there are at most five errors.

   Every check runs in a process of its own, so that a crash or a hang is that edit's alone. */
#include "compiler/compiler.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ERRORS = 5, NEAR_LINES = 2, CHECK_SECONDS = 20 };

typedef struct {
    size_t from, to;
    int line;
} Token;
typedef VEC(Token) TokenList;

typedef enum { EDIT_DROP, EDIT_SWAP, EDIT_RENAME, EDIT_COUNT } EditKind;
static const char *const edit_names[EDIT_COUNT] = {"drop", "swap", "rename"};

typedef struct {
    EditKind kind;
    const char *path;
    Token token;
    char word[64]; /* the token's text, shortened */
} Edit;

/* How a check ended: the exit status of its process, from STATUS_BASE on, so that no other end of
   it is taken for one of these. */
enum { STATUS_BASE = 64 };
typedef enum {
    RESULT_FINE,
    RESULT_COMPILES,
    RESULT_FAR,
    RESULT_MANY,
    RESULT_CRASH,
    RESULT_COUNT
} Result;
static const char *const result_names[RESULT_COUNT] = {"reported well", "still compile",
                                                       "first error far away",
                                                       "more than five errors", "crash or hang"};

static uint64_t random_state;

/* xorshift64*: the same edits for the same seed. */
static uint64_t random_below(uint64_t n) {
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545F4914F6CDD1DULL >> 32) % n;
}

/* ---- tokens: words, numbers, strings and runs of the same operator ---- */

static bool is_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* The end of what begins at `at`: a comment or blank counts as one piece. */
static size_t piece_end(const char *text, size_t at) {
    size_t end = at + 1;
    if (text[at] == '/' && text[at + 1] == '/')
        return at + strcspn(text + at, "\n");
    if (is_word(text[at]))
        while (is_word(text[end]))
            end++;
    else if (text[at] == '"') {
        while (text[end] && text[end] != '"' && text[end] != '\n')
            end += text[end] == '\\' && text[end + 1] ? 2 : 1;
        end += text[end] == '"';
    } else if (text[at] && text[end] && strchr("=<>-|.*+!", text[at]) &&
               strchr("=<>-|.*", text[end]))
        end++;
    return end;
}

static void find_tokens(Arena *arena, const char *text, TokenList *tokens) {
    int line = 1;
    for (size_t at = 0; text[at];) {
        size_t end = piece_end(text, at);
        bool is_comment = text[at] == '/' && text[at + 1] == '/';
        if (!isspace((unsigned char)text[at]) && !is_comment)
            vec_push(arena, tokens, (Token){at, end, line});
        line += text[at] == '\n';
        at = end;
    }
}

/* ---- edits ---- */

/* The text with tokens[k] changed. */
static void apply(Buf *out, const char *text, const TokenList *tokens, int k, EditKind kind) {
    Token t = tokens->at[k];
    buf_add(out, text, t.from);
    size_t rest = t.to;
    if (kind == EDIT_SWAP) {
        Token next = tokens->at[k + 1];
        buf_add(out, text + next.from, next.to - next.from);
        buf_add(out, text + t.to, next.from - t.to);
        buf_add(out, text + t.from, t.to - t.from);
        rest = next.to;
    } else if (kind == EDIT_RENAME) {
        buf_puts(out, is_word(text[t.from]) ? "qzx" : "?");
    }
    buf_puts(out, text + rest);
}

/* ---- checking ---- */

/* The report of the first error, up to the next message; cut off in place. */
static char *first_error(char *report) {
    char *at = strncmp(report, "error[", 6) == 0 ? report : strstr(report, "\nerror[");
    if (!at)
        return NULL;
    for (char *line = strchr(at + 1, '\n'); line; line = strchr(line + 1, '\n'))
        if (strncmp(line, "\nerror", 6) == 0 || strncmp(line, "\nwarning", 8) == 0) {
            line[1] = '\0';
            break;
        }
    return at;
}

/* Does the excerpt of an error show a line near the edit? Marked lines alone have a number. */
static bool shows_line(const char *error, const char *path, int edited) {
    bool own_file = strstr(error, path) != NULL;
    for (const char *line = strchr(error, '\n'); line && own_file; line = strchr(line + 1, '\n')) {
        char *end;
        long number = strtol(line + 1, &end, 10);
        if (end > line + 1 && strncmp(end, " |", 2) == 0 && labs(number - edited) <= NEAR_LINES)
            return true;
    }
    return false;
}

static Result judge(Compiler *c, const Edit *edit, const char *path) {
    char *report = NULL;
    size_t size;
    FILE *out = open_memstream(&report, &size);
    diags_print(&c->diags, out);
    fclose(out);
    if (c->diags.errors == 0)
        return RESULT_COMPILES;
    char *copy = strdup(report);
    const char *first = first_error(copy);
    bool near = first && shows_line(first, path, edit->token.line);
    bool named = first && is_word(edit->word[0]) && strstr(first, edit->word);
    Result result = c->diags.errors > MOST_ERRORS ? RESULT_MANY
                    : near || named               ? RESULT_FINE
                                                  : RESULT_FAR;
    if (result != RESULT_FINE)
        printf("%s:%d: %s `%s`: %s\n%s", edit->path, edit->token.line, edit_names[edit->kind],
               edit->word, result_names[result], report);
    fflush(stdout);
    free(copy);
    free(report);
    return result;
}

/* Checks the edited file; without an edit says if it compiles. */
static Result check(const char *library, const char *path, const Edit *edit) {
    Arena arena = {0};
    Compiler c = {.arena = &arena,
                  .sources = {.arena = &arena, .next = 1},
                  .stdlib_dir = library,
                  .want_tests = true};
    c.names = names_new(&arena);
    c.types = types_new(&arena, c.names);
    c.diags =
        (Diags){.arena = &arena, .sources = &c.sources, .format = FORMAT_HUMAN, .ascii = true};
    RunOptions run = {.last = PASS_check, .dump_after = PASS_COUNT};
    if (!compiler_load(&c, path)) {
        perror(path);
        exit(RESULT_CRASH);
    }
    compiler_run(&c, &run);
    if (c.is_broken)
        exit(RESULT_CRASH);
    Result result = edit ? judge(&c, edit, path) : c.diags.errors ? RESULT_FAR : RESULT_COMPILES;
    arena_free(&arena);
    return result;
}

/* The same in a process of its own. */
static Result check_apart(const char *library, const char *path, const Edit *edit) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHECK_SECONDS);
        _exit(STATUS_BASE + (int)check(library, path, edit));
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        perror("fork");
        exit(2);
    }
    int result = WIFEXITED(status) ? WEXITSTATUS(status) - STATUS_BASE : -1;
    return result >= 0 && result < RESULT_CRASH ? (Result)result : RESULT_CRASH;
}

/* ---- one file ---- */

typedef struct {
    const char *path, *text;
    TokenList tokens;
} Program;

static void write_program(const char *path, const char *text) {
    FILE *out = fopen(path, "w");
    if (!out || fputs(text, out) < 0 || fclose(out) != 0) {
        perror(path);
        exit(2);
    }
}

/* One random edit of a program. A program that crashes the compiler is kept beside it. */
static Result try_edit(const Program *p, const char *library) {
    Arena arena = {0};
    Buf text = {.arena = &arena};
    int k = (int)random_below((uint64_t)p->tokens.len - 1);
    Edit edit = {
        .kind = (EditKind)random_below(EDIT_COUNT), .path = p->path, .token = p->tokens.at[k]};
    snprintf(edit.word, sizeof edit.word, "%.*s", (int)(edit.token.to - edit.token.from),
             p->text + edit.token.from);
    apply(&text, p->text, &p->tokens, k, edit.kind);
    write_program(p->path, buf_text(&text));
    Result result = check_apart(library, p->path, &edit);
    if (result == RESULT_CRASH) {
        printf("%s:%d: %s `%s`: crash or hang\n", p->path, edit.token.line, edit_names[edit.kind],
               edit.word);
        write_program(arena_printf(&arena, "%s.crash", p->path), buf_text(&text));
    }
    write_program(p->path, p->text);
    arena_free(&arena);
    return result;
}

static Program read_program(Arena *arena, Sources *sources, const char *path) {
    Source *source = source_read(sources, path);
    if (!source) {
        perror(path);
        exit(2);
    }
    Program p = {.path = path, .text = source->text};
    find_tokens(arena, p.text, &p.tokens);
    return p;
}

/* Shares of all edits that may be worse than wanted: a missing bracket, say, shows at the end. */
static int verdict(const int *counts, int total) {
    for (int k = 0; k < RESULT_COUNT; k++)
        printf("%6d %s\n", counts[k], result_names[k]);
    bool few = counts[RESULT_FAR] * 100 <= total * 2 && counts[RESULT_MANY] * 200 <= total * 3;
    return counts[RESULT_CRASH] == 0 && few ? 0 : 1;
}

/* Reads the programs; those that do not compile unchanged are named and left out. */
static int read_programs(Arena *arena, const char *library, char **paths, int n,
                         Program *programs) {
    Sources *sources = NEW(arena, Sources);
    *sources = (Sources){.arena = arena, .next = 1};
    int good = 0;
    for (int k = 0; k < n; k++) {
        Program p = read_program(arena, sources, paths[k]);
        if (check_apart(library, p.path, NULL) != RESULT_COMPILES)
            printf("%s does not compile unchanged\n", p.path);
        else if (p.tokens.len > 1)
            programs[good++] = p;
    }
    return good;
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fputs("usage: corrupt SEED SECONDS LIBRARY FILE...\n", stderr);
        return 2;
    }
    Arena arena = {0};
    const char *library = argv[3];
    random_state = strtoull(argv[1], NULL, 10) * 2 + 1;
    int nfiles = argc - 4, counts[RESULT_COUNT] = {0}, total = 0;
    Program *programs = NEW_ARRAY(&arena, Program, nfiles);
    int n = read_programs(&arena, library, argv + 4, nfiles, programs);
    time_t end = time(NULL) + atoi(argv[2]);
    for (; n && time(NULL) < end; total++)
        counts[try_edit(&programs[total % n], library)]++;
    printf("seed %s: %d edits of %d programs\n", argv[1], total, n);
    int status = verdict(counts, total);
    arena_free(&arena);
    return n < nfiles ? 1 : status;
}
