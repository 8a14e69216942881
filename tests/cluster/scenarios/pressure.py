"""Nodes with little disk: who goes, who stays, what is refused. Runs on a node whose store has a file system of its own."""
import time


def _node_with_a_small_disk(kit, size="300M"):
    """Joins a node whose /var/lib/zcdp is an ext4 of this size."""
    before = {n["metadata"]["name"] for n in kit.get("nodes")}
    kit.cluster("add", env={"ZK_NODE_DISK": size}, timeout=120)
    node = ({n["metadata"]["name"] for n in kit.get("nodes")} - before).pop()
    kit.wait("its agent is ready", lambda: any(p["spec"].get("nodeName") == node and any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))
                                               for p in kit.get("pods", ns="zcdp-system") if p["metadata"]["labels"].get("app") == "zcdp-agent"), 90)
    return node


def under_pressure_the_least_recently_used_goes_first_and_never_what_is_mounted_or_pinned(kit, scene):
    node = _node_with_a_small_disk(kit)
    try:
        for name in ("mounted", "oldest", "older", "pinned", "new"):
            scene.write(f"{name}/", {"x": 45_000_000})
        where = {"nodeSelector": {"kubernetes.io/hostname": node}}
        for name in ("mounted", "oldest", "older", "pinned"):
            kit.apply(scene.dataset_object(name, placement=where, retention={"pinned": name == "pinned"}), scene.claim_object(name, app=name))
            kit.apply(scene.pod_object(f"p-{name}", app=name, node=node))
            scene.running(f"p-{name}")
            if name != "mounted":
                scene.delete("pod", f"p-{name}")
            time.sleep(1.2)  # last use is kept in seconds
        kit.wait("four datasets are there", lambda: all(scene.ready_nodes(n) == [node] for n in ("mounted", "oldest", "older", "pinned")))
        sum_before = scene.exec("p-mounted", "sha256sum", "/data/x").stdout
        kit.apply(scene.dataset_object("new", placement=where), scene.claim_object("new", app="new"), scene.pod_object("p-new", app="new", node=node))
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
        kit.wait("what is larger than the disk is refused with numbers", lambda: scene.condition("dataset", "huge", "Ready").get("reason") == "NoSpace" and
                 "360" in scene.condition("dataset", "huge", "Ready")["message"], 60)
        kit.check("before a byte was fetched", not any("huge/part" in target for _, target, _, _ in scene.requests()))
        kit.check("and nobody lost data for it", scene.ready_nodes("pinned") == [node] and scene.ready_nodes("new") == [node] and scene.ready_nodes("mounted") == [node])
        for pod in scene.get("pods"):
            scene.delete("pod", pod["metadata"]["name"])
        for name in ("mounted", "oldest", "older", "pinned", "new", "huge"):
            scene.delete("dataset", name)
    finally:
        kit.cluster("remove", node)
        kit.kubectl("delete", "node", node)


def publish_and_unpublish_storms_leave_nothing_behind(kit, scene):
    scene.write("set/", {"x": 100_000})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("seed", app="w"))
    scene.running("seed")
    node = scene.node_of("seed")
    for turn in range(4):
        pods = [scene.pod_object(f"p{turn}-{i}", app="w", node=node) for i in range(12)]
        kit.apply(*pods)
        for i in range(0, 12, 3):
            kit.kubectl("-n", scene.ns, "delete", "pod", f"p{turn}-{i}", "--grace-period=0", "--force", "--wait=false")
        kit.wait(f"round {turn}: the others run", lambda: all(scene.phase(f"p{turn}-{i}") == "Running" for i in range(12) if i % 3), 90)
        kit.kubectl("-n", scene.ns, "delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
        kit.wait(f"round {turn}: nothing is mounted", lambda: kit.in_node(node, "sh", "-c", "grep -c zcdp/snapshots /proc/self/mountinfo || true").stdout.strip() == "0", 90)
    kit.wait("and the agent knows it", lambda: not scene.held("set")[0]["status"].get("pods"))
