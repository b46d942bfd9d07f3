/* weir listen --all: the clients, what is told of them, and how it ends; see listen_all.h. */
#include "listen_all.h"

#include <errno.h>
#include <inttypes.h>

#include "../services/print/merger.h"
#include "../services/print/shown.h"
#include "broadcast.h"
#include "transcoder.h"

/* How long a line that is longer than weir_line_limit may keep the others waiting while its sender is silent. */
#define PAUSE WEIR_S(1)

struct all {
    struct listening *listening;
    struct merger *merger;
    struct broadcast broadcast;
    struct digest *digest; /* NULL without --sha256 */
    int64_t began;
    uint64_t clients, received; /* received: written to stdout */
    int status;
};

int listen_all_check(const struct listening *listening)
{
    const char *endpoint = listening->dialling.endpoint.text;
    if (listening->dialling.endpoint.datagram)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", endpoint,
                         "--all is for streams: of datagrams everybody's are heard as it is");
    if (listening->session.prompt)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "listen", endpoint, "--prompt is for one client, not for --all");
    return listening->session.encoding ? shown_check(listening->session.encoding) : 0;
}

/* --- the two directions --- */

static void stop(struct all *all, int status)
{
    if (all->status == STATUS_DONE)
        all->status = status;
    weir_server_stop(all->listening->listener, WEIR_NOW);
}

static void note(struct all *all, int direction, const char *data, size_t size)
{
    if (all->digest)
        digest_add(all->digest, direction, data, size);
    struct recorder *recorder = all->status == STATUS_DONE ? all->listening->recorder : NULL;
    if (recorder && recorder_note(recorder, direction, data, size) < 0)
        stop(all, failed());
}

static void written(void *arg, const char *data, size_t size)
{
    struct all *all = arg;
    all->received += size;
    note(all, SESSION_RECEIVED, data, size);
}

static bool output_failed(void *arg)
{
    stop(arg, errno == EPIPE ? STATUS_DONE : failed());
    return false;
}

static void heard(void *arg, const char *data, size_t size)
{
    note(arg, SESSION_SENT, data, size);
}

static void input_failed(void *arg)
{
    stop(arg, session_failed());
}

/* --- a client --- */

static void tell_end(const struct all *all, const char *client, const struct merger_told *told, const char *how)
{
    dialling_say(&all->listening->dialling, "%s: %s, %" PRIu64 " bytes", client, how, told->bytes);
    if (told->broken)
        weir_log(WEIR_LOG_WARNING, "%s: %" PRIu64 " lines of it are broken, since it was silent within them", client,
                 told->broken);
}

/* Who was cut is told, with or without -v: what it sent may lack its end. */
static void tell_cut(const char *client)
{
    if (weir_error()->kind != WEIR_ERROR_CANCELLED)
        weir_log(WEIR_LOG_WARNING, "%s: %s", client, weir_error()->reason);
}

static void serve(weir_conn *conn, void *arg)
{
    struct all *all = arg;
    char client[400];
    struct merger_told told;
    all->clients++;
    all->listening->heard = true;
    weir_peer_endpoint(conn, client, sizeof client);
    dialling_say(&all->listening->dialling, "connected from %s", client);
    struct hearer *hearer = broadcast_join(&all->broadcast, conn, client);
    if (!hearer) {
        tell_error();
        return;
    }
    bool cut = merger_receive(all->merger, conn, &told) < 0;
    if (cut)
        tell_cut(client);
    tell_end(all, client, &told, cut ? "cut" : "it has ended its side");
    if (!cut)
        cut = broadcast_finish(hearer) < 0;
    broadcast_leave(hearer, cut);
}

/* --- all of it --- */

static void print_summary(const struct all *all, uint64_t lost)
{
    double seconds = (double)(weir_now() - all->began) / 1e9;
    fprintf(stderr, "{\"clients\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"seconds\":%.6f",
            all->clients, all->broadcast.bytes, all->received, seconds);
    fprintf(stderr, ",\"dropped_lines\":%" PRIu64 ",\"lost\":%" PRIu64, all->broadcast.lost, lost);
    if (all->digest) {
        char sent[65], received[65];
        digest_text(all->digest, SESSION_SENT, sent);
        digest_text(all->digest, SESSION_RECEIVED, received);
        fprintf(stderr, ",\"sent_sha256\":\"%s\",\"received_sha256\":\"%s\"", sent, received);
    }
    fprintf(stderr, ",\"status\":%d}\n", all->status);
}

static int serve_all(struct all *all)
{
    struct listening *listening = all->listening;
    weir_server_options *options = &listening->server;
    options->model = WEIR_MODEL_FIBER;
    options->workers = 1;
    options->idle_timeout = listening->session.timeout;
    listening->listener = weir_server_new(options);
    if (!listening->listener)
        return -1;
    if (weir_server_add(listening->listener, listening->dialling.endpoint.text, serve, all) < 0)
        return -1;
    return listening_run(listening);
}

static int begin(struct all *all)
{
    const struct session_settings *settings = &all->listening->session;
    struct merger_options merging = {.encoding = settings->encoding,
                                     .plain = true,
                                     .errors = settings->errors,
                                     .pause = PAUSE,
                                     .written = written,
                                     .failed = output_failed,
                                     .arg = all};
    all->began = weir_now();
    if (settings->sha256 && !(all->digest = digest_new()))
        return -1;
    if ((settings->encoding || settings->crlf) &&
        !(all->broadcast.outgoing = transcoder_new_encoder(settings->encoding, settings->errors, settings->crlf)))
        return -1;
    all->merger = merger_new(&merging);
    return all->merger ? broadcast_init(&all->broadcast) : -1;
}

int listen_all(struct listening *listening)
{
    struct all all = {.listening = listening};
    all.broadcast = (struct broadcast){
        .crlf = listening->session.crlf,
        .end_with_peer = listening->session.end_with_peer,
        .heard = heard,
        .failed = input_failed,
        .arg = &all,
    };
    int result = begin(&all);
    if (result == 0)
        result = serve_all(&all);
    if (result < 0)
        all.status = failed();
    uint64_t lost = merger_free(all.merger);
    if (lost)
        weir_log(WEIR_LOG_WARNING, "%" PRIu64 " bytes that had arrived were not written", lost);
    if (listening->session.summary)
        print_summary(&all, lost);
    broadcast_free(&all.broadcast);
    transcoder_free(all.broadcast.outgoing);
    digest_free(all.digest);
    return all.status;
}
