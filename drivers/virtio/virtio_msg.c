// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: a virtio transport made of messages
 *
 * This is virtio_config_ops in terms of the messages of transport revision 1.
 * Which devices there are, and events, is in virtio_msg_bus.c; how messages
 * travel is up to the buses, see <linux/virtio_msg.h>.
 *
 * No buffer here is shared: every request and response lives on the stack of
 * whoever asks. The bus alone puts requests in order, for which a bus with room
 * for one at a time has virtio_msg_mailbox.c. What arrives is checked
 * in one place, virtio_msg_exchange(), before anybody looks at it. Comments
 * such as "D5" name rules of the protocol, see
 * Documentation/driver-api/virtio/virtio_msg.rst.
 */

#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/ioport.h>
#include <linux/irq.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_ring.h>

#define CREATE_TRACE_POINTS
#include <trace/events/virtio_msg.h>

#include "virtio_msg_core.h"

/* How long a device may take to reset */
#define VIRTIO_MSG_RESET_TIMEOUT_MS	5000
/* How often a read or write of config space is begun again */
#define VIRTIO_MSG_CONFIG_RETRIES	32
/* Largest virtqueue of the virtio specification */
#define VIRTIO_MSG_MAX_VQ_SIZE		32768
/* Virtqueue indices are 16 bits wide in notifications */
#define VIRTIO_MSG_MAX_VQS		65536
/* Feature blocks Linux knows; what a device has beyond is not read */
#define VIRTIO_MSG_FEATURE_BLOCKS	(VIRTIO_FEATURES_U64S * 2)

static const char *virtio_msg_name(const struct virtio_msg_header *hdr)
{
	/* Requests are made in this file and in virtio_msg_bus.c: each has a name */
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
size_t virtio_msg_room(const struct virtio_msg_bus *bus, size_t head)
{
	return min_t(size_t, bus->msg_size, VIRTIO_MSG_CORE_SIZE) - head;
}

void virtio_msg_init(union virtio_msg *msg, u8 msg_id, size_t size)
{
	memset(msg, 0, size);
	msg->hdr.msg_id = msg_id;
	msg->hdr.msg_size = cpu_to_le16(size);
}

/*
 * Has the bus to do without sleeping? If preemption is counted, whatever forbids
 * it can be seen. If not, a spinlock leaves no trace; then what drivers ask for
 * by themselves, in whatever context, is waited for awake.
 */
static bool virtio_msg_atomic(const struct virtio_msg_header *req)
{
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT))
		return !preemptible() || rcu_preempt_depth();
	if (irqs_disabled() || in_interrupt())
		return true;
	if (req->type & VIRTIO_MSG_TYPE_BUS)
		return req->msg_id == VIRTIO_MSG_BUS_PING;
	return req->msg_id == VIRTIO_MSG_GET_CONFIG ||
	       req->msg_id == VIRTIO_MSG_SET_CONFIG;
}

/*
 * Send a request, take its response: rule D16. A response shorter than @min or
 * longer than @max is none. On error nothing of @resp is to be used; one line
 * has been logged.
 */
int virtio_msg_exchange(struct virtio_msg_bus *bus, u16 dev_num,
			union virtio_msg *req, union virtio_msg *resp,
			size_t min, size_t max)
{
	bool traced = trace_virtio_msg_response_enabled();
	bool atomic = false;
	size_t size = 0;
	u64 start = 0;
	int err;

	if (bus->flags & VIRTIO_MSG_BUS_F_ATOMIC)
		atomic = virtio_msg_atomic(&req->hdr);
	else
		might_sleep();

	req->hdr.dev_num = cpu_to_le16(dev_num);
	memset(&resp->hdr, 0, sizeof(resp->hdr));

	trace_virtio_msg_request(bus, &req->hdr);
	/* Clocks may be slow to read, and are for the trace only */
	if (traced)
		start = ktime_get_mono_fast_ns();
	err = bus->ops->transfer(bus, &req->hdr, &resp->hdr, sizeof(*resp),
				 atomic);
	if (traced)
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

void virtio_msg_break_work(struct work_struct *work)
{
	struct virtio_msg_device *vmdev =
		container_of(work, struct virtio_msg_device, break_work);

	virtio_break_device(&vmdev->vdev);
	/* No event told the driver to look at the status */
	if (READ_ONCE(vmdev->dead) &&
	    READ_ONCE(vmdev->status) & VIRTIO_CONFIG_S_DRIVER)
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

bool virtio_msg_peek(struct virtio_msg_device *vmdev,
		     struct virtio_msg_state *state)
{
	const struct virtio_msg_bus_ops *ops = vmdev->bus->ops;

	return ops->peek && !READ_ONCE(vmdev->gone) && ops->peek(vmdev, state);
}

int virtio_msg_read_status(struct virtio_msg_device *vmdev, u32 *status)
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
	ktime_t end;
	u32 status;
	int err;

	err = virtio_msg_write_status(vmdev, 0, &status);
	/* The response may have been waited for, too */
	end = ktime_add_ms(ktime_get(), VIRTIO_MSG_RESET_TIMEOUT_MS);
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

	/* Not for nothing: a device is reset before it has virtqueues, too */
	if (rcu_access_pointer(vmdev->vqs))
		synchronize_rcu();
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

void virtio_msg_reset(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	int err = virtio_msg_wait_reset(vmdev);

	virtio_msg_uncache_config(vmdev);
	WRITE_ONCE(vmdev->status, 0);
	/* A device that went away took its hands off before it said so */
	if (err && err != -ENODEV) {
		vmdev->leak_vqs |= vmdev->vqs_enabled;
		dev_err(vmdev->bus->parent, "virtio-msg device %u: reset failed: %pe%s\n",
			vmdev->dev_num, ERR_PTR(err), vmdev->leak_vqs ?
			", its virtqueues' memory will not be freed" : "");
		virtio_msg_kill(vmdev);
	}
	vmdev->vqs_enabled = false;
	virtio_msg_synchronize_cbs(vdev);
	cancel_work_sync(&vmdev->config_work);
	/* Not before: an event on its way may have been about it */
	WRITE_ONCE(vmdev->needs_reset, false);
	if (!err || err == -ENODEV) {
		/* In this order: a message that fails meanwhile leaves its mark */
		WRITE_ONCE(vmdev->dead, false);
		cancel_work_sync(&vmdev->break_work);
	}
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

/* A driver gave up in probe after its features were accepted: begin anew */
static void virtio_msg_reopen_features(struct virtio_device *vdev)
{
	u8 status = virtio_msg_get_status(vdev);

	if (!(status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	virtio_msg_reset(vdev);
	virtio_msg_set_status(vdev, status & (VIRTIO_CONFIG_S_ACKNOWLEDGE |
					      VIRTIO_CONFIG_S_DRIVER));
}

static int virtio_msg_finalize_features(struct virtio_device *vdev)
{
	struct virtio_msg_device *vmdev = to_virtio_msg_device(vdev);
	bool ring_reset = __virtio_test_bit(vdev, VIRTIO_F_RING_RESET);

	virtio_msg_reopen_features(vdev);
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
void virtio_msg_saw_generation(struct virtio_msg_device *vmdev,
			       u32 generation)
{
	scoped_guard(spinlock_irqsave, &vmdev->lock) {
		/* The first is no change: nothing was read before it */
		if (vmdev->generation_known && vmdev->generation != generation)
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
	if (length && length != len)
		return virtio_msg_mismatch(vmdev, &req, "length");
	virtio_msg_saw_generation(vmdev, le32_to_cpu(resp.config.generation));
	if (length)
		return 0;
	if (strict)
		return 1;
	/* Not a failure of the device: the field may be read-only */
	dev_warn_ratelimited(&vmdev->vdev.dev,
			     "write of config at %u, %u bytes, was not applied\n",
			     offset, len);
	return -EACCES;
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

	rcu_assign_pointer(virtio_msg_own_vqs(vmdev)->vq[vq->index].vq, vq);
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
	struct virtio_msg_vqs *vqs;
	struct virtqueue *vq, *next;

	/* A driver that gives up in probe does not reset the device itself */
	if (vmdev->vqs_enabled)
		virtio_msg_reset(vdev);

	vqs = rcu_replace_pointer(vmdev->vqs, NULL, true);
	if (vqs)
		synchronize_rcu();
	virtio_msg_synchronize_cbs(vdev);
	if (vmdev->bus->ops->request_vqs)
		vmdev->bus->ops->request_vqs(vmdev, 0, NULL);
	list_for_each_entry_safe(vq, next, &vdev->vqs, list) {
		if (vmdev->leak_vqs)
			virtio_msg_leak_vq(vq);
		else
			vring_del_virtqueue(vq);
	}
	vmdev->leak_vqs = false;
	kfree(vqs);
}

/*
 * Room for the virtqueues that have a name, whose indices have no gaps, and their
 * interrupts
 */
static int virtio_msg_alloc_vqs(struct virtio_msg_device *vmdev,
				const struct virtqueue_info vqs_info[],
				unsigned int nvqs, struct irq_affinity *desc)
{
	const struct virtio_msg_bus_ops *ops = vmdev->bus->ops;
	unsigned int i, num = 0;
	struct virtio_msg_vqs *vqs;

	for (i = 0; i < nvqs; i++)
		num += !!vqs_info[i].name;
	if (num > min_t(u32, vmdev->info.max_virtqueues, VIRTIO_MSG_MAX_VQS))
		return -ENOENT;
	vqs = kzalloc(struct_size(vqs, vq, num), GFP_KERNEL);
	if (!vqs)
		return -ENOMEM;
	vqs->num = num;
	for (i = 0; i < num; i++)
		spin_lock_init(&vqs->vq[i].lock);
	rcu_assign_pointer(vmdev->vqs, vqs);
	return num && ops->request_vqs ? ops->request_vqs(vmdev, num, desc) : 0;
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
	err = virtio_msg_alloc_vqs(vmdev, vqs_info, nvqs, desc);
	if (err) {
		virtio_msg_del_vqs(vdev);
		return err;
	}
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
	RCU_INIT_POINTER(virtio_msg_own_vqs(vmdev)->vq[vq->index].vq, NULL);
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

static int virtio_msg_vq_irq(struct virtio_msg_device *vmdev,
			     unsigned int index)
{
	const struct virtio_msg_bus_ops *ops = vmdev->bus->ops;

	return ops->vq_irq ? ops->vq_irq(vmdev, index) : -EOPNOTSUPP;
}

/* The affinity that drivers ask for; who sees to all is free to move the rest */
static int virtio_msg_set_vq_affinity(struct virtqueue *vq,
				      const struct cpumask *cpu_mask)
{
	int irq;

	if (!vq->callback)
		return -EINVAL;
	irq = virtio_msg_vq_irq(to_virtio_msg_device(vq->vdev), vq->index);
	if (irq >= 0 && cpu_mask)
		irq_set_affinity(irq, cpu_mask);
	return 0;
}

/* How the interrupts were spread, if they were */
static const struct cpumask *
virtio_msg_get_vq_affinity(struct virtio_device *vdev, int index)
{
	int irq = virtio_msg_vq_irq(to_virtio_msg_device(vdev), index);
	struct irq_data *data;

	if (irq < 0)
		return NULL;
	data = irq_get_irq_data(irq);
	return data && irqd_affinity_is_managed(data) ?
		irq_data_get_affinity_mask(data) : NULL;
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

const struct virtio_config_ops virtio_msg_config_ops = {
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
	.set_vq_affinity = virtio_msg_set_vq_affinity,
	.get_vq_affinity = virtio_msg_get_vq_affinity,
	.get_shm_region = virtio_msg_get_shm_region,
	.disable_vq_and_reset = virtio_msg_disable_vq_and_reset,
	.enable_vq_after_reset = virtio_msg_enable_vq_after_reset,
};

MODULE_DESCRIPTION("Virtio transport made of messages");
MODULE_LICENSE("GPL");
