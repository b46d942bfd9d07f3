/* The files of a simulated host, and the nodes of its Unix sockets. */
#include "simulated.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <weir/file.h>

#include "engine/sim/sim.h"

static int opened(const char *path, int flags)
{
    return weir__system()->open(path, flags, 0640);
}

/* --- files --- */

static int writes_and_reads(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[32] = "";
    struct stat status;
    (void)arg;
    CHECK(fails(opened("/tmp/file", O_RDONLY), ENOENT));
    int fd = opened("/tmp/file", O_RDWR | O_CREAT | O_EXCL);
    CHECK(fails(opened("/tmp/file", O_RDWR | O_CREAT | O_EXCL), EEXIST));
    CHECK(system->write(fd, "hello world", 11) == 11 && system->read(fd, data, sizeof data) == 0);
    CHECK(system->pwrite(fd, "HELLO", 5, 0) == 5 && system->pread(fd, data, sizeof data, 0) == 11);
    CHECK(memcmp(data, "HELLO world", 11) == 0);
    CHECK(system->pwrite(fd, "x", 1, 20) == 1 && system->pread(fd, data, sizeof data, 10) == 11);
    CHECK(memcmp(data, "d\0\0\0\0\0\0\0\0\0x", 11) == 0);
    CHECK(system->fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 21);
    CHECK((status.st_mode & 0777) == 0640 && system->fchmod(fd, 0600) == 0);
    CHECK(system->lstat("tmp/file", &status) == 0 && (status.st_mode & 0777) == 0600 && status.st_nlink == 1);
    CHECK(system->fdatasync(fd) == 0);
    shut(fd);
    fd = opened("/tmp/file", O_RDONLY);
    CHECK(system->read(fd, data, 5) == 5 && system->read(fd, data, 6) == 6 && memcmp(data, " world", 6) == 0);
    CHECK(fails(system->write(fd, "x", 1), EBADF));
    shut(fd);
    return 0;
}

static void a_file_is_written_and_read(void **state)
{
    (void)state;
    play(writes_and_reads, NULL, 0, 1);
}

static int ends_and_folders(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[32] = "";
    (void)arg;
    int first = opened("log", O_WRONLY | O_CREAT | O_APPEND), second = opened("/log", O_WRONLY | O_APPEND);
    CHECK(system->write(first, "one ", 4) == 4 && system->write(second, "two ", 4) == 4);
    CHECK(system->write(first, "three", 5) == 5);
    shut(first);
    CHECK(system->unlink("/log") == 0 && fails(system->unlink("/log"), ENOENT));
    CHECK(system->write(second, "!", 1) == 1);
    first = opened("/log", O_RDWR | O_CREAT);
    CHECK(system->read(first, data, sizeof data) == 0);
    shut(second);
    CHECK(system->write(first, "1234", 4) == 4);
    second = opened("/log", O_RDWR | O_TRUNC);
    CHECK(system->pread(first, data, sizeof data, 0) == 0);
    shut(first);
    shut(second);
    CHECK(fails(opened("/tmp", O_RDWR), EISDIR) && fails(opened("/log", O_RDONLY | O_DIRECTORY), ENOTDIR));
    int folder = opened("/tmp", O_RDONLY | O_DIRECTORY);
    CHECK(fails(system->read(folder, data, sizeof data), EISDIR) && fails(system->unlink("/tmp"), EISDIR));
    shut(folder);
    int nothing = opened("/dev/null", O_RDWR);
    CHECK(system->write(nothing, "x", 1) == 1 && system->read(nothing, data, sizeof data) == 0);
    shut(nothing);
    return 0;
}

static void files_outlive_their_names(void **state)
{
    (void)state;
    play(ends_and_folders, NULL, 0, 1);
}

static int writes_on_a_bad_disk(void *arg)
{
    static char data[10000];
    static char found[sizeof data];
    (void)arg;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i * 7);
    weir_file *file = weir_file_open("/data", O_RDWR | O_CREAT, 0600);
    if (!file) {
        CHECK(errno == ENOSPC || errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM);
        return 0;
    }
    size_t done = 0;
    while (done < sizeof data)
        if (weir_file_write_at(file, data + done, 100, (int64_t)done) == 0)
            done += 100;
        else
            CHECK(errno == ENOSPC || errno == EIO);
    while (weir_file_read_at(file, found, sizeof found, 0) < 0)
        CHECK(errno == EIO);
    CHECK(memcmp(data, found, sizeof data) == 0);
    return weir_file_close(file);
}

/* Whoever was told of a want of descriptors finds the path as it was before. */
static int opens_without_descriptors(void *arg)
{
    struct stat status;
    char path[16];
    (void)arg;
    for (int i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/new%d", i);
        int fd = opened(path, O_WRONLY | O_CREAT | O_EXCL);
        if (fd >= 0) {
            shut(fd);
            continue;
        }
        CHECK(errno != EEXIST && fails(weir__system()->lstat(path, &status), ENOENT));
    }
    return 0;
}

static void no_descriptor_no_file(void **state)
{
    uint64_t faults = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weir_sim_result result = play(opens_without_descriptors, NULL, WEIR_SIM_RESOURCES, seed);
        faults += count_of(&result, WEIR_SIM_RESOURCES);
    }
    assert_true(faults > 0);
}

static void a_bad_disk_alters_nothing(void **state)
{
    unsigned faults = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        weir_sim_result result =
            play(writes_on_a_bad_disk, NULL, WEIR_SIM_FILES | WEIR_SIM_SHORT | WEIR_SIM_RESOURCES, seed);
        faults += count_of(&result, WEIR_SIM_FILES);
    }
    assert_true(faults > 0);
}

static unsigned lost;

static int is_unplugged(void *arg)
{
    const struct weir__system *system = weir__system();
    char data[12];
    (void)arg;
    int fd = opened("/data", O_RDWR | O_CREAT);
    if (fd < 0)
        return 0;
    CHECK(system->write(fd, "synced", 6) == 6 || weir_sim_faulty());
    while (system->fdatasync(fd) < 0)
        CHECK(errno == EIO);
    ssize_t kept = system->pread(fd, data, sizeof data, 0);
    bool whole = kept == 6 && system->pwrite(fd, "losable", 7, 6) == 7;
    weir__sim_files_killed(weir__sim_host());
    ssize_t left = system->pread(fd, data, sizeof data, 0);
    CHECK(left < 0 || left >= kept);
    CHECK(left < 6 || memcmp(data, "syncedlosable", (size_t)left) == 0);
    lost += whole && left >= 0 && left < 12;
    shut(fd);
    return 0;
}

static void a_kill_costs_what_was_not_synced_at_most(void **state)
{
    (void)state;
    lost = 0;
    for (uint64_t seed = 1; seed <= 200; seed++)
        play(is_unplugged, NULL, WEIR_SIM_FILES, seed);
    assert_true(lost > 0);
}

/* --- the nodes of sockets --- */

static int binds_a_path(void *arg)
{
    const struct weir__system *system = weir__system();
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};
    struct stat status;
    (void)arg;
    int one = system->socket(AF_UNIX, SOCK_DGRAM, 0), other = system->socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(system->fchmod(one, 0600) == 0);
    CHECK(system->bind(one, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(system->lstat("/run/socket", &status) == 0 && S_ISSOCK(status.st_mode) && (status.st_mode & 0777) == 0600);
    CHECK(fails(system->bind(other, (struct sockaddr *)&address, sizeof address), EADDRINUSE));
    CHECK(fails(opened("/run/socket", O_RDWR), ENXIO));
    CHECK(system->connect(other, (struct sockaddr *)&address, sizeof address) == 0);
    shut(one);
    CHECK(system->lstat("/run/socket", &status) == 0);
    CHECK(fails(system->connect(other, (struct sockaddr *)&address, sizeof address), ECONNREFUSED));
    CHECK(system->unlink("/run/socket") == 0);
    CHECK(fails(system->connect(other, (struct sockaddr *)&address, sizeof address), ENOENT));
    shut(other);
    return 0;
}

static void a_socket_leaves_its_node_behind(void **state)
{
    (void)state;
    play(binds_a_path, NULL, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_and_read),
        cmocka_unit_test(files_outlive_their_names),
        cmocka_unit_test(a_bad_disk_alters_nothing),
        cmocka_unit_test(no_descriptor_no_file),
        cmocka_unit_test(a_kill_costs_what_was_not_synced_at_most),
        cmocka_unit_test(a_socket_leaves_its_node_behind),
    };
    return cmocka_run_group_tests_name("sim files", tests, NULL, NULL);
}
