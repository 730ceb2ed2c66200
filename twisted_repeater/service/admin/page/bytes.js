// Bytes as base64, hex and text, and back. The text form is the one that the API takes: \xNN, \r, \n, \t and \\.

/** Return the bytes that base64 stands for. */
export const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Return bytes as hex, in pairs: "38 3d 31". */
export const toHex = (bytes) => Array.from(bytes, hex).join(" ");

const hex = (byte) => byte.toString(16).padStart(2, "0");
const SHORT = { 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\" };

/** Return bytes as text that can be edited: valid UTF-8 that prints is itself, all else is escaped. */
export function toText(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = utf8Length(bytes, at);
    const letter = length > 1 && at + length <= bytes.length ? decoded(bytes.subarray(at, at + length)) : null;
    if (letter !== null) text += letter;
    else if (SHORT[bytes[at]]) text += SHORT[bytes[at]];
    else if (bytes[at] >= 32 && bytes[at] < 127) text += String.fromCharCode(bytes[at]);
    else text += `\\x${hex(bytes[at])}`;
    at += letter === null ? 1 : length;
  }
  return text;
}

/** Return how many bytes the UTF-8 character that begins here would have. */
function utf8Length(bytes, at) {
  const first = bytes[at];
  return first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
}

const LEAST = [0, 0, 0x80, 0x800, 0x10000]; // the first character that needs so many bytes

/** Return the letter that these bytes are, null if they are none that prints. By hand: TextDecoder throws for each wrong one, which takes seconds. */
function decoded(piece) {
  let code = piece[0] & (0xff >> (piece.length + 1));
  for (const byte of piece.subarray(1)) {
    if ((byte & 0xc0) !== 0x80) return null;
    code = (code << 6) | (byte & 0x3f);
  }
  if (code < LEAST[piece.length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return null;
  const letter = String.fromCodePoint(code);
  return /^[\p{L}\p{N}\p{P}\p{S}]$/u.test(letter) ? letter : null;
}

/** Return the lines of a dump: offset, sixteen bytes in hex, and the same as text. */
export function dump(bytes, width = 16) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += width) {
    const part = bytes.subarray(at, at + width);
    const pairs = Array.from(part, hex);
    lines.push({
      offset: at.toString(16).padStart(5, "0"),
      hex: `${pairs.slice(0, width / 2).join(" ")}  ${pairs.slice(width / 2).join(" ")}`.padEnd(width * 3 + 1),
      text: Array.from(part, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join(""),
    });
  }
  return lines;
}
