"""CloudWatch Logs: groups and streams, read by GetLogEvents, DescribeLogStreams, DescribeLogGroups, FilterLogEvents."""
import fnmatch

from cloud import AwsError


class Logs:
    signing = "logs"
    invalid_code = "InvalidParameterException"
    errors = ""

    def __init__(self, cloud):
        self.cloud = cloud
        self.reset()

    def reset(self):
        self.groups = {}

    def write(self, group, stream, lines):
        now = int(self.cloud.now() * 1000)
        events = self.groups.setdefault(group, {}).setdefault(stream, [])
        for i, line in enumerate(lines):
            events.append({"timestamp": now + i, "message": line, "ingestionTime": now + i + 5})

    def group(self, p):
        name = p.get("logGroupName") or p.get("logGroupIdentifier", "").rpartition(":log-group:")[2]
        if name not in self.groups:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.", key="message")
        return name, self.groups[name]

    def arn(self, group):
        return f"arn:aws:logs:{self.cloud['region']}:{self.cloud['account']}:log-group:{group}:*"

    def DescribeLogGroups(self, p):
        rows = [{"logGroupName": g, "arn": self.arn(g), "creationTime": 1, "metricFilterCount": 0, "storedBytes": 0}
                for g in sorted(self.groups) if g.startswith(p.get("logGroupNamePrefix", ""))]
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("limit"), 50)
        return {"logGroups": rows, **({"nextToken": token} if token else {})}

    def DescribeLogStreams(self, p):
        group, streams = self.group(p)
        by_time = p.get("orderBy") == "LastEventTime"
        if by_time and p.get("logStreamNamePrefix"):
            raise AwsError("InvalidParameterException", "Cannot order by LastEventTime with a logStreamNamePrefix.",
                           key="message")
        rows = []
        for name, events in streams.items():
            if name.startswith(p.get("logStreamNamePrefix", "")):
                row = {"logStreamName": name, "creationTime": 1, "storedBytes": 0,
                       "arn": self.arn(group)[:-1] + "log-stream:" + name}
                if events:
                    row.update(firstEventTimestamp=events[0]["timestamp"], lastEventTimestamp=events[-1]["timestamp"],
                               lastIngestionTime=events[-1]["ingestionTime"])
                rows.append(row)
        rows.sort(key=lambda r: (r.get("lastEventTimestamp", 0), r["logStreamName"]) if by_time else r["logStreamName"],
                  reverse=p.get("descending", False))
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("limit"), 50)
        return {"logStreams": rows, **({"nextToken": token} if token else {})}

    def GetLogEvents(self, p):
        _, streams = self.group(p)
        if p["logStreamName"] not in streams:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.", key="message")
        events = [e for e in streams[p["logStreamName"]]
                  if p.get("startTime", 0) <= e["timestamp"] < p.get("endTime", 1 << 62)]
        size = min(p.get("limit", 10000), self.cloud["page"] or 10000)
        token = p.get("nextToken")
        if token:
            at = int(token.partition("/")[2].lstrip("0") or "0")
            begin, end = (at, at + size) if token[0] == "f" else (max(0, at - size), at)
        else:
            begin = 0 if p.get("startFromHead") else max(0, len(events) - size)
            end = begin + size
        shown = events[begin:end]
        return {"events": shown, "nextForwardToken": f"f/{begin + len(shown):056d}", "nextBackwardToken": f"b/{begin:056d}"}

    def FilterLogEvents(self, p):
        _, streams = self.group(p)
        rows = []
        pattern = p.get("filterPattern", "").strip('" ')
        for name, events in streams.items():
            if name.startswith(p.get("logStreamNamePrefix", "")) and name in p.get("logStreamNames", [name]):
                rows += [{**e, "logStreamName": name, "eventId": f"{e['timestamp']}{i:08d}"} for i, e in enumerate(events)
                         if p.get("startTime", 0) <= e["timestamp"] <= p.get("endTime", 1 << 62)
                         and fnmatch.fnmatch(e["message"], f"*{pattern}*")]
        rows.sort(key=lambda r: r["timestamp"])
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("limit"), 10000)
        return {"events": rows, "searchedLogStreams": [], **({"nextToken": token} if token else {})}
