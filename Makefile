# SPDX-License-Identifier: GPL-2.0-only
#
# make help lists the commands. The work is done by the Python packages scripts,
# testbed and bench; what they need from Debian they install themselves.

BASE ?= mainline
# A kernel tree of your own takes the place of a base.
base := $(if $(KERNEL),$(abspath $(KERNEL)),$(BASE))
# The same, only if one is asked for
asked := $(if $(KERNEL)$(filter command line environment,$(origin BASE)),--base=$(base))
run := python3 -m make

.PHONY: help demo shell xen test test-xen fuzz check kunit tree series kernel bench \
	bench-xen bench-qemu bench-neighbours bench-waiting bench-slots clean python modules \
	modules_install deb
.DEFAULT_GOAL := help

help:
	@echo 'make demo      boot a guest that reads and sets a clock over virtio-msg'
	@echo 'make shell     boot the same guest and leave me in a shell in it'
	@echo 'make xen       the same under Xen, in QEMU (PROMPT=1: leave me at the prompt)'
	@echo 'make test      run every test there is (installs what is missing)'
	@echo 'make test-xen  run the tests that need a machine with Xen'
	@echo 'make fuzz      run the fuzzers of virtio-msgd (FUZZ_SECONDS= for each, 60)'
	@echo 'make kunit     run the KUnit tests of the drivers'
	@echo 'make check     check all kernel code and each patch of the series'
	@echo 'make series    write the patches and a cover letter to out/series/'
	@echo 'make tree      lay the series on a kernel and say where that tree is'
	@echo 'make kernel    build a kernel with virtio-msg (ARCH=, CONFIG=file of options)'
	@echo 'make modules   build the core and the buses as modules for an installed kernel'
	@echo 'make modules_install  the same, and install them (INSTALL_MOD_PATH=)'
	@echo 'make deb       build the Debian packages virtio-msg-dkms and virtio-msgd'
	@echo 'make bench     measure virtio-mmio and virtio-msg side by side'
	@echo 'make bench-xen the same in a guest under Xen'
	@echo 'make bench-qemu  virtio-msg over PCI and virtio-pci in a guest of QEMU'
	@echo 'make bench-neighbours  what neighbours cost a guest, and a guest the host'
	@echo 'make bench-waiting  a device at work while another one waits for its backend'
	@echo 'make bench-slots  what each more device behind one window costs'
	@echo 'make clean     remove out/ (downloads and builds are in the cache, see below)'
	@echo
	@echo 'BASE=mainline  the newest kernel in Debian backports (default); BASE=lts: 6.12'
	@echo 'DEVICE=blk     make demo with another device: i2c (default), blk, fs, net, vsock, hotplug'
	@echo 'VMM=qemu       make demo in QEMU with a kernel of Debian (default: User Mode Linux)'
	@echo 'KERNEL=dir     a kernel tree of your own instead; it is read, never changed'
	@echo 'HEADERS=...    the kernel headers for modules: a package, or /lib/modules/VERSION'
	@echo 'ARGS=...       more arguments for the command; ARGS=--help shows what it takes'
	@echo 'Downloads and builds are kept in $$VIRTIO_MSG_CACHE or ~/.cache/virtio-msg.'

demo: python
	@$(run) demo $(if $(VMM),--vmm=$(VMM)) $(asked) $(if $(DEVICE),--device=$(DEVICE)) $(ARGS)

shell: python
	@$(run) demo --shell --base=$(base) $(ARGS)

xen: python
	@$(run) xen --base=$(base) $(if $(PROMPT),--prompt) $(ARGS)

test: python
	@$(run) test $(ARGS)

test-xen: python
	@$(run) test-xen $(ARGS)

fuzz: python
	@$(run) fuzz $(if $(FUZZ_SECONDS),--seconds=$(FUZZ_SECONDS)) $(ARGS)

check: python
	@$(run) check $(ARGS)

kunit: python
	@$(run) kunit $(ARGS)

tree: python
	@$(run) tree --base=$(base) $(ARGS)

# Both bases unless one is asked for
series: python
	@$(run) series $(asked) $(ARGS)

kernel: python
	@$(run) kernel --base=$(base) $(if $(ARCH),--arch=$(ARCH)) $(if $(CONFIG),--config=$(CONFIG)) $(ARGS)

modules modules_install: python
	@$(run) $@ $(if $(HEADERS),--headers=$(HEADERS)) \
		$(if $(INSTALL_MOD_PATH),--path=$(INSTALL_MOD_PATH)) $(if $(W),W=$(W)) $(ARGS)

deb: python
	@$(run) deb $(ARGS)

bench: python
	@$(run) bench --base=$(base) $(ARGS)

bench-xen: python
	@$(run) bench-xen --base=$(base) $(ARGS)

bench-waiting: python
	@$(run) bench-waiting --base=$(base) $(ARGS)

bench-slots: python
	@$(run) bench-slots --base=$(base) $(ARGS)

bench-qemu: python
	@$(run) bench-qemu $(ARGS)

bench-neighbours: python
	@$(run) bench-neighbours $(ARGS)

clean:
	rm -rf out

# A minimal Debian has no Python.
python:
	@command -v python3 >/dev/null || { \
		echo '* installing Debian packages: python3'; \
		sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
		$$sudo apt-get update -qq && $$sudo apt-get install -y -qq python3 >/dev/null; \
	}
