/* Pipes, event counters and signals of a simulated host. */
#include "simulated.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <weir/file.h>
#include <weir/signal.h>

/* --- pipes --- */

static int fills_a_pipe(void *arg)
{
    const struct weir__system *system = weir__system();
    static char data[70000];
    int pair[2];
    (void)arg;
    CHECK(system->pipe2(pair, O_NONBLOCK) == 0);
    CHECK(fails(system->read(pair[0], data, 1), EAGAIN) && ready(pair[0]) == 0 && ready(pair[1]) == POLLOUT);
    CHECK(system->write(pair[1], data, sizeof data) == 65536 && fails(system->write(pair[1], data, 1), EAGAIN));
    CHECK(ready(pair[0]) == POLLIN && ready(pair[1]) == 0);
    CHECK(system->read(pair[0], data, 100) == 100 && fails(system->write(pair[1], data, 4096), EAGAIN));
    CHECK(system->write(pair[1], data, 100) == 100);
    shut(pair[1]);
    CHECK(ready(pair[0]) == (POLLIN | POLLHUP));
    CHECK(system->read(pair[0], data, sizeof data) == 65536 && system->read(pair[0], data, sizeof data) == 0);
    CHECK(ready(pair[0]) == POLLHUP);
    shut(pair[0]);
    CHECK(system->pipe2(pair, 0) == 0);
    shut(pair[0]);
    CHECK(fails(system->write(pair[1], data, 1), EPIPE) && ready(pair[1]) == (POLLOUT | POLLERR));
    shut(pair[1]);
    return 0;
}

static void a_pipe_is_full_and_empty(void **state)
{
    (void)state;
    play(fills_a_pipe, NULL, 0, 1);
}

enum { PIPED = 300000 };

static int reads_a_pipe(void *arg)
{
    unsigned char data[5000];
    size_t done = 0;
    ssize_t size;
    while ((size = weir_file_read(arg, data, 1 + weir_sim_below(sizeof data), WEIR_FOREVER)) > 0)
        for (ssize_t i = 0; i < size; i++, done++)
            CHECK(data[i] == (unsigned char)(done * 31 >> 3));
    CHECK(size == 0 && done == PIPED);
    return 0;
}

static int writes_a_pipe(void *arg)
{
    unsigned char *data = malloc(PIPED);
    weir_file *end[2];
    (void)arg;
    for (size_t i = 0; i < PIPED; i++)
        data[i] = (unsigned char)(i * 31 >> 3);
    CHECK(weir_pipe(end) == 0);
    weir_fiber *reader = weir_spawn(reads_a_pipe, end[0], NULL);
    for (size_t done = 0, size; done < PIPED; done += size) {
        size = 1 + weir_sim_below(80000);
        size = size < PIPED - done ? size : PIPED - done;
        CHECK(weir_file_write_all(end[1], data + done, size, WEIR_FOREVER) == 0);
    }
    CHECK(weir_file_close(end[1]) == 0 && weir_join(reader, NULL, WEIR_FOREVER) == 0);
    free(data);
    return weir_file_close(end[0]);
}

static void a_pipe_carries_all_however_it_is_cut(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        play(writes_a_pipe, NULL, WEIR_SIM_SHORT | WEIR_SIM_EVENTS, seed);
}

/* --- events and signals --- */

static int counts(void *arg)
{
    const struct weir__system *system = weir__system();
    uint64_t number = 5;
    (void)arg;
    int fd = system->eventfd(0, EFD_NONBLOCK);
    CHECK(fails(system->read(fd, &number, sizeof number), EAGAIN) && ready(fd) == POLLOUT);
    CHECK(system->write(fd, &number, sizeof number) == 8 && system->write(fd, &number, sizeof number) == 8);
    CHECK(ready(fd) == (POLLIN | POLLOUT));
    CHECK(system->read(fd, &number, sizeof number) == 8 && number == 10 && ready(fd) == POLLOUT);
    CHECK(fails(system->read(fd, &number, 4), EINVAL));
    shut(fd);
    return 0;
}

static void an_eventfd_counts(void **state)
{
    (void)state;
    play(counts, NULL, 0, 1);
}

static int waits_for_signals(void *arg)
{
    static const int wanted[] = {SIGHUP, SIGUSR1}, other[] = {SIGUSR1};
    (void)arg;
    weir_sim_signal(weir_sim_host_self(), SIGUSR1);
    weir_sim_signal(weir_sim_host_self(), SIGUSR2);
    weir_signals *signals = weir_signals_new(wanted, 2), *others = weir_signals_new(other, 1);
    CHECK(weir_signals_wait(signals, WEIR_NOW) == SIGUSR1);
    CHECK(fails(weir_signals_wait(signals, weir_deadline(WEIR_S(1))), ETIMEDOUT));
    CHECK(fails(weir_signals_wait(others, WEIR_NOW), ETIMEDOUT));
    weir_sim_signal(weir_sim_host_self(), SIGUSR1);
    weir_sim_signal(weir_sim_host_self(), SIGHUP);
    CHECK(weir_signals_wait(others, WEIR_FOREVER) == SIGUSR1);
    CHECK(weir_signals_wait(signals, WEIR_FOREVER) == SIGHUP && weir_signals_wait(signals, WEIR_FOREVER) == SIGUSR1);
    weir_signals_free(signals);
    weir_signals_free(others);
    return 0;
}

static void a_signal_reaches_all_who_wait_for_it(void **state)
{
    (void)state;
    play(waits_for_signals, NULL, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_is_full_and_empty),
        cmocka_unit_test(a_pipe_carries_all_however_it_is_cut),
        cmocka_unit_test(an_eventfd_counts),
        cmocka_unit_test(a_signal_reaches_all_who_wait_for_it),
    };
    return cmocka_run_group_tests_name("sim pipes", tests, NULL, NULL);
}
