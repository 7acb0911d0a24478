// SPDX-License-Identifier: GPL-2.0-only
/*
 * How the process of a guest begins.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "program/guests_internal.h"

void guest_make_mark(struct guest *guest, const char *sandbox)
{
	uint64_t hash = 0xcbf29ce484222325;
	unsigned int i;
	const char *c;

	for (i = 0; i <= guest->num_words; i++) {
		for (c = i < guest->num_words ? guest->words[i] : sandbox; *c; c++)
			hash = (hash ^ (uint8_t)*c) * 0x100000001b3;
		hash *= 0x100000001b3;
	}
	snprintf(guest->mark, sizeof(guest->mark), "%016llx", (unsigned long long)hash);
}

/*
 * In the new process. Descriptors are at known numbers, all others are closed; what
 * is executed is this very program, whatever has become of its file.
 */
static void execute(const struct guest *guest, int channel, int third, char *const *words)
{
	const int from[] = { channel, guest->meet, third };
	int high[3];
	sigset_t none;
	unsigned int i;

	/* Out of the way of where they shall be */
	for (i = 0; i < 3; i++)
		high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD, GUEST_FD_CHANNEL + 3);
	for (i = 0; i < 3; i++) {
		if (high[i] >= 0)
			dup2(high[i], GUEST_FD_CHANNEL + i);
	}
	close_range(GUEST_FD_CHANNEL + 3, ~0U, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", words);
	_exit(127);
}

/* The whole command line: what the parent says, and the guest's options */
static char **command_line(const struct guest *guest, const struct confinement *confinement)
{
	char **words = calloc(guest->num_words + 8, sizeof(*words));
	char *sandbox = confine_text(confinement), *own;
	unsigned int n = 0;

	if (asprintf(&own, "channel=%d%s%s,mark=%s", GUEST_FD_CHANNEL,
		     guest->meet >= 0 ? ",meet=4" : "",
		     guest->sock >= 0 || guest->domain >= 0 ? ",guest=5" : "",
		     guest->mark) < 0)
		own = NULL;
	if (!words || !sandbox || !own) {
		free(words);
		free(sandbox);
		free(own);
		return NULL;
	}
	words[n++] = (char *)"virtio-msgd";
	words[n++] = (char *)"--guest";
	words[n++] = own;
	words[n++] = (char *)"--sandbox";
	words[n++] = sandbox;
	memcpy(words + n, guest->words, guest->num_words * sizeof(*words));
	return words;
}

static void free_command_line(char **words)
{
	free(words[2]);
	free(words[4]);
	free(words);
}

/* Both ends of what it has to talk to us, two sockets of a Xen guest */
static int open_pairs(const struct guest *guest, int *channel, int *devices)
{
	int ret;

	devices[0] = -1;
	devices[1] = -1;
	if (guest->domain >= 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, devices))
		return -errno;
	if (!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, channel))
		return 0;
	ret = -errno;
	if (devices[0] >= 0) {
		close(devices[0]);
		close(devices[1]);
	}
	return ret;
}

int guest_execute(struct guest *guest, const struct confinement *confinement)
{
	char **words = command_line(guest, confinement);
	int channel[2], devices[2], ret;

	if (!words)
		return -ENOMEM;
	ret = open_pairs(guest, channel, devices);
	if (ret) {
		free_command_line(words);
		return ret;
	}
	guest->pid = fork();
	if (!guest->pid)
		execute(guest, channel[1], guest->domain >= 0 ? devices[1] : guest->sock, words);
	free_command_line(words);
	close(channel[1]);
	if (devices[1] >= 0)
		close(devices[1]);
	guest->devices = devices[0];
	if (guest->pid > 0)
		return channel[0];
	guest->pid = 0;
	close(channel[0]);
	return -EAGAIN;
}
