"""A pod names a claim and finds its data: by selector, by an inline volume, read-only, the store's own inodes."""

from hashlib import sha256

from tests.cluster.kit import beside_others


@beside_others
def a_selected_pod_finds_the_dataset_and_a_second_one_costs_nothing(kit, scene):
    scene.write("llama/", {"model.bin": 20_000_000, "a/b/c.txt": b"deep", "empty": b""})
    kit.apply(
        scene.dataset_object("llama"),
        scene.claim_object("llama", app="train"),
        scene.pod_object("first", app="train", command="cat /data/a/b/c.txt; sha256sum /data/model.bin; sleep 1000000"),
    )
    scene.running("first")
    log = kit.wait(
        "the pod has read its data", lambda: scene.logs("first") if "model.bin" in scene.logs("first") else ""
    )
    kit.check("a file deep in the tree", log.startswith("deep"))
    kit.check("byte for byte", sha256((scene.folder / "llama/model.bin").read_bytes()).hexdigest() in log)
    before = scene.object_bytes()
    kit.wait("the dataset is Ready", lambda: scene.dataset("llama").get("phase") == "Ready")
    kit.apply(scene.pod_object("second", app="train"))
    scene.running("second")
    kit.check(
        "the second pod is where the data is",
        scene.node_of("second") == scene.node_of("first"),
        scene.node_of("second"),
    )
    kit.check("and cost the origin nothing", scene.object_bytes() == before, scene.object_bytes() - before)
    status = scene.dataset("llama")
    kit.check(
        "status says how much, and from where",
        status["bytes"] == 20_000_004 and status["originBytes"] == 20_000_004 and status["ready"] == "1/1",
        status,
    )


@beside_others
def an_inline_volume_is_the_same_mount_with_the_stores_own_inodes(kit, scene):
    scene.write("set/", {"x": b"content", "sub/y": b"below"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("p", claim="set"))
    scene.running("p")
    inside = scene.exec("p", "stat", "-c", "%d %i", "/data/x").stdout.strip()
    node = scene.node_of("p")
    kit.wait("the agent says which snapshot", lambda: scene.ready_nodes("set"))
    snapshot = scene.held("set")[0]["status"]["snapshot"]
    outside = kit.in_node(node, "stat", "-c", "%d %i", f"/var/lib/zcdp/snapshots/{snapshot}/tree/x").stdout.strip()
    kit.check(
        "equal device and inode: nothing is between the pod and the disk", inside == outside, f"{inside} and {outside}"
    )


@beside_others
def nothing_can_be_written_through_the_mount_even_by_root(kit, scene):
    scene.write("set/", {"x": b"content"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"), scene.pod_object("p", claim="set"))
    scene.running("p")
    for what, command in {
        "open for writing": "echo z > /data/x",
        "make a file": "touch /data/new",
        "make a device": "mknod /data/dev c 1 3",
        "hard link": "ln /data/x /data/l",
        "link out of it": "ln /data/x /tmp/l",
        "rename": "mv /data/x /data/y",
        "remove": "rm /data/x",
        "chmod": "chmod 777 /data/x",
        "chattr": "chattr +i /data/x",
        "truncate": "truncate -s 0 /data/x",
        "mkdir": "mkdir /data/d",
    }.items():
        kit.check(f"{what} fails", scene.exec("p", "sh", "-c", command, check=False).returncode != 0)
    kit.check("and nothing changed", scene.exec("p", "cat", "/data/x").stdout == "content")


@beside_others
def a_sub_path_shows_a_folder_of_the_dataset(kit, scene):
    scene.write("set/", {"train/a": b"1", "test/b": b"2"})
    kit.apply(
        scene.dataset_object("set"),
        scene.claim_object("train", dataset="set", app="t", subPath="train", mountPath="/input"),
        scene.pod_object("p", app="t"),
    )
    scene.running("p")
    kit.check("only that folder", scene.exec("p", "ls", "/input").stdout.split() == ["a"])


@beside_others
def what_a_volume_may_not_say_is_refused_with_what_to_write(kit, scene):
    scene.write("set/", {"x": b"1"})
    kit.apply(scene.dataset_object("set"), scene.claim_object("set"))
    writable = scene.pod_object("writable", claim="set")
    writable["spec"]["volumes"][0]["csi"]["readOnly"] = False
    refused = kit.refused(writable)
    kit.check("readOnly: false is refused at admission", "readOnly: true" in refused, refused)
    url = scene.pod_object("url", claim="set")
    url["spec"]["volumes"][0]["csi"]["volumeAttributes"]["url"] = "http://169.254.169.254/"
    foreign = scene.pod_object("foreign", claim="other-namespace")
    kit.apply(url, foreign)
    kit.wait(
        "an attribute with a URL is refused by the agent, by name",
        lambda: any(
            "unknown volume attribute url" in message
            for _, reason, message in scene.events("Pod", "url")
            if reason == "FailedMount"
        ),
    )
    kit.wait(
        "a claim of no name here is named",
        lambda: any(
            "no DatasetClaim other-namespace in namespace " + scene.ns in message
            for _, _, message in scene.events("Pod", "foreign")
        ),
    )


@beside_others
def two_claims_on_one_path_are_refused_naming_both(kit, scene):
    kit.apply(
        scene.dataset_object("a"),
        scene.dataset_object("b"),
        scene.claim_object("one", dataset="a", app="x"),
        scene.claim_object("two", dataset="b", app="x"),
    )
    refused = kit.refused(scene.pod_object("p", app="x"))
    kit.check("both are named", "one" in refused and "two" in refused and "/data" in refused, refused)
    taken = scene.pod_object("q", app="y")
    taken["spec"]["volumes"] = [{"name": "own", "emptyDir": {}}]
    taken["spec"]["containers"][0]["volumeMounts"] = [{"name": "own", "mountPath": "/data/"}]
    kit.apply(scene.claim_object("three", dataset="a", app="y"))
    refused = kit.refused(taken)
    kit.check("a path that is taken is named with its volume", "own" in refused and "three" in refused, refused)
