"""App Runner: services, their operations, tags, auto-scaling configurations and connections."""
import copy
import re

from cloud import AwsError, Progress, outcome_stages

WORDS = ("PENDING", "IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "SUCCEEDED")
CPU = {"256": "256", "0.25 vCPU": "256", "512": "512", "0.5 vCPU": "512", "1 vCPU": "1024", "2 vCPU": "2048", "4 vCPU": "4096"}
PAIRS = {"256": ("512", "1024"), "512": ("1024",), "1024": ("2048", "3072", "4096"), "2048": ("4096", "6144"),
         "4096": ("8192", "10240", "12288")}
PARTS = ("SourceConfiguration", "InstanceConfiguration", "EncryptionConfiguration", "HealthCheckConfiguration",
         "NetworkConfiguration", "ObservabilityConfiguration", "AutoScalingConfigurationArn")
# While an operation runs, and how each kind of it ends.
ENDS = {
    "CREATE_SERVICE": ("RUNNING", "CREATE_FAILED"),
    "UPDATE_SERVICE": ("RUNNING", "RUNNING"),
    "START_DEPLOYMENT": ("RUNNING", "RUNNING"),
    "PAUSE_SERVICE": ("PAUSED", "RUNNING"),
    "RESUME_SERVICE": ("RUNNING", "PAUSED"),
    "DELETE_SERVICE": ("DELETED", "DELETE_FAILED"),
}


def invalid(message):
    return AwsError("InvalidRequestException", message)


class AppRunner:
    signing = "apprunner"
    invalid_code = "InvalidRequestException"
    errors = "com.amazonaws.apprunner#"

    def __init__(self, cloud, logs, ecr, apps):
        self.cloud, self.logs, self.ecr, self.apps = cloud, logs, ecr, apps
        self.reset()

    def reset(self):
        self.services = []
        self.outcomes = []
        self.scalings = []
        self.connections = []
        self.omit = []  # members that the next answer leaves out against its model
        self.scale("DefaultConfiguration", {})

    def arn(self, kind, rest):
        return f"arn:aws:apprunner:{self.cloud['region']}:{self.cloud['account']}:{kind}/{rest}"

    # --- state ---

    def make(self, name, config, tags=()):
        cloud = self.cloud
        service = {
            "name": name, "id": cloud.hex(), "created": cloud.now(), "updated": cloud.now(), "config": config, "live": None,
            "status": "OPERATION_IN_PROGRESS", "operations": [], "tags": list(tags), "looks": 0, "maintenance": None,
            "digest": None,
        }
        service["arn"] = self.arn("service", f"{name}/{service['id']}")
        host = f"{cloud.hex(10)}.{cloud['region']}.awsapprunner.com"
        service["host"] = host
        service["url"] = self.apps.open(host, lambda: self.answer(service))
        self.services.insert(0, service)
        return service

    def named(self, name):
        """The living service of this name."""
        for service in self.services:
            if service["name"] == name and service["status"] != "DELETED":
                return service
        return None

    def found(self, arn, look=True):
        for service in self.services:
            if service["arn"] == arn:
                self.look(service, look)
                if service["status"] == "DELETED":
                    service["looks"] += 1
                    if service["looks"] > self.cloud["deleted_looks"]:
                        break
                return service
        raise AwsError("ResourceNotFoundException", f"Service with the provided ARN not found: {arn}.")

    def public(self, service):
        network = service["config"].get("NetworkConfiguration", {})
        return network.get("IngressConfiguration", {}).get("IsPubliclyAccessible", True)

    def begin(self, service, kind, previous=None, outcome=None):
        """Start an operation; its record."""
        cloud = self.cloud
        if outcome is None:
            outcome = self.outcome(service, kind)
        outcome = {"polls": cloud["polls"], **outcome}
        source = service["config"]["SourceConfiguration"]
        words = self.unwell(source) if outcome.get("end", "SUCCEEDED") == "SUCCEEDED" and kind in (
            "CREATE_SERVICE", "UPDATE_SERVICE", "START_DEPLOYMENT") and "stages" not in outcome else None
        if words:
            outcome.update(end="FAILED" if kind == "CREATE_SERVICE" else "ROLLBACK_SUCCEEDED", events=words)
        operation = {
            "id": cloud.uuid(), "kind": kind, "started": cloud.now(), "ended": None, "updated": cloud.now(),
            "outcome": outcome, "progress": Progress(outcome_stages(outcome, WORDS), cloud.states_now()), "previous": previous,
            "before": service["status"], "hidden": outcome.get("hidden", 0),
        }
        service["operations"].insert(0, operation)
        service["status"] = "OPERATION_IN_PROGRESS"
        service["unlisted"] = outcome.get("unlisted", 0)
        service["updated"] = cloud.now()
        if kind in ("CREATE_SERVICE", "UPDATE_SERVICE", "START_DEPLOYMENT"):
            self.write_logs(service, operation)
        return operation

    def outcome(self, service, kind):
        for outcome in self.outcomes:
            if outcome.get("op", "*") in (kind, "*") and outcome.get("service", service["name"]) == service["name"]:
                if not outcome.get("keep"):
                    self.outcomes.remove(outcome)
                return dict(outcome)
        return {}

    def unwell(self, source):
        """Why this image cannot be deployed, for the event log; None when it can."""
        image = source.get("ImageRepository")
        if not image or self.cloud["images"] == "any" or image["ImageRepositoryType"] != "ECR":
            return None
        found = self.ecr.image(image["ImageIdentifier"])
        if found is None:
            return [f"Failed to pull your application image from ECR: {image['ImageIdentifier']} was not found."]
        if "amd64" not in found["architectures"] and found["architectures"]:
            return ["Failed to copy the image from ECR. Reason: image Architecture is not amd64",
                    "exec format error"]
        return None

    def look(self, service, counts=True):
        cloud = self.cloud
        wait = service["maintenance"]
        if wait:
            wait.look(cloud.states_now(), counts)
            if wait.ended:
                service["maintenance"] = None
                service["status"] = wait.status
        running = [o for o in service["operations"] if not o["progress"].ended]
        for operation in running:
            if operation["progress"].look(cloud.states_now(), counts):
                operation["updated"] = cloud.now()
            if operation["progress"].ended:
                operation["ended"] = service["updated"] = cloud.now()
                self.end(service, operation)

    def end(self, service, operation):
        good = operation["progress"].status == "SUCCEEDED"
        kind, outcome = operation["kind"], operation["outcome"]
        if good and kind != "DELETE_SERVICE":
            service["live"] = copy.deepcopy(service["config"])
            image = service["config"]["SourceConfiguration"].get("ImageRepository")
            found = image and self.ecr.image(image["ImageIdentifier"])
            service["digest"] = found and found["digest"]
        elif operation["previous"]:
            service["config"] = operation["previous"]
        service["status"] = outcome.get("status") or ENDS[kind][0 if good else 1]
        if not good and kind == "UPDATE_SERVICE" and operation["before"] == "CREATE_FAILED":
            service["status"] = "CREATE_FAILED"
        if service["status"] == "DELETED":
            service["deleted"] = self.cloud.now()
        self.cloud.act(outcome.get("then", []))

    def answer(self, service):
        """What the service's app answers, as (status, body)."""
        live = service["live"]
        if service["status"] in ("PAUSED", "DELETED", "CREATE_FAILED") or live is None or not self.public(service):
            return 404, "no such app"
        source = live["SourceConfiguration"]
        return 200, (source.get("ImageRepository") or {}).get("ImageIdentifier") or source["CodeRepository"]["RepositoryUrl"]

    def write_logs(self, service, operation):
        outcome = operation["outcome"]
        if outcome.get("logs", self.cloud["logs"]) is False:
            return
        group = f"/aws/apprunner/{service['name']}/{service['id']}"
        source = service["config"]["SourceConfiguration"]
        image = (source.get("ImageRepository") or {}).get("ImageIdentifier", "the source code")
        bad = outcome.get("end", "SUCCEEDED") not in ("SUCCEEDED", "stall")
        events = outcome.get("events") or [
            f"Your application stopped or failed to start. See logs for more information.  Container exit code: 1"
            if bad else f"Successfully pulled {image}."]
        words = {"CREATE_SERVICE": "Service creation", "UPDATE_SERVICE": "Service update"}.get(operation["kind"], "Deployment")
        self.logs.write(group + "/service", "events", [f"[AppRunner] {words} started."] + [f"[AppRunner] {e}" for e in events])
        self.logs.write(group + "/service", f"deployment/{operation['id'].replace('-', '')}",
                        [f"[AppRunner] Deployment ID : {operation['id']}."] + [f"[AppRunner] {e}" for e in events])
        if outcome.get("app_log") or not bad:
            lines = outcome.get("app_log") or ["app starts"]
            self.logs.write(group + "/application", f"instance/{self.cloud.hex()}", lines)

    # --- answers ---

    def scaling(self, arn):
        if arn is None:
            return self.scalings[-1]
        for s in self.scalings:
            whole = s["AutoScalingConfigurationArn"]
            if arn == whole or (s["Latest"] and whole.startswith(arn + "/")) or whole.rpartition("/")[0] == arn:
                if s["Status"] == "ACTIVE":
                    return s
        raise invalid(f"The auto scaling configuration ARN you specified isn't valid. ARN: '{arn}'")

    def shown(self, service):
        config = copy.deepcopy(service["config"])
        scaling = self.scaling(config.pop("AutoScalingConfigurationArn", None))
        summary = {k: scaling[k] for k in ("AutoScalingConfigurationArn", "AutoScalingConfigurationName",
                                           "AutoScalingConfigurationRevision")}
        answer = {
            "ServiceName": service["name"], "ServiceId": service["id"], "ServiceArn": service["arn"],
            "CreatedAt": service["created"], "UpdatedAt": service["updated"], "Status": service["status"],
            "AutoScalingConfigurationSummary": summary, **config,
        }
        if self.public(service):
            answer["ServiceUrl"] = service["url"]
        if "deleted" in service:
            answer["DeletedAt"] = service["deleted"]
        return answer

    def both(self, service, operation):
        return {"Service": self.shown(service), **(self.operation_id(operation) if operation else {})}

    def operation_id(self, operation):
        if operation["outcome"].get("operation_id") is False:
            self.omit.append("OperationId")
        return {"OperationId": operation["id"]}

    # --- settings ---

    def checked(self, given, before=None):
        """The configuration that these parameters make, over the one before."""
        config = copy.deepcopy(before) if before else {}
        for part in PARTS:
            if part in given:
                config[part] = copy.deepcopy(given[part])
        source = config["SourceConfiguration"]
        self.check_source(source, before)
        instance = config.setdefault("InstanceConfiguration", {})
        if before:
            config["InstanceConfiguration"] = instance = {**before["InstanceConfiguration"], **instance}
        cpu, memory = instance.get("Cpu", "1024"), instance.get("Memory", "2048")
        instance["Cpu"] = CPU.get(cpu, cpu)
        instance["Memory"] = str(int(float(memory[:-3]) * 1024)) if memory.endswith(" GB") else memory
        if instance["Memory"] not in PAIRS.get(instance["Cpu"], ()):
            raise invalid(f"Invalid CPU and memory combination: {instance['Cpu']} and {instance['Memory']}.")
        health = config.setdefault("HealthCheckConfiguration", {})
        for name, value in (("Protocol", "TCP"), ("Path", "/"), ("Interval", 5), ("Timeout", 2), ("HealthyThreshold", 1),
                            ("UnhealthyThreshold", 5)):
            health.setdefault(name, value)
        network = config.setdefault("NetworkConfiguration", {})
        network.setdefault("EgressConfiguration", {"EgressType": "DEFAULT"})
        network.setdefault("IngressConfiguration", {"IsPubliclyAccessible": True})
        network.setdefault("IpAddressType", "IPV4")
        egress = network["EgressConfiguration"]
        if (egress.get("EgressType") == "VPC") != bool(egress.get("VpcConnectorArn")):
            raise invalid("VpcConnectorArn goes with EgressType VPC, and only with it.")
        watched = config.setdefault("ObservabilityConfiguration", {"ObservabilityEnabled": False})
        if not watched["ObservabilityEnabled"] and watched.get("ObservabilityConfigurationArn"):
            raise invalid("ObservabilityConfigurationArn given, and ObservabilityEnabled is false.")
        self.scaling(config.get("AutoScalingConfigurationArn"))
        values = [v for v in (source.get("ImageRepository", {}).get("ImageConfiguration", {}),
                              source.get("CodeRepository", {}).get("CodeConfiguration", {}).get("CodeConfigurationValues", {}))]
        for v in values:
            if v.get("RuntimeEnvironmentSecrets") and not instance.get("InstanceRoleArn"):
                raise invalid("Runtime environment secrets need an instance role.")
            if set(v.get("RuntimeEnvironmentSecrets", {})) & set(v.get("RuntimeEnvironmentVariables", {})):
                raise invalid("A name is both a runtime environment variable and a secret.")
        return config

    def check_source(self, source, before):
        image, code = source.get("ImageRepository"), source.get("CodeRepository")
        if bool(image) == bool(code):
            raise invalid("Exactly one of ImageRepository and CodeRepository must be given.")
        if before and bool(before["SourceConfiguration"].get("ImageRepository")) != bool(image):
            raise invalid("You can't change the source type of a service.")
        access = source.get("AuthenticationConfiguration", {})
        if image:
            public = image["ImageRepositoryType"] == "ECR_PUBLIC"
            if public != image["ImageIdentifier"].startswith("public.ecr.aws/"):
                raise invalid(f"The image repository type does not match the image identifier "
                              f"{image['ImageIdentifier']}.")
            if public and source.get("AutoDeploymentsEnabled"):
                raise invalid("App Runner doesn't support automatic deployments for an image in an ECR Public repository.")
            if public and access:
                raise invalid("Authentication configuration is not supported for an ECR Public repository.")
            if not public and not access.get("AccessRoleArn"):
                raise invalid("Authentication configuration is invalid: an access role is needed for ECR.")
            own = public or image["ImageIdentifier"].startswith(self.cloud["account"] + ".")
            if not own and source.get("AutoDeploymentsEnabled"):
                raise invalid("Automatic deployments are not supported for a repository of another account.")
            source.setdefault("AutoDeploymentsEnabled", own and not public)
            settings = image.setdefault("ImageConfiguration", {})
            settings.setdefault("Port", "8080")
            if not re.fullmatch("[0-9]{1,5}", settings["Port"]) or not 0 < int(settings["Port"]) < 65536:
                raise invalid(f"Invalid port: {settings['Port']}.")
        else:
            arn = access.get("ConnectionArn")
            connection = [c for c in self.connections if c["ConnectionArn"] == arn]
            if not connection or connection[0]["Status"] != "AVAILABLE":
                raise invalid(f"Authentication configuration is invalid. Connection {arn} is "
                              f"{connection[0]['Status'] if connection else 'not found'}.")
            settings = code.get("CodeConfiguration", {"ConfigurationSource": "REPOSITORY"})
            if (settings["ConfigurationSource"] == "API") != bool(settings.get("CodeConfigurationValues")):
                raise invalid("CodeConfigurationValues go with the configuration source API, and only with it.")
            source.setdefault("AutoDeploymentsEnabled", True)

    # --- operations ---

    def CreateService(self, p):
        if self.cloud["closed"]:
            raise AwsError("AccessDeniedException", "AWS App Runner is in maintenance mode and is no longer available to new "
                           "customers.")
        if self.named(p["ServiceName"]):
            raise invalid(f"Service with the provided name already exists: {p['ServiceName']}.")
        service = self.make(p["ServiceName"], self.checked(p), p.get("Tags", ()))
        return self.both(service, self.begin(service, "CREATE_SERVICE"))

    def state(self, service, *allowed):
        if service["status"] not in allowed:
            raise AwsError("InvalidStateException", f"Service cannot be updated in the current state: {service['status']}.")

    def UpdateService(self, p):
        service = self.found(p["ServiceArn"], False)
        self.state(service, "RUNNING", *(["CREATE_FAILED"] if self.cloud["rebuild"] else []))
        previous = service["config"]
        service["config"] = self.checked(p, previous)
        if p.get("NetworkConfiguration"):
            network = {**previous["NetworkConfiguration"], **p["NetworkConfiguration"]}
            service["config"]["NetworkConfiguration"] = network
        return self.both(service, self.begin(service, "UPDATE_SERVICE", previous))

    def StartDeployment(self, p):
        service = self.found(p["ServiceArn"], False)
        if service["status"] != "RUNNING":
            raise invalid(f"Can't start a deployment. Service status: {service['status']}.")
        return self.operation_id(self.begin(service, "START_DEPLOYMENT"))

    def DescribeService(self, p):
        return {"Service": self.shown(self.found(p["ServiceArn"]))}

    def ListServices(self, p):
        for service in self.services:
            self.look(service)
        rows = [s for s in self.services if s["status"] != "DELETED" or s["looks"] <= self.cloud["deleted_looks"]]
        rows = [s for s in rows if not s.get("unlisted")]
        for service in self.services:
            service["unlisted"] = max(0, service.get("unlisted", 0) - 1)
        rows, token = self.cloud.page(rows, p.get("NextToken"), p.get("MaxResults"))
        names = {"ServiceName", "ServiceId", "ServiceArn", "ServiceUrl", "CreatedAt", "UpdatedAt", "Status"}
        summaries = [{k: v for k, v in self.shown(s).items() if k in names} for s in rows]
        return {"ServiceSummaryList": summaries, **({"NextToken": token} if token else {})}

    def ListOperations(self, p):
        service = self.found(p["ServiceArn"])
        rows = []
        for o in service["operations"]:
            if o["hidden"] > 0:
                o["hidden"] -= 1
                continue
            row = {"Id": o["id"], "Type": o["kind"], "Status": o["progress"].status, "TargetArn": service["arn"],
                   "StartedAt": o["started"], "UpdatedAt": o["updated"]}
            rows.append({**row, "EndedAt": o["ended"]} if o["ended"] else row)
        rows, token = self.cloud.page(rows, p.get("NextToken"), p.get("MaxResults"))
        return {"OperationSummaryList": rows, **({"NextToken": token} if token else {})}

    def PauseService(self, p):
        return self.switch(p, "PAUSE_SERVICE", "RUNNING", "PAUSED")

    def ResumeService(self, p):
        return self.switch(p, "RESUME_SERVICE", "PAUSED", "RUNNING")

    def switch(self, p, kind, from_status, to_status):
        service = self.found(p["ServiceArn"], False)
        if service["status"] == to_status:
            return self.both(service, None)
        self.state(service, from_status)
        return self.both(service, self.begin(service, kind))

    def DeleteService(self, p):
        service = self.found(p["ServiceArn"], False)
        self.state(service, "RUNNING", "PAUSED", "CREATE_FAILED", "DELETE_FAILED")
        return self.both(service, self.begin(service, "DELETE_SERVICE"))

    def TagResource(self, p):
        service = self.found(p["ResourceArn"], False)
        tags = {t["Key"]: t for t in service["tags"]}
        tags.update({t["Key"]: t for t in p["Tags"]})
        if len(tags) > 50:
            raise invalid("A resource can have at most 50 tags.")
        service["tags"] = list(tags.values())
        return {}

    def UntagResource(self, p):
        service = self.found(p["ResourceArn"], False)
        service["tags"] = [t for t in service["tags"] if t["Key"] not in p["TagKeys"]]
        return {}

    def ListTagsForResource(self, p):
        return {"Tags": self.found(p["ResourceArn"], False)["tags"]}

    def scale(self, name, p):
        same = [s for s in self.scalings if s["AutoScalingConfigurationName"] == name]
        revision = 1 + max([s["AutoScalingConfigurationRevision"] for s in same] or [0])
        for s in same:
            s["Latest"] = False
        row = {
            "AutoScalingConfigurationArn": self.arn("autoscalingconfiguration", f"{name}/{revision}/{self.cloud.hex()}"),
            "AutoScalingConfigurationName": name, "AutoScalingConfigurationRevision": revision, "Latest": True,
            "Status": "ACTIVE", "MaxConcurrency": p.get("MaxConcurrency", 100), "MinSize": p.get("MinSize", 1),
            "MaxSize": p.get("MaxSize", 25), "CreatedAt": self.cloud.now(),
        }
        self.scalings.insert(0, row)
        return row

    def CreateAutoScalingConfiguration(self, p):
        if p.get("MinSize", 1) > p.get("MaxSize", 25):
            raise invalid("MinSize is greater than MaxSize.")
        return {"AutoScalingConfiguration": self.scale(p["AutoScalingConfigurationName"], p)}

    def DescribeAutoScalingConfiguration(self, p):
        return {"AutoScalingConfiguration": self.scaling(p["AutoScalingConfigurationArn"])}

    def ListAutoScalingConfigurations(self, p):
        rows = [{k: v for k, v in s.items() if k in ("AutoScalingConfigurationArn", "AutoScalingConfigurationName",
                                                     "AutoScalingConfigurationRevision", "Status", "CreatedAt")}
                for s in self.scalings
                if p.get("AutoScalingConfigurationName", s["AutoScalingConfigurationName"])
                == s["AutoScalingConfigurationName"] and (s["Latest"] or not p.get("LatestOnly"))]
        rows, token = self.cloud.page(rows, p.get("NextToken"), p.get("MaxResults"), 100)
        return {"AutoScalingConfigurationSummaryList": rows, **({"NextToken": token} if token else {})}

    def CreateConnection(self, p):
        row = {
            "ConnectionName": p["ConnectionName"], "ProviderType": p["ProviderType"], "Status": "PENDING_HANDSHAKE",
            "ConnectionArn": self.arn("connection", f"{p['ConnectionName']}/{self.cloud.hex()}"),
            "CreatedAt": self.cloud.now(),
        }
        self.connections.append(row)
        return {"Connection": row}

    def ListConnections(self, p):
        rows = [c for c in self.connections if p.get("ConnectionName", c["ConnectionName"]) == c["ConnectionName"]]
        rows, token = self.cloud.page(rows, p.get("NextToken"), p.get("MaxResults"), 100)
        return {"ConnectionSummaryList": rows, **({"NextToken": token} if token else {})}
