/* Copies of buffers on the device. A buffer's mirror says where its newest content is; it is copied only
   when it is read elsewhere. Views share their buffer's mirror. Memory that has no counted buffer (borrowed
   inputs, constants) is copied for one run.

   One lock guards all of this: the device works for one thread at a time. */
#ifndef GACT_DEVICE_RESIDENT_H
#define GACT_DEVICE_RESIDENT_H

#include "place.h"
#include "pool.h"

typedef struct {
    Device *d;
    DevicePool *pool;
    DeviceInfo info;
    int64_t limit; /* bytes that may be taken */
    DevicePtr zeros; /* of residence_zero, in turn */
    uint32_t zeros_used;
    struct DeviceLib *library; /* of library.c; NULL: not opened yet */
    Placement placement;       /* unless the device was asked for by name */
} Residence;

/* The process's device with its memory, opened when it is first asked for; NULL with a text where that
   fails. To be called with the lock held. */
Residence *residence_take(GactError *error);
/* The address of a u32 that is 0, for a kernel that leaves it so. */
DevicePtr residence_zero(Residence *r);
void residence_lock(void);
void residence_unlock(void);
/* The bytes of the device's memory that may be taken from the next residence_take on; 0: all. */
void residence_limit(int64_t bytes);
/* Frees everything; no run may be under way. */
void residence_stop(void);

/* The address of `data`, of `bytes` bytes that are going to be read: in buf's mirror, or, where buf is NULL
   or uncounted, in a copy for the run. What is handed out stays where it is until residence_unpin. */
DeviceStatus residence_read(Residence *r, Run *run, GactBuf *buf, const void *data, int64_t bytes,
                            DevicePtr *p);
/* The address of `data` in buf, which has room for `bytes` bytes and is going to be written anew. */
DeviceStatus residence_write(Residence *r, GactBuf *buf, const void *data, int64_t bytes, DevicePtr *p);
/* What was to be written has been: the device has the newest content. writer learns how much of it the
   host reads later; NULL: nobody. */
void residence_written(GactBuf *buf, CostKernel *writer);
/* Writers from `from` on, n of them, are no more. */
void residence_forget(const CostKernel *from, int64_t n);
/* Adds the bytes that residence_read would copy to *in, and those that are on the device alone to *away. */
void residence_where(const Run *run, const GactBuf *buf, const void *data, int64_t bytes, int64_t *in,
                     int64_t *away);
void residence_unpin(Residence *r);
/* What can go to the host goes there. */
void residence_make_room(Residence *r);
/* A run is over: its copies of uncounted memory go. */
void residence_end_run(Run *run);
/* Is buf's newest content on the device alone? */
bool residence_is_away(const GactBuf *buf);

#endif
