// What npm would publish is whole.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (name) => readFileSync(root + name, "utf8");
const windows = process.platform === "win32"; // where npm is a batch file
const [pack] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: root, encoding: "utf8", shell: windows }));
const files = pack.files.map(({ path }) => path);

test("the package has all that it names, and no tests", () => {
  for (const name of ["LICENSE", "README.md", "package.json", "stage.js", "stage.d.ts"]) assert.ok(files.includes(name), name);
  for (const name of files.filter((f) => f.endsWith(".js"))) {
    for (const [, imported] of read(name).matchAll(/from "\.\/([^"]+)"/g)) assert.ok(files.includes(imported), `${name} imports ${imported}`);
  }
  assert.deepEqual(files.filter((f) => f.includes("/")), []);
});

test("the licence is that of the project", () => assert.equal(read("LICENSE"), read("../../LICENSE")));

test("the README leads nowhere that is not published", () => {
  const links = [...read("README.md").matchAll(/\]\(([^)]+)\)/g)].map(([, to]) => to);
  assert.deepEqual(links.filter((to) => !/^(https?:|#)/.test(to)), []);
});
