"""ECR: the control operations, over the images that the data plane (registry.py) holds."""
import base64

from cloud import AwsError


class Ecr:
    signing = "ecr"
    invalid_code = "InvalidParameterException"
    errors = ""

    def __init__(self, cloud, registry):
        self.cloud, self.registry = cloud, registry
        self.reset()

    def reset(self):
        self.repositories = {}

    def host(self):
        return f"{self.cloud['account']}.dkr.ecr.{self.cloud['region']}.amazonaws.com"

    def make(self, name, mutability="MUTABLE"):
        self.repositories[name] = {
            "repositoryArn": f"arn:aws:ecr:{self.cloud['region']}:{self.cloud['account']}:repository/{name}",
            "registryId": self.cloud["account"], "repositoryName": name, "repositoryUri": f"{self.host()}/{name}",
            "createdAt": self.cloud.now(), "imageTagMutability": mutability,
            "imageScanningConfiguration": {"scanOnPush": False}, "encryptionConfiguration": {"encryptionType": "AES256"},
        }
        return self.repositories[name]

    def repository(self, name):
        if name not in self.repositories:
            raise AwsError("RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the registry "
                           f"with id '{self.cloud['account']}'", key="message")
        return self.repositories[name]

    def image(self, identifier):
        """{"digest", "architectures"} of an image by its full name; None when it isn't there. Other accounts' are taken
        to be there."""
        host, _, rest = identifier.partition("/")
        if host != self.host():
            return {"digest": None, "architectures": []}
        name, _, reference = rest.partition("@") if "@" in rest else rest.partition(":")
        if name not in self.repositories:
            return None
        return self.registry.image(name, reference or "latest")

    def GetAuthorizationToken(self, p):
        token = base64.b64encode(f"AWS:{self.registry.password}".encode()).decode()
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": self.cloud.now() + 12 * 3600,
                                       "proxyEndpoint": f"http://127.0.0.1:{self.cloud.port}"}]}

    def CreateRepository(self, p):
        if p["repositoryName"] in self.repositories:
            raise AwsError("RepositoryAlreadyExistsException", f"The repository with name '{p['repositoryName']}' already "
                           f"exists in the registry with id '{self.cloud['account']}'", key="message")
        return {"repository": self.make(p["repositoryName"], p.get("imageTagMutability", "MUTABLE"))}

    def DescribeRepositories(self, p):
        rows = [self.repository(n) for n in p["repositoryNames"]] if p.get("repositoryNames") else list(
            self.repositories.values())
        rows, token = self.cloud.page(rows, p.get("nextToken"), p.get("maxResults"), 100)
        return {"repositories": rows, **({"nextToken": token} if token else {})}

    def DescribeImages(self, p):
        name = p["repositoryName"]
        self.repository(name)
        tags = self.registry.tags(name)
        if p.get("imageIds"):
            wanted = [i.get("imageDigest") or i["imageTag"] for i in p["imageIds"]]
        else:
            wanted = tags
        rows = {}
        for reference in wanted:
            found = self.registry.image(name, reference)
            if not found:
                what = "imageDigest" if reference.startswith("sha256:") else "imageTag"
                raise AwsError(
                    "ImageNotFoundException", f"The image with imageId {{{what}:'{reference}'}} does not exist within the "
                    f"repository with name '{name}' in the registry with id '{self.cloud['account']}'", key="message")
            row = rows.setdefault(found["digest"], {
                "registryId": self.cloud["account"], "repositoryName": name, "imageDigest": found["digest"],
                "imageSizeInBytes": found["size"], "imagePushedAt": self.cloud.now(),
                "imageManifestMediaType": found["type"]})
        for tag in tags:
            found = self.registry.image(name, tag)
            if found and found["digest"] in rows:
                rows[found["digest"]].setdefault("imageTags", []).append(tag)
        rows, token = self.cloud.page(list(rows.values()), p.get("nextToken"), p.get("maxResults"), 100)
        return {"imageDetails": rows, **({"nextToken": token} if token else {})}

    def BatchGetImage(self, p):
        name = p["repositoryName"]
        self.repository(name)
        images, failures = [], []
        for i in p["imageIds"]:
            found = self.registry.image(name, i.get("imageDigest") or i.get("imageTag", ""))
            if found:
                images.append({"registryId": self.cloud["account"], "repositoryName": name,
                               "imageId": {**i, "imageDigest": found["digest"]}, "imageManifest": found["manifest"],
                               "imageManifestMediaType": found["type"]})
            else:
                failures.append({"imageId": i, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"})
        return {"images": images, "failures": failures}
