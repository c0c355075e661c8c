/* The options parser and --help; options_docs.c prints the other forms of a table. */
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void options_start(OptionParser *p, const OptionTable *table, int argc, char **argv) {
    *p = (OptionParser){.table = table, .argv = argv, .argc = argc, .at = 1};
}

/* ---- arguments of options ---- */

static bool is_optional(const Option *o) {
    return o->argument[0] == '[';
}

/* The argument's text without the brackets of an optional one. */
static const char *argument_text(const Option *o, size_t *len) {
    const char *text = o->argument + is_optional(o);
    *len = strcspn(text, "]");
    return text;
}

int options_choice(const char *choices, const char *value) {
    size_t len = strlen(value);
    int k = 0;
    for (const char *at = choices;; k++) {
        size_t n = strcspn(at, "|]");
        if (n == len && memcmp(at, value, n) == 0)
            return k;
        if (at[n] != '|')
            return -1;
        at += n + 1;
    }
}

bool options_number(const char *text, long lo, long hi, long *number) {
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (end == text || *end || errno || n < lo || n > hi)
        return false;
    *number = n;
    return true;
}

/* Checks a value against the choices of its row. */
static int take(OptionParser *p, int row, const char *value) {
    const Option *o = &p->table->options[row];
    p->value = value;
    size_t len;
    const char *choices = argument_text(o, &len);
    if (!value || isupper((unsigned char)*choices) || options_choice(choices, value) >= 0)
        return row;
    snprintf(p->message, sizeof p->message, "--%s is one of %.*s, not `%s`", o->name, (int)len,
             choices, value);
    return OPTIONS_ERROR;
}

/* The value of an option that needs one and has none attached: the next argument. */
static int take_next(OptionParser *p, int row) {
    const Option *o = &p->table->options[row];
    if (p->at < p->argc)
        return take(p, row, p->argv[p->at++]);
    snprintf(p->message, sizeof p->message, "--%s needs a value: %s", o->name, o->argument);
    return OPTIONS_ERROR;
}

/* ---- names ---- */

static int smallest(int a, int b, int c) {
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* Levenshtein distance; names longer than the row buffer count as far. */
static int edit_distance(const char *a, size_t na, const char *b) {
    enum { LONGEST = 32 };
    size_t nb = strlen(b);
    int row[LONGEST + 1];
    if (nb > LONGEST || na > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= nb; j++)
        row[j] = (int)j;
    for (size_t i = 1; i <= na; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= nb; j++) {
            int above = row[j];
            row[j] = smallest(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

static int unknown_name(OptionParser *p, const char *name, size_t len) {
    const Option *best = NULL;
    int near = (int)len / 3 + 2;
    for (int k = 0; k < p->table->noptions; k++) {
        const Option *o = &p->table->options[k];
        int distance = edit_distance(name, len, o->name);
        if (distance < near) {
            near = distance;
            best = o;
        }
    }
    int n = snprintf(p->message, sizeof p->message, "unknown option --%.*s",
                     (int)(len < 80 ? len : 80), name);
    if (best)
        snprintf(p->message + n, sizeof p->message - (size_t)n, "; did you mean --%s?", best->name);
    return OPTIONS_ERROR;
}

static int find_name(const OptionTable *table, const char *name, size_t len) {
    for (int k = 0; k < table->noptions; k++) {
        const char *own = table->options[k].name;
        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return k;
    }
    return -1;
}

static int find_letter(const OptionTable *table, char letter) {
    for (int k = 0; k < table->noptions; k++)
        if (table->options[k].letter == letter)
            return k;
    return -1;
}

/* ---- the two forms ---- */

static int long_option(OptionParser *p, const char *text) {
    size_t len = strcspn(text, "=");
    int row = find_name(p->table, text, len);
    if (row < 0)
        return unknown_name(p, text, len);
    const Option *o = &p->table->options[row];
    const char *value = text[len] ? text + len + 1 : NULL;
    if (!*o->argument && value) {
        snprintf(p->message, sizeof p->message, "--%s takes no value", o->name);
        return OPTIONS_ERROR;
    }
    if (!*o->argument || value || is_optional(o))
        return take(p, row, value);
    return take_next(p, row);
}

/* One letter of -abc; p->letter is its place. */
static int short_option(OptionParser *p) {
    const char *text = p->argv[p->at];
    char letter = text[p->letter];
    int row = find_letter(p->table, letter);
    if (row < 0) {
        snprintf(p->message, sizeof p->message, "unknown option -%c in `%.80s`", letter, text);
        p->at++, p->letter = 0;
        return OPTIONS_ERROR;
    }
    const Option *o = &p->table->options[row];
    const char *rest = text + p->letter + 1;
    if (!*o->argument && *rest) {
        p->letter++;
        return take(p, row, NULL);
    }
    p->at++, p->letter = 0;
    if (!*o->argument || (is_optional(o) && !*rest))
        return take(p, row, NULL);
    return *rest ? take(p, row, rest) : take_next(p, row);
}

int options_next(OptionParser *p) {
    if (p->letter)
        return short_option(p);
    if (p->at >= p->argc)
        return OPTIONS_END;
    const char *text = p->argv[p->at];
    if (!p->only_files && strcmp(text, "--") == 0) {
        p->only_files = true;
        p->at++;
        return options_next(p);
    }
    if (p->only_files || text[0] != '-' || !text[1]) {
        p->value = text;
        p->at++;
        return OPTIONS_POSITIONAL;
    }
    if (text[1] == '-') {
        p->at++;
        return long_option(p, text + 2);
    }
    p->letter = 1;
    return short_option(p);
}

int options_command(const OptionTable *table, const char *name) {
    for (int k = 0; k < table->ncommands; k++)
        if (strcmp(table->commands[k].name, name) == 0)
            return k;
    return -1;
}

/* ---- --help ---- */

enum { HELP_COLUMN = 30, HELP_WIDTH = 90 };

/* Columns that a UTF-8 text takes: its bytes but for continuations. */
static int columns(const char *text) {
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

/* The text from column `at` on, broken at blanks and continued at HELP_COLUMN. */
static void print_wrapped(FILE *out, const char *text, int at) {
    if (at >= HELP_COLUMN) {
        fputc('\n', out);
        at = 0;
    }
    fprintf(out, "%*s", HELP_COLUMN - at, "");
    int column = HELP_COLUMN;
    for (const char *word = text; *word;) {
        int len = (int)strcspn(word, " ");
        if (column > HELP_COLUMN && column + 1 + len > HELP_WIDTH) {
            fprintf(out, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", len, word);
        column += len;
        word += len;
        word += strspn(word, " ");
    }
    fputc('\n', out);
}

static void help_option(const Option *o, FILE *out) {
    char left[160], form[8] = "    ";
    if (o->letter)
        snprintf(form, sizeof form, "-%c, ", o->letter);
    size_t len;
    const char *argument = argument_text(o, &len);
    const char *before = !len ? "" : is_optional(o) ? "[=" : "=";
    int n = snprintf(left, sizeof left, "  %s--%s%s%.*s%s", form, o->name, before, (int)len,
                     argument, is_optional(o) ? "]" : "");
    fputs(left, out);
    print_wrapped(out, o->help, n);
}

void options_help(const OptionTable *t, FILE *out) {
    fprintf(out, "%s: %s\n\nUsage:\n", t->program, t->summary);
    for (const char *line = t->usage; *line;) {
        int len = (int)strcspn(line, "\n");
        fprintf(out, "  %s %.*s\n", t->program, len, line);
        line += len + (line[len] == '\n');
    }
    if (t->ncommands)
        fputs("\nCommands:\n", out);
    for (int k = 0; k < t->ncommands; k++) {
        const Command *c = &t->commands[k];
        fprintf(out, "  %s %s", c->name, c->arguments);
        print_wrapped(out, c->help, columns(c->name) + columns(c->arguments) + 3);
    }
    fputs("\nOptions:\n", out);
    for (int k = 0; k < t->noptions; k++)
        help_option(&t->options[k], out);
    for (int k = 0; k < t->nsections; k++)
        fprintf(out, "\n%s:\n%s\n", t->sections[k].title, t->sections[k].text);
}
