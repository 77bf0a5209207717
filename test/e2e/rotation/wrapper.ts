/** A `docker` in front of the real one that notes each call and fails one of them, once. */
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";

/**
 * A call is known by what it does and by how many changes went before it: ids, numbers and dates are left out, and
 * polling makes the same call many times.
 */
const script = (real: string) => `#!/bin/sh
# When the heartbeats of a lock are sent depends on the time alone: the lock is looked at, then updated through the API.
case "$*" in
"config inspect --format {{json .}} "*) exec ${real} "$@" ;;
"system dial-stdio")
	IFS= read -r request
	mkfifo "$WRAPPER_FOLDER/request.$$"
	exec 3<&0
	{
		printf '%s\\n' "$request"
		exec cat <&3
	} >"$WRAPPER_FOLDER/request.$$" 2>/dev/null &
	exec <"$WRAPPER_FOLDER/request.$$"
	rm "$WRAPPER_FOLDER/request.$$"
	case $request in "POST "*/configs/*) exec ${real} "$@" ;; esac
	;;
esac
phase=0
[ ! -e "$WRAPPER_FOLDER/phase" ] || read -r phase < "$WRAPPER_FOLDER/phase"
key="$phase $(echo "$*" | sed -E 's/\\b([0-9a-f]{64}|[0-9a-z]{25}|[0-9a-z]{12})\\b/ID/g; s/(ID )+ID/ID/g; s/_[0-9]+/_N/g; s/=[0-9][0-9T:Z-]*/=N/g; s/process [0-9]+/process N/; s#lock\\.(process|pid)=[^ ]*#lock.\\1=N#g; s/( [^ ]*_history_N)+$/ HISTORY/')"
echo "$key" >> "$WRAPPER_FOLDER/calls"
case "$1 $2 $3" in
	# How many of them go depends on how many rotations there were before.
	"config rm "*_history_*) ;;
	*" create "* | *" deploy "* | *" update "* | *" rm "* | *" rollback "*) echo $((phase + 1)) > "$WRAPPER_FOLDER/phase" ;;
esac
if [ "$key" = "$WRAPPER_FAILS" ] && [ ! -e "$WRAPPER_FOLDER/failed" ]; then
	touch "$WRAPPER_FOLDER/failed"
	# Standard input of a connection to the API stays open.
	[ "$1" = system ] || cat > /dev/null
	echo "a fault that the test injected" >&2
	exit 1
fi
exec ${real} "$@"
`;

export class DockerWrapper {
  private constructor(private readonly folder: string) {}

  static async create(folder: string): Promise<DockerWrapper> {
    await mkdir(folder);
    const { stdout: real } = await execa("sh", ["-c", "command -v docker"]);
    await writeFile(`${folder}/docker`, script(real));
    await chmod(`${folder}/docker`, 0o755);
    return new DockerWrapper(folder);
  }

  /**
   * The environment for a command whose docker shall be this one. Forgets what was noted before.
   *
   * @param fails the call that fails; none without it
   */
  async environment(fails = ""): Promise<Record<string, string>> {
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

  /** The different calls that were made, in order. */
  async calls(): Promise<string[]> {
    return [...new Set((await readFile(`${this.folder}/calls`, "utf8")).trim().split("\n"))];
  }
}
