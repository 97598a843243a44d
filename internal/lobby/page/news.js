// What a screen reader tells of comings and goings: a crowd in one sentence.

const pause = 1000; // ms in which more may come

/** News collects who came and went, and says it. */
export class News {
  #place; #timer;
  #lists = { joined: [], left: [] };

  constructor(place) { this.#place = place; }

  joined(name) { this.#add("joined", name); }
  left(name) { this.#add("left", name); }

  clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#lists = { joined: [], left: [] };
    this.#place.textContent = "";
  }

  #add(what, name) {
    this.#lists[what].push(name);
    this.#timer ??= setTimeout(() => this.#say(), pause);
  }

  #say() {
    const said = Object.entries(this.#lists).filter(([, names]) => names.length > 0).map(([what, names]) =>
      names.length > 3 ? `${names.length} people have ${what}.` : `${names.join(" and ")} ${names.length > 1 ? "have" : "has"} ${what}.`);
    this.clear();
    this.#place.textContent = said.join(" ");
  }
}
