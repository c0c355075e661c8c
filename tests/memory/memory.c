/* memory IMAGE: runs every dag of dags.gact on one thread, with one input x of N floats, and compares the
   peak of its buffers with 1.2 times its outputs and what its doc says that the algorithm needs.
   A second run must take all its memory from the first. */
#include "../../runtime/gact.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1 << 20, SLACK = 1 << 18 /* counts are exact to within 64 KiB; small tables */ };

static int64_t column_bytes(const GactType *elem) {
    static const int bytes[] = {[GACT_BOOL] = 1, [GACT_I32] = 4, [GACT_I64] = 8, [GACT_F32] = 4, [GACT_F64] = 8};
    return bytes[elem->kind];
}

static int64_t output_bytes(const GactCall *call, const GactEntry *entry) {
    int64_t sum = 0;
    for (int k = 0; k < entry->noutputs; k++) {
        const GactType *type = entry->outputs[k].type;
        const GactSlot *slots = gact_call_output(call, k);
        int64_t bytes = column_bytes(type->elem);
        for (int d = 0; d < type->rank; d++)
            bytes *= slots[d].i;
        sum += bytes;
    }
    return sum;
}

static void fail(const char *name, const char *text) {
    fprintf(stderr, "%s: %s\n", name, text);
    exit(1);
}

/* Everything kept is given back first, so that the peak is that of this dag. */
static bool check_dag(GactProgram *program, const GactEntry *entry, float *x) {
    GactError error;
    GactCall *call;
    GactMemoryStats before, after;
    GactView view = {.kind = GACT_F32, .rank = 1, .dims = {N}, .data = x};
    double need;
    if (!entry->doc || sscanf(entry->doc, " need %lf", &need) != 1)
        fail(entry->name, "no `need` in its doc");
    gact_shutdown(NULL);
    if (gact_configure(&(GactOptions){.threads = 1}, &error) ||
        gact_call_open(program, entry, &call, &error) ||
        gact_call_set_view(call, "x", &view, &error) || gact_call_run(call, &error))
        fail(entry->name, error.text);
    gact_memory_stats(&before);
    int64_t outputs = output_bytes(call, entry);
    double most = 1.2 * ((double)outputs + need * N * sizeof *x) + SLACK;
    bool fits = (double)before.peak_bytes <= most;
    printf("%-14s peak %7.2f MB, at most %7.2f: %s\n", entry->name, (double)before.peak_bytes / 1e6,
           most / 1e6, fits ? "ok" : "TOO MUCH");
    gact_memory_stats(&before);
    if (gact_call_run(call, &error))
        fail(entry->name, error.text);
    gact_memory_stats(&after);
    if (after.misses > before.misses)
        printf("%-14s %lld fresh blocks in a second run\n", entry->name,
               (long long)(after.misses - before.misses));
    gact_call_close(call);
    return fits && after.misses == before.misses;
}

int main(int argc, char **argv) {
    GactError error;
    GactProgram *program;
    float *x = malloc(N * sizeof *x);
    if (argc != 2 || !x || gact_image_open(argv[1], &program, &error))
        fail("memory", argc != 2 || !x ? "wants an image" : error.text);
    for (int64_t i = 0; i < N; i++)
        x[i] = (float)(i * INT64_C(7919) % 10007) / 10007;
    const GactImage *image = gact_image_tables(program);
    bool fit = image->nentries > 0;
    for (int k = 0; k < image->nentries; k++)
        fit &= check_dag(program, &image->entries[k], x);
    gact_image_close(program);
    free(x);
    return !fit;
}
