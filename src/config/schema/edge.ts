import { z } from "zod";
import { USER_NAME } from "../../credentials/userNames.js";
import {
  days,
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
import { choice, count, flag, group, list, optional } from "./keys.js";
import { resources } from "./registry.js";

export const ui = group({
  enabled: flag(true, "whether there is a web library"),
  image: imageReference()
    .default("joxit/docker-registry-ui:2.6.0")
    .describe("joxit/docker-registry-ui, line 2.x"),
  host: optional(hostName(), "public host name", "`registry-ui.<domain>`; `<domain>` with `expose: ports`"),
  title: title().default("Hephaestus").describe("heading of the page"),
  access: choice(["public", "sso"], "public", "everyone can browse it, or only users who log in at Authelia"),
  admin: group({
    enabled: flag(false, "a second UI that can delete images, always behind Authelia (two factors)"),
    host: optional(hostName(), "its public host name", "`registry-admin.<domain>`"),
  }),
  resources: resources(0.5, "128M"),
});

export const traefik = group({
  version: z
    .union([z.literal(2), z.literal(3)])
    .default(3)
    .describe("line of your Traefik; 3 means 3.2.2 or newer (label spelling)"),
  network: objectName("a network name").default("aether-net").describe("external overlay network of Traefik"),
  publicPort: count(1, 65535, 443, "port of the public https addresses"),
  tls: flag(true, "whether TLS ends at Traefik; false if a tunnel or load balancer in front of it ends TLS"),
  entrypoint: optional(
    objectName("a name of an entrypoint"),
    "entrypoint of our routers",
    "`websecure`; `web` with `tls: false`",
  ),
  certResolver: objectName("a name of a certificate resolver").optional().describe("certificate resolver"),
  api: text({
    what: "an http address",
    remedy:
      "Write it with http:// or https://, without a login and without /api, such as http://traefik.internal:8080.",
    pattern: /^https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~/-]*)?$/,
  })
    .optional()
    .describe("address of Traefik's API, for doctor to ask, such as http://traefik.internal:8080"),
  middlewares: list(
    traefikName("a name of a middleware"),
    "your own middlewares, before ours, on every router",
  ),
  labels: serviceLabels,
  routerLabels,
  trustedNetworks: z
    .array(ipv4Network())
    .default(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"])
    .describe("networks that Traefik's requests come from; X-Forwarded-For is believed only from there"),
  proxies: list(
    ipv4Network(),
    "the proxy in front of Traefik, such as a tunnel: only what it says about a client's address is believed",
  ),
});

/** Where Authelia usually is on Traefik's network. */
export const AUTHELIA_URL = "http://authelia:9091";

export const authelia = group({
  middleware: optional(
    text({
      what: "a ForwardAuth middleware or its address",
      remedy:
        "Name the middleware with its provider (authelia@docker), or give the address (http://authelia:9091/api/authz/forward-auth).",
      pattern:
        /^(?:[a-zA-Z0-9][a-zA-Z0-9_.-]*@[a-z]+|https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~/?=&%:-]*)?)$/,
    }),
    "ForwardAuth middleware by name, or its address, from which labels define one",
    "`authelia@swarm`; `authelia@docker` with Traefik 2",
  ),
  url: text({
    what: "an http address",
    remedy:
      "Write it as the gateway reaches it, without a login and without /api, such as http://authelia:9091.",
    pattern: /^https?:\/\/[a-zA-Z0-9._-]+(?::\d{1,5})?(?:\/[a-zA-Z0-9._~-]+)*\/?$/,
  })
    .overwrite((url) => url.replace(/\/$/, ""))
    .default(AUTHELIA_URL)
    .describe("address of Authelia, as the gateway reaches it; asked if `users.provider` names Authelia"),
});

export const users = group({
  provider: choice(
    ["htpasswd", "authelia", "both"],
    "htpasswd",
    "what knows the users; `both` asks the htpasswd first, then Authelia",
  ),
});

export const swarm = group({
  endpointMode: choice(["vip", "dnsrr"], "vip", "how service names resolve; dnsrr if the kernel has no IPVS"),
  // Below a second the probes themselves are the load; Docker's own default is the most.
  probe: seconds(1, 30).default("5s").describe("time between two health checks of a task"),
  // Swarm replaces one task after the other, each after such a time.
  monitor: seconds(1, 120)
    .default("5s")
    .describe("how long a new task is watched; if it fails in this time, Swarm goes back to the old task"),
});

const port = (value: number) => z.int().min(1).max(65535).default(value);

export const ports = group({
  registry: port(5000).describe("port of the registry on the node"),
  ui: port(8080).describe("port of the web library on the node"),
});

/** Of a person or machine that pushes. */
export const userName = text({
  what: "a user name",
  remedy:
    "Use letters, digits and . _ @ -, at most 64 characters; hephaestus-… and hephaestus.… are reserved in any spelling.",
  pattern: USER_NAME,
  maxLength: 64,
});

export const credentials = group({
  username: userName.default("admin").describe("first user; REGISTRY_USERNAME overrides it"),
  bcryptCost: count(10, 16, 12, "bcrypt cost of passwords that people choose"),
  maxAge: optional(
    days("90d"),
    "age from which deploy and doctor warn about a password, such as 90d",
    "none",
  ),
});
