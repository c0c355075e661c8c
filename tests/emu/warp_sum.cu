// A sum: lanes by a butterfly, warps by an atomic.
GX_KERNEL(warp_sum, args, 128) {
    i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x;
    u32 v = i < a.n ? a.x[i] : 0;
    for (u32 with = 16; with; with >>= 1)
        v += gx_shfl_xor(v, with);
    if (gx_lane() == 0)
        gx_fetch_add(a.out, v);
}
