"""From the raw rounds to docs/benchmarks.md and its plot."""
import statistics

BOUNDS = {  # (row contains, contender, peer): at most this ratio of the costs
    ("HTTP to ext4", "zcdp, store", "rclone"): 0.60,
    ("HTTP to ext4", "zcdp, store", "curl"): 0.68,
    ("16 KiB, HTTP to tmpfs", "zcdp, store", "rclone, best"): 0.30,
    ("16 KiB, HTTP to ext4, durable", "zcdp, store", "rclone, best"): 0.30,
}


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def rows_of(result):
    digits = 2 if "GiB" in result["unit"] else 4 if result["unit"] == "CPU-s" else 1
    lines = [f"| contender | {result['unit']} | wall s | peak MiB |", "|---|---|---|---|"]
    for name, rounds in result["figures"].items():
        lines.append(f"| {name} | {spread([r['cost'] for r in rounds], digits)} | {spread([r['wall'] for r in rounds], 3)} | "
                     f"{max(r['rss_mib'] for r in rounds):.0f} |")
    return lines


def ratios_of(row, result):
    lines = []
    for (part, ours, peer), bound in BOUNDS.items():
        figures = result.get("figures", {})
        is_small = "16 KiB" in row
        if part not in row or ours not in figures or peer not in figures or is_small != ("16 KiB" in part):
            continue
        pairs = [a["cost"] / b["cost"] for a, b in zip(figures[ours], figures[peer])]
        median = statistics.median(pairs)
        verdict = "holds" if median <= bound else "MISSED"
        lines.append(f"- {ours} / {peer}: **{median:.2f}** ({min(pairs):.2f}–{max(pairs):.2f}), wanted ≤ {bound:.2f}: {verdict}")
    return lines


def plot(path, results):
    """Bars of the medians, one group a row, as an SVG."""
    groups = [(row, {name: statistics.median(r["cost"] for r in rounds) for name, rounds in result["figures"].items()}, result["unit"])
              for row, result in results.items() if "figures" in result and len(result["figures"]) > 2]
    out, y = [], 20
    for row, medians, unit in groups:
        out.append(f'<text x="10" y="{y}" font-weight="bold">{row} ({unit})</text>')
        y += 8
        longest = max(medians.values())
        for name, value in sorted(medians.items(), key=lambda item: item[1]):
            width = 420 * value / longest
            colour = "#2a7" if name.startswith("zcdp") else "#999"
            out.append(f'<rect x="170" y="{y}" width="{width:.0f}" height="14" fill="{colour}"/>'
                       f'<text x="164" y="{y + 11}" text-anchor="end">{name}</text><text x="{176 + width:.0f}" y="{y + 11}">{value:.2f}</text>')
            y += 18
        y += 22
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{y}" font-family="sans-serif" font-size="12">'
                    f'<rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n')


def write(path, facts, results, notes):
    plot(path.with_suffix(".svg"), results)
    lines = ["# Benchmarks", "", "Written by `bench/run.py`; run it again and compare. Medians over the rounds, with their range; raw rounds in",
             f"[{path.with_suffix('.json').name}]({path.with_suffix('.json').name}).", "",
             f"- {facts['date']}, {facts['machine']}, {facts['rounds']} interleaved rounds after one to warm up",
             *[f"- {name}: {version}" for name, version in facts["versions"].items()],
             f"- the stripped executable: {facts['binary_bytes'] / 1e6:.1f} MB (wanted ≤ 20 MB)", "",
             "nginx serves the bytes from memory over loopback HTTP; every contender gets the same. zcdp hashes every byte (SHA-256) and",
             "makes everything durable before it ends; rclone and curl do neither.", "",
             f"![medians]({path.with_suffix('.svg').name})", ""]
    for row, result in results.items():
        lines += [f"## {row}", ""]
        if "rates" in result:
            lines += ["| contender | files/s |", "|---|---|"]
            lines += [f"| {name} | {spread(rates, 0)} |" for name, rates in result["rates"].items()]
            ratio = statistics.median(result["rates"]["zcdp, store on the mount"]) / statistics.median(result["rates"]["one fsync a file"])
            lines += ["", f"- zcdp / one fsync a file: **{ratio:.1f}**, wanted ≥ 10: {'holds' if ratio >= 10 else 'MISSED'}"]
        else:
            lines += rows_of(result)
            lines += ["", *ratios_of(row, result)]
        lines.append("")
    for row, note in notes.items():
        lines += [f"## {row}", "", note, ""]
    path.write_text("\n".join(lines).rstrip() + "\n")
