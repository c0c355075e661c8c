/* Sort of records by unsigned keys; a template. Many records are first cut by the highest bits that
   differ into buckets that fit the cache, by all threads; a bucket is then sorted by one thread,
   least significant digit first. One thread has no use for buckets where quicksort is vectorised,
   which also sorts them then. Included with
   - RADIX_NAME(x)         the name of a function of this instance
   - RADIX_RECORD          the type of a record
   - RADIX_KEY(r)          a record's key, an unsigned integer
   - RADIX_QUICK(at, n)    tries to sort n records whose equals are alike; false where it cannot
   and leaves RADIX_NAME(sort), which is stable. */

static void RADIX_NAME(insertion)(RADIX_RECORD *records, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        RADIX_RECORD r = records[i];
        int64_t at = i;
        for (; at > 0 && RADIX_KEY(records[at - 1]) > RADIX_KEY(r); at--)
            records[at] = records[at - 1];
        records[at] = r;
    }
}

/* Done when they are in order, or in the reverse order without equals. */
static bool RADIX_NAME(runs)(RADIX_RECORD *records, int64_t n) {
    int64_t rising = 1, falling = 1;
    while (rising < n && RADIX_KEY(records[rising - 1]) <= RADIX_KEY(records[rising]))
        rising++;
    while (falling < n && RADIX_KEY(records[falling - 1]) > RADIX_KEY(records[falling]))
        falling++;
    if (falling < n)
        return rising == n;
    for (int64_t i = 0, k = n - 1; i < k; i++, k--) {
        RADIX_RECORD swap = records[i];
        records[i] = records[k];
        records[k] = swap;
    }
    return true;
}

/* Sorts n records at `at` by bits from_bit … to_bit - 1, least significant digit first; `other` has
   room for as many. Returns where they are then. All digits are counted in one pass. */
static RADIX_RECORD *RADIX_NAME(by_digits)(RADIX_RECORD *at, RADIX_RECORD *other, int64_t n,
                                           int from_bit, int to_bit) {
    const Digits cut = digits_of(n, to_bit - from_bit);
    const uint64_t mask = (UINT64_C(1) << cut.bits) - 1;
    int64_t places[MAX_PLACES];
    memset(places, 0, (size_t)cut.count * (mask + 1) * sizeof *places);
    for (int64_t i = 0; i < n; i++)
        for (int d = 0; d < cut.count; d++)
            places[((uint64_t)d << cut.bits) +
                   (RADIX_KEY(at[i]) >> (from_bit + d * cut.bits) & mask)]++;
    for (int d = 0; d < cut.count; d++) {
        int shift = from_bit + d * cut.bits;
        int64_t *place = places + ((int64_t)d << cut.bits);
        if (!counts_to_places(place, (int64_t)mask + 1, 1, n))
            continue; /* all have the same digit */
        for (int64_t i = 0; i < n; i++)
            other[place[RADIX_KEY(at[i]) >> shift & mask]++] = at[i];
        RADIX_RECORD *swap = at;
        at = other;
        other = swap;
    }
    return at;
}

static void RADIX_NAME(count_range)(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Radix *radix = env;
    const RADIX_RECORD *from = radix->from;
    int shift = radix->shift;
    (void)ctx;
    for (int64_t block = lo; block < hi; block++) {
        int64_t *counts = radix->counts + block * BUCKETS, at, end;
        for (radix_block(radix, block, &at, &end); at < end; at++)
            counts[RADIX_KEY(from[at]) >> shift & (BUCKETS - 1)]++;
    }
}

/* Moves a block's records to their buckets. A line of each bucket is gathered in `lines` and
   written when it is full, past the caches. */
static void RADIX_NAME(scatter_block)(const Radix *radix, int64_t block, RADIX_RECORD *lines) {
    enum { LINE = LINE_BYTES / sizeof(RADIX_RECORD) };
    const RADIX_RECORD *from = radix->from;
    RADIX_RECORD *to = radix->to;
    int64_t *places = radix->counts + block * BUCKETS, starts[BUCKETS], at, end;
    int shift = radix->shift;
    memcpy(starts, places, sizeof starts);
    for (radix_block(radix, block, &at, &end); at < end; at++) {
        int64_t bucket = RADIX_KEY(from[at]) >> shift & (BUCKETS - 1), place = places[bucket]++;
        RADIX_RECORD *line = lines + bucket * LINE;
        line[place % LINE] = from[at];
        if (place % LINE < LINE - 1)
            continue;
        int64_t first = place - (LINE - 1);
        if (first >= starts[bucket])
            stream_line(to + first, line);
        else
            for (int64_t i = starts[bucket]; i <= place; i++)
                to[i] = line[i % LINE];
    }
    for (int64_t bucket = 0; bucket < BUCKETS; bucket++) {
        int64_t place = places[bucket], first = place - place % LINE;
        for (int64_t i = first > starts[bucket] ? first : starts[bucket]; i < place; i++)
            to[i] = lines[bucket * LINE + i % LINE];
    }
    stream_end();
}

static void RADIX_NAME(scatter_range)(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    GactBuf *lines = scratch(thread_of(ctx), BUCKETS, LINE_BYTES);
    for (int64_t block = lo; block < hi; block++)
        RADIX_NAME(scatter_block)(env, block, (RADIX_RECORD *)(lines + 1));
    heap_release(thread_of(ctx), lines);
}

/* Sorts the buckets lo … hi - 1, which lie in radix->to, by the lower bits; they end in
 * radix->from. */
static void RADIX_NAME(bucket_range)(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Radix *radix = env;
    const int64_t *ends = radix->counts + (radix->blocks - 1) * BUCKETS;
    (void)ctx;
    for (int64_t bucket = lo; bucket < hi; bucket++) {
        int64_t start = bucket ? ends[bucket - 1] : 0, n = ends[bucket] - start;
        RADIX_RECORD *at = (RADIX_RECORD *)radix->to + start,
                     *home = (RADIX_RECORD *)radix->from + start;
        RADIX_RECORD *sorted = at;
        if (n <= INSERTION_MAX)
            RADIX_NAME(insertion)(at, n);
        else if (!RADIX_QUICK(at, n))
            sorted = RADIX_NAME(by_digits)(at, home, n, radix->from_bit, radix->shift);
        if (sorted != home)
            memcpy(home, sorted, (size_t)n * sizeof *home);
    }
}

static void RADIX_NAME(differ_range)(GactCtx *ctx, void *env, int64_t lo, int64_t hi) {
    Radix *radix = env;
    const RADIX_RECORD *from = radix->from;
    uint64_t differ = 0;
    (void)ctx;
    for (int64_t block = lo; block < hi; block++) {
        int64_t at, end;
        for (radix_block(radix, block, &at, &end); at < end; at++)
            differ |= RADIX_KEY(from[at]) ^ RADIX_KEY(from[0]);
    }
    atomic_fetch_or(&radix->differ, differ);
}

/* Sorts n records by way of buckets; `spare` has room for as many. */
static void RADIX_NAME(by_buckets)(Thread *t, RADIX_RECORD *records, RADIX_RECORD *spare, int64_t n,
                                   int64_t blocks, int from_bit) {
    Radix radix;
    GactBuf *counts = radix_open(t, &radix, n, blocks);
    radix.from = records;
    radix.to = spare;
    radix.from_bit = from_bit;
    pool_run(t, "sort: look", RADIX_NAME(differ_range), &radix, radix.blocks);
    radix_choose(&radix);
    pool_run(t, "sort: count", RADIX_NAME(count_range), &radix, radix.blocks);
    counts_to_places(radix.counts, BUCKETS, radix.blocks, n);
    pool_run(t, "sort: move", RADIX_NAME(scatter_range), &radix, radix.blocks);
    if (radix.blocks > 1)
        pool_run(t, "sort: buckets", RADIX_NAME(bucket_range), &radix, BUCKETS);
    else
        RADIX_NAME(bucket_range)(&t->ctx, &radix, 0, BUCKETS);
    heap_release(t, counts);
}

/* Sorts n records in place by bits from_bit … to_bit - 1 of their keys; lower bits are alike or in
   order as the records stand. */
static void RADIX_NAME(sort)(Thread *t, RADIX_RECORD *records, int64_t n, int from_bit,
                             int to_bit) {
    int64_t size = (int64_t)sizeof *records, blocks = radix_blocks(t, n, size);
    if (n <= INSERTION_MAX) {
        RADIX_NAME(insertion)(records, n);
        return;
    }
    if (RADIX_NAME(runs)(records, n) || (blocks == 1 && RADIX_QUICK(records, n)))
        return;
    GactBuf *buf = scratch(t, n, sizeof *records);
    RADIX_RECORD *spare = (RADIX_RECORD *)(buf + 1), *sorted = records;
    if (n * size <= CACHE_BYTES)
        sorted = RADIX_NAME(by_digits)(records, spare, n, from_bit, to_bit);
    else
        RADIX_NAME(by_buckets)(t, records, spare, n, blocks, from_bit);
    if (sorted != records)
        memcpy(records, sorted, (size_t)n * sizeof *records);
    heap_release(t, buf);
}

#undef RADIX_NAME
#undef RADIX_RECORD
#undef RADIX_KEY
#undef RADIX_QUICK
