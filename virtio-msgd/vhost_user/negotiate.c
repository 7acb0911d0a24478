// SPDX-License-Identifier: GPL-2.0-only
/*
 * Features, queues and status: what the driver is offered of what the backend has, and
 * what the backend is told of what the driver chose.
 */
#include "vhost_user/internal.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <string.h>

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

uint64_t vu_backend_features(const struct vhost_user *vu, uint64_t accepted)
{
	uint64_t known = vu->features & ~NOT_OFFERED;

	/* With PROTOCOL_FEATURES, queues begin disabled and are enabled one by one. */
	return (accepted & known) | (vu->features & BIT64(VHOST_USER_F_PROTOCOL_FEATURES));
}

bool vu_published(const struct vhost_user *vu, const struct vu_offer *offer)
{
	const struct device *dev = &vu->dev;

	return dev->features == offer->features && dev->num_queues == offer->num_queues &&
	       dev->config_size == offer->config_size &&
	       dev->config_reported == offer->config_reported;
}

void vu_publish(struct vhost_user *vu)
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

int vu_send_features(struct vhost_user *vu, uint64_t accepted)
{
	int ret = vu_set_u64(vu, VU_SET_FEATURES, vu_backend_features(vu, accepted));

	return ret ? ret : vu_sync(vu);
}

int vu_set_status(struct vhost_user *vu, uint8_t status)
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
