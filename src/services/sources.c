/* Where datagrams come from; see sources.h. */
#include "sources.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/error.h>
#include <weir/log.h>
#include <weir/random.h>
#include <weir/time.h>

enum {
    SETS = 256,
    WAYS = 4, /* the places that one source may have, so that a few that meet do not push each other out */
    LINES_A_SECOND = 20,
    /* Past so many datagrams since its last line, a source's are looked at by the clock only this often. */
    CLOCK_EVERY = 64,
};

/*
 * Several workers may use a place at once. Nothing is locked: what can go wrong is a line too many or a count that is
 * a little off, and neither is worth a lock a datagram.
 */
struct place {
    _Atomic uint64_t source; /* its hash; 0: free */
    _Atomic uint64_t count;  /* datagrams since its last line */
    _Atomic int64_t told;    /* when that was */
};

struct sources {
    const char *what;
    uint64_t seed; /* so that nobody can choose addresses that meet in one place */
    _Atomic int64_t second;
    _Atomic unsigned lines;  /* in that second */
    _Atomic uint64_t untold; /* sources that were due when no line could be had */
    struct place places[SETS][WAYS];
};

struct sources *sources_new(const char *service, const char *what)
{
    struct sources *sources = calloc(1, sizeof *sources);
    if (!sources) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", service, NULL);
        return NULL;
    }
    sources->what = what;
    weir_random(&sources->seed, sizeof sources->seed);
    return sources;
}

void sources_free(struct sources *sources)
{
    free(sources);
}

/* The finalizer of MurmurHash3: every bit of the input moves every bit of the output. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 33)) * UINT64_C(0xff51afd7ed558ccd);
    value = (value ^ (value >> 33)) * UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ (value >> 33);
}

static uint64_t hash(uint64_t seed, const weir_address *address)
{
    uint64_t value = mix(seed ^ address->length);
    if (address->any.sa_family == AF_INET)
        return mix(value ^ ((uint64_t)address->ipv4.sin_addr.s_addr << 16 | address->ipv4.sin_port)) | 1;
    const char *bytes = (const char *)&address->any;
    for (size_t at = 0; at < address->length; at += 8) {
        uint64_t part = 0;
        size_t left = address->length - at;
        memcpy(&part, bytes + at, left < 8 ? left : 8);
        value = mix(value ^ part);
    }
    return value | 1;
}

/* Whether one more line may be written in this second. */
static bool line_to_spare(struct sources *sources, int64_t now)
{
    int64_t second = now / WEIR_S(1);
    if (atomic_exchange_explicit(&sources->second, second, memory_order_relaxed) != second)
        atomic_store_explicit(&sources->lines, 0, memory_order_relaxed);
    return atomic_fetch_add_explicit(&sources->lines, 1, memory_order_relaxed) < LINES_A_SECOND;
}

static void tell(struct sources *sources, const weir_address *source, uint64_t count, int64_t now)
{
    if (!line_to_spare(sources, now)) {
        atomic_fetch_add_explicit(&sources->untold, 1, memory_order_relaxed);
        return;
    }
    char text[WEIR_ADDRESS_TEXT], times[48] = "", others[64] = "";
    uint64_t untold = atomic_exchange_explicit(&sources->untold, 0, memory_order_relaxed);
    weir_address_text(source, text, sizeof text);
    if (count > 1)
        snprintf(times, sizeof times, " (%" PRIu64 " datagrams)", count);
    if (untold)
        snprintf(others, sizeof others, ", and %" PRIu64 " other sources", untold);
    weir_log(WEIR_LOG_INFO, "%s %s%s%s", sources->what, text, times, others);
}

static void take_place(struct place *place, uint64_t source, int64_t now)
{
    atomic_store_explicit(&place->source, source, memory_order_relaxed);
    atomic_store_explicit(&place->told, now, memory_order_relaxed);
    atomic_store_explicit(&place->count, 0, memory_order_relaxed);
}

/* The source's place; or else the one in its set that was told longest ago, which becomes its place. */
static struct place *find_place(struct place set[WAYS], uint64_t source)
{
    struct place *oldest = set;
    for (struct place *place = set; place < set + WAYS; place++) {
        if (atomic_load_explicit(&place->source, memory_order_relaxed) == source)
            return place;
        if (atomic_load_explicit(&place->told, memory_order_relaxed) <
            atomic_load_explicit(&oldest->told, memory_order_relaxed))
            oldest = place;
    }
    return oldest;
}

void sources_note(struct sources *sources, const weir_address *source)
{
    uint64_t key = hash(sources->seed, source);
    struct place *place = find_place(sources->places[(key >> 1) % SETS], key);
    if (atomic_load_explicit(&place->source, memory_order_relaxed) != key) {
        int64_t now = weir_now();
        take_place(place, key, now);
        tell(sources, source, 1, now);
        return;
    }
    /* A plain load and store: a locked addition would be a good part of what else the answer costs us. */
    uint64_t count = atomic_load_explicit(&place->count, memory_order_relaxed) + 1;
    atomic_store_explicit(&place->count, count, memory_order_relaxed);
    if (count >= CLOCK_EVERY && count % CLOCK_EVERY)
        return;
    int64_t now = weir_now();
    if (now - atomic_load_explicit(&place->told, memory_order_relaxed) < WEIR_MINUTES(1))
        return;
    take_place(place, key, now);
    tell(sources, source, count, now);
}
