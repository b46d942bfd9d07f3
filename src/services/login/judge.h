/* The judge: whether a name and a password are an account's. Who has none costs as much work as who errs. */
#ifndef SERVICES_LOGIN_JUDGE_H
#define SERVICES_LOGIN_JUDGE_H

#include "door.h"

struct judge {
    const char *path; /* of the accounts; the caller's */
    char nobody[PASSWORD_VERIFIER];
};

/* Prepares one, whose stand-in for unknown users costs what accounts cost. 0, or -1 with ENOMEM. */
int judge_prepare(struct judge *judge, const char *path, const struct password_cost *cost);

/* A door's judge; `arg` is the struct judge, which any number may use at once. Blocks. */
enum verdict judge_attempt(struct attempt *attempt, void *arg);

#endif
