/* A client that does not wait for ever: half a second for the connection, then half a second for the answer. */
#include <stdio.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    const char *endpoint = argc > 1 ? argv[1] : "tcp://127.0.0.1:8000";
    char answer[1024];
    weir_auto weir_conn *server = weir_connect(endpoint, WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_MS(500)));
    ssize_t size = -1;
    if (server) {
        weir_set_timeout(server, WEIR_MS(500));
        if (weir_send_all(server, "hello", 5) == 0)
            size = weir_recv(server, answer, sizeof answer);
    }
    if (size >= 0)
        printf("%.*s\n", (int)size, answer);
    else if (weir_error()->kind == WEIR_ERROR_DEADLINE)
        printf("no answer in time\n");
    else
        printf("failed: %s\n", weir_error()->sentence);
    return size < 0;
}
