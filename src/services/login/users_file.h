/* The file of the accounts: where it is, and that nobody else reads it. */
#ifndef SERVICES_LOGIN_USERS_FILE_H
#define SERVICES_LOGIN_USERS_FILE_H

/*
 * Where accounts are where nothing else is said: weir/users.db in the state folder of the XDG Base Directory
 * Specification, $XDG_STATE_HOME or $HOME/.local/state. Allocated, the caller's; NULL with ENOENT of kind USAGE where
 * there is no home, or ENOMEM.
 */
char *users_file_default(void);

/* Makes an empty one for its owner alone, and the folders that it is to be in, if it is not there. 0 or -1. Blocks. */
int users_file_create(const char *path);

/* Whether it is a file that its owner alone reads. 0; -1 with ENOENT, EACCES, ... Blocks. */
int users_file_check(const char *path);

#endif
