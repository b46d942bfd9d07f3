/* The answer to who asks for a mount: its head, and then the audio as long as there is any; see mount.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../http/server.h"
#include "listener.h"

/* Between two looks whether a source has come. */
#define LOOK WEIR_MS(50)

/* How long what is only coming is waited for, where there is something else to hear meanwhile. */
#define COMING WEIR_S(5)

/*
 * What web players need, and what they may see. Of a range nothing is said: it is a stream, and all of it the answer.
 */
#define FIELDS                                                                                                         \
    "Cache-Control: no-cache, no-store\r\nAccept-Ranges: none\r\nX-Content-Type-Options: nosniff\r\n"                  \
    "Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: icy-br, icy-description, icy-genre, "            \
    "icy-metaint, icy-name, icy-pub, icy-url\r\n"
#define PREFLIGHT                                                                                                      \
    "Allow: GET, HEAD, OPTIONS\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: GET, HEAD, "         \
    "OPTIONS\r\nAccess-Control-Allow-Headers: Icy-MetaData, Range\r\nAccess-Control-Max-Age: 86400\r\n"

/* --- the head --- */

static void put_field(FILE *fields, const char *name, const char *value)
{
    if (*value)
        fprintf(fields, "%s: %s\r\n", name, value);
}

/* The fields about a mount. An allocated string; NULL without memory. */
static char *fields_of(struct mount *mount, bool metadata)
{
    struct mount_status status;
    char *text = NULL;
    size_t size;
    FILE *fields = open_memstream(&text, &size);
    if (!fields)
        return NULL;
    mount_look(mount, &status);
    fputs(FIELDS, fields);
    put_field(fields, "icy-name", status.name);
    put_field(fields, "icy-genre", status.genre);
    put_field(fields, "icy-description", status.description);
    put_field(fields, "icy-url", status.url);
    if (status.bitrate > 0)
        fprintf(fields, "icy-br: %d\r\n", status.bitrate);
    fprintf(fields, "icy-pub: %d\r\n", status.public_);
    if (metadata)
        fprintf(fields, "icy-metaint: %d\r\n", LISTENER_INTERVAL);
    fclose(fields);
    return text;
}

static int begin(struct http_exchange *exchange, const struct reel *reel, bool metadata)
{
    char *fields = fields_of(reel_mount(reel), metadata);
    if (!fields)
        return http_refuse(exchange, 503, NULL, "no memory");
    struct http_answer answer = {.type = reel_type(reel), .length = -1, .fields = fields, .raw = metadata};
    int result = http_begin(exchange, 200, &answer);
    free(fields);
    return result;
}

/* Pages of Ogg leave no room for it. */
static bool wants_metadata(const struct http_exchange *exchange, const struct reel *reel)
{
    const char *field = http_field(&exchange->request, "Icy-MetaData");
    return field && strcmp(field, "1") == 0 && !strstr(reel_type(reel), "ogg");
}

/* --- the audio --- */

static void finish(struct listener *listener, struct http_exchange *exchange)
{
    exchange->sent += listener->sent;
    exchange->keep = false;
    if (listener->given)
        atomic_fetch_add(&listener->mount->dropped, 1);
    if (listener->given || listener->failed)
        weir_abort(listener->conn); /* what it did not take is of no use to it */
    reel_drop(listener->reel);
    free(listener->rest);
    free(listener);
}

/* Fills in what is not zero; the reel is the listener's then, also where there is none. */
static struct listener *listener_new(struct mount *mount, struct http_exchange *exchange, struct reel *reel)
{
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener) {
        reel_drop(reel);
        return NULL;
    }
    listener->conn = exchange->conn;
    listener->server = weir_server_self();
    listener->mount = mount;
    listener->reel = reel;
    listener->generation = atomic_load(&mount->mounts->generation);
    listener->ends = weir_deadline(mount->mounts->options.lifetime);
    listener->metadata =
        (struct metadata){.wanted = wants_metadata(exchange, reel), .until = LISTENER_INTERVAL, .title = 0};
    listener->joined = reel_join(reel, mount->mounts->options.burst, &listener->position);
    if (reel_header(reel, &listener->rest, &listener->rest_size))
        return listener;
    finish(listener, exchange);
    return NULL;
}

static void stream(struct mount *mount, struct http_exchange *exchange, struct reel *reel)
{
    struct listener *listener = listener_new(mount, exchange, reel);
    if (!listener) {
        http_refuse(exchange, 503, NULL, "no memory");
        return;
    }
    bool goes_on = begin(exchange, listener->reel, listener->metadata.wanted) == 0 && !exchange->head_only;
    if (goes_on && exchange->status == 200) {
        http_head_free(&exchange->request);
        listener_run(listener);
    }
    finish(listener, exchange);
}

/* What there is to hear of a mount, its own rather than another's: an answer is of one type, whatever comes later. */
static struct reel *hear(struct mount *mount, bool others)
{
    struct reel *reel = mount_heard(mount, NULL);
    if (!reel || others || reel_mount(reel) == mount || !mount_is_coming(mount))
        return reel;
    reel_drop(reel);
    return NULL;
}

/* What there is to hear, waited for where it is coming. Held; NULL: nothing, and nothing came. */
static struct reel *await(struct mount *mount)
{
    struct mounts *mounts = mount->mounts;
    int64_t deadline = weir_deadline(mounts->options.grace), others = weir_deadline(COMING);
    struct reel *reel = hear(mount, false);
    while (!reel && (mount->status.kind == MOUNT_RADIO || mount_is_coming(mount)) && weir_now() < deadline &&
           !atomic_load(&mounts->stopped) && !weir_server_stopping(weir_server_self()) && weir_sleep(LOOK) == 0)
        reel = hear(mount, weir_now() >= others);
    return reel ? reel : mount_heard(mount, NULL);
}

static void answer(struct mount *mount, struct http_exchange *exchange)
{
    struct reel *reel = await(mount);
    if (!reel) {
        http_refuse(exchange, 503, "Retry-After: 10\r\nAccess-Control-Allow-Origin: *\r\n",
                    "%s has no source at the moment", mount_path(mount));
        return;
    }
    stream(mount, exchange, reel);
}

void mount_listen(struct mount *mount, struct http_exchange *exchange)
{
    const char *method = exchange->request.method;
    if (strcmp(method, "OPTIONS") == 0) {
        http_answer(exchange, 204, NULL, PREFLIGHT, "", 0);
    } else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        http_refuse(exchange, 405, "Allow: GET, HEAD, OPTIONS\r\n", NULL);
    } else if (atomic_load(&mount->mounts->stopped)) {
        http_refuse(exchange, 503, NULL, "the service ends");
    } else {
        mount_enter(mount);
        answer(mount, exchange);
        mount_leave(mount);
    }
}
