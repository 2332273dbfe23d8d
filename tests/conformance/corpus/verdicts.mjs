// What graphql-js says of each request of the corpus: `node verdicts.mjs` checks corpus.json, with --write it is made
// anew from requests.json.
import { readFileSync, writeFileSync } from "node:fs";
import { buildSchema, getOperationAST, parse, validate } from "graphql";
import { getVariableValues } from "graphql/execution/values.js";

const here = new URL(".", import.meta.url);
const read = (name) => readFileSync(new URL(name, here), "utf8");
const schema = buildSchema(read("schema.graphql"));

function verdict({ query, variables, operationName }) {
  let document;
  try {
    document = parse(query);
  } catch {
    return "syntax";
  }
  if (validate(schema, document).length > 0) return "invalid";
  const operation = getOperationAST(document, operationName ?? undefined);
  if (!operation) return "variables";
  const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], variables ?? {});
  return errors ? "variables" : "valid";
}

const requests = JSON.parse(read("requests.json"));
const judged = requests.map((request) => ({ ...request, verdict: verdict(request) }));
const text = "[\n" + judged.map((request) => "  " + JSON.stringify(request)).join(",\n") + "\n]\n";
if (process.argv.includes("--write")) {
  writeFileSync(new URL("corpus.json", here), text);
} else if (read("corpus.json") !== text) {
  console.error("corpus.json is not what graphql-js says: run node verdicts.mjs --write");
  process.exit(1);
}
console.log(`${judged.length} requests judged`);
