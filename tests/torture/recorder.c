/* Preloaded: records every write, sync and truncation of data.mdb, and the acknowledgements among them, in the
 * order they happen, into the file YB_RECORD. A record: operation, offset (8), length (4), then the octets.
 * Operations: W write, D write through an O_DSYNC handle, S sync, T truncate, A acknowledgement (its number in
 * the place of the offset). msync is an operation no durable mode may need: M. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int record_fd = -1;

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int is_data(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path);
    return size > 9 && memcmp(path + size - 9, "/data.mdb", 9) == 0;
}

/* Called under the lock. */
static void put(char operation, uint64_t offset, const void *data, uint32_t size)
{
    static ssize_t (*next)(int, const void *, size_t);
    char head[13];
    if (!next)
        next = NEXT(write);
    if (record_fd < 0) {
        const char *path = getenv("YB_RECORD");
        if (!path || (record_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
            return;
    }
    head[0] = operation;
    memcpy(head + 1, &offset, 8);
    memcpy(head + 9, &size, 4);
    if (next(record_fd, head, 13) != 13 || (size && next(record_fd, data, size) != (ssize_t)size))
        abort();
}

void yb_ack(uint64_t number)
{
    pthread_mutex_lock(&lock);
    put('A', number, NULL, 0);
    pthread_mutex_unlock(&lock);
}

static char kind_of(int fd) { return fcntl(fd, F_GETFL) & O_DSYNC ? 'D' : 'W'; }

#define WRAP_PWRITE(name)                                                    \
    ssize_t name(int fd, const void *data, size_t size, off_t offset)       \
    {                                                                        \
        if (!is_data(fd))                                                    \
            return NEXT(name)(fd, data, size, offset);                       \
        pthread_mutex_lock(&lock);                                           \
        ssize_t done = NEXT(name)(fd, data, size, offset);                   \
        if (done > 0)                                                        \
            put(kind_of(fd), offset, data, done);                            \
        pthread_mutex_unlock(&lock);                                         \
        return done;                                                         \
    }
WRAP_PWRITE(pwrite)
WRAP_PWRITE(pwrite64)

static void put_parts(int fd, const struct iovec *parts, int count, off_t offset, ssize_t done)
{
    for (int i = 0; i < count && done > 0; i++) {
        size_t size = parts[i].iov_len < (size_t)done ? parts[i].iov_len : (size_t)done;
        put(kind_of(fd), offset, parts[i].iov_base, size);
        offset += size;
        done -= size;
    }
}

#define WRAP_PWRITEV(name)                                                   \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) \
    {                                                                        \
        if (!is_data(fd))                                                    \
            return NEXT(name)(fd, parts, count, offset);                     \
        pthread_mutex_lock(&lock);                                           \
        ssize_t done = NEXT(name)(fd, parts, count, offset);                 \
        put_parts(fd, parts, count, offset, done);                           \
        pthread_mutex_unlock(&lock);                                         \
        return done;                                                         \
    }
WRAP_PWRITEV(pwritev)
WRAP_PWRITEV(pwritev64)

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (!is_data(fd))
        return NEXT(writev)(fd, parts, count);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = NEXT(writev)(fd, parts, count);
    put_parts(fd, parts, count, offset, done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *data, size_t size)
{
    static ssize_t (*next)(int, const void *, size_t);
    if (!next)
        next = NEXT(write);
    if (fd == record_fd || !is_data(fd))
        return next(fd, data, size);
    pthread_mutex_lock(&lock);
    off_t offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = next(fd, data, size);
    if (done > 0)
        put(kind_of(fd), offset, data, done);
    pthread_mutex_unlock(&lock);
    return done;
}

#define WRAP_SYNC(name)                                                      \
    int name(int fd)                                                         \
    {                                                                        \
        if (!is_data(fd))                                                    \
            return NEXT(name)(fd);                                           \
        pthread_mutex_lock(&lock);                                           \
        int failed = NEXT(name)(fd);                                         \
        if (!failed)                                                         \
            put('S', 0, NULL, 0);                                            \
        pthread_mutex_unlock(&lock);                                         \
        return failed;                                                       \
    }
WRAP_SYNC(fdatasync)
WRAP_SYNC(fsync)

#define WRAP_TRUNCATE(name)                                                  \
    int name(int fd, off_t size)                                             \
    {                                                                        \
        if (!is_data(fd))                                                    \
            return NEXT(name)(fd, size);                                     \
        pthread_mutex_lock(&lock);                                           \
        int failed = NEXT(name)(fd, size);                                   \
        if (!failed)                                                         \
            put('T', size, NULL, 0);                                         \
        pthread_mutex_unlock(&lock);                                         \
        return failed;                                                       \
    }
WRAP_TRUNCATE(ftruncate)
WRAP_TRUNCATE(ftruncate64)

int msync(void *address, size_t size, int flags)
{
    pthread_mutex_lock(&lock);
    put('M', 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return NEXT(msync)(address, size, flags);
}
