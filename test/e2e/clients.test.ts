/** Which client can do what: each cell of the matrix is a real program against a real stack. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, describe, test } from "vitest";
import { RELEASE } from "../support/currentDebian.js";
import type { Client } from "./clients/client.js";
import { Skopeo, Store } from "./clients/containers.js";
import { Cosign } from "./clients/cosign.js";
import { CRANE, Crane } from "./clients/crane.js";
import { Ctr } from "./clients/ctr.js";
import { Curl } from "./clients/curl.js";
import { Docker } from "./clients/docker.js";
import { buildImages, type Images } from "./clients/images.js";
import { Oci } from "./clients/oci.js";
import { ORAS, Oras } from "./clients/oras.js";
import { type Release, startCurrentRelease, thisMachine } from "./clients/release.js";
import { COLUMNS, type Column, CURRENT_COLUMNS, ROWS, type Row } from "./clients/rows.js";
import { messageTable, RULE_ROWS, RULES } from "./clients/ruleRows.js";
import { Site } from "./clients/site.js";
import type { Changes } from "./stack.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
const CLIENTS: Record<Column, (site: Pick<Site, "workspace" | "images">, release: Release) => Client> = {
  docker: ({ workspace, images }, release) => new Docker(workspace, images, release),
  ctr: ({ workspace, images }, release) => new Ctr(workspace, images, release),
  podman: ({ workspace, images }, release) => new Store("podman", workspace, images, release),
  buildah: ({ workspace, images }, release) => new Store("buildah", workspace, images, release),
  skopeo: ({ workspace, images }, release) => new Skopeo(workspace, images, release),
  crane: ({ workspace, images }, release) => new Crane(workspace, images, release),
  oras: ({ workspace, images }, release) => new Oras(workspace, images, release),
  cosign: ({ workspace }, release) => new Cosign(workspace, release),
  curl: ({ workspace, images }, release) => new Curl(workspace, images, release),
  oci: ({ workspace, images }, release) => new Oci(workspace, images, release),
};
/** The columns of the table: the clients of this machine, then those of the current Debian release. */
const TABLE: { title: string; column: Column; current: boolean }[] = [
  ...COLUMNS.map((column) => ({ title: column, column, current: false })),
  ...CURRENT_COLUMNS.map((column) => ({ title: `${column}-${RELEASE}`, column, current: true })),
];
const R = ROWS;
const STACKS: { title: string; changes: Changes; rows: Row[] }[] = [
  {
    title: "with `pull: anonymous` and `delete: true`",
    changes: { registry: { pull: "anonymous", delete: true } },
    rows: [
      ...[R.anonymousPull, R.refusedPush, R.login, R.wrongPassword, R.push, R.big, R.large, R.mount, R.index],
      ...[
        R.digest,
        R.tags,
        R.catalog,
        R.anonymousCatalog,
        R.anonymousInspect,
        R.refer,
        R.build,
        R.sign,
        R.deletion,
        R.slow,
      ],
    ],
  },
  {
    title: "with `pull: authenticated` and `delete: false`",
    changes: { registry: { pull: "authenticated", delete: false } },
    rows: [R.refusedPull, R.refusedPush, R.login, R.wrongPassword, R.push, R.pull, R.digest, R.noDeletion],
  },
  {
    title: "with rules for repositories",
    changes: { root: RULES, registry: { delete: true } },
    rows: Object.values(RULE_ROWS),
  },
];

let folder: string;
let images: Images;
let current: Awaited<ReturnType<typeof startCurrentRelease>>;
const table: string[][] = [];
const releaseOf = (isCurrent: boolean): Release =>
  isCurrent ? current.release : thisMachine(swarm.dockerHost);

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/images-`);
  images = buildImages(folder);
  current = await startCurrentRelease(tmpdir());
});

afterAll(async () => {
  const versions = TABLE.filter(({ column }) => column !== "oci").map(versionOf);
  const named = await Promise.all(versions);
  console.log(
    `${markdown(table)}\n\n${named.join(", ")}\n\n${messageTable(TABLE.map(({ title }) => title))}`,
  );
  await current.stop();
  // Two engines in one network namespace: the other one still has its own bridge.
  await execa("docker", ["run", "--rm", swarm.images.hello]);
  await rm(folder, { recursive: true, force: true });
});

describe.each(STACKS.map((stack, number) => ({ ...stack, number })))("$title", ({
  title,
  changes,
  rows,
  number,
}) => {
  let site: Site;
  const clients = new Map<string, Client>();
  const asked = (row: Row, { column, current }: (typeof TABLE)[number]) =>
    row.clients.includes(column) && (current || row.current !== true);
  const lines: string[][] = rows.map((row) => TABLE.map((one) => (asked(row, one) ? "✗" : "-")));

  beforeAll(async () => {
    site = await Site.deploy(swarm, images, changes, number);
    for (const { title, column, current } of TABLE)
      clients.set(title, CLIENTS[column](site, releaseOf(current)));
    const slow = TABLE.filter((one) => rows.includes(R.slow) && asked(R.slow, one));
    await site.pushSlowly((workspace) =>
      slow.map(({ column, current }) => CLIENTS[column]({ workspace, images }, releaseOf(current))),
    );
  });

  afterAll(async () => {
    table.push([`**${title}**`, ...TABLE.map(() => "")]);
    for (const [number, { title }] of rows.entries()) table.push([title, ...(lines[number] ?? [])]);
    await site?.close(async () => {
      for (const client of clients.values()) await client.cleanUp();
    });
  });

  const cells = [...TABLE.entries()].flatMap(([place, one]) =>
    [...rows.entries()]
      .filter(([, row]) => asked(row, one))
      .map(([number, row]) => ({ place, one, number, row })),
  );
  const late = cells.filter(({ row }) => row.late);
  for (const { place, one, number, row } of [...cells.filter(({ row }) => !row.late), ...late]) {
    test(`${one.title}: ${row.title}`, async () => {
      const client = clients.get(one.title);
      if (client === undefined) throw new Error(`${one.title} was not made`);
      await row.cell(client, site);
      lines[number]?.splice(place, 1, "✓");
    });
  }
});

async function versionOf({ title, column, current }: (typeof TABLE)[number]): Promise<string> {
  const { enter, dockerHost } = releaseOf(current);
  // Docker's engine pushes and pulls, not its command.
  const asked: Partial<Record<Column, string[]>> = {
    docker: ["docker", "--host", dockerHost, "version", "--format", "{{.Server.Version}}"],
    cosign: ["dpkg-query", "--show", "cosign"],
    crane: [CRANE, "version"],
    oras: [ORAS, "version"],
  };
  const [program = "", ...args] = [...enter, ...(asked[column] ?? [column, "--version"])];
  const { stdout } = await execa(program, args);
  return `${title} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0]}`;
}

/** The table as it stands in the README. */
function markdown(lines: string[][]): string {
  const all = [["", ...TABLE.map(({ title }) => title)], ...lines];
  const widths =
    all[0]?.map((_, place) => Math.max(3, ...all.map((line) => (line[place] ?? "").length))) ?? [];
  const text = (cells: string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = text(widths.map((width) => "-".repeat(width)));
  return [text(all[0] ?? []), rule, ...lines.map(text)].join("\n");
}
