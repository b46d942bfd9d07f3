/*
 * A connection that is to be ssh's way. ssh closes all descriptors that it is not meant to have, so its ProxyCommand
 * gets the connection by two FIFOs, in a folder that nobody else may enter; at our end of each there is a cat.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/conn.h"
#include "net/ssh.h"

enum { FIFO_MODE = 0600 };

/* "0" brings what comes from the connection, "1" what goes to it. */
static void write_path(const struct weir__carrier *carrier, int way, char path[WEIR__FOLDER_SIZE + 4])
{
    snprintf(path, WEIR__FOLDER_SIZE + 4, "%s/%d", carrier->folder, way);
}

/* Held open both ways, a FIFO can be opened by anybody without waiting for the other end. */
static int make_fifo(struct weir__carrier *carrier, int way)
{
    char path[WEIR__FOLDER_SIZE + 4];
    write_path(carrier, way, path);
    if (weir__system()->mkfifo(path, FIFO_MODE) < 0)
        return weir__fail_system(errno, "mkfifo", path);
    carrier->held[way] = weir__system()->open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
    return carrier->held[way] < 0 ? weir__fail_system(errno, "open", path) : 0;
}

static int start_cat(struct weir__carrier *carrier, int way, int connection)
{
    static const char *const argv[] = {"cat", NULL};
    char path[WEIR__FOLDER_SIZE + 4];
    write_path(carrier, way, path);
    int fifo = weir__system()->open(path, (way == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC, 0);
    if (fifo < 0)
        return weir__fail_system(errno, "open", path);
    weir_process_options options = {.size = sizeof options,
                                    .input = WEIR_STDIO_FD,
                                    .output = WEIR_STDIO_FD,
                                    .error = WEIR_STDIO_NULL,
                                    .input_fd = way == 0 ? connection : fifo,
                                    .output_fd = way == 0 ? fifo : connection,
                                    .die_with_parent = true};
    carrier->cats[way] = weir_process_start(argv, &options);
    int number = errno;
    weir__system()->close(fifo);
    errno = number;
    return carrier->cats[way] == NULL ? -1 : 0;
}

static int carry(struct weir__carrier *carrier, int connection)
{
    if (weir__folder_make(carrier->folder) < 0)
        return -1;
    for (int way = 0; way < 2; way++)
        if (make_fifo(carrier, way) < 0 || start_cat(carrier, way, connection) < 0)
            return -1;
    return 0;
}

/* The descriptor of a connection that is one of ours no more. */
static int take_descriptor(weir_conn *conn, struct weir__ssh **earlier)
{
    *earlier = conn->rare == NULL ? NULL : conn->rare->ssh;
    if (*earlier != NULL)
        conn->rare->ssh = NULL;
    int fd = weir_yield_fd(conn);
    if (fd >= 0)
        return fd;
    int number = errno;
    weir_close(conn);
    errno = number;
    return -1;
}

int weir__carrier_start(struct weir__carrier *carrier, weir_conn *conn, struct weir__ssh **earlier, char **command)
{
    *carrier = (struct weir__carrier){.held = {-1, -1}};
    *command = NULL;
    int fd = take_descriptor(conn, earlier);
    if (fd < 0)
        return -1;
    int result = carry(carrier, fd);
    int number = errno;
    weir__system()->close(fd);
    errno = number;
    /* The user's shell, whichever it is, has to understand no more than quotes. */
    if (result == 0 && asprintf(command, "sh -c 'cat <%s/0 2>/dev/null & exec cat >%s/1 2>/dev/null'", carrier->folder,
                                carrier->folder) < 0) {
        *command = NULL;
        return weir__fail_memory("connect");
    }
    return result;
}

void weir__carrier_let_go(struct weir__carrier *carrier)
{
    int number = errno;
    for (int way = 0; way < 2; way++) {
        if (carrier->held[way] >= 0)
            weir__system()->close(carrier->held[way]);
        carrier->held[way] = -1;
    }
    weir__folder_remove(carrier->folder);
    *carrier->folder = '\0';
    errno = number;
}

void weir__carrier_end(struct weir__carrier *carrier)
{
    weir__carrier_let_go(carrier);
    for (int way = 0; way < 2; way++) {
        weir_process_free(carrier->cats[way]);
        carrier->cats[way] = NULL;
    }
}
