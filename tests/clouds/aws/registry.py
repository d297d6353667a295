"""ECR's data plane: Debian's docker-registry with Basic auth, and a proxy before it that knows ECR's own rules:
a repository must exist, an immutable tag stays, an image that is pushed may start an automatic deployment.
"""
import base64
import crypt
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time

PATHS = [
    (r"/v2/(.+)/blobs/uploads/?", {"POST": "blob-post"}),
    (r"/v2/(.+)/blobs/uploads/.+", {"PUT": "blob-put", "PATCH": "blob-patch", "GET": "blob-status", "DELETE": "blob-cancel"}),
    (r"/v2/(.+)/blobs/(sha256:[0-9a-f]+)", {"HEAD": "blob-head", "GET": "blob-get"}),
    (r"/v2/(.+)/manifests/(.+)", {"HEAD": "manifest-head", "GET": "manifest-get", "PUT": "manifest-put"}),
    (r"/v2/(.+)/tags/list", {"GET": "tags"}),
    (r"/v2/?()", {"GET": "ping"}),
]
TYPES = ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
         "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"]
CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {folder}/data}}
  delete: {{enabled: true}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: basic-realm, path: {folder}/htpasswd}}}}
"""


def errors(code, message):
    return json.dumps({"errors": [{"code": code, "message": message}]}) + "\n"


class Registry:
    def __init__(self, cloud, folder):
        self.cloud, self.folder = cloud, folder
        self.process = None
        self.port = 0
        self.password = None
        self.rotate()

    def rotate(self, end="+/="):
        """A new password; the old one is refused from now on. (The CLI cannot read one that holds a colon.)"""
        self.password = base64.b64encode(os.urandom(1299)).decode() + end
        # bcrypt reads 72 bytes, and Go's comparison as well.
        line = crypt.crypt(self.password[:72], crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)).replace("$2b$", "$2y$", 1)
        path = os.path.join(self.folder, "htpasswd")
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(f"AWS:{line}\n")
        os.rename(path + ".new", path)

    def start(self):
        """docker-registry is started by the first request that needs it."""
        if self.process and self.process.poll() is None:
            return
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        config = os.path.join(self.folder, "registry.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(CONFIG.format(folder=self.folder, port=self.port))
        with open(os.path.join(self.folder, "registry.log"), "ab") as log:
            # The shell ends it when we are gone, however that came.
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", 'docker-registry serve "$1" </dev/null & read -r _; kill "$!"; wait', "sh", config],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("docker-registry did not start")

    def stop(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
            self.process = None

    def reset(self):
        """Without its images."""
        self.stop()
        shutil.rmtree(os.path.join(self.folder, "data"), ignore_errors=True)

    # --- what is in it ---

    def get(self, path, accept=None):
        """(headers, body) of a reading of ours; None when it is absent."""
        self.start()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            login = base64.b64encode(f"AWS:{self.password}".encode()).decode()
            connection.request("GET", path, headers={"Authorization": f"Basic {login}", "Accept": ", ".join(accept or TYPES)})
            answer = connection.getresponse()
            body = answer.read()
            return (answer.headers, body) if answer.status == 200 else None
        finally:
            connection.close()

    def tags(self, name):
        if not self.process:
            return []
        found = self.get(f"/v2/{name}/tags/list")
        return sorted(json.loads(found[1])["tags"] or []) if found else []

    def image(self, name, reference):
        if not self.process:
            return None
        if "@" in reference:
            reference = reference.partition("@")[2]
        found = self.get(f"/v2/{name}/manifests/{reference}")
        if not found:
            return None
        manifest = json.loads(found[1])
        if "manifests" in manifest:
            platforms = [m.get("platform", {}).get("architecture") for m in manifest["manifests"]]
            size = sum(m["size"] for m in manifest["manifests"])
        else:
            config = self.get(f"/v2/{name}/blobs/{manifest['config']['digest']}")
            platforms = [json.loads(config[1]).get("architecture")] if config else []
            size = sum(layer["size"] for layer in manifest["layers"])
        return {"digest": "sha256:" + hashlib.sha256(found[1]).hexdigest(), "size": size, "manifest": found[1].decode(),
                "type": found[0]["Content-Type"], "architectures": [p for p in platforms if p]}

    # --- the proxy ---

    @staticmethod
    def operation(method, path):
        """(name of the operation, repository, reference) of a request under /v2/."""
        for pattern, methods in PATHS:
            found = re.fullmatch(pattern, path.partition("?")[0])
            if found and method in methods:
                groups = found.groups() + (None,)
                return methods[method], groups[0], groups[1]
        return "unknown", None, None

    def refusal(self, operation, repository, reference, headers, ecr, body):
        """ECR's own refusal of a request as (status, body); None when the registry may answer."""
        given = headers.get("Authorization", "")
        if not given:
            return 401, errors("UNAUTHORIZED", "authentication required")
        if given != "Basic " + base64.b64encode(f"AWS:{self.password}".encode()).decode():
            return 403, errors("DENIED", "Your authorization token has expired. Reauthenticate and try again.")
        if repository and repository not in ecr.repositories:
            return 404, errors("NAME_UNKNOWN", f"The repository with name '{repository}' does not exist in the registry with id "
                               f"'{self.cloud['account']}'")
        if operation == "manifest-put" and ecr.repositories[repository]["imageTagMutability"] == "IMMUTABLE":
            if not reference.startswith("sha256:") and self.image(repository, reference):
                return 400, errors("TAG_INVALID", f"The image tag '{reference}' already exists in the '{repository}' repository "
                                   "and cannot be overwritten because the tag is immutable.")
        return None

    def forward(self, method, target, headers, body):
        """The registry's answer; body: bytes or an iterator of them."""
        self.start()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name.lower() not in ("connection", "transfer-encoding", "expect"):
                connection.putheader(name, value)
        chunked = "Content-Length" not in headers and method in ("PUT", "PATCH", "POST")
        if chunked:
            connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        for piece in body:
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            connection.send(b"0\r\n\r\n")
        return connection, connection.getresponse()
