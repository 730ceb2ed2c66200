// Calls of the HTTP API. Paths are relative to the page, so that it also works below a path of a reverse proxy.

const LONGEST = 20000; // milliseconds that a call may take

/** An answer that says no, or no answer: `status` is 0 if the administration could not be reached. */
export class ApiError extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

let loginNeeded = () => {};

/** Set what is called when an answer says that a login is needed. */
export function onLoginNeeded(call) {
  loginNeeded = call;
}

/** Make a call and return its answer. @throws {ApiError} with the one sentence that the answer has */
export async function call(method, path, body = undefined) {
  const settings = { method, cache: "no-store", signal: AbortSignal.timeout(LONGEST) };
  if (body !== undefined) {
    settings.body = JSON.stringify(body);
    settings.headers = { "Content-Type": "application/json" };
  }
  let answer;
  try {
    answer = await fetch(path, settings);
  } catch {
    throw new ApiError(0, "The administration cannot be reached.");
  }
  return (await checked(answer)).json().catch(() => ({}));
}

/** Return an answer if it says yes. @throws {ApiError} otherwise */
export async function checked(answer) {
  if (answer.ok) return answer;
  const said = await answer.json().catch(() => ({}));
  if (answer.status === 401) loginNeeded();
  throw new ApiError(answer.status, said.error ?? `The administration answered ${answer.status}.`);
}

export const get = (path) => call("GET", path);
export const post = (path, body = undefined) => call("POST", path, body);
export const put = (path, body) => call("PUT", path, body);
export const remove = (path) => call("DELETE", path);

/** Names that a browser takes out of a path, however they are written. */
export const DOTS = /^\.\.?$/;

/**
 * Return the path of something of a repeater: `of("edge", "links", 7, "close")`. Each part is escaped.
 *
 * @throws {ApiError} a part would not stay in the path, and it would be the path of something else
 */
export function of(repeater, ...parts) {
  const all = ["repeaters", repeater, ...parts].map(String);
  if (all.some((part) => DOTS.test(part))) throw new ApiError(400, "A browser cannot ask for the names . and .. in a path; ctl can.");
  return all.map((part) => [...part].map(escaped).join("")).join("/");
}

/** Escape a letter. A name may have bytes that are no text: they come as lone surrogates, and go back as these bytes. */
function escaped(letter) {
  const code = letter.codePointAt(0);
  if (code >= 0xdc80 && code <= 0xdcff) return `%${(code - 0xdc00).toString(16)}`;
  return code >= 0xd800 && code <= 0xdfff ? "%EF%BF%BD" : encodeURIComponent(letter);
}

/** Return a path with a query; what is empty is left out. */
export function asking(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}
