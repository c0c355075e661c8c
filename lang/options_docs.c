/* The long forms of an options table: man page (troff), completions of bash, zsh and fish. */
#include "options.h"

#include <ctype.h>
#include <string.h>

/* The upper-case name of an option's value, or its choices; without brackets. */
static const char *argument_text(const Option *o, int *len) {
    const char *text = o->argument + (o->argument[0] == '[');
    *len = (int)strcspn(text, "]");
    return text;
}

static bool has_choices(const Option *o) {
    int len;
    const char *text = argument_text(o, &len);
    return len && !isupper((unsigned char)*text);
}

/* Shells complete names of files where the value is one, or ends in one. */
static bool takes_file(const Option *o) {
    return strstr(o->argument, "FILE") || strstr(o->argument, "DIR") || strstr(o->argument, "SPEC");
}

/* The choices with blanks between them. */
static void put_choices(const Option *o, FILE *out) {
    int len;
    const char *text = argument_text(o, &len);
    for (int k = 0; k < len; k++)
        fputc(text[k] == '|' ? ' ' : text[k], out);
}

/* ---- man ---- */

/* Text in which troff sees no requests, escapes or hyphenation. */
static void put_troff(FILE *out, const char *text, int len) {
    bool at_start = true;
    for (int k = 0; k < len; k++) {
        char c = text[k];
        if (at_start && (c == '.' || c == '\''))
            fputs("\\&", out);
        if (c == '\\')
            fputs("\\e", out);
        else if (c == '-')
            fputs("\\-", out);
        else
            fputc(c, out);
        at_start = c == '\n';
    }
}

static void man_option(const Option *o, FILE *out) {
    int len;
    const char *argument = argument_text(o, &len);
    bool optional = o->argument[0] == '[';
    fputs(".TP\n", out);
    if (o->letter)
        fprintf(out, "\\fB\\-%c\\fR, ", o->letter);
    fputs("\\fB\\-\\-", out);
    put_troff(out, o->name, (int)strlen(o->name));
    fputs("\\fR", out);
    if (len)
        fprintf(out, "%s=\\fI%.*s\\fR%s", optional ? "[" : "", len, argument, optional ? "]" : "");
    fputc('\n', out);
    put_troff(out, o->help, (int)strlen(o->help));
    fputc('\n', out);
}

static void man_usage(const OptionTable *t, FILE *out) {
    fputs(".SH SYNOPSIS\n.nf\n", out);
    for (const char *line = t->usage; *line;) {
        int len = (int)strcspn(line, "\n");
        fprintf(out, "\\fB%s\\fR ", t->program);
        put_troff(out, line, len);
        fputc('\n', out);
        line += len + (line[len] == '\n');
    }
    fputs(".fi\n", out);
}

void options_man(const OptionTable *t, const char *version, FILE *out) {
    fprintf(out, ".TH %s 1 \"\" \"gact %s\" \"gact\"\n.SH NAME\n%s \\- %s\n", t->program, version,
            t->program, t->summary);
    man_usage(t, out);
    if (t->ncommands)
        fputs(".SH COMMANDS\n", out);
    for (int k = 0; k < t->ncommands; k++) {
        const Command *c = &t->commands[k];
        fprintf(out, ".TP\n\\fB%s\\fR %s\n", c->name, c->arguments);
        put_troff(out, c->help, (int)strlen(c->help));
        fputc('\n', out);
    }
    fputs(".SH OPTIONS\n", out);
    for (int k = 0; k < t->noptions; k++)
        man_option(&t->options[k], out);
    for (int k = 0; k < t->nsections; k++) {
        fputs(".SH ", out);
        for (const char *at = t->sections[k].title; *at; at++)
            fputc(toupper((unsigned char)*at), out);
        fputs("\n.nf\n", out);
        put_troff(out, t->sections[k].text, (int)strlen(t->sections[k].text));
        fputs("\n.fi\n", out);
    }
}

/* ---- bash ---- */

static void bash_values(const OptionTable *t, FILE *out) {
    fputs("    case $previous in\n", out);
    for (int k = 0; k < t->noptions; k++) {
        const Option *o = &t->options[k];
        if (!*o->argument || o->argument[0] == '[')
            continue;
        fprintf(out, "    --%s", o->name);
        if (o->letter)
            fprintf(out, "|-%c", o->letter);
        fputs(") ", out);
        if (has_choices(o)) {
            fputs("COMPREPLY=($(compgen -W '", out);
            put_choices(o, out);
            fputs("' -- \"$word\")); return ;;\n", out);
        } else if (takes_file(o)) {
            fputs("COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", out);
        } else {
            fputs("return ;;\n", out);
        }
    }
    fputs("    esac\n", out);
}

void options_bash(const OptionTable *t, FILE *out) {
    fprintf(out,
            "# bash completion of %s\n_%s() {\n"
            "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
            "    if [[ $word == = ]]; then word=; fi\n"
            "    if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi\n",
            t->program, t->program);
    bash_values(t, out);
    fputs("    if [[ $word == -* ]]; then\n        COMPREPLY=($(compgen -W '", out);
    for (int k = 0; k < t->noptions; k++)
        fprintf(out, "--%s ", t->options[k].name);
    fputs("' -- \"$word\"))\n        return\n    fi\n    local words=\n", out);
    if (t->ncommands) {
        fputs("    if ((COMP_CWORD == 1)); then words='", out);
        for (int k = 0; k < t->ncommands; k++)
            fprintf(out, "%s ", t->commands[k].name);
        fputs("'; fi\n", out);
    }
    fprintf(out,
            "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\") $(compgen -f -- \"$word\"))\n}\n"
            "complete -o filenames -F _%s %s\n",
            t->program, t->program);
}

/* ---- zsh ---- */

/* Text inside single quotes and zsh's brackets. */
static void put_zsh(FILE *out, const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr("[]:\\", *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void zsh_option(const Option *o, const char *dashes, char letter, FILE *out) {
    int len;
    argument_text(o, &len);
    fprintf(out, "    '*%s", dashes);
    if (letter)
        fputc(letter, out);
    else
        fputs(o->name, out);
    if (len)
        fputs(letter ? "+" : "=", out);
    fputc('[', out);
    put_zsh(out, o->help);
    fputc(']', out);
    if (len) {
        fputs(o->argument[0] == '[' ? "::" : ":", out);
        fputs("value:", out);
        if (has_choices(o)) {
            fputc('(', out);
            put_choices(o, out);
            fputc(')', out);
        } else if (takes_file(o)) {
            fputs("_files", out);
        } else {
            fputs("( )", out);
        }
    }
    fputs("' \\\n", out);
}

void options_zsh(const OptionTable *t, FILE *out) {
    fprintf(out, "#compdef %s\n_arguments \\\n", t->program);
    for (int k = 0; k < t->noptions; k++) {
        const Option *o = &t->options[k];
        zsh_option(o, "--", 0, out);
        if (o->letter)
            zsh_option(o, "-", o->letter, out);
    }
    if (t->ncommands) {
        fputs("    '1: :{_alternative \"commands:command:((", out);
        for (int k = 0; k < t->ncommands; k++)
            fprintf(out, "%s%s", k ? " " : "", t->commands[k].name);
        fputs("))\" \"files:file:_files\"}' \\\n", out);
    }
    fputs("    '*:file:_files'\n", out);
}

/* ---- fish ---- */

static void put_quoted(FILE *out, const char *text) {
    fputc('\'', out);
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputc('\'', out);
}

void options_fish(const OptionTable *t, FILE *out) {
    fprintf(out, "# fish completion of %s\n", t->program);
    for (int k = 0; k < t->noptions; k++) {
        const Option *o = &t->options[k];
        fprintf(out, "complete -c %s -l %s", t->program, o->name);
        if (o->letter)
            fprintf(out, " -s %c", o->letter);
        if (*o->argument && o->argument[0] != '[')
            fputs(takes_file(o) ? " -r -F" : " -x", out);
        if (has_choices(o)) {
            fputs(" -a '", out);
            put_choices(o, out);
            fputc('\'', out);
        }
        fputs(" -d ", out);
        put_quoted(out, o->help);
        fputc('\n', out);
    }
    for (int k = 0; k < t->ncommands; k++) {
        const Command *c = &t->commands[k];
        fprintf(out, "complete -c %s -n __fish_use_subcommand -a %s -d ", t->program, c->name);
        put_quoted(out, c->help);
        fputc('\n', out);
    }
}
