// SPDX-License-Identifier: GPL-2.0-only
#include "model/device.h"

#include <errno.h>
#include <stdlib.h>

int device_init(struct device *dev, const struct device_ops *ops,
		const char *name, uint32_t id, unsigned int num_queues,
		uint32_t max_size)
{
	unsigned int i;

	if (num_queues > DEVICE_MAX_QUEUES || max_size > DEVICE_QUEUE_MAX_SIZE)
		return -EINVAL;
	dev->queues = calloc(num_queues ? num_queues : 1, sizeof(*dev->queues));
	if (!dev->queues)
		return -ENOMEM;
	for (i = 0; i < num_queues; i++)
		dev->queues[i].max_size = max_size;
	dev->ops = ops;
	dev->name = name;
	dev->id = id;
	dev->num_queues = num_queues;
	return 0;
}

void device_release(struct device *dev)
{
	log_limit_end(&dev->log);
	free(dev->queues);
	dev->queues = NULL;
}
