/* Where pull's bytes come from: a bare stream, or an HTTP response. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "pull.h"

enum { REDIRECTS_MOST = 10, PLAYLISTS_MOST = 3 };

/* --- what is named --- */

static bool is_url(const char *word)
{
    return strncasecmp(word, "http://", 7) == 0 || strncasecmp(word, "https://", 8) == 0;
}

/* What is pulled from now on, and what it is called: where the URL names a user, without that. 0 or -1. */
static int set_url(struct pull *pull, const char *word, struct http_url *url)
{
    struct pull_source *source = &pull->source;
    if (http_parse_url(word, url) < 0)
        return -1;
    if (strlen(word) >= sizeof source->url)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", url->endpoint, "the URL is too long");
    memcpy(source->url, word, strlen(word) + 1);
    snprintf(pull->name, sizeof pull->name, "%.*s://%.256s%.400s", (int)strcspn(url->endpoint, ":"), url->endpoint,
             url->host, url->target);
    return 0;
}

static int check(const struct pull *pull)
{
    const struct pull_settings *settings = &pull->settings;
    if (pull->dialling.endpoint.datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name, "datagrams have no end; see weir connect -u");
    if (settings->resume && !*pull->source.url)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "pull", pull->name, "--resume is for http:// and https://");
    return via_check(&pull->dialling.via, &pull->dialling.endpoint, "pull");
}

size_t pull_source_read(struct pull *pull, const weir_arguments *words)
{
    struct http_url url;
    const char *endpoint[] = {url.endpoint, NULL};
    weir_arguments alone = {.items = endpoint, .count = 1, .dashes = 1};
    bool http = words->count > 0 && is_url(words->items[0]);
    if (http && set_url(pull, words->items[0], &url) < 0)
        return 0;
    size_t used = dialling_read(&pull->dialling, http ? &alone : words);
    if (used > 0 && !http)
        snprintf(pull->name, sizeof pull->name, "%s", pull->dialling.endpoint.text);
    return used > 0 && check(pull) < 0 ? 0 : used;
}

/* --- a bare stream --- */

static int open_bare(struct pull *pull)
{
    struct pull_source *source = &pull->source;
    source->length = -1;
    source->conn = dialling_connect(&pull->dialling);
    return source->conn ? 0 : -1;
}

/* --- HTTP --- */

static bool begins(const char *text, const char *beginning)
{
    return text && strncasecmp(text, beginning, strlen(beginning)) == 0;
}

/* Whether it says so itself. */
static bool is_icy(const struct http_head *head)
{
    return head->icy || http_field(head, "icy-metaint") || http_field(head, "icy-name") || http_field(head, "icy-br");
}

/*
 * Whether a body without a length is a radio's, which is asked again when it ends: a page or a table is not; nor is
 * what has a version or is a part, which is a file.
 */
static bool is_radio(const struct http_head *head)
{
    const char *type = http_field(head, "Content-Type");
    if (head->status == 206 || is_icy(head))
        return head->status != 206;
    if (http_field(head, "ETag") || http_field(head, "Last-Modified"))
        return false;
    return begins(type, "audio/") || begins(type, "video/") || begins(type, "application/ogg");
}

static int fail_status(struct pull *pull)
{
    const struct http_head *head = &pull->source.response.head;
    int status = head->status;
    /* These may pass: a radio whose source is away for a moment answers 404. */
    pull->source.final = status >= 400 && status < 500 && status != 404 && status != 408 && status != 429;
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "get", pull->name, "%d%s%s", status,
                     head->reason && *head->reason ? " " : "", head->reason ? head->reason : "");
}

static int ask(struct pull *pull, int64_t deadline)
{
    char local[DIALLING_LOCAL_MOST], fields[800];
    struct http_get get = {.fields = fields, .redirects = REDIRECTS_MOST, .deadline = deadline};
    struct pull_source *source = &pull->source;
    dialling_prepare(&pull->dialling, local, &get.connect);
    snprintf(fields, sizeof fields, "%s%s", pull->rest.have > 0 ? pull->rest.fields : "",
             pull->settings.quiet ? "" : "Icy-MetaData: 1\r\n");
    dialling_say(&pull->dialling, "asking %s", pull->name);
    if (http_get(source->url, &get, &source->response) < 0)
        return -1;
    source->conn = source->response.conn;
    dialling_say_connected(&pull->dialling, source->conn);
    dialling_say(&pull->dialling, "it answers %d %s", source->response.head.status, source->response.head.reason);
    return 0;
}

/* Asks; once more for all of it, where the part that there is already is of no use. */
static int ask_for_rest(struct pull *pull, int64_t deadline)
{
    if (ask(pull, deadline) < 0)
        return -1;
    if (pull->rest.have == 0)
        return 0;
    int judged = pull_rest_judge(pull);
    if (judged != 0)
        return judged < 0 ? -1 : 0;
    pull->rest = (struct pull_rest){0};
    if (pull->source.response.head.status == 200)
        return 0;
    pull_source_close(pull);
    return ask(pull, deadline);
}

/* What the response says of what follows. 0 or -1. */
static int read_head(struct pull *pull)
{
    struct pull_source *source = &pull->source;
    const struct http_head *head = &source->response.head;
    const struct http_body *body = &source->response.body;
    uint64_t interval;
    if (icy_interval(http_field(head, "icy-metaint"), pull->name, &interval) < 0)
        return -1;
    icy_begin(&source->icy, interval);
    bool endless = body->kind == HTTP_UNTIL_CLOSE || body->kind == HTTP_CHUNKED;
    source->length = endless ? -1 : (int64_t)body->left;
    source->live = endless && is_radio(head);
    if (http_field(head, "icy-name") && !*pull->progress.title && !pull->settings.quiet)
        pull_tell(pull, "station", http_field(head, "icy-name"));
    return 0;
}

static int open_http(struct pull *pull, int64_t deadline)
{
    if (ask_for_rest(pull, deadline) < 0)
        return -1;
    int status = pull->source.response.head.status;
    bool is_rest = pull->rest.complete || (status == 206 && pull->rest.have > 0);
    if (!is_rest && (status < 200 || status >= 300 || status == 206))
        return fail_status(pull);
    return read_head(pull);
}

/* A playlist leads to what is played; but for -o, which may want the list itself. */
static int follow_playlist(struct pull *pull, int64_t deadline)
{
    char next[sizeof pull->source.url], list[sizeof pull->name];
    struct http_url url;
    memcpy(list, pull->name, sizeof list);
    weir_set_deadline(pull->source.conn, WEIR_READ, deadline);
    if (pull_read_playlist(&pull->source.response, next, sizeof next) < 0 || set_url(pull, next, &url) < 0)
        return -1;
    pull_source_close(pull);
    pull_say(pull, "pull: %s is a playlist; it leads to %s", list, pull->name);
    return 0;
}

static int open_any(struct pull *pull, int64_t deadline)
{
    if (!*pull->source.url)
        return open_bare(pull);
    for (int playlists = 0; open_http(pull, deadline) == 0; playlists++) {
        if (pull->settings.output || !pull_is_playlist(&pull->source.response))
            return 0;
        if (playlists == PLAYLISTS_MOST)
            return weir_fail(WEIR_ERROR_LIMIT, ELOOP, "get", pull->name, "more than %d playlists", PLAYLISTS_MOST);
        if (follow_playlist(pull, deadline) < 0)
            return -1;
    }
    return -1;
}

int pull_source_open(struct pull *pull, int64_t deadline)
{
    int result = open_any(pull, deadline);
    if (result < 0)
        pull_source_close(pull);
    return result;
}

/*
 * Keeps the error that there may be. What was asked has been answered, or is of no interest any more: ssh has
 * nothing to bring away, and is not waited for.
 */
void pull_source_close(struct pull *pull)
{
    struct pull_source *source = &pull->source;
    int number = errno;
    if (source->response.conn && pull->dialling.via.count > 0)
        weir_abort(source->response.conn);
    if (source->response.conn)
        http_response_end(&source->response);
    else
        weir_close(source->conn);
    source->conn = NULL;
    errno = number;
}
