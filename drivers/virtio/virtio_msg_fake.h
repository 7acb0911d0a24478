/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: what the KUnit tests play with
 *
 * Three fakes: a device, which answers messages and works through virtqueues
 * the way the specification says; a virtio driver for it; a bus between the
 * core and such devices. The fakes are honest and count what the driver side
 * does wrong. A test that needs something dishonest changes it in a hook.
 */
#ifndef _VIRTIO_MSG_FAKE_H
#define _VIRTIO_MSG_FAKE_H

#include <kunit/test.h>
#include <linux/spinlock.h>
#include <linux/virtio.h>
#include <linux/virtio_msg.h>

/* Made-up IDs, which no driver of the kernel matches */
#define VMT_DEVICE_ID		0x7e57
#define VMT_VENDOR_ID		0x7e573d

#define VMT_MAX_VQS		8
#define VMT_MAX_BLOCKS		8
#define VMT_MAX_CONFIG		512
#define VMT_MAX_DEVICES		8
/* Messages that a log keeps; all are counted */
#define VMT_LOG			512

/* Device features the fakes know, for want of a real device type */
#define VMT_F_ZERO		0
#define VMT_F_ONE		1

/* The device */

struct vmt_vq {
	u32 max_size;
	u32 size;
	bool enabled;
	u64 desc;
	u64 driver;
	u64 device;
	/* how far the device side has worked through the rings */
	u16 next;
	bool wrap;
};

/*
 * struct vmt_device - the device side of a device
 * @reset_polls: how many times the status still reads as before after a reset
 * @refuse_features: does not take FEATURES_OK
 * @strict: refuses SET_CONFIG with a stale generation
 * @refuse_config: does not apply SET_CONFIG
 * @lying: a test makes it answer wrongly, what the driver side makes of that
 *	is not a violation
 * @violations: requests that break a rule of the driver side
 * @notified: notifications, by virtqueue
 */
struct vmt_device {
	struct virtio_msg_info info;
	u32 features[VMT_MAX_BLOCKS];
	u32 driver_features[VMT_MAX_BLOCKS];
	u8 config[VMT_MAX_CONFIG];
	u32 generation;
	u32 status;
	u64 shm_addr;
	u64 shm_len;
	struct vmt_vq vqs[VMT_MAX_VQS];

	unsigned int reset_polls;
	bool refuse_features;
	bool strict;
	bool refuse_config;
	bool lying;

	unsigned int resets;
	unsigned int violations;
	const char *violation;
	unsigned int notified[VMT_MAX_VQS];
	u32 notify_data[VMT_MAX_VQS];
};

void vmt_device_init(struct vmt_device *dev);
void vmt_set_feature(struct vmt_device *dev, unsigned int bit);
bool vmt_accepted(const struct vmt_device *dev, unsigned int bit);
int vmt_device_answer(struct vmt_device *dev,
		      const struct virtio_msg_header *request,
		      struct virtio_msg_header *response, size_t max);
void vmt_device_notified(struct vmt_device *dev, u32 data);
unsigned int vmt_device_work(struct vmt_device *dev, unsigned int index);

/* The driver */

/*
 * struct vmt_queue - a virtqueue as its driver sees it
 * @sent: buffers added
 * @done: buffers that came back
 * @calls: calls of the virtqueue's callback
 * @errors: buffers that came back in the wrong order
 */
struct vmt_queue {
	struct virtqueue *vq;
	spinlock_t lock;	/* as every driver has to */
	unsigned long sent;
	unsigned long done;
	unsigned int calls;
	unsigned int errors;
	u8 data[8];
};

/*
 * struct vmt_driver - a virtio driver
 * @num_vqs: how many virtqueues it asks for
 * @gap: the virtqueue it has no use for, or -1
 * @no_reset: does not reset the device when probe fails
 * @on_probe: called in probe, with virtqueues, before DRIVER_OK
 * @on_config: called when config changed, any context
 * @on_callback: called at the end of a virtqueue's callback, any context
 * @vdev: the device it is bound to
 */
struct vmt_driver {
	struct virtio_driver drv;
	struct virtio_device_id ids[2];
	unsigned int features[2];
	bool registered;

	unsigned int num_vqs;
	int gap;
	int freeze_err;
	int (*on_probe)(struct vmt_driver *drv, struct virtio_device *vdev);
	void (*on_remove)(struct vmt_driver *drv, struct virtio_device *vdev);
	void (*on_config)(struct vmt_driver *drv, struct virtio_device *vdev);
	void (*on_callback)(struct vmt_driver *drv, struct virtqueue *vq);
	void *priv;

	struct virtio_device *vdev;
	struct vmt_queue queues[VMT_MAX_VQS];
	int find_err;
	unsigned int probes;
	unsigned int removes;
	unsigned int freezes;
	unsigned int restores;
	atomic_t config_changes;
};

struct vmt_driver *vmt_driver_alloc(struct kunit *test, u32 device_id,
				    unsigned int num_vqs);
int vmt_driver_register(struct vmt_driver *drv);
void vmt_driver_unregister(struct vmt_driver *drv);
int vmt_find_vqs(struct vmt_driver *drv, struct virtio_device *vdev);
int vmt_send(struct vmt_driver *drv, unsigned int index);
bool vmt_kick(struct vmt_driver *drv, unsigned int index);

/* The bus */

/*
 * struct vmt_message - a message as the bus carried it
 */
struct vmt_message {
	union {
		struct virtio_msg_header hdr;
		struct virtio_msg_features features;
		struct virtio_msg_config config;
		struct virtio_msg_status status;
		struct virtio_msg_set_vqueue set_vqueue;
		u8 raw[VIRTIO_MSG_SIZE_RECOMMENDED];
	};
};

/*
 * struct vmt_bus - a bus with devices behind it
 * @before: called with a request, before it is answered. Under @lock.
 * @after: called with the honest answer; may change it and what transfer
 *	returns. Under @lock.
 * @on_enter: called before a message is carried, without a lock
 * @on_leave: called after a message was carried, without a lock
 * @on_notify: called for each notification
 * @peek: there is a status block to peek at
 * @cacheable: config may be cached
 * @atomic: the last message was sent from where nobody may sleep
 */
struct vmt_bus {
	struct virtio_msg_bus bus;
	struct kunit *test;
	spinlock_t lock;	/* puts messages in order */
	bool registered;
	struct vmt_device *devices[VMT_MAX_DEVICES];

	void (*before)(struct vmt_bus *fb, const struct virtio_msg_header *req);
	int (*after)(struct vmt_bus *fb, const struct virtio_msg_header *req,
		     struct vmt_message *resp, int err);
	void (*on_enter)(struct vmt_bus *fb, const struct virtio_msg_header *req);
	void (*on_leave)(struct vmt_bus *fb, const struct virtio_msg_header *req);
	void (*on_notify)(struct vmt_bus *fb, struct virtqueue *vq, u32 data);
	int (*on_arrive)(struct vmt_bus *fb);
	int enable_err;
	bool peek;
	bool cacheable;
	void *priv;

	bool atomic;
	unsigned int messages;
	unsigned int counts[2][VIRTIO_MSG_ID_EVENT];
	struct vmt_message *log;
	unsigned int violations;
	const char *violation;
	int events;
	unsigned int enables;
	unsigned int syncs;
	unsigned int arrives;
	atomic_t notifies;
};

#define to_vmt_bus(_bus) container_of(_bus, struct vmt_bus, bus)

struct vmt_bus *vmt_bus_alloc(struct kunit *test);
struct vmt_device *vmt_bus_add_device(struct vmt_bus *fb, u16 dev_num);
int vmt_bus_register(struct vmt_bus *fb);
void vmt_bus_unregister(struct vmt_bus *fb);
void vmt_bus_forget(struct vmt_bus *fb);
struct virtio_msg_device *vmt_vmdev(struct vmt_bus *fb, u16 dev_num);
void vmt_settle(struct vmt_bus *fb, u16 dev_num);
void vmt_rescan(struct vmt_bus *fb);
void vmt_bus_check(struct vmt_bus *fb);

/* What most tests want: a bus, a device on it, a driver for that */

struct vmt_fixture {
	struct vmt_bus *fb;
	struct vmt_device *dev;
	struct vmt_driver *drv;
};

int vmt_fixture_init(struct kunit *test);
void vmt_fixture_exit(struct kunit *test);
struct virtio_msg_device *vmt_start(struct kunit *test);
int vmt_rebind(struct virtio_device *vdev);
void vmt_expect_works(struct kunit *test, unsigned int num_vqs);

/* Messages of one kind since the last vmt_bus_forget() */
static inline unsigned int vmt_count(const struct vmt_bus *fb, u8 msg_id)
{
	return fb->counts[0][msg_id];
}

#endif /* _VIRTIO_MSG_FAKE_H */
