/* Live sources: who may send to which mount, and what they send. */
#ifndef STREAM_SOURCE_H
#define STREAM_SOURCE_H

#include "stream.h"

struct senders;

/*
 * Reads the file of the passwords: lines "USER:PASSWORD", or "/MOUNT USER:PASSWORD" of one mount's alone; empty ones
 * and those that begin with # are passed over. Only hashes are kept. Without a file (NULL) nobody may send. Blocks.
 * NULL with an error that names the file and the line.
 */
struct senders *senders_open(const char *path);
void senders_free(struct senders *senders);

/* Reads it again. 0; -1 with an error, and all stays as it was. Blocks. */
int senders_reload(struct senders *senders);

/*
 * Whether the request has the credentials of the mount. Where not it has been answered: 401, after a delay that grows
 * with each wrong password of an address, or 403 where there are no passwords at all. Parks.
 */
bool source_admit(struct http_exchange *exchange, const char *mount);

/* Who sends at the moment. */
struct seats *senders_seats(struct senders *senders);

/* PUT and SOURCE of a mount: what is sent is on until it ends. Parks. */
http_handler source_answer;

#endif
