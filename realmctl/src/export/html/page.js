"use strict";
(() => {
  const ROW = 28; // as in the style
  const BEYOND = 12; // rows drawn above and below what is visible
  const INDENT = 14;
  const DEEPEST = 16; // further in, rows are not indented but numbered
  const FOUND = 4000; // characters of a frame's payloads that are searched
  const SHOWN = 20000; // characters of a payload shown at first
  const EVENTS = 200; // events shown at first
  const PRINTED = 2000;
  const MARKS = { completed: "✓", failed: "✗", cancelled: "⊘", running: "…", paused: "‖" };

  const at = (id) => document.getElementById(id);
  const trace = JSON.parse(at("trace").textContent);
  const frames = trace.frames;
  const calls = new Map(frames.map((frame, index) => [frame.callId, index]));
  frames.forEach((frame, index) => {
    frame.index = index;
    frame.above = frame.parent === undefined ? -1 : calls.get(frame.parent);
    frame.below = 0;
    frame.start = Date.parse(frame.startedAt);
  });
  for (const frame of frames) if (frame.above >= 0) frames[frame.above].below += 1;
  for (const event of trace.events) event.time = Date.parse(event.ts);
  for (const frame of frames) frame.events = frame.events.map((place) => trace.events[place]);
  const begin = frames.length ? frames[0].start : 0;
  let end = begin;
  for (const event of trace.events) end = Math.max(end, event.time);
  for (const frame of frames) end = Math.max(end, frame.start + (frame.durationMs ?? 0));
  const whole = Math.max(1, end - begin);

  const folded = new Set();
  let visible = []; // indexes of the frames in the list, in order
  let matching = new Set();
  let filtered = false;
  let chosen = 0;
  let from = begin; // what the lanes show
  let range = whole;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const span = (ms) => {
    if (ms === undefined) return "–";
    if (ms < 1000) return `${ms} ms`;
    if (ms < 60000) return `${(ms / 1000).toFixed(2)} s`;
    if (ms < 3600000) return `${Math.floor(ms / 60000)} min ${Math.floor((ms % 60000) / 1000)} s`;
    return `${Math.floor(ms / 3600000)} h ${Math.floor((ms % 3600000) / 60000)} min`;
  };

  const label = (frame) =>
    frame.loop + (frame.realm ? `@${frame.realm}` : "") + (frame.item === undefined ? "" : `[${frame.item}]`);

  // Built once a frame is searched for the first time.
  const words = (frame) => {
    if (frame.words === undefined) {
      const own = [label(frame), frame.callId, frame.status, frame.version, frame.error, frame.message,
        frame.category, frame.backend, frame.model, frame.tool, frame.caller];
      // What a frame says of its children is found at the children.
      const events = frame.events.filter((event) => !event.type.startsWith("child."));
      const payloads = [frame.input, frame.output, ...events.map((event) => event.payload)];
      let text = own.filter((word) => word !== undefined).join("\n");
      for (const payload of payloads) {
        if (text.length > FOUND) break;
        if (payload !== undefined && payload !== null) text += "\n" + JSON.stringify(payload);
      }
      frame.words = text.slice(0, FOUND).toLowerCase();
    }
    return frame.words;
  };

  const filter = () => {
    const asked = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const status = at("status").value;
    const critical = at("critical").checked;
    filtered = asked.length > 0 || status !== "" || critical;
    matching = new Set();
    const kept = new Set(); // what matches, and its callers
    for (const frame of frames) {
      const fits = (!status || frame.status === status) && (!critical || frame.critical)
        && asked.every((word) => words(frame).includes(word));
      if (!fits) continue;
      matching.add(frame.index);
      let caller = frame.index;
      while (caller >= 0 && !kept.has(caller)) {
        kept.add(caller);
        caller = frames[caller].above;
      }
    }
    visible = [];
    let skip = Infinity; // what is deeper is folded away
    for (const frame of frames) {
      if (frame.depth > skip) continue;
      skip = Infinity;
      if (filtered ? !kept.has(frame.index) : false) continue;
      visible.push(frame.index);
      if (!filtered && folded.has(frame.index)) skip = frame.depth;
    }
    const total = frames.length.toLocaleString("en");
    at("count").textContent = filtered ? `${matching.size.toLocaleString("en")} of ${total} frames` : `${total} frames`;
    if (filtered && !matching.has(chosen) && matching.size > 0) choose(matching.values().next().value, false);
    draw();
  };

  const row = (index, place) => {
    const frame = frames[index];
    const made = element("div", filtered && !matching.has(index) ? "row context" : "row");
    made.id = `frame-${index}`;
    made.dataset.index = index;
    made.style.top = `${place * ROW}px`;
    made.setAttribute("role", "treeitem");
    made.setAttribute("aria-level", frame.depth + 1);
    made.setAttribute("aria-selected", index === chosen);
    const name = element("div", "name");
    name.style.paddingLeft = `${Math.min(frame.depth, DEEPEST) * INDENT}px`;
    const open = filtered || !folded.has(index);
    if (frame.below > 0) made.setAttribute("aria-expanded", open);
    name.append(element("span", "fold", frame.below === 0 ? "" : open ? "▾" : "▸"));
    if (frame.depth > DEEPEST) name.append(element("span", "deep", frame.depth));
    const mark = element("span", `mark ${frame.status}`, MARKS[frame.status] ?? "?");
    mark.title = frame.status;
    mark.setAttribute("aria-label", frame.status);
    name.append(mark, element("span", "loop", label(frame)));
    const more = [frame.version, frame.error, frame.attempts > 1 ? `${frame.attempts} attempts` : undefined,
      frame.fallback ? "fallback" : undefined];
    name.append(element("span", "more", more.filter(Boolean).join(" · ")));
    const lane = element("div", "lane");
    const bar = element("div", "bar");
    const took = frame.durationMs ?? end - frame.start;
    bar.style.left = `${Math.min(99.6, (100 * (frame.start - from)) / range)}%`;
    bar.style.width = `${(100 * took) / range}%`;
    bar.hidden = frame.start > from + range || frame.start + took < from;
    bar.classList.toggle("path", frame.critical);
    bar.classList.toggle("bad", frame.error !== undefined);
    bar.classList.toggle("open", frame.durationMs === undefined);
    lane.append(bar);
    made.append(name, element("div", "took", span(frame.durationMs)), lane);
    return made;
  };

  // Only what can be seen is in the document.
  const draw = () => {
    const list = at("list");
    const rows = at("rows");
    rows.style.height = `${visible.length * ROW}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - BEYOND);
    const last = Math.min(visible.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + BEYOND);
    const drawn = [];
    for (let place = first; place < last; place += 1) drawn.push(row(visible[place], place));
    rows.replaceChildren(...drawn);
    if (at(`frame-${chosen}`)) list.setAttribute("aria-activedescendant", `frame-${chosen}`);
    else list.removeAttribute("aria-activedescendant");
  };

  const reveal = (place) => {
    const list = at("list");
    const top = place * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  };

  const choose = (index, redraw = true) => {
    chosen = index;
    detail(frames[index]);
    const place = visible.indexOf(index);
    if (place >= 0) reveal(place);
    if (redraw) draw();
  };

  const facts = (list, pairs) => {
    for (const [name, value] of pairs) {
      if (value === undefined || value === "") continue;
      const pair = list.id === "facts" ? list.appendChild(element("div")) : list;
      pair.append(element("dt", "", name), element("dd", "", String(value)));
    }
    return list;
  };

  const payload = (pane, name, value) => {
    if (value === undefined) return;
    const text = JSON.stringify(value, null, 2);
    const shown = element("pre", "", text.slice(0, SHOWN));
    pane.append(element("h3", "", name), shown);
    if (text.length > SHOWN) {
      const button = element("button", "", `Show all ${text.length.toLocaleString("en")} characters`);
      button.type = "button";
      button.addEventListener("click", () => {
        shown.textContent = text;
        button.remove();
      });
      pane.append(button);
    }
  };

  const happened = (pane, events) => {
    if (events.length === 0) return;
    const table = element("table");
    const body = table.appendChild(element("tbody"));
    const more = element("button");
    more.type = "button";
    let told = 0;
    const tell = () => {
      for (const event of events.slice(told, told + EVENTS)) {
        const line = element("tr");
        const what = element("td", "", event.type);
        const said = Object.entries(event.payload ?? {});
        const text = said.map(([name, value]) => `${name}=${typeof value === "string" ? value : JSON.stringify(value)}`);
        if (text.length) what.append(element("div", "payload", text.join(" ").slice(0, SHOWN)));
        line.append(element("td", "", `+${span(event.time - begin)}`), what);
        body.append(line);
      }
      told = Math.min(events.length, told + EVENTS);
      more.textContent = `Show more of ${events.length.toLocaleString("en")} events`;
      more.hidden = told >= events.length;
    };
    more.addEventListener("click", tell);
    tell();
    pane.append(element("h3", "", "Events"), table, more);
  };

  const detail = (frame) => {
    const pane = at("detail");
    pane.replaceChildren(element("h2", "", label(frame)));
    if (frame.error !== undefined) {
      const why = [frame.error, frame.category && `(${frame.category})`].filter(Boolean).join(" ");
      pane.append(element("div", "error", frame.message ? `${why}: ${frame.message}` : why));
    }
    const caller = frame.above >= 0 ? label(frames[frame.above]) : undefined;
    pane.append(facts(element("dl"), [
      ["Status", frame.status],
      ["Began", `+${span(frame.start - begin)}`],
      ["Took", frame.durationMs === undefined ? undefined : span(frame.durationMs)],
      ["Critical path", frame.critical ? "yes" : "no"],
      ["Attempts", frame.attempts],
      ["Called by", frame.caller ?? caller],
      ["Step", frame.step],
      ["Branch", frame.branch],
      ["Item", frame.item],
      ["Fallback", frame.fallback ? "yes" : undefined],
      ["Calls made", frame.below || undefined],
      ["Version", frame.version],
      ["Contract", frame.contract],
      ["Realm", frame.realm],
      ["Backend", frame.backend],
      ["Model", frame.model],
      ["Prompt", frame.promptVersion],
      ["Tokens in", frame.inputTokens],
      ["Tokens out", frame.outputTokens],
      ["Cost, millionths", frame.costMicros],
      ["Tool", frame.tool],
      ["Tool calls", frame.toolCalls],
      ["Input digest", frame.inputDigest],
      ["Output digest", frame.outputDigest],
      ["Call", frame.callId],
    ]));
    payload(pane, "Input", frame.input);
    payload(pane, "Output", frame.output);
    happened(pane, frame.events);
    pane.scrollTop = 0;
  };

  const fold = (index, shut) => {
    if (filtered || frames[index].below === 0) return;
    if (shut) folded.add(index);
    else folded.delete(index);
    filter();
  };

  const move = (by) => {
    if (visible.length === 0) return;
    const place = visible.indexOf(chosen);
    choose(visible[Math.min(visible.length - 1, Math.max(0, place + by))]);
  };

  const axis = () => {
    const parts = range < 4 ? [0, 1] : [0, 0.5, 1];
    at("ticks").replaceChildren(...parts.map((part) => {
      const tick = element("span", "", span(Math.round(from - begin + range * part)));
      tick.style.left = `${part * 100}%`;
      return tick;
    }));
    at("zoom").textContent = range === whole ? "Zoom to frame" : "Whole run";
  };

  // From the whole run to the chosen frame, and back.
  const zoom = () => {
    const frame = frames[chosen];
    const near = range === whole;
    from = near ? frame.start : begin;
    range = near ? Math.max(1, frame.durationMs ?? end - frame.start) : whole;
    axis();
    draw();
  };

  const page = () => Math.max(1, Math.floor(at("list").clientHeight / ROW) - 1);

  const keys = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    PageDown: () => move(page()),
    PageUp: () => move(-page()),
    Home: () => move(-Infinity),
    End: () => move(Infinity),
    ArrowRight: () => (folded.has(chosen) ? fold(chosen, false) : frames[chosen].below > 0 && move(1)),
    ArrowLeft: () => {
      const frame = frames[chosen];
      if (frame.below > 0 && !folded.has(chosen) && !filtered) fold(chosen, true);
      else if (frame.above >= 0) choose(frame.above);
    },
    Enter: () => at("detail").focus(),
    z: zoom,
  };

  at("list").addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });
  at("list").addEventListener("click", (event) => {
    const hit = event.target.closest(".row");
    if (!hit) return;
    const index = Number(hit.dataset.index);
    if (event.target.classList.contains("fold")) fold(index, !folded.has(index));
    else choose(index);
  });
  at("list").addEventListener("scroll", draw, { passive: true });
  window.addEventListener("resize", draw);
  for (const id of ["search", "status", "critical"]) at(id).addEventListener("input", filter);
  at("search").addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.target.value = "";
      filter();
      at("list").focus();
    } else if (event.key === "Enter" && matching.size > 0) {
      // The next frame that matches, or the one before.
      const found = [...matching];
      const place = found.indexOf(chosen) + (event.shiftKey ? -1 : 1);
      choose(found[(place + found.length) % found.length]);
    }
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      at("search").focus();
    } else if (event.key === "Escape" && event.target === at("detail")) {
      at("list").focus();
    }
  });
  at("expand").addEventListener("click", () => {
    folded.clear();
    filter();
  });
  at("collapse").addEventListener("click", () => {
    for (const frame of frames) if (frame.below > 0 && frame.above >= 0) folded.add(frame.index);
    filter();
    choose(0);
  });
  at("zoom").addEventListener("click", zoom);
  window.addEventListener("beforeprint", () => {
    at("rows").replaceChildren(...visible.slice(0, PRINTED).map(row));
    if (visible.length > PRINTED) {
      const left = (visible.length - PRINTED).toLocaleString("en");
      at("rows").append(element("p", "hint", `${left} more frames are not printed; filter first.`));
    }
  });
  window.addEventListener("afterprint", draw);

  const run = trace.run;
  at("title").textContent = run.loop + (run.version ? ` ${run.version}` : "");
  const path = frames.filter((frame) => frame.critical).length;
  facts(at("facts"), [
    ["status", run.status],
    ["error", run.error],
    ["took", run.durationMs === undefined ? undefined : span(run.durationMs)],
    ["started", run.startedAt],
    ["direction", run.direction],
    ["peer", run.peer],
    ["critical path", `${path.toLocaleString("en")} frames`],
    ["run", run.id],
  ]);
  axis();
  filter();
  if (frames.length > 0) choose(0);
})();
