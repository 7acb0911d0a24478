// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg: config space, its generation and its cache
 *
 * See virtio_msg_test.c for which rules of the protocol are covered by which
 * cases.
 */

#include <linux/module.h>
#include <linux/sched.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_fake.h"

/* What a bus with messages of 52 bytes leaves for config in each */
#define SMALL_PART	32
/* How often the core begins again */
#define RETRIES		32

static u8 config_get(struct vmt_fixture *fix, unsigned int offset)
{
	struct virtio_device *vdev = fix->drv->vdev;
	u8 value;

	vdev->config->get(vdev, offset, &value, 1);
	return value;
}

static void config_set(struct vmt_fixture *fix, unsigned int offset, u8 value)
{
	struct virtio_device *vdev = fix->drv->vdev;

	vdev->config->set(vdev, offset, &value, 1);
}

/* The device side changes config as it should: generation first, rule V3 */
static void device_sets(struct vmt_device *dev, unsigned int offset, u8 value)
{
	dev->generation++;
	dev->config[offset] = value;
}

/* Messages */

static void config_bytes(struct kunit *test)
{
	static const u8 get[] = {
		0, VIRTIO_MSG_GET_CONFIG, 0, 0, 0, 0, 16, 0,
		5, 0, 0, 0, 3, 0, 0, 0,
	};
	static const u8 set[] = {
		0, VIRTIO_MSG_SET_CONFIG, 0, 0, 0, 0, 22, 0,
		0, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 0xaa, 0xbb,
	};
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	u8 buf[3] = {};

	vdev->config->get(vdev, 5, buf, 3);
	KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config + 5, 3);
	vdev->config->set(vdev, 9, set + 20, 2);
	KUNIT_EXPECT_EQ(test, fix->dev->config[9], 0xaa);
	KUNIT_EXPECT_EQ(test, fix->dev->config[10], 0xbb);
	KUNIT_ASSERT_EQ(test, fix->fb->messages, 2);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, get, sizeof(get));
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[1].raw, set, sizeof(set));
}

static void read_outside(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	u8 buf[8], expected[8] = {};

	/* Nothing there: nobody is asked */
	memset(buf, 0xff, sizeof(buf));
	vdev->config->get(vdev, 64, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, buf, expected, sizeof(buf));
	memset(buf, 0xff, sizeof(buf));
	vdev->config->get(vdev, UINT_MAX - 3, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, buf, expected, sizeof(buf));
	vdev->config->get(vdev, 0, buf, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);

	/* Only a part of it is there */
	memcpy(expected, fix->dev->config + 60, 4);
	memset(buf, 0xff, sizeof(buf));
	vdev->config->get(vdev, 60, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, buf, expected, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

static void write_outside(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	u8 buf[8] = {}, before[64];

	memcpy(before, fix->dev->config, sizeof(before));
	vdev->config->set(vdev, 60, buf, sizeof(buf));
	vdev->config->set(vdev, 64, buf, 1);
	vdev->config->set(vdev, UINT_MAX - 3, buf, sizeof(buf));
	vdev->config->set(vdev, 0, buf, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	KUNIT_EXPECT_MEMEQ(test, fix->dev->config, before, sizeof(before));
}

static void no_config(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->info.config_size = 0;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0);
	config_set(fix, 0, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

/* Split access: rule D5 */

static void split_read(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 buf[100];

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	fix->dev->info.config_size = 128;
	vdev = &vmt_start(test)->vdev;
	vdev->config->get(vdev, 3, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config + 3, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 4);
	/* What fits is not split */
	vmt_bus_forget(fix->fb);
	vdev->config->get(vdev, 3, buf, SMALL_PART);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

static void split_write(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 buf[100];

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	fix->dev->info.config_size = 128;
	vdev = &vmt_start(test)->vdev;
	memset(buf, 0x77, sizeof(buf));
	buf[99] = 0x78;
	vdev->config->set(vdev, 28, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, fix->dev->config + 28, buf, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->dev->config[27], (u8)(27 * 7 + 1));
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_CONFIG), 4);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 4);
}

/* The largest message the core makes, however much the bus can carry */
static void split_large_bus(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 *buf = kunit_kzalloc(test, 500, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MAX;
	fix->dev->info.config_size = 500;
	vdev = &vmt_start(test)->vdev;
	vdev->config->get(vdev, 0, buf, 500);
	KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config, 500);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 3);
	memset(buf, 0x11, 500);
	vdev->config->set(vdev, 0, buf, 500);
	KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config, 500);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 6);
}

/* Changes the whole config, for as many messages as there are in *priv */
static void change_all_before(struct vmt_bus *fb,
			      const struct virtio_msg_header *req)
{
	struct vmt_device *dev = fb->devices[0];
	unsigned int *times = fb->priv;

	if (req->msg_id != VIRTIO_MSG_GET_CONFIG || !*times)
		return;
	--*times;
	dev->generation++;
	memset(dev->config, dev->generation, dev->info.config_size);
}

/* Changes the whole config before the message whose number is in *priv */
static void change_at_before(struct vmt_bus *fb,
			     const struct virtio_msg_header *req)
{
	unsigned int once = 1, *at = fb->priv;

	if (fb->messages != *at)
		return;
	fb->priv = &once;
	change_all_before(fb, req);
	fb->priv = at;
}

/* A read of 64 bytes, in two parts: of one generation wherever it changes */
static void split_read_changes(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	unsigned int at, messages;
	u8 buf[64];

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	vdev = &vmt_start(test)->vdev;
	fix->fb->before = change_at_before;
	fix->fb->priv = &at;
	for (at = 1; at <= 3; at++) {
		memset(fix->dev->config, 0xee, sizeof(fix->dev->config));
		vmt_bus_forget(fix->fb);
		vdev->config->get(vdev, 0, buf, sizeof(buf));
		KUNIT_EXPECT_NULL(test, memchr_inv(buf, buf[0], sizeof(buf)));
		KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config,
				   sizeof(buf));
		/* Before the second part: begun again */
		messages = at == 2 ? 4 : 2;
		KUNIT_EXPECT_EQ_MSG(test, fix->fb->messages, messages,
				    "changed at %u", at);
	}
}

static void split_read_bounded(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;
	unsigned int always = UINT_MAX;
	u8 buf[64];

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	vmdev = vmt_start(test);
	fix->fb->before = change_all_before;
	fix->fb->priv = &always;
	memset(buf, 0xff, sizeof(buf));
	vmdev->vdev.config->get(&vmdev->vdev, 0, buf, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2 * RETRIES);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 0, sizeof(buf)));
	KUNIT_EXPECT_TRUE(test, vmdev->dead);
}

static int second_part_fails_after(struct vmt_bus *fb,
				   const struct virtio_msg_header *req,
				   struct vmt_message *resp, int err)
{
	return fb->messages == 2 ? -EIO : err;
}

/* Nothing of what came is given to the driver: rule D16 */
static void split_read_fails(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 buf[64];

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	vdev = &vmt_start(test)->vdev;
	fix->fb->after = second_part_fails_after;
	memset(buf, 0xff, sizeof(buf));
	vdev->config->get(vdev, 0, buf, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
	KUNIT_EXPECT_NULL(test, memchr_inv(buf, 0, sizeof(buf)));
	/* A dead device is not asked again */
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0);
	config_set(fix, 0, 1);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
}

/* Several fields that a driver reads are of one generation */
static void fields_change(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int at;
	u8 buf[10];

	vmt_start(test);
	fix->fb->before = change_at_before;
	fix->fb->priv = &at;
	for (at = 1; at <= sizeof(buf) + 1; at++) {
		memset(fix->dev->config, 0xee, sizeof(fix->dev->config));
		vmt_bus_forget(fix->fb);
		virtio_cread_bytes(fix->drv->vdev, 0, buf, sizeof(buf));
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(buf, buf[0], sizeof(buf)),
				      "changed at %u", at);
	}
}

/* Strict generations: rule D6 */

static void start_strict(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->bus.transport_features =
		BIT(VIRTIO_MSG_F_STRICT_CONFIG_GENERATION);
	fix->dev->strict = true;
	vmt_start(test);
}

static void strict_newest(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct vmt_message *set;

	start_strict(test);
	config_get(fix, 0);
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, fix->dev->config[0], 0x42);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
	set = &fix->fb->log[1];
	KUNIT_EXPECT_EQ(test, le32_to_cpu(set->config.generation), 100);
}

static void strict_refused(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	start_strict(test);
	config_get(fix, 0);
	device_sets(fix->dev, 1, 0x33);
	vmt_bus_forget(fix->fb);
	/* Refused, read again, taken */
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, fix->dev->config[0], 0x42);
	KUNIT_EXPECT_EQ(test, fix->dev->config[1], 0x33);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_CONFIG), 2);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_CONFIG), 1);
}

/* The generation an event brings is the newest seen */
static void strict_after_event(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_event_config event = {
		.hdr.msg_id = VIRTIO_MSG_EVENT_CONFIG,
		.hdr.msg_size = cpu_to_le16(sizeof(event)),
	};

	start_strict(test);
	config_get(fix, 0);
	device_sets(fix->dev, 1, 0x33);
	event.generation = cpu_to_le32(fix->dev->generation);
	event.device_status = cpu_to_le32(fix->dev->status);
	virtio_msg_event(&fix->fb->bus, &event.hdr, sizeof(event));
	vmt_bus_forget(fix->fb);
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, fix->dev->config[0], 0x42);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

static void stale_before(struct vmt_bus *fb, const struct virtio_msg_header *req)
{
	if (req->msg_id == VIRTIO_MSG_SET_CONFIG)
		fb->devices[0]->generation++;
}

static void strict_bounded(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	u8 was = fix->dev->config[0];

	start_strict(test);
	fix->fb->before = stale_before;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_CONFIG), RETRIES);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_CONFIG), RETRIES);
	KUNIT_EXPECT_EQ(test, fix->dev->config[0], was);
	KUNIT_EXPECT_TRUE(test, vmt_vmdev(fix->fb, 0)->dead);
}

/* Answers to SET_CONFIG: rule D7 */

static int echo_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
		      struct vmt_message *resp, int err)
{
	const struct virtio_msg_config *set = (const void *)req;

	if (req->msg_id != VIRTIO_MSG_SET_CONFIG)
		return err;
	memcpy(resp->config.data, set->data, le32_to_cpu(set->length));
	resp->hdr.msg_size = req->msg_size;
	return err;
}

static void set_config_echo(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	fix->fb->after = echo_after;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, fix->dev->config[0], 0x42);
	KUNIT_EXPECT_FALSE(test, vmdev->dead);
}

static int wrong_length_after(struct vmt_bus *fb,
			      const struct virtio_msg_header *req,
			      struct vmt_message *resp, int err)
{
	if (req->msg_id == VIRTIO_MSG_SET_CONFIG)
		resp->config.length = cpu_to_le32(3);
	return err;
}

static void set_config_wrong_length(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	fix->fb->after = wrong_length_after;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_TRUE(test, vmdev->dead);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
}

/* As a write to a field that is read-only: not applied, and nothing else */
static void set_config_not_applied(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);
	u8 was = fix->dev->config[0];

	fix->dev->refuse_config = true;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_FALSE(test, vmdev->dead);
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), was);
	vmt_expect_works(test, 2);
}

/* The cache: what is known is not asked again, and never stale */

static void start_cached(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->peek = true;
	fix->fb->cacheable = true;
	vmt_start(test);
}

static void cache_ten_fields(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;
	unsigned int i;
	u32 generation;

	start_cached(test);
	vdev = fix->drv->vdev;
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, config_get(fix, i * 6),
				fix->dev->config[i * 6]);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	generation = vdev->config->generation(vdev);
	KUNIT_EXPECT_EQ(test, generation, vdev->config->generation(vdev));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	/* Nor does a change cost more than one */
	device_sets(fix->dev, 6, 0x99);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, config_get(fix, i * 6),
				fix->dev->config[i * 6]);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
	KUNIT_EXPECT_NE(test, generation, vdev->config->generation(vdev));
}

/* The first read of several fields is no reason to read them twice */
static void first_fields(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	u64 value;

	vmt_start(test);
	virtio_cread_bytes(fix->drv->vdev, 0, &value, sizeof(value));
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 8);
}

static void cache_not_allowed(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	start_cached(test);
	fix->fb->cacheable = false;
	config_get(fix, 0);
	config_get(fix, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
	fix->fb->cacheable = true;
	fix->fb->peek = false;
	config_get(fix, 0);
	config_get(fix, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 4);
}

/* What does not fit into a message is not cached */
static void cache_too_large(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->bus.msg_size = VIRTIO_MSG_SIZE_MIN;
	start_cached(test);
	KUNIT_EXPECT_EQ(test, config_get(fix, 40), fix->dev->config[40]);
	KUNIT_EXPECT_EQ(test, config_get(fix, 40), fix->dev->config[40]);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
}

/* Config changes before each of ten reads in turn */
static void cache_change_between(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int at, i;

	start_cached(test);
	for (at = 0; at < 10; at++)
		for (i = 0; i < 10; i++) {
			if (i == at)
				device_sets(fix->dev, i, 0x40 + at);
			KUNIT_EXPECT_EQ_MSG(test, config_get(fix, i),
					    fix->dev->config[i],
					    "field %u, changed at %u", i, at);
		}
}

static int change_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			struct vmt_message *resp, int err)
{
	struct vmt_device *dev = fb->devices[0];

	if (req->msg_id == VIRTIO_MSG_GET_CONFIG)
		device_sets(dev, 0, dev->config[0] + 1);
	return err;
}

/* Config changes while the cache is being filled, after it was read */
static void cache_change_during_fill(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int once = 1;

	start_cached(test);
	/* before the device side reads it */
	fix->fb->before = change_all_before;
	fix->fb->priv = &once;
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), fix->dev->config[0]);
	KUNIT_EXPECT_EQ(test, config_get(fix, 1), fix->dev->config[1]);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
	fix->fb->before = NULL;

	/* after that, but before the driver side takes it */
	device_sets(fix->dev, 9, 1);
	fix->fb->after = change_after;
	config_get(fix, 0);
	fix->fb->after = NULL;
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), fix->dev->config[0]);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 3);
}

/* Several fields of one generation from the cache, wherever it changes */
static void cache_fields_change(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int at;
	u8 buf[10];

	start_cached(test);
	fix->fb->before = change_at_before;
	fix->fb->priv = &at;
	for (at = 1; at <= 3; at++) {
		memset(fix->dev->config, 0xee, sizeof(fix->dev->config));
		fix->dev->generation++;
		vmt_bus_forget(fix->fb);
		virtio_cread_bytes(fix->drv->vdev, 0, buf, sizeof(buf));
		KUNIT_EXPECT_NULL_MSG(test, memchr_inv(buf, buf[0], sizeof(buf)),
				      "changed at %u", at);
		KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config, sizeof(buf));
	}
}

static void write_on_leave(struct vmt_bus *fb, const struct virtio_msg_header *req)
{
	struct vmt_fixture *fix = fb->priv;

	if (req->msg_id != VIRTIO_MSG_GET_CONFIG)
		return;
	fb->on_leave = NULL;
	config_set(fix, 0, 0x42);
}

/* The driver writes config in another context while the cache is being filled */
static void cache_write_during_fill(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	start_cached(test);
	fix->fb->on_leave = write_on_leave;
	fix->fb->priv = fix;
	config_get(fix, 0);
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0x42);
	KUNIT_EXPECT_EQ(test, config_get(fix, 1), fix->dev->config[1]);
}

/* What another context sees while the driver writes config: on_leave, on_enter */
struct reader {
	struct vmt_fixture *fix;
	u8 seen;
};

static void read_during_write(struct vmt_bus *fb,
			      const struct virtio_msg_header *req)
{
	struct reader *reader = fb->priv;

	if (req->msg_id == VIRTIO_MSG_SET_CONFIG)
		reader->seen = config_get(reader->fix, 0);
}

/* The device has taken it, the driver does not know yet */
static void cache_read_during_write(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct reader reader = { fix };

	start_cached(test);
	config_get(fix, 0);
	fix->fb->on_leave = read_during_write;
	fix->fb->priv = &reader;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, reader.seen, 0x42);
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0x42);
}

/* The cache is filled again just before the device takes it */
static void cache_fill_before_write(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct reader reader = { fix };
	u8 was = fix->dev->config[0];

	start_cached(test);
	fix->fb->on_enter = read_during_write;
	fix->fb->priv = &reader;
	config_set(fix, 0, 0x42);
	KUNIT_EXPECT_EQ(test, reader.seen, was);
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0x42);
}

static void cache_after_reset(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;

	start_cached(test);
	vdev = fix->drv->vdev;
	config_get(fix, 0);
	virtio_reset_device(vdev);
	/* Back to what it is at first, which needs no generation */
	fix->dev->config[0] = 0x21;
	KUNIT_EXPECT_EQ(test, config_get(fix, 0), 0x21);
}

/* virtio_input: writes a selector, then reads what that selects */
static void select_before(struct vmt_bus *fb, const struct virtio_msg_header *req)
{
	struct vmt_device *dev = fb->devices[0];

	/* Caused by the driver's own write: the generation stays */
	if (req->msg_id == VIRTIO_MSG_GET_CONFIG)
		memset(dev->config + 8, dev->config[0] * 16 + dev->config[1], 8);
}

static void cache_select(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int select, subsel, i;

	start_cached(test);
	fix->fb->before = select_before;
	for (select = 1; select < 4; select++)
		for (subsel = 0; subsel < 4; subsel++) {
			config_set(fix, 0, select);
			config_set(fix, 1, subsel);
			vmt_bus_forget(fix->fb);
			for (i = 0; i < 8; i++)
				KUNIT_EXPECT_EQ(test, config_get(fix, 8 + i),
						select * 16 + subsel);
			KUNIT_EXPECT_EQ(test, fix->fb->messages, 1);
		}
}

/* virtio_net: a bit in the status field says what the interrupt is about */
static void announce_on_config(struct vmt_driver *drv, struct virtio_device *vdev)
{
	u8 *seen = drv->priv;

	vdev->config->get(vdev, 6, seen, 1);
}

static void cache_announce(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;
	u8 seen;

	fix->drv->on_config = announce_on_config;
	fix->drv->priv = &seen;
	start_cached(test);
	fix->dev->config[6] = 1;
	for (i = 0; i < 4; i++) {
		device_sets(fix->dev, 6, i % 2 ? 1 : 3);
		seen = 0xff;
		virtio_msg_config_interrupt(&fix->fb->bus, 0);
		KUNIT_EXPECT_EQ(test, seen, i % 2 ? 1 : 3);
		KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes),
				i + 1);
	}
}

/* virtio_mem: a request through a virtqueue changes plugged_size */
static void cache_plugged_size(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	start_cached(test);
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, config_get(fix, 24), fix->dev->config[24]);
		KUNIT_ASSERT_EQ(test, vmt_send(fix->drv, 0), 0);
		KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, 0));
		/* Changed before the buffer comes back: rule V3 */
		device_sets(fix->dev, 24, i * 2);
		vmt_device_work(fix->dev, 0);
		virtio_msg_used_interrupt(&fix->fb->bus, 0);
		KUNIT_EXPECT_EQ(test, config_get(fix, 24), i * 2);
	}
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 8);
}

static struct kunit_case virtio_msg_config_cases[] = {
	KUNIT_CASE(config_bytes),
	KUNIT_CASE(read_outside),
	KUNIT_CASE(write_outside),
	KUNIT_CASE(no_config),
	KUNIT_CASE(split_read),
	KUNIT_CASE(split_write),
	KUNIT_CASE(split_large_bus),
	KUNIT_CASE(split_read_changes),
	KUNIT_CASE(split_read_bounded),
	KUNIT_CASE(split_read_fails),
	KUNIT_CASE(fields_change),
	KUNIT_CASE(strict_newest),
	KUNIT_CASE(strict_refused),
	KUNIT_CASE(strict_after_event),
	KUNIT_CASE(strict_bounded),
	KUNIT_CASE(set_config_echo),
	KUNIT_CASE(set_config_wrong_length),
	KUNIT_CASE(set_config_not_applied),
	KUNIT_CASE(cache_ten_fields),
	KUNIT_CASE(first_fields),
	KUNIT_CASE(cache_not_allowed),
	KUNIT_CASE(cache_too_large),
	KUNIT_CASE(cache_change_between),
	KUNIT_CASE(cache_change_during_fill),
	KUNIT_CASE(cache_fields_change),
	KUNIT_CASE(cache_write_during_fill),
	KUNIT_CASE(cache_read_during_write),
	KUNIT_CASE(cache_fill_before_write),
	KUNIT_CASE(cache_after_reset),
	KUNIT_CASE(cache_select),
	KUNIT_CASE(cache_announce),
	KUNIT_CASE(cache_plugged_size),
	{}
};

static struct kunit_suite virtio_msg_config_suite = {
	.name = "virtio-msg-config",
	.init = vmt_fixture_init,
	.exit = vmt_fixture_exit,
	.test_cases = virtio_msg_config_cases,
};

kunit_test_suite(virtio_msg_config_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg: config space");
MODULE_LICENSE("GPL");
