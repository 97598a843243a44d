// The grid of pictures: a tile for everybody who publishes.

const gap = 12, smallest = 112; // px; more people than fit in such tiles are scrolled to

export const nameOf = (info) => (info.userId || info.attributes.displayName || info.id) + (info.isLocal ? " (you)" : "");

/** What was measured of somebody's media, in figures. */
export function figures({ width, height, fps, bitrate, loss, rtt }) {
  const size = height ? `${width}×${height}, ${fps} fps, ` : "";
  const delay = rtt === null ? "" : `, ${Math.round(1000 * rtt)} ms`;
  return `${size}${Math.round(bitrate / 1000)} kbit/s, ${(100 * loss).toFixed(1)} % lost${delay}`;
}

/** Tiles keeps the grid. */
export class Tiles {
  #grid; #all = new Map(); // participant id -> tile

  constructor(grid) {
    this.#grid = grid;
    new ResizeObserver(() => this.#arrange()).observe(grid);
  }

  get ids() { return [...this.#all.keys()]; }

  /** Shows streams of somebody. */
  add(info, streams) {
    const tile = this.#all.get(info.id) ?? this.#make(info);
    for (const { mediaStreamTrack, streamType } of streams) {
      if (info.isLocal && streamType === "audio") continue; // nobody wants to hear himself
      tile.media.addTrack(mediaStreamTrack);
      mediaStreamTrack.onmute = mediaStreamTrack.onunmute = () => this.update(info); // nothing comes, or it does now
    }
    this.update(info);
  }

  /** Takes streams of somebody away, and the tile with the last. */
  remove(info, streams) {
    const tile = this.#all.get(info.id);
    if (!tile) return;
    for (const { mediaStreamTrack } of streams) tile.media.removeTrack(mediaStreamTrack);
    if (tile.media.getTracks().length > 0 && !info.isLocal) return this.update(info);
    tile.figure.remove();
    this.#all.delete(info.id);
    this.#arrange();
  }

  clear() {
    for (const { figure } of this.#all.values()) figure.remove();
    this.#all.clear();
  }

  /** Shows name and mute state as they are now. */
  update(info, muted = { audio: info.audioMuted, video: info.videoStopped }) {
    const tile = this.#all.get(info.id);
    if (!tile) return;
    const dark = muted.video || tile.media.getVideoTracks().every((track) => track.muted);
    tile.figure.classList.toggle("dark", dark);
    tile.initial.hidden = !dark;
    tile.initial.textContent = nameOf(info).slice(0, 1).toUpperCase();
    tile.name.textContent = nameOf(info);
    tile.muted.hidden = !muted.audio;
  }

  /** Shows how well somebody's media get through; null hides it. */
  judge(id, quality) {
    const tile = this.#all.get(id);
    if (!tile) return;
    tile.quality.hidden = !quality;
    if (!quality) return;
    const dots = { good: "●●●", fair: "●●○", poor: "●○○" }[quality.level];
    if (tile.quality.dataset.level !== quality.level) {
      tile.quality.dataset.level = quality.level;
      tile.quality.replaceChildren(part("dots", `${dots} `), part("word", quality.level));
      tile.quality.firstChild.ariaHidden = "true";
    }
    tile.quality.title = figures(quality);
  }

  /** Says something about somebody's picture; "" takes it back. */
  note(id, text) {
    const tile = this.#all.get(id);
    if (tile) Object.assign(tile.note, { textContent: text, hidden: !text });
  }

  /** Whether there is a picture to be seen of somebody. */
  shows(id) { return Boolean(this.#all.get(id)?.media.getVideoTracks().length) && !this.#all.get(id).figure.classList.contains("dark"); }

  #make(info) {
    const figure = document.createElement("figure");
    const hidden = (name) => Object.assign(part(name), { hidden: true });
    const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true, muted: info.isLocal });
    const tile = {
      figure, media: new MediaStream(), initial: hidden("initial"), name: part("name"), muted: part("muted", "muted"),
      quality: hidden("quality"), note: hidden("note"),
    };
    video.classList.toggle("mirrored", info.isLocal);
    video.srcObject = tile.media;
    const caption = document.createElement("figcaption");
    caption.append(tile.name, tile.muted, tile.quality, tile.note);
    tile.initial.ariaHidden = "true";
    figure.id = `tile-${info.id}`;
    figure.append(video, tile.initial, caption);
    this.#all.set(info.id, tile);
    this.#grid.append(figure);
    this.#arrange();
    return tile;
  }

  // arrange takes the number of columns with which the pictures become largest; a tile is between 4:3 and 16:9.
  #arrange() {
    const { clientWidth, clientHeight } = this.#grid, count = this.#all.size;
    const share = (whole, parts) => Math.floor((whole - gap * (parts - 1)) / parts);
    let width = 0, height = 0;
    for (let columns = 1; columns <= count; columns++) {
      const wide = share(clientWidth, columns), high = share(clientHeight, Math.ceil(count / columns));
      const w = Math.min(wide, Math.floor(16 / 9 * high)), h = Math.min(high, Math.floor(3 / 4 * w));
      if (w * h > width * height) [width, height] = [w, h];
    }
    if (width < smallest) [width, height] = [smallest, 3 / 4 * smallest];
    this.#grid.style.setProperty("--width", `${width}px`);
    this.#grid.style.setProperty("--height", `${height}px`);
    this.#grid.tabIndex = this.#grid.scrollHeight > clientHeight ? 0 : -1; // so that it can be scrolled with keys
  }
}

const part = (name, text = "") => Object.assign(document.createElement("span"), { className: name, textContent: text });
