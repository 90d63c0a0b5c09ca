"use strict";
// The page of one index. Nothing that a row holds becomes markup: all of it is set as text.
const by = (id) => document.getElementById(id);
const state = { file: null, kind: null, like: null, asked: 0 }; // kind: image or audio
let about = { columns: {}, texts: [], pictures: [], asks_files: [] };

function say(text, bad = false) {
  by("said").textContent = text;
  by("said").classList.toggle("bad", bad);
}

function base64(buffer) {
  const bytes = new Uint8Array(buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

async function search() {
  const text = by("text").value.trim();
  if (!text && !state.file && !state.like) {
    say(`Write what you look for${about.asks_files.length ? `, or drop ${wanted()}` : ""}.`);
    return;
  }
  const number = ++state.asked;
  const share = Number(by("weight").value);
  const body = { text, where: by("where").value.trim(), mode: by("mode").value, k: 60, weights: [1 - share, share] };
  if (state.file) body[state.kind] = state.file;
  if (state.like) body.like = state.like;
  if (!(text && (state.file || state.like))) body.weights = [1, 1];
  say("Searching …");
  const start = performance.now();
  let answer, held;
  try {
    answer = await fetch("/api/search", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    held = await answer.json();
  } catch (error) {
    if (number === state.asked) say("The server does not answer.", true);
    return;
  }
  if (number !== state.asked) return; // a later question is on its way
  if (!answer.ok) {
    say(typeof held.error === "string" ? held.error : "The question was refused.", true);
    return;
  }
  show(held.hits);
  const like = state.like ? " like this one" : "";
  say(`${held.hits.length} of ${about.rows.toLocaleString()} rows${like}, ${Math.round(performance.now() - start)} ms`);
  remember(text);
}

function remember(text) {
  const params = new URLSearchParams();
  if (text) params.set("q", text);
  if (by("where").value) params.set("where", by("where").value);
  if (by("mode").value !== "meaning") params.set("mode", by("mode").value);
  if (state.like) params.set("like", state.like);
  history.replaceState(null, "", params.size ? `?${params}` : "/");
}

function words(row) {
  return about.texts.map((name) => row[name]).filter((value) => value !== null && value !== undefined).join(" · ");
}

function show(hits) {
  by("hits").replaceChildren(...hits.map((hit) => {
    const item = document.createElement("li");
    item.className = "hit";
    const open = document.createElement("button");
    open.className = "open";
    open.type = "button";
    open.setAttribute("aria-label", `Show ${words(hit.row) || "this row"}`);
    open.addEventListener("click", () => detail(hit));
    if (hit.picture) open.append(picture(hit));
    const line = document.createElement("span");
    line.className = "words";
    line.textContent = words(hit.row);
    open.append(line);
    const foot = document.createElement("div");
    foot.className = "foot";
    const score = document.createElement("span");
    score.textContent = hit.score.toFixed(hit.score < 0.1 ? 4 : 3);
    const like = document.createElement("button");
    like.className = "like";
    like.type = "button";
    like.textContent = "more like this";
    like.addEventListener("click", () => { state.like = hit.id; by("text").value = ""; setFile(null); search(); scrollTo(0, 0); });
    foot.append(score, like);
    item.append(open, ...(hit.sound ? [player(hit)] : []), foot);
    return item;
  }));
}

function picture(hit) {
  const image = document.createElement("img");
  image.src = `/thumbnails/${encodeURIComponent(hit.id)}`;
  image.alt = words(hit.row);
  image.loading = "lazy";
  return image;
}

function player(hit) {
  const sound = document.createElement(hit.film ? "video" : "audio");
  sound.controls = true;
  sound.preload = "none";
  sound.src = `/sounds/${encodeURIComponent(hit.id)}`;
  return sound;
}

function detail(hit) {
  const list = document.createElement("dl");
  for (const [name, value] of Object.entries({ ...hit.row, score: hit.score })) {
    const term = document.createElement("dt");
    term.textContent = name;
    const given = document.createElement("dd");
    given.textContent = value === null ? "–" : String(value);
    list.append(term, given);
  }
  by("detail-body").replaceChildren(...(hit.picture ? [picture(hit)] : []), ...(hit.sound ? [player(hit)] : []), list);
  by("detail").showModal();
}

function wanted() {
  return about.asks_files.map((kind) => ({ image: "an image", audio: "a sound" })[kind]).join(" or ");
}

function setFile(file) {
  URL.revokeObjectURL(by("asked").src);
  by("clear").hidden = by("weight-label").hidden = !file;
  by("asked").hidden = !file || state.kind !== "image";
  by("drop-text").textContent = file ? file.name.slice(0, 24) : `Drop or choose ${wanted()}`;
  state.file = null;
  if (file && state.kind === "image") by("asked").src = URL.createObjectURL(file);
}

async function take(file) {
  if (!file) return;
  if (file.size > 14000000) {
    say(`${file.name} is larger than 14 MB; choose a smaller file.`, true);
    return;
  }
  const kind = file.type.split("/")[0];
  if (about.asks_files.length > 1 && !about.asks_files.includes(kind)) {
    say(`${file.name} is neither an image nor a sound.`, true);
    return;
  }
  state.kind = about.asks_files.length === 1 ? about.asks_files[0] : kind;
  setFile(file);
  state.file = base64(await file.arrayBuffer());
  state.like = null;
  search();
}

by("form").addEventListener("submit", (event) => { event.preventDefault(); if (by("text").value.trim()) state.like = null; search(); });
by("file").addEventListener("change", () => take(by("file").files[0]));
by("drop").addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); by("file").click(); } });
by("clear").addEventListener("click", () => { setFile(null); by("file").value = ""; by("text").focus(); });
by("close").addEventListener("click", () => by("detail").close());
for (const name of ["dragenter", "dragover"]) addEventListener(name, (event) => { event.preventDefault(); by("drop").classList.add("over"); });
for (const name of ["dragleave", "drop"]) addEventListener(name, (event) => { event.preventDefault(); by("drop").classList.remove("over"); });
addEventListener("drop", (event) => take(event.dataTransfer.files[0]));
addEventListener("paste", (event) => { const file = [...event.clipboardData.files][0]; if (file) take(file); });
addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|SELECT/.test(document.activeElement.tagName)) { event.preventDefault(); by("text").focus(); }
  const cards = [...document.querySelectorAll(".open")];
  const here = cards.indexOf(document.activeElement);
  if (here < 0) {
    if (event.key === "ArrowDown" && document.activeElement === by("text") && cards.length) { event.preventDefault(); cards[0].focus(); }
    return;
  }
  const across = getComputedStyle(by("hits")).gridTemplateColumns.split(" ").length;
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
  if (step) { event.preventDefault(); (cards[here + step] || by("text")).focus(); }
});

(async function begin() {
  about = await (await fetch("/api/about")).json();
  document.title = about.title;
  by("title").textContent = `${about.title}: ${about.rows.toLocaleString()} rows`;
  by("drop").hidden = !about.asks_files.length;
  by("file").accept = about.asks_files.map((kind) => `${kind}/*`).join(",");
  setFile(null);
  by("text").disabled = !about.asks_words && !about.texts.length;
  by("columns").textContent = `columns: ${Object.entries(about.columns).map(([name, kind]) => `${name} (${kind})`).join(", ")}`;
  const asked = new URLSearchParams(location.search);
  by("text").value = asked.get("q") || "";
  by("where").value = asked.get("where") || "";
  by("mode").value = asked.get("mode") || "meaning";
  by("more").open = asked.has("where") || asked.has("mode");
  state.like = asked.get("like");
  if (by("text").value || state.like) search();
})();
