import { type ChildProcess, spawn } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { type MonitoringProgram, monitoringProgram } from "../../support/monitoringPrograms.js";
import { addressOfContainer } from "../addresses.js";
import type { Target } from "../attacks/target.js";

/**
 * Times of the rendered files, shortened. An alert still waits for a second scrape, since on a busy machine one may take too
 * long: it may take as long as the interval.
 */
const SHORTER: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?<=refresh_interval: )30s/g, "3s"],
  [/(?<=_interval: )30s/g, "2s"],
  [/(?<= for: )\d+[mh]$/gm, "3s"],
  [/\[5m\]/g, "[10s]"],
];

/** A sample as Prometheus's HTTP API has it. */
export interface Sample {
  metric: Record<string, string>;
  value: [time: number, value: string];
}

/** A program of the monitoring that needs no installing, by its full path. */
export const program = (name: MonitoringProgram): string =>
  monitoringProgram(process.env.HEPHAESTUS_CACHE ?? "", name);

/** A real Prometheus on the metrics network, in the network namespace of a container there, with both exporters on the host. */
export class Monitor {
  private readonly children: ChildProcess[] = [];

  private constructor(
    private readonly target: Target,
    /** Of the container, on the bridge of this machine. */
    private readonly address: string,
    private readonly pid: string,
    private readonly resolver: string,
  ) {}

  /** @param image of a container that waits */
  static async start(target: Target, network: string, image: string): Promise<Monitor> {
    const name = `${target.workspace.stack}-monitor`;
    await target.run("--name", name, "--network", network, "--entrypoint", "sleep", image, "3600");
    const format = "{{.Id}} {{.State.Pid}} {{.ResolvConfPath}}";
    const inspected = (await target.docker("inspect", "--format", format, name)).trim();
    const [id = "", pid = "", resolver = ""] = inspected.split(" ");
    return new Monitor(target, await addressOfContainer(target.workspace, id), pid, resolver);
  }

  /** Asks the host's disks, from the host. */
  startNodeExporter(address: string): void {
    const filesystems = ["--collector.disable-defaults", "--collector.filesystem"];
    this.launch([
      program("prometheus-node-exporter"),
      `--web.listen-address=${address}`,
      "--log.level=error",
      ...filesystems,
    ]);
  }

  /**
   * @param hosts text of /etc/hosts as it sees it
   * @param authorities certificates that it trusts, as PEM
   */
  async startBlackboxExporter(address: string, hosts: string, authorities: string): Promise<void> {
    const folder = this.target.workspace.folder;
    const [config, names, trusted] = ["blackbox.yml", "hosts", "authorities.pem"].map(
      (file) => `${folder}/${file}`,
    ) as [string, string, string];
    await writeFile(names, hosts);
    await writeFile(trusted, authorities);
    const http = { tls_config: { ca_file: trusted } };
    await writeFile(config, JSON.stringify({ modules: { http_2xx: { prober: "http", http } } }));
    const exporter = [
      program("prometheus-blackbox-exporter"),
      `--config.file=${config}`,
      `--web.listen-address=${address}`,
      "--log.level=error",
    ];
    this.launch(withFile(names, "/etc/hosts", exporter));
  }

  /** Starts Prometheus with the rendered files, whose times are shorter here. */
  async startPrometheus(): Promise<void> {
    const folder = `${this.target.workspace.folder}/prometheus`;
    await mkdir(folder);
    for (const file of ["prometheus.yml", "alerts.yml"]) {
      const path = `${folder}/${file}`;
      await copyFile(`${this.target.workspace.folder}/monitoring/${file}`, path);
      const text = await readFile(path, "utf8");
      await writeFile(
        path,
        SHORTER.reduce((shorter, [from, to]) => shorter.replace(from, to), text),
      );
    }
    const prometheus = [
      program("prometheus"),
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      "--log.level=error",
    ];
    this.launch([
      "nsenter",
      "-t",
      this.pid,
      "-n",
      ...withFile(this.resolver, "/etc/resolv.conf", prometheus),
    ]);
  }

  /** The samples of an instant query. */
  async query(query: string): Promise<Sample[]> {
    const url = `http://${this.address}:9090/api/v1/query?query=${encodeURIComponent(query)}`;
    const answer = (await (await fetch(url)).json()) as {
      status: string;
      error?: string;
      data: { result: Sample[] };
    };
    if (answer.status !== "success") throw new Error(`${query}: ${answer.error}`);
    return answer.data.result;
  }

  /** Asks until the samples are as they shall be. */
  async until(query: string, isSo: (samples: Sample[]) => boolean, seconds = 40): Promise<Sample[]> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const samples = await this.query(query).catch((error: unknown) => String(error));
      if (typeof samples !== "string" && isSo(samples)) return samples;
      if (Date.now() > end) throw new Error(`After ${seconds} s ${query} is ${JSON.stringify(samples)}`);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  stop(): void {
    for (const child of this.children) child.kill("SIGKILL");
  }

  private launch([command = "", ...args]: string[]): void {
    this.children.push(spawn(command, args, { stdio: ["ignore", "inherit", "inherit"] }));
  }
}

/** A command that sees another file in the place of one. */
const withFile = (file: string, place: string, command: readonly string[]): string[] => [
  ...["unshare", "--mount", "sh", "-ec", `mount --bind "$0" ${place}; exec "$@"`, file],
  ...command,
];
