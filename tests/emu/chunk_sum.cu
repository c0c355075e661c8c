// A reduction: a block sums a chunk by a tree in shared memory; the block that ends last sums the
// chunks' values in their order.
GX_KERNEL(chunk_sum, args, 64) {
    GX_SHARED_ARRAY(u32, part, 64);
    GX_SHARED(bool, is_last);
    u32 t = threadIdx.x;
    i64 from = blockIdx.x * 256ll, to = from + 256 < a.n ? from + 256 : a.n;
    u32 sum = 0;
    GX_UNROLL1
    for (i64 i = from + t; i < to; i += 64)
        sum += a.x[i];
    part[t] = sum;
    gx_sync();
    for (u32 half = 32; half; half >>= 1) {
        if (t < half)
            part[t] += part[t + half];
        gx_sync();
    }
    if (t == 0) {
        a.work[1 + blockIdx.x] = part[0];
        gx_fence();
        is_last = gx_fetch_add(a.work, 1u) == gridDim.x - 1;
        gx_fence();
    }
    gx_sync();
    if (is_last && t == 63) {
        u32 all = 0;
        for (u32 k = 0; k < gridDim.x; k++)
            all = all * 3 + a.work[1 + k];
        a.out[0] = all;
    }
}
