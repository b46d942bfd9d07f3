/*
 * threat's level as it is known: one fetch for all who ask, kept, given with its age while the feed fails, waited for
 * in bounds.
 */
#include "engine.h"

#include <weir/weir.h>

#include "services/threat/source.h"

/* A feed that does what a test says. */
static struct {
    atomic_int fetches, at_once, most_at_once;
    _Atomic(enum threat_level) level; /* of the one alert; THREAT_NONE: there is none */
    atomic_bool fails;
    atomic_bool held; /* a fetch takes as long as this is set */
} feed;

static int fetch(void *arg, struct threat_alerts *alerts)
{
    check(arg == &feed);
    feed.fetches++;
    int count = ++feed.at_once;
    if (count > feed.most_at_once)
        feed.most_at_once = count;
    while (feed.held)
        usleep(1000);
    feed.at_once--;
    if (feed.fails)
        return weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "fetch", "the feed", "HTTP status\n%d", 500);
    if (feed.level == THREAT_NONE)
        return 0;
    return threat_alerts_add(alerts, (struct threat_alert){.level = feed.level, .start = 0, .end = INT64_MAX});
}

static struct threat_source *source_with(void **state, int64_t keep, int64_t patience, int64_t retry)
{
    if (*state)
        backend_of(state); /* skips a test while there is nothing to free yet */
    feed.fetches = feed.at_once = feed.most_at_once = 0;
    feed.level = THREAT_ELEVATED;
    feed.fails = feed.held = false;
    struct threat_source *source = threat_source_new(&(struct threat_source_options){
        .fetch = fetch, .arg = &feed, .keep = keep, .patience = patience, .retry = retry});
    check(source);
    return source;
}

static void check_answer(struct threat_source *source, enum threat_level level, const char *expected)
{
    char text[THREAT_ANSWER];
    check(threat_source_ask(source, text) == (int)level);
    if (strcmp(text, expected) != 0)
        fprintf(stderr, "'%s' is not '%s'\n", text, expected);
    check(strcmp(text, expected) == 0);
}

static int outcome_on(void **state, int (*function)(void *arg), void *arg)
{
    weir_loop_options options = {.size = sizeof options, .backend = backend_of(state)};
    return weir_run(function, arg, &options);
}

/* --- keeping --- */

static int ask_again(void *arg)
{
    struct threat_source *source = arg;
    check(feed.fetches == 0);
    check_answer(source, THREAT_ELEVATED, "elevated");
    feed.level = THREAT_IMMINENT;
    check_answer(source, THREAT_ELEVATED, "elevated");
    return feed.fetches;
}

static void an_answer_is_kept(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), 0);
    assert_int_equal(outcome_on(state, ask_again, source), 1);
    threat_source_free(source);
}

/* As those of the thread model do. */
static void a_thread_asks(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), 0);
    assert_int_equal(ask_again(source), 1);
    threat_source_free(source);
}

/* Nothing is as good as new for no time at all, but whoever waited for a fetch gets what it brought. */
static int ask_anew(void *arg)
{
    static const enum threat_level levels[] = {THREAT_NONE, THREAT_BULLETIN, THREAT_ELEVATED, THREAT_IMMINENT};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        feed.level = levels[i];
        check_answer(arg, levels[i], threat_level_name(levels[i]));
    }
    feed.level = THREAT_UNKNOWN;
    check_answer(arg, THREAT_UNKNOWN, "unknown: an alert in force is of no type that is known");
    return feed.fetches;
}

static void an_old_answer_is_fetched_anew(void **state)
{
    struct threat_source *source = source_with(state, 0, WEIR_MINUTES(1), 0);
    assert_int_equal(outcome_on(state, ask_anew, source), 5);
    threat_source_free(source);
}

/* --- failing --- */

static int ask_while_it_fails(void *arg)
{
    feed.fails = true;
    for (int i = 0; i < 3; i++)
        check_answer(arg, THREAT_UNKNOWN, "unknown: HTTP status\\x0a500");
    return feed.fetches;
}

static void a_feed_that_failed_is_left_alone(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), WEIR_FOREVER);
    assert_int_equal(outcome_on(state, ask_while_it_fails, source), 1);
    threat_source_free(source);
}

static void a_feed_that_failed_is_asked_again(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), 0);
    assert_int_equal(outcome_on(state, ask_while_it_fails, source), 3);
    threat_source_free(source);
}

static int ask_before_and_after(void *arg)
{
    char text[THREAT_ANSWER];
    int age, end = 0;
    check_answer(arg, THREAT_ELEVATED, "elevated");
    feed.fails = true;
    check(threat_source_ask(arg, text) == THREAT_ELEVATED);
    check(sscanf(text, "elevated, %d s old: HTTP status\\x0a500%n", &age, &end) == 1 && !text[end]);
    feed.fails = false;
    feed.level = THREAT_BULLETIN;
    check_answer(arg, THREAT_BULLETIN, "bulletin");
    return feed.fetches;
}

static void the_last_good_answer_has_its_age(void **state)
{
    struct threat_source *source = source_with(state, 0, WEIR_MINUTES(1), 0);
    assert_int_equal(outcome_on(state, ask_before_and_after, source), 3);
    threat_source_free(source);
}

/* --- waiting --- */

static int ask_late(void *arg)
{
    feed.held = true;
    while (feed.fetches == 0) /* the pool may take its time to begin */
        check_answer(arg, THREAT_UNKNOWN, "unknown: the feed has not answered yet");
    check_answer(arg, THREAT_UNKNOWN, "unknown: the feed has not answered yet");
    feed.held = false;
    char text[THREAT_ANSWER];
    while (threat_source_ask(arg, text) == THREAT_UNKNOWN)
        check(strcmp(text, "unknown: the feed has not answered yet") == 0);
    check(strcmp(text, "elevated") == 0);
    return feed.fetches;
}

static void a_slow_fetch_counts_although_nobody_waits(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MS(20), 0);
    assert_int_equal(outcome_on(state, ask_late, source), 1);
    threat_source_free(source);
}

static void a_thread_does_not_wait_for_ever(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MS(20), 0);
    assert_int_equal(ask_late(source), 1);
    threat_source_free(source);
}

static int ask_and_be_cancelled(void *arg)
{
    char text[THREAT_ANSWER];
    int asked = threat_source_ask(arg, text);
    check(asked == -1 && errno == ECANCELED);
    return 1;
}

/* Who began the fetch, and who waits with it. */
static int cancel_askers(void *arg)
{
    feed.held = true;
    weir_fiber *askers[2];
    for (int i = 0; i < 2; i++)
        check((askers[i] = weir_spawn(ask_and_be_cancelled, arg, NULL)));
    while (feed.fetches == 0)
        check(weir_sleep(WEIR_MS(1)) == 0);
    for (int i = 0; i < 2; i++) {
        int result;
        weir_cancel_fiber(askers[i]);
        check(weir_join(askers[i], &result, WEIR_FOREVER) == 0 && result == 1);
    }
    check(feed.at_once == 1);
    feed.held = false;
    return 0;
}

/* Freeing the source waits for the fetch, which is still under way. */
static void askers_may_be_cancelled(void **state)
{
    struct threat_source *source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), 0);
    assert_int_equal(outcome_on(state, cancel_askers, source), 0);
    threat_source_free(source);
    assert_int_equal(feed.fetches, 1);
    assert_int_equal(feed.at_once, 0);
}

/* --- many --- */

enum { THREADS = 3, FIBERS = 20 };

static struct crowd {
    struct threat_source *source;
    weir_backend backend;
    atomic_int asking;
} crowd;

static int ask_in_a_crowd(void *arg)
{
    (void)arg;
    crowd.asking++;
    check_answer(crowd.source, THREAT_ELEVATED, "elevated");
    return 0;
}

static int ask_by_fibers(void *arg)
{
    (void)arg;
    weir_fiber *fibers[FIBERS];
    for (int i = 0; i < FIBERS; i++)
        check((fibers[i] = weir_spawn(ask_in_a_crowd, NULL, NULL)));
    for (int i = 0; i < FIBERS; i++)
        check(weir_join(fibers[i], NULL, WEIR_FOREVER) == 0);
    return 0;
}

static void *ask_by_thread(void *arg)
{
    weir_loop_options options = {.size = sizeof options, .backend = crowd.backend};
    check(weir_run(ask_by_fibers, arg, &options) == 0);
    return NULL;
}

static void one_fetch_is_for_all_who_ask(void **state)
{
    pthread_t threads[THREADS];
    crowd.source = source_with(state, WEIR_FOREVER, WEIR_MINUTES(1), 0);
    crowd.backend = backend_of(state);
    crowd.asking = 0;
    feed.held = true;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_by_thread, NULL), 0);
    while (crowd.asking < THREADS * FIBERS)
        usleep(1000);
    feed.held = false;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(feed.fetches, 1);
    threat_source_free(crowd.source);
}

/* With every answer old at once there are fetches all the time, but never two. */
static void fetches_follow_one_another(void **state)
{
    pthread_t threads[THREADS];
    crowd.source = source_with(state, 0, WEIR_MINUTES(1), 0);
    crowd.backend = backend_of(state);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_by_thread, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_in_range(feed.fetches, 1, THREADS * FIBERS);
    assert_int_equal(feed.most_at_once, 1);
    threat_source_free(crowd.source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_each_backend(an_answer_is_kept),
        cmocka_unit_test(a_thread_asks),
        on_each_backend(an_old_answer_is_fetched_anew),
        on_each_backend(a_feed_that_failed_is_left_alone),
        on_each_backend(a_feed_that_failed_is_asked_again),
        on_each_backend(the_last_good_answer_has_its_age),
        on_each_backend(a_slow_fetch_counts_although_nobody_waits),
        cmocka_unit_test(a_thread_does_not_wait_for_ever),
        on_each_backend(askers_may_be_cancelled),
        on_each_backend(one_fetch_is_for_all_who_ask),
        on_each_backend(fetches_follow_one_another),
    };
    weir_log_set(WEIR_LOG_NONE, WEIR_LOG_TEXT);
    return cmocka_run_group_tests_name("threat_source", tests, NULL, NULL);
}
