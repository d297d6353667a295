"""Workflow and action files: their YAML as GitHub reads it, and what the runner takes from an action.yml."""

import os
import re

import yaml


class Loader(yaml.SafeLoader):
    """YAML 1.2's few plain scalars: 'on', 'yes' and dates are texts, as GitHub has it."""


Loader.yaml_implicit_resolvers = {}
for first, tag, pattern in (
    ("tTfF", "tag:yaml.org,2002:bool", r"^(?:true|True|TRUE|false|False|FALSE)$"),
    ("-+0123456789.", "tag:yaml.org,2002:int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"),
    ("-+0123456789.", "tag:yaml.org,2002:float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"),
    ("~nN\0", "tag:yaml.org,2002:null", r"^(?:~|null|Null|NULL|)$"),
):
    Loader.add_implicit_resolver(tag, re.compile(pattern), list(first) if "\0" not in first else [*"~nN", ""])


class WorkflowError(Exception):
    """A workflow or an action that GitHub would refuse."""


def load(text):
    return yaml.load(text, Loader)  # noqa: S506 # a SafeLoader


RUNS = {"using", "image", "entrypoint", "args", "env", "pre-entrypoint", "pre-if", "post-entrypoint", "post-if"}


class Action:
    """A Docker action's metadata. inputs: {name: default or None}; image: as written."""

    def __init__(self, folder):
        self.folder = folder
        path = next((p for p in (os.path.join(folder, n) for n in ("action.yml", "action.yaml")) if os.path.exists(p)), None)
        if not path:
            dockerfile = next((n for n in ("Dockerfile", "dockerfile") if os.path.exists(os.path.join(folder, n))), None)
            if not dockerfile:
                raise WorkflowError(f"Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under '{folder}'")
            meta = {"runs": {"using": "docker", "image": dockerfile}}
        else:
            with open(path, encoding="utf-8") as f:
                meta = load(f.read())
        runs = meta.get("runs") or {}
        if str(runs.get("using", "")).lower() != "docker":
            raise WorkflowError(f"{path}: only Docker actions are emulated, not using: {runs.get('using')}")
        unknown = set(runs) - RUNS
        if unknown:
            raise WorkflowError(f"{path}: Unexpected value '{sorted(unknown)[0]}'")
        if not runs.get("image"):
            raise WorkflowError(f"{path}: You are using a Container Action but an image is not provided")
        for key in ("image", "entrypoint", "pre-entrypoint", "post-entrypoint"):
            if "${{" in str(runs.get(key, "")):
                raise WorkflowError(f"{path}: expressions are not allowed in runs.{key}")
        self.meta, self.runs = meta, runs
        self.inputs = {k: (v or {}).get("default") for k, v in (meta.get("inputs") or {}).items()}
        self.deprecated = {k: v["deprecationMessage"] for k, v in (meta.get("inputs") or {}).items() if (v or {}).get("deprecationMessage")}
        self.image = str(runs["image"])

    def dockerfile(self):
        """The path of the Dockerfile to build, or None where an image is pulled."""
        if self.image.lower().startswith("docker://"):
            return None
        name = os.path.basename(self.image).lower()
        if not (name.endswith("dockerfile") or name.startswith("dockerfile.")):
            raise WorkflowError(f"'{self.image}' should be either '[path]/Dockerfile' or 'docker://image[:tag]'.")
        return os.path.normpath(os.path.join(self.folder, self.image))


def permissions(workflow, job):
    """{scope: level} of a job; '*' for read-all and write-all."""
    value = job.get("permissions", workflow.get("permissions", {"contents": "read"}))
    if isinstance(value, str):
        return {"*": value.split("-")[0]}
    return value or {}
