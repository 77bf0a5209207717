/** The rows of the matrix: what is asked of a client, and which clients have a command for it. */

import { expect } from "vitest";
import type { Run } from "../workspace.js";
import { expectOk } from "../workspace.js";
import { atOnce, type Client } from "./client.js";
import { type Image, MEDIA, PLATFORMS, TAG } from "./images.js";
import { pushLayout } from "./oci.js";
import { SEED, type Site } from "./site.js";

export const COLUMNS = [
  "docker",
  "ctr",
  "podman",
  "buildah",
  "skopeo",
  "crane",
  "oras",
  "curl",
  "oci",
] as const;
/** Columns of the current Debian release, beside those of this machine. */
export const CURRENT_COLUMNS = ["docker", "ctr", "podman", "buildah", "skopeo", "cosign"] as const;
export type Column = (typeof COLUMNS)[number] | (typeof CURRENT_COLUMNS)[number];

export interface Row {
  title: string;
  /** Who has a command for it. */
  clients: readonly Column[];
  cell: (client: Client, site: Site) => Promise<void>;
  /** Only those of the current release can do it. */
  current?: true;
  /** It has begun with the stack, and takes so long that the others go first. */
  late?: true;
}

/** ctr shows the status alone. */
const REFUSED = /log in first|unauthorized|authentication required|403 Forbidden/i;
const WRONG = /wrong user name or password|unauthorized|invalid username/i;

export function fails(run: Run, message: RegExp): void {
  expect(run.exitCode, run.all).not.toBe(0);
  expect(run.all).toMatch(message);
}

async function pushWhole(client: Client, site: Site, image: Image): Promise<void> {
  await client.load(image);
  expectOk(await client.push("smith", image, `${client.title}/${image.name}:1`));
  const { body } = await site.oci.manifest(`${client.title}/${image.name}`, TAG);
  const { layers } = JSON.parse(String(body)) as { layers: { size: number }[] };
  expect(layers).toHaveLength(image.layers);
  expect(layers.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(image.bytes);
}

/** Every row; which ones are asked depends on the stack. */
export const ROWS = {
  anonymousPull: {
    title: "pull without a login",
    clients: COLUMNS,
    cell: async (client) => expectOk(await client.pull("nobody", SEED)),
  },
  refusedPull: {
    title: "pull without a login is refused",
    clients: COLUMNS,
    cell: async (client) => fails(await client.pull("nobody", SEED), REFUSED),
  },
  refusedPush: {
    title: "push without a login is refused in 2 s",
    clients: COLUMNS,
    cell: async (client, site) => {
      await client.load(site.images.small);
      const name = `${client.title}/refused:1`;
      fails(await atOnce(() => client.push("nobody", site.images.small, name)), REFUSED);
      expect(site.holds(`${client.title}/refused`)).toBe(false);
    },
  },
  login: {
    title: "login",
    clients: [...COLUMNS.filter((column) => column !== "ctr"), "cosign"],
    cell: async (client) => expectOk(await client.login("smith")),
  },
  wrongPassword: {
    title: "wrong password is refused",
    clients: COLUMNS,
    cell: async (client, site) => {
      const name = `${client.title}/wrong:1`;
      // These two have no command that tries a login.
      const run = ["ctr", "crane"].includes(client.program)
        ? client.push("impostor", site.images.small, name)
        : client.login("impostor");
      fails(await run, WRONG);
      expect(site.holds(`${client.title}/wrong`)).toBe(false);
    },
  },
  push: {
    title: "push",
    clients: COLUMNS,
    cell: async (client, site) => {
      expectOk(await client.push("smith", site.images.small, `${client.title}/small:1`));
      const { body } = await site.oci.manifest(`${client.title}/small`, TAG);
      expect(JSON.parse(String(body)).layers).toHaveLength(site.images.small.layers);
    },
  },
  pull: {
    title: "pull",
    clients: COLUMNS,
    cell: async (client) => expectOk(await client.pull("smith", SEED)),
  },
  digest: {
    title: "pull by digest",
    clients: COLUMNS,
    cell: async (client, site) =>
      expectOk(await client.pull("smith", `library/seed@${site.images.seed.root.digest}`)),
  },
  // Each library has its own way to send a layer that does not fit into one piece, and each program its own for many of them.
  big: {
    title: "push of 500 MB in 5 layers",
    clients: ["docker"],
    cell: (client, site) => pushWhole(client, site, site.images.big),
  },
  large: {
    title: "push of a layer of 50 MB",
    clients: COLUMNS.filter((column) => column !== "docker"),
    cell: (client, site) => pushWhole(client, site, site.images.large),
  },
  slow: {
    title: "push of a layer that takes longer than a token lasts",
    clients: COLUMNS.filter((column) => column !== "oci"),
    late: true,
    cell: async (client, site) => {
      expectOk(await (site.slowPushes.get(client.title) as Promise<Run>));
      const { body } = await site.oci.manifest(`slow/${client.title}`, TAG);
      expect(JSON.parse(String(body)).layers).toHaveLength(site.images.small.layers);
    },
  },
  mount: {
    title: "mount from another repository",
    clients: COLUMNS,
    cell: async (client, site) => {
      const [from, to] = [`${client.title}/small`, `${client.title}/mounted`];
      expectOk(await client.mount("smith", site.images.small, from, `${to}:1`));
      expect(await site.digestOf(`${to}:1`)).toBe(await site.digestOf(`${from}:1`));
      await expect.poll(() => site.mounted(to)).toBeGreaterThanOrEqual(site.images.small.layers);
    },
  },
  index: {
    title: "index for two platforms",
    clients: COLUMNS,
    cell: async (client, site) => {
      const repository = `${client.title}/multi`;
      expectOk(await client.pushIndex("smith", `${repository}:1`));
      const { body } = await site.oci.manifest(repository, TAG);
      const { mediaType, manifests } = JSON.parse(String(body));
      expect([MEDIA.index, MEDIA.dockerIndex]).toContain(mediaType);
      const found = manifests.map((one: { platform: { architecture: string } }) => one.platform.architecture);
      expect(found).toEqual(PLATFORMS);
      expectOk(await client.pullIndex("smith", `${repository}:1`));
    },
  },
  tags: {
    title: "list of tags",
    clients: ["podman", "skopeo", "crane", "oras", "curl", "oci"],
    cell: async (client, site) => {
      for (const tag of ["one", "two"])
        await pushLayout(site.oci, site.images.parts.amd64, `${client.title}/tags:${tag}`);
      const run = await client.tags("smith", `${client.title}/tags`);
      expectOk(run);
      expect(run.stdout).toMatch(/\bone\b.*\btwo\b/s);
    },
  },
  catalog: {
    title: "catalog",
    clients: ["podman", "crane", "oras", "curl", "oci"],
    cell: async (client) => {
      const run = await client.catalog("smith");
      expectOk(run);
      expect(run.stdout).toContain(`${client.title}/small`);
    },
  },
  anonymousCatalog: {
    title: "catalog without a login",
    clients: ["podman", "crane", "oras", "curl", "oci"],
    cell: async (client) => {
      const run = await client.catalog("nobody");
      expectOk(run);
      expect(run.stdout).toContain(`${client.title}/small`);
    },
  },
  anonymousInspect: {
    title: "inspect without a login",
    clients: ["docker", "skopeo", "crane", "oras"],
    cell: async (client) => {
      // The client's own: this command of Docker 20.10 knows no manifests of OCI.
      const run = await client.inspect("nobody", `${client.title}/small:1`);
      expectOk(run);
      expect(run.stdout).toMatch(/"schemaVersion": ?2/);
    },
  },
  refer: {
    title: "referrers",
    clients: ["oras", "oci"],
    cell: async (client) => expectOk(await client.refer("smith", `${client.title}/small:1`)),
  },
  build: {
    title: "build with a cache in the registry and attestations",
    clients: ["docker"],
    current: true,
    cell: async (client, site) => {
      const [name, cache] = [`${client.title}/built`, `${client.title}/cache:1`];
      expectOk(await client.build("smith", `${name}:1`, cache));
      const again = await client.build("smith", `${name}:2`, cache);
      expectOk(again);
      expect(again.all).toMatch(/CACHED/);
      const { body } = await site.oci.manifest(name, "2");
      const { manifests } = JSON.parse(String(body)) as { manifests: { annotations?: object }[] };
      const attestation = { "vnd.docker.reference.type": "attestation-manifest" };
      expect(manifests).toContainEqual(
        expect.objectContaining({ annotations: expect.objectContaining(attestation) }),
      );
      expectOk(await client.pull("nobody", `${name}:2`));
    },
  },
  sign: {
    title: "sign, and verify without a login",
    clients: ["cosign"],
    cell: async (client, site) => {
      await pushLayout(site.oci, site.images.small, `${client.title}/signed:1`);
      const name = `${client.title}/signed@${site.images.small.root.digest}`;
      expectOk(await client.sign("smith", name));
      expectOk(await client.verify("nobody", name));
      fails(await client.verify("nobody", SEED), /no signatures found/i);
      fails(await client.sign("nobody", SEED), REFUSED);
    },
  },
  deletion: {
    title: "delete",
    clients: ["skopeo", "crane", "oras", "curl", "oci"],
    cell: async (client, site) => {
      const repository = `${client.title}/small`;
      fails(await client.remove("nobody", `${repository}:1`), REFUSED);
      const digest = await site.digestOf(`${repository}:1`);
      expectOk(await client.remove("smith", `${repository}:1`));
      await expect(site.oci.manifest(repository, digest)).rejects.toThrow("404");
    },
  },
  noDeletion: {
    title: "delete is refused",
    clients: ["skopeo", "crane", "oras", "curl", "oci"],
    cell: async (client, site) => {
      const digest = await site.digestOf(`${client.title}/small:1`);
      fails(await client.remove("smith", `${client.title}/small:1`), /405|unsupported/i);
      expect(await site.digestOf(`${client.title}/small:1`)).toBe(digest);
    },
  },
} satisfies Record<string, Row>;
