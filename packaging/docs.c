/* Prints one form of a program's options table into a file: docs man|bash|zsh|fish FILE. */
#include "../lang/options_rows.h"

#include <string.h>

static int print_form(const char *form, FILE *out) {
    if (strcmp(form, "man") == 0)
        options_man(&option_table, GACT_VERSION, out);
    else if (strcmp(form, "bash") == 0)
        options_bash(&option_table, out);
    else if (strcmp(form, "zsh") == 0)
        options_zsh(&option_table, out);
    else if (strcmp(form, "fish") == 0)
        options_fish(&option_table, out);
    else
        return 2;
    return 0;
}

int main(int argc, char **argv) {
    FILE *out = argc == 3 ? fopen(argv[2], "w") : NULL;
    if (!out) {
        fputs("usage: docs man|bash|zsh|fish FILE\n", stderr);
        return 2;
    }
    int status = print_form(argv[1], out);
    return fclose(out) == 0 ? status : 1;
}
