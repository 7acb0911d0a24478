// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg: buses, devices that come and go, events, sleep
 *
 * See virtio_msg_test.c for which rules of the protocol are covered by which
 * cases.
 */

#include <linux/module.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_fake.h"

#define INFO	VIRTIO_MSG_GET_DEVICE_INFO
#define STATUS	VIRTIO_MSG_GET_DEVICE_STATUS

/* Register and unregister */

static void register_limits(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct vmt_bus *fb = fix->fb;

	fb->bus.revision = 2;
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fb), -ENXIO);
	fb->bus.revision = 0;
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fb), -ENXIO);
	fb->bus.revision = VIRTIO_MSG_REVISION_1;
	fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN - 1;
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fb), -ENXIO);
	fb->bus.msg_size = 0;
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fb), -ENXIO);
	KUNIT_EXPECT_EQ(test, fb->messages, 0);
	KUNIT_EXPECT_EQ(test, fb->enables, 0);

	fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	vmt_start(test);
	vmt_expect_works(test, 2);
}

static void register_without_events(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->enable_err = -EBUSY;
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fix->fb), -EBUSY);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	fix->fb->enable_err = 0;
	vmt_start(test);
}

static int no_info_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			 struct vmt_message *resp, int err)
{
	return req->msg_id == INFO && fb->messages > 1 ? -EIO : err;
}

/* The second slot does not answer: the device in the first is not left behind */
static void register_second_fails(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_bus_add_device(fix->fb, 1);
	fix->fb->bus.num_slots = 2;
	fix->fb->after = no_info_after;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fix->fb), -EIO);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
	KUNIT_EXPECT_EQ(test, fix->dev->status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

static void register_again(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	for (i = 1; i <= 5; i++) {
		KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
		KUNIT_EXPECT_EQ(test, fix->drv->probes, i);
		vmt_expect_works(test, 2);
		vmt_bus_unregister(fix->fb);
		KUNIT_EXPECT_EQ(test, fix->drv->removes, i);
		KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
		KUNIT_EXPECT_FALSE(test, fix->dev->vqs[0].enabled);
	}
}

/* Slots: rules D1, D15 */

static void empty_slot(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->info.device_id = 0;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_NULL(test, vmt_vmdev(fix->fb, 0));

	fix->dev->info.device_id = VMT_DEVICE_ID;
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->fb->arrives, 1);
	vmt_expect_works(test, 2);
}

static void slots(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct vmt_device *second;

	fix->fb->bus.num_slots = 3;
	second = vmt_bus_add_device(fix->fb, 1);
	second->info.device_id = VMT_DEVICE_ID + 1;
	vmt_bus_add_device(fix->fb, 2)->info.device_id = 0;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, fix->fb->arrives, 0);

	/* Nothing happened: a look at each, and whether it is still the same */
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, INFO), 3);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, STATUS), 2);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 5);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 0);

	/* One leaves: nothing is sent to it any more */
	fix->dev->info.device_id = 0;
	vmt_bus_forget(fix->fb);
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, INFO), 3);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 4);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_NULL(test, vmt_vmdev(fix->fb, 0));
	KUNIT_EXPECT_NOT_NULL(test, vmt_vmdev(fix->fb, 1));

	/* It comes back */
	vmt_device_init(fix->dev);
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->fb->arrives, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 2);
	vmt_expect_works(test, 2);
}

static void slot_replaced(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_start(test);
	/* by another kind of device */
	vmt_device_init(fix->dev);
	fix->dev->info.config_size = 32;
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 2);
	KUNIT_EXPECT_EQ(test, fix->fb->arrives, 1);
	vmt_expect_works(test, 2);
	/* by one of the same kind, which knows nothing of what was set up */
	vmt_device_init(fix->dev);
	fix->dev->info.config_size = 32;
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 2);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 3);
	vmt_expect_works(test, 2);
}

static int fail_arrive(struct vmt_bus *fb)
{
	return -ENXIO;
}

/* What the other side says on arrival is not to be trusted either */
static int arrive_too_small(struct vmt_bus *fb)
{
	fb->bus.msg_size = 20;
	return 0;
}

static int arrive_revision(struct vmt_bus *fb)
{
	fb->bus.revision = 2;
	return 0;
}

static int arrive_well(struct vmt_bus *fb)
{
	fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	fb->bus.revision = VIRTIO_MSG_REVISION_1;
	return 0;
}

static void arrive_fails(struct kunit *test)
{
	static int (* const on_arrive[])(struct vmt_bus *fb) = {
		fail_arrive, arrive_too_small, arrive_revision,
	};
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	fix->dev->info.device_id = 0;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	fix->dev->info.device_id = VMT_DEVICE_ID;
	for (i = 0; i < ARRAY_SIZE(on_arrive); i++) {
		fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
		fix->fb->on_arrive = on_arrive[i];
		vmt_rescan(fix->fb);
		KUNIT_EXPECT_EQ(test, fix->fb->arrives, i + 1);
		KUNIT_EXPECT_NULL(test, vmt_vmdev(fix->fb, 0));
		KUNIT_EXPECT_EQ(test, fix->drv->probes, 0);
	}
	fix->fb->on_arrive = arrive_well;
	vmt_rescan(fix->fb);
	vmt_expect_works(test, 2);
}

/* A device that does not answer does not take away the others */
static void rescan_unanswered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_start(test);
	fix->fb->messages = 2;
	fix->fb->after = no_info_after;
	vmt_rescan(fix->fb);
	fix->fb->after = NULL;
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 0);
	vmt_expect_works(test, 2);
}

/* GET_DEVICES: rule B8 */

static void get_devices(struct kunit *test)
{
	/* (264 - 14) * 8 = 2000 */
	static const u8 bytes[] = {
		VIRTIO_MSG_TYPE_BUS, VIRTIO_MSG_BUS_GET_DEVICES, 0, 0, 0, 0, 12, 0,
		0, 0, 0xd0, 0x07,
	};
	struct vmt_fixture *fix = test->priv;
	struct vmt_device *other;

	fix->fb->bus.flags |= VIRTIO_MSG_BUS_F_GET_DEVICES;
	fix->fb->bus.num_slots = 0;
	other = vmt_bus_add_device(fix->fb, 5);
	other->info.device_id++;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, bytes, sizeof(bytes));
	KUNIT_EXPECT_EQ(test, fix->fb->counts[1][VIRTIO_MSG_BUS_GET_DEVICES], 1);
	/* Only those that exist are asked: rule B5 */
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, INFO), 2);
	KUNIT_EXPECT_NOT_NULL(test, vmt_vmdev(fix->fb, 5));
	KUNIT_EXPECT_EQ(test, other->status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	vmt_expect_works(test, 2);

	fix->dev->info.device_id = 0;
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_NULL(test, vmt_vmdev(fix->fb, 0));
	KUNIT_EXPECT_NOT_NULL(test, vmt_vmdev(fix->fb, 5));
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
}

static int more_windows_after(struct vmt_bus *fb,
			      const struct virtio_msg_header *req,
			      struct vmt_message *resp, int err)
{
	const struct virtio_msg_bus_get_devices *get = (const void *)req;
	struct virtio_msg_bus_get_devices_resp *windows = (void *)resp;

	if (!(req->type & VIRTIO_MSG_TYPE_BUS))
		return err;
	/* A gap, and then a window without any */
	if (!get->offset) {
		windows->next_offset = cpu_to_le16(304);
	} else {
		windows->count = 0;
		windows->hdr.msg_size = cpu_to_le16(sizeof(*windows));
	}
	return err;
}

static void get_devices_windows(struct kunit *test)
{
	static const u8 second[] = {
		VIRTIO_MSG_TYPE_BUS, VIRTIO_MSG_BUS_GET_DEVICES, 0, 0, 0, 0, 12, 0,
		0x30, 0x01, 0x30, 0x01,
	};
	struct vmt_fixture *fix = test->priv;

	fix->fb->bus.flags |= VIRTIO_MSG_BUS_F_GET_DEVICES;
	fix->fb->bus.num_slots = 0;
	/* (52 - 14) * 8 = 304 */
	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	fix->fb->after = more_windows_after;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_EQ(test, fix->fb->counts[1][VIRTIO_MSG_BUS_GET_DEVICES], 2);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[fix->fb->messages - 1].raw, second,
			   sizeof(second));
	vmt_expect_works(test, 2);
}

enum bad_window {
	BAD_OFFSET,
	BAD_COUNT,
	BAD_COUNT_ODD,
	BAD_SIZE,
	BAD_SIZE_LONG,
	BAD_NEXT_BACK,
	BAD_NEXT_ODD,
};

struct bad_window_param {
	const char *name;
	enum bad_window kind;
};

static const struct bad_window_param bad_windows[] = {
	{ "another offset", BAD_OFFSET },
	{ "more than asked for", BAD_COUNT },
	{ "count no multiple of 8", BAD_COUNT_ODD },
	{ "bitmap missing", BAD_SIZE },
	{ "bitmap too long", BAD_SIZE_LONG },
	{ "next offset goes back", BAD_NEXT_BACK },
	{ "next offset no multiple of 8", BAD_NEXT_ODD },
};

KUNIT_ARRAY_PARAM_DESC(bad_window, bad_windows, name);

static int bad_window_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			    struct vmt_message *resp, int err)
{
	struct virtio_msg_bus_get_devices_resp *window = (void *)resp;
	const struct bad_window_param *param = fb->priv;

	if (!(req->type & VIRTIO_MSG_TYPE_BUS))
		return err;
	switch (param->kind) {
	case BAD_OFFSET:
		window->offset = cpu_to_le16(8);
		break;
	case BAD_COUNT:
		window->count = cpu_to_le16(2008);
		window->hdr.msg_size = cpu_to_le16(sizeof(*window) + 250);
		break;
	case BAD_COUNT_ODD:
		window->count = cpu_to_le16(9);
		break;
	case BAD_SIZE:
		window->hdr.msg_size = cpu_to_le16(sizeof(*window));
		break;
	case BAD_SIZE_LONG:
		le16_add_cpu(&window->hdr.msg_size, 1);
		break;
	case BAD_NEXT_BACK:
		/* Goes on, then turns back */
		window->next_offset = cpu_to_le16(16);
		break;
	case BAD_NEXT_ODD:
		window->next_offset = cpu_to_le16(9);
		break;
	}
	return err;
}

static void get_devices_bad(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->bus.flags |= VIRTIO_MSG_BUS_F_GET_DEVICES;
	fix->fb->bus.num_slots = 0;
	fix->fb->priv = (void *)test->param_value;
	fix->fb->after = bad_window_after;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_EXPECT_EQ(test, vmt_bus_register(fix->fb), -EPROTO);
	KUNIT_EXPECT_LE(test, fix->fb->counts[1][VIRTIO_MSG_BUS_GET_DEVICES], 2);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, fix->drv->removes);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
}

static int wrong_data_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			    struct vmt_message *resp, int err)
{
	resp->status.status ^= cpu_to_le32(1);
	return err;
}

static int no_answer_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			   struct vmt_message *resp, int err)
{
	return -ETIMEDOUT;
}

static void ping(struct kunit *test)
{
	static const u8 bytes[] = {
		VIRTIO_MSG_TYPE_BUS, VIRTIO_MSG_BUS_PING, 0, 0, 0, 0, 12, 0,
		0x78, 0x56, 0x34, 0x12,
	};
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;

	vmt_start(test);
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(bus, 0x12345678), 0);
	KUNIT_ASSERT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, bytes, sizeof(bytes));
	fix->fb->after = wrong_data_after;
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(bus, 1), -EPROTO);
	fix->fb->after = no_answer_after;
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(bus, 1), -ETIMEDOUT);
	fix->fb->after = NULL;
	/* That is the bus's affair, the device goes on */
	vmt_expect_works(test, 2);
}

/* Events: rules D13, D14, D17 */

/* Room for a malformed event of any kind */
struct event {
	union {
		struct virtio_msg_header hdr;
		struct virtio_msg_event_config config;
		struct virtio_msg_vqueue used;
		struct virtio_msg_bus_event_device device;
		u8 raw[64];
	};
};

static void send_event(struct vmt_fixture *fix, struct event *event, u8 msg_id,
		       size_t size)
{
	event->hdr.msg_id = msg_id;
	event->hdr.msg_size = cpu_to_le16(size);
	virtio_msg_event(&fix->fb->bus, &event->hdr, size);
}

static void send_config(struct vmt_fixture *fix, u32 status, u32 generation)
{
	struct event event = {};

	event.config.device_status = cpu_to_le32(status);
	event.config.generation = cpu_to_le32(generation);
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event.config));
}

static void send_used(struct vmt_fixture *fix, u32 index)
{
	struct event event = {};

	event.used.index = cpu_to_le32(index);
	send_event(fix, &event, VIRTIO_MSG_EVENT_USED, sizeof(event.used));
}

static int config_changes(struct vmt_fixture *fix)
{
	return atomic_read(&fix->drv->config_changes);
}

static void event_config(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	struct event event = {};
	u32 generation;
	u8 value;

	vdev->config->get(vdev, 0, &value, 1);
	vmt_bus_forget(fix->fb);
	generation = vdev->config->generation(vdev);
	send_config(fix, 0xf, ++fix->dev->generation);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);
	KUNIT_EXPECT_NE(test, vdev->config->generation(vdev), generation);
	/* Repeated: the driver looks once more, the generation stays */
	generation = vdev->config->generation(vdev);
	send_config(fix, 0xf, fix->dev->generation);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 2);
	KUNIT_EXPECT_EQ(test, vdev->config->generation(vdev), generation);
	/* With data, which the driver reads itself */
	event.config.device_status = cpu_to_le32(0xf);
	event.config.generation = cpu_to_le32(fix->dev->generation);
	event.config.length = cpu_to_le32(4);
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event.config) + 4);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 3);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0xf);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

static void event_used(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	vmt_start(test);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, i), 0);
		vmt_kick(fix->drv, i);
		vmt_device_work(fix->dev, i);
	}
	send_used(fix, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].calls, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].done, 1);
	send_used(fix, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].calls, 1);
	send_used(fix, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
}

static void events_malformed(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;
	struct event event = {};
	unsigned int i;

	vmt_start(test);
	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 0), 0);
	vmt_kick(fix->drv, 0);
	vmt_device_work(fix->dev, 0);

	/* Shorter than a header, than they say, than what they are */
	for (i = 0; i < sizeof(event.config); i++) {
		event.hdr.msg_id = VIRTIO_MSG_EVENT_CONFIG;
		event.hdr.msg_size = cpu_to_le16(sizeof(event.config));
		virtio_msg_event(bus, &event.hdr, i);
		event.hdr.msg_size = cpu_to_le16(i);
		virtio_msg_event(bus, &event.hdr, sizeof(event));
	}
	for (i = 0; i < sizeof(event.used); i++) {
		event.hdr.msg_id = VIRTIO_MSG_EVENT_USED;
		event.hdr.msg_size = cpu_to_le16(i);
		virtio_msg_event(bus, &event.hdr, sizeof(event));
	}
	/* More data than there is */
	event.config.length = cpu_to_le32(1);
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event.config));
	event.config.length = cpu_to_le32(U32_MAX);
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event.config) + 4);
	/* Unknown, a response, a request, the driver side's own, not defined here */
	memset(&event, 0, sizeof(event));
	for (i = 0; i < 256; i++)
		if (i != VIRTIO_MSG_EVENT_CONFIG && i != VIRTIO_MSG_EVENT_USED)
			send_event(fix, &event, i, sizeof(event));
	event.hdr.type = VIRTIO_MSG_TYPE_RESPONSE;
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event));
	send_event(fix, &event, VIRTIO_MSG_EVENT_USED, sizeof(event.used));
	/* About no device, no virtqueue */
	memset(&event, 0, sizeof(event));
	event.hdr.dev_num = cpu_to_le16(1);
	send_event(fix, &event, VIRTIO_MSG_EVENT_CONFIG, sizeof(event.config));
	event.hdr.dev_num = cpu_to_le16(U16_MAX);
	send_event(fix, &event, VIRTIO_MSG_EVENT_USED, sizeof(event.used));
	send_used(fix, 2);
	send_used(fix, U32_MAX);
	virtio_msg_config_interrupt(bus, 1);

	KUNIT_EXPECT_EQ(test, config_changes(fix), 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].calls, 0);
	flush_work(&bus->scan_work);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);

	/* What nobody knows is no reason to ignore the rest */
	event.hdr.type = 0xfc;
	event.hdr.dev_num = 0;
	event.used.index = 0;
	send_event(fix, &event, VIRTIO_MSG_EVENT_USED, sizeof(event.used));
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, 1);
}

static void event_device(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct event event = { .hdr.type = VIRTIO_MSG_TYPE_BUS };
	unsigned int i;

	fix->dev->info.device_id = 0;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	vmt_bus_forget(fix->fb);
	send_event(fix, &event, VIRTIO_MSG_BUS_EVENT_DEVICE,
		   sizeof(event.device) - 1);
	send_event(fix, &event, VIRTIO_MSG_BUS_EVENT_DEVICE + 1,
		   sizeof(event.device));
	flush_work(&fix->fb->bus.scan_work);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);

	/* Whatever the event says, the device side is asked */
	for (i = 1; i <= 3; i++) {
		fix->dev->info.device_id = VMT_DEVICE_ID;
		event.device.state = cpu_to_le16(i);
		send_event(fix, &event, VIRTIO_MSG_BUS_EVENT_DEVICE,
			   sizeof(event.device));
		flush_work(&fix->fb->bus.scan_work);
		vmt_expect_works(test, 2);
		/* Repeated */
		send_event(fix, &event, VIRTIO_MSG_BUS_EVENT_DEVICE,
			   sizeof(event.device));
		flush_work(&fix->fb->bus.scan_work);
		KUNIT_EXPECT_EQ(test, fix->drv->probes, i);

		vmt_device_init(fix->dev);
		fix->dev->info.device_id = 0;
		send_event(fix, &event, VIRTIO_MSG_BUS_EVENT_DEVICE,
			   sizeof(event.device));
		flush_work(&fix->fb->bus.scan_work);
		KUNIT_EXPECT_EQ(test, fix->drv->removes, i);
	}
}

/* Events at all times but while there is a driver: nothing comes of them */
static void events_without_driver(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;

	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	vdev = &vmt_vmdev(fix->fb, 0)->vdev;
	vmt_bus_forget(fix->fb);
	send_used(fix, 0);
	send_config(fix, VIRTIO_CONFIG_S_NEEDS_RESET, 1);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 1);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	vmt_bus_unregister(fix->fb);
	send_used(fix, 0);
	send_config(fix, VIRTIO_CONFIG_S_NEEDS_RESET, 1);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(&fix->fb->bus, 0), IRQ_NONE);
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	virtio_msg_rescan_bus(&fix->fb->bus);
	flush_work(&fix->fb->bus.scan_work);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 0);
}

static void needs_reset_event(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;

	send_config(fix, 0xf | VIRTIO_CONFIG_S_NEEDS_RESET, 100);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);
	KUNIT_EXPECT_NE(test, vmt_send(fix->drv, 0), 0);
	/* Not taken back before the device is reset */
	send_config(fix, 0xf, 100);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	virtio_reset_device(vdev);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0);
	/* Late */
	send_config(fix, 0xf | VIRTIO_CONFIG_S_NEEDS_RESET, 100);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0);
	KUNIT_EXPECT_EQ(test, vmt_rebind(vdev), 1);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0xf);
	vmt_expect_works(test, 2);
}

static void config_interrupt_message(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);
	struct virtio_device *vdev = &vmdev->vdev;

	/* Without a status block the status costs one message */
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, STATUS), 1);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0xf);
	fix->dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 2);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
}

/* The message is sent by somebody who may wait for it */
static void config_interrupt_atomic(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned long flags;

	fix->fb->bus.flags &= ~VIRTIO_MSG_BUS_F_ATOMIC;
	vmt_start(test);
	local_irq_save(flags);
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	local_irq_restore(flags);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);

	/* Not any more when nobody cares, as the device is reset */
	fix->dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	virtio_reset_device(fix->drv->vdev);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_FALSE(test, vmt_vmdev(fix->fb, 0)->needs_reset);
}

static void config_interrupt_peek(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u32 generation;

	fix->fb->peek = true;
	vdev = &vmt_start(test)->vdev;
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	generation = vdev->config->generation(vdev);
	fix->dev->generation++;
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_NE(test, vdev->config->generation(vdev), generation);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 2);
	/* It is seen even before the interrupt */
	fix->dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 3);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

/* What can take long does not disturb whoever is waiting: as in the driver */
static void config_interrupt_dead(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_start(test);
	fix->fb->after = no_answer_after;
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_EQ(test, config_changes(fix), 1);
	virtio_msg_config_interrupt(&fix->fb->bus, 0);
	vmt_settle(fix->fb, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

/* Sleep, shutdown */

static void shutdown(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;

	virtio_msg_shutdown_bus(&fix->fb->bus);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_EQ(test, fix->dev->resets, 2);
	KUNIT_EXPECT_EQ(test, fix->dev->status, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0);
	/* Drivers do not notice: they must not reach the device any more */
	KUNIT_EXPECT_NE(test, vmt_send(fix->drv, 0), 0);
	vmt_kick(fix->drv, 0);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->fb->notifies), 0);
	vmt_rescan(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

/* A driver that waits for a request which nobody completes any more */
struct stuck {
	struct completion begun;
	struct completion end;
};

static void stuck_remove(struct vmt_driver *drv, struct virtio_device *vdev)
{
	struct stuck *stuck = drv->priv;

	complete(&stuck->begun);
	wait_for_completion(&stuck->end);
}

static void shutdown_while_removing(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct vmt_device *second;
	struct stuck stuck;

	init_completion(&stuck.begun);
	init_completion(&stuck.end);
	fix->drv->priv = &stuck;
	fix->drv->on_remove = stuck_remove;
	fix->fb->bus.num_slots = 2;
	second = vmt_bus_add_device(fix->fb, 1);
	second->info.device_id = VMT_DEVICE_ID + 1;
	vmt_start(test);
	fix->dev->info.device_id = 0;
	virtio_msg_rescan_bus(&fix->fb->bus);
	wait_for_completion(&stuck.begun);
	/* Its end is not waited for, and the other device is reset */
	KUNIT_EXPECT_EQ(test, second->status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	virtio_msg_shutdown_bus(&fix->fb->bus);
	KUNIT_EXPECT_EQ(test, second->status, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
	KUNIT_EXPECT_FALSE(test, completion_done(&stuck.end));
	complete(&stuck.end);
	flush_work(&fix->fb->bus.scan_work);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
}

#ifdef CONFIG_PM_SLEEP

static void freeze_restore(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;
	unsigned int i;

	vmt_start(test);
	for (i = 1; i <= 3; i++) {
		vmt_expect_works(test, 2);
		vmt_bus_forget(fix->fb);
		KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
		KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
		KUNIT_EXPECT_EQ(test, fix->drv->freezes, i);
		KUNIT_EXPECT_EQ(test, fix->dev->status, 0);
		KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
		/* Asleep, it looks for no devices */
		vmt_rescan(fix->fb);
		KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);

		vmt_bus_forget(fix->fb);
		KUNIT_ASSERT_EQ(test, virtio_msg_restore_bus(bus), 0);
		KUNIT_EXPECT_EQ(test, fix->drv->restores, i);
		KUNIT_EXPECT_EQ(test, fix->fb->events, 1);
		flush_work(&bus->scan_work);
		/*
		 * GET_DEVICE_INFO, features, five statuses, two virtqueues,
		 * and a look at what else changed
		 */
		KUNIT_EXPECT_EQ(test, fix->fb->messages, 1 + 1 + 5 + 2 * 2 + 2);
		KUNIT_EXPECT_EQ(test, vmt_count(fix->fb,
						VIRTIO_MSG_SET_DEVICE_STATUS), 5);
	}
	vmt_expect_works(test, 2);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 1);
}

/* A device nobody drives, and a driver that knows nothing of sleep */
static void freeze_others(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;
	struct vmt_device *second;

	second = vmt_bus_add_device(fix->fb, 1);
	second->info.device_id++;
	fix->fb->bus.num_slots = 2;
	fix->drv->drv.freeze = NULL;
	fix->drv->drv.restore = NULL;
	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	KUNIT_EXPECT_EQ(test, fix->dev->status, 0);
	KUNIT_EXPECT_EQ(test, second->status, 0);
	KUNIT_ASSERT_EQ(test, virtio_msg_restore_bus(bus), 0);
	KUNIT_EXPECT_EQ(test, fix->dev->status, 0xf);
	KUNIT_EXPECT_EQ(test, second->status, VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

static void freeze_fails(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;
	struct vmt_driver *other;

	vmt_bus_add_device(fix->fb, 1)->info.device_id++;
	fix->fb->bus.num_slots = 2;
	other = vmt_driver_alloc(test, VMT_DEVICE_ID + 1, 1);
	other->drv.driver.name = "virtio-msg-test-other";
	other->freeze_err = -EBUSY;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(other), 0);
	vmt_start(test);
	KUNIT_EXPECT_NOT_NULL(test, other->vdev);
	KUNIT_EXPECT_EQ(test, virtio_msg_freeze_bus(bus), -EBUSY);
	/* Everything goes on as before */
	KUNIT_EXPECT_EQ(test, fix->fb->events, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->freezes, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->devices[1]->resets, 1);
	vmt_expect_works(test, 2);
	/* It looks for what it did not hear meanwhile */
	flush_work(&bus->scan_work);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, INFO), 2);
	vmt_bus_unregister(fix->fb);
	vmt_driver_unregister(other);
}

static void restore_replaced(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;

	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	fix->dev->info.config_size = 8;
	KUNIT_EXPECT_EQ(test, virtio_msg_restore_bus(bus), 0);
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 0);
	flush_work(&bus->scan_work);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 2);
	vmt_expect_works(test, 2);
}

static void restore_unanswered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;

	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	fix->fb->after = no_answer_after;
	KUNIT_EXPECT_EQ(test, virtio_msg_restore_bus(bus), -ETIMEDOUT);
	flush_work(&bus->scan_work);
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 0);
	/* It is back: it can be frozen and restored again */
	fix->fb->after = NULL;
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	KUNIT_ASSERT_EQ(test, virtio_msg_restore_bus(bus), 0);
	vmt_expect_works(test, 2);
}

static void restore_without_events(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;

	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	fix->fb->enable_err = -EBUSY;
	KUNIT_EXPECT_EQ(test, virtio_msg_restore_bus(bus), -EBUSY);
	/* Unregistering finds them disabled: the fake sees to that */
	vmt_bus_unregister(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
}

static void restore_limits(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;

	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(bus), 0);
	bus->msg_size = 20;
	KUNIT_EXPECT_EQ(test, virtio_msg_restore_bus(bus), -ENXIO);
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 0);
	bus->msg_size = VIRTIO_MSG_SIZE_MIN;
	KUNIT_EXPECT_EQ(test, virtio_msg_restore_bus(bus), 0);
	vmt_expect_works(test, 2);
}

static void freeze_unregister(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_start(test);
	KUNIT_ASSERT_EQ(test, virtio_msg_freeze_bus(&fix->fb->bus), 0);
	vmt_bus_unregister(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->events, 0);
}

#endif

static struct kunit_case virtio_msg_bus_cases[] = {
	KUNIT_CASE(register_limits),
	KUNIT_CASE(register_without_events),
	KUNIT_CASE(register_second_fails),
	KUNIT_CASE(register_again),
	KUNIT_CASE(empty_slot),
	KUNIT_CASE(slots),
	KUNIT_CASE(slot_replaced),
	KUNIT_CASE(arrive_fails),
	KUNIT_CASE(rescan_unanswered),
	KUNIT_CASE(get_devices),
	KUNIT_CASE(get_devices_windows),
	KUNIT_CASE_PARAM(get_devices_bad, bad_window_gen_params),
	KUNIT_CASE(ping),
	KUNIT_CASE(event_config),
	KUNIT_CASE(event_used),
	KUNIT_CASE(events_malformed),
	KUNIT_CASE(event_device),
	KUNIT_CASE(events_without_driver),
	KUNIT_CASE(needs_reset_event),
	KUNIT_CASE(config_interrupt_message),
	KUNIT_CASE(config_interrupt_atomic),
	KUNIT_CASE(config_interrupt_peek),
	KUNIT_CASE(config_interrupt_dead),
	KUNIT_CASE(shutdown),
	KUNIT_CASE_SLOW(shutdown_while_removing),
#ifdef CONFIG_PM_SLEEP
	KUNIT_CASE(freeze_restore),
	KUNIT_CASE(freeze_others),
	KUNIT_CASE(freeze_fails),
	KUNIT_CASE(restore_replaced),
	KUNIT_CASE(restore_unanswered),
	KUNIT_CASE(restore_without_events),
	KUNIT_CASE(restore_limits),
	KUNIT_CASE(freeze_unregister),
#endif
	{}
};

static struct kunit_suite virtio_msg_bus_suite = {
	.name = "virtio-msg-bus",
	.init = vmt_fixture_init,
	.exit = vmt_fixture_exit,
	.test_cases = virtio_msg_bus_cases,
};

kunit_test_suite(virtio_msg_bus_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg: buses and events");
MODULE_LICENSE("GPL");
