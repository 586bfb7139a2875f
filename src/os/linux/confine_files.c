/* The fence around files: landlock(7), by its system calls, for which no library is needed. */
#include "os/linux/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The rights by the version that brought them; headers may be older than the kernel. */
#define RIGHT(bit) ((uint64_t)1 << (bit))
static const uint64_t rights_of[] = {
    RIGHT(13) - 1, /* 1: execute to make_sym */
    RIGHT(14) - 1, /* 2: refer, moving between folders */
    RIGHT(15) - 1, /* 3: truncate */
    RIGHT(15) - 1, /* 4: concerns sockets */
    RIGHT(16) - 1, /* 5: ioctl of devices */
};
#define TRUNCATE RIGHT(14)
#define IOCTL_DEV RIGHT(15)
#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
/* What may be done to a file as opposed to a folder. */
#define OF_FILES (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE | IOCTL_DEV)
#define CHANGE                                                                                     \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | TRUNCATE | LANDLOCK_ACCESS_FS_REMOVE_FILE |                   \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)

/* glibc has no names for these calls. */
static int version(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int add_fd(int rules, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr a = {.allowed_access = rights, .parent_fd = fd};
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode))
        a.allowed_access &= OF_FILES;
    return (int)syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &a, 0);
}

static uint64_t rights_to(const struct kith_confine_path *p)
{
    return (p->write ? READ | CHANGE : READ) | (p->device ? IOCTL_DEV : 0);
}

static int add(int rules, uint64_t known, const struct kith_confine_path *p,
               struct kith_os_why *why)
{
    int err = KITH_OK, fd = open(p->path, O_PATH | O_CLOEXEC);

    if (fd < 0 && p->optional)
        return KITH_OK;
    if (fd < 0)
        return kith_os_fail(why, errno, "open %s", p->path);
    if (add_fd(rules, fd, known & rights_to(p)) < 0)
        err = kith_os_fail(why, errno, "keep %s (Landlock)", p->path);
    (void)close(fd);
    return err;
}

int kith_confine_files(const struct kith_confine_path *paths, size_t n, struct kith_os_why *why)
{
    int newest = version(), last = (int)KITH_COUNT(rights_of);
    if (newest < 1)
        return kith_os_say(why, KITH_E_UNSUPPORTED, "this kernel has no Landlock");

    struct landlock_ruleset_attr a = {rights_of[(newest < last ? newest : last) - 1]};
    int err = KITH_OK, rules = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof a, 0);
    if (rules < 0)
        return kith_os_fail(why, errno, "make rules about files (Landlock)");
    for (size_t i = 0; err == KITH_OK && i < n; i++)
        err = add(rules, a.handled_access_fs, &paths[i], why);
    if (err == KITH_OK && syscall(SYS_landlock_restrict_self, rules, 0) < 0)
        err = kith_os_fail(why, errno, "give up files (Landlock)");
    (void)close(rules);
    return err;
}
