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

/* Bits of VIRTIO_F_ that not all installed headers have */
#define NOTIFICATION_DATA	38
#define NOTIF_CONFIG_DATA	39
#define ADMIN_VQ		41

/*
 * Features that a frontend has to take part in, and does not: addresses through
 * an IOTLB (the memory table speaks of the guest's addresses, also where they
 * are grants), values with notifications, administration queues, logging.
 */
#define NOT_OFFERED	(BIT64(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT64(VHOST_F_LOG_ALL) | \
			 BIT64(VIRTIO_F_ANY_LAYOUT) | \
			 BIT64(VHOST_USER_F_PROTOCOL_FEATURES) | \
			 BIT64(VIRTIO_F_ACCESS_PLATFORM) | BIT64(VIRTIO_F_SR_IOV) | \
			 BIT64(NOTIFICATION_DATA) | BIT64(NOTIF_CONFIG_DATA) | \
			 BIT64(ADMIN_VQ))

/*
 * A backend that is gone again so often, each time at once and without having
 * completed a request, is not waited for.
 */
#define RESUMES		3

#define STATUS_FEATURES	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
			 VIRTIO_CONFIG_S_FEATURES_OK)

static unsigned int offered_queues(const struct vhost_user *vu)
{
	const struct vu_options *opts = &vu->options;
	unsigned int room = DEVICE_MAX_QUEUES - opts->kind->unserved;

	if (opts->queues)
		return opts->queues;
	if (!vu->max_queues)
		return opts->kind->queues;
	return vu->max_queues < room ? vu->max_queues : room;
}

unsigned int vu_num_backend_queues(const struct vhost_user *vu)
{
	/* What a driver was told stays true while the next backend is asked */
	if (vu->dev.slot)
		return vu->dev.num_queues - vu->options.kind->unserved;
	return offered_queues(vu);
}

struct vu_offer vu_offered(const struct vhost_user *vu)
{
	const struct vu_options *opts = &vu->options;
	bool own_config = !vu_has(vu, VU_PROTOCOL_F_CONFIG) || !vu->config_size;
	struct vu_offer offer = {
		.features = vu->features & ~(NOT_OFFERED | opts->kind->not_offered),
		.num_queues = offered_queues(vu) + opts->kind->unserved,
		.config_size = own_config ? opts->config_size : vu->config_size,
		.config_reported = own_config || vu_has(vu, VU_PROTOCOL_F_BACKEND_REQ),
	};

	/* A field that nobody fills is not announced */
	if (own_config)
		offer.features &= ~(opts->kind->config_features & ~opts->filled);
	offer.features |= opts->features;
	/* A queue that is stopped and started anew is what every backend knows. */
	if (opts->ring_reset)
		offer.features |= BIT64(VIRTIO_F_RING_RESET);
	return offer;
}

/* What the backend is to know of the features that the driver accepted */
static uint64_t backend_features(const struct vhost_user *vu, uint64_t accepted)
{
	uint64_t known = vu->features & ~NOT_OFFERED;

	/* With PROTOCOL_FEATURES, queues begin disabled and are enabled one by one. */
	return (accepted & known) | (vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES));
}

/*
 * Nobody uses the device, or who did has given it up: said so, or tried to reset
 * it in vain.
 */
static bool unused(const struct vhost_user *vu)
{
	uint8_t status = vu->dev.slot ? vu->dev.slot->status : 0;

	return !status || status & VIRTIO_CONFIG_S_FAILED || vu->stuck;
}

/*
 * What the driver sees
 */

static bool published(const struct vhost_user *vu, const struct vu_offer *offer)
{
	const struct device *dev = &vu->dev;

	return dev->features == offer->features && dev->num_queues == offer->num_queues &&
	       dev->config_size == offer->config_size &&
	       dev->config_reported == offer->config_reported;
}

static void publish(struct vhost_user *vu)
{
	struct vu_offer offer = vu_offered(vu);
	struct device *dev = &vu->dev;
	unsigned int q;

	dev->features = offer.features;
	dev->num_queues = offer.num_queues;
	dev->config_size = offer.config_size;
	dev->config_reported = offer.config_reported;
	for (q = 0; q < dev->num_queues; q++)
		dev->queues[q].max_size = vu->options.queue_size;
	if (!vu_has(vu, VU_PROTOCOL_F_CONFIG) || !vu->config_size)
		memcpy(vu->config, vu->options.config, sizeof(vu->config));
	vu->options.kind->adjust_config(&vu->options, vu_num_backend_queues(vu), vu->config,
					dev->config_size);
	device_arrive(dev);
}

/*
 * A backend that comes back to a driver that is at work
 */

static bool resumable(struct vhost_user *vu)
{
	uint64_t now = vu_now_ms();

	if (now - vu->resumed > vu->options.reconnect_s * 1000ULL || vu_queues_moved(vu))
		vu->resumes = 0;
	if (vu->resumes == RESUMES || !vu->options.reconnect_s || !device_live(&vu->dev))
		return false;
	if (vu->inflight_fd >= 0)
		return true;
	/* These do not tell how far the backend came */
	if (vu_packed(vu))
		return false;
	switch (vu->options.kind->resume) {
	case VU_RESUME_REPEAT:
		return true;
	case VU_RESUME_IDLE:
		return vu_queues_idle(vu);
	default:
		return false;
	}
}

static int send_features(struct vhost_user *vu, uint64_t accepted)
{
	int ret = vu_set_u64(vu, VU_SET_FEATURES, backend_features(vu, accepted));

	return ret ? ret : vu_sync(vu);
}

/* The backend's status, where it has one: it has to agree to @status. */
static int set_status(struct vhost_user *vu, uint8_t status)
{
	uint64_t now;
	int ret;

	if (!vu_has(vu, VU_PROTOCOL_F_STATUS))
		return 0;
	ret = vu_set_u64(vu, VU_SET_STATUS, status);
	if (!ret)
		ret = vu_get_u64(vu, VU_GET_STATUS, &now);
	if (!ret && (status ? now & (status | VIRTIO_CONFIG_S_NEEDS_RESET) : now) != status)
		ret = -EREMOTEIO;
	return ret;
}

static int resume_queues(struct vhost_user *vu)
{
	unsigned int q;
	int ret = 0;

	for (q = 0; q < vu_num_backend_queues(vu) && !ret; q++) {
		if (vu->dev.queues[q].started)
			ret = vu_queue_start(vu, q, true);
	}
	return ret;
}

/*
 * Whether the driver can go on with what it was told of the backend before, and
 * the backend with what is recorded of the requests
 */
static bool fits(const struct vhost_user *vu)
{
	struct vu_offer offer = vu_offered(vu);
	uint64_t accepted = device_features(&vu->dev) & vu->dev.features;

	return !(accepted & ~offer.features) && offer.num_queues >= vu->dev.num_queues &&
	       offer.config_size == vu->dev.config_size &&
	       (vu->inflight_fd < 0 || vu_has(vu, VU_PROTOCOL_F_INFLIGHT_SHMFD));
}

static void stop_waiting(struct vhost_user *vu)
{
	vu->waiting = false;
	event_del(vu->grace);
}

/* All that comes before it may look at a ring */
static int prepare_resume(struct vhost_user *vu)
{
	int ret;

	if (!fits(vu))
		return -EINVAL;
	vu->touched = true;
	ret = send_features(vu, device_features(&vu->dev));
	if (!ret)
		ret = set_status(vu, STATUS_FEATURES);
	if (!ret)
		ret = vu_config_rewrite(vu);
	if (!ret)
		ret = vu_memory_share(vu);
	return ret ? ret : vu_inflight_share(vu);
}

/* In a task, with the slot locked */
static void resume(struct vhost_user *vu)
{
	struct timeval until, now, left = { 0 };
	bool served = false;
	int ret;

	if (vu->state != VU_READY || !vu->waiting || !device_live(&vu->dev))
		return;
	/* It is there: how long it takes is for its answers to say */
	event_pending(vu->grace, EV_TIMEOUT, &until);
	event_del(vu->grace);
	event_base_gettimeofday_cached(loop, &now);
	if (evutil_timercmp(&until, &now, >))
		evutil_timersub(&until, &now, &left);
	vu_begin(vu);
	ret = prepare_resume(vu);
	if (!ret) {
		served = true;
		ret = resume_queues(vu);
	}
	if (!ret)
		ret = set_status(vu, STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
	/* Gone again: the wait goes on, for as long as there was to wait at first */
	if ((ret == -ECONNRESET || ret == -EPIPE) && (!served || resumable(vu))) {
		event_add(vu->grace, &left);
		return;
	}
	stop_waiting(vu);
	vu->resumed = vu_now_ms();
	vu->resumes++;
	if (ret) {
		device_broken(&vu->dev, "the backend that came back cannot go on");
		return;
	}
	log_limited(&vu->dev.log, "vhost-user %s: the backend goes on where it was", vu->options.path);
	device_config_changed(&vu->dev);
}

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
		resume(vu);
	}
	if (!unused(vu) || !vu->dev.home)
		return;
	/* Until the backend lets go of its memory, nothing of the device can go */
	if (vu->state == VU_LINGERING)
		return;
	if (vu->dev.slot && (vu->state != VU_READY || vu->stuck || !published(vu, &offer)))
		device_leave(&vu->dev);
	if (vu->state == VU_READY && !vu->dev.slot)
		publish(vu);
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

void vu_came(struct vhost_user *vu)
{
	if (vu->waiting && device_live(&vu->dev))
		vu->resume_wanted = true;
	else
		device_config_changed(&vu->dev);
	vu_tidy_later(vu);
}

static void grace_over(evutil_socket_t fd, short what, void *arg)
{
	struct vhost_user *vu = arg;

	(void)fd;
	(void)what;
	vu->waiting = false;
	device_broken(&vu->dev, "the backend did not come back in time");
}

void vu_went(struct vhost_user *vu, const char *why, bool may_return)
{
	struct timeval wait = { .tv_sec = vu->options.reconnect_s };

	vu_tidy_later(vu);
	if (vu->waiting)
		return;
	if (may_return && resumable(vu)) {
		log_limited(&vu->dev.log, "vhost-user %s: %s; the driver's requests wait for it %u s",
			 vu->options.path, why, vu->options.reconnect_s);
		vu->waiting = true;
		event_add(vu->grace, &wait);
		return;
	}
	if (!unused(vu))
		device_broken(&vu->dev, why);
}

/*
 * Device ops
 */

static bool features_ok(struct device *dev, uint64_t features)
{
	struct vhost_user *vu = to_vhost_user(dev);

	vu_begin(vu);
	vu->touched = true;
	if (!send_features(vu, features) && !set_status(vu, STATUS_FEATURES))
		return true;
	log_limited(&vu->dev.log, "vhost-user %s: %s features %#llx", vu->options.path,
		    vu->state == VU_READY ? "the backend refuses" : "no backend to take",
		    (unsigned long long)backend_features(vu, features));
	return false;
}

/* A driver that has no requests yet is told at once that there is no backend for them. */
static int started(struct vhost_user *vu, int ret)
{
	if (!ret)
		return 0;
	stop_waiting(vu);
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
		ret = set_status(vu, STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
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
		ret = set_status(vu, STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
	if (starting)
		return started(vu, ret);
	/* It is gone, and resume() is going to start the queue at the next one */
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
	if (vu->waiting && !resumable(vu)) {
		stop_waiting(vu);
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
		ret = set_status(vu, 0);
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

	stop_waiting(vu);
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
	vu->grace = evtimer_new(loop, grace_over, vu);
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
