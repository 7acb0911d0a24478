// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process that was confined tries what is forbidden, and what it needs. Built without
 * the sanitizers, which need some of what is forbidden and are let have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "program/confine.h"

#define CANNOT_CONFINE	100

/*
 * What @attempt() returns, once a process was confined as @conf says: 0, an errno value,
 * or the negative number of the signal that ended it
 */
static int confined_for(const struct confinement *conf, bool xen, int (*attempt)(void))
{
	struct errmsg err;
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (confine(conf, xen, &err)) {
			fprintf(stderr, "%s\n", err.text);
			_exit(CANNOT_CONFINE);
		}
		_exit(attempt());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status))
		return -WTERMSIG(status);
	assert_int_not_equal(WEXITSTATUS(status), CANNOT_CONFINE);
	return WEXITSTATUS(status);
}

static int confined(const struct confinement *conf, int (*attempt)(void))
{
	return confined_for(conf, false, attempt);
}

static int outcome(long ret)
{
	return ret < 0 ? errno : 0;
}

static int try_open(void)
{
	return outcome(openat(AT_FDCWD, "/etc/passwd", O_RDONLY));
}

static int try_create(void)
{
	return outcome(openat(AT_FDCWD, "/tmp/confined", O_RDWR | O_CREAT, 0600));
}

static int try_unlink(void)
{
	return outcome(unlink("/nonexistent"));
}

static int try_internet(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_netlink(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int try_execute(void)
{
	char *const words[] = { (char *)"true", NULL };

	return outcome(execv("/bin/true", words));
}

static int try_fork(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	return outcome(pid);
}

static int try_kill(void)
{
	return outcome(kill(getppid(), 0));
}

/* tgkill() is what abort() needs, of this process */
static int try_signal_other(void)
{
	return outcome(syscall(SYS_tgkill, 1, 1, SIGTERM));
}

/* Of another process */
static int guest_memory;

/* What arrives at a socket may be told to its owner, which is anybody */
static int try_own(void)
{
	return outcome(fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_SETOWN, getppid()));
}

static int try_choose_signal(void)
{
	return outcome(fcntl(socket(AF_UNIX, SOCK_STREAM, 0), F_SETSIG, SIGKILL));
}

/* Memory that no limit counts */
static int try_memory_file(void)
{
	return outcome(memfd_create("more", MFD_CLOEXEC));
}

static int try_truncate(void)
{
	return outcome(ftruncate(STDERR_FILENO, 0));
}

/* Where the next line goes, of whichever process */
static int try_seek(void)
{
	return outcome(lseek(guest_memory, 0, SEEK_SET));
}

static int try_ptrace(void)
{
	return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_read_other(void)
{
	return outcome(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0));
}

static int try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	       MAP_FAILED ? errno : 0;
}

static int try_make_code(void)
{
	void *data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return data == MAP_FAILED ? CANNOT_CONFINE : outcome(mprotect(data, 4096, PROT_EXEC));
}

static int try_other_user(void)
{
	return outcome(setuid(65534));
}

static int try_namespace(void)
{
	return outcome(syscall(SYS_unshare, 0));
}

static int try_ioctl(void)
{
	return outcome(syscall(SYS_ioctl, 0, 0, 0));
}

static int try_prctl(void)
{
	return outcome(prctl(PR_SET_NAME, "other", 0, 0, 0));
}

static int try_more_files(void)
{
	const struct rlimit limit = { 1 << 20, 1 << 20 };

	return outcome(setrlimit(RLIMIT_NOFILE, &limit));
}

static void test_forbidden(void **state)
{
	static const struct {
		const char *what;
		int (*attempt)(void);
	} attempts[] = {
		{ "open a file", try_open },
		{ "create a file", try_create },
		{ "remove a file", try_unlink },
		{ "socket of the internet", try_internet },
		{ "netlink", try_netlink },
		{ "execute a program", try_execute },
		{ "fork", try_fork },
		{ "kill", try_kill },
		{ "signal another process", try_signal_other },
		{ "have a signal sent to another process", try_own },
		{ "choose that signal", try_choose_signal },
		{ "make a file of memory", try_memory_file },
		{ "cut the log", try_truncate },
		{ "write over the log", try_seek },
		{ "ptrace", try_ptrace },
		{ "read another process's memory", try_read_other },
		{ "map code", try_code },
		{ "make code of data", try_make_code },
		{ "become another user", try_other_user },
		{ "another namespace", try_namespace },
		{ "ioctl", try_ioctl },
		{ "prctl", try_prctl },
		{ "raise a limit", try_more_files },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		int ret = confined(&confinement_default, attempts[i].attempt);

		if (ret != EPERM)
			print_error("%s: %d\n", attempts[i].what, ret);
		assert_int_equal(ret, EPERM);
	}
}

/* What the guest's memory, its interrupts and a backend take */
static int use_what_is_needed(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX, .sun_path = "/nonexistent" };
	int memory = fcntl(guest_memory, F_DUPFD_CLOEXEC, 0), bell = eventfd(0, EFD_CLOEXEC);
	int sock = socket(AF_UNIX, SOCK_STREAM, 0);
	const uint64_t one = 1;
	void *data;

	if (memory < 0 || bell < 0 || sock < 0 || fcntl(memory, F_GET_SEALS) < 0 ||
	    fcntl(bell, F_SETFL, fcntl(bell, F_GETFL) | O_NONBLOCK))
		return 1;
	data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
	if (data == MAP_FAILED || munmap(data, 4096))
		return 2;
	if (write(bell, &one, sizeof(one)) != sizeof(one))
		return 3;
	if (!connect(sock, (struct sockaddr *)&addr, sizeof(addr)) || errno != ENOENT)
		return 4;
	data = malloc(16 << 20);
	if (!data)
		return 5;
	memset(data, 1, 16 << 20);
	free(data);
	return 0;
}

static void test_needed(void **state)
{
	(void)state;
	assert_int_equal(confined(&confinement_default, use_what_is_needed), 0);
}

/* Xen's ioctl() is let through, and says that this is no device of Xen's. */
static int use_xen_ioctl(void)
{
	return outcome(syscall(SYS_ioctl, socket(AF_UNIX, SOCK_STREAM, 0), _IO('P', 0), 0));
}

static int try_own_by_ioctl(void)
{
	const int pid = getppid();

	return outcome(syscall(SYS_ioctl, socket(AF_UNIX, SOCK_STREAM, 0), FIOSETOWN, &pid));
}

static void test_xen(void **state)
{
	(void)state;
	assert_int_equal(confined_for(&confinement_default, true, use_xen_ioctl), ENOTTY);
	/* The parent opens what is to be opened */
	assert_int_equal(confined_for(&confinement_default, true, try_open), EPERM);
	assert_int_equal(confined_for(&confinement_default, true, try_own_by_ioctl), EPERM);
}

static int call_abort(void)
{
	abort();
}

static void test_abort(void **state)
{
	(void)state;
	assert_int_equal(confined(&confinement_default, call_abort), -SIGABRT);
}

/* Files up to the limit, and no core, which would have the guest's memory in it */
static int use_files(void)
{
	struct rlimit core;
	unsigned int num = 0;

	while (dup(0) >= 0)
		num++;
	if (errno != EMFILE || getrlimit(RLIMIT_CORE, &core) || core.rlim_max)
		return 1;
	return num < 64 ? 0 : 2;
}

static int use_memory(void)
{
	unsigned int i;

	for (i = 0; i < 128; i++) {
		if (!malloc(1 << 20))
			return 0;
	}
	return 1;
}

static void test_limits(void **state)
{
	const struct confinement conf = { .memory = 64 << 20, .files = 64 };

	(void)state;
	assert_int_equal(confined(&conf, use_files), 0);
	assert_int_equal(confined(&conf, use_memory), 0);
}

/* Without the filter capabilities are gone all the same, and no program gives them back. */
static int use_rights(void)
{
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 1;
	return setuid(65534) ? errno : 2;
}

static int read_own(void)
{
	return outcome(open("/proc/self/status", O_RDONLY));
}

static void test_without_filter(void **state)
{
	const struct confinement conf = { .memory = 1ULL << 30, .files = 4096 };

	(void)state;
	assert_int_equal(confined(&conf, read_own), 0);
	assert_int_equal(confined(&conf, use_rights), EPERM);
}

static int who_am_i(void)
{
	return getuid() == 65534 && geteuid() == 65534 && setuid(0) ? 0 : 1;
}

static void test_user(void **state)
{
	const struct confinement conf = {
		.user = (char *)"nobody",
		.memory = 1ULL << 30,
		.files = 4096,
	};

	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(confined(&conf, who_am_i), 0);
}

static int setup(void **state)
{
	(void)state;
	guest_memory = memfd_create("guest", MFD_CLOEXEC);
	return guest_memory < 0 || ftruncate(guest_memory, 4096);
}

static int teardown(void **state)
{
	(void)state;
	return close(guest_memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_needed),
		cmocka_unit_test(test_xen),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_without_filter),
		cmocka_unit_test(test_user),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
