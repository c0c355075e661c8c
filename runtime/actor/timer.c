/* Timers: a heap by the time they are due. */
#include "actor.h"

#include <stdlib.h>

static bool is_before(const Timer *a, const Timer *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(Timer *a, Timer *b) {
    Timer t = *a;
    *a = *b;
    *b = t;
}

bool timers_add(Timers *timers, Timer timer) {
    if (timers->len == timers->cap) {
        int32_t cap = timers->cap ? timers->cap * 2 : 16;
        Timer *grown = realloc(timers->at, (size_t)cap * sizeof *grown);
        if (!grown)
            return false;
        timers->at = grown;
        timers->cap = cap;
    }
    timer.order = timers->next_order++;
    int32_t at = timers->len++;
    timers->at[at] = timer;
    for (; at > 0 && is_before(&timers->at[at], &timers->at[(at - 1) / 2]); at = (at - 1) / 2)
        swap(&timers->at[at], &timers->at[(at - 1) / 2]);
    return true;
}

Timer timers_take(Timers *timers) {
    Timer first = timers->at[0];
    timers->at[0] = timers->at[--timers->len];
    for (int32_t at = 0;;) {
        int32_t least = at, left = 2 * at + 1;
        for (int32_t k = left; k < left + 2 && k < timers->len; k++)
            if (is_before(&timers->at[k], &timers->at[least]))
                least = k;
        if (least == at)
            return first;
        swap(&timers->at[at], &timers->at[least]);
        at = least;
    }
}
