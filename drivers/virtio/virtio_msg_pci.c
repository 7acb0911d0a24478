// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg over a PCI function
 *
 * The window is at the beginning of BAR 0, see virtio_msg_window.c. Stores to it are
 * posted. There are MSI-X or MSI vectors: vector 0 says what no virtqueue does, and
 * vector q + 1 is virtqueue q's. Those that have none are looked at when vector 0
 * comes, with one vector all of them.
 */

#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/virtio_msg.h>
#include <uapi/linux/virtio_msg_mmio.h>

#include "virtio_msg_window.h"

#define VIRTIO_MSG_PCI_BAR	0
/* Those of Red Hat's device IDs that QEMU keeps for experiments */
#define VIRTIO_MSG_PCI_ID(n)	\
	{ PCI_DEVICE(PCI_VENDOR_ID_REDHAT_QUMRANET, 0x10f0 + (n)) }

/**
 * struct virtio_msg_pci_vq - the interrupt of a virtqueue
 * @vmp: the function
 * @index: the virtqueue
 */
struct virtio_msg_pci_vq {
	struct virtio_msg_pci *vmp;
	unsigned int index;
};

/**
 * struct virtio_msg_pci - a function
 * @window: what is in its BAR
 * @pdev: it
 * @vqs: virtqueues that have a vector, in order of their indices
 * @num_vqs: how many these are
 * @shared: there are others, which vector 0 is for
 * @enabled: vector 0 is in use
 * @asleep: all devices are, since the function is being reset
 */
struct virtio_msg_pci {
	struct virtio_msg_window window;
	struct pci_dev *pdev;
	struct virtio_msg_pci_vq *vqs;
	unsigned int num_vqs;
	bool shared;
	bool enabled;
	bool asleep;
};

#define to_virtio_msg_pci(_bus) \
	container_of(_bus, struct virtio_msg_pci, window.bus)

/* The timeout is longer than virtio-msgd waits for a backend */
static struct virtio_msg_window_params virtio_msg_pci_params = {
	.page = true,
	.timeout = VIRTIO_MSG_MMIO_TIMEOUT_MS,
};

module_param_named(page, virtio_msg_pci_params.page, bool, 0644);
MODULE_PARM_DESC(page, "Use the message page where the device side offers it (default: on)");
module_param_named(timeout, virtio_msg_pci_params.timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "Milliseconds a response may take where it may be late (default: 35000)");

/* Interrupts */

/* An interrupt may come late, when a driver has found its buffers already */
static irqreturn_t virtio_msg_pci_interrupt(int irq, void *data)
{
	struct virtio_msg_pci *vmp = data;

	virtio_msg_window_interrupt(&vmp->window, READ_ONCE(vmp->shared));
	return IRQ_HANDLED;
}

static irqreturn_t virtio_msg_pci_vq_interrupt(int irq, void *data)
{
	struct virtio_msg_pci_vq *vq = data;

	virtio_msg_vq_interrupt(&vq->vmp->window.bus, VIRTIO_MSG_WINDOW_SLOT,
				vq->index);
	return IRQ_HANDLED;
}

/* Returns for how many of @num virtqueues there are vectors */
static int virtio_msg_pci_alloc_vectors(struct virtio_msg_pci *vmp,
					unsigned int num,
					const struct irq_affinity *desc)
{
	unsigned int flags = PCI_IRQ_MSIX | PCI_IRQ_MSI;
	int ret = -ENOSPC;

	if (desc) {
		struct irq_affinity spread = *desc;

		spread.pre_vectors++;
		ret = pci_alloc_irq_vectors_affinity(vmp->pdev, 1 + num, 1 + num,
						     flags | PCI_IRQ_AFFINITY,
						     &spread);
	}
	if (ret < 0)
		ret = pci_alloc_irq_vectors(vmp->pdev, 1, 1 + num, flags);
	return ret < 0 ? ret : ret - 1;
}

static int virtio_msg_pci_enable(struct virtio_msg_pci *vmp, unsigned int num,
				 const struct irq_affinity *desc)
{
	unsigned int i, own;
	int ret;

	ret = virtio_msg_pci_alloc_vectors(vmp, num, desc);
	if (ret < 0)
		return ret;
	own = ret;
	WRITE_ONCE(vmp->shared, own < num);
	ret = pci_request_irq(vmp->pdev, 0, virtio_msg_pci_interrupt, NULL, vmp,
			      "%s", pci_name(vmp->pdev));
	if (ret) {
		pci_free_irq_vectors(vmp->pdev);
		return ret;
	}
	vmp->enabled = true;
	if (!own)
		return 0;
	vmp->vqs = kcalloc(own, sizeof(*vmp->vqs), GFP_KERNEL);
	if (!vmp->vqs)
		return -ENOMEM;
	for (i = 0; i < own; i++) {
		vmp->vqs[i].vmp = vmp;
		vmp->vqs[i].index = i;
		ret = pci_request_irq(vmp->pdev, i + 1,
				      virtio_msg_pci_vq_interrupt, NULL,
				      &vmp->vqs[i], "%s-vq%u",
				      pci_name(vmp->pdev), i);
		if (ret)
			return ret;
		vmp->num_vqs++;
	}
	return 0;
}

static void virtio_msg_pci_free_vqs(struct virtio_msg_pci *vmp)
{
	for (; vmp->num_vqs; vmp->num_vqs--)
		pci_free_irq(vmp->pdev, vmp->num_vqs,
			     &vmp->vqs[vmp->num_vqs - 1]);
	kfree(vmp->vqs);
	vmp->vqs = NULL;
}

/* Also after an enable that failed half-way */
static void virtio_msg_pci_disable(struct virtio_msg_pci *vmp)
{
	virtio_msg_pci_free_vqs(vmp);
	if (!vmp->enabled)
		return;
	vmp->enabled = false;
	pci_free_irq(vmp->pdev, 0, vmp);
	pci_free_irq_vectors(vmp->pdev);
}

/* What happened while there was no vector for it */
static void virtio_msg_pci_catch_up(struct virtio_msg_pci *vmp)
{
	int irq = pci_irq_vector(vmp->pdev, 0);

	disable_irq(irq);
	virtio_msg_window_interrupt(&vmp->window, false);
	enable_irq(irq);
}

/* No virtqueue is enabled now, so none of their interrupts is lost */
static int virtio_msg_pci_request_vqs(struct virtio_msg_device *vmdev,
				      unsigned int num,
				      struct irq_affinity *desc)
{
	struct virtio_msg_pci *vmp = to_virtio_msg_pci(vmdev->bus);
	int err;

	if (!num) {
		virtio_msg_pci_free_vqs(vmp);
		return 0;
	}
	virtio_msg_pci_disable(vmp);
	err = virtio_msg_pci_enable(vmp, num, desc);
	if (err) {
		virtio_msg_pci_disable(vmp);
		err = virtio_msg_pci_enable(vmp, 0, NULL);
		WRITE_ONCE(vmp->shared, true);
	}
	if (!err)
		virtio_msg_pci_catch_up(vmp);
	return err;
}

static int virtio_msg_pci_vq_irq(struct virtio_msg_device *vmdev,
				 unsigned int index)
{
	struct virtio_msg_pci *vmp = to_virtio_msg_pci(vmdev->bus);

	return index < vmp->num_vqs ? pci_irq_vector(vmp->pdev, index + 1) :
				      -ENOENT;
}

static int virtio_msg_pci_enable_events(struct virtio_msg_bus *bus)
{
	return virtio_msg_pci_enable(to_virtio_msg_pci(bus), 0, NULL);
}

static void virtio_msg_pci_disable_events(struct virtio_msg_bus *bus)
{
	virtio_msg_pci_disable(to_virtio_msg_pci(bus));
}

static void virtio_msg_pci_synchronize_cbs(struct virtio_msg_bus *bus)
{
	struct virtio_msg_pci *vmp = to_virtio_msg_pci(bus);
	unsigned int i;

	if (!vmp->enabled)
		return;
	for (i = 0; i <= vmp->num_vqs; i++)
		synchronize_irq(pci_irq_vector(vmp->pdev, i));
}

static const struct virtio_msg_bus_ops virtio_msg_pci_ops = {
	.transfer = virtio_msg_window_transfer,
	.notify = virtio_msg_window_notify,
	.synchronize_cbs = virtio_msg_pci_synchronize_cbs,
	.enable_events = virtio_msg_pci_enable_events,
	.disable_events = virtio_msg_pci_disable_events,
	.arrive = virtio_msg_window_arrive,
	.another = virtio_msg_window_another,
	.peek = virtio_msg_window_peek,
	.request_vqs = virtio_msg_pci_request_vqs,
	.vq_irq = virtio_msg_pci_vq_irq,
};

/* Functions */

static int virtio_msg_pci_probe(struct pci_dev *pdev,
				const struct pci_device_id *id)
{
	struct resource *window = &pdev->resource[VIRTIO_MSG_PCI_BAR];
	struct device *dev = &pdev->dev;
	struct virtio_msg_pci *vmp;
	u32 magic;
	int err;

	vmp = devm_kzalloc(dev, sizeof(*vmp), GFP_KERNEL);
	if (!vmp)
		return -ENOMEM;
	err = pcim_enable_device(pdev);
	if (err)
		return dev_err_probe(dev, err, "cannot be enabled\n");
	if (!(window->flags & IORESOURCE_MEM) ||
	    resource_size(window) < VIRTIO_MSG_MMIO_SIZE)
		return dev_err_probe(dev, -ENODEV,
				     "BAR %d is not memory of at least %#x bytes\n",
				     VIRTIO_MSG_PCI_BAR, VIRTIO_MSG_MMIO_SIZE);
	vmp->pdev = pdev;
	vmp->window.params = &virtio_msg_pci_params;
	vmp->window.bus.ops = &virtio_msg_pci_ops;
	vmp->window.bus.parent = dev;
	/* The vectors are for the queues of one device */
	vmp->window.max_slots = 1;
	vmp->window.bus.window = window;
	vmp->window.can_page = true;
	vmp->window.dma = true;
	vmp->window.posted = true;
	vmp->window.base = pcim_iomap_region(pdev, VIRTIO_MSG_PCI_BAR,
					     pci_name(pdev));
	if (IS_ERR(vmp->window.base))
		return dev_err_probe(dev, PTR_ERR(vmp->window.base),
				     "BAR %d cannot be mapped\n",
				     VIRTIO_MSG_PCI_BAR);

	magic = readl(vmp->window.base + VIRTIO_MSG_MMIO_MAGIC);
	if (magic != VIRTIO_MSG_MMIO_MAGIC_VALUE)
		return dev_err_probe(dev, -ENODEV,
				     "no virtio-msg device side at %pR: magic is %#010x\n",
				     window, magic);
	err = virtio_msg_window_init(&vmp->window);
	if (err)
		return err;
	err = virtio_msg_window_setup_mask(dev);
	if (err)
		return err;
	pci_set_master(pdev);
	pci_set_drvdata(pdev, vmp);
	err = virtio_msg_window_register(&vmp->window);
	if (err)
		pci_clear_master(pdev);
	return err;
}

static void virtio_msg_pci_remove(struct pci_dev *pdev)
{
	struct virtio_msg_pci *vmp = pci_get_drvdata(pdev);

	/* Drivers would wait for what they have under way */
	if (!pci_device_is_present(pdev))
		virtio_msg_break_bus(&vmp->window.bus);
	virtio_msg_window_unregister(&vmp->window);
	pci_clear_master(pdev);
}

static void virtio_msg_pci_shutdown(struct pci_dev *pdev)
{
	struct virtio_msg_pci *vmp = pci_get_drvdata(pdev);

	virtio_msg_window_shutdown(&vmp->window);
	pci_clear_master(pdev);
}

#ifdef CONFIG_PM_SLEEP
static int virtio_msg_pci_freeze(struct device *dev)
{
	struct virtio_msg_pci *vmp = dev_get_drvdata(dev);

	return virtio_msg_window_freeze(&vmp->window);
}

static int virtio_msg_pci_restore(struct device *dev)
{
	struct virtio_msg_pci *vmp = dev_get_drvdata(dev);

	pci_set_master(vmp->pdev);
	return virtio_msg_window_restore(&vmp->window);
}

/* As around a sleep: what was set up is gone afterwards */
static void virtio_msg_pci_reset_prepare(struct pci_dev *pdev)
{
	struct virtio_msg_pci *vmp = pci_get_drvdata(pdev);
	int err = virtio_msg_window_freeze(&vmp->window);

	vmp->asleep = !err;
	if (err)
		pci_warn(pdev, "devices are in use while the function is reset: %pe\n",
			 ERR_PTR(err));
}

static void virtio_msg_pci_reset_done(struct pci_dev *pdev)
{
	struct virtio_msg_pci *vmp = pci_get_drvdata(pdev);
	int err;

	if (!vmp->asleep)
		return;
	vmp->asleep = false;
	err = virtio_msg_window_restore(&vmp->window);
	if (err)
		pci_warn(pdev, "devices do not work after the reset: %pe\n",
			 ERR_PTR(err));
}

static const struct pci_error_handlers virtio_msg_pci_err_handler = {
	.reset_prepare = virtio_msg_pci_reset_prepare,
	.reset_done = virtio_msg_pci_reset_done,
};
#endif

static const struct dev_pm_ops virtio_msg_pci_pm_ops = {
	SET_SYSTEM_SLEEP_PM_OPS(virtio_msg_pci_freeze, virtio_msg_pci_restore)
};

static const struct pci_device_id virtio_msg_pci_ids[] = {
	VIRTIO_MSG_PCI_ID(0x0), VIRTIO_MSG_PCI_ID(0x1), VIRTIO_MSG_PCI_ID(0x2),
	VIRTIO_MSG_PCI_ID(0x3), VIRTIO_MSG_PCI_ID(0x4), VIRTIO_MSG_PCI_ID(0x5),
	VIRTIO_MSG_PCI_ID(0x6), VIRTIO_MSG_PCI_ID(0x7), VIRTIO_MSG_PCI_ID(0x8),
	VIRTIO_MSG_PCI_ID(0x9), VIRTIO_MSG_PCI_ID(0xa), VIRTIO_MSG_PCI_ID(0xb),
	VIRTIO_MSG_PCI_ID(0xc), VIRTIO_MSG_PCI_ID(0xd), VIRTIO_MSG_PCI_ID(0xe),
	VIRTIO_MSG_PCI_ID(0xf),
	{}
};
MODULE_DEVICE_TABLE(pci, virtio_msg_pci_ids);

static struct pci_driver virtio_msg_pci_driver = {
	.name = "virtio-msg-pci",
	.id_table = virtio_msg_pci_ids,
	.probe = virtio_msg_pci_probe,
	.remove = virtio_msg_pci_remove,
	.shutdown = virtio_msg_pci_shutdown,
	.driver.pm = pm_ptr(&virtio_msg_pci_pm_ops),
#ifdef CONFIG_PM_SLEEP
	.err_handler = &virtio_msg_pci_err_handler,
#endif
};
module_pci_driver(virtio_msg_pci_driver);

MODULE_DESCRIPTION("virtio-msg over PCI");
MODULE_LICENSE("GPL");
