/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: what the core transport and a bus expect of each other
 *
 * The core (virtio_msg.c) turns what virtio drivers do into messages. A bus
 * carries messages between the core and the device side and has nothing to do
 * with their meaning. See Documentation/driver-api/virtio/virtio_msg.rst for
 * how to write one.
 */
#ifndef _LINUX_VIRTIO_MSG_H
#define _LINUX_VIRTIO_MSG_H

#include <linux/irqreturn.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/virtio.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/virtio_msg.h>

struct irq_affinity;
struct resource;
struct virtio_msg_bus;

/* Largest message the core sends or takes; a bus may carry smaller ones */
#define VIRTIO_MSG_CORE_SIZE	VIRTIO_MSG_SIZE_RECOMMENDED
/* Largest piece of config space in one message */
#define VIRTIO_MSG_CORE_CONFIG	(VIRTIO_MSG_CORE_SIZE - sizeof(struct virtio_msg_config))

/**
 * struct virtio_msg_info - what GET_DEVICE_INFO said
 * @device_id: virtio device ID; 0 is an empty slot
 * @vendor_id: virtio vendor ID
 * @num_feature_blocks: how many 32-bit feature blocks the device has
 * @config_size: size of the config space in bytes
 * @max_virtqueues: virtqueue indices are below this
 */
struct virtio_msg_info {
	u32 device_id;
	u32 vendor_id;
	u32 num_feature_blocks;
	u32 config_size;
	u32 max_virtqueues;
};

struct virtio_msg_vqs;

/**
 * struct virtio_msg_device - a virtio device behind a message bus
 * @vdev: the virtio device; its parent is the bus's &virtio_msg_bus.parent
 * @bus: the bus it is on
 * @info: what GET_DEVICE_INFO said, does not change
 * @dev_num: its number on the bus
 *
 * The rest belongs to the core.
 */
struct virtio_msg_device {
	struct virtio_device vdev;
	struct virtio_msg_bus *bus;
	struct virtio_msg_info info;
	u16 dev_num;

	/* private: what the core knows of the device, see virtio_msg.c */
	spinlock_t lock;	/* protects generation* and config* */
	u8 status;
	bool needs_reset;
	bool generation_known;
	u32 generation;
	u32 generation_changes;

	bool config_cached;
	u32 config_epoch;
	u32 config_generation;
	u8 config[VIRTIO_MSG_CORE_CONFIG];

	bool dead;
	bool gone;
	bool leak_vqs;
	bool vqs_enabled;
	struct work_struct break_work;
	struct work_struct config_work;

	struct virtio_msg_vqs __rcu *vqs;
};

#define to_virtio_msg_device(_vdev) \
	container_of(_vdev, struct virtio_msg_device, vdev)

/**
 * struct virtio_msg_state - what a bus can tell of a device without a message
 * @generation: the device's config generation
 * @status: the device's status
 * @config_cacheable: config read under this generation is valid for as long
 *	as the generation stays the same
 */
struct virtio_msg_state {
	u32 generation;
	u8 status;
	bool config_cacheable;
};

/**
 * struct virtio_msg_bus_ops - what a bus does
 * @transfer: Send @request and wait for its response; rules B1 to B4. The
 *	message is virtio_msg_header.msg_size bytes long, which is at most
 *	&virtio_msg_bus.msg_size. The bus may put what it likes into the
 *	request's token. The response is copied to @response, of which
 *	@size bytes may be used; the other side must not be able to change it
 *	any more. The bus checks that the response belongs to this request and
 *	that its msg_size is at least a header's and at most @size; the rest is
 *	checked by the core. The wait is bounded. Requests for one device
 *	arrive in the order of the calls; calls may come from several contexts
 *	at once. Called in process context and, with VIRTIO_MSG_BUS_F_ATOMIC, in
 *	any but NMI: if @atomic, it must not sleep, otherwise it had better,
 *	with no lock held and interrupts on. virtio_msg_mailbox_transfer() is
 *	for buses that have room for one message at a time. Returns 0 or a
 *	negative errno: -EPROTO for a response that is none, -EIO if there is
 *	no response, -ETIMEDOUT.
 * @notify: Tell the device side of new buffers: EVENT_AVAIL or its equivalent,
 *	rules B6 and D12. @data is the virtqueue's index or, if
 *	VIRTIO_F_NOTIFICATION_DATA was negotiated, vring_notification_data();
 *	a bus that sends it as a message takes the next_offset from
 *	virtio_msg_next_offset(). Called in any context but NMI, with drivers'
 *	locks held: takes no lock that @transfer holds, never sleeps or
 *	allocates, and does not fail because something is busy. A return of
 *	false breaks the virtqueue for good.
 * @synchronize_cbs: Optional. Wait until no call of this bus's into
 *	virtio_msg_event() and its like, begun before, is in progress. Called in
 *	process context.
 * @enable_events: Optional. Let events come, from before the first device is
 *	added, or again after a resume. Called in process context. Returns 0 or
 *	a negative errno.
 * @disable_events: Optional. The counterpart: on return no event is in progress
 *	and none comes any more. Called in process context.
 * @arrive: Optional. A device was found where there was none after
 *	virtio_msg_register_bus(): read again what the bus offers, which may
 *	depend on the device, and update &struct virtio_msg_bus. Called in
 *	process context, while there is no other device on a bus that has one
 *	slot; on a bus with more of them others are in use. Returns 0 or a
 *	negative errno, then the device is not added.
 * @another: Optional. Is there another device at @dev_num than at the last call, or
 *	one where there was none, or none any more? 1 or 0 if the bus knows without
 *	a message, or a negative errno. Called in process context, by one at a time.
 * @peek: Optional. Fill in @state without a message and return true, or return
 *	false if this bus cannot or cannot now. What is returned is at
 *	least as new as the last response and the last event. Called in any
 *	context but NMI.
 * @request_vqs: Optional, for a bus with an interrupt for each virtqueue. @num
 *	virtqueues of @vmdev are about to be set up: their interrupts call
 *	virtio_msg_vq_interrupt() from now on, or those of some or all of them
 *	call virtio_msg_used_interrupt() if there are too few. @desc says how to
 *	spread them, or is NULL. With a @num of 0 the virtqueues are being
 *	deleted, and what was requested is freed; that may be nothing. Called
 *	in process context. Returns 0 or a negative errno.
 * @vq_irq: Optional. The interrupt that is only for virtqueue @index of
 *	@vmdev, or a negative errno if there is none. Called between two calls
 *	of @request_vqs.
 */
struct virtio_msg_bus_ops {
	int (*transfer)(struct virtio_msg_bus *bus,
			struct virtio_msg_header *request,
			struct virtio_msg_header *response, size_t size,
			bool atomic);
	bool (*notify)(struct virtio_msg_device *vmdev, struct virtqueue *vq,
		       u32 data);
	void (*synchronize_cbs)(struct virtio_msg_bus *bus);
	int (*enable_events)(struct virtio_msg_bus *bus);
	void (*disable_events)(struct virtio_msg_bus *bus);
	int (*arrive)(struct virtio_msg_bus *bus);
	int (*another)(struct virtio_msg_bus *bus, u16 dev_num);
	bool (*peek)(struct virtio_msg_device *vmdev,
		     struct virtio_msg_state *state);
	int (*request_vqs)(struct virtio_msg_device *vmdev, unsigned int num,
			   struct irq_affinity *desc);
	int (*vq_irq)(struct virtio_msg_device *vmdev, unsigned int index);
};

/* transfer may be called in atomic context */
#define VIRTIO_MSG_BUS_F_ATOMIC		BIT(0)
/* notify carries the value that VIRTIO_F_NOTIFICATION_DATA is about */
#define VIRTIO_MSG_BUS_F_NOTIFY_DATA	BIT(1)
/* Devices are found with GET_DEVICES, not by looking at each slot */
#define VIRTIO_MSG_BUS_F_GET_DEVICES	BIT(2)

/**
 * struct virtio_msg_bus - a bus instance
 * @ops: what the bus does
 * @parent: the device that does the DMA; parent of the virtio devices
 * @revision: transport revision, VIRTIO_MSG_REVISION_1
 * @msg_size: the bus's maximum message size in bytes, both ways
 * @transport_features: VIRTIO_MSG_F_* bits
 * @flags: VIRTIO_MSG_BUS_F_*
 * @num_slots: device numbers below this may exist; with
 *	VIRTIO_MSG_BUS_F_GET_DEVICES 0 stands for all there are
 * @window: Optional. Addresses the bus itself uses; shared memory regions that
 *	overlap them are refused
 *
 * The bus fills these in before virtio_msg_register_bus() and leaves them alone
 * until virtio_msg_unregister_bus(). What the device side may have changed it
 * updates in &virtio_msg_bus_ops.arrive, and between virtio_msg_freeze_bus()
 * and virtio_msg_restore_bus(). The rest belongs to the core.
 */
struct virtio_msg_bus {
	const struct virtio_msg_bus_ops *ops;
	struct device *parent;
	u16 revision;
	u16 msg_size;
	u32 transport_features;
	u32 flags;
	u32 num_slots;
	const struct resource *window;

	/* private: see virtio_msg_bus.c */
	struct mutex lock;
	bool awake;
	bool scanned;
	struct xarray devices;
	struct work_struct scan_work;
};

int virtio_msg_register_bus(struct virtio_msg_bus *bus);
void virtio_msg_unregister_bus(struct virtio_msg_bus *bus);
void virtio_msg_shutdown_bus(struct virtio_msg_bus *bus);
void virtio_msg_break_bus(struct virtio_msg_bus *bus);
#ifdef CONFIG_PM_SLEEP
int virtio_msg_freeze_bus(struct virtio_msg_bus *bus);
int virtio_msg_restore_bus(struct virtio_msg_bus *bus);
#endif

void virtio_msg_event(struct virtio_msg_bus *bus,
		      const struct virtio_msg_header *msg, size_t size);
irqreturn_t virtio_msg_used_interrupt(struct virtio_msg_bus *bus, u16 dev_num);
irqreturn_t virtio_msg_vq_interrupt(struct virtio_msg_bus *bus, u16 dev_num,
				    u32 index);
void virtio_msg_config_interrupt(struct virtio_msg_bus *bus, u16 dev_num);
void virtio_msg_rescan_bus(struct virtio_msg_bus *bus);

u32 virtio_msg_next_offset(struct virtio_device *vdev, u32 data);
int virtio_msg_ping(struct virtio_msg_bus *bus, u32 data);

#endif /* _LINUX_VIRTIO_MSG_H */
