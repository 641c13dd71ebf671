"""A picture of a benchmark table (table.py): our time as a share of the reference's, and the budget."""

import html

ROW = 22
LEFT = 330
SCALE = 240  # pixels for the reference's time
MOST = 2.5   # times the reference's, where a bar is cut


def text(x, y, what, anchor="start"):
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html.escape(what)}</text>'


def draw(rows):
    """SVG: a bar a row, a line where the reference is, a mark at the budget of the ratio."""
    rows = [row for row in rows if row["ratio"]]
    height = ROW * (len(rows) + 2)
    width = LEFT + SCALE * MOST + 70
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" '
             'font-family="sans-serif" font-size="12">',
             f'<rect width="{width:.0f}" height="{height}" fill="white"/>',
             text(LEFT + SCALE, 15, "reference = 1", "middle")]
    for i, row in enumerate(rows, start=1):
        y = ROW * i
        bar = SCALE * min(row["ratio"], MOST)
        colour = "#b5442e" if row["kept"] is False else "#2e6f9e"
        parts.append(text(LEFT - 8, y + 15, row["what"], "end"))
        parts.append(f'<rect x="{LEFT}" y="{y + 4}" width="{bar:.1f}" height="{ROW - 8}" fill="{colour}"/>')
        parts.append(text(LEFT + bar + 5, y + 15, f"{row['ratio']:.2f}"))
        budget = row["budget"] or ""
        if budget.startswith("ratio <= "):
            x = LEFT + SCALE * float(budget.removeprefix("ratio <= "))
            parts.append(f'<path d="M{x:.1f} {y + 1}v{ROW - 2}" stroke="black" stroke-width="2"/>')
    parts.append(f'<path d="M{LEFT + SCALE} {ROW}v{height - 2 * ROW}" stroke="grey" stroke-dasharray="3"/>')
    return "\n".join(parts) + "\n</svg>\n"
