/* A little netcat: stdin to a connection, what comes back to stdout, each direction to its own end. */
#include <weir/weir.h>

static int send_stdin(void *server)
{
    if (weir_copy_from_file(server, weir_stdin(), UINT64_MAX, WEIR_FOREVER) < 0 && !weir_cancelled())
        weir_log_error();
    return weir_shutdown(server, SHUT_WR);
}

static int talk(void *endpoint)
{
    weir_auto weir_conn *server = weir_connect(endpoint, NULL);
    weir_fiber *sender = server ? weir_spawn(send_stdin, server, NULL) : NULL;
    if (!sender) {
        weir_log_error();
        return 1;
    }
    int status = 0;
    if (weir_copy_to_file(server, weir_stdout(), UINT64_MAX, WEIR_FOREVER) < 0) {
        weir_log_error();
        weir_cancel_fiber(sender);
        status = 1;
    }
    weir_join(sender, NULL, WEIR_FOREVER);
    return status;
}

int main(int argc, char **argv)
{
    static char endpoint[] = "tcp://127.0.0.1:8000";
    return weir_run(talk, argc > 1 ? argv[1] : endpoint, NULL);
}
