"""A server of Alibaba OSS's protocol that checks V4 signatures (written from the vendor's documentation) and states CRC64."""

import hashlib
import hmac
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from tests.support.crc import crc64xz
from tests.support.fault_server import FaultServer, Object, error

ACCESS, SECRET, REGION = "oss-key", "oss-secret", "cn-hangzhou"
AUTHORIZATION = re.compile(
    r"^OSS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([a-z0-9-]+)/oss/aliyun_v4_request,Signature=([0-9a-f]{64})$"
)


def rightly_signed(request):
    found = AUTHORIZATION.match(request.headers.get("authorization", ""))
    if not found or found[1] != ACCESS or found[3] != REGION:
        return False
    url = urlsplit(request.target)
    query = sorted(
        (quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(url.query, keep_blank_values=True)
    )
    own = sorted((k, v) for k, v in request.headers.items() if k.startswith("x-oss-"))
    canonical = "\n".join(
        [
            request.method,
            quote(unquote(url.path), safe="/-_.~"),
            "&".join(f"{k}={v}" if v else k for k, v in query),
            "".join(f"{k}:{v}\n" for k, v in own),
            "",
            "UNSIGNED-PAYLOAD",
        ]
    )
    scope = f"{found[2]}/{REGION}/oss/aliyun_v4_request"
    text = "\n".join(
        ["OSS4-HMAC-SHA256", request.headers["x-oss-date"], scope, hashlib.sha256(canonical.encode()).hexdigest()]
    )
    key = ("aliyun_v4" + SECRET).encode()
    for part in (found[2], REGION, "oss", "aliyun_v4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == found[4]


class Oss(FaultServer):
    """With the face of the stores in stores.py."""

    scheme, damaged, bucket = "oss", "", "data"
    env = {"OSS_ACCESS_KEY_ID": ACCESS, "OSS_ACCESS_KEY_SECRET": SECRET}
    wrong_env = {**env, "OSS_ACCESS_KEY_SECRET": "wrong"}

    def put(self, key, content):
        self.objects = dict(sorted({**self.objects, key: Object(content)}.items()))

    def source(self, prefix=""):
        return f"oss://{self.bucket}/{prefix}"

    def honest(self, request, found):
        if not rightly_signed(request):
            return error(403, "SignatureDoesNotMatch")
        content = super().honest(request, found)
        if found is None or request.listing or not content.startswith(b"HTTP/1.1 20"):
            return content
        head, _, body = content.partition(b"\r\n")
        sum_of = crc64xz(found.content) ^ (request.key == self.damaged)
        return head + b"\r\nx-oss-hash-crc64ecma: %d\r\n" % sum_of + body
