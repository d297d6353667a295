#!/usr/bin/python3
"""Images pushed straight to a registry: Debian's docker-registry, and one that does as it is told."""
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(__file__))
sys.path.append("tests/clouds")
import harness as h
import oci

MIB = 1 << 20
TOOL = os.path.join(h.BUILD, "tests/tools/registry")
work = h.folder()
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(*files):
    """A tar of (name, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def write_tar(name, files, links=()):
    path = os.path.join(work, name)
    with tarfile.open(path, "w") as tar:
        for member, data in files:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for member, target in links:
            info = tarfile.TarInfo(member)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return path


def save(name, layers, architecture="amd64", diff_ids=None, links=(), stored=None):
    """A tar as docker save 20.10 writes it, and the image's id. stored: what lies there instead of the plain layers."""
    config = json.dumps({"os": "linux", "architecture": architecture, "rootfs": {
        "type": "layers", "diff_ids": diff_ids or [sha(data) for data in layers]}}).encode()
    names = [f"{i:064x}/layer.tar" for i in range(len(layers))]
    linked = {member for member, _ in links}
    files = [(n, d) for n, d in zip(names, stored or layers) if n not in linked]
    files.append((sha(config)[7:] + ".json", config))
    files.append(("manifest.json", json.dumps([{"Config": sha(config)[7:] + ".json", "RepoTags": None,
                                                "Layers": names}]).encode()))
    return write_tar(name, files, links), sha(config)


def run(do="push", host=None, name="acme/shop", tag="v1", login=True, **more):
    what = {"do": do, "host": host, "name": name, "tag": tag, "folder": work, **more}
    if login:
        what.update(username=oci.USER, password=oci.PASSWORD)
    done = subprocess.run([TOOL, json.dumps(what)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    h.ok(oci.PASSWORD not in done.stdout + done.stderr or do == "raw", f"{do} {tag}: no password in what it says", done.stdout)
    return json.loads(done.stdout) if done.returncode == 0 else {"error": done.stderr, "kind": "crash"}


def stored(registry, tag="v1", name="acme/shop"):
    """(manifest, unpacked layers) of what a scripted registry has."""
    body, _ = registry.manifests[(name, tag)]
    manifest = json.loads(body)
    return manifest, [gzip.decompress(registry.blobs[part["digest"]]) for part in manifest["layers"]]


ONE = layer(("app", os.urandom(3000)))
BIG = layer(("big", os.urandom(6 * MIB)))
image, image_id = save("image.tar", [ONE, BIG])


# --- what goes over, and how it logs in ---

def push_well(auth, location):
    registry = oci.Registry(auth, location=location)
    told = run(host=registry.host, archive=image)
    what = f"{auth}, Location {location}"
    if not h.ok("digest" in told, f"aws edge 50: pushed ({what})", told):
        return
    manifest, layers = stored(registry)
    h.same(told["digest"], sha(registry.manifests[("acme/shop", "v1")][0]), f"the digest is the stored one ({what})")
    h.same(manifest["config"]["digest"], image_id, f"the image keeps its id ({what})")
    h.ok(layers == [ONE, BIG], f"the layers are as they were ({what})")
    h.same([registry.manifests[("acme/shop", "v1")][1], manifest["mediaType"]], [DOCKER] * 2, f"media type ({what})")
    h.same(registry.uploads, {}, f"no upload left behind ({what})")


for kind, where in [("none", "relative"), ("basic", "absolute"), ("bearer", "query"), ("basic", "bare")]:
    push_well(kind, where)

registry = oci.Registry("basic")
run(host=registry.host, archive=image)
h.ok(all("Authorization" in r["headers"] for r in registry.requests), "Basic goes with every request, unasked")
registry.requests.clear()
told = run(host=registry.host, archive=image)
h.same(registry.calls(), ["GET manifests"], "the same image under the same tag: nothing is sent", told)
registry.requests.clear()
run(host=registry.host, archive=image, tag="v2")
h.ok("POST blobs/uploads" not in registry.calls() and "PUT manifests" in registry.calls(),
     "under another tag: only a manifest", registry.calls())
h.same(run("digest", registry.host).get("digest"), told.get("digest"), "the digest of a tag")
h.same(run("platforms", registry.host).get("platforms"), ["linux/amd64"], "the platform of an image")
h.same(run("digest", registry.host, tag="none").get("kind"), "absent", "a tag that isn't there")
registry.silent = True
h.same(run("digest", registry.host).get("digest"), told.get("digest"), "the digest where the registry doesn't say it")
h.ok("digest" in run(host=registry.host, archive=image, tag="v3"), "pushed where the registry doesn't say digests")
h.same(run(host=registry.host, archive=image, login=False).get("kind"), "auth", "anonymous, and refused")

registry = oci.Registry("bearer")
run(host=registry.host, archive=image)
h.same(registry.scopes, ["repository:acme/shop:pull,push"], "the token is asked for with the challenge's scope")
h.same(registry.calls().count("GET token"), 1, "one token serves the whole push")
registry.tokens.append("another")  # ours has ended
registry = oci.Registry("bearer")
registry.fault("PUT", "/manifests/", status=401, headers={"WWW-Authenticate": registry.challenge()})
h.ok("digest" in run(host=registry.host, archive=image), "a token that ends in mid-push is renewed")
registry = oci.Registry("bearer", realm="http://127.0.0.1:1/token")
told = run(host=registry.host, archive=image)
h.ok("error" in told, "a token service that can't be reached", told)

registry = oci.Registry("none")
h.same(run(host=registry.host, archive=write_tar("empty.tar", [("x", b"")])).get("kind"), "usage", "a tar with no image")
bad, _ = save("bad.tar", [ONE], diff_ids=[sha(b"else")])
told = run(host=registry.host, archive=bad)
h.has(told.get("error"), "as its configuration says", "a layer that isn't the image's is refused")
h.same(registry.manifests, {}, "and no manifest stored")
twice, _ = save("twice.tar", [ONE, BIG, ONE], links=[(f"{2:064x}/layer.tar", f"../{0:064x}/layer.tar")])
h.ok("digest" in run(host=registry.host, archive=twice), "a layer that is a link to another")
h.same(len(stored(registry)[1]), 3, "is pushed as a layer of its own")
packed, _ = save("packed.tar", [ONE, BIG], stored=[gzip.compress(ONE), gzip.compress(BIG)])
h.ok("digest" in run(host=registry.host, archive=packed, tag="p"), "layers that are compressed already")
h.ok(stored(registry, "p")[1] == [ONE, BIG] and sha(gzip.compress(ONE)) != "", "go as they are")
h.ok("error" in run(host=registry.host, archive="/etc/hostname"), "what is no tar")
with open(image, "rb") as f:
    half = f.read(4 * MIB)
with open(os.path.join(work, "half.tar"), "wb") as f:
    f.write(half)
h.has(run(host=registry.host, archive=os.path.join(work, "half.tar")).get("error"), "cut off", "half a tar")


# --- OCI layouts ---

def descriptor(data, kind, **more):
    return {"mediaType": kind, "digest": sha(data), "size": len(data), **more}


def layout(name, architectures):
    blobs, children = {}, []
    for architecture in architectures:
        config = json.dumps({"os": "linux", "architecture": architecture, "rootfs": {"diff_ids": [sha(ONE)]}}).encode()
        body = gzip.compress(ONE)
        manifest = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                               "config": descriptor(config, "application/vnd.oci.image.config.v1+json"),
                               "layers": [descriptor(body, "application/vnd.oci.image.layer.v1.tar+gzip")]}).encode()
        for data in (config, body, manifest):
            blobs[sha(data)] = data
        children.append(descriptor(manifest, "application/vnd.oci.image.manifest.v1+json",
                                   platform={"os": "linux", "architecture": architecture}))
    if len(children) > 1:
        index = json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
                            "manifests": children}).encode()
        blobs[sha(index)] = index
        children = [descriptor(index, "application/vnd.oci.image.index.v1+json")]
    files = [("oci-layout", b'{"imageLayoutVersion":"1.0.0"}'),
             ("index.json", json.dumps({"schemaVersion": 2, "manifests": children}).encode())]
    files += [(f"blobs/sha256/{digest[7:]}", data) for digest, data in blobs.items()]
    return write_tar(name, files), children[0]["digest"]


registry = oci.Registry("basic")
path, digest = layout("one.tar", ["amd64"])
h.same(run(host=registry.host, archive=path).get("digest"), digest, "an OCI layout keeps its digest")
path, digest = layout("many.tar", ["arm64", "amd64"])
h.same(run(host=registry.host, archive=path, tag="many").get("digest"), digest, "an index goes with all its images")
h.same(run("platforms", registry.host, tag="many").get("platforms"), ["linux/arm64", "linux/amd64"],
       "aws edge 34: the platforms of an index")

# --- trouble ---


def pushed_through(name, setup, auth="basic", want=True, archive=image, **more):
    """The registry and the answer of a push that meets what `setup` prepares."""
    settings = {k: more.pop(k) for k in list(more) if hasattr(oci.Registry, k) or k in (
        "resume", "largest", "immutable", "digest", "blob_digest", "location", "mount", "corrupt", "upload_host", "blob_host")}
    there = oci.Registry(auth, **settings)
    setup(there)
    answer = run(host=there.host, archive=archive, **more)
    h.ok(("digest" in answer) == want, name, answer, there.calls())
    if want and "digest" in answer:
        h.ok(stored(there)[1][-1] == BIG, f"{name}: and whole", there.calls())
    return there, answer


there, told = pushed_through("aws edge 50: cut in mid-blob, resumed", lambda r: r.fault("PUT", "/uploads/", cut=4 * MIB))
resumed = [r for r in there.requests if "Content-Range" in r["headers"]]
h.same([r["method"] for r in resumed], ["PUT"], "what came before the cut isn't sent again", there.calls())
h.ok(resumed and 0 < resumed[0]["size"] < 3 * MIB, "only the rest is", resumed)
there, told = pushed_through("aws edge 50: cut in mid-blob, a registry that can't resume",
                             lambda r: r.fault("PUT", "/uploads/", cut=4 * MIB), resume=False)
there, told = pushed_through("aws edge 50: cut in mid-blob, a registry that drops the rest (ECR)",
                             lambda r: r.fault("PUT", "/uploads/", cut=4 * MIB), resume="stale")
there, told = pushed_through("cut after the blob was stored", lambda r: r.fault("PUT", "/uploads/", cut_after=True))
there, told = pushed_through("cut three times", lambda r: r.fault("PUT", "/uploads/", cut=MIB, times=3), resume=False)
there, told = pushed_through("cut always", lambda r: r.fault("PUT", "/uploads/", cut=MIB, times=99), want=False, resume=False)
h.same(told.get("kind"), "transient", "cut always: it may pass, but not now")
h.ok(len(there.requests) < 60, "cut always: and it ends", len(there.requests))
there, told = pushed_through("cut always, each time further on: it gets there",
                             lambda r: r.fault("PUT", "/uploads/", cut=MIB // 2, times=12))
pushed_through("aws edge 50: 429 with Retry-After", lambda r: r.fault("POST", "/uploads/", status=429, times=2,
                                                                      headers={"Retry-After": "7"}))
there, told = pushed_through("429 on a blob", lambda r: r.fault("PUT", "/uploads/", status=429, times=2,
                                                                headers={"Retry-After": "20"}))
h.ok(told["waited"] >= 39000, "Retry-After is waited for", told["waited"])
there, told = pushed_through("429 for an hour", lambda r: r.fault("POST", "/uploads/", status=429, times=99,
                                                                 headers={"Retry-After": "3600"}), want=False)
h.ok(told.get("kind") == "transient" and told["waited"] < 5000, "429 for an hour: not waited for", told)
pushed_through("503 on everything twice", lambda r: r.fault("*", "/v2/", status=503, times=2))
pushed_through("500 on a manifest", lambda r: r.fault("PUT", "/manifests/", status=500, times=2))
there, told = pushed_through("500 for ever", lambda r: r.fault("*", "/v2/", status=500, times=999), want=False)
h.same(told.get("kind"), "transient", "500 for ever: transient")
pushed_through("an upload that the registry forgot", lambda r: r.fault("PUT", "/uploads/", status=404,
                                                                       code="BLOB_UPLOAD_UNKNOWN"))
there, told = pushed_through("other bytes than were sent", lambda r: None, want=False, corrupt=True)
h.has(told.get("error"), "DIGEST_INVALID", "other bytes than were sent: said so")
there, told = pushed_through("aws edge 50: digest mismatch of the manifest", lambda r: None, want=False, digest=sha(b"x"))
h.has(told.get("error"), "expected sha256:", "digest mismatch: says what was expected")
there, told = pushed_through("digest mismatch of a blob", lambda r: None, want=False, blob_digest=sha(b"x"))
h.same(told.get("kind"), "remote", "digest mismatch of a blob: refused")
there, told = pushed_through("no such repository", lambda r: r.fault("POST", "/uploads/", status=404, code="NAME_UNKNOWN"),
                             want=False)
h.same(told.get("kind"), "absent", "no such repository: ERR_ABSENT")
there, told = pushed_through("not allowed", lambda r: r.fault("POST", "/uploads/", status=403, code="DENIED",
                                                             message="not authorized\nto push"), want=False)
h.ok(told.get("kind") == "auth" and "\n" not in told["error"] and "DENIED" in told["error"], "not allowed: one line", told)
there, told = pushed_through("in pieces where the registry takes no longer ones", lambda r: None, largest=2 * MIB)
h.ok(any(c == "PATCH blobs/uploads" for c in there.calls()), "pieces are PATCHed", there.calls())
there, told = pushed_through("in pieces because we were told to", lambda r: None, piece=MIB)
h.same(max(r["size"] for r in there.requests), MIB, "no request is longer than that")
there, told = pushed_through("in pieces, and the registry drops them (ECR)", lambda r: None, piece=MIB, resume="stale")
there, told = pushed_through("cut within a piece", lambda r: r.fault("PATCH", "/uploads/", cut=MIB // 2), piece=MIB)
there, told = pushed_through("mounted from another repository", lambda r: r.blobs.update(
    {}), want=True, mount=False, **{"from": ["acme/base"]})
h.ok(any("mount=sha256" in r["path"] and "from=acme/base" in r["path"] for r in there.requests), "a mount was asked for")
there = oci.Registry("basic", mount=True)
told = run(host=there.host, archive=image, **{"from": ["acme/base"]})
h.ok("digest" in told and any("mounted" in line for line in told["said"]), "mounted layers aren't sent", told)
h.same(sum(r["size"] > MIB for r in there.requests), 0, "nothing large went over")

# --- tags that stay ---

first = oci.Registry("basic", immutable=True)
h.ok("digest" in run(host=first.host, archive=image), "aws edge 50: the first push of an immutable tag")
again = run(host=first.host, archive=image)
h.ok("digest" in again, "aws edge 50: the same image under an immutable tag is fine", again)
other, _ = save("other.tar", [BIG])
told = run(host=first.host, archive=other)
h.same(told.get("kind"), "conflict", "aws edge 50: another image under an immutable tag")
h.has(told.get("error"), "use another tag", "and what to do")

# --- redirects ---

elsewhere = oci.Registry("none", upload_only=True)
there, told = pushed_through("uploads that go to another host", lambda r: None, upload_host=elsewhere)
h.ok(elsewhere.requests and not any("Authorization" in r["headers"] for r in elsewhere.requests),
     "aws edge 50: no password goes to another host", elsewhere.requests[:1])
blobs = oci.Registry("none")
there = oci.Registry("basic", blob_host=blobs)
run(host=there.host, archive=image)
h.same(run("platforms", there.host).get("platforms"), ["linux/amd64"], "a blob that another host gives")
h.ok(blobs.requests and not any("Authorization" in r["headers"] for r in blobs.requests),
     "aws edge 53: Authorization doesn't follow a redirect")
there = oci.Registry("basic")
there.fault("PUT", "/uploads/", status=307, headers={"Location": f"http://{elsewhere.host}/v2/x/blobs/uploads/none"}, times=1)
told = run(host=there.host, archive=image)
h.ok(not any("Authorization" in r["headers"] for r in elsewhere.requests), "nor an upload's redirect", told)
there = oci.Registry("basic")
there.fault("*", "/v2/", status=307, headers={"Location": "/v2/again"}, times=99)
h.has(run(host=there.host, archive=image).get("error"), "redirected more than", "redirects without end")
there = oci.Registry("basic")
there.fault("*", "/v2/", status=307, headers={"Location": "ftp://127.0.0.1/x"}, times=99)
h.has(run(host=there.host, archive=image).get("error"), "can't be read", "a redirect to another scheme")
h.ok("error" in run(host="no such/host", archive=image), "a host that is none")

# --- Debian's registry ---

if shutil.which("docker-registry") and shutil.which("htpasswd"):
    folder, port = h.folder(), h.free_port()
    subprocess.run(["htpasswd", "-Bbc", f"{folder}/users", oci.USER, oci.PASSWORD], check=True, stderr=subprocess.DEVNULL)
    h.write(f"{folder}/config.yml", json.dumps({
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}}, "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
        "auth": {"htpasswd": {"realm": "a registry", "path": f"{folder}/users"}}}))
    with open(f"{folder}/log", "wb") as log:
        server = subprocess.Popen(["docker-registry", "serve", f"{folder}/config.yml"], stdout=log, stderr=log, cwd=folder)
    try:
        host = f"127.0.0.1:{port}"
        h.until(lambda: run("digest", host, tag="x").get("kind") == "absent", 20, 0.2)
        told = run(host=host, archive=image)
        h.ok("digest" in told, "aws edge 50: pushed to docker-registry", told)
        h.same(run("digest", host).get("digest"), told.get("digest"), "and it is there")
        h.same(run("platforms", host).get("platforms"), ["linux/amd64"], "with its platform")
        h.ok("digest" in run(host=host, archive=image, name="acme/other", **{"from": ["acme/shop"]}), "mounted")
        told = run(host=host, archive=image, name="acme/pieces", piece=MIB)
        h.ok("digest" in told, "in pieces", told)
        h.same(run(host=host, archive=image, login=False).get("kind"), "auth", "nothing without the password")
        large, _ = save("large.tar", [layer(("random", os.urandom(MIB) * 40 + os.urandom(40 * MIB)))])
        told = run(host=host, archive=large, name="acme/large")
        h.ok("digest" in told, "aws edge 50: a layer of 80 MiB", told)
        h.ok(0 < told["peak"] < 40 * 1024, "aws edge 50: streamed, in bounded memory", told["peak"])
        h.note(f"peak memory {told['peak']} KiB")
        path, digest = layout("debian.tar", ["arm64", "amd64"])
        h.same(run(host=host, archive=path, name="acme/many").get("digest"), digest, "an index")
    finally:
        server.terminate()
        server.wait(20)
else:
    h.skip("Debian's registry", "docker-registry or htpasswd is not installed")

h.same([f for f in os.listdir(work) if f.startswith("slipway-")], [], "no passing file is left")
h.done()
