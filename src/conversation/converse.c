/* A conversation as a table of commands. */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <weir/conversation.h>
#include <weir/time.h>

#include "net/conn.h"

/* How long a client that sends too much may go on before it is cut off, and how much. */
#define LAST_WORDS WEIR_S(1)

enum { MOST_LAST_WORDS = 1 << 20 };

/* --- finding --- */

/* A newline too: before what a pause ended, it is of a client that ended its last message late. */
static bool is_blank(char one)
{
    return one == ' ' || one == '\t' || one == '\r' || one == '\n';
}

/* Without the blanks around it. */
static const char *trim(const char *message, size_t *length)
{
    while (*length > 0 && is_blank(*message)) {
        message++;
        --*length;
    }
    while (*length > 0 && is_blank(message[*length - 1]))
        --*length;
    return message;
}

static char lower(char one)
{
    return one >= 'A' && one <= 'Z' ? (char)(one - 'A' + 'a') : one;
}

static bool equal(const char *one, const char *other, size_t length, bool any_case)
{
    if (!any_case)
        return memcmp(one, other, length) == 0;
    for (size_t i = 0; i < length; i++)
        if (lower(one[i]) != lower(other[i]))
            return false;
    return true;
}

/* The row of a message; the last one, without a name, fits all. */
static const weir_command *find(const weir_command *commands, const char *message, size_t length)
{
    message = trim(message, &length);
    const weir_command *command = commands;
    while (command->name &&
           !(strlen(command->name) == length && equal(command->name, message, length, command->any_case)))
        command++;
    return command;
}

/* --- running --- */

static weir_next run(weir_conversation *conversation, const weir_command *command, const char *message, size_t length,
                     void *arg)
{
    if (command->reply && weir_answer(conversation, command->reply, strlen(command->reply)) < 0)
        return WEIR_FAILED;
    return command->run ? command->run(conversation, message, length, arg) : WEIR_GO_ON;
}

/* A close with something unread would be a reset, which can overtake the answer: so it is read for a moment. */
static void hear_last_words(weir_conn *conn)
{
    char *data;
    ssize_t length;
    size_t heard = 0;
    weir_shutdown(conn, SHUT_WR);
    weir_set_deadline(conn, WEIR_READ, weir_deadline(LAST_WORDS));
    while (heard < MOST_LAST_WORDS && (length = weir_receive(conn, &data)) > 0)
        heard += (size_t)length;
    weir_release(conn);
}

/* Tells the client. The error is that of the message again, unless it could not be told. Returns -1. */
static int refuse_long(weir_conversation *conversation)
{
    char name[WEIR_ADDRESS_TEXT];
    if (weir_answer_format(conversation, "a message may have at most %zu bytes", conversation->limit) < 0)
        return -1;
    hear_last_words(conversation->conn);
    return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "read", weir__conn_name(conversation->conn, name, sizeof name),
                     "a message of more than %zu bytes", conversation->limit);
}

int weir_converse(weir_conversation *conversation, const weir_command *commands, void *arg)
{
    char *message;
    size_t length;
    int result;
    while ((result = weir_read_message(conversation, &message, &length)) > 0) {
        weir_next next = run(conversation, find(commands, message, length), message, length, arg);
        if (next != WEIR_GO_ON)
            return next == WEIR_FAILED ? -1 : 0;
    }
    return result < 0 && errno == EMSGSIZE ? refuse_long(conversation) : result;
}
