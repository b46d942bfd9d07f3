"""Draws the figures as an SVG of bars, a panel a work, readable on light and on dark ground."""

from html import escape

from report import TITLES, costs, median, shown
from works import SERVERS, WORKS

KINDS = {server.name: server.kind for server in SERVERS}

STYLE = """
  svg { font: 13px system-ui, sans-serif; }
  .ground { fill: #ffffff; }
  text { fill: #1f2328; }
  .title { font-weight: 600; font-size: 14px; }
  .quiet { fill: #59636e; }
  .peer { fill: #b6bec8; }
  .hand { fill: #6e7781; }
  .weir { fill: #0969da; }
  .spread { stroke: #1f2328; stroke-width: 1; opacity: 0.6; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    text { fill: #e6edf3; }
    .quiet { fill: #9198a1; }
    .peer { fill: #4b535d; }
    .hand { fill: #848d97; }
    .weir { fill: #4493f8; }
    .spread { stroke: #e6edf3; }
  }
"""

COLUMNS, PANEL, LABEL, LENGTH, LINE, MARGIN = 2, 480, 150, 240, 22, 20


def bars_of(of_work):
    """(name, median, least, most) of each server that was measured, cheapest first."""
    found = []
    for name, runs in of_work.items():
        known = [cost for cost in costs(runs) if cost is not None]
        if known:
            found.append((name, median(known), min(known), max(known)))
    return sorted(found, key=lambda bar: bar[1])


def draw_bar(bar, y, scale):
    name, middle, least, most = bar
    start, middle_y = LABEL, y + LINE / 2
    ends = [start + value * scale for value in (least, middle, most)]
    return "\n".join([
        f'<text x="{start - 8}" y="{y + 15}" text-anchor="end">{escape(TITLES[name])}</text>',
        f'<rect class="{KINDS[name]}" x="{start}" y="{y + 3}" width="{max(ends[1] - start, 1):.1f}" '
        f'height="{LINE - 6}" rx="2"/>',
        f'<line class="spread" x1="{ends[0]:.1f}" x2="{ends[2]:.1f}" y1="{middle_y}" y2="{middle_y}"/>',
        f'<text x="{ends[2] + 6:.1f}" y="{y + 15}">{shown(middle)}</text>',
    ])


def draw_panel(work, bars, x, y):
    longest = max((most for _, _, _, most in bars), default=1)
    scale = LENGTH / longest
    lines = [f'<g transform="translate({x} {y})">', f'<text class="title" y="14">{escape(work.title)}</text>',
             f'<text class="quiet" y="32">{escape(work.unit)}, less is better</text>']
    lines += [draw_bar(bar, 42 + i * LINE, scale) for i, bar in enumerate(bars)]
    return "\n".join([*lines, "</g>"])


def draw(results):
    """The whole picture; a row of panels is as high as its highest."""
    panels = [(work, bars_of(results[work.name])) for work in WORKS if work.name in results]
    body, y = [], MARGIN
    for first in range(0, len(panels), COLUMNS):
        of_row = panels[first:first + COLUMNS]
        body += [draw_panel(*panel, MARGIN + i * PANEL, y) for i, panel in enumerate(of_row)]
        y += 42 + max(len(bars) for _, bars in of_row) * LINE + 2 * MARGIN
    width = 2 * MARGIN + COLUMNS * PANEL
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}" role="img" '
        'aria-label="Cost of each server on each work">',
        f"<style>{STYLE}</style>", f'<rect class="ground" width="{width}" height="{y}"/>', *body, "</svg>", ""])
