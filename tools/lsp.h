/* The language server, `gactc lsp`: inside.

   One process reads messages and answers them from what parsing and the names tell (names.h), which takes
   a few milliseconds, so that it is always there. Checking takes as long as the program makes it take:
   it runs in a forked process on a copy of the open texts and sends back diagnostics and the types of
   what stands where; an edit ends it. Until it is done, its last result is used for the parts of the
   text that have not changed since. */
#ifndef GACT_LSP_H
#define GACT_LSP_H

#include "lsp_frame.h"
#include "names.h"

#include <cjson/cJSON.h>
#include <sys/types.h>

/* The type of what stands at a place, in bytes of the text that was checked. */
typedef struct {
    uint32_t from, to;
    const char *type, *dims; /* dims: "[n, 3]" or NULL */
    bool varies;             /* other types stand there, too: a template */
} Typed;

/* What the name of a member at a place means. */
typedef struct {
    uint32_t from, to;
    const char *path;
    uint32_t target;
} Refers;

/* What the last finished check told of a document. */
typedef struct {
    Arena arena;
    const char *text; /* that was checked */
    size_t len;
    VEC(Typed) typed; /* in order of place */
    VEC(Refers) refers;
    cJSON *diagnostics; /* as published */
} Checked;

/* What parsing tells of a document as it is. */
typedef struct {
    Compiler c;
    Module *module;
    Source *source;
    Names *names;
    bool is_broken; /* it has syntax errors */
} Snapshot;

typedef struct {
    Arena arena; /* of the text and its snapshot */
    char *uri, *path;
    const char *text;
    size_t len;
    int64_t version;
    Snapshot *snapshot; /* NULL until somebody asks */
    Checked *checked;   /* NULL before the first check has ended */
    size_t same_front, same_back; /* bytes that the text shares with what was checked */
    bool is_due;        /* it has to be checked */
    int64_t due_ms;
} Document;

typedef struct {
    int in, out;
    FrameInput input;
    VEC(Document *) documents;
    Arena arena; /* as long as the server */
    Overlay overlay;
    const char *root;       /* folder of the workspace, or NULL */
    const char *stdlib_dir; /* or NULL */
    bool utf8;              /* columns count bytes, not UTF-16 units */
    bool is_ready, is_shut;
    /* the check that runs */
    pid_t child;
    int child_fd;
    Document *checking;
    Buf report;
    Arena report_arena;
} Server;

/* ---- lsp_text.c: documents and places ---- */

Document *document_find(Server *s, const char *uri);
Document *document_open(Server *s, const char *uri, const char *text, int64_t version);
void document_close(Server *s, Document *d);
/* Gives the document another text. */
void document_set(Server *s, Document *d, const char *text, size_t len, int64_t version);
/* Applies the contentChanges of a message; false if one is malformed. */
bool document_change(Server *s, Document *d, const cJSON *changes, int64_t version);
Snapshot *document_snapshot(Server *s, Document *d);
/* A program as it is in a file or an open document, parsed with what it imports; NULL if it cannot be
   read. */
Snapshot *snapshot_new(Server *s, Arena *arena, const char *path);
/* {"line", "character"} of a position in a source, and the other way round: an offset, clamped. */
cJSON *json_position(const Server *s, Source *source, uint32_t position);
cJSON *json_range(const Server *s, Source *source, Span span);
size_t offset_of(const Server *s, const char *text, size_t len, const cJSON *position);
/* {"uri", "range"}; NULL if the place is in no file. */
cJSON *json_location(Server *s, Compiler *c, Span span);
/* The URI of a file, also of one of the library, which is written to the cache for it; NULL if there
   is none. */
const char *uri_of(Server *s, Arena *arena, const Source *source);
const char *path_of_uri(Arena *arena, const char *uri);
cJSON *json_text(const char *text, size_t len);

/* ---- lsp_check.c: checking apart ---- */

/* Starts the check that is due, if none runs; takes what the one that runs has to say. */
void checking_start(Server *s, int64_t now_ms);
void checking_read(Server *s);
void checking_stop(Server *s);
void checked_free(Checked *checked);
/* The diagnostics of a document that does not parse, as the protocol has them; the caller deletes them. */
cJSON *syntax_diagnostics(Server *s, Document *d);
/* Milliseconds until a check is due; -1: none is. */
int checking_wait(const Server *s, int64_t now_ms);
/* The syntax errors of a document, at once. */
void publish_syntax(Server *s, Document *d);
/* What was found to stand at a place of the document as it is now; NULL if that is not known. */
const Typed *typed_at(const Document *d, uint32_t from, uint32_t to);
const Refers *refers_at(const Document *d, uint32_t from, uint32_t to);

/* ---- lsp_ask.c, lsp_complete.c, lsp_list.c, lsp_fix.c: requests ---- */

typedef cJSON *(*Answer)(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_hover(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_definition(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_references(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_highlight(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_rename(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_prepare_rename(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_completion(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_signature(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_symbols(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_workspace_symbols(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_tokens(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_hints(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_folding(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_formatting(Server *s, Document *d, const cJSON *params, const char **error);
cJSON *answer_actions(Server *s, Document *d, const cJSON *params, const char **error);
/* The names of the kinds of semantic tokens and of their modifiers, for `initialize`. */
cJSON *tokens_legend(void);

/* ---- shared by them ---- */

typedef VEC(const char *) PathList;
/* The programs of the workspace, and what else is open. */
PathList workspace_programs(const Server *s, Arena *arena);

/* The use at a request's position, with a member's meaning where the check knows it. */
typedef struct {
    Snapshot *snapshot;
    uint32_t position;
    const Use *use; /* or NULL */
    const Def *def; /* or NULL */
} Place;
Place place_of(Server *s, Document *d, const cJSON *params);
/* What a use means, as far as names or the last check tell. */
const Def *meaning_of(Document *d, Snapshot *snap, const Use *use);
/* "fn f(x: i64) -> i64" of a declaration, without its body. */
const char *signature_of(Arena *arena, const Snapshot *snap, const Decl *decl);
/* The type of a local's name, or of another definition: as written or as checked; NULL if unknown. */
const char *type_text_of(Arena *arena, Document *d, const Snapshot *snap, const Def *def);
bool is_word_byte(char c);

void server_send(Server *s, cJSON *message);
void server_notify(Server *s, const char *method, cJSON *params);

#endif
