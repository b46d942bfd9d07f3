/* weir completion: writes the script by which a shell completes our command lines. */
#include "completion.h"

#include <errno.h>
#include <string.h>

/* --- what there is to complete --- */

enum completes completion_of_option(const weir_option *option)
{
    const char *argument = weir_option_argument(option);
    if (option->choices)
        return COMPLETES_CHOICES;
    if (strstr(argument, "FILE") || strstr(argument, "PATH"))
        return COMPLETES_FILES;
    if (strstr(argument, "HOST") || strstr(argument, "ADDRESS"))
        return COMPLETES_HOSTS;
    return COMPLETES_NOTHING;
}

/* The words of "[OPTION]... bash|zsh|fish", a space between them. */
static void find_alternatives(const char *usage, char *text, size_t size)
{
    const char *bar = strchr(usage, '|');
    if (!bar)
        return;
    const char *begin = bar;
    while (begin > usage && begin[-1] != ' ')
        begin--;
    snprintf(text, size, "%.*s", (int)strcspn(begin, " "), begin);
    for (char *at = text; (at = strchr(at, '|'));)
        *at = ' ';
}

struct operands completion_operands(const struct page *page)
{
    struct operands operands = {0};
    for (size_t i = 0; page->usage[i]; i++) {
        const char *usage = page->usage[i], *program = strstr(usage, "-- COMMAND");
        const char *command = strstr(usage, "COMMAND");
        operands.endpoints |= strstr(usage, "ENDPOINT") || strstr(usage, "FROM") || strstr(usage, "REMOTE");
        operands.services |= strstr(usage, "SERVICE") && !command;
        operands.program |= program != NULL;
        operands.commands |= command && !program;
        find_alternatives(usage, operands.words, sizeof operands.words);
    }
    return operands;
}

void completion_each_page(void (*write)(const struct page *page, const char *words))
{
    const weir_service *service;
    struct page page;
    for (const struct command *const *each = commands; *each; each++) {
        page_of_command(&page, *each);
        write(&page, strchr(page.name, ' ') + 1);
    }
    for (size_t i = 0; (service = weir_service_at(i)); i++) {
        page_of_service(&page, &serve_command, service);
        write(&page, strchr(page.name, ' ') + 1);
    }
}

void completion_each_option(const struct page *page, void (*write)(const weir_option *option))
{
    for (const struct option_section *section = page->sections; section->title; section++)
        for (const weir_option *option = section->options; option->kind != WEIR_OPTION_END; option++)
            write(option);
}

/* --- printing --- */

void completion_print_commands(void)
{
    for (const struct command *const *each = commands; *each; each++)
        printf("%s%s", each == commands ? "" : " ", (*each)->name);
}

void completion_print_services(void)
{
    const weir_service *service;
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        printf("%s%s", i ? " " : "", service->name);
}

static void print_quoted(const char *text, size_t length, const char *quote, const char *escaped)
{
    for (size_t i = 0; i < length && text[i]; i++) {
        if (text[i] == '\'') {
            fputs(quote, stdout);
            continue;
        }
        if (strchr(escaped, text[i]))
            putchar('\\');
        putchar(text[i]);
    }
}

void completion_print_quoted(const char *text, const char *quote, const char *escaped)
{
    print_quoted(text, strlen(text), quote, escaped);
}

void completion_print_summary(const weir_option *option, const char *quote, const char *escaped)
{
    print_quoted(option->help, strcspn(option->help, ";"), quote, escaped);
}

/* --- the command --- */

static const struct {
    const char *name;
    void (*print)(void);
} shells[] = {
    {"bash", completion_print_bash},
    {"zsh", completion_print_zsh},
    {"fish", completion_print_fish},
};

static int print_for(const char *name)
{
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i].name, name) == 0) {
            shells[i].print();
            return finish_stdout();
        }
    return wrong_usage(name, "completion: bash, zsh and fish are the shells that there are completions for");
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct command_line line;
    int status;
    if (command_begin(command, &line, NULL, 0, argc, argv, &status)) {
        if (line.arguments.count == 0)
            status = wrong_usage("", "completion: no shell is named; see weir completion --help");
        else if (line.arguments.count > 1)
            status = wrong_usage(line.arguments.items[1], "completion takes one shell");
        else
            status = print_for(line.arguments.items[0]);
    }
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const struct option_section sections[] = {{0}};
static const char *const usage[] = {"bash|zsh|fish", NULL};
static const char *const examples[] = {
    "source <(weir completion bash)",
    "bash completes weir from here on: a line for ~/.bashrc",
    "source <(weir completion zsh)",
    "the same for zsh, in ~/.zshrc behind compinit",
    "weir completion fish | source",
    "the same for fish, in ~/.config/fish/config.fish",
    NULL,
};

const struct command completion_command = {
    .name = "completion",
    .summary = "writes completions for bash, zsh or fish",
    .usage = usage,
    .description = "Writes a script to stdout by which the shell completes weir's commands, services, options and "
                   "what they take. An installed weir has brought them along, each to where its shell looks: nothing "
                   "need be done there.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
