import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ExitCode } from "../../src/errors.js";
import { HEPHAESTUS, Terminal, type TerminalSettings } from "../support/terminal.js";

/** The questions of `init`, asked on a terminal and answered with its keys. */

const ENTER = "\r";
const DOWN = "\x1b[B";
const CTRL_C = "\x03";

/** A docker on another machine, whose `system dial-stdio` leads to a Swarm of two managers with a Traefik 2. */
const SWARM = `#!${process.execPath}
if (process.argv[2] === "context") {
  console.log("ssh://far");
  process.exit();
}
const nodes = ["anvil", "bellows"].map((Hostname, index) => ({
  ID: \`n\${index}\`,
  Spec: { Role: "manager", Availability: "active" },
  Description: { Hostname },
  Status: { State: "ready" },
}));
const traefik = {
  ID: "s1",
  Version: { Index: 1 },
  Spec: {
    Name: "edge_traefik",
    Mode: {},
    TaskTemplate: { ContainerSpec: { Image: "traefik:v2.11" }, Networks: [{ Target: "net1" }] },
  },
};
const answers = {
  version: { ApiVersion: "1.41" },
  info: {
    SystemTime: "",
    DockerRootDir: "",
    Swarm: { LocalNodeState: "active", ControlAvailable: true, NodeID: "n0", NodeAddr: "" },
  },
  services: [traefik],
  networks: [{ Id: "net1", Name: "proxy", Scope: "swarm", Driver: "overlay" }],
  nodes,
};
require("node:http")
  .createServer(({ url }, answer) => answer.end(JSON.stringify(answers[/[^/?]+(?=[?]|$)/.exec(url)[0]])))
  .emit("connection", require("node:stream").Duplex.from({ readable: process.stdin, writable: process.stdout }));
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "questions-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function init(args: readonly string[], { env, ...settings }: Partial<TerminalSettings> = {}): Terminal {
  return Terminal.open([...HEPHAESTUS, "init", ...args], {
    cwd: folder,
    env: { DOCKER_HOST: "unix:///nonexistent", DOMAIN_NAME: "", ...env },
    ...settings,
  });
}

const written = () => parse(readFileSync(join(folder, "hephaestus.yaml"), "utf8")) as Record<string, unknown>;

describe.skipIf(process.platform !== "linux")("init asks on a terminal", () => {
  test("each question once, again where the answer will not do, and writes what was answered", async () => {
    const terminal = init([]);
    await terminal.answer(/Your domain/, `not a domain${ENTER}`);
    await terminal.answer(/not a domain.*domain/s, `${"\x7f".repeat(12)}example.org${ENTER}`);
    await terminal.answer(/Folder for the images.*\/mnt\/storage\/registry/s, `-2${ENTER}`);
    await terminal.answer(/Your Traefik/, `${DOWN}${ENTER}`);
    await terminal.answer(/Overlay network of Traefik.*aether-net/s, ENTER);
    await terminal.answer(/Who can browse.*everybody.*Authelia.*nobody/s, `${DOWN}${ENTER}`);
    const { exitCode, text, restored } = await terminal.end();
    expect(exitCode, text).toBe(ExitCode.ok);
    expect(restored).toBe(true);
    expect(text).toContain("wrote hephaestus.yaml");
    expect(text).not.toContain("Node that holds the images");
    expect(written()).toMatchObject({
      domain: "example.org",
      registry: { storage: { path: "/mnt/storage/registry-2" } },
      traefik: { version: 2, network: "aether-net" },
      ui: { access: "sso" },
    });
  });

  test("for the node where the Swarm has several, with what runs there as defaults, and for nothing that a flag answers", async () => {
    writeFileSync(join(folder, "docker"), SWARM, { mode: 0o755 });
    const terminal = init(["--storage", "/srv/images", "--ui", "none"], {
      env: { PATH: `${folder}:${process.env.PATH}`, DOMAIN_NAME: "example.net" },
    });
    await terminal.answer(/Your domain.*\$\{DOMAIN_NAME\}/s, ENTER);
    await terminal.answer(/Node that holds the images.*anvil.*bellows/s, `${DOWN}${ENTER}`);
    await terminal.answer(/Your Traefik/, ENTER);
    await terminal.answer(/Overlay network of Traefik.*proxy/s, ENTER);
    const { exitCode, text } = await terminal.end();
    expect(exitCode, text).toBe(ExitCode.ok);
    expect(text).toContain("found Traefik, as the service edge_traefik: version 2, network proxy");
    expect(text.match(/◇/g)).toHaveLength(4);
    expect(written()).toMatchObject({
      domain: "${DOMAIN_NAME}",
      registry: {
        storage: { path: "/srv/images" },
        placement: { constraints: ["node.hostname == bellows"] },
      },
      traefik: { version: 2, network: "proxy" },
      ui: { enabled: false },
    });
  });

  test.each([
    ["text", [], /Your domain/],
    ["choice", ["--domain", "example.com", "--storage", "/srv/images"], /Your Traefik/],
  ] as const)("and Ctrl-C at a question for a %s ends it with nothing written", async (_, flags, question) => {
    const terminal = init(flags);
    await terminal.answer(question, CTRL_C);
    const { exitCode, text, restored } = await terminal.end();
    expect(exitCode, text).toBe(ExitCode.interrupted);
    expect(text).toContain("Nothing was written.");
    expect(restored).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("that has no size, one line for each question", async () => {
    const terminal = init([], { size: [0, 0] });
    await terminal.answer(/Your domain \(the registry will be at registry\.<domain>\)\n/, CTRL_C);
    expect((await terminal.end()).exitCode).toBe(ExitCode.interrupted);
  });
});
