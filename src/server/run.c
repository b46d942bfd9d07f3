/* One process with servers: started, until a signal or until they have stopped; then drained. */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include <weir/log.h>
#include <weir/signal.h>
#include <weir/time.h>

#include "base/error.h"
#include "base/text.h"
#include "server/process.h"

enum { COUNTERS_TEXT = 900 };

/* Between two attempts to wait for signals that have failed. */
#define SIGNALS_PAUSE WEIR_S(1)

/* What the process does while its servers work. */
struct watch_over {
    const struct weir__run *run;
    weir_signals *signals;
    bool stopping;
    int result;
    weir_error_kind kind; /* of what has failed in the loop, whose fibers' errors end with them */
    int number;
    char sentence[200];
};

int64_t weir__drain_deadline(const struct weir__run *run, const weir_server *server)
{
    int64_t timeout = run->options.drain_timeout ? run->options.drain_timeout : server->options.drain_timeout;
    return weir_deadline(timeout);
}

void weir__log_counters(const struct weir__run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        weir_counters counters;
        char text[COUNTERS_TEXT];
        weir_server_counters(run->servers[i], &counters);
        weir_counters_text(&counters, false, text, sizeof text);
        weir_log(WEIR_LOG_INFO, "%s: %s", run->servers[i]->name, *text ? text : "nothing yet");
    }
    if (run->options.counted)
        run->options.counted(run->options.arg);
}

void weir__end_at_once(int signal)
{
    weir_log(WEIR_LOG_WARNING, "%s again: ending at once", weir_signal_name(signal));
    _exit(128 + signal);
}

/* --- signals --- */

static void stop(struct watch_over *over, int signal)
{
    if (over->stopping)
        weir__end_at_once(signal);
    over->stopping = true;
    weir_log(WEIR_LOG_DEBUG, "%s: clients may finish", weir_signal_name(signal));
    if (!over->run->supervised)
        weir__notify("STOPPING=1");
    for (size_t i = 0; i < over->run->count; i++)
        weir_server_stop(over->run->servers[i], weir__drain_deadline(over->run, over->run->servers[i]));
    if (over->run->options.stopping)
        over->run->options.stopping(over->run->options.arg);
}

/* Whoever does not hear signals cannot be stopped: so it is tried again, until the servers have stopped. */
void weir__signals_failed(void)
{
    if (errno == ECANCELED)
        return;
    weir_log_error();
    weir_sleep(SIGNALS_PAUSE);
}

static int wait_for_signals(void *arg)
{
    struct watch_over *over = arg;
    while (!weir_cancelled()) {
        int signal = weir_signals_wait(over->signals, WEIR_FOREVER);
        if (signal < 0)
            weir__signals_failed();
        else if (signal == SIGUSR1)
            weir__log_counters(over->run);
        else if (signal == SIGHUP)
            over->run->options.reload(over->run->options.arg);
        else
            stop(over, signal);
    }
    return 0;
}

/* The terminal sends SIGINT to a whole family of processes: the parent alone takes it, and tells its children. */
static weir_signals *take_signals(const struct weir__run *run)
{
    int signals[4] = {SIGTERM, SIGUSR1};
    size_t count = 2;
    if (run->supervised) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        weir__system()->sigaction(SIGINT, &ignore, NULL);
    } else {
        signals[count++] = SIGINT;
    }
    if (run->options.reload)
        signals[count++] = SIGHUP;
    return weir_signals_new(signals, count);
}

/* --- servers --- */

static int start_servers(const struct weir__run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (weir_server_start(run->servers[i]) < 0)
            return -1;
    return 0;
}

/* Has those that run end at once, and waits for it; the error that led here stays. */
static int give_up(const struct weir__run *run)
{
    int number = errno;
    for (size_t i = 0; i < run->count; i++) {
        weir_server_stop(run->servers[i], WEIR_NOW);
        weir__server_wait(run->servers[i], WEIR_FOREVER, false);
    }
    errno = number;
    return -1;
}

/* Whoever waits here as a fiber of its own program's may be cancelled: the servers end at once then. */
static int wait_for_each(const struct weir__run *run)
{
    for (size_t i = 0; i < run->count; i++)
        if (weir__server_wait(run->servers[i], WEIR_FOREVER, true) < 0)
            return give_up(run);
    return 0;
}

static void keep_error(struct watch_over *over)
{
    over->number = errno;
    over->kind = weir_error()->kind;
    weir__copy_text(over->sentence, weir_error()->sentence, sizeof over->sentence);
}

static int wait_for_servers(void *arg)
{
    struct watch_over *over = arg;
    weir_fiber_options options = {.size = sizeof options, .name = "signals"};
    weir_fiber *signals = weir_spawn(wait_for_signals, over, &options);
    over->result = signals ? wait_for_each(over->run) : give_up(over->run);
    if (over->result < 0)
        keep_error(over);
    if (signals) {
        weir_cancel_fiber(signals);
        weir__join_uncancelled(signals);
    }
    return 0;
}

static int watch_over(const struct weir__run *run, weir_signals *signals, weir_loop *loop)
{
    struct watch_over over = {.run = run, .signals = signals, .result = -1};
    weir_fiber_options options = {.size = sizeof options, .name = "main", .detached = true};
    if (!loop)
        wait_for_servers(&over);
    else if (!weir_spawn(wait_for_servers, &over, &options))
        return -1;
    while (loop && weir_loop_run(loop) < 0)
        if (!weir__pause_for_want(run->servers[0]))
            return -1;
    return over.result < 0 ? weir_fail(over.kind, over.number, "serve", "", "%s", over.sentence) : over.result;
}

static int start_and_watch(const struct weir__run *run, weir_signals *signals, weir_loop *loop)
{
    int result = start_servers(run);
    if (result == 0) {
        weir__tell_ready(run);
        result = watch_over(run, signals, loop);
    }
    return result < 0 ? give_up(run) : result;
}

/*
 * The loop has nothing but the two fibers above: epoll is as good as any and asks for no memory. It is made before anybody
 * can connect: the first clients may take every descriptor there is. Who is in a fiber has a loop.
 */
int weir__run_process(const struct weir__run *run)
{
    weir_loop_options options = {.size = sizeof options, .backend = WEIR_BACKEND_EPOLL};
    int result = -1;
    weir_signals *signals = take_signals(run);
    if (!signals)
        return -1;
    weir_loop *loop = weir_self() ? NULL : weir_loop_new(&options);
    if (loop || weir_self())
        result = start_and_watch(run, signals, loop);
    int number = errno;
    weir_loop_free(loop);
    weir_signals_free(signals);
    errno = number;
    return result;
}
