/* An account: who may log in, what is kept of the password, and what he is greeted with. */
#ifndef SERVICES_LOGIN_ACCOUNT_H
#define SERVICES_LOGIN_ACCOUNT_H

#include <stdbool.h>

#include "password.h"

enum {
    NAME_LONGEST = 255, /* bytes */
    GREETING_LONGEST = 1024,
};

struct account {
    char name[NAME_LONGEST + 1];
    char verifier[PASSWORD_VERIFIER];
    char greeting[GREETING_LONGEST + 1]; /* "" : "hi NAME" */
};

/* What is wrong with a name, a greeting or a password, as the end of a sentence: "is empty". NULL: nothing. */
const char *account_name_problem(const char *name);
const char *account_greeting_problem(const char *greeting);
const char *account_password_problem(const char *password, size_t length);

/* What an account is greeted with. Returns `text`. */
char *account_greeting(const struct account *account, char text[GREETING_LONGEST + 1]);

#endif
