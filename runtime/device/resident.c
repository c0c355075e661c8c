#include "resident.h"

#include "lib.h"
#include "metrics.h"

#include <pthread.h>
#include <stdlib.h>

enum { ZEROS = 64 /* more than kernels run at a time */ };

typedef enum { ON_BOTH, ON_DEVICE } MirrorState;

typedef struct Mirror {
    GactBuf *buf; /* NULL: uncounted memory at `data`, of `run` */
    const void *data;
    Run *run;
    DevicePtr p;
    int64_t bytes;
    MirrorState state;
    bool is_pinned;
    CostKernel *writer; /* of the newest content, or NULL */
    struct Mirror *newer, *older; /* by their last use */
} Mirror;

static struct {
    pthread_mutex_t lock;
    Residence r;
    Mirror *newest, *oldest;
    int64_t limit; /* of the pool */
    bool owes;     /* copies to the host are under way that nobody has waited for */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

void residence_lock(void) {
    pthread_mutex_lock(&all.lock);
}

void residence_unlock(void) {
    pthread_mutex_unlock(&all.lock);
}

/* ---- the list ---- */

static void unlink_mirror(Mirror *m) {
    *(m->newer ? &m->newer->older : &all.newest) = m->older;
    *(m->older ? &m->older->newer : &all.oldest) = m->newer;
    m->newer = m->older = NULL;
}

static void link_newest(Mirror *m) {
    m->older = all.newest;
    *(all.newest ? &all.newest->newer : &all.oldest) = m;
    all.newest = m;
}

static void use(Mirror *m) {
    unlink_mirror(m);
    link_newest(m);
    m->is_pinned = true;
}

static void drop(Mirror *m) {
    unlink_mirror(m);
    device_pool_free(all.r.pool, NULL, m->p, m->bytes);
    if (m->buf)
        m->buf->mirror = NULL;
    free(m);
}

/* ---- moving ---- */

/* Waits for the copies to the host. */
static DeviceStatus arrive(void) {
    if (!all.owes)
        return DEVICE_OK;
    all.owes = false;
    return all.r.d->table->sync(all.r.d, 0);
}

/* Copies what is on the device alone, up to arrive. */
static DeviceStatus bring(Mirror *m) {
    if (m->state != ON_DEVICE)
        return DEVICE_OK;
    Device *d = all.r.d;
    int64_t bytes = m->bytes < m->buf->bytes ? m->bytes : m->buf->bytes;
    DeviceStatus status = d->table->copy_out(d, 0, m->buf + 1, m->p, bytes);
    if (!status) {
        all.owes = true;
        m->state = ON_BOTH;
        if (m->writer)
            m->writer->returned += bytes;
        m->writer = NULL;
    }
    return status;
}

/* The pool's spill: what was used longest ago goes to the host. */
static int64_t spill(void *owner, const DeviceAccount *account, int64_t bytes) {
    int64_t freed = 0;
    (void)owner, (void)account;
    for (Mirror *m = all.oldest, *next; m && freed < bytes; m = next) {
        next = m->newer;
        if (m->is_pinned || bring(m) || arrive())
            continue;
        freed += m->bytes;
        drop(m);
    }
    return freed;
}

static DeviceStatus take_zeros(Residence *r, Device *d) {
    DeviceStatus status = device_pool_alloc(r->pool, NULL, ZEROS * 4, &r->zeros);
    if (!status)
        status = d->table->fill(d, 0, r->zeros, 0, ZEROS * 4);
    if (status)
        device_pool_close(r->pool);
    return status;
}

DevicePtr residence_zero(Residence *r) {
    return r->zeros + r->zeros_used++ % ZEROS * 4;
}

void residence_make_room(Residence *r) {
    (void)r;
    spill(NULL, NULL, INT64_MAX);
}

Residence *residence_take(GactError *error) {
    Residence *r = &all.r;
    Device *d = runtime_device();
    if (!d || r->d == d)
        return d ? r : NULL;
    DevicePoolOptions options = {.quota = all.limit, .spill = spill};
    DeviceStatus status = d->table->info(d, &r->info);
    if (!status)
        status = device_pool_open(d, &options, &r->pool);
    if (!status)
        status = take_zeros(r, d);
    if (status) {
        error_set(error, GACT_INTERNAL, "the device cannot be used: %s", d->error);
        return NULL;
    }
    metrics_watch(r->pool);
    r->limit = all.limit && all.limit < r->info.memory ? all.limit : r->info.memory;
    place_open(&r->placement, &r->info);
    device_meter_moves(d, runtime_device_is_forced() ? NULL : &r->placement.machine);
    r->d = d;
    return r;
}

void residence_limit(int64_t bytes) {
    residence_lock();
    all.limit = bytes;
    residence_unlock();
}

void residence_stop(void) {
    residence_lock();
    while (all.newest)
        drop(all.newest);
    if (all.r.d) {
        device_meter_moves(all.r.d, NULL);
        device_lib_close(all.r.library);
        metrics_unwatch(all.r.pool);
        device_pool_close(all.r.pool);
    }
    all.r = (Residence){0};
    residence_unlock();
}

/* ---- mirrors ---- */

static DeviceStatus new_mirror(Residence *r, int64_t bytes, Mirror **mirror) {
    Mirror *m = calloc(1, sizeof *m);
    if (!m)
        return DEVICE_NO_MEMORY;
    m->bytes = bytes;
    DeviceStatus status = device_pool_alloc(r->pool, NULL, bytes > 0 ? bytes : 1, &m->p);
    if (status) {
        free(m);
        return status;
    }
    link_newest(m);
    m->is_pinned = true;
    *mirror = m;
    return DEVICE_OK;
}

static bool is_counted(const GactBuf *buf) {
    return buf && __atomic_load_n(&buf->count, __ATOMIC_RELAXED) >= 0;
}

/* A copy of uncounted memory that this run has already. */
static Mirror *find_copy(const Run *run, const void *data, int64_t bytes) {
    for (Mirror *m = all.newest; m; m = m->older)
        if (!m->buf && m->run == run && m->data == data && m->bytes >= bytes)
            return m;
    return NULL;
}

static DeviceStatus read_uncounted(Residence *r, Run *run, const void *data, int64_t bytes, DevicePtr *p) {
    Mirror *m = find_copy(run, data, bytes);
    if (m) {
        use(m);
        *p = m->p;
        return DEVICE_OK;
    }
    DeviceStatus status = new_mirror(r, bytes, &m);
    if (status)
        return status;
    m->run = run;
    m->data = data;
    *p = m->p;
    status = bytes > 0 ? r->d->table->copy_in(r->d, 0, m->p, data, bytes) : DEVICE_OK;
    if (status)
        drop(m);
    return status;
}

static DevicePtr inside(const Mirror *m, const GactBuf *buf, const void *data) {
    return m->p + (DevicePtr)((const char *)data - (const char *)(buf + 1));
}

DeviceStatus residence_read(Residence *r, Run *run, GactBuf *buf, const void *data, int64_t bytes,
                            DevicePtr *p) {
    if (!is_counted(buf))
        return read_uncounted(r, run, data, bytes, p);
    Mirror *m = buf->mirror;
    if (!m) {
        DeviceStatus status = new_mirror(r, buf->bytes, &m);
        if (status)
            return status;
        m->buf = buf;
        buf->mirror = m;
        status = buf->bytes > 0 ? r->d->table->copy_in(r->d, 0, m->p, buf + 1, buf->bytes) : DEVICE_OK;
        if (status) {
            drop(m);
            return status;
        }
    } else {
        use(m);
    }
    *p = inside(m, buf, data);
    return DEVICE_OK;
}

DeviceStatus residence_write(Residence *r, GactBuf *buf, const void *data, int64_t bytes, DevicePtr *p) {
    Mirror *m = buf->mirror;
    if (m && m->bytes < bytes) {
        drop(m);
        m = NULL;
    }
    if (!m) {
        DeviceStatus status = new_mirror(r, bytes, &m);
        if (status)
            return status;
        m->buf = buf;
        buf->mirror = m;
    } else {
        use(m);
    }
    *p = inside(m, buf, data);
    return DEVICE_OK;
}

void residence_written(GactBuf *buf, CostKernel *writer) {
    Mirror *m = buf->mirror;
    m->state = ON_DEVICE;
    m->writer = writer;
}

void residence_forget(const CostKernel *from, int64_t n) {
    for (Mirror *m = all.newest; m; m = m->older)
        if (m->writer >= from && m->writer < from + n)
            m->writer = NULL;
}

void residence_where(const Run *run, const GactBuf *buf, const void *data, int64_t bytes, int64_t *in,
                     int64_t *away) {
    const Mirror *m = is_counted(buf) ? buf->mirror : find_copy(run, data, bytes);
    if (!m)
        *in += is_counted(buf) ? buf->bytes : bytes;
    else if (m->state == ON_DEVICE)
        *away += m->bytes < buf->bytes ? m->bytes : buf->bytes;
}

void residence_unpin(Residence *r) {
    (void)r;
    for (Mirror *m = all.newest; m && m->is_pinned; m = m->older)
        m->is_pinned = false;
}

void residence_end_run(Run *run) {
    residence_lock();
    for (Mirror *m = all.newest, *next; m; m = next) {
        next = m->older;
        if (!m->buf && m->run == run)
            drop(m);
    }
    residence_unlock();
}

bool residence_is_away(const GactBuf *buf) {
    const Mirror *m = buf->mirror;
    return m && m->state == ON_DEVICE;
}

void mirror_free(GactBuf *buf) {
    residence_lock();
    if (buf->mirror)
        drop(buf->mirror);
    residence_unlock();
}

void rt_to_host(GactCtx *ctx, GactBuf *buf, int32_t writes, int32_t more) {
    if (!(buf && buf->mirror) && (more || !all.owes))
        return;
    char text[DEVICE_ERROR] = "";
    residence_lock();
    Mirror *m = buf ? buf->mirror : NULL;
    DeviceStatus status = m ? bring(m) : DEVICE_OK;
    if (!status && !more)
        status = arrive();
    if (status)
        snprintf(text, sizeof text, "%s", all.r.d->error);
    else if (m && writes)
        drop(m);
    residence_unlock();
    if (status)
        fault_raise(ctx, NULL, "device", "the device's memory cannot be read: %s", text);
}
