/* gactrun: runs main, a dag or the tests of a program image, or of a .gact file that it has
   compiled first. Exit status: 0 done, 1 fault, 2 usage or input, 3 internal error. */
#include "cli/cli.h"
#include "device/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPTIONS_FILE "../runtime/options.def"
#include "../lang/options_rows.h"

/* ---- the command line ---- */

static GactStatus add_assignment(Region *region, Assignments *list, const char *option,
                                 const char *text, GactError *error) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return error_set(error, GACT_BAD_INPUT, "--%s wants NAME=VALUE, not `%s`", option, text);
    Assignment *more = region_zero(region, (size_t)list->count + 1, sizeof *more);
    if (list->count)
        memcpy(more, list->at, sizeof *more * (size_t)list->count);
    more[list->count++] =
        (Assignment){region_copy(region, text, (size_t)(equals - text)), equals + 1};
    list->at = more;
    return GACT_OK;
}

static GactStatus set_number(const char *option, const char *text, long hi, long *out,
                             GactError *error) {
    if (options_number(text, 0, hi, out))
        return GACT_OK;
    return error_set(error, GACT_BAD_INPUT, "--%s wants a number from 0 to %ld, not `%s`", option,
                     hi, text);
}

static GactStatus set_option(Region *region, Settings *s, int option, const char *value,
                             GactError *error) {
    const char *name = option_table.options[option].name;
    GactStatus status = GACT_OK;
    long number = 0;
    switch (option) {
    case OPT_IN: return add_assignment(region, &s->in, name, value, error);
    case OPT_OUT: return add_assignment(region, &s->out, name, value, error);
    case OPT_EACH: return add_assignment(region, &s->each, name, value, error);
    case OPT_LIST: s->list = true; break;
    case OPT_TESTS: s->tests = true; break;
    case OPT_PROFILE:
        s->profile = true;
        if (value)
            status = set_number(name, value, 1L << 30, &number, error);
        s->rounds = (int32_t)number;
        break;
    case OPT_PROFILE_JSON: s->profile_json = value; break;
    case OPT_METRICS: s->metrics = value; break;
    case OPT_TRACE: s->trace = value; break;
    case OPT_TIMES: s->times = value; break;
    case OPT_DEVICE: s->device = value; break;
    case OPT_DOCTOR: s->doctor = true; break;
    case OPT_FILTER: s->filter = value; break;
    case OPT_THREADS:
        status = set_number(name, value, 4096, &number, error);
        s->threads = (int32_t)number;
        break;
    case OPT_MEMORY:
        status = set_number(name, value, 1L << 30, &number, error);
        s->memory_mib = number;
        break;
    case OPT_DEVICE_MEMORY:
        status = set_number(name, value, 1L << 30, &number, error);
        s->device_mib = number;
        break;
    }
    return status;
}

/* Everything after the program that is no option of gactrun belongs to the program. */
static GactStatus parse_options(Region *region, int argc, char **argv, Settings *s, bool *done,
                                GactError *error) {
    OptionParser p;
    s->args = region_zero(region, (size_t)argc, sizeof *s->args);
    options_start(&p, &option_table, argc, argv);
    for (int option; (option = options_next(&p)) != OPTIONS_END;) {
        GactStatus status = GACT_OK;
        if (option == OPTIONS_ERROR)
            return error_set(error, GACT_BAD_INPUT, "%s", p.message);
        if (option == OPT_HELP || option == OPT_VERSION) {
            *done = true;
            if (option == OPT_HELP)
                options_help(&option_table, stdout);
            else
                printf("gactrun %s\n", GACT_VERSION);
            return GACT_OK;
        }
        if (option != OPTIONS_POSITIONAL)
            status = set_option(region, s, option, p.value, error);
        else if (!s->program)
            s->program = p.value;
        else
            s->args[s->nargs++] = (char *)(uintptr_t)p.value;
        if (status)
            return status;
    }
    if (!s->program && !s->doctor)
        return error_set(error, GACT_BAD_INPUT, "say which program to run; --help tells more");
    return GACT_OK;
}

/* ---- which entry ---- */

static GactStatus no_entry(Region *region, const GactProgram *program, const Settings *s,
                           GactError *error) {
    const GactImage *image = gact_image_tables(program);
    const char **names = region_zero(region, (size_t)image->nentries, sizeof *names);
    bool has_main = gact_image_find(program, GACT_ENTRY_MAIN, NULL) != NULL;
    int count = 0;
    for (int k = 0; k < image->nentries; k++)
        if (image->entries[k].kind == GACT_ENTRY_DAG)
            names[count++] = image->entries[k].name;
    if (!count && !has_main)
        return error_set(error, GACT_BAD_INPUT, "%s has nothing to run: no main and no dag",
                         s->program);
    if (!count)
        return error_set(error, GACT_BAD_INPUT, "%s has no dag, and its main takes no arguments",
                         s->program);
    if (s->nargs)
        return error_set(error, GACT_BAD_INPUT, "%s has no dag %s%s", s->program, s->args[0],
                         suggest(region, s->args[0], names, count));
    Text text = {.region = region};
    for (int k = 0; k < count; k++)
        text_printf(&text, "%s%s", k ? ", " : "", names[k]);
    return error_set(error, GACT_BAD_INPUT, "%s%s; say which dag to run: %s", s->program,
                     has_main ? ": main has no inputs and outputs" : " has no main",
                     text_string(&text));
}

/* The dag that the first argument names; else main; else the only dag. */
static GactStatus choose_entry(Region *region, const GactProgram *program, Settings *s,
                               const GactEntry **out, GactError *error) {
    const GactImage *image = gact_image_tables(program);
    const GactEntry *main_entry = gact_image_find(program, GACT_ENTRY_MAIN, NULL);
    const GactEntry *dag = NULL;
    bool wants_dag = s->in.count || s->out.count || s->each.count;
    bool main_fits = main_entry && !wants_dag && (main_entry->takes_args || !s->nargs);
    int dags = 0;
    for (int k = 0; k < image->nentries; k++)
        dags += image->entries[k].kind == GACT_ENTRY_DAG;
    if (s->nargs)
        dag = gact_image_find(program, GACT_ENTRY_DAG, s->args[0]);
    if (dag && s->nargs > 1 && !main_fits)
        return error_set(error, GACT_BAD_INPUT,
                         "%s takes no argument %s: inputs are given with --in NAME=VALUE",
                         dag->name, s->args[1]);
    if (dag && s->nargs == 1)
        *out = dag;
    else if (main_fits)
        *out = main_entry;
    else if (!s->nargs && dags == 1)
        *out = gact_image_find(program, GACT_ENTRY_DAG, NULL);
    else
        return no_entry(region, program, s, error);
    return GACT_OK;
}

/* ---- running ---- */

static GactStatus write_times(const Settings *s, const Times *t, GactError *error) {
    FILE *file = fopen(s->times, "w");
    if (!file)
        return error_set(error, GACT_BAD_INPUT, "cannot write %s", s->times);
    fprintf(file, "{\"load\": %.9f, \"run\": %.9f, \"store\": %.9f, \"device\": \"%s\"", t->load, t->run,
            t->store, t->device);
    static const struct {
        const char *name;
        Metric metric;
    } counts[] = {{"launches", METRIC_LAUNCHES}, {"waits", METRIC_WAITS}, {"pieces", METRIC_PIECES},           {"graphs", METRIC_GRAPHS},
                  {"graph_runs", METRIC_GRAPH_RUNS}, {"graph_steps", METRIC_GRAPH_STEPS}};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++)
        fprintf(file, ", \"%s\": %lld", counts[k].name, (long long)metric_counters[counts[k].metric]);
    fputs("}\n", file);
    fclose(file);
    return GACT_OK;
}

/* A file (NULL: none) with what `print` prints. */
static GactStatus write_report(const char *path, void (*print)(FILE *out), GactError *error) {
    if (!path)
        return GACT_OK;
    FILE *file = fopen(path, "w");
    if (file)
        print(file);
    if (!file || ferror(file) | fclose(file))
        return error_set(error, GACT_BAD_INPUT, "cannot write %s", path);
    return GACT_OK;
}

/* What was measured; to be called before the runtime stops. The counters come first, as the others
   measure the machine, which takes memory. */
static GactStatus report(const Settings *s, GactError *error) {
    GactStatus wrote = write_report(s->metrics, gact_metrics_print, error);
    GactStatus status = write_report(s->profile_json, profile_print_json, wrote ? NULL : error);
    if (s->profile)
        gact_profile_print(stderr);
    return wrote ? wrote : status;
}

static GactStatus run_program(Region *region, GactProgram *program, Settings *s, Times *times,
                              int *exit_status, GactError *error) {
    const GactEntry *entry = NULL;
    if (s->list) {
        list_entries(gact_image_tables(program), stdout);
        return GACT_OK;
    }
    if (s->rounds && (s->tests || s->each.count))
        return error_set(error, GACT_BAD_INPUT, "--profile=%d runs one entry, not --%s", s->rounds,
                         s->tests ? "tests" : "each");
    if (s->tests)
        return run_tests(program, s, error);
    GactStatus status = choose_entry(region, program, s, &entry, error);
    if (status)
        return status;
    if (entry->kind == GACT_ENTRY_MAIN)
        return run_main(program, entry, s, exit_status, times, error);
    return s->each.count ? run_each(region, program, entry, s, times, error)
                         : run_dag(region, program, entry, s, times, error);
}

static bool is_source(const char *path) {
    size_t len = strlen(path);
    return len > 5 && !strcmp(path + len - 5, ".gact");
}

/* What of a source is needed: what nobody can ask for by these arguments is not compiled. */
static KeptPart needed_part(const Settings *s) {
    bool names_none = !s->nargs && !s->in.count && !s->out.count && !s->each.count;
    return s->tests ? KEPT_TESTS : names_none && !s->list ? KEPT_MAIN : KEPT_ALL;
}

/* What gactc's --each is to say: a batch on a device wants the dag's form for many instances. */
static const char *needed_each(Region *region, const Settings *s) {
    const char *device = s->device ? s->device : getenv("GACT_DEVICE");
    Text text = {.region = region};
    if (!s->each.count || !device || !*device || !strcmp(device, "host"))
        return NULL;
    text_printf(&text, "%s", s->nargs ? s->args[0] : "");
    for (int k = 0; k < s->each.count; k++)
        text_printf(&text, "%c%s", k ? ',' : ':', s->each.at[k].name);
    return text_string(&text);
}

/* Opens the image, compiled first where a source is given. */
static GactStatus open_program(Region *region, const Settings *s, GactProgram **program,
                               GactError *error) {
    const char *image = s->program;
    bool temporary = false;
    GactStatus status = GACT_OK;
    if (is_source(s->program))
        status = cache_image(region, s->program, needed_part(s), needed_each(region, s), &image,
                             &temporary, error);
    if (!status)
        status = gact_image_open(image, program, error);
    if (temporary)
        unlink(image);
    return status;
}

static GactStatus run_settings(Region *region, Settings *s, int *exit_status, GactError *error) {
    GactProgram *program = NULL;
    Times times = {0};
    double start = seconds_now();
    GactOptions configuration = {.threads = s->threads,
                                 .memory_limit = s->memory_mib << 20,
                                 .profile = s->profile || s->profile_json || s->metrics,
                                 .trace_path = s->trace,
                                 .device = s->device,
                                 .device_memory = s->device_mib << 20};
    GactStatus status = open_program(region, s, &program, error);
    if (!status)
        status = gact_configure(&configuration, error);
    times.device = runtime_device() ? runtime_device()->table->name : "host";
    times.load = seconds_now() - start;
    if (!status)
        status = run_program(region, program, s, &times, exit_status, error);
    GactStatus reported = report(s, status ? NULL : error);
    status = status ? status : reported;
    GactStatus stopped = gact_shutdown(status ? NULL : error);
    gact_image_close(program);
    status = status ? status : stopped;
    if (s->times && (status == GACT_OK || status == GACT_FAULTED)) {
        GactStatus wrote = write_times(s, &times, error);
        status = wrote ? wrote : status;
    }
    return status;
}

static void out_of_memory(void *arg, size_t bytes) {
    (void)arg;
    fprintf(stderr, "gactrun: out of memory: %zu more bytes were wanted\n", bytes);
    exit(GACT_INTERNAL);
}

int main(int argc, char **argv) {
    Region region = {.exhausted = out_of_memory};
    Settings settings = {0};
    GactError error = {0};
    bool done = false;
    int exit_status = 0;
    GactStatus status = parse_options(&region, argc, argv, &settings, &done, &error);
    if (!status && !done && settings.doctor)
        doctor_print(&region, stdout);
    else if (!status && !done)
        status = run_settings(&region, &settings, &exit_status, &error);
    if (status == GACT_BAD_INPUT || status == GACT_INTERNAL)
        fprintf(stderr, "gactrun: %s\n", error.text);
    region_free(&region);
    if ((fflush(stdout) || ferror(stdout)) && !status) {
        fputs("gactrun: the output cannot be written\n", stderr);
        status = GACT_BAD_INPUT;
    }
    return status ? (int)status : exit_status;
}
