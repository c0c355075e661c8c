/* The server's loop: frames in, answers out, checks between. */
#include "lsp.h"

#include "tools.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PARSE_ERROR = -32700, INVALID_REQUEST = -32600, METHOD_NOT_FOUND = -32601, INVALID_PARAMS = -32602,
       NOT_INITIALIZED = -32002, REQUEST_FAILED = -32803, SETTLE_MS = 60 };

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- out ---- */

static void write_all(int fd, const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return; /* who asked is gone; the next read tells */
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
    }
}

void server_send(Server *s, cJSON *message) {
    cJSON_AddStringToObject(message, "jsonrpc", "2.0");
    char *text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    if (!text)
        return;
    char head[64];
    size_t len = strlen(text);
    int n = snprintf(head, sizeof head, "Content-Length: %zu\r\n\r\n", len);
    write_all(s->out, head, (size_t)n);
    write_all(s->out, text, len);
    free(text);
}

void server_notify(Server *s, const char *method, cJSON *params) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddStringToObject(message, "method", method);
    cJSON_AddItemToObject(message, "params", params);
    server_send(s, message);
}

static cJSON *reply_to(const cJSON *id) {
    cJSON *message = cJSON_CreateObject();
    cJSON_AddItemToObject(message, "id", id ? cJSON_Duplicate(id, true) : cJSON_CreateNull());
    return message;
}

static void send_error(Server *s, const cJSON *id, int code, const char *text) {
    cJSON *message = reply_to(id), *error = cJSON_AddObjectToObject(message, "error");
    cJSON_AddNumberToObject(error, "code", code);
    cJSON_AddStringToObject(error, "message", text);
    server_send(s, message);
}

static void send_result(Server *s, const cJSON *id, cJSON *result) {
    cJSON *message = reply_to(id);
    cJSON_AddItemToObject(message, "result", result ? result : cJSON_CreateNull());
    server_send(s, message);
}

/* ---- initialize ---- */

static const cJSON *item_of(const cJSON *object, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const char *text_of(const cJSON *object, const char *name) {
    const cJSON *item = item_of(object, name);
    return cJSON_IsString(item) ? item->valuestring : NULL;
}

static cJSON *string_list(const char *const *texts, int n) {
    return cJSON_CreateStringArray(texts, n);
}

static cJSON *capabilities(const Server *s) {
    static const char *const after[] = {".", "!", "?", "@", " "}, *const signature[] = {"(", ","};
    static const char *const yes[] = {"hoverProvider", "definitionProvider", "referencesProvider",
                                      "documentHighlightProvider", "documentSymbolProvider",
                                      "workspaceSymbolProvider", "documentFormattingProvider",
                                      "inlayHintProvider", "foldingRangeProvider"};
    cJSON *c = cJSON_CreateObject();
    cJSON_AddStringToObject(c, "positionEncoding", s->utf8 ? "utf-8" : "utf-16");
    cJSON *sync = cJSON_AddObjectToObject(c, "textDocumentSync");
    cJSON_AddBoolToObject(sync, "openClose", true);
    cJSON_AddNumberToObject(sync, "change", 2); /* by ranges */
    cJSON_AddBoolToObject(sync, "save", true);
    for (int i = 0; i < ARRAY_LEN(yes); i++)
        cJSON_AddBoolToObject(c, yes[i], true);
    cJSON_AddBoolToObject(cJSON_AddObjectToObject(c, "renameProvider"), "prepareProvider", true);
    cJSON *completion = cJSON_AddObjectToObject(c, "completionProvider");
    cJSON_AddItemToObject(completion, "triggerCharacters", string_list(after, ARRAY_LEN(after)));
    cJSON *help = cJSON_AddObjectToObject(c, "signatureHelpProvider");
    cJSON_AddItemToObject(help, "triggerCharacters", string_list(signature, ARRAY_LEN(signature)));
    cJSON *tokens = cJSON_AddObjectToObject(c, "semanticTokensProvider");
    cJSON_AddItemToObject(tokens, "legend", tokens_legend());
    cJSON_AddBoolToObject(tokens, "full", true);
    static const char *const kinds[] = {"quickfix", "refactor.rewrite", "source.fixAll"};
    cJSON *actions = cJSON_AddObjectToObject(c, "codeActionProvider");
    cJSON_AddItemToObject(actions, "codeActionKinds", string_list(kinds, ARRAY_LEN(kinds)));
    return c;
}

static void choose_encoding(Server *s, const cJSON *params) {
    const cJSON *general = item_of(item_of(params, "capabilities"), "general"), *encoding;
    cJSON_ArrayForEach(encoding, item_of(general, "positionEncodings"))
        if (cJSON_IsString(encoding) && !strcmp(encoding->valuestring, "utf-8"))
            s->utf8 = true;
}

static void choose_root(Server *s, const cJSON *params) {
    const cJSON *folder = cJSON_GetArrayItem(item_of(params, "workspaceFolders"), 0);
    const char *uri = folder ? text_of(folder, "uri") : text_of(params, "rootUri");
    if (uri)
        s->root = path_of_uri(&s->arena, arena_copy(&s->arena, uri, strlen(uri)));
}

static cJSON *initialize(Server *s, const cJSON *params) {
    choose_encoding(s, params);
    choose_root(s, params);
    s->is_ready = true;
    cJSON *result = cJSON_CreateObject();
    cJSON_AddItemToObject(result, "capabilities", capabilities(s));
    cJSON *info = cJSON_AddObjectToObject(result, "serverInfo");
    cJSON_AddStringToObject(info, "name", "gact");
    cJSON_AddStringToObject(info, "version", GACT_VERSION);
    return result;
}

/* ---- documents ---- */

/* The document has changed: it is checked when the typing pauses, the others that may import it after
   that. */
static void changed(Server *s, Document *d) {
    if (s->child && s->checking == d)
        checking_stop(s);
    int64_t now = now_ms();
    for (int i = 0; i < s->documents.len; i++) {
        Document *other = s->documents.at[i];
        other->is_due = true;
        other->due_ms = other == d ? now + SETTLE_MS : now + 2 * SETTLE_MS;
        if (other != d && other->snapshot) /* what it imports may be another */
            document_set(s, other, other->text, other->len, other->version);
    }
    publish_syntax(s, d);
}

static void did_open(Server *s, const cJSON *params) {
    const cJSON *item = item_of(params, "textDocument"), *version = item_of(item, "version");
    const char *uri = text_of(item, "uri"), *text = text_of(item, "text");
    if (uri && text)
        changed(s, document_open(s, uri, text, cJSON_IsNumber(version) ? (int64_t)version->valuedouble : 0));
}

static void did_change(Server *s, const cJSON *params) {
    const cJSON *item = item_of(params, "textDocument"), *version = item_of(item, "version");
    Document *d = document_find(s, text_of(item, "uri"));
    if (!d)
        return;
    document_change(s, d, item_of(params, "contentChanges"),
                    cJSON_IsNumber(version) ? (int64_t)version->valuedouble : d->version + 1);
    changed(s, d);
}

/* Files have changed on disk, any of which may be imported. */
static void files_changed(Server *s) {
    for (int i = 0; i < s->documents.len; i++) {
        Document *d = s->documents.at[i];
        document_set(s, d, d->text, d->len, d->version);
        d->is_due = true;
        d->due_ms = now_ms() + SETTLE_MS;
    }
}

static void did_close(Server *s, const cJSON *params) {
    Document *d = document_find(s, text_of(item_of(params, "textDocument"), "uri"));
    if (!d)
        return;
    cJSON *none = cJSON_CreateObject();
    cJSON_AddStringToObject(none, "uri", d->uri);
    cJSON_AddArrayToObject(none, "diagnostics");
    server_notify(s, "textDocument/publishDiagnostics", none);
    document_close(s, d);
}

/* ---- messages ---- */

static const struct {
    const char *method;
    Answer answer;
    bool needs_document;
} requests[] = {
    {"textDocument/hover", answer_hover, true},
    {"textDocument/definition", answer_definition, true},
    {"textDocument/references", answer_references, true},
    {"textDocument/documentHighlight", answer_highlight, true},
    {"textDocument/rename", answer_rename, true},
    {"textDocument/prepareRename", answer_prepare_rename, true},
    {"textDocument/completion", answer_completion, true},
    {"textDocument/signatureHelp", answer_signature, true},
    {"textDocument/documentSymbol", answer_symbols, true},
    {"workspace/symbol", answer_workspace_symbols, false},
    {"textDocument/semanticTokens/full", answer_tokens, true},
    {"textDocument/inlayHint", answer_hints, true},
    {"textDocument/foldingRange", answer_folding, true},
    {"textDocument/formatting", answer_formatting, true},
    {"textDocument/codeAction", answer_actions, true},
};

static void answer_request(Server *s, const char *method, const cJSON *id, const cJSON *params) {
    for (int i = 0; i < ARRAY_LEN(requests); i++) {
        if (strcmp(requests[i].method, method) != 0)
            continue;
        Document *d = document_find(s, text_of(item_of(params, "textDocument"), "uri"));
        if (!d && requests[i].needs_document) {
            send_error(s, id, INVALID_PARAMS, "no such document is open");
            return;
        }
        const char *error = NULL;
        cJSON *result = requests[i].answer(s, d, params, &error);
        if (error)
            send_error(s, id, REQUEST_FAILED, error);
        else
            send_result(s, id, result);
        return;
    }
    send_error(s, id, METHOD_NOT_FOUND, "there is no such method");
}

static void shut_down(Server *s, const cJSON *id) {
    s->is_shut = true;
    checking_stop(s);
    send_result(s, id, NULL);
}

static void take_request(Server *s, const char *method, const cJSON *id, const cJSON *params) {
    if (!strcmp(method, "initialize"))
        send_result(s, id, initialize(s, params));
    else if (!s->is_ready)
        send_error(s, id, NOT_INITIALIZED, "initialize comes first");
    else if (s->is_shut)
        send_error(s, id, INVALID_REQUEST, "the server is shut down");
    else if (!strcmp(method, "shutdown"))
        shut_down(s, id);
    else
        answer_request(s, method, id, params);
}

static void take_notification(Server *s, const char *method, const cJSON *params) {
    if (!s->is_ready)
        return;
    if (!strcmp(method, "textDocument/didOpen"))
        did_open(s, params);
    else if (!strcmp(method, "textDocument/didChange"))
        did_change(s, params);
    else if (!strcmp(method, "textDocument/didClose"))
        did_close(s, params);
    else if (!strcmp(method, "textDocument/didSave") || !strcmp(method, "workspace/didChangeWatchedFiles"))
        files_changed(s);
}

/* One message; false: exit. */
static bool take_message(Server *s, const char *text, size_t len) {
    cJSON *message = cJSON_ParseWithLength(text, len);
    const char *method = text_of(message, "method");
    const cJSON *id = item_of(message, "id");
    bool goes_on = true;
    if (!message)
        send_error(s, NULL, PARSE_ERROR, "the message is no JSON");
    else if (!method && (!id || (!item_of(message, "result") && !item_of(message, "error"))))
        send_error(s, id, INVALID_REQUEST, "the message has no method");
    else if (method && !strcmp(method, "exit"))
        goes_on = false;
    else if (method && id)
        take_request(s, method, id, item_of(message, "params"));
    else if (method)
        take_notification(s, method, item_of(message, "params"));
    cJSON_Delete(message);
    return goes_on;
}

/* Takes all frames that are there; false: exit. */
static bool take_frames(Server *s) {
    for (;;) {
        const char *body;
        size_t len;
        switch (frame_take(&s->input, &body, &len)) {
        case FRAME_MORE: return true;
        case FRAME_BAD: send_error(s, NULL, PARSE_ERROR, "a header without Content-Length"); break;
        case FRAME_BODY:
            if (!take_message(s, body, len))
                return false;
            break;
        }
    }
}

/* Reads what has come; false at the end. */
static bool read_input(Server *s) {
    char chunk[65536];
    ssize_t n = read(s->in, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR)
        return true;
    return n > 0 && frame_add(&s->input, chunk, (size_t)n) && take_frames(s);
}

/* ---- open texts instead of files ---- */

static const char *overlay_text(void *data, const char *path, size_t *len) {
    Server *s = data;
    char *real = NULL;
    for (int i = 0; i < s->documents.len; i++) {
        const Document *d = s->documents.at[i];
        bool same = !strcmp(d->path, path);
        if (!same && *path != '<') {
            real = real ? real : realpath(path, NULL);
            same = real && !strcmp(real, d->path);
        }
        if (same) {
            free(real);
            *len = d->len;
            return d->text;
        }
    }
    free(real);
    return NULL;
}

int lsp_run(const char *stdlib_dir) {
    Server s = {.in = STDIN_FILENO, .out = STDOUT_FILENO, .stdlib_dir = stdlib_dir};
    s.overlay = (Overlay){overlay_text, &s};
    signal(SIGPIPE, SIG_IGN);
    bool open = true;
    while (open) {
        int64_t now = now_ms();
        checking_start(&s, now);
        struct pollfd fds[2] = {{.fd = s.in, .events = POLLIN}, {.fd = s.child_fd, .events = POLLIN}};
        int n = poll(fds, s.child ? 2 : 1, checking_wait(&s, now));
        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && fds[0].revents)
            open = read_input(&s);
        else if (n > 0 && s.child && fds[1].revents)
            checking_read(&s);
    }
    checking_stop(&s);
    while (s.documents.len)
        document_close(&s, s.documents.at[0]);
    frame_free(&s.input);
    arena_free(&s.arena);
    return s.is_shut ? 0 : 1;
}
