/* Preloaded: fails chosen writes. Armed from Python by ctypes:
 * yb_arm(kind, nth, times, error): from the nth call of that kind on, fail so many times.
 * kinds: 1 data pages, 2 meta page, 3 fdatasync. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int armed_kind, countdown, times_left, failing_errno;
static int calls[4];

void yb_arm(int kind, int nth, int times, int error)
{
    armed_kind = kind;
    countdown = nth;
    times_left = times;
    failing_errno = error;
}

int yb_calls(int kind) { return calls[kind]; }

static int fails(int kind)
{
    calls[kind]++;
    if (kind != armed_kind || times_left == 0)
        return 0;
    if (countdown > 1) {
        countdown--;
        return 0;
    }
    times_left--;
    errno = failing_errno;
    return 1;
}

/* LMDB writes whole pages, but of the two meta pages (the first 8 kB) only a part. */
static int is_meta(size_t size, off_t offset) { return offset < 8192 && size < 1024; }

#define WRAP_PWRITE(name)                                                    \
    ssize_t name(int fd, const void *data, size_t size, off_t offset)       \
    {                                                                        \
        static ssize_t (*next)(int, const void *, size_t, off_t);            \
        if (!next)                                                           \
            next = dlsym(RTLD_NEXT, #name);                                  \
        if (fails(is_meta(size, offset) ? 2 : 1))                            \
            return -1;                                                       \
        return next(fd, data, size, offset);                                 \
    }
WRAP_PWRITE(pwrite)
WRAP_PWRITE(pwrite64)

#define WRAP_PWRITEV(name)                                                   \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t offset) \
    {                                                                        \
        static ssize_t (*next)(int, const struct iovec *, int, off_t);       \
        if (!next)                                                           \
            next = dlsym(RTLD_NEXT, #name);                                  \
        if (fails(1))                                                        \
            return -1;                                                       \
        return next(fd, parts, count, offset);                               \
    }
WRAP_PWRITEV(pwritev)
WRAP_PWRITEV(pwritev64)

/* LMDB seeks and then writes where pages lie side by side. */
ssize_t writev(int fd, const struct iovec *parts, int count)
{
    static ssize_t (*next)(int, const struct iovec *, int);
    if (!next)
        next = dlsym(RTLD_NEXT, "writev");
    if (parts[0].iov_len >= 4096 && fails(1))
        return -1;
    return next(fd, parts, count);
}

int fdatasync(int fd)
{
    static int (*next)(int);
    if (!next)
        next = dlsym(RTLD_NEXT, "fdatasync");
    if (fails(3))
        return -1;
    return next(fd);
}
