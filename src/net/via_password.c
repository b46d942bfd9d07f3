/* A proxy's password: of its URL, else from its file, else from the environment; never in what is said of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <weir/file.h>

#include "base/error.h"
#include "base/text.h"
#include "net/via.h"

/* The first line of what was read becomes the password. */
static int take_line(struct weir__via *proxy, const char *data, size_t length, const char *from)
{
    const char *end = memchr(data, '\n', length);
    size_t line = end == NULL ? length : (size_t)(end - data);
    if (line > 0 && data[line - 1] == '\r')
        line--;
    if (line == 0 || line >= sizeof proxy->password || memchr(data, '\0', line) != NULL)
        return weir_fail(WEIR_ERROR_USAGE, EINVAL, "via", from, "its first line is to be a password of 1 to %zu bytes",
                         sizeof proxy->password - 1);
    memcpy(proxy->password, data, line);
    proxy->password[line] = '\0';
    proxy->has_password = true;
    return 0;
}

/* As much as a line may be long, and its end. */
static int read_file(struct weir__via *proxy, weir_file *file, int64_t deadline)
{
    char data[sizeof proxy->password + 2];
    size_t length = 0;
    ssize_t got;
    do {
        got = weir_file_read(file, data + length, sizeof data - length, deadline);
        length += got > 0 ? (size_t)got : 0;
    } while (got > 0 && length < sizeof data && memchr(data, '\n', length) == NULL);
    int result = got < 0 ? -1 : take_line(proxy, data, length, proxy->password_file);
    explicit_bzero(data, sizeof data);
    return result;
}

static int read_password(struct weir__via *proxy, int64_t deadline)
{
    weir_file *file = weir_file_open(proxy->password_file, O_RDONLY, 0);
    if (file == NULL)
        return -1;
    int result = read_file(proxy, file, deadline);
    weir_file_close(file);
    return result;
}

int weir__via_settle_password(struct weir__via *proxy, int64_t deadline)
{
    if (!proxy->has_user || proxy->has_password)
        return 0;
    if (*proxy->password_file)
        return read_password(proxy, deadline);
    const char *password = getenv("WEIR_PROXY_PASSWORD");
    return password == NULL ? 0 : take_line(proxy, password, strlen(password), "WEIR_PROXY_PASSWORD");
}
