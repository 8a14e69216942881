"""An agent's CSI Node service, called as kubelet calls it: a gRPC stub made from our own .proto, in a Python of its own."""

from tests.cluster.kit import ROOT, run
from tests.support.harness import CACHE

PREAMBLE = r"""
import json, pathlib, subprocess, sys, threading, time
stubs, socket = sys.argv[1:3]
sys.path.insert(0, stubs)
import grpc, csi_pb2 as c, csi_pb2_grpc as g
node = g.NodeStub(grpc.insecure_channel(socket))
cap = c.VolumeCapability(mount=c.VolumeCapability.MountVolume(), access_mode=c.VolumeCapability.AccessMode(mode=1))


def target(uid):
    return f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~csi/d/mount"


def publish(uid, ns, claim):
    node.NodePublishVolume(c.NodePublishVolumeRequest(volume_id=f"v-{uid}", target_path=target(uid), readonly=True, volume_capability=cap, volume_context={
        "claim": claim, "csi.storage.k8s.io/pod.namespace": ns, "csi.storage.k8s.io/pod.name": uid, "csi.storage.k8s.io/pod.uid": uid}))


def unpublish(uid):
    node.NodeUnpublishVolume(c.NodeUnpublishVolumeRequest(volume_id=f"v-{uid}", target_path=target(uid)))


def make_folder(pods, uid):  # kubelet makes the folder above the target
    pathlib.Path(f"{pods}/{uid}/volumes/kubernetes.io~csi/d").mkdir(parents=True, exist_ok=True)
"""


def call(kit, node, script, *args, timeout=300):
    """Runs `script` after the preamble against the node's agent; its arguments begin at sys.argv[3]. Returns its stdout."""
    python = CACHE / "venv-grpc/bin/python"
    run("bash", "-c", f". {ROOT}/scripts/lib/venv.sh && need_grpc_venv", timeout=300)
    stubs = kit.folder / "stubs"
    stubs.mkdir(exist_ok=True)
    run(
        python,
        "-m",
        "grpc_tools.protoc",
        f"-I{ROOT}/src/kube/csi",
        f"--python_out={stubs}",
        f"--grpc_python_out={stubs}",
        "csi.proto",
    )
    socket = f"unix://{kit.zk}/{node}/kubelet/plugins_registry/zcdp.io-reg.sock"
    return run(python, "-c", PREAMBLE + script, stubs, socket, *args, timeout=timeout).stdout
