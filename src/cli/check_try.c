/* Trying whether an endpoint answers: a connection that stands, or a datagram that comes back. */
#include <errno.h>
#include <string.h>

#include "check.h"

static enum check_result result_of(const weir_error_info *error)
{
    if (error->kind == WEIR_ERROR_RESOLVE)
        return CHECK_UNKNOWN;
    switch (error->number) {
    case ECONNREFUSED:
    case ENOENT: /* a Unix socket's path leads nowhere */
        return CHECK_REFUSED;
    case ETIMEDOUT:
        return CHECK_SILENT;
    case ENETUNREACH:
    case EHOSTUNREACH:
        return CHECK_UNREACHABLE;
    default:
        return CHECK_FAILED;
    }
}

static void note_failure(struct check_target *target)
{
    const weir_error_info *error = weir_error();
    enum check_result result = result_of(error);
    if (result > target->result)
        target->result = result;
    weir_escape(error->sentence, strlen(error->sentence), target->reason, sizeof target->reason);
    dialling_say(&target->dialling, "%s", error->sentence);
}

/* Whoever takes a datagram need not answer it: the sentence says what silence may mean. */
static int fail_silent(const struct check_target *target)
{
    return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "check", target->dialling.endpoint.text,
                     "no answer: it may not care for such a datagram, or be filtered, or not be there");
}

/* One datagram there and one back. An ICMP refusal comes as an error of the receive. 0 or -1. */
static int ask_by_datagram(const struct check *check, struct check_target *target, weir_conn *conn)
{
    const char *text = check->text ? check->text : "";
    char answer[1];
    weir_set_deadline(conn, WEIR_READ_WRITE, weir_deadline(target->dialling.timeout));
    if (weir_send(conn, text, strlen(text)) < 0)
        return -1;
    if (weir_recv(conn, answer, sizeof answer) >= 0)
        return 0;
    return errno == ETIMEDOUT ? fail_silent(target) : -1;
}

/* One of a name's addresses is to show the name's certificate, and each anew. */
static weir_conn *dial(const struct check_target *target)
{
    struct dialling dialling = target->dialling;
    weir_endpoint named;
    dialling.tls.fresh = true;
    if (weir_scheme_is_secure(dialling.endpoint.scheme) && !dialling.tls.server_name &&
        weir_parse_endpoint(target->named, NULL, &named) == 0)
        dialling.tls.server_name = *named.host ? named.host : "localhost";
    return dialling_connect(&dialling);
}

static int reach(const struct check *check, struct check_target *target)
{
    weir_conn *conn = dial(target);
    if (!conn)
        return -1;
    if (target->dialling.via.count == 0) /* else it is known only there */
        weir_peer_address(conn, &target->address);
    int result = target->dialling.endpoint.datagram ? ask_by_datagram(check, target, conn) : 0;
    int number = errno;
    weir_close(conn);
    errno = number;
    return result;
}

void check_try(const struct check *check, struct check_target *target)
{
    int64_t began = weir_now();
    target->tries++;
    if (reach(check, target) < 0)
        note_failure(target);
    else
        target->times[target->answered++] = weir_now() - began;
}
