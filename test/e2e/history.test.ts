import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { Target } from "./attacks/target.js";
import { configContents, findLeaks } from "./leaks.js";
import { SECRETS } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, OPS_SCRIPTS } from "./workspace.js";

/** What was done to a stack, as its Swarm remembers it, and the way back. */

const swarm = useSwarm();
story();
let target: Target;

beforeAll(async () => {
  target = await Target.deploy("annals", [5000, 8080], swarm, { ui: { title: "First" } });
});

afterAll(() => target?.destroy());

interface Told {
  number: number;
  kind: string;
  by: string;
  note: string;
  config: string;
  images: Record<string, string>;
  generations: { people: number; machines: number };
}

async function history(): Promise<Told[]> {
  const run = await target.workspace.hephaestus(["history", "--json"]);
  expectOk(run);
  return (JSON.parse(run.stdout) as { records: Told[] }).records;
}

const title = async () => /<title>([^<]*)/.exec(await (await fetch(target.workspace.uiUrl)).text())?.[1];

test("deploys, rotations and deploy.sh leave who, when and what; a rollback brings a state back", async () => {
  const { workspace } = target;
  const compose = `${workspace.folder}/docker-compose.yml`;
  const text = await readFile(compose, "utf8");
  await writeFile(compose, text.replace("REGISTRY_TITLE: First", "REGISTRY_TITLE: By hand"));
  const deployed = await workspace.run("sh", [`${OPS_SCRIPTS}deploy.sh`, "annals", compose], {
    env: { HEPHAESTUS_RESOLVE_IMAGE: "never" },
  });
  expectOk(deployed);
  expect(await title()).toContain("By hand");
  await writeFile(compose, text);
  // Users change without a deploy: what runs goes on as it is.
  const rotated = await workspace.hephaestus([
    "user",
    "add",
    "ann",
    "--password-file",
    `${workspace.folder}/ann`,
  ]);
  expectOk(rotated);
  expect(await title()).toContain("By hand");

  const [first, byHand, rotation] = await history();
  expect(first).toMatchObject({ number: 1, kind: "deploy", generations: { people: 1, machines: 1 } });
  expect(byHand).toMatchObject({ number: 2, kind: "deploy", note: "deploy.sh", images: first?.images });
  expect(byHand?.config).not.toBe(first?.config);
  expect(rotation).toMatchObject({
    number: 3,
    kind: "rotate",
    config: byHand?.config,
    note: "new password of ann",
    generations: { people: 2, machines: 1 },
  });
  expect(rotation?.images.registry).toBe(swarm.images.registry);
  for (const record of [first, byHand, rotation]) expect(record?.by).toMatch(/^root@/);
  const { stdout: shown } = await workspace.hephaestus(["history"]);
  expect(shown).toMatch(
    /^3 +\d{4}-\d\d-\d\d \d\d:\d\d +rotate +root@\S+ +[0-9a-f]{12} +2 +new password of ann/m,
  );

  const dry = await workspace.hephaestus(["rollback", "--dry-run"]);
  expectOk(dry);
  expect(dry.all).toContain("First");
  expect((await history()).length).toBe(3);
  const back = await workspace.hephaestus(["rollback"]);
  expectOk(back);
  expect(await title()).toContain("First");
  // The users stay: nobody is removed by going back.
  expect((await history()).at(-1)).toMatchObject({
    number: 4,
    kind: "rollback",
    note: "to 1",
    config: first?.config,
    generations: { people: 2 },
  });
  expect((await workspace.hephaestus(["user", "list"])).stdout).toContain("ann");

  const further = await workspace.hephaestus(["rollback", "3"]);
  expectOk(further);
  expect(await title()).toContain("By hand");
  expect((await workspace.hephaestus(["rollback", "9"])).exitCode).toBe(ExitCode.usage);
});

test("no record holds a secret", async () => {
  const records = Object.keys(await configContents(target.workspace)).filter((name) =>
    name.includes("_history_"),
  );
  expect(records.length).toBe(5);
  const file = `${target.workspace.folder}/ann`;
  const password = await readFile(file, "utf8");
  const secrets = [...SECRETS, ...(await target.secrets()), password.trim()];
  expect(await findLeaks(target.workspace, secrets)).toEqual([file]);
});
