/* Pulling: from the first connection to the last. A radio that ends is asked again, later each time. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "pull.h"

#define PAUSE_LEAST WEIR_S(1)
#define PAUSE_MOST  WEIR_S(30)
/* A connection that lasted so long was a good one: what comes after it begins anew. */
#define GOOD WEIR_S(10)

static int64_t sooner(int64_t one, int64_t other)
{
    return one < other ? one : other;
}

/* --- the first connection --- */

/* What there is comes first: an answer that is an error leaves an older file as it is. 0 or -1. */
static int open_both(struct pull *pull)
{
    if (pull->settings.resume && pull_rest_find(pull) < 0)
        return -1;
    if (pull_source_open(pull, weir_deadline(pull->dialling.timeout)) < 0)
        return -1;
    if (pull->rest.complete)
        return 0;
    pull->done = (uint64_t)pull->rest.have;
    if (pull_sink_open(pull) < 0)
        return -1;
    pull->until = weir_deadline(pull->settings.duration);
    return pull_progress_begin(pull);
}

/* --- the next --- */

/* Somewhere between half of the pause and all of it, so that not all listeners of a radio come back at once. */
static int64_t pause_of(int attempt)
{
    int64_t pause = attempt < 5 ? PAUSE_LEAST << attempt : PAUSE_MOST;
    return pause / 2 + (int64_t)weir_random_below((uint64_t)pause / 2);
}

/* Waits and connects again. What ended it is in `end`, with its error. */
static enum pull_end reconnect(struct pull *pull, enum pull_end end, int attempt)
{
    int64_t pause = pause_of(attempt);
    pull_say(pull, "pull: %s%s; again in %.1f s", end == PULL_ENDED ? pull->name : "",
             end == PULL_ENDED ? " ended" : weir_error()->sentence, (double)pause / 1e9);
    if (weir_sleep_until(sooner(weir_deadline(pause), pull->until)) < 0)
        return PULL_GONE;
    if (weir_now() >= pull->until)
        return PULL_TIME_OVER;
    if (pull_source_open(pull, sooner(weir_deadline(pull->dialling.timeout), pull->until)) == 0)
        return PULL_ENDED;
    return weir_now() >= pull->until ? PULL_TIME_OVER : pull->sink.player_ended ? PULL_GONE : PULL_CUT;
}

static bool may_go_on(const struct pull *pull, enum pull_end end, int attempt)
{
    return (end == PULL_ENDED || end == PULL_CUT) && pull->source.live && !pull->source.final &&
           attempt < pull->settings.reconnects;
}

/* Receives from one connection after the other. */
static enum pull_end receive_all(struct pull *pull)
{
    enum pull_end end = PULL_ENDED;
    for (int attempt = 0;; attempt++) {
        int64_t began = weir_now();
        if (pull->source.conn) {
            end = pull_receive(pull);
            pull_source_close(pull);
        }
        if (weir_now() - began >= GOOD)
            attempt = 0;
        if (!may_go_on(pull, end, attempt))
            return end;
        end = reconnect(pull, end, attempt);
    }
}

/* --- the end --- */

static int finish(struct pull *pull, enum pull_end end)
{
    bool well = end != PULL_CUT && end != PULL_REFUSED;
    pull_progress_end(pull);
    int status = well ? STATUS_DONE : failed();
    if (end == PULL_ENDED && pull->sink.ours)
        pull_rest_forget(pull);
    if (pull_sink_close(pull) < 0 && well)
        status = failed();
    return status;
}

static int fail_early(struct pull *pull)
{
    pull_progress_end(pull);
    int status = failed();
    pull_source_close(pull);
    pull_sink_close(pull);
    return status;
}

int pull_run(void *arg)
{
    struct pull *pull = arg;
    pull->self = weir_self();
    if (open_both(pull) < 0)
        return fail_early(pull);
    if (!pull->rest.complete)
        return finish(pull, receive_all(pull));
    pull_say(pull, "pull: %s has all of it already", pull->settings.output);
    pull_source_close(pull);
    return STATUS_DONE;
}
