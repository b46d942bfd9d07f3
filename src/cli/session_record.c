/* What a session leaves behind: the record of --hex, digests, the summary. */
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

enum { ROW = 16 };

/* --- --hex --- */

struct recorder {
    FILE *file;
    const char *path;
    uint64_t offset[2];
};

struct recorder *recorder_open(const char *path)
{
    struct recorder *recorder = calloc(1, sizeof *recorder);
    if (!recorder) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "open", path, NULL);
        return NULL;
    }
    recorder->path = path;
    recorder->file = fopen(path, "we");
    if (recorder->file)
        return recorder;
    weir_fail(WEIR_ERROR_SYSTEM, errno, "open", path, NULL);
    free(recorder);
    return NULL;
}

/* "> 00000010  68 65 6c 6c 6f 0a ...  |hello.|": > is what was sent. */
static void write_row(FILE *file, char mark, uint64_t offset, const unsigned char *data, size_t size)
{
    fprintf(file, "%c %08" PRIx64 " ", mark, offset);
    for (size_t i = 0; i < ROW; i++)
        fprintf(file, i < size ? "%s%02x" : "%s  ", i == ROW / 2 ? "  " : " ", i < size ? data[i] : 0);
    fputs("  |", file);
    for (size_t i = 0; i < size; i++)
        fputc(data[i] >= ' ' && data[i] <= '~' ? data[i] : '.', file);
    fputs("|\n", file);
}

int recorder_note(struct recorder *recorder, int direction, const void *data, size_t size)
{
    const unsigned char *bytes = data;
    for (size_t done = 0; done < size; done += ROW)
        write_row(recorder->file, direction == SESSION_SENT ? '>' : '<', recorder->offset[direction] + done,
                  bytes + done, size - done < ROW ? size - done : ROW);
    recorder->offset[direction] += size;
    if (fflush(recorder->file) == 0)
        return 0;
    return weir_fail(WEIR_ERROR_SYSTEM, errno, "write", recorder->path, NULL);
}

int recorder_close(struct recorder *recorder)
{
    if (!recorder)
        return 0;
    int result = fclose(recorder->file);
    if (result)
        weir_fail(WEIR_ERROR_SYSTEM, errno, "write", recorder->path, NULL);
    free(recorder);
    return result;
}

/* --- digests --- */

struct digest {
    crypto_hash_sha256_state states[2];
};

struct digest *digest_new(void)
{
    struct digest *digest = malloc(sizeof *digest);
    if (!digest) {
        weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "summary", "", NULL);
        return NULL;
    }
    crypto_hash_sha256_init(&digest->states[SESSION_SENT]);
    crypto_hash_sha256_init(&digest->states[SESSION_RECEIVED]);
    return digest;
}

void digest_add(struct digest *digest, int direction, const void *data, size_t size)
{
    crypto_hash_sha256_update(&digest->states[direction], data, size);
}

void digest_text(struct digest *digest, int direction, char text[65])
{
    unsigned char bytes[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_final(&digest->states[direction], bytes);
    sodium_bin2hex(text, 65, bytes, sizeof bytes);
}

void digest_free(struct digest *digest)
{
    free(digest);
}

/* --- the summary --- */

void summary_print(const struct session *session)
{
    double seconds = (double)(weir_now() - session->began) / 1e9;
    fprintf(stderr, "{\"peer\":\"%s\",\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"seconds\":%.6f", session->peer,
            session->bytes[SESSION_SENT], session->bytes[SESSION_RECEIVED], seconds);
    fprintf(stderr, ",\"first_end\":\"%s\",\"how\":\"%s\"", session->first_end ? session->first_end : "none",
            session->how ? session->how : "");
    if (session->digest) {
        char sent[65], received[65];
        digest_text(session->digest, SESSION_SENT, sent);
        digest_text(session->digest, SESSION_RECEIVED, received);
        fprintf(stderr, ",\"sent_sha256\":\"%s\",\"received_sha256\":\"%s\"", sent, received);
    }
    fprintf(stderr, ",\"status\":%d}\n", session->status);
}
