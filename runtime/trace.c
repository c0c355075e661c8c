/* A trace in Chrome's JSON format, which Perfetto reads: kernels, their parts on each thread,
   entries, larger calls, and what the device does on rows of its streams. Events are few (no part
   is shorter than a microsecond), so one lock will do. */
#include "runtime.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *category;
    char *name;
    int32_t id; /* of the thread; STREAMS and above: of a stream of the device */
    int64_t begin, end, bytes;
} Event;

enum { STREAMS = 1 << 16 };

bool trace_on;
static struct {
    pthread_mutex_t lock;
    char *path;
    Event *events;
    size_t count, cap;
    int64_t start;
} trace = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void add(Event event) {
    event.name = strdup(event.name);
    pthread_mutex_lock(&trace.lock);
    if (trace.count == trace.cap) {
        size_t cap = trace.cap ? trace.cap * 2 : 1024;
        Event *grown = realloc(trace.events, cap * sizeof *grown);
        if (grown) {
            trace.events = grown;
            trace.cap = cap;
        }
    }
    bool room = event.name && trace.count < trace.cap;
    if (room)
        trace.events[trace.count++] = event;
    pthread_mutex_unlock(&trace.lock);
    if (!room)
        free(event.name);
}

void trace_event(const char *category, const char *name, int32_t id, int64_t begin_ns) {
    add((Event){category, (char *)(uintptr_t)name, id, begin_ns, clock_ns(), 0});
}

void trace_device(const char *category, const char *name, int32_t stream, int64_t begin_ns,
                  int64_t ns, int64_t bytes) {
    add((Event){category, (char *)(uintptr_t)name, STREAMS + stream, begin_ns, begin_ns + ns,
                bytes});
}

GactStatus trace_start(const char *path, GactError *error) {
    trace.path = strdup(path);
    if (!trace.path)
        return error_set(error, GACT_INTERNAL, "no memory for a trace");
    trace.start = clock_ns();
    trace_on = true;
    return GACT_OK;
}

static void print_event(FILE *out, const Event *event) {
    fputs(",\n{\"ph\":\"X\",\"pid\":1,\"cat\":\"", out);
    fprintf(out, "%s\",\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":", event->category, event->id,
            (double)(event->begin - trace.start) / 1e3, (double)(event->end - event->begin) / 1e3);
    json_print_string(out, event->name, strlen(event->name));
    if (event->bytes)
        fprintf(out, ",\"args\":{\"bytes\":%lld}", (long long)event->bytes);
    fputc('}', out);
}

static void print_row_name(FILE *out, int32_t tid, const char *kind, int32_t number) {
    fprintf(out,
            ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\","
            "\"args\":{\"name\":\"%s %d\"}}",
            tid, kind, number);
}

static void print_threads(FILE *out) {
    int32_t last = 0, last_stream = STREAMS - 1;
    for (size_t i = 0; i < trace.count; i++) {
        int32_t *greatest = trace.events[i].id < STREAMS ? &last : &last_stream;
        *greatest = trace.events[i].id > *greatest ? trace.events[i].id : *greatest;
    }
    fputs("{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"gact\"}}", out);
    for (int32_t id = 0; id <= last; id++)
        print_row_name(out, id, id ? "worker" : "caller", id);
    for (int32_t id = STREAMS; id <= last_stream; id++)
        print_row_name(out, id, "device stream", id - STREAMS);
}

static void trace_drop(void) {
    for (size_t i = 0; i < trace.count; i++)
        free(trace.events[i].name);
    free(trace.events);
    free(trace.path);
    trace.events = NULL;
    trace.path = NULL;
    trace.count = trace.cap = 0;
    trace_on = false;
}

GactStatus trace_write(GactError *error) {
    if (!trace_on)
        return GACT_OK;
    GactStatus status = GACT_OK;
    FILE *out = fopen(trace.path, "w");
    if (out) {
        fputs("{\"traceEvents\":[\n", out);
        print_threads(out);
        for (size_t i = 0; i < trace.count; i++)
            print_event(out, &trace.events[i]);
        fputs("\n],\"displayTimeUnit\":\"ns\"}\n", out);
    }
    if (!out || ferror(out) | fclose(out))
        status = error_set(error, GACT_BAD_INPUT, "%s: cannot be written: %s", trace.path,
                           strerror(errno));
    trace_drop();
    return status;
}
