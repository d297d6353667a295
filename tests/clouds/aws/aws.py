#!/usr/bin/python3
"""Stand-ins for AWS on one loopback port: STS, ECR (with Debian's docker-registry behind /v2/), App Runner, ECS Express
Mode, CloudWatch Logs, IMDSv2, the container credentials endpoint, GitHub's OIDC endpoint, the apps' URLs.

Usage: aws.py [--port N] [--wrong FILE] [--verbose]; prints "PORT PID". Ends with its standard input.

Requests are checked against AWS's models (model.py) and their signatures computed anew (sigv4.py). What a client does wrong
is refused as AWS would, and noted: GET /_control/refused. What the stand-in does wrong is a line of FILE and of
GET /_control/wrong. POST /_control/do [actions] changes the world (actions.py), POST /_control/reset {settings} makes it
new, GET /_control/requests and /_control/state show it. standin.py is the module to use from tests.
"""
import argparse
import copy
import http.server
import os
import shutil
import signal
import sys
import tempfile
import threading

import model
from actions import Actions
from apprunner import AppRunner
from apps import Apps
from cloud import Cloud
from ecr import Ecr
from ecs import Ecs
from logs import Logs
from metadata import Metadata
from registry import Registry
from sts import Sts
from wire import Handler


class World:
    """Everything, and what the control endpoint does with it."""

    def __init__(self, folder, wrong_path, verbose):
        self.verbose = verbose
        self.models = model.load()
        self.cloud = cloud = Cloud(self.models, wrong_path)
        self.folder = folder
        self.registry = Registry(cloud, folder)
        self.apps = Apps(cloud, folder)
        logs, ecr, sts = Logs(cloud), Ecr(cloud, self.registry), Sts(cloud)
        self.services = {"logs": logs, "ecr": ecr, "sts": sts, "apprunner": AppRunner(cloud, logs, ecr, self.apps),
                         "ecs": Ecs(cloud, logs, ecr, self.apps)}
        self.metadata = Metadata(cloud, sts)
        cloud.act = Actions(cloud, self.services, self.apps, self.registry).act

    def reset(self, settings):
        self.cloud.reset()
        self.cloud.set(settings)
        self.apps.reset()
        self.registry.reset()
        for service in self.services.values():
            service.reset()
        self.metadata.reset()

    def pushed(self, repository, tag):
        """An image came: a service that follows its tag is deployed."""
        identifier = f"{self.services['ecr'].host()}/{repository}:{tag}"
        apprunner = self.services["apprunner"]
        for service in apprunner.services:
            source = service["config"]["SourceConfiguration"]
            if (source.get("ImageRepository", {}).get("ImageIdentifier") == identifier and source["AutoDeploymentsEnabled"]
                    and service["status"] == "RUNNING"):
                apprunner.begin(service, "START_DEPLOYMENT")

    def control(self, what, body):
        cloud = self.cloud
        if what == "do":
            return cloud.act(body)
        if what == "reset":
            return self.reset(body or {})
        if what in ("requests", "refused", "wrong"):
            return getattr(cloud, what)
        if what == "apps":
            return self.apps.seen
        if what == "certificate":
            with self.apps.authority_lock:
                self.apps.authority()
            return self.folder + "/ca.pem"
        if what == "state":
            return self.state()
        raise ValueError(f"no such question: {what}")

    def state(self):
        apprunner, ecs = self.services["apprunner"], self.services["ecs"]
        return {
            "apprunner": [{**{k: copy.deepcopy(s[k]) for k in ("name", "id", "arn", "url", "status", "config", "tags", "live")},
                           "operations": [{"id": o["id"], "type": o["kind"], "status": o["progress"].status}
                                          for o in s["operations"]]} for s in apprunner.services],
            "ecs": [{**{k: s[k] for k in ("name", "arn", "url", "status", "tags")},
                     "active": [r["config"] for r in s["active"]],
                     "deployments": [{"arn": d["arn"], "status": d["progress"].status,
                                      "image": d["revision"]["config"]["primaryContainer"]["image"]}
                                     for d in s["deployments"]]} for s in ecs.services],
            "repositories": {n: self.registry.tags(n) for n in self.services["ecr"].repositories},
            "groups": {g: {s: [e["message"] for e in events] for s, events in streams.items()}
                       for g, streams in self.services["logs"].groups.items()},
        }


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        if Handler.world.verbose:
            super().handle_error(request, client_address)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--wrong")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="slipway-aws.")
    world = World(folder, options.wrong, options.verbose)
    Handler.world = world
    server = Server(("127.0.0.1", options.port), Handler)
    world.cloud.port = server.server_address[1]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    try:
        print(world.cloud.port, os.getpid(), flush=True)
        sys.stdin.read()
    finally:
        world.registry.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
