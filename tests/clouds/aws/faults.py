"""Faults by operation: a queue of entries, each consumed as it is used.

An entry: {"op": "CreateService" | "apprunner.CreateService" | "apprunner.*" | "*", "skip": 0, "times": 1 (0: for
ever), and any of
  kind       a ready-made one of KINDS
  status, code, message, key ("Message" or "message"), body, type, headers      the answer in place of the true one
  effect     true: do what was asked all the same, then answer so
  delay      seconds before the answer
  cut        "before" (nothing done) or "after" (done, no answer): the connection is reset
  truncate   only so many bytes of the body are sent, then the connection ends
  patch      merged into the true answer's body after it was checked; null removes a member
  do, then   actions (see actions.py) before and after what was asked
}
"""

HTML = ("<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>\r\n<center><h1>503 "
        "Service Temporarily Unavailable</h1></center>\r\n</body>\r\n</html>\r\n")

KINDS = {
    "throttled": {"status": 400, "code": "ThrottlingException", "message": "Rate exceeded", "key": "message"},
    "429": {"status": 429, "code": "TooManyRequestsException", "message": "Too Many Requests", "key": "message"},
    "html": {"status": 503, "body": HTML, "type": "text/html"},
    "500": {"status": 500, "code": "InternalServiceErrorException", "message": "An internal service exception."},
    "502": {"status": 502, "body": HTML.replace("503 Service Temporarily Unavailable", "502 Bad Gateway"),
            "type": "text/html"},
    "504": {"status": 504, "body": "", "type": "text/html"},
    "empty": {"status": 200, "body": ""},
    "cut": {"cut": "before"},
    "cut-after": {"cut": "after"},
    "truncated": {"truncate": 20},
    "broken-json": {"status": 200, "body": '{"Service": {"ServiceName": "sh'},
    "expired": {"status": 400, "code": "ExpiredTokenException",
                "message": "The security token included in the request is expired", "key": "message"},
    "denied": {"status": 400, "code": "AccessDeniedException", "key": "Message",
               "message": "User: arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions is not authorized to "
                          "perform: {iam} on resource: * because no identity-based policy allows the {iam} action"},
    "passrole": {"status": 400, "code": "AccessDeniedException",
                 "message": "User: arn:aws:sts::123456789012:assumed-role/deploy/GitHubActions is not authorized to "
                            "perform: iam:PassRole on resource: arn:aws:iam::123456789012:role/AppRunnerECRAccessRole "
                            "because no identity-based policy allows the iam:PassRole action"},
    "closed": {"status": 400, "code": "AccessDeniedException",
               "message": "AWS App Runner is in maintenance mode and is no longer available to new customers."},
    "role": {"status": 400, "code": "InvalidRequestException",
             "message": "Error in assuming access role arn:aws:iam::123456789012:role/AppRunnerECRAccessRole"},
    "redirect": {"status": 307, "body": "", "headers": {"Location": "http://127.0.0.1:9/"}},
}


class Faults:
    def __init__(self):
        self.queue = []

    def add(self, entry):
        entry = {**KINDS[entry["kind"]], **entry} if "kind" in entry else dict(entry)
        unknown = set(entry) - {"kind", "op", "skip", "times", "status", "code", "message", "key", "body", "type", "headers",
                                "effect", "delay", "cut", "truncate", "patch", "do", "then"}
        if unknown or "op" not in entry:
            raise ValueError(f"a fault has op, and not {sorted(unknown)}")
        entry.setdefault("times", 1)
        entry.setdefault("skip", 0)
        self.queue.append(entry)

    def take(self, service, operation):
        """The fault for this request, or {}."""
        for entry in self.queue:
            if entry["op"] not in (operation, f"{service}.{operation}", f"{service}.*", "*"):
                continue
            if entry["skip"] > 0:
                entry["skip"] -= 1
                continue
            if entry["times"] == 1:
                self.queue.remove(entry)
            elif entry["times"]:
                entry["times"] -= 1
            found = dict(entry)
            if "message" in found:
                found["message"] = found["message"].replace("{iam}", f"{service}:{operation}")
            return found
        return {}


def patched(value, patch):
    """The value with the patch merged in: members by name, items by number; null removes a member."""
    if isinstance(value, list) and isinstance(patch, dict):
        return [patched(item, patch[str(i)]) if str(i) in patch else item for i, item in enumerate(value)]
    if not isinstance(value, dict) or not isinstance(patch, dict):
        return patch
    value = dict(value)
    for name, part in patch.items():
        if part is None:
            value.pop(name, None)
        else:
            value[name] = patched(value.get(name), part)
    return value
