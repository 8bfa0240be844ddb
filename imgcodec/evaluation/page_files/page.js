"use strict";
// Three parts that know nothing of each other: curves, tables that sort, pictures over each other.

// ---- Curves ----

// Told apart in the light and in the dark, by people who do not see all colours, and by their dashes.
const COLOURS = [["#b3261e", "#ff8a7a"], ["#1f1f1d", "#efefe9"], ["#0b66c3", "#7fb8ff"], ["#b06a00", "#ffc35c"],
  ["#147a52", "#6fdcae"], ["#8a3ffc", "#c6a3ff"], ["#8c5a3c", "#dcae8c"], ["#00707a", "#63d3de"]];
const DASHES = [[], [8, 3], [2, 3], [10, 3, 2, 3]];
const dark = matchMedia("(prefers-color-scheme: dark)");
const colour = i => COLOURS[i % COLOURS.length][dark.matches ? 1 : 0];
const variable = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function drawCurves() {
  const metrics = JSON.parse(document.getElementById("curve-data").textContent);
  const place = document.querySelector(".charts");
  const charts = metrics.filter(metric => metric.curves.some(curve => curve.points.length)).map(metric => chart(metric, place));
  const swatches = metrics[0].curves.map((curve, i) => {
    const label = document.createElement("label");
    const box = Object.assign(document.createElement("input"), {type: "checkbox", checked: true});
    const swatch = document.createElement("i");
    label.append(box, swatch, curve.codec);
    document.querySelector(".codecs").append(label);
    box.addEventListener("change", () => charts.forEach(c => c.plot.setSeries(i + 1, {show: box.checked})));
    swatch.style.borderTopStyle = curve.ours ? "solid" : "dashed";
    return swatch;
  });
  const recolour = () => {
    swatches.forEach((swatch, i) => { swatch.style.borderTopColor = colour(i); });
    charts.forEach(c => c.plot.redraw(false, true));
  };
  dark.addEventListener("change", recolour);
  recolour();
}

function chart(metric, place) {
  const box = document.createElement("div");
  const readout = document.createElement("output");
  const title = Object.assign(document.createElement("h3"), {textContent: metric.title});
  const frame = document.createElement("div");
  box.className = "chart";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", `${metric.title} over bits per pixel; arrow keys read the curves`);
  box.append(title, frame, readout);
  place.append(box);

  const axis = {stroke: () => variable("--text"), grid: {stroke: () => variable("--line"), width: 1}, ticks: {stroke: () => variable("--line")}};
  const series = metric.curves.map((curve, i) => ({
    label: curve.codec, stroke: () => colour(i), width: curve.ours ? 2.5 : 1.5, spanGaps: true,
    dash: curve.ours ? [] : DASHES[1 + i % 3], points: {show: true, size: 5, fill: () => colour(i)},
  }));
  const data = uPlot.join(metric.curves.map(({points}) => [points.map(p => p[0]), points.map(p => p[1])]));
  const plot = new uPlot({
    width: frame.clientWidth, height: 300, series: [{}, ...series], legend: {show: false},
    scales: {x: {time: false, distr: 3, log: 2}},
    axes: [{...axis, label: "bits per pixel", labelSize: 24, values: (_, splits) => splits.map(v => v === null ? "" : String(+v.toPrecision(3)))}, {...axis, size: 50}],
    cursor: {points: {show: false}, y: false},
    hooks: {setCursor: [u => read(u, metric, readout)]},
  }, data, frame);
  new ResizeObserver(() => plot.setSize({width: frame.clientWidth, height: 300})).observe(frame);
  frame.addEventListener("keydown", event => {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step) return;
    event.preventDefault();
    const {left} = plot.cursor, width = plot.over.clientWidth;
    plot.setCursor({left: Math.min(width, Math.max(0, (left < 0 ? width / 2 : left) + step * width / 50)), top: 1});
  });
  frame.addEventListener("blur", () => plot.setCursor({left: -10, top: -10}));
  return {plot};
}

// What every curve that is shown has at the rate under the cursor, the best first.
function read(u, metric, readout) {
  if (u.cursor.left < 0) { readout.textContent = ""; return; }
  const rate = u.posToVal(u.cursor.left, "x");
  const found = metric.curves.map((curve, i) => [curve.codec, u.series[i + 1].show ? between(curve.points, rate) : null])
    .filter(([, value]) => value !== null).sort((a, b) => b[1] - a[1]);
  readout.textContent = `${rate.toPrecision(2)} bits per pixel: ` +
    (found.map(([codec, value]) => `${codec} ${value.toFixed(1)}`).join(", ") || "nothing was measured");
}

function between(points, rate) {
  const i = points.findIndex(p => p[0] >= rate);
  if (i < 1) return i === 0 && points[0][0] === rate ? points[0][1] : null;
  const [[x0, y0], [x1, y1]] = [points[i - 1], points[i]];
  return y0 + (y1 - y0) * Math.log(rate / x0) / Math.log(x1 / x0);
}

// ---- Tables ----

function sortable(table) {
  const headings = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent.trim() : cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) => typeof a === "number" ? a - b : a.localeCompare(b, undefined, {numeric: true});
  headings.forEach((heading, column) => heading.firstElementChild.addEventListener("click", () => {
    const rising = heading.getAttribute("aria-sort") !== "ascending";
    headings.forEach(other => other.setAttribute("aria-sort", "none"));
    heading.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const rows = [...body.rows].map(row => [value(row, column), row]);
    const [known, unknown] = [rows.filter(r => r[0] !== null), rows.filter(r => r[0] === null)];  // a dash is always last
    known.sort((a, b) => (rising ? 1 : -1) * compare(a[0], b[0]));
    body.append(...[...known, ...unknown].map(r => r[1]));
  }));
}

// ---- Pictures over each other ----

const ZOOMS = [1, 2, 3, 4, 6, 8, 12, 16];  // pixels of the page for one of the picture

function viewer(panel) {
  const width = Number(panel.dataset.width), height = Number(panel.dataset.height);
  const name = panel.querySelector("h3").textContent;
  const layers = [...panel.querySelectorAll(".layers figure")].map(figure => ({
    source: figure.querySelector("img").src, title: figure.querySelector("figcaption").dataset.title,
    told: figure.querySelector("figcaption").dataset.told,
  }));
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const choice = chosen => {
    const select = make("select", {}, ...layers.map((layer, i) => make("option", {value: i, textContent: layer.title})));
    select.value = Math.min(chosen, layers.length - 1);
    return select;
  };
  const side = () => make("div", {className: "side"}, make("img", {alt: ""}), make("img", {className: "original", alt: "", src: layers[0].source}));

  const [left, right] = [choice(1), choice(2)];
  const difference = make("input", {type: "checkbox"});
  const [out, into, fit] = [["−", "Zoom out"], ["+", "Zoom in"], ["Fit", "Fit to the page"]].map(([textContent, title]) => {
    const button = make("button", {type: "button", textContent, title});
    button.setAttribute("aria-label", title);
    return button;
  });
  const zoomed = make("output", {});
  const [leftSide, rightSide, edge] = [side(), side(), make("div", {className: "edge"})];
  const stage = make("div", {className: "stage"}, rightSide, leftSide, edge);
  const port = make("div", {className: "port", tabIndex: 0}, stage);
  const slider = make("input", {type: "range", min: 0, max: 1000, value: 500});
  const [leftTold, rightTold] = [make("div", {}), make("div", {})];
  const root = make("div", {className: "viewer"},
    make("div", {className: "bar"}, make("label", {}, "Left", left), make("label", {}, "Right", right),
      make("label", {}, difference, "Difference from the original, six times as bright"), make("span", {}, out, " ", into, " ", fit, " ", zoomed)),
    port, slider, make("div", {className: "told"}, leftTold, rightTold));
  port.setAttribute("role", "group");
  port.setAttribute("aria-label", `${name}, two versions beside each other`);
  slider.setAttribute("aria-label", `${name}: where left ends and right begins`);
  panel.querySelector(".layers").hidden = true;
  panel.append(root);

  let zoom = null;  // null: as wide as there is room for, at most one to one
  const place = () => {  // the slider is over what is seen of the picture, so it moves along when that is scrolled
    const seen = Math.min(port.clientWidth, stage.offsetWidth);
    const x = (port.scrollLeft + slider.value / 1000 * seen) / stage.offsetWidth * 100;
    leftSide.style.clipPath = `inset(0 ${100 - x}% 0 0)`;
    rightSide.style.clipPath = `inset(0 0 0 ${x}%)`;
    edge.style.left = `${x}%`;
    slider.setAttribute("aria-valuetext", `${Math.round(slider.value / 10)} % ${layers[left.value].title}`);
  };
  const size = () => {
    const scale = zoom ?? Math.min(1, port.clientWidth / width);
    stage.style.width = `${Math.round(width * scale)}px`;
    stage.style.height = `${Math.round(height * scale)}px`;
    slider.style.width = `${Math.min(port.clientWidth, stage.offsetWidth)}px`;  // its knob is under the edge
    root.classList.toggle("pixels", scale > 1);
    zoomed.textContent = `${Math.round(scale * 100)} %`;
    place();
  };
  const setZoom = wanted => {  // what is in the middle stays there
    const x = (port.scrollLeft + port.clientWidth / 2 - stage.offsetLeft) / stage.offsetWidth;
    const y = (port.scrollTop + port.clientHeight / 2) / stage.offsetHeight;
    zoom = wanted;
    size();
    port.scrollTo(x * stage.offsetWidth + stage.offsetLeft - port.clientWidth / 2, y * stage.offsetHeight - port.clientHeight / 2);
    place();
  };
  const step = direction => {
    const now = stage.offsetWidth / width;
    const next = direction > 0 ? ZOOMS.find(z => z > now + 0.01) : ZOOMS.findLast(z => z < now - 0.01);
    if (next !== undefined || direction < 0) setZoom(next ?? null);
  };
  const show = () => {
    for (const [select, where, told] of [[left, leftSide, leftTold], [right, rightSide, rightTold]]) {
      const layer = layers[select.value];
      where.firstElementChild.src = layer.source;
      where.firstElementChild.alt = `${name}, ${layer.title}`;
      told.replaceChildren(make("b", {textContent: layer.title}), make("br", {}), layer.told);
    }
    root.classList.toggle("difference", difference.checked);
    place();
  };
  let before = left.value;
  const keys = {
    "+": () => step(1), "=": () => step(1), "-": () => step(-1), "−": () => step(-1), 0: () => setZoom(null),
    d: () => { difference.checked = !difference.checked; show(); },
    o: () => { [before, left.value] = left.value === "0" ? [before, before === "0" ? 1 : before] : [left.value, 0]; show(); },
    ArrowLeft: () => { slider.value = Number(slider.value) - 20; place(); },
    ArrowRight: () => { slider.value = Number(slider.value) + 20; place(); },
  };
  const press = (event, allowed) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey || event.altKey || !allowed(key) || !keys[key]) return;
    event.preventDefault();
    keys[key]();
  };
  port.addEventListener("keydown", event => press(event, () => true));
  slider.addEventListener("keydown", event => press(event, key => key.length === 1));
  port.addEventListener("scroll", place);
  const drag = event => {  // of a mouse; fingers scroll, and have the slider below
    if (event.pointerType !== "mouse" || !(event.buttons & 1)) return;
    const seen = Math.min(port.clientWidth, stage.offsetWidth);
    slider.value = 1000 * (event.clientX - Math.max(port.getBoundingClientRect().left, stage.getBoundingClientRect().left)) / seen;
    place();
  };
  stage.addEventListener("pointerdown", event => { drag(event); if (event.pointerType === "mouse") stage.setPointerCapture(event.pointerId); });
  stage.addEventListener("pointermove", drag);
  stage.addEventListener("dragstart", event => event.preventDefault());
  slider.addEventListener("input", place);
  out.addEventListener("click", () => step(-1));
  into.addEventListener("click", () => step(1));
  fit.addEventListener("click", () => setZoom(null));
  for (const control of [left, right, difference]) control.addEventListener("change", show);
  new ResizeObserver(size).observe(port);
  show();
  size();
}

drawCurves();
document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll(".panel").forEach(viewer);
