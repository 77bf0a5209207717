/** Rules of the gateway outside of its locations. */
import * as access from "./accessProbes.js";
import * as edge from "./edgeProbes.js";
import { type Mutation, mutation } from "./mutation.js";

const upstreamHeader = (header: string): Mutation =>
  mutation(
    `the registry hears the gateway's ${header}`,
    new RegExp(`(?<=^        )proxy_set_header ${header} .*;`, "m"),
    // Where the gateway sets nothing, nginx passes on what the client sent, but for Host and Connection.
    header === "Host" || header === "Connection"
      ? `proxy_set_header ${header} $http_${header.toLowerCase()};`
      : "",
    edge.theRegistryHearsTheGatewayAlone,
    "mirror",
  );

export const GENERAL_RULES: Mutation[] = [
  mutation(
    "anonymous is one token",
    '"~*^Bearer +anonymous$"',
    '"~*^Bearer +anonymous"',
    access.credentialsOfNoKnownFormOpenNothing,
  ),
  mutation(
    "Bearer alone is nobody",
    '"~*^Bearer +anonymous$" ',
    '"~*^Bearer" ',
    access.credentialsOfNoKnownFormOpenNothing,
  ),
  mutation(
    "nonsense is no absence",
    "default                                  invalid;",
    "default none;",
    access.credentialsOfNoKnownFormOpenNothing,
  ),
  mutation("an upload is its user's", "(?!.*/blobs/uploads(?:/|$))", "", access.anUploadIsItsUsersAlone),
  mutation(
    "only GET and HEAD read",
    '"~^(?:GET|HEAD) ',
    '"~^(?:GET|HEAD|POST|PUT|PATCH|DELETE) ',
    access.nobodyWritesWithoutAPassword,
  ),
  mutation(
    "other methods write",
    "default                                      write;",
    "default read;",
    access.nobodyWritesWithoutAPassword,
  ),
  mutation(
    "who is not let in is refused",
    "default                     refuse;",
    "default allow;",
    access.nobodyWritesWithoutAPassword,
  ),
  mutation(
    "a user is checked",
    '"~^user "                   check;',
    '"~^user " allow;',
    access.aWrongPasswordOpensNothing,
  ),
  mutation("anonymous pulling is allowed", '"~^(?:none|anonymous) read" allow;', "", access.anybodyReads),
  mutation(
    "a message of its own",
    "log in first: docker login localhost",
    "unauthorized: localhost",
    access.theFirstAnswerIsTheChallenge,
  ),
  mutation(
    "a message for a wrong password",
    /user {4}"wrong user name.*;/,
    "",
    access.aWrongPasswordOpensNothing,
  ),
  ...["push", "delete", "\\*", "%2A"].map((right) =>
    mutation(
      `no anonymous token for ${right}`,
      `${right}|`.replace("%2A|", "|%2A"),
      "",
      access.anonymousTokensAreForPullingAlone,
    ),
  ),
  mutation(
    "guesses of an address are limited",
    "limit_req zone=guesses burst=10 nodelay;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "guesses of everybody are limited",
    "limit_req zone=all_guesses burst=20;",
    "",
    edge.guessesOfEverybodyAreLimited,
    "proxy",
  ),
  mutation(
    "guesses are limited for each address",
    "limit_req_zone $http_x_client_address",
    "limit_req_zone $server_port",
    edge.guessesOfEverybodyAreLimited,
    "proxy",
  ),
  mutation(
    "too many guesses are no fault",
    "limit_req_status 429;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "refusals are in our words",
    "error_page 401 @challenge;",
    "",
    access.theFirstAnswerIsTheChallenge,
  ),
  mutation(
    "a missing registry is told",
    "error_page 403 502 504 = @unavailable;",
    "",
    edge.aMissingRegistryIsSaidToBeMissing,
    "nothing",
  ),
  mutation("no version of nginx", "server_tokens off;", "", access.theFirstAnswerIsTheChallenge),
  mutation("no query in the log", "$request_method $uri", "$request", edge.theLogHoldsNoCredentialAndNoQuery),
  mutation(
    "no credential in the log",
    '"$user"',
    '"$http_authorization"',
    edge.theLogHoldsNoCredentialAndNoQuery,
  ),
  mutation("bodies of any size", "client_max_body_size 0;", "", edge.largeBodiesStreamThrough),
  mutation("bodies stream", "proxy_request_buffering off;", "", edge.largeBodiesStreamThrough),
  ...[
    "Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-For",
    "Forwarded",
    "Connection",
    "Authorization",
  ].map(upstreamHeader),
  mutation(
    "readers get no credential",
    'read    "";',
    "read    $gateway_authorization;",
    edge.theRegistryHearsTheGatewayAlone,
    "mirror",
  ),
  mutation(
    "addresses are not the client's",
    "proxy_set_header X-Forwarded-Host",
    "proxy_set_header X-Old",
    edge.addressesAreOfTheConfiguredHost,
  ),
];
