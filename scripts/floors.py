# SPDX-License-Identifier: GPL-2.0-only
"""Floors: what is below includes or imports nothing from above, and there are no circles.

In virtio-msgd another floor is included by its one header only, which says what it offers.
Of the Python packages, tests may use what is above them: nobody uses tests.
"""

import ast
import re

from scripts import say

SOURCE = say.REPO / "virtio-msgd"
# From below; those of one line do not know of each other
FLOORS = (("base",), ("model",), ("devices", "vhost_user"),
          ("carriers/uml", "carriers/vfio_user", "carriers/xen"), ("program",))
# The same of the Python packages
PACKAGES = ("scripts", "testbed", "testbed.qemu", "testbed.xen", "bench", "make")
TESTS = {"tests", "e2e", "msgd_tests"}
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}
INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)


def header(floor):
    """The header of a floor."""
    return f"{floor}/{floor.rsplit('/', maxsplit=1)[-1]}.h"


def floor_of(path):
    """The floor that the file PATH is on, None if on none."""
    folder = path.rpartition("/")[0]
    return folder if folder in LEVEL else None


def wrong(path, target):
    """What is wrong with PATH's including TARGET; None: nothing."""
    here, there = floor_of(path), floor_of(target)
    if there in (None, here):
        return None
    if LEVEL[there] >= LEVEL[here]:
        return f"{path} includes {target}, which is not below it"
    if target != header(there):
        return f"{path} includes {target}: of {there} it is {header(there)} that others include"
    return None


def circle(graph):
    """A circle of nodes in GRAPH, {node: nodes}, or None."""
    done, way = set(), []

    def visit(node):
        if node in way:
            return [*way[way.index(node):], node]
        if node in done:
            return None
        way.append(node)
        for each in sorted(graph.get(node, ())):
            if found := visit(each):
                return found
        way.pop()
        done.add(node)
        return None

    for node in sorted(graph):
        if found := visit(node):
            return found
    return None


def problems(files):
    """What is wrong with FILES, {path: text}."""
    found, graph = [], {}
    for path, text in sorted(files.items()):
        if floor_of(path) is None:
            continue
        unit = path.rpartition(".")[0]
        for target in INCLUDE.findall(text):
            if why := wrong(path, target):
                found.append(why)
            to = target.rpartition(".")[0]
            # A C file and its header are one
            if floor_of(target) and to != unit:
                graph.setdefault(unit, set()).add(to)
    if way := circle(graph):
        found.append("a circle: " + " -> ".join(way))
    return found


def tree():
    """The files of virtio-msgd, without its tests."""
    return {str(path.relative_to(SOURCE)): path.read_text()
            for path in sorted(SOURCE.rglob("*.[ch]"))}


def package_of(module):
    """The package that MODULE is in, one of PACKAGES, or None."""
    found = [name for name in PACKAGES if f"{module}.".startswith(f"{name}.")]
    return max(found, key=len, default=None)


def imports(module, text, modules):
    """Those of MODULES that MODULE, whose source is TEXT, imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return (names & modules) - {module}


def python_problems(sources):
    """What is wrong with SOURCES, {module: text}."""
    graph = {module: imports(module, text, set(sources)) for module, text in sources.items()}
    found = []
    for module, targets in sorted(graph.items()):
        if TESTS & set(module.split(".")):
            continue
        level = PACKAGES.index(package_of(module))
        found += [f"{module} imports {target}, which is above it" for target in sorted(targets)
                  if PACKAGES.index(package_of(target)) > level]
    if way := circle(graph):
        found.append("a circle: " + " -> ".join(way))
    return found


def python_tree():
    """The modules of our Python packages. A package's own file has nothing in it."""
    return {".".join(path.relative_to(say.REPO).with_suffix("").parts): path.read_text()
            for package in PACKAGES if "." not in package
            for path in sorted((say.REPO / package).rglob("*.py"))}


def check(results):
    """The tests of our own files."""
    for name, found in ((f"{SOURCE.name}: floors", problems(tree())),
                        ("Python: floors", python_problems(python_tree()))):
        if found:
            results.fail(name, "\n".join(found))
        else:
            results.ok(name)
