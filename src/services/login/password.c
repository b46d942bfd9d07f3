/* Passwords; see password.h. */
#include "password.h"

#include <errno.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <weir/error.h>

enum { HASH_BYTES = 32 };

_Static_assert(PASSWORD_VERIFIER >= crypto_pwhash_STRBYTES, "a verifier has its room");

const struct password_cost password_cost = {crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE};

static _Atomic uint64_t runs;

uint64_t password_runs(void)
{
    return atomic_load(&runs);
}

static int no_memory(void)
{
    return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "argon2", "", NULL);
}

int password_keep(const struct password_cost *cost, const char *password, size_t length,
                  char verifier[PASSWORD_VERIFIER])
{
    if (sodium_init() < 0 || crypto_pwhash_str_alg(verifier, password, length, cost->operations, cost->memory,
                                                   crypto_pwhash_ALG_ARGON2ID13) < 0)
        return no_memory();
    return 0;
}

/* Random bytes in base64 without padding, as verifiers have them. Returns `text`. */
static char *random_text(char *text, size_t size, size_t count)
{
    unsigned char bytes[HASH_BYTES];
    randombytes_buf(bytes, count);
    return sodium_bin2base64(text, size, bytes, count, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

/* Made up: to find a password that has this hash is as hard as to find that of another's. */
int password_keep_none(const struct password_cost *cost, char verifier[PASSWORD_VERIFIER])
{
    char salt[2 * crypto_pwhash_SALTBYTES], hash[2 * HASH_BYTES];
    if (sodium_init() < 0)
        return no_memory();
    snprintf(verifier, PASSWORD_VERIFIER, crypto_pwhash_STRPREFIX "v=19$m=%zu,t=%llu,p=1$%s$%s", cost->memory / 1024,
             cost->operations, random_text(salt, sizeof salt, crypto_pwhash_SALTBYTES),
             random_text(hash, sizeof hash, HASH_BYTES));
    return 0;
}

int password_fits(const char *verifier, const char *password, size_t length)
{
    if (sodium_init() < 0)
        return no_memory();
    /* Those that are none, which would end at once, are told apart here: what is left of failures is memory. */
    if (crypto_pwhash_str_needs_rehash(verifier, password_cost.operations, password_cost.memory) < 0)
        return weir_fail(WEIR_ERROR_SYSTEM, EINVAL, "argon2", "", "not a verifier of argon2id");
    atomic_fetch_add(&runs, 1);
    errno = 0;
    if (crypto_pwhash_str_verify(verifier, password, length) == 0)
        return 1;
    return errno == EINVAL ? 0 : no_memory();
}
