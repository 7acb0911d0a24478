// SPDX-License-Identifier: GPL-2.0-only
#include "program/xen_child.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "carriers/xen/xen.h"
#include "program/xen_parent.h"

/* The parent has much to do, but waits for nobody */
#define ANSWER_MS	5000

static struct child *the_child;
static struct task_lock asking;
static uint32_t number;

static void note(json_t *notes)
{
	child_say(json_pack("{s:o}", "note", notes));
}

/* Answers to questions that were given up are thrown away. */
static int receive(int sock, uint64_t deadline)
{
	struct device_answer answer;
	int device = -1, ret;

	while (!(ret = task_wait_fd(sock, EV_READ, deadline))) {
		ssize_t n = sock_receive(sock, &answer, sizeof(answer), &device, 1, NULL);

		if (n < 0 && errno == EAGAIN)
			continue;
		if (n == sizeof(answer) && answer.number == number)
			return device >= 0 ? device : -(answer.error ?: EIO);
		if (device >= 0)
			close(device);
		device = -1;
		if (n != sizeof(answer))
			return -ECONNRESET;
	}
	return ret;
}

static int ask(bool grants)
{
	struct device_request request = { ++number, grants };
	int sock = the_child->guest;

	if (sock < 0)
		return -ENOTCONN;
	if (sock_send(sock, &request, sizeof(request), NULL, 0) != sizeof(request))
		return -errno;
	return receive(sock, loop_now_ms() + ANSWER_MS);
}

static int device(bool grants)
{
	int ret;

	if (task_here())
		task_lock(&asking);
	else if (!task_trylock(&asking))
		return -EBUSY;
	ret = ask(grants);
	task_unlock(&asking);
	return ret;
}

static const struct carrier_xen_ops ops = {
	.note = note,
	.device = device,
	.over = child_guest_over,
};

/* Another parent gets its end of another socket at which devices are asked for. */
static int meets(struct child *child)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return -errno;
	if (child->guest >= 0)
		close(child->guest);
	child->guest = pair[0];
	return pair[1];
}

int xen_child_serve(struct child *child, unsigned int domid, struct errmsg *err)
{
	the_child = child;
	child->meets = meets;
	child->met = carrier_xen_note_again;
	if (child_hear("xen", carrier_xen_hear))
		return errmsg_set(err, "the parent does not say what there is to serve");
	return carrier_xen_serve(domid, &ops, err);
}
