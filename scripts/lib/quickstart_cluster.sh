# Sourced by scripts/quickstart --cluster: a real Kubernetes cluster on this machine, an S3 origin in it, a dataset, a
# claim, and a pod that finds its data. Leaves the cluster up; says how to end it.
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"

quickstart_cluster() {
  [ "$(id -u)" = 0 ] || die "a cluster needs root: sudo $0 --cluster"
  need_build_packages
  need_cluster
  say "building (release)"
  build release zcdp
  local zcdp=$zcdp_root/build/release/zcdp cluster=$zcdp_root/tests/cluster/cluster
  export PATH=$KUBE_BIN:$PATH KUBECONFIG=${ZK_DIR:-/var/tmp/zk}/admin.kubeconfig
  if [ ! -e "$KUBECONFIG" ]; then
    say "starting a cluster of two nodes"
    "$cluster" up 2 >/dev/null
  fi
  say "building the image and loading it on the nodes"
  "$zcdp_root/scripts/image"
  "$cluster" load "$zcdp_root/build/zcdp-image.tar"
  say "zcdp install"
  "$zcdp" install --quiet
  say "kubectl apply -f manifests/examples/demo.yaml"
  kubectl apply -f "$zcdp_root/manifests/examples/demo.yaml"
  local i
  for i in $(seq 180); do
    kubectl -n zcdp-demo logs train 2>/dev/null | grep -q model.bin$ && break
    sleep 0.5
  done
  kubectl -n zcdp-demo logs train 2>/dev/null | grep -q 'model.bin$' || {
    "$zcdp" explain pod train -n zcdp-demo || true
    die "the pod did not read its data"
  }
  say "kubectl -n zcdp-demo logs train"
  kubectl -n zcdp-demo logs train
  say "kubectl get datasets,datasetclaims,nodedatasets,storagebackends -A"
  kubectl get datasets,datasetclaims,nodedatasets,storagebackends -A
  say "zcdp status"
  "$zcdp" status
  say "the cluster stays up. To use it:  export PATH=$KUBE_BIN:\$PATH KUBECONFIG=$KUBECONFIG"
  say "to take zcdp out of it:           kubectl delete ns zcdp-demo && $zcdp uninstall"
  say "to end it:                        $cluster down"
}
