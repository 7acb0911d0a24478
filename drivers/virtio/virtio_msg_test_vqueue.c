// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg: virtqueues, notifications, interrupts, shared
 * memory
 *
 * See virtio_msg_test.c for which rules of the protocol are covered by which
 * cases.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/ioport.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "virtio_msg_core.h"
#include "virtio_msg_fake.h"

/* Setting up: rule D8 */

/* Register both, expect that probe fails; how many resets that took */
static unsigned int expect_no_probe(struct kunit *test, int find_err)
{
	struct vmt_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	KUNIT_ASSERT_EQ(test, vmt_bus_register(fix->fb), 0);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 1);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, fix->drv->find_err, find_err);
	/* There was one when the device was found */
	return fix->dev->resets - 1;
}

/* What stood in the way is gone */
static void expect_second_try(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_vmdev(fix->fb, 0)->vdev;

	KUNIT_EXPECT_TRUE(test, list_empty(&vdev->vqs));
	KUNIT_EXPECT_EQ(test, device_attach(&vdev->dev), 1);
	vmt_expect_works(test, fix->drv->num_vqs);
}

static void find_vqs_first_missing(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->vqs[0].max_size = 0;
	/* Nothing has been set up, so there is nothing to reset */
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, -ENOENT), 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_VQUEUE), 1);
	fix->dev->vqs[0].max_size = 16;
	expect_second_try(test);
}

static void find_vqs_last_missing(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->num_vqs = 3;
	fix->dev->vqs[2].max_size = 0;
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, -ENOENT), 1);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_VQUEUE), 2);
	fix->dev->vqs[2].max_size = 16;
	expect_second_try(test);
}

static int no_second_set_after(struct vmt_bus *fb,
			       const struct virtio_msg_header *req,
			       struct vmt_message *resp, int err)
{
	return req->msg_id == VIRTIO_MSG_SET_VQUEUE &&
	       vmt_count(fb, VIRTIO_MSG_SET_VQUEUE) == 2 ? -EIO : err;
}

/* The device side may have enabled it all the same */
static void find_vqs_set_fails(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->num_vqs = 3;
	fix->fb->after = no_second_set_after;
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, -EIO), 1);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_VQUEUE), 2);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_VQUEUE), 2);
	fix->fb->after = NULL;
	expect_second_try(test);
}

static int enabled_after(struct vmt_bus *fb, const struct virtio_msg_header *req,
			 struct vmt_message *resp, int err)
{
	__le32 *flags = (__le32 *)(resp->raw +
		offsetof(struct virtio_msg_get_vqueue_resp, flags));

	if (req->msg_id == VIRTIO_MSG_GET_VQUEUE)
		*flags = cpu_to_le32(VIRTIO_MSG_VQUEUE_ENABLED);
	return err;
}

static void find_vqs_enabled(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->fb->after = enabled_after;
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, -EBUSY), 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_SET_VQUEUE), 0);
	fix->fb->after = NULL;
	expect_second_try(test);
}

static void find_vqs_too_many(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->info.max_virtqueues = 1;
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, -ENOENT), 0);
	KUNIT_EXPECT_EQ(test, vmt_count(fix->fb, VIRTIO_MSG_GET_VQUEUE), 0);
}

static void find_vqs_none(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->num_vqs = 0;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(&fix->fb->bus, 0), IRQ_NONE);
	vmt_driver_unregister(fix->drv);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 2);
}

/* A virtqueue without a name does not take an index */
static void find_vqs_gap(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->num_vqs = 3;
	fix->drv->gap = 1;
	fix->dev->info.max_virtqueues = 2;
	vmt_start(test);
	KUNIT_EXPECT_NULL(test, fix->drv->queues[1].vq);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->queues[2].vq);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[2].vq->index, 1);
	KUNIT_EXPECT_TRUE(test, fix->dev->vqs[1].enabled);
	KUNIT_EXPECT_FALSE(test, fix->dev->vqs[2].enabled);
}

static void find_vqs_odd_size(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->vqs[0].max_size = 100;
	fix->dev->vqs[1].max_size = 1;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, fix->dev->vqs[0].size, 64);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].vq->num_max, 64);
	KUNIT_EXPECT_EQ(test, fix->dev->vqs[1].size, 1);
	vmt_expect_works(test, 2);
}

static void find_vqs_odd_size_packed(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	vmt_set_feature(fix->dev, VIRTIO_F_RING_PACKED);
	fix->dev->vqs[0].max_size = 100;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, fix->dev->vqs[0].size, 100);
	for (i = 0; i < 250; i++)
		vmt_expect_works(test, 1);
}

static void find_vqs_huge(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->num_vqs = 1;
	fix->dev->vqs[0].max_size = U32_MAX;
	vmt_start(test);
	/* The ring code settles for less if there is not as much memory */
	KUNIT_EXPECT_LE(test, fix->dev->vqs[0].size, 32768);
	KUNIT_EXPECT_GT(test, fix->dev->vqs[0].size, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].vq->num_max, 32768);
	vmt_expect_works(test, 1);
}

/* Taking down */

static int fail_probe(struct vmt_driver *drv, struct virtio_device *vdev)
{
	return -ENXIO;
}

/* A driver that gives up in probe need not reset the device itself */
static void del_vqs_resets(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	fix->drv->on_probe = fail_probe;
	KUNIT_EXPECT_EQ(test, expect_no_probe(test, 0), 1);
	fix->drv->on_probe = NULL;
	expect_second_try(test);
}

static void queue_reset(struct kunit *test)
{
	static const u8 reset[] = {
		0, VIRTIO_MSG_RESET_VQUEUE, 0, 0, 0, 0, 12, 0, 1, 0, 0, 0,
	};
	struct vmt_fixture *fix = test->priv;
	struct virtqueue *vq;
	struct virtio_device *vdev = &vmt_start(test)->vdev;

	vq = fix->drv->queues[1].vq;
	KUNIT_EXPECT_EQ(test, vdev->config->enable_vq_after_reset(vq), -EBUSY);
	KUNIT_ASSERT_EQ(test, vdev->config->disable_vq_and_reset(vq), 0);
	KUNIT_EXPECT_TRUE(test, vq->reset);
	KUNIT_EXPECT_FALSE(test, fix->dev->vqs[1].enabled);
	KUNIT_EXPECT_TRUE(test, fix->dev->vqs[0].enabled);
	KUNIT_ASSERT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, reset, sizeof(reset));
	KUNIT_EXPECT_GE(test, fix->fb->syncs, 1);
	/* The other one goes on, this one is not looked at */
	vmt_expect_works(test, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].calls, 0);

	KUNIT_ASSERT_EQ(test, vdev->config->enable_vq_after_reset(vq), 0);
	KUNIT_EXPECT_FALSE(test, vq->reset);
	KUNIT_EXPECT_TRUE(test, fix->dev->vqs[1].enabled);
	KUNIT_EXPECT_EQ(test, vdev->config->enable_vq_after_reset(vq), -EBUSY);
	vmt_expect_works(test, 2);
	/* Taking it down with one virtqueue in reset */
	KUNIT_ASSERT_EQ(test, vdev->config->disable_vq_and_reset(vq), 0);
	vmt_driver_unregister(fix->drv);
}

/* Buffers that came back before the reset, and an interrupt after it */
static void queue_reset_pending(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	struct vmt_queue *queue = &fix->drv->queues[1];

	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 1), 0);
	vmt_kick(fix->drv, 1);
	KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, 1), 1);
	KUNIT_ASSERT_EQ(test, vdev->config->disable_vq_and_reset(queue->vq), 0);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(&fix->fb->bus, 0), IRQ_NONE);
	KUNIT_EXPECT_EQ(test, queue->calls, 0);
	KUNIT_EXPECT_EQ(test, vmt_rebind(vdev), 1);
	vmt_expect_works(test, 2);
}

static void queue_reset_not_offered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev;

	fix->dev->features[1] &= ~BIT(VIRTIO_F_RING_RESET - 32);
	vdev = &vmt_start(test)->vdev;
	KUNIT_EXPECT_LT(test, vdev->config->disable_vq_and_reset(fix->drv->queues[0].vq), 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	vmt_expect_works(test, 2);
}

/* Notifications: rules B6, D12 */

struct notify_work {
	struct irq_work work;
	struct virtqueue *vq;
	bool hardirq;
	bool ok;
};

static void notify_in_hardirq(struct irq_work *work)
{
	struct notify_work *ctx = container_of(work, struct notify_work, work);

	ctx->hardirq = in_hardirq();
	ctx->ok = virtqueue_notify(ctx->vq);
}

/* Every lock of core and bus is held: whoever takes one of them hangs */
static void notify_atomic(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);
	struct virtqueue *vq = fix->drv->queues[1].vq;
	struct notify_work ctx = { .vq = vq };
	struct virtio_msg_vq *q;
	unsigned long flags;
	bool ok;

	q = &virtio_msg_own_vqs(vmdev)->vq[1];

	mutex_lock(&fix->fb->bus.lock);
	spin_lock_irqsave(&fix->fb->lock, flags);
	spin_lock(&q->lock);
	spin_lock(&vmdev->lock);
	ok = virtqueue_notify(vq);
	spin_unlock(&vmdev->lock);
	spin_unlock(&q->lock);
	spin_unlock_irqrestore(&fix->fb->lock, flags);
	mutex_unlock(&fix->fb->bus.lock);
	KUNIT_EXPECT_TRUE(test, ok);
	KUNIT_EXPECT_EQ(test, fix->dev->notified[1], 1);

	ctx.work = IRQ_WORK_INIT_HARD(notify_in_hardirq);
	irq_work_queue(&ctx.work);
	irq_work_sync(&ctx.work);
	KUNIT_EXPECT_TRUE(test, ctx.hardirq);
	KUNIT_EXPECT_TRUE(test, ctx.ok);
	KUNIT_EXPECT_EQ(test, fix->dev->notified[1], 2);
	KUNIT_EXPECT_EQ(test, fix->dev->notify_data[1], 1);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

/* A notification while a request is on its way does not hurt that */
static void notify_before(struct vmt_bus *fb, const struct virtio_msg_header *req)
{
	virtqueue_notify(fb->priv);
}

static void notify_during_transfer(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_device *vdev = &vmt_start(test)->vdev;
	u8 buf[16];

	fix->fb->priv = fix->drv->queues[0].vq;
	fix->fb->before = notify_before;
	vdev->config->get(vdev, 7, buf, sizeof(buf));
	KUNIT_EXPECT_MEMEQ(test, buf, fix->dev->config + 7, sizeof(buf));
	KUNIT_EXPECT_EQ(test, fix->dev->notified[0], 1);
}

/* Before the work item has broken its virtqueues */
static void notify_dead(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev = vmt_start(test);

	WRITE_ONCE(vmdev->dead, true);
	KUNIT_EXPECT_FALSE(test, virtqueue_notify(fix->drv->queues[0].vq));
	WRITE_ONCE(vmdev->dead, false);
	WRITE_ONCE(vmdev->gone, true);
	KUNIT_EXPECT_FALSE(test, virtqueue_notify(fix->drv->queues[1].vq));
	WRITE_ONCE(vmdev->gone, false);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->fb->notifies), 0);
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	vmt_expect_works(test, 2);
}

static void notify_not_offered(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;

	vmt_set_feature(fix->dev, VIRTIO_F_NOTIFICATION_DATA);
	vmt_start(test);
	KUNIT_EXPECT_FALSE(test, vmt_accepted(fix->dev, VIRTIO_F_NOTIFICATION_DATA));
	vmt_expect_works(test, 2);
	vmt_expect_works(test, 2);
	KUNIT_EXPECT_EQ(test, fix->dev->notify_data[1], 1);
	KUNIT_EXPECT_EQ(test, virtio_msg_next_offset(fix->drv->vdev, 0x1230001), 0);
}

static void notify_data(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i;

	fix->fb->bus.flags |= VIRTIO_MSG_BUS_F_NOTIFY_DATA;
	vmt_set_feature(fix->dev, VIRTIO_F_NOTIFICATION_DATA);
	vmt_start(test);
	KUNIT_EXPECT_TRUE(test, vmt_accepted(fix->dev, VIRTIO_F_NOTIFICATION_DATA));
	for (i = 1; i <= 40; i++) {
		vmt_expect_works(test, 2);
		KUNIT_EXPECT_EQ(test, fix->dev->notify_data[1], i << 16 | 1);
		KUNIT_EXPECT_EQ(test, virtio_msg_next_offset(fix->drv->vdev,
							     fix->dev->notify_data[1]), i);
	}
	/* A split ring's index uses all of its 16 bits */
	KUNIT_EXPECT_EQ(test, virtio_msg_next_offset(fix->drv->vdev, 0xffff0001),
			0xffff);
}

static void notify_packed_data(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i, offset;

	fix->fb->bus.flags |= VIRTIO_MSG_BUS_F_NOTIFY_DATA;
	vmt_set_feature(fix->dev, VIRTIO_F_NOTIFICATION_DATA);
	vmt_set_feature(fix->dev, VIRTIO_F_RING_PACKED);
	vmt_start(test);
	/* The wrap counter starts with 1 and turns with each round of 16 */
	for (i = 1; i <= 40; i++) {
		vmt_expect_works(test, 2);
		offset = i % 16;
		if (i / 16 % 2 == 0)
			offset |= VIRTIO_MSG_AVAIL_WRAP;
		KUNIT_EXPECT_EQ(test, virtio_msg_next_offset(fix->drv->vdev,
							     fix->dev->notify_data[1]),
				offset);
	}
	KUNIT_EXPECT_EQ(test, virtio_msg_next_offset(fix->drv->vdev, 0xffff0001),
			0x7fff | VIRTIO_MSG_AVAIL_WRAP);
}

/* Virtqueues at work */

struct ring_kind {
	const char *name;
	u64 features;
};

static const struct ring_kind ring_kinds[] = {
	{ "split", 0 },
	{ "split, event index", BIT_ULL(VIRTIO_RING_F_EVENT_IDX) },
	{ "split, in order", BIT_ULL(VIRTIO_F_IN_ORDER) },
	{ "packed", BIT_ULL(VIRTIO_F_RING_PACKED) },
	{ "packed, event index", BIT_ULL(VIRTIO_F_RING_PACKED) |
				 BIT_ULL(VIRTIO_RING_F_EVENT_IDX) },
	{ "packed, in order", BIT_ULL(VIRTIO_F_RING_PACKED) |
			      BIT_ULL(VIRTIO_F_IN_ORDER) },
};

KUNIT_ARRAY_PARAM_DESC(ring_kind, ring_kinds, name);

static void rings(struct kunit *test)
{
	const struct ring_kind *kind = test->param_value;
	struct vmt_fixture *fix = test->priv;
	unsigned int bit, i, j;

	for (bit = 0; bit < 64; bit++)
		if (kind->features & BIT_ULL(bit))
			vmt_set_feature(fix->dev, bit);
	vmt_start(test);
	for (i = 0; i < 20; i++) {
		/* A full ring, one notification each, and one interrupt */
		for (j = 0; j < 16; j++) {
			KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 0), 0);
			vmt_kick(fix->drv, 0);
		}
		KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, 0), 16);
		KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(&fix->fb->bus, 0),
				IRQ_HANDLED);
		KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 16 * (i + 1));
	}
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, 20);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].errors, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
	/* Only the first buffer of a batch is worth a notification, if it can tell */
	KUNIT_EXPECT_EQ(test, fix->dev->notified[0],
			kind->features == BIT_ULL(VIRTIO_RING_F_EVENT_IDX) ?
			20 : 20 * 16);
}

static void interrupts_one_for_all(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_msg_bus *bus = &fix->fb->bus;
	unsigned int i;

	fix->drv->num_vqs = 4;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(bus, 0), IRQ_NONE);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, i), 0);
		vmt_kick(fix->drv, i);
	}
	/* Buffers of all but one come back */
	for (i = 1; i < 4; i++)
		KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, i), 1);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(bus, 0), IRQ_HANDLED);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, fix->drv->queues[i].calls, !!i);
		KUNIT_EXPECT_EQ(test, fix->drv->queues[i].done, !!i);
	}
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(bus, 0), IRQ_NONE);
	/* No such device */
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(bus, 1), IRQ_NONE);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(bus, U16_MAX), IRQ_NONE);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 0);
}

/* Interrupts and the device side at work, until told to stop */
static int interrupt_thread(void *data)
{
	struct vmt_fixture *fix = data;
	unsigned long flags;
	unsigned int i;

	while (!kthread_should_stop()) {
		/* A reset is answered when nothing touches the memory any more */
		spin_lock_irqsave(&fix->fb->lock, flags);
		for (i = 0; i < VMT_MAX_VQS; i++)
			vmt_device_work(fix->dev, i);
		spin_unlock_irqrestore(&fix->fb->lock, flags);
		local_irq_save(flags);
		virtio_msg_used_interrupt(&fix->fb->bus, 0);
		local_irq_restore(flags);
		usleep_range(20, 50);
	}
	return 0;
}

static void expect_all_done(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int i, tries;

	for (i = 0; i < fix->drv->num_vqs; i++) {
		struct vmt_queue *queue = &fix->drv->queues[i];

		for (tries = 0; tries < 1000; tries++) {
			if (READ_ONCE(queue->done) == queue->sent)
				break;
			usleep_range(1000, 2000);
		}
		KUNIT_EXPECT_EQ(test, queue->done, queue->sent);
		KUNIT_EXPECT_EQ(test, queue->errors, 0);
	}
}

/* Virtqueues come and go, all and single ones, while interrupts arrive */
static void interrupts_while_taken_down(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct task_struct *threads[2];
	struct virtio_device *vdev;
	unsigned int i, j;

	fix->drv->num_vqs = 4;
	vdev = &vmt_start(test)->vdev;
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i] = kthread_run(interrupt_thread, fix, "virtio-msg-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, threads[i]);
	}
	for (i = 0; i < 30; i++) {
		struct virtqueue *vq = fix->drv->queues[i % 4].vq;

		KUNIT_EXPECT_EQ(test, vdev->config->disable_vq_and_reset(vq), 0);
		usleep_range(20, 50);
		KUNIT_EXPECT_EQ(test, vdev->config->enable_vq_after_reset(vq), 0);
		for (j = 0; j < 4 * 10; j++) {
			KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, j % 4), 0);
			vmt_kick(fix->drv, j % 4);
		}
		if (i % 2)
			expect_all_done(test);
		KUNIT_EXPECT_EQ(test, vmt_rebind(vdev), 1);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		kthread_stop(threads[i]);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 31);
}

/* Callbacks that take long */

/* Longer than any test takes, if all is well */
#define SLOW_MS		60000
#define WHILE_MS	30

/*
 * struct slow - virtqueue 0's callback, which another CPU runs
 * @stall: it stays there, for so many ms at most
 * @runs: how many are at it now
 * @most: and at most were
 */
struct slow {
	struct vmt_fixture *fix;
	unsigned int stall;
	atomic_t runs;
	int most;
	struct completion called;
	struct completion done;
	struct completion reset;
	struct task_struct *resetter;
};

static void slow_callback(struct vmt_driver *drv, struct virtqueue *vq)
{
	struct slow *slow = drv->priv;
	unsigned int i;

	if (vq->index)
		return;
	slow->most = max(slow->most, atomic_inc_return(&slow->runs));
	complete(&slow->called);
	for (i = 0; i < READ_ONCE(slow->stall); i++)
		mdelay(1);
	atomic_dec(&slow->runs);
}

static int slow_thread(void *data)
{
	struct slow *slow = data;

	virtio_msg_used_interrupt(&slow->fix->fb->bus, 0);
	complete(&slow->done);
	return 0;
}

static int slow_reset_thread(void *data)
{
	struct slow *slow = data;
	struct virtio_device *vdev = slow->fix->drv->vdev;

	virtio_reset_device(vdev);
	vdev->config->del_vqs(vdev);
	complete(&slow->reset);
	return 0;
}

/* Returns when CPU 1 is in virtqueue 0's callback; the test is on CPU 0 from then on */
static void slow_start(struct kunit *test, struct slow *slow)
{
	struct vmt_fixture *fix = test->priv;
	struct task_struct *task;

	memset(slow, 0, sizeof(*slow));
	slow->fix = fix;
	slow->stall = SLOW_MS;
	init_completion(&slow->called);
	init_completion(&slow->done);
	init_completion(&slow->reset);
	fix->drv->priv = slow;
	fix->drv->on_callback = slow_callback;
	vmt_start(test);
	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 0), 0);
	KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, 0));
	KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, 0), 1);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	task = kthread_create(slow_thread, slow, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	kthread_bind(task, 1);
	slow->resetter = kthread_create(slow_reset_thread, slow, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, slow->resetter);
	kthread_bind(slow->resetter, 0);
	/* From here on CPU 1 does nothing else, not even make threads */
	wake_up_process(task);
	wait_for_completion(&slow->called);
}

static void slow_end(struct kunit *test, struct slow *slow)
{
	WRITE_ONCE(slow->stall, 0);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&slow->done, 30 * HZ));
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* Nobody waits for it, another one is called, and it itself once more */
static void callbacks_do_not_wait(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct slow slow;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");
	slow_start(test, &slow);
	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 1), 0);
	KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, 1));
	KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, 1), 1);
	KUNIT_EXPECT_EQ(test, virtio_msg_used_interrupt(&fix->fb->bus, 0),
			IRQ_HANDLED);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[1].done, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&slow.runs), 1);

	/* It has looked at its ring already */
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 0), 0);
	KUNIT_EXPECT_EQ(test, vmt_device_work(fix->dev, 0), 1);
	virtio_msg_used_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
	slow_end(test, &slow);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 2);
	KUNIT_EXPECT_EQ(test, slow.most, 1);
	kthread_stop(slow.resetter);
}

static void reset_waits_for_callbacks(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	unsigned int calls;
	struct slow slow;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");
	slow_start(test, &slow);
	wake_up_process(slow.resetter);
	/* More are wanted meanwhile, which is no reason to wait longer */
	virtio_msg_used_interrupt(&fix->fb->bus, 0);
	msleep(WHILE_MS);
	KUNIT_EXPECT_FALSE(test, completion_done(&slow.reset));
	slow_end(test, &slow);
	KUNIT_EXPECT_TRUE(test, wait_for_completion_timeout(&slow.reset, 30 * HZ));
	calls = fix->drv->queues[0].calls;
	virtio_msg_used_interrupt(&fix->fb->bus, 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, calls);
	KUNIT_EXPECT_EQ(test, slow.most, 1);
}

/* Many contexts use the bus at once: rule B4 */

struct context {
	struct vmt_fixture *fix;
	unsigned int number;
	unsigned int wrong;
	struct completion done;
	struct task_struct *task;
};

static void sleep_on_leave(struct vmt_bus *fb, const struct virtio_msg_header *req)
{
	/* Others get in between a response and its use */
	usleep_range(50, 100);
}

static int context_thread(void *data)
{
	struct context *ctx = data;
	struct vmt_fixture *fix = ctx->fix;
	struct virtio_device *vdev = fix->drv->vdev;
	unsigned int i, offset;
	u8 buf[8];

	for (i = 0; i < 50; i++) {
		offset = (ctx->number * 8 + i) % 56;
		vdev->config->get(vdev, offset, buf, sizeof(buf));
		if (memcmp(buf, fix->dev->config + offset, sizeof(buf)))
			ctx->wrong++;
		virtqueue_notify(fix->drv->queues[ctx->number % 2].vq);
	}
	complete(&ctx->done);
	while (!kthread_should_stop())
		usleep_range(100, 200);
	return 0;
}

static void two_contexts(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct context contexts[6] = {};
	unsigned int i;

	/* A transfer that sleeps is not for atomic context */
	fix->fb->bus.flags &= ~VIRTIO_MSG_BUS_F_ATOMIC;
	vmt_start(test);
	fix->fb->on_leave = sleep_on_leave;
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		contexts[i].fix = fix;
		contexts[i].number = i;
		init_completion(&contexts[i].done);
		contexts[i].task = kthread_run(context_thread, &contexts[i],
					       "virtio-msg-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, contexts[i].task);
	}
	for (i = 0; i < ARRAY_SIZE(contexts); i++) {
		/* A thread that is stopped too early does nothing at all */
		KUNIT_EXPECT_NE(test, wait_for_completion_timeout(&contexts[i].done,
								  30 * HZ), 0);
		kthread_stop(contexts[i].task);
	}
	for (i = 0; i < ARRAY_SIZE(contexts); i++)
		KUNIT_EXPECT_EQ(test, contexts[i].wrong, 0);
	KUNIT_EXPECT_EQ(test, fix->fb->messages, 50 * ARRAY_SIZE(contexts));
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->fb->notifies),
			50 * ARRAY_SIZE(contexts));
}

/* Shared memory regions */

/* Outside of memory on every machine the tests run on */
#define SHM_ADDR	0xd0000000ull

static bool get_shm(struct kunit *test, u64 addr, u64 len,
		    struct virtio_shm_region *region)
{
	struct vmt_fixture *fix = test->priv;

	fix->dev->shm_addr = addr;
	fix->dev->shm_len = len;
	vmt_bus_forget(fix->fb);
	return virtio_get_shm_region(fix->drv->vdev, region, 0);
}

static void shm(struct kunit *test)
{
	static const u8 bytes[] = {
		0, VIRTIO_MSG_GET_SHM, 0, 0, 0, 0, 12, 0, 0, 0, 0, 0,
	};
	struct vmt_fixture *fix = test->priv;
	struct resource window = DEFINE_RES_MEM(SHM_ADDR + SZ_1M, SZ_4K);
	struct resource ram = {
		.name = "test",
		.start = SHM_ADDR + SZ_2M,
		.end = SHM_ADDR + SZ_2M + SZ_4K - 1,
		.flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY,
	};
	struct virtio_shm_region region = {};

	fix->fb->bus.window = &window;
	vmt_start(test);
	KUNIT_EXPECT_TRUE(test, get_shm(test, SHM_ADDR, SZ_64K, &region));
	KUNIT_EXPECT_EQ(test, region.addr, SHM_ADDR);
	KUNIT_EXPECT_EQ(test, region.len, SZ_64K);
	KUNIT_ASSERT_EQ(test, fix->fb->messages, 1);
	KUNIT_EXPECT_MEMEQ(test, fix->fb->log[0].raw, bytes, sizeof(bytes));
	/* none */
	KUNIT_EXPECT_FALSE(test, get_shm(test, SHM_ADDR, 0, &region));
	KUNIT_EXPECT_FALSE(test, virtio_get_shm_region(fix->drv->vdev, &region, 1));
	/* past the end of all addresses */
	KUNIT_EXPECT_FALSE(test, get_shm(test, U64_MAX - SZ_4K, SZ_64K, &region));
	KUNIT_EXPECT_FALSE(test, get_shm(test, SHM_ADDR, U64_MAX, &region));
	/* the window's first and last byte */
	KUNIT_EXPECT_TRUE(test, get_shm(test, SHM_ADDR, SZ_1M, &region));
	KUNIT_EXPECT_FALSE(test, get_shm(test, SHM_ADDR, SZ_1M + 1, &region));
	KUNIT_EXPECT_FALSE(test, get_shm(test, window.end, 1, &region));
	KUNIT_EXPECT_TRUE(test, get_shm(test, window.end + 1, 1, &region));
	/* memory */
	KUNIT_ASSERT_EQ(test, insert_resource(&iomem_resource, &ram), 0);
	KUNIT_EXPECT_FALSE(test, get_shm(test, window.end + 1, SZ_2M, &region));
	KUNIT_EXPECT_FALSE(test, get_shm(test, ram.end, 1, &region));
	KUNIT_EXPECT_TRUE(test, get_shm(test, ram.end + 1, SZ_4K, &region));
	remove_resource(&ram);
	vmt_expect_works(test, 2);
}

static struct kunit_case virtio_msg_vqueue_cases[] = {
	KUNIT_CASE(find_vqs_first_missing),
	KUNIT_CASE(find_vqs_last_missing),
	KUNIT_CASE(find_vqs_set_fails),
	KUNIT_CASE(find_vqs_enabled),
	KUNIT_CASE(find_vqs_too_many),
	KUNIT_CASE(find_vqs_none),
	KUNIT_CASE(find_vqs_gap),
	KUNIT_CASE(find_vqs_odd_size),
	KUNIT_CASE(find_vqs_odd_size_packed),
	KUNIT_CASE(find_vqs_huge),
	KUNIT_CASE(del_vqs_resets),
	KUNIT_CASE(queue_reset),
	KUNIT_CASE(queue_reset_pending),
	KUNIT_CASE(queue_reset_not_offered),
	KUNIT_CASE(notify_atomic),
	KUNIT_CASE(notify_during_transfer),
	KUNIT_CASE(callbacks_do_not_wait),
	KUNIT_CASE(reset_waits_for_callbacks),
	KUNIT_CASE(notify_dead),
	KUNIT_CASE(notify_not_offered),
	KUNIT_CASE(notify_data),
	KUNIT_CASE(notify_packed_data),
	KUNIT_CASE_PARAM(rings, ring_kind_gen_params),
	KUNIT_CASE(interrupts_one_for_all),
	KUNIT_CASE(interrupts_while_taken_down),
	KUNIT_CASE(two_contexts),
	KUNIT_CASE(shm),
	{}
};

static struct kunit_suite virtio_msg_vqueue_suite = {
	.name = "virtio-msg-vqueue",
	.init = vmt_fixture_init,
	.exit = vmt_fixture_exit,
	.test_cases = virtio_msg_vqueue_cases,
};

kunit_test_suite(virtio_msg_vqueue_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg: virtqueues");
MODULE_LICENSE("GPL");
