/* Times single system calls from inside and writes a line for each to
 * standard output: its name and what it costs in nanoseconds, the median of
 * some blocks. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS 9
#define FILE_OF_THE_SYSTEM "/usr/lib/os-release"

static int zero, null, plain, pair[2], own;

static void check(long answer)
{
    if (answer < 0) {
        perror("calls");
        exit(1);
    }
}

static void get_ppid(void) { check(syscall(SYS_getppid)); }
static void read_byte(void)
{
    char byte;
    check(syscall(SYS_read, zero, &byte, 1));
}
static void write_byte(void) { check(syscall(SYS_write, null, "", 1)); }
static void status(void)
{
    struct stat about;
    check(syscall(SYS_newfstatat, AT_FDCWD, FILE_OF_THE_SYSTEM, &about, 0));
}
static void open_close(void)
{
    long fd = syscall(SYS_openat, AT_FDCWD, FILE_OF_THE_SYSTEM, O_RDONLY | O_CLOEXEC, 0);
    check(fd);
    check(syscall(SYS_close, fd));
}
static void socket_close(void)
{
    long fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(fd);
    check(syscall(SYS_close, fd));
}
static void terminal(void)
{
    struct termios state;
    /* No terminal: what is timed is the way there and the answer. */
    syscall(SYS_ioctl, plain, TCGETS, &state);
}
static void map_unmap(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(memory == MAP_FAILED ? -1 : 0);
    check(munmap(memory, 4096));
}
static void send_receive(void)
{
    char byte;
    check(syscall(SYS_sendto, pair[0], "", 1, 0, NULL, 0));
    check(syscall(SYS_recvfrom, pair[1], &byte, 1, 0, NULL, NULL));
}
static void kill_nobody(void) { check(syscall(SYS_kill, own, 0)); }

static const struct {
    const char *name;
    void (*call)(void);
    int times;
} CALLS[] = {
    {"getppid", get_ppid, 20000},         {"read of 1 byte", read_byte, 20000},
    {"write of 1 byte", write_byte, 20000}, {"stat", status, 5000},
    {"open, close", open_close, 5000},    {"socket, close", socket_close, 3000},
    {"ioctl(TCGETS)", terminal, 20000},   {"mmap, munmap", map_unmap, 3000},
    {"sendto, recvfrom", send_receive, 5000}, {"kill(own, 0)", kill_nobody, 10000},
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

int main(void)
{
    own = getpid();
    check(zero = open("/dev/zero", O_RDONLY));
    check(null = open("/dev/null", O_WRONLY));
    check(plain = open(FILE_OF_THE_SYSTEM, O_RDONLY));
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    for (unsigned i = 0; i < sizeof CALLS / sizeof *CALLS; i++) {
        double blocks[BLOCKS];
        for (int block = 0; block < BLOCKS; block++) {
            double begin = now();
            for (int time = 0; time < CALLS[i].times; time++)
                CALLS[i].call();
            blocks[block] = (now() - begin) / CALLS[i].times;
        }
        qsort(blocks, BLOCKS, sizeof *blocks, compare);
        printf("%s\t%.2f\n", CALLS[i].name, blocks[BLOCKS / 2]);
    }
    return 0;
}
