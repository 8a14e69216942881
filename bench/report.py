"""From the raw rounds to docs/benchmarks.md and its plot."""

import statistics


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def rows_of(result):
    digits = 2 if "GiB" in result["unit"] else 4 if result["unit"] == "CPU-s" else 1
    lines = [f"| contender | {result['unit']} | wall s | peak MiB |", "|---|---|---|---|"]
    for name, rounds in result["figures"].items():
        lines.append(
            f"| {name} | {spread([r['cost'] for r in rounds], digits)} | {spread([r['wall'] for r in rounds], 3)} | "
            f"{max(r['rss_mib'] for r in rounds):.0f} |"
        )
    return lines


def ratio(figures, what, ours, peers):
    """Our rounds over those of the peer that did best, round by round: the median, and a text with the range."""
    best = min(
        (peer for peer in peers if peer in figures), key=lambda peer: statistics.median(r[what] for r in figures[peer])
    )
    pairs = [a[what] / b[what] for a, b in zip(figures[ours], figures[best])]
    return statistics.median(
        pairs
    ), f"{ours} / {best}: **{statistics.median(pairs):.2f}** ({min(pairs):.2f}–{max(pairs):.2f})"


RCLONE = ("rclone", "rclone, 32 at once")
STORE, BOTH = "zcdp, store", "zcdp, store and DEST"
DISK = "dd, as many direct writes (the disk alone)"


def checks_of(row, result, notes):
    """(what it says, its value, the most it may be) for each line of the project's list of goals that this row shows; `notes`
    gets what explains them."""
    figures = result["figures"]

    def of(text, value, most, digits=1):
        return f"{text}: **{value:.{digits}f}**", value, most

    def against(what, label, ours, peers, most):
        value, text = ratio(figures, what, ours, peers)
        return f"{label}, {text}", value, most

    def median(name, what):
        return statistics.median(r[what] for r in figures[name])

    checks = []
    if "served over" in row:
        return checks  # its goal is what it was before: --before
    if "optimum_s" in result:
        seconds = median(STORE, "wall")
        checks.append(
            of(
                f"wall clock over the link's optimum of {result['optimum_s']:.2f} s (bytes over bandwidth, and a round trip)",
                seconds / result["optimum_s"],
                1.15,
                2,
            )
        )
    elif "stall" in row:
        checks.append(against("wall", "wall clock", "zcdp, 1 % stall", ("zcdp, no stalls",), 1.3))
    elif "addresses" in row:
        checks += [
            against("wall", "wall clock", name, ("zcdp, four good addresses",), 1.3) for name in list(figures)[1:]
        ]
    elif "by protocol" in row:
        checks += [against("cost", "CPU", f"zcdp, {protocol}", ("zcdp, S3",), 1.1) for protocol in ("GCS", "Azure")]
    elif "TLS" in row:
        checks.append(
            against(
                "cost",
                "CPU",
                STORE,
                RCLONE[:1] if "GiB" in result["unit"] else RCLONE,
                0.60 if "GiB" in result["unit"] else 0.35,
            )
        )
        if "AWS CRT" in figures:
            checks.append(against("cost", "CPU", STORE, ("AWS CRT",), 0.45))
    elif "MiB" in row or "GiB" in row:
        for ours, most in ((STORE, 0.42), (BOTH, 0.60)):
            checks.append(against("cost", "CPU", ours, RCLONE[:1], most))
            checks.append(against("cost", "CPU", ours, ("curl",), 0.68))
            checks.append(against("cost", "CPU, the same work", ours, ("rclone, then sha256sum and sync",), 0.60))
            checks.append(against("wall", "wall clock", ours, RCLONE, 1.0))
            checks.append(against("wall", "wall clock, the same work", ours, ("rclone, then sha256sum and sync",), 1.0))
        if DISK in figures:
            notes.append(
                f"- wall clock, {ratio(figures, 'wall', STORE, (DISK,))[1]}: who makes bytes durable takes the disk's own time at least"
            )
        checks.append(of("zcdp, store: peak memory, MiB", max(r["rss_mib"] for r in figures[STORE]), 80, 0))
    elif "16 KiB" in row:
        for ours, most in ((STORE, 0.25 if "tmpfs" in row else 0.30), (BOTH, 0.30)):
            checks.append(against("cost", "CPU", ours, RCLONE, most))
            checks.append(against("wall", "wall clock", ours, RCLONE, 1.0))
    if row.startswith("list and plan"):
        only = next(iter(figures))
        checks += [
            of("CPU µs/key", median(only, "cost"), 5, 2),
            of("peak memory, MiB", max(r["rss_mib"] for r in figures[only]), 96, 0),
        ]
    if row.startswith("second sync"):
        beyond = median("zcdp sync, all here", "cost") - median("zcdp sync --dry-run, empty store", "cost")
        checks.append(of("CPU µs/object beyond the listing's own", beyond, 8, 2))
    if row == "zcdp version":
        checks.append(of("wall, ms", 1000 * median(row, "wall"), 10))
    return checks


def verdict(value, most):
    return f"wanted ≤ {most:g}: {'holds' if value <= most else 'MISSED'}"


def checks_as_text(row, result):
    notes = []
    return [f"- {text}, {verdict(value, most)}" for text, value, most in checks_of(row, result, notes)] + notes


def plot(path, results):
    """Bars of the medians, one group a row, as an SVG; of seconds where the row is about time."""
    groups = []
    for row, result in results.items():
        if len(result.get("figures", ())) < 2 or row.startswith("second sync"):
            continue
        what, unit = (
            ("wall", "s") if "optimum_s" in result or "stall" in row or "addresses" in row else ("cost", result["unit"])
        )
        groups.append(
            (
                row,
                {name: statistics.median(r[what] for r in rounds) for name, rounds in result["figures"].items()},
                unit,
            )
        )
    out, y = [], 20
    for row, medians, unit in groups:
        out.append(f'<text x="10" y="{y}" font-weight="bold">{row} ({unit})</text>')
        y += 8
        longest = max(medians.values())
        for name, value in sorted(medians.items(), key=lambda item: item[1]):
            width = 420 * value / longest
            colour = "#2a7" if name.startswith("zcdp") else "#999"
            out.append(
                f'<rect x="250" y="{y}" width="{width:.0f}" height="14" fill="{colour}"/>'
                f'<text x="244" y="{y + 11}" text-anchor="end">{name}</text><text x="{256 + width:.0f}" y="{y + 11}">{value:.2f}</text>'
            )
            y += 18
        y += 22
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="760" height="{y}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{"".join(out)}</svg>\n'
    )


def write(path, facts, results, notes):
    plot(path.with_suffix(".svg"), results)
    lines = [
        "# Benchmarks",
        "",
        "Written by `bench/run.py`; run it again and compare. Medians over the rounds, with their range; raw rounds in",
        f"[{path.with_suffix('.json').name}]({path.with_suffix('.json').name}).",
        "",
        f"- {facts['machine']}; interleaved rounds after one to warm up",
        *[f"- {name}: {version}" for name, version in facts["versions"].items()],
        f"- the stripped executable: {facts['binary_bytes'] / 1e6:.1f} MB (wanted ≤ 20 MB)",
        "",
        "nginx serves the bytes from memory over loopback HTTP; every contender gets the same. zcdp hashes every byte (SHA-256) and",
        "makes everything durable before it ends; rclone, curl, the aws cli and AWS CRT (s3transfer over it, as the aws cli v2 does when told",
        "to) do neither, but for the contender that says so. TLS is 1.3 with the peer's certificate checked. Before",
        "each run 1.6 GB of memory are written and freed, so that nobody pays for pages that the host must first bring. CPU is that of",
        "the whole client process; what nginx and the kernel's writers use beside it is not in it. Run as root, loopback is that of a",
        "network namespace with TCP's usual congestion control, cubic: with BBR the server's pacing timers, one for each 64 KiB, would be",
        "booked on the client, 0.2 CPU-s/GiB of whichever.",
        "",
        f"![medians]({path.with_suffix('.svg').name})",
        "",
    ]
    for row, result in results.items():
        lines += [f"## {row}", ""]
        if "of" in result:
            lines += [
                "{rounds} rounds, {date}, commit {commit}, TCP by {tcp}.".format(
                    **{"tcp": "the machine's own", **result["of"]}
                ),
                "",
            ]
        if "rates" in result:
            lines += ["| contender | files/s |", "|---|---|"]
            lines += [f"| {name} | {spread(rates, 0)} |" for name, rates in result["rates"].items()]
            ratio = statistics.median(result["rates"]["zcdp, store on the mount"]) / statistics.median(
                result["rates"]["one fsync a file"]
            )
            lines += [
                "",
                f"- zcdp / one fsync a file: **{ratio:.1f}**, wanted ≥ 10: {'holds' if ratio >= 10 else 'MISSED'}",
            ]
        else:
            lines += rows_of(result)
            lines += ["", *checks_as_text(row, result)]
        lines.append("")
    for row, note in notes.items():
        lines += [f"## {row}", "", note, ""]
    path.write_text("\n".join(lines).rstrip() + "\n")
