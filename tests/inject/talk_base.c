/* Conversations with the floor: endpoints, options, errors, texts. */
#include <stdlib.h>
#include <string.h>

#include "talks.h"

/* What is wrong is said, with memory or without. */
static bool endpoints(void)
{
    weir_endpoint endpoint;
    weir_address address;
    char text[400];
    TRY(weir_parse_endpoint("tcp://[::1]:80", NULL, &endpoint));
    if (strcmp(endpoint.text, "tcp://[::1]:80") != 0)
        return wrong("the endpoint is %s", endpoint.text);
    TRY(weir_parse_endpoint("unix:/run/some/socket?type=datagram", NULL, &endpoint));
    TRY(weir_parse_address("127.0.0.1:9", &address));
    weir_endpoint_text(WEIR_SCHEME_UDP, true, &address, text, sizeof text);
    if (strcmp(text, "udp://127.0.0.1:9") != 0)
        return wrong("the endpoint is %s", text);
    if (weir_parse_endpoint("tcp://localhost:99999", NULL, &endpoint) == 0 || errno != EINVAL ||
        weir_error()->kind != WEIR_ERROR_USAGE)
        return wrong("port 99999 is taken for one");
    return strstr(weir_error()->sentence, "99999") || wrong("the sentence is \"%s\"", weir_error()->sentence);
}

/* An error is told without memory too, and one that is too long for what there is is cut. */
static bool errors(void)
{
    char subject[400];
    memset(subject, 'x', sizeof subject - 1);
    subject[sizeof subject - 1] = '\0';
    for (int i = 0; i < 3; i++) {
        if (weir_fail(WEIR_ERROR_CONNECT, ECONNREFUSED, "connect", subject, "refused %d times", i) != -1 ||
            errno != ECONNREFUSED)
            return wrong("weir_fail leaves errno %d", errno);
        const weir_error_info *error = weir_error();
        if (error->kind != WEIR_ERROR_CONNECT || error->number != ECONNREFUSED ||
            strncmp(error->sentence, "connect xxx", 11) != 0)
            return wrong("the error is \"%s\"", error->sentence);
        if (weir_error_exit_status(error) != 1)
            return wrong("its exit status is %d", weir_error_exit_status(error));
    }
    return true;
}

struct settings {
    int64_t time;
    weir_option_list names;
    bool loud;
};

static const weir_option table[] = {
    {WEIR_OPTION_TIME, "time", 't', NULL, offsetof(struct settings, time), "how long", "3s"},
    {WEIR_OPTION_LIST, "name", 'n', "NAME", offsetof(struct settings, names), "one of those who are meant"},
    {WEIR_OPTION_FLAG, "loud", 'l', NULL, offsetof(struct settings, loud), "say it"},
    {WEIR_OPTION_END},
};

static bool look_at(const struct settings *settings, const weir_arguments *arguments)
{
    if (settings->time != WEIR_MS(500) || !settings->loud || settings->names.count != 9)
        return wrong("the options were not read");
    for (size_t i = 0; i < 9; i++)
        if (settings->names.items[i][0] != (char)('a' + i))
            return wrong("name %zu is %s", i, settings->names.items[i]);
    return (arguments->count == 1 && strcmp(arguments->items[0], "word") == 0) || wrong("the argument is lost");
}

static bool options(void)
{
    static const char *const argv[] = {"-na", "-nb",  "--time", "500ms", "-nc", "-nd",   "-ne",
                                       "-nf", "word", "-ng",    "-nh",   "-ni", "--loud"};
    struct settings settings = {0};
    weir_arguments arguments = {0};
    const weir_option_set set = {table, &settings};
    bool well = weir_options_parse(&set, 1, 13, (char *const *)(uintptr_t)argv, &arguments) == 0
                    ? look_at(&settings, &arguments)
                    : failed("weir_options_parse");
    weir_options_free(&set, 1, &arguments);
    if (!well)
        return false;
    char *help = weir_options_help(table, 60);
    if (!help)
        return failed("weir_options_help");
    well = strstr(help, "--time") && strstr(help, "one of those");
    free(help);
    return well || wrong("the help does not tell of the options");
}

/* A log loses records where it must, and never fails. */
static bool log_and_random(void)
{
    uint64_t number = weir_random_below(10);
    errno = EBADMSG;
    weir_log(WEIR_LOG_WARNING, "the number is %d", (int)number);
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "try", "this", "it is %d", (int)number);
    weir_log_error();
    return (number < 10 && errno == EINVAL) || wrong("errno is %d", errno);
}

const struct conversation base_talks[] = {
    {"endpoints", endpoints, .once = true},
    {"errors", errors, .once = true},
    {"options", options, .once = true},
    {"log", log_and_random, .once = true},
    {0},
};
