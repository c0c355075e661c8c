// A fused map: an element of two inputs gives one of the output.
GX_KERNEL_PLAIN(map, args, 256) {
    i64 i = blockIdx.x * (i64)blockDim.x + threadIdx.x;
    if (i >= a.n)
        return;
    u32 x = a.x[i];
    i32 y = (i32)a.y[i];
    i32 turned = gx_shl(y, x & 63);
    a.out[i] = gx_add((u32)turned, gx_mod(x, gx_max(x & 7, 1u)));
}
