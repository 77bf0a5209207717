import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadTemplates } from "../../src/render/templates.js";

/** The lines that fetch the program file, run as they are, with a curl that has the files of a release. */

const NAME = "hephaestus-linux-x64";
let folder: string;
beforeEach(async () => {
  folder = mkdtempSync(`${tmpdir()}/fetch-`);
  for (const name of ["release", "bin", "here"]) mkdirSync(`${folder}/${name}`);
  writeFileSync(`${folder}/release/${NAME}`, "#!/bin/sh\necho it runs\n");
  writeFileSync(`${folder}/release/hephaestus-linux-arm64`, "another");
  const sums = await execa("sha256sum", [NAME, "hephaestus-linux-arm64"], { cwd: `${folder}/release` });
  writeFileSync(`${folder}/release/SHA256SUMS`, `${sums.stdout}\n`);
  const curl = `for word; do case $word in https://*/releases/*) cp "${folder}/release/\${word##*/}" . ;; esac; done`;
  writeFileSync(`${folder}/bin/curl`, `#!/bin/sh\n${curl}\n`, { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true }));

type Job = { steps: { name?: string; run?: string }[] };
const { jobs } = parse(loadTemplates().ciActions) as { jobs: Record<string, Job> };
const inWorkflow = (job: string) =>
  (jobs[job]?.steps.find(({ name }) => name === "Fetch hephaestus")?.run ?? "").replaceAll(
    "RELEASE/",
    "https://github.com/o/n/releases/download/v1/",
  );
describe.each([
  ["the job check", inWorkflow("check"), "program/hephaestus"],
  ["the job maintain", inWorkflow("maintain"), "program/hephaestus"],
])("%s", (_, script, program) => {
  const run = () => {
    const env = { PATH: `${folder}/bin:${process.env.PATH}` };
    return execa("bash", ["-ec", script], { cwd: `${folder}/here`, env, reject: false, all: true });
  };

  test("installs the program file", async () => {
    const { exitCode, all } = await run();
    expect(exitCode, all).toBe(0);
    expect((await execa(`${folder}/here/${program}`)).stdout).toBe("it runs");
  });

  test("installs no other file", async () => {
    writeFileSync(`${folder}/release/${NAME}`, "#!/bin/sh\necho harm\n");
    expect((await run()).exitCode).not.toBe(0);
    expect(existsSync(`${folder}/here/${program}`)).toBe(false);
  });
});
