/* Makes the rows of OPTIONS_FILE into `option_table`, an OptionTable, and enums of their numbers:
   OPT_<id> and CMD_<id>. Rows:
     PROGRAM(name, summary, usage)
     OPTION(id, letter, name, argument, help)
     COMMAND(id, name, arguments, help)
     SECTION(title, text)
   The file ends with an #undef of all four. Included once, by who parses the command line. */
#ifndef GACT_OPTIONS_ROWS_H
#define GACT_OPTIONS_ROWS_H

#include "options.h"

#define PROGRAM(name, summary, usage)
#define SECTION(title, text)
#define COMMAND(id, name, arguments, help)
#define OPTION(id, letter, name, argument, help) OPT_##id,
enum {
#include OPTIONS_FILE
    OPT_COUNT
};

#define PROGRAM(name, summary, usage)
#define SECTION(title, text)
#define COMMAND(id, name, arguments, help) CMD_##id,
#define OPTION(id, letter, name, argument, help)
enum {
#include OPTIONS_FILE
    CMD_COUNT
};

/* One row too many in each, so that no table is empty. */
#define PROGRAM(name, summary, usage)
#define SECTION(title, text)
#define COMMAND(id, name, arguments, help)
#define OPTION(id, letter, name, argument, help) [OPT_##id] = {letter, name, argument, help},
static const Option option_rows[OPT_COUNT + 1] = {
#include OPTIONS_FILE
};

#define PROGRAM(name, summary, usage)
#define SECTION(title, text)
#define COMMAND(id, name, arguments, help) [CMD_##id] = {name, arguments, help},
#define OPTION(id, letter, name, argument, help)
static const Command command_rows[CMD_COUNT + 1] = {
#include OPTIONS_FILE
};

#define PROGRAM(name, summary, usage)
#define SECTION(title, text) {title, text},
#define COMMAND(id, name, arguments, help)
#define OPTION(id, letter, name, argument, help)
static const OptionSection section_rows[] = {
#include OPTIONS_FILE
    {NULL, NULL},
};

#define PROGRAM(name, summary, usage) name, summary, usage,
#define SECTION(title, text)
#define COMMAND(id, name, arguments, help)
#define OPTION(id, letter, name, argument, help)
static const OptionTable option_table = {
#include OPTIONS_FILE
    option_rows, command_rows, section_rows,
    OPT_COUNT,   CMD_COUNT,    (int)(sizeof section_rows / sizeof *section_rows) - 1,
};

#endif
