"""Signature Version 4 of ours (build/tests/tools/sigv4), to hold against others'. As a program:

    /usr/bin/python3 tests/clouds/signer.py FOLDER

checks it against AWS's published signing test suite: FOLDER holds a folder for each case, with context.json, request.txt
and header-*.txt (github.com/awslabs/aws-c-auth, tests/aws-signing-test-suite/v4). Not 0 when a case differs.
"""
import base64
import calendar
import json
import os
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(TOP, os.environ.get("BUILD", "build"), "tests/tools/sigv4")


def b64(value):
    return base64.b64encode(value if isinstance(value, bytes) else value.encode()).decode()


class Signer:
    def __init__(self):
        self.process = subprocess.Popen([TOOL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def sign(self, method, target, headers, body, **more):
        """canonical, string_to_sign, signature, authorization. more: what tests/tools/sigv4.c reads."""
        asked = {"method": method, "target": b64(target), "headers": [[b64(n), b64(v)] for n, v in headers],
                 "body": b64(body or b""), **{k: v for k, v in more.items() if v is not None}}
        if "token" in asked:
            asked["token"] = b64(asked["token"])
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        said = json.loads(self.process.stdout.readline())
        if "canonical" in said:
            said["canonical"] = base64.b64decode(said["canonical"]).decode("utf-8", "surrogateescape")
        return said

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def read_request(data):
    """(method, target, headers, body) of a request.txt. A line that begins with white space goes on with the one before."""
    head, _, body = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    lines = head.split(b"\n")
    method, _, rest = lines[0].partition(b" ")
    target = rest.rpartition(b" ")[0]
    headers = []
    for line in lines[1:]:
        if line[:1] in (b" ", b"\t") and headers:
            headers[-1][1] += b"\n" + line
        elif line:
            name, _, value = line.partition(b":")
            headers.append([name, value])
    return method.decode(), target, headers, body


def check_case(signer, folder):
    """What differs in one case of the suite; None: nothing."""
    def read(name):
        with open(os.path.join(folder, name), "rb") as f:
            return f.read()

    context = json.loads(read("context.json"))
    keys = context["credentials"]
    method, target, headers, body = read_request(read("request.txt"))
    said = signer.sign(
        method, target, headers, body, token=keys.get("token"), access_key_id=keys["access_key_id"],
        secret_access_key=keys["secret_access_key"], region=context["region"], service=context["service"],
        now=calendar.timegm(time.strptime(context["timestamp"], "%Y-%m-%dT%H:%M:%SZ")),
        normalize=context.get("normalize", True), sign_body=context.get("sign_body", False),
        omit_session_token=context.get("omit_session_token", False), signed_body_value=context.get("signed_body_value"))
    for member, name in (("canonical", "header-canonical-request.txt"), ("string_to_sign", "header-string-to-sign.txt"),
                         ("signature", "header-signature.txt")):
        want = read(name).decode("utf-8", "surrogateescape").replace("\r\n", "\n").rstrip("\n")
        if said.get(member) != want:
            return f"{member}: got {said.get(member)!r}, want {want!r} {said.get('error', '')}"
    return None


def check_suite(folder):
    """{case: what differs, or None}"""
    signer = Signer()
    cases = {name: check_case(signer, os.path.join(folder, name)) for name in sorted(os.listdir(folder))
             if os.path.exists(os.path.join(folder, name, "request.txt"))}
    signer.close()
    return cases


if __name__ == "__main__":
    results = check_suite(sys.argv[1])
    for case, why in results.items():
        print(f"{case}: {why or 'ok'}")
    print(f"{sum(not why for why in results.values())} of {len(results)} cases")
    sys.exit(not results or any(results.values()))
