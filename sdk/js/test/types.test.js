// What stage.d.ts says is what the code has, and what it lets an application do.
// TypeScript is not part of the module: where it is not installed beside the
// end-to-end tests, this is skipped.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as code from "../stage.js";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));
let ts;
try { ts = createRequire(path("../../../e2e/js/"))("typescript"); } catch (error) {
  if (process.env.CALLBOARD_E2E === "all") throw error;
}
const skip = ts ? false : "TypeScript is not installed";

const options = { strict: true, noEmit: true, target: 9, module: 199, moduleResolution: 99, lib: ["lib.es2022.d.ts", "lib.dom.d.ts"], types: [] };
const program = ts?.createProgram([path("usage.ts")], options);
const checker = program?.getTypeChecker();

/** The exported values, by name: { type, symbol }. */
function declared() {
  const file = program.getSourceFile(path("../stage.d.ts"));
  return new Map(checker.getExportsOfModule(checker.getSymbolAtLocation(file))
    .filter((s) => s.flags & ts.SymbolFlags.Value)
    .map((s) => [s.name, s]));
}

test("an application is checked strictly against the types", { skip }, () => {
  const found = ts.getPreEmitDiagnostics(program).map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n"));
  assert.deepEqual(found, []);
});

test("the types declare all that the module exports, and nothing else", { skip }, () => {
  assert.deepEqual([...declared().keys()].sort(), Object.keys(code).sort());
});

test("the values of the words are the declared ones", { skip }, () => {
  for (const [name, symbol] of declared()) {
    if (typeof code[name] === "function") continue;
    const type = checker.getTypeOfSymbol(symbol);
    const values = type.getProperties().map((p) => [p.name, checker.getTypeOfSymbol(p).value]);
    assert.deepEqual(Object.fromEntries(values), { ...code[name] }, name);
  }
});

const camera = { kind: "video", id: "v", enabled: true };
const token = `e30.${btoa(JSON.stringify({ jti: "p", topic: "s", whip_url: "http://x", events_url: "ws://x" }))}.x`;
const things = {
  Stage: () => new code.Stage(token, {}),
  StageError: () => new code.StageError("FAILED", "JOIN_ERROR", "why"),
  LocalStageStream: () => new code.LocalStageStream(camera),
  StageStream: () => new code.StageStream(camera, false),
};

test("the members of the classes are the declared ones", { skip }, () => {
  for (const [name, symbol] of declared()) {
    if (typeof code[name] !== "function") continue;
    const members = checker.getDeclaredTypeOfSymbol(symbol).getProperties()
      .filter((p) => p.parent === symbol).map((p) => p.name).sort();
    const thing = things[name]();
    const there = new Set([...Object.getOwnPropertyNames(code[name].prototype), ...Object.keys(thing)]);
    there.delete("constructor");
    assert.deepEqual(members, [...there].sort(), name);
  }
});
