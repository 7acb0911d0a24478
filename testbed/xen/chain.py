# SPDX-License-Identifier: GPL-2.0-only
"""Everything the machine is made of, built or fetched, and put together."""

from scripts import cache, debian, say
from testbed import load
from testbed.xen import backends, hypervisor, image, linux, msgd, packages
from testbed.xen.machine import Machine

BACKENDS = ("vhost-device-i2c", "vhost-device-rng")


class Chain:
    """The parts, as paths."""

    def __init__(self, base="mainline"):
        debian.install(list(packages.HOST))
        self.hypervisor = hypervisor.build()
        root = packages.unpacked("dom0", packages.DOM0)
        programs = backends.build(BACKENDS)
        self.kernel = linux.build(base)
        programs["virtio-msgd"] = msgd.build()
        # Tests and the bench make devices in guests work with it
        guest_programs = {"load": load.build(packages.ARCH)}
        self.initrd = cache.directory("xen") / cache.of_checkout("dom0.cpio")
        say.step("putting Dom0's root file system together")
        self.initrd.write_bytes(image.dom0(root, self.kernel, programs, guest_programs, {}))

    def boot(self, log="xen", vcpus=1, hypervisor=None):
        """Start the machine, with another HYPERVISOR than the chain's; use with `with`."""
        return Machine(hypervisor or self.hypervisor, self.kernel, self.initrd, log, vcpus)
