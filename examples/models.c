/* An echo server that is told on its command line how to serve: --model fiber, thread or iterative, and every limit. */
#include <weir/weir.h>

static void echo(weir_conn *client, void *arg)
{
    char data[4096];
    ssize_t size;
    while ((size = weir_recv(client, data, sizeof data)) > 0)
        if (weir_send_all(client, data, size) < 0)
            return;
}

int main(int argc, char **argv)
{
    weir_server_options options = {.size = sizeof options, .name = "echo"};
    weir_option_set set = {weir_server_option_table, &options};
    weir_arguments arguments;
    int status = 2;
    if (weir_options_parse(&set, 1, argc - 1, argv + 1, &arguments) < 0)
        weir_log_error();
    else
        status = weir_serve(arguments.count ? arguments.items[0] : "tcp://127.0.0.1:8000", echo, NULL, &options);
    weir_options_free(&set, 1, &arguments);
    return status;
}
