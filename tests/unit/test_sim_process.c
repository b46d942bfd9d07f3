/* What a process of a simulated host can do, and cannot: signals, descriptors, clocks; no processes of its own. */
#include "simulated.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <weir/file.h>
#include <weir/process.h>

static sigset_t only(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

/* --- signals --- */

static int signals_itself(void *arg)
{
    const struct weir__system *system = weir__system();
    sigset_t first = only(SIGUSR1), second = only(SIGUSR2), pending;
    struct signalfd_siginfo info;
    siginfo_t told;
    (void)arg;
    int fd = system->signalfd(-1, &first, SFD_NONBLOCK);
    CHECK(fd >= 0 && fails(system->read(fd, &info, sizeof info), EAGAIN));
    CHECK(system->kill(system->getpid(), SIGUSR1) == 0);
    CHECK(system->read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1);
    CHECK(system->signalfd(fd, &second, 0) == fd);
    CHECK(system->kill(system->getpid(), SIGUSR1) == 0 && fails(system->read(fd, &info, sizeof info), EAGAIN));
    CHECK(system->kill(system->getpid(), SIGUSR2) == 0);
    CHECK(system->read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR2);
    CHECK(fails(system->kill(system->getppid(), SIGUSR1), ESRCH));
    CHECK(system->sigpending(&pending) == 0 && !sigismember(&pending, SIGUSR1));
    CHECK(fails(system->sigtimedwait(&first, &told, NULL), EAGAIN));
    shut(fd);
    int counter = system->eventfd(0, EFD_NONBLOCK);
    CHECK(fails(system->signalfd(counter, &first, 0), EINVAL));
    shut(counter);
    return 0;
}

static void a_signal_comes_to_who_waits_for_it(void **state)
{
    (void)state;
    play(signals_itself, NULL, 0, 1);
}

/* --- descriptors --- */

static int duplicates(void *arg)
{
    const struct weir__system *system = weir__system();
    uint64_t value = 7;
    struct stat status = {0};
    (void)arg;
    int counter = system->eventfd(0, EFD_NONBLOCK), same = system->fcntl(counter, F_DUPFD_CLOEXEC, 3);
    CHECK(same >= 0 && same != counter && (system->fcntl(same, F_GETFL, 0) & O_NONBLOCK));
    CHECK(system->write(counter, &value, sizeof value) == sizeof value);
    shut(counter);
    CHECK(system->read(same, &value, sizeof value) == sizeof value && value == 7);
    CHECK(system->fstat(same, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISSOCK(status.st_mode));
    shut(same);
    return 0;
}

static void a_duplicate_is_the_same(void **state)
{
    (void)state;
    play(duplicates, NULL, 0, 1);
}

static int asks_files(void *arg)
{
    const struct weir__system *system = weir__system();
    struct stat status = {0};
    int number;
    (void)arg;
    int fd = system->open("/file", O_RDWR | O_CREAT, 0600);
    struct pollfd query = {.fd = fd, .events = POLLIN | POLLOUT};
    CHECK(system->poll(&query, 1, 0) == 1 && query.revents == (POLLIN | POLLOUT));
    CHECK(system->chmod("/file", 0640) == 0 && system->lstat("/file", &status) == 0);
    CHECK((status.st_mode & 07777) == 0640 && fails(system->chmod("/none", 0640), ENOENT));
    CHECK(fails(system->ioctl(fd, FIONREAD, &number), ENOTTY));
    CHECK(fails(system->splice(fd, fd, 1, 0), EINVAL)); /* the library copies */
    shut(fd);
    return 0;
}

static void a_file_is_always_ready(void **state)
{
    (void)state;
    play(asks_files, NULL, 0, 1);
}

/* --- the loop --- */

static int embeds_the_loop(void *arg)
{
    (void)arg;
    weir_loop *loop = weir_loop_self();
    CHECK(fails(weir_loop_fd(loop), EOPNOTSUPP) && strcmp(weir_loop_backend(loop), "sim") == 0);
    CHECK(weir_loop_deadline(loop) != WEIR_NOW); /* nobody else can run */
    return 0;
}

static void the_loop_has_no_descriptor(void **state)
{
    (void)state;
    play(embeds_the_loop, NULL, 0, 1);
}

/* --- what there is not --- */

static int nobody(void *arg)
{
    (void)arg;
    return 0;
}

static int starts_others(void *arg)
{
    const struct weir__system *system = weir__system();
    const char *const argv[] = {"/bin/true", NULL};
    siginfo_t end;
    int fd;
    (void)arg;
    CHECK(fails(system->fork(), ENOSYS) && fails(system->pidfd_open(1, 0), ENOSYS));
    CHECK(fails(system->clone(nobody, NULL, SIGCHLD, NULL, &fd), ENOSYS));
    CHECK(fails(system->waitid(P_ALL, 0, &end, WEXITED), ECHILD));
    CHECK(system->die_with_parent(SIGTERM) == 0);
    CHECK(!weir_process_start(argv, NULL) && errno == ENOSYS && *weir_error()->sentence);
    return 0;
}

static void there_are_no_other_processes(void **state)
{
    (void)state;
    play(starts_others, NULL, 0, 1);
}

/* --- clocks and names --- */

static int looks_at_the_clock(void *arg)
{
    const struct weir__system *system = weir__system();
    (void)arg;
    int64_t wall = system->wall(), monotonic = system->monotonic();
    weir_sleep(WEIR_MINUTES(1));
    int64_t passed = system->monotonic() - monotonic;
    CHECK(passed >= WEIR_MINUTES(1) && passed < WEIR_MINUTES(1) + WEIR_MS(1));
    CHECK(system->wall() - wall >= WEIR_MINUTES(1));
    CHECK(strcmp(weir_sim_host_name(weir_sim_host_self()), "here") == 0);
    return 0;
}

static void a_minute_is_a_minute(void **state)
{
    (void)state;
    play(looks_at_the_clock, NULL, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_comes_to_who_waits_for_it),
        cmocka_unit_test(a_duplicate_is_the_same),
        cmocka_unit_test(a_file_is_always_ready),
        cmocka_unit_test(the_loop_has_no_descriptor),
        cmocka_unit_test(there_are_no_other_processes),
        cmocka_unit_test(a_minute_is_a_minute),
    };
    return cmocka_run_group_tests_name("sim process", tests, NULL, NULL);
}
