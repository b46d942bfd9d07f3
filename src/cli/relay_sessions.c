/*
 * Relaying datagrams: a session for each client, told apart by address.
 *
 * A session lives in the handler of the client's first datagram, which parks: so it can answer from the address that the
 * client has sent to. It connects a socket of its own to the other end, and answers with what comes from there. The handlers
 * of further datagrams, perhaps in other threads, send them on by that socket themselves; while it is not yet connected they
 * leave copies. A session is freed by the last who knows it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "relaying.h"

enum {
    BUCKETS = 4096,
    MOST_WAITING = 256 * 1024, /* bytes of datagrams that wait for a session to be connected */
};

/* A datagram that waits. */
struct waiting {
    struct waiting *next;
    size_t length;
    char data[];
};

/* All but `conn` and `active` under the lock of the table; `conn` is set once, before `connected`. */
struct session {
    struct session *next; /* of its bucket */
    size_t users;
    bool listed; /* in the table */
    bool connected;
    weir_address peer;
    struct waiting *first, **last; /* while it is not connected, in the order they came */
    size_t waiting_bytes;
    weir_conn *conn;        /* to the other end */
    _Atomic int64_t active; /* when the client sent last */
};

struct sessions {
    pthread_mutex_t lock;
    uint64_t seed;
    int64_t count;
    struct session *buckets[BUCKETS];
};

struct sessions *relay_sessions_new(void)
{
    struct sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "relay", "", NULL);
        return NULL;
    }
    pthread_mutex_init(&sessions->lock, NULL);
    weir_random(&sessions->seed, sizeof sessions->seed);
    return sessions;
}

void relay_sessions_free(struct sessions *sessions)
{
    if (!sessions)
        return;
    pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

/* --- the table, under its lock --- */

/* FNV-1a, from a seed that nobody knows: which addresses meet in a bucket is not the clients' to choose. */
static struct session **bucket_of(struct sessions *sessions, const weir_address *peer)
{
    const unsigned char *bytes = (const unsigned char *)&peer->any;
    uint64_t hash = sessions->seed;
    for (socklen_t i = 0; i < peer->length; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return &sessions->buckets[(hash ^ hash >> 32) % BUCKETS];
}

static struct session *find(struct session *session, const weir_address *peer)
{
    while (session && !weir_address_equal(&session->peer, peer))
        session = session->next;
    return session;
}

static struct session *add(struct sessions *sessions, struct session **bucket, const weir_address *peer)
{
    struct session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->peer = *peer;
    session->last = &session->first;
    session->listed = true;
    session->users = 1;
    session->next = *bucket;
    *bucket = session;
    sessions->count++;
    return session;
}

static void remove_from_table(struct sessions *sessions, struct session *session)
{
    struct session **link = bucket_of(sessions, &session->peer);
    if (!session->listed)
        return;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    session->listed = false;
    sessions->count--;
}

static void free_waiting(struct waiting *first)
{
    while (first) {
        struct waiting *next = first->next;
        free(first);
        first = next;
    }
}

/* --- knowing a session --- */

/* The session of a client, which the caller then knows; a new one where there is none. NULL: no more may be. */
static struct session *take(struct relay *relay, const weir_address *peer, bool *is_new)
{
    struct sessions *sessions = relay->sessions;
    pthread_mutex_lock(&sessions->lock);
    struct session **bucket = bucket_of(sessions, peer), *session = find(*bucket, peer);
    *is_new = !session;
    if (session)
        session->users++;
    else if (sessions->count < relay->most_sessions)
        session = add(sessions, bucket, peer);
    pthread_mutex_unlock(&sessions->lock);
    return session;
}

/* The caller does not know it any more. Later datagrams of the client begin another where `end`. */
static void give(struct relay *relay, struct session *session, bool end)
{
    pthread_mutex_lock(&relay->sessions->lock);
    if (end)
        remove_from_table(relay->sessions, session);
    bool is_last = --session->users == 0;
    pthread_mutex_unlock(&relay->sessions->lock);
    if (!is_last)
        return;
    free_waiting(session->first);
    weir_close(session->conn);
    free(session);
}

/* --- from the client to the other end --- */

/* Whether it is no more than a datagram lost, as any may be; else the socket is of no use any more. */
static bool passes(const struct session *session)
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

static void send_on(struct relay *relay, struct session *session, const void *data, size_t length)
{
    if (send_now(session->conn, data, length) >= 0)
        return;
    if (errno == EAGAIN) {
        atomic_fetch_add(&relay->counters->overrun, 1);
        return;
    }
    atomic_fetch_add(&relay->counters->unanswered, 1);
    relay_complain(relay, relay->to.text);
    if (!passes(session))
        weir_abort(session->conn); /* its handler ends it */
}

/* Leaves a copy for when it is connected. Whether it is not yet, so that the datagram is done with. */
static bool leave_waiting(struct relay *relay, struct session *session, const weir_datagram *datagram)
{
    struct waiting *waiting = malloc(sizeof *waiting + datagram->length);
    pthread_mutex_lock(&relay->sessions->lock);
    bool waits = !session->connected;
    bool fits = waiting && session->waiting_bytes + datagram->length < MOST_WAITING;
    if (waits && fits) {
        waiting->next = NULL;
        waiting->length = datagram->length;
        memcpy(waiting->data, datagram->data, datagram->length);
        *session->last = waiting;
        session->last = &waiting->next;
        session->waiting_bytes += sizeof *waiting + datagram->length;
    }
    pthread_mutex_unlock(&relay->sessions->lock);
    if (!waits || !fits)
        free(waiting);
    if (waits && !fits)
        atomic_fetch_add(&relay->counters->overrun, 1);
    return waits;
}

static bool is_connected(struct relay *relay, struct session *session)
{
    pthread_mutex_lock(&relay->sessions->lock);
    bool connected = session->connected;
    pthread_mutex_unlock(&relay->sessions->lock);
    return connected;
}

static void pass_on(struct relay *relay, struct session *session, const weir_datagram *datagram)
{
    atomic_store(&session->active, weir_now());
    if (is_connected(relay, session) || !leave_waiting(relay, session, datagram))
        send_on(relay, session, datagram->data, datagram->length);
}

/* --- the life of a session --- */

/* What waits now; once nothing does, it is connected, and further datagrams are sent by their own handlers. */
static struct waiting *next_waiting(struct relay *relay, struct session *session)
{
    pthread_mutex_lock(&relay->sessions->lock);
    struct waiting *first = session->first;
    session->first = NULL;
    session->last = &session->first;
    session->waiting_bytes = 0;
    session->connected = !first;
    pthread_mutex_unlock(&relay->sessions->lock);
    return first;
}

static void send_waiting(struct relay *relay, struct session *session)
{
    struct waiting *first;
    while ((first = next_waiting(relay, session))) {
        for (const struct waiting *one = first; one; one = one->next)
            send_on(relay, session, one->data, one->length);
        free_waiting(first);
    }
}

static void answer(struct relay *relay, const weir_datagram *datagram, const char *data, size_t length)
{
    if (weir_reply(datagram, data, length) == 0)
        return;
    atomic_fetch_add(&relay->counters->unanswered, 1);
    relay_complain(relay, "a datagram's answer");
}

/* Whether a receive that failed is to be tried again: by then the client may have sent something, or a refusal came by ICMP. */
static bool goes_on(struct relay *relay, const struct session *session, int64_t heard)
{
    if (errno == ETIMEDOUT && weir_error()->kind == WEIR_ERROR_DEADLINE)
        return atomic_load(&session->active) > heard;
    if (!passes(session))
        return false;
    relay_complain(relay, relay->to.text);
    return true;
}

/* Answers with what comes, until nothing has come either way for the time of a session. */
static void answer_all(struct relay *relay, struct session *session, const weir_datagram *datagram)
{
    for (int64_t heard = weir_now();;) {
        int64_t active = atomic_load(&session->active);
        heard = active > heard ? active : heard;
        if (relay->session_timeout != WEIR_FOREVER)
            weir_set_deadline(session->conn, WEIR_READ, heard + relay->session_timeout);
        char *data;
        ssize_t length = weir_receive(session->conn, &data);
        if (length < 0 && !goes_on(relay, session, heard))
            return;
        if (length < 0)
            continue;
        heard = weir_now();
        answer(relay, datagram, data, (size_t)length);
        weir_release(session->conn);
    }
}

static void tell(const struct relay *relay, const struct session *session, const char *what)
{
    char text[WEIR_ADDRESS_TEXT];
    if (relay->verbose)
        weir_log(WEIR_LOG_INFO, "%s: %s", weir_address_text(&session->peer, text, sizeof text), what);
}

/* All of a session, in the handler of its first datagram. */
static void live(struct relay *relay, struct session *session, const weir_datagram *datagram)
{
    char text[WEIR_ADDRESS_TEXT];
    atomic_fetch_add(&relay->counters->sessions, 1);
    atomic_fetch_add(&relay->counters->open, 1);
    session->conn = relay_connect(relay, weir_address_text(&datagram->peer, text, sizeof text));
    if (session->conn) {
        tell(relay, session, "a session begins");
        send_on(relay, session, datagram->data, datagram->length);
        send_waiting(relay, session);
        answer_all(relay, session, datagram);
        tell(relay, session, "its session has ended");
    }
    atomic_fetch_sub(&relay->counters->open, 1);
}

static void refuse(struct relay *relay, const weir_address *peer)
{
    char text[WEIR_ADDRESS_TEXT];
    atomic_fetch_add(&relay->counters->sessions_refused, 1);
    weir_fail(WEIR_ERROR_LIMIT, EAGAIN, "session", weir_address_text(peer, text, sizeof text),
              "there are as many sessions as there may be");
    relay_complain(relay, relay->to.text);
}

void relay_datagram(const weir_datagram *datagram, void *arg)
{
    struct relay *relay = arg;
    bool is_new;
    struct session *session = take(relay, &datagram->peer, &is_new);
    if (!session) {
        refuse(relay, &datagram->peer);
        return;
    }
    if (is_new) {
        atomic_store(&session->active, weir_now());
        live(relay, session, datagram);
    } else {
        pass_on(relay, session, datagram);
    }
    give(relay, session, is_new);
}
