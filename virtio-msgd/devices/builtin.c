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

void builtin_status(struct builtin *b, uint8_t status)
{
	b->req.status[0] = status;
	b->req.status_len = 1;
}

/* The next request, if there is one: as vring_pop() */
static int request_begin(struct builtin *b)
{
	struct builtin_request *req = &b->req;
	int ret = vring_pop(&b->vring, &req->chain);

	if (ret <= 0)
		return ret;
	req->begun = true;
	req->filled = 0;
	req->status_len = 0;
	req->executed = !b->begin(b);
	return 1;
}

/* All is done but what the device left out of what it may write */
static size_t request_fill(struct builtin *b, size_t budget, bool *more)
{
	struct builtin_request *req = &b->req;
	size_t end = vring_in_len(&req->chain), len;

	*more = false;
	if (!req->status_len)
		return 0;
	end -= req->status_len;
	len = end - req->filled;
	if (len > budget) {
		len = budget;
		*more = true;
	}
	vring_clear(&req->chain, req->filled, len);
	req->filled += len;
	if (!*more) {
		vring_write(&req->chain, end, req->status, req->status_len);
		req->filled = end + req->status_len;
	}
	return len;
}

/* Go on with the request, within @budget, from which what was done is taken */
static int request_step(struct builtin *b, size_t *budget)
{
	struct builtin_request *req = &b->req;
	bool more = false;
	size_t done;

	if (!vring_chain_valid(&b->vring, &req->chain))
		return -EFAULT;
	if (req->executed) {
		done = request_fill(b, *budget, &more);
	} else {
		done = b->step(b, *budget, &more);
		req->executed = !more;
		more = true;
	}
	*budget -= done < *budget ? done : *budget;
	if (more)
		return 0;
	req->begun = false;
	return vring_push(&b->vring, &req->chain, req->filled);
}

/* Carry out what is there, as much as may be done at a time; *@left: there is more */
static int serve_turn(struct builtin *b, bool *left)
{
	size_t budget = BUILTIN_TURN_BYTES;
	unsigned int n = 0;
	int ret;

	*left = false;
	for (;;) {
		ret = b->req.begun ? 1 : request_begin(b);
		if (ret <= 0)
			return ret;
		if (!budget || n == BUILTIN_TURN_REQUESTS) {
			*left = true;
			return 0;
		}
		ret = request_step(b, &budget);
		if (ret)
			return ret;
		if (b->req.begun)
			continue;
		n++;
		if (!b->coalesce && vring_interrupt(&b->vring))
			device_used(&b->dev, 0);
	}
}

/* From the loop, after all others that have something to do */
static void serve_later(struct builtin *b)
{
	static const struct timeval now;

	event_add(b->again, &now);
}

static void serve(struct builtin *b)
{
	bool left;
	int ret = serve_turn(b, &left);

	if (vring_interrupt(&b->vring))
		device_used(&b->dev, 0);
	if (ret < 0)
		device_broken(&b->dev, "the guest's queue is broken");
	else if (left)
		serve_later(b);
}

static void serve_again(evutil_socket_t fd, short what, void *arg)
{
	struct builtin *b = arg;

	(void)fd;
	(void)what;
	if (device_live(&b->dev) && b->dev.queues[0].started)
		serve(b);
}

static bool features_ok(struct device *dev, uint64_t features)
{
	struct builtin *b = to_builtin(dev);

	if (b->accepted)
		b->accepted(b, features);
	return true;
}

static int queue_start(struct device *dev, unsigned int q)
{
	struct builtin *b = to_builtin(dev);
	int ret;

	ret = vring_start(&b->vring, device_memory(dev), &dev->queues[q],
			  device_features(dev));
	/* Some drivers make buffers available, and notify, before DRIVER_OK */
	if (!ret)
		serve_later(b);
	return ret;
}

static int queue_stop(struct device *dev, unsigned int q)
{
	struct builtin *b = to_builtin(dev);

	(void)q;
	event_del(b->again);
	if (b->req.begun)
		vring_drop(&b->vring, &b->req.chain);
	b->req.begun = false;
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

	return b->set ? b->set(b, params, err) : params_unknown(params, err);
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
	.features_ok = features_ok,
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
