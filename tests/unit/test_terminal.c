/* Terminals: their width, lines as they are typed, and output that nobody takes. */
#include "everywhere.h"

#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/file.h>
#include <weir/time.h>

#include "os/file.h"

struct terminal {
    int upper, lower;
    weir_file *file;
};

/* With a file on its lower end, as a program has its standard ones. */
static struct terminal open_terminal(void)
{
    struct terminal terminal;
    struct winsize size = {.ws_row = 40, .ws_col = 123};
    assert_int_equal(openpty(&terminal.upper, &terminal.lower, NULL, NULL, &size), 0);
    terminal.file = weir_file_adopt(terminal.lower, true);
    assert_non_null(terminal.file);
    return terminal;
}

static void close_terminal(struct terminal *terminal)
{
    assert_int_equal(weir_file_close(terminal->file), 0);
    assert_int_equal(fcntl(terminal->lower, F_GETFD), -1);
    close(terminal->upper);
}

static void it_knows_its_width(void)
{
    struct winsize unknown = {0};
    struct terminal terminal = open_terminal();
    assert_true(weir_file_is_terminal(terminal.file));
    assert_int_equal(weir_file_columns(terminal.file), 123);
    assert_int_equal(ioctl(terminal.upper, TIOCSWINSZ, &unknown), 0);
    assert_int_equal(weir_file_columns(terminal.file), 80);
    close_terminal(&terminal);
}

static void lines_are_read_as_they_come(void)
{
    char buffer[16];
    struct terminal terminal = open_terminal();
    int before = fcntl(terminal.lower, F_GETFL);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(write(terminal.upper, "one\ntwo\nthree", 13), 13);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 4);
    assert_memory_equal(buffer, "one\n", 4);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 4);
    assert_memory_equal(buffer, "two\n", 4);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, weir_deadline(WEIR_MS(2))), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(write(terminal.upper, "\n\004", 2), 2);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 6);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 0); /* control-D */
    assert_int_equal(fcntl(terminal.lower, F_GETFL), before);
    close_terminal(&terminal);
}

static void *type_a_line(void *arg)
{
    struct terminal *terminal = arg;
    EVENTUALLY(atomic_load(&terminal->file->watch.slot[0]));
    return write(terminal->upper, "typed\n", 6) == 6 ? NULL : arg;
}

static void a_line_is_waited_for(void)
{
    char buffer[16];
    struct terminal terminal = open_terminal();
    for (int round = 0; round < 3; round++) {
        pthread_t person = beside(type_a_line, &terminal);
        assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 6);
        assert_memory_equal(buffer, "typed\n", 6);
        join_beside(person);
    }
    close_terminal(&terminal);
}

enum { MUCH = 300000 };

static void drain(int fd, size_t size)
{
    char buffer[4096];
    while (size > 0) {
        ssize_t got = read(fd, buffer, size < sizeof buffer ? size : sizeof buffer);
        assert_true(got > 0);
        size -= (size_t)got;
    }
}

/* A terminal that nobody shows, or that control-S has stopped: the deadline holds, and what went is known. */
static void output_that_nobody_takes_times_out(void)
{
    static char data[MUCH];
    struct terminal terminal = open_terminal();
    memset(data, '.', sizeof data);
    assert_int_equal(weir_file_write_all(terminal.file, data, sizeof data, weir_deadline(WEIR_MS(5))), -1);
    assert_int_equal(errno, ETIMEDOUT);
    uint64_t went = weir_error()->transferred;
    assert_true(went > 0 && went < sizeof data);
    drain(terminal.upper, went);
    assert_int_equal(weir_file_write_all(terminal.file, "more", 4, SOON), 0);
    drain(terminal.upper, 4);
    close_terminal(&terminal);
}

static void *show(void *arg)
{
    const struct terminal *terminal = arg;
    drain(terminal->upper, MUCH);
    return NULL;
}

static void much_output_is_shown(void)
{
    static char data[MUCH];
    struct terminal terminal = open_terminal();
    memset(data, '.', sizeof data);
    pthread_t person = beside(show, &terminal);
    assert_int_equal(weir_file_write_all(terminal.file, data, sizeof data, SOON), 0);
    join_beside(person);
    close_terminal(&terminal);
}

/* The upper end cannot be opened a second time: poll(2) and the pool do. */
static void its_upper_end_is_a_file_too(void)
{
    char buffer[16];
    struct terminal terminal = open_terminal();
    weir_file *upper = weir_file_adopt(terminal.upper, false);
    assert_int_equal(weir_file_read(upper, buffer, sizeof buffer, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_file_write_all(upper, "hi\n", 3, SOON), 0);
    assert_int_equal(weir_file_read(terminal.file, buffer, sizeof buffer, SOON), 3);
    assert_int_equal(weir_file_read(upper, buffer, sizeof buffer, SOON), 4); /* its echo: hi, CR, LF */
    assert_memory_equal(buffer, "hi\r\n", 4);
    assert_int_equal(weir_file_close(upper), 0);
    close_terminal(&terminal);
}

static int no_proc(const char *path, int flags, mode_t mode)
{
    (void)path, (void)flags, (void)mode;
    errno = ENOENT;
    return -1;
}

/* Where there is no /proc, the same by poll(2). */
static void lines_are_read_without_proc(void)
{
    struct weir__system without = weir__kernel;
    without.open = no_proc;
    weir__system_here = &without;
    lines_are_read_as_they_come();
    a_line_is_waited_for();
    much_output_is_shown();
    weir__system_here = &weir__kernel;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(it_knows_its_width),          EVERYWHERE(lines_are_read_as_they_come),
        EVERYWHERE(a_line_is_waited_for),        EVERYWHERE(output_that_nobody_takes_times_out),
        EVERYWHERE(much_output_is_shown),        EVERYWHERE(its_upper_end_is_a_file_too),
        EVERYWHERE(lines_are_read_without_proc),
    };
    return cmocka_run_group_tests_name("terminals", tests, NULL, NULL);
}
