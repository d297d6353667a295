"""AWS's own models: what a request and an answer may hold.

The base is Debian's python3-botocore (service-2.json: patterns, enums, limits). What it is too old to know comes from
the type declarations of the npm clients in tests/npm (models.mjs): operations, members, enum values. Two gaps that
neither fills are in NEWER.
"""
import glob
import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.path.join(HERE, "..", "..", "npm", "node_modules")
BOTOCORE = "/usr/lib/python3/dist-packages/botocore/data"
SERVICES = {"apprunner": "client-apprunner", "ecs": "client-ecs", "ecr": "client-ecr", "sts": "client-sts",
            "logs": "client-cloudwatch-logs"}

# Shapes as botocore 1.43 has them, where Debian's are narrower and the npm clients have neither limits nor patterns.
TEXT = {"type": "string", "min": 1, "max": 2048}
NEWER = {
    "apprunner": {
        "Cpu": {"type": "string", "min": 3, "max": 9, "pattern": r"256|512|1024|2048|4096|(0.25|0.5|1|2|4) vCPU"},
        "Memory": {"type": "string", "min": 3, "max": 6,
                   "pattern": r"512|1024|2048|3072|4096|6144|8192|10240|12288|(0.5|1|2|3|4|6|8|10|12) GB"},
        # The model asks for 32 characters and for a pattern of 36 at once; real ones are 32 hexadecimal digits.
        "ServiceId": {"type": "string", "min": 32, "max": 32, "pattern": "[0-9a-f]{32}"},
        "ASConfigMaxSize": {"type": "integer", "min": 1},
        "RuntimeEnvironmentSecrets": {"type": "map", "key": TEXT, "value": TEXT},
        "SourceDirectory": {"type": "string", "min": 1, "max": 4096, "pattern": r"[^\x00]+"},
    },
    "ecs": {},
    "ecr": {"RepositoryName": {"type": "string", "min": 2, "max": 256, "pattern":
                               r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"}},
    "sts": {},
    "logs": {},
}
# (shape, member) → the shape that it has there.
MEMBERS = {
    ("CodeRepository", "SourceDirectory"): {"shape": "SourceDirectory"},
    ("ImageConfiguration", "RuntimeEnvironmentSecrets"): {"shape": "RuntimeEnvironmentSecrets"},
    ("CodeConfigurationValues", "RuntimeEnvironmentSecrets"): {"shape": "RuntimeEnvironmentSecrets"},
    ("CreateExpressGatewayServiceRequest", "tags"): {"shape": "Tags"},
}
# Newer clients leave these out for a task definition, which is not what we use.
REQUIRED = {"CreateExpressGatewayServiceRequest": ["executionRoleArn", "infrastructureRoleArn", "primaryContainer"]}


class Service:
    def __init__(self, name, botocore, client):
        self.name = name
        self.metadata = botocore["metadata"]
        self.shapes = botocore["shapes"]
        self.operations = botocore["operations"]
        self.shapes.update(NEWER.get(name, {}))
        if client:
            self.merge(client)

    def merge(self, client):
        for name, shape in client["shapes"].items():
            mine = self.shapes.setdefault(name, {"type": "structure", "members": {}})
            if mine["type"] != "structure":
                continue
            mine["required"] = REQUIRED.get(name, shape["required"])
            for member, theirs in shape["members"].items():
                if (name, member) in MEMBERS:
                    mine["members"][member] = MEMBERS[name, member]
                else:
                    self.add_values(mine["members"].setdefault(member, theirs), theirs)
        for name, operation in client["operations"].items():
            mine = self.operations.setdefault(name, {
                "input": {"shape": operation["input"]},
                "output": {"shape": operation["output"]} if operation.get("output") else {},
            })
            mine.setdefault("errors", []).extend({"shape": error} for error in operation["errors"])

    def add_values(self, mine, theirs):
        mine = self.resolve(mine)
        theirs = theirs if "type" in theirs else {}
        if mine.get("type") == "list" and theirs.get("type") == "list":
            self.add_values(mine["member"], theirs["member"])
        elif "enum" in mine and "enum" in theirs:
            mine["enum"] = sorted(set(mine["enum"]) | set(theirs["enum"]))

    def resolve(self, reference):
        while "type" not in reference:
            reference = self.shapes.get(reference["shape"], {"type": "any"})  # a union of a client's
        return reference

    def shape_of(self, operation, way):
        return self.operations[operation].get(way) or {"type": "structure", "members": {}}

    def errors_of(self, operation):
        """The codes that an operation's errors have on the wire."""
        shapes = [e["shape"] for e in self.operations[operation].get("errors", [])]
        return {self.shapes.get(s, {}).get("error", {}).get("code", s) for s in shapes}

    def problems(self, operation, way, value):
        """What is wrong with this 'input' or 'output': sentences, none when it is good."""
        found = []
        self.walk(self.shape_of(operation, way), value, operation, found)
        return found

    def walk(self, reference, value, where, found):
        shape = self.resolve(reference)
        kind = shape["type"]
        say = found.append
        types = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int,
                 "long": int, "double": (int, float), "float": (int, float), "number": (int, float),
                 "timestamp": (int, float), "blob": str}
        wanted = types.get(kind)
        if wanted and (not isinstance(value, wanted) or isinstance(value, bool) != (kind == "boolean")):
            say(f"{where}: expected {kind}, got {value!r:.60}")
            return
        if kind == "structure":
            for name in shape.get("required", []):
                if value.get(name) is None:
                    say(f"{where}.{name}: required, and absent")
            for name, member in value.items():
                if name not in shape.get("members", {}):
                    say(f"{where}.{name}: no such member")
                else:
                    self.walk(shape["members"][name], member, f"{where}.{name}", found)
        elif kind == "map":
            for key, member in value.items():
                self.walk(shape["key"], key, f"{where} key", found)
                self.walk(shape["value"], member, f"{where}[{key}]", found)
        elif kind == "list":
            for i, member in enumerate(value):
                self.walk(shape["member"], member, f"{where}[{i}]", found)
        self.limits(shape, value, where, say)

    @staticmethod
    def limits(shape, value, where, say):
        size = len(value) if isinstance(value, (str, list, dict)) else value
        if not isinstance(size, bool) and isinstance(size, (int, float)) and shape["type"] not in ("structure", "blob"):
            if "min" in shape and size < shape["min"]:
                say(f"{where}: at least {shape['min']}, got {size}")
            if "max" in shape and size > shape["max"]:
                say(f"{where}: at most {shape['max']}, got {size}")
        if "enum" in shape and value not in shape["enum"]:
            say(f"{where}: one of {', '.join(shape['enum'])}, got {value!r:.60}")
        if "pattern" in shape and shape["type"] == "string":
            pattern = shape["pattern"].replace(r"\p{L}", r"\w").replace(r"\p{Z}", r"\s").replace(r"\p{N}", r"\d")
            if not re.fullmatch(pattern, value, re.DOTALL):
                say(f"{where}: pattern {shape['pattern']!r:.80}, got {value!r:.120}")


def load():
    """{"apprunner": Service, …}"""
    clients = [client for client in SERVICES.values() if client]
    for client in clients:
        if not os.path.isdir(os.path.join(MODULES, "@aws-sdk", client)):
            raise SystemExit(f"tests/npm/node_modules has no @aws-sdk/{client}: (cd tests/npm && npm ci)")
    newer = json.loads(subprocess.run(
        ["node", os.path.join(HERE, "models.mjs"), MODULES, *clients], stdout=subprocess.PIPE, check=True).stdout)
    services = {}
    for name, client in SERVICES.items():
        found = sorted(glob.glob(f"{BOTOCORE}/{name}/*/service-2.json"))
        if not found:
            raise SystemExit(f"{BOTOCORE}/{name} is absent: apt-get install python3-botocore")
        with open(found[-1], encoding="utf-8") as f:
            services[name] = Service(name, json.load(f), newer.get(client))
    return services
