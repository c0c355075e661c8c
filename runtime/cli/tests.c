/* --tests: runs the test blocks of an image, one after the other. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* Is a fault with this text among those of the call? */
static bool faulted_with(const GactCall *call, const char *wanted) {
    for (int32_t k = 0; k < gact_call_fault_count(call); k++) {
        char *text = gact_call_fault_text(call, k, GACT_FAULT_MESSAGE);
        bool found = text && strstr(text, wanted);
        free(text);
        if (found)
            return true;
    }
    return false;
}

/* Why a test that ran has failed; NULL when it passed. Faults are told apart. */
static const char *verdict(Region *region, const GactCall *call, const GactEntry *entry,
                           GactStatus status, const GactError *error) {
    int32_t exit_status = 0;
    if (status != GACT_OK && status != GACT_FAULTED)
        return error->text;
    if (entry->faults && !faulted_with(call, entry->faults))
        return region_printf(region, "a fault with \"%s\" was expected%s", entry->faults,
                             status ? "" : ", and there was none");
    if (entry->faults)
        return NULL;
    if (gact_call_exited(call, &exit_status) && exit_status)
        return region_printf(region, "it ended the program with status %d", (int)exit_status);
    return status ? "" : NULL;
}

static bool run_test(GactProgram *program, const GactEntry *entry) {
    Region region = {0};
    GactError error = {0};
    GactCall *call = NULL;
    printf("test \"%s\" ... ", entry->name);
    fflush(stdout);
    GactStatus status = gact_call_open(program, entry, &call, &error);
    if (!status)
        status = gact_call_run(call, &error);
    const char *why = verdict(&region, call, entry, status, &error);
    puts(why ? "FAILED" : "ok");
    fflush(stdout);
    if (why && *why)
        fprintf(stderr, "%s\n", why);
    if (why && status == GACT_FAULTED)
        gact_call_print_faults(call, stderr, gact_fault_format_for(stderr));
    gact_call_close(call);
    region_free(&region);
    return !why;
}

GactStatus run_tests(GactProgram *program, const Settings *s, GactError *error) {
    const GactImage *image = gact_image_tables(program);
    int passed = 0, failed = 0, left_out = 0;
    (void)error;
    for (int k = 0; k < image->nentries; k++) {
        const GactEntry *entry = &image->entries[k];
        if (entry->kind != GACT_ENTRY_TEST)
            continue;
        if (s->filter && !strstr(entry->name, s->filter))
            left_out++;
        else if (run_test(program, entry))
            passed++;
        else
            failed++;
    }
    printf("%d passed, %d failed", passed, failed);
    if (left_out)
        printf(", %d left out", left_out);
    putchar('\n');
    return failed ? GACT_FAULTED : GACT_OK;
}
