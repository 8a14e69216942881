"""Every type of StorageBackend on its own server: pods read from it, wrong credentials name themselves and heal."""

from tests.cluster.kit import HOST, beside_others
from tests.support import stores
from tests.support.hub import Hub
from tests.support.oss_server import REGION, Oss


def _secret(kit, scene, **keys):
    kit.kubectl("-n", "zcdp-system", "delete", "secret", scene.ns, "--ignore-not-found")
    kit.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": scene.ns, "namespace": "zcdp-system"},
            "stringData": keys,
        }
    )


def _backend(scene, type, endpoint, **spec):
    backend = scene.backend_object(type=type, endpoint=endpoint, **spec)
    del backend["spec"]["pathStyle"]
    if type in ("http", "hf"):
        del backend["spec"]["bucket"]
    return backend


def _serves(kit, scene, store, backend, right, wrong, uri):
    content = b"the same from everywhere"
    store.put("set/x", content)
    store.put("set/y", b"beside it")
    _secret(kit, scene, **wrong)
    kit.apply(backend, scene.dataset_object("set"), scene.claim_object("set", app="w"), scene.pod_object("p", app="w"))
    kit.wait(
        "wrong credentials: the dataset's condition says AccessDenied",
        lambda: scene.condition("dataset", "set", "Listed").get("reason") == "AccessDenied",
    )
    kit.wait(
        "and so does the backend's",
        lambda: any(
            c["reason"] == "AccessDenied"
            for c in kit.get("storagebackend", scene.backend).get("status", {}).get("conditions", [])
        ),
    )
    _secret(kit, scene, **right)
    scene.running("p", 120)
    kit.check("the pod reads its bytes", scene.exec("p", "cat", "/data/x").stdout == content.decode())
    for name, named_uri in (("named", uri), ("one", uri + "x")):
        named = scene.dataset_object(name)
        named["spec"]["source"] = {"uri": named_uri}
        kit.apply(named, scene.claim_object(name), scene.pod_object(f"q-{name}", claim=name))
    for name, files in (("named", ["x", "y"]), ("one", ["x"])):
        scene.running(f"q-{name}", 90)
        kit.check(
            "a Dataset's uri finds the backend", scene.exec(f"q-{name}", "cat", "/data/x").stdout == content.decode()
        )
        kit.check(
            "a uri names a folder, or without a slash at its end one object",
            scene.exec(f"q-{name}", "ls", "/data").stdout.split() == files,
        )


@beside_others
def google_cloud_storage_serves_pods(kit, scene):
    store = stores.Gcs.start(kit, host=HOST).behind_a_door(kit, HOST)
    key = "GOOGLE_APPLICATION_CREDENTIALS_JSON"
    _serves(
        kit,
        scene,
        store,
        _backend(scene, "gcs", store.door.endpoint),
        {key: store.credentials},
        {key: store.wrong_credentials},
        "gs://data/set/",
    )


@beside_others
def azure_blob_storage_serves_pods(kit, scene):
    store = stores.Azure.start(kit, host=HOST)
    _serves(
        kit,
        scene,
        store,
        _backend(scene, "azure", store.endpoint, account=store.account),
        store.env,
        store.wrong_env,
        store.source("set/"),
    )


@beside_others
def a_web_server_serves_pods(kit, scene):
    store = stores.Nginx.start(kit, host=HOST, asks=True)
    _serves(
        kit, scene, store, _backend(scene, "http", store.endpoint), store.env, store.wrong_env, store.source("set/")
    )


@beside_others
def alibaba_oss_serves_pods(kit, scene):
    store = Oss(kit, {}, host=HOST)
    _serves(
        kit,
        scene,
        store,
        _backend(scene, "oss", store.endpoint, region=REGION),
        store.env,
        store.wrong_env,
        store.source("set/"),
    )


@beside_others
def a_hub_of_models_serves_pods(kit, scene):
    content = bytes(range(256)) * 40  # in LFS, which is on another host
    hub = Hub("models/org/tiny", {"config.json": b"{}", "model.safetensors": content}, token="hf_right", host=HOST)
    kit.closers.append(hub.close)
    _secret(kit, scene, HF_TOKEN="hf_wrong")
    kit.apply(
        _backend(scene, "hf", hub.endpoint),
        scene.dataset_object("tiny", "org/tiny@main/"),
        scene.claim_object("tiny"),
        scene.pod_object("p", claim="tiny"),
    )
    kit.wait(
        "a wrong token: the dataset's condition says AccessDenied",
        lambda: scene.condition("dataset", "tiny", "Listed").get("reason") == "AccessDenied",
    )
    _secret(kit, scene, HF_TOKEN="hf_right")
    scene.running("p", 120)
    kit.check(
        "the pod reads the model",
        scene.exec("p", "wc", "-c", "/data/model.safetensors").stdout.split()[0] == str(len(content)),
    )
    kit.check("the token did not go to the other host", not hub.leaked, hub.leaked)
    named = scene.dataset_object("named")
    named["spec"]["source"] = {"uri": "hf://org/tiny@main/"}
    kit.apply(named, scene.claim_object("named"), scene.pod_object("q", claim="named"))
    scene.running("q", 90)
