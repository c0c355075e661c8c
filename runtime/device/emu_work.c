/* What streams of the emulated device have been given and not done yet. Work is done as late as the
   contract allows, when somebody waits for its stream, so that a program that forgets to wait sees
   what was there before; with a seed, also earlier at random. Work that fails takes along what its
   stream holds behind it, and is told by the next call that can fail. */
#include "emu.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_WAITING = 256 };

struct EmuQueue {
    EmuWork *first, **last;
    int32_t n;
};

struct EmuStreams {
    struct EmuQueue queues[DEVICE_STREAMS];
    int64_t marks[DEVICE_MARKS]; /* when they were reached */
    uint64_t random;             /* 0: always late */
    bool has_failed;
    char text[DEVICE_ERROR]; /* why */
};

EmuStreams *emu_streams_new(uint64_t seed) {
    EmuStreams *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->random = seed;
    for (int32_t k = 0; k < DEVICE_STREAMS; k++)
        s->queues[k].last = &s->queues[k].first;
    return s;
}

void emu_streams_free(EmuStreams *s) {
    for (int32_t k = 0; s && k < DEVICE_STREAMS; k++)
        for (EmuWork *w = s->queues[k].first, *next; w; w = next) {
            next = w->next;
            free(w);
        }
    free(s);
}

void emu_streams_fail(EmuStreams *s, const char *text) {
    if (!s->has_failed)
        snprintf(s->text, sizeof s->text, "%s", text);
    s->has_failed = true;
}

bool emu_streams_failed(EmuStreams *s, char *text, size_t size) {
    bool failed = s->has_failed;
    if (failed)
        snprintf(text, size, "%s", s->text);
    s->has_failed = false;
    return failed;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *host(DevicePtr p) {
    return (void *)(uintptr_t)p;
}

static void do_work(EmuStreams *s, EmuWork *w) {
    char text[DEVICE_ERROR];
    switch (w->kind) {
    case EMU_COPY_OUT: memcpy(w->out, host(w->from), (size_t)w->bytes); return;
    case EMU_COPY: memmove(host(w->to), host(w->from), (size_t)w->bytes); return;
    case EMU_FILL: memset(host(w->to), w->byte, (size_t)w->bytes); return;
    case EMU_MARK: s->marks[w->mark] = now_ns(); return;
    case EMU_LAUNCH:
        w->launch.args = w->args;
        if (!emu_run(&w->launch, text, sizeof text))
            emu_streams_fail(s, text);
        return;
    }
}

void emu_streams_wait(EmuStreams *s, int32_t stream) {
    struct EmuQueue *q = &s->queues[stream];
    while (q->first) {
        EmuWork *w = q->first;
        q->first = w->next;
        if (!s->has_failed)
            do_work(s, w);
        free(w);
    }
    q->last = &q->first;
    q->n = 0;
}

void emu_streams_wait_all(EmuStreams *s) {
    for (int32_t k = 0; k < DEVICE_STREAMS; k++)
        emu_streams_wait(s, k);
}

static bool is_time(EmuStreams *s, const struct EmuQueue *q) {
    if (!s->random)
        return q->n >= MOST_WAITING;
    s->random = s->random * 6364136223846793005u + 1442695040888963407u;
    return q->n >= MOST_WAITING || s->random >> 62 == 0;
}

bool emu_streams_give(EmuStreams *s, int32_t stream, const EmuWork *work, const void *args,
                      size_t bytes) {
    struct EmuQueue *q = &s->queues[stream];
    EmuWork *w = malloc(sizeof *w + bytes);
    if (!w)
        return false;
    *w = *work;
    w->next = NULL;
    if (bytes)
        memcpy(w->args, args, bytes);
    *q->last = w;
    q->last = &w->next;
    q->n++;
    if (is_time(s, q))
        emu_streams_wait(s, stream);
    return true;
}

int64_t emu_streams_between(const EmuStreams *s, int32_t from, int32_t to) {
    return s->marks[to] - s->marks[from];
}
