/* A program for each client. */
#include <weir/weir.h>

struct visit {
    weir_conn *client;
    weir_process *program;
};

static int feed(void *arg)
{
    struct visit *visit = arg;
    weir_copy_to_file(visit->client, weir_process_file(visit->program, 0), UINT64_MAX, WEIR_FOREVER);
    weir_process_close_file(visit->program, 0);
    return 0;
}

static void serve(weir_conn *client, void *words)
{
    struct visit visit = {client};
    visit.program = weir_process_start(words, WEIR_OPTIONS(weir_process_options, .input = WEIR_STDIO_PIPE,
                                                           .output = WEIR_STDIO_PIPE, .end_group = true));
    weir_fiber *feeder = visit.program ? weir_spawn(feed, &visit, NULL) : NULL;
    if (!feeder) {
        weir_log_error();
        weir_process_free(visit.program);
        return;
    }
    weir_copy_from_file(client, weir_process_file(visit.program, 1), UINT64_MAX, WEIR_FOREVER);
    weir_cancel_fiber(feeder);
    weir_join(feeder, NULL, WEIR_FOREVER);
    weir_process_free(visit.program);
}

int main(void)
{
    static const char *words[] = {"tr", "a-z", "A-Z", NULL};
    return weir_serve("tcp://127.0.0.1:8005", serve, words, NULL);
}
