/*
 * Relaying datagrams: a session for each client, told apart by address.
 *
 * A session lives in the handler of the client's first datagram, which parks: so it can answer from the address that
 * the client has sent to. It connects a socket of its own to the other end, and answers with what comes from there. The
 * handlers of further datagrams, perhaps in other threads, send them on by that socket themselves; while it is not yet
 * connected, or full, they leave copies. A session is freed by the last who knows it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "../services/shared_count.h"
#include "relay_table.h"

enum { AT_ONCE = 4 };

/* How long the other end may be silent once the relay is to end, before it is thought to have answered all. */
#define LAST_ANSWERS WEIR_S(2)

/*
 * For answers on their way, a thread's: nothing parks between receiving and sending them. Not thread-local themselves, since
 * those are part of every thread's stack, which has to be larger for that than a client's thread has it.
 */
struct rooms {
    char room[AT_ONCE][65536];
};

static pthread_key_t rooms_key;
static pthread_once_t rooms_once = PTHREAD_ONCE_INIT;

static void make_rooms_key(void)
{
    pthread_key_create(&rooms_key, free);
}

/* The thread's, which frees them at its end. NULL with ENOMEM. */
static struct rooms *rooms_here(void)
{
    pthread_once(&rooms_once, make_rooms_key);
    struct rooms *rooms = pthread_getspecific(rooms_key);
    if (rooms)
        return rooms;
    rooms = malloc(sizeof *rooms);
    if (rooms && pthread_setspecific(rooms_key, rooms) == 0)
        return rooms;
    free(rooms);
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "relay", "", NULL);
    return NULL;
}

/* --- from the client to the other end --- */

/* Whether it is no more than a datagram lost, as any may be; else the socket is of no use any more. */
static bool passes(const struct relay_session *session)
{
    weir_address peer;
    if (errno == ECANCELED || errno == ECONNABORTED || weir_peer_address(session->conn, &peer) < 0)
        return false;
    return peer.any.sa_family != AF_UNIX; /* whose socket's file may lead elsewhere now */
}

/* Two threads may send at once, and one of them is asked to come again. */
static ssize_t send_now(weir_conn *conn, const void *data, size_t length)
{
    ssize_t sent;
    do
        sent = weir_send_flags(conn, data, length, MSG_DONTWAIT);
    while (sent < 0 && errno == EBUSY && weir_yield() == 0);
    return sent;
}

/* Whether a datagram is done with; false: there is no room for it now. */
static bool send_on(struct relay *relay, struct relay_session *session, const void *data, size_t length)
{
    if (send_now(session->conn, data, length) >= 0)
        return true;
    if (errno == EAGAIN)
        return false;
    atomic_fetch_add(&relay->counters->undelivered, 1);
    relay_complain(relay, relay->to.text);
    if (!passes(session))
        weir_abort(session->conn); /* its handler ends it */
    return true;
}

static void pass_on(struct relay *relay, struct relay_session *session, const weir_datagram *datagram)
{
    atomic_store(&session->active, weir_now());
    if (!relay_session_is_direct(relay, session) && relay_session_leave_waiting(relay, session, datagram, false))
        return;
    if (send_on(relay, session, datagram->data, datagram->length))
        return;
    relay_session_leave_waiting(relay, session, datagram, true);
    weir_set_deadline(session->conn, WEIR_READ, weir_now()); /* wakes its handler, which sends what waits */
}

/* Sends what waits. False if there is no room for all of it. */
static bool send_waiting(struct relay *relay, struct relay_session *session)
{
    struct waiting *next;
    while ((next = relay_session_take_waiting(relay, session)))
        while (next) {
            struct waiting *sent = next;
            if (!send_on(relay, session, next->data, next->length)) {
                relay_session_put_back(relay, session, next);
                return false;
            }
            next = next->next;
            free(sent);
        }
    return true;
}

/* --- the life of a session --- */

/* Half a datagram is none. */
static int fail_cut_short(const char *what)
{
    return weir_fail(WEIR_ERROR_LIMIT, EMSGSIZE, "relay", what,
                     "a datagram of more than 64 KiB was cut short, and is dropped");
}

static void answer(struct relay *relay, const weir_datagram *datagram, const weir_datagram *heard)
{
    int result = heard->truncated ? fail_cut_short(relay->to.text) : weir_reply(datagram, heard->data, heard->length);
    if (result == 0)
        return;
    atomic_fetch_add(&relay->counters->undelivered, 1);
    relay_complain(relay, "a datagram's answer");
}

/* When the session is over, if nothing comes until then. */
static int64_t end_of(const struct relay *relay, const struct relay_session *session, int64_t heard)
{
    int64_t active = atomic_load(&session->active), last = active > heard ? active : heard;
    int64_t timeout = relay->session_timeout;
    if (atomic_load(&relay->stopping) && timeout > LAST_ANSWERS)
        timeout = LAST_ANSWERS;
    return timeout == WEIR_FOREVER ? WEIR_FOREVER : last + timeout;
}

/* Sets when waiting for answers ends. Whoever stops the relay meanwhile is not overlooked. */
static int64_t set_end(const struct relay *relay, const struct relay_session *session, int64_t heard)
{
    bool stops;
    int64_t end;
    do {
        stops = atomic_load(&relay->stopping);
        end = end_of(relay, session, heard);
        weir_set_deadline(session->conn, WEIR_READ, end);
    } while (stops != atomic_load(&relay->stopping));
    return end;
}

/* Whether a wait that failed is no end: it was woken to send, the client has sent since, or a refusal came by ICMP. */
static bool goes_on(struct relay *relay, const struct relay_session *session, int64_t heard)
{
    if (errno == ETIMEDOUT && weir_error()->kind == WEIR_ERROR_DEADLINE)
        return weir_now() < end_of(relay, session, heard);
    if (errno == ENOMEM || !passes(session)) /* without memory nothing was waited for: it would go round and round */
        return false;
    relay_complain(relay, relay->to.text);
    return true;
}

/* Until there is something to receive, or room for what waits. Whether it is the former; -1 with an error. */
static int wait_for_either(weir_conn *conn, int64_t deadline)
{
    weir_case cases[] = {{.kind = WEIR_CASE_READABLE, .conn = conn}, {.kind = WEIR_CASE_WRITABLE, .conn = conn}};
    int which;
    do
        which = weir_select(cases, 2, deadline);
    while (which < 0 && errno == EBUSY && weir_yield() == 0);
    return which < 0 ? -1 : which == 0;
}

/* The answers that have come, or come next. 0, or -1 with the error of the wait. */
static int answer_some(struct relay *relay, struct relay_session *session, const weir_datagram *datagram,
                       int64_t *heard)
{
    int64_t end = set_end(relay, session, *heard);
    if (!send_waiting(relay, session)) {
        int readable = wait_for_either(session->conn, end);
        if (readable <= 0)
            return readable;
    }
    struct rooms *rooms = rooms_here();
    if (!rooms)
        return -1;
    weir_datagram answers[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        answers[i] = (weir_datagram){.data = rooms->room[i], .capacity = sizeof rooms->room[i]};
    int count = weir_recv_batch(session->conn, answers, AT_ONCE);
    if (count < 0)
        return -1;
    *heard = weir_now();
    for (int i = 0; i < count; i++)
        answer(relay, datagram, &answers[i]);
    return 0;
}

static void tell(const struct relay *relay, const struct relay_session *session, const char *what)
{
    char text[WEIR_ADDRESS_TEXT];
    if (relay->verbose)
        weir_log(WEIR_LOG_INFO, "%s: %s", weir_address_text(&session->peer, text, sizeof text), what);
}

/* All of a session, in the handler of its first datagram. */
static void live(struct relay *relay, struct relay_session *session, const weir_datagram *datagram)
{
    char text[WEIR_ADDRESS_TEXT];
    atomic_fetch_add(&relay->counters->sessions, 1);
    shared_count_add(relay->open, 1);
    weir_conn *conn = relay_connect(relay, weir_address_text(&datagram->peer, text, sizeof text));
    relay_session_connected(relay, session, conn);
    if (conn) {
        tell(relay, session, "a session begins");
        int64_t heard = weir_now();
        while (answer_some(relay, session, datagram, &heard) == 0 || goes_on(relay, session, heard))
            continue;
        tell(relay, session, "its session has ended");
    }
    shared_count_add(relay->open, -1);
}

static void refuse(struct relay *relay, const weir_address *peer)
{
    char text[WEIR_ADDRESS_TEXT];
    atomic_fetch_add(&relay->counters->refused, 1);
    weir_fail(WEIR_ERROR_LIMIT, EAGAIN, "session", weir_address_text(peer, text, sizeof text),
              "there are as many sessions, in all or of its address, as may be");
    relay_complain(relay, relay->to.text);
}

void relay_datagram(const weir_datagram *datagram, void *arg)
{
    struct relay *relay = arg;
    bool is_new;
    if (datagram->truncated) {
        fail_cut_short(relay->to.text);
        relay_complain(relay, "a client");
        return;
    }
    struct relay_session *session = relay_session_take(relay, &datagram->peer, &is_new);
    if (!session) {
        refuse(relay, &datagram->peer);
        return;
    }
    if (is_new) {
        relay_session_leave_waiting(relay, session, datagram, false);
        live(relay, session, datagram);
    } else {
        pass_on(relay, session, datagram);
    }
    relay_session_give(relay, session, is_new);
}
