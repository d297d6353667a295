"""What a step says to GitHub's runner: lines of its log and files that it leaves.

Written from the behaviour of actions/runner (ActionCommand, ActionCommandManager, FileCommandManager, SecretMasker) and its own
L0 tests; the names of its limits are kept. No part of Slipway's programs uses this.
"""

import base64
import json
import re
import threading
import urllib.parse

MAX_PER_TYPE = 10  # _maxCountPerIssueType, per step
MAX_MESSAGE = 4096  # _maxIssueMessageLength
MAX_SUMMARY = 1024 * 1024
REGISTERED = {
    "set-env", "set-output", "save-state", "add-mask", "add-path", "add-matcher", "remove-matcher", "debug", "warning", "error",
    "notice", "group", "endgroup", "echo", "stop-commands",
}
V1_ESCAPES = (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%25", "%"))
DATA_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
PROPERTY_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%"))


class Command:
    """One log command: its name as written, its properties (names in lower case), its data."""

    def __init__(self, name, properties, data):
        self.name, self.properties, self.data = name, properties, data

    def __eq__(self, other):
        return (self.name.lower(), self.properties, self.data) == (other.name.lower(), other.properties, other.data)

    def __repr__(self):
        return f"Command({self.name!r}, {self.properties!r}, {self.data!r})"


def _unescape(text, escapes):
    for escaped, plain in escapes:
        text = text.replace(escaped, plain)
    return text


def _command(info, data, registered, separator, property_escapes, data_escapes):
    name, space, rest = info.partition(" ")
    if name.lower() not in registered:
        return None
    properties = {}
    if space and info.index(" ") > 0:
        for pair in rest.split(separator):
            key, _, value = pair.partition("=")
            # RemoveEmptyEntries with a count of two: leading '=' fall away.
            if not key and value:
                key, _, value = value.lstrip("=").partition("=")
            if key and value:
                properties[key.lower()] = _unescape(value, property_escapes)
    return Command(name, properties, _unescape(data, data_escapes))


def parse_v2(line, registered):
    """'::name key=value,key=value::data' at the start of a line, after white space; None when it is none."""
    line = line.lstrip()
    if not line.startswith("::"):
        return None
    end = line.find("::", 2)
    if end < 0:
        return None
    info = line[2:end]
    name, space, rest = info.partition(" ")
    return _command(name + space + rest.strip(), line[end + 2 :], registered, ",", PROPERTY_ESCAPES, DATA_ESCAPES)


def parse_v1(line, registered):
    """'##[name key=value;key=value]data' anywhere in a line; None when there is none."""
    start = line.find("##[")
    end = line.find("]", start) if start >= 0 else -1
    if end < 0:
        return None
    return _command(line[start + 3 : end], line[end + 1 :], registered, ";", V1_ESCAPES, V1_ESCAPES)


def parse(line, registered):
    return parse_v2(line, registered) or parse_v1(line, registered)


class FileError(Exception):
    """A command file that the runner refuses."""


def parse_pairs(text):
    """The pairs of GITHUB_OUTPUT, GITHUB_ENV or GITHUB_STATE, in their order. Raises FileError."""
    at = 0

    def line_at(at):
        """(line, next index, whether it ended in a newline); None as line at the end."""
        if at >= len(text):
            return None, at, False
        end = text.find("\n", at)
        if end < 0:
            return text[at:], len(text), False
        return text[at:end], end + 1, True

    pairs = []
    line, at, _ = line_at(at)
    while line is not None:
        equals, heredoc = line.find("="), line.find("<<")
        if line == "":
            pass
        elif equals >= 0 and (heredoc < 0 or equals < heredoc):
            pairs.append(tuple(line.split("=", 1)))
        elif heredoc >= 0:
            name, delimiter = line.split("<<", 1)
            if not name or not delimiter:
                raise FileError(f"Invalid format '{line}'. Name must not be empty and delimiter must not be empty")
            start = end = at
            line, at, newline = line_at(at)
            while line != delimiter:
                if line is None:
                    raise FileError(f"Invalid value. Matching delimiter not found '{delimiter}'")
                if not newline:
                    raise FileError("Invalid value. EOF marker missing new line.")
                end = at - 1
                line, at, newline = line_at(at)
            pairs.append((name, text[start:end] if end > start else ""))
        else:
            raise FileError(f"Invalid format '{line}'")
        line, at, _ = line_at(at)
    return pairs


class Masker:
    """Values that a log must not show, and their encodings."""

    def __init__(self):
        self.values = set()
        self.lock = threading.Lock()

    def add(self, value):
        """Mask the value, each of its lines, and what an encoder makes of them."""
        found = {value, *re.split(r"\r\n|\r|\n", value)} if value else set()
        for each in [v for v in found if v.strip()]:
            raw = each.encode()
            encoded = {each, json.dumps(each)[1:-1], json.dumps(each, ensure_ascii=False)[1:-1]}
            encoded |= {base64.b64encode(raw[shift:] if len(raw) > shift else raw).decode() for shift in range(3)}
            encoded |= {urllib.parse.quote(each, safe="-_.~"), each.replace("'", "''"), each.replace('"', '\\"')}
            encoded.add(each.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&apos;"))
            if len(each) > 8 and each[0] == each[-1] == '"':
                encoded.add(each[1:-1])
            with self.lock:
                self.values |= {v for v in encoded if v}

    def mask(self, text):
        spans = []
        with self.lock:
            values = list(self.values)
        for value in values:
            at = text.find(value)
            while at >= 0:
                spans.append((at, at + len(value)))
                at = text.find(value, at + 1)
        if not spans:
            return text
        out, done, merged = [], 0, []
        for start, end in sorted(spans):
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(end, merged[-1][1])
            else:
                merged.append([start, end])
        for start, end in merged:
            out += [text[done:start], "***"]
            done = end
        return "".join(out) + text[done:]


class Lines:
    """Bytes in, lines out: LF, CR LF and a bare CR each end one, as .NET's StreamReader has it."""

    def __init__(self, take):
        self.take, self.rest, self.after_cr = take, b"", False

    def feed(self, data):
        if self.after_cr and data.startswith(b"\n"):
            data = data[1:]
        if not data:
            return
        self.after_cr = data.endswith(b"\r")
        *lines, self.rest = re.split(b"\r\n|\r|\n", self.rest + data)
        for line in lines:
            self.take(line.decode(errors="replace"))

    def end(self):
        if self.rest:
            self.take(self.rest.decode(errors="replace"))
        self.rest = b""


class StepLog:
    """One stage of one step: its log, and what its commands did.

    log          masked lines, as a reader of the job sees them
    annotations  [{"type", "message", and file, line, endline, col, endcolumn, title where given}]: at most ten of each type
    dropped      how many more there were, by type
    debug        what goes to the log only under step debugging
    failed       whether a command failed the step
    """

    def __init__(self, masker, to_file=lambda path: path, debug=False, hook=None):
        self.masker, self.to_file, self.show_debug, self.hook = masker, to_file, debug, hook
        self.registered = set(REGISTERED)
        self.stop_token = None
        self.echo = debug
        self.log, self.annotations, self.debug = [], [], []
        self.dropped = {"error": 0, "warning": 0, "notice": 0}
        self.outputs, self.state = {}, {}
        self.failed = False
        self.lock = threading.RLock()

    def write(self, text, tag=""):
        for line in text.split("\n"):
            masked = self.masker.mask(tag + line)
            self.log.append(masked)
            if self.hook:
                self.hook(masked)

    def tell_debug(self, text):
        self.debug.append(self.masker.mask(text))
        if self.show_debug:
            self.write(text, "##[debug]")

    def issue(self, kind, message, **more):
        message = self.masker.mask(message)[:MAX_MESSAGE]
        self.write(message, f"##[{kind}]")
        if sum(a["type"] == kind for a in self.annotations) < MAX_PER_TYPE:
            self.annotations.append({"type": kind, "message": message, **more})
        else:
            self.dropped[kind] += 1

    def error(self, message):
        self.issue("error", message)

    def line(self, line):
        """One line that the step printed, on either stream."""
        with self.lock:
            command = parse(line, self.registered) if "##[" in line or "::" in line else None
            if not command or not self._obey(command, line):
                self.write(line)

    def _obey(self, command, line):
        name = command.name.lower()
        if self.stop_token is not None:
            if self.stop_token and name == self.stop_token.lower():
                self.write(line)
                self.registered.discard(self.stop_token.lower())
                self.stop_token = None
                return True
            return False
        if name == "stop-commands":
            return self._stop(command, line)
        if self.echo and name not in ("add-mask", "debug", "warning", "error", "notice"):
            self.write(line)
        try:
            getattr(self, "_do_" + name.replace("-", "_"))(command)
        except (FileError, ValueError, KeyError) as e:
            shown = command.name if name == "add-mask" else line
            self.error(f"Unable to process command '{shown}' successfully.")
            self.error(str(e))
            self.failed = True
        return True

    def _stop(self, command, line):
        token = command.data
        if not token or token.lower() in self.registered or token.lower() == "pause-logging":
            self.error(f"Invalid stop-commands token '{token}'")
            self.failed = True
            return True
        if len(token) > 6:
            self.masker.add(token)
        self.write(line)
        self.stop_token = token
        self.registered.add(token.lower())
        return True

    def _named(self, command):
        name = command.properties.get("name")
        if not name:
            raise FileError(f"Required field 'name' is missing in ##[{command.name}] command.")
        return name

    def _do_set_output(self, command):
        self.outputs[self._named(command)] = command.data
        self.issue("warning", "The `set-output` command is deprecated and will be disabled soon.")

    def _do_save_state(self, command):
        self.state[self._named(command)] = command.data
        self.issue("warning", "The `save-state` command is deprecated and will be disabled soon.")

    def _disabled(self, command):
        raise FileError(f"The `{command.name}` command is disabled.")

    _do_set_env = _do_add_path = _disabled

    def _do_add_mask(self, command):
        if not command.data.strip():
            self.issue("warning", "Can't add secret mask for empty string in ##[add-mask] command.")
            return
        if self.echo:
            self.write("::add-mask::***")
        self.masker.add(command.data)

    def _do_debug(self, command):
        self.tell_debug(command.data)

    def _do_group(self, command):
        self.write(command.data, "##[group]")

    def _do_endgroup(self, _):
        self.write("##[endgroup]")

    def _do_echo(self, command):
        if command.data.strip().lower() not in ("on", "off"):
            raise FileError(f"Invalid echo command value. Possible values can be: 'on', 'off'. Current value is: '{command.data}'.")
        self.echo = command.data.strip().lower() == "on"

    def _do_add_matcher(self, command):
        self.tell_debug(f"a matcher, not read: {command.data}")

    _do_remove_matcher = _do_add_matcher

    def _do_issue(self, command):
        more = dict(command.properties)
        if more.get("file"):
            more["file"] = self.to_file(more["file"])
        self._check_places(more)
        self.issue(command.name.lower(), command.data, **{k: v for k, v in more.items() if k not in ("type", "message")})

    _do_error = _do_warning = _do_notice = _do_issue

    def _check_places(self, more):
        """Lines and columns that contradict each other are dropped with a debug line."""

        def number(key):
            return int(more[key]) if re.fullmatch(r"\s*-?\d+\s*", more.get(key, "")) else None

        line, end_line, column, end_column = number("line"), number("endline"), number("col"), number("endcolumn")
        if end_line is not None and line is None:
            more["line"], line = more["endline"], end_line
            self.tell_debug("'endLine' can only be set if 'line' is provided")
        if end_column is not None and column is None:
            more["col"], column = more["endcolumn"], end_column
            self.tell_debug("'endColumn' can only be set if 'col' is provided")
        columns = column is not None or end_column is not None
        if columns and (line is None or (end_line is not None and end_line != line)):
            more.pop("col", None), more.pop("endcolumn", None)
            self.tell_debug("'col' and 'endColumn' dropped: no line, or several")
        if line is not None and end_line is not None and end_line < line:
            more.pop("line", None), more.pop("endline", None)
            self.tell_debug("'endLine' cannot be less than 'line'")
        if column is not None and end_column is not None and end_column < column:
            more.pop("col", None), more.pop("endcolumn", None)
            self.tell_debug("'endColumn' cannot be less than 'col'")
