"""The cluster's API server, asked without a kubectl: a look costs a millisecond instead of a program's start, and scenarios
look several times a second. What users type (apply, exec, patch, describe) stays kubectl."""

import http.client
import json
import ssl
import threading
import urllib.parse

HOST, PORT = "10.203.0.1", 6443
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status, text):
        super().__init__(f"HTTP {status}: {text[:600]}")
        self.status = status


class Api:
    """Thread rule: any thread; each has a connection of its own. Errors: Refused, OSError, http.client.HTTPException."""

    def __init__(self, pki):
        self.context = ssl.create_default_context(cafile=pki / "ca.crt")
        self.context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        self.connections = threading.local()
        self.kinds = {}  # every name of a kind -> (the path before a namespace, its plural, whether it has namespaces)

    def request(self, method, path, body=None):
        """The body of a successful answer. A connection that was lost while nobody used it (the server closes one that idles
        for 90 s) is made anew, once: GET and DELETE may be repeated (RFC 9110 9.2.2)."""
        kept = getattr(self.connections, "one", None)
        connection = kept or http.client.HTTPSConnection(HOST, PORT, timeout=60, context=self.context)
        self.connections.one = None
        headers = {"Accept": DISCOVERY if path in ("/api", "/apis") else "application/json"}
        try:
            connection.request(method, path, body and json.dumps(body), headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            if kept and method in ("GET", "DELETE"):
                return self.request(method, path, body)
            raise
        self.connections.one = connection
        if answer.status // 100 != 2:
            raise Refused(answer.status, text.decode(errors="replace"))
        return text

    def path(self, kind, name=None, namespace=None):
        """`kind` as kubectl takes it: plural, singular or a short name."""
        if kind not in self.kinds:
            self.discover()
        before, plural, namespaced = self.kinds[kind]
        where = f"/namespaces/{namespace or 'default'}" if namespaced else ""
        return f"{before}{where}/{plural}" + (f"/{urllib.parse.quote(name)}" if name else "")

    def discover(self):
        for root in ("/api", "/apis"):
            for group in json.loads(self.request("GET", root))["items"]:
                name = group["metadata"].get("name")
                for version in group["versions"][:1]:  # the preferred one comes first
                    before = root + (f"/{name}" if name else "") + f"/{version['version']}"
                    for kind in version.get("resources", []):
                        found = (before, kind["resource"], kind["scope"] == "Namespaced")
                        for one in (
                            kind["resource"],
                            kind.get("singularResource") or kind["responseKind"]["kind"].lower(),
                            *kind.get("shortNames", []),
                        ):
                            self.kinds.setdefault(one, found)

    def get(self, kind, name=None, namespace=None):
        """The object, the list of them without a name, or None."""
        try:
            out = json.loads(self.request("GET", self.path(kind, name, namespace)))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return out if name else out["items"]

    def delete(self, kind, name=None, namespace=None, grace_s=None):
        """Begins to delete the object, or all of the kind in the namespace; one that is not there is no error."""
        options = {"propagationPolicy": "Background"} | ({} if grace_s is None else {"gracePeriodSeconds": grace_s})
        try:
            self.request("DELETE", self.path(kind, name, namespace), options)
        except Refused as refused:
            if refused.status != 404:
                raise

    def logs(self, pod, namespace):
        return self.request("GET", self.path("pods", pod, namespace) + "/log").decode()
