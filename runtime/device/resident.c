#include "resident.h"

#include "lib.h"
#include "metrics.h"

#include <stdlib.h>

enum { ZEROS = 64 /* more than kernels run at a time */ };

typedef enum { ON_BOTH, ON_DEVICE } MirrorState;

typedef struct Mirror {
    Residence *r;
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
    pthread_mutex_t lock; /* taken before that of a residence */
    Residence *first;
    int64_t limit; /* of each pool */
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- the list ---- */

static void unlink_mirror(Mirror *m) {
    *(m->newer ? &m->newer->older : &m->r->newest) = m->older;
    *(m->older ? &m->older->newer : &m->r->oldest) = m->newer;
    m->newer = m->older = NULL;
}

static void link_newest(Mirror *m) {
    Residence *r = m->r;
    m->older = r->newest;
    *(r->newest ? &r->newest->newer : &r->oldest) = m;
    r->newest = m;
}

static void use(Mirror *m) {
    unlink_mirror(m);
    link_newest(m);
    m->is_pinned = true;
}

static void drop(Mirror *m) {
    unlink_mirror(m);
    device_pool_free(m->r->pool, NULL, m->p, m->bytes);
    if (m->buf)
        m->buf->mirror = NULL;
    free(m);
}

/* ---- moving ---- */

/* Waits for the copies to the host. */
static DeviceStatus arrive(Residence *r) {
    if (!r->owes)
        return DEVICE_OK;
    r->owes = false;
    return r->d->table->sync(r->d, 0);
}

/* Copies what is on the device alone, up to arrive. */
static DeviceStatus bring(Mirror *m) {
    if (m->state != ON_DEVICE)
        return DEVICE_OK;
    Device *d = m->r->d;
    int64_t bytes = m->bytes < m->buf->bytes ? m->bytes : m->buf->bytes;
    DeviceStatus status = d->table->copy_out(d, 0, m->buf + 1, m->p, bytes);
    if (!status) {
        m->r->owes = true;
        m->state = ON_BOTH;
        if (m->writer)
            m->writer->returned += bytes;
        m->writer = NULL;
    }
    return status;
}

/* The pool's spill: what was used longest ago goes to the host. */
static int64_t spill(void *owner, const DeviceAccount *account, int64_t bytes) {
    Residence *r = owner;
    int64_t freed = 0;
    (void)account;
    for (Mirror *m = r->oldest, *next; m && freed < bytes; m = next) {
        next = m->newer;
        if (m->is_pinned || bring(m) || arrive(r))
            continue;
        freed += m->bytes;
        drop(m);
    }
    return freed;
}

static DeviceStatus take_zeros(Residence *r, Device *d) {
    DeviceStatus status = device_pool_alloc(r->pool, NULL, ZEROS * 4, &r->zeros);
    return status ? status : d->table->fill(d, 0, r->zeros, 0, ZEROS * 4);
}

DevicePtr residence_zero(Residence *r) {
    return r->zeros + r->zeros_used++ % ZEROS * 4;
}

void residence_make_room(Residence *r) {
    spill(r, NULL, INT64_MAX);
}

static DeviceStatus open_parts(Residence *r) {
    Device *d = r->d;
    DevicePoolOptions options = {.quota = all.limit, .spill = spill, .owner = r};
    DeviceStatus status = d->table->info(d, &r->info);
    if (!status)
        status = device_pool_open(d, &options, &r->pool);
    if (!status)
        status = take_zeros(r, d);
    if (status) {
        device_pool_close(r->pool);
        return status;
    }
    metrics_watch(r->pool);
    r->limit = all.limit && all.limit < r->info.memory ? all.limit : r->info.memory;
    place_open(&r->placement, &r->info);
    device_meter_moves(d, runtime_device_is_forced() ? NULL : &r->placement.machine);
    return DEVICE_OK;
}

/* Under all.lock. */
static Residence *find(const Device *d) {
    Residence *r = all.first;
    while (r && r->d != d)
        r = r->next;
    return r;
}

/* Under all.lock. */
static Residence *open_residence(Device *d, GactError *error) {
    Residence *r = calloc(1, sizeof *r);
    if (!r) {
        error_set(error, GACT_INTERNAL, "no memory for a device");
        return NULL;
    }
    r->d = d;
    if (open_parts(r)) {
        error_set(error, GACT_INTERNAL, "the device cannot be used: %s", d->error);
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL);
    r->next = all.first;
    all.first = r;
    return r;
}

Residence *residence_enter(Device *d, GactError *error) {
    if (!d)
        return NULL;
    pthread_mutex_lock(&all.lock);
    Residence *r = find(d);
    if (!r)
        r = open_residence(d, error);
    pthread_mutex_unlock(&all.lock);
    if (r)
        pthread_mutex_lock(&r->lock);
    return r;
}

void residence_leave(Residence *r) {
    pthread_mutex_unlock(&r->lock);
}

void residence_limit(int64_t bytes) {
    pthread_mutex_lock(&all.lock);
    all.limit = bytes;
    pthread_mutex_unlock(&all.lock);
}

static void free_residence(Residence *r) {
    while (r->newest)
        drop(r->newest);
    device_meter_moves(r->d, NULL);
    device_lib_close(r->library);
    metrics_unwatch(r->pool);
    device_pool_close(r->pool);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void residence_close(Device *d) {
    pthread_mutex_lock(&all.lock);
    for (Residence **link = &all.first, *r; (r = *link); link = &r->next)
        if (r->d == d) {
            *link = r->next;
            free_residence(r);
            break;
        }
    pthread_mutex_unlock(&all.lock);
}

void residence_stop(void) {
    pthread_mutex_lock(&all.lock);
    for (Residence *r = all.first, *next; r; r = next) {
        next = r->next;
        free_residence(r);
    }
    all.first = NULL;
    pthread_mutex_unlock(&all.lock);
}

/* ---- mirrors ---- */

static DeviceStatus new_mirror(Residence *r, int64_t bytes, Mirror **mirror) {
    Mirror *m = calloc(1, sizeof *m);
    if (!m)
        return DEVICE_NO_MEMORY;
    m->r = r;
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
static Mirror *find_copy(const Residence *r, const Run *run, const void *data, int64_t bytes) {
    for (Mirror *m = r->newest; m; m = m->older)
        if (!m->buf && m->run == run && m->data == data && m->bytes >= bytes)
            return m;
    return NULL;
}

static DeviceStatus read_uncounted(Residence *r, Run *run, const void *data, int64_t bytes, DevicePtr *p) {
    Mirror *m = find_copy(r, run, data, bytes);
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
    if (m && m->r != r) /* another run's, which the host has to bring */
        return DEVICE_NO_MEMORY;
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

void residence_forget(Residence *r, const CostKernel *from, int64_t n) {
    for (Mirror *m = r->newest; m; m = m->older)
        if (m->writer >= from && m->writer < from + n)
            m->writer = NULL;
}

void residence_where(const Residence *r, const Run *run, const GactBuf *buf, const void *data, int64_t bytes, int64_t *in,
                     int64_t *away) {
    const Mirror *m = is_counted(buf) ? buf->mirror : find_copy(r, run, data, bytes);
    if (!m)
        *in += is_counted(buf) ? buf->bytes : bytes;
    else if (m->state == ON_DEVICE)
        *away += m->bytes < buf->bytes ? m->bytes : buf->bytes;
}

void residence_unpin(Residence *r) {
    for (Mirror *m = r->newest; m && m->is_pinned; m = m->older)
        m->is_pinned = false;
}

void residence_end_run(Run *run) {
    Residence *r = residence_enter(run->main.ctx.device, NULL);
    if (!r)
        return;
    for (Mirror *m = r->newest, *next; m; m = next) {
        next = m->older;
        if (!m->buf && m->run == run)
            drop(m);
    }
    residence_leave(r);
}

bool residence_is_away(const GactBuf *buf) {
    const Mirror *m = buf->mirror;
    return m && m->state == ON_DEVICE;
}

void mirror_free(GactBuf *buf) {
    Mirror *m = buf->mirror;
    Residence *r = m ? residence_enter(m->r->d, NULL) : NULL;
    if (!r)
        return;
    if (buf->mirror) /* it may have been spilled meanwhile */
        drop(buf->mirror);
    residence_leave(r);
}

void rt_to_host(GactCtx *ctx, GactBuf *buf, int32_t writes, int32_t more) {
    Mirror *m = buf ? buf->mirror : NULL;
    char text[DEVICE_ERROR] = "";
    if (!m && more)
        return;
    Residence *r = residence_enter(m ? m->r->d : ctx->device, NULL);
    if (!r)
        return;
    m = buf ? buf->mirror : NULL; /* it may have been spilled meanwhile */
    DeviceStatus status = m ? bring(m) : DEVICE_OK;
    if (!status && !more)
        status = arrive(r);
    if (status)
        snprintf(text, sizeof text, "%s", r->d->error);
    else if (m && writes)
        drop(m);
    residence_leave(r);
    if (status)
        fault_raise(ctx, NULL, "device", "the device's memory cannot be read: %s", text);
}
