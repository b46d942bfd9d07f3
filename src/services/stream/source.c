/* Live sources: what PUT and SOURCE send is on; see source.h. */
#include "source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "intake.h"
#include "paths.h"
#include "relay.h"
#include "seats.h"

enum { PIECE = 16384 };

/* A source while it sends. */
struct source {
    struct http_exchange *exchange;
    struct seats *seats;
    struct seat seat;
    const char *type;
    struct mount *mount;
    struct mount_source *to;
    struct intake *intake;
    uint64_t bytes;
    char client[WEIR_ADDRESS_TEXT];
};

/* --- what it is told --- */

/*
 * Who waits for 100 is told that, and the rest at the end. Whoever will only end its stream, as programs do that send
 * for ever, is told 200 now, and would not hear it later.
 */
static int accept_source(struct http_exchange *exchange)
{
    const struct http_answer yes = {.length = -1, .raw = true};
    struct http_body *body = &exchange->body;
    bool endless = body->kind == HTTP_NO_BODY && !http_field(&exchange->request, "Content-Length");
    if (endless) {
        body->kind = HTTP_UNTIL_CLOSE;
        body->ended = false;
    }
    if (exchange->request.expects_continue)
        return http_continue(exchange);
    return endless ? http_begin(exchange, 200, &yes) : 0;
}

static void refuse(struct http_exchange *exchange)
{
    int status = errno == EBUSY ? 409 : 503;
    http_refuse(exchange, status, NULL, "%s", weir_error()->reason);
}

/* --- receiving --- */

static int receive_all(struct source *source)
{
    struct http_body *body = &source->exchange->body;
    char piece[PIECE];
    ssize_t length;
    while ((length = http_body_read(body, piece, sizeof piece)) > 0) {
        atomic_store_explicit(&source->seat.heard, weir_now(), memory_order_relaxed);
        source->bytes += (uint64_t)length;
        if (intake_feed(source->intake, piece, (size_t)length) < 0)
            return -1;
    }
    return length < 0 ? -1 : intake_end(source->intake);
}

/* Why it was cut, where that was not its own doing; else its error. */
static const char *reason_of(const struct source *source)
{
    if (atomic_load(&source->seat.replaced))
        return "it is there again, by another connection";
    return weir_server_stopping(weir_server_self()) ? "the service ends" : weir_error()->reason;
}

static void tell_end(const struct source *source, int result)
{
    uint64_t dropped = intake_dropped(source->intake);
    char lost[80] = "";
    if (dropped)
        snprintf(lost, sizeof lost, ", of which %" PRIu64 " were not audio", dropped);
    if (result == 0)
        weir_log(WEIR_LOG_INFO, "stream: %s: the source %s has ended, %" PRIu64 " bytes%s", source->seat.path,
                 source->client, source->bytes, lost);
    else
        weir_log(WEIR_LOG_WARNING, "stream: %s: the source %s was cut after %" PRIu64 " bytes%s: %s", source->seat.path,
                 source->client, source->bytes, lost, reason_of(source));
}

/* It has its mount, and was told so. */
static void be_on(struct source *source)
{
    struct http_exchange *exchange = source->exchange;
    const struct stream *stream = exchange->arg;
    weir_log(WEIR_LOG_INFO, "stream: %s: %s sends %s", source->seat.path, source->client, source->type);
    weir_set_timeout(exchange->conn, stream->settings->source_timeout);
    int result = receive_all(source);
    bool malformed = result < 0 && errno == EPROTO, unreadable = exchange->body.failed;
    tell_end(source, result);
    weir_set_timeout(exchange->conn, WEIR_FOREVER);
    bool told = exchange->status; /* before it began */
    exchange->keep = exchange->keep && result == 0 && !told;
    if (result == 0 && !told)
        http_answer(exchange, 200, NULL, NULL, NULL, 0);
    else if (malformed && !told)
        http_refuse(exchange, unreadable ? 400 : 415, NULL, "%s", weir_error()->reason);
    if (result < 0 && !malformed)
        weir_abort(exchange->conn);
}

/* --- the mount --- */

static int open_mount(struct source *source)
{
    struct stream *stream = source->exchange->arg;
    struct description description;
    describe_head(&source->exchange->request, source->type, &description);
    source->mount = mounts_make(stream->mounts, source->seat.path, MOUNT_LIVE);
    if (!source->mount || !(source->to = mount_begin(source->mount, &description.mount, true)))
        return -1;
    source->intake = intake_new(source->type, source->to);
    return source->intake ? 0 : -1;
}

static void close_mount(struct source *source)
{
    intake_free(source->intake);
    if (source->to)
        mount_end(source->to);
    mount_drop(source->mount);
}

static void take_mount(struct source *source)
{
    weir_peer_address(source->exchange->conn, &source->seat.who);
    weir_address_text(&source->seat.who, source->client, sizeof source->client);
    if (seat_take(source->seats, &source->seat) < 0) {
        refuse(source->exchange);
        return;
    }
    if (open_mount(source) < 0)
        refuse(source->exchange);
    else if (accept_source(source->exchange) == 0)
        be_on(source);
    close_mount(source);
    seat_leave(source->seats, &source->seat);
}

/* --- the request --- */

/* What it sends; Shoutcast's programs say nothing, and mean MP3. */
static const char *type_of(const struct http_exchange *exchange)
{
    const char *type = http_field(&exchange->request, "Content-Type");
    return intake_type(type ? type : "audio/mpeg");
}

static bool may_be_live(const struct stream *stream, const char *path)
{
    return path_is_mount(path) && !path_is_reserved(path) && strcmp(path, "/radio") != 0 &&
           !relay_has(stream->relays, path);
}

void source_answer(struct http_exchange *exchange)
{
    struct stream *stream = exchange->arg;
    struct source *source = calloc(1, sizeof *source);
    exchange->keep = exchange->keep && exchange->body.kind != HTTP_NO_BODY;
    if (!source) {
        http_refuse(exchange, 503, NULL, NULL);
        return;
    }
    source->exchange = exchange;
    source->seats = senders_seats(stream->senders);
    source->seat.conn = exchange->conn;
    source->type = type_of(exchange);
    if (!path_of(exchange, source->seat.path) || !may_be_live(stream, source->seat.path))
        http_refuse(exchange, 403, NULL, "no source may be called so");
    else if (source_admit(exchange, source->seat.path)) {
        if (source->type)
            take_mount(source);
        else
            http_refuse(exchange, 415, NULL,
                        "audio/mpeg, audio/aac, application/ogg and audio/ogg are what may be sent");
    }
    free(source);
}
