/* Who tries to log in; see tries.h. */
#include "tries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>
#include <weir/random.h>

enum {
    SETS = 1024,
    WAYS = 8, /* the places that one source may have */
};

#define FORGOTTEN_AFTER WEIR_MINUTES(10)
#define TOLD_EVERY      WEIR_MINUTES(1)

/* What is known of a source; of one that nobody has: all zeros. */
struct place {
    struct tries_source source;
    int64_t next;       /* when its next try may be judged */
    int64_t last;       /* when it was last heard of */
    int64_t told;       /* when its failures were */
    int64_t forgotten;  /* when its failures are */
    uint32_t under_way; /* while there are any it keeps its place */
    uint32_t failures;
    uint32_t untold;
};

struct tries {
    struct tries_limits limits;
    tries_tell *tell;
    pthread_mutex_t lock;
    uint64_t seed; /* so that nobody can choose addresses that meet in one set */
    struct place places[SETS][WAYS];
};

enum { KIND_IPV4 = 1, KIND_IPV6, KIND_USER };

struct tries_source tries_source_of(const weir_address *address, uid_t user)
{
    struct tries_source source = {KIND_USER, user};
    if (address->any.sa_family == AF_INET)
        return (struct tries_source){KIND_IPV4, address->ipv4.sin_addr.s_addr};
    if (address->any.sa_family != AF_INET6)
        return source;
    const struct in6_addr *bytes = &address->ipv6.sin6_addr;
    uint32_t mapped;
    memcpy(&mapped, bytes->s6_addr + 12, sizeof mapped);
    if (IN6_IS_ADDR_V4MAPPED(bytes))
        return (struct tries_source){KIND_IPV4, mapped};
    source.kind = KIND_IPV6;
    memcpy(&source.number, bytes, sizeof source.number);
    return source;
}

char *tries_source_text(struct tries_source source, char text[TRIES_SOURCE_TEXT])
{
    char network[INET6_ADDRSTRLEN];
    struct in_addr ipv4 = {(in_addr_t)source.number};
    struct in6_addr ipv6 = {0};
    memcpy(&ipv6, &source.number, sizeof source.number);
    if (source.kind == KIND_USER)
        snprintf(text, TRIES_SOURCE_TEXT, "user %" PRIu64, source.number);
    else if (source.kind == KIND_IPV4)
        inet_ntop(AF_INET, &ipv4, text, TRIES_SOURCE_TEXT);
    else
        snprintf(text, TRIES_SOURCE_TEXT, "%s/64", inet_ntop(AF_INET6, &ipv6, network, sizeof network));
    return text;
}

struct tries *tries_new(const struct tries_limits *limits, tries_tell *tell)
{
    struct tries *tries = calloc(1, sizeof *tries);
    if (!tries) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "login", NULL);
        return NULL;
    }
    tries->limits = *limits;
    tries->tell = tell;
    weir_random(&tries->seed, sizeof tries->seed);
    pthread_mutex_init(&tries->lock, NULL);
    return tries;
}

static void tell(const struct tries *tries, const struct place *place)
{
    if (place->untold)
        tries->tell(place->source, place->untold);
}

void tries_free(struct tries *tries)
{
    if (!tries)
        return;
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++)
        tell(tries, &tries->places[i / WAYS][i % WAYS]);
    pthread_mutex_destroy(&tries->lock);
    free(tries);
}

/* The finalizer of SplitMix64: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
    return value ^ (value >> 31);
}

static struct place *set_of(struct tries *tries, struct tries_source source)
{
    return tries->places[mix(mix(tries->seed ^ source.kind) ^ source.number) % SETS];
}

static struct place *find(struct tries *tries, struct tries_source source)
{
    struct place *set = set_of(tries, source);
    for (struct place *place = set; place < set + WAYS; place++)
        if (place->source.kind == source.kind && place->source.number == source.number)
            return place;
    return NULL;
}

/*
 * Puts a new source where nobody is, or in place of who was not heard of for longest, which is left in *old. NULL: all
 * have tries under way.
 */
static struct place *settle(struct tries *tries, struct tries_source source, struct place *old)
{
    struct place *set = set_of(tries, source), *best = NULL;
    for (struct place *place = set; place < set + WAYS; place++)
        if (place->under_way == 0 && (!best || place->last < best->last))
            best = place;
    if (!best)
        return NULL;
    *old = *best;
    *best = (struct place){.source = source, .next = INT64_MIN, .last = INT64_MIN, .told = INT64_MIN};
    return best;
}

static int64_t delay_after(const struct tries_limits *limits, uint32_t failures)
{
    if (failures == 0 || limits->delay == WEIR_FOREVER)
        return 0;
    int64_t delay = limits->delay;
    while (--failures && delay < limits->longest / 2)
        delay *= 2;
    return failures || delay > limits->longest ? limits->longest : delay;
}

/* A sum that stays at the end of all times, which delays without a bound come to. */
static int64_t later(int64_t time, int64_t delay)
{
    return time > INT64_MAX - delay ? INT64_MAX : time + delay;
}

/* What was known until then is left in *old. */
static void forget_if_old(struct place *place, int64_t now, struct place *old)
{
    if (place->failures == 0 || now < place->forgotten)
        return;
    *old = *place;
    place->failures = place->untold = 0;
}

static bool has_too_many(const struct tries_limits *limits, const struct place *place)
{
    return limits->at_once >= 0 && place->under_way >= limits->at_once;
}

/*
 * With the lock. Behind a failure each try is taken for another until it has passed: those that come at once are
 * judged one delay apart. What is forgotten is left in *old.
 */
static int begin(struct tries *tries, struct tries_source source, int64_t now, int64_t *when, struct place *old)
{
    struct place *place = find(tries, source);
    if (!place)
        place = settle(tries, source, old);
    if (!place || has_too_many(&tries->limits, place))
        return -1;
    forget_if_old(place, now, old);
    int64_t delay = delay_after(&tries->limits, place->failures);
    *when = delay == 0 || place->next < now ? now : place->next;
    place->next = later(*when, delay);
    place->last = now;
    place->under_way++;
    return 0;
}

int tries_begin(struct tries *tries, struct tries_source source, int64_t now, int64_t *when)
{
    struct place old = {0};
    pthread_mutex_lock(&tries->lock);
    int result = begin(tries, source, now, when, &old);
    pthread_mutex_unlock(&tries->lock);
    tell(tries, &old);
    if (result < 0)
        return weir_fail(WEIR_ERROR_LIMIT, EAGAIN, "login", "", "too many tries at once from one address");
    return 0;
}

/*
 * With the lock. The time that it has to wait does not count for its quiet, or whoever let it pass would have no more
 * to wait, however long it is.
 */
static uint64_t count_failure(const struct tries_limits *limits, struct place *place, int64_t now)
{
    place->failures += place->failures < UINT32_MAX;
    place->untold++;
    int64_t next = later(now, delay_after(limits, place->failures));
    if (place->next < next)
        place->next = next;
    place->forgotten = later(place->next, FORGOTTEN_AFTER);
    if (place->told != INT64_MIN && now - place->told < TOLD_EVERY)
        return 0;
    uint64_t count = place->untold;
    place->untold = 0;
    place->told = now;
    return count;
}

uint64_t tries_end(struct tries *tries, struct tries_source source, enum tries_outcome outcome, int64_t now)
{
    uint64_t count = 0;
    pthread_mutex_lock(&tries->lock);
    struct place *place = find(tries, source);
    if (place) {
        place->under_way--;
        place->last = now;
        if (outcome == TRIES_FAILED)
            count = count_failure(&tries->limits, place, now);
    }
    pthread_mutex_unlock(&tries->lock);
    return count;
}
