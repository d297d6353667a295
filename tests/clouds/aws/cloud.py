"""What all stand-ins share: the clock, the settings, credentials, what came and what went wrong."""
import base64
import json
import os
import re
import threading
import time

from faults import Faults

SETTINGS = {
    "region": "us-east-1",
    "account": "123456789012",
    "urls": "true",  # "loopback": each service's URL is http://127.0.0.1:PORT of its own
    "scheme": False,  # true: ECS's endpoints come with https:// before them
    "page": None,  # at most so many items on a page, whatever was asked for
    "polls": 2,  # looks (list or describe) that an operation takes by default
    "images": "checked",  # "any": an image need not be in the registry
    "closed": False,  # CreateService of App Runner refuses: closed to new customers
    "rebuild": True,  # false: UpdateService refuses a service that is CREATE_FAILED
    "deleted_looks": 2,  # a deleted service is still described so many times
    "role_seconds": 3600,  # how long credentials of STS, IMDS and the container endpoint live, at most
    "role_calls": None,  # or for so many signed calls
    "jwt_seconds": 300,
    "jwt_once": False,  # STS refuses a token that it has seen
    "subject": "repo:acme@1/shop@2:ref:refs/heads/main",
    "audience": "sts.amazonaws.com",
    "registry_location": "absolute",  # or "relative"
    "imds": True,
    "logs": True,  # false: no log group is made
}


class AwsError(Exception):
    """An answer that refuses. key: the name of the message's member."""

    def __init__(self, code, message, status=400, key=None):
        super().__init__(message)
        self.code, self.message, self.status, self.key = code, message, status, key


class Progress:
    """A state that advances by looks or by time: stages of {"status", "polls" or "seconds"}; one with neither stays."""

    def __init__(self, stages, now):
        self.stages = [dict(stage) for stage in stages]
        self.since = now

    @property
    def status(self):
        return self.stages[0]["status"]

    @property
    def ended(self):
        return len(self.stages) == 1

    def look(self, now, counts=True):
        """One look; the statuses entered by it."""
        entered = []
        while len(self.stages) > 1:
            stage = self.stages[0]
            if "seconds" in stage:
                if now - self.since < stage["seconds"]:
                    break
                self.since += stage["seconds"]
            elif "polls" in stage:
                if stage["polls"] > 0:
                    if not counts:
                        break
                    stage["polls"] -= 1
                    break
                self.since = now
            else:
                break
            self.stages.pop(0)
            entered.append(self.stages[0]["status"])
        return entered


class Cloud:
    def __init__(self, models, wrong_path=None):
        self.models = models
        self.wrong_path = wrong_path
        self.lock = threading.RLock()
        self.port = 0
        self.reset()

    def reset(self, settings=None):
        self.settings = {**SETTINGS, **(settings or {})}
        self.offset = 0
        self.waited = 0
        self.faults = Faults()
        self.requests = []
        self.refused = []
        self.wrong = []
        self.serial = 0
        self.keys = {"AKIDEXAMPLE": {"secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token": None, "expires": None,
                                     "arn": f"arn:aws:iam::{self.settings['account']}:user/deploy", "calls": None}}

    def set(self, settings):
        unknown = set(settings) - set(SETTINGS)
        if unknown:
            raise ValueError(f"no such setting: {sorted(unknown)}")
        self.settings.update(settings)

    def __getitem__(self, name):
        return self.settings[name]

    def now(self):
        return round(time.time() + self.offset, 3)

    def states_now(self):
        """The clock of states that last for "seconds"."""
        return self.now() + self.waited

    def number(self):
        self.serial += 1
        return self.serial

    def hex(self, digits=32):
        return os.urandom((digits + 1) // 2).hex()[:digits]

    def uuid(self):
        h = self.hex()
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def complain(self, text):
        """The stand-in itself is wrong: nobody may overlook it."""
        self.wrong.append(text)
        if self.wrong_path:
            with open(self.wrong_path, "a", encoding="utf-8") as f:
                f.write(text.replace("\n", "\\n") + "\n")

    def record(self, entry):
        self.requests.append(entry)
        entry["number"] = len(self.requests)
        return entry

    # --- credentials ---

    def issue(self, arn, seconds=None):
        """Temporary credentials in the form of the metadata endpoints and STS."""
        seconds = min(seconds or self["role_seconds"], self["role_seconds"])
        # As long and as awkward as real ones: they hold '+', '/' and '='.
        token = "IQoJb3JpZ2luX2VjE+/" + base64.b64encode(os.urandom(900)).decode() + "=="
        key = {"secret": base64.b64encode(os.urandom(30)).decode()[:38] + "+/", "token": token, "arn": arn,
               "expires": self.now() + seconds, "calls": self["role_calls"]}
        name = "ASIA" + self.hex(16).upper()
        self.keys[name] = key
        return {"AccessKeyId": name, "SecretAccessKey": key["secret"], "Token": token, "Expires": key["expires"]}

    def find_key(self, name):
        key = self.keys.get(name)
        if key and key["calls"] is not None:
            if key["calls"] <= 0:
                key["expires"] = min(key["expires"] or 0, self.now() - 1)
            key["calls"] -= 1
        return key

    def expire(self, name="all"):
        for key in self.keys.values():
            if key["token"] if name == "all" else key is self.keys.get(name):
                key["expires"] = self.now() - 1

    # --- pages ---

    def page(self, items, token, size, largest=20):
        """(the page's items, the next token or None)."""
        size = min(x for x in (size, self["page"], largest) if x)
        begin = 0
        if token:
            try:
                begin = int(json.loads(base64.b64decode(token, validate=True))["at"])
            except (ValueError, KeyError, TypeError) as e:
                raise AwsError("InvalidRequestException", f"Invalid NextToken: {token}") from e
        next_token = None
        if begin + size < len(items):
            next_token = base64.b64encode(json.dumps({"at": begin + size, "x": "/+="}).encode()).decode()
        return items[begin:begin + size], next_token


def outcome_stages(outcome, words):
    """The stages of an operation from {"end": …, "polls" | "seconds" | "stages"}. words: (waiting, going, rolling)."""
    if "stages" in outcome:
        return outcome["stages"]
    end = outcome.get("end", words[3])
    waiting, going, rolling = words[:3]
    pace = {"seconds": outcome["seconds"]} if "seconds" in outcome else {"polls": outcome["polls"]}
    first = {"status": waiting, **({"seconds": 0} if "seconds" in outcome else {"polls": min(1, outcome["polls"])})}
    if end == "stall":
        return [first, {"status": going}, {"status": going}]
    if "polls" in pace:
        pace["polls"] = max(0, pace["polls"] - 1)
    stages = [first, {"status": going, **pace}]
    if end == "stall-rollback":
        return stages + [{"status": rolling}, {"status": rolling}]
    if re.match("ROLLBACK_", end):
        stages.append({"status": rolling, **(pace if "seconds" in pace else {"polls": max(1, pace["polls"])})})
    return stages + [{"status": end}]
