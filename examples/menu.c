/* A menu: R is answered by a random number, T by the time, L by the version, and E ends. Port 2003. */
#include <weir/weir.h>

static weir_next after(int answer) { return answer < 0 ? WEIR_FAILED : WEIR_GO_ON; }

static weir_next tell_number(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    return after(weir_answer_format(talk, "%d", 1 + (int)weir_random_below(10)));
}

static weir_next tell_time(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    char text[WEIR_ISO_TIME];
    return after(weir_answer_format(talk, "%s", weir_iso_time(weir_wall_clock(), text, sizeof text)));
}

static weir_next tell_version(weir_conversation *talk, const char *message, size_t length, void *arg)
{
    return after(weir_answer_format(talk, "weir %s", weir_version()));
}

static weir_next end(weir_conversation *talk, const char *message, size_t length, void *arg) { return WEIR_END_IT; }

static const weir_command commands[] = {
    {.name = "R", .any_case = true, .run = tell_number},
    {.name = "T", .any_case = true, .run = tell_time},
    {.name = "L", .any_case = true, .run = tell_version},
    {.name = "E", .any_case = true, .reply = "goodbye", .run = end},
    {.reply = "wrong option selected"},
};

static void menu(weir_conn *client, void *arg)
{
    weir_conversation talk = weir_conversation_begin(client);
    weir_converse(&talk, commands, NULL);
}

int main(void) { return weir_serve("tcp://127.0.0.1:2003", menu, NULL, NULL); }
