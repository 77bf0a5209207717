/** Rules of the rendered gateway, each with what takes it away. Those of the program's decisions have unit tests, and `npm run mutations`. */
import * as access from "./accessProbes.js";
import * as edge from "./edgeProbes.js";
import * as guess from "./guessProbes.js";
import { type Mutation, mutation, replace } from "./mutation.js";

const upstreamHeader = (header: string): Mutation =>
  mutation(
    `the registry hears the gateway's ${header}`,
    new RegExp(`(?<=^        )proxy_set_header ${header} .*;`, "m"),
    // Where the gateway sets nothing, nginx passes on what the client sent, but for Host.
    header === "Host" ? "proxy_set_header Host $http_host;" : "",
    edge.theRegistryHearsTheGatewayAlone,
    "mirror",
  );

/** What nginx does around the program. */
const OF_NGINX: Mutation[] = [
  mutation("the program decides", "js_access gateway.access;", "", access.anybodyReads),
  mutation(
    "who waited for a turn is looked at again",
    /js_access gateway\.turn;/g,
    "",
    guess.whoWaitsForATurnIsLookedAtAgain,
    "held",
  ),
  mutation(
    "an office does not take all turns",
    "limit_conn waiting 60;",
    "",
    guess.whoComesBackAfterARollIsCheckedAtOnce,
    "held",
  ),
  mutation(
    "checks for everybody are limited",
    "limit_req zone=pace burst=14 delay=9;",
    "",
    guess.guessesOfEverybodyAreLimited,
    "held",
  ),
  mutation(
    "one address does not take all turns",
    "limit_conn waiting 4;",
    "",
    guess.guessesOfEverybodyAreLimited,
    "held",
  ),
  ...["limit_conn_status 529;", "limit_req_status 529;"].map((line) =>
    mutation(`who waits is no fault: ${line}`, line, "", guess.guessesOfEverybodyAreLimited, "held"),
  ),
  {
    rule: "what the registry hears of a guess is the credential alone",
    probe: edge.aCheckSaysTheCredentialAlone,
    around: "checks",
    change: (files) => ({
      ...files,
      config: replace(files.config, /proxy_pass_request_headers off;/g, ""),
    }),
  },
  mutation(
    "a network has its places",
    /limit_conn answers_of_network \d+;/g,
    "",
    edge.oneNetworkDoesNotTakeAllPlaces,
    "narrow",
  ),
  mutation(
    "a body that nobody reads does not stay",
    "lingering_timeout 2s;",
    "",
    edge.unreadBodiesAreFew,
    "stack",
  ),
  mutation(
    "an unread body that has ended is counted no more",
    "access_log /dev/null combined if=$was_unread;",
    "",
    edge.unreadBodiesAreFew,
    "stack",
  ),
  mutation(
    "a missing registry is told",
    "error_page 502 504 = @unavailable;",
    "",
    edge.aMissingRegistryIsSaidToBeMissing,
    "nothing",
  ),
  mutation("no version of nginx", "server_tokens off;", "", access.theFirstAnswerIsTheChallenge),
  mutation(
    "no query in the log",
    "$request_method $path",
    "$request",
    edge.theLogHoldsNoCredentialAndNoQuery,
  ),
  mutation(
    "no credential in the log",
    '"$person"',
    '"$http_authorization"',
    edge.theLogHoldsNoCredentialAndNoQuery,
  ),
  mutation("bodies of any size", "client_max_body_size 0;", "", edge.largeBodiesStreamThrough),
  mutation("bodies stream", "proxy_request_buffering off;", "", edge.largeBodiesStreamThrough),
  ...["Host", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-For", "Forwarded", "Authorization"].map(
    upstreamHeader,
  ),
  mutation(
    "addresses are not the client's",
    /proxy_set_header X-Forwarded-Host/g,
    "proxy_set_header X-Old",
    edge.addressesAreOfTheConfiguredHost,
  ),
  mutation(
    "what the program asks is not to be asked from outside",
    /(?<=location \/ask\/ \{\s+)internal;/,
    "",
    access.innerPlacesAreNotToBeHad,
  ),
];

/** Some rules of the program that unit tests do not see whole: what nginx and the registry make of them. */
const OF_THE_PROGRAM: Mutation[] = [
  mutation(
    "a user is checked",
    'return isPublic ? "allow" : "check";',
    'return "allow";',
    access.aWrongPasswordOpensNothing,
    "stack",
    "program",
  ),
  mutation(
    "each credential for itself",
    ".update(credential)",
    '.update("x")',
    access.aWrongPasswordOpensNothing,
    "stack",
    "program",
  ),
  mutation(
    "wrong passwords of an address are limited",
    ">= limits.wrongAtOnce",
    ">= 1e9",
    guess.guessesAreLimitedAndNobodyElseIs,
    "stack",
    "program",
  ),
  mutation(
    "wrong passwords are counted for each address",
    /`wrong \$\{network\}`/g,
    '"wrong"',
    guess.oneAddressIsNotRefusedForAnother,
    "proxy",
    "program",
  ),
  mutation(
    "a network of IPv6 is one",
    ".slice(0, 4)",
    "",
    guess.aNetworkOfIpv6CountsAsOneAddress,
    "proxy",
    "program",
  ),
  mutation(
    "guesses of everybody slow the checks down",
    'isCalm ? "swift" : "pace"',
    '"swift"',
    guess.guessesOfEverybodyAreLimited,
    "held",
    "program",
  ),
  mutation(
    "who comes back after a roll does not wait in the slow queue",
    'isCalm ? "swift" : "pace"',
    '"pace"',
    guess.whoComesBackAfterARollIsCheckedAtOnce,
    "held",
    "program",
  ),
  mutation(
    "one asks for all who ask at once",
    /(?<=if \()(?=!memory\.add\(turn)/,
    "false && ",
    guess.theSameWrongPasswordIsOneGuess,
    "held",
    "program",
  ),
  mutation(
    "who was right goes past the limits",
    "wasRight ? void 0 :",
    "false ? void 0 :",
    guess.whoWasRightBeforeWaitsForNobody,
    "forgetful",
    "program",
  ),
];

export const RULES: readonly Mutation[] = [...OF_NGINX, ...OF_THE_PROGRAM];
