/* Whether the emulated device finds mistakes: kernels of the kinds that programs are made of must give
   what C gives here, in every order of threads and under every sanitizer, and each mistake of
   faults.def must be found by what its row says. `faults FINDER` tries all of them, each in a process
   of its own; `faults FINDER NAME` is that process. Run in the project's root. */
#include "../../runtime/device/device.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIGHT = 0, BROKEN = 2, WRONG = 10, ENDED = 11, REPORTED = 99, SKIPPED = 77 };

static const char folder[] = "tests/emu/";

/* ---- programs ---- */

typedef struct {
    const uint32_t *x, *y;
    int64_t n;
} Inputs;

typedef struct {
    const char *name;
    int64_t n;
    int32_t columns, rows, threads; /* of the grid, in blocks, and of a block */
    int32_t inputs, outputs, work;  /* in words */
    void (*reference)(const Inputs *in, uint32_t *out);
} Program;

static void map(const Inputs *in, uint32_t *out) {
    for (int64_t i = 0; i < in->n; i++) {
        uint32_t x = in->x[i], y = in->y[i], by = x & 63, d = (x & 7) > 1 ? x & 7 : 1;
        out[i] = (by > 31 ? 0 : y << by) + x % d;
    }
}

static void warp_sum(const Inputs *in, uint32_t *out) {
    for (int64_t i = 0; i < in->n; i++)
        out[0] += in->x[i];
}

static void chunk_sum(const Inputs *in, uint32_t *out) {
    for (int64_t from = 0; from < in->n; from += 256) {
        uint32_t sum = 0;
        for (int64_t i = from; i < in->n && i < from + 256; i++)
            sum += in->x[i];
        out[0] = out[0] * 3 + sum;
    }
}

static void scan(const Inputs *in, uint32_t *out) {
    uint32_t sum = 0;
    for (int64_t i = 0; i < in->n; i++)
        out[i] = sum += in->x[i];
}

static void filter(const Inputs *in, uint32_t *out) {
    for (int64_t i = 0; i < in->n; i++) {
        uint32_t *tile = out + i / 128 * 129;
        if (in->x[i] % 3 == 0)
            tile[1 + tile[0]++] = in->x[i];
    }
}

static void histogram(const Inputs *in, uint32_t *out) {
    for (int64_t i = 0; i < in->n; i++)
        out[in->x[i] % 96]++;
}

static void radix(const Inputs *in, uint32_t *out) {
    for (int64_t from = 0; from < in->n; from += 64)
        for (uint32_t digit = 0; digit < 16; digit++)
            for (int64_t i = from; i < from + 64; i++)
                if ((in->x[i] & 15) == digit)
                    *out++ = in->x[i];
}

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void matmul(const Inputs *in, uint32_t *out) {
    for (int64_t r = 0; r < in->n; r++)
        for (int64_t c = 0; c < in->n; c++) {
            float sum = 0;
            for (int64_t k = 0; k < in->n; k++)
                sum = __builtin_fmaf(float_of(in->x[r * in->n + k]), float_of(in->y[k * in->n + c]),
                                     sum);
            memcpy(&out[r * in->n + c], &sum, sizeof sum);
        }
}

static void stencil(const Inputs *in, uint32_t *out) {
    for (int64_t i = 0; i < in->n; i++)
        out[i] = (i > 0 ? in->x[i - 1] : 0) + 2 * in->x[i] + 5 * (i + 1 < in->n ? in->x[i + 1] : 0);
}

/* Few threads each: sanitizers that look for races tell about 250 of them apart. */
static const Program programs[] = {
    {"map", 1000, 4, 1, 256, 1000, 1000, 0, map},
    {"warp_sum", 450, 4, 1, 128, 450, 1, 0, warp_sum},
    {"chunk_sum", 550, 3, 1, 64, 550, 1, 4, chunk_sum},
    {"scan", 590, 10, 1, 64, 590, 590, 31, scan},
    {"filter", 500, 4, 1, 128, 500, 4 * 129, 0, filter},
    {"histogram", 900, 5, 1, 64, 900, 96, 0, histogram},
    {"radix", 320, 5, 1, 64, 320, 320, 0, radix},
    {"matmul", 32, 2, 2, 256, 32 * 32, 32 * 32, 0, matmul},
    {"stencil", 300, 5, 1, 64, 300, 300, 0, stencil},
};
enum { PROGRAMS = sizeof programs / sizeof *programs };

/* ---- faults and finders ---- */

enum { RUN = 1, SEEDS = 2, ADDRESS = 4, THREAD = 8, UNDEFINED = 16 };

static const struct {
    const char *program, *what;
    int finders;
    const char *text, *from, *to;
} faults[] = {
#define FAULT(program, ...) {#program, __VA_ARGS__},
#include "faults.def"
};
enum { FAULTS = sizeof faults / sizeof *faults };

/* Names of the sanitizers' libraries, of clang and of gcc. */
static const struct {
    const char *name;
    int finders;
    const char *libraries[2];
} finders[] = {
    {"run", RUN | SEEDS, {NULL}},
    {"address", ADDRESS, {"libclang_rt.asan-x86_64.so", "libasan.so"}},
    {"thread", THREAD, {"libclang_rt.tsan-x86_64.so", "libtsan.so"}},
    {"undefined", UNDEFINED, {"libclang_rt.ubsan_standalone-x86_64.so", "libubsan.so"}},
};
enum { FINDERS = sizeof finders / sizeof *finders };

/* ---- one run ---- */

static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 1 << 16);
    if (!f || fread(text, 1, (1 << 16) - 1, f) == 0) {
        perror(path);
        exit(BROKEN);
    }
    fclose(f);
    return text;
}

/* The prelude and the program's text, with `from` replaced by `to` unless from is NULL. */
static char *unit_text(const Program *p, const char *from, const char *to) {
    static const char head[] = "struct args { const u32 *x, *y; u32 *out, *work; i64 n; };\n";
    char path[256], *all;
    snprintf(path, sizeof path, "%s%s.cu", folder, p->name);
    char *text = read_text(path), *at = from ? strstr(text, from) : text + strlen(text);
    if (!at || (from && strstr(at + 1, from))) {
        fprintf(stderr, "%s holds `%s` not once\n", path, from);
        exit(BROKEN);
    }
    if (asprintf(&all, "%s%s%.*s%s%s", device_prelude, head, (int)(at - text), text,
                 from ? to : "", from ? at + strlen(from) : "") < 0)
        exit(BROKEN);
    free(text);
    return all;
}

static void need(Device *d, DeviceStatus status) {
    if (status == DEVICE_OK)
        return;
    fprintf(stderr, "%s\n", d->error);
    exit(ENDED);
}

static DevicePtr block_of(Device *d, const uint32_t *from, int64_t words) {
    DevicePtr p;
    need(d, device_emu.alloc(d, words * 4, &p));
    if (from)
        need(d, device_emu.copy_in(d, 0, p, from, words * 4));
    else
        need(d, device_emu.fill(d, 0, p, 0, words * 4));
    return p;
}

static void make_inputs(const Program *p, uint32_t *x, uint32_t *y) {
    bool floats = !strcmp(p->name, "matmul");
    uint32_t random = 12345;
    for (int32_t k = 0; k < 2 * p->inputs; k++) {
        random = random * 1664525 + 1013904223;
        float f = (float)(random >> 24);
        uint32_t *to = k < p->inputs ? &x[k] : &y[k - p->inputs];
        *to = random >> 8;
        if (floats)
            memcpy(to, &f, sizeof f);
    }
}

typedef struct {
    DevicePtr x, y, out, work;
    int64_t n;
} Args;

static void launch(Device *d, DeviceModule *module, const Program *p, const Args *a) {
    DeviceFunc *f;
    DeviceGrid grid = {.blocks = {p->columns, p->rows, 1}, .threads = p->threads};
    need(d, device_emu.function(d, module, p->name, &f));
    need(d, device_emu.launch(d, 0, f, &grid, a, sizeof *a));
    need(d, device_emu.sync(d, 0));
}

/* RIGHT or WRONG; exits where the device ends the run. */
static int run_program(const Program *p, const char *code, size_t len) {
    Device *d;
    GactError error;
    DeviceModule *module;
    if (device_emu.open(0, &d, &error))
        exit(BROKEN);
    need(d, device_emu.load(d, code, len, &module));
    uint32_t *x = calloc((size_t)p->inputs, 4), *y = calloc((size_t)p->inputs, 4);
    uint32_t *got = calloc((size_t)p->outputs, 4), *want = calloc((size_t)p->outputs, 4);
    make_inputs(p, x, y);
    Args a = {block_of(d, x, p->inputs), block_of(d, y, p->inputs), block_of(d, NULL, p->outputs),
              block_of(d, NULL, p->work), p->n};
    launch(d, module, p, &a);
    need(d, device_emu.copy_out(d, 0, got, a.out, p->outputs * 4));
    need(d, device_emu.sync(d, 0));
    p->reference(&(Inputs){x, y, p->n}, want);
    DevicePtr blocks[] = {a.x, a.y, a.out, a.work};
    for (int k = 0; k < 4; k++)
        device_emu.free(d, blocks[k]);
    need(d, device_emu.sync(d, 0));
    int status = memcmp(got, want, (size_t)p->outputs * 4) ? WRONG : RIGHT;
    device_emu.unload(d, module);
    device_emu.close(d);
    free(x), free(y), free(got), free(want);
    return status;
}

static const Program *find_program(const char *name) {
    for (int k = 0; k < PROGRAMS; k++)
        if (!strcmp(programs[k].name, name))
            return &programs[k];
    fprintf(stderr, "there is no program %s\n", name);
    exit(BROKEN);
}

/* In this process: program `name`, or the fault of that number. */
static int run_one(const char *name, int seeds) {
    int fault = name[0] >= '0' && name[0] <= '9' ? atoi(name) : -1;
    const Program *p = find_program(fault < 0 ? name : faults[fault].program);
    char *text = fault < 0 ? unit_text(p, NULL, NULL)
                           : unit_text(p, faults[fault].from, faults[fault].to);
    Device *d;
    GactError error;
    void *code;
    size_t len;
    char *log, number[16];
    if (device_emu.open(0, &d, &error))
        return BROKEN;
    if (device_emu.compile(d, text, strlen(text), &code, &len, &log)) {
        fprintf(stderr, "%s\n%s\n", d->error, log);
        return BROKEN;
    }
    device_emu.close(d);
    free(text), free(log);
    int status = RIGHT;
    for (int seed = 0; seed <= seeds && status == RIGHT; seed++) {
        snprintf(number, sizeof number, "%d", seed);
        setenv("GACT_EMU_SEED", number, 1);
        status = run_program(p, code, len);
    }
    free(code);
    return status;
}

/* ---- all of them ---- */

/* What a child did and printed. */
typedef struct {
    int status;
    char text[1 << 16];
} Outcome;

static void set_up_child(int finder, const char *preload, int output) {
    dup2(output, 1);
    dup2(output, 2);
    setenv("GACT_EMU_THREADS", "1", 1);
    if (finder == 0)
        return;
    setenv("GACT_EMU_SAN", finders[finder].name, 1);
    setenv("ASAN_OPTIONS", "detect_leaks=0:exitcode=99", 1);
    setenv("TSAN_OPTIONS", "halt_on_error=1:exitcode=99", 1);
    setenv("UBSAN_OPTIONS", "exitcode=99", 1);
    if (preload)
        setenv("LD_PRELOAD", preload, 1);
}

static void try_one(const char *self, int finder, const char *preload, const char *name,
                    Outcome *out) {
    FILE *output = tmpfile();
    int status = 0;
    if (!output)
        exit(BROKEN);
    pid_t pid = fork();
    if (pid == 0) {
        set_up_child(finder, preload, fileno(output));
        execl(self, self, finders[finder].name, name, (char *)NULL);
        _exit(BROKEN);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        exit(BROKEN);
    rewind(output);
    out->text[fread(out->text, 1, sizeof out->text - 1, output)] = 0;
    fclose(output);
    out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A build with a sanitizer reports what it finds in an ordinary run, too. */
static bool is_found(int fault, int finder, const Outcome *o) {
    if (finder > 0 || o->status == REPORTED)
        return o->status == REPORTED;
    bool ended = o->status == ENDED && strstr(o->text, faults[fault].text);
    return ended || (o->status == WRONG && !faults[fault].text[0]);
}

static void report(const char *program, const char *what, const char *finder, const Outcome *o) {
    printf("%s, %s: not as it should be by `%s`: status %d\n%.2000s\n", program, what, finder,
           o->status, o->text);
}

static int try_all(const char *self, int finder, const char *preload) {
    static Outcome o;
    char number[16];
    int failures = 0, found = 0;
    for (int k = 0; k < PROGRAMS; k++) {
        try_one(self, finder, preload, programs[k].name, &o);
        if (o.status == RIGHT)
            continue;
        report(programs[k].name, "the program itself", finders[finder].name, &o);
        failures++;
    }
    for (int k = 0; k < FAULTS; k++) {
        if (!(faults[k].finders & finders[finder].finders))
            continue;
        snprintf(number, sizeof number, "%d", k);
        try_one(self, finder, preload, number, &o);
        found++;
        if (is_found(k, finder, &o))
            continue;
        report(faults[k].program, faults[k].what, finders[finder].name, &o);
        failures++;
    }
    printf("%s: %d programs are right, %d faults found, %d failures\n", finders[finder].name,
           PROGRAMS, found, failures);
    return failures != 0;
}

/* The file that the compiler knows under one of the finder's libraries; "" if there is none. */
static void find_library(int finder, char *path, size_t size) {
    const char *compiler = getenv("GACT_EMU_CXX");
    path[0] = 0;
    for (int k = 0; k < 2 && finders[finder].libraries[k]; k++) {
        char command[512];
        snprintf(command, sizeof command, "%s -print-file-name=%s", compiler ? compiler : "c++",
                 finders[finder].libraries[k]);
        FILE *f = popen(command, "r");
        if (f && fgets(path, (int)size, f))
            path[strcspn(path, "\n")] = 0;
        if (f)
            pclose(f);
        if (path[0] == '/' && access(path, R_OK) == 0)
            return;
        path[0] = 0;
    }
}

static int find_finder(const char *name) {
    for (int k = 0; k < FINDERS; k++)
        if (!strcmp(finders[k].name, name))
            return k;
    fprintf(stderr, "there is no finder %s\n", name);
    exit(BROKEN);
}

int main(int argc, char **argv) {
    char preload[4096];
    GactError error;
    if (argc < 2)
        return BROKEN;
    int finder = find_finder(argv[1]);
    if (argc > 2)
        return run_one(argv[2], finder == 0 ? 6 : 0);
    if (!device_emu.count(&error)) {
        puts(error.text);
        return SKIPPED;
    }
    find_library(finder, preload, sizeof preload);
    if (finders[finder].libraries[0] && !preload[0]) {
        printf("there is no library of the %s sanitizer\n", argv[1]);
        return SKIPPED;
    }
    return try_all(argv[0], finder, preload[0] ? preload : NULL);
}
