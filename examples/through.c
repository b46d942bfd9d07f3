/* A socket to another machine's network, through ssh: through ENDPOINT ssh://USER@HOST [ANOTHER]... */
#include <weir/weir.h>

int main(int argc, char **argv)
{
    const char *endpoint = argc > 1 ? argv[1] : "tcp://127.0.0.1:8000";
    const char *const machine[] = {"ssh://localhost", NULL};
    const char *const *via = argc > 2 ? (const char *const *)argv + 2 : machine;

    weir_auto weir_conn *server = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .via = via));
    if (!server || weir_send_all(server, "hello\n", 6) < 0 || weir_shutdown(server, SHUT_WR) < 0 ||
        weir_copy_to_file(server, weir_stdout(), UINT64_MAX, WEIR_FOREVER) < 0) {
        weir_log_error();
        return weir_error_exit_status(weir_error());
    }
    return 0;
}
