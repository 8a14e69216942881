"""A directory bucket of S3 Express One Zone, as zcdp uses one: CreateSession, requests signed with the session's keys for the
service s3express, listings in no order. Signatures are verified; what directory buckets do not take is refused.
(docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html, API_CreateSession.html)"""

import datetime
import random
import re
import threading
import time

from tests.support import sigv4
from tests.support.fault_server import FaultServer, answer, error, listing_xml

SESSION = re.compile(r"Credential=SESSION(\d+)/")


class ExpressServer:
    """`lasts_s`: what a session's end is said to be; `ends_after`: all sessions are over after so many objects, each."""

    def __init__(self, bench, objects, access, secret, token, region, page=1000):
        self.server = FaultServer(bench, objects)
        self.server.fault = self._act
        self.endpoint, self.page = self.server.endpoint, page
        self.access, self.secret, self.token, self.region = access, secret, token, region
        self.order = sorted(objects)
        random.Random(7).shuffle(self.order)
        self.lock = threading.Lock()
        self.reset()

    def reset(self, lasts_s=300, ends_after=(), busy=0):
        self.lasts_s, self.ends_after, self.busy = lasts_s, set(ends_after), busy
        self.sessions = self.ended = self.served = self.expired = self.refused = 0
        self.said = ""
        self.server.reset()

    def _session(self, number):
        return f"SESSION{number}", f"session/secret+{number}", f"session-token-{number}="

    def _refuse(self, status, code, why):
        self.refused, self.said = self.refused + 1, why
        return [("send", error(status, code, message=why))]

    def _signed_by(self, request, access, secret, token_header, token, other_header):
        path, _, query = request.target.partition("?")
        wrong = sigv4.check(
            request.method, path, query, request.headers, {access: secret}, self.region, time.time(), "s3express"
        )
        if wrong:
            return wrong[2] if len(wrong) > 2 else wrong[1]
        if request.headers.get(token_header) != token or other_header in request.headers:
            return f"{token_header} is not the session's, or {other_header} is there"
        return None

    def _create(self, request):
        if self.busy > 0:
            self.busy -= 1
            return [("send", error(503, "SlowDown"))]
        why = self._signed_by(
            request, self.access, self.secret, "x-amz-security-token", self.token, "x-amz-s3session-token"
        )
        if why:
            return self._refuse(403, "AccessDenied", why)
        if request.headers.get("x-amz-create-session-mode") != "ReadOnly" or request.key:
            return self._refuse(400, "InvalidRequest", "no session of this kind")
        self.sessions += 1
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lasts_s)
        access, secret, token = self._session(self.sessions)
        return [
            (
                "send",
                answer(
                    200,
                    [("Content-Type", "application/xml")],
                    (
                        '<?xml version="1.0" encoding="UTF-8"?><CreateSessionResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Credentials>'
                        f"<SessionToken>{token}</SessionToken><SecretAccessKey>{secret}</SecretAccessKey><AccessKeyId>{access}</AccessKeyId>"
                        f"<Expiration>{ends.strftime('%Y-%m-%dT%H:%M:%SZ')}</Expiration></Credentials></CreateSessionResult>"
                    ).encode(),
                ),
            )
        ]

    def _list(self, request):
        query, prefix = request.query, request.query.get("prefix", "")
        if "start-after" in query or query.get("delimiter", "/") != "/" or (prefix and not prefix.endswith("/")):
            return self._refuse(
                400,
                "InvalidRequest",
                "This bucket does not support a prefix that does not end in a delimiter, nor start-after.",
            )
        keys = [key for key in self.order if key.startswith(prefix)]
        at = int(query.get("continuation-token", "page-0").removeprefix("page-"))
        end = at + self.page
        entries = [(key, len(self.server.objects[key].content), self.server.objects[key].tag) for key in keys[at:end]]
        return [
            (
                "send",
                answer(
                    200,
                    [("Content-Type", "application/xml")],
                    listing_xml(entries, f"page-{end}" if end < len(keys) else None),
                ),
            )
        ]

    def _act(self, request, found):
        with self.lock:
            if "session" in request.query:
                return self._create(request)
            claimed = SESSION.search(request.headers.get("authorization", ""))
            number = int(claimed[1]) if claimed else 0
            if claimed and number <= self.ended:
                self.expired += 1
                return [("send", error(400, "ExpiredToken"))]
            access, secret, token = self._session(min(number, self.sessions))
            why = self._signed_by(request, access, secret, "x-amz-s3session-token", token, "x-amz-security-token")
            if why:
                return self._refuse(403, "AccessDenied", why)
            if request.listing:
                return self._list(request)
            self.served += 1
            if self.served in self.ends_after:
                self.ended = self.sessions
            return None
