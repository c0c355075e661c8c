/* Copies of buffers on the device. A buffer's mirror says where its newest content is; it is copied only
   when it is read elsewhere. Views share their buffer's mirror. Memory that has no counted buffer (borrowed
   inputs, constants) is copied for one run.

   Each device that runs kernels has one of these with a lock: it works for one thread at a time, and several devices
   side by side. A buffer is on one device at most, that of its run. */
#ifndef GACT_DEVICE_RESIDENT_H
#define GACT_DEVICE_RESIDENT_H

#include "place.h"
#include "pool.h"

#include <pthread.h>

typedef struct Residence {
    Device *d;
    pthread_mutex_t lock;
    struct Residence *next;         /* of the others */
    struct Mirror *newest, *oldest; /* copies, by their last use */
    bool owes; /* copies to the host are under way that nobody has waited for */
    DevicePool *pool;
    DeviceInfo info;
    int64_t limit; /* bytes that may be taken */
    DevicePtr zeros; /* of residence_zero, in turn */
    uint32_t zeros_used;
    struct DeviceLib *library; /* of library.c; NULL: not opened yet */
    Placement placement;       /* unless the device was asked for by name */
} Residence;

/* What is kept of a device, opened when it is first asked for, with its lock held; NULL with a text where that
   fails. */
Residence *residence_enter(Device *d, GactError *error);
void residence_leave(Residence *r);
/* The address of a u32 that is 0, for a kernel that leaves it so. */
DevicePtr residence_zero(Residence *r);
/* The bytes of each device's memory that may be taken where it is entered first from now on; 0: all. */
void residence_limit(int64_t bytes);
/* Frees all that is kept of all devices, or of one that is about to be closed; no run may be under way there. */
void residence_stop(void);
void residence_close(Device *d);

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
void residence_forget(Residence *r, const CostKernel *from, int64_t n);
/* Adds the bytes that residence_read would copy to *in, and those that are on the device alone to *away. */
void residence_where(const Residence *r, const Run *run, const GactBuf *buf, const void *data, int64_t bytes, int64_t *in,
                     int64_t *away);
void residence_unpin(Residence *r);
/* What can go to the host goes there. */
void residence_make_room(Residence *r);
/* A run on ctx.device is over: its copies of uncounted memory go. */
void residence_end_run(Run *run);
/* Is buf's newest content on the device alone? */
bool residence_is_away(const GactBuf *buf);

#endif
