/** Prometheus with its exporters: the programs of Debian's packages, never installed on this machine. */
import { existsSync } from "node:fs";
import { mkdir, readdir } from "node:fs/promises";
import { execa } from "execa";
import { madeAside } from "./madeAside.js";
import { downloadPackages } from "./packages.js";

const PACKAGES = ["prometheus", "prometheus-node-exporter", "prometheus-blackbox-exporter"];

export type MonitoringProgram =
  | "prometheus"
  | "promtool"
  | "prometheus-node-exporter"
  | "prometheus-blackbox-exporter";

/** Where the program is after `fetchMonitoringPrograms`. */
export const monitoringProgram = (cacheDir: string, name: MonitoringProgram): string =>
  `${cacheDir}/monitoring/usr/bin/${name}`;

/**
 * Downloads and unpacks the packages unless they are there.
 *
 * @param cacheDir an absolute path
 * @param report gets one line for a person before it begins
 * @throws OperatorError if apt is missing or cannot download them
 */
export async function fetchMonitoringPrograms(
  cacheDir: string,
  report: (line: string) => void,
): Promise<void> {
  const target = `${cacheDir}/monitoring`;
  if (existsSync(target)) return;
  report("Downloading Prometheus and its exporters");
  await madeAside(cacheDir, target, async (folder) => {
    const [debs, root] = [`${folder}/debs`, `${folder}/root`];
    await mkdir(debs);
    await downloadPackages(PACKAGES, debs);
    for (const deb of await readdir(debs)) await execa("dpkg-deb", ["--extract", `${debs}/${deb}`, root]);
    return root;
  });
}
