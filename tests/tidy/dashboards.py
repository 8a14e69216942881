#!/usr/bin/env python3
"""Every metric that manifests/monitoring asks for exists, with its words, and the scraped port is the pods'."""

import json
import re
import sys

import kit

METRIC = re.compile(r"\bzcdp_\w+")


def main() -> int:
    top, found, asked = kit.root(), [], set()
    exist = set()
    for name in kit.sources(top, "include", "src"):
        if name.endswith("/metrics.hpp") or name.endswith("/dataset_metrics.cpp"):
            exist |= set(re.findall(r'"(zcdp_\w+)"', (top / name).read_text()))
    for path in sorted((top / "manifests/monitoring").glob("*.json")):
        name = str(path.relative_to(top))
        dashboard = json.loads(path.read_text())
        asking = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        asking += [one["query"] for one in dashboard["templating"]["list"]]
        for text in asking:
            for metric in METRIC.findall(text):
                asked.add(metric)
                if metric not in exist:
                    found.append(f"{name}: there is no {metric}")
        if not asked:
            found.append(f"{name}: asks for nothing")
    monitor = (top / "manifests/monitoring/podmonitor.yaml").read_text()
    for app in ("agent", "controller"):
        manifest = (top / f"manifests/{app}.yaml").read_text()
        for port in re.findall(r"\{port: (\w+)", monitor):
            if not re.search(rf"name: {port}, containerPort", manifest):
                found.append(f"manifests/monitoring/podmonitor.yaml: {app}s have no port {port}")
    return kit.report(len(asked), found, "metrics of dashboards")


if __name__ == "__main__":
    sys.exit(main())
