/* A proxy: joins each client to a server, passes on what either sends and where either ends. */
#include <weir/weir.h>

static void join(weir_conn *client, void *upstream)
{
    weir_auto weir_conn *server = weir_connect(upstream, NULL);
    if (!server || weir_copy(client, server, NULL) < 0)
        weir_log_error();
}

int main(int argc, char **argv)
{
    static char upstream[] = "tcp://127.0.0.1:8000";
    return weir_serve("tcp://127.0.0.1:8888", join, argc > 1 ? argv[1] : upstream, NULL);
}
