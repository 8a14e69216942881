"""Where pods go, and what is fetched for them."""

import time

from tests.cluster.kit import beside_others


def _fill(kit, scene, name="set", size=3_000_000, **spec):
    scene.write(f"{name}/", {"x": size})
    kit.apply(scene.dataset_object(name, **spec))


@beside_others
def a_job_that_prefers_lands_on_the_holder_ten_of_ten(kit, scene):
    """The holder alternates; the preferred node is loaded with other pods, so that only the data speaks for it."""
    nodes = [n["metadata"]["name"] for n in kit.get("nodes")][:2]
    for turn in range(10):
        node, name = nodes[turn % 2], f"set{turn}"
        _fill(kit, scene, name, 100_000)
        kit.apply(scene.claim_object(name, app=name), scene.pod_object(f"seed{turn}", app=name, node=node))
        scene.running(f"seed{turn}")
        kit.wait("the node says that it has the data", lambda: _has_label(kit, scene, node, name))
        kit.apply(scene.pod_object(f"job{turn}", app=name))
        scene.running(f"job{turn}")
        kit.check(
            f"job {turn} runs on the holder, {node}", scene.node_of(f"job{turn}") == node, scene.node_of(f"job{turn}")
        )


def _has_label(kit, scene, node, dataset):
    from hashlib import sha256

    uid = (scene.get("dataset", dataset) or {})["metadata"]["uid"]
    label = "d.zcdp.io/" + sha256(uid.encode()).hexdigest()[:16]
    return kit.get("node", node)["metadata"]["labels"].get(label) == "ready"


@beside_others
def a_pod_that_waits_for_data_is_on_no_node_before_it_is_there(kit, scene):
    scene.write("set/", {"x": 1_000_000})
    scene.stop_origin()
    kit.apply(
        scene.dataset_object("set"),
        scene.claim_object("set", app="w", policy="WaitForData"),
        scene.pod_object("p", app="w"),
    )
    pod = scene.get("pod", "p")
    kit.check(
        "the pod is gated",
        pod["spec"].get("schedulingGates") == [{"name": "zcdp.io/data"}],
        pod["spec"].get("schedulingGates"),
    )
    kit.wait(
        "the dataset says why it is not there",
        lambda: scene.condition("dataset", "set", "Listed").get("reason") == "OriginUnreachable",
    )
    time.sleep(3)
    kit.check("it is on no node", scene.node_of("p") is None)
    scene.start_origin(scene.port)
    scene.running("p", 90)
    kit.check("where the data is", [scene.node_of("p")] == scene.ready_nodes("set"), scene.ready_nodes("set"))
    kit.check(
        "its affinity asks for the label",
        "d.zcdp.io/"
        in str(
            scene.get("pod", "p")["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        ),
    )


def a_pod_whose_holders_are_full_gets_a_replica_elsewhere(kit, scene):
    _fill(kit, scene)
    kit.apply(scene.claim_object("set", app="w", policy="WaitForData"))
    kit.apply(scene.pod_object("first", app="w"))
    scene.running("first")
    holder = scene.node_of("first")
    run_cordon = kit.kubectl("cordon", holder)
    try:
        # Cordoned, the holder takes nobody: as full as can be.
        kit.apply(scene.pod_object("second", app="w"))
        scene.running("second", 90)
        kit.check("on another node", scene.node_of("second") != holder, run_cordon)
    finally:
        kit.kubectl("uncordon", holder)


@beside_others
def others_gates_and_affinities_stay_as_they_were(kit, scene):
    _fill(kit, scene)
    kit.apply(scene.claim_object("set", app="w", policy="WaitForData"))
    pod = scene.pod_object(
        "p",
        app="w",
        schedulingGates=[{"name": "example.com/other"}],
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node1"]}
                            ]
                        },
                        {
                            "matchExpressions": [
                                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node2"]}
                            ]
                        },
                    ]
                }
            },
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {
                        "weight": 1,
                        "podAffinityTerm": {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"a": "b"}},
                        },
                    }
                ]
            },
        },
    )
    kit.apply(pod)
    kit.wait(
        "only our gate has gone",
        lambda: scene.get("pod", "p")["spec"].get("schedulingGates") == [{"name": "example.com/other"}],
    )
    affinity = scene.get("pod", "p")["spec"]["affinity"]
    terms = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    kit.check(
        "every term asks for the label, and still for its own",
        len(terms) == 2
        and all(
            len(t["matchExpressions"]) == 2 and t["matchExpressions"][1]["key"].startswith("d.zcdp.io/") for t in terms
        ),
        terms,
    )
    kit.check("the rest of the affinity is untouched", "podAntiAffinity" in affinity)


@beside_others
def replicas_are_placed_ahead_of_any_pod_and_all_means_all(kit, scene):
    _fill(kit, scene, "two", placement={"replicas": 2})
    _fill(kit, scene, "all", placement={"replicas": "All"})
    kit.wait("two nodes have it", lambda: len(scene.ready_nodes("two")) == 2)
    kit.wait("all nodes have it", lambda: len(scene.ready_nodes("all")) == len(kit.get("nodes")))
    kit.wait(
        "status says so",
        lambda: scene.dataset("all").get("ready") == f"{len(kit.get('nodes'))}/{len(kit.get('nodes'))}",
    )


@beside_others
def require_waits_for_a_holder_and_several_claims_compose(kit, scene):
    _fill(kit, scene, "a")
    _fill(kit, scene, "b")
    kit.apply(
        scene.claim_object("a", app="w", policy="Require", mountPath="/a"),
        scene.claim_object("b", app="w", policy="Prefer", mountPath="/b"),
    )
    kit.apply(scene.pod_object("p", app="w"))
    scene.running("p", 90)
    kit.check("both are there", scene.exec("p", "ls", "/a/x", "/b/x").stdout.split() == ["/a/x", "/b/x"])
