/* Traps of device code: while a launch runs, a signal that the processor raises in a fibre (a division
   by zero, an access to what is no memory, the end of the stack) makes the fibre go on in the host's
   `trapped`, at the other end of its stack, which is given up. Signals of anything else go to whoever
   handled them before. Nothing is done where a sanitizer reports such errors itself. */
#include "emu.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define CAN_TRAP 1
#else
#define CAN_TRAP 0
#endif

enum { SIGNAL_STACK = 32 << 10 };

static const int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct {
    pthread_mutex_t lock;
    int32_t launches; /* that are under way */
    struct sigaction before[SIGNALS];
} handlers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local FibreHost *watched; /* of this OS thread, while it runs a launch */
static _Thread_local void *own_stack;    /* for signals, if it had none */

/* Lets the interrupted fibre call host->trapped(host->arg) instead. */
static void divert(FibreHost *host, ucontext_t *context) {
    uintptr_t top = (uintptr_t)fibre_stack_top(host->current) & ~(uintptr_t)15;
#if defined(__x86_64__)
    context->uc_mcontext.gregs[REG_RSP] = (greg_t)(top - 8); /* as after a call */
    context->uc_mcontext.gregs[REG_RDI] = (greg_t)(uintptr_t)host->arg;
    context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)host->trapped;
#elif defined(__aarch64__)
    context->uc_mcontext.sp = top;
    context->uc_mcontext.regs[0] = (uintptr_t)host->arg;
    context->uc_mcontext.pc = (uintptr_t)host->trapped;
#else
    (void)context, (void)top;
#endif
}

/* To the handler from before: a fault that nobody handles repeats and ends the process. */
static void pass_on(int k, siginfo_t *info, void *context) {
    const struct sigaction *before = &handlers.before[k];
    if (before->sa_flags & SA_SIGINFO)
        before->sa_sigaction(signals[k], info, context);
    else if (before->sa_handler != SIG_DFL && before->sa_handler != SIG_IGN)
        before->sa_handler(signals[k]);
    else
        sigaction(signals[k], before, NULL);
}

static void on_signal(int sig, siginfo_t *info, void *context) {
    int k = 0;
    while (signals[k] != sig)
        k++;
    if (!watched || !watched->current || info->si_code <= 0) { /* <= 0: a process sent it */
        pass_on(k, info, context);
        return;
    }
    watched->trap_signal = sig;
    watched->trap_address = info->si_addr;
    divert(watched, context);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (int k = 0; k < SIGNALS; k++)
        sigaction(signals[k], &action, &handlers.before[k]);
}

/* Unless somebody else's handler came in between: that one passes on to ours, if to anyone. */
static void uninstall(void) {
    for (int k = 0; k < SIGNALS; k++) {
        struct sigaction now;
        if (!sigaction(signals[k], NULL, &now) && now.sa_sigaction == on_signal)
            sigaction(signals[k], &handlers.before[k], NULL);
    }
}

void emu_traps_open(void) {
    if (!CAN_TRAP || fibre_sees_errors())
        return;
    pthread_mutex_lock(&handlers.lock);
    if (handlers.launches++ == 0)
        install();
    pthread_mutex_unlock(&handlers.lock);
}

void emu_traps_close(void) {
    if (!CAN_TRAP || fibre_sees_errors())
        return;
    pthread_mutex_lock(&handlers.lock);
    if (--handlers.launches == 0)
        uninstall();
    pthread_mutex_unlock(&handlers.lock);
}

void emu_traps_watch(FibreHost *host) {
    stack_t now;
    watched = host;
    if (host && !sigaltstack(NULL, &now) && now.ss_flags & SS_DISABLE) {
        own_stack = malloc(SIGNAL_STACK);
        stack_t stack = {.ss_sp = own_stack, .ss_size = SIGNAL_STACK};
        if (own_stack)
            sigaltstack(&stack, NULL);
    } else if (!host && own_stack) {
        stack_t off = {.ss_flags = SS_DISABLE};
        sigaltstack(&off, NULL);
        free(own_stack);
        own_stack = NULL;
    }
}
