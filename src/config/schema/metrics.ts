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
      .describe("whether Prometheus can read what registry, reader and gateway count"),
    network: objectName("a network name")
      .optional()
      .describe(
        "external overlay network that Prometheus is on; needed with `enabled`, and not that of Traefik",
      )
      .meta({ derived: "none" }),
    nodeExporters: z
      .array(exporterAddress())
      .default([])
      .describe(
        "node_exporter of each node that has the storage, as Prometheus reaches it: `192.168.1.5:9100`, or `tasks.node-exporter:9100`",
      ),
    blackboxExporter: exporterAddress()
      .optional()
      .describe("blackbox_exporter, which asks the public addresses, as Prometheus reaches it")
      .meta({ derived: "none" }),
    resources: resources(0.5, "64M"),
  })
  .prefault({});
