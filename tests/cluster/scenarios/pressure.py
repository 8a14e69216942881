"""Nodes with little disk: who goes, who stays, what is refused. Runs on a node whose store has a file system of its own."""

import json
import signal
import time

from tests.cluster import csi
from tests.cluster.kit import on_its_own_node
from tests.support.harness import ZCDP, bytes_of


def _node_with_a_small_disk(kit, size="300M"):
    """Joins a node whose /var/lib/zcdp is an ext4 of this size."""
    node = kit.join(size)
    kit.wait("its agent is ready", lambda: kit.agent_ready(node), 90)
    return node


@on_its_own_node
def under_pressure_the_least_recently_used_goes_first_and_never_what_is_mounted_or_pinned(kit, scene):
    node = _node_with_a_small_disk(kit)
    try:
        for name in ("mounted", "oldest", "older", "pinned", "new"):
            scene.write(f"{name}/", {"x": 45_000_000})
        where = {"nodeSelector": {"kubernetes.io/hostname": node}}
        for name in ("mounted", "oldest", "older", "pinned"):
            kit.apply(
                scene.dataset_object(name, placement=where, retention={"pinned": name == "pinned"}),
                scene.claim_object(name, app=name),
            )
            kit.apply(scene.pod_object(f"p-{name}", app=name, node=node))
            scene.running(f"p-{name}")
            if name != "mounted":
                scene.delete("pod", f"p-{name}")
            time.sleep(1.2)  # last use is kept in seconds
        kit.wait(
            "four datasets are there",
            lambda: all(scene.ready_nodes(n) == [node] for n in ("mounted", "oldest", "older", "pinned")),
        )
        sum_before = scene.exec("p-mounted", "sha256sum", "/data/x").stdout
        kit.apply(
            scene.dataset_object("new", placement=where),
            scene.claim_object("new", app="new"),
            scene.pod_object("p-new", app="new", node=node),
        )
        scene.running("p-new", 90)
        kit.wait("the oldest is gone", lambda: scene.ready_nodes("oldest") == [])
        kit.check("the pinned one stayed", scene.ready_nodes("pinned") == [node])
        kit.check("the mounted one stayed", scene.ready_nodes("mounted") == [node])
        kit.check("and reads as before", scene.exec("p-mounted", "sha256sum", "/data/x").stdout == sum_before)
        moved = scene.object_bytes()
        time.sleep(15)
        kit.check("and nothing goes round in circles", scene.object_bytes() == moved, scene.object_bytes() - moved)

        scene.write("huge/", {f"part{i}": 90_000_000 for i in range(4)})
        kit.apply(scene.dataset_object("huge", placement={**where, "replicas": 1}))
        kit.wait(
            "what is larger than the disk is refused with numbers",
            lambda: (
                scene.condition("dataset", "huge", "Ready").get("reason") == "NoSpace"
                and "360" in scene.condition("dataset", "huge", "Ready")["message"]
            ),
            60,
        )
        kit.check("before a byte was fetched", not any("huge/part" in target for _, target, _, _ in scene.requests()))
        kit.check(
            "and nobody lost data for it",
            scene.ready_nodes("pinned") == [node]
            and scene.ready_nodes("new") == [node]
            and scene.ready_nodes("mounted") == [node],
        )
        for pod in scene.get("pods"):
            scene.delete("pod", pod["metadata"]["name"])
        for name in ("mounted", "oldest", "older", "pinned", "new", "huge"):
            scene.delete("dataset", name)
    finally:
        kit.retire(node)


def publish_and_unpublish_storms_leave_nothing_behind(kit, scene):
    scene.write("set/", {"x": 100_000})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("seed", app="w"))
    scene.running("seed")
    node = scene.node_of("seed")
    kit.check("its mount is there", len(kit.mounted(node)) == 1, kit.mounted(node))
    for turn in range(4):
        pods = [scene.pod_object(f"p{turn}-{i}", app="w", node=node) for i in range(12)]
        kit.apply(*pods)
        for i in range(0, 12, 3):
            kit.kubectl("-n", scene.ns, "delete", "pod", f"p{turn}-{i}", "--grace-period=0", "--force", "--wait=false")
        kit.wait(
            f"round {turn}: the others run",
            lambda: all(scene.phase(f"p{turn}-{i}") == "Running" for i in range(12) if i % 3),
            90,
        )
        kit.kubectl("-n", scene.ns, "delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
        kit.wait(f"round {turn}: nothing is mounted", lambda: not kit.mounted(node), 90)
    kit.wait("and the agent knows it", lambda: not scene.held("set")[0]["status"].get("pods"))


STORM = r"""
pods, view, ns, claim, per_thread, threads, gc = sys.argv[3], sys.argv[4], sys.argv[5], sys.argv[6], int(sys.argv[7]), int(sys.argv[8]), sys.argv[9]
problems, collections, done = [], [0], threading.Event()


def publish_again(uid):
    # kubelet knows no such pods and may sweep their empty folders away before the agent gets to them.
    for left in (2, 1, 0):
        try:
            make_folder(pods, uid)
            return publish(uid, ns, claim)
        except (FileNotFoundError, grpc.RpcError) as problem:
            swept = isinstance(problem, FileNotFoundError) or "making: No such file" in problem.details()
            if not left or not swept:
                raise


def cycles(number):
    for i in range(per_thread):
        uid = f"storm-{number}-{i}"
        try:
            publish_again(uid)
            if pathlib.Path(view + target(uid) + "/x").read_bytes() != b"always the same":
                problems.append(f"{uid}: other bytes")
            unpublish(uid)
        except Exception as problem:
            problems.append(f"{uid}: {problem}"[:300])


def collect():
    while not done.is_set():
        ended = subprocess.run(gc, shell=True, capture_output=True, text=True)
        collections[0] += ended.returncode == 0
        if ended.returncode != 0:
            problems.append(f"gc: {ended.stderr.strip()}"[:300])


collector = threading.Thread(target=collect)
workers = [threading.Thread(target=cycles, args=(n,)) for n in range(threads)]
collector.start()
for worker in workers: worker.start()
for worker in workers: worker.join()
done.set()
collector.join()
print(json.dumps({"problems": problems[:5], "failed": len(problems), "collections": collections[0]}))
"""


def a_thousand_mounts_and_unmounts_beside_garbage_collection(kit, scene):
    scene.write("set/", {"x": b"always the same"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("seed", claim="set"))
    scene.running("seed")
    node = scene.node_of("seed")
    scene.delete("pod", "seed")  # nothing but the storm holds a lease
    kubelet = (kit.zk / node / "kubelet.pid").read_text().strip()
    gc = f"nsenter --target {kubelet} --mount --net {ZCDP} store gc"
    got = json.loads(
        csi.call(
            kit,
            node,
            STORM,
            kit.zk / node / "kubelet/pods",
            f"/proc/{kubelet}/root",
            scene.ns,
            "set",
            250,
            4,
            gc,
            timeout=280,
        )
    )
    kit.check("1,000 cycles without one error", got["failed"] == 0, got)
    kit.check("with the garbage collected beside them", got["collections"] >= 3, got)
    kit.wait("nothing is mounted", lambda: not kit.mounted(node))
    kit.check(
        "and the dataset is whole",
        kit.in_node(node, "sh", "-c", f"{ZCDP} store verify >/dev/null && echo whole").stdout.strip() == "whole",
    )


@on_its_own_node
def datasets_that_share_their_bytes_make_no_eviction_loop(kit, scene):
    node = _node_with_a_small_disk(kit, "400M")
    names = ("one", "two", "three", "four", "five")
    try:
        where = {"nodeSelector": {"kubernetes.io/hostname": node}, "replicas": 1}
        for name in names:
            scene.write(f"{name}/", {f"x{i}": (b"%d" % i * 12_000_000) for i in range(8)} | {"own": name.encode()})
            kit.apply(scene.dataset_object(name, placement=where))
            kit.wait(f"{name} is there", lambda: scene.ready_nodes(name) == [node], 90)
        moved = scene.object_bytes()
        kit.check(
            "five of 96 MB are on a disk of 400 MB, for their bytes are the same",
            all(scene.ready_nodes(n) == [node] for n in names),
        )
        time.sleep(20)
        kit.check(
            "and nothing goes round in circles",
            scene.object_bytes() == moved and all(scene.ready_nodes(n) == [node] for n in names),
            scene.object_bytes() - moved,
        )
        for name in names:
            scene.delete("dataset", name)
    finally:
        kit.retire(node)


@on_its_own_node
def killed_near_the_end_of_what_takes_most_of_the_disk_the_agent_goes_on(kit, scene):
    node = _node_with_a_small_disk(kit, "512M")
    where = {"nodeSelector": {"kubernetes.io/hostname": node}, "replicas": 1}
    large = 300_000_000  # of some 480 MB

    def content(seed):
        return b"".join(bytes_of(seed + i, large // 3) for i in range(3))

    def made_and_killed_at(dataset, share):
        """What the origin had sent before it was made."""
        before = scene.object_bytes()
        kit.apply(scene.dataset_object(dataset, placement=where))
        kit.wait(
            f"{share:.0%} of {dataset} has been asked for", lambda: scene.object_bytes() - before > share * large, 120
        )
        kit.signal_zcdp(node, signal.SIGKILL, "agent")
        kit.wait("the agent is back", lambda: kit.agent_ready(node), 90)
        return before

    try:
        kit.apply(scene.backend_object(limits={"bytesPerSecond": "20Mi", "connections": 2}))
        scene.write("one/", {"x": content(10)})
        scene.write("several/", {f"x{i}": large // 3 for i in range(3)})
        for name in ("one", "several"):
            before = made_and_killed_at(name, 0.9)
            kit.wait(
                f"{name} is ready, on a disk that has no room for it twice",
                lambda: scene.ready_nodes(name) == [node],
                120,
            )
            kit.check(
                "and was not fetched all over again",
                scene.object_bytes() - before < 1.3 * large,
                scene.object_bytes() - before,
            )
            scene.delete("dataset", name)
            kit.wait(f"{name} is gone", lambda: scene.held(name) == [], 60)
        # Nobody goes on with it: it makes room for another.
        scene.write("left/", {"x": content(20)})
        scene.write("next/", {"x": content(30)})
        made_and_killed_at("left", 0.5)
        scene.delete("dataset", "left")
        kit.apply(scene.dataset_object("next", placement=where))
        kit.wait(
            "what a dataset left that is no more makes room for the next",
            lambda: scene.ready_nodes("next") == [node],
            120,
        )
        scene.delete("dataset", "next")
    finally:
        kit.retire(node)
