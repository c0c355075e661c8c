// A filter: a block packs what it keeps of its tile, in order, and says how many they are.
GX_KERNEL(filter, args, 128) {
    GX_SHARED_ARRAY(u32, kept, 4);
    u32 t = threadIdx.x, warp = t / 32;
    i64 i = blockIdx.x * 128ll + t;
    bool keeps = i < a.n && a.x[i] % 3 == 0;
    u32 votes = gx_ballot(keeps);
    if (gx_lane() == 0)
        kept[warp] = gx_popcount(votes);
    gx_sync();
    u32 at = gx_popcount(votes & ((1u << gx_lane()) - 1)), all = 0;
    for (u32 k = 0; k < 4; k++) {
        at += k < warp ? kept[k] : 0;
        all += kept[k];
    }
    u32 *out = a.out + blockIdx.x * 129;
    if (keeps)
        out[1 + at] = a.x[i];
    if (t >= all)
        out[1 + t] = 0;
    if (t == 0)
        out[0] = all;
}
