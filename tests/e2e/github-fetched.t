#!/usr/bin/env python3
"""What GitHub delivered while nobody took it is fetched; and a server without any open port lives on that alone."""

import os
import subprocess

from harness import *

base = folder()
gateway = free_port()
url = f"http://shop.localhost:{gateway}"
repo = Repo(os.path.join(base, "repo"))
github = github_api()
github.repository("acme/shop", repo.path)
github.token("ghp_x", {"contents": "read", "repository_hooks": "read"})
write(os.path.join(base, "token"), "ghp_x", 0o600)
MORE = f"github: {{api: '{github.url}', token: {{file: token}}, report: none, poll: 1s}}\n"
SHOP = {"acme/shop": {"source": "github", "deploy": [{"on": "push", "branches": ["main"], "environment": "production"}]}}
service = Service(SHOP, more=MORE, base=base)
github.hook("repos/acme/shop", "http://127.0.0.1:1/elsewhere")  # somebody else's
hook = github.hook("repos/acme/shop", f"http://127.0.0.1:{service.port}/hooks/github", service.secret)


def fetches():
    return len(github.asked(r"GET /repos/acme/shop/hooks/\d+/deliveries/\d+"))


def push(after, before=ZERO, ref="refs/heads/main", **more):
    return github.deliver("push", push_payload("acme/shop", after, before, ref), hook, **more)


# --- downtime ---
old = repo.commit(app("old", url))
guid_old = push(old, age=3600)
service.start()
one = repo.commit(app("one", url))
guid = push(one, old)
same(service.delivery(guid)["reason"].startswith("fetched"), False, "one that comes is taken as ever", service.log_text()[-2000:])
ok(until(lambda: len(github.asked("GET /repos/acme/shop/hooks/")) >= 2, 20), "deliveries are looked through", github.calls[-5:])
ok(len(github.asked("GET /repos/acme/shop/hooks/")) and f"/hooks/{hook['id']}/" in github.asked("GET /repos/acme/shop/hooks/")[0][2],
   "of the webhook that delivers to us")
same(fetches(), 0, "nothing was fetched: what came is known, and what is older than this server isn't its business")
same(service.api("GET", f"/v1/deliveries/{guid_old}")[0], 404, "so the old one isn't there")
ok(until(lambda: any(c[3] == 304 for c in github.calls), 10), "looks are conditional")
service.deployment(1)
same(service.stop(), 0, "stop it")

two = repo.commit(app("two", url))
missed = [push(two, f"{i:040x}", "refs/heads/other") for i in range(1, 121)]  # more than a page
three = repo.commit(app("three", url))
guid = push(three, two)
github.deliver("watch", {"action": "started"}, hook)
again = [d for d in hook["deliveries"] if d["guid"] == guid][0]
github.deliver("push", again["payload"], hook, guid=guid, redelivery=True)  # and that fails too
github.fault(r"GET .*/deliveries/\d+$", times=2, status=502)
service.start()
until(lambda: service.api("GET", f"/v1/deliveries/{guid}")[0] == 200, 60)
delivery = service.delivery(guid, 60)
same(delivery["state"], "deployed", "missed while it was down: deployed", delivery, service.log_text()[-3000:])
has(delivery["reason"], "fetched from GitHub; ", "and says how it came")
same(delivery["secret"], None, "no secret signed it")
ok(all(service.api("GET", f"/v1/deliveries/{g}")[0] == 200 for g in missed), "all pages were read")
ok(until(lambda: fetch(gateway, "shop.localhost")[1] == "three", 60), "the newest is live", service.log_text()[-3000:])
count = fetches()
same(count, 121 + 2, "each is fetched once (two came as 502 first), also when it was tried twice, and none that deploys nothing")
time.sleep(2.5)
same(fetches(), count, "and never again")
status, _, _ = service.push("acme/shop", three, two, guid=guid)
same(status, 200, "when it comes after all it is known")

# --- killed half-way ---
same(service.stop(), 0, "stop it")
for i in range(30):
    missed.append(push(three, f"{i + 1000:040x}", "refs/heads/other"))
github.fault(r"GET .*/deliveries/\d+$", times=10**6, delay=0.05)
service.start()
until(lambda: fetches() > count + 8, 20)
service.kill_all()
service.start()
ok(until(lambda: all(service.api("GET", f"/v1/deliveries/{g}")[0] == 200 for g in missed), 60), "killed half-way: all are there in the end")
ok(fetches() <= count + 30 + 2, "and next to none was fetched twice", fetches() - count)
github.faults.clear()

# --- not allowed ---
same(service.stop(), 0, "stop it")
github.tokens["ghp_x"]["permissions"] = {"contents": "read"}
service.start()
ok(until(lambda: "missed deliveries can't be fetched" in service.log_text(), 20), "a token that may not is said once")
github.tokens["ghp_x"]["permissions"] = None
same(service.stop(), 0, "stop it")

# --- polling alone ---
base2 = folder()
gateway = free_port()
url = f"http://shop.localhost:{gateway}"
poll = Service(SHOP, base=base2)
github.apps.clear()
subprocess.run(["openssl", "genrsa", "-traditional", "-out", os.path.join(base2, "app.pem"), "2048"], check=True, stderr=subprocess.DEVNULL)
os.chmod(os.path.join(base2, "app.pem"), 0o600)
github.app("Iv1.slipway")
hook = github.hook("app", None)
poll.settings = (f"listen: none\ndata: {poll.data}\nworkers: 1\nrepositories: {json.dumps(SHOP)}\n"
                 f"github: {{api: '{github.url}', app: {{id: Iv1.slipway, key: {{file: app.pem}}}}, report: [statuses], poll: 1s}}\n")
write(poll.config, poll.settings, 0o600)
checked = subprocess.run([os.path.join(BUILD, "slipwayd"), "check", poll.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
same(checked.returncode, 0, "settings without a port", checked.stdout)
poll.start()
same(sorted(poll.roles()), ["courier", "router", "worker-1"], "no listener runs")
four = repo.commit(app("four", url))
push(four, three)
ok(until(lambda: fetch(gateway, "shop.localhost")[1] == "four", 60), "a push is live without any open port", poll.log_text()[-3000:])
ok(until(lambda: [s["state"] for s in github.commit_statuses.get(four, [])][-1:] == ["success"], 30), "and GitHub is told", github.commit_statuses)
same(poll.stop(), 0, "it ends in order")
same(github.wrong, [], "every request and every answer fit GitHub's description")
done()
