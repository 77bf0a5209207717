/** The cases of test/golden/. */

/** Whole files of this case are kept; of the others, what differs from them. */
export const BASE = "traefik3-sso-anonymous";

/** The configs of the golden cases: eight of one matrix, and the special ones. */
export const CASES: Record<string, string> = {
  local: "version: 1\ndomain: localhost\nexpose: ports\nswarm: { endpointMode: dnsrr }\n",
  registry3: `version: 1
domain: example.com
registry: { image: "registry:3.0.0", delete: true, env: { REGISTRY_LOG_LEVEL: debug, GREETING: "$5 for \${USER}" } }
traefik: { certResolver: letsencrypt, middlewares: [secure-headers@file] }
authelia: { middleware: "http://authelia:9091/api/authz/forward-auth" }
ui: { access: sso, admin: { enabled: true } }
networks: { encrypted: true }
`,
  // Images of other registries, with logins there, and the stack's own from here.
  mirror: `version: 1
domain: example.com
mirror:
  - { from: docker.io/library/alpine, to: mirror/alpine, tags: ["3.2*", ">=3.20 <4"], every: 1d }
  - { name: app, from: "hub.example.com:5000/team/app", to: mirror/team/app, tags: ["*"], platforms: [linux/amd64], referrers: false, plainHttp: true }
regsync: { logins: true, self: use, placement: { constraints: [node.role == worker] } }
`,
  notifications: `version: 1
domain: example.com
notifications:
  - { name: ci, url: "https://ci.example.com/hooks/registry?job=1", headers: true }
  - { name: chat, url: "http://chat:8080/", actions: [delete], repositories: ["team-a/**", tools/hello] }
`,
  // Images in a bucket of a server in the LAN, with keys of its own for the reader.
  s3: `version: 1
domain: example.com
registry:
  image: registry:3.1.2
  replicas: 2
  storage: { driver: s3, bucket: images, region: eu-central-1, endpoint: "https://s3.example.com", prefix: forge, readerKeys: true }
gateway: { log: json }
`,
  // The volume of a registry that was there before, and a reader, which mounts it too.
  volume: `version: 1
domain: example.com
registry: { storage: { driver: filesystem, volume: registry_data } }
gateway: { cache: 1G }
`,
  // The widespread guide's Traefik: a constraint of its provider, and a port of its own.
  constrained: `version: 1
domain: example.com
traefik:
  version: 2
  publicPort: 8443
  certResolver: letsencrypt
  labels: { traefik.constraint-label: traefik-public }
  routerLabels: { tls.options: modern@file }
`,
  // Rules for repositories, and people from Authelia.
  access: `version: 1
domain: example.com
registry: { delete: true }
ui: { admin: { enabled: true } }
users: { provider: both }
groups: { team-a: [ann, ci-a] }
access:
  - { repositories: ["team-a/secret/**"], pull: ["user:ann"] }
  - { repositories: ["team-a/**"], pull: authenticated, push: [team-a, "group:Grüne Wiese"], immutable: ["v*"] }
  - { repositories: ["mirror/**"], push: ["user:ci-mirror"], delete: [] }
`,
  // Prometheus reads what is counted.
  metrics: `version: 1
domain: example.com
registry: { replicas: 2, storage: { path: /mnt/storage/registry, shared: true } }
gateway: { replicas: 2 }
metrics:
  enabled: true
  network: monitoring
  nodeExporters: ["192.168.1.5:9100", "tasks.node-exporter:9100"]
  blackboxExporter: blackbox-exporter:9115
`,
  // Quick to notice, and quick to forget.
  times: `version: 1
domain: example.com
swarm: { endpointMode: dnsrr, probe: 2s, monitor: 3s }
gateway: { remember: 20s }
`,
  // TLS ends at a tunnel, and the nodes meet over WireGuard.
  tunnel: `version: 1
domain: example.com
traefik:
  tls: false
  proxies: [172.20.0.5/32]
  publicPort: 8443
  labels: { traefik.constraint-label: traefik-public }
ui: { access: sso }
authelia: { middleware: "http://authelia:9091/api/authz/forward-auth" }
networks: { mtu: 1420 }
`,
};
for (const traefik of [2, 3]) {
  for (const access of ["public", "sso"]) {
    for (const pull of ["anonymous", "authenticated"]) {
      CASES[`traefik${traefik}-${access}-${pull}`] =
        `version: 1\ndomain: example.com\nregistry: { pull: ${pull} }\nui: { access: ${access} }\ntraefik: { version: ${traefik} }\n`;
    }
  }
}
