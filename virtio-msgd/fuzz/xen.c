// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Xen carrier on a host that is made up: accesses as the hypervisor hands them on,
 * whatever the toolstack or an earlier virtio-msgd wrote into xenstore, guests and devices
 * that come and go, restarts in the middle of it.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "carriers/xen/xen.h"
#include "machine.h"
#include "program/config.h"
#include "xen_host.h"

#define DEVICES	3
#define BASE(i)	(0x2000000ULL + (i) * WINDOW_SIZE)

static bool over;

/*
 * A device whose queues go by eventfds, as those of a backend do
 */

struct by_eventfd {
	struct device dev;
	int fd;
};

static int start_queue(struct device *dev, unsigned int q)
{
	struct by_eventfd *by = (struct by_eventfd *)dev;

	device_ioeventfd(dev, q, by->fd);
	device_irqfd(dev, q, by->fd);
	return 0;
}

static int stop_queue(struct device *dev, unsigned int q)
{
	device_ioeventfd(dev, q, -1);
	device_irqfd(dev, q, -1);
	return 0;
}

static int64_t suspend_queue(struct device *dev, unsigned int q)
{
	return stop_queue(dev, q);
}

static void destroy(struct device *dev)
{
	close(((struct by_eventfd *)dev)->fd);
	device_release(dev);
	free(dev);
}

static const struct device_ops by_eventfd_ops = {
	.queue_start = start_queue,
	.queue_stop = stop_queue,
	.queue_suspend = suspend_queue,
	.destroy = destroy,
};

static struct device *by_eventfd_new(void)
{
	struct by_eventfd *by = calloc(1, sizeof(*by));

	fuzz_check(by && !device_init(&by->dev, &by_eventfd_ops, "eventfd", 42, 2, 64));
	by->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	by->dev.features = VRING_FEATURES;
	return &by->dev;
}

static int choose_window(struct params *params, struct window_config *wc, struct device **dev,
			 struct errmsg *err)
{
	const char *name = params_get(params, "eventfd");

	if (config_window(params, wc, dev, err))
		return -1;
	if (name)
		*dev = by_eventfd_new();
	return 0;
}

/*
 * The host
 */

static void store_device(unsigned int i, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "backend/virtio/1/%u%s%s", i, *name ? "/" : "", name);
	host_store(path, value);
}

static void describe(struct input *in)
{
	static const char *const types[] = { "virtio,device22", "virtio,device4", "other" };
	uint8_t bits = take8(in);
	char base[32];
	unsigned int i;

	host_store("/local/domain/1/name", "guest");
	host_store("/local/domain/1/vm", "/vm/1");
	host_store("/local/domain/1/memory/static-max", bits & 1 ? "64" : "40");
	for (i = 0; i < DEVICES; i++) {
		snprintf(base, sizeof(base), "%#llx", BASE(i));
		store_device(i, "base", base);
		store_device(i, "irq", "33");
		store_device(i, "type", types[i]);
		store_device(i, "transport", "mmio");
		store_device(i, "state", "4");
		store_device(i, "grant_usage", bits & 2 << i ? "1" : "0");
		store_device(i, "frontend", "/local/domain/1/device/virtio/0");
	}
	host.missing = bits & 16 ? take16(in) : 0;
	host.vcpus = 1 + (bits >> 5) % HOST_MAX_VCPUS;
}

static void change_store(struct input *in)
{
	static const char *const names[] = {
		"base", "irq", "type", "transport", "state", "grant_usage", "frontend", "",
	};
	static const char *const values[] = {
		"5", "6", "0", "1", "0x2000000", "0x2000200", "0xfffffffffffffe00", "mmio",
	};
	uint8_t which = take8(in), value = take8(in);
	char *line = NULL;

	if (value >= 10)
		line = take_line(in);
	store_device(which % DEVICES, names[which / 4 % 8],
		     value < 8 ? values[value] : value < 10 ? NULL : line);
	free(line);
	host_watch_fires();
}

/* Something that the frontend, the guest itself, may write */
static void change_frontend(struct input *in)
{
	char *line = take_line(in);

	host_store("/local/domain/1/device/virtio/0/state", line);
	free(line);
	host_watch_fires();
}

/* What an earlier virtio-msgd is said to have noted */
static void note_state(struct input *in)
{
	unsigned int i = take8(in), queues = i >> 4 & 3, n;
	char text[1024], path[64], *line;
	unsigned long long at = i & 0x80 ? MEMORY_GRANT : HOST_RAM;
	int len;

	host_store("virtio-msgd/1/uuid", "/vm/1");
	host_store("virtio-msgd/1/server", "0");
	snprintf(path, sizeof(path), "virtio-msgd/1/%u/state", i % DEVICES);
	if (i & 8) {
		line = take_line(in);
		host_store(path, line);
		free(line);
		return;
	}
	len = snprintf(text, sizeof(text), "1 %llx %x %llx %llx 1 %x", at | (take8(in) & 1), 0xf,
		       1ULL << VIRTIO_F_VERSION_1 | take64(in),
		       (unsigned long long)take_edge(in), queues);
	for (n = 0; n < queues; n++)
		len += snprintf(text + len, sizeof(text) - len, " %x:%x:%llx:%llx:%llx:%lld",
				n & take8(in), (unsigned int)take_edge(in), at + 0x1000,
				at + 0x2000, at + 0x3000 + take8(in),
				(long long)(take_edge(in) - 1));
	host_store(path, text);
}

/*
 * The guest
 */

static void fill_request(struct input *in, struct ioreq *req)
{
	uint8_t how = take8(in);
	size_t len = sizeof(*req);
	const uint8_t *data;

	*req = (struct ioreq) {
		.addr = BASE(how % DEVICES) + (how & 4 ? 0x100 : 0) + take8(in) * 2,
		.count = 1,
		.size = how & 8 ? 8 : 4,
		.state = STATE_IOREQ_READY,
		.dir = how & 0x10 ? IOREQ_READ : IOREQ_WRITE,
		.type = IOREQ_TYPE_COPY,
	};
	if (how & 0x20)
		req->data = (how & 0x40 ? MEMORY_GRANT : HOST_RAM) | take16(in);
	else
		req->data = take_edge(in);
	if (how & 0x80) {
		data = take_bytes(in, &len);
		memcpy(req, data, len);
	}
}

/* The vCPU waits: it gets an answer, unless the kernel or a device is to come first. */
static void access_window(struct input *in)
{
	unsigned int vcpu = take8(in) % host.vcpus;
	struct ioreq *slot = &host.page->vcpu_ioreq[vcpu];
	uint32_t port = slot->vp_eport;

	fill_request(in, slot);
	slot->vp_eport = port;
	host_event(HOST_PORT + vcpu);
	fuzz_pass(0);
}

static struct slot *any_slot(uint8_t which)
{
	struct carrier *carrier = carriers;

	for (; carrier && which % DEVICES; which--)
		carrier = carrier->next;
	if (!carrier || !carrier->windows[0] || !carrier->windows[0]->slots[0].dev)
		return NULL;
	return &carrier->windows[0]->slots[0];
}

static void bring_up(struct input *in)
{
	uint8_t how = take8(in);
	struct slot *slot = any_slot(how);
	uint64_t features = take64(in), at;
	struct device_queue setup = { .size = 8, .base = -1 };

	if (!slot)
		return;
	at = (slot->carrier->translates ? MEMORY_GRANT : HOST_RAM) + (how & 0x10 ? 0xff0 : 0);
	setup.desc = at + 0x1000;
	setup.driver = at + 0x2000;
	setup.device = at + 0x3000;
	slot_set_status(slot, 0);
	slot_set_features(slot, 0, slot_offered(slot) & ~features);
	slot_set_features(slot, 1, slot_offered(slot) >> 32 & ~(features >> 32 & ~3ULL));
	slot_set_status(slot, VIRTIO_CONFIG_S_FEATURES_OK);
	slot_enable_queue(slot, 0, &setup);
	if (how & 0x20)
		slot_enable_queue(slot, 1, &setup);
	slot_set_status(slot, VIRTIO_CONFIG_S_DRIVER_OK);
}

static void write_ram(struct input *in)
{
	uint16_t at = take16(in);
	size_t len = take8(in);
	const uint8_t *data = take_bytes(in, &len);

	fuzz_check(pwrite(host.ram, data, len, at) == (ssize_t)len);
}

/*
 * The process
 */

static void guest_over(void)
{
	over = true;
}

static void note(json_t *notes)
{
	carrier_xen_note(HOST_DOMID, notes);
	json_decref(notes);
}

static int device(bool grants)
{
	return carrier_xen_device(HOST_DOMID, grants);
}

static const struct carrier_xen_ops process = {
	.note = note,
	.device = device,
	.over = guest_over,
};

/* Its parent is here, too. */
static void found(unsigned int domid, const char *name)
{
	fuzz_check(domid <= UINT16_MAX && name);
}

static void changed(void)
{
	json_t *description = carrier_xen_describe(HOST_DOMID);

	fuzz_check(description);
	carrier_xen_hear(description);
	json_decref(description);
}

/* What a process that was taken over wants to be kept */
static void note_anything(struct input *in)
{
	char *path = take_line(in), *value = take_line(in);

	note(json_pack("{s:s?}", path, *value == '0' ? NULL : value) ?: json_object());
	free(path);
	free(value);
}

static void start(uint8_t how)
{
	static const char *const rules[] = {
		"index=0,device=i2c", "entry=device4,device=rng,irqfd=off", "eventfd=on",
		"device=blk,size=512,personality=mmio", "guest=other,device=rng", "page=off",
		"index=1,eventfd=on,ioeventfd=off",
	};
	const unsigned int num = sizeof(rules) / sizeof(rules[0]);
	struct params params;
	struct errmsg err;
	unsigned int i;

	over = false;
	for (i = 0; i < 3; i++) {
		params = (struct params) { 0 };
		fuzz_check(!params_parse(&params, rules[(how / 8 + i * (1 + how % 8)) % num], NULL,
					 &err));
		fuzz_check(!carrier_xen_rule(&params, choose_window, &err));
		params_free(&params);
	}
	changed();
	carrier_xen_serve(HOST_DOMID, &process, &err);
}

static void stop(void)
{
	task_finish(0);
	while (carriers)
		carriers->ops->close(carriers);
	carrier_xen_stop();
}

static void step(struct input *in)
{
	switch (take8(in) % 15) {
	case 0:
		change_store(in);
		fuzz_pass(0);
		break;
	case 1:
		change_frontend(in);
		fuzz_pass(0);
		break;
	case 2:
		fuzz_pass(take16(in));
		break;
	case 3:
		stop();
		fuzz_pass(0);
		start(take8(in));
		break;
	case 4:
		stop();
		note_state(in);
		host.servers = 1;
		start(take8(in));
		break;
	case 5:
		host.introduced = take8(in) % 4;
		host_watch_fires();
		fuzz_pass(0);
		break;
	case 6:
		host.fail_in = take8(in);
		break;
	case 7:
		write_ram(in);
		break;
	case 8:
		host_event(take8(in));
		fuzz_pass(0);
		break;
	case 9:
		bring_up(in);
		break;
	case 10:
		note_anything(in);
		break;
	default:
		access_window(in);
	}
}

/* The parent looks for guests only */
static void find(struct input *in)
{
	struct errmsg err;

	host.fail_in = take8(in);
	carrier_xen_find(found, changed, &err);
	while (in->left) {
		change_store(in);
		fuzz_pass(0);
	}
	carrier_xen_find_stop();
}

void fuzz_one(struct input *in)
{
	struct errmsg err;
	uint8_t how;

	host_start();
	describe(in);
	how = take8(in);
	if (how == UINT8_MAX) {
		find(in);
	} else {
		fuzz_check(!carrier_xen_find(found, changed, &err));
		start(how);
		while (in->left && !over)
			step(in);
		host.fail_in = 0;
		stop();
		carrier_xen_find_stop();
	}
	fuzz_pass(0);
	host_stop();
}
