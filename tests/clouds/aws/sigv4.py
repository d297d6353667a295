"""Signature Version 4, checked: the signature is computed anew from the request as it came.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

WINDOW = 300


class Refused(Exception):
    """code: of the JSON protocols; query_code: of STS."""

    def __init__(self, code, message, status=403, query_code=None):
        super().__init__(message)
        self.code, self.message, self.status, self.query_code = code, message, status, query_code or code


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _quote(text, safe):
    return urllib.parse.quote(text, safe=safe + "-_.~")


def canonical_request(method, target, headers, signed, payload_hash):
    """headers: [(name, value)] as they came. The path is encoded once more, as for every service but S3."""
    path, _, query = target.partition("?")
    pairs = sorted(
        tuple(_quote(urllib.parse.unquote(part), "") for part in (item.partition("=")[0], item.partition("=")[2]))
        for item in query.split("&") if item)
    lines = []
    for name in signed:
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        if not values:
            raise Refused("InvalidSignatureException", f"'{name}' is a signed header and did not come")
        lines.append(f"{name}:{','.join(values)}\n")
    return "\n".join([method, _quote(path, "/"), "&".join(f"{k}={v}" for k, v in pairs), "".join(lines),
                      ";".join(signed), payload_hash])


def check(method, target, headers, body, where, now, find):
    """Who signed; raises Refused. where: (region, service). find(key id) → {"secret", "token", "expires"} or None."""
    single = {name.lower(): value for name, value in headers}
    given = single.get("authorization", "")
    if not given:
        raise Refused("MissingAuthenticationTokenException", "Missing Authentication Token",
                      query_code="MissingAuthenticationToken")
    parts = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})", given)
    if not parts:
        raise Refused("IncompleteSignatureException", f"Authorization header is malformed: {given[:100]}",
                      query_code="IncompleteSignature")
    key_id, day, region, service, signed, signature = parts.groups()
    signed = signed.split(";")
    if signed != sorted(set(signed)) or "host" not in signed or "x-amz-date" not in signed:
        raise Refused("InvalidSignatureException", f"'{';'.join(signed)}' are not the signed headers that must be")
    for name in ("x-amz-target", "x-amz-security-token"):
        if name in single and name not in signed:
            raise Refused("InvalidSignatureException", f"'{name}' must be signed")
    if (region, service) != where:
        raise Refused("InvalidSignatureException",
                      f"Credential should be scoped to a valid region and service: {where[0]}/{where[1]}, "
                      f"not {region}/{service}.", query_code="SignatureDoesNotMatch")
    keys = find(key_id)
    if not keys or (keys.get("token") or "") != single.get("x-amz-security-token", ""):
        raise Refused("UnrecognizedClientException", "The security token included in the request is invalid.",
                      400, "InvalidClientTokenId")
    date = single.get("x-amz-date", "")
    times = [value for name, value in headers if name.lower() == "x-amz-date"]
    if len(times) != 1 or not re.fullmatch(r"\d{8}T\d{6}Z", date) or date[:8] != day:
        raise Refused("IncompleteSignatureException", f"Date must be in ISO-8601 basic format, once: {times}",
                      query_code="IncompleteSignature")
    _in_time(date, now)
    payload = hashlib.sha256(body).hexdigest()
    if single.get("x-amz-content-sha256", payload) != payload:
        raise Refused("InvalidSignatureException", "x-amz-content-sha256 is not that of the body")
    canonical = canonical_request(method, target, headers, signed, payload)
    text = "\n".join(["AWS4-HMAC-SHA256", date, f"{day}/{region}/{service}/aws4_request",
                      hashlib.sha256(canonical.encode()).hexdigest()])
    key = _hmac(_hmac(_hmac(_hmac(b"AWS4" + keys["secret"].encode(), day), region), service), "aws4_request")
    if not hmac.compare_digest(_hmac(key, text).hex(), signature):
        raise Refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
            "Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String "
            f"for this request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n'{text}'\n",
            query_code="SignatureDoesNotMatch")
    if keys.get("expires") is not None and keys["expires"] <= now:
        raise Refused("ExpiredTokenException", "The security token included in the request is expired", 400,
                      "ExpiredToken")
    return key_id


def _in_time(date, now):
    when = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ"))
    here = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    edge = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now + (-WINDOW if when < now else WINDOW)))
    if when < now - WINDOW:
        raise Refused("InvalidSignatureException",
                      f"Signature expired: {date} is now earlier than {edge} ({here} - 5 min.)",
                      query_code="SignatureDoesNotMatch")
    if when > now + WINDOW:
        raise Refused("InvalidSignatureException",
                      f"Signature not yet current: {date} is still later than {edge} ({here} + 5 min.)",
                      query_code="SignatureDoesNotMatch")
