// Posts each line of stdin, {url, secret, event, guid, body}, signed by octokit; prints its status and the answer.
import { createInterface } from "node:readline";
import { sign } from "@octokit/webhooks-methods";

for await (const line of createInterface({ input: process.stdin })) {
	const { url, secret, event, guid, body } = JSON.parse(line);
	const response = await fetch(url, {
		method: "POST",
		headers: {
			"Content-Type": "application/json",
			"X-GitHub-Event": event,
			"X-GitHub-Delivery": guid,
			"X-Hub-Signature-256": await sign(secret, body),
		},
		body,
	});
	console.log(JSON.stringify({ status: response.status, text: await response.text() }));
}
