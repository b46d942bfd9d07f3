/* stream: music over tcp, and a radio over HTTP. */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>

#include "../private.h"
#include "../services.h"
#include "relay.h"
#include "seats.h"
#include "source.h"

/* Of audio that is kept for each mount. */
#define AUDIO_MOST (INT64_C(1) << 30)

/* --- the start and the stop --- */

static void stop(void *arg)
{
    struct stream *stream = arg;
    relays_free(stream->relays);
    senders_free(stream->senders);
    mount_drop(stream->radio);
    mounts_free(stream->mounts);
    media_close(stream->media);
    free(stream);
}

static int furnish(struct stream *stream, const weir_server_options *options)
{
    const struct stream_settings *settings = stream->settings;
    struct mounts_options mounts = {
        .most = (size_t)settings->max_mounts,
        .burst = settings->burst ? (size_t)settings->burst : 1, /* 0: they begin with what is on now */
        .queue = (size_t)settings->queue,
        .patience = options->write_timeout,
        .lifetime = options->lifetime,
    };
    if (settings->media.count > 0 && !(stream->media = media_open(&settings->media)))
        return -1;
    if (!(stream->senders = senders_open(settings->source_password_file)) || !(stream->mounts = mounts_new(&mounts)) ||
        !(stream->radio = mounts_make(stream->mounts, "/radio", MOUNT_RADIO)) ||
        !(stream->relays = relays_new(stream, &settings->relays)))
        return -1;
    mounts_set_fallback(stream->mounts, stream->radio);
    return 0;
}

static int start(void *settings, const weir_server_options *options, void **arg)
{
    if (options->model != WEIR_MODEL_FIBER)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", "stream", "--model: it serves in fibers alone");
    const struct stream_settings *wanted = settings;
    if (wanted->burst > AUDIO_MOST || wanted->queue > AUDIO_MOST)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "start", "stream", "--burst, --queue: at most 1024M");
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stream", NULL);
    stream->settings = wanted;
    stream->started = weir_wall_clock() / WEIR_S(1);
    if (furnish(stream, options) < 0) {
        stop(stream);
        return -1;
    }
    *arg = stream;
    return 0;
}

/* Nobody who listens to a radio would ever finish, nor who sends, nor who keeps a connection for another request. */
static void stopping(void *arg)
{
    struct stream *stream = arg;
    mounts_stop(stream->mounts);
    seats_stop(senders_seats(stream->senders));
    http_stop(stream);
}

static void reload(void *arg)
{
    struct stream *stream = arg;
    if (stream->media && media_reload(stream->media) < 0)
        weir_log(WEIR_LOG_ERROR, "%s: the media stay as they were", weir_error()->sentence);
    if (senders_reload(stream->senders) < 0)
        weir_log(WEIR_LOG_ERROR, "%s: the passwords stay as they were", weir_error()->sentence);
}

static int check(void *arg, const weir_endpoint *endpoint)
{
    const struct stream *stream = arg;
    if (stream->settings->source_password_file && endpoint->scheme == WEIR_SCHEME_HTTP &&
        !endpoint_is_private(endpoint))
        weir_log(WEIR_LOG_WARNING,
                 "stream: %s: the passwords of sources cross the network as they are; https:// hides "
                 "them",
                 endpoint->text);
    return 0;
}

/* --- clients --- */

/* The radio begins with the first client, on that one's worker, whose end is its own: no thread is needed for it. */
static void have_radio(struct stream *stream)
{
    weir_fiber_options options = {.size = sizeof options, .name = "radio", .detached = true};
    if (!atomic_exchange(&stream->playing, true) && !weir_spawn(player_run, stream, &options)) {
        weir_log_error();
        atomic_store(&stream->playing, false);
    }
}

static void serve(weir_conn *conn, void *arg)
{
    struct stream *stream = arg;
    weir_scheme scheme = weir_conn_scheme(conn);
    if (scheme != WEIR_SCHEME_HTTP && scheme != WEIR_SCHEME_HTTPS) {
        raw_serve(conn, stream);
        return;
    }
    have_radio(stream);
    http_serve(conn, "weir/" WEIR_VERSION, stream_answer, stream);
}

/* --- what it is --- */

#define AT(member) offsetof(struct stream_settings, member)

static const weir_option options[] = {
    {WEIR_OPTION_LIST, "media", 'm', "PATH", AT(media),
     "a file, a folder with all below it, or - for standard input; may be given again, and is played in that order. "
     "Without it a quiet tone is on"},
    {WEIR_OPTION_FLAG, "shuffle", 0, NULL, AT(shuffle), "the radio plays in another order each time"},
    {WEIR_OPTION_FLAG, "no-loop", 0, NULL, AT(no_loop), "the radio ends when all was played once"},
    {WEIR_OPTION_TEXT, "source-password-file", 0, "FILE", AT(source_password_file),
     "who may send live to a mount: lines USER:PASSWORD, or /MOUNT USER:PASSWORD for one mount alone; most programs "
     "that send call themselves source. Without it nobody may"},
    {WEIR_OPTION_TIME, "source-timeout", 0, "TIME", AT(source_timeout),
     "how long a live source may be silent before its listeners fall back to the radio", "10s"},
    {WEIR_OPTION_LIST, "relay", 0, "URL=/MOUNT", AT(relays),
     "a stream of another server, fetched while somebody listens to the mount; several of one mount are tried in their "
     "order"},
    {WEIR_OPTION_TEXT, "name", 0, "TEXT", AT(name), "what the radio is called", "weir"},
    {WEIR_OPTION_TEXT, "genre", 0, "TEXT", AT(genre), "what it plays"},
    {WEIR_OPTION_TEXT, "description", 0, "TEXT", AT(description), "what there is to say about it"},
    {WEIR_OPTION_TEXT, "url", 0, "URL", AT(url), "its home page"},
    {WEIR_OPTION_SIZE, "burst", 0, "SIZE", AT(burst),
     "what a listener of a mount is sent at once, so that a player begins without a wait", "64k"},
    {WEIR_OPTION_SIZE, "queue", 0, "SIZE", AT(queue),
     "how far a listener may be behind before it is set forward to what is on now; at least 64k more than --burst",
     "512k"},
    {WEIR_OPTION_INTEGER, "max-mounts", 0, "N", AT(max_mounts), "mounts at once, the radio and relays included", "100",
     NULL, 1, 1000},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", "http", "https", NULL};
static const char *const endpoints[] = {"tcp://:8004", "http://:8080", NULL};
static const char *const examples[] = {
    "weir serve stream --media ~/Music",
    "all below a folder: as it is on tcp port 8004, as a radio with a page on http port 8080, for this machine alone",
    "weir serve stream 'http://*:8080' --media ~/Music --shuffle --name Weir",
    "a radio for everybody who reaches this machine: http://HOST:8080/",
    "weir serve stream http://:8080 --source-password-file PASSWORDS",
    "who has a password may send live to http://HOST:8080/live, from ffmpeg, ezstream or liquidsoap",
    "weir serve stream 'https://*:8443' --cert CERT.pem --key KEY.pem -m ~/Music",
    "by TLS",
    NULL,
};

const weir_service stream_service = {
    .size = sizeof(weir_service),
    .name = "stream",
    .summary = "streams music: files over tcp, a radio with a page over HTTP",
    .description =
        "On tcp, tls and Unix sockets each client gets the media from their beginning, as fast as it reads, then the "
        "connection ends: `weir pull tcp://HOST:8004 | madplay -`. Standard input is read once, by the radio or by one "
        "client at a time; the tone is a minute.\n\n"
        "On http and https there are a page for people (/), the files (/files/) and the radio (/radio): the media "
        "played one after the other, endlessly, paced as they sound, of which all listeners hear the same. Players "
        "are sent titles where they ask for them (ICY). /radio.m3u and /radio.pls are what players open; /status.json "
        "and /status-json.xsl tell what is on, as Icecast does.\n\n"
        "Live sources send to a mount of their choice, /live or whatever they call it, by PUT or SOURCE, with a "
        "password of --source-password-file: MP3, which is checked, AAC and Ogg, which are passed on as they come. "
        "When one ends its listeners go on with the radio, where that is of the same type, and return when it comes "
        "back. Whoever reconnects takes his own place at once. Titles are set at /admin/metadata.\n\n"
        "Relays (--relay) are fetched from other servers while somebody listens.\n\n"
        "The audio is in memory once, however many listen. Who is too slow is set forward, and dropped in the end; "
        "both are counted in the status. SIGHUP looks at the media and the passwords again.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w pull %s | madplay -",
    .options = options,
    .settings_size = sizeof(struct stream_settings),
    .stream = serve,
    .start = start,
    .stopping = stopping,
    .reload = reload,
    .stop = stop,
    .check = check,
    .one_process = true,
};
