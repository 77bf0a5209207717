import { z } from "zod";
import { objectName, text } from "../text.js";
import { resources } from "./registry.js";

/** Where Prometheus finds an exporter. A name of tasks stands for as many exporters as there are tasks. */
const exporterAddress = () =>
  text({
    what: "an address of an exporter",
    remedy: "Write HOST:PORT as Prometheus reaches it, such as 192.168.1.5:9100 or tasks.node-exporter:9100.",
    pattern: /^[a-zA-Z0-9](?:[a-zA-Z0-9._-]*[a-zA-Z0-9])?:\d{1,5}$/,
  });

export const metrics = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("whether Prometheus can scrape registry, reader and gateway"),
    network: objectName("a network name")
      .optional()
      .describe("external overlay network of Prometheus, required with `enabled`; not the network of Traefik")
      .meta({ derived: "none" }),
    nodeExporters: z
      .array(exporterAddress())
      .default([])
      .describe(
        "node_exporter on each node with the storage, by the address at which Prometheus reaches it: `192.168.1.5:9100`, or `tasks.node-exporter:9100`",
      ),
    blackboxExporter: exporterAddress()
      .optional()
      .describe(
        "blackbox_exporter, which probes the public addresses, by the address at which Prometheus reaches it",
      )
      .meta({ derived: "none" }),
    resources: resources(0.5, "64M"),
  })
  .prefault({});
