"""Two hundred pods at once. It keeps every processor busy on purpose."""

import os
import subprocess

from tests.cluster.kit import on_a_quiet_machine, run


class _Busy:
    """Twice as many busy loops as there are processors."""

    def __enter__(self):
        self.loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(2 * os.cpu_count())]

    def __exit__(self, *_):
        for loop in self.loops:
            loop.kill()
            loop.wait()


@on_a_quiet_machine
def two_hundred_pods_that_wait_for_data_on_a_busy_machine_are_all_taken(kit, scene):
    """Ten datasets that are nowhere yet, twenty pods each: ten times a label comes and pods follow it at once."""
    for i in range(10):
        scene.write(f"set{i}/", {"x": 500_000})
    kit.apply(
        *(scene.dataset_object(f"set{i}") for i in range(10)),
        *(scene.claim_object(f"set{i}", app=f"set{i}", policy=("Require", "WaitForData")[i % 2]) for i in range(10)),
    )
    with _Busy():
        kit.apply(*(scene.pod_object(f"p{i}-{j}", app=f"set{i}") for i in range(10) for j in range(20)))

        def judged():
            pods = scene.get("pods")
            refused = [
                (p["metadata"]["name"], p["status"].get("reason"), p["status"].get("message"))
                for p in pods
                if p["status"]["phase"] == "Failed"
            ]
            return (len(pods), refused) if refused or all(p["status"].get("startTime") for p in pods) else None

        count, refused = kit.wait("every pod was looked at by a kubelet", judged, 240)
    kit.check("200 pods", count == 200, count)
    kit.check("and none was refused", not refused, refused[:3])
    kit.check(
        "all ask for their data's label", all("d.zcdp.io/" in str(p["spec"].get("affinity")) for p in scene.get("pods"))
    )
    run("kubectl", "-n", scene.ns, "delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
    kit.wait("the pods are gone", lambda: not scene.get("pods"), 120)
