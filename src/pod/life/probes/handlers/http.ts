// An HTTP request over a connection made inside the pod, read as the kubelet reads it.

import { DialError } from "../../../../launch/dial.ts";
import { hostAddress, hostPort, UnknownHost } from "../address.ts";
import type { HandlerLimits, HandlerResult, HttpSpec, ProbeTarget } from "../target.ts";
import { answerBytesMax } from "../target.ts";
import type { HttpAnswer } from "./http-request.ts";
import { late, NotTls, RequestFailed, requestOnce } from "./http-request.ts";

const redirectsMax = 10;
/** The version of Kubernetes whose rules these are. */
const userAgent = "kube-probe/1.36";

export async function runHttp(
  spec: HttpSpec,
  target: ProbeTarget,
  limits: HandlerLimits,
): Promise<HandlerResult> {
  const { answer, warning } = await askHttp(spec, target, limits);
  if (limits.purpose === "hook") return judgeHook(answer, warning);
  return judgeProbe(answer);
}

type Asked = HttpAnswer | { readonly failure: string };

async function askHttp(
  spec: HttpSpec,
  target: ProbeTarget,
  limits: HandlerLimits,
): Promise<{ readonly answer: Asked; readonly warning?: HandlerResult["warning"] }> {
  const url = urlOf(spec, target);
  try {
    return { answer: await follow(url, spec, target, limits) };
  } catch (error) {
    if (error instanceof NotTls && limits.purpose === "hook") {
      const { answer } = await askHttp({ ...spec, scheme: "HTTP" }, target, limits);
      const message = "the server answered HTTPS in HTTP, and was asked again in HTTP";
      return { answer, warning: { reason: "LifecycleHTTPFallback", message } };
    }
    if (error instanceof RequestFailed || error instanceof DialError) {
      return { answer: { failure: `Get "${url.href}": ${error.message}` } };
    }
    if (error instanceof UnknownHost) {
      return { answer: { failure: `Get "${url.href}": dial tcp: ${error.message}` } };
    }
    throw error;
  }
}

function judgeProbe(answer: Asked): HandlerResult {
  if ("failure" in answer) return { ok: false, message: answer.failure };
  const { status, body } = answer;
  if (status < 200 || status >= 400) {
    return { ok: false, message: `HTTP probe failed with statuscode: ${status}` };
  }
  if (status < 300) return { ok: true, message: body };
  const warning = `Probe terminated redirects, Response body: ${body}`;
  return { ok: true, message: body, warning: { reason: "ProbeWarning", message: warning } };
}

/** Any answer will do, but a hook that is told off is worth a word. */
function judgeHook(answer: Asked, warning: HandlerResult["warning"]): HandlerResult {
  if ("failure" in answer) return { ok: false, message: answer.failure };
  const { status, body } = answer;
  const scolding = `HTTP hook was answered with statuscode: ${status}`;
  const told = status >= 400 ? { reason: "HookWarning", message: scolding } : warning;
  return { ok: true, message: body, ...(told && { warning: told }) };
}

function urlOf({ scheme, host, port, path }: HttpSpec, target: ProbeTarget): URL {
  const where = hostPort(host || target.podIp, target.portOf(port));
  return new URL(`${scheme.toLowerCase()}://${where}${path}`);
}

/** Redirects are followed on the same host only; one to another is the answer itself. */
async function follow(
  first: URL,
  spec: HttpSpec,
  target: ProbeTarget,
  limits: HandlerLimits,
): Promise<HttpAnswer> {
  const headers = headersOf(spec);
  const hostHeader = headers.get("host");
  const endMs = performance.now() + limits.timeoutMs;
  let url = first;
  for (let redirects = 0; ; redirects++) {
    const leftMs = endMs - performance.now();
    const address = { host: await hostAddress(bare(url.hostname)), port: portOf(url) };
    const fd = await target.dial(address, leftMs).catch((error: unknown) => {
      if (error instanceof DialError && error.isTimeout) throw new RequestFailed(late);
      throw error;
    });
    // The kubelet's client always names the port.
    const host = hostHeader ?? [hostPort(bare(url.hostname), portOf(url))];
    const answer = await requestOnce({
      fd,
      isTls: url.protocol === "https:",
      path: `${url.pathname}${url.search}`,
      headers: new Map([...headers, ["host", host]]),
      timeoutMs: endMs - performance.now(),
      bodyBytesMax: answerBytesMax,
      signal: limits.signal,
    });
    const next = nextUrl(answer, url);
    if (!next || next.hostname !== first.hostname) return answer;
    if (redirects === redirectsMax)
      throw new RequestFailed(`stopped after ${redirectsMax} redirects`);
    url = next;
  }
}

const redirectStatuses = [301, 302, 303, 307, 308];

function nextUrl({ status, location }: HttpAnswer, base: URL): URL | undefined {
  if (!redirectStatuses.includes(status) || location === "") return undefined;
  const next = URL.parse(location, base.href);
  return next && /^https?:$/.test(next.protocol) ? next : undefined;
}

function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

/** URLs put IPv6 addresses into brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[|\]$/g, "");
}

/** By lower-case name; a header that is given without a value takes away a default. */
function headersOf({ headers }: HttpSpec): Map<string, string[]> {
  const all = new Map<string, string[]>();
  for (const { name, value } of headers) {
    const key = name.toLowerCase();
    all.set(key, [...(all.get(key) ?? []), value]);
  }
  for (const [name, value] of [
    ["user-agent", userAgent],
    ["accept", "*/*"],
  ] as const) {
    const given = all.get(name);
    if (!given) all.set(name, [value]);
    else if (given[0] === "") all.delete(name);
  }
  all.set("connection", ["close"]);
  return all;
}
