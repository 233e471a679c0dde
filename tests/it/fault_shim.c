/* Preloaded into a server (LD_PRELOAD): its disk fails, stalls or lies and its clock jumps, as the shared file that
 * LANGNGHE_FAULTS names says. Only files below LANGNGHE_FAULTS_BELOW are touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Eight bytes each, little-endian; tests/it/faults.rs writes them by number. */
struct faults {
    volatile int64_t sync_error;    /* errno of fsync and fdatasync */
    volatile int64_t sync_stall_ms; /* how long each sync waits first */
    volatile int64_t sync_lies;     /* nothing is synced, and success is told */
    volatile int64_t write_error;   /* errno of every write, growth and new file */
    volatile int64_t clock_offset;  /* seconds added to the clock on the wall */
    volatile int64_t hits;          /* how often something was done; the test reads it */
};

static struct faults none, *faults = &none;
static char below[PATH_MAX];

__attribute__((constructor)) static void begin(void) {
    const char *file = getenv("LANGNGHE_FAULTS"), *folder = getenv("LANGNGHE_FAULTS_BELOW");
    int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
    if (!file || !folder || !real_open) return;
    int fd = real_open(file, O_RDWR);
    if (fd < 0) return;
    void *shared = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED) return;
    strncpy(below, folder, sizeof below - 1);
    faults = shared;
}

static void hit(void) { __sync_fetch_and_add(&faults->hits, 1); }

static int is_below(int fd) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int kept = errno;
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

/* True when the call is to end here with errno set. */
static int fails(int fd) {
    int error = (int)faults->write_error;
    if (!error || !is_below(fd)) return 0;
    hit();
    errno = error;
    return 1;
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define SYNC(call) \
    int call(int fd) { \
        REAL(int, #call, int); \
        if (faults->sync_stall_ms && is_below(fd)) { \
            hit(); \
            usleep((useconds_t)faults->sync_stall_ms * 1000); \
        } \
        if (faults->sync_error && is_below(fd)) { \
            hit(); \
            errno = (int)faults->sync_error; \
            return -1; \
        } \
        if (faults->sync_lies && is_below(fd)) { \
            hit(); \
            return 0; \
        } \
        return real(fd); \
    }
SYNC(fsync)
SYNC(fdatasync)

ssize_t write(int fd, const void *bytes, size_t many) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails(fd) ? -1 : real(fd, bytes, many);
}

ssize_t pwrite(int fd, const void *bytes, size_t many, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return fails(fd) ? -1 : real(fd, bytes, many, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t many, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails(fd) ? -1 : real(fd, bytes, many, at);
}

int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    return fails(fd) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    return fails(fd) ? -1 : real(fd, length);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    REAL(int, "clock_gettime", clockid_t, struct timespec *);
    int done = real(which, now);
    if (done == 0 && which == CLOCK_REALTIME) now->tv_sec += faults->clock_offset;
    return done;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    REAL(int, "gettimeofday", struct timeval *, void *);
    int done = real(now, zone);
    if (done == 0) now->tv_sec += faults->clock_offset;
    return done;
}

time_t time(time_t *into) {
    REAL(time_t, "time", time_t *);
    time_t now = real(NULL) + faults->clock_offset;
    if (into) *into = now;
    return now;
}
