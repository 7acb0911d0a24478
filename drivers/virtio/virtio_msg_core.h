/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio-msg: what virtio_msg.c, the messages, has for virtio_msg_bus.c
 */
#ifndef _DRIVERS_VIRTIO_VIRTIO_MSG_CORE_H
#define _DRIVERS_VIRTIO_VIRTIO_MSG_CORE_H

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
