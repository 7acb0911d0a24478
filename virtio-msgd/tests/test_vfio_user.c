// SPDX-License-Identifier: GPL-2.0-only
/* The vfio-user carrier, from the VMM's end of its socket. */
#include "guest.h"

#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "carriers/vfio_user/protocol.h"
#include "carriers/vfio_user/vfio_user.h"

#define MEM_SIZE	0x100000
#define VECTORS		4

static char dir[] = "/tmp/virtio-msgd-test-XXXXXX";
static char path[64];
static struct carrier *carrier;
static struct fake *fake;
static int mem_fd;
static uint8_t *mem;

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", dir);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

static struct carrier *create(const char *options, struct errmsg *err)
{
	struct params params = { 0 };
	struct carrier *made;

	assert_int_equal(params_parse(&params, options, "path", err), 0);
	made = carrier_vfio_user_create(&params, -1, err);
	params_free(&params);
	return made;
}

static void start(const char *options)
{
	struct errmsg err;
	char text[128];

	snprintf(text, sizeof(text), "%s%s", path, options);
	carrier = create(text, &err);
	assert_non_null(carrier);
	fake = fake_new();
	assert_int_equal(slot_attach(&window_create(carrier, 0, &window_config_default)->slots[0],
				       &fake->dev), 0);
}

static int setup(void **state)
{
	loop_setup(state);
	start("");
	mem_fd = memfd_create("guest", MFD_CLOEXEC);
	assert_int_equal(ftruncate(mem_fd, MEM_SIZE), 0);
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, mem_fd, 0);
	assert_ptr_not_equal(mem, MAP_FAILED);
	return 0;
}

static int teardown(void **state)
{
	carrier->ops->close(carrier);
	munmap(mem, MEM_SIZE);
	close(mem_fd);
	return loop_teardown(state);
}

static void restart(const char *options)
{
	carrier->ops->close(carrier);
	start(options);
}

/*
 * Messages
 */

static struct vf_message msg;
static uint16_t id;

static int plug(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void send_message(int fd, uint16_t command, uint32_t flags, size_t payload,
			 const int *fds, unsigned int num)
{
	size_t size = sizeof(msg.hdr) + payload;

	msg.hdr = (struct vf_header) {
		.id = ++id, .command = command, .size = size, .flags = flags,
	};
	assert_int_equal(sock_send(fd, &msg, size, fds, num), size);
}

/* The reply to the last message: the size of its payload, or -errno */
static int receive_reply(int fd, uint16_t command)
{
	loop_run();
	loop_run();
	assert_int_equal(recv(fd, &msg.hdr, sizeof(msg.hdr), MSG_DONTWAIT), sizeof(msg.hdr));
	assert_int_equal(msg.hdr.id, id);
	assert_int_equal(msg.hdr.command, command);
	assert_int_equal(msg.hdr.flags & VF_TYPE, VF_REPLY);
	if (msg.hdr.flags & VF_ERROR) {
		assert_int_equal(msg.hdr.size, sizeof(msg.hdr));
		return -(int)msg.hdr.error;
	}
	msg.hdr.size -= sizeof(msg.hdr);
	assert_true(msg.hdr.size <= sizeof(msg.bytes));
	if (msg.hdr.size)
		assert_int_equal(recv(fd, msg.bytes, msg.hdr.size, MSG_DONTWAIT), msg.hdr.size);
	return msg.hdr.size;
}

static int ask_with(int fd, uint16_t command, size_t payload, const int *fds, unsigned int num)
{
	send_message(fd, command, 0, payload, fds, num);
	return receive_reply(fd, command);
}

static int ask(int fd, uint16_t command, size_t payload)
{
	return ask_with(fd, command, payload, NULL, 0);
}

#define OFFER "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576}}"

static int say_version_of(int fd, uint16_t major, const char *text, size_t len)
{
	msg.version.major = major;
	msg.version.minor = 7;
	if (len)
		memcpy(msg.json, text, len);
	return ask(fd, VF_VERSION, sizeof(msg.version) + len);
}

static int say_version(int fd)
{
	return say_version_of(fd, 0, OFFER, sizeof(OFFER));
}

static int vmm(void)
{
	int fd = plug();

	assert_true(say_version(fd) > 0);
	return fd;
}

static bool hung_up(int fd)
{
	char byte;

	loop_run();
	loop_run();
	errno = 0;
	return recv(fd, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
}

static bool silent(int fd)
{
	char byte;

	loop_run();
	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static void unplug(int fd)
{
	close(fd);
	loop_run();
	loop_run();
	assert_int_equal(carrier->memory.num_regions, 0);
	assert_false(carrier->guest);
}

static int region(int fd, uint16_t command, uint32_t index, uint64_t offset, uint32_t count,
		  uint64_t value)
{
	msg.io = (struct vf_region_io) { .offset = offset, .region = index, .count = count };
	memcpy(msg.data, &value, sizeof(value));
	return ask(fd, command, sizeof(msg.io) + (command == VF_REGION_WRITE ? count : 0));
}

static uint64_t load_from(int fd, uint32_t index, uint64_t offset, uint32_t count)
{
	uint64_t value = 0;

	assert_int_equal(region(fd, VF_REGION_READ, index, offset, count, 0),
			 sizeof(msg.io) + count);
	assert_int_equal(msg.io.count, count);
	memcpy(&value, msg.data, count);
	return value;
}

static void store_to(int fd, uint32_t index, uint64_t offset, uint32_t count, uint64_t value)
{
	assert_int_equal(region(fd, VF_REGION_WRITE, index, offset, count, value),
			 sizeof(msg.io));
	assert_int_equal(msg.io.count, count);
}

static uint64_t load(int fd, uint64_t offset, uint32_t count)
{
	return load_from(fd, VFIO_PCI_BAR0_REGION_INDEX, offset, count);
}

static void store(int fd, uint64_t offset, uint32_t count, uint64_t value)
{
	store_to(fd, VFIO_PCI_BAR0_REGION_INDEX, offset, count, value);
}

static uint32_t config(int fd, uint32_t offset, uint32_t count)
{
	return load_from(fd, VFIO_PCI_CONFIG_REGION_INDEX, offset, count);
}

static int map(int fd, uint32_t flags, uint64_t addr, uint64_t size, int file, uint64_t offset)
{
	msg.map = (struct vf_dma_map) {
		.argsz = sizeof(msg.map), .flags = flags, .offset = offset, .addr = addr, .size = size,
	};
	return ask_with(fd, VF_DMA_MAP, sizeof(msg.map), &file, file >= 0);
}

static int unmap(int fd, uint32_t flags, uint64_t addr, uint64_t size)
{
	msg.unmap = (struct vf_dma_unmap) {
		.argsz = sizeof(msg.unmap), .flags = flags, .addr = addr, .size = size,
	};
	return ask(fd, VF_DMA_UNMAP, sizeof(msg.unmap));
}

static int set_irqs(int fd, uint32_t index, uint32_t first, uint32_t count, uint32_t flags,
		    const int *fds, unsigned int num)
{
	msg.set = (struct vf_irq_set) {
		.argsz = sizeof(msg.set), .flags = flags, .index = index, .start = first,
		.count = count,
	};
	return ask_with(fd, VF_SET_IRQS, sizeof(msg.set), fds, num);
}

#define EVENTFD	(VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)
#define NONE	(VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER)

static uint64_t raised(int event)
{
	uint64_t count = 0;

	return read(event, &count, sizeof(count)) < 0 ? 0 : count;
}

/*
 * Tests
 */

static void versions(void **state)
{
	static const char *const bad[] = { "{", "[]", "", "{\"a\":1,\"a\":1}" };
	unsigned int i;
	int fd = plug();

	(void)state;
	assert_true(say_version(fd) > 4);
	assert_int_equal(msg.version.major, 0);
	assert_int_equal(msg.version.minor, 0);
	assert_non_null(strstr(msg.json, "\"max_msg_fds\":8"));
	assert_non_null(strstr(msg.json, "\"max_data_xfer_size\":4096"));
	assert_null(strstr(msg.json, "max_dma_maps"));
	/* Twice is once too often, but no reason to go */
	assert_int_equal(say_version(fd), -EINVAL);
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	unplug(fd);
	/* Without words */
	fd = plug();
	assert_true(say_version_of(fd, 0, "", 0) > 0);
	unplug(fd);
	fd = plug();
	assert_int_equal(say_version_of(fd, 1, OFFER, sizeof(OFFER)), -EPROTO);
	close(fd);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fd = plug();
		/* The third is not even text, without its end */
		assert_int_equal(say_version_of(fd, 0, *bad[i] ? bad[i] : "a",
						strlen(bad[i]) + 1), -EPROTO);
		/* What else it says is nothing to us */
		send_message(fd, VF_GET_INFO, 0, 16, NULL, 0);
		assert_true(silent(fd));
		close(fd);
	}
}

static void infos(void **state)
{
	static const uint64_t sizes[] = { 4096, 4096, 0, 0, 0, 0, 0, 4096, 0 };
	static const uint32_t irqs[] = { 0, 0, 1 + FAKE_QUEUES, 1, 0 };
	unsigned int i;
	int fd = vmm();

	(void)state;
	msg.info = (struct vf_device_info) { .argsz = sizeof(msg.info) };
	assert_int_equal(ask(fd, VF_GET_INFO, sizeof(msg.info)), sizeof(msg.info));
	assert_int_equal(msg.info.flags, VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET);
	assert_int_equal(msg.info.num_regions, 9);
	assert_int_equal(msg.info.num_irqs, 5);
	for (i = 0; i < 9; i++) {
		msg.region = (struct vfio_region_info) { .argsz = sizeof(msg.region), .index = i };
		assert_int_equal(ask(fd, VF_GET_REGION_INFO, sizeof(msg.region)),
				 sizeof(msg.region));
		assert_int_equal(msg.region.size, sizes[i]);
		assert_int_equal(msg.region.flags, sizes[i] ? 3 : 0);
	}
	for (i = 0; i < 5; i++) {
		msg.irq = (struct vfio_irq_info) { .argsz = sizeof(msg.irq), .index = i };
		assert_int_equal(ask(fd, VF_GET_IRQ_INFO, sizeof(msg.irq)), sizeof(msg.irq));
		assert_int_equal(msg.irq.count, irqs[i]);
		assert_int_equal(msg.irq.flags, VFIO_IRQ_INFO_EVENTFD);
	}
	msg.irq = (struct vfio_irq_info) { .argsz = sizeof(msg.irq), .index = 5 };
	assert_int_equal(ask(fd, VF_GET_IRQ_INFO, sizeof(msg.irq)), -EINVAL);
	msg.region = (struct vfio_region_info) { .argsz = sizeof(msg.region), .index = 9 };
	assert_int_equal(ask(fd, VF_GET_REGION_INFO, sizeof(msg.region)), -EINVAL);
	msg.info = (struct vf_device_info) { .argsz = 4 };
	assert_int_equal(ask(fd, VF_GET_INFO, sizeof(msg.info)), -EINVAL);
	unplug(fd);
}

/* Where capability @cap is, 0: nowhere */
static uint32_t find_cap(int fd, uint8_t cap)
{
	uint32_t at = config(fd, PCI_CAPABILITY_LIST, 1);

	while (at && config(fd, at, 1) != cap)
		at = config(fd, at + 1, 1);
	return at;
}

static void config_space(void **state)
{
	uint32_t at;
	int fd = vmm();

	(void)state;
	assert_int_equal(config(fd, PCI_VENDOR_ID, 4), 0x10f01af4);
	assert_true(config(fd, PCI_STATUS, 2) & PCI_STATUS_CAP_LIST);
	store_to(fd, VFIO_PCI_CONFIG_REGION_INDEX, PCI_VENDOR_ID, 4, 0);
	assert_int_equal(config(fd, PCI_VENDOR_ID, 4), 0x10f01af4);
	/* BARs are sized as those of any function */
	for (at = PCI_BASE_ADDRESS_0; at <= PCI_BASE_ADDRESS_5; at += 4) {
		store_to(fd, VFIO_PCI_CONFIG_REGION_INDEX, at, 4, UINT32_MAX);
		assert_int_equal(config(fd, at, 4), at <= PCI_BASE_ADDRESS_1 ? 0xfffff000 : 0);
	}
	at = find_cap(fd, PCI_CAP_ID_MSIX);
	assert_int_equal(config(fd, at + PCI_MSIX_FLAGS, 2), FAKE_QUEUES);
	assert_int_equal(config(fd, at + PCI_MSIX_TABLE, 4), 1);
	assert_int_equal(config(fd, at + PCI_MSIX_PBA, 4), 0x801);
	assert_int_equal(load_from(fd, VFIO_PCI_BAR1_REGION_INDEX, 0x800, 8), 0);
	store_to(fd, VFIO_PCI_BAR1_REGION_INDEX, 0, 4, 5);
	assert_true(find_cap(fd, PCI_CAP_ID_PM));
	assert_true(find_cap(fd, PCI_CAP_ID_EXP));
	assert_false(find_cap(fd, PCI_CAP_ID_MSI));
	assert_int_equal(config(fd, 0x100, 4), 0);
	/* All at once */
	assert_int_equal(region(fd, VF_REGION_READ, VFIO_PCI_CONFIG_REGION_INDEX, 0, 4096, 0),
			 sizeof(msg.io) + 4096);
	assert_int_equal(region(fd, VF_REGION_READ, VFIO_PCI_CONFIG_REGION_INDEX, 1, 4096, 0),
			 -EINVAL);
	unplug(fd);
}

static void config_msi(void **state)
{
	uint32_t at;
	int fd;

	(void)state;
	restart(",msi=on,device-id=0x10fa,vectors=5");
	fd = vmm();
	assert_int_equal(config(fd, PCI_DEVICE_ID, 2), 0x10fa);
	assert_false(find_cap(fd, PCI_CAP_ID_MSIX));
	at = find_cap(fd, PCI_CAP_ID_MSI);
	assert_int_equal(config(fd, at + PCI_MSI_FLAGS, 2), PCI_MSI_FLAGS_64BIT | 3 << 1);
	assert_int_equal(config(fd, PCI_BASE_ADDRESS_1, 4), 0);
	msg.irq = (struct vfio_irq_info) { .argsz = sizeof(msg.irq),
					   .index = VFIO_PCI_MSI_IRQ_INDEX };
	assert_int_equal(ask(fd, VF_GET_IRQ_INFO, sizeof(msg.irq)), sizeof(msg.irq));
	assert_int_equal(msg.irq.count, 8);
	unplug(fd);
}

static void options(void **state)
{
	static const char *const bad[] = {
		"", "/x,msi=7", "/x,vectors=0", "/x,vectors=129", "/x,msi=on,vectors=33",
		"/x,device-id=0x1000", "/x,device-id=0x1100",
	};
	struct errmsg err;
	unsigned int i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_null(create(bad[i], &err));
	/* There is room for one window so far */
	assert_null(window_create(carrier, 1, &window_config_default));
	assert_int_equal(errno, ENOSPC);
}

static void set_status(int fd, uint32_t status)
{
	store(fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store(fd, VIRTIO_MSG_MMIO_WINDOW + 8, 4, status);
}

static void accesses(void **state)
{
	uint32_t size;
	int fd = vmm();

	(void)state;
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	assert_int_equal(load(fd, 0x200, 4), 0);
	assert_int_equal(load(fd, 0xffc, 4), 0);
	set_status(fd, 1);
	assert_int_equal(carrier->windows[0]->slots[0].status, 1);
	assert_int_equal(load(fd, VIRTIO_MSG_MMIO_WINDOW + 8, 4), 1);
	for (size = 0; size <= 16; size++) {
		bool good = size == 1 || size == 2 || size == 4 || size == 8;

		assert_int_equal(region(fd, VF_REGION_READ, 0, 0, size, 0) < 0, !good);
		assert_int_equal(region(fd, VF_REGION_WRITE, 0, 0, size, 0) < 0, !good);
	}
	assert_int_equal(region(fd, VF_REGION_READ, 0, 2, 4, 0), -EINVAL);
	assert_int_equal(region(fd, VF_REGION_READ, 0, 0x1000, 4, 0), -EINVAL);
	assert_int_equal(region(fd, VF_REGION_READ, 0, UINT64_MAX - 3, 4, 0), -EINVAL);
	assert_int_equal(region(fd, VF_REGION_READ, 2, 0, 4, 0), -EINVAL);
	assert_int_equal(region(fd, VF_REGION_READ, 99, 0, 4, 0), -EINVAL);
	/* The guest leaves: as before it came */
	unplug(fd);
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
}

/* A posted write has no reply, and is done before what comes after it */
static void posted(void **state)
{
	int fd = vmm();

	(void)state;
	store(fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	msg.io = (struct vf_region_io) { .offset = VIRTIO_MSG_MMIO_WINDOW + 8, .count = 4 };
	memcpy(msg.data, &(uint32_t){ 3 }, 4);
	send_message(fd, VF_REGION_WRITE, VF_NO_REPLY, sizeof(msg.io) + 4, NULL, 0);
	assert_int_equal(load(fd, VIRTIO_MSG_MMIO_WINDOW + 8, 4), 3);
	unplug(fd);
}

static void memory(void **state)
{
	struct memory *m = &carrier->memory;
	uint64_t generation;
	int fd = vmm();

	(void)state;
	mem[0x5005] = 0x5a;
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x10000, mem_fd, 0x5000), 0);
	assert_int_equal(*(uint8_t *)memory_get(m, GUEST_BASE + 5, 1, true), 0x5a);
	assert_int_equal(map(fd, 3, GUEST_BASE + 0xf000, 0x2000, mem_fd, 0), -EEXIST);
	/* Shadow RAM that is ROM for now, and ROM that is none of ours */
	assert_int_equal(map(fd, 1, 0xc0000, 0x10000, mem_fd, 0), 0);
	assert_non_null(memory_get(m, 0xc0000, 0x10000, false));
	assert_null(memory_get(m, 0xc0000, 4, true));
	assert_int_equal(map(fd, 1, 0xfffc0000, 0x40000, -1, 0), 0);
	assert_null(memory_get(m, 0xfffc0000, 4, false));
	assert_int_equal(map(fd, 1, 0xfffc0000, 0x1000, -1, 0), -EEXIST);
	generation = m->generation;
	assert_int_equal(unmap(fd, 0, GUEST_BASE, 0x8000), -ENOENT);
	assert_int_equal(unmap(fd, 0, GUEST_BASE, 0x10000), sizeof(msg.unmap));
	assert_int_equal(msg.unmap.addr, GUEST_BASE);
	assert_null(memory_get(m, GUEST_BASE + 5, 1, true));
	assert_int_not_equal(m->generation, generation);
	assert_int_equal(unmap(fd, 0, GUEST_BASE, 0x10000), -ENOENT);
	assert_int_equal(unmap(fd, 0, 0xfffc0000, 0x40000), sizeof(msg.unmap));
	assert_int_equal(unmap(fd, VF_UNMAP_ALL, 1, 0), -EINVAL);
	assert_int_equal(unmap(fd, VF_UNMAP_ALL, 0, 0), sizeof(msg.unmap));
	assert_int_equal(m->num_regions, 0);
	unplug(fd);
}

static void bad_memory(void **state)
{
	int fds[2] = { mem_fd, mem_fd }, fd = vmm();

	(void)state;
	assert_int_equal(map(fd, 0, GUEST_BASE, 0x1000, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 4, GUEST_BASE, 0x1000, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, GUEST_BASE, 0, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, GUEST_BASE + 1, 0x1000, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x1001, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x1000, mem_fd, 7), -EINVAL);
	assert_int_equal(map(fd, 3, -0x1000ULL, 0x2000, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, -0x1000ULL, 0x1000, mem_fd, 0), -EINVAL);
	assert_int_equal(map(fd, 3, 0, -0x1000ULL, -1, 0), 0);
	assert_int_equal(unmap(fd, 0, 0, -0x1000ULL), sizeof(msg.unmap));
	msg.map = (struct vf_dma_map) { .argsz = 32, .flags = 3, .size = 4096 };
	assert_int_equal(ask_with(fd, VF_DMA_MAP, sizeof(msg.map), fds, 2), -EINVAL);
	assert_int_equal(unmap(fd, 1, 0, 0), -EINVAL);
	assert_int_equal(carrier->memory.num_regions, 0);
	/* What cannot be mapped is not refused, but is not there */
	assert_int_equal(map(fd, 3, GUEST_BASE, MEM_SIZE + 0x1000, mem_fd, 0), 0);
	assert_int_equal(map(fd, 3, 0, 0x1000, fd, 0), 0);
	assert_int_equal(carrier->memory.num_regions, 0);
	assert_int_equal(unmap(fd, 0, 0, 0x1000), sizeof(msg.unmap));
	unplug(fd);
}

/* The message page is looked up again when its memory comes back, somewhere else */
static void page_moves(void **state)
{
	struct virtio_msg_mmio_page *page = (void *)(mem + 0x3000);
	int fd = vmm();

	(void)state;
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x10000, mem_fd, 0), 0);
	store(fd, VIRTIO_MSG_MMIO_PAGE, 8, (GUEST_BASE + 0x1000) | 1);
	device_config_changed(&fake->dev);
	assert_int_equal(le32toh(((struct virtio_msg_mmio_page *)(mem + 0x1000))->sequence), 1);
	unmap(fd, 0, GUEST_BASE, 0x10000);
	device_config_changed(&fake->dev);
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x10000, mem_fd, 0x2000), 0);
	device_config_changed(&fake->dev);
	assert_int_equal(le32toh(page->sequence), 2);
	unplug(fd);
}

static void interrupts(void **state)
{
	int events[VECTORS], fd = vmm();
	unsigned int i;

	(void)state;
	for (i = 0; i < VECTORS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	/* In pieces */
	assert_int_equal(set_irqs(fd, 2, 0, 3, EVENTFD, events, 3), 0);
	assert_int_equal(set_irqs(fd, 2, 3, 1, EVENTFD, events + 3, 1), 0);
	device_config_changed(&fake->dev);
	assert_int_equal(raised(events[0]), 1);
	device_used(&fake->dev, 2);
	assert_int_equal(raised(events[0]), 0);
	assert_int_equal(raised(events[3]), 1);
	/* The VMM's own */
	assert_int_equal(set_irqs(fd, 2, 1, 2, NONE, NULL, 0), 0);
	assert_int_equal(raised(events[0]) + raised(events[3]), 0);
	assert_int_equal(raised(events[1]) + raised(events[2]), 2);
	/* One that has none for a while; vector 0 takes its place meanwhile */
	assert_int_equal(set_irqs(fd, 2, 3, 1, EVENTFD, NULL, 0), 0);
	device_used(&fake->dev, 2);
	device_used(&fake->dev, 2);
	assert_int_equal(raised(events[3]), 0);
	assert_int_equal(raised(events[0]), 2);
	assert_int_equal(set_irqs(fd, 2, 3, 1, EVENTFD, events + 3, 1), 0);
	assert_int_equal(raised(events[3]), 1);
	/* All */
	assert_int_equal(set_irqs(fd, 2, 0, 0, NONE, NULL, 0), 0);
	device_config_changed(&fake->dev);
	assert_int_equal(raised(events[0]), 0);
	/* A reset forgets what was raised for the driver before it */
	assert_int_equal(ask(fd, VF_DEVICE_RESET, 0), 0);
	assert_int_equal(set_irqs(fd, 2, 0, 4, EVENTFD, events, 4), 0);
	for (i = 0; i < VECTORS; i++)
		assert_int_equal(raised(events[i]), 0);
	unplug(fd);
	device_config_changed(&fake->dev);
	for (i = 0; i < VECTORS; i++) {
		assert_int_equal(raised(events[i]), 0);
		close(events[i]);
	}
}

static void bad_interrupts(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), events[2] = { event, event }, fd = vmm();

	(void)state;
	assert_int_equal(set_irqs(fd, 5, 0, 0, NONE, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 5, NONE, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 5, 0, NONE, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 1, UINT32_MAX, EVENTFD, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, UINT32_MAX, 1, EVENTFD, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 1, EVENTFD, events, 2), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 2, EVENTFD, events, 1), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 1, 0, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 1, EVENTFD | NONE, NULL, 0), -EINVAL);
	assert_int_equal(set_irqs(fd, 2, 0, 1, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK,
				  NULL, 0), -EINVAL);
	/* There is no byte for each */
	assert_int_equal(set_irqs(fd, 2, 0, 2, VFIO_IRQ_SET_DATA_BOOL |
				  VFIO_IRQ_SET_ACTION_TRIGGER, NULL, 0), -EINVAL);
	/* What QEMU sets up and takes away without using it */
	assert_int_equal(set_irqs(fd, 3, 0, 1, EVENTFD, &event, 1), 0);
	assert_int_equal(set_irqs(fd, 3, 0, 1, EVENTFD, NULL, 0), 0);
	assert_int_equal(set_irqs(fd, 0, 0, 0, NONE, NULL, 0), 0);
	unplug(fd);
	close(event);
}

static void reset(void **state)
{
	const uint32_t flr = 0x48 + PCI_EXP_DEVCTL;
	int fd = vmm();

	(void)state;
	assert_int_equal(map(fd, 3, GUEST_BASE, 0x10000, mem_fd, 0), 0);
	set_status(fd, 1);
	store_to(fd, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, 2, 6);
	assert_int_equal(ask(fd, VF_DEVICE_RESET, 0), 0);
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
	assert_int_equal(config(fd, PCI_COMMAND, 2), 0);
	assert_int_equal(carrier->memory.num_regions, 1);
	assert_int_equal(ask(fd, VF_DEVICE_RESET, 4), -EINVAL);
	/* By the driver itself; reads as 0 */
	set_status(fd, 1);
	store_to(fd, VFIO_PCI_CONFIG_REGION_INDEX, flr, 2, PCI_EXP_DEVCTL_BCR_FLR | 1);
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
	assert_int_equal(config(fd, flr, 2), 1);
	unplug(fd);
}

static void second_client(void **state)
{
	int fd = vmm(), other = plug();

	(void)state;
	assert_int_equal(say_version(other), -EBUSY);
	assert_true(silent(other));
	close(other);
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	unplug(fd);
	fd = vmm();
	unplug(fd);
}

static void in_pieces(void **state)
{
	int fd = vmm();
	size_t i;

	(void)state;
	msg.io = (struct vf_region_io) { .count = 4 };
	msg.hdr = (struct vf_header) { .id = ++id, .command = VF_REGION_READ, .size = 32 };
	for (i = 0; i < 32; i++) {
		assert_int_equal(send(fd, (char *)&msg + i, 1, 0), 1);
		loop_run();
	}
	assert_int_equal(receive_reply(fd, VF_REGION_READ), 20);
	unplug(fd);
}

static void broken(uint16_t command, uint32_t size, uint32_t flags)
{
	struct vf_header hdr = { .command = command, .size = size, .flags = flags };
	int fd = vmm();

	assert_int_equal(send(fd, &hdr, sizeof(hdr), MSG_NOSIGNAL), sizeof(hdr));
	assert_true(hung_up(fd));
	assert_false(carrier->guest);
	/* It may go on for a while, which is nothing to us */
	assert_int_equal(send(fd, &hdr, sizeof(hdr), MSG_NOSIGNAL), sizeof(hdr));
	loop_run();
	close(fd);
	loop_run();
}

static void odd_messages(void **state)
{
	int fd = vmm();
	uint16_t command;

	(void)state;
	for (command = 0; command < 30; command++) {
		if ((command < 1 || command > 10) && command != 13)
			assert_int_equal(ask(fd, command, 4), -EOPNOTSUPP);
		else if (command != VF_VERSION && command != VF_DEVICE_RESET && command != 6)
			assert_int_equal(ask(fd, command, 4), -EINVAL);
	}
	assert_int_equal(ask(fd, UINT16_MAX, 0), -EOPNOTSUPP);
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	unplug(fd);
	broken(VF_GET_INFO, 15, 0);
	broken(VF_GET_INFO, sizeof(msg) + 1, 0);
	broken(VF_GET_INFO, UINT32_MAX, 0);
	broken(VF_GET_INFO, 32, VF_REPLY);
	broken(VF_GET_INFO, 32, VF_ERROR);
	/* Not introduced */
	fd = plug();
	msg.hdr = (struct vf_header) { .command = VF_GET_INFO, .size = 32 };
	assert_int_equal(send(fd, &msg, 32, 0), 32);
	assert_true(hung_up(fd));
	close(fd);
	loop_run();
}

/*
 * A device that takes its time
 */

static int tube[2];

static int slow_reset(struct device *dev)
{
	char byte;

	(void)dev;
	assert_int_equal(task_wait_fd(tube[0], EV_READ, loop_now_ms() + 20000), 0);
	return read(tube[0], &byte, 1) == 1 ? 0 : -EIO;
}

static struct device_ops slow_ops;

static void be_slow(void)
{
	assert_int_equal(pipe(tube), 0);
	slow_ops = *fake->dev.ops;
	slow_ops.reset = slow_reset;
	fake->dev.ops = &slow_ops;
	fake->dev.waits = true;
}

static void go_on(unsigned int resets)
{
	while (resets--)
		assert_int_equal(write(tube[1], "", 1), 1);
	loop_run();
	loop_run();
	loop_run();
}

static void be_quick(void)
{
	slow_ops.reset = NULL;
	close(tube[0]);
	close(tube[1]);
}

/* The one that asks for status 0 */
static void store_later(int fd, uint32_t flags)
{
	msg.io = (struct vf_region_io) { .offset = VIRTIO_MSG_MMIO_WINDOW + 8, .count = 4 };
	memset(msg.data, 0, 4);
	send_message(fd, VF_REGION_WRITE, flags, sizeof(msg.io) + 4, NULL, 0);
}

static void load_later(int fd)
{
	msg.io = (struct vf_region_io) { .offset = VIRTIO_MSG_MMIO_WINDOW, .count = 8 };
	send_message(fd, VF_REGION_READ, 0, sizeof(msg.io), NULL, 0);
}

/* What comes behind a posted store that takes a while is done after it */
static void in_order(void **state)
{
	uint64_t value;
	int fd = vmm();

	(void)state;
	be_slow();
	set_status(fd, 1);
	store(fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store_later(fd, VF_NO_REPLY);
	load_later(fd);
	assert_true(silent(fd));
	go_on(1);
	assert_int_equal(receive_reply(fd, VF_REGION_READ), 24);
	memcpy(&value, msg.data, 8);
	assert_int_equal(value >> 8 & 0xff, VIRTIO_MSG_SET_DEVICE_STATUS);
	be_quick();
	unplug(fd);
}

static int wait_reply(int fd, uint16_t command)
{
	while (silent(fd))
		event_base_loop(loop, EVLOOP_ONCE);
	return receive_reply(fd, command);
}

/* Nor does it wait for longer than its VMM does: also not for two, one after the other */
static void too_late(void **state)
{
	uint64_t begin = loop_now_ms();
	int fd = vmm();

	(void)state;
	be_slow();
	set_status(fd, 1);
	store(fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store_later(fd, VF_NO_REPLY);
	send_message(fd, VF_DEVICE_RESET, 0, 0, NULL, 0);
	assert_int_equal(wait_reply(fd, VF_DEVICE_RESET), -ETIMEDOUT);
	assert_in_range(loop_now_ms() - begin, 3500, 4900);
	/* While it is reset it is not there, and then it is a new one */
	assert_int_equal(load(fd, 0, 4), UINT32_MAX);
	go_on(2);
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
	be_quick();
	unplug(fd);
}

/* A VMM that goes on and on gets no more than some accesses under way, all of them in time */
static void too_many(void **state)
{
	uint64_t begin = loop_now_ms();
	unsigned int i;
	int fd = vmm();

	(void)state;
	be_slow();
	set_status(fd, 1);
	for (i = 0; i < 20; i++) {
		msg.io = (struct vf_region_io) { .offset = VIRTIO_MSG_MMIO_WINDOW, .count = 8 };
		memcpy(msg.data, &(uint64_t){ VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48 }, 8);
		send_message(fd, VF_REGION_WRITE, VF_NO_REPLY, sizeof(msg.io) + 8, NULL, 0);
		store_later(fd, VF_NO_REPLY);
	}
	msg.io = (struct vf_region_io) { .count = 4 };
	send_message(fd, VF_REGION_READ, 0, sizeof(msg.io), NULL, 0);
	assert_int_equal(wait_reply(fd, VF_REGION_READ), sizeof(msg.io) + 4);
	assert_int_equal(*(uint32_t *)msg.data, UINT32_MAX);
	assert_in_range(loop_now_ms() - begin, 3500, 4900);
	assert_true(task_count() < 10);
	slow_ops.reset = NULL;
	go_on(1);
	while (task_count())
		event_base_loop(loop, EVLOOP_ONCE);
	assert_int_equal(load(fd, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	be_quick();
	unplug(fd);
}

/* The next one waits until the last one is gone */
static void held(void **state)
{
	int fd = vmm(), other;

	(void)state;
	be_slow();
	set_status(fd, 1);
	close(fd);
	loop_run();
	assert_false(carrier->guest);
	other = plug();
	msg.version = (struct vf_version) { 0, 0 };
	memcpy(msg.json, OFFER, sizeof(OFFER));
	send_message(other, VF_VERSION, 0, sizeof(msg.version) + sizeof(OFFER), NULL, 0);
	assert_true(silent(other));
	go_on(1);
	assert_true(receive_reply(other, VF_VERSION) > 0);
	assert_true(carrier->guest);
	be_quick();
	unplug(other);
}

/* A guest that goes while it waits */
static void gone_while_waiting(void **state)
{
	int fd = vmm();

	(void)state;
	be_slow();
	set_status(fd, 1);
	store(fd, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store_later(fd, 0);
	assert_true(silent(fd));
	close(fd);
	go_on(2);
	loop_run();
	assert_false(carrier->guest);
	be_quick();
	fd = vmm();
	unplug(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(versions),
		TEST(infos),
		TEST(config_space),
		TEST(config_msi),
		TEST(options),
		TEST(accesses),
		TEST(posted),
		TEST(memory),
		TEST(bad_memory),
		TEST(page_moves),
		TEST(interrupts),
		TEST(bad_interrupts),
		TEST(reset),
		TEST(second_client),
		TEST(in_pieces),
		TEST(odd_messages),
		TEST(in_order),
		TEST(too_late),
		TEST(too_many),
		TEST(held),
		TEST(gone_while_waiting),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("vfio_user", tests, group_setup, group_teardown);
}
