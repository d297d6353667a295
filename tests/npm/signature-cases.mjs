// Signatures and bodies, right and mutated, with octokit's verdict about each, as lines of JSON for
// tests/e2e/signature-octokit.t. The same seed gives the same cases.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { sign, verify } from "@octokit/webhooks-methods";

const examples = JSON.parse(
	readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples"), "utf8"),
);

let state = Number(process.argv[2] ?? 1) >>> 0 || 1;
function random(below) {
	state ^= state << 13;
	state >>>= 0;
	state ^= state >>> 17;
	state ^= state << 5;
	state >>>= 0;
	return state % below;
}

function put(text, at, what) {
	return text.slice(0, at) + what + text.slice(at + 1);
}

const signatureMutations = {
	"as it is": (s) => s,
	"another digit": (s) => {
		const at = 7 + random(64);
		return put(s, at, "0123456789abcdef"[("0123456789abcdef".indexOf(s[at]) + 1 + random(15)) % 16]);
	},
	"no digit": (s) => put(s, 7 + random(64), "gG .:-_/\u00e9"[random(9)]),
	"a digit in upper case": (s) => {
		const at = s.slice(7).search(/[a-f]/);
		return at < 0 ? s + "A" : put(s, 7 + at, s[7 + at].toUpperCase());
	},
	"all in upper case": (s) => s.toUpperCase(),
	"a digit less": (s) => s.slice(0, 7 + random(64)),
	"a digit more": (s) => s + random(10),
	"a digit within": (s) => {
		const at = 7 + random(64);
		return s.slice(0, at) + "0" + s.slice(at);
	},
	"digits swapped": (s) => {
		const at = 7 + random(63);
		return s.slice(0, at) + s[at + 1] + s[at] + s.slice(at + 2);
	},
	"another prefix": (s) => ["sha1=", "sha512=", "SHA256=", "sha256:", "sha256==", "", "=", "256="][random(8)] + s.slice(7),
	"a blank": (s) => [" " + s, s + " ", s + "\t", s.replace("=", "= ")][random(4)],
	"twice": (s) => s + ["", ",", ", ", ";"][random(4)] + s,
	"all zero": () => "sha256=" + "0".repeat(64),
	"the prefix alone": (s) => s.slice(0, random(8)),
};

const bodyMutations = {
	"a character changed": (b) => put(b, random(b.length), String.fromCharCode(32 + random(94))),
	"a character less": (b) => b.slice(0, -1),
	"a line end more": (b) => b + "\n",
	"a blank before": (b) => " " + b,
};

function emit(object) {
	process.stdout.write(JSON.stringify(object) + "\n");
}

async function verdict(secret, body, signature) {
	try {
		return await verify(secret, body, signature);
	} catch {
		return false; // it throws for an empty signature
	}
}

function subject(secret, body) {
	// The second secret is the one that octokit knows: rotation must not change a verdict.
	emit({ secrets: ["another secret", secret], body: Buffer.from(body).toString("base64") });
}

async function one(secret, body, signature, kind) {
	emit({ signature, kind, octokit: await verdict(secret, body, signature) });
}

let count = 0;
for (const { name, examples: list } of examples) {
	for (const example of list) {
		const secret = ["It's a Secret to Everybody", "s", "ключ 🔑", "x".repeat(200)][count++ % 4];
		const json = JSON.stringify({ ...example, note: name + " é 🚀" });
		const body = count % 5 === 0 ? "payload=" + encodeURIComponent(json) : json;
		const signature = await sign(secret, body);

		subject(secret, body);
		for (const [kind, mutate] of Object.entries(signatureMutations))
			await one(secret, body, mutate(signature), kind);
		await one(secret, body, await sign(secret + "x", body), "another secret");
		for (const [kind, mutate] of Object.entries(bodyMutations)) {
			const other = mutate(body);
			subject(secret, other);
			await one(secret, other, signature, kind);
		}
	}
}
