/** oras, for artifacts of any kind and what refers to an image. */
import { writeFileSync } from "node:fs";
import { goProgram } from "../../support/goPrograms.js";
import type { Run, Workspace } from "../workspace.js";
import { Client, PASSWORDS, userOf, type Who } from "./client.js";
import { type Image, type Images, TAG } from "./images.js";
import type { Release } from "./release.js";

export const ORAS = goProgram(process.env.HEPHAESTUS_CACHE ?? "", "oras");

export class Oras extends Client {
  private pulls = 0;

  constructor(
    workspace: Workspace,
    private readonly images: Images,
    release: Release,
  ) {
    super("oras", workspace, release);
  }

  private as(who: Who, command: readonly string[], ...args: string[]): Promise<Run> {
    return this.run(ORAS, [...command, "--registry-config", this.logins(who), ...args]);
  }

  override login(who: Exclude<Who, "nobody">): Promise<Run> {
    const login = ["login", "--registry-config", this.logins(who), "-u", userOf(who), "--password-stdin"];
    return this.run(ORAS, [...login, this.workspace.registry], PASSWORDS[who]);
  }

  override push(who: Who, image: Image, name: string): Promise<Run> {
    const from = ["--from-oci-layout", `${image.layout}:${TAG}`];
    return this.run(ORAS, ["cp", "--to-registry-config", this.logins(who), ...from, this.at(name)]);
  }

  override pull(who: Who, name: string): Promise<Run> {
    const to = `${this.folder}/pulled-${this.pulls++}:${TAG}`;
    return this.run(ORAS, [
      "cp",
      "--from-registry-config",
      this.logins(who),
      this.at(name),
      "--to-oci-layout",
      to,
    ]);
  }

  override pushIndex(who: Who, name: string): Promise<Run> {
    return this.push(who, this.images.multi, name);
  }

  override pullIndex(who: Who, name: string): Promise<Run> {
    return this.pull(who, name);
  }

  override mount(who: Who, _image: Image, from: string, name: string): Promise<Run> {
    const logins = ["--from-registry-config", this.logins(who), "--to-registry-config", this.logins(who)];
    return this.run(ORAS, ["cp", ...logins, this.at(`${from}:${TAG}`), this.at(name)]);
  }

  override tags(who: Who, repository: string): Promise<Run> {
    return this.as(who, ["repo", "tags"], this.at(repository));
  }

  override catalog(who: Who): Promise<Run> {
    return this.as(who, ["repo", "ls"], this.workspace.registry);
  }

  override inspect(who: Who, name: string): Promise<Run> {
    return this.as(who, ["manifest", "fetch"], this.at(name));
  }

  override async refer(who: Who, name: string): Promise<Run> {
    const file = `${this.folder}/sbom.json`;
    writeFileSync(file, "{}");
    const attach = ["--artifact-type", "application/vnd.example.sbom", "--disable-path-validation"];
    await this.must(this.as(who, ["attach"], ...attach, this.at(name), `${file}:application/json`));
    const found = await this.as("nobody", ["discover"], "--format", "json", this.at(name));
    if (!found.stdout.includes("application/vnd.example.sbom")) throw new Error(found.all);
    return found;
  }

  override remove(who: Who, name: string): Promise<Run> {
    return this.as(who, ["manifest", "delete"], "--force", this.at(name));
  }
}
