// SPDX-License-Identifier: GPL-2.0-only
/*
 * A vhost-user device as the model sees it. It is in its slot while its backend
 * is there, or while a driver uses it.
 */
#include "vhost_user/internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vhost_user/vhost_user.h"
#include "base/base.h"
#include "model/model.h"

/*
 * Outside of all ops
 */

bool vu_busy(const struct vhost_user *vu)
{
	return vu->dev.home && vu->dev.home->lock.held;
}

/* With the slot locked: be in it or not, as it should be, and what had to wait till now */
static void tidy(struct vhost_user *vu)
{
	struct vu_offer offer = vu_offered(vu);

	if (vu->nonsense && vu->state == VU_READY)
		vu_give_up(vu, vu->nonsense);
	vu->nonsense = NULL;
	if (vu->resume_wanted) {
		vu->resume_wanted = false;
		vu_resume(vu);
	}
	if (!vu_unused(vu) || !vu->dev.home)
		return;
	/* Until the backend lets go of its memory, nothing of the device can go */
	if (vu->state == VU_LINGERING)
		return;
	if (vu->dev.slot && (vu->state != VU_READY || vu->stuck || !vu_published(vu, &offer)))
		device_leave(&vu->dev);
	if (vu->state == VU_READY && !vu->dev.slot)
		vu_publish(vu);
}

static void vu_free(struct vhost_user *vu);

static void tidy_task(void *arg)
{
	struct vhost_user *vu = arg;
	struct slot *slot = vu->dev.home;

	task_lock(&slot->lock);
	vu->tidy_waits = false;
	/* It may have been taken out of there while this waited. */
	if (!vu->destroyed && vu->dev.home == slot)
		tidy(vu);
	task_unlock(&slot->lock);
	/* Not asked with the slot locked, which would be in its own way */
	if (!vu->destroyed && vu->config_again && !vu->config_pending) {
		vu->config_again = false;
		vu_config_changed(vu);
	}
	if (!--vu->users && vu->destroyed)
		vu_free(vu);
}

static void on_tidy(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;

	(void)fd;
	(void)what;
	/* One that waits for its turn will see to all there is; two might be in each other's way */
	if (!vu->dev.home || vu->tidy_waits)
		return;
	vu->tidy_waits = true;
	vu->users++;
	task_run(tidy_task, vu);
}

void vu_tidy_later(struct vhost_user *vu)
{
	/*
	 * Before the driver's next access: what has been reset is soon in use again. From
	 * its own callback this comes at most once more, when there is nothing left to do.
	 */
	event_active(vu->tidy, 0, 0);
}

/*
 * Device ops
 */

static bool features_ok(struct device *dev, uint64_t features)
{
	struct vhost_user *vu = to_vhost_user(dev);

	vu_begin(vu);
	vu->touched = true;
	if (!vu_send_features(vu, features) && !vu_set_status(vu, VU_STATUS_FEATURES))
		return true;
	log_limited(&vu->dev.log, "vhost-user %s: %s features %#llx", vu->options.path,
		    vu->state == VU_READY ? "the backend refuses" : "no backend to take",
		    (unsigned long long)vu_backend_features(vu, features));
	return false;
}

/* A driver that has no requests yet is told at once that there is no backend for them. */
static int started(struct vhost_user *vu, int ret)
{
	if (!ret)
		return 0;
	vu_resume_end(vu);
	vu->to_start = 0;
	return ret;
}

static int start(struct device *dev)
{
	struct vhost_user *vu = to_vhost_user(dev);
	unsigned int q;
	int ret;

	vu_begin(vu);
	vu->to_start = 0;
	for (q = 0; q < vu_num_backend_queues(vu); q++)
		vu->to_start += dev->queues[q].enabled;
	ret = vu_memory_share(vu);
	if (!ret)
		ret = vu_inflight_share(vu);
	if (!ret && !vu->to_start)
		ret = vu_set_status(vu, VU_STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
	return started(vu, ret);
}

static int queue_start(struct device *dev, unsigned int q)
{
	struct vhost_user *vu = to_vhost_user(dev);
	bool starting = vu->to_start;
	int ret;

	if (q >= vu_num_backend_queues(vu))
		return 0;
	vu_begin(vu);
	ret = vu->waiting ? -ENOTCONN : vu_queue_start(vu, q, false);
	/* The last one: the device as a whole is at work */
	if (!ret && vu->to_start && !--vu->to_start)
		ret = vu_set_status(vu, VU_STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
	if (starting)
		return started(vu, ret);
	/* It is gone, and vu_resume() is going to start the queue at the next one */
	return vu->waiting ? 0 : ret;
}

/*
 * A queue was reset by itself. A backend clears the record of a split ring when it
 * stops that. Where none did so, or of a packed ring, the record speaks of requests
 * that are no more.
 */
static void queue_was_reset(struct vhost_user *vu)
{
	if (vu->inflight_fd < 0 || !(vu->waiting || vu_packed(vu)))
		return;
	vu_inflight_drop(vu);
	if (vu->waiting && !vu_resumable(vu)) {
		vu_resume_end(vu);
		device_broken(&vu->dev, "only the record of a queue that was reset says how to go on");
	}
}

static int queue_stop(struct device *dev, unsigned int q)
{
	struct vhost_user *vu = to_vhost_user(dev);
	int ret;

	vu_begin(vu);
	ret = vu_queue_stop(vu, q, NULL);
	if (!ret) {
		/* The guest takes a ring's grants back only when they are not mapped. */
		dev->queues[q].enabled = false;
		ret = vu_memory_trim(vu);
		/* A backend that is gone has nothing mapped */
		if (vu->state == VU_ABSENT)
			ret = 0;
		dev->queues[q].enabled = ret;
	}
	if (ret) {
		vu->stuck = vu->state == VU_LINGERING;
		return ret;
	}
	vu_queue_close(vu, q);
	if (!dev->slot->resetting)
		queue_was_reset(vu);
	return 0;
}

/* Granted rings stay where they are: the next backend has the same ones. */
static int64_t queue_suspend(struct device *dev, unsigned int q)
{
	struct vhost_user *vu = to_vhost_user(dev);
	int64_t base;
	int ret;

	vu_begin(vu);
	ret = vu_queue_stop(vu, q, &base);
	if (ret)
		return ret;
	vu_queue_close(vu, q);
	return base;
}

static void kick(struct device *dev, unsigned int q, uint32_t data)
{
	(void)data;
	vu_queue_kick(to_vhost_user(dev), q);
}

static int reset_backend(struct vhost_user *vu)
{
	int ret = 0;

	if (vu_has(vu, VU_PROTOCOL_F_STATUS)) {
		ret = vu_set_status(vu, 0);
	} else if (vu_has(vu, VU_PROTOCOL_F_RESET_DEVICE)) {
		struct vu_msg msg;

		ret = vu_set(vu, &msg, VU_RESET_DEVICE, 0, NULL, 0);
	}
	if (!ret)
		ret = vu_memory_unshare(vu);
	return ret ? ret : vu_sync(vu);
}

static int reset(struct device *dev)
{
	struct vhost_user *vu = to_vhost_user(dev);
	int ret = 0;

	vu_resume_end(vu);
	vu_inflight_drop(vu);
	vu_config_forget(vu);
	vu_tidy_later(vu);
	vu_begin(vu);
	if (vu->state == VU_READY && vu->touched)
		ret = reset_backend(vu);
	if (ret && vu->state == VU_READY)
		vu_give_up(vu, "the backend does not reset");
	vu->stuck = vu->state == VU_LINGERING;
	if (vu->stuck)
		return -EBUSY;
	vu->touched = false;
	return 0;
}

static void attached(struct device *dev)
{
	vu_connect_start(to_vhost_user(dev));
}

static void vu_free(struct vhost_user *vu)
{
	device_release(&vu->dev);
	free(vu->queues);
	free(vu);
}

static void destroy(struct device *dev)
{
	struct vhost_user *vu = to_vhost_user(dev);
	unsigned int q;

	if (vu->timer)
		vu_connect_stop(vu);
	vu_connect_free(vu);
	for (q = 0; vu->queues && q < DEVICE_MAX_QUEUES; q++)
		vu_queue_close(vu, q);
	if (vu->failed)
		event_free(vu->failed);
	if (vu->error >= 0)
		close(vu->error);
	if (vu->grace)
		event_free(vu->grace);
	if (vu->tidy)
		event_free(vu->tidy);
	vu_inflight_drop(vu);
	vu_options_free(&vu->options);
	vu->destroyed = true;
	if (!vu->users)
		vu_free(vu);
}

static const struct device_ops vhost_user_ops = {
	.config_read = vu_config_read,
	.config_write = vu_config_write,
	.features_ok = features_ok,
	.start = start,
	.queue_start = queue_start,
	.queue_stop = queue_stop,
	.queue_suspend = queue_suspend,
	.kick = kick,
	.reset = reset,
	.attached = attached,
	.destroy = destroy,
};

/* What destroy() undoes, also after a failure */
static int init(struct vhost_user *vu)
{
	unsigned int q;

	vu->inflight_fd = -1;
	vu->error = -1;
	vu->queues = calloc(DEVICE_MAX_QUEUES, sizeof(*vu->queues));
	vu->grace = evtimer_new(loop, vu_grace_over, vu);
	vu->tidy = evtimer_new(loop, on_tidy, vu);
	if (vu_connect_init(vu) || !vu->queues || !vu->grace || !vu->tidy)
		return -ENOMEM;
	for (q = 0; q < DEVICE_MAX_QUEUES; q++)
		vu->queues[q] = (struct vu_queue) { .kick = -1, .call = -1 };
	if (device_init(&vu->dev, &vhost_user_ops, vu->options.kind->name, vu->options.id,
			DEVICE_MAX_QUEUES, 0))
		return -ENOMEM;
	vu->dev.waits = true;
	/* How many there are the backend says */
	vu->dev.num_queues = 0;
	return 0;
}

static const struct vu_kind *choose_kind(struct params *params, struct errmsg *err)
{
	const char *name = params_get(params, "device");
	const struct vu_kind *kind;
	char names[128];

	if (!strcmp(name, "vhost-user"))
		name = params_get(params, "type");
	kind = name ? vu_kind_find(name) : NULL;
	if (!kind) {
		vu_kind_names(names, sizeof(names));
		errmsg_set(err, "device=vhost-user needs type=TYPE, one of %s", names);
	}
	return kind;
}

static struct device *vhost_user_create(struct params *params, struct errmsg *err)
{
	const struct vu_kind *kind = choose_kind(params, err);
	struct vhost_user *vu;

	if (!kind)
		return NULL;
	vu = calloc(1, sizeof(*vu));
	if (!vu) {
		errmsg_set(err, "out of memory");
		return NULL;
	}
	if (vu_options_parse(&vu->options, kind, params, err)) {
		free(vu);
		return NULL;
	}
	if (init(vu)) {
		errmsg_set(err, "out of memory");
		destroy(&vu->dev);
		return NULL;
	}
	return &vu->dev;
}

bool device_is_vhost_user(const char *name)
{
	return vu_kind_find(name);
}

const struct device_kind device_vhost_user = {
	.name = "vhost-user",
	.create = vhost_user_create,
};
