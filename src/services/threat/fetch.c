/* Fetching, by libcurl; see fetch.h. */
#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weir/error.h>
#include <weir/time.h>
#include <weir/weir.h>

#include "feed.h"
#include "late.h"

enum { MOST_REDIRECTS = 5, LOOK_EVERY = 1000 /* ms, at the brake: it also wakes */ };

struct fetching {
    const struct threat_origin *origin;
    CURL *easy;
    CURLM *multi;
    char *bytes;
    size_t length, room;
    bool too_long;
    char reason[CURL_ERROR_SIZE];
};

int threat_fetch_prepare(void)
{
    if (threat_feed_prepare() < 0)
        return -1;
    if (curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, ENOMEM, "start", "libcurl", NULL);
}

/* --- what may be fetched --- */

/* Whether a part of an URL is there; puts what it is in *part (to be freed by curl_free) unless that is NULL. */
static bool has_part(CURLU *url, CURLUPart which, char **part)
{
    char *text = NULL;
    bool there = curl.url_get(url, which, &text, 0) == CURLUE_OK;
    if (part)
        *part = text;
    else
        curl.free(text);
    return there;
}

static int check_url(const char *text)
{
    CURLU *url = curl.url();
    if (!url)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "fetch", text, NULL);
    char *scheme = NULL;
    CURLUcode code = curl.url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
    bool https = code == CURLUE_OK && has_part(url, CURLUPART_SCHEME, &scheme) && strcmp(scheme, "https") == 0;
    bool named = https && (has_part(url, CURLUPART_USER, NULL) || has_part(url, CURLUPART_PASSWORD, NULL));
    curl.free(scheme);
    curl.url_cleanup(url);
    if (named)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "--feed",
                         "an URL with a user's name in it, which others would see");
    if (!https)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "", "--feed", "%.200s is no URL of the form https://HOST/PATH",
                         text);
    return 0;
}

/* What begins a certificate in PEM; at the beginning of a line. */
static const char *const marks[] = {"-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----",
                                    "-----BEGIN X509 CERTIFICATE-----"};

static bool is_mark(const char *line)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (strncmp(line, marks[i], strlen(marks[i])) == 0)
            return true;
    return false;
}

static bool has_certificate(FILE *file)
{
    char line[200];
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = is_mark(line);
    return found;
}

/* Each fetch reads the file again, so that it has to be one that can be. */
static int check_certificates(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return weir_fail(WEIR_ERROR_USAGE, errno, "--feed-ca", path, NULL);
    if (!S_ISREG(status.st_mode)) /* nor is it opened: a pipe would wait for a writer */
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "--feed-ca", path, "not a regular file");
    FILE *file = fopen(path, "re");
    if (!file)
        return weir_fail(WEIR_ERROR_USAGE, errno, "--feed-ca", path, NULL);
    bool found = has_certificate(file);
    fclose(file);
    return found ? 0 : weir_fail(WEIR_ERROR_USAGE, EINVAL, "--feed-ca", path, "no certificate (PEM) is in it");
}

int threat_fetch_check(const struct threat_origin *origin)
{
    if (late_curl_load() < 0 || check_url(origin->url) < 0)
        return -1;
    return origin->ca ? check_certificates(origin->ca) : 0;
}

/* --- the brake --- */

void threat_brake_init(struct threat_brake *brake)
{
    *brake = (struct threat_brake){.lock = PTHREAD_MUTEX_INITIALIZER};
}

void threat_brake_pull(struct threat_brake *brake)
{
    pthread_mutex_lock(&brake->lock);
    brake->pulled = true;
    if (brake->transfer)
        curl.multi_wakeup(brake->transfer);
    pthread_mutex_unlock(&brake->lock);
}

/* What is to be woken from now on; NULL: nothing. Returns whether the brake was pulled before. */
static bool set_transfer(struct threat_brake *brake, CURLM *transfer)
{
    pthread_mutex_lock(&brake->lock);
    brake->transfer = transfer;
    bool pulled = brake->pulled;
    pthread_mutex_unlock(&brake->lock);
    return pulled;
}

/* --- what arrives --- */

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    struct fetching *fetching = arg;
    size_t length = size * count;
    if (length > THREAT_FEED_MOST - fetching->length) {
        fetching->too_long = true;
        return CURL_WRITEFUNC_ERROR;
    }
    if (fetching->length + length > fetching->room) {
        size_t room = 2 * (fetching->length + length);
        char *larger = realloc(fetching->bytes, room);
        if (!larger)
            return CURL_WRITEFUNC_ERROR;
        fetching->bytes = larger;
        fetching->room = room;
    }
    memcpy(fetching->bytes + fetching->length, data, length);
    fetching->length += length;
    return length;
}

/* --- what is asked for --- */

static long milliseconds(int64_t time)
{
    return time == WEIR_FOREVER ? 0 : (long)(time / WEIR_MS(1)) + 1; /* 0: no bound */
}

/*
 * It has to be https all the way, by the certificates of the system or of --feed-ca. No cookies, names or passwords
 * are sent, no compression is asked for, so that what comes is as long as it looks. QUICK_EXIT: a resolver that hangs
 * does not hold up the end.
 */
static CURLcode set_up(struct fetching *fetching)
{
    const struct threat_origin *origin = fetching->origin;
    CURL *easy = fetching->easy;
    CURLcode bad = CURLE_OK;
    bad |= curl.easy_setopt(easy, CURLOPT_URL, origin->url);
    bad |= curl.easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    bad |= curl.easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "https");
    bad |= curl.easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    bad |= curl.easy_setopt(easy, CURLOPT_MAXREDIRS, (long)MOST_REDIRECTS);
    bad |= curl.easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    bad |= curl.easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    bad |= curl.easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (origin->ca)
        bad |= curl.easy_setopt(easy, CURLOPT_CAINFO, origin->ca);
    if (origin->ca)
        bad |= curl.easy_setopt(easy, CURLOPT_CAPATH, NULL);
    bad |= curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(origin->timeout));
    bad |= curl.easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)THREAT_FEED_MOST);
    bad |= curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    bad |= curl.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
    bad |= curl.easy_setopt(easy, CURLOPT_USERAGENT, "weir");
    bad |= curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, fetching->reason);
    bad |= curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
    bad |= curl.easy_setopt(easy, CURLOPT_WRITEDATA, fetching);
    return bad;
}

/* --- how it ended --- */

static weir_error_kind kind_of(CURLcode code)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return WEIR_ERROR_RESOLVE;
    case CURLE_COULDNT_CONNECT:
        return WEIR_ERROR_CONNECT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return WEIR_ERROR_TLS;
    default:
        return WEIR_ERROR_SYSTEM;
    }
}

/* The last HTTP status; 0: none came. */
static long status_of(const struct fetching *fetching)
{
    long status = 0;
    curl.easy_getinfo(fetching->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* Of a line that is longer than it takes libcurl says that there is no memory: so before anything behind headers. */
static bool is_long_header(const struct fetching *fetching, CURLcode code)
{
    curl_off_t first = 0;
    curl.easy_getinfo(fetching->easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
    return code == CURLE_OUT_OF_MEMORY && first > 0 && fetching->length == 0;
}

static int fail_transfer(const struct fetching *fetching, CURLcode code)
{
    const char *url = fetching->origin->url;
    const char *reason = *fetching->reason ? fetching->reason : curl.easy_strerror(code);
    if (fetching->too_long || code == CURLE_FILESIZE_EXCEEDED)
        return weir_fail(WEIR_ERROR_LIMIT, EBADMSG, "fetch", url, "more than %d bytes", THREAT_FEED_MOST);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return weir_fail(WEIR_ERROR_DEADLINE, ETIMEDOUT, "fetch", url, "timed out");
    if (code == CURLE_UNSUPPORTED_PROTOCOL && status_of(fetching) / 100 == 3)
        return weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "fetch", url, "redirected to what is no https");
    if (is_long_header(fetching, code))
        return weir_fail(WEIR_ERROR_LIMIT, EBADMSG, "fetch", url, "a header of the answer is too long");
    if (code == CURLE_SSL_CACERT_BADFILE) /* libcurl's reason has its path, which is no affair of clients */
        return weir_fail(WEIR_ERROR_TLS, EIO, "fetch", url, "the certificates %s cannot be read",
                         fetching->origin->ca ? "of --feed-ca" : "of the system");
    if (code == CURLE_OUT_OF_MEMORY)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "fetch", url, NULL);
    return weir_fail(kind_of(code), EIO, "fetch", url, "%s", reason);
}

/* It has arrived: what it is worth. */
static int read_answer(const struct fetching *fetching, struct threat_alerts *alerts)
{
    const char *url = fetching->origin->url;
    long status = status_of(fetching);
    if (status != 200)
        return weir_fail(WEIR_ERROR_SYSTEM, EBADMSG, "fetch", url, "HTTP status %ld", status);
    if (threat_feed_read(fetching->bytes ? fetching->bytes : "", fetching->length, alerts) == 0)
        return 0;
    const weir_error_info *error = weir_error();
    return weir_fail(error->kind, error->number, "read", url, "%s", error->reason);
}

/* Runs the transfer to its end. False: the brake was pulled. */
static bool run(struct fetching *fetching, struct threat_brake *brake, CURLcode *code)
{
    int running = 1;
    while (running) {
        CURLMcode bad = curl.multi_perform(fetching->multi, &running);
        if (bad == CURLM_OK && running)
            bad = curl.multi_poll(fetching->multi, NULL, 0, LOOK_EVERY, NULL);
        if (bad != CURLM_OK) {
            *code = bad == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY : CURLE_FAILED_INIT;
            return true;
        }
        if (running && set_transfer(brake, fetching->multi))
            return false;
    }
    int left;
    const CURLMsg *message = curl.multi_info_read(fetching->multi, &left);
    *code = message ? message->data.result : CURLE_FAILED_INIT;
    return true;
}

static int transfer(struct fetching *fetching, struct threat_brake *brake, struct threat_alerts *alerts)
{
    CURLcode code = set_up(fetching);
    if (code == CURLE_OK && curl.multi_add_handle(fetching->multi, fetching->easy) != CURLM_OK)
        code = CURLE_OUT_OF_MEMORY;
    bool pulled = set_transfer(brake, fetching->multi) || (code == CURLE_OK && !run(fetching, brake, &code));
    set_transfer(brake, NULL);
    if (pulled)
        return weir_fail(WEIR_ERROR_CANCELLED, ECANCELED, "fetch", fetching->origin->url, NULL);
    return code == CURLE_OK ? read_answer(fetching, alerts) : fail_transfer(fetching, code);
}

int threat_fetch(const struct threat_origin *origin, struct threat_brake *brake, struct threat_alerts *alerts)
{
    struct fetching fetching = {.origin = origin, .easy = curl.easy_init(), .multi = curl.multi_init()};
    int result = -1;
    if (fetching.easy && fetching.multi)
        result = transfer(&fetching, brake, alerts);
    else
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "fetch", origin->url, NULL);
    if (fetching.multi)
        curl.multi_remove_handle(fetching.multi, fetching.easy);
    curl.easy_cleanup(fetching.easy);
    curl.multi_cleanup(fetching.multi);
    free(fetching.bytes);
    return result;
}
