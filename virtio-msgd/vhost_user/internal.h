/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device in another process: the frontend of vhost-user.
 *
 * device.c: the device as the model sees it; negotiate.c: features, queues, status;
 * connect.c: the way to a backend; resume.c: and back to it, with a driver at work;
 * call.c: requests; config.c: config space; queue.c: virtqueues; memory.c: guest memory;
 * inflight.c: the record of requests; backend_req.c: what the backend asks; kind.c:
 * device types and options; conn.c: the socket.
 *
 * In an op of the device requests are sent and their replies waited for, in a task and
 * for as long as the option answer= says. What the backend does meanwhile on its own
 * (a config change, nonsense) is seen to afterwards (vu_busy()), without a wait.
 */
#ifndef MSGD_VHOST_USER_INTERNAL_H
#define MSGD_VHOST_USER_INTERNAL_H

#include <event2/event.h>
#include <linux/virtio_config.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/model.h"
#include "base/base.h"
#include "vhost_user/conn.h"
#include "vhost_user/kind.h"

#define BIT64(n)	(1ULL << (n))

/**
 * enum vu_state - of the connection
 * @VU_ABSENT: there is none; the next try is timed
 * @VU_NEGOTIATING: the backend is being asked what it offers
 * @VU_READY: it serves, or waits for a driver
 * @VU_LINGERING: given up while the backend served queues: nothing is sent any
 *	more, but until the backend closes its end (at the latest by dying) it may
 *	use the guest's memory, so no reset succeeds
 */
enum vu_state {
	VU_ABSENT,
	VU_NEGOTIATING,
	VU_READY,
	VU_LINGERING,
};

/**
 * struct vu_table - regions of memory
 * @regions: those
 * @num: how many
 */
struct vu_table {
	struct vu_region *regions;
	unsigned int num;
};

/**
 * struct vu_queue - a virtqueue at the backend
 * @kick: eventfd that tells the backend of new buffers; -1: queue is not set up
 * @call: eventfd by which it tells of used ones
 * @called: reads @call, unless the carrier does
 * @running: the backend was told to serve it
 * @base: where it began, as it was told
 */
struct vu_queue {
	int kick;
	int call;
	struct event *called;
	bool running;
	uint32_t base;
};

/**
 * struct vu_offer - what the backend of this connection offers to a driver
 * @features: feature bits
 * @num_queues: queues
 * @config_size: size of config space
 * @config_reported: changes of config space are reported
 */
struct vu_offer {
	uint64_t features;
	unsigned int num_queues;
	uint32_t config_size;
	bool config_reported;
};

/**
 * struct vu_config_writes - what the driver wrote to config space
 * @data: the bytes
 * @len: of the latest write that began at that offset, 0: none did
 */
struct vu_config_writes {
	uint8_t data[VU_MAX_CONFIG];
	uint16_t len[VU_MAX_CONFIG];
};

/**
 * struct vhost_user - the device
 * @dev: first
 * @options: what the user chose
 * @queues: as many as dev.queues has room for
 *
 * The connection:
 * @state: of it
 * @conn: the backend's socket
 * @readable: something arrived at @conn
 * @timer: next try to connect, or the end of waiting for a reply
 * @deadline: of the op, or negotiation, in progress
 * @step: of the negotiation
 * @size_try: which size of config space is being tried
 * @nonsense: what the backend did while an op was under way, for which the
 *	connection is given up then; NULL: nothing
 * @silent: the backend did not answer in time, and has not since
 * @unfinished: it stopped a queue and did not finish its requests in time
 * @complained: the user was told that the backend is missing
 * @backend_conn: the other socket, for the backend's requests
 * @backend_readable: something arrived at it
 * @backend_end: the backend's end of it, while it is being sent
 *
 * What the backend said:
 * @features: its feature bits
 * @protocol: protocol features in force
 * @max_queues: how many queues it has, 0: did not say
 * @mem_slots: how many memory regions it takes
 * @config: its config space, or that of the options
 * @config_size: how much of @config it has, 0: none
 * @config_pending: GET_CONFIG was sent and is not answered yet
 * @config_again: it has to be sent again when it is
 *
 * What was done with it:
 * @unsynced: something was sent that it may not have processed
 * @touched: it knows of a driver: has to be reset for the next
 * @to_start: queues to come until the device is started
 * @written: to its config space since the driver reset the device
 * @table: the guest's memory as the backend has it
 * @shared: memory.generation of that, valid while num_regions
 * @inflight: description of its record of requests in flight
 * @inflight_fd: that record, -1: none
 * @error: eventfd by which it says that a queue is broken
 * @failed: reads @error
 *
 * Without it:
 * @waiting: the driver is at work and the backend is to come back
 * @resume_wanted: it is there
 * @grace: how long
 * @resumed: when one came back last
 * @resumes: how often it did, without staying or completing a request
 * @stuck: the driver tried in vain to reset the device, or a queue
 * @users: tasks that have it, while it is destroyed
 * @destroyed: the last of them is to free it
 * @tidy_waits: there is a task for @tidy that has not got the slot's lock yet
 * @tidy: make what the driver sees agree with what is there
 */
struct vhost_user {
	struct device dev;
	struct vu_options options;
	struct vu_queue *queues;

	enum vu_state state;
	struct vu_conn conn;
	struct event *readable;
	struct event *timer;
	uint64_t deadline;
	unsigned int step;
	unsigned int size_try;
	const char *nonsense;
	bool silent;
	bool unfinished;
	bool complained;
	struct vu_conn backend_conn;
	struct event *backend_readable;
	int backend_end;

	uint64_t features;
	uint64_t protocol;
	uint64_t max_queues;
	uint64_t mem_slots;
	uint8_t config[VU_MAX_CONFIG];
	uint32_t config_size;
	bool config_pending;
	bool config_again;

	bool unsynced;
	bool touched;
	unsigned int to_start;
	struct vu_config_writes written;
	struct vu_table table;
	uint64_t shared;
	struct vu_inflight inflight;
	int inflight_fd;
	int error;
	struct event *failed;

	bool waiting;
	bool resume_wanted;
	struct event *grace;
	uint64_t resumed;
	unsigned int resumes;
	bool stuck;
	unsigned int users;
	bool destroyed;
	bool tidy_waits;
	struct event *tidy;
};

static inline struct vhost_user *to_vhost_user(struct device *dev)
{
	return (struct vhost_user *)dev;
}

static inline bool vu_has(const struct vhost_user *vu, enum vu_protocol_feature bit)
{
	return vu->protocol & BIT64(bit);
}

static inline bool vu_packed(const struct vhost_user *vu)
{
	return device_features(&vu->dev) & BIT64(VIRTIO_F_RING_PACKED);
}

/*
 * Nobody uses the device, or who did has given it up: said so, or tried to reset
 * it in vain.
 */
static inline bool vu_unused(const struct vhost_user *vu)
{
	uint8_t status = vu->dev.slot ? vu->dev.slot->status : 0;

	return !status || status & VIRTIO_CONFIG_S_FAILED || vu->stuck;
}

/*
 * negotiate.c
 */

#define VU_STATUS_FEATURES	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
				 VIRTIO_CONFIG_S_FEATURES_OK)

/* Queues of the device that the backend serves: the first ones */
unsigned int vu_num_backend_queues(const struct vhost_user *vu);
struct vu_offer vu_offered(const struct vhost_user *vu);
/* The driver sees the device as it is offered. */
bool vu_published(const struct vhost_user *vu, const struct vu_offer *offer);
/* Let it see the device. */
void vu_publish(struct vhost_user *vu);
/* What the backend is to know of the features that the driver accepted */
uint64_t vu_backend_features(const struct vhost_user *vu, uint64_t accepted);
int vu_send_features(struct vhost_user *vu, uint64_t accepted);
/* The backend's status, where it has one: it has to agree to @status. */
int vu_set_status(struct vhost_user *vu, uint8_t status);

/*
 * connect.c
 */

/* Begin to look for a backend, for as long as it takes */
int vu_connect_init(struct vhost_user *vu);
void vu_connect_start(struct vhost_user *vu);
/* Close everything and stop looking */
void vu_connect_stop(struct vhost_user *vu);
void vu_connect_free(struct vhost_user *vu);
/* The backend closed the connection: it has let go of everything. */
void vu_lost(struct vhost_user *vu);
/* The backend does not do what it should: have no more to do with it. */
void vu_give_up(struct vhost_user *vu, const char *why);

/*
 * resume.c
 */

/* The backend is there, and can be used; it came, or it went. */
void vu_came(struct vhost_user *vu);
void vu_went(struct vhost_user *vu, const char *why, bool may_return);
/* If the backend went now, the driver's requests could wait for the next one. */
bool vu_resumable(struct vhost_user *vu);
/* Go on with the backend that came, if that was wanted. In a task, with the slot locked. */
void vu_resume(struct vhost_user *vu);
/* Nothing waits for the next backend any more. */
void vu_resume_end(struct vhost_user *vu);
/* It was waited for long enough; a timer's callback, @arg: the device */
void vu_grace_over(evutil_socket_t fd, short what, void *arg);

/*
 * device.c
 */

/* An op is under way: the connection is not to be touched. */
bool vu_busy(const struct vhost_user *vu);
/* Look again at what had to wait, as soon as that is possible. */
void vu_tidy_later(struct vhost_user *vu);

/*
 * call.c. The backend has to be VU_READY. When it does not answer as
 * it should the connection is given up, with one exception: -EREMOTEIO says that
 * it refused, in order.
 */

/* An op begins, and may wait for what is left of the backend's limit (task_since()). */
void vu_begin(struct vhost_user *vu);
/*
 * Send a request that has no reply of its own; with REPLY_ACK wait until it was
 * processed. @size: of the payload in @msg.
 */
int vu_set(struct vhost_user *vu, struct vu_msg *msg, enum vu_request request, uint32_t size,
	   const int *fds, unsigned int num_fds);
int vu_set_u64(struct vhost_user *vu, enum vu_request request, uint64_t value);
int vu_set_state(struct vhost_user *vu, enum vu_request request, uint32_t index, uint32_t num);
/*
 * Send a request that has a reply, which replaces @msg if it has from @min to @max
 * bytes of payload. @fd: gets the descriptor that comes with it, or -1; or NULL.
 */
int vu_get(struct vhost_user *vu, struct vu_msg *msg, enum vu_request request, uint32_t size,
	   uint32_t min, uint32_t max, int *fd);
int vu_get_u64(struct vhost_user *vu, enum vu_request request, uint64_t *value);
/* Wait until the backend has processed all that was sent. */
int vu_sync(struct vhost_user *vu);
/* Header of a request */
void vu_fill(struct vu_msg *msg, enum vu_request request, uint32_t size);
/* Whether the message that arrived is the reply to @request */
bool vu_is_reply(const struct vu_conn *conn, enum vu_request request);

/*
 * config.c
 */

/* GET_CONFIG of @size bytes, without waiting for the reply */
int vu_config_ask(struct vhost_user *vu, uint32_t size);
/* Look at the reply that has arrived: 0, or -EREMOTEIO if the backend cannot */
int vu_config_take(struct vhost_user *vu, uint32_t size);
/* The backend says that config space changed. */
void vu_config_changed(struct vhost_user *vu);
/* The reply to the request that followed from it has arrived. */
void vu_config_arrived(struct vhost_user *vu);
int vu_config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len);
int vu_config_write(struct device *dev, uint32_t offset, const void *buf, uint32_t len);
/* Write to a backend that came back what the driver wrote to the last one. */
int vu_config_rewrite(struct vhost_user *vu);
/* The device is reset: what was written counts no more. */
void vu_config_forget(struct vhost_user *vu);

/*
 * queue.c
 */

/* Start from the beginning, or where a backend that is gone left off */
int vu_queue_start(struct vhost_user *vu, unsigned int q, bool resume);
/* @base: gets where the backend was, -1 if it cannot be asked any more; or NULL */
int vu_queue_stop(struct vhost_user *vu, unsigned int q, int64_t *base);
void vu_queue_kick(struct vhost_user *vu, unsigned int q);
/* Free what the queue has here, whatever the backend does. */
void vu_queue_close(struct vhost_user *vu, unsigned int q);
bool vu_queues_running(const struct vhost_user *vu);
/* All requests that the driver made are completed */
bool vu_queues_idle(struct vhost_user *vu);
/* Some were completed since the backend was told where to begin (split rings) */
bool vu_queues_moved(struct vhost_user *vu);
void vu_queues_forget(struct vhost_user *vu);

/*
 * memory.c
 */

/* Whether this backend can have this guest's memory; @why if not */
bool vu_memory_possible(const struct vhost_user *vu, const char **why);
/* Give the backend the guest's memory, if it has not got it. */
int vu_memory_share(struct vhost_user *vu);
/* It has memory that the guest granted, and may have it mapped. */
bool vu_memory_granted(const struct vhost_user *vu);
/* Granted rings: have it let go of those of queues that are not enabled any more. */
int vu_memory_trim(struct vhost_user *vu);
/* Have it let go of the memory, as far as the protocol has words for that. */
int vu_memory_unshare(struct vhost_user *vu);
/* It is gone, and has none any more. */
void vu_memory_forget(struct vhost_user *vu);
/* The address to name @addr of the guest by; 0: there is none */
uint64_t vu_memory_user_addr(const struct vhost_user *vu, uint64_t addr);

/*
 * inflight.c
 */

/* Get, or hand back, the record of requests in flight. */
int vu_inflight_share(struct vhost_user *vu);
void vu_inflight_drop(struct vhost_user *vu);
/* Where to go on in a packed ring; *base stays if the last backend did not begin */
int vu_inflight_packed_base(struct vhost_user *vu, unsigned int q, uint32_t *base);

/*
 * backend_req.c
 */

/* A channel for the backend's requests: 0, with the other end in backend_end */
int vu_backend_req_open(struct vhost_user *vu);
void vu_backend_req_close(struct vhost_user *vu);

#endif
