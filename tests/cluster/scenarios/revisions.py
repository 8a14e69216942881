"""A revision carries its source: what pods see stays whole on every node, whatever the spec's source says by then."""

import hashlib
import json

from tests.cluster.kit import beside_others


def _edit(kit, scene, name, spec):
    kit.kubectl("-n", scene.ns, "patch", "dataset", name, "--type=merge", "-p", json.dumps({"spec": spec}))


def _versioned(kit, scene, **source):
    """v1 on one node, read by a pod there; the name of another node."""
    scene.write("set/v1/", {"x": b"first", "sub/y": 3_000_000})
    dataset = scene.dataset_object("set", "set/")
    dataset["spec"]["source"].update(version="v1", **source)
    kit.apply(dataset, scene.claim_object("set", app="w"), scene.pod_object("p1", app="w"))
    scene.running("p1")
    kit.wait(
        "the dataset is Ready",
        lambda: scene.dataset("set").get("phase") == "Ready" and scene.dataset("set").get("snapshot"),
    )
    return next(n["metadata"]["name"] for n in kit.get("nodes") if n["metadata"]["name"] != scene.node_of("p1"))


def _restart_controllers(kit):
    old = {
        p["metadata"]["name"]
        for p in kit.get("pods", ns="zcdp-system")
        if p["metadata"]["labels"].get("app") == "zcdp-controller"
    }
    kit.kubectl("-n", "zcdp-system", "delete", "pods", "-l", "app=zcdp-controller", "--grace-period=1", "--wait=true")
    kit.wait(
        "other controllers lead",
        lambda: kit.get("lease", "zcdp-controller", "zcdp-system")["spec"]["holderIdentity"] not in old | {""},
        90,
    )


def a_version_that_is_not_there_leaves_the_present_one_whole_on_nodes_that_join(kit, scene):
    elsewhere = _versioned(kit, scene, exclude=["nothing/**"])
    first = scene.dataset("set")["snapshot"]
    _edit(kit, scene, "set", {"source": {"version": "v22", "exclude": ["other/**"]}})
    kit.wait(
        "Degraded names the prefix that is wrong",
        lambda: (
            "set/v22/" in scene.condition("dataset", "set", "Degraded").get("message", "")
            and scene.condition("dataset", "set", "Degraded")["status"] == "True"
        ),
    )
    kit.check(
        "with the reason",
        scene.condition("dataset", "set", "Degraded")["reason"] == "NotFound",
        scene.condition("dataset", "set", "Degraded"),
    )
    kit.check("it is Ready all the same", scene.dataset("set")["phase"] == "Ready", scene.dataset("set"))
    kit.apply(scene.pod_object("p2", app="w", node=elsewhere))
    scene.running("p2")
    kit.check("a pod on another node reads the present version", scene.exec("p2", "cat", "/data/x").stdout == "first")
    _restart_controllers(kit)  # which have no listing of v1 any more
    third = next(
        n["metadata"]["name"] for n in kit.get("nodes") if n["metadata"]["name"] not in (scene.node_of("p1"), elsewhere)
    )
    pod = scene.pod_object("p3", app="w", node=third)
    # A leader is there before its webhook is reached, and a pod made in between would start without the data.
    kit.wait("the webhook is reached again", lambda: kit.would_mount(pod))
    kit.apply(pod)
    scene.running("p3")
    kit.check("also after the controllers have restarted", scene.exec("p3", "cat", "/data/x").stdout == "first")
    kit.check(
        "all of one snapshot",
        {n["status"]["snapshot"] for n in scene.held("set") if n.get("status", {}).get("snapshot")} == {first},
        scene.held("set"),
    )
    kit.check(
        "and from its own folder",
        {n["spec"]["source"]["prefix"] for n in scene.held("set")} == {"set/v1/"},
        scene.held("set"),
    )
    scene.write("set/v22/", {"x": b"second"})
    kit.wait(
        "once the folder is there, it takes over",
        lambda: (
            scene.dataset("set").get("snapshot") not in ("", first)
            and scene.condition("dataset", "set", "Degraded").get("status") == "False"
        ),
        90,
    )
    kit.apply(scene.pod_object("p4", app="w", node=third))
    scene.running("p4")
    kit.check("and new pods read it", scene.exec("p4", "cat", "/data/x").stdout == "second")
    kit.check("old ones what they had", scene.exec("p3", "cat", "/data/x").stdout == "first")


@beside_others
def a_backend_that_is_not_there_or_allows_no_longer_is_told(kit, scene):
    elsewhere = _versioned(kit, scene)
    _edit(kit, scene, "set", {"source": {"backend": "no-such-backend"}})
    kit.wait(
        "Degraded names it", lambda: scene.condition("dataset", "set", "Degraded").get("reason") == "BackendNotFound"
    )
    kit.apply(scene.pod_object("p2", app="w", node=elsewhere))
    scene.running("p2")
    kit.check("the present version goes on", scene.exec("p2", "cat", "/data/x").stdout == "first")
    kit.apply(scene.backend_object(allowedNamespaces=["somebody-else"]))
    third = next(
        n["metadata"]["name"] for n in kit.get("nodes") if n["metadata"]["name"] not in (scene.node_of("p1"), elsewhere)
    )
    asked = scene.object_bytes()
    kit.apply(scene.pod_object("p3", app="w", node=third))
    kit.wait(
        "no node gets more from a backend that does not allow the namespace any more",
        lambda: (
            "no longer allows namespace " + scene.ns in scene.condition("dataset", "set", "Degraded").get("message", "")
        ),
    )
    kit.check("not a byte", scene.object_bytes() == asked and scene.phase("p3") != "Running")
    kit.apply(scene.backend_object())
    scene.running("p3", 150)


@beside_others
def going_back_works_on_a_node_that_never_held_it(kit, scene):
    elsewhere = _versioned(kit, scene)
    first = scene.dataset("set")["snapshot"]
    scene.write("set/v2/", {"x": b"second"})
    _edit(kit, scene, "set", {"source": {"version": "v2"}, "retention": {"keepSnapshots": 0}})
    kit.wait("v2 takes over", lambda: scene.dataset("set").get("snapshot") not in ("", first))
    second = scene.dataset("set")["snapshot"]
    scene.delete("pod", "p1")
    kit.wait(
        "v1 is on no node", lambda: all(n.get("status", {}).get("snapshot") != first for n in scene.held("set")), 90
    )
    kit.apply(scene.pod_object("p2", app="w", node=elsewhere))
    scene.running("p2")
    _edit(kit, scene, "set", {"snapshot": first})
    kit.wait("new pods see v1 again", lambda: scene.dataset("set").get("snapshot") == first)
    kit.apply(scene.pod_object("back", app="w", node=elsewhere))
    scene.running("back")
    kit.check("with its bytes, from its folder", scene.exec("back", "cat", "/data/x").stdout == "first")
    kit.check("who had v2 has it still", scene.exec("p2", "cat", "/data/x").stdout == "second")
    (scene.folder / "set/v2/x").unlink()
    _edit(kit, scene, "set", {"snapshot": second})
    kit.wait("and forward again, from the node that has it", lambda: scene.dataset("set").get("snapshot") == second)


def an_object_that_was_told_a_wrong_prefix_is_sent_to_its_own(kit, scene):
    """As an older controller left it: v1's revision below v22's prefix, and a history that says where only as one text."""
    elsewhere = _versioned(kit, scene)
    _edit(kit, scene, "set", {"source": {"version": "v22"}})
    kit.wait("v22 is not there", lambda: scene.condition("dataset", "set", "Degraded").get("reason") == "NotFound")
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=0")
    kit.wait(
        "no controller",
        lambda: (
            not [
                p for p in kit.get("pods", ns="zcdp-system") if p["metadata"]["labels"].get("app") == "zcdp-controller"
            ]
        ),
    )
    status = scene.dataset("set")
    old = [
        {k: v for k, v in one.items() if k not in ("backend", "prefix", "include", "exclude")}
        for one in status["history"]
    ]
    kit.kubectl(
        "-n",
        scene.ns,
        "patch",
        "dataset",
        "set",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": {"history": old}}),
    )
    wrong = json.loads(json.dumps(scene.held("set")[0]))
    kit.apply(scene.pod_object("p2", claim="set", node=elsewhere))
    node = kit.get("node", elsewhere)
    name = (
        "nd-"
        + hashlib.sha256(
            f"{elsewhere}\0{wrong['spec']['dataset']['uid']}\0{wrong['spec']['revision']}".encode()
        ).hexdigest()[:32]
    )
    wrong["metadata"] = {
        "name": name,
        "finalizers": wrong["metadata"]["finalizers"],
        "labels": {**wrong["metadata"]["labels"], "zcdp.io/node": hashlib.sha256(elsewhere.encode()).hexdigest()[:16]},
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": elsewhere, "uid": node["metadata"]["uid"]}],
    }
    wrong["spec"]["node"] = elsewhere
    wrong["spec"]["source"]["prefix"] = "set/v22/"
    wrong.pop("status", None)
    kit.apply(wrong)
    kit.wait(
        "the node fails with it",
        lambda: any(
            n["spec"]["node"] == elsewhere and n.get("status", {}).get("phase") == "Failed" for n in scene.held("set")
        ),
    )
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=2")
    scene.running("p2", 120)
    kit.check("it reads the present version", scene.exec("p2", "cat", "/data/x").stdout == "first")
    kit.check(
        "the history says where", scene.dataset("set")["history"][0].get("prefix") == "set/v1/", scene.dataset("set")
    )
