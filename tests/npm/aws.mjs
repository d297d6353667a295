// AWS's own JavaScript SDK, line by line: {"client", "command", "input"} in; {"output"} or {"error"} out.
// Endpoint, region and credentials come from the environment, as for any program that uses it.
import readline from "node:readline";
import * as apprunner from "@aws-sdk/client-apprunner";
import * as logs from "@aws-sdk/client-cloudwatch-logs";
import * as ecr from "@aws-sdk/client-ecr";
import * as ecs from "@aws-sdk/client-ecs";
import * as sts from "@aws-sdk/client-sts";

const clients = {
	apprunner: [apprunner, new apprunner.AppRunnerClient({})],
	logs: [logs, new logs.CloudWatchLogsClient({})],
	ecr: [ecr, new ecr.ECRClient({})],
	ecs: [ecs, new ecs.ECSClient({})],
	sts: [sts, new sts.STSClient({})],
};

async function run({ client, command, input }) {
	const [sdk, connection] = clients[client];
	try {
		const { $metadata, ...output } = await connection.send(new sdk[command + "Command"](input));
		return { output, attempts: $metadata.attempts, requestId: $metadata.requestId };
	} catch (e) {
		return { error: e.name, message: e.message, status: e.$metadata?.httpStatusCode, requestId: e.$metadata?.requestId };
	}
}

for await (const line of readline.createInterface({ input: process.stdin }))
	console.log(JSON.stringify(await run(JSON.parse(line))));
