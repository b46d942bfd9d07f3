/* A one-question client: sends a text, prints what comes back. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

int main(int argc, char **argv)
{
    const char *text = argc > 2 ? argv[2] : "Hello world";
    char answer[1024];
    weir_auto weir_conn *server = weir_connect(argc > 1 ? argv[1] : "tcp://localhost:2000", NULL);
    ssize_t size = -1;
    if (server && weir_send_all(server, text, strlen(text)) == 0)
        size = weir_recv(server, answer, sizeof answer);
    if (size < 0) {
        weir_log_error();
        return weir_error_exit_status(weir_error());
    }
    printf("%.*s\n", (int)size, answer);
    return 0;
}
