/** Which client can do what: each cell of the matrix is a real program against a real stack. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, describe, test } from "vitest";
import type { Client } from "./clients/client.js";
import { Skopeo, Store } from "./clients/containers.js";
import { CRANE, Crane } from "./clients/crane.js";
import { Ctr } from "./clients/ctr.js";
import { Curl } from "./clients/curl.js";
import { Docker } from "./clients/docker.js";
import { buildImages, type Images } from "./clients/images.js";
import { Oci } from "./clients/oci.js";
import { ORAS, Oras } from "./clients/oras.js";
import { COLUMNS, type Column, ROWS, type Row } from "./clients/rows.js";
import { Site } from "./clients/site.js";
import { useSwarm } from "./swarm.js";

const swarm = useSwarm();
const CLIENTS: Record<Column, (site: Site) => Client> = {
  docker: ({ workspace, images }) => new Docker(workspace, images),
  ctr: ({ workspace, images }) => new Ctr(workspace, images),
  podman: ({ workspace, images }) => new Store("podman", workspace, images),
  buildah: ({ workspace, images }) => new Store("buildah", workspace, images),
  skopeo: ({ workspace, images }) => new Skopeo(workspace, images),
  crane: ({ workspace, images }) => new Crane(workspace, images),
  oras: ({ workspace, images }) => new Oras(workspace, images),
  curl: ({ workspace, images }) => new Curl(workspace, images),
  oci: ({ workspace, images }) => new Oci(workspace, images),
};
const R = ROWS;
const STACKS: { title: string; registry: Record<string, unknown>; rows: Row[] }[] = [
  {
    title: "with `pull: anonymous` and `delete: true`",
    registry: { pull: "anonymous", delete: true },
    rows: [
      ...[R.anonymousPull, R.refusedPush, R.login, R.wrongPassword, R.push, R.big, R.mount, R.index],
      ...[R.digest, R.tags, R.catalog, R.anonymousCatalog, R.anonymousInspect, R.refer, R.deletion],
    ],
  },
  {
    title: "with `pull: authenticated` and `delete: false`",
    registry: { pull: "authenticated", delete: false },
    rows: [R.refusedPull, R.refusedPush, R.login, R.wrongPassword, R.push, R.pull, R.digest, R.noDeletion],
  },
];

let folder: string;
let images: Images;
const table: string[][] = [];

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/images-`);
  images = buildImages(folder);
});

afterAll(async () => {
  const versions = COLUMNS.filter((column) => column !== "oci").map(versionOf);
  const named = await Promise.all(versions);
  console.log(`${markdown(table)}\n\n${named.join(", ")}`);
  await rm(folder, { recursive: true, force: true });
});

describe.each(STACKS)("$title", ({ title, registry, rows }) => {
  let site: Site;
  const clients = new Map<Column, Client>();
  const lines: string[][] = rows.map((row) =>
    COLUMNS.map((column) => (row.clients.includes(column) ? "✗" : "-")),
  );

  beforeAll(async () => {
    site = await Site.deploy(swarm, images, registry);
    for (const column of COLUMNS) clients.set(column, CLIENTS[column](site));
  });

  afterAll(async () => {
    table.push([`**${title}**`, ...COLUMNS.map(() => "")]);
    for (const [number, { title }] of rows.entries()) table.push([title, ...(lines[number] ?? [])]);
    for (const client of clients.values()) await client.cleanUp();
    await site?.workspace.destroy();
  });

  for (const [place, column] of COLUMNS.entries()) {
    for (const [number, row] of rows.entries()) {
      if (!row.clients.includes(column)) continue;
      test(`${column}: ${row.title}`, async () => {
        const client = clients.get(column);
        if (client === undefined) throw new Error(`${column} was not made`);
        await row.cell(client, site);
        lines[number]?.splice(place, 1, "✓");
      });
    }
  }
});

async function versionOf(program: string): Promise<string> {
  const ofGo = { crane: CRANE, oras: ORAS } as Record<string, string>;
  // Docker's engine pushes and pulls, not its command.
  const args =
    program === "docker"
      ? ["version", "--format", "{{.Server.Version}}"]
      : [program in ofGo ? "version" : "--version"];
  const { stdout } = await execa(ofGo[program] ?? program, args);
  return `${program} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0]}`;
}

/** The table as it stands in the README. */
function markdown(lines: string[][]): string {
  const all = [["", ...COLUMNS], ...lines];
  const widths =
    all[0]?.map((_, place) => Math.max(3, ...all.map((line) => (line[place] ?? "").length))) ?? [];
  const text = (cells: string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = text(widths.map((width) => "-".repeat(width)));
  return [text(all[0] ?? []), rule, ...lines.map(text)].join("\n");
}
