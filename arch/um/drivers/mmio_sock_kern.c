// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO regions served by other processes
 *
 * Loads and stores in such a region go to the process that listens on a UNIX
 * socket, as virtual machines send theirs to a device emulator. The process
 * gets the guest's memory as a file descriptor and raises interrupts; see
 * mmio_sock.h for what the two say to each other.
 *
 * Regions are given on the command line, each by one
 *
 *	mmio_sock.region=<size>@<base>:<irq>[-<last irq>]:<socket>
 *
 * where:
 *	<size>		:= size of the region, at most 16M (may use K or M)
 *	<base>		:= guest physical address, above all memory
 *	<irq>		:= Linux interrupt number of the server's interrupt 0; the
 *			   last one follows if there is more than one
 *	<socket>	:= path of the server's socket
 *
 * example:
 *	mmio_sock.region=4K@0x1000000000:32-39:/run/server.sock
 *
 * What is in a region is told to its drivers by their own means, such as
 * virtio_mmio.device=0x200@0x1000000000:32 for a virtio-mmio device. In a device
 * tree (dtb=) the region is an interrupt controller with its address in "reg",
 * of one or two interrupt cells, and a "simple-bus" of the devices in it.
 *
 * A server that goes away or does not answer in time leaves a region that
 * reads as all ones, and no driver bound to it.
 */
#define pr_fmt(fmt) "mmio_sock: " fmt

#include <linux/bitops.h>
#include <linux/device.h>
#include <linux/interrupt.h>
#include <linux/ioport.h>
#include <linux/irq.h>
#include <linux/irqdomain.h>
#include <linux/logic_iomem.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/of_address.h>
#include <linux/platform_device.h>
#include <linux/property.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <asm/page.h>
#include <as-layout.h>
#include <init.h>
#include <irq_kern.h>
#include <mem.h>
#include <os.h>
#include "mmio_sock.h"
#include "mmio_sock_user.h"

#define MMIO_SOCK_MAX_REGIONS	8
#define MMIO_SOCK_MAX_SIZE	SZ_16M	/* logic_iomem's limit for a mapping */

/**
 * struct mmio_sock_region - one region and its server
 * @res: where it is
 * @path: the server's socket
 * @first_irq: Linux interrupt number of the server's interrupt 0
 * @num_irqs: how many the server may raise
 * @domain: translates the server's interrupt numbers
 * @pending: interrupts that the server raised, in memory shared with it
 * @lock: makes an access one exchange on @sock; protects @up and @lost
 * @up: accesses go to the server
 * @lost: there was a server, and it is gone
 * @sock: connection to the server
 * @doorbell: becomes readable when @pending has changed
 * @doorbell_irq: its interrupt
 * @gone: takes everything down once the server is gone
 */
struct mmio_sock_region {
	struct resource res;
	char *path;

	unsigned int first_irq;
	unsigned int num_irqs;
	struct irq_domain *domain;
	unsigned long *pending;

	raw_spinlock_t lock;
	bool up;
	bool lost;
	int sock;

	int doorbell;
	int doorbell_irq;
	struct work_struct gone;
};

static DEFINE_MUTEX(mmio_sock_mutex);	/* protects the next two */
static struct mmio_sock_region mmio_sock_regions[MMIO_SOCK_MAX_REGIONS];
static unsigned int mmio_sock_num_regions;

/* Servers may depend on other processes, for which they wait half a minute */
static unsigned int mmio_sock_timeout = 35000;
module_param_named(timeout, mmio_sock_timeout, uint, 0444);
MODULE_PARM_DESC(timeout, "Milliseconds a server has to answer an access");

/* The server's death */

static int mmio_sock_unbind(struct device *dev, void *data)
{
	struct mmio_sock_region *region = data;
	struct resource *res;

	res = platform_get_resource(to_platform_device(dev), IORESOURCE_MEM, 0);
	if (res && resource_contains(&region->res, res))
		device_release_driver(dev);
	return 0;
}

static long mmio_sock_free_doorbell(void *data)
{
	struct mmio_sock_region *region = data;

	um_free_irq(region->doorbell_irq, region);
	return 0;
}

/*
 * SIGIO is taken by CPU 0. Its handler looks, without a lock, at what
 * um_free_irq() frees; on that CPU the one does not run during the other.
 */
static void mmio_sock_disconnect(struct mmio_sock_region *region)
{
	work_on_cpu(0, mmio_sock_free_doorbell, region);
	os_close_file(region->doorbell);
	os_close_file(region->sock);
}

static void mmio_sock_gone(struct work_struct *work)
{
	struct mmio_sock_region *region =
		container_of(work, struct mmio_sock_region, gone);

	bus_for_each_dev(&platform_bus_type, NULL, region, mmio_sock_unbind);
	mmio_sock_disconnect(region);
}

/* In any context; says it once, whoever notices first */
static void mmio_sock_lost(struct mmio_sock_region *region, int err)
{
	unsigned long flags;
	bool was_lost;

	raw_spin_lock_irqsave(&region->lock, flags);
	region->up = false;
	was_lost = region->lost;
	region->lost = true;
	raw_spin_unlock_irqrestore(&region->lock, flags);
	if (was_lost)
		return;

	pr_err("%s: server of %pR is gone (error %d)\n", region->path,
	       &region->res, err);
	schedule_work(&region->gone);
}

/* Accesses */

/*
 * With interrupts off: a handler that ran in between would make an access of
 * its own in the middle of this one.
 */
static u64 mmio_sock_access(struct mmio_sock_region *region, u8 op,
			    unsigned int offset, int size, u64 value)
{
	struct mmio_sock_access access = {
		.op = op,
		.size = size,
		.offset = offset,
		.value = value,
	};
	struct mmio_sock_reply reply;
	unsigned long flags;
	int err = 0;

	raw_spin_lock_irqsave(&region->lock, flags);
	if (region->up) {
		err = mmio_sock_exchange(region->sock, &access, sizeof(access),
					 &reply, sizeof(reply),
					 mmio_sock_timeout);
		region->up = !err;
	} else {
		reply.value = ~0ULL;
	}
	raw_spin_unlock_irqrestore(&region->lock, flags);

	if (!err)
		return reply.value;
	mmio_sock_lost(region, err);
	return ~0ULL;
}

static unsigned long mmio_sock_read(void *priv, unsigned int offset, int size)
{
	return mmio_sock_access(priv, MMIO_SOCK_READ, offset, size, 0);
}

static void mmio_sock_write(void *priv, unsigned int offset, int size,
			    unsigned long value)
{
	mmio_sock_access(priv, MMIO_SOCK_WRITE, offset, size, value);
}

static const struct logic_iomem_ops mmio_sock_ops = {
	.read = mmio_sock_read,
	.write = mmio_sock_write,
};

/* logic_iomem does not tell map() which region it is asked for */
#define MMIO_SOCK_MAP(n)						\
static long mmio_sock_map_##n(unsigned long offset, size_t size,	\
			      const struct logic_iomem_ops **ops,	\
			      void **priv)				\
{									\
	*ops = &mmio_sock_ops;						\
	*priv = &mmio_sock_regions[n];					\
	return offset;							\
}

MMIO_SOCK_MAP(0)
MMIO_SOCK_MAP(1)
MMIO_SOCK_MAP(2)
MMIO_SOCK_MAP(3)
MMIO_SOCK_MAP(4)
MMIO_SOCK_MAP(5)
MMIO_SOCK_MAP(6)
MMIO_SOCK_MAP(7)

static const struct logic_iomem_region_ops
mmio_sock_region_ops[MMIO_SOCK_MAX_REGIONS] = {
	{ .map = mmio_sock_map_0 },
	{ .map = mmio_sock_map_1 },
	{ .map = mmio_sock_map_2 },
	{ .map = mmio_sock_map_3 },
	{ .map = mmio_sock_map_4 },
	{ .map = mmio_sock_map_5 },
	{ .map = mmio_sock_map_6 },
	{ .map = mmio_sock_map_7 },
};

/* Interrupts */

static void mmio_sock_irq_ack(struct irq_data *data)
{
	/* Taking the bit out of region->pending was the acknowledgment */
}

static int mmio_sock_irq_set_type(struct irq_data *data, unsigned int type)
{
	return type == IRQ_TYPE_EDGE_RISING ? 0 : -EINVAL;
}

static struct irq_chip mmio_sock_irq_chip = {
	.name = "mmio-sock",
	.irq_ack = mmio_sock_irq_ack,
	.irq_set_type = mmio_sock_irq_set_type,
	.flags = IRQCHIP_SKIP_SET_WAKE,
};

static int mmio_sock_irq_map(struct irq_domain *domain, unsigned int virq,
			     irq_hw_number_t hwirq)
{
	irq_set_chip_and_handler(virq, &mmio_sock_irq_chip, handle_edge_irq);
	irqd_set_trigger_type(irq_get_irq_data(virq), IRQ_TYPE_EDGE_RISING);
	return 0;
}

static const struct irq_domain_ops mmio_sock_domain_ops = {
	.map = mmio_sock_irq_map,
	.xlate = irq_domain_xlate_onetwocell,
};

/* The bitmap is the server's to write: only its bits are believed */
static void mmio_sock_handle(struct mmio_sock_region *region, unsigned int word)
{
	unsigned long bits = xchg(&region->pending[word], 0);
	unsigned int bit;

	for_each_set_bit(bit, &bits, BITS_PER_LONG) {
		unsigned int hwirq = word * BITS_PER_LONG + bit;

		if (hwirq < region->num_irqs)
			generic_handle_domain_irq(region->domain, hwirq);
	}
}

static irqreturn_t mmio_sock_doorbell(int irq, void *data)
{
	struct mmio_sock_region *region = data;
	unsigned int word;
	char buf[64];
	int n;

	/* First the doorbell, then what it told of: none is missed that way */
	do {
		n = os_read_file(region->doorbell, buf, sizeof(buf));
	} while (n > 0 || n == -EINTR);

	for (word = 0; word < BITS_TO_LONGS(MMIO_SOCK_MAX_IRQS); word++)
		mmio_sock_handle(region, word);

	if (n != -EAGAIN)
		mmio_sock_lost(region, n ?: -ECONNRESET);
	return IRQ_HANDLED;
}

/* Interrupts below are UML's own; what a driver requested or a domain has is taken */
static bool mmio_sock_irqs_free(struct mmio_sock_region *region)
{
	unsigned int irq;

	for (irq = region->first_irq;
	     irq < region->first_irq + region->num_irqs; irq++) {
		struct irq_data *data = irq_get_irq_data(irq);

		if (irq < UM_FIRST_DYN_IRQ || !data || data->domain ||
		    irq_has_action(irq))
			return false;
	}
	return true;
}

/* The interrupt controller in the device tree that has the region's address */
static struct fwnode_handle *mmio_sock_fwnode(struct mmio_sock_region *region)
{
	struct device_node *np;
	struct resource res;

	for_each_node_with_property(np, "interrupt-controller") {
		if (!of_address_to_resource(np, 0, &res) &&
		    res.start == region->res.start)
			return of_fwnode_handle(np);
	}
	return NULL;
}

static int mmio_sock_add_domain(struct mmio_sock_region *region)
{
	struct fwnode_handle *fwnode = mmio_sock_fwnode(region);

	region->domain = irq_domain_create_legacy(fwnode, region->num_irqs,
						  region->first_irq, 0,
						  &mmio_sock_domain_ops, region);
	fwnode_handle_put(fwnode);
	return region->domain ? 0 : -ENOMEM;
}

/* Connecting */

/*
 * The kernel's image and what precedes it are not in the memory file, so only
 * what follows is offered.
 */
static int mmio_sock_hello(struct mmio_sock_region *region, int doorbell)
{
	struct mmio_sock_hello hello = {
		.magic = MMIO_SOCK_MAGIC,
		.version = MMIO_SOCK_VERSION,
		.base = region->res.start,
		.size = resource_size(&region->res),
		.mem_base = uml_to_phys((void *)uml_reserved),
		.mem_size = high_physmem - uml_reserved,
		.num_irqs = region->num_irqs,
	};
	struct mmio_sock_welcome welcome;
	unsigned long long offset;
	int fds[2], n, err;

	fds[0] = phys_mapping(hello.mem_base, &offset);
	fds[1] = doorbell;
	hello.mem_offset = offset;
	if (fds[0] < 0 || phys_mapping(__pa(region->pending), &offset) != fds[0])
		return -EFAULT;
	hello.pending_offset = offset;

	n = os_sendmsg_fds(region->sock, &hello, sizeof(hello), fds,
			   ARRAY_SIZE(fds));
	if (n != sizeof(hello))
		return n < 0 ? n : -EIO;

	err = mmio_sock_receive(region->sock, &welcome, sizeof(welcome),
				mmio_sock_timeout);
	if (err)
		return err;
	if (welcome.magic != MMIO_SOCK_MAGIC ||
	    welcome.version != MMIO_SOCK_VERSION)
		return -EPROTO;
	return welcome.error > MAX_ERRNO ? -EPROTO : -(int)welcome.error;
}

static int mmio_sock_open(struct mmio_sock_region *region)
{
	int doorbell[2];
	int err;

	region->sock = mmio_sock_connect(region->path, mmio_sock_timeout);
	if (region->sock < 0)
		return region->sock;

	/* An eventfd would not do: it cannot raise SIGIO */
	err = os_pipe(doorbell, 1, 1);
	if (err)
		goto err_sock;
	region->doorbell = doorbell[0];
	err = os_set_fd_block(doorbell[1], 0);
	if (err)
		goto err_doorbell;

	err = um_request_irq(UM_IRQ_ALLOC, region->doorbell, IRQ_READ,
			     mmio_sock_doorbell, 0, "mmio-sock", region);
	if (err < 0)
		goto err_doorbell;
	region->doorbell_irq = err;

	err = mmio_sock_hello(region, doorbell[1]);
	if (err)
		goto err_irq;
	region->up = true;
	os_close_file(doorbell[1]);
	return 0;

err_irq:
	mmio_sock_disconnect(region);
	os_close_file(doorbell[1]);
	return err;
err_doorbell:
	os_close_file(doorbell[0]);
	os_close_file(doorbell[1]);
err_sock:
	os_close_file(region->sock);
	return err;
}

static int mmio_sock_check(struct mmio_sock_region *region)
{
	if (!resource_size(&region->res) ||
	    resource_size(&region->res) > MMIO_SOCK_MAX_SIZE ||
	    region->res.end < region->res.start) {
		pr_err("%pR: size is not 1 to 16M\n", &region->res);
		return -EINVAL;
	}
	if (region->res.start < high_physmem - uml_physmem) {
		pr_err("%pR overlaps memory\n", &region->res);
		return -EINVAL;
	}
	if (region->num_irqs > MMIO_SOCK_MAX_IRQS || !mmio_sock_irqs_free(region)) {
		pr_err("%pR: interrupts %u-%u are not free\n", &region->res,
		       region->first_irq,
		       region->first_irq + region->num_irqs - 1);
		return -EINVAL;
	}
	return 0;
}

static int mmio_sock_add(struct mmio_sock_region *region)
{
	int err = mmio_sock_check(region);

	if (err)
		return err;

	region->res.name = region->path;
	region->res.flags = IORESOURCE_MEM;
	raw_spin_lock_init(&region->lock);
	INIT_WORK(&region->gone, mmio_sock_gone);

	region->pending = (unsigned long *)get_zeroed_page(GFP_KERNEL);
	if (!region->pending)
		return -ENOMEM;
	err = mmio_sock_add_domain(region);
	if (err)
		goto err_page;
	err = logic_iomem_add_region(&region->res,
				     &mmio_sock_region_ops[region - mmio_sock_regions]);
	if (err) {
		pr_err("%pR cannot be added (error %d)\n", &region->res, err);
		goto err_domain;
	}

	/*
	 * A region cannot be removed again. Without its server it stays, reads
	 * as all ones, and its drivers find nothing there.
	 */
	err = mmio_sock_open(region);
	if (err)
		pr_err("%s: no server for %pR (error %d)\n", region->path,
		       &region->res, err);
	return 0;

err_domain:
	irq_domain_remove(region->domain);
err_page:
	free_page((unsigned long)region->pending);
	return err;
}

/* Command line */

static int mmio_sock_parse(const char *arg, struct mmio_sock_region *region)
{
	unsigned int last, consumed = 0;
	unsigned long long size;
	long long base;
	char *str;

	size = memparse(arg, &str);
	if (sscanf(str, "@%lli:%u%n", &base, &region->first_irq, &consumed) < 2)
		return -EINVAL;
	str += consumed;
	last = region->first_irq;
	consumed = 0;
	if (*str == '-' && sscanf(str, "-%u%n", &last, &consumed) < 1)
		return -EINVAL;
	str += consumed;
	if (str[0] != ':' || !str[1] || last < region->first_irq)
		return -EINVAL;

	region->num_irqs = last - region->first_irq + 1;
	region->res.start = base;
	region->res.end = base + size - 1;
	if (region->res.start != (u64)base || resource_size(&region->res) != size)
		return -EINVAL;

	region->path = kstrdup(str + 1, GFP_KERNEL);
	return region->path ? 0 : -ENOMEM;
}

static int mmio_sock_param_set(const char *arg, const struct kernel_param *kp)
{
	struct mmio_sock_region *region;
	int err;

	guard(mutex)(&mmio_sock_mutex);

	if (mmio_sock_num_regions == MMIO_SOCK_MAX_REGIONS) {
		pr_err("more than %d regions\n", MMIO_SOCK_MAX_REGIONS);
		return -ENOSPC;
	}

	region = &mmio_sock_regions[mmio_sock_num_regions];
	err = mmio_sock_parse(arg, region);
	if (!err) {
		err = mmio_sock_add(region);
		if (err)
			kfree(region->path);
	}
	if (err)
		memset(region, 0, sizeof(*region));
	else
		mmio_sock_num_regions++;
	return err;
}

static int mmio_sock_param_get(char *buffer, const struct kernel_param *kp)
{
	unsigned int i;
	int len = 0;

	guard(mutex)(&mmio_sock_mutex);

	for (i = 0; i < mmio_sock_num_regions; i++) {
		struct mmio_sock_region *region = &mmio_sock_regions[i];

		len += scnprintf(buffer + len, PAGE_SIZE - len,
				 "0x%llx@0x%llx:%u-%u:%s\n",
				 (u64)resource_size(&region->res),
				 (u64)region->res.start, region->first_irq,
				 region->first_irq + region->num_irqs - 1,
				 region->path);
	}
	return len;
}

static const struct kernel_param_ops mmio_sock_param_ops = {
	.set = mmio_sock_param_set,
	.get = mmio_sock_param_get,
};

/* Before devices are made whose resources lie inside the regions */
arch_param_cb(region, &mmio_sock_param_ops, NULL, 0400);
__uml_help(mmio_sock_param_ops,
	   "mmio_sock.region=<size>@<base>:<irq>[-<last irq>]:<socket>\n"
	   "    Have loads and stores at guest physical addresses <base> and up\n"
	   "    served by the process that listens on the UNIX socket <socket>.\n"
	   "    Its interrupts are Linux interrupts <irq> to <last irq>.\n\n"
);
