// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the backend, and the wait for what it says to them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vhost_user/internal.h"

static const char *const request_names[] = {
	[VU_GET_FEATURES] = "GET_FEATURES",
	[VU_SET_FEATURES] = "SET_FEATURES",
	[VU_SET_OWNER] = "SET_OWNER",
	[VU_SET_MEM_TABLE] = "SET_MEM_TABLE",
	[VU_SET_VRING_NUM] = "SET_VRING_NUM",
	[VU_SET_VRING_ADDR] = "SET_VRING_ADDR",
	[VU_SET_VRING_BASE] = "SET_VRING_BASE",
	[VU_GET_VRING_BASE] = "GET_VRING_BASE",
	[VU_SET_VRING_KICK] = "SET_VRING_KICK",
	[VU_SET_VRING_CALL] = "SET_VRING_CALL",
	[VU_SET_VRING_ERR] = "SET_VRING_ERR",
	[VU_GET_PROTOCOL_FEATURES] = "GET_PROTOCOL_FEATURES",
	[VU_SET_PROTOCOL_FEATURES] = "SET_PROTOCOL_FEATURES",
	[VU_GET_QUEUE_NUM] = "GET_QUEUE_NUM",
	[VU_SET_VRING_ENABLE] = "SET_VRING_ENABLE",
	[VU_SET_BACKEND_REQ_FD] = "SET_BACKEND_REQ_FD",
	[VU_GET_CONFIG] = "GET_CONFIG",
	[VU_SET_CONFIG] = "SET_CONFIG",
	[VU_GET_INFLIGHT_FD] = "GET_INFLIGHT_FD",
	[VU_SET_INFLIGHT_FD] = "SET_INFLIGHT_FD",
	[VU_RESET_DEVICE] = "RESET_DEVICE",
	[VU_GET_MAX_MEM_SLOTS] = "GET_MAX_MEM_SLOTS",
	[VU_ADD_MEM_REG] = "ADD_MEM_REG",
	[VU_REM_MEM_REG] = "REM_MEM_REG",
	[VU_SET_STATUS] = "SET_STATUS",
	[VU_GET_STATUS] = "GET_STATUS",
};

/* How long one is waited for that did not answer in time before, until it does */
#define SILENT_MS	1000

/* A request failed: what that means for the connection. Returns @ret. */
static int failed(struct vhost_user *vu, enum vu_request request, int ret)
{
	char why[96];

	if (ret == -ECONNRESET || ret == -EPIPE) {
		vu_lost(vu);
		return ret;
	}
	if (ret == -ETIMEDOUT) {
		vu->silent = true;
		snprintf(why, sizeof(why), "the backend does not answer %s in %u s (answer=)",
			 request_names[request], vu->options.answer_s);
	} else {
		snprintf(why, sizeof(why), "the backend %s %s",
			 ret == -EREMOTEIO ? "refuses" : "answers nonsense to",
			 request_names[request]);
	}
	vu_give_up(vu, why);
	return ret;
}

void vu_begin(struct vhost_user *vu)
{
	/* The driver waits for all that its request makes us ask */
	vu->deadline = task_since() + (vu->silent ? SILENT_MS : vu->options.answer_s * 1000);
}

void vu_fill(struct vu_msg *msg, enum vu_request request, uint32_t size)
{
	msg->request = request;
	msg->flags = VU_VERSION;
	msg->size = size;
}

bool vu_is_reply(const struct vu_conn *conn, enum vu_request request)
{
	return conn->in.request == request && conn->in.flags & VU_REPLY;
}

/* The next message from the backend that is not about something else */
static int wait_reply(struct vhost_user *vu, enum vu_request request)
{
	int ret;

	for (;;) {
		ret = vu_conn_wait(&vu->conn, vu->deadline);
		if (ret < 0)
			return ret;
		vu->silent = false;
		if (!vu->config_pending)
			return vu_is_reply(&vu->conn, request) ? 0 : -EPROTO;
		vu_config_arrived(vu);
		if (vu->state != VU_READY)
			return -ENOTCONN;
	}
}

static int wait_ack(struct vhost_user *vu, enum vu_request request)
{
	uint64_t result;
	int ret = wait_reply(vu, request);

	if (ret)
		return ret;
	if (vu->conn.in.size != sizeof(result))
		return -EPROTO;
	result = vu->conn.in.u64;
	vu_conn_next(&vu->conn);
	return result ? -EREMOTEIO : 0;
}

int vu_set(struct vhost_user *vu, struct vu_msg *msg, enum vu_request request, uint32_t size,
	   const int *fds, unsigned int num_fds)
{
	bool ack = vu_has(vu, VU_PROTOCOL_F_REPLY_ACK);
	int ret;

	if (vu->state != VU_READY)
		return -ENOTCONN;
	vu_fill(msg, request, size);
	if (ack)
		msg->flags |= VU_NEED_REPLY;
	else
		vu->unsynced = true;
	ret = vu_conn_send(&vu->conn, msg, fds, num_fds, vu->deadline);
	if (!ret && ack)
		ret = wait_ack(vu, request);
	if (!ret || vu->state != VU_READY)
		return ret;
	/* What these ask for is for the backend to decide */
	if (ret == -EREMOTEIO && (request == VU_SET_FEATURES || request == VU_SET_CONFIG))
		return ret;
	return failed(vu, request, ret);
}

int vu_set_u64(struct vhost_user *vu, enum vu_request request, uint64_t value)
{
	struct vu_msg msg;

	msg.u64 = value;
	return vu_set(vu, &msg, request, sizeof(msg.u64), NULL, 0);
}

int vu_set_state(struct vhost_user *vu, enum vu_request request, uint32_t index, uint32_t num)
{
	struct vu_msg msg;

	msg.state.index = index;
	msg.state.num = num;
	return vu_set(vu, &msg, request, sizeof(msg.state), NULL, 0);
}

int vu_get(struct vhost_user *vu, struct vu_msg *msg, enum vu_request request, uint32_t size,
	   uint32_t min, uint32_t max, int *fd)
{
	int ret;

	if (vu->state != VU_READY)
		return -ENOTCONN;
	vu_fill(msg, request, size);
	ret = vu_conn_send(&vu->conn, msg, NULL, 0, vu->deadline);
	if (!ret)
		ret = wait_reply(vu, request);
	if (!ret && (vu->conn.in.size < min || vu->conn.in.size > max))
		ret = -EPROTO;
	if (ret)
		return vu->state == VU_READY ? failed(vu, request, ret) : ret;

	/* It does what is asked in the order it was asked */
	vu->unsynced = false;
	memcpy(msg, &vu->conn.in, VU_HEADER_SIZE + vu->conn.in.size);
	if (fd) {
		*fd = vu->conn.in_fd;
		vu->conn.in_fd = -1;
	}
	vu_conn_next(&vu->conn);
	return 0;
}

int vu_get_u64(struct vhost_user *vu, enum vu_request request, uint64_t *value)
{
	struct vu_msg msg;
	int ret = vu_get(vu, &msg, request, 0, sizeof(*value), sizeof(*value), NULL);

	if (!ret)
		*value = msg.u64;
	return ret;
}

int vu_sync(struct vhost_user *vu)
{
	uint64_t features;

	if (!vu->unsynced)
		return vu->state == VU_READY ? 0 : -ENOTCONN;
	return vu_get_u64(vu, VU_GET_FEATURES, &features);
}
