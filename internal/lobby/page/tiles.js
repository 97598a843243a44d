// The grid of pictures: a tile for everybody who publishes.

export const nameOf = (info) => (info.userId || info.attributes.displayName || info.id) + (info.isLocal ? " (you)" : "");

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
    this.#all.clear();
    this.#grid.replaceChildren();
  }

  /** Shows name and mute state as they are now. */
  update(info, muted = { audio: info.audioMuted, video: info.videoStopped }) {
    const tile = this.#all.get(info.id);
    if (!tile) return;
    const dark = muted.video || tile.media.getVideoTracks().length === 0;
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
    const words = { good: "●●● good", fair: "●●○ fair", poor: "●○○ poor" };
    tile.quality.dataset.level = quality.level;
    tile.quality.textContent = words[quality.level];
    const size = quality.height ? `${quality.width}×${quality.height}, ${quality.fps} fps, ` : "";
    tile.quality.title = `${size}${Math.round(quality.bitrate / 1000)} kbit/s, ${(100 * quality.loss).toFixed(1)} % lost`
      + (quality.rtt === null ? "" : `, ${Math.round(1000 * quality.rtt)} ms`);
  }

  #make(info) {
    const figure = document.createElement("figure");
    const part = (name, text = "") => Object.assign(document.createElement("span"), { className: name, textContent: text, hidden: name !== "name" });
    const video = Object.assign(document.createElement("video"), { autoplay: true, playsInline: true, muted: info.isLocal });
    const tile = {
      figure, media: new MediaStream(), initial: part("initial"), name: part("name"), muted: part("muted", "muted"), quality: part("quality"),
    };
    video.classList.toggle("mirrored", info.isLocal);
    video.srcObject = tile.media;
    const caption = document.createElement("figcaption");
    caption.append(tile.name, tile.muted, tile.quality);
    figure.id = `tile-${info.id}`;
    figure.append(video, tile.initial, caption);
    this.#all.set(info.id, tile);
    this.#grid.append(figure);
    this.#arrange();
    return tile;
  }

  // arrange takes the number of columns with which the pictures become largest.
  #arrange() {
    const { clientWidth: width, clientHeight: height } = this.#grid, count = this.#all.size;
    const size = (columns) => Math.min(width / columns, 16 / 9 * height / Math.ceil(count / columns));
    let best = 1;
    for (let columns = 2; columns <= count; columns++) if (size(columns) > size(best)) best = columns;
    this.#grid.style.setProperty("--columns", String(best));
  }
}
