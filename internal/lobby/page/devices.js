// The camera and the microphone: what there is, what was chosen, what it shows.

const element = (id) => document.getElementById(id);

/** Devices holds the local tracks while the page is open. */
export class Devices {
  tracks = { audio: null, video: null };
  #meter;

  /** Asks for both, or for what can be had of them; says what could not be, "" if all could. */
  async open() {
    const missing = [];
    for (const kind of ["video", "audio"]) missing.push(await this.choose(kind, ""));
    navigator.mediaDevices?.addEventListener("devicechange", () => this.list());
    return missing.filter(Boolean).join(" ");
  }

  /** Takes another device of a kind; "none" gives it up, "" is any. Says why it could not be had, "" if it could. */
  async choose(kind, id) {
    this.tracks[kind]?.stop();
    this.tracks[kind] = null;
    let why = "";
    if (id !== "none") {
      try { this.tracks[kind] = await take(kind, id); } catch (error) { why = reason(kind, error); }
    }
    if (kind === "video") this.#preview(why);
    else this.#listen();
    await this.list();
    return why;
  }

  /** Fills the two menus. */
  async list() {
    const all = await navigator.mediaDevices?.enumerateDevices() ?? [];
    for (const [menu, kind, of] of [["camera", "videoinput", "video"], ["microphone", "audioinput", "audio"]]) {
      const current = this.tracks[of]?.getSettings().deviceId ?? "none";
      const known = all.filter((d) => d.kind === kind && d.deviceId).map((d) => new Option(d.label || "Unnamed", d.deviceId));
      const ask = known.length === 0 ? [new Option(`Ask for the ${menu}`, "")] : [];
      element(menu).replaceChildren(...known, new Option("None", "none"), ...ask);
      element(menu).value = current;
    }
  }

  /** Lets go of what only the preview needed. */
  hush() {
    clearInterval(this.#meter);
    this.#meter = undefined;
  }

  #preview(why) {
    const { video } = this.tracks;
    element("preview").srcObject = video && new MediaStream([video]);
    element("preview").classList.toggle("mirrored", Boolean(video));
    element("no-camera").hidden = Boolean(video);
    element("no-camera").textContent = why || "The camera is off.";
  }

  // listen shows how loud the microphone is.
  #listen() {
    this.hush();
    const meter = element("level"), { audio } = this.tracks;
    const show = (level) => {
      meter.ariaValueNow = String(Math.round(100 * level));
      meter.firstElementChild.style.transform = `scaleX(${level})`;
    };
    show(0);
    if (!audio) return;
    const context = new AudioContext(), ear = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([audio])).connect(ear);
    const wave = new Float32Array(ear.fftSize);
    this.#meter = setInterval(() => {
      ear.getFloatTimeDomainData(wave);
      show(Math.min(Math.sqrt(wave.reduce((sum, v) => sum + v * v, 0) / wave.length) * 6, 1));
    }, 100);
  }
}

async function take(kind, id) {
  if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
  const wish = { deviceId: id ? { exact: id } : undefined, ...(kind === "video" && { width: 1280, height: 720, frameRate: 30 }) };
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wish });
  return stream.getTracks()[0];
}

function reason(kind, error) {
  const name = kind === "video" ? "camera" : "microphone";
  switch (error.name) {
    case "NotAllowedError": return `You have not let this page use the ${name}.`;
    case "NotFoundError": return `There is no ${name}.`;
    case "SecurityError": return "A browser gives camera and microphone only to pages from https or from this computer.";
  }
  return `The ${name} could not be started: ${error.message}`;
}
