// A scan in one pass: a block scans its tile, publishes the tile's sum, and looks back over the tiles
// before it. Tiles are numbered by a ticket, so that those before have begun. A word of a tile's state
// is 0 before anything is known, 1 with the tile's sum beside it, 2 with the sum up to its end.
GX_KERNEL(scan, args, 64) {
    GX_SHARED_ARRAY(u32, part, 64);
    GX_SHARED(u32, tile);
    GX_SHARED(u32, before);
    u32 t = threadIdx.x, *state = a.work + 1;
    if (t == 0)
        tile = gx_fetch_add(a.work, 1u);
    gx_sync();
    i64 i = tile * 64ll + t;
    u32 sum = i < a.n ? a.x[i] : 0;
    part[t] = sum;
    gx_sync();
    for (u32 by = 1; by < 64; by <<= 1) {
        u32 more = t >= by ? part[t - by] : 0;
        gx_sync();
        part[t] = sum = sum + more;
        gx_sync();
    }
    if (t == 0) {
        u32 *own = state + 3 * tile, found = 0;
        own[1] = own[2] = part[63];
        gx_store_release(own, tile ? 1u : 2u);
        for (u32 k = tile; k > 0;) {
            u32 *other = state + 3 * --k, known;
            while (!(known = gx_load_acquire(other)))
                gx_pause();
            found += known == 2 ? other[2] : other[1];
            if (known == 2)
                break;
        }
        before = found;
        if (tile) {
            own[2] = found + part[63];
            gx_store_release(own, 2u);
        }
    }
    gx_sync();
    if (i < a.n)
        a.out[i] = before + sum;
}
