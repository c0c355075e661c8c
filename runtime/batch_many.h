/* Instances of a batch all at once, by the dag's form for many of them, which runs on a device
   (lang/image.h at IMAGE_ENTRY_MANY). Instances of one shape are one call of it. What it does not
   do, or what faults in it, is left to the host, instance by instance. */
#ifndef GACT_BATCH_MANY_H
#define GACT_BATCH_MANY_H

#include "gather.h"

typedef struct Many Many;

/* NULL: there is no such form for the inputs that differ (those with columns), or no device. */
Many *many_open(GactProgram *program, const GactEntry *entry, int64_t count, const GactSlot *in,
                const GactSlot *const *columns);
void many_close(Many *m);
/* How many instances may be done at a time. */
int64_t many_room(const Many *m);
/* Does the instances lo … hi - 1, at most so many, and drops those before; t starts jobs. */
void many_run(Many *m, Thread *t, int64_t lo, int64_t hi);
/* Output k of instance i, which the last many_run did: slots with room for it. False: it did not.
 */
bool many_output(const Many *m, int64_t i, int32_t k, GactSlot *out);

#endif
