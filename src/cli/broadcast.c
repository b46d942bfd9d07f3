/* What stdin has, to everybody who is connected: reading it, and who hears; see broadcast.h. */
#include "broadcast.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>

#include "hearer.h"
#include "transcoder.h"

enum {
    PIECE = 16384,
    KEEPALIVE_SECONDS = 30,
};

/* How often it is looked whether a hearer that has ended its side is still there. */
#define LOOK WEIR_S(2)

/* --- offering --- */

static struct hearer *next_to_offer(const struct broadcast *broadcast)
{
    struct hearer *hearer = broadcast->hearers;
    while (hearer && hearer->offered == broadcast->pieces)
        hearer = hearer->next;
    return hearer;
}

/* Offers it to everybody: looked for anew each time, since who hears may change while one is waited for. */
static int offer_to_all(struct broadcast *broadcast, struct piece *piece)
{
    struct hearer *hearer;
    broadcast->pieces++;
    while ((hearer = next_to_offer(broadcast))) {
        hearer->offered = broadcast->pieces;
        if (hearer_offer(hearer, piece) < 0)
            return -1;
    }
    return 0;
}

/* --- reading --- */

static int wait_for_hearers(struct broadcast *broadcast)
{
    char arrival;
    while (!broadcast->hearers)
        if (weir_channel_receive(broadcast->arrivals, &arrival, WEIR_FOREVER) < 0)
            return -1;
    return 0;
}

/* To everybody, once there is somebody. */
static int spread_bytes(struct broadcast *broadcast, const char *data, size_t size, bool ends_line)
{
    struct piece *piece = wait_for_hearers(broadcast) < 0 ? NULL : piece_new(broadcast, data, size, ends_line);
    if (!piece)
        return -1;
    int result = offer_to_all(broadcast, piece);
    piece_release(piece);
    return result;
}

/* A piece of stdin. What stands before characters that the encoding does not have goes out. */
static int spread(struct broadcast *broadcast, const char *data, size_t size)
{
    const char *bytes = data;
    size_t length = size;
    int result = 0;
    if (size > 0 && wait_for_hearers(broadcast) < 0)
        return -1;
    if (broadcast->outgoing)
        result = transcoder_convert(broadcast->outgoing, data, size, size == 0, &bytes, &length);
    if (size > 0) {
        broadcast->bytes += size;
        broadcast->heard(broadcast->arg, data, size);
    }
    if (length > 0 && spread_bytes(broadcast, bytes, length, size > 0 && data[size - 1] == '\n') < 0)
        return -1;
    return result;
}

/* The end of stdin is passed on; one that had nothing to begin with, such as /dev/null, has none. */
static void input_ended(struct broadcast *broadcast)
{
    broadcast->ended = true;
    while (broadcast->hearers) {
        struct hearer *hearer = broadcast->hearers;
        broadcast->hearers = hearer->next;
        if (broadcast->bytes || weir_at_end(hearer->conn))
            weir_channel_close(hearer->queue);
    }
}

/* To the end. 0, or -1 with an error. */
static int read_all(struct broadcast *broadcast)
{
    char *data = malloc(PIECE);
    if (!data)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "listen", "stdin", NULL);
    ssize_t size;
    while ((size = weir_file_read(weir_stdin(), data, PIECE, WEIR_FOREVER)) > 0)
        if (spread(broadcast, data, (size_t)size) < 0)
            break;
    free(data);
    if (size != 0)
        return -1;
    return broadcast->bytes > 0 ? spread(broadcast, "", 0) : 0;
}

/* The fiber of stdin. */
static int read_input(void *arg)
{
    struct broadcast *broadcast = arg;
    int result = read_all(broadcast);
    if (weir_cancelled())
        return 0;
    if (result < 0)
        broadcast->failed(broadcast->arg);
    input_ended(broadcast);
    return 0;
}

static int start_reading(struct broadcast *broadcast)
{
    if (broadcast->reads)
        return 0;
    if (!weir_spawn(read_input, broadcast, WEIR_OPTIONS(weir_fiber_options, .name = "stdin", .detached = true)))
        return -1;
    broadcast->reads = true;
    return 0;
}

/* --- who hears --- */

int broadcast_init(struct broadcast *broadcast)
{
    broadcast->arrivals = weir_channel_new(1, 1);
    return broadcast->arrivals ? 0 : -1;
}

void broadcast_free(struct broadcast *broadcast)
{
    weir_channel_free(broadcast->arrivals);
}

/* After the end of stdin there is nothing to hear but that. */
static void enlist(struct hearer *hearer)
{
    struct broadcast *broadcast = hearer->broadcast;
    char arrival = 0;
    if (broadcast->ended) {
        if (broadcast->bytes)
            weir_channel_close(hearer->queue);
        return;
    }
    hearer->next = broadcast->hearers;
    broadcast->hearers = hearer;
    weir_channel_send(broadcast->arrivals, &arrival, WEIR_NOW);
}

struct hearer *broadcast_join(struct broadcast *broadcast, weir_conn *conn, const char *name)
{
    struct hearer *hearer = hearer_new(broadcast, conn, name);
    if (!hearer)
        return NULL;
    hearer->sender = weir_spawn(hearer_send, hearer, WEIR_OPTIONS(weir_fiber_options, .name = "sender"));
    if (hearer->sender && start_reading(broadcast) == 0) {
        enlist(hearer);
        return hearer;
    }
    broadcast_leave(hearer, true);
    return NULL;
}

/* Has the kernel find out whether a hearer that has ended its side has gone altogether, which otherwise only sending tells. */
static void probe(weir_conn *conn)
{
    int seconds = KEEPALIVE_SECONDS;
    weir_address peer;
    if (weir_peer_address(conn, &peer) < 0 || peer.any.sa_family == AF_UNIX)
        return;
    weir_set_keepalive(conn, true);
    setsockopt(weir_fd(conn), IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds);
    setsockopt(weir_fd(conn), IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds);
}

static bool is_gone(const weir_conn *conn)
{
    struct pollfd broken = {.fd = weir_fd(conn)};
    return poll(&broken, 1, 0) > 0;
}

int broadcast_finish(struct hearer *hearer)
{
    const struct broadcast *broadcast = hearer->broadcast;
    if (broadcast->ended || broadcast->end_with_peer || weir_file_is_terminal(weir_stdin()))
        return 0;
    probe(hearer->conn);
    while (weir_join(hearer->sender, NULL, weir_deadline(LOOK)) < 0) {
        if (errno != ETIMEDOUT)
            return -1;
        if (is_gone(hearer->conn))
            return 0;
    }
    hearer->sender = NULL;
    return 0;
}

static void stop_sender(struct hearer *hearer, bool cut)
{
    if (!hearer->sender || (!cut && weir_join(hearer->sender, NULL, WEIR_FOREVER) == 0))
        return;
    weir_cancel_fiber(hearer->sender);
    weir_join(hearer->sender, NULL, WEIR_FOREVER);
}

void broadcast_leave(struct hearer *hearer, bool cut)
{
    hearer_unlink(hearer);
    weir_channel_close(hearer->queue);
    stop_sender(hearer, cut);
    if (hearer->lost)
        weir_log(WEIR_LOG_WARNING, "%s: %llu lines were dropped for it", hearer->name,
                 (unsigned long long)hearer->lost);
    hearer_release(hearer);
}
