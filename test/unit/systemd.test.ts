import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { installUnits } from "../../src/host/systemd.js";

let folder: string;
const path = process.env.PATH;
const units = [
  { path: "forge-maintain.service", text: "[Service]\n" },
  { path: "forge-maintain.timer", text: "[Timer]\n" },
];

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/systemd-`);
  process.env.PATH = folder;
});

afterEach(() => {
  process.env.PATH = path;
  rmSync(folder, { recursive: true });
});

/** A systemctl that notes its arguments, and fails where one of them is the given word. */
function fakeSystemctl(failsAt = "nothing"): void {
  const script = `#!/bin/sh\necho "$*" >>${folder}/calls\ncase "$1" in ${failsAt}) echo "Access denied" >&2; exit 4 ;; esac\n`;
  writeFileSync(`${folder}/systemctl`, script);
  chmodSync(`${folder}/systemctl`, 0o755);
}

test("units are written before systemd is told to read them and to start the timer", async () => {
  fakeSystemctl();
  await installUnits(units, `${folder}/units`);
  expect(readdirSync(`${folder}/units`).sort()).toEqual(["forge-maintain.service", "forge-maintain.timer"]);
  expect(readFileSync(`${folder}/calls`, "utf8").split("\n")).toEqual([
    "--version",
    "daemon-reload",
    "enable --now forge-maintain.timer",
    "",
  ]);
});

test("without systemd nothing is written", async () => {
  await expect(installUnits(units, `${folder}/units`)).rejects.toThrow("this machine has no systemd");
  expect(readdirSync(folder)).toEqual([]);
});

test("what systemd refuses is said in its words", async () => {
  fakeSystemctl("daemon-reload");
  await expect(installUnits(units, `${folder}/units`)).rejects.toThrow("Access denied");
});
