/* An HTTP/1.1 client; see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

/* Credentials are a secret: what held them is emptied, and no compiler leaves that out. */
static void wipe(void *memory, size_t size)
{
    memset(memory, 0, size);
    __asm__ volatile("" : : "r"(memory) : "memory");
}

/* --- the request --- */

/* "Authorization: Basic ...\r\n"; "" where the URL names nobody. 0 or -1. */
static int write_authorization(const struct http_url *url, char *field, size_t size)
{
    char basic[400];
    *field = '\0';
    if (!*url->credentials)
        return 0;
    if (!http_basic_encode(url->credentials, basic, sizeof basic))
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "connect", url->endpoint, "its user and password are too long");
    snprintf(field, size, "Authorization: %s\r\n", basic);
    wipe(basic, sizeof basic);
    return 0;
}

/* The whole of a request's head, allocated; NULL with an error. */
static char *write_request(const struct http_url *url, const struct http_get *get)
{
    char authorization[440], *request = NULL;
    if (write_authorization(url, authorization, sizeof authorization) < 0)
        return NULL;
    int length = asprintf(
        &request, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nAccept: */*\r\n%s%sConnection: close\r\n\r\n",
        url->target, url->host, get->agent ? get->agent : "weir/" WEIR_VERSION, authorization,
        get->fields ? get->fields : "");
    wipe(authorization, sizeof authorization);
    if (length >= 0)
        return request;
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "send", url->endpoint, NULL);
    return NULL;
}

static int send_request(weir_conn *conn, const struct http_url *url, const struct http_get *get)
{
    char *request = write_request(url, get);
    if (!request)
        return -1;
    weir_set_deadline(conn, WEIR_READ_WRITE, get->deadline);
    int result = weir_send_all(conn, request, strlen(request));
    wipe(request, strlen(request));
    free(request);
    return result;
}

/* --- one exchange --- */

/* What is left until the deadline, as a time-out. */
static int64_t time_left(int64_t deadline)
{
    if (deadline == WEIR_FOREVER || deadline == WEIR_NOW)
        return deadline;
    int64_t left = deadline - weir_now();
    return left > 0 ? left : WEIR_NOW;
}

static weir_conn *dial(const struct http_url *url, const struct http_get *get)
{
    weir_connect_options options = get->connect;
    options.size = sizeof options;
    options.timeout = time_left(get->deadline);
    return weir_connect(url->endpoint, &options);
}

/* What is wrong with an answer is said of the one who gave it. -1. */
static int fail_answer(const struct http_url *url)
{
    const weir_error_info *error = weir_error();
    return weir_fail(error->kind, error->number, "receive", url->endpoint, "%s", error->reason);
}

static int read_answer(struct http_response *response, const struct http_get *get)
{
    int result = http_read_response(response->conn, "GET", get->deadline, &response->head);
    return result < 0 ? fail_answer(&response->url) : 0;
}

/* Asks where response->url says. 0 with a head that was read; -1 with an error, and nothing is left. */
static int ask(struct http_response *response, const struct http_get *get)
{
    response->head = (struct http_head){0};
    response->conn = dial(&response->url, get);
    if (!response->conn)
        return -1;
    if (send_request(response->conn, &response->url, get) < 0 || read_answer(response, get) < 0) {
        http_response_end(response);
        return -1;
    }
    weir_set_deadline(response->conn, WEIR_READ_WRITE, WEIR_FOREVER);
    return 0;
}

/* --- redirects --- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool is_https(const struct http_url *url)
{
    return strncmp(url->endpoint, "https:", 6) == 0;
}

/* What is wrong with the place is said of the one who named it. -1. */
static int fail_place(const struct http_url *url)
{
    char reason[600];
    snprintf(reason, sizeof reason, "%s", weir_error()->sentence);
    return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "receive", url->endpoint, "its redirect: %s", reason);
}

/* Where a redirect leads. 0, or -1 with an error. */
static int find_next(const struct http_response *response, struct http_url *next)
{
    const struct http_url *url = &response->url;
    const char *location = http_field(&response->head, "Location");
    if (!location)
        return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "receive", url->endpoint, "its redirect leads nowhere");
    if (http_resolve_url(url, location, next) < 0)
        return fail_place(url);
    if (is_https(url) && !is_https(next))
        return weir_fail(WEIR_ERROR_SYSTEM, EPROTO, "receive", url->endpoint,
                         "it redirects from https to http, which is not followed");
    http_keep_credentials(url, next);
    return 0;
}

/* Follows one. 1: it did; 0: there is none to follow; -1 with an error, and nothing is left. */
static int follow(struct http_response *response, const struct http_get *get, int *left)
{
    if (get->redirects <= 0 || !is_redirect(response->head.status))
        return 0;
    struct http_url next;
    int result = -1;
    if (*left == 0)
        weir_fail(WEIR_ERROR_LIMIT, ELOOP, "receive", response->url.endpoint, "more than %d redirects", get->redirects);
    else
        result = find_next(response, &next);
    --*left;
    http_response_end(response);
    if (result < 0)
        return -1;
    response->url = next;
    return ask(response, get) < 0 ? -1 : 1;
}

int http_get(const char *url, const struct http_get *get, struct http_response *response)
{
    memset(response, 0, sizeof *response);
    if (http_parse_url(url, &response->url) < 0 || ask(response, get) < 0)
        return -1;
    int left = get->redirects, followed;
    while ((followed = follow(response, get, &left)) > 0)
        ;
    if (followed < 0)
        return -1;
    http_body_begin(&response->body, response->conn, &response->head);
    return 0;
}

/* Keeps the error that there may be. */
void http_response_end(struct http_response *response)
{
    int number = errno;
    http_head_free(&response->head);
    weir_close(response->conn);
    response->conn = NULL;
    wipe(response->url.credentials, sizeof response->url.credentials);
    errno = number;
}
