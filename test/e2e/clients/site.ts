import { existsSync } from "node:fs";
import bcrypt from "bcryptjs";
import { type Changes, CREDENTIALS, DEPLOY, writeConfig } from "../stack.js";
import type { Swarm } from "../swarm.js";
import { expectOk, Workspace } from "../workspace.js";
import { PASSWORDS, userAndPassword, type Who } from "./client.js";
import type { Images } from "./images.js";
import { pushLayout } from "./oci.js";
import { OciClient } from "./ociClient.js";

const lineOf = (who: "guest" | "old") => `${who}:${bcrypt.hashSync(PASSWORDS[who], 10)}\n`;
const HTPASSWD = `${CREDENTIALS.REGISTRY_HTPASSWD}# until old 20251231\n${lineOf("guest")}${lineOf("old")}`;

/** What a stack has before the clients come. */
export const SEED = "library/seed:1";

/** A stack, and what the tests ask it. */
export class Site {
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
    await writeConfig(workspace, swarm, changes);
    await workspace.hephaestus(["render"]);
    const run = await workspace.hephaestus(DEPLOY, { env: { ...CREDENTIALS, REGISTRY_HTPASSWD: HTPASSWD } });
    expectOk(run);
    await pushLayout(site.oci, images.seed, SEED);
    return site;
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
