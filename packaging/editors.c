/* The word lists in the files of editors/: editors check|write FILE…. A line with
     generated: LIST by SEPARATOR from START to END
   says what the line after it holds: the words of LIST stand between the first START there and the END
   that follows it, with SEPARATOR between them. The three are in single quotes; an empty END is the end
   of the line. `check` names stale files and ends with 1, `write` puts the words there. */
#include "../compiler/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef VEC(const char *) Words;

/* ---- the lists ---- */

typedef struct {
    const char *text, *group;
} Row;
static const Row keywords[] = {
#define KEYWORD(text, token, group) {text, #group},
#define SOFT_KEYWORD(text, token, group) {text, "soft"},
#define INFIX_KEYWORD(text, token, group) {text, "infix"},
#define ACTOR_WORD(text) {text, "timer"},
#include "../lang/keywords.def"
};
static const char *const types[] = {
#define TYPE(id, spelling, bytes, flags, doc) spelling,
#include "../lang/types.def"
};
static const char *const attributes[] = {
#define ATTRIBUTE(name, places, args, doc) name,
#include "../lang/attributes.def"
};

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_word(Arena *arena, Words *words, const char *word) {
    for (int i = 0; i < words->len; i++)
        if (!strcmp(words->at[i], word))
            return;
    vec_push(arena, words, word);
}

/* The public functions and constructors of the prelude, also those that have no text. */
static void add_builtins(Arena *arena, Words *words) {
    for (int i = 0; i < builtin_count; i++)
        if (builtins[i].name[0] != '_')
            add_word(arena, words, builtins[i].name);
    Sources sources = {.arena = arena, .next = 1};
    Diags diags = {.arena = arena, .sources = &sources};
    size_t len;
    const char *text = stdlib_text("prelude.gact", &len);
    Source *source = text ? source_add(&sources, "prelude.gact", text, len) : NULL;
    Module *m = source ? parse_source(arena, names_new(arena), &diags, source) : NULL;
    for (int i = 0; m && i < m->decls.len; i++) {
        const Decl *d = m->decls.at[i];
        if (d->kind == DECL_FN && d->name[0] != '_' && d->fn.op == OP_COUNT)
            add_word(arena, words, d->name);
    }
}

/* The words of a list, in order; empty if there is none. */
static Words find_list(Arena *arena, const char *name) {
    Words words = {0};
    for (int i = 0; i < ARRAY_LEN(keywords); i++)
        if (!strcmp(name, keywords[i].group) || !strcmp(name, "keywords"))
            add_word(arena, &words, keywords[i].text);
    for (int i = 0; i < ARRAY_LEN(types) && !strcmp(name, "types"); i++)
        add_word(arena, &words, types[i]);
    for (int i = 0; i < ARRAY_LEN(attributes) && !strcmp(name, "attributes"); i++)
        add_word(arena, &words, attributes[i]);
    if (!strcmp(name, "builtins"))
        add_builtins(arena, &words);
    if (words.len)
        qsort(words.at, (size_t)words.len, sizeof *words.at, by_text);
    return words;
}

/* ---- files ---- */

typedef struct {
    char list[32], separator[16], start[64], end[16];
} Mark;

/* Reads 'text' at *at; false if none stands there. */
static bool read_quoted(const char **at, char *out, size_t most) {
    const char *from = *at + strspn(*at, " abcdefghijklmnopqrstuvwxyz");
    const char *to = *from == '\'' ? strchr(from + 1, '\'') : NULL;
    if (!to || (size_t)(to - from) > most)
        return false;
    memcpy(out, from + 1, (size_t)(to - from) - 1);
    out[to - from - 1] = '\0';
    *at = to + 1;
    return true;
}

static bool read_mark(const char *line, size_t len, Mark *mark) {
    const char *at = memmem(line, len, "generated: ", 11);
    if (!at || sscanf(at + 11, "%31[a-z]", mark->list) != 1)
        return false;
    at += 11 + strlen(mark->list);
    return read_quoted(&at, mark->separator, sizeof mark->separator) &&
           read_quoted(&at, mark->start, sizeof mark->start) && read_quoted(&at, mark->end, sizeof mark->end);
}

/* Appends a line with the words in their place; false if the line has no place for them. */
static bool put_words(Buf *out, const char *line, size_t len, const Mark *mark) {
    Words words = find_list(out->arena, mark->list);
    const char *start = memmem(line, len, mark->start, strlen(mark->start));
    if (!words.len || !start)
        return false;
    start += strlen(mark->start);
    size_t left = len - (size_t)(start - line);
    const char *end = *mark->end ? memmem(start, left, mark->end, strlen(mark->end)) : line + len;
    if (!end)
        return false;
    buf_add(out, line, (size_t)(start - line));
    for (int i = 0; i < words.len; i++)
        buf_printf(out, "%s%s", i ? mark->separator : "", words.at[i]);
    buf_add(out, end, (size_t)(line + len - end));
    return true;
}

/* The file with fresh lists; false after a message. */
static bool renew(Buf *out, const char *path, const char *text) {
    Mark mark;
    bool marked = false;
    int number = 0;
    while (*text) {
        size_t len = strcspn(text, "\n");
        number++;
        if (marked && !put_words(out, text, len, &mark)) {
            fprintf(stderr, "%s:%d: there is no place for the list %s\n", path, number, mark.list);
            return false;
        }
        if (!marked)
            buf_add(out, text, len);
        marked = !marked && read_mark(text, len, &mark);
        text += len;
        if (*text)
            buf_add(out, text++, 1);
    }
    return true;
}

static int renew_file(Arena *arena, const char *path, bool write) {
    Sources sources = {.arena = arena, .next = 1};
    Source *source = source_read(&sources, path);
    if (!source) {
        perror(path);
        return 2;
    }
    Buf out = {.arena = arena};
    if (!renew(&out, path, source->text))
        return 2;
    if (out.len == source->len && !memcmp(out.at, source->text, out.len))
        return 0;
    if (!write) {
        printf("%s is stale\n", path);
        return 1;
    }
    FILE *file = fopen(path, "w");
    if (!file || fwrite(out.at, 1, out.len, file) != out.len || fclose(file) != 0) {
        perror(path);
        return 2;
    }
    return 0;
}

int main(int argc, char **argv) {
    bool write = argc > 1 && !strcmp(argv[1], "write");
    if (argc < 3 || (!write && strcmp(argv[1], "check") != 0)) {
        fputs("usage: editors check|write FILE...\n", stderr);
        return 2;
    }
    Arena arena = {0};
    int worst = 0;
    for (int k = 2; k < argc; k++) {
        int status = renew_file(&arena, argv[k], write);
        worst = status > worst ? status : worst;
    }
    arena_free(&arena);
    return worst;
}
