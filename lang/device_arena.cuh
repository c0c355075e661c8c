/* Memory of points: arrays whose sizes are known only while a point runs. Stands behind device_forms.cuh.

   Each thread, or each warp where a warp does a point, owns a slot of the launch's arena. What is free of it
   is taken from both ends: side 0 grows up, side 1 down. A loop's results lie on one side and what each of its
   points needs on the other, which goes back when the point is over, so nothing is ever in the way of an array
   that grows. At the next point of the kernel all of the slot is free again.

   A slot that is too small makes the point leave as a fault does, and says so (`over`): the runtime then runs
   the launch again with larger slots. W is as in device_forms.cuh; where a warp shares a slot, all of its lanes
   keep the same state. */

struct gx_arena {
    u8 *at[2]; /* what is free: from at[0] up to at[1], 16-byte aligned */
    bool over;
};

enum { GX_ALIGN = 16, GX_LEAST = 16 /* elements of an array that grows */ };

GX_DEV gx_arena gx_arena_of(u8 *base, i64 bytes, i64 slot) {
    gx_arena m;
    m.at[0] = base + slot * bytes;
    m.at[1] = m.at[0] + bytes;
    m.over = false;
    return m;
}

/* A warp's slot: one half of it for what its lanes share, the other cut among them. */
GX_DEV gx_arena gx_arena_shared(u8 *base, i64 bytes, i64 slot) {
    gx_arena m = gx_arena_of(base, bytes, slot);
    m.at[1] = m.at[0] + bytes / 2;
    return m;
}
GX_DEV gx_arena gx_arena_lane(u8 *base, i64 bytes, i64 slot) {
    const i64 part = bytes / 64 / GX_ALIGN * GX_ALIGN;
    return gx_arena_of(base + slot * bytes + bytes / 2, part, gx_lane());
}

GX_DEV u64 gx_padded(u64 bytes) { return (bytes + GX_ALIGN - 1) & ~(u64)(GX_ALIGN - 1); }

/* Sizes are not negative. What does not fit into an i64 does not fit into memory, either. */
GX_DEV i64 gx_times(i64 a, i64 b) {
    const i64 most = 0x7fffffffffffffffll;
    if (((u64)a | (u64)b) >> 31 == 0)
        return a * b;
    return b != 0 && a > most / b ? most : a * b;
}

/* Does memory for n elements fit? */
template <class T> GX_DEV bool gx_fits(const gx_arena &m, i64 n) {
    return (u64)n <= (u64)(m.at[1] - m.at[0]) / sizeof(T);
}

/* Memory for n elements on a side, or null. */
template <class T> GX_DEV T *gx_take(gx_arena &m, int side, i64 n) {
    if (!gx_fits<T>(m, n)) {
        m.over = true;
        return (T *)0;
    }
    const u64 bytes = gx_padded((u64)n * sizeof(T));
    if (side == 0) {
        m.at[0] += bytes;
        return (T *)(m.at[0] - bytes);
    }
    m.at[1] -= bytes;
    return (T *)m.at[1];
}

template <int W, class T> GX_DEV void gx_copy(T *to, const T *from, i64 n) {
    GX_UNROLL1
    for (i64 k = W == 1 ? 0 : gx_lane(); k < n; k += W)
        to[k] = from[k];
    if constexpr (W > 1)
        gx_sync_warp();
}

/* n + 1 offsets that begin at 0; an array of no lists may have none. */
template <int W> GX_DEV void gx_copy_offsets(i64 *to, const i64 *from, i64 n) {
    const i64 base = n > 0 ? from[0] : 0;
    GX_UNROLL1
    for (i64 k = W == 1 ? 0 : gx_lane(); k <= n; k += W)
        to[k] = n > 0 ? from[k] - base : 0;
    if constexpr (W > 1)
        gx_sync_warp();
}

/* ---- columns that grow ---- */

template <class T> struct gx_column {
    T *at;
    i64 room;
};

/* Moves the end of what was taken last; the column keeps its first len elements. */
template <class T> GX_DEV void gx_stretch(gx_arena &m, int side, gx_column<T> &c, i64 len, u64 more) {
    if (side == 0) {
        m.at[0] += more;
        return;
    }
    m.at[1] -= more;
    T *const to = (T *)m.at[1];
    gx_copy<1>(to, (const T *)c.at, len);
    c.at = to;
}

/* Room for `more` elements behind the first len, or false. Twice the room where there is space for it. */
template <class T> GX_DEV bool gx_room(gx_arena &m, int side, gx_column<T> &c, i64 len, i64 more) {
    const i64 least = len + more;
    if (least <= c.room)
        return true;
    const u64 had = gx_padded((u64)c.room * sizeof(T));
    const u8 *const end = side == 0 ? (const u8 *)c.at + had : (const u8 *)c.at;
    const bool is_last = c.room > 0 && end == m.at[side];
    i64 room = gx_max(gx_max(2 * c.room, least), (i64)GX_LEAST);
    if (!gx_fits<T>(m, is_last ? room - c.room : room))
        room = least;
    if (!gx_fits<T>(m, is_last ? room - c.room : room)) {
        m.over = true;
        return false;
    }
    if (is_last) {
        gx_stretch(m, side, c, len, gx_padded((u64)room * sizeof(T)) - had);
    } else {
        T *const to = gx_take<T>(m, side, room);
        gx_copy<1>(to, (const T *)c.at, len);
        c.at = to;
    }
    c.room = room;
    return true;
}

/* ---- loops that carry arrays ----
   What a loop leaves behind on its side above the mark of its start is collected now and then: what is still
   carried goes to the other side, the side is freed down to the mark, and the whole block moves back. */

/* Bytes taken on a side since. */
GX_DEV i64 gx_since(const gx_arena &m, int side, const u8 *mark) {
    return side == 0 ? m.at[0] - mark : mark - m.at[1];
}

/* Does p lie in what was taken on a side since? */
GX_DEV bool gx_is_since(const gx_arena &m, int side, const u8 *mark, const void *p) {
    const u8 *const at = (const u8 *)p;
    return side == 0 ? at >= mark && at < m.at[0] : at >= m.at[1] && at < mark;
}

/* Moves what was taken on the other side since `there` to the mark on this side; by: how far. False where
   there is no room for both, as some of it was there twice. */
template <int W> GX_DEV bool gx_move_back(gx_arena &m, int side, u8 *mark, u8 *there, i64 &by) {
    const u8 *const from = side == 0 ? m.at[1] : there;
    const i64 bytes = side == 0 ? there - m.at[1] : m.at[0] - there;
    u8 *const to = side == 0 ? mark : mark - bytes;
    by = to - from;
    m.over |= side == 0 ? to + bytes > from : to < from + bytes;
    if (m.over)
        return false;
    gx_copy<W>((u64 *)to, (const u64 *)from, bytes / 8);
    m.at[side] = side == 0 ? to + bytes : to;
    m.at[1 - side] = there;
    return true;
}

template <class T> GX_DEV const T *gx_moved(const T *p, i64 by) { return (const T *)((const u8 *)p + by); }

/* ---- lists of all points ----
   How much each point adds to a list is counted first, by chunks; then each point knows its place. A point
   that faults has no count, so that sums may be anything, and are not used. */

/* The sum of points lo … hi - 1, in lane 0. */
GX_DEV i64 gx_count_chunk(const i64 *counts, i64 lo, i64 hi) {
    i64 sum = 0;
    GX_UNROLL1
    for (i64 p = lo + gx_lane(); p < hi; p += 32)
        sum = gx_add(sum, counts[p]);
    for (int d = 16; d > 0; d /= 2)
        sum = gx_add(sum, gx_lane_down(sum, d));
    return sum;
}

/* What is before each chunk, by one thread; all together. */
GX_DEV i64 gx_sums_before(i64 *sums, i64 n) {
    i64 before = 0;
    GX_UNROLL1
    for (i64 c = 0; c < n; c++) {
        const i64 sum = sums[c];
        sums[c] = before;
        before = gx_add(before, sum);
    }
    return before;
}

/* Counts become places: what is before each point. */
GX_DEV void gx_place_chunk(i64 *counts, i64 lo, i64 hi, i64 before) {
    GX_UNROLL1
    for (i64 from = lo; from < hi; from += 32) {
        const i64 p = from + gx_lane(), own = p < hi ? counts[p] : 0;
        i64 sum = own;
        for (u32 d = 1; d < 32; d *= 2) {
            const i64 left = gx_shfl_up(sum, d);
            if (gx_lane() >= d)
                sum += left;
        }
        if (p < hi)
            counts[p] = before + sum - own;
        before += gx_shfl(sum, 31);
    }
}

/* ---- scans inside of a point, with the tree of gx_group_scan and of the kernel's chunks ---- */

template <class T> struct gx_prefix {
    T base, before, groups, last, levels[4];
    i64 count;
    GX_DEV_MEMBER gx_prefix(const T &zero) : base(zero), before(zero), groups(zero), last(zero), count(0) {}
    template <class Op> GX_DEV_MEMBER void open_group(Op op) {
        const i64 in_chunk = count & (GX_CHUNK - 1);
        groups = in_chunk == GX_GROUP ? last : op(groups, last);
        if (in_chunk == 0)
            base = op(base, groups);
        before = in_chunk == 0 ? base : op(base, groups);
    }
    template <class Op> GX_DEV_MEMBER T next(const T &value, Op op, bool is_exclusive) {
        const int k = (int)(count & (GX_GROUP - 1));
        if (k == 0 && count > 0)
            open_group(op);
        const T left = last;
        T v = value;
        for (int level = 0; level < 4; level++) {
            if (k >> level & 1)
                v = op(levels[level], v);
            else if ((k & ((1 << level) - 1)) == (1 << level) - 1)
                levels[level] = v;
        }
        last = v;
        count++;
        if (is_exclusive)
            return k == 0 ? before : op(before, left);
        return op(before, v);
    }
};

/* Points of a chunk of a table of rounding sums, as codegen/host/table.c has it. */
GX_DEV i64 gx_table_chunk(i64 total, i64 bins) {
    i64 n = total / 16 / gx_max(bins, (i64)1);
    n = gx_max(gx_min(gx_min(n, total / GX_CHUNK), (i64)64), (i64)1);
    return gx_max((total + n - 1) / n, (i64)1);
}

/* ---- sorting inside of a point ---- */

/* order[0 … n - 1]: the numbers of n elements, sorted stably by merging runs; spare is as long. */
template <class Less> GX_DEV void gx_sort_order(i64 *order, i64 *spare, i64 n, Less less) {
    enum { RUN = 8 };
    for (i64 lo = 0; lo < n; lo += RUN) {
        const i64 hi = gx_min(lo + (i64)RUN, n);
        for (i64 k = lo; k < hi; k++) {
            i64 j = k;
            for (; j > lo && less(k, order[j - 1]); j--)
                order[j] = order[j - 1];
            order[j] = k;
        }
    }
    i64 *from = order, *to = spare;
    GX_UNROLL1
    for (i64 width = RUN; width < n; width *= 2) {
        GX_UNROLL1
        for (i64 lo = 0; lo < n; lo += 2 * width) {
            const i64 mid = gx_min(lo + width, n), hi = gx_min(mid + width, n);
            i64 x = lo, y = mid;
            GX_UNROLL1
            for (i64 k = lo; k < hi; k++)
                to[k] = y >= hi || (x < mid && !less(from[y], from[x])) ? from[x++] : from[y++];
        }
        i64 *const other = from;
        from = to;
        to = other;
    }
    if (from != order)
        gx_copy<1>(order, (const i64 *)from, n);
}
