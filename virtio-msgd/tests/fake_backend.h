/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vhost-user backend for tests, in a thread of its own. It serves no requests
 * of a driver: the test reads what it was told and signals its eventfds.
 */
#ifndef TEST_FAKE_BACKEND_H
#define TEST_FAKE_BACKEND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vhost_user/msg.h"

#define BACKEND_QUEUES	4
#define BACKEND_LOG	128
/* Bytes of its record for each queue */
#define BACKEND_RECORD	8192

/**
 * enum misbehave - what the backend does instead of a proper reply
 * @BEHAVE: nothing
 * @HANG: says nothing from then on
 * @CLOSE: closes the connection
 * @GARBAGE: sends bytes that are no message
 * @OTHER: answers another request
 * @SHORT: answers with too few bytes
 * @REFUSE: acknowledges with an error
 */
enum misbehave {
	BEHAVE,
	HANG,
	CLOSE,
	GARBAGE,
	OTHER,
	SHORT,
	REFUSE,
};

struct backend_queue {
	uint32_t num;
	uint32_t base;
	struct vhost_vring_addr addr;
	int kick;
	int call;
	int err;
	bool enabled;
};

/**
 * struct backend - set the first part before backend_start(), change it with
 *	the lock held
 * @features: what it offers
 * @protocol: likewise
 * @num_queues: what GET_QUEUE_NUM says
 * @config: config space
 * @config_size: how much of it GET_CONFIG will give
 * @how: misbehaves so
 * @when: at this request
 * @delay_ms: or takes so long for it
 * @path: its socket
 * @conn: the connection, -1: none
 * @connections: how many there were
 * @accepted: features that were accepted
 * @accepted_protocol: likewise
 * @status: device status
 * @queues: what it was told of them
 * @regions: memory it has, as many as @num_regions
 * @backend_req: where it sends requests to, -1: none
 * @inflight: descriptor it was given, -1: none
 * @inflight_given: what came with it
 * @log: requests it got, in order, @num_log of them
 */
struct backend {
	uint64_t features;
	uint64_t protocol;
	unsigned int num_queues;
	uint8_t config[VU_MAX_CONFIG];
	uint32_t config_size;
	enum misbehave how;
	uint32_t when;
	unsigned int delay_ms;

	char path[64];
	pthread_mutex_t lock;
	pthread_t thread;
	int listener;
	int conn;
	unsigned int connections;
	uint64_t accepted;
	uint64_t accepted_protocol;
	uint64_t status;
	struct backend_queue queues[BACKEND_QUEUES];
	struct vu_region regions[VU_MAX_REGIONS];
	unsigned int num_regions;
	int backend_req;
	int inflight;
	struct vu_inflight inflight_given;
	uint32_t log[BACKEND_LOG];
	unsigned int num_log;
	bool stop;
};

/* A backend that offers VERSION_1 and PROTOCOL_FEATURES */
void backend_init(struct backend *b);
void backend_start(struct backend *b);
/* It ends, closes everything and removes its socket. */
void backend_stop(struct backend *b);
void backend_misbehave(struct backend *b, enum misbehave how, uint32_t when);
/* How often it got a request; and forget all requests */
unsigned int backend_count(struct backend *b, uint32_t request);
void backend_forget(struct backend *b);
/* Tell the frontend that config space changed; with an acknowledgement, or -1 */
void backend_change_config(struct backend *b, uint32_t offset, uint8_t value);
void backend_signal(int fd);
bool backend_signalled(int fd);

#endif
