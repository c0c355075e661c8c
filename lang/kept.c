/* Descriptions of kept images. */
#include "kept.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

static const char options[] = "-O2 --cpu=native";

static StorePart text_part(const char *text) {
    return (StorePart){text, strlen(text)};
}

static void put_line(FILE *out, const StorePart *parts, int count, const char *kind,
                     const char *text) {
    char hash[STORE_NAME];
    store_name(parts, count, "", hash);
    fprintf(out, "%s %s %s\n", hash, kind, text);
}

/* The compiler by its version and its file, which a rebuild changes. */
static void put_compiler(FILE *out, const char *compiler) {
    struct stat st = {0};
    char *full = realpath(compiler, NULL);
    const char *path = full ? full : compiler;
    stat(path, &st);
    StorePart parts[] = {text_part(GACT_VERSION),
                         text_part(path),
                         {&st.st_size, sizeof st.st_size},
                         {&st.st_mtim, sizeof st.st_mtim}};
    put_line(out, parts, 4, "compiler", path);
    free(full);
}

/* The processor by its model and features, as the system lists them for the first. */
static void put_processor(FILE *out) {
    char line[8192], model[256] = "unknown", *flags = NULL;
    FILE *cpu = fopen("/proc/cpuinfo", "re");
    while (cpu && fgets(line, sizeof line, cpu) && *line != '\n') {
        const char *colon = strchr(line, ':');
        const char *value = colon ? colon + 1 + strspn(colon + 1, " ") : line;
        line[strcspn(line, "\n")] = 0;
        if (!strncmp(line, "model name", 10))
            snprintf(model, sizeof model, "%.*s", (int)sizeof model - 1, value);
        if (!strncmp(line, "flags", 5) && !flags)
            flags = strdup(value);
    }
    if (cpu)
        fclose(cpu);
    StorePart parts[] = {text_part(model), text_part(flags ? flags : "")};
    put_line(out, parts, 2, "processor", model);
    free(flags);
}

static bool hash_file(const char *path, XXH128_hash_t *hash) {
    char part[1 << 14];
    size_t n;
    FILE *file = fopen(path, "re");
    XXH3_state_t *state = XXH3_createState();
    XXH3_128bits_reset(state);
    while (file && (n = fread(part, 1, sizeof part, file)) > 0)
        XXH3_128bits_update(state, part, n);
    bool good = file && !ferror(file);
    *hash = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    if (file)
        fclose(file);
    return good;
}

static bool put_file(FILE *out, const char *path) {
    XXH128_hash_t hash;
    if (!hash_file(path, &hash))
        return false;
    StorePart part = {&hash, sizeof hash};
    put_line(out, &part, 1, "file", path);
    return true;
}

/* The source, and the files but for those that are the source. */
static bool put_files(FILE *out, const char *source, const char *files) {
    char *full = realpath(source, NULL);
    bool good = full && put_file(out, full);
    while (good && *files) {
        size_t len = strcspn(files, "\n");
        char *path = strndup(files, len), *real = path ? realpath(path, NULL) : NULL;
        good = len == 0 || (real && (!strcmp(real, full) || put_file(out, real)));
        free(real);
        free(path);
        files += len + (files[len] == '\n');
    }
    free(full);
    return good;
}

static void put_text(FILE *out, const char *kind, const char *text) {
    StorePart part = text_part(text);
    put_line(out, &part, 1, kind, text);
}

const char *kept_option(KeptPart part) {
    static const char *const names[] = {[KEPT_MAIN] = "--main", [KEPT_TESTS] = "--tests"};
    return names[part];
}

/* All of gactc's options, from malloc; NULL when memory is exhausted. */
static char *option_texts(const Kept *k) {
    const char *part = kept_option(k->part);
    char *text;
    int len = asprintf(&text, "%s%s%s%s%s", options, part ? " " : "", part ? part : "",
                       k->each ? " --each=" : "", k->each ? k->each : "");
    return len < 0 ? NULL : text;
}

char *kept_describe(const Kept *k, const char *files) {
    const char *back_end = getenv("GACT_LLVM");
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    char *flags = option_texts(k);
    put_compiler(out, k->compiler);
    put_text(out, "back-end", back_end ? back_end : "");
    put_text(out, "options", flags ? flags : "");
    free(flags);
    put_processor(out);
    put_text(out, "source", k->source);
    bool good = put_files(out, k->source, files);
    if (!fclose(out) && good)
        return text;
    free(text);
    return NULL;
}

bool kept_next(const char **description, KeptLine *line) {
    const char *at = *description;
    *line = (KeptLine){.hash = at};
    line->hash_len = (int)strcspn(at, " \n");
    at += line->hash_len + (at[line->hash_len] == ' ');
    line->kind = at;
    line->kind_len = (int)strcspn(at, " \n");
    at += line->kind_len + (at[line->kind_len] == ' ');
    line->text = at;
    line->text_len = (int)strcspn(at, "\n");
    at += line->text_len;
    *description = at + (*at == '\n');
    return line->hash_len > 0;
}

char *kept_files(const char *description) {
    char *text = NULL;
    size_t len;
    KeptLine line;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return NULL;
    while (kept_next(&description, &line))
        if (line.kind_len == 4 && !memcmp(line.kind, "file", 4))
            fprintf(out, "%.*s\n", line.text_len, line.text);
    if (!fclose(out))
        return text;
    free(text);
    return NULL;
}

void kept_image_name(const char *description, char name[STORE_NAME]) {
    StorePart part = text_part(description);
    store_name(&part, 1, ".gactx", name);
}

bool kept_record_name(const Kept *k, char name[STORE_NAME]) {
    char *full = realpath(k->source, NULL);
    const char *part = kept_option(k->part);
    StorePart parts[] = {text_part(full ? full : ""), text_part(part ? part : ""),
                         text_part(k->each ? k->each : "")};
    store_name(parts, k->each ? 3 : 2, ".deps", name);
    free(full);
    return full != NULL;
}
