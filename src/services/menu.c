/* menu: one letter in, an answer out: a random number, the time, what serves, goodbye; and entries of one's own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/weir.h>

#include "services.h"

#if defined __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

enum { MOST_RANDOM = 10 };

struct settings {
    weir_option_list replies;
};

struct menu {
    weir_command *commands; /* one's own, the built-in ones, and any other */
    char **names;           /* of one's own, which are allocated */
    size_t own;
};

/* --- the built-in entries --- */

static weir_next went_on(int result)
{
    return result < 0 ? WEIR_FAILED : WEIR_GO_ON;
}

static weir_next tell_number(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)message, (void)length, (void)arg;
    char text[WEIR_INT_TEXT];
    weir_int_text(1 + (int64_t)weir_random_below(MOST_RANDOM), text, sizeof text);
    return went_on(weir_answer(conversation, text, strlen(text)));
}

static weir_next tell_time(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)message, (void)length, (void)arg;
    char text[WEIR_ISO_TIME];
    weir_iso_time(weir_wall_clock(), text, sizeof text);
    return went_on(weir_answer(conversation, text, strlen(text)));
}

static weir_next tell_language(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)message, (void)length, (void)arg;
    return went_on(weir_answer_format(conversation, "weir %s, C17, %s", weir_version(), COMPILER));
}

static weir_next end(weir_conversation *conversation, const char *message, size_t length, void *arg)
{
    (void)conversation, (void)message, (void)length, (void)arg;
    return WEIR_END_IT;
}

static const weir_command built_in[] = {
    {.name = "R", .any_case = true, .run = tell_number},
    {.name = "T", .any_case = true, .run = tell_time},
    {.name = "L", .any_case = true, .run = tell_language},
    {.name = "E", .any_case = true, .reply = "goodbye", .run = end},
    {.reply = "wrong option selected"},
};

enum { BUILT_IN = sizeof built_in / sizeof *built_in };

/* --- entries of one's own --- */

static bool is_blank(char one)
{
    return one == ' ' || one == '\t';
}

/* Where the = of OPTION=TEXT is. NULL with an error where it is another, or where no message could match. */
static const char *find_sign(const char *reply)
{
    const char *sign = strchr(reply, '=');
    if (sign && sign > reply && !is_blank(reply[0]) && !is_blank(sign[-1]) && !memchr(reply, '\n', sign - reply))
        return sign;
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "serve", "menu", "--reply '%s': not OPTION=TEXT, such as H=hello", reply);
    return NULL;
}

static int add_own(struct menu *menu, const char *reply)
{
    const char *sign = find_sign(reply);
    if (!sign)
        return -1;
    char *name = strndup(reply, (size_t)(sign - reply));
    if (!name)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "menu", NULL);
    menu->names[menu->own] = name;
    menu->commands[menu->own++] = (weir_command){.name = name, .any_case = true, .reply = sign + 1};
    return 0;
}

static void stop(void *arg)
{
    struct menu *menu = arg;
    for (size_t i = 0; i < menu->own; i++)
        free(menu->names[i]);
    free(menu->names);
    free(menu->commands);
    free(menu);
}

/* The last of one name counts, as with other options: so it comes first. */
static int add_all(struct menu *menu, const weir_option_list *replies)
{
    for (size_t i = replies->count; i > 0; i--)
        if (add_own(menu, replies->items[i - 1]) < 0)
            return -1;
    memcpy(menu->commands + menu->own, built_in, sizeof built_in);
    return 0;
}

static int start(void *settings, const weir_server_options *options, void **arg)
{
    (void)options;
    const weir_option_list *replies = &((struct settings *)settings)->replies;
    struct menu *menu = calloc(1, sizeof *menu);
    if (!menu)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "menu", NULL);
    menu->commands = calloc(replies->count + BUILT_IN, sizeof *menu->commands);
    menu->names = calloc(replies->count + 1, sizeof *menu->names);
    if (!menu->commands || !menu->names)
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "menu", NULL);
    else if (add_all(menu, replies) == 0) {
        *arg = menu;
        return 0;
    }
    stop(menu);
    return -1;
}

static void serve(weir_conn *conn, void *arg)
{
    const struct menu *menu = arg;
    weir_conversation conversation = weir_conversation_begin(conn);
    weir_converse(&conversation, menu->commands, NULL);
}

/* --- what it is --- */

static const weir_option options[] = {
    {WEIR_OPTION_LIST, "reply", 0, "OPTION=TEXT", offsetof(struct settings, replies),
     "one more entry: OPTION, in either case, is answered TEXT; may be given again, and in place of R, T, L and E"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", NULL};
static const char *const endpoints[] = {"tcp://:8003", NULL};
static const char *const examples[] = {
    "weir serve menu",
    "on port 8003 of this machine alone, 127.0.0.1 and ::1",
    "weir serve menu :2000 --reply 'H=R, T, L or E' --reply 'ping=pong'",
    "with two more entries",
    "weir serve menu unix:/tmp/menu.socket",
    "on a Unix socket",
    NULL,
};

const weir_service menu_service = {
    .size = sizeof(weir_service),
    .name = "menu",
    .summary = "answers by a menu: a random number, the time, what serves, the end",
    .description =
        "Each message of a client is an option, in either case: R is answered by a random number from 1 to 10, T by "
        "this machine's local time as ISO 8601 has it (2026-11-21T07:15:00+01:00), L by what serves (its version, the "
        "language and the compiler), and E by \"goodbye\", upon which the connection is closed. Anything else is "
        "answered \"wrong option selected\", and the conversation goes on.\n\n" MESSAGES_ARE_SO,
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask %s T",
    .options = options,
    .settings_size = sizeof(struct settings),
    .stream = serve,
    .start = start,
    .stop = stop,
};
