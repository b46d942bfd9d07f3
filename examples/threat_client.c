/* The threat server's client: asks for the time and the level, then says goodbye. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

/* Asks one thing and shows the answer. 0 or -1. */
static int ask(weir_conn *server, const char *question)
{
    char answer[1024];
    if (weir_send_all(server, question, strlen(question)) < 0)
        return -1;
    ssize_t size = weir_recv(server, answer, sizeof answer);
    if (size > 0)
        printf("%s: %.*s\n", question, (int)size, answer);
    return size > 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    weir_auto weir_conn *server = weir_connect(argc > 1 ? argv[1] : "tcp://127.0.0.1:9055", NULL);
    if (server)
        weir_set_timeout(server, WEIR_S(10));
    if (!server || ask(server, "getTime") < 0 || ask(server, "getThreat") < 0 ||
        weir_send_all(server, "disconnect", strlen("disconnect")) < 0) {
        weir_log_error();
        return 1;
    }
    return 0;
}
