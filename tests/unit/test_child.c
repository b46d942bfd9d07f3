/* What a child inherits of the program, and what it does not: descriptors, signals, limits, environment, directory. */
#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weir/error.h>

#include "engine/sanitizer.h"
#include "os/original.h"

/* --- descriptors --- */

static void it_has_three_descriptors_and_no_more(void)
{
    int open_ones[2];
    assert_int_equal(pipe(open_ones), 0); /* without O_CLOEXEC */
    assert_string_equal(output_of("ls /proc/$$/fd"), "0\n1\n2\n");
    close(open_ones[0]);
    close(open_ones[1]);
}

static void nothing_is_there_if_so_wished(void)
{
    const weir_process_options options = {.input = WEIR_STDIO_NULL, .error = WEIR_STDIO_NULL};
    assert_string_equal(output_with("readlink /proc/$$/fd/0 /proc/$$/fd/2; cat", options), "/dev/null\n/dev/null\n");
}

static void errors_have_a_pipe_of_their_own(void)
{
    weir_process *process =
        start_shell("echo out; echo err >&2",
                    WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_PIPE, .error = WEIR_STDIO_PIPE));
    assert_string_equal(read_all(weir_process_file(process, 1)), "out\n");
    assert_string_equal(read_all(weir_process_file(process, 2)), "err\n");
    assert_int_equal(status_of(process), 0);
    weir_process_free(process);
}

static void descriptors_are_handed_over(void)
{
    weir_file *end[2];
    assert_int_equal(weir_pipe(end), 0);
    int fd = weir_file_fd(end[1]);
    weir_process *process =
        start_shell("echo out; echo err >&2", WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_FD,
                                                           .output_fd = fd, .error = WEIR_STDIO_FD, .error_fd = fd));
    assert_int_equal(status_of(process), 0);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* it stays ours */
    weir_file_close(end[1]);
    assert_string_equal(read_all(end[0]), "out\nerr\n");
    weir_file_close(end[0]);
    weir_process_free(process);
}

/* One program's output is the next one's input, and blocks for it as it would in a shell. */
static void a_pipeline_is_built(void)
{
    weir_process *first = start_shell("for n in 1 2 3; do sleep 0.01; echo $n; done",
                                      WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_PIPE));
    int fd = weir_file_fd(weir_process_file(first, 1));
    assert_string_equal(output_with("cat", (weir_process_options){.input = WEIR_STDIO_FD, .input_fd = fd}),
                        "1\n2\n3\n");
    assert_int_equal(status_of(first), 0);
    weir_process_free(first);
}

/* What is given for one of the three may be another of the three. */
static void descriptors_are_exchanged(void)
{
    int saved[2] = {dup(1), dup(2)};
    int one[2], two[2];
    assert_int_equal(pipe(one), 0);
    assert_int_equal(pipe(two), 0);
    fflush(stdout);
    dup2(one[1], 1);
    dup2(two[1], 2);
    const char *const argv[] = {"/bin/sh", "-c", "echo out; echo err >&2", NULL};
    weir_process *process =
        weir_process_start(argv, WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_FD, .output_fd = 2,
                                              .error = WEIR_STDIO_FD, .error_fd = 1));
    dup2(saved[0], 1);
    dup2(saved[1], 2);
    assert_non_null(process);
    assert_int_equal(status_of(process), 0);
    weir_process_free(process);
    char buffer[16];
    assert_int_equal(read(one[0], buffer, sizeof buffer), 4);
    assert_memory_equal(buffer, "err\n", 4);
    assert_int_equal(read(two[0], buffer, sizeof buffer), 4);
    assert_memory_equal(buffer, "out\n", 4);
    for (int index = 0; index < 2; index++) {
        close(saved[index]);
        close(one[index]);
        close(two[index]);
    }
}

/* --- signals and limits --- */

static void ignore_handled(int number)
{
    (void)number;
}

static unsigned long long mask_in(const char *status, const char *name)
{
    const char *line = strstr(status, name);
    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 16);
}

static void its_signals_are_as_the_program_found_them(void)
{
    sigset_t set, before;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGWINCH, SIG_IGN);
    signal(SIGUSR2, ignore_handled);

    const char *const argv[] = {"cat", "/proc/self/status", NULL};
    weir_process *process = weir_process_start(argv, WEIR_OPTIONS(weir_process_options, .output = WEIR_STDIO_PIPE));
    assert_non_null(process);
    const char *status = read_all(weir_process_file(process, 1));
    assert_int_equal(mask_in(status, "SigBlk:"), 0);
    assert_int_equal(mask_in(status, "SigCgt:"), 0);
    assert_int_equal(mask_in(status, "SigIgn:") & (1ULL << (SIGPIPE - 1)), 0);
    assert_int_not_equal(mask_in(status, "SigIgn:") & (1ULL << (SIGWINCH - 1)), 0); /* as with exec */
    weir_process_free(process);

    struct sigaction ours;
    assert_int_equal(sigaction(SIGUSR2, NULL, &ours), 0);
    assert_ptr_equal(ours.sa_handler, ignore_handled); /* the child's changes were its own */
    signal(SIGPIPE, SIG_DFL);
    signal(SIGWINCH, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void its_descriptor_limit_is_the_one_the_program_had(void)
{
    struct rlimit before, changed;
#if WEIR__VALGRIND
    if (RUNNING_ON_VALGRIND) /* which keeps some descriptors for itself */
        return;
#endif
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    changed = before;
    changed.rlim_cur = before.rlim_cur == before.rlim_max ? before.rlim_cur - 1 : before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &changed), 0);
    rlim_t seen = strtoull(output_of("ulimit -Sn"), NULL, 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(seen, before.rlim_cur);
    assert_int_equal(seen, weir__original()->files.rlim_cur);
}

/* --- environment, directory, path --- */

static void its_environment_is_ours_with_changes(void)
{
    static const char *const changes[] = {"CHILD_CHANGED=2", "CHILD_NEW=3", "CHILD_NEW=4", "CHILD_EMPTY=", NULL};
    setenv("CHILD_KEPT", "1", 1);
    setenv("CHILD_CHANGED", "1", 1);
    const char *text = output_with("env | grep ^CHILD_ | sort", (weir_process_options){.environment = changes});
    assert_string_equal(text, "CHILD_CHANGED=2\nCHILD_EMPTY=\nCHILD_KEPT=1\nCHILD_NEW=4\n");
    assert_string_equal(getenv("CHILD_CHANGED"), "1");
    unsetenv("CHILD_KEPT");
    unsetenv("CHILD_CHANGED");
}

static void its_name_may_be_another_than_its_program(void)
{
    const char *const argv[] = {"another", "-c", "echo $0", NULL};
    weir_process *process =
        weir_process_start(argv, WEIR_OPTIONS(weir_process_options, .program = "sh", .output = WEIR_STDIO_PIPE));
    assert_non_null(process);
    assert_string_equal(read_all(weir_process_file(process, 1)), "another\n");
    assert_int_equal(status_of(process), 0);
    weir_process_free(process);
}

static void it_runs_in_a_directory(void)
{
    assert_string_equal(output_with("pwd", (weir_process_options){.directory = "/proc"}), "/proc\n");
}

static void start_with_path(const char *path, const char *directory, int number)
{
    const char *const environment[] = {path, NULL};
    const char *const argv[] = {"weir-program", NULL};
    weir_process *process = weir_process_start(
        argv, WEIR_OPTIONS(weir_process_options, .environment = environment, .directory = directory));
    if (number == 0) {
        assert_non_null(process);
        assert_int_equal(status_of(process), 0);
    } else {
        assert_null(process);
        assert_int_equal(errno, number);
    }
    weir_process_free(process);
}

enum { PATH_ROOM = 64 };

static void make_program(const char *folder, mode_t mode, char path[PATH_ROOM])
{
    snprintf(path, PATH_ROOM, "%s/weir-program", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    assert_int_equal(write(fd, "#!/bin/true\n", 12), 12);
    close(fd);
}

/* The PATH is the child's, searched as by execvp(3). */
static void it_is_looked_up(void)
{
    char folder[] = "/tmp/weir-test-XXXXXX", other[] = "/tmp/weir-test-XXXXXX";
    char program[PATH_ROOM], no_program[PATH_ROOM], path[128];
    assert_non_null(mkdtemp(folder));
    assert_non_null(mkdtemp(other));
    make_program(folder, 0700, program);
    make_program(other, 0600, no_program);
    snprintf(path, sizeof path, "PATH=/nonexistent:%s:%s:/bin/sh", other, folder);
    start_with_path(path, NULL, 0);
    snprintf(path, sizeof path, "PATH=%s:/nonexistent", other);
    start_with_path(path, NULL, EACCES);
    start_with_path("PATH=/nonexistent:/bin/sh", NULL, ENOENT);
    start_with_path("PATH=/nonexistent:", folder, 0); /* an empty part is the directory it runs in */
    unlink(program);
    unlink(no_program);
    rmdir(folder);
    rmdir(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVERYWHERE(it_has_three_descriptors_and_no_more),
        EVERYWHERE(nothing_is_there_if_so_wished),
        EVERYWHERE(errors_have_a_pipe_of_their_own),
        EVERYWHERE(descriptors_are_handed_over),
        EVERYWHERE(a_pipeline_is_built),
        EVERYWHERE(descriptors_are_exchanged),
        EVERYWHERE(its_signals_are_as_the_program_found_them),
        EVERYWHERE(its_descriptor_limit_is_the_one_the_program_had),
        EVERYWHERE(its_environment_is_ours_with_changes),
        EVERYWHERE(its_name_may_be_another_than_its_program),
        EVERYWHERE(it_runs_in_a_directory),
        EVERYWHERE(it_is_looked_up),
    };
    return cmocka_run_group_tests_name("what a child inherits", tests, NULL, NULL);
}
