"""What zcdp set up is kept up: somebody changes or deletes it, and within 30 s it is as it has to be."""

import base64
import json
import time

from tests.cluster.kit import is_ready, run

HOOK, SYSTEM = "mutatingwebhookconfiguration", "zcdp-system"


def _hook(kit):
    found = kit.get(HOOK, "zcdp")
    return found["webhooks"][0] if found and found.get("webhooks") else None


def _bundle(kit):
    return (_hook(kit) or {}).get("clientConfig", {}).get("caBundle", "")


def _ca(kit):
    secret = kit.get("secret", "zcdp-controller-ca", SYSTEM)
    return (secret or {}).get("data", {}).get("ca.crt", "")


def _selected(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("first", app="w"))
    scene.running("first")


def _gets_its_data(kit, scene, pod):
    kit.apply(scene.pod_object(pod, app="w"))
    scene.running(pod)
    kit.check(f"pod {pod} has its data", scene.exec(pod, "cat", "/data/x", check=False).stdout == "1")


def _controllers(kit):
    return [p for p in kit.get("pods", ns=SYSTEM) if p["metadata"]["labels"].get("app") == "zcdp-controller"]


def _trusted_by_all(kit):
    """Whether each replica's certificate is one that the webhook's caBundle trusts."""
    bundle = kit.folder / "bundle.pem"
    bundle.write_bytes(base64.b64decode(_bundle(kit)))
    answers = []
    for pod in _controllers(kit):
        address = pod["status"].get("podIP")
        done = run(
            "curl",
            "-sS",
            "-o",
            "/dev/null",
            "--noproxy",
            "*",
            "--cacert",
            bundle,
            "--resolve",
            f"zcdp-controller.zcdp-system.svc:8443:{address}",
            "https://zcdp-controller.zcdp-system.svc:8443/",
            check=False,
        )
        answers.append(done.returncode)
    return len(answers) == 2 and not any(answers)


def an_emptied_ca_bundle_is_written_again_before_pods_miss_their_data(kit, scene):
    _selected(kit, scene)
    good = _bundle(kit)
    for what, change in {
        "emptied": [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": ""}],
        "taken out": [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}],
    }.items():
        kit.kubectl("patch", HOOK, "zcdp", "--type=json", "-p", json.dumps(change))
        kit.wait(f"{what}, it is there again", lambda: _bundle(kit) == good, 30)
    whole = kit.get(HOOK, "zcdp")
    whole["metadata"] = {"name": "zcdp", "labels": {"managed-by": "somebody"}}
    del whole["webhooks"][0]["clientConfig"]["caBundle"]
    whole["webhooks"][0]["timeoutSeconds"] = 5
    run("kubectl", "replace", "-f", "-", stdin=json.dumps(whole))
    kit.wait("after kubectl replace, too", lambda: _bundle(kit) == good, 30)
    kit.check("what people set there stays", _hook(kit)["timeoutSeconds"] == 5)
    _gets_its_data(kit, scene, "second")
    kit.kubectl(
        "patch",
        HOOK,
        "zcdp",
        "--type=json",
        "-p",
        json.dumps([{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 2}]),
    )


def what_zcdp_set_up_and_somebody_deletes_is_there_again(kit, scene):
    _selected(kit, scene)
    kept = [
        (HOOK, "zcdp", None),
        ("csidriver", "zcdp.io", None),
        ("clusterrole", "zcdp-agent", None),
        ("clusterrolebinding", "zcdp-agent", None),
        ("role", "zcdp-agent-secrets", SYSTEM),
        ("rolebinding", "zcdp-agent-secrets", SYSTEM),
        ("service", "zcdp-controller", SYSTEM),
        ("validatingadmissionpolicy", "zcdp-agent-own-node", None),
        ("validatingadmissionpolicybinding", "zcdp-agent-own-node", None),
        ("configmap", "zcdp-ca", SYSTEM),
        ("secret", "zcdp-controller-ca", SYSTEM),
    ]
    uids = {}
    for kind, name, ns in kept:
        uids[kind] = kit.get(kind, name, ns)["metadata"]["uid"]
        run("kubectl", "delete", kind, name, *(["-n", ns] if ns else []))
    for kind, name, ns in kept:
        kit.wait(
            f"{kind} {name}",
            lambda: (kit.get(kind, name, ns) or {}).get("metadata", {}).get("uid") not in (None, uids[kind]),
            30,
        )
    kit.wait("the webhook trusts the controllers", lambda: _trusted_by_all(kit), 30)
    role = [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
    kit.kubectl("-n", SYSTEM, "patch", "role", "zcdp-agent-secrets", "--type=merge", "-p", json.dumps({"rules": role}))
    kit.wait(
        "a right too many is taken away",
        lambda: all("resourceNames" in rule for rule in kit.get("role", "zcdp-agent-secrets", SYSTEM)["rules"]),
        30,
    )
    kit.kubectl("patch", "clusterrole", "zcdp-agent", "--type=merge", "-p", json.dumps({"rules": []}))
    kit.wait("one too few given back", lambda: len(kit.get("clusterrole", "zcdp-agent")["rules"] or []) > 3, 30)
    _gets_its_data(kit, scene, "second")


def the_ca_is_the_same_after_its_secret_was_deleted_under_running_controllers(kit, scene):
    _selected(kit, scene)
    ca, bundle = _ca(kit), _bundle(kit)
    kit.kubectl("-n", SYSTEM, "delete", "secret", "zcdp-controller-ca")
    kit.wait("its Secret is there again, the same CA", lambda: _ca(kit) == ca, 30)
    kit.kubectl(
        "-n", SYSTEM, "patch", "secret", "zcdp-controller-ca", "--type=json", "-p", '[{"op":"remove","path":"/data"}]'
    )
    kit.wait("emptied, too", lambda: _ca(kit) == ca, 30)
    kit.check("nobody was asked to trust another", _bundle(kit) == bundle)
    kit.check("both replicas serve with it", _trusted_by_all(kit))
    _gets_its_data(kit, scene, "second")


def a_ca_that_nobody_remembers_is_made_anew_and_both_replicas_serve_with_it(kit, scene):
    _selected(kit, scene)
    ca = _ca(kit)
    kit.kubectl("-n", SYSTEM, "scale", "deployment", "zcdp-controller", "--replicas=0")
    kit.wait("no controller", lambda: not _controllers(kit))
    kit.kubectl("-n", SYSTEM, "delete", "secret", "zcdp-controller-ca")
    kit.kubectl("-n", SYSTEM, "scale", "deployment", "zcdp-controller", "--replicas=2")
    kit.wait("controllers are back", lambda: len([p for p in _controllers(kit) if is_ready(p)]) == 2, 120)
    kit.wait("there is another CA", lambda: _ca(kit) not in ("", ca), 30)
    kit.wait("the webhook trusts both replicas", lambda: _trusted_by_all(kit), 30)
    kit.check("and still whoever was trusted before", base64.b64decode(ca) in base64.b64decode(_bundle(kit)))
    _gets_its_data(kit, scene, "second")


def a_pod_that_started_without_its_data_is_named_at_once(kit, scene):
    _selected(kit, scene)
    kit.apply(scene.dataset_object("other", "set/"), scene.claim_object("other", dataset="other", mountPath="/other"))
    selector = kit.get(HOOK, "zcdp")["webhooks"][0]["namespaceSelector"]
    away = {
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", SYSTEM, scene.ns]}
        ]
    }
    kit.kubectl(
        "patch",
        HOOK,
        "zcdp",
        "--type=json",
        "-p",
        json.dumps([{"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": away}]),
    )
    time.sleep(2)  # API servers take a moment to hear of it
    late = scene.claim_object("late", dataset="set", app="l", mountPath="/late")
    beside = scene.pod_object("beside", app="w", claim="other")  # has one claim's data and misses another's
    beside["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] = "/other"
    kit.apply(beside, late, scene.pod_object("same-second", app="l"))
    for claim, pod in {"set": "beside", "late": "same-second"}.items():
        kit.wait(
            f"claim {claim} names pod {pod}",
            lambda: (
                scene.condition("datasetclaim", claim, "Bound").get("reason") == "PodsMissed"
                and pod in scene.condition("datasetclaim", claim, "Bound")["message"]
            ),
            5,
        )
        kit.wait("an event says it", lambda: scene.has_event("DatasetClaim", claim, "PodsMissed"), 5)
    kit.kubectl(
        "patch",
        HOOK,
        "zcdp",
        "--type=json",
        "-p",
        json.dumps([{"op": "replace", "path": "/webhooks/0/namespaceSelector", "value": selector}]),
    )
    for pod in ("beside", "same-second"):
        scene.delete("pod", pod)
    kit.wait(
        "and no longer when they are gone",
        lambda: scene.condition("datasetclaim", "set", "Bound").get("status") == "True",
        10,
    )
