/* A program that is started has the standard descriptors and nothing of the library's. */

#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

/* What the child finds open, other than the standard three and the directory it looks into. */
static int count_open(void)
{
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    REQUIRE(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory)) {
        int number = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || number <= 2 || number == dirfd(directory)) continue;
        char path[64], target[128] = "";
        snprintf(path, sizeof path, "/proc/self/fd/%d", number);
        REQUIRE(readlink(path, target, sizeof target - 1) > 0);
        fprintf(stderr, "the child has %d: %s\n", number, target);
        count++;
    }
    closedir(directory);
    return count;
}

static int64_t start_child(void *program)
{
    char *arguments[] = {program, "child", NULL};
    pid_t child;
    int status;
    REQUIRE_EQUAL(posix_spawn(&child, program, NULL, NULL, arguments, environ), 0);
    while (waitpid(child, &status, 0) < 0) REQUIRE(errno == EINTR);
    return status;
}

/* Has the library open what it opens: a connection it accepts, and a thread for files. */
static int64_t use_descriptors(void *accepted)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    char byte;
    REQUIRE(listener >= 0 && client >= 0 && file >= 0 && listen(listener, 1) == 0);
    REQUIRE(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    REQUIRE_EQUAL(ringlet_connect(client, &address, length, soon()), 0);
    *(int *)accepted = ringlet_accept(listener, soon());
    REQUIRE(*(int *)accepted >= 0);
    REQUIRE_EQUAL(ringlet_read(file, &byte, 1, 0, soon()), 1);
    return 0;
}

int main(int count, char **arguments)
{
    if (count > 1) return count_open();
    ringlet_queue *queue = NULL;
    int accepted = -1;
    /* What this program was started with is not the library's. */
    for (int number = 3; number < 256; number++) fcntl(number, F_SETFD, FD_CLOEXEC);
    ringlet_scheduler *scheduler = make_scheduler(3);
    REQUIRE_EQUAL(ringlet_queue_create(&queue), 0);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, use_descriptors, &accepted)), 0);
    REQUIRE_EQUAL(start_child(arguments[0]), 0);
    REQUIRE_EQUAL(join_and_release(spawn(scheduler, start_child, arguments[0])), 0);
    ringlet_queue_destroy(queue);
    end_scheduler(scheduler);
    return 0;
}
