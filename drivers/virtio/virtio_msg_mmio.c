// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-msg over a window of MMIO that a hypervisor traps
 *
 * A request is sent by the store that completes it: the device side, on the
 * other end of the trap, answers before the CPU goes on. What goes through the
 * window is in virtio_msg_window.c; this is how windows are found, by the device
 * tree or the command line, and their interrupt.
 */

#define pr_fmt(fmt) "virtio-msg-mmio: " fmt

#include <linux/dma-map-ops.h>
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/irq.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/platform_device.h>
#include <linux/virtio_msg.h>
#include <uapi/linux/virtio_msg_mmio.h>

#include "virtio_msg_window.h"

#define VIRTIO_MSG_MMIO_NAME	"virtio-msg-mmio"

/**
 * struct virtio_msg_mmio - a window
 * @window: it
 * @irq: its interrupt
 * @edge: @irq is edge-triggered
 */
struct virtio_msg_mmio {
	struct virtio_msg_window window;
	int irq;
	bool edge;
};

#define to_virtio_msg_mmio(_bus) \
	container_of(_bus, struct virtio_msg_mmio, window.bus)

/* The timeout is longer than virtio-msgd waits for a backend */
static struct virtio_msg_window_params virtio_msg_mmio_params = {
	.page = true,
	.timeout = VIRTIO_MSG_MMIO_TIMEOUT_MS,
};

module_param_named(page, virtio_msg_mmio_params.page, bool, 0644);
MODULE_PARM_DESC(page, "Use the message page where the device side offers it (default: on)");
module_param_named(timeout, virtio_msg_mmio_params.timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "Milliseconds a response may take where it may be late (default: 35000)");

/* Every interrupt means: look at all virtqueues, and at what else happened */
static irqreturn_t virtio_msg_mmio_interrupt(int irq, void *data)
{
	struct virtio_msg_mmio *mmio = data;
	irqreturn_t ret = virtio_msg_window_interrupt(&mmio->window, true);

	/*
	 * An edge may come late, when a driver has found its buffers already:
	 * not a reason to think that nobody cares for the interrupt.
	 */
	return mmio->edge ? IRQ_HANDLED : ret;
}

static int virtio_msg_mmio_enable_events(struct virtio_msg_bus *bus)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);

	return request_irq(mmio->irq, virtio_msg_mmio_interrupt, IRQF_SHARED,
			   dev_name(bus->parent), mmio);
}

static void virtio_msg_mmio_disable_events(struct virtio_msg_bus *bus)
{
	struct virtio_msg_mmio *mmio = to_virtio_msg_mmio(bus);

	free_irq(mmio->irq, mmio);
}

static void virtio_msg_mmio_synchronize_cbs(struct virtio_msg_bus *bus)
{
	synchronize_irq(to_virtio_msg_mmio(bus)->irq);
}

static const struct virtio_msg_bus_ops virtio_msg_mmio_ops = {
	.transfer = virtio_msg_window_transfer,
	.notify = virtio_msg_window_notify,
	.synchronize_cbs = virtio_msg_mmio_synchronize_cbs,
	.enable_events = virtio_msg_mmio_enable_events,
	.disable_events = virtio_msg_mmio_disable_events,
	.arrive = virtio_msg_window_arrive,
	.another = virtio_msg_window_another,
	.peek = virtio_msg_window_peek,
};

static bool virtio_msg_mmio_is_edge(int irq)
{
	u32 type = irq_get_trigger_type(irq);

	return type && !(type & IRQ_TYPE_LEVEL_MASK);
}

static int virtio_msg_mmio_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct virtio_msg_mmio *mmio;
	struct resource *window;
	u32 magic;
	int err;

	mmio = devm_kzalloc(dev, sizeof(*mmio), GFP_KERNEL);
	if (!mmio)
		return -ENOMEM;
	mmio->window.params = &virtio_msg_mmio_params;
	mmio->window.bus.ops = &virtio_msg_mmio_ops;
	mmio->window.bus.parent = dev;
	mmio->window.max_slots = VIRTIO_MSG_MMIO_PAGE_SLOTS;

	mmio->window.base = devm_platform_get_and_ioremap_resource(pdev, 0, &window);
	if (IS_ERR(mmio->window.base))
		return PTR_ERR(mmio->window.base);
	mmio->window.bus.window = window;
	if (resource_size(window) < VIRTIO_MSG_MMIO_SIZE)
		return dev_err_probe(dev, -EINVAL,
				     "window %pR is smaller than %#x bytes\n",
				     window, VIRTIO_MSG_MMIO_SIZE);

	magic = readl(mmio->window.base + VIRTIO_MSG_MMIO_MAGIC);
	if (magic != VIRTIO_MSG_MMIO_MAGIC_VALUE)
		return dev_err_probe(dev, -ENODEV,
				     "no virtio-msg device side at %pR: magic is %#010x\n",
				     window, magic);
	err = virtio_msg_window_init(&mmio->window);
	if (err)
		return err;
	mmio->irq = platform_get_irq(pdev, 0);
	if (mmio->irq < 0)
		return mmio->irq;
	mmio->edge = virtio_msg_mmio_is_edge(mmio->irq);
	mmio->window.can_page = mmio->edge && dev_is_dma_coherent(dev);
	err = virtio_msg_window_setup_mask(dev);
	if (err)
		return err;

	platform_set_drvdata(pdev, mmio);
	return virtio_msg_window_register(&mmio->window);
}

static void virtio_msg_mmio_remove(struct platform_device *pdev)
{
	struct virtio_msg_mmio *mmio = platform_get_drvdata(pdev);

	virtio_msg_window_unregister(&mmio->window);
}

static void virtio_msg_mmio_shutdown(struct platform_device *pdev)
{
	struct virtio_msg_mmio *mmio = platform_get_drvdata(pdev);

	virtio_msg_window_shutdown(&mmio->window);
}

#ifdef CONFIG_PM_SLEEP
static int virtio_msg_mmio_freeze(struct device *dev)
{
	struct virtio_msg_mmio *mmio = dev_get_drvdata(dev);

	return virtio_msg_window_freeze(&mmio->window);
}

static int virtio_msg_mmio_restore(struct device *dev)
{
	struct virtio_msg_mmio *mmio = dev_get_drvdata(dev);

	return virtio_msg_window_restore(&mmio->window);
}
#endif

static const struct dev_pm_ops virtio_msg_mmio_pm_ops = {
	SET_SYSTEM_SLEEP_PM_OPS(virtio_msg_mmio_freeze, virtio_msg_mmio_restore)
};

static const struct of_device_id virtio_msg_mmio_match[] = {
	{ .compatible = "virtio,msg-mmio" },
	{}
};
MODULE_DEVICE_TABLE(of, virtio_msg_mmio_match);

static struct platform_driver virtio_msg_mmio_driver = {
	.probe = virtio_msg_mmio_probe,
	.remove = virtio_msg_mmio_remove,
	.shutdown = virtio_msg_mmio_shutdown,
	.driver = {
		.name = VIRTIO_MSG_MMIO_NAME,
		.of_match_table = virtio_msg_mmio_match,
		.pm = pm_ptr(&virtio_msg_mmio_pm_ops),
	},
};

/* Devices on the kernel command line, in virtio_mmio's words */

#ifdef CONFIG_VIRTIO_MSG_MMIO_CMDLINE_DEVICES

static struct device *virtio_msg_mmio_cmdline;
static int virtio_msg_mmio_next_id;

static int virtio_msg_mmio_set_device(const char *arg,
				      const struct kernel_param *kp)
{
	struct resource resources[2] = {};
	struct platform_device *pdev;
	long long base, size;
	int read, end = 0;
	unsigned int irq;
	char *rest;

	size = memparse(arg, &rest);
	read = sscanf(rest, "@%lli:%u%n:%d%n", &base, &irq, &end,
		      &virtio_msg_mmio_next_id, &end);
	if (read < 2 || rest[end] || !irq || size <= 0 || base < 0) {
		pr_err("device=%s: not <size>@<base>:<irq>[:<id>]\n", arg);
		return -EINVAL;
	}
	if (!virtio_msg_mmio_cmdline) {
		struct device *root;

		root = root_device_register(VIRTIO_MSG_MMIO_NAME "-cmdline");
		if (IS_ERR(root))
			return PTR_ERR(root);
		virtio_msg_mmio_cmdline = root;
	}
	resources[0] = DEFINE_RES_MEM(base, size);
	resources[1] = DEFINE_RES_IRQ(irq);
	pdev = platform_device_register_resndata(virtio_msg_mmio_cmdline,
						 VIRTIO_MSG_MMIO_NAME,
						 virtio_msg_mmio_next_id++,
						 resources,
						 ARRAY_SIZE(resources), NULL, 0);
	return PTR_ERR_OR_ZERO(pdev);
}

static int virtio_msg_mmio_show_device(struct device *dev, void *data)
{
	struct platform_device *pdev = to_platform_device(dev);
	char *buf = data;
	size_t len = strlen(buf);

	scnprintf(buf + len, PAGE_SIZE - len, "%#llx@%#llx:%llu:%d\n",
		  (u64)resource_size(&pdev->resource[0]),
		  (u64)pdev->resource[0].start, (u64)pdev->resource[1].start,
		  pdev->id);
	return 0;
}

static int virtio_msg_mmio_get_devices(char *buf, const struct kernel_param *kp)
{
	buf[0] = '\0';
	if (virtio_msg_mmio_cmdline)
		device_for_each_child(virtio_msg_mmio_cmdline, buf,
				      virtio_msg_mmio_show_device);
	return strlen(buf);
}

static const struct kernel_param_ops virtio_msg_mmio_device_ops = {
	.set = virtio_msg_mmio_set_device,
	.get = virtio_msg_mmio_get_devices,
};

device_param_cb(device, &virtio_msg_mmio_device_ops, NULL, 0400);
MODULE_PARM_DESC(device, "A window: <size>@<base>:<irq>[:<id>]; may be given more than once");

static int virtio_msg_mmio_drop_device(struct device *dev, void *data)
{
	platform_device_unregister(to_platform_device(dev));
	return 0;
}

static void virtio_msg_mmio_drop_devices(void)
{
	if (!virtio_msg_mmio_cmdline)
		return;
	device_for_each_child(virtio_msg_mmio_cmdline, NULL,
			      virtio_msg_mmio_drop_device);
	root_device_unregister(virtio_msg_mmio_cmdline);
}

#else

static void virtio_msg_mmio_drop_devices(void)
{
}

#endif

static int __init virtio_msg_mmio_init(void)
{
	return platform_driver_register(&virtio_msg_mmio_driver);
}
module_init(virtio_msg_mmio_init);

static void __exit virtio_msg_mmio_exit(void)
{
	platform_driver_unregister(&virtio_msg_mmio_driver);
	virtio_msg_mmio_drop_devices();
}
module_exit(virtio_msg_mmio_exit);

MODULE_DESCRIPTION("virtio-msg over a trapped MMIO window");
MODULE_LICENSE("GPL");
