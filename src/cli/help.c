/* --help: a page as text, wrapped to the width of the terminal, and the help command. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "suggest.h"

enum { NARROWEST = 40, WIDEST = 100, INDENT = 2 };

/* Writes `length` bytes of words, wrapped, each line indented; a word longer than a line stands alone. */
static void wrap(FILE *out, const char *text, size_t length, int indent, int columns)
{
    int column = 0;
    for (size_t at = 0; at < length;) {
        size_t word = strcspn(text + at, " ");
        if (word > length - at)
            word = length - at;
        if (column && column + 1 + (int)word > columns) {
            fputc('\n', out);
            column = 0;
        }
        column += fprintf(out, "%*s%.*s", column ? 1 : indent, "", (int)word, text + at);
        at += word;
        at += strspn(text + at, " ");
    }
    fputc('\n', out);
}

static void write_paragraphs(FILE *out, const char *text, int columns)
{
    while (text && *text) {
        const char *end = strstr(text, "\n\n");
        size_t length = end ? (size_t)(end - text) : strlen(text);
        fputc('\n', out);
        wrap(out, text, length, 0, columns);
        text = end ? end + 2 : NULL;
    }
}

static void write_usage(FILE *out, const struct page *page)
{
    for (size_t i = 0; page->usage && page->usage[i]; i++) {
        const char *space = page->usage[i][0] ? " " : "";
        fprintf(out, "%s %s%s%s\n", i ? "      " : "usage:", page->name, space, page->usage[i]);
    }
    fprintf(out, "\n%s\n", page->summary);
}

static void write_commands(FILE *out)
{
    fputs("\nCommands:\n", out);
    for (const struct command *const *each = commands; *each; each++)
        fprintf(out, "  %-10s %s\n", (*each)->name, (*each)->summary);
}

static void write_services(FILE *out)
{
    const weir_service *service;
    fputs("\nServices:\n", out);
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        fprintf(out, "  %-10s %s\n", service->name, service->summary);
}

static void write_service(FILE *out, const weir_service *service)
{
    char text[256];
    fprintf(out, "\nTransports: %s\n", page_join(service->transports, text, sizeof text));
    fprintf(out, "Default endpoints: %s\n", page_join(service->endpoints, text, sizeof text));
}

static int write_sections(FILE *out, const struct option_section *sections, int columns)
{
    for (; sections->title; sections++) {
        char *lines = weir_options_help(sections->options, columns);
        if (!lines)
            return -1;
        fprintf(out, "\n%s:\n%s", sections->title, lines);
        free(lines);
    }
    return 0;
}

static void write_examples(FILE *out, const char *const *examples, int columns)
{
    if (!examples)
        return;
    fputs("\nExamples:\n", out);
    for (; examples[0]; examples += 2) {
        fprintf(out, "%*s%s\n", INDENT, "", examples[0]);
        wrap(out, examples[1], strlen(examples[1]), 3 * INDENT, columns - 3 * INDENT);
    }
}

static int write_page(const struct page *page, FILE *out, int columns)
{
    if (columns < NARROWEST)
        columns = NARROWEST;
    if (columns > WIDEST)
        columns = WIDEST;
    write_usage(out, page);
    write_paragraphs(out, page->description, columns);
    if (page->lists_commands)
        write_commands(out);
    if (page->lists_services)
        write_services(out);
    if (page->service)
        write_service(out, page->service);
    if (write_sections(out, page->sections, columns) < 0)
        return -1;
    write_examples(out, page->examples, columns);
    if (page->lists_commands)
        fputs("\nMore: weir help COMMAND, or weir COMMAND --help\n", out);
    return 0;
}

int help_print(const struct page *page)
{
    if (write_page(page, stdout, weir_file_columns(weir_stdout())) < 0)
        return failed();
    return finish_stdout();
}

/* --- weir help --- */

struct help_settings {
    const char *manual;
};

static const weir_option help_options[] = {
    {WEIR_OPTION_TEXT, "man", 0, "NAME", offsetof(struct help_settings, manual),
     "writes the manual page of that name (weir, weir-ask, weir-serve-echo) in roff to stdout"},
    {0},
};
static const struct option_section help_sections[] = {{"Options", help_options}, {0}};

/* Finds what `count` words name: nothing, a command, or serve and a service. 0, or -1 with a usage error. */
static int find_page(struct page *page, const char *const *words, size_t count)
{
    if (count == 0) {
        page_of_program(page);
        return 0;
    }
    const struct command *command = command_find(words[0]);
    if (!command)
        return unknown("command", words[0], suggest_command(words[0]));
    page_of_command(page, command);
    if (count == 1)
        return 0;
    if (command != &serve_command || count > 2)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "help", words[count - 1], "too many words");
    const weir_service *service = weir_service_find(words[1]);
    if (!service)
        return unknown("service", words[1], suggest_service(words[1]));
    page_of_service(page, command, service);
    return 0;
}

/* The page of "weir-serve-echo". */
static int find_manual(struct page *page, const char *name)
{
    char text[64];
    const char *words[3] = {NULL};
    size_t count = 0;
    if (strlen(name) >= sizeof text)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "help", name, "no such manual page");
    memcpy(text, name, strlen(name) + 1);
    char *rest = text;
    for (char *word; count < 3 && (word = strsep(&rest, "-"));)
        words[count++] = word;
    if (strcmp(words[0], "weir") != 0)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "help", name, "no such manual page");
    return find_page(page, words + 1, count - 1);
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct help_settings settings = {0};
    weir_option_set set = {help_options, &settings};
    struct command_line line;
    int status;
    struct page page = {0};
    if (command_begin(command, &line, &set, 1, argc, argv, &status)) {
        int found = settings.manual ? find_manual(&page, settings.manual)
                                    : find_page(&page, line.arguments.items, line.arguments.count);
        if (found < 0)
            status = failed();
        else
            status = settings.manual ? manual_print(&page) : help_print(&page);
    }
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const help_usage[] = {"[COMMAND [SERVICE]]", NULL};
static const char *const help_examples[] = {
    "weir help ask", "the same as weir ask --help", "weir help serve echo", "the same as weir serve echo --help", NULL,
};

const struct command help_command = {
    .name = "help",
    .summary = "tells about a command or a service",
    .usage = help_usage,
    .description = "Prints what --help prints.",
    .sections = help_sections,
    .examples = help_examples,
    .run = run,
};
