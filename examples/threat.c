/* The threat server: the time, the level that `weir threat > level` has left in a file, and goodbye. */
#include <fcntl.h>
#include <weir/weir.h>

static weir_next after(int answer) { return answer < 0 ? WEIR_FAILED : WEIR_GO_ON; }

static weir_next tell_time(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    char text[WEIR_ISO_TIME];
    return after(weir_answer_format(talk, "%s", weir_iso_time(weir_wall_clock(), text, sizeof text)));
}

static weir_next tell_level(weir_conversation *talk, const char *message, size_t length, void *path)
{
    char level[20];
    weir_file *file = weir_file_open(path, O_RDONLY, 0);
    ssize_t size = file ? weir_file_read(file, level, sizeof level, weir_deadline(WEIR_S(5))) : -1;
    weir_file_close(file);
    if (size <= 0)
        return after(weir_answer_format(talk, "unknown: %s", size < 0 ? weir_error()->sentence : "the file is empty"));
    return after(weir_answer(talk, level, (size_t)(level[size - 1] == '\n' ? size - 1 : size)));
}

static weir_next end(weir_conversation *talk, const char *message, size_t length, void *arg) { return WEIR_END_IT; }

static const weir_command commands[] = {
    {.name = "getTime", .run = tell_time},
    {.name = "getThreat", .run = tell_level},
    {.name = "disconnect", .run = end},
    {.reply = "unknown command"},
};

static void serve(weir_conn *client, void *path)
{
    weir_conversation talk = weir_conversation_begin(client);
    weir_converse(&talk, commands, path);
}

int main(void)
{
    char path[] = "level";
    return weir_serve("tcp://127.0.0.1:9055", serve, path, NULL);
}
