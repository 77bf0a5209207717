import { isAnyPublic, repositoryRules } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { hasRules } from "../services/accessMaps.js";
import { type Fault, type Get, PROBE, type Question } from "./frontDoorQuestion.js";

/** What the library and the admin UI are asked. */
export function uiQuestions(config: Config, get: Get): Question[] {
  const { ui, admin } = publicUrls(config);
  const list: Question[] = [];
  if (ui !== undefined) {
    list.push(
      {
        id: "library",
        title: "the UI answers",
        ask: () => (config.ui.access === "sso" ? askForLogin(get, ui) : askForPage(get, ui)),
      },
      { id: "library-write", title: "the UI changes nothing", ask: () => askForWrite(get, ui) },
    );
    if (config.ui.access !== "sso")
      list.push({
        id: "library-catalog",
        title: "the UI lists the repositories",
        ask: () => askForCatalog(get, ui, config),
      });
  }
  if (admin !== undefined) {
    list.push({ id: "admin", title: "the admin UI asks for a login", ask: () => askForLogin(get, admin) });
  }
  return list;
}

/**
 * Whether a UI behind Authelia asks for a login. Traefik asks Authelia before anything else, so what is neither a login nor
 * Traefik's 404 is Authelia's answer, or that there was none. Source: traefik, pkg/middlewares/auth/forward.go.
 */
export async function askForLogin(get: Get, url: string): Promise<Fault | undefined> {
  const { status } = await get(url);
  if ([302, 303, 401].includes(status)) return undefined;
  const told = `${url} answered ${status}`;
  if (status === 403)
    return { fault: `${told}: Authelia denies this host to everybody`, status, authelia: "refuses" };
  if (status === 400)
    return { fault: `${told}: Authelia has no session.cookies for this host`, status, authelia: "refuses" };
  if (status >= 500)
    return { fault: `${told}: Traefik gets no answer of Authelia`, status, authelia: "silent" };
  return { fault: `${told} instead of asking for a login`, status };
}

async function askForPage(get: Get, url: string): Promise<Fault | undefined> {
  const { status } = await get(url);
  return status === 200 ? undefined : { fault: `${url} answered ${status}`, status };
}

/** Whether a library lists the repositories; with rules that open none, the gateway refuses to list them. */
async function askForCatalog(get: Get, url: string, config: Config): Promise<Fault | undefined> {
  const catalog = `${url}/v2/_catalog?n=1`;
  const wanted = hasRules(config) && !isAnyPublic(repositoryRules(config)) ? 401 : 200;
  const answered = await get(catalog);
  const { status } = answered;
  if (status !== wanted) return { fault: `${catalog} answered ${status} instead of ${wanted}`, status };
  if (status !== 200 || /"repositories"/.test(await answered.text())) return undefined;
  return { fault: `${catalog} answered with no list of repositories`, status };
}

async function askForWrite(get: Get, url: string): Promise<Fault | undefined> {
  const { status } = await get(`${url}/v2/${PROBE}/manifests/none`, { method: "DELETE" });
  return status >= 300 ? undefined : { fault: `a DELETE through the UI was answered ${status}`, status };
}
