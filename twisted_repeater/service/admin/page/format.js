// Numbers, sizes and times as people read them. Always the same width where they change often.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** Return a size: "0 B", "812 B", "1.4 KiB", "23 MiB". */
export function size(bytes) {
  let unit = 0;
  while (bytes > 1000 && unit < UNITS.length - 1) {
    bytes /= 1024;
    unit += 1;
  }
  return `${unit && bytes < 10 ? bytes.toFixed(1) : Math.round(bytes)} ${UNITS[unit]}`;
}

/** Return a count with separators: "12,480". */
export const count = (number) => Math.round(number).toLocaleString("en");

/** Return a rate: "0", "0.4", "87", "9,812". */
export const rate = (number) => (number > 0 && number < 10 ? number.toFixed(1).replace(/\.0$/, "") : count(number));

const two = (number) => String(number).padStart(2, "0");

/** Return a time of day with milliseconds; `seconds` since 1970. */
export function clock(seconds) {
  const when = new Date(seconds * 1000);
  const part = String(when.getMilliseconds()).padStart(3, "0");
  return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${part}`;
}

/** Return how long something takes: "0.4 s", "12 s", "3 min 05 s", "2 h 10 min". */
export function duration(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${two(Math.floor(seconds % 60))} s`;
  return `${Math.floor(seconds / 3600)} h ${two(Math.floor((seconds % 3600) / 60))} min`;
}

/** Return seconds as a countdown that keeps its width: "0:59". */
export function countdown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** What nobody sees, and what turns the text behind it around: \p{C} are controls, marks of direction, halves of pairs. */
const UNSEEN = /(?! )[\\\p{C}\p{Z}]/gu;

/** Return a name with what cannot be seen written as \\xNN, as the administration does it in messages. */
export const visible = (name) => name.replace(UNSEEN, (letter) => (letter === "\\" ? "\\\\" : bytesOf(letter).map(escaped).join("")));

const escaped = (byte) => `\\x${byte.toString(16).padStart(2, "0")}`;

/** Return the bytes of a letter. Bytes that are no text come as lone halves of pairs. */
function bytesOf(letter) {
  const code = letter.codePointAt(0);
  return code >= 0xdc80 && code <= 0xdcff ? [code - 0xdc00] : [...new TextEncoder().encode(letter)];
}

/** Return how the client of a message is called, or its link if it has no name. */
export const sender = (message) => (message.client ? visible(message.client) : `link ${message.link}`);

/** Return the summary of a message without its type, which stands beside it. */
export function summary(message) {
  const { type, summary: text } = message;
  return type && text.startsWith(`${type} `) ? text.slice(type.length + 1) : text;
}

const VERDICTS = {
  PASS_ON: "passed on",
  DROP: "dropped",
  DO_NOTHING: "dropped",
  Send: "changed",
  SendBack: "answered",
  PassOnAndSendBack: "passed on, answered",
};

/** Return a verdict in words. One that closes the link has its reason behind a colon. */
export const verdict = (name) => VERDICTS[name] ?? name.replace(/^Close\b/, "closed");

/** The arrow of a direction, and its name for screen readers. */
export const ARROWS = { to_server: "→", to_client: "←" };
export const WAYS = { to_server: "to server", to_client: "to client" };
