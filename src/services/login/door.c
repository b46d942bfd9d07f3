/* The conversation with who wants to log in; see door.h. */
#include "door.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for a name, a blank and a password; what is longer is neither. */
enum { LONGEST_MESSAGE = NAME_LONGEST + 1 + PASSWORD_LONGEST };

/* What is still heard of a client that was told that it sends too much. */
enum { MOST_LAST_WORDS = 1 << 20 };
#define LAST_WORDS WEIR_S(1)

struct visit {
    const struct door *door;
    weir_conversation conversation;
    struct tries_source source;
    struct attempt *attempt; /* NULL: nothing was said yet */
    enum verdict verdict;
    bool cut; /* it could not be told all, or not be heard */
    char client[WEIR_ADDRESS_TEXT];
};

/* --- what it says --- */

#define WRONG    "wrong user or password"
#define TOO_MANY "too many tries at once from your address: come back later"
#define BUSY     "too busy: come back later"
#define FAILED   "no login is possible now: come back later"
#define TOO_LONG "no name and no password are that long"

/* Whether it could be said. */
static bool say(struct visit *visit, const char *text)
{
    visit->cut = weir_answer(&visit->conversation, text, strlen(text)) < 0;
    return !visit->cut;
}

/* --- what a client says --- */

/* Takes what fits; of what does not, nothing: no account has it. Wiped where it stood, which may be a password. */
static size_t take(char *text, size_t room, char *from, size_t length)
{
    size_t taken = length < room ? length : 0;
    memcpy(text, from, taken);
    text[taken] = '\0';
    explicit_bzero(from, length);
    return taken;
}

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static void take_name(struct attempt *attempt, char *text, size_t length)
{
    attempt->name_length = take(attempt->name, sizeof attempt->name, text, length);
}

static void take_password(struct attempt *attempt, char *text, size_t length)
{
    attempt->password_length = take(attempt->password, sizeof attempt->password, text, length);
}

/*
 * A first message: "NAME" or "NAME PASSWORD", blanks in front of them apart; those at the end are the password's.
 * Whether the password was in it.
 */
static bool take_first(struct attempt *attempt, char *message, size_t length)
{
    size_t begin = 0, end, rest;
    while (begin < length && is_blank(message[begin]))
        begin++;
    for (end = begin; end < length && !is_blank(message[end]);)
        end++;
    for (rest = end; rest < length && is_blank(message[rest]);)
        rest++;
    take_name(attempt, message + begin, end - begin);
    if (rest < length)
        take_password(attempt, message + rest, length - rest);
    return rest < length;
}

/*
 * A name, or both. Whoever sends no newlines is not asked again behind an answer: it would take the question for a
 * part of that. As weir_prompt.
 */
static int listen_to_first(struct visit *visit, char **message, size_t *length)
{
    if (visit->conversation.newline == WEIR_NEWLINE_NONE)
        return weir_read_message(&visit->conversation, message, length);
    return weir_prompt(&visit->conversation, "user: ", message, length);
}

/* Asks, if the client says nothing by itself. 1 with an attempt; 0 at the client's end; -1 with an error. */
static int listen_to(struct visit *visit)
{
    char *message;
    size_t length;
    int result = listen_to_first(visit, &message, &length);
    if (result <= 0)
        return result;
    /* Not earlier, so that a client that says nothing costs nothing. */
    if (!(visit->attempt = calloc(1, sizeof *visit->attempt)))
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "login", visit->client, NULL);
    if (take_first(visit->attempt, message, length))
        return 1;
    result = weir_prompt(&visit->conversation, "password: ", &message, &length);
    if (result > 0)
        take_password(visit->attempt, message, length);
    return result;
}

/* --- judging --- */

static int judge(void *arg)
{
    struct visit *visit = arg;
    visit->verdict = visit->door->judge(visit->attempt, visit->door->judge_arg);
    return 0;
}

/* In one of the slots. Nobody leaves it before its end, at the stop of the server neither: it does not take long. */
static int judge_in_turn(struct visit *visit)
{
    const struct door *door = visit->door;
    if (slots_take(door->slots, visit->client, WEIR_FOREVER) < 0)
        return -1;
    int result = weir_offload(judge, visit, NULL, NULL, WEIR_FOREVER), number = errno;
    if (result < 0)
        weir_log_error();
    slots_give(door->slots);
    errno = number;
    return result;
}

static void tell_failures(const struct visit *visit, uint64_t count)
{
    if (count)
        weir_log(WEIR_LOG_INFO, "login: %s: wrong user or password, tries: %" PRIu64, visit->client, count);
}

static enum tries_outcome outcome_of(const struct visit *visit, int result)
{
    if (result < 0 || visit->verdict == VERDICT_FAILED)
        return TRIES_UNTRIED;
    return visit->verdict == VERDICT_LET_IN ? TRIES_PASSED : TRIES_FAILED;
}

/* Whether there is a verdict. Else it was told why not, or cut. */
static bool try(struct visit *visit)
{
    int64_t when;
    struct tries *tries = visit->door->tries;
    if (tries_begin(tries, visit->source, weir_now(), &when) < 0) {
        say(visit, TOO_MANY);
        return false;
    }
    int result = weir_sleep_until(when);
    if (result == 0)
        result = judge_in_turn(visit);
    bool busy = result < 0 && errno == EAGAIN;
    tell_failures(visit, tries_end(tries, visit->source, outcome_of(visit, result), weir_now()));
    if (busy)
        say(visit, BUSY);
    else
        visit->cut = result < 0;
    return result == 0;
}

/* Whether it may try again. */
static bool answer(struct visit *visit)
{
    switch (visit->verdict) {
    case VERDICT_LET_IN:
        weir_log(WEIR_LOG_INFO, "login: %s: %s", visit->client, visit->attempt->name);
        say(visit, visit->attempt->greeting);
        return false;
    case VERDICT_WRONG:
        return say(visit, WRONG);
    default:
        say(visit, FAILED);
        return false;
    }
}

/* --- a client --- */

static void forget(struct visit *visit)
{
    if (visit->attempt)
        explicit_bzero(visit->attempt, sizeof *visit->attempt);
    free(visit->attempt);
    visit->attempt = NULL;
}

/* A close with something unread would be a reset, which can overtake the answer. As weir_converse. */
static void refuse_long(struct visit *visit)
{
    weir_conn *conn = visit->conversation.conn;
    char *data;
    ssize_t length;
    if (!say(visit, TOO_LONG))
        return;
    weir_shutdown(conn, SHUT_WR);
    weir_set_deadline(conn, WEIR_READ, weir_deadline(LAST_WORDS));
    for (size_t heard = 0; heard < MOST_LAST_WORDS && (length = weir_receive(conn, &data)) > 0;)
        heard += (size_t)length;
    weir_release(conn);
}

/* One try. Whether there may be another. */
static bool converse(struct visit *visit)
{
    int heard = listen_to(visit);
    if (heard < 0 && errno == EMSGSIZE)
        refuse_long(visit);
    else
        visit->cut = heard < 0;
    bool goes_on = heard > 0 && try(visit) && answer(visit);
    forget(visit);
    return goes_on;
}

/* Who is at the other end of a Unix socket; nobody in particular where that is not to be known. */
static uid_t user_of(const weir_conn *conn)
{
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(weir_fd(conn), SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
        return (uid_t)-1;
    return credentials.uid;
}

/* 0; -1 where it has gone already: then it is nobody, and judged for nobody. */
static int look_at(struct visit *visit, weir_conn *conn)
{
    weir_address address;
    if (weir_peer_address(conn, &address) < 0)
        return -1;
    bool local = address.any.sa_family == AF_UNIX;
    uid_t user = local ? user_of(conn) : (uid_t)-1;
    visit->source = tries_source_of(&address, user);
    if (local)
        snprintf(visit->client, sizeof visit->client, "user %" PRId64, (int64_t)user);
    else
        weir_address_text(&address, visit->client, sizeof visit->client);
    return 0;
}

void door_serve(weir_conn *conn, const struct door *door)
{
    struct visit visit = {.door = door, .conversation = weir_conversation_begin(conn)};
    if (visit.conversation.limit > LONGEST_MESSAGE)
        visit.conversation.limit = LONGEST_MESSAGE;
    visit.cut = look_at(&visit, conn) < 0;
    if (!visit.cut)
        for (int64_t left = door->tries_each; left > 0 && converse(&visit);)
            left--;
    if (visit.cut)
        weir_abort(conn); /* a clean end would look as if that was all */
}
