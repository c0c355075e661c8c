/* What the engine of the emulated device (C) and the code it runs (C++, made of device text behind
   emu_host.h) share. It includes nothing, as it is part of the text that is compiled. */
#ifndef GACT_EMU_ABI_H
#define GACT_EMU_ABI_H

enum { GX_EMU_VERSION = 1 };

typedef struct {
    unsigned x, y, z;
} GxIndex;

/* A place in device text that threads wait at; its address is its identity. */
typedef struct {
    const char *file;
    int line, serial; /* serial: keeps equal places apart */
} GxPlace;

/* What device code sees of the thread that it runs on; part of the engine's record. */
typedef struct {
    GxIndex thread, block, threads, blocks; /* threads: of a block; blocks: of the grid */
    unsigned lane, polls;                   /* polls: loads since the thread last let others run */
    int watched;                            /* accesses to what others see go through `access` */
    unsigned char *dynamic;                 /* dynamic shared memory of the block */
} GxThread;

/* Warp collectives; lanes that meet must do the same. */
enum { GX_WARP_SYNC = 1, GX_WARP_BALLOT, GX_WARP_SHFL, GX_WARP_UP, GX_WARP_DOWN, GX_WARP_XOR };

/* Where pred was true, by number, any and all of the block's threads. */
typedef struct {
    unsigned count, any, all;
} GxVotes;

/* Atomic accesses. A relaxed one orders nothing but with a fence of its thread. */
enum { GX_LOAD = 1, GX_STORE = 2, GX_RELAXED = 4 };

/* What device code asks the engine for. */
typedef struct {
    GxVotes (*barrier)(GxThread *t, const GxPlace *at, int pred);
    /* Waits until every lane of mask has come with the same op; out: what each of them brought. */
    void (*meet)(GxThread *t, const GxPlace *at, unsigned mask, int op, unsigned long long mine,
                 unsigned long long out[32]);
    /* The block's memory for a declaration, which key stands for. */
    void *(*shared)(GxThread *t, const void *key, unsigned long size, unsigned long align);
    /* Lets others run: the thread waits for memory to change, or (polled) perhaps does. */
    void (*pause)(GxThread *t, int polled);
    /* Before an atomic access: may let others run, and keeps account of what fences order. */
    void (*access)(GxThread *t, const void *p, int kind);
    void (*fence)(GxThread *t);
    void (*fail)(GxThread *t, const char *text); /* ends the launch */
} GxEngine;

/* What compiled text exports as gx_module. */
typedef struct {
    int version;
    const GxEngine **engine;
    GxThread **(*self)(void); /* where an OS thread's code looks for its thread */
} GxModule;

/* What it exports as gx_kernel_NAME. */
typedef struct {
    void (*run)(const void *args);                           /* the thread of *self() */
    void (*run_all)(const void *args, GxThread *t, unsigned n); /* t->thread.x from 0 … n - 1; NULL
                                                                   if threads may wait */
    unsigned long args_size;
} GxKernel;

#endif
