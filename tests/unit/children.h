/* Starting shells and reading what they print. */
#ifndef WEIR_TESTS_CHILDREN_H
#define WEIR_TESTS_CHILDREN_H

#include "everywhere.h"

#include <sys/wait.h>
#include <weir/process.h>
#include <weir/time.h>

static inline weir_process *start_shell(const char *command, const weir_process_options *options)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    weir_process *process = weir_process_start(argv, options);
    assert_non_null(process);
    return process;
}

static inline int status_of(weir_process *process)
{
    int status = -1;
    assert_int_equal(weir_process_wait(process, &status, SOON), 0);
    return status;
}

/* All that the file has until its end, as text. */
static inline const char *read_all(weir_file *file)
{
    static char text[65536];
    size_t length = 0;
    ssize_t got;
    while ((got = weir_file_read(file, text + length, sizeof text - 1 - length, SOON)) > 0)
        length += (size_t)got;
    assert_int_equal(got, 0);
    text[length] = '\0';
    return text;
}

/* What a command prints. It must end well. */
static inline const char *output_with(const char *command, weir_process_options options)
{
    options.size = sizeof options;
    options.output = WEIR_STDIO_PIPE;
    weir_process *process = start_shell(command, &options);
    const char *text = read_all(weir_process_file(process, 1));
    assert_int_equal(status_of(process), 0);
    weir_process_free(process);
    return text;
}

static inline const char *output_of(const char *command)
{
    return output_with(command, (weir_process_options){0});
}

#endif
