/* A hearer of a broadcast: what waits for it, and what is dropped where it does not keep up; see hearer.h. */
#include "hearer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

enum { QUEUE = 64 }; /* pieces that may wait for a hearer */

/* How long a full queue is waited for. */
#define PATIENCE WEIR_S(1)

/* A piece in a queue: from where on it is sent, and whether a newline goes first, which ends a line whose rest was dropped. */
struct delivery {
    struct piece *piece;
    size_t from;
    bool breaks_line;
};

/* --- pieces --- */

void piece_release(struct piece *piece)
{
    if (--piece->references == 0)
        free(piece);
}

struct piece *piece_new(struct broadcast *broadcast, const char *data, size_t size, bool ends_line)
{
    struct piece *piece = malloc(sizeof *piece + size);
    if (!piece) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "listen", "stdin", NULL);
        return NULL;
    }
    *piece =
        (struct piece){.references = 1, .begins_line = !broadcast->within_line, .ends_line = ends_line, .size = size};
    memcpy(piece->data, data, size);
    broadcast->within_line = !ends_line;
    return piece;
}

/* --- a hearer --- */

struct hearer *hearer_new(struct broadcast *broadcast, weir_conn *conn, const char *name)
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

void hearer_release(struct hearer *hearer)
{
    struct delivery delivery;
    if (--hearer->references > 0)
        return;
    while (weir_channel_receive(hearer->queue, &delivery, WEIR_NOW) == 0)
        piece_release(delivery.piece);
    weir_channel_free(hearer->queue);
    free(hearer);
}

void hearer_unlink(const struct hearer *hearer)
{
    struct hearer **place = &hearer->broadcast->hearers;
    while (*place && *place != hearer)
        place = &(*place)->next;
    if (*place)
        *place = hearer->next;
}

/* --- sending --- */

static int deliver(struct hearer *hearer, const struct delivery *delivery)
{
    const struct piece *piece = delivery->piece;
    const char *newline = hearer->broadcast->crlf ? "\r\n" : "\n";
    if (delivery->breaks_line && weir_send_all(hearer->conn, newline, strlen(newline)) < 0)
        return -1;
    return weir_send_all(hearer->conn, piece->data + delivery->from, piece->size - delivery->from);
}

int hearer_send(void *arg)
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
    hearer_unlink(hearer);
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

int hearer_offer(struct hearer *hearer, struct piece *piece)
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
