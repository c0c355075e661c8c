/* What a kept image is made of. gactrun compiles a .gact file once and keeps the image under a name
   that is the hash of a description: the compiler, the processor, the options and every file that
   was read, a line each. A record in the store holds the description of the last compilation of a
   source, so that gactrun knows which files to look at, and `gactc cache why` what has changed. */
#ifndef GACT_KEPT_H
#define GACT_KEPT_H

#include "store.h"

/* What of a program is compiled. */
typedef enum {
    KEPT_ALL,
    KEPT_MAIN, /* main alone, where there is one */
    KEPT_TESTS /* all, with the test blocks */
} KeptPart;

typedef struct {
    const char *source;   /* as the user wrote it, since faults show it so */
    const char *compiler; /* the path of gactc */
    KeptPart part;
    const char *each; /* what gactc's --each is to say, or NULL */
} Kept;

/* gactc's option for a part, or NULL. */
const char *kept_option(KeptPart part);

/* The name of the source's record; false where there is no such file. */
bool kept_record_name(const Kept *k, char name[STORE_NAME]);
/* The description of an image compiled at present from the source and these files, one path a line,
   from malloc; NULL where one cannot be read. Its lines are HASH KIND TEXT. */
char *kept_describe(const Kept *k, const char *files);
/* The paths of a description's files, one a line, from malloc. */
char *kept_files(const char *description);
/* The image's name. */
void kept_image_name(const char *description, char name[STORE_NAME]);

/* A line of a description; the texts are not NUL-terminated. */
typedef struct {
    const char *hash, *kind, *text;
    int hash_len, kind_len, text_len;
} KeptLine;
/* Takes the first line off; false at the end. */
bool kept_next(const char **description, KeptLine *line);

#endif
