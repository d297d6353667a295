"""actions/checkout (v6 and later) as far as a job can tell: a shallow checkout, and the credentials it leaves until the job's end."""

import base64
import os
import shutil
import subprocess
import uuid

GIT_ENV = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost",
           "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@localhost"}


def git(folder, *words):
    return subprocess.run(["git", "-c", "safe.directory=*", *words], cwd=folder, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env={**os.environ, **GIT_ENV}).stdout.strip()


def repository(source, folder):
    """The repository to check out: the source itself, or one commit made of a plain folder."""
    if source is None or os.path.isdir(os.path.join(source, ".git")) or os.path.exists(os.path.join(source, "HEAD")):
        return source
    made = os.path.join(folder, f"source-{uuid.uuid4().hex[:8]}")
    shutil.copytree(source, made, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "node_modules", ".pytest_cache"))
    git(made, "init", "-q", "-b", "main")
    git(made, "add", "-A")
    git(made, "commit", "-q", "-m", "as it is")
    return made


def head(source, ref):
    if source is None:
        return "0123456789abcdef0123456789abcdef01234567"
    try:
        return git(source, "rev-parse", "--verify", "-q", ref + "^{commit}")
    except subprocess.CalledProcessError:
        return git(source, "rev-parse", "HEAD")


def check_out(job, options, log):
    """Check out into the workspace. Returns what undoes the credentials at the job's end, or None."""
    folder = os.path.normpath(os.path.join(job.workspace, options.get("path", "")))
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    url = f"{job.runner.server_url}/{job.contexts['github']['repository']}"
    git(folder, "init", "-q", "-b", "main")
    git(folder, "remote", "add", "origin", url)
    git(folder, "fetch", "-q", "--no-tags", *(["--depth=1"] if options.get("fetch-depth", "1") != "0" else []), "file://" + os.path.abspath(job.source),
        job.sha if not options.get("ref") else options["ref"])
    git(folder, "checkout", "-q", "--force", "-B", "main", "FETCH_HEAD")
    log.write(f"HEAD is now at {job.sha[:7]}")
    undo = None
    if options.get("persist-credentials", "true") != "false":
        undo = leave_credentials(job, folder, url, options.get("token") or job.token)
    job.runner.own(job.workspace)
    return undo


def leave_credentials(job, folder, url, token):
    name = f"git-credentials-{uuid.uuid4()}.config"
    path = os.path.join(job.temp, name)
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    job.masker.add(basic)
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'[http "{job.runner.server_url}/"]\n\textraheader = AUTHORIZATION: basic {basic}\n')
    job.runner.own(path)
    inside = "/github/workspace" + os.path.join(folder, "")[len(job.workspace) :].rstrip("/")
    git(folder, "config", f"includeIf.gitdir:{folder}/.git.path", path)
    git(folder, "config", f"includeIf.gitdir:{inside}/.git.path", f"/github/runner_temp/{name}")

    def undo():
        if os.path.exists(path):
            os.unlink(path)
        if os.path.isdir(os.path.join(folder, ".git")):
            for key in (folder, inside):
                subprocess.run(["git", "-c", "safe.directory=*", "config", "--unset-all", f"includeIf.gitdir:{key}/.git.path"], cwd=folder, check=False,
                               env={**os.environ, **GIT_ENV})
            job.runner.own(os.path.join(folder, ".git", "config"))

    return undo
