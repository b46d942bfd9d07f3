/* What the files that take heads apart share. */
#ifndef HTTP_HEAD_INSIDE_H
#define HTTP_HEAD_INSIDE_H

#include "head.h"

/*
 * Checks a head as it came, up to and with its empty line, for what no head may hold, whatever it means: bare CRs and
 * LFs, control characters, folded lines, what is no name before a colon, lines and fields without measure. 0; or the
 * status, and *why is a sentence's end.
 */
int http_check_text(const char *text, size_t length, bool request, const char **why);

/* Whether bytes are a token (RFC 9110, 5.6.2): a method, a field's name. */
bool http_is_token(const char *text, size_t length);

/*
 * Takes it apart by http-parser into *head, whose memory it becomes. 0; else the status and *why, and -1 where there
 * is no memory.
 */
int http_parse_head(const char *text, size_t length, bool request, struct http_head *head, const char **why);

/* What a request's fields say of its version, host, body and end. 0, or the status; *why is then a sentence's end. */
int http_understand_request(struct http_head *head, const char **why);

/* Likewise of a response to the method `to`. 0, or -1 and *why. */
int http_understand_response(struct http_head *head, const char *to, const char **why);

#endif
