/* Folders that nobody else may enter, for sockets and FIFOs that others must not use. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/random.h>

#include "base/error.h"
#include "base/system.h"
#include "net/ssh.h"

enum { BASE_MOST = 32, MASTERS_BASE_MOST = 24, OWN_MODE = 0700 };

/* Unix sockets' paths are short: a master's has 8 digits of ours, 40 of ssh's, and 17 more while it is made. */
_Static_assert(MASTERS_BASE_MOST + sizeof "/weir-4294967295/12345678" + 40 + 17 <=
                   sizeof((struct sockaddr_un *)0)->sun_path,
               "a master's path has room");

/* The user's own folder of this session, if it is one that needs no quoting in command lines; else everybody's. */
static const char *base(size_t most)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime == NULL || *runtime != '/' || strlen(runtime) > most ||
        strspn(runtime, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") != strlen(runtime))
        return "/tmp";
    struct stat status;
    return weir__system()->lstat(runtime, &status) == 0 && S_ISDIR(status.st_mode) ? runtime : "/tmp";
}

int weir__folder_make(char path[WEIR__FOLDER_SIZE])
{
    uint64_t number;
    weir_random(&number, sizeof number);
    snprintf(path, WEIR__FOLDER_SIZE, "%s/weir-%016" PRIx64, base(BASE_MOST), number);
    if (weir__system()->mkdir(path, OWN_MODE) == 0)
        return 0;
    int result = weir__fail_system(errno, "mkdir", path);
    *path = '\0';
    return result;
}

void weir__folder_remove(const char *path)
{
    int number = errno;
    char file[WEIR__FOLDER_SIZE + 4];
    for (int i = 0; i < 2 && *path; i++) {
        snprintf(file, sizeof file, "%s/%d", path, i);
        weir__system()->unlink(file);
    }
    if (*path)
        weir__system()->rmdir(path);
    errno = number;
}

/* Whoever made it: a folder of ours that others may neither enter nor put something in. */
int weir__folder_of_masters(char path[WEIR__FOLDER_SIZE])
{
    struct stat status;
    snprintf(path, WEIR__FOLDER_SIZE, "%s/weir-%u", base(MASTERS_BASE_MOST), (unsigned)geteuid());
    if (weir__system()->mkdir(path, OWN_MODE) < 0 && errno != EEXIST)
        return weir__fail_system(errno, "mkdir", path);
    if (weir__system()->lstat(path, &status) < 0)
        return weir__fail_system(errno, "mkdir", path);
    if (S_ISDIR(status.st_mode) && status.st_uid == geteuid() && !(status.st_mode & 077))
        return 0;
    return weir_fail(WEIR_ERROR_SSH, EACCES, "mkdir", path,
                     "it is not a folder of one's own that nobody else may enter");
}
