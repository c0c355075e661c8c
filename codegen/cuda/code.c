/* Code made of the kernels' text while the program is compiled: for --emit, and for the image. The
   architectures are compiled beside each other, each on a thread. */
#include "cuda.h"

#include "../host/emit.h"
#include "nvrtc_emit.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

extern const char device_prelude[]; /* lang/device.cuh and lang/device_forms.cuh */

enum { OLDEST_ARCH = 75 }; /* of PTX where no architecture is asked for */

typedef struct {
    NvrtcUnit unit;
    NvrtcResult result;
    pthread_t thread;
    bool is_apart; /* runs on the thread */
} Job;

static void *run_job(void *arg) {
    Job *job = arg;
    gact_cuda_compile(&job->unit, &job->result);
    return NULL;
}

static Job job_for(const char *text, NvrtcForm form, int arch) {
    return (Job){.unit = {.text = text, .name = "kernels.cu", .arch = arch, .form = form}};
}

/* ---- --emit ---- */

static bool is_known(Buf *out, size_t prelude, const char *name, size_t len) {
    const char *at = buf_text(out) + prelude;
    while ((at = strstr(at, "// shared: ")))
        if (!strncmp(at += strlen("// shared: "), name, len) && at[len] == '\n')
            return true;
    return false;
}

/* A kernel's text without the guards around what several kernels need: that stands where it is first needed. */
static void print_kernel(Buf *out, size_t prelude, const CudaKernel *kernel) {
    static const char guard[] = "#ifndef GX_HAS_", end[] = "#endif\n\n";
    buf_printf(out, "\n// kernel %s\n", kernel->name);
    const char *text = kernel->text;
    for (const char *at; (at = strstr(text, guard));) {
        buf_add(out, text, (size_t)(at - text));
        const char *name = at + strlen(guard), *stop = strstr(at, end);
        size_t len = strcspn(name, "\n");
        const char *body = strchr(name + len + 1, '\n') + 1; /* behind the #define */
        if (!is_known(out, prelude, name, len)) {
            buf_printf(out, "// shared: %.*s\n", (int)len, name);
            buf_add(out, body, (size_t)(stop - body));
            buf_puts(out, "\n");
        }
        text = stop + strlen(end);
    }
    buf_puts(out, text);
}

void cuda_print(Buf *out, const Emit *e) {
    buf_puts(out, device_prelude);
    size_t prelude = out->len;
    for (int k = 0; k < e->kernels.len; k++)
        print_kernel(out, prelude, e->kernels.at[k]);
}

const char *cuda_print_code(Buf *out, const Emit *e) {
    const CodegenOptions *o = e->options;
    if (o->emit == EMIT_CUDA) {
        cuda_print(out, e);
        return NULL;
    }
    bool is_ptx = o->emit == EMIT_PTX;
    assert(is_ptx || o->ngpu_archs > 0);
    Buf text = {.arena = e->arena};
    cuda_print(&text, e);
    Job job = job_for(buf_text(&text), is_ptx ? NVRTC_PTX : NVRTC_CUBIN,
                      o->ngpu_archs ? o->gpu_archs[0] : OLDEST_ARCH);
    run_job(&job);
    const char *error = NULL;
    if (job.result.code)
        buf_add(out, job.result.code, job.result.len);
    else
        error = arena_printf(e->arena, "%s", job.result.log ? job.result.log : "no memory");
    free(job.result.code);
    free(job.result.log);
    return error;
}

/* ---- the image ---- */

/* A cubin for each architecture, and PTX for the oldest of them, which is for all that come later.
 */
static int list_jobs(const CodegenOptions *o, const char *text, Job *jobs) {
    int oldest = o->gpu_archs[0], n = 0;
    for (int k = 0; k < o->ngpu_archs; k++) {
        jobs[n++] = job_for(text, NVRTC_CUBIN, o->gpu_archs[k]);
        oldest = o->gpu_archs[k] < oldest ? o->gpu_archs[k] : oldest;
    }
    jobs[n++] = job_for(text, NVRTC_PTX, oldest);
    return n;
}

static void run_jobs(Job *jobs, int n) {
    for (int k = 0; k < n; k++)
        jobs[k].is_apart = !pthread_create(&jobs[k].thread, NULL, run_job, &jobs[k]);
    for (int k = 0; k < n; k++)
        if (jobs[k].is_apart)
            pthread_join(jobs[k].thread, NULL);
        else
            run_job(&jobs[k]);
}

/* A row of the table. */
static LLVMValueRef code_row(Emit *e, const Job *job) {
    LLVMValueRef bytes = table_bytes(e, job->result.code, job->result.len);
    LLVMSetAlignment(bytes, 64);
    LLVMValueRef fields[] = {
        LLVMConstInt(e->i32, job->unit.form == NVRTC_PTX ? GACT_CODE_PTX : GACT_CODE_CUBIN, 0),
        LLVMConstInt(e->i32, (uint64_t)job->unit.arch, 0),
        bytes,
        LLVMConstInt(e->i64, job->result.len, 0),
    };
    return LLVMConstStructInContext(e->C, fields, ARRAY_LEN(fields), 0);
}

static void note_failure(const Emit *e, const Job *job) {
    if (e->options->notes)
        fprintf(e->options->notes, "gactc: no %s for sm_%d in the image: %s\n",
                job->unit.form == NVRTC_PTX ? "PTX" : "code", job->unit.arch,
                job->result.log ? job->result.log : "no memory");
}

LLVMValueRef cuda_code_table(Emit *e, int *count) {
    const CodegenOptions *o = e->options;
    *count = 0;
    if (o->emit != EMIT_IMAGE || o->ngpu_archs == 0 || e->kernels.len == 0)
        return LLVMConstNull(e->ptr);
    Buf text = {.arena = e->arena};
    cuda_print(&text, e);
    Job jobs[MOST_GPU_ARCHS + 1];
    LLVMValueRef rows[MOST_GPU_ARCHS + 1];
    int n = list_jobs(o, buf_text(&text), jobs);
    run_jobs(jobs, n);
    for (int k = 0; k < n; k++) {
        if (jobs[k].result.code)
            rows[(*count)++] = code_row(e, &jobs[k]);
        else
            note_failure(e, &jobs[k]);
        free(jobs[k].result.code);
        free(jobs[k].result.log);
    }
    if (*count == 0)
        return LLVMConstNull(e->ptr);
    LLVMValueRef table = LLVMConstArray2(LLVMTypeOf(rows[0]), rows, (uint64_t)*count);
    return table_global(e, table, "device_codes");
}
