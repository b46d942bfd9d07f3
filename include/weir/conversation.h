/*
 * Conversations: messages of people and programs, and answers in their own manner.
 *
 * A message ends at a newline (CR LF or LF) or at a pause: who types at nc or telnet sends a newline, a program
 * that calls send("bob") does not. The first message fixes which it is for the whole of the conversation: if a
 * newline came before the pause, newlines alone end messages from then on, and answers end in the client's own
 * newline; otherwise pauses end them, answers have no newline, and a message of nothing but newlines is ignored.
 * Nothing is sent unasked.
 */
#ifndef WEIR_CONVERSATION_H
#define WEIR_CONVERSATION_H

#include <weir/conn.h>

WEIR_BEGIN

/* How a client ends its messages, and we our answers. */
typedef enum weir_newline {
    WEIR_NEWLINE_UNKNOWN, /* it has sent none yet */
    WEIR_NEWLINE_NONE,    /* by a pause */
    WEIR_NEWLINE_LF,
    WEIR_NEWLINE_CRLF,
} weir_newline;

/* A value on the handler's stack: nothing need be freed. It holds no memory while the client is silent. */
typedef struct weir_conversation {
    weir_conn *conn;
    size_t limit;  /* of a message, in bytes; at first weir_line_limit() */
    int64_t pause; /* what ends a message without a newline; at first 100 ms */
    weir_newline newline;
} weir_conversation;

/* A conversation that begins, with what its members are at first. Does not park. */
WEIR_API weir_conversation weir_conversation_begin(weir_conn *conn);

/*
 * Reads the next message, without the newlines at its end, NUL-terminated (it may hold NULs itself). *message is
 * the connection's, valid until its next reading call; `length` may be NULL. What came after it is kept for the
 * next. The end of the stream ends a last message too. Parks; the first byte is waited for as long as a receive
 * would, the rest at most for the server's message_timeout. Returns 1, 0 at the end of the stream; -1 with
 * EMSGSIZE of kind LIMIT (more than `limit` bytes), ENOMEM, or as weir_recv.
 */
WEIR_API int weir_read_message(weir_conversation *conversation, char **message, size_t *length);

/*
 * The same, but sends `prompt` (no newline is added) to a client that has been silent for the pause. Also fails as
 * weir_send.
 */
WEIR_API int weir_prompt(weir_conversation *conversation, const char *prompt, char **message, size_t *length);

/* Sends an answer with the client's newline behind it, in one piece. Parks. Returns 0, or -1 as weir_send_all. */
WEIR_API int weir_answer(weir_conversation *conversation, const char *text, size_t length);

/* The same, as printf(3) makes it. Also fails with ENOMEM, and as printf(3). */
WEIR_API int weir_answer_format(weir_conversation *conversation, const char *format, ...) WEIR_PRINTF(2, 3);

/* What a command returns. */
typedef enum weir_next {
    WEIR_GO_ON,  /* the next message, please */
    WEIR_END_IT, /* the conversation is over, and well */
    WEIR_FAILED, /* with an error set: weir_converse returns -1 */
} weir_next;

/* A row of a table of commands. */
typedef struct weir_command {
    const char *name;  /* the whole message, but for blanks and newlines around it; NULL: any other, the last row */
    bool any_case;     /* ASCII letters in either case */
    const char *reply; /* answered as it stands; NULL: see `run` */
    /*
     * Answers, or does not; called after `reply` was answered. NULL: nothing more. The message is valid until
     * the next is read.
     */
    weir_next (*run)(weir_conversation *conversation, const char *message, size_t length, void *arg);
} weir_command;

/*
 * Reads messages and runs their commands until one ends it or the client ends its side. A message above the limit
 * is answered with one line that says so, and ends it: our side of the connection is shut down then, and what
 * still comes is read for a second, since closing before that could cost the client the answer. Parks. Returns 0;
 * -1 with the first error, which is EMSGSIZE where the client was told of its limit.
 */
WEIR_API int weir_converse(weir_conversation *conversation, const weir_command *commands, void *arg);

WEIR_END

#endif
