/** A `docker` in front of the real one, and a way to the engine: they note each command and request, and fail one of them, once. */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { EngineProxy } from "../engineProxy.js";

const FAULT = "a fault that the test injected";

/**
 * A call is known by what it does and by how many changes went before it: ids, numbers and dates are left out, and
 * polling makes the same call many times.
 */
const script = (real: string, proxy: EngineProxy) => `#!/bin/sh
${proxy.shell}
case "$*" in "system dial-stdio") exec ${real} "$@" ;; esac
phase=0
[ ! -e "$WRAPPER_FOLDER/phase" ] || read -r phase < "$WRAPPER_FOLDER/phase"
key="$phase $(echo "$*" | sed -E 's/\\b([0-9a-f]{64}|[0-9a-z]{25}|[0-9a-z]{12})\\b/ID/g; s/(ID )+ID/ID/g; s/_[0-9]+/_N/g; s/=[0-9][0-9T:Z-]*/=N/g')"
echo "$key" >> "$WRAPPER_FOLDER/calls"
case "$1 $2 $3" in
	*" create "* | *" deploy "* | *" update "* | *" rm "* | *" rollback "*) echo $((phase + 1)) > "$WRAPPER_FOLDER/phase" ;;
esac
if [ "$key" = "$WRAPPER_FAILS" ] && [ ! -e "$WRAPPER_FOLDER/failed" ]; then
	touch "$WRAPPER_FOLDER/failed"
	cat > /dev/null
	echo "${FAULT}" >&2
	exit 1
fi
exec ${real} "$@"
`;

/** A request in the words of the script: without ids and numbers. */
const known = (method: string, path: string): string =>
  `${method} ${decodeURIComponent(path)}`
    .replace(/\b(?:[0-9a-f]{64}|[0-9a-z]{25})\b/g, "ID")
    .replace(/"ID"(?:,"ID")+/g, '"ID"')
    .replace(/_\d+/g, "_N")
    .replace(/=\d+/g, "=N");

export class DockerWrapper {
  private fails = "";

  private constructor(
    private readonly folder: string,
    private readonly proxy: EngineProxy,
  ) {
    proxy.refuse = (method, path) => this.note(known(method, path));
  }

  /** @param dockerHost where the engine is */
  static async create(folder: string, dockerHost: string): Promise<DockerWrapper> {
    await mkdir(folder);
    const { stdout: real } = await execa("sh", ["-c", "command -v docker"]);
    const proxy = await EngineProxy.open(folder, dockerHost);
    await writeFile(`${folder}/docker`, script(real, proxy));
    await chmod(`${folder}/docker`, 0o755);
    return new DockerWrapper(folder, proxy);
  }

  close(): void {
    this.proxy.close();
  }

  /** Notes a request. @returns the fault, if it is the one that fails */
  private note(asked: string): string | undefined {
    // When the heartbeats of a lock are sent depends on the time alone: the lock is looked at by its id, then updated. One that
    // meets a question of the work opens a connection of its own, which docker begins with HEAD /_ping.
    if (/^HEAD |^(?:GET|POST) \/configs\/ID/.test(asked)) return undefined;
    const phase = existsSync(`${this.folder}/phase`)
      ? Number(readFileSync(`${this.folder}/phase`, "utf8"))
      : 0;
    const key = `${phase} ${asked}`;
    appendFileSync(`${this.folder}/calls`, `${key}\n`);
    // How many records go, and whether there is a marker, depends on the rotations before.
    if (!/^GET |^DELETE .*_(?:history|handed-over)_/.test(asked))
      writeFileSync(`${this.folder}/phase`, `${phase + 1}\n`);
    if (key !== this.fails || existsSync(`${this.folder}/failed`)) return undefined;
    writeFileSync(`${this.folder}/failed`, "");
    return FAULT;
  }

  /**
   * The environment for a command whose docker shall be this one. Forgets what was noted before.
   *
   * @param fails the call that fails; none without it
   */
  async environment(fails = ""): Promise<Record<string, string>> {
    this.fails = fails;
    for (const file of ["calls", "phase", "failed"]) await rm(`${this.folder}/${file}`, { force: true });
    return {
      PATH: `${this.folder}:${process.env.PATH}`,
      WRAPPER_FOLDER: this.folder,
      WRAPPER_FAILS: fails,
    };
  }

  /** Whether the fault was injected since. */
  async hasFailed(): Promise<boolean> {
    return (await readdir(this.folder)).includes("failed");
  }

  /** The different commands and requests that were made, in order. */
  async calls(): Promise<string[]> {
    return [...new Set((await readFile(`${this.folder}/calls`, "utf8")).trim().split("\n"))];
  }
}
