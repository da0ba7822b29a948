/* A disk that fails, for programs whose file access is in C: preloaded, it counts the calls that change
 * files below one directory and makes the nth of them fail. Nothing else of the process is touched.
 *
 * fsync and fdatasync are counted and not done: nobody pulls the plug, and they cost the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX], gate[PATH_MAX];
static size_t length;
static atomic_int armed, calls;
static int wanted, code, lasting, torn;
static FILE *names;

/* Watch what lies below `root` from now on. The nth call fails with `error`, or where that is 0 waits until
 * there is a file named as the log with ".go" behind it; `more` != 0: and so does every later one. `half`: where the nth call writes, half of it is written and reported first. Each call is named
 * in `log`. */
void disk_arm(const char *root, const char *log, int nth, int error, int more, int half)
{
    snprintf(below, sizeof below, "%s", root);
    length = strlen(below);
    wanted = nth;
    code = error;
    lasting = more;
    torn = half;
    snprintf(gate, sizeof gate, "%s.go", log);
    names = fopen(log, "we");
    atomic_store(&calls, 0);
    atomic_store(&armed, 1);
}

static int inside(const char *path)
{
    return path != NULL && strncmp(path, below, length) == 0;
}

enum fate { GOES_ON, HALF, FAILS };

static enum fate befalls(const char *call, const char *path, int writes)
{
    if (!inside(path))
        return GOES_ON;
    int number = atomic_fetch_add(&calls, 1) + 1;
    if (names != NULL) {
        const char *last = strrchr(path, '/');
        fprintf(names, "%s %s\n", call, last == NULL ? path : last + 1);
        fflush(names);
    }
    if (number == wanted && torn)
        return writes ? HALF : GOES_ON;
    if (number == wanted || (lasting && number > wanted)) {
        if (code == 0) {
            while (access(gate, F_OK) != 0)
                usleep(1000);
            return GOES_ON;
        }
        errno = code;
        return FAILS;
    }
    return GOES_ON;
}

static enum fate on_descriptor(const char *call, int descriptor, int writes)
{
    char link[64], path[PATH_MAX];
    if (!atomic_load(&armed))
        return GOES_ON;
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t size = readlink(link, path, sizeof path - 1);
    errno = before;
    if (size < 0)
        return GOES_ON;
    path[size] = 0;
    return befalls(call, path, writes);
}

static enum fate on_path(const char *call, const char *path)
{
    char full[PATH_MAX], here[PATH_MAX];
    if (!atomic_load(&armed))
        return GOES_ON;
    if (path[0] == '/' || getcwd(here, sizeof here) == NULL)
        return befalls(call, path, 0);
    if (snprintf(full, sizeof full, "%s/%s", here, path) >= (int)sizeof full)
        return GOES_ON;
    return befalls(call, full, 0);
}

#define REAL(result, name, ...)                                \
    static result (*real)(__VA_ARGS__);                        \
    if (real == NULL)                                          \
        *(void **)&real = dlsym(RTLD_NEXT, name)

#define MODE(flags)                           \
    mode_t mode = 0;                          \
    if (flags & (O_CREAT | __O_TMPFILE)) {    \
        va_list rest;                         \
        va_start(rest, flags);                \
        mode = va_arg(rest, mode_t);          \
        va_end(rest);                         \
    }

#define OPEN(name)                                                                     \
    int name(const char *path, int flags, ...)                                         \
    {                                                                                  \
        MODE(flags);                                                                   \
        REAL(int, #name, const char *, int, ...);                                      \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && on_path("open", path) == FAILS) \
            return -1;                                                                 \
        return real(path, flags, mode);                                                \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                   \
    int name(int place, const char *path, int flags, ...)                              \
    {                                                                                  \
        MODE(flags);                                                                   \
        REAL(int, #name, int, const char *, int, ...);                                 \
        if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && on_path("open", path) == FAILS) \
            return -1;                                                                 \
        return real(place, path, flags, mode);                                         \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int descriptor, const void *content, size_t size)
{
    REAL(ssize_t, "write", int, const void *, size_t);
    enum fate fate = on_descriptor("write", descriptor, 1);
    return fate == FAILS ? -1 : real(descriptor, content, fate == HALF ? (size + 1) / 2 : size);
}

#define PWRITE(name)                                                                                \
    ssize_t name(int descriptor, const void *content, size_t size, off_t at)                        \
    {                                                                                               \
        REAL(ssize_t, #name, int, const void *, size_t, off_t);                                     \
        enum fate fate = on_descriptor("pwrite", descriptor, 1);                                    \
        return fate == FAILS ? -1 : real(descriptor, content, fate == HALF ? (size + 1) / 2 : size, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return on_descriptor("writev", descriptor, 0) == FAILS ? -1 : real(descriptor, pieces, count);
}

#define SIZED(name)                                                                  \
    int name(int descriptor, off_t size)                                             \
    {                                                                                \
        REAL(int, #name, int, off_t);                                                \
        return on_descriptor("ftruncate", descriptor, 0) == FAILS ? -1 : real(descriptor, size); \
    }
SIZED(ftruncate)
SIZED(ftruncate64)

int fallocate(int descriptor, int mode, off_t at, off_t size)
{
    REAL(int, "fallocate", int, int, off_t, off_t);
    return on_descriptor("fallocate", descriptor, 0) == FAILS ? -1 : real(descriptor, mode, at, size);
}

#define RESERVED(name)                                                                \
    int name(int descriptor, off_t at, off_t size)                                    \
    {                                                                                 \
        REAL(int, #name, int, off_t, off_t);                                          \
        return on_descriptor("fallocate", descriptor, 0) == FAILS ? code : real(descriptor, at, size); \
    }
RESERVED(posix_fallocate)
RESERVED(posix_fallocate64)

int fsync(int descriptor)
{
    return on_descriptor("fsync", descriptor, 0) == FAILS ? -1 : 0;
}

int fdatasync(int descriptor)
{
    return on_descriptor("fdatasync", descriptor, 0) == FAILS ? -1 : 0;
}

int unlink(const char *path)
{
    REAL(int, "unlink", const char *);
    return on_path("unlink", path) == FAILS ? -1 : real(path);
}

int remove(const char *path)
{
    REAL(int, "remove", const char *);
    return on_path("unlink", path) == FAILS ? -1 : real(path);
}

int rename(const char *from, const char *to)
{
    REAL(int, "rename", const char *, const char *);
    return on_path("rename", to) == FAILS ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(int, "mkdir", const char *, mode_t);
    return on_path("mkdir", path) == FAILS ? -1 : real(path, mode);
}
