/*
 * threat's feed: any bytes at all are read as XML, and nothing but them: no file and no network is touched. What
 * comes of them is alerts with times that there are, the same ones each time, and a level that is one of those in
 * force; or a reason.
 */
#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "services/threat/feed.h"

/* The years 0000 to 9999. */
#define FIRST INT64_C(-62167219200)
#define LAST  INT64_C(253402300799)

/* What libxml2 would load by a name. */
static xmlParserInputPtr load(const char *url, const char *id, xmlParserCtxtPtr context)
{
    (void)context;
    fuzz_broken(__FILE__, __LINE__, "nothing is loaded", "'%s', '%s'", url ? url : "", id ? id : "");
}

static void require_sound(const struct threat_alert *alert)
{
    fuzz_require(alert->level > THREAT_NONE && alert->level <= THREAT_IMMINENT, "%d", (int)alert->level);
    fuzz_require(alert->start >= FIRST && alert->start <= LAST && alert->start % 60 == 0, "%lld",
                 (long long)alert->start);
    fuzz_require(alert->end == INT64_MAX || (alert->end >= FIRST && alert->end <= LAST && alert->end % 60 == 0), "%lld",
                 (long long)alert->end);
}

/* The level at a time, looked for the other way round: from the highest downwards. */
static void require_level(const struct threat_alerts *alerts, int64_t time)
{
    enum threat_level level = threat_alerts_level(alerts, time);
    for (int highest = THREAT_IMMINENT; highest > (int)THREAT_NONE; highest--)
        for (size_t i = 0; i < alerts->count; i++)
            if ((int)alerts->items[i].level == highest && alerts->items[i].start <= time &&
                alerts->items[i].end > time) {
                fuzz_require((int)level == highest, "%d, %d", (int)level, highest);
                return;
            }
    fuzz_require(level == THREAT_NONE, "%d", (int)level);
}

static int read_feed(const char *bytes, size_t size, struct threat_alerts *alerts)
{
    *alerts = (struct threat_alerts){0};
    errno = 0;
    int result = threat_feed_read(bytes, size, alerts);
    if (result < 0)
        fuzz_require(errno == EBADMSG && *weir_error()->reason, "errno %d: '%s'", errno, weir_error()->reason);
    return result;
}

static void require_same(const struct threat_alerts *one, const struct threat_alerts *other)
{
    fuzz_require(one->count == other->count, "%zu, %zu", one->count, other->count);
    for (size_t i = 0; i < one->count; i++)
        fuzz_require(one->items[i].level == other->items[i].level && one->items[i].start == other->items[i].start &&
                         one->items[i].end == other->items[i].end,
                     "alert %zu", i);
}

/* What is read is read once more, with nothing behind it that is the parser's. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct threat_alerts alerts, again;
    if (threat_feed_prepare() < 0)
        abort();
    xmlSetExternalEntityLoader(load);
    char *text = fuzz_string(data, size), *bytes = fuzz_alloc(size);
    memcpy(bytes, data, size);
    int result = read_feed(text, size, &alerts);
    fuzz_require(read_feed(bytes, size, &again) == result, "%d", result);
    require_same(&alerts, &again);
    for (size_t i = 0; i < alerts.count; i++) {
        require_sound(&alerts.items[i]);
        require_level(&alerts, alerts.items[i].start);
        require_level(&alerts, alerts.items[i].end);
    }
    require_level(&alerts, 1700000000);
    threat_alerts_free(&alerts);
    threat_alerts_free(&again);
    free(text);
    free(bytes);
    return 0;
}
