// Lets a reader pick a unit, and read the weights of attention. Without it, the page shows the liveliest unit.
"use strict";
document.documentElement.classList.add("scripted");

function unpacked(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}

for (const panel of document.querySelectorAll(".inside")) {
  const layers = JSON.parse(panel.querySelector("script").textContent).layers;
  const drawn = [...panel.querySelectorAll(".layer")];
  const slider = panel.querySelector(".pick");
  const choice = panel.querySelector(".layers");
  for (const layer of layers) {
    for (const signal of Object.values(layer.signals)) signal.data = unpacked(signal.data);
  }
  let at = 0;

  function values(signal, unit, count) {
    const steps = signal.data.length / count;
    const row = signal.data.subarray(unit * steps, (unit + 1) * steps);
    const scale = signal.scales?.[unit];
    return Array.from(row, (level) => (scale === undefined ? level / 255 : ((2 * level) / 255 - 1) * scale));
  }

  function draw(plot, lines, low, high) {
    for (const line of plot.querySelectorAll("polyline")) {
      const ys = lines[line.dataset.name];
      const last = Math.max(1, ys.length - 1);
      const up = (y) => 100 - (100 * (Math.min(high, Math.max(low, y)) - low)) / (high - low);
      line.setAttribute("points", ys.map((y, t) => `${((100 * t) / last).toFixed(2)},${up(y).toFixed(2)}`).join(" "));
    }
  }

  function ticks(plot, most) {
    const box = plot.querySelector(".box");
    for (const each of box.querySelectorAll(".y")) each.remove();
    plot.querySelector(".grid").replaceChildren();
    for (const [share, value] of [[0, -most], [50, 0], [100, most]]) {
      const label = document.createElement("span");
      label.className = "y";
      label.style.bottom = `${share}%`;
      label.textContent = short(value);
      box.append(label);
      const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
      for (const [name, to] of [["x1", 0], ["x2", 100], ["y1", 100 - share], ["y2", 100 - share]]) line.setAttribute(name, to);
      plot.querySelector(".grid").append(line);
    }
  }

  function show() {
    const layer = layers[at];
    const place = drawn[at];
    const count = layer.units.length;
    slider.max = count - 1;
    const unit = Math.min(Number(slider.value), count - 1);
    drawn.forEach((each, index) => each.classList.toggle("on", index === at));
    panel.querySelector("output").textContent = layer.units[unit];
    for (const each of place.querySelectorAll(".unit")) each.textContent = layer.units[unit];
    const lines = {};
    for (const [name, signal] of Object.entries(layer.signals)) lines[name] = values(signal, unit, count);
    for (const plot of place.querySelectorAll("[data-plot]")) {
      const own = [...plot.querySelectorAll("polyline")].flatMap((line) => lines[line.dataset.name]);
      const most = Math.max(1e-6, ...own.map(Math.abs));
      if (plot.dataset.plot === "memory") {
        ticks(plot, most);
        draw(plot, lines, -most, most);
      } else {
        draw(plot, lines, own.some((y) => y < 0) || plot.querySelector('[data-name="candidate"]') ? -1 : 0, 1);
      }
    }
    const high = Math.max(1e-6, ...lines[layer.memory].map(Math.abs));
    const words = place.querySelectorAll("[data-shades] > span");
    words.forEach((word, t) => {
      const shade = lines[layer.memory][t] / high;
      const tone = shade >= 0 ? "61,125,202" : "209,73,91";
      word.style.background = `rgba(${tone},${(0.62 * Math.min(1, Math.abs(shade))).toFixed(3)})`;
    });
    for (const marker of place.querySelectorAll(".marker")) marker.style.top = `${(100 * unit) / count}%`;
  }

  slider.addEventListener("input", show);
  choice?.addEventListener("change", () => {
    at = Number(choice.value);
    slider.value = 0;
    show();
  });
  for (const map of panel.querySelectorAll(".unitmap")) {
    map.addEventListener("click", (event) => {
      const box = map.getBoundingClientRect();
      slider.value = Math.floor(((event.clientY - box.top) / box.height) * Number(map.dataset.units));
      show();
    });
  }
  show();
}

for (const map of document.querySelectorAll("[data-map]")) {
  const image = map.querySelector("img");
  const told = map.parentElement.nextElementSibling;
  const weights = unpacked(map.dataset.map);
  const names = (kind) => [...map.querySelectorAll(`.${kind} span`)].map((name) => name.textContent);
  const rows = names("rows");
  const columns = names("cols");
  const asks = Number(map.style.getPropertyValue("--r"));
  const steps = Number(map.style.getPropertyValue("--c"));
  image.addEventListener("pointermove", (event) => {
    const box = image.getBoundingClientRect();
    const row = Math.min(asks - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * asks)));
    const column = Math.min(steps - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * steps)));
    const weight = (weights[row * steps + column] / 255) * Number(map.dataset.high);
    told.textContent = `${rows[row] ?? `row ${row + 1}`} \u2192 ${columns[column] ?? `step ${column + 1}`}: ${weight.toFixed(2)}`;
  });
}
