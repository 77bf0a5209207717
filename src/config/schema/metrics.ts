import { objectName, text } from "../text.js";
import { flag, group, list, optional } from "./keys.js";
import { resources } from "./registry.js";

/** Where Prometheus finds an exporter. A name of tasks stands for as many exporters as there are tasks. */
const exporterAddress = () =>
  text({
    what: "an address of an exporter",
    remedy: "Write HOST:PORT as Prometheus reaches it, such as 192.168.1.5:9100 or tasks.node-exporter:9100.",
    pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?:\d{1,5}$/,
  });

export const metrics = group({
  enabled: flag(false, "whether Prometheus can scrape registry, reader and gateway"),
  network: optional(
    objectName("a network name"),
    "external overlay network of Prometheus, required with `enabled`; not the network of Traefik",
    "none",
  ),
  nodeExporters: list(
    exporterAddress(),
    "node_exporter on each node with the storage, by the address at which Prometheus reaches it: `192.168.1.5:9100`, or `tasks.node-exporter:9100`",
  ),
  blackboxExporter: optional(
    exporterAddress(),
    "blackbox_exporter, which probes the public addresses, by the address at which Prometheus reaches it",
    "none",
  ),
  resources: resources(0.5, "64M"),
});
