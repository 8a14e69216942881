"""Nodes give a dataset to each other: the origin sends it about once, however many of them want it."""

import hashlib

from tests.cluster.kit import beside_others

FILES = {"model-1.bin": 70_000_000, "model-2.bin": 30_000_001, **{f"part/{i:03}": 40_000 + i for i in range(200)}}
SIZE = sum(FILES.values())


def _ready_on(kit, scene, name, count):
    kit.wait(f"{name} is Ready on {count} nodes", lambda: len(scene.ready_nodes(name)) == count, 120)


def _bytes(scene, name, what):
    """Of each node that holds it."""
    return {n["spec"]["node"]: n["status"].get(what, 0) for n in scene.held(name)}


def _controllers(kit):
    pods = kit.get("pods", ns="zcdp-system")
    return [pod for pod in pods if pod["metadata"]["labels"].get("app") == "zcdp-controller"]


def _given(scene, name):
    return all(n.get("status", {}).get("peerAddress", "").endswith(":7443") for n in scene.held(name))


def nodes_that_want_it_at_once_share_what_the_origin_sends_and_one_that_joins_costs_nothing(kit, scene):
    scene.write("set/", FILES)
    nodes = len(kit.get("nodes"))
    kit.apply(scene.dataset_object("set", placement={"replicas": "All"}))
    _ready_on(kit, scene, "set", nodes)
    sent = scene.object_bytes()
    # A dataset of some 25 pieces: one that two nodes happen to draw in the first moment is 4 %.
    kit.check("the origin sent it about once", SIZE <= sent <= SIZE * 1.15, f"{sent / SIZE:.2f} of it")
    origin, peers = _bytes(scene, "set", "originBytes"), _bytes(scene, "set", "peerBytes")
    kit.check(
        "each node has all, from the origin or from others",
        all(origin[node] + peers[node] == SIZE for node in origin),
        f"{origin} {peers}",
    )
    kit.wait("each gives it to others", lambda: _given(scene, "set"))
    kit.wait(
        "the dataset says how much came from nodes",
        lambda: scene.dataset("set").get("peerBytes") == sum(peers.values()),
    )
    before = scene.object_bytes()
    node = kit.join()
    try:
        _ready_on(kit, scene, "set", nodes + 1)
        kit.check("a node that joins costs the origin nothing", scene.object_bytes() == before, scene.object_bytes())
        kit.check("but the others all of it", _bytes(scene, "set", "peerBytes")[node] == SIZE)
    finally:
        kit.retire(node)


@beside_others
def nodes_that_are_not_to_ask_each_other_fetch_it_each(kit, scene):
    scene.write("set/", {"file": 9_000_000})
    kit.apply(scene.dataset_object("set", placement={"replicas": 2}, transfer={"peers": "Never"}))
    _ready_on(kit, scene, "set", 2)
    kit.check("twice from the origin", scene.object_bytes() == 18_000_000, scene.object_bytes())
    kit.check("nothing from nodes", not any(_bytes(scene, "set", "peerBytes").values()))
    kit.check("and nobody gives it", not any(n["status"].get("peerAddress") for n in scene.held("set")))


def without_controllers_a_transfer_goes_on(kit, scene):
    scene.write("set/", FILES)
    nodes = len(kit.get("nodes"))
    slow = {"bytesPerSecond": "3M"}
    kit.apply(scene.backend_object(limits=slow), scene.dataset_object("set", placement={"replicas": "All"}))
    kit.wait(
        "all are at it, and have met",
        lambda: sum(n.get("status", {}).get("bytesDone", 0) > 0 for n in scene.held("set")) == nodes,
    )
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=0")
    try:
        kit.wait("the controllers are gone", lambda: not _controllers(kit))
        kit.check("in the middle of it", not scene.ready_nodes("set"))
        _ready_on(kit, scene, "set", nodes)
        sent = scene.object_bytes()
        kit.check("the origin sent it about once", sent <= SIZE * 1.15, f"{sent / SIZE:.2f} of it")
    finally:
        kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=2")
        kit.kubectl("-n", "zcdp-system", "rollout", "status", "deployment", "zcdp-controller", "--timeout", "90s")


def _damage(kit, node, size):
    """One byte of each chunk of the file of this size in the node's store, as a disk or a liar would."""
    place = 'f=$(find /var/lib/zcdp/cas -type f -size %dc | head -1); n=$(stat -c %%s "$f"); at=5; ' % size
    write = 'printf "\\245\\245\\245\\245" | dd of="$f" bs=1 seek=$at conv=notrunc status=none'
    kit.in_node(node, "sh", "-c", f'{place} while [ "$at" -lt "$n" ]; do {write}; at=$((at + 8388608)); done')


def a_node_that_gives_wrong_bytes_is_banned_and_none_of_them_is_seen(kit, scene):
    scene.write("set/", {"model.bin": 61_000_000, "config": b"{}"})
    kit.apply(scene.dataset_object("set", placement={"replicas": 1}))
    _ready_on(kit, scene, "set", 1)
    kit.wait("it gives it to others", lambda: _given(scene, "set"))
    bad = scene.ready_nodes("set")[0]
    _damage(kit, bad, 61_000_000)
    kit.apply(scene.dataset_object("set", placement={"replicas": 2}))
    _ready_on(kit, scene, "set", 2)
    good = next(node for node in scene.ready_nodes("set") if node != bad)
    snapshot = scene.dataset("set")["snapshot"]
    tree = f"/var/lib/zcdp/snapshots/{snapshot}/tree"
    sums = kit.in_node(good, "sh", "-c", f"cd {tree} && sha256sum config model.bin").stdout.split()[::2]
    wanted = [
        hashlib.sha256((scene.folder / "set" / name).read_bytes()).hexdigest() for name in ("config", "model.bin")
    ]
    kit.check("the other node has what the origin has", sums == wanted, f"{sums} {wanted}")
    said = kit.kubectl("-n", "zcdp-system", "logs", kit.agent_on(good)["metadata"]["name"])
    banned = [line for line in said.splitlines() if "banned for an hour" in line and bad in line]
    kit.check("and has named who gave it something else", any("wrong_bytes" in line for line in banned), said[-1500:])
