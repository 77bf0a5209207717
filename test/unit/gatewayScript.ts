import { loadConfig } from "../../src/config/load.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";

export interface GatewayScript {
  mountUri(r: { variables: { request_uri: string; identity: string } }): string;
  /** Only where something may be pulled without a login. */
  publicScope?(r: { variables: { args?: string } }): string;
  guard(r: object): Promise<void>;
}

/** The gateway's script for a config with these rules. */
export async function scriptOf(rules: object[], more: object = {}): Promise<GatewayScript> {
  const { config } = loadConfig(JSON.stringify({ domain: "a.example", access: rules, ...more }), "f", {});
  const files = renderFiles(config, loadTemplates(), "f");
  const text = files.find(({ path }) => path === "gateway/access.js")?.text ?? "";
  return (await import(`data:text/javascript,${encodeURIComponent(text)}`)).default;
}
