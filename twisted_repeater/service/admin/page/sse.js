// Reads an event stream (server-sent events) piece by piece.

/**
 * Return a function that takes the next piece of text.
 *
 * @param {function(string, object, string)} tell called with the kind of each event, its data and its id
 */
export function eventReader(tell) {
  let rest = "";
  let kind = "";
  let data = "";
  let id = "";

  function line(text) {
    if (text === "") {
      if (data) tell(kind || "message", JSON.parse(data), id);
      kind = data = "";
      return;
    }
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(text);
    if (name === "event") kind = value;
    else if (name === "data") data += value;
    else if (name === "id") id = value;
  }

  return (piece) => {
    const lines = (rest + piece).split(/\r\n|\n/);
    rest = lines.pop();
    lines.forEach(line);
  };
}
