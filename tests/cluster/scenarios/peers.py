"""Nodes give a dataset to each other: the origin sends it about once, however many of them want it."""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import signal
import socket
import ssl
import threading
import time

from tests.cluster.kit import HOST, beside_others, on_a_quiet_machine, swarm_of
from tests.support import certs

FILES = {"model-1.bin": 70_000_000, "model-2.bin": 30_000_001, **{f"part/{i:03}": 40_000 + i for i in range(200)}}
SIZE = sum(FILES.values())
RATE, RATE_BYTES = "200mbit", 25_000_000  # of each link; the latter in a second
MODEL = {
    "model-1.bin": 200 << 20,
    "model-2.bin": 200 << 20,
    "model-3.bin": 104 << 20,
    **{f"part/{i:03}": 16 << 10 for i in range(512)},
}
MODEL_SIZE = sum(MODEL.values())


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


@contextlib.contextmanager
def _four_nodes(kit):
    """What joins for that, the last at least, leaves again."""
    joined = [kit.join() for _ in range(max(1, 4 - len(kit.get("nodes"))))]
    try:
        for node in joined:
            kit.wait(f"{node} has an agent", lambda node=node: kit.agent_ready(node))
        yield joined
    finally:
        for node in joined:
            kit.retire(node)


def _counted_by_agents(kit, scene):
    """Bytes that the agents say the origin has sent them for this scenario's datasets."""
    total = 0
    for node in kit.get("nodes"):
        agent = kit.agent_on(node["metadata"]["name"])
        connection = http.client.HTTPConnection(agent["status"]["podIP"], 8080, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        for labels, value in re.findall(r"^zcdp_origin_bytes_total\{([^}]*)\} (\d+)$", text, re.M):
            total += int(value) if f'namespace="{scene.ns}"' in labels else 0
    return total


def _same_as_origin(kit, scene, name, prefix):
    """Whether each node that has it has what the origin has now."""
    files = [path for path in sorted((scene.folder / prefix).rglob("*")) if path.is_file()]
    wanted = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    names = " ".join(str(path.relative_to(scene.folder / prefix)) for path in files)
    tree = f"/var/lib/zcdp/snapshots/{scene.dataset(name)['snapshot']}/tree"
    for node in scene.ready_nodes(name):
        sums = kit.in_node(node, "sh", "-c", f"cd {tree} && sha256sum {names}").stdout.split()[::2]
        kit.check(f"{node} has what the origin has", sums == wanted)


def _wanted_by_all(kit, scene, name):
    """When that began."""
    began = time.monotonic()
    kit.apply(scene.dataset_object(name, placement={"replicas": "All"}))
    return began


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
    # For an hour, or until it starts again, it would ask that node for nothing in other scenarios.
    kit.kubectl("-n", "zcdp-system", "delete", "pod", kit.agent_on(good)["metadata"]["name"])
    kit.wait("another agent runs there", lambda: kit.agent_ready(good))


def _timed(attempts, attempt):
    """Runs it until it was in time, so often at most: a machine does things of its own, too."""
    for number in range(1, attempts + 1):
        if attempt(number) or number == attempts:
            return


@on_a_quiet_machine
def over_shaped_links_the_last_of_four_is_ready_in_time_and_the_origin_sends_it_once(kit, scene):
    with _four_nodes(kit), kit.links(RATE):
        took = []

        def shared_in_time(number):
            name, before, counted = f"set-{number}", scene.object_bytes(), _counted_by_agents(kit, scene)
            scene.write(f"{name}/", MODEL)
            began = _wanted_by_all(kit, scene, name)
            _ready_on(kit, scene, name, 4)
            took.append((time.monotonic() - began) / (MODEL_SIZE / RATE_BYTES))
            sent, counted = scene.object_bytes() - before, _counted_by_agents(kit, scene) - counted
            kit.check(
                f"the origin sent {sent / MODEL_SIZE:.3f} of it, 1.05 at most", MODEL_SIZE <= sent <= MODEL_SIZE * 1.05
            )
            kit.check("which is what the agents count", counted == sent, f"{counted} {sent}")
            return took[-1] <= 1.35

        _timed(3, shared_in_time)
        name = f"set-{len(took)}"
        kit.check(f"the last was Ready after {min(took):.2f} x S/B, 1.35 at most", min(took) <= 1.35, took)
        _same_as_origin(kit, scene, name, f"{name}/")
        kit.wait("each gives it to others", lambda: _given(scene, name))
        before = scene.object_bytes()
        fifth = kit.join()
        try:
            _ready_on(kit, scene, name, 5)
            kit.check("a fifth node costs the origin nothing", scene.object_bytes() == before, scene.object_bytes())
        finally:
            kit.retire(fifth)


@on_a_quiet_machine
def a_node_that_is_lost_half_way_costs_the_others_a_fifth_at_most(kit, scene):
    files = {"model-1.bin": 200 << 20, "model-2.bin": 50 << 20}
    size = sum(files.values())
    ratios = []

    def lost_in_time(number):
        usual, name = f"whole-{number}", f"set-{number}"
        scene.write(f"{usual}/", files)
        scene.write(f"{name}/", files)
        with _four_nodes(kit) as joined, kit.links("100mbit"):
            began = _wanted_by_all(kit, scene, usual)
            _ready_on(kit, scene, usual, 4)
            usual_s, before = time.monotonic() - began, scene.object_bytes()
            began = _wanted_by_all(kit, scene, name)
            kit.wait("half of it was sent", lambda: scene.object_bytes() - before >= size / 2)
            kit.cluster("kill", joined[-1])
            kit.check("nobody had it all", not scene.ready_nodes(name), scene.ready_nodes(name))
            _ready_on(kit, scene, name, 3)
            ratios.append((time.monotonic() - began) / usual_s)
            sent = scene.object_bytes() - before
            kit.check(f"the origin sent {sent / size:.2f} of it, 1.2 at most", sent <= size * 1.2)
            kit.check("the one that is lost has it not", joined[-1] not in scene.ready_nodes(name))
            _same_as_origin(kit, scene, name, f"{name}/")
        return ratios[-1] <= 1.2

    _timed(2, lost_in_time)
    kit.check(f"it took {min(ratios):.2f} times as long as without, 1.2 at most", min(ratios) <= 1.2, ratios)


def a_cordoned_nodes_replica_moves_to_another_and_the_origin_is_not_asked(kit, scene):
    scene.write("set/", FILES)
    kit.apply(scene.dataset_object("set", placement={"replicas": 1}))
    _ready_on(kit, scene, "set", 1)
    kit.wait("it gives it to others", lambda: _given(scene, "set"))
    sent, old = scene.object_bytes(), scene.ready_nodes("set")[0]
    kit.kubectl("cordon", old)
    try:
        _ready_on(kit, scene, "set", 2)
        kit.check("another node has it, and the old one has it still", old in scene.ready_nodes("set"))
        kit.check("the origin sent nothing more", scene.object_bytes() == sent, scene.object_bytes() - sent)
        other = next(node for node in scene.ready_nodes("set") if node != old)
        kit.check("all came from the node that leaves", _bytes(scene, "set", "peerBytes")[other] == SIZE)
        _same_as_origin(kit, scene, "set", "set/")
    finally:
        kit.kubectl("uncordon", old)


class _Impostor:
    """A TLS server that says it is somebody; counts who connects, and who then asks it for something."""

    def __init__(self):
        self.connections = self.requests = 0
        self.certificate = None
        self.listener = socket.create_server((HOST, 0))
        self.address = f"{HOST}:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.certificate)
                connection.settimeout(5)
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as talk:
                    self.requests += bool(talk.recv(1))

    def close(self):
        self.listener.close()


def _authorities(kit, scene):
    """Folders with a CA's certificate and key each: one of nobody's, and the cluster's own."""
    foreign, own = scene.folder.parent / f"{scene.ns}-foreign", scene.folder.parent / f"{scene.ns}-own"
    for folder in (foreign, own):
        certs.make_ca(folder)
    data = kit.get("secret", "zcdp-controller-ca", "zcdp-system")["data"]
    for kind in ("crt", "key"):
        (own / f"ca.{kind}").write_bytes(base64.b64decode(data[f"ca.{kind}"]))
    return foreign, own


def _answer_of(address, swarm, certificate):
    """The status that a member answers to who asks with this certificate; None when it does not answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(*certificate)
    connection = http.client.HTTPSConnection(*address.rsplit(":", 1), timeout=10, context=context)
    try:
        connection.request("GET", f"/v1/swarms/{swarm}/news?version=0&wait_ms=0")
        return connection.getresponse().status
    except OSError:
        return None
    finally:
        connection.close()


def who_has_another_certificate_than_its_nodes_is_told_nothing_and_asked_nothing(kit, scene):
    scene.write("set/", {"file": 9_000_000})
    # Who has fetched with others is known to the controllers for a while, where it was.
    kit.apply(scene.dataset_object("set", placement={"replicas": 1}, transfer={"peers": "Never"}))
    _ready_on(kit, scene, "set", 1)
    kit.apply(scene.dataset_object("set", placement={"replicas": 1}))
    kit.wait("it gives it to others", lambda: _given(scene, "set"))
    holder, held = scene.ready_nodes("set")[0], scene.held("set")[0]
    foreign, own = _authorities(kit, scene)
    of_foreign = certs.make_server(foreign, holder, [f"DNS:{holder}"])
    of_another = certs.make_server(own, "another-node", ["DNS:another-node"])

    swarm = swarm_of(held)
    address = held["status"]["peerAddress"]
    kit.check("who has no certificate gets no answer", _answer_of(address, swarm, None) is None)
    kit.check("nor who has one of a foreign CA", _answer_of(address, swarm, of_foreign) is None)
    kit.check("a node gets one", _answer_of(address, swarm, of_another) == 200)

    impostor = _Impostor()
    kit.signal_zcdp(holder, signal.SIGSTOP, "agent")  # it would correct what is written next
    try:
        patch = json.dumps({"status": {"peerAddress": impostor.address}})
        name = held["metadata"]["name"]
        kit.kubectl("patch", "nodedataset", name, "--subresource=status", "--type=merge", "-p", patch)
        for count, certificate, whose in ((2, of_foreign, "a foreign CA"), (3, of_another, "another node")):
            impostor.certificate, impostor.connections = certificate, 0
            kit.apply(scene.dataset_object("set", placement={"replicas": count}))
            _ready_on(kit, scene, "set", count)
            kit.check(f"a node came to who has the certificate of {whose}", impostor.connections > 0)
            kit.check("and asked it nothing", impostor.requests == 0, impostor.requests)
    finally:
        kit.signal_zcdp(holder, signal.SIGCONT, "agent")
        impostor.close()
    kit.check("the origin was asked instead, once", scene.object_bytes() == 18_000_000, scene.object_bytes())
    _same_as_origin(kit, scene, "set", "set/")


def objects_that_change_while_nodes_share_them_are_never_mixed(kit, scene):
    """Some are overwritten when about a third was fetched, the others later, so that nodes find it out at different times."""
    scene.write("set/", FILES)
    slow = {"bytesPerSecond": "4M"}
    kit.apply(scene.backend_object(limits=slow), scene.dataset_object("set", placement={"replicas": "All"}))
    nodes = len(kit.get("nodes"))
    kit.wait("a third of it was sent", lambda: scene.object_bytes() >= SIZE / 3)
    first = scene.dataset("set")["revision"]
    kit.check("no node has it all", not scene.ready_nodes("set"))
    scene.write("set/", {"model-1.bin": FILES["model-1.bin"] - 1})
    time.sleep(2)
    scene.write("set/", {"model-2.bin": FILES["model-2.bin"] - 1, "part/100": b"other"})
    kit.apply(scene.backend_object())
    kit.wait("a node says that the source has changed", lambda: scene.has_event("Dataset", "set", "SourceChanged"))

    seen = set()  # (revision, snapshot)

    def settled():
        now = scene.dataset("set").get("revision")
        ready = [n for n in scene.held("set") if n.get("status", {}).get("phase") == "Ready"]
        seen.update((n["spec"]["revision"], n["status"]["snapshot"]) for n in ready)
        return now != first and sum(n["spec"]["revision"] == now for n in ready) == nodes

    kit.wait("another revision is Ready on all nodes", settled, 120)
    kit.check(
        "nobody ever had the first one, or two kinds of the other", len(seen) == 1 and first not in dict(seen), seen
    )
    _same_as_origin(kit, scene, "set", "set/")
