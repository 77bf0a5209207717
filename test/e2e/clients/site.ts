import { existsSync } from "node:fs";
import bcrypt from "bcryptjs";
import { type Changes, CREDENTIALS, DEFAULT_TIMES, DEPLOY, writeConfig } from "../stack.js";
import type { Swarm } from "../swarm.js";
import { expectOk, type Run, Workspace } from "../workspace.js";
import { type Client, PASSWORDS, userAndPassword, type Who } from "./client.js";
import { type Images, TAG } from "./images.js";
import { pushLayout } from "./oci.js";
import { OciClient } from "./ociClient.js";
import { type SlowEndpoint, slowEndpoint } from "./slowEndpoint.js";

const lineOf = (who: "guest" | "old") => `${who}:${bcrypt.hashSync(PASSWORDS[who], 10)}\n`;
const HTPASSWD = `${CREDENTIALS.REGISTRY_HTPASSWD}# until old 20251231\n${lineOf("guest")}${lineOf("old")}`;

/** What a stack has before the clients come. */
export const SEED = "library/seed:1";

/** A token lasts 65 seconds: with what comes before and after it, the upload takes longer than that. */
const SLOW_MS = 66_000;

/** A stack, and what the tests ask it. */
export class Site {
  /** Pushes that are under way, by the titles of their clients. */
  readonly slowPushes = new Map<string, Promise<Run>>();
  private readonly slowClients: Client[] = [];
  private slow?: SlowEndpoint;

  private constructor(
    readonly workspace: Workspace,
    readonly images: Images,
    /** Our own client, logged in: what looks at the results. */
    readonly oci: OciClient,
  ) {}

  /** @param number of the stack: a new one need not wait for what Docker has yet to remove of another */
  static async deploy(swarm: Swarm, images: Images, changes: Changes, number: number): Promise<Site> {
    const workspace = await Workspace.create(`matrix${number}`, 5010 + number, 8090 + number);
    const site = new Site(workspace, images, new OciClient(workspace.registryUrl, userAndPassword("smith")));
    // It is deployed once, and asked for minutes.
    await writeConfig(workspace, swarm, {
      ...changes,
      root: { swarm: DEFAULT_TIMES, ...changes.root },
      ui: { enabled: false },
    });
    await workspace.hephaestus(["render"]);
    const run = await workspace.hephaestus(DEPLOY, { env: { ...CREDENTIALS, REGISTRY_HTPASSWD: HTPASSWD } });
    expectOk(run);
    await pushLayout(site.oci, images.seed, SEED);
    return site;
  }

  /** Begins a push by each client, of which one upload takes longer than a token lasts. */
  async pushSlowly(clientsAt: (workspace: Workspace) => Iterable<Client>): Promise<void> {
    this.slow = await slowEndpoint(this.workspace.registryUrl, SLOW_MS);
    const elsewhere: Workspace = Object.create(this.workspace, {
      registry: { value: this.slow.registry },
      folder: { value: `${this.workspace.folder}/slow` },
    });
    const { small } = this.images;
    for (const client of clientsAt(elsewhere)) {
      this.slowClients.push(client);
      client.keepLogin("smith");
      const push = async () => {
        await client.load(small);
        return client.push("smith", small, `slow/${client.title}:${TAG}`);
      };
      this.slowPushes.set(client.title, push());
    }
  }

  /** @param cleanUp what the other clients leave behind */
  async close(cleanUp: () => Promise<void>): Promise<void> {
    await Promise.allSettled(this.slowPushes.values());
    this.slow?.close();
    await cleanUp();
    // What a program keeps in one place for all of its clients is gone already.
    await Promise.allSettled(this.slowClients.map((client) => client.cleanUp()));
    await this.workspace.destroy();
  }

  /** Whether anything of a repository lies in the storage, a begun upload included. */
  holds(repository: string): boolean {
    return existsSync(`${this.workspace.folder}/data/docker/registry/v2/repositories/${repository}`);
  }

  /** How often the gateway's log has this text. */
  async logged(text: string): Promise<number> {
    const { all } = await this.workspace.docker(
      "service",
      "logs",
      "--raw",
      `${this.workspace.stack}_gateway`,
    );
    return all.split(text).length - 1;
  }

  /** How many of a repository's blobs were taken over from others, by the gateway's log. */
  mounted(repository: string): Promise<number> {
    return this.logged(`"POST /v2/${repository}/blobs/uploads/" 201 `);
  }

  /** Our own client, logged in as somebody. */
  ociOf(who: Exclude<Who, "nobody">): OciClient {
    return new OciClient(this.workspace.registryUrl, userAndPassword(who));
  }

  async digestOf(name: string): Promise<string> {
    const [repository = "", tag = ""] = name.split(":");
    return (await this.oci.manifest(repository, tag)).digest;
  }
}
