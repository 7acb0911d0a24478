// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg over MMIO: the registers and the message page that
 * <linux/virtio_msg_mmio.h> describes.
 */
#include <endian.h>
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
 * @sequence: the message page's
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
	uint32_t sequence;
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
	const struct device *dev = win->slot.dev;
	bool page = win->config.page && !win->carrier->no_page;
	uint64_t features = 0;

	if (page)
		features |= VIRTIO_MSG_MMIO_F_PAGE | VIRTIO_MSG_MMIO_F_LATE;
	if (page && slot_translates(&win->slot))
		features |= VIRTIO_MSG_MMIO_F_PAGE_DMA;
	if (page && dev && dev->config_reported)
		features |= VIRTIO_MSG_MMIO_F_CONFIG_CACHE;
	if (win->config.strict)
		features |= VIRTIO_MSG_MMIO_F_TRANSPORT;
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

/* Answer the @len bytes of @request; the response's size, or 0 */
static size_t answer(struct window *win, const union message *request, size_t len,
		     union message *response)
{
	struct msg_window *mw = win->priv;
	const struct virtio_msg_header *hdr = &request->hdr;
	int ret;

	win->counters.requests[hdr->msg_id]++;
	if (hdr->msg_id == VIRTIO_MSG_EVENT_AVAIL)
		win->counters.kicks++;
	ret = slot_message(&win->slot, request, len, response, win->config.msg_size);
	if (ret < 0)
		win->counters.discarded++;
	if (ret > 0)
		win->counters.responses[hdr->msg_id]++;
	/* Who asks what is in the slot needs no word that it changed before */
	if (ret > 0 && hdr->msg_id == VIRTIO_MSG_GET_DEVICE_INFO)
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

static void page_fill(struct window *win, struct virtio_msg_mmio_page *page)
{
	const struct slot *slot = &win->slot;
	struct virtio_msg_mmio_slot *to = &page->slot[0];

	__atomic_store_n(&to->device_status, htole32(slot->status), __ATOMIC_RELAXED);
	__atomic_store_n(&to->generation, htole32(slot->generation), __ATOMIC_RELAXED);
	__atomic_store_n(&to->device_id, htole32(slot->dev ? slot->dev->id : 0),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&to->arrivals, htole32(slot->arrivals), __ATOMIC_RELAXED);
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
		log_limited(&win->slot.log, "%s, window %u: the guest gives a message page that cannot be used",
			    win->carrier->name, win->index);
		return;
	}
	page = mw->page.ptr;
	mw->late = value & VIRTIO_MSG_MMIO_PAGE_LATE;
	/* An earlier virtio-msgd may have had this page, whose number the driver knows */
	mw->sequence = le32toh(page->sequence);
	memset(page->slot, 0, sizeof(page->slot));
	page_fill(win, page);
	page_set_sequence(mw, page);
	/* All that the Event register would say is in the page now */
	mw->event = 0;
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
			log_limited(&win->slot.log, "%s, window %u: the guest sends a message of zeros: is its memory shared with this program?",
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
		log_limited(&win->slot.log, "%s, window %u: the guest rings the doorbell without a message page",
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
	page_fill(win, page);
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

	if (have < sizeof(struct virtio_msg_header) || offset != mw->received)
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

static uint64_t msg_read(struct window *win, uint32_t offset, unsigned int size)
{
	struct msg_window *mw = win->priv;

	if (size < 4)
		return 0;
	if (offset >= VIRTIO_MSG_MMIO_WINDOW)
		return window_response(mw, offset - VIRTIO_MSG_MMIO_WINDOW, size);
	if (offset == VIRTIO_MSG_MMIO_IDENTITY || (offset == VIRTIO_MSG_MMIO_IDENTITY + 4))
		return read_identity(win, offset, size);
	if (size != 4)
		return 0;
	switch (offset) {
	case VIRTIO_MSG_MMIO_MAGIC:
		return VIRTIO_MSG_MMIO_MAGIC_VALUE;
	case VIRTIO_MSG_MMIO_TRANSPORT_FEATURES:
		return win->config.strict ? 1 << VIRTIO_MSG_F_STRICT_CONFIG_GENERATION : 0;
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

static void write_notify(struct window *win, uint32_t value)
{
	counters_kick(&win->counters, value);
	if (win->slot.dev)
		slot_kick(&win->slot, value & 0xffff, value);
}

static void msg_write(struct window *win, uint32_t offset, unsigned int size, uint64_t value)
{
	if (size < 4)
		return;
	if (offset >= VIRTIO_MSG_MMIO_WINDOW) {
		window_part(win, offset - VIRTIO_MSG_MMIO_WINDOW, size, value);
		return;
	}
	if (offset == VIRTIO_MSG_MMIO_PAGE || offset == VIRTIO_MSG_MMIO_PAGE + 4) {
		write_page(win, offset, size, value);
		return;
	}
	if (size != 4)
		return;
	if (offset == VIRTIO_MSG_MMIO_DOORBELL)
		doorbell(win);
	else if (offset == VIRTIO_MSG_MMIO_QUEUE_NOTIFY(0))
		write_notify(win, value);
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
	if (offset >= VIRTIO_MSG_MMIO_WINDOW &&
	    window_complete(mw, offset - VIRTIO_MSG_MMIO_WINDOW, size))
		return WINDOW_WAITS;
	return WINDOW_NOW;
}

/*
 * What the device says
 */

static void msg_used(struct window *win, unsigned int q)
{
	window_queue_interrupt(win, q);
}

static void msg_changed(struct window *win, unsigned int what)
{
	struct virtio_msg_mmio_page *page = page_get(win);
	struct msg_window *mw = win->priv;

	if (page) {
		page_fill(win, page);
		mw->sequence++;
		page_set_sequence(mw, page);
	} else {
		if (what & SLOT_CHANGED_CONFIG)
			mw->event |= VIRTIO_MSG_MMIO_EVENT_CONFIG;
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
	.reset = msg_reset,
};
