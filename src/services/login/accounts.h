/*
 * The accounts of a file, a database of SQLite in WAL mode. Every call reads and writes the disk and blocks, so it is
 * for the pool. One caller at a time uses a struct accounts; other processes may use the same file meanwhile.
 */
#ifndef SERVICES_LOGIN_ACCOUNTS_H
#define SERVICES_LOGIN_ACCOUNTS_H

#include <stdint.h>

#include "account.h"

struct accounts;

/*
 * Opens the file; with `create` makes it where it is not there. The caller's, by accounts_close. NULL with ENOENT
 * (not there, or empty), EACCES (others may read it, or own it), EBUSY, EIO, ENOMEM; the sentence names the file.
 */
struct accounts *accounts_open(const char *path, bool create);
void accounts_close(struct accounts *accounts);

/* How many there are; -1 with an error. */
int64_t accounts_count(struct accounts *accounts);

/* Looks for a name of any `length` bytes. 1 and *account; 0 where nobody has it; -1 with an error. */
int accounts_find(struct accounts *accounts, const char *name, size_t length, struct account *account);

/* Adds one. 0, or -1 with EEXIST. */
int accounts_add(struct accounts *accounts, const struct account *account);

/* Changes or removes an account. 0, or -1 with ENOENT where nobody has the name. */
int accounts_set_verifier(struct accounts *accounts, const char *name, const char *verifier);
int accounts_set_greeting(struct accounts *accounts, const char *name, const char *greeting);
int accounts_remove(struct accounts *accounts, const char *name);

/* Calls `each` with every account, ordered by name. 0 or -1. */
int accounts_list(struct accounts *accounts, void (*each)(const struct account *account, void *arg), void *arg);

#endif
