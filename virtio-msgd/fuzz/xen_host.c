// SPDX-License-Identifier: GPL-2.0-only
#include "xen_host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>
#include <xenforeignmemory.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "fuzz.h"

#define PAGE		4096UL
#define MAX_NODES	64
#define MAX_EVENTS	64

/*
 * Handles of all kinds: memory that has to be freed. Of what is mapped by one there is
 * nothing left when it is closed.
 */
struct handle {
	int fd;
	int mapped;
};

struct node {
	char *path;
	char *value;
};

static struct node nodes[MAX_NODES];
static uint32_t events[MAX_EVENTS];
static unsigned int num_events;
static unsigned int watches;
static int watch_fd = -1, event_fd = -1;
static struct handle *store;

struct host host;

static void ring(int fd)
{
	uint64_t one = 1;

	fuzz_check(fd < 0 || write(fd, &one, sizeof(one)) == sizeof(one));
}

static void unring(int fd)
{
	uint64_t count;

	fuzz_check(read(fd, &count, sizeof(count)) == sizeof(count) || errno == EAGAIN);
}

void host_start(void)
{
	num_events = 0;
	watches = 0;
	host = (struct host) {
		.vcpus = 2,
		.page = aligned_alloc(PAGE, PAGE),
		.introduced = true,
		.ram = fuzz_memfd(HOST_PAGES * PAGE),
	};
	fuzz_check(host.page);
	memset(host.page, 0, PAGE);
}

void host_stop(void)
{
	unsigned int i;

	fuzz_check(watch_fd < 0 && event_fd < 0);
	for (i = 0; i < MAX_NODES; i++) {
		free(nodes[i].path);
		free(nodes[i].value);
		nodes[i] = (struct node) { NULL, NULL };
	}
	free(host.page);
	close(host.ram);
}

static bool fails(void)
{
	if (!host.fail_in || --host.fail_in)
		return false;
	errno = EIO;
	return true;
}

static void *open_handle(int fd)
{
	struct handle *handle;

	if (fails()) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	handle = malloc(sizeof(*handle));
	fuzz_check(handle);
	*handle = (struct handle) { .fd = fd };
	return handle;
}

static int close_handle(void *arg)
{
	struct handle *handle = arg;

	fuzz_check(!handle->mapped);
	if (handle->fd >= 0)
		close(handle->fd);
	free(handle);
	return 0;
}

/*
 * xenstore
 */

static struct node *find(const char *path)
{
	unsigned int i;

	for (i = 0; i < MAX_NODES; i++) {
		if (nodes[i].path && !strcmp(nodes[i].path, path))
			return &nodes[i];
	}
	return NULL;
}

static bool below(const struct node *node, const char *path)
{
	size_t len = strlen(path);

	return node->path && !strncmp(node->path, path, len) &&
	       (!node->path[len] || node->path[len] == '/');
}

static void set(const char *path, const char *value)
{
	struct node *node = find(path);
	unsigned int i;

	for (i = 0; !node && i < MAX_NODES; i++) {
		if (!nodes[i].path)
			node = &nodes[i];
	}
	if (!node)
		return;
	if (!node->path)
		node->path = strdup(path);
	free(node->value);
	node->value = strdup(value);
	fuzz_check(node->path && node->value);
}

static void forget(const char *path)
{
	unsigned int i;

	for (i = 0; i < MAX_NODES; i++) {
		if (!below(&nodes[i], path))
			continue;
		free(nodes[i].path);
		free(nodes[i].value);
		nodes[i] = (struct node) { NULL, NULL };
	}
}

void host_store(const char *path, const char *value)
{
	if (value)
		set(path, value);
	else
		forget(path);
}

void host_watch_fires(void)
{
	if (watch_fd < 0)
		return;
	watches++;
	ring(watch_fd);
}

struct xs_handle *xs_open(unsigned long flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	void *handle = open_handle(fd);

	(void)flags;
	fuzz_check(!store);
	if (handle)
		watch_fd = fd;
	store = handle;
	return handle;
}

void xs_close(struct xs_handle *xs)
{
	fuzz_check((void *)xs == store);
	watch_fd = -1;
	store = NULL;
	close_handle(xs);
}

int xs_fileno(struct xs_handle *xs)
{
	return ((struct handle *)xs)->fd;
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
	(void)xs;
	(void)path;
	(void)token;
	host_watch_fires();
	return !fails();
}

char **xs_check_watch(struct xs_handle *xs)
{
	char **watch;

	(void)xs;
	unring(watch_fd);
	if (!watches) {
		errno = EAGAIN;
		return NULL;
	}
	watches--;
	watch = calloc(2, sizeof(*watch));
	fuzz_check(watch);
	return watch;
}

void *xs_read(struct xs_handle *xs, xs_transaction_t t, const char *path, unsigned int *len)
{
	const struct node *node = find(path);
	char *value;

	(void)xs;
	(void)t;
	if (!node || fails()) {
		errno = ENOENT;
		return NULL;
	}
	value = strdup(node->value);
	fuzz_check(value);
	*len = strlen(value);
	return value;
}

/* A place where virtio-msgd may write, on behalf of the guest there is */
static bool is_guests(const char *path)
{
	return !strncmp(path, "virtio-msgd/1/", 14) ||
	       (!strncmp(path, "backend/virtio/1/", 17) && strstr(path, "/state"));
}

bool xs_write(struct xs_handle *xs, xs_transaction_t t, const char *path, const void *data,
	      unsigned int len)
{
	char *value = strndup(data, len);

	(void)xs;
	(void)t;
	fuzz_check(value && strlen(value) == len && len <= 4096 && is_guests(path));
	if (!fails())
		set(path, value);
	free(value);
	return true;
}

bool xs_rm(struct xs_handle *xs, xs_transaction_t t, const char *path)
{
	(void)xs;
	(void)t;
	fuzz_check(!strncmp(path, "virtio-msgd/", 12) && path[12] && !strchr(path + 12, '/'));
	forget(path);
	return true;
}

/* The names are in the same piece of memory as the pointers to them. */
char **xs_directory(struct xs_handle *xs, xs_transaction_t t, const char *path,
		    unsigned int *num)
{
	size_t skip = strlen(path) + 1;
	char **names, *at;
	unsigned int i, j;

	(void)xs;
	(void)t;
	if (fails())
		return NULL;
	names = malloc(MAX_NODES * (sizeof(*names) + 256));
	fuzz_check(names);
	at = (char *)(names + MAX_NODES);
	*num = 0;
	for (i = 0; i < MAX_NODES; i++) {
		size_t len;

		if (!below(&nodes[i], path) || !nodes[i].path[skip - 1])
			continue;
		len = strcspn(nodes[i].path + skip, "/");
		fuzz_check(len < 256);
		memcpy(at, nodes[i].path + skip, len);
		at[len] = '\0';
		for (j = 0; j < *num && strcmp(names[j], at); j++)
			;
		if (j < *num)
			continue;
		names[(*num)++] = at;
		at += len + 1;
	}
	return names;
}

bool xs_is_domain_introduced(struct xs_handle *xs, unsigned int domid)
{
	(void)xs;
	return domid == HOST_DOMID && host.introduced;
}

/*
 * The device model's calls
 */

xendevicemodel_handle *xendevicemodel_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return open_handle(-1);
}

int xendevicemodel_close(xendevicemodel_handle *dm)
{
	return close_handle(dm);
}

static int result(void *handle)
{
	fuzz_check(handle);
	return fails() ? -1 : 0;
}

int xendevicemodel_restrict(xendevicemodel_handle *dm, domid_t domid)
{
	fuzz_check(domid == HOST_DOMID);
	return result(dm);
}

int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *dm, domid_t domid,
					 ioservid_t id, xen_pfn_t *ioreq, xen_pfn_t *bufioreq,
					 evtchn_port_t *port)
{
	(void)domid;
	(void)ioreq;
	(void)bufioreq;
	(void)port;
	if (id >= host.servers) {
		errno = ENOENT;
		return -1;
	}
	return result(dm);
}

int xendevicemodel_create_ioreq_server(xendevicemodel_handle *dm, domid_t domid, int buf,
				       ioservid_t *id)
{
	(void)domid;
	(void)buf;
	*id = host.servers;
	if (result(dm))
		return -1;
	host.servers++;
	return 0;
}

int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *dm, domid_t domid, ioservid_t id)
{
	(void)domid;
	fuzz_check(id < host.servers);
	host.servers--;
	return result(dm);
}

int xendevicemodel_nr_vcpus(xendevicemodel_handle *dm, domid_t domid, unsigned int *vcpus)
{
	(void)domid;
	*vcpus = host.vcpus;
	return result(dm);
}

int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *dm, domid_t domid,
					  ioservid_t id, int enabled)
{
	unsigned int i;

	(void)domid;
	fuzz_check(id < host.servers && enabled);
	for (i = 0; i < host.vcpus; i++)
		host.page->vcpu_ioreq[i].vp_eport = i;
	return result(dm);
}

int xendevicemodel_map_io_range_to_ioreq_server(xendevicemodel_handle *dm, domid_t domid,
						ioservid_t id, int mmio, uint64_t start,
						uint64_t end)
{
	(void)domid;
	fuzz_check(id < host.servers && mmio && start < end);
	return result(dm);
}

int xendevicemodel_set_irq_level(xendevicemodel_handle *dm, domid_t domid, unsigned int irq,
				 unsigned int level)
{
	(void)domid;
	(void)irq;
	(void)level;
	return result(dm);
}

/*
 * Event channels
 */

void host_event(uint32_t port)
{
	if (event_fd < 0 || num_events == MAX_EVENTS)
		return;
	events[num_events++] = port;
	ring(event_fd);
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	void *handle = open_handle(fd);

	(void)logger;
	(void)flags;
	if (handle)
		event_fd = fd;
	return handle;
}

int xenevtchn_close(xenevtchn_handle *xce)
{
	event_fd = -1;
	num_events = 0;
	return close_handle(xce);
}

int xenevtchn_fd(xenevtchn_handle *xce)
{
	return ((struct handle *)xce)->fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid,
						     evtchn_port_t port)
{
	(void)domid;
	fuzz_check(port < HOST_MAX_VCPUS);
	return result(xce) ? -1 : (int)(HOST_PORT + port);
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *xce)
{
	(void)xce;
	unring(event_fd);
	if (!num_events) {
		errno = EAGAIN;
		return -1;
	}
	/* The next one is still pending */
	if (--num_events)
		ring(event_fd);
	return events[num_events];
}

int xenevtchn_unmask(xenevtchn_handle *xce, evtchn_port_t port)
{
	(void)port;
	return result(xce);
}

int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port)
{
	fuzz_check(port >= HOST_PORT && port < HOST_PORT + host.vcpus);
	return result(xce);
}

/*
 * Memory
 */

xenforeignmemory_handle *xenforeignmemory_open(struct xentoollog_logger *logger,
					       unsigned int flags)
{
	(void)logger;
	(void)flags;
	return open_handle(-1);
}

int xenforeignmemory_close(xenforeignmemory_handle *fmem)
{
	return close_handle(fmem);
}

int xenforeignmemory_restrict(xenforeignmemory_handle *fmem, domid_t domid)
{
	(void)domid;
	return result(fmem);
}

xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *fmem, domid_t domid, unsigned int type,
			      unsigned int id, unsigned long frame, unsigned long num,
			      void **addr, int prot, int flags)
{
	(void)fmem;
	(void)domid;
	(void)type;
	(void)id;
	(void)frame;
	(void)prot;
	(void)flags;
	fuzz_check(num == 1);
	*addr = host.page;
	return open_handle(-1);
}

int xenforeignmemory_unmap_resource(xenforeignmemory_handle *fmem,
				    xenforeignmemory_resource_handle *resource)
{
	(void)fmem;
	return close_handle(resource);
}

static bool missing(uint64_t gfn)
{
	uint64_t page = gfn - HOST_RAM / PAGE;

	return page >= HOST_PAGES || host.missing & 1U << page;
}

void *xenforeignmemory_map(xenforeignmemory_handle *fmem, uint32_t domid, int prot, size_t num,
			   const xen_pfn_t *gfns, int *err)
{
	void *ptr;
	size_t i;

	(void)domid;
	for (i = 0; i < num; i++) {
		if (err)
			err[i] = missing(gfns[i]) ? -ENOENT : 0;
		else if (missing(gfns[i])) {
			errno = ENOENT;
			return NULL;
		}
	}
	if (result(fmem))
		return NULL;
	ptr = mmap(NULL, num * PAGE, prot, MAP_SHARED, host.ram,
		   (gfns[0] * PAGE - HOST_RAM) % (HOST_PAGES * PAGE));
	fuzz_check(ptr != MAP_FAILED);
	return ptr;
}

int xenforeignmemory_unmap(xenforeignmemory_handle *fmem, void *addr, size_t num)
{
	(void)fmem;
	return munmap(addr, num * PAGE);
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	(void)flags;
	return open_handle(-1);
}

int xengnttab_close(xengnttab_handle *xgt)
{
	return close_handle(xgt);
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	uint32_t i;
	char *ptr;

	(void)domid;
	for (i = 0; i < count; i++) {
		if (missing(HOST_RAM / PAGE + refs[i])) {
			errno = EINVAL;
			return NULL;
		}
	}
	if (result(xgt))
		return NULL;
	ptr = mmap(NULL, count * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fuzz_check(ptr != MAP_FAILED);
	for (i = 0; i < count; i++)
		fuzz_check(mmap(ptr + i * PAGE, PAGE, prot, MAP_SHARED | MAP_FIXED, host.ram,
				refs[i] * PAGE) != MAP_FAILED);
	((struct handle *)xgt)->mapped += count;
	return ptr;
}

int xengnttab_unmap(xengnttab_handle *xgt, void *addr, uint32_t count)
{
	fuzz_check(!((uintptr_t)addr % PAGE));
	((struct handle *)xgt)->mapped -= count;
	fuzz_check(((struct handle *)xgt)->mapped >= 0);
	return munmap(addr, count * PAGE);
}

/*
 * The kernel's side of privcmd and gntdev
 */

int __wrap_open64(const char *path, int flags, ...);
int __real_open64(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	int mode;

	if (!strncmp(path, "/dev/xen/", 9))
		return fails() ? -1 : __real_open64("/dev/null", O_RDWR | O_CLOEXEC);
	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	return __real_open64(path, flags, mode);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	(void)request;
	fuzz_check(fcntl(fd, F_GETFD) >= 0);
	return fails() ? -1 : 0;
}
