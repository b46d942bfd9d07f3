/* What a server sends, to stdout, until its end: a player may stand behind it. pull ENDPOINT */
#include <weir/weir.h>

int main(int argc, char **argv)
{
    weir_auto weir_conn *server = weir_connect(argc > 1 ? argv[1] : "tcp://127.0.0.1:8004", NULL);
    if (!server || weir_copy_to_file(server, weir_stdout(), UINT64_MAX, WEIR_FOREVER) < 0) {
        weir_log_error();
        return weir_error_exit_status(weir_error());
    }
    return 0;
}
