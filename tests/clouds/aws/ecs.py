"""ECS Express Mode: gateway services, their deployments and revisions, tasks, and the load balancer's URL.

A service in subnets whose names hold "private" is private. The URL (NA-<32 digits>.ecs.REGION.on.aws) is known once the first
deployment has begun; the setting "scheme" puts https:// before it, as is seen in the wild too.
"""
import copy

from cloud import AwsError, Progress, outcome_stages

WORDS = ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "SUCCESSFUL")
SETTINGS = ("executionRoleArn", "taskRoleArn", "cpu", "memory", "networkConfiguration", "healthCheckPath",
            "primaryContainer", "scalingTarget", "cpuArchitecture")
# What ECS fills in (the model's defaults).
DEFAULTS = {"cpu": "256", "memory": "512", "healthCheckPath": "/ping",
            "scalingTarget": {"minTaskCount": 1, "maxTaskCount": 20, "autoScalingMetric": "AVERAGE_CPU",
                              "autoScalingTargetValue": 60}}
MEMORY = {"256": (512, 1024, 2048), "512": range(1024, 4097, 1024), "1024": range(2048, 8193, 1024),
          "2048": range(4096, 16385, 1024), "4096": range(8192, 30721, 1024), "8192": range(16384, 61441, 4096),
          "16384": range(32768, 122881, 8192)}


def invalid(message):
    return AwsError("InvalidParameterException", message, key="message")


class Ecs:
    signing = "ecs"
    invalid_code = "InvalidParameterException"
    errors = ""

    def __init__(self, cloud, logs, ecr, apps):
        self.cloud, self.logs, self.ecr, self.apps = cloud, logs, ecr, apps
        self.reset()

    def reset(self):
        self.services = []
        self.outcomes = []
        self.clusters = {"default"}

    def arn(self, kind, *rest):
        return f"arn:aws:ecs:{self.cloud['region']}:{self.cloud['account']}:{kind}/{'/'.join(rest)}"

    # --- state ---

    def make(self, p):
        cloud = self.cloud
        name = p.get("serviceName") or f"express-{cloud.hex(8)}"
        cluster = p.get("cluster", "default").rpartition("/")[2]
        service = {
            "name": name, "cluster": cluster, "arn": self.arn("service", cluster, name), "status": "ACTIVE", "reason": None,
            "infrastructure": p["infrastructureRoleArn"], "tags": list(p.get("tags", ())), "created": cloud.now(),
            "updated": cloud.now(), "revisions": [], "deployments": [], "active": [],
        }
        service["host"] = f"{name[:2]}-{cloud.hex()}.ecs.{cloud['region']}.on.aws"
        url = self.apps.open(service["host"], lambda: self.answer(service))
        service["url"] = f"https://{url}" if cloud["scheme"] and "://" not in url else url
        self.services.insert(0, service)
        return service

    def found(self, arn, code="ServiceNotFoundException", look=True):
        for service in self.services:
            if arn in (service["arn"], service["name"]):
                if look:
                    self.look(service)
                return service
        raise AwsError(code, "Service not found.", key="message")

    def revise(self, service, settings):
        """A new revision of the settings."""
        config = {**copy.deepcopy(DEFAULTS), **settings}
        config["scalingTarget"] = {**DEFAULTS["scalingTarget"], **settings.get("scalingTarget", {})}
        config.setdefault("networkConfiguration", {"securityGroups": [], "subnets": ["subnet-0a", "subnet-0b"]})
        container = config["primaryContainer"] = {**config["primaryContainer"]}
        container.setdefault("containerPort", 80)
        container.setdefault("awsLogsConfiguration", {"logGroup": f"/aws/ecs/{service['cluster']}/{service['name']}",
                                                      "logStreamPrefix": "ecs"})
        if not (1 <= container["containerPort"] <= 65535):
            raise invalid("Container port must be between 1 and 65535.")
        if not config["memory"].isdigit() or int(config["memory"]) not in MEMORY.get(config["cpu"], ()):
            raise invalid(f"No Fargate configuration exists for given values: {config['cpu']} CPU, {config['memory']} "
                          "memory.")
        if config["scalingTarget"]["minTaskCount"] > config["scalingTarget"]["maxTaskCount"]:
            raise invalid("minTaskCount must not be greater than maxTaskCount.")
        number = str(len(service["revisions"]) + 1000000000000000000 + self.cloud.number())
        revision = {"arn": self.arn("service-revision", service["cluster"], service["name"], number), "config": config,
                    "created": self.cloud.now(), "digest": (self.ecr.image(container["image"]) or {}).get("digest")}
        service["revisions"].insert(0, revision)
        return revision

    def begin(self, service, revision, outcome=None):
        cloud = self.cloud
        if outcome is None:
            outcome = self.outcome(service)
        outcome = {"polls": cloud["polls"], **outcome}
        words = self.unwell(revision) if outcome.get("end", "SUCCESSFUL") == "SUCCESSFUL" and "stages" not in outcome else None
        if words:
            outcome.update(end="ROLLBACK_SUCCESSFUL" if service["active"] else "ROLLBACK_FAILED", reason=words)
        for deployment in service["deployments"]:
            if not deployment["progress"].ended:
                deployment["progress"] = Progress([{"status": "STOPPED"}], cloud.now())
                deployment["finished"] = cloud.now()
                deployment["reason"] = "Superseded by a newer deployment."
        deployment = {
            "arn": self.arn("service-deployment", service["cluster"], service["name"], cloud.hex(21)), "outcome": outcome,
            "progress": Progress(outcome_stages(outcome, WORDS), cloud.states_now()), "revision": revision,
            "created": cloud.now(), "updated": cloud.now(), "finished": None, "reason": None, "hidden": outcome.get("hidden", 0),
            "source": list(service["active"]), "task": cloud.hex(), "rollback": None,
        }
        service["deployments"].insert(0, deployment)
        service["updated"] = cloud.now()
        self.write_logs(service, deployment)
        return deployment

    def outcome(self, service):
        for outcome in self.outcomes:
            if outcome.get("service", service["name"]) == service["name"]:
                if not outcome.get("keep"):
                    self.outcomes.remove(outcome)
                return dict(outcome)
        return {}

    def unwell(self, revision):
        image = revision["config"]["primaryContainer"]["image"]
        if self.cloud["images"] == "any" or ".dkr.ecr." not in image:
            return None
        found = self.ecr.image(image)
        if found is None:
            return ("CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref "
                    f"{image}: not found")
        wanted = "arm64" if revision["config"].get("cpuArchitecture") == "ARM64" else "amd64"
        if found["architectures"] and wanted not in found["architectures"]:
            return f"CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/{wanted}'"
        return None

    def look(self, service, counts=True):
        cloud = self.cloud
        for deployment in service["deployments"]:
            if deployment["progress"].ended:
                continue
            for status in deployment["progress"].look(cloud.states_now(), counts):
                deployment["updated"] = cloud.now()
                if status.startswith("ROLLBACK_"):
                    self.roll(deployment)
            if deployment["progress"].ended:
                deployment["finished"] = cloud.now()
                self.end(service, deployment)
        if service["status"] == "DRAINING":
            service["drain"] -= 1
            if service["drain"] <= 0:
                service["status"] = "INACTIVE"
                service["active"] = []

    def roll(self, deployment):
        outcome = deployment["outcome"]
        deployment["reason"] = outcome.get("reason", "Service deployment rolled back because of alarm(s): 4xx and 5xx rate.")
        before = deployment["source"]
        deployment["rollback"] = deployment["rollback"] or {
            "reason": deployment["reason"], "startedAt": self.cloud.now(),
            **({"serviceRevisionArn": before[0]["arn"]} if before else {})}

    def end(self, service, deployment):
        if deployment["progress"].status == "SUCCESSFUL":
            service["active"] = [deployment["revision"]]
        service["updated"] = self.cloud.now()
        self.cloud.act(deployment["outcome"].get("then", []))

    def live(self, service):
        """The revisions that serve: during a deployment the old ones and the new."""
        newest = service["deployments"][0] if service["deployments"] else None
        if newest and not newest["progress"].ended and newest["progress"].status == "IN_PROGRESS":
            return [newest["revision"]] + [r for r in service["active"] if r is not newest["revision"]]
        return service["active"]

    def answer(self, service):
        if service["status"] != "ACTIVE" or not service["active"]:
            return 503, "no healthy targets"
        return 200, service["active"][0]["config"]["primaryContainer"]["image"]

    def write_logs(self, service, deployment):
        outcome = deployment["outcome"]
        if outcome.get("logs", self.cloud["logs"]) is False:
            return
        where = deployment["revision"]["config"]["primaryContainer"]["awsLogsConfiguration"]
        self.logs.write(where["logGroup"], f"{where['logStreamPrefix']}/Main/{deployment['task']}",
                        outcome.get("app_log", ["app starts"]))

    # --- answers ---

    def configuration(self, service, revision):
        config = copy.deepcopy(revision["config"])
        subnets = config["networkConfiguration"].get("subnets", [])
        private = any("private" in s for s in subnets)
        begun = any(d["progress"].status != "PENDING" for d in service["deployments"])
        paths = [{"accessType": "PRIVATE" if private else "PUBLIC", "endpoint": service["url"]}] if begun else []
        return {"serviceRevisionArn": revision["arn"], **config, "createdAt": revision["created"], "ingressPaths": paths}

    def status(self, service):
        return {"statusCode": service["status"], **({"statusReason": service["reason"]} if service["reason"] else {})}

    def shown(self, service, tags=False):
        deployments = service["deployments"]
        running = deployments and not deployments[0]["progress"].ended
        return {
            "cluster": self.arn("cluster", service["cluster"]), "serviceName": service["name"],
            "serviceArn": service["arn"], "infrastructureRoleArn": service["infrastructure"],
            "status": self.status(service), "createdAt": service["created"], "updatedAt": service["updated"],
            "activeConfigurations": [self.configuration(service, r) for r in self.live(service)],
            **({"currentDeployment": deployments[0]["arn"]} if running else {}),
            **({"tags": service["tags"]} if tags else {}),
        }

    # --- operations ---

    def CreateExpressGatewayService(self, p):
        cluster = p.get("cluster", "default").rpartition("/")[2]
        if cluster not in self.clusters:
            raise AwsError("ClusterNotFoundException", "Cluster not found.", key="message")
        for service in [s for s in self.services if s["name"] == p.get("serviceName") and s["cluster"] == cluster]:
            if service["status"] != "INACTIVE":
                raise invalid("Creation of service was not idempotent.")
            self.services.remove(service)
        service = self.make(p)
        try:
            revision = self.revise(service, {k: p[k] for k in SETTINGS if k in p})
        except AwsError:
            self.services.remove(service)
            raise
        self.begin(service, revision)
        answer = self.shown(service, "tags" in p)
        answer["activeConfigurations"] = [self.configuration(service, revision)]
        return {"service": answer}

    def UpdateExpressGatewayService(self, p):
        service = self.found(p["serviceArn"], look=False)
        if service["status"] != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "The service isn't active.", key="message")
        newest = service["revisions"][0]["config"]
        settings = {**newest, **{k: p[k] for k in SETTINGS if k in p}}
        if "scalingTarget" in p:
            settings["scalingTarget"] = {**newest["scalingTarget"], **p["scalingTarget"]}
        revision = self.revise(service, settings)
        deployment = self.begin(service, revision)
        return {"service": {
            "serviceArn": service["arn"], "cluster": self.arn("cluster", service["cluster"]), "serviceName": service["name"],
            "status": self.status(service), "targetConfiguration": self.configuration(service, deployment["revision"]),
            "createdAt": service["created"], "updatedAt": service["updated"]}}

    def DescribeExpressGatewayService(self, p):
        service = self.found(p["serviceArn"], "ResourceNotFoundException")
        return {"service": self.shown(service, "TAGS" in p.get("include", []))}

    def DeleteExpressGatewayService(self, p):
        service = self.found(p["serviceArn"])
        if service["status"] != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "The service isn't active.", key="message")
        service["status"], service["drain"] = "DRAINING", self.cloud["polls"]
        return {"service": self.shown(service)}

    def brief(self, service, d):
        return {"serviceDeploymentArn": d["arn"], "serviceArn": service["arn"],
                "clusterArn": self.arn("cluster", service["cluster"]), "createdAt": d["created"], "startedAt": d["created"],
                **({"finishedAt": d["finished"]} if d["finished"] else {}), "status": d["progress"].status,
                **({"statusReason": d["reason"]} if d["reason"] else {})}

    def ListServiceDeployments(self, p):
        service = self.found(p["service"])
        rows = []
        between = p.get("createdAt", {})
        for d in service["deployments"]:
            if d["hidden"] > 0:
                d["hidden"] -= 1
            elif (d["progress"].status in p.get("status", [d["progress"].status])
                  and between.get("after", 0) <= d["created"] <= between.get("before", 1 << 62)):
                rows.append({**self.brief(service, d), "targetServiceRevisionArn": d["revision"]["arn"]})
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("maxResults"), 100)
        return {"serviceDeployments": rows, **({"nextToken": token} if token else {})}

    @staticmethod
    def revision_summary(revision, running, weight):
        return {"arn": revision["arn"], "requestedTaskCount": 1, "runningTaskCount": running, "pendingTaskCount": 1 - running,
                "requestedProductionTrafficWeight": weight}

    def deployment(self, service, d):
        status = d["progress"].status
        stage = {"IN_PROGRESS": "BAKE_TIME", "PENDING": "RECONCILE_SERVICE"}.get(status)
        good = status == "SUCCESSFUL"
        return {
            **self.brief(service, d), "updatedAt": d["updated"],
            "sourceServiceRevisions": [self.revision_summary(r, 1, 0.0 if good else 95.0) for r in d["source"]],
            "targetServiceRevision": self.revision_summary(d["revision"], int(good), 100.0 if good else 5.0),
            **({"lifecycleStage": stage} if stage else {}), **({"rollback": d["rollback"]} if d["rollback"] else {}),
            "deploymentConfiguration": {"strategy": "CANARY", "bakeTimeInMinutes": 3, "canaryConfiguration": {
                "canaryPercent": 5.0, "canaryBakeTimeInMinutes": 3}},
            "deploymentCircuitBreaker": {"status": "TRIGGERED" if d["rollback"] else "MONITORING", "failureCount": 0,
                                         "threshold": 3},
        }

    def DescribeServiceDeployments(self, p):
        rows, failures = [], []
        for arn in p["serviceDeploymentArns"]:
            found = [(s, d) for s in self.services for d in s["deployments"] if d["arn"] == arn]
            if found:
                self.look(found[0][0])
                rows.append(self.deployment(*found[0]))
            else:
                failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": rows, "failures": failures}

    def DescribeServiceRevisions(self, p):
        rows, failures = [], []
        for arn in p["serviceRevisionArns"]:
            found = [(s, r) for s in self.services for r in s["revisions"] if r["arn"] == arn]
            if not found:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            service, r = found[0]
            rows.append({
                "serviceRevisionArn": r["arn"], "serviceArn": service["arn"], "createdAt": r["created"],
                "clusterArn": self.arn("cluster", service["cluster"]), "launchType": "FARGATE",
                "taskDefinition": self.arn("task-definition", f"{service['cluster']}-{service['name']}:1"),
                "containerImages": [{"containerName": "Main", "image": r["config"]["primaryContainer"]["image"],
                                     **({"imageDigest": r["digest"]} if r["digest"] else {})}]})
        return {"serviceRevisions": rows, "failures": failures}

    def tasks(self, service):
        """(task, deployment, status) of those that are known."""
        rows = []
        for d in service["deployments"]:
            good = d["revision"] in service["active"]
            bad = d["progress"].ended and d["progress"].status != "SUCCESSFUL"
            if good or bad or not d["progress"].ended:
                status = "STOPPED" if bad else "RUNNING" if good else "PENDING"
                rows.append((self.arn("task", service["cluster"], d["task"]), d, status))
        return rows

    def ListTasks(self, p):
        wanted = p.get("desiredStatus", "RUNNING")
        services = [self.found(p["serviceName"])] if p.get("serviceName") else self.services
        rows = [arn for s in services for arn, _, status in self.tasks(s) if (status == "STOPPED") == (wanted == "STOPPED")]
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("maxResults"), 100)
        return {"taskArns": rows, **({"nextToken": token} if token else {})}

    def DescribeTasks(self, p):
        known = {arn: (s, d, status) for s in self.services for arn, d, status in self.tasks(s)}
        rows, failures = [], []
        for arn in p["tasks"]:
            whole = arn if arn in known else next((a for a in known if a.endswith("/" + arn)), None)
            if not whole:
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            service, d, status = known[whole]
            outcome = d["outcome"]
            stopped = {"stopCode": "EssentialContainerExited", "stoppedAt": d["finished"],
                       "stoppedReason": outcome.get("stopped", "Essential container in task exited")} if status == "STOPPED" else {}
            container = {"name": "Main", "image": d["revision"]["config"]["primaryContainer"]["image"], "lastStatus": status,
                         **({"exitCode": outcome.get("exit", 1)} if stopped else {}),
                         **({"imageDigest": d["revision"]["digest"]} if d["revision"]["digest"] else {})}
            rows.append({"taskArn": whole, "clusterArn": self.arn("cluster", service["cluster"]), "lastStatus": status,
                         "desiredStatus": "STOPPED" if stopped else "RUNNING", "group": f"service:{service['name']}",
                         "startedBy": d["arn"].rpartition("/")[2], "launchType": "FARGATE", "createdAt": d["created"],
                         "containers": [container], **stopped})
        return {"tasks": rows, "failures": failures}

    def DescribeServices(self, p):
        rows, failures = [], []
        for name in p["services"]:
            found = [s for s in self.services if name in (s["arn"], s["name"])]
            if not found:
                failures.append({"arn": self.arn("service", p.get("cluster", "default"), name), "reason": "MISSING"})
                continue
            service = found[0]
            self.look(service)
            texts = [(d["finished"] or d["created"], d["reason"]) for d in service["deployments"] if d["reason"]]
            rows.append({
                "serviceArn": service["arn"], "serviceName": service["name"], "status": service["status"],
                "clusterArn": self.arn("cluster", service["cluster"]), "createdAt": service["created"], "desiredCount": 1,
                "runningCount": int(bool(service["active"])), "pendingCount": 0, "launchType": "FARGATE",
                "events": [{"id": self.cloud.uuid(), "createdAt": at, "message": f"(service {service['name']}) {text}"}
                           for at, text in texts]})
        return {"services": rows, "failures": failures}

    def cluster(self, name):
        return {"clusterArn": self.arn("cluster", name), "clusterName": name, "status": "ACTIVE"}

    def DescribeClusters(self, p):
        names = [c.rpartition("/")[2] for c in p.get("clusters", ["default"])]
        return {"clusters": [self.cluster(n) for n in names if n in self.clusters],
                "failures": [{"arn": self.arn("cluster", n), "reason": "MISSING"} for n in names if n not in self.clusters]}

    def CreateCluster(self, p):
        self.clusters.add(p.get("clusterName", "default"))
        return {"cluster": self.cluster(p.get("clusterName", "default"))}

    def TagResource(self, p):
        service = self.found(p["resourceArn"], "ResourceNotFoundException", False)
        tags = {t["key"]: t for t in service["tags"]}
        tags.update({t["key"]: t for t in p["tags"]})
        service["tags"] = list(tags.values())
        return {}

    def UntagResource(self, p):
        service = self.found(p["resourceArn"], "ResourceNotFoundException", False)
        service["tags"] = [t for t in service["tags"] if t["key"] not in p["tagKeys"]]
        return {}

    def ListTagsForResource(self, p):
        return {"tags": self.found(p["resourceArn"], "ResourceNotFoundException", False)["tags"]}
