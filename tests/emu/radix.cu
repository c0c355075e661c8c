// A pass of a radix sort: a block sorts its tile by four bits, and keeps the order of equals.
GX_KERNEL(radix, args, 64) {
    GX_SHARED_ARRAY(u32, counts, 32);
    GX_SHARED_ARRAY(u32, starts, 16);
    u32 t = threadIdx.x, warp = t / 32, lane = gx_lane();
    i64 i = blockIdx.x * 64ll + t;
    u32 key = a.x[i], digit = key & 15, rank = 0;
    for (u32 d = 0; d < 16; d++) {
        u32 votes = gx_ballot(digit == d);
        if (digit == d)
            rank = gx_popcount(votes & ((1u << lane) - 1));
        if (lane == 0)
            counts[2 * d + warp] = gx_popcount(votes);
    }
    gx_sync();
    if (t == 0) {
        u32 sum = 0;
        for (u32 d = 0; d < 16; d++) {
            starts[d] = sum;
            sum += counts[2 * d] + counts[2 * d + 1];
        }
    }
    gx_sync();
    rank += starts[digit] + (warp ? counts[2 * digit] : 0);
    a.out[blockIdx.x * 64ll + rank] = key;
}
