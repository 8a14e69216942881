"""Last: zcdp leaves the cluster as it was."""

from tests.cluster.kit import ZCDP, run

KINDS = "crd,clusterrole,clusterrolebinding,csidriver,validatingadmissionpolicy,validatingadmissionpolicybinding,mutatingwebhookconfiguration,namespace"


def uninstall_refuses_while_a_pod_mounts_and_then_leaves_nothing(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    scene.running("p")
    refused = run(ZCDP, "uninstall", check=False)
    kit.check("refused, naming the pod", refused.returncode == 1 and f"{scene.ns}/p" in refused.stderr, refused)
    kit.check(
        "and nothing was touched",
        scene.exec("p", "cat", "/data/x").stdout == "1" and bool(kit.get("daemonset", "zcdp-agent", "zcdp-system")),
    )
    scene.delete("pod", "p")
    # A transfer in the middle: blobs of no snapshot yet, and a long file that is half there.
    scene.write("half/", {"a": 1_000_000, "b": 100_000_000})
    slow = scene.backend_object(limits={"bytesPerSecond": "4Mi", "connections": 2})
    kit.apply(slow, scene.dataset_object("half", placement={"replicas": "All"}))
    kit.wait(
        "a transfer is under way", lambda: all(n.get("status", {}).get("bytesDone", 0) for n in scene.held("half"))
    )
    done = run(ZCDP, "uninstall", timeout=180)
    left = [name for name in kit.kubectl("get", KINDS, "-o", "name").split() if "zcdp" in name]
    kit.check("nothing of zcdp is left", not left, (left, done.stderr[-400:]))
    labels = [label for n in kit.get("nodes") for label in n["metadata"]["labels"] if "zcdp" in label]
    kit.check("no label on a node", not labels, labels)
    for node in kit.get("nodes"):
        name = node["metadata"]["name"]
        find = "cd /var/lib/zcdp && find cas snapshots partial staging -type f"
        data = kit.in_node(name, "sh", "-c", find).stdout.split()
        kit.check(f"no data on {name}", not data, data)
    kit.install()
    kit.check("and it can be installed again", bool(kit.get("daemonset", "zcdp-agent", "zcdp-system")))
