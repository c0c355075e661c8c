// A histogram: bins of a block in shared memory, then added to those of all.
GX_KERNEL(histogram, args, 64) {
    GX_SHARED_ARRAY(u32, bins, 96);
    u32 t = threadIdx.x;
    for (u32 k = t; k < 96; k += 64)
        bins[k] = 0;
    gx_sync();
    GX_UNROLL1
    for (i64 i = blockIdx.x * 64ll + t; i < a.n; i += gridDim.x * 64ll)
        gx_fetch_add(&bins[a.x[i] % 96], 1u);
    gx_sync();
    for (u32 k = t; k < 96; k += 64)
        if (bins[k])
            gx_fetch_add(&a.out[k], bins[k]);
}
