# SPDX-License-Identifier: GPL-2.0-only
"""python3 -m bench.plot DETAILS.json PLOT.png, with the Python that has Debian's matplotlib."""

import json
import statistics
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # pylint: disable=wrong-import-position

COLOURS = ("#8c8c8c", "#5b9bd5", "#2e7d32")
TIMES = {"round trip median us": "round trip,\nmedian",
         "round trip p99 us": "round trip,\n99th percentile",
         "blk median us": "a program's\ndisk read", "i2c median us": "a program's\nI2C transfer"}
RATES = {"blk per s at depth 1": "disk reads,\ndepth 1",
         "blk per s at depth 32": "disk reads,\ndepth 32", "config reads per s": "config reads"}


def bars(axes, groups, values, title, spreads=None):
    """One bar per transport for each of GROUPS; VALUES is {transport: [value per group]}."""
    width = 0.8 / len(values)
    for at, (name, heights) in enumerate(values.items()):
        places = [group + (at - (len(values) - 1) / 2) * width for group in range(len(groups))]
        drawn = axes.bar(places, heights, width, label=name, color=COLOURS[at],
                         yerr=spreads and spreads[name], capsize=3)
        axes.bar_label(drawn, fmt="%g" if spreads is None else "%.2f", fontsize=8, padding=2)
    axes.set_xticks(range(len(groups)), groups, fontsize=9)
    axes.set_title(title)
    axes.margins(y=0.15)
    axes.spines[["top", "right"]].set_visible(False)


def traps(axes, details, names, what, title):
    """Exact counts."""
    bars(axes, [each.replace("_", " ") for each in what],
         {name: [details["counts"][name][each] for each in what] for name in names}, title)


def ratios(axes, details, names, figures, title):
    """Medians over the rounds of ratios to the first transport, with smallest and largest."""
    values, spreads = {}, {}
    for name in names:
        lists = [[each[name][figure] / each[names[0]][figure] for each in details["rounds"]]
                 for figure in figures]
        values[name] = [statistics.median(found) for found in lists]
        spreads[name] = [[middle - min(found) for middle, found in zip(values[name], lists)],
                         [max(found) - middle for middle, found in zip(values[name], lists)]]
    bars(axes, list(figures.values()), values, title, spreads)
    axes.axhline(1, color="black", linewidth=0.5)


def main(details_file, plot_file):
    """Draw the plot."""
    with open(details_file, encoding="utf-8") as file:
        details = json.load(file)
    names = list(details["counts"])
    figure, ((one, two), (three, four)) = pyplot.subplots(2, 2, figsize=(12, 8))
    probes = [what for what in details["counts"][names[0]] if what.startswith("probe")]
    traps(one, details, names, probes, "Traps to bring up a device")
    traps(two, details, names, ["kick", "interrupt", "round_trip"], "Traps at work")
    ratios(three, details, names, TIMES, f"Time, relative to {names[0]} (less is better)")
    ratios(four, details, names, RATES, f"Rate, relative to {names[0]} (more is better)")
    one.legend(frameon=False)
    figure.suptitle(details["title"])
    figure.tight_layout()
    figure.savefig(plot_file, dpi=100)


if __name__ == "__main__":
    main(*sys.argv[1:])
