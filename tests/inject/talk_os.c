/* Conversations with files, pipes, child processes and signals. */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "talks.h"

/* --- files --- */

static bool write_file(weir_file *file)
{
    TRY(weir_file_write_all(file, "hello ", 6, SOON));
    TRY(weir_file_write_all(file, "world\n", 6, SOON));
    TRY(weir_file_write_at(file, "W", 1, 6));
    TRY(weir_file_sync(file));
    int64_t size = weir_file_size(file);
    TRY(size);
    return size == 12 || wrong("the size is %d", (int)size);
}

static bool read_file(weir_file *file)
{
    char got[64];
    size_t length = 0;
    for (ssize_t more = 1; more > 0; length += (size_t)more) {
        more = weir_file_read(file, got + length, sizeof got - length, SOON);
        TRY(more);
    }
    if (!is_text("weir_file_read", got, length, "hello World\n"))
        return false;
    ssize_t at = weir_file_read_at(file, got, 3, 6);
    TRY(at);
    return is_text("weir_file_read_at", got, (size_t)at, "Wor");
}

static bool with_file(int flags, bool (*use)(weir_file *file))
{
    weir_file *file = weir_file_open("file", flags, 0600);
    if (!file)
        return failed("weir_file_open");
    bool well = use(file);
    if (weir_file_close(file) < 0)
        return failed("weir_file_close");
    return well;
}

static bool files(void)
{
    unlink("file");
    return with_file(O_RDWR | O_CREAT, write_file) && with_file(O_RDONLY, read_file);
}

/* --- pipes --- */

enum { LONG = 100000 }; /* more than a pipe holds */

static int write_long(void *arg)
{
    static char text[LONG];
    memset(text, 'p', sizeof text);
    int result = weir_file_write_all(arg, text, sizeof text, SOON) < 0 ? failed("weir_file_write_all") - 1 : 0;
    if (weir_file_close(arg) < 0)
        result = failed("weir_file_close") - 1;
    return result;
}

static bool read_long(weir_file *file)
{
    static char got[4096];
    size_t length = 0;
    for (;;) {
        ssize_t more = weir_file_read(file, got, sizeof got, SOON);
        TRY(more);
        if (more == 0)
            break;
        for (ssize_t i = 0; i < more; i++)
            if (got[i] != 'p')
                return wrong("byte %zu is %d", length + (size_t)i, got[i]);
        length += (size_t)more;
    }
    return length == LONG || (length < LONG ? cut_short("weir_file_read") : wrong("%zu bytes came", length));
}

static bool pipes(void)
{
    weir_file *ends[2];
    TRY(weir_pipe(ends));
    weir_fiber *writer = weir_spawn(write_long, ends[1], NULL);
    bool well = writer && read_long(ends[0]);
    if (!writer) {
        failed("weir_spawn");
        weir_file_close(ends[1]);
    }
    if (weir_file_close(ends[0]) < 0)
        well = failed("weir_file_close");
    return writer && join(writer) && well;
}

/* A named pipe: what is waited on is the pool. */
static bool adopted(void)
{
    int pair[2];
    char got[8];
    if (pipe(pair) < 0)
        return false;
    weir_file *reader = weir_file_adopt(pair[0], true), *writer = NULL;
    bool well = reader || failed("weir_file_adopt");
    if (well && !(writer = weir_file_adopt(pair[1], false)))
        well = failed("weir_file_adopt");
    if (well && weir_file_write_all(writer, "through", 7, SOON) < 0)
        well = failed("weir_file_write_all");
    ssize_t length = well ? weir_file_read(reader, got, sizeof got, SOON) : 0;
    if (length < 0)
        well = failed("weir_file_read");
    well = well && is_text("weir_file_read", got, (size_t)length, "through");
    weir_file_close(writer);
    close(pair[1]);
    if (reader)
        weir_file_close(reader);
    else
        close(pair[0]);
    return well;
}

/* --- processes --- */

static bool talk_to_cat(weir_process *process)
{
    char got[32];
    size_t length = 0;
    TRY(weir_file_write_all(weir_process_file(process, 0), "to the child", 12, SOON));
    weir_process_close_file(process, 0);
    for (ssize_t more = 1; more > 0; length += (size_t)more) {
        more = weir_file_read(weir_process_file(process, 1), got + length, sizeof got - length, SOON);
        TRY(more);
    }
    int status;
    TRY(weir_process_wait(process, &status, SOON));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return cut_short("weir_process_wait");
    return length == 12 ? is_text("weir_file_read", got, length, "to the child") : cut_short("weir_file_read");
}

static weir_process *start(const char *const *argv)
{
    static const char *const environment[] = {"WEIR_TEST=1", NULL};
    weir_process *process =
        weir_process_start(argv, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE, .output = WEIR_STDIO_PIPE,
                                              .error = WEIR_STDIO_NULL, .environment = environment, .directory = "/",
                                              .end_group = true, .die_with_parent = true));
    if (!process)
        failed("weir_process_start");
    return process;
}

static bool processes(void)
{
    weir_process *process = start((const char *const[]){"cat", NULL});
    bool well = process && talk_to_cat(process);
    weir_process_free(process);
    return well;
}

static bool killed(void)
{
    int status = 0;
    weir_process *process = start((const char *const[]){"sleep", "100", NULL});
    if (!process)
        return false;
    bool well = weir_process_kill(process, SIGTERM) == 0 || failed("weir_process_kill");
    if (well && weir_process_wait(process, &status, SOON) < 0)
        well = failed("weir_process_wait");
    well = well && (WIFSIGNALED(status) || wrong("the status is %d", status));
    pid_t id = weir_process_id(process);
    weir_process_free(process);
    if (waitpid(id, NULL, WNOHANG) == 0) { /* it could not be killed, and was left to itself */
        kill(id, SIGKILL);
        waitpid(id, NULL, 0);
        well = cut_short("weir_process_free");
    }
    return well;
}

/* --- signals --- */

static bool signals(void)
{
    static const int wanted[] = {SIGUSR1, SIGUSR2};
    weir_signals *signals = weir_signals_new(wanted, 2);
    if (!signals)
        return failed("weir_signals_new");
    raise(SIGUSR2);
    int got = weir_signals_wait(signals, SOON);
    bool well = got < 0 ? failed("weir_signals_wait") : got == SIGUSR2 || wrong("signal %d came", got);
    /* Nobody waits for one that was missed: it must not end the process when the mask is given back. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigtimedwait(&set, NULL, &(struct timespec){0});
    weir_signals_free(signals);
    return well;
}

const struct conversation os_talks[] = {
    {"files", files, .in_fiber = true},
    {"files_in_thread", files, .once = true},
    {"pipes", pipes, .in_fiber = true},
    {"adopted_files", adopted, .in_fiber = true},
    {"adopted_files_in_thread", adopted, .once = true},
    {"processes", processes, .in_fiber = true},
    {"killed_process", killed, .once = true},
    {"signals", signals, .in_fiber = true},
    {"signals_in_thread", signals, .once = true},
    {0},
};
