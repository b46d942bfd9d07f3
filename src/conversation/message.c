/* Messages of a conversation: how they end is found out from the first one. */
#include <string.h>
#include <weir/conversation.h>
#include <weir/server.h>
#include <weir/time.h>

#include "net/lines.h"

#define PAUSE WEIR_MS(100)

weir_conversation weir_conversation_begin(weir_conn *conn)
{
    return (weir_conversation){.conn = conn, .limit = weir_line_limit(), .pause = PAUSE};
}

static weir_newline newline_of(enum weir__message_end end)
{
    if (end == WEIR__MESSAGE_QUIET)
        return WEIR_NEWLINE_NONE;
    return end == WEIR__MESSAGE_CRLF ? WEIR_NEWLINE_CRLF : WEIR_NEWLINE_LF;
}

/* A message that a pause may end. One of nothing but newlines is of length 0, and to be passed over. */
static int read_paused(weir_conversation *conversation, char **data, size_t *length)
{
    struct weir__message message = {.newline = conversation->newline == WEIR_NEWLINE_UNKNOWN,
                                    .pause = conversation->pause,
                                    .limit = conversation->limit};
    int result = weir__read_message(conversation->conn, &message);
    if (result <= 0)
        return result;
    if (conversation->newline == WEIR_NEWLINE_UNKNOWN)
        conversation->newline = newline_of(message.end);
    *data = message.data;
    *length = message.length;
    return 1;
}

static bool by_lines(const weir_conversation *conversation)
{
    return conversation->newline == WEIR_NEWLINE_LF || conversation->newline == WEIR_NEWLINE_CRLF;
}

/* Reads one; 1 also where it is nothing but newlines and was sent by itself: then *length is 0. */
static int read_any(weir_conversation *conversation, char **message, size_t *length)
{
    if (by_lines(conversation))
        return weir_read_line(conversation->conn, message, length, conversation->limit);
    return read_paused(conversation, message, length);
}

static bool is_nothing(const weir_conversation *conversation, size_t length)
{
    return length == 0 && !by_lines(conversation);
}

/* Asks a client that has been silent for the pause. Returns 1 if it was asked, 0 if it was not silent, or -1. */
static int ask_if_silent(weir_conversation *conversation, const char *prompt)
{
    int came = weir__await_message(conversation->conn, weir_deadline(conversation->pause));
    if (came < 0)
        return -1;
    if (came)
        return 0;
    return weir_send_all(conversation->conn, prompt, strlen(prompt)) < 0 ? -1 : 1;
}

/* Reads the next message; asks for it, once, where there is a prompt. */
static int read_or_ask(weir_conversation *conversation, const char *prompt, char **message, size_t *length)
{
    int asked = prompt == NULL, result;
    do {
        if (!asked && (asked = ask_if_silent(conversation, prompt)) < 0)
            return -1;
        *length = 0;
        result = read_any(conversation, message, length);
    } while (result > 0 && is_nothing(conversation, *length));
    return result;
}

int weir_read_message(weir_conversation *conversation, char **message, size_t *length)
{
    size_t unwanted;
    return read_or_ask(conversation, NULL, message, length ? length : &unwanted);
}

int weir_prompt(weir_conversation *conversation, const char *prompt, char **message, size_t *length)
{
    size_t unwanted;
    return read_or_ask(conversation, prompt, message, length ? length : &unwanted);
}
