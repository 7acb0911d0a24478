// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg: messages and events by a window of registers
 *
 * What buses have in common whose device side is behind the window that is
 * described in <uapi/linux/virtio_msg_mmio.h>; how the window is found and how
 * interrupts come is theirs. There are two ways to hand over a message. In window
 * mode it is written to and read from the window, some bytes per access; that
 * needs no shared memory. In page mode it lies in a page of memory and one store
 * makes the device side look; what the device side has to say of its own accord
 * is in that page too, and a response that takes it long it may write there
 * after the CPU has gone on.
 *
 * Interrupts, notifications and looks at the status block take no lock and do
 * not care for messages: the page they look at is kept by RCU.
 */

#include <linux/cc_platform.h>
#include <linux/cleanup.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/ioport.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/virtio_anchor.h>
#include <linux/virtio_config.h>

#include "virtio_msg_window.h"

/*
 * Where stores are posted: how long the response is looked for with interrupts
 * off, and after how many more looks, with pauses between them, a load is made
 * that waits until the store has arrived
 */
#define VIRTIO_MSG_WINDOW_POLL_US	50
#define VIRTIO_MSG_WINDOW_LOOKS		8

/* Messages */

/**
 * virtio_msg_window_alive - is there a device side?
 * @window: the window, of which the registers suffice
 *
 * Stores that were made before have arrived when this returns. Any context.
 *
 * Return: true if the magic number is there.
 */
bool virtio_msg_window_alive(struct virtio_msg_window *window)
{
	return readl(window->base + VIRTIO_MSG_MMIO_MAGIC) ==
	       VIRTIO_MSG_MMIO_MAGIC_VALUE;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_alive);

/* Stores ascend; the last one, of 4 or 8 bytes, completes the request */
static void virtio_msg_window_put(void __iomem *to, const void *msg, size_t size)
{
	u8 tail[8] = {};

	for (; size >= 8; to += 8, msg += 8, size -= 8)
		writeq(get_unaligned_le64(msg), to);
	if (!size)
		return;
	memcpy(tail, msg, size);
	if (size > 4)
		writeq(get_unaligned_le64(tail), to);
	else
		writel(get_unaligned_le32(tail), to);
}

static void virtio_msg_window_get(void *msg, void __iomem *from, size_t size)
{
	u8 tail[8];

	for (; size >= 8; from += 8, msg += 8, size -= 8)
		put_unaligned_le64(readq(from), msg);
	if (!size)
		return;
	if (size > 4)
		put_unaligned_le64(readq(from), tail);
	else
		put_unaligned_le32(readl(from), tail);
	memcpy(msg, tail, size);
}

/* Are there several slots, or may there be? */
static bool virtio_msg_window_many(const struct virtio_msg_window *window)
{
	return window->features & VIRTIO_MSG_MMIO_F_DEVICES;
}

/*
 * Messages end where the window does, since behind it may be another device's, or
 * where the registers of slots go on that are too many for what is before it.
 */
static size_t virtio_msg_window_room(const struct virtio_msg_window *window)
{
	resource_size_t size = resource_size(window->bus.window);

	if (window->bus.num_slots > VIRTIO_MSG_MMIO_SMALL_SLOTS)
		size = VIRTIO_MSG_MMIO_SIZE;
	return size - VIRTIO_MSG_MMIO_WINDOW;
}

/* A request that was not understood leaves zeros, no device side all ones */
static int virtio_msg_window_transfer_window(struct virtio_msg_window *window,
					     const struct virtio_msg_header *request,
					     struct virtio_msg_header *response,
					     size_t max)
{
	void __iomem *regs = window->base + VIRTIO_MSG_MMIO_WINDOW;
	size_t size;

	virtio_msg_window_put(regs, request, le16_to_cpu(request->msg_size));
	virtio_msg_window_get(response, regs, sizeof(*response));
	size = le16_to_cpu(response->msg_size);
	if (!size && !response->type)
		return -EIO;
	if (response->token != request->token || size < sizeof(*response) ||
	    size > min(max, virtio_msg_window_room(window)))
		return -EPROTO;
	virtio_msg_window_get(response + 1, regs + sizeof(*response),
			      size - sizeof(*response));
	return 0;
}

/* There is a page, and in its turn nobody takes it away */
static struct virtio_msg_mmio_page *
virtio_msg_window_page(struct virtio_msg_window *window)
{
	return rcu_dereference_protected(window->page, true);
}

/*
 * May the response that is not in the page yet come by itself? If the store was
 * posted, a load says when it has arrived, and that nobody is there.
 */
static bool virtio_msg_window_pending(struct virtio_msg_window *window)
{
	if (!window->posted || window->arrived)
		return window->late;
	if (++window->looks <= VIRTIO_MSG_WINDOW_LOOKS)
		return true;
	window->arrived = true;
	return virtio_msg_window_alive(window) && window->late;
}

static int virtio_msg_window_receive_page(struct virtio_msg_window *window,
					  struct virtio_msg_mmio_page *page,
					  const struct virtio_msg_header *request,
					  struct virtio_msg_header *response,
					  size_t max)
{
	struct virtio_msg_header *answer = (void *)page->response;
	__le16 token = READ_ONCE(answer->token);
	size_t size;

	/* Nothing yet, or the response to a request that was given up */
	if (token != request->token && virtio_msg_window_pending(window))
		return -EAGAIN;
	/* Behind a load that waited for the store */
	if (token != request->token && window->posted)
		token = READ_ONCE(answer->token);
	if (!token)
		return -EIO;
	/* The response was written before its token */
	dma_rmb();
	/* The device side may go on writing: only the copies are checked */
	memcpy(response, answer, sizeof(*response));
	size = le16_to_cpu(response->msg_size);
	if (response->token == request->token && !size)
		return -EIO;
	if (response->token != request->token || size < sizeof(*response) ||
	    size > max)
		return -EPROTO;
	memcpy(response + 1, answer + 1, size - sizeof(*response));
	return 0;
}

/* Most responses come within the time that a load would take */
static void virtio_msg_window_poll(struct virtio_msg_window *window,
				   const struct virtio_msg_header *answer,
				   __le16 token)
{
	unsigned int us;

	window->looks = 0;
	window->arrived = false;
	for (us = 0; us < VIRTIO_MSG_WINDOW_POLL_US; us++) {
		if (READ_ONCE(answer->token) == token)
			return;
		udelay(1);
	}
}

static int virtio_msg_window_transfer_page(struct virtio_msg_window *window,
					   struct virtio_msg_mmio_page *page,
					   const struct virtio_msg_header *request,
					   struct virtio_msg_header *response,
					   size_t max)
{
	struct virtio_msg_header *answer = (void *)page->response;

	memcpy(page->request, request, le16_to_cpu(request->msg_size));
	/* No token is 0: what is found there afterwards is not of this request */
	WRITE_ONCE(answer->token, 0);
	/* Orders the stores above */
	writel(1, window->base + VIRTIO_MSG_MMIO_DOORBELL);
	/* No load below may be done before it; no earlier request is answered now */
	mb();
	if (window->posted)
		virtio_msg_window_poll(window, answer, request->token);
	return virtio_msg_window_receive_page(window, page, request, response, max);
}

#define mbox_to_virtio_msg_window(_mbox) \
	container_of(_mbox, struct virtio_msg_window, mailbox)

static int virtio_msg_window_send(struct virtio_msg_mailbox *mbox,
				  const struct virtio_msg_header *request,
				  struct virtio_msg_header *response, size_t size)
{
	struct virtio_msg_window *window = mbox_to_virtio_msg_window(mbox);
	struct virtio_msg_mmio_page *page = virtio_msg_window_page(window);

	if (page)
		return virtio_msg_window_transfer_page(window, page, request,
						       response, size);
	return virtio_msg_window_transfer_window(window, request, response, size);
}

static int virtio_msg_window_receive(struct virtio_msg_mailbox *mbox,
				     const struct virtio_msg_header *request,
				     struct virtio_msg_header *response,
				     size_t size)
{
	struct virtio_msg_window *window = mbox_to_virtio_msg_window(mbox);

	return virtio_msg_window_receive_page(window, virtio_msg_window_page(window),
					      request, response, size);
}

static bool virtio_msg_window_mailbox_alive(struct virtio_msg_mailbox *mbox)
{
	return virtio_msg_window_alive(mbox_to_virtio_msg_window(mbox));
}

static const struct virtio_msg_mailbox_ops virtio_msg_window_mailbox_ops = {
	.send = virtio_msg_window_send,
	.receive = virtio_msg_window_receive,
	.alive = virtio_msg_window_mailbox_alive,
};

/**
 * virtio_msg_window_transfer - send a request and wait for its response
 * @bus: the window's bus
 * @request: the request
 * @response: where the response goes
 * @size: bytes there
 * @atomic: do not sleep
 *
 * Return: see &virtio_msg_bus_ops.transfer.
 */
int virtio_msg_window_transfer(struct virtio_msg_bus *bus,
			       struct virtio_msg_header *request,
			       struct virtio_msg_header *response, size_t size,
			       bool atomic)
{
	struct virtio_msg_window *window = to_virtio_msg_window(bus);

	return virtio_msg_mailbox_transfer(&window->mailbox, request, response,
					   size,
					   READ_ONCE(window->params->timeout),
					   atomic);
}
EXPORT_SYMBOL_GPL(virtio_msg_window_transfer);

/**
 * virtio_msg_window_notify - tell the device side of new buffers
 * @vmdev: the device
 * @vq: its virtqueue
 * @data: what the register takes is just what the core hands down: rule B6
 *
 * Return: true.
 */
bool virtio_msg_window_notify(struct virtio_msg_device *vmdev,
			      struct virtqueue *vq, u32 data)
{
	struct virtio_msg_window *window = to_virtio_msg_window(vmdev->bus);
	u16 slot = vmdev->dev_num;

	if (slot < VIRTIO_MSG_MMIO_SMALL_SLOTS)
		writel(data, window->base + VIRTIO_MSG_MMIO_QUEUE_NOTIFY(slot));
	else
		writel(data, window->base + VIRTIO_MSG_MMIO_QUEUE_NOTIFY_HIGH(slot));
	return true;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_notify);

/* Events */

/**
 * virtio_msg_window_peek - what the message page says of a device
 * @vmdev: the device
 * @state: filled in if there is a message page
 *
 * Return: whether there is one.
 */
bool virtio_msg_window_peek(struct virtio_msg_device *vmdev,
			    struct virtio_msg_state *state)
{
	struct virtio_msg_window *window = to_virtio_msg_window(vmdev->bus);
	struct virtio_msg_mmio_page *page;
	struct virtio_msg_mmio_slot *slot;
	u64 cacheable;

	guard(rcu)();
	/* The driver may ask in shutdown, when the page is switched off */
	page = rcu_dereference(window->page);
	if (!page)
		return false;
	slot = &page->slot[vmdev->dev_num];
	state->status = le32_to_cpu(READ_ONCE(slot->device_status));
	state->generation = le32_to_cpu(READ_ONCE(slot->generation));
	if (virtio_msg_window_many(window)) {
		cacheable = le64_to_cpu(READ_ONCE(page->cacheable));
		state->config_cacheable = cacheable & BIT_ULL(vmdev->dev_num);
	} else {
		state->config_cacheable =
			window->features & VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	}
	return true;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_peek);

static void virtio_msg_window_read_slot(struct virtio_msg_mmio_slot *to,
					const struct virtio_msg_mmio_slot *from)
{
	to->device_status = READ_ONCE(from->device_status);
	to->generation = READ_ONCE(from->generation);
	to->device_id = READ_ONCE(from->device_id);
	to->arrivals = READ_ONCE(from->arrivals);
}

static bool virtio_msg_window_same(const struct virtio_msg_mmio_slot *one,
				   const struct virtio_msg_mmio_slot *other)
{
	return one->device_id == other->device_id &&
	       one->arrivals == other->arrivals;
}

/**
 * virtio_msg_window_another - did a device come or go?
 * @bus: the window's bus
 * @dev_num: the slot
 *
 * Return: see &virtio_msg_bus_ops.another.
 */
int virtio_msg_window_another(struct virtio_msg_bus *bus, u16 dev_num)
{
	struct virtio_msg_window *window = to_virtio_msg_window(bus);
	struct virtio_msg_mmio_slot now, *scanned = &window->scanned[dev_num];
	struct virtio_msg_mmio_page *page;
	int another = -ENODATA;

	guard(rcu)();
	page = rcu_dereference(window->page);
	if (!page)
		return another;
	virtio_msg_window_read_slot(&now, &page->slot[dev_num]);
	/* Who filled in another page may be another device side, with its own counts */
	if (window->scanned_known & BIT_ULL(dev_num))
		another = !virtio_msg_window_same(&now, scanned);
	window->scanned_known |= BIT_ULL(dev_num);
	*scanned = now;
	return another;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_another);

/* What changed in a slot's part of the status block since the last time */
static u32 virtio_msg_window_slot_events(struct virtio_msg_window *window,
					 const struct virtio_msg_mmio_page *page,
					 unsigned int i)
{
	struct virtio_msg_mmio_slot now, *seen = &window->seen[i];
	u32 events = 0;

	virtio_msg_window_read_slot(&now, &page->slot[i]);
	if (!virtio_msg_window_same(&now, seen))
		events |= VIRTIO_MSG_MMIO_EVENT_DEVICE;
	if (now.generation != seen->generation ||
	    (now.device_status & ~seen->device_status &
	     cpu_to_le32(VIRTIO_CONFIG_S_NEEDS_RESET)))
		events |= VIRTIO_MSG_MMIO_EVENT_CONFIG;
	*seen = now;
	return events;
}

/**
 * struct virtio_msg_window_news - what an interrupt is about
 * @events: bits of Event
 * @config: whose config or status changed, a bit for each slot
 * @used: who may have used buffers, likewise
 */
struct virtio_msg_window_news {
	u32 events;
	u64 config;
	u64 used;
};

static void virtio_msg_window_page_news(struct virtio_msg_window *window,
					const struct virtio_msg_mmio_page *page,
					struct virtio_msg_window_news *news)
{
	u32 sequence, events;
	unsigned int i;

	sequence = le32_to_cpu(READ_ONCE(page->sequence));
	if (sequence == window->sequence)
		return;
	/* What the number stands for was written before it */
	dma_rmb();
	for (i = 0; i < window->bus.num_slots; i++) {
		events = virtio_msg_window_slot_events(window, page, i);
		news->events |= events;
		if (events & VIRTIO_MSG_MMIO_EVENT_CONFIG)
			news->config |= BIT_ULL(i);
	}
	window->sequence = sequence;
}

/* Who has used buffers: their counts rose, or may have interrupts without that */
static void virtio_msg_window_page_used(struct virtio_msg_window *window,
					const struct virtio_msg_mmio_page *page,
					struct virtio_msg_window_news *news)
{
	unsigned int i;
	__le32 used;

	news->used = le64_to_cpu(READ_ONCE(page->uncounted));
	for (i = 0; i < window->bus.num_slots; i++) {
		used = READ_ONCE(page->used[i]);
		if (used == window->used[i])
			continue;
		window->used[i] = used;
		news->used |= BIT_ULL(i);
	}
	/* The rings are looked at after the counts: what comes later is counted again */
	dma_rmb();
}

/*
 * Without a page, looking at the rings of all devices costs less than another trap
 * that would tell which of them have something.
 */
static void virtio_msg_window_register_news(struct virtio_msg_window *window,
					    struct virtio_msg_window_news *news)
{
	news->events = readl(window->base + VIRTIO_MSG_MMIO_EVENT);
	/* No device side */
	if (news->events == U32_MAX)
		news->events = 0;
	if (!(news->events & VIRTIO_MSG_MMIO_EVENT_CONFIG))
		return;
	news->config = BIT_ULL(VIRTIO_MSG_WINDOW_SLOT);
	if (virtio_msg_window_many(window))
		news->config = readq(window->base + VIRTIO_MSG_MMIO_CONFIG_SLOTS);
}

static void virtio_msg_window_news(struct virtio_msg_window *window,
				   struct virtio_msg_window_news *news)
{
	struct virtio_msg_mmio_page *page;

	*news = (struct virtio_msg_window_news) { .used = U64_MAX };
	guard(rcu)();
	page = rcu_dereference(window->page);
	if (!page) {
		virtio_msg_window_register_news(window, news);
		return;
	}
	virtio_msg_window_page_news(window, page, news);
	if (virtio_msg_window_many(window))
		virtio_msg_window_page_used(window, page, news);
}

/**
 * virtio_msg_window_interrupt - an interrupt came
 * @window: the window
 * @used: it may mean that a virtqueue has used buffers
 *
 * What else happened is in the page, or else in the Event register, which has to
 * be read once. A response that came late is not looked for: whoever waits for
 * it does so. Not to be called by several CPUs at once. Any context but NMI.
 *
 * Return: IRQ_HANDLED if something happened, otherwise IRQ_NONE.
 */
irqreturn_t virtio_msg_window_interrupt(struct virtio_msg_window *window,
					bool used)
{
	struct virtio_msg_window_news news;
	irqreturn_t ret = IRQ_NONE;
	unsigned int i;

	virtio_msg_window_news(window, &news);
	for (i = 0; i < window->bus.num_slots; i++) {
		if (used && news.used & BIT_ULL(i))
			ret |= virtio_msg_used_interrupt(&window->bus, i);
		if (news.config & BIT_ULL(i))
			virtio_msg_config_interrupt(&window->bus, i);
	}
	if (news.events & VIRTIO_MSG_MMIO_EVENT_DEVICE)
		virtio_msg_rescan_bus(&window->bus);
	return news.events ? IRQ_HANDLED : ret;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_interrupt);

/* Message page */

/*
 * What makes DMA addresses of this device grants, on Xen, is set up by the
 * virtio core when a driver's features are accepted. The page is allocated
 * before that, and has to come from where the rings will come from.
 */
static int virtio_msg_window_setup_dma(struct virtio_msg_window *window)
{
	struct virtio_device *vdev __free(kfree) = kzalloc_obj(*vdev);

	if (!vdev)
		return -ENOMEM;
	vdev->dev.parent = window->bus.parent;
	if (virtio_check_mem_acc_cb(vdev) && !window->dma &&
	    !(window->features & VIRTIO_MSG_MMIO_F_PAGE_DMA))
		return -EOPNOTSUPP;
	return 0;
}

/* Is a guest-physical address of memory as good as the memory itself? */
static bool virtio_msg_window_phys_ok(struct device *dev)
{
	return !device_iommu_mapped(dev) &&
	       !cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}

static struct virtio_msg_mmio_page *
virtio_msg_window_alloc_page(struct virtio_msg_window *window, u64 *addr)
{
	struct device *dev = window->bus.parent;
	struct virtio_msg_mmio_page *page;

	if (!READ_ONCE(window->params->page) || !window->can_page ||
	    !(window->features & VIRTIO_MSG_MMIO_F_PAGE) ||
	    virtio_msg_window_setup_dma(window))
		return NULL;

	window->page_is_dma = window->dma ||
			      window->features & VIRTIO_MSG_MMIO_F_PAGE_DMA;
	if (window->page_is_dma) {
		page = dma_alloc_coherent(dev, sizeof(*page), &window->page_dma,
					  GFP_KERNEL);
		*addr = window->page_dma;
	} else if (virtio_msg_window_phys_ok(dev)) {
		page = (void *)get_zeroed_page(GFP_KERNEL);
		*addr = page ? virt_to_phys(page) : 0;
	} else {
		page = NULL;
	}
	return page;
}

static void virtio_msg_window_free_page(struct virtio_msg_window *window,
					struct virtio_msg_mmio_page *page)
{
	if (window->page_is_dma)
		dma_free_coherent(window->bus.parent, sizeof(*page), page,
				  window->page_dma);
	else
		free_page((unsigned long)page);
}

/**
 * struct virtio_msg_window_switch - another page, or none
 * @page: it
 * @addr: where it is
 * @late: and responses in it may be late
 */
struct virtio_msg_window_switch {
	struct virtio_msg_mmio_page *page;
	u64 addr;
	bool late;
};

/* While no message is under way */
static void virtio_msg_window_switch_page(struct virtio_msg_mailbox *mbox,
					  void *arg)
{
	struct virtio_msg_window *window = mbox_to_virtio_msg_window(mbox);
	const struct virtio_msg_window_switch *to = arg;
	unsigned int i;
	u64 value = 0;

	RCU_INIT_POINTER(window->page, NULL);
	window->scanned_known = 0;
	window->late = to->late;
	if (to->page)
		value = to->addr | VIRTIO_MSG_MMIO_PAGE_ON;
	if (to->late)
		value |= VIRTIO_MSG_MMIO_PAGE_LATE;
	writeq(value, window->base + VIRTIO_MSG_MMIO_PAGE);
	if (!to->page)
		return;
	if (window->posted)
		virtio_msg_window_alive(window);
	/* The device side has filled in the status block: what is not news */
	mb();
	window->sequence = le32_to_cpu(READ_ONCE(to->page->sequence));
	for (i = 0; i < window->bus.num_slots; i++) {
		window->seen[i] = to->page->slot[i];
		window->used[i] = to->page->used[i];
	}
	rcu_assign_pointer(window->page, to->page);
}

/*
 * Tell the device side which page is in force, or that none is: an earlier
 * kernel may have left one on. Before anything else is written.
 */
static void virtio_msg_window_page_on(struct virtio_msg_window *window)
{
	struct virtio_msg_window_switch to = {};

	BUILD_BUG_ON(sizeof(*to.page) != VIRTIO_MSG_MMIO_PAGE_SIZE);

	to.page = virtio_msg_window_alloc_page(window, &to.addr);
	to.late = to.page && window->features & VIRTIO_MSG_MMIO_F_LATE;
	virtio_msg_mailbox_run(&window->mailbox, virtio_msg_window_switch_page, &to);
}

/* There is no device, or its driver is asleep. The device side lets go first. */
static void virtio_msg_window_page_off(struct virtio_msg_window *window)
{
	struct virtio_msg_mmio_page *page = virtio_msg_window_page(window);
	struct virtio_msg_window_switch to = {};

	if (!page)
		return;
	virtio_msg_mailbox_run(&window->mailbox, virtio_msg_window_switch_page, &to);
	/* Who looks at the status block looks no longer */
	synchronize_rcu();
	/* With no device side the store did nothing, and it may still write */
	if (!virtio_msg_window_alive(window)) {
		dev_err(window->bus.parent,
			"device side does not answer, the message page will not be freed\n");
		return;
	}
	virtio_msg_window_free_page(window, page);
}

/* Window */

/* How many devices there may be: those that there is a register to notify of */
static int virtio_msg_window_count(struct virtio_msg_window *window)
{
	resource_size_t size = resource_size(window->bus.window);
	u32 num, max = VIRTIO_MSG_MMIO_SMALL_SLOTS;

	window->bus.num_slots = VIRTIO_MSG_WINDOW_SLOT + 1;
	window->bus.flags &= ~VIRTIO_MSG_BUS_F_GET_DEVICES;
	if (!virtio_msg_window_many(window))
		return 0;
	num = readl(window->base + VIRTIO_MSG_MMIO_SLOTS);
	if (!num || num == U32_MAX) {
		dev_err(window->bus.parent, "window has %d slots\n", (int)num);
		return -ENXIO;
	}
	if (size >= VIRTIO_MSG_MMIO_SIZE_LARGE)
		max = VIRTIO_MSG_MMIO_PAGE_SLOTS;
	window->bus.num_slots = min3(num, max, window->max_slots);
	window->bus.flags |= VIRTIO_MSG_BUS_F_GET_DEVICES;
	return 0;
}

static int virtio_msg_window_identify(struct virtio_msg_window *window)
{
	struct device *dev = window->bus.parent;
	u64 id = readq(window->base + VIRTIO_MSG_MMIO_IDENTITY);
	int err;

	if (VIRTIO_MSG_MMIO_ID_VERSION(id) != VIRTIO_MSG_MMIO_VERSION) {
		dev_err(dev, "window has layout version %u, only %u is supported\n",
			(u16)VIRTIO_MSG_MMIO_ID_VERSION(id),
			VIRTIO_MSG_MMIO_VERSION);
		return -ENXIO;
	}
	window->features = VIRTIO_MSG_MMIO_ID_FEATURES(id);
	err = virtio_msg_window_count(window);
	if (err)
		return err;
	window->bus.revision = VIRTIO_MSG_MMIO_ID_REVISION(id);
	window->bus.msg_size = min_t(u64, VIRTIO_MSG_MMIO_ID_MSG_SIZE(id),
				     virtio_msg_window_room(window));
	window->bus.transport_features = 0;
	if (window->features & VIRTIO_MSG_MMIO_F_TRANSPORT)
		window->bus.transport_features =
			readl(window->base + VIRTIO_MSG_MMIO_TRANSPORT_FEATURES);
	return 0;
}

/**
 * virtio_msg_window_arrive - a device is there where there was none
 * @bus: the window's bus
 *
 * What is offered may depend on the device, so all of it is read again. Where
 * there are several, others are in use, and nothing depends on one of them.
 *
 * Return: 0 or a negative errno.
 */
int virtio_msg_window_arrive(struct virtio_msg_bus *bus)
{
	struct virtio_msg_window *window = to_virtio_msg_window(bus);
	int err;

	if (virtio_msg_window_many(window))
		return 0;
	virtio_msg_window_page_off(window);
	err = virtio_msg_window_identify(window);
	if (!err)
		virtio_msg_window_page_on(window);
	return err;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_arrive);

/* For buses */

/**
 * virtio_msg_window_setup_mask - what addresses the device side takes
 * @dev: the device that does the DMA
 *
 * Return: 0 or a negative errno, and then a line has been logged.
 */
int virtio_msg_window_setup_mask(struct device *dev)
{
	if (dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)) &&
	    dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32)))
		return dev_err_probe(dev, -EIO, "no usable DMA addresses\n");
	return 0;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_setup_mask);

/**
 * virtio_msg_window_init - get to know a window
 * @window: filled in by the caller, see &struct virtio_msg_window; the magic
 *	number was found
 *
 * Return: 0 or a negative errno, and then a line has been logged.
 */
int virtio_msg_window_init(struct virtio_msg_window *window)
{
	virtio_msg_mailbox_init(&window->mailbox, &virtio_msg_window_mailbox_ops);
	window->bus.flags = VIRTIO_MSG_BUS_F_ATOMIC | VIRTIO_MSG_BUS_F_NOTIFY_DATA;
	return virtio_msg_window_identify(window);
}
EXPORT_SYMBOL_GPL(virtio_msg_window_init);

/**
 * virtio_msg_window_register - use a window
 * @window: the window, after virtio_msg_window_init()
 *
 * Return: 0 or a negative errno, see virtio_msg_register_bus().
 */
int virtio_msg_window_register(struct virtio_msg_window *window)
{
	int err;

	virtio_msg_window_page_on(window);
	err = virtio_msg_register_bus(&window->bus);
	if (err)
		virtio_msg_window_page_off(window);
	return err;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_register);

/**
 * virtio_msg_window_unregister - use a window no longer
 * @window: the window
 *
 * See virtio_msg_unregister_bus().
 */
void virtio_msg_window_unregister(struct virtio_msg_window *window)
{
	virtio_msg_unregister_bus(&window->bus);
	virtio_msg_window_page_off(window);
}
EXPORT_SYMBOL_GPL(virtio_msg_window_unregister);

/**
 * virtio_msg_window_shutdown - the device side uses no memory any more
 * @window: the window
 *
 * See virtio_msg_shutdown_bus().
 */
void virtio_msg_window_shutdown(struct virtio_msg_window *window)
{
	virtio_msg_shutdown_bus(&window->bus);
	virtio_msg_window_page_off(window);
}
EXPORT_SYMBOL_GPL(virtio_msg_window_shutdown);

#ifdef CONFIG_PM_SLEEP
/**
 * virtio_msg_window_freeze - put the devices behind a window to sleep
 * @window: the window
 *
 * Return: 0 or a negative errno, see virtio_msg_freeze_bus().
 */
int virtio_msg_window_freeze(struct virtio_msg_window *window)
{
	int err = virtio_msg_freeze_bus(&window->bus);

	if (!err)
		virtio_msg_window_page_off(window);
	return err;
}
EXPORT_SYMBOL_GPL(virtio_msg_window_freeze);

/**
 * virtio_msg_window_restore - wake the devices behind a window
 * @window: the window
 *
 * Return: 0 or a negative errno, see virtio_msg_restore_bus().
 */
int virtio_msg_window_restore(struct virtio_msg_window *window)
{
	int err = virtio_msg_window_identify(window);

	if (err)
		return err;
	virtio_msg_window_page_on(window);
	return virtio_msg_restore_bus(&window->bus);
}
EXPORT_SYMBOL_GPL(virtio_msg_window_restore);
#endif

MODULE_DESCRIPTION("virtio-msg by a window of registers");
MODULE_LICENSE("GPL");
