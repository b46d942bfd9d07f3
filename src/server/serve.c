/* Servers as whole programs: weir_serve and weir_run_servers. */
#include <string.h>
#include <weir/log.h>

#include "base/error.h"
#include "base/log_line.h"
#include "net/options.h"
#include "server/process.h"

int weir_run_servers(weir_server *const *servers, size_t count, const weir_run_options *options)
{
    struct weir__run run = {.servers = servers, .count = count, .ready_pipe = -1};
    if (weir__known_options(&run.options, sizeof run.options, options, "run") < 0)
        return -1;
    if (run.options.log_json)
        weir__log_set_format(WEIR_LOG_JSON);
    if (weir__prepare_process() < 0)
        return -1;
    return run.options.processes > 1 ? weir__supervise(&run) : weir__run_process(&run);
}

/* What weir_serve and weir_serve_datagrams have in common. The error of the first step that failed is logged. */
static int serve(const char *endpoint, const struct weir__place *like, const weir_server_options *options)
{
    weir_server *server = NULL;
    int result = weir__prepare_process();
    if (result == 0)
        result = (server = weir_server_new(options)) ? 0 : -1;
    if (result == 0)
        result = like->stream ? weir_server_add(server, endpoint, like->stream, like->arg)
                              : weir_server_add_datagrams(server, endpoint, like->datagram, like->arg);
    if (result == 0)
        result = weir_run_servers(&server, 1, NULL);
    if (result < 0)
        weir_log_error();
    weir_server_free(server);
    return result < 0 ? 1 : 0;
}

int weir_serve(const char *endpoint, weir_stream_handler *handler, void *arg, const weir_server_options *options)
{
    struct weir__place like = {.stream = handler, .arg = arg};
    return serve(endpoint, &like, options);
}

int weir_serve_datagrams(const char *endpoint, weir_datagram_handler *handler, void *arg,
                         const weir_server_options *options)
{
    struct weir__place like = {.datagram = handler, .arg = arg};
    return serve(endpoint, &like, options);
}
