/** Rows of the matrix for rules: what each client does and shows where the gateway refuses something. */

import { expect } from "vitest";
import type { Run } from "../workspace.js";
import { expectOk } from "../workspace.js";
import { atOnce, type Client, type Who } from "./client.js";
import type { Descriptor } from "./images.js";
import { pushLayout } from "./oci.js";
import { COLUMNS, fails, ROWS, type Row } from "./rows.js";
import { SEED } from "./site.js";

/** The user smith has a namespace of its own, and one that anyone reads; what others push is public. */
export const RULES = {
  access: [
    { repositories: ["private/**"], pull: ["smith"], immutable: ["v*"] },
    { repositories: ["shown/**"], push: ["smith"] },
  ],
};

/** What the gateway says, where a client shows it. */
const MESSAGE =
  /\w+ may not (?:pull|push to|delete from) [\w/.-]+|the tag [\w.]+ of [\w/.-]+ is immutable|an immutable tag of [\w/.-]+ needs this|the account \w+ ended on [\d-]+|log in first: docker login \S+?(?=["\s]|$)/;
/** What clients say that show no message: the status, or their own words for it. */
const STATUS = /403|forbidden|denied|unauthorized|invalid username/i;

/**
 * Where a client shows no message, by the program: a HEAD request has no body, and some throw the body away. Docker and ctr
 * of the current release push and pull with containerd's resolver. The table of docs/clients.md has the same.
 */
const STATUS_ALONE: Record<string, (client: Client) => boolean> = {
  push: ({ title }) => /^ctr|^docker-/.test(title),
  "push to a private repository": ({ title }) => !/^(?:docker|curl|oci)$/.test(title),
  "pull without a login": ({ title }) => /^oci$|^ctr|^docker-/.test(title),
  pull: ({ title }) => /^oci$|^ctr|^docker-/.test(title),
  "immutable tag": ({ title }) => /^ctr|^docker-/.test(title),
  "login of an ended user": ({ program }) => /^(?:podman|buildah|skopeo)$/.test(program),
  "push of an ended user": ({ title }) => !/^(?:docker|curl|oci|crane|oras)$/.test(title),
  "pull of an ended user": ({ title }) => !/^(?:docker|curl|crane|oras)$/.test(title),
};

const messages = new Map<string, Map<string, string>>();

/** Keeps what a client shows, for the table of docs/clients.md. */
function note(client: Client, row: string, shown: string): void {
  const own = shown.replaceAll(client.title, "CLIENT");
  messages.set(row, (messages.get(row) ?? new Map()).set(client.title, own));
}

/** @param titles of the columns */
export const messageTable = (titles: readonly string[]): string =>
  [...messages]
    .flatMap(([row, shown]) =>
      titles.flatMap((title) => (shown.has(title) ? [`${row} | ${title} | ${shown.get(title)}`] : [])),
    )
    .join("\n");

/** Runs what the gateway has to refuse at once. */
async function refused(client: Client, row: string, work: () => Promise<Run>): Promise<void> {
  const run = await atOnce(work);
  const [message, status] = [MESSAGE.exec(run.all)?.[0], STATUS.exec(run.all)?.[0]];
  note(client, row, message ?? status ?? "nothing");
  fails(run, STATUS_ALONE[row]?.(client) ? STATUS : MESSAGE);
}

/** These log in with each request. */
const LOGS_IN_EACH_TIME = ["ctr", "crane", "curl", "oci"];

async function logIn(client: Client, who: Exclude<Who, "nobody">): Promise<void> {
  if (!LOGS_IN_EACH_TIME.includes(client.program)) expectOk(await client.login(who));
}

const app = (client: Client) => `private/${client.title}/app`;

export const RULE_ROWS = {
  allowedPush: {
    title: "push where a rule allows it",
    clients: COLUMNS,
    cell: async (client, site) => {
      await client.load(site.images.small);
      for (const who of ["smith", "guest"] as const) await logIn(client, who);
      expectOk(await client.push("smith", site.images.small, `${app(client)}:1`));
    },
  },
  refusedPush: {
    title: "push where a rule does not is refused in 2 s",
    clients: [...COLUMNS, "cosign"],
    cell: async (client, site) => {
      if (client.program === "cosign") {
        await logIn(client, "guest");
        const name = "shown/signed";
        await pushLayout(site.oci, site.images.small, `${name}:1`);
        await refused(client, "push", () => client.sign("guest", `${name}@${site.images.small.root.digest}`));
        return;
      }
      const shown = `shown/${client.title}/app`;
      await refused(client, "push", () => client.push("guest", site.images.small, `${shown}:1`));
      expect(site.holds(shown)).toBe(false);
      await refused(client, "push to a private repository", () =>
        client.push("guest", site.images.small, `${app(client)}:2`),
      );
    },
  },
  privatePull: {
    title: "pull of a private image is refused in 2 s, but not to its users",
    clients: COLUMNS,
    cell: async (client) => {
      await refused(client, "pull without a login", () => client.pull("nobody", `${app(client)}:1`));
      await refused(client, "pull", () => client.pull("guest", `${app(client)}:1`));
      expectOk(await client.pull("smith", `${app(client)}:1`));
    },
  },
  privateMount: {
    title: "no mount from a private repository: the layers are uploaded",
    clients: COLUMNS,
    cell: async (client, site) => {
      const to = `open/${client.title}/copy`;
      if (client.program === "oci") {
        const { body } = await site.oci.manifest(app(client), "1");
        const { digest } = (JSON.parse(String(body)) as { config: Descriptor }).config;
        expect(await site.ociOf("guest").isMounted(to, digest, app(client))).toBe(false);
        expect(await site.oci.isMounted(`${to}-allowed`, digest, app(client))).toBe(true);
      }
      // curl sends no layers that were not mounted. Others pull first, which is refused, or upload the layers.
      const copy = await client.mount("guest", site.images.small, app(client), `${to}:1`);
      if (client.program === "curl") fails(copy, /MANIFEST_BLOB_UNKNOWN/);
      await client.load(site.images.small);
      expectOk(await client.push("guest", site.images.small, `${to}:1`));
      await expect.poll(() => site.logged(`"PUT /v2/${to}/manifests/1" 201 `)).toBeGreaterThan(0);
      expect(await site.mounted(to)).toBe(0);
      expectOk(await client.pull("nobody", `${to}:1`));
    },
  },
  immutableTag: {
    title: "another image for an immutable tag is refused in 2 s, the same one is not",
    clients: COLUMNS,
    cell: async (client, site) => {
      const [name, { small, seed }] = [`${app(client)}:v1`, site.images];
      await client.load(small);
      await client.load(seed);
      expectOk(await client.push("smith", small, name));
      expectOk(await client.push("smith", small, name));
      const digest = await site.digestOf(name);
      await refused(client, "immutable tag", () => client.push("smith", seed, name));
      expect(await site.digestOf(name)).toBe(digest);
    },
  },
  immutableDelete: {
    title: "delete of an immutable tag is refused in 2 s",
    clients: ROWS.deletion.clients,
    cell: async (client, site) => {
      const name = `${app(client)}:v1`;
      const digest = await site.digestOf(name);
      await refused(client, "delete of an immutable tag", () => client.remove("smith", name));
      expect(await site.digestOf(name)).toBe(digest);
    },
  },
  endedUser: {
    title: "login, push and pull of a user that has ended are refused in 2 s",
    clients: COLUMNS,
    cell: async (client, site) => {
      const name = `open/${client.title}/old`;
      // The others keep a login without trying it.
      if (!["ctr", "crane"].includes(client.program))
        await refused(client, "login of an ended user", () => client.login("old"));
      client.keepLogin("old");
      await client.load(site.images.small);
      await refused(client, "push of an ended user", () =>
        client.push("old", site.images.small, `${name}:1`),
      );
      expect(site.holds(name)).toBe(false);
      await refused(client, "pull of an ended user", () => client.pull("old", `${app(client)}:1`));
      expectOk(await client.pull("nobody", SEED));
    },
  },
} satisfies Record<string, Row>;
