/* Writes to standard output the system call filter that Flatpak loads for an
 * application without `--allow=`, as libseccomp makes it: everything is
 * allowed but what is listed. Its rules are those of Flatpak 1.16 and later. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static scmp_filter_ctx filter;

static void must(int status)
{
    if (status < 0) {
        fprintf(stderr, "flatpak-filter: %d\n", status);
        _exit(1);
    }
}

static void refuse(int errnum, const int *calls, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(errnum), calls[i], 0));
}

static void refuse_if(int errnum, int call, struct scmp_arg_cmp argument)
{
    must(seccomp_rule_add(filter, SCMP_ACT_ERRNO(errnum), call, 1, argument));
}

#define REFUSE(errnum, ...) \
    refuse(errnum, (const int[]){__VA_ARGS__}, \
           sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

int main(void)
{
    static const int families[] = {AF_UNSPEC, AF_LOCAL, AF_INET, AF_INET6, AF_NETLINK};
    int last = -1;

    filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return 1;
    REFUSE(EPERM, SCMP_SYS(syslog), SCMP_SYS(uselib), SCMP_SYS(acct), SCMP_SYS(quotactl),
           SCMP_SYS(add_key), SCMP_SYS(keyctl), SCMP_SYS(request_key), SCMP_SYS(move_pages),
           SCMP_SYS(mbind), SCMP_SYS(get_mempolicy), SCMP_SYS(set_mempolicy),
           SCMP_SYS(migrate_pages), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount),
           SCMP_SYS(umount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot));
    refuse_if(EPERM, SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
    refuse_if(EPERM, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TIOCSTI));
    refuse_if(EPERM, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffu, TIOCLINUX));
    REFUSE(ENOSYS, SCMP_SYS(clone3), SCMP_SYS(open_tree), SCMP_SYS(move_mount), SCMP_SYS(fsopen),
           SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick), SCMP_SYS(mount_setattr));
    REFUSE(EPERM, SCMP_SYS(modify_ldt), SCMP_SYS(perf_event_open), SCMP_SYS(ptrace));
    refuse_if(EPERM, SCMP_SYS(personality), SCMP_A0(SCMP_CMP_NE, 0));
    for (unsigned i = 0; i < sizeof families / sizeof *families; i++) {
        for (int between = last + 1; between < families[i]; between++)
            must(seccomp_rule_add_exact(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                        SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)between)));
        last = families[i];
    }
    must(seccomp_rule_add_exact(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                SCMP_A0(SCMP_CMP_GE, (scmp_datum_t)last + 1)));
    must(seccomp_export_bpf(filter, STDOUT_FILENO));
    return 0;
}
