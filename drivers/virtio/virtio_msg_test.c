// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg: how a device comes up, features, status, reset,
 * and what becomes of responses that are none
 *
 * Documentation/driver-api/virtio/virtio_msg_rules.rst has the rules of the
 * protocol and the cases, here and in the files beside this one, that cover them.
 */

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_fake.h"

/* Coming up */

/* A request that sets the status, all of its bytes */
#define SET_STATUS(_status) \
	{ 0, VIRTIO_MSG_SET_DEVICE_STATUS, 0, 0, 0, 0, 12, 0, (_status), 0, 0, 0 }

static void probe_messages(struct kunit *test)
{
	static const u8 expected[][VIRTIO_MSG_SIZE_MIN] = {
		{ 0, VIRTIO_MSG_GET_DEVICE_INFO, 0, 0, 0, 0, 8, 0 },
		SET_STATUS(0),
		SET_STATUS(0x1),
		SET_STATUS(0x3),
		{ 0, VIRTIO_MSG_GET_DEVICE_FEATURES, 0, 0, 0, 0, 16, 0,
		  0, 0, 0, 0, 2, 0, 0, 0 },
		{ 0, VIRTIO_MSG_SET_DRIVER_FEATURES, 0, 0, 0, 0, 24, 0,
		  0, 0, 0, 0, 2, 0, 0, 0, 0x01, 0, 0, 0, 0x01, 0x01, 0, 0 },
		SET_STATUS(0xb),
		{ 0, VIRTIO_MSG_GET_VQUEUE, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0 },
		{ 0, VIRTIO_MSG_SET_VQUEUE, 0, 0, 0, 0, 48, 0,
		  0, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0 },
		{ 0, VIRTIO_MSG_GET_VQUEUE, 0, 0, 0, 0, 12, 0, 1, 0, 0, 0 },
		{ 0, VIRTIO_MSG_SET_VQUEUE, 0, 0, 0, 0, 48, 0,
		  1, 0, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0 },
		SET_STATUS(0xf),
	};
	struct vmt_fixture *fix = test->priv;
	struct vmt_bus *fb = fix->fb;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fb), 0);
	KUNIT_ASSERT_EQ(test, fb->messages, ARRAY_SIZE(expected));
	for (i = 0; i < fb->messages; i++) {
		size_t size = expected[i][6];

		/* Addresses of the rings are not known beforehand */
		if (expected[i][1] == VIRTIO_MSG_SET_VQUEUE)
			size = offsetof(struct virtio_msg_set_vqueue, desc_addr);
		KUNIT_EXPECT_MEMEQ_MSG(test, fb->log[i].raw, expected[i], size,
				       "message %u", i);
	}
	vmt_expect_works(test, 2);
}

static void vqueue_bytes(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_set_vqueue *set;
	struct virtqueue *vq;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	vq = fix->drv->queues[1].vq;
	set = &fix->fb->log[10].set_vqueue;
	KUNIT_ASSERT_EQ(test, set->hdr.msg_id, VIRTIO_MSG_SET_VQUEUE);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(set->desc_addr),
			virtqueue_get_desc_addr(vq));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(set->driver_addr),
			virtqueue_get_avail_addr(vq));
	KUNIT_EXPECT_EQ(test, le64_to_cpu(set->device_addr),
			virtqueue_get_used_addr(vq));
}

static void no_driver(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;

	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	/* GET_DEVICE_INFO, reset, ACKNOWLEDGE */
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 3);
	vmdev = vmt_vmdev(fix->fb, 0);
	KUNIT_ASSERT_NOT_NULL(test, vmdev);
	KUNIT_EXPECT_EQ(test, vmdev->vdev.id.device, VMT_DEVICE_ID);
	KUNIT_EXPECT_EQ(test, vmdev->vdev.id.vendor, VMT_VENDOR_ID);
	KUNIT_EXPECT_PTR_EQ(test, vmdev->vdev.dev.parent, fix->fb->bus.parent);
	KUNIT_EXPECT_STREQ(test, vmdev->vdev.config->bus_name(&vmdev->vdev),
			   dev_name(fix->fb->bus.parent));
	vmt_bus_forget(fix->fb);
	vmt_bus_unregister(fix->fb);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

static void remove_messages(struct kunit *test)
{
	static const u8 reset[] = SET_STATUS(0), ack[] = SET_STATUS(1);
	struct vmt_fixture *fix = test->priv;

	vmt_start(test);
	/* One reset, and del_vqs after it says nothing */
	vmt_driver_unregister(fix->drv);
	KUNIT_ASSERT_EQ(test, fix->fb->messages, 2);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, reset, sizeof(reset));
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[1].raw, ack, sizeof(ack));
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 2);
	vmt_expect_works(test, 2);
}

/* Responses that are none: rule D16 */

enum bad_kind {
	BAD_TYPE,
	BAD_BUS,
	BAD_ID,
	BAD_DEVICE,
	BAD_SHORT,
	BAD_LONG,
	BAD_NONE,
	BAD_TIMEOUT,
	BAD_PROTO,
	BAD_KINDS,
	/* a 32-bit field, found at the offset that is added */
	BAD_FIELD = 0x100,
};

static const char * const bad_names[BAD_KINDS] = {
	[BAD_TYPE] = "a request",
	[BAD_BUS] = "of the bus",
	[BAD_ID] = "another message's",
	[BAD_DEVICE] = "another device's",
	[BAD_SHORT] = "short",
	[BAD_LONG] = "long",
	[BAD_NONE] = "missing",
	[BAD_TIMEOUT] = "late",
	[BAD_PROTO] = "the bus refuses it",
};

struct bad_response {
	u8 msg_id;
	u16 kind;
};

/* The fields a response has to repeat */
static const struct bad_response bad_echoes[] = {
	{ VIRTIO_MSG_GET_DEVICE_FEATURES, BAD_FIELD + 8 },
	{ VIRTIO_MSG_GET_DEVICE_FEATURES, BAD_FIELD + 12 },
	{ VIRTIO_MSG_GET_CONFIG, BAD_FIELD + 12 },
	{ VIRTIO_MSG_GET_CONFIG, BAD_FIELD + 16 },
	{ VIRTIO_MSG_SET_CONFIG, BAD_FIELD + 12 },
	{ VIRTIO_MSG_SET_CONFIG, BAD_FIELD + 16 },
	{ VIRTIO_MSG_GET_VQUEUE, BAD_FIELD + 8 },
	{ VIRTIO_MSG_GET_SHM, BAD_FIELD + 8 },
};

#define BAD_FIRST	VIRTIO_MSG_GET_DEVICE_INFO
#define BAD_LAST	VIRTIO_MSG_GET_SHM
#define BAD_ANY		((BAD_LAST - BAD_FIRST + 1) * BAD_KINDS)

/* Everything that can be wrong with any response, then what only some have */
static struct bad_response bad_responses[BAD_ANY + ARRAY_SIZE(bad_echoes)];

static int bad_response_init(struct kunit_suite *suite)
{
	unsigned int i;

	for (i = 0; i < BAD_ANY; i++) {
		bad_responses[i].msg_id = BAD_FIRST + i / BAD_KINDS;
		bad_responses[i].kind = i % BAD_KINDS;
	}
	memcpy(&bad_responses[BAD_ANY], bad_echoes, sizeof(bad_echoes));
	return 0;
}

static void bad_response_desc(struct bad_response *bad, char *desc)
{
	if (bad->kind >= BAD_FIELD)
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#x: wrong at %u",
			 bad->msg_id, bad->kind - BAD_FIELD);
	else
		snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#x: %s", bad->msg_id,
			 bad_names[bad->kind]);
}

KUNIT_ARRAY_PARAM(bad_response, bad_responses, bad_response_desc);

static int bad_response_after(struct vmt_bus *fb,
			      const struct virtio_msg_header *req,
			      struct vmt_message *resp, int err)
{
	const struct bad_response *bad = fb->priv;
	__le32 *field;

	if (req->type || req->msg_id != bad->msg_id)
		return err;
	switch (bad->kind) {
	case BAD_TYPE:
		resp->hdr.type = 0;
		return err;
	case BAD_BUS:
		resp->hdr.type |= VIRTIO_MSG_TYPE_BUS;
		return err;
	case BAD_ID:
		resp->hdr.msg_id ^= 1;
		return err;
	case BAD_DEVICE:
		resp->hdr.dev_num = cpu_to_le16(1);
		return err;
	case BAD_SHORT:
		le16_add_cpu(&resp->hdr.msg_size, -1);
		return err;
	case BAD_LONG:
		le16_add_cpu(&resp->hdr.msg_size, 1);
		return err;
	case BAD_NONE:
		return -EIO;
	case BAD_TIMEOUT:
		return -ETIMEDOUT;
	case BAD_PROTO:
		return -EPROTO;
	}
	field = (__le32 *)(resp->raw + bad->kind - BAD_FIELD);
	*field = cpu_to_le32(le32_to_cpu(*field) ^ 0x80);
	return err;
}

/* The most a response to SET_CONFIG may be is all of the request */
static int bad_response_pad(struct vmt_bus *fb,
			    const struct virtio_msg_header *req,
			    struct vmt_message *resp, int err)
{
	const struct bad_response *bad = fb->priv;

	if (req->msg_id == VIRTIO_MSG_SET_CONFIG && bad->kind == BAD_LONG)
		resp->hdr.msg_size = req->msg_size;
	return bad_response_after(fb, req, resp, err);
}

/* Have a bound driver send what its probe does not */
static void bad_response_provoke(struct vmt_fixture *fix, u8 msg_id)
{
	struct virtio_device *vdev = fix->drv->vdev;
	struct virtio_shm_region region;
	u8 value = 0;

	switch (msg_id) {
	case VIRTIO_MSG_GET_CONFIG:
		vdev->config->get(vdev, 0, &value, 1);
		break;
	case VIRTIO_MSG_SET_CONFIG:
		vdev->config->set(vdev, 0, &value, 1);
		break;
	case VIRTIO_MSG_GET_DEVICE_STATUS:
		/* Without a status block this is how the status is found */
		virtio_msg_config_interrupt(&fix->fb->bus, 0);
		flush_work(&to_virtio_msg_device(vdev)->config_work);
		break;
	case VIRTIO_MSG_RESET_VQUEUE:
		vdev->config->disable_vq_and_reset(fix->drv->queues[0].vq);
		break;
	case VIRTIO_MSG_GET_SHM:
		virtio_get_shm_region(vdev, &region, 0);
		break;
	}
}

static bool in_probe(u8 msg_id)
{
	return msg_id == VIRTIO_MSG_GET_DEVICE_FEATURES ||
	       msg_id == VIRTIO_MSG_SET_DRIVER_FEATURES ||
	       msg_id == VIRTIO_MSG_SET_DEVICE_STATUS ||
	       msg_id == VIRTIO_MSG_GET_VQUEUE ||
	       msg_id == VIRTIO_MSG_SET_VQUEUE;
}

static void bad_response(struct kunit *test)
{
	const struct bad_response *bad = test->param_value;
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;
	struct vmt_bus *fb = fix->fb;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	fb->priv = (void *)bad;
	if (bad->msg_id == VIRTIO_MSG_GET_DEVICE_INFO) {
		fb->after = bad_response_pad;
		KUNIT_EXPECT_LT(test, vmt_bus_register(fb), 0);
		KUNIT_EXPECT_EQ(test, fb->messages, 1);
		KUNIT_EXPECT_EQ(test, fix->drv->probes, 0);
		fb->after = NULL;
		KUNIT_EXPECT_EQ(test, vmt_bus_register(fb), 0);
		vmt_expect_works(test, 2);
		return;
	}
	if (in_probe(bad->msg_id))
		fb->after = bad_response_pad;
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fb), 0);
	vmdev = vmt_vmdev(fb, 0);
	KUNIT_ASSERT_NOT_NULL(test, vmdev);
	if (in_probe(bad->msg_id)) {
		KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	} else {
		KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
		KUNIT_EXPECT_FALSE(test, vmdev->dead);
		fb->after = bad_response_pad;
		bad_response_provoke(fix, bad->msg_id);
		vmt_settle(fb, 0);
		/* The driver gets to know, and nothing reaches the device */
		KUNIT_EXPECT_GE(test, atomic_read(&fix->drv->config_changes), 1);
		KUNIT_EXPECT_TRUE(test, vmdev->vdev.config->get_status(&vmdev->vdev) &
					VIRTIO_CONFIG_S_NEEDS_RESET);
		KUNIT_EXPECT_NE(test, vmt_send(fix->drv, 1), 0);
		KUNIT_EXPECT_FALSE(test, virtqueue_notify(fix->drv->queues[1].vq));
		KUNIT_EXPECT_EQ(test, atomic_read(&fb->notifies), 0);
	}
	/* Unless it has been reset already, because its virtqueues failed */
	KUNIT_EXPECT_EQ(test, vmdev->dead,
			bad->msg_id != VIRTIO_MSG_SET_VQUEUE);

	/* The device is dead, the bus is not */
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(&fb->bus, 1), 0);
	fb->after = NULL;
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	vmt_expect_works(test, 2);
}

/* Bits nobody knows, and what belongs to the bus: rules D3, D17 */
static int reserved_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			  struct vmt_message *resp, int err)
{
	resp->hdr.type |= 0xfc;
	resp->hdr.token = cpu_to_le16(fb->messages * 77);
	return err;
}

static void reserved_bits(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->after = reserved_after;
	vmt_start(test);
	vmt_expect_works(test, 2);
}

/* Features */

static void features_accepted(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_set_feature(fix->dev, VMT_F_ONE);
	vmt_set_feature(fix->dev, 7);
	vmt_set_feature(fix->dev, VIRTIO_F_ADMIN_VQ);
	vmt_set_feature(fix->dev, VIRTIO_RING_F_EVENT_IDX);
	/* VIRTIO_F_NOTIF_CONFIG_DATA */
	vmt_set_feature(fix->dev, 39);
	vmt_start(test);
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VMT_F_ZERO));
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VMT_F_ONE));
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VIRTIO_F_VERSION_1));
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VIRTIO_F_RING_RESET));
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VIRTIO_RING_F_EVENT_IDX));
	KUNIT_EXPECT_FALSE(test, vmt_accepted(fix->dev, 7));
	KUNIT_EXPECT_FALSE(test, vmt_accepted(fix->dev, VIRTIO_F_ADMIN_VQ));
	KUNIT_EXPECT_FALSE(test, vmt_accepted(fix->dev, 39));
	KUNIT_EXPECT_TRUE(test, virtio_has_feature(fix->drv->vdev,
						   VIRTIO_F_RING_RESET));
}

static void features_no_ring_reset(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->features[1] &= ~BIT(VIRTIO_F_RING_RESET - 32);
	vmt_start(test);
	KUNIT_EXPECT_FALSE(test, virtio_has_feature(fix->drv->vdev,
						    VIRTIO_F_RING_RESET));
}

static void features_many_blocks(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_features *set;
	u32 blocks;

	fix->dev->info.num_feature_blocks = 1000;
	memset(&fix->dev->features[2], 0xff, 6 * sizeof(u32));
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	set = &fix->fb->log[5].features;
	KUNIT_ASSERT_EQ(test, set->hdr.msg_id, VIRTIO_MSG_SET_DRIVER_FEATURES);
	/* As many as Linux knows, which has become more over time */
	blocks = le32_to_cpu(set->num_blocks);
	KUNIT_EXPECT_GE(test, blocks, 2);
	KUNIT_EXPECT_LE(test, blocks, 4);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(set->hdr.msg_size), 16 + 4 * blocks);
	KUNIT_EXPECT_EQ(test, fix->dev->driver_features[2], 0);
	KUNIT_EXPECT_EQ(test, fix->dev->driver_features[3], 0);
}

/* There is VERSION_1 in the second block */
static void features_few_blocks(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->info.num_feature_blocks = 1;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DRIVER_FEATURES), 0);
}

static void features_no_version_1(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->features[1] &= ~BIT(VIRTIO_F_VERSION_1 - 32);
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DRIVER_FEATURES), 0);
	KUNIT_EXPECT_TRUE(test, fix->dev->status & VIRTIO_CONFIG_S_FAILED);
}

static void features_refused(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->refuse_features = true;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DRIVER_FEATURES), 1);
	KUNIT_EXPECT_EQ(test, fix->dev->status, VIRTIO_CONFIG_S_ACKNOWLEDGE |
			VIRTIO_CONFIG_S_DRIVER | VIRTIO_CONFIG_S_FAILED);
	fix->dev->refuse_features = false;
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmt_vmdev(fix->fb, 0)->vdev), 1);
	vmt_expect_works(test, 2);
}

static int drop_feature(struct virtio_device *vdev)
{
	__virtio_clear_bit(vdev, VMT_F_ONE);
	return 0;
}

/* A driver may think again in validate() */
static void features_validate(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_set_feature(fix->dev, VMT_F_ONE);
	fix->drv->drv.validate = drop_feature;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DRIVER_FEATURES), 2);
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VMT_F_ZERO));
	KUNIT_EXPECT_FALSE(test, vmt_accepted(fix->dev, VMT_F_ONE));
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VIRTIO_F_RING_RESET));
	vmt_expect_works(test, 2);
}

static int busy_probe(struct virtio_device *vdev)
{
	return -EBUSY;
}

/* The virtio core does not reset the device of a driver that did not want it */
static void features_after_failed_probe(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	int (*probe)(struct virtio_device *vdev) = fix->drv->drv.probe;

	fix->drv->drv.probe = busy_probe;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_TRUE(test, fix->dev->status & VIRTIO_CONFIG_S_FEATURES_OK);
	KUNIT_EXPECT_TRUE(test, fix->dev->status & VIRTIO_CONFIG_S_FAILED);
	fix->drv->drv.probe = probe;
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmt_vmdev(fix->fb, 0)->vdev), 1);
	vmt_expect_works(test, 2);
}

/* Status */

static void status_costs_nothing(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	KUNIT_EXPECT_EQ(test, vmdev->vdev.config->get_status(&vmdev->vdev), 0xf);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

static int more_status_after(struct vmt_bus *fb,
			     const struct virtio_msg_header *req,
			     struct vmt_message *resp, int err)
{
	if (req->msg_id == VIRTIO_MSG_SET_DEVICE_STATUS &&
	    resp->status.status)
		resp->status.status |= cpu_to_le32(0xffffff30);
	return err;
}

/* Bits nobody asked for do not reach the driver, nor come back to the device */
static void status_filtered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;

	fix->fb->after = more_status_after;
	vmdev = vmt_start(test);
	KUNIT_EXPECT_EQ(test, vmdev->vdev.config->get_status(&vmdev->vdev), 0xf);
	KUNIT_EXPECT_EQ(test, fix->dev->status, 0xf);
}

/* DEVICE_NEEDS_RESET in the response to the driver's own write */
static void needs_reset_in_response(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;
	struct virtio_device *vdev;

	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	vmdev = vmt_vmdev(fix->fb, 0);
	vdev = &vmdev->vdev;
	fix->dev->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	virtio_add_status(vdev, VIRTIO_CONFIG_S_DRIVER);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x43);
	/* It is never written back, and gone with the next reset */
	virtio_add_status(vdev, VIRTIO_CONFIG_S_FAILED);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0xc3);
	virtio_reset_device(vdev);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0);
	virtio_add_status(vdev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 1);
}

/* Reset: rule D10 */

static void reset_polls(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	fix->dev->reset_polls = 3;
	virtio_reset_device(&vmdev->vdev);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 4);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DEVICE_STATUS), 1);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_DEVICE_STATUS), 3);
	KUNIT_EXPECT_EQ(test, vmdev->vdev.config->get_status(&vmdev->vdev), 0);
	KUNIT_EXPECT_FALSE(test, vmdev->dead);
	KUNIT_EXPECT_GE(test, fix->fb->syncs, 1);
}

/* Of memory that is free the page allocator holds no reference */
static bool ring_is_allocated(const struct vmt_vq *vq)
{
	return page_count(virt_to_page(phys_to_virt(vq->desc))) > 0;
}

/* What a device that did not reset goes on to do must hurt nobody */
static void expect_leak(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_vmdev(fix->fb, 0);
	struct vmt_vq vqs[2];
	unsigned int i;

	memcpy(vqs, fix->dev->vqs, sizeof(vqs));
	vmt_driver_unregister(fix->drv);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 1);
	KUNIT_EXPECT_TRUE(test, list_empty(&vmdev->vdev.vqs));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_TRUE(test, ring_is_allocated(&vqs[i]));
		memset(phys_to_virt(vqs[i].device), 0xff, 64);
	}
	virtio_msg_used_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_EQ(test, vmdev->vdev.config->get_status(&vmdev->vdev), 0);
	KUNIT_EXPECT_TRUE(test, vmdev->dead);
}

static int no_reset_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			  struct vmt_message *resp, int err)
{
	const struct virtio_msg_status *set = (const void *)req;

	return req->msg_id == VIRTIO_MSG_SET_DEVICE_STATUS && !set->status ?
	       -EIO : err;
}

static void reset_unanswered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	fix->fb->after = no_reset_after;
	expect_leak(test);
	/* Once, not again in del_vqs */
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);

	/* A dead device is not bound to, until it resets */
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	fix->fb->after = NULL;
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	KUNIT_EXPECT_FALSE(test, vmdev->dead);
	vmt_expect_works(test, 2);
}

static void reset_never_done(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	fix->dev->reset_polls = UINT_MAX;
	expect_leak(test);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_DEVICE_STATUS), 1);
	KUNIT_EXPECT_GE(test, vmt_count(fix->fb, VIRTIO_MSG_GET_DEVICE_STATUS), 10);

	fix->dev->reset_polls = 0;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	vmt_expect_works(test, 2);
}

/* A device that never had virtqueues has nothing to leak */
static void reset_fails_at_registration(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;

	fix->fb->after = no_reset_after;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	vmdev = vmt_vmdev(fix->fb, 0);
	KUNIT_ASSERT_NOT_NULL(test, vmdev);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	/* GET_DEVICE_INFO and the reset; a dead device is not asked more */
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
	KUNIT_EXPECT_TRUE(test, vmdev->dead);

	/* It answers now, so looking again makes it a new device */
	fix->fb->after = NULL;
	vmt_rescan(fix->fb);
	vmt_expect_works(test, 2);
}

static struct kunit_case virtio_msg_cases[] = {
	KUNIT_CASE(probe_messages),
	KUNIT_CASE(vqueue_bytes),
	KUNIT_CASE(no_driver),
	KUNIT_CASE(remove_messages),
	KUNIT_CASE_PARAM(bad_response, bad_response_gen_params),
	KUNIT_CASE(reserved_bits),
	KUNIT_CASE(features_accepted),
	KUNIT_CASE(features_no_ring_reset),
	KUNIT_CASE(features_many_blocks),
	KUNIT_CASE(features_few_blocks),
	KUNIT_CASE(features_no_version_1),
	KUNIT_CASE(features_refused),
	KUNIT_CASE(features_validate),
	KUNIT_CASE(features_after_failed_probe),
	KUNIT_CASE(status_costs_nothing),
	KUNIT_CASE(status_filtered),
	KUNIT_CASE(needs_reset_in_response),
	KUNIT_CASE(reset_polls),
	KUNIT_CASE(reset_unanswered),
	KUNIT_CASE_SLOW(reset_never_done),
	KUNIT_CASE(reset_fails_at_registration),
	{}
};

static struct kunit_suite virtio_msg_suite = {
	.name = "virtio-msg",
	.suite_init = bad_response_init,
	.init = vmt_fixture_init,
	.exit = vmt_fixture_exit,
	.test_cases = virtio_msg_cases,
};

kunit_test_suite(virtio_msg_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg");
MODULE_LICENSE("GPL");
