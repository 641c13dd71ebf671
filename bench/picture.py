"""A picture of a benchmark table (table.py): how much of its budget each figure takes."""

import html

ROW = 22
LEFT = 330
SCALE = 300  # pixels for a whole budget
MOST = 2     # budgets, where a bar is cut


def text(x, y, what, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(what)}</text>'


def share(row):
    """1: all of the budget, of those that are upper limits as of those that are lower ones."""
    _, comparison, limit = row["budget"].rsplit(" ", 2)
    part = row["measured"] / float(limit)
    return part if comparison == "<=" else 1 / part


def draw(rows):
    """SVG: a bar for each row with a budget; the line is the budget."""
    rows = [row for row in rows if row["budget"] and row.get("measured")]
    height = ROW * (len(rows) + 2)
    width = LEFT + SCALE * MOST + 150
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width}" height="{height}" fill="white"/>',
             text(LEFT + SCALE, 15, "the budget", "middle")]
    for i, row in enumerate(rows, start=1):
        y = ROW * i
        bar = SCALE * min(share(row), MOST)
        colour = "#2e6f9e" if row["kept"] else "#b5442e"
        parts.append(text(LEFT - 8, y + 15, row["what"], "end"))
        parts.append(f'<rect x="{LEFT}" y="{y + 4}" width="{bar:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        parts.append(text(LEFT + bar + 5, y + 15, f"{row['measured']:.4g}, budget {row['budget']}"))
    parts.append(f'<path d="M{LEFT + SCALE} {ROW}v{height - 2 * ROW}" stroke="black" stroke-dasharray="3"/>')
    return "\n".join(parts) + "\n</svg>\n"
