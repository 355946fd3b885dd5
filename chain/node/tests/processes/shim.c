/* Put before the C library of a node (LD_PRELOAD) by a test: writes or flushes of one file begin to fail at some moment,
 * or the clock is off. What it does is told by environment variables:
 *   SHIM_PATH   what the name of the file ends with
 *   SHIM_CALL   "write" or "flush"
 *   SHIM_ERRNO  what these calls say
 *   SHIM_AFTER  how many of them work before
 *   SHIM_CLOCK  seconds by which the time of day is off
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static atomic_long calls;

static int fails(int fd, const char *call) {
    const char *kind = getenv("SHIM_CALL"), *path = getenv("SHIM_PATH");
    if (!kind || !path || strcmp(kind, call)) return 0;
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name);
    ssize_t suffix = (ssize_t)strlen(path);
    if (length < suffix || memcmp(name + length - suffix, path, (size_t)suffix)) return 0;
    if (atomic_fetch_add(&calls, 1) < atol(getenv("SHIM_AFTER"))) return 0;
    errno = atoi(getenv("SHIM_ERRNO"));
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fails(fd, "flush") ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fails(fd, "flush") ? -1 : NEXT(fdatasync)(fd); }
ssize_t write(int fd, const void *data, size_t size) {
    return fails(fd, "write") ? -1 : NEXT(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fails(fd, "write") ? -1 : NEXT(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fails(fd, "write") ? -1 : NEXT(pwrite64)(fd, data, size, at);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int result = NEXT(clock_gettime)(clock, now);
    const char *off = getenv("SHIM_CLOCK");
    if (off && clock == CLOCK_REALTIME) now->tv_sec += atol(off);
    return result;
}
