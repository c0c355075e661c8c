/* CPU features from CPUID. A register state that the operating system does not save makes every
   feature that needs it absent. */
#include "cpu.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

typedef enum {
    LEAF_1_ECX,
    LEAF_1_EDX,
    LEAF_7_EBX,
    LEAF_7_ECX,
    LEAF_7_EDX,
    LEAF_71_EAX,
    LEAF_71_EDX,
    LEAF_D1_EAX,
    LEAF_14_ECX,
    LEAF_19_EBX,
    LEAF_X1_ECX,
    LEAF_X1_EDX,
    LEAF_X8_EBX,
    WORD_COUNT
} Word;
typedef enum { STATE_NONE, STATE_AVX, STATE_AVX512, STATE_AMX } State;

static const struct {
    const char *name;
    Word word;
    int bit;
    State state;
} features[] = {
#define CPU_FEATURE(name, word, bit, state) {name, word, bit, STATE_##state},
#include "cpu_features.def"
};

static uint32_t words[WORD_COUNT];
static uint64_t saved; /* what the operating system saves: XCR0 */

static void leaf(unsigned number, unsigned sub, uint32_t r[4]) {
    if (!__get_cpuid_count(number, sub, &r[0], &r[1], &r[2], &r[3]))
        memset(r, 0, 4 * sizeof *r);
}

static void read_words(void) {
    uint32_t r[4];
    leaf(1, 0, r);
    words[LEAF_1_ECX] = r[2];
    words[LEAF_1_EDX] = r[3];
    leaf(7, 0, r);
    words[LEAF_7_EBX] = r[1];
    words[LEAF_7_ECX] = r[2];
    words[LEAF_7_EDX] = r[3];
    if (r[0] >= 1) {
        leaf(7, 1, r);
        words[LEAF_71_EAX] = r[0];
        words[LEAF_71_EDX] = r[3];
    }
    leaf(0xd, 1, r);
    words[LEAF_D1_EAX] = r[0];
    leaf(0x19, 0, r);
    words[LEAF_19_EBX] = r[1];
    leaf(0x80000001, 0, r);
    words[LEAF_X1_ECX] = r[2];
    words[LEAF_X1_EDX] = r[3];
    leaf(0x80000008, 0, r);
    words[LEAF_X8_EBX] = r[1];
    if (words[LEAF_1_ECX] >> 27 & 1) { /* OSXSAVE */
        uint32_t low, high;
        __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        saved = (uint64_t)high << 32 | low;
    }
}

static bool state_saved(State state) {
    static const uint64_t masks[] = {
        [STATE_NONE] = 0, [STATE_AVX] = 0x6, [STATE_AVX512] = 0xe6, [STATE_AMX] = 0x60000};
    return (saved & masks[state]) == masks[state];
}

/* CPUID costs microseconds in a virtual machine: it is asked once a process. */
static bool has(const char *name, size_t len) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_words);
    for (size_t i = 0; i < sizeof features / sizeof *features; i++)
        if (strlen(features[i].name) == len && !memcmp(features[i].name, name, len))
            return words[features[i].word] >> features[i].bit & 1 && state_saved(features[i].state);
    return false;
}
#else
static bool has(const char *name, size_t len) {
    (void)name, (void)len;
    return false;
}
#endif

bool cpu_has(const char *name) {
    return has(name, strlen(name));
}

bool cpu_missing_features(const char *list, char *missing, size_t size) {
    size_t used = 0;
    missing[0] = '\0';
    for (const char *at = list; *at;) {
        size_t len = strcspn(at, ",");
        bool unwanted = *at == '-';
        size_t sign = *at == '+' || *at == '-';
        if (len > sign && !unwanted && !has(at + sign, len - sign) && used < size)
            used += (size_t)snprintf(missing + used, size - used, "%s%.*s", used ? ", " : "",
                                     (int)(len - sign), at + sign);
        at += len + (at[len] == ',');
    }
    return used > 0;
}
