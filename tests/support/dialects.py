"""The fault server in the words of Google Cloud Storage and of Azure Blob Storage: paths, listings in pages, preconditions,
checksums and errors as their documentation has them. No credentials are asked for."""

import base64
import functools
import hashlib
import json
from urllib.parse import quote, unquote

from tests.support.crc import crc32c, crc64nvme
from tests.support.fault_server import FaultServer, answer


def google_crc32c(content):
    return base64.b64encode(crc32c(content).to_bytes(4, "big")).decode()


@functools.cache
def md5(content):
    return base64.b64encode(hashlib.md5(content).digest()).decode()


class Dialect(FaultServer):
    def understand(self, request):
        path, _, _ = request.target.partition("?")
        request.listing = path == self.root
        request.key = "" if request.listing else unquote(path.removeprefix(self.root + "/"), errors="surrogateescape")

    def page_of(self, request, token):
        """The keys of this page, and the token of the next one or ""."""
        prefix = request.query.get("prefix", "").encode()
        keys = [key for key in sorted(self.objects, key=str.encode) if key.encode().startswith(prefix)]
        at = int(request.query.get(token, "0"))
        return keys[at : at + self.page], str(at + self.page) if at + self.page < len(keys) else ""

    def body(self, request, found, headers, of_range=()):
        """`of_range`: the headers that a range has in place of `headers`."""
        content = found.content
        if request.method == "HEAD":
            return answer(200, headers).replace(b"Content-Length: 0", f"Content-Length: {len(content)}".encode())
        if not request.range:
            return answer(200, headers, content)
        first, last = request.range
        return answer(
            206,
            [*(of_range or headers), ("Content-Range", f"bytes {first}-{min(last, len(content) - 1)}/{len(content)}")],
            content[first : last + 1],
        )


class Gcs(Dialect):
    """cloud.google.com/storage/docs/json_api."""

    scheme, source, root = "gs", "gs://data/", "/storage/v1/b/data/o"

    @staticmethod
    def refusal(status, reason, headers=(), message="as the test wants it"):
        error = {
            "code": status,
            "message": message,
            "errors": [{"message": message, "domain": "global", "reason": reason}],
        }
        return answer(
            status,
            [("Content-Type", "application/json; charset=UTF-8"), *headers],
            json.dumps({"error": error}).encode(),
        )

    @staticmethod
    def generation(found):
        return str(int(found.tag[:12], 16))

    def honest(self, request, found):
        if request.listing:
            keys, token = self.page_of(request, "pageToken")
            items = [
                {
                    "name": key,
                    "size": str(len(self.objects[key].content)),
                    "generation": self.generation(self.objects[key]),
                }
                for key in keys
                if key.encode() >= request.query.get("startOffset", "").encode()
            ]
            return answer(
                200,
                [("Content-Type", "application/json")],
                json.dumps({"items": items} | ({"nextPageToken": token} if token else {})).encode(),
            )
        if found is None:
            return self.refusal(404, "notFound")
        generation = self.generation(found)
        if request.query.get("alt") != "media":
            about = {
                "size": str(len(found.content)),
                "generation": generation,
                "crc32c": google_crc32c(found.content),
                "md5Hash": md5(found.content),
            }
            return answer(200, [("Content-Type", "application/json")], json.dumps(about).encode())
        if request.query.get("ifGenerationMatch", generation) != generation:
            return self.refusal(412, "conditionNotMet")
        return self.body(
            request,
            found,
            [
                ("x-goog-generation", generation),
                ("x-goog-hash", f"crc32c={google_crc32c(found.content)}"),
                ("x-goog-hash", f"md5={md5(found.content)}"),
            ],
        )


def azure_crc64(content):
    return base64.b64encode(crc64nvme(content).to_bytes(8, "little")).decode()


class Azure(Dialect):
    """learn.microsoft.com/rest/api/storageservices/blob-service-rest-api. Without `range_crc64` it states no checksum of a range,
    and if it `refuses_crc64` it says so as azurite does."""

    scheme, source, root = "az", "az://account/data/", "/account/data"
    range_crc64, refuses_crc64, range_crc64_bytes_max = True, False, 4 << 20

    def __init__(self, bench, objects, **options):
        super().__init__(bench, objects, **options)
        for found in self.objects.values():  # seconds in Python: before anybody waits for an answer
            for at in range(0, len(found.content), self.range_crc64_bytes_max):
                azure_crc64(found.content[at : at + self.range_crc64_bytes_max])

    @staticmethod
    def refusal(status, code, headers=(), message="as the test wants it"):
        body = f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{message}\nRequestId:1\nTime:2026</Message></Error>'
        return answer(status, [("Content-Type", "application/xml"), ("x-ms-error-code", code), *headers], body.encode())

    def honest(self, request, found):
        if request.listing:
            keys, token = self.page_of(request, "marker")
            blobs = "".join(
                f'<Blob><Name Encoded="true">{quote(key)}</Name><Properties><Etag>{self.objects[key].tag}</Etag>'
                f"<Content-Length>{len(self.objects[key].content)}</Content-Length><BlobType>BlockBlob</BlobType></Properties></Blob>"
                for key in keys
            )
            return answer(
                200,
                [("Content-Type", "application/xml")],
                f'\ufeff<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="data"><Blobs>{blobs}'
                f"</Blobs><NextMarker>{token}</NextMarker></EnumerationResults>".encode(),
            )
        if found is None:
            return self.refusal(404, "BlobNotFound")
        if request.headers.get("if-match", f'"{found.tag}"') != f'"{found.tag}"':
            return self.refusal(412, "ConditionNotMet")
        of_range = []
        if self.refuses_crc64 and "x-ms-range-get-content-crc64" in request.headers:
            return self.refusal(500, "FeatureNotSupported")
        if (
            request.headers.get("x-ms-range-get-content-crc64") == "true"
            and request.method == "GET"
            and self.range_crc64
        ):
            if not request.range:
                return self.refusal(400, "InvalidHeaderValue")
            first, last = request.range
            if last - first >= self.range_crc64_bytes_max:
                return self.refusal(400, "OutOfRangeInput")
            of_range = [("x-ms-content-crc64", azure_crc64(found.content[first : last + 1]))]
        tag = ("ETag", f'"{found.tag}"')
        return self.body(
            request,
            found,
            [tag, ("Content-MD5", md5(found.content))],
            [tag, ("x-ms-blob-content-md5", md5(found.content)), *of_range],
        )
