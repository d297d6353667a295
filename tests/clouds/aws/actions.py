"""What a test may do to the cloud, at once (the control endpoint) or when something happens ("do" and "then" of faults
and outcomes). An action is {NAME: VALUE}; the names are the methods of Actions, with "-" for "_".
"""
from cloud import Progress

ROLE = "arn:aws:iam::123456789012:role/"


class Actions:
    def __init__(self, cloud, services, apps, registry):
        self.cloud, self.apps, self.registry = cloud, apps, registry
        self.apprunner, self.ecs, self.logs, self.ecr = (services[n] for n in ("apprunner", "ecs", "logs", "ecr"))

    def act(self, actions):
        """Do all; the last one's result."""
        result = None
        for action in actions:
            for name, value in action.items():
                method = getattr(self, name.replace("-", "_"), None)
                if not method or name.startswith("_") or name == "act":
                    raise ValueError(f"no such action: {name}")
                result = method(value)
        return result

    def set(self, settings):
        """Settings of cloud.SETTINGS."""
        self.cloud.set(settings)

    def fault(self, entry):
        """An entry of faults.py."""
        self.cloud.faults.add(entry)

    def clock(self, seconds):
        """Move the stand-in's clock: later Date headers, states, expiries."""
        self.cloud.offset += seconds

    def wait(self, seconds):
        """So much later for the states that last for "seconds", and for nothing else."""
        self.cloud.waited += seconds

    def expire(self, name):
        """Credentials are expired from now on: a key id, or "all" that are temporary."""
        self.cloud.expire(name)

    def credentials(self, value):
        """Issue temporary credentials {"seconds", "calls"}; their keys."""
        issued = self.cloud.issue(f"arn:aws:sts::{self.cloud['account']}:assumed-role/deploy/test", value.get("seconds"))
        self.cloud.keys[issued["AccessKeyId"]]["calls"] = value.get("calls")
        return issued

    def log(self, value):
        """{"group", "stream", "lines"}"""
        self.logs.write(value["group"], value["stream"], value["lines"])

    def logs_gone(self, prefix):
        for group in [g for g in self.logs.groups if g.startswith(prefix)]:
            del self.logs.groups[group]

    def app(self, value):
        """What a service's app answers next: {"service", "status", "body", "headers", "delay", "times" (0: for ever)}."""
        service = self.apprunner.named(value["service"]) or self.ecs.found(value["service"], look=False)
        self.apps.scripts.setdefault(service["host"], []).append({"times": 1, **value})

    def repository(self, value):
        """{"name", "mutability"}"""
        self.ecr.make(value["name"], value.get("mutability", "MUTABLE"))

    def registry_password(self, end):
        """The registry's password changes: what was given out is expired. end: its last characters."""
        self.registry.rotate(end)

    # --- App Runner ---

    def outcome(self, value):
        """What the next operation comes to: {"op": kind or "*", "service", "end": a terminal status, "stall" or
        "stall-rollback", "polls" or "seconds" for each stage or "stages": [{"status", "polls" | "seconds"}],
        "hidden": looks at the list before it appears, "unlisted": calls of ListServices before a new service appears, "operation_id": false to leave it out, "status": the service's
        in the end, "events", "app_log": lines, "logs": false, "then": actions at the end, "keep": true}"""
        self.apprunner.outcomes.append(value)

    def seed(self, value):
        """A service that is there: {"name", "status", "image", "config": parameters of CreateService, "tags"}."""
        image = value.get("image", f"{self.ecr.host()}/shop:old")
        given = {"SourceConfiguration": {
            "ImageRepository": {"ImageIdentifier": image, "ImageRepositoryType": "ECR"}, "AutoDeploymentsEnabled": False,
            "AuthenticationConfiguration": {"AccessRoleArn": ROLE + "AppRunnerECRAccessRole"}}, **value.get("config", {})}
        service = self.apprunner.make(value["name"], self.apprunner.checked(given), value.get("tags", ()))
        service["status"] = value.get("status", "RUNNING")
        if service["status"] not in ("CREATE_FAILED", "OPERATION_IN_PROGRESS"):
            service["live"] = service["config"]
        if service["status"] == "DELETED":
            service["deleted"] = self.cloud.now()
        return {"arn": service["arn"], "id": service["id"], "url": service["url"]}

    def elsewhere(self, value):
        """Somebody else's operation: {"service", "type", "image", …} and what an outcome may have."""
        service = self.apprunner.named(value["service"])
        kind = value.get("type", "UPDATE_SERVICE")
        previous = service["config"]
        if "image" in value:
            source = {**previous["SourceConfiguration"], "ImageRepository": {
                **previous["SourceConfiguration"]["ImageRepository"], "ImageIdentifier": value["image"]}}
            service["config"] = {**previous, "SourceConfiguration": source}
        rest = {k: v for k, v in value.items() if k not in ("service", "type", "image")}
        operation = self.apprunner.begin(service, kind, previous, {"end": "SUCCEEDED", **rest})
        self.apprunner.look(service, False)
        return operation["id"]

    def maintenance(self, value):
        """OPERATION_IN_PROGRESS with no operation: {"service", "polls" or "seconds", "after": "RUNNING"}."""
        service = self.apprunner.named(value["service"])
        pace = {"seconds": value["seconds"]} if "seconds" in value else {"polls": value.get("polls", 2)}
        service["status"] = "OPERATION_IN_PROGRESS"
        service["maintenance"] = Progress([{"status": "OPERATION_IN_PROGRESS", **pace},
                                           {"status": value.get("after", "RUNNING")}], self.cloud.states_now())

    def status(self, value):
        """{"service": its status}"""
        for name, status in value.items():
            self.apprunner.named(name)["status"] = status

    def remove(self, name):
        """A service is gone without a trace, App Runner's or ECS's."""
        for service in (self.apprunner, self.ecs):
            service.services = [s for s in service.services if s["name"] != name]

    def connection(self, value):
        """{"name", "status"}; its ARN. One of that name gets the status."""
        rows = [c for c in self.apprunner.connections if c["ConnectionName"] == value["name"]]
        if not rows:
            self.apprunner.CreateConnection({"ConnectionName": value["name"], "ProviderType": "GITHUB"})
            rows = self.apprunner.connections[-1:]
        rows[0]["Status"] = value.get("status", "AVAILABLE")
        return rows[0]["ConnectionArn"]

    def scaling(self, value):
        """An auto-scaling configuration {"name", "MinSize", …, "Status"}; its ARN."""
        row = self.apprunner.scale(value["name"], value)
        row["Status"] = value.get("Status", "ACTIVE")
        return row["AutoScalingConfigurationArn"]

    # --- ECS Express ---

    def ecs_outcome(self, value):
        """As outcome, with ECS's statuses; also "reason", "stopped" (a task's stoppedReason), "exit"."""
        self.ecs.outcomes.append(value)

    def ecs_seed(self, value):
        """{"name", "image", "status", "cluster", "config": parameters of CreateExpressGatewayService, "tags"}"""
        given = {"executionRoleArn": ROLE + "ecsTaskExecutionRole", "infrastructureRoleArn": ROLE + "ecsInfrastructure",
                 "primaryContainer": {"image": value.get("image", f"{self.ecr.host()}/shop:old")}, **value.get("config", {})}
        service = self.ecs.make({"serviceName": value["name"], **given, "cluster": value.get("cluster", "default"),
                                 "tags": value.get("tags", ())})
        settings = {k: v for k, v in given.items() if k != "infrastructureRoleArn"}
        self.ecs.begin(service, self.ecs.revise(service, settings), {"stages": [{"status": "SUCCESSFUL"}]})
        service["active"] = service["revisions"][:1]
        service["status"] = value.get("status", "ACTIVE")
        service["drain"] = value.get("drain", 2)
        return {"arn": service["arn"], "url": service["url"]}

    def ecs_elsewhere(self, value):
        """Somebody else's deployment: {"service", "image", …} and what an outcome may have."""
        service = self.ecs.found(value["service"], look=False)
        config = service["revisions"][0]["config"]
        config = {**config, "primaryContainer": {**config["primaryContainer"], "image": value["image"]}}
        rest = {k: v for k, v in value.items() if k not in ("service", "image")}
        deployment = self.ecs.begin(service, self.ecs.revise(service, config), {"end": "SUCCESSFUL", **rest})
        self.ecs.look(service, False)
        return deployment["arn"]

    def ecs_status(self, value):
        """{"service": ACTIVE, DRAINING or INACTIVE}"""
        for name, status in value.items():
            service = self.ecs.found(name, look=False)
            service["status"], service["drain"] = status, 1 << 30

    def cluster(self, name):
        self.ecs.clusters.add(name)
