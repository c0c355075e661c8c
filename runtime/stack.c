/* Stacks for compiled code: big ones, reserved but not touched, with guard pages below. Compiled
   code counts the depth of recursion against max_depth, which allows a frame of FRAME_BYTES each;
   deeper frames hit the guard, and the handler on the signal stack turns that into a fault, too. */
#include "runtime.h"
#include "sanitize.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

enum { FRAME_BYTES = 1024, SIGNAL_STACK = 1 << 16, KEPT_STACK = 4 << 20, LANDING_ROOM = 4096 };
static const size_t stack_sizes[] = {512u << 20, 64u << 20, 8u << 20};

/* ---- the stacks ---- */

static struct {
    pthread_mutex_t lock;
    char *kept; /* linked through the word at the stack's top end */
    size_t bytes;
} stacks = {.lock = PTHREAD_MUTEX_INITIALIZER};

static char **stack_link(char *stack) {
    return (char **)(stack + stacks.bytes) - 1;
}

static char *stack_map(size_t bytes) {
    char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (mprotect(map, STACK_GUARD, PROT_NONE)) {
        munmap(map, bytes);
        return NULL;
    }
    /* A huge page for a few frames would cost more to clear than they take to run. */
    madvise(map, bytes, MADV_NOHUGEPAGE);
    return map;
}

/* The first stack decides the size of all, so that the limit of recursion is one for all threads.
 */
static char *stack_map_any(void) {
    if (stacks.bytes)
        return stack_map(stacks.bytes);
    for (size_t i = 0; i < sizeof stack_sizes / sizeof *stack_sizes; i++) {
        char *stack = stack_map(stack_sizes[i]);
        if (stack) {
            stacks.bytes = stack_sizes[i];
            return stack;
        }
    }
    return NULL;
}

char *stack_take(void) {
    pthread_mutex_lock(&stacks.lock);
    char *stack = stacks.kept;
    if (stack)
        stacks.kept = *stack_link(stack);
    else
        stack = stack_map_any();
    pthread_mutex_unlock(&stacks.lock);
    return stack;
}

/* Gives the pages of a deep recursion back: those below the topmost KEPT_STACK bytes, if any. */
static void shed_pages(char *stack) {
    char *keep = stack + stacks.bytes - KEPT_STACK;
    unsigned char resident = 0;
    if (!mincore(keep - 4096, 4096, &resident) && resident & 1)
        madvise(stack + STACK_GUARD, stacks.bytes - STACK_GUARD - KEPT_STACK, MADV_DONTNEED);
}

void stack_give(char *stack) {
    shed_pages(stack);
    pthread_mutex_lock(&stacks.lock);
    HEAP_UNPOISON(stack + STACK_GUARD, stacks.bytes - STACK_GUARD);
    *stack_link(stack) = stacks.kept;
    stacks.kept = stack;
    pthread_mutex_unlock(&stacks.lock);
}

size_t stack_bytes(void) {
    return stacks.bytes;
}

void stack_trim(void) {
    pthread_mutex_lock(&stacks.lock);
    for (char *stack = stacks.kept, *next; stack; stack = next) {
        next = *stack_link(stack);
        munmap(stack, stacks.bytes);
    }
    stacks.kept = NULL;
    pthread_mutex_unlock(&stacks.lock);
}

/* ---- overflow ---- */

/* What this OS thread does. */
static _Thread_local struct {
    Thread *current; /* whose compiled code runs here */
    char *stack;     /* the big stack it is on, or NULL */
    void *signal_stack;
} self;

static struct sigaction old_action;
static pthread_mutex_t handler_lock = PTHREAD_MUTEX_INITIALIZER;

static char *program_counter(const ucontext_t *context) {
#if defined(__x86_64__)
    return (char *)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (char *)context->uc_mcontext.pc;
#else
    (void)context;
    return NULL;
#endif
}

static const GactSite site_exhausted = {.kind = "recursion",
                                        .text = "the stack is exhausted: recursion is too deep",
                                        .node = "",
                                        .file = -1,
                                        .other_file = -1};

static void throw_exhausted(Thread *t) {
    rt_fault(&t->ctx, &site_exhausted, NULL, 0);
}

/* Makes the interrupted thread go on in throw_exhausted, below the innermost landing: what lies
   there belongs to frames that the fault leaves anyway. So the signal is over when the fault
   travels. */
static void resume_in_throw(Thread *t, ucontext_t *context) {
    uintptr_t sp = ((uintptr_t)t->landing - LANDING_ROOM) & ~(uintptr_t)15;
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)(sp - 8); /* as after a call */
    context->uc_mcontext.gregs[REG_RDI] = (greg_t)t;
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)throw_exhausted;
#elif defined(__aarch64__)
    context->uc_mcontext.sp = sp;
    context->uc_mcontext.regs[0] = (uintptr_t)t;
    context->uc_mcontext.pc = (uintptr_t)throw_exhausted;
#else
    (void)context, (void)sp;
    throw_exhausted(t);
#endif
}

/* Only compiled code may be left by a jump: the runtime could hold a lock. */
static bool in_compiled_code(const Thread *t, const ucontext_t *context) {
    const GactProgram *program = t->run ? t->run->program : NULL;
    char *at = program_counter(context);
    return program && at >= program->code_from && at < program->code_to;
}

static void on_overflow(int sig, siginfo_t *info, void *context) {
    static const char text[] = "fault[recursion]: the stack is exhausted: recursion is too deep\n";
    Thread *t = self.current;
    char *at = info->si_addr;
    (void)sig;
    if (!t || at < t->guard_from || at >= t->guard_to) {
        sigaction(SIGSEGV, &old_action,
                  NULL); /* not ours: the access repeats and meets the other */
        return;
    }
    if (t->landing && in_compiled_code(t, context)) {
        resume_in_throw(t, context);
        return;
    }
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    _exit(GACT_FAULTED);
}

/* Asked before every run, since the program around us may have set a handler of its own; that one
   gets what is not ours. */
static void install_handler(void) {
    struct sigaction now,
        action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    pthread_mutex_lock(&handler_lock);
    if (!sigaction(SIGSEGV, NULL, &now) && now.sa_sigaction != on_overflow) {
        sigemptyset(&action.sa_mask);
        old_action = now;
        sigaction(SIGSEGV, &action, NULL);
    }
    pthread_mutex_unlock(&handler_lock);
}

static pthread_key_t signal_stack_key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void drop_signal_stack(void *memory) {
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    free(memory);
}

static void make_key(void) {
    pthread_key_create(&signal_stack_key, drop_signal_stack);
}

/* A signal stack for this thread, unless it has one; freed when the thread ends. */
static void watch_thread(void) {
    install_handler();
    if (self.signal_stack)
        return;
    pthread_once(&key_once, make_key);
    stack_t now;
    if (!sigaltstack(NULL, &now) && !(now.ss_flags & SS_DISABLE)) {
        self.signal_stack = now.ss_sp;
        return;
    }
    void *memory = malloc(SIGNAL_STACK);
    if (!memory)
        return;
    stack_t stack = {.ss_sp = memory, .ss_size = SIGNAL_STACK};
    if (sigaltstack(&stack, NULL)) {
        free(memory);
        return;
    }
    self.signal_stack = memory;
    pthread_setspecific(signal_stack_key, memory);
}

static void settle_on(Thread *t, char *stack) {
    t->guard_from = stack;
    t->guard_to = stack + STACK_GUARD;
    t->ctx.max_depth = (int64_t)(stacks.bytes / FRAME_BYTES);
}

void stack_enter(Thread *t, char *stack) {
    watch_thread();
    settle_on(t, stack);
    self.stack = stack;
    self.current = t;
}

void stack_leave(void) {
    self.stack = NULL;
    self.current = NULL;
}

/* ---- running there ---- */

/* One visit to another stack: both contexts and what the sanitizers keep for them. */
typedef struct {
    ucontext_t here, there;
    void (*body)(void *arg);
    void *arg;
    void *here_fiber, *there_fiber, *here_keep;
    const void *here_bottom;
    size_t here_size;
} Visit;

static void visit_main(unsigned low, unsigned high) {
    Visit *visit = (Visit *)((uintptr_t)high << 32 | low);
    FIBER_ENTER(NULL, &visit->here_bottom, &visit->here_size);
    visit->body(visit->arg);
    FIBER_LEAVE(visit->here_fiber, NULL, visit->here_bottom, visit->here_size);
    swapcontext(&visit->there, &visit->here);
    abort();
}

static void visit_run(Visit *visit, char *stack) {
    uintptr_t at = (uintptr_t)visit;
    char *bottom = stack + STACK_GUARD;
    size_t size = stacks.bytes - STACK_GUARD;
    visit->here_fiber = FIBER_SELF();
    visit->there_fiber = FIBER_NEW();
    getcontext(&visit->there);
    visit->there.uc_stack = (stack_t){.ss_sp = bottom, .ss_size = size};
    makecontext(&visit->there, (void (*)(void))visit_main, 2, (unsigned)at, (unsigned)(at >> 32));
    FIBER_LEAVE(visit->there_fiber, &visit->here_keep, bottom, size);
    swapcontext(&visit->here, &visit->there);
    FIBER_ENTER(visit->here_keep, NULL, NULL);
    FIBER_FREE(visit->there_fiber);
}

bool stack_call(Thread *t, void (*body)(void *arg), void *arg) {
    Thread *outer = self.current;
    char *own = self.stack;
    if (own) {
        settle_on(t, own);
        self.current = t;
        body(arg);
        self.current = outer;
        return true;
    }
    char *stack = stack_take();
    if (!stack)
        return false;
    stack_enter(t, stack);
    Visit visit = {.body = body, .arg = arg};
    visit_run(&visit, stack);
    self.stack = NULL;
    self.current = outer;
    stack_give(stack);
    return true;
}
