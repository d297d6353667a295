// What GitHub's own parser says of action.yml and workflows: a line per finding, "FILE:LINE:COLUMN: message".
// Usage: node tests/npm/workflows.mjs FILE...
import { readFileSync } from "node:fs";
import { register } from "node:module";

// The package imports JSON without saying so, which Node before 22 refuses.
register(
  "data:text/javascript," +
    encodeURIComponent(`
import { readFileSync } from "node:fs";
export async function load(url, context, next) {
  if (!url.endsWith(".json")) return next(url, context);
  return { format: "module", shortCircuit: true, source: "export default " + readFileSync(new URL(url), "utf8") };
}`),
);

const { validate } = await import("@actions/languageservice");
const { TextDocument } = await import("vscode-languageserver-textdocument");

let found = 0;
for (const file of process.argv.slice(2)) {
  const uri = `file:///${file.endsWith("action.yml") ? "action.yml" : `.github/workflows/${file.split("/").pop()}`}`;
  for (const finding of await validate(TextDocument.create(uri, "yaml", 1, readFileSync(file, "utf8")), {})) {
    const { line, character } = finding.range.start;
    console.log(`${file}:${line + 1}:${character + 1}: ${finding.message}`);
    found++;
  }
}
process.exitCode = found ? 1 : 0;
