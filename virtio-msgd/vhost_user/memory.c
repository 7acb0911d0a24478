// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's memory, handed to the backend by descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/model.h"
#include "vhost_user/internal.h"

/* Rings have three parts, between and around which are other grants */
#define MAX_SPANS	(3 * DEVICE_MAX_QUEUES)

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

static int add_region(struct vu_table *table, const struct vu_region *region)
{
	struct vu_region *regions;

	regions = reallocarray(table->regions, table->num + 1, sizeof(*regions));
	if (!regions)
		return -ENOMEM;
	table->regions = regions;
	regions[table->num++] = *region;
	return 0;
}

static void table_free(struct vu_table *table)
{
	free(table->regions);
	*table = (struct vu_table) { NULL, 0 };
}

static int add_memory(struct vhost_user *vu, struct vu_table *table)
{
	const struct memory *mem = device_memory(&vu->dev);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < mem->num_regions && !ret; i++) {
		const struct memory_region *r = &mem->regions[i];
		struct vu_region region = {
			.guest_addr = r->gpa,
			.size = r->size,
			.user_addr = (uintptr_t)r->host,
		};

		/* The protocol has no word for those: a backend maps all of it to write */
		if (r->read_only)
			continue;
		if (mem->xen) {
			region.xen_flags = VU_XEN_FOREIGN;
			region.xen_domid = mem->xen->domid;
		} else {
			region.mmap_offset = r->offset;
		}
		ret = add_region(table, &region);
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

static void add_span(struct span *spans, unsigned int *num, uint64_t addr, uint64_t len)
{
	struct span new = { addr & ~4095ULL, (addr + len + 4095) & ~4095ULL };
	unsigned int i, j;

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

static int add_grant_region(struct vhost_user *vu, struct vu_table *table, uint64_t start,
			    uint64_t end, uint32_t flags)
{
	struct vu_region region = {
		.guest_addr = start,
		.size = end - start,
		.user_addr = start,
		.xen_flags = VU_XEN_GRANT | flags,
		.xen_domid = device_memory(&vu->dev)->xen->domid,
	};

	return end > start ? add_region(table, &region) : 0;
}

static int add_grants(struct vhost_user *vu, struct vu_table *table)
{
	struct span *spans = calloc(MAX_SPANS, sizeof(*spans));
	unsigned int i, num = spans ? ring_spans(vu, spans) : 0;
	uint64_t at = MEMORY_GRANT;
	int ret = spans ? 0 : -ENOMEM;

	for (i = 0; i < num && !ret; i++) {
		ret = add_grant_region(vu, table, at, spans[i].start, VU_XEN_NO_ADVANCE_MAP);
		if (!ret)
			ret = add_grant_region(vu, table, spans[i].start, spans[i].end, 0);
		at = spans[i].end;
	}
	if (!ret)
		ret = add_grant_region(vu, table, at, GRANTS_END, VU_XEN_NO_ADVANCE_MAP);
	free(spans);
	return ret;
}

static int table_fill(struct vhost_user *vu, struct vu_table *table)
{
	int ret = granted(vu) ? add_grants(vu, table) : add_memory(vu, table);

	if (!ret && !table->num)
		ret = -EFAULT;
	if (ret)
		table_free(table);
	return ret;
}

/*
 * Handing over
 */

static uint32_t region_size(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_XEN_MMAP) ? VU_REGION_SIZE_XEN : VU_REGION_SIZE;
}

/* A descriptor for the region, to be closed by the caller; -errno */
static int region_fd(const struct vhost_user *vu, const struct vu_region *region)
{
	const struct memory *mem = device_memory(&vu->dev);
	unsigned int i;
	int fd = -1;

	if (mem->xen)
		return mem->ops->share(mem);
	for (i = 0; i < mem->num_regions && fd < 0; i++) {
		if (mem->regions[i].gpa == region->guest_addr)
			fd = fcntl(mem->regions[i].fd, F_DUPFD_CLOEXEC, 0);
	}
	return fd < 0 ? -EBADF : fd;
}

static int send_table(struct vhost_user *vu, const struct vu_table *table)
{
	uint32_t size = region_size(vu);
	int fds[VU_MAX_REGIONS] = { 0 }, ret = 0;
	unsigned int i, num = 0;
	struct vu_msg msg;

	msg.regions.num = table->num;
	msg.regions.padding = 0;
	for (; num < table->num && !ret; num++) {
		memcpy(msg.regions.regions + num * size, &table->regions[num], size);
		fds[num] = region_fd(vu, &table->regions[num]);
		ret = fds[num] < 0 ? fds[num] : 0;
	}
	if (!ret)
		ret = vu_set(vu, &msg, VU_SET_MEM_TABLE, VU_REGIONS_HEADER + num * size, fds, num);
	for (i = 0; i < num; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return ret;
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

static bool one_by_one(const struct vhost_user *vu)
{
	return vu_has(vu, VU_PROTOCOL_F_CONFIGURE_MEM_SLOTS);
}

static bool has_region(const struct vu_table *table, const struct vu_region *region)
{
	unsigned int i;

	for (i = 0; i < table->num; i++) {
		if (!memcmp(&table->regions[i], region, sizeof(*region)))
			return true;
	}
	return false;
}

/* Of what it has, those that are not in @keep */
static int remove_regions(struct vhost_user *vu, const struct vu_table *keep)
{
	struct vu_table *has = &vu->table;
	unsigned int i = 0;
	int ret = 0;

	while (i < has->num && !ret) {
		if (has_region(keep, &has->regions[i])) {
			i++;
			continue;
		}
		ret = send_region(vu, VU_REM_MEM_REG, &has->regions[i], NULL);
		if (!ret)
			has->regions[i] = has->regions[--has->num];
	}
	return ret;
}

static int add_regions(struct vhost_user *vu, const struct vu_table *table)
{
	unsigned int i;
	int fd, ret = 0;

	for (i = 0; i < table->num && !ret; i++) {
		if (has_region(&vu->table, &table->regions[i]))
			continue;
		fd = region_fd(vu, &table->regions[i]);
		if (fd < 0)
			return fd;
		ret = send_region(vu, VU_ADD_MEM_REG, &table->regions[i], &fd);
		close(fd);
		if (!ret)
			ret = add_region(&vu->table, &table->regions[i]);
	}
	return ret;
}

/*
 * One by one, what it has already stays where it is: other queues may be at work in it.
 * A hole around the ring of a queue that is reset or set up while others run is unlike
 * that of a table for a moment in two pieces.
 */
static int replace_regions(struct vhost_user *vu, const struct vu_table *table)
{
	static const struct vu_table nothing;
	int ret;

	ret = remove_regions(vu, vu->shared == device_memory(&vu->dev)->generation ? table :
									       &nothing);
	return ret ? ret : add_regions(vu, table);
}

/* How many regions the backend takes */
static uint64_t max_regions(const struct vhost_user *vu)
{
	return one_by_one(vu) ? vu->mem_slots : VU_MAX_REGIONS;
}

static int too_many(struct vhost_user *vu, const struct vu_table *table)
{
	log_limited(&vu->dev.log,
		    "vhost-user %s: the guest's memory is in %u regions, and this backend takes %llu%s",
		    vu->options.path, table->num, (unsigned long long)max_regions(vu),
		    one_by_one(vu) ? "" : " (it does not offer CONFIGURE_MEM_SLOTS)");
	return -ENOSPC;
}

static bool has_table(const struct vhost_user *vu, const struct vu_table *table)
{
	unsigned int i;

	if (vu->table.num != table->num || vu->shared != device_memory(&vu->dev)->generation)
		return false;
	for (i = 0; i < table->num; i++) {
		if (!has_region(&vu->table, &table->regions[i]))
			return false;
	}
	return true;
}

static int share(struct vhost_user *vu, struct vu_table *table)
{
	/* It may change while the backend is waited for */
	uint64_t generation = device_memory(&vu->dev)->generation;
	int ret;

	if (table->num > max_regions(vu))
		return too_many(vu, table);
	if (one_by_one(vu)) {
		ret = replace_regions(vu, table);
	} else {
		ret = send_table(vu, table);
		if (!ret) {
			table_free(&vu->table);
			vu->table = *table;
			*table = (struct vu_table) { NULL, 0 };
		}
	}
	if (!ret)
		vu->shared = generation;
	return ret;
}

int vu_memory_share(struct vhost_user *vu)
{
	struct vu_table table = { NULL, 0 };
	int ret = table_fill(vu, &table);

	if (!ret && !has_table(vu, &table))
		ret = share(vu, &table);
	table_free(&table);
	return ret;
}

void vu_memory_forget(struct vhost_user *vu)
{
	table_free(&vu->table);
}

bool vu_memory_granted(const struct vhost_user *vu)
{
	return vu->table.num && granted(vu);
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
	static const struct vu_table nothing;

	if (one_by_one(vu))
		return remove_regions(vu, &nothing);
	return vu_memory_trim(vu);
}
