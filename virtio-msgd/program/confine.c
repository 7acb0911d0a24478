// SPDX-License-Identifier: GPL-2.0-only
#include "program/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct confinement confinement_default = {
	.filter = true,
	.memory = 4ULL << 30,
	.files = 4096,
};

int confine_params(struct confinement *conf, struct params *params, struct errmsg *err)
{
	const char *user = params_get(params, "user");
	uint64_t mib = conf->memory >> 20;

	if (params_bool(params, "filter", &conf->filter, err) ||
	    params_number(params, "memory", 64, 1 << 20, &mib, err) ||
	    params_number(params, "files", 64, 1 << 20, &conf->files, err))
		return -1;
	conf->memory = mib << 20;
	if (!user)
		return 0;
	if (!getpwnam(user))
		return errmsg_set(err, "user=%.100s: there is no such user", user);
	free(conf->user);
	conf->user = strdup(user);
	return conf->user ? 0 : errmsg_set(err, "out of memory");
}

char *confine_text(const struct confinement *conf)
{
	char *text;
	int ret;

	ret = asprintf(&text, "filter=%s,memory=%llu,files=%llu%s%s", conf->filter ? "on" : "off",
		       (unsigned long long)conf->memory >> 20, (unsigned long long)conf->files,
		       conf->user ? ",user=" : "", conf->user ?: "");
	return ret < 0 ? NULL : text;
}

static int limit(int resource, uint64_t most)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit))
		return -1;
	/* Never more than there was */
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > most)
		limit.rlim_max = most;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit);
}

static int set_limits(const struct confinement *conf)
{
	/* The core of a process has its guest's memory in it */
	if (limit(RLIMIT_CORE, 0) || limit(RLIMIT_NOFILE, conf->files))
		return -1;
#ifdef __SANITIZE_ADDRESS__
	return 0;	/* its shadow is memory, too */
#else
	return limit(RLIMIT_DATA, conf->memory);
#endif
}

static int become(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw) {
		errno = ENOENT;
		return -1;
	}
	/* Those of a user who already is the one need no rights */
	if (geteuid() == pw->pw_uid)
		return 0;
	return initgroups(user, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid) ? -1 : 0;
}

/* Root's word is law for files of root only, but for the backends' sockets. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };
	unsigned int cap;

	if (syscall(SYS_capget, &header, data))
		return -1;
	for (cap = 0; cap <= CAP_LAST_CAP; cap++) {
		/* Fails for those that this kernel does not know, or who may not */
		if (cap != CAP_DAC_OVERRIDE)
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	}
	data[0].permitted &= 1U << CAP_DAC_OVERRIDE;
	data[0].effective = data[0].permitted;
	data[0].inheritable = 0;
	data[1] = (struct __user_cap_data_struct) { 0 };
	return syscall(SYS_capset, &header, data);
}

/*
 * System calls
 */

/* Without regard to what they are called with */
static const int calls[] = {
	/* descriptors; fcntl() is below */
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(close),
	SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat), SCMP_SYS(fstatat64),
	SCMP_SYS(statx), SCMP_SYS(eventfd2), SCMP_SYS(dup), SCMP_SYS(dup3), SCMP_SYS(pipe2),
	/* waiting */
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(nanosleep), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(futex), SCMP_SYS(restart_syscall),
	/* sockets; socket() is below */
	SCMP_SYS(connect), SCMP_SYS(accept4), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(shutdown), SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	/* memory; mmap() and mprotect() are below */
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(mincore),
	/* time, signals, who one is, the end */
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(sched_yield),
	SCMP_SYS(getrusage), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

#ifdef __SANITIZE_ADDRESS__
/* What the sanitizers do at the end, and when they have something to say */
static const int sanitizer_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(open), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(ptrace),
	SCMP_SYS(clone), SCMP_SYS(wait4), SCMP_SYS(prctl), SCMP_SYS(getdents), SCMP_SYS(getdents64),
	SCMP_SYS(kill), SCMP_SYS(getppid), SCMP_SYS(prlimit64), SCMP_SYS(sched_getaffinity),
	SCMP_SYS(tkill), SCMP_SYS(mprotect), SCMP_SYS(ioctl), SCMP_SYS(uname),
	SCMP_SYS(process_vm_readv),
};
#endif

static int allow(scmp_filter_ctx ctx, const int *numbers, size_t num)
{
	size_t i;
	int ret;

	for (i = 0; i < num; i++) {
		/* Some are not there on every architecture */
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, numbers[i], 0);
		if (ret && ret != -EDOM)
			return ret;
	}
	return 0;
}

/*
 * Not with F_SETOWN and F_SETSIG: who has a socket says with them which signal any process
 * of the same user gets when something arrives there, without kill().
 */
static int allow_fcntl(scmp_filter_ctx ctx)
{
	static const int numbers[] = { SCMP_SYS(fcntl), SCMP_SYS(fcntl64) };
	static const int commands[] = {
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GET_SEALS,
	};
	size_t i, j;
	int ret;

	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		for (j = 0; j < sizeof(commands) / sizeof(commands[0]); j++) {
			ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, numbers[i], 1,
					       SCMP_A1(SCMP_CMP_EQ, commands[j]));
			if (ret && ret != -EDOM)
				return ret;
		}
	}
	return 0;
}

/* Those of Xen's devices only: others do to a socket what fcntl() may not */
static int allow_xen_ioctl(scmp_filter_ctx ctx)
{
	/* privcmd, evtchn and gntdev */
	static const char types[] = { 'P', 'E', 'G' };
	size_t i;
	int ret = 0;

	for (i = 0; i < sizeof(types) && !ret; i++)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, _IOC_TYPEMASK << _IOC_TYPESHIFT,
					       types[i] << _IOC_TYPESHIFT));
	return ret;
}

/* No code from data, no other kind of socket, no signal but the one that says "abort" */
static int allow_some(scmp_filter_ctx ctx, bool xen)
{
	static const int maps[] = { SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect) };
	size_t i;
	int ret;

	for (i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, maps[i], 1,
				       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
		if (ret && ret != -EDOM)
			return ret;
	}
	ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			       SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	/* For the requests of backends */
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
	if (!ret)
		ret = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_EQ, getpid()));
	if (!ret && xen)
		ret = allow_xen_ioctl(ctx);
	return ret;
}

static int load_filter(bool xen)
{
	/* What fails is told; a library that can do without goes on. */
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int ret;

	if (!ctx)
		return -ENOMEM;
	ret = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!ret)
		ret = allow(ctx, calls, sizeof(calls) / sizeof(calls[0]));
#ifdef __SANITIZE_ADDRESS__
	if (!ret)
		ret = allow(ctx, sanitizer_calls,
			    sizeof(sanitizer_calls) / sizeof(sanitizer_calls[0]));
#endif
	if (!ret)
		ret = allow_fcntl(ctx);
	if (!ret)
		ret = allow_some(ctx, xen);
	if (!ret)
		ret = seccomp_load(ctx);
	seccomp_release(ctx);
	return ret;
}

int confine(const struct confinement *conf, bool xen, struct errmsg *err)
{
	int ret;

	if (set_limits(conf))
		return errmsg_set(err, "its limits cannot be set: %s", strerror(errno));
	if (conf->user && become(conf->user))
		return errmsg_set(err, "cannot become user %s: %s", conf->user, strerror(errno));
	if (drop_capabilities())
		return errmsg_set(err, "cannot give up capabilities: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return errmsg_set(err, "cannot give up new privileges: %s", strerror(errno));
	ret = conf->filter ? load_filter(xen) : 0;
	if (ret)
		return errmsg_set(err, "the filter of system calls cannot be had: %s; see sandbox= in the manual",
				  strerror(-ret));
	return 0;
}
