// Patterns of names, as the API takes them: * and ? and [sets].

const escaped = (text) => text.replace(/[*?[]/g, "[$&]");
const isPattern = (text) => /[*?[]/.test(text);

/** Return a pattern that only this name matches. */
export const exactly = (name) => escaped(name);

/** Return a pattern for what somebody types into a search field: a pattern, or a part of the name. */
export const within = (text) => (isPattern(text) ? text : `*${text}*`);

/** Return whether a text matches a pattern. An empty pattern matches everything. */
export function matches(pattern, text, flags = "u") {
  if (!pattern) return true;
  const parts = pattern.match(/\[!?\]?[^\]]*\]|[\s\S]/g) ?? [];
  const source = parts.map((part) => {
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    if (part.length > 2 && part.startsWith("[")) return set(part.slice(1, -1));
    return part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
  });
  try {
    return new RegExp(`^(?:${source.join("")})$`, flags).test(text);
  } catch {
    return true; // the server judges; this is only for what is on the screen already
  }
}

function set(content) {
  const negative = content.startsWith("!");
  const letters = (negative ? content.slice(1) : content).replace(/[\\\]^[]/g, "\\$&");
  return `[${negative ? "^" : ""}${letters}]`;
}
