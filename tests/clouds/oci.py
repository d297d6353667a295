"""A registry (OCI distribution) in memory that does as it is told, for tests (Python 3 stdlib).

    import oci
    registry = oci.Registry(auth="basic")                    # "none", "basic", "bearer"; a thread, stopped at exit
    registry.host                                            # "127.0.0.1:PORT"
    registry.fault("PUT", "/blobs/uploads/", cut=1000000)    # reset after so many bytes of the body
    registry.fault("POST", "/uploads/", status=429, headers={"Retry-After": "1"}, times=2)
    registry.requests, registry.calls()                      # what came: {"method", "path", "headers", "size"}
    registry.blobs, registry.manifests                       # what is there

Settings: location ("absolute", "relative", "query", "bare"), resume (how an interrupted upload is taken up: True, False:
its rest is refused, "stale": what came later is dropped and Range stands still, as ECR does), largest (of one request's body), mount (does it), immutable (tags),
digest, blob_digest (what the answer to a manifest or a blob says instead), silent (it says no digest), upload_host (another registry object that
takes the bytes).
"""
import atexit
import base64
import hashlib
import http.server
import json
import re
import socket
import struct
import threading
import urllib.parse
import uuid

USER, PASSWORD = "AWS", "pa:ss+/=word"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code, message="no", **headers):
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, Content_Type="application/json", **headers)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def body(self, cut=None, into=None):
        """The request's body; reset after `cut` bytes of it (None then). `into` gets what came all the same."""
        left = int(self.headers.get("Content-Length") or 0)
        out = into if into is not None else bytearray()
        start = len(out)
        while left > 0:
            want = min(left, 65536)
            if cut is not None:
                want = min(want, cut - (len(out) - start))
                if want <= 0:
                    self.reset()
                    return None
            piece = self.rfile.read(want)
            if not piece:
                self.close_connection = True
                return None
            out += piece
            left -= len(piece)
        return bytes(out[start:])

    def handle_all(self):
        registry = self.server.registry
        entry = {"method": self.command, "path": self.path, "headers": dict(self.headers),
                 "size": int(self.headers.get("Content-Length") or 0)}
        with registry.lock:
            registry.requests.append(entry)
            fault = registry.take_fault(entry)
        if self.path.startswith("/token"):
            return self.token(registry)
        if fault and "status" in fault:
            if self.body() is None:
                return None
            return self.refuse(fault["status"], fault.get("code", "UNKNOWN"), fault.get("message", "told to"),
                               **{k.replace("-", "_"): v for k, v in fault.get("headers", {}).items()})
        if registry.upload_only:
            return self.upload(registry, self.path, fault)
        if not registry.may(self.headers.get("Authorization")):
            self.body()
            return self.refuse(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=registry.challenge())
        path = self.path
        if re.match(r"/v2/[^?]+/blobs/uploads/", path):
            return self.upload(registry, path, fault)
        found = re.match(r"/v2/([^?]+)/(blobs|manifests)/([^/?]+)$", path)
        if not found:
            self.body()
            return self.refuse(404, "NAME_UNKNOWN")
        name, kind, reference = found.groups()
        return self.blob(registry, reference) if kind == "blobs" else self.manifest(registry, name, reference, fault)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_all

    def token(self, registry):
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        wanted = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        registry.scopes = query.get("scope")
        if registry.auth == "bearer" and self.headers.get("Authorization") != wanted:
            return self.refuse(401, "UNAUTHORIZED", "wrong password")
        registry.tokens.append(uuid.uuid4().hex)
        return self.answer(200, json.dumps({"token": registry.tokens[-1], "expires_in": 60}).encode())

    def blob(self, registry, digest):
        if digest not in registry.blobs:
            return self.refuse(404, "BLOB_UNKNOWN")
        if registry.blob_host and self.command == "GET":
            registry.blob_host.blobs.update(registry.blobs)
            return self.answer(307, Location=f"http://{registry.blob_host.host}/v2/x/blobs/{digest}")
        return self.answer(200, registry.blobs[digest], Docker_Content_Digest=digest)

    def manifest(self, registry, name, reference, fault):
        key = (name, reference)
        if self.command == "PUT":
            body = self.body(fault and fault.get("cut"))
            if body is None:
                return None
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            if registry.immutable and registry.manifests.get(key, (body, ""))[0] != body or registry.immutable == "always":
                return self.refuse(400, "TAG_INVALID", f"The image tag '{reference}' already exists in the '{name}' repository "
                                   "and cannot be overwritten because the tag is immutable.")
            registry.manifests[key] = registry.manifests[(name, digest)] = (body, self.headers["Content-Type"])
            said = registry.digest or digest
            return self.answer(201, **({} if registry.silent else {"Docker_Content_Digest": said}))
        if key not in registry.manifests:
            return self.refuse(404, "MANIFEST_UNKNOWN")
        body, kind = registry.manifests[key]
        said = registry.digest or "sha256:" + hashlib.sha256(body).hexdigest()
        return self.answer(200, body, Content_Type=kind, **({} if registry.silent else {"Docker_Content_Digest": said}))

    # --- uploads ---

    def upload(self, registry, path, fault):
        parts = urllib.parse.urlparse(path)
        query = urllib.parse.parse_qs(parts.query)
        if self.command == "POST":
            return self.begin(registry, parts.path, query)
        uid = parts.path.rstrip("/").rpartition("/")[2]
        if uid not in registry.uploads:
            self.body()
            return self.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        if registry.location == "query" and query.get("_state") != [f"of {uid}"]:
            self.body()
            return self.refuse(400, "BLOB_UPLOAD_INVALID", "no state")
        have = registry.uploads[uid]
        if self.command == "GET":
            if not registry.resume:
                return self.refuse(416, "RANGE_INVALID")
            return self.answer(204, Location=registry.place(uid), Range=f"0-{max(len(have) - 1, 0)}")
        return self.take(registry, uid, have, query, fault)

    def take(self, registry, uid, have, query, fault):
        if registry.largest and int(self.headers.get("Content-Length") or 0) > registry.largest:
            self.body()
            return self.refuse(413, "SIZE_INVALID", "too long")
        given = self.headers.get("Content-Range")
        if given and int(given.partition("-")[0]) != len(have) and registry.resume != "stale":
            self.body()
            return self.refuse(416, "RANGE_INVALID")
        stale = registry.resume == "stale" and len(have) > 0
        if self.body(fault and fault.get("cut"), bytearray() if stale else have) is None:
            return None
        if self.command == "PATCH":
            return self.answer(201 if registry.resume == "stale" else 202, Location=registry.place(uid),
                               Range=f"0-{len(have) - 1}")
        digest = "sha256:" + hashlib.sha256(have).hexdigest()
        if query.get("digest") != [digest] or registry.corrupt:
            del registry.uploads[uid]
            return self.refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
        registry.blobs[digest] = bytes(registry.uploads.pop(uid))
        if registry.home:
            registry.home.blobs[digest] = registry.blobs[digest]
        if fault and fault.get("cut_after"):
            return self.reset()
        return self.answer(201, Location=f"/v2/x/blobs/{digest}", Docker_Content_Digest=registry.blob_digest or digest)

    def begin(self, registry, path, query):
        self.body()
        if "mount" in query and registry.mount:
            registry.blobs[query["mount"][0]] = b"mounted"
            return self.answer(201, Location="/x", Docker_Content_Digest=query["mount"][0])
        uid = uuid.uuid4().hex
        keeper = registry.upload_host or registry
        keeper.uploads[uid] = bytearray()
        keeper.home = registry if keeper is not registry else None
        return self.answer(202, Location=keeper.place(uid, path), Range="0-0")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Registry:
    def __init__(self, auth="none", **settings):
        self.auth, self.lock = auth, threading.Lock()
        self.location, self.resume, self.mount, self.largest = "absolute", True, False, 0
        self.immutable = self.silent = self.corrupt = self.upload_only = False
        self.digest = self.blob_digest = self.upload_host = self.blob_host = self.home = self.scopes = self.realm = None
        self.requests, self.faults, self.tokens = [], [], []
        self.blobs, self.manifests, self.uploads = {}, {}, {}
        for name, value in settings.items():
            assert hasattr(self, name), name
            setattr(self, name, value)
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.registry = self
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        atexit.register(self.server.shutdown)

    def fault(self, method, part, times=1, **what):
        self.faults.append({"method": method, "part": part, "times": times, **what})

    def take_fault(self, request):
        for fault in self.faults:
            if (fault["times"] > 0 and fault["method"] in (request["method"], "*") and fault["part"] in request["path"]
                    and request["size"] > fault.get("cut", -1)):
                fault["times"] -= 1
                return fault
        return None

    def may(self, authorization):
        if self.auth == "none":
            return True
        if self.auth == "basic":
            return authorization == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return bool(self.tokens) and authorization == "Bearer " + self.tokens[-1]

    def challenge(self):
        if self.auth == "basic":
            return 'Basic realm="https://ecr.example/",service="ecr.amazonaws.com"'
        realm = self.realm or f"http://{self.host}/token"
        return f'Bearer realm="{realm}",service="a registry",scope="repository:acme/shop:pull,push"'

    def place(self, uid, path="/v2/acme/shop/blobs/uploads/"):
        path = path.split("?")[0].rstrip("/") + "/" + uid if path.endswith("uploads/") else path
        return {"absolute": f"http://{self.host}{path}", "relative": path, "bare": f"{uid}",
                "query": f"http://{self.host}{path}?_state=of%20{uid}"}[self.location]

    def calls(self):
        """"PUT blobs/uploads", … in order, one for each request."""
        out = []
        for request in self.requests:
            path = request["path"].partition("?")[0]
            found = re.search(r"/(blobs/uploads|blobs|manifests|token)\b", path)
            out.append(f"{request['method']} {found.group(1) if found else path}")
        return out
