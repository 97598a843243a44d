// The camera and the microphone: what there is, what was chosen, what it shows.

const element = (id) => document.getElementById(id);

/** Devices holds the local tracks while the page is open. */
export class Devices {
  tracks = { audio: null, video: null };
  #meter;

  /** Asks for both, or for what can be had of them; gives what could not be. */
  async open() {
    const missing = [];
    for (const kind of ["video", "audio"]) {
      try { await this.choose(kind, ""); } catch (error) { missing.push(reason(kind, error)); }
    }
    await this.list();
    return missing;
  }

  /** Takes another device of a kind; "none" gives it up. */
  async choose(kind, id) {
    this.tracks[kind]?.stop();
    this.tracks[kind] = null;
    if (id !== "none") {
      if (!navigator.mediaDevices) throw new DOMException("", "SecurityError");
      const wish = { deviceId: id ? { exact: id } : undefined, ...(kind === "video" && { width: 1280, height: 720, frameRate: 30 }) };
      const stream = await navigator.mediaDevices.getUserMedia({ [kind]: wish });
      [this.tracks[kind]] = stream.getTracks();
    }
    if (kind === "video") this.#preview();
    else this.#listen();
  }

  /** Fills the two menus. */
  async list() {
    const all = await navigator.mediaDevices?.enumerateDevices() ?? [];
    for (const [menu, kind, of] of [["camera", "videoinput", "video"], ["microphone", "audioinput", "audio"]]) {
      const current = this.tracks[of]?.getSettings().deviceId ?? "none";
      element(menu).replaceChildren(
        ...all.filter((d) => d.kind === kind && d.deviceId).map((d) => new Option(d.label || "Unnamed", d.deviceId)),
        new Option("None", "none"));
      element(menu).value = current;
    }
  }

  /** Lets go of what only the preview needed. */
  hush() {
    clearInterval(this.#meter);
    this.#meter = undefined;
  }

  #preview() {
    const { video } = this.tracks;
    element("preview").srcObject = video && new MediaStream([video]);
    element("preview").classList.toggle("mirrored", Boolean(video));
    element("no-camera").hidden = Boolean(video);
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

function reason(kind, error) {
  const name = kind === "video" ? "camera" : "microphone";
  switch (error.name) {
    case "NotAllowedError": return `You have not let this page use the ${name}.`;
    case "NotFoundError": return `There is no ${name}.`;
    case "SecurityError": return "A browser gives camera and microphone only to pages from https or from this computer.";
  }
  return `The ${name} could not be started: ${error.message}`;
}
