/* A server with limits of its own and a clean stop: a client that says "stop" ends it, and the others may finish. */
#include <string.h>
#include <weir/weir.h>

static void serve(weir_conn *client, void *server)
{
    char *line;
    while (weir_read_line(client, &line, NULL, 80) > 0) {
        if (strcmp(line, "stop") == 0)
            weir_server_stop(server, weir_deadline(WEIR_S(5)));
        else if (weir_send_all(client, line, strlen(line)) < 0 || weir_send_all(client, "\n", 1) < 0)
            return;
    }
}

static void tell_counters(const weir_server *server)
{
    char text[500];
    weir_counters counters;
    weir_server_counters(server, &counters);
    weir_log(WEIR_LOG_INFO, "%s", weir_counters_text(&counters, false, text, sizeof text));
}

int main(void)
{
    weir_server *server = weir_server_new(WEIR_OPTIONS(weir_server_options, .name = "limits", .max_connections = 50,
                                                       .idle_timeout = WEIR_S(30), .message_timeout = WEIR_S(5)));
    int result = -1;
    if (server && weir_server_add(server, "tcp://127.0.0.1:8000", serve, server) == 0 &&
        weir_server_add(server, "unix:limits.socket", serve, server) == 0)
        result = weir_run_servers(&server, 1, NULL);
    if (result < 0)
        weir_log_error();
    else
        tell_counters(server);
    weir_server_free(server);
    return result < 0;
}
