/* The command-line parser: every form an option may have, and what is refused. */
#include "lang/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OUTPUT, CHECK, WARN, MODE, LIMIT };
static const Option rows[] = {
    [OUTPUT] = {'o', "output", "FILE", "Write to FILE."},
    [CHECK] = {'c', "check", "", "Only check."},
    [WARN] = {'W', "warn", "[all|error]", "Warnings."},
    [MODE] = {0, "mode", "fast|slow", "How."},
    [LIMIT] = {0, "error-limit", "N", "How many."},
};
static const Command commands[] = {{"test", "FILE…", "Run tests."}};
static const OptionTable table = {
    .program = "prog",
    .summary = "does things",
    .usage = "FILE",
    .options = rows,
    .commands = commands,
    .noptions = 5,
    .ncommands = 1,
};

/* Parses one line of words; prints "row=value" for each result into a static text. */
static const char *parse(const char *line) {
    static char out[1024], words[1024];
    char *argv[32] = {"prog"};
    int argc = 1;
    snprintf(words, sizeof words, "%s", line);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    OptionParser p;
    options_start(&p, &table, argc, argv);
    out[0] = '\0';
    for (int row; (row = options_next(&p)) != OPTIONS_END;) {
        size_t n = strlen(out);
        const char *name = row >= 0 ? rows[row].name : row == OPTIONS_POSITIONAL ? "file" : "error";
        const char *value = row == OPTIONS_ERROR ? p.message : p.value ? p.value : "";
        snprintf(out + n, sizeof out - n, "%s%s=%s", n ? " " : "", name, value);
    }
    return out;
}

static void accepts_every_form(void **state) {
    (void)state;
    assert_string_equal(parse("--output=a --output b -o c -od"),
                        "output=a output=b output=c output=d");
    assert_string_equal(parse("-cW -cWerror -co x"),
                        "check= warn= check= warn=error check= output=x");
    assert_string_equal(parse("--warn --warn=error a"), "warn= warn=error file=a");
    assert_string_equal(parse("a - -- -c --check"), "file=a file=- file=-c file=--check");
    assert_string_equal(parse("--output= --mode=fast"), "output= mode=fast");
}

static void refuses_with_a_reason(void **state) {
    (void)state;
    assert_string_equal(parse("--outptu x"),
                        "error=unknown option --outptu; did you mean --output? file=x");
    assert_string_equal(parse("--zzzzzzzzzz"), "error=unknown option --zzzzzzzzzz");
    assert_string_equal(parse("-cx -c"), "check= error=unknown option -x in `-cx` check=");
    assert_string_equal(parse("--check=1"), "error=--check takes no value");
    assert_string_equal(parse("--output"), "error=--output needs a value: FILE");
    assert_string_equal(parse("--mode=quick"), "error=--mode is one of fast|slow, not `quick`");
    assert_string_equal(parse("-Wx"), "error=--warn is one of all|error, not `x`");
}

static void reads_values(void **state) {
    (void)state;
    long n = 0;
    assert_true(options_number("20", 0, 100, &n) && n == 20);
    assert_false(options_number("101", 0, 100, &n));
    assert_false(options_number("2x", 0, 100, &n));
    assert_false(options_number("", 0, 100, &n));
    assert_int_equal(options_choice("fast|slow", "slow"), 1);
    assert_int_equal(options_choice("[all|error]", "error]"), -1);
    assert_int_equal(options_choice("fast|slow", "fas"), -1);
    assert_int_equal(options_command(&table, "test"), 0);
    assert_int_equal(options_command(&table, "tes"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_form),
        cmocka_unit_test(refuses_with_a_reason),
        cmocka_unit_test(reads_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
