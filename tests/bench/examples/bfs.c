/* A queue. */
#include "harness.h"

enum { NODES = 300000, DEGREE = 3, EDGES = NODES * DEGREE };
static int64_t *first, *target, *level, *queue;

static int64_t end_of(uint64_t i) {
    return (int64_t)(NODES * uniform(i));
}

void prepare(void) {
    first = array(NODES + 2, sizeof *first);
    target = array(2 * EDGES, sizeof *target);
    level = array(NODES, sizeof *level);
    queue = array(NODES, sizeof *queue);
    for (int i = 0; i < EDGES; i++) {
        first[i / DEGREE + 2]++;
        first[end_of((uint64_t)i) + 2]++;
    }
    for (int v = 2; v < NODES + 2; v++)
        first[v] += first[v - 1];
    for (int i = 0; i < EDGES; i++)
        target[first[i / DEGREE + 1]++] = end_of((uint64_t)i);
    for (int i = 0; i < EDGES; i++)
        target[first[end_of((uint64_t)i) + 1]++] = i / DEGREE;
}

double run(int k) {
    int64_t total = 0, end = 1;
    for (int v = 0; v < NODES; v++)
        level[v] = -1;
    queue[0] = k;
    level[k] = 0;
    for (int64_t at = 0; at < end; at++) {
        int64_t v = queue[at];
        for (int64_t e = first[v]; e < first[v + 1]; e++)
            if (level[target[e]] < 0) {
                level[target[e]] = level[v] + 1;
                queue[end++] = target[e];
            }
    }
    for (int v = 0; v < NODES; v++)
        total += level[v];
    return (double)total;
}
