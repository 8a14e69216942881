#!/usr/bin/env python3
"""What zcdp costs on a real cluster; figures go into docs/benchmarks_cluster.md. Needs root, and the machine to itself.

bench/cluster.py                      all
bench/cluster.py publish start        some: publish, start, cold, neighbours, idle, scale
"""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("ZCDP_BIN", str(ROOT / "build/release/zcdp"))
from tests.cluster import csi  # noqa: E402
from tests.cluster.kit import ACCESS, SECRET, HOST, Kit, Scene, run, swarm_of  # noqa: E402
from tests.support import certs  # noqa: E402
from tests.support.harness import ZCDP  # noqa: E402

RESULTS = ROOT / "docs/benchmarks_cluster.json"
ROWS = {  # name: (what, what must be reached, holds)
    "publish": ("NodePublish of a ready snapshot, 1,000 times: p50 and p99", "≤ 2 ms and ≤ 10 ms"),
    "start": (
        "pod start with a ready claim minus the same pod with an emptyDir, 20 interleaved pairs, median",
        "≤ 0.3 s",
    ),
    "cold": ("cold claim: pod created to Running, minus what zcdp sync alone takes on that node", "≤ 3 s"),
    "neighbours": (
        "agent, idle with 20 ready snapshots, heard by 100 other nodes: RSS and CPU",
        "≤ 40 MiB, ≤ 0.5 % of a core",
    ),
    "idle": ("agent, idle with 20 ready snapshots: RSS and CPU", "≤ 48 MiB, ≤ 0.2 % of a core"),
    "scale": (
        "controller, 1,000 nodes, 500 datasets, 5,000 NodeDatasets, 20,000 pods: RSS, CPU settled, writes settled, restart to settled",
        "≤ 256 MiB, ≤ 2 %, none but Leases, ≤ 60 s",
    ),
}


def say(text):
    print(f"  {time.strftime('%H:%M:%S')} {text}", flush=True)


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


def agent_pid(kit, node):
    """None while there is none."""
    found = kit.in_node(
        node,
        "sh",
        "-c",
        "for p in $(pgrep -f '^/zcdp agent'); do grep -qa NODE_NAME=%s /proc/$p/environ && echo $p; done" % node,
        check=False,
    ).stdout.split()
    return int(found[-1]) if found else None


PUBLISH = r"""
pods, ns, claim, count = sys.argv[3:7]
uids, times = [f"bench-{i}" for i in range(int(count))], []
for uid in uids:
    make_folder(pods, uid)
    begun = time.monotonic()
    publish(uid, ns, claim)
    times.append((time.monotonic() - begun) * 1000)
for uid in uids:
    unpublish(uid)
times.sort()
print(json.dumps([times[len(times) // 2], times[int(len(times) * 0.99)]]))
"""


def publish(kit, scene):
    scene.write("set/", {"x": 1_000_000})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("seed", claim="set"))
    scene.running("seed")
    node = scene.node_of("seed")
    p50, p99 = json.loads(csi.call(kit, node, PUBLISH, kit.zk / node / "kubelet/pods", scene.ns, "set", 1000))
    return {
        "p50_ms": p50,
        "p99_ms": p99,
        "text": f"{p50:.2f} ms, {p99:.2f} ms (as the caller sees it)",
        "holds": p50 <= 2 and p99 <= 10,
    }


def _start_seconds(kit, scene, pod):
    name = pod["metadata"]["name"]
    watch = subprocess.Popen(
        ["kubectl", "-n", scene.ns, "get", "pod", "-w", "-o", 'jsonpath={.metadata.name} {.status.phase}{"\\n"}'],
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    begun = time.monotonic()
    kit.apply(pod)
    for line in watch.stdout:
        if line.split() == [name, "Running"]:
            break
    took = time.monotonic() - begun
    watch.kill()
    kit.kubectl("-n", scene.ns, "delete", "pod", name, "--grace-period=0", "--force")
    return took


def start(kit, scene):
    scene.write("set/", {"x": 1_000_000})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("seed", claim="set"))
    scene.running("seed")
    node = scene.node_of("seed")
    with_claim, with_empty = [], []
    for turn in range(20):
        plain = scene.pod_object(f"e{turn}", node=node)
        plain["spec"]["volumes"] = [{"name": "d", "emptyDir": {}}]
        plain["spec"]["containers"][0]["volumeMounts"] = [{"name": "d", "mountPath": "/data"}]
        with_empty.append(_start_seconds(kit, scene, plain))
        with_claim.append(_start_seconds(kit, scene, scene.pod_object(f"c{turn}", claim="set", node=node)))
    a, b = statistics.median(with_claim), statistics.median(with_empty)
    return {"claim_s": a, "empty_s": b, "text": f"{a - b:+.2f} s ({a:.2f} against {b:.2f} s)", "holds": a - b <= 0.3}


def cold(kit, scene):
    scene.write("set/", {f"f{i}": 4_000_000 for i in range(100)})
    node = kit.get("nodes")[0]["metadata"]["name"]
    env = f"AWS_ACCESS_KEY_ID={ACCESS} AWS_SECRET_ACCESS_KEY={SECRET} {ZCDP}"
    alone = []
    for turn in range(3):
        begun = time.monotonic()
        kit.in_node(
            node,
            "sh",
            "-c",
            f"{env} sync -q --store /var/lib/bench-store --endpoint http://{HOST}:{scene.port} --path-style s3://data/set/ >/dev/null; rm -rf /var/lib/bench-store",
        )
        alone.append(time.monotonic() - begun)
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"))
    took = _start_seconds(kit, scene, scene.pod_object("p", claim="set", node=node))
    extra = took - statistics.median(alone)
    return {
        "claim_s": took,
        "sync_s": statistics.median(alone),
        "text": f"{extra:.2f} s ({took:.2f} against {statistics.median(alone):.2f} s, 400 MB)",
        "holds": extra <= 3,
    }


def _held(kit, scene, snapshots, files):
    """A new agent that holds them: its process, and what the one that fetched them took."""
    node = kit.get("nodes")[0]["metadata"]["name"]
    for i in range(snapshots):
        scene.write(f"set{i}/", {f"{j // 1000}/{j}": b"%d %d" % (i, j) for j in range(files)})
        say(f"set{i} is written")
        kit.apply(
            scene.dataset_object(f"set{i}", placement={"replicas": 1, "nodeSelector": {"kubernetes.io/hostname": node}})
        )
    kit.wait("all are there", lambda: all(scene.ready_nodes(f"set{i}") for i in range(snapshots)), 1500)
    old = agent_pid(kit, node)
    busy_rss = rss_mib(old)
    say(f"all are there; the agent has {busy_rss:.0f} MiB")
    kit.kubectl(
        "-n", "zcdp-system", "delete", "pod", "-l", "app=zcdp-agent", "--field-selector", f"spec.nodeName={node}"
    )
    pid = kit.wait("another agent runs", lambda: agent_pid(kit, node) not in (None, old) and agent_pid(kit, node), 120)
    time.sleep(30)
    return pid, busy_rss


def _percent_of_a_core(pid, seconds=120):
    before = cpu_seconds(pid)
    time.sleep(seconds)
    return (cpu_seconds(pid) - before) / seconds * 100


def idle(kit, scene, snapshots=20, files=100_000):
    pid, busy_rss = _held(kit, scene, snapshots, files)
    rss, share = rss_mib(pid), _percent_of_a_core(pid)
    return {
        "rss_mib": rss,
        "cpu_percent": share,
        "text": f"{rss:.0f} MiB, {share:.2f} % (just after fetching them: {busy_rss:.0f} MiB; {snapshots} × {files} files)",
        "holds": rss <= 48 and share <= 0.2,
    }


def _certified(kit, scene):
    """As a node of the cluster shows itself to others."""
    folder = scene.folder.parent / "bench-ca"
    certs.make_ca(folder)
    data = kit.get("secret", "zcdp-controller-ca", "zcdp-system")["data"]
    for kind in ("crt", "key"):
        (folder / f"ca.{kind}").write_bytes(base64.b64decode(data[f"ca.{kind}"]))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(*certs.make_server(folder, "bench-node", ["DNS:bench-node"]))
    return context


def _hears_news(context, held, ends, heard):
    """A neighbour: each question is answered when there is news, or after 25 s."""
    swarm = swarm_of(held)
    connection, version = None, 0
    while not ends.is_set():
        connection = connection or http.client.HTTPSConnection(
            *held["status"]["peerAddress"].rsplit(":", 1), timeout=60, context=context
        )
        connection.request("GET", f"/v1/swarms/{swarm}/news?version={version}&wait_ms=25000")
        response = connection.getresponse()
        body = response.read()
        if response.status == 200:
            version = int.from_bytes(body[:8], "little")
            heard.add((threading.get_ident(), swarm))
        elif response.status != 204:
            raise SystemExit(f"news are answered {response.status}")


def neighbours(kit, scene, snapshots=20, count=100):
    pid, _ = _held(kit, scene, snapshots, 1_000)
    context, ends, heard = _certified(kit, scene), threading.Event(), set()
    helds = [scene.held(f"set{i}")[0] for i in range(snapshots)]
    for i in range(count):
        arguments = (context, helds[i % snapshots], ends, heard)
        threading.Thread(target=_hears_news, args=arguments, daemon=True).start()
    kit.wait("all have heard what it has", lambda: len(heard) == count)
    rss, share = rss_mib(pid), _percent_of_a_core(pid)
    ends.set()
    return {
        "rss_mib": rss,
        "cpu_percent": share,
        "text": f"{rss:.0f} MiB, {share:.2f} % ({snapshots} × 1,000 files)",
        "holds": rss <= 40 and share <= 0.5,
    }


class Bulk:
    """Many objects through the API, on kept connections."""

    def __init__(self):
        config = json.loads(run("kubectl", "config", "view", "--raw", "-o", "json").stdout)
        self.server = urllib.parse.urlparse(config["clusters"][0]["cluster"]["server"])
        self.context = ssl.create_default_context(
            cadata=base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        )
        user = config["users"][0]["user"]
        folder = pathlib.Path("/dev/shm") / f"zcdp-bulk-{os.getpid()}"
        folder.write_bytes(
            base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"])
        )
        self.context.load_cert_chain(folder)
        folder.unlink()

    def create(self, path, objects, method="POST"):
        def some(part):
            connection = http.client.HTTPSConnection(self.server.hostname, self.server.port, context=self.context)
            for where, body in part:
                connection.request(
                    method,
                    where,
                    json.dumps(body),
                    {"Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"},
                )
                answer = connection.getresponse()
                text = answer.read()
                if answer.status >= 300 and answer.status != 409:
                    raise RuntimeError(text[:300])

        pairs = [(path(o) if callable(path) else path, o) for o in objects]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(some, [pairs[i::8] for i in range(8)]))


def scale(kit, scene, nodes=1000, datasets=500, pods=20_000, bound=2_000):
    """Objects only: the scheduler and the controller-manager stand still, the nodes have no kubelet."""
    scene.write("set/", {"x": b"1"})
    kit.wait("the namespace is ready", lambda: kit.get("serviceaccount", "default", scene.ns))
    # The controller that is measured runs beside the cluster; nobody else acts, and no webhook slows the making of objects.
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=0")
    kit.wait(
        "no other controller runs",
        lambda: (
            not any(p["metadata"]["labels"].get("app") == "zcdp-controller" for p in kit.get("pods", ns="zcdp-system"))
        ),
    )
    kit.kubectl("delete", "mutatingwebhookconfigurations", "--all")
    for name in ("sched", "kcm"):
        kit.cluster("kill", name)
    api = Bulk()
    ready = {
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Bench",
                "message": "",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ]
    }
    names = [f"bench-{i}" for i in range(nodes)]
    api.create(
        "/api/v1/nodes",
        [
            {"metadata": {"name": n, "labels": {"kubernetes.io/hostname": n, "bench": str(i % 100)}}}
            for i, n in enumerate(names)
        ],
    )
    api.create(
        lambda o: f"/api/v1/nodes/{o['metadata']['name']}/status",
        [{"metadata": {"name": n}, "status": ready} for n in names],
        "PATCH",
    )
    say("nodes are there")
    base = f"/apis/zcdp.io/v1alpha1/namespaces/{scene.ns}"
    api.create(
        f"{base}/datasets",
        [
            scene.dataset_object(f"d{i}", "set/", placement={"replicas": 10, "nodeSelector": {"bench": str(i % 100)}})
            for i in range(datasets)
        ],
    )
    api.create(f"{base}/datasetclaims", [scene.claim_object(f"d{i}") for i in range(datasets)])
    many = []
    for i in range(pods):
        pod = scene.pod_object(f"p{i}", app=f"a{i}", claim=f"d{i % datasets}" if i < bound else None)
        pod["spec"]["nodeName"] = names[i % nodes]
        many.append(pod)
    api.create(f"/api/v1/namespaces/{scene.ns}/pods", many)
    say("pods are there")
    log = open(kit.folder / "controller.log", "wb")

    def controller():
        return subprocess.Popen(
            [
                ZCDP,
                "controller",
                "--no-webhook",
                "--listen",
                "127.0.0.1:18080",
                "--identity",
                f"bench-{time.time()}",
                "--log-level",
                "warn",
            ],
            stderr=log,
        )

    def metric(name):
        return int(run("sh", "-c", f"curl -s http://127.0.0.1:18080/metrics | awk '/^{name}/{{print $2}}'").stdout or 0)

    def settled(seconds):
        """Waits until nothing is reconciled for 5 s; how long that took."""
        begun, last, since = time.monotonic(), None, time.monotonic()
        while time.monotonic() - begun < seconds:
            reconciles = metric("zcdp_reconciles_total")
            if reconciles != last:
                last, since = reconciles, time.monotonic()
            if last and time.monotonic() - since > 5:
                return since - begun
            time.sleep(0.5)
        raise RuntimeError("not settled")

    def mark_ready():
        held = json.loads(run("kubectl", "get", "--raw", "/apis/zcdp.io/v1alpha1/nodedatasets", timeout=300).stdout)[
            "items"
        ]
        waiting = [n for n in held if n.get("status", {}).get("phase") != "Ready"]
        for n in waiting:
            n["status"] = {"phase": "Ready", "snapshot": "0" * 64, "finished": "2026-01-01T00:00:00Z", "sizeBytes": 1}
        api.create(lambda o: f"/apis/zcdp.io/v1alpha1/nodedatasets/{o['metadata']['name']}/status", waiting, "PUT")
        return len(held)

    process = controller()
    try:
        say(f"settled after {settled(400):.0f} s")
        for _ in range(3):
            count = mark_ready()
            say(f"{count} marked ready; settled after {settled(400):.0f} s")
        process.terminate()
        process.wait()
        process = controller()
        took = settled(300)
        before, rss = cpu_seconds(process.pid), rss_mib(process.pid)
        requests = metric("zcdp_kube_requests_total")
        time.sleep(60)
        share = (cpu_seconds(process.pid) - before) / 60 * 100
        requests = metric("zcdp_kube_requests_total") - requests
        # every two seconds the Lease is read and written: 60 requests a minute
        return {
            "rss_mib": rss,
            "cpu_percent": share,
            "restart_s": took,
            "requests_per_minute": requests,
            "nodedatasets": count,
            "text": f"{rss:.0f} MiB, {share:.2f} %, {requests} requests a minute (60 are the Lease's), {took:.0f} s ({count} NodeDatasets)",
            "holds": rss <= 256 and share <= 2 and took <= 60 and requests <= 75,
        }
    finally:
        process.kill()
        for name in ("sched", "kcm"):
            kit.cluster("start", name)


def main():
    wanted = sys.argv[1:] or list(ROWS)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    try:
        measure(wanted, results)
    finally:
        write_table(results)


def measure(wanted, results):
    # idle fills a disk: nodes have their own, lest the watermarks of a full machine count
    with Kit(nodes=2, node_disk="40G" if "idle" in wanted else None) as kit:
        kit.install()
        for name in sorted(wanted, key=list(ROWS).index):  # scale comes last
            print(name, flush=True)
            scene = Scene(kit, f"bench-{name}").__enter__()
            results[name] = globals()[name](kit, scene)
            print(" ", results[name]["text"], flush=True)
            RESULTS.write_text(json.dumps(results, indent=1) + "\n")
            if name != "scale":  # a cluster full of objects goes down with all of them
                scene.__exit__()


def write_table(results):
    lines = [
        "# On a cluster: what zcdp costs",
        "",
        "Written by `bench/cluster.py` on one machine of two cores that also runs the whole cluster.",
        "",
        "| work | must reach | measured | holds |",
        "|---|---|---|---|",
    ]
    for name, (what, target) in ROWS.items():
        if name in results:
            lines.append(
                f"| {what} | {target} | {results[name]['text']} | {'yes' if results[name]['holds'] else '**no**'} |"
            )
    (ROOT / "docs/benchmarks_cluster.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
