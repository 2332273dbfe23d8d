// schema.graphql as a client's tools see it: everything is described, and every deprecation says why.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { buildSchema, isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType, isSpecifiedDirective, isSpecifiedScalarType, validateSchema } from "graphql";

const sdl = readFileSync(new URL("../../schema.graphql", import.meta.url), "utf8");
const schema = buildSchema(sdl);

function* parts() {
  for (const directive of schema.getDirectives().filter((directive) => !isSpecifiedDirective(directive))) {
    yield [`@${directive.name}`, directive];
  }
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || isSpecifiedScalarType(type)) continue;
    yield [type.name, type];
    if (isEnumType(type)) for (const value of type.getValues()) yield [`${type.name}.${value.name}`, value];
    if (!isObjectType(type) && !isInterfaceType(type) && !isInputObjectType(type)) continue;
    for (const field of Object.values(type.getFields())) {
      yield [`${type.name}.${field.name}`, field];
      for (const argument of field.args ?? []) yield [`${type.name}.${field.name}(${argument.name}:)`, argument];
    }
  }
}

test("the schema is valid", () => assert.deepEqual(validateSchema(schema), []));

test("every type, field, argument and value is described", () => {
  // The one argument of a mutation is described by its type.
  const silent = [...parts()]
    .filter(([name, part]) => !part.description?.trim() && !/^Mutation\.\w+\(input:\)$/.test(name))
    .map(([name]) => name);
  assert.deepEqual(silent, []);
});

test("every deprecation says what to use instead", () => {
  const unexplained = [...parts()]
    .filter(([, part]) => part.deprecationReason !== undefined && part.deprecationReason !== null)
    .filter(([, part]) => part.deprecationReason === "No longer supported")
    .map(([name]) => name);
  assert.deepEqual(unexplained, []);
});
