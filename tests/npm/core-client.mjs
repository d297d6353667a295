// What an action does with @actions/core: all that the emulated runner has to understand. Prints nothing by itself.
import * as core from "@actions/core";

for (const [name, value] of Object.entries(JSON.parse(process.env.VALUES))) {
	core.setOutput(name, value);
	core.saveState(name, value);
	core.exportVariable("E_" + name, value);
}
core.addPath("/somewhere/bin");
core.setSecret("geheim-1234");
console.log("this is geheim-1234");
core.error("50% of a\nsecond: line, and ::more::", {
	title: "a: title, with 100%",
	file: "src/a,b:c.py",
	startLine: 3,
	endLine: 3,
	startColumn: 1,
	endColumn: 9,
});
core.warning("w");
core.notice("n");
core.debug("hidden");
core.startGroup("a group");
core.endGroup();
await core.summary.addHeading("Deployed").addTable([["step", "time"], ["build", "1 s"]]).write();
if (process.env.AUDIENCE) {
	const token = await core.getIDToken(process.env.AUDIENCE);
	core.setOutput("subject", JSON.parse(Buffer.from(token.split(".")[1], "base64url")).sub);
	core.setOutput("audience", JSON.parse(Buffer.from(token.split(".")[1], "base64url")).aud);
	console.log(`token ${token}`);
}
