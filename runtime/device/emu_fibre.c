/* Fibres: stacks that one OS thread runs by turns, switched by a few instructions on x86-64 and by
   ucontext elsewhere. A fibre runs the host's body over and over: it leaves at the body's end, and
   when it is entered again begins anew, so that a stack serves thread after thread.

   The address and thread sanitizers must know of every switch. Whether one of them is in the process,
   linked or preloaded, is found out by looking for its functions. */
#include "emu.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#ifndef __x86_64__
#include <ucontext.h>
#endif

struct Fibre {
    char *base; /* of the stack; the page below it traps */
    Fibre *next_idle, *next;
    void *stack_pointer, *context, *race_context, *fake_stack;
    FibreHost *host;
};

enum { STACK = 64 << 10, STACK_SANITIZED = 256 << 10, KEPT_MOST = 1024 };

/* ---- sanitizers ---- */

static struct {
    void *(*race_current)(void);
    void *(*race_create)(unsigned);
    void (*race_destroy)(void *);
    void (*race_switch)(void *, unsigned);
    void (*acquire)(void *), (*release)(void *);
    void (*start_switch)(void **, const void *, size_t);
    void (*finish_switch)(void *, const void **, size_t *);
    void (*poison)(const volatile void *, size_t), (*unpoison)(const volatile void *, size_t);
} tools;

static void find(void *function, const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
}

static void find_tools(void) {
    find(&tools.race_create, "__tsan_create_fiber");
    find(&tools.race_current, "__tsan_get_current_fiber");
    find(&tools.race_destroy, "__tsan_destroy_fiber");
    find(&tools.race_switch, "__tsan_switch_to_fiber");
    find(&tools.acquire, "__tsan_acquire");
    find(&tools.release, "__tsan_release");
    find(&tools.poison, "__asan_poison_memory_region");
    find(&tools.unpoison, "__asan_unpoison_memory_region");
    if (!tools.poison)
        return;
    find(&tools.start_switch, "__sanitizer_start_switch_fiber");
    find(&tools.finish_switch, "__sanitizer_finish_switch_fiber");
}

static void need_tools(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, find_tools);
}

bool fibre_sees_races(void) {
    need_tools();
    return tools.race_create != NULL;
}

bool fibre_sees_errors(void) {
    need_tools();
    return tools.race_create || tools.poison;
}

void fibre_order_after(void *at) {
    if (tools.acquire)
        tools.acquire(at);
}

void fibre_order_before(void *at) {
    if (tools.release)
        tools.release(at);
}

void fibre_poison(const void *from, size_t bytes) {
    need_tools();
    if (tools.poison)
        tools.poison(from, bytes);
}

void fibre_unpoison(const void *from, size_t bytes) {
    need_tools();
    if (tools.unpoison)
        tools.unpoison(from, bytes);
}

static size_t stack_size(void) {
    return tools.race_create || tools.poison ? STACK_SANITIZED : STACK;
}

/* ---- the switch ---- */

static void fibre_main(Fibre *f) {
    FibreHost *host = f->host;
    if (tools.finish_switch)
        tools.finish_switch(NULL, &host->stack_low, &host->stack_size);
    for (;;) {
        host->body(host->arg);
        fibre_leave(host);
    }
}

#ifdef __x86_64__
/* Saves the registers that a callee keeps on the stack and its pointer at *save, and takes those that
   `load` points to. */
void fibre_switch(void **save, void *load);
void fibre_entry(void);
__asm__(".text\n"
        ".globl fibre_switch\n"
        ".hidden fibre_switch\n"
        ".type fibre_switch, @function\n"
        "fibre_switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size fibre_switch, .-fibre_switch\n"
        ".globl fibre_entry\n"
        ".hidden fibre_entry\n"
        ".type fibre_entry, @function\n"
        "fibre_entry:\n"
        "    xorl %ebp, %ebp\n"
        "    movq %r12, %rdi\n"
        "    call *%rbx\n"
        "    ud2\n"
        ".size fibre_entry, .-fibre_entry\n");

static bool prepare(Fibre *f) {
    void **top = fibre_stack_top(f);
    memset(f->base + stack_size() - 128, 0, 128);
    *--top = (void *)(uintptr_t)fibre_entry;
    *--top = NULL;                          /* rbp */
    *--top = (void *)(uintptr_t)fibre_main; /* rbx */
    *--top = f;                             /* r12 */
    f->stack_pointer = top - 3;             /* r13, r14, r15 */
    return true;
}

static void switch_to(FibreHost *host, Fibre *f) {
    fibre_switch(&host->stack_pointer, f->stack_pointer);
}

static void switch_back(FibreHost *host, Fibre *f) {
    fibre_switch(&f->stack_pointer, host->stack_pointer);
}
#else
static void start(unsigned high, unsigned low) {
    fibre_main((Fibre *)((uintptr_t)high << 32 | low));
}

static bool prepare(Fibre *f) {
    ucontext_t *c = f->context;
    if (!c && !(c = f->context = malloc(sizeof *c)))
        return false;
    getcontext(c);
    c->uc_stack.ss_sp = f->base;
    c->uc_stack.ss_size = stack_size();
    c->uc_link = NULL;
    uintptr_t p = (uintptr_t)f;
    makecontext(c, (void (*)(void))start, 2, (unsigned)(p >> 32), (unsigned)p);
    return true;
}

static void switch_to(FibreHost *host, Fibre *f) {
    ucontext_t here;
    host->context = &here;
    swapcontext(&here, f->context);
}

static void switch_back(FibreHost *host, Fibre *f) {
    swapcontext(f->context, host->context);
}
#endif

void fibre_enter(FibreHost *host, Fibre *f) {
    host->current = f;
    if (tools.start_switch)
        tools.start_switch(&host->fake_stack, f->base, stack_size());
    if (tools.race_switch)
        tools.race_switch(f->race_context, 1); /* 1: a switch orders nothing */
    switch_to(host, f);
    if (tools.finish_switch)
        tools.finish_switch(host->fake_stack, NULL, NULL);
    host->current = NULL;
}

void fibre_leave(FibreHost *host) {
    Fibre *f = host->current;
    if (tools.start_switch)
        tools.start_switch(&f->fake_stack, host->stack_low, host->stack_size);
    if (tools.race_switch)
        tools.race_switch(host->race_context, 1);
    switch_back(host, f);
    if (tools.finish_switch)
        tools.finish_switch(f->fake_stack, NULL, NULL);
}

void *fibre_stack_top(const Fibre *f) {
    return f->base + stack_size() - 64;
}

bool fibre_is_below_stack(const Fibre *f, const void *address) {
    const char *at = address;
    return at < f->base && at >= f->base - sysconf(_SC_PAGESIZE);
}

/* ---- fibres ---- */

void fibre_host_open(FibreHost *host, void (*body)(void *arg), void *arg) {
    need_tools();
    *host = (FibreHost){.body = body, .arg = arg};
    if (tools.race_current)
        host->race_context = tools.race_current();
}

/* Stacks that the next launch uses again; none where races are looked for, as they have contexts. */
static struct {
    pthread_mutex_t lock;
    Fibre *first;
    int32_t n;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool keep(Fibre *f) {
    if (tools.race_create)
        return false;
    fibre_unpoison(f->base, stack_size()); /* frames that were left for good */
    pthread_mutex_lock(&kept.lock);
    bool fits = kept.n < KEPT_MOST;
    if (fits) {
        f->next = kept.first;
        kept.first = f;
        kept.n++;
    }
    pthread_mutex_unlock(&kept.lock);
    return fits;
}

static Fibre *take_kept(void) {
    pthread_mutex_lock(&kept.lock);
    Fibre *f = kept.first;
    if (f) {
        kept.first = f->next;
        kept.n--;
    }
    pthread_mutex_unlock(&kept.lock);
    return f;
}

static void destroy(Fibre *f) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (tools.race_destroy && f->race_context)
        tools.race_destroy(f->race_context);
    fibre_unpoison(f->base, stack_size()); /* frames that were left for good */
    munmap(f->base - page, stack_size() + page);
    free(f->context);
    free(f);
}

void fibre_host_close(FibreHost *host) {
    for (Fibre *f = host->all, *next; f; f = next) {
        next = f->next;
        if (!keep(f))
            destroy(f);
    }
}

/* A stack alone; NULL: no memory. */
static Fibre *map_stack(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), size = stack_size();
    Fibre *f = calloc(1, sizeof *f);
    char *at = mmap(NULL, size + page, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (!f || at == MAP_FAILED || mprotect(at, page, PROT_NONE) != 0) {
        if (at != MAP_FAILED)
            munmap(at, size + page);
        free(f);
        return NULL;
    }
    f->base = at + page;
    return f;
}

static Fibre *create(FibreHost *host) {
    Fibre *f = take_kept();
    if (!f && !(f = map_stack()))
        return NULL;
    f->host = host;
    f->next = host->all;
    host->all = f;
    return prepare(f) ? f : NULL;
}

Fibre *fibre_take(FibreHost *host) {
    Fibre *f = host->idle;
    if (f)
        host->idle = f->next_idle;
    else if (!(f = create(host)))
        return NULL;
    if (!tools.race_create)
        return f;
    if (f->race_context) /* a context that served before would order threads that are not ordered */
        tools.race_destroy(f->race_context);
    f->race_context = tools.race_create(0);
    return f;
}

void fibre_give(FibreHost *host, Fibre *f) {
    f->next_idle = host->idle;
    host->idle = f;
}
