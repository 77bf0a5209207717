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
  mutation(
    "it is decided by the address that was asked for",
    "set $decision $verdict;",
    'set $decision "";',
    access.anybodyReads,
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
  mutation(
    "wrong passwords of an address are limited",
    "limit_req zone=wrong burst=10 nodelay;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "checks for everybody are limited",
    "limit_req zone=pace burst=14 delay=9;",
    "",
    edge.guessesOfEverybodyAreLimited,
    "proxy",
  ),
  mutation(
    "one address does not take all turns",
    "limit_conn waiting 14;",
    "",
    edge.guessesOfEverybodyAreLimited,
    "proxy",
  ),
  mutation("who waits is no fault", "limit_conn_status 529;", "", edge.guessesOfEverybodyAreLimited, "proxy"),
  mutation(
    "too many checks are no fault",
    "limit_req_status 529;",
    "",
    edge.guessesOfEverybodyAreLimited,
    "proxy",
  ),
  mutation(
    "too many wrong passwords are no fault",
    "limit_req_status 429;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "wrong passwords are counted",
    "error_page 401 = /wrong;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "an address that sent too many is remembered",
    "proxy_cache_valid 429 30s;",
    "",
    edge.guessesAreLimitedAndNobodyElseIs,
  ),
  mutation(
    "of an address nothing else is remembered",
    "proxy_cache_valid 429 30s;",
    "proxy_cache_valid any 30s;",
    access.aWrongPasswordOpensNothing,
  ),
  mutation(
    "each address is remembered for itself",
    "proxy_cache_key $http_x_client_address;",
    "proxy_cache_key x;",
    edge.oneAddressIsNotRefusedForAnother,
    "proxy",
  ),
  mutation(
    "wrong passwords are counted for each address",
    "limit_req_zone $http_x_client_address",
    "limit_req_zone $host",
    edge.oneAddressIsNotRefusedForAnother,
    "proxy",
  ),
  mutation(
    "who was right goes past the limits",
    /if \(\$http_x_last_answer = EXPIRED\) \{[^}]*\}/,
    "",
    edge.whoWasRightBeforeWaitsForNobody,
    "forgetful",
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
