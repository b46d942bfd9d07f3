/* threat: tells the time and the level of the National Terrorism Advisory System. */
#include "threat.h"

#include <errno.h>
#include <stdlib.h>
#include <weir/weir.h>

#include "../services.h"
#include "source.h"
#include "talk.h"

/* How long who asks is kept waiting: less than `weir ask` waits for an answer. */
#define PATIENCE WEIR_S(4)
/* How long a feed that failed is left alone. */
#define RETRY WEIR_MINUTES(1)

struct threat {
    struct threat_origin origin;
    struct threat_brake brake;
    struct threat_source *source;
};

static int fetch(void *arg, struct threat_alerts *alerts)
{
    struct threat *threat = arg;
    return threat_fetch(&threat->origin, &threat->brake, alerts);
}

static int start(void *arg, const weir_server_options *options, void **made)
{
    (void)options;
    const struct threat_settings *settings = arg;
    if (threat_fetch_check(&settings->origin) < 0 || threat_fetch_prepare() < 0)
        return -1;
    struct threat *threat = calloc(1, sizeof *threat);
    if (!threat)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "threat", NULL);
    threat->origin = settings->origin;
    threat_brake_init(&threat->brake);
    threat->source = threat_source_new(&(struct threat_source_options){
        .fetch = fetch,
        .arg = threat,
        .keep = settings->keep,
        .patience = PATIENCE,
        .retry = settings->keep < RETRY ? settings->keep : RETRY,
    });
    if (!threat->source) {
        free(threat);
        return -1;
    }
    *made = threat;
    return 0;
}

/* A fetch that is still under way may not see the process end around it. */
static void stop(void *arg)
{
    struct threat *threat = arg;
    threat_brake_pull(&threat->brake);
    threat_source_free(threat->source);
    free(threat);
}

static void serve(weir_conn *conn, void *arg)
{
    threat_talk(conn, ((struct threat *)arg)->source);
}

#define AT(member) offsetof(struct threat_settings, member)

const weir_option threat_options[] = {
    {WEIR_OPTION_TIME, "feed-ttl", 0, "TIME", AT(keep),
     "how long a level that was fetched is given out as new; never: for as long as it serves", "30m"},
    {WEIR_OPTION_TEXT, "feed", 0, "URL", AT(origin.url), "where the alerts are fetched, by https",
     "https://www.dhs.gov/ntas/1.1/feed.xml"},
    {WEIR_OPTION_TEXT, "feed-ca", 0, "FILE", AT(origin.ca),
     "certificates (PEM) that are trusted in place of the system's, for a feed of one's own"},
    {WEIR_OPTION_TIME, "feed-timeout", 0, "TIME", AT(origin.timeout), "how long a fetch may take in all", "10s"},
    {0},
};

static const char *const transports[] = {"tcp", "tls", "unix", NULL};
static const char *const endpoints[] = {"tcp://:9055", NULL};
static const char *const examples[] = {
    "weir serve threat",
    "on port 9055 of this machine alone; nothing is fetched before somebody asks",
    "weir serve threat 'tcp://*:9055' --feed-ttl 1h",
    "for everybody who reaches this machine; the feed is asked once an hour at most",
    "weir serve threat --feed https://example.org/feed.xml --feed-ca /tmp/ca.pem",
    "with a feed of one's own, whose certificate is of one's own as well",
    NULL,
};

const weir_service threat_service = {
    .size = sizeof(weir_service),
    .name = "threat",
    .summary = "tells the time and the threat level of Homeland Security",
    .description =
        "Three messages are understood: getTime is answered with the local time as ISO 8601, getThreat with the level "
        "of the National Terrorism Advisory System (NTAS), disconnect ends the conversation, as the end of the stream "
        "does. Anything else is an unknown command. A message ends with its line, or with a pause of 100 ms where a "
        "client sends no newlines; answers then have none either.\n\n"
        "The level is the highest that is in force: none, bulletin, elevated or imminent. It is fetched when somebody "
        "asks and the last one is older than --feed-ttl, once for all who ask meanwhile; each of several processes "
        "fetches for itself. While the feed fails the last good answer is given with its age and the reason, "
        "\"elevated, 35 min old: ...\"; where there is none the answer is \"unknown: \" and the reason. Who asks "
        "waits for four seconds at most. A feed that failed is asked again after a minute (or --feed-ttl, where that "
        "is shorter).\n\n"
        "The feed is fetched by https alone, its certificate is verified, redirections lead to https only, and at "
        "most 1 MiB is read; a proxy is used where https_proxy in the environment names one. What is no list of "
        "alerts is not taken for an empty one.",
    .transports = transports,
    .endpoints = endpoints,
    .examples = examples,
    .try_line = "%w ask %s getTime",
    .options = threat_options,
    .settings_size = sizeof(struct threat_settings),
    .stream = serve,
    .start = start,
    .stop = stop,
};
