"""STS: AssumeRoleWithWebIdentity (unsigned), AssumeRole, GetCallerIdentity; and GitHub's endpoint for its tokens."""
import base64
import hashlib
import hmac
import json
import time
from xml.sax.saxutils import escape

from cloud import AwsError

NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
ISSUER = "https://token.actions.githubusercontent.com"
JWT_KEY = b"the stand-in's own"
REQUEST_TOKEN = "gh-oidc-request-token"


def part(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Sts:
    signing = "sts"
    invalid_code = "ValidationError"
    unsigned = {"AssumeRoleWithWebIdentity"}

    def __init__(self, cloud):
        self.cloud = cloud
        self.reset()

    def reset(self):
        self.seen = set()
        self.tokens = 0

    # --- GitHub ---

    def jwt(self, audience):
        now = int(self.cloud.now())
        self.tokens += 1
        claims = {"iss": ISSUER, "aud": audience, "sub": self.cloud["subject"], "iat": now, "nbf": now - 5,
                  "exp": now + int(self.cloud["jwt_seconds"]), "jti": self.cloud.uuid()}
        text = part(b'{"alg":"RS256","typ":"JWT"}') + "." + part(json.dumps(claims).encode())
        return text + "." + part(hmac.new(JWT_KEY, text.encode(), hashlib.sha256).digest())

    def claims(self, token):
        bad = AwsError("InvalidIdentityToken", "The web identity token that was passed could not be validated.")
        text, _, signature = token.rpartition(".")
        if part(hmac.new(JWT_KEY, text.encode(), hashlib.sha256).digest()) != signature:
            raise bad
        body = text.partition(".")[2]
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        if claims["aud"] != self.cloud["audience"]:
            raise AwsError("InvalidIdentityToken", "Incorrect token audience")
        if claims["exp"] <= self.cloud.now():
            raise AwsError("ExpiredTokenException",
                           f"Token expired: current date/time {int(self.cloud.now())} must be before the expiration "
                           f"date/time {claims['exp']}")
        if self.cloud["jwt_once"] and claims["jti"] in self.seen:
            raise bad
        self.seen.add(claims["jti"])
        return claims

    # --- operations ---

    def assume(self, p, word):
        account, _, role = p["RoleArn"].partition("::")[2].partition(":role/")
        name = p["RoleSessionName"]
        arn = f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}"
        issued = self.cloud.issue(arn, p.get("DurationSeconds", 3600))
        return {
            "Credentials": {"AccessKeyId": issued["AccessKeyId"], "SecretAccessKey": issued["SecretAccessKey"],
                            "SessionToken": issued["Token"], "Expiration": issued["Expires"]},
            "AssumedRoleUser": {"AssumedRoleId": f"AROA{'EXAMPLE' * 2}:{name}", "Arn": arn}, **word,
        }

    def AssumeRoleWithWebIdentity(self, p):
        claims = self.claims(p["WebIdentityToken"])
        if "/denied" in p["RoleArn"]:
            raise AwsError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403)
        return self.assume(p, {"SubjectFromWebIdentityToken": claims["sub"], "Provider": ISSUER,
                               "Audience": claims["aud"]})

    def AssumeRole(self, p):
        if "/denied" in p["RoleArn"]:
            raise AwsError("AccessDenied", f"User: {self.caller} is not authorized to perform: sts:AssumeRole on "
                           f"resource: {p['RoleArn']}", 403)
        return self.assume(p, {"PackedPolicySize": 6})

    def GetCallerIdentity(self, p):
        return {"UserId": "AIDAEXAMPLE", "Account": self.cloud["account"], "Arn": self.caller}


def value_xml(value):
    if isinstance(value, dict):
        return "".join(f"<{k}>{value_xml(v)}</{k}>" for k, v in value.items())
    if isinstance(value, float):
        fraction = f"{value % 1:.3f}"[1:]
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value)) + fraction + "Z"
    return escape(str(value), {'"': "&quot;", "+": "&#43;"})


def answer_xml(operation, value, request_id):
    return (f'<{operation}Response xmlns="{NAMESPACE}">\n  <{operation}Result>{value_xml(value)}</{operation}Result>\n'
            f"  <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>\n</{operation}Response>\n")


def error_xml(code, message, status, request_id):
    kind = "Receiver" if status >= 500 else "Sender"
    return (f'<ErrorResponse xmlns="{NAMESPACE}">\n  <Error>\n    <Type>{kind}</Type>\n    <Code>{code}</Code>\n    '
            f"<Message>{escape(message)}</Message>\n  </Error>\n  <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n")
