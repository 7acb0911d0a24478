// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg over a window of MMIO that a hypervisor traps
 *
 * A request is sent by the store that completes it: the device side, on the
 * other end of the trap, answers before the CPU goes on. There are two ways to
 * hand over a message. In window mode it is written to and read from the
 * window, some bytes per trap; that needs no shared memory. In page mode it
 * lies in a page of memory and one trap makes the device side look; what the
 * device side has to say of its own accord is in that page too, and a response
 * that takes it long it may write there after the CPU has gone on. Registers
 * and page are described in <uapi/linux/virtio_msg_mmio.h>.
 *
 * Interrupts, notifications and looks at the status block take no lock and do
 * not care for messages: the page they look at is kept by RCU.
 */

#define pr_fmt(fmt) "virtio-msg-mmio: " fmt

#include <linux/cc_platform.h>
#include <linux/cleanup.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iommu.h>
#include <linux/irq.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/virtio_anchor.h>
#include <linux/virtio_config.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mailbox.h>
#include <uapi/linux/virtio_msg_mmio.h>

#define VIRTIO_MSG_MMIO_NAME	"virtio-msg-mmio"

/* Layout version 1 has one slot */
#define VIRTIO_MSG_MMIO_SLOT	0

/**
 * struct virtio_msg_mmio - a window
 * @bus: what the core sees of it
 * @base: its registers
 * @irq: its interrupt
 * @edge: @irq is edge-triggered
 * @features: BusFeatures
 * @mailbox: puts messages in order; @page and what is said of it changes there
 * @page: the message page, NULL in window mode
 * @page_dma: its address if it came from the DMA API
 * @page_is_dma: it did
 * @late: responses may come late
 * @sequence: the page's sequence number as of the last interrupt
 * @slot: what the page's status block said of the slot then
 */
struct virtio_msg_mmio {
	struct virtio_msg_bus bus;
	void __iomem *base;
	int irq;
	bool edge;
	u16 features;
	struct virtio_msg_mailbox mailbox;
	struct virtio_msg_mmio_page __rcu *page;
	dma_addr_t page_dma;
	bool page_is_dma;
	bool late;
	u32 sequence;
	struct virtio_msg_mmio_slot slot;
};

#define to_virtio_msg_mmio(_bus) container_of(_bus, struct virtio_msg_mmio, bus)

static bool use_page = true;
module_param_named(page, use_page, bool, 0644);
MODULE_PARM_DESC(page, "Use the message page where the device side offers it (default: on)");

/* Longer than virtio-msgd waits for a backend */
static unsigned int response_timeout = VIRTIO_MSG_MMIO_TIMEOUT_MS;
module_param_named(timeout, response_timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "Milliseconds a response may take where it may be late (default: 35000)");

/* Messages */

/* Stores ascend; the last one, of 4 or 8 bytes, completes the request */
static void virtio_msg_mmio_put(void __iomem *to, const void *msg, size_t size)
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

static void virtio_msg_mmio_get(void *msg, void __iomem *from, size_t size)
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

/* Messages end where the window does: behind it may be another device's */
static size_t virtio_msg_mmio_room(const struct virtio_msg_mmio *mmio)
{
	return resource_size(mmio->bus.window) - VIRTIO_MSG_MMIO_WINDOW;
}

/* A request that was not understood leaves zeros, no device side all ones */
static int virtio_msg_mmio_transfer_window(struct virtio_msg_mmio *mmio,
					   const struct virtio_msg_header *request,
					   struct virtio_msg_header *response,
					   size_t max)
{
	void __iomem *window = mmio->base + VIRTIO_MSG_MMIO_WINDOW;
	size_t size;

	virtio_msg_mmio_put(window, request, le16_to_cpu(request->msg_size));
	virtio_msg_mmio_get(response, window, sizeof(*response));
	size = le16_to_cpu(response->msg_size);
	if (!size && !response->type)
		return -EIO;
	if (response->token != request->token || size < sizeof(*response) ||
	    size > min(max, virtio_msg_mmio_room(mmio)))
		return -EPROTO;
	virtio_msg_mmio_get(response + 1, window + sizeof(*response),
			    size - sizeof(*response));
	return 0;
}

/* There is a page, and in its turn nobody takes it away */
static struct virtio_msg_mmio_page *
virtio_msg_mmio_page(struct virtio_msg_mmio *mmio)
{
	return rcu_dereference_protected(mmio->page, true);
}

static int virtio_msg_mmio_receive_page(struct virtio_msg_mmio *mmio,
					struct virtio_msg_mmio_page *page,
					const struct virtio_msg_header *request,
					struct virtio_msg_header *response,
					size_t max)
{
	struct virtio_msg_header *answer = (void *)page->response;
	__le16 token = READ_ONCE(answer->token);
	size_t size;

	/* Nothing yet, or the response to a request that was given up */
	if (token != request->token && mmio->late)
		return -EAGAIN;
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

static int virtio_msg_mmio_transfer_page(struct virtio_msg_mmio *mmio,
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
	writel(1, mmio->base + VIRTIO_MSG_MMIO_DOORBELL);
	/* No load below may be done before it; no earlier request is answered now */
	mb();
	return virtio_msg_mmio_receive_page(mmio, page, request, response, max);
}

#define mbox_to_virtio_msg_mmio(_mbox) \
	container_of(_mbox, struct virtio_msg_mmio, mailbox)

static int virtio_msg_mmio_send(struct virtio_msg_mailbox *mbox,
				const struct virtio_msg_header *request,
				struct virtio_msg_header *response, size_t size)
{
	struct virtio_msg_mmio *mmio = mbox_to_virtio_msg_mmio(mbox);
	struct virtio_msg_mmio_page *page = virtio_msg_mmio_page(mmio);

	if (page)
		return virtio_msg_mmio_transfer_page(mmio, page, request,
						     response, size);
	return virtio_msg_mmio_transfer_window(mmio, request, response, size);
}

static int virtio_msg_mmio_receive(struct virtio_msg_mailbox *mbox,
				   const struct virtio_msg_header *request,
				   struct virtio_msg_header *response,
				   size_t size)
{
	struct virtio_msg_mmio *mmio = mbox_to_virtio_msg_mmio(mbox);

	return virtio_msg_mmio_receive_page(mmio, virtio_msg_mmio_page(mmio),
					    request, response, size);
}

static bool virtio_msg_mmio_alive(struct virtio_msg_mailbox *mbox)
{
	struct virtio_msg_mmio *mmio = mbox_to_virtio_msg_mmio(mbox);

	return readl(mmio->base + VIRTIO_MSG_MMIO_MAGIC) ==
	       VIRTIO_MSG_MMIO_MAGIC_VALUE;
}

static const struct virtio_msg_mailbox_ops virtio_msg_mmio_mailbox_ops = {
	.send = virtio_msg_mmio_send,
	.receive = virtio_msg_mmio_receive,
	.alive = virtio_msg_mmio_alive,
};

static int virtio_msg_mmio_transfer(struct virtio_msg_bus *bus,
				    struct virtio_msg_header *request,
				    struct virtio_msg_header *response,
				    size_t size, bool atomic)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);

	return virtio_msg_mailbox_transfer(&mmio->mailbox, request, response,
					   size, READ_ONCE(response_timeout),
					   atomic);
}

/* The register takes just what the core hands down: rule B6 */
static bool virtio_msg_mmio_notify(struct virtio_msg_device *vmdev,
				   struct virtqueue *vq, u32 data)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(vmdev->bus);

	writel(data, mmio->base + VIRTIO_MSG_MMIO_QUEUE_NOTIFY(vmdev->dev_num));
	return true;
}

/* Events */

static bool virtio_msg_mmio_peek(struct virtio_msg_device *vmdev,
				 struct virtio_msg_state *state)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(vmdev->bus);
	struct virtio_msg_mmio_page *page;
	struct virtio_msg_mmio_slot *slot;

	guard(rcu)();
	/* The driver may ask in shutdown, when the page is switched off */
	page = rcu_dereference(mmio->page);
	if (!page)
		return false;
	slot = &page->slot[vmdev->dev_num];
	state->status = le32_to_cpu(READ_ONCE(slot->device_status));
	state->generation = le32_to_cpu(READ_ONCE(slot->generation));
	state->config_cacheable = mmio->features & VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	return true;
}

/* What changed in the status block since the last time, as bits of Event */
static u32 virtio_msg_mmio_page_events(struct virtio_msg_mmio *mmio,
				       struct virtio_msg_mmio_page *page)
{
	struct virtio_msg_mmio_slot now;
	u32 sequence, events = 0;

	sequence = le32_to_cpu(READ_ONCE(page->sequence));
	if (sequence == mmio->sequence)
		return 0;
	/* What the number stands for was written before it */
	dma_rmb();
	now.device_status = READ_ONCE(page->slot[VIRTIO_MSG_MMIO_SLOT].device_status);
	now.generation = READ_ONCE(page->slot[VIRTIO_MSG_MMIO_SLOT].generation);
	now.device_id = READ_ONCE(page->slot[VIRTIO_MSG_MMIO_SLOT].device_id);
	now.arrivals = READ_ONCE(page->slot[VIRTIO_MSG_MMIO_SLOT].arrivals);

	if (now.device_id != mmio->slot.device_id ||
	    now.arrivals != mmio->slot.arrivals)
		events |= VIRTIO_MSG_MMIO_EVENT_DEVICE;
	if (now.generation != mmio->slot.generation ||
	    (now.device_status & ~mmio->slot.device_status &
	     cpu_to_le32(VIRTIO_CONFIG_S_NEEDS_RESET)))
		events |= VIRTIO_MSG_MMIO_EVENT_CONFIG;
	mmio->sequence = sequence;
	mmio->slot = now;
	return events;
}

static u32 virtio_msg_mmio_events(struct virtio_msg_mmio *mmio)
{
	struct virtio_msg_mmio_page *page;

	guard(rcu)();
	page = rcu_dereference(mmio->page);
	if (page)
		return virtio_msg_mmio_page_events(mmio, page);
	return readl(mmio->base + VIRTIO_MSG_MMIO_EVENT);
}

/*
 * Every interrupt means: look at all virtqueues. The rest is in the page, or
 * else in the Event register, which has to be read once. A response that came
 * late is not looked for: whoever waits for it does so.
 */
static irqreturn_t virtio_msg_mmio_interrupt(int irq, void *data)
{
	struct virtio_msg_mmio *mmio = data;
	u32 events = virtio_msg_mmio_events(mmio);
	irqreturn_t ret;

	/* No device side */
	if (events == U32_MAX)
		events = 0;

	ret = virtio_msg_used_interrupt(&mmio->bus, VIRTIO_MSG_MMIO_SLOT);
	if (events & VIRTIO_MSG_MMIO_EVENT_CONFIG)
		virtio_msg_config_interrupt(&mmio->bus, VIRTIO_MSG_MMIO_SLOT);
	if (events & VIRTIO_MSG_MMIO_EVENT_DEVICE)
		virtio_msg_rescan_bus(&mmio->bus);
	/*
	 * An edge may come late, when a driver has found its buffers already:
	 * not a reason to think that nobody cares for the interrupt.
	 */
	return events || mmio->edge ? IRQ_HANDLED : ret;
}

static int virtio_msg_mmio_enable_events(struct virtio_msg_bus *bus)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);

	return request_irq(mmio->irq, virtio_msg_mmio_interrupt, IRQF_SHARED,
			   dev_name(bus->parent), mmio);
}

static void virtio_msg_mmio_disable_events(struct virtio_msg_bus *bus)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);

	free_irq(mmio->irq, mmio);
}

static void virtio_msg_mmio_synchronize_cbs(struct virtio_msg_bus *bus)
{
	synchronize_irq(to_virtio_msg_mmio(bus)->irq);
}

/* Message page */

/*
 * What makes DMA addresses of this device grants, on Xen, is set up by the
 * virtio core when a driver's features are accepted. The page is allocated
 * before that, and has to come from where the rings will come from.
 */
static int virtio_msg_mmio_setup_dma(struct virtio_msg_mmio *mmio)
{
	struct virtio_device *vdev __free(kfree) = kzalloc_obj(*vdev);

	if (!vdev)
		return -ENOMEM;
	vdev->dev.parent = mmio->bus.parent;
	if (virtio_check_mem_acc_cb(vdev) &&
	    !(mmio->features & VIRTIO_MSG_MMIO_F_PAGE_DMA))
		return -EOPNOTSUPP;
	return 0;
}

/* Is a guest-physical address of memory as good as the memory itself? */
static bool virtio_msg_mmio_phys_ok(struct device *dev)
{
	return !device_iommu_mapped(dev) &&
	       !cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}

static struct virtio_msg_mmio_page *
virtio_msg_mmio_alloc_page(struct virtio_msg_mmio *mmio, u64 *addr)
{
	struct device *dev = mmio->bus.parent;
	struct virtio_msg_mmio_page *page;

	/* The device side's view of memory is the CPU's, or there is no page */
	if (!use_page || !(mmio->features & VIRTIO_MSG_MMIO_F_PAGE) ||
	    !mmio->edge || !dev_is_dma_coherent(dev) ||
	    virtio_msg_mmio_setup_dma(mmio))
		return NULL;

	mmio->page_is_dma = mmio->features & VIRTIO_MSG_MMIO_F_PAGE_DMA;
	if (mmio->page_is_dma) {
		page = dma_alloc_coherent(dev, sizeof(*page), &mmio->page_dma,
					  GFP_KERNEL);
		*addr = mmio->page_dma;
	} else if (virtio_msg_mmio_phys_ok(dev)) {
		page = (void *)get_zeroed_page(GFP_KERNEL);
		*addr = page ? virt_to_phys(page) : 0;
	} else {
		page = NULL;
	}
	return page;
}

static void virtio_msg_mmio_free_page(struct virtio_msg_mmio *mmio,
				      struct virtio_msg_mmio_page *page)
{
	if (mmio->page_is_dma)
		dma_free_coherent(mmio->bus.parent, sizeof(*page), page,
				  mmio->page_dma);
	else
		free_page((unsigned long)page);
}

/**
 * struct virtio_msg_mmio_switch - another page, or none
 * @page: it
 * @addr: where it is
 * @late: and responses in it may be late
 */
struct virtio_msg_mmio_switch {
	struct virtio_msg_mmio_page *page;
	u64 addr;
	bool late;
};

/* While no message is under way */
static void virtio_msg_mmio_switch_page(struct virtio_msg_mailbox *mbox,
					void *arg)
{
	struct virtio_msg_mmio *mmio = mbox_to_virtio_msg_mmio(mbox);
	const struct virtio_msg_mmio_switch *to = arg;
	u64 value = 0;

	RCU_INIT_POINTER(mmio->page, NULL);
	mmio->late = to->late;
	if (to->page)
		value = to->addr | VIRTIO_MSG_MMIO_PAGE_ON;
	if (to->late)
		value |= VIRTIO_MSG_MMIO_PAGE_LATE;
	writeq(value, mmio->base + VIRTIO_MSG_MMIO_PAGE);
	if (!to->page)
		return;
	/* The device side has filled in the status block: what is not news */
	mb();
	mmio->sequence = le32_to_cpu(READ_ONCE(to->page->sequence));
	mmio->slot = to->page->slot[VIRTIO_MSG_MMIO_SLOT];
	rcu_assign_pointer(mmio->page, to->page);
}

/*
 * Tell the device side which page is in force, or that none is: an earlier
 * kernel may have left one on. Before anything else is written.
 */
static void virtio_msg_mmio_page_on(struct virtio_msg_mmio *mmio)
{
	struct virtio_msg_mmio_switch to = {};

	BUILD_BUG_ON(sizeof(*to.page) != VIRTIO_MSG_MMIO_PAGE_SIZE);

	to.page = virtio_msg_mmio_alloc_page(mmio, &to.addr);
	to.late = to.page && mmio->features & VIRTIO_MSG_MMIO_F_LATE;
	virtio_msg_mailbox_run(&mmio->mailbox, virtio_msg_mmio_switch_page, &to);
}

/* There is no device, or its driver is asleep. The device side lets go first. */
static void virtio_msg_mmio_page_off(struct virtio_msg_mmio *mmio)
{
	struct virtio_msg_mmio_page *page = virtio_msg_mmio_page(mmio);
	struct virtio_msg_mmio_switch to = {};

	if (!page)
		return;
	virtio_msg_mailbox_run(&mmio->mailbox, virtio_msg_mmio_switch_page, &to);
	/* Who looks at the status block looks no longer */
	synchronize_rcu();
	/* With no device side the store did nothing, and it may still write */
	if (readl(mmio->base + VIRTIO_MSG_MMIO_MAGIC) !=
	    VIRTIO_MSG_MMIO_MAGIC_VALUE) {
		dev_err(mmio->bus.parent,
			"device side does not answer, the message page will not be freed\n");
		return;
	}
	virtio_msg_mmio_free_page(mmio, page);
}

/* Window */

static int virtio_msg_mmio_identify(struct virtio_msg_mmio *mmio)
{
	struct device *dev = mmio->bus.parent;
	u64 id = readq(mmio->base + VIRTIO_MSG_MMIO_IDENTITY);

	if (VIRTIO_MSG_MMIO_ID_VERSION(id) != VIRTIO_MSG_MMIO_VERSION) {
		dev_err(dev, "window has layout version %u, only %u is supported\n",
			(u16)VIRTIO_MSG_MMIO_ID_VERSION(id),
			VIRTIO_MSG_MMIO_VERSION);
		return -ENXIO;
	}
	mmio->bus.revision = VIRTIO_MSG_MMIO_ID_REVISION(id);
	mmio->bus.msg_size = min_t(u64, VIRTIO_MSG_MMIO_ID_MSG_SIZE(id),
				   virtio_msg_mmio_room(mmio));
	mmio->features = VIRTIO_MSG_MMIO_ID_FEATURES(id);
	mmio->bus.transport_features = 0;
	if (mmio->features & VIRTIO_MSG_MMIO_F_TRANSPORT)
		mmio->bus.transport_features =
			readl(mmio->base + VIRTIO_MSG_MMIO_TRANSPORT_FEATURES);
	return 0;
}

/* What is offered may depend on the device, so all of it is read again */
static int virtio_msg_mmio_arrive(struct virtio_msg_bus *bus)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);
	int err;

	virtio_msg_mmio_page_off(mmio);
	err = virtio_msg_mmio_identify(mmio);
	if (!err)
		virtio_msg_mmio_page_on(mmio);
	return err;
}

static const struct virtio_msg_bus_ops virtio_msg_mmio_ops = {
	.transfer = virtio_msg_mmio_transfer,
	.notify = virtio_msg_mmio_notify,
	.synchronize_cbs = virtio_msg_mmio_synchronize_cbs,
	.enable_events = virtio_msg_mmio_enable_events,
	.disable_events = virtio_msg_mmio_disable_events,
	.arrive = virtio_msg_mmio_arrive,
	.peek = virtio_msg_mmio_peek,
};

static bool virtio_msg_mmio_is_edge(int irq)
{
	u32 type = irq_get_trigger_type(irq);

	return type && !(type & IRQ_TYPE_LEVEL_MASK);
}

static int virtio_msg_mmio_setup_mask(struct device *dev)
{
	if (dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64)) &&
	    dma_set_mask_and_coherent(dev, DMA_BIT_MASK(32)))
		return dev_err_probe(dev, -EIO, "no usable DMA addresses\n");
	return 0;
}

static int virtio_msg_mmio_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct virtio_msg_mmio *mmio;
	struct resource *window;
	u32 magic;
	int err;

	mmio = devm_kzalloc(dev, sizeof(*mmio), GFP_KERNEL);
	if (!mmio)
		return -ENOMEM;
	virtio_msg_mailbox_init(&mmio->mailbox, &virtio_msg_mmio_mailbox_ops);
	mmio->bus.ops = &virtio_msg_mmio_ops;
	mmio->bus.parent = dev;
	mmio->bus.flags = VIRTIO_MSG_BUS_F_ATOMIC | VIRTIO_MSG_BUS_F_NOTIFY_DATA;
	mmio->bus.num_slots = VIRTIO_MSG_MMIO_SLOT + 1;

	mmio->base = devm_platform_get_and_ioremap_resource(pdev, 0, &window);
	if (IS_ERR(mmio->base))
		return PTR_ERR(mmio->base);
	mmio->bus.window = window;
	if (resource_size(window) < VIRTIO_MSG_MMIO_SIZE)
		return dev_err_probe(dev, -EINVAL,
				     "window %pR is smaller than %#x bytes\n",
				     window, VIRTIO_MSG_MMIO_SIZE);

	magic = readl(mmio->base + VIRTIO_MSG_MMIO_MAGIC);
	if (magic != VIRTIO_MSG_MMIO_MAGIC_VALUE)
		return dev_err_probe(dev, -ENODEV,
				     "no virtio-msg device side at %pR: magic is %#010x\n",
				     window, magic);
	err = virtio_msg_mmio_identify(mmio);
	if (err)
		return err;
	mmio->irq = platform_get_irq(pdev, 0);
	if (mmio->irq < 0)
		return mmio->irq;
	mmio->edge = virtio_msg_mmio_is_edge(mmio->irq);
	err = virtio_msg_mmio_setup_mask(dev);
	if (err)
		return err;

	platform_set_drvdata(pdev, mmio);
	virtio_msg_mmio_page_on(mmio);
	err = virtio_msg_register_bus(&mmio->bus);
	if (err)
		virtio_msg_mmio_page_off(mmio);
	return err;
}

static void virtio_msg_mmio_remove(struct platform_device *pdev)
{
	struct virtio_msg_mmio *mmio = platform_get_drvdata(pdev);

	virtio_msg_unregister_bus(&mmio->bus);
	virtio_msg_mmio_page_off(mmio);
}

static void virtio_msg_mmio_shutdown(struct platform_device *pdev)
{
	struct virtio_msg_mmio *mmio = platform_get_drvdata(pdev);

	virtio_msg_shutdown_bus(&mmio->bus);
	virtio_msg_mmio_page_off(mmio);
}

#ifdef CONFIG_PM_SLEEP
static int virtio_msg_mmio_freeze(struct device *dev)
{
	struct virtio_msg_mmio *mmio = dev_get_drvdata(dev);
	int err = virtio_msg_freeze_bus(&mmio->bus);

	if (!err)
		virtio_msg_mmio_page_off(mmio);
	return err;
}

static int virtio_msg_mmio_restore(struct device *dev)
{
	struct virtio_msg_mmio *mmio = dev_get_drvdata(dev);
	int err = virtio_msg_mmio_identify(mmio);

	if (err)
		return err;
	virtio_msg_mmio_page_on(mmio);
	return virtio_msg_restore_bus(&mmio->bus);
}
#endif

static const struct dev_pm_ops virtio_msg_mmio_pm_ops = {
	SET_SYSTEM_SLEEP_PM_OPS(virtio_msg_mmio_freeze, virtio_msg_mmio_restore)
};

static const struct of_device_id virtio_msg_mmio_match[] = {
	{ .compatible = "virtio,msg-mmio" },
	{}
};
MODULE_DEVICE_TABLE(of, virtio_msg_mmio_match);

static struct platform_driver virtio_msg_mmio_driver = {
	.probe = virtio_msg_mmio_probe,
	.remove = virtio_msg_mmio_remove,
	.shutdown = virtio_msg_mmio_shutdown,
	.driver = {
		.name = VIRTIO_MSG_MMIO_NAME,
		.of_match_table = virtio_msg_mmio_match,
		.pm = pm_ptr(&virtio_msg_mmio_pm_ops),
	},
};

/* Devices on the kernel command line, in virtio_mmio's words */

#ifdef CONFIG_VIRTIO_MSG_MMIO_CMDLINE_DEVICES

static struct device *virtio_msg_mmio_cmdline;
static int virtio_msg_mmio_next_id;

static int virtio_msg_mmio_set_device(const char *arg,
				      const struct kernel_param *kp)
{
	struct resource resources[2] = {};
	struct platform_device *pdev;
	long long base, size;
	int read, end = 0;
	unsigned int irq;
	char *rest;

	size = memparse(arg, &rest);
	read = sscanf(rest, "@%lli:%u%n:%d%n", &base, &irq, &end,
		      &virtio_msg_mmio_next_id, &end);
	if (read < 2 || rest[end] || !irq || size <= 0 || base < 0) {
		pr_err("device=%s: not <size>@<base>:<irq>[:<id>]\n", arg);
		return -EINVAL;
	}
	if (!virtio_msg_mmio_cmdline) {
		struct device *root;

		root = root_device_register(VIRTIO_MSG_MMIO_NAME "-cmdline");
		if (IS_ERR(root))
			return PTR_ERR(root);
		virtio_msg_mmio_cmdline = root;
	}
	resources[0] = DEFINE_RES_MEM(base, size);
	resources[1] = DEFINE_RES_IRQ(irq);
	pdev = platform_device_register_resndata(virtio_msg_mmio_cmdline,
						 VIRTIO_MSG_MMIO_NAME,
						 virtio_msg_mmio_next_id++,
						 resources,
						 ARRAY_SIZE(resources), NULL, 0);
	return PTR_ERR_OR_ZERO(pdev);
}

static int virtio_msg_mmio_show_device(struct device *dev, void *data)
{
	struct platform_device *pdev = to_platform_device(dev);
	char *buf = data;
	size_t len = strlen(buf);

	scnprintf(buf + len, PAGE_SIZE - len, "%#llx@%#llx:%llu:%d\n",
		  (u64)resource_size(&pdev->resource[0]),
		  (u64)pdev->resource[0].start, (u64)pdev->resource[1].start,
		  pdev->id);
	return 0;
}

static int virtio_msg_mmio_get_devices(char *buf, const struct kernel_param *kp)
{
	buf[0] = '\0';
	if (virtio_msg_mmio_cmdline)
		device_for_each_child(virtio_msg_mmio_cmdline, buf,
				      virtio_msg_mmio_show_device);
	return strlen(buf);
}

static const struct kernel_param_ops virtio_msg_mmio_device_ops = {
	.set = virtio_msg_mmio_set_device,
	.get = virtio_msg_mmio_get_devices,
};

device_param_cb(device, &virtio_msg_mmio_device_ops, NULL, 0400);
MODULE_PARM_DESC(device, "A window: <size>@<base>:<irq>[:<id>]; may be given more than once");

static int virtio_msg_mmio_drop_device(struct device *dev, void *data)
{
	platform_device_unregister(to_platform_device(dev));
	return 0;
}

static void virtio_msg_mmio_drop_devices(void)
{
	if (!virtio_msg_mmio_cmdline)
		return;
	device_for_each_child(virtio_msg_mmio_cmdline, NULL,
			      virtio_msg_mmio_drop_device);
	root_device_unregister(virtio_msg_mmio_cmdline);
}

#else

static void virtio_msg_mmio_drop_devices(void)
{
}

#endif

static int __init virtio_msg_mmio_init(void)
{
	return platform_driver_register(&virtio_msg_mmio_driver);
}
module_init(virtio_msg_mmio_init);

static void __exit virtio_msg_mmio_exit(void)
{
	platform_driver_unregister(&virtio_msg_mmio_driver);
	virtio_msg_mmio_drop_devices();
}
module_exit(virtio_msg_mmio_exit);

MODULE_DESCRIPTION("virtio-msg over a trapped MMIO window");
MODULE_LICENSE("GPL");
