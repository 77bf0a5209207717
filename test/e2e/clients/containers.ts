/** podman, buildah and skopeo: one library, three commands. */
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import { type Image, type Images, TAG } from "./images.js";
import type { Release } from "./release.js";

abstract class ContainersClient extends Client {
  constructor(
    program: "podman" | "buildah" | "skopeo",
    workspace: Workspace,
    protected readonly images: Images,
    release: Release,
  ) {
    super(program, workspace, release);
  }

  /** Arguments of every command. */
  protected get global(): string[] {
    return [];
  }

  protected command(args: readonly string[], input = ""): Promise<Run> {
    return this.runApart(this.program, [...this.global, ...args], input);
  }

  protected access(who: Who): string[] {
    return ["--authfile", this.logins(who), "--tls-verify=false"];
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const args = [
      "login",
      ...this.access(who),
      "-u",
      userOf(who),
      "--password-stdin",
      this.workspace.registry,
    ];
    return this.command(args, PASSWORDS[who]);
  }
}

/** podman and buildah have a store of images. */
export class Store extends ContainersClient {
  private pulled = "";

  protected override get global(): string[] {
    return ["--root", `${this.folder}/root`, "--runroot", `${this.folder}/run`, "--storage-driver", "vfs"];
  }

  private local(image: Image): string {
    return `localhost/matrix/${image.name}:${TAG}`;
  }

  override async load(image: Image): Promise<void> {
    const store = `[vfs@${this.folder}/root+${this.folder}/run]`;
    const to = `containers-storage:${store}${this.local(image)}`;
    await this.must(this.runApart("skopeo", ["copy", `oci:${image.layout}:${TAG}`, to]));
  }

  override push(who: Who, image: Image, name: string): Promise<Run> {
    const to = `docker://${this.at(name)}`;
    return this.command(["push", ...this.access(who), this.local(image), to]);
  }

  override async pull(who: Who, name: string): Promise<Run> {
    if (this.pulled) await this.command(["rmi", this.pulled]);
    this.pulled = this.at(name);
    return this.command(["pull", ...this.access(who), this.pulled]);
  }

  override async pushIndex(who: Who, name: string): Promise<Run> {
    const create = await this.command(["manifest", "create", "matrix-index"]);
    if (create.exitCode !== 0) return create;
    const from = `oci:${this.images.multi.layout}:${TAG}`;
    const add = await this.command(["manifest", "add", "--all", "matrix-index", from]);
    if (add.exitCode !== 0) return add;
    const to = ["matrix-index", `docker://${this.at(name)}`];
    return this.command(["manifest", "push", "--all", ...this.access(who), ...to]);
  }

  override async pullIndex(who: Who, name: string): Promise<Run> {
    const first = await this.command(["pull", "--arch", "arm64", ...this.access(who), this.at(name)]);
    return first.exitCode === 0 ? this.pull(who, name) : first;
  }

  /** podman alone can search. */
  override tags(who: Who, repository: string): Promise<Run> {
    return this.command(["search", "--list-tags", ...this.access(who), this.at(repository)]);
  }

  override catalog(who: Who): Promise<Run> {
    return this.command(["search", ...this.access(who), this.at(this.title)]);
  }
}

/** skopeo copies from here to there. */
export class Skopeo extends ContainersClient {
  private pulls = 0;

  constructor(workspace: Workspace, images: Images, release: Release) {
    super("skopeo", workspace, images, release);
  }

  override push(who: Who, image: Image, name: string, ...more: string[]): Promise<Run> {
    const access = ["--dest-authfile", this.logins(who), "--dest-tls-verify=false"];
    const from = `oci:${image.layout}:${TAG}`;
    return this.command(["copy", ...more, ...access, from, `docker://${this.at(name)}`]);
  }

  override pull(who: Who, name: string, ...more: string[]): Promise<Run> {
    const access = ["--src-authfile", this.logins(who), "--src-tls-verify=false"];
    const to = `dir:${this.folder}/pulled-${this.pulls++}`;
    return this.command(["copy", ...more, ...access, `docker://${this.at(name)}`, to]);
  }

  override pushIndex(who: Who, name: string): Promise<Run> {
    return this.push(who, this.images.multi, name, "--all");
  }

  override pullIndex(who: Who, name: string): Promise<Run> {
    return this.pull(who, name, "--all");
  }

  override tags(who: Who, repository: string): Promise<Run> {
    return this.command(["list-tags", ...this.access(who), `docker://${this.at(repository)}`]);
  }

  override inspect(who: Who, name: string): Promise<Run> {
    return this.command(["inspect", "--raw", ...this.access(who), `docker://${this.at(name)}`]);
  }

  override remove(who: Who, name: string): Promise<Run> {
    return this.command(["delete", ...this.access(who), `docker://${this.at(name)}`]);
  }
}
