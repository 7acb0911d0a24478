// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: whose turn it is to use a window or page, and waiting
 *
 * Requests stand in a queue, and the first one has the mailbox. Nothing is held
 * while it waits for its response: who may sleep does, and who may not looks
 * again and again. Whoever waits, for a response or for his turn, does what is
 * to be done for the first one, whosesoever it is. So a CPU that must not sleep
 * gets on even if the task before it cannot run, since it is that CPU's.
 */

#include <linux/delay.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/virtio_msg_mailbox.h>

/*
 * Pauses grow with what has been waited already. A response that comes after the
 * first of them is one from another process: an eighth more does not matter.
 * There is no interrupt to wait for instead: messages are sent before it is
 * requested, after it has been freed, and by those who keep it from coming.
 */
#define VIRTIO_MSG_PAUSE_SHARE		8
#define VIRTIO_MSG_SLEEP_MIN_US		20
#define VIRTIO_MSG_SLEEP_MAX_US		20000
#define VIRTIO_MSG_SPIN_MIN_US		1
#define VIRTIO_MSG_SPIN_MAX_US		50
/* Longer than this no CPU is kept from all else: half of what watchdogs allow */
#define VIRTIO_MSG_SPIN_US		(5 * USEC_PER_SEC)
/* When to ask for the first time whether there is a device side, and how often */
#define VIRTIO_MSG_ALIVE_US		(100 * USEC_PER_MSEC)
#define VIRTIO_MSG_ALIVE_AGAIN_US	USEC_PER_SEC

/**
 * struct virtio_msg_turn - somebody in the queue
 * @entry: in &virtio_msg_mailbox.turns
 * @request: what is to be sent
 * @response: where the response goes
 * @size: bytes there
 * @fn: what is to be done instead
 * @arg: and to whom
 * @sent: it was sent
 * @done: it has left the queue; from then on it is its owner's alone
 * @err: what came of it
 */
struct virtio_msg_turn {
	struct list_head entry;
	struct virtio_msg_header *request;
	struct virtio_msg_header *response;
	size_t size;
	void (*fn)(struct virtio_msg_mailbox *mbox, void *arg);
	void *arg;
	bool sent;
	bool done;
	int err;
};

/**
 * struct virtio_msg_wait - how long somebody has waited
 * @atomic: without sleeping
 * @start: since when, if with
 * @us: microseconds
 */
struct virtio_msg_wait {
	bool atomic;
	ktime_t start;
	u64 us;
};

/* Clocks need not go on with interrupts off, but what was spun was spun */
static void virtio_msg_spin(struct virtio_msg_wait *wait)
{
	unsigned int us = clamp_t(u64, wait->us / VIRTIO_MSG_PAUSE_SHARE,
				  VIRTIO_MSG_SPIN_MIN_US,
				  VIRTIO_MSG_SPIN_MAX_US);

	udelay(us);
	wait->us += us;
}

static void virtio_msg_pause(struct virtio_msg_wait *wait)
{
	if (wait->atomic) {
		virtio_msg_spin(wait);
		return;
	}
	if (!wait->start)
		wait->start = ktime_get();
	fsleep(clamp_t(u64, wait->us / VIRTIO_MSG_PAUSE_SHARE,
		       VIRTIO_MSG_SLEEP_MIN_US, VIRTIO_MSG_SLEEP_MAX_US));
	wait->us = ktime_us_delta(ktime_get(), wait->start);
}

/* What is waited for now is something else; who spins has done so all the time */
static void virtio_msg_wait_again(struct virtio_msg_wait *wait)
{
	if (wait->atomic)
		return;
	wait->start = 0;
	wait->us = 0;
}

/* No token is 0, so that this is what an empty place can have */
static u16 virtio_msg_next_token(struct virtio_msg_mailbox *mbox)
{
	if (!++mbox->token)
		mbox->token++;
	return mbox->token;
}

static int virtio_msg_take_turn(struct virtio_msg_mailbox *mbox,
				struct virtio_msg_turn *turn)
{
	if (turn->fn) {
		turn->fn(mbox, turn->arg);
		return 0;
	}
	if (turn->sent)
		return mbox->ops->receive(mbox, turn->request, turn->response,
					  turn->size);
	turn->request->token = cpu_to_le16(virtio_msg_next_token(mbox));
	return mbox->ops->send(mbox, turn->request, turn->response, turn->size);
}

/*
 * Do what can be done for the first one. Returns true if he is through, so
 * that another one is the first.
 */
static bool virtio_msg_mailbox_work(struct virtio_msg_mailbox *mbox)
{
	struct virtio_msg_turn *turn;
	unsigned long flags;
	bool through = false;
	int err;

	raw_spin_lock_irqsave(&mbox->lock, flags);
	turn = list_first_entry_or_null(&mbox->turns, struct virtio_msg_turn,
					entry);
	if (turn && !mbox->busy) {
		mbox->busy = true;
		raw_spin_unlock(&mbox->lock);
		err = virtio_msg_take_turn(mbox, turn);
		raw_spin_lock(&mbox->lock);
		mbox->busy = false;
		WRITE_ONCE(turn->sent, true);
		through = err != -EAGAIN;
		if (through) {
			list_del(&turn->entry);
			turn->err = err;
			/* It is gone as soon as its owner sees that */
			smp_store_release(&turn->done, true);
		}
	}
	raw_spin_unlock_irqrestore(&mbox->lock, flags);
	return through;
}

static void virtio_msg_mailbox_enter(struct virtio_msg_mailbox *mbox,
				     struct virtio_msg_turn *turn)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&mbox->lock, flags);
	list_add_tail(&turn->entry, &mbox->turns);
	raw_spin_unlock_irqrestore(&mbox->lock, flags);
}

/* Returns false if that is not possible now, as somebody works for @turn */
static bool virtio_msg_mailbox_leave(struct virtio_msg_mailbox *mbox,
				     struct virtio_msg_turn *turn, int err)
{
	unsigned long flags;
	bool left = true;

	raw_spin_lock_irqsave(&mbox->lock, flags);
	if (turn->done) {
		/* At the last moment */
	} else if (mbox->busy && list_is_first(&turn->entry, &mbox->turns)) {
		left = false;
	} else {
		list_del(&turn->entry);
		turn->err = err;
		turn->done = true;
	}
	raw_spin_unlock_irqrestore(&mbox->lock, flags);
	return left;
}

/* As far as it goes at once; returns true when @turn is through */
static bool virtio_msg_mailbox_push(struct virtio_msg_mailbox *mbox,
				    struct virtio_msg_turn *turn)
{
	/* Who was done for is not to look at the mailbox any more */
	while (!smp_load_acquire(&turn->done))
		if (!virtio_msg_mailbox_work(mbox))
			return false;
	return true;
}

/**
 * virtio_msg_mailbox_init - an empty mailbox
 * @mbox: the mailbox
 * @ops: what the bus does
 */
void virtio_msg_mailbox_init(struct virtio_msg_mailbox *mbox,
			     const struct virtio_msg_mailbox_ops *ops)
{
	mbox->ops = ops;
	raw_spin_lock_init(&mbox->lock);
	INIT_LIST_HEAD(&mbox->turns);
	mbox->busy = false;
	mbox->token = 0;
}
EXPORT_SYMBOL_GPL(virtio_msg_mailbox_init);

/**
 * virtio_msg_mailbox_transfer - send a request and wait for its response
 * @mbox: the mailbox
 * @request: the request, which gets a token
 * @response: where the response goes
 * @size: bytes there
 * @timeout_ms: how long to wait for the response, from when the request is sent
 * @atomic: do not sleep, and do not wait longer than some seconds for turn and
 *	response together
 *
 * This is &virtio_msg_bus_ops.transfer for a bus with a mailbox. Requests are
 * sent in the order of the calls. Any context but NMI if @atomic, otherwise
 * process context.
 *
 * Return: 0, what &virtio_msg_mailbox_ops.send or
 * &virtio_msg_mailbox_ops.receive returned, -EIO if there is no device side any
 * more, -ETIMEDOUT.
 */
int virtio_msg_mailbox_transfer(struct virtio_msg_mailbox *mbox,
				struct virtio_msg_header *request,
				struct virtio_msg_header *response, size_t size,
				unsigned int timeout_ms, bool atomic)
{
	struct virtio_msg_turn turn = {
		.request = request,
		.response = response,
		.size = size,
	};
	struct virtio_msg_wait wait = { .atomic = atomic };
	u64 limit = (u64)timeout_ms * USEC_PER_MSEC;
	u64 alive = VIRTIO_MSG_ALIVE_US;
	bool sent = false;

	might_sleep_if(!atomic);
	if (atomic)
		limit = min_t(u64, limit, VIRTIO_MSG_SPIN_US);
	virtio_msg_mailbox_enter(mbox, &turn);
	while (!virtio_msg_mailbox_push(mbox, &turn)) {
		if (!sent && READ_ONCE(turn.sent)) {
			sent = true;
			virtio_msg_wait_again(&wait);
			alive += wait.us;
		}
		/* Who may sleep waits for his turn as long as it takes the others */
		if ((sent || atomic) && wait.us >= limit &&
		    virtio_msg_mailbox_leave(mbox, &turn, -ETIMEDOUT))
			break;
		if (sent && mbox->ops->alive && wait.us >= alive) {
			alive = wait.us + VIRTIO_MSG_ALIVE_AGAIN_US;
			if (!mbox->ops->alive(mbox) &&
			    virtio_msg_mailbox_leave(mbox, &turn, -EIO))
				break;
		}
		virtio_msg_pause(&wait);
	}
	return turn.err;
}
EXPORT_SYMBOL_GPL(virtio_msg_mailbox_transfer);

/**
 * virtio_msg_mailbox_run - call a function while no request is under way
 * @mbox: the mailbox
 * @fn: the function, which is called as &virtio_msg_mailbox_ops.send is
 * @arg: for it
 *
 * It has its turn as a request does, behind those that came before. For what
 * changes where messages lie. Process context.
 */
void virtio_msg_mailbox_run(struct virtio_msg_mailbox *mbox,
			    void (*fn)(struct virtio_msg_mailbox *mbox, void *arg),
			    void *arg)
{
	struct virtio_msg_turn turn = { .fn = fn, .arg = arg };
	struct virtio_msg_wait wait = {};

	might_sleep();
	virtio_msg_mailbox_enter(mbox, &turn);
	while (!virtio_msg_mailbox_push(mbox, &turn))
		virtio_msg_pause(&wait);
}
EXPORT_SYMBOL_GPL(virtio_msg_mailbox_run);
