/* The table of commands, and what all commands do with their arguments. */
#include "commands.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "page.h"

const struct command *const commands[] = {
    &serve_command, &run_command,    &ask_command,        &connect_command, &listen_command,
    &relay_command, &tunnel_command, &pull_command,       &check_command,   &threat_command,
    &user_command,  &bench_command,  &completion_command, &help_command,    NULL,
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; commands[i]; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

const weir_option common_options[] = {
    {WEIR_OPTION_FLAG, "help", 'h', NULL, offsetof(struct common_settings, help), "prints this and exits"},
    {0},
};

int command_line_parse(struct command_line *line, const weir_option_set *sets, size_t count, int argc,
                       char *const *argv)
{
    memset(line, 0, sizeof *line);
    for (size_t i = 0; i < count; i++)
        line->sets[line->count++] = sets[i];
    line->sets[line->count++] = (weir_option_set){common_options, &line->common};
    return weir_options_parse(line->sets, line->count, argc, argv, &line->arguments);
}

void command_line_free(struct command_line *line)
{
    weir_options_free(line->sets, line->count, &line->arguments);
}

bool command_begin(const struct command *command, struct command_line *line, const weir_option_set *sets, size_t count,
                   int argc, char *const *argv, int *status)
{
    if (command_line_parse(line, sets, count, argc, argv) < 0) {
        *status = failed();
        return false;
    }
    if (!line->common.help)
        return true;
    struct page page;
    page_of_command(&page, command);
    *status = help_print(&page);
    return false;
}

static bool records;

void errors_are_records(void)
{
    records = true;
}

void tell_error(void)
{
    char text[1024];
    const char *sentence = weir_error()->sentence;
    if (records)
        weir_log_error();
    else
        fprintf(stderr, "weir: %s\n", weir_escape(sentence, strlen(sentence), text, sizeof text));
}

int failed(void)
{
    tell_error();
    return weir_error_exit_status(weir_error());
}

int wrong_usage(const char *subject, const char *format, ...)
{
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "", subject, "%s", reason);
    return failed();
}

int unknown(const char *what, const char *word, const char *suggestion)
{
    if (suggestion)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", word, "unknown %s, did you mean %s?", what, suggestion);
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", word, "unknown %s", what);
}

int finish_stdout(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return STATUS_DONE;
    if (errno == EPIPE)
        return STATUS_DONE;
    weir_fail(WEIR_ERROR_SYSTEM, errno ? errno : EIO, "write", "stdout", NULL);
    return failed();
}
