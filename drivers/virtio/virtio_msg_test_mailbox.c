// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg: the mailbox, and who waits for what
 *
 * The device side is a place in memory. Requests are told apart by their device
 * number.
 */

#include <kunit/test.h>
#include <linux/bottom_half.h>
#include <linux/cleanup.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg_mailbox.h>

#include "virtio_msg_core.h"
#include "virtio_msg_fake.h"

#define LOG		16
#define ANSWER		0x77
/* Longer than any test takes that does not wait for it */
#define LONG_MS		20000
/* Nothing happens in this time that should not */
#define WHILE_MS	30

/*
 * struct place - a mailbox, and its device side
 * @at_once: requests are answered as they are sent
 * @polls: or after they have been looked for so often, 0 for not by themselves
 * @ready: or now
 * @stalled: the CPU that sends stays where it is, for @LONG_MS at most
 * @dead: there is no device side
 * @order: device numbers in the order they were sent
 * @inside: calls of send and receive under way
 */
struct place {
	struct virtio_msg_mailbox mbox;
	bool at_once;
	unsigned int polls;
	bool ready;
	bool stalled;
	bool dead;

	unsigned int sends;
	unsigned int receives;
	unsigned int asked;
	u16 order[LOG];
	u16 token;
	u16 zeros;
	atomic_t inside;
	unsigned int violations;
	const char *violation;
};

#define to_place(_mbox) container_of(_mbox, struct place, mbox)

static void place_violation(struct place *place, const char *what)
{
	if (!place->violations++)
		place->violation = what;
}

static void place_enter(struct place *place)
{
	if (atomic_inc_return(&place->inside) != 1)
		place_violation(place, "two CPUs are at the mailbox");
	if (!irqs_disabled())
		place_violation(place, "interrupts are on at the mailbox");
	if (raw_spin_is_locked(&place->mbox.lock) && num_online_cpus() == 1)
		place_violation(place, "the lock is held at the mailbox");
}

static int place_answer(const struct virtio_msg_header *request,
			struct virtio_msg_header *response, size_t size)
{
	memset(response, 0, size);
	response->msg_id = ANSWER;
	response->dev_num = request->dev_num;
	response->token = request->token;
	return 0;
}

static int place_look(struct place *place, const struct virtio_msg_header *request,
		      struct virtio_msg_header *response, size_t size)
{
	if (le16_to_cpu(request->token) != place->token)
		place_violation(place, "a response is looked for that was not asked for last");
	if (!READ_ONCE(place->at_once) && !READ_ONCE(place->ready) &&
	    (!place->polls || place->receives < place->polls))
		return -EAGAIN;
	place->receives = 0;
	return place_answer(request, response, size);
}

static int place_send(struct virtio_msg_mailbox *mbox,
		      const struct virtio_msg_header *request,
		      struct virtio_msg_header *response, size_t size)
{
	struct place *place = to_place(mbox);
	unsigned int i;
	int err;

	place_enter(place);
	place->order[place->sends % LOG] = le16_to_cpu(request->dev_num);
	place->token = le16_to_cpu(request->token);
	place->zeros += !place->token;
	WRITE_ONCE(place->sends, place->sends + 1);
	place->receives = 0;
	for (i = 0; READ_ONCE(place->stalled) && i < LONG_MS; i++)
		mdelay(1);
	err = place_look(place, request, response, size);
	atomic_dec(&place->inside);
	return err;
}

static int place_receive(struct virtio_msg_mailbox *mbox,
			 const struct virtio_msg_header *request,
			 struct virtio_msg_header *response, size_t size)
{
	struct place *place = to_place(mbox);
	int err;

	place_enter(place);
	WRITE_ONCE(place->receives, place->receives + 1);
	err = place_look(place, request, response, size);
	atomic_dec(&place->inside);
	return err;
}

static bool place_alive(struct virtio_msg_mailbox *mbox)
{
	struct place *place = to_place(mbox);

	WRITE_ONCE(place->asked, place->asked + 1);
	return !READ_ONCE(place->dead);
}

static const struct virtio_msg_mailbox_ops place_ops = {
	.send = place_send,
	.receive = place_receive,
	.alive = place_alive,
};

/* Somebody who sends a request */
struct sender {
	struct place *place;
	struct virtio_msg_header request;
	struct virtio_msg_header response;
	unsigned int timeout_ms;
	bool atomic;
	int err;
	s64 ms;
	struct completion done;
	struct task_struct *task;
};

static void sender_init(struct sender *sender, struct place *place, u16 number)
{
	memset(sender, 0, sizeof(*sender));
	sender->place = place;
	sender->request.dev_num = cpu_to_le16(number);
	sender->timeout_ms = LONG_MS;
	sender->err = 1;
	init_completion(&sender->done);
}

static int sender_send(struct sender *sender)
{
	ktime_t start = ktime_get();

	sender->err = virtio_msg_mailbox_transfer(&sender->place->mbox,
						  &sender->request,
						  &sender->response,
						  sizeof(sender->response),
						  sender->timeout_ms,
						  sender->atomic);
	sender->ms = ktime_ms_delta(ktime_get(), start);
	if (!sender->err && (sender->response.msg_id != ANSWER ||
			     sender->response.dev_num != sender->request.dev_num))
		place_violation(sender->place, "somebody else's response");
	return sender->err;
}

static int sender_thread(void *data)
{
	struct sender *sender = data;

	sender_send(sender);
	complete(&sender->done);
	return 0;
}

/* It will be sent by another thread */
static void sender_create(struct kunit *test, struct sender *sender)
{
	sender->task = kthread_create(sender_thread, sender, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, sender->task);
}

/* Returns when it was sent, or waits for its turn */
static void sender_begin(struct sender *sender)
{
	struct virtio_msg_mailbox *mbox = &sender->place->mbox;
	struct list_head *last = READ_ONCE(mbox->turns.prev);
	unsigned int sends = READ_ONCE(sender->place->sends);
	unsigned int i;

	wake_up_process(sender->task);
	for (i = 0; i < LONG_MS; i++) {
		if (READ_ONCE(mbox->turns.prev) != last ||
		    READ_ONCE(sender->place->sends) != sends)
			break;
		usleep_range(1000, 2000);
	}
}

static void sender_start(struct kunit *test, struct sender *sender)
{
	sender_create(test, sender);
	sender_begin(sender);
}

static bool sender_wait(struct sender *sender)
{
	return wait_for_completion_timeout(&sender->done,
					   msecs_to_jiffies(LONG_MS));
}

static bool sender_waits(struct sender *sender)
{
	msleep(WHILE_MS);
	return !completion_done(&sender->done);
}

/* With interrupts off, which nobody may turn on */
static int sender_send_atomic(struct sender *sender)
{
	unsigned long flags;
	int err;

	sender->atomic = true;
	local_irq_save(flags);
	err = sender_send(sender);
	if (!irqs_disabled())
		place_violation(sender->place, "interrupts were turned on");
	local_irq_restore(flags);
	return err;
}

static int mailbox_init(struct kunit *test)
{
	struct place *place = kunit_kzalloc(test, sizeof(*place), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, place);
	virtio_msg_mailbox_init(&place->mbox, &place_ops);
	test->priv = place;
	return 0;
}

static void mailbox_exit(struct kunit *test)
{
	struct place *place = test->priv;

	if (!place)
		return;
	KUNIT_EXPECT_TRUE(test, list_empty(&place->mbox.turns));
	KUNIT_EXPECT_EQ_MSG(test, place->violations, 0, "%s", place->violation);
}

static void answered_at_once(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender sender;
	unsigned int i;

	place->at_once = true;
	/* More than there are tokens */
	for (i = 0; i < 66000; i++) {
		sender_init(&sender, place, i);
		sender.atomic = i % 2;
		KUNIT_ASSERT_EQ(test, sender_send(&sender), 0);
	}
	KUNIT_EXPECT_EQ(test, place->sends, 66000);
	KUNIT_EXPECT_EQ(test, place->receives, 0);
	KUNIT_EXPECT_EQ(test, place->asked, 0);
	KUNIT_EXPECT_EQ(test, place->zeros, 0);
}

static void answered_late(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender sender;

	sender_init(&sender, place, 1);
	sender_start(test, &sender);
	KUNIT_EXPECT_TRUE(test, sender_waits(&sender));
	WRITE_ONCE(place->ready, true);
	KUNIT_EXPECT_TRUE(test, sender_wait(&sender));
	KUNIT_EXPECT_EQ(test, sender.err, 0);
	KUNIT_EXPECT_EQ(test, place->sends, 1);
}

/* Who waits long looks seldom, but not much later than it is there */
static void pauses_grow(struct kunit *test)
{
	struct place *place = test->priv;
	unsigned int receives;
	struct sender sender;
	ktime_t start;

	sender_init(&sender, place, 1);
	sender_start(test, &sender);
	msleep(500);
	receives = READ_ONCE(place->receives);
	KUNIT_EXPECT_LT(test, receives, 200);
	start = ktime_get();
	WRITE_ONCE(place->ready, true);
	KUNIT_EXPECT_TRUE(test, sender_wait(&sender));
	KUNIT_EXPECT_LT(test, ktime_ms_delta(ktime_get(), start), 250);
}

static void never_answered(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender sender;

	sender_init(&sender, place, 1);
	sender.timeout_ms = 300;
	KUNIT_EXPECT_EQ(test, sender_send(&sender), -ETIMEDOUT);
	KUNIT_EXPECT_GE(test, sender.ms, 300);
	KUNIT_EXPECT_LT(test, sender.ms, LONG_MS / 2);
	KUNIT_EXPECT_GT(test, place->asked, 0);
	/* The next one has the place, and another token */
	sender_init(&sender, place, 2);
	place->at_once = true;
	KUNIT_EXPECT_EQ(test, sender_send(&sender), 0);
}

/* The bound is a request's own, however long it waited for its turn */
static void bounds_do_not_add(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender first, second;

	sender_init(&first, place, 1);
	first.timeout_ms = 400;
	sender_init(&second, place, 2);
	second.timeout_ms = 300;
	sender_start(test, &first);
	sender_start(test, &second);
	KUNIT_EXPECT_TRUE(test, sender_wait(&first));
	KUNIT_EXPECT_EQ(test, first.err, -ETIMEDOUT);
	KUNIT_EXPECT_TRUE(test, sender_waits(&second));
	WRITE_ONCE(place->ready, true);
	KUNIT_EXPECT_TRUE(test, sender_wait(&second));
	KUNIT_EXPECT_EQ(test, second.err, 0);
	KUNIT_EXPECT_EQ(test, place->sends, 2);
}

static void no_device_side(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender sender;

	place->dead = true;
	sender_init(&sender, place, 1);
	KUNIT_EXPECT_EQ(test, sender_send(&sender), -EIO);
	KUNIT_EXPECT_LT(test, sender.ms, LONG_MS / 2);
	sender_init(&sender, place, 2);
	KUNIT_EXPECT_EQ(test, sender_send_atomic(&sender), -EIO);
	KUNIT_EXPECT_EQ(test, place->asked, 2);
}

static void in_order(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender senders[6];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++) {
		sender_init(&senders[i], place, i);
		sender_start(test, &senders[i]);
	}
	KUNIT_EXPECT_TRUE(test, sender_waits(&senders[0]));
	KUNIT_EXPECT_EQ(test, place->sends, 1);
	WRITE_ONCE(place->ready, true);
	for (i = 0; i < ARRAY_SIZE(senders); i++) {
		KUNIT_EXPECT_TRUE(test, sender_wait(&senders[i]));
		KUNIT_EXPECT_EQ(test, senders[i].err, 0);
		KUNIT_EXPECT_EQ(test, place->order[i], i);
	}
	KUNIT_EXPECT_EQ(test, place->sends, ARRAY_SIZE(senders));
}

/*
 * Who must not sleep is behind others, who sleep and cannot run if this is the
 * only CPU: he gets on, after them.
 */
static void atomic_behind_others(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender senders[3], atomic;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++) {
		sender_init(&senders[i], place, i);
		sender_start(test, &senders[i]);
	}
	KUNIT_EXPECT_EQ(test, place->sends, 1);
	WRITE_ONCE(place->polls, 10);
	sender_init(&atomic, place, i);
	KUNIT_EXPECT_EQ(test, sender_send_atomic(&atomic), 0);
	KUNIT_EXPECT_EQ(test, place->sends, 4);
	for (i = 0; i < ARRAY_SIZE(senders); i++) {
		KUNIT_EXPECT_TRUE(test, sender_wait(&senders[i]));
		KUNIT_EXPECT_EQ(test, senders[i].err, 0);
		KUNIT_EXPECT_EQ(test, place->order[i], i);
	}
	KUNIT_EXPECT_EQ(test, place->order[i], i);
}

/* Turn and response together, and then the others go on as before */
static void atomic_is_bounded(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender sender, atomic;

	sender_init(&atomic, place, 1);
	atomic.timeout_ms = 50;
	KUNIT_EXPECT_EQ(test, sender_send_atomic(&atomic), -ETIMEDOUT);
	/* What udelay() says is 50 ms need not be, on a machine that is shared */
	KUNIT_EXPECT_GE(test, atomic.ms, 5);

	sender_init(&sender, place, 2);
	sender_start(test, &sender);
	KUNIT_EXPECT_EQ(test, sender_send_atomic(&atomic), -ETIMEDOUT);
	KUNIT_EXPECT_LT(test, atomic.ms, LONG_MS / 2);
	KUNIT_EXPECT_EQ(test, place->sends, 2);
	KUNIT_EXPECT_TRUE(test, sender_waits(&sender));
	WRITE_ONCE(place->ready, true);
	KUNIT_EXPECT_TRUE(test, sender_wait(&sender));
	KUNIT_EXPECT_EQ(test, sender.err, 0);
}

/* In seconds, whatever the bound of the others is */
static void atomic_is_bounded_anyway(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender atomic;

	sender_init(&atomic, place, 1);
	atomic.timeout_ms = UINT_MAX;
	atomic.atomic = true;
	KUNIT_EXPECT_EQ(test, sender_send(&atomic), -ETIMEDOUT);
	KUNIT_EXPECT_LT(test, atomic.ms, LONG_MS);
}

/* One CPU is in the trap: whoever comes waits, and nobody else has to */
static void stands_in_trap(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender first, second, atomic;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");
	set_cpus_allowed_ptr(current, cpumask_of(0));
	place->stalled = true;
	sender_init(&first, place, 1);
	sender_create(test, &first);
	kthread_bind(first.task, 1);
	sender_init(&second, place, 2);
	sender_create(test, &second);
	kthread_bind(second.task, 0);
	/* From here on CPU 1 does nothing else, not even make threads */
	sender_begin(&first);
	sender_begin(&second);
	KUNIT_EXPECT_TRUE(test, sender_waits(&second));
	sender_init(&atomic, place, 3);
	atomic.timeout_ms = 50;
	KUNIT_EXPECT_EQ(test, sender_send_atomic(&atomic), -ETIMEDOUT);
	KUNIT_EXPECT_EQ(test, place->sends, 1);
	KUNIT_EXPECT_FALSE(test, completion_done(&first.done));
	place->at_once = true;
	WRITE_ONCE(place->stalled, false);
	KUNIT_EXPECT_TRUE(test, sender_wait(&first));
	KUNIT_EXPECT_EQ(test, first.err, 0);
	KUNIT_EXPECT_TRUE(test, sender_wait(&second));
	KUNIT_EXPECT_EQ(test, second.err, 0);
	KUNIT_EXPECT_EQ(test, place->sends, 2);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

static void ran(struct virtio_msg_mailbox *mbox, void *arg)
{
	struct place *place = to_place(mbox);
	unsigned int *sends = arg;

	place_enter(place);
	*sends = place->sends;
	atomic_dec(&place->inside);
}

static int readying_thread(void *data)
{
	struct place *place = data;

	msleep(WHILE_MS);
	WRITE_ONCE(place->ready, true);
	return 0;
}

/* Not while a request is under way, and behind those before */
static void run_has_a_turn(struct kunit *test)
{
	struct place *place = test->priv;
	unsigned int sends = UINT_MAX;
	struct sender senders[2];
	struct task_struct *task;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(senders); i++) {
		sender_init(&senders[i], place, i);
		sender_start(test, &senders[i]);
	}
	task = kthread_run(readying_thread, place, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	virtio_msg_mailbox_run(&place->mbox, ran, &sends);
	KUNIT_EXPECT_EQ(test, sends, 2);
	for (i = 0; i < ARRAY_SIZE(senders); i++)
		KUNIT_EXPECT_TRUE(test, sender_wait(&senders[i]));
}

/* Many at once, some of whom must not sleep */

#define CROWD	6

static int crowd_thread(void *data)
{
	struct sender *sender = data;
	unsigned int i;
	int err = 0;

	for (i = 0; i < 200 && !err; i++)
		err = i % 3 ? sender_send(sender) : sender_send_atomic(sender);
	complete(&sender->done);
	return 0;
}

static void crowd(struct kunit *test)
{
	struct place *place = test->priv;
	struct sender senders[CROWD];
	unsigned int i;

	place->polls = 3;
	for (i = 0; i < CROWD; i++) {
		sender_init(&senders[i], place, i);
		senders[i].task = kthread_run(crowd_thread, &senders[i],
					      "virtio-msg-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, senders[i].task);
	}
	for (i = 0; i < CROWD; i++) {
		KUNIT_EXPECT_TRUE(test, sender_wait(&senders[i]));
		KUNIT_EXPECT_EQ(test, senders[i].err, 0);
	}
	KUNIT_EXPECT_EQ(test, place->sends, 200 * CROWD);
}

static struct kunit_case virtio_msg_mailbox_cases[] = {
	KUNIT_CASE(answered_at_once),
	KUNIT_CASE(answered_late),
	KUNIT_CASE(pauses_grow),
	KUNIT_CASE(never_answered),
	KUNIT_CASE(bounds_do_not_add),
	KUNIT_CASE(no_device_side),
	KUNIT_CASE(in_order),
	KUNIT_CASE(atomic_behind_others),
	KUNIT_CASE(atomic_is_bounded),
	KUNIT_CASE(atomic_is_bounded_anyway),
	KUNIT_CASE(stands_in_trap),
	KUNIT_CASE(run_has_a_turn),
	KUNIT_CASE(crowd),
	{}
};

static struct kunit_suite virtio_msg_mailbox_suite = {
	.name = "virtio-msg-mailbox",
	.init = mailbox_init,
	.exit = mailbox_exit,
	.test_cases = virtio_msg_mailbox_cases,
};

/* What the core tells the bus of who asks */

static bool asked_atomically(struct vmt_fixture *fix)
{
	struct virtio_device *vdev = fix->drv->vdev;
	u8 value;

	vdev->config->get(vdev, 0, &value, 1);
	return fix->fb->atomic;
}

static void may_sleep(struct kunit *test)
{
	struct vmt_fixture *fix = test->priv;
	struct virtio_shm_region region;
	static DEFINE_SPINLOCK(lock);
	unsigned long flags;

	vmt_start(test);
	/* If preemption is not counted, config may be asked for anywhere */
	KUNIT_EXPECT_EQ(test, asked_atomically(fix),
			!IS_ENABLED(CONFIG_PREEMPT_COUNT));
	virtio_get_shm_region(fix->drv->vdev, &region, 0);
	KUNIT_EXPECT_FALSE(test, fix->fb->atomic);

	local_irq_save(flags);
	KUNIT_EXPECT_TRUE(test, asked_atomically(fix));
	local_irq_restore(flags);
	scoped_guard(spinlock, &lock)
		KUNIT_EXPECT_TRUE(test, asked_atomically(fix));
	scoped_guard(rcu)
		KUNIT_EXPECT_TRUE(test, asked_atomically(fix));
	local_bh_disable();
	KUNIT_EXPECT_TRUE(test, asked_atomically(fix));
	local_bh_enable();
	virtio_get_shm_region(fix->drv->vdev, &region, 0);
	KUNIT_EXPECT_FALSE(test, fix->fb->atomic);
}

static struct kunit_case virtio_msg_context_cases[] = {
	KUNIT_CASE(may_sleep),
	{}
};

static struct kunit_suite virtio_msg_context_suite = {
	.name = "virtio-msg-context",
	.init = vmt_fixture_init,
	.exit = vmt_fixture_exit,
	.test_cases = virtio_msg_context_cases,
};

kunit_test_suites(&virtio_msg_mailbox_suite, &virtio_msg_context_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg's mailbox");
MODULE_LICENSE("GPL");
