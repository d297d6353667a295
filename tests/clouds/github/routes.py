"""What the stand-in for GitHub answers to each call; see github.py."""

import base64
import json
import re
import sys
import time
import uuid

# The same module under its own name, also when github.py is the program.
github = sys.modules.get("github") or sys.modules["__main__"]
Answer, route, stamp = github.Answer, github.route, github.stamp
REPO = "/repos/{owner}/{repo}"


def invalid(message, **more):
    return Answer(422, {"message": message, "documentation_url": "https://docs.github.com/rest", "errors": [], **more})


def missing():
    return Answer(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})


# --- logging in ---


@route("GET /repos/{owner}/{repo}/installation", app=True)
def installation(call, owner, repo):
    world = call.github
    if f"{owner}/{repo}" not in world.repositories:
        raise missing()
    return Answer(200, {
        "id": 77, "account": world.user(owner), "access_tokens_url": f"{world.url}/app/installations/77/access_tokens",
        "repositories_url": f"{world.url}/installation/repositories", "html_url": f"{github.WEB}/settings/installations/77",
        "app_id": 1, "app_slug": "slipway", "target_id": 1, "target_type": "User", "permissions": {}, "events": ["push"],
        "created_at": stamp(), "updated_at": stamp(), "single_file_name": None, "repository_selection": "selected",
        "suspended_by": None, "suspended_at": None})


@route("POST /app/installations/{number}/access_tokens", app=True)
def access_token(call, number):
    world = call.github
    if number != "77":
        raise missing()
    text = "ghs_1_" + "eyJhbGciOi.JSUzI1NiJ9-" * 23 + uuid.uuid4().hex
    app = call.app_of(call.credential())
    permissions = (call.body or {}).get("permissions") or app["permissions"]
    world.token(text, permissions, "app", time.time() + 3600)
    return Answer(201, {"token": text, "expires_at": stamp(time.time() + 3600), "permissions": permissions or {},
                        "repository_selection": "selected"})


@route("GET /rate_limit")
def rate_limit(call):
    world = call.github
    core = {"limit": world.limit, "remaining": world.remaining, "reset": int(time.time()) + 3600, "used": world.limit - world.remaining}
    return Answer(200, {"resources": {"core": core, "search": core}, "rate": core})


# --- deployments ---


def deployment_at(call, name, number):
    for deployment in call.github.deployments:
        if deployment["repository"] == name and str(deployment["id"]) == number:
            return deployment
    raise missing()


@route(f"POST {REPO}/deployments", permission={"deployments": "write"})
def create_deployment(call, owner, repo):
    world, name, asked = call.github, f"{owner}/{repo}", call.body
    commit = world.commit_of(name, asked["ref"])
    if not commit:
        raise invalid(f"No ref found for: {asked['ref']}")
    if asked.get("auto_merge", True):
        raise Answer(202, {"message": "Auto-merged master into topic-branch on deployment."})
    if asked.get("required_contexts") != []:
        raise Answer(409, {"message": "Conflict: Commit status checks failed for topic-branch."})
    environment = asked.get("environment", "production")
    deployment = {
        "id": next(world.ids), "repository": name, "sha": commit, "ref": asked["ref"], "task": asked.get("task", "deploy"),
        "environment": environment, "payload": asked.get("payload", ""), "description": asked.get("description"),
        "transient_environment": asked.get("transient_environment", False), "creator": "slipway[bot]",
        "production_environment": asked.get("production_environment", environment == "production"),
        "created_at": stamp(), "updated_at": stamp()}
    world.deployments.append(deployment)
    world.statuses[deployment["id"]] = []
    return Answer(201, world.deployment_form(deployment))


@route(f"GET {REPO}/deployments", permission={"deployments": "read"})
def list_deployments(call, owner, repo):
    world, name = call.github, f"{owner}/{repo}"
    found = [d for d in reversed(world.deployments) if d["repository"] == name
             and all(d[key] == call.query[key] for key in ("sha", "ref", "task", "environment") if key in call.query)]
    part, headers = call.page(found)
    return Answer(200, [world.deployment_form(d) for d in part], headers)


@route(f"POST {REPO}/deployments/{{number}}/statuses", permission={"deployments": "write"})
def create_deployment_status(call, owner, repo, number):
    world, asked = call.github, call.body
    deployment = deployment_at(call, f"{owner}/{repo}", number)
    if len(asked.get("description") or "") > 140:
        raise invalid("Validation Failed: description is too long (maximum is 140 characters)")
    statuses = world.statuses[deployment["id"]]
    status = {"id": next(world.ids), "state": asked["state"], "description": asked.get("description") or "",
              "environment": asked.get("environment") or deployment["environment"], "log_url": asked.get("log_url") or "",
              "target_url": asked.get("log_url") or "", "environment_url": asked.get("environment_url") or "",
              "created_at": stamp(), "updated_at": stamp()}
    statuses.append(status)
    if asked["state"] == "success" and asked.get("auto_inactive", True):
        for other in world.deployments:
            last = world.statuses[other["id"]][-1:]
            if (other is not deployment and other["repository"] == deployment["repository"]
                    and other["environment"] == deployment["environment"] and last and last[0]["state"] == "success"
                    and not other["transient_environment"] and not other["production_environment"]):
                world.statuses[other["id"]].append({**status, "id": next(world.ids), "state": "inactive"})
    return Answer(201, world.status_form(deployment, status))


@route(f"GET {REPO}/deployments/{{number}}/statuses", permission={"deployments": "read"})
def list_deployment_statuses(call, owner, repo, number):
    deployment = deployment_at(call, f"{owner}/{repo}", number)
    part, headers = call.page(list(reversed(call.github.statuses[deployment["id"]])))
    return Answer(200, [call.github.status_form(deployment, s) for s in part], headers)


# --- commit statuses and check runs ---


@route(f"POST {REPO}/statuses/{{sha}}", permission={"statuses": "write"})
def create_status(call, owner, repo, sha):
    world, asked, name = call.github, call.body, f"{owner}/{repo}"
    if world.commit_of(name, sha) != sha:
        raise invalid(f"No commit found for SHA: {sha}")
    if len(asked.get("description") or "") > 140:
        raise invalid("Validation Failed: description is too long (maximum is 140 characters)")
    status = {"id": next(world.ids), "node_id": "SC_", "state": asked["state"], "description": asked.get("description"),
              "target_url": asked.get("target_url"), "context": asked.get("context", "default"), "created_at": stamp(),
              "updated_at": stamp(), "avatar_url": f"{github.WEB}/a.png", "url": f"{world.url}/repos/{name}/statuses/{sha}",
              "creator": world.user()}
    world.commit_statuses.setdefault(sha, []).append(status)
    return Answer(201, status)


@route(f"GET {REPO}/commits/{{sha}}/statuses", permission={"statuses": "read"})
def list_statuses(call, owner, repo, sha):
    part, headers = call.page(list(reversed(call.github.commit_statuses.get(sha, []))))
    return Answer(200, part, headers)


def apply_check(call, check):
    asked = call.body
    output = asked.get("output")
    check.update({k: asked[k] for k in ("name", "external_id", "details_url", "status", "conclusion", "started_at",
                                       "completed_at") if k in asked})
    if "conclusion" in asked:
        check["status"], check["completed_at"] = "completed", asked.get("completed_at") or stamp()
    if output is not None:
        for key in ("summary", "text"):
            if len(output.get(key) or "") > 65535:
                raise invalid(f"Validation Failed: {key} is too long (maximum is 65535 characters)")
        check["output"] |= {k: v for k, v in output.items() if k != "annotations"}
        check["annotations"] += output.get("annotations", [])


@route(f"POST {REPO}/check-runs", permission={"checks": "write"}, integration=True)
def create_check(call, owner, repo):
    world, name = call.github, f"{owner}/{repo}"
    if world.commit_of(name, call.body["head_sha"]) != call.body["head_sha"]:
        raise invalid(f"No commit found for SHA: {call.body['head_sha']}")
    check = {"id": next(world.ids), "repository": name, "head_sha": call.body["head_sha"], "status": "queued",
             "conclusion": None, "output": {}, "annotations": [], "started_at": stamp()}
    apply_check(call, check)
    world.checks.append(check)
    return Answer(201, world.check_form(check))


@route(f"PATCH {REPO}/check-runs/{{number}}", permission={"checks": "write"}, integration=True)
def update_check(call, owner, repo, number):
    for check in call.github.checks:
        if check["repository"] == f"{owner}/{repo}" and str(check["id"]) == number:
            apply_check(call, check)
            return Answer(200, call.github.check_form(check))
    raise missing()


@route(f"GET {REPO}/commits/{{sha}}/check-runs", permission={"checks": "read"})
def list_checks(call, owner, repo, sha):
    found = [c for c in reversed(call.github.checks) if c["repository"] == f"{owner}/{repo}" and c["head_sha"] == sha
             and c["name"] == call.query.get("check_name", c["name"])]
    part, headers = call.page(found)
    return Answer(200, {"total_count": len(found), "check_runs": [call.github.check_form(c) for c in part]}, headers)


# --- webhooks ---


def hook_at(call, owner, number=None):
    for hook in call.github.hooks.values():
        if hook["owner"] == owner and number in (None, str(hook["id"])):
            return hook
    raise missing()


def deliveries_of(call, hook):
    """Newest first; the cursor is the id of the first one on the page."""
    found = list(reversed(hook["deliveries"]))
    if call.query.get("status"):
        found = [d for d in found if (d["status_code"] < 400) == (call.query["status"] == "success")]
    size = int(call.query.get("per_page", 30))
    cursor = call.query.get("cursor")
    if cursor:
        if not re.fullmatch(r"v1_\d+", cursor):
            raise Answer(400, {"message": "Invalid cursor"})
        found = [d for d in found if d["id"] <= int(cursor[3:])]
    headers = {}
    if len(found) > size:
        headers["Link"] = (f'<{call.github.url}{call.route_path}?per_page={size}&cursor=v1_{found[size]["id"]}>; rel="next"')
    return Answer(200, [call.github.delivery_form(hook, d) for d in found[:size]], headers)


def delivery_of(call, hook, delivery):
    for one in hook["deliveries"]:
        if str(one["id"]) == delivery:
            return one
    raise missing()


def redeliver(call, hook, delivery):
    one = delivery_of(call, hook, delivery)
    call.github.deliver(one["event"], one["payload"], hook, guid=one["guid"], redelivery=True)
    return Answer(202, {})


@route("GET /app/hook/deliveries", app=True)
def app_deliveries(call):
    return deliveries_of(call, hook_at(call, "app"))


@route("GET /app/hook/deliveries/{delivery}", app=True)
def app_delivery(call, delivery):
    hook = hook_at(call, "app")
    return Answer(200, call.github.delivery_form(hook, delivery_of(call, hook, delivery), True))


@route("POST /app/hook/deliveries/{delivery}/attempts", app=True)
def app_attempt(call, delivery):
    return redeliver(call, hook_at(call, "app"), delivery)


def hook_form(call, hook):
    base = f"{call.github.url}/{hook['owner']}/hooks/{hook['id']}"
    return {"type": "Repository", "id": hook["id"], "name": "web", "active": True, "events": list(hook["events"]),
            "config": {"content_type": "json", "insecure_ssl": "0", "url": hook["url"] or "https://nowhere.invalid/hooks/github"},
            "updated_at": stamp(), "created_at": stamp(), "url": base, "test_url": base + "/test", "ping_url": base + "/pings",
            "deliveries_url": base + "/deliveries", "last_response": {"code": None, "status": "unused", "message": None}}


@route(f"GET {REPO}/hooks", permission={"repository_hooks": "read"})
def list_hooks(call, owner, repo):
    found = [h for h in call.github.hooks.values() if h["owner"] == f"repos/{owner}/{repo}"]
    part, headers = call.page(found)
    return Answer(200, [hook_form(call, h) for h in part], headers)


@route(f"GET {REPO}/hooks/{{number}}/deliveries", permission={"repository_hooks": "read"})
def repository_deliveries(call, owner, repo, number):
    return deliveries_of(call, hook_at(call, f"repos/{owner}/{repo}", number))


@route(f"GET {REPO}/hooks/{{number}}/deliveries/{{delivery}}", permission={"repository_hooks": "read"})
def repository_delivery(call, owner, repo, number, delivery):
    hook = hook_at(call, f"repos/{owner}/{repo}", number)
    return Answer(200, call.github.delivery_form(hook, delivery_of(call, hook, delivery), True))


@route(f"POST {REPO}/hooks/{{number}}/deliveries/{{delivery}}/attempts", permission={"repository_hooks": "write"})
def repository_attempt(call, owner, repo, number, delivery):
    return redeliver(call, hook_at(call, f"repos/{owner}/{repo}", number), delivery)


@route("GET /orgs/{org}/hooks/{number}/deliveries", permission={"organization_hooks": "read"})
def org_deliveries(call, org, number):
    return deliveries_of(call, hook_at(call, f"orgs/{org}", number))


@route("GET /orgs/{org}/hooks/{number}/deliveries/{delivery}", permission={"organization_hooks": "read"})
def org_delivery(call, org, number, delivery):
    hook = hook_at(call, f"orgs/{org}", number)
    return Answer(200, call.github.delivery_form(hook, delivery_of(call, hook, delivery), True))


# --- code ---


@route(f"GET {REPO}/contents/{{path+}}", permission={"contents": "read"})
def contents(call, owner, repo, path):
    name = f"{owner}/{repo}"
    commit = call.github.commit_of(name, call.query.get("ref", "HEAD"))
    if not commit:
        raise Answer(404, {"message": f"No commit found for the ref {call.query.get('ref')}"})
    data = call.github.git(name, "show", f"{commit}:{path}")
    sha = call.github.git(name, "rev-parse", f"{commit}:{path}").decode().strip()
    url = f"{call.github.url}/repos/{name}/contents/{path}"
    return Answer(200, {
        "type": "file", "encoding": "base64", "size": len(data), "name": path.rpartition("/")[2], "path": path, "sha": sha,
        "content": base64.encodebytes(data).decode(), "url": url, "git_url": url, "html_url": url, "download_url": url,
        "_links": {"self": url, "git": url, "html": url}})


@route(f"GET {REPO}/tarball/{{ref+}}", permission={"contents": "read"})
def tarball(call, owner, repo, ref):
    """GitHub sends to another host with a passing token; so does this, by another name of the machine."""
    port = call.github.server.server_port
    return Answer(302, None, {"Location": f"http://localhost:{port}/codeload/{owner}/{repo}/{ref}?token=once"})


@route("GET /codeload/{who}/{what}/{ref+}")
def codeload(call, who, what, ref):
    name = f"{who}/{what}"
    if call.headers.get("Authorization") or call.query.get("token") != "once":
        call.github.wrong.append("a login came to the host of the archives")
    commit = call.github.commit_of(name, ref)
    data = call.github.git(name, "archive", "--format=tar.gz", f"--prefix={who}-{what}-{commit[:7]}/", commit)
    return Answer(200, data, {"Content-Type": "application/x-gzip"})


@route(f"GET {REPO}/compare/{{base}}...{{head}}", permission={"contents": "read"})
def compare(call, owner, repo, base, head):
    name, world = f"{owner}/{repo}", call.github
    ahead = int(world.git(name, "rev-list", "--count", f"{base}..{head}"))
    behind = int(world.git(name, "rev-list", "--count", f"{head}..{base}"))
    status = "diverged" if ahead and behind else "ahead" if ahead else "behind" if behind else "identical"
    merge = world.git(name, "merge-base", base, head).decode().strip()
    names = world.git(name, "diff", "--name-only", "--no-renames", f"{merge}..{head}").decode().splitlines()
    return Answer(200, json.dumps({"status": status, "ahead_by": ahead, "behind_by": behind, "files": [
        {"filename": name} for name in names]}).encode())


@route(f"GET {REPO}/commits/{{ref+}}", permission={"contents": "read"})
def commit(call, owner, repo, ref):
    name = f"{owner}/{repo}"
    found = call.github.commit_of(name, ref)
    if not found:
        raise invalid(f"No commit found for SHA: {ref}")
    if re.search(r"vnd\.github(\.v3)?\.sha", call.headers.get("Accept") or ""):
        return Answer(200, found.encode(), {"Content-Type": "application/vnd.github.sha; charset=utf-8"})
    names = call.github.git(name, "show", "--name-only", "--format=", found).decode().splitlines()
    return Answer(200, json.dumps({"sha": found, "files": [{"filename": n} for n in names]}).encode())
