/* The kernel's table: what it adds to libc's calls. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/system.h"

static const struct weir__system *const kernel = &weir__kernel;

/* The first two are of a system without threads, which is no kernel's. */
static void every_entry_is_filled(void **state)
{
    (void)state;
    assert_null(kernel->backend);
    assert_false(weir__threadless());
    const unsigned char *table = (const unsigned char *)kernel;
    void (*none)(void) = NULL;
    for (size_t at = offsetof(struct weir__system, monotonic); at < sizeof *kernel; at += sizeof none)
        assert_memory_not_equal(table + at, &none, sizeof none);
    assert_ptr_equal(weir__system(), kernel);
}

/* Blocking pipes: that the calls return at all is what is tested. */
static void pipes_are_not_waited_for(void **state)
{
    (void)state;
    int pair[2];
    char byte;
    assert_int_equal(kernel->pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(kernel->read_nowait(pair[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(kernel->write_nowait(pair[1], "ab", 2), 2);
    assert_int_equal(kernel->read_nowait(pair[0], &byte, 1), 1);
    assert_int_equal(byte, 'a');

    static char data[65536];
    while (kernel->write_nowait(pair[1], data, sizeof data) > 0)
        ;
    assert_int_equal(errno, EAGAIN);
    kernel->close(pair[1]);
    while (kernel->read_nowait(pair[0], data, sizeof data) > 0)
        ;
    assert_int_equal(kernel->read_nowait(pair[0], data, sizeof data), 0);
    kernel->close(pair[0]);
}

/* A file keeps its own position; a system that cannot do without waiting says so. */
static void files_keep_their_position(void **state)
{
    (void)state;
    char path[] = "/tmp/weir-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    kernel->unlink(path);
    assert_int_equal(kernel->write(fd, "abcdef", 6), 6);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
    char data[2] = "";
    ssize_t got = kernel->read_nowait(fd, data, sizeof data);
    if (got == 2)
        assert_memory_equal(data, "cd", 2);
    else
        assert_true(errno == EOPNOTSUPP || errno == EAGAIN);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), got == 2 ? 4 : 2);
    kernel->close(fd);
}

static void poll_takes_nanoseconds(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(kernel->pipe2(pair, O_CLOEXEC), 0);
    struct pollfd readable = {.fd = pair[0], .events = POLLIN};
    assert_int_equal(kernel->poll(&readable, 1, 0), 0);
    int64_t before = kernel->monotonic();
    assert_int_equal(kernel->poll(&readable, 1, 2000000), 0);
    assert_true(kernel->monotonic() - before >= 2000000);
    assert_int_equal(kernel->write(pair[1], "a", 1), 1);
    assert_int_equal(kernel->poll(&readable, 1, -1), 1);
    assert_int_equal(kernel->poll(&readable, 1, INT64_MAX), 1);
    assert_int_equal(readable.revents, POLLIN);
    kernel->close(pair[0]);
    kernel->close(pair[1]);
}

static void ended_children_are_readable(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(7);
    int fd = kernel->pidfd_open(child, 0);
    if (fd < 0 && errno == ENOSYS) { /* valgrind */
        assert_int_equal(waitpid(child, NULL, 0), child);
        skip();
    }
    assert_true(fd >= 0);
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    assert_int_equal(kernel->poll(&ended, 1, -1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(WEXITSTATUS(status), 7);
    kernel->close(fd);
}

static void a_table_can_be_put_in_place(void **state)
{
    (void)state;
    struct weir__system other = *kernel;
    weir__system_here = &other;
    assert_ptr_equal(weir__system(), &other);
    weir__system_here = kernel;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_filled),       cmocka_unit_test(pipes_are_not_waited_for),
        cmocka_unit_test(files_keep_their_position),   cmocka_unit_test(poll_takes_nanoseconds),
        cmocka_unit_test(ended_children_are_readable), cmocka_unit_test(a_table_can_be_put_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
