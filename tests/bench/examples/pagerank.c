/* Links sorted by their targets by counting, then rounds over them. */
#include "harness.h"

#include <stdlib.h>

enum { NODES = 200000, LINKS = 2000000, ROUNDS = 20 };
static int64_t *from, *to, *first, *source, *links;
static double *rank, *share;

void prepare(void) {
    from = array(LINKS, sizeof *from);
    to = array(LINKS, sizeof *to);
    source = array(LINKS, sizeof *source);
    first = array(NODES + 2, sizeof *first);
    links = array(NODES, sizeof *links);
    rank = array(NODES, sizeof *rank);
    share = array(NODES, sizeof *share);
    for (uint64_t i = 0; i < LINKS; i++) {
        double at = uniform(2 * i + 1);
        from[i] = (int64_t)(NODES * uniform(2 * i));
        to[i] = (int64_t)(NODES * (at * at));
    }
}

static void sort_links(void) {
    for (int v = 0; v < NODES + 2; v++)
        first[v] = 0;
    for (int v = 0; v < NODES; v++)
        links[v] = 0;
    for (int i = 0; i < LINKS; i++) {
        first[to[i] + 2]++;
        links[from[i]]++;
    }
    for (int v = 2; v < NODES + 2; v++)
        first[v] += first[v - 1];
    for (int i = 0; i < LINKS; i++)
        source[first[to[i] + 1]++] = from[i];
}

static void walk(void) {
    double lost = 0;
    for (int v = 0; v < NODES; v++) {
        lost += links[v] ? 0 : rank[v];
        share[v] = links[v] ? rank[v] / (double)links[v] : 0;
    }
    for (int v = 0; v < NODES; v++) {
        double in = 0;
        for (int64_t k = first[v]; k < first[v + 1]; k++)
            in += share[source[k]];
        rank[v] = (0.15 + 0.85 * lost) / NODES + 0.85 * in;
    }
}

double run(int k) {
    double squares = 0;
    from[0] = k;
    sort_links();
    for (int v = 0; v < NODES; v++)
        rank[v] = 1.0 / NODES;
    for (int round = 0; round < ROUNDS; round++)
        walk();
    for (int v = 0; v < NODES; v++)
        squares += rank[v] * rank[v];
    return squares * NODES;
}
