// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: a virtio transport made of messages
 *
 * This is the core: virtio_config_ops in terms of the messages of transport
 * revision 1, the devices of a bus, and events. How messages travel is up to
 * the buses, see <linux/virtio_msg.h>.
 *
 * No buffer here is shared: every request and response lives on the stack of
 * whoever asks. The bus alone puts requests in order. What arrives is checked
 * in one place, virtio_msg_exchange(), before anybody looks at it. Comments
 * such as "D5" name rules of the protocol, see
 * Documentation/driver-api/virtio/virtio_msg.rst.
 */

#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_ring.h>

#define CREATE_TRACE_POINTS
#include <trace/events/virtio_msg.h>

/* How long a device may take to reset */
#define VIRTIO_MSG_RESET_TIMEOUT_MS	5000
/* How often a read or write of config space is begun again */
#define VIRTIO_MSG_CONFIG_RETRIES	32
/* Largest virtqueue of the virtio specification */
#define VIRTIO_MSG_MAX_VQ_SIZE		32768
/* Virtqueue indices are 16 bits wide in notifications */
#define VIRTIO_MSG_MAX_VQS		65536
/* Device numbers are 16 bits wide */
#define VIRTIO_MSG_MAX_DEVICES		65536
/* Feature blocks Linux knows; what a device has beyond is not read */
#define VIRTIO_MSG_FEATURE_BLOCKS	(VIRTIO_FEATURES_U64S * 2)

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

static const char *virtio_msg_name(const struct virtio_msg_header *hdr)
{
	static const char * const names[] = {
		[VIRTIO_MSG_GET_DEVICE_INFO] = "GET_DEVICE_INFO",
		[VIRTIO_MSG_GET_DEVICE_FEATURES] = "GET_DEVICE_FEATURES",
		[VIRTIO_MSG_SET_DRIVER_FEATURES] = "SET_DRIVER_FEATURES",
		[VIRTIO_MSG_GET_CONFIG] = "GET_CONFIG",
		[VIRTIO_MSG_SET_CONFIG] = "SET_CONFIG",
		[VIRTIO_MSG_GET_DEVICE_STATUS] = "GET_DEVICE_STATUS",
		[VIRTIO_MSG_SET_DEVICE_STATUS] = "SET_DEVICE_STATUS",
		[VIRTIO_MSG_GET_VQUEUE] = "GET_VQUEUE",
		[VIRTIO_MSG_SET_VQUEUE] = "SET_VQUEUE",
		[VIRTIO_MSG_RESET_VQUEUE] = "RESET_VQUEUE",
		[VIRTIO_MSG_GET_SHM] = "GET_SHM",
	};
	static const char * const bus_names[] = {
		[VIRTIO_MSG_BUS_GET_DEVICES] = "GET_DEVICES",
		[VIRTIO_MSG_BUS_PING] = "PING",
	};

	return hdr->type & VIRTIO_MSG_TYPE_BUS ? bus_names[hdr->msg_id] :
						 names[hdr->msg_id];
}

/* Largest payload that follows a message's @head bytes on this bus */
static size_t virtio_msg_room(const struct virtio_msg_bus *bus, size_t head)
{
	return min_t(size_t, bus->msg_size, VIRTIO_MSG_CORE_SIZE) - head;
}

static void virtio_msg_init(union virtio_msg *msg, u8 msg_id, size_t size)
{
	memset(msg, 0, size);
	msg->hdr.msg_id = msg_id;
	msg->hdr.msg_size = cpu_to_le16(size);
}

/*
 * Send a request, take its response: rule D16. A response shorter than @min or
 * longer than @max is none. On error nothing of @resp is to be used; one line
 * has been logged.
 */
static int virtio_msg_exchange(struct virtio_msg_bus *bus, u16 dev_num,
			       union virtio_msg *req, union virtio_msg *resp,
			       size_t min, size_t max)
{
	size_t size = 0;
	u64 start;
	int err;

	if (!(bus->flags & VIRTIO_MSG_BUS_F_ATOMIC))
		might_sleep();

	req->hdr.dev_num = cpu_to_le16(dev_num);
	memset(&resp->hdr, 0, sizeof(resp->hdr));

	trace_virtio_msg_request(bus, &req->hdr);
	start = ktime_get_mono_fast_ns();
	err = bus->ops->transfer(bus, &req->hdr, &resp->hdr, sizeof(*resp));
	trace_virtio_msg_response(bus, &req->hdr, &resp->hdr, err,
				  ktime_get_mono_fast_ns() - start);

	if (!err) {
		u8 type = resp->hdr.type & (VIRTIO_MSG_TYPE_RESPONSE |
					    VIRTIO_MSG_TYPE_BUS);

		size = le16_to_cpu(resp->hdr.msg_size);
		if (type != (req->hdr.type | VIRTIO_MSG_TYPE_RESPONSE) ||
		    resp->hdr.msg_id != req->hdr.msg_id ||
		    resp->hdr.dev_num != req->hdr.dev_num ||
		    size < min || size > max)
			err = -EPROTO;
	}
	if (err == -EPROTO)
		dev_err_ratelimited(bus->parent,
				    "virtio-msg device %u: bad response to %s: type %#x, id %#x, device %u, size %zu, expected %zu\n",
				    dev_num, virtio_msg_name(&req->hdr),
				    resp->hdr.type, resp->hdr.msg_id,
				    le16_to_cpu(resp->hdr.dev_num), size, min);
	else if (err)
		dev_err_ratelimited(bus->parent,
				    "virtio-msg device %u: no response to %s: %pe\n",
				    dev_num, virtio_msg_name(&req->hdr),
				    ERR_PTR(err));
	return err;
}

/* What @err did to a device; any context, hence only the mark and work */
static void virtio_msg_kill(struct virtio_msg_device *vmdev)
{
	if (!xchg(&vmdev->dead, true))
		schedule_work(&vmdev->break_work);
}

static void virtio_msg_break_work(struct work_struct *work)
{
	struct virtio_msg_device *vmdev =
		container_of(work, struct virtio_msg_device, break_work);

	virtio_break_device(&vmdev->vdev);
	/* The driver finds DEVICE_NEEDS_RESET in the status */
	if (READ_ONCE(vmdev->status) & VIRTIO_CONFIG_S_DRIVER)
		virtio_config_changed(&vmdev->vdev);
}

/* The response came, but says something else than was asked */
static int virtio_msg_mismatch(struct virtio_msg_device *vmdev,
			       const union virtio_msg *req, const char *what)
{
	dev_err_ratelimited(vmdev->bus->parent,
			    "virtio-msg device %u: bad response to %s: wrong %s\n",
			    vmdev->dev_num, virtio_msg_name(&req->hdr), what);
	virtio_msg_kill(vmdev);
	return -EPROTO;
}

static int __virtio_msg_call(struct virtio_msg_device *vmdev,
			     union virtio_msg *req, union virtio_msg *resp,
			     size_t min, size_t max)
{
	int err;

	if (READ_ONCE(vmdev->gone))
		return -ENODEV;
	err = virtio_msg_exchange(vmdev->bus, vmdev->dev_num, req, resp, min,
				  max);
	if (err)
		virtio_msg_kill(vmdev);
	return err;
}

/* As virtio_msg_exchange(), for a device; one that failed before is not asked */
static int virtio_msg_call(struct virtio_msg_device *vmdev,
			   union virtio_msg *req, union virtio_msg *resp,
			   size_t min, size_t max)
{
	if (READ_ONCE(vmdev->dead))
		return -EIO;
	return __virtio_msg_call(vmdev, req, resp, min, max);
}

/* Status */

static bool virtio_msg_peek(struct virtio_msg_device *vmdev,
			    struct virtio_msg_state *state)
{
	const struct virtio_msg_bus_ops *ops = vmdev->bus->ops;

	return ops->peek && !READ_ONCE(vmdev->gone) && ops->peek(vmdev, state);
}

static int virtio_msg_read_status(struct virtio_msg_device *vmdev, u32 *status)
{
	union virtio_msg req, resp;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_GET_DEVICE_STATUS, sizeof(req.hdr));
	err = __virtio_msg_call(vmdev, &req, &resp, sizeof(resp.status),
				sizeof(resp.status));
	if (!err)
		*status = le32_to_cpu(resp.status.status);
	return err;
}

static int virtio_msg_write_status(struct virtio_msg_device *vmdev, u8 status,
				   u32 *result)
{
	union virtio_msg req, resp;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_SET_DEVICE_STATUS, sizeof(req.status));
	req.status.status = cpu_to_le32(status);
	err = __virtio_msg_call(vmdev, &req, &resp, sizeof(resp.status),
				sizeof(resp.status));
	if (!err)
		*result = le32_to_cpu(resp.status.status);
	return err;
}

/*
 * What the driver set and the device side took, from the last response; what
 * can change by itself is DEVICE_NEEDS_RESET, and that comes as an event.
 */
static u8 virtio_msg_get_status(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	u8 status = READ_ONCE(vmdev->status);
	struct virtio_msg_state state;

	if (!status)
		return 0;
	if (READ_ONCE(vmdev->needs_reset) || READ_ONCE(vmdev->dead) ||
	    (virtio_msg_peek(vmdev, &state) &&
	     state.status & VIRTIO_CONFIG_S_NEEDS_RESET))
		status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	return status;
}

static void virtio_msg_set_status(struct virtio_device *vdev, u8 status)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	u32 result;

	/* As in virtio-pci: 0 is a reset, which has a function of its own */
	if (WARN_ON_ONCE(!status) || READ_ONCE(vmdev->dead))
		return;
	/* That bit is the device side's */
	status &= ~VIRTIO_CONFIG_S_NEEDS_RESET;
	if (virtio_msg_write_status(vmdev, status, &result))
		return;
	if (result & VIRTIO_CONFIG_S_NEEDS_RESET)
		WRITE_ONCE(vmdev->needs_reset, true);
	WRITE_ONCE(vmdev->status, result & status);
}

/* Rule D10 */
static int virtio_msg_wait_reset(struct virtio_msg_device *vmdev)
{
	ktime_t end = ktime_add_ms(ktime_get(), VIRTIO_MSG_RESET_TIMEOUT_MS);
	u32 status;
	int err;

	err = virtio_msg_write_status(vmdev, 0, &status);
	while (!err && status) {
		if (ktime_after(ktime_get(), end))
			return -ETIMEDOUT;
		fsleep(1000);
		err = virtio_msg_read_status(vmdev, &status);
	}
	return err;
}

/* On return no virtqueue callback is in progress */
static void virtio_msg_synchronize_cbs(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	struct virtio_msg_bus *bus = vmdev->bus;

	/* Held across callbacks, see virtio_msg_used() */
	spin_lock_irq(&vmdev->vq_lock);
	spin_unlock_irq(&vmdev->vq_lock);
	if (bus->ops->synchronize_cbs)
		bus->ops->synchronize_cbs(bus);
}

static void virtio_msg_uncache_config(struct virtio_msg_device *vmdev)
{
	scoped_guard(spinlock_irqsave, &vmdev->lock) {
		vmdev->config_cached = false;
		vmdev->config_epoch++;
	}
}

static void virtio_msg_reset(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	int err = virtio_msg_wait_reset(vmdev);

	virtio_msg_uncache_config(vmdev);
	WRITE_ONCE(vmdev->status, 0);
	WRITE_ONCE(vmdev->needs_reset, false);
	/* A device that went away took its hands off before it said so */
	if (err && err != -ENODEV) {
		vmdev->leak_vqs |= vmdev->vqs_enabled;
		dev_err(vmdev->bus->parent, "virtio-msg device %u: reset failed: %pe%s\n",
			vmdev->dev_num, ERR_PTR(err), vmdev->leak_vqs ?
			", its virtqueues' memory will not be freed" : "");
		virtio_msg_kill(vmdev);
	} else {
		cancel_work_sync(&vmdev->break_work);
		WRITE_ONCE(vmdev->dead, false);
	}
	vmdev->vqs_enabled = false;
	virtio_msg_synchronize_cbs(vdev);
}

/* Features: rule D4 */

static unsigned int virtio_msg_feature_blocks(struct virtio_msg_device *vmdev)
{
	return min_t(u32, vmdev->info.num_feature_blocks,
		     VIRTIO_MSG_FEATURE_BLOCKS);
}

static void virtio_msg_read_features(struct virtio_msg_device *vmdev,
				     u64 *features)
{
	unsigned int i, num = virtio_msg_feature_blocks(vmdev);
	union virtio_msg req, resp;
	size_t size = struct_size(&resp.features, features, num);

	virtio_features_zero(features);
	virtio_msg_init(&req, VIRTIO_MSG_GET_DEVICE_FEATURES,
			sizeof(req.get_features));
	req.get_features.num_blocks = cpu_to_le32(num);
	if (virtio_msg_call(vmdev, &req, &resp, size, size))
		return;
	if (resp.features.block_index ||
	    resp.features.num_blocks != req.get_features.num_blocks) {
		virtio_msg_mismatch(vmdev, &req, "blocks");
		return;
	}
	for (i = 0; i < num; i++)
		features[i / 2] |= (u64)le32_to_cpu(resp.features.features[i])
				   << (i % 2 * 32);
}

static int virtio_msg_write_features(struct virtio_msg_device *vmdev,
				     const u64 *features)
{
	unsigned int i, num = virtio_msg_feature_blocks(vmdev);
	union virtio_msg req, resp;

	virtio_msg_init(&req, VIRTIO_MSG_SET_DRIVER_FEATURES,
			struct_size(&req.features, features, num));
	req.features.num_blocks = cpu_to_le32(num);
	for (i = 0; i < num; i++)
		req.features.features[i] =
			cpu_to_le32(features[i / 2] >> (i % 2 * 32));
	return virtio_msg_call(vmdev, &req, &resp, sizeof(resp.hdr),
			       sizeof(resp.hdr));
}

static void virtio_msg_get_extended_features(struct virtio_device *vdev,
					     u64 *features)
{
	virtio_msg_read_features(to_virtio_msg_device(vdev), features);
}

static int virtio_msg_finalize_features(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	bool ring_reset = __virtio_test_bit(vdev, VIRTIO_F_RING_RESET);

	if (READ_ONCE(vmdev->dead))
		return -EIO;
	vring_transport_features(vdev);
	/* Ours to offer, so the ring code leaves it out */
	if (ring_reset)
		__virtio_set_bit(vdev, VIRTIO_F_RING_RESET);
	/* The ring code keeps this one whether or not the bus can do it */
	if (!(vmdev->bus->flags & VIRTIO_MSG_BUS_F_NOTIFY_DATA))
		__virtio_clear_bit(vdev, VIRTIO_F_NOTIFICATION_DATA);

	if (!__virtio_test_bit(vdev, VIRTIO_F_VERSION_1)) {
		dev_err(&vdev->dev,
			"virtio-msg needs VIRTIO_F_VERSION_1, which the device does not offer\n");
		return -EINVAL;
	}
	return virtio_msg_write_features(vmdev, vdev->features_array);
}

/* Config space */

/* Rule D13: generation() changes whenever another one than before was seen */
static void virtio_msg_saw_generation(struct virtio_msg_device *vmdev,
				      u32 generation)
{
	scoped_guard(spinlock_irqsave, &vmdev->lock) {
		if (!vmdev->generation_known || vmdev->generation != generation)
			vmdev->generation_changes++;
		vmdev->generation_known = true;
		vmdev->generation = generation;
	}
}

static int virtio_msg_read_config(struct virtio_msg_device *vmdev, u32 offset,
				  void *buf, u32 len, u32 *generation)
{
	union virtio_msg req, resp;
	size_t size = struct_size(&resp.config, data, len);
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_GET_CONFIG, sizeof(req.get_config));
	req.get_config.offset = cpu_to_le32(offset);
	req.get_config.length = cpu_to_le32(len);
	err = virtio_msg_call(vmdev, &req, &resp, size, size);
	if (err)
		return err;
	if (resp.config.offset != req.get_config.offset ||
	    resp.config.length != req.get_config.length)
		return virtio_msg_mismatch(vmdev, &req, "offset or length");
	memcpy(buf, resp.config.data, len);
	*generation = le32_to_cpu(resp.config.generation);
	virtio_msg_saw_generation(vmdev, *generation);
	return 0;
}

static bool virtio_msg_get_cached(struct virtio_msg_device *vmdev, u32 offset,
				  void *buf, u32 len, u32 generation)
{
	bool hit;

	scoped_guard(spinlock_irqsave, &vmdev->lock) {
		hit = vmdev->config_cached &&
		      vmdev->config_generation == generation;
		if (hit)
			memcpy(buf, vmdev->config + offset, len);
	}
	return hit;
}

/*
 * Read the whole config space in one message, so that the next fields cost
 * none. It is not kept if the driver wrote config meanwhile: that changes
 * fields without raising the generation.
 */
static int virtio_msg_fill_cache(struct virtio_msg_device *vmdev, u32 offset,
				 void *buf, u32 len)
{
	u8 config[VIRTIO_MSG_CORE_CONFIG];
	u32 epoch, generation;
	int err;

	scoped_guard(spinlock_irqsave, &vmdev->lock)
		epoch = vmdev->config_epoch;
	err = virtio_msg_read_config(vmdev, 0, config, vmdev->info.config_size,
				     &generation);
	if (err)
		return err;
	memcpy(buf, config + offset, len);

	scoped_guard(spinlock_irqsave, &vmdev->lock) {
		if (vmdev->config_epoch == epoch) {
			memcpy(vmdev->config, config, vmdev->info.config_size);
			vmdev->config_generation = generation;
			vmdev->config_cached = true;
		}
	}
	return 0;
}

/* Rule D5: a read that takes several messages is of one generation */
static int virtio_msg_read_split(struct virtio_msg_device *vmdev, u32 offset,
				 void *buf, u32 len)
{
	u32 room = virtio_msg_room(vmdev->bus, sizeof(struct virtio_msg_config));
	u32 done, part, generation, first = 0;
	int tries, err;

	for (tries = 0; tries < VIRTIO_MSG_CONFIG_RETRIES; tries++) {
		for (done = 0; done < len; done += part) {
			part = min(len - done, room);
			err = virtio_msg_read_config(vmdev, offset + done,
						     buf + done, part,
						     &generation);
			if (err)
				return err;
			if (!done)
				first = generation;
			else if (generation != first)
				break;
		}
		if (done >= len)
			return 0;
	}
	dev_err_ratelimited(vmdev->bus->parent,
			    "virtio-msg device %u: config changed during each of %d reads, giving up\n",
			    vmdev->dev_num, tries);
	virtio_msg_kill(vmdev);
	return -EIO;
}

/* What is outside of the config space, or cannot be read, reads as zero */
static void virtio_msg_get(struct virtio_device *vdev, unsigned int offset,
			   void *buf, unsigned int len)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	u32 size = vmdev->info.config_size;
	u32 room = virtio_msg_room(vmdev->bus, sizeof(struct virtio_msg_config));
	struct virtio_msg_state state;
	bool cache;
	u32 inside;
	int err;

	memset(buf, 0, len);
	if (offset >= size || !len)
		return;
	inside = min(len, size - offset);
	cache = size <= room && virtio_msg_peek(vmdev, &state) &&
		state.config_cacheable;
	if (cache && virtio_msg_get_cached(vmdev, offset, buf, inside,
					   state.generation))
		return;
	if (cache)
		err = virtio_msg_fill_cache(vmdev, offset, buf, inside);
	else
		err = virtio_msg_read_split(vmdev, offset, buf, inside);
	if (err)
		memset(buf, 0, len);
}

/* Returns 1 if the device side refused a stale generation: rules D6, D7 */
static int virtio_msg_write_config(struct virtio_msg_device *vmdev, u32 offset,
				   const void *buf, u32 len)
{
	bool strict = vmdev->bus->transport_features &
		      BIT(VIRTIO_MSG_F_STRICT_CONFIG_GENERATION);
	union virtio_msg req, resp;
	size_t size = struct_size(&req.config, data, len);
	u32 length;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_SET_CONFIG, size);
	if (strict)
		req.config.generation = cpu_to_le32(READ_ONCE(vmdev->generation));
	req.config.offset = cpu_to_le32(offset);
	req.config.length = cpu_to_le32(len);
	memcpy(req.config.data, buf, len);
	err = virtio_msg_call(vmdev, &req, &resp, sizeof(resp.config), size);
	if (err)
		return err;
	if (resp.config.offset != req.config.offset)
		return virtio_msg_mismatch(vmdev, &req, "offset");
	length = le32_to_cpu(resp.config.length);
	if (length != len && (length || !strict))
		return virtio_msg_mismatch(vmdev, &req, "length");
	virtio_msg_saw_generation(vmdev, le32_to_cpu(resp.config.generation));
	return length != len;
}

static int virtio_msg_write_part(struct virtio_msg_device *vmdev, u32 offset,
				 const void *buf, u32 len)
{
	u8 seen[VIRTIO_MSG_CORE_CONFIG];
	int tries, err;
	u32 generation;

	for (tries = 0; tries < VIRTIO_MSG_CONFIG_RETRIES; tries++) {
		err = virtio_msg_write_config(vmdev, offset, buf, len);
		if (err <= 0)
			return err;
		err = virtio_msg_read_config(vmdev, offset, seen, len,
					     &generation);
		if (err)
			return err;
	}
	dev_err_ratelimited(vmdev->bus->parent,
			    "virtio-msg device %u: %d writes of config refused as stale, giving up\n",
			    vmdev->dev_num, tries);
	virtio_msg_kill(vmdev);
	return -EIO;
}

static void virtio_msg_set(struct virtio_device *vdev, unsigned int offset,
			   const void *buf, unsigned int len)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	u32 room = virtio_msg_room(vmdev->bus, sizeof(struct virtio_msg_config));
	u32 size = vmdev->info.config_size;
	u32 done, part;

	if (offset > size || len > size - offset) {
		dev_err_ratelimited(&vdev->dev,
				    "driver wrote config at %u to %u, but there are %u bytes\n",
				    offset, offset + len, size);
		return;
	}
	/* Before, as what is cached gets old; after, as it may be filled again */
	virtio_msg_uncache_config(vmdev);
	for (done = 0; done < len; done += part) {
		part = min(len - done, room);
		if (virtio_msg_write_part(vmdev, offset + done, buf + done, part))
			break;
	}
	virtio_msg_uncache_config(vmdev);
}

/*
 * Drivers compare this before and after they read several fields. Every
 * response that carries config carries its generation, so there is no need to
 * ask for it: if two fields are of different generations, this changed.
 */
static u32 virtio_msg_generation(struct virtio_device *vdev)
{
	return READ_ONCE(to_virtio_msg_device(vdev)->generation_changes);
}

/* Virtqueues */

/**
 * virtio_msg_next_offset - next_offset of EVENT_AVAIL
 * @vdev: the virtio device
 * @data: what &virtio_msg_bus_ops.notify was given
 *
 * For buses that send EVENT_AVAIL as a message, see rule D12. Any context.
 *
 * Return: the offset, with VIRTIO_MSG_AVAIL_WRAP for a packed ring; 0 without
 * VIRTIO_F_NOTIFICATION_DATA.
 */
u32 virtio_msg_next_offset(struct virtio_device *vdev, u32 data)
{
	if (!__virtio_test_bit(vdev, VIRTIO_F_NOTIFICATION_DATA))
		return 0;
	if (__virtio_test_bit(vdev, VIRTIO_F_RING_PACKED))
		return ((data >> 16) & 0x7fff) | (data & VIRTIO_MSG_AVAIL_WRAP);
	return data >> 16;
}
EXPORT_SYMBOL_GPL(virtio_msg_next_offset);

static bool virtio_msg_notify(struct virtqueue *vq)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vq->vdev);
	u32 data = vq->index;

	if (READ_ONCE(vmdev->dead) || READ_ONCE(vmdev->gone))
		return false;
	if (__virtio_test_bit(vq->vdev, VIRTIO_F_NOTIFICATION_DATA))
		data = vring_notification_data(vq);
	trace_virtio_msg_notify(vmdev->bus, vmdev->dev_num, vq->index, data);
	return vmdev->bus->ops->notify(vmdev, vq, data);
}

/* Returns the size the device side can do, 0 for no such queue: rule D8 */
static int virtio_msg_query_vq(struct virtio_msg_device *vmdev, u32 index)
{
	union virtio_msg req, resp;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_GET_VQUEUE, sizeof(req.vqueue));
	req.vqueue.index = cpu_to_le32(index);
	err = virtio_msg_call(vmdev, &req, &resp, sizeof(resp.get_vqueue_resp),
			      sizeof(resp.get_vqueue_resp));
	if (err)
		return err;
	if (resp.get_vqueue_resp.index != req.vqueue.index)
		return virtio_msg_mismatch(vmdev, &req, "index");
	if (resp.get_vqueue_resp.flags & cpu_to_le32(VIRTIO_MSG_VQUEUE_ENABLED)) {
		dev_err(&vmdev->vdev.dev, "virtqueue %u is already enabled\n",
			index);
		return -EBUSY;
	}
	return min_t(u32, le32_to_cpu(resp.get_vqueue_resp.max_size),
		     VIRTIO_MSG_MAX_VQ_SIZE);
}

/* From here on the device side uses the ring, and its interrupts find it */
static int virtio_msg_enable_vq(struct virtqueue *vq)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vq->vdev);
	union virtio_msg req, resp;

	virtio_msg_init(&req, VIRTIO_MSG_SET_VQUEUE, sizeof(req.set_vqueue));
	req.set_vqueue.index = cpu_to_le32(vq->index);
	req.set_vqueue.flags = cpu_to_le32(VIRTIO_MSG_VQUEUE_ENABLED);
	req.set_vqueue.size = cpu_to_le32(virtqueue_get_vring_size(vq));
	req.set_vqueue.desc_addr = cpu_to_le64(virtqueue_get_desc_addr(vq));
	req.set_vqueue.driver_addr = cpu_to_le64(virtqueue_get_avail_addr(vq));
	req.set_vqueue.device_addr = cpu_to_le64(virtqueue_get_used_addr(vq));

	scoped_guard(spinlock_irq, &vmdev->vq_lock)
		vmdev->vqs[vq->index] = vq;
	/* Even if it fails: the device side may have done it */
	vmdev->vqs_enabled = true;
	return virtio_msg_call(vmdev, &req, &resp, sizeof(resp.hdr),
			       sizeof(resp.hdr));
}

static struct virtqueue *virtio_msg_setup_vq(struct virtio_msg_device *vmdev,
					     unsigned int index,
					     const struct virtqueue_info *vqi)
{
	struct virtio_device *vdev = &vmdev->vdev;
	struct virtqueue *vq;
	int size, max;
	int err;

	max = virtio_msg_query_vq(vmdev, index);
	if (max < 0)
		return ERR_PTR(max);
	if (!max)
		return ERR_PTR(-ENOENT);
	size = max;
	/* Only packed rings come in every size */
	if (!__virtio_test_bit(vdev, VIRTIO_F_RING_PACKED))
		size = rounddown_pow_of_two(max);

	vq = vring_create_virtqueue(index, size, SMP_CACHE_BYTES, vdev, true,
				    true, vqi->ctx, virtio_msg_notify,
				    vqi->callback, vqi->name);
	if (!vq)
		return ERR_PTR(-ENOMEM);
	vq->num_max = size;

	/* On failure the caller resets the device before vq is deleted */
	err = virtio_msg_enable_vq(vq);
	return err ? ERR_PTR(err) : vq;
}

/* After a reset that failed the device may still write: that memory is lost */
static void virtio_msg_leak_vq(struct virtqueue *vq)
{
	scoped_guard(spinlock, &vq->vdev->vqs_list_lock)
		list_del(&vq->list);
}

static void virtio_msg_del_vqs(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	struct virtqueue *vq, *next;
	struct virtqueue **vqs;

	/* A driver that gives up in probe does not reset the device itself */
	if (vmdev->vqs_enabled)
		virtio_msg_reset(vdev);

	scoped_guard(spinlock_irq, &vmdev->vq_lock) {
		vqs = vmdev->vqs;
		vmdev->vqs = NULL;
		vmdev->num_vqs = 0;
	}
	virtio_msg_synchronize_cbs(vdev);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list) {
		if (vmdev->leak_vqs)
			virtio_msg_leak_vq(vq);
		else
			vring_del_virtqueue(vq);
	}
	vmdev->leak_vqs = false;
	kfree(vqs);
}

/* Room for the virtqueues that have a name: their indices have no gaps */
static int virtio_msg_alloc_vqs(struct virtio_msg_device *vmdev,
				const struct virtqueue_info vqs_info[],
				unsigned int nvqs)
{
	unsigned int i, num = 0;
	struct virtqueue **vqs;

	for (i = 0; i < nvqs; i++)
		num += !!vqs_info[i].name;
	if (num > min_t(u32, vmdev->info.max_virtqueues, VIRTIO_MSG_MAX_VQS))
		return -ENOENT;
	vqs = kcalloc(num, sizeof(*vqs), GFP_KERNEL);
	if (!vqs)
		return -ENOMEM;
	scoped_guard(spinlock_irq, &vmdev->vq_lock) {
		vmdev->vqs = vqs;
		vmdev->num_vqs = num;
	}
	return 0;
}

static int virtio_msg_find_vqs(struct virtio_device *vdev, unsigned int nvqs,
			       struct virtqueue *vqs[],
			       struct virtqueue_info vqs_info[],
			       struct irq_affinity *desc)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	unsigned int i, index = 0;
	int err;

	if (READ_ONCE(vmdev->gone))
		return -ENODEV;
	if (READ_ONCE(vmdev->dead))
		return -EIO;
	err = virtio_msg_alloc_vqs(vmdev, vqs_info, nvqs);
	if (err)
		return err;
	for (i = 0; i < nvqs; i++) {
		if (!vqs_info[i].name) {
			vqs[i] = NULL;
			continue;
		}
		vqs[i] = virtio_msg_setup_vq(vmdev, index++, &vqs_info[i]);
		if (IS_ERR(vqs[i])) {
			err = PTR_ERR(vqs[i]);
			virtio_msg_del_vqs(vdev);
			return err;
		}
	}
	return 0;
}

/* Rule D9 */
static int virtio_msg_disable_vq_and_reset(struct virtqueue *vq)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vq->vdev);
	union virtio_msg req, resp;
	int err;

	if (!__virtio_test_bit(vq->vdev, VIRTIO_F_RING_RESET))
		return -ENOENT;
	virtio_msg_init(&req, VIRTIO_MSG_RESET_VQUEUE, sizeof(req.vqueue));
	req.vqueue.index = cpu_to_le32(vq->index);
	err = virtio_msg_call(vmdev, &req, &resp, sizeof(resp.hdr),
			      sizeof(resp.hdr));
	if (err)
		return err;
	scoped_guard(spinlock_irq, &vmdev->vq_lock)
		vmdev->vqs[vq->index] = NULL;
	virtio_msg_synchronize_cbs(vq->vdev);
	vq->reset = true;
	return 0;
}

static int virtio_msg_enable_vq_after_reset(struct virtqueue *vq)
{
	int err;

	if (!vq->reset)
		return -EBUSY;
	err = virtio_msg_enable_vq(vq);
	if (err)
		return err;
	vq->reset = false;
	return 0;
}

/* Shared memory */

static bool virtio_msg_get_shm_region(struct virtio_device *vdev,
				      struct virtio_shm_region *region, u8 id)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	const struct resource *window = vmdev->bus->window;
	union virtio_msg req, resp;
	u64 addr, len, end;

	virtio_msg_init(&req, VIRTIO_MSG_GET_SHM, sizeof(req.get_shm));
	req.get_shm.shmid = cpu_to_le32(id);
	if (virtio_msg_call(vmdev, &req, &resp, sizeof(resp.get_shm_resp),
			    sizeof(resp.get_shm_resp)))
		return false;
	if (resp.get_shm_resp.shmid != req.get_shm.shmid) {
		virtio_msg_mismatch(vmdev, &req, "region");
		return false;
	}
	addr = le64_to_cpu(resp.get_shm_resp.address);
	len = le64_to_cpu(resp.get_shm_resp.length);
	if (!len)
		return false;
	if (check_add_overflow(addr, len - 1, &end) ||
	    end > (phys_addr_t)-1 ||
	    (window && addr <= window->end && end >= window->start) ||
	    region_intersects(addr, len, IORESOURCE_SYSTEM_RAM,
			      IORES_DESC_NONE) != REGION_DISJOINT) {
		dev_err(&vdev->dev,
			"shared memory region %u at %#llx, %#llx bytes, is not outside of memory in use, ignored\n",
			id, addr, len);
		return false;
	}
	region->addr = addr;
	region->len = len;
	return true;
}

static const char *virtio_msg_bus_name(struct virtio_device *vdev)
{
	return dev_name(to_virtio_msg_device(vdev)->bus->parent);
}

/* No affinity: what one interrupt of the bus means is for all virtqueues */
static const struct virtio_config_ops virtio_msg_config_ops = {
	.get = virtio_msg_get,
	.set = virtio_msg_set,
	.generation = virtio_msg_generation,
	.get_status = virtio_msg_get_status,
	.set_status = virtio_msg_set_status,
	.reset = virtio_msg_reset,
	.find_vqs = virtio_msg_find_vqs,
	.del_vqs = virtio_msg_del_vqs,
	.synchronize_cbs = virtio_msg_synchronize_cbs,
	.get_extended_features = virtio_msg_get_extended_features,
	.finalize_features = virtio_msg_finalize_features,
	.bus_name = virtio_msg_bus_name,
	.get_shm_region = virtio_msg_get_shm_region,
	.disable_vq_and_reset = virtio_msg_disable_vq_and_reset,
	.enable_vq_after_reset = virtio_msg_enable_vq_after_reset,
};

/* Events */

/* The caller holds the RCU read lock, so the device stays while it is used */
static struct virtio_msg_device *virtio_msg_find(struct virtio_msg_bus *bus,
						 u16 dev_num)
{
	struct virtio_msg_device *vmdev = xa_load(&bus->devices, dev_num);

	return vmdev && !READ_ONCE(vmdev->gone) ? vmdev : NULL;
}

/*
 * Rule D14. The lock is held across the callback: a virtqueue that was taken
 * out of the array is not in use any more. vdev->vqs is not for interrupts.
 */
static irqreturn_t virtio_msg_used(struct virtio_msg_device *vmdev, u32 first,
				   u32 last)
{
	irqreturn_t ret = IRQ_NONE;
	u32 i;

	scoped_guard(spinlock_irqsave, &vmdev->vq_lock) {
		for (i = first; i < vmdev->num_vqs && i <= last; i++)
			if (vmdev->vqs[i])
				ret |= vring_interrupt(0, vmdev->vqs[i]);
	}
	return ret;
}

/* Rule D13 */
static void virtio_msg_config_event(struct virtio_msg_device *vmdev, u32 status)
{
	u8 mine = READ_ONCE(vmdev->status);

	/* After a reset there is nothing a late event could be about */
	if (!(mine & VIRTIO_CONFIG_S_DRIVER))
		return;
	if (status & VIRTIO_CONFIG_S_NEEDS_RESET &&
	    !xchg(&vmdev->needs_reset, true))
		dev_err_ratelimited(&vmdev->vdev.dev, "device needs a reset\n");
	virtio_config_changed(&vmdev->vdev);
}

/**
 * virtio_msg_used_interrupt - look at all virtqueues of a device
 * @bus: the bus
 * @dev_num: the device; one that does not exist is ignored
 *
 * EVENT_USED without a message, for every virtqueue (rule B6). Drivers'
 * callbacks run before this returns. Any context but NMI.
 *
 * Return: IRQ_HANDLED if a virtqueue had something, otherwise IRQ_NONE.
 */
irqreturn_t virtio_msg_used_interrupt(struct virtio_msg_bus *bus, u16 dev_num)
{
	struct virtio_msg_device *vmdev;

	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	return vmdev ? virtio_msg_used(vmdev, 0, U32_MAX) : IRQ_NONE;
}
EXPORT_SYMBOL_GPL(virtio_msg_used_interrupt);

/**
 * virtio_msg_config_interrupt - config space or status of a device changed
 * @bus: the bus
 * @dev_num: the device; one that does not exist is ignored
 *
 * EVENT_CONFIG without a message (rule B6). The core finds out what changed:
 * from &virtio_msg_bus_ops.peek or else by asking, so without peek this is for
 * buses with VIRTIO_MSG_BUS_F_ATOMIC. Any context but NMI.
 */
void virtio_msg_config_interrupt(struct virtio_msg_bus *bus, u16 dev_num)
{
	struct virtio_msg_device *vmdev;
	struct virtio_msg_state state;
	u32 status;

	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	if (!vmdev || READ_ONCE(vmdev->dead))
		return;
	if (virtio_msg_peek(vmdev, &state)) {
		virtio_msg_saw_generation(vmdev, state.generation);
		status = state.status;
	} else if (virtio_msg_read_status(vmdev, &status)) {
		return;
	}
	virtio_msg_config_event(vmdev, status);
}
EXPORT_SYMBOL_GPL(virtio_msg_config_interrupt);

static void virtio_msg_event_config(struct virtio_msg_bus *bus,
				    const struct virtio_msg_event_config *event,
				    u16 dev_num, size_t size)
{
	struct virtio_msg_device *vmdev;

	if (size < sizeof(*event) ||
	    le32_to_cpu(event->length) > size - sizeof(*event))
		return;
	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	if (!vmdev)
		return;
	virtio_msg_saw_generation(vmdev, le32_to_cpu(event->generation));
	virtio_msg_config_event(vmdev, le32_to_cpu(event->device_status));
}

static void virtio_msg_event_used(struct virtio_msg_bus *bus,
				  const struct virtio_msg_vqueue *event,
				  u16 dev_num, size_t size)
{
	struct virtio_msg_device *vmdev;
	u32 index;

	if (size < sizeof(*event))
		return;
	index = le32_to_cpu(event->index);
	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	if (vmdev)
		virtio_msg_used(vmdev, index, index);
}

/**
 * virtio_msg_event - take an event message from the device side
 * @bus: the bus it came by
 * @msg: the message; the other side must not be able to change it any more
 * @size: how many bytes there are at @msg
 *
 * What is malformed, unknown or about no device is ignored (rule D17), so a bus
 * may hand up whatever is not a response. Drivers' callbacks run before this
 * returns. Any context but NMI.
 */
void virtio_msg_event(struct virtio_msg_bus *bus,
		      const struct virtio_msg_header *msg, size_t size)
{
	u16 dev_num;

	if (size < sizeof(*msg) || le16_to_cpu(msg->msg_size) < sizeof(*msg) ||
	    le16_to_cpu(msg->msg_size) > size ||
	    msg->type & VIRTIO_MSG_TYPE_RESPONSE)
		return;
	trace_virtio_msg_event(bus, msg);
	size = le16_to_cpu(msg->msg_size);
	dev_num = le16_to_cpu(msg->dev_num);

	if (msg->type & VIRTIO_MSG_TYPE_BUS) {
		/* Events repeat and overtake each other: go and look (B8) */
		if (msg->msg_id == VIRTIO_MSG_BUS_EVENT_DEVICE &&
		    size >= sizeof(struct virtio_msg_bus_event_device))
			virtio_msg_rescan_bus(bus);
		return;
	}
	switch (msg->msg_id) {
	case VIRTIO_MSG_EVENT_CONFIG:
		virtio_msg_event_config(bus, (const void *)msg, dev_num, size);
		break;
	case VIRTIO_MSG_EVENT_USED:
		virtio_msg_event_used(bus, (const void *)msg, dev_num, size);
		break;
	}
}
EXPORT_SYMBOL_GPL(virtio_msg_event);

/* Devices of a bus */

static void virtio_msg_release(struct device *dev)
{
	kfree(to_virtio_msg_device(dev_to_virtio(dev)));
}

/* Rule D1 */
static int virtio_msg_read_info(struct virtio_msg_bus *bus, u16 dev_num,
				struct virtio_msg_info *info)
{
	union virtio_msg req, resp;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_GET_DEVICE_INFO, sizeof(req.hdr));
	err = virtio_msg_exchange(bus, dev_num, &req, &resp, sizeof(resp.info),
				  sizeof(resp.info));
	if (err)
		return err;
	info->device_id = le32_to_cpu(resp.info.device_id);
	info->vendor_id = le32_to_cpu(resp.info.vendor_id);
	info->num_feature_blocks = le32_to_cpu(resp.info.num_feature_blocks);
	info->config_size = le32_to_cpu(resp.info.config_size);
	info->max_virtqueues = le32_to_cpu(resp.info.max_virtqueues);
	return 0;
}

/* No event finds the device any more, and none that found it goes on */
static void virtio_msg_hide(struct virtio_msg_device *vmdev)
{
	xa_erase(&vmdev->bus->devices, vmdev->dev_num);
	synchronize_rcu();
	cancel_work_sync(&vmdev->break_work);
}

static int virtio_msg_add(struct virtio_msg_bus *bus, u16 dev_num,
			  const struct virtio_msg_info *info)
{
	struct virtio_msg_device *vmdev;
	int err;

	vmdev = kzalloc_obj(*vmdev);
	if (!vmdev)
		return -ENOMEM;
	vmdev->bus = bus;
	vmdev->dev_num = dev_num;
	vmdev->info = *info;
	spin_lock_init(&vmdev->lock);
	spin_lock_init(&vmdev->vq_lock);
	INIT_WORK(&vmdev->break_work, virtio_msg_break_work);
	vmdev->vdev.id.device = info->device_id;
	vmdev->vdev.id.vendor = info->vendor_id;
	vmdev->vdev.config = &virtio_msg_config_ops;
	vmdev->vdev.dev.parent = bus->parent;
	vmdev->vdev.dev.release = virtio_msg_release;
	/* register_virtio_device() sets them up after its first messages */
	INIT_LIST_HEAD(&vmdev->vdev.vqs);
	spin_lock_init(&vmdev->vdev.vqs_list_lock);

	err = xa_insert(&bus->devices, dev_num, vmdev, GFP_KERNEL);
	if (err) {
		kfree(vmdev);
		return err;
	}
	err = register_virtio_device(&vmdev->vdev);
	if (err) {
		virtio_msg_hide(vmdev);
		put_device(&vmdev->vdev.dev);
	}
	return err;
}

/* Interrupts go on until the driver has let go: it may wait for I/O */
static void virtio_msg_remove(struct virtio_msg_device *vmdev)
{
	get_device(&vmdev->vdev.dev);
	unregister_virtio_device(&vmdev->vdev);
	virtio_msg_hide(vmdev);
	put_device(&vmdev->vdev.dev);
}

/* Rule D15: the device is not there any more, its driver is yet to know */
static void virtio_msg_remove_gone(struct virtio_msg_device *vmdev)
{
	WRITE_ONCE(vmdev->gone, true);
	virtio_break_device(&vmdev->vdev);
	dev_info(&vmdev->vdev.dev, "device removed\n");
	virtio_msg_remove(vmdev);
}

/* Has the device that was known been replaced by another of its kind? */
static bool virtio_msg_replaced(struct virtio_msg_device *vmdev)
{
	u8 mine = READ_ONCE(vmdev->status);
	u32 status;

	/* It did not even let itself be reset, but answers now */
	if (!mine)
		return READ_ONCE(vmdev->dead);
	if (virtio_msg_read_status(vmdev, &status))
		return false;
	return !status && READ_ONCE(vmdev->status) == mine;
}

/* Make what is known of a device number what the device side says of it */
static int virtio_msg_scan_one(struct virtio_msg_bus *bus, u16 dev_num)
{
	struct virtio_msg_device *vmdev = xa_load(&bus->devices, dev_num);
	struct virtio_msg_info info;
	int err;

	err = virtio_msg_read_info(bus, dev_num, &info);
	if (err)
		return err;
	if (vmdev && (memcmp(&vmdev->info, &info, sizeof(info)) ||
		      virtio_msg_replaced(vmdev))) {
		virtio_msg_remove_gone(vmdev);
		vmdev = NULL;
	}
	if (vmdev || !info.device_id)
		return 0;
	if (bus->scanned && bus->ops->arrive) {
		err = bus->ops->arrive(bus) ?:
		      virtio_msg_read_info(bus, dev_num, &info);
		if (err || !info.device_id)
			return err;
	}
	err = virtio_msg_add(bus, dev_num, &info);
	if (err)
		dev_err(bus->parent,
			"virtio-msg device %u: cannot be registered: %pe\n",
			dev_num, ERR_PTR(err));
	return err;
}

/* Rule B8: one window of device numbers, the next one's offset in *@offset */
static int virtio_msg_get_devices(struct virtio_msg_bus *bus, u32 *offset,
				  unsigned long *bitmap, u32 *count)
{
	const size_t head = sizeof(struct virtio_msg_bus_get_devices_resp);
	union virtio_msg req, resp;
	u32 i, next;
	int err;

	*count = min_t(u32, virtio_msg_room(bus, head) * 8,
		       VIRTIO_MSG_MAX_DEVICES - *offset);
	virtio_msg_init(&req, VIRTIO_MSG_BUS_GET_DEVICES,
			sizeof(req.get_devices));
	req.hdr.type = VIRTIO_MSG_TYPE_BUS;
	req.get_devices.offset = cpu_to_le16(*offset);
	req.get_devices.count = cpu_to_le16(*count);
	err = virtio_msg_exchange(bus, 0, &req, &resp, head,
				  head + *count / 8);
	if (err)
		return err;
	next = le16_to_cpu(resp.get_devices_resp.next_offset);
	if (resp.get_devices_resp.offset != req.get_devices.offset ||
	    le16_to_cpu(resp.get_devices_resp.count) > *count ||
	    le16_to_cpu(resp.get_devices_resp.count) % 8 ||
	    le16_to_cpu(resp.hdr.msg_size) !=
	    head + le16_to_cpu(resp.get_devices_resp.count) / 8 ||
	    (next && (next <= *offset || next % 8))) {
		dev_err_ratelimited(bus->parent,
				    "virtio-msg: bad response to GET_DEVICES: wrong window\n");
		return -EPROTO;
	}
	*count = le16_to_cpu(resp.get_devices_resp.count);
	for (i = 0; i < *count; i++)
		__assign_bit(i, bitmap,
			     resp.get_devices_resp.bitmap[i / 8] & BIT(i % 8));
	*offset = next;
	return 0;
}

static int virtio_msg_scan_bitmap(struct virtio_msg_bus *bus)
{
	DECLARE_BITMAP(bitmap, VIRTIO_MSG_CORE_SIZE * 8);
	struct virtio_msg_device *vmdev;
	u32 first, i, count, offset = 0;
	unsigned long num;
	int err, ret = 0;

	do {
		first = offset;
		err = virtio_msg_get_devices(bus, &offset, bitmap, &count);
		if (err)
			return err;
		/* What the bitmap leaves out, up to the next window, is not there */
		xa_for_each_range(&bus->devices, num, vmdev, first,
				  (offset ?: VIRTIO_MSG_MAX_DEVICES) - 1)
			if (num - first >= count ||
			    !test_bit(num - first, bitmap))
				virtio_msg_remove_gone(vmdev);
		for_each_set_bit(i, bitmap, count) {
			err = virtio_msg_scan_one(bus, first + i);
			ret = ret ?: err;
		}
	} while (offset);
	return ret;
}

static int virtio_msg_scan(struct virtio_msg_bus *bus)
{
	int err, ret = 0;
	u32 i;

	guard(mutex)(&bus->lock);
	if (bus->flags & VIRTIO_MSG_BUS_F_GET_DEVICES) {
		ret = virtio_msg_scan_bitmap(bus);
	} else {
		for (i = 0; i < bus->num_slots; i++) {
			err = virtio_msg_scan_one(bus, i);
			ret = ret ?: err;
		}
	}
	bus->scanned = true;
	return ret;
}

static void virtio_msg_scan_work(struct work_struct *work)
{
	/* Whatever went wrong has been logged */
	virtio_msg_scan(container_of(work, struct virtio_msg_bus, scan_work));
}

/**
 * virtio_msg_rescan_bus - look which devices are there
 * @bus: the bus
 *
 * For buses that learn by other means than EVENT_DEVICE that a device came or
 * went. A work item looks at all device numbers, adds and removes. Any context.
 */
void virtio_msg_rescan_bus(struct virtio_msg_bus *bus)
{
	queue_work(system_long_wq, &bus->scan_work);
}
EXPORT_SYMBOL_GPL(virtio_msg_rescan_bus);

/**
 * virtio_msg_ping - ask whether the device side is alive
 * @bus: a bus that supports PING
 * @data: any value
 *
 * Context: as &virtio_msg_bus_ops.transfer.
 *
 * Return: 0 if @data came back unchanged, -EPROTO if something else did, or
 * what the bus returned.
 */
int virtio_msg_ping(struct virtio_msg_bus *bus, u32 data)
{
	union virtio_msg req, resp;
	int err;

	virtio_msg_init(&req, VIRTIO_MSG_BUS_PING, sizeof(req.ping));
	req.hdr.type = VIRTIO_MSG_TYPE_BUS;
	req.ping.data = cpu_to_le32(data);
	err = virtio_msg_exchange(bus, 0, &req, &resp, sizeof(resp.ping),
				  sizeof(resp.ping));
	if (err)
		return err;
	return resp.ping.data == req.ping.data ? 0 : -EPROTO;
}
EXPORT_SYMBOL_GPL(virtio_msg_ping);

/* Buses */

static int virtio_msg_enable_events(struct virtio_msg_bus *bus)
{
	return bus->ops->enable_events ? bus->ops->enable_events(bus) : 0;
}

static void virtio_msg_disable_events(struct virtio_msg_bus *bus)
{
	if (bus->ops->disable_events)
		bus->ops->disable_events(bus);
}

static void virtio_msg_remove_all(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long i;

	guard(mutex)(&bus->lock);
	xa_for_each(&bus->devices, i, vmdev)
		virtio_msg_remove(vmdev);
}

/**
 * virtio_msg_register_bus - add a bus and find its devices
 * @bus: filled in by the caller, see &struct virtio_msg_bus
 *
 * On return the devices that were found are registered. Devices that arrive or
 * leave later are added and removed by a work item. Process context.
 *
 * Return: 0, also without any device; -EINVAL if the bus breaks the protocol's
 * limits (rules B1, D2); the error of a message or of a device's registration,
 * and then nothing is left registered.
 */
int virtio_msg_register_bus(struct virtio_msg_bus *bus)
{
	int err;

	if (bus->revision != VIRTIO_MSG_REVISION_1) {
		dev_err(bus->parent, "virtio-msg revision %u is not supported, only %u is\n",
			bus->revision, VIRTIO_MSG_REVISION_1);
		return -EINVAL;
	}
	if (bus->msg_size < VIRTIO_MSG_SIZE_MIN) {
		dev_err(bus->parent, "virtio-msg message size %u is below the minimum of %u\n",
			bus->msg_size, VIRTIO_MSG_SIZE_MIN);
		return -EINVAL;
	}
	mutex_init(&bus->lock);
	xa_init(&bus->devices);
	INIT_WORK(&bus->scan_work, virtio_msg_scan_work);
	bus->scanned = false;
	err = virtio_msg_enable_events(bus);
	if (err)
		return err;
	err = virtio_msg_scan(bus);
	if (err)
		virtio_msg_unregister_bus(bus);
	return err;
}
EXPORT_SYMBOL_GPL(virtio_msg_register_bus);

/**
 * virtio_msg_unregister_bus - remove a bus and its devices
 * @bus: a registered bus
 *
 * Devices are reset and removed while the bus still works. On return nothing
 * uses the bus any more. Process context.
 */
void virtio_msg_unregister_bus(struct virtio_msg_bus *bus)
{
	/* Only afterwards, as devices in use need their interrupts to stop */
	disable_work_sync(&bus->scan_work);
	virtio_msg_remove_all(bus);
	virtio_msg_disable_events(bus);
	xa_destroy(&bus->devices);
}
EXPORT_SYMBOL_GPL(virtio_msg_unregister_bus);

/**
 * virtio_msg_shutdown_bus - quiet all devices of a bus
 * @bus: a registered bus
 *
 * For a bus's shutdown callback: no device uses memory any more when this
 * returns, and no event comes. Process context.
 */
void virtio_msg_shutdown_bus(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long i;

	disable_work_sync(&bus->scan_work);
	guard(mutex)(&bus->lock);
	xa_for_each(&bus->devices, i, vmdev) {
		virtio_break_device(&vmdev->vdev);
		/* The virtio bus has usually done so before */
		if (READ_ONCE(vmdev->status))
			virtio_msg_reset(&vmdev->vdev);
	}
	virtio_msg_disable_events(bus);
}
EXPORT_SYMBOL_GPL(virtio_msg_shutdown_bus);

#ifdef CONFIG_PM_SLEEP
/**
 * virtio_msg_freeze_bus - put the devices of a bus to sleep
 * @bus: a registered bus
 *
 * For a bus's freeze and suspend callbacks. On success all devices are reset
 * and no event comes; the bus sends nothing until virtio_msg_restore_bus().
 * Process context.
 *
 * Return: 0 or the error of a driver; then everything goes on as before.
 */
int virtio_msg_freeze_bus(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev, *failed = NULL;
	unsigned long i;
	int err = 0;

	disable_work_sync(&bus->scan_work);
	guard(mutex)(&bus->lock);
	xa_for_each(&bus->devices, i, vmdev) {
		err = virtio_device_freeze(&vmdev->vdev);
		if (err) {
			failed = vmdev;
			break;
		}
		/* Not all drivers can freeze, or one is not bound at all */
		if (READ_ONCE(vmdev->status))
			virtio_msg_reset(&vmdev->vdev);
	}
	if (!err) {
		virtio_msg_disable_events(bus);
		return 0;
	}
	xa_for_each(&bus->devices, i, vmdev) {
		if (vmdev == failed)
			break;
		virtio_device_restore(&vmdev->vdev);
	}
	enable_work(&bus->scan_work);
	return err;
}
EXPORT_SYMBOL_GPL(virtio_msg_freeze_bus);

/**
 * virtio_msg_restore_bus - wake the devices of a bus
 * @bus: a bus after virtio_msg_freeze_bus(), able to transfer again
 *
 * For a bus's restore and resume callbacks. A device that is another one than
 * before is not restored but replaced. Process context.
 *
 * Return: 0 or the first error; the other devices are restored all the same.
 */
int virtio_msg_restore_bus(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	struct virtio_msg_info info;
	unsigned long i;
	int err, ret;

	ret = virtio_msg_enable_events(bus);
	if (ret)
		return ret;
	scoped_guard(mutex, &bus->lock) {
		xa_for_each(&bus->devices, i, vmdev) {
			err = virtio_msg_read_info(bus, vmdev->dev_num, &info);
			if (!err && !memcmp(&vmdev->info, &info, sizeof(info)))
				err = virtio_device_restore(&vmdev->vdev);
			ret = ret ?: err;
		}
	}
	/* What came, went or changed while nobody listened */
	enable_work(&bus->scan_work);
	virtio_msg_rescan_bus(bus);
	return ret;
}
EXPORT_SYMBOL_GPL(virtio_msg_restore_bus);
#endif

MODULE_DESCRIPTION("Virtio transport made of messages");
MODULE_LICENSE("GPL");
