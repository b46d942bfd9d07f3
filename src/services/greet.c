/* greet: a name comes in, "hi NAME" goes out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "services.h"

/* Names longer than this are no names. SHORT: answers up to this length are built on the stack. */
enum { LONGEST_NAME = 1024, SHORT = 512, LONGEST_CHARACTER = 4 };

struct settings {
    const char *reply;
};

struct greet {
    const char *reply; /* argv's */
    size_t length;
    size_t places; /* how often the name stands in it */
};

static const char place[] = "{}";

enum { PLACE = sizeof place - 1 };

static int start(void *settings, const weir_server_options *options, void **arg)
{
    (void)options;
    struct greet *greet = calloc(1, sizeof *greet);
    if (!greet)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "greet", NULL);
    greet->reply = ((struct settings *)settings)->reply;
    greet->length = strlen(greet->reply);
    for (const char *at = greet->reply; (at = strstr(at, place)); at += PLACE)
        greet->places++;
    *arg = greet;
    return 0;
}

static void stop(void *arg)
{
    free(arg);
}

/* --- the name --- */

/* The length of the character that begins there, of UTF-8; 0: none does. */
static size_t character_length(const unsigned char *text, size_t left)
{
    size_t length = text[0] < 0x80 ? 1 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : LONGEST_CHARACTER;
    return left >= length && weir_utf8_span(text, length) == length ? length : 0;
}

/* What would steer a terminal or break the line that shows it: C0, DEL, C1, and the separators U+2028 and U+2029. */
static bool is_control(const unsigned char *text, size_t length)
{
    if (length <= 1) /* also a byte that is no UTF-8, which may be a C1 control of a single byte */
        return text[0] < 0x20 || (text[0] >= 0x7f && text[0] < 0xa0);
    if (length == 2)
        return text[0] == 0xc2 && text[1] < 0xa0;
    return length == 3 && text[0] == 0xe2 && text[1] == 0x80 && (text[2] == 0xa8 || text[2] == 0xa9);
}

/* How much of it is plain ASCII without controls: nearly always all. */
static size_t plain_length(const unsigned char *text, size_t length)
{
    size_t plain = 0;
    while (plain < length && text[plain] >= 0x20 && text[plain] < 0x7f)
        plain++;
    return plain;
}

/* Puts the name as sent, less control characters, where there is room for `length`. Returns its length. */
static size_t clean(const char *message, size_t length, char *name)
{
    const unsigned char *text = (const unsigned char *)message, *end = text + length;
    char *kept = name;
    for (;;) {
        size_t plain = plain_length(text, (size_t)(end - text));
        kept = mempcpy(kept, text, plain);
        text += plain;
        if (text == end)
            return (size_t)(kept - name);
        size_t whole = character_length(text, (size_t)(end - text)), step = whole ? whole : 1;
        if (!is_control(text, whole))
            kept = mempcpy(kept, text, step);
        text += step;
    }
}

static bool is_blank(const char *name, size_t length)
{
    while (length > 0 && name[length - 1] == ' ')
        length--;
    return length == 0;
}

/* --- the answer --- */

static void build(const struct greet *greet, const char *name, size_t length, char *whole)
{
    const char *from = greet->reply, *at;
    while ((at = strstr(from, place))) {
        whole = mempcpy(mempcpy(whole, from, (size_t)(at - from)), name, length);
        from = at + PLACE;
    }
    memcpy(whole, from, strlen(from));
}

static int answer(const struct greet *greet, weir_conversation *conversation, const char *name, size_t length)
{
    char room[SHORT];
    size_t size = greet->length - greet->places * PLACE + greet->places * length;
    char *whole = size <= sizeof room ? room : malloc(size);
    if (!whole)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "answer", "greet", NULL);
    build(greet, name, length, whole);
    int result = weir_answer(conversation, whole, size);
    if (whole != room)
        free(whole);
    return result;
}

static weir_next greet_one(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    char name[LONGEST_NAME];
    if (length > sizeof name)
        return weir_answer_format(conversation, "a name may have at most %d bytes", LONGEST_NAME) < 0 ? WEIR_FAILED
                                                                                                      : WEIR_GO_ON;
    length = clean(message, length, name);
    if (is_blank(name, length))
        return weir_answer_format(conversation, "a name, please") < 0 ? WEIR_FAILED : WEIR_GO_ON;
    return answer(arg, conversation, name, length) < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static void serve(weir_conn *conn, void *arg)
{
    static const weir_command commands[] = {{.run = greet_one}};
    weir_conversation conversation = weir_conversation_begin(conn);
    weir_converse(&conversation, commands, arg);
}

/* --- what it is --- */

static const weir_option options[] = {
    {WEIR_OPTION_TEXT, "reply", 0, "TEXT", offsetof(struct settings, reply),
     "what is answered; each {} in it stands for the name", "hi {}"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", NULL};
static const char *const endpoints[] = {"tcp://:8001", NULL};
static const char *const examples[] = {
    "weir serve greet",
    "on port 8001 of this machine alone, 127.0.0.1 and ::1",
    "weir serve greet :2000 --reply 'Good morning, {}!'",
    "in other words",
    "weir serve greet unix:/tmp/greet.socket",
    "on a Unix socket",
    NULL,
};

const weir_service greet_service = {
    .size = sizeof(weir_service),
    .name = "greet",
    .summary = "answers a name with a greeting",
    .description =
        "Each message of a client is a name, and is answered \"hi NAME\": the name as it was sent, less control "
        "characters, which could steer the terminal of who reads the answer. An empty name and one of more than 1024 "
        "bytes are answered by a line that says so, and the conversation goes on until the client ends "
        "it.\n\n" MESSAGES_ARE_SO,
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask %s anna",
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve,
    .start = start,
    .stop = stop,
};
