import { type Answer, json, UNAVAILABLE } from "./answers.js";
import type { Reply } from "./nginx.js";
import { parameters } from "./request.js";
import type { Seats } from "./seats.js";

/** How many lists are made at the same time: each takes a while, and anyone may ask. */
export const CATALOG_SEATS: Seats = { of: "catalogs", most: 60, mostOfNetwork: 20 };

/**
 * Names on a page of the catalog: where a client does not say, and at most. Source: distribution's
 * configuration.md.
 */
const PAGE = 100;
const MOST = 1000;

/**
 * The names of repositories that someone may pull, in pages as the registry has them.
 *
 * @param ask the registry for a page
 */
export async function catalog(
  query: string,
  mayPull: (repository: string) => boolean,
  ask: (args: string) => Promise<Reply>,
): Promise<Answer> {
  const paging = parameters(query);
  const size = paging?.get("n") ?? String(PAGE);
  const wanted = Number(size);
  if (!(Number.isInteger(wanted) && wanted > 0 && wanted <= MOST)) {
    // The registry says what is wrong with it.
    const reply = await ask(`n=${encodeURIComponent(size)}`);
    return reply.status === 200 ? json(200, { repositories: [] }) : passedOn(reply);
  }
  const names: string[] = [];
  let last = paging?.get("last") ?? "";
  let more = true;
  while (more && names.length <= wanted) {
    const reply = await ask(`n=${MOST}&last=${encodeURIComponent(last)}`);
    if (reply.status !== 200) return passedOn(reply);
    const { repositories } = JSON.parse(reply.responseText ?? "") as { repositories?: string[] | null };
    const found = repositories ?? [];
    for (const repository of found) {
      // One more than the page says whether there is a next one.
      if (names.length > wanted) break;
      if (mayPull(repository)) names.push(repository);
    }
    more = reply.headersOut.Link !== undefined && found.length > 0;
    last = found.at(-1) ?? last;
  }
  const shown = names.slice(0, wanted);
  // The next page begins behind a name that was shown: any other one is none of the client's business.
  const next = encodeURIComponent(shown.at(-1) ?? "");
  const link = { Link: `</v2/_catalog?last=${next}&n=${wanted}>; rel="next"` };
  const page = json(200, { repositories: shown }, names.length > wanted ? link : {});
  return { ...page, body: `${page.body}\n` };
}

const passedOn = ({ status, responseText = "" }: Reply): Answer =>
  status >= 500 ? UNAVAILABLE : { ...json(status, null), body: responseText };
