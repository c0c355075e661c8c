/* The meter in front of a device, and the forms of what it counts, over a device with a clock of
   its own: each kind of work takes a time that the tests know. */
#include "runtime/device/metrics.h"

#include <cjson/cJSON.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COPY_NS = 100, FILL_NS = 10, LAUNCH_NS = 1000 };

static struct {
    int64_t clocks[DEVICE_STREAMS]; /* when the stream's work is done */
    int64_t marks[DEVICE_MARKS];
    int32_t nmarks, reads;
    bool fails;
} fake;

static DeviceStatus work(int32_t stream, int64_t ns) {
    if (fake.fails)
        return DEVICE_FAILED;
    fake.clocks[stream] += ns;
    return DEVICE_OK;
}

static DeviceStatus fake_copy_in(Device *d, int32_t s, DevicePtr to, const void *from, int64_t n) {
    (void)d, (void)to, (void)from, (void)n;
    return work(s, COPY_NS);
}

static DeviceStatus fake_copy_out(Device *d, int32_t s, void *to, DevicePtr from, int64_t n) {
    (void)d, (void)to, (void)from, (void)n;
    return work(s, 2 * COPY_NS);
}

static DeviceStatus fake_copy(Device *d, int32_t s, DevicePtr to, DevicePtr from, int64_t n) {
    (void)d, (void)to, (void)from, (void)n;
    return work(s, 3 * COPY_NS);
}

static DeviceStatus fake_fill(Device *d, int32_t s, DevicePtr to, uint8_t byte, int64_t n) {
    (void)d, (void)to, (void)byte, (void)n;
    return work(s, FILL_NS);
}

static DeviceStatus fake_launch(Device *d, int32_t s, DeviceFunc *f, const DeviceGrid *grid,
                                const void *args, size_t n) {
    (void)d, (void)f, (void)grid, (void)args, (void)n;
    return work(s, LAUNCH_NS);
}

static DeviceStatus fake_sync(Device *d, int32_t stream) {
    (void)d, (void)stream;
    return DEVICE_OK;
}

static DeviceStatus fake_mark(Device *d, int32_t stream, int32_t mark) {
    (void)d;
    assert_in_range(mark, 0, DEVICE_MARKS - 1);
    fake.marks[mark] = fake.clocks[stream];
    fake.nmarks++;
    return DEVICE_OK;
}

static DeviceStatus fake_between(Device *d, int32_t from, int32_t to, int64_t *ns) {
    (void)d;
    *ns = fake.marks[to] - fake.marks[from];
    fake.reads++;
    return DEVICE_OK;
}

static int closed;

static void fake_close(Device *d) {
    assert_null(d->meter);
    closed++;
}

static DeviceStatus fake_info(Device *d, DeviceInfo *info) {
    (void)d;
    *info = (DeviceInfo){.memory = 1 << 30, .free = 1 << 30};
    return DEVICE_OK;
}

static DeviceStatus fake_alloc(Device *d, int64_t bytes, DevicePtr *p) {
    (void)d;
    *p = (DevicePtr)bytes;
    return DEVICE_OK;
}

static void fake_free(Device *d, DevicePtr p) {
    (void)d, (void)p;
}

static const DeviceTable table = {.name = "fake",
                                  .close = fake_close,
                                  .info = fake_info,
                                  .alloc = fake_alloc,
                                  .free = fake_free,
                                  .copy_in = fake_copy_in,
                                  .copy_out = fake_copy_out,
                                  .copy = fake_copy,
                                  .fill = fake_fill,
                                  .launch = fake_launch,
                                  .sync = fake_sync,
                                  .mark = fake_mark,
                                  .between = fake_between};
static const GactKernelInfo first = {.name = "first", .ops = "map"};
static const GactKernelInfo second = {.name = "sec\"ond", .ops = "map reduce"};
static Device device;
static Device *d = &device;

static int open_metered(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    closed = 0;
    device = (Device){.table = &table};
    device_meter(d);
    profile_restart();
    return d->meter == NULL;
}

static int close_metered(void **state) {
    (void)state;
    profile_on = false;
    if (d->meter)
        d->table->close(d);
    profile_reset();
    return d->table != &table || closed != 1;
}

/* What has been counted since the test began. */
static int64_t base[METRIC_COUNT];

static void start(bool profiles) {
    profile_on = profiles;
    metrics_read(base);
}

static int64_t counted(Metric metric) {
    int64_t values[METRIC_COUNT];
    metrics_read(values);
    return values[metric] - base[metric];
}

static void launch(int32_t stream) {
    assert_int_equal(d->table->launch(d, stream, NULL, NULL, NULL, 0), DEVICE_OK);
}

/* ---- counting ---- */

static void counts_without_marks(void **state) {
    (void)state;
    start(false);
    d->table->copy_in(d, 0, 1, NULL, 100);
    d->table->copy_in(d, 0, 1, NULL, 100);
    d->table->copy_out(d, 0, NULL, 1, 30);
    d->table->copy(d, 0, 1, 2, 7);
    d->table->fill(d, 0, 1, 0, 5);
    device_meter_kernel(d, &first, 1, 2, 3);
    launch(0);
    d->table->sync(d, 0);
    assert_int_equal(counted(METRIC_COPIES_IN), 2);
    assert_int_equal(counted(METRIC_BYTES_IN), 200);
    assert_int_equal(counted(METRIC_COPIES_OUT), 1);
    assert_int_equal(counted(METRIC_BYTES_OUT), 30);
    assert_int_equal(counted(METRIC_BYTES_WITHIN), 7);
    assert_int_equal(counted(METRIC_FILL_BYTES), 5);
    assert_int_equal(counted(METRIC_LAUNCHES), 1);
    assert_int_equal(counted(METRIC_WAITS), 1);
    assert_int_equal(counted(METRIC_KERNEL_NS), 0);
    assert_int_equal(fake.nmarks, 0);
}

static void measures_for_a_profile(void **state) {
    (void)state;
    start(true);
    d->table->copy_in(d, 0, 1, NULL, 100);
    device_meter_kernel(d, &first, 50, 400, 150);
    launch(0);
    launch(0);
    device_meter_kernel(d, &second, 1, 2, 3);
    launch(1);
    device_meter_kernel(d, NULL, 0, 0, 0);
    launch(1);
    d->table->copy_out(d, 1, NULL, 1, 30);
    d->table->fill(d, 0, 1, 0, 5);
    assert_int_equal(fake.reads, 0); /* nobody waits before the host does */
    d->table->sync(d, 0);
    assert_int_equal(counted(METRIC_NS_IN), COPY_NS);
    assert_int_equal(counted(METRIC_NS_OUT), 2 * COPY_NS);
    assert_int_equal(counted(METRIC_FILL_NS), FILL_NS);
    assert_int_equal(counted(METRIC_KERNEL_NS), 4 * LAUNCH_NS);
    const KernelSide *one = &profile_kernel(&first)->device,
                     *two = &profile_kernel(&second)->device;
    assert_int_equal(one->calls, 1);
    assert_int_equal(one->ns, 2 * LAUNCH_NS);
    assert_int_equal(one->work, 50);
    assert_int_equal(one->bytes, 400);
    assert_int_equal(one->flops, 150);
    assert_int_equal(two->ns, LAUNCH_NS);
    assert_int_equal(profile_kernel(&first)->host.calls, 0);
}

/* More work than there are marks, and what is left when the device closes. */
static void loses_no_work(void **state) {
    (void)state;
    start(true);
    device_meter_kernel(d, &first, 0, 0, 0);
    for (int i = 0; i < 3 * DEVICE_MARKS; i++)
        launch(i % 2);
    assert_true(fake.reads > 0);
    assert_true(counted(METRIC_KERNEL_NS) < 3 * DEVICE_MARKS * LAUNCH_NS);
    d->table->close(d);
    assert_int_equal(counted(METRIC_KERNEL_NS), 3 * DEVICE_MARKS * LAUNCH_NS);
    assert_int_equal(profile_kernel(&first)->device.ns, 3 * DEVICE_MARKS * LAUNCH_NS);
}

static void does_not_count_what_fails(void **state) {
    (void)state;
    start(true);
    fake.fails = true;
    assert_int_equal(d->table->copy_in(d, 0, 1, NULL, 100), DEVICE_FAILED);
    assert_int_equal(d->table->launch(d, 0, NULL, NULL, NULL, 0), DEVICE_FAILED);
    fake.fails = false;
    d->table->fill(d, 0, 1, 0, 5);
    d->table->sync(d, 0);
    assert_int_equal(counted(METRIC_COPIES_IN), 0);
    assert_int_equal(counted(METRIC_LAUNCHES), 0);
    assert_int_equal(counted(METRIC_FILL_NS), FILL_NS);
}

static void adds_up_pools(void **state) {
    (void)state;
    DevicePool *a, *b;
    DevicePtr p;
    start(false);
    assert_int_equal(device_pool_open(d, &(DevicePoolOptions){0}, &a), DEVICE_OK);
    assert_int_equal(device_pool_open(d, &(DevicePoolOptions){0}, &b), DEVICE_OK);
    metrics_watch(a);
    metrics_watch(b);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(device_pool_alloc(a, NULL, 4096, &p), DEVICE_OK);
        device_pool_free(a, NULL, p, 4096);
    }
    assert_int_equal(device_pool_alloc(b, NULL, 1 << 20, &p), DEVICE_OK);
    assert_int_equal(counted(METRIC_POOL_HITS), 3);
    assert_int_equal(counted(METRIC_POOL_MISSES), 2);
    assert_int_equal(counted(METRIC_LIVE_BYTES), 1 << 20);
    assert_int_equal(counted(METRIC_KEPT_BYTES), 4096);
    metrics_unwatch(a);
    assert_int_equal(device_pool_close(a), 0);
    assert_int_equal(counted(METRIC_POOL_HITS), 3);
    assert_int_equal(counted(METRIC_KEPT_BYTES), 0);
    device_pool_free(b, NULL, p, 1 << 20);
    metrics_unwatch(b);
    assert_int_equal(device_pool_close(b), 0);
    assert_int_equal(counted(METRIC_LIVE_BYTES), 0);
}

/* ---- spreads ---- */

static void spreads(void **state) {
    (void)state;
    Spread s = {0};
    assert_true(spread_deviation(&s) == 0);
    const double values[] = {5, 3, 8, 4};
    for (int i = 0; i < 4; i++)
        spread_add(&s, values[i]);
    assert_int_equal(s.count, 4);
    assert_true(s.least == 3 && s.most == 8 && s.mean == 5);
    assert_true(spread_deviation(&s) > 2.16024 && spread_deviation(&s) < 2.16025);
}

/* A round is what was added since the last; a kernel that did not run has no round. */
static void measures_rounds(void **state) {
    (void)state;
    start(true);
    for (int round = 1; round <= 3; round++) {
        device_meter_kernel(d, &first, 0, 0, 0);
        for (int i = 0; i < round; i++)
            launch(0);
        if (round == 2) {
            device_meter_kernel(d, &second, 0, 0, 0);
            launch(0);
        }
        d->table->sync(d, 0);
        profile_round(round * 5000);
    }
    const Spread *one = &profile_kernel(&first)->device.rounds;
    assert_int_equal(one->count, 3);
    assert_true(one->least == LAUNCH_NS && one->most == 3 * LAUNCH_NS &&
                one->mean == 2 * LAUNCH_NS);
    assert_int_equal(profile_kernel(&second)->device.rounds.count, 1);
    assert_true(profile_rounds()->mean == 10000);
    profile_restart();
    assert_int_equal(profile_rounds()->count, 0);
    assert_int_equal(profile_kernel(&first)->device.calls, 0);
}

/* ---- forms ---- */

/* What a function prints, until the next call. */
static const char *printed(void (*print)(FILE *out)) {
    static char *text;
    size_t len;
    free(text);
    FILE *out = open_memstream(&text, &len);
    print(out);
    fclose(out);
    return text;
}

static void run_some(void) {
    start(true);
    d->table->copy_in(d, 0, 1, NULL, 1000000);
    device_meter_kernel(d, &second, 250, 2000, 4000);
    launch(0);
    d->table->sync(d, 0);
}

static void prints_a_table(void **state) {
    (void)state;
    run_some();
    const char *text = printed(profile_print);
    assert_non_null(strstr(text, "kernel on the device"));
    assert_non_null(strstr(text, "GFLOP/s"));
    const char *line = strstr(text, "sec\"ond ");
    assert_non_null(line);
    char expected[200];
    snprintf(expected, sizeof expected, "%-24s %8d %11.3f %5.1f%% %14d %14d %8.2f %8.2f",
             "sec\"ond", 1, 0.001, 100.0, 250, 2000, 2.0, 4.0);
    assert_memory_equal(line, expected, strlen(expected));
    assert_non_null(strstr(text, "copied to the device"));
    assert_non_null(strstr(text, "launches: 1 in 0.001 ms"));
}

static void prints_json(void **state) {
    (void)state;
    run_some();
    cJSON *json = cJSON_Parse(printed(profile_print_json));
    assert_non_null(json);
    const cJSON *kernel = cJSON_GetArrayItem(cJSON_GetObjectItem(json, "kernels"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(kernel, "name")), second.name);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(kernel, "place")), "device");
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(kernel, "ns")), LAUNCH_NS);
    const cJSON *metrics = cJSON_GetObjectItem(json, "metrics");
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(metrics, "bytes_in")), 1000000);
    assert_int_equal(cJSON_GetNumberValue(cJSON_GetObjectItem(metrics, "launches")), 1);
    cJSON_Delete(json);
}

static void prints_for_prometheus(void **state) {
    (void)state;
    run_some();
    device_meter_kernel(d, &(GactKernelInfo){.name = second.name, .ops = "scan"}, 1, 1000, 1);
    const char *text = printed(gact_metrics_print);
    assert_non_null(strstr(text, "# TYPE gact_device_copied_bytes_total counter\n"
                                 "gact_device_copied_bytes_total{direction=\"in\"} "));
    assert_non_null(strstr(text, "# TYPE gact_device_pool_live_bytes gauge\n"));
    assert_non_null(strstr(text,
                           "\ngact_kernel_calls_total{kernel=\"sec\\\"ond\",place=\"device\"} "
                           "2\n"));
    assert_non_null(strstr(text,
                           "\ngact_kernel_bytes_total{kernel=\"sec\\\"ond\",place=\"device\"} "
                           "3000\n"));
}

/* Work of a stream is on a row of its own, one after the other. */
static void traces_streams(void **state) {
    (void)state;
    char path[] = "/tmp/gact_metrics_XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(trace_start(path, NULL), GACT_OK);
    d->table->copy_in(d, 0, 1, NULL, 64);
    device_meter_kernel(d, &first, 0, 0, 0);
    launch(1);
    launch(1);
    d->table->sync(d, 0);
    assert_int_equal(trace_write(NULL), GACT_OK);
    char text[4096] = "";
    FILE *in = fdopen(file, "r");
    assert_true(fread(text, 1, sizeof text - 1, in) > 0);
    fclose(in);
    remove(path);
    cJSON *json = cJSON_Parse(text);
    const cJSON *event, *events = cJSON_GetObjectItem(json, "traceEvents");
    double ends[2] = {0};
    int found = 0;
    cJSON_ArrayForEach(event, events) {
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(event, "ph")), "X"))
            continue;
        int row = (int)cJSON_GetNumberValue(cJSON_GetObjectItem(event, "tid")) & 1;
        double at = cJSON_GetNumberValue(cJSON_GetObjectItem(event, "ts"));
        assert_true(at >= ends[row] - 0.002);
        ends[row] = at + cJSON_GetNumberValue(cJSON_GetObjectItem(event, "dur"));
        found += 1 << (4 * row);
    }
    assert_int_equal(found, 0x21);
    assert_non_null(strstr(text, "\"device stream 1\""));
    cJSON_Delete(json);
}

/* ---- placement ---- */

/* A call of two launches, and copies that are long enough to tell something, with no profile on. */
static void tells_placement(void **state) {
    (void)state;
    CostMachine machine;
    CostKernel kernel = {0}, other = {0};
    cost_open(&machine, &(CostPriors){.bandwidth = 1e12, .rate = 1e12, .threads = 1});
    start(false);
    device_meter_moves(d, &machine);
    device_meter_cost(d, &kernel, 100);
    launch(0);
    launch(0);
    device_meter_cost(d, &other, 10);
    launch(0);
    device_meter_cost(d, NULL, 0);
    launch(0);
    d->table->copy_in(d, 0, 1, NULL, 1 << 20);
    assert_int_equal(fake.reads, 0);
    d->table->sync(d, 0);
    assert_int_equal(kernel.sides[COST_DEVICE].count[3], 1);
    assert_true(kernel.sides[COST_DEVICE].point_ns[3] == 2.0 * LAUNCH_NS / 100);
    assert_int_equal(other.sides[COST_DEVICE].count[1], 1);
    assert_true(other.sides[COST_DEVICE].point_ns[1] == LAUNCH_NS / 10.0);
    assert_true(machine.in_ns == (double)COPY_NS / (1 << 20));
    assert_int_equal(machine.moves[false], 0);
    assert_int_equal(counted(METRIC_KERNEL_NS), 0); /* nobody asked for a profile */
    device_meter_moves(d, NULL);
    for (int k = 0; k < 100; k++) { /* what is known well is measured seldom */
        kernel.calls = k + 1;
        device_meter_cost(d, &kernel, 100);
        launch(0);
        device_meter_cost(d, NULL, 0);
        d->table->sync(d, 0);
    }
    assert_in_range(kernel.sides[COST_DEVICE].count[3], 4, 10);
}

#define METERED(test) cmocka_unit_test_setup_teardown(test, open_metered, close_metered)

int main(void) {
    const struct CMUnitTest tests[] = {
        METERED(counts_without_marks), METERED(measures_for_a_profile),
        METERED(loses_no_work),        METERED(does_not_count_what_fails),
        METERED(adds_up_pools),        cmocka_unit_test(spreads),
        METERED(measures_rounds),      METERED(prints_a_table),
        METERED(prints_json),          METERED(prints_for_prometheus),
        METERED(traces_streams),       METERED(tells_placement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
