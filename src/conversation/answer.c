/* Answers of a conversation, with the client's newline behind them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/conversation.h>

#include "base/error.h"

/* Answers up to this length go by one buffer on the stack, which costs less than a vector of two. */
enum { SHORT = 512, LONGEST_NEWLINE = 2 };

/* The client's newline; "" where it has sent none. */
static const char *newline_of(const weir_conversation *conversation)
{
    switch (conversation->newline) {
    case WEIR_NEWLINE_LF:
        return "\n";
    case WEIR_NEWLINE_CRLF:
        return "\r\n";
    default:
        return "";
    }
}

/* Its own function, so that nobody who waits to read holds the buffer. */
static __attribute__((noinline)) int answer_short(const weir_conversation *conversation, const char *text,
                                                  size_t length)
{
    char whole[SHORT + LONGEST_NEWLINE];
    const char *newline = newline_of(conversation);
    size_t newline_length = strlen(newline);
    memcpy(whole, text, length);
    memcpy(whole + length, newline, newline_length);
    return weir_send_all(conversation->conn, whole, length + newline_length);
}

static int answer_long(const weir_conversation *conversation, const char *text, size_t length)
{
    const char *newline = newline_of(conversation);
    const struct iovec both[] = {{(char *)(uintptr_t)text, length}, {(char *)(uintptr_t)newline, strlen(newline)}};
    return weir_send_vector_all(conversation->conn, both, 2);
}

int weir_answer(weir_conversation *conversation, const char *text, size_t length)
{
    if (length == 0 && !*newline_of(conversation))
        return 0; /* nothing at all: no send, which would be one of no bytes */
    return length <= SHORT ? answer_short(conversation, text, length) : answer_long(conversation, text, length);
}

/* An answer that is too long for the stack. */
static WEIR_PRINTF(3, 0) int answer_allocated(weir_conversation *conversation, size_t length, const char *format,
                                              va_list arguments)
{
    char *text = malloc(length + 1);
    if (!text)
        return weir__fail_memory("answer");
    vsnprintf(text, length + 1, format, arguments);
    int result = weir_answer(conversation, text, length);
    int saved = errno;
    free(text);
    errno = saved;
    return result;
}

static WEIR_PRINTF(2, 0) __attribute__((noinline)) int answer_formatted(weir_conversation *conversation,
                                                                        const char *format, va_list arguments)
{
    char text[SHORT];
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(text, sizeof text, format, arguments), result;
    if (length < 0)
        result = weir__fail_system(errno, "answer", "");
    else if ((size_t)length < sizeof text)
        result = weir_answer(conversation, text, (size_t)length);
    else
        result = answer_allocated(conversation, (size_t)length, format, again);
    va_end(again);
    return result;
}

int weir_answer_format(weir_conversation *conversation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int result = answer_formatted(conversation, format, arguments);
    va_end(arguments);
    return result;
}
