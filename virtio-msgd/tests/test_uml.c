// SPDX-License-Identifier: GPL-2.0-only
/* The UML carrier, from the guest's end of its socket. */
#include "guest.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "carriers/uml/uml.h"
#include "mmio_sock.h"

#define MEM_SIZE	0x100000
#define SHARED		0x10000		/* what is before it is not the guest's to share */
#define PENDING		0x100

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

static int setup(void **state)
{
	struct params params = { 0 };
	struct errmsg err;

	loop_setup(state);
	assert_int_equal(params_add(&params, "path", path, &err), 0);
	carrier = carrier_uml_create(&params, -1, &err);
	params_free(&params);
	assert_non_null(carrier);
	fake = fake_new();
	assert_int_equal(slot_attach(&window_create(carrier, 0, &window_config_default)->slots[0],
				       &fake->dev), 0);
	assert_non_null(window_create(carrier, 1, &window_config_default));
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

struct peer {
	int fd;
	int doorbell;
};

static struct mmio_sock_hello good_hello(void)
{
	return (struct mmio_sock_hello) {
		.magic = MMIO_SOCK_MAGIC,
		.version = MMIO_SOCK_VERSION,
		.base = 0x1000000000,
		.size = 0x1000,
		.mem_base = GUEST_BASE,
		.mem_size = MEM_SIZE - SHARED,
		.mem_offset = SHARED,
		.pending_offset = PENDING,
		.num_irqs = 8,
	};
}

static int plug(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static uint32_t welcome(int fd)
{
	struct mmio_sock_welcome w;

	loop_run();
	loop_run();
	assert_int_equal(recv(fd, &w, sizeof(w), MSG_DONTWAIT), sizeof(w));
	assert_int_equal(w.magic, MMIO_SOCK_MAGIC);
	assert_int_equal(w.version, MMIO_SOCK_VERSION);
	return w.error;
}

/* Connect and say hello: the error in the welcome */
static uint32_t greet(struct peer *peer, const struct mmio_sock_hello *hello)
{
	int bells[2], fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, bells), 0);
	fds[0] = mem_fd;
	fds[1] = bells[1];
	peer->fd = plug();
	peer->doorbell = bells[0];
	assert_int_equal(sock_send(peer->fd, hello, sizeof(*hello), fds, 2), sizeof(*hello));
	close(bells[1]);
	return welcome(peer->fd);
}

static struct peer guest(void)
{
	struct mmio_sock_hello hello = good_hello();
	struct peer peer;

	assert_int_equal(greet(&peer, &hello), 0);
	return peer;
}

static void unplug(struct peer *peer)
{
	close(peer->fd);
	close(peer->doorbell);
	loop_run();
}

static bool hung_up(int fd)
{
	char byte;

	loop_run();
	return recv(fd, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
}

static uint64_t access_io(struct peer *peer, uint8_t op, uint64_t offset, uint8_t size,
			  uint64_t value)
{
	struct mmio_sock_access access = {
		.op = op, .size = size, .offset = offset, .value = value,
	};
	struct mmio_sock_reply reply;

	assert_int_equal(send(peer->fd, &access, sizeof(access), MSG_NOSIGNAL), sizeof(access));
	loop_run();
	assert_int_equal(recv(peer->fd, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
	return reply.value;
}

static uint64_t load(struct peer *peer, uint64_t offset, uint8_t size)
{
	return access_io(peer, MMIO_SOCK_READ, offset, size, 0);
}

static void store(struct peer *peer, uint64_t offset, uint8_t size, uint64_t value)
{
	assert_int_equal(access_io(peer, MMIO_SOCK_WRITE, offset, size, value), 0);
}

static void accesses(void **state)
{
	struct peer peer = guest();

	(void)state;
	assert_int_equal(load(&peer, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	assert_int_equal(load(&peer, 0x200, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	assert_int_equal(load(&peer, 0x400, 4), 0);
	assert_int_equal(load(&peer, UINT64_MAX - 3, 4), 0);
	assert_int_equal(load(&peer, 0, 200), 0);
	assert_int_equal(access_io(&peer, 77, 0, 4, 0), 0);
	store(&peer, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store(&peer, VIRTIO_MSG_MMIO_WINDOW + 8, 4, 1);
	assert_int_equal(carrier->windows[0]->slots[0].status, 1);
	assert_int_equal(load(&peer, VIRTIO_MSG_MMIO_WINDOW + 8, 4), 1);
	/* The guest leaves: as before it came */
	unplug(&peer);
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
	assert_int_equal(carrier->memory.num_regions, 0);
}

static void access_in_pieces(void **state)
{
	const struct mmio_sock_access access = { .op = MMIO_SOCK_READ, .size = 4 };
	struct peer peer = guest();
	struct mmio_sock_reply reply;

	(void)state;
	assert_int_equal(send(peer.fd, &access, 5, 0), 5);
	loop_run();
	assert_int_equal(recv(peer.fd, &reply, sizeof(reply), MSG_DONTWAIT), -1);
	assert_int_equal(send(peer.fd, (char *)&access + 5, sizeof(access) - 5, 0),
			 sizeof(access) - 5);
	loop_run();
	assert_int_equal(recv(peer.fd, &reply, sizeof(reply), MSG_DONTWAIT), sizeof(reply));
	assert_int_equal(reply.value, VIRTIO_MSG_MMIO_MAGIC_VALUE);
	unplug(&peer);
}

static void memory(void **state)
{
	struct peer peer = guest();

	(void)state;
	mem[SHARED + 5] = 0x5a;
	assert_int_equal(*(uint8_t *)memory_get(&carrier->memory, GUEST_BASE + 5, 1, true), 0x5a);
	assert_non_null(memory_get(&carrier->memory, GUEST_BASE, MEM_SIZE - SHARED, true));
	assert_null(memory_get(&carrier->memory, GUEST_BASE, MEM_SIZE - SHARED + 1, true));
	unplug(&peer);
}

static void interrupt(void **state)
{
	struct peer peer = guest();
	char bytes[8];
	uint64_t i;

	(void)state;
	device_config_changed(&fake->dev);
	assert_int_equal(*(uint64_t *)(mem + PENDING), 1);
	assert_int_equal(recv(peer.doorbell, bytes, sizeof(bytes), MSG_DONTWAIT), 1);
	assert_int_equal(slot_detach(&carrier->windows[0]->slots[0]), 0);
	fake = fake_new();
	slot_attach(&carrier->windows[1]->slots[0], &fake->dev);
	assert_int_equal(*(uint64_t *)(mem + PENDING), 3);
	unplug(&peer);
	/* Nobody to tell */
	*(uint64_t *)(mem + PENDING) = 0;
	i = carrier->windows[1]->counters.interrupts;
	device_config_changed(&fake->dev);
	assert_int_equal(*(uint64_t *)(mem + PENDING), 0);
	assert_int_equal(carrier->windows[1]->counters.interrupts, i);
}

/* A guest that takes no interrupts does not stop anybody */
static void full_doorbell(void **state)
{
	struct peer peer = guest();
	unsigned int i;

	(void)state;
	for (i = 0; i < 100000; i++)
		device_config_changed(&fake->dev);
	assert_int_equal(load(&peer, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	/* One that closed its end, neither */
	close(peer.doorbell);
	device_config_changed(&fake->dev);
	assert_int_equal(load(&peer, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	close(peer.fd);
	loop_run();
}

static void reconnect(void **state)
{
	struct peer first = guest(), second;

	(void)state;
	store(&first, VIRTIO_MSG_MMIO_WINDOW, 8, VIRTIO_MSG_SET_DEVICE_STATUS << 8 | 12ULL << 48);
	store(&first, VIRTIO_MSG_MMIO_WINDOW + 8, 4, 1);
	store(&first, VIRTIO_MSG_MMIO_PAGE, 8, GUEST_BASE | 1);
	unplug(&first);
	memset(mem, 0, MEM_SIZE);
	second = guest();
	assert_int_equal(carrier->windows[0]->slots[0].status, 0);
	assert_int_equal(load(&second, VIRTIO_MSG_MMIO_WINDOW, 8), 0);
	device_config_changed(&fake->dev);
	assert_int_equal(mem[SHARED + 2048], 0);
	/* The same process again, though its first socket is still open */
	first = guest();
	assert_true(hung_up(second.fd));
	assert_int_equal(load(&first, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	close(second.fd);
	close(second.doorbell);
	unplug(&first);
}

/* Another process: there is one guest at a time */
static void busy(void **state)
{
	struct peer peer = guest();
	struct mmio_sock_hello hello = good_hello();
	pid_t child;
	int fds[2] = { mem_fd, peer.doorbell }, other, pipe_fds[2];
	char byte = 0;

	(void)state;
	assert_int_equal(pipe(pipe_fds), 0);
	child = fork();
	if (!child) {
		struct mmio_sock_welcome w;

		other = plug();
		assert_int_equal(sock_send(other, &hello, sizeof(hello), fds, 2), sizeof(hello));
		byte = recv(other, &w, sizeof(w), 0) == sizeof(w) ? w.error : 0;
		_exit(write(pipe_fds[1], &byte, 1) != 1);
	}
	assert_int_not_equal(child, -1);
	while (!byte) {
		struct timeval tv = { .tv_usec = 1000 };
		fd_set set;

		loop_run();
		FD_ZERO(&set);
		FD_SET(pipe_fds[0], &set);
		if (select(pipe_fds[0] + 1, &set, NULL, NULL, &tv) == 1)
			assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	}
	assert_int_equal(byte, EBUSY);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(load(&peer, 0, 4), VIRTIO_MSG_MMIO_MAGIC_VALUE);
	unplug(&peer);
}

static void refuse(const struct mmio_sock_hello *hello, uint32_t error)
{
	struct peer peer;

	assert_int_equal(greet(&peer, hello), error);
	assert_true(hung_up(peer.fd));
	assert_int_equal(carrier->memory.num_regions, 0);
	unplug(&peer);
}

static void bad_hello(void **state)
{
	struct mmio_sock_hello hello;
	struct peer peer;

	(void)state;
#define REFUSE(field, value, error) do { \
		hello = good_hello(); \
		hello.field = value; \
		refuse(&hello, error); \
	} while (0)
	REFUSE(magic, 0, EPROTO);
	REFUSE(version, 2, EPROTO);
	REFUSE(num_irqs, 1, ENOSPC);
	REFUSE(num_irqs, 65, ENOSPC);
	REFUSE(size, 0x3ff, ENOSPC);
	REFUSE(mem_size, 0, EINVAL);
	REFUSE(mem_size, MEM_SIZE - SHARED + 1, EINVAL);
	REFUSE(mem_size, UINT64_MAX, EINVAL);
	REFUSE(mem_offset, MEM_SIZE, EINVAL);
	REFUSE(mem_offset, SHARED + 1, EINVAL);
	REFUSE(pending_offset, 4, EINVAL);
	REFUSE(pending_offset, MEM_SIZE, EINVAL);
	REFUSE(pending_offset, -8ULL, EINVAL);
	/* and the next one is welcome */
	peer = guest();
	unplug(&peer);
}

static void bad_fds(void **state)
{
	struct mmio_sock_hello hello = good_hello();
	int fds[4] = { mem_fd, mem_fd, mem_fd, mem_fd };
	int fd = plug();

	(void)state;
	assert_int_equal(sock_send(fd, &hello, sizeof(hello), NULL, 0), sizeof(hello));
	assert_int_equal(welcome(fd), EBADF);
	close(fd);
	fd = plug();
	assert_int_equal(sock_send(fd, &hello, sizeof(hello), fds, 1), sizeof(hello));
	assert_int_equal(welcome(fd), EBADF);
	close(fd);
	/* What is not memory cannot be mapped */
	fds[0] = fd = plug();
	assert_int_equal(sock_send(fd, &hello, sizeof(hello), fds, 2), sizeof(hello));
	assert_int_not_equal(welcome(fd), 0);
	close(fd);
	/* More than asked for, and one that leaves in the middle */
	fd = plug();
	fds[0] = mem_fd;
	assert_int_equal(sock_send(fd, &hello, 10, fds, 4), 10);
	loop_run();
	close(fd);
	loop_run();
	assert_int_equal(carrier->memory.num_regions, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(accesses),
		TEST(access_in_pieces),
		TEST(memory),
		TEST(interrupt),
		TEST(full_doorbell),
		TEST(reconnect),
		TEST(busy),
		TEST(bad_hello),
		TEST(bad_fds),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("uml", tests, group_setup, group_teardown);
}
