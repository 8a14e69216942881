"""AWS Signature Version 4 for S3 and STS, written from the public specification: to check what zcdp signs, and to fill real
servers with test data. Header form only; the payload hash is taken from x-amz-content-sha256."""

import datetime
import hashlib
import hmac
import re
from urllib.parse import quote, unquote_to_bytes

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
AUTHORIZATION = re.compile(
    r"^AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([a-z0-9]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$"
)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def encode(raw: bytes, safe: str = "") -> str:
    """Percent-encoding as SigV4 wants it: everything but A-Z a-z 0-9 - . _ ~ and `safe`."""
    return quote(raw, safe=safe + "-._~")


def canonical_query(query: str) -> str:
    pairs = []
    for part in query.split("&") if query else []:
        name, _, value = part.partition("=")
        pairs.append((encode(unquote_to_bytes(name)), encode(unquote_to_bytes(value))))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def signature(method, path, query, headers, signed, payload_sha256, amz_date, region, secret, service="s3") -> str:
    """`path` and `query` as sent; `headers` by lower-case name."""
    canonical = "\n".join(
        [
            method,
            encode(unquote_to_bytes(path), "/"),
            canonical_query(query),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in signed),
            "",
            ";".join(signed),
            payload_sha256,
        ]
    )
    scope = f"{amz_date[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", amz_date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = _hmac(_hmac(_hmac(_hmac(b"AWS4" + secret.encode(), amz_date[:8]), region), service), "aws4_request")
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def sign(method, path, query, headers, payload_sha256, access, secret, region, token="") -> dict:
    """The headers to add to a request that has `headers` (Host among them)."""
    amz_date = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    added = {"x-amz-date": amz_date, "x-amz-content-sha256": payload_sha256}
    if token:
        added["x-amz-security-token"] = token
    every = {name.lower(): value for name, value in {**headers, **added}.items()}
    signed = sorted(every)
    made = signature(method, path, query, every, signed, payload_sha256, amz_date, region, secret)
    added["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{amz_date[:8]}/{region}/s3/aws4_request, "
        f"SignedHeaders={';'.join(signed)}, Signature={made}"
    )
    return added


def check(method, path, query, headers, secrets, region, now_unix, service="s3") -> tuple | None:
    """None when the request is rightly signed, else (status, S3 error code, message, extra XML)."""
    text = headers.get("authorization")
    if text is None:
        return 403, "AccessDenied", "Access Denied", ""
    match = AUTHORIZATION.match(text)
    if not match:
        return 400, "AuthorizationHeaderMalformed", "The authorization header is malformed", ""
    access, day, signed_region, signed_service, names, claimed = match.groups()
    amz_date = headers.get("x-amz-date", "")
    if not re.match(r"^\d{8}T\d{6}Z$", amz_date) or amz_date[:8] != day:
        return 403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header", ""
    signed = names.split(";")
    must = {"host"} | {name for name in headers if name.startswith("x-amz-")}
    if missing := must - set(signed):
        return (
            403,
            "AccessDenied",
            "There were headers present in the request which were not signed: " + ", ".join(missing),
            "",
        )
    if access not in secrets:
        return 403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", ""
    if signed_service != service:
        return 400, "AuthorizationHeaderMalformed", f"signed for '{signed_service}', not '{service}'", ""
    if signed_region != region:
        return (
            400,
            "AuthorizationHeaderMalformed",
            f"The authorization header is malformed; the region '{signed_region}' is wrong; expecting '{region}'",
            f"<Region>{region}</Region>",
        )
    sent = datetime.datetime.strptime(amz_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()
    if abs(sent - now_unix) > 900:
        return (
            403,
            "RequestTimeTooSkewed",
            "The difference between the request time and the current time is too large.",
            "",
        )
    payload = headers.get("x-amz-content-sha256", "")
    if signature(method, path, query, headers, signed, payload, amz_date, region, secrets[access], service) != claimed:
        return (
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
            "",
        )
    return None
