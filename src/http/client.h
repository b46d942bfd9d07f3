/* An HTTP/1.1 client: one request and its response, through redirects. */
#ifndef HTTP_CLIENT_H
#define HTTP_CLIENT_H

#include "body.h"
#include "url.h"

struct http_get {
    const char
        *fields; /* more of the request, each with its CR LF: "Icy-MetaData: 1\r\n", "Range: ...\r\n"; NULL: none */
    const char *agent; /* User-Agent */
    int redirects;     /* how many are followed: 301, 302, 303, 307, 308; never from https to http. 0: none */
    int64_t deadline;  /* for connecting and for the response's head */
    weir_connect_options connect; /* its timeout is not read */
};

/* What came: the connection, at the beginning of the body. */
struct http_response {
    weir_conn *conn;
    struct http_head head;
    struct http_body body;
    struct http_url url; /* where it came from in the end */
};

/* Asks for a URL. 0 whatever the status; -1 with an error. http_response_end is due after a 0. Parks. */
int http_get(const char *url, const struct http_get *get, struct http_response *response);

/* Closes and frees. Parks. */
void http_response_end(struct http_response *response);

#endif
