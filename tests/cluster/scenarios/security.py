"""Who may do what: each ServiceAccount against the real API server; what an agent may write; what a pod may see."""

import json

from tests.cluster.kit import api_errors, beside_others, run

AGENT, CONTROLLER = "system:serviceaccount:zcdp-system:zcdp-agent", "system:serviceaccount:zcdp-system:zcdp-controller"
# who, verb, resource[/subresource][:name], namespace, allowed
MATRIX = [
    (AGENT, "get list watch patch", "nodedatasets.zcdp.io", "", True),
    (AGENT, "create delete deletecollection update", "nodedatasets.zcdp.io", "", False),
    (AGENT, "update patch", "nodedatasets.zcdp.io/status", "", True),
    (AGENT, "get", "datasets.zcdp.io", "default", True),
    (AGENT, "get", "datasetclaims.zcdp.io", "default", True),
    (AGENT, "get", "storagebackends.zcdp.io", "", True),
    (AGENT, "list watch create patch delete", "datasets.zcdp.io", "default", False),
    (AGENT, "update patch", "datasets.zcdp.io/status", "default", False),
    (AGENT, "list create patch delete", "datasetclaims.zcdp.io", "default", False),
    (AGENT, "list patch create", "storagebackends.zcdp.io", "", False),
    (AGENT, "get", "pods", "default", True),
    (AGENT, "list watch create patch delete", "pods", "default", False),
    (AGENT, "create", "pods/exec", "default", False),
    (AGENT, "get list patch", "nodes", "", False),
    (AGENT, "create patch", "events", "default", True),
    (AGENT, "get", "configmaps:zcdp-ca", "zcdp-system", True),
    (AGENT, "get", "configmaps:another", "zcdp-system", False),
    (AGENT, "get", "secrets:zcdp-controller-ca", "zcdp-system", False),
    (AGENT, "list watch create update", "secrets", "zcdp-system", False),
    (AGENT, "get list", "secrets", "default", False),
    (AGENT, "create", "tokenreviews.authentication.k8s.io", "", False),
    (AGENT, "get update", "leases.coordination.k8s.io", "zcdp-system", False),
    (AGENT, "update patch", "roles.rbac.authorization.k8s.io", "zcdp-system", False),
    (AGENT, "patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", False),
    (CONTROLLER, "get list watch create patch delete", "nodedatasets.zcdp.io", "", True),
    (CONTROLLER, "get list watch patch", "datasets.zcdp.io", "default", True),
    (CONTROLLER, "create delete", "datasets.zcdp.io", "default", False),
    (CONTROLLER, "update", "datasetclaims.zcdp.io/status", "default", True),
    (CONTROLLER, "create delete patch", "storagebackends.zcdp.io", "", False),
    (CONTROLLER, "get list watch patch", "pods", "default", True),
    (CONTROLLER, "create delete", "pods", "default", False),
    (CONTROLLER, "create", "pods/exec", "default", False),
    (CONTROLLER, "get list watch patch", "nodes", "", True),
    (CONTROLLER, "create delete", "nodes", "", False),
    (CONTROLLER, "get", "secrets", "zcdp-system", True),
    (CONTROLLER, "get list", "secrets", "default", False),
    (CONTROLLER, "get create update", "leases.coordination.k8s.io", "zcdp-system", True),
    (CONTROLLER, "get", "leases.coordination.k8s.io", "kube-system", False),
    (CONTROLLER, "patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io:zcdp", "", True),
    (
        CONTROLLER,
        "create patch delete",
        "mutatingwebhookconfigurations.admissionregistration.k8s.io:another",
        "",
        False,
    ),
    (CONTROLLER, "patch", "csidrivers.storage.k8s.io:zcdp.io", "", True),
    (CONTROLLER, "patch", "csidrivers.storage.k8s.io:another", "", False),
    (CONTROLLER, "patch", "clusterroles.rbac.authorization.k8s.io:zcdp-agent", "", True),
    (CONTROLLER, "patch escalate bind", "clusterroles.rbac.authorization.k8s.io:zcdp-controller", "", False),
    (CONTROLLER, "list watch", "secrets:zcdp-controller-ca", "zcdp-system", True),
    (CONTROLLER, "list watch", "secrets", "zcdp-system", False),
    (CONTROLLER, "patch", "services:another", "zcdp-system", False),
    (CONTROLLER, "update", "roles.rbac.authorization.k8s.io:zcdp-agent-secrets", "zcdp-system", True),
    (CONTROLLER, "update", "roles.rbac.authorization.k8s.io:another", "zcdp-system", False),
    (CONTROLLER, "create", "clusterrolebindings.rbac.authorization.k8s.io", "", False),
    ("system:serviceaccount:default:default", "get list", "datasets.zcdp.io", "default", False),
    ("system:serviceaccount:default:default", "get", "secrets", "zcdp-system", False),
]


def _review(kit, who, verb, resource, ns):
    resource, _, name = resource.partition(":")
    resource, _, sub = resource.partition("/")
    plural, _, group = resource.partition(".")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": who,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": plural,
                "subresource": sub,
                "name": name,
                "namespace": ns,
            },
        },
    }
    with api_errors():
        answer = kit.api.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return json.loads(answer)["status"].get("allowed", False)


@beside_others
def each_service_account_may_do_what_it_needs_and_no_more(kit, scene):
    cells = [
        (who, verb, resource, ns, allowed) for who, verbs, resource, ns, allowed in MATRIX for verb in verbs.split()
    ]
    wrong = [cell for cell in cells if _review(kit, *cell[:4]) != cell[4]]
    kit.check(f"{len(cells)} cells, each as it should be", not wrong and len(cells) >= 60, wrong)
    kit.wait(
        "the agent may read the Secret that a backend names",
        lambda: _review(kit, AGENT, "get", f"secrets:{scene.ns}", "zcdp-system"),
    )
    kit.kubectl("delete", "storagebackend", scene.backend)
    kit.wait(
        "and no longer when the backend is gone",
        lambda: not _review(kit, AGENT, "get", f"secrets:{scene.ns}", "zcdp-system"),
    )


@beside_others
def an_agent_writes_only_its_own_nodes_objects(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set", placement={"replicas": "All"}))
    kit.wait("every node has one", lambda: len(scene.ready_nodes("set")) == len(kit.get("nodes")))
    ready = scene.ready_nodes("set")  # pods of a node that is gone are listed for a while
    agent = next(
        p
        for p in kit.get("pods", ns="zcdp-system")
        if p["metadata"]["labels"].get("app") == "zcdp-agent" and p["spec"].get("nodeName") in ready
    )
    node = agent["spec"]["nodeName"]
    bound = run(
        "kubectl",
        "-n",
        "zcdp-system",
        "create",
        "token",
        "zcdp-agent",
        "--bound-object-kind=Pod",
        f"--bound-object-name={agent['metadata']['name']}",
    ).stdout.strip()
    loose = run("kubectl", "-n", "zcdp-system", "create", "token", "zcdp-agent").stdout.strip()
    cluster = json.loads(run("kubectl", "config", "view", "--raw", "-o", "json").stdout)["clusters"][0]["cluster"]
    own = next(n for n in scene.held("set") if n["spec"]["node"] == node)["metadata"]["name"]
    other = next(n for n in scene.held("set") if n["spec"]["node"] != node)["metadata"]["name"]
    ca = kit.folder / "ca.crt"
    run("sh", "-c", f"echo {cluster['certificate-authority-data']} | base64 -d > {ca}")

    def patch(token, name, sub, body):
        code = run(
            "curl",
            "-s",
            "-o",
            kit.folder / "answer",
            "-w",
            "%{http_code}",
            "--cacert",
            ca,
            "-X",
            "PATCH",
            "-H",
            f"Authorization: Bearer {token}",
            "-H",
            "Content-Type: application/merge-patch+json",
            "-d",
            json.dumps(body),
            f"{cluster['server']}/apis/zcdp.io/v1alpha1/nodedatasets/{name}{sub}",
        ).stdout
        return int(code)

    touch = {"status": {"progress": "99%"}}
    kit.check("its own: allowed", patch(bound, own, "/status", touch) == 200)
    kit.check(
        "another node's: refused",
        patch(bound, other, "/status", touch) in (403, 422),
        (kit.folder / "answer").read_text(),
    )
    kit.check("with a token that is bound to no node: refused", patch(loose, own, "/status", touch) in (403, 422))
    kit.check("it cannot take an object over", patch(bound, own, "", {"spec": {"node": "elsewhere"}}) in (403, 422))


@beside_others
def a_namespace_that_enforces_restricted_takes_such_pods(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.kubectl("label", "ns", scene.ns, "pod-security.kubernetes.io/enforce=restricted")
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"))
    pod = scene.pod_object(
        "p",
        app="w",
        securityContext={"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
    )
    pod["spec"]["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    kit.apply(pod)
    scene.running("p")
    kit.check("and they read", scene.exec("p", "cat", "/data/x").stdout == "1")


@beside_others
def an_endpoint_may_not_reach_the_node_or_a_metadata_service(kit, scene):
    for endpoint in ("http://127.0.0.1:10256", "http://169.254.169.254", "http://[::1]:8080"):
        kit.apply(scene.backend_object(endpoint=endpoint), scene.dataset_object(f"d{abs(hash(endpoint)) % 1000}", "x/"))
    name = f"d{abs(hash('http://127.0.0.1:10256')) % 1000}"
    kit.wait(
        "refused, and said", lambda: "not allowed" in scene.condition("dataset", name, "Listed").get("message", "")
    )


def the_webhook_away_costs_pods_nothing_and_is_told(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set", app="w"))
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=0")
    kit.wait(
        "no controller",
        lambda: (
            not [
                p for p in kit.get("pods", ns="zcdp-system") if p["metadata"]["labels"].get("app") == "zcdp-controller"
            ]
        ),
    )
    kit.apply(scene.pod_object("missed", app="w"))
    scene.running("missed")
    kit.kubectl("-n", "zcdp-system", "scale", "deployment", "zcdp-controller", "--replicas=2")
    kit.wait(
        "the claim names the pod that was missed",
        lambda: "missed" in scene.condition("datasetclaim", "set", "Bound").get("message", ""),
        90,
    )
    kit.wait(
        "the webhook serves again",
        lambda: (
            kit.refused(
                {
                    **scene.pod_object("probe", app="w"),
                    "spec": {
                        **scene.pod_object("probe", app="w")["spec"],
                        "volumes": [
                            {
                                "name": "v",
                                "csi": {"driver": "zcdp.io", "readOnly": False, "volumeAttributes": {"claim": "set"}},
                            }
                        ],
                    },
                }
            )
            != ""
            or scene.delete("pod", "probe")
        ),
        60,
    )
