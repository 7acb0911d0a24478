// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way to a backend: connect, ask what it offers, and do it again when it is
 * gone. Nothing here waits.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.h"
#include "vhost_user/internal.h"

/* Until the next try: when a backend may be about to come, and when one failed */
#define RETRY_MS	100
#define RETRY_FAILED_MS	1000

#define PROTOCOL_FEATURES (BIT64(VU_PROTOCOL_F_MQ) | \
			   BIT64(VU_PROTOCOL_F_REPLY_ACK) | \
			   BIT64(VU_PROTOCOL_F_BACKEND_REQ) | \
			   BIT64(VU_PROTOCOL_F_CONFIG) | \
			   BIT64(VU_PROTOCOL_F_INFLIGHT_SHMFD) | \
			   BIT64(VU_PROTOCOL_F_RESET_DEVICE) | \
			   BIT64(VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS) | \
			   BIT64(VU_PROTOCOL_F_STATUS) | \
			   BIT64(VU_PROTOCOL_F_XEN_MMAP))

static void set_timer(struct vhost_user *vu, unsigned int ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(vu->timer, &tv);
}

static void disconnect(struct vhost_user *vu, unsigned int retry_ms)
{
	vu->state = VU_ABSENT;
	event_del(vu->timer);
	vu->conn.event = NULL;
	if (vu->readable)
		event_free(vu->readable);
	vu->readable = NULL;
	vu_conn_close(&vu->conn);
	vu_backend_req_close(vu);
	vu->config_pending = false;
	vu->config_again = false;
	vu->nonsense = NULL;
	vu->unsynced = false;
	vu->touched = false;
	vu_memory_forget(vu);
	vu_queues_forget(vu);
	if (retry_ms)
		set_timer(vu, retry_ms);
}

/* Tell the user once, until the backend was there */
static void complain(struct vhost_user *vu, const char *what)
{
	if (!vu->complained)
		log_limited(&vu->dev.log, "vhost-user %s: %s; trying again until it is there", vu->options.path,
			 what);
	vu->complained = true;
}

/*
 * Negotiation: a list of requests, each sent when the one before is answered.
 */

/* The end of a negotiation that did not lead to anything */
static void refuse(struct vhost_user *vu, const char *why)
{
	complain(vu, why);
	disconnect(vu, RETRY_FAILED_MS);
}

static int send_msg(struct vhost_user *vu, struct vu_msg *msg, enum vu_request request,
		    uint32_t size, uint32_t flags, const int *fds, unsigned int num_fds)
{
	vu_fill(msg, request, size);
	msg->flags |= flags;
	return vu_conn_send(&vu->conn, msg, fds, num_fds, vu->deadline);
}

static int send_empty(struct vhost_user *vu, enum vu_request request)
{
	struct vu_msg msg;

	return send_msg(vu, &msg, request, 0, 0, NULL, 0);
}

static int take_u64(struct vhost_user *vu, uint64_t *value)
{
	if (vu->conn.in.size != sizeof(*value))
		return -EPROTO;
	*value = vu->conn.in.u64;
	return 0;
}

static int ask_features(struct vhost_user *vu)
{
	int ret = send_empty(vu, VU_SET_OWNER);

	return ret ? ret : send_empty(vu, VU_GET_FEATURES);
}

static int take_features(struct vhost_user *vu)
{
	return take_u64(vu, &vu->features);
}

static bool protocol_wanted(const struct vhost_user *vu)
{
	return vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES);
}

static int ask_protocol(struct vhost_user *vu)
{
	return send_empty(vu, VU_GET_PROTOCOL_FEATURES);
}

static int take_protocol(struct vhost_user *vu)
{
	struct vu_msg msg;
	int ret = take_u64(vu, &vu->protocol);

	if (ret)
		return ret;
	vu->protocol &= PROTOCOL_FEATURES;
	msg.u64 = vu->protocol;
	return send_msg(vu, &msg, VU_SET_PROTOCOL_FEATURES, sizeof(msg.u64), 0, NULL, 0);
}

static bool queue_num_wanted(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_MQ);
}

static int ask_queue_num(struct vhost_user *vu)
{
	return send_empty(vu, VU_GET_QUEUE_NUM);
}

static int take_queue_num(struct vhost_user *vu)
{
	return take_u64(vu, &vu->max_queues);
}

static bool mem_slots_wanted(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
}

static int ask_mem_slots(struct vhost_user *vu)
{
	return send_empty(vu, VU_GET_MAX_MEM_SLOTS);
}

static int take_mem_slots(struct vhost_user *vu)
{
	return take_u64(vu, &vu->mem_slots);
}

static bool backend_req_wanted(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_BACKEND_REQ);
}

/* Without REPLY_ACK the answer to another request says that it was processed. */
static enum vu_request backend_req_answer(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_REPLY_ACK) ? VU_SET_BACKEND_REQ_FD : VU_GET_FEATURES;
}

static int ask_backend_req(struct vhost_user *vu)
{
	bool ack = vu_has(vu, VU_PROTOCOL_F_REPLY_ACK);
	struct vu_msg msg;
	int ret = vu_backend_req_open(vu);

	if (ret)
		return ret;
	ret = send_msg(vu, &msg, VU_SET_BACKEND_REQ_FD, 0, ack ? VU_NEED_REPLY : 0,
		       &vu->backend_end, 1);
	close(vu->backend_end);
	vu->backend_end = -1;
	return ret || ack ? ret : send_empty(vu, VU_GET_FEATURES);
}

static int take_backend_req(struct vhost_user *vu)
{
	uint64_t value;
	int ret = take_u64(vu, &value);

	if (!ret && vu_has(vu, VU_PROTOCOL_F_REPLY_ACK) && value)
		ret = -EREMOTEIO;
	return ret;
}

static uint32_t size_to_try(const struct vhost_user *vu)
{
	return vu->options.config_sizes[vu->size_try];
}

static bool config_wanted(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_CONFIG) && size_to_try(vu);
}

static int ask_config(struct vhost_user *vu)
{
	return vu_config_ask(vu, size_to_try(vu));
}

/* How large config space is nobody says: try, from the newest size down. */
static int take_config(struct vhost_user *vu)
{
	if (!vu_config_take(vu, size_to_try(vu)))
		return 0;
	vu->size_try++;
	if (size_to_try(vu))
		return -EAGAIN;
	return vu->options.config_size ? 0 : -EREMOTEIO;
}

/**
 * struct step - of the negotiation
 * @wanted: whether it applies to what is known so far; NULL: always
 * @ask: send the request
 * @take: look at the reply in conn.in; -EAGAIN: ask again
 * @request: what it is the reply to, 0: what backend_req_answer() says
 */
static const struct step {
	bool (*wanted)(const struct vhost_user *vu);
	int (*ask)(struct vhost_user *vu);
	int (*take)(struct vhost_user *vu);
	enum vu_request request;
} steps[] = {
	{ NULL, ask_features, take_features, VU_GET_FEATURES },
	{ protocol_wanted, ask_protocol, take_protocol, VU_GET_PROTOCOL_FEATURES },
	{ queue_num_wanted, ask_queue_num, take_queue_num, VU_GET_QUEUE_NUM },
	{ mem_slots_wanted, ask_mem_slots, take_mem_slots, VU_GET_MAX_MEM_SLOTS },
	{ backend_req_wanted, ask_backend_req, take_backend_req, 0 },
	{ config_wanted, ask_config, take_config, VU_GET_CONFIG },
};

#define NUM_STEPS (sizeof(steps) / sizeof(steps[0]))

static void negotiation_failed(struct vhost_user *vu, int ret)
{
	refuse(vu, ret == -ECONNRESET || ret == -EPIPE ? "the backend closes the connection" :
	       ret == -EREMOTEIO ? "the backend refuses to be set up" :
	       ret == -ETIMEDOUT ? "the backend does not answer in time (answer=)" :
	       ret == -EPROTO ? "the backend answers nonsense" : strerror(-ret));
}

/* Whether what a driver has to find in config space is known; tell the user if not */
static bool check_config(struct vhost_user *vu)
{
	const struct vu_options *opts = &vu->options;
	uint64_t empty = vu->features & opts->kind->config_features & ~opts->filled;
	char why[160];

	if (vu_has(vu, VU_PROTOCOL_F_CONFIG) && vu->config_size)
		return true;
	if (!opts->config_size && opts->kind->needs_config) {
		snprintf(why, sizeof(why), "the backend has no config space: %s",
			 opts->kind->needs_config);
		refuse(vu, why);
		return false;
	}
	if (empty)
		log_limited(&vu->dev.log, "vhost-user %s: the backend has no config space: its features %#llx are not offered",
			    opts->path, (unsigned long long)empty);
	return true;
}

/* Everything is known: is it good for a device? */
static void negotiated(struct vhost_user *vu)
{
	const char *why;

	event_del(vu->timer);
	if (!(vu->features & BIT64(VIRTIO_F_VERSION_1))) {
		refuse(vu, "the backend does not offer VIRTIO_F_VERSION_1");
		return;
	}
	if (vu->max_queues && vu->max_queues < vu->options.min_queues) {
		refuse(vu, "the backend has too few queues");
		return;
	}
	if (!vu_memory_possible(vu, &why)) {
		refuse(vu, why);
		return;
	}
	if (!check_config(vu))
		return;
	if (vu->complained)
		log_limited(&vu->dev.log, "vhost-user %s: the backend is there", vu->options.path);
	vu->complained = false;
	vu->state = VU_READY;
	vu_came(vu);
}

static void negotiate(struct vhost_user *vu)
{
	int ret;

	while (vu->step < NUM_STEPS && steps[vu->step].wanted && !steps[vu->step].wanted(vu))
		vu->step++;
	if (vu->step == NUM_STEPS) {
		negotiated(vu);
		return;
	}
	ret = steps[vu->step].ask(vu);
	if (ret)
		negotiation_failed(vu, ret);
}

static void reply_arrived(struct vhost_user *vu)
{
	const struct step *step = &steps[vu->step];
	int ret = -EPROTO;

	vu->silent = false;
	vu->unfinished = false;
	if (vu_is_reply(&vu->conn, step->request ? step->request : backend_req_answer(vu)))
		ret = step->take(vu);
	if (ret && ret != -EAGAIN) {
		negotiation_failed(vu, ret);
		return;
	}
	vu_conn_next(&vu->conn);
	if (!ret)
		vu->step++;
	negotiate(vu);
}

/* Until the end of a connection that was given up nothing that comes counts. */
static void linger(struct vhost_user *vu)
{
	char trash[4096];
	ssize_t n = recv(vu->conn.fd, trash, sizeof(trash), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	disconnect(vu, RETRY_MS);
	vu_went(vu, "the backend let go of it", false);
}

static void readable(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;
	int ret;

	(void)fd;
	(void)what;
	if (vu->state == VU_LINGERING) {
		linger(vu);
		return;
	}
	ret = vu_conn_poll(&vu->conn);
	if (!ret)
		return;
	if (vu->state == VU_NEGOTIATING) {
		if (ret < 0)
			negotiation_failed(vu, ret);
		else
			reply_arrived(vu);
	} else if (ret == -ECONNRESET) {
		vu_lost(vu);
	} else if (ret > 0 && vu->config_pending) {
		vu_config_arrived(vu);
	} else {
		vu_give_up(vu, "the backend says what nobody asked");
	}
}

static void connect_backend(struct vhost_user *vu)
{
	struct errmsg err;
	int fd = sock_connect(vu->options.path, &err);

	if (fd < 0) {
		complain(vu, err.text);
		set_timer(vu, RETRY_MS);
		return;
	}
	vu_conn_init(&vu->conn, fd);
	vu->readable = event_new(loop, fd, EV_READ | EV_PERSIST, readable, vu);
	if (!vu->readable) {
		refuse(vu, "out of memory");
		return;
	}
	event_add(vu->readable, NULL);
	vu->conn.event = vu->readable;
	vu->state = VU_NEGOTIATING;
	vu->step = 0;
	vu->size_try = 0;
	vu->protocol = 0;
	vu->max_queues = 0;
	vu->mem_slots = 0;
	vu->config_size = 0;
	vu_begin(vu);
	set_timer(vu, vu->silent ? RETRY_FAILED_MS : vu->options.answer_s * 1000);
	negotiate(vu);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;

	(void)fd;
	(void)what;
	if (vu->state == VU_ABSENT)
		connect_backend(vu);
	else if (vu->state == VU_NEGOTIATING) {
		vu->silent = true;
		negotiation_failed(vu, -ETIMEDOUT);
	}
	else if (vu->state == VU_READY && vu->config_pending && vu_busy(vu))
		set_timer(vu, RETRY_MS);	/* whoever waits sees to it */
	else if (vu->state == VU_READY && vu->config_pending)
		vu_give_up(vu, "the backend does not answer GET_CONFIG");
}

int vu_connect_init(struct vhost_user *vu)
{
	vu_conn_init(&vu->conn, -1);
	vu_conn_init(&vu->backend_conn, -1);
	vu->backend_end = -1;
	vu->timer = evtimer_new(loop, on_timer, vu);
	return vu->timer ? 0 : -ENOMEM;
}

void vu_connect_start(struct vhost_user *vu)
{
	connect_backend(vu);
}

void vu_connect_stop(struct vhost_user *vu)
{
	disconnect(vu, 0);
}

void vu_connect_free(struct vhost_user *vu)
{
	if (vu->timer)
		event_free(vu->timer);
}

void vu_lost(struct vhost_user *vu)
{
	disconnect(vu, RETRY_MS);
	vu_went(vu, "the backend closed the connection", true);
}

void vu_give_up(struct vhost_user *vu, const char *why)
{
	bool in_use = vu_queues_running(vu) || vu_memory_granted(vu);

	log_limited(&vu->dev.log, "vhost-user %s: %s: the connection is given up", vu->options.path, why);
	if (!in_use || shutdown(vu->conn.fd, SHUT_WR)) {
		disconnect(vu, RETRY_FAILED_MS);
	} else {
		vu->state = VU_LINGERING;
		event_del(vu->timer);
		vu->config_pending = false;
		vu_backend_req_close(vu);
	}
	vu_went(vu, why, false);
}
