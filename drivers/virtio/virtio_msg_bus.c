// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: the devices of a bus, and what they say of their own accord
 *
 * Written once for all buses: finding devices, adding and removing them as
 * they come and go, events, sleep and shutdown. Comments such as "B8" name
 * rules of the protocol, see Documentation/driver-api/virtio/virtio_msg.rst.
 */

#include <linux/bitmap.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/export.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_ring.h>

#include <trace/events/virtio_msg.h>

#include "virtio_msg_core.h"

/* Device numbers are 16 bits wide */
#define VIRTIO_MSG_MAX_DEVICES		65536
/* How long a shutdown waits for a device that is being removed */
#define VIRTIO_MSG_END_MS		2000

/* Events */

/* The caller holds the RCU read lock, so the device stays while it is used */
static struct virtio_msg_device *virtio_msg_find(struct virtio_msg_bus *bus,
						 u16 dev_num)
{
	struct virtio_msg_device *vmdev = xa_load(&bus->devices, dev_num);

	return vmdev && !READ_ONCE(vmdev->gone) ? vmdev : NULL;
}

/*
 * Callbacks of one virtqueue do not overlap, and nobody waits for them: who
 * finds that one is running has it called again when it has returned.
 */
static irqreturn_t virtio_msg_callback(struct virtio_msg_vq *q)
{
	irqreturn_t ret = IRQ_NONE;
	struct virtqueue *vq;
	unsigned long flags;

	atomic_set(&q->wanted, 1);
	/* Either the lock is free here, or its holder sees what was just set */
	smp_mb();
	do {
		if (!spin_trylock_irqsave(&q->lock, flags))
			return IRQ_HANDLED;
		/* Fully ordered: what is wanted later has its own look at the ring */
		atomic_xchg(&q->wanted, 0);
		vq = rcu_dereference(q->vq);
		if (vq)
			ret |= vring_interrupt(0, vq);
		spin_unlock_irqrestore(&q->lock, flags);
		/* The other half of that above */
		smp_mb();
	} while (atomic_read(&q->wanted));
	return ret;
}

/* Rule D14. The caller holds the RCU read lock. */
static irqreturn_t virtio_msg_used(struct virtio_msg_device *vmdev, u32 first,
				   u32 last)
{
	struct virtio_msg_vqs *vqs = rcu_dereference(vmdev->vqs);
	irqreturn_t ret = IRQ_NONE;
	u32 i;

	for (i = first; vqs && i < vqs->num && i <= last; i++)
		ret |= virtio_msg_callback(&vqs->vq[i]);
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
	    !xchg(&vmdev->needs_reset, true)) {
		dev_err_ratelimited(&vmdev->vdev.dev, "device needs a reset\n");
		/* What it was given will not come back: let no more be added */
		schedule_work(&vmdev->break_work);
	}
	virtio_config_changed(&vmdev->vdev);
}

static void virtio_msg_config_work(struct work_struct *work)
{
	struct virtio_msg_device *vmdev =
		container_of(work, struct virtio_msg_device, config_work);
	u32 status;

	if (!READ_ONCE(vmdev->dead) && !virtio_msg_read_status(vmdev, &status))
		virtio_msg_config_event(vmdev, status);
}

/**
 * virtio_msg_used_interrupt - look at all virtqueues of a device
 * @bus: the bus
 * @dev_num: the device; one that does not exist is ignored
 *
 * EVENT_USED without a message, for every virtqueue (rule B6). Drivers'
 * callbacks run before this returns, but for one that another CPU is running:
 * it runs it again. Any context but NMI.
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
 * virtio_msg_vq_interrupt - look at one virtqueue of a device
 * @bus: the bus
 * @dev_num: the device; one that does not exist is ignored
 * @index: the virtqueue; one that does not exist is ignored
 *
 * EVENT_USED without a message (rule B6), as virtio_msg_used_interrupt(), but
 * other virtqueues are not looked at, and what is written is this one's alone.
 *
 * Return: IRQ_HANDLED if the virtqueue had something, otherwise IRQ_NONE.
 */
irqreturn_t virtio_msg_vq_interrupt(struct virtio_msg_bus *bus, u16 dev_num,
				    u32 index)
{
	struct virtio_msg_device *vmdev;

	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	return vmdev ? virtio_msg_used(vmdev, index, index) : IRQ_NONE;
}
EXPORT_SYMBOL_GPL(virtio_msg_vq_interrupt);

/**
 * virtio_msg_config_interrupt - config space or status of a device changed
 * @bus: the bus
 * @dev_num: the device; one that does not exist is ignored
 *
 * EVENT_CONFIG without a message (rule B6). The core finds out what changed:
 * from &virtio_msg_bus_ops.peek or else by asking. No interrupt waits for a
 * message, so that is done by a work item. Any context but NMI.
 */
void virtio_msg_config_interrupt(struct virtio_msg_bus *bus, u16 dev_num)
{
	struct virtio_msg_device *vmdev;
	struct virtio_msg_state state;

	guard(rcu)();
	vmdev = virtio_msg_find(bus, dev_num);
	if (!vmdev || READ_ONCE(vmdev->dead))
		return;
	if (virtio_msg_peek(vmdev, &state)) {
		virtio_msg_saw_generation(vmdev, state.generation);
		virtio_msg_config_event(vmdev, state.status);
	} else {
		queue_work(system_long_wq, &vmdev->config_work);
	}
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
	if (size < sizeof(*event))
		return;
	virtio_msg_vq_interrupt(bus, dev_num, le32_to_cpu(event->index));
}

/**
 * virtio_msg_event - take an event message from the device side
 * @bus: the bus it came by
 * @msg: the message; the other side must not be able to change it any more
 * @size: how many bytes there are at @msg
 *
 * What is malformed, unknown or about no device is ignored (rule D17), so a bus
 * may hand up whatever is not a response. Drivers' callbacks run before this
 * returns, as in virtio_msg_used_interrupt(). Any context but NMI.
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

/* Whatever the device side said last of the bus: rules B1, D2 */
static int virtio_msg_check_bus(const struct virtio_msg_bus *bus)
{
	if (bus->revision != VIRTIO_MSG_REVISION_1) {
		dev_err(bus->parent, "virtio-msg revision %u is not supported, only %u is\n",
			bus->revision, VIRTIO_MSG_REVISION_1);
		return -ENXIO;
	}
	if (bus->msg_size < VIRTIO_MSG_SIZE_MIN) {
		dev_err(bus->parent, "virtio-msg message size %u is below the minimum of %u\n",
			bus->msg_size, VIRTIO_MSG_SIZE_MIN);
		return -ENXIO;
	}
	return 0;
}

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
	/* For good: whoever still waits for a message may find out later that it failed */
	disable_work_sync(&vmdev->config_work);
	disable_work_sync(&vmdev->break_work);
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
	INIT_WORK(&vmdev->break_work, virtio_msg_break_work);
	INIT_WORK(&vmdev->config_work, virtio_msg_config_work);
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
	int err, another = -ENODATA;

	/* Before the message: what comes later is another one the next time */
	if (bus->ops->another)
		another = bus->ops->another(bus, dev_num);
	if (vmdev && !another)
		return 0;
	/* Also if the other one does not answer: it is not asked again */
	if (vmdev && another > 0) {
		virtio_msg_remove_gone(vmdev);
		vmdev = NULL;
	}
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
		err = bus->ops->arrive(bus) ?: virtio_msg_check_bus(bus) ?:
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

/* Where there is none, the bus could not even notify the device */
static bool virtio_msg_has_slot(const struct virtio_msg_bus *bus, u32 dev_num)
{
	return !bus->num_slots || dev_num < bus->num_slots;
}

static int virtio_msg_no_slot(struct virtio_msg_bus *bus, u32 dev_num)
{
	dev_err_ratelimited(bus->parent,
			    "virtio-msg: bad response to GET_DEVICES: device %u on a bus with %u slots\n",
			    dev_num, bus->num_slots);
	return -EPROTO;
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
			    !test_bit(num - first, bitmap) ||
			    !virtio_msg_has_slot(bus, num))
				virtio_msg_remove_gone(vmdev);
		for_each_set_bit(i, bitmap, count) {
			err = virtio_msg_has_slot(bus, first + i) ?
			      virtio_msg_scan_one(bus, first + i) :
			      virtio_msg_no_slot(bus, first + i);
			ret = ret ?: err;
		}
	} while (offset);
	return ret;
}

/* The device side has fewer slots than before */
static void virtio_msg_remove_homeless(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long num;

	xa_for_each_range(&bus->devices, num, vmdev, bus->num_slots, ULONG_MAX)
		virtio_msg_remove_gone(vmdev);
}

static int virtio_msg_scan(struct virtio_msg_bus *bus)
{
	int err, ret = 0;
	u32 i;

	guard(mutex)(&bus->lock);
	if (bus->flags & VIRTIO_MSG_BUS_F_GET_DEVICES) {
		ret = virtio_msg_scan_bitmap(bus);
	} else {
		virtio_msg_remove_homeless(bus);
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

static int virtio_msg_wake(struct virtio_msg_bus *bus)
{
	int err = virtio_msg_check_bus(bus);

	if (!err && bus->ops->enable_events)
		err = bus->ops->enable_events(bus);
	bus->awake = !err;
	return err;
}

static void virtio_msg_no_events(struct virtio_msg_bus *bus)
{
	if (bus->awake && bus->ops->disable_events)
		bus->ops->disable_events(bus);
	bus->awake = false;
}

/*
 * Also after a restore that failed: events are disabled once. What one of them
 * wanted to ask is not asked any more.
 */
static void virtio_msg_sleep(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long i;

	virtio_msg_no_events(bus);
	xa_for_each(&bus->devices, i, vmdev)
		cancel_work_sync(&vmdev->config_work);
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
 * Return: 0, also without any device; -ENXIO if the bus breaks the protocol's
 * limits (rules B1, D2); the error of a message or of a device's registration,
 * and then nothing is left registered.
 */
int virtio_msg_register_bus(struct virtio_msg_bus *bus)
{
	int err;

	mutex_init(&bus->lock);
	xa_init(&bus->devices);
	INIT_WORK(&bus->scan_work, virtio_msg_scan_work);
	bus->scanned = false;
	err = virtio_msg_wake(bus);
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
	virtio_msg_sleep(bus);
	xa_destroy(&bus->devices);
}
EXPORT_SYMBOL_GPL(virtio_msg_unregister_bus);

/*
 * A driver may let go of a device that went only when its requests are done, which
 * nobody does any more. Returns false if that keeps the bus locked.
 */
static bool virtio_msg_lock_to_end(struct virtio_msg_bus *bus)
{
	unsigned long end = jiffies + msecs_to_jiffies(VIRTIO_MSG_END_MS);

	while (!mutex_trylock(&bus->lock)) {
		if (time_after(jiffies, end))
			return false;
		msleep(20);
	}
	return true;
}

/* The device with the lowest number from *@i on, which stays until it is put */
static struct virtio_msg_device *virtio_msg_get_next(struct virtio_msg_bus *bus,
						     unsigned long *i)
{
	struct virtio_msg_device *vmdev;

	xa_lock(&bus->devices);
	vmdev = xa_find(&bus->devices, i, ULONG_MAX, XA_PRESENT);
	if (vmdev)
		get_device(&vmdev->vdev.dev);
	xa_unlock(&bus->devices);
	return vmdev;
}

/**
 * virtio_msg_shutdown_bus - quiet all devices of a bus
 * @bus: a registered bus
 *
 * For a bus's shutdown callback: no device uses memory any more when this
 * returns, and no event comes. A removal that is under way is waited for, but
 * not for ever. Process context.
 */
void virtio_msg_shutdown_bus(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long i;
	bool locked;

	disable_work(&bus->scan_work);
	locked = virtio_msg_lock_to_end(bus);
	if (!locked)
		dev_warn(bus->parent, "virtio-msg: a device that went is still in use at shutdown\n");
	for (i = 0; (vmdev = virtio_msg_get_next(bus, &i)); i++) {
		virtio_break_device(&vmdev->vdev);
		/* The virtio bus has usually done so before */
		if (READ_ONCE(vmdev->status) && !READ_ONCE(vmdev->gone))
			virtio_msg_reset(&vmdev->vdev);
		put_device(&vmdev->vdev.dev);
	}
	virtio_msg_no_events(bus);
	for (i = 0; (vmdev = virtio_msg_get_next(bus, &i)); i++) {
		cancel_work_sync(&vmdev->config_work);
		put_device(&vmdev->vdev.dev);
	}
	if (locked)
		mutex_unlock(&bus->lock);
}
EXPORT_SYMBOL_GPL(virtio_msg_shutdown_bus);

/**
 * virtio_msg_break_bus - nobody is there any more
 * @bus: a registered bus, which is about to be unregistered
 *
 * Drivers do not wait for what their devices have under way. Process context.
 */
void virtio_msg_break_bus(struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev;
	unsigned long i;

	guard(mutex)(&bus->lock);
	xa_for_each(&bus->devices, i, vmdev)
		virtio_break_device(&vmdev->vdev);
}
EXPORT_SYMBOL_GPL(virtio_msg_break_bus);

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

	/* It did not wake the last time */
	if (!bus->awake)
		return 0;
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
		virtio_msg_sleep(bus);
		return 0;
	}
	xa_for_each(&bus->devices, i, vmdev) {
		if (vmdev == failed)
			break;
		virtio_device_restore(&vmdev->vdev);
	}
	enable_work(&bus->scan_work);
	virtio_msg_rescan_bus(bus);
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

	ret = virtio_msg_wake(bus);
	if (ret)
		return ret;
	scoped_guard(mutex, &bus->lock) {
		xa_for_each(&bus->devices, i, vmdev) {
			err = -ENODEV;
			if (virtio_msg_has_slot(bus, vmdev->dev_num))
				err = virtio_msg_read_info(bus, vmdev->dev_num,
							   &info);
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
