/* Accounts; see account.h. */
#include "account.h"

#include <stdio.h>
#include <string.h>
#include <weir/log.h>

/*
 * Whether a text has nothing that would steer a terminal or break a line. Backslashes, which are escaped too, are
 * harmless.
 */
static bool is_plain(const char *text, size_t length)
{
    char escaped[4 * (GREETING_LONGEST + 1)];
    size_t expected = length;
    for (size_t i = 0; i < length; i++)
        expected += text[i] == '\\';
    return strlen(weir_escape(text, length, escaped, sizeof escaped)) == expected;
}

const char *account_name_problem(const char *name)
{
    size_t length = strlen(name);
    if (length == 0)
        return "a name is not empty";
    if (length > NAME_LONGEST)
        return "a name is at most 255 bytes";
    if (strpbrk(name, " \t"))
        return "a name has no blanks";
    return is_plain(name, length) ? NULL : "a name is UTF-8 without control characters";
}

const char *account_greeting_problem(const char *greeting)
{
    size_t length = strlen(greeting);
    if (length > GREETING_LONGEST)
        return "a greeting is at most 1,024 bytes";
    return is_plain(greeting, length) ? NULL : "a greeting is a line of UTF-8 without control characters";
}

const char *account_password_problem(const char *password, size_t length)
{
    if (length == 0)
        return "a password is not empty";
    if (length > PASSWORD_LONGEST)
        return "a password is at most 1,024 bytes";
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)password[i] < ' ' || password[i] == 0x7f)
            return "a password has no control characters";
    return NULL;
}

char *account_greeting(const struct account *account, char text[GREETING_LONGEST + 1])
{
    if (*account->greeting)
        memcpy(text, account->greeting, sizeof account->greeting);
    else
        snprintf(text, GREETING_LONGEST + 1, "hi %s", account->name);
    return text;
}
