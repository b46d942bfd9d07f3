/* Who may send: the file of the passwords, and how a request is judged by it; see source.h. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../http/base64.h"
#include "../login/tries.h"
#include "paths.h"
#include "seats.h"
#include "source.h"

enum { HASH = 32, MOST_ENTRIES = 1000, LONGEST_LINE = 600, CREDENTIALS_MOST = 512 };

/* A line of the file. The hash has a key of its own in each process: it tells nothing where it is found. */
struct entry {
    char mount[PATH_MOST]; /* "": all of them */
    unsigned char hash[HASH];
};

struct entries {
    struct entry *all;
    size_t count;
};

struct senders {
    char *path; /* NULL: nobody may send */
    unsigned char key[HASH];
    struct tries *tries;
    struct seats *seats;
    pthread_mutex_t lock; /* of the entries */
    struct entries entries;
};

static void hash_of(const struct senders *senders, const char *credentials, unsigned char hash[HASH])
{
    crypto_generichash(hash, HASH, (const unsigned char *)credentials, strlen(credentials), senders->key, HASH);
}

/* --- the file --- */

static int fail_line(const struct senders *senders, size_t number, const char *why)
{
    return weir_fail(WEIR_ERROR_USAGE, EINVAL, "read", senders->path, "line %zu: %s", number, why);
}

static int add_entry(struct entries *entries, const struct entry *entry)
{
    struct entry *larger = realloc(entries->all, (entries->count + 1) * sizeof *larger);
    if (!larger)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "read", "passwords", NULL);
    entries->all = larger;
    entries->all[entries->count++] = *entry;
    return 0;
}

/* "USER:PASSWORD" or "/MOUNT USER:PASSWORD"; the line is cut where its mount ends. */
static int read_entry(const struct senders *senders, struct entries *entries, char *line, size_t number)
{
    struct entry entry = {0};
    if (*line == '\0' || *line == '#')
        return 0;
    if (*line == '/') {
        char *mount = strsep(&line, " \t");
        if (!path_is_mount(mount))
            return fail_line(senders, number, "what begins with / is to be a mount, such as /live");
        snprintf(entry.mount, sizeof entry.mount, "%s", mount);
        line = line ? line + strspn(line, " \t") : NULL;
    }
    if (!line || *line == ':' || !strchr(line, ':') || strlen(line) >= CREDENTIALS_MOST)
        return fail_line(senders, number, "USER:PASSWORD is wanted, or /MOUNT USER:PASSWORD");
    if (entries->count == MOST_ENTRIES)
        return fail_line(senders, number, "more than 1,000 passwords");
    hash_of(senders, line, entry.hash);
    return add_entry(entries, &entry);
}

static int read_entries(const struct senders *senders, FILE *file, struct entries *entries)
{
    char line[LONGEST_LINE];
    int result = 0;
    for (size_t number = 1; result == 0 && fgets(line, sizeof line, file); number++) {
        size_t length = strcspn(line, "\r\n");
        if (length == sizeof line - 1)
            result = fail_line(senders, number, "it is too long");
        line[length] = '\0';
        if (result == 0)
            result = read_entry(senders, entries, line, number);
    }
    explicit_bzero(line, sizeof line);
    if (result == 0 && ferror(file))
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "read", senders->path, NULL);
    return result;
}

/* Passwords that others on this machine can read are none. */
static int check_mode(const struct senders *senders, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "read", senders->path, NULL);
    if (status.st_mode & 077)
        return weir_fail(WEIR_ERROR_SYSTEM, EACCES, "read", senders->path,
                         "mode %04o: others than its owner have access to it; chmod 600 mends that",
                         (unsigned)status.st_mode & 07777);
    return 0;
}

static int read_file(const struct senders *senders, struct entries *entries)
{
    char buffer[4096]; /* ours, so that it can be wiped */
    FILE *file = fopen(senders->path, "re");
    if (!file)
        return weir_fail(WEIR_ERROR_SYSTEM, errno, "open", senders->path, NULL);
    setvbuf(file, buffer, _IOFBF, sizeof buffer);
    int result = check_mode(senders, fileno(file));
    if (result == 0)
        result = read_entries(senders, file, entries);
    fclose(file);
    explicit_bzero(buffer, sizeof buffer);
    return result;
}

int senders_reload(struct senders *senders)
{
    struct entries fresh = {0};
    if (!senders->path)
        return 0;
    int result = read_file(senders, &fresh);
    if (result == 0) {
        pthread_mutex_lock(&senders->lock);
        struct entries old = senders->entries;
        senders->entries = fresh;
        pthread_mutex_unlock(&senders->lock);
        fresh = old;
    }
    free(fresh.all);
    return result;
}

/* --- the start and the stop --- */

static void tell_rest(struct tries_source source, uint64_t count)
{
    char text[TRIES_SOURCE_TEXT];
    weir_log(WEIR_LOG_INFO, "stream: %s: wrong source password, tries: %" PRIu64, tries_source_text(source, text),
             count);
}

struct senders *senders_open(const char *path)
{
    static const struct tries_limits limits = {.delay = WEIR_MS(500), .longest = WEIR_S(10), .at_once = 16};
    struct senders *senders = calloc(1, sizeof *senders);
    if (!senders) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "start", "stream", NULL);
        return NULL;
    }
    pthread_mutex_init(&senders->lock, NULL);
    weir_random(senders->key, sizeof senders->key);
    senders->tries = tries_new(&limits, tell_rest);
    senders->seats = seats_new();
    senders->path = path ? strdup(path) : NULL;
    if (senders->tries && senders->seats && (!path || senders->path) && senders_reload(senders) == 0)
        return senders;
    senders_free(senders);
    return NULL;
}

void senders_free(struct senders *senders)
{
    if (!senders)
        return;
    seats_free(senders->seats);
    tries_free(senders->tries);
    pthread_mutex_destroy(&senders->lock);
    free(senders->entries.all);
    free(senders->path);
    free(senders);
}

struct seats *senders_seats(struct senders *senders)
{
    return senders->seats;
}

/* --- judging --- */

/* Every line is looked at, whichever fits: how long it takes tells nothing. */
static bool is_known(struct senders *senders, const char *credentials, const char *mount)
{
    unsigned char hash[HASH];
    bool known = false;
    hash_of(senders, credentials, hash);
    pthread_mutex_lock(&senders->lock);
    for (size_t i = 0; i < senders->entries.count; i++) {
        const struct entry *entry = &senders->entries.all[i];
        bool same = sodium_memcmp(entry->hash, hash, HASH) == 0;
        bool here = !entry->mount[0] || strcmp(entry->mount, mount) == 0;
        known |= same & here;
    }
    pthread_mutex_unlock(&senders->lock);
    return known;
}

/* Who tries: its address; who comes by a Unix socket, through a proxy in front of us, is one. */
static struct tries_source client_of(const struct http_exchange *exchange)
{
    weir_address address = {0};
    weir_peer_address(exchange->conn, &address);
    return tries_source_of(&address, (uid_t)-1);
}

/* 1: let in; 0: wrong; -1: too many tries at once, or cancelled. */
static int judge(struct senders *senders, struct http_exchange *exchange, const char *credentials, const char *mount)
{
    struct tries_source client = client_of(exchange);
    char text[TRIES_SOURCE_TEXT];
    int64_t when;
    if (tries_begin(senders->tries, client, weir_now(), &when) < 0)
        return -1;
    int slept = when > weir_now() ? weir_sleep_until(when) : 0;
    bool known = slept == 0 && is_known(senders, credentials, mount);
    uint64_t failures = tries_end(senders->tries, client,
                                  slept < 0 ? TRIES_UNTRIED
                                  : known   ? TRIES_PASSED
                                            : TRIES_FAILED,
                                  weir_now());
    if (failures)
        weir_log(WEIR_LOG_INFO, "stream: %s: wrong source password for %s, tries: %" PRIu64,
                 tries_source_text(client, text), mount, failures);
    return slept < 0 ? -1 : known;
}

#define CHALLENGE "WWW-Authenticate: Basic realm=\"sources\", charset=\"UTF-8\"\r\n"

bool source_admit(struct http_exchange *exchange, const char *mount)
{
    struct senders *senders = ((struct stream *)exchange->arg)->senders;
    const char *authorization = http_field(&exchange->request, "Authorization");
    char credentials[CREDENTIALS_MOST];
    if (!senders->path) {
        http_refuse(exchange, 403, NULL, "nobody may send here: there is no --source-password-file");
        return false;
    }
    if (!authorization) { /* many ask without them at first: that is no try */
        http_refuse(exchange, 401, CHALLENGE, "a source's user and password are wanted");
        return false;
    }
    bool readable = http_basic_decode(authorization, credentials, sizeof credentials);
    int verdict = judge(senders, exchange, readable ? credentials : "", mount);
    explicit_bzero(credentials, sizeof credentials);
    if (verdict < 0)
        http_refuse(exchange, 429, "Retry-After: 10\r\n", "too many tries at once from your address");
    else if (verdict == 0)
        http_refuse(exchange, 401, CHALLENGE, "wrong user or password for this mount");
    return verdict > 0;
}
