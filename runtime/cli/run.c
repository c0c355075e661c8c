/* Running main and a dag once, and --list. */
#include "cli.h"

#include <string.h>
#include <time.h>

double seconds_now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

/* Runs a call once, or, after a run that does not count, as often as --profile=N asks for; stops
   where it does not succeed. The time is that of one run, on average. */
static GactStatus run_call(GactCall *call, const Settings *s, Times *times, GactError *error) {
    GactStatus status = GACT_OK;
    int32_t runs = s->rounds ? 1 + s->rounds : 1;
    for (int32_t k = 0; k < runs && !status; k++) {
        if (k == 1)
            profile_restart();
        int64_t begin = clock_ns();
        status = gact_call_run(call, error);
        profile_round(clock_ns() - begin);
    }
    times->run = profile_rounds()->mean / 1e9;
    return status;
}

/* ---- main ---- */

GactStatus run_main(GactProgram *program, const GactEntry *entry, const Settings *s,
                    int *exit_status, Times *times, GactError *error) {
    GactCall *call;
    GactStatus status = gact_call_open(program, entry, &call, error);
    if (status)
        return status;
    if (entry->takes_args)
        status = gact_call_set_args(call, s->nargs, s->args, error);
    if (!status)
        status = run_call(call, s, times, error);
    fflush(stdout);
    int32_t asked = 0;
    if (gact_call_exited(call, &asked))
        *exit_status = asked;
    if (status == GACT_FAULTED)
        gact_call_print_faults(call, stderr, gact_fault_format_for(stderr));
    gact_call_close(call);
    return status;
}

/* ---- a dag ---- */

/* Prints what was computed; tells of every output that was not. */
static void print_outputs(Region *region, const GactCall *call, const GactEntry *entry) {
    Text text = {.region = region, .file = stdout};
    for (int k = 0; k < entry->noutputs; k++) {
        const GactSlot *slots = gact_call_output(call, k);
        if (!slots)
            continue;
        text_printf(&text, "%s = ", entry->outputs[k].name);
        value_print_short(&text, entry->outputs[k].type, slots);
        text_char(&text, '\n');
    }
    text_flush(&text);
}

static void report_missing(const GactCall *call, const GactEntry *entry) {
    for (int k = 0; k < entry->noutputs; k++)
        if (!gact_call_output(call, k))
            fprintf(stderr, "output %s was not computed: it depends on a fault\n",
                    entry->outputs[k].name);
}

static GactStatus store_outputs(Region *region, const GactCall *call, const GactEntry *entry,
                                const Settings *s, GactError *error) {
    Outputs outputs = {.region = region};
    GactStatus status = GACT_OK;
    for (int k = 0; k < s->out.count && !status; k++) {
        int port = port_named(entry->outputs, entry->noutputs, s->out.at[k].name);
        const GactSlot *slots = gact_call_output(call, port);
        if (slots)
            status = outputs_add(&outputs, s->out.at[k].spec, s->out.at[k].name,
                                 entry->outputs[port].type, slots, error);
    }
    return status ? status : outputs_write(&outputs, error);
}

static GactStatus run_and_store(Region *region, GactCall *call, const Inputs *inputs,
                                const Settings *s, Times *times, GactError *error) {
    const GactEntry *entry = inputs->entry;
    GactStatus status = GACT_OK;
    for (int k = 0; k < entry->ninputs && !status; k++)
        if (inputs->slots[k])
            status = gact_call_set(call, k, inputs->slots[k], error);
    if (status)
        return status;
    progress_start(entry->name, NULL, 0);
    GactStatus ran = run_call(call, s, times, error);
    progress_stop();
    if (ran == GACT_FAULTED) {
        gact_call_print_faults(call, stderr, gact_fault_format_for(stderr));
        report_missing(call, entry);
    } else if (ran) {
        return ran;
    }
    double start = seconds_now();
    if (s->out.count)
        status = store_outputs(region, call, entry, s, error);
    else
        print_outputs(region, call, entry);
    times->store = seconds_now() - start;
    return status ? status : ran;
}

GactStatus run_dag(Region *region, GactProgram *program, const GactEntry *entry, const Settings *s,
                   Times *times, GactError *error) {
    Inputs inputs;
    GactCall *call;
    double start = seconds_now();
    GactStatus status = outputs_check(region, entry, &s->out, error);
    if (!status)
        status = inputs_read(region, entry, &s->in, &s->each, &inputs, error);
    if (!status)
        status = inputs_check(region, &inputs, error);
    times->load += seconds_now() - start;
    if (!status)
        status = gact_call_open(program, entry, &call, error);
    if (status)
        return status;
    status = run_and_store(region, call, &inputs, s, times, error);
    gact_call_close(call);
    return status;
}

/* ---- --list ---- */

static void list_ports(const GactPort *ports, int count, FILE *out) {
    for (int k = 0; k < count; k++)
        fprintf(out, "%s%s: %s%s", k ? ", " : "", ports[k].name, ports[k].text,
                ports[k].has_default ? " = …" : "");
}

/* A doc comment, indented. */
static void list_doc(const char *doc, FILE *out) {
    while (doc && *doc) {
        doc += strspn(doc, " ");
        size_t len = strcspn(doc, "\n");
        fprintf(out, "    %.*s\n", (int)len, doc);
        doc += len + (doc[len] == '\n');
    }
}

void list_entries(const GactImage *image, FILE *out) {
    for (int k = 0; k < image->nentries; k++) {
        const GactEntry *e = &image->entries[k];
        if (e->kind == GACT_ENTRY_TEST)
            fprintf(out, "test \"%s\"\n", e->name);
        if (e->kind == GACT_ENTRY_MAIN)
            fprintf(out, "main%s\n", e->takes_args ? "(args: []string)" : "");
        if (e->kind == GACT_ENTRY_DAG) {
            fprintf(out, "dag %s(", e->name);
            list_ports(e->inputs, e->ninputs, out);
            fputs(") -> (", out);
            list_ports(e->outputs, e->noutputs, out);
            fputs(")\n", out);
        }
        list_doc(e->doc, out);
    }
}
