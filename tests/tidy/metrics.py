#!/usr/bin/env python3
"""Every metric is named once, in its layer's metrics.hpp, with words, and docs/operations.md tells of it.

The controller's gauges of Datasets are a table with their values (TABLE): they are no counters of a registry.
"""

import re
import sys

import kit

TABLE = "src/services/controller/dataset_metrics.cpp"
NAMED = re.compile(r'\bMetricName\s+\w+\s*\{\s*"(\w+)"\s*,\s*"([^"]*)"')
MADE_HERE = re.compile(r"\b(?:counter|gauge|histogram)\s*\(\s*(?:\{|MetricName\b)")
WRITTEN = re.compile(r'"(zcdp_\w+)"')


def main() -> int:
    top, found, seen = kit.root(), [], {}
    told = (top / "docs/operations.md").read_text()
    for name in kit.sources(top, "include", "src"):
        text = kit.without_comments((top / name).read_text())

        def breach(match, what, name=name, text=text):
            found.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}")

        for match in NAMED.finditer(text):
            if not name.endswith("/metrics.hpp"):
                breach(match, f"{match[1]} is not named in its layer's metrics.hpp")
            if match[1] in seen:
                breach(match, f"{match[1]} is named in {seen[match[1]]}, too")
            if not match[2]:
                breach(match, f"{match[1]} has no words")
            seen[match[1]] = name
        for match in MADE_HERE.finditer(text) if name != "include/zcdp/base/metrics.hpp" else ():
            breach(match, "a metric without a name in a metrics.hpp")
        if name.endswith("/metrics.hpp") or name == TABLE:
            for match in WRITTEN.finditer(text):
                seen.setdefault(match[1], name)
                if not re.search(rf"`{match[1]}`", told):
                    breach(match, f"docs/operations.md does not tell of {match[1]}")
    return kit.report(len(seen), found, "metrics")


if __name__ == "__main__":
    sys.exit(main())
