/* weir threat: the level of the National Terrorism Advisory System, once. */
#include <errno.h>

#include "../services/threat/fetch.h"
#include "../services/threat/threat.h"
#include "commands.h"

static const struct option_section sections[] = {{"Options", THREAT_ORIGIN_OPTIONS}, {0}};

/* Prints the level on stdout; why it is unknown goes to stderr. */
static int print_level(enum threat_level level)
{
    puts(threat_level_name(level));
    return finish_stdout();
}

static int print_threat(const struct threat_settings *settings)
{
    struct threat_brake brake;
    struct threat_alerts alerts = {0};
    if (threat_fetch_check(&settings->origin) < 0 || threat_fetch_prepare() < 0)
        return failed();
    threat_brake_init(&brake);
    int fetched = threat_fetch(&settings->origin, &brake, &alerts);
    enum threat_level level = THREAT_UNKNOWN;
    if (fetched == 0)
        level = threat_alerts_level(&alerts, weir_wall_clock() / WEIR_S(1));
    threat_alerts_free(&alerts);
    if (fetched == 0 && level == THREAT_UNKNOWN)
        weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "read", settings->origin.url,
                  "an alert in force is of no type that is known");
    int printed = print_level(level);
    return level == THREAT_UNKNOWN ? failed() : printed;
}

static int run(const struct command *command, int argc, char *const *argv)
{
    struct threat_settings settings = {0};
    weir_option_set sets[] = {{THREAT_ORIGIN_OPTIONS, &settings}};
    struct command_line line;
    int status;
    if (command_begin(command, &line, sets, 1, argc, argv, &status))
        status = line.arguments.count ? wrong_usage(line.arguments.items[0], "threat takes no arguments")
                                      : print_threat(&settings);
    command_line_free(&line);
    return status;
}

/* --- what --help tells --- */

static const char *const usage[] = {"[OPTION]...", NULL};
static const char *const examples[] = {
    "weir threat",
    "the level now, in one word",
    "weir threat --feed https://example.org/feed.xml --feed-ca /tmp/ca.pem",
    "of a feed of one's own, whose certificate is of one's own as well",
    NULL,
};

const struct command threat_command = {
    .name = "threat",
    .summary = "prints the threat level of the Department of Homeland Security",
    .usage = usage,
    .description =
        "Fetches the alerts of the National Terrorism Advisory System (NTAS) and prints the highest level that is in "
        "force: none, bulletin, elevated, imminent, or unknown, whose reason goes to stderr. The feed is fetched by "
        "https alone and its certificate is verified.\n\n"
        "Exit status: 0 the level was printed, 1 it is unknown, 2 wrong usage, 3 it is unknown since the feed took "
        "too long.",
    .sections = sections,
    .examples = examples,
    .run = run,
};
