import { cpus } from "node:os";
import bcrypt from "bcryptjs";
import { test } from "vitest";
import { push, putManifest, type Rate, randomBlob, rate } from "../test/e2e/load.js";
import { DEPLOY, writeConfig } from "../test/e2e/stack.js";
import { useSwarm } from "../test/e2e/swarm.js";
import { Workspace } from "../test/e2e/workspace.js";
import { basicValue } from "../test/support/basic.js";

/**
 * Prints what rules cost: a gateway with 200 rules and 50 users beside one without. The repository that is asked for matches the last
 * rule. Asserts nothing about time. Run with: npm run bench:rules
 */

const PASSWORD = "Anvil-and-hammer-7";
const ROUNDS = 7;
const LOAD = { connections: 32, seconds: 4 };
const USERS = Array.from({ length: 50 }, (_, index) => `smith-${index}`);
const ENV = {
  REGISTRY_HTPASSWD: USERS.map((user) => `${user}:${bcrypt.hashSync(PASSWORD, 4)}\n`).join(""),
  REGISTRY_USERNAME: "smith-0",
  REGISTRY_RAW_PASSWORD: PASSWORD,
};
const AUTHORIZATION = { authorization: basicValue("smith-0", PASSWORD) };
const RULES = {
  access: [
    ...Array.from({ length: 199 }, (_, index) => ({
      repositories: [`team-${index}/**`],
      pull: USERS.slice(index % 25, (index % 25) + 25),
    })),
    { repositories: ["bench/*"], pull: "anonymous", push: USERS },
  ],
};

test("a gateway with rules against one without", { timeout: 600_000 }, async () => {
  const swarm = useSwarm();
  const plain = await Workspace.create("plain", 5000, 8080);
  const ruled = await Workspace.create("ruled", 5001, 8081);
  try {
    const rates = new Map<string, Rate[]>();
    const places: [string, string, string][] = [];
    for (const [name, workspace, root] of [
      ["without", plain, {}],
      ["with", ruled, RULES],
    ] as const) {
      await writeConfig(workspace, swarm, { root, ui: { enabled: false } });
      await workspace.hephaestus(["render"]);
      const run = await workspace.hephaestus(DEPLOY, { env: ENV });
      if (run.exitCode !== 0) throw new Error(run.all);
      const url = workspace.registryUrl;
      const layer = [randomBlob(1000)];
      await push(url, "bench/small", layer, AUTHORIZATION);
      const accept = await putManifest(url, "bench/small", layer, AUTHORIZATION);
      const manifest = `${url}/v2/bench/small/manifests`;
      const { headers } = await fetch(`${manifest}/latest`, { headers: { accept } });
      places.push([name, `${manifest}/latest`, accept]);
      places.push([`${name}, by digest`, `${manifest}/${headers.get("docker-content-digest")}`, accept]);
    }
    for (let round = 0; round < ROUNDS; round++)
      for (const [name, url, accept] of round % 2 === 0 ? places : [...places].reverse())
        for (const [who, headers] of [
          ["anonymous", {}],
          ["a user", AUTHORIZATION],
        ] as const) {
          const key = `${who} ${name}`;
          rates.set(key, [...(rates.get(key) ?? []), await rate(url, { accept, ...headers }, LOAD)]);
        }
    const median = (key: string): Rate =>
      [...(rates.get(key) ?? [])].sort((a, b) => a.p50 - b.p50)[Math.floor(ROUNDS / 2)] as Rate;
    const rows = ["anonymous", "a user"].flatMap((who) =>
      ["", ", by digest"].map((how) => {
        const [without, with200] = [median(`${who} without${how}`), median(`${who} with${how}`)];
        const text = ({ p50, perSecond }: Rate) => `${p50.toFixed(2)} ms, ${perSecond.toFixed(0)}/s`;
        return `| manifest${how}, ${who} | ${text(with200)} | ${text(without)} | ${(with200.p50 / without.p50).toFixed(2)} |`;
      }),
    );
    const head = [
      "| p50 and requests per second | 200 rules | no rules | ratio of p50 |",
      "| --- | --- | --- | --- |",
    ];
    console.log(
      [`${cpus().length} cores, ${ROUNDS} rounds in turn, medians`, "", ...head, ...rows].join("\n"),
    );
  } finally {
    await ruled.destroy();
    await plain.destroy();
  }
});
