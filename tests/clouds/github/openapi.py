"""GitHub's OpenAPI description as a judge: does a request's body, or an answer, fit it?

The description comes with npm's @octokit/openapi (tests/npm). It is OpenAPI 3.0: JSON Schema but for `nullable`.
"""

import json
import os
import re

import jsonschema

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                     "../../npm/node_modules/@octokit/openapi/generated/api.github.com.json")


def available():
    return os.path.exists(PLACE)


def plain(schema):
    """The same schema, with `nullable` said as JSON Schema says it; what only a person reads is left out."""
    if isinstance(schema, list):
        return [plain(x) for x in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: plain(v) for k, v in schema.items() if k not in ("example", "examples", "description", "nullable", "format")
           or (k == "description" and isinstance(v, dict)) or (k in ("format", "example", "examples") and isinstance(v, dict))}
    return {"anyOf": [{"type": "null"}, out]} if schema.get("nullable") is True else out


class Description:
    def __init__(self, path=PLACE):
        with open(path, encoding="utf-8") as f:
            self.document = json.load(f)
        self.operations = []  # (method, pattern, names, operation)
        for path, methods in self.document["paths"].items():
            parts = re.split(r"\{(\w+)\}", path)
            pattern = "".join(re.escape(p) if i % 2 == 0 else "([^/]+)" for i, p in enumerate(parts))
            for method, operation in methods.items():
                if method in ("get", "post", "patch", "put", "delete"):
                    self.operations.append((method.upper(), re.compile(pattern + "$"), path, operation))
        # "/repos/{owner}/{repo}/commits/{ref}" takes a ref with slashes in it; the plainest path wins.
        self.operations.sort(key=lambda o: o[2].count("{"))
        self.validators = {}
        self.resolver = jsonschema.RefResolver("", _Lazy(self.document))

    def find(self, method, path):
        for m, pattern, name, operation in self.operations:
            if m == method and pattern.match(path):
                return name, operation
        return None, None

    def deref(self, value):
        while isinstance(value, dict) and "$ref" in value:
            reference, value = value["$ref"], self.document
            for key in reference[2:].split("/"):
                value = value[key]
        return value

    def _complaint(self, key, schema, value):
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft4Validator(plain(schema), resolver=self.resolver)
        errors = sorted(self.validators[key].iter_errors(value), key=lambda e: len(e.path))
        if not errors:
            return None
        error = jsonschema.exceptions.best_match(errors)
        return f"{'/'.join(map(str, error.path)) or '(whole)'}: {error.message[:300]}"

    def query_complaint(self, method, path, query):
        """Parameters that the operation doesn't have, or that aren't what they may be."""
        _, operation = self.find(method, path)
        if not operation:
            return "no such operation"
        known = {p["name"]: p for p in map(self.deref, operation.get("parameters", [])) if p["in"] == "query"}
        for name, value in query.items():
            if name not in known:
                return f"no query parameter {name}"
            schema = self.deref(known[name].get("schema", {}))
            if "enum" in schema and value not in map(str, schema["enum"]):
                return f"{name}={value}, expected one of {schema['enum']}"
            if schema.get("type") == "integer" and not value.isdigit():
                return f"{name}={value}, expected a number"
        return None

    def body_complaint(self, method, path, body):
        """What is wrong with a request's body; None when nothing is."""
        name, operation = self.find(method, path)
        if not operation:
            return "no such operation"
        content = self.deref(operation.get("requestBody", {})).get("content", {}).get("application/json")
        if content is None:
            return None if body is None else "the operation takes no body"
        schema = content["schema"]
        unknown = set(body or {}) - set(self._names(schema))
        if unknown:
            return f"unknown: {', '.join(sorted(unknown))}"
        return self._complaint(("body", method, name), schema, body)

    def _names(self, schema):
        """Every property that any branch of the schema has."""
        schema = self.deref(schema)
        names = set(schema.get("properties", {}))
        for branch in ("allOf", "anyOf", "oneOf"):
            for one in schema.get(branch, []):
                names |= self._names(one)
        return names

    def answer_complaint(self, method, path, status, body):
        """What is wrong with an answer; None when nothing is."""
        name, operation = self.find(method, path)
        if not operation:
            return "no such operation"
        answer = operation["responses"].get(str(status))
        if answer is None:
            # What any call may come to is not listed with each.
            return None if status in (401, 403, 404, 429, 304) or status >= 500 else f"status {status} is not described"
        content = self.deref(answer).get("content", {}).get("application/json")
        if content is None:
            return None
        return self._complaint(("answer", method, name, status), content["schema"], body)


class _Lazy(dict):
    """The document, with each component made plain when it is first looked at."""

    def __init__(self, document):
        super().__init__(document)
        components = {kind: _Plain(values) for kind, values in document["components"].items()}
        self["components"] = components


class _Plain(dict):
    def __getitem__(self, key):
        value = super().__getitem__(key)
        if not isinstance(value, _Done):
            value = _Done(plain(value))
            self[key] = value
        return value


class _Done(dict):
    pass
