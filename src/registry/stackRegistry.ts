import { publicUrls } from "../config/resolve.js";
import type { Login } from "../credentials/userLogin.js";
import type { Session } from "../session.js";
import { RegistryApi } from "./registryApi.js";
import { RegistryClient } from "./registryClient.js";

/** What a command knows of its stack. One without a lock has no docker. */
type Stack = Pick<Session, "config" | "signal"> & Partial<Pick<Session, "docker">>;

/**
 * The registry of a stack, at its front door. An operation that lost the lock of the stack changes nothing in
 * it.
 */
export const stackRegistry = ({ config, signal, docker }: Stack, login: Login | undefined): RegistryApi =>
  new RegistryApi(
    new RegistryClient(publicUrls(config).registry, login, { signal, guard: () => docker?.guard?.() }),
  );
