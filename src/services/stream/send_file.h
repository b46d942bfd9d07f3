/* A file as an answer: whole, in ranges, or not at all because it is known already. */
#ifndef STREAM_SEND_FILE_H
#define STREAM_SEND_FILE_H

#include "../../http/server.h"

/* Answers a GET or HEAD with an open regular file, by weir_sendfile. The file stays the caller's. Parks. */
void send_file(struct http_exchange *exchange, weir_file *file, const char *type);

#endif
