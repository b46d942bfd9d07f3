/* A simulated host's files, pipes, events and signals, and the names by which hosts know each other. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <weir/file.h>
#include <weir/signal.h>
#include <weir/sim.h>
#include <weir/weir.h>

#include <cmocka.h>

#include "engine/sim/sim.h"

#define CHECK WEIR_SIM_CHECK

/* --- running --- */

static int (*program)(void *arg);

static void one_host(void)
{
    weir_sim_program(weir_sim_host_new("here"), "program", program, NULL);
    weir_sim_host_new("there");
    weir_sim_name("both", "there here");
    weir_sim_name("mixed", "there/4  dead refusing/6");
    weir_sim_name("there.example", "there/6");
}

static weir_sim_result play(int (*function)(void *arg), unsigned faults, uint64_t seed)
{
    const weir_sim_scenario scenario = {
        .name = "files", .set_up = one_host, .without = WEIR_SIM_ALL_FAULTS & ~faults, .faults_for = WEIR_MINUTES(1)};
    weir_sim_result result;
    program = function;
    if (weir_sim_run(&scenario, seed, -1, &result) < 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, result.reason);
    return result;
}

static bool fails(ssize_t result, int number)
{
    return result == -1 && errno == number;
}

static int opened(const char *path, int flags)
{
    return weir__system()->open(path, flags, 0640);
}

static void shut(int fd)
{
    CHECK(weir__system()->close(fd) == 0);
}

/* --- files --- */

static int writes_and_reads(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[32] = "";
    struct stat status;
    (void)arg;
    CHECK(fails(opened("/tmp/file", O_RDONLY), ENOENT));
    int fd = opened("/tmp/file", O_RDWR | O_CREAT | O_EXCL);
    CHECK(fails(opened("/tmp/file", O_RDWR | O_CREAT | O_EXCL), EEXIST));
    CHECK(system->write(fd, "hello world", 11) == 11 && system->read(fd, data, sizeof data) == 0);
    CHECK(system->pwrite(fd, "HELLO", 5, 0) == 5 && system->pread(fd, data, sizeof data, 0) == 11);
    CHECK(memcmp(data, "HELLO world", 11) == 0);
    CHECK(system->pwrite(fd, "x", 1, 20) == 1 && system->pread(fd, data, sizeof data, 10) == 11);
    CHECK(memcmp(data, "d\0\0\0\0\0\0\0\0\0x", 11) == 0);
    CHECK(system->fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 21);
    CHECK((status.st_mode & 0777) == 0640 && system->fchmod(fd, 0600) == 0);
    CHECK(system->lstat("tmp/file", &status) == 0 && (status.st_mode & 0777) == 0600 && status.st_nlink == 1);
    CHECK(system->fdatasync(fd) == 0);
    shut(fd);
    fd = opened("/tmp/file", O_RDONLY);
    CHECK(system->read(fd, data, 5) == 5 && system->read(fd, data, 6) == 6 && memcmp(data, " world", 6) == 0);
    CHECK(fails(system->write(fd, "x", 1), EBADF));
    shut(fd);
    return 0;
}

static void a_file_is_written_and_read(void **state)
{
    (void)state;
    play(writes_and_reads, 0, 1);
}

static int ends_and_folders(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[32] = "";
    (void)arg;
    int first = opened("log", O_WRONLY | O_CREAT | O_APPEND), second = opened("/log", O_WRONLY | O_APPEND);
    CHECK(system->write(first, "one ", 4) == 4 && system->write(second, "two ", 4) == 4);
    CHECK(system->write(first, "three", 5) == 5);
    shut(first);
    CHECK(system->unlink("/log") == 0 && fails(system->unlink("/log"), ENOENT));
    CHECK(system->write(second, "!", 1) == 1);
    first = opened("/log", O_RDWR | O_CREAT);
    CHECK(system->read(first, data, sizeof data) == 0);
    shut(second);
    CHECK(system->write(first, "1234", 4) == 4);
    second = opened("/log", O_RDWR | O_TRUNC);
    CHECK(system->pread(first, data, sizeof data, 0) == 0);
    shut(first);
    shut(second);
    CHECK(fails(opened("/tmp", O_RDWR), EISDIR) && fails(opened("/log", O_RDONLY | O_DIRECTORY), ENOTDIR));
    int folder = opened("/tmp", O_RDONLY | O_DIRECTORY);
    CHECK(fails(system->read(folder, data, sizeof data), EISDIR) && fails(system->unlink("/tmp"), EISDIR));
    shut(folder);
    int nothing = opened("/dev/null", O_RDWR);
    CHECK(system->write(nothing, "x", 1) == 1 && system->read(nothing, data, sizeof data) == 0);
    shut(nothing);
    return 0;
}

static void files_outlive_their_names(void **state)
{
    (void)state;
    play(ends_and_folders, 0, 1);
}

static int writes_on_a_bad_disk(void *arg)
{
    static char data[10000];
    static char found[sizeof data];
    (void)arg;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    weir_file *file = weir_file_open("/data", O_RDWR | O_CREAT, 0600);
    if (!file) {
        CHECK(errno == ENOSPC || errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
        return 0;
    }
    size_t done = 0;
    while (done < sizeof data)
        if (weir_file_write_at(file, data + done, 100, (int64_t)done) == 0)
            done += 100;
        else
            CHECK(errno == ENOSPC || errno == EIO);
    while (weir_file_read_at(file, found, sizeof found, 0) < 0)
        CHECK(errno == EIO);
    CHECK(memcmp(data, found, sizeof data) == 0);
    return weir_file_close(file);
}

static void a_bad_disk_alters_nothing(void **state)
{
    uint64_t faults = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        faults += play(writes_on_a_bad_disk, WEIR_SIM_FILES | WEIR_SIM_SHORT | WEIR_SIM_RESOURCES, seed)
                      .faults[__builtin_ctz(WEIR_SIM_FILES)];
    assert_true(faults > 0);
}

static unsigned lost;

static int is_unplugged(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[12];
    (void)arg;
    int fd = opened("/data", O_RDWR | O_CREAT);
    if (fd < 0)
        return 0;
    CHECK(system->write(fd, "synced", 6) == 6 || weir_sim_faulty());
    while (system->fdatasync(fd) < 0)
        CHECK(errno == EIO);
    ssize_t kept = system->pread(fd, data, sizeof data, 0);
    bool whole = kept == 6 && system->pwrite(fd, "losable", 7, 6) == 7;
    weir__sim_files_killed(weir__sim_host());
    ssize_t left = system->pread(fd, data, sizeof data, 0);
    CHECK(left < 0 || left >= kept);
    CHECK(left < 6 || memcmp(data, "syncedlosable", (size_t)left) == 0);
    lost += whole && left >= 0 && left < 12;
    shut(fd);
    return 0;
}

static void a_kill_costs_what_was_not_synced_at_most(void **state)
{
    (void)state;
    lost = 0;
    for (uint64_t seed = 1; seed <= 200; seed++)
        play(is_unplugged, WEIR_SIM_FILES, seed);
    assert_true(lost > 0);
}

/* --- the nodes of sockets --- */

static int binds_a_path(void *arg)
{
    const struct weir__system *system = weir__system();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};
    struct stat status;
    (void)arg;
    int one = system->socket(AF_UNIX, SOCK_DGRAM, 0), other = system->socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(system->fchmod(one, 0600) == 0);
    CHECK(system->bind(one, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(system->lstat("/run/socket", &status) == 0 && S_ISSOCK(status.st_mode) && (status.st_mode & 0777) == 0600);
    CHECK(fails(system->bind(other, (struct sockaddr *)&address, sizeof address), EADDRINUSE));
    CHECK(fails(opened("/run/socket", O_RDWR), ENXIO));
    CHECK(system->connect(other, (struct sockaddr *)&address, sizeof address) == 0);
    shut(one);
    CHECK(system->lstat("/run/socket", &status) == 0);
    CHECK(fails(system->connect(other, (struct sockaddr *)&address, sizeof address), ECONNREFUSED));
    CHECK(system->unlink("/run/socket") == 0);
    CHECK(fails(system->connect(other, (struct sockaddr *)&address, sizeof address), ENOENT));
    shut(other);
    return 0;
}

static void a_socket_leaves_its_node_behind(void **state)
{
    (void)state;
    play(binds_a_path, 0, 1);
}

/* --- pipes --- */

static short ready(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};
    weir__system()->poll(&one, 1, 0);
    return one.revents;
}

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
    play(fills_a_pipe, 0, 1);
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
        play(writes_a_pipe, WEIR_SIM_SHORT | WEIR_SIM_EVENTS, seed);
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
    play(counts, 0, 1);
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
    play(waits_for_signals, 0, 1);
}

/* --- names --- */

/* The addresses of a name as text, one behind the other. */
static const char *addresses_of(const char *name, int family)
{
    static char text[512];
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = weir__system()->resolve(name, "80", &hints, &found);
    *text = '\0';
    if (result != 0)
        return gai_strerror(result);
    for (const struct addrinfo *one = found; one; one = one->ai_next) {
        CHECK(one->ai_socktype == SOCK_STREAM && one->ai_family == one->ai_addr->sa_family);
        weir__sim_address_text(one->ai_addr, one->ai_addrlen, text + strlen(text), sizeof text - strlen(text));
        strcat(text, one->ai_next ? " " : "");
    }
    weir__system()->resolve_free(found);
    return text;
}

static bool is(const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0)
        weir_sim_note("found %s, not %s", found, expected);
    return strcmp(found, expected) == 0;
}

static int resolves(void *arg)
{
    (void)arg;
    CHECK(is(addresses_of("there", 0), "[fd00::2]:80 10.0.0.2:80"));
    CHECK(is(addresses_of("there", AF_INET), "10.0.0.2:80"));
    CHECK(is(addresses_of("both", 0), "[fd00::2]:80 10.0.0.2:80 [fd00::1]:80 10.0.0.1:80"));
    CHECK(is(addresses_of("mixed", 0), "10.0.0.2:80 [fdff::1]:80 10.255.0.1:80 [fd00::3]:80"));
    CHECK(is(addresses_of("mixed", AF_INET6), "[fdff::1]:80 [fd00::3]:80"));
    CHECK(is(addresses_of("there.example", AF_INET), gai_strerror(EAI_ADDRFAMILY)));
    CHECK(is(addresses_of("nowhere", 0), gai_strerror(EAI_NONAME)));
    CHECK(is(addresses_of("10.1.2.3", 0), "10.1.2.3:80") && is(addresses_of("::1", 0), "[::1]:80"));
    CHECK(is(addresses_of("localhost", AF_INET), "127.0.0.1:80"));
    return 0;
}

static void names_have_the_addresses_that_were_given(void **state)
{
    (void)state;
    play(resolves, 0, 1);
}

static int resolves_until_it_works(void *arg)
{
    const char *found;
    (void)arg;
    while (!is(found = addresses_of("there", AF_INET), "10.0.0.2:80"))
        CHECK(is(found, gai_strerror(EAI_AGAIN)));
    return 0;
}

static void a_resolver_may_fail_for_a_while(void **state)
{
    uint64_t faults = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++)
        faults += play(resolves_until_it_works, WEIR_SIM_CONNECT, seed).faults[__builtin_ctz(WEIR_SIM_CONNECT)];
    assert_true(faults > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_and_read),
        cmocka_unit_test(files_outlive_their_names),
        cmocka_unit_test(a_bad_disk_alters_nothing),
        cmocka_unit_test(a_kill_costs_what_was_not_synced_at_most),
        cmocka_unit_test(a_socket_leaves_its_node_behind),
        cmocka_unit_test(a_pipe_is_full_and_empty),
        cmocka_unit_test(a_pipe_carries_all_however_it_is_cut),
        cmocka_unit_test(an_eventfd_counts),
        cmocka_unit_test(a_signal_reaches_all_who_wait_for_it),
        cmocka_unit_test(names_have_the_addresses_that_were_given),
        cmocka_unit_test(a_resolver_may_fail_for_a_while),
    };
    return cmocka_run_group_tests_name("sim files", tests, NULL, NULL);
}
