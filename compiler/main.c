/* gactc: reads the command line, drives one compilation, says how it went by the exit status. The
   back end is a library that is loaded when code is wanted; nothing here links LLVM. */
#include "../codegen/codegen.h"
#include "../tools/doc.h"
#include "../tools/format.h"
#include "../tools/tools.h"
#include "cache.h"
#include "compiler.h"
#include "fuse.h"

#define OPTIONS_FILE "../compiler/options.def"
#include "../lang/options_rows.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_OK = 0, STATUS_ERRORS = 1, STATUS_USAGE = 2, STATUS_INTERNAL = 3 };

typedef enum {
    STAGE_IMAGE,
    STAGE_TOKENS,
    STAGE_AST,
    STAGE_TYPES,
    STAGE_IR,
    STAGE_FUSED,
    STAGE_LLVM,
    STAGE_ASM,
    STAGE_OBJ,
    STAGE_CUDA,
    STAGE_PTX,
    STAGE_CUBIN,
    STAGE_GRAPH,
    STAGE_COUNT
} Stage;

/* What --emit calls a stage, where it stops, the ending of its default output ("" is the standard
   output), and what the back end makes of it. */
typedef struct {
    const char *name;
    PassId last;
    const char *ending;
    bool is_code;
    CodegenEmit emit;
} StageInfo;
static const StageInfo stages[STAGE_COUNT] = {
    [STAGE_IMAGE] = {"image", PASS_COUNT, ".gactx", true, EMIT_IMAGE},
    [STAGE_TOKENS] = {"tokens", PASS_COUNT, "", false, EMIT_IMAGE},
    [STAGE_AST] = {"ast", PASS_COUNT, "", false, EMIT_IMAGE},
    [STAGE_TYPES] = {"types", PASS_check, "", false, EMIT_IMAGE},
    [STAGE_IR] = {"ir", PASS_simplify, "", false, EMIT_IMAGE},
    [STAGE_FUSED] = {"fused", PASS_fuse, "", false, EMIT_IMAGE},
    [STAGE_LLVM] = {"llvm", PASS_COUNT, "", true, EMIT_LLVM},
    [STAGE_ASM] = {"asm", PASS_COUNT, "", true, EMIT_ASM},
    [STAGE_OBJ] = {"obj", PASS_COUNT, ".o", true, EMIT_OBJ},
    [STAGE_CUDA] = {"cuda", PASS_COUNT, "", true, EMIT_CUDA},
    [STAGE_PTX] = {"ptx", PASS_COUNT, "", true, EMIT_PTX},
    [STAGE_CUBIN] = {"cubin", PASS_COUNT, ".cubin", true, EMIT_CUBIN},
    [STAGE_GRAPH] = {"graph", PASS_fuse, "", false, EMIT_IMAGE},
};
static const char *const format_names[] = {
    [FORMAT_HUMAN] = "human",
    [FORMAT_SHORT] = "short",
    [FORMAT_JSON] = "json",
};
typedef enum { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER } ColorChoice;
static const char *const color_names[] = {
    [COLOR_AUTO] = "auto",
    [COLOR_ALWAYS] = "always",
    [COLOR_NEVER] = "never",
};

/* The command line, parsed. */
typedef struct {
    Stage stage;
    DiagFormat format;
    const char *input, *output, *cpu, *stdlib_dir, *deps;
    const char *each; /* --each, or NULL */
    int command;  /* CMD_…, or -1 */
    char **files; /* the positional arguments, moved to the front of argv */
    int nfiles;
    int opt_level, error_limit;
    ColorChoice color;
    PassId dump_after;
    int gpu_archs[MOST_GPU_ARCHS], ngpu_archs;
    bool check_only, explain, tests, main_alone, warnings_fail, times, all;
} Settings;

__attribute__((format(printf, 1, 2))) static void complain(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    fputs("gactc: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- output ---- */

/* Writes to a file, or to the standard output if path is NULL or "-". */
static int write_output(const char *path, const char *text, size_t len) {
    bool is_stdout = !path || strcmp(path, "-") == 0;
    FILE *out = is_stdout ? stdout : fopen(path, "wb");
    bool good = out && fwrite(text, 1, len, out) == len && fflush(out) == 0;
    if (!good)
        complain("cannot write %s: %s", is_stdout ? "the standard output" : path, strerror(errno));
    if (out && !is_stdout && fclose(out) != 0 && good) {
        complain("cannot write %s: %s", path, strerror(errno));
        good = false;
    }
    return good ? STATUS_OK : STATUS_USAGE;
}

static int write_buf(const char *path, Buf *buf) {
    const char *text = buf_text(buf);
    return write_output(path, text, buf->len);
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The input's name with another ending, in the current folder. */
static const char *default_output(Arena *arena, const char *input, const char *ending) {
    const char *slash = strrchr(input, '/');
    const char *base = slash ? slash + 1 : input;
    int len = (int)strlen(base) - (ends_with(base, ".gact") ? 5 : 0);
    return arena_printf(arena, "%.*s%s", len, base, ending);
}

/* Runs a program with its input from `text`, if any; -1 if it cannot be started. */
static int run_program(char *const *argv, const char *text, size_t len) {
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        if (text)
            dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN); /* a program that reads nothing is no reason to die */
    for (ssize_t n; child > 0 && len > 0 && (n = write(ends[1], text, len)) > 0; len -= (size_t)n)
        text += n;
    close(ends[1]);
    int status;
    if (child < 0 || waitpid(child, &status, 0) < 0)
        return -1;
    if (WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return WEXITSTATUS(status) == 127 ? -1 : WEXITSTATUS(status);
}

/* Writes DOT text, or what dot draws of it where the file's name ends in .svg. */
static int write_graph(const char *path, Buf *buf) {
    if (!buf->len) {
        complain("the program has no dag to draw");
        return STATUS_USAGE;
    }
    if (!path || !ends_with(path, ".svg"))
        return write_buf(path, buf);
    const char *text = buf_text(buf);
    char *argv[] = {"dot", "-Tsvg", "-o", (char *)path, NULL};
    int status = run_program(argv, text, buf->len);
    if (status < 0)
        complain("drawing %s needs the program dot (of graphviz)", path);
    else if (status > 0)
        complain("dot cannot draw %s", path);
    return status == 0 ? STATUS_OK : STATUS_USAGE;
}

/* ---- the back end ---- */

/* The folder of the running program, with a slash; "" if unknown. */
static const char *own_folder(Arena *arena) {
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path);
    while (n > 0 && path[n - 1] != '/')
        n--;
    return arena_copy(arena, path, n > 0 ? (size_t)n : 0);
}

/* Loads the back end; NULL after a message. */
static CodegenFn load_backend(Arena *arena) {
    const char *folder = own_folder(arena);
    const char *places[] = {getenv("GACT_LLVM"), arena_printf(arena, "%slibgactllvm.so", folder),
                            arena_printf(arena, "%s../lib/gact/libgactllvm.so", folder),
                            "libgactllvm.so"};
    void *library = NULL;
    const char *reason = "";
    for (int k = 0; k < ARRAY_LEN(places) && !library; k++) {
        if (!places[k] || (strchr(places[k], '/') && access(places[k], F_OK) != 0 && k > 0))
            continue;
        library = dlopen(places[k], RTLD_LAZY | RTLD_LOCAL);
        if (!library) {
            reason = arena_printf(arena, "%s", dlerror());
            break;
        }
    }
    void *symbol = library ? dlsym(library, "gact_codegen_host") : NULL;
    if (!symbol)
        complain("cannot load the back end: %s", library ? dlerror() : reason);
    CodegenFn fn;
    memcpy(&fn, &symbol, sizeof fn);
    return fn;
}

/* Copies a file to the standard output and removes it. */
static int show_file(Arena *arena, const char *path) {
    Sources sources = {.arena = arena, .next = 1};
    Source *made = source_read(&sources, path);
    unlink(path);
    if (!made) {
        complain("cannot read %s: %s", path, strerror(errno));
        return STATUS_USAGE;
    }
    return write_output(NULL, made->text, made->len);
}

/* An empty file in the folder for temporary ones; NULL after a message. */
static const char *temporary_file(Arena *arena) {
    const char *folder = getenv("TMPDIR");
    char *path = arena_printf(arena, "%s/gact-XXXXXX.gactx", folder && *folder ? folder : "/tmp");
    int fd = mkstemps(path, (int)strlen(".gactx"));
    if (fd < 0) {
        complain("cannot make a temporary file %s: %s", path, strerror(errno));
        return NULL;
    }
    close(fd);
    return path;
}

static int emit_code(Compiler *c, const Settings *s) {
    const StageInfo *info = &stages[s->stage];
    const char *output = s->output;
    if (!output && *info->ending)
        output = default_output(c->arena, s->input, info->ending);
    bool shown = !output || strcmp(output, "-") == 0;
    const char *path = shown ? temporary_file(c->arena) : output;
    CodegenFn codegen = path ? load_backend(c->arena) : NULL;
    if (!codegen)
        return STATUS_USAGE;
    CodegenOptions options = {.emit = info->emit,
                              .opt_level = s->opt_level,
                              .cpu = s->cpu,
                              .path = path,
                              .version = GACT_VERSION,
                              .has_device = true,
                              .ngpu_archs = s->ngpu_archs,
                              .notes = stderr,
                              .times = s->times ? stderr : NULL};
    memcpy(options.gpu_archs, s->gpu_archs, sizeof options.gpu_archs);
    const char *failure = codegen(c->ir, &options);
    if (failure) {
        complain("%s", failure);
        unlink(path);
        return STATUS_INTERNAL;
    }
    return shown ? show_file(c->arena, path) : STATUS_OK;
}

/* ---- places ---- */

/* Is it a dag's form for many instances, of which nobody said where it is to run? */
static bool is_of_many(const Compiler *c, const IrFunc *func) {
    for (int k = 0; k < c->ir->entries.len; k++)
        if (c->ir->entries.at[k]->func == func)
            return c->ir->entries.at[k]->of_many;
    return false;
}

static void note_place(void *data, const IrFunc *func, const IrOp *kernel, const CodegenPlace *place) {
    Compiler *c = data;
    const IrNode *node = kernel->node ? &func->nodes.at[kernel->node] : NULL;
    bool is_pinned = node && node->place == PLACE_GPU;
    Span span = kernel->span.from ? kernel->span : func->span;
    if (!place->why) {
        compiler_remark(c, REMARK_PLACE, span,
                        "it can run on a GPU%s; about %d operations and %d bytes a point",
                        node && node->place == PLACE_HOST ? ", but @host keeps it on the host" : "",
                        place->ops, place->bytes);
        return;
    }
    compiler_remark(c, REMARK_PLACE, span, "it runs on the host, as %s", place->why);
    if (!is_pinned || is_of_many(c, func))
        return;
    diag_report(&c->diags, DIAG_NOT_ON_GPU, place->where.from ? place->where : span,
                "the node `%s` cannot run on a GPU: %s", node->name, place->why);
}

/* Might a node be pinned? Then --check has to go on until its place is known. */
static bool mentions_gpu(Compiler *c) {
    for (int k = 0; k < c->sources.all.len; k++)
        if (strstr(c->sources.all.at[k]->text, "@gpu"))
            return true;
    return false;
}

static bool has_pinned(const Compiler *c) {
    for (int k = 0; k < c->ir->funcs.len; k++)
        for (int n = 1; n < c->ir->funcs.at[k]->nodes.len; n++)
            if (c->ir->funcs.at[k]->nodes.at[n].place == PLACE_GPU)
                return true;
    return false;
}

/* Asks the back end where kernels can run, for --explain and for nodes that must run on a GPU. */
static int find_places(Compiler *c, const Settings *s) {
    if (!s->explain && !has_pinned(c))
        return STATUS_OK;
    CodegenFn codegen = load_backend(c->arena);
    if (!codegen)
        return STATUS_USAGE;
    CodegenOptions options = {.emit = EMIT_PLACES,
                              .opt_level = s->opt_level,
                              .cpu = s->cpu,
                              .path = "",
                              .version = GACT_VERSION,
                              .has_device = true,
                              .place = note_place,
                              .place_data = c};
    const char *failure = codegen(c->ir, &options);
    if (failure)
        complain("%s", failure);
    return failure ? STATUS_INTERNAL : c->diags.errors ? STATUS_ERRORS : STATUS_OK;
}

/* ---- one compilation ---- */

/* Prints what a stage before code generation leaves. */
static int emit_text(Compiler *c, const Settings *s) {
    Buf out = {.arena = c->arena};
    switch (s->stage) {
    case STAGE_TOKENS:
    case STAGE_AST: break; /* printed before any module is loaded */
    case STAGE_TYPES: check_print_types(&out, c); break;
    case STAGE_IR: ir_print(&out, c->ir); break;
    case STAGE_FUSED: fused_print(&out, c->ir); break;
    case STAGE_GRAPH: graph_print(&out, c->ir); return write_graph(s->output, &out);
    case STAGE_IMAGE:
    case STAGE_LLVM:
    case STAGE_ASM:
    case STAGE_OBJ:
    case STAGE_CUDA:
    case STAGE_PTX:
    case STAGE_CUBIN:
    case STAGE_COUNT: UNREACHABLE();
    }
    return write_buf(s->output, &out);
}

/* --emit=tokens and --emit=ast need one file and no other module. */
static int emit_syntax(Compiler *c, const Settings *s) {
    Source *source = source_read(&c->sources, s->input);
    if (!source) {
        complain("cannot read %s: %s", s->input, strerror(errno));
        return STATUS_USAGE;
    }
    Buf out = {.arena = c->arena};
    if (s->stage == STAGE_TOKENS)
        tokens_print(&out, c->arena, c->names, &c->diags, source);
    else
        ast_print(&out, parse_source(c->arena, c->names, &c->diags, source));
    int status = write_buf(s->output, &out);
    return status == STATUS_OK && c->diags.errors ? STATUS_ERRORS : status;
}

/* Writes what was asked for of a program without errors. */
static int emit(Compiler *c, const Settings *s) {
    if (s->explain) {
        Buf out = {.arena = c->arena};
        explain_print(&out, c);
        int status = write_buf(NULL, &out);
        if (status != STATUS_OK || (s->stage == STAGE_IMAGE && !s->output))
            return status;
    }
    if (s->check_only || s->dump_after != PASS_COUNT)
        return STATUS_OK;
    return stages[s->stage].is_code ? emit_code(c, s) : emit_text(c, s);
}

static int run_passes(Compiler *c, const Settings *s) {
    Buf dump = {.arena = c->arena};
    bool only_check = s->check_only && !mentions_gpu(c);
    RunOptions run = {.last = only_check ? PASS_check : stages[s->stage].last,
                      .dump_after = s->dump_after,
                      .dump = &dump,
                      .times = s->times ? stderr : NULL};
    if (s->dump_after != PASS_COUNT)
        run.last = s->dump_after;
    bool good = compiler_run(c, &run);
    if (good && s->dump_after != PASS_COUNT)
        return write_buf(s->output, &dump);
    if (good && run.last == PASS_COUNT)
        return find_places(c, s);
    return good ? STATUS_OK : c->is_broken ? STATUS_INTERNAL : STATUS_ERRORS;
}

static int compile(Compiler *c, const Settings *s) {
    if (s->stage == STAGE_TOKENS || s->stage == STAGE_AST)
        return emit_syntax(c, s);
    if (!compiler_load(c, s->input)) {
        complain("cannot read %s: %s", s->input, strerror(errno));
        return STATUS_USAGE;
    }
    if (s->deps) {
        Buf deps = {.arena = c->arena};
        compiler_print_deps(&deps, c);
        int status = write_buf(s->deps, &deps);
        if (status != STATUS_OK)
            return status;
    }
    int status = run_passes(c, s);
    if (status == STATUS_OK && s->warnings_fail && c->diags.warnings)
        status = STATUS_ERRORS;
    return status == STATUS_OK ? emit(c, s) : status;
}

static bool is_utf8(void) {
    const char *names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (int k = 0; k < ARRAY_LEN(names); k++) {
        const char *value = getenv(names[k]);
        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static void set_up_diags(Compiler *c, const Settings *s) {
    bool terminal = isatty(STDERR_FILENO);
    const char *no_color = getenv("NO_COLOR"), *kind = getenv("TERM");
    bool capable = terminal && !(no_color && *no_color) && kind && strcmp(kind, "dumb") != 0;
    struct winsize size = {0};
    c->diags = (Diags){.arena = c->arena,
                       .sources = &c->sources,
                       .format = s->format,
                       .color = s->color == COLOR_AUTO ? capable : s->color == COLOR_ALWAYS,
                       .ascii = !is_utf8(),
                       .error_limit = s->error_limit};
    if (terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0)
        c->diags.width = size.ws_col;
}

static void start_compiler(Compiler *c, Arena *arena, const Settings *s) {
    *c = (Compiler){.arena = arena,
                    .sources = {.arena = arena, .next = 1},
                    .stdlib_dir = s->stdlib_dir,
                    .opt_level = s->opt_level,
                    .want_tests = s->tests,
                    .main_alone = s->main_alone,
                    .each = s->each};
    c->names = names_new(arena);
    c->types = types_new(arena, c->names);
    set_up_diags(c, s);
}

/* One use of the compiler from start to end; prints its diagnostics. */
static int with_compiler(const Settings *s, int (*act)(Compiler *c, const Settings *s)) {
    Arena arena = {0};
    Compiler c;
    start_compiler(&c, &arena, s);
    int status = act(&c, s);
    fflush(stdout);
    diags_print(&c.diags, stderr);
    arena_free(&arena);
    return status;
}

static int compile_file(const Settings *s) {
    return with_compiler(s, compile);
}

/* ---- subcommands ---- */

static int explain_codes(const Settings *s) {
    int status = STATUS_OK;
    for (int k = 0; k < s->nfiles; k++) {
        if (k)
            putchar('\n');
        if (!diag_explain(stdout, s->files[k])) {
            complain("there is no diagnostic %s; codes look like G0123", s->files[k]);
            status = STATUS_USAGE;
        }
    }
    return status;
}

static const char *gactrun_path(Arena *arena) {
    const char *given = getenv("GACT_RUN");
    const char *beside = arena_printf(arena, "%sgactrun", own_folder(arena));
    return given && *given ? given : access(beside, X_OK) == 0 ? beside : "gactrun";
}

static int test_file(const Settings *s, const char *file) {
    Arena arena = {0};
    Settings own = *s;
    own.input = file;
    own.tests = true;
    own.output = temporary_file(&arena);
    int status = own.output ? compile_file(&own) : STATUS_USAGE;
    if (status == STATUS_OK) {
        char *argv[] = {(char *)gactrun_path(&arena), "--tests", (char *)own.output, NULL};
        status = run_program(argv, NULL, 0);
        if (status < 0) {
            complain("cannot run %s: set GACT_RUN to the program gactrun", argv[0]);
            status = STATUS_USAGE;
        }
    }
    if (own.output)
        unlink(own.output);
    arena_free(&arena);
    return status;
}

/* Applies a function to each file; the status is the worst of all. */
static int each_file(const Settings *s, int (*one)(const Settings *s, const char *file)) {
    int worst = STATUS_OK;
    for (int k = 0; k < s->nfiles; k++) {
        int status = one(s, s->files[k]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int check_file(const Settings *s, const char *file) {
    Settings own = *s;
    own.input = file;
    return compile_file(&own);
}

/* Formats s->input in its place, the standard input to the standard output; with --check only names
   what is not formatted. */
static int format_input(Compiler *c, const Settings *s) {
    Source *source = source_read(&c->sources, s->input);
    if (!source) {
        complain("cannot read %s: %s", s->input, strerror(errno));
        return STATUS_USAGE;
    }
    Buf out = {.arena = c->arena};
    FormatStatus status = format_source(c->arena, c->names, &c->diags, source, &out);
    if (status == FORMAT_ERRORS)
        return STATUS_ERRORS;
    if (status == FORMAT_BROKEN) {
        complain("internal error: %s would not be the same program", s->input);
        return STATUS_INTERNAL;
    }
    bool is_formatted = out.len == source->len && memcmp(out.at, source->text, out.len) == 0;
    if (s->check_only && !is_formatted)
        printf("%s\n", s->input);
    if (s->check_only)
        return is_formatted ? STATUS_OK : STATUS_ERRORS;
    if (strcmp(s->input, "-") == 0)
        return write_buf(NULL, &out);
    if (is_formatted || replace_file(c->arena, s->input, out.at, out.len))
        return STATUS_OK;
    complain("cannot write %s: %s", s->input, strerror(errno));
    return STATUS_USAGE;
}

static int format_file(const Settings *s, const char *file) {
    Settings own = *s;
    own.input = file;
    return with_compiler(&own, format_input);
}

/* Loads all files, each as a compilation of its own, for their pages. Their arena lives until the end. */
static int describe_files(const Settings *s) {
    Arena arena = {0};
    DocModule *modules = NEW_ARRAY(&arena, DocModule, s->nfiles);
    int status = STATUS_OK;
    for (int k = 0; k < s->nfiles && status == STATUS_OK; k++) {
        Compiler *c = NEW(&arena, Compiler);
        start_compiler(c, &arena, s);
        if (!compiler_load(c, s->files[k])) {
            complain("cannot read %s: %s", s->files[k], strerror(errno));
            status = STATUS_USAGE;
        } else if (c->diags.errors) {
            diags_print(&c->diags, stderr);
            status = STATUS_ERRORS;
        } else {
            modules[k] = (DocModule){c, c->modules.at[0]};
        }
    }
    const char *failure =
        status == STATUS_OK ? doc_write(&arena, modules, s->nfiles, s->output ? s->output : "doc") : NULL;
    if (failure)
        complain("%s", failure);
    arena_free(&arena);
    return failure ? STATUS_USAGE : status;
}

static int make_project(const Settings *s) {
    Arena arena = {0};
    const char *failure = s->nfiles == 1 ? init_project(&arena, s->files[0]) : "init takes the name of one project";
    if (failure)
        complain("%s", failure);
    arena_free(&arena);
    return failure ? STATUS_USAGE : STATUS_OK;
}

/* The files that a program is made of. */
static const char *const *files_of(Arena *arena, const Settings *s, int *n) {
    Compiler c;
    start_compiler(&c, arena, s);
    const char **paths = NEW_ARRAY(arena, const char *, 1);
    paths[0] = s->input;
    *n = 1;
    if (!compiler_load(&c, s->input))
        return paths;
    paths = NEW_ARRAY(arena, const char *, c.sources.all.len);
    *n = 0;
    for (int k = 0; k < c.sources.all.len; k++)
        if (c.sources.all.at[k]->path[0] != '<')
            paths[(*n)++] = c.sources.all.at[k]->path;
    return paths;
}

/* Checks a program, with --tests runs its tests, and again whenever one of its files changes. */
static int watch_file(const Settings *s) {
    Settings own = *s;
    own.input = s->files[0];
    own.check_only = !s->tests;
    for (;;) {
        Arena arena = {0};
        int n;
        const char *const *paths = files_of(&arena, &own, &n);
        int fd = watch_begin(paths, n);
        int status = fd < 0 ? STATUS_USAGE : s->tests ? test_file(&own, own.input) : compile_file(&own);
        if (fd >= 0 && status == STATUS_OK && !s->tests)
            printf("%s has no errors\n", own.input);
        fflush(NULL);
        bool changed = fd >= 0 && watch_wait(fd, paths, n);
        int error = errno;
        if (fd >= 0)
            close(fd);
        arena_free(&arena);
        if (!changed) {
            complain("cannot watch %s: %s", own.input, strerror(error));
            return STATUS_USAGE;
        }
    }
}

static int bad_usage(const char *text) {
    complain("%s\nTry `gactc --help`.", text);
    return STATUS_USAGE;
}

/* The path of the gactc that gactrun would use. */
static const char *own_path(Arena *arena) {
    const char *given = getenv("GACTC");
    return given && *given ? given : arena_printf(arena, "%sgactc", own_folder(arena));
}

static int explain_kept(const Settings *s, const CacheOptions *options) {
    int status = STATUS_OK;
    for (int k = 1; k < s->nfiles; k++) {
        const char *failure = cache_why(options, s->files[k]);
        if (failure) {
            complain("%s: %s", s->files[k], failure);
            status = STATUS_USAGE;
        }
    }
    return status;
}

/* The first of the files is what to do. */
static int run_cache(const Settings *s) {
    enum { LIST, WHY, PRUNE };
    int action = s->nfiles ? options_choice("list|why|prune", s->files[0]) : -1;
    if (action < 0 || (action == WHY) != (s->nfiles > 1))
        return bad_usage("it is cache list, cache why FILE… or cache prune");
    Arena arena = {0};
    CacheOptions options = {.compiler = own_path(&arena), .all = s->all, .tests = s->tests};
    int status = STATUS_OK;
    const char *failure = NULL;
    if (action == WHY)
        status = explain_kept(s, &options);
    else
        failure = action == LIST ? cache_list() : cache_prune(&options);
    if (failure)
        complain("%s", failure);
    arena_free(&arena);
    return failure ? STATUS_USAGE : status;
}

/* ---- the command line ---- */

static int print_about(int option) {
    if (option == OPT_HELP)
        options_help(&option_table, stdout);
    else
        puts("gactc " GACT_VERSION);
    return STATUS_OK;
}

/* The place of a text that the options' table admits. */
static int find_text(const char *const *texts, int count, const char *text) {
    for (int k = 0; k < count; k++)
        if (strcmp(texts[k], text) == 0)
            return k;
    UNREACHABLE();
}

static Stage find_stage(const char *name) {
    for (int k = 0; k < STAGE_COUNT; k++)
        if (strcmp(stages[k].name, name) == 0)
            return (Stage)k;
    UNREACHABLE();
}

/* "sm_80,sm_90": an error message, or NULL. */
static const char *take_gpu_archs(Settings *s, const char *text) {
    for (bool more = true; more; text++) {
        int arch = 0, len = 0;
        if (s->ngpu_archs == MOST_GPU_ARCHS)
            return "--gpu-arch names too many GPUs";
        if (sscanf(text, "sm_%3d%n", &arch, &len) != 1 || arch < 10 ||
            (text[len] && text[len] != ','))
            return "--gpu-arch is a list such as sm_80,sm_90";
        s->gpu_archs[s->ngpu_archs++] = arch;
        text += len;
        more = *text == ',';
    }
    return NULL;
}

/* Takes one option over; an error message, or NULL. */
static const char *take_option(Settings *s, int option, const char *value) {
    long number = 0;
    switch (option) {
    case OPT_OUTPUT: s->output = value; break;
    case OPT_CHECK: s->check_only = true; break;
    case OPT_EMIT: s->stage = find_stage(value); break;
    case OPT_EXPLAIN: s->explain = true; break;
    case OPT_OPTIMIZE: s->opt_level = value[0] - '0'; break;
    case OPT_CPU: s->cpu = value; break;
    case OPT_GPU_ARCH: return take_gpu_archs(s, value);
    case OPT_TESTS: s->tests = true; break;
    case OPT_MAIN: s->main_alone = true; break;
    case OPT_EACH: s->each = value; break;
    case OPT_WARN: s->warnings_fail = value && strcmp(value, "error") == 0; break;
    case OPT_FORMAT:
        s->format = (DiagFormat)find_text(format_names, ARRAY_LEN(format_names), value);
        break;
    case OPT_LIMIT:
        if (!options_number(value, 0, INT_MAX, &number))
            return "--error-limit is a whole number";
        s->error_limit = (int)number;
        break;
    case OPT_COLOR:
        s->color = (ColorChoice)find_text(color_names, ARRAY_LEN(color_names), value);
        break;
    case OPT_STDLIB: s->stdlib_dir = value; break;
    case OPT_DEPS: s->deps = value; break;
    case OPT_DUMP_AFTER:
        s->dump_after = pass_find(value);
        return s->dump_after == PASS_COUNT ? "--dump-after takes a pass that --time-report lists"
                                           : NULL;
    case OPT_TIMES: s->times = true; break;
    case OPT_ALL: s->all = true; break;
    }
    return NULL;
}

/* What is left to do once the line is read. */
static int act(Settings *s) {
    if (s->command == CMD_CACHE)
        return run_cache(s);
    if (s->command == CMD_LSP)
        return lsp_run(s->stdlib_dir);
    if (s->nfiles == 0)
        return bad_usage("no file is given");
    if (s->command == CMD_EXPLAIN)
        return explain_codes(s);
    if (s->command == CMD_TEST)
        return each_file(s, test_file);
    if (s->command == CMD_INIT)
        return make_project(s);
    if (s->command == CMD_DOC)
        return describe_files(s);
    if (s->command == CMD_WATCH)
        return s->nfiles == 1 ? watch_file(s) : bad_usage("watch takes one file");
    if (s->command == CMD_FMT)
        return each_file(s, format_file);
    if (s->check_only)
        return each_file(s, check_file);
    if (s->nfiles > 1)
        return bad_usage("more than one file is given; a program is one file and what it imports");
    bool is_for_one = s->stage == STAGE_CUBIN || (s->stage == STAGE_PTX && s->ngpu_archs);
    if (is_for_one && s->ngpu_archs != 1)
        return bad_usage("--emit=ptx and --emit=cubin are for one GPU: --gpu-arch=sm_90");
    s->input = s->files[0];
    return compile_file(s);
}

/* A mistake of ours ends in abort(), its text already printed. */
static void end_by_abort(int number) {
    (void)number;
    _exit(STATUS_INTERNAL);
}

/* The first positional argument may be a subcommand; the others are moved to s->files. */
static void take_positional(Settings *s, const OptionParser *p) {
    int command = options_command(&option_table, p->value);
    if (s->command < 0 && s->nfiles == 0 && !p->only_files && command >= 0)
        s->command = command;
    else
        s->files[s->nfiles++] = (char *)p->value;
}

/* Ends the process without LLVM's destructors, which take milliseconds; the sanitizers need the usual
   way, to look for leaks. */
static int leave(int status) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    fflush(NULL);
    _exit(status);
#endif
    return status;
}

int main(int argc, char **argv) {
    signal(SIGABRT, end_by_abort);
    Settings s = {.files = argv + 1,
                  .command = -1,
                  .opt_level = 2,
                  .cpu = "native",
                  .error_limit = 20,
                  .dump_after = PASS_COUNT};
    OptionParser p;
    options_start(&p, &option_table, argc, argv);
    for (int option; (option = options_next(&p)) != OPTIONS_END;) {
        const char *error = NULL;
        if (option == OPTIONS_ERROR)
            error = p.message;
        else if (option == OPTIONS_POSITIONAL)
            take_positional(&s, &p);
        else if (option == OPT_HELP || option == OPT_VERSION)
            return print_about(option);
        else
            error = take_option(&s, option, p.value);
        if (error)
            return bad_usage(error);
    }
    return leave(act(&s));
}
