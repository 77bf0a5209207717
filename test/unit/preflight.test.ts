import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { preflight } from "../../src/deploy/preflight.js";
import { ExitCode, OperatorError } from "../../src/errors.js";
import type { Session } from "../../src/session.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";
import { silentReporter } from "../support/silentReporter.js";
import { node } from "./swarmObjects.js";

/** What stops a deploy before it changes anything. */

const { config } = loadConfig("domain: a.example\nexpose: ports\nstack: forge", "f", {});

/** What docker prints. */
type Command = Parameters<FakeEngine["docker"]>[1];

const sound: Command = ([verb]) =>
  verb === "context" ? "ssh://far" : '{"Version":"28.0.0","ApiVersion":"1.48"}';

/** What a deploy without a password says on an engine, with its exit code. */
async function obstacles(
  engine: FakeEngine,
  onCall?: () => void,
  command = sound,
): Promise<[ExitCode, string]> {
  const docker = engine.docker(onCall, command);
  const options = { folder: "/nonexistent", hostSetup: false, dryRun: false };
  const files = [{ path: "docker-compose.yml", text: "services: {}\n" }];
  const { signal } = new AbortController();
  const session = { config, docker, files, signal, reporter: silentReporter, environment: {}, options };
  const error = await preflight(session as unknown as Session, {}).catch((failure: OperatorError) => failure);
  if (!(error instanceof OperatorError)) throw error;
  return [error.exitCode, `${error.where}: ${error.message}`];
}

test("obstacles of the files, the Swarm and the users are told at once, each with its code and its remedy", async () => {
  const [code, text] = await obstacles(new FakeEngine({ nodes: [] }));
  expect(code).toBe(ExitCode.preflight);
  expect(text).toMatch(/^preflight found 3 obstacles/);
  expect(text).toContain("docker-compose.yml: not there yet [files-missing]");
  expect(text).toMatch(/no ready node fits .* \[no-node-fits\]/);
  expect(text).toContain("nobody to ask for one [password-not-given]");
  expect(text).toContain("Write them with: hephaestus render");
});

test("an engine that does not answer hides no obstacle of the files", async () => {
  const [code, text] = await obstacles(new FakeEngine(), () => {
    throw new OperatorError("Cannot connect", {
      where: "docker",
      remedy: "Start Docker.",
      exitCode: ExitCode.docker,
    });
  });
  expect(code).toBe(ExitCode.preflight);
  expect(text).toMatch(/^preflight found 2 obstacles/);
  expect(text).toMatch(/\[docker-silent\]\n.*Cannot connect\n.*Start Docker\./);
});

test("a docker command that the engine refuses is an obstacle with both versions", async () => {
  const engine = new FakeEngine({ nodes: [node("n1")] });
  const version =
    '{"Version":"29.2.0","ApiVersion":"1.54","MinAPIVersion":"1.44","Os":"linux","Arch":"amd64"}';
  engine.trouble = (asked) => (asked === "GET /version" ? { status: 200, body: version } : undefined);
  const refusal =
    "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44";
  const [code, text] = await obstacles(engine, undefined, (args) =>
    args[0] === "version"
      ? { exitCode: 1, stdout: '{"Version":"20.10.24","ApiVersion":"1.41"}\n', stderr: refusal }
      : sound(args),
  );
  expect(code).toBe(ExitCode.preflight);
  expect(text).toMatch(
    /command line 20\.10\.24 is too old \[client-too-old\]\n.*client version 1\.41 is too old/,
  );
  expect(text).toContain("command line 25.0 or newer");
});

test("what cannot be checked stops a deploy", async () => {
  const engine = new FakeEngine({ nodes: [node("n1")] });
  engine.trouble = (asked) => (asked.startsWith("GET /configs") ? refused(500, "boom") : undefined);
  const [code, text] = await obstacles(engine);
  expect(code).toBe(ExitCode.preflight);
  expect(text).toMatch(/could not be checked: name of the stack \[not-checked\]\n.*boom/);
});
