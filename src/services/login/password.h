/*
 * Passwords: what is kept of one is a verifier, argon2id by libsodium with a salt of its own. Each call takes a good
 * part of a second of a CPU and as much memory as its cost says, on purpose; it blocks.
 */
#ifndef SERVICES_LOGIN_PASSWORD_H
#define SERVICES_LOGIN_PASSWORD_H

#include <stddef.h>
#include <stdint.h>

enum {
    PASSWORD_VERIFIER = 128, /* room for a verifier, a text */
    PASSWORD_LONGEST = 1024, /* bytes of a password */
};

struct password_cost {
    unsigned long long operations;
    size_t memory; /* in bytes */
};

/* What accounts are made with: libsodium's interactive limits, 64 MiB. */
extern const struct password_cost password_cost;

/* Makes a verifier. 0, or -1 with ENOMEM. */
int password_keep(const struct password_cost *cost, const char *password, size_t length,
                  char verifier[PASSWORD_VERIFIER]);

/*
 * Makes one that no password fits, at the same cost: a stand-in for whoever has no account. At
 * once. 0, or -1 with ENOMEM.
 */
int password_keep_none(const struct password_cost *cost, char verifier[PASSWORD_VERIFIER]);

/* Whether a password is the one. 1 or 0; -1 with ENOMEM, or EINVAL where the verifier is none. */
int password_fits(const char *verifier, const char *password, size_t length);

/* How often password_fits has run argon2 in this process. */
uint64_t password_runs(void);

#endif
