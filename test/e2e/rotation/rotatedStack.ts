/** A stack whose rotations are broken on purpose, and what has to be true of it afterwards. */

import bcrypt from "bcryptjs";
import { expect } from "vitest";
import { ExitCode } from "../../../src/errors.js";
import { basicValue } from "../../support/basic.js";
import { DEPLOY, swarmObjects, USER, writeConfig } from "../stack.js";
import type { Swarm } from "../swarm.js";
import { type Run, type RunSettings, Workspace } from "../workspace.js";
import { DockerWrapper } from "./wrapper.js";

export class RotatedStack {
  /** The password that is valid. */
  password = "First-heat-1";
  private rotations = 0;

  private constructor(
    readonly workspace: Workspace,
    readonly wrapper: DockerWrapper,
  ) {}

  static async create(name: string, port: number, swarm: Swarm): Promise<RotatedStack> {
    const workspace = await Workspace.create(name, port, port + 1000);
    await writeConfig(workspace, swarm, {
      // Stacks that probe every second would keep a core busy.
      root: { credentials: { username: USER }, swarm: { probe: "2s", monitor: "2s" } },
      ui: { enabled: false },
    });
    await workspace.hephaestus(["render"]);
    const rotated = new RotatedStack(
      workspace,
      await DockerWrapper.create(`${workspace.folder}/wrapper`, swarm.dockerHost),
    );
    const run = await workspace.hephaestus([...DEPLOY, "--password-stdin"], { input: rotated.password });
    if (run.exitCode !== ExitCode.ok) throw new Error(run.all);
    return rotated;
  }

  /** A rotation to a given password, or to a generated one; `fresh` is what may be valid afterwards. */
  async rotate(generated: boolean, settings: RunSettings): Promise<{ run: Run; fresh: string | undefined }> {
    const given = `Next-heat-${++this.rotations}-${this.workspace.stack}`;
    const args = ["rotate-password", "--json", ...(generated ? [] : ["--password-stdin"])];
    const run = await this.workspace.hephaestus(args, {
      ...settings,
      ...(generated ? {} : { input: given }),
    });
    const shown = /"event":"password".*"password":"([^"]+)"/.exec(run.all)?.[1];
    return { run, fresh: generated ? shown : given };
  }

  /** Containers of the registry. */
  private async tasks(): Promise<string[]> {
    const filter = `label=com.docker.swarm.service.name=${this.workspace.stack}_registry`;
    const { stdout } = await this.workspace.docker("ps", "--quiet", "--filter", filter);
    return stdout.split("\n").filter(Boolean);
  }

  /** Which of some passwords open the account, by the htpasswd of the service's own tasks. */
  async valid(passwords: readonly string[]): Promise<string[]> {
    const found = new Set<string>();
    for (const id of await this.tasks()) {
      const htpasswd = (await this.workspace.docker("exec", id, "cat", "/run/secrets/htpasswd")).stdout;
      const hash = new RegExp(`^${USER}:(.*)$`, "m").exec(htpasswd)?.[1] ?? "";
      for (const password of passwords) if (bcrypt.compareSync(password, hash)) found.add(password);
    }
    return [...found];
  }

  async destroy(): Promise<void> {
    this.wrapper.close();
    await this.workspace.destroy();
  }

  async login(password: string): Promise<number> {
    const authorization = basicValue(USER, password);
    const { status } = await fetch(`${this.workspace.registryUrl}/auth/token`, {
      headers: { authorization },
    });
    return status;
  }

  /**
   * Lets the next run heal what a broken rotation left.
   *
   * @param fresh the password that the broken rotation was for, where somebody knows it
   * @returns what is not as it has to be
   */
  async heal(fresh: string | undefined): Promise<string[]> {
    const faults: string[] = [];
    const known = [this.password, ...(fresh === undefined ? [] : [fresh])];
    const run = await this.workspace.hephaestus(DEPLOY);
    if (run.exitCode !== ExitCode.ok) faults.push(`the next deploy ended with ${run.exitCode}: ${run.all}`);
    // The task from before ends by itself.
    await expect.poll(() => this.tasks(), { timeout: 30_000, interval: 500 }).toHaveLength(1);
    const valid = await this.valid(known);
    if (valid.length !== 1)
      faults.push(`${valid.length} of ${known.length} known passwords are valid: ${run.all}`);
    this.password = valid[0] ?? this.password;
    const status = await this.login(this.password);
    if (status !== 200) faults.push(`the login was answered ${status}`);
    const { stack } = this.workspace;
    const left = (await swarmObjects(this.workspace)).filter(
      (name) =>
        !/^service .*_(?:gateway|reader|registry)$/.test(name) &&
        !/^config .*_(?:gateway|gateway-program|gateway-settings|reader|registry)_[0-9a-f]{12}$/.test(name) &&
        !new RegExp(`^secret ${stack}_(?:gateway_1|ui_1|http-secret_1)$`).test(name),
    );
    const htpasswds = left.filter((name) => name.startsWith(`secret ${stack}_htpasswd_`));
    const markers = left.filter((name) => name.startsWith(`config ${stack}_handed-over_`));
    const rest = left.filter((name) => !htpasswds.includes(name) && !markers.includes(name));
    if (htpasswds.length !== 1 || markers.length > 1 || rest.length > 0)
      faults.push(`left over: ${left.join(", ")}`);
    return faults;
  }
}
