/* An interactive client: asks for a line, sends it, shows what comes within 200 ms, until an empty line. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

/* Shows what comes until the server is quiet. 0, or -1 when there is no more to come. */
static int show_answer(weir_conn *server)
{
    char data[4096];
    ssize_t size;
    while ((size = weir_recv(server, data, sizeof data)) > 0)
        fwrite(data, 1, (size_t)size, stdout);
    if (size < 0 && weir_error()->kind == WEIR_ERROR_DEADLINE)
        return 0;
    if (size < 0)
        weir_log_error();
    return -1;
}

static bool ask_for_line(char *line, int size)
{
    fputs("?:", stdout);
    fflush(stdout);
    return fgets(line, size, stdin) && strcmp(line, "\n") != 0;
}

int main(int argc, char **argv)
{
    char line[1024];
    weir_auto weir_conn *server = weir_connect(argc > 1 ? argv[1] : "tcp://127.0.0.1:65431", NULL);
    if (!server) {
        weir_log_error();
        return 1;
    }
    weir_set_timeout(server, WEIR_MS(200));
    while (ask_for_line(line, sizeof line))
        if (weir_send_all(server, line, strlen(line)) < 0 || show_answer(server) < 0)
            return 1;
    return 0;
}
