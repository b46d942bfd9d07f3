/*
 * The level as it is known; see source.h.
 *
 * A fetch is a round. Who finds that one is needed begins it and has the pool run it; others who ask meanwhile wait
 * for its channel to be closed. The result goes to the source before that, so that it counts even where nobody waits
 * any longer: the first asker goes when its patience or its client ends, and the round goes on without it.
 */
#include "source.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

enum { REASON = 300 };

struct round {
    struct threat_source *source;
    weir_channel *ended; /* closed when it is over */
    bool over;           /* it ended, */
    bool told;           /* with a result, a good one or a failure */
    int users;           /* who runs it, and who waits for it; the last one frees it */
};

struct threat_source {
    struct threat_source_options options;
    pthread_mutex_t lock; /* for all below, and for rounds; never held while parked */
    pthread_cond_t idle;  /* there are no rounds any more */
    int rounds;           /* that are not freed yet */
    struct round *round;  /* the one that is under way */
    bool known;
    struct threat_alerts alerts; /* of the last good fetch, if known */
    int64_t fetched;             /* when that was */
    bool failed;                 /* the last fetch */
    int64_t failed_at;
    char reason[REASON];
};

struct threat_source *threat_source_new(const struct threat_source_options *options)
{
    struct threat_source *source = calloc(1, sizeof *source);
    if (!source) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "threat", NULL);
        return NULL;
    }
    source->options = *options;
    pthread_mutex_init(&source->lock, NULL);
    pthread_cond_init(&source->idle, NULL);
    return source;
}

void threat_source_free(struct threat_source *source)
{
    if (!source)
        return;
    pthread_mutex_lock(&source->lock);
    while (source->rounds > 0)
        pthread_cond_wait(&source->idle, &source->lock);
    pthread_mutex_unlock(&source->lock);
    threat_alerts_free(&source->alerts);
    pthread_cond_destroy(&source->idle);
    pthread_mutex_destroy(&source->lock);
    free(source);
}

/* --- what comes of a round --- */

static void note_failure(struct threat_source *source)
{
    const weir_error_info *error = weir_error();
    if (!source->failed)
        weir_log(WEIR_LOG_WARNING, "threat: %s", error->sentence);
    source->failed = true;
    source->failed_at = weir_now();
    weir_escape(error->reason, strlen(error->reason), source->reason, sizeof source->reason);
}

static void note_alerts(struct threat_source *source, const struct threat_alerts *alerts)
{
    if (source->failed)
        weir_log(WEIR_LOG_INFO, "threat: the feed is there again");
    threat_alerts_free(&source->alerts);
    source->alerts = *alerts;
    source->fetched = weir_now();
    source->known = true;
    source->failed = false;
}

/* --- rounds --- */

static struct round *round_new(struct threat_source *source)
{
    struct round *round = calloc(1, sizeof *round);
    if (round && !(round->ended = weir_channel_new(1, 1))) {
        free(round);
        round = NULL;
    }
    if (!round) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "fetch", "threat", NULL);
        return NULL;
    }
    round->source = source;
    source->rounds++;
    return round;
}

/* The one that is under way, or else a new one, which the caller has to run. NULL with ENOMEM. With the lock held. */
static struct round *join_round(struct threat_source *source, bool *mine)
{
    *mine = !source->round;
    if (!source->round)
        source->round = round_new(source);
    if (source->round)
        source->round->users++;
    return source->round;
}

/* It is over; who waits is told, and who asks next may begin another. With the lock held. */
static void end_round(struct round *round, bool told)
{
    round->over = true;
    round->told = told;
    round->source->round = NULL;
    weir_channel_close(round->ended);
}

/* Whether there was a result. */
static bool leave_round(struct round *round)
{
    struct threat_source *source = round->source;
    pthread_mutex_lock(&source->lock);
    bool told = round->told;
    if (--round->users == 0) {
        weir_channel_free(round->ended);
        free(round);
        source->rounds--;
        pthread_cond_broadcast(&source->idle);
    }
    pthread_mutex_unlock(&source->lock);
    return told;
}

/* On the pool. */
static int fetch_round(void *arg)
{
    struct round *round = arg;
    struct threat_source *source = round->source;
    struct threat_alerts alerts = {0};
    int result = source->options.fetch(source->options.arg, &alerts);
    pthread_mutex_lock(&source->lock);
    if (result == 0)
        note_alerts(source, &alerts);
    else
        note_failure(source);
    end_round(round, true);
    pthread_mutex_unlock(&source->lock);
    if (result < 0)
        threat_alerts_free(&alerts);
    return 0;
}

/* Who began it has gone; it may never have been run. On the pool, or by who goes. */
static void abandon_round(void *arg)
{
    struct round *round = arg;
    struct threat_source *source = round->source;
    pthread_mutex_lock(&source->lock);
    if (!round->over)
        end_round(round, false);
    pthread_mutex_unlock(&source->lock);
    leave_round(round);
}

/* 1: it is over, with a result; 0: without one. -1 with ETIMEDOUT, ECANCELED: it goes on alone. */
static int run_round(struct round *round, int64_t deadline)
{
    struct threat_source *source = round->source;
    if (weir_offload(fetch_round, round, abandon_round, NULL, deadline) < 0) {
        if (errno == ETIMEDOUT || errno == ECANCELED)
            return -1;
        pthread_mutex_lock(&source->lock);
        note_failure(source);
        end_round(round, true);
        pthread_mutex_unlock(&source->lock);
    }
    return leave_round(round) ? 1 : 0;
}

/* The same of somebody else's. */
static int await_round(struct round *round, int64_t deadline)
{
    char nothing;
    weir_channel_receive(round->ended, &nothing, deadline);
    int number = errno;
    bool told = leave_round(round);
    errno = number;
    return number != EPIPE ? -1 : told ? 1 : 0;
}

/* --- answers --- */

static bool within(int64_t time, int64_t since)
{
    return time == WEIR_FOREVER || weir_now() - since < time;
}

static bool is_fresh(const struct threat_source *source)
{
    return source->known && within(source->options.keep, source->fetched);
}

/* Whether nothing is to be fetched now. */
static bool is_settled(const struct threat_source *source)
{
    return is_fresh(source) || (source->failed && within(source->options.retry, source->failed_at));
}

static char *age_text(int64_t age, char *text, size_t size)
{
    static const struct {
        const char *unit;
        int64_t seconds, most;
    } units[] = {{"s", 1, 120}, {"min", 60, 120}, {"h", 3600, 48}, {"days", 86400, INT64_MAX}};
    int64_t seconds = age / WEIR_S(1);
    size_t unit = 0;
    while (seconds / units[unit].seconds >= units[unit].most)
        unit++;
    snprintf(text, size, "%" PRId64 " %s", seconds / units[unit].seconds, units[unit].unit);
    return text;
}

/*
 * What is known; why it is not as good as new, where it is not: `why_old`, or else what the last fetch failed for.
 * With the lock held.
 */
static int tell_known(const struct threat_source *source, const char *why_old, char text[THREAT_ANSWER])
{
    char age[40];
    const char *failure = source->failed ? source->reason : NULL;
    const char *reason = why_old && !is_fresh(source) ? why_old : failure;
    if (!source->known) {
        snprintf(text, THREAT_ANSWER, "unknown: %s", reason ? reason : "");
        return THREAT_UNKNOWN;
    }
    enum threat_level level = threat_alerts_level(&source->alerts, weir_wall_clock() / WEIR_S(1));
    const char *name = threat_level_name(level);
    if (reason)
        snprintf(text, THREAT_ANSWER, "%s, %s old: %s", name, age_text(weir_now() - source->fetched, age, sizeof age),
                 reason);
    else if (level == THREAT_UNKNOWN)
        snprintf(text, THREAT_ANSWER, "unknown: an alert in force is of no type that is known");
    else
        snprintf(text, THREAT_ANSWER, "%s", name);
    return (int)level;
}

static int tell(struct threat_source *source, const char *why_old, char text[THREAT_ANSWER])
{
    pthread_mutex_lock(&source->lock);
    int level = tell_known(source, why_old, text);
    pthread_mutex_unlock(&source->lock);
    return level;
}

/* Tells what is known, or else joins the round that is to be waited for, and returns it. */
static struct round *tell_or_join(struct threat_source *source, char text[THREAT_ANSWER], int *level, bool *mine)
{
    struct round *round = NULL;
    pthread_mutex_lock(&source->lock);
    if (!is_settled(source) && !(round = join_round(source, mine)))
        note_failure(source);
    if (!round)
        *level = tell_known(source, NULL, text);
    pthread_mutex_unlock(&source->lock);
    return round;
}

int threat_source_ask(struct threat_source *source, char text[THREAT_ANSWER])
{
    int64_t deadline = weir_deadline(source->options.patience);
    int told = 0;
    while (told == 0) {
        bool mine = false;
        int level = THREAT_UNKNOWN;
        struct round *round = tell_or_join(source, text, &level, &mine);
        if (!round)
            return level;
        told = mine ? run_round(round, deadline) : await_round(round, deadline);
    }
    if (told > 0)
        return tell(source, NULL, text);
    return errno == ETIMEDOUT ? tell(source, "the feed has not answered yet", text) : -1;
}
