import { rmSync } from "node:fs";
import type { Run, Workspace } from "../workspace.js";
import { Client, userAndPassword, type Who } from "./client.js";
import { type Image, type Images, TAG } from "./images.js";
import { containerdSocket, type Release } from "./release.js";

const NAMESPACE = "matrix";

/** containerd's own command. It logs in with each request only. */
export class Ctr extends Client {
  private readonly base: string[];
  private pulled = "";

  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("ctr", workspace, release);
    this.base = ["--address", containerdSocket(release), "--namespace", NAMESPACE];
  }

  private ctr(...args: string[]): Promise<Run> {
    return this.run("ctr", [...this.base, ...args]);
  }

  private local(image: Image): string {
    return `matrix/${image.name}:${TAG}`;
  }

  override async load(image: Image): Promise<void> {
    const archive = `${this.folder}/${image.name}.tar`;
    await this.must(this.run("tar", ["-C", image.layout, "-cf", archive, "."]));
    const into = ["--base-name", `matrix/${image.name}`, "--all-platforms", "--no-unpack", archive];
    await this.must(this.ctr("images", "import", ...into));
    rmSync(archive);
  }

  override push(who: Who, image: Image, name: string): Promise<Run> {
    return this.ctr("images", "push", ...access(who), this.at(name), this.local(image));
  }

  override async pull(who: Who, name: string): Promise<Run> {
    if (this.pulled) await this.ctr("images", "rm", "--sync", this.pulled);
    this.pulled = this.at(name);
    return this.ctr("images", "pull", ...access(who), this.pulled);
  }

  override async pushIndex(who: Who, name: string): Promise<Run> {
    await this.load(this.images.multi);
    return this.push(who, this.images.multi, name);
  }

  override async pullIndex(who: Who, name: string): Promise<Run> {
    await this.ctr("images", "rm", "--sync", this.local(this.images.multi));
    return this.ctr("images", "pull", "--all-platforms", ...access(who), this.at(name));
  }

  override async cleanUp(): Promise<void> {
    const { stdout } = await this.ctr("images", "ls", "-q");
    const names = stdout.split("\n").filter(Boolean);
    if (names.length > 0) await this.must(this.ctr("images", "rm", "--sync", ...names));
    await this.must(this.ctr("namespaces", "rm", NAMESPACE));
  }
}

function access(who: Who): string[] {
  return who === "nobody" ? ["--plain-http"] : ["--plain-http", "--user", userAndPassword(who)];
}
