/* The kinds of errors: which one a system's error is, their names, and the exit statuses they give a program. */
#include <errno.h>
#include <string.h>

#include "base/error.h"

static bool is_step(const char *step, const char *name)
{
    return step && strcmp(step, name) == 0;
}

/* The kind of a number, whatever was being done. */
static weir_error_kind kind_of_number(int number)
{
    switch (number) {
    case ENOMEM:
        return WEIR_ERROR_MEMORY;
    case ECANCELED:
        return WEIR_ERROR_CANCELLED;
    case ECONNREFUSED:
    case ENETUNREACH:
    case ENETDOWN:
    case EHOSTUNREACH:
    case EHOSTDOWN:
        return WEIR_ERROR_CONNECT;
    case ETIMEDOUT:
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return WEIR_ERROR_CLOSED;
    default:
        return WEIR_ERROR_SYSTEM;
    }
}

weir_error_kind weir__error_kind_of(int number, const char *step)
{
    weir_error_kind kind = kind_of_number(number);
    if (kind == WEIR_ERROR_MEMORY || kind == WEIR_ERROR_CANCELLED)
        return kind;
    if (is_step(step, "connect"))
        return WEIR_ERROR_CONNECT;
    if (is_step(step, "bind") || is_step(step, "listen"))
        return WEIR_ERROR_LISTEN;
    return kind;
}

const char *weir_error_kind_name(weir_error_kind kind)
{
    static const char *const names[] = {
        [WEIR_ERROR_NONE] = "none",         [WEIR_ERROR_SYSTEM] = "system",       [WEIR_ERROR_USAGE] = "usage",
        [WEIR_ERROR_RESOLVE] = "resolve",   [WEIR_ERROR_CONNECT] = "connect",     [WEIR_ERROR_LISTEN] = "listen",
        [WEIR_ERROR_DEADLINE] = "deadline", [WEIR_ERROR_CANCELLED] = "cancelled", [WEIR_ERROR_CLOSED] = "closed",
        [WEIR_ERROR_BUSY] = "busy",         [WEIR_ERROR_LIMIT] = "limit",         [WEIR_ERROR_MEMORY] = "memory",
        [WEIR_ERROR_TLS] = "tls",           [WEIR_ERROR_PROXY] = "proxy",         [WEIR_ERROR_SSH] = "ssh",
    };
    size_t index = (size_t)kind;
    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

int weir_error_exit_status(const weir_error_info *error)
{
    switch (error->kind) {
    case WEIR_ERROR_NONE:
        return 0;
    case WEIR_ERROR_USAGE:
        return 2;
    case WEIR_ERROR_DEADLINE:
        return 3;
    case WEIR_ERROR_CLOSED:
        return 4;
    case WEIR_ERROR_SSH: /* before a connection stands it is never one of these */
        return error->number == ECONNRESET || error->number == EPIPE ? 4 : 1;
    default:
        return 1;
    }
}
