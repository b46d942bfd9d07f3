/* Answers: their heads, and short ones whole. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

enum { HEAD_ROOM = 768, LINE_ROOM = 512 };

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {100, "Continue"},
        {200, "OK"},
        {204, "No Content"},
        {206, "Partial Content"},
        {301, "Moved Permanently"},
        {302, "Found"},
        {303, "See Other"},
        {304, "Not Modified"},
        {307, "Temporary Redirect"},
        {308, "Permanent Redirect"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {415, "Unsupported Media Type"},
        {416, "Range Not Satisfiable"},
        {417, "Expectation Failed"},
        {426, "Upgrade Required"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {502, "Bad Gateway"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Unknown";
}

/* --- heads --- */

/* A head as it is put together; what does not fit in it is no head of ours. */
struct writing {
    char text[HEAD_ROOM];
    size_t length;
};

static void WEIR_PRINTF(2, 3) put(struct writing *head, const char *format, ...)
{
    va_list arguments;
    size_t room = sizeof head->text - head->length;
    va_start(arguments, format);
    int length = vsnprintf(head->text + head->length, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        head->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* RFC 9110, 8.6 and 15.4.5: these have no body, and say no length. */
static bool is_bare(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static void put_connection(struct writing *head, const struct http_exchange *exchange)
{
    if (!exchange->keep)
        put(head, "Connection: close\r\n");
    else if (exchange->request.minor == 0)
        put(head, "Connection: keep-alive\r\n");
}

static void write_head(struct writing *head, const struct http_exchange *exchange, int status,
                       const struct http_answer *answer)
{
    char date[HTTP_DATE_SIZE];
    bool old = answer->raw && exchange->request.major == 1 && exchange->request.minor == 0;
    head->length = 0;
    put(head, "HTTP/1.%d %d %s\r\n", old ? 0 : 1, status, http_reason(status));
    if (!answer->raw) {
        http_date(weir_wall_clock() / WEIR_S(1), date);
        put(head, "Date: %s\r\n", date);
    }
    put(head, "Server: %s\r\n", exchange->name);
    put_connection(head, exchange);
    if (answer->type)
        put(head, "Content-Type: %s\r\n", answer->type);
    if (answer->length >= 0 && !is_bare(status))
        put(head, "Content-Length: %lld\r\n", (long long)answer->length);
}

static struct iovec vector_of(const void *data, size_t size)
{
    return (struct iovec){.iov_base = (void *)data, .iov_len = size};
}

/* The head and as much of the body as there already is, at once. */
static int send_head(struct http_exchange *exchange, int status, const struct http_answer *answer, const void *body,
                     size_t length)
{
    struct writing head;
    if (answer->length < 0 && !is_bare(status))
        exchange->keep = false;
    write_head(&head, exchange, status, answer);
    const char *fields = answer->fields ? answer->fields : "";
    struct iovec vector[] = {vector_of(head.text, head.length), vector_of(fields, strlen(fields)), vector_of("\r\n", 2),
                             vector_of(body, length)};
    exchange->status = status;
    if (weir_send_vector_all(exchange->conn, vector, 4) < 0) {
        exchange->keep = false;
        return -1;
    }
    exchange->sent += length;
    return 0;
}

int http_begin(struct http_exchange *exchange, int status, const struct http_answer *answer)
{
    return send_head(exchange, status, answer, "", 0);
}

/* --- whole answers --- */

int http_answer(struct http_exchange *exchange, int status, const char *type, const char *fields, const void *body,
                size_t length)
{
    struct http_answer answer = {.type = type, .length = (int64_t)length, .fields = fields};
    bool bare = exchange->head_only || is_bare(status);
    return send_head(exchange, status, &answer, body, bare ? 0 : length);
}

int http_refuse(struct http_exchange *exchange, int status, const char *fields, const char *format, ...)
{
    char reason[LINE_ROOM] = "", shown[LINE_ROOM], line[2 * LINE_ROOM], *all = NULL;
    if (format) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(reason, sizeof reason, format, arguments);
        va_end(arguments);
    }
    int length = snprintf(line, sizeof line, "%d %s%s%s\n", status, http_reason(status), *reason ? ": " : "",
                          weir_escape(reason, strlen(reason), shown, sizeof shown));
    if (asprintf(&all, "X-Content-Type-Options: nosniff\r\n%s", fields ? fields : "") < 0)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "answer", "", NULL);
    int result = http_answer(exchange, status, "text/plain; charset=utf-8", all, line, (size_t)length);
    free(all);
    return result;
}

int http_continue(struct http_exchange *exchange)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    if (!exchange->request.expects_continue)
        return 0;
    exchange->request.expects_continue = false;
    return weir_send_all(exchange->conn, line, strlen(line));
}
