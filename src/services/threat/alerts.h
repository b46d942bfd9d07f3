/* Alerts: what a feed says is in force and until when, and the level that this makes. */
#ifndef SERVICES_THREAT_ALERTS_H
#define SERVICES_THREAT_ALERTS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The highest in force wins. What an alert of a kind that we do not know means, only an imminent one leaves without
 * doubt.
 */
enum threat_level {
    THREAT_NONE,
    THREAT_BULLETIN,
    THREAT_ELEVATED,
    THREAT_UNKNOWN,
    THREAT_IMMINENT,
};

struct threat_alert {
    enum threat_level level;
    int64_t start, end; /* seconds since 1970, UTC; the end is no part of it; INT64_MAX: none was named */
};

struct threat_alerts {
    struct threat_alert *items; /* the owner's, by threat_alerts_free */
    size_t count;
};

/* 0, or -1 with ENOMEM. */
int threat_alerts_add(struct threat_alerts *alerts, struct threat_alert alert);
void threat_alerts_free(struct threat_alerts *alerts);

/* The level at a time (seconds since 1970): alerts to come and those that have expired do not count. */
enum threat_level threat_alerts_level(const struct threat_alerts *alerts, int64_t time);

/* "none", "bulletin", "elevated", "unknown", "imminent". */
const char *threat_level_name(enum threat_level level);

#endif
