/* Faults: how they travel; fault_print.c draws them. A fault leaves to the innermost landing of its
   thread by _longjmp, which touches no signal mask; compiled code keeps nothing that needs
   unwinding but buffers, and those hang on the run's lists. */
#include "runtime.h"

#include "value/scalar.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- landings ---- */

void landing_push(Thread *t, Landing *landing) {
    landing->outer = t->landing;
    landing->depth = t->ctx.depth;
    landing->serial = t->ctx.serial;
    landing->device = t->ctx.device;
    landing->later = t->run ? t->run->nlater : 0;
    t->landing = landing;
}

void landing_pop(Thread *t, Landing *landing) {
    t->landing = landing->outer;
}

_Noreturn void fault_throw(Thread *t, Fault fault) {
    Landing *landing = t->landing;
    if (!landing) {
        fprintf(stderr, "gact: internal error: a fault outside of a run\n");
        abort();
    }
    t->pending = fault;
    t->landing = landing->outer;
    t->ctx.depth = landing->depth;
    t->ctx.serial = landing->serial;
    t->ctx.device = landing->device;
    if (t->run && !t->in_part)
        launch_forget_since(t->run, landing->later);
    _longjmp(landing->jump, 1);
}

void fault_drop(Fault *fault) {
    free(fault->text);
    *fault = (Fault){0};
}

void rt_fault(GactCtx *ctx, const GactSite *site, const int64_t *nums, int32_t n) {
    Fault fault = {.site = site, .kind = site ? site->kind : "fault"};
    fault.count = n < FAULT_NUMS ? n : FAULT_NUMS;
    if (fault.count > 0)
        memcpy(fault.nums, nums, sizeof *nums * (size_t)fault.count);
    fault_throw(thread_of(ctx), fault);
}

_Noreturn void fault_raise(GactCtx *ctx, const GactSite *site, const char *kind, const char *fmt,
                           ...) {
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = NULL;
    va_end(args);
    fault_throw(thread_of(ctx), (Fault){.site = site, .kind = kind, .text = text});
}

/* ---- try and guard ---- */

/* A stamp newer than that of any buffer this thread's try can see: in a part those of its own list,
   elsewhere those of all threads, which are idle then. */
static int64_t fresh_stamp(const Thread *t) {
    int64_t workers = t->in_part ? 0 : atomic_load(&t->run->worker_stamp);
    return (workers > t->stamp ? workers : t->stamp) + 1;
}

/* Runs body with a fresh stamp; false if it faulted, and then what it allocated is freed and
   t->pending holds the fault. */
static bool attempt(Thread *t, GactBodyFn body, void *env) {
    Landing landing; /* not cleared: jump is big */
    landing.stamp = t->stamp = fresh_stamp(t);
    landing_push(t, &landing);
    if (_setjmp(landing.jump)) {
        if (t->in_part)
            heap_free_since(t, t->live, landing.stamp);
        else
            run_free_since(t->run, landing.stamp);
        return false;
    }
    body(&t->ctx, env);
    landing_pop(t, &landing);
    return true;
}

int32_t rt_try_call(GactCtx *ctx, GactBodyFn body, void *env) {
    Thread *t = thread_of(ctx);
    if (attempt(t, body, env))
        return 0;
    if (t->pending.is_exit)
        fault_throw(t, t->pending);
    fault_drop(&t->pending);
    return 1;
}

int32_t rt_guard(GactCtx *ctx, GactBodyFn body, void *env) {
    Thread *t = thread_of(ctx);
    if (attempt(t, body, env))
        return 0;
    if (t->pending.is_exit || t->in_part)
        fault_throw(t, t->pending);
    run_keep_fault(t->run, &t->pending);
    return 1;
}

/* ---- messages ---- */

/* A number as its hole wants it: {} a whole one, {f} the bits of a float, {b} true or false. */
static void print_number(FILE *out, char form, int64_t bits) {
    Region region = {0};
    Text text = {.region = &region};
    if (form == 'b')
        text_puts(&text, bits ? "true" : "false");
    else
        scalar_print(&text, form == 'f' ? GACT_F64 : GACT_I64, (GactSlot){.i = bits});
    fwrite(text.at, 1, text.len, out);
    region_free(&region);
}

/* The length of the hole that begins here, 0 if none does. */
static int hole_length(const char *at) {
    if (at[0] != '{')
        return 0;
    if (at[1] == '}')
        return 2;
    return (at[1] == 'f' || at[1] == 'b') && at[2] == '}' ? 3 : 0;
}

/* Texts of the runtime's own faults come complete; a site's text has a hole for each number. */
void fault_print_message(FILE *out, const Fault *fault) {
    if (fault->text) {
        fputs(fault->text, out);
        return;
    }
    const char *text = fault->site && fault->site->text ? fault->site->text : fault->kind;
    int32_t next = 0;
    for (const char *at = text; *at; at++) {
        int hole = next < fault->count ? hole_length(at) : 0;
        if (hole) {
            print_number(out, at[1], fault->nums[next++]);
            at += hole - 1;
        } else {
            fputc(*at, out);
        }
    }
}
