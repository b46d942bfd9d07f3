"""Turns the runs into figures, and the figures into tables: for the terminal and for the docs."""

import statistics

from works import BARS, SERVERS, WORKS

TITLES = {server.name: server.title for server in SERVERS}
HANDS = {server.name for server in SERVERS if server.kind == "hand"}


def costs(runs):
    """The cost of each round; None where a round failed."""
    return [run.get("cost") for run in runs]


def median(values):
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def cheapest(of_work, names):
    """Whichever of the named servers has the lowest median, or None."""
    known = [name for name in names if median(costs(of_work.get(name, []))) is not None]
    return min(known, key=lambda name: median(costs(of_work[name])), default=None)


def ratio(of_work, name, base):
    """The median of the ratios of each round: what disturbs a round disturbs both."""
    if base is None or name not in of_work:
        return None
    pairs = zip(costs(of_work[name]), costs(of_work[base]))
    return median([ours / theirs for ours, theirs in pairs if ours is not None and theirs])


def shown(value, digits=2):
    if value is None:
        return "–"
    return f"{value:,.{0 if abs(value) >= 1000 else digits}f}"


def failure(runs):
    return next((run["failed"] for run in runs if "failed" in run), None)


def row(of_work, name, base):
    """Server, cost, ratio, rate and latency, as text."""
    runs = of_work[name]
    known = [cost for cost in costs(runs) if cost is not None]
    if not known:
        return [TITLES[name], f"failed: {failure(runs)}", "–", "–", "–"]
    cost = f"{shown(median(known))} [{shown(min(known))} {shown(max(known))}]"
    rate = median([run["rate"] for run in runs if "cost" in run])
    late = median([run["p99"] for run in runs if "cost" in run])
    return [TITLES[name], cost, shown(ratio(of_work, name, base)), shown(rate, 0), shown(late, 0)]


def work_table(work, of_work):
    """Header and rows; the ratio is to the better loop written by hand."""
    base = cheapest(of_work, HANDS)
    header = ["server", work.unit, "ratio", "a second", "p99 µs"]
    rows = [row(of_work, name, base) for name in of_work]
    if work.idle:
        header, rows = header[:2], [columns[:2] for columns in rows]
    return header, rows


def as_text(header, rows):
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    lines = ["  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip()
             for line in [header, *rows]]
    return "\n".join(lines)


def as_markdown(header, rows):
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def figure_of(bar, results):
    """What the bar is compared with: a ratio, or the cost itself where it names nobody."""
    of_work = results.get(bar.work, {})
    if not bar.against:
        return median(costs(of_work.get(bar.server, [])))
    return ratio(of_work, bar.server, cheapest(of_work, bar.against))


def verdict(figure, bar):
    if figure is None:
        return "not measured"
    if figure <= bar.goal:
        return "goal met"
    return "bar met" if figure <= bar.bar else "**missed**"


def against(bar, results):
    name = cheapest(results.get(bar.work, {}), bar.against)
    return TITLES[name] if name else "–"


def bars_table(results):
    """Each bar, what was measured, and whether it holds; bars of works that were not run are left
    out."""
    works = {work.name: work for work in WORKS}
    rows = []
    for bar in BARS:
        if bar.work not in results:
            continue
        work, figure = works[bar.work], figure_of(bar, results)
        unit = "" if bar.against else " KiB"
        rows.append([work.title, TITLES[bar.server], against(bar, results), f"{bar.bar:.2f}{unit}",
                     f"{bar.goal:.2f}{unit}", shown(figure) + (unit if figure else ""), verdict(figure, bar)])
    return ["work", "server", "to", "bar", "goal", "measured", ""], rows


def held_sentence(results, names):
    """How many idle connections were held and answered again."""
    held = [(name, run) for name in names for run in results.get("idle", {}).get(name, []) if "cost" in run]
    if not held:
        return ""
    most = max(run["connections"] for _, run in held)
    who = " and ".join(dict.fromkeys(TITLES[name] for name, _ in held))
    return (f"{most:,} idle connections were held by one process and every one was answered again afterwards: "
            f"{who}.\n")


def document(results, about):
    """performance.md."""
    weirs = [server.name for server in SERVERS if server.kind == "weir"]
    parts = [
        "# What weir costs\n",
        "Written by `make bench`; [bench/README.md](../bench/README.md) says how it is measured.\n",
        "![The cost of each server on each work](performance.svg)\n",
        *(f"- {key}: {value}" for key, value in about.items()),
        "\n## Bars and goals\n",
        "A ratio is the server's CPU per message divided by that of whom it is compared with, round by round; the "
        "median round counts. Where two hand-written loops compete, the better one is taken.\n",
        as_markdown(*bars_table(results)) + "\n",
        held_sentence(results, weirs),
    ]
    for work in WORKS:
        if work.name in results:
            parts += [f"## {work.title[0].upper() + work.title[1:]}\n",
                      as_markdown(*work_table(work, results[work.name])) + "\n"]
    return "\n".join(part for part in parts if part)
