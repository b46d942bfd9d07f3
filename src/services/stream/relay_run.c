/*
 * Fetching a relay: its URLs in their order, again after a pause that grows, while somebody listens. The pause has
 * something random in it, so that relays which lost the same server do not come back to it together.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../http/client.h"
#include "../../http/icy.h"
#include "describe.h"
#include "intake.h"
#include "relay_inside.h"

enum { PIECE = 16384, REDIRECTS = 5 };

#define SHORTEST WEIR_S(1)
#define LONGEST  WEIR_S(30)
#define PATIENCE WEIR_S(10) /* for a connection and an answer */
#define NOBODY   WEIR_S(5)  /* without a listener before it is let go: players reconnect */
#define LOOK     WEIR_S(1)

/* A relay while it is fetched. */
struct fetch {
    struct relay *relay;
    struct http_response response;
    struct mount_source *to;
    struct intake *intake;
    struct icy_reader icy;
    int64_t wanted;          /* when somebody has listened last */
    bool over;               /* nobody does any more, and who comes now begins another */
    uint64_t bytes, dropped; /* that came, and of these no audio */
    bool known;              /* some was audio */
};

/* Whether to go on. Nobody is missed for a few seconds only. */
static bool goes_on(struct fetch *fetch)
{
    struct relay *relay = fetch->relay;
    if (fetch->over || weir_cancelled() || weir_server_stopping(weir_server_self()))
        return false;
    pthread_mutex_lock(&relay->lock);
    bool wanted = relay->listeners > 0;
    pthread_mutex_unlock(&relay->lock);
    if (wanted)
        fetch->wanted = weir_now();
    fetch->over = !wanted && weir_now() - fetch->wanted >= NOBODY && !relay_is_wanted(relay);
    return !fetch->over;
}

/* --- receiving --- */

static int take(struct fetch *fetch, const char *data, size_t size)
{
    while (size > 0) {
        const char *audio, *title;
        size_t length, looked = icy_read(&fetch->icy, data, size, &audio, &length, &title);
        if (title)
            mount_set_title(fetch->relay->mount, title);
        if (length && intake_feed(fetch->intake, audio, length) < 0)
            return -1;
        data += looked;
        size -= looked;
    }
    return 0;
}

/* To its end, or until nobody listens. 0 or -1. */
static int receive_all(struct fetch *fetch)
{
    char piece[PIECE];
    ssize_t length = 1;
    while (goes_on(fetch) && (length = http_body_read(&fetch->response.body, piece, sizeof piece)) > 0) {
        fetch->bytes += (uint64_t)length;
        if (take(fetch, piece, (size_t)length) < 0)
            return -1;
    }
    return length < 0 ? -1 : intake_end(fetch->intake);
}

static int open_source(struct fetch *fetch)
{
    const char *server = fetch->response.url.endpoint; /* without credentials */
    struct description description;
    const struct http_head *head = &fetch->response.head;
    const char *given = http_field(head, "Content-Type");
    const char *type = intake_type(given ? given : "audio/mpeg");
    uint64_t interval;
    if (head->status != 200)
        return weir_fail(WEIR_ERROR_CONNECT, EPROTO, "relay", server, "it answers %d", head->status);
    if (!type)
        return weir_fail(WEIR_ERROR_CONNECT, EPROTO, "relay", server, "it is no MP3, AAC or Ogg");
    if (icy_interval(http_field(head, "icy-metaint"), server, &interval) < 0)
        return -1;
    icy_begin(&fetch->icy, interval);
    describe_head(head, type, &description);
    if (!(fetch->to = mount_begin(fetch->relay->mount, &description.mount, true)))
        return -1;
    fetch->intake = intake_new(type, fetch->to);
    return fetch->intake ? 0 : -1;
}

static void close_source(struct fetch *fetch)
{
    fetch->known = fetch->intake && intake_known(fetch->intake);
    fetch->dropped = fetch->intake ? intake_dropped(fetch->intake) : 0;
    intake_free(fetch->intake);
    if (fetch->to)
        mount_end(fetch->to);
    fetch->intake = NULL;
    fetch->to = NULL;
}

static void tell_end(struct fetch *fetch, int result)
{
    const char *path = fetch->relay->path;
    unsigned long long bytes = fetch->bytes, dropped = fetch->dropped;
    char lost[80] = "";
    if (dropped)
        snprintf(lost, sizeof lost, ", of which %llu were not audio", dropped);
    if (result == 0)
        weir_log(WEIR_LOG_INFO, "stream: %s: the relay has ended, %llu bytes%s", path, bytes, lost);
    else if (!goes_on(fetch))
        return;
    else if (bytes > 0)
        weir_log(WEIR_LOG_WARNING, "stream: %s: %s, after %llu bytes%s", path, weir_error()->sentence, bytes, lost);
    else
        weir_log(WEIR_LOG_WARNING, "stream: %s: %s", path, weir_error()->sentence);
}

/* One URL. Whether something to be heard came of it: else the next is tried. */
static bool fetch_url(struct fetch *fetch, const char *url)
{
    const struct stream *stream = fetch->relay->relays->stream;
    const struct http_get get = {.fields = "Icy-MetaData: 1\r\n",
                                 .agent = "weir/" WEIR_VERSION,
                                 .redirects = REDIRECTS,
                                 .deadline = weir_deadline(PATIENCE)};
    fetch->bytes = fetch->dropped = 0;
    fetch->known = false;
    int result = http_get(url, &get, &fetch->response);
    if (result == 0) {
        weir_set_timeout(fetch->response.conn, stream->settings->source_timeout);
        result = open_source(fetch);
        if (result == 0) {
            weir_log(WEIR_LOG_INFO, "stream: %s: relayed from %s", fetch->relay->path, fetch->response.url.endpoint);
            result = receive_all(fetch);
        }
        close_source(fetch);
        http_response_end(&fetch->response);
    }
    tell_end(fetch, result);
    return fetch->known;
}

/* --- again and again --- */

/* Half of the pause to all of it; shorter where nobody listens any more. */
static void pause_for(struct fetch *fetch, int64_t pause)
{
    int64_t until = weir_deadline(pause / 2 + (int64_t)weir_random_below((uint64_t)pause / 2));
    while (weir_now() < until && goes_on(fetch))
        if (weir_sleep(LOOK < until - weir_now() ? LOOK : until - weir_now()) < 0)
            return;
}

int relay_run(void *arg)
{
    struct fetch fetch = {.relay = arg, .wanted = weir_now()};
    int64_t pause = SHORTEST;
    while (goes_on(&fetch)) {
        bool came = false;
        for (size_t i = 0; i < fetch.relay->url_count && !came && goes_on(&fetch); i++)
            came = fetch_url(&fetch, fetch.relay->urls[i]);
        if (came)
            pause = SHORTEST;
        if (goes_on(&fetch))
            pause_for(&fetch, pause);
        pause = 2 * pause < LONGEST ? 2 * pause : LONGEST;
    }
    if (!fetch.over)
        relay_ended(fetch.relay);
    return 0;
}
