/* A service with its settings and its server, and the options of serving; see serving.h. */
#include "serving.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char *const log_formats[] = {"text", "json", NULL};
static const char *const log_levels[] = {"debug", "info", "warning", "error", "none", NULL};

const weir_option run_options[] = {
    {WEIR_OPTION_INTEGER, "processes", 0, "N", offsetof(struct run_settings, processes),
     "that many supervised processes behind one port, each restarted when it dies", "1", NULL, 1, 1024},
    {WEIR_OPTION_INTEGER, "ready-fd", 0, "N", offsetof(struct run_settings, ready_fd),
     "a descriptor that is written to and closed when everything listens", NULL, NULL, 3, INT_MAX},
    {WEIR_OPTION_CHOICE, "log", 0, "FORMAT", offsetof(struct run_settings, log_format), "how logs are written", "text",
     log_formats},
    {WEIR_OPTION_CHOICE, "log-level", 0, "LEVEL", offsetof(struct run_settings, log_level), "what is logged", "info",
     log_levels},
    {0},
};

static const weir_option no_options[] = {{0}};

int serving_prepare(struct serving *serving, const weir_service *service)
{
    *serving = (struct serving){.service = service};
    serving->settings = calloc(1, service->settings_size ? service->settings_size : 1);
    if (!serving->settings)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", service->name, NULL);
    serving->arg = serving->settings;
    return 0;
}

weir_option_set serving_set(const struct serving *serving)
{
    const weir_option *options = serving->service->options;
    return (weir_option_set){options ? options : no_options, serving->settings};
}

int serving_set_command(struct serving *serving, const char *const *words)
{
    const weir_service *service = serving->service;
    if (!service->takes_command)
        return 0;
    if (!words[0])
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", service->name, "the program to run is to follow \"--\"");
    memcpy((char *)serving->settings + service->command_offset, &words, sizeof words);
    return 0;
}

int serving_check_processes(const weir_service *service, const struct run_settings *run)
{
    if (run->processes <= 1 || !service->one_process)
        return 0;
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", service->name,
                     "--processes %" PRId64 ": all its clients are to be in one process; --workers uses more CPUs",
                     run->processes);
}

int serving_open(struct serving *serving, const weir_server_options *options)
{
    const weir_service *service = serving->service;
    weir_server_options own = *options;
    own.name = service->name;
    own.scheme = service->transports[0];
    if (service->defaults)
        service->defaults(&own);
    if (service->start && service->start(serving->settings, &own, &serving->arg) < 0)
        return -1;
    serving->started = true;
    serving->server = weir_server_new(&own);
    return serving->server ? 0 : -1;
}

int serving_add(struct serving *serving, const char *const *endpoints, size_t count)
{
    if (count == 0)
        for (endpoints = serving->service->endpoints; endpoints[count];)
            count++;
    for (size_t i = 0; i < count; i++)
        if (weir_server_add_service(serving->server, serving->service, endpoints[i], serving->arg) < 0)
            return -1;
    return 0;
}

/* Has the server end, and tells the service what it has counted. */
static void end_server(const struct serving *serving)
{
    weir_counters counters;
    weir_server_stop(serving->server, WEIR_NOW);
    weir_server_wait(serving->server, WEIR_FOREVER);
    weir_server_counters(serving->server, &counters);
    if (serving->service->served)
        serving->service->served(serving->arg, &counters);
}

void serving_close(struct serving *serving)
{
    if (serving->server)
        end_server(serving);
    weir_server_free(serving->server);
    if (serving->started && serving->service->stop)
        serving->service->stop(serving->arg);
}

void serving_free(struct serving *serving)
{
    free(serving->settings);
}

void serving_log(const struct run_settings *settings)
{
    weir_log_set((weir_log_level)settings->log_level, (weir_log_format)settings->log_format);
    if (settings->log_format == WEIR_LOG_JSON)
        errors_are_records();
}

weir_run_options serving_run_options(const struct run_settings *settings, const weir_server_options *options)
{
    return (weir_run_options){
        .size = sizeof(weir_run_options),
        .ready_fd = (int)settings->ready_fd,
        .processes = (int)settings->processes,
        .drain_timeout = options->drain_timeout,
        .log_json = settings->log_format == WEIR_LOG_JSON,
    };
}

/* --- running --- */

static void tell_ready(void *arg)
{
    const struct serving_group *group = arg;
    if (group->ready)
        group->ready(group->arg);
}

/* One that cannot be read is said, and the old one stays. Is nothing where there is no TLS. */
void reload_certificate(weir_server *server)
{
    if (weir_server_reload(server) < 0)
        weir_log(WEIR_LOG_ERROR, "%s: the certificate stays as it was", weir_error()->sentence);
}

static void reload(void *arg)
{
    const struct serving_group *group = arg;
    for (size_t i = 0; i < group->count; i++)
        if (group->servings[i].service->reload)
            group->servings[i].service->reload(group->servings[i].arg);
    for (size_t i = 0; i < group->count; i++)
        reload_certificate(group->servings[i].server);
}

static void tell_stopping(void *arg)
{
    const struct serving_group *group = arg;
    for (size_t i = 0; i < group->count; i++)
        if (group->servings[i].service->stopping)
            group->servings[i].service->stopping(group->servings[i].arg);
}

/* Where none can, SIGHUP stays what it is to every other program. */
static bool can_reload(const struct serving_group *group, const weir_server_options *options)
{
    for (size_t i = 0; i < group->count; i++)
        if (group->servings[i].service->reload)
            return true;
    return options->listen.tls.cert;
}

int serving_run(const struct serving_group *group, const struct run_settings *settings,
                const weir_server_options *options)
{
    weir_run_options run = serving_run_options(settings, options);
    weir_server **servers = calloc(group->count + 1, sizeof(weir_server *));
    if (!servers)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "run", "", NULL);
    for (size_t i = 0; i < group->count; i++)
        servers[i] = group->servings[i].server;
    run.ready = tell_ready;
    run.reload = can_reload(group, options) ? reload : NULL;
    run.stopping = tell_stopping;
    run.arg = (void *)(uintptr_t)group;
    int result = weir_run_servers(servers, group->count, &run);
    free(servers);
    return result;
}
