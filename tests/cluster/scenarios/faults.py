"""What breaks, and what must not: each fault on the real cluster."""

import json
import signal
import time

from tests.cluster.kit import ACCESS, HOST, SECRET, beside_others, is_ready, run
from tests.support import servers
from tests.support.harness import CACHE, ZCDP

READER = "while :; do sha256sum -c /tmp/sum >/dev/null 2>&1 || echo BROKEN; echo round; done"


def _reader(kit, scene, node=None):
    """A pod that checksums without pause."""
    scene.write("set/", {"x": 4_000_000, "y": 1_000})
    kit.apply(
        scene.dataset_object("set"),
        scene.claim_object("set", app="r"),
        scene.pod_object("reader", app="r", node=node, command="cd /data && sha256sum x y > /tmp/sum && " + READER),
    )
    scene.running("reader")


def _reads_on(kit, scene, what):
    rounds = scene.logs("reader").count("round")
    kit.wait(f"the reader goes on after {what}", lambda: scene.logs("reader").count("round") > rounds + 3)
    kit.check("without one error", "BROKEN" not in scene.logs("reader"))


def _kubelets_heard_of_since(kit, moment):
    leases = kit.get("leases", ns="kube-node-lease")
    return all(lease["spec"]["renewTime"] > moment for lease in leases) and all(
        is_ready(node) for node in kit.get("nodes")
    )


def the_agent_may_be_killed_and_deleted_while_pods_read(kit, scene):
    _reader(kit, scene)
    node = scene.node_of("reader")
    kit.signal_zcdp(node, signal.SIGKILL, "agent")
    kit.wait(
        "the agent is back",
        lambda: kit.agent_ready(node) and kit.agent_on(node)["status"]["containerStatuses"][0]["restartCount"] > 0,
    )
    _reads_on(kit, scene, "kill -9 of the agent")
    kit.kubectl(
        "-n", "zcdp-system", "delete", "pod", kit.agent_on(node)["metadata"]["name"], "--grace-period=0", "--force"
    )
    kit.wait("another agent is there", lambda: kit.agent_ready(node), 90)
    _reads_on(kit, scene, "the agent's pod was replaced")
    kit.apply(scene.pod_object("next", app="r", node=node))
    scene.running("next")
    before = scene.object_bytes()
    kit.check("what was there was adopted: the origin is not asked again", before == 4_001_000, before)
    uid = scene.get("pod", "reader")["metadata"]["uid"]
    kit.check("its mount is there", uid in kit.mounted(node), kit.mounted(node))
    scene.delete("pod", "reader")
    kit.wait("and an adopted mount can be unmounted", lambda: uid not in kit.mounted(node))
    kit.wait(
        "the agent counts the other pod alone",
        lambda: [pod["name"] for pod in scene.held("set")[0]["status"].get("pods", [])] == ["next"],
    )


def the_agents_image_changes_by_a_rollout_while_pods_read(kit, scene):
    _reader(kit, scene)
    node = scene.node_of("reader")
    before = kit.agent_on(node)["metadata"]["uid"]
    kit.load_image("docker.io/library/zcdp:next")
    kit.install("--image", "zcdp:next", restart=False)
    agent = kit.agent_on(node)
    kit.check(
        "another agent runs another image",
        agent["metadata"]["uid"] != before and agent["spec"]["containers"][0]["image"] == "zcdp:next",
        agent["spec"]["containers"][0]["image"],
    )
    _reads_on(kit, scene, "a rollout of the agents")
    kit.apply(scene.pod_object("next", app="r", node=node))
    scene.running("next")
    kit.check("the origin was not asked again", scene.object_bytes() == 4_001_000, scene.object_bytes())
    kit.install(restart=False)


def kubelet_restarts_and_publishes_again(kit, scene):
    _reader(kit, scene)
    node = scene.node_of("reader")
    kit.cluster("restart", node)
    time.sleep(5)
    _reads_on(kit, scene, "a restart of kubelet")
    mounts = kit.in_node(
        node,
        "sh",
        "-c",
        f"grep -c ' /var/lib/kubelet/pods/{scene.get('pod', 'reader')['metadata']['uid']}/volumes/kubernetes.io~csi' /proc/self/mountinfo",
    ).stdout.strip()
    kit.check("mounted once", mounts == "1", mounts)


def the_leading_controller_may_be_killed(kit, scene):
    scene.write("set/", {"x": 2_000_000})
    kit.apply(scene.dataset_object("set", placement={"replicas": "All"}), scene.claim_object("set", app="w"))
    for _ in range(3):
        holder = kit.get("lease", "zcdp-controller", "zcdp-system")["spec"]["holderIdentity"]
        kit.kubectl("-n", "zcdp-system", "delete", "pod", holder, "--grace-period=0", "--force")
        kit.wait(
            "another one leads",
            lambda: kit.get("lease", "zcdp-controller", "zcdp-system")["spec"]["holderIdentity"] not in ("", holder),
            60,
        )
    kit.wait("and everything is where it should be", lambda: len(scene.ready_nodes("set")) == len(kit.get("nodes")), 60)
    kit.apply(scene.pod_object("p", app="w"))
    scene.running("p")
    names = [n["metadata"]["name"] for n in scene.held("set")]
    kit.check("one object a node", len(names) == len(kit.get("nodes")), names)


@beside_others
def wrong_credentials_name_themselves_and_heal_without_anybody(kit, scene):
    scene.write("set/", {"x": 100_000})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": scene.ns, "namespace": "zcdp-system"},
        "stringData": {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": "wrong"},
    }
    kit.apply(secret)
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    kit.wait(
        "the dataset's condition says AccessDenied",
        lambda: scene.condition("dataset", "set", "Listed").get("reason") == "AccessDenied",
    )
    kit.wait(
        "the backend's says it, too",
        lambda: any(
            c["reason"] == "AccessDenied"
            for c in kit.get("storagebackend", scene.backend).get("status", {}).get("conditions", [])
        ),
    )
    kit.wait("an event says it", lambda: scene.has_event("Dataset", "set", "AccessDenied"))
    kit.wait(
        "the pod's event says it", lambda: any("AccessDenied" in message for _, _, message in scene.events("Pod", "p"))
    )
    secret["stringData"]["AWS_SECRET_ACCESS_KEY"] = SECRET
    kit.apply(secret)
    scene.running("p", 90)
    kit.wait("and all is well", lambda: scene.condition("dataset", "set", "Listed").get("status") == "True")


@beside_others
def what_is_wrong_at_the_origin_is_named(kit, scene):
    scene.write("bad/", {"ok": b"1"})
    kit.apply(
        scene.dataset_object("nothing", "no-such-prefix/"),
        scene.backend_object(bucket="other"),
        scene.dataset_object("bucket", "bad/"),
    )
    kit.wait(
        "a bucket that is not there", lambda: scene.condition("dataset", "bucket", "Listed").get("reason") == "NotFound"
    )
    kit.apply(scene.backend_object())
    kit.wait(
        "a prefix without objects", lambda: scene.condition("dataset", "nothing", "Listed").get("reason") == "NotFound"
    )
    kit.apply(scene.backend_object(allowedNamespaces=["somebody-else"]))
    kit.wait(
        "a namespace that is not allowed",
        lambda: scene.condition("dataset", "bucket", "Listed").get("reason") == "NamespaceNotAllowed",
    )
    kit.apply(scene.backend_object())
    kit.wait(
        "and all is well without anybody",
        lambda: scene.condition("dataset", "bucket", "Listed").get("status") == "True",
    )


@beside_others
def an_origin_that_is_away_is_named_and_heals(kit, scene):
    scene.write("set/", {"x": 1_000})
    scene.stop_origin()
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    kit.wait(
        "the dataset's condition says OriginUnreachable",
        lambda: scene.condition("dataset", "set", "Listed").get("reason") == "OriginUnreachable",
        90,
    )
    kit.wait("an event says it", lambda: scene.has_event("Dataset", "set", "OriginUnreachable"))
    said = run(ZCDP, "explain", "pod", "p", "-n", scene.ns, check=False).stdout
    kit.check("zcdp explain names it, and where", "OriginUnreachable" in said and f"{HOST}:{scene.port}" in said, said)
    scene.start_origin(scene.port)
    scene.running("p", 120)


def a_transfer_goes_on_where_a_killed_agent_left_it(kit, scene):
    size = 120_000_000
    scene.write("set/", {"big": size})
    kit.apply(
        scene.backend_object(limits={"bytesPerSecond": "10Mi", "connections": 2}),
        scene.dataset_object("set"),
        scene.claim_object("set", app="w"),
        scene.pod_object("p", app="w"),
    )
    kit.wait(
        "a third is there", lambda: any(n.get("status", {}).get("bytesDone", 0) > size / 3 for n in scene.held("set"))
    )
    node = scene.held("set")[0]["spec"]["node"]
    kit.signal_zcdp(node, signal.SIGKILL, "agent")
    scene.running("p", 120)
    again = scene.object_bytes() - size  # what was under way, and what sockets held, is asked for twice
    kit.check("at most the chunks that were under way were fetched twice", again <= 4 * (8 << 20), again)


@beside_others
def an_object_that_changes_while_it_is_fetched_is_never_mixed_and_heals(kit, scene):
    scene.write("set/", {"big": 100_000_000, "x": 1_000})  # more than the sockets hold
    kit.apply(
        scene.backend_object(limits={"bytesPerSecond": "8Mi", "connections": 2}),
        scene.dataset_object("set"),
        scene.claim_object("set", app="w"),
        scene.pod_object("p", app="w"),
    )
    kit.wait(
        "the bytes are on their way",
        lambda: any(n["status"].get("bytesDone", 0) > 0 for n in scene.held("set") if n.get("status")),
    )
    scene.write("set/", {"big": b"new " * 5_000_000})
    kit.wait(
        "the node's object says SourceChanged and which object",
        lambda: scene.has_error("set", "SourceChanged", "big"),
        90,
    )
    kit.wait("an event says it", lambda: scene.has_event("Dataset", "set", "SourceChanged"))
    scene.running("p", 120)
    got = scene.exec("p", "sh", "-c", "head -c 4 /data/big; wc -c < /data/big").stdout.split()
    kit.check("the pod has the new bytes, all of them", got == ["new", "20000000"], got)


@beside_others
def a_key_that_is_refused_is_named_and_heals(kit, scene):
    endpoint = servers.minio(kit, HOST)
    aws = [CACHE / "venv/bin/aws", "--endpoint-url", endpoint, "--region", "us-east-1"]
    admin = {"AWS_ACCESS_KEY_ID": servers.ACCESS, "AWS_SECRET_ACCESS_KEY": servers.SECRET}
    run(*aws, "s3api", "create-bucket", "--bucket", "data", env=admin)
    scene.write("set/", {"open": 1_000, "secret": 1_000})
    run(*aws, "s3", "cp", "--recursive", "--quiet", scene.folder, "s3://data/", env=admin)

    def allow(*resources):
        statement = [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:ListBucket", "s3:GetBucketLocation"],
                "Resource": "arn:aws:s3:::data",
            },
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": [f"arn:aws:s3:::data/{r}" for r in resources],
            },
        ]
        run(
            *aws,
            "s3api",
            "put-bucket-policy",
            "--bucket",
            "data",
            "--policy",
            json.dumps({"Version": "2012-10-17", "Statement": statement}),
            env=admin,
        )

    allow("set/open")
    backend = scene.backend_object(endpoint=endpoint, identity="Anonymous")
    del backend["spec"]["secretRef"]
    kit.apply(backend, scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    kit.wait(
        "the node's object says AccessDenied and which key",
        lambda: scene.has_error("set", "AccessDenied", "secret"),
        90,
    )
    kit.wait("an event says it", lambda: scene.has_event("Dataset", "set", "AccessDenied"))
    said = run(ZCDP, "explain", "pod", "p", "-n", scene.ns, check=False).stdout
    kit.check("zcdp explain names it", "AccessDenied" in said and "secret" in said, said)
    allow("set/*")
    scene.running("p", 120)


def a_watch_history_that_is_lost_loses_no_event(kit, scene):
    scene.write("set/", {"x": 1_000})
    scene.write("late/", {"y": 2_000})
    kit.apply(
        scene.dataset_object("set", placement={"replicas": "All"}),
        scene.claim_object("set"),
        scene.claim_object("late"),
    )
    nodes = [n["metadata"]["name"] for n in kit.get("nodes")]
    kit.wait("it is everywhere", lambda: scene.ready_nodes("set") == sorted(nodes))
    for node in nodes:
        kit.signal_zcdp(node, signal.SIGSTOP, "agent", "controller")
    kit.kubectl("-n", scene.ns, "delete", "dataset", "set", "--wait=false")
    kit.apply(scene.dataset_object("late", placement={"replicas": "All"}))
    time.sleep(12)  # the events lie in the stopped controllers' sockets, and the leader's time is over
    kit.cluster("kill", "apiserver")
    etcd = "http://127.0.0.1:23790/v3/kv/"
    revision = json.loads(run("curl", "-fsS", etcd + "range", "-d", '{"key": "AA=="}').stdout)["header"]["revision"]
    run("curl", "-fsS", etcd + "compaction", "-d", json.dumps({"revision": revision, "physical": True}))
    kit.cluster("start", "apiserver")
    kit.wait("the API server is back", lambda: kit.get("nodes"), 90)
    for node in nodes:
        kit.signal_zcdp(node, signal.SIGCONT, "agent", "controller")
    kit.wait("the dataset that was deleted meanwhile is gone from all nodes", lambda: not scene.held("set"), 90)
    kit.wait("and the one that was made is on them", lambda: scene.ready_nodes("late") == sorted(nodes), 90)
    logs = run(
        "kubectl", "-n", "zcdp-system", "logs", "-l", "app in (zcdp-agent, zcdp-controller)", "--tail", "-1", "--prefix"
    ).stdout
    kit.check("watches were told that their history is lost", "too old" in logs, logs[-1500:])


def the_api_server_may_be_away_for_a_minute(kit, scene):
    _reader(kit, scene)
    kit.cluster("kill", "apiserver")
    time.sleep(60)
    back_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    kit.cluster("start", "apiserver")
    kit.wait("the API server is back", lambda: kit.get("nodes"), 90)
    # A kubelet that was not heard of for a minute is taken for dead, and nothing is placed on such a node.
    kit.wait("and has heard of every kubelet", lambda: _kubelets_heard_of_since(kit, back_at), 180)
    _reads_on(kit, scene, "a minute without the API server")
    scene.write("late/", {"z": 10_000})
    kit.apply(
        scene.dataset_object("late", placement={"replicas": 1}),
        scene.claim_object("late", app="l"),
        scene.pod_object("l", app="l"),
    )
    kit.wait("controller and agents work again within 30 s", lambda: scene.ready_nodes("late"), 30)
    scene.running("l", 150)  # the scheduler's own back-off is a minute


def a_node_that_dies_for_good_is_retired_and_one_that_joins_is_filled(kit, scene):
    scene.write("set/", {"x": 1_000_000})
    extra = kit.join()
    kit.apply(scene.dataset_object("set", placement={"replicas": "All"}))
    kit.wait("the new node has it", lambda: extra in scene.ready_nodes("set"), 120)
    kit.retire(extra)
    kit.wait("its NodeDatasets are gone", lambda: extra not in [n["spec"]["node"] for n in scene.held("set")], 60)
    kit.wait(
        "and the dataset is Ready on the others",
        lambda: scene.dataset("set").get("ready") == f"{len(kit.get('nodes'))}/{len(kit.get('nodes'))}",
        60,
    )


@beside_others
def a_pod_deleted_during_a_held_publish_ends_soon(kit, scene):
    scene.write("set/", {"x": 1000})
    scene.stop_origin()
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("p", claim="set"))
    kit.wait("it waits for its data", lambda: scene.node_of("p"))
    time.sleep(2)
    began = time.monotonic()
    scene.delete("pod", "p")
    kit.check("gone within 20 s", time.monotonic() - began < 20, time.monotonic() - began)
    scene.start_origin(scene.port)
