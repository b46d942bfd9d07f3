/*
 * weir ask: the asking. One fiber sends while another receives and prints, so that a question longer than what fits
 * between us and the peer does not stop at an answer nobody reads. While the question is still being sent the answer may
 * take its time; once all is sent, silence ends it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"

enum { CHUNK = 65536, LONGEST_DATAGRAM = 65507 };

/* Ends the asking with a status: the receiver, wherever it is, finds that there is nothing to wait for. */
static void settle(struct ask *ask, int status)
{
    ask->settled = true;
    ask->status = status;
    weir_set_deadline(ask->conn, WEIR_READ, WEIR_NOW);
}

/* --- the question --- */

/* Sends all of it; the time-out is for the peer that takes nothing, not for the whole. 0 or -1. */
static int send_chunk(struct ask *ask, const char *data, size_t size)
{
    while (size > 0) {
        weir_set_deadline(ask->conn, WEIR_WRITE, weir_deadline(ask->dialling.timeout));
        ssize_t sent = weir_send(ask->conn, data, size);
        if (sent < 0)
            return -1;
        data += sent;
        size -= (size_t)sent;
    }
    return 0;
}

static int send_stdin(struct ask *ask)
{
    char *chunk = malloc(CHUNK);
    if (!chunk)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "ask", ask->dialling.endpoint.text, NULL);
    ssize_t size;
    while ((size = weir_file_read(weir_stdin(), chunk, CHUNK, WEIR_FOREVER)) > 0) {
        if (send_chunk(ask, chunk, (size_t)size) < 0) {
            size = -1;
            break;
        }
        ask->length += (size_t)size;
    }
    free(chunk);
    return size < 0 ? -1 : 0;
}

/* Reads stdin to its end, as far as a datagram can hold it. Returns the length, or -1. */
static ssize_t gather_stdin(struct ask *ask, char *data)
{
    size_t length = 0;
    ssize_t size;
    while ((size = weir_file_read(weir_stdin(), data + length, LONGEST_DATAGRAM + 1 - length, WEIR_FOREVER)) > 0)
        if ((length += (size_t)size) > LONGEST_DATAGRAM)
            return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "ask", ask->dialling.endpoint.text,
                             "a question of more than %d bytes does not fit a datagram", LONGEST_DATAGRAM);
    return size < 0 ? -1 : (ssize_t)length;
}

static int send_datagram(struct ask *ask, const char *data, size_t size)
{
    weir_set_deadline(ask->conn, WEIR_WRITE, weir_deadline(ask->dialling.timeout));
    ask->length = size;
    return weir_send(ask->conn, data, size) < 0 ? -1 : 0;
}

static int send_stdin_as_datagram(struct ask *ask)
{
    char *data = malloc(LONGEST_DATAGRAM + 1);
    if (!data)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "ask", ask->dialling.endpoint.text, NULL);
    ssize_t size = gather_stdin(ask, data);
    int result = size < 0 ? -1 : send_datagram(ask, data, (size_t)size);
    free(data);
    return result;
}

static int send_question(struct ask *ask)
{
    if (ask->dialling.endpoint.datagram)
        return ask->text ? send_datagram(ask, ask->text, ask->length) : send_stdin_as_datagram(ask);
    return ask->text ? send_chunk(ask, ask->text, ask->length) : send_stdin(ask);
}

/*
 * Sending failed. A peer that closed or reset may have answered before: the receiver prints that first, and then tells.
 * Everything else ends it here.
 */
static void question_failed(struct ask *ask)
{
    if (ask->settled || weir_cancelled())
        return;
    const weir_error_info *error = weir_error();
    if (error->kind != WEIR_ERROR_CLOSED) {
        settle(ask, failed());
        return;
    }
    snprintf(ask->cut, sizeof ask->cut, "%s", error->reason);
}

/* A fiber. */
static int asker(void *arg)
{
    struct ask *ask = arg;
    if (send_question(ask) < 0)
        question_failed(ask);
    else
        dialling_say(&ask->dialling, "sent %zu bytes", ask->length);
    ask->sent = true;
    if (!ask->settled && !weir_cancelled())
        weir_set_deadline(ask->conn, WEIR_READ, weir_deadline(ask->answered ? ask->quiet : ask->dialling.timeout));
    return 0;
}

/* --- the answer --- */

/*
 * Waits until the question has been sent, where the peer has ended its side first, and taken: a peer that closed takes nothing.
 * 0 or -1.
 */
static int end_question(struct ask *ask)
{
    if (weir_join(ask->asker, NULL, WEIR_FOREVER) < 0)
        return -1;
    ask->asker = NULL;
    if (ask->cut[0])
        return weir_fail(WEIR_ERROR_CLOSED, EPIPE, "send", ask->dialling.endpoint.text, "%s", ask->cut);
    return ask->settled ? 0 : weir_flush(ask->conn, ask->dialling.timeout);
}

/* The peer's end came. */
static void answer_ended(struct ask *ask)
{
    dialling_say(&ask->dialling, "the peer closed");
    int result = end_question(ask);
    if (ask->settled)
        return;
    if (result == 0 && !ask->answered)
        result = weir_fail(WEIR_ERROR_CLOSED, ENODATA, "ask", ask->dialling.endpoint.text, "closed without an answer");
    settle(ask, result < 0 ? failed() : STATUS_DONE);
}

static void answer_failed(struct ask *ask)
{
    if (ask->settled)
        return;
    if (weir_error()->kind == WEIR_ERROR_DEADLINE && ask->answered) {
        dialling_say(&ask->dialling, "quiet: the answer is complete");
        settle(ask, STATUS_DONE);
        return;
    }
    if (weir_error()->kind == WEIR_ERROR_DEADLINE)
        weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "ask", ask->dialling.endpoint.text, "timed out without an answer");
    settle(ask, failed());
}

/* A reader of our stdout that went away has had enough: no failure. */
static void print_answer(struct ask *ask, const char *data, size_t size)
{
    ask->answered = true;
    dialling_say(&ask->dialling, "received %zu bytes", size);
    if (weir_file_write_all(weir_stdout(), data, size, WEIR_FOREVER) < 0)
        settle(ask, errno == EPIPE ? STATUS_DONE : failed());
    else if (ask->sent && !ask->settled)
        weir_set_deadline(ask->conn, WEIR_READ, weir_deadline(ask->quiet));
}

static void receive_answer(struct ask *ask)
{
    while (!ask->settled) {
        char *data;
        ssize_t size = weir_receive(ask->conn, &data);
        if (size < 0)
            answer_failed(ask);
        else if (size == 0 && !ask->dialling.endpoint.datagram)
            answer_ended(ask);
        else
            print_answer(ask, data, (size_t)size);
    }
}

int ask_talk(void *arg)
{
    struct ask *ask = arg;
    ask->conn = dialling_connect(&ask->dialling);
    if (!ask->conn)
        return failed();
    ask->asker = weir_spawn(asker, ask, WEIR_OPTIONS(weir_fiber_options, .name = "ask: question"));
    if (ask->asker)
        receive_answer(ask);
    else
        ask->status = failed();
    if (ask->asker) {
        weir_cancel_fiber(ask->asker);
        weir_join(ask->asker, NULL, WEIR_FOREVER);
    }
    weir_close(ask->conn);
    return ask->status;
}
