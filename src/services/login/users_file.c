/* The file of the accounts; see users_file.h. */
#include "users_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/error.h>

static int fail(const char *path, int number)
{
    return weir_fail(WEIR_ERROR_SYSTEM, number, "users", path, NULL);
}

char *users_file_default(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char *path = NULL;
    int length;
    if (state && *state == '/') /* others are to be ignored, the specification says */
        length = asprintf(&path, "%s/weir/users.db", state);
    else if (home && *home == '/')
        length = asprintf(&path, "%s/.local/state/weir/users.db", home);
    else {
        weir_fail(WEIR_ERROR_USAGE, ENOENT, "users", "",
                  "there is no HOME to have them in: set HOME or XDG_STATE_HOME");
        return NULL;
    }
    if (length >= 0)
        return path;
    weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "users", "", NULL);
    return NULL;
}

/* Makes the folders above `path`, whose slashes are cut and put back one after the other. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0700);
        if (made < 0 && errno != EEXIST)
            return fail(path, errno);
        *slash = '/';
    }
    return 0;
}

int users_file_create(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return weir_fail(WEIR_ERROR_MEMORY, ENOMEM, "users", path, NULL);
    int made = *copy ? make_folders(copy) : 0;
    free(copy);
    if (made < 0)
        return -1;
    int file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EEXIST ? 0 : fail(path, errno);
    close(file);
    return 0;
}

int users_file_check(const char *path)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return fail(path, errno);
    if (!S_ISREG(status.st_mode))
        return weir_fail(WEIR_ERROR_SYSTEM, EINVAL, "users", path, "not a regular file");
    if (status.st_uid != geteuid()) /* to root alone it makes a difference, which could read it */
        return weir_fail(WEIR_ERROR_SYSTEM, EACCES, "users", path, "it is another user's");
    if (status.st_mode & 077)
        return weir_fail(WEIR_ERROR_SYSTEM, EACCES, "users", path,
                         "mode %04o: others than its owner have access to it; chmod 600 mends that",
                         (unsigned)status.st_mode & 07777);
    return 0;
}
