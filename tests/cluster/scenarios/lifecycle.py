"""Refresh, rollback, eviction, deletion: what goes, what stays, and who holds it."""

import time

from tests.cluster.kit import beside_others


@beside_others
def a_refresh_makes_a_new_snapshot_while_the_old_one_stays_mounted(kit, scene):
    scene.write("set/", {"x": b"old"})
    kit.apply(
        scene.dataset_object("set", refresh={"interval": "2s"}),
        scene.claim_object("set", app="w"),
        scene.pod_object("old", app="w"),
    )
    scene.running("old")
    kit.wait("the first snapshot is known", lambda: scene.dataset("set").get("snapshot"))
    first = scene.dataset("set")["snapshot"]
    scene.write("set/", {"x": b"new content"})
    kit.wait(
        "new pods will see another revision", lambda: scene.dataset("set").get("snapshot") not in (None, "", first), 60
    )
    kit.apply(scene.pod_object("new", app="w"))
    scene.running("new")
    kit.check("the old pod reads the old bytes", scene.exec("old", "cat", "/data/x").stdout == "old")
    kit.check("the new one the new ones", scene.exec("new", "cat", "/data/x").stdout == "new content")
    kit.kubectl(
        "-n",
        scene.ns,
        "patch",
        "dataset",
        "set",
        "--type=merge",
        "-p",
        '{"spec":{"snapshot":"%s","refresh":{"interval":"1h"}}}' % first,
    )
    kit.wait("rolled back", lambda: scene.dataset("set").get("snapshot") == first)
    kit.apply(scene.pod_object("back", app="w", node=scene.node_of("old")))
    scene.running("back")
    kit.check("a pod after the rollback reads the old bytes", scene.exec("back", "cat", "/data/x").stdout == "old")


@beside_others
def a_dataset_in_use_is_held_by_its_finalizer_and_says_by_whom(kit, scene):
    scene.write("set/", {"x": scene.ns.encode()})  # nobody else's bytes: they are to go
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    scene.running("p")
    scene.delete("dataset", "set", wait=False)
    scene.delete("datasetclaim", "set", wait=False)
    kit.wait(
        "the dataset says who holds it",
        lambda: "/p " in scene.condition("dataset", "set", "Ready").get("message", "") + " ",
    )
    kit.wait(
        "the claim says who holds it", lambda: "p" in scene.condition("datasetclaim", "set", "Ready").get("message", "")
    )
    kit.check("the pod reads on", scene.exec("p", "cat", "/data/x").stdout == scene.ns)
    kit.wait("the agent says which snapshot", lambda: scene.ready_nodes("set"))
    node, snapshot = scene.node_of("p"), scene.held("set")[0]["status"]["snapshot"]
    scene.delete("pod", "p")
    kit.wait("then both go", lambda: not scene.get("dataset", "set") and not scene.get("datasetclaim", "set"))
    kit.check(
        "and so do the bytes",
        kit.in_node(node, "test", "-e", f"/var/lib/zcdp/snapshots/{snapshot}", check=False).returncode != 0,
    )


@beside_others
def a_ttl_counts_from_the_last_unmount(kit, scene):
    scene.write("set/", {"x": scene.ns.encode()})
    kit.apply(
        scene.dataset_object("set", retention={"ttl": "4s"}),
        scene.claim_object("set", app="w"),
        scene.pod_object("p", app="w"),
    )
    scene.running("p")
    time.sleep(6)
    kit.check("not while it is mounted", scene.ready_nodes("set") != [])
    scene.delete("pod", "p")
    kit.wait("gone soon after", lambda: scene.held("set") == [], 40)


@beside_others
def dataset_claim_and_pod_in_one_apply_with_the_longest_names(kit, scene):
    name = "n" * 120 + ".example." + "m" * 124
    scene.write("set/", {"x": b"1"})
    pod = "q" * 140  # kubelet itself makes a folder of namespace, name and uid
    kit.apply(
        scene.dataset_object(name, "set/"),
        scene.claim_object(name, dataset=name, app="w"),
        scene.pod_object(pod, app="w"),
    )
    scene.running(pod)
    kit.wait("the dataset is Ready", lambda: scene.dataset(name).get("phase") == "Ready")
