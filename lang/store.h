/* The folder in which both programs keep what is dear to make again: compiled programs (.gactx),
   what each was made of (.deps) and code for devices (.code). A name is a hash of all that the
   content depends on, so nothing is ever out of date. Files appear whole, by rename, and any number
   of processes may work in the folder at once. */
#ifndef GACT_STORE_H
#define GACT_STORE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct {
    char folder[PATH_MAX]; /* "": nothing is kept */
    int64_t limit;         /* bytes that the files may take */
} Store;

/* $XDG_CACHE_HOME/gact, else ~/.cache/gact, made if need be; GACT_CACHE_SIZE is the limit in MiB,
   1024 if not set, and 0 keeps nothing. */
void store_open(Store *s);
/* FOLDER/NAME; false where it would be too long or nothing is kept. */
bool store_path(const Store *s, const char *name, char path[PATH_MAX]);
/* A fresh, empty file in a folder, to be renamed or removed. */
bool store_fresh(const char *folder, char path[PATH_MAX]);

/* ---- names ---- */

/* The hash of several texts, each with its length: the name of what they decide. */
typedef struct {
    const void *data;
    size_t len;
} StorePart;
enum { STORE_NAME = 48 };
void store_name(const StorePart *parts, int count, const char *ending, char name[STORE_NAME]);

/* ---- entries: content that is checked when it is read ---- */

/* The content kept under a name, from malloc, and the note beside it (may be NULL); both end in a
   NUL that is not counted. False where there is none; a damaged one is removed. */
bool store_get(const Store *s, const char *name, char **content, size_t *len, char **note);
/* The same, and it does not count as used. */
bool store_peek(const Store *s, const char *name, char **content, size_t *len, char **note);
/* Keeps content under a name, and drops what was not used for longest where it becomes too much. */
bool store_put(const Store *s, const char *name, const void *content, size_t len, const char *note);
void store_drop(const Store *s, const char *name);

/* ---- all files ---- */

typedef struct {
    char name[STORE_NAME];
    int64_t bytes;
    struct timespec used; /* last */
} StoreFile;

bool store_ends(const char *name, const char *ending);
/* The files, those used longest ago first, from malloc; the count. */
int store_list(const Store *s, StoreFile **files);
/* Removes files, those used longest ago first, until the rest takes at most limit bytes; the one
   called keep (may be NULL) and records (.deps) stay. Returns how many bytes are gone. */
int64_t store_trim(const Store *s, int64_t limit, const char *keep);

#endif
