/* The feed of the National Terrorism Advisory System: from XML to alerts. */
#ifndef SERVICES_THREAT_FEED_H
#define SERVICES_THREAT_FEED_H

#include "alerts.h"

enum { THREAT_FEED_MOST = 1 << 20 }; /* bytes of a feed */

/* To be called once before there are threads. 0, or -1 where libxml2 is missing. */
int threat_feed_prepare(void);

/*
 * Reads the whole feed, which is not trusted: no file and no network is touched, DOCTYPE and with it entities are
 * refused, and so is what is no list of alerts, since an empty list means that nothing is in force. Adds to *alerts,
 * which are the caller's either way. It may open files of the system's (for encodings): not for fibers. 0; or -1 with
 * EBADMSG, whose reason says what is wrong, or ENOMEM.
 */
int threat_feed_read(const char *bytes, size_t length, struct threat_alerts *alerts);

#endif
