// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's memory: ranges of addresses, most with a descriptor. They come and go: while a
 * PC's firmware runs, ROM and RAM take turns at the same addresses.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carriers/vfio_user/internal.h"

/* What is smaller is more likely a device's memory than the guest's */
#define MUCH	(1 << 20)

static bool aligned(uint64_t value)
{
	return !(value % VF_PAGE_SIZE);
}

static bool overlaps(const struct vfio_user *vf, uint64_t addr, uint64_t size)
{
	unsigned int i;

	for (i = 0; i < vf->num_ranges; i++) {
		const struct vf_range *range = &vf->ranges[i];

		if (addr < range->addr + range->size && range->addr < addr + size)
			return true;
	}
	return false;
}

static int make_room(struct vfio_user *vf)
{
	unsigned int room = vf->room ? vf->room * 2 : 16;
	struct vf_range *ranges;

	if (vf->num_ranges == MEMORY_MAX_REGIONS)
		return -ENOSPC;
	if (vf->num_ranges < vf->room)
		return 0;
	ranges = reallocarray(vf->ranges, room, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	vf->ranges = ranges;
	vf->room = room;
	return 0;
}

static int check(const struct vfio_user *vf, const struct vf_dma_map *map)
{
	if (map->argsz < sizeof(*map) || !map->flags ||
	    map->flags & ~(VF_DMA_READ | VF_DMA_WRITE) || !map->size || !aligned(map->size) ||
	    !aligned(map->addr) || !aligned(map->offset) ||
	    map->addr + map->size - 1 < map->addr || map->addr + map->size == 0)
		return -EINVAL;
	return overlaps(vf, map->addr, map->size) ? -EEXIST : 0;
}

/*
 * ROM and devices' memory are known by address only; RAM should be shared. Once is enough:
 * no ring and no buffer will work
 */
static void say_unshared(struct vfio_user *vf, const struct vf_dma_map *map)
{
	if (vf->unshared || vf->carrier.memory.num_regions || !(map->flags & VF_DMA_WRITE) ||
	    map->size < MUCH)
		return;
	vf->unshared = true;
	log_limited(&vf->carrier.log,
		    "%s: the guest's memory is not shared with us: QEMU needs -object memory-backend-memfd,id=m,share=on,size=... with -machine memory-backend=m, Cloud Hypervisor --memory shared=on",
		    vf->carrier.name);
}

/*
 * A descriptor that cannot be mapped is no reason to refuse the range, which would be the
 * end of QEMU: it is only of no use to devices
 */
static bool add(struct vf_conn *conn, const struct vf_dma_map *map)
{
	struct vfio_user *vf = conn->vf;
	int fd = conn->fds[0], ret;

	if (fd < 0) {
		say_unshared(vf, map);
		return false;
	}
	conn->fds[0] = -1;
	/* Who may only write, as an IOMMU may have it, is none that we know */
	if (map->flags & VF_DMA_WRITE)
		ret = memory_add(&vf->carrier.memory, map->addr, map->size, fd, map->offset);
	else
		ret = memory_add_read_only(&vf->carrier.memory, map->addr, map->size, fd,
					   map->offset);
	if (ret)
		log_limited(&vf->carrier.log, "%s: memory at 0x%llx cannot be mapped: %s",
			    vf->carrier.name, (unsigned long long)map->addr, strerror(-ret));
	return !ret;
}

int vf_do_map(struct vf_conn *conn)
{
	const struct vf_dma_map *map = &conn->msg.map;
	struct vfio_user *vf = conn->vf;
	int ret = check(vf, map);

	if (!ret && vf_num_fds(conn) > 1)
		ret = -EINVAL;
	if (!ret)
		ret = make_room(vf);
	if (ret)
		return ret;
	vf->ranges[vf->num_ranges] = (struct vf_range) {
		.addr = map->addr,
		.size = map->size,
		.mapped = add(conn, map),
	};
	vf->num_ranges++;
	return 0;
}

static void forget(struct vfio_user *vf, unsigned int i)
{
	const struct vf_range *range = &vf->ranges[i];

	if (range->mapped)
		memory_remove(&vf->carrier.memory, range->addr, range->size);
	vf->ranges[i] = vf->ranges[--vf->num_ranges];
}

/* Nothing of ours is in it any more when the reply goes out; of a backend's, see the manual */
int vf_do_unmap(struct vf_conn *conn)
{
	const struct vf_dma_unmap *unmap = &conn->msg.unmap;
	struct vfio_user *vf = conn->vf;
	unsigned int i;

	if (unmap->argsz < sizeof(*unmap) || unmap->flags & ~VF_UNMAP_ALL)
		return -EINVAL;
	if (unmap->flags) {
		if (unmap->addr || unmap->size)
			return -EINVAL;
		while (vf->num_ranges)
			forget(vf, vf->num_ranges - 1);
		return sizeof(*unmap);
	}
	for (i = 0; i < vf->num_ranges; i++) {
		if (vf->ranges[i].addr != unmap->addr || vf->ranges[i].size != unmap->size)
			continue;
		forget(vf, i);
		return sizeof(*unmap);
	}
	return -ENOENT;
}

void vf_ranges_clear(struct vfio_user *vf)
{
	free(vf->ranges);
	vf->ranges = NULL;
	vf->num_ranges = 0;
	vf->room = 0;
	vf->unshared = false;
}
