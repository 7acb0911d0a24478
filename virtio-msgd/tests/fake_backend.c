// SPDX-License-Identifier: GPL-2.0-only
#include "fake_backend.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_user/conn.h"

#define WAIT_MS	5000

void backend_init(struct backend *b)
{
	static unsigned int number;
	unsigned int q;

	memset(b, 0, sizeof(*b));
	b->features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
	b->num_queues = BACKEND_QUEUES;
	b->conn = -1;
	b->backend_req = -1;
	b->inflight = -1;
	for (q = 0; q < BACKEND_QUEUES; q++)
		b->queues[q] = (struct backend_queue) { .kick = -1, .call = -1, .err = -1 };
	pthread_mutex_init(&b->lock, NULL);
	snprintf(b->path, sizeof(b->path), "/tmp/vu-test-%d-%u.sock", getpid(), number++);
}

static void set_fd(int *fd, int to)
{
	if (*fd >= 0)
		close(*fd);
	*fd = to;
}

static void forget_session(struct backend *b)
{
	unsigned int q;

	for (q = 0; q < BACKEND_QUEUES; q++) {
		set_fd(&b->queues[q].kick, -1);
		set_fd(&b->queues[q].call, -1);
		set_fd(&b->queues[q].err, -1);
		b->queues[q] = (struct backend_queue) { .kick = -1, .call = -1, .err = -1 };
	}
	set_fd(&b->backend_req, -1);
	set_fd(&b->inflight, -1);
	b->num_regions = 0;
	b->accepted = 0;
	b->accepted_protocol = 0;
	b->status = 0;
}

/* Whether the request has a reply of its own, now in @msg; its descriptor in *fd */
static bool answer(struct backend *b, struct vu_msg *msg, int *fd)
{
	msg->size = sizeof(msg->u64);
	switch (msg->request) {
	case VU_GET_FEATURES:
		msg->u64 = b->features;
		return true;
	case VU_GET_PROTOCOL_FEATURES:
		msg->u64 = b->protocol;
		return true;
	case VU_GET_QUEUE_NUM:
		msg->u64 = b->num_queues;
		return true;
	case VU_GET_MAX_MEM_SLOTS:
		msg->u64 = VU_MAX_REGIONS;
		return true;
	case VU_GET_STATUS:
		msg->u64 = b->status;
		return true;
	case VU_GET_VRING_BASE:
		msg->state.num = b->queues[msg->state.index % BACKEND_QUEUES].base;
		set_fd(&b->queues[msg->state.index % BACKEND_QUEUES].kick, -1);
		return true;
	case VU_GET_CONFIG:
		if (msg->config.size + msg->config.offset > b->config_size) {
			msg->size = 0;
			return true;
		}
		msg->size = VU_CONFIG_HEADER + msg->config.size;
		memcpy(msg->config.data, b->config + msg->config.offset, msg->config.size);
		return true;
	case VU_GET_INFLIGHT_FD:
		msg->size = sizeof(msg->inflight);
		msg->inflight.mmap_size = BACKEND_RECORD * msg->inflight.num_queues;
		msg->inflight.mmap_offset = 0;
		*fd = memfd_create("inflight", MFD_CLOEXEC);
		assert_int_equal(ftruncate(*fd, msg->inflight.mmap_size), 0);
		return true;
	default:
		return false;
	}
}

static void take_fd(struct vu_conn *conn, int *fd)
{
	set_fd(fd, conn->in_fd);
	conn->in_fd = -1;
}

static void take_regions(struct backend *b, const uint8_t *from, unsigned int num)
{
	uint32_t size = b->accepted_protocol & 1ULL << VU_PROTOCOL_F_XEN_MMAP ?
			VU_REGION_SIZE_XEN : VU_REGION_SIZE;
	unsigned int i;

	for (i = 0; i < num && b->num_regions < VU_MAX_REGIONS; i++)
		memcpy(&b->regions[b->num_regions++], from + i * size, size);
}

/* What the request says, kept for the test */
static void take(struct backend *b, struct vu_conn *conn)
{
	const struct vu_msg *in = &conn->in;
	struct backend_queue *queue = &b->queues[in->u64 % BACKEND_QUEUES];

	switch (in->request) {
	case VU_SET_FEATURES:
		b->accepted = in->u64;
		break;
	case VU_SET_PROTOCOL_FEATURES:
		b->accepted_protocol = in->u64;
		break;
	case VU_SET_STATUS:
		b->status = in->u64;
		break;
	case VU_SET_CONFIG:
		memcpy(b->config + in->config.offset, in->config.data, in->config.size);
		break;
	case VU_SET_MEM_TABLE:
		b->num_regions = 0;
		take_regions(b, in->regions.regions, in->regions.num);
		break;
	case VU_ADD_MEM_REG:
		take_regions(b, in->bytes + VU_REGIONS_HEADER, 1);
		break;
	case VU_REM_MEM_REG:
		b->num_regions--;
		break;
	case VU_SET_VRING_NUM:
		b->queues[in->state.index % BACKEND_QUEUES].num = in->state.num;
		break;
	case VU_SET_VRING_BASE:
		b->queues[in->state.index % BACKEND_QUEUES].base = in->state.num;
		break;
	case VU_SET_VRING_ENABLE:
		b->queues[in->state.index % BACKEND_QUEUES].enabled = in->state.num;
		break;
	case VU_SET_VRING_ADDR:
		b->queues[in->addr.index % BACKEND_QUEUES].addr = in->addr;
		break;
	case VU_SET_VRING_KICK:
		take_fd(conn, &queue->kick);
		break;
	case VU_SET_VRING_CALL:
		take_fd(conn, &queue->call);
		break;
	case VU_SET_VRING_ERR:
		take_fd(conn, &queue->err);
		break;
	case VU_SET_BACKEND_REQ_FD:
		take_fd(conn, &b->backend_req);
		break;
	case VU_SET_INFLIGHT_FD:
		take_fd(conn, &b->inflight);
		b->inflight_given = in->inflight;
		break;
	}
}

static void reply(struct vu_conn *conn, struct vu_msg *msg, int fd)
{
	msg->flags = VU_VERSION | VU_REPLY;
	vu_conn_send(conn, msg, &fd, fd >= 0, loop_now_ms() + WAIT_MS);
	if (fd >= 0)
		close(fd);
}

/* False: the connection is over. @b is locked. */
static bool misbehave(struct backend *b, struct vu_conn *conn, struct vu_msg *msg)
{
	switch (b->how) {
	case CLOSE:
		return false;
	case GARBAGE:
		memset(msg, 0xa5, sizeof(*msg));
		return send(conn->fd, msg, sizeof(*msg), MSG_NOSIGNAL) > 0;
	case OTHER:
		msg->request++;
		msg->size = sizeof(msg->u64);
		reply(conn, msg, -1);
		return true;
	case SHORT:
		msg->size = 4;
		reply(conn, msg, -1);
		return true;
	case REFUSE:
		msg->size = sizeof(msg->u64);
		msg->u64 = 1;
		reply(conn, msg, -1);
		return true;
	default:
		/* Not even that the connection ends is seen, until it may go on */
		while (b->how == HANG && !b->stop) {
			pthread_mutex_unlock(&b->lock);
			usleep(1000);
			pthread_mutex_lock(&b->lock);
		}
		return true;
	}
}

static bool serve(struct backend *b, struct vu_conn *conn)
{
	bool ack = conn->in.flags & VU_NEED_REPLY, go_on = true;
	struct vu_msg msg = conn->in;
	int fd = -1;

	if (b->delay_ms && b->when == msg.request)
		usleep(b->delay_ms * 1000);
	pthread_mutex_lock(&b->lock);
	if (b->num_log < BACKEND_LOG)
		b->log[b->num_log++] = msg.request;
	/* As libvhost-user has it, whose structure is padded */
	if ((msg.request == VU_GET_INFLIGHT_FD || msg.request == VU_SET_INFLIGHT_FD) &&
	    msg.size != 24)
		go_on = false;
	else if (b->how != BEHAVE && b->when == msg.request) {
		go_on = misbehave(b, conn, &msg);
	} else {
		take(b, conn);
		if (answer(b, &msg, &fd)) {
			reply(conn, &msg, fd);
		} else if (ack) {
			msg.u64 = 0;
			reply(conn, &msg, -1);
		}
	}
	pthread_mutex_unlock(&b->lock);
	return go_on;
}

static void serve_connection(struct backend *b, int fd)
{
	struct vu_conn conn;

	vu_conn_init(&conn, fd);
	while (vu_conn_wait(&conn, loop_now_ms() + WAIT_MS) > 0 && serve(b, &conn))
		vu_conn_next(&conn);
	pthread_mutex_lock(&b->lock);
	forget_session(b);
	b->conn = -1;
	pthread_mutex_unlock(&b->lock);
	vu_conn_close(&conn);
}

static void *run(void *arg)
{
	struct backend *b = arg;
	int fd;

	while ((fd = accept(b->listener, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&b->lock);
		b->conn = fd;
		b->connections++;
		if (b->stop)
			shutdown(fd, SHUT_RDWR);
		pthread_mutex_unlock(&b->lock);
		serve_connection(b, fd);
	}
	return NULL;
}

void backend_start(struct backend *b)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	b->stop = false;
	b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(addr.sun_path, b->path);
	assert_int_equal(bind(b->listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(b->listener, 4), 0);
	assert_int_equal(pthread_create(&b->thread, NULL, run, b), 0);
}

void backend_stop(struct backend *b)
{
	if (!b->listener)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	shutdown(b->listener, SHUT_RDWR);
	if (b->conn >= 0)
		shutdown(b->conn, SHUT_RDWR);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	close(b->listener);
	b->listener = 0;
	unlink(b->path);
}

void backend_misbehave(struct backend *b, enum misbehave how, uint32_t when)
{
	pthread_mutex_lock(&b->lock);
	b->how = how;
	b->when = when;
	pthread_mutex_unlock(&b->lock);
}

unsigned int backend_count(struct backend *b, uint32_t request)
{
	unsigned int i, count = 0;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->num_log; i++)
		count += b->log[i] == request;
	pthread_mutex_unlock(&b->lock);
	return count;
}

void backend_forget(struct backend *b)
{
	pthread_mutex_lock(&b->lock);
	b->num_log = 0;
	pthread_mutex_unlock(&b->lock);
}

void backend_change_config(struct backend *b, uint32_t offset, uint8_t value)
{
	struct vu_msg msg = {
		.request = VU_BACKEND_CONFIG_CHANGE_MSG,
		.flags = VU_VERSION | VU_NEED_REPLY,
	};

	pthread_mutex_lock(&b->lock);
	b->config[offset] = value;
	assert_int_equal(send(b->backend_req, &msg, VU_HEADER_SIZE, MSG_NOSIGNAL),
			 VU_HEADER_SIZE);
	pthread_mutex_unlock(&b->lock);
}

void backend_signal(int fd)
{
	assert_int_equal(eventfd_write(fd, 1), 0);
}

bool backend_signalled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	eventfd_t value;

	return poll(&p, 1, 0) == 1 && !eventfd_read(fd, &value);
}
