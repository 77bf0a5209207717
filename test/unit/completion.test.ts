import { tmpdir } from "node:os";
import { execaSync } from "execa";
import { describe, expect, test } from "vitest";
import { type CommandTree, completionScript } from "../../src/terminal/completion.js";
import fc from "../support/properties.js";

const leaf = (name: string, ...flags: string[]): CommandTree => ({
  name,
  description: `the ${name}'s`,
  flags,
  commands: [],
});
const tree: CommandTree = {
  name: "forge",
  description: "",
  flags: ["--version"],
  commands: [
    leaf("deploy", "--json", "--json-lines", "--timeout"),
    { ...leaf("user", "--help"), commands: [leaf("add", "--output"), leaf("list")] },
  ],
};

/** What bash itself offers for a line that is being typed. */
function offered(line: string): string[] {
  const words = line.split(" ");
  const script = `${completionScript("bash", tree)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}
_forge; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execaSync("bash", ["--norc", "-c", script], { cwd: "/proc/self/fdinfo" })
    .stdout.split("\n")
    .filter(Boolean);
}

describe("bash completes", () => {
  test.each([
    ["commands", "forge ", ["deploy", "user", "--version"]],
    ["a command", "forge de", ["deploy"]],
    ["flags", "forge deploy --js", ["--json", "--json-lines"]],
    ["flags behind others", "forge deploy --timeout 9 --js", ["--json", "--json-lines"]],
    ["commands of commands", "forge user ", ["add", "list", "--help"]],
    ["their flags", "forge user add --o", ["--output"]],
    ["their flags behind a name", "forge user add user --o", ["--output"]],
  ])("%s", (_name, line, wanted) => {
    expect(offered(line)).toEqual(wanted);
  });
});

/** Whether a shell is there; where it is not, the tests with it are skipped and say so. */
const isInstalled = (shell: string): boolean => !execaSync(shell, ["--version"], { reject: false }).failed;

describe.skipIf(!isInstalled("fish"))("fish (skipped where it is not installed) completes", () => {
  test.each([
    ["commands", "forge ", ["deploy", "user"]],
    ["a command", "forge de", ["deploy"]],
    ["flags", "forge deploy --js", ["--json", "--json-lines"]],
    ["commands of commands", "forge user ", ["add", "list"]],
    ["their flags", "forge user add --o", ["--output"]],
  ])("%s", (_name, line, wanted) => {
    const script = `${completionScript("fish", tree)}\ncomplete -C '${line}'`;
    const { stdout } = execaSync("fish", ["--no-config", "-c", script], { cwd: tmpdir() });
    expect(stdout.split("\n").map((offer) => offer.split("\t")[0])).toEqual(wanted);
  });
});

test.skipIf(!isInstalled("zsh"))("zsh (skipped where it is not installed) reads its script", () => {
  const script = `autoload -Uz compinit && compinit -D -u\n${completionScript("zsh", tree)}\nprint $_comps[forge]`;
  const { stdout } = execaSync("zsh", ["-f"], { input: script });
  expect(stdout).toContain("_bash_complete -F _forge");
});

test("every shell's script names every command", () => {
  const name = fc.stringMatching(/^[a-z][a-z-]{0,8}$/);
  fc.assert(
    fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 5 }), (names) => {
      for (const shell of ["bash", "zsh", "fish"] as const) {
        const script = completionScript(shell, { ...tree, commands: names.map((each) => leaf(each, "--x")) });
        for (const each of names) expect(script).toContain(each);
      }
    }),
    { numRuns: 50 },
  );
});
