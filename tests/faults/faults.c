/*
 * Makes the n-th write or sync of a process fail, its disk fill up, or its power go.
 *
 *   cc -shared -fPIC -O2 -o faults.so tests/faults/faults.c -ldl
 *   LD_PRELOAD=$PWD/faults.so REALM_FAULT_PATH=/data/ REALM_FAULT_NTH=17 realmd run --home DIR
 *
 * REALM_FAULT_NTH=n           the n-th counted operation fails with EIO, and nothing of it happens
 * REALM_FAULT_FROM=n          the n-th and every later one fail with EIO
 * REALM_FAULT_ENOSPC_AFTER=b  once b bytes were written, writes and growing fail with ENOSPC; the
 *                             write that crosses the bound is cut short there, as a full disk does
 * REALM_FAULT_CUT=n           the power goes before the n-th counted operation, or when the process ends by
 *                             itself before: of what was written to a file since it was synced last nothing
 *                             is left. Names of files, and what is written through a mapping, stay.
 * REALM_FAULT_PATH=text       only files whose path contains the text; without it every regular file
 * REALM_FAULT_ARM=file        nothing is counted before this file exists
 * REALM_FAULT_LOG=file        one line for each operation that failed is appended to it; so is the
 *                             number of operations when a process that counted any ends by itself
 *
 * Counted are write, pwrite, writev, pwritev, ftruncate, fallocate, fsync, fdatasync, syncfs and
 * sync_file_range on regular files. A process that is linked statically cannot be reached.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static const char *only_path, *arm_path, *log_path;
static long long nth, from, cut, space = -1;
static long long operations, written;

__attribute__((constructor)) static void begin(void) {
    const char *text;
    only_path = getenv("REALM_FAULT_PATH");
    arm_path = getenv("REALM_FAULT_ARM");
    log_path = getenv("REALM_FAULT_LOG");
    if ((text = getenv("REALM_FAULT_NTH"))) nth = atoll(text);
    if ((text = getenv("REALM_FAULT_FROM"))) from = atoll(text);
    if ((text = getenv("REALM_FAULT_CUT"))) cut = atoll(text);
    if ((text = getenv("REALM_FAULT_ENOSPC_AFTER"))) space = atoll(text);
}

static void report(const char *line) {
    if (!log_path) return;
    int fd = syscall(SYS_openat, AT_FDCWD, log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, strlen(line));
    syscall(SYS_close, fd);
}

/* Whether an operation on a descriptor counts; gives the path it is open at. */
static int counts(int fd, char *path) {
    char link[64];
    struct stat stat;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return 0;
    path[length] = 0;
    if (only_path && !strstr(path, only_path)) return 0;
    return !arm_path || access(arm_path, F_OK) == 0;
}

static int fail(int error, const char *operation, long long number, const char *path) {
    char line[PATH_MAX + 128];
    const char *name = error == ENOSPC ? "ENOSPC" : "EIO";
    snprintf(line, sizeof line, "%s at operation %lld: %s %s\n", name, number, operation, path);
    report(line);
    errno = error;
    return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What a file held where it was written since its last sync, and how long it was; the newest first. */
struct unsynced {
    struct unsynced *older;
    struct stat file;
    int fd;
    off64_t offset;
    ssize_t length;
    char bytes[];
};
static struct unsynced *newest;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Remembers what `length` bytes of a file are before they change. */
static void remember(int fd, off64_t offset, long long length) {
    char path[PATH_MAX], link[64];
    if (!cut || !counts(fd, path)) return;
    struct unsynced *was = malloc(sizeof *was + length);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (!was || (was->fd = open(link, O_RDWR | O_CLOEXEC)) < 0 || fstat(was->fd, &was->file) != 0
        || (was->length = pread64(was->fd, was->bytes, length, offset)) < 0)
        abort();
    was->offset = offset;
    pthread_mutex_lock(&lock);
    was->older = newest;
    newest = was;
    pthread_mutex_unlock(&lock);
}

/* Where a write without an offset goes. */
static off64_t position(int fd) {
    int appends = fcntl(fd, F_GETFL) & O_APPEND;
    struct stat stat;
    return appends && fstat(fd, &stat) == 0 ? stat.st_size : lseek64(fd, 0, SEEK_CUR);
}

/* Forgets what a file held before: a sync begins, of this file or, without one, of all. */
static void settle(const struct stat *file) {
    pthread_mutex_lock(&lock);
    for (struct unsynced **at = &newest; *at;) {
        struct unsynced *was = *at;
        if (file && (was->file.st_ino != file->st_ino || was->file.st_dev != file->st_dev)) {
            at = &was->older;
            continue;
        }
        *at = was->older;
        close(was->fd);
        free(was);
    }
    pthread_mutex_unlock(&lock);
}

/* The power goes. Nobody remembers anything from here on. */
static void lose(void) {
    pthread_mutex_lock(&lock);
    for (struct unsynced *was = newest; was; was = was->older) {
        if (REAL(pwrite64)(was->fd, was->bytes, was->length, was->offset) != was->length
            || REAL(ftruncate64)(was->fd, was->file.st_size) != 0)
            abort();
    }
}

__attribute__((destructor)) static void end(void) {
    if (operations == 0) return;
    if (cut) lose();
    char line[64];
    snprintf(line, sizeof line, "operations=%lld written=%lld\n", operations, written);
    report(line);
}

/*
 * Counts an operation that takes `bytes` of the disk. Gives how many of them may be written, or -1
 * with errno set where the operation has to fail. Zero bytes are never refused for want of space.
 */
static long long admit(int fd, const char *operation, long long bytes) {
    char path[PATH_MAX];
    int before = errno;
    if (!counts(fd, path)) {
        errno = before;
        return bytes;
    }
    errno = before;
    long long number = __atomic_add_fetch(&operations, 1, __ATOMIC_SEQ_CST);
    if ((nth && number == nth) || (from && number >= from)) return fail(EIO, operation, number, path);
    if (cut && number == cut) {
        end();
        syscall(SYS_exit_group, 1);
    }
    if (bytes == 0) return 0;
    long long after = __atomic_add_fetch(&written, bytes, __ATOMIC_SEQ_CST);
    if (space < 0 || after <= space) return bytes;
    long long room = space - (after - bytes);
    return room > 0 ? room : fail(ENOSPC, operation, number, path);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    long long room = admit(fd, "write", count);
    if (room < 0) return -1;
    remember(fd, position(fd), room);
    return REAL(write)(fd, bytes, room);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    long long room = admit(fd, "pwrite", count);
    if (room < 0) return -1;
    remember(fd, offset, room);
    return REAL(pwrite)(fd, bytes, room, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    long long room = admit(fd, "pwrite", count);
    if (room < 0) return -1;
    remember(fd, offset, room);
    return REAL(pwrite64)(fd, bytes, room, offset);
}

static long long total(const struct iovec *parts, int count) {
    long long bytes = 0;
    for (int part = 0; part < count; part++) bytes += parts[part].iov_len;
    return bytes;
}

/* Where not all fits, the first part alone is written, and of that what fits. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    long long bytes = total(parts, count), room = admit(fd, "writev", bytes);
    if (room < 0) return -1;
    remember(fd, position(fd), room);
    if (room == bytes) return REAL(writev)(fd, parts, count);
    size_t first = parts[0].iov_len;
    return REAL(write)(fd, parts[0].iov_base, first < (size_t)room ? first : (size_t)room);
}

static ssize_t pwritev_any(int fd, const struct iovec *parts, int count, off64_t offset) {
    long long bytes = total(parts, count), room = admit(fd, "pwritev", bytes);
    if (room < 0) return -1;
    remember(fd, offset, room);
    if (room == bytes) return REAL(pwritev64)(fd, parts, count, offset);
    size_t first = parts[0].iov_len;
    return REAL(pwrite64)(fd, parts[0].iov_base, first < (size_t)room ? first : (size_t)room, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return pwritev_any(fd, parts, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return pwritev_any(fd, parts, count, offset);
}

/* A longer file takes no space yet, but a full disk is where growing ends. */
static int truncate_any(int fd, off64_t length) {
    struct stat stat;
    if (admit(fd, "ftruncate", 0) < 0) return -1;
    if (space >= 0 && written >= space && fstat(fd, &stat) == 0 && length > stat.st_size
        && admit(fd, "ftruncate", 1) < 0)
        return -1;
    if (fstat(fd, &stat) == 0 && length < stat.st_size) remember(fd, length, stat.st_size - length);
    else remember(fd, length, 0);
    return REAL(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length) { return truncate_any(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_any(fd, length); }

static int fallocate_any(int fd, int mode, off64_t offset, off64_t length) {
    int punches = mode & FALLOC_FL_PUNCH_HOLE;
    if (admit(fd, "fallocate", 0) < 0) return -1;
    if (!punches && space >= 0 && written >= space && admit(fd, "fallocate", 1) < 0) return -1;
    remember(fd, offset, length);
    return REAL(fallocate64)(fd, mode, offset, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
    return fallocate_any(fd, mode, offset, length);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
    return fallocate_any(fd, mode, offset, length);
}

/*
 * Syncs a file. Where the power goes, what it held before is gone for good from here on; the disk itself
 * need not be waited for, as its power stays.
 */
static int sync_file(int fd, const char *operation, int (*real)(int)) {
    struct stat stat;
    if (admit(fd, operation, 0) < 0) return -1;
    if (!cut) return real(fd);
    if (fstat(fd, &stat) == 0) settle(&stat);
    return 0;
}

int fsync(int fd) { return sync_file(fd, "fsync", REAL(fsync)); }
int fdatasync(int fd) { return sync_file(fd, "fdatasync", REAL(fdatasync)); }

int syncfs(int fd) {
    if (admit(fd, "syncfs", 0) < 0) return -1;
    settle(NULL);
    return REAL(syncfs)(fd);
}

/* This one syncs neither a file's length nor the disk's own cache. */
int sync_file_range(int fd, off64_t offset, off64_t length, unsigned flags) {
    if (admit(fd, "sync_file_range", 0) < 0) return -1;
    return REAL(sync_file_range)(fd, offset, length, flags);
}
