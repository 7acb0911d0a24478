// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's memory, handed to the backend by descriptors.
 */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"
#include "vhost_user/internal.h"

/**
 * struct table - regions to hand over
 * @fds: one for each
 * @own_fds: they were made for this, and are closed after sending
 */
struct table {
	struct vu_region regions[VU_MAX_REGIONS];
	int fds[VU_MAX_REGIONS];
	unsigned int num;
	bool own_fds;
};

/* Grant references have 32 bits */
#define GRANTS_END	(MEMORY_GRANT + (1ULL << 32) * 4096)

bool vu_memory_possible(const struct vhost_user *vu, const char **why)
{
	const struct memory *mem = device_memory(&vu->dev);

	*why = "the backend does not offer XEN_MMAP, and so cannot map a Xen guest's memory";
	return !mem || !mem->xen || vu_has(vu, VU_PROTOCOL_F_XEN_MMAP);
}

static bool granted(const struct vhost_user *vu)
{
	const struct memory *mem = device_memory(&vu->dev);

	return mem && mem->xen && mem->xen->grants;
}

uint64_t vu_memory_user_addr(const struct vhost_user *vu, uint64_t addr)
{
	if (granted(vu))
		return addr;
	/* Regions are mapped here as long as they are known; nothing to put */
	return (uintptr_t)memory_get(device_memory(&vu->dev), addr, 1, false);
}

static int add_region(struct table *table, uint64_t gpa, uint64_t size, uint64_t user_addr,
		      int fd)
{
	if (table->num == VU_MAX_REGIONS) {
		if (table->own_fds && fd >= 0)
			close(fd);
		return -ENOSPC;
	}
	if (fd < 0)
		return fd;
	table->regions[table->num] = (struct vu_region) {
		.guest_addr = gpa,
		.size = size,
		.user_addr = user_addr,
	};
	table->fds[table->num++] = fd;
	return 0;
}

static int add_memory(struct vhost_user *vu, struct table *table, const struct memory_xen *xen)
{
	struct memory *mem = device_memory(&vu->dev);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < mem->num_regions && !ret; i++) {
		const struct memory_region *r = &mem->regions[i];

		ret = add_region(table, r->gpa, r->size, (uintptr_t)r->host,
				 xen ? mem->ops->share(mem) : r->fd);
		if (ret)
			break;
		if (!xen) {
			table->regions[i].mmap_offset = r->offset;
			continue;
		}
		table->regions[i].xen_flags = VU_XEN_FOREIGN;
		table->regions[i].xen_domid = xen->domid;
	}
	return ret;
}

/*
 * Grants: rings are mapped as long as they are served, the rest is mapped by
 * the backend when a request names it, so the regions cover all there can be.
 */

struct span {
	uint64_t start;
	uint64_t end;
};

#define MAX_SPANS	(3 * VU_MAX_REGIONS)

static void add_span(struct span *spans, unsigned int *num, uint64_t addr, uint64_t len)
{
	struct span new = { addr & ~4095ULL, (addr + len + 4095) & ~4095ULL };
	unsigned int i, j;

	if (*num == MAX_SPANS)
		return;
	for (i = 0; i < *num && spans[i].start < new.start; i++)
		;
	for (j = (*num)++; j > i; j--)
		spans[j] = spans[j - 1];
	spans[i] = new;
}

/* Spans that touch or overlap become one */
static unsigned int join_spans(struct span *spans, unsigned int num)
{
	unsigned int i, out = 0;

	for (i = 1; i < num; i++) {
		if (spans[i].start > spans[out].end)
			spans[++out] = spans[i];
		else if (spans[i].end > spans[out].end)
			spans[out].end = spans[i].end;
	}
	return num ? out + 1 : 0;
}

static unsigned int ring_spans(const struct vhost_user *vu, struct span *spans)
{
	bool packed = vu_packed(vu);
	unsigned int q, num = 0;

	for (q = 0; q < vu_num_backend_queues(vu); q++) {
		const struct device_queue *queue = &vu->dev.queues[q];
		uint64_t event = sizeof(struct vring_packed_desc_event);

		if (!queue->enabled)
			continue;
		add_span(spans, &num, queue->desc, queue->size * sizeof(struct vring_desc));
		add_span(spans, &num, queue->driver, packed ? event : 6 + 2ULL * queue->size);
		add_span(spans, &num, queue->device, packed ? event : 6 + 8ULL * queue->size);
	}
	return join_spans(spans, num);
}

static int add_grants(struct vhost_user *vu, struct table *table, const struct memory_xen *xen)
{
	struct memory *mem = device_memory(&vu->dev);
	struct span spans[MAX_SPANS];
	unsigned int i, num = ring_spans(vu, spans);
	uint64_t at = MEMORY_GRANT;
	int ret = 0;

	for (i = 0; i <= num && !ret; i++) {
		uint64_t end = i < num ? spans[i].start : GRANTS_END;

		if (end > at) {
			ret = add_region(table, at, end - at, at, mem->ops->share(mem));
			if (ret)
				break;
			table->regions[table->num - 1].xen_flags = VU_XEN_GRANT |
								   VU_XEN_NO_ADVANCE_MAP;
		}
		if (i < num) {
			ret = add_region(table, end, spans[i].end - end, end,
					 mem->ops->share(mem));
			if (!ret)
				table->regions[table->num - 1].xen_flags = VU_XEN_GRANT;
			at = spans[i].end;
		}
	}
	for (i = 0; i < table->num; i++)
		table->regions[i].xen_domid = xen->domid;
	return ret;
}

static void table_free(struct table *table)
{
	unsigned int i;

	for (i = 0; table->own_fds && i < table->num; i++)
		close(table->fds[i]);
}

static int table_fill(struct vhost_user *vu, struct table *table)
{
	const struct memory_xen *xen = device_memory(&vu->dev)->xen;
	int ret;

	table->num = 0;
	table->own_fds = xen;
	if (xen && xen->grants)
		ret = add_grants(vu, table, xen);
	else
		ret = add_memory(vu, table, xen);
	if (!ret && !table->num)
		ret = -EFAULT;
	if (ret)
		table_free(table);
	return ret;
}

static uint32_t region_size(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_XEN_MMAP) ? VU_REGION_SIZE_XEN : VU_REGION_SIZE;
}

static int send_table(struct vhost_user *vu, const struct table *table)
{
	uint32_t size = region_size(vu);
	struct vu_msg msg;
	unsigned int i;

	msg.regions.num = table->num;
	msg.regions.padding = 0;
	for (i = 0; i < table->num; i++)
		memcpy(msg.regions.regions + i * size, &table->regions[i], size);
	return vu_set(vu, &msg, VU_SET_MEM_TABLE, VU_REGIONS_HEADER + table->num * size,
		      table->fds, table->num);
}

static int send_region(struct vhost_user *vu, enum vu_request request,
		       const struct vu_region *region, const int *fd)
{
	uint32_t size = region_size(vu);
	struct vu_msg msg;

	memset(msg.bytes, 0, VU_REGIONS_HEADER);
	memcpy(msg.bytes + VU_REGIONS_HEADER, region, size);
	return vu_set(vu, &msg, request, VU_REGIONS_HEADER + size, fd, fd ? 1 : 0);
}

/* One by one, if the backend can: then it can let go of them one by one, too. */
static bool one_by_one(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS) && !granted(vu);
}

static int remove_regions(struct vhost_user *vu)
{
	int ret = 0;

	while (vu->num_regions && !ret)
		ret = send_region(vu, VU_REM_MEM_REG, &vu->regions[--vu->num_regions], NULL);
	return ret;
}

static int add_regions(struct vhost_user *vu, const struct table *table)
{
	unsigned int i;
	int ret = 0;

	if (table->num > vu->mem_slots)
		return -ENOSPC;
	for (i = 0; i < table->num && !ret; i++)
		ret = send_region(vu, VU_ADD_MEM_REG, &table->regions[i], &table->fds[i]);
	return ret;
}

static bool has_table(const struct vhost_user *vu, const struct table *table)
{
	return vu->num_regions == table->num &&
	       vu->shared == device_memory(&vu->dev)->generation &&
	       !memcmp(vu->regions, table->regions, table->num * sizeof(table->regions[0]));
}

int vu_memory_share(struct vhost_user *vu)
{
	struct table table;
	int ret = table_fill(vu, &table);

	if (ret)
		return ret;
	if (!has_table(vu, &table)) {
		ret = one_by_one(vu) ? remove_regions(vu) : 0;
		if (!ret)
			ret = one_by_one(vu) ? add_regions(vu, &table) : send_table(vu, &table);
		if (!ret) {
			memcpy(vu->regions, table.regions, sizeof(table.regions));
			vu->num_regions = table.num;
			vu->shared = device_memory(&vu->dev)->generation;
		}
	}
	table_free(&table);
	return ret;
}

bool vu_memory_granted(const struct vhost_user *vu)
{
	return vu->num_regions && granted(vu);
}

int vu_memory_trim(struct vhost_user *vu)
{
	int ret;

	if (vu->state != VU_READY || !vu_memory_granted(vu))
		return 0;
	ret = vu_memory_share(vu);
	return ret ? ret : vu_sync(vu);
}

int vu_memory_unshare(struct vhost_user *vu)
{
	if (vu->num_regions && one_by_one(vu))
		return remove_regions(vu);
	return vu_memory_trim(vu);
}
