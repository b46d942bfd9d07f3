/* The life of child processes: their pipes, their ends, what cannot be started, and that none is left behind. */
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/error.h>

static bool is_gone(pid_t id)
{
    return kill(id, 0) < 0 && errno == ESRCH;
}

/* --- its pipes and its end --- */

static void it_is_talked_to_through_pipes(void)
{
    const char *const argv[] = {"cat", NULL};
    weir_process *process = weir_process_start(
        argv, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE, .output = WEIR_STDIO_PIPE));
    assert_non_null(process);
    assert_null(weir_process_file(process, 2));
    assert_null(weir_process_file(process, 3));
    assert_int_equal(weir_file_write_all(weir_process_file(process, 0), "hello", 5, SOON), 0);
    char buffer[16];
    assert_int_equal(weir_file_read(weir_process_file(process, 1), buffer, sizeof buffer, SOON), 5);
    assert_memory_equal(buffer, "hello", 5);
    weir_process_close_file(process, 0);
    assert_null(weir_process_file(process, 0));
    assert_int_equal(weir_file_read(weir_process_file(process, 1), buffer, sizeof buffer, SOON), 0);
    assert_int_equal(status_of(process), 0);
    assert_int_equal(status_of(process), 0); /* as often as one likes */
    weir_process_free(process);
}

static void its_end_is_told_as_by_waitpid(void)
{
    weir_process *process = start_shell("exit 7", NULL);
    int status = status_of(process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(weir_process_kill(process, SIGTERM), 0); /* too late, and no harm */
    weir_process_free(process);

    process = start_shell("kill -USR1 $$", NULL);
    status = status_of(process);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGUSR1);
    weir_process_free(process);
}

static void waiting_has_a_deadline(void)
{
    weir_process *process = start_shell("exec sleep 100", NULL);
    assert_int_equal(weir_process_wait(process, NULL, WEIR_NOW), -1);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(weir_process_wait(process, NULL, weir_deadline(WEIR_MS(5))), -1);
    assert_int_equal(weir_error()->kind, WEIR_ERROR_DEADLINE);
    assert_int_equal(weir_process_kill(process, SIGTERM), 0);
    assert_int_equal(WTERMSIG(status_of(process)), SIGTERM);
    weir_process_free(process);
}

static int wait_for_ever(void *process)
{
    return weir_process_wait(process, NULL, WEIR_FOREVER) < 0 ? errno : 0;
}

static void one_waits_at_a_time_and_may_be_cancelled(void)
{
    int result;
    weir_process *process = start_shell("exec sleep 100", NULL);
    weir_fiber *waiter = weir_spawn(wait_for_ever, process, NULL);
    weir_yield();
    assert_int_equal(weir_process_wait(process, NULL, SOON), -1);
    assert_int_equal(errno, EBUSY);
    weir_cancel_fiber(waiter);
    assert_int_equal(weir_join(waiter, &result, SOON), 0);
    assert_int_equal(result, ECANCELED);
    pid_t id = weir_process_id(process);
    weir_process_free(process);
    assert_true(is_gone(id));
}

static void *kill_soon(void *process)
{
    weir_sleep(WEIR_MS(5));
    weir_process_kill(process, SIGKILL);
    return NULL;
}

static void it_is_killed_from_another_thread(void)
{
    weir_process *process = start_shell("exec sleep 100", NULL);
    pthread_t other = beside(kill_soon, process);
    assert_int_equal(WTERMSIG(status_of(process)), SIGKILL);
    join_beside(other);
    weir_process_free(process);
}

static void freeing_kills_and_reaps(void)
{
    weir_process *process = start_shell("trap '' TERM; exec sleep 100", NULL);
    pid_t id = weir_process_id(process);
    weir_process_free(process);
    assert_true(is_gone(id));
    weir_process_free(NULL);
}

static int free_in_fiber(void *process)
{
    weir_cancel_fiber(weir_self());
    weir_process_free(process);
    return 0;
}

static void even_a_cancelled_fiber_reaps(void)
{
    weir_process *process = start_shell("exec sleep 100", NULL);
    pid_t id = weir_process_id(process);
    assert_int_equal(weir_join(weir_spawn(free_in_fiber, process, NULL), NULL, SOON), 0);
    assert_true(is_gone(id));
}

static void a_group_is_killed_whole(void)
{
    weir_process *process = start_shell(
        "sleep 100 & echo $!; wait", WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_PIPE, .new_group = true));
    char line[32] = "";
    assert_true(weir_file_read(weir_process_file(process, 1), line, sizeof line - 1, SOON) > 0);
    pid_t grandchild = atoi(line);
    assert_int_equal(getpgid(grandchild), weir_process_id(process));
    assert_int_equal(weir_process_kill(process, SIGKILL), 0);
    assert_int_equal(WTERMSIG(status_of(process)), SIGKILL);
    /* Its end of the pipe goes with the last of the group. */
    assert_int_equal(weir_file_read(weir_process_file(process, 1), line, sizeof line, SOON), 0);
    weir_process_free(process);
}

static void what_it_leaves_behind_may_end_with_it(void)
{
    weir_process *process = start_shell(
        "sleep 100 & echo $!", WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_PIPE, .end_group = true));
    char line[32] = "";
    assert_true(weir_file_read(weir_process_file(process, 1), line, sizeof line - 1, SOON) > 0);
    assert_int_equal(getpgid(atoi(line)), weir_process_id(process));
    assert_int_equal(WEXITSTATUS(status_of(process)), 0);
    assert_int_equal(weir_file_read(weir_process_file(process, 1), line, sizeof line, SOON), 0);
    weir_process_free(process);
}

static void *start_and_end(void *process)
{
    *(weir_process **)process =
        start_shell("exec sleep 100", WEIR_OPTIONS(weir_process_options, .die_with_parent = true));
    return NULL;
}

static void it_dies_with_the_thread_that_started_it(void)
{
    weir_process *process = NULL;
    join_beside(beside(start_and_end, &process));
    assert_int_equal(WTERMSIG(status_of(process)), SIGKILL);
    weir_process_free(process);
}

/* Where the program ignores SIGCHLD the kernel reaps: the end is noticed, its status is lost. */
static void an_end_that_was_reaped_elsewhere_is_noticed(void)
{
    signal(SIGCHLD, SIG_IGN);
    weir_process *process = start_shell("exit 3", NULL);
    assert_int_equal(weir_process_wait(process, NULL, SOON), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(weir_process_kill(process, SIGTERM), 0);
    weir_process_free(process);
    signal(SIGCHLD, SIG_DFL);
}

/* --- what cannot be started --- */

static void assert_not_started(const char *name, const weir_process_options *options, int number, const char *sentence)
{
    const char *const argv[] = {name, NULL};
    assert_null(weir_process_start(argv, options));
    assert_int_equal(errno, number);
    assert_string_equal(weir_error()->sentence, sentence);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void what_cannot_be_started_is_told(void)
{
    static const char *const wrong[] = {"nonsense", NULL};
    assert_not_started("no-such-program", NULL, ENOENT, "exec no-such-program: no such file or directory");
    assert_not_started("", NULL, ENOENT, "exec: no such file or directory");
    assert_not_started("/etc", NULL, EACCES, "exec /etc: permission denied");
    assert_not_started("cat", WEIR_OPTIONS(weir_process_options, .directory = "/nonexistent"), ENOENT,
                       "chdir /nonexistent: no such file or directory");
    assert_not_started("cat", WEIR_OPTIONS(weir_process_options, .environment = wrong), EINVAL,
                       "start nonsense: is no NAME=value");
    assert_not_started("cat", WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_FD, .output_fd = 9999), EBADF,
                       "start descriptor for the child: bad file descriptor");
    const char *const nothing[] = {NULL};
    assert_null(weir_process_start(nothing, NULL));
    assert_int_equal(errno, EINVAL);
}

/* A script without #! is no program: execvp(3) would give it to a shell. */
static void no_shell_helps_out(void)
{
    char path[] = "/tmp/weir-test-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "exit 0\n", 7), 7);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
    const char *const argv[] = {path, NULL};
    assert_null(weir_process_start(argv, NULL));
    assert_int_equal(errno, ENOEXEC);
    unlink(path);
}

static int start_when_cancelled(void *arg)
{
    const char *const argv[] = {"cat", NULL};
    weir_cancel_fiber(weir_self());
    return weir_process_start(argv, arg) ? 0 : errno;
}

static void a_cancelled_fiber_starts_nothing(void)
{
    int result;
    assert_int_equal(weir_join(weir_spawn(start_when_cancelled, NULL, NULL), &result, SOON), 0);
    assert_int_equal(result, ECANCELED);
}

/* --- with one call after the other failing --- */

static int calls_left; /* of those that succeed, until one fails */

static bool fails(int number)
{
    errno = number;
    return calls_left-- == 0;
}

static int failing_pipe2(int pair[2], int flags)
{
    return fails(EMFILE) ? -1 : weir__kernel.pipe2(pair, flags);
}

static int failing_open(const char *path, int flags, mode_t mode)
{
    return fails(EMFILE) ? -1 : weir__kernel.open(path, flags, mode);
}

static int failing_fstat(int fd, struct stat *status)
{
    return fails(EOVERFLOW) ? -1 : weir__kernel.fstat(fd, status);
}

static int failing_clone(int (*function)(void *), void *stack, int flags, void *arg, int *pidfd)
{
    return fails(EAGAIN) ? -1 : weir__kernel.clone(function, stack, flags, arg, pidfd);
}

static int lowest_free_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(fd);
    return fd;
}

static weir_process *start_with_a_failure_after(int calls)
{
    const char *const argv[] = {"true", NULL};
    calls_left = calls;
    return weir_process_start(argv, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE,
                                                 .output = WEIR_STDIO_PIPE, .error = WEIR_STDIO_NULL));
}

/* Whichever call fails, it is told, and neither a descriptor nor a child is left. */
static void each_failure_leaves_nothing_behind(void **state)
{
    struct weir__system failing = weir__kernel;
    failing.pipe2 = failing_pipe2;
    failing.open = failing_open;
    failing.fstat = failing_fstat;
    failing.clone = failing_clone;
    (void)state;
    int descriptor = lowest_free_descriptor(); /* threads of other tests may close theirs meanwhile */
    int calls = 0;
    weir_process *process;
    weir__system_here = &failing;
    while ((process = start_with_a_failure_after(calls)) == NULL) {
        assert_true(errno == EMFILE || errno == EOVERFLOW || errno == EAGAIN);
        assert_int_equal(weir_error()->number, errno);
        assert_true(lowest_free_descriptor() <= descriptor);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        calls++;
    }
    weir__system_here = &weir__kernel;
    assert_true(calls >= 7); /* three pipes, a device, two files, a child */
    assert_int_equal(status_of(process), 0);
    weir_process_free(process);
    assert_true(lowest_free_descriptor() <= descriptor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(it_is_talked_to_through_pipes),
        EVERYWHERE(its_end_is_told_as_by_waitpid),
        EVERYWHERE(waiting_has_a_deadline),
        IN_FIBERS(one_waits_at_a_time_and_may_be_cancelled),
        EVERYWHERE(it_is_killed_from_another_thread),
        EVERYWHERE(freeing_kills_and_reaps),
        IN_FIBERS(even_a_cancelled_fiber_reaps),
        EVERYWHERE(a_group_is_killed_whole),
        EVERYWHERE(what_it_leaves_behind_may_end_with_it),
        EVERYWHERE(it_dies_with_the_thread_that_started_it),
        EVERYWHERE(an_end_that_was_reaped_elsewhere_is_noticed),
        EVERYWHERE(what_cannot_be_started_is_told),
        EVERYWHERE(no_shell_helps_out),
        IN_FIBERS(a_cancelled_fiber_starts_nothing),
        cmocka_unit_test(each_failure_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("child processes", tests, NULL, NULL);
}
