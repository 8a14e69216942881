"""What the cluster's scenarios speak in: a cluster, an origin on its bridge that counts what it is asked, and objects.

One Kit a run (the cluster, zcdp installed), one Scene a scenario (a namespace, a bucket, a backend; all removed after it).
"""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time

from tests.cluster.api import Api, Refused
from tests.support.harness import CACHE, ROOT, ZCDP, bytes_of, clean_env, end_when_terminated, temporary_folder

CLUSTER = ROOT / "tests/cluster/cluster"
IMAGE = "docker.io/library/zcdp:latest"
HOST = "10.203.0.1"  # the host as nodes and pods see it
BUSYBOX = "localhost/busybox:zk"
ACCESS, SECRET = "cluster-key", "cluster-secret-key"


class Failed(Exception):
    pass


def run(*command, check=True, stdin=None, timeout=120, env=None):
    done = subprocess.run(
        [str(c) for c in command],
        capture_output=True,
        text=True,
        input=stdin,
        timeout=timeout,
        env={**os.environ, **(env or {})},
    )
    if check and done.returncode != 0:
        raise Failed(
            f"{' '.join(map(str, command))[:200]}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}"
        )
    return done


@contextlib.contextmanager
def api_errors():
    """What the API server refuses, or does not answer, as a failure that wait() outlasts."""
    try:
        yield
    except (Refused, OSError, http.client.HTTPException) as problem:
        raise Failed(f"the API server: {type(problem).__name__} {problem}") from problem


def is_ready(thing):
    """A pod or a node."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in thing["status"].get("conditions", []))


def swarm_of(held):
    """As nodes call it among each other (docs/formats.md)."""
    spec = held["spec"]
    return hashlib.sha256(f"{spec['dataset']['uid']}\0{spec['revision']}".encode()).hexdigest()[:32]


def beside_others(scenario):
    """One that touches nothing but its own namespace, backend and origin, and restarts nobody: others like it may run at the
    same time."""
    scenario.company = "others"
    return scenario


def on_its_own_node(scenario):
    """One that joins a node and puts all it makes there, so that others that do may run at the same time."""
    scenario.company = "others with nodes of their own"
    return scenario


def on_a_quiet_machine(scenario):
    """One that measures time, or takes every processor: nothing else may run on this machine meanwhile."""
    scenario.needs_quiet = True
    return scenario


class Kit:
    """The cluster of a run. Starts it unless one is up already (then it is left as it was found)."""

    def __init__(self, nodes=3, node_disk=None):
        self.folder = temporary_folder("zcdp-cluster-", in_memory_bytes=2 << 30)  # what the origins serve
        self.zk = pathlib.Path(os.environ.get("ZK_DIR", "/var/tmp/zk"))
        self.checks = 0  # of all threads that run scenarios
        self.counting = threading.Lock()
        self.joining = threading.Lock()
        self.processes = []
        self.closers = []  # what tests/support/servers.py has started
        self.nodes = nodes
        self.node_disk = node_disk
        self.mine = False

    def __enter__(self):
        end_when_terminated()
        if not self.zk.exists():
            self.mine = True
            self.cluster("up", self.nodes, env={"ZK_NODE_DISK": self.node_disk} if self.node_disk else {}, timeout=300)
        os.environ["KUBECONFIG"] = str(self.zk / "admin.kubeconfig")
        kube_bin = os.environ.get("KUBE_BIN") or str(CACHE / "kube-v1.34.4")
        os.environ["PATH"] = kube_bin + ":" + os.environ["PATH"]
        self.api = Api(self.zk / "pki")
        self.load_image()
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
        for close in self.closers:
            close()
        if self.mine and not os.environ.get("ZCDP_KEEP_CLUSTER"):
            self.cluster("down", check=False, timeout=120)
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return self.folder / name

    # --- the cluster ---
    def cluster(self, *args, env=None, check=True, timeout=180):
        return run(CLUSTER, *args, env=env, check=check, timeout=timeout)

    def join(self, disk=None):
        """One more node, its store on a disk of that size if one is given: its name. It has the highest number."""
        with self.joining:
            before = {n["metadata"]["name"] for n in self.get("nodes")}
            self.cluster("add", env={"ZK_NODE_DISK": disk} if disk else {}, timeout=120)
            return ({n["metadata"]["name"] for n in self.get("nodes")} - before).pop()

    def retire(self, node):
        self.cluster("remove", node)
        with api_errors():
            self.api.delete("node", node)

    @contextlib.contextmanager
    def links(self, rate):
        """While it lasts, each node's link, both ways, and what the origins and the API server send in all have this rate."""
        names = ["host", *(n["metadata"]["name"] for n in self.get("nodes"))]
        try:
            for name in names:
                self.cluster("rate", name, rate)
            yield
        finally:
            for name in names:
                self.cluster("rate", name, "none", check=False)

    def load_image(self, tag=IMAGE):
        """The static executable as an image's only file."""
        tar = self.folder / (
            tag.replace("/", "_").replace(":", "_") + ".tar"
        )  # nodes that join later import every archive
        run(ROOT / "scripts/image", "--binary", ZCDP, "--tag", tag, "--output", tar)
        self.cluster("load", tar)

    def install(self, *args, restart=True):
        if not self.mine and restart:  # an older build of the same tag may be running there
            run("kubectl", "-n", "zcdp-system", "delete", "pods", "--all", "--wait=true", check=False)
        return run(ZCDP, "install", "--timeout", "90s", *args, timeout=240)

    def in_node(self, node, *command, **options):
        return self.cluster("sh", node, *command, **options)

    def signal_zcdp(self, node, number, *modes):
        """Sends a signal to zcdp's processes of these modes ("agent", "controller") on one node: nodes share the processes' ids."""
        wanted = [f"/zcdp\0{mode}\0".encode() for mode in modes]
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                runs = (process / "cmdline").read_bytes().startswith(tuple(wanted))
                if runs and f"/zk-{node}/" in (process / "cgroup").read_text():
                    found.append(int(process.name))
            except OSError:
                continue  # it has ended
        for pid in found:
            os.kill(pid, number)
        if not found:
            raise Failed(f"no zcdp {' or '.join(modes)} runs on {node}")

    def mounted(self, node):
        """The uids of the pods that have a snapshot mounted on the node. kubelet's folder is seen under two paths there."""
        mounts = [line.split() for line in self.in_node(node, "cat", "/proc/self/mountinfo").stdout.splitlines()]
        return {
            path.split("/pods/")[1].split("/")[0]
            for _, _, _, root, path, *_ in mounts
            if "zcdp/snapshots" in root and "/pods/" in path
        }

    # --- objects ---
    def kubectl(self, *args, **options):
        return run("kubectl", *args, **options).stdout

    def get(self, kind, name=None, ns=None):
        """The object, the list of them without a name, or None."""
        with api_errors():
            return self.api.get(kind, name, ns)

    def apply(self, *objects):
        run(
            "kubectl",
            "apply",
            "-f",
            "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}),
            timeout=300,
        )  # 200 pods, beside busy loops

    def refused(self, *objects):
        """What kubectl says when the objects are refused; "" when they are taken."""
        done = run(
            "kubectl",
            "apply",
            "-f",
            "-",
            stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}),
            check=False,
        )
        return "" if done.returncode == 0 else done.stderr

    def would_mount(self, pod):
        """Whether this pod, were it made now, would be given a volume of zcdp's: that the webhook is reached and answers."""
        done = run("kubectl", "apply", "--dry-run=server", "-o", "json", "-f", "-", stdin=json.dumps(pod), check=False)
        return done.returncode == 0 and any("csi" in v for v in json.loads(done.stdout)["spec"].get("volumes") or [])

    def agent_on(self, node):
        for pod in self.get("pods", ns="zcdp-system") or []:
            if (
                pod["metadata"]["labels"].get("app") == "zcdp-agent"
                and pod["spec"].get("nodeName") == node
                and not pod["metadata"].get("deletionTimestamp")
            ):
                return pod
        return None

    def agent_ready(self, node):
        pod = self.agent_on(node)
        return pod and is_ready(pod)

    # --- checks ---
    def check(self, what, holds, detail=""):
        with self.counting:
            self.checks += 1
        print(
            f"  {'ok  ' if holds else 'FAIL'} {what}{'' if holds or not detail else ': ' + str(detail)[:1500]}",
            flush=True,
        )
        if not holds:
            raise Failed(what)

    def until(self, look, seconds):
        """What look() gives, true or after `seconds` not, and for a failure's text that value or why the last look failed."""
        end = time.monotonic() + seconds
        while True:
            try:
                value = last = look()
            except Failed as problem:
                value, last = None, problem
            if value or time.monotonic() > end:
                return value, last
            time.sleep(0.2)

    def wait(self, what, look, seconds=60):
        """Until look() is true; its last value comes with the failure."""
        began = time.monotonic()
        value, last = self.until(look, seconds)
        took = time.monotonic() - began
        self.check(what + (f" ({took:.0f} s)" if took >= 5 else ""), bool(value), f"not within {seconds} s: {last!r}")
        return value


def _other(before, now):
    """Whether it is gone, or another one bears its name."""
    return not now or now["metadata"]["uid"] != before["metadata"]["uid"]


class Scene:
    """A namespace, a bucket served on the host, and a backend for it."""

    numbers = itertools.count(1)

    def __init__(self, kit, name):
        self.kit = kit
        self.ns = f"s{next(Scene.numbers)}-{name.replace('_', '-')}"[:63].rstrip("-")
        self.backend = self.ns
        self.folder = kit.folder / self.ns
        self.folder.mkdir()
        self.log = kit.folder / f"{self.ns}.log"
        self.server = None

    def __enter__(self):
        self.start_origin()
        self.kit.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.ns}},
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": self.ns, "namespace": "zcdp-system"},
                "stringData": {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET},
            },
            self.backend_object(),
        )
        # Pods are refused before that.
        if not self.kit.until(lambda: self.kit.get("serviceaccount", "default", self.ns), 60)[0]:
            raise Failed(f"namespace {self.ns} has no service account after 60 s")
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Failed), api_errors():
            self.kit.api.delete("pods", namespace=self.ns, grace_s=1)
            for kind in ("datasetclaims", "datasets"):
                self.kit.api.delete(kind, namespace=self.ns)
            self.kit.until(lambda: not self.get("datasetclaims") and not self.get("datasets"), 60)
        for kind, name, ns in (
            ("namespace", self.ns, None),
            ("storagebackend", self.backend, None),
            ("secret", self.ns, "zcdp-system"),
        ):
            with contextlib.suppress(Failed), api_errors():
                self.kit.api.delete(kind, name, ns)
        self.stop_origin()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the origin ---
    def start_origin(self, port=0):
        command = [ZCDP, "serve", str(self.folder), "--bucket", "data", "--listen", f"{HOST}:{port}", "-vv"]
        self.server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=open(self.log, "ab"),
            text=True,
            env={**clean_env(), "ZCDP_SERVE_ACCESS_KEY": ACCESS, "ZCDP_SERVE_SECRET_KEY": SECRET},
        )
        self.kit.processes.append(self.server)
        line = self.server.stdout.readline()
        self.port = int(re.search(r":(\d+)\b", line.split("//")[-1]).group(1)) if "//" in line else port

    def stop_origin(self):
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None

    def requests(self):
        """(method, target, status, bytes) of everything the origin was asked."""
        pattern = re.compile(r"request method=(\S+) target=(\S+) status=(\d+) bytes=(\d+)")
        return [(m, t, int(s), int(b)) for m, t, s, b in pattern.findall(self.log.read_text())]

    def object_bytes(self):
        """Body bytes of objects that the origin has sent."""
        return sum(b for m, t, s, b in self.requests() if m == "GET" and "list-type" not in t and s in (200, 206))

    def listings(self):
        return sum(1 for m, t, s, b in self.requests() if m == "GET" and "list-type" in t)

    def write(self, prefix, files):
        """files: path -> size in bytes, or content."""
        for path, content in files.items():
            target = self.folder / prefix / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(
                content if isinstance(content, bytes) else bytes_of(hash((prefix, path)) & 0xFFFF, content)
            )

    # --- objects ---
    def backend_object(self, **spec):
        return {
            "apiVersion": "zcdp.io/v1alpha1",
            "kind": "StorageBackend",
            "metadata": {"name": self.backend},
            "spec": {
                "type": "s3",
                "endpoint": f"http://{HOST}:{self.port}",
                "bucket": "data",
                "pathStyle": True,
                "secretRef": {"name": self.ns},
                "allowedNamespaces": [self.ns],
                **spec,
            },
        }

    def dataset_object(self, name, prefix=None, **spec):
        return {
            "apiVersion": "zcdp.io/v1alpha1",
            "kind": "Dataset",
            "metadata": {"name": name, "namespace": self.ns},
            "spec": {"source": {"backend": self.backend, "prefix": prefix or f"{name}/"}, **spec},
        }

    def claim_object(self, name, dataset=None, app=None, **spec):
        spec = {"dataset": dataset or name, "mountPath": "/data", **spec}
        if app:
            spec["podSelector"] = {"matchLabels": {"app": app}}
        return {
            "apiVersion": "zcdp.io/v1alpha1",
            "kind": "DatasetClaim",
            "metadata": {"name": name, "namespace": self.ns},
            "spec": spec,
        }

    def pod_object(self, name, app=None, command="sleep 1000000", node=None, claim=None, **spec):
        container = {"name": "c", "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": self.ns, "labels": {"app": app} if app else {}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never", **spec},
        }
        if node:
            pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node}
        if claim:
            pod["spec"]["volumes"] = [
                {"name": "d", "csi": {"driver": "zcdp.io", "readOnly": True, "volumeAttributes": {"claim": claim}}}
            ]
            container["volumeMounts"] = [{"name": "d", "mountPath": "/data"}]
        return pod

    def get(self, kind, name=None):
        return self.kit.get(kind, name, self.ns)

    def dataset(self, name):
        return (self.get("dataset", name) or {}).get("status", {})

    def phase(self, pod):
        return (self.get("pod", pod) or {}).get("status", {}).get("phase")

    def node_of(self, pod):
        return (self.get("pod", pod) or {}).get("spec", {}).get("nodeName")

    def running(self, pod, seconds=60):
        self.kit.wait(f"pod {pod} runs", lambda: self.phase(pod) == "Running", seconds)

    def logs(self, pod):
        with api_errors():
            return self.kit.api.logs(pod, self.ns)

    def exec(self, pod, *command, check=True):
        return run("kubectl", "-n", self.ns, "exec", pod, "--", *command, check=check)

    def delete(self, kind, name, wait=True):
        with api_errors():
            before = self.get(kind, name)
            self.kit.api.delete(kind, name, self.ns)
        if before and wait and not self.kit.until(lambda: _other(before, self.get(kind, name)), 120)[0]:
            raise Failed(f"{kind} {name} was not deleted within 120 s")

    def condition(self, kind, name, type):
        for condition in (self.get(kind, name) or {}).get("status", {}).get("conditions", []):
            if condition["type"] == type:
                return condition
        return {}

    def held(self, dataset=None):
        """NodeDatasets of this namespace."""
        return [
            n
            for n in self.kit.get("nodedatasets")
            if n["spec"]["dataset"]["namespace"] == self.ns and dataset in (None, n["spec"]["dataset"]["name"])
        ]

    def ready_nodes(self, dataset):
        return sorted(n["spec"]["node"] for n in self.held(dataset) if n.get("status", {}).get("phase") == "Ready")

    def events(self, kind, name):
        return [
            (e["type"], e["reason"], e["message"])
            for e in self.kit.get("events", ns=self.ns)
            if e["involvedObject"]["kind"] == kind and e["involvedObject"]["name"] == name
        ]

    def has_event(self, kind, name, reason):
        return any(found == reason for _, found, _ in self.events(kind, name))

    def has_error(self, dataset, reason, word):
        """Whether a node reports `reason` for the dataset with `word` in the object's name or the message."""
        errors = [n.get("status", {}).get("lastError", {}) for n in self.held(dataset)]
        return any(e.get("reason") == reason and word in e.get("object", "") + e.get("message", "") for e in errors)
