/* weir: sockets from the shell. Finds the command and lets it run. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "../services/services.h"
#include "commands.h"
#include "page.h"
#include "suggest.h"

const char *called_as = "weir";

/*
 * Whoever started us may have closed the standard descriptors; the first socket would then become our stdout. Each is
 * filled with /dev/null opened to read: reading it is an end, and writing to it still fails with EBADF.
 */
static int fill_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

static int print_program_help(void)
{
    struct page page;
    page_of_program(&page);
    return help_print(&page);
}

/* Without a command: the same help, but on stderr and as wrong usage. */
static int without_command(void)
{
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "", "no command; see weir --help");
    return failed();
}

static bool is_word(const char *text, const char *word, const char *other)
{
    return strcmp(text, word) == 0 || strcmp(text, other) == 0;
}

static int dispatch(int argc, char *const *argv)
{
    if (argc < 2)
        return without_command();
    if (is_word(argv[1], "--help", "-h"))
        return print_program_help();
    if (is_word(argv[1], "--version", "-V"))
        return print_version();
    const struct command *command = command_find(argv[1]);
    if (command)
        return command->run(command, argc - 2, argv + 2);
    unknown(argv[1][0] == '-' ? "option" : "command", argv[1], suggest_command(argv[1]));
    return failed();
}

int main(int argc, char **argv)
{
    if (fill_standard_descriptors() < 0)
        return STATUS_NETWORK;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 0)
        called_as = argv[0];
    if (services_register() < 0)
        return failed();
    return dispatch(argc, argv);
}
