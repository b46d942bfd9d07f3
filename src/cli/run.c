/* weir run: every service on its default endpoints, in one process. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "serving.h"

static const struct option_section run_sections[] = {
    {"Running", run_options},
    {"Limits and how it serves", weir_server_option_table},
    {0},
};

struct run {
    struct run_settings settings;
    weir_server_options server;
    size_t count; /* of those that serve */
    struct serving *servings;
};

/* A line to try a service, its %w and %s filled in; cut where it does not fit. */
static void fill_in(const char *line, const char *endpoint, char *text, size_t size)
{
    FILE *out = fmemopen(text, size, "w");
    if (!out)
        return;
    for (; *line; line++) {
        bool program = line[0] == '%' && line[1] == 'w', place = line[0] == '%' && line[1] == 's';
        if (!program && !place) {
            fputc(*line, out);
            continue;
        }
        fputs(program ? called_as : endpoint, out);
        line++;
    }
    fclose(out);
}

/* The lines to try what serves, one a service, under the lines that say where it listens. */
static void print_lines_to_try(void *arg)
{
    const struct run *run = arg;
    for (size_t i = 0; i < run->count; i++) {
        const char *line = run->servings[i].service->try_line;
        const char *endpoint = weir_server_endpoint(run->servings[i].server, 0);
        char text[1024] = "";
        if (!line || !endpoint)
            continue;
        fill_in(line, endpoint, text, sizeof text);
        weir_log(WEIR_LOG_INFO, "try: %s", text);
    }
}

static void close_service(struct serving *serving)
{
    weir_option_set set = serving_set(serving);
    weir_arguments none = {0};
    serving_close(serving);
    weir_options_free(&set, 1, &none);
    serving_free(serving);
}

/* Has one service serve on its default endpoints. 0, or -1 with an error. */
static int open_service(struct run *run, const weir_service *service)
{
    struct serving *serving = &run->servings[run->count];
    if (serving_check_processes(service, &run->settings) < 0 || serving_prepare(serving, service) < 0)
        return -1;
    weir_option_set set = serving_set(serving);
    weir_arguments none;
    bool opened = weir_options_parse(&set, 1, 0, NULL, &none) == 0 && serving_open(serving, &run->server) == 0 &&
                  serving_add(serving, NULL, 0) == 0;
    free(none.items);
    if (opened)
        run->count++;
    else
        close_service(serving);
    return opened ? 0 : -1;
}

static int open_services(struct run *run)
{
    const weir_service *service;
    for (size_t i = 0; (service = weir_service_at(i)); i++)
        if (!service->takes_command && open_service(run, service) < 0)
            weir_log(WEIR_LOG_WARNING, "%s is left out: %s", service->name, weir_error()->sentence);
    if (run->count == 0)
        return weir_fail(WEIR_ERROR_LISTEN, EADDRINUSE, "run", "", "no service could start");
    return 0;
}

static int make_room(struct run *run)
{
    size_t count = 0;
    while (weir_service_at(count))
        count++;
    run->servings = calloc(count + 1, sizeof *run->servings);
    return run->servings ? 0 : weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "run", "", NULL);
}

static int run_services(struct run *run)
{
    serving_log(&run->settings);
    if (make_room(run) < 0 || open_services(run) < 0)
        return failed();
    const struct serving_group all = {run->servings, run->count, print_lines_to_try, run};
    if (serving_run(&all, &run->settings, &run->server) < 0)
        return failed();
    return STATUS_DONE;
}

static void free_run(struct run *run)
{
    for (size_t i = 0; i < run->count; i++)
        close_service(&run->servings[i]);
    free(run->servings);
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct run run = {.server.size = sizeof run.server};
    weir_option_set sets[] = {{run_options, &run.settings}, {weir_server_option_table, &run.server}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 2, argc, argv, &status)) {
        if (line.arguments.count > 0)
            status = wrong_usage(line.arguments.items[0], "run takes no arguments");
        else
            status = run_services(&run);
    }
    free_run(&run);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const run_usage[] = {"[OPTION]...", NULL};
static const char *const run_examples[] = {
    "weir run",
    "every service on its default endpoints, with a line to try each",
    NULL,
};

const struct command run_command = {
    .name = "run",
    .summary = "offers every service on its default endpoints, in one process",
    .usage = run_usage,
    .description = "Starts all services, but those that run a program of yours, and prints where each listens and a "
                   "line to try it. A service whose port is "
                   "taken is left out, and said so; when none could start it fails.",
    .sections = run_sections,
    .examples = run_examples,
    .run = run,
};
