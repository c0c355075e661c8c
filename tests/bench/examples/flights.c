/* Names by a hash table, flights sorted into groups by counting, each group's delays sorted; groups
 * by name last. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

enum { N = 100000, AIRPORTS = 200, SLOTS = 1024 };

typedef struct {
    const char *name;
    int64_t count, first;
} Group;

static char names[AIRPORTS][4];
static const char **origin;
static int64_t *delay, *sorted;
static int *group_of;
static Group groups[SLOTS];

void prepare(void) {
    origin = array(N, sizeof *origin);
    delay = array(N, sizeof *delay);
    sorted = array(N, sizeof *sorted);
    group_of = array(N, sizeof *group_of);
    for (int k = 0; k < AIRPORTS; k++)
        for (int c = 0; c < 3; c++)
            names[k][c] = (char)('A' + (c == 0 ? k % 20 : c == 1 ? k / 20 % 10 : k % 7));
    for (uint64_t i = 0; i < N; i++) {
        double x = uniform(2 * i), y = uniform(2 * i + 1);
        delay[i] = (int64_t)(200 * (x * x * x)) - 10;
        origin[i] = names[(int)(AIRPORTS * y * y)];
    }
}

/* The slot of a name: open addressing. */
static int slot_of(const char *name) {
    unsigned h = 2166136261u;
    for (const char *c = name; *c; c++)
        h = (h ^ (unsigned char)*c) * 16777619u;
    for (h %= SLOTS; groups[h].name && strcmp(groups[h].name, name); h = (h + 1) % SLOTS) {
    }
    groups[h].name = name;
    return (int)h;
}

static int by_delay(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b) {
    const Group *x = a, *y = b;
    return x->name && y->name ? strcmp(x->name, y->name) : (y->name != NULL) - (x->name != NULL);
}

static void sort_into_groups(void) {
    int64_t at = 0;
    memset(groups, 0, sizeof groups);
    for (int i = 0; i < N; i++)
        groups[group_of[i] = slot_of(origin[i])].count++;
    for (int g = 0; g < SLOTS; g++) {
        groups[g].first = at;
        at += groups[g].count;
        groups[g].count = 0;
    }
    for (int i = 0; i < N; i++) {
        Group *g = &groups[group_of[i]];
        sorted[g->first + g->count++] = delay[i];
    }
}

static double summary(const Group *g) {
    int64_t *at = sorted + g->first, total = 0, late = 0;
    double n = (double)g->count;
    qsort(at, (size_t)g->count, sizeof *at, by_delay);
    for (int64_t i = 0; i < g->count; i++) {
        total += at[i];
        late += at[i] > 15;
    }
    double place = 0.9 * (n - 1);
    int64_t lo = (int64_t)place, hi = lo + 1 < g->count ? lo + 1 : lo;
    return (double)total / n + (double)late / n + (double)at[lo] +
           (double)(at[hi] - at[lo]) * (place - (double)lo);
}

double run(int k) {
    double result = 0;
    const char *name = origin[k];
    int64_t minutes = delay[k];
    origin[k] = origin[k + 1];
    delay[k] = delay[k + 1];
    sort_into_groups();
    qsort(groups, SLOTS, sizeof *groups, by_name);
    for (int g = 0; g < SLOTS && groups[g].count; g++)
        result += summary(&groups[g]);
    origin[k] = name;
    delay[k] = minutes;
    return result + (double)groups[3].count;
}
