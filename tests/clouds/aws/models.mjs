// The shapes and operations of an SDK client, read from its type declarations: what a model older than the client
// does not know. Usage: node models.mjs NODE_MODULES CLIENT ... ; prints {"CLIENT": {operations, shapes}}.
import fs from "node:fs";
import path from "node:path";

const [modules, ...clients] = process.argv.slice(2);

function shapeOf(type, shapes, enums) {
	type = type.replace(/ \| undefined$/, "").trim();
	let found;
	if ((found = /^(.*)\[\]$/.exec(type)))
		return { type: "list", member: shapeOf(found[1].replace(/^\((.*)\)$/, "$1"), shapes, enums) };
	if ((found = /^Record<string, (.*)>$/.exec(type)))
		return { type: "map", key: { type: "string" }, value: shapeOf(found[1], shapes, enums) };
	if (["string", "number", "boolean"].includes(type)) return { type };
	if (type === "Date") return { type: "timestamp" };
	if (type === "Uint8Array") return { type: "blob" };
	if (enums.has(type)) return { type: "string", enum: enums.get(type) };
	return /^\w+$/.test(type) && !type.startsWith("__") ? { shape: type } : { type: "any" };
}

function readClient(name) {
	const types = path.join(modules, "@aws-sdk", name, "dist-types");
	const read = (folder, what) =>
		fs.readdirSync(path.join(types, folder)).filter((f) => what.test(f))
			.map((f) => fs.readFileSync(path.join(types, folder, f), "utf8")
				.replace(/\/\*[^]*?\*\//g, (c) => (c.match(/@throws \{@link \w+\}/g) ?? []).join("\n")));
	const enums = new Map();
	for (const text of read("models", /^enums\.d\.ts$/))
		for (const [, enumName, body] of text.matchAll(/export declare const (\w+): \{([^}]*)\}/g))
			enums.set(enumName, [...body.matchAll(/: "([^"]*)"/g)].map((m) => m[1]));
	const shapes = {};
	for (const text of read("models", /^models_\d+\.d\.ts$/))
		for (const [, shape, body] of text.matchAll(/export interface (\w+)[^{]*\{([^]*?)\n\}/g)) {
			const members = {};
			const required = [];
			for (const [, member, optional, type] of body.matchAll(/^\s+(\w+)(\??): ([^;]*);/gm)) {
				members[member] = shapeOf(type, shapes, enums);
				if (!optional) required.push(member);
			}
			shapes[shape] = { type: "structure", members, required };
		}
	const operations = {};
	const base = fs.readdirSync(path.join(types, "models")).find((f) => /ServiceException\.d\.ts$/.test(f)).slice(0, -5);
	for (const text of read("commands", /Command\.d\.ts$/)) {
		const input = /interface (\w+)CommandInput(?: extends (\w+))?/.exec(text);
		const output = /interface \w+CommandOutput extends (\w+)/.exec(text);
		if (!input) continue;
		operations[input[1]] = {
			input: input[2],
			output: output && output[1] !== "__MetadataBearer" ? output[1] : undefined,
			errors: [...text.matchAll(/@throws \{@link (\w+)\}/g)].map((m) => m[1]).filter((e) => e !== base),
		};
	}
	return { operations, shapes };
}

process.stdout.write(JSON.stringify(Object.fromEntries(clients.map((name) => [name, readClient(name)]))));
