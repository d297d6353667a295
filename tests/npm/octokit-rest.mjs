// GitHub's own client against the stand-in for its API: does what an integration does, and prints what came of it.
// Arguments: the API's URL, a token, a commit id, the webhook's id, the id of one of its deliveries.
import { Octokit } from "@octokit/rest";

const [baseUrl, auth, sha, hook, delivery] = process.argv.slice(2);
const octokit = new Octokit({ baseUrl, auth, log: { debug() {}, info() {}, warn() {}, error() {} } });
const at = { owner: "acme", repo: "shop" };
const out = {};
const refused = async (call) => {
	try {
		await call();
		return 200;
	} catch (error) {
		return error.status;
	}
};

const created = await octokit.rest.repos.createDeployment({
	...at, ref: sha, environment: "staging", auto_merge: false, required_contexts: [], payload: { other: 1 },
});
out.created = created.status;
const deployment_id = created.data.id;
for (const state of ["in_progress", "success"])
	await octokit.rest.repos.createDeploymentStatus({ ...at, deployment_id, state, description: "é".repeat(140) });
out.states = (await octokit.paginate(octokit.rest.repos.listDeploymentStatuses, { ...at, deployment_id, per_page: 1 })).map((s) => s.state);
out.deployments = (await octokit.rest.repos.listDeployments({ ...at, sha, environment: "staging" })).data.map((d) => d.payload);
out.long = await refused(() => octokit.rest.repos.createDeploymentStatus({ ...at, deployment_id, state: "success", description: "x".repeat(141) }));
out.merged = (await octokit.rest.repos.createDeployment({ ...at, ref: sha, required_contexts: [] })).status;

await octokit.rest.repos.createCommitStatus({ ...at, sha, state: "pending", context: "other/ci" });
out.statuses = (await octokit.rest.repos.listCommitStatusesForRef({ ...at, ref: sha })).data.map((s) => [s.context, s.state]);

const check = await octokit.rest.checks.create({ ...at, head_sha: sha, name: "other", output: { title: "t", summary: "s" } });
await octokit.rest.checks.update({ ...at, check_run_id: check.data.id, conclusion: "neutral" });
out.checks = (await octokit.rest.checks.listForRef({ ...at, ref: sha })).data.check_runs.map((c) => [c.name, c.status, c.conclusion]);

const hook_id = Number(hook);
out.guids = (await octokit.paginate(octokit.rest.repos.listWebhookDeliveries, { ...at, hook_id, per_page: 2 })).map((d) => d.guid);
const whole = await octokit.rest.repos.getWebhookDelivery({ ...at, hook_id, delivery_id: Number(delivery) });
out.payload = whole.data.request.payload;
out.again = (await octokit.rest.repos.redeliverWebhookDelivery({ ...at, hook_id, delivery_id: Number(delivery) })).status;
out.redelivered = (await octokit.rest.repos.listWebhookDeliveries({ ...at, hook_id, per_page: 1 })).data.map((d) => [d.guid === whole.data.guid, d.redelivery]);

const first = await octokit.rest.repos.listWebhooks(at);
out.unchanged = await refused(() => octokit.rest.repos.listWebhooks({ ...at, headers: { "if-none-match": first.headers.etag } }));
out.commit = (await octokit.rest.repos.getCommit({ ...at, ref: "heads/main", mediaType: { format: "sha" } })).data;
out.absent = await refused(() => octokit.rest.repos.listDeployments({ owner: "acme", repo: "none" }));
out.limited = await refused(() => octokit.rest.repos.listDeployments({ ...at, task: "limited" }));
console.log(JSON.stringify(out));
