/* The table of sessions, by the addresses of their clients, and the datagrams that wait in them. */
#include "relay_table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKETS = 4096,
    MOST_WAITING = 256 * 1024, /* bytes of datagrams that wait in a session */
};

/* A machine with clients: how many sessions are its. Not of loopback, where everybody has the same address. */
struct source {
    struct source *next;
    uint64_t key;
    int64_t count;
};

struct relay_sessions {
    pthread_mutex_t lock;
    uint64_t seed;
    int64_t count;
    struct relay_session *buckets[BUCKETS];
    struct source *sources[BUCKETS];
};

struct relay_sessions *relay_sessions_new(void)
{
    struct relay_sessions *sessions = calloc(1, sizeof *sessions);
    if (!sessions) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "relay", "", NULL);
        return NULL;
    }
    pthread_mutex_init(&sessions->lock, NULL);
    weir_random(&sessions->seed, sizeof sessions->seed);
    return sessions;
}

void relay_sessions_free(struct relay_sessions *sessions)
{
    if (!sessions)
        return;
    pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

/* --- the table, under its lock --- */

/* FNV-1a, from a seed that nobody knows: which addresses meet in a bucket is not the clients' to choose. */
static size_t place_of(const struct relay_sessions *sessions, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = sessions->seed;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return (hash ^ hash >> 32) % BUCKETS;
}

static struct relay_session **bucket_of(struct relay_sessions *sessions, const weir_address *peer)
{
    return &sessions->buckets[place_of(sessions, &peer->any, peer->length)];
}

static struct relay_session *find(struct relay_session *session, const weir_address *peer)
{
    while (session && !weir_address_equal(&session->peer, peer))
        session = session->next;
    return session;
}

/* What a machine is known by: its IPv4 address, or the /64 of IPv6, which is one machine's to choose from. 0: it is exempt. */
static uint64_t key_of(const weir_address *peer)
{
    uint64_t key = 0;
    if (peer->length == 0 || weir_address_is_loopback(peer))
        return 0;
    if (peer->any.sa_family == AF_INET)
        return (uint64_t)1 << 32 | peer->ipv4.sin_addr.s_addr;
    const uint8_t *bytes = peer->ipv6.sin6_addr.s6_addr;
    bool mapped = IN6_IS_ADDR_V4MAPPED(&peer->ipv6.sin6_addr);
    memcpy(&key, mapped ? bytes + 8 : bytes, sizeof key);
    return key;
}

static struct source **find_source(struct relay_sessions *sessions, uint64_t key)
{
    struct source **link = &sessions->sources[place_of(sessions, &key, sizeof key)];
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    return link;
}

/* One more of a machine's. False: it has as many as it may, or there is no memory. */
static bool count_source(struct relay_sessions *sessions, const weir_address *peer, int64_t most)
{
    uint64_t key = key_of(peer);
    if (key == 0 || most < 0)
        return true;
    struct source **link = find_source(sessions, key);
    if (!*link && !(*link = calloc(1, sizeof **link)))
        return false;
    (*link)->key = key;
    return (*link)->count < most ? ++(*link)->count : false;
}

static void uncount_source(struct relay_sessions *sessions, const weir_address *peer)
{
    struct source **link = find_source(sessions, key_of(peer)), *source = *link;
    if (!source || --source->count > 0)
        return;
    *link = source->next;
    free(source);
}

static struct relay_session *add(struct relay_sessions *sessions, struct relay_session **bucket,
                                 const weir_address *peer)
{
    struct relay_session *session = calloc(1, sizeof *session);
    if (!session)
        return NULL;
    session->peer = *peer;
    session->last = &session->first;
    session->listed = true;
    session->users = 1;
    session->active = weir_now();
    session->next = *bucket;
    *bucket = session;
    sessions->count++;
    return session;
}

static void remove_from_table(struct relay_sessions *sessions, struct relay_session *session)
{
    struct relay_session **link = bucket_of(sessions, &session->peer);
    if (!session->listed)
        return;
    while (*link != session)
        link = &(*link)->next;
    *link = session->next;
    session->listed = false;
    sessions->count--;
    uncount_source(sessions, &session->peer);
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

struct relay_session *relay_session_take(struct relay *relay, const weir_address *peer, bool *is_new)
{
    struct relay_sessions *sessions = relay->sessions;
    pthread_mutex_lock(&sessions->lock);
    struct relay_session **bucket = bucket_of(sessions, peer), *session = find(*bucket, peer);
    *is_new = !session;
    if (session)
        session->users++;
    else if (sessions->count < relay->most_sessions && count_source(sessions, peer, relay->most_per_address) &&
             !(session = add(sessions, bucket, peer)))
        uncount_source(sessions, peer);
    pthread_mutex_unlock(&sessions->lock);
    return session;
}

void relay_session_give(struct relay *relay, struct relay_session *session, bool end)
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

void relay_session_connected(struct relay *relay, struct relay_session *session, weir_conn *conn)
{
    pthread_mutex_lock(&relay->sessions->lock);
    session->conn = conn;
    pthread_mutex_unlock(&relay->sessions->lock);
}

/* Wakes all handlers, which look how long they are still to wait. */
void relay_sessions_stop(struct relay *relay)
{
    atomic_store(&relay->stopping, true);
    pthread_mutex_lock(&relay->sessions->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct relay_session *session = relay->sessions->buckets[i]; session; session = session->next)
            if (session->conn)
                weir_set_deadline(session->conn, WEIR_READ, WEIR_NOW);
    pthread_mutex_unlock(&relay->sessions->lock);
}

/* --- what waits --- */

static struct waiting *copy_of(const weir_datagram *datagram)
{
    struct waiting *copy = malloc(sizeof *copy + datagram->length);
    if (!copy)
        return NULL;
    copy->next = NULL;
    copy->length = datagram->length;
    memcpy(copy->data, datagram->data, datagram->length);
    return copy;
}

/* Under the lock. Whether there was room. */
static bool append(struct relay_session *session, struct waiting *copy)
{
    if (!copy || session->waiting_bytes + copy->length > MOST_WAITING)
        return false;
    *session->last = copy;
    session->last = &copy->next;
    session->waiting_bytes += sizeof *copy + copy->length;
    return true;
}

bool relay_session_leave_waiting(struct relay *relay, struct relay_session *session, const weir_datagram *datagram,
                                 bool no_room)
{
    struct waiting *copy = copy_of(datagram);
    pthread_mutex_lock(&relay->sessions->lock);
    if (no_room)
        session->direct = false;
    bool waits = !session->direct, appended = waits && append(session, copy);
    pthread_mutex_unlock(&relay->sessions->lock);
    if (!appended)
        free(copy);
    if (waits && !appended)
        atomic_fetch_add(&relay->counters->overrun, 1);
    return waits;
}

bool relay_session_is_direct(struct relay *relay, const struct relay_session *session)
{
    pthread_mutex_lock(&relay->sessions->lock);
    bool direct = session->direct;
    pthread_mutex_unlock(&relay->sessions->lock);
    return direct;
}

struct waiting *relay_session_take_waiting(struct relay *relay, struct relay_session *session)
{
    pthread_mutex_lock(&relay->sessions->lock);
    struct waiting *first = session->first;
    session->first = NULL;
    session->last = &session->first;
    session->waiting_bytes = 0;
    session->direct = !first;
    pthread_mutex_unlock(&relay->sessions->lock);
    return first;
}

void relay_session_put_back(struct relay *relay, struct relay_session *session, struct waiting *first)
{
    size_t bytes = 0;
    struct waiting **last = &first;
    for (; *last; last = &(*last)->next)
        bytes += sizeof **last + (*last)->length;
    pthread_mutex_lock(&relay->sessions->lock);
    *last = session->first;
    if (!session->first)
        session->last = last;
    session->first = first;
    session->waiting_bytes += bytes;
    pthread_mutex_unlock(&relay->sessions->lock);
}
