/* How the list of media comes about: files and folders are looked through, sorted, and each has a name of its own. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "media_inside.h"

enum { DEEPEST = 64 };

/* --- types and names --- */

static const struct {
    const char *suffix, *type;
} types[] = {
    {".mp3", "audio/mpeg"},
    {".mp2", "audio/mpeg"},
    {".mp1", "audio/mpeg"},
    {".mpga", "audio/mpeg"},
    {".ogg", "audio/ogg"},
    {".oga", "audio/ogg"},
    {".opus", "audio/ogg"},
    {".flac", "audio/flac"},
    {".wav", "audio/wav"},
    {".aac", "audio/aac"},
    {".m4a", "audio/mp4"},
    {".mp4", "video/mp4"},
    {".webm", "video/webm"},
    {".m3u", "audio/x-mpegurl"},
    {".pls", "audio/x-scpls"},
    {".jpg", "image/jpeg"},
    {".jpeg", "image/jpeg"},
    {".png", "image/png"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *name)
{
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix && i < sizeof types / sizeof *types; i++)
        if (strcasecmp(suffix, types[i].suffix) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* Numbers are compared by their value: more digits are more, but for zeros in front. */
static int compare_numbers(const char **one, const char **other)
{
    *one += strspn(*one, "0");
    *other += strspn(*other, "0");
    size_t digits = strspn(*one, "0123456789"), others = strspn(*other, "0123456789");
    int order = digits != others ? (digits < others ? -1 : 1) : strncmp(*one, *other, digits);
    *one += digits;
    *other += others;
    return order;
}

/* A slash is before all else, so that what is in a folder stays together. */
static int rank(char character)
{
    unsigned char byte = (unsigned char)character;
    return byte == '\0' ? 0 : byte == '/' ? 1 : 1 + tolower(byte);
}

static int compare_exactly(const char *one, size_t length, const char *other, size_t others)
{
    int order = memcmp(one, other, length < others ? length : others);
    return order ? order : (length > others) - (length < others);
}

/* Folders that differ in their letters' case, or in zeros, alone are two, whose files are not mixed. */
int media_compare(const char *one, const char *other)
{
    const char *a = one, *b = other;
    while (*a || *b) {
        int order;
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b))
            order = compare_numbers(&a, &b);
        else if (*a == '/' && *b == '/')
            order = compare_exactly(one, (size_t)(a++ - one), other, (size_t)(b++ - other));
        else
            order = rank(*a++) - rank(*b++);
        if (order)
            return order;
    }
    return strcmp(one, other);
}

/* --- a file --- */

static int make_room(struct media_files *files)
{
    if (files->list.count < files->room)
        return 0;
    size_t room = files->room ? 2 * files->room : 64;
    struct media_file *grown = reallocarray(files->files, room, sizeof *grown);
    if (!grown)
        return -1;
    files->files = grown;
    files->room = room;
    return 0;
}

int media_add(struct media_files *files, const char *root, const char *name, bool named, struct media_trouble *trouble)
{
    if (files->list.count == MEDIA_FILES_MOST)
        return media_trouble(trouble, WEIR_ERROR_LIMIT, ENOSPC, root, "there are more than 100,000 files");
    size_t length = strlen(root) + 1, room = length + strlen(root) + strlen(name) + 2;
    char *text = make_room(files) < 0 ? NULL : malloc(room), *own_name = strdup(name);
    if (!text || !own_name) {
        free(text);
        free(own_name);
        return media_trouble(trouble, WEIR_ERROR_MEMORY, ENOMEM, root, NULL);
    }
    memcpy(text, root, length);
    snprintf(text + length, room - length, "%s/%s", strcmp(root, "/") == 0 ? "" : root, name);
    files->files[files->list.count++] = (struct media_file){
        .path = text + length, .name = own_name, .root = text, .type = type_of(name), .named = named};
    return 0;
}

/* --- a folder --- */

struct walk {
    struct media_files *files;
    const char *root;
    int root_fd;
    char name[PATH_MAX]; /* within the root, of what is looked at */
    struct media_trouble *trouble;
};

static int walk_trouble(struct walk *walk, int number)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/%.*s", 1000, walk->root, 3000, walk->name);
    return media_trouble(walk->trouble, WEIR_ERROR_SYSTEM, number, path, NULL);
}

enum what { A_FILE, A_FOLDER, SOMETHING_ELSE };

/* A link counts as a file where one is at its end, within the root. */
static enum what look_at(struct walk *walk)
{
    struct stat status;
    if (fstatat(walk->root_fd, walk->name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return SOMETHING_ELSE; /* it has gone meanwhile */
    if (S_ISLNK(status.st_mode)) {
        int fd = media_open_beneath(walk->root_fd, walk->name, O_PATH);
        bool is_file = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
        if (fd >= 0)
            close(fd);
        return is_file ? A_FILE : SOMETHING_ELSE;
    }
    return S_ISREG(status.st_mode) ? A_FILE : S_ISDIR(status.st_mode) ? A_FOLDER : SOMETHING_ELSE;
}

static int walk_folder(struct walk *walk, size_t length, int depth);

/* `length` is that of the folder's name, with its slash. */
static int walk_entry(struct walk *walk, size_t length, const char *entry, int depth)
{
    size_t more = strlen(entry);
    if (entry[0] == '.' || length + more + 2 > sizeof walk->name)
        return 0;
    memcpy(walk->name + length, entry, more + 1);
    enum what what = look_at(walk);
    if (what == A_FILE)
        return media_add(walk->files, walk->root, walk->name, false, walk->trouble);
    return what == A_FOLDER && depth < DEEPEST ? walk_folder(walk, length + more, depth + 1) : 0;
}

/* Reads the folder whose name has come to `length`; 0: the root itself. */
static int walk_folder(struct walk *walk, size_t length, int depth)
{
    walk->name[length] = '\0';
    int fd = openat(walk->root_fd, length ? walk->name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder) {
        int number = errno;
        if (fd >= 0)
            close(fd);
        return number == ENOENT && length ? 0 : walk_trouble(walk, number);
    }
    if (length)
        walk->name[length++] = '/';
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (entry = readdir(folder)))
        result = walk_entry(walk, length, entry->d_name, depth);
    closedir(folder);
    return result;
}

/* --- what was named --- */

static int compare_files(const void *one, const void *other)
{
    return media_compare(((const struct media_file *)one)->name, ((const struct media_file *)other)->name);
}

static int walk_root(struct media_files *files, const char *root, struct media_trouble *trouble)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return media_trouble(trouble, WEIR_ERROR_SYSTEM, errno, root, NULL);
    struct walk *walk = calloc(1, sizeof *walk);
    int result = -1;
    if (walk) {
        *walk = (struct walk){.files = files, .root = root, .root_fd = fd, .trouble = trouble};
        result = walk_folder(walk, 0, 0);
    } else {
        media_trouble(trouble, WEIR_ERROR_MEMORY, ENOMEM, root, NULL);
    }
    free(walk);
    close(fd);
    return result;
}

static int look_through(struct media_files *files, const char *path, struct media_trouble *trouble)
{
    size_t length = strlen(path), before = files->list.count;
    while (length > 1 && path[length - 1] == '/')
        length--;
    char *root = strndup(path, length);
    int result = root ? walk_root(files, root, trouble) : media_trouble(trouble, WEIR_ERROR_MEMORY, ENOMEM, path, NULL);
    free(root);
    if (files->list.count > before)
        qsort(files->files + before, files->list.count - before, sizeof *files->files, compare_files);
    return result;
}

/* A file that was named may be a link to anywhere, which is followed now. */
static int look_at_file(struct media_files *files, const char *path, struct media_trouble *trouble)
{
    char real[PATH_MAX];
    if (!realpath(path, real) || access(real, R_OK) < 0)
        return media_trouble(trouble, WEIR_ERROR_SYSTEM, errno, path, NULL);
    char *slash = strrchr(real, '/');
    *slash = '\0';
    return media_add(files, slash == real ? "/" : real, slash + 1, true, trouble);
}

static int look_at_path(struct media_files *files, const char *path, struct media_trouble *trouble)
{
    struct stat status;
    if (stat(path, &status) < 0)
        return media_trouble(trouble, WEIR_ERROR_SYSTEM, errno, path, NULL);
    if (S_ISDIR(status.st_mode))
        return look_through(files, path, trouble);
    if (S_ISREG(status.st_mode))
        return look_at_file(files, path, trouble);
    return media_trouble(trouble, WEIR_ERROR_USAGE, EINVAL, path, "it is neither a file nor a folder");
}

/* --- no two of the same name --- */

static int compare_names(const void *one, const void *other)
{
    const struct media_file *a = *(struct media_file *const *)one, *b = *(struct media_file *const *)other;
    int order = strcmp(a->name, b->name);
    return order ? order : (a > b) - (a < b);
}

/* "album/01.mp3" is "album/01 (2).mp3" from the second on. */
static int rename_file(struct media_file *file, size_t number)
{
    const char *slash = strrchr(file->name, '/'), *suffix = strrchr(slash ? slash : file->name, '.');
    int stem = (int)(suffix ? suffix - file->name : (ptrdiff_t)strlen(file->name));
    char *name;
    if (asprintf(&name, "%.*s (%zu)%s", stem, file->name, number, suffix ? suffix : "") < 0)
        return -1;
    free((char *)file->name);
    file->name = name;
    return 1;
}

/* Returns whether some were renamed, which may have made others the same; -1 without memory. */
static int rename_same(struct media_file **sorted, size_t count)
{
    int renamed = 0;
    qsort(sorted, count, sizeof *sorted, compare_names);
    for (size_t first = 0, i = 1; i < count && renamed >= 0; i++) {
        if (strcmp(sorted[first]->name, sorted[i]->name) == 0)
            renamed = rename_file(sorted[i], i - first + 1);
        else
            first = i;
    }
    return renamed;
}

static int name_all(struct media_files *files, struct media_trouble *trouble)
{
    size_t count = files->list.count;
    struct media_file **sorted = calloc(count, sizeof *sorted);
    for (size_t i = 0; sorted && i < count; i++)
        sorted[i] = &files->files[i];
    int renamed = sorted ? 1 : -1;
    while (renamed > 0)
        renamed = rename_same(sorted, count);
    free(sorted);
    return renamed < 0 ? media_trouble(trouble, WEIR_ERROR_MEMORY, ENOMEM, "the media", NULL) : 0;
}

int media_look(struct media_files *files, const weir_option_list *paths, struct media_trouble *trouble)
{
    bool has_stdin = false;
    for (size_t i = 0; i < paths->count; i++) {
        bool is_stdin = strcmp(paths->items[i], "-") == 0;
        has_stdin = has_stdin || is_stdin;
        if (!is_stdin && look_at_path(files, paths->items[i], trouble) < 0)
            return -1;
    }
    if (files->list.count)
        return name_all(files, trouble);
    bool is_enough = has_stdin || !paths->count;
    return is_enough ? 0
                     : media_trouble(trouble, WEIR_ERROR_USAGE, ENOENT, paths->items[0], "there are no files in it");
}
