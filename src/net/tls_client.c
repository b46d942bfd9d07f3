/*
 * Clients' contexts: connections of the same options share one, since to read the system's CAs takes longer than a
 * handshake. What was read of a file is used for as long as the file is the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>

#include "net/tls_context.h"

enum { KEPT = 8, FILES = 3 };

/* Which file it was. */
struct stamp {
    uint64_t device, inode;
    int64_t size, changed;
};

static struct kept {
    struct weir__tls_context *context; /* NULL: free */
    struct stamp stamps[FILES];
} kept[KEPT];
static unsigned oldest;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Zeros of a file that cannot be opened: who reads it will say so. */
static struct stamp stamp_of(const char *path)
{
    struct stat status;
    struct stamp stamp = {0};
    int fd = path ? weir__system()->open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0) : -1;
    if (fd < 0)
        return stamp;
    if (weir__system()->fstat(fd, &status) == 0)
        stamp = (struct stamp){status.st_dev, status.st_ino, status.st_size,
                               WEIR_S(status.st_mtim.tv_sec) + status.st_mtim.tv_nsec};
    weir__system()->close(fd);
    return stamp;
}

static void take_stamps(const weir_tls_options *options, struct stamp stamps[FILES])
{
    const char *const paths[FILES] = {options->ca, options->cert, options->key};
    memset(stamps, 0, FILES * sizeof *stamps);
    for (int i = 0; i < FILES; i++)
        stamps[i] = stamp_of(paths[i]);
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool fits(const struct kept *one, const weir_tls_options *options, const struct stamp stamps[FILES])
{
    if (!one->context)
        return false;
    const weir_tls_options *its = &one->context->options;
    return its->insecure == options->insecure && its->wipe == options->wipe && same(its->ca, options->ca) &&
           same(its->cert, options->cert) && same(its->key, options->key) && same(its->alpn, options->alpn) &&
           memcmp(one->stamps, stamps, sizeof one->stamps) == 0;
}

static struct weir__tls_context *find(const weir_tls_options *options, const struct stamp stamps[FILES])
{
    struct weir__tls_context *found = NULL;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < KEPT && !found; i++)
        if (fits(&kept[i], options, stamps))
            found = kept[i].context;
    if (found)
        weir__tls_take(found);
    pthread_mutex_unlock(&lock);
    return found;
}

void weir__tls_forget_clients(void)
{
    struct weir__tls_context *gone[KEPT];
    pthread_mutex_lock(&lock);
    for (int i = 0; i < KEPT; i++) {
        gone[i] = kept[i].context;
        kept[i].context = NULL;
    }
    oldest = 0;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < KEPT; i++)
        weir__tls_drop(gone[i]);
    OPENSSL_thread_stop();
}

static void keep(struct weir__tls_context *context, const struct stamp stamps[FILES])
{
    weir__tls_take(context);
    pthread_mutex_lock(&lock);
    struct kept *one = &kept[oldest++ % KEPT];
    struct weir__tls_context *before = one->context;
    one->context = context;
    memcpy(one->stamps, stamps, sizeof one->stamps);
    pthread_mutex_unlock(&lock);
    weir__tls_drop(before);
}

struct weir__tls_context *weir__tls_client_without_files(const weir_tls_options *options)
{
    static const struct stamp none[FILES];
    return options->ca || options->cert || options->key ? NULL : find(options, none);
}

struct weir__tls_context *weir__tls_client_context(const weir_tls_options *options)
{
    struct stamp stamps[FILES];
    take_stamps(options, stamps);
    struct weir__tls_context *context = find(options, stamps);
    if (context)
        return context;
    context = weir__tls_context_new(options, false);
    if (context)
        keep(context, stamps);
    return context;
}
