"""The docker program, called as GitHub's runner calls it: one text of arguments, split by .NET's rules, and the signal ladder."""

import os
import re
import signal
import subprocess
import threading
import time

INT_WAIT, TERM_WAIT = 7.5, 2.5


def split_arguments(text):
    """Split as .NET splits ProcessStartInfo.Arguments on Linux: double quotes, and backslashes only before them."""
    words, at = [], 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
            continue
        word, quoted = "", False
        while at < len(text):
            slashes = 0
            while at < len(text) and text[at] == "\\":
                at, slashes = at + 1, slashes + 1
            if slashes:
                if at >= len(text) or text[at] != '"':
                    word += "\\" * slashes
                else:
                    word += "\\" * (slashes // 2)
                    if slashes % 2:
                        word, at = word + '"', at + 1
                continue
            if text[at] == '"':
                if quoted and text[at + 1 : at + 2] == '"':
                    word, at = word + '"', at + 1
                else:
                    quoted = not quoted
                at += 1
                continue
            if text[at] in " \t" and not quoted:
                break
            word, at = word + text[at], at + 1
        words.append(word)
    return words


def quote_argument(value):
    """An argument of action.yml in the runner's quoting, with its fault: a backslash at the end eats the closing quote."""
    return ' "' + value.replace('"', '\\"') + '"' if value else ' ""'


def option(flag, key):
    """'-e "KEY"': quotes and the backslashes before them escaped."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', key)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return f'{flag} "{escaped}"'


def run_options(name, label, env, image, mounts, entrypoint=None, args="", network=None):
    """The arguments of `docker run` as one text, in the runner's order. env: the names alone are told, never a value."""
    words = [f"--name {name}", f"--label {label}", "--workdir /github/workspace", "--rm"]
    words += [option("-e", key) for key in env]
    words.append("-e GITHUB_ACTIONS=true")
    if "CI" not in env:
        words.append("-e CI=true")
    if entrypoint:
        words.append(f'--entrypoint "{entrypoint}"')
    if network:
        words.append(f"--network {network}")
    for source, target in mounts:
        source, target = source.replace('"', '\\"'), target.replace('"', '\\"')
        words.append(f'-v "{source}":"{target}"')
    return " ".join([*words, image, args or ""])


def run(words, env, cwd, lines, cancelled, deadline=None, group=False, user=None):
    """Run a program with closed stdin, each stream read on its own: (exit code, None or 'cancelled' or 'timed out').

    lines: two callables that take bytes (see commands.Lines). cancelled: a threading.Event. On it, or past the
    deadline (time.monotonic()): SIGINT, 7.5 s, SIGTERM, 2.5 s, SIGKILL, to the program, or with group to its process group.
    """
    identity = {"user": user, "group": user, "extra_groups": []} if user else {}
    child = subprocess.Popen(
        words, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
        start_new_session=True, **identity,
    )
    readers = [threading.Thread(target=_read, args=(stream, take), daemon=True) for stream, take in zip((child.stdout, child.stderr), lines)]
    for reader in readers:
        reader.start()
    why = None
    while child.poll() is None:
        if cancelled.is_set():
            why = "cancelled"
        elif deadline and time.monotonic() > deadline:
            why = "timed out"
        if why:
            _end(child, group)
            break
        time.sleep(0.01)
    code = child.wait()
    for reader in readers:
        reader.join(5)  # a child left behind may hold a pipe: the runner doesn't wait for it for ever either
    for line in lines:
        line.end()
    return code, why


def _end(child, group):
    for sig, seconds in ((signal.SIGINT, INT_WAIT), (signal.SIGTERM, TERM_WAIT)):
        child.send_signal(sig)
        try:
            child.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            pass
    if child.poll() is None:
        child.kill()
    if group:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _read(stream, take):
    while True:
        data = stream.read(65536)
        if not data:
            return
        take.feed(data)
