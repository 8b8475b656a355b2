// Ways to start a program that posix_spawn(3) does not have: on a terminal of its own, and by a caller
// that left signals and descriptors in disorder.
#ifndef CTESTTERMINAL_H
#define CTESTTERMINAL_H

#include <sys/types.h>

// Starts a program as the leader of a session on a new terminal. Returns the terminal's other end, or -1.
int test_spawn_on_terminal(const char *path, char *const argv[], char *const envp[], pid_t *pid);

// Starts a program with every signal blocked, SIGPIPE, SIGTERM and SIGHUP ignored, descriptors 7 and 9 open
// on /dev/null, and stdout on 'output'. Returns the process id, or -1.
pid_t test_spawn_in_disorder(const char *path, char *const argv[], char *const envp[], int output);

#endif
