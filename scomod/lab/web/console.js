// SPDX-License-Identifier: Apache-2.0
// The console of scomod-lab.  It shows what the admin interface says and asks it to do things;
// there is nothing here that curl could not do (docs/lab.md, "The console").
//
// Whatever comes from a device becomes text nodes (`el`) and nothing else: no markup is ever
// parsed.  A view is made of panels; a panel reads one address again when the bench says that
// something changed, and draws itself anew only if the answer differs.

const PHASES = {
  waiting: "◷ waiting", running: "▶ running", accepted: "◔ accepted, report to come",
  done: "✓ done", failed: "✗ failed",
};
const STATES = {
  new: "– never came", session: "● in session", "cut off": "✗ cut off in a session",
  refused: "✗ turned away", idle: "○ idle",
};
const SIGNS = { good: "✓ ", bad: "✗ ", "": "" };
const ACTIONS = {
  deployed: ["Activate", "Deactivate", "Remove"],
  delivered: ["Install", "InstallInactive", "Remove"],
  download: ["Download", "DownloadInstall", "DownloadInstallInactive"],
};
const BRANCHES = { deployed: "Deployed", delivered: "Delivered", download: "Download" };
const SOFTWARE_URIS = "./SCOMO/Inventory ./SCOMO/Download";
const BETWEEN = ["push", "bootstrap", "order", "end"];  // records that stand in the session log
const BACKGROUND = 1;  // what a push usually says of the person
const LIVE = "● live";
const SAID_COUNT = 400;
const GATHER_MS = 60;
const UNSEEN = /(?!\n)[\p{Cc}\p{Cf}]/gu;  // what could drive or turn around a text

const main = document.querySelector("#main");
const notice = document.querySelector("#notice");
const line = document.querySelector("#line");
const openNodes = new Set(["."]);
let words = null;  // the forms, from the bench
let view = { panels: [] };

// -- texts and elements

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.flat(9).filter((child) => child != null && child !== false).map(
    (child) => (child instanceof Node ? child : plain(child)),
  ));
  return node;
}

function plain(text) {
  return String(text).replace(UNSEEN, "\u{FFFD}");
}

function picture(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

function moment(seconds) {
  if (seconds == null) return "never";
  const date = new Date(seconds * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  const text = isToday ? date.toLocaleTimeString() : date.toLocaleString();
  return el("time", { datetime: date.toISOString() }, text);
}

function size(octets) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let step = 0;
  for (; octets >= 1024 && step < units.length - 1; step += 1) octets /= 1024;
  return `${step ? octets.toFixed(1) : octets} ${units[step]}`;
}

function toned(text, tone) {
  return el("span", { class: tone }, SIGNS[tone] + text);
}

function tell(text, isBad = false) {
  notice.hidden = false;
  notice.className = isBad ? "bad" : "";
  notice.textContent = plain((isBad ? "✗ " : "") + text);
}

function table(caption, head, rows) {
  const cells = (row) => row.cells.map((cell, at) => el("td", { "data-label": head[at] }, cell));
  return el("div", { class: "scroll" }, el("table", { class: "cards" },
    caption && el("caption", {}, caption),
    el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
    el("tbody", {}, rows.map((row) => el("tr", {}, cells(row)))),
  ));
}

// -- the bench

async function ask(path, options = {}) {
  const response = await fetch(`/api/${path}`, { cache: "no-store", ...options });
  const text = await response.text();
  if (!response.ok) throw new Error(refusalIn(text) || `${response.status} ${response.statusText}`);
  return text;
}

function refusalIn(text) {
  try { return JSON.parse(text).error; } catch { return ""; }
}

async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return JSON.parse(await ask(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

async function upload(file) {
  const headers = { "Content-Type": "application/octet-stream" };
  await ask(`packages/${encodeURIComponent(file.name)}`, { method: "PUT", headers, body: file });
  return file.name;
}

// Does something for a button or form: no second click meanwhile, and every end is told.
async function attempt(button, work) {
  if (button) button.disabled = true;
  try {
    const told = await work();
    if (told) tell(told);
  } catch (error) {
    tell(error.message, true);
  } finally {
    if (button) button.disabled = false;
  }
}

function order(name, kind, params, extra = {}) {
  return post(`devices/${encodeURIComponent(name)}/orders`, { kind, params, ...extra }).then(
    (made) => `order ${made.id} (${made.kind}) waits for the next session of ${name}`,
  );
}

function orderButton(name, label, kind, params, what) {
  const key = `${kind} ${JSON.stringify(params)}`;
  const button = el("button", { type: "button", "data-key": key, title: what, "aria-label": what }, label);
  button.addEventListener("click", () => attempt(button, () => order(name, kind, params)));
  return button;
}

// -- panels

class Panel {
  constructor(path, draw, attributes = {}) {
    this.path = path;
    this.draw = draw;
    this.node = el("div", attributes);
  }

  async refresh() {
    const text = await ask(this.path);
    if (text === this.text) return;
    this.text = text;
    this.redraw();
  }

  redraw() {
    const held = this.node.contains(document.activeElement) && document.activeElement.dataset.key;
    this.node.replaceChildren(...[this.draw(JSON.parse(this.text))].flat(9));
    if (held) this.node.querySelector(`[data-key="${CSS.escape(held)}"]`)?.focus();
  }
}

// The session log: what is new is put below what is there.
class TalkPanel {
  constructor(name) {
    this.name = name;
    this.last = 0;
    this.lastEvent = -1;
    this.session = "";
    this.times = new WeakMap();
    this.list = el("ol", { class: "plain" });
    this.empty = el("p", { class: "quiet", hidden: true }, "Nothing was said since this bench was started.");
    this.node = el("div", { class: "talk", role: "log", tabindex: "0", "aria-label": "Session log" },
      this.empty, this.list);
  }

  async refresh() {
    const of = this.name ? `&name=${encodeURIComponent(this.name)}` : "";
    const messages = JSON.parse(await ask(`messages?after=${this.last}${of}`));
    const events = this.name
      ? JSON.parse(await ask(`devices/${encodeURIComponent(this.name)}/events`)) : [];
    const fresh = events.filter((e) => BETWEEN.includes(e.what) && e.at_s > this.lastEvent);
    const items = [
      ...messages.map((each) => ({ at: each.at_s, node: () => this.message(each) })),
      ...fresh.reverse().map((each) => ({ at: each.at_s, node: () => between(each) })),
    ].sort((one, other) => one.at - other.at);
    this.last = messages.at(-1)?.number ?? this.last;
    this.lastEvent = Math.max(this.lastEvent, ...fresh.map((each) => each.at_s));
    this.empty.hidden = items.length + this.list.childElementCount > 0;
    if (items.length) this.append(items);
  }

  append(items) {
    const space = this.node.scrollHeight - this.node.scrollTop - this.node.clientHeight;
    for (const item of items) for (const node of item.node()) this.place(node, item.at);
    while (this.list.childElementCount > SAID_COUNT) this.list.firstElementChild.remove();
    if (space < 80) this.node.scrollTop = this.node.scrollHeight;
  }

  // Messages and records are asked for one after the other: the later answer may hold the earlier.
  place(node, at) {
    let before = this.list.lastChild;
    while (before && this.times.get(before) > at) before = before.previousSibling;
    this.times.set(node, at);
    if (before) before.after(node);
    else this.list.prepend(node);
  }

  message(each) {
    const who = each.is_ours ? "server" : "device";
    const about = `message ${each.message} · ${each.encoding} · ${size(each.octets)}`;
    const bubble = el("li", { class: each.is_ours ? "say ours" : "say" },
      el("h4", {}, picture(who), who, this.name ? "" : ` (${each.device})`,
        el("span", { class: "quiet" }, about, " · ", moment(each.at_s))),
      el("ul", {}, each.said.map((said) => el("li", {}, toned(said.text, said.tone)))),
      wire(each));
    const session = `${each.device} ${each.session}`;
    if (session === this.session) return [bubble];
    this.session = session;
    return [el("li", { class: "between" }, `session ${each.session}`), bubble];
  }
}

function between(event) {
  return [el("li", { class: "between" }, toned(`${event.actors}: ${event.text}`, event.tone), " · ",
    moment(event.at_s))];
}

// A message as it was on the wire, read when somebody opens it.
function wire(each) {
  const place = el("div");
  const details = el("details", {}, el("summary", {}, "as transmitted"), place);
  details.addEventListener("toggle", () => attempt(null, async () => {
    if (!details.open || place.childElementCount) return;
    const whole = JSON.parse(await ask(`messages/${each.number}`));
    place.append(
      part("Outline", whole.outline.join("\n")),
      part(whole.encoding === "XML" ? "XML" : "What the WBXML says, as XML", whole.xml),
    );
    if (whole.encoding !== "XML") place.append(part("Octets", hex(whole.octets)));
  }));
  return details;
}

function part(title, text) {
  return el("details", { open: title === "Outline" }, el("summary", {}, title), el("pre", {}, text));
}

function hex(base64) {
  const octets = Array.from(atob(base64), (c) => c.charCodeAt(0));
  const rows = [];
  for (let at = 0; at < octets.length; at += 16) {
    const row = octets.slice(at, at + 16);
    const text = row.map((o) => (o > 31 && o < 127 ? String.fromCharCode(o) : ".")).join("");
    const numbers = row.map((o) => o.toString(16).padStart(2, "0")).join(" ");
    rows.push(`${at.toString(16).padStart(4, "0")}  ${numbers.padEnd(48)} ${text}`);
  }
  return rows.join("\n");
}

// -- forms

let inputs = 0;

function input(field, isNeeded) {
  inputs += 1;
  const id = `input-${inputs}`;
  const common = { id, name: field.name, required: isNeeded, autocomplete: "off" };
  let control;
  if (field.kind === "area") {
    control = el("textarea", { ...common, rows: 3 });
  } else if (field.kind === "file" || (field.kind === "choice" && !field.is_open)) {
    const choices = field.choices ?? [];
    control = el("select", common, choices.map((choice) => option(choice)));
  } else {
    const list = field.choices?.length ? `${id}-list` : null;
    const type = field.kind === "number" ? "number" : "text";
    const usual = field.kind === "uri" ? "./" : field.choices?.[0];
    control = el("input", { ...common, type, list, placeholder: isNeeded ? null : usual, value: field.value });
  }
  const list = control.getAttribute("list");
  const label = el("label", { for: id }, field.label,
    isNeeded && el("span", { class: "needed", title: "needed" }, " *"));
  return [label, el("div", {}, control,
    list && el("datalist", { id: list }, field.choices.map((choice) => option(choice))),
    field.hint && el("small", {}, field.hint))];
}

function option(choice) {
  const [value, text] = Array.isArray(choice) ? choice : [choice, choice];
  return el("option", { value }, text);
}

function form(fields, needed, label, work) {
  const button = el("button", { class: "main", type: "submit" }, label);
  const node = el("form", {}, fields.map((field) => input(field, needed.includes(field.name))), button);
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(button, () => work(Object.fromEntries(new FormData(node)), node));
  });
  return node;
}

// The form of one order.  A package fills the fields that nobody has typed into.
function orderForm(name, kind) {
  const { says, fields, required } = words.orders[kind];
  const needed = required.filter((each) => each !== "data");
  const takesData = required.includes("data");
  const node = form(fields, needed, "Queue it", async (values) => {
    const { file, delta_from: older, upload: chosen, ...rest } = values;
    const params = Object.fromEntries(Object.entries(rest).filter(([, value]) => value));
    if (takesData && !file) throw new Error("choose a package");
    return order(name, kind, params, takesData ? { file } : {});
  });
  const choice = node.elements.file;
  if (choice) furnishFiles(node, choice);
  return [el("p", {}, says, "."), node];
}

function furnishFiles(node, choice) {
  const chooser = el("input", { type: "file", name: "upload", "aria-label": "Upload a package file" });
  choice.after(el("small", {}, "or upload one"), chooser);
  const filled = new Set();
  const fill = () => attempt(null, async () => {
    const older = node.elements.delta_from?.value ?? "";
    if (!choice.value) return;
    const query = older ? `?delta_from=${encodeURIComponent(older)}` : "";
    const path = `packages/${encodeURIComponent(choice.value)}/params${query}`;
    const said = JSON.parse(await ask(path));
    for (const [key, value] of Object.entries(said)) {
      const control = node.elements[key];
      if (control && (!control.value || filled.has(key))) {
        control.value = value;
        filled.add(key);
      }
    }
  });
  const list = () => attempt(null, async () => {
    const files = JSON.parse(await ask("packages"));
    for (const select of [choice, node.elements.delta_from].filter(Boolean)) {
      const kept = select.value;
      select.replaceChildren(option(["", "–"]), ...files.map((file) => option(file.name)));
      select.value = kept;
    }
  });
  choice.addEventListener("change", fill);
  node.elements.delta_from?.addEventListener("change", fill);
  chooser.addEventListener("change", () => attempt(null, async () => {
    const made = await upload(chooser.files[0]);
    await list();
    choice.value = made;
    await fill();
    return `${made} is there`;
  }));
  list();
}

// -- views: each gives a title and its panels, and puts its nodes into main

const VIEWS = {
  "": devicesView, device: deviceView, packages: packagesView, faults: faultsView, log: logView,
};

function devicesView() {
  const list = new Panel("summaries", (devices) => (devices.length
    ? table("", ["Device", "State", "Last seen", "Sessions", "Waiting", "What it is"],
      devices.map((device) => ({ cells: [
        el("a", { href: place(device.user), "data-key": device.user }, device.user),
        el("span", { class: "state" }, STATES[device.state]),
        moment(device.last_seen_s),
        device.sessions,
        device.waiting ? `${device.waiting} to do` : "–",
        [device.devinfo.Man, device.devinfo.Mod, device.device_id].filter(Boolean).join(" "),
      ] })))
    : el("p", {}, "No device has an account yet. Add one and give its profile to the device.")));
  const adding = form([
    { name: "user", label: "Account name" },
    { name: "auth", label: "Proof", kind: "choice", choices: words.auths },
  ], ["user"], "Add", async ({ user, auth }, node) => {
    await post("devices", { user, auth });
    node.reset();
    return `${user} has an account; its profile is on its page`;
  });
  return ["Devices", [list], el("div", { class: "sheet" }, el("h2", {}, "Devices"), list.node,
    el("h3", {}, "Another account"), adding)];
}

function place(name, tab = "") {
  return `#/device/${encodeURIComponent(name)}${tab && `/${tab}`}`;
}

const TABS = {
  "": ["Software", softwareTab], tree: ["Tree", treeTab], orders: ["Orders", ordersTab],
  events: ["Alerts and results", eventsTab], push: ["Push and profile", pushTab],
};

function deviceView(name, tab = "") {
  const device = `devices/${encodeURIComponent(name)}`;
  const about = new Panel(`${device}/summary`, (shown) => [
    el("span", { class: "state" }, STATES[shown.state]),
    el("span", { class: "quiet" }, shown.device_id || "no device yet", ", last seen ",
      moment(shown.last_seen_s), `; sessions: ${shown.sessions}, orders waiting: ${shown.waiting}`),
  ], { class: "row" });
  const talk = view.talk?.name === name ? view.talk : new TalkPanel(name);
  const [title, make] = TABS[tab] ?? TABS[""];
  const [panels, ...nodes] = make(name, device);
  const tabs = Object.entries(TABS).map(([key, [text]]) => el("a", {
    href: place(name, key), "aria-current": text === title ? "page" : null,
  }, text));
  return [`${name}: ${title}`, [talk, about, ...panels], el("div", { class: "bench" },
    el("section", { class: "sheet", "aria-label": title },
      el("div", { class: "head" }, el("h2", {}, picture("device"), " ", name), about.node,
        el("div", { class: "row wide" }, el("nav", { "aria-label": "This device" }, tabs),
          pushButton(name))), nodes),
    el("section", { class: "sheet", "aria-label": "Sessions" }, el("h2", {}, "Sessions"), talk.node))];
}

function softwareTab(name, device) {
  const software = new Panel(`${device}/inventory`, (objects) => (objects.length
    ? objects.map((object) => [el("p", { class: "quiet" }, "of ", el("code", {}, object.root)),
      Object.keys(BRANCHES).map((branch) => softwareTable(name, branch, object[branch]))])
    : el("p", { class: "quiet" }, "The bench has not read the software of this device yet.")));
  const queue = new Panel(`${device}/queue`, (orders) => ordersTable(orders.slice(0, 5)));
  const reading = orderButton(name, "Read the software", "read", { uris: SOFTWARE_URIS },
    "Read the software in the next session");
  return [[software, queue], software.node, el("p", {}, reading),
    el("h3", {}, "Last orders"), queue.node];
}

function softwareTable(name, branch, entries) {
  const caption = `${BRANCHES[branch]} (${entries.length})`;
  if (!entries.length) return el("p", { class: "quiet" }, caption);
  const told = (entry, leaf) => {
    const value = entry.leaves[leaf];
    if (value == null) return "–";
    return entry.words[leaf] ? `${entry.words[leaf]} (${value})` : value;
  };
  const rows = entries.map((entry) => {
    const node = entry.uri.split("/").at(-1);
    const title = entry.leaves.Name || entry.leaves.ID || entry.leaves.PkgID || node;
    const actions = [...ACTIONS[branch], ...entry.extensions.map((each) => `Ext/${each}`)];
    return { cells: [
      [el("strong", {}, title), el("small", { title: entry.uri }, node)],
      told(entry, "Version"),
      branch === "download" ? told(entry, "PkgURL") : told(entry, "State"),
      told(entry, "Status"),
      el("div", { class: "row" }, actions.map((action) => orderButton(name, action, "exec",
        { uri: `${entry.uri}/Operations/${action}` }, `${action} ${title} in the next session`))),
    ] };
  });
  const third = branch === "download" ? "PkgURL" : "State";
  return table(caption, ["What", "Version", third, "Status", "In the next session"], rows);
}

function ordersTable(orders) {
  if (!orders.length) return el("p", { class: "quiet" }, "No order was given yet.");
  return table("", ["Order", "Phase", "Result", "Details"], orders.map((each) => ({ cells: [
    `${each.id} ${each.kind}`,
    el("span", { class: each.phase === "failed" ? "bad" : "" }, PHASES[each.phase] ?? each.phase),
    each.result ? toned(each.result, each.is_good ? "good" : "bad") : "–",
    [each.detail, el("details", {}, el("summary", { "data-key": `order ${each.id}` },
      `${each.steps_count} commands`),
    el("dl", {}, Object.entries({ correlator: each.correlator, ...each.params }).map(
      ([key, value]) => [el("dt", {}, key), el("dd", {}, value)])),
    el("ul", {}, each.steps.map((step) => el("li", {}, `${step.command} ${step.uri}: ${step.code}`))))],
  ] })));
}

function ordersTab(name, device) {
  const queue = new Panel(`${device}/queue`, ordersTable);
  const frame = el("div");
  const kinds = Object.keys(words.orders);
  const choice = el("select", { id: "kind" }, kinds.map((kind) => option(kind)));
  const draw = () => frame.replaceChildren(...orderForm(name, choice.value));
  choice.addEventListener("change", draw);
  draw();
  return [[queue], el("h3", {}, "Queue an order"),
    el("div", { class: "row" }, el("label", { for: "kind" }, "Order"), el("div", {}, choice)), frame,
    el("h3", {}, "Orders"), queue.node];
}

function treeTab(name, device) {
  const tree = new Panel(`${device}/tree`, (rows) => {
    const children = new Map();
    for (const row of rows) {
      const above = row.uri.slice(0, row.uri.lastIndexOf("/"));
      if (row.uri !== ".") children.set(above, [...(children.get(above) ?? []), row]);
    }
    const read = rows.length > 1 ? [] : [el("p", { class: "quiet" }, "Nothing was read yet.")];
    return [...read, el("ul", {}, treeNode(name, rows[0], children))];
  }, { class: "tree" });
  const uri = form([{ name: "uris", label: "Subtree", value: "." }], ["uris"], "Read in the next session",
    ({ uris }) => order(name, "read", { uris }));
  return [[tree], el("p", {}, "What the bench has read so far."), tree.node,
    el("h3", {}, "Read more"), uri];
}

function treeNode(name, row, children) {
  const leaf = row.uri === "." ? "." : row.uri.slice(row.uri.lastIndexOf("/") + 1);
  const below = children.get(row.uri) ?? [];
  const read = orderButton(name, "read", "read", { uris: row.uri }, `Read ${row.uri} in the next session`);
  const refused = row.code >= 300 ? el("span", { class: "bad" }, `✗ answered with ${row.code}`) : null;
  if (!row.is_interior) {
    const cut = row.value != null && row.length > row.value.length ? ` … (${row.length} characters)` : "";
    const value = row.value == null ? el("span", { class: "quiet" }, "(not read)") : el("code", {}, row.value + cut);
    return el("li", { class: "leaf" }, el("span", { class: "uri" }, leaf), value, refused, read);
  }
  const list = el("ul");
  const fill = () => list.replaceChildren(...below.map((each) => treeNode(name, each, children)));
  const details = el("details", { open: openNodes.has(row.uri) },
    el("summary", { "data-key": `node ${row.uri}` }, el("span", { class: "uri" }, leaf),
      el("span", { class: "quiet" }, ` ${below.length} `), refused), list);
  if (details.open) fill();
  details.addEventListener("toggle", () => {
    openNodes[details.open ? "add" : "delete"](row.uri);
    if (details.open && !list.childElementCount) fill();
  });
  return el("li", {}, read, details);
}

function eventsTab(name, device) {
  const all = el("input", { type: "checkbox", id: "all-events" });
  const isAlert = (event) => ["alert", "order", "abort", "push", "bootstrap"].includes(event.what);
  const events = new Panel(`${device}/events`, (rows) => {
    const shown = all.checked ? rows : rows.filter(isAlert);
    if (!shown.length) return el("p", { class: "quiet" }, "Nothing yet.");
    return table("", ["When", "Who", "What"], shown.map((event) => ({ cells: [
      moment(event.at_s), event.actors,
      [toned(event.text, event.tone), event.type && el("small", {}, event.type),
        event.more.map((text) => el("small", {}, text))],
    ] })));
  });
  all.addEventListener("change", () => events.redraw());
  return [[events], el("p", { class: "row" }, all, el("label", { for: "all-events" }, "every record, not only alerts, results and pushes")),
    events.node];
}

function keptAddress(name) {
  return localStorage.getItem(`address ${name}`) ?? "";
}

// Takes an address apart, and keeps it for the next push to this device.
function where(name, text) {
  localStorage.setItem(`address ${name}`, text);
  const isBare = /^[^[]*:.*:/.test(text);  // an IPv6 address by itself
  const [, host, port] = isBare ? ["", text] : /^\[?(.*?)\]?(?::(\d+))?$/.exec(text);
  return { host, port: port ? Number(port) : words.push_port };
}

async function push(name, address, mode) {
  const wanted = { ...where(name, address), ui_mode: mode };
  const made = await post(`devices/${encodeURIComponent(name)}/push`, wanted);
  return `asked ${address} for session ${made.session_id.toString(16).toUpperCase()}`;
}

// Pushes to the address that was used last; without one to the form.
function pushButton(name) {
  const button = el("button", { type: "button" }, "Push now");
  button.addEventListener("click", () => attempt(button, async () => {
    const address = keptAddress(name);
    if (address) return push(name, address, BACKGROUND);
    location.hash = place(name, "push");
    return "";
  }));
  return button;
}

function pushTab(name, device) {
  const kept = keptAddress(name);
  const address = { name: "address", label: "Address", hint: "host, or host:port", value: kept };
  const asking = form([address, {
    name: "mode", label: "What the person notices", kind: "choice",
    choices: Object.entries(words.ui_modes),
  }], ["address"], "Push", ({ address: text, mode }) => push(name, text, Number(mode)));
  asking.elements.mode.value = BACKGROUND;
  const sending = form([address,
    { name: "seal", label: "Seal", kind: "choice", choices: words.seals },
    { name: "profile", label: "Document", kind: "choice", choices: words.profiles },
    { name: "pin", label: "PIN", hint: "for userpin, usernetwpin, userpinmac" },
    { name: "imsi", label: "IMSI", hint: "for netwpin, usernetwpin" },
  ], ["address"], "Push the profile", async ({ address: text, ...rest }) => {
    const made = await post(`${device}/bootstrap`, { ...where(name, text), ...rest });
    return `sent the profile to ${text}${made.enter ? `; the person enters ${made.enter}` : ""}`;
  });
  const about = new Panel(`${device}/summary`, (shown) => el("dl", {}, Object.entries({
    account: shown.user, device: shown.device_id || "none yet", server: shown.server_id,
    proof: shown.auth, offers: shown.offers.join(", ") || "none", ...shown.devinfo,
  }).map(([key, value]) => [el("dt", {}, key), el("dd", {}, value)])));
  return [[about],
    el("h3", {}, "Ask for a session (package #0 by UDP)"), asking,
    el("h3", {}, "Bootstrap"),
    el("p", {}, el("a", { href: `/api/${device}/profile`, download: `${name}.xml` }, "The profile as a file"),
      ", with its secrets, for a device that is given it by hand."), sending,
    el("h3", {}, "Account"), about.node];
}

function packagesView() {
  const files = new Panel("packages", (rows) => (rows.length
    ? table("", ["File", "Size", "Fault", "Set the fault"], rows.map((row) => ({ cells: [
      el("a", { href: `/packages/${encodeURIComponent(row.name)}` }, row.name), size(row.octets),
      el("span", { class: row.fault === "none" ? "" : "bad" }, row.fault === "none" ? "none" : `✗ ${row.fault}`),
      faultControls(row),
    ] })))
    : el("p", { class: "quiet" }, "No package file is there yet.")));
  const told = new Panel("packages/told", (rows) => (rows.length
    ? [el("h3", {}, "What devices told the servers of descriptors"),
      el("ul", {}, rows.map((row) => el("li", {}, `${row.name}: ${row.words}`)))] : []));
  const chooser = el("input", { type: "file", id: "upload" });
  chooser.addEventListener("change", () => attempt(null, async () => `${await upload(chooser.files[0])} is there`));
  return ["Packages", [files, told], el("div", { class: "sheet" }, el("h2", {}, "Packages"), files.node,
    el("h3", {}, "Another one"), el("label", { for: "upload" }, "Upload a package file "), chooser, told.node)];
}

function faultControls(row) {
  const choice = el("select", { name: "fault", "aria-label": `Fault of ${row.name}`, "data-key": `fault ${row.name}` },
    words.faults.map((fault) => option(fault)));
  const count = el("input", { type: "number", name: "count", min: "1", placeholder: "requests", "aria-label": "for so many requests" });
  choice.value = row.fault;
  const button = el("button", { type: "button", "data-key": `set ${row.name}` }, "Set");
  button.addEventListener("click", () => attempt(button, async () => {
    const number = count.value ? { count: Number(count.value) } : {};
    await post(`packages/${encodeURIComponent(row.name)}/fault`, { fault: choice.value, ...number });
    return `fault of ${row.name}: ${choice.value}`;
  }));
  return el("div", { class: "row" }, choice, count, button);
}

function faultsView() {
  const switches = new Panel("faults", (rows) => table("", ["Switch", "Now", "Set"], rows.map((row) => ({ cells: [
    [el("code", {}, row.name), el("small", {}, row.says)],
    el("span", { class: row.value === "off" ? "" : "bad" },
      row.value === "off" ? "off" : `✗ ${row.value} ${row.unit}`, row.count ? `, ${row.count} times` : ""),
    switchControls(row),
  ] }))));
  const off = el("button", { type: "button" }, "All off");
  off.addEventListener("click", () => attempt(off, async () => {
    await post("faults", { name: "all", value: "off" });
    return "all faults are off";
  }));
  return ["Faults", [switches], el("div", { class: "sheet" }, el("h2", {}, "Faults"),
    el("p", {}, "What this bench does wrong on demand, to every device. ", off), switches.node)];
}

function switchControls(row) {
  const label = `${row.name}: ${row.unit || "on or off"}`;
  const control = row.unit
    ? el("input", { type: "number", name: "value", placeholder: row.unit, "aria-label": label, "data-key": row.name })
    : el("span", {});
  const count = el("input", { type: "number", name: "count", min: "1", placeholder: "times", "aria-label": "for so many requests" });
  const set = (value) => async () => {
    const number = count.value ? { count: Number(count.value) } : {};
    await post("faults", { name: row.name, value, ...number });
    return `${row.name} is ${value}`;
  };
  const on = el("button", { type: "button", "aria-label": `Switch ${row.name} on`, "data-key": `on ${row.name}` }, "On");
  const off = el("button", { type: "button", "aria-label": `Switch ${row.name} off`, "data-key": `off ${row.name}` }, "Off");
  on.addEventListener("click", () => attempt(on, set(row.unit ? control.value || "0" : "on")));
  off.addEventListener("click", () => attempt(off, set("off")));
  return el("div", { class: "row" }, control, count, on, off);
}

function logView() {
  const talk = new TalkPanel("");
  return ["All sessions", [talk], el("div", { class: "sheet" }, el("h2", {}, "All sessions"),
    el("p", { class: "quiet" }, "Every message of every device, also of those that nobody knows."), talk.node)];
}

// -- life

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

async function show() {
  if (!words) return;
  const [first = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decoded);
  const [title, panels, ...nodes] = (VIEWS[first] ?? devicesView)(...rest);
  const talk = panels.find((panel) => panel instanceof TalkPanel);
  view = { panels, talk, name: first === "device" ? rest[0] : undefined };
  document.title = `${plain(title)} – scomod-lab`;
  notice.hidden = true;
  main.replaceChildren(...nodes);
  for (const link of document.querySelectorAll("header nav a")) {
    const isHere = link.hash === `#/${first === "device" ? "" : first}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  main.ariaBusy = "true";
  await refresh();
  main.ariaBusy = "false";
}

let refreshing = null;
let isStale = false;

// One refresh at a time; what changes meanwhile is looked at once more.
async function refresh() {
  isStale = true;
  refreshing ??= (async () => {
    while (isStale) {
      isStale = false;
      try {
        await Promise.all(view.panels.map((panel) => panel.refresh()));
      } catch (error) {
        tell(error.message, true);
      }
    }
  })().finally(() => { refreshing = null; });
  await refreshing;
}

let stream = null;
let timer = 0;

// A hidden page listens to nothing: browsers allow few connections to one server.
function listen() {
  stream?.close();
  stream = null;
  if (document.hidden) return;
  stream = new EventSource("/api/changes");
  stream.addEventListener("changed", (event) => {
    if (line.textContent !== LIVE) line.textContent = LIVE;
    const { names } = JSON.parse(event.data);
    const isOurs = names === null || view.name === undefined || names.includes(view.name);
    if (isOurs) timer ||= setTimeout(() => { timer = 0; refresh(); }, GATHER_MS);
  });
  stream.addEventListener("error", () => { line.textContent = "✗ no connection, trying again"; });
}

addEventListener("hashchange", () => show().then(() => main.focus()));
document.addEventListener("visibilitychange", listen);
ask("console").then((text) => { words = JSON.parse(text); return show(); }).then(listen, (error) => tell(error.message, true));
