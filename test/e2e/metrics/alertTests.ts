/** Unit tests of the alert rules, in promtool's format: each fires after its time and not before. */

/** A series and the time after which its alert shall fire. */
interface AlertCase {
  alert: string;
  /** Series with their values, as promtool writes them. */
  series: Record<string, string>;
  /** Minutes: the last one at which it is not firing yet, and one at which it is. */
  silent: number;
  firing: number;
  labels: Record<string, string>;
}

const HOUR = 60;
const DAY = 24 * HOUR;

/** @param stack its name, which is the job's */
function cases(stack: string, folder: string): AlertCase[] {
  const up = (service: string, task: number) =>
    `up{job="${stack}",service="${service}",instance="10.0.0.${task}:5001"}`;
  const mount = `{job="${stack}-disk",instance="node",device="/dev/sdb",mountpoint="${folder}"}`;
  const root = `{job="${stack}-disk",instance="node",device="/dev/sda",mountpoint="/"}`;
  const requests = (code: string) =>
    `hephaestus_gateway_requests_total{job="${stack}",action="pull",code="${code}"}`;
  const probed = `{job="${stack}-front-door",instance="https://registry.forge.example/healthz"}`;
  const healthy = Object.fromEntries(
    ["registry", "reader", "gateway"].flatMap((service) => [
      [up(service, 1), "1x2000"],
      [up(service, 2), "1x2000"],
    ]),
  );
  const disk = (free: number) => ({
    ...healthy,
    [`node_filesystem_avail_bytes${mount}`]: `${free}x2000`,
    [`node_filesystem_size_bytes${mount}`]: "100x2000",
    // What is mounted nearer than / counts.
    [`node_filesystem_avail_bytes${root}`]: "1x2000",
    [`node_filesystem_size_bytes${root}`]: "100x2000",
  });
  const ofDisk = { stack, instance: "node", device: "/dev/sdb", mountpoint: folder, job: `${stack}-disk` };
  const ofEndpoint = {
    stack,
    instance: "https://registry.forge.example/healthz",
    job: `${stack}-front-door`,
  };
  return [
    {
      alert: "HephaestusServiceDown",
      series: { ...healthy, [up("reader", 1)]: "0x2000", [up("reader", 2)]: "0x2000" },
      silent: 1,
      firing: 3,
      labels: { severity: "critical", stack, service: "reader" },
    },
    {
      alert: "HephaestusTaskMissing",
      series: { ...healthy, [up("gateway", 2)]: "0x2000" },
      silent: 9,
      firing: 11,
      labels: { severity: "warning", stack, service: "gateway" },
    },
    {
      alert: "HephaestusErrorRate",
      series: { ...healthy, [requests("200")]: "0+90x2000", [requests("503")]: "0+10x2000" },
      silent: 9,
      firing: 12,
      labels: { severity: "critical", stack },
    },
    {
      alert: "HephaestusDiskSpaceCritical",
      series: disk(4),
      silent: 4,
      firing: 6,
      labels: { severity: "critical", ...ofDisk },
    },
    {
      alert: "HephaestusDiskSpaceLow",
      series: disk(9),
      silent: 29,
      firing: 31,
      labels: { severity: "warning", ...ofDisk },
    },
    {
      alert: "HephaestusFrontDoorDown",
      series: { ...healthy, [`probe_success${probed}`]: "0x2000" },
      silent: 4,
      firing: 6,
      labels: { severity: "critical", ...ofEndpoint },
    },
    {
      alert: "HephaestusCertificateExpiring",
      // It ends on day 15, and these tests begin on day 0.
      series: {
        ...healthy,
        [`probe_ssl_earliest_cert_expiry${probed}`]: `${15 * 86_400}x2000`,
      },
      silent: DAY + HOUR - 1,
      firing: DAY + HOUR + 2,
      labels: { severity: "warning", ...ofEndpoint },
    },
  ];
}

/** The names of the alerts that have a test. */
export const testedAlerts = (stack: string): string[] => cases(stack, "/srv").map(({ alert }) => alert);

/**
 * The file for `promtool test rules`; JSON is YAML.
 *
 * @param folder of the storage
 */
export function alertTests(stack: string, folder: string): string {
  const tests = cases(stack, folder).map(({ alert, series, silent, firing, labels }) => ({
    interval: "1m",
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    alert_rule_test: [
      { eval_time: `${silent}m`, alertname: alert, exp_alerts: [] },
      { eval_time: `${firing}m`, alertname: alert, exp_alerts: [{ exp_labels: labels }] },
    ],
  }));
  return JSON.stringify({ rule_files: ["alerts.yml"], evaluation_interval: "1m", tests });
}

/** promtool compares every annotation, whose words are no behaviour. */
export const withoutAnnotations = (rules: string): string =>
  rules.replace(/^ +annotations:\n(?: +(?:summary|description): .*\n)+/gm, "");
