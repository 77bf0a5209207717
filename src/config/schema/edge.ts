import { z } from "zod";
import { USER_NAME } from "../../credentials/userNames.js";
import {
  hostName,
  imageReference,
  ipv4Network,
  objectName,
  seconds,
  text,
  title,
  traefikName,
} from "../text.js";
import { routerLabels, serviceLabels } from "./freeValues.js";
import { resources } from "./registry.js";

export const ui = z
  .strictObject({
    enabled: z.boolean().default(true).describe("whether there is a web library"),
    image: imageReference()
      .default("joxit/docker-registry-ui:2.6.0")
      .describe("joxit/docker-registry-ui, line 2.x"),
    host: hostName()
      .optional()
      .describe("public host name")
      .meta({ derived: "`registry-ui.<domain>`; `<domain>` with `expose: ports`" }),
    title: title().default("Hephaestus").describe("heading of the page"),
    access: z
      .enum(["public", "sso"])
      .default("public")
      .describe("everyone can browse it, or only users who log in at Authelia"),
    admin: z
      .strictObject({
        enabled: z
          .boolean()
          .default(false)
          .describe("a second UI that can delete images, always behind Authelia (two factors)"),
        host: hostName()
          .optional()
          .describe("its public host name")
          .meta({ derived: "`registry-admin.<domain>`" }),
      })
      .prefault({}),
    resources: resources(0.5, "128M"),
  })
  .prefault({});

export const traefik = z
  .strictObject({
    version: z
      .union([z.literal(2), z.literal(3)])
      .default(3)
      .describe("line of your Traefik; 3 means 3.2.2 or newer (label spelling)"),
    network: objectName("a network name")
      .default("aether-net")
      .describe("external overlay network of Traefik"),
    publicPort: z.int().min(1).max(65535).default(443).describe("port of the public https addresses"),
    tls: z
      .boolean()
      .default(true)
      .describe("whether TLS ends at Traefik; false if a tunnel or load balancer in front of it ends TLS"),
    entrypoint: objectName("a name of an entrypoint")
      .optional()
      .describe("entrypoint of our routers")
      .meta({ derived: "`websecure`; `web` with `tls: false`" }),
    certResolver: objectName("a name of a certificate resolver").optional().describe("certificate resolver"),
    api: text({
      what: "an http address",
      remedy:
        "Write it with http:// or https://, without a login and without /api, such as http://traefik.internal:8080.",
      pattern: /^https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~/-]*)?$/,
    })
      .optional()
      .describe("address of Traefik's API, for doctor to ask, such as http://traefik.internal:8080"),
    middlewares: z
      .array(traefikName("a name of a middleware"))
      .default([])
      .describe("your own middlewares, before ours, on every router"),
    labels: serviceLabels,
    routerLabels,
    trustedNetworks: z
      .array(ipv4Network())
      .default(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])
      .describe("networks that Traefik's requests come from; X-Forwarded-For is believed only from there"),
    proxies: z
      .array(ipv4Network())
      .default([])
      .describe(
        "the proxy in front of Traefik, such as a tunnel: only what it says about a client's address is believed",
      ),
  })
  .prefault({});

/** Where Authelia usually is on Traefik's network. */
export const AUTHELIA_URL = "http://authelia:9091";

export const authelia = z
  .strictObject({
    middleware: text({
      what: "a ForwardAuth middleware or its address",
      remedy:
        "Name the middleware with its provider (authelia@docker), or give the address (http://authelia:9091/api/authz/forward-auth).",
      pattern:
        /^(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*@[a-z]+|https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~/?=&%:-]*)?)$/,
    })
      .optional()
      .describe("ForwardAuth middleware by name, or its address, from which labels define one")
      .meta({ derived: "`authelia@swarm`; `authelia@docker` with Traefik 2" }),
    url: text({
      what: "an http address",
      remedy:
        "Write it as the gateway reaches it, without a login and without /api, such as http://authelia:9091.",
      pattern: /^https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~-]+)*\/?$/,
    })
      .overwrite((url) => url.replace(/\/$/, ""))
      .default(AUTHELIA_URL)
      .describe("address of Authelia, as the gateway reaches it; asked if `users.provider` names Authelia"),
  })
  .prefault({});

export const users = z
  .strictObject({
    provider: z
      .enum(["htpasswd", "authelia", "both"])
      .default("htpasswd")
      .describe("what knows the users; `both` asks the htpasswd first, then Authelia"),
  })
  .prefault({});

export const swarm = z
  .strictObject({
    endpointMode: z
      .enum(["vip", "dnsrr"])
      .default("vip")
      .describe("how service names resolve; dnsrr if the kernel has no IPVS"),
    // Below a second the probes themselves are the load; Docker's own default is the most.
    probe: seconds(1, 30).default("5s").describe("time between two health checks of a task"),
    // Swarm replaces one task after the other, each after such a time.
    monitor: seconds(1, 120)
      .default("5s")
      .describe("how long a new task is watched; if it fails in this time, Swarm goes back to the old task"),
  })
  .prefault({});

const port = (value: number) => z.int().min(1).max(65535).default(value);

export const ports = z
  .strictObject({
    registry: port(5000).describe("port of the registry on the node"),
    ui: port(8080).describe("port of the web library on the node"),
  })
  .prefault({});

/** Of a person or machine that pushes. */
export const userName = text({
  what: "a user name",
  remedy:
    "Use letters, digits and . _ @ -, at most 64 characters; hephaestus-… and hephaestus.… are reserved in any spelling.",
  pattern: USER_NAME,
  maxLength: 64,
});

export const credentials = z
  .strictObject({
    username: userName.default("admin").describe("first user; REGISTRY_USERNAME overrides it"),
    bcryptCost: z.int().min(10).max(16).default(12).describe("bcrypt cost of passwords that people choose"),
    maxAge: text({
      what: "a number of days",
      remedy: "Write days with a d behind them, such as 90d.",
      pattern: /^[1-9]\d{0,4}d$/,
    })
      .optional()
      .describe("age from which deploy and doctor warn about a password, such as 90d")
      .meta({ derived: "none" }),
  })
  .prefault({});
