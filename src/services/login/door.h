/*
 * The door: the conversation with who wants to log in. It asks for a name and a password, has them judged on the
 * pool, so many at once, and knows how often an address has tried; who has accounts, and how a password is judged, is
 * not its affair.
 */
#ifndef SERVICES_LOGIN_DOOR_H
#define SERVICES_LOGIN_DOOR_H

#include <weir/weir.h>

#include "../slots.h"
#include "account.h"
#include "tries.h"

/* What a client has said, and what it is to be told. Overwritten before it is freed. */
struct attempt {
    size_t name_length, password_length;
    char name[NAME_LONGEST + 1]; /* NUL-terminated; may hold NULs itself; "" where it was longer */
    char password[PASSWORD_LONGEST + 1];
    char greeting[GREETING_LONGEST + 1]; /* out: where it is let in */
};

enum verdict { VERDICT_FAILED, VERDICT_WRONG, VERDICT_LET_IN }; /* what nobody has judged has failed */

struct door {
    enum verdict (*judge)(struct attempt *attempt, void *arg); /* blocks; on the pool, several at once */
    void *judge_arg;
    struct tries *tries;
    struct slots *slots; /* of judges */
    int64_t tries_each;  /* of a connection */
};

/* Talks to a client until it is let in, has tried as often as it may, or goes. Parks. */
void door_serve(weir_conn *conn, const struct door *door);

#endif
