/* The titles of live sources, set from outside of their streams; see admin.h. */
#include "admin.h"

#include <stdio.h>
#include <string.h>

#include "paths.h"
#include "source.h"
#include "words.h"

enum { WORDS = 1024 };

/* What programs look for in the answer. */
#define ANSWER                                                                                                         \
    "<?xml version=\"1.0\"?>\n<iceresponse><message>Metadata update successful</message><return>1</return>"            \
    "</iceresponse>\n"

/* A text of the query, as it may be kept; "" where it is not there. False: it is malformed or too long. */
static bool take_words(const char *target, const char *key, char words[WORDS])
{
    char charset[40], bytes[WORDS];
    bool told = http_query(target, "charset", charset, sizeof charset) > 0;
    int found = http_query(target, key, bytes, sizeof bytes);
    words_of(found > 0 ? bytes : NULL, told ? charset : NULL, words, WORDS);
    return found >= 0;
}

/* "SONG", or "ARTIST - TITLE". */
static bool take_title(const char *target, char title[WORDS])
{
    char artist[WORDS], name[WORDS];
    if (!take_words(target, "song", title))
        return false;
    if (title[0])
        return true;
    if (!take_words(target, "artist", artist) || !take_words(target, "title", name))
        return false;
    char both[2 * WORDS + 4];
    snprintf(both, sizeof both, "%s%s%s", artist, artist[0] && name[0] ? " - " : "", name);
    words_of(both, "utf-8", title, WORDS);
    return true;
}

static void set_title(struct http_exchange *exchange, const char *path)
{
    const struct stream *stream = exchange->arg;
    struct mount *mount = mounts_find(stream->mounts, path);
    struct mount_status status = {0};
    char title[WORDS];
    if (mount)
        mount_look(mount, &status);
    if (!mount || !status.live || status.kind != MOUNT_LIVE)
        http_refuse(exchange, 404, NULL, "no source sends to this mount");
    else if (!take_title(exchange->request.target, title))
        http_refuse(exchange, 400, NULL, "song, or artist and title, cannot be read");
    else {
        mount_set_title(mount, title);
        http_answer(exchange, 200, "text/xml", "Cache-Control: no-cache\r\n", ANSWER, strlen(ANSWER));
    }
    mount_drop(mount);
}

void admin_metadata_answer(struct http_exchange *exchange)
{
    const char *target = exchange->request.target;
    char mode[16], path[PATH_MOST];
    if (http_query(target, "mode", mode, sizeof mode) <= 0 || strcmp(mode, "updinfo") != 0)
        http_refuse(exchange, 400, NULL, "mode=updinfo is what can be done here");
    else if (http_query(target, "mount", path, sizeof path) <= 0 || !path_is_mount(path))
        http_refuse(exchange, 400, NULL, "mount=/MOUNT says which one is meant");
    else if (source_admit(exchange, path))
        set_title(exchange, path);
}
