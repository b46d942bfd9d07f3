/* Alerts and the level that they make; see alerts.h. */
#include "alerts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <weir/error.h>

int threat_alerts_add(struct threat_alerts *alerts, struct threat_alert alert)
{
    bool full = (alerts->count & (alerts->count - 1)) == 0; /* the room is the next power of two */
    if (full) {
        size_t room = alerts->count ? alerts->count * 2 : 1;
        struct threat_alert *larger = realloc(alerts->items, room * sizeof *larger);
        if (!larger)
            return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "", NULL);
        alerts->items = larger;
    }
    alerts->items[alerts->count++] = alert;
    return 0;
}

void threat_alerts_free(struct threat_alerts *alerts)
{
    free(alerts->items);
    *alerts = (struct threat_alerts){0};
}

enum threat_level threat_alerts_level(const struct threat_alerts *alerts, int64_t time)
{
    enum threat_level highest = THREAT_NONE;
    for (size_t i = 0; i < alerts->count; i++) {
        const struct threat_alert *alert = &alerts->items[i];
        if (alert->start <= time && time < alert->end && alert->level > highest)
            highest = alert->level;
    }
    return highest;
}

const char *threat_level_name(enum threat_level level)
{
    static const char *const names[] = {"none", "bulletin", "elevated", "unknown", "imminent"};
    return names[level];
}
