/* What the sanitizers must be told: which memory is free, and when a thread changes its stack.
   Expands to nothing in other builds. */
#ifndef GACT_SANITIZE_H
#define GACT_SANITIZE_H

#include <stddef.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define HEAP_POISON(at, n)   ASAN_POISON_MEMORY_REGION((at), (size_t)(n))
#define HEAP_UNPOISON(at, n) ASAN_UNPOISON_MEMORY_REGION((at), (size_t)(n))
#define FIBER_LEAVE(fiber, keep, bottom, size)                                                     \
    __sanitizer_start_switch_fiber((keep), (bottom), (size))
#define FIBER_ENTER(keep, old_bottom, old_size)                                                    \
    __sanitizer_finish_switch_fiber((keep), (old_bottom), (old_size))
#define FIBER_NEW()       NULL
#define FIBER_SELF()      NULL
#define FIBER_FREE(fiber) ((void)(fiber))
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#define HEAP_POISON(at, n)   ((void)(at), (void)(n))
#define HEAP_UNPOISON(at, n) ((void)(at), (void)(n))
#define FIBER_LEAVE(fiber, keep, bottom, size)                                                     \
    ((void)(keep), (void)(bottom), (void)(size), __tsan_switch_to_fiber((fiber), 0))
#define FIBER_ENTER(keep, old_bottom, old_size) ((void)(keep), (void)(old_bottom), (void)(old_size))
#define FIBER_NEW()                             __tsan_create_fiber(0)
#define FIBER_SELF()                            __tsan_get_current_fiber()
#define FIBER_FREE(fiber)                       __tsan_destroy_fiber(fiber)
#else
#define HEAP_POISON(at, n)   ((void)(at), (void)(n))
#define HEAP_UNPOISON(at, n) ((void)(at), (void)(n))
#define FIBER_LEAVE(fiber, keep, bottom, size)                                                     \
    ((void)(fiber), (void)(keep), (void)(bottom), (void)(size))
#define FIBER_ENTER(keep, old_bottom, old_size) ((void)(keep), (void)(old_bottom), (void)(old_size))
#define FIBER_NEW()                             NULL
#define FIBER_SELF()                            NULL
#define FIBER_FREE(fiber)                       ((void)(fiber))
#endif

#endif
