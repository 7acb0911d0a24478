// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the backend asks of the frontend, on a socket of its own.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "vhost_user/internal.h"

/* Messages looked at in one turn of the loop: others want a turn, too */
#define TURN	16

static int answer(struct vhost_user *vu, bool ok)
{
	struct vu_msg reply;

	reply.request = vu->backend_conn.in.request;
	reply.flags = VU_VERSION | VU_REPLY;
	reply.size = sizeof(reply.u64);
	reply.u64 = !ok;
	/* A backend that asks and does not listen: nobody waits for it */
	return vu_conn_send(&vu->backend_conn, &reply, NULL, 0, 0);
}

/* One request: 0, or -errno if the channel is of no use any more */
static int serve(struct vhost_user *vu)
{
	const struct vu_msg *in = &vu->backend_conn.in;
	bool known = in->request == VU_BACKEND_CONFIG_CHANGE_MSG && !in->size &&
		     vu_has(vu, VU_PROTOCOL_F_CONFIG);

	if (in->flags & VU_REPLY)
		return -EPROTO;
	if (!known)
		log_limited(&vu->dev.log, "vhost-user %s: request %u of the backend, %u bytes, is not known",
			    vu->options.path, in->request, in->size);
	if (in->flags & VU_NEED_REPLY && vu_has(vu, VU_PROTOCOL_F_REPLY_ACK)) {
		int ret = answer(vu, known);

		if (ret)
			return ret;
	}
	if (known)
		vu_config_changed(vu);
	return 0;
}

/* Not in the middle of what is being asked on the other socket */
static void misbehaves(struct vhost_user *vu, const char *why)
{
	if (!vu_busy(vu)) {
		vu_give_up(vu, why);
		return;
	}
	vu_backend_req_close(vu);
	vu->nonsense = why;
	vu_tidy_later(vu);
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;
	unsigned int i;
	int ret = 0;

	(void)fd;
	(void)what;
	for (i = 0; i < TURN; i++) {
		ret = vu_conn_poll(&vu->backend_conn);
		if (!ret)
			return;
		if (ret > 0)
			ret = serve(vu);
		if (ret)
			break;
		/* Asking for the config may have ended the connection */
		if (vu->backend_conn.fd < 0)
			return;
		vu_conn_next(&vu->backend_conn);
	}
	if (ret == -ECONNRESET)
		vu_backend_req_close(vu);
	else if (ret)
		misbehaves(vu, "the backend's requests are nonsense");
}

int vu_backend_req_open(struct vhost_user *vu)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends))
		return -errno;
	vu->backend_readable = event_new(loop, ends[0], EV_READ | EV_PERSIST, readable, vu);
	if (!vu->backend_readable) {
		close(ends[0]);
		close(ends[1]);
		return -ENOMEM;
	}
	vu_conn_init(&vu->backend_conn, ends[0]);
	vu->backend_end = ends[1];
	event_add(vu->backend_readable, NULL);
	return 0;
}

void vu_backend_req_close(struct vhost_user *vu)
{
	if (vu->backend_readable)
		event_free(vu->backend_readable);
	vu->backend_readable = NULL;
	vu_conn_close(&vu->backend_conn);
	if (vu->backend_end >= 0)
		close(vu->backend_end);
	vu->backend_end = -1;
}
