#!/usr/bin/python3
"""Our signature is botocore's: 2,500 random requests; and AWS's published suite, where $AWS_SIGV4_SUITE names its folder."""
import os
import random
import sys
import time
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds")
import harness as h
import signer

try:
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
except ImportError:
    h.skip_all("python3-botocore is not installed")

COUNT = 2500
SEED = int(os.environ.get("SEED", random.randrange(1 << 32)))
rnd = random.Random(SEED)
# What may stand in a path as it goes over the wire, and in a key or value before it's encoded.
PATH = "abcXYZ019-._~!$&'()*+,;=:@%[]^`{|}\"<>\\ é€😀\u1234"
TEXT = PATH + "/?#\u00df\u0416"
VALUE = "abc XYZ  019\t-._~!$&'()*+,;=:@%/?#[]\"\\"


def text(alphabet, longest):
    return "".join(rnd.choice(alphabet) for _ in range(rnd.randrange(longest)))


def path():
    parts = [rnd.choice(["", ".", "..", "...", text(PATH, 8), text(PATH, 8)]) for _ in range(rnd.randrange(6))]
    return "/" + "/".join(parts)


def encoded(value):
    return urllib.parse.quote(value, safe="-_.~")


def query():
    """(params for botocore or None, the query on the wire)"""
    pairs = [(text(TEXT, 5), text(TEXT, 6)) for _ in range(rnd.randrange(5))]
    pairs = [(key, value) for key, value in pairs if key or value]
    if rnd.random() < 0.5:
        return None, "&".join(f"{encoded(k)}={encoded(v)}" for k, v in pairs)
    # Raw on our side: what would separate or decode is left out.
    strip = str.maketrans("", "", "&=%#?")
    pairs = [(k.translate(strip), v.translate(strip)) for k, v in pairs]
    pairs = [(k, v) for k, v in pairs if k]
    return pairs, "&".join(f"{k}={v}" for k, v in pairs)


def headers():
    names = ["Content-Type", "X-Amz-Target", "My-Header1", "my-header1", "X-Amz-Z", "x-amz", "Accept", "User-Agent", "Expect",
             "X-Amzn-Trace-Id", "Content-Length", "X-Amz-Meta-a.b_c"]
    return [(rnd.choice(names), text(VALUE, 20)) for _ in range(rnd.randrange(6))]


def one(ours):
    host = rnd.choice(["apprunner.eu-west-1.amazonaws.com", "127.0.0.1:8080", "x.example:444"])
    method, where = rnd.choice(["GET", "POST", "PUT", "DELETE", "HEAD"]), path()
    params, wire = query()
    sent = [("Host", host), *headers()]
    body = bytes(rnd.randrange(256) for _ in range(rnd.randrange(200))) if rnd.random() < 0.7 else b""
    token = text("abcXYZ019+/=", rnd.choice([40, 40, 6000])) or None
    keys = Credentials("AK" + text("ABC019", 18), text("abcXYZ019+/", 60) or "s", token)
    now = rnd.randrange(0, 4000000000)
    hashed = rnd.random() < 0.5
    region, service = rnd.choice(["us-east-1", "eu-west-1"]), rnd.choice(["apprunner", "ecs", "sts"])

    url = f"https://{host}{where}" + ("" if params is not None or not wire else "?" + wire)
    request = AWSRequest(method, url, data=body, params=params or {})
    for name, value in sent:
        request.headers.add_header(name, value)
    request.context["timestamp"] = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    auth = SigV4Auth(keys, service, region)
    auth._modify_request_before_signing(request)
    if hashed:
        request.headers["X-Amz-Content-SHA256"] = auth.payload(request)
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)

    said = ours.sign(method, where + ("?" + wire if wire else ""), sent, body, token=token, access_key_id=keys.access_key,
                     secret_access_key=keys.secret_key, region=region, service=service, now=now, sign_body=hashed)
    if said.get("canonical") != canonical:
        return f"got {said}\nwant {canonical!r}"
    return None if said["signature"] == signature else f"got {said}\nwant {signature}"


ours = signer.Signer()
different = []
for _ in range(COUNT):
    found = one(ours)
    if found:
        different.append(found)
ours.close()
h.same(len(different), 0, f"{COUNT} random requests: the canonical request and the signature are botocore's",
       f"SEED={SEED}", *different[:2])
suite = os.environ.get("AWS_SIGV4_SUITE")
if suite:
    results = signer.check_suite(suite)
    h.ok(len(results) >= 38, "the published suite is there", suite)
    for case, why in results.items():
        h.ok(not why, f"suite: {case}", why)
h.done()
