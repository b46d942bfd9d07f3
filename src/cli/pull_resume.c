/*
 * --resume: the rest of a file, and of the same version of it. Which version a part is of is noted in an extended
 * attribute of the file: its strong ETag or, of a server that has none, when it was last modified (RFC 9110, 13.1.5).
 * Where there is no note (another program's part, or a file system without attributes) the server is asked whether the
 * file has changed since the part was last written.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "../http/server.h"
#include "pull.h"

#define NOTE "user.weir.version"

enum { NOTE_MOST = 256 };

/* --- what is asked --- */

/* A field's value as we have noted it, which others may have written: one line of visible characters. */
static bool is_value(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            return false;
    return true;
}

static bool read_note(const char *path, char note[NOTE_MOST])
{
    ssize_t length = getxattr(path, NOTE, note, NOTE_MOST - 1);
    if (length <= 0)
        return false;
    note[length] = '\0';
    return strlen(note) == (size_t)length && is_value(note);
}

static void write_fields(struct pull_rest *rest, const char *path, const struct stat *status)
{
    char note[NOTE_MOST], date[HTTP_DATE_SIZE];
    bool noted = read_note(path, note);
    http_date(status->st_mtime, date);
    snprintf(rest->fields, sizeof rest->fields, "Range: bytes=%" PRId64 "-\r\n%s: %s\r\n", rest->have,
             noted ? "If-Range" : "If-Unmodified-Since", noted ? note : date);
}

int pull_rest_find(struct pull *pull)
{
    struct stat status;
    const char *path = pull->settings.output;
    pull->rest = (struct pull_rest){0};
    if (stat(path, &status) < 0)
        return errno == ENOENT ? 0 : weir_fail(WEIR_ERROR_SYSTEM, errno, "open", path, NULL);
    if (!S_ISREG(status.st_mode))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", path, "--resume is for files, which this is not");
    pull->rest.have = status.st_size;
    if (status.st_size > 0)
        write_fields(&pull->rest, path, &status);
    return 0;
}

/* --- what is answered --- */

/* Reads digits. False: there are none, or too many. */
static bool read_number(const char **text, int64_t *number)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits == 0 || digits > 18)
        return false;
    *number = strtoll(*text, NULL, 10);
    *text += digits;
    return true;
}

/* "bytes 5-9/10" or "bytes 5-9/": what must come to the end of the file. False: it is something else. */
static bool is_the_rest(const struct http_response *response, int64_t have)
{
    const char *text = http_field(&response->head, "Content-Range");
    int64_t first, last, size;
    if (!text || strncasecmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    if (!read_number(&text, &first) || *text++ != '-' || !read_number(&text, &last) || *text++ != '/')
        return false;
    if (strcmp(text, "*") == 0)
        size = last + 1;
    else if (!read_number(&text, &size) || *text)
        return false;
    bool length_agrees =
        response->body.kind != HTTP_LENGTH || response->body.left == (uint64_t)last - (uint64_t)first + 1;
    return first == have && last >= first && last + 1 == size && length_agrees;
}

/* "bytes * /10" without its space: how long the file is, of which nothing was left; -1: it does not say. */
static int64_t whole_size(const struct http_response *response)
{
    const char *text = http_field(&response->head, "Content-Range");
    int64_t size;
    if (!text || strncasecmp(text, "bytes */", 8) != 0)
        return -1;
    text += 8;
    return read_number(&text, &size) && !*text ? size : -1;
}

static int judge_unsatisfiable(struct pull *pull)
{
    int64_t size = whole_size(&pull->source.response);
    if (size == pull->rest.have) {
        pull->rest.complete = true;
        return 1;
    }
    if (size < 0)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "resume", pull->settings.output,
                     "it has %" PRId64 " bytes, and %s has %" PRId64, pull->rest.have, pull->name, size);
}

int pull_rest_judge(struct pull *pull)
{
    switch (pull->source.response.head.status) {
    case 206:
        if (is_the_rest(&pull->source.response, pull->rest.have))
            return 1;
        return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "resume", pull->name,
                         "it answers with another part than the one from byte %" PRId64 " on", pull->rest.have);
    case 416:
        return judge_unsatisfiable(pull);
    case 412:
    case 200:
        pull_say(pull, "pull: %s is of another version, or comes in one piece only; begins anew",
                 pull->settings.output);
        return 0;
    default:
        return 1; /* which says for itself what it is */
    }
}

/* --- the note --- */

/* A date tells a version from the next where at least a second lies between it and the answer (RFC 9110, 8.8.2.2). */
static bool is_strong_date(const struct http_head *head, const char *modified)
{
    const char *date = http_field(head, "Date");
    int64_t then = http_parse_date(modified), now = date ? http_parse_date(date) : -1;
    return then >= 0 && now > then;
}

static const char *version_of(const struct http_head *head)
{
    const char *tag = http_field(head, "ETag"), *modified = http_field(head, "Last-Modified");
    if (tag && *tag == '"')
        return tag;
    return modified && is_strong_date(head, modified) ? modified : NULL;
}

/* A file system without attributes is no failure: then the time of the last write has to do. */
void pull_rest_note(struct pull *pull)
{
    const char *version = *pull->source.url ? version_of(&pull->source.response.head) : NULL;
    if (version && strlen(version) < NOTE_MOST && is_value(version))
        fsetxattr(weir_file_fd(pull->sink.file), NOTE, version, strlen(version), 0);
    else
        pull_rest_forget(pull);
}

void pull_rest_forget(struct pull *pull)
{
    fremovexattr(weir_file_fd(pull->sink.file), NOTE);
}
