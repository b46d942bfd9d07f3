/* Regular files, devices that never wait, and the standard files. */
#include "everywhere.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/error.h>
#include <weir/file.h>
#include <weir/process.h>
#include <weir/time.h>

static char folder[] = "/tmp/weir-test-XXXXXX";

static char *path_in_folder(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void a_file_is_written_and_read(void)
{
    char buffer[16];
    weir_file *file = weir_file_open(path_in_folder("plain"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_non_null(file);
    assert_true(fcntl(weir_file_fd(file), F_GETFD) & FD_CLOEXEC);
    assert_int_equal(weir_file_write_all(file, "hello, world", 12, WEIR_FOREVER), 0);
    assert_int_equal(weir_file_size(file), 12);
    assert_int_equal(weir_file_sync(file), 0);
    assert_int_equal(weir_file_read(file, buffer, sizeof buffer, WEIR_FOREVER), 0);
    assert_int_equal(weir_file_write_at(file, "HELLO", 5, 0), 0);
    assert_int_equal(weir_file_read_at(file, buffer, sizeof buffer, 0), 12);
    assert_memory_equal(buffer, "HELLO, world", 12);
    assert_int_equal(weir_file_read_at(file, buffer, 5, 7), 5);
    assert_memory_equal(buffer, "world", 5);
    assert_int_equal(lseek(weir_file_fd(file), 0, SEEK_SET), 0);
    assert_int_equal(weir_file_read(file, buffer, 5, WEIR_NOW), 5);
    assert_memory_equal(buffer, "HELLO", 5);
    assert_false(weir_file_is_terminal(file));
    assert_int_equal(weir_file_columns(file), 80);
    assert_int_equal(weir_file_close(file), 0);
}

static void an_error_names_the_path(void)
{
    assert_null(weir_file_open("/nonexistent/file", O_RDONLY, 0));
    assert_int_equal(errno, ENOENT);
    assert_string_equal(weir_error()->sentence, "open /nonexistent/file: no such file or directory");
    assert_null(weir_file_adopt(-1, false));
    assert_int_equal(errno, EBADF);
    assert_string_equal(weir_error()->sentence, "adopt descriptor -1: bad file descriptor");
}

static void a_directory_is_not_read(void)
{
    char buffer[8];
    weir_file *file = weir_file_open(folder, O_RDONLY | O_DIRECTORY, 0);
    assert_non_null(file);
    assert_int_equal(weir_file_read(file, buffer, sizeof buffer, WEIR_FOREVER), -1);
    assert_int_equal(errno, EISDIR);
    assert_int_equal(weir_file_size(file), -1);
    assert_int_equal(errno, ESPIPE);
    assert_int_equal(weir_file_close(file), 0);
}

static void devices_that_never_wait(void)
{
    char buffer[8] = "xxxxxxx";
    weir_file *null = weir_file_open("/dev/null", O_RDWR, 0);
    assert_int_equal(weir_file_read(null, buffer, sizeof buffer, WEIR_NOW), 0);
    assert_int_equal(weir_file_write_all(null, buffer, sizeof buffer, WEIR_NOW), 0);
    weir_file *zero = weir_file_open("/dev/zero", O_RDONLY, 0);
    assert_int_equal(weir_file_read(zero, buffer, sizeof buffer, WEIR_NOW), sizeof buffer);
    assert_int_equal(buffer[0], 0);
    weir_file *full = weir_file_open("/dev/full", O_RDWR, 0);
    assert_int_equal(weir_file_write_all(full, buffer, sizeof buffer, WEIR_NOW), -1);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(weir_error()->transferred, 0);
    assert_string_equal(weir_error()->sentence, "write /dev/full: no space left on device");
    assert_int_equal(weir_file_close(null), 0);
    assert_int_equal(weir_file_close(zero), 0);
    assert_int_equal(weir_file_close(full), 0);
}

static int use_when_cancelled(void *file)
{
    char byte;
    weir_cancel_fiber(weir_self());
    if (weir_file_write_all(file, "x", 1, WEIR_FOREVER) != -1 || errno != ECANCELED)
        return 1;
    if (weir_file_read_at(file, &byte, 1, 0) != -1 || errno != ECANCELED)
        return 2;
    return weir_file_size(file) == 0 ? 0 : 3;
}

static void a_cancelled_fiber_begins_nothing(void)
{
    int result;
    weir_file *file = weir_file_open(path_in_folder("plain"), O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_non_null(file);
    assert_int_equal(weir_join(weir_spawn(use_when_cancelled, file, NULL), &result, SOON), 0);
    assert_int_equal(result, 0);
    assert_int_equal(weir_file_close(file), 0);
}

/* --- a file outlives a loop --- */

static int read_in_fiber(void *file)
{
    char byte;
    return weir_file_read(file, &byte, 1, weir_deadline(WEIR_MS(2))) == -1 ? errno : 0;
}

/* What fibers of a loop waited on may be used without it, and on the next one. */
static void a_file_outlives_its_loop(void **state)
{
    char byte;
    weir_file *end[2];
    (void)state;
    assert_int_equal(weir_pipe(end), 0);
    for (int round = 0; round < 2; round++) {
        weir_backend backend = round ? WEIR_BACKEND_EPOLL : WEIR_BACKEND_AUTO;
        const weir_loop_options *options = WEIR_OPTIONS(weir_loop_options, .backend = backend);
        assert_int_equal(weir_run(read_in_fiber, end[0], options), ETIMEDOUT);
        assert_int_equal(weir_file_read(end[0], &byte, 1, WEIR_NOW), -1);
        assert_int_equal(errno, ETIMEDOUT);
    }
    int fd = weir_file_fd(end[0]);
    assert_int_equal(weir_file_close(end[0]), 0);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(weir_file_close(end[1]), 0);
}

/* --- the standard files, in a program of its own --- */

/* What the program does that closed_standard_files starts: its status is the number of the first check that failed. */
static int with_closed_standard_files(void)
{
    char byte;
    if (weir_file_read(weir_stdin(), &byte, 1, WEIR_FOREVER) != 0)
        return 1;
    if (weir_file_write_all(weir_stdout(), "x", 1, WEIR_FOREVER) != -1 || errno != EBADF)
        return 2;
    if (strcmp(weir_error()->sentence, "write stdout: bad file descriptor") != 0)
        return 3;
    weir_file *file = weir_file_open("/dev/null", O_RDWR, 0);
    if (!file || weir_file_fd(file) < 3)
        return 4;
    weir_file *end[2];
    if (weir_pipe(end) < 0 || weir_file_fd(end[0]) < 3 || weir_file_fd(end[1]) < 3)
        return 5;
    /* By now something else has their numbers, and is not taken for them. */
    int first = open("/dev/null", O_RDWR);
    int second = open("/dev/null", O_RDWR);
    if (first != 0 || second != 1)
        return 6;
    if (weir_file_write_all(weir_stdout(), "x", 1, WEIR_FOREVER) != -1 || errno != EBADF)
        return 7;
    weir_file_close(end[0]);
    weir_file_close(end[1]);
    weir_file_close(file);
    return weir_file_close(weir_stdout());
}

static int copy_stdin_to_stdout(void)
{
    char buffer[100];
    ssize_t got;
    while ((got = weir_file_read(weir_stdin(), buffer, sizeof buffer, SOON)) > 0)
        if (weir_file_write_all(weir_stdout(), buffer, (size_t)got, SOON) < 0)
            return 1;
    return got < 0 || weir_file_close(weir_stdin()) != 0;
}

static const char *own_path;

static int status_of_shell(const char *command)
{
    int status = -1;
    const char *const argv[] = {"/bin/sh", "-c", command, own_path, NULL};
    weir_process *process = weir_process_start(argv, NULL);
    assert_non_null(process);
    assert_int_equal(weir_process_wait(process, &status, SOON), 0);
    weir_process_free(process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void closed_standard_files(void)
{
    assert_int_equal(status_of_shell("exec \"$0\" closed <&- >&- 2>&-"), 0);
}

static void standard_files_of_each_kind(void)
{
    assert_int_equal(status_of_shell("[ \"$(echo hello | \"$0\" copy)\" = hello ]"), 0);
    assert_int_equal(status_of_shell("[ \"$(\"$0\" copy <\"$0\" | cksum)\" = \"$(cksum <\"$0\")\" ]"), 0);
    assert_int_equal(status_of_shell("\"$0\" copy </dev/null >/dev/null"), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path_in_folder("plain"));
    return rmdir(folder);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "closed") == 0)
        return with_closed_standard_files();
    if (argc == 2 && strcmp(argv[1], "copy") == 0)
        return copy_stdin_to_stdout();
    own_path = argv[0];
    const struct CMUnitTest tests[] = {
        EVERYWHERE(a_file_is_written_and_read),      EVERYWHERE(an_error_names_the_path),
        EVERYWHERE(a_directory_is_not_read),         EVERYWHERE(devices_that_never_wait),
        EVERYWHERE(closed_standard_files),           EVERYWHERE(standard_files_of_each_kind),
        IN_FIBERS(a_cancelled_fiber_begins_nothing), cmocka_unit_test(a_file_outlives_its_loop),
    };
    return cmocka_run_group_tests_name("files", tests, make_folder, remove_folder);
}
