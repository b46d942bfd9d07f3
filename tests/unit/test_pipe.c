/* Pipes: read and written as they are ready, without SIGPIPE, cancelled, and shared with others; on old kernels as well. */
#include "everywhere.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/file.h>
#include <weir/time.h>

#include "os/file.h"

enum { MUCH = 1000000 };

static unsigned char pattern(size_t index)
{
    return (unsigned char)(index * 7 + index / 251);
}

static void *write_much(void *end)
{
    unsigned char *data = malloc(MUCH);
    for (size_t index = 0; index < MUCH; index++)
        data[index] = pattern(index);
    int result = weir_file_write_all(end, data, MUCH, SOON);
    free(data);
    weir_file_close(end);
    return result == 0 ? NULL : end;
}

static int write_much_in_fiber(void *end)
{
    return write_much(end) ? -1 : 0;
}

static void read_much(weir_file *end)
{
    size_t total = 0;
    unsigned char buffer[3000];
    ssize_t got;
    while ((got = weir_file_read(end, buffer, sizeof buffer, SOON)) > 0)
        for (ssize_t index = 0; index < got; index++, total++)
            assert_int_equal(buffer[index], pattern(total));
    assert_int_equal(got, 0);
    assert_int_equal(total, MUCH);
}

static void a_pipe_carries_more_than_it_holds(void)
{
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    pthread_t writer = beside(write_much, end[1]);
    read_much(end[0]);
    join_beside(writer);
    assert_int_equal(weir_file_close(end[0]), 0);
}

static void two_fibers_share_a_pipe(void)
{
    weir_file *end[2];
    int result;
    assert_int_equal(weir_pipe(end), 0);
    weir_fiber *writer = weir_spawn(write_much_in_fiber, end[1], NULL);
    read_much(end[0]);
    assert_int_equal(weir_join(writer, &result, SOON), 0);
    assert_int_equal(result, 0);
    weir_file_close(end[0]);
}

static void reading_has_a_deadline(void)
{
    char byte;
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    assert_int_equal(weir_file_read(end[0], &byte, 1, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_DEADLINE);
    assert_string_equal(weir_error()->sentence, "read pipe: timed out");
    assert_int_equal(weir_file_read(end[0], &byte, 1, weir_deadline(WEIR_MS(5))), -1);
    assert_int_equal(errno, ETIMEDOUT);
    /* What is there is read even when its time has passed. */
    assert_int_equal(weir_file_write_all(end[1], "x", 1, WEIR_NOW), 0);
    assert_int_equal(weir_file_read(end[0], &byte, 1, WEIR_NOW), 1);
    assert_int_equal(weir_file_close(end[1]), 0);
    assert_int_equal(weir_file_read(end[0], &byte, 1, WEIR_FOREVER), 0);
    assert_int_equal(weir_file_close(end[0]), 0);
}

static void a_full_pipe_takes_what_it_can(void)
{
    static char data[MUCH];
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    assert_int_equal(weir_file_write_all(end[1], data, MUCH, weir_deadline(WEIR_MS(5))), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_error()->transferred, fcntl(weir_file_fd(end[1]), F_GETPIPE_SZ));
    /* It stays usable. */
    assert_true(weir_file_read(end[0], data, MUCH, WEIR_NOW) > 0);
    assert_int_equal(weir_file_write_all(end[1], data, 100, WEIR_NOW), 0);
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

static volatile sig_atomic_t pipe_signals;

static void count_pipe_signal(int number)
{
    (void)number;
    pipe_signals++;
}

static void write_to_nobody(void)
{
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    assert_int_equal(weir_file_close(end[0]), 0);
    assert_int_equal(weir_file_write_all(end[1], "x", 1, WEIR_FOREVER), -1);
    assert_int_equal(errno, EPIPE);
    assert_string_equal(weir_error()->sentence, "write pipe: broken pipe");
    assert_int_equal(weir_file_close(end[1]), 0);
}

static void a_pipe_without_a_reader_raises_no_signal(void)
{
    pipe_signals = 0;
    signal(SIGPIPE, count_pipe_signal);
    write_to_nobody();
    assert_int_equal(pipe_signals, 0);
    signal(SIGPIPE, SIG_DFL);
    write_to_nobody();
}

/* One that was pending before is the program's. */
static void a_pending_pipe_signal_is_left(void)
{
    sigset_t set, pending;
    pipe_signals = 0;
    signal(SIGPIPE, count_pipe_signal);
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise(SIGPIPE);
    write_to_nobody();
    sigpending(&pending);
    assert_int_equal(sigismember(&pending, SIGPIPE), 1);
    assert_int_equal(pipe_signals, 0);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    assert_int_equal(pipe_signals, 1);
    signal(SIGPIPE, SIG_DFL);
}

static void *cancel_when_read(void *arg)
{
    weir_file *file = arg;
    EVENTUALLY(atomic_load(&file->watch.slot[0]));
    weir_file_cancel(file);
    return NULL;
}

static void a_read_is_cancelled_by_another_thread(void)
{
    char byte;
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    pthread_t other = beside(cancel_when_read, end[0]);
    assert_int_equal(weir_file_read(end[0], &byte, 1, SOON), -1);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_CANCELLED);
    join_beside(other);
    /* The next call is not concerned. */
    assert_int_equal(weir_file_write_all(end[1], "x", 1, WEIR_NOW), 0);
    assert_int_equal(weir_file_read(end[0], &byte, 1, SOON), 1);
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

static void *cancel_when_written(void *arg)
{
    weir_file *file = arg;
    EVENTUALLY(atomic_load(&file->watch.slot[1]));
    weir_file_cancel(file);
    return NULL;
}

static void a_write_is_cancelled_by_another_thread(void)
{
    static char data[MUCH];
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    pthread_t other = beside(cancel_when_written, end[1]);
    assert_int_equal(weir_file_write_all(end[1], data, MUCH, SOON), -1);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(weir_error()->transferred, fcntl(weir_file_fd(end[1]), F_GETPIPE_SZ));
    join_beside(other);
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

static void *second_reader(void *arg)
{
    char byte;
    weir_file *file = arg;
    EVENTUALLY(atomic_load(&file->watch.slot[0]));
    int result = weir_file_read(file, &byte, 1, SOON) == -1 && errno == EBUSY ? 1 : 0;
    weir_file_cancel(file);
    return (void *)(intptr_t)result;
}

static void a_second_reader_is_turned_away(void)
{
    char byte;
    void *refused = NULL;
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    pthread_t other = beside(second_reader, end[0]);
    assert_int_equal(weir_file_read(end[0], &byte, 1, SOON), -1);
    assert_int_equal(errno, ECANCELED);
    pthread_join(other, &refused);
    assert_ptr_equal(refused, (void *)1);
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

static int read_for_ever(void *end)
{
    char byte;
    return weir_file_read(end, &byte, 1, WEIR_FOREVER) == -1 ? errno : 0;
}

static void a_cancelled_fiber_stops_reading(void)
{
    int result;
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    weir_fiber *reader = weir_spawn(read_for_ever, end[0], NULL);
    weir_yield();
    weir_cancel_fiber(reader);
    assert_int_equal(weir_join(reader, &result, SOON), 0);
    assert_int_equal(result, ECANCELED);
    weir_file_close(end[0]);
    weir_file_close(end[1]);
}

static void flags_are_left_alone(void)
{
    int pair[2];
    char byte;
    assert_int_equal(pipe(pair), 0);
    int before = fcntl(pair[0], F_GETFL);
    weir_file *file = weir_file_adopt(pair[0], false);
    assert_int_equal(weir_file_read(file, &byte, 1, weir_deadline(WEIR_MS(2))), -1);
    assert_int_equal(fcntl(pair[0], F_GETFL), before);
    assert_int_equal(weir_file_close(file), 0);
    assert_true(fcntl(pair[0], F_GETFD) >= 0); /* it was not ours to close */
    close(pair[0]);
    close(pair[1]);
}

static char folder[] = "/tmp/weir-test-XXXXXX";

static const char *make_named_pipe(void)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/pipe", folder);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

static void a_named_pipe_waits_as_well(void)
{
    char buffer[8];
    const char *path = make_named_pipe();
    weir_file *both = weir_file_open(path, O_RDWR, 0);
    assert_non_null(both);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(weir_file_read(both, buffer, sizeof buffer, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_file_write_all(both, "hello", 5, SOON), 0);
    assert_int_equal(weir_file_read(both, buffer, sizeof buffer, SOON), 5);
    pthread_t other = beside(cancel_when_read, both);
    assert_int_equal(weir_file_read(both, buffer, sizeof buffer, SOON), -1);
    assert_int_equal(errno, ECANCELED);
    join_beside(other);
    weir_file_close(both);
}

static int open_for_reading(void *path)
{
    weir_file *file = weir_file_open(path, O_RDONLY, 0);
    int number = file ? 0 : errno;
    weir_file_close(file);
    return number;
}

/* open(2) of a named pipe waits for its other end: the fiber goes on without it. */
static void opening_is_cancelled(void)
{
    int result;
    const char *path = make_named_pipe();
    weir_fiber *opener = weir_spawn(open_for_reading, (void *)(uintptr_t)path, NULL);
    weir_sleep(WEIR_MS(20));
    weir_cancel_fiber(opener);
    assert_int_equal(weir_join(opener, &result, SOON), 0);
    assert_int_equal(result, ECANCELED);
    int other_end = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (other_end >= 0)
        close(other_end); /* lets the pool's thread go on */
    unlink(path);
}

/* --- a kernel before 6.4, which cannot be asked not to wait in pipes, nor before 6.18 not to raise SIGPIPE --- */

static ssize_t old_read_nowait(int fd, void *buffer, size_t size)
{
    (void)fd, (void)buffer, (void)size;
    errno = EOPNOTSUPP;
    return -1;
}

static ssize_t old_write_flags(int fd, const void *data, size_t size, int flags)
{
    if (flags == 0)
        return write(fd, data, size);
    errno = EOPNOTSUPP;
    return -1;
}

/* A kernel between the two: no RWF_NOSIGNAL. */
static ssize_t middle_write_flags(int fd, const void *data, size_t size, int flags)
{
    if ((flags & ~RWF_NOWAIT) == 0)
        return weir__kernel.write_flags(fd, data, size, flags);
    errno = EOPNOTSUPP;
    return -1;
}

static struct weir__system before_6_4, before_6_18;

static void make_kernels(void)
{
    before_6_4 = before_6_18 = weir__kernel;
    before_6_4.read_nowait = old_read_nowait;
    before_6_4.write_flags = old_write_flags;
    before_6_18.write_flags = middle_write_flags;
}

static int old_kernel(void **state)
{
    (void)state;
    weir__system_here = &before_6_4;
    return 0;
}

static int middle_kernel(void **state)
{
    (void)state;
    weir__system_here = &before_6_18;
    return 0;
}

static int this_kernel(void **state)
{
    (void)state;
    weir__system_here = &weir__kernel;
    return 0;
}

static int make_folder(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    make_kernels();
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char path[PATH_MAX];
    (void)state;
    snprintf(path, sizeof path, "%s/pipe", folder);
    unlink(path);
    return rmdir(folder);
}

#define IN_BOTH(label, kernel, body) EVERYWHERE_ON(label, kernel, this_kernel, body)
#define EVERY_TEST(label, kernel)                                                                                      \
    IN_BOTH(label, kernel, a_pipe_carries_more_than_it_holds), IN_BOTH(label, kernel, reading_has_a_deadline),         \
        IN_BOTH(label, kernel, a_full_pipe_takes_what_it_can),                                                         \
        IN_BOTH(label, kernel, a_pipe_without_a_reader_raises_no_signal),                                              \
        IN_BOTH(label, kernel, a_pending_pipe_signal_is_left),                                                         \
        IN_BOTH(label, kernel, a_read_is_cancelled_by_another_thread),                                                 \
        IN_BOTH(label, kernel, a_write_is_cancelled_by_another_thread),                                                \
        IN_BOTH(label, kernel, a_second_reader_is_turned_away), IN_BOTH(label, kernel, a_named_pipe_waits_as_well),    \
        IN_BOTH(label, kernel, flags_are_left_alone),                                                                  \
        IN_FIBERS_ON(label, kernel, this_kernel, two_fibers_share_a_pipe),                                             \
        IN_FIBERS_ON(label, kernel, this_kernel, a_cancelled_fiber_stops_reading),                                     \
        IN_FIBERS_ON(label, kernel, this_kernel, opening_is_cancelled)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERY_TEST("", this_kernel),
        EVERY_TEST("Linux 6.4: ", middle_kernel),
        EVERY_TEST("Linux 6.1: ", old_kernel),
    };
    return cmocka_run_group_tests_name("pipes", tests, make_folder, remove_folder);
}
