// SPDX-License-Identifier: GPL-2.0-only
/*
 * A backend that comes and goes while a driver is at work: whether its requests wait
 * for the next one, and how that goes on with them.
 */
#include "vhost_user/internal.h"

#include <errno.h>
#include <linux/virtio_config.h>

/*
 * A backend that is gone again so often, each time at once and without having
 * completed a request, is not waited for.
 */
#define RESUMES		3

bool vu_resumable(struct vhost_user *vu)
{
	uint64_t now = loop_now_ms();

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

void vu_resume_end(struct vhost_user *vu)
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
	ret = vu_send_features(vu, device_features(&vu->dev));
	if (!ret)
		ret = vu_set_status(vu, VU_STATUS_FEATURES);
	if (!ret)
		ret = vu_config_rewrite(vu);
	if (!ret)
		ret = vu_memory_share(vu);
	return ret ? ret : vu_inflight_share(vu);
}

void vu_resume(struct vhost_user *vu)
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
		ret = vu_set_status(vu, VU_STATUS_FEATURES | VIRTIO_CONFIG_S_DRIVER_OK);
	/* Gone again: the wait goes on, for as long as there was to wait at first */
	if ((ret == -ECONNRESET || ret == -EPIPE) && (!served || vu_resumable(vu))) {
		event_add(vu->grace, &left);
		return;
	}
	vu_resume_end(vu);
	vu->resumed = loop_now_ms();
	vu->resumes++;
	if (ret) {
		device_broken(&vu->dev, "the backend that came back cannot go on");
		return;
	}
	log_limited(&vu->dev.log, "vhost-user %s: the backend goes on where it was", vu->options.path);
	device_config_changed(&vu->dev);
}

void vu_came(struct vhost_user *vu)
{
	if (vu->waiting && device_live(&vu->dev))
		vu->resume_wanted = true;
	else
		device_config_changed(&vu->dev);
	vu_tidy_later(vu);
}

void vu_grace_over(evutil_socket_t fd, short what, void *arg)
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
	if (may_return && vu_resumable(vu)) {
		log_limited(&vu->dev.log, "vhost-user %s: %s; the driver's requests wait for it %u s",
			 vu->options.path, why, vu->options.reconnect_s);
		vu->waiting = true;
		event_add(vu->grace, &wait);
		return;
	}
	if (!vu_unused(vu))
		device_broken(&vu->dev, why);
}
