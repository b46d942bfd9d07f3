"use strict";
// What is on is asked for now and then; nothing that a server or a source says is ever taken for markup.
(() => {
  const ASK_EVERY = 5000, EARLIER_MOST = 8, LONGEST_WAIT = 30000;
  const byId = (id) => document.getElementById(id);
  const station = byId("station").textContent;
  const audio = byId("audio");
  let chosen = "/radio", mounts = [], wanted = false, wait = 1000, timer = 0, lastTitle = null;

  // --- playing ---

  // Another address each time: a browser that had kept the beginning would play that again.
  const address = () => chosen + "?t=" + Date.now().toString(36);

  const say = (text) => { byId("state").textContent = text; };

  const show = () => {
    const button = byId("play");
    button.setAttribute("aria-pressed", String(wanted));
    button.querySelector("span").textContent = wanted ? "Stop" : "Play";
    document.body.classList.toggle("playing", wanted && !audio.paused && audio.readyState > 2);
  };

  const start = () => {
    clearTimeout(timer);
    wanted = true;
    say("Connecting…");
    audio.src = address();
    audio.play().catch((error) => {
      if (error.name === "NotAllowedError") {
        stop();
        say("The browser wants you to press Play.");
      }
    });
    show();
  };

  // What only pauses goes on fetching, and is late afterwards.
  const stop = () => {
    clearTimeout(timer);
    wanted = false;
    audio.pause();
    audio.removeAttribute("src");
    audio.load();
    say("");
    show();
  };

  const again = () => {
    if (!wanted)
      return;
    const mount = heard();
    if (mount && mount.type && !audio.canPlayType(mount.type)) {
      stop();
      say("This browser cannot play " + mount.type + ".");
      return;
    }
    say("The stream was interrupted; connecting again…");
    show();
    clearTimeout(timer);
    timer = setTimeout(start, wait);
    wait = Math.min(wait * 2, LONGEST_WAIT);
  };

  audio.addEventListener("playing", () => { wait = 1000; say(""); show(); askOn(); });
  audio.addEventListener("waiting", () => { if (wanted) say("Buffering…"); show(); });
  audio.addEventListener("pause", show);
  audio.addEventListener("error", () => { if (audio.hasAttribute("src")) again(); });
  audio.addEventListener("ended", again);

  const toggle = () => (wanted ? stop() : start());
  byId("play").addEventListener("click", toggle);

  const volume = byId("volume");
  const setVolume = () => { audio.volume = volume.value / 100; audio.muted = false; };
  volume.addEventListener("input", setVolume);
  setVolume();

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat)
      return;
    if (event.key === "k")
      toggle();
    else if (event.key === "m") {
      audio.muted = !audio.muted;
      say(audio.muted ? "Muted." : "");
    }
  });

  // --- what is on ---

  const pathOf = (url) => {
    try {
      return new URL(url, location.href).pathname;
    } catch {
      return null;
    }
  };

  const text = (value) => (typeof value === "string" || typeof value === "number" ? String(value) : "");

  const readMounts = (status) => {
    const source = status && status.icestats && status.icestats.source;
    return [].concat(source || []).map((one) => ({
      path: pathOf(one.listenurl), type: text(one.server_type), name: text(one.server_name), title: text(one.title),
      genre: text(one.genre), about: text(one.server_description), bitrate: Number(one.bitrate) || 0,
      listeners: Number(one.listeners) || 0, peak: Number(one.listener_peak) || 0,
    })).filter((one) => one.path);
  };

  const nameOf = (mount) => mount.name || mount.path.slice(1);

  const remember = (title) => {
    if (lastTitle) {
      const item = document.createElement("li"), time = document.createElement("time");
      time.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      item.append(time, lastTitle);
      byId("titles").prepend(item);
      while (byId("titles").children.length > EARLIER_MOST)
        byId("titles").lastChild.remove();
      byId("earlier").hidden = false;
    }
    lastTitle = title;
  };

  const showTitle = (mount) => {
    const title = mount.title || nameOf(mount);
    if (byId("title").textContent !== title)
      byId("title").textContent = title;
    if (mount.title && lastTitle !== mount.title)
      remember(mount.title);
    document.title = title === station ? station : title + " – " + station;
    if ("mediaSession" in navigator)
      navigator.mediaSession.metadata = new MediaMetadata({ title, artist: nameOf(mount) });
  };

  const choose = (path) => {
    chosen = path;
    lastTitle = null;
    byId("m3u").href = path + ".m3u";
    byId("pls").href = path + ".pls";
    showAll();
    if (wanted)
      start();
  };

  const choiceOf = (mount) => {
    const item = document.createElement("li"), button = document.createElement("button");
    const small = document.createElement("small");
    button.type = "button";
    button.dataset.path = mount.path;
    button.append(document.createElement("span"), small);
    button.addEventListener("click", () => choose(mount.path));
    item.append(button);
    return item;
  };

  // The buttons stay as long as the mounts are the same, so that the one with the focus keeps it.
  const showChoices = () => {
    const list = byId("choices");
    byId("mounts").hidden = mounts.length < 2;
    const there = Array.from(list.children, (item) => item.firstChild.dataset.path);
    if (there.join("\n") !== mounts.map((one) => one.path).join("\n"))
      list.replaceChildren(...mounts.map(choiceOf));
    mounts.forEach((mount, index) => {
      const button = list.children[index].firstChild;
      const name = nameOf(mount) + (mount.title ? " – " + mount.title : "");
      const count = mount.listeners === 1 ? "1 listener" : mount.listeners + " listeners";
      button.setAttribute("aria-pressed", String(mount.path === chosen));
      button.firstChild.textContent = name;
      button.lastChild.textContent = [mount.path, mount.genre, count].filter(Boolean).join(" · ");
    });
  };

  const qualityOf = (mount) => {
    const kind = { "audio/mpeg": "MP3", "application/ogg": "Ogg", "audio/ogg": "Ogg", "audio/aac": "AAC" }[mount.type];
    return [kind || mount.type, mount.bitrate ? mount.bitrate + " kbit/s" : ""].filter(Boolean).join(", ") || "–";
  };

  // Who listens to a mount without a source hears the radio meanwhile, on the same connection.
  const heard = () => mounts.find((one) => one.path === chosen) || mounts.find((one) => one.path === "/radio");

  const showAll = () => {
    const mount = heard();
    showChoices();
    byId("source").textContent = mount && (mounts.length > 1 || mount.path !== chosen) ? "On now: " + nameOf(mount) : "On now";
    byId("listeners").textContent = mount ? mount.listeners : "–";
    byId("peak").textContent = mount ? mount.peak : "–";
    byId("quality").textContent = mount ? qualityOf(mount) : "–";
    if (mount)
      showTitle(mount);
    else
      byId("title").textContent = "Nothing is on just now";
  };

  const ask = async () => {
    try {
      const answer = await fetch("/status.json", { cache: "no-store" });
      if (!answer.ok)
        throw new Error(answer.statusText);
      mounts = readMounts(await answer.json());
      showAll();
    } catch {
      byId("listeners").textContent = "–";
    }
  };

  // Who looks at something else is not asked for.
  let asking = 0;
  const askOn = async () => {
    clearTimeout(asking);
    await ask();
    if (!document.hidden || wanted)
      asking = setTimeout(askOn, ASK_EVERY);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) askOn(); });
  askOn();
})();
