/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio device as the device model sees it.
 *
 * The model (model.h) answers the driver: features, status, queues, config
 * generation. A device does the work: built in (i2c.c, rng.c) or in another
 * process (vhost-user). The model calls a device through its device_ops, the
 * device tells the model what happened with the device_* functions below.
 *
 * There are no threads, and an op does not block, with one exception: @reset,
 * @queue_stop, @queue_suspend, @features_ok, @start, @queue_start, @config_read
 * and @config_write of a device with device.waits may wait for another process,
 * by task_wait_fd() and in bounded time. A device whose other half did not answer
 * by then gives up on it, takes the memory away from it (closes the socket) and
 * calls device_broken(). Meanwhile slot.lock is held: no other op but @kick and
 * @shm is called. What such a device does on its own, and calls device_arrive(),
 * device_leave() or waits, it does in a task that has that lock.
 */
#ifndef MSGD_DEVICE_H
#define MSGD_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/base.h"

#define DEVICE_MAX_QUEUES	256
#define DEVICE_QUEUE_MAX_SIZE	32768

struct device;
struct memory;
struct slot;

/**
 * struct device_queue - a virtqueue
 * @max_size: largest size the driver may choose, 0: there is no such queue.
 *	The device sets it, before it is plugged in; the rest is the model's
 * @size: the size the driver chose
 * @enabled: the driver set the queue up and did not reset it since
 * @started: the device serves it (between queue_start and queue_stop)
 * @kicked: the driver notified while that was about to begin
 * @resume: it was served before, by a virtio-msgd that ended: go on after the
 *	last request that the used ring has, instead of with the first
 * @base: with @resume, where that one's device was when it stopped, as its
 *	queue_suspend said; -1 if it did not
 * @desc: guest address of the descriptor area
 * @driver: guest address of the driver area (available ring)
 * @device: guest address of the device area (used ring)
 */
struct device_queue {
	uint32_t max_size;
	uint32_t size;
	bool enabled;
	bool started;
	bool kicked;
	bool resume;
	int64_t base;
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
};

/**
 * struct device_ops - what a device can do; all may be NULL
 * @config_read: copy @len bytes of config space from @offset; the range was
 *	checked against config_size. 0 or -errno, then the driver gets no response
 * @config_write: the driver's write, to be applied whole or not at all.
 *	0, or -errno if it was not applied. NULL: config space is read only
 * @features_ok: the driver accepted @features, a subset of those offered
 *	(VIRTIO_F_ACCESS_PLATFORM may be among them, see device_features()).
 *	False: FEATURES_OK does not stick
 * @start: DRIVER_OK was set. Called before queue_start of the queues that are
 *	enabled by then, so that a device can look at all of them at once
 * @queue_start: serve queue @q: it is enabled and DRIVER_OK is set. An error
 *	breaks the device (DEVICE_NEEDS_RESET)
 * @queue_stop: stop serving queue @q and let go of its rings and buffers,
 *	before it returns. An error: it could not be stopped, the driver is told
 *	by getting no response, and the device is broken
 * @queue_suspend: stop serving queue @q as well, because this process ends and
 *	leaves the driver to another one: the rings stay as they are. Where the
 *	next one is to go on: the next entry of the available ring or, for a packed
 *	ring, what vhost-user's VRING_BASE is; -errno if that cannot be told. NULL:
 *	the ring tells it all
 * @kick: the driver made buffers available in queue @q, which is started.
 *	@data is the notification data if VIRTIO_F_NOTIFICATION_DATA was
 *	negotiated, otherwise the queue's index
 * @reset: all queues are stopped; forget what the driver negotiated. 0: done.
 *	-EAGAIN: not yet, call again (the model does when the driver asks for the
 *	status, which until then does not read 0). Any other error: it cannot be
 *	reset, the status stays as it is with DEVICE_NEEDS_RESET
 * @shm: where shared memory region @id is; false if there is none
 * @attached: the device was given a place (device.home). It calls
 *	device_arrive() as soon as it can serve a driver: at once, or when its
 *	other half is there. NULL: at once
 * @set: change what the user chose, while the device may be in use: takes what it
 *	knows from @params, as when it was created, and refuses the rest
 *	(params_unknown()) before it changes anything. 0, or -1 with @err set
 * @unplugged: the device was taken out of its slot; its queues are stopped
 * @destroy: free the device, which is in no slot any more
 */
struct device_ops {
	int (*config_read)(struct device *dev, uint32_t offset, void *buf,
			   uint32_t len);
	int (*config_write)(struct device *dev, uint32_t offset,
			    const void *buf, uint32_t len);
	bool (*features_ok)(struct device *dev, uint64_t features);
	int (*start)(struct device *dev);
	int (*queue_start)(struct device *dev, unsigned int q);
	int (*queue_stop)(struct device *dev, unsigned int q);
	int64_t (*queue_suspend)(struct device *dev, unsigned int q);
	void (*kick)(struct device *dev, unsigned int q, uint32_t data);
	int (*reset)(struct device *dev);
	bool (*shm)(struct device *dev, uint32_t id, uint64_t *addr,
		    uint64_t *len);
	void (*attached)(struct device *dev);
	int (*set)(struct device *dev, struct params *params, struct errmsg *err);
	void (*unplugged)(struct device *dev);
	void (*destroy)(struct device *dev);
};

/**
 * struct device - a virtio device, embedded in what implements it
 * @ops: what it can do
 * @name: for messages to the user, e.g. "i2c"
 * @id: virtio device ID (VIRTIO_ID_*)
 * @vendor: vendor ID
 * @uuid: all zero: none
 * @features: what the device offers. The model adds VIRTIO_F_VERSION_1 and,
 *	where the carrier translates addresses, VIRTIO_F_ACCESS_PLATFORM
 * @config_size: size of config space in bytes
 * @config_reported: the device learns of each change of its config space before
 *	the driver can see it and calls device_config_changed() first; only then
 *	may the driver cache config
 * @waits: its ops may wait, see above
 * @num_queues: queues 0 to num_queues - 1 exist; may be less than what
 *	@queues has room for
 * @queues: @num_queues of them, see device_init()
 * @home: the slot that the user gave it, or NULL
 * @slot: where it is plugged in, or NULL: no driver can see it
 * @log: of what it says, or its other half causes
 *
 * A device keeps to these values while it is in a slot; only config space and
 * what the device_* functions report changes.
 */
struct device {
	const struct device_ops *ops;
	const char *name;
	uint32_t id;
	uint32_t vendor;
	uint8_t uuid[16];
	uint64_t features;
	uint32_t config_size;
	bool config_reported;
	bool waits;
	unsigned int num_queues;
	struct device_queue *queues;
	struct slot *home;
	struct slot *slot;
	struct log_limit log;
};

/**
 * struct device_kind - makes devices
 * @name: what device=NAME says
 * @create: a new device, not yet in a window; asks @params for what it
 *	understands (params_unknown() is the caller's). NULL with @err set
 */
struct device_kind {
	const char *name;
	struct device *(*create)(struct params *params, struct errmsg *err);
};

/* Allocate @num_queues queues of @max_size; 0 or -ENOMEM, -EINVAL. */
int device_init(struct device *dev, const struct device_ops *ops,
		const char *name, uint32_t id, unsigned int num_queues,
		uint32_t max_size);
/* Free what device_init() allocated. */
void device_release(struct device *dev);

/*
 * What a device calls. All are harmless on a device that is in no slot.
 */

/*
 * Become visible to the driver in its slot, with the id, features,
 * config_size and queues that are filled in by now; and go away from it again
 * (queues are stopped, the driver is told). Calling twice is harmless.
 */
void device_arrive(struct device *dev);
void device_leave(struct device *dev);

/* Queue @q has used buffers and the driver wants to know: raise the interrupt. */
void device_used(struct device *dev, unsigned int q);

/*
 * Config space has changed, not by the driver's own SET_CONFIG. Call it in the
 * same callback that makes the change readable through config_read, and before
 * anything else from which the driver could learn of the change (used buffers
 * of a control queue): the generation is raised first, then the driver is told.
 */
void device_config_changed(struct device *dev);

/*
 * The device cannot go on until it is reset: DEVICE_NEEDS_RESET. Its queues are
 * not kicked any more; queue_stop and reset are still called. @why is for the
 * log, one line.
 */
void device_broken(struct device *dev, const char *why);

/* What the driver accepted; 0 before FEATURES_OK */
uint64_t device_features(const struct device *dev);

/* DRIVER_OK is set and the device is not broken */
bool device_live(const struct device *dev);

/* The guest's memory; NULL outside a window */
struct memory *device_memory(const struct device *dev);

/*
 * Ways around this process, where the carrier has them: false if it has not.
 *
 * device_ioeventfd(): from now on the guest's notify of queue @q signals @fd;
 * @kick is not called. Without it, @kick is where to signal the fd. With
 * @fd -1 the assignment ends; queue_stop does that before anything else.
 * device_irqfd(): signals on @fd raise the guest's interrupt (never clear it).
 * Without it, read the fd in the event loop and call device_used().
 */
bool device_ioeventfd(struct device *dev, unsigned int q, int fd);
bool device_irqfd(struct device *dev, unsigned int q, int fd);

#endif
