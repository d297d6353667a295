// octokit's receiver: receiver.mjs SECRET ANOTHER; prints its port, and ends with its stdin.
import { createServer } from "node:http";
import { createNodeMiddleware, Webhooks } from "@octokit/webhooks";

const quiet = { debug() {}, info() {}, warn() {}, error() {} };
const [secret, another] = process.argv.slice(2);
const webhooks = new Webhooks({ secret, additionalSecrets: [another], log: quiet });
const middleware = createNodeMiddleware(webhooks, { path: "/hooks/github", log: quiet });

const server = createServer(async (request, response) => {
	if (!(await middleware(request, response))) response.writeHead(404).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
