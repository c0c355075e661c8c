/* The loader, calls and their faults, over a hand-made image. */
#include "runtime/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include <cmocka.h>

static char folder[] = "/tmp/gact-test-XXXXXX";
static char image_path[64], other_path[64];

/* ---- making images ---- */

typedef struct {
    unsigned char *at;
    size_t size;
} Bytes;

static Bytes read_all(const char *path) {
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    Bytes bytes = {.size = (size_t)ftell(f)};
    rewind(f);
    bytes.at = malloc(bytes.size);
    assert_int_equal(fread(bytes.at, 1, bytes.size, f), bytes.size);
    fclose(f);
    return bytes;
}

static void write_all(const char *path, const void *at, size_t size) {
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(at, 1, size, f), size);
    fclose(f);
}

/* The trailer for these bytes. */
static void write_image(const char *path, Bytes code, uint32_t version, const char *features) {
    GactTrailer trailer = {.abi_version = version, .length = code.size + sizeof trailer};
    memcpy(trailer.magic, GACT_MAGIC, sizeof trailer.magic);
    strcpy(trailer.features, features);
    unsigned char *all = malloc(code.size + sizeof trailer);
    memcpy(all, code.at, code.size);
    memcpy(all + code.size, &trailer, sizeof trailer);
    trailer.checksum = XXH3_64bits(all, code.size + sizeof trailer - sizeof trailer.checksum);
    memcpy(all + code.size, &trailer, sizeof trailer);
    write_all(path, all, code.size + sizeof trailer);
    free(all);
}

static int make_image(void **state) {
    char command[2048], here[512], library[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(here, sizeof here, "%s", __FILE__);
    *strrchr(here, '/') = '\0';
    snprintf(library, sizeof library, "%s/program.so", folder);
    snprintf(image_path, sizeof image_path, "%s/program.gactx", folder);
    snprintf(other_path, sizeof other_path, "%s/other.gactx", folder);
    const char *cc = getenv("CC");
    snprintf(
        command, sizeof command,
        "%s -O1 -fno-optimize-sibling-calls -shared -fPIC -I%s/../.. %s/fixture/program.c -o %s",
        cc && *cc ? cc : "cc", here, here, library);
    assert_int_equal(system(command), 0);
    Bytes code = read_all(library);
    write_image(image_path, code, GACT_ABI_VERSION, "sse2,cx16");
    free(code.at);
    return 0;
}

static int remove_image(void **state) {
    char command[128];
    (void)state;
    gact_shutdown(NULL);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* ---- the loader ---- */

static void refuses(const char *path, const char *text) {
    GactProgram *program;
    GactError error;
    assert_int_equal(gact_image_open(path, &program, &error), GACT_BAD_INPUT);
    assert_null(program);
    if (!strstr(error.text, text))
        fail_msg("\"%s\" does not contain \"%s\"", error.text, text);
}

static void refuses_what_is_no_image(void **state) {
    Bytes image = read_all(image_path);
    (void)state;
    refuses("/nowhere/at/all.gactx", "No such file");
    refuses(folder, "is not a file");
    write_all(other_path, "", 0);
    refuses(other_path, "is no gact program image");
    write_all(other_path, "dag f() -> i64 { return 1 }", 27);
    refuses(other_path, "is no gact program image");
    write_all(other_path, image.at, image.size - 100);
    refuses(other_path, "truncated");
    write_all(other_path, image.at, image.size / 2 * 2 - sizeof(GactTrailer));
    refuses(other_path, "truncated");
    free(image.at);
}

static void refuses_damage(void **state) {
    Bytes image = read_all(image_path);
    (void)state;
    for (size_t at = 0; at < image.size - sizeof(GactTrailer); at += image.size / 13) {
        image.at[at] ^= 0x10;
        write_all(other_path, image.at, image.size);
        refuses(other_path, "checksum");
        image.at[at] ^= 0x10;
    }
    memmove(image.at + 1000, image.at + 1001, image.size - 1001);
    write_all(other_path, image.at, image.size - 1);
    refuses(other_path, "damaged");
    free(image.at);
}

static void refuses_other_machines(void **state) {
    Bytes code = read_all(image_path);
    (void)state;
    code.size -= sizeof(GactTrailer);
    write_image(other_path, code, GACT_ABI_VERSION + 1, "");
    refuses(other_path, "is an image of version");
    write_image(other_path, code, GACT_ABI_VERSION, "sse2,+xop,-avx9,quantum,cmov");
    refuses(other_path, "quantum");
    GactProgram *program;
    GactError error;
    gact_image_open(other_path, &program, &error);
    assert_null(strstr(error.text, "avx9"));
    assert_null(strstr(error.text, "sse2"));
    free(code.at);
}

static void lists_entries(void **state) {
    GactProgram *program;
    (void)state;
    assert_int_equal(gact_image_open(image_path, &program, NULL), GACT_OK);
    assert_int_equal(gact_image_tables(program)->nentries, 6);
    assert_string_equal(gact_image_find(program, GACT_ENTRY_DAG, NULL)->name, "twice");
    assert_non_null(gact_image_find(program, GACT_ENTRY_DAG, "halves"));
    assert_null(gact_image_find(program, GACT_ENTRY_MAIN, "halves"));
    gact_image_close(program);
}

/* ---- calls ---- */

typedef struct {
    GactProgram *program;
    GactCall *call;
    GactError error;
} Fixture;

static void open_call(Fixture *f, int32_t kind, const char *name) {
    assert_int_equal(gact_image_open(image_path, &f->program, &f->error), GACT_OK);
    const GactEntry *entry = gact_image_find(f->program, kind, name);
    assert_int_equal(gact_call_open(f->program, entry, &f->call, &f->error), GACT_OK);
}

static void close_call(Fixture *f) {
    GactMemoryStats stats;
    gact_call_close(f->call);
    gact_image_close(f->program);
    pool_stop();
    gact_memory_stats(&stats);
    assert_int_equal(stats.live_bytes, 0);
}

static void set_floats(Fixture *f, float *x, int64_t n) {
    GactView view = {.kind = GACT_F32, .rank = 1, .dims = {n}, .data = x};
    assert_int_equal(gact_call_set_view(f->call, "x", &view, &f->error), GACT_OK);
}

static void set_number(Fixture *f, const char *name, int64_t n) {
    GactView view = {.kind = GACT_I64, .data = &n};
    assert_int_equal(gact_call_set_view(f->call, name, &view, &f->error), GACT_OK);
}

static void runs_a_dag_again_and_again(void **state) {
    enum { N = 300000 };
    Fixture f;
    float *x = malloc(N * sizeof *x), by = 3;
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "twice");
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_BAD_INPUT);
    assert_non_null(strstr(f.error.text, "input x ([n]f32) is missing"));
    for (int i = 0; i < N; i++)
        x[i] = (float)i;
    for (int round = 0; round < 20; round++) {
        GactView y;
        set_floats(&f, x, N - round);
        assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
        assert_int_equal(gact_call_get_view(f.call, "y", &y, &f.error), GACT_OK);
        assert_int_equal(y.dims[0], N - round);
        assert_true(((float *)y.data)[N - 100] == 2 * x[N - 100]);
    }
    GactView view = {.kind = GACT_F32, .data = &by};
    assert_int_equal(gact_call_set_view(f.call, "by", &view, &f.error), GACT_OK);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    const GactSlot *out = gact_call_output(f.call, 0);
    assert_true(((float *)out[2].p)[10] == 30);
    assert_null(gact_call_output(f.call, 1));
    close_call(&f);
    free(x);
}

static void refuses_wrong_inputs(void **state) {
    Fixture f;
    double d[3] = {0};
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "twice");
    GactView view = {.kind = GACT_F64, .rank = 1, .dims = {3}, .data = d};
    assert_int_equal(gact_call_set_view(f.call, "z", &view, &f.error), GACT_BAD_INPUT);
    assert_string_equal(f.error.text, "twice has no input z");
    assert_int_equal(gact_call_set_view(f.call, "x", &view, &f.error), GACT_BAD_INPUT);
    assert_string_equal(f.error.text, "input x: expected [n]f32, got rank 1 of f64");
    close_call(&f);
}

static void delivers_what_did_not_fault(void **state) {
    Fixture f;
    float x[3] = {1, 2, 4};
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "halves");
    set_floats(&f, x, 3);
    set_number(&f, "i", 5);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_FAULTED);
    assert_string_equal(f.error.text, "index 5 is out of bounds for size 3");
    assert_true(gact_call_output(f.call, 0)->f32 == 7);
    assert_null(gact_call_output(f.call, 1));
    assert_int_equal(gact_call_fault_count(f.call), 1);
    char *text = gact_call_fault_text(f.call, 0, GACT_FAULT_TEXT);
    assert_string_equal(text, "fault[index]: index 5 is out of bounds for size 3\n"
                              " --> prog.gact:3:10\n"
                              "  |\n"
                              "2 |   let y = x * 2\n"
                              "  |       - it is made here\n"
                              "3 |   return y[5]\n"
                              "  |          ^^^^\n"
                              "  |\n"
                              "  = note: in node `y`\n");
    free(text);
    set_number(&f, "i", 2);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    assert_true(gact_call_output(f.call, 1)->f32 == 4);
    assert_int_equal(gact_call_fault_count(f.call), 0);
    close_call(&f);
}

static void catches_deep_recursion(void **state) {
    Fixture f;
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "deep");
    set_number(&f, "n", 100000);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    assert_int_equal(gact_call_output(f.call, 0)->i, 100001);
    set_number(&f, "n", INT64_C(1) << 40);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_FAULTED);
    assert_non_null(strstr(f.error.text, "recursion is deeper than"));
    set_number(&f, "n", 10);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    close_call(&f);
}

/* Twice, since the handler must be armed again. */
static void catches_an_overflow(void **state) {
    Fixture f;
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "fall");
    for (int i = 0; i < 2; i++) {
        set_number(&f, "n", INT64_C(1) << 30);
        assert_int_equal(gact_call_run(f.call, &f.error), GACT_FAULTED);
        assert_non_null(strstr(f.error.text, "the stack is exhausted"));
    }
    set_number(&f, "n", 10);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    close_call(&f);
}

static void exits_through_try(void **state) {
    Fixture f;
    char *argv[] = {"one", "", "three"};
    int32_t status = 0;
    (void)state;
    open_call(&f, GACT_ENTRY_MAIN, NULL);
    assert_int_equal(gact_call_set_args(f.call, 3, argv, &f.error), GACT_OK);
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_OK);
    assert_true(gact_call_exited(f.call, &status));
    assert_int_equal(status, 3);
    close_call(&f);
}

static void runs_a_test(void **state) {
    Fixture f;
    (void)state;
    open_call(&f, GACT_ENTRY_TEST, "faults");
    assert_int_equal(gact_call_run(f.call, &f.error), GACT_FAULTED);
    assert_false(gact_call_exited(f.call, NULL));
    close_call(&f);
}

static void runs_many(void **state) {
    enum { N = 500 };
    GactProgram *program;
    GactCall *calls[N];
    GactStatus statuses[N];
    float x[3] = {1, 2, 3};
    (void)state;
    assert_int_equal(gact_image_open(image_path, &program, NULL), GACT_OK);
    const GactEntry *entry = gact_image_find(program, GACT_ENTRY_DAG, "halves");
    for (int64_t i = 0; i < N; i++) {
        int64_t at = i % 4;
        assert_int_equal(gact_call_open(program, entry, &calls[i], NULL), GACT_OK);
        GactView xs = {.kind = GACT_F32, .rank = 1, .dims = {3}, .data = x};
        GactView number = {.kind = GACT_I64, .data = &at};
        gact_call_set_view(calls[i], "x", &xs, NULL);
        gact_call_set_view(calls[i], "i", &number, NULL);
    }
    gact_call_run_many(calls, N, statuses);
    for (int i = 0; i < N; i++) {
        assert_int_equal(statuses[i], i % 4 == 3 ? GACT_FAULTED : GACT_OK);
        if (i % 4 != 3)
            assert_true(gact_call_output(calls[i], 1)->f32 == x[i % 4]);
        gact_call_close(calls[i]);
    }
    gact_image_close(program);
}

static GactBatch *open_batch(Fixture *f, const char *name, int64_t count) {
    GactBatch *batch;
    f->call = NULL;
    assert_int_equal(gact_image_open(image_path, &f->program, NULL), GACT_OK);
    const GactEntry *entry = gact_image_find(f->program, GACT_ENTRY_DAG, name);
    assert_int_equal(gact_batch_open(f->program, entry, count, &batch, NULL), GACT_OK);
    return batch;
}

/* A row of x for each instance and an index for each; every fourth is out of bounds. */
static void runs_a_batch(void **state) {
    enum { N = 1000 };
    Fixture f;
    float x[N][3];
    int64_t at[N];
    GactView xs = {.kind = GACT_F32, .rank = 2, .dims = {N, 3}, .data = x}, sums, ends;
    GactView indices = {.kind = GACT_I64, .rank = 1, .dims = {N}, .data = at};
    GactBatch *batch = open_batch(&f, "halves", N);
    (void)state;
    for (int i = 0; i < N; i++) {
        at[i] = i % 4;
        for (int k = 0; k < 3; k++)
            x[i][k] = (float)(10 * i + k);
    }
    assert_int_equal(gact_batch_run(batch, &f.error), GACT_BAD_INPUT);
    assert_int_equal(gact_batch_set_view(batch, "x", &xs, &f.error), GACT_OK);
    assert_int_equal(gact_batch_set_view(batch, "i", &indices, &f.error), GACT_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(gact_batch_run(batch, &f.error), GACT_FAULTED);
        assert_string_equal(f.error.text, "instance 3: index 3 is out of bounds for size 3");
        assert_int_equal(gact_batch_done(batch), N);
        assert_int_equal(gact_batch_get_view(batch, "sum", &sums, &f.error), GACT_OK);
        assert_int_equal(gact_batch_get_view(batch, "at", &ends, &f.error), GACT_OK);
        assert_true(ends.rank == 1 && ends.dims[0] == N);
        for (int i = 0; i < N; i++) {
            float end = ((float *)ends.data)[i];
            assert_true(((float *)sums.data)[i] == x[i][0] + x[i][1] + x[i][2]);
            assert_true(at[i] == 3 ? end != end : end == x[i][at[i]]);
        }
        assert_int_equal(gact_batch_fault_count(batch), N / 4);
        for (int64_t k = 0; k < N / 4; k++)
            assert_int_equal(gact_batch_fault_instance(batch, k), 4 * k + 3);
    }
    GactBatchOutput out;
    assert_int_equal(gact_batch_output(batch, 1, &out), GACT_OK);
    assert_true(out.absent_count == N / 4 && out.absent[3] && !out.absent[4] && !out.shape);
    char *text = gact_batch_fault_text(batch, 1, GACT_FAULT_JSON);
    assert_non_null(strstr(text, "\"instance\":7,"));
    free(text);
    gact_batch_close(batch);
    close_call(&f);
}

static void refuses_a_batch(void **state) {
    Fixture f;
    float x[6] = {1, 2, 3, 4, 5, 6};
    GactView xs = {.kind = GACT_F32, .rank = 2, .dims = {3, 2}, .data = x}, out;
    GactBatch *batch = open_batch(&f, "halves", 2);
    (void)state;
    assert_int_equal(gact_batch_set_view(batch, "x", &xs, &f.error), GACT_BAD_INPUT);
    assert_string_equal(f.error.text, "input x has 3 instances, the batch has 2");
    assert_int_equal(gact_batch_set_view(batch, "y", &xs, &f.error), GACT_BAD_INPUT);
    assert_string_equal(f.error.text, "halves has no input y");
    xs.rank = 3;
    assert_int_equal(gact_batch_set_view(batch, "x", &xs, &f.error), GACT_BAD_INPUT);
    assert_int_equal(gact_batch_get_view(batch, "at", &out, &f.error), GACT_FAULTED);
    assert_int_equal(gact_batch_refused(batch), -1);
    gact_batch_close(batch);
    gact_batch_close(NULL);
    close_call(&f);
}

/* Every allocation of a run fails once; the next run is whole again. */
static void survives_failing_memory(void **state) {
    Fixture f;
    float x[3] = {1, 2, 3};
    (void)state;
    open_call(&f, GACT_ENTRY_DAG, "twice");
    set_floats(&f, x, 3);
    GactStatus status = GACT_FAULTED;
    for (int n = 1; status == GACT_FAULTED; n++) {
        assert_true(n < 10);
        heap_fail_at(n);
        status = gact_call_run(f.call, &f.error);
        if (status == GACT_FAULTED)
            assert_non_null(strstr(f.error.text, "memory is exhausted"));
    }
    heap_fail_at(0);
    assert_int_equal(status, GACT_OK);
    close_call(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_what_is_no_image),
        cmocka_unit_test(refuses_damage),
        cmocka_unit_test(refuses_other_machines),
        cmocka_unit_test(lists_entries),
        cmocka_unit_test(runs_a_dag_again_and_again),
        cmocka_unit_test(refuses_wrong_inputs),
        cmocka_unit_test(delivers_what_did_not_fault),
        cmocka_unit_test(catches_deep_recursion),
        cmocka_unit_test(catches_an_overflow),
        cmocka_unit_test(exits_through_try),
        cmocka_unit_test(runs_a_test),
        cmocka_unit_test(runs_many),
        cmocka_unit_test(runs_a_batch),
        cmocka_unit_test(refuses_a_batch),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, make_image, remove_image);
}
