/*
 * Where certificates are read: on the pool, since a file may be slow to come, and the loop has others to serve. In
 * threads by the caller itself, unless it has a deadline.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/fiber.h>

#include "base/error.h"
#include "net/tls_context.h"

/* What a thread of the pool works on. It is the pool's to free if nobody waits for it any more. */
struct reading {
    int (*read)(struct reading *reading);
    weir_tls_options options;          /* copies */
    struct weir__tls_context *context; /* a reference: to what was made, or is to be made anew */
    weir_error_kind kind;              /* NONE: it went well */
    int number;
    char *subject, *reason; /* NULL without memory */
};

static void free_reading(void *arg)
{
    struct reading *reading = arg;
    weir__tls_drop(reading->context);
    weir__tls_free_options(&reading->options);
    free(reading->subject);
    free(reading->reason);
    free(reading);
}

/* The error is that of the pool's thread: who waits gets a copy. */
static int run(void *arg)
{
    struct reading *reading = arg;
    if (reading->read(reading) == 0)
        return 0;
    const weir_error_info *error = weir_error();
    reading->kind = error->kind;
    reading->number = error->number;
    reading->subject = strdup(error->subject);
    reading->reason = strdup(error->reason);
    return -1;
}

static int tell(const struct reading *reading)
{
    if (!reading->subject || !reading->reason)
        return weir__fail_memory("tls");
    return weir_fail(reading->kind, reading->number, "tls", reading->subject, "%s", reading->reason);
}

/* What weir_offload says, said of what it was for. The reading is the pool's where its caller has gone. */
static int fail_offload(struct reading *reading, int number, const char *subject)
{
    if (number == ETIMEDOUT)
        return weir__fail_deadline("tls", subject);
    if (number == ECANCELED)
        return weir__fail_cancelled("tls", subject);
    free_reading(reading);
    return weir__fail_system(number, "tls", subject);
}

/* Takes the reading. A reference to what it has come to, or NULL with the error. */
static struct weir__tls_context *await(struct reading *reading, const char *subject, int64_t deadline)
{
    if (!reading)
        return NULL;
    if (weir_offload(run, reading, free_reading, NULL, deadline) < 0) {
        fail_offload(reading, errno, subject);
        return NULL;
    }
    bool well = reading->kind == WEIR_ERROR_NONE;
    struct weir__tls_context *context = well ? weir__tls_take(reading->context) : NULL;
    if (!well)
        tell(reading);
    int number = errno;
    free_reading(reading);
    errno = number;
    return context;
}

static struct reading *new_reading(int (*read)(struct reading *reading), const weir_tls_options *options)
{
    struct reading *reading = calloc(1, sizeof *reading);
    if (!reading) {
        weir__fail_memory("tls");
        return NULL;
    }
    reading->read = read;
    if (!options || weir__tls_copy_options(&reading->options, options) == 0)
        return reading;
    free_reading(reading);
    return NULL;
}

/* --- a server's --- */

static int read_server(struct reading *reading)
{
    return (reading->context = weir__tls_context_new(&reading->options, true)) ? 0 : -1;
}

struct weir__tls_context *weir__tls_server(const weir_tls_options *options)
{
    if (options->cert)
        return await(new_reading(read_server, options), options->cert, WEIR_FOREVER);
    weir_fail(WEIR_ERROR_USAGE, EINVAL, "tls", "", "a server must have a certificate beside its key (--cert)");
    return NULL;
}

static int read_again(struct reading *reading)
{
    return weir__tls_make_anew(reading->context);
}

int weir__tls_reload(struct weir__tls_context *context)
{
    struct reading *reading = new_reading(read_again, NULL);
    if (reading)
        reading->context = weir__tls_take(context);
    struct weir__tls_context *done = await(reading, context->options.cert, WEIR_FOREVER);
    weir__tls_drop(done);
    return done ? 0 : -1;
}

/* --- a client's --- */

static int read_client(struct reading *reading)
{
    return (reading->context = weir__tls_client_context(&reading->options)) ? 0 : -1;
}

struct weir__tls_context *weir__tls_client(const weir_tls_options *options, const char *endpoint, int64_t deadline)
{
    struct weir__tls_context *known = weir__tls_client_without_files(options);
    return known ? known : await(new_reading(read_client, options), endpoint, deadline);
}
