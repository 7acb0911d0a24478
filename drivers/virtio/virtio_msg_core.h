/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: what virtio_msg.c, the messages, has for virtio_msg_bus.c
 */
#ifndef _DRIVERS_VIRTIO_VIRTIO_MSG_CORE_H
#define _DRIVERS_VIRTIO_VIRTIO_MSG_CORE_H

#include <linux/atomic.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <linux/virtio_msg.h>

/* Large enough for every message the core sends or takes */
union virtio_msg {
	struct virtio_msg_header hdr;
	struct virtio_msg_get_device_info_resp info;
	struct virtio_msg_get_features get_features;
	struct virtio_msg_features features;
	struct virtio_msg_get_config get_config;
	struct virtio_msg_config config;
	struct virtio_msg_status status;
	struct virtio_msg_vqueue vqueue;
	struct virtio_msg_get_vqueue_resp get_vqueue_resp;
	struct virtio_msg_set_vqueue set_vqueue;
	struct virtio_msg_get_shm get_shm;
	struct virtio_msg_get_shm_resp get_shm_resp;
	struct virtio_msg_bus_get_devices get_devices;
	struct virtio_msg_bus_get_devices_resp get_devices_resp;
	struct virtio_msg_bus_ping ping;
	u8 raw[VIRTIO_MSG_CORE_SIZE];
};

/**
 * struct virtio_msg_vq - a virtqueue as those see it who call its callback
 * @vq: the virtqueue; NULL before it is set up and while it is reset
 * @lock: held by whoever calls the callback
 * @wanted: the callback is to be called, once more if it is being called
 */
struct virtio_msg_vq {
	struct virtqueue __rcu *vq;
	spinlock_t lock;	/* see above */
	atomic_t wanted;
};

/**
 * struct virtio_msg_vqs - the virtqueues of a device
 * @num: how many there are
 * @vq: each of them
 *
 * vdev->vqs is not for interrupts. Callbacks are called in RCU read-side
 * critical sections, so they have ended, and begin no more, a grace period
 * after the pointer to the virtqueue, or to this, is gone.
 */
struct virtio_msg_vqs {
	unsigned int num;
	struct virtio_msg_vq vq[] __counted_by(num);
};

/* For the driver, which alone sets virtqueues up and deletes them */
static inline struct virtio_msg_vqs *
virtio_msg_own_vqs(struct virtio_msg_device *vmdev)
{
	return rcu_dereference_protected(vmdev->vqs, true);
}

size_t virtio_msg_room(const struct virtio_msg_bus *bus, size_t head);
void virtio_msg_init(union virtio_msg *msg, u8 msg_id, size_t size);
int virtio_msg_exchange(struct virtio_msg_bus *bus, u16 dev_num,
			union virtio_msg *req, union virtio_msg *resp,
			size_t min, size_t max);

bool virtio_msg_peek(struct virtio_msg_device *vmdev,
		     struct virtio_msg_state *state);
int virtio_msg_read_status(struct virtio_msg_device *vmdev, u32 *status);
void virtio_msg_reset(struct virtio_device *vdev);
void virtio_msg_saw_generation(struct virtio_msg_device *vmdev, u32 generation);
void virtio_msg_break_work(struct work_struct *work);

extern const struct virtio_config_ops virtio_msg_config_ops;

#endif /* _DRIVERS_VIRTIO_VIRTIO_MSG_CORE_H */
