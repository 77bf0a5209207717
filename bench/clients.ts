/** Clients that take little of the processor themselves: wrk, ab and curl. */
import { readFile } from "node:fs/promises";
import { execa } from "execa";

export const CONNECTIONS = 32;

export interface Rate {
  perSecond: number;
  /** Milliseconds. */
  p50: number;
  p99: number;
}

const MILLISECONDS: Record<string, number> = { us: 0.001, ms: 1, s: 1000 };

const headerArgs = (headers: Record<string, string>): string[] =>
  Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);

/** Runs a client. @throws Error with the package that has it, if it is not there */
async function run(program: string, args: string[], deb: string): Promise<string> {
  const { stdout, code, failed, stderr } = await execa(program, args, { reject: false });
  if (code === "ENOENT") throw new Error(`There is no ${program}: apt-get install ${deb}`);
  if (failed) throw new Error(`${program} ${args.at(-1)}: ${stderr}`);
  return stdout;
}

/** Gets one URL again and again. @throws Error if an answer is none of success */
export async function gets(url: string, headers: Record<string, string>, seconds: number): Promise<Rate> {
  const args = [
    "-t2",
    `-c${CONNECTIONS}`,
    `-d${seconds}s`,
    "--latency",
    "--timeout",
    "60s",
    ...headerArgs(headers),
    url,
  ];
  const text = await run("wrk", args, "wrk");
  const fault = /Non-2xx.*|Socket errors: (?!connect 0, read 0, write 0, timeout 0).*/.exec(text)?.[0];
  if (fault !== undefined) throw new Error(`${url}: ${fault}`);
  const at = (share: number): number => {
    const [, value, unit = ""] = new RegExp(`${share}% +([\\d.]+)(us|ms|s)`).exec(text) ?? [];
    return Number(value) * (MILLISECONDS[unit] ?? Number.NaN);
  };
  return { perSecond: Number(/Requests\/sec: +([\d.]+)/.exec(text)?.[1]), p50: at(50), p99: at(99) };
}

/** The same with HEAD, whose answers wrk does not understand. */
export async function heads(url: string, headers: Record<string, string>, seconds: number): Promise<Rate> {
  const timed = ["-t", `${seconds}`, "-n", "10000000", "-c", `${CONNECTIONS}`];
  const text = await run("ab", ["-i", "-k", "-q", ...timed, ...headerArgs(headers), url], "apache2-utils");
  const fault = /Non-2xx responses: .*|Failed requests: +[1-9].*/.exec(text)?.[0];
  if (fault !== undefined) throw new Error(`${url}: ${fault}`);
  const at = (share: number): number => Number(new RegExp(`${share}% +(\\d+)`).exec(text)?.[1]);
  return { perSecond: Number(/Requests per second: +([\d.]+)/.exec(text)?.[1]), p50: at(50), p99: at(99) };
}

/** Gets some URLs one after the other over one connection. @throws Error if not all bytes come */
export async function download(urls: readonly string[], bytesEach: number): Promise<void> {
  const targets = urls.flatMap((url) => ["-o", "/dev/null", url]);
  const text = await run("curl", ["-s", "-w", "%{http_code} %{size_download}\n", ...targets], "curl");
  const wrong = text.split("\n").filter((line) => line !== "" && line !== `200 ${bytesEach}`);
  if (wrong.length > 0) throw new Error(`${urls[0]} gave ${wrong.join(", ")}`);
}

/** Puts a file. */
export async function upload(url: string, headers: Record<string, string>, path: string): Promise<void> {
  const args = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "-T", path, ...headerArgs(headers), url];
  const status = await run("curl", args, "curl");
  if (status !== "201") throw new Error(`${url} gave ${status}`);
}

/** Seconds of the processor that the processes of some groups took, and those that they started and that have ended. */
export async function processorSeconds(groups: readonly number[]): Promise<number> {
  const { stdout } = await execa("ps", ["-e", "-o", "pid=,pgid="]);
  const ids = stdout
    .split("\n")
    .map((line) => line.trim().split(/ +/).map(Number))
    .filter(([, group = 0]) => groups.includes(group));
  const ticks = await Promise.all(
    ids.map(async ([id]) => {
      const status = await readFile(`/proc/${id}/stat`, "utf8").catch(() => "");
      // utime, stime, cutime, cstime. Source: proc_pid_stat(5); the name may have spaces.
      return status
        .slice(status.lastIndexOf(")") + 2)
        .split(" ")
        .slice(11, 15)
        .reduce((sum, each) => sum + Number(each), 0);
    }),
  );
  return ticks.reduce((sum, each) => sum + each, 0) / 100;
}
