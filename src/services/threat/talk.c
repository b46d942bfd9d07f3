/* threat's conversation: getTime, getThreat, disconnect; see talk.h. */
#include "talk.h"

#include <errno.h>
#include <string.h>
#include <weir/weir.h>

#include "source.h"

static weir_next get_time(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)message, (void)length, (void)arg;
    char text[WEIR_ISO_TIME];
    weir_iso_time(weir_wall_clock(), text, sizeof text);
    return weir_answer(conversation, text, strlen(text)) < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static weir_next get_threat(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)message, (void)length;
    char text[THREAT_ANSWER];
    if (threat_source_ask(arg, text) < 0)
        return WEIR_FAILED;
    return weir_answer(conversation, text, strlen(text)) < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static weir_next disconnect(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)conversation, (void)message, (void)length, (void)arg;
    return WEIR_END_IT;
}

static const weir_command commands[] = {
    {.name = "getTime", .run = get_time},
    {.name = "getThreat", .run = get_threat},
    {.name = "disconnect", .run = disconnect},
    {.reply = "unknown command"},
};

void threat_talk(weir_conn *conn, void *source)
{
    weir_conversation conversation = weir_conversation_begin(conn);
    /* A clean end says that all was answered. */
    if (weir_converse(&conversation, commands, source) < 0 && errno != EMSGSIZE && errno != ETIMEDOUT)
        weir_abort(conn);
}
