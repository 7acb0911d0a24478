/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the types of vhost-user devices differ in, and the user's options.
 */
#ifndef MSGD_VHOST_USER_KIND_H
#define MSGD_VHOST_USER_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"
#include "vhost_user/msg.h"

struct vu_options;

/**
 * enum vu_resume - how requests survive the backend, or this process
 * @VU_RESUME_NEVER: the backend knows things that are lost with it
 * @VU_RESUME_IDLE: if there were none when it went
 * @VU_RESUME_REPEAT: they are done in order, so the used ring tells which are not
 *	done, and the one that was being done may be done again
 */
enum vu_resume {
	VU_RESUME_NEVER,
	VU_RESUME_IDLE,
	VU_RESUME_REPEAT,
};

/**
 * struct vu_kind - a type of device
 * @name: of it
 * @id: VIRTIO_ID_*, 0: the option id= says
 * @queues: that it has, at least
 * @many: it can have more, as many as the option queues= and the backend say
 * @unserved: queues after those that the backend serves; nothing comes on them
 * @queue_size: largest queue, unless the option queue-size= says another
 * @config_sizes: config space of the type's versions, newest first, up to 0
 * @config_features: features that say that a field of config space is filled
 * @needs_config: what to do about a backend that has none, for a type that needs it
 * @not_offered: features that a backend may offer, but that the frontend would
 *	have to take part in
 * @resume: when a backend that comes back can go on where the other one left off,
 *	without a record of requests in flight
 * @keeps_config: what the driver writes to config space is the frontend's to
 *	accept, if it is what is there
 * @options: ask for the type's own options; NULL: none
 * @adjust_config: fill in what is the frontend's in config space
 */
struct vu_kind {
	const char *name;
	uint32_t id;
	unsigned int queues;
	bool many;
	unsigned int unserved;
	uint32_t queue_size;
	uint32_t config_sizes[6];
	uint64_t config_features;
	const char *needs_config;
	uint64_t not_offered;
	enum vu_resume resume;
	bool keeps_config;
	int (*options)(struct vu_options *opts, struct params *params, struct errmsg *err);
	void (*adjust_config)(const struct vu_options *opts, unsigned int queues,
			      uint8_t *config, uint32_t size);
};

/**
 * struct vu_options - what the user chose
 * @kind: type of device
 * @id: VIRTIO_ID_*
 * @path: the backend's socket
 * @queues: how many, 0: what the backend has
 * @min_queues: that the backend has to have
 * @queue_size: largest size of a queue
 * @reconnect_s: how long a driver's requests wait for a backend to come back
 * @answer_s: how long an answer of the backend is waited for
 * @ring_reset: VIRTIO_F_RING_RESET is offered
 * @features: that the options add to those of the backend
 * @filled: those of the type's config_features whose fields @config has
 * @config_sizes: to be tried, newest first, up to 0
 * @config: config space by the options, for backends that have none
 * @config_size: its size
 */
struct vu_options {
	const struct vu_kind *kind;
	uint32_t id;
	char *path;
	unsigned int queues;
	unsigned int min_queues;
	uint32_t queue_size;
	unsigned int reconnect_s;
	unsigned int answer_s;
	bool ring_reset;
	uint64_t features;
	uint64_t filled;
	uint32_t config_sizes[6];
	uint8_t config[VU_MAX_CONFIG];
	uint32_t config_size;
};

/* The type called @name, NULL if there is none */
const struct vu_kind *vu_kind_find(const char *name);
/* Names of all types, for messages */
void vu_kind_names(char *text, unsigned int size);
/* Fill in @opts for @kind; -1 with @err set, nothing to free then */
int vu_options_parse(struct vu_options *opts, const struct vu_kind *kind, struct params *params,
		     struct errmsg *err);
void vu_options_free(struct vu_options *opts);

#endif
