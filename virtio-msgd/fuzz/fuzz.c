// SPDX-License-Identifier: GPL-2.0-only
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Longer than any limit of the log, or a wait: no run is seen in the next one */
#define MS_BETWEEN_RUNS	(3600 * 1000)

/* From a connection to an answer it takes less */
#define ROUNDS	6

bool (*fuzz_peer)(void);

static uint64_t now_ms = MS_BETWEEN_RUNS;

/*
 * Input
 */

const uint8_t *take_bytes(struct input *in, size_t *len)
{
	const uint8_t *at = in->at;

	if (*len > in->left)
		*len = in->left;
	in->at += *len;
	in->left -= *len;
	return at;
}

static uint64_t take(struct input *in, size_t len)
{
	uint64_t value = 0;
	const uint8_t *at = take_bytes(in, &len);

	if (len)
		memcpy(&value, at, len);
	return value;
}

uint8_t take8(struct input *in)
{
	return take(in, 1);
}

uint16_t take16(struct input *in)
{
	return take(in, 2);
}

uint32_t take32(struct input *in)
{
	return take(in, 4);
}

uint64_t take64(struct input *in)
{
	return take(in, 8);
}

uint64_t take_edge(struct input *in)
{
	static const uint64_t edges[] = {
		0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000000, 1ULL << 63, UINT64_MAX,
	};
	const uint8_t num = sizeof(edges) / sizeof(edges[0]);
	uint8_t choice = take8(in);

	if (choice == UINT8_MAX)
		return take64(in);
	return choice < UINT8_MAX - num ? choice : edges[UINT8_MAX - 1 - choice];
}

char *take_line(struct input *in)
{
	const uint8_t *end = in->left ? memchr(in->at, '\n', in->left) : NULL;
	size_t len = end ? (size_t)(end - in->at) : in->left;
	char *line = strndup((const char *)take_bytes(in, &len), len);

	take8(in);
	fuzz_check(line);
	return line;
}

/*
 * Time, which goes by only as the harness says. All that is asked for it, or waits,
 * libevent included, comes here. The time of day is libFuzzer's own, which sees by it
 * that a run hangs.
 */

int clock_gettime(clockid_t id, struct timespec *ts);
int poll(struct pollfd *fds, nfds_t num, int timeout);
int epoll_wait(int fd, struct epoll_event *events, int max, int timeout);
ssize_t getrandom(void *to, size_t len, unsigned int flags);

int clock_gettime(clockid_t id, struct timespec *ts)
{
	if (id == CLOCK_REALTIME)
		return syscall(SYS_clock_gettime, id, ts);
	ts->tv_sec = now_ms / 1000;
	ts->tv_nsec = now_ms % 1000 * 1000000;
	return 0;
}

/* For @timeout ms, -1: for ever, which nothing may: nobody will ever come */
static void waited(int ret, int timeout)
{
	if (ret)
		return;
	fuzz_check(timeout >= 0);
	now_ms += timeout;
}

int poll(struct pollfd *fds, nfds_t num, int timeout)
{
	static const struct timespec none;
	int ret;

	do {
		ret = syscall(SYS_ppoll, fds, num, &none, NULL, 0);
	} while (!ret && timeout && fuzz_peer && fuzz_peer());
	waited(ret, timeout);
	return ret;
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	int ret;

	do {
		ret = syscall(SYS_epoll_pwait, fd, events, max, 0, NULL, 0);
	} while (!ret && timeout && fuzz_peer && fuzz_peer());
	waited(ret, timeout);
	return ret;
}

ssize_t getrandom(void *to, size_t len, unsigned int flags)
{
	(void)flags;
	memset(to, 0x5a, len);
	return len;
}

void fuzz_pass(unsigned int ms)
{
	unsigned int round;

	now_ms += ms;
	/* What goes on and on, but gives others their turn, is not in the way of what is next */
	for (round = 0; round < ROUNDS; round++)
		event_base_loop(loop, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/*
 * Sockets
 */

int fuzz_listen(struct fuzz_address *where)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*where = (struct fuzz_address) { { .sun_family = AF_UNIX }, sizeof(where->un) };
	fuzz_check(fd >= 0);
	fuzz_check(!bind(fd, (struct sockaddr *)&where->un, sizeof(where->un.sun_family)));
	fuzz_check(!getsockname(fd, (struct sockaddr *)&where->un, &where->len));
	fuzz_check(!listen(fd, 8));
	return fd;
}

void fuzz_connect(const struct fuzz_address *where, int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	fuzz_check(*fd >= 0);
	if (connect(*fd, (struct sockaddr *)&where->un, where->len)) {
		close(*fd);
		*fd = -1;
	}
}

void fuzz_pair(int *ends)
{
	fuzz_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
}

void fuzz_send(int fd, const void *data, size_t len, const int *fds, unsigned int num)
{
	if (len && sock_send(fd, data, len, fds, num) < 0)
		return;
}

int fuzz_drain(int fd)
{
	char bytes[4096];
	int total = 0;
	ssize_t got;

	while ((got = sock_receive(fd, bytes, sizeof(bytes), NULL, 0, NULL)) > 0)
		total += got;
	return total || (got < 0 && errno == EAGAIN) ? total : -1;
}

int fuzz_memfd(size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	fuzz_check(fd >= 0 && !ftruncate(fd, size));
	return fd;
}

/*
 * Runs
 */

void fuzz_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
	abort();
}

/* The lowest number that is free: the same after a run that closed what it opened */
static int free_fd(void)
{
	int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

void __attribute__((weak)) fuzz_setup(void)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	signal(SIGPIPE, SIG_IGN);
	/* What descriptors are counted against is there, whatever this was started with */
	if (fcntl(STDIN_FILENO, F_GETFD) < 0)
		open("/dev/null", O_RDONLY);
	loop = event_base_new();
	fuzz_check(loop);
	fuzz_setup();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = { data, len };
	int fds = free_fd();

	fuzz_peer = NULL;
	fuzz_one(&in);
	fuzz_peer = NULL;
	/* libevent frees its buffers in its own time, and task_finish() looks at the clock */
	fuzz_pass(20);
	log_end();
	fuzz_check(!event_base_get_num_events(loop, EVENT_BASE_COUNT_ADDED |
					      EVENT_BASE_COUNT_ACTIVE));
	fuzz_check(free_fd() == fds);
	now_ms += MS_BETWEEN_RUNS;
	return 0;
}

/* So that a harness that is run by hand does as it does in a test */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1:max_allocation_size_mb=64:quarantine_size_mb=64"
	       ":detect_stack_use_after_return=1";
}
