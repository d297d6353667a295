"""The endpoint that gives a job its OIDC tokens, with its key set: what ACTIONS_ID_TOKEN_REQUEST_URL points at."""

import base64
import http.server
import json
import os
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Issuer:
    """Serves GET …?api-version=2.0&audience=A to the bearer of its token, and /.well-known/{openid-configuration,jwks}.

    requests   [(path, headers)] of what was asked
    answers    statuses to answer next instead of a token, in order: issuer.answers += [503, 503]
    claims     added to, or in place of, the usual ones
    given      the tokens that were issued
    """

    def __init__(self, host="127.0.0.1", claims=None):
        self.token = "ey" + uuid.uuid4().hex * 4
        self.claims, self.requests, self.answers, self.given = dict(claims or {}), [], [], []
        self.folder = tempfile.mkdtemp(prefix="oidc.")
        self.key = os.path.join(self.folder, "key.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key],
                       check=True, stderr=subprocess.DEVNULL)
        modulus = subprocess.run(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], check=True, stdout=subprocess.PIPE).stdout
        self.n = bytes.fromhex(modulus.decode().strip().split("=")[1])
        self.kid = uuid.uuid4().hex
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.requests.append((self.path, dict(self.headers)))
                status, body = issuer.answer(self.path, self.headers.get("Authorization"))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((host, 0), Handler)
        self.server.daemon_threads = True
        self.base = f"http://{host}:{self.server.server_address[1]}"
        self.url = f"{self.base}/idtoken/{uuid.uuid4().hex}?api-version=2.0"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, authorization):
        parts = urllib.parse.urlsplit(path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.base, "jwks_uri": f"{self.base}/.well-known/jwks",
                         "id_token_signing_alg_values_supported": ["RS256"]}
        if parts.path == "/.well-known/jwks":
            return 200, {"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid, "n": b64(self.n), "e": "AQAB"}]}
        if self.answers:
            status = self.answers.pop(0)
            if status != 200:
                return status, {"message": "made to fail"}
        if authorization != f"Bearer {self.token}":
            return 401, {"message": "unauthorized"}
        query = urllib.parse.parse_qs(parts.query)
        owner = self.claims.get("repository_owner", "acme")
        token = self.sign(query.get("audience", [f"https://github.com/{owner}"])[0])
        self.given.append(token)
        return 200, {"count": 1, "value": token}

    def sign(self, audience):
        now = int(time.time())
        claims = {"jti": str(uuid.uuid4()), "iss": self.base, "aud": audience, "nbf": now - 600, "iat": now, "exp": now + 300, **self.claims}
        head = {"typ": "JWT", "alg": "RS256", "x5t": self.kid, "kid": self.kid}
        text = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(claims).encode())}"
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(), check=True, stdout=subprocess.PIPE).stdout
        return f"{text}.{b64(signature)}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        os.unlink(self.key)
        os.rmdir(self.folder)
