// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit tests of virtio-msg-mmio, on a window that the test emulates
 *
 * Behind the window is the device of virtio_msg_fake.c. Every access is
 * counted: with a hypervisor it is a trap, and traps are what this bus costs.
 */

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/irq_sim.h>
#include <linux/irqdomain.h>
#include <linux/kthread.h>
#include <linux/logic_iomem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/platform_device.h>
#include <linux/pm.h>
#include <linux/sched.h>
#include <linux/unaligned.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <uapi/linux/virtio_msg_mmio.h>

#include "virtio_msg_fake.h"

/* Where the windows are: far above memory */
#define WINDOW_START	0x2000000000ull
#define WINDOW_ROOM	0x1000
#define WINDOWS		2
/* Accesses that a log keeps; all are counted */
#define WINDOW_LOG	256

/* Where no memory is on any machine the tests run on */
#define SHM_ADDR	0xd0000000ull

/* A device of another kind than the first, for the same window */
#define OTHER_DEVICE_ID	(VMT_DEVICE_ID + 1)

/* Other magics there are: no device, nobody, virtio-mmio */
#define ALL_ONES	0xffffffff
#define ALL_ZEROS	0
#define VIRTIO_MAGIC	0x74726976

/* The window */

struct access {
	u16 offset;
	u8 size;
	bool write;
	u64 value;
};

/*
 * struct window - the device side of a window
 * @size: of the window; what lies beyond is not ours
 * @request: bytes that were written to the window, @written of them
 * @tamper: called with the honest response, may change it and its error
 * @dies_at: the access from which on there is no device side, 0 for never
 * @dead: there is none
 * @late: responses may come late, the driver side said
 * @slow: and do so: requests are held back until window_release()
 * @held: one is held back, in @request
 * @stall: the CPU that rings the doorbell stays there for so many ms at most
 * @stalled: it is there
 * @wake: whoever looks whether there is a device side finds the response
 * @slots: with F_DEVICES: how many there are
 * @more: the devices in them, but for the first, which is @dev; NULL: empty
 * @more_arrivals: how many there were in each
 * @named: device numbers that GET_DEVICES names besides those that are there
 * @config_slots: ConfigSlots
 */
struct window {
	struct vmt_device dev;
	spinlock_t lock;	/* an access at a time */
	unsigned int size;
	u32 magic;
	u16 version;
	u16 revision;
	u16 msg_size;
	u16 features;
	u32 transport_features;
	u32 event;
	u32 arrivals;

	u8 request[WINDOW_ROOM];
	u8 response[WINDOW_ROOM];
	unsigned int written;
	struct virtio_msg_mmio_page *page;
	unsigned int pages;

	int (*tamper)(struct window *win, struct vmt_message *resp, int err);
	unsigned int dies_at;
	bool dead;
	bool was_dead;

	bool late;
	bool slow;
	bool held;
	unsigned int stall;
	bool stalled;
	bool wake;

	unsigned int slots;
	struct vmt_device *more[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	u32 more_arrivals[VIRTIO_MSG_MMIO_PAGE_SLOTS];
	u64 named;
	u64 config_slots;

	unsigned int traps;
	unsigned int reads;
	struct access log[WINDOW_LOG];
	unsigned int violations;
	const char *violation;
};

static struct window *the_windows[WINDOWS];

static void window_violation(struct window *win, const char *what)
{
	if (!win->violations++)
		win->violation = what;
}

static struct vmt_device *window_device(struct window *win, unsigned int num)
{
	if (num)
		return num < ARRAY_SIZE(win->more) ? win->more[num] : NULL;
	return &win->dev;
}

static void window_update_slot(struct window *win, unsigned int num, u32 arrivals)
{
	static const struct vmt_device none;
	const struct vmt_device *dev = window_device(win, num) ?: &none;
	struct virtio_msg_mmio_slot *slot = &win->page->slot[num];

	slot->device_status = cpu_to_le32(dev->status);
	slot->generation = cpu_to_le32(dev->generation);
	slot->device_id = cpu_to_le32(dev->info.device_id);
	slot->arrivals = cpu_to_le32(arrivals);
}

/* The status block: the number is raised when all is written */
static void window_update(struct window *win)
{
	unsigned int i;

	if (!win->page)
		return;
	window_update_slot(win, 0, win->arrivals);
	for (i = 1; i < win->slots; i++)
		window_update_slot(win, i, win->more_arrivals[i]);
	/* Rising last tells the driver side that the rest is there */
	smp_wmb();
	le32_add_cpu(&win->page->sequence, 1);
}

static u64 window_present(struct window *win)
{
	u64 present = win->named;
	unsigned int i;

	for (i = 0; i < win->slots; i++) {
		struct vmt_device *dev = window_device(win, i);

		if (dev && dev->info.device_id)
			present |= BIT_ULL(i);
	}
	return present;
}

/* GET_DEVICES, all at once; PING */
static int window_answer_bus(struct window *win,
			     const struct virtio_msg_header *req,
			     struct vmt_message *resp)
{
	struct virtio_msg_bus_get_devices_resp *devices = (void *)resp;
	const size_t head = sizeof(*devices);

	if (req->dev_num)
		window_violation(win, "a device in a bus message");
	memcpy(resp, req, sizeof(struct virtio_msg_bus_ping));
	resp->hdr.type |= VIRTIO_MSG_TYPE_RESPONSE;
	if (req->msg_id == VIRTIO_MSG_BUS_PING)
		return 0;
	if (req->msg_id != VIRTIO_MSG_BUS_GET_DEVICES || devices->offset)
		return -EIO;
	devices->next_offset = 0;
	devices->count = cpu_to_le16(64);
	put_unaligned_le64(window_present(win), devices->bitmap);
	resp->hdr.msg_size = cpu_to_le16(head + 8);
	return 0;
}

static int window_answer_device(struct window *win,
				const struct virtio_msg_header *req,
				struct vmt_message *resp)
{
	u16 num = le16_to_cpu(req->dev_num);
	struct vmt_device *dev = window_device(win, num);
	static struct vmt_device none;

	if (num && num >= win->slots) {
		window_violation(win, "a message for a slot that is not there");
		return -EIO;
	}
	return vmt_device_answer(dev ?: &none, req, &resp->hdr, sizeof(*resp));
}

static int window_answer(struct window *win, const void *request,
			 struct vmt_message *resp)
{
	const struct virtio_msg_header *req = request;
	int err = req->type & VIRTIO_MSG_TYPE_BUS && win->slots ?
		  window_answer_bus(win, req, resp) :
		  window_answer_device(win, req, resp);

	if (win->tamper)
		err = win->tamper(win, resp, err);
	window_update(win);
	return err;
}

static u16 window_request_size(const struct window *win)
{
	return win->written < sizeof(struct virtio_msg_header) ? U16_MAX :
	       get_unaligned_le16(win->request +
				  offsetof(struct virtio_msg_header, msg_size));
}

static void window_put(struct window *win, unsigned int offset, int size,
		       u64 value)
{
	unsigned int pos = offset - VIRTIO_MSG_MMIO_WINDOW;
	struct vmt_message resp = {};

	if (!pos) {
		win->written = 0;
		memset(win->response, 0, sizeof(win->response));
	}
	if (pos != win->written || (pos && pos >= window_request_size(win))) {
		window_violation(win, "the request is not written in ascending order");
		return;
	}
	put_unaligned_le64(value, win->request + pos);
	win->written += size;
	if (win->written < window_request_size(win))
		return;
	if (win->written != round_up(window_request_size(win), 4))
		window_violation(win, "the request is not padded to 4 bytes");
	if (!window_answer(win, win->request, &resp))
		memcpy(win->response, &resp, sizeof(resp));
}

/*
 * Respond to the request that was held back. Of one whose place a new one takes
 * that is done at the last moment, in the store that sends the new one.
 */
static void window_late(struct window *win)
{
	struct virtio_msg_header *to = (void *)win->page->response;
	struct vmt_message resp = {};

	win->held = false;
	if (window_answer(win, win->request, &resp)) {
		memcpy(&resp.hdr, win->request, sizeof(resp.hdr));
		resp.hdr.msg_size = 0;
	}
	memcpy(to + 1, resp.raw + sizeof(resp.hdr),
	       sizeof(resp) - sizeof(resp.hdr));
	to->type = resp.hdr.type;
	to->msg_id = resp.hdr.msg_id;
	to->dev_num = resp.hdr.dev_num;
	to->msg_size = resp.hdr.msg_size;
	/* When the token is there, all of it is */
	smp_store_release(&to->token, resp.hdr.token);
}

static void window_release(struct window *win)
{
	unsigned long flags;

	spin_lock_irqsave(&win->lock, flags);
	win->slow = false;
	if (win->held && win->page)
		window_late(win);
	spin_unlock_irqrestore(&win->lock, flags);
}

static bool window_holds(struct window *win)
{
	return READ_ONCE(win->held);
}

static void window_doorbell(struct window *win)
{
	u8 request[VIRTIO_MSG_MMIO_PAGE_MSG_SIZE];
	struct vmt_message resp = {};

	if (!win->page) {
		window_violation(win, "doorbell without a page");
		return;
	}
	if (win->held)
		window_late(win);
	memcpy(request, win->page->request, sizeof(request));
	win->held = win->slow;
	if (win->held) {
		memcpy(win->request, request, sizeof(request));
		return;
	}
	if (!window_answer(win, request, &resp)) {
		memcpy(win->page->response, resp.raw, sizeof(resp.raw));
	} else if (win->late) {
		/* There is none, which is not the same as none yet */
		memcpy(&resp.hdr, request, sizeof(resp.hdr));
		resp.hdr.msg_size = 0;
		*(struct virtio_msg_header *)win->page->response = resp.hdr;
	}
}

static void window_set_page(struct window *win, u64 value)
{
	win->page = NULL;
	win->held = false;
	win->late = value & VIRTIO_MSG_MMIO_PAGE_LATE;
	if (win->late && !(win->features & VIRTIO_MSG_MMIO_F_LATE))
		window_violation(win, "late responses are asked for that are not offered");
	if (value & VIRTIO_MSG_MMIO_PAGE_ON) {
		win->page = phys_to_virt(value & ~(u64)(VIRTIO_MSG_MMIO_PAGE_ON |
							VIRTIO_MSG_MMIO_PAGE_LATE));
		win->pages++;
		if (offset_in_page(win->page))
			window_violation(win, "the page is not a page");
	} else if (value) {
		window_violation(win, "a page that is off has an address");
	}
	window_update(win);
}

/* The device whose QueueNotify is there, or NULL */
static struct vmt_device *window_notified(struct window *win, unsigned int offset)
{
	unsigned int i;

	for (i = 0; i < max(win->slots, 1); i++)
		if (offset == (i < VIRTIO_MSG_MMIO_SMALL_SLOTS ?
			       VIRTIO_MSG_MMIO_QUEUE_NOTIFY(i) :
			       VIRTIO_MSG_MMIO_QUEUE_NOTIFY_HIGH(i)))
			return window_device(win, i);
	return NULL;
}

static void window_store(struct window *win, unsigned int offset, int size,
			 u64 value)
{
	struct vmt_device *dev = window_notified(win, offset);

	if (dev && size == 4)
		vmt_device_notified(dev, value);
	else if (offset >= VIRTIO_MSG_MMIO_WINDOW)
		window_put(win, offset, size, value);
	else if (offset == VIRTIO_MSG_MMIO_PAGE && size == 8)
		window_set_page(win, value);
	else if (offset == VIRTIO_MSG_MMIO_DOORBELL && size == 4)
		window_doorbell(win);
	else
		window_violation(win, "a store to what is no register");
}

static u64 window_load(struct window *win, unsigned int offset, int size)
{
	u64 config_slots = win->config_slots;
	u32 event = win->event;

	if (offset >= VIRTIO_MSG_MMIO_WINDOW)
		return get_unaligned_le64(win->response + offset -
					  VIRTIO_MSG_MMIO_WINDOW);
	if (offset == VIRTIO_MSG_MMIO_MAGIC && size == 4) {
		if (win->wake && win->held)
			window_late(win);
		return win->magic;
	}
	if (offset == VIRTIO_MSG_MMIO_IDENTITY && size == 8)
		return win->version | (u64)win->revision << 16 |
		       (u64)win->msg_size << 32 | (u64)win->features << 48;
	if (offset == VIRTIO_MSG_MMIO_TRANSPORT_FEATURES && size == 4)
		return win->transport_features;
	if (offset == VIRTIO_MSG_MMIO_EVENT && size == 4) {
		win->event = 0;
		return event;
	}
	if (offset == VIRTIO_MSG_MMIO_SLOTS && size == 4)
		return win->slots;
	if (offset == VIRTIO_MSG_MMIO_CONFIG_SLOTS && size == 8) {
		win->config_slots = 0;
		return config_slots;
	}
	window_violation(win, "a load from what is no register");
	return 0;
}

static void window_count(struct window *win, const struct access *access)
{
	if (win->traps < WINDOW_LOG)
		win->log[win->traps] = *access;
	win->traps++;
	win->reads += !access->write;
	if (win->traps == win->dies_at) {
		win->dead = true;
		win->was_dead = true;
	}
}

/* The CPU is in the trap; others go on */
static void window_stall(struct window *win)
{
	unsigned int i;

	WRITE_ONCE(win->stalled, READ_ONCE(win->stall));
	for (i = 0; i < READ_ONCE(win->stall); i++)
		mdelay(1);
	WRITE_ONCE(win->stalled, false);
}

static u64 window_access(struct window *win, unsigned int offset, int size,
			 bool write, u64 value)
{
	struct access access = { offset, size, write, value };
	unsigned long flags;
	u64 ret = U64_MAX;

	if (write && offset == VIRTIO_MSG_MMIO_DOORBELL)
		window_stall(win);
	spin_lock_irqsave(&win->lock, flags);
	/* Who waits looks now and then whether there is a device side */
	if (!win->held || write || offset != VIRTIO_MSG_MMIO_MAGIC)
		window_count(win, &access);
	if ((size != 4 && size != 8) || offset % size ||
	    offset + size > win->size)
		window_violation(win, "an access outside of the window or unaligned");
	else if (!win->dead && write)
		window_store(win, offset, size, value);
	else if (!win->dead)
		ret = window_load(win, offset, size);
	spin_unlock_irqrestore(&win->lock, flags);
	return ret;
}

static unsigned long window_read(void *priv, unsigned int offset, int size)
{
	return window_access(priv, offset, size, false, 0);
}

static void window_write(void *priv, unsigned int offset, int size,
			 unsigned long value)
{
	window_access(priv, offset, size, true, value);
}

static const struct logic_iomem_ops window_ops = {
	.read = window_read,
	.write = window_write,
};

static long window_map(unsigned long offset, size_t size,
		       const struct logic_iomem_ops **ops, void **priv)
{
	struct window *win = the_windows[offset / WINDOW_ROOM];

	if (!win)
		return -ENXIO;
	*ops = &window_ops;
	*priv = win;
	return 0;
}

static const struct logic_iomem_region_ops window_region_ops = {
	.map = window_map,
};

static struct resource window_region = {
	.name = "virtio-msg-mmio-test",
	.start = WINDOW_START,
	.end = WINDOW_START + WINDOWS * WINDOW_ROOM - 1,
	.flags = IORESOURCE_MEM,
};

/* A window, a platform device for it, a virtio driver */

struct mmio_fixture {
	struct window *win;
	struct vmt_driver *drv;
	struct vmt_driver *other;
	struct irq_domain *domain;
	struct platform_device *pdev;
	unsigned long irq_type;
	int irq;
};

static void window_init(struct window *win)
{
	spin_lock_init(&win->lock);
	vmt_device_init(&win->dev);
	win->size = VIRTIO_MSG_MMIO_SIZE;
	win->magic = VIRTIO_MSG_MMIO_MAGIC_VALUE;
	win->version = VIRTIO_MSG_MMIO_VERSION;
	win->revision = VIRTIO_MSG_REVISION_1;
	win->msg_size = 256;
}

static int mmio_suite_init(struct kunit_suite *suite)
{
	return logic_iomem_add_region(&window_region, &window_region_ops);
}

static int mmio_init(struct kunit *test)
{
	struct mmio_fixture *fix = kunit_kzalloc(test, sizeof(*fix), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, fix);
	fix->win = kunit_kzalloc(test, sizeof(*fix->win), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fix->win);
	window_init(fix->win);
	fix->drv = vmt_driver_alloc(test, VMT_DEVICE_ID, 1);
	fix->other = vmt_driver_alloc(test, OTHER_DEVICE_ID, 1);
	fix->other->drv.driver.name = "virtio-msg-test-other";
	fix->domain = irq_domain_create_sim(NULL, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->domain);
	test->priv = fix;
	fix->irq = irq_create_mapping(fix->domain, 0);
	KUNIT_ASSERT_GT(test, fix->irq, 0);
	/* Descriptors keep what an earlier test said */
	irqd_set_trigger_type(irq_get_irq_data(fix->irq), IRQ_TYPE_NONE);
	fix->irq_type = IORESOURCE_IRQ_HIGHEDGE;
	the_windows[0] = fix->win;
	return 0;
}

static void mmio_unplug(struct mmio_fixture *fix)
{
	platform_device_unregister(fix->pdev);
	fix->pdev = NULL;
}

static void mmio_exit(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	if (!fix)
		return;
	fix->win->tamper = NULL;
	window_release(fix->win);
	mmio_unplug(fix);
	vmt_driver_unregister(fix->drv);
	the_windows[0] = NULL;
	irq_dispose_mapping(fix->irq);
	irq_domain_remove_sim(fix->domain);
	/* Nothing of the driver's is left with the device side */
	KUNIT_EXPECT_TRUE(test, !fix->win->page || fix->win->was_dead);
	KUNIT_EXPECT_EQ_MSG(test, fix->win->violations, 0, "%s",
			    fix->win->violation);
	KUNIT_EXPECT_EQ_MSG(test, fix->win->dev.violations, 0, "%s",
			    fix->win->dev.violation);
	vmt_driver_unregister(fix->other);
}

static void mmio_plug(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct resource resources[] = {
		DEFINE_RES_MEM(WINDOW_START, fix->win->size),
		DEFINE_RES_IRQ(fix->irq),
	};

	resources[1].flags |= fix->irq_type;
	fix->win->traps = 0;
	fix->win->reads = 0;
	fix->pdev = platform_device_register_simple("virtio-msg-mmio",
						    PLATFORM_DEVID_AUTO,
						    resources,
						    ARRAY_SIZE(resources));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->pdev);
}

static bool mmio_bound(const struct mmio_fixture *fix)
{
	return device_is_bound(&fix->pdev->dev);
}

static void mmio_forget(struct window *win)
{
	win->traps = 0;
	win->reads = 0;
}

/* Plug it in, see that both drivers bind; traps are counted from here on */
static void mmio_start(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	mmio_plug(test);
	KUNIT_ASSERT_TRUE(test, mmio_bound(fix));
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	mmio_forget(fix->win);
}

static void mmio_start_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	mmio_start(test);
	KUNIT_ASSERT_NOT_NULL(test, fix->win->page);
}

/* As the hypervisor would, but at once */
static void mmio_interrupt(struct mmio_fixture *fix)
{
	generic_handle_irq_safe(fix->irq);
}

/* A buffer there and back: one trap for the kick, the rest for the interrupt */
static void mmio_expect_works(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	for (i = 0; i < fix->drv->num_vqs; i++) {
		struct vmt_queue *queue = &fix->drv->queues[i];
		unsigned int traps = fix->win->traps;
		unsigned long done = queue->done;

		KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, i), 0);
		KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, i));
		KUNIT_EXPECT_EQ(test, fix->win->traps, traps + 1);
		KUNIT_EXPECT_EQ(test, vmt_device_work(&fix->win->dev, i), 1);
		mmio_interrupt(fix);
		KUNIT_EXPECT_EQ(test, queue->done, done + 1);
		KUNIT_EXPECT_EQ(test, fix->win->traps,
				traps + (fix->win->page ? 1 : 2));
	}
}

static struct virtio_msg_device *mmio_vmdev(struct mmio_fixture *fix)
{
	return to_virtio_msg_device(fix->drv->vdev);
}

/* The window's bus, as the core sees it */
static struct virtio_msg_bus *mmio_bus(struct mmio_fixture *fix)
{
	return platform_get_drvdata(fix->pdev);
}

static void mmio_settle(struct mmio_fixture *fix)
{
	flush_work(&mmio_bus(fix)->scan_work);
	if (fix->drv->vdev)
		flush_work(&mmio_vmdev(fix)->config_work);
}

/* Coming up */

/* 3 to find it, 10 messages: of a device like virtio-rng, and no more */
static void probe_page(struct kunit *test)
{
	static const struct access first[] = {
		{ VIRTIO_MSG_MMIO_MAGIC, 4, false },
		{ VIRTIO_MSG_MMIO_IDENTITY, 8, false },
		{ VIRTIO_MSG_MMIO_PAGE, 8, true },
		{ VIRTIO_MSG_MMIO_DOORBELL, 4, true },
	};
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	fix->win->features = VIRTIO_MSG_MMIO_F_PAGE;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	mmio_plug(test);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 13);
	for (i = 0; i < ARRAY_SIZE(first); i++) {
		KUNIT_EXPECT_EQ(test, fix->win->log[i].offset, first[i].offset);
		KUNIT_EXPECT_EQ(test, fix->win->log[i].size, first[i].size);
		KUNIT_EXPECT_EQ(test, fix->win->log[i].write, first[i].write);
	}
	KUNIT_EXPECT_TRUE(test, fix->win->log[2].value & VIRTIO_MSG_MMIO_PAGE_ON);
	for (; i < fix->win->traps; i++)
		KUNIT_EXPECT_EQ(test, fix->win->log[i].offset,
				VIRTIO_MSG_MMIO_DOORBELL);
	mmio_expect_works(test);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 14);

	/* reset, ACKNOWLEDGE; the page, and whether anybody did that */
	mmio_forget(fix->win);
	mmio_unplug(fix);
	KUNIT_EXPECT_NULL(test, fix->win->page);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 4);
	KUNIT_EXPECT_EQ(test, fix->win->pages, 1);
}

static void probe_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	mmio_plug(test);
	KUNIT_ASSERT_NOT_NULL(test, fix->drv->vdev);
	/*
	 * magic, identity, page; a header to be read for each message and, 8
	 * bytes at a time: information 1+6, features 2+2 and 3+0, five statuses
	 * 2+1, a virtqueue 2+5 and 6+0
	 */
	KUNIT_EXPECT_EQ(test, fix->win->traps,
			3 + 10 + 7 + 4 + 3 + 5 * 3 + 7 + 6);
	/* An earlier kernel may have left a page on */
	KUNIT_EXPECT_EQ(test, fix->win->log[2].offset, VIRTIO_MSG_MMIO_PAGE);
	KUNIT_EXPECT_TRUE(test, fix->win->log[2].write);
	KUNIT_EXPECT_EQ(test, fix->win->log[2].value, 0);
	mmio_expect_works(test);
}

/* 64-bit accesses, ascending, the last one completes the request */
static void window_accesses(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	struct access *log = fix->win->log;
	u8 buf[64], size;
	unsigned int i, pos;

	mmio_start(test);
	vdev = fix->drv->vdev;
	for (size = 1; size <= sizeof(buf); size++) {
		mmio_forget(fix->win);
		memset(buf, size, size);
		vdev->config->set(vdev, 0, buf, size);
		KUNIT_EXPECT_MEMEQ(test, fix->win->dev.config, buf, size);
		for (i = 0, pos = 0; i < fix->win->traps && log[i].write; i++) {
			KUNIT_EXPECT_EQ(test, log[i].offset,
					VIRTIO_MSG_MMIO_WINDOW + pos);
			pos += log[i].size;
		}
		KUNIT_EXPECT_EQ(test, pos, round_up(20 + size, 4));
		KUNIT_EXPECT_EQ(test, i, DIV_ROUND_UP(20 + size, 8));

		memset(buf, 0, size);
		vdev->config->get(vdev, 0, buf, size);
		KUNIT_EXPECT_MEMEQ(test, fix->win->dev.config, buf, size);
	}
}

/* What is there is none of ours, or no good */

struct bad_window {
	const char *name;
	u32 magic;
	u16 version;
	u16 revision;
	u16 msg_size;
	/* how many accesses it takes to see that */
	u8 traps;
};

static const struct bad_window bad_windows[] = {
	{ "nobody", ALL_ONES, 0xffff, 0xffff, 0xffff, 1 },
	{ "zeros", ALL_ZEROS, 0, 0, 0, 1 },
	{ "virtio-mmio", VIRTIO_MAGIC, 1, 1, 256, 1 },
	{ "version 0", VIRTIO_MSG_MMIO_MAGIC_VALUE, 0, 1, 256, 2 },
	{ "version 2", VIRTIO_MSG_MMIO_MAGIC_VALUE, 2, 1, 256, 2 },
	{ "revision 0", VIRTIO_MSG_MMIO_MAGIC_VALUE, 1, 0, 256, 3 },
	{ "revision 2", VIRTIO_MSG_MMIO_MAGIC_VALUE, 1, 2, 256, 3 },
	{ "no messages", VIRTIO_MSG_MMIO_MAGIC_VALUE, 1, 1, 0, 3 },
	{ "small messages", VIRTIO_MSG_MMIO_MAGIC_VALUE, 1, 1, 51, 3 },
};

KUNIT_ARRAY_PARAM_DESC(bad_window, bad_windows, name);

static void probe_bad_window(struct kunit *test)
{
	const struct bad_window *bad = test->param_value;
	struct mmio_fixture *fix = test->priv;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	fix->win->magic = bad->magic;
	fix->win->version = bad->version;
	fix->win->revision = bad->revision;
	fix->win->msg_size = bad->msg_size;
	mmio_plug(test);
	KUNIT_EXPECT_FALSE(test, mmio_bound(fix));
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_EQ(test, fix->win->traps, bad->traps);
	KUNIT_EXPECT_LE(test, fix->win->traps - fix->win->reads, 1);

	/* Nothing is left of that */
	fix->win->magic = VIRTIO_MSG_MMIO_MAGIC_VALUE;
	fix->win->version = 1;
	fix->win->revision = 1;
	fix->win->msg_size = 52;
	KUNIT_EXPECT_EQ(test, device_attach(&fix->pdev->dev), 1);
	mmio_expect_works(test);
}

static void probe_small_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->size = VIRTIO_MSG_MMIO_SIZE - 0x10;
	mmio_plug(test);
	KUNIT_EXPECT_FALSE(test, mmio_bound(fix));
	KUNIT_EXPECT_EQ(test, fix->win->traps, 0);
}

static void probe_without_irq(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct resource resource = DEFINE_RES_MEM(WINDOW_START,
						  VIRTIO_MSG_MMIO_SIZE);

	fix->pdev = platform_device_register_simple("virtio-msg-mmio",
						    PLATFORM_DEVID_AUTO,
						    &resource, 1);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fix->pdev);
	KUNIT_EXPECT_FALSE(test, mmio_bound(fix));
	KUNIT_EXPECT_EQ(test, fix->win->traps, fix->win->reads);
}

/* It claims more than there is room for: never an access behind the window */
static void messages_too_large(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 *buf = kunit_kzalloc(test, 500, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buf);
	fix->win->msg_size = U16_MAX;
	fix->win->dev.info.config_size = 500;
	mmio_start(test);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, buf, 500);
	KUNIT_EXPECT_MEMEQ(test, buf, fix->win->dev.config, 500);
	memset(buf, 0x11, 500);
	vdev->config->set(vdev, 0, buf, 500);
	KUNIT_EXPECT_MEMEQ(test, buf, fix->win->dev.config, 500);
}

static void strict_generation(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 value;

	fix->win->features |= VIRTIO_MSG_MMIO_F_TRANSPORT;
	fix->win->transport_features = BIT(VIRTIO_MSG_F_STRICT_CONFIG_GENERATION);
	fix->win->dev.strict = true;
	mmio_start(test);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, &value, 1);
	value++;
	vdev->config->set(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, fix->win->dev.config[0], value);
}

/* Responses that are none */

static int tamper_token(struct window *win, struct vmt_message *resp, int err)
{
	le16_add_cpu(&resp->hdr.token, -1);
	return err;
}

static int tamper_no_token(struct window *win, struct vmt_message *resp, int err)
{
	resp->hdr.token = 0;
	return err;
}

static int tamper_nothing(struct window *win, struct vmt_message *resp, int err)
{
	return -EIO;
}

static int tamper_zeros(struct window *win, struct vmt_message *resp, int err)
{
	memset(resp, 0, sizeof(*resp));
	return 0;
}

static int tamper_ones(struct window *win, struct vmt_message *resp, int err)
{
	memset(resp, 0xff, sizeof(*resp));
	return 0;
}

static int tamper_small(struct window *win, struct vmt_message *resp, int err)
{
	resp->hdr.msg_size = cpu_to_le16(7);
	return err;
}

static int tamper_no_size(struct window *win, struct vmt_message *resp, int err)
{
	resp->hdr.msg_size = 0;
	return err;
}

static int tamper_large(struct window *win, struct vmt_message *resp, int err)
{
	resp->hdr.msg_size = cpu_to_le16(257);
	return err;
}

static int tamper_huge(struct window *win, struct vmt_message *resp, int err)
{
	resp->hdr.msg_size = cpu_to_le16(U16_MAX);
	return err;
}

static int tamper_short(struct window *win, struct vmt_message *resp, int err)
{
	le16_add_cpu(&resp->hdr.msg_size, -1);
	return err;
}

struct tamper {
	const char *name;
	int (*tamper)(struct window *win, struct vmt_message *resp, int err);
};

static const struct tamper tampers[] = {
	{ "another token", tamper_token },
	{ "token 0", tamper_no_token },
	{ "none", tamper_nothing },
	{ "zeros", tamper_zeros },
	{ "all ones", tamper_ones },
	{ "smaller than a header", tamper_small },
	{ "size 0", tamper_no_size },
	{ "larger than the window", tamper_large },
	{ "size 65535", tamper_huge },
	{ "truncated", tamper_short },
};

KUNIT_ARRAY_PARAM_DESC(tamper, tampers, name);

static void bad_response(struct kunit *test)
{
	const struct tamper *bad = test->param_value;
	struct mmio_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;
	u8 value = 0xff;

	vmdev = mmio_vmdev(fix);
	fix->win->tamper = bad->tamper;
	vmdev->vdev.config->get(&vmdev->vdev, 0, &value, 1);
	fix->win->tamper = NULL;
	KUNIT_EXPECT_EQ(test, value, 0);
	KUNIT_EXPECT_TRUE(test, vmdev->dead);
	flush_work(&vmdev->break_work);
	KUNIT_EXPECT_NE(test, vmt_send(fix->drv, 0), 0);
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	mmio_expect_works(test);
}

static void bad_response_in_window(struct kunit *test)
{
	mmio_start(test);
	bad_response(test);
}

static void bad_response_in_page(struct kunit *test)
{
	mmio_start_page(test);
	bad_response(test);
}

/* What an earlier request was answered is not the answer to the next */
static void stale_response(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 value;

	mmio_start_page(test);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, value, fix->win->dev.config[0]);
	/* Nobody answers any more, but it is still there */
	fix->win->tamper = tamper_nothing;
	vdev->config->get(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, value, 0);
	KUNIT_EXPECT_TRUE(test, mmio_vmdev(fix)->dead);
}

static int tamper_check_token(struct window *win, struct vmt_message *resp,
			      int err)
{
	u16 token = le16_to_cpu(resp->hdr.token);
	static u16 last;

	if (!token || token == last)
		window_violation(win, "a token that is 0 or was the last one's");
	last = token;
	return err;
}

static void tokens(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	unsigned int i;
	u8 value;

	mmio_start_page(test);
	vdev = fix->drv->vdev;
	fix->win->tamper = tamper_check_token;
	/* More than there are tokens */
	for (i = 0; i < 66000; i++)
		vdev->config->get(vdev, i % 64, &value, 1);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 66000);
	mmio_expect_works(test);
}

/* No device side from some access on */

static void expect_survives(struct kunit *test, unsigned int dies_at, bool page)
{
	struct mmio_fixture *fix = test->priv;
	struct window *win = fix->win;

	window_init(win);
	if (page)
		win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	win->dead = false;
	win->page = NULL;
	win->dies_at = dies_at;
	mmio_plug(test);
	mmio_interrupt(fix);
	if (fix->drv->vdev && !vmt_send(fix->drv, 0))
		vmt_kick(fix->drv, 0);
	mmio_unplug(fix);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	KUNIT_EXPECT_GE(test, win->traps, dies_at);
	/* Nor much is tried */
	KUNIT_EXPECT_LE(test, win->traps, 80);
}

static void dies_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int dies_at;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	for (dies_at = 1; dies_at < 60; dies_at++)
		expect_survives(test, dies_at, false);
}

static void dies_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int dies_at;

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	for (dies_at = 1; dies_at < 18; dies_at++)
		expect_survives(test, dies_at, true);
}

/* Whoever does not let go of the page goes on to write into it */
static void dies_with_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_msg_mmio_page *page;

	mmio_start_page(test);
	page = fix->win->page;
	fix->win->dies_at = 1;
	mmio_unplug(fix);
	KUNIT_EXPECT_GT(test, page_count(virt_to_page(page)), 0);
	memset(page, 0xff, sizeof(*page));
}

/* The message page */

static void page_of_dma(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE_DMA;
	mmio_start_page(test);
	mmio_expect_works(test);
}

static void page_level_irq(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	fix->irq_type = IORESOURCE_IRQ_HIGHLEVEL;
	/* The simulator has edges only */
	irq_set_chip(fix->irq, &dummy_irq_chip);
	mmio_start(test);
	KUNIT_EXPECT_NULL(test, fix->win->page);
	KUNIT_EXPECT_EQ(test, fix->win->pages, 0);
	mmio_expect_works(test);
}

static void page_unknown_irq(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	fix->irq_type = 0;
	mmio_start(test);
	KUNIT_EXPECT_EQ(test, fix->win->pages, 0);
	mmio_expect_works(test);
}

/* Module parameters, as the command line sets them */
static int set_param(const char *name, const char *value)
{
	const struct kernel_param *kp;

	for (kp = __start___param; kp < __stop___param; kp++)
		if (!strcmp(kp->name, name))
			return kp->ops->set(value, kp);
	return -ENOENT;
}

static void page_switched_off(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	KUNIT_ASSERT_EQ(test, set_param("virtio_msg_mmio.page", "0"), 0);
	mmio_start(test);
	KUNIT_EXPECT_EQ(test, set_param("virtio_msg_mmio.page", "1"), 0);
	KUNIT_EXPECT_EQ(test, fix->win->pages, 0);
	mmio_expect_works(test);
}

/* Another kernel's, whose memory it is no longer */
static void page_left_on(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_msg_mmio_page *page = kunit_kzalloc(test, sizeof(*page),
							  GFP_KERNEL);
	struct virtio_msg_mmio_page *before;

	KUNIT_ASSERT_NOT_NULL(test, page);
	fix->win->page = page;
	before = kunit_kzalloc(test, sizeof(*page), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, before);
	mmio_start(test);
	KUNIT_EXPECT_NULL(test, fix->win->page);
	KUNIT_EXPECT_MEMEQ(test, page, before, sizeof(*page));
}

static void page_shutdown(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	mmio_start_page(test);
	to_platform_driver(fix->pdev->dev.driver)->shutdown(fix->pdev);
	KUNIT_EXPECT_NULL(test, fix->win->page);
	KUNIT_EXPECT_EQ(test, fix->win->dev.status, 0);
	/* reset; the page, and whether anybody did that */
	KUNIT_EXPECT_EQ(test, fix->win->traps, 3);
	/* Nobody listens */
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 3);
}

static void rebind(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	mmio_start_page(test);
	for (i = 0; i < 5; i++) {
		device_release_driver(&fix->pdev->dev);
		KUNIT_EXPECT_NULL(test, fix->win->page);
		KUNIT_EXPECT_NULL(test, fix->drv->vdev);
		KUNIT_EXPECT_EQ(test, device_attach(&fix->pdev->dev), 1);
		KUNIT_EXPECT_NOT_NULL(test, fix->win->page);
		mmio_expect_works(test);
		KUNIT_EXPECT_EQ(test, vmt_rebind(fix->drv->vdev), 1);
		mmio_expect_works(test);
	}
	KUNIT_EXPECT_EQ(test, fix->win->pages, 6);
}

static void cached_config(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	unsigned int round, i;
	u8 value;

	fix->win->features |= VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	mmio_start_page(test);
	vdev = fix->drv->vdev;
	for (round = 1; round <= 5; round++) {
		for (i = 0; i < 10; i++) {
			vdev->config->get(vdev, i, &value, 1);
			KUNIT_EXPECT_EQ(test, value, fix->win->dev.config[i]);
		}
		KUNIT_EXPECT_EQ(test, fix->win->traps, round);
		fix->win->dev.generation++;
		fix->win->dev.config[round] += 3;
		window_update(fix->win);
	}
}

/* The bit is worth something only with a page */
static void uncached_config(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u8 value;

	fix->win->features |= VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	mmio_start(test);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, &value, 1);
	fix->win->dev.config[0]++;
	vdev->config->get(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, value, fix->win->dev.config[0]);
}

/* Interrupts */

/* What happened to the device; the interrupt is another thing */
static void happens(struct window *win, u32 event)
{
	win->event |= event;
	window_update(win);
}

static void interrupt_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	u32 generation;
	u8 value;

	mmio_start_page(test);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, &value, 1);
	generation = vdev->config->generation(vdev);
	mmio_forget(fix->win);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 0);
	fix->win->dev.generation++;
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_CONFIG);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 1);
	KUNIT_EXPECT_NE(test, vdev->config->generation(vdev), generation);
	/* It is no news any more */
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 1);
	fix->win->dev.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_CONFIG);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 2);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	/* All of that without a trap */
	KUNIT_EXPECT_EQ(test, fix->win->traps, 0);
}

static void interrupt_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;

	mmio_start(test);
	vdev = fix->drv->vdev;
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1);
	KUNIT_EXPECT_EQ(test, fix->win->log[0].offset, VIRTIO_MSG_MMIO_EVENT);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 0);
	/* Event, and GET_DEVICE_STATUS: 1 to write, 2 to read */
	mmio_forget(fix->win);
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_CONFIG);
	mmio_interrupt(fix);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1 + 1 + 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 1);
	fix->win->dev.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_CONFIG);
	mmio_interrupt(fix);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	/* Bits nobody knows */
	mmio_forget(fix->win);
	happens(fix->win, ~(VIRTIO_MSG_MMIO_EVENT_CONFIG |
			    VIRTIO_MSG_MMIO_EVENT_DEVICE));
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 2);
	/* All ones are no events, but nobody */
	fix->win->dead = true;
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 2);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 2);
	fix->win->dead = false;
}

/* By the interrupt simulator, in the context of a real one */
static void interrupt_hardirq(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int tries;

	mmio_start_page(test);
	KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, 0), 0);
	KUNIT_EXPECT_TRUE(test, vmt_kick(fix->drv, 0));
	KUNIT_EXPECT_EQ(test, vmt_device_work(&fix->win->dev, 0), 1);
	KUNIT_EXPECT_EQ(test, irq_set_irqchip_state(fix->irq,
						    IRQCHIP_STATE_PENDING, true), 0);
	for (tries = 0; tries < 1000; tries++) {
		if (READ_ONCE(fix->drv->queues[0].done))
			break;
		usleep_range(1000, 2000);
	}
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1);
}

/* More than it takes for the kernel to switch an interrupt off for good */
#define STORM	120000

static void storm(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	for (i = 0; i < STORM; i++)
		mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 0);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].calls, 0);
	mmio_expect_works(test);
}

static void storm_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	mmio_start_page(test);
	storm(test);
	KUNIT_EXPECT_EQ(test, fix->win->reads, 0);
}

static void storm_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	mmio_start(test);
	storm(test);
	KUNIT_EXPECT_EQ(test, fix->win->reads, STORM + 1);
}

static int storm_thread(void *data)
{
	struct mmio_fixture *fix = data;
	unsigned long flags;
	unsigned int i;

	while (!kthread_should_stop()) {
		/* A reset is answered when nothing touches the memory any more */
		spin_lock_irqsave(&fix->win->lock, flags);
		for (i = 0; i < VMT_MAX_VQS; i++)
			vmt_device_work(&fix->win->dev, i);
		window_update(fix->win);
		spin_unlock_irqrestore(&fix->win->lock, flags);
		mmio_interrupt(fix);
		usleep_range(20, 50);
	}
	return 0;
}

/* Interrupts, buffers and messages of several contexts, and drivers rebound */
static void at_work(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct task_struct *threads[2];
	struct virtio_device *vdev;
	unsigned int i, j;
	u8 buf[16];

	vdev = fix->drv->vdev;
	for (i = 0; i < ARRAY_SIZE(threads); i++) {
		threads[i] = kthread_run(storm_thread, fix, "virtio-msg-test");
		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, threads[i]);
	}
	for (i = 0; i < 20; i++) {
		for (j = 0; j < 4 * 10; j++) {
			KUNIT_EXPECT_EQ(test, vmt_send(fix->drv, j % 4), 0);
			vmt_kick(fix->drv, j % 4);
			vdev->config->get(vdev, j, buf, sizeof(buf));
			KUNIT_EXPECT_MEMEQ(test, buf, fix->win->dev.config + j,
					   sizeof(buf));
		}
		usleep_range(50, 100);
		KUNIT_EXPECT_EQ(test, vmt_rebind(vdev), 1);
	}
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		kthread_stop(threads[i]);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, fix->drv->queues[i].errors, 0);
	mmio_expect_works(test);
}

static void at_work_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->drv->num_vqs = 4;
	mmio_start_page(test);
	at_work(test);
}

static void at_work_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->drv->num_vqs = 4;
	mmio_start(test);
	at_work(test);
}

static void notification_data(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	vmt_set_feature(&fix->win->dev, VIRTIO_F_NOTIFICATION_DATA);
	mmio_start_page(test);
	KUNIT_EXPECT_TRUE(test, vmt_accepted(&fix->win->dev,
					     VIRTIO_F_NOTIFICATION_DATA));
	for (i = 1; i < 5; i++) {
		mmio_expect_works(test);
		KUNIT_EXPECT_EQ(test, fix->win->dev.notify_data[0], i << 16);
	}
}

/* Responses that come late */

/* Longer than any of these tests takes if all is well */
#define LATE_MS		10000
/* Nothing happens in this time that should not */
#define WHILE_MS	30

static void late_start(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_LATE |
			      VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	fix->win->dev.shm_addr = SHM_ADDR;
	fix->win->dev.shm_len = PAGE_SIZE;
	mmio_start_page(test);
	KUNIT_ASSERT_TRUE(test, fix->win->late);
}

/* How long the driver waits, for one test */
static void late_limit(struct kunit *test, const char *ms)
{
	KUNIT_EXPECT_EQ(test, set_param("virtio_msg_mmio.timeout", ms), 0);
}

static void late_no_limit(struct kunit *test)
{
	late_limit(test, "35000");
}

/* Somebody who asks, with a message that is never sent from atomic context */
struct asker {
	struct virtio_device *vdev;
	bool found;
	struct virtio_shm_region region;
	struct completion done;
};

static int asker_thread(void *data)
{
	struct asker *asker = data;

	asker->found = virtio_get_shm_region(asker->vdev, &asker->region, 0);
	put_device(&asker->vdev->dev);
	complete(&asker->done);
	return 0;
}

/* Returns when the request has been sent; its response does not come */
static void asker_start_on(struct kunit *test, struct asker *asker,
			   struct virtio_device *vdev, int cpu)
{
	struct mmio_fixture *fix = test->priv;
	struct task_struct *task;
	unsigned int i;

	asker->vdev = vdev;
	asker->found = false;
	get_device(&vdev->dev);
	init_completion(&asker->done);
	task = kthread_create(asker_thread, asker, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	if (cpu >= 0)
		kthread_bind(task, cpu);
	wake_up_process(task);
	for (i = 0; i < LATE_MS; i++) {
		if (window_holds(fix->win) || READ_ONCE(fix->win->stalled))
			break;
		usleep_range(1000, 2000);
	}
	KUNIT_ASSERT_LT(test, i, LATE_MS);
}

static void asker_start(struct kunit *test, struct asker *asker)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->slow = true;
	asker_start_on(test, asker, fix->drv->vdev, -1);
}

static bool asker_wait(struct asker *asker)
{
	return wait_for_completion_timeout(&asker->done,
					   msecs_to_jiffies(LATE_MS));
}

static bool waits(struct completion *done)
{
	msleep(WHILE_MS);
	return !completion_done(done);
}

/* What does not wait for a message */
static void expect_undisturbed(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev = fix->drv->vdev;
	unsigned int traps = fix->win->traps;
	int changes = atomic_read(&fix->drv->config_changes);
	u8 value;

	/* Interrupts and kicks */
	mmio_expect_works(test);
	fix->win->dev.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	window_update(fix->win);
	/* Peek: before the interrupt */
	KUNIT_EXPECT_EQ(test, vdev->config->get_status(vdev), 0x4f);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes),
			changes + 1);
	/* Config that is cached */
	vdev->config->get(vdev, 3, &value, 1);
	KUNIT_EXPECT_EQ(test, value, fix->win->dev.config[3]);
	KUNIT_EXPECT_EQ(test, fix->win->traps, traps + 1);
}

/* A window with a device that has no driver, next to the fixture's */
static struct virtio_msg_bus *plug_other(struct kunit *test, struct window *win,
					 struct platform_device **pdev)
{
	struct resource resources[] = {
		DEFINE_RES_MEM(WINDOW_START + WINDOW_ROOM, VIRTIO_MSG_MMIO_SIZE),
		DEFINE_RES_IRQ(((struct mmio_fixture *)test->priv)->irq),
	};

	window_init(win);
	win->features = VIRTIO_MSG_MMIO_F_PAGE | VIRTIO_MSG_MMIO_F_LATE;
	win->dev.info.device_id = VMT_DEVICE_ID + 1;
	win->dev.shm_addr = SHM_ADDR;
	win->dev.shm_len = PAGE_SIZE;
	the_windows[1] = win;
	resources[1].flags |= IORESOURCE_IRQ_HIGHEDGE;
	*pdev = platform_device_register_simple("virtio-msg-mmio",
						PLATFORM_DEVID_AUTO, resources,
						ARRAY_SIZE(resources));
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, *pdev);
	KUNIT_ASSERT_TRUE(test, device_is_bound(&(*pdev)->dev));
	return platform_get_drvdata(*pdev);
}

static void unplug_other(struct kunit *test, struct window *win,
			 struct platform_device *pdev)
{
	platform_device_unregister(pdev);
	the_windows[1] = NULL;
	KUNIT_EXPECT_EQ_MSG(test, win->violations, 0, "%s", win->violation);
	KUNIT_EXPECT_EQ_MSG(test, win->dev.violations, 0, "%s",
			    win->dev.violation);
}

/* Another window's messages */
static void expect_other_works(struct kunit *test, struct virtio_msg_bus *bus)
{
	struct virtio_msg_device *vmdev = xa_load(&bus->devices, 0);
	struct virtio_shm_region region;
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, vmdev);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_TRUE(test, virtio_get_shm_region(&vmdev->vdev,
							      &region, 0));
}

static void late_response(struct kunit *test)
{
	struct window *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	struct mmio_fixture *fix = test->priv;
	struct platform_device *pdev;
	struct virtio_msg_bus *bus;
	struct asker asker;
	u8 value;

	KUNIT_ASSERT_NOT_NULL(test, other);
	late_start(test);
	bus = plug_other(test, other, &pdev);
	fix->drv->vdev->config->get(fix->drv->vdev, 0, &value, 1);
	asker_start(test, &asker);
	expect_undisturbed(test);
	expect_other_works(test, bus);
	KUNIT_EXPECT_TRUE(test, waits(&asker.done));
	window_release(fix->win);
	/* As the device side does; nobody needs it */
	mmio_interrupt(fix);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_TRUE(test, asker.found);
	KUNIT_EXPECT_EQ(test, asker.region.len, PAGE_SIZE);
	unplug_other(test, other, pdev);
}

/* Where responses are not late, the CPU that asks is in the trap; not the others */
static void stalled_response(struct kunit *test)
{
	struct window *other = kunit_kzalloc(test, sizeof(*other), GFP_KERNEL);
	struct mmio_fixture *fix = test->priv;
	struct platform_device *pdev;
	struct virtio_msg_bus *bus;
	struct asker asker;
	u8 value;

	if (num_online_cpus() < 2)
		kunit_skip(test, "takes two CPUs");
	KUNIT_ASSERT_NOT_NULL(test, other);
	set_cpus_allowed_ptr(current, cpumask_of(0));
	late_start(test);
	bus = plug_other(test, other, &pdev);
	fix->drv->vdev->config->get(fix->drv->vdev, 0, &value, 1);
	WRITE_ONCE(fix->win->stall, LATE_MS);
	asker_start_on(test, &asker, fix->drv->vdev, 1);
	expect_undisturbed(test);
	expect_other_works(test, bus);
	KUNIT_EXPECT_TRUE(test, READ_ONCE(fix->win->stalled));
	WRITE_ONCE(fix->win->stall, 0);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_TRUE(test, asker.found);
	unplug_other(test, other, pdev);
	set_cpus_allowed_ptr(current, cpu_possible_mask);
}

/* The device side does not offer it: as ever */
static void late_not_offered(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	mmio_start_page(test);
	KUNIT_EXPECT_FALSE(test, fix->win->late);
	mmio_expect_works(test);
}

/* Not answered at all is told from not answered yet */
static void late_refused(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_shm_region region;

	late_start(test);
	fix->win->tamper = tamper_nothing;
	KUNIT_EXPECT_FALSE(test, virtio_get_shm_region(fix->drv->vdev, &region, 0));
	fix->win->tamper = NULL;
	KUNIT_EXPECT_TRUE(test, mmio_vmdev(fix)->dead);
	/* Nor is it waited for */
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1);
	KUNIT_EXPECT_EQ(test, vmt_rebind(fix->drv->vdev), 1);
	mmio_expect_works(test);
}

static void bad_response_late(struct kunit *test)
{
	late_start(test);
	late_limit(test, "50");
	bad_response(test);
	late_no_limit(test);
}

/* A response that comes when nobody waits for it any more is nobody's */
static void after_the_bound(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_msg_device *vmdev;
	struct asker asker;

	late_start(test);
	vmdev = mmio_vmdev(fix);
	late_limit(test, "50");
	asker_start(test, &asker);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_FALSE(test, asker.found);
	KUNIT_EXPECT_TRUE(test, vmdev->dead);
	/* It is still held, and written while the reset is being sent */
	KUNIT_EXPECT_TRUE(test, window_holds(fix->win));
	late_no_limit(test);
	fix->win->slow = false;
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	KUNIT_EXPECT_FALSE(test, vmdev->dead);
	mmio_expect_works(test);

	/* And now before */
	late_limit(test, "50");
	asker_start(test, &asker);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_FALSE(test, asker.found);
	window_release(fix->win);
	late_no_limit(test);
	KUNIT_EXPECT_EQ(test, vmt_rebind(&vmdev->vdev), 1);
	mmio_expect_works(test);
}

/* Nor is it the next one's, whose own is still to come and which it looks like */
static void response_to_another(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_msg_bus *bus;

	/* PING, whose data tells one response from another */
	fix->win->features |= VIRTIO_MSG_MMIO_F_DEVICES;
	fix->win->slots = 1;
	late_start(test);
	bus = mmio_bus(fix);
	fix->win->slow = true;
	late_limit(test, "50");
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(bus, 1), -ETIMEDOUT);
	late_no_limit(test);
	/* It is written while the second one is sent, which is held back then */
	KUNIT_EXPECT_TRUE(test, window_holds(fix->win));
	fix->win->wake = true;
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(bus, 2), 0);
	KUNIT_EXPECT_FALSE(test, window_holds(fix->win));
	KUNIT_EXPECT_EQ(test, fix->win->traps, 2);
}

/* Two are late at once: the second one is sent when the first is answered */
static void late_turns(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct asker first, second;
	unsigned int traps;

	late_start(test);
	asker_start(test, &first);
	traps = fix->win->traps;
	asker_start(test, &second);
	KUNIT_EXPECT_TRUE(test, waits(&second.done));
	KUNIT_EXPECT_EQ(test, fix->win->traps, traps);
	window_release(fix->win);
	KUNIT_EXPECT_TRUE(test, asker_wait(&first));
	KUNIT_EXPECT_TRUE(test, first.found);
	KUNIT_EXPECT_TRUE(test, asker_wait(&second));
	KUNIT_EXPECT_TRUE(test, second.found);
	KUNIT_EXPECT_EQ(test, fix->win->traps, traps + 1);
}

/* With interrupts off, where nobody else may get to run */
static void late_atomic(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct virtio_device *vdev;
	struct asker asker;
	unsigned long flags;
	u8 value = 0;

	late_start(test);
	vdev = fix->drv->vdev;
	fix->win->slow = true;
	fix->win->wake = true;
	local_irq_save(flags);
	vdev->config->get(vdev, 5, &value, 1);
	KUNIT_EXPECT_TRUE(test, irqs_disabled());
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, value, fix->win->dev.config[5]);
	KUNIT_EXPECT_FALSE(test, mmio_vmdev(fix)->dead);

	/* Behind one that waits for longer than that may be spun for */
	fix->win->wake = false;
	asker_start(test, &asker);
	late_limit(test, "60");
	fix->win->dev.generation++;
	window_update(fix->win);
	local_irq_save(flags);
	vdev->config->get(vdev, 5, &value, 1);
	local_irq_restore(flags);
	KUNIT_EXPECT_EQ(test, value, 0);
	late_no_limit(test);
	window_release(fix->win);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_TRUE(test, asker.found);
	KUNIT_EXPECT_EQ(test, vmt_rebind(vdev), 1);
	mmio_expect_works(test);
}

/* No device side from some access on; who waits is not left to wait */
static void dies_late(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct asker asker;

	late_start(test);
	asker_start(test, &asker);
	fix->win->dead = true;
	fix->win->was_dead = true;
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_FALSE(test, asker.found);
	KUNIT_EXPECT_TRUE(test, mmio_vmdev(fix)->dead);
}

/* All goes away while somebody waits */

struct leaver {
	struct mmio_fixture *fix;
	void (*leave)(struct mmio_fixture *fix);
	struct completion done;
};

static int leaver_thread(void *data)
{
	struct leaver *leaver = data;

	leaver->leave(leaver->fix);
	complete(&leaver->done);
	return 0;
}

static void leaver_start(struct kunit *test, struct leaver *leaver,
			 void (*leave)(struct mmio_fixture *fix))
{
	struct task_struct *task;

	leaver->fix = test->priv;
	leaver->leave = leave;
	init_completion(&leaver->done);
	task = kthread_run(leaver_thread, leaver, "virtio-msg-test");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
}

static bool leaver_wait(struct leaver *leaver)
{
	return wait_for_completion_timeout(&leaver->done,
					   msecs_to_jiffies(LATE_MS));
}

static void leave_unbind(struct mmio_fixture *fix)
{
	device_release_driver(&fix->pdev->dev);
}

static void leave_driver(struct mmio_fixture *fix)
{
	device_release_driver(&fix->drv->vdev->dev);
}

static void leave_shutdown(struct mmio_fixture *fix)
{
	to_platform_driver(fix->pdev->dev.driver)->shutdown(fix->pdev);
}

/* The slot is empty, whoever is asked for */
static void leave_removed(struct mmio_fixture *fix)
{
	struct virtio_msg_bus *bus = mmio_bus(fix);

	WRITE_ONCE(fix->win->dev.info.device_id, 0);
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_DEVICE);
	mmio_interrupt(fix);
	flush_work(&bus->scan_work);
}

#ifdef CONFIG_PM_SLEEP
static void leave_freeze(struct mmio_fixture *fix)
{
	fix->pdev->dev.driver->pm->freeze(&fix->pdev->dev);
}
#endif

struct leave {
	const char *name;
	void (*leave)(struct mmio_fixture *fix);
	bool page;
};

static const struct leave leaves[] = {
	{ "unbind", leave_unbind, false },
	{ "driver unbound", leave_driver, true },
	{ "shutdown", leave_shutdown, false },
	{ "removal", leave_removed, true },
#ifdef CONFIG_PM_SLEEP
	{ "freeze", leave_freeze, false },
#endif
};

KUNIT_ARRAY_PARAM_DESC(leave, leaves, name);

/* They wait for their turn: the page is not taken away under a request */
static void leave_while_late(struct kunit *test)
{
	const struct leave *leave = test->param_value;
	struct mmio_fixture *fix = test->priv;
	struct leaver leaver;
	struct asker asker;

	late_start(test);
	asker_start(test, &asker);
	leaver_start(test, &leaver, leave->leave);
	KUNIT_EXPECT_TRUE(test, waits(&leaver.done));
	KUNIT_EXPECT_NOT_NULL(test, fix->win->page);
	KUNIT_EXPECT_TRUE(test, window_holds(fix->win));
	window_release(fix->win);
	KUNIT_EXPECT_TRUE(test, leaver_wait(&leaver));
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_TRUE(test, asker.found);
	KUNIT_EXPECT_EQ(test, !!fix->win->page, leave->page);
}

/* No response ever comes: they are done when the wait is */
static void leave_while_silent(struct kunit *test)
{
	const struct leave *leave = test->param_value;
	struct mmio_fixture *fix = test->priv;
	struct leaver leaver;
	struct asker asker;

	late_start(test);
	late_limit(test, "100");
	asker_start(test, &asker);
	leaver_start(test, &leaver, leave->leave);
	KUNIT_EXPECT_TRUE(test, asker_wait(&asker));
	KUNIT_EXPECT_FALSE(test, asker.found);
	KUNIT_EXPECT_TRUE(test, leaver_wait(&leaver));
	/* Also what the device side held back is not written any more */
	fix->win->slow = false;
	late_no_limit(test);
}

/* The slot's device comes and goes */

static void slot_event(struct mmio_fixture *fix, u32 device_id)
{
	vmt_device_init(&fix->win->dev);
	fix->win->dev.info.device_id = device_id;
	fix->win->arrivals += !!device_id;
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_DEVICE);
	mmio_interrupt(fix);
	mmio_settle(fix);
}

static void slot(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	unsigned int i;

	fix->win->dev.info.device_id = 0;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	mmio_plug(test);
	KUNIT_ASSERT_TRUE(test, mmio_bound(fix));
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 0);
	for (i = 1; i <= 3; i++) {
		slot_event(fix, VMT_DEVICE_ID);
		KUNIT_EXPECT_EQ(test, fix->drv->probes, i);
		mmio_expect_works(test);
		slot_event(fix, 0);
		KUNIT_EXPECT_EQ(test, fix->drv->removes, i);
		KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	}
	/* Away and back before anybody looked */
	slot_event(fix, VMT_DEVICE_ID);
	slot_event(fix, VMT_DEVICE_ID);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 4);
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 5);
	mmio_expect_works(test);
}

static void slot_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	slot(test);
	KUNIT_EXPECT_NOT_NULL(test, fix->win->page);
}

static void slot_in_window(struct kunit *test)
{
	slot(test);
}

/* What is offered depends on the device: it is asked for again */
static void slot_offers_more(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	mmio_start(test);
	slot_event(fix, 0);
	fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	slot_event(fix, VMT_DEVICE_ID);
	KUNIT_EXPECT_NOT_NULL(test, fix->win->page);
	mmio_expect_works(test);
	slot_event(fix, 0);
	fix->win->features = 0;
	slot_event(fix, VMT_DEVICE_ID);
	KUNIT_EXPECT_NULL(test, fix->win->page);
	mmio_expect_works(test);
	/* Nonsense: there is no device then */
	slot_event(fix, 0);
	fix->win->msg_size = 8;
	slot_event(fix, VMT_DEVICE_ID);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	fix->win->version = 9;
	slot_event(fix, VMT_DEVICE_ID);
	KUNIT_EXPECT_NULL(test, fix->drv->vdev);
	fix->win->version = 1;
	fix->win->msg_size = 256;
	slot_event(fix, VMT_DEVICE_ID);
	mmio_expect_works(test);
}

/* Many slots */

/* A window with room for @num devices, of which the first and @at are there */
static struct vmt_device *slots_start(struct kunit *test, unsigned int num,
				      unsigned int at, bool page)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = kunit_kzalloc(test, sizeof(*dev), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, dev);
	vmt_device_init(dev);
	dev->info.device_id = OTHER_DEVICE_ID;
	fix->win->features |= VIRTIO_MSG_MMIO_F_DEVICES;
	if (page)
		fix->win->features |= VIRTIO_MSG_MMIO_F_PAGE;
	fix->win->slots = num;
	fix->win->more[at] = dev;
	fix->win->more_arrivals[at] = 1;
	if (num > VIRTIO_MSG_MMIO_SMALL_SLOTS)
		fix->win->size = VIRTIO_MSG_MMIO_SIZE_LARGE;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->other), 0);
	mmio_start(test);
	KUNIT_ASSERT_NOT_NULL(test, fix->other->vdev);
	KUNIT_EXPECT_EQ(test, !!fix->win->page, page);
	return dev;
}

/* Its device has used a buffer, and counted that */
static void slots_used(struct mmio_fixture *fix, unsigned int at)
{
	vmt_device_work(window_device(fix->win, at), 0);
	le32_add_cpu(&fix->win->page->used[at], 1);
}

static void slots_send(struct kunit *test, struct vmt_driver *drv)
{
	KUNIT_EXPECT_EQ(test, vmt_send(drv, 0), 0);
	KUNIT_EXPECT_TRUE(test, vmt_kick(drv, 0));
}

struct place {
	unsigned int slots;
	unsigned int at;
};

static const struct place places[] = {
	{ 2, 1 }, { 44, 43 }, { 64, 44 }, { 64, 63 },
};

static void place_desc(const struct place *p, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "slot %u of %u", p->at, p->slots);
}

KUNIT_ARRAY_PARAM(place, places, place_desc);

/* An interrupt looks at the devices that have something, and at no others */
static void slots_in_page(struct kunit *test)
{
	const struct place *p = test->param_value;
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, p->slots, p->at, true);

	slots_send(test, fix->drv);
	slots_send(test, fix->other);
	KUNIT_EXPECT_EQ(test, dev->notified[0], 1);
	KUNIT_EXPECT_EQ(test, fix->win->dev.notified[0], 1);
	/* Both have used theirs, one has said so yet */
	vmt_device_work(&fix->win->dev, 0);
	slots_used(fix, p->at);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->other->queues[0].done, 1);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 0);
	le32_add_cpu(&fix->win->page->used[0], 1);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
	/* The same count is no news */
	slots_send(test, fix->drv);
	vmt_device_work(&fix->win->dev, 0);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 1);
	/* Three kicks are all the traps there were */
	KUNIT_EXPECT_EQ(test, fix->win->traps, 3);
}

/* Interrupts that nobody counts */
static void slots_uncounted(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, 64, 63, true);
	unsigned int i;

	fix->win->page->uncounted = cpu_to_le64(BIT_ULL(63));
	for (i = 1; i <= 3; i++) {
		slots_send(test, fix->other);
		slots_send(test, fix->drv);
		vmt_device_work(dev, 0);
		vmt_device_work(&fix->win->dev, 0);
		mmio_interrupt(fix);
		KUNIT_EXPECT_EQ(test, fix->other->queues[0].done, i);
		KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, 0);
	}
}

static void slots_config_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, 44, 9, true);
	struct virtio_device *vdev = fix->other->vdev;
	u8 value;

	dev->generation++;
	window_update(fix->win);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->other->config_changes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 0);
	/* Whose config may be cached is said of each */
	fix->win->page->cacheable = cpu_to_le64(BIT_ULL(9));
	vdev->config->get(vdev, 0, &value, 1);
	mmio_forget(fix->win);
	vdev->config->get(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 0);
	vdev = fix->drv->vdev;
	vdev->config->get(vdev, 0, &value, 1);
	vdev->config->get(vdev, 0, &value, 1);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 2);
}

static void slots_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, 64, 63, false);

	slots_send(test, fix->other);
	KUNIT_EXPECT_EQ(test, dev->notified[0], 1);
	vmt_device_work(dev, 0);
	mmio_forget(fix->win);
	mmio_interrupt(fix);
	KUNIT_EXPECT_EQ(test, fix->other->queues[0].done, 1);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 1);
	/* One more load says whose config changed; then that one is asked */
	fix->win->event = VIRTIO_MSG_MMIO_EVENT_CONFIG;
	fix->win->config_slots = BIT_ULL(63);
	mmio_forget(fix->win);
	mmio_interrupt(fix);
	flush_work(&to_virtio_msg_device(fix->other->vdev)->config_work);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, fix->win->log[1].offset, VIRTIO_MSG_MMIO_CONFIG_SLOTS);
	KUNIT_EXPECT_EQ(test, fix->win->traps, 2 + 1 + 2);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->other->config_changes), 1);
	KUNIT_EXPECT_EQ(test, atomic_read(&fix->drv->config_changes), 0);
}

/* Messages since the last mmio_forget() in page mode */
static unsigned int slots_messages(const struct window *win)
{
	unsigned int i, num = 0;

	for (i = 0; i < min(win->traps, WINDOW_LOG); i++)
		num += win->log[i].write &&
		       win->log[i].offset == VIRTIO_MSG_MMIO_DOORBELL;
	return num;
}

/* One comes and goes while its neighbour is not even asked */
static void slots_come_and_go(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, 8, 5, true);
	unsigned int i;

	for (i = 1; i <= 3; i++) {
		slots_send(test, fix->drv);
		fix->win->more[5] = NULL;
		happens(fix->win, VIRTIO_MSG_MMIO_EVENT_DEVICE);
		mmio_forget(fix->win);
		mmio_interrupt(fix);
		mmio_settle(fix);
		KUNIT_EXPECT_EQ(test, fix->other->removes, i);
		KUNIT_EXPECT_NULL(test, fix->other->vdev);
		/* GET_DEVICES */
		KUNIT_EXPECT_EQ(test, slots_messages(fix->win), 1);

		vmt_device_init(dev);
		dev->info.device_id = OTHER_DEVICE_ID;
		fix->win->more[5] = dev;
		fix->win->more_arrivals[5]++;
		happens(fix->win, VIRTIO_MSG_MMIO_EVENT_DEVICE);
		mmio_interrupt(fix);
		mmio_settle(fix);
		KUNIT_EXPECT_EQ(test, fix->other->probes, i + 1);
		slots_used(fix, 0);
		mmio_interrupt(fix);
		KUNIT_EXPECT_EQ(test, fix->drv->queues[0].done, i);
	}
	KUNIT_EXPECT_EQ(test, fix->drv->probes, 1);
}

/* Another one of its kind is in its place, with a status like its own */
static void slots_replaced(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	slots_start(test, 8, 5, true);
	fix->win->more_arrivals[5]++;
	happens(fix->win, VIRTIO_MSG_MMIO_EVENT_DEVICE);
	mmio_interrupt(fix);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, fix->other->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->other->probes, 2);
	KUNIT_EXPECT_EQ(test, fix->drv->removes, 0);
}

/* Devices that have no place; none of them is as much as asked */
static void slots_that_are_not_there(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	fix->win->named = BIT_ULL(2) | BIT_ULL(63);
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	fix->win->features = VIRTIO_MSG_MMIO_F_DEVICES | VIRTIO_MSG_MMIO_F_PAGE;
	fix->win->slots = 2;
	mmio_plug(test);
	KUNIT_EXPECT_FALSE(test, mmio_bound(fix));
	mmio_unplug(fix);
	fix->win->named = 0;
	mmio_plug(test);
	KUNIT_EXPECT_TRUE(test, mmio_bound(fix));
	KUNIT_EXPECT_NOT_NULL(test, fix->drv->vdev);
}

struct count {
	unsigned int says;
	unsigned int size;
	unsigned int slots;
};

static const struct count counts[] = {
	{ 1, VIRTIO_MSG_MMIO_SIZE, 1 },
	{ 44, VIRTIO_MSG_MMIO_SIZE, 44 },
	{ 45, VIRTIO_MSG_MMIO_SIZE, 44 },
	{ 64, VIRTIO_MSG_MMIO_SIZE_LARGE - 4, 44 },
	{ 64, VIRTIO_MSG_MMIO_SIZE_LARGE, 64 },
	{ 0x10000, VIRTIO_MSG_MMIO_SIZE_LARGE, 64 },
	{ 0, VIRTIO_MSG_MMIO_SIZE_LARGE, 0 },
	{ U32_MAX, VIRTIO_MSG_MMIO_SIZE_LARGE, 0 },
};

static void count_desc(const struct count *c, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%#x in %#x bytes", c->says,
		 c->size);
}

KUNIT_ARRAY_PARAM(count, counts, count_desc);

/* No more than there is a register to notify of; 0: the window is refused */
static void slots_counted(struct kunit *test)
{
	const struct count *c = test->param_value;
	struct mmio_fixture *fix = test->priv;

	fix->win->features = VIRTIO_MSG_MMIO_F_DEVICES;
	fix->win->slots = c->says;
	fix->win->size = c->size;
	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	mmio_plug(test);
	KUNIT_EXPECT_EQ(test, mmio_bound(fix), !!c->slots);
	/* The fake's own loops are not to go that far */
	fix->win->slots = c->slots;
	if (c->slots)
		KUNIT_EXPECT_EQ(test, mmio_bus(fix)->num_slots, c->slots);
}

static void slots_ping(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;

	slots_start(test, 2, 1, true);
	KUNIT_EXPECT_EQ(test, virtio_msg_ping(mmio_bus(fix), 0x12345678), 0);
	KUNIT_EXPECT_EQ(test, slots_messages(fix->win), 1);
}

/* Sleep */

#ifdef CONFIG_PM_SLEEP

/* What is behind the window afterwards is not what was */
static void slots_sleep(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct vmt_device *dev = slots_start(test, 64, 63, true);
	const struct dev_pm_ops *pm = fix->pdev->dev.driver->pm;

	KUNIT_ASSERT_EQ(test, pm->freeze(&fix->pdev->dev), 0);
	KUNIT_EXPECT_EQ(test, dev->status, 0);
	fix->win->more[63] = NULL;
	fix->win->more[1] = dev;
	fix->win->slots = 2;
	KUNIT_EXPECT_NE(test, pm->restore(&fix->pdev->dev), 0);
	mmio_settle(fix);
	KUNIT_EXPECT_EQ(test, fix->other->removes, 1);
	KUNIT_EXPECT_EQ(test, fix->other->probes, 2);
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 1);
	slots_send(test, fix->other);
	KUNIT_EXPECT_EQ(test, dev->notified[0], 1);
}

static void freeze_in_page(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	const struct dev_pm_ops *pm;
	struct device *dev;
	unsigned int i;

	mmio_start_page(test);
	dev = &fix->pdev->dev;
	pm = dev->driver->pm;
	for (i = 1; i <= 3; i++) {
		mmio_forget(fix->win);
		KUNIT_ASSERT_EQ(test, pm->freeze(dev), 0);
		KUNIT_EXPECT_NULL(test, fix->win->page);
		/* reset; the page, and whether anybody did that */
		KUNIT_EXPECT_EQ(test, fix->win->traps, 3);
		mmio_interrupt(fix);
		KUNIT_EXPECT_EQ(test, fix->win->traps, 3);

		mmio_forget(fix->win);
		KUNIT_ASSERT_EQ(test, pm->restore(dev), 0);
		mmio_settle(fix);
		KUNIT_EXPECT_NOT_NULL(test, fix->win->page);
		/*
		 * identity, page; GET_DEVICE_INFO, features, five statuses, a
		 * virtqueue; a look at what else changed
		 */
		KUNIT_EXPECT_EQ(test, fix->win->traps, 2 + 1 + 1 + 5 + 2 + 2);
		mmio_expect_works(test);
	}
	KUNIT_EXPECT_EQ(test, fix->drv->restores, 3);
}

static void freeze_in_window(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	const struct dev_pm_ops *pm;
	struct device *dev;

	mmio_start(test);
	dev = &fix->pdev->dev;
	pm = dev->driver->pm;
	KUNIT_ASSERT_EQ(test, pm->suspend(dev), 0);
	KUNIT_EXPECT_EQ(test, fix->win->dev.status, 0);
	KUNIT_ASSERT_EQ(test, pm->resume(dev), 0);
	mmio_settle(fix);
	mmio_expect_works(test);
}

/* The device side is another one after the sleep, or none */
static void restore_fails(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	const struct dev_pm_ops *pm;
	struct device *dev;

	mmio_start_page(test);
	dev = &fix->pdev->dev;
	pm = dev->driver->pm;
	KUNIT_ASSERT_EQ(test, pm->freeze(dev), 0);
	fix->win->version = 2;
	KUNIT_EXPECT_LT(test, pm->restore(dev), 0);
	fix->win->version = 1;
	fix->win->msg_size = 10;
	KUNIT_EXPECT_LT(test, pm->restore(dev), 0);
	fix->win->msg_size = 256;
	fix->win->dead = true;
	KUNIT_EXPECT_LT(test, pm->restore(dev), 0);
	fix->win->dead = false;
	KUNIT_EXPECT_EQ(test, pm->restore(dev), 0);
	mmio_settle(fix);
	mmio_expect_works(test);
}

#endif

/* Devices on the command line */

#ifdef CONFIG_VIRTIO_MSG_MMIO_CMDLINE_DEVICES

static void command_line_bad(struct kunit *test)
{
	static const char * const bad[] = {
		"", "512", "512@", "@0x2000000000:5", "512@0x2000000000",
		"512@0x2000000000:", "512@0x2000000000:0", "512@:5",
		"0@0x2000000000:5", "512@0x2000000000:5:", "512@0x2000000000:5:1x",
		"512@0x2000000000:5 ", "words",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, set_param("virtio_msg_mmio.device", bad[i]),
				    -EINVAL, "%s", bad[i]);
}

static void command_line(struct kunit *test)
{
	struct mmio_fixture *fix = test->priv;
	struct device *dev;
	char arg[64];

	KUNIT_ASSERT_EQ(test, vmt_driver_register(fix->drv), 0);
	snprintf(arg, sizeof(arg), "0x200@%#llx:%d:77", WINDOW_START, fix->irq);
	KUNIT_ASSERT_EQ(test, set_param("virtio_msg_mmio.device", arg), 0);
	dev = bus_find_device_by_name(&platform_bus_type, NULL,
				      "virtio-msg-mmio.77");
	KUNIT_ASSERT_NOT_NULL(test, dev);
	fix->pdev = to_platform_device(dev);
	put_device(dev);
	KUNIT_EXPECT_TRUE(test, mmio_bound(fix));
	mmio_expect_works(test);
}

#endif

static struct kunit_case virtio_msg_mmio_cases[] = {
	KUNIT_CASE(probe_page),
	KUNIT_CASE(probe_window),
	KUNIT_CASE(window_accesses),
	KUNIT_CASE_PARAM(probe_bad_window, bad_window_gen_params),
	KUNIT_CASE(probe_small_window),
	KUNIT_CASE(probe_without_irq),
	KUNIT_CASE(messages_too_large),
	KUNIT_CASE(strict_generation),
	KUNIT_CASE_PARAM(bad_response_in_window, tamper_gen_params),
	KUNIT_CASE_PARAM(bad_response_in_page, tamper_gen_params),
	KUNIT_CASE(stale_response),
	KUNIT_CASE(tokens),
	KUNIT_CASE(dies_in_window),
	KUNIT_CASE(dies_in_page),
	KUNIT_CASE(dies_with_page),
	KUNIT_CASE(page_of_dma),
	KUNIT_CASE(page_level_irq),
	KUNIT_CASE(page_unknown_irq),
	KUNIT_CASE(page_switched_off),
	KUNIT_CASE(page_left_on),
	KUNIT_CASE(page_shutdown),
	KUNIT_CASE(rebind),
	KUNIT_CASE(cached_config),
	KUNIT_CASE(uncached_config),
	KUNIT_CASE(interrupt_in_page),
	KUNIT_CASE(interrupt_in_window),
	KUNIT_CASE(interrupt_hardirq),
	KUNIT_CASE(storm_in_page),
	KUNIT_CASE(storm_in_window),
	KUNIT_CASE(at_work_in_page),
	KUNIT_CASE(at_work_in_window),
	KUNIT_CASE(notification_data),
	KUNIT_CASE(late_response),
	KUNIT_CASE(stalled_response),
	KUNIT_CASE(late_not_offered),
	KUNIT_CASE(late_refused),
	KUNIT_CASE_PARAM(bad_response_late, tamper_gen_params),
	KUNIT_CASE(after_the_bound),
	KUNIT_CASE(response_to_another),
	KUNIT_CASE(late_turns),
	KUNIT_CASE(late_atomic),
	KUNIT_CASE(dies_late),
	KUNIT_CASE_PARAM(leave_while_late, leave_gen_params),
	KUNIT_CASE_PARAM(leave_while_silent, leave_gen_params),
	KUNIT_CASE(slot_in_page),
	KUNIT_CASE(slot_in_window),
	KUNIT_CASE(slot_offers_more),
	KUNIT_CASE_PARAM(slots_in_page, place_gen_params),
	KUNIT_CASE(slots_uncounted),
	KUNIT_CASE(slots_config_in_page),
	KUNIT_CASE(slots_in_window),
	KUNIT_CASE(slots_come_and_go),
	KUNIT_CASE(slots_replaced),
	KUNIT_CASE(slots_that_are_not_there),
	KUNIT_CASE_PARAM(slots_counted, count_gen_params),
	KUNIT_CASE(slots_ping),
#ifdef CONFIG_PM_SLEEP
	KUNIT_CASE(slots_sleep),
	KUNIT_CASE(freeze_in_page),
	KUNIT_CASE(freeze_in_window),
	KUNIT_CASE(restore_fails),
#endif
#ifdef CONFIG_VIRTIO_MSG_MMIO_CMDLINE_DEVICES
	KUNIT_CASE(command_line_bad),
	KUNIT_CASE(command_line),
#endif
	{}
};

static struct kunit_suite virtio_msg_mmio_suite = {
	.name = "virtio-msg-mmio",
	.suite_init = mmio_suite_init,
	.init = mmio_init,
	.exit = mmio_exit,
	.test_cases = virtio_msg_mmio_cases,
};

kunit_test_suite(virtio_msg_mmio_suite);

MODULE_DESCRIPTION("KUnit tests of virtio-msg-mmio");
MODULE_LICENSE("GPL");
