/* What gactrun's parts share. Each part reports through a GactError and returns a status; main.c
   alone prints and ends the program. */
#ifndef GACT_CLI_H
#define GACT_CLI_H

#include "../../lang/kept.h"
#include "../io/io.h"

/* NAME=SPEC of the command line. */
typedef struct {
    const char *name, *spec;
} Assignment;

typedef struct {
    Assignment *at;
    int count;
} Assignments;

typedef struct {
    const char *program; /* an image or a .gact file */
    char **args;         /* after the program */
    int nargs;
    Assignments in, out, each;
    bool list, tests, profile, doctor;
    const char *filter, *trace, *times, *device, *profile_json, *metrics;
    int32_t threads, rounds; /* rounds: that --profile=N asks for; 0: one run */
    int64_t memory_mib, device_mib;
} Settings;

typedef struct {
    double load, run, store; /* seconds */
    const char *device;      /* where kernels ran */
} Times;

double seconds_now(void);

/* ---- names.c ---- */

/* The candidate nearest to name, NULL if none is near. */
const char *nearest(const char *name, const char *const *candidates, int count);
/* ": did you mean NAME?", or "; there are a, b, c", or "". */
const char *suggest(Region *region, const char *name, const char *const *candidates, int count);

/* ---- inputs.c: values for an entry's inputs ---- */

typedef struct {
    const GactEntry *entry;
    GactSlot **slots; /* for each input, NULL when its default applies */
    const char **specs;
} Inputs;

/* Reads what --in gives. Names are checked first, so that no file is read for nothing. `each` lists
   names that come from elsewhere. */
GactStatus inputs_read(Region *region, const GactEntry *entry, const Assignments *in,
                       const Assignments *each, Inputs *inputs, GactError *error);
/* Are all sizes as declared, and equal where a name is shared? */
GactStatus inputs_check(Region *region, const Inputs *inputs, GactError *error);
/* Do the names of --out exist, and have their files a format? */
GactStatus outputs_check(Region *region, const GactEntry *entry, const Assignments *out,
                         GactError *error);
/* The port of that name, -1 if there is none. */
int port_named(const GactPort *ports, int count, const char *name);

/* ---- ways to run ---- */

GactStatus run_main(GactProgram *program, const GactEntry *entry, const Settings *s,
                    int *exit_status, Times *times, GactError *error);
GactStatus run_dag(Region *region, GactProgram *program, const GactEntry *entry, const Settings *s,
                   Times *times, GactError *error);
GactStatus run_each(Region *region, GactProgram *program, const GactEntry *entry, const Settings *s,
                    Times *times, GactError *error);
GactStatus run_tests(GactProgram *program, const Settings *s, GactError *error);
void list_entries(const GactImage *image, FILE *out);

/* ---- cache.c: .gact files ---- */

/* The image of a source file, compiled unless an unchanged one is kept. each: for gactc's --each, or
   NULL. *temporary: the caller removes the image when it is open. */
GactStatus cache_image(Region *region, const char *source, KeptPart part, const char *each,
                       const char **image, bool *temporary, GactError *error);

/* The gactc that is used: $GACTC, else beside gactrun, else in PATH; NULL if there is none. */
const char *cache_compiler(Region *region);

/* ---- doctor.c: --doctor ---- */

void doctor_print(Region *region, FILE *out);

/* ---- progress.c: a line on the terminal for what takes longer than a second ---- */

/* With a batch (or NULL) of `total` instances it tells how many are done. */
void progress_start(const char *what, const GactBatch *batch, int64_t total);
/* Removes the line. */
void progress_stop(void);

#endif
