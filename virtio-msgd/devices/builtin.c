// SPDX-License-Identifier: GPL-2.0-only
#include "devices/builtin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define QUEUE_SIZE	64

static struct builtin *to_builtin(struct device *dev)
{
	return (struct builtin *)dev;
}

/* Carry out what is there, a ring full at most */
static void serve(struct builtin *b)
{
	struct vring_chain chain;
	unsigned int n;
	int ret = 0;

	for (n = 0; n < b->vring.size; n++) {
		ret = vring_pop(&b->vring, &chain);
		if (ret <= 0)
			break;
		ret = vring_push(&b->vring, &chain, b->request(b, &chain));
		if (ret)
			break;
		if (!b->coalesce && vring_interrupt(&b->vring))
			device_used(&b->dev, 0);
	}
	if (vring_interrupt(&b->vring))
		device_used(&b->dev, 0);
	if (ret < 0)
		device_broken(&b->dev, "the guest's queue is broken");
	else if (n == b->vring.size)
		event_active(b->again, 0, 0);
}

static void serve_again(evutil_socket_t fd, short what, void *arg)
{
	struct builtin *b = arg;

	(void)fd;
	(void)what;
	if (device_live(&b->dev) && b->dev.queues[0].started)
		serve(b);
}

static int queue_start(struct device *dev, unsigned int q)
{
	struct builtin *b = to_builtin(dev);
	int ret;

	ret = vring_start(&b->vring, device_memory(dev), &dev->queues[q],
			  device_features(dev));
	/* Some drivers make buffers available, and notify, before DRIVER_OK */
	if (!ret)
		event_active(b->again, 0, 0);
	return ret;
}

static int queue_stop(struct device *dev, unsigned int q)
{
	struct builtin *b = to_builtin(dev);

	(void)q;
	event_del(b->again);
	vring_stop(&b->vring);
	return 0;
}

static void kick(struct device *dev, unsigned int q, uint32_t data)
{
	struct builtin *b = to_builtin(dev);

	(void)q;
	(void)data;
	if (!evutil_timerisset(&b->delay))
		serve(b);
	else if (!event_pending(b->again, EV_TIMEOUT, NULL))
		event_add(b->again, &b->delay);
}

static int reset(struct device *dev)
{
	struct builtin *b = to_builtin(dev);

	if (b->reset)
		b->reset(b);
	return 0;
}

static int config_read(struct device *dev, uint32_t offset, void *buf, uint32_t len)
{
	const uint8_t *config = to_builtin(dev)->config;

	if (!config)
		return -EINVAL;
	memcpy(buf, config + offset, len);
	return 0;
}

static int config_write(struct device *dev, uint32_t offset, const void *buf, uint32_t len)
{
	struct builtin *b = to_builtin(dev);

	return b->config_write ? b->config_write(b, offset, buf, len) : -EPERM;
}

static int set(struct device *dev, struct params *params, struct errmsg *err)
{
	struct builtin *b = to_builtin(dev);

	return b->set ? b->set(b, params, err) : 0;
}

static void destroy(struct device *dev)
{
	struct builtin *b = to_builtin(dev);

	if (b->release)
		b->release(b);
	event_free(b->again);
	device_release(dev);
	free(b);
}

static const struct device_ops builtin_ops = {
	.config_read = config_read,
	.config_write = config_write,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.kick = kick,
	.reset = reset,
	.set = set,
	.destroy = destroy,
};

static const struct {
	const char *name;
	unsigned int bit;
	bool on;
} ring_features[] = {
	{ "indirect", VIRTIO_RING_F_INDIRECT_DESC, true },
	{ "event-idx", VIRTIO_RING_F_EVENT_IDX, true },
	{ "ring-reset", VIRTIO_F_RING_RESET, true },
	{ "packed", VIRTIO_F_RING_PACKED, false },
	{ "in-order", VIRTIO_F_IN_ORDER, false },
	{ "notification-data", VIRTIO_F_NOTIFICATION_DATA, false },
};

static int choose_service(struct builtin *b, struct params *params, struct errmsg *err)
{
	uint64_t microseconds = 0;

	b->coalesce = true;
	if (params_number(params, "delay", 0, 1000000, &microseconds, err) ||
	    params_bool(params, "coalesce", &b->coalesce, err))
		return -1;
	b->delay.tv_sec = microseconds / 1000000;
	b->delay.tv_usec = microseconds % 1000000;
	return 0;
}

int builtin_init(struct builtin *b, const char *name, uint32_t id,
		 uint64_t features, struct params *params, struct errmsg *err)
{
	size_t i;

	if (choose_service(b, params, err))
		return -1;
	for (i = 0; i < sizeof(ring_features) / sizeof(ring_features[0]); i++) {
		bool on = ring_features[i].on;

		if (params_bool(params, ring_features[i].name, &on, err))
			return -1;
		if (on)
			features |= 1ULL << ring_features[i].bit;
	}
	b->again = event_new(loop, -1, 0, serve_again, b);
	if (!b->again)
		return errmsg_set(err, "out of memory");
	if (device_init(&b->dev, &builtin_ops, name, id, 1, QUEUE_SIZE)) {
		event_free(b->again);
		return errmsg_set(err, "out of memory");
	}
	b->dev.features = features;
	b->dev.config_reported = true;
	return 0;
}
