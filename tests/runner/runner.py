"""An emulator of GitHub's runner: one job of a workflow, with Docker actions in the real Docker engine.

    runner = Runner(folder)                         # its work folder lies below; removed by close(), with its images
    result = runner.run(
        workflow,                                   # the text of a workflow file
        source="/path/of/a/repository",             # what actions/checkout checks out: a git repository, or a plain folder
        actions={"acme/slipway@v1": "/path"},       # where remote actions lie: a folder, or a callable(job, step)
        secrets={"KEY": "…"}, variables={}, inputs={}, needs={},
        event="push", payload={}, ref="refs/heads/main", sha=None, repository="acme/shop", github={},
        job=None,                                   # which job; the first one
        on_line=None,                               # called with (stage's name, masked line) for each line of the log;
    )                                               # it may call runner.cancel(), as may any other thread
    runner.close()

The result: conclusion (success, failure, cancelled), steps, step(name or id), outputs of the job, summary, annotations, log (masked
text), env (what was added by GITHUB_ENV), environment {name, url}, containers (left over), foreign (files in the work
folder that the runner's user doesn't own), stuck (folders that its user can't empty), warnings; as_json(). A stage of a step: name, stage (pre, main, post), outcome, conclusion,
code, outputs, state, summary, annotations, dropped, log, debug, command (the docker program's arguments), env (the container's), seconds.

It is written from the behaviour of actions/runner 2.336: images (built or pulled, three tries), the order of the environment, the
mangling of inputs, `docker run` with its mounts and quoting, translation of paths, command files and log commands with their limits (commands.py),
masks, cancellation by SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL (docker_cli.py), pre, main and post as three containers, OIDC (oidc.py).

Run as root it plays a runner of user 1001: that user owns the work folder, and scripts (run:) run as that user.
Not emulated: composite and JavaScript actions (give a callable), matrix, services, job containers, problem matchers, hashFiles().
actions/checkout is emulated, with the credentials that it leaves (persist-credentials).
"""

import dataclasses
import hashlib
import json
import os
import random
import re
import shutil
import stat
import subprocess
import threading
import time
import uuid

import checkout
import commands
import docker_cli
import expressions
import oidc
import workflow as files

FILES = (("path", "add_path_"), ("env", "set_env_"), ("step_summary", "step_summary_"), ("state", "save_state_"), ("output", "set_output_"),
         ("artifacts", "artifacts_"), ("artifacts_list", "artifacts_list_"))
GITHUB_KEYS = """action_path action_ref action_repository action actor actor_id api_url artifacts artifacts_list base_ref env event_name event_path
    graphql_url head_ref job output path ref_name ref_protected ref_type ref repository repository_id repository_owner repository_owner_id
    retention_days run_attempt run_id run_number server_url sha state step_summary triggering_actor workflow workflow_ref workflow_sha
    workspace""".split()


@dataclasses.dataclass
class Stage:
    """What one container, script or callable did."""

    name: str
    stage: str = "main"
    id: str = ""
    outcome: str = "success"
    conclusion: str = "success"
    code: int | None = None
    outputs: dict = dataclasses.field(default_factory=dict)
    state: dict = dataclasses.field(default_factory=dict)
    summary: str = ""
    annotations: list = dataclasses.field(default_factory=list)
    dropped: dict = dataclasses.field(default_factory=dict)
    log: list = dataclasses.field(default_factory=list)
    debug: list = dataclasses.field(default_factory=list)
    command: list = dataclasses.field(default_factory=list)
    env: dict = dataclasses.field(default_factory=dict)
    seconds: float = 0.0


@dataclasses.dataclass
class Result:
    """What is left of a job."""

    conclusion: str = "success"
    steps: list = dataclasses.field(default_factory=list)
    outputs: dict = dataclasses.field(default_factory=dict)
    env: dict = dataclasses.field(default_factory=dict)
    environment: dict = dataclasses.field(default_factory=dict)
    containers: list = dataclasses.field(default_factory=list)
    foreign: list = dataclasses.field(default_factory=list)
    stuck: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)

    def step(self, name, stage="main"):
        """The stage of the step with this id or name."""
        return next(s for s in self.steps if name in (s.id, s.name) and s.stage == stage)

    @property
    def log(self):
        return "\n".join(line for s in self.steps for line in s.log)

    @property
    def annotations(self):
        return [a for s in self.steps for a in s.annotations]

    @property
    def summary(self):
        return "".join(s.summary for s in self.steps)

    def as_json(self):
        return json.dumps({**dataclasses.asdict(self), "summary": self.summary, "annotations": self.annotations}, indent=1)


class Runner:
    """One runner with its work folder. See the top of this file."""

    def __init__(self, folder, docker="docker", user=None, debug=False, back_off=(1, 10), server_url="https://github.com", api_url=None):
        self.folder = os.path.abspath(folder)
        self.docker = shutil.which(docker) or docker
        self.user = user if user is not None else (1001 if os.geteuid() == 0 else None)
        self.debug, self.back_off = debug, back_off
        self.server_url, self.api_url = server_url, api_url or "https://api.github.com"
        self.work = os.path.join(self.folder, "_work")
        os.makedirs(self.work)
        settings = json.dumps({"agentName": "emulated", "workFolder": self.folder, "id": uuid.uuid4().hex})
        with open(os.path.join(self.folder, ".runner"), "w", encoding="utf-8") as f:
            f.write(settings)
        self.label = hashlib.sha256(settings.encode()).hexdigest()[:6]
        self.images, self.issuer, self.job = [], None, None
        self.own(self.folder)

    def own(self, path):
        """Give a file, or a folder with all that is in it, to the runner's user."""
        if self.user is None:
            return
        os.lchown(path, self.user, self.user)
        for top, dirs, names in os.walk(path):
            for name in dirs + names:
                os.lchown(os.path.join(top, name), self.user, self.user)

    def gateway(self):
        """The address of this machine as a container on the default bridge sees it."""
        if not hasattr(self, "_gateway"):
            told = subprocess.run(["ip", "-4", "-o", "addr", "show", "docker0"], check=True, stdout=subprocess.PIPE, text=True).stdout
            self._gateway = re.search(r"inet ([0-9.]+)", told)[1]
        return self._gateway

    def oidc(self, **claims):
        """The issuer of the jobs' tokens; made when first asked for."""
        if not self.issuer:
            self.issuer = oidc.Issuer(self.gateway())
        self.issuer.claims.update(claims)
        return self.issuer

    def ask(self, *words):
        return subprocess.run([self.docker, *words], check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def run(self, workflow, **more):
        self.job = Job(self, files.load(workflow), **more)
        return self.job.execute()

    def cancel(self):
        """Cancel the job that runs."""
        self.job.cancel()

    def left_over(self):
        return self.ask("ps", "-a", "--filter", f"label={self.label}", "--format", "{{.Names}}").split()

    def close(self):
        for name in self.left_over():
            self.ask("rm", "-f", name)
        for image in self.images:
            self.ask("rmi", "-f", image)
        if self.issuer:
            self.issuer.stop()
        subprocess.run(["chmod", "-R", "u+rwx", self.folder], stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Failed(Exception):
    """A stage that can't be run."""


class Job:
    """One run of one job."""

    def __init__(self, runner, workflow, job=None, source=None, actions=None, secrets=None, variables=None, inputs=None, needs=None,
                 event="push", payload=None, ref="refs/heads/main", sha=None, repository="acme/shop", github=None, on_line=None):
        self.runner, self.workflow, self.on_line = runner, workflow, on_line
        self.name = job or next(iter(workflow["jobs"]))
        self.definition = workflow["jobs"][self.name]
        self.source, self.actions = checkout.repository(source, runner.folder), actions or {}
        self.sha = sha or checkout.head(self.source, ref)
        self.masker, self.result = commands.Masker(), Result()
        self.token = "ghs_" + "1234567_eyJ" + uuid.uuid4().hex * 15 + "." + uuid.uuid4().hex + "-_"
        self.runtime_token = uuid.uuid4().hex * 8
        self.secrets = {"GITHUB_TOKEN": self.token, **(secrets or {})}
        for value in [*self.secrets.values(), self.runtime_token]:
            self.masker.add(value)
        self.permissions = files.permissions(workflow, self.definition)
        self.cancelled, self.current, self.failed = False, threading.Event(), False
        self.added_env, self.paths, self.step_values, self.posts, self.prepared = {}, [], {}, [], {}
        self.folders(repository, payload or {})
        self.contexts = {
            "github": self.github_context(event, payload or {}, ref, repository, github or {}),
            "secrets": self.secrets, "vars": variables or {}, "inputs": inputs or {}, "needs": needs or {}, "matrix": {}, "strategy": {},
            "steps": self.step_values, "env": {}, "job": {"status": "success"},
            "runner": {"os": "Linux", "arch": "X64" if os.uname().machine == "x86_64" else "ARM64", "name": "emulated", "environment": "self-hosted",
                       "tool_cache": os.path.join(runner.work, "_tool"), "temp": self.temp, "workspace": os.path.dirname(self.workspace)},
        }
        self.defined_env = {}
        for level in (workflow.get("env"), self.definition.get("env")):
            self.defined_env.update({k: expressions.text(self.fill(v)) for k, v in (level or {}).items()})
            self.contexts["env"] = dict(self.defined_env)

    # --- what a job begins with ---

    def folders(self, repository, payload):
        name = repository.split("/")[1]
        self.workspace = os.path.join(self.runner.work, name, name)
        self.temp = os.path.join(self.runner.work, "_temp")
        shutil.rmtree(self.temp, ignore_errors=True)
        shutil.rmtree(os.path.join(self.runner.work, "_actions"), ignore_errors=True)
        for part in ("_github_home", "_github_workflow", "_runner_file_commands"):
            os.makedirs(os.path.join(self.temp, part))
        os.makedirs(self.workspace, exist_ok=True)
        os.makedirs(os.path.join(self.runner.work, "_tool"), exist_ok=True)
        self.payload = payload
        self.runner.own(self.runner.work)

    def github_context(self, event, payload, ref, repository, more):
        owner = repository.split("/")[0]
        pull = payload.get("pull_request") or {}
        return {
            "token": self.token, "job": self.name, "ref": ref, "sha": self.sha, "repository": repository, "repository_owner": owner,
            "repository_id": "4711", "repository_owner_id": "42", "run_id": str(random.randrange(10**9, 10**10)), "run_number": "7",
            "run_attempt": "1", "retention_days": "90", "actor": "octocat", "actor_id": "583231", "triggering_actor": "octocat",
            "workflow": self.workflow.get("name") or ".github/workflows/deploy.yml", "event_name": event, "event": payload,
            "workflow_ref": f"{repository}/.github/workflows/deploy.yml@{ref}", "workflow_sha": self.sha, "server_url": self.runner.server_url,
            "api_url": self.runner.api_url, "graphql_url": self.runner.api_url + "/graphql", "workspace": self.workspace,
            "event_path": os.path.join(self.temp, "_github_workflow", "event.json"), "ref_protected": False,
            "ref_name": re.sub("^refs/(heads|tags|pull)/", "", ref), "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
            "head_ref": pull.get("head", {}).get("ref", ""), "base_ref": pull.get("base", {}).get("ref", ""), **more,
        }

    def fill(self, value, **contexts):
        return expressions.fill(value, {**self.contexts, **contexts}, self.functions())

    def functions(self):
        status = "cancelled" if self.cancelled else "failure" if self.failed else "success"
        self.contexts["job"]["status"] = status
        return {"success": lambda: status == "success", "failure": lambda: status == "failure", "cancelled": lambda: status == "cancelled",
                "always": lambda: True}

    # --- the job ---

    def cancel(self):
        self.cancelled = True
        self.current.set()

    def execute(self):
        minutes = self.definition.get("timeout-minutes", 360)
        timer = threading.Timer(float(self.fill(minutes)) * 60, self.cancel)
        timer.daemon = True
        timer.start()
        try:
            steps = [Step(self, number, each) for number, each in enumerate(self.definition["steps"], 1)]
            if self.set_up(steps):
                for step in steps:
                    step.pre()
                for step in steps:
                    step.main()
                while self.posts:
                    self.posts.pop()()
        finally:
            timer.cancel()
        self.finish()
        return self.result

    def set_up(self, steps):
        """Get every remote action and its image, before any step."""
        log = commands.StepLog(self.masker, hook=self.hook("Set up job"))
        stage = Stage("Set up job", "setup", log=log.log)
        self.result.steps.append(stage)
        try:
            for step in steps:
                step.prepare(log)
        except (Failed, files.WorkflowError) as e:
            log.error(str(e))
            stage.outcome = stage.conclusion = "failure"
            stage.annotations = log.annotations
            self.failed = True
            return False
        return True

    def hook(self, name):
        return (lambda line: self.on_line(name, line)) if self.on_line else None

    def finish(self):
        result = self.result
        result.conclusion = "cancelled" if self.cancelled else "failure" if self.failed else "success"
        result.env = self.added_env
        for key, value in (self.definition.get("outputs") or {}).items():
            value = expressions.text(self.fill(value))
            if self.masker.mask(value) != value:
                result.warnings.append(f"Skip output '{key}' since it may contain secret.")
            elif value:
                result.outputs[key] = value
        if sum(2 * len(v) for v in result.outputs.values()) > 1024 * 1024:
            result.warnings.append("Job outputs of more than 1 MB are refused.")
            result.outputs = {}
        environment = self.definition.get("environment")
        if environment:
            environment = environment if isinstance(environment, dict) else {"name": environment}
            url = expressions.text(self.fill(environment.get("url", "")))
            if self.masker.mask(url) != url:
                result.warnings.append("Skip setting environment url as environment 'url' may contain secret.")
                url = ""
            result.environment = {"name": expressions.text(self.fill(environment.get("name"))), "url": url}
        result.containers = self.runner.left_over()
        result.foreign, result.stuck = self.left()

    def left(self):
        """What the runner's user doesn't own, and what it couldn't remove before its next job."""
        foreign, stuck = [], []
        user = self.runner.user if self.runner.user is not None else os.geteuid()
        for top, dirs, names in os.walk(self.runner.work):
            for path in (os.path.join(top, name) for name in dirs + names):
                status = os.lstat(path)
                if status.st_uid != user:
                    foreign.append(os.path.relpath(path, self.runner.work))
                if stat.S_ISDIR(status.st_mode) and status.st_mode & 0o700 != 0o700:
                    stuck.append(os.path.relpath(path, self.runner.work))
        return sorted(foreign), sorted(stuck)


class Step:
    """One step of the job, and its action where it has one."""

    def __init__(self, job, number, definition):
        self.job, self.runner, self.definition = job, job.runner, definition
        self.uses = definition.get("uses")
        self.id = definition.get("id") or ""
        first = str(definition.get("run", "")).strip().split("\n")[0]
        self.name = definition.get("name") or (f"Run {self.uses or first}")
        self.context_id = self.id or ("__" + re.sub(r"[^A-Za-z0-9_]+", "_", (self.uses or "run").split("@")[0]) + (f"_{number}" if number > 1 else ""))
        self.action, self.image, self.state, self.remote, self.files, self.has_post = None, None, {}, False, {}, False

    # --- before the steps ---

    def prepare(self, log):
        uses = self.uses
        if not uses or uses.startswith(("./", "actions/checkout@")):
            return
        if uses.startswith("docker://"):
            self.image = uses[len("docker://") :]
            self.pull(self.image, log)
            return
        where = self.job.actions.get(uses)
        if where is None:
            raise Failed(f"Unable to resolve action `{uses}`, unable to find version")
        if callable(where):
            self.action = where
            return
        self.remote = True
        folder = os.path.join(self.runner.work, "_actions", *uses.replace("@", "/").split("/"))
        if not os.path.exists(folder):
            shutil.copytree(where, folder, symlinks=True, ignore=shutil.ignore_patterns(".git", "build", "node_modules", "__pycache__"))
            self.runner.own(os.path.join(self.runner.work, "_actions"))
        self.action = files.Action(folder)
        key = self.action.dockerfile() or self.action.image
        if key not in self.job.prepared:
            if self.action.dockerfile():
                self.job.prepared[key] = self.build(log, tries=3)
            else:
                self.pull(self.action.image[len("docker://") :], log)
                self.job.prepared[key] = self.action.image[len("docker://") :]
        self.image = self.job.prepared[key]

    def docker(self, log, words, cwd, env=None):
        log.write(f"{self.runner.docker} {words}", "##[command]")
        lines = [commands.Lines(log.write), commands.Lines(log.write)]
        split = docker_cli.split_arguments(words)
        return docker_cli.run([self.runner.docker, *split], {**os.environ, **(env or {})}, cwd, lines, self.job.current)[0]

    def tries(self, log, words, cwd, what, tries=3):
        for attempt in range(tries):
            code = self.docker(log, words, cwd)
            if code == 0:
                return
            if self.job.current.is_set():
                break
            if attempt + 1 < tries:
                wait = random.uniform(*self.runner.back_off)
                log.issue("warning", f"Docker {what} failed with exit code {code}, back off {wait:.3f} seconds before retry.")
                self.job.current.wait(wait)
        raise Failed(f"Docker {what} failed with exit code {code}")

    def pull(self, image, log):
        self.tries(log, f"pull {image}", self.runner.work, "pull")

    def build(self, log, tries):
        dockerfile = self.action.dockerfile()
        if not os.path.isfile(dockerfile):
            raise Failed(f"File not found: '{dockerfile}'")
        tag = f"{self.runner.label}:{uuid.uuid4().hex}"
        log.write("Building docker image", "##[group]")
        self.tries(log, f'build -t {tag} -f "{dockerfile}" "{os.path.dirname(dockerfile)}"', self.action.folder, "build", tries)
        log.write("##[endgroup]")
        self.runner.images.append(tag)
        return tag

    # --- its stages ---

    def pre(self):
        entry = self.remote and self.action.runs.get("pre-entrypoint")
        if entry and self.wanted(self.action.runs.get("pre-if", "always()")):
            self.register_post()
            self.stage("pre", lambda log, s: self.container(log, s, entry))

    def main(self):
        job = self.job
        if not self.wanted(self.definition.get("if")):
            job.result.steps.append(Stage(self.name, "main", self.id, outcome="skipped", conclusion="skipped"))
            self.keep(job.result.steps[-1])
            return
        if self.uses and self.uses.startswith("actions/checkout@"):
            work = self.check_out
        elif callable(self.action):
            work = self.call
        elif self.uses:
            work = self.run_action
        else:
            work = self.script
        self.stage("main", work)

    def wanted(self, condition):
        functions = self.job.functions()
        contexts = {**self.job.contexts, "env": {**self.job.defined_env, **self.job.added_env}}
        return expressions.holds(condition, contexts, functions)

    def keep(self, stage):
        if self.id:
            self.job.step_values[self.id] = {"outputs": stage.outputs, "outcome": stage.outcome, "conclusion": stage.conclusion}

    def stage(self, which, work):
        """Run one stage and take in what it left."""
        job, began = self.job, time.monotonic()
        stage = Stage(self.name, which, self.id)
        log = commands.StepLog(job.masker, self.to_repository, self.runner.debug, job.hook(self.name))
        stage.log, stage.debug = log.log, log.debug
        job.result.steps.append(stage)
        if which == "main":
            job.current = threading.Event()  # a step that still runs in a cancelled job isn't cancelled by that
        minutes = self.definition.get("timeout-minutes") if which == "main" else None
        self.deadline = time.monotonic() + float(job.fill(minutes)) * 60 if minutes is not None else None
        self.make_files()
        job.contexts["github"]["action"] = self.context_id
        why = None
        try:
            stage.code, why = work(log, stage)
            if stage.code:
                log.error(f"Process completed with exit code {stage.code}." if not self.uses else f"Docker run failed with exit code {stage.code}")
        except (Failed, files.WorkflowError, expressions.ExpressionError, OSError) as e:
            log.error(str(e))
            stage.code, why = stage.code or 1, "cancelled" if job.current.is_set() else why
        finally:
            self.take_files(log, stage)
        if why == "timed out":
            log.error(f"The action '{self.name}' has timed out after {minutes} minutes.")
        elif why == "cancelled":
            log.error("The operation was canceled.")
        stage.outcome = "cancelled" if why == "cancelled" else "failure" if stage.code or log.failed or why else "success"
        carries_on = expressions.truthy(job.fill(self.definition.get("continue-on-error", False)))
        stage.conclusion = "success" if stage.outcome == "failure" and carries_on and which == "main" else stage.outcome
        job.failed |= stage.conclusion == "failure"
        stage.outputs, stage.state, stage.annotations, stage.dropped = log.outputs, dict(self.state), log.annotations, log.dropped
        stage.seconds = time.monotonic() - began
        if which == "main":
            self.keep(stage)

    def to_repository(self, path):
        """A path of the container as a path in the repository, where it is one."""
        workspace = self.job.workspace
        if path == "/github/workspace" or path.startswith("/github/workspace/"):
            path = workspace + path[len("/github/workspace") :]
        return path[len(workspace) + 1 :] if path.startswith(workspace + "/") else path

    def make_files(self):
        """Fresh command files: the runner's own, with its umask."""
        for path in self.files.values():
            if os.path.exists(path):
                os.unlink(path)
        suffix = str(uuid.uuid4())
        self.files = {}
        for key, prefix in FILES:
            self.files[key] = os.path.join(self.job.temp, "_runner_file_commands", prefix + suffix)
            with open(self.files[key], "w", encoding="utf-8") as f:
                f.write('{"version":1,"subjects":[]}' if key == "artifacts_list" else "")
            os.chmod(self.files[key], 0o644)
            self.runner.own(self.files[key])
        path = self.job.contexts["github"]["event_path"]
        with open(path, "w", encoding="utf-8") as f:
            json.dump(self.job.payload, f)
        self.runner.own(path)

    def take_files(self, log, stage):
        for key, path in self.files.items():
            try:
                getattr(self, "take_" + key)(log, stage, path)
            except FileNotFoundError:
                continue
            except (commands.FileError, OSError, UnicodeDecodeError) as e:
                log.error(f"Unable to process file command '{key}' successfully.")
                log.error(str(e))
                log.failed = True
        self.state.update(log.state)

    def read(self, path):
        with open(path, "rb") as f:
            return f.read().decode("utf-8-sig")

    def take_path(self, _log, _stage, path):
        for line in re.split(r"\r\n|\r|\n", self.read(path)):
            if line:
                self.job.paths = [line, *[p for p in self.job.paths if p != line]]

    def take_env(self, log, _stage, path):
        for name, value in commands.parse_pairs(self.read(path)):
            if name.upper() == "NODE_OPTIONS":
                raise commands.FileError(f"Can't store {name} output parameter using '$GITHUB_ENV' command.")
            self.job.added_env[name] = value
            log.tell_debug(f"{name}='{value}'")

    def take_step_summary(self, log, stage, path):
        size = os.stat(path).st_size
        if size > commands.MAX_SUMMARY:
            log.error(f"$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of {commands.MAX_SUMMARY // 1024}k, got {size // 1024}k.")
        elif size:
            lines = re.split(r"\r\n|\r|\n", self.read(path))
            lines = lines[:-1] if lines[-1] == "" else lines
            stage.summary = "".join(self.job.masker.mask(line) + "\n" for line in lines)

    def take_state(self, _log, _stage, path):
        self.state.update(commands.parse_pairs(self.read(path)))

    def take_output(self, log, _stage, path):
        log.outputs.update(commands.parse_pairs(self.read(path)))

    def take_artifacts(self, log, _stage, path):
        if os.stat(path).st_size:
            log.tell_debug("artifacts are ignored: the server's flag for them is off")

    def take_artifacts_list(self, _log, _stage, _path):
        """Read-only: what a step writes there is lost."""

    # --- what a step does ---

    def env_context(self):
        job = self.job
        env = {**job.defined_env, **job.added_env}
        job.contexts["env"] = dict(env)
        env.update({k: expressions.text(job.fill(v)) for k, v in (self.definition.get("env") or {}).items()})
        job.contexts["env"] = dict(env)
        return env

    def runtime_env(self):
        """GITHUB_* and RUNNER_*, with this machine's paths."""
        github = {**self.job.contexts["github"], **self.files}
        env = {"GITHUB_" + key.upper(): expressions.text(github[key]) for key in GITHUB_KEYS if github.get(key) is not None}
        env.update({"RUNNER_" + key.upper(): value for key, value in self.job.contexts["runner"].items()})
        if self.runner.debug:
            env["RUNNER_DEBUG"] = "1"
        return env

    def actions_env(self):
        results = "https://results-receiver.actions.example/"
        env = {"ACTIONS_RUNTIME_URL": "https://pipelines.actions.example/x/", "ACTIONS_RUNTIME_TOKEN": self.job.runtime_token,
               "ACTIONS_CACHE_URL": "https://artifactcache.actions.example/x/"}
        return {**env, **self.oidc_env(), "ACTIONS_RESULTS_URL": results, "ACTIONS_ORCHESTRATION_ID": f"{uuid.uuid4()}.{self.job.name}.__default"}

    def oidc_env(self):
        """Where to ask for a token: only with id-token: write."""
        permitted = self.job.permissions
        if permitted.get("id-token", permitted.get("*")) != "write":
            return {}
        issuer = self.runner.oidc()
        self.job.masker.add(issuer.token)
        github = self.job.contexts["github"]
        for key in ("repository", "repository_owner", "repository_id", "repository_owner_id", "ref", "sha", "event_name", "run_id", "workflow_ref"):
            issuer.claims.setdefault(key, github[key])
        issuer.claims.setdefault("sub", self.subject(github))
        return {"ACTIONS_ID_TOKEN_REQUEST_URL": issuer.url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": issuer.token}

    def subject(self, github):
        environment = self.job.definition.get("environment")
        if environment:
            name = environment if isinstance(environment, str) else environment["name"]
            return f"repo:{github['repository']}:environment:{expressions.text(self.job.fill(name)).replace(':', '%3A')}"
        if github["event_name"] == "pull_request":
            return f"repo:{github['repository']}:pull_request"
        return f"repo:{github['repository']}:ref:{github['ref']}"

    def inputs(self, log):
        """What the action gets: {name: text}, what was given first."""
        given = {k: expressions.text(self.job.fill(v)) for k, v in (self.definition.get("with") or {}).items()}
        declared = self.action.inputs if self.action else {}
        known = {k.lower() for k in declared} | {"entrypoint", "args"}
        unknown = [k for k in given if k.lower() not in known]
        if unknown and self.action:
            log.issue("warning", f"Unexpected input(s) {', '.join(repr(k) for k in unknown)}, valid inputs are ['entryPoint', 'args', "
                      + ", ".join(repr(k) for k in declared) + "]")
        values, lower = dict(given), {k.lower() for k in given}
        for key, default in declared.items():
            if key.lower() not in lower:
                values[key] = expressions.text(self.job.fill(default))
            elif key in getattr(self.action, "deprecated", {}):
                log.issue("warning", f"Input '{key}' has been deprecated with message: {self.action.deprecated[key]}")
        return values

    def run_action(self, log, stage):
        if self.uses.startswith("./"):
            self.action = files.Action(os.path.normpath(os.path.join(self.job.workspace, self.uses)))
            if self.action.runs.get("pre-entrypoint"):
                log.issue("warning", "`pre` execution is not supported for local action from '" + self.uses + "'")
        self.register_post()
        return self.container(log, stage, self.action and self.action.runs.get("entrypoint"))

    def register_post(self):
        """Once, when the first of its stages begins."""
        entry = self.action and self.action.runs.get("post-entrypoint")
        if entry and not self.has_post:
            self.has_post = True
            self.job.posts.append(lambda: self.post(entry))

    def post(self, entry):
        if self.wanted(self.action.runs.get("post-if", "always()")):
            self.job.current = threading.Event()
            self.stage("post", lambda log, s: self.container(log, s, entry))

    def container(self, log, stage, entrypoint):
        """One `docker run` of the action's image."""
        job, runner = self.job, self.runner
        env = self.env_context()
        env.update({"STATE_" + k: v for k, v in self.state.items()})
        inputs = self.inputs(log)
        env.update({"INPUT_" + k.replace(" ", "_").upper(): v for k, v in inputs.items()})
        image = self.image
        if self.uses.startswith("./"):
            image = self.build(log, tries=1) if self.action.dockerfile() else self.action.image[len("docker://") :]
        if self.action:
            for key, value in (self.action.runs.get("env") or {}).items():
                env.setdefault(key, expressions.text(expressions.fill(value, {"inputs": inputs})))
        elif not entrypoint:
            entrypoint = next((v for k, v in inputs.items() if k.lower() == "entrypoint"), None)
        if self.action and self.action.runs.get("args") is not None:
            args = "".join(docker_cli.quote_argument(expressions.text(expressions.fill(a, {"inputs": inputs}))) for a in self.action.runs["args"])
        else:
            args = next((v for k, v in inputs.items() if k.lower() == "args"), "")
        if not entrypoint and stage.stage == "main":
            entrypoint = next((v for k, v in inputs.items() if k.lower() == "entrypoint"), None)
        env["HOME"] = os.path.join(job.temp, "_github_home")
        env.update(self.runtime_env())
        env.update(self.actions_env())
        mapped = [
            (os.path.join(job.temp, "_github_home"), "/github/home"), (os.path.join(job.temp, "_github_workflow"), "/github/workflow"),
            (os.path.join(job.temp, "_runner_file_commands"), "/github/file_commands"), (job.temp, "/github/runner_temp"),
            (job.workspace, "/github/workspace"),
        ]
        env = {key: translate(value, mapped) for key, value in env.items()}
        mounts = [("/var/run/docker.sock", "/var/run/docker.sock"), mapped[3], *mapped[:3], mapped[4]]
        name = re.sub(r"[^A-Za-z0-9_]", "", image) + "_" + uuid.uuid4().hex[:6]
        options = docker_cli.run_options(name, runner.label, env, image, mounts, entrypoint, args)
        log.write(f"{runner.docker} run {options}", "##[command]")
        stage.env, stage.command = env, docker_cli.split_arguments("run " + options)
        lines = [commands.Lines(log.line), commands.Lines(log.line)]
        return docker_cli.run([runner.docker, *stage.command], {**os.environ, **env}, runner.work, lines, job.current, self.deadline)

    def script(self, log, stage):
        job = self.job
        env = self.env_context()
        text = expressions.text(job.fill(self.definition["run"]))
        shell = self.definition.get("shell")
        words = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"], "sh": ["sh", "-e"], "python": ["python3"]}[shell]
        path = os.path.join(job.temp, f"{uuid.uuid4()}.sh")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        self.runner.own(path)
        log.write(f"Run {text.strip().splitlines()[0] if text.strip() else ''}", "##[group]")
        for line in text.splitlines():
            log.write(line)
        log.write("##[endgroup]")
        base = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "DOCKER_HOST", "http_proxy", "https_proxy", "no_proxy")}
        base["HOME"] = os.path.join(job.temp, "_github_home")
        stage.env = {**base, **env, **self.runtime_env(), **self.oidc_env(), "GITHUB_ACTIONS": "true", "CI": env.get("CI", "true")}
        stage.env["PATH"] = ":".join([*job.paths, stage.env.get("PATH", "")])
        cwd = os.path.join(job.workspace, job.fill(self.definition.get("working-directory", "")))
        lines = [commands.Lines(log.line), commands.Lines(log.line)]
        return docker_cli.run([*words, path], stage.env, cwd, lines, job.current, self.deadline, group=True, user=self.runner.user)

    def call(self, log, stage):
        self.action(self.job, self, log, stage)
        return 0, None

    def check_out(self, log, _stage):
        options = {k: expressions.text(self.job.fill(v)) for k, v in (self.definition.get("with") or {}).items()}
        undo = checkout.check_out(self.job, options, log)
        log.outputs.update({"ref": self.job.contexts["github"]["ref"], "commit": self.job.sha})
        if undo:
            self.job.posts.append(undo)
        return 0, None


def translate(value, mapped):
    """A path of this machine as the container sees it: the whole value, or a folder at its beginning."""
    for host, inside in mapped:
        if value == host or value.startswith(host + "/"):
            return inside + value[len(host) :]
    return value
