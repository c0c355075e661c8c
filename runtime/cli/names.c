/* Suggestions for misspelt names. */
#include "cli.h"

#include <string.h>

enum { LONGEST = 64 };

/* Edits between two names: a letter more, less, other, or two swapped. */
static int distance(const char *a, const char *b) {
    int n = (int)strlen(a), m = (int)strlen(b), rows[3][LONGEST + 1];
    if (n > LONGEST || m > LONGEST)
        return LONGEST;
    for (int j = 0; j <= m; j++)
        rows[0][j] = j;
    for (int i = 1; i <= n; i++) {
        int *now = rows[i % 3], *before = rows[(i + 2) % 3], *older = rows[(i + 1) % 3];
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int best = before[j - 1] + (a[i - 1] != b[j - 1]);
            best = before[j] + 1 < best ? before[j] + 1 : best;
            best = now[j - 1] + 1 < best ? now[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                older[j - 2] + 1 < best)
                best = older[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *nearest(const char *name, const char *const *candidates, int count) {
    const char *best = NULL;
    int limit = (int)strlen(name) / 3 + 1, least = limit + 1;
    for (int k = 0; k < count; k++) {
        int d = distance(name, candidates[k]);
        if (d < least) {
            least = d;
            best = candidates[k];
        }
    }
    return best;
}

const char *suggest(Region *region, const char *name, const char *const *candidates, int count) {
    const char *near = nearest(name, candidates, count);
    Text text = {.region = region};
    if (near)
        return region_printf(region, ": did you mean %s?", near);
    for (int k = 0; k < count; k++)
        text_printf(&text, "%s%s", k ? ", " : "; there is ", candidates[k]);
    return text_string(&text);
}
