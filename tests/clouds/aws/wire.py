"""HTTP: which service and operation a request is, its answer in that service's protocol, and the faults on the way."""
import http.server
import json
import re
import socket
import struct
import time
import urllib.parse

import metadata
import sigv4
from cloud import AwsError
from faults import patched
from sts import answer_xml, error_xml

# Codes that any operation may answer with, besides those of its model.
COMMON = {"AccessDeniedException", "ValidationException", "UnknownOperationException", "SerializationException",
          "ValidationError", "AccessDenied", "InvalidParameterException"}


class Cut(Exception):
    """The connection is to be reset."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 120
    disable_nagle_algorithm = True
    world = None  # set by aws.py

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.world.cloud.now() if timestamp is None else timestamp)

    def version_string(self):
        return "stand-in"

    # --- in and out ---

    def pieces(self):
        """The body, piece by piece."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    while self.rfile.readline().strip():
                        pass
                    return
                left = size
                while left:
                    piece = self.rfile.read(min(left, 65536))
                    if not piece:
                        raise Cut
                    left -= len(piece)
                    yield piece
                self.rfile.readline()
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                raise Cut
            left -= len(piece)
            yield piece

    def send(self, status, headers, body, fault=None):
        fault = fault or {}
        if fault.get("cut"):
            raise Cut
        data = body if isinstance(body, bytes) else body.encode()
        headers = {**headers, **fault.get("headers", {})}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            if "truncate" in fault:
                data = data[:fault["truncate"]]
                self.close_connection = True
            self.wfile.write(data)

    def reset_connection(self):
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except Cut:
            self.reset_connection()
        except (ConnectionError, socket.timeout, ValueError):
            self.close_connection = True

    def do_any(self):
        path = self.path
        try:
            if path.startswith("/_control/"):
                self.control(path[len("/_control/"):])
            elif path.startswith("/v2"):
                self.data_plane()
            elif metadata.operation(self.command, path):
                self.metadata_request()
            else:
                self.operation()
        except (Cut, ConnectionError):
            raise
        except Exception as e:  # a mistake of the stand-in must not look like the cloud's
            self.world.cloud.complain(f"{self.command} {path}: {type(e).__name__}: {e}")
            if self.world.verbose:
                raise
            self.send(500, {}, f"the stand-in failed: {e}")
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_HEAD = do_PATCH = do_DELETE = do_any

    def do_CONNECT(self):
        """An HTTPS proxy for the hosts of the services' URLs."""
        host = self.path.partition(":")[0]
        cloud = self.world.cloud
        with cloud.lock:
            cloud.record({"service": "proxy", "operation": "CONNECT", "path": self.path, "method": "CONNECT"})
            fault = cloud.faults.take("proxy", "CONNECT")
            known = host in self.world.apps.hosts
        time.sleep(fault.get("delay", 0))
        if fault.get("cut"):
            raise Cut
        self.close_connection = True
        if not known or "status" in fault:
            return self.send(fault.get("status", 502), {}, "no such host")
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return self.world.apps.tunnel(self.connection, host)

    # --- the control endpoint ---

    def control(self, what):
        body = b"".join(self.pieces())
        try:
            with self.world.cloud.lock:
                result = self.world.control(what, json.loads(body) if body else None)
            status = 200
        except Exception as e:
            status, result = 400, {"error": f"{type(e).__name__}: {e}"}
        self.send(status, {"Content-Type": "application/json"}, json.dumps(result, default=str))

    # --- recording and faults ---

    def entry(self, service, operation, body=None):
        headers = {}
        for name, value in self.headers.items():
            headers[name.lower()] = value
        return {"service": service, "operation": operation, "method": self.command, "path": self.path, "headers": headers,
                "at": self.world.cloud.now(), "body": body}

    def begin(self, entry):
        """Record the request and take its fault."""
        cloud = self.world.cloud
        with cloud.lock:
            cloud.record(entry)
            fault = cloud.faults.take(entry["service"], entry["operation"])
            if fault:
                entry["fault"] = {k: v for k, v in fault.items() if k not in ("do", "then")}
            if fault.get("cut") == "before":
                raise Cut
        return fault

    # --- AWS's operations ---

    def operation(self):
        world, cloud = self.world, self.world.cloud
        body = b"".join(self.pieces())
        service, name = self.which(body)
        text = body.decode("utf-8", "replace")
        entry = self.entry(service, name, text)
        fault = self.begin(entry)
        request_id = cloud.uuid()
        try:
            entry["key"] = self.signed_by(service, name, body)
            done = None
            if "code" not in fault and "body" not in fault or fault.get("effect"):
                done = self.perform(service, name, body, entry, fault)
            if "code" in fault:
                raise AwsError(fault["code"], fault.get("message", ""), fault.get("status", 400), fault.get("key"))
            status, headers, out = self.good(service, name, done, request_id, fault)
        except sigv4.Refused as e:
            with cloud.lock:
                cloud.refused.append(f"{service}.{name}: {e.code}: {e.message.splitlines()[0]}")
            code = e.query_code if service == "sts" else e.code
            status, headers, out = self.bad(service, AwsError(code, e.message, e.status, "message"), request_id)
            if service == "sts":
                status = 403
        except AwsError as e:
            if service in world.services and "code" not in fault:
                self.check_error(service, name, e)
            status, headers, out = self.bad(service, e, request_id)
        entry["status"] = status
        time.sleep(fault.get("delay", 0))
        self.send(status, headers, out, fault)

    def which(self, body):
        """(service, operation), "unknown" when it is none that we know."""
        target = self.headers.get("X-Amz-Target")
        if target:
            prefix, _, name = target.partition(".")
            for service, model in self.world.models.items():
                if model.metadata.get("targetPrefix") == prefix and name in model.operations:
                    return service, name
            return "unknown", target
        action = urllib.parse.parse_qs(body.decode("utf-8", "replace")).get("Action", ["?"])[0]
        return ("sts", action) if action in self.world.models["sts"].operations else ("unknown", action)

    def signed_by(self, service, name, body):
        if service not in self.world.services:
            raise AwsError("UnknownOperationException", f"{name} is no operation that the stand-in knows", 404)
        cloud, handler = self.world.cloud, self.world.services[service]
        if name in getattr(handler, "unsigned", ()):
            if "Authorization" in self.headers:
                cloud.refused.append(f"{service}.{name}: signed, and need not be")
            return None
        with cloud.lock:
            return sigv4.check(self.command, self.path, list(self.headers.items()), body, (cloud["region"], handler.signing),
                               cloud.now(), cloud.find_key)

    def perform(self, service, name, body, entry, fault):
        """Check the parameters, do it, check the answer."""
        world, cloud = self.world, self.world.cloud
        handler, model = world.services[service], world.models[service]
        p, problems = self.parameters(service, name, body)
        entry["params"] = p
        problems = problems or model.problems(name, "input", p)
        if problems:
            with cloud.lock:
                cloud.refused.append(f"{service}.{name}: {'; '.join(problems)}")
            raise AwsError(handler.invalid_code, f"{len(problems)} validation error(s) detected: {'; '.join(problems)}",
                           key="message")
        method = getattr(handler, name, None)
        if not method:
            raise AwsError("UnknownOperationException", f"the stand-in has no {name}", 404)
        with cloud.lock:
            cloud.act(fault.get("do", []))
            if service == "sts":
                handler.caller = cloud.keys[entry["key"]]["arn"] if entry["key"] else None
            answer = method(p)
            answer = json.loads(json.dumps(answer))
            for problem in model.problems(name, "output", answer):
                cloud.complain(f"answer of {service}.{name}: {problem}")
            for member in getattr(handler, "omit", []):
                answer.pop(member, None)
            if hasattr(handler, "omit"):
                handler.omit.clear()
            cloud.act(fault.get("then", []))
        return answer

    def parameters(self, service, name, body):
        """(parameters, problems)"""
        model = self.world.models[service]
        kind = self.headers.get("Content-Type", "")
        if self.command != "POST" or self.path != "/":
            return {}, [f"{self.command} {self.path}: expected POST /"]
        if service == "sts":
            return query_parameters(model, name, body, kind)
        wanted = f"application/x-amz-json-{model.metadata['jsonVersion']}"
        if kind != wanted:
            return {}, [f"Content-Type: expected {wanted}, got {kind}"]
        try:
            p = json.loads(body, object_pairs_hook=once)
        except ValueError as e:
            return {}, [f"body: {e}"]
        return p, [] if isinstance(p, dict) else ["body: expected an object"]

    def check_error(self, service, name, error):
        model = self.world.models[service]
        if error.code not in model.errors_of(name) | COMMON:
            self.world.cloud.complain(f"{service}.{name} refused with {error.code}, which its model does not know")

    def good(self, service, name, done, request_id, fault):
        status = fault.get("status", 200)
        if "body" in fault:
            return status, {"Content-Type": fault.get("type", "application/x-amz-json-1.0"), "x-amzn-RequestId": request_id}, \
                fault["body"]
        done = patched(done, fault.get("patch", {}))
        if service == "sts":
            return status, {"Content-Type": "text/xml", "x-amzn-RequestId": request_id}, answer_xml(
                name, timestamps(done), request_id)
        version = self.world.models[service].metadata["jsonVersion"]
        return status, {"Content-Type": f"application/x-amz-json-{version}", "x-amzn-RequestId": request_id}, \
            json.dumps(done, ensure_ascii=False)

    def bad(self, service, error, request_id):
        headers = {"x-amzn-RequestId": request_id}
        if service == "sts":
            return error.status, {**headers, "Content-Type": "text/xml"}, error_xml(
                error.code, error.message, error.status, request_id)
        model = self.world.models.get(service)
        handler = self.world.services.get(service)
        version = model.metadata["jsonVersion"] if model else "1.0"
        key = error.key or "Message"
        space = getattr(handler, "errors", "") if key == "Message" else ""
        if not space:
            headers["x-amzn-ErrorType"] = error.code
        return error.status, {**headers, "Content-Type": f"application/x-amz-json-{version}"}, json.dumps(
            {"__type": space + error.code, key: error.message})

    # --- metadata ---

    def metadata_request(self):
        b"".join(self.pieces())
        what = metadata.operation(self.command, self.path)
        entry = self.entry(*what)
        fault = self.begin(entry)
        with self.world.cloud.lock:
            self.world.cloud.act(fault.get("do", []))
            status, headers, body = self.world.metadata.answer(what, self.command, self.path, self.headers)
            self.world.cloud.act(fault.get("then", []))
        if "code" in fault:
            body = json.dumps({"Code": fault["code"], "Message": fault.get("message", "")})
        elif "body" in fault:
            body = fault["body"]
        elif "patch" in fault:
            body = json.dumps(patched(json.loads(body), fault["patch"]))
        entry["status"] = fault.get("status", status)
        time.sleep(fault.get("delay", 0))
        self.send(entry["status"], headers, body, fault)

    # --- ECR's data plane ---

    def data_plane(self):
        world = self.world
        name, repository, reference = world.registry.operation(self.command, self.path)
        entry = self.entry("registry", name)
        fault = self.begin(entry)
        time.sleep(fault.get("delay", 0))
        small = name == "manifest-put"
        body = [b"".join(self.pieces())] if small else self.pieces()
        with world.cloud.lock:
            world.cloud.act(fault.get("do", []))
            refusal = world.registry.refusal(name, repository, reference, self.headers, world.services["ecr"], body)
        if "status" in fault and not fault.get("effect") or refusal:
            for _ in body:
                pass
            status, text = refusal or (fault["status"], fault.get("body", json.dumps(
                {"errors": [{"code": fault.get("code", "UNKNOWN"), "message": fault.get("message", "")}]})))
            entry["status"] = status
            more = {"WWW-Authenticate": 'Basic realm="https://ecr"'} if status == 401 else {}
            return self.send(status, {"Content-Type": fault.get("type", "application/json"), **more}, text, fault)
        return self.pass_on(entry, fault, body, repository, reference)

    def pass_on(self, entry, fault, body, repository, reference):
        world = self.world
        if "truncate" in fault:
            body = broken(body, fault["truncate"])
        connection, answer = world.registry.forward(self.command, self.path, self.headers, body)
        try:
            entry["status"] = answer.status
            if entry["operation"] == "manifest-put" and answer.status == 201:
                with world.cloud.lock:
                    world.pushed(repository, reference)
            with world.cloud.lock:
                world.cloud.act(fault.get("then", []))
            if fault.get("cut"):
                raise Cut
            if "status" in fault:
                return self.send(fault["status"], {}, fault.get("body", ""), fault)
            self.send_response(answer.status)
            for header, value in answer.getheaders():
                if header.lower() == "location" and world.cloud["registry_location"] == "relative":
                    value = re.sub("^https?://[^/]+", "", value)
                if header.lower() not in ("connection", "date", "transfer-encoding"):
                    self.send_header(header, value)
            chunked = answer.getheader("Content-Length") is None and self.command != "HEAD" and answer.status != 204
            if chunked:
                self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            while piece := answer.read(65536):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        finally:
            connection.close()


def broken(body, size):
    """The first bytes of a body, then the connection is lost."""
    for piece in body:
        if len(piece) >= size:
            raise Cut
        size -= len(piece)
        yield piece
    raise Cut


def once(pairs):
    """An object whose names come once each."""
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name comes twice in {names}")
    return dict(pairs)


def timestamps(value):
    """STS writes the Expiration as a date: floats are dates there."""
    if isinstance(value, dict):
        return {k: float(v) if k == "Expiration" else timestamps(v) for k, v in value.items()}
    return value


def query_parameters(model, name, body, kind):
    if not kind.startswith("application/x-www-form-urlencoded"):
        return {}, [f"Content-Type: expected application/x-www-form-urlencoded, got {kind}"]
    pairs = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True)
    fields = dict(pairs)
    problems = [f"{k} comes twice" for k in fields if [n for n, _ in pairs].count(k) > 1]
    if fields.pop("Version", None) != "2011-06-15":
        problems.append("Version: expected 2011-06-15")
    fields.pop("Action", None)
    return nested(model, model.shape_of(name, "input"), fields), problems


def nested(model, reference, fields):
    """Parameters from 'Name', 'List.member.1', 'List.member.1.Member'."""
    shape = model.resolve(reference)
    kind = shape["type"]
    if kind in ("integer", "long", "double", "boolean"):
        text = fields.get("", "")
        if kind == "boolean":
            return {"true": True, "false": False}.get(text, text)
        return int(text) if re.fullmatch(r"-?\d+", text) else text
    if kind == "string":
        return fields.get("", "")
    groups = {}
    for path, value in fields.items():
        head, _, rest = path.partition(".")
        groups.setdefault(head, {})[rest] = value
    if kind == "list":
        rows = {}
        for rest, value in groups.get("member", {}).items():
            number, _, deeper = rest.partition(".")
            rows.setdefault(int(number), {})[deeper] = value
        return [nested(model, shape["member"], rows[i]) for i in sorted(rows)]
    members = shape.get("members", {})
    return {k: nested(model, members[k], v) if k in members else v.get("", v) for k, v in groups.items()}
