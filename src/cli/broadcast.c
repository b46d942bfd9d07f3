/* What stdin has, to everybody who is connected; see broadcast.h. */
#include "broadcast.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum {
    PIECE = 16384,
    QUEUE = 64, /* pieces that may wait for a hearer */
    KEEPALIVE_SECONDS = 30,
};

/* How long a full queue is waited for, and how often it is looked whether a hearer that has ended its side is still there. */
#define PATIENCE WEIR_S(1)
#define LOOK     WEIR_S(2)

/* A piece of stdin, which all queues share. */
struct piece {
    size_t references;
    bool begins_line, ends_line;
    size_t size;
    char data[];
};

/* A piece in a queue: from where on it is sent, and whether a newline goes first, which ends a line whose rest was dropped. */
struct delivery {
    struct piece *piece;
    size_t from;
    bool breaks_line;
};

struct hearer {
    struct broadcast *broadcast;
    struct hearer *next; /* of those that hear */
    unsigned references; /* the handler's, and the reader's while it waits for room */
    weir_conn *conn;
    weir_channel *queue; /* of struct delivery */
    weir_fiber *sender;
    size_t queued;
    uint64_t offered; /* the number of the last piece that it was offered */
    uint64_t lost;    /* lines */
    bool skips;       /* what it is given next begins with a line */
    bool within_line; /* what it was given last ends none */
    bool behind;      /* not waited for until its queue is empty */
    char name[];
};

/* --- pieces --- */

static void piece_release(struct piece *piece)
{
    if (--piece->references == 0)
        free(piece);
}

/* The caller's reference. NULL with ENOMEM. */
static struct piece *piece_new(struct broadcast *broadcast, const char *data, size_t size)
{
    struct piece *piece = malloc(sizeof *piece + (broadcast->crlf ? 2 * size : size));
    if (!piece) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "listen", "stdin", NULL);
        return NULL;
    }
    *piece = (struct piece){.references = 1, .begins_line = !broadcast->within_line, .size = size};
    if (broadcast->crlf)
        piece->size = session_add_returns(data, size, &broadcast->before, piece->data);
    else
        memcpy(piece->data, data, size);
    piece->ends_line = data[size - 1] == '\n';
    broadcast->within_line = !piece->ends_line;
    return piece;
}

/* --- a hearer's queue --- */

static void hearer_release(struct hearer *hearer)
{
    struct delivery delivery;
    if (--hearer->references > 0)
        return;
    while (weir_channel_receive(hearer->queue, &delivery, WEIR_NOW) == 0)
        piece_release(delivery.piece);
    weir_channel_free(hearer->queue);
    free(hearer);
}

static int deliver(struct hearer *hearer, const struct delivery *delivery)
{
    const struct piece *piece = delivery->piece;
    const char *newline = hearer->broadcast->crlf ? "\r\n" : "\n";
    if (delivery->breaks_line && weir_send_all(hearer->conn, newline, strlen(newline)) < 0)
        return -1;
    return weir_send_all(hearer->conn, piece->data + delivery->from, piece->size - delivery->from);
}

static void unlink_hearer(const struct hearer *hearer)
{
    struct hearer **place = &hearer->broadcast->hearers;
    while (*place && *place != hearer)
        place = &(*place)->next;
    if (*place)
        *place = hearer->next;
}

/* The fiber of a hearer: sends what is in its queue, until that is closed or nobody takes it. */
static int send_queue(void *arg)
{
    struct hearer *hearer = arg;
    struct delivery delivery;
    int result = 0;
    while (result == 0 && weir_channel_receive(hearer->queue, &delivery, WEIR_FOREVER) == 0) {
        hearer->queued--;
        result = deliver(hearer, &delivery);
        piece_release(delivery.piece);
    }
    if (result == 0 && errno == EPIPE)
        return weir_shutdown(hearer->conn, SHUT_WR);
    unlink_hearer(hearer);
    weir_channel_close(hearer->queue);
    if (result < 0 && weir_error()->kind == WEIR_ERROR_DEADLINE)
        weir_abort(hearer->conn); /* it took nothing for --write-timeout, or was there for its --lifetime */
    return result;
}

/* --- offering --- */

static uint64_t lines_in(const char *data, size_t size)
{
    uint64_t lines = 0;
    const char *end = data + size;
    while (data < end && (data = memchr(data, '\n', (size_t)(end - data)))) {
        lines++;
        data++;
    }
    return lines;
}

static void drop(struct hearer *hearer, const struct delivery *delivery)
{
    const struct piece *piece = delivery->piece;
    if (hearer->lost == 0)
        weir_log(WEIR_LOG_WARNING, "%s does not keep up: lines for it are dropped", hearer->name);
    uint64_t lines = lines_in(piece->data + delivery->from, piece->size - delivery->from) + !piece->ends_line;
    hearer->lost += lines;
    hearer->broadcast->lost += lines;
    hearer->skips = hearer->behind = true;
}

/* Puts a delivery into the queue, after waiting for room where the hearer deserves that. 0, or -1: ETIMEDOUT, EPIPE, ECANCELED. */
static int queue_up(struct hearer *hearer, const struct delivery *delivery)
{
    if (weir_channel_send(hearer->queue, delivery, WEIR_NOW) == 0)
        return 0;
    if (hearer->behind || errno != ETIMEDOUT)
        return -1;
    return weir_channel_send(hearer->queue, delivery, weir_deadline(PATIENCE));
}

/* Where a hearer goes on that has lost the beginning of the line that the piece begins within. */
static size_t begin_of(const struct hearer *hearer, const struct piece *piece)
{
    if (!hearer->skips || piece->begins_line)
        return 0;
    const char *end = memchr(piece->data, '\n', piece->size);
    return end ? (size_t)(end + 1 - piece->data) : piece->size;
}

/* While it waits, the hearer may go. 0, or -1 where the reader was cancelled. */
static int offer(struct hearer *hearer, struct piece *piece)
{
    struct delivery delivery = {piece, begin_of(hearer, piece), hearer->skips && hearer->within_line};
    if (delivery.from == piece->size)
        return 0;
    hearer->behind = hearer->behind && hearer->queued > 0;
    hearer->references++;
    piece->references++;
    hearer->queued++;
    int result = queue_up(hearer, &delivery), number = errno;
    if (result == 0) {
        hearer->skips = false;
        hearer->within_line = !piece->ends_line;
    } else {
        hearer->queued--;
        if (number == ETIMEDOUT)
            drop(hearer, &delivery);
        piece->references--; /* not the last: the reader has one */
    }
    hearer_release(hearer);
    return result < 0 && weir_cancelled() ? -1 : 0;
}

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
        if (offer(hearer, piece) < 0)
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

static int spread(struct broadcast *broadcast, const char *data, size_t size)
{
    struct piece *piece = wait_for_hearers(broadcast) < 0 ? NULL : piece_new(broadcast, data, size);
    if (!piece)
        return -1;
    broadcast->bytes += size;
    broadcast->heard(broadcast->arg, data, size);
    int result = offer_to_all(broadcast, piece);
    piece_release(piece);
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
    return size == 0 ? 0 : -1;
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

static struct hearer *hearer_new(struct broadcast *broadcast, weir_conn *conn, const char *name)
{
    size_t length = strlen(name) + 1;
    struct hearer *hearer = malloc(sizeof *hearer + length);
    weir_channel *queue = weir_channel_new(sizeof(struct delivery), QUEUE);
    if (!hearer || !queue) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "listen", name, NULL);
        weir_channel_free(queue);
        free(hearer);
        return NULL;
    }
    *hearer = (struct hearer){
        .broadcast = broadcast,
        .references = 1,
        .conn = conn,
        .queue = queue,
        .offered = broadcast->pieces,
        .skips = broadcast->within_line,
    };
    memcpy(hearer->name, name, length);
    return hearer;
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
    hearer->sender = weir_spawn(send_queue, hearer, WEIR_OPTIONS(weir_fiber_options, .name = "sender"));
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
    unlink_hearer(hearer);
    weir_channel_close(hearer->queue);
    stop_sender(hearer, cut);
    if (hearer->lost)
        weir_log(WEIR_LOG_WARNING, "%s: %llu lines were dropped for it", hearer->name,
                 (unsigned long long)hearer->lost);
    hearer_release(hearer);
}
