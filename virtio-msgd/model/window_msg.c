// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg over MMIO: the registers and the message page that
 * <linux/virtio_msg_mmio.h> describes.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_msg.h>
#include <linux/virtio_msg_mmio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "model/window.h"

/* struct msg_window.received: no request can be completed until one starts */
#define RECEIVED_BAD	UINT32_MAX

/**
 * struct msg_window - what the registers remember
 * @identity: Identity, whose low half was read
 * @identity_latched: and the high half was not, yet
 * @page_low: low half of Page
 * @page_low_written: and the high half was not, yet
 * @event: Event
 * @config_slots: ConfigSlots
 * @sequence: the message page's
 * @used: likewise, for each slot
 * @page: the message page; holds nothing while it is off
 * @late: responses in it may come late
 * @received: bytes of @request that are there (Window register)
 * @answered: bytes of @response that are there
 * @request: what is received
 * @response: the last response
 */
struct msg_window {
	uint64_t identity;
	bool identity_latched;
	uint32_t page_low;
	bool page_low_written;
	uint32_t event;
	uint64_t config_slots;
	uint32_t sequence;
	uint32_t used[WINDOW_MAX_SLOTS];
	struct memory_ref page;
	bool late;
	uint32_t received;
	uint32_t answered;
	_Alignas(8) uint8_t request[WINDOW_MSG_SIZE];
	_Alignas(8) uint8_t response[WINDOW_MSG_SIZE];
};

_Static_assert(sizeof(struct virtio_msg_mmio_page) == VIRTIO_MSG_MMIO_PAGE_SIZE,
	       "layout of the message page");
_Static_assert(WINDOW_MSG_SIZE <= VIRTIO_MSG_MMIO_PAGE_MSG_SIZE,
	       "a message fits into the page");
_Static_assert(WINDOW_SIZE == VIRTIO_MSG_MMIO_SIZE &&
	       WINDOW_SIZE_LARGE == VIRTIO_MSG_MMIO_SIZE_LARGE &&
	       WINDOW_SMALL_SLOTS == VIRTIO_MSG_MMIO_SMALL_SLOTS &&
	       WINDOW_MAX_SLOTS == VIRTIO_MSG_MMIO_PAGE_SLOTS &&
	       VIRTIO_MSG_MMIO_WINDOW + WINDOW_MSG_SIZE <= WINDOW_SIZE,
	       "windows and their slots");

/* There may be more devices than one */
static bool many(const struct window *win)
{
	return win->config.num_slots > 1;
}

static struct memory *guest_memory(struct window *win)
{
	return &win->carrier->memory;
}

/* The message page, NULL while it is off */
static struct virtio_msg_mmio_page *page_get(struct window *win)
{
	struct msg_window *mw = win->priv;

	return memory_ref_get(guest_memory(win), &mw->page);
}

static uint64_t identity(const struct window *win)
{
	const struct device *dev = win->slots[0].dev;
	bool page = win->config.page && !win->carrier->no_page;
	uint64_t features = 0;

	if (page)
		features |= VIRTIO_MSG_MMIO_F_PAGE | VIRTIO_MSG_MMIO_F_LATE;
	if (page && slot_translates(&win->slots[0]))
		features |= VIRTIO_MSG_MMIO_F_PAGE_DMA;
	if (page && dev && dev->config_reported)
		features |= VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	if (win->config.strict)
		features |= VIRTIO_MSG_MMIO_F_TRANSPORT;
	if (many(win))
		features |= VIRTIO_MSG_MMIO_F_DEVICES;
	return VIRTIO_MSG_MMIO_VERSION | VIRTIO_MSG_REVISION_1 << 16 |
	       (uint64_t)win->config.msg_size << 32 | features << 48;
}

/*
 * Messages
 */

/**
 * union message - a request or response while it is worked on
 *
 * That may take a while, in which the guest does what it likes: nothing is looked at
 * where it could write.
 */
union message {
	struct virtio_msg_header hdr;
	uint8_t bytes[WINDOW_MSG_SIZE];
	uint64_t align;
};

/* A message for a device; as slot_message(), also where no such device may be */
static int device_message(struct window *win, const union message *request, size_t len,
			  union message *response)
{
	unsigned int number = le16toh(request->hdr.dev_num);
	struct slot *slot;
	int ret;

	if (number >= win->config.num_slots)
		return -EINVAL;
	slot = &win->slots[number];
	window_enter(win, slot);
	ret = slot_message(slot, request, len, response, win->config.msg_size);
	window_leave(win, slot);
	return ret;
}

/* Answer the @len bytes of @request; the response's size, or 0 */
static size_t answer(struct window *win, const union message *request, size_t len,
		     union message *response)
{
	struct msg_window *mw = win->priv;
	const struct virtio_msg_header *hdr = &request->hdr;
	bool bus = hdr->type & VIRTIO_MSG_TYPE_BUS;
	int ret;

	counters_request(&win->counters, bus, hdr->msg_id);
	ret = bus ? window_bus_message(win, request, len, response, win->config.msg_size) :
		    device_message(win, request, len, response);
	if (ret < 0)
		win->counters.discarded++;
	if (ret > 0)
		counters_response(&win->counters, bus, hdr->msg_id);
	/* Who asks what is there needs no word that it changed before */
	if (ret > 0 && (bus ? hdr->msg_id == VIRTIO_MSG_BUS_GET_DEVICES :
			      hdr->msg_id == VIRTIO_MSG_GET_DEVICE_INFO && !many(win)))
		mw->event &= ~VIRTIO_MSG_MMIO_EVENT_DEVICE;
	return ret > 0 ? ret : 0;
}

static bool size_allowed(const struct window *win, size_t len)
{
	return len >= sizeof(struct virtio_msg_header) && len <= win->config.msg_size;
}

static size_t request_size(const void *request)
{
	return le16toh(((const struct virtio_msg_header *)request)->msg_size);
}

/*
 * The message page
 */

static void page_fill_slot(const struct slot *slot, struct virtio_msg_mmio_slot *to)
{
	__atomic_store_n(&to->device_status, htole32(slot->status), __ATOMIC_RELAXED);
	__atomic_store_n(&to->generation, htole32(slot->generation), __ATOMIC_RELAXED);
	__atomic_store_n(&to->device_id, htole32(slot->dev ? slot->dev->id : 0),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&to->arrivals, htole32(slot->arrivals), __ATOMIC_RELAXED);
}

/* What is there for many slots only */
static void page_fill_bits(struct window *win, struct virtio_msg_mmio_page *page)
{
	uint64_t uncounted = 0, cacheable = 0;
	unsigned int i;

	for (i = 0; i < win->config.num_slots; i++) {
		const struct slot *slot = &win->slots[i];

		uncounted |= (uint64_t)slot->uncounted << i;
		cacheable |= (uint64_t)(slot->dev && slot->dev->config_reported) << i;
	}
	__atomic_store_n(&page->uncounted, htole64(uncounted), __ATOMIC_RELEASE);
	__atomic_store_n(&page->cacheable, htole64(cacheable), __ATOMIC_RELEASE);
}

/* What changed of one slot */
static void page_update(struct window *win, struct virtio_msg_mmio_page *page,
			const struct slot *slot)
{
	page_fill_slot(slot, &page->slot[slot->number]);
	if (many(win))
		page_fill_bits(win, page);
}

static void page_fill(struct window *win, struct virtio_msg_mmio_page *page)
{
	unsigned int i;

	for (i = 0; i < win->config.num_slots; i++)
		page_fill_slot(&win->slots[i], &page->slot[i]);
	if (many(win))
		page_fill_bits(win, page);
}

/*
 * An earlier virtio-msgd may have had this page: the driver knows its numbers, and has to
 * see that what comes is another device than what it knew there.
 */
static void page_adopt(struct window *win, const struct virtio_msg_mmio_page *page)
{
	struct msg_window *mw = win->priv;
	unsigned int i;

	mw->sequence = le32toh(page->sequence);
	for (i = 0; i < win->config.num_slots && many(win); i++) {
		struct slot *slot = &win->slots[i];

		mw->used[i] = le32toh(page->used[i]);
		/* What has a driver is the one that it knows */
		if (slot->status || !page->slot[i].arrivals)
			continue;
		slot->arrivals = le32toh(page->slot[i].arrivals) + (slot->dev && i);
	}
}

static void page_set_sequence(struct msg_window *mw, struct virtio_msg_mmio_page *page)
{
	__atomic_store_n(&page->sequence, htole32(mw->sequence), __ATOMIC_RELEASE);
}

static void page_write(struct window *win, uint64_t value)
{
	uint64_t addr = value & ~(uint64_t)(VIRTIO_MSG_MMIO_PAGE_SIZE - 1);
	struct msg_window *mw = win->priv;
	struct virtio_msg_mmio_page *page;

	memory_ref_clear(guest_memory(win), &mw->page);
	mw->late = false;
	if (!(value & VIRTIO_MSG_MMIO_PAGE_ON))
		return;
	if (!(identity(win) >> 48 & VIRTIO_MSG_MMIO_F_PAGE) ||
	    memory_ref_set(guest_memory(win), &mw->page, addr, VIRTIO_MSG_MMIO_PAGE_SIZE)) {
		log_limited(&win->slots[0].log, "%s, window %u: the guest gives a message page that cannot be used",
			    win->carrier->name, win->index);
		return;
	}
	page = mw->page.ptr;
	mw->late = value & VIRTIO_MSG_MMIO_PAGE_LATE;
	page_adopt(win, page);
	memset(page->slot, 0, sizeof(page->slot));
	page_fill(win, page);
	page_set_sequence(mw, page);
	/* All that Event and ConfigSlots would say is in the page now */
	mw->event = 0;
	mw->config_slots = 0;
}

/*
 * The token goes last: when it is there, the response is, on a driver's CPU that
 * does not wait for the doorbell's store as well. @len 0: there is no response, of
 * which the header says so.
 */
static void page_respond(struct virtio_msg_mmio_page *page, const union message *response,
			 size_t len)
{
	struct virtio_msg_header *to = (struct virtio_msg_header *)page->response;

	if (len)
		memcpy(to + 1, &response->hdr + 1, len - sizeof(response->hdr));
	to->type = response->hdr.type;
	to->msg_id = response->hdr.msg_id;
	to->dev_num = response->hdr.dev_num;
	to->msg_size = htole16(len);
	__atomic_store_n(&to->token, response->hdr.token, __ATOMIC_RELEASE);
}

/* The request in the page; its size, 0 if that is not allowed */
static size_t page_request(struct window *win, const struct virtio_msg_mmio_page *page,
			   union message *request)
{
	static const struct virtio_msg_header nothing;
	size_t len;

	memcpy(request, page->request, sizeof(request->hdr));
	len = request_size(request);
	if (!size_allowed(win, len)) {
		win->counters.discarded++;
		/* A VMM can give a file of which it has a private copy: that cannot be seen */
		if (!memcmp(&request->hdr, &nothing, sizeof(nothing)))
			log_limited(&win->slots[0].log, "%s, window %u: the guest sends a message of zeros: is its memory shared with this program?",
				    win->carrier->name, win->index);
		return 0;
	}
	memcpy(&request->hdr + 1, page->request + sizeof(request->hdr), len - sizeof(request->hdr));
	return len;
}

static void doorbell(struct window *win)
{
	struct virtio_msg_mmio_page *page = page_get(win);
	struct msg_window *mw = win->priv;
	union message request, response;
	size_t len;

	if (!page) {
		log_limited(&win->slots[0].log, "%s, window %u: the guest rings the doorbell without a message page",
			    win->carrier->name, win->index);
		return;
	}
	/* A request in the Window register that was not complete is lost */
	mw->received = RECEIVED_BAD;
	mw->answered = 0;
	len = page_request(win, page, &request);
	if (len)
		len = answer(win, &request, len, &response);

	/* Another page, or none, by now */
	page = page_get(win);
	if (!page)
		return;
	/* A status write shows in the block, without being an event */
	if (le16toh(request.hdr.dev_num) < win->config.num_slots)
		page_update(win, page, &win->slots[le16toh(request.hdr.dev_num)]);
	if (window_superseded(win))
		return;
	if (len)
		page_respond(page, &response, len);
	else if (mw->late && request.hdr.token)
		page_respond(page, &request, 0);
}

/*
 * The Window register
 */

/* Take a part of a request; what comes out of order or after its end is dropped */
static void window_part(struct window *win, uint32_t offset, unsigned int size, uint64_t value)
{
	struct msg_window *mw = win->priv;
	union message request, response;
	size_t len;

	value = htole64(value);
	if (!offset) {
		mw->received = 0;
		mw->answered = 0;
	}
	if (offset != mw->received || offset + size > sizeof(mw->request)) {
		mw->received = RECEIVED_BAD;
		return;
	}
	memcpy(mw->request + offset, &value, size);
	mw->received += size;
	if (mw->received < sizeof(struct virtio_msg_header))
		return;

	len = request_size(mw->request);
	if (!size_allowed(win, len)) {
		win->counters.discarded++;
		mw->received = RECEIVED_BAD;
	} else if (mw->received >= len) {
		mw->received = RECEIVED_BAD;
		memcpy(&request, mw->request, len);
		mw->answered = answer(win, &request, len, &response);
		memcpy(mw->response, &response, mw->answered);
	}
}

/* Whether such a part is the last one of a request */
static bool window_complete(const struct msg_window *mw, uint32_t offset, unsigned int size)
{
	size_t have = offset + size;

	/* The first part starts over, whatever was there */
	if (have < sizeof(struct virtio_msg_header) || (offset && offset != mw->received))
		return false;
	/* The part may be the one that says it */
	return offset < sizeof(struct virtio_msg_header) || have >= request_size(mw->request);
}

static uint64_t window_response(const struct msg_window *mw, uint32_t offset, unsigned int size)
{
	uint64_t value = 0;

	if (offset >= mw->answered)
		return 0;
	if (size > mw->answered - offset)
		size = mw->answered - offset;
	memcpy(&value, mw->response + offset, size);
	return le64toh(value);
}

/*
 * Registers
 */

/* The Window register; QueueNotify goes on behind it */
static bool in_window(uint32_t offset)
{
	return offset >= VIRTIO_MSG_MMIO_WINDOW && offset < VIRTIO_MSG_MMIO_SIZE;
}

static uint64_t read_identity(struct window *win, uint32_t offset, unsigned int size)
{
	struct msg_window *mw = win->priv;
	bool high = offset != VIRTIO_MSG_MMIO_IDENTITY;

	/* Both halves belong together, even if the device goes in between */
	if (!high || !mw->identity_latched)
		mw->identity = identity(win);
	mw->identity_latched = !high && size == 4;
	if (size == 8)
		return mw->identity;
	return high ? mw->identity >> 32 : mw->identity & UINT32_MAX;
}

static uint64_t read_event(struct msg_window *mw)
{
	uint32_t event = mw->event;

	mw->event = 0;
	return event;
}

/* Each half is cleared by itself: it is complete for its slots */
static uint64_t read_config_slots(struct msg_window *mw, uint32_t offset, unsigned int size)
{
	unsigned int shift = 8 * (offset - VIRTIO_MSG_MMIO_CONFIG_SLOTS);
	uint64_t mask = size == 8 ? UINT64_MAX : (uint64_t)UINT32_MAX << shift;
	uint64_t value = (mw->config_slots & mask) >> shift;

	mw->config_slots &= ~mask;
	return value;
}

static uint64_t msg_read(struct window *win, uint32_t offset, unsigned int size)
{
	struct msg_window *mw = win->priv;

	if (size < 4)
		return 0;
	if (in_window(offset))
		return window_response(mw, offset - VIRTIO_MSG_MMIO_WINDOW, size);
	if (offset == VIRTIO_MSG_MMIO_CONFIG_SLOTS || offset == VIRTIO_MSG_MMIO_CONFIG_SLOTS + 4)
		return read_config_slots(mw, offset, size);
	if (offset == VIRTIO_MSG_MMIO_IDENTITY || (offset == VIRTIO_MSG_MMIO_IDENTITY + 4))
		return read_identity(win, offset, size);
	if (size != 4)
		return 0;
	switch (offset) {
	case VIRTIO_MSG_MMIO_MAGIC:
		return VIRTIO_MSG_MMIO_MAGIC_VALUE;
	case VIRTIO_MSG_MMIO_TRANSPORT_FEATURES:
		return win->config.strict ? 1 << VIRTIO_MSG_F_STRICT_CONFIG_GENERATION : 0;
	case VIRTIO_MSG_MMIO_SLOTS:
		return many(win) ? win->config.num_slots : 0;
	case VIRTIO_MSG_MMIO_EVENT:
		return read_event(mw);
	default:
		return 0;
	}
}

static void write_page(struct window *win, uint32_t offset, unsigned int size, uint64_t value)
{
	struct msg_window *mw = win->priv;

	if (size == 8) {
		mw->page_low_written = false;
		page_write(win, value);
	} else if (offset == VIRTIO_MSG_MMIO_PAGE) {
		mw->page_low = value;
		mw->page_low_written = true;
	} else if (mw->page_low_written) {
		mw->page_low_written = false;
		page_write(win, (value & UINT32_MAX) << 32 | mw->page_low);
	}
}

/* The slot whose QueueNotify is at @offset, NULL: nobody's is */
static struct slot *notify_slot(struct window *win, uint32_t offset)
{
	const uint32_t first = VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0);
	const uint32_t second = VIRTIO_MSG_MMIO_QUEUE_NOTIFY_HIGH(VIRTIO_MSG_MMIO_SMALL_SLOTS);
	uint32_t number;

	if (offset >= second)
		number = VIRTIO_MSG_MMIO_SMALL_SLOTS + (offset - second) / 4;
	else if (offset >= first)
		number = (offset - first) / 4;
	else
		return NULL;
	return number < win->config.num_slots ? &win->slots[number] : NULL;
}

static void write_notify(struct window *win, struct slot *slot, uint32_t value)
{
	counters_kick(&win->counters, value);
	if (slot->dev)
		slot_kick(slot, value & 0xffff, value);
}

static void msg_write(struct window *win, uint32_t offset, unsigned int size, uint64_t value)
{
	struct slot *slot;

	if (size < 4)
		return;
	if (in_window(offset)) {
		window_part(win, offset - VIRTIO_MSG_MMIO_WINDOW, size, value);
		return;
	}
	if (offset == VIRTIO_MSG_MMIO_PAGE || offset == VIRTIO_MSG_MMIO_PAGE + 4) {
		write_page(win, offset, size, value);
		return;
	}
	if (size != 4)
		return;
	slot = notify_slot(win, offset);
	if (offset == VIRTIO_MSG_MMIO_DOORBELL)
		doorbell(win);
	else if (slot)
		write_notify(win, slot, value);
}

/* A request is carried out by the store that completes it. */
static enum window_wait msg_waits(struct window *win, uint32_t offset, unsigned int size,
				  bool write)
{
	struct msg_window *mw = win->priv;

	if (!write)
		return WINDOW_NOW;
	if (offset == VIRTIO_MSG_MMIO_DOORBELL)
		return mw->late ? WINDOW_LATE : WINDOW_WAITS;
	if (in_window(offset) &&
	    window_complete(mw, offset - VIRTIO_MSG_MMIO_WINDOW, size))
		return WINDOW_WAITS;
	return WINDOW_NOW;
}

/*
 * What the device says
 */

static void msg_used(struct window *win, struct slot *slot, unsigned int q)
{
	struct virtio_msg_mmio_page *page = many(win) ? page_get(win) : NULL;
	struct msg_window *mw = win->priv;

	if (page)
		__atomic_store_n(&page->used[slot->number],
				 htole32(++mw->used[slot->number]), __ATOMIC_RELEASE);
	window_queue_interrupt(win, q);
}

static void msg_uncounted(struct window *win, struct slot *slot)
{
	struct virtio_msg_mmio_page *page = many(win) ? page_get(win) : NULL;

	if (page)
		page_update(win, page, slot);
}

static void msg_changed(struct window *win, struct slot *slot, unsigned int what)
{
	struct virtio_msg_mmio_page *page = page_get(win);
	struct msg_window *mw = win->priv;

	if (page) {
		page_update(win, page, slot);
		mw->sequence++;
		page_set_sequence(mw, page);
	} else {
		if (what & SLOT_CHANGED_CONFIG) {
			mw->event |= VIRTIO_MSG_MMIO_EVENT_CONFIG;
			mw->config_slots |= (uint64_t)many(win) << slot->number;
		}
		if (what & SLOT_CHANGED_DEVICE)
			mw->event |= VIRTIO_MSG_MMIO_EVENT_DEVICE;
	}
	window_interrupt(win);
}

static void *msg_create(struct window *win)
{
	struct msg_window *mw = calloc(1, sizeof(*mw));

	(void)win;
	if (mw)
		mw->received = RECEIVED_BAD;
	return mw;
}

static void msg_reset(struct window *win)
{
	struct msg_window *mw = win->priv;

	memory_ref_clear(guest_memory(win), &mw->page);
	*mw = (struct msg_window) { .received = RECEIVED_BAD };
}

static void msg_destroy(struct window *win)
{
	free(win->priv);
}

const struct personality personality_msg = {
	.name = "msg",
	.create = msg_create,
	.waits = msg_waits,
	.destroy = msg_destroy,
	.read = msg_read,
	.write = msg_write,
	.used = msg_used,
	.changed = msg_changed,
	.uncounted = msg_uncounted,
	.reset = msg_reset,
};
