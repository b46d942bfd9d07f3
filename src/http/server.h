/* An HTTP/1 server on one connection: requests one after the other, as long as both sides keep it open. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "body.h"

/* One request and what becomes of it. Lives as long as its handler runs. */
struct http_exchange {
    weir_conn *conn;
    const char *name; /* what the field Server says */
    struct http_head request;
    struct http_body
        body; /* of the request, for handlers that want one; what they leave is read over, or ends the connection */
    bool head_only; /* HEAD: http_begin and http_answer send no body; who streams one asks */
    bool keep;      /* the connection goes on after this answer; a handler may take it back */
    int status;     /* what was answered, 0: nothing yet; for the log */
    uint64_t sent;  /* bytes of the body */
    void *arg;
};

/* Answers one request. Where it has begun no answer, 500 is. */
typedef void http_handler(struct http_exchange *exchange);

/* Serves a connection until it ends. `name` is what the field Server says. Parks. */
void http_serve(weir_conn *conn, const char *name, http_handler *handler, void *arg);

/*
 * A server is about to stop: its connections that wait for a request (of the `arg` of http_serve) end; those that are
 * answering end behind that. Any thread. Does not park.
 */
void http_stop(const void *arg);

/* How an answer begins. Every zero is the default. */
struct http_answer {
    const char *type;   /* Content-Type; NULL: none */
    int64_t length;     /* of the body; -1: until the connection is closed */
    const char *fields; /* more, each with its CR LF; NULL: none. Whatever was a stranger's must have been checked */
    bool raw;           /* as ICY clients want it: no Date, HTTP/1.0 in the status line for HTTP/1.0 requests */
};

/* Sends the head of an answer: Date, Server, Connection, Content-Length and what `answer` says. 0 or -1. Parks. */
int http_begin(struct http_exchange *exchange, int status, const struct http_answer *answer);

/* The whole of a short one. 0 or -1. Parks. */
int http_answer(struct http_exchange *exchange, int status, const char *type, const char *fields, const void *body,
                size_t length);

/* A page of one line for people, "404 Not Found: ...". `format` may be NULL. 0 or -1. */
int http_refuse(struct http_exchange *exchange, int status, const char *fields, const char *format, ...)
    WEIR_PRINTF(4, 5);

/* 100 Continue, where the client waits for it. 0 or -1. */
int http_continue(struct http_exchange *exchange);

/* The words of a status: "Not Found". */
const char *http_reason(int status);

/* A point in wall-clock seconds as HTTP writes it, "Sat, 21 Nov 2026 21:30:00 GMT", and back; -1 where it is none. */
enum { HTTP_DATE_SIZE = 32 };
void http_date(int64_t seconds, char text[HTTP_DATE_SIZE]);
int64_t http_parse_date(const char *text);

#endif
