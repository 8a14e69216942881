"""Pods that wait for their data: none is refused by its kubelet, none waits for a label that cannot come, and each says why it waits."""

import json
import re
import signal
import time

from tests.cluster.kit import beside_others, run
from tests.support.harness import ZCDP

CPU = "1500m"  # of a node's two or more: with the system's own, one such pod a node


def _required(pod):
    return str(
        pod["spec"]
        .get("affinity", {})
        .get("nodeAffinity", {})
        .get("requiredDuringSchedulingIgnoredDuringExecution", "")
    )


def a_full_holder_is_no_dead_end_and_a_full_cluster_shows_an_autoscaler_what_it_needs(kit, scene):
    scene.write("set/", {"x": 300_000})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w", policy="Require"))

    def pod(name):
        made = scene.pod_object(name, app="w")
        made["spec"]["containers"][0]["resources"] = {"requests": {"cpu": CPU}}
        return made

    places = set()
    nodes = [n["metadata"]["name"] for n in kit.get("nodes")]
    for i in range(len(nodes)):
        kit.apply(pod(f"p{i}"))
        scene.running(f"p{i}", 90)
        places.add(scene.node_of(f"p{i}"))
        kit.check("it asked for the label", "d.zcdp.io/" in _required(scene.get("pod", f"p{i}")))
    kit.check("each is on a node of its own: a full holder got a replica beside it", len(places) == len(nodes), places)
    kit.apply(pod("more"))
    kit.wait("with all full the gate goes", lambda: not scene.get("pod", "more")["spec"].get("schedulingGates"))
    kit.check(
        "and the pod asks for no label of ours: a new node would do",
        "d.zcdp.io/" not in _required(scene.get("pod", "more")),
        _required(scene.get("pod", "more")),
    )
    kit.wait("the pod says so", lambda: scene.has_event("Pod", "more", "NoRoom"))
    kit.wait(
        "the scheduler says that it has no node",
        lambda: any(
            c["type"] == "PodScheduled" and c.get("reason") == "Unschedulable"
            for c in scene.get("pod", "more")["status"]["conditions"]
        ),
    )
    added = kit.join()
    try:
        scene.running("more", 120)
        kit.check("on the node that came", scene.node_of("more") == added, scene.node_of("more"))
        kit.check("with its data", scene.exec("more", "sh", "-c", "wc -c < /data/x").stdout.strip() == "300000")
        run("kubectl", "-n", scene.ns, "delete", "pod", "more", "--grace-period=0", "--force")
    finally:
        kit.retire(added)


@beside_others
def a_gated_pod_says_in_describe_what_it_waits_for(kit, scene):
    size = 60_000_000
    scene.write("set/", {"big": size})
    scene.stop_origin()
    kit.apply(
        scene.dataset_object("set"),
        scene.claim_object("set", app="w", policy="WaitForData"),
        scene.pod_object("p", app="w"),
    )

    def described():
        return run("kubectl", "-n", scene.ns, "describe", "pod", "p").stdout

    kit.wait(
        "the condition names claim, dataset and reason",
        lambda: (
            lambda c: (
                c.get("reason") == "OriginUnreachable"
                and c["status"] == "False"
                and "claim set, dataset set" in c["message"]
            )
        )(scene.condition("pod", "p", "zcdp.io/DataReady")),
        90,
    )
    kit.wait(
        "so does an event, and describe shows both",
        lambda: "OriginUnreachable" in described().split("Events:")[1] and "zcdp.io/DataReady" in described(),
        30,
    )
    kit.apply(
        scene.backend_object(limits={"bytesPerSecond": "1Mi", "connections": 2})
    )  # a minute: the percent is written each half
    scene.start_origin(scene.port)
    kit.wait(
        "then how far it is",
        lambda: re.search(
            r" [1-9]\d? percent of 57\.2 MiB", scene.condition("pod", "p", "zcdp.io/DataReady").get("message", "")
        ),
        120,
    )
    said = run(ZCDP, "explain", "pod", "p", "-n", scene.ns, check=False).stdout
    kit.check("zcdp explain knows it, too", "done" in said, said)
    scene.running("p", 120)
    kit.wait("and that it is there", lambda: scene.condition("pod", "p", "zcdp.io/DataReady").get("status") == "True")
    ours = [
        e
        for e in scene.events("Pod", "p")
        if e[1] in ("OriginUnreachable", "Listing", "Placing", "Syncing", "DataReady")
    ]
    kit.check("an event a reason, not one a look", len(ours) <= 6, ours)


@beside_others
def a_pod_whose_claim_or_dataset_is_not_there_says_which(kit, scene):
    scene.write("set/", {"x": 1_000})
    kit.apply(scene.claim_object("set", app="w", policy="Require"), scene.pod_object("p", app="w"))
    kit.wait(
        "an event on the pod names the Dataset",
        lambda: any(
            reason == "DatasetNotFound" and "no Dataset set" in message
            for _, reason, message in scene.events("Pod", "p")
        ),
    )
    kit.apply(scene.dataset_object("set"))
    scene.running("p", 60)


def _nested(scene, name, app):
    pod = scene.pod_object(
        name,
        app=app,
        command="echo 1 > /data/cache/mine && sleep 1000000",
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "scratch", "mountPath": "/data/cache"}]
    return pod


@beside_others
def a_mount_inside_the_read_only_one_is_named_with_both_paths_and_works_where_the_folder_is(kit, scene):
    scene.write("without/", {"x": 1_000})
    scene.write("with/", {"x": 1_000, "cache/readme": b"a place"})
    kit.apply(
        scene.dataset_object("without"),
        scene.claim_object("without", app="without"),
        scene.dataset_object("with"),
        scene.claim_object("with", app="with"),
    )
    made = run("kubectl", "apply", "-f", "-", stdin=json.dumps(_nested(scene, "bad", "without")))
    kit.check(
        "kubectl shows a warning with both paths",
        "Warning" in made.stderr and "/data/cache" in made.stderr and "/data," in made.stderr,
        made.stderr,
    )

    def told():
        return next((m for _, r, m in scene.events("Pod", "bad") if r == "FailedMount" and "/data/cache" in m), "")

    message = kit.wait("the pod's event names both, and what to change", told, 60)
    kit.check(
        "volume, claim and folder",
        "volume scratch" in message
        and "claim without" in message
        and "no folder cache" in message
        and "mount scratch elsewhere" in message,
        message,
    )

    def explained():
        said = run(ZCDP, "explain", "pod", "bad", "-n", scene.ns, check=False).stdout
        return "/data/cache" in said and "claim without" in said

    kit.wait("zcdp explain says the same, once the node has reported its transfer", explained, 20)
    kit.apply(_nested(scene, "good", "with"))
    scene.running("good")
    kit.check(
        "where the folder is, the pod writes into its own volume there",
        scene.exec("good", "cat", "/data/cache/mine").stdout == "1\n",
    )
    kit.check("and the data is around it", scene.exec("good", "sh", "-c", "wc -c < /data/x").stdout.strip() == "1000")


@beside_others
def a_pod_without_the_container_that_a_wide_claim_names_is_made_without_the_data(kit, scene):
    scene.write("set/", {"x": 1_000})
    kit.apply(scene.dataset_object("set"))
    claim = scene.claim_object("wide", dataset="set", containers=["train"], policy="WaitForData")
    claim["spec"]["podSelector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    kit.apply(claim, scene.pod_object("other", app="anything"))
    scene.running("other", 30)
    kit.check("it has no volume of ours", "zcdp" not in str(scene.get("pod", "other")["spec"]["volumes"]))
    kit.wait(
        "the claim says whom it passed over",
        lambda: (lambda c: c.get("reason") == "PodsPassedOver" and c["message"].endswith(": other"))(
            scene.condition("datasetclaim", "wide", "Bound")
        ),
    )
    said = run(ZCDP, "explain", "pod", "other", "-n", scene.ns, check=False).stdout
    kit.check("zcdp explain says why", "none of the containers" in said and "wide" in said, said)
    train = scene.pod_object("train", app="anything")
    train["spec"]["containers"][0]["name"] = "train"
    kit.apply(train)
    scene.running("train", 60)
    kit.check("one that has it gets the data", scene.exec("train", "ls", "/data").stdout.split() == ["x"])


def a_data_disk_that_comes_back_empty_is_filled_again(kit, scene):
    scene.write("set/", {"x": 2_000_000})
    kit.apply(
        scene.dataset_object("set"),
        scene.claim_object("set", app="w", policy="Require"),
        scene.pod_object("p", app="w"),
    )
    scene.running("p", 60)
    node = scene.node_of("p")
    want = scene.exec("p", "sha256sum", "/data/x").stdout
    scene.delete("pod", "p")
    kit.wait("nothing is mounted", lambda: not kit.mounted(node))
    before = scene.object_bytes()
    kit.signal_zcdp(node, signal.SIGSTOP, "agent")
    kit.in_node(node, "sh", "-c", "rm -rf /var/lib/zcdp/*")
    kit.signal_zcdp(node, signal.SIGKILL, "agent")
    kit.wait("the agent is back", lambda: kit.agent_ready(node), 90)
    kit.apply(scene.pod_object("again", app="w", node=node))
    scene.running("again", 90)
    kit.check("the same bytes", scene.exec("again", "sha256sum", "/data/x").stdout == want)
    kit.check("fetched anew", scene.object_bytes() - before == 2_000_000, scene.object_bytes() - before)


@beside_others
def daemon_sets_init_containers_and_native_sidecars_see_the_data(kit, scene):
    scene.write("set/", {"x": b"content\n"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w", policy="WaitForData"))
    template = scene.pod_object("t", app="w")
    container = template["spec"]["containers"][0]
    template["spec"].pop("restartPolicy")
    template["spec"]["initContainers"] = [
        {**container, "name": "first", "command": ["sh", "-c", "cat /data/x"]},
        {
            **container,
            "name": "beside",
            "restartPolicy": "Always",
            "command": ["sh", "-c", "cat /data/x; sleep 1000000"],
        },
    ]
    kit.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "all", "namespace": scene.ns},
            "spec": {
                "selector": {"matchLabels": {"app": "w"}},
                "template": {"metadata": {"labels": {"app": "w"}}, "spec": template["spec"]},
            },
        }
    )
    count = len(kit.get("nodes"))
    pods = kit.wait(
        "a pod a node runs",
        lambda: (lambda all: all if len(all) == count and _all_run(all) else None)(scene.get("pods")),
        120,
    )
    name = pods[0]["metadata"]["name"]
    for one in ("first", "beside"):
        kit.wait(
            f"container {one} has read it",
            lambda: kit.kubectl("-n", scene.ns, "logs", name, "-c", one) == "content\n",
            20,
        )
    kit.kubectl("-n", scene.ns, "delete", "daemonset", "all", "--wait=true")
    kit.wait("and the pods go", lambda: not scene.get("pods"), 60)


def _all_run(pods):
    return all(pod["status"].get("phase") == "Running" for pod in pods)


@beside_others
def a_dataset_made_again_under_its_name_shows_its_new_content(kit, scene):
    scene.write("old/", {"x": b"old"})
    scene.write("new/", {"x": b"new content"})
    kit.apply(
        scene.dataset_object("set", "old/"),
        scene.claim_object("set", app="w", policy="Require"),
        scene.pod_object("p", app="w"),
    )
    scene.running("p", 60)
    scene.delete("pod", "p")
    scene.delete("dataset", "set")
    kit.apply(scene.dataset_object("set", "new/"), scene.pod_object("q", app="w"))
    scene.running("q", 60)
    kit.check("the new one's", scene.exec("q", "cat", "/data/x").stdout == "new content")


@beside_others
def finished_jobs_hold_nothing_and_a_namespace_goes_whole(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w", policy="WaitForData"))
    pod = scene.pod_object("t", app="w", command="cat /data/x")
    kit.apply(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "job", "namespace": scene.ns},
            "spec": {"template": {"metadata": {"labels": {"app": "w"}}, "spec": pod["spec"]}},
        }
    )
    kit.wait("the job is done", lambda: scene.get("job", "job")["status"].get("succeeded") == 1, 90)
    kit.wait(
        "its pod holds nothing",
        lambda: (
            not scene.held("set")[0]["status"].get("pods")
            and not scene.get("datasetclaim", "set")["status"].get("pods")
        ),
    )
    kit.apply(scene.pod_object("p", app="w"))
    scene.running("p", 60)
    began = time.monotonic()
    kit.kubectl("delete", "ns", scene.ns, "--wait=true", "--timeout=90s")
    kit.check(
        f"the namespace is gone with pod, claim and dataset ({time.monotonic() - began:.0f} s)",
        not kit.get("ns", scene.ns),
    )
    kit.wait("and so are its NodeDatasets", lambda: not scene.held(), 30)
