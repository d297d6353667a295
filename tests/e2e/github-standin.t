#!/usr/bin/env python3
"""The stand-in for GitHub's API holds: octokit, GitHub's own client, finds in it what it finds at GitHub."""

import os
import subprocess

from harness import *

NODE = os.path.join(TOP, "tests/npm/node_modules/@octokit")
if not os.path.isdir(os.path.join(NODE, "rest")) or not os.path.isdir(os.path.join(NODE, "openapi")):
    skip_all("tests/npm/node_modules is absent: (cd tests/npm && npm ci)")

repo = Repo(os.path.join(folder(), "repo"))
sha = repo.commit({"README": "hello"})
github = github_api()
github.repository("acme/shop", repo.path)
github.token("ghs_x", kind="app")
hook = github.hook("repos/acme/shop")
guids = [github.deliver("push", {"ref": f"refs/heads/b{i}"}, hook) for i in range(5)]
github.fault(r"GET .*task=limited", status=429, headers={"Retry-After": "1"}, body={"message": "slow down"})
done_ = subprocess.run(
    ["node", "octokit-rest.mjs", github.url, "ghs_x", sha, str(hook["id"]), str(hook["deliveries"][3]["id"])],
    cwd=os.path.join(TOP, "tests/npm"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
ok(done_.returncode == 0, "octokit does all of it", done_.stderr[-2000:], github.wrong, github.calls[-3:])
out = json.loads(done_.stdout or "{}")
same(out.get("created"), 201, "a deployment")
same(out.get("states"), ["success", "in_progress"], "its statuses, newest first, page by page")
same(out.get("deployments"), [{"other": 1}], "found by commit and environment, with its payload")
same(out.get("long"), 422, "141 characters are too many")
same(out.get("merged"), 202, "auto_merge without a say: merged, and no deployment")
same(out.get("statuses"), [["other/ci", "pending"]], "a commit's status")
same(out.get("checks"), [["other", "completed", "neutral"]], "a check run")
same(out.get("guids"), guids[::-1], "deliveries, newest first, by cursor")
same(out.get("payload"), {"ref": "refs/heads/b3"}, "one with its payload")
same((out.get("again"), out.get("redelivered")), (202, [[True, True]]), "delivered again under the same guid")
same(out.get("unchanged"), 304, "not modified")
same(out.get("commit"), sha, "a commit id alone")
same((out.get("absent"), out.get("limited")), (404, 429), "what isn't there, and a limit")
same(github.wrong, [], "every request and every answer fit GitHub's description")

# The description is no formality: what doesn't fit is found.
judge = github.description
path = "/repos/acme/shop/deployments"
ok(judge.body_complaint("POST", path, {"ref": 1}), "a number as ref")
ok(judge.body_complaint("POST", path, {"ref": sha, "automerge": False}), "an unknown member")
ok(judge.body_complaint("POST", path + "/1/statuses", {"state": "live"}), "an unknown state")
ok(judge.query_complaint("GET", path, {"shaa": "x"}), "an unknown parameter")
ok(judge.answer_complaint("GET", path, 200, [{"id": "1"}]), "an answer that lacks nearly everything")
ok(judge.answer_complaint("GET", path, 299, []), "a status that isn't described")
same(judge.answer_complaint("GET", path, 200, []), None, "and nothing where all is well")
done()
