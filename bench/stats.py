# SPDX-License-Identifier: GPL-2.0-only
"""Numbers from many rounds."""

import statistics


def percentile(ordered, percent):
    """The smallest of the ORDERED values that PERCENT of them do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def median_of_binned(values):
    """The median of VALUES that were cut to whole numbers."""
    return statistics.median_grouped(values, interval=1)


def ratios(rounds, name, reference, figure):
    """FIGURE of NAME divided by that of REFERENCE, for each of the ROUNDS."""
    return [each[name][figure] / each[reference][figure] for each in rounds]


def middle(rounds, name, figure):
    """The median over ROUNDS of FIGURE of NAME."""
    return statistics.median(each[name][figure] for each in rounds)


def spread(values):
    """(median, smallest, largest)"""
    return statistics.median(values), min(values), max(values)
