// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: what the KUnit tests play with, see virtio_msg_fake.h
 */

#include <linux/bitops.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <kunit/device.h>

#include "virtio_msg_fake.h"

/* The device */

/**
 * vmt_device_init - make a device with all there can be
 * @dev: the device
 */
void vmt_device_init(struct vmt_device *dev)
{
	unsigned int i;

	memset(dev, 0, sizeof(*dev));
	dev->info.device_id = VMT_DEVICE_ID;
	dev->info.vendor_id = VMT_VENDOR_ID;
	dev->info.num_feature_blocks = 2;
	dev->info.config_size = 64;
	dev->info.max_virtqueues = VMT_MAX_VQS;
	vmt_set_feature(dev, VIRTIO_F_VERSION_1);
	vmt_set_feature(dev, VIRTIO_F_RING_RESET);
	vmt_set_feature(dev, VMT_F_ZERO);
	dev->generation = 100;
	for (i = 0; i < VMT_MAX_CONFIG; i++)
		dev->config[i] = i * 7 + 1;
	for (i = 0; i < VMT_MAX_VQS; i++)
		dev->vqs[i].max_size = 16;
}
EXPORT_SYMBOL_GPL(vmt_device_init);

/**
 * vmt_set_feature - offer a feature
 * @dev: the device
 * @bit: the feature
 */
void vmt_set_feature(struct vmt_device *dev, unsigned int bit)
{
	dev->features[bit / 32] |= BIT(bit % 32);
}
EXPORT_SYMBOL_GPL(vmt_set_feature);

/**
 * vmt_accepted - was a feature accepted by the driver side?
 * @dev: the device
 * @bit: the feature
 *
 * Return: true if it was.
 */
bool vmt_accepted(const struct vmt_device *dev, unsigned int bit)
{
	return dev->driver_features[bit / 32] & BIT(bit % 32);
}
EXPORT_SYMBOL_GPL(vmt_accepted);

/* Remembers the first, which is the one to look at */
static int vmt_violation(struct vmt_device *dev, const char *what)
{
	if (!dev->lying && !dev->violations++)
		dev->violation = what;
	return -EIO;
}

static void vmt_device_reset(struct vmt_device *dev)
{
	unsigned int i;

	memset(dev->driver_features, 0, sizeof(dev->driver_features));
	for (i = 0; i < VMT_MAX_VQS; i++) {
		dev->vqs[i].enabled = false;
		dev->vqs[i].next = 0;
	}
	dev->resets++;
}

static size_t vmt_get_info(struct vmt_device *dev,
			   struct virtio_msg_get_device_info_resp *resp)
{
	resp->device_id = cpu_to_le32(dev->info.device_id);
	resp->vendor_id = cpu_to_le32(dev->info.vendor_id);
	resp->num_feature_blocks = cpu_to_le32(dev->info.num_feature_blocks);
	resp->config_size = cpu_to_le32(dev->info.config_size);
	resp->max_virtqueues = cpu_to_le32(dev->info.max_virtqueues);
	return sizeof(*resp);
}

static int vmt_get_features(struct vmt_device *dev,
			    const struct virtio_msg_get_features *req,
			    struct virtio_msg_features *resp)
{
	u32 i, first = le32_to_cpu(req->block_index);
	u32 num = le32_to_cpu(req->num_blocks);

	if (first + num > dev->info.num_feature_blocks)
		return vmt_violation(dev, "features that do not exist are read");
	resp->block_index = req->block_index;
	resp->num_blocks = req->num_blocks;
	/* Blocks past the device's last read as zero: rule V2 */
	for (i = 0; i < num; i++)
		resp->features[i] = first + i < VMT_MAX_BLOCKS ?
			cpu_to_le32(dev->features[first + i]) : 0;
	return struct_size(resp, features, num);
}

static int vmt_set_features(struct vmt_device *dev,
			    const struct virtio_msg_features *req, size_t size)
{
	u32 i, first = le32_to_cpu(req->block_index);
	u32 num = le32_to_cpu(req->num_blocks);

	if (first + num > VMT_MAX_BLOCKS ||
	    size != struct_size(req, features, num))
		return vmt_violation(dev, "SET_DRIVER_FEATURES is malformed");
	if (!(dev->status & VIRTIO_CONFIG_S_DRIVER))
		return vmt_violation(dev, "features are set before DRIVER: D11");
	if (dev->status & VIRTIO_CONFIG_S_FEATURES_OK)
		return vmt_violation(dev, "features are set after FEATURES_OK: D4");
	for (i = 0; i < num; i++) {
		u32 block = le32_to_cpu(req->features[i]);

		if (block & ~dev->features[first + i])
			return vmt_violation(dev, "features are set that were not offered: D4");
		dev->driver_features[first + i] = block;
	}
	return sizeof(struct virtio_msg_header);
}

/* Rule D5 */
static bool vmt_inside(const struct vmt_device *dev, u32 offset, u32 length)
{
	return offset <= dev->info.config_size &&
	       length <= dev->info.config_size - offset;
}

static int vmt_get_config(struct vmt_device *dev,
			  const struct virtio_msg_get_config *req,
			  struct virtio_msg_config *resp)
{
	u32 offset = le32_to_cpu(req->offset);
	u32 length = le32_to_cpu(req->length);

	if (!length || !vmt_inside(dev, offset, length))
		return vmt_violation(dev, "config is read outside of it: D5");
	resp->generation = cpu_to_le32(dev->generation);
	resp->offset = req->offset;
	resp->length = req->length;
	memcpy(resp->data, dev->config + offset, length);
	return struct_size(resp, data, length);
}

static int vmt_set_config(struct vmt_device *dev,
			  const struct virtio_msg_config *req,
			  struct virtio_msg_config *resp, size_t size)
{
	u32 offset = le32_to_cpu(req->offset);
	u32 length = le32_to_cpu(req->length);
	u32 generation = le32_to_cpu(req->generation);

	if (size < sizeof(*req) || size != struct_size(req, data, length))
		return vmt_violation(dev, "SET_CONFIG is malformed");
	if (!length || !vmt_inside(dev, offset, length))
		return vmt_violation(dev, "config is written outside of it: D5, D7");
	if (!dev->strict && generation)
		return vmt_violation(dev, "SET_CONFIG has a generation: D6");
	resp->generation = cpu_to_le32(dev->generation);
	resp->offset = req->offset;
	if (dev->refuse_config || (dev->strict && generation != dev->generation))
		return sizeof(*resp);
	memcpy(dev->config + offset, req->data, length);
	resp->length = req->length;
	return sizeof(*resp);
}

static int vmt_get_status(struct vmt_device *dev, struct virtio_msg_status *resp)
{
	u32 status = dev->status;

	if (!status && dev->reset_polls) {
		dev->reset_polls--;
		status = VIRTIO_CONFIG_S_ACKNOWLEDGE;
	}
	resp->status = cpu_to_le32(status);
	return sizeof(*resp);
}

static int vmt_set_status(struct vmt_device *dev,
			  const struct virtio_msg_status *req,
			  struct virtio_msg_status *resp)
{
	u32 old = dev->status & ~VIRTIO_CONFIG_S_NEEDS_RESET;
	u32 status = le32_to_cpu(req->status);

	if (status & ~0xffu || status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return vmt_violation(dev, "status has bits the driver does not own: D3");
	if (!status) {
		vmt_device_reset(dev);
		dev->status = 0;
		return vmt_get_status(dev, resp);
	}
	if (old & ~status)
		return vmt_violation(dev, "status bits are taken back: D10");
	if (status & VIRTIO_CONFIG_S_DRIVER_OK &&
	    !(status & VIRTIO_CONFIG_S_FEATURES_OK))
		return vmt_violation(dev, "DRIVER_OK without FEATURES_OK: D11");
	if (dev->refuse_features)
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	dev->status = status | (dev->status & VIRTIO_CONFIG_S_NEEDS_RESET);
	return vmt_get_status(dev, resp);
}

static int vmt_get_vqueue(struct vmt_device *dev,
			  const struct virtio_msg_vqueue *req,
			  struct virtio_msg_get_vqueue_resp *resp)
{
	u32 index = le32_to_cpu(req->index);
	struct vmt_vq *vq;

	if (index >= dev->info.max_virtqueues || index >= VMT_MAX_VQS)
		return vmt_violation(dev, "there is no such virtqueue: D8");
	vq = &dev->vqs[index];
	resp->index = req->index;
	resp->max_size = cpu_to_le32(vq->max_size);
	if (vq->enabled) {
		resp->cur_size = cpu_to_le32(vq->size);
		resp->flags = cpu_to_le32(VIRTIO_MSG_VQUEUE_ENABLED);
		resp->desc_addr = cpu_to_le64(vq->desc);
		resp->driver_addr = cpu_to_le64(vq->driver);
		resp->device_addr = cpu_to_le64(vq->device);
	}
	return sizeof(*resp);
}

static int vmt_set_vqueue(struct vmt_device *dev,
			  const struct virtio_msg_set_vqueue *req)
{
	u32 index = le32_to_cpu(req->index);
	struct vmt_vq *vq;

	if (index >= dev->info.max_virtqueues || index >= VMT_MAX_VQS)
		return vmt_violation(dev, "there is no such virtqueue: D8");
	vq = &dev->vqs[index];
	if (!(dev->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return vmt_violation(dev, "a virtqueue before FEATURES_OK: D11");
	if (req->reserved || req->flags != cpu_to_le32(VIRTIO_MSG_VQUEUE_ENABLED))
		return vmt_violation(dev, "reserved bits in SET_VQUEUE: D3");
	if (vq->enabled)
		return vmt_violation(dev, "the virtqueue is enabled already: D8");
	if (!req->size || le32_to_cpu(req->size) > vq->max_size)
		return vmt_violation(dev, "the virtqueue is too large: D8");
	vq->size = le32_to_cpu(req->size);
	vq->desc = le64_to_cpu(req->desc_addr);
	vq->driver = le64_to_cpu(req->driver_addr);
	vq->device = le64_to_cpu(req->device_addr);
	vq->enabled = true;
	vq->next = 0;
	vq->wrap = true;
	return sizeof(struct virtio_msg_header);
}

static int vmt_reset_vqueue(struct vmt_device *dev,
			    const struct virtio_msg_vqueue *req)
{
	u32 index = le32_to_cpu(req->index);

	if (index >= VMT_MAX_VQS || !vmt_accepted(dev, VIRTIO_F_RING_RESET))
		return vmt_violation(dev, "RESET_VQUEUE without RING_RESET: D9");
	dev->vqs[index].enabled = false;
	return sizeof(struct virtio_msg_header);
}

static int vmt_get_shm(struct vmt_device *dev,
		       const struct virtio_msg_get_shm *req,
		       struct virtio_msg_get_shm_resp *resp)
{
	resp->shmid = req->shmid;
	if (req->shmid == cpu_to_le32(0)) {
		resp->length = cpu_to_le64(dev->shm_len);
		resp->address = cpu_to_le64(dev->shm_addr);
	}
	return sizeof(*resp);
}

/* How long each request is; 0 where the answer looks for itself, or unknown */
static const u8 vmt_request_size[VIRTIO_MSG_ID_EVENT] = {
	[VIRTIO_MSG_GET_DEVICE_INFO] = sizeof(struct virtio_msg_header),
	[VIRTIO_MSG_GET_DEVICE_FEATURES] = sizeof(struct virtio_msg_get_features),
	[VIRTIO_MSG_GET_CONFIG] = sizeof(struct virtio_msg_get_config),
	[VIRTIO_MSG_GET_DEVICE_STATUS] = sizeof(struct virtio_msg_header),
	[VIRTIO_MSG_SET_DEVICE_STATUS] = sizeof(struct virtio_msg_status),
	[VIRTIO_MSG_GET_VQUEUE] = sizeof(struct virtio_msg_vqueue),
	[VIRTIO_MSG_SET_VQUEUE] = sizeof(struct virtio_msg_set_vqueue),
	[VIRTIO_MSG_RESET_VQUEUE] = sizeof(struct virtio_msg_vqueue),
	[VIRTIO_MSG_GET_SHM] = sizeof(struct virtio_msg_get_shm),
};

/**
 * vmt_device_answer - what the device side of a device says to a request
 * @dev: the device
 * @request: the request, all of it
 * @response: takes the response
 * @max: size of @response
 *
 * Return: 0, or -EIO if there is no answer.
 */
int vmt_device_answer(struct vmt_device *dev,
		      const struct virtio_msg_header *request,
		      struct virtio_msg_header *response, size_t max)
{
	union {
		struct virtio_msg_header hdr;
		u8 raw[VIRTIO_MSG_SIZE_RECOMMENDED];
	} answer = {};
	size_t size = le16_to_cpu(request->msg_size);
	int len = -EIO;

	if (request->type || request->msg_id >= VIRTIO_MSG_ID_EVENT)
		return vmt_violation(dev, "reserved bits in the header: D3");
	if (vmt_request_size[request->msg_id] &&
	    vmt_request_size[request->msg_id] != size)
		return vmt_violation(dev, "the request is not as long as it says");

	switch (request->msg_id) {
	case VIRTIO_MSG_GET_DEVICE_INFO:
		len = vmt_get_info(dev, (void *)&answer);
		break;
	case VIRTIO_MSG_GET_DEVICE_FEATURES:
		len = vmt_get_features(dev, (void *)request, (void *)&answer);
		break;
	case VIRTIO_MSG_SET_DRIVER_FEATURES:
		len = vmt_set_features(dev, (void *)request, size);
		break;
	case VIRTIO_MSG_GET_CONFIG:
		len = vmt_get_config(dev, (void *)request, (void *)&answer);
		break;
	case VIRTIO_MSG_SET_CONFIG:
		len = vmt_set_config(dev, (void *)request, (void *)&answer, size);
		break;
	case VIRTIO_MSG_GET_DEVICE_STATUS:
		len = vmt_get_status(dev, (void *)&answer);
		break;
	case VIRTIO_MSG_SET_DEVICE_STATUS:
		len = vmt_set_status(dev, (void *)request, (void *)&answer);
		break;
	case VIRTIO_MSG_GET_VQUEUE:
		len = vmt_get_vqueue(dev, (void *)request, (void *)&answer);
		break;
	case VIRTIO_MSG_SET_VQUEUE:
		len = vmt_set_vqueue(dev, (void *)request);
		break;
	case VIRTIO_MSG_RESET_VQUEUE:
		len = vmt_reset_vqueue(dev, (void *)request);
		break;
	case VIRTIO_MSG_GET_SHM:
		len = vmt_get_shm(dev, (void *)request, (void *)&answer);
		break;
	default:
		vmt_violation(dev, "there is no such request");
		break;
	}
	if (len < 0 || len > max)
		return -EIO;
	answer.hdr.type = VIRTIO_MSG_TYPE_RESPONSE;
	answer.hdr.msg_id = request->msg_id;
	answer.hdr.dev_num = request->dev_num;
	answer.hdr.token = request->token;
	answer.hdr.msg_size = cpu_to_le16(len);
	memcpy(response, &answer, len);
	return 0;
}
EXPORT_SYMBOL_GPL(vmt_device_answer);

/**
 * vmt_device_notified - the device side takes a notification
 * @dev: the device
 * @data: as the bus got it
 */
void vmt_device_notified(struct vmt_device *dev, u32 data)
{
	u16 index = data;

	if (index >= VMT_MAX_VQS || !dev->vqs[index].enabled ||
	    !(dev->status & VIRTIO_CONFIG_S_DRIVER_OK)) {
		vmt_violation(dev, "a notification before its time: D11");
		return;
	}
	if (data >> 16 && !vmt_accepted(dev, VIRTIO_F_NOTIFICATION_DATA))
		vmt_violation(dev, "data in a notification without the feature: D12");
	dev->notified[index]++;
	dev->notify_data[index] = data;
}
EXPORT_SYMBOL_GPL(vmt_device_notified);

/* Rings are in guest memory, where the driver side said; all is little endian */
static u16 vmt_load(const void *at)
{
	return le16_to_cpu(READ_ONCE(*(const __le16 *)at));
}

static void vmt_store(void *at, u16 value)
{
	WRITE_ONCE(*(__le16 *)at, cpu_to_le16(value));
}

static bool vmt_use_split(struct vmt_device *dev, struct vmt_vq *vq)
{
	struct vring_avail *avail = phys_to_virt(vq->driver);
	struct vring_used *used = phys_to_virt(vq->device);
	struct vring_used_elem *elem = &used->ring[vq->next % vq->size];
	__le32 *id = (__force __le32 *)&elem->id;
	__le32 *len = (__force __le32 *)&elem->len;

	if (vmt_load(&avail->idx) == vq->next)
		return false;
	/* The entry was written before the index */
	smp_rmb();
	*id = cpu_to_le32(vmt_load(&avail->ring[vq->next % vq->size]));
	*len = 0;
	vq->next++;
	/* Ask for a notification of what comes next */
	if (vmt_accepted(dev, VIRTIO_RING_F_EVENT_IDX))
		vmt_store(&used->ring[vq->size], vq->next);
	/* The entry is there before the index says so */
	smp_wmb();
	vmt_store(&used->idx, vq->next);
	return true;
}

/* Buffers of one descriptor only, which is what vmt_send() makes */
static bool vmt_use_packed(struct vmt_vq *vq)
{
	struct vring_packed_desc *ring = phys_to_virt(vq->desc);
	struct vring_packed_desc *desc = &ring[vq->next];
	u16 flags = vmt_load(&desc->flags);

	if (!!(flags & BIT(VRING_PACKED_DESC_F_AVAIL)) != vq->wrap ||
	    !!(flags & BIT(VRING_PACKED_DESC_F_USED)) == vq->wrap)
		return false;
	desc->len = 0;
	/* What is in the descriptor goes before its flags */
	smp_wmb();
	vmt_store(&desc->flags, vq->wrap ? BIT(VRING_PACKED_DESC_F_AVAIL) |
					   BIT(VRING_PACKED_DESC_F_USED) : 0);
	if (++vq->next == vq->size) {
		vq->next = 0;
		vq->wrap = !vq->wrap;
	}
	return true;
}

/**
 * vmt_device_work - the device side works through a virtqueue
 * @dev: the device
 * @index: the virtqueue
 *
 * Return: how many buffers were used.
 */
unsigned int vmt_device_work(struct vmt_device *dev, unsigned int index)
{
	struct vmt_vq *vq = &dev->vqs[index];
	unsigned int used = 0;

	if (!vq->enabled || !(dev->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return 0;
	while (vmt_accepted(dev, VIRTIO_F_RING_PACKED) ?
	       vmt_use_packed(vq) : vmt_use_split(dev, vq))
		used++;
	return used;
}
EXPORT_SYMBOL_GPL(vmt_device_work);

/* The driver */

#define to_vmt_driver(_vdev) \
	container_of(drv_to_virtio((_vdev)->dev.driver), struct vmt_driver, drv)

static void vmt_callback(struct virtqueue *vq)
{
	struct vmt_driver *drv = to_vmt_driver(vq->vdev);
	struct vmt_queue *queue = vq->priv;
	unsigned int len;
	unsigned long flags;
	void *token;

	if (!queue)
		return;
	spin_lock_irqsave(&queue->lock, flags);
	queue->calls++;
	do {
		virtqueue_disable_cb(vq);
		while ((token = virtqueue_get_buf(vq, &len))) {
			queue->done++;
			if (token != (void *)queue->done)
				queue->errors++;
		}
	} while (!virtqueue_enable_cb(vq));
	spin_unlock_irqrestore(&queue->lock, flags);
	if (drv->on_callback)
		drv->on_callback(drv, vq);
}

/**
 * vmt_find_vqs - set up the driver's virtqueues
 * @drv: the driver
 * @vdev: its device
 *
 * Return: what virtio_find_vqs() returns.
 */
int vmt_find_vqs(struct vmt_driver *drv, struct virtio_device *vdev)
{
	struct virtqueue_info infos[VMT_MAX_VQS + 1] = {};
	struct virtqueue *vqs[VMT_MAX_VQS + 1] = {};
	unsigned int i;

	for (i = 0; i < drv->num_vqs; i++) {
		infos[i].callback = vmt_callback;
		infos[i].name = i == drv->gap ? NULL : "test";
	}
	drv->find_err = virtio_find_vqs(vdev, drv->num_vqs, vqs, infos, NULL);
	if (drv->find_err)
		return drv->find_err;
	for (i = 0; i < min_t(unsigned int, drv->num_vqs, VMT_MAX_VQS); i++) {
		struct vmt_queue *queue = &drv->queues[i];

		queue->vq = vqs[i];
		queue->sent = 0;
		queue->done = 0;
		if (vqs[i])
			vqs[i]->priv = queue;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(vmt_find_vqs);

static void vmt_driver_stop(struct vmt_driver *drv, struct virtio_device *vdev)
{
	unsigned int i;

	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	for (i = 0; i < VMT_MAX_VQS; i++)
		drv->queues[i].vq = NULL;
}

static int vmt_driver_start(struct vmt_driver *drv, struct virtio_device *vdev)
{
	int err = vmt_find_vqs(drv, vdev);

	if (err)
		return err;
	if (drv->on_probe)
		err = drv->on_probe(drv, vdev);
	if (err)
		vdev->config->del_vqs(vdev);
	else
		virtio_device_ready(vdev);
	return err;
}

static int vmt_probe(struct virtio_device *vdev)
{
	struct vmt_driver *drv = to_vmt_driver(vdev);
	int err;

	drv->probes++;
	err = vmt_driver_start(drv, vdev);
	if (!err)
		drv->vdev = vdev;
	return err;
}

static void vmt_remove(struct virtio_device *vdev)
{
	struct vmt_driver *drv = to_vmt_driver(vdev);

	drv->removes++;
	if (drv->on_remove)
		drv->on_remove(drv, vdev);
	vmt_driver_stop(drv, vdev);
	drv->vdev = NULL;
}

static void vmt_config_changed(struct virtio_device *vdev)
{
	struct vmt_driver *drv = to_vmt_driver(vdev);

	atomic_inc(&drv->config_changes);
	if (drv->on_config)
		drv->on_config(drv, vdev);
}

static int __maybe_unused vmt_freeze(struct virtio_device *vdev)
{
	struct vmt_driver *drv = to_vmt_driver(vdev);

	if (drv->freeze_err)
		return drv->freeze_err;
	drv->freezes++;
	vmt_driver_stop(drv, vdev);
	return 0;
}

static int __maybe_unused vmt_restore(struct virtio_device *vdev)
{
	struct vmt_driver *drv = to_vmt_driver(vdev);

	drv->restores++;
	return vmt_driver_start(drv, vdev);
}

/**
 * vmt_driver_alloc - a driver, not registered yet
 * @test: the test it is for
 * @device_id: the devices it drives
 * @num_vqs: how many virtqueues it asks for
 *
 * Return: the driver, which goes away with the test.
 */
struct vmt_driver *vmt_driver_alloc(struct kunit *test, u32 device_id,
				    unsigned int num_vqs)
{
	struct vmt_driver *drv = kunit_kzalloc(test, sizeof(*drv), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, drv);
	drv->num_vqs = num_vqs;
	drv->gap = -1;
	for (i = 0; i < VMT_MAX_VQS; i++)
		spin_lock_init(&drv->queues[i].lock);
	drv->ids[0].device = device_id;
	drv->ids[0].vendor = VIRTIO_DEV_ANY_ID;
	drv->features[0] = VMT_F_ZERO;
	drv->features[1] = VMT_F_ONE;
	drv->drv.driver.name = "virtio-msg-test";
	drv->drv.id_table = drv->ids;
	drv->drv.feature_table = drv->features;
	drv->drv.feature_table_size = ARRAY_SIZE(drv->features);
	drv->drv.probe = vmt_probe;
	drv->drv.remove = vmt_remove;
	drv->drv.config_changed = vmt_config_changed;
#ifdef CONFIG_PM_SLEEP
	drv->drv.freeze = vmt_freeze;
	drv->drv.restore = vmt_restore;
#endif
	return drv;
}
EXPORT_SYMBOL_GPL(vmt_driver_alloc);

/**
 * vmt_driver_register - register a driver
 * @drv: the driver
 *
 * Return: 0 or a negative errno.
 */
int vmt_driver_register(struct vmt_driver *drv)
{
	int err = register_virtio_driver(&drv->drv);

	drv->registered = !err;
	return err;
}
EXPORT_SYMBOL_GPL(vmt_driver_register);

/**
 * vmt_driver_unregister - unregister a driver, if it is registered
 * @drv: the driver
 */
void vmt_driver_unregister(struct vmt_driver *drv)
{
	if (drv->registered)
		unregister_virtio_driver(&drv->drv);
	drv->registered = false;
}
EXPORT_SYMBOL_GPL(vmt_driver_unregister);

/**
 * vmt_send - make a buffer available
 * @drv: the driver
 * @index: the virtqueue
 *
 * Return: what virtqueue_add_outbuf() returns.
 */
int vmt_send(struct vmt_driver *drv, unsigned int index)
{
	struct vmt_queue *queue = &drv->queues[index];
	struct scatterlist sg;
	unsigned long flags;
	int err;

	sg_init_one(&sg, queue->data, sizeof(queue->data));
	spin_lock_irqsave(&queue->lock, flags);
	err = virtqueue_add_outbuf(queue->vq, &sg, 1,
				   (void *)(queue->sent + 1), GFP_ATOMIC);
	if (!err)
		queue->sent++;
	spin_unlock_irqrestore(&queue->lock, flags);
	return err;
}
EXPORT_SYMBOL_GPL(vmt_send);

/**
 * vmt_kick - tell the device side, if it wants to know
 * @drv: the driver
 * @index: the virtqueue
 *
 * Return: what virtqueue_kick() returns.
 */
bool vmt_kick(struct vmt_driver *drv, unsigned int index)
{
	struct vmt_queue *queue = &drv->queues[index];
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&queue->lock, flags);
	ok = virtqueue_kick(queue->vq);
	spin_unlock_irqrestore(&queue->lock, flags);
	return ok;
}
EXPORT_SYMBOL_GPL(vmt_kick);

/* The bus */

static int vmt_bus_violation(struct vmt_bus *fb, const char *what)
{
	if (!fb->violations++)
		fb->violation = what;
	return -EIO;
}

/* GET_DEVICES, one window of VMT_MAX_DEVICES numbers: rule B8 */
static int vmt_bus_get_devices(struct vmt_bus *fb,
			       const struct virtio_msg_bus_get_devices *req,
			       struct virtio_msg_bus_get_devices_resp *resp)
{
	unsigned int i;

	if (le16_to_cpu(req->offset) % 8 || le16_to_cpu(req->count) % 8 ||
	    !req->count)
		return vmt_bus_violation(fb, "GET_DEVICES of a window that is none: B8");
	resp->hdr.type = VIRTIO_MSG_TYPE_RESPONSE | VIRTIO_MSG_TYPE_BUS;
	resp->hdr.msg_id = VIRTIO_MSG_BUS_GET_DEVICES;
	resp->hdr.msg_size = cpu_to_le16(sizeof(*resp) + VMT_MAX_DEVICES / 8);
	resp->offset = req->offset;
	resp->count = cpu_to_le16(VMT_MAX_DEVICES);
	memset(resp->bitmap, 0, VMT_MAX_DEVICES / 8);
	for (i = 0; i < VMT_MAX_DEVICES; i++)
		if (!req->offset && fb->devices[i] &&
		    fb->devices[i]->info.device_id)
			resp->bitmap[i / 8] |= BIT(i % 8);
	return 0;
}

static int vmt_bus_answer(struct vmt_bus *fb,
			  const struct virtio_msg_header *req,
			  struct virtio_msg_header *resp)
{
	if (req->dev_num)
		return vmt_bus_violation(fb, "a device in a bus message");
	memset(resp, 0, sizeof(struct virtio_msg_bus_get_devices_resp));
	switch (req->msg_id) {
	case VIRTIO_MSG_BUS_GET_DEVICES:
		return vmt_bus_get_devices(fb, (void *)req, (void *)resp);
	case VIRTIO_MSG_BUS_PING:
		memcpy(resp, req, sizeof(struct virtio_msg_bus_ping));
		resp->type |= VIRTIO_MSG_TYPE_RESPONSE;
		return 0;
	}
	return vmt_bus_violation(fb, "there is no such bus message");
}

static int vmt_bus_carry(struct vmt_bus *fb, struct virtio_msg_header *req,
			 struct virtio_msg_header *resp, size_t size)
{
	u16 num = le16_to_cpu(req->dev_num);

	if (req->type & VIRTIO_MSG_TYPE_BUS)
		return vmt_bus_answer(fb, req, resp);
	if (num >= VMT_MAX_DEVICES || !fb->devices[num])
		return vmt_bus_violation(fb, "there is no such device: B5");
	return vmt_device_answer(fb->devices[num], req, resp, size);
}

static int vmt_transfer(struct virtio_msg_bus *bus,
			struct virtio_msg_header *req,
			struct virtio_msg_header *resp, size_t size,
			bool atomic)
{
	struct vmt_bus *fb = to_vmt_bus(bus);
	u16 len = le16_to_cpu(req->msg_size);
	unsigned long flags;
	int err;

	if (fb->on_enter)
		fb->on_enter(fb, req);
	WRITE_ONCE(fb->atomic, atomic);
	spin_lock_irqsave(&fb->lock, flags);
	if (len > bus->msg_size || len < sizeof(*req))
		vmt_bus_violation(fb, "a message that is too long: D2");
	if (fb->messages < VMT_LOG)
		memcpy(&fb->log[fb->messages], req,
		       min_t(size_t, len, sizeof(*fb->log)));
	fb->messages++;
	fb->counts[!!(req->type & VIRTIO_MSG_TYPE_BUS)][req->msg_id % VIRTIO_MSG_ID_EVENT]++;
	if (fb->before)
		fb->before(fb, req);
	/* Nothing may be taken for an answer that is none */
	memset(resp, 0x5a, size);
	err = vmt_bus_carry(fb, req, resp, size);
	/* It is the bus's: rule D3 */
	resp->token = cpu_to_le16(0xbeef);
	if (fb->after)
		err = fb->after(fb, req, (struct vmt_message *)resp, err);
	spin_unlock_irqrestore(&fb->lock, flags);
	if (fb->on_leave)
		fb->on_leave(fb, req);
	return err;
}

static bool vmt_notify(struct virtio_msg_device *vmdev, struct virtqueue *vq,
		       u32 data)
{
	struct vmt_bus *fb = to_vmt_bus(vmdev->bus);

	atomic_inc(&fb->notifies);
	vmt_device_notified(fb->devices[vmdev->dev_num], data);
	if (fb->on_notify)
		fb->on_notify(fb, vq, data);
	return true;
}

static void vmt_synchronize_cbs(struct virtio_msg_bus *bus)
{
	to_vmt_bus(bus)->syncs++;
}

static int vmt_enable_events(struct virtio_msg_bus *bus)
{
	struct vmt_bus *fb = to_vmt_bus(bus);

	if (fb->enable_err)
		return fb->enable_err;
	fb->enables++;
	if (fb->events++)
		vmt_bus_violation(fb, "events are enabled twice");
	return 0;
}

static void vmt_disable_events(struct virtio_msg_bus *bus)
{
	struct vmt_bus *fb = to_vmt_bus(bus);

	if (fb->events-- != 1)
		vmt_bus_violation(fb, "events are disabled twice");
}

static int vmt_arrive(struct virtio_msg_bus *bus)
{
	struct vmt_bus *fb = to_vmt_bus(bus);

	fb->arrives++;
	return fb->on_arrive ? fb->on_arrive(fb) : 0;
}

static bool vmt_peek(struct virtio_msg_device *vmdev,
		     struct virtio_msg_state *state)
{
	struct vmt_bus *fb = to_vmt_bus(vmdev->bus);
	struct vmt_device *dev = fb->devices[vmdev->dev_num];

	if (!fb->peek)
		return false;
	state->generation = READ_ONCE(dev->generation);
	state->status = READ_ONCE(dev->status);
	state->config_cacheable = fb->cacheable;
	return true;
}

static const struct virtio_msg_bus_ops vmt_bus_ops = {
	.transfer = vmt_transfer,
	.notify = vmt_notify,
	.synchronize_cbs = vmt_synchronize_cbs,
	.enable_events = vmt_enable_events,
	.disable_events = vmt_disable_events,
	.arrive = vmt_arrive,
	.peek = vmt_peek,
};

/**
 * vmt_bus_alloc - a bus without a device, not registered yet
 * @test: the test it is for
 *
 * Return: the bus, which goes away with the test.
 */
struct vmt_bus *vmt_bus_alloc(struct kunit *test)
{
	struct vmt_bus *fb = kunit_kzalloc(test, sizeof(*fb), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fb);
	fb->log = kunit_kcalloc(test, VMT_LOG, sizeof(*fb->log), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fb->log);
	fb->test = test;
	spin_lock_init(&fb->lock);
	fb->bus.ops = &vmt_bus_ops;
	fb->bus.parent = kunit_device_register(test, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fb->bus.parent);
	fb->bus.revision = VIRTIO_MSG_REVISION_1;
	fb->bus.msg_size = VIRTIO_MSG_SIZE_RECOMMENDED;
	fb->bus.flags = VIRTIO_MSG_BUS_F_ATOMIC;
	fb->bus.num_slots = 1;
	return fb;
}
EXPORT_SYMBOL_GPL(vmt_bus_alloc);

/**
 * vmt_bus_add_device - put a device behind a bus
 * @fb: the bus
 * @dev_num: its number
 *
 * Return: the device, which goes away with the test.
 */
struct vmt_device *vmt_bus_add_device(struct vmt_bus *fb, u16 dev_num)
{
	struct vmt_device *dev = kunit_kzalloc(fb->test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(fb->test, dev);
	vmt_device_init(dev);
	fb->devices[dev_num] = dev;
	return dev;
}
EXPORT_SYMBOL_GPL(vmt_bus_add_device);

/**
 * vmt_bus_register - register a bus
 * @fb: the bus
 *
 * Return: what virtio_msg_register_bus() returns.
 */
int vmt_bus_register(struct vmt_bus *fb)
{
	int err = virtio_msg_register_bus(&fb->bus);

	fb->registered = !err;
	return err;
}
EXPORT_SYMBOL_GPL(vmt_bus_register);

/**
 * vmt_bus_unregister - unregister a bus, if it is registered
 * @fb: the bus
 */
void vmt_bus_unregister(struct vmt_bus *fb)
{
	if (fb->registered)
		virtio_msg_unregister_bus(&fb->bus);
	fb->registered = false;
}
EXPORT_SYMBOL_GPL(vmt_bus_unregister);

/**
 * vmt_bus_forget - count messages from here on
 * @fb: the bus
 */
void vmt_bus_forget(struct vmt_bus *fb)
{
	memset(fb->counts, 0, sizeof(fb->counts));
	fb->messages = 0;
}
EXPORT_SYMBOL_GPL(vmt_bus_forget);

/**
 * vmt_vmdev - the core's idea of a device
 * @fb: the bus
 * @dev_num: its number
 *
 * Return: the device, NULL if the core knows none.
 */
struct virtio_msg_device *vmt_vmdev(struct vmt_bus *fb, u16 dev_num)
{
	return xa_load(&fb->bus.devices, dev_num);
}
EXPORT_SYMBOL_GPL(vmt_vmdev);

/**
 * vmt_settle - wait for what an error or an event left to work items
 * @fb: the bus
 * @dev_num: the device
 */
void vmt_settle(struct vmt_bus *fb, u16 dev_num)
{
	struct virtio_msg_device *vmdev = vmt_vmdev(fb, dev_num);

	flush_work(&vmdev->config_work);
	/* It may fail */
	flush_work(&vmdev->break_work);
}
EXPORT_SYMBOL_GPL(vmt_settle);

/**
 * vmt_rescan - have the core look for devices, and wait until it has
 * @fb: the bus
 */
void vmt_rescan(struct vmt_bus *fb)
{
	virtio_msg_rescan_bus(&fb->bus);
	flush_work(&fb->bus.scan_work);
}
EXPORT_SYMBOL_GPL(vmt_rescan);

/**
 * vmt_bus_check - unregister a bus and expect that no rule has been broken
 * @fb: the bus
 */
void vmt_bus_check(struct vmt_bus *fb)
{
	struct kunit *test = fb->test;
	unsigned int i;

	vmt_bus_unregister(fb);
	KUNIT_EXPECT_EQ_MSG(test, fb->violations, 0, "%s", fb->violation);
	KUNIT_EXPECT_EQ(test, fb->events, 0);
	for (i = 0; i < VMT_MAX_DEVICES; i++)
		if (fb->devices[i])
			KUNIT_EXPECT_EQ_MSG(test, fb->devices[i]->violations, 0,
					    "%s", fb->devices[i]->violation);
}
EXPORT_SYMBOL_GPL(vmt_bus_check);

/* What most tests want */

/**
 * vmt_fixture_init - a bus with one device, and a driver for that
 * @test: the test, whose priv is set
 *
 * None of them is registered yet. The driver asks for two virtqueues.
 *
 * Return: 0.
 */
int vmt_fixture_init(struct kunit *test)
{
	struct vmt_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->fb = vmt_bus_alloc(test);
	fix->dev = vmt_bus_add_device(fix->fb, 0);
	fix->drv = vmt_driver_alloc(test, VMT_DEVICE_ID, 2);
	test->priv = fix;
	return 0;
}
EXPORT_SYMBOL_GPL(vmt_fixture_init);

/**
 * vmt_fixture_exit - undo what a test did, expect that no rule was broken
 * @test: the test
 */
void vmt_fixture_exit(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	if (!fix)
		return;
	fix->fb->before = NULL;
	fix->fb->after = NULL;
	fix->fb->on_enter = NULL;
	fix->fb->on_leave = NULL;
	vmt_bus_check(fix->fb);
	vmt_driver_unregister(fix->drv);
}
EXPORT_SYMBOL_GPL(vmt_fixture_exit);

/**
 * vmt_start - register driver and bus, see that they find each other
 * @test: the test, with a fixture
 *
 * Return: the device; messages are counted from here on.
 */
struct virtio_msg_device *vmt_start(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	vmt_bus_forget(fix->fb);
	return to_virtio_msg_device(fix->drv->vdev);
}
EXPORT_SYMBOL_GPL(vmt_start);

/**
 * vmt_rebind - take the driver from a device, reset that, bind again
 * @vdev: the device
 *
 * Return: 1 if it is bound now, otherwise 0 or a negative errno.
 */
int vmt_rebind(struct virtio_device *vdev)
{
	device_release_driver(&vdev->dev);
	virtio_reset_device(vdev);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	return device_attach(&vdev->dev);
}
EXPORT_SYMBOL_GPL(vmt_rebind);

/**
 * vmt_expect_works - expect that buffers go through all virtqueues
 * @test: the test, with a fixture
 * @num_vqs: how many there are
 */
void vmt_expect_works(struct kunit *test, unsigned int num_vqs)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	for (i = 0; i < num_vqs; i++) {
		struct vmt_queue *queue = &fix->drv->queues[i];
		unsigned long done = queue->done;

		KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, i), 0);
		KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, i));
		KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, i), 1);
		virtio_msg_used_interrupt(&fix->fb->bus, 0);
		KUNIT_EXPECT_EQ(test, queue->done, done + 1);
		KUNIT_EXPECT_EQ(test, queue->errors, 0);
	}
}
EXPORT_SYMBOL_GPL(vmt_expect_works);

MODULE_DESCRIPTION("Fakes for the KUnit tests of virtio-msg");
MODULE_LICENSE("GPL");
