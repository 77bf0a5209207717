/** Rows of the matrix for rules: what each client does and shows where the gateway refuses something. */
import { expect } from "vitest";
import type { Run } from "../workspace.js";
import type { Client, Who } from "./client.js";
import { pushLayout } from "./oci.js";
import { COLUMNS, fails, type Row, succeeds } from "./rows.js";
import { SEED } from "./site.js";

/** The user smith has a namespace of its own, and one that anyone reads; what others push is public. */
export const RULES = {
  access: [
    { repositories: ["private/**"], pull: ["smith"], immutable: ["v*"] },
    { repositories: ["shown/**"], push: ["smith"] },
  ],
};

const SECONDS = 2;
/** What the gateway says, where a client shows it. */
const MESSAGE =
  /\w+ may not (?:pull|push to|delete from) [\w/.-]+|the tag [\w.]+ of [\w/.-]+ is immutable|the account \w+ ended on [\d-]+|log in first: docker login \S+?(?=["\s]|$)/;
/** What clients say that show no message: the status, or their own words for it. */
const STATUS = /403|forbidden|denied|unauthorized|invalid username/i;

const messages = new Map<string, Map<string, string>>();

/** Keeps what a client shows, for the table of docs/clients.md. */
function note(client: Client, row: string, { all }: Run): void {
  const shown = MESSAGE.exec(all)?.[0] ?? STATUS.exec(all)?.[0] ?? "nothing";
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

/** Runs what the gateway has to refuse, and measures it. */
async function refused(client: Client, row: string, work: () => Promise<Run>): Promise<void> {
  const started = performance.now();
  const run = await work();
  const seconds = (performance.now() - started) / 1000;
  fails(run, new RegExp(`${MESSAGE.source}|${STATUS.source}`, "i"));
  note(client, row, run);
  expect(seconds, `${row}: ${run.all}`).toBeLessThan(SECONDS);
}

/** These log in with each request. */
const LOGS_IN_EACH_TIME = ["ctr", "crane", "curl", "oci"];

async function logIn(client: Client, who: Exclude<Who, "nobody">): Promise<void> {
  if (!LOGS_IN_EACH_TIME.includes(client.program)) succeeds(await client.login(who));
}

const app = (client: Client) => `private/${client.title}/app`;

export const RULE_ROWS = {
  allowedPush: {
    title: "push where a rule allows it",
    clients: COLUMNS,
    cell: async (client, site) => {
      await client.load(site.images.small);
      for (const who of ["smith", "guest"] as const) await logIn(client, who);
      succeeds(await client.push("smith", site.images.small, `${app(client)}:1`));
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
      succeeds(await client.pull("smith", `${app(client)}:1`));
    },
  },
  privateMount: {
    title: "no mount from a private repository: the layers are uploaded",
    clients: COLUMNS,
    cell: async (client, site) => {
      const to = `open/${client.title}/copy`;
      // Some clients ask for the mount; others would pull first, which is refused.
      await client.mount("guest", site.images.small, app(client), `${to}:1`);
      await client.load(site.images.small);
      succeeds(await client.push("guest", site.images.small, `${to}:1`));
      expect(await site.mounted(to)).toBe(0);
      succeeds(await client.pull("nobody", `${to}:1`));
    },
  },
  immutableTag: {
    title: "another image for an immutable tag is refused in 2 s, the same one is not",
    clients: COLUMNS,
    cell: async (client, site) => {
      const [name, { small, seed }] = [`${app(client)}:v1`, site.images];
      await client.load(small);
      await client.load(seed);
      succeeds(await client.push("smith", small, name));
      succeeds(await client.push("smith", small, name));
      const digest = await site.digestOf(name);
      await refused(client, "immutable tag", () => client.push("smith", seed, name));
      expect(await site.digestOf(name)).toBe(digest);
    },
  },
  endedUser: {
    title: "login of a user that has ended is refused in 2 s",
    clients: COLUMNS,
    cell: async (client, site) => {
      const isLoginTried = !["ctr", "crane"].includes(client.program);
      await refused(client, "ended user", () =>
        isLoginTried
          ? client.login("old")
          : client.push("old", site.images.small, `open/${client.title}/old:1`),
      );
      succeeds(await client.pull("nobody", SEED));
    },
  },
} satisfies Record<string, Row>;
