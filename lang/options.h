/* Command lines. A program's options are rows of an options.def; the rows feed the parser, --help,
   the man page and the shells' completions. lang/options_rows.h makes an OptionTable of the rows.

   Accepted: `--name`, `--name=value`, `--name value`, `-o value`, `-ovalue`, joined letters without
   values. `--` ends the options; `-` alone is positional. An option may be
   given more than once; each is handed out, in order. */
#ifndef GACT_OPTIONS_H
#define GACT_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

/* argument: "" for none; "FILE", "N" … in upper case: a value, what it is called; "a|b|c": one of
   these; in brackets: may be left out, otherwise it is attached ("-Werror", "--warn=error"). */
typedef struct {
    char letter; /* 0 without a short form */
    const char *name, *argument, *help;
} Option;

/* A subcommand: the first positional argument may be its name. */
typedef struct {
    const char *name, *arguments, *help;
} Command;

/* Further text of --help and of the man page: "Exit status", "Examples" … */
typedef struct {
    const char *title, *text;
} OptionSection;

typedef struct {
    const char *program, *summary, *usage; /* usage: lines of arguments, "FILE -o OUT\n…" */
    const Option *options;
    const Command *commands;
    const OptionSection *sections;
    int noptions, ncommands, nsections;
} OptionTable;

/* What options_next returns besides an option's row number. */
enum { OPTIONS_END = -1, OPTIONS_POSITIONAL = -2, OPTIONS_ERROR = -3 };

typedef struct {
    const OptionTable *table;
    char **argv;
    int argc;
    int at;            /* the next argument to look at; 1 at the start */
    int letter;        /* where in a group of joined letters, 0 outside */
    bool only_files;   /* after -- */
    const char *value; /* of the option, or the positional argument; NULL if left out */
    char message[256]; /* after OPTIONS_ERROR */
} OptionParser;

void options_start(OptionParser *p, const OptionTable *table, int argc, char **argv);
/* The next option's row, or one of the values above. */
int options_next(OptionParser *p);
/* The row of a subcommand's name, or -1. */
int options_command(const OptionTable *table, const char *name);
/* The position of value among "a|b|c", or -1. */
int options_choice(const char *choices, const char *value);
/* A whole number from lo to hi; false if the text is anything else. */
bool options_number(const char *text, long lo, long hi, long *number);

/* Prints the text of --help. */
void options_help(const OptionTable *table, FILE *out);
/* Prints the man page (section 1) and the completions of a shell. */
void options_man(const OptionTable *table, const char *version, FILE *out);
void options_bash(const OptionTable *table, FILE *out);
void options_zsh(const OptionTable *table, FILE *out);
void options_fish(const OptionTable *table, FILE *out);

#endif
