/* Asks several servers the same and prints the first answer; all of it in five seconds at most. */
#include <stdio.h>
#include <string.h>
#include <weir/weir.h>

enum { MOST = 64 };

/* Asks each server that is there and makes a case of its answer. Returns how many cases there are. */
static size_t ask_all(weir_case *cases, int count, char **endpoints)
{
    size_t asked = 0;
    for (int i = 0; i < count && i < MOST; i++) {
        weir_conn *server = weir_connect(endpoints[i], WEIR_OPTIONS(weir_connect_options, .timeout = WEIR_S(1)));
        if (server && weir_send_all(server, "hello", 5) == 0)
            cases[asked++] = (weir_case){.kind = WEIR_CASE_READABLE, .conn = server};
        else
            weir_close(server);
    }
    return asked;
}

int main(int argc, char **argv)
{
    int64_t deadline = weir_deadline(WEIR_S(5));
    weir_case cases[MOST];
    size_t count = ask_all(cases, argc - 1, argv + 1);
    int first = count ? weir_select(cases, count, deadline) : -1;
    char answer[1024], peer[WEIR_ADDRESS_TEXT];
    ssize_t size = first < 0 ? -1 : weir_recv(cases[first].conn, answer, sizeof answer);
    if (size > 0)
        printf("%s: %.*s\n", weir_peer_endpoint(cases[first].conn, peer, sizeof peer), (int)size, answer);
    else if (size < 0)
        weir_log_error();
    for (size_t i = 0; i < count; i++)
        weir_close(cases[i].conn);
    return size <= 0;
}
