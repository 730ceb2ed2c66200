// A list of any length that has nodes only for the rows in sight. It is a listbox, and works with the keyboard.

const MORE = 4; // rows beyond each edge, so that scrolling shows no gaps

/**
 * A window of rows over a long list. All rows have one height, which the style sheet sets as --row of the box.
 *
 * @param {HTMLElement} box the element that scrolls, with the role listbox
 * @param {object} settings
 *   key(item): what tells items apart
 *   make(): an empty row;  fill(row, item): show an item in it
 *   chosen(item): called when somebody chooses one;  entered(item): … and presses Enter
 *   follows: whether to stay at the end when items are added, as long as it is in sight
 */
export class WindowList {
  constructor(box, settings) {
    this.box = box;
    this.settings = settings;
    this.items = [];
    this.chosenKey = null;
    this.following = Boolean(settings.follows);
    this.rows = [];
    this.view = 0;
    this.end = 0;
    this.placed = null; // where we have scrolled to; an event for that is no sign of a reader
    this.space = document.createElement("div");
    this.space.className = "space";
    box.append(this.space);
    box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    box.addEventListener("keydown", (event) => this.#key(event));
    // Not "click": where messages come fast, the row under the pointer is another one when the button goes up.
    box.addEventListener("mousedown", (event) => event.button === 0 && this.#pressed(event));
    new ResizeObserver(() => this.measure()).observe(box);
    this.measure();
  }

  /** Look anew how high the box and its rows are. */
  measure() {
    const before = this.height;
    this.height = parseFloat(getComputedStyle(this.box).getPropertyValue("--row")) || 24;
    const bottom = this.box.scrollTop + this.view;
    this.view = this.box.clientHeight;
    const chosen = (this.items.findIndex((item) => this.settings.key(item) === this.chosenKey) + 1) * this.height;
    // A box that becomes smaller must not cover the row for which it does so.
    if (chosen <= bottom && chosen > this.box.scrollTop + this.view) this.box.scrollTop = chosen - this.view;
    if (before && before !== this.height) this.#rescaled(before);
    if (this.following) this.#toEnd(); // at once: the browser has scrolled, too, and that is no sign of a reader
    this.draw();
  }

  /** Rows have another height now: keep the first one in sight where it is. */
  #rescaled(before) {
    const first = this.box.scrollTop / before;
    for (const row of this.rows) row.index = undefined;
    this.#stretch();
    this.box.scrollTop = first * this.height;
  }

  /** Show other items. */
  set(items) {
    this.items = items;
    this.draw();
  }

  /** Say that so many items were taken away at the start: what is in sight stays where it is. */
  removedAtStart(number) {
    if (!this.following) this.box.scrollTop -= number * this.height;
  }

  /** Draw with the next frame. */
  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.#draw();
    });
  }

  /** Go to the end, and stay there. */
  follow() {
    this.following = true;
    this.draw();
  }

  #draw() {
    this.#stretch();
    if (this.following) this.#toEnd();
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - MORE);
    const wanted = Math.ceil(this.view / this.height) + 2 * MORE;
    this.#haveRows(wanted);
    // A row goes on to show its item while both are in sight, so only what is new is drawn.
    let chosen = null;
    for (let index = first; index < first + this.rows.length; index += 1) {
      const row = this.rows[index % this.rows.length];
      if (this.#place(row, index)) chosen = row;
    }
    // A chosen item that is not drawn has no row that could be read aloud.
    if (chosen) this.box.setAttribute("aria-activedescendant", chosen.id);
    else this.box.removeAttribute("aria-activedescendant");
    this.settings.drawn?.();
  }

  #stretch() {
    const total = this.items.length * this.height;
    const height = `${total}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
    this.end = Math.max(0, total - this.view);
  }

  #toEnd() {
    this.#stretch();
    if (this.box.scrollTop === this.end) return;
    this.box.scrollTop = this.end;
    this.placed = this.box.scrollTop;
  }

  #haveRows(wanted) {
    while (this.rows.length < wanted) {
      const row = this.settings.make();
      row.setAttribute("role", "option");
      row.id = `${this.box.id}-${this.rows.length}`;
      this.rows.push(row);
      this.space.append(row);
    }
    while (this.rows.length > wanted) this.rows.pop().remove();
  }

  /** Show the item with this index in a row, and return whether it is the chosen one. */
  #place(row, index) {
    const item = this.items[index];
    row.hidden = item === undefined;
    if (item === undefined) {
      row.item = undefined;
      return false;
    }
    if (row.index !== index) {
      row.index = index;
      row.style.transform = `translateY(${index * this.height}px)`;
      row.setAttribute("aria-posinset", index + 1);
      row.classList.toggle("odd", index % 2 === 1);
    }
    if (row.total !== this.items.length) row.setAttribute("aria-setsize", (row.total = this.items.length));
    if (row.item !== item) {
      row.item = item;
      this.settings.fill(row, item);
    }
    const chosen = this.settings.key(item) === this.chosenKey;
    if (row.getAttribute("aria-selected") !== String(chosen)) row.setAttribute("aria-selected", chosen);
    return chosen;
  }

  #scrolled() {
    if (this.box.clientHeight !== this.view) return this.measure(); // scrolled by the browser, as the box has changed
    if (this.settings.follows && this.box.scrollTop !== this.placed) {
      this.following = this.atEnd;
      this.placed = null;
    }
    this.draw();
  }

  /** Whether the last row is in sight. */
  get atEnd() {
    return this.box.scrollTop >= this.end - this.height / 2;
  }

  #pressed(event) {
    const row = event.target.closest("[role=option]");
    if (row?.item === undefined) return;
    this.following = false; // what somebody looks at stays in sight
    this.choose(row.item);
  }

  /** Choose an item, null for none. */
  choose(item) {
    this.chosenKey = item === null ? null : this.settings.key(item);
    this.draw();
    this.settings.chosen(item);
  }

  #key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const page = Math.max(1, Math.floor(this.view / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const at = this.items.findIndex((item) => this.settings.key(item) === this.chosenKey);
    if (event.key === "Enter" && at >= 0) this.settings.entered?.(this.items[at]);
    else if (event.key === "Escape") this.choose(null);
    else if (event.key in steps && this.items.length) this.#step(at, steps[event.key]);
    else return;
    event.preventDefault();
  }

  #step(at, step) {
    // Without a choice, begin at the row in sight: the last one where the list follows, else the first.
    const start = Math.floor(this.box.scrollTop / this.height) - 1;
    const from = at >= 0 ? at : this.following ? this.items.length : Math.max(-1, start);
    const to = Math.min(this.items.length - 1, Math.max(0, from + step));
    const top = to * this.height;
    if (this.settings.follows) this.following = to === this.items.length - 1;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + this.height > this.box.scrollTop + this.view) this.box.scrollTop = top + this.height - this.view;
    this.choose(this.items[to]);
  }
}
