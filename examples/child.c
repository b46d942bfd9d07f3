/* A child process with pipes: writes to it and reads from it at the same time, then looks at how it ended. */
#include <stdio.h>
#include <sys/wait.h>
#include <weir/weir.h>

static int feed(void *arg)
{
    weir_process *child = arg;
    int result = weir_file_write_all(weir_process_file(child, 0), "hello, child\n", 13, WEIR_FOREVER);
    weir_process_close_file(child, 0);
    return result;
}

static int talk(void *arg)
{
    const char *const argv[] = {"tr", "a-z", "A-Z", NULL};
    weir_process *child = weir_process_start(
        argv, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE, .output = WEIR_STDIO_PIPE));
    if (!child || !weir_spawn(feed, child, WEIR_OPTIONS(weir_fiber_options, .detached = true))) {
        weir_log_error();
        weir_process_free(child);
        return 1;
    }
    char data[4096];
    ssize_t size;
    while ((size = weir_file_read(weir_process_file(child, 1), data, sizeof data, WEIR_FOREVER)) > 0)
        fwrite(data, 1, (size_t)size, stdout);
    int status = -1;
    weir_process_wait(child, &status, weir_deadline(WEIR_S(5)));
    printf("it ended with status %d\n", WEXITSTATUS(status));
    weir_process_free(child);
    return 0;
}

int main(void) { return weir_run(talk, NULL, NULL); }
