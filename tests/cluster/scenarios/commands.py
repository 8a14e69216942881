"""zcdp status, explain, install, uninstall, sync on a node and ahead of pods; kubectl's columns."""

import json

from tests.cluster.kit import ZCDP, beside_others, run
from tests.support.harness import sums


@beside_others
def the_origin_is_listed_once_for_all_nodes(kit, scene):
    scene.write("set/", {f"f{i}": 100 for i in range(50)})
    kit.apply(scene.dataset_object("set", placement={"replicas": "All"}))
    nodes = len(kit.get("nodes"))
    kit.wait("all nodes have it", lambda: len(scene.ready_nodes("set")) == nodes)
    kit.check("at most a listing a controller replica", scene.listings() <= 2, scene.listings())
    kit.check("one of them fetched the objects", scene.object_bytes() == 50 * 100, scene.object_bytes())


def explain_names_the_one_step_that_blocks(kit, scene):
    def explain(*args):
        done = run(ZCDP, "explain", "--json", *args, "-n", scene.ns, check=False)
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    scene.write("set/", {"x": b"1"})
    kit.apply(scene.pod_object("p", claim="set"))
    kit.check("no claim", explain("pod", "p")["step"] == "claim", explain("pod", "p"))
    kit.apply(scene.claim_object("set"))
    kit.check("no dataset", explain("pod", "p")["step"] == "dataset", explain("pod", "p"))
    kit.apply(scene.backend_object(allowedNamespaces=["nobody"]), scene.dataset_object("set"))
    kit.wait("not allowed", lambda: "NamespaceNotAllowed" in explain("pod", "p").get("message", ""))
    kit.check("and what to do", scene.ns in explain("claim", "set")["hint"], explain("claim", "set"))
    kit.apply(scene.backend_object())
    kit.wait("then nothing blocks", lambda: explain("pod", "p").get("fine"), 130)
    kit.check("nor the dataset", explain("dataset", "set")["fine"], explain("dataset", "set"))
    kit.check("nor the node", explain("node", scene.node_of("p"))["fine"], explain("node", scene.node_of("p")))
    done = run(ZCDP, "explain", "pod", "nobody", "-n", scene.ns, check=False)
    kit.check("what is not there is exit code 4", done.returncode == 4 and "nobody" in done.stderr, done)
    status = json.loads(run(ZCDP, "status", "--json", "-n", scene.ns).stdout)
    kit.check(
        "status has the dataset and its node",
        status["datasets"][0]["nodes"][0]["phase"] == "Ready" and status["agents_ready"] == status["nodes"],
        status,
    )
    kit.check("and as a table", "set" in run(ZCDP, "status").stdout)


@beside_others
def kubectl_shows_where_how_far_and_how_big(kit, scene):
    scene.write("set/", {"x": 2_000_000})
    kit.apply(scene.dataset_object("set", placement={"replicas": 1}), scene.claim_object("set"))
    kit.wait("ready", lambda: scene.dataset("set").get("phase") == "Ready")
    table = kit.kubectl("-n", scene.ns, "get", "datasets")
    kit.check(
        "columns of datasets",
        all(word in table for word in ("PHASE", "NODES", "SIZE", "Ready", "1/1", "1.91 MiB")),
        table,
    )
    kit.check(
        "short names", "set" in kit.kubectl("-n", scene.ns, "get", "dsc,zds") and "Ensure" in kit.kubectl("get", "nd")
    )
    kit.wait(
        "events say what happened",
        lambda: {"Listed", "Syncing", "Synced"} <= {reason for _, reason, _ in scene.events("Dataset", "set")},
    )


@beside_others
def what_the_schema_forbids_is_refused_with_a_reason(kit, scene):
    for what, change, words in [
        ("a backend of a type that there is not", scene.backend_object(type="tape"), "Unsupported value"),
        ("an Azure backend without an account", scene.backend_object(type="azure"), "account is the storage account"),
        ("a web server with a bucket", scene.backend_object(type="http"), "has no bucket"),
        ("an endpoint with a path", scene.backend_object(endpoint="http://h/x"), "without a path"),
        ("a prefix that climbs", scene.dataset_object("d", "../x/"), ".. as a part"),
        ("an absolute prefix", scene.dataset_object("d", "/x/"), "must not start with a slash"),
        (
            "backend and uri at once",
            scene.dataset_object("d") | {"spec": {"source": {"backend": "b", "uri": "s3://x/"}}},
            "exactly one of backend",
        ),
        (
            "replicas that are no number",
            scene.dataset_object("d", placement={"replicas": "Many"}),
            "a number, All or OnDemand",
        ),
        ("a relative mount path", scene.claim_object("c", mountPath="data"), "must be absolute"),
        ("a subPath that climbs", scene.claim_object("c", subPath="a/../.."), "must be relative"),
        ("a policy that there is not", scene.claim_object("c", policy="Maybe"), "policy"),
        ("a duration that is none", scene.dataset_object("d", retention={"ttl": "soon"}), "ttl"),
    ]:
        refused = kit.refused(change)
        kit.check(what, words in refused, refused or "it was taken")
    kit.apply(scene.claim_object("c"))
    kit.check(
        "a claim's dataset cannot be changed",
        "make another claim" in kit.refused(scene.claim_object("c", dataset="other")),
    )


def csi_sanity_passes(kit, scene):
    """Every Identity and Node case; those that first make a volume need the Controller service, which there is none of."""
    from tests.support.harness import CACHE

    needs_controller = {"should remove target path", "should fail when volume does not exist on the specified path"}
    node = kit.get("nodes")[0]["metadata"]["name"]
    report = kit.folder / "sanity.json"
    run(
        CACHE / "bin/csi-sanity",
        "-csi.endpoint",
        f"unix://{kit.zk}/{node}/kubelet/plugins_registry/zcdp.io-reg.sock",
        "-csi.mountdir",
        kit.folder / "m",
        "-csi.stagingdir",
        kit.folder / "s",
        "--ginkgo.focus=Node Service|Identity Service",
        f"--ginkgo.json-report={report}",
        check=False,
    )
    passed, without_controller = 0, set()
    for suite in json.loads(report.read_text()):
        for case in suite["SpecReports"]:
            name, groups = case["LeafNodeText"], case["ContainerHierarchyTexts"] or [""]
            if not any(group.startswith(("Node Service", "Identity Service")) for group in groups):
                continue
            if case["State"] == "passed":
                passed += 1
            elif case["State"] == "failed":
                kit.check(
                    f"{name}: only for want of CreateVolume",
                    name in needs_controller and "Unimplemented" in case["Failure"]["Message"],
                    case["Failure"]["Message"],
                )
                without_controller.add(name)
            elif case["State"] == "skipped":
                print(f"       skipped: {'/'.join(groups)}: {name}: {case['Failure']['Message']}")
    kit.check("13 cases pass", passed >= 13, passed)
    kit.check(
        "the two that need a Controller service are these", without_controller == needs_controller, without_controller
    )


@beside_others
def a_prefetch_fills_nodes_before_any_pod(kit, scene):
    scene.write("set/", {"x": 500_000})
    nodes = [n["metadata"]["name"] for n in kit.get("nodes")][:2]
    for node in nodes:
        kit.kubectl("label", "node", node, f"pool={scene.ns}")
    kit.apply(scene.dataset_object("set"))
    done = run(ZCDP, "sync", "dataset/set", "-n", scene.ns, "--nodes", f"pool={scene.ns}", timeout=120)
    kit.check(
        "both nodes have it when the command ends",
        scene.ready_nodes("set") == nodes,
        (scene.ready_nodes("set"), done.stderr),
    )
    for node in nodes:
        kit.kubectl("label", "node", node, "pool-")


def _into_a_dest(kit, scene, node, env):
    """A sync on into a DEST, and what --delete would remove there once the source has less."""
    scene.write("more/", {"a": b"stays", "b": b"goes", "d/c": b"goes, too"})
    dest = kit.path(f"dest-{node}")

    def sync(*flags):
        source = f"--endpoint http://10.203.0.1:{scene.port} --path-style s3://data/more/ {dest}"
        return json.loads(kit.in_node(node, "sh", "-c", f"{env} sync --json {' '.join(flags)} {source}").stdout)

    first = sync()
    kit.check("through the agent into a DEST", sums(dest) == sums(scene.folder / "more"), sums(dest))
    (scene.folder / "more/b").unlink()
    (scene.folder / "more/d/c").unlink()
    would = sync("--dry-run", "--delete")
    kit.check("--dry-run says what --delete would remove", (would["removed"], would["bytes_removed"]) == (2, 13), would)
    kit.check("and removes nothing", (dest / "b").read_bytes() == b"goes")
    did = sync("--delete")
    kit.check("--delete removes that", (did["removed"], did["bytes_removed"]) == (2, 13), did)
    kit.check("and no more", sums(dest) == sums(scene.folder / "more"), sums(dest))
    kit.in_node(node, "rm", "-rf", dest)
    for done in (first, did):  # held for the command until the agent has noticed its end
        evicts = [ZCDP, "store", "evict", done["snapshot"]]
        kit.wait("its snapshot can be evicted", lambda: kit.in_node(node, *evicts, check=False).returncode == 0, 20)


def commands_of_a_node_go_through_its_agent(kit, scene):
    scene.write("set/", {"x": b"on the node"})
    node = kit.get("nodes")[0]["metadata"]["name"]
    env = f"AWS_ACCESS_KEY_ID=cluster-key AWS_SECRET_ACCESS_KEY=cluster-secret-key {ZCDP}"
    done = kit.in_node(
        node, "sh", "-c", f"{env} sync --endpoint http://10.203.0.1:{scene.port} --path-style s3://data/set/"
    )
    path = done.stdout.strip()
    kit.check(
        "zcdp sync on the node prints the ready tree",
        kit.in_node(node, "cat", f"{path}/x").stdout == "on the node",
        done,
    )
    _into_a_dest(kit, scene, node, env)
    listed = kit.in_node(node, "sh", "-c", f"{ZCDP} store ls --json").stdout
    kit.check("zcdp store ls sees it", path.split("/")[-2] in listed, listed)
    snapshot = path.split("/")[-2]
    kit.in_node(node, "sh", "-c", f"{ZCDP} store evict {snapshot}")
    kit.check("zcdp store evict takes it away", kit.in_node(node, "test", "-e", path, check=False).returncode != 0)
