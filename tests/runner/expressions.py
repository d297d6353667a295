"""Expressions of workflow files, as far as the emulated workflows use them: ${{ … }} and if:."""

import json
import re

TOKEN = re.compile(r"""\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?))
    |(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<op>==|!=|<=|>=|&&|\|\||[!<>()\[\],.*]))""", re.X)


class ExpressionError(Exception):
    """An expression that GitHub would refuse, or that this evaluator doesn't know."""


def truthy(value):
    return value not in (None, False, 0, "") and value == value


def text(value):
    """A value as a string, as in the middle of a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _number(value):
    if value is None:
        return 0.0
    if isinstance(value, (bool, int, float)):
        return float(value)
    try:
        return float(value) if value.strip() else 0.0
    except (ValueError, AttributeError):
        return float("nan")


def _equal(a, b):
    if isinstance(a, str) and isinstance(b, str):
        return a.lower() == b.lower()
    if isinstance(a, (dict, list)) or isinstance(b, (dict, list)):
        return a is b
    return a == b if type(a) is type(b) else _number(a) == _number(b)


def _format(pattern, *values):
    return re.sub(r"\{\{|\}\}|\{(\d+)\}", lambda m: text(values[int(m[1])]) if m[1] else m[0][0], pattern)


FUNCTIONS = {
    "contains": lambda a, b: any(_equal(x, b) for x in a) if isinstance(a, list) else text(b).lower() in text(a).lower(),
    "startswith": lambda a, b: text(a).lower().startswith(text(b).lower()),
    "endswith": lambda a, b: text(a).lower().endswith(text(b).lower()),
    "format": lambda a, *b: _format(text(a), *b),
    "join": lambda a, sep=",": text(sep).join(text(x) for x in a) if isinstance(a, list) else text(a),
    "tojson": lambda a: json.dumps(a, indent=2),
    "fromjson": lambda a: json.loads(text(a)),
}


class _Parser:
    def __init__(self, source, contexts, functions):
        self.source, self.contexts, self.functions = source, contexts, functions
        self.tokens, at = [], 0
        while source[at:].strip():
            found = TOKEN.match(source, at)
            if not found:
                raise ExpressionError(f"unexpected '{source[at:].strip()[:10]}' in '{source}'")
            self.tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self.at = 0

    def peek(self, *ops):
        return self.at < len(self.tokens) and self.tokens[self.at][0] == "op" and self.tokens[self.at][1] in ops

    def take(self):
        if self.at >= len(self.tokens):
            raise ExpressionError(f"'{self.source}' ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def want(self, op):
        if not self.peek(op):
            raise ExpressionError(f"'{op}' expected in '{self.source}'")
        self.at += 1

    def whole(self):
        value = self.either()
        if self.at != len(self.tokens):
            raise ExpressionError(f"unexpected '{self.tokens[self.at][1]}' in '{self.source}'")
        return value

    def either(self):
        value = self.both()
        while self.peek("||"):
            self.take()
            other = self.both()
            value = value if truthy(value) else other
        return value

    def both(self):
        value = self.same()
        while self.peek("&&"):
            self.take()
            other = self.same()
            value = other if truthy(value) else value
        return value

    def same(self):
        value = self.order()
        while self.peek("==", "!="):
            op = self.take()[1]
            value = _equal(value, self.order()) == (op == "==")
        return value

    def order(self):
        value = self.unary()
        while self.peek("<", ">", "<=", ">="):
            op, other = self.take()[1], self.unary()
            a, b = (value.lower(), other.lower()) if isinstance(value, str) and isinstance(other, str) else (_number(value), _number(other))
            value = {"<": a < b, ">": a > b, "<=": a <= b, ">=": a >= b}[op]
        return value

    def unary(self):
        if self.peek("!"):
            self.take()
            return not truthy(self.unary())
        return self.member(self.simple())

    def member(self, value):
        while self.peek(".", "["):
            if self.take()[1] == ".":
                key = self.take()[1]
            else:
                key = self.either()
                self.want("]")
            if key == "*":
                value = list(value.values()) if isinstance(value, dict) else value
            elif isinstance(value, dict):
                value = next((v for k, v in value.items() if k.lower() == text(key).lower()), None)
            elif isinstance(value, list):
                value = value[int(key)] if isinstance(key, (int, float)) and int(key) < len(value) else None
            else:
                value = None
        return value

    def simple(self):
        kind, word = self.take()
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return int(word, 16) if "x" in word else float(word)
        if word == "(":
            value = self.either()
            self.want(")")
            return value
        if kind != "name":
            raise ExpressionError(f"unexpected '{word}' in '{self.source}'")
        if self.peek("("):
            return self.call(word)
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        if word.lower() not in self.contexts:
            raise ExpressionError(f"Unrecognized named-value: '{word}'")
        return self.contexts[word.lower()]

    def call(self, name):
        self.take()
        values = []
        while not self.peek(")"):
            values.append(self.either())
            if not self.peek(")"):
                self.want(",")
        self.take()
        function = self.functions.get(name.lower()) or FUNCTIONS.get(name.lower())
        if not function:
            raise ExpressionError(f"Unrecognized function: '{name}'")
        return function(*values)


def evaluate(source, contexts, functions=None):
    """The value of one expression, without its ${{ }}. Contexts and functions by their names in lower case."""
    return _Parser(source, contexts, functions or {}).whole()


def fill(value, contexts, functions=None):
    """A value of a workflow file with its ${{ }} replaced: a text that is one expression becomes that expression's value."""
    if isinstance(value, dict):
        return {k: fill(v, contexts, functions) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, contexts, functions) for v in value]
    if not isinstance(value, str):
        return value
    pattern = re.compile(r"\$\{\{((?:[^']|'[^']*')*?)\}\}", re.S)
    whole = pattern.fullmatch(value.strip())
    if whole and "${{" not in whole[1]:
        return evaluate(whole[1], contexts, functions)
    return pattern.sub(lambda m: text(evaluate(m[1], contexts, functions)), value)


def holds(source, contexts, functions):
    """Whether an if: lets its step run: without a status function in it, success() is asked too."""
    source = str(source).strip() if source is not None else ""
    inner = re.fullmatch(r"\$\{\{(.*)\}\}", source, re.S)
    source = inner[1].strip() if inner else source
    if not re.search(r"\b(success|failure|always|cancelled)\s*\(", source):
        if not truthy(functions["success"]()):
            return False
        if not source:
            return True
    return truthy(evaluate(source, contexts, functions))
